/* Schedule-free rules: a mean of all iterates takes the place of a schedule that falls. The weight is y, where
 * gradients are taken, beta of the way from the iterate z to the mean x, which is what to evaluate. */
#include "optim/hypers.h"

enum { LR_MAX, WEIGHT_SUM }; /* in memory */

#define FREE_LR(initial) POSITIVE("lr", initial, "learning rate, without a schedule that falls")
#define FREE_BETA(name) \
  { name, 0.9, 1e-6, 1, 1, 0, "how far gradients are taken from the iterate towards the mean of all" }
#define WARMUP_STEPS POSITIVE("warmup_steps", 0, "steps in which lr rises to its value")
#define POWER_OF_STEP POSITIVE("r", 0, "a step counts with its number to this power in the mean")
#define POWER_OF_LR POSITIVE("weight_lr_power", 2, "and with the largest lr so far to this power")
#define ITERATE \
  { "z", NULL, "iterates, of which the weights to evaluate are the mean", CLIV_STATE_WEIGHT }

static double warm(double lr, double warmup_steps, uint64_t t) {
  return (double)t <= warmup_steps ? lr * ((double)t / warmup_steps) : lr;
}

/* What step t counts with in the mean. */
static double weight(double lr_max, double power_of_step, double power_of_lr, uint64_t t) {
  return cliv__raised((double)t, power_of_step) * cliv__raised(lr_max, power_of_lr);
}

static void count(double lr, double power_of_step, double power_of_lr, uint64_t t, double *memory) {
  if (lr > memory[LR_MAX]) memory[LR_MAX] = lr;
  memory[WEIGHT_SUM] += weight(memory[LR_MAX], power_of_step, power_of_lr, t);
}

/* The part of the mean that step t is. */
static double part(double power_of_step, double power_of_lr, uint64_t t, const double *memory) {
  const double own = weight(memory[LR_MAX], power_of_step, power_of_lr, t);
  return memory[WEIGHT_SUM] > 0 ? own / memory[WEIGHT_SUM] : 0;
}

/* ---- sgd ---- */

enum { SGD_LR, SGD_MOMENTUM, SGD_WEIGHT_DECAY, SGD_WARMUP, SGD_R, SGD_POWER, SGD_MAXIMIZE };
static const cliv_hyper_info sgd_hypers[] = {
    [SGD_LR] = FREE_LR(1),
    [SGD_MOMENTUM] = FREE_BETA("momentum"),
    [SGD_WEIGHT_DECAY] = POSITIVE("weight_decay", 0, "L2 penalty in the gradient"),
    [SGD_WARMUP] = WARMUP_STEPS,
    [SGD_R] = POWER_OF_STEP,
    [SGD_POWER] = POWER_OF_LR,
    [SGD_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info sgd_states[] = {ITERATE};
static const cliv_preset_info sgd_presets[] = {
    SAME("schedulefree", "schedulefree.SGDScheduleFree 1.4.1"),
    SAME("optax", "optax.contrib.schedule_free_sgd 0.2.8"),
};

static double sgd_lr(const double *h, uint64_t t) { return warm(h[SGD_LR], h[SGD_WARMUP], t); }

static void sgd_advance(const double *h, uint64_t t, double *memory) {
  count(sgd_lr(h, t), h[SGD_R], h[SGD_POWER], t, memory);
}

static void sgd_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  const double lr = sgd_lr(h, t), c = part(h[SGD_R], h[SGD_POWER], t, memory);
  GIVE(out, -lr, h[SGD_WEIGHT_DECAY], c, lr * (h[SGD_MOMENTUM] * (1 - c) - 1), t == 1);
}

static double sgd_evaluated(const double *h) { return 1 - 1 / h[SGD_MOMENTUM]; }

const cliv__rule cliv__rule_schedule_free_sgd = {
    INFO("schedule_free_sgd", "steps of sgd, and the mean of all iterates", "schedulefree 1.4.1; arXiv 2405.15682",
         sgd_hypers, sgd_states, sgd_presets),
    .function = "schedule_free_sgd",
    .scalar_count = 5,
    .scalars = sgd_scalars,
    .advance = sgd_advance,
    .evaluated = sgd_evaluated,
};

/* ---- adamw ---- */

enum {
  ADAMW_LR,
  ADAMW_BETA1,
  ADAMW_BETA2,
  ADAMW_EPS,
  ADAMW_WEIGHT_DECAY,
  ADAMW_WARMUP,
  ADAMW_R,
  ADAMW_POWER,
  ADAMW_LAST
};
static const cliv_hyper_info adamw_hypers[] = {
    [ADAMW_LR] = FREE_LR(0.0025),
    [ADAMW_BETA1] = FREE_BETA("beta1"),
    [ADAMW_BETA2] = BETA2,
    [ADAMW_EPS] = EPS(1e-8),
    [ADAMW_WEIGHT_DECAY] = POSITIVE("weight_decay", 0, "the step gets lr*weight_decay of the weight"),
    [ADAMW_WARMUP] = WARMUP_STEPS,
    [ADAMW_R] = POWER_OF_STEP,
    [ADAMW_POWER] = POWER_OF_LR,
    [ADAMW_LAST] = MAXIMIZE,
};
static const cliv_state_info adamw_states[] = {ITERATE, MEAN_SQUARE};
static const cliv_preset_info adamw_presets[] = {
    SAME("schedulefree", "schedulefree.AdamWScheduleFree 1.4.1"),
    SAME("optax", "optax.contrib.schedule_free_adamw 0.2.8"),
};

static double adamw_lr(const double *h, uint64_t t) { return warm(h[ADAMW_LR], h[ADAMW_WARMUP], t); }

static void adamw_advance(const double *h, uint64_t t, double *memory) {
  count(adamw_lr(h, t), h[ADAMW_R], h[ADAMW_POWER], t, memory);
}

static void adamw_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  const double lr = adamw_lr(h, t), c = part(h[ADAMW_R], h[ADAMW_POWER], t, memory);
  GIVE(out, -lr, h[ADAMW_WEIGHT_DECAY], c, lr * (h[ADAMW_BETA1] * (1 - c) - 1), t == 1, h[ADAMW_BETA2],
       1 - h[ADAMW_BETA2], 1 - cliv__power(h[ADAMW_BETA2], t), h[ADAMW_EPS]);
}

static double adamw_evaluated(const double *h) { return 1 - 1 / h[ADAMW_BETA1]; }

const cliv__rule cliv__rule_schedule_free_adamw = {
    INFO("schedule_free_adamw", "steps of adam without mean gradients, and the mean of all iterates",
         "schedulefree 1.4.1; arXiv 2405.15682", adamw_hypers, adamw_states, adamw_presets),
    .function = "schedule_free_adamw",
    .scalar_count = 9,
    .scalars = adamw_scalars,
    .advance = adamw_advance,
    .evaluated = adamw_evaluated,
};
