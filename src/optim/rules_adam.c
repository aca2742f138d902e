/* Adam, and rules made from it: a mean of gradients over the root of a mean square. */
#include <math.h>

#include "optim/hypers.h"

#define BIAS_CORRECTION FLAG("bias_correction", 1, "divide both means by 1 - beta^t")

/* ---- adam, adamw ---- */

enum {
  ADAM_LR,
  ADAM_BETA1,
  ADAM_BETA2,
  ADAM_EPS,
  ADAM_EPS_HAT,
  ADAM_EPS_ROOT,
  ADAM_WEIGHT_DECAY,
  ADAM_DECOUPLED,
  ADAM_MAX_LR,
  ADAM_BIAS_CORRECTION,
  ADAM_AMSGRAD,
  ADAM_CORRECTED_MAX,
  ADAM_MAXIMIZE
};
#define ADAM_HYPERS(decay, decoupled)                                                                            \
  {                                                                                                              \
    [ADAM_LR] = LR(1e-3), [ADAM_BETA1] = BETA1, [ADAM_BETA2] = BETA2, [ADAM_EPS] = EPS(1e-8),                    \
    [ADAM_EPS_HAT] = EPS_HAT(0), [ADAM_EPS_ROOT] = EPS_ROOT(0), [ADAM_WEIGHT_DECAY] = DECAY(decay),              \
    [ADAM_DECOUPLED] = DECOUPLED(decoupled),                                                                     \
    [ADAM_MAX_LR] = POSITIVE("max_lr", 0, "above 0: decoupled decay is by lr*lr/max_lr in place of lr (AdamC)"), \
    [ADAM_BIAS_CORRECTION] = BIAS_CORRECTION,                                                                    \
    [ADAM_AMSGRAD] = FLAG("amsgrad", 0, "divide by the root of the largest mean square so far"),                 \
    [ADAM_CORRECTED_MAX] = FLAG("corrected_max", 0, "amsgrad's largest is of the bias-corrected mean square"),   \
    [ADAM_MAXIMIZE] = MAXIMIZE_CAUTIOUS,                                                                         \
  }
static const cliv_hyper_info adam_hypers[] = ADAM_HYPERS(0, 0), adamw_hypers[] = ADAM_HYPERS(1e-2, 1);
static const cliv_state_info adam_states[] = {
    MEAN,
    MEAN_SQUARE,
    {"max_exp_avg_sq", NULL, "largest exp_avg_sq so far; kept when amsgrad", CLIV_STATE_NONNEGATIVE}};
static const cliv_preset_info adam_presets[] = {
    SAME("torch", "torch.optim.Adam 2.15"),
    PRESET("keras", "keras.optimizers.Adam 3.15", {"eps", 1e-7}, {"eps_hat", 1}, {"decoupled_weight_decay", 1}),
    PRESET("optax", "optax.adam, optax.amsgrad 0.2.8", {"corrected_max", 1}),
    SAME("paper", "arXiv 1412.6980"),
    PRESET("apex", "apex FusedAdam, by reading", {"decoupled_weight_decay", 1}),
    PRESET("mlx", "mlx.optimizers.Adam 0.32", {"bias_correction", 0}),
    PRESET("bitsandbytes", "bitsandbytes.optim.Adam32bit 0.50 on a CPU", {"decoupled_weight_decay", 1}),
};
static const cliv_preset_info adamw_presets[] = {
    SAME("torch", "torch.optim.AdamW 2.15"),
    PRESET("keras", "keras.optimizers.AdamW 3.15", {"weight_decay", 4e-3}, {"eps", 1e-7}, {"eps_hat", 1}),
    PRESET("optax", "optax.adamw 0.2.8", {"weight_decay", 1e-4}, {"corrected_max", 1}),
    PRESET("mlx", "mlx.optimizers.AdamW 0.32", {"bias_correction", 0}),
};

static unsigned adam_kept(const double *h) { return h[ADAM_AMSGRAD] != 0 ? 7 : 3; }

