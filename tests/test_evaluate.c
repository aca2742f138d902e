/* Rules whose trained weights are not those to evaluate: there and back. What they compute is test_rules.c's. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/optim.h>

#include "optim/optim.h"

static const char *const rules[] = {"schedule_free_sgd", "schedule_free_adamw"};
static const char *const betas[] = {"momentum", "beta1"};

enum { PARAMS = 5 };
static const size_t sizes[PARAMS] = {4099, 1, 0, 257, 300};
static const cliv_dtype types[PARAMS] = {CLIV_F32, CLIV_F32, CLIV_F32, CLIV_BF16, CLIV_F16};
static const double shares[PARAMS] = {0.9, 0.9, 0.9, 0.6, 0.9}; /* beta of the groups */

typedef struct model {
  cliv_context *ctx;
  cliv_optimizer *o;
  size_t count;
  test_guarded p[PARAMS], g[PARAMS];
} model;

/* Parameter 3 is in a group of its own; the last has yet to take a step. */
static model begin(cliv_context *ctx, size_t rule) {
  model m = {.ctx = ctx, .count = test_few() ? 2 : PARAMS};
  int group;
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, rules[rule], NULL, &m.o));
  ASSERT_OK(ctx, cliv_optimizer_group(m.o, &group));
  ASSERT_OK(ctx, cliv_optimizer_set(m.o, group, betas[rule], shares[3]));
  ASSERT_OK(ctx, cliv_optimizer_set(m.o, CLIV_ALL_GROUPS, "lr", 0.05));
  for (size_t i = 0; i < m.count; i++) {
    void *w = test_alloc(sizes[i] * sizeof(float)), *g = test_alloc(sizes[i] * sizeof(float));
    for (size_t k = 0; k < sizes[i]; k++) {
      test_put(types[i], w, k, test_normal(i, k));
      test_put(types[i], g, k, test_normal(100 + i, k));
    }
    m.p[i] = test_guard1(ctx, types[i], sizes[i], i, w);
    m.g[i] = test_guard1(ctx, types[i], sizes[i], 2 * i, g);
    if (i + 1 < PARAMS) ASSERT_OK(ctx, cliv_optimizer_add(m.o, m.p[i].tensor, m.g[i].tensor, i == 3 ? group : 0));
    free(w);
    free(g);
  }
  return m;
}

static void end(model *m) {
  cliv_optimizer_free(m->o);
  for (size_t i = 0; i < m->count; i++) test_guard_free(&m->p[i]), test_guard_free(&m->g[i]);
}

static void steps(const model *m, int count) {
  for (int t = 0; t < count; t++) ASSERT_OK(NULL, cliv_optimizer_step(m->o, NULL));
}

/* x = y + (1 - 1/beta)·(z - y), rounded to the parameter's type; of one that has taken no step the weight itself. */
static void check_evaluated(const model *m, size_t i, const void *trained) {
  void *got = test_read(m->p[i].tensor);
  cliv_tensor *view;
  ASSERT_OK(NULL, cliv_optimizer_state(m->o, i, "z", &view));
  float *z = test_read(view);
  cliv_tensor_free(view);
  const double ulp = types[i] == CLIV_F32 ? 0x1p-23 : types[i] == CLIV_F16 ? 0x1p-11 : 0x1p-8;
  for (size_t k = 0; k < sizes[i]; k++) {
    const double y = test_get(types[i], trained, k), x = test_get(types[i], got, k), share = 1 - 1 / shares[i];
    if (i + 1 == PARAMS) assert_true(x == y);
    else ASSERT_NEAR(x, y + share * ((double)z[k] - y), 2 * ulp * (fabs(y) + fabs((double)z[k])));
  }
  free(z);
  free(got);
}

