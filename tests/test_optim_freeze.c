/* Parameters that are left out for a while, and how many steps they have taken then. */
#include "worlds.h"

#include <math.h>
#include <stdlib.h>

#include <cliv/optim.h>

enum { PARAMS = 4 };
static const test_shapes shapes = {PARAMS, (const int[]){1, 2, 1, 1}, (const size_t[]){5000, 3, 7, 0, 257}};

typedef struct training {
  cliv_context *ctx;
  cliv_optimizer *o;
  cliv_tensor *p[PARAMS], *g[PARAMS];
} training;

/* The parameters from `first` to `last`. */
static training begin(cliv_context *ctx, const char *rule, size_t first, size_t last) {
  training t = {.ctx = ctx};
  test_tensors_make(ctx, CLIV_F32, &shapes, true, t.p);
  test_tensors_make(ctx, CLIV_F32, &shapes, true, t.g);
  test_tensors_fill(t.p, PARAMS, 50);
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, rule, NULL, &t.o));
  for (size_t i = first; i <= last; i++) ASSERT_OK(ctx, cliv_optimizer_add(t.o, t.p[i], t.g[i], CLIV_DEFAULT_GROUP));
  return t;
}

static void end(training *t) {
  cliv_optimizer_free(t->o);
  test_tensors_free(t->p, PARAMS);
  test_tensors_free(t->g, PARAMS);
}

static void step(training *t, uint64_t number) {
  test_tensors_fill(t->g, PARAMS, 1000 * number);
  ASSERT_OK(t->ctx, cliv_optimizer_step(t->o, NULL));
}

static void freeze(training *t, size_t param, int on) { ASSERT_OK(t->ctx, cliv_optimizer_freeze(t->o, param, on)); }

static void set(training *t, const char *hyper, double value) {
  ASSERT_OK(t->ctx, cliv_optimizer_set(t->o, CLIV_ALL_GROUPS, hyper, value));
}

/* A parameter that was frozen from step 2 to 4 is what it is without these steps, and the others do not notice; what is
 * set meanwhile is none of its past. */
static void frozen_steps_do_not_count(void **state) {
  (void)state;
  static const struct {
    const char *rule, *hyper;
    double before, meanwhile, after;
  } cases[] = {{"adamw", "lr", 0.01, 0.5, 0.01}, {"nadam", "momentum_decay", 0.01, 3, 0.01}};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++)
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
      cliv_context *ctx = test_open(test_walks[w]);
      training a = begin(ctx, cases[c].rule, 0, 3), first = begin(ctx, cases[c].rule, 0, 0),
               others = begin(ctx, cases[c].rule, 1, 3);
      for (uint64_t s = 0; s < 7; s++) {
        const bool frozen = s >= 2 && s <= 4;
        if (s == 2 || s == 5) freeze(&a, 0, frozen);
        const double value = s < 2 ? cases[c].before : frozen ? cases[c].meanwhile : cases[c].after;
        set(&a, cases[c].hyper, value), set(&others, cases[c].hyper, value);
        set(&first, cases[c].hyper, cases[c].before);
        step(&a, s), step(&others, s);
        if (!frozen) step(&first, s);
        ASSERT_SAME_TENSORS(a.p[0], first.p[0]);
      }
      for (size_t i = 1; i < PARAMS; i++) ASSERT_SAME_TENSORS(a.p[i], others.p[i]);
      assert_int_equal(cliv_optimizer_steps(a.o), 7);
      end(&a), end(&first), end(&others);
      test_close(ctx);
    }
}

