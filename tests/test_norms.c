/* Rules whose step depends on sums over tensors: against the trajectories of packages, step by step against formulas in
 * double, and their sums' bits. */
#include "trajectories.h"
#include "worlds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/optim.h>
#include <cliv/reduce.h>

#include "ops/segments.h"
#include "optim/optim.h"
#include "runtime/program.h"

/* Those with rows and columns have a test of their own, test_factors.c. */
static bool has_norms(const char *rule) {
  const cliv__rule *r = cliv__rule_find(rule);
  return r->norms.measures > 0 && !r->factors;
}

/* With few to try, one with a decision a tensor: the self-test has the others. */
static bool tries(const char *rule) {
  static const char *const some[] = {"lamb"};
  if (!has_norms(rule)) return false;
  bool found = !test_few();
  for (size_t i = 0; i < sizeof some / sizeof *some; i++) found |= !strcmp(rule, some[i]);
  return found;
}

/* ---- the packages' trajectories ---- */

static const test_trajectories trajectories = {.path = "tests/golden/norms.safetensors",
                                               .tensors = 3,
                                               .ndims = (const int[]){2, 1, 1},
                                               .shapes = (const size_t[]){6, 5, 7, 3}};

static void agrees_with_packages(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t i = 0; i < cliv_rule_count(); i++)
      if (tries(cliv_rule_get(i)->name)) test_trajectories_follow(ctx, &trajectories, 1, cliv_rule_get(i));
    test_close(ctx);
  }
}

/* ---- formulas in double ---- */

/* A tensor before and after a step. States are numbered as in the rule's table; those not kept are NULL. `weight`: the
 * sum of the magnitudes of all that a value is made of. */
typedef struct tensor {
  size_t n, state_n[CLIV__MAX_STATES];
  double *w, *g, *weight, *s[CLIV__MAX_STATES], *state_weight[CLIV__MAX_STATES];
} tensor;

static double hyper(const cliv_optimizer *o, const char *name) {
  double value;
  ASSERT_OK(NULL, cliv_optimizer_get(o, 0, name, &value));
  return value;
}

static double squares(const double *x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
  return sum;
}

static double trust(double w, double g) { return w == 0 || g == 0 ? 1 : w / g; }

static void ref_lars(const cliv_optimizer *o, int t, tensor *x) {
  const double lr = hyper(o, "lr"), wd = hyper(o, "weight_decay"), mu = hyper(o, "momentum");
  const bool joint = hyper(o, "joint_norm") != 0, inside = hyper(o, "lr_in_momentum") != 0 && mu > 0;
  double joined = 0, ratio = 1;
  for (size_t i = 0; i < x->n; i++) joined += pow(x->g[i] + wd * x->w[i], 2);
  const double w = sqrt(squares(x->w, x->n)), g = joint ? sqrt(joined) : sqrt(squares(x->g, x->n));
  if (w != 0 && g != 0) ratio = hyper(o, "trust_coefficient") * w / (g + (joint ? 0 : wd * w) + hyper(o, "eps"));
  if (hyper(o, "trust_clip") != 0) ratio = fmin(ratio / lr, 1);
  if (hyper(o, "always_adapt") == 0 && wd == 0) ratio = 1;
  for (size_t i = 0; i < x->n; i++) {
    const double d = (inside ? lr : 1) * ratio * (x->g[i] + wd * x->w[i]);
    const double size = (inside ? lr : 1) * ratio * (fabs(x->g[i]) + wd * fabs(x->w[i]));
    double step = d, step_size = size;
    if (mu > 0) {
      const double gain = t == 1 ? 1 : 1 - hyper(o, "dampening");
      x->state_weight[0][i] = mu * fabs(x->s[0][i]) + gain * size;
      x->s[0][i] = mu * x->s[0][i] + gain * d;
      step = hyper(o, "nesterov") != 0 ? d + mu * x->s[0][i] : x->s[0][i];
      step_size = x->state_weight[0][i] + (hyper(o, "nesterov") != 0 ? size : 0);
    }
    x->weight[i] = fabs(x->w[i]) + (inside ? 1 : lr) * step_size;
    x->w[i] -= (inside ? 1 : lr) * step;
  }
}

static void ref_mean(tensor *x, size_t k, size_t i, double keep, double gain, double value) {
  x->state_weight[k][i] = keep * fabs(x->s[k][i]) + gain * fabs(value);
  x->s[k][i] = keep * x->s[k][i] + gain * value;
}

static void ref_lamb(const cliv_optimizer *o, int t, tensor *x) {
  const double lr = hyper(o, "lr"), b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2"), wd = hyper(o, "weight_decay");
  const bool correct = hyper(o, "bias_correction") != 0, decoupled = hyper(o, "decoupled_weight_decay") != 0;
  const double c1 = correct ? 1 - pow(b1, t) : 1, c2 = correct ? 1 - pow(b2, t) : 1;
  double *d = test_alloc((x->n + 1) * sizeof *d), *size = test_alloc((x->n + 1) * sizeof *size);
  for (size_t i = 0; i < x->n; i++) {
    x->weight[i] = fabs(x->w[i]) * (decoupled ? 1 + lr * wd : 1);
    if (decoupled) x->w[i] -= lr * wd * x->w[i];
    ref_mean(x, 0, i, b1, hyper(o, "grad_averaging") != 0 ? 1 - b1 : 1, x->g[i]);
    ref_mean(x, 1, i, b2, 1 - b2, x->g[i] * x->g[i]);
    const double root = sqrt(x->s[1][i] / c2 + hyper(o, "eps_root")) + hyper(o, "eps");
    d[i] = x->s[0][i] / c1 / root + (decoupled ? 0 : wd * x->w[i]);
    size[i] = x->state_weight[0][i] / c1 / root + (decoupled ? 0 : wd * fabs(x->w[i]));
  }
  double ratio = trust(sqrt(squares(x->w, x->n)), sqrt(squares(d, x->n)));
  if (hyper(o, "trust_clip") != 0) ratio = fmin(ratio, 1);
  if (hyper(o, "always_adapt") == 0 && wd == 0) ratio = 1;
  for (size_t i = 0; i < x->n; i++) {
    x->weight[i] += lr * ratio * size[i];
    x->w[i] -= lr * ratio * d[i];
  }
  free(d);
  free(size);
}

static void ref_mars(const cliv_optimizer *o, int t, tensor *x) {
  const double lr = hyper(o, "lr"), b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2"), wd = hyper(o, "weight_decay");
  const double most = hyper(o, "max_norm"), root = sqrt(1 - pow(b2, t)), eps = hyper(o, "eps");
  const double change = t > 1 || hyper(o, "from_zero") != 0 ? hyper(o, "gamma") * b1 / (1 - b1) : 0;
  double *c = test_alloc((x->n + 1) * sizeof *c);
  for (size_t i = 0; i < x->n; i++) c[i] = x->g[i] + change * (x->g[i] - x->s[2][i]);
  const double norm = sqrt(squares(c, x->n)), factor = most > 0 && norm > most ? most / norm : 1;
  for (size_t i = 0; i < x->n; i++) {
    const double size = factor * (fabs(x->g[i]) + change * (fabs(x->g[i]) + fabs(x->s[2][i])));
    x->state_weight[2][i] = fabs(x->g[i]);
    x->s[2][i] = x->g[i];
    x->state_weight[0][i] = b1 * fabs(x->s[0][i]) + (1 - b1) * size;
    x->s[0][i] = b1 * x->s[0][i] + (1 - b1) * factor * c[i];
    double step = (x->s[0][i] > 0) - (x->s[0][i] < 0), step_size = 1;
    if (x->s[1]) {
      x->state_weight[1][i] = b2 * x->s[1][i] + (1 - b2) * size * size;
      x->s[1][i] = b2 * x->s[1][i] + (1 - b2) * pow(factor * c[i], 2);
      const double under = (1 - pow(b1, t)) * (sqrt(x->s[1][i]) / root + eps);
      step = x->s[0][i] / under, step_size = x->state_weight[0][i] / under;
    }
    x->weight[i] = fabs(x->w[i]) * (1 + lr * wd) + lr * step_size;
    x->w[i] -= lr * step + lr * wd * x->w[i];
  }
  free(c);
}

