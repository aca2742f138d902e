/* Rules that find their rate by themselves, from lengths over all parameters. */
#include <math.h>

#include "optim/hypers.h"

#define STATE(k) (1u << (k))
#define COUPLED_DECAY POSITIVE("weight_decay", 0, "L2 penalty, added to the gradient")
#define FREE_LR(meaning) POSITIVE("lr", 1, meaning)
#define D0 POSITIVE("d0", 1e-6, "the first estimate of the distance, too small rather than too large; above 0")
#define GROWTH POSITIVE("growth_rate", 0, "the most that the estimate grows by in a step; 0: as it comes")

/* ---- dog, ldog ---- */

enum { DOG_LR, DOG_REPS_REL, DOG_INIT_ETA, DOG_EPS, DOG_WEIGHT_DECAY, DOG_MAXIMIZE };
static const cliv_hyper_info dog_hypers[] = {
    [DOG_LR] = FREE_LR("what the rate is multiplied with; 1 is meant"),
    [DOG_REPS_REL] = POSITIVE("reps_rel", 1e-6, "the first distance is this times 1 + the length of the weights"),
    [DOG_INIT_ETA] = POSITIVE("init_eta", 0, "the first rate; 0: by reps_rel, which otherwise counts as 0"),
    [DOG_EPS] = POSITIVE("eps", 1e-8, "added to the sum of squares under the root"),
    [DOG_WEIGHT_DECAY] = COUPLED_DECAY,
    [DOG_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info dog_states[] = {
    {"x0", NULL, "the weights before the first step", CLIV_STATE_WEIGHT},
    {"rbar", NULL, "the furthest that the weights have been from x0", CLIV_STATE_NONNEGATIVE},
    {"G", NULL, "sum of the squares of all gradients so far", CLIV_STATE_NONNEGATIVE}};
static const cliv_state_shape dog_shapes[] = {CLIV_STATE_ELEMENT, CLIV_STATE_TENSOR, CLIV_STATE_TENSOR};
static const cliv_preset_info dog_presets[] = {SAME("dog", "dog-optimizer 1.0.3, the authors'"),
                                               SAME("optax", "optax.contrib.dog 0.2.8")};
static const cliv_preset_info ldog_presets[] = {SAME("dog", "dog-optimizer 1.0.3, the authors'")};

static void dog_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  GIVE(out, -h[DOG_LR], h[DOG_WEIGHT_DECAY], h[DOG_EPS], h[DOG_INIT_ETA] > 0 ? 0 : h[DOG_REPS_REL], h[DOG_INIT_ETA],
       t == 1, t != 1);
}

static void dog_of_scope(bool begun, double *scalars) { scalars[6] = begun; }

#define DOG_NORMS(of)                                                                                              \
  {                                                                                                                \
    .measures = 2, .numbers = 3, .scope = of, .prepare = {.reads = CLIV__GRADIENT | STATE(0), .writes = STATE(0)}, \
    .step = {                                                                                                      \
      .reads = CLIV__GRADIENT                                                                                      \
    }                                                                                                              \
  }

const cliv__rule cliv__rule_dog = {
    INFO_SHAPES("dog", "the distance gone over the gradients met is the rate, one for all parameters",
                "dog-optimizer 1.0.3; arXiv 2302.12022", dog_hypers, dog_states, dog_presets, dog_shapes),
    .function = "dog",
    .scalar_count = 7,
    .scalars = dog_scalars,
    .of_scope = dog_of_scope,
    .norms = DOG_NORMS(CLIV__ALL_TENSORS),
};

const cliv__rule cliv__rule_ldog = {
    INFO_SHAPES("ldog", "dog with a rate for each tensor", "dog-optimizer 1.0.3; arXiv 2302.12022", dog_hypers,
                dog_states, ldog_presets, dog_shapes),
    .function = "dog",
    .scalar_count = 7,
    .scalars = dog_scalars,
    .norms = DOG_NORMS(CLIV__EACH_TENSOR),
};

/* ---- dowg ---- */

enum { DOWG_LR, DOWG_INITIAL, DOWG_EPS, DOWG_WEIGHT_DECAY, DOWG_MAXIMIZE };
static const cliv_hyper_info dowg_hypers[] = {
    [DOWG_LR] = FREE_LR("what the rate is multiplied with; 1 is meant"),
    [DOWG_INITIAL] = POSITIVE("init_estim_sq_dist", 1e-4, "the first squared distance"),
    [DOWG_EPS] = POSITIVE("eps", 1e-4, "added to the root"),
    [DOWG_WEIGHT_DECAY] = COUPLED_DECAY,
    [DOWG_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info dowg_states[] = {
    {"x0", NULL, "the weights before the first step", CLIV_STATE_WEIGHT},
    {"estim_sq_dist", "init_estim_sq_dist", "largest squared distance of the weights from x0", CLIV_STATE_NONNEGATIVE},
    {"weighted_sq_norm_grads", NULL, "sum of squared gradients, each times the squared distance of its step",
     CLIV_STATE_NONNEGATIVE}};
static const cliv_preset_info dowg_presets[] = {SAME("optax", "optax.contrib.dowg 0.2.8")};

static void dowg_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  GIVE(out, -h[DOWG_LR], h[DOWG_WEIGHT_DECAY], h[DOWG_EPS], t == 1);
}

const cliv__rule cliv__rule_dowg = {
    INFO_SHAPES("dowg", "dog with gradients weighted by the distance", "optax.contrib.dowg 0.2.8; arXiv 2305.16284",
                dowg_hypers, dowg_states, dowg_presets, dog_shapes),
    .function = "dowg",
    .scalar_count = 4,
    .scalars = dowg_scalars,
    .norms = DOG_NORMS(CLIV__ALL_TENSORS),
};

/* ---- prodigy ---- */

enum {
  PRODIGY_LR,
  PRODIGY_BETA1,
  PRODIGY_BETA2,
  PRODIGY_BETA3,
  PRODIGY_EPS,
  PRODIGY_WEIGHT_DECAY,
  PRODIGY_DECOUPLED,
  PRODIGY_BIAS_CORRECTION,
  PRODIGY_SAFEGUARD,
  PRODIGY_D0,
  PRODIGY_D_COEF,
  PRODIGY_GROWTH,
  PRODIGY_MAXIMIZE
};
static const cliv_hyper_info prodigy_hypers[] = {
    [PRODIGY_LR] = FREE_LR("what the estimated rate is multiplied with; one for all groups, or 0"),
    [PRODIGY_BETA1] = BETA1,
    [PRODIGY_BETA2] = BETA2,
    [PRODIGY_BETA3] = BETA("beta3", 0, "how much of the estimate's sums is kept; 0: the root of beta2"),
    [PRODIGY_EPS] = POSITIVE("eps", 1e-8, "added to the root of the mean square, times the estimate"),
    [PRODIGY_WEIGHT_DECAY] =
        POSITIVE("weight_decay", 0, "L2 penalty in the gradient; decoupled: weights lose the step's rate times this"),
    [PRODIGY_DECOUPLED] = DECOUPLED(1),
    [PRODIGY_BIAS_CORRECTION] = FLAG("bias_correction", 0, "rates are corrected for the means' start at 0"),
    [PRODIGY_SAFEGUARD] = FLAG("safeguard_warmup", 0, "lr is left out of the estimate's divisor, for a warm-up"),
    [PRODIGY_D0] = D0,
    [PRODIGY_D_COEF] = POSITIVE("d_coef", 1, "what the estimate is multiplied with"),
    [PRODIGY_GROWTH] = GROWTH,
    [PRODIGY_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info prodigy_states[] = {
    {"p0", NULL, "the weights before the first step", CLIV_STATE_WEIGHT},
    {"s", NULL, "sum of the gradients, weighted by the estimate", CLIV_STATE_SIGNED},
    {"exp_avg", NULL, "running mean of gradients, the estimate multiplied in; kept when beta1 > 0", CLIV_STATE_SIGNED},
    {"exp_avg_sq", NULL, "running mean of squared gradients, the estimate multiplied in", CLIV_STATE_NONNEGATIVE},
    {"d", "d0", "estimate of the distance to the solution", CLIV_STATE_NONNEGATIVE},
    {"d_max", "d0", "largest estimate so far", CLIV_STATE_NONNEGATIVE},
    {"d_numerator", NULL, "running sum of the estimate's numerator", CLIV_STATE_SIGNED}};
static const cliv_state_shape prodigy_shapes[] = {CLIV_STATE_ELEMENT, CLIV_STATE_ELEMENT, CLIV_STATE_ELEMENT,
                                                  CLIV_STATE_ELEMENT, CLIV_STATE_TENSOR,  CLIV_STATE_TENSOR,
                                                  CLIV_STATE_TENSOR};
static const cliv_preset_info prodigy_presets[] = {SAME("prodigyopt", "prodigyopt 1.1.2, the authors'")};

static unsigned prodigy_kept(const double *h) { return h[PRODIGY_BETA1] > 0 ? 127 : 127 & ~STATE(2); }

static const char *prodigy_conflict(const double *h) {
  return h[PRODIGY_D0] > 0 ? NULL : "d0 must be above 0, since the estimate grows from it";
}

static double corrected(double beta1, double beta2, uint64_t t) {
  return sqrt(1 - cliv__power(beta2, t)) / (1 - cliv__power(beta1, t));
}

static void prodigy_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double beta1 = h[PRODIGY_BETA1], beta2 = h[PRODIGY_BETA2], decay = h[PRODIGY_WEIGHT_DECAY];
  const int decoupled = h[PRODIGY_DECOUPLED] != 0;
  GIVE(out, h[PRODIGY_LR] * (h[PRODIGY_BIAS_CORRECTION] != 0 ? corrected(beta1, beta2, t) : 1), decoupled ? 0 : decay,
       decoupled ? decay : 0, beta1, 1 - beta1, beta2, 1 - beta2, h[PRODIGY_BETA3] > 0 ? h[PRODIGY_BETA3] : sqrt(beta2),
       h[PRODIGY_EPS], 1 / h[PRODIGY_D0], h[PRODIGY_D0], h[PRODIGY_D_COEF], h[PRODIGY_GROWTH], h[PRODIGY_SAFEGUARD],
       t == 1);
}

const cliv__rule cliv__rule_prodigy = {
    INFO_SHAPES("prodigy", "adam with a rate that grows to the distance of the solution",
                "prodigyopt 1.1.2; arXiv 2306.06101", prodigy_hypers, prodigy_states, prodigy_presets, prodigy_shapes),
    .function = "prodigy",
    .scalar_count = 15,
    .scalars = prodigy_scalars,
    .kept = prodigy_kept,
    .conflict = prodigy_conflict,
    .norms = {.measures = 2,
              .numbers = 5,
              .scope = CLIV__ALL_TENSORS,
              .prepare = {.reads = CLIV__GRADIENT | 15, .writes = 15},
              .step = {.reads = CLIV__GRADIENT | STATE(2) | STATE(3)}},
};

/* ---- dadapt_adam ---- */

enum {
  DADAPT_LR,
  DADAPT_BETA1,
  DADAPT_BETA2,
  DADAPT_EPS,
  DADAPT_WEIGHT_DECAY,
  DADAPT_DECOUPLED,
  DADAPT_BIAS_CORRECTION,
  DADAPT_D0,
  DADAPT_GROWTH,
  DADAPT_MAXIMIZE
};
static const cliv_hyper_info dadapt_adam_hypers[] = {
    [DADAPT_LR] = FREE_LR("what the estimated rate is multiplied with; one for all groups, or 0"),
    [DADAPT_BETA1] = BETA1,
    [DADAPT_BETA2] = BETA2,
    [DADAPT_EPS] = EPS(1e-8),
    [DADAPT_WEIGHT_DECAY] =
        POSITIVE("weight_decay", 0, "L2 penalty in the gradient; decoupled: weights lose the step's rate times this"),
    [DADAPT_DECOUPLED] = DECOUPLED(0),
    [DADAPT_BIAS_CORRECTION] = FLAG("bias_correction", 0, "rates are corrected for the means' start at 0"),
    [DADAPT_D0] = D0,
    [DADAPT_GROWTH] = GROWTH,
    [DADAPT_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info dadapt_adam_states[] = {
    {"exp_avg", NULL, "running mean of gradients, the rate multiplied in", CLIV_STATE_SIGNED},
    MEAN_SQUARE,
    {"s", NULL, "running mean of gradients, the rate multiplied in, that forgets as exp_avg_sq does",
     CLIV_STATE_SIGNED},
    {"d", "d0", "estimate of the distance to the solution", CLIV_STATE_NONNEGATIVE},
    {"numerator_weighted", NULL, "running mean of the estimate's numerator", CLIV_STATE_SIGNED}};
static const cliv_state_shape dadapt_adam_shapes[] = {CLIV_STATE_ELEMENT, CLIV_STATE_ELEMENT, CLIV_STATE_ELEMENT,
                                                      CLIV_STATE_TENSOR, CLIV_STATE_TENSOR};
static const cliv_preset_info dadapt_adam_presets[] = {SAME("dadaptation", "dadaptation 3.2, the authors'")};

static const char *dadapt_adam_conflict(const double *h) {
  return h[DADAPT_D0] > 0 ? NULL : "d0 must be above 0, since the estimate grows from it";
}

static void dadapt_adam_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double beta1 = h[DADAPT_BETA1], beta2 = h[DADAPT_BETA2], beta3 = sqrt(beta2), decay = h[DADAPT_WEIGHT_DECAY];
  const int decoupled = h[DADAPT_DECOUPLED] != 0;
  GIVE(out, h[DADAPT_LR] * (h[DADAPT_BIAS_CORRECTION] != 0 ? corrected(beta1, beta2, t) : 1), decoupled ? 0 : decay,
       decoupled ? decay : 0, beta1, 1 - beta1, beta2, 1 - beta2, beta3, 1 - beta3, h[DADAPT_EPS], h[DADAPT_GROWTH]);
}

const cliv__rule cliv__rule_dadapt_adam = {
    INFO_SHAPES("dadapt_adam", "adam with a rate by D-adaptation", "dadaptation 3.2; arXiv 2301.07733",
                dadapt_adam_hypers, dadapt_adam_states, dadapt_adam_presets, dadapt_adam_shapes),
    .function = "dadapt_adam",
    .scalar_count = 11,
    .scalars = dadapt_adam_scalars,
    .conflict = dadapt_adam_conflict,
    .norms = {.measures = 2,
              .numbers = 4,
              .scope = CLIV__ALL_TENSORS,
              .prepare = {.reads = CLIV__GRADIENT | 7, .writes = 7},
              .step = {.reads = STATE(0) | STATE(1)}},
};
