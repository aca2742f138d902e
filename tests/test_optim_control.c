/* What happens to gradients before a rule sees them: norms, clipping, the loss's scale, what is not finite. */
#include "worlds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/optim.h>

enum { PARAMS = 6 };
static const int ndims[PARAMS] = {1, 2, 1, 0, 1, 1};
static const size_t shapes[] = {5000, 3, 7, 0, 64, 4097}, counts[PARAMS] = {5000, 21, 0, 1, 64, 4097};
static const test_shapes of = {PARAMS, ndims, shapes};

/* ---- a training whose gradients are given ---- */

typedef struct training {
  cliv_context *ctx;
  cliv_optimizer *o;
  cliv_tensor *p[PARAMS], *g[PARAMS];
} training;

/* In arenas, or each tensor by itself. */
static training begin(cliv_walk walk, const char *rule, bool arenas, cliv_dtype gradients) {
  training t = {.ctx = test_open(walk)};
  test_tensors_make(t.ctx, CLIV_F32, &of, arenas, t.p);
  test_tensors_make(t.ctx, gradients, &of, arenas, t.g);
  test_tensors_fill(t.p, PARAMS, 50);
  ASSERT_OK(t.ctx, cliv_optimizer_create(t.ctx, rule, NULL, &t.o));
  for (size_t i = 0; i < PARAMS; i++) ASSERT_OK(t.ctx, cliv_optimizer_add(t.o, t.p[i], t.g[i], CLIV_DEFAULT_GROUP));
  return t;
}

static void end(training *t) {
  cliv_optimizer_free(t->o);
  test_tensors_free(t->p, PARAMS);
  test_tensors_free(t->g, PARAMS);
  test_close(t->ctx);
}

static float given(uint64_t step, size_t param, size_t k) { return (float)test_normal(1000 * step + param, k); }

/* The gradients of a step: factor times those given, each rounded to storage, within ±bound; the first one replaced. */
static void give(training *t, uint64_t step, float factor, float bound, const float *first) {
  for (size_t i = 0; i < PARAMS; i++) {
    const cliv_dtype dtype = cliv_tensor_dtype(t->g[i]);
    float g[5000];
    for (size_t k = 0; k < counts[i]; k++) {
      const float x = factor * given(step, i, k);
      g[k] = x > bound ? bound : x < -bound ? -bound : x;
    }
    if (i == 0 && first) g[0] = *first;
    if (dtype == CLIV_F32) {
      ASSERT_OK(t->ctx, cliv_tensor_write(t->g[i], g, counts[i] * sizeof *g));
      continue;
    }
    uint16_t narrow[5000];
    for (size_t k = 0; k < counts[i]; k++) test_put(dtype, narrow, k, (double)g[k]);
    ASSERT_OK(t->ctx, cliv_tensor_write(t->g[i], narrow, counts[i] * sizeof *narrow));
  }
}

static void step(training *t) { ASSERT_OK(t->ctx, cliv_optimizer_step(t->o, NULL)); }

static void set(training *t, cliv_gradient_options options) {
  ASSERT_OK(t->ctx, cliv_optimizer_gradients(t->o, &options));
}

static cliv_gradient_state look(training *t) {
  cliv_gradient_state s = {.size = sizeof s};
  ASSERT_OK(t->ctx, cliv_optimizer_gradient_state(t->o, &s));
  return s;
}

static void same_parameters(const training *a, const training *b) {
  for (size_t i = 0; i < PARAMS; i++) ASSERT_SAME_TENSORS(b->p[i], a->p[i]);
}

static double true_norm(uint64_t step, double factor) {
  double sum = 0;
  for (size_t i = 0; i < PARAMS; i++)
    for (size_t k = 0; k < counts[i]; k++) sum += pow(factor * (double)given(step, i, k), 2);
  return sqrt(sum);
}

/* ---- clipping ---- */

/* A clipped step is the step of gradients that the host has multiplied with the factor. Norms have the same bits in
 * both walks, in arenas and outside. */
static void shortens_to_a_norm(void **state) {
  (void)state;
  double norm = NAN;
  for (size_t w = 0; w < 2 * TEST_WALKS; w++) {
    training a = begin(test_walks[w % TEST_WALKS], "adamw", w < TEST_WALKS, CLIV_F32),
             b = begin(test_walks[w % TEST_WALKS], "adamw", true, CLIV_F32);
    static const double most[] = {5, 1000}; /* shorter, and not */
    for (uint64_t s = 0; s < 2; s++) {
      set(&a, (cliv_gradient_options){.clip_norm = most[s], .scale = 8});
      give(&a, s, 8, INFINITY, NULL);
      step(&a);
      const cliv_gradient_state seen = look(&a);
      assert_true(fabs(seen.norm - true_norm(s, 1)) <= 2e-7 * seen.norm);
      const float part = (float)most[s] / ((float)seen.norm + 1e-6f), factor = 0.125f * (part > 1 ? 1 : part);
      for (size_t i = 0; i < PARAMS; i++) { /* factor times the stored gradient, rounded once */
        float g[5000];
        for (size_t k = 0; k < counts[i]; k++) g[k] = factor * (8 * given(s, i, k));
        ASSERT_OK(b.ctx, cliv_tensor_write(b.g[i], g, counts[i] * sizeof *g));
      }
      step(&b);
      if (s == 0 && isnan(norm)) norm = seen.norm;
      if (s == 0) assert_true(norm == seen.norm);
    }
    same_parameters(&b, &a);
    end(&a), end(&b);
  }
}

