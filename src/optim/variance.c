/* Steps that remember earlier gradients. See cliv/variance.h. */
#include <cliv/variance.h>

#include <cliv/blas.h>
#include <cliv/random.h>
#include <cliv/reduce.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/stage.h"
#include "runtime/tensor.h"

typedef struct method {
  cliv_variance_info info;
  bool rests; /* goes by the mean of all gradients every `inner` steps */
  cliv_status (*step)(cliv_variance *v, size_t term, const cliv_sync *sync);
} method;

struct cliv_variance {
  cliv_context *ctx;
  const method *method;
  cliv_sum sum;
  cliv_variance_options options;
  cl_kernel kernel;  /* the context's; NULL: not needed yet */
  cliv_tensor *x;    /* the caller's, as one axis */
  cliv_tensor *rows; /* a view of the caller's, who may free it; NULL: none */
  /* See cl/variance.cl; t: the whole table. NULL where the method has none. With `slope`, w is its number. */
  cliv_tensor *g, *t, *s, *w;
  unsigned char *seen; /* of each term, whether the table has it */
  size_t seen_count;
  uint64_t steps, gradients;
  bool torn; /* a step's launches were taken in part */
};

/* ---- what steps are made of ---- */

static cliv_status gradient(cliv_variance *v, const cliv_tensor *x, size_t term, cliv_tensor *out) {
  TRY(v->sum.gradient(v->sum.with, x, term, out));
  v->gradients++;
  return CLIV_OK;
}

/* s = the mean of all gradients at x. */
static cliv_status mean(cliv_variance *v, const cliv_tensor *x) {
  static const cliv_blas_options exact = {.provider = CLIV_PROVIDER_EXACT};
  const size_t n = v->sum.terms;
  if (v->sum.mean) {
    TRY(v->sum.mean(v->sum.with, x, v->s));
    v->gradients += n;
    return CLIV_OK;
  }
  TRY(cliv_tensor_fill(v->s, 0, NULL));
  for (size_t i = 0; i < n; i++) {
    TRY(gradient(v, x, i, v->g));
    TRY(cliv_axpy(v->ctx, 1 / (double)n, v->g, v->s, &exact, NULL));
  }
  return CLIV_OK;
}

/* g and t: their elements `g_first` and `first` on. */
static cliv_status launch(cliv_variance *v, const cliv_tensor *g, size_t g_first, const cliv_tensor *t, size_t first,
                          size_t seen, const cliv_sync *sync) {
  cliv_context *ctx = v->ctx;
  if (v->x->count == 0) return cliv__nothing(ctx, sync);
  if (!v->kernel) {
    char options[64];
    snprintf(options, sizeof options, "-D METHOD=%s%s", v->method->info.name, v->sum.slope ? " -D LINEAR" : "");
    TRY(cliv__kernel(ctx, "divide.cl fused.cl variance.cl", options, "variance_step", &v->kernel));
  }
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  const double lr = v->options.lr;
  const cl_ulong n = v->x->count, x_first = cliv__first(v->x), g_at = g_first, t_first = first;
  const cl_ulong each = cliv__share(ctx, n);
  const float by = (float)-lr, l2 = (float)v->options.l2, shrink = (float)(lr * v->options.l1);
  const float part = seen ? (float)(1 / (double)seen) : 0;
  const cl_mem w = v->w ? v->w->mem : v->g->mem;
  return LAUNCH(ctx, v->kernel, RANGE1(cliv__div_up(n, each), cpu ? 1 : cliv__group(ctx, 64)), sync, ARG(v->x->mem),
                ARG(x_first), ARG(g->mem), ARG(g_at), ARG(t->mem), ARG(t_first), ARG(v->s->mem), ARG(w), ARG(n),
                ARG(each), ARG(by), ARG(l2), ARG(shrink), ARG(part));
}

/* ---- the methods ---- */

