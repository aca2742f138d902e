/* The arithmetic of every update rule: against the trajectories of PyTorch and other packages, and step by step against
 * formulas in double. */
#include "trajectories.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/optim.h>

#include "optim/power.h"
#include "optim/rules.h"

/* ---- the table ---- */

/* Only hyper-parameters that there are, within bounds, with values that are not the default anyway. */
static void check_preset(const cliv__rule *rule, const cliv_preset_info *preset) {
  assert_ptr_equal(cliv__rule_preset(rule, preset->name), preset);
  assert_true(strlen(preset->source));
  for (size_t i = 0; i < preset->setting_count; i++) {
    const int at = cliv__rule_hyper(rule, preset->settings[i].name);
    if (at < 0) fail_msg("preset %s: %s has no %s", preset->name, rule->info.name, preset->settings[i].name);
    const cliv_hyper_info *h = &rule->info.hypers[at];
    const double value = preset->settings[i].value;
    if (!(value >= h->min && value <= h->max && value != h->initial && (!h->flag || value == 0 || value == 1)))
      fail_msg("preset %s of %s: %s is %g", preset->name, rule->info.name, h->name, value);
  }
}

static void table_is_consistent(void **state) {
  (void)state;
  assert_true(cliv_rule_count() >= 6);
  assert_null(cliv_rule_get(cliv_rule_count()));
  assert_null(cliv_rule_find("adamx"));
  assert_null(cliv_rule_find(NULL));
  for (size_t i = 0; i < cliv_rule_count(); i++) {
    const cliv_rule_info *r = cliv_rule_get(i);
    assert_ptr_equal(cliv_rule_find(r->name), r);
    assert_true(strlen(r->summary) && strlen(r->source));
    const cliv__rule *rule = cliv__rule_find(r->name);
    assert_true(r->state_count <= CLIV__MAX_STATES && r->hyper_count <= CLIV__MAX_HYPERS);
    assert_true(rule->scalar_count <= CLIV__MAX_SCALARS);
    assert_true(r->preset_count >= 1 && r->presets[0].setting_count == 0);
    for (size_t k = 0; k < r->preset_count; k++) check_preset(rule, &r->presets[k]);
    assert_string_equal(r->hypers[0].name, "lr");
    assert_true(cliv__rule_hyper(rule, "maximize") >= 0);
    for (size_t k = 0; k < r->hyper_count; k++) {
      const cliv_hyper_info *h = &r->hypers[k];
      assert_int_equal(cliv__rule_hyper(rule, h->name), k);
      assert_true(h->initial >= h->min && h->initial <= h->max && h->min < h->max && strlen(h->meaning));
    }
    for (size_t k = 0; k < r->state_count; k++)
      assert_true(!r->states[k].initial || cliv__rule_hyper(rule, r->states[k].initial) >= 0);
  }
}

/* ---- powers ---- */

/* The host's powers and logarithms agree with the C library's, and their bits are written down: they are the same
 * everywhere. */
static void powers_are_accurate(void **state) {
  (void)state;
  for (uint64_t i = 0; i < 20000; i++) {
    const double base = exp(20 * test_normal(1, i)), exponent = test_normal(2, i);
    const double want = pow(base, exponent);
    assert_true(fabs(cliv__real_power(base, exponent) - want) <= 1e-15 * want * (1 + fabs(log(want))));
    assert_true(fabs(cliv__logarithm(base) - log(base)) <= 1e-15 * fabs(log(base)));
  }
  assert_true(cliv__real_power(0.96, 1e38) == 0 && isinf(cliv__real_power(2, 1e4)));
  assert_true(cliv__real_power(7, 0) == 1 && cliv__real_power(1, 5) == 1 && cliv__power(0, 0) == 1);
  assert_true(cliv__real_power(0.96, 0.004) == 0x1.ffea9969757dbp-1);
  assert_true(cliv__real_power(17, 0.333) == 0x1.48d038a187d29p+1);
  assert_true(cliv__logarithm(0.9999) == -0x1.a3738d2cf1cc2p-14);
}

/* Rules that go element by element; test_norms.c and test_matrix_rules.c have the others. */
static bool is_elementwise(const char *rule) {
  const cliv__rule *r = cliv__rule_find(rule);
  return r->norms.measures == 0 && !cliv__takes_matrices(r);
}

/* One of each kind: without a root, with one, by signs, with a memory, with a cube root, with four states. */
static bool tries(const char *rule) {
  static const char *const some[] = {"sgd", "adam", "rprop", "nadam", "madgrad", "adan"};
  if (!is_elementwise(rule)) return false;
  bool found = !test_few();
  for (size_t i = 0; i < sizeof some / sizeof *some; i++) found |= !strcmp(rule, some[i]);
  return found;
}

/* ---- the packages' trajectories ---- */

enum { CASE_N = TEST_KINDS * TEST_WEIGHTS, GOLDEN_CASES = 16 };

/* One rule with one preset; a case is a group with one parameter, a row for each kind of gradient. */
typedef struct golden {
  cliv_safetensors *file, *start;
  cliv_optimizer *optimizer;
  cliv_tensor *params, *grads; /* (cases, kinds, TEST_WEIGHTS) */
  const char *names[GOLDEN_CASES];
  size_t count;
  bool exact; /* every bit as PyTorch has it: rules without a square root, which PyTorch does not round correctly */
} golden;

/* Every element within `tolerance` of its row's largest; elements below the normal range count as 0. */
static void golden_compare(const golden *g, size_t c, const char *what, const float *got, double tolerance) {
  char name[80];
  snprintf(name, sizeof name, "%s.%s", g->names[c], what);
  float *want = test_golden_read(g->file, name);
  for (size_t k = 0; k < TEST_KINDS; k++) {
    double scale = 0;
    for (size_t i = k * TEST_WEIGHTS; i < (k + 1) * TEST_WEIGHTS; i++) scale = fmax(scale, fabs((double)want[i]));
    for (size_t i = k * TEST_WEIGHTS; i < (k + 1) * TEST_WEIGHTS; i++)
      if (!(fabs((double)got[i] - (double)want[i]) <= (g->exact ? 0 : tolerance * scale + 0x1p-126)))
        fail_msg("%s, %s gradients: [%zu] is %.9g, the package has %.9g (off by %.3g of the largest, %.3g)", name,
                 test_kinds[k], i % TEST_WEIGHTS, (double)got[i], (double)want[i],
                 fabs((double)got[i] - (double)want[i]) / scale, scale);
  }
  free(want);
}