static void ref_novograd(const cliv_optimizer *o, int t, tensor *x) {
  const double lr = hyper(o, "lr"), b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2"), wd = hyper(o, "weight_decay");
  const bool decoupled = hyper(o, "decoupled_weight_decay") != 0;
  const bool first = hyper(o, "begins_nonzero") != 0 ? x->s[1][0] == 0 : t == 1;
  const double square = squares(x->g, x->n);
  x->state_weight[1][0] = x->s[1][0] = first ? square : b2 * x->s[1][0] + (1 - b2) * square;
  double under = x->s[1][0];
  if (x->s[2]) under = x->state_weight[2][0] = x->s[2][0] = fmax(x->s[2][0], under);
  const double root = sqrt(under + hyper(o, "eps_root")) + hyper(o, "eps");
  for (size_t i = 0; i < x->n; i++) {
    const double pull = decoupled ? 0 : wd * x->w[i], gain = hyper(o, "grad_averaging") != 0 ? 1 - b1 : 1;
    x->state_weight[0][i] = b1 * fabs(x->s[0][i]) + gain * (fabs(x->g[i]) / root + fabs(pull));
    x->s[0][i] = b1 * x->s[0][i] + gain * (x->g[i] / root + pull);
    x->weight[i] = fabs(x->w[i]) * (decoupled ? 1 + lr * wd : 1) + lr * x->state_weight[0][i];
    x->w[i] -= lr * x->s[0][i] + (decoupled ? lr * wd * x->w[i] : 0);
  }
}

/* The state of all tensors. */
static void ref_number(tensor *x, size_t count, size_t k, double value, double weight) {
  for (size_t i = 0; i < count; i++)
    if (x[i].n) x[i].s[k][0] = value, x[i].state_weight[k][0] = weight;
}

/* A tensor that has elements: it has the numbers of all. */
static tensor *ref_leader(tensor *x, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (x[i].n) return &x[i];
  return NULL;
}

/* Sums over all tensors of the squares of x0's distance, in the first step of the weights, and of the slope. */
typedef struct lengths {
  double away, slope;
} lengths;

static lengths ref_lengths(const cliv_optimizer *o, bool first, bool whole, tensor *x, size_t count) {
  lengths sum = {0, 0};
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < x[i].n; k++) {
      if (first) x[i].s[0][k] = x[i].w[k];
      const double away = x[i].w[k] - (first && whole ? 0 : x[i].s[0][k]);
      x[i].g[k] += hyper(o, "weight_decay") * x[i].w[k];
      sum.away += away * away;
      sum.slope += x[i].g[k] * x[i].g[k];
    }
  return sum;
}

static void ref_follow(const cliv_optimizer *o, double rate, tensor *x, size_t count) {
  const double lr = hyper(o, "lr") * rate, wd = hyper(o, "weight_decay");
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < x[i].n; k++) {
      x[i].weight[k] = fabs(x[i].w[k]) + lr * (fabs(x[i].g[k]) + 2 * wd * fabs(x[i].w[k]));
      x[i].w[k] -= lr * x[i].g[k];
    }
}

static void ref_dog(const cliv_optimizer *o, int t, tensor *x, size_t count) {
  const tensor *leader = ref_leader(x, count);
  if (!leader) return;
  const double before = leader->s[1][0], init = hyper(o, "init_eta");
  const lengths sum = ref_lengths(o, t == 1, true, x, count);
  const double first = init > 0 ? 0 : hyper(o, "reps_rel") * (1 + sqrt(sum.away));
  const double reach = t == 1 ? first : fmax(before, sqrt(sum.away)), all = leader->s[2][0] + sum.slope;
  /* The distance is of weights that are rounded, which is much of it where they have hardly moved. */
  ref_number(x, count, 1, reach, reach);
  ref_number(x, count, 2, all, all);
  ref_follow(o, t == 1 && init > 0 ? init / hyper(o, "lr") : reach / sqrt(all + hyper(o, "eps")), x, count);
}

static void ref_ldog(const cliv_optimizer *o, int t, tensor *x) { ref_dog(o, t, x, 1); }

static void ref_dowg(const cliv_optimizer *o, int t, tensor *x, size_t count) {
  const tensor *leader = ref_leader(x, count);
  const lengths sum = ref_lengths(o, t == 1, false, x, count);
  const double reach = fmax(leader->s[1][0], sum.away), all = leader->s[2][0] + reach * sum.slope;
  ref_number(x, count, 1, reach, reach);
  ref_number(x, count, 2, all, all);
  ref_follow(o, reach / (sqrt(all) + hyper(o, "eps")), x, count);
}

static double ref_lr(const cliv_optimizer *o, int t) {
  const double b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2");
  return hyper(o, "lr") * (hyper(o, "bias_correction") != 0 ? sqrt(1 - pow(b2, t)) / (1 - pow(b1, t)) : 1);
}

/* The weights of a step along x's direction at this rate; of decoupled decay. */
static void ref_adam_like(tensor *x, size_t k, double decay, double step, double size) {
  x->weight[k] = fabs(x->w[k]) * (1 + decay) + size;
  x->w[k] -= decay * x->w[k] + step;
}

static void ref_prodigy(const cliv_optimizer *o, int t, tensor *x, size_t count) {
  const tensor *leader = ref_leader(x, count);
  const double b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2"), d0 = hyper(o, "d0"), wd = hyper(o, "weight_decay");
  const double b3 = hyper(o, "beta3") > 0 ? hyper(o, "beta3") : sqrt(b2), lr = ref_lr(o, t),
               growth = hyper(o, "growth_rate");
  const double d = leader->s[4][0], before = leader->s[6][0];
  const bool decoupled = hyper(o, "decoupled_weight_decay") != 0, safe = hyper(o, "safeguard_warmup") != 0;
  double dot = 0, dot_size = 0, sum = 0;
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < x[i].n; k++) {
      if (t == 1) x[i].s[0][k] = x[i].w[k];
      if (!decoupled) x[i].g[k] += wd * x[i].w[k];
      const double way = x[i].s[0][k] - x[i].w[k], g = x[i].g[k];
      const double size = fabs(g) + (decoupled ? 0 : 2 * wd * fabs(x[i].w[k]));
      dot += g * way, dot_size += size * fabs(way);
      const double gain = d / d0 * (safe ? d : d * lr);
      x[i].state_weight[1][k] = b3 * fabs(x[i].s[1][k]) + gain * size;
      x[i].s[1][k] = b3 * x[i].s[1][k] + gain * g;
      if (x[i].s[2]) x[i].state_weight[2][k] = b1 * fabs(x[i].s[2][k]) + d * (1 - b1) * size;
      if (x[i].s[2]) x[i].s[2][k] = b1 * x[i].s[2][k] + d * (1 - b1) * g;
      x[i].state_weight[3][k] = b2 * x[i].s[3][k] + d * d * (1 - b2) * size * size;
      x[i].s[3][k] = b2 * x[i].s[3][k] + d * d * (1 - b2) * g * g;
      sum += fabs(x[i].s[1][k]);
    }
  const double top = b3 * before + d / d0 * d * lr * dot, top_size = fabs(b3 * before) + d / d0 * d * lr * dot_size;
  const double estimate = hyper(o, "d_coef") * top / sum, most = fmax(leader->s[5][0], estimate);
  const double start = d == (double)(float)d0 ? fmax(d, estimate) : d;
  const double next = growth > 0 ? fmin(most, start * growth) : most;
  const double slack = hyper(o, "d_coef") * top_size / sum;
  ref_number(x, count, 4, next, next + slack);
  ref_number(x, count, 5, most, most + slack);
  ref_number(x, count, 6, top, top_size);
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < x[i].n; k++) {
      const double root = sqrt(x[i].s[3][k]) + next * hyper(o, "eps"), own = d * lr;
      const double ahead = x[i].s[2] ? x[i].s[2][k] : next * x[i].g[k];
      const double size =
          x[i].s[2] ? x[i].state_weight[2][k] : (next + slack) * (fabs(x[i].g[k]) + wd * fabs(x[i].w[k]));
      ref_adam_like(&x[i], k, decoupled ? wd * own : 0, root > 0 ? own * ahead / root : 0,
                    root > 0 ? own * size / root * (1 + x[i].state_weight[3][k] / (x[i].s[3][k] + 1e-300)) : 0);
    }
}