/* The step of a linear model: the number is put into the table when every element is done with the old one. */
static cliv_status step_linear(cliv_variance *v, size_t term, size_t seen, const cliv_sync *sync) {
  const cliv_tensor *rows = v->rows;
  cliv_tensor *number;
  TRY(cliv_tensor_view(v->t, term, 1, (const size_t[]){1}, 0, &number));
  cliv_status status = launch(v, rows, cliv__first(rows) + term * cliv__row_pitch(rows), v->t, term, seen, SYNC_NONE);
  if (!status) status = cliv_tensor_copy(v->w, number, sync);
  cliv_tensor_free(number);
  return status;
}

/* The table's sum anew. */
static cliv_status add_up(cliv_variance *v, const cliv_sync *sync) {
  static const cliv_blas_options exact = {.provider = CLIV_PROVIDER_EXACT};
  return v->sum.slope ? cliv_gemv(v->ctx, 1, 1, v->rows, v->t, 0, v->s, &exact, sync)
                      : cliv_reduce(v->ctx, "sum", 0, v->t, NULL, v->s, sync);
}

/* x and the table change together. */
static cliv_status change(cliv_variance *v, size_t term, size_t seen, const cliv_sync *sync) {
  const bool again = v->steps % v->sum.terms == v->sum.terms - 1;
  const cliv_sync *own = again ? SYNC_NONE : sync;
  if (v->sum.slope) TRY(step_linear(v, term, seen, own));
  else TRY(launch(v, v->g, 0, v->t, term * v->x->count, seen, own));
  return again ? add_up(v, sync) : CLIV_OK;
}

static cliv_status step_table(cliv_variance *v, size_t term, const cliv_sync *sync) {
  const size_t seen = v->seen_count + !v->seen[term];
  size_t enqueued = 0;
  if (v->sum.slope) {
    TRY(v->sum.slope(v->sum.with, v->x, term, v->w));
    v->gradients++;
  } else {
    TRY(gradient(v, v->x, term, v->g));
  }
  TRY(cliv__stage_begin(v->ctx));
  const cliv_status status = cliv__stage_end(v->ctx, change(v, term, seen, sync), &enqueued);
  v->torn = status && enqueued > 0;
  TRY(status);
  v->seen[term] = 1;
  v->seen_count = seen;
  return CLIV_OK;
}

static cliv_status step_svrg(cliv_variance *v, size_t term, const cliv_sync *sync) {
  if (v->steps % v->options.inner == 0) {
    TRY(cliv_tensor_copy(v->x, v->w, NULL));
    TRY(mean(v, v->w));
  }
  TRY(gradient(v, v->w, term, v->t));
  TRY(gradient(v, v->x, term, v->g));
  return launch(v, v->g, 0, v->t, 0, 0, sync);
}

static cliv_status step_sarah(cliv_variance *v, size_t term, const cliv_sync *sync) {
  if (v->steps % v->options.inner == 0) {
    TRY(mean(v, v->x));
    TRY(cliv_tensor_fill(v->g, 0, NULL)); /* which is taken from itself: the direction is the mean */
    return launch(v, v->g, 0, v->g, 0, 0, sync);
  }
  TRY(gradient(v, v->w, term, v->t));
  TRY(gradient(v, v->x, term, v->g));
  return launch(v, v->g, 0, v->t, 0, 0, sync);
}

static const method table[] = {
    {{"sag", "the mean of the last gradient of each term", "arXiv 1309.2388; scikit-learn 1.9 (sag)", 1},
     false,
     step_table},
    {{"saga", "the same without bias, and with L1", "arXiv 1407.0202; scikit-learn 1.9 (saga)", 1}, false, step_table},
    {{"svrg", "gradients less those at a point whose mean is known", "Johnson and Zhang, NIPS 2013", 0},
     true,
     step_svrg},
    {{"sarah", "changes of gradients added to a direction that began as the mean", "arXiv 1703.00102", 0},
     true,
     step_sarah},
};
enum { METHODS = sizeof table / sizeof *table };

size_t cliv_variance_count(void) { return METHODS; }
const cliv_variance_info *cliv_variance_get(size_t index) { return index < METHODS ? &table[index].info : NULL; }

static const method *find(const char *name) {
  for (size_t i = 0; name && i < METHODS; i++)
    if (!strcmp(table[i].info.name, name)) return &table[i];
  return NULL;
}

