/* How states and narrow parameters are stored: options, planes. See cliv/optim.h. */
#include "optim/precision.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "optim/optim.h"
#include "runtime/tensor.h"

/* ---- options ---- */

static const struct storage {
  const char *name;
  cliv_dtype dtype;
} storages[] = {{"float32", CLIV_F32}, {"bfloat16", CLIV_BF16}, {"8bit", CLIV_U8}};
enum { STORAGES = sizeof storages / sizeof *storages };

enum { LEAST_CODED = 4096 };

static const char *const weights_names[CLIV__WEIGHTS_COUNT] = {[CLIV__WEIGHTS_NEAREST] = "nearest",
                                                               [CLIV__WEIGHTS_MASTER] = "master",
                                                               [CLIV__WEIGHTS_KAHAN] = "kahan",
                                                               [CLIV__WEIGHTS_STOCHASTIC] = "stochastic"};

static cliv_status find_storage(cliv_context *ctx, const char *name, cliv_dtype *out) {
  cliv__text names = {0};
  *out = CLIV_F32;
  if (!name) return CLIV_OK;
  for (size_t i = 0; i < STORAGES; i++) {
    *out = storages[i].dtype;
    if (!strcmp(storages[i].name, name)) return CLIV_OK;
  }
  for (size_t i = 0; i < STORAGES; i++) cliv__text_add(&names, i ? ", %s" : "%s", storages[i].name);
  char *list = cliv__text_take(&names);
  const cliv_status status =
      cliv__fail(ctx, CLIV_NAME, "states cannot be stored as '%s'; there are: %s", name, list ? list : "?");
  free(list);
  return status;
}

static cliv_status find_weights(cliv_context *ctx, const char *name, cliv__weights *out) {
  cliv__text names = {0};
  *out = CLIV__WEIGHTS_NEAREST;
  if (!name) return CLIV_OK;
  for (size_t i = 0; i < CLIV__WEIGHTS_COUNT; i++) {
    *out = (cliv__weights)i;
    if (!strcmp(weights_names[i], name)) return CLIV_OK;
  }
  for (size_t i = 0; i < CLIV__WEIGHTS_COUNT; i++) cliv__text_add(&names, i ? ", %s" : "%s", weights_names[i]);
  char *list = cliv__text_take(&names);
  const cliv_status status =
      cliv__fail(ctx, CLIV_NAME, "weights cannot be kept as '%s'; there are: %s", name, list ? list : "?");
  free(list);
  return status;
}

cliv_status cliv__precision_make(cliv_context *ctx, const cliv__rule *rule, const cliv_optimizer_options *options,
                                 cliv__precision *out) {
  *out = (cliv__precision){0};
  TRY(find_storage(ctx, options->state, &out->states));
  TRY(find_weights(ctx, options->weights, &out->weights));
  REQUIRE(ctx, out->states != CLIV_U8 || options->chunk % CLIV__BLOCK == 0, VALUE,
          "a chunk of %zu elements is asked for; of states in 8 bits it must be a multiple of %d, or 0", options->chunk,
          CLIV__BLOCK);
  REQUIRE(ctx, out->states != CLIV_U8 || (!cliv__takes_matrices(rule) && !rule->norms.measures), VALUE,
          "%s has more than one launch a step; states in 8 bits are of rules with one. Store them as bfloat16",
          rule->info.name);
  out->seed = options->seed;
  out->least = options->min_8bit ? options->min_8bit : LEAST_CODED;
  for (size_t k = 0; out->states == CLIV_U8 && k < rule->info.state_count; k++) {
    out->absmax[k] = cliv__format("%s_absmax", rule->info.states[k].name);
    if (out->absmax[k]) continue;
    cliv__precision_free(out);
    return cliv__fail(ctx, CLIV_HOST_MEMORY, "no memory for the names of states");
  }
  return CLIV_OK;
}

void cliv__precision_free(cliv__precision *precision) {
  for (size_t k = 0; k < CLIV__MAX_STATES; k++) free(precision->absmax[k]);
}

/* ---- planes ---- */

const char *cliv__weights_word(const cliv__precision *precision, cliv_dtype param) {
  return param == CLIV_F32 || precision->weights == CLIV__WEIGHTS_NEAREST ? NULL : weights_names[precision->weights];
}

bool cliv__random(const cliv__precision *precision, cliv_dtype param) {
  return param != CLIV_F32 && precision->weights == CLIV__WEIGHTS_STOCHASTIC;
}

/* Of states by rows and columns and those of all other tensors, which this one has not. */
static unsigned left_out(const cliv__rule *rule, const cliv_tensor *p, const double *hyper) {
  cliv__lattice lattice;
  unsigned by_factors = 0;
  if (!rule->factors) return 0;
  for (size_t k = 0; k < rule->info.state_count; k++)
    if (cliv__state_shape(rule, k) == CLIV_STATE_ROW || cliv__state_shape(rule, k) == CLIV_STATE_COLUMN)
      by_factors |= 1u << k;
  return cliv__factored(rule, hyper, p->ndim, p->shape, &lattice) ? rule->unfactored : by_factors;
}