static void golden_check_params(const golden *g, const char *what, double tolerance) {
  float *p = test_read(g->params);
  for (size_t c = 0; c < g->count; c++) golden_compare(g, c, what, p + c * CASE_N, tolerance);
  free(p);
}

static void golden_check_states(const golden *g, double tolerance) {
  for (size_t c = 0; c < g->count; c++)
    for (size_t k = 0; k < cliv_optimizer_state_count(g->optimizer, c); k++) {
      const char *state = cliv_optimizer_state_name(g->optimizer, c, k);
      cliv_tensor *view;
      ASSERT_OK(cliv_tensor_context(g->params), cliv_optimizer_state(g->optimizer, c, state, &view));
      float *s = test_read(view);
      golden_compare(g, c, state, s, tolerance);
      free(s);
      cliv_tensor_free(view);
    }
}

/* From a case's metadata "rule=NAME preset=NAME hyper=value …". */
static void golden_add_case(golden *g, const char *key, const char *text, const float *initial) {
  cliv_context *ctx = cliv_tensor_context(g->params);
  const size_t shape[] = {TEST_KINDS, TEST_WEIGHTS}, first = g->count * CASE_N;
  int group;
  ASSERT_OK(ctx, cliv_optimizer_group(g->optimizer, &group));
  char copy[256];
  snprintf(copy, sizeof copy, "%s", text);
  strtok(copy, " ");
  strtok(NULL, " ");
  for (char *pair; (pair = strtok(NULL, " ")) != NULL;) {
    char *value = strchr(pair, '=');
    *value++ = 0;
    ASSERT_OK(ctx, cliv_optimizer_set(g->optimizer, group, pair, strtod(value, NULL)));
  }
  float start[CASE_N];
  for (size_t i = 0; i < CASE_N; i++) start[i] = initial[i % TEST_WEIGHTS];
  cliv_tensor *p, *d;
  ASSERT_OK(ctx, cliv_tensor_view(g->params, first, 2, shape, 0, &p));
  ASSERT_OK(ctx, cliv_tensor_view(g->grads, first, 2, shape, 0, &d));
  ASSERT_OK(ctx, cliv_tensor_write(p, start, sizeof start));
  ASSERT_OK(ctx, cliv_optimizer_add(g->optimizer, p, d, group));
  cliv_tensor_free(p);
  cliv_tensor_free(d);
  assert_true(g->count < GOLDEN_CASES);
  g->names[g->count++] = key;
}

static void golden_run(golden *g, bool states) {
  cliv_context *ctx = cliv_tensor_context(g->params);
  const size_t bytes = cliv_tensor_count(g->grads) * sizeof(float);
  float *all = test_alloc(bytes), *kind[TEST_KINDS];
  memset(all, 0, bytes);
  for (size_t k = 0; k < TEST_KINDS; k++) {
    char name[32];
    snprintf(name, sizeof name, "gradients.%s", test_kinds[k]);
    kind[k] = test_golden_read(g->start, name);
  }
  const int steps = test_small() ? TEST_MIDDLE : TEST_STEPS;
  for (int t = 0; t < steps; t++) {
    for (size_t r = 0; r < g->count * TEST_KINDS; r++)
      memcpy(all + r * TEST_WEIGHTS, kind[r % TEST_KINDS] + t * TEST_WEIGHTS, TEST_WEIGHTS * sizeof *all);
    ASSERT_OK(ctx, cliv_tensor_write(g->grads, all, bytes));
    ASSERT_OK(ctx, cliv_optimizer_step(g->optimizer, NULL));
    if (t + 1 == TEST_MIDDLE) golden_check_params(g, "p20", 1e-6);
  }
  if (steps == TEST_STEPS) golden_check_params(g, "p50", 2e-6);
  if (steps == TEST_STEPS && states) golden_check_states(g, 2e-6);
  for (size_t k = 0; k < TEST_KINDS; k++) free(kind[k]);
  free(all);
}

/* The count of cases that the file has of this rule and preset. */
static size_t golden_preset(cliv_context *ctx, cliv_safetensors *file, cliv_safetensors *start, const char *rule,
                            const char *preset) {
  golden g = {.file = file, .start = start};
  const bool own = file == start;
  g.exact = own && (!strcmp(rule, "sgd") || !strcmp(rule, "lion") || !strcmp(rule, "rprop"));
  const size_t shape[] = {GOLDEN_CASES, TEST_KINDS, TEST_WEIGHTS};
  const cliv_optimizer_options options = {.size = sizeof options, .preset = preset};
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, shape, &g.params));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, shape, &g.grads));
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, rule, &options, &g.optimizer));
  float *initial = test_golden_read(start, "initial");
  char begins[64];
  const int length = snprintf(begins, sizeof begins, "rule=%s preset=%s", rule, preset);
  size_t count;
  const cliv_metadata *metadata = cliv_safetensors_metadata_list(file, &count);
  for (size_t i = 0; i < count; i++)
    if (!strncmp(metadata[i].value, begins, (size_t)length) && strchr(" ", metadata[i].value[length]))
      golden_add_case(&g, metadata[i].key, metadata[i].value, initial);
  free(initial);
  if (g.count) golden_run(&g, own);
  cliv_optimizer_free(g.optimizer);
  cliv_tensor_free(g.params);
  cliv_tensor_free(g.grads);
  return g.count;
}

static void agrees_with_packages(void **state) {
  (void)state;
  cliv_safetensors *torch = test_golden("tests/golden/torch.safetensors");
  cliv_safetensors *packages = test_golden("tests/golden/packages.safetensors");
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t i = 0; i < cliv_rule_count(); i++) {
      const cliv_rule_info *rule = cliv_rule_get(i);
      if (!tries(rule->name)) continue;
      size_t cases = 0;
      for (size_t k = 0; k < rule->preset_count; k++) {
        const cliv_preset_info *preset = &rule->presets[k];
        const size_t found = golden_preset(ctx, torch, torch, rule->name, preset->name) +
                             golden_preset(ctx, packages, torch, rule->name, preset->name);
        if (!found && test_has_package(preset))
          fail_msg("%s has no trajectory with preset %s", rule->name, preset->name);
        cases += found;
      }
      if (cases < 3) fail_msg("%s has %zu trajectories", rule->name, cases);
    }
    test_close(ctx);
  }
  cliv_safetensors_free(torch);
  cliv_safetensors_free(packages);
}

/* ---- formulas in double ---- */