static void ref_dadapt_adam(const cliv_optimizer *o, int t, tensor *x, size_t count) {
  const tensor *leader = ref_leader(x, count);
  const double b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2"), b3 = sqrt(b2), wd = hyper(o, "weight_decay");
  const double eps = hyper(o, "eps"), growth = hyper(o, "growth_rate"), d = leader->s[3][0], rate = d * ref_lr(o, t);
  const bool decoupled = hyper(o, "decoupled_weight_decay") != 0;
  double dot = 0, dot_size = 0, sum = 0;
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < x[i].n; k++) {
      if (!decoupled) x[i].g[k] += wd * x[i].w[k];
      const double g = x[i].g[k], size = fabs(g) + (decoupled ? 0 : 2 * wd * fabs(x[i].w[k]));
      const double way = x[i].s[2][k] / (sqrt(x[i].s[1][k]) + eps);
      dot += rate * g * way, dot_size += rate * size * fabs(way);
      x[i].state_weight[0][k] = b1 * fabs(x[i].s[0][k]) + rate * (1 - b1) * size;
      x[i].s[0][k] = b1 * x[i].s[0][k] + rate * (1 - b1) * g;
      x[i].state_weight[1][k] = b2 * x[i].s[1][k] + (1 - b2) * size * size;
      x[i].s[1][k] = b2 * x[i].s[1][k] + (1 - b2) * g * g;
      x[i].state_weight[2][k] = b3 * fabs(x[i].s[2][k]) + rate * (1 - b3) * size;
      x[i].s[2][k] = b3 * x[i].s[2][k] + rate * (1 - b3) * g;
      sum += fabs(x[i].s[2][k]);
    }
  const double top = b3 * leader->s[4][0] + (1 - b3) * dot, top_size = b3 * fabs(leader->s[4][0]) + (1 - b3) * dot_size;
  const double estimate = top / ((1 - b3) * sum), next = fmax(d, growth > 0 ? fmin(estimate, d * growth) : estimate);
  ref_number(x, count, 3, next, next + top_size / ((1 - b3) * sum));
  ref_number(x, count, 4, top, top_size);
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; k < x[i].n; k++) {
      const double root = sqrt(x[i].s[1][k]) + eps;
      ref_adam_like(&x[i], k, decoupled ? wd * rate : 0, x[i].s[0][k] / root,
                    x[i].state_weight[0][k] / root * (1 + x[i].state_weight[1][k] / (x[i].s[1][k] + 1e-300)));
    }
}

/* `step`: of each tensor by itself; `together`: of all. */
static const struct reference {
  const char *rule;
  void (*step)(const cliv_optimizer *o, int t, tensor *x);
  void (*together)(const cliv_optimizer *o, int t, tensor *x, size_t count);
} references[] = {
    {"lars", ref_lars, NULL},         {"lamb", ref_lamb, NULL},       {"mars", ref_mars, NULL},
    {"novograd", ref_novograd, NULL}, {"dog", NULL, ref_dog},         {"ldog", ref_ldog, NULL},
    {"dowg", NULL, ref_dowg},         {"prodigy", NULL, ref_prodigy}, {"dadapt_adam", NULL, ref_dadapt_adam},
};

static const struct variant {
  const char *rule, *options;
} variants[] = {
    {"lars", ""},
    {"lars", "lr=1 weight_decay=0.1 joint_norm=1 dampening=0.5 lr_in_momentum=0 eps=0.1 maximize=1"},
    {"lars", "lr=0.5 momentum=0.5 nesterov=1 weight_decay=0.1 trust_coefficient=0.7"},
    {"lars", "lr=0.5 momentum=0 trust_clip=1 trust_coefficient=0.1"},
    {"lars", "momentum=0 always_adapt=0"},
    {"lamb", ""},
    {"lamb", "lr=0.1 beta1=0.5 beta2=0.5 eps=0.1 weight_decay=0.5 grad_averaging=0 maximize=1"},
    {"lamb", "lr=0.1 weight_decay=0.5 decoupled_weight_decay=1 trust_clip=1 eps_root=0.01"},
    {"lamb", "weight_decay=0 always_adapt=0 bias_correction=0"},
    {"mars", ""},
    {"mars", "lr=0.1 beta1=0.5 beta2=0.5 eps=0.1 weight_decay=0.5 gamma=0.5 max_norm=0 from_zero=1"},
    {"mars", "lr=0.1 lion=1 gamma=0.25 max_norm=2 weight_decay=0.1 maximize=1"},
    {"novograd", ""},
    {"novograd", "lr=0.1 beta1=0.5 beta2=0.5 weight_decay=0.1 amsgrad=1 begins_nonzero=1 maximize=1"},
    {"novograd", "lr=0.1 grad_averaging=1 weight_decay=0.5 decoupled_weight_decay=1 eps=0.1 eps_root=0.1"},
    {"dog", "reps_rel=0.01"},
    {"dog", "lr=0.5 init_eta=0.1 eps=0.1 weight_decay=0.1 maximize=1"},
    {"ldog", "reps_rel=0.01"},
    {"ldog", "lr=0.5 init_eta=0.1 eps=0.1 weight_decay=0.1 maximize=1"},
    {"dowg", ""},
    {"dowg", "lr=0.5 init_estim_sq_dist=0.01 eps=0.1 weight_decay=0.1 maximize=1"},
    {"prodigy", "d0=0.001"},
    {"prodigy", "d0=0.001 lr=0.5 beta2=0.9 bias_correction=1 safeguard_warmup=1 weight_decay=0.1 maximize=1"},
    {"prodigy", "d0=0.01 beta1=0 beta3=0.5 d_coef=2 growth_rate=1.1 weight_decay=0.1 decoupled_weight_decay=0"},
    {"dadapt_adam", "d0=0.001"},
    {"dadapt_adam", "d0=0.001 lr=0.5 beta2=0.9 bias_correction=1 growth_rate=1.2 weight_decay=0.1 maximize=1"},
    {"dadapt_adam", "d0=0.01 weight_decay=0.1 decoupled_weight_decay=1 eps=0.01"},
};

/* Tensors of these sizes, one of which begins at 0 and one of which gets no gradient. */
static const size_t sizes[] = {1, 0, 2, 16, 255, 256, 257, 4095, 4096, 4097, 9001};
enum { SIZES = sizeof sizes / sizeof *sizes, SMALL_SIZES = 7, AT_ZERO = 3, WITHOUT = 5 };
static size_t tensors(void) { return test_small() ? SMALL_SIZES : SIZES; }

typedef test_world world;

/* In arenas, or each tensor by itself. */
static world world_make(cliv_context *ctx, const struct variant *v, bool arenas) {
  static const int ndims[SIZES] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const test_shapes of = {tensors(), ndims, sizes};
  const world x = test_world_make(ctx, test_optimizer(ctx, v->rule, NULL, v->options), &of, arenas);
  ASSERT_OK(ctx, cliv_tensor_fill(x.p[AT_ZERO], 0, NULL));
  return x;
}

