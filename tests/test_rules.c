/* The arithmetic of every update rule: against PyTorch's trajectories, and step by step against formulas in double. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/optim.h>
#include <cliv/safetensors.h>

#include "optim/rules.h"

/* ---- the table ---- */

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
    assert_true(r->state_count <= CLIV__MAX_STATES && rule->scalar_count <= CLIV__MAX_SCALARS);
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

/* ---- PyTorch's trajectories ---- */

enum { GOLDEN_N = 40, GOLDEN_PITCH = 64, GOLDEN_STEPS = 50, GOLDEN_MIDDLE = 20, GOLDEN_CASES = 256 };
static const char *const kinds[] = {"random", "constant", "zero", "tiny", "huge", "sparse"};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct golden {
  cliv_safetensors *file;
  cliv_optimizer *optimizer;
  cliv_tensor *params, *grads;  /* (cases × kinds, GOLDEN_PITCH) */
  char names[GOLDEN_CASES][48]; /* CASE.KIND, one a parameter */
  size_t count;
  bool exact; /* every bit as PyTorch has it: rules without a square root, which PyTorch does not round correctly */
} golden;

static float *golden_read(const golden *g, const char *name) {
  cliv_array array;
  ASSERT_OK(NULL, cliv_safetensors_read(g->file, name, &array));
  assert_int_equal(array.dtype, CLIV_F32);
  return array.data;
}

/* Every element within `tolerance` of the largest; elements below the normal range count as 0. */
static void golden_compare(const golden *g, const char *name, const float *got, double tolerance) {
  float *want = golden_read(g, name);
  double scale = 0;
  for (size_t i = 0; i < GOLDEN_N; i++) scale = fmax(scale, fabs((double)want[i]));
  for (size_t i = 0; i < GOLDEN_N; i++)
    if (!(fabs((double)got[i] - (double)want[i]) <= (g->exact ? 0 : tolerance * scale + 0x1p-126)))
      fail_msg("%s[%zu] is %.9g, PyTorch has %.9g (scale %.3g)", name, i, (double)got[i], (double)want[i], scale);
  free(want);
}

static void golden_check_params(const golden *g, int step, double tolerance) {
  float *p = test_read(g->params);
  for (size_t c = 0; c < g->count; c++) {
    char name[64];
    snprintf(name, sizeof name, "%s.p%d", g->names[c], step);
    golden_compare(g, name, p + c * GOLDEN_PITCH, tolerance);
  }
  free(p);
}

static void golden_check_states(const golden *g, double tolerance) {
  for (size_t c = 0; c < g->count; c++)
    for (size_t k = 0; k < cliv_optimizer_state_count(g->optimizer, c); k++) {
      const char *state = cliv_optimizer_state_name(g->optimizer, c, k);
      char name[64];
      snprintf(name, sizeof name, "%s.%s", g->names[c], state);
      cliv_tensor *view;
      ASSERT_OK(cliv_tensor_context(g->params), cliv_optimizer_state(g->optimizer, c, state, &view));
      float *s = test_read(view);
      golden_compare(g, name, s, tolerance);
      free(s);
      cliv_tensor_free(view);
    }
}

/* One group a case from its metadata "rule=NAME hyper=value …", one parameter a gradient kind. */
static void golden_add_case(golden *g, const char *key, const char *text, const float *initial, size_t at) {
  cliv_context *ctx = cliv_tensor_context(g->params);
  int group;
  ASSERT_OK(ctx, cliv_optimizer_group(g->optimizer, &group));
  char copy[256];
  snprintf(copy, sizeof copy, "%s", text);
  strtok(copy, " ");
  for (char *pair; (pair = strtok(NULL, " ")) != NULL;) {
    char *value = strchr(pair, '=');
    *value++ = 0;
    ASSERT_OK(ctx, cliv_optimizer_set(g->optimizer, group, pair, strtod(value, NULL)));
  }
  for (size_t k = 0; k < KINDS; k++) {
    const size_t n = GOLDEN_N, row = (at * KINDS + k) * GOLDEN_PITCH;
    cliv_tensor *p, *d;
    ASSERT_OK(ctx, cliv_tensor_view(g->params, row, 1, &n, 0, &p));
    ASSERT_OK(ctx, cliv_tensor_view(g->grads, row, 1, &n, 0, &d));
    ASSERT_OK(ctx, cliv_tensor_write(p, initial, n * sizeof *initial));
    ASSERT_OK(ctx, cliv_optimizer_add(g->optimizer, p, d, group));
    cliv_tensor_free(p);
    cliv_tensor_free(d);
    snprintf(g->names[g->count++], sizeof *g->names, "%s.%s", key, kinds[k]);
  }
}