static void there_and_back(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t r = 0; r < 2; r++) {
      model m = begin(ctx, r);
      void *before[PARAMS];
      ASSERT_OK(ctx, cliv_optimizer_evaluate(m.o, 1, NULL)); /* before the first step nothing differs */
      ASSERT_OK(ctx, cliv_optimizer_evaluate(m.o, 0, NULL));
      steps(&m, 3);
      if (m.count == PARAMS) ASSERT_OK(ctx, cliv_optimizer_add(m.o, m.p[4].tensor, m.g[4].tensor, 0));
      for (size_t i = 0; i < m.count; i++) before[i] = test_read(m.p[i].tensor);
      assert_int_equal(cliv_optimizer_evaluating(m.o), 0);
      ASSERT_OK(ctx, cliv_optimizer_evaluate(m.o, 1, NULL));
      ASSERT_OK(ctx, cliv_optimizer_evaluate(m.o, 1, NULL)); /* they are already */
      assert_int_equal(cliv_optimizer_evaluating(m.o), 1);
      ASSERT_FAILS(ctx, cliv_optimizer_step(m.o, NULL), CLIV_STATE, "turn them back");
      ASSERT_FAILS(ctx, cliv_optimizer_load(m.o, "none"), CLIV_STATE, "turn them back");
      for (size_t i = 0; i < m.count; i++) check_evaluated(&m, i, before[i]);
      cl_event done = NULL;
      ASSERT_OK(ctx, cliv_optimizer_evaluate(m.o, 0, &(cliv_sync){.done = &done}));
      ASSERT_CL(clWaitForEvents(1, &done));
      clReleaseEvent(done);
      assert_int_equal(cliv_optimizer_evaluating(m.o), 0);
      assert_int_equal(cliv_optimizer_steps(m.o), 3);
      for (size_t i = 0; i < m.count; i++) {
        void *after = test_read(m.p[i].tensor);
        ASSERT_SAME(types[i], after, before[i], sizes[i]);
        free(after);
        free(before[i]);
      }
      end(&m);
    }
    test_close(ctx);
  }
}

/* Evaluating on the way changes no bit of the training. */
static void training_goes_on(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    model a = begin(ctx, 1), b = begin(ctx, 1);
    for (int t = 0; t < 4; t++) {
      steps(&a, 1);
      ASSERT_OK(ctx, cliv_optimizer_evaluate(a.o, 1, NULL));
      ASSERT_OK(ctx, cliv_optimizer_evaluate(a.o, 0, NULL));
      steps(&b, 1);
    }
    for (size_t i = 0; i < a.count; i++) ASSERT_SAME_TENSORS(a.p[i].tensor, b.p[i].tensor);
    ASSERT_OK(ctx, cliv_optimizer_evaluate(a.o, 1, NULL)); /* freed while they are lent, parameters stay so */
    void *evaluated = test_read(a.p[0].tensor);
    cliv_optimizer_free(a.o);
    a.o = NULL;
    void *still = test_read(a.p[0].tensor);
    ASSERT_SAME(CLIV_F32, still, evaluated, sizes[0]);
    free(still);
    free(evaluated);
    end(&a);
    end(&b);
    test_close(ctx);
  }
}

static void arena_turns_in_one_launch(void **state) {
  (void)state;
  enum { COUNT = 20 };
  int ndims[COUNT];
  size_t shapes[COUNT];
  cliv_tensor *p[COUNT], *g[COUNT];
  for (size_t i = 0; i < COUNT; i++) ndims[i] = 1, shapes[i] = 1 + 7 * i;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_optimizer *o;
  ASSERT_OK(ctx, cliv_arena_create(ctx, CLIV_F32, COUNT, ndims, shapes, p));
  ASSERT_OK(ctx, cliv_arena_create(ctx, CLIV_F32, COUNT, ndims, shapes, g));
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, rules[0], NULL, &o));
  for (size_t i = 0; i < COUNT; i++) {
    ASSERT_OK(ctx, cliv_tensor_fill(p[i], 1, NULL));
    ASSERT_OK(ctx, cliv_tensor_fill(g[i], 1, NULL));
    ASSERT_OK(ctx, cliv_optimizer_add(o, p[i], g[i], 0));
  }
  ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
  ASSERT_OK(ctx, cliv_optimizer_evaluate(o, 1, NULL));
  assert_int_equal(o->lent->plan.batch_count, 1);
  cliv_optimizer_free(o);
  for (size_t i = 0; i < COUNT; i++) cliv_tensor_free(p[i]), cliv_tensor_free(g[i]);
  test_close(ctx);
}

