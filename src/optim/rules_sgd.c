/* Rules that follow the gradient, or a mean of gradients, as it is. */
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
    [SGD_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info sgd_states[] = {{"momentum_buffer", NULL, "velocity; kept when momentum > 0"}};
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
static const cliv_state_info asgd_states[] = {{"ax", NULL, "running mean of the weights"}};
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
