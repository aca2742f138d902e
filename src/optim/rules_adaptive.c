/* Rules further from Adam: other means, other orders of dividing and averaging. */
#include <math.h>

#include "optim/hypers.h"

/* ---- adan ---- */

enum {
  ADAN_LR,
  ADAN_BETA1,
  ADAN_BETA2,
  ADAN_BETA3,
  ADAN_EPS,
  ADAN_EPS_ROOT,
  ADAN_WEIGHT_DECAY,
  ADAN_NO_PROX,
  ADAN_REST_LOOK,
  ADAN_MAXIMIZE
};
static const cliv_hyper_info adan_hypers[] = {
    [ADAN_LR] = LR(1e-3),
    [ADAN_BETA1] = BETA("beta1", 0.98, "how much of the mean gradient is kept"),
    [ADAN_BETA2] = BETA("beta2", 0.92, "how much of the mean difference is kept"),
    [ADAN_BETA3] = BETA("beta3", 0.99, "how much of the mean square is kept"),
    [ADAN_EPS] = EPS(1e-8),
    [ADAN_EPS_ROOT] = EPS_ROOT(0),
    [ADAN_WEIGHT_DECAY] = POSITIVE("weight_decay", 0, "weights are divided by 1 + lr*weight_decay after each step"),
    [ADAN_NO_PROX] = FLAG("no_prox", 0, "weights lose lr*weight_decay of themselves before the step instead"),
    [ADAN_REST_LOOK] = FLAG("rest_look", 0, "differences count 1 - beta2 times in the step instead of beta2 times"),
    [ADAN_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info adan_states[] = {
    MEAN,
    {"exp_avg_diff", NULL, "running mean of gradients' differences", CLIV_STATE_SIGNED},
    {"exp_avg_sq", NULL, "running mean of squared gradients looked ahead", CLIV_STATE_NONNEGATIVE},
    {"pre_grad", NULL, "the gradient before", CLIV_STATE_SIGNED}};
static const cliv_preset_info adan_presets[] = {
    SAME("timm", "timm Adan 1.0.31, which follows the authors' code (sail-sg/Adan)"),
    PRESET("optax", "optax.adan 0.2.8", {"eps_root", 1e-8}, {"no_prox", 1}, {"rest_look", 1}),
};

static void adan_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double look = h[ADAN_REST_LOOK] != 0 ? 1 - h[ADAN_BETA2] : h[ADAN_BETA2];
  const double correction3 = 1 - cliv__power(h[ADAN_BETA3], t), decay = h[ADAN_LR] * h[ADAN_WEIGHT_DECAY];
  const int before = h[ADAN_NO_PROX] != 0;
  GIVE(out, -(h[ADAN_LR] / (1 - cliv__power(h[ADAN_BETA1], t))),
       -(h[ADAN_LR] * look / (1 - cliv__power(h[ADAN_BETA2], t))), before ? 1 - decay : 1, before ? 1 : 1 + decay,
       1 - h[ADAN_BETA1], h[ADAN_BETA2], 1 - h[ADAN_BETA2], h[ADAN_BETA3], 1 - h[ADAN_BETA3], look,
       h[ADAN_EPS_ROOT] * correction3, sqrt(correction3), h[ADAN_EPS], t == 1);
}

const cliv__rule cliv__rule_adan = {
    INFO("adan", "means of gradients, of their differences, and of the square looked ahead",
         "timm Adan 1.0.31; arXiv 2208.06677", adan_hypers, adan_states, adan_presets),
    .function = "adan",
    .scalar_count = 14,
    .scalars = adan_scalars,
};

/* ---- laprop ---- */

enum { LAPROP_LR, LAPROP_BETA1, LAPROP_BETA2, LAPROP_EPS, LAPROP_WEIGHT_DECAY, LAPROP_MAXIMIZE };
static const cliv_hyper_info laprop_hypers[] = {
    [LAPROP_LR] = LR(4e-4),
    [LAPROP_BETA1] = BETA("beta1", 0.9, "how much of the mean step is kept"),
    [LAPROP_BETA2] = BETA2,
    [LAPROP_EPS] = EPS(1e-15),
    [LAPROP_WEIGHT_DECAY] = POSITIVE("weight_decay", 0, "weights lose lr*weight_decay of themselves after each step"),
    [LAPROP_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info laprop_states[] = {
    {"exp_avg", NULL, "running mean of steps, lr multiplied in", CLIV_STATE_SIGNED}, MEAN_SQUARE};
static const cliv_preset_info laprop_presets[] = {
    SAME("timm", "timm LaProp 1.0.31, which follows the authors' code (Z-T-WANG/LaProp-Optimizer)")};

/* The mean of lr that goes with the mean of steps. */
static void laprop_advance(const double *h, uint64_t t, double *memory) {
  (void)t;
  memory[0] = memory[0] * h[LAPROP_BETA1] + (1 - h[LAPROP_BETA1]) * h[LAPROP_LR];
}

static void laprop_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  GIVE(out, memory[0] > 0 ? -(h[LAPROP_LR] / memory[0]) : 0, 1 - h[LAPROP_LR] * h[LAPROP_WEIGHT_DECAY], h[LAPROP_BETA1],
       h[LAPROP_LR] * (1 - h[LAPROP_BETA1]), h[LAPROP_BETA2], 1 - h[LAPROP_BETA2], 1 - cliv__power(h[LAPROP_BETA2], t),
       h[LAPROP_EPS]);
}

const cliv__rule cliv__rule_laprop = {
    INFO("laprop", "a mean of gradients that are divided first", "timm LaProp 1.0.31; arXiv 2002.04839", laprop_hypers,
         laprop_states, laprop_presets),
    .function = "laprop",
    .scalar_count = 8,
    .scalars = laprop_scalars,
    .advance = laprop_advance,
};

/* ---- adopt ---- */

enum {
  ADOPT_LR,
  ADOPT_BETA1,
  ADOPT_BETA2,
  ADOPT_EPS,
  ADOPT_CLIP_EXP,
  ADOPT_WEIGHT_DECAY,
  ADOPT_DECOUPLED,
  ADOPT_MAXIMIZE
};
static const cliv_hyper_info adopt_hypers[] = {
    [ADOPT_LR] = LR(1e-3),
    [ADOPT_BETA1] = BETA1,
    [ADOPT_BETA2] = BETA("beta2", 0.9999, "how much of the mean square is kept"),
    [ADOPT_EPS] = POSITIVE("eps", 1e-6, "the smallest root that is divided by"),
    [ADOPT_CLIP_EXP] = POSITIVE("clip_exp", 0.25, "divided gradients are clipped at (t - 1)^clip_exp"),
    [ADOPT_WEIGHT_DECAY] = DECAY(0),
    [ADOPT_DECOUPLED] = DECOUPLED(0),
    [ADOPT_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info adopt_states[] = {
    {"exp_avg", NULL, "running mean of gradients divided by the root", CLIV_STATE_SIGNED}, MEAN_SQUARE};
static const cliv_preset_info adopt_presets[] = {
    SAME("optax", "optax.contrib.adopt 0.2.8; arXiv 2411.02853"),
    PRESET("timm", "timm Adopt 1.0.31", {"clip_exp", 0.333}),
};

/* The first step only begins the mean square: what is divided by is clipped at 0. */
static void adopt_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double beta2 = t == 1 ? 0 : h[ADOPT_BETA2];
  GIVE(out, -h[ADOPT_LR], COUPLED(h[ADOPT_WEIGHT_DECAY], h[ADOPT_DECOUPLED]),
       t == 1 ? 1 : KEEP(h[ADOPT_LR], h[ADOPT_WEIGHT_DECAY], h[ADOPT_DECOUPLED]), 1 - h[ADOPT_BETA1], beta2, 1 - beta2,
       h[ADOPT_EPS], t == 1 ? 0 : cliv__real_power((double)(t - 1), h[ADOPT_CLIP_EXP]));
}

const cliv__rule cliv__rule_adopt = {
    INFO("adopt", "a mean of gradients divided by the root of the steps before",
         "optax.contrib.adopt 0.2.8; arXiv 2411.02853", adopt_hypers, adopt_states, adopt_presets),
    .function = "adopt",
    .scalar_count = 8,
    .scalars = adopt_scalars,
};

/* ---- ademamix ---- */

enum {
  ADEMAMIX_LR,
  ADEMAMIX_BETA1,
  ADEMAMIX_BETA2,
  ADEMAMIX_BETA3,
  ADEMAMIX_ALPHA,
  ADEMAMIX_T_ALPHA,
  ADEMAMIX_T_BETA3,
  ADEMAMIX_EPS,
  ADEMAMIX_WEIGHT_DECAY,
  ADEMAMIX_MAXIMIZE
};
static const cliv_hyper_info ademamix_hypers[] = {
    [ADEMAMIX_LR] = LR(1e-3),
    [ADEMAMIX_BETA1] = BETA1,
    [ADEMAMIX_BETA2] = BETA2,
    [ADEMAMIX_BETA3] = BETA("beta3", 0.9999, "how much of the slow mean gradient is kept"),
    [ADEMAMIX_ALPHA] = POSITIVE("alpha", 5, "what the slow mean gradient counts"),
    [ADEMAMIX_T_ALPHA] = POSITIVE("t_alpha", 0, "steps in which alpha grows from 0; 0: none"),
    [ADEMAMIX_T_BETA3] = POSITIVE("t_beta3", 0, "steps in which beta3 grows from beta1, its half-life evenly; 0: none"),
    [ADEMAMIX_EPS] = EPS(1e-8),
    [ADEMAMIX_WEIGHT_DECAY] = PLAIN_DECAY(0),
    [ADEMAMIX_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info ademamix_states[] = {
    MEAN, {"exp_avg_slow", NULL, "slow running mean of gradients", CLIV_STATE_SIGNED}, MEAN_SQUARE};
static const cliv_preset_info ademamix_presets[] = {
    SAME("optax", "optax.contrib.ademamix 0.2.8; arXiv 2409.03137"),
    PRESET("bitsandbytes", "bitsandbytes.optim.AdEMAMix 0.50", {"weight_decay", 1e-2}),
};

static const char *ademamix_conflict(const double *h) {
  if (h[ADEMAMIX_T_BETA3] > 0 && !(h[ADEMAMIX_BETA1] > 0 && h[ADEMAMIX_BETA3] > h[ADEMAMIX_BETA1]))
    return "t_beta3 needs a beta1 above 0, and beta3 above beta1";
  return NULL;
}

/* beta1 to the power that lies between 1 and the one that gives beta3, as its half-life grows evenly. */
static double ademamix_beta3(const double *h, uint64_t t) {
  const double part = h[ADEMAMIX_T_BETA3] > 0 ? (double)t / h[ADEMAMIX_T_BETA3] : 1;
  if (part >= 1) return h[ADEMAMIX_BETA3];
  const double ratio = cliv__logarithm(h[ADEMAMIX_BETA3]) / cliv__logarithm(h[ADEMAMIX_BETA1]);
  return cliv__real_power(h[ADEMAMIX_BETA1], ratio / ((1 - part) * ratio + part));
}

static void ademamix_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double part = h[ADEMAMIX_T_ALPHA] > 0 ? (double)t / h[ADEMAMIX_T_ALPHA] : 1;
  GIVE(out, -(h[ADEMAMIX_LR] / (1 - cliv__power(h[ADEMAMIX_BETA1], t))),
       -h[ADEMAMIX_LR] * h[ADEMAMIX_ALPHA] * (part < 1 ? part : 1), 1 - h[ADEMAMIX_LR] * h[ADEMAMIX_WEIGHT_DECAY],
       1 - h[ADEMAMIX_BETA1], h[ADEMAMIX_BETA2], 1 - h[ADEMAMIX_BETA2], 1 - ademamix_beta3(h, t),
       sqrt(1 - cliv__power(h[ADEMAMIX_BETA2], t)), h[ADEMAMIX_EPS]);
}

const cliv__rule cliv__rule_ademamix = {
    INFO("ademamix", "adam with a fast and a slow mean gradient", "optax.contrib.ademamix 0.2.8; arXiv 2409.03137",
         ademamix_hypers, ademamix_states, ademamix_presets),
    .function = "ademamix",
    .scalar_count = 9,
    .scalars = ademamix_scalars,
    .conflict = ademamix_conflict,
};

/* ---- qhadam ---- */

enum {
  QHADAM_LR,
  QHADAM_BETA1,
  QHADAM_BETA2,
  QHADAM_NU1,
  QHADAM_NU2,
  QHADAM_EPS,
  QHADAM_WEIGHT_DECAY,
  QHADAM_DECOUPLED,
  QHADAM_MAXIMIZE
};
static const cliv_hyper_info qhadam_hypers[] = {
    [QHADAM_LR] = LR(1e-3),
    [QHADAM_BETA1] = BETA1,
    [QHADAM_BETA2] = BETA2,
    [QHADAM_NU1] = POSITIVE("nu1", 1, "what the mean gradient counts, the gradient the rest"),
    [QHADAM_NU2] = FRACTION("nu2", 1, "what the mean square counts, the squared gradient the rest"),
    [QHADAM_EPS] = EPS(1e-8),
    [QHADAM_WEIGHT_DECAY] = DECAY(0),
    [QHADAM_DECOUPLED] = DECOUPLED(0),
    [QHADAM_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info qhadam_states[] = {
    {"exp_avg", NULL, "running mean of gradients, bias corrected", CLIV_STATE_SIGNED},
    {"exp_avg_sq", NULL, "that of squared gradients", CLIV_STATE_NONNEGATIVE}};
static const cliv_preset_info qhadam_presets[] = {SAME("qhoptim", "qhoptim.pyt.QHAdam 1.1")};

/* A mean with weights that sum to 1 from the first step on. */
static double qhadam_gain(double beta, uint64_t t) { return (1 - beta) / (1 - cliv__power(beta, t)); }

static void qhadam_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double gain1 = qhadam_gain(h[QHADAM_BETA1], t), gain2 = qhadam_gain(h[QHADAM_BETA2], t);
  GIVE(out, -h[QHADAM_LR], COUPLED(h[QHADAM_WEIGHT_DECAY], h[QHADAM_DECOUPLED]),
       KEEP(h[QHADAM_LR], h[QHADAM_WEIGHT_DECAY], h[QHADAM_DECOUPLED]), 1 - gain1, gain1, 1 - gain2, gain2,
       h[QHADAM_NU1], 1 - h[QHADAM_NU1], h[QHADAM_NU2], 1 - h[QHADAM_NU2], h[QHADAM_EPS]);
}

const cliv__rule cliv__rule_qhadam = {
    INFO("qhadam", "adam with a share of the gradient itself in both means", "qhoptim.pyt.QHAdam 1.1; arXiv 1810.06801",
         qhadam_hypers, qhadam_states, qhadam_presets),
    .function = "qhadam",
    .scalar_count = 12,
    .scalars = qhadam_scalars,
};

/* ---- adabound ---- */

enum {
  ADABOUND_LR,
  ADABOUND_FINAL_LR,
  ADABOUND_BASE_LR,
  ADABOUND_BETA1,
  ADABOUND_BETA2,
  ADABOUND_GAMMA,
  ADABOUND_EPS,
  ADABOUND_WEIGHT_DECAY,
  ADABOUND_DECOUPLED,
  ADABOUND_MAXIMIZE
};
static const cliv_hyper_info adabound_hypers[] = {
    [ADABOUND_LR] = LR(1e-3),
    [ADABOUND_FINAL_LR] = POSITIVE("final_lr", 0.1, "where both bounds of the rate meet"),
    [ADABOUND_BASE_LR] = POSITIVE("base_lr", 0, "above 0: final_lr is scaled by lr / base_lr, for an lr that changes"),
    [ADABOUND_BETA1] = BETA1,
    [ADABOUND_BETA2] = BETA2,
    [ADABOUND_GAMMA] = {"gamma", 1e-3, FLT_MIN, FLT_MAX, 0, 0, "how fast the bounds meet"},
    [ADABOUND_EPS] = EPS(1e-8),
    [ADABOUND_WEIGHT_DECAY] = DECAY(0),
    [ADABOUND_DECOUPLED] = DECOUPLED(1),
    [ADABOUND_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info adabound_states[] = {MEAN, MEAN_SQUARE};
static const cliv_preset_info adabound_presets[] = {
    SAME("pytorch_optimizer", "pytorch_optimizer.AdaBound 4.1"),
    PRESET("paper", "arXiv 1902.09843", {"decoupled_weight_decay", 0}),
};

/* The lr that final_lr goes with. */
static void adabound_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  const double scale = h[ADABOUND_BASE_LR] > 0 ? h[ADABOUND_LR] / h[ADABOUND_BASE_LR] : 1;
  const double final = h[ADABOUND_FINAL_LR] * scale;
  (void)memory;
  const double near = h[ADABOUND_GAMMA] * (double)t;
  GIVE(out, h[ADABOUND_LR] * sqrt(1 - cliv__power(h[ADABOUND_BETA2], t)) / (1 - cliv__power(h[ADABOUND_BETA1], t)),
       COUPLED(h[ADABOUND_WEIGHT_DECAY], h[ADABOUND_DECOUPLED]),
       KEEP(h[ADABOUND_LR], h[ADABOUND_WEIGHT_DECAY], h[ADABOUND_DECOUPLED]), 1 - h[ADABOUND_BETA1], h[ADABOUND_BETA2],
       1 - h[ADABOUND_BETA2], h[ADABOUND_EPS], final * (1 - 1 / (near + 1)), final * (1 + 1 / near));
}

const cliv__rule cliv__rule_adabound = {
    INFO("adabound", "adam whose rates are bounded ever closer, into sgd",
         "pytorch_optimizer.AdaBound 4.1; arXiv 1902.09843", adabound_hypers, adabound_states, adabound_presets),
    .function = "adabound",
    .scalar_count = 9,
    .scalars = adabound_scalars,
};