static void golden_run(golden *g) {
  cliv_context *ctx = cliv_tensor_context(g->params);
  const size_t bytes = cliv_tensor_count(g->grads) * sizeof(float);
  float *all = test_alloc(bytes), *kind[KINDS];
  memset(all, 0, bytes);
  for (size_t k = 0; k < KINDS; k++) {
    char name[32];
    snprintf(name, sizeof name, "gradients.%s", kinds[k]);
    kind[k] = golden_read(g, name);
  }
  const int steps = test_small() ? GOLDEN_MIDDLE : GOLDEN_STEPS;
  for (int t = 0; t < steps; t++) {
    for (size_t c = 0; c < g->count; c++)
      memcpy(all + c * GOLDEN_PITCH, kind[c % KINDS] + t * GOLDEN_N, GOLDEN_N * sizeof *all);
    ASSERT_OK(ctx, cliv_tensor_write(g->grads, all, bytes));
    ASSERT_OK(ctx, cliv_optimizer_step(g->optimizer, NULL));
    if (t + 1 == GOLDEN_MIDDLE) golden_check_params(g, GOLDEN_MIDDLE, 1e-6);
  }
  if (steps == GOLDEN_STEPS) {
    golden_check_params(g, GOLDEN_STEPS, 2e-6);
    golden_check_states(g, 2e-6);
  }
  for (size_t k = 0; k < KINDS; k++) free(kind[k]);
  free(all);
}

static size_t golden_rule(cliv_context *ctx, cliv_safetensors *file, const char *rule) {
  golden g = {.file = file, .exact = !strcmp(rule, "sgd") || !strcmp(rule, "lion")};
  const size_t shape[] = {GOLDEN_CASES, GOLDEN_PITCH};
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &g.params));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &g.grads));
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, rule, NULL, &g.optimizer));
  float *initial = golden_read(&g, "initial");
  char start[32];
  const int length = snprintf(start, sizeof start, "rule=%s", rule);
  size_t count, cases = 0;
  const cliv_metadata *metadata = cliv_safetensors_metadata_list(file, &count);
  for (size_t i = 0; i < count; i++)
    if (!strncmp(metadata[i].value, start, (size_t)length) && strchr(" ", metadata[i].value[length]))
      golden_add_case(&g, metadata[i].key, metadata[i].value, initial, cases++);
  free(initial);
  golden_run(&g);
  cliv_optimizer_free(g.optimizer);
  cliv_tensor_free(g.params);
  cliv_tensor_free(g.grads);
  return cases;
}

static void agrees_with_pytorch(void **state) {
  (void)state;
  char *path = test_source_path("tests/golden/torch.safetensors");
  cliv_safetensors *file;
  ASSERT_OK(NULL, cliv_safetensors_open(path, &file));
  free(path);
  for (size_t w = 0; w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t i = 0; i < cliv_rule_count(); i++) assert_true(golden_rule(ctx, file, cliv_rule_get(i)->name) >= 3);
    test_close(ctx);
  }
  cliv_safetensors_free(file);
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

static void ref_sgd(const cliv_optimizer *o, int t, element *e) {
  const double lr = hyper(o, "lr"), mu = hyper(o, "momentum"), wd = hyper(o, "weight_decay");
  const double g = e->g + wd * e->w, size = fabs(e->g) + fabs(wd * e->w);
  double d = g, d_size = size;
  if (mu > 0) {
    const double gain = hyper(o, "averaged") != 0 ? 1 - mu : t == 1 ? 1 : 1 - hyper(o, "dampening");
    e->state_weight[0] = mu * fabs(e->s[0]) + gain * size;
    e->s[0] = mu * e->s[0] + gain * g;
    const double own = hyper(o, "averaged") != 0 ? 1 - mu : 1;
    d = hyper(o, "nesterov") != 0 ? own * g + mu * e->s[0] : e->s[0];
    d_size = e->state_weight[0] + (hyper(o, "nesterov") != 0 ? size : 0);
  }
  e->weight = fabs(e->w) + lr * d_size;
  e->w -= lr * d;
}