/* One element, before and after a step; `weight` is the sum of the magnitudes of all that w's new value is made of. */
typedef struct element {
  double w, g, s[CLIV__MAX_STATES];
  double weight, state_weight[CLIV__MAX_STATES];
} element;

static double hyper(const cliv_optimizer *o, const char *name) {
  double value;
  ASSERT_OK(NULL, cliv_optimizer_get(o, 0, name, &value));
  return value;
}

/* The gradient with coupled decay in e->g, its size in *size; the weight that a decoupled one leaves in e->w. */
static void ref_decay(const cliv_optimizer *o, double lr, element *e, double *size) {
  const double wd = hyper(o, "weight_decay");
  const bool decoupled = hyper(o, "decoupled_weight_decay") != 0;
  *size = fabs(e->g) + (decoupled ? 0 : fabs(wd * e->w));
  e->weight = fabs(e->w) * (decoupled ? 1 + lr * wd : 1);
  if (decoupled) e->w -= lr * wd * e->w;
  else e->g += wd * e->w;
}

/* s ← b·s + (1 - b)·x, of terms of the size `size`. */
static void ref_mean(element *e, size_t k, double b, double x, double size) {
  e->state_weight[k] = b * fabs(e->s[k]) + (1 - b) * (size + fabs(e->s[k]));
  e->s[k] = b * e->s[k] + (1 - b) * x;
}

/* How much the relative error of a root is of its argument's. */
static double loss(double size, double value) { return 1 + size / (fabs(value) + 1e-300); }

static void ref_sgd(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), mu = hyper(o, "momentum");
  double size;
  ref_decay(o, lr, e, &size);
  const double g = e->g, inside = hyper(o, "lr_in_momentum") != 0 && mu > 0 ? lr : 1, outside = inside != 1 ? 1 : lr;
  double d = g, d_size = size;
  if (mu > 0) {
    const double own = inside * (hyper(o, "averaged") != 0 ? 1 - mu : 1);
    const double gain = hyper(o, "averaged") != 0 || t == 1 ? own : inside * (1 - hyper(o, "dampening"));
    e->state_weight[0] = mu * fabs(e->s[0]) + gain * size;
    e->s[0] = mu * e->s[0] + gain * g;
    d = hyper(o, "nesterov") != 0 ? own * g + mu * e->s[0] : e->s[0];
    d_size = e->state_weight[0] + (hyper(o, "nesterov") != 0 ? size : 0);
  }
  e->weight += outside * d_size;
  e->w -= outside * d;
}

static double ref_root(const cliv_optimizer *o, double square) {
  const double eps = hyper(o, "eps");
  return hyper(o, "eps_in_root") != 0 ? sqrt(square + eps) : sqrt(square) + eps;
}

static void ref_adagrad(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr") / (1 + (t - 1) * hyper(o, "lr_decay"));
  double size;
  ref_decay(o, lr, e, &size);
  e->state_weight[0] = e->s[0] + size * size;
  e->s[0] += e->g * e->g;
  const double root = ref_root(o, e->s[0]);
  e->weight += lr * size / root * loss(e->state_weight[0], e->s[0]);
  e->w -= lr * e->g / root;
}

static void ref_rmsprop(const cliv_optimizer *o, int t, element *e) {
  (void)t;
  const double lr = hyper(o, "lr"), a = hyper(o, "alpha"), mu = hyper(o, "momentum");
  double size;
  ref_decay(o, lr, e, &size);
  ref_mean(e, 0, a, e->g * e->g, size * size);
  double square = e->s[0], square_size = e->state_weight[0];
  size_t k = 1;
  if (hyper(o, "centered") != 0) {
    ref_mean(e, 1, a, e->g, size);
    square -= e->s[1] * e->s[1];
    square_size += e->state_weight[1] * e->state_weight[1];
    k = 2;
  }
  const double inside = mu > 0 && hyper(o, "lr_in_momentum") != 0 ? lr : 1, outside = inside != 1 ? 1 : lr;
  const double root = ref_root(o, square);
  double d = inside * e->g / root, d_size = inside * size / root * loss(square_size, square);
  if (mu > 0) {
    d_size += mu * fabs(e->s[k]);
    d = e->s[k] = mu * e->s[k] + d;
    e->state_weight[k] = d_size;
  }
  e->weight += outside * d_size;
  e->w -= outside * d;
}

static void ref_adadelta(const cliv_optimizer *o, int t, element *e) {
  (void)t;
  const double lr = hyper(o, "lr"), rho = hyper(o, "rho"), eps = hyper(o, "eps");
  double size;
  ref_decay(o, lr, e, &size);
  ref_mean(e, 0, rho, e->g * e->g, size * size);
  const double ratio = sqrt(e->s[1] + eps) / sqrt(e->s[0] + eps), d = ratio * e->g;
  const double d_size = ratio * size * loss(e->state_weight[0], e->s[0]);
  ref_mean(e, 1, rho, d * d, d_size * d_size);
  e->weight += lr * d_size;
  e->w -= lr * d;
}

static void ref_adam(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2"), eps = hyper(o, "eps");
  double size;
  const bool corrected = hyper(o, "max_lr") > 0 && hyper(o, "decoupled_weight_decay") != 0;
  ref_decay(o, corrected ? lr * lr / hyper(o, "max_lr") : lr, e, &size);
  ref_mean(e, 0, b1, e->g, size);
  ref_mean(e, 1, b2, e->g * e->g, size * size);
  const bool correct = hyper(o, "bias_correction") != 0;
  const double c1 = correct ? 1 - pow(b1, t) : 1, c2 = correct ? 1 - pow(b2, t) : 1;
  double square = e->s[1], scale = c2;
  if (hyper(o, "amsgrad") != 0) {
    if (hyper(o, "corrected_max") != 0) square /= c2, scale = 1;
    e->state_weight[2] = fabs(e->s[2]) + e->state_weight[1] / (scale == 1 ? c2 : 1);
    square = e->s[2] = fmax(e->s[2], square);
  }
  const bool hat = hyper(o, "eps_hat") != 0;
  const double root = (hat ? sqrt(square + hyper(o, "eps_root")) : sqrt(square / scale + hyper(o, "eps_root"))) + eps;
  const double step = lr / c1 / root * (hat ? sqrt(scale) : 1);
  e->weight += step * e->state_weight[0] * loss(e->state_weight[1], e->s[1]);
  e->w -= step * e->s[0];
}

