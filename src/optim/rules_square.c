/* Rules that divide by the root of squared gradients. */
#include "optim/hypers.h"

/* ---- adagrad ---- */

enum {
  ADAGRAD_LR,
  ADAGRAD_LR_DECAY,
  ADAGRAD_WEIGHT_DECAY,
  ADAGRAD_DECOUPLED,
  ADAGRAD_INITIAL,
  ADAGRAD_EPS,
  ADAGRAD_EPS_IN_ROOT,
  ADAGRAD_MAXIMIZE
};
static const cliv_hyper_info adagrad_hypers[] = {
    [ADAGRAD_LR] = LR(1e-2),
    [ADAGRAD_LR_DECAY] = POSITIVE("lr_decay", 0, "step t learns at lr / (1 + (t - 1)*lr_decay)"),
    [ADAGRAD_WEIGHT_DECAY] = DECAY(0),
    [ADAGRAD_DECOUPLED] = DECOUPLED(0),
    [ADAGRAD_INITIAL] = INITIAL(0, "what the sum of squares starts from"),
    [ADAGRAD_EPS] = POSITIVE("eps", 1e-10, "added to the root of the sum of squares"),
    [ADAGRAD_EPS_IN_ROOT] = EPS_IN_ROOT(0),
    [ADAGRAD_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info adagrad_states[] = {
    {"sum", "initial_accumulator_value", "sum of squared gradients", CLIV_STATE_NONNEGATIVE}};
static const cliv_preset_info adagrad_presets[] = {
    SAME("torch", "torch.optim.Adagrad 2.15"),
    PRESET("keras", "keras.optimizers.Adagrad 3.15", {"lr", 1e-3}, {"initial_accumulator_value", 0.1}, {"eps", 1e-7},
           {"eps_in_root", 1}, {"decoupled_weight_decay", 1}),
    PRESET("optax", "optax.adagrad 0.2.8", {"initial_accumulator_value", 0.1}, {"eps", 1e-7}, {"eps_in_root", 1}),
    PRESET("mlx", "mlx.optimizers.Adagrad 0.32", {"eps", 1e-8}),
};

static void adagrad_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double lr = h[ADAGRAD_LR] / (1 + (double)(t - 1) * h[ADAGRAD_LR_DECAY]);
  const int in_root = h[ADAGRAD_EPS_IN_ROOT] != 0;
  GIVE(out, -lr, COUPLED(h[ADAGRAD_WEIGHT_DECAY], h[ADAGRAD_DECOUPLED]),
       KEEP(lr, h[ADAGRAD_WEIGHT_DECAY], h[ADAGRAD_DECOUPLED]), in_root ? h[ADAGRAD_EPS] : 0,
       in_root ? 0 : h[ADAGRAD_EPS]);
}

const cliv__rule cliv__rule_adagrad = {
    INFO("adagrad", "steps shrink with the sum of squared gradients", "torch.optim.Adagrad 2.15", adagrad_hypers,
         adagrad_states, adagrad_presets),
    .function = "adagrad",
    .scalar_count = 5,
    .scalars = adagrad_scalars,
};

/* ---- rmsprop ---- */

enum {
  RMSPROP_LR,
  RMSPROP_ALPHA,
  RMSPROP_EPS,
  RMSPROP_EPS_IN_ROOT,
  RMSPROP_WEIGHT_DECAY,
  RMSPROP_DECOUPLED,
  RMSPROP_MOMENTUM,
  RMSPROP_LR_IN_MOMENTUM,
  RMSPROP_CENTERED,
  RMSPROP_INITIAL,
  RMSPROP_MAXIMIZE
};
static const cliv_hyper_info rmsprop_hypers[] = {
    [RMSPROP_LR] = LR(1e-2),
    [RMSPROP_ALPHA] = FRACTION("alpha", 0.99, "how much of the mean square is kept"),
    [RMSPROP_EPS] = EPS(1e-8),
    [RMSPROP_EPS_IN_ROOT] = EPS_IN_ROOT(0),
    [RMSPROP_WEIGHT_DECAY] = DECAY(0),
    [RMSPROP_DECOUPLED] = DECOUPLED(0),
    [RMSPROP_MOMENTUM] = FRACTION("momentum", 0, "how much of the velocity is kept"),
    [RMSPROP_LR_IN_MOMENTUM] = LR_IN_MOMENTUM,
    [RMSPROP_CENTERED] = FLAG("centered", 0, "divide by the root of the variance instead of the mean square"),
    [RMSPROP_INITIAL] = INITIAL(0, "what the mean square starts from"),
    [RMSPROP_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info rmsprop_states[] = {
    {"square_avg", "initial_accumulator_value", "running mean of squared gradients", CLIV_STATE_NONNEGATIVE},
    {"grad_avg", NULL, "running mean of gradients; kept when centered", CLIV_STATE_SIGNED},
    {"momentum_buffer", NULL, "velocity; kept when momentum > 0", CLIV_STATE_SIGNED}};
static const cliv_preset_info rmsprop_presets[] = {
    SAME("torch", "torch.optim.RMSprop 2.15"),
    PRESET("keras", "keras.optimizers.RMSprop 3.15", {"lr", 1e-3}, {"alpha", 0.9}, {"eps", 1e-7}, {"eps_in_root", 1},
           {"lr_in_momentum", 1}, {"decoupled_weight_decay", 1}),
    PRESET("optax", "optax.rmsprop 0.2.8", {"alpha", 0.9}, {"eps_in_root", 1}, {"lr_in_momentum", 1}),
    PRESET("timm", "timm RMSpropTF 1.0.31", {"alpha", 0.9}, {"eps", 1e-10}, {"eps_in_root", 1}, {"lr_in_momentum", 1},
           {"initial_accumulator_value", 1}),
};

static unsigned rmsprop_kept(const double *h) {
  return 1u | (h[RMSPROP_CENTERED] != 0 ? 2u : 0u) | (h[RMSPROP_MOMENTUM] > 0 ? 4u : 0u);
}

static void rmsprop_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)t;
  (void)memory;
  const int inside = h[RMSPROP_LR_IN_MOMENTUM] != 0 && h[RMSPROP_MOMENTUM] > 0;
  const int in_root = h[RMSPROP_EPS_IN_ROOT] != 0;
  GIVE(out, inside ? -1 : -h[RMSPROP_LR], COUPLED(h[RMSPROP_WEIGHT_DECAY], h[RMSPROP_DECOUPLED]),
       KEEP(h[RMSPROP_LR], h[RMSPROP_WEIGHT_DECAY], h[RMSPROP_DECOUPLED]), h[RMSPROP_ALPHA], 1 - h[RMSPROP_ALPHA],
       in_root ? h[RMSPROP_EPS] : 0, in_root ? 0 : h[RMSPROP_EPS], h[RMSPROP_MOMENTUM], inside ? h[RMSPROP_LR] : 1);
}

const cliv__rule cliv__rule_rmsprop = {
    INFO("rmsprop", "steps divided by the root of the mean squared gradient", "torch.optim.RMSprop 2.15",
         rmsprop_hypers, rmsprop_states, rmsprop_presets),
    .function = "rmsprop",
    .scalar_count = 9,
    .scalars = rmsprop_scalars,
    .kept = rmsprop_kept,
};

/* ---- adadelta ---- */

enum { ADADELTA_LR, ADADELTA_RHO, ADADELTA_EPS, ADADELTA_WEIGHT_DECAY, ADADELTA_DECOUPLED, ADADELTA_MAXIMIZE };
static const cliv_hyper_info adadelta_hypers[] = {
    [ADADELTA_LR] = LR(1),
    [ADADELTA_RHO] = FRACTION("rho", 0.9, "how much of both mean squares is kept"),
    [ADADELTA_EPS] = POSITIVE("eps", 1e-6, "added to both mean squares under their roots"),
    [ADADELTA_WEIGHT_DECAY] = DECAY(0),
    [ADADELTA_DECOUPLED] = DECOUPLED(0),
    [ADADELTA_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info adadelta_states[] = {
    {"square_avg", NULL, "running mean of squared gradients", CLIV_STATE_NONNEGATIVE},
    {"acc_delta", NULL, "running mean of squared steps", CLIV_STATE_NONNEGATIVE}};
static const cliv_preset_info adadelta_presets[] = {
    SAME("torch", "torch.optim.Adadelta 2.15"),
    PRESET("keras", "keras.optimizers.Adadelta 3.15", {"lr", 1e-3}, {"rho", 0.95}, {"eps", 1e-7},
           {"decoupled_weight_decay", 1}),
    SAME("optax", "optax.adadelta 0.2.8"),
    PRESET("paper", "arXiv 1212.5701", {"rho", 0.95}),
};

static void adadelta_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)t;
  (void)memory;
  GIVE(out, -h[ADADELTA_LR], COUPLED(h[ADADELTA_WEIGHT_DECAY], h[ADADELTA_DECOUPLED]),
       KEEP(h[ADADELTA_LR], h[ADADELTA_WEIGHT_DECAY], h[ADADELTA_DECOUPLED]), h[ADADELTA_RHO], 1 - h[ADADELTA_RHO],
       h[ADADELTA_EPS]);
}

const cliv__rule cliv__rule_adadelta = {
    INFO("adadelta", "steps as long as the steps before them", "torch.optim.Adadelta 2.15; arXiv 1212.5701",
         adadelta_hypers, adadelta_states, adadelta_presets),
    .function = "adadelta",
    .scalar_count = 6,
    .scalars = adadelta_scalars,
};

/* ---- ftrl ---- */

enum { FTRL_LR, FTRL_INITIAL, FTRL_L1, FTRL_L2, FTRL_SHRINKAGE, FTRL_BETA, FTRL_WEIGHT_DECAY, FTRL_MAXIMIZE };
static const cliv_hyper_info ftrl_hypers[] = {
    [FTRL_LR] = LR(1e-3),
    [FTRL_INITIAL] = INITIAL(0.1, "what the sum of squares starts from"),
    [FTRL_L1] = POSITIVE("l1", 0, "what draws weights to 0 and holds them there"),
    [FTRL_L2] = POSITIVE("l2", 0, "what draws weights to 0"),
    [FTRL_SHRINKAGE] = POSITIVE("l2_shrinkage", 0, "L2 penalty in the gradient, but not in the sum of squares"),
    [FTRL_BETA] = POSITIVE("beta", 0, "added to the root of the sum of squares"),
    [FTRL_WEIGHT_DECAY] = PLAIN_DECAY(0),
    [FTRL_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info ftrl_states[] = {
    {"accumulator", "initial_accumulator_value", "sum of squared gradients", CLIV_STATE_NONNEGATIVE},
    {"linear", NULL, "sum of gradients, less what the weights account for", CLIV_STATE_SIGNED}};
static const cliv_preset_info ftrl_presets[] = {SAME("keras", "keras.optimizers.Ftrl 3.15")};

static void ftrl_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)t;
  (void)memory;
  const int moves = h[FTRL_LR] > 0;
  GIVE(out, moves ? 1 / h[FTRL_LR] : 0, 1 - h[FTRL_LR] * h[FTRL_WEIGHT_DECAY], h[FTRL_L1],
       2 * h[FTRL_L2] + (moves ? h[FTRL_BETA] / h[FTRL_LR] : 0), 2 * h[FTRL_SHRINKAGE], moves);
}

const cliv__rule cliv__rule_ftrl = {
    INFO("ftrl", "weights worked out anew from sums, exactly 0 where l1 holds them", "keras.optimizers.Ftrl 3.15",
         ftrl_hypers, ftrl_states, ftrl_presets),
    .function = "ftrl",
    .scalar_count = 6,
    .scalars = ftrl_scalars,
};