static void world_give(const world *x, uint64_t t) {
  test_tensors_fill(x->g, x->count, 1000 * t);
  ASSERT_OK(NULL, cliv_tensor_fill(x->g[WITHOUT], 0, NULL));
}

static void world_step(const world *x, uint64_t t) {
  world_give(x, t);
  ASSERT_OK(NULL, cliv_optimizer_step(x->o, NULL));
}

static double *read_double(const cliv_tensor *t) {
  const size_t n = cliv_tensor_count(t);
  double *out = test_alloc((n + 1) * sizeof *out);
  float *x = test_read(t);
  for (size_t i = 0; i < n; i++) out[i] = (double)x[i];
  free(x);
  return out;
}

/* The state of that number in the rule's table, or NULL. */
static cliv_tensor *state_of(cliv_optimizer *o, size_t param, size_t k) {
  cliv_tensor *view = NULL;
  const char *name = cliv_optimizer_rule(o)->states[k].name;
  for (size_t i = 0; i < cliv_optimizer_state_count(o, param); i++)
    if (!strcmp(cliv_optimizer_state_name(o, param, i), name))
      ASSERT_OK(NULL, cliv_optimizer_state(o, param, name, &view));
  return view;
}

static tensor tensor_read(const world *x, size_t i, double sign) {
  tensor t = {.n = sizes[i], .w = read_double(x->p[i]), .g = read_double(x->g[i])};
  t.weight = calloc(t.n + 1, sizeof *t.weight);
  for (size_t k = 0; k < t.n; k++) t.g[k] *= sign;
  for (size_t k = 0; k < cliv_optimizer_rule(x->o)->state_count; k++) {
    cliv_tensor *state = state_of(x->o, i, k);
    if (!state) continue;
    t.s[k] = read_double(state);
    t.state_n[k] = cliv_tensor_count(state);
    t.state_weight[k] = calloc(t.state_n[k] + 1, sizeof(double));
    cliv_tensor_free(state);
  }
  return t;
}

static void tensor_free(tensor *t) {
  free(t->w);
  free(t->g);
  free(t->weight);
  for (size_t k = 0; k < CLIV__MAX_STATES; k++) {
    free(t->s[k]);
    free(t->state_weight[k]);
  }
}

/* Sums of squares are of up to 16 + 8 + 2 additions one after another, their roots have half of what these lose; with
 * what the rest of the step rounds, 40 roundings of all that a value is made of are never reached. */
static void within(const struct variant *v, const char *what, size_t n, size_t i, double got, double want,
                   double weight) {
  enum { UNITS = 40 };
  if (!(fabs(got - want) <= UNITS * 0x1p-24 * weight + 0x1p-149))
    fail_msg("%s %s: %s[%zu] of %zu is %.9g, not %.9g (off by %.2f roundings)", v->rule, v->options, what, i, n, got,
             want, fabs(got - want) / (0x1p-24 * weight));
}

static void compare(const struct variant *v, const world *x, size_t i, const tensor *want) {
  tensor got = tensor_read(x, i, 1);
  for (size_t k = 0; k < got.n; k++) within(v, "param", got.n, k, got.w[k], want->w[k], want->weight[k]);
  for (size_t s = 0; s < cliv_optimizer_rule(x->o)->state_count; s++)
    for (size_t k = 0; k < got.state_n[s] && got.n; k++)
      within(v, cliv_optimizer_rule(x->o)->states[s].name, got.n, k, got.s[s][k], want->s[s][k],
             want->state_weight[s][k]);
  tensor_free(&got);
}

/* Each step starts from what the device has, so that no error adds up. */
static void follows_variant(cliv_context *ctx, const struct variant *v, const struct reference *ref) {
  enum { STEPS = 4 };
  world x = world_make(ctx, v, true);
  const double sign = hyper(x.o, "maximize") != 0 ? -1 : 1;
  for (int t = 1; t <= STEPS; t++) {
    tensor before[SIZES];
    world_give(&x, (uint64_t)t);
    for (size_t i = 0; i < tensors(); i++) before[i] = tensor_read(&x, i, sign);
    ASSERT_OK(ctx, cliv_optimizer_step(x.o, NULL));
    for (size_t i = 0; ref->step && i < tensors(); i++) ref->step(x.o, t, &before[i]);
    if (ref->together) ref->together(x.o, t, before, tensors());
    for (size_t i = 0; i < tensors(); i++) {
      compare(v, &x, i, &before[i]);
      tensor_free(&before[i]);
    }
  }
  test_world_free(&x);
}

static void follows_formulas(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t i = 0; i < cliv_rule_count(); i++) {
      const char *rule = cliv_rule_get(i)->name;
      if (!tries(rule)) continue;
      size_t r = 0, tried = 0;
      while (r < sizeof references / sizeof *references && strcmp(references[r].rule, rule)) r++;
      assert_true(r < sizeof references / sizeof *references);
      for (size_t v = 0; v < sizeof variants / sizeof *variants; v++)
        if (!strcmp(variants[v].rule, rule)) follows_variant(ctx, &variants[v], &references[r]), tried++;
      assert_true(tried >= 2);
    }
    test_close(ctx);
  }
}

/* ---- bits ---- */

static const struct variant *variant_of(const char *rule) {
  const struct variant *found = variants;
  while (strcmp(found->rule, rule)) found++;
  return found;
}

/* The bits of all weights and states. */
static uint64_t digest(const world *x) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < tensors(); i++)
    for (size_t k = 0; k <= cliv_optimizer_rule(x->o)->state_count; k++) {
      cliv_tensor *state = k ? state_of(x->o, i, k - 1) : NULL;
      if (k && !state) continue;
      const cliv_tensor *t = k ? state : x->p[i];
      unsigned char *bytes = test_read(t);
      for (size_t b = 0; b < cliv_tensor_count(t) * sizeof(float); b++) hash = (hash ^ bytes[b]) * 0x100000001b3u;
      free(bytes);
      cliv_tensor_free(state);
    }
  return hash;
}

/* However the tensors lie, in both walks, with every group size. */
static void layouts_agree(void **state) {
  const test_ways *ways = *state;
  static const char *const rules[] = {"prodigy", "lamb", "novograd"};
  for (size_t r = 0; r < (test_few() ? 1 : sizeof rules / sizeof *rules); r++) {
    uint64_t want = 0;
    for (size_t w = 0; w < ways->count; w++)
      for (int arenas = 0; arenas < 2; arenas++) {
        world x = world_make(ways->ctx[w], variant_of(rules[r]), arenas);
        for (uint64_t t = 1; t <= 3; t++) world_step(&x, t);
        const uint64_t got = digest(&x);
        if (w == 0 && arenas == 0) want = got;
        if (got != want) fail_msg("%s: way %zu, %s arenas: other bits", rules[r], w, arenas ? "with" : "without");
        test_world_free(&x);
      }
  }
}

/* The sum over a tensor is cliv_reduce's, to the last bit, whatever else lies in the arena. */
static void sums_are_those_of_reduce(void **state) {
  const test_ways *ways = *state;
  for (size_t w = 0; w < ways->count; w++) {
    cliv_context *ctx = ways->ctx[w];
    world x = world_make(ctx, &(struct variant){"novograd", "begins_nonzero=1"}, true);
    cliv_tensor *want;
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 0, NULL, &want));
    world_step(&x, 1);
    for (size_t i = 0; i < tensors(); i++) {
      if (sizes[i] == 0) continue;
      cliv_tensor *got = state_of(x.o, i, 1);
      assert_int_equal(cliv_tensor_ndim(got), 0);
      ASSERT_OK(ctx, cliv_reduce(ctx, "sumsq", CLIV_ALL_AXES, x.g[i], NULL, want, NULL));
      ASSERT_SAME_TENSORS(got, want);
      cliv_tensor_free(got);
    }
    cliv_tensor_free(want);
    test_world_free(&x);
  }
}