unsigned cliv__planes(const cliv_optimizer *o, size_t param, const double *hyper) {
  const bool narrow = o->params[param].p->dtype != CLIV_F32;
  const cliv__weights weights = o->precision.weights;
  const unsigned beside = narrow && (weights == CLIV__WEIGHTS_MASTER || weights == CLIV__WEIGHTS_KAHAN);
  const unsigned kept = cliv__rule_kept(o->rule, hyper) & ~left_out(o->rule, o->params[param].p, hyper);
  unsigned all = kept | beside << CLIV__WEIGHT_PLANE;
  if (o->precision.states != CLIV_U8 || o->params[param].p->count < o->precision.least) return all;
  for (size_t k = 0; k < o->rule->info.state_count; k++)
    if (kept >> k & 1 && o->rule->info.states[k].kind != CLIV_STATE_WEIGHT) all |= 1u << (CLIV__ABSMAX_PLANE + k);
  return all;
}

bool cliv__coded(unsigned kept) { return kept >> CLIV__ABSMAX_PLANE != 0; }

cliv_dtype cliv__plane_dtype(const cliv_optimizer *o, unsigned kept, cliv_dtype param, size_t k) {
  if (k >= CLIV__ABSMAX_PLANE) return CLIV_F32;
  if (k == CLIV__WEIGHT_PLANE) return o->precision.weights == CLIV__WEIGHTS_KAHAN ? param : CLIV_F32;
  const bool narrow = k < o->rule->info.state_count && cliv__state_shape(o->rule, k) == CLIV_STATE_ELEMENT &&
                      o->rule->info.states[k].kind != CLIV_STATE_WEIGHT;
  if (o->precision.states == CLIV_U8) return kept >> (CLIV__ABSMAX_PLANE + k) & 1 ? CLIV_U8 : CLIV_F32;
  return narrow ? o->precision.states : CLIV_F32;
}

const char *cliv__plane_name(const cliv_optimizer *o, size_t k) {
  if (k >= CLIV__ABSMAX_PLANE) return o->precision.absmax[k - CLIV__ABSMAX_PLANE];
  if (k < CLIV__WEIGHT_PLANE) return k < o->rule->info.state_count ? o->rule->info.states[k].name : NULL;
  return o->precision.weights == CLIV__WEIGHTS_MASTER  ? "master"
         : o->precision.weights == CLIV__WEIGHTS_KAHAN ? "compensation"
                                                       : NULL;
}

const char *cliv__plane_meaning(const cliv_optimizer *o, size_t k) {
  if (k < CLIV__WEIGHT_PLANE) return o->rule->info.states[k].meaning;
  if (k >= CLIV__ABSMAX_PLANE) return "kept of parameters of at least min_8bit elements, beside states that are codes";
  return "kept of float16 and bfloat16 parameters";
}

cliv_state_kind cliv__state_kind(const cliv_optimizer *o, const char *state) {
  size_t k = 0;
  while (strcmp(o->rule->info.states[k].name, state)) k++;
  return o->rule->info.states[k].kind;
}

cliv__shape cliv__plane_shape(const cliv__rule *rule, const cliv_tensor *param, const double *hyper, size_t k) {
  if (cliv__state_shape(rule, k) == CLIV_STATE_TENSOR) return (cliv__shape){0};
  if (k >= CLIV__ABSMAX_PLANE) return (cliv__shape){1, {(param->count + CLIV__BLOCK - 1) / CLIV__BLOCK}};
  if (cliv__square_of(rule, k) >= 0) {
    const bool left = cliv__state_shape(rule, k) == CLIV_STATE_LEFT, some = param->count > 0; /* of nothing none */
    const size_t side = !some ? 0 : left ? cliv__matrix_rows(param) : cliv__matrix_columns(param);
    return (cliv__shape){2, {side, side}};
  }
  cliv__shape shape = {.ndim = param->ndim};
  memcpy(shape.axes, param->shape, sizeof shape.axes);
  cliv__lattice lattice;
  if (!cliv__factored(rule, hyper, param->ndim, param->shape, &lattice)) return shape;
  if (cliv__state_shape(rule, k) == CLIV_STATE_ROW) shape.axes[lattice.column_axis] = 1;
  if (cliv__state_shape(rule, k) == CLIV_STATE_COLUMN) shape.axes[lattice.row_axis] = 1;
  return shape;
}

/* ---- the dynamic map ---- */

/* Float i of PyTorch's linspace(0.1, 1) with n + 1 of them: from both ends to the middle. */
static float linspace(int i, int n) {
  const float step = (1 - 0.1f) / (float)n;
  return i < (n + 1) / 2 ? fmaf(step, (float)i, 0.1f) : fmaf(-step, (float)(n - i), 1);
}

void cliv__dynamic_map(cliv_state_kind kind, float out[256]) {
  static const float scales[] = {1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 1e-1f, 1};
  const bool with_sign = kind != CLIV_STATE_NONNEGATIVE;
  const int zero = with_sign ? 127 : 0;
  int at = 0;
  out[zero] = 0;
  for (int decade = 0; decade < 7; decade++) {
    const int n = with_sign ? 1 << decade : 2 << decade;
    for (int i = 0; i < n; i++) {
      const float value = (linspace(i, n) + linspace(i + 1, n)) / 2 * scales[decade];
      out[zero + ++at] = value;
      if (with_sign) out[zero - at] = -value;
    }
  }
  out[255] = 1;
}