static void ref_adamax(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), b1 = hyper(o, "beta1"), eps = hyper(o, "eps");
  const bool outside = hyper(o, "eps_outside") != 0;
  double size;
  ref_decay(o, lr, e, &size);
  ref_mean(e, 0, b1, e->g, size);
  const double old = hyper(o, "beta2") * e->s[1];
  e->s[1] = fmax(old, fabs(e->g) + (outside ? 0 : eps));
  e->state_weight[1] = fmax(old, size + eps);
  const double c1 = hyper(o, "bias_correction") != 0 ? 1 - pow(b1, t) : 1, u = e->s[1] + (outside ? eps : 0);
  e->weight += lr / c1 * e->state_weight[0] / u * loss(e->state_weight[1], u);
  e->w -= lr / c1 * e->s[0] / u;
}

static double ref_nadam_momentum(const cliv_optimizer *o, int t) {
  const double decay = hyper(o, "momentum_schedule") != 0 ? pow(0.96, t * hyper(o, "momentum_decay")) : 0;
  return hyper(o, "beta1") * (1 - 0.5 * decay);
}

static void ref_nadam(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), b2 = hyper(o, "beta2");
  double size, product = 1;
  for (int k = 1; k <= t; k++) product *= ref_nadam_momentum(o, k);
  ref_decay(o, lr, e, &size);
  ref_mean(e, 0, hyper(o, "beta1"), e->g, size);
  ref_mean(e, 1, b2, e->g * e->g, size * size);
  const double now = ref_nadam_momentum(o, t), next = ref_nadam_momentum(o, t + 1);
  const double root = sqrt(e->s[1] / (1 - pow(b2, t))) + hyper(o, "eps");
  const double of_g = lr * (1 - now) / (1 - product) / root, of_m = lr * next / (1 - product * next) / root;
  e->weight += (of_g * size + of_m * e->state_weight[0]) * loss(e->state_weight[1], e->s[1]);
  e->w -= of_g * e->g + of_m * e->s[0];
}

static void ref_radam(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2"), eps = hyper(o, "eps");
  double size;
  ref_decay(o, lr, e, &size);
  ref_mean(e, 0, b1, e->g, size);
  ref_mean(e, 1, b2, e->g * e->g, size * size);
  const double most = 2 / (1 - b2) - 1, c2 = 1 - pow(b2, t), rho = most - 2 * t * pow(b2, t) / c2;
  double step = lr / (1 - pow(b1, t)), spread = 1;
  if (rho > hyper(o, "threshold")) {
    step *= sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho));
    step /= hyper(o, "eps_hat") != 0 ? (sqrt(e->s[1]) + eps) / sqrt(c2) : sqrt(e->s[1] / c2) + eps;
    spread = loss(e->state_weight[1], e->s[1]);
  }
  e->weight += step * e->state_weight[0] * spread;
  e->w -= step * e->s[0];
}

static void ref_rprop(const cliv_optimizer *o, int t, element *e) {
  (void)t;
  const double agree = e->g * e->s[0];
  const double step = e->s[1] * (agree > 0 ? hyper(o, "etaplus") : agree < 0 ? hyper(o, "etaminus") : 1);
  e->s[1] = fmin(fmax(step, hyper(o, "step_size_min")), hyper(o, "step_size_max"));
  e->s[0] = agree < 0 ? 0 : e->g;
  e->state_weight[0] = fabs(e->g);
  e->state_weight[1] = e->s[1];
  e->weight = fabs(e->w) + e->s[1];
  e->w += e->s[1] * (e->s[0] < 0) - e->s[1] * (e->s[0] > 0);
}

static void ref_asgd(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), wd = hyper(o, "weight_decay"), lambd = hyper(o, "lambd");
  const double eta = lr / pow(1 + lambd * lr * (t - 1), hyper(o, "alpha")), mu = 1 / fmax(1, t - 1 - hyper(o, "t0"));
  const double g = e->g + wd * e->w;
  e->weight = fabs(e->w) * (1 + lambd * eta) + eta * (fabs(e->g) + fabs(wd * e->w));
  e->w = e->w * (1 - lambd * eta) - eta * g;
  e->state_weight[0] = fabs(e->s[0]) + mu * (fabs(e->s[0]) + e->weight);
  e->s[0] += mu * (e->w - e->s[0]);
}

/* A step by the sign of d. Where d is all rounding its sign is not known: the weight of w then covers both. */
static void ref_sign(element *e, double lr, double wd, double d, double d_size) {
  e->weight = fabs(e->w) + lr;
  if (d != 0 && fabs(d) <= 0x1p-22 * d_size) e->weight = 0x1p24 * lr;
  e->w += -lr * wd * e->w - lr * (d > 0) + lr * (d < 0);
}

static void ref_lion(const cliv_optimizer *o, int t, element *e) {
  (void)t;
  const double b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2");
  const double d = b1 * e->s[0] + (1 - b1) * e->g, d_size = b1 * fabs(e->s[0]) + (1 - b1) * fabs(e->g);
  ref_sign(e, hyper(o, "lr"), hyper(o, "weight_decay"), d, d_size);
  e->state_weight[0] = b2 * fabs(e->s[0]) + (1 - b2) * fabs(e->g);
  e->s[0] = b2 * e->s[0] + (1 - b2) * e->g;
}

static void ref_signum(const cliv_optimizer *o, int t, element *e) {
  (void)t;
  ref_mean(e, 0, hyper(o, "beta"), e->g, fabs(e->g));
  ref_sign(e, hyper(o, "lr"), hyper(o, "weight_decay"), e->s[0], e->state_weight[0]);
}

static void ref_sophia(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), b2 = hyper(o, "beta2"), interval = hyper(o, "hessian_interval");
  ref_mean(e, 0, hyper(o, "beta1"), e->g, fabs(e->g));
  const double divisor = hyper(o, "rho") * hyper(o, "batch_size") * e->s[1] + hyper(o, "eps");
  const double ratio = fmin(fabs(e->s[0]) / divisor, 1);
  ref_sign(e, lr * ratio, 0, e->s[0], e->state_weight[0]);
  e->weight += lr * fmin(e->state_weight[0] / divisor, 1);
  const double before = e->w + lr * ratio * ((e->s[0] > 0) - (e->s[0] < 0));
  e->w -= lr * hyper(o, "weight_decay") * before;
  e->state_weight[1] = fabs(e->s[1]);
  if (interval > 0 && fmod(t, interval) == 0) ref_mean(e, 1, b2, e->g * e->g, e->g * e->g);
}