/* Tensors beside each other share all launches: two, and those between. */
static void arenas_share_launches(void **state) {
  const test_ways *ways = *state;
  world x = world_make(ways->ctx[0], variant_of("lamb"), true);
  world_step(&x, 1);
  assert_int_equal(x.o->plan.batch_count, 1);
  assert_int_equal(x.o->plan.norming.tensors, tensors() - 1);
  assert_int_equal(x.o->plan.norming.segments->stages, 1);
  test_world_free(&x);
}

/* Narrow parameters and gradients: as if they were wide, then rounded once. */
static void narrow_storage_rounds_once(void **state) {
  const test_ways *ways = *state;
  enum { N = 300 };
  const size_t n = N;
  for (size_t w = 0; w < 2 && w < ways->count; w++) {
    cliv_context *ctx = ways->ctx[w];
    uint16_t narrow_p[N], narrow_g[N];
    float wide_p[N], wide_g[N];
    for (size_t i = 0; i < N; i++) {
      test_put(CLIV_BF16, narrow_p, i, test_normal(1, i));
      test_put(CLIV_F16, narrow_g, i, test_normal(2, i));
      wide_p[i] = (float)test_get(CLIV_BF16, narrow_p, i);
      wide_g[i] = (float)test_get(CLIV_F16, narrow_g, i);
    }
    const void *const data[] = {narrow_p, narrow_g, wide_p, wide_g};
    static const cliv_dtype types[] = {CLIV_BF16, CLIV_F16, CLIV_F32, CLIV_F32};
    test_guarded x[4];
    for (size_t k = 0; k < 4; k++) x[k] = test_guard1(ctx, types[k], n, 3 * k + 1, data[k]);
    for (size_t k = 0; k < 4; k += 2) {
      cliv_optimizer *o = test_optimizer(ctx, "lamb", NULL, "lr=0.1");
      ASSERT_OK(ctx, cliv_optimizer_add(o, x[k].tensor, x[k + 1].tensor, CLIV_DEFAULT_GROUP));
      ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
      cliv_optimizer_free(o);
    }
    uint16_t *got = test_read(x[0].tensor), want[N];
    float *wide = test_read(x[2].tensor);
    for (size_t i = 0; i < N; i++) test_put(CLIV_BF16, want, i, (double)wide[i]);
    ASSERT_SAME(CLIV_BF16, got, want, n);
    free(got);
    free(wide);
    for (size_t k = 0; k < 4; k++) test_guard_free(&x[k]);
  }
}

/* bfloat16 parameters with a float32 master: the master goes its way as a float32 parameter does; states in bfloat16
 * leave numbers of tensors float32. */
static void masters_and_narrow_states(void **state) {
  const test_ways *ways = *state;
  enum { N = 300, STEPS = 3 };
  const size_t n = N;
  for (size_t w = 0; w < 2 && w < ways->count; w++) {
    cliv_context *ctx = ways->ctx[w];
    const cliv_optimizer_options with = {.weights = "master", .state = "bfloat16"}, without = {.state = "bfloat16"};
    cliv_optimizer *a, *b;
    ASSERT_OK(ctx, cliv_optimizer_create(ctx, "novograd", &with, &a));
    ASSERT_OK(ctx, cliv_optimizer_create(ctx, "novograd", &without, &b));
    uint16_t narrow[N];
    float wide[N], given[N];
    for (size_t i = 0; i < N; i++) {
      test_put(CLIV_BF16, narrow, i, test_normal(1, i));
      wide[i] = (float)test_get(CLIV_BF16, narrow, i);
    }
    test_guarded p = test_guard1(ctx, CLIV_BF16, n, 1, narrow), q = test_guard1(ctx, CLIV_F32, n, 2, wide);
    test_guarded g = test_guard1(ctx, CLIV_F32, n, 3, NULL);
    ASSERT_OK(ctx, cliv_optimizer_add(a, p.tensor, g.tensor, CLIV_DEFAULT_GROUP));
    ASSERT_OK(ctx, cliv_optimizer_add(b, q.tensor, g.tensor, CLIV_DEFAULT_GROUP));
    for (uint64_t t = 0; t < STEPS; t++) {
      test_fill_normal(given, N, t);
      ASSERT_OK(ctx, cliv_tensor_write(g.tensor, given, sizeof given));
      ASSERT_OK(ctx, cliv_optimizer_step(a, NULL));
      ASSERT_OK(ctx, cliv_optimizer_step(b, NULL));
    }
    cliv_tensor *master, *square;
    ASSERT_OK(ctx, cliv_optimizer_state(a, 0, "master", &master));
    ASSERT_SAME_TENSORS(master, q.tensor);
    ASSERT_OK(ctx, cliv_optimizer_state(a, 0, "exp_avg_sq", &square));
    assert_true(cliv_tensor_dtype(square) == CLIV_F32 && cliv_tensor_ndim(square) == 0);
    cliv_tensor_free(master);
    cliv_tensor_free(square);
    cliv_optimizer_free(a);
    cliv_optimizer_free(b);
    test_guard_free(&p), test_guard_free(&q), test_guard_free(&g);
  }
}

/* ---- together with the rest of an optimizer ---- */

/* A gradient that is no number spoils its own tensor. */
static void special_values(void **state) {
  const test_ways *ways = *state;
  static const float bad[] = {NAN, INFINITY};
  for (size_t k = 0; k < 2; k++) {
    world x = world_make(ways->ctx[0], variant_of("lamb"), true),
          y = world_make(ways->ctx[0], variant_of("lamb"), true);
    world_give(&x, 1);
    ASSERT_OK(NULL, cliv_tensor_write(x.g[2], (const float[]){1, bad[k]}, 2 * sizeof(float)));
    ASSERT_OK(NULL, cliv_optimizer_step(x.o, NULL));
    world_step(&y, 1);
    float *got = test_read(x.p[2]);
    assert_true(isnan(got[0]) && isnan(got[1]));
    free(got);
    for (size_t i = 0; i < tensors(); i++)
      if (i != 2) ASSERT_SAME_TENSORS(x.p[i], y.p[i]);
    test_world_free(&x), test_world_free(&y);
  }
}

/* A step that is left out leaves weights, states, and numbers of tensors as they were. */
static void skipped_steps_change_nothing(void **state) {
  const test_ways *ways = *state;
  for (size_t w = 0; w < 2 && w < ways->count; w++)
    for (int policy = CLIV_NONFINITE_SKIP; policy <= CLIV_NONFINITE_FAIL; policy++) {
      world x = world_make(ways->ctx[w], variant_of("novograd"), true);
      const cliv_gradient_options options = {.nonfinite = policy, .clip_norm = 3};
      ASSERT_OK(NULL, cliv_optimizer_gradients(x.o, &options));
      world_step(&x, 1);
      const uint64_t before = digest(&x);
      world_give(&x, 2);
      ASSERT_OK(NULL, cliv_tensor_write(x.g[0], &(const float){INFINITY}, sizeof(float)));
      if (policy == CLIV_NONFINITE_FAIL)
        ASSERT_FAILS(ways->ctx[w], cliv_optimizer_step(x.o, NULL), CLIV_DATA, "not finite");
      else ASSERT_OK(NULL, cliv_optimizer_step(x.o, NULL));
      assert_true(digest(&x) == before);
      assert_int_equal(cliv_optimizer_steps(x.o), 1);
      world_step(&x, 2);
      assert_true(digest(&x) != before);
      test_world_free(&x);
    }
}

