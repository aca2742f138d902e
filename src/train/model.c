/* Models as lists of layers. See cliv/model.h. */
#include <cliv/blas.h>
#include <cliv/model.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "runtime/launch.h"

static const cliv_model_info table[] = {
    {"linear", "numbers from a linear map, by least squares", "mse", 0, 0},
    {"logistic", "one of two classes, by the sign of a linear map", "binary_cross_entropy", 1, 2},
    {"softmax", "one of several classes, by the largest of as many linear maps", "cross_entropy", 1, 0},
};
enum { KINDS = sizeof table / sizeof *table };

/* One linear map. Its tensors are those of the model's list. */
typedef struct layer {
  size_t inputs, outputs;
  cliv_tensor *weight, *bias, *weight_gradient, *bias_gradient;
} layer;

typedef struct parameter {
  char name[32];
  cliv_tensor *value, *gradient;
} parameter;

enum { MAX_LAYERS = 1, MAX_PARAMETERS = 2 * MAX_LAYERS };

struct cliv_model {
  cliv_context *ctx;
  const cliv_model_info *kind;
  size_t layer_count, parameter_count;
  layer layers[MAX_LAYERS];
  parameter parameters[MAX_PARAMETERS]; /* weight and bias of each layer in turn */
  cliv_tensor *ones;                    /* as many as the largest batch so far; NULL before the first */
};

static const cliv_blas_options EXACT = {.provider = CLIV_PROVIDER_EXACT};

size_t cliv_model_count(void) { return KINDS; }
const cliv_model_info *cliv_model_at(size_t index) { return index < KINDS ? &table[index] : NULL; }

const cliv_model_info *cliv_model_find(const char *name) {
  for (size_t i = 0; name && i < KINDS; i++)
    if (!strcmp(table[i].name, name)) return &table[i];
  return NULL;
}

static cliv_status fail_kind(cliv_context *ctx, const char *name) {
  char names[256] = "";
  for (size_t i = 0; i < KINDS; i++)
    snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", table[i].name);
  return cliv__fail(ctx, CLIV_NAME, "there is no model '%s'; the models are %s", name, names);
}

/* Two arenas for the layers' shapes, all zero, and the lists over them. */
static cliv_status create_parameters(cliv_model *m) {
  cliv_tensor *values[MAX_PARAMETERS], *gradients[MAX_PARAMETERS];
  int ndims[MAX_PARAMETERS];
  size_t shapes[3 * MAX_LAYERS];
  const size_t count = 2 * m->layer_count;
  for (size_t i = 0; i < m->layer_count; i++) {
    ndims[2 * i] = 2, ndims[2 * i + 1] = 1;
    shapes[3 * i] = shapes[3 * i + 2] = m->layers[i].outputs, shapes[3 * i + 1] = m->layers[i].inputs;
  }
  TRY(cliv_arena_create(m->ctx, CLIV_F32, count, ndims, shapes, values));
  const cliv_status status = cliv_arena_create(m->ctx, CLIV_F32, count, ndims, shapes, gradients);
  if (status) {
    for (size_t i = 0; i < count; i++) cliv_tensor_free(values[i]);
    return status;
  }
  for (size_t i = 0; i < count; i++) {
    m->parameters[i] = (parameter){.value = values[i], .gradient = gradients[i]};
    snprintf(m->parameters[i].name, sizeof m->parameters[i].name, "%zu.%s", i / 2, i % 2 ? "bias" : "weight");
  }
  m->parameter_count = count;
  for (size_t i = 0; i < m->layer_count; i++) {
    layer *l = &m->layers[i];
    l->weight = values[2 * i], l->bias = values[2 * i + 1];
    l->weight_gradient = gradients[2 * i], l->bias_gradient = gradients[2 * i + 1];
    TRY(cliv_tensor_fill(l->weight, 0, NULL));
    TRY(cliv_tensor_fill(l->bias, 0, NULL));
  }
  return CLIV_OK;
}

cliv_status cliv_model_create(cliv_context *ctx, const char *kind, size_t inputs, size_t outputs, cliv_model **out) {
  REQUIRE_NOT_NULL(ctx, out);
  *out = NULL;
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, kind);
  const cliv_model_info *info = cliv_model_find(kind);
  if (!info) return fail_kind(ctx, kind);
  REQUIRE(ctx, inputs > 0 && outputs > 0, VALUE, "a model of %zu inputs and %zu outputs", inputs, outputs);
  REQUIRE(ctx, !info->classes || outputs >= 2, VALUE, "%s tells 2 classes or more apart, not %zu", kind, outputs);
  REQUIRE(ctx, !info->most_classes || outputs <= info->most_classes, VALUE,
          "%s tells %zu classes apart, and there are %zu; softmax takes any number", kind, info->most_classes, outputs);
  cliv_model *m = calloc(1, sizeof *m);
  REQUIRE(ctx, m != NULL, HOST_MEMORY, "no memory for a model");
  *m = (cliv_model){.ctx = ctx, .kind = info, .layer_count = 1};
  m->layers[0] = (layer){.inputs = inputs, .outputs = info->most_classes == 2 ? 1 : outputs};
  const cliv_status status = create_parameters(m);
  if (status) cliv_model_free(m);
  else *out = m;
  return status;
}