const cliv_variance_info *cliv_variance_find(const char *name) {
  const method *found = find(name);
  return found ? &found->info : NULL;
}

/* ---- making one ---- */

static cliv_status fail_name(cliv_context *ctx, const char *name) {
  char names[256] = "";
  for (size_t i = 0; i < METHODS; i++)
    snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", table[i].info.name);
  return cliv__fail(ctx, CLIV_NAME, "there is no method '%s' that reduces variance; the methods are %s", name, names);
}

static cliv_status check_lr(cliv_context *ctx, double lr, double l2) {
  REQUIRE(ctx, lr > 0 && isfinite(lr), VALUE, "lr must be given, above 0 and finite, not %g", lr);
  REQUIRE(ctx, lr * l2 < 1, VALUE, "lr %g times l2 %g must be below 1", lr, l2);
  return CLIV_OK;
}

static cliv_status check_options(cliv_context *ctx, const cliv_sum *sum, cliv_variance_options *o) {
  REQUIRE(ctx, sum->terms >= 1 && sum->terms <= INT32_MAX, VALUE, "a sum has 1 to 2147483647 terms, not %zu",
          sum->terms);
  REQUIRE(ctx, o->l2 >= 0 && isfinite(o->l2), VALUE, "l2 must be 0 or more and finite, not %g", o->l2);
  REQUIRE(ctx, o->l1 >= 0 && isfinite(o->l1), VALUE, "l1 must be 0 or more and finite, not %g", o->l1);
  if (!o->inner) o->inner = 2 * sum->terms;
  return check_lr(ctx, o->lr, o->l2);
}

/* One axis, or a table of `rows`. */
static cliv_status vector(cliv_variance *v, size_t rows, cliv_tensor **out) {
  const size_t n = v->x->count, shape[2] = {rows ? rows : n, n};
  TRY(cliv_tensor_create(v->ctx, CLIV_F32, rows ? 2 : 1, shape, out));
  return cliv_tensor_fill(*out, 0, NULL);
}

static cliv_status allocate(cliv_variance *v, const cliv_tensor *x) {
  const size_t n = x->count, terms = v->sum.terms, one = 1;
  TRY(cliv_tensor_view(x, 0, 1, &n, 0, &v->x));
  TRY(vector(v, 0, &v->s));
  if (v->sum.slope) {
    const cliv_tensor *rows = v->sum.rows;
    TRY(cliv_tensor_view(rows, 0, 2, rows->shape, rows->pitch, &v->rows));
    TRY(cliv_tensor_create(v->ctx, CLIV_F32, 1, &terms, &v->t));
    TRY(cliv_tensor_fill(v->t, 0, NULL));
    TRY(cliv_tensor_create(v->ctx, CLIV_F32, 1, &one, &v->w));
  } else {
    TRY(vector(v, 0, &v->g));
    TRY(vector(v, v->method->info.table ? terms : 0, &v->t));
    if (v->method->rests) TRY(vector(v, 0, &v->w));
  }
  v->seen = calloc(terms, 1);
  REQUIRE(v->ctx, v->seen != NULL, HOST_MEMORY, "no memory for %zu terms", terms);
  return CLIV_OK;
}

/* The sum has what the method asks for. svrg and sarah have no table, and go by gradients. */
static cliv_status check_sum(cliv_context *ctx, const method *m, cliv_sum *sum, const cliv_tensor *x) {
  char text[160];
  REQUIRE(ctx, !sum->rows == !sum->slope, VALUE, "a linear model's sum has both rows and slope, or neither");
  if (!m->info.table) sum->rows = NULL, sum->slope = NULL;
  REQUIRE(ctx, sum->gradient || sum->slope, NULL, "%s needs the sum's gradient: it is NULL", m->info.name);
  const cliv_tensor *rows = sum->rows;
  if (!rows) return CLIV_OK;
  REQUIRE_TENSORS(ctx, rows);
  REQUIRE(ctx, rows->dtype == CLIV_F32, DTYPE, "rows must be float32, not %s", cliv__describe(rows, text));
  REQUIRE(ctx, rows->ndim == 2 && rows->shape[0] == sum->terms && rows->shape[1] == x->count, SHAPE,
          "%zu terms and %zu elements need rows of shape [%zu, %zu], not %s", sum->terms, x->count, sum->terms,
          x->count, cliv__describe(rows, text));
  return CLIV_OK;
}