static void keeps_elements_within_a_bound(void **state) {
  (void)state;
  const float none = NAN, inf = -INFINITY;
  training a = begin(CLIV_WALK_AUTO, "sgd", true, CLIV_F32), b = begin(CLIV_WALK_AUTO, "sgd", true, CLIV_F32);
  set(&a, (cliv_gradient_options){.clip_value = 0.5});
  for (uint64_t s = 0; s < 3; s++) {
    const float special = s == 1 ? inf : none, same = s == 1 ? -0.5f : none;
    give(&a, s, 1, INFINITY, s ? &special : NULL);
    give(&b, s, 1, 0.5f, s ? &same : NULL);
    step(&a), step(&b);
  }
  same_parameters(&b, &a);
  end(&a), end(&b);
}

/* Narrow gradients, and gradients that several parameters share. */
static void takes_any_gradients(void **state) {
  (void)state;
  training a = begin(CLIV_WALK_AUTO, "sgd", true, CLIV_F16);
  set(&a, (cliv_gradient_options){.clip_norm = 1});
  give(&a, 0, 1, INFINITY, NULL);
  step(&a);
  assert_true(fabs(look(&a).norm - true_norm(0, 1)) <= 1e-3 * look(&a).norm);
  cliv_tensor *p;
  const size_t n = counts[4];
  ASSERT_OK(a.ctx, cliv_tensor_create(a.ctx, CLIV_F32, 1, &n, &p));
  ASSERT_OK(a.ctx, cliv_tensor_fill(p, 0, NULL));
  const double before = look(&a).norm;
  double sum = 0;
  for (size_t k = 0; k < n; k++) sum += pow((double)given(0, 4, k), 2);
  ASSERT_OK(a.ctx, cliv_optimizer_add(a.o, p, a.g[4], CLIV_DEFAULT_GROUP)); /* once more */
  step(&a);
  assert_true(fabs(look(&a).norm - sqrt(before * before + sum)) <= 1e-3 * before);
  cliv_tensor_free(p);
  end(&a);
}

/* Clipping waits for nothing: steps are enqueued behind an event of the caller's that has not come, in a queue without
 * an order where the device has one. */
static void waits_for_nothing(void **state) {
  (void)state;
  cl_int code;
  training a = begin(CLIV_WALK_AUTO, "sgd", true, CLIV_F32), b = begin(CLIV_WALK_AUTO, "sgd", true, CLIV_F32);
  set(&a, (cliv_gradient_options){.clip_norm = 1});
  set(&b, (cliv_gradient_options){.clip_norm = 1});
  give(&a, 0, 1, INFINITY, NULL), give(&b, 0, 1, INFINITY, NULL);
  ASSERT_OK(a.ctx, cliv_context_finish(a.ctx));
  cl_event gate = clCreateUserEvent(cliv_context_cl_context(a.ctx), &code), done = NULL;
  ASSERT_CL(code);
  ASSERT_OK(a.ctx, cliv_optimizer_step(a.o, &(cliv_sync){1, &gate, NULL}));
  ASSERT_OK(a.ctx, cliv_optimizer_step(a.o, &(cliv_sync){0, NULL, &done}));
  assert_non_null(done);
  ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
  ASSERT_CL(clWaitForEvents(1, &done));
  clReleaseEvent(gate), clReleaseEvent(done);
  step(&b), step(&b);
  same_parameters(&b, &a);
  assert_true(look(&a).norm == look(&b).norm && look(&a).norm > 1);
  end(&a), end(&b);
}

