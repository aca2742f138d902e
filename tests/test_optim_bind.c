/* Learning rates that the device has a part in. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/optim.h>

#include "optim/optim.h"

enum { N = 4097, STEPS = 4 };
static const double factors[STEPS] = {2, 0.5, 4, 0.125};

typedef struct training {
  cliv_context *ctx;
  cliv_optimizer *o;
  cliv_tensor *p[2], *g[2], *factor;
} training;

/* Two vectors, or matrices of two columns, each in a group of its own. */
static training begin(cliv_context *ctx, const char *rule, int ndim) {
  training t = {.ctx = ctx};
  const size_t shape[] = {N, 2}, one = 1;
  int group;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &one, &t.factor));
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, rule, NULL, &t.o));
  ASSERT_OK(ctx, cliv_optimizer_set(t.o, 0, "lr", 0.01));
  ASSERT_OK(ctx, cliv_optimizer_group(t.o, &group));
  for (int i = 0; i < 2; i++) {
    float w[2 * N];
    test_fill_normal(w, 2 * N, 3 + (uint64_t)i);
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, ndim, shape, &t.p[i]));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, ndim, shape, &t.g[i]));
    ASSERT_OK(ctx, cliv_tensor_write(t.p[i], w, cliv_tensor_count(t.p[i]) * sizeof *w));
    ASSERT_OK(ctx, cliv_optimizer_add(t.o, t.p[i], t.g[i], i));
  }
  return t;
}

static void end(training *t) {
  cliv_optimizer_free(t->o);
  for (int i = 0; i < 2; i++) cliv_tensor_free(t->p[i]), cliv_tensor_free(t->g[i]);
  cliv_tensor_free(t->factor);
}

static void set(training *t, const char *hyper, double value) {
  ASSERT_OK(t->ctx, cliv_optimizer_set(t->o, CLIV_ALL_GROUPS, hyper, value));
}

static void step(training *t, uint64_t seed) {
  for (int i = 0; i < 2; i++) {
    float g[2 * N];
    test_fill_normal(g, 2 * N, 100 * seed + (uint64_t)i);
    ASSERT_OK(t->ctx, cliv_tensor_write(t->g[i], g, cliv_tensor_count(t->g[i]) * sizeof *g));
  }
  ASSERT_OK(t->ctx, cliv_optimizer_step(t->o, NULL));
}

/* Without a decay, and by powers of two, every bit is as if lr had been set; of one group, while the other keeps its
 * own. The factor changes on the device, behind the host's back. */
static void is_as_if_it_had_been_set(void **state) {
  (void)state;
  static const struct {
    const char *rule;
    int ndim;
    const char *hyper;
    double value;
  } cases[] = {{"sgd", 1, "momentum", 0.9},
               {"adam", 1, "prox_l1", 3},
               {"lamb", 1, "weight_decay", 0},
               {"ldog", 1, "init_eta", 0.1},
               {"muon", 2, "weight_decay", 0}};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++)
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
      if (test_few() && c > 1) continue;
      cliv_context *ctx = test_open(test_walks[w]);
      training a = begin(ctx, cases[c].rule, cases[c].ndim), b = begin(ctx, cases[c].rule, cases[c].ndim);
      set(&a, cases[c].hyper, cases[c].value), set(&b, cases[c].hyper, cases[c].value);
      ASSERT_OK(ctx, cliv_optimizer_bind(a.o, 1, "lr", a.factor));
      for (size_t s = 0; s < STEPS; s++) {
        ASSERT_OK(ctx, cliv_tensor_fill(a.factor, factors[s], NULL));
        ASSERT_OK(ctx, cliv_optimizer_set(b.o, 1, "lr", 0.01 * factors[s]));
        step(&a, s), step(&b, s);
      }
      for (int i = 0; i < 2; i++) ASSERT_SAME_TENSORS(a.p[i], b.p[i]);
      ASSERT_OK(ctx, cliv_optimizer_bind(a.o, CLIV_ALL_GROUPS, "lr", NULL)); /* no more */
      set(&b, "lr", 0.01);
      step(&a, 9), step(&b, 9);
      for (int i = 0; i < 2; i++) ASSERT_SAME_TENSORS(a.p[i], b.p[i]);
      end(&a), end(&b);
      test_close(ctx);
    }
}

/* What a decoupled decay and a shrinking proximal step keep is rounded before the factor comes: 2^-25 of the weight a
 * step, times the factor, and the same again for the factor's own rounding. Smaller than what the decay does. */