static void ref_qhm(const cliv_optimizer *o, int t, element *e) {
  (void)t;
  const double lr = hyper(o, "lr"), nu = hyper(o, "nu");
  double size;
  ref_decay(o, lr, e, &size);
  ref_mean(e, 0, hyper(o, "momentum"), e->g, size);
  e->weight += lr * (nu * e->state_weight[0] + fabs(1 - nu) * size);
  e->w -= lr * (nu * e->s[0] + (1 - nu) * e->g);
}

static void ref_madgrad(const cliv_optimizer *o, int t, element *e) {
  const double mu = hyper(o, "momentum"), eps = hyper(o, "eps"), lr = hyper(o, "lr") + eps,
               wd = hyper(o, "weight_decay");
  const bool decoupled = hyper(o, "decoupled_weight_decay") != 0;
  const double lamb = lr * sqrt(t), g = e->g + (decoupled ? 0 : wd * e->w);
  const double size = fabs(e->g) + (decoupled ? 0 : fabs(wd * e->w)), w = e->w;
  double start = w, start_size = fabs(w);
  if (mu == 0) {
    start += e->s[1] / (cbrt(e->s[0]) + eps);
    start_size += fabs(e->s[1]) / (cbrt(e->s[0]) + eps);
  } else {
    if (t == 1) e->s[2] = w;
    e->state_weight[2] = 0;
    start = e->s[2];
    start_size = fabs(start);
  }
  e->state_weight[0] = e->s[0] + lamb * size * size;
  e->state_weight[1] = fabs(e->s[1]) + lamb * size;
  e->s[0] += lamb * g * g;
  e->s[1] += lamb * g;
  const double root = cbrt(e->s[0]) + eps;
  e->weight = fabs(w) + start_size + e->state_weight[1] / root * loss(e->state_weight[0], e->s[0]);
  e->w = mu * w + (1 - mu) * (start - e->s[1] / root) - (decoupled ? lr * wd * w : 0);
}

/* lr of step t; the part that the step is of the mean of all so far in *part. */
static double ref_part(const cliv_optimizer *o, int t, double *part) {
  double lr = 0, most = 0, weight = 0, sum = 0;
  for (int k = 1; k <= t; k++) {
    lr = hyper(o, "lr") * (k < hyper(o, "warmup_steps") ? k / hyper(o, "warmup_steps") : 1);
    most = fmax(most, lr);
    weight = pow(k, hyper(o, "r")) * pow(most, hyper(o, "weight_lr_power"));
    sum += weight;
  }
  *part = sum > 0 ? weight / sum : 0;
  return lr;
}

/* By its three sequences: y = beta·x + (1 - beta)·z, where x is worked out from y and z. d: what z goes along. */
static void ref_schedule_free(const cliv_optimizer *o, int t, element *e, double beta, double d, double size) {
  double c;
  const double lr = ref_part(o, t, &c), z = t == 1 ? e->w : e->s[0], x = (e->w - (1 - beta) * z) / beta;
  e->s[0] = z - lr * d;
  e->state_weight[0] = fabs(z) + lr * size;
  const double mean = (1 - c) * x + c * e->s[0];
  e->weight = fabs(e->w) + fabs(z) + lr * size;
  e->w = beta * mean + (1 - beta) * e->s[0];
}

static void ref_schedule_free_sgd(const cliv_optimizer *o, int t, element *e) {
  const double wd = hyper(o, "weight_decay");
  ref_schedule_free(o, t, e, hyper(o, "momentum"), e->g + wd * e->w, fabs(e->g) + fabs(wd * e->w));
}

static void ref_schedule_free_adamw(const cliv_optimizer *o, int t, element *e) {
  const double wd = hyper(o, "weight_decay"), b2 = hyper(o, "beta2");
  ref_mean(e, 1, b2, e->g * e->g, e->g * e->g);
  const double d = e->g / (sqrt(e->s[1] / (1 - pow(b2, t))) + hyper(o, "eps"));
  ref_schedule_free(o, t, e, hyper(o, "beta1"), d + wd * e->w, fabs(d) + fabs(wd * e->w));
}

static void ref_ftrl(const cliv_optimizer *o, int t, element *e) {
  (void)t;
  const double lr = hyper(o, "lr"), l1 = hyper(o, "l1"), shrinkage = 2 * hyper(o, "l2_shrinkage");
  const double w = e->w - lr * hyper(o, "weight_decay") * e->w, sum = e->s[0] + e->g * e->g;
  const double root = sqrt(sum), old = sqrt(e->s[0]);
  e->s[1] += e->g + shrinkage * w - (root - old) / lr * w;
  e->state_weight[1] = fabs(e->s[1]) + fabs(e->g) + shrinkage * fabs(w) + (root + old) / lr * fabs(w);
  e->state_weight[0] = e->s[0] = sum;
  const double quadratic = root / lr + 2 * hyper(o, "l2") + hyper(o, "beta") / lr;
  e->weight = (e->state_weight[1] + l1) / quadratic;
  e->w = fabs(e->s[1]) <= l1 ? 0 : (copysign(l1, e->s[1]) - e->s[1]) / quadratic;
}

static void ref_yogi(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2");
  double size;
  ref_decay(o, lr, e, &size);
  ref_mean(e, 0, b1, e->g, size);
  const double square = e->g * e->g, way = e->s[1] - square;
  e->state_weight[1] = fabs(e->s[1]) + (1 - b2) * size * size;
  if (fabs(way) <= 0x1p-22 * (e->s[1] + size * size)) e->state_weight[1] *= 0x1p24; /* its sign is not known */
  e->s[1] -= (1 - b2) * ((way > 0) - (way < 0)) * square;
  const double root = sqrt(e->s[1] / (1 - pow(b2, t))) + hyper(o, "eps"), step = lr / (1 - pow(b1, t)) / root;
  e->weight += step * e->state_weight[0] * loss(e->state_weight[1], e->s[1]);
  e->w -= step * e->s[0];
}

static void ref_adabelief(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2"), eps = hyper(o, "eps");
  double size;
  ref_decay(o, lr, e, &size);
  ref_mean(e, 0, b1, e->g, size);
  const double surprise = e->g - e->s[0], surprise_size = size + e->state_weight[0];
  ref_mean(e, 1, b2, surprise * surprise, surprise_size * surprise_size);
  e->s[1] += hyper(o, "eps_root");
  e->state_weight[1] += hyper(o, "eps_root");
  const double c2 = 1 - pow(b2, t), most = 2 / (1 - b2) - 1, rho = most - 2 * t * pow(b2, t) / c2;
  double step = lr / (1 - pow(b1, t)), spread = loss(e->state_weight[1], e->s[1]);
  if (hyper(o, "rectify") == 0) step /= sqrt(e->s[1] / c2) + eps;
  else if (rho > 5)
    step *= sqrt(c2 * (rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho)) / (sqrt(e->s[1]) + eps);
  else spread = 1;
  e->weight += step * e->state_weight[0] * spread;
  e->w -= step * e->s[0];
}