/* A gradient's scale and clipping come before the norms, as if the gradients had been so. */
static void clips_before_the_norm(void **state) {
  const test_ways *ways = *state;
  for (size_t w = 0; w < 2 && w < ways->count; w++) {
    world x = world_make(ways->ctx[w], variant_of("lars"), true),
          y = world_make(ways->ctx[w], variant_of("lars"), true);
    const cliv_gradient_options options = {.scale = 0.5, .clip_value = 1};
    ASSERT_OK(NULL, cliv_optimizer_gradients(x.o, &options));
    world_give(&x, 1), world_give(&y, 1);
    for (size_t i = 0; i < tensors(); i++) {
      float *g = test_read(y.g[i]);
      for (size_t k = 0; k < sizes[i]; k++) g[k] = fmaxf(-1, fminf(1, 2 * g[k]));
      ASSERT_OK(NULL, cliv_tensor_write(y.g[i], g, sizes[i] * sizeof *g));
      free(g);
    }
    ASSERT_OK(NULL, cliv_optimizer_step(x.o, NULL));
    ASSERT_OK(NULL, cliv_optimizer_step(y.o, NULL));
    assert_true(digest(&x) == digest(&y));
    test_world_free(&x), test_world_free(&y);
  }
}

/* Saved and loaded, numbers of tensors and all: the rest of the run has the same bits. */
static void resumes_from_a_file(void **state) {
  const test_ways *ways = *state;
  static const char *const rules[] = {"novograd", "lars", "lamb", "prodigy"};
  char *dir = test_temp_dir(), *path = test_join(dir, "o.safetensors");
  for (size_t r = 0; r < (test_few() ? 1 : sizeof rules / sizeof *rules); r++) {
    world x = world_make(ways->ctx[0], variant_of(rules[r]), true),
          y = world_make(ways->ctx[0], variant_of(rules[r]), false);
    for (uint64_t t = 1; t <= 2; t++) world_step(&x, t);
    ASSERT_OK(NULL, cliv_optimizer_save(x.o, path));
    for (size_t i = 0; i < tensors(); i++) ASSERT_OK(NULL, cliv_tensor_copy(x.p[i], y.p[i], NULL));
    ASSERT_OK(NULL, cliv_optimizer_load(y.o, path));
    assert_true(digest(&x) == digest(&y));
    for (uint64_t t = 3; t <= 5; t++) world_step(&x, t), world_step(&y, t);
    assert_true(digest(&x) == digest(&y));
    test_world_free(&x), test_world_free(&y);
  }
  test_remove_tree(dir);
  free(path);
  free(dir);
}

/* A tensor that comes later leaves the others' numbers as they are, and has its own. */
static void latecomers_keep_numbers(void **state) {
  const test_ways *ways = *state;
  cliv_context *ctx = ways->ctx[0];
  const size_t n = 10;
  world x = world_make(ctx, variant_of("novograd"), true), y = world_make(ctx, variant_of("novograd"), true);
  cliv_tensor *p, *g;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &p));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &g));
  ASSERT_OK(ctx, cliv_tensor_fill(p, 1, NULL));
  ASSERT_OK(ctx, cliv_tensor_fill(g, 3, NULL));
  world_step(&x, 1), world_step(&y, 1);
  ASSERT_OK(ctx, cliv_optimizer_add(x.o, p, g, CLIV_DEFAULT_GROUP));
  world_step(&x, 2), world_step(&y, 2);
  assert_true(digest(&x) == digest(&y));
  cliv_tensor *state_view = state_of(x.o, tensors(), 1);
  float *square = test_read(state_view);
  assert_true(*square == 90);
  free(square);
  cliv_tensor_free(state_view);
  cliv_tensor_free(p);
  cliv_tensor_free(g);
  test_world_free(&x), test_world_free(&y);
}

/* A frozen tensor keeps its weights and numbers, and goes on from there; the others see nothing of it. */
static void frozen_tensors_wait(void **state) {
  const test_ways *ways = *state;
  enum { FROZEN = 4 };
  for (size_t w = 0; w < 2 && w < ways->count; w++) {
    world x = world_make(ways->ctx[w], variant_of("novograd"), true),
          y = world_make(ways->ctx[w], variant_of("novograd"), true);
    world_step(&x, 1), world_step(&y, 1);
    ASSERT_OK(NULL, cliv_optimizer_freeze(x.o, FROZEN, 1));
    world_step(&x, 2);
    ASSERT_SAME_TENSORS(x.p[FROZEN], y.p[FROZEN]);
    cliv_tensor *a = state_of(x.o, FROZEN, 1), *b = state_of(y.o, FROZEN, 1);
    ASSERT_SAME_TENSORS(a, b);
    cliv_tensor_free(a), cliv_tensor_free(b);
    world_step(&y, 2);
    for (size_t i = 0; i < tensors(); i++)
      if (i != FROZEN) ASSERT_SAME_TENSORS(x.p[i], y.p[i]);
    ASSERT_OK(NULL, cliv_optimizer_freeze(x.o, FROZEN, 0));
    world_step(&x, 3);
    test_world_free(&y);
    y = world_make(ways->ctx[w], variant_of("novograd"), true);
    world_step(&y, 1), world_step(&y, 3);
    ASSERT_SAME_TENSORS(x.p[FROZEN], y.p[FROZEN]);
    test_world_free(&x), test_world_free(&y);
  }
}

/* ---- numbers that all tensors share ---- */

static const struct variant sharing[] = {
    {"dog", "reps_rel=0.01"}, {"dog", "init_eta=0.01 eps=0.1"}, {"dowg", ""},
    {"prodigy", "d0=0.001"},  {"dadapt_adam", "d0=0.001"},
};
enum { SHARING = sizeof sharing / sizeof *sharing };
static size_t sharing_rules(void) { return test_few() ? 1 : SHARING; }

/* A parameter's number, one of those that do not shrink: the first of the rule's. */
static float shared_number(const world *x, size_t param) {
  const cliv_rule_info *rule = cliv_optimizer_rule(x->o);
  size_t k = 0;
  while (rule->shapes[k] != CLIV_STATE_TENSOR) k++;
  cliv_tensor *view = state_of(x->o, param, k);
  float *read = test_read(view);
  const float number = *read;
  free(read);
  cliv_tensor_free(view);
  return number;
}

/* A parameter that rests, after `before` steps, leaves what is known as it is when it is taken up. Saved and loaded
 * before that, where it rests or is awake, the run has the same bits. */
static void resting_takes_up(cliv_context *ctx, const struct variant *v, size_t rests, uint64_t before, bool awake,
                             const char *path) {
  world x = world_make(ctx, v, true), y = world_make(ctx, v, false);
  for (uint64_t t = 1; t <= before; t++) world_step(&x, t);
  ASSERT_OK(ctx, cliv_optimizer_freeze(x.o, rests, 1));
  if (!awake) ASSERT_OK(ctx, cliv_optimizer_freeze(y.o, rests, 1));
  for (uint64_t t = before + 1; t <= 6; t++) world_step(&x, t);
  const float known = shared_number(&x, rests == 0 ? 2 : 0);
  ASSERT_OK(ctx, cliv_optimizer_save(x.o, path));
  for (size_t i = 0; i < tensors(); i++) ASSERT_OK(ctx, cliv_tensor_copy(x.p[i], y.p[i], NULL));
  ASSERT_OK(ctx, cliv_optimizer_load(y.o, path));
  ASSERT_OK(ctx, cliv_optimizer_freeze(x.o, rests, 0));
  if (!awake) ASSERT_OK(ctx, cliv_optimizer_freeze(y.o, rests, 0));
  if (shared_number(&x, rests) != known || shared_number(&y, rests) != known)
    fail_msg("%s %s: %g and %g, not %g", v->rule, v->options, (double)shared_number(&x, rests),
             (double)shared_number(&y, rests), (double)known);
  world_step(&x, 7), world_step(&y, 7);
  const float next = shared_number(&x, rests);
  if (!(next >= known && next <= 4 * known))
    fail_msg("%s %s: from %g to %g in a step", v->rule, v->options, (double)known, (double)next);
  world_step(&x, 8), world_step(&y, 8);
  assert_true(digest(&x) == digest(&y));
  test_world_free(&x), test_world_free(&y);
}