/* Norms are of what takes part. A step that is skipped counts for nobody. */
static void norms_leave_it_out(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const cliv_gradient_options options = {.clip_norm = 0.5, .nonfinite = CLIV_NONFINITE_SKIP};
  training a = begin(ctx, "adamw", 0, 3), b = begin(ctx, "adamw", 1, 3);
  ASSERT_OK(ctx, cliv_optimizer_gradients(a.o, &options));
  ASSERT_OK(ctx, cliv_optimizer_gradients(b.o, &options));
  freeze(&a, 0, 1);
  step(&a, 1), step(&b, 1);
  cliv_gradient_state x = {.size = sizeof x}, y = {.size = sizeof y};
  ASSERT_OK(ctx, cliv_optimizer_gradient_state(a.o, &x));
  ASSERT_OK(ctx, cliv_optimizer_gradient_state(b.o, &y));
  assert_true(x.norm == y.norm && x.norm > 10);
  for (size_t i = 1; i < PARAMS; i++) ASSERT_SAME_TENSORS(a.p[i], b.p[i]);
  ASSERT_OK(ctx, cliv_tensor_fill(a.g[3], NAN, NULL));
  ASSERT_OK(ctx, cliv_optimizer_step(a.o, NULL));
  freeze(&a, 0, 0);
  step(&a, 2);
  freeze(&a, 0, 1), freeze(&a, 0, 1), freeze(&a, 0, 0);
  ASSERT_OK(ctx, cliv_optimizer_gradient_state(a.o, &x));
  assert_true(x.norm > 60 && x.skipped == 1);
  end(&a), end(&b);
  test_close(ctx);
}

/* Saved while each has been frozen at some time, and gone on with: the schedule is where it was. */
static void goes_on_from_a_file(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  char *folder = test_temp_dir(), *path = test_join(folder, "frozen.safetensors");
  cliv_schedule *falling;
  ASSERT_OK(ctx, cliv_schedule_create(ctx, "linear(20)", NULL, &falling));
  training a = begin(ctx, "laprop", 0, 3), b = begin(ctx, "laprop", 0, 3);
  ASSERT_OK(ctx, cliv_optimizer_schedule(a.o, CLIV_ALL_GROUPS, "lr", falling));
  ASSERT_OK(ctx, cliv_optimizer_schedule(b.o, CLIV_ALL_GROUPS, "lr", falling));
  freeze(&a, 0, 1);
  step(&a, 0);
  freeze(&a, 0, 0);
  for (size_t i = 1; i < PARAMS; i++) freeze(&a, i, 1);
  step(&a, 1), step(&a, 2);
  ASSERT_OK(ctx, cliv_optimizer_save(a.o, path));
  for (size_t i = 1; i < PARAMS; i++) freeze(&a, i, 0);
  step(&b, 0); /* to be forgotten */
  ASSERT_OK(ctx, cliv_optimizer_load(b.o, path));
  assert_int_equal(cliv_optimizer_steps(b.o), 3);
  for (size_t i = 0; i < PARAMS; i++) ASSERT_OK(ctx, cliv_tensor_copy(a.p[i], b.p[i], NULL));
  for (uint64_t s = 3; s < 6; s++) step(&a, s), step(&b, s);
  for (size_t i = 0; i < PARAMS; i++) ASSERT_SAME_TENSORS(a.p[i], b.p[i]);
  end(&a), end(&b);
  cliv_schedule_free(falling);
  test_remove_tree(folder);
  free(path), free(folder);
  test_close(ctx);
}

/* With everything frozen a step launches nothing, and counts for the optimizer. */
static void nothing_left(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  training a = begin(ctx, "adamw", 0, 3), b = begin(ctx, "adamw", 0, 3);
  ASSERT_FAILS(ctx, cliv_optimizer_freeze(a.o, 4, 1), CLIV_VALUE, "no parameter 4");
  ASSERT_FAILS(NULL, cliv_optimizer_freeze(NULL, 0, 1), CLIV_NULL, NULL);
  ASSERT_OK(ctx, cliv_optimizer_gradients(a.o, &(cliv_gradient_options){.clip_norm = 1e9}));
  for (size_t i = 0; i < PARAMS; i++) freeze(&a, i, 1);
  step(&a, 0);
  for (size_t i = 0; i < PARAMS; i++) ASSERT_SAME_TENSORS(a.p[i], b.p[i]);
  assert_int_equal(cliv_optimizer_steps(a.o), 1);
  for (size_t i = 0; i < PARAMS; i++) freeze(&a, i, 0);
  step(&a, 1), step(&b, 1);
  for (size_t i = 0; i < PARAMS; i++) ASSERT_SAME_TENSORS(a.p[i], b.p[i]);
  end(&a), end(&b);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(frozen_steps_do_not_count),
      cmocka_unit_test(norms_leave_it_out),
      cmocka_unit_test(goes_on_from_a_file),
      cmocka_unit_test(nothing_left),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