cliv_status cliv_variance_create(cliv_context *ctx, const char *name, const cliv_sum *sum, cliv_tensor *x,
                                 const cliv_variance_options *options, cliv_variance **out) {
  char text[160];
  REQUIRE_NOT_NULL(ctx, out);
  *out = NULL;
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, name);
  REQUIRE_NOT_NULL(ctx, sum);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, options);
  const method *found = find(name);
  if (!found) return fail_name(ctx, name);
  cliv_variance made = {.ctx = ctx, .method = found};
  TRY(OPTIONS(ctx, sum, &made.sum));
  TRY(OPTIONS(ctx, options, &made.options));
  TRY(check_options(ctx, &made.sum, &made.options));
  REQUIRE_TENSORS(ctx, x);
  REQUIRE(ctx, x->dtype == CLIV_F32, DTYPE, "%s takes a float32 x, not %s", name, cliv__describe(x, text));
  REQUIRE(ctx, cliv__dense(x), LAYOUT, "%s takes a dense x, not one with pitch %zu: %s", name, x->pitch,
          cliv__describe(x, text));
  TRY(check_sum(ctx, found, &made.sum, x));
  cliv_variance *v = malloc(sizeof *v);
  REQUIRE(ctx, v != NULL, HOST_MEMORY, "no memory for %s", name);
  *v = made;
  const cliv_status status = allocate(v, x);
  if (status) cliv_variance_free(v);
  else *out = v;
  return status;
}

void cliv_variance_free(cliv_variance *v) {
  if (!v) return;
  cliv_tensor *const all[] = {v->x, v->rows, v->g, v->t, v->s, v->w};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  free(v->seen);
  free(v);
}

/* ---- steps ---- */

/* floor(n · r / 2^64), r being the 64 bits of the step's two elements; n is below 2^31. */
static size_t draw(const cliv_variance *v) {
  const uint64_t n = v->sum.terms, low = cliv_random_bits(v->options.seed, CLIV_STREAM_TERMS, 2 * v->steps),
                 high = cliv_random_bits(v->options.seed, CLIV_STREAM_TERMS, 2 * v->steps + 1);
  return (size_t)((high * n + (low * n >> 32)) >> 32);
}

cliv_status cliv_variance_run(cliv_variance *v, size_t steps, const int32_t *order, const cliv_sync *sync) {
  TRY(cliv__check_sync(v ? v->ctx : NULL, sync));
  REQUIRE_NOT_NULL(NULL, v);
  for (size_t k = 0; order && k < steps; k++)
    REQUIRE(v->ctx, order[k] >= 0 && (size_t)order[k] < v->sum.terms, VALUE,
            "step %zu of the order takes term %ld, and there are 0 to %zu", k, (long)order[k], v->sum.terms - 1);
  REQUIRE(
      v->ctx, !v->torn, STATE,
      "the driver took a part of step %llu and refused the rest, so that x has changed and the table has not: begin "
      "anew from x, or from what it was (cliv_variance_create)",
      (unsigned long long)v->steps + 1);
  if (steps == 0) return cliv__nothing(v->ctx, sync);
  if (sync && sync->wait_count) TRY(cliv__nothing(v->ctx, SYNC_FIRST(sync)));
  for (size_t k = 0; k < steps; k++) {
    TRY(v->method->step(v, order ? (size_t)order[k] : draw(v), k + 1 == steps ? SYNC_LAST(sync) : SYNC_NONE));
    v->steps++;
  }
  return CLIV_OK;
}

cliv_status cliv_variance_set_lr(cliv_variance *v, double lr) {
  REQUIRE_NOT_NULL(NULL, v);
  TRY(check_lr(v->ctx, lr, v->options.l2));
  v->options.lr = lr;
  return CLIV_OK;
}

uint64_t cliv_variance_steps(const cliv_variance *v) { return v ? v->steps : 0; }
uint64_t cliv_variance_gradients(const cliv_variance *v) { return v ? v->gradients : 0; }
