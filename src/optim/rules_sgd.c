/* Rules that follow the gradient, or a mean of gradients, as it is. */
#include <math.h>

#include "optim/hypers.h"

/* ---- sgd ---- */

enum {
  SGD_LR,
  SGD_MOMENTUM,
  SGD_DAMPENING,
  SGD_WEIGHT_DECAY,
  SGD_DECOUPLED,
  SGD_NESTEROV,
  SGD_AVERAGED,
  SGD_LR_IN_MOMENTUM,
  SGD_MAXIMIZE
};
static const cliv_hyper_info sgd_hypers[] = {
    [SGD_LR] = LR(1e-3),
    [SGD_MOMENTUM] = FRACTION("momentum", 0, "how much of the velocity is kept"),
    [SGD_DAMPENING] =
        FRACTION("dampening", 0, "how much of the gradient is kept out of the velocity after the first step"),
    [SGD_WEIGHT_DECAY] = DECAY(0),
    [SGD_DECOUPLED] = DECOUPLED(0),
    [SGD_NESTEROV] = FLAG("nesterov", 0, "look ahead along the velocity; needs momentum, and dampening 0"),
    [SGD_AVERAGED] =
        FLAG("averaged", 0, "velocity is the running mean momentum*v + (1 - momentum)*g; needs dampening 0"),
    [SGD_LR_IN_MOMENTUM] = LR_IN_MOMENTUM,
    [SGD_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info sgd_states[] = {
    {"momentum_buffer", NULL, "velocity; kept when momentum > 0", CLIV_STATE_SIGNED}};
static const cliv_preset_info sgd_presets[] = {
    SAME("torch", "torch.optim.SGD 2.15"),
    PRESET("keras", "keras.optimizers.SGD 3.15", {"lr", 0.01}, {"lr_in_momentum", 1}, {"decoupled_weight_decay", 1}),
    SAME("optax", "optax.sgd 0.2.8"),
};

static unsigned sgd_kept(const double *h) { return h[SGD_MOMENTUM] > 0; }

static const char *sgd_conflict(const double *h) {
  if (h[SGD_NESTEROV] != 0 && h[SGD_MOMENTUM] == 0) return "nesterov needs a momentum above 0";
  if (h[SGD_NESTEROV] != 0 && h[SGD_DAMPENING] != 0) return "nesterov needs dampening 0";
  if (h[SGD_AVERAGED] != 0 && h[SGD_DAMPENING] != 0) return "averaged needs dampening 0";
  return NULL;
}

/* PyTorch's velocity starts as the first gradient, undamped. */
static void sgd_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double gain = h[SGD_AVERAGED] != 0 ? 1 - h[SGD_MOMENTUM] : t == 1 ? 1 : 1 - h[SGD_DAMPENING];
  const int inside = h[SGD_LR_IN_MOMENTUM] != 0 && h[SGD_MOMENTUM] > 0;
  GIVE(out, inside ? -1 : -h[SGD_LR], COUPLED(h[SGD_WEIGHT_DECAY], h[SGD_DECOUPLED]),
       KEEP(h[SGD_LR], h[SGD_WEIGHT_DECAY], h[SGD_DECOUPLED]), h[SGD_MOMENTUM], inside ? gain * h[SGD_LR] : gain,
       h[SGD_NESTEROV]);
}

const cliv__rule cliv__rule_sgd = {
    INFO("sgd", "gradient descent, with momentum in four forms", "torch.optim.SGD 2.15", sgd_hypers, sgd_states,
         sgd_presets),
    .function = "sgd",
    .scalar_count = 6,
    .scalars = sgd_scalars,
    .kept = sgd_kept,
    .conflict = sgd_conflict,
};

/* ---- asgd ---- */

enum { ASGD_LR, ASGD_LAMBD, ASGD_ALPHA, ASGD_T0, ASGD_WEIGHT_DECAY, ASGD_MAXIMIZE };
static const cliv_hyper_info asgd_hypers[] = {
    [ASGD_LR] = LR(1e-2),
    [ASGD_LAMBD] = POSITIVE("lambd", 1e-4, "weights lose lambd*eta of themselves before each step"),
    [ASGD_ALPHA] = POSITIVE("alpha", 0.75, "step t learns at eta = lr / (1 + lambd*lr*(t - 1))^alpha"),
    [ASGD_T0] = POSITIVE("t0", 1e6, "the step after which the mean begins; ax is the weight until then"),
    [ASGD_WEIGHT_DECAY] = POSITIVE("weight_decay", 0, "L2 penalty, added to the gradient"),
    [ASGD_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info asgd_states[] = {{"ax", NULL, "running mean of the weights", CLIV_STATE_WEIGHT}};
static const cliv_preset_info asgd_presets[] = {SAME("torch", "torch.optim.ASGD 2.15")};

/* PyTorch keeps eta and mu in float32. */
static void asgd_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double before = (double)(t - 1), past = before - h[ASGD_T0];
  const double eta = (float)(h[ASGD_LR] / cliv__real_power(1 + h[ASGD_LAMBD] * h[ASGD_LR] * before, h[ASGD_ALPHA]));
  GIVE(out, -eta, h[ASGD_WEIGHT_DECAY], 1 - h[ASGD_LAMBD] * eta, 1 / (past > 1 ? past : 1));
}

const cliv__rule cliv__rule_asgd = {
    INFO("asgd", "gradient descent, and a running mean of the weights", "torch.optim.ASGD 2.15", asgd_hypers,
         asgd_states, asgd_presets),
    .function = "asgd",
    .scalar_count = 4,
    .scalars = asgd_scalars,
};

/* ---- qhm ---- */

enum { QHM_LR, QHM_MOMENTUM, QHM_NU, QHM_WEIGHT_DECAY, QHM_DECOUPLED, QHM_MAXIMIZE };
static const cliv_hyper_info qhm_hypers[] = {
    [QHM_LR] = LR(1e-3),
    [QHM_MOMENTUM] = BETA("momentum", 0.999, "how much of the mean gradient is kept"),
    [QHM_NU] = POSITIVE("nu", 0.7, "what the mean gradient counts, the gradient the rest"),
    [QHM_WEIGHT_DECAY] = DECAY(0),
    [QHM_DECOUPLED] = DECOUPLED(0),
    [QHM_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info qhm_states[] = {{"momentum_buffer", NULL, "running mean of gradients", CLIV_STATE_SIGNED}};
static const cliv_preset_info qhm_presets[] = {SAME("qhoptim", "qhoptim.pyt.QHM 1.1; arXiv 1810.06801")};

static void qhm_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)t;
  (void)memory;
  GIVE(out, -h[QHM_LR] * h[QHM_NU], -h[QHM_LR] * (1 - h[QHM_NU]), COUPLED(h[QHM_WEIGHT_DECAY], h[QHM_DECOUPLED]),
       KEEP(h[QHM_LR], h[QHM_WEIGHT_DECAY], h[QHM_DECOUPLED]), h[QHM_MOMENTUM], 1 - h[QHM_MOMENTUM]);
}

const cliv__rule cliv__rule_qhm = {
    INFO("qhm", "a mean gradient and a share of the gradient itself", "qhoptim.pyt.QHM 1.1; arXiv 1810.06801",
         qhm_hypers, qhm_states, qhm_presets),
    .function = "qhm",
    .scalar_count = 6,
    .scalars = qhm_scalars,
};

/* ---- madgrad ---- */

enum { MADGRAD_LR, MADGRAD_MOMENTUM, MADGRAD_EPS, MADGRAD_WEIGHT_DECAY, MADGRAD_DECOUPLED, MADGRAD_MAXIMIZE };
static const cliv_hyper_info madgrad_hypers[] = {
    [MADGRAD_LR] = LR(1e-2),
    [MADGRAD_MOMENTUM] = BETA("momentum", 0.9, "how much of the weight is kept"),
    [MADGRAD_EPS] = POSITIVE("eps", 1e-6, "added to the cube root, and to lr unless that is 0"),
    [MADGRAD_WEIGHT_DECAY] = DECAY(0),
    [MADGRAD_DECOUPLED] = DECOUPLED(0),
    [MADGRAD_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info madgrad_states[] = {
    {"grad_sum_sq", NULL, "weighted sum of squared gradients", CLIV_STATE_NONNEGATIVE},
    {"s", NULL, "weighted sum of gradients", CLIV_STATE_SIGNED},
    {"x0", NULL, "the weight before step 1; kept when momentum > 0", CLIV_STATE_WEIGHT}};
static const cliv_preset_info madgrad_presets[] = {
    SAME("madgrad", "madgrad 1.3; arXiv 2101.11075"),
    SAME("optax", "optax.contrib.madgrad 0.2.8"),
};

static unsigned madgrad_kept(const double *h) { return h[MADGRAD_MOMENTUM] > 0 ? 7 : 3; }

static void madgrad_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double lr = h[MADGRAD_LR] > 0 ? h[MADGRAD_LR] + h[MADGRAD_EPS] : 0;
  GIVE(out, lr * sqrt((double)t), COUPLED(h[MADGRAD_WEIGHT_DECAY], h[MADGRAD_DECOUPLED]),
       h[MADGRAD_MOMENTUM] - (h[MADGRAD_DECOUPLED] != 0 ? lr * h[MADGRAD_WEIGHT_DECAY] : 0), 1 - h[MADGRAD_MOMENTUM],
       h[MADGRAD_EPS], t == 1);
}

const cliv__rule cliv__rule_madgrad = {
    INFO("madgrad", "dual averaging over the cube root of squared gradients", "madgrad 1.3; arXiv 2101.11075",
         madgrad_hypers, madgrad_states, madgrad_presets),
    .function = "madgrad",
    .scalar_count = 6,
    .scalars = madgrad_scalars,
    .kept = madgrad_kept,
};
