/* Rules whose step depends on sums over all elements of a tensor: lengths of weights, gradients and steps. */
#include <math.h>

#include "optim/hypers.h"

#define TRUST(initial) POSITIVE("trust_coefficient", initial, "the step's length is this times that of the weights")
#define TRUST_CLIP(initial, meaning) FLAG("trust_clip", initial, meaning)
#define ALWAYS_ADAPT(initial) \
  FLAG("always_adapt", initial, "lengths are adapted without weight_decay too; off: a tensor without one has ratio 1")

/* ---- lars ---- */

enum {
  LARS_LR,
  LARS_MOMENTUM,
  LARS_DAMPENING,
  LARS_WEIGHT_DECAY,
  LARS_TRUST,
  LARS_EPS,
  LARS_NESTEROV,
  LARS_JOINT_NORM,
  LARS_LR_IN_MOMENTUM,
  LARS_TRUST_CLIP,
  LARS_ALWAYS_ADAPT,
  LARS_MAXIMIZE
};
static const cliv_hyper_info lars_hypers[] = {
    [LARS_LR] = LR(0.1),
    [LARS_MOMENTUM] = FRACTION("momentum", 0.9, "how much of the velocity is kept"),
    [LARS_DAMPENING] =
        FRACTION("dampening", 0, "how much of the gradient is kept out of the velocity after the first step"),
    [LARS_WEIGHT_DECAY] = POSITIVE("weight_decay", 0, "L2 penalty, added to the gradient"),
    [LARS_TRUST] = TRUST(1e-3),
    [LARS_EPS] = POSITIVE("eps", 0, "added to the length that is divided by"),
    [LARS_NESTEROV] = FLAG("nesterov", 0, "look ahead along the velocity"),
    [LARS_JOINT_NORM] = FLAG("joint_norm", 0,
                             "divided by the length of gradient and penalty together, not by the sum "
                             "of their lengths"),
    [LARS_LR_IN_MOMENTUM] =
        FLAG("lr_in_momentum", 1, "the velocity is of steps, lr multiplied in, so that a new lr leaves it as it is"),
    [LARS_TRUST_CLIP] = TRUST_CLIP(0, "the ratio is divided by lr and at most 1 (LARC)"),
    [LARS_ALWAYS_ADAPT] = ALWAYS_ADAPT(1),
    [LARS_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info lars_states[] = {
    {"momentum_buffer", NULL, "velocity; kept when momentum > 0", CLIV_STATE_SIGNED}};
static const cliv_preset_info lars_presets[] = {
    SAME("paper", "arXiv 1708.03888"),
    PRESET("optax", "optax.lars 0.2.8", {"joint_norm", 1}),
    PRESET("timm", "timm.optim.Lars 1.0.31", {"lr", 1}, {"momentum", 0}, {"eps", 1e-8}, {"lr_in_momentum", 0},
           {"always_adapt", 0}),
};

static unsigned lars_kept(const double *h) { return h[LARS_MOMENTUM] > 0; }

static const char *lars_conflict(const double *h) {
  if (h[LARS_NESTEROV] != 0 && h[LARS_MOMENTUM] == 0) return "nesterov needs a momentum above 0";
  if (h[LARS_TRUST_CLIP] != 0 && h[LARS_LR] == 0) return "trust_clip divides by lr, which is 0";
  return NULL;
}

static void lars_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double decay = h[LARS_WEIGHT_DECAY];
  const int inside = h[LARS_LR_IN_MOMENTUM] != 0 && h[LARS_MOMENTUM] > 0, joint = h[LARS_JOINT_NORM] != 0;
  const double own = inside ? h[LARS_LR] : 1;
  GIVE(out, inside ? -1 : -h[LARS_LR], decay, joint ? decay : 0, joint ? 0 : decay, h[LARS_MOMENTUM],
       t == 1 ? own : own * (1 - h[LARS_DAMPENING]), own, h[LARS_NESTEROV], h[LARS_TRUST], h[LARS_EPS],
       h[LARS_ALWAYS_ADAPT] != 0 || decay != 0, h[LARS_TRUST_CLIP] != 0 ? h[LARS_LR] : 0);
}

const cliv__rule cliv__rule_lars = {
    INFO("lars", "steps as long as the weights are, times a coefficient, with momentum",
         "arXiv 1708.03888; optax.lars 0.2.8", lars_hypers, lars_states, lars_presets),
    .function = "lars",
    .scalar_count = 12,
    .scalars = lars_scalars,
    .kept = lars_kept,
    .conflict = lars_conflict,
    .norms = {.measures = 2,
              .numbers = 1,
              .prepare = {.reads = CLIV__GRADIENT},
              .step = {.reads = CLIV__GRADIENT | STATE(0), .writes = STATE(0)}},
};

/* ---- lamb ---- */

enum {
  LAMB_LR,
  LAMB_BETA1,
  LAMB_BETA2,
  LAMB_EPS,
  LAMB_EPS_ROOT,
  LAMB_WEIGHT_DECAY,
  LAMB_DECOUPLED,
  LAMB_BIAS_CORRECTION,
  LAMB_GRAD_AVERAGING,
  LAMB_TRUST_CLIP,
  LAMB_ALWAYS_ADAPT,
  LAMB_MAXIMIZE
};
static const cliv_hyper_info lamb_hypers[] = {
    [LAMB_LR] = LR(1e-3),
    [LAMB_BETA1] = BETA1,
    [LAMB_BETA2] = BETA2,
    [LAMB_EPS] = EPS(1e-6),
    [LAMB_EPS_ROOT] = EPS_ROOT(0),
    [LAMB_WEIGHT_DECAY] = POSITIVE("weight_decay", 0.01,
                                   "part of the weight in the direction whose length is adapted; decoupled: weights "
                                   "lose lr*weight_decay of themselves"),
    [LAMB_DECOUPLED] = DECOUPLED(0),
    [LAMB_BIAS_CORRECTION] = FLAG("bias_correction", 1, "means are corrected for their start at 0"),
    [LAMB_GRAD_AVERAGING] =
        FLAG("grad_averaging", 1, "the mean gradient gets 1 - beta1 of the gradient; off: all of it"),
    [LAMB_TRUST_CLIP] = TRUST_CLIP(0, "the ratio is at most 1 (LAMBC)"),
    [LAMB_ALWAYS_ADAPT] = ALWAYS_ADAPT(1),
    [LAMB_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info lamb_states[] = {MEAN, MEAN_SQUARE};
static const cliv_preset_info lamb_presets[] = {
    SAME("paper", "arXiv 1904.00962"),
    PRESET("optax", "optax.lamb 0.2.8", {"weight_decay", 0}),
    PRESET("keras", "keras.optimizers.Lamb 3.15", {"eps", 1e-7}, {"weight_decay", 0}, {"decoupled_weight_decay", 1}),
    PRESET("timm", "timm.optim.Lamb 1.0.31, whose max_grad_norm is clip_norm of cliv_optimizer_gradients",
           {"always_adapt", 0}),
    PRESET("apex", "apex FusedLAMB, by reading; its max_grad_norm is clip_norm, its use_nvlamb always_adapt",
           {"always_adapt", 0}),
};

static void lamb_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const int correct = h[LAMB_BIAS_CORRECTION] != 0;
  const double decay = h[LAMB_WEIGHT_DECAY];
  GIVE(out, -h[LAMB_LR], COUPLED(decay, h[LAMB_DECOUPLED]), KEEP(h[LAMB_LR], decay, h[LAMB_DECOUPLED]), h[LAMB_BETA1],
       h[LAMB_GRAD_AVERAGING] != 0 ? 1 - h[LAMB_BETA1] : 1, h[LAMB_BETA2], 1 - h[LAMB_BETA2],
       correct ? 1 - cliv__power(h[LAMB_BETA1], t) : 1, correct ? sqrt(1 - cliv__power(h[LAMB_BETA2], t)) : 1,
       h[LAMB_EPS], h[LAMB_EPS_ROOT] * (correct ? 1 - cliv__power(h[LAMB_BETA2], t) : 1),
       h[LAMB_ALWAYS_ADAPT] != 0 || decay != 0, h[LAMB_TRUST_CLIP]);
}

const cliv__rule cliv__rule_lamb = {
    INFO("lamb", "Adam's direction, stretched to the length of the weights", "arXiv 1904.00962; optax.lamb 0.2.8",
         lamb_hypers, lamb_states, lamb_presets),
    .function = "lamb",
    .scalar_count = 13,
    .scalars = lamb_scalars,
    .norms = {.measures = 2,
              .numbers = 1,
              .prepare = {.reads = CLIV__GRADIENT | STATE(0) | STATE(1), .writes = STATE(0) | STATE(1)},
              .step = {.reads = STATE(0) | STATE(1)}},
};

/* ---- novograd ---- */

enum {
  NOVOGRAD_LR,
  NOVOGRAD_BETA1,
  NOVOGRAD_BETA2,
  NOVOGRAD_EPS,
  NOVOGRAD_EPS_ROOT,
  NOVOGRAD_WEIGHT_DECAY,
  NOVOGRAD_DECOUPLED,
  NOVOGRAD_GRAD_AVERAGING,
  NOVOGRAD_AMSGRAD,
  NOVOGRAD_BEGINS_NONZERO,
  NOVOGRAD_MAXIMIZE
};
static const cliv_hyper_info novograd_hypers[] = {
    [NOVOGRAD_LR] = LR(0.01),
    [NOVOGRAD_BETA1] = BETA("beta1", 0.95, "how much of the mean gradient is kept"),
    [NOVOGRAD_BETA2] = BETA("beta2", 0.98, "how much of the mean square of the gradient's length is kept"),
    [NOVOGRAD_EPS] = EPS(1e-8),
    [NOVOGRAD_EPS_ROOT] = EPS_ROOT(0),
    [NOVOGRAD_WEIGHT_DECAY] = POSITIVE("weight_decay", 0,
                                       "part of the weight that is added to the normed gradient; "
                                       "decoupled: weights lose lr*weight_decay of themselves"),
    [NOVOGRAD_DECOUPLED] = DECOUPLED(0),
    [NOVOGRAD_GRAD_AVERAGING] =
        FLAG("grad_averaging", 0, "the mean gradient gets 1 - beta1 of the normed gradient; off: all of it"),
    [NOVOGRAD_AMSGRAD] = FLAG("amsgrad", 0, "divide by the largest mean square so far"),
    [NOVOGRAD_BEGINS_NONZERO] =
        FLAG("begins_nonzero", 0, "the mean square begins with the first gradient that is not 0, not with the first"),
    [NOVOGRAD_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info novograd_states[] = {
    MEAN,
    {"exp_avg_sq", NULL, "running mean of the square of the gradient's length", CLIV_STATE_NONNEGATIVE},
    {"max_exp_avg_sq", NULL, "largest exp_avg_sq so far; kept with amsgrad", CLIV_STATE_NONNEGATIVE}};
static const cliv_state_shape novograd_shapes[] = {CLIV_STATE_ELEMENT, CLIV_STATE_TENSOR, CLIV_STATE_TENSOR};
static const cliv_preset_info novograd_presets[] = {
    SAME("paper", "arXiv 1905.11286"),
    PRESET("optax", "optax.novograd 0.2.8", {"beta1", 0.9}, {"beta2", 0.25}, {"eps", 1e-6}),
    PRESET("timm", "timm.optim.NvNovoGrad 1.0.31", {"lr", 1e-3}, {"begins_nonzero", 1}),
};

static unsigned novograd_kept(const double *h) { return h[NOVOGRAD_AMSGRAD] != 0 ? 7 : 3; }

/* begins: 1 in the first step, -1 until something came, 0 never again. */
static void novograd_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double decay = h[NOVOGRAD_WEIGHT_DECAY];
  GIVE(out, -h[NOVOGRAD_LR], COUPLED(decay, h[NOVOGRAD_DECOUPLED]), KEEP(h[NOVOGRAD_LR], decay, h[NOVOGRAD_DECOUPLED]),
       h[NOVOGRAD_BETA1], h[NOVOGRAD_GRAD_AVERAGING] != 0 ? 1 - h[NOVOGRAD_BETA1] : 1, h[NOVOGRAD_BETA2],
       1 - h[NOVOGRAD_BETA2], h[NOVOGRAD_EPS_ROOT], h[NOVOGRAD_EPS],
       h[NOVOGRAD_BEGINS_NONZERO] != 0 ? -1
       : t == 1                        ? 1
                                       : 0,
       h[NOVOGRAD_AMSGRAD]);
}

const cliv__rule cliv__rule_novograd = {
    INFO_SHAPES("novograd", "gradients normed tensor by tensor, with momentum",
                "arXiv 1905.11286; optax.novograd 0.2.8", novograd_hypers, novograd_states, novograd_presets,
                novograd_shapes),
    .function = "novograd",
    .scalar_count = 11,
    .scalars = novograd_scalars,
    .kept = novograd_kept,
    .norms = {.measures = 1,
              .numbers = 3,
              .prepare = {.reads = CLIV__GRADIENT},
              .step = {.reads = CLIV__GRADIENT | STATE(0), .writes = STATE(0)}},
};

/* ---- mars ---- */

enum {
  MARS_LR,
  MARS_BETA1,
  MARS_BETA2,
  MARS_EPS,
  MARS_EPS_HAT,
  MARS_WEIGHT_DECAY,
  MARS_GAMMA,
  MARS_MAX_NORM,
  MARS_FROM_ZERO,
  MARS_LION,
  MARS_MAXIMIZE
};
static const cliv_hyper_info mars_hypers[] = {
    [MARS_LR] = LR(3e-3),
    [MARS_BETA1] = BETA("beta1", 0.9, "how much of the mean corrected gradient is kept"),
    [MARS_BETA2] = BETA("beta2", 0.99, "how much of the mean square is kept"),
    [MARS_EPS] = EPS(1e-8),
    [MARS_EPS_HAT] = EPS_HAT(0),
    [MARS_WEIGHT_DECAY] = PLAIN_DECAY(0),
    [MARS_GAMMA] = POSITIVE("gamma", 0.025, "a gradient is corrected by this times beta1/(1 - beta1) of its change"),
    [MARS_MAX_NORM] = POSITIVE("max_norm", 1, "the corrected gradient of a tensor is shortened to this; 0: it is not"),
    [MARS_FROM_ZERO] = FLAG("from_zero", 0, "the first gradient is corrected, too, as if 0 had been the one before"),
    [MARS_LION] = FLAG("lion", 0, "steps take the sign of the mean, without a mean square (MARS-Lion)"),
    [MARS_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info mars_states[] = {
    {"exp_avg", NULL, "running mean of corrected gradients", CLIV_STATE_SIGNED},
    {"exp_avg_sq", NULL, "running mean of their squares; kept without lion", CLIV_STATE_NONNEGATIVE},
    {"last_grad", NULL, "the gradient before", CLIV_STATE_SIGNED}};
static const cliv_preset_info mars_presets[] = {
    SAME("timm", "timm.optim.Mars 1.0.31 with optimize_1d"),
    PRESET("pytorch_optimizer", "pytorch_optimizer.MARS 4.1 with optimize_1d", {"beta1", 0.95}, {"eps_hat", 1},
           {"from_zero", 1}),
};

static unsigned mars_kept(const double *h) { return h[MARS_LION] != 0 ? 5 : 7; }

static void mars_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double root = sqrt(1 - cliv__power(h[MARS_BETA2], t));
  const int corrects = t > 1 || h[MARS_FROM_ZERO] != 0;
  GIVE(out, -h[MARS_LR], 1 - h[MARS_LR] * h[MARS_WEIGHT_DECAY],
       corrects ? h[MARS_GAMMA] * (h[MARS_BETA1] / (1 - h[MARS_BETA1])) : 0, h[MARS_BETA1], 1 - h[MARS_BETA1],
       h[MARS_BETA2], 1 - h[MARS_BETA2], 1 - cliv__power(h[MARS_BETA1], t), root,
       h[MARS_EPS_HAT] != 0 ? h[MARS_EPS] / root : h[MARS_EPS],
       h[MARS_MAX_NORM] > 0 ? h[MARS_MAX_NORM] : (double)INFINITY);
}

const cliv__rule cliv__rule_mars = {
    INFO("mars", "gradients corrected by their change, shortened, then adamw or lion",
         "timm.optim.Mars 1.0.31; arXiv 2411.10438", mars_hypers, mars_states, mars_presets),
    .function = "mars",
    .scalar_count = 11,
    .scalars = mars_scalars,
    .kept = mars_kept,
    .norms = {.measures = 1,
              .numbers = 1,
              .prepare = {.reads = CLIV__GRADIENT | STATE(2)},
              .step = {.reads = CLIV__GRADIENT | 7, .writes = 7}},
};