static void ref_adagrad(const cliv_optimizer *o, int t, element *e) {
  const double wd = hyper(o, "weight_decay"), g = e->g + wd * e->w;
  const double lr = hyper(o, "lr") / (1 + (t - 1) * hyper(o, "lr_decay"));
  const double size = fabs(e->g) + fabs(wd * e->w);
  e->state_weight[0] = e->s[0] + size * size;
  e->s[0] += g * g;
  const double root = sqrt(e->s[0]) + hyper(o, "eps");
  e->weight = fabs(e->w) + lr * size / root * (1 + e->state_weight[0] / (e->s[0] + 1e-300));
  e->w -= lr * g / root;
}

static void ref_rmsprop(const cliv_optimizer *o, int t, element *e) {
  (void)t;
  const double lr = hyper(o, "lr"), a = hyper(o, "alpha"), mu = hyper(o, "momentum"), wd = hyper(o, "weight_decay");
  const double g = e->g + wd * e->w, size = fabs(e->g) + fabs(wd * e->w);
  const bool centered = hyper(o, "centered") != 0;
  e->state_weight[0] = a * e->s[0] + (1 - a) * size * size;
  e->s[0] = a * e->s[0] + (1 - a) * g * g;
  double square = e->s[0], square_size = e->state_weight[0];
  size_t k = 1;
  if (centered) {
    e->state_weight[1] = a * fabs(e->s[1]) + (1 - a) * size;
    e->s[1] = a * e->s[1] + (1 - a) * g;
    square -= e->s[1] * e->s[1];
    square_size += e->state_weight[1] * e->state_weight[1];
    k = 2;
  }
  const double root = sqrt(square) + hyper(o, "eps"), loss = 1 + square_size / (square + 1e-300);
  double d = g / root, d_size = size / root * loss;
  if (mu > 0) {
    d_size += mu * fabs(e->s[k]);
    d = e->s[k] = mu * e->s[k] + d;
    e->state_weight[k] = d_size;
  }
  e->weight = fabs(e->w) + lr * d_size;
  e->w -= lr * d;
}

static void ref_adam_like(const cliv_optimizer *o, int t, element *e, bool decoupled) {
  const double lr = hyper(o, "lr"), b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2"), wd = hyper(o, "weight_decay");
  const double g = e->g + (decoupled ? 0 : wd * e->w), size = fabs(e->g) + (decoupled ? 0 : fabs(wd * e->w));
  const double w = decoupled ? e->w - lr * wd * e->w : e->w;
  e->state_weight[0] = b1 * fabs(e->s[0]) + (1 - b1) * (size + fabs(e->s[0]));
  e->state_weight[1] = b2 * e->s[1] + (1 - b2) * size * size;
  e->s[0] = b1 * e->s[0] + (1 - b1) * g;
  e->s[1] = b2 * e->s[1] + (1 - b2) * g * g;
  const bool correct = hyper(o, "bias_correction") != 0;
  const double c1 = correct ? 1 - pow(b1, t) : 1, c2 = correct ? 1 - pow(b2, t) : 1;
  const double root = sqrt(e->s[1] / c2) + hyper(o, "eps");
  e->weight = fabs(e->w) + lr * e->state_weight[0] / c1 / root * (1 + e->state_weight[1] / (e->s[1] + 1e-300));
  e->w = w - lr * (e->s[0] / c1) / root;
}
static void ref_adam(const cliv_optimizer *o, int t, element *e) { ref_adam_like(o, t, e, false); }
static void ref_adamw(const cliv_optimizer *o, int t, element *e) { ref_adam_like(o, t, e, true); }