/* A narrow parameter with a master: what is evaluated is made of the master, and rounded once. */
static void masters_are_what_is_evaluated(void **state) {
  (void)state;
  enum { N = 1000 };
  static const cliv_dtype of[2] = {CLIV_F32, CLIV_BF16};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t r = 0; r < 2; r++) {
      test_guarded p[2], g[2];
      cliv_optimizer *o[2]; /* float32 throughout, and bfloat16 with a master, from the same weights */
      for (size_t i = 0; i < 2; i++) {
        float weights[N], gradients[N];
        uint16_t narrow[N];
        for (size_t k = 0; k < N; k++) {
          test_put(CLIV_BF16, narrow, k, test_normal(1, k));
          weights[k] = (float)test_get(CLIV_BF16, narrow, k);
          gradients[k] = (float)test_normal(2, k);
        }
        p[i] = test_guard1(ctx, of[i], N, i, i ? (void *)narrow : weights);
        g[i] = test_guard1(ctx, CLIV_F32, N, i, gradients);
        ASSERT_OK(ctx, cliv_optimizer_create(ctx, rules[r], &(cliv_optimizer_options){.weights = "master"}, &o[i]));
        ASSERT_OK(ctx, cliv_optimizer_set(o[i], CLIV_ALL_GROUPS, "lr", 1e-3));
        ASSERT_OK(ctx, cliv_optimizer_add(o[i], p[i].tensor, g[i].tensor, 0));
      }
      for (int t = 0; t < 3; t++) {
        for (int k = 0; k < 3; k++)
          for (size_t i = 0; i < 2; i++) ASSERT_OK(ctx, cliv_optimizer_step(o[i], NULL));
        uint16_t *before = test_read(p[1].tensor), want[N];
        for (size_t i = 0; i < 2; i++) ASSERT_OK(ctx, cliv_optimizer_evaluate(o[i], 1, NULL));
        float *wide = test_read(p[0].tensor);
        uint16_t *got = test_read(p[1].tensor);
        for (size_t k = 0; k < N; k++) test_put(CLIV_BF16, want, k, (double)wide[k]);
        ASSERT_SAME(CLIV_BF16, got, want, N);
        for (size_t i = 0; i < 2; i++) ASSERT_OK(ctx, cliv_optimizer_evaluate(o[i], 0, NULL));
        uint16_t *after = test_read(p[1].tensor);
        ASSERT_SAME(CLIV_BF16, after, before, N);
        free(before), free(wide), free(got), free(after);
      }
      for (size_t i = 0; i < 2; i++) {
        cliv_optimizer_free(o[i]);
        test_guard_free(&p[i]), test_guard_free(&g[i]);
      }
    }
    test_close(ctx);
  }
}

/* Where what is trained is what to evaluate nothing happens. */
static void other_rules_need_nothing(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const float start[] = {1, 2, 3};
  cliv_optimizer *o;
  test_guarded p = test_guard1(ctx, CLIV_F32, 3, 0, start), g = test_guard1(ctx, CLIV_F32, 3, 0, start);
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "adamw", NULL, &o));
  ASSERT_OK(ctx, cliv_optimizer_add(o, p.tensor, g.tensor, 0));
  ASSERT_OK(ctx, cliv_optimizer_evaluate(o, 1, NULL));
  assert_int_equal(cliv_optimizer_evaluating(o), 0);
  ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
  ASSERT_OK(ctx, cliv_optimizer_evaluate(o, 0, NULL));
  ASSERT_FAILS(NULL, cliv_optimizer_evaluate(NULL, 1, NULL), CLIV_NULL, NULL);
  cliv_optimizer_free(o);
  test_guard_free(&p), test_guard_free(&g);
  test_close(ctx);
}

/* Weights of two steps are evaluated by no rule; where they are those that are trained nothing is asked of them. */
static void torn_steps_are_refused(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const float start[] = {1, 2, 3};
  static const char *const names[] = {"adamw", "schedule_free_sgd"};
  test_guarded p = test_guard1(ctx, CLIV_F32, 3, 0, start), g = test_guard1(ctx, CLIV_F32, 3, 0, start);
  for (size_t i = 0; i < 2; i++) {
    cliv_optimizer *o;
    ASSERT_OK(ctx, cliv_optimizer_create(ctx, names[i], NULL, &o));
    ASSERT_OK(ctx, cliv_optimizer_add(o, p.tensor, g.tensor, 0));
    ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
    o->torn = true; /* as fault_steps has it done by a driver */
    ASSERT_FAILS(ctx, cliv_optimizer_evaluate(o, 1, NULL), CLIV_STATE, "cliv_optimizer_load");
    assert_int_equal(cliv_optimizer_evaluating(o), 0);
    ASSERT_OK(ctx, cliv_optimizer_evaluate(o, 0, NULL));
    ASSERT_OK(ctx, cliv_optimizer_set_steps(o, 1));
    ASSERT_OK(ctx, cliv_optimizer_evaluate(o, 1, NULL));
    assert_int_equal(cliv_optimizer_evaluating(o), (int)i);
    cliv_optimizer_free(o);
  }
  test_guard_free(&p), test_guard_free(&g);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(there_and_back),
      cmocka_unit_test(training_goes_on),
      cmocka_unit_test(arena_turns_in_one_launch),
      cmocka_unit_test(masters_are_what_is_evaluated),
      cmocka_unit_test(other_rules_need_nothing),
      cmocka_unit_test(torn_steps_are_refused),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