/* Of all parameters the first, whose scalars hold for all, and one of the others. */
static void resting_tensors_take_numbers_up(void **state) {
  const test_ways *ways = *state;
  char *dir = test_temp_dir(), *path = test_join(dir, "o.safetensors");
  for (size_t r = 0; r < sharing_rules(); r++)
    for (unsigned k = 0; k < 8; k += test_small() ? 7 : 1)
      resting_takes_up(ways->ctx[0], &sharing[r], k & 1 ? 0 : 4, k & 2 ? 2 : 0, k & 4, path);
  test_remove_tree(dir);
  free(path);
  free(dir);
}

/* One that is added has them from its first step. Where no weight has moved yet, its own length does not begin them
 * anew. */
static void latecomers_take_numbers(void **state) {
  const test_ways *ways = *state;
  cliv_context *ctx = ways->ctx[0];
  enum { N = 1000 };
  const size_t n = N;
  float ones[N];
  for (size_t i = 0; i < N; i++) ones[i] = 1;
  for (size_t r = 0; r < sharing_rules(); r++)
    for (int moved = 0; moved < 2; moved++) {
      world x = world_make(ctx, &sharing[r], true);
      test_guarded p = test_guard1(ctx, CLIV_F32, n, 1, ones), g = test_guard1(ctx, CLIV_F32, n, 2, NULL);
      ASSERT_OK(ctx, cliv_tensor_fill(g.tensor, 0.01, NULL));
      for (size_t i = 0; i < tensors(); i++) ASSERT_OK(ctx, cliv_tensor_fill(x.g[i], 0, NULL));
      for (uint64_t t = 1; t <= 3; t++)
        if (moved) world_step(&x, t);
        else ASSERT_OK(ctx, cliv_optimizer_step(x.o, NULL));
      const float known = shared_number(&x, 0);
      ASSERT_OK(ctx, cliv_optimizer_add(x.o, p.tensor, g.tensor, CLIV_DEFAULT_GROUP));
      assert_true(shared_number(&x, tensors()) == known);
      if (moved) world_give(&x, 4);
      ASSERT_OK(ctx, cliv_optimizer_step(x.o, NULL));
      const float next = shared_number(&x, 0);
      if (!(next >= known && next <= 4 * known))
        fail_msg("%s %s: from %g to %g in a step", sharing[r].rule, sharing[r].options, (double)known, (double)next);
      test_guard_free(&p), test_guard_free(&g);
      test_world_free(&x);
    }
}

/* ---- sharpness-aware minimization ---- */

typedef struct reach {
  double rho;
  int adaptive;
} reach;

/* The second gradient is the step's and half of the perturbed weights, as in make_norms.py. */
static void sam_step(const test_trajectory *x, const float *gradients, const void *with) {
  const reach *far = with;
  float second[TEST_WEIGHTS];
  test_trajectory_gradients(x, gradients);
  ASSERT_OK(NULL, cliv_optimizer_perturb(x->o, far->rho, far->adaptive, NULL));
  for (size_t k = 0, i = 0; k < x->tensors; k++) {
    float *w = test_read(x->p[k]);
    for (size_t n = 0; n < cliv_tensor_count(x->p[k]); n++, i++) second[i] = gradients[i] + 0.5f * w[n];
    free(w);
  }
  test_trajectory_gradients(x, second);
  ASSERT_OK(NULL, cliv_optimizer_restore(x->o, NULL));
  ASSERT_OK(NULL, cliv_optimizer_step(x->o, NULL));
}

static void perturbs_as_the_package(void **state) {
  const test_ways *ways = *state;
  static const char with[] = "lr=0.1 momentum=0.9";
  static const reach near = {0.05, 0}, far = {0.5, 1};
  /* Weights of 1e14 times gradients of 1e15 squared are beyond float32: the package's weights are NaN then. */
  static const test_case cases[] = {{"sam.pytorch_optimizer.0", "sgd", NULL, with, NULL, sam_step, &near},
                                    {"sam.pytorch_optimizer.1", "sgd", NULL, with, "huge", sam_step, &far}};
  for (size_t w = 0; w < 2 && w < ways->count; w++)
    for (size_t c = 0; c < 2; c++) test_trajectory_follow(ways->ctx[w], &trajectories, &cases[c]);
}

/* Every bit comes back, of narrow weights too, whatever happens in between; frozen ones do not move; what is out of
 * order is refused. */
static void weights_come_back(void **state) {
  const test_ways *ways = *state;
  static const float bad[] = {0, NAN, INFINITY};
  for (size_t w = 0; w < ways->count; w++)
    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
      cliv_context *ctx = ways->ctx[w];
      world x = world_make(ctx, &(struct variant){"sgd", ""}, w % 2),
            before = world_make(ctx, &(struct variant){"sgd", ""}, true);
      const size_t n = 5;
      const uint16_t narrow[] = {0x3c00, 0x0001, 0xfbff, 0x8000, 0x1234};
      const uint16_t ones[] = {0x3c00, 0x3c00, 0x3c00, 0x3c00, 0x3c00};
      test_guarded p = test_guard1(ctx, CLIV_F16, n, 1, narrow), g = test_guard1(ctx, CLIV_F16, n, 1, ones);
      ASSERT_OK(ctx, cliv_optimizer_add(x.o, p.tensor, g.tensor, CLIV_DEFAULT_GROUP));
      world_give(&x, 1);
      if (bad[b] != 0) ASSERT_OK(ctx, cliv_tensor_write(x.g[0], &bad[b], sizeof bad[b]));
      ASSERT_OK(ctx, cliv_optimizer_freeze(x.o, 2, 1));
      ASSERT_FAILS(ctx, cliv_optimizer_restore(x.o, NULL), CLIV_STATE, "comes first");
      ASSERT_FAILS(ctx, cliv_optimizer_perturb(x.o, -1, 0, NULL), CLIV_VALUE, "-1");
      ASSERT_FAILS(ctx, cliv_optimizer_perturb(x.o, NAN, 0, NULL), CLIV_VALUE, "rho");
      ASSERT_OK(ctx, cliv_optimizer_perturb(x.o, 0.1, (int)(w % 2), NULL));
      ASSERT_FAILS(ctx, cliv_optimizer_perturb(x.o, 0.1, 0, NULL), CLIV_STATE, "already");
      ASSERT_FAILS(ctx, cliv_optimizer_step(x.o, NULL), CLIV_STATE, "restore");
      ASSERT_FAILS(ctx, cliv_optimizer_add(x.o, before.p[0], before.g[0], 0), CLIV_STATE, "restore");
      float *moved = test_read(x.p[4]), *still = test_read(before.p[4]);
      assert_true((memcmp(moved, still, sizes[4] * sizeof *moved) == 0) == (bad[b] != 0));
      free(moved), free(still);
      ASSERT_SAME_TENSORS(x.p[2], before.p[2]);
      ASSERT_OK(ctx, cliv_optimizer_restore(x.o, NULL));
      for (size_t i = 0; i < tensors(); i++) ASSERT_SAME_TENSORS(x.p[i], before.p[i]);
      uint16_t *back = test_read(p.tensor);
      ASSERT_BITS(back, narrow, sizeof narrow);
      free(back);
      ASSERT_FAILS(ctx, cliv_optimizer_restore(x.o, NULL), CLIV_STATE, "comes first");
      test_guard_free(&p), test_guard_free(&g);
      test_world_free(&x), test_world_free(&before);
    }
}