static void adam_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const int correct = h[ADAM_BIAS_CORRECTION] != 0, hat = h[ADAM_EPS_HAT] != 0;
  const int corrected_max = h[ADAM_AMSGRAD] != 0 && h[ADAM_CORRECTED_MAX] != 0;
  const double correction1 = correct ? 1 - cliv__power(h[ADAM_BETA1], t) : 1;
  const double correction2 = correct ? 1 - cliv__power(h[ADAM_BETA2], t) : 1;
  const double root = corrected_max ? 1 : sqrt(correction2);
  const double fading = h[ADAM_MAX_LR] > 0 ? h[ADAM_LR] / h[ADAM_MAX_LR] : 1;
  GIVE(out, -((hat ? h[ADAM_LR] * root : h[ADAM_LR]) / correction1), COUPLED(h[ADAM_WEIGHT_DECAY], h[ADAM_DECOUPLED]),
       KEEP(h[ADAM_LR] * fading, h[ADAM_WEIGHT_DECAY], h[ADAM_DECOUPLED]), 1 - h[ADAM_BETA1], h[ADAM_BETA2],
       1 - h[ADAM_BETA2], hat ? 1 : root, h[ADAM_EPS], hat ? h[ADAM_EPS_ROOT] : h[ADAM_EPS_ROOT] * root * root,
       corrected_max ? 1 / correction2 : 1);
}

#define ADAM(name, summary, source)                                             \
  const cliv__rule cliv__rule_##name = {                                        \
      INFO(#name, summary, source, name##_hypers, adam_states, name##_presets), \
      .function = "adam",                                                       \
      .scalar_count = 10,                                                       \
      .scalars = adam_scalars,                                                  \
      .kept = adam_kept,                                                        \
  }
ADAM(adam, "mean gradient over root of mean squared gradient", "torch.optim.Adam 2.15; arXiv 1412.6980");
ADAM(adamw, "adam with weight decay apart from the gradient", "torch.optim.AdamW 2.15; arXiv 1711.05101");

/* ---- adamax ---- */