static void ref_adan(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2"), b3 = hyper(o, "beta3");
  const double decay = lr * hyper(o, "weight_decay"), look = hyper(o, "rest_look") != 0 ? 1 - b2 : b2;
  const double diff = t == 1 ? 0 : e->g - e->s[3], diff_size = t == 1 ? 0 : fabs(e->g) + fabs(e->s[3]);
  const double ahead = e->g + look * diff, ahead_size = fabs(e->g) + look * diff_size;
  ref_mean(e, 0, b1, e->g, fabs(e->g));
  ref_mean(e, 1, b2, diff, diff_size);
  ref_mean(e, 2, b3, ahead * ahead, ahead_size * ahead_size);
  e->s[3] = e->g;
  e->state_weight[3] = 0;
  const double root = sqrt(e->s[2] / (1 - pow(b3, t)) + hyper(o, "eps_root")) + hyper(o, "eps");
  const double of_m = lr / (1 - pow(b1, t)) / root, of_d = lr * look / (1 - pow(b2, t)) / root;
  e->weight = fabs(e->w) + (of_m * e->state_weight[0] + of_d * e->state_weight[1]) * loss(e->state_weight[2], e->s[2]);
  const bool before = hyper(o, "no_prox") != 0;
  e->w = before ? e->w * (1 - decay) : e->w;
  e->w -= of_m * e->s[0] + of_d * e->s[1];
  e->w /= before ? 1 : 1 + decay;
}

static void ref_laprop(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2");
  ref_mean(e, 1, b2, e->g * e->g, e->g * e->g);
  const double n = e->g / (sqrt(e->s[1] / (1 - pow(b2, t))) + hyper(o, "eps"));
  e->state_weight[0] = b1 * fabs(e->s[0]) + lr * (1 - b1) * fabs(n);
  e->s[0] = b1 * e->s[0] + lr * (1 - b1) * n;
  e->weight = fabs(e->w) + e->state_weight[0] / (1 - pow(b1, t));
  e->w = (e->w - e->s[0] / (1 - pow(b1, t))) * (1 - lr * hyper(o, "weight_decay"));
}

static void ref_adopt(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), b2 = t == 1 ? 0 : hyper(o, "beta2"), w = e->w;
  double size;
  ref_decay(o, lr, e, &size);
  if (t == 1) e->w = w; /* the first step only begins the mean square */
  const double most = pow(t - 1, hyper(o, "clip_exp")), root = fmax(sqrt(e->s[1]), hyper(o, "eps"));
  const double normed = t == 1 ? 0 : fmax(fmin(e->g / root, most), -most);
  ref_mean(e, 0, hyper(o, "beta1"), normed, t == 1 ? 0 : fmin(size / root, 2 * most));
  ref_mean(e, 1, b2, e->g * e->g, size * size);
  e->weight += lr * e->state_weight[0];
  e->w -= lr * e->s[0];
}

static void ref_ademamix(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2");
  double b3 = hyper(o, "beta3"), alpha = hyper(o, "alpha");
  if (hyper(o, "t_alpha") > 0) alpha *= fmin(t / hyper(o, "t_alpha"), 1);
  if (hyper(o, "t_beta3") > t) {
    const double part = t / hyper(o, "t_beta3"), half1 = 1 / log(b1), half3 = 1 / log(b3);
    b3 = exp(1 / ((1 - part) * half1 + part * half3));
  }
  ref_mean(e, 0, b1, e->g, fabs(e->g));
  ref_mean(e, 1, b3, e->g, fabs(e->g));
  ref_mean(e, 2, b2, e->g * e->g, e->g * e->g);
  const double root = sqrt(e->s[2] / (1 - pow(b2, t))) + hyper(o, "eps"), c1 = 1 - pow(b1, t);
  e->weight = fabs(e->w) + lr * (e->state_weight[0] / c1 + alpha * e->state_weight[1]) / root;
  e->w -= lr * ((e->s[0] / c1 + alpha * e->s[1]) / root + hyper(o, "weight_decay") * e->w);
}

static void ref_qhadam(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2");
  const double nu1 = hyper(o, "nu1"), nu2 = hyper(o, "nu2");
  double size;
  ref_decay(o, lr, e, &size);
  ref_mean(e, 0, 1 - (1 - b1) / (1 - pow(b1, t)), e->g, size);
  ref_mean(e, 1, 1 - (1 - b2) / (1 - pow(b2, t)), e->g * e->g, size * size);
  const double square = nu2 * e->s[1] + (1 - nu2) * e->g * e->g, root = sqrt(square) + hyper(o, "eps");
  const double square_size = nu2 * e->state_weight[1] + (1 - nu2) * size * size;
  e->weight += lr * (nu1 * e->state_weight[0] + fabs(1 - nu1) * size) / root * loss(square_size, square);
  e->w -= lr * (nu1 * e->s[0] + (1 - nu1) * e->g) / root;
}

static void ref_adabound(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2"), final = hyper(o, "final_lr");
  const double gamma = hyper(o, "gamma");
  double size;
  ref_decay(o, lr, e, &size);
  ref_mean(e, 0, b1, e->g, size);
  ref_mean(e, 1, b2, e->g * e->g, size * size);
  const double step = lr * sqrt(1 - pow(b2, t)) / (1 - pow(b1, t)) / (sqrt(e->s[1]) + hyper(o, "eps"));
  const double rate = fmin(fmax(step, final * (1 - 1 / (gamma * t + 1))), final * (1 + 1 / (gamma * t)));
  e->weight += rate * e->state_weight[0] * loss(e->state_weight[1], e->s[1]);
  e->w -= rate * e->s[0];
}

