/* The one table of update rules: hyper-parameters, states, scalars of a step. Their arithmetic is in cl/optim_ops.cl.
 * */
#include "optim/rules.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* base^n by squaring: the same bits whatever the C library. */
static double power(double base, uint64_t n) {
  double result = 1;
  for (; n; n >>= 1, base *= base)
    if (n & 1) result *= base;
  return result;
}

/* ---- hyper-parameters that many rules have ---- */

#define POSITIVE(name, initial, meaning) \
  { name, initial, 0, FLT_MAX, 0, 0, meaning }
#define FRACTION(name, initial, meaning) \
  { name, initial, 0, 1, 0, 0, meaning }
#define BETA(name, initial, meaning) \
  { name, initial, 0, 1, 1, 0, meaning }
#define FLAG(name, initial, meaning) \
  { name, initial, 0, 1, 0, 1, meaning }
#define LR(initial) POSITIVE("lr", initial, "learning rate")
#define MAXIMIZE FLAG("maximize", 0, "ascend instead of descend")
#define COUPLED_DECAY POSITIVE("weight_decay", 0, "L2 penalty, added to the gradient")
#define EPS(initial) POSITIVE("eps", initial, "added to the root of the mean square")
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- sgd ---- */

enum { SGD_LR, SGD_MOMENTUM, SGD_DAMPENING, SGD_WEIGHT_DECAY, SGD_NESTEROV, SGD_AVERAGED, SGD_MAXIMIZE };
static const cliv_hyper_info sgd_hypers[] = {
    [SGD_LR] = LR(1e-3),
    [SGD_MOMENTUM] = FRACTION("momentum", 0, "how much of the velocity is kept"),
    [SGD_DAMPENING] =
        FRACTION("dampening", 0, "how much of the gradient is kept out of the velocity after the first step"),
    [SGD_WEIGHT_DECAY] = COUPLED_DECAY,
    [SGD_NESTEROV] = FLAG("nesterov", 0, "look ahead along the velocity; needs momentum, and dampening 0"),
    [SGD_AVERAGED] =
        FLAG("averaged", 0, "velocity is the running mean momentum*v + (1 - momentum)*g; needs dampening 0"),
    [SGD_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info sgd_states[] = {{"momentum_buffer", NULL, "velocity; kept when momentum > 0"}};

static unsigned sgd_kept(const double *h) { return h[SGD_MOMENTUM] > 0; }

static const char *sgd_conflict(const double *h) {
  if (h[SGD_NESTEROV] != 0 && h[SGD_MOMENTUM] == 0) return "nesterov needs a momentum above 0";
  if (h[SGD_NESTEROV] != 0 && h[SGD_DAMPENING] != 0) return "nesterov needs dampening 0";
  if (h[SGD_AVERAGED] != 0 && h[SGD_DAMPENING] != 0) return "averaged needs dampening 0";
  return NULL;
}

/* PyTorch's velocity starts as the first gradient, undamped. */
static void sgd_scalars(const double *h, uint64_t t, double *out) {
  const double gain = h[SGD_AVERAGED] != 0 ? 1 - h[SGD_MOMENTUM] : t == 1 ? 1 : 1 - h[SGD_DAMPENING];
  out[0] = -h[SGD_LR];
  out[1] = h[SGD_WEIGHT_DECAY];
  out[2] = h[SGD_MOMENTUM];
  out[3] = gain;
  out[4] = h[SGD_NESTEROV];
}

/* ---- adagrad ---- */

enum { ADAGRAD_LR, ADAGRAD_LR_DECAY, ADAGRAD_WEIGHT_DECAY, ADAGRAD_INITIAL, ADAGRAD_EPS, ADAGRAD_MAXIMIZE };
static const cliv_hyper_info adagrad_hypers[] = {
    [ADAGRAD_LR] = LR(1e-2),
    [ADAGRAD_LR_DECAY] = POSITIVE("lr_decay", 0, "step t learns at lr / (1 + (t - 1)*lr_decay)"),
    [ADAGRAD_WEIGHT_DECAY] = COUPLED_DECAY,
    [ADAGRAD_INITIAL] = POSITIVE("initial_accumulator_value", 0, "what the sum of squares starts from"),
    [ADAGRAD_EPS] = POSITIVE("eps", 1e-10, "added to the root of the sum of squares"),
    [ADAGRAD_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info adagrad_states[] = {{"sum", "initial_accumulator_value", "sum of squared gradients"}};

static void adagrad_scalars(const double *h, uint64_t t, double *out) {
  out[0] = -(h[ADAGRAD_LR] / (1 + (double)(t - 1) * h[ADAGRAD_LR_DECAY]));
  out[1] = h[ADAGRAD_WEIGHT_DECAY];
  out[2] = h[ADAGRAD_EPS];
}

/* ---- rmsprop ---- */

enum {
  RMSPROP_LR,
  RMSPROP_ALPHA,
  RMSPROP_EPS,
  RMSPROP_WEIGHT_DECAY,
  RMSPROP_MOMENTUM,
  RMSPROP_CENTERED,
  RMSPROP_MAXIMIZE
};
static const cliv_hyper_info rmsprop_hypers[] = {
    [RMSPROP_LR] = LR(1e-2),
    [RMSPROP_ALPHA] = FRACTION("alpha", 0.99, "how much of the mean square is kept"),
    [RMSPROP_EPS] = EPS(1e-8),
    [RMSPROP_WEIGHT_DECAY] = COUPLED_DECAY,
    [RMSPROP_MOMENTUM] = FRACTION("momentum", 0, "how much of the velocity is kept"),
    [RMSPROP_CENTERED] = FLAG("centered", 0, "divide by the root of the variance instead of the mean square"),
    [RMSPROP_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info rmsprop_states[] = {{"square_avg", NULL, "running mean of squared gradients"},
                                                 {"grad_avg", NULL, "running mean of gradients; kept when centered"},
                                                 {"momentum_buffer", NULL, "velocity; kept when momentum > 0"}};

static unsigned rmsprop_kept(const double *h) {
  return 1u | (h[RMSPROP_CENTERED] != 0 ? 2u : 0u) | (h[RMSPROP_MOMENTUM] > 0 ? 4u : 0u);
}

static void rmsprop_scalars(const double *h, uint64_t t, double *out) {
  (void)t;
  out[0] = -h[RMSPROP_LR];
  out[1] = h[RMSPROP_WEIGHT_DECAY];
  out[2] = h[RMSPROP_ALPHA];
  out[3] = 1 - h[RMSPROP_ALPHA];
  out[4] = h[RMSPROP_EPS];
  out[5] = h[RMSPROP_MOMENTUM];
}

/* ---- adam, adamw ---- */

enum { ADAM_LR, ADAM_BETA1, ADAM_BETA2, ADAM_EPS, ADAM_WEIGHT_DECAY, ADAM_BIAS_CORRECTION, ADAM_MAXIMIZE };
#define ADAM_HYPERS(decay)                                                                              \
  {                                                                                                     \
    [ADAM_LR] = LR(1e-3), [ADAM_BETA1] = BETA("beta1", 0.9, "how much of the mean gradient is kept"),   \
    [ADAM_BETA2] = BETA("beta2", 0.999, "how much of the mean square is kept"), [ADAM_EPS] = EPS(1e-8), \
    [ADAM_WEIGHT_DECAY] = decay,                                                                        \
    [ADAM_BIAS_CORRECTION] = FLAG("bias_correction", 1, "divide both means by 1 - beta^t"),             \
    [ADAM_MAXIMIZE] = MAXIMIZE,                                                                         \
  }
static const cliv_hyper_info adam_hypers[] = ADAM_HYPERS(COUPLED_DECAY);
static const cliv_hyper_info adamw_hypers[] =
    ADAM_HYPERS(POSITIVE("weight_decay", 1e-2, "weights lose lr*weight_decay of themselves before each step"));
static const cliv_state_info adam_states[] = {{"exp_avg", NULL, "running mean of gradients"},
                                              {"exp_avg_sq", NULL, "running mean of squared gradients"}};

static void adam_common(const double *h, uint64_t t, double *out) {
  const int correct = h[ADAM_BIAS_CORRECTION] != 0;
  out[0] = -(correct ? h[ADAM_LR] / (1 - power(h[ADAM_BETA1], t)) : h[ADAM_LR]);
  out[3] = 1 - h[ADAM_BETA1];
  out[4] = h[ADAM_BETA2];
  out[5] = 1 - h[ADAM_BETA2];
  out[6] = correct ? sqrt(1 - power(h[ADAM_BETA2], t)) : 1;
  out[7] = h[ADAM_EPS];
}

static void adam_scalars(const double *h, uint64_t t, double *out) {
  adam_common(h, t, out);
  out[1] = h[ADAM_WEIGHT_DECAY];
  out[2] = 1;
}

static void adamw_scalars(const double *h, uint64_t t, double *out) {
  adam_common(h, t, out);
  out[1] = 0;
  out[2] = 1 - h[ADAM_LR] * h[ADAM_WEIGHT_DECAY];
}

/* ---- lion ---- */

enum { LION_LR, LION_BETA1, LION_BETA2, LION_WEIGHT_DECAY, LION_MAXIMIZE };
static const cliv_hyper_info lion_hypers[] = {
    [LION_LR] = LR(1e-4),
    [LION_BETA1] = BETA("beta1", 0.9, "how much of the mean gradient goes into the direction"),
    [LION_BETA2] = BETA("beta2", 0.99, "how much of the mean gradient is kept"),
    [LION_WEIGHT_DECAY] = POSITIVE("weight_decay", 0, "weights lose lr*weight_decay of themselves before each step"),
    [LION_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info lion_states[] = {{"exp_avg", NULL, "running mean of gradients"}};

static void lion_scalars(const double *h, uint64_t t, double *out) {
  (void)t;
  out[0] = -h[LION_LR];
  out[1] = 1 - h[LION_LR] * h[LION_WEIGHT_DECAY];
  out[2] = h[LION_BETA1];
  out[3] = 1 - h[LION_BETA1];
  out[4] = h[LION_BETA2];
  out[5] = 1 - h[LION_BETA2];
}

/* ---- the table ---- */

#define INFO(name, summary, source, hypers, states) \
  { name, summary, source, COUNT(hypers), COUNT(states), hypers, states }

static const cliv__rule rules[] = {
    {INFO("sgd", "gradient descent, with momentum in three forms", "torch.optim.SGD 2.15", sgd_hypers, sgd_states),
     "sgd", 5, sgd_scalars, sgd_kept, sgd_conflict},
    {INFO("adagrad", "steps shrink with the sum of squared gradients", "torch.optim.Adagrad 2.15", adagrad_hypers,
          adagrad_states),
     "adagrad", 3, adagrad_scalars, NULL, NULL},
    {INFO("rmsprop", "steps divided by the root of the mean squared gradient", "torch.optim.RMSprop 2.15",
          rmsprop_hypers, rmsprop_states),
     "rmsprop", 6, rmsprop_scalars, rmsprop_kept, NULL},
    {INFO("adam", "mean gradient over root of mean squared gradient", "torch.optim.Adam 2.15; arXiv 1412.6980",
          adam_hypers, adam_states),
     "adam", 8, adam_scalars, NULL, NULL},
    {INFO("adamw", "adam with weight decay apart from the gradient", "torch.optim.AdamW 2.15; arXiv 1711.05101",
          adamw_hypers, adam_states),
     "adam", 8, adamw_scalars, NULL, NULL},
    {INFO("lion", "the sign of a mean gradient", "arXiv 2302.06675 and its authors' code (google/automl, lion_pytorch)",
          lion_hypers, lion_states),
     "lion", 6, lion_scalars, NULL, NULL},
};

size_t cliv_rule_count(void) { return COUNT(rules); }

const cliv_rule_info *cliv_rule_get(size_t index) { return index < COUNT(rules) ? &rules[index].info : NULL; }

const cliv__rule *cliv__rule_find(const char *name) {
  for (size_t i = 0; name && i < COUNT(rules); i++)
    if (!strcmp(rules[i].info.name, name)) return &rules[i];
  return NULL;
}

const cliv_rule_info *cliv_rule_find(const char *name) {
  const cliv__rule *rule = cliv__rule_find(name);
  return rule ? &rule->info : NULL;
}

unsigned cliv__rule_kept(const cliv__rule *rule, const double *hyper) {
  return rule->kept ? rule->kept(hyper) : (1u << rule->info.state_count) - 1;
}

int cliv__rule_hyper(const cliv__rule *rule, const char *name) {
  for (size_t i = 0; i < rule->info.hyper_count; i++)
    if (!strcmp(rule->info.hypers[i].name, name)) return (int)i;
  return -1;
}