enum {
  ADAMAX_LR,
  ADAMAX_BETA1,
  ADAMAX_BETA2,
  ADAMAX_EPS,
  ADAMAX_EPS_OUTSIDE,
  ADAMAX_WEIGHT_DECAY,
  ADAMAX_DECOUPLED,
  ADAMAX_BIAS_CORRECTION,
  ADAMAX_MAXIMIZE
};
static const cliv_hyper_info adamax_hypers[] = {
    [ADAMAX_LR] = LR(2e-3),
    [ADAMAX_BETA1] = BETA1,
    [ADAMAX_BETA2] = BETA("beta2", 0.999, "how much of the largest magnitude is kept"),
    [ADAMAX_EPS] = POSITIVE("eps", 1e-8, "added to the gradient's magnitude before the larger is taken"),
    [ADAMAX_EPS_OUTSIDE] = FLAG("eps_outside", 0, "eps is added to the larger, and not kept in the state"),
    [ADAMAX_WEIGHT_DECAY] = DECAY(0),
    [ADAMAX_DECOUPLED] = DECOUPLED(0),
    [ADAMAX_BIAS_CORRECTION] = FLAG("bias_correction", 1, "divide the mean gradient by 1 - beta1^t"),
    [ADAMAX_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info adamax_states[] = {
    MEAN, {"exp_inf", NULL, "decaying largest magnitude", CLIV_STATE_NONNEGATIVE}};
static const cliv_preset_info adamax_presets[] = {
    SAME("torch", "torch.optim.Adamax 2.15"),
    PRESET("keras", "keras.optimizers.Adamax 3.15", {"lr", 1e-3}, {"eps", 1e-7}, {"eps_outside", 1},
           {"decoupled_weight_decay", 1}),
    SAME("optax", "optax.adamax 0.2.8"),
    PRESET("mlx", "mlx.optimizers.Adamax 0.32", {"eps_outside", 1}, {"bias_correction", 0}),
    PRESET("paper", "arXiv 1412.6980", {"eps", 0}),
};

static void adamax_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const int outside = h[ADAMAX_EPS_OUTSIDE] != 0;
  const double correction = h[ADAMAX_BIAS_CORRECTION] != 0 ? 1 - cliv__power(h[ADAMAX_BETA1], t) : 1;
  GIVE(out, -(h[ADAMAX_LR] / correction), COUPLED(h[ADAMAX_WEIGHT_DECAY], h[ADAMAX_DECOUPLED]),
       KEEP(h[ADAMAX_LR], h[ADAMAX_WEIGHT_DECAY], h[ADAMAX_DECOUPLED]), 1 - h[ADAMAX_BETA1], h[ADAMAX_BETA2],
       outside ? 0 : h[ADAMAX_EPS], outside ? h[ADAMAX_EPS] : 0);
}

const cliv__rule cliv__rule_adamax = {
    INFO("adamax", "mean gradient over the decaying largest magnitude", "torch.optim.Adamax 2.15; arXiv 1412.6980",
         adamax_hypers, adamax_states, adamax_presets),
    .function = "adamax",
    .scalar_count = 7,
    .scalars = adamax_scalars,
};

/* ---- nadam ---- */

enum {
  NADAM_LR,
  NADAM_BETA1,
  NADAM_BETA2,
  NADAM_EPS,
  NADAM_WEIGHT_DECAY,
  NADAM_DECOUPLED,
  NADAM_MOMENTUM_DECAY,
  NADAM_MOMENTUM_SCHEDULE,
  NADAM_MAXIMIZE
};
static const cliv_hyper_info nadam_hypers[] = {
    [NADAM_LR] = LR(2e-3),
    [NADAM_BETA1] = BETA1,
    [NADAM_BETA2] = BETA2,
    [NADAM_EPS] = EPS(1e-8),
    [NADAM_WEIGHT_DECAY] = DECAY(0),
    [NADAM_DECOUPLED] = DECOUPLED(0),
    [NADAM_MOMENTUM_DECAY] = POSITIVE("momentum_decay", 4e-3, "how fast the momentum grows to beta1"),
    [NADAM_MOMENTUM_SCHEDULE] =
        FLAG("momentum_schedule", 1, "momentum of step t is beta1*(1 - 0.96^(t*momentum_decay)/2); off: beta1"),
    [NADAM_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info nadam_states[] = {MEAN, MEAN_SQUARE};
static const cliv_preset_info nadam_presets[] = {
    SAME("torch", "torch.optim.NAdam 2.15"),
    PRESET("keras", "keras.optimizers.Nadam 3.15", {"lr", 1e-3}, {"eps", 1e-7}, {"momentum_decay", 1},
           {"decoupled_weight_decay", 1}),
    PRESET("optax", "optax.nadam 0.2.8", {"momentum_schedule", 0}),
};

static double nadam_momentum(const double *h, uint64_t t) {
  if (h[NADAM_MOMENTUM_SCHEDULE] == 0) return h[NADAM_BETA1];
  return h[NADAM_BETA1] * (1 - 0.5 * cliv__real_power(0.96, (double)t * h[NADAM_MOMENTUM_DECAY]));
}

/* What is kept is 1 - Π, the sum of the weights of a mean with these momenta: a Π near 1 loses its digits, this not. */
static void nadam_advance(const double *h, uint64_t t, double *memory) {
  const double momentum = nadam_momentum(h, t);
  memory[0] = 1 - momentum * (1 - memory[0]);
}

static void nadam_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  const double now = nadam_momentum(h, t), next = nadam_momentum(h, t + 1);
  const double weight = memory[0], next_weight = 1 - next * (1 - weight);
  GIVE(out, -(h[NADAM_LR] * (1 - now) / weight), -(h[NADAM_LR] * next / next_weight),
       COUPLED(h[NADAM_WEIGHT_DECAY], h[NADAM_DECOUPLED]), KEEP(h[NADAM_LR], h[NADAM_WEIGHT_DECAY], h[NADAM_DECOUPLED]),
       1 - h[NADAM_BETA1], h[NADAM_BETA2], 1 - h[NADAM_BETA2], 1 - cliv__power(h[NADAM_BETA2], t), h[NADAM_EPS]);
}

const cliv__rule cliv__rule_nadam = {
    INFO("nadam", "adam that looks ahead along the mean gradient", "torch.optim.NAdam 2.15", nadam_hypers, nadam_states,
         nadam_presets),
    .function = "nadam",
    .scalar_count = 9,
    .scalars = nadam_scalars,
    .advance = nadam_advance,
};

/* ---- radam ---- */

/* Variance rectification (arXiv 1908.03265): the factor of step t, or 0 where the mean square is not to be trusted. */
static double rectification(double beta2, uint64_t t, double threshold) {
  const double beta2_t = cliv__power(beta2, t), most = 2 / (1 - beta2) - 1;
  const double length = most - 2 * (double)t * beta2_t / (1 - beta2_t);
  if (!(length > threshold)) return 0;
  return sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length));
}