/* Gradients with foreign memory between them are looked at by themselves. */
static void leaves_foreign_memory_alone(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const size_t n = 64, all = 100000;
  cliv_tensor *pool, *g[2], *p[2];
  cliv_optimizer *o;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &all, &pool));
  ASSERT_OK(ctx, cliv_tensor_fill(pool, NAN, NULL));
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "sgd", NULL, &o));
  for (size_t i = 0; i < 2; i++) {
    ASSERT_OK(ctx, cliv_tensor_view(pool, i * (all - n), 1, &n, 0, &g[i]));
    ASSERT_OK(ctx, cliv_tensor_fill(g[i], 1, NULL));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &p[i]));
    ASSERT_OK(ctx, cliv_tensor_fill(p[i], 1, NULL));
    ASSERT_OK(ctx, cliv_optimizer_add(o, p[i], g[i], CLIV_DEFAULT_GROUP));
  }
  ASSERT_OK(ctx, cliv_optimizer_gradients(o, &(cliv_gradient_options){.nonfinite = CLIV_NONFINITE_FAIL}));
  ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
  cliv_gradient_state seen = {.size = 0};
  ASSERT_OK(ctx, cliv_optimizer_gradient_state(o, &seen));
  assert_true(fabs(seen.norm - sqrt(128)) <= 1e-6);
  cliv_optimizer_free(o);
  for (size_t i = 0; i < 2; i++) cliv_tensor_free(g[i]), cliv_tensor_free(p[i]);
  cliv_tensor_free(pool);
  test_close(ctx);
}

/* ---- what is not finite ---- */

/* A bad step in between changes nothing: what comes after is as if it had not been. */
static void skips_what_is_not_finite(void **state) {
  (void)state;
  static const char *const rules[] = {"adamw", "nadam"}; /* the one looks at t, the other at the steps before */
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++)
    for (size_t r = 0; r < 2; r++) {
      training a = begin(test_walks[w], rules[r], true, CLIV_F32), b = begin(test_walks[w], rules[r], true, CLIV_F32);
      set(&a, (cliv_gradient_options){.nonfinite = CLIV_NONFINITE_SKIP});
      static const float bad[] = {0, INFINITY, 0, NAN, 1e30f, 0};
      uint64_t good = 0, skipped = 0;
      for (uint64_t s = 0; s < sizeof bad / sizeof *bad; s++) {
        give(&a, s, 1, INFINITY, bad[s] != 0 ? &bad[s] : NULL);
        step(&a);
        if (bad[s] != 0) {
          skipped++;
          continue;
        }
        give(&b, s, 1, INFINITY, NULL);
        step(&b);
        good++;
      }
      assert_int_equal(cliv_optimizer_steps(a.o), good);
      assert_int_equal(look(&a).skipped, skipped);
      same_parameters(&b, &a);
      end(&a), end(&b);
    }
}

/* A plan that is made anew between a bad step and its verdict keeps what the rule remembers of the steps before. */
static void plans_wait_for_the_verdict(void **state) {
  (void)state;
  static const char *const rules[] = {"nadam", "laprop", "schedule_free_adamw"};
  const size_t tried = test_few() ? 1 : sizeof rules / sizeof *rules;
  const float bad = NAN;
  for (size_t r = 0; r < 2 * tried; r++) {
    training a = begin(CLIV_WALK_AUTO, rules[r / 2], true, CLIV_F32),
             b = begin(CLIV_WALK_AUTO, rules[r / 2], true, CLIV_F32);
    training *const both[] = {&a, &b};
    set(&a, (cliv_gradient_options){.nonfinite = CLIV_NONFINITE_SKIP});
    for (uint64_t s = 0; s < 5; s++) {
      if (s == 3) {
        give(&a, s, 1, INFINITY, &bad);
        step(&a);
        for (size_t i = 0; i < 2; i++) ASSERT_OK(NULL, cliv_optimizer_set(both[i]->o, CLIV_ALL_GROUPS, "prox_l1", 0.1));
        cliv_tensor *view = NULL;
        cliv_optimizer_usage usage = {.size = sizeof usage};
        if (r % 2) ASSERT_OK(a.ctx, cliv_optimizer_memory(a.o, &usage));
        else ASSERT_OK(a.ctx, cliv_optimizer_state(a.o, 0, cliv_optimizer_state_name(a.o, 0, 0), &view));
        cliv_tensor_free(view);
      }
      for (size_t i = 0; i < 2; i++) give(both[i], s, 1, INFINITY, NULL), step(both[i]);
    }
    assert_int_equal(cliv_optimizer_steps(a.o), 5);
    assert_int_equal(look(&a).skipped, 1);
    same_parameters(&b, &a);
    end(&a), end(&b);
  }
}