static const struct reference {
  const char *rule;
  void (*step)(const cliv_optimizer *o, int t, element *e);
} references[] = {
    {"sgd", ref_sgd},
    {"adagrad", ref_adagrad},
    {"rmsprop", ref_rmsprop},
    {"adam", ref_adam},
    {"adamw", ref_adam},
    {"lion", ref_lion},
    {"adadelta", ref_adadelta},
    {"adamax", ref_adamax},
    {"nadam", ref_nadam},
    {"radam", ref_radam},
    {"rprop", ref_rprop},
    {"asgd", ref_asgd},
    {"signum", ref_signum},
    {"yogi", ref_yogi},
    {"adabelief", ref_adabelief},
    {"adan", ref_adan},
    {"madgrad", ref_madgrad},
    {"laprop", ref_laprop},
    {"adopt", ref_adopt},
    {"ademamix", ref_ademamix},
    {"qhm", ref_qhm},
    {"qhadam", ref_qhadam},
    {"ftrl", ref_ftrl},
    {"sophia", ref_sophia},
    {"adabound", ref_adabound},
    {"schedule_free_sgd", ref_schedule_free_sgd},
    {"schedule_free_adamw", ref_schedule_free_adamw},
};

/* Options beside the defaults: "hyper=value …". */
static const struct variant {
  const char *rule, *options;
} variants[] = {
    {"sgd", ""},
    {"sgd", "lr=0.3 weight_decay=0.2"},
    {"sgd", "momentum=0.9"},
    {"sgd", "momentum=0.9 dampening=0.5 weight_decay=0.1"},
    {"sgd", "momentum=0.7 nesterov=1 maximize=1"},
    {"sgd", "momentum=0.9 averaged=1"},
    {"sgd", "momentum=0.9 averaged=1 nesterov=1"},
    {"sgd", "momentum=0.9 lr_in_momentum=1 nesterov=1 weight_decay=0.2 decoupled_weight_decay=1 lr=0.1"},
    {"adagrad", ""},
    {"adagrad", "eps_in_root=1 eps=0.01 weight_decay=0.2 decoupled_weight_decay=1 lr=0.1"},
    {"adagrad", "lr=0.5 lr_decay=0.5 weight_decay=0.1 initial_accumulator_value=0.25 eps=0.01 maximize=1"},
    {"rmsprop", ""},
    {"rmsprop", "alpha=0.5 weight_decay=0.1 maximize=1"},
    {"rmsprop", "momentum=0.9 eps=0.001"},
    {"rmsprop", "centered=1 eps=0.01"},
    {"rmsprop", "centered=1 momentum=0.5 alpha=0.3 eps=0.1 weight_decay=0.1"},
    {"rmsprop", "momentum=0.5 lr_in_momentum=1 eps_in_root=1 weight_decay=0.2 decoupled_weight_decay=1 lr=0.1"},
    {"rmsprop", "initial_accumulator_value=1 eps_in_root=1"},
    {"adam", ""},
    {"adam", "amsgrad=1 beta2=0.5"},
    {"adam", "amsgrad=1 beta2=0.5 corrected_max=1 eps_root=0.01"},
    {"adam", "eps_hat=1 eps=0.01 lr=0.1"},
    {"adam", "decoupled_weight_decay=1 lr=0.1 weight_decay=0.5"},
    {"adam", "bias_correction=0 weight_decay=0.3"},
    {"adam", "beta1=0 beta2=0 eps=0.1 maximize=1"},
    {"adam", "beta1=0.4 beta2=0.6 lr=0.1"},
    {"adamw", ""},
    {"adamw", "lr=0.1 weight_decay=0.5 beta1=0.95"},
    {"adamw", "lr=0.1 weight_decay=0.5 max_lr=0.2"},
    {"adamw", "bias_correction=0 maximize=1"},
    {"lion", ""},
    {"lion", "lr=0.1 weight_decay=0.5 beta1=0.3 beta2=0.6 maximize=1"},
    {"adadelta", ""},
    {"adadelta", "lr=0.5 rho=0.5 eps=0.01 weight_decay=0.1 maximize=1"},
    {"adadelta", "lr=0.5 weight_decay=0.1 decoupled_weight_decay=1"},
    {"adamax", ""},
    {"adamax", "lr=0.1 beta1=0.5 beta2=0.5 eps=0.1 weight_decay=0.1 maximize=1"},
    {"adamax", "lr=0.1 eps=0.1 eps_outside=1 bias_correction=0 weight_decay=0.1 decoupled_weight_decay=1"},
    {"nadam", ""},
    {"nadam", "lr=0.1 beta1=0.5 beta2=0.5 eps=0.1 weight_decay=0.1 momentum_decay=1 maximize=1"},
    {"nadam", "lr=0.1 momentum_schedule=0 weight_decay=0.1 decoupled_weight_decay=1"},
    {"radam", ""},
    {"radam", "lr=0.1 beta1=0.5 beta2=0.9 eps=0.1 weight_decay=0.1 threshold=4 maximize=1"},
    {"radam", "lr=0.1 beta2=0.8 threshold=4 eps=0.1 eps_hat=0 weight_decay=0.1 decoupled_weight_decay=1"},
    {"rprop", ""},
    {"rprop", "lr=0.1 etaminus=0.3 etaplus=1.5 step_size_min=0.08 step_size_max=0.12 maximize=1"},
    {"asgd", ""},
    {"asgd", "lr=0.1 lambd=0.5 alpha=0.6 t0=1 weight_decay=0.1 maximize=1"},
    {"signum", ""},
    {"signum", "lr=0.1 beta=0.3 weight_decay=0.5 maximize=1"},
    {"yogi", ""},
    {"yogi", "lr=0.1 beta1=0.5 beta2=0.5 eps=0.1 weight_decay=0.1 initial_accumulator_value=0.5 maximize=1"},
    {"yogi", "weight_decay=0.5 decoupled_weight_decay=1"},
    {"adabelief", ""},
    {"adabelief", "lr=0.1 beta1=0.5 beta2=0.9 eps=0.1 eps_root=0.01 weight_decay=0.1 maximize=1"},
    {"adabelief", "lr=0.1 rectify=0 eps=0.01 weight_decay=0.1 decoupled_weight_decay=0"},
    {"adan", ""},
    {"adan", "lr=0.1 beta1=0.5 beta2=0.3 beta3=0.7 eps=0.1 weight_decay=0.5 maximize=1"},
    {"adan", "lr=0.1 eps_root=0.01 no_prox=1 rest_look=1 weight_decay=0.5"},
    {"schedule_free_sgd", ""},
    {"schedule_free_sgd", "lr=0.1 momentum=0.5 weight_decay=0.1 warmup_steps=4 r=1.5 maximize=1"},
    {"schedule_free_adamw", ""},
    {"schedule_free_adamw", "lr=0.1 beta1=0.5 beta2=0.9 weight_decay=0.1 warmup_steps=3 weight_lr_power=0.5"},
    {"madgrad", ""},
    {"madgrad", "lr=0.1 momentum=0 eps=0.01 weight_decay=0.1 maximize=1"},
    {"madgrad", "lr=0.1 momentum=0.5 weight_decay=0.1 decoupled_weight_decay=1"},
    {"laprop", ""},
    {"laprop", "lr=0.1 beta1=0.5 beta2=0.5 eps=0.1 weight_decay=0.5 maximize=1"},
    {"adopt", ""},
    {"adopt", "lr=0.1 beta1=0.5 beta2=0.5 eps=0.1 clip_exp=0.5 weight_decay=0.1 maximize=1"},
    {"adopt", "lr=0.1 weight_decay=0.5 decoupled_weight_decay=1"},
    {"ademamix", ""},
    {"ademamix",
     "lr=0.1 beta1=0.5 beta2=0.5 beta3=0.9 alpha=2 t_alpha=4 t_beta3=5 eps=0.1 weight_decay=0.5 maximize=1"},
    {"qhm", ""},
    {"qhm", "lr=0.1 momentum=0.5 nu=0.3 weight_decay=0.1 maximize=1"},
    {"qhm", "lr=0.1 momentum=0.9 weight_decay=0.1 decoupled_weight_decay=1"},
    {"qhadam", ""},
    {"qhadam", "lr=0.1 beta1=0.5 beta2=0.5 nu1=0.7 nu2=0.6 eps=0.1 weight_decay=0.1 maximize=1"},
    {"qhadam", "nu1=1.5 weight_decay=0.1 decoupled_weight_decay=1 lr=0.1"},
    {"ftrl", ""},
    {"ftrl",
     "lr=0.1 l1=0.5 l2=0.2 l2_shrinkage=0.1 beta=0.5 weight_decay=0.1 initial_accumulator_value=0.5 maximize=1"},
    {"sophia", ""},
    {"sophia",
     "lr=0.1 beta1=0.5 beta2=0.5 rho=0.5 batch_size=4 hessian_interval=2 eps=0.1 weight_decay=0.5 maximize=1"},
    {"sophia", "hessian_interval=0 lr=0.1"},
    {"adabound", ""},
    {"adabound", "lr=0.1 final_lr=0.5 beta1=0.5 beta2=0.5 gamma=0.5 eps=0.1 weight_decay=0.1 maximize=1"},
    {"adabound", "final_lr=0.001 gamma=0.1 weight_decay=0.1 decoupled_weight_decay=0"},
};