enum {
  RADAM_LR,
  RADAM_BETA1,
  RADAM_BETA2,
  RADAM_EPS,
  RADAM_EPS_HAT,
  RADAM_WEIGHT_DECAY,
  RADAM_DECOUPLED,
  RADAM_THRESHOLD,
  RADAM_MAXIMIZE
};
static const cliv_hyper_info radam_hypers[] = {
    [RADAM_LR] = LR(1e-3),
    [RADAM_BETA1] = BETA1,
    [RADAM_BETA2] = BETA2,
    [RADAM_EPS] = EPS(1e-8),
    [RADAM_EPS_HAT] = EPS_HAT(1),
    [RADAM_WEIGHT_DECAY] = DECAY(0),
    [RADAM_DECOUPLED] = DECOUPLED(0),
    [RADAM_THRESHOLD] = {"threshold", 5, 4, FLT_MAX, 0, 0,
                         "length of the mean square's window above which the step is divided by its root"},
    [RADAM_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info radam_states[] = {MEAN, MEAN_SQUARE};
static const cliv_preset_info radam_presets[] = {
    SAME("torch", "torch.optim.RAdam 2.15"),
    PRESET("optax", "optax.radam 0.2.8", {"eps_hat", 0}),
    PRESET("paper", "arXiv 1908.03265", {"eps_hat", 0}, {"threshold", 4}),
};

static void radam_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double factor = rectification(h[RADAM_BETA2], t, h[RADAM_THRESHOLD]);
  const double root = sqrt(1 - cliv__power(h[RADAM_BETA2], t)), lr = h[RADAM_LR] / (1 - cliv__power(h[RADAM_BETA1], t));
  const int hat = h[RADAM_EPS_HAT] != 0;
  GIVE(out, -(factor > 0 ? lr * factor * root : lr), COUPLED(h[RADAM_WEIGHT_DECAY], h[RADAM_DECOUPLED]),
       KEEP(h[RADAM_LR], h[RADAM_WEIGHT_DECAY], h[RADAM_DECOUPLED]), 1 - h[RADAM_BETA1], h[RADAM_BETA2],
       1 - h[RADAM_BETA2], hat ? h[RADAM_EPS] : h[RADAM_EPS] * root, factor > 0);
}

const cliv__rule cliv__rule_radam = {
    INFO("radam", "adam that waits for its mean square to be known", "torch.optim.RAdam 2.15; arXiv 1908.03265",
         radam_hypers, radam_states, radam_presets),
    .function = "radam",
    .scalar_count = 8,
    .scalars = radam_scalars,
};

/* ---- adabelief ---- */

enum {
  ADABELIEF_LR,
  ADABELIEF_BETA1,
  ADABELIEF_BETA2,
  ADABELIEF_EPS,
  ADABELIEF_EPS_ROOT,
  ADABELIEF_WEIGHT_DECAY,
  ADABELIEF_DECOUPLED,
  ADABELIEF_RECTIFY,
  ADABELIEF_MAXIMIZE
};
static const cliv_hyper_info adabelief_hypers[] = {
    [ADABELIEF_LR] = LR(1e-3),
    [ADABELIEF_BETA1] = BETA1,
    [ADABELIEF_BETA2] = BETA("beta2", 0.999, "how much of the mean squared surprise is kept"),
    [ADABELIEF_EPS] = POSITIVE("eps", 1e-16, "added to the root of the mean squared surprise"),
    [ADABELIEF_EPS_ROOT] = POSITIVE("eps_root", 1e-16, "added to the mean squared surprise in every step, and kept"),
    [ADABELIEF_WEIGHT_DECAY] = DECAY(0),
    [ADABELIEF_DECOUPLED] = DECOUPLED(1),
    [ADABELIEF_RECTIFY] = FLAG("rectify", 1, "wait for the mean squared surprise to be known, as radam does"),
    [ADABELIEF_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info adabelief_states[] = {
    MEAN,
    {"exp_avg_var", NULL, "running mean of the squared difference of gradient and exp_avg", CLIV_STATE_NONNEGATIVE}};
static const cliv_preset_info adabelief_presets[] = {
    SAME("paper", "arXiv 2010.07468; adabelief-pytorch 0.2.1"),
    PRESET("optax", "optax.adabelief 0.2.8", {"rectify", 0}),
};

static void adabelief_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const int rectify = h[ADABELIEF_RECTIFY] != 0;
  const double factor = rectify ? rectification(h[ADABELIEF_BETA2], t, 5) : 1;
  const double root = sqrt(1 - cliv__power(h[ADABELIEF_BETA2], t));
  const double lr = h[ADABELIEF_LR] / (1 - cliv__power(h[ADABELIEF_BETA1], t));
  GIVE(out, -(rectify && factor > 0 ? lr * factor * root : lr),
       COUPLED(h[ADABELIEF_WEIGHT_DECAY], h[ADABELIEF_DECOUPLED]),
       KEEP(h[ADABELIEF_LR], h[ADABELIEF_WEIGHT_DECAY], h[ADABELIEF_DECOUPLED]), h[ADABELIEF_BETA1],
       1 - h[ADABELIEF_BETA1], h[ADABELIEF_BETA2], 1 - h[ADABELIEF_BETA2], h[ADABELIEF_EPS_ROOT], rectify ? 1 : root,
       h[ADABELIEF_EPS], factor > 0);
}

const cliv__rule cliv__rule_adabelief = {
    INFO("adabelief", "steps divided by how much gradients surprise", "adabelief-pytorch 0.2.1; arXiv 2010.07468",
         adabelief_hypers, adabelief_states, adabelief_presets),
    .function = "adabelief",
    .scalar_count = 11,
    .scalars = adabelief_scalars,
};

/* ---- yogi ---- */

enum { YOGI_LR, YOGI_BETA1, YOGI_BETA2, YOGI_EPS, YOGI_WEIGHT_DECAY, YOGI_DECOUPLED, YOGI_INITIAL, YOGI_MAXIMIZE };
static const cliv_hyper_info yogi_hypers[] = {
    [YOGI_LR] = LR(1e-2),
    [YOGI_BETA1] = BETA1,
    [YOGI_BETA2] = BETA("beta2", 0.999, "1 - how much of the squared gradient the mean square moves by"),
    [YOGI_EPS] = EPS(1e-3),
    [YOGI_WEIGHT_DECAY] = DECAY(0),
    [YOGI_DECOUPLED] = DECOUPLED(0),
    [YOGI_INITIAL] = INITIAL(1e-6, "what both means start from"),
    [YOGI_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info yogi_states[] = {
    {"exp_avg", "initial_accumulator_value", "running mean of gradients", CLIV_STATE_SIGNED},
    {"exp_avg_sq", "initial_accumulator_value", "mean square, which moves by a part of the squared gradient",
     CLIV_STATE_NONNEGATIVE}};
static const cliv_preset_info yogi_presets[] = {
    SAME("optax", "optax.yogi 0.2.8"),
    PRESET("pytorch_optimizer", "pytorch_optimizer.Yogi 4.1", {"decoupled_weight_decay", 1}),
};

static void yogi_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  GIVE(out, -(h[YOGI_LR] / (1 - cliv__power(h[YOGI_BETA1], t))), COUPLED(h[YOGI_WEIGHT_DECAY], h[YOGI_DECOUPLED]),
       KEEP(h[YOGI_LR], h[YOGI_WEIGHT_DECAY], h[YOGI_DECOUPLED]), 1 - h[YOGI_BETA1], 1 - h[YOGI_BETA2],
       sqrt(1 - cliv__power(h[YOGI_BETA2], t)), h[YOGI_EPS]);
}

const cliv__rule cliv__rule_yogi = {
    INFO("yogi", "adam whose mean square grows slowly", "optax.yogi 0.2.8; Zaheer et al., NeurIPS 2018", yogi_hypers,
         yogi_states, yogi_presets),
    .function = "yogi",
    .scalar_count = 7,
    .scalars = yogi_scalars,
};