/* Where the direction is all rounding its sign is not known: the weight of w then covers both. */
static void ref_lion(const cliv_optimizer *o, int t, element *e) {
  (void)t;
  const double lr = hyper(o, "lr"), b1 = hyper(o, "beta1"), b2 = hyper(o, "beta2"), wd = hyper(o, "weight_decay");
  const double d = b1 * e->s[0] + (1 - b1) * e->g, d_size = b1 * fabs(e->s[0]) + (1 - b1) * fabs(e->g);
  e->weight = fabs(e->w) + lr;
  if (d != 0 && fabs(d) <= 0x1p-22 * d_size) e->weight = 0x1p24 * lr;
  e->w += -lr * wd * e->w - lr * (d > 0) + lr * (d < 0);
  e->state_weight[0] = b2 * fabs(e->s[0]) + (1 - b2) * fabs(e->g);
  e->s[0] = b2 * e->s[0] + (1 - b2) * e->g;
}

static const struct reference {
  const char *rule;
  void (*step)(const cliv_optimizer *o, int t, element *e);
} references[] = {{"sgd", ref_sgd},   {"adagrad", ref_adagrad}, {"rmsprop", ref_rmsprop},
                  {"adam", ref_adam}, {"adamw", ref_adamw},     {"lion", ref_lion}};

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
    {"adagrad", ""},
    {"adagrad", "lr=0.5 lr_decay=0.5 weight_decay=0.1 initial_accumulator_value=0.25 eps=0.01 maximize=1"},
    {"rmsprop", ""},
    {"rmsprop", "alpha=0.5 weight_decay=0.1 maximize=1"},
    {"rmsprop", "momentum=0.9 eps=0.001"},
    {"rmsprop", "centered=1 eps=0.01"},
    {"rmsprop", "centered=1 momentum=0.5 alpha=0.3 eps=0.1 weight_decay=0.1"},
    {"adam", ""},
    {"adam", "bias_correction=0 weight_decay=0.3"},
    {"adam", "beta1=0 beta2=0 eps=0.1 maximize=1"},
    {"adam", "beta1=0.4 beta2=0.6 lr=0.1"},
    {"adamw", ""},
    {"adamw", "lr=0.1 weight_decay=0.5 beta1=0.95"},
    {"adamw", "bias_correction=0 maximize=1"},
    {"lion", ""},
    {"lion", "lr=0.1 weight_decay=0.5 beta1=0.3 beta2=0.6 maximize=1"},
};

static void set_options(cliv_context *ctx, cliv_optimizer *o, const char *options) {
  char copy[256];
  snprintf(copy, sizeof copy, "%s", options);
  for (char *pair = strtok(copy, " "); pair; pair = strtok(NULL, " ")) {
    char *value = strchr(pair, '=');
    *value++ = 0;
    ASSERT_OK(ctx, cliv_optimizer_set(o, CLIV_ALL_GROUPS, pair, strtod(value, NULL)));
  }
}

/* |got - want| within `units` roundings of `weight`. */
static void within(const struct variant *v, const char *what, size_t i, double got, double want, double weight,
                   double units) {
  if (!(fabs(got - want) <= units * 0x1p-24 * weight + 0x1p-149))
    fail_msg("%s %s: %s[%zu] is %.9g, not %.9g (off by %.2f roundings)", v->rule, v->options, what, i, got, want,
             fabs(got - want) / (0x1p-24 * weight));
}

/* Each step starts from what the device has, so that no error adds up and every element can be held to a few roundings.
 * */
static void follows_variant(cliv_context *ctx, const struct variant *v, const struct reference *ref) {
  enum { STEPS = 4 };
  const size_t n = test_small() ? 100 : 1000;
  cliv_optimizer *o;
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, v->rule, NULL, &o));
  set_options(ctx, o, v->options);
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
      for (size_t k = 0; k < states; k++)
        within(v, cliv_optimizer_state_name(o, 0, k), i, (double)after[k][i], e.s[k], e.state_weight[k], 8);
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
  for (size_t w = 0; w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t i = 0; i < cliv_rule_count(); i++) {
      const char *rule = cliv_rule_get(i)->name;
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
  const struct CMUnitTest tests[] = {cmocka_unit_test(table_is_consistent), cmocka_unit_test(agrees_with_pytorch),
                                     cmocka_unit_test(follows_formulas)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