static void decays_with_it(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  training a = begin(ctx, "sgd", 1), b = begin(ctx, "sgd", 1), c = begin(ctx, "sgd", 1);
  training *all[] = {&a, &b, &c};
  for (size_t i = 0; i < 3; i++) {
    set(all[i], "decoupled_weight_decay", 1), set(all[i], "weight_decay", 0.3), set(all[i], "prox_l2", 0.7);
    if (i != 1) ASSERT_OK(ctx, cliv_optimizer_bind(all[i]->o, CLIV_ALL_GROUPS, "lr", all[i]->factor));
    ASSERT_OK(ctx, cliv_tensor_fill(all[i]->factor, i == 0 ? 3.3 : 1, NULL));
  }
  set(&b, "lr", 0.01 * (double)3.3f);
  for (size_t s = 0; s < STEPS; s++)
    for (size_t i = 0; i < 3; i++) step(all[i], s);
  float *x = test_read(a.p[0]), *y = test_read(b.p[0]), *z = test_read(c.p[0]);
  size_t other = 0;
  for (size_t k = 0; k < N; k++) {
    const double bound = STEPS * (2 * 4.3 + 8) * 0x1p-24 * (fabs((double)y[k]) + 0.2);
    ASSERT_NEAR((double)x[k], (double)y[k], bound);
    other += fabs((double)x[k] - (double)z[k]) > bound;
  }
  assert_true(other > N / 2);
  free(x), free(y), free(z);
  for (size_t i = 0; i < 3; i++) end(all[i]);
  test_close(ctx);
}

/* Every rule of the table can be told apart: those whose scalars are proportional to lr, keep 1 less something that is,
 * or know nothing of it, whatever the other hyper-parameters and in whatever step, and those that are refused. */
static void knows_every_rule(void **state) {
  (void)state;
  static const char *const refused[] = {
      "asgd", "ftrl", "laprop", "madgrad", "rprop", "schedule_free_sgd", "schedule_free_adamw"};
  static const uint64_t steps[] = {1, 2, 3, 6, 1000};
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const size_t one = 1;
  cliv_tensor *factor;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &one, &factor));
  for (size_t r = 0; r < cliv_rule_count(); r++) {
    const cliv_rule_info *info = cliv_rule_get(r);
    bool good = true;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) good = good && strcmp(refused[i], info->name) != 0;
    cliv_optimizer *o;
    ASSERT_OK(ctx, cliv_optimizer_create(ctx, info->name, NULL, &o));
    for (uint64_t v = 0; v < 20; v++) {
      for (size_t k = 1; v && k < info->hyper_count; k++) {
        const cliv_hyper_info *h = &info->hypers[k];
        if (!strcmp(h->name, "max_lr")) continue; /* by the square of lr, which is refused below */
        const double low = h->min, high = h->max < 1 ? h->max : 1,
                     x = test_uniform(v, k, low, high > low ? high : low + 1);
        ASSERT_OK(ctx, cliv_optimizer_set(o, 0, h->name, h->flag ? (double)(x > 0.5) : x));
      }
      double relative = 0; /* a rate that has a bound beside lr */
      if (!strcmp(info->name, "adafactor")) {
        ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "warmup_init", 0));
        ASSERT_OK(ctx, cliv_optimizer_get(o, 0, "relative_step", &relative));
      }
      const cliv_status status = cliv_optimizer_bind(o, 0, "lr", factor);
      if (relative > 0 && status == CLIV_VALUE) continue;
      if (status != (good && !(relative > 0) ? CLIV_OK : CLIV_VALUE))
        fail_msg("%s, variant %d: %s", info->name, (int)v, status ? cliv_last_error(ctx) : "it could be bound");
      if (!good) ASSERT_FAILS(ctx, cliv_optimizer_bind(o, 0, "lr", factor), CLIV_VALUE, info->name);
      for (size_t i = 0; good && i < sizeof steps / sizeof *steps; i++) {
        const double memory[CLIV__MAX_MEMORY] = {0};
        int kinds[CLIV__MAX_SCALARS];
        if (!cliv__lr_kinds(o, cliv__hyper(o, 0), steps[i], memory, SIZE_MAX, kinds))
          fail_msg("%s, variant %d, step %d: what depends on lr, and how, is not known", info->name, (int)v,
                   (int)steps[i]);
      }
    }
    cliv_optimizer_free(o);
  }
  cliv_tensor_free(factor);
  test_close(ctx);
}

static void refuses_what_cannot_be(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  training t = begin(ctx, "sgd", 1);
  cliv_optimizer *squared = test_optimizer(ctx, "adamw", NULL, "max_lr=0.1");
  ASSERT_FAILS(ctx, cliv_optimizer_bind(squared, 0, "lr", t.factor), CLIV_VALUE, "not proportional to lr");
  cliv_optimizer_free(squared);
  ASSERT_FAILS(ctx, cliv_optimizer_bind(t.o, 0, "momentum", t.factor), CLIV_NAME, "'momentum' cannot be bound");
  ASSERT_FAILS(ctx, cliv_optimizer_bind(t.o, 2, "lr", t.factor), CLIV_VALUE, "no parameter group 2");
  ASSERT_FAILS(ctx, cliv_optimizer_bind(t.o, 0, "lr", t.p[0]), CLIV_SHAPE, "must have one element");
  const size_t one = 1;
  cliv_tensor *narrow;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F16, 1, &one, &narrow));
  ASSERT_FAILS(ctx, cliv_optimizer_bind(t.o, 0, "lr", narrow), CLIV_DTYPE, "must be float32");
  cliv_tensor_free(narrow);
  ASSERT_FAILS(ctx, cliv_optimizer_bind(t.o, 0, NULL, t.factor), CLIV_NULL, NULL);
  end(&t);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(is_as_if_it_had_been_set),
      cmocka_unit_test(decays_with_it),
      cmocka_unit_test(knows_every_rule),
      cmocka_unit_test(refuses_what_cannot_be),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