static void scales_the_loss(void **state) {
  (void)state;
  training a = begin(CLIV_WALK_AUTO, "sgd", true, CLIV_F32), b = begin(CLIV_WALK_AUTO, "sgd", true, CLIV_F32);
  set(&a, (cliv_gradient_options){
              .scale = 64, .nonfinite = CLIV_NONFINITE_SKIP, .growth = 4, .backoff = 0.25, .interval = 2});
  static const bool overflows[] = {false, true, false, false, false, false, true};
  static const double want[] = {64, 64, 16, 16, 64, 64, 256, 64};
  for (uint64_t s = 0; s < sizeof overflows / sizeof *overflows; s++) {
    const double scale = look(&a).scale;
    if (scale != want[s]) fail_msg("before step %d the scale is %g, not %g", (int)s, scale, want[s]);
    const float inf = INFINITY;
    give(&a, s, (float)scale, INFINITY, overflows[s] ? &inf : NULL);
    step(&a);
    if (overflows[s]) continue;
    give(&b, s, 1, INFINITY, NULL); /* powers of 2: nothing is lost */
    step(&b);
  }
  assert_true(look(&a).scale == want[7]);
  same_parameters(&b, &a);

  /* The scale goes on in a file. */
  char *folder = test_temp_dir(), *path = test_join(folder, "o.safetensors");
  ASSERT_OK(a.ctx, cliv_optimizer_save(a.o, path));
  set(&b, (cliv_gradient_options){.nonfinite = CLIV_NONFINITE_SKIP, .growth = 2});
  ASSERT_OK(b.ctx, cliv_optimizer_load(b.o, path));
  assert_true(look(&b).scale == 64 && look(&b).skipped == 2);
  set(&b, (cliv_gradient_options){.scale = 8});
  ASSERT_OK(b.ctx, cliv_optimizer_load(b.o, path)); /* one that was asked for stays */
  assert_true(look(&b).scale == 8);
  test_remove_tree(folder);
  free(path), free(folder);
  end(&a), end(&b);
}

static void fails_on_what_is_not_finite(void **state) {
  (void)state;
  const float nan = NAN;
  training a = begin(CLIV_WALK_AUTO, "adamw", true, CLIV_F32), b = begin(CLIV_WALK_AUTO, "adamw", true, CLIV_F32);
  set(&a, (cliv_gradient_options){.nonfinite = CLIV_NONFINITE_FAIL, .clip_norm = 1e9});
  give(&a, 0, 1, INFINITY, NULL), give(&b, 0, 1, INFINITY, NULL);
  step(&a), step(&b);
  give(&a, 1, 1, INFINITY, &nan);
  ASSERT_FAILS(a.ctx, cliv_optimizer_step(a.o, NULL), CLIV_DATA, "step 2 are not finite");
  assert_int_equal(cliv_optimizer_steps(a.o), 1);
  same_parameters(&b, &a);
  give(&a, 1, 1, INFINITY, NULL), give(&b, 1, 1, INFINITY, NULL);
  step(&a), step(&b);
  set(&a, (cliv_gradient_options){.size = 0}); /* as they are again */
  give(&a, 2, 1, INFINITY, &nan), give(&b, 2, 1, INFINITY, &nan);
  step(&a), step(&b);
  same_parameters(&b, &a);
  assert_true(isnan(look(&a).norm) && look(&a).scale == 1);
  end(&a), end(&b);
}

static void refuses_bad_options(void **state) {
  (void)state;
  training t = begin(CLIV_WALK_AUTO, "sgd", true, CLIV_F32);
  static const struct {
    cliv_gradient_options options;
    const char *says;
  } bad[] = {{{.scale = -1}, "the scale is -1"},
             {{.scale = 1e-40}, "from 1e-30 to 1e30"},
             {{.clip_norm = NAN}, "clip_norm nan"},
             {{.clip_value = INFINITY}, "clip_value inf"},
             {{.nonfinite = 3}, "nonfinite is 3"},
             {{.nonfinite = CLIV_NONFINITE_SKIP, .growth = 0.5}, "growth is 0.5"},
             {{.nonfinite = CLIV_NONFINITE_SKIP, .growth = 2, .backoff = 2}, "backoff is 2"},
             {{.nonfinite = CLIV_NONFINITE_FAIL, .growth = 2}, "CLIV_NONFINITE_SKIP"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ASSERT_FAILS(t.ctx, cliv_optimizer_gradients(t.o, &bad[i].options), CLIV_VALUE, bad[i].says);
  ASSERT_FAILS(NULL, cliv_optimizer_gradients(NULL, NULL), CLIV_NULL, NULL);
  cliv_gradient_state older = {.size = 8};
  ASSERT_FAILS(t.ctx, cliv_optimizer_gradient_state(t.o, &older), CLIV_VALUE, "the size of the state to fill is 8");
  end(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shortens_to_a_norm),          cmocka_unit_test(keeps_elements_within_a_bound),
      cmocka_unit_test(takes_any_gradients),         cmocka_unit_test(skips_what_is_not_finite),
      cmocka_unit_test(plans_wait_for_the_verdict),  cmocka_unit_test(scales_the_loss),
      cmocka_unit_test(fails_on_what_is_not_finite), cmocka_unit_test(refuses_bad_options),
      cmocka_unit_test(waits_for_nothing),           cmocka_unit_test(leaves_foreign_memory_alone),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