/* e = rho·g/‖g‖ of all tensors together, or rho·w²·g/‖|w|·g‖. */
static void perturbs_by_the_formula(void **state) {
  const test_ways *ways = *state;
  for (size_t w = 0; w < ways->count; w++)
    for (int adaptive = 0; adaptive < 2; adaptive++) {
      world x = world_make(ways->ctx[w], &(struct variant){"sgd", ""}, true);
      world_give(&x, 1);
      tensor before[SIZES];
      double sum = 0;
      for (size_t i = 0; i < tensors(); i++) {
        before[i] = tensor_read(&x, i, 1);
        for (size_t k = 0; k < before[i].n; k++) sum += pow(before[i].g[k] * (adaptive ? before[i].w[k] : 1), 2);
      }
      ASSERT_OK(NULL, cliv_optimizer_perturb(x.o, 0.3, adaptive, NULL));
      for (size_t i = 0; i < tensors(); i++) {
        for (size_t k = 0; k < before[i].n; k++) {
          const double way = 0.3 * before[i].g[k] * (adaptive ? pow(before[i].w[k], 2) : 1) / (sqrt(sum) + 1e-12);
          before[i].weight[k] = fabs(before[i].w[k]) + fabs(way);
          before[i].w[k] += way;
        }
        compare(&(struct variant){"uphill", ""}, &x, i, &before[i]);
        tensor_free(&before[i]);
      }
      ASSERT_OK(NULL, cliv_optimizer_restore(x.o, NULL));
      test_world_free(&x);
    }
}

/* Where all is frozen nothing moves, and the way back is no other. */
static void frozen_weights_stay(void **state) {
  const test_ways *ways = *state;
  cliv_context *ctx = ways->ctx[0];
  world x = world_make(ctx, &(struct variant){"sgd", ""}, true),
        before = world_make(ctx, &(struct variant){"sgd", ""}, true);
  world_give(&x, 1);
  for (size_t i = 0; i < tensors(); i++) ASSERT_OK(ctx, cliv_optimizer_freeze(x.o, i, 1));
  ASSERT_OK(ctx, cliv_optimizer_perturb(x.o, 0.1, 0, NULL));
  ASSERT_FAILS(ctx, cliv_optimizer_perturb(x.o, 0.1, 0, NULL), CLIV_STATE, "already");
  ASSERT_OK(ctx, cliv_optimizer_restore(x.o, NULL));
  for (size_t i = 0; i < tensors(); i++) ASSERT_SAME_TENSORS(x.p[i], before.p[i]);
  test_world_free(&x), test_world_free(&before);
}

/* Where one of several launches fails, those before it have moved weights: they come back. */
static void half_a_way_can_be_undone(void **state) {
  const test_ways *ways = *state;
  cliv_context *ctx = ways->ctx[0];
  world x = world_make(ctx, &(struct variant){"sgd", ""}, false),
        before = world_make(ctx, &(struct variant){"sgd", ""}, false);
  cl_kernel another; /* which takes other arguments */
  world_give(&x, 1);
  ASSERT_OK(ctx, cliv_optimizer_perturb(x.o, 0.1, 0, NULL));
  ASSERT_OK(ctx, cliv_optimizer_restore(x.o, NULL));
  ASSERT_OK(ctx, cliv__kernel(ctx, "divide.cl optim_row.cl optim_sum.cl optim_control.cl", "-D SINGLE", "optim_control",
                              &another));
  cliv__batch *second = &x.o->uphill->plan.batches[1];
  assert_true(x.o->uphill->plan.batch_count > 1);
  const cl_kernel right = second->kernel;
  second->kernel = another;
  ASSERT_FAILS(ctx, cliv_optimizer_perturb(x.o, 0.3, 0, NULL), CLIV_OPENCL, NULL);
  second->kernel = right;
  ASSERT_FAILS(ctx, cliv_optimizer_perturb(x.o, 0.3, 0, NULL), CLIV_STATE, "already");
  ASSERT_OK(ctx, cliv_optimizer_restore(x.o, NULL));
  for (size_t i = 0; i < tensors(); i++) ASSERT_SAME_TENSORS(x.p[i], before.p[i]);
  test_world_free(&x), test_world_free(&before);
}

/* Sums, numbers of tensors, gradients smoothed or added up, old weights are counted too. */
static void memory_is_counted(void **state) {
  const test_ways *ways = *state;
  cliv_context *ctx = ways->ctx[0];
  enum { N = 3 * 4096 + 64 };
  const size_t n = N;
  cliv_tensor *p, *g;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &p));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &g));
  ASSERT_OK(ctx, cliv_tensor_fill(p, 1, NULL));
  ASSERT_OK(ctx, cliv_tensor_fill(g, 1, NULL));
  static const struct {
    const char *rule;
    uint64_t states;
  } wanted[] = {{"adamw", 8 * N}, {"lamb", 8 * N}, {"novograd", 4 * N + 4}};
  uint64_t tables[3];
  for (size_t r = 0; r < 3; r++) {
    cliv_optimizer *o = test_optimizer(ctx, wanted[r].rule, NULL, "");
    cliv_optimizer_usage laid_out, smoothed, moved;
    laid_out.size = smoothed.size = moved.size = sizeof laid_out;
    ASSERT_OK(ctx, cliv_optimizer_add(o, p, g, CLIV_DEFAULT_GROUP));
    ASSERT_OK(ctx, cliv_optimizer_memory(o, &laid_out));
    assert_int_equal(laid_out.states, wanted[r].states);
    tables[r] = laid_out.tables;
    ASSERT_OK(ctx, cliv_optimizer_gradients(o, &(cliv_gradient_options){.smooth = 1}));
    ASSERT_OK(ctx, cliv_optimizer_memory(o, &smoothed));
    assert_true(smoothed.states == laid_out.states && smoothed.tables >= laid_out.tables + 4 * N);
    ASSERT_OK(ctx, cliv_optimizer_perturb(o, 0.1, 0, NULL));
    ASSERT_OK(ctx, cliv_optimizer_restore(o, NULL));
    ASSERT_OK(ctx, cliv_optimizer_memory(o, &moved));
    assert_true(moved.states == laid_out.states && moved.tables >= smoothed.tables + 4 * N);
    ASSERT_OK(ctx, cliv_optimizer_gradients(o, &(cliv_gradient_options){.agc = 0.1, .clip_each = 1}));
    ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
    ASSERT_OK(ctx, cliv_optimizer_memory(o, &laid_out));
    assert_true(laid_out.tables > moved.tables - 8 * N && laid_out.tables < moved.tables);
    ASSERT_OK(ctx, cliv_optimizer_accumulate(o, NULL));
    ASSERT_OK(ctx, cliv_optimizer_memory(o, &moved));
    assert_true(moved.states == laid_out.states && moved.tables >= laid_out.tables + 4 * N);
    cliv_optimizer_free(o);
  }
  assert_true(tables[1] >= tables[0] + 2 * 4 * 4 && tables[2] >= tables[0] + 4 * 4); /* sums of four chunks each */
  cliv_tensor_free(p);
  cliv_tensor_free(g);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(agrees_with_packages),
      cmocka_unit_test(follows_formulas),
  };
  const struct CMUnitTest ways[] = {
      cmocka_unit_test(layouts_agree),
      cmocka_unit_test(sums_are_those_of_reduce),
      cmocka_unit_test(arenas_share_launches),
      cmocka_unit_test(narrow_storage_rounds_once),
      cmocka_unit_test(masters_and_narrow_states),
      cmocka_unit_test(special_values),
      cmocka_unit_test(skipped_steps_change_nothing),
      cmocka_unit_test(clips_before_the_norm),
      cmocka_unit_test(resumes_from_a_file),
      cmocka_unit_test(latecomers_keep_numbers),
      cmocka_unit_test(frozen_tensors_wait),
      cmocka_unit_test(resting_tensors_take_numbers_up),
      cmocka_unit_test(latecomers_take_numbers),
      cmocka_unit_test(perturbs_as_the_package),
      cmocka_unit_test(weights_come_back),
      cmocka_unit_test(perturbs_by_the_formula),
      cmocka_unit_test(frozen_weights_stay),
      cmocka_unit_test(half_a_way_can_be_undone),
      cmocka_unit_test(memory_is_counted),
  };
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  return test_finish(failed + cmocka_run_group_tests(ways, test_setup_all, test_teardown_all));
}
