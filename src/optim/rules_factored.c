/* Rules that keep the mean square of a matrix's gradients by rows and columns. */
#include <math.h>

#include "optim/hypers.h"

/* ---- adafactor ---- */

enum {
  ADAFACTOR_LR,
  ADAFACTOR_BETA1,
  ADAFACTOR_BETA2_DECAY,
  ADAFACTOR_EPS1,
  ADAFACTOR_EPS2,
  ADAFACTOR_D,
  ADAFACTOR_WEIGHT_DECAY,
  ADAFACTOR_RELATIVE_STEP,
  ADAFACTOR_WARMUP_INIT,
  ADAFACTOR_SCALE_PARAMETER,
  ADAFACTOR_EPS_ADDED,
  ADAFACTOR_DECAY_BY_STEP,
  ADAFACTOR_DECAY_APART,
  ADAFACTOR_DECAY_FIRST,
  ADAFACTOR_DECAY_OFFSET,
  ADAFACTOR_MIN_DIM,
  ADAFACTOR_LARGEST_AXES,
  ADAFACTOR_MAXIMIZE
};
static const cliv_hyper_info adafactor_hypers[] = {
    [ADAFACTOR_LR] = LR(0.01),
    [ADAFACTOR_BETA1] = BETA("beta1", 0, "how much of the mean step is kept"),
    [ADAFACTOR_BETA2_DECAY] = {"beta2_decay", -0.8, -100, 0, 0, 0,
                               "the mean square gets step^beta2_decay of the new square"},
    [ADAFACTOR_EPS1] = POSITIVE("eps1", 0x1p-23, "least mean of rows; its square is the least mean square"),
    [ADAFACTOR_EPS2] = POSITIVE("eps2", 1e-3, "least root mean square that weights count with"),
    [ADAFACTOR_D] = POSITIVE("d", 1, "root mean square that a tensor's update is shortened to; 0: never"),
    [ADAFACTOR_WEIGHT_DECAY] = PLAIN_DECAY(0),
    [ADAFACTOR_RELATIVE_STEP] = FLAG("relative_step", 1, "the rate is at most 1 / sqrt(step)"),
    [ADAFACTOR_WARMUP_INIT] = FLAG("warmup_init", 0, "and 1e-6*step takes the place of lr"),
    [ADAFACTOR_SCALE_PARAMETER] =
        FLAG("scale_parameter", 1, "the rate is multiplied with the root mean square of the tensor's weights"),
    [ADAFACTOR_EPS_ADDED] = FLAG("eps_added", 0, "eps1 is added to the squares of gradients instead"),
    [ADAFACTOR_DECAY_BY_STEP] =
        FLAG("decay_by_step", 0, "weights lose weight_decay times the tensor's rate, not times lr"),
    [ADAFACTOR_DECAY_APART] = FLAG("decay_apart", 0, "weights lose weight_decay of themselves, whatever the lr"),
    [ADAFACTOR_DECAY_FIRST] = FLAG("decay_first", 0, "the root mean square is of weights that have decayed"),
    [ADAFACTOR_DECAY_OFFSET] =
        POSITIVE("decay_offset", 0, "steps that beta2_decay does not count; it counts 1 at least"),
    [ADAFACTOR_MIN_DIM] = POSITIVE("min_dim_size_to_factor", 0,
                                   "least size of both axes that are rows and columns; else each element "
                                   "has a mean square"),
    [ADAFACTOR_LARGEST_AXES] = FLAG("largest_axes", 0, "rows and columns are the two largest axes, not the last two"),
    [ADAFACTOR_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info adafactor_states[] = {
    {"row_var", NULL, "running mean of squared gradients, over columns; kept of what has rows and columns",
     CLIV_STATE_NONNEGATIVE},
    {"col_var", NULL, "the same over rows", CLIV_STATE_NONNEGATIVE},
    {"variance", NULL, "running mean of squared gradients; kept of what has no rows and columns",
     CLIV_STATE_NONNEGATIVE},
    {"exp_avg", NULL, "running mean of steps; kept when beta1 > 0", CLIV_STATE_SIGNED},
};
static const cliv_state_shape adafactor_shapes[] = {CLIV_STATE_ROW, CLIV_STATE_COLUMN, CLIV_STATE_ELEMENT,
                                                    CLIV_STATE_ELEMENT};
static const cliv_preset_info adafactor_presets[] = {
    SAME("torch", "torch.optim.Adafactor 2.15; its eps[0] of None is the parameter's type's, eps1 float32's"),
    PRESET("keras", "keras.optimizers.Adafactor 3.15", {"lr", 1e-3}, {"eps1", 1e-30}, {"eps_added", 1},
           {"decay_first", 1}),
    PRESET("optax", "optax.adafactor 0.2.8; its learning_rate of None is an lr of 1", {"lr", 1}, {"eps1", 1e-30},
           {"eps_added", 1}, {"relative_step", 0}, {"decay_apart", 1}, {"min_dim_size_to_factor", 128},
           {"largest_axes", 1}),
    PRESET("transformers", "transformers.Adafactor 5.23", {"eps1", 1e-30}, {"eps_added", 1}, {"decay_by_step", 1}),
};

static unsigned adafactor_kept(const double *h) { return h[ADAFACTOR_BETA1] > 0 ? 15 : 7; }

static const char *adafactor_conflict(const double *h) {
  if (h[ADAFACTOR_WARMUP_INIT] != 0 && h[ADAFACTOR_RELATIVE_STEP] == 0) return "warmup_init needs relative_step";
  if (h[ADAFACTOR_DECAY_BY_STEP] != 0 && h[ADAFACTOR_DECAY_APART] != 0)
    return "decay_by_step and decay_apart exclude each other";
  return NULL;
}

/* The two largest axes, of equal ones the last, or the last two; rows are the earlier one. */
static bool adafactor_axes(const double *h, int ndim, const size_t *shape, int *row, int *column) {
  if (ndim < 2) return false;
  int most = ndim - 1, next = ndim - 2;
  if (h[ADAFACTOR_LARGEST_AXES] != 0) {
    for (int k = ndim - 2; k >= 0; k--)
      if (shape[k] > shape[most]) most = k;
    next = most == ndim - 1 ? ndim - 2 : ndim - 1;
    for (int k = next - 1; k >= 0; k--)
      if (k != most && shape[k] > shape[next]) next = k;
  }
  *row = most < next ? most : next;
  *column = most < next ? next : most;
  const double least = h[ADAFACTOR_MIN_DIM];
  return (double)shape[most] >= least && (double)shape[next] >= least;
}

static void adafactor_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double lr = h[ADAFACTOR_LR], decay = h[ADAFACTOR_WEIGHT_DECAY], eps = h[ADAFACTOR_EPS1];
  const double wanted = h[ADAFACTOR_WARMUP_INIT] != 0 ? 1e-6 * (double)t : lr;
  const double rate = h[ADAFACTOR_RELATIVE_STEP] != 0 ? fmin(wanted, 1 / sqrt((double)t)) : lr;
  const double gain = cliv__real_power(fmax((double)t - h[ADAFACTOR_DECAY_OFFSET], 1), h[ADAFACTOR_BETA2_DECAY]);
  const int added = h[ADAFACTOR_EPS_ADDED] != 0, by_step = h[ADAFACTOR_DECAY_BY_STEP] != 0;
  const int bounded = !added && eps * (double)FLT_MAX >= 1;
  GIVE(out, rate,
       by_step                         ? 1
       : h[ADAFACTOR_DECAY_APART] != 0 ? 1 - decay
                                       : 1 - lr * decay,
       by_step ? decay : 0, h[ADAFACTOR_BETA1], 1 - h[ADAFACTOR_BETA1], 1 - gain, gain, added ? eps : 0,
       added ? 0 : eps, added ? 0 : fmin(eps * eps, (double)FLT_MAX), bounded ? 1 / eps : (double)INFINITY,
       h[ADAFACTOR_EPS2], h[ADAFACTOR_SCALE_PARAMETER], h[ADAFACTOR_D],
       h[ADAFACTOR_DECAY_FIRST] != 0 ? 1 - lr * decay : 1);
}

const cliv__rule cliv__rule_adafactor = {
    INFO_SHAPES("adafactor", "gradients over their root mean square, kept by rows and columns, as long as the weights",
                "torch.optim.Adafactor 2.15; arXiv 1804.04235", adafactor_hypers, adafactor_states, adafactor_presets,
                adafactor_shapes),
    .function = "adafactor",
    .scalar_count = 15,
    .scalars = adafactor_scalars,
    .kept = adafactor_kept,
    .conflict = adafactor_conflict,
    .norms = {.measures = 2,
              .numbers = 2,
              .prepare = {.reads = CLIV__GRADIENT | STATE(2), .writes = STATE(2)},
              .step = {.reads = CLIV__GRADIENT | STATE(2) | STATE(3), .writes = STATE(3)}},
    .factors = adafactor_axes,
    .unfactored = STATE(2),
    .factors_hypers = 1u << ADAFACTOR_MIN_DIM | 1u << ADAFACTOR_LARGEST_AXES,
};