/* |got - want| within `units` roundings of `weight`. */
static void within(const struct variant *v, const char *what, size_t i, double got, double want, double weight,
                   double units) {
  if (!(fabs(got - want) <= units * 0x1p-24 * weight + 0x1p-149))
    fail_msg("%s %s: %s[%zu] is %.9g, not %.9g (off by %.2f roundings)", v->rule, v->options, what, i, got, want,
             fabs(got - want) / (0x1p-24 * weight));
}

static cliv_state_kind kind_of(const cliv_rule_info *rule, const char *state) {
  size_t k = 0;
  while (strcmp(rule->states[k].name, state)) k++;
  return rule->states[k].kind;
}

/* Each step starts from what the device has, so that no error adds up and every element can be held to a few roundings.
 * */
static void follows_variant(cliv_context *ctx, const struct variant *v, const struct reference *ref) {
  enum { STEPS = 7 }; /* radam divides by its root from the seventh step on */
  const size_t n = test_small() ? 100 : 1000;
  cliv_optimizer *o;
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, v->rule, NULL, &o));
  test_set_options(ctx, o, v->options);
  float *w = test_alloc(n * sizeof *w), *g = test_alloc(n * sizeof *g);
  test_fill_normal(w, n, 1);
  cliv_tensor *p, *d, *s[CLIV__MAX_STATES];
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &p));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &d));
  ASSERT_OK(ctx, cliv_tensor_write(p, w, n * sizeof *w));
  ASSERT_OK(ctx, cliv_optimizer_add(o, p, d, CLIV_DEFAULT_GROUP));
  const size_t states = cliv_optimizer_state_count(o, 0);
  float *before[CLIV__MAX_STATES] = {0}, *after[CLIV__MAX_STATES] = {0};
  for (size_t k = 0; k < states; k++) {
    ASSERT_OK(ctx, cliv_optimizer_state(o, 0, cliv_optimizer_state_name(o, 0, k), &s[k]));
    before[k] = test_read(s[k]);
  }
  const double sign = hyper(o, "maximize") != 0 ? -1 : 1;
  for (int t = 1; t <= STEPS; t++) {
    test_fill_normal(g, n, 10 + (uint64_t)t);
    for (size_t i = 0; i < n; i += 7) g[i] = 0;
    ASSERT_OK(ctx, cliv_tensor_write(d, g, n * sizeof *g));
    ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
    float *got = test_read(p);
    for (size_t k = 0; k < states; k++) after[k] = test_read(s[k]);
    for (size_t i = 0; i < n; i++) {
      element e = {.w = (double)w[i], .g = sign * (double)g[i]};
      for (size_t k = 0; k < states; k++) e.s[k] = (double)before[k][i];
      ref->step(o, t, &e);
      within(v, "param", i, (double)got[i], e.w, e.weight, 8);
      for (size_t k = 0; k < states; k++) {
        const char *state = cliv_optimizer_state_name(o, 0, k);
        within(v, state, i, (double)after[k][i], e.s[k], e.state_weight[k], 8);
        assert_true(after[k][i] >= 0 || kind_of(cliv_optimizer_rule(o), state) != CLIV_STATE_NONNEGATIVE);
      }
    }
    memcpy(w, got, n * sizeof *w);
    free(got);
    for (size_t k = 0; k < states; k++) {
      free(before[k]);
      before[k] = after[k];
    }
  }
  for (size_t k = 0; k < states; k++) {
    free(before[k]);
    cliv_tensor_free(s[k]);
  }
  cliv_optimizer_free(o);
  cliv_tensor_free(p);
  cliv_tensor_free(d);
  free(w);
  free(g);
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
        if (!strcmp(variants[v].rule, rule)) {
          follows_variant(ctx, &variants[v], &references[r]);
          tried++;
        }
      assert_true(tried >= 2);
    }
    test_close(ctx);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(table_is_consistent), cmocka_unit_test(powers_are_accurate),
                                     cmocka_unit_test(agrees_with_packages), cmocka_unit_test(follows_formulas)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