void cliv_model_free(cliv_model *m) {
  if (!m) return;
  for (size_t i = 0; i < m->parameter_count; i++)
    cliv_tensor_free(m->parameters[i].value), cliv_tensor_free(m->parameters[i].gradient);
  cliv_tensor_free(m->ones);
  free(m);
}

const cliv_model_info *cliv_model_kind(const cliv_model *m) { return m ? m->kind : NULL; }
size_t cliv_model_inputs(const cliv_model *m) { return m ? m->layers[0].inputs : 0; }
size_t cliv_model_logits(const cliv_model *m) { return m ? m->layers[m->layer_count - 1].outputs : 0; }
size_t cliv_model_parameters(const cliv_model *m) { return m ? m->parameter_count : 0; }

static const parameter *parameter_at(const cliv_model *m, size_t index) {
  static const parameter none;
  return m && index < m->parameter_count ? &m->parameters[index] : &none;
}

const char *cliv_model_parameter_name(const cliv_model *m, size_t index) {
  const char *name = parameter_at(m, index)->name;
  return *name ? name : NULL;
}
cliv_tensor *cliv_model_parameter(const cliv_model *m, size_t index) { return parameter_at(m, index)->value; }
cliv_tensor *cliv_model_gradient(const cliv_model *m, size_t index) { return parameter_at(m, index)->gradient; }

static cliv_status check(const cliv_model *m, const cliv_tensor *x, const cliv_tensor *logits, const char *what) {
  const size_t *a = cliv_tensor_shape(x), *b = cliv_tensor_shape(logits);
  REQUIRE(m->ctx, cliv_tensor_ndim(x) == 2 && a[1] == cliv_model_inputs(m), SHAPE,
          "the model takes x of shape [rows, %zu]", cliv_model_inputs(m));
  REQUIRE(m->ctx, cliv_tensor_ndim(logits) == 2 && b[0] == a[0] && b[1] == cliv_model_logits(m), SHAPE,
          "%s of %zu rows must have the shape [%zu, %zu]", what, a[0], a[0], cliv_model_logits(m));
  return CLIV_OK;
}

/* `rows` ones: what sums the rows. */
static cliv_status ones_of(cliv_model *m, size_t rows, cliv_tensor **view) {
  if (!m->ones || cliv_tensor_count(m->ones) < rows) {
    cliv_tensor *ones;
    TRY(cliv_tensor_create(m->ctx, CLIV_F32, 1, &rows, &ones));
    const cliv_status status = cliv_tensor_fill(ones, 1, NULL);
    if (status) {
      cliv_tensor_free(ones);
      return status;
    }
    cliv_tensor_free(m->ones);
    m->ones = ones;
  }
  return cliv_tensor_view(m->ones, 0, 1, &rows, 0, view);
}

/* out = x W' + b. */
static cliv_status layer_forward(cliv_context *ctx, const layer *l, const cliv_tensor *x, cliv_tensor *out,
                                 const cliv_sync *sync) {
  const cliv_blas_options biased = {.provider = CLIV_PROVIDER_EXACT, .bias = l->bias};
  return cliv_gemm(ctx, 0, 1, 1, x, l->weight, 0, out, &biased, sync);
}

/* dW = slope' x + l2 W, db = slope' 1. */
static cliv_status layer_backward(cliv_context *ctx, const layer *l, const cliv_tensor *x, const cliv_tensor *slope,
                                  const cliv_tensor *ones, double l2, const cliv_sync *sync) {
  TRY(cliv_gemm(ctx, 1, 0, 1, slope, x, 0, l->weight_gradient, &EXACT, SYNC_FIRST(sync)));
  if (l2 > 0) TRY(cliv_axpy(ctx, l2, l->weight, l->weight_gradient, &EXACT, SYNC_NONE));
  return cliv_gemv(ctx, 1, 1, slope, ones, 0, l->bias_gradient, &EXACT, SYNC_LAST(sync));
}

cliv_status cliv_model_forward(cliv_model *m, const cliv_tensor *x, cliv_tensor *logits, const cliv_sync *sync) {
  TRY(cliv__check_sync(m ? m->ctx : NULL, sync));
  REQUIRE_NOT_NULL(NULL, m);
  REQUIRE_NOT_NULL(m->ctx, x);
  REQUIRE_NOT_NULL(m->ctx, logits);
  TRY(check(m, x, logits, "logits"));
  return layer_forward(m->ctx, &m->layers[0], x, logits, sync);
}

cliv_status cliv_model_backward(cliv_model *m, const cliv_tensor *x, const cliv_tensor *slope, double l2,
                                const cliv_sync *sync) {
  TRY(cliv__check_sync(m ? m->ctx : NULL, sync));
  REQUIRE_NOT_NULL(NULL, m);
  REQUIRE_NOT_NULL(m->ctx, x);
  REQUIRE_NOT_NULL(m->ctx, slope);
  TRY(check(m, x, slope, "the slope"));
  REQUIRE(m->ctx, isfinite(l2) && l2 >= 0, VALUE, "l2 must be 0 or more, not %g", l2);
  cliv_tensor *ones;
  TRY(ones_of(m, cliv_tensor_shape(x)[0], &ones));
  const cliv_status status = layer_backward(m->ctx, &m->layers[0], x, slope, ones, l2, sync);
  cliv_tensor_free(ones);
  return status;
}
