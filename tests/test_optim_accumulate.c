/* Gradients added up over several calls: as if their mean had been the gradient. */
#include "worlds.h"

#include <math.h>
#include <stdlib.h>

#include <cliv/optim.h>

enum { TENSORS = 3, PARTS = 4 };
static const test_shapes shapes = {TENSORS, (const int[]){1, 2, 1}, (const size_t[]){4099, 7, 33, 1}};

typedef test_world world;

static world world_make(cliv_context *ctx, const char *rule, bool arena) {
  return test_world_make(ctx, test_optimizer(ctx, rule, NULL, ""), &shapes, arena);
}

/* Part k of step t. */
static void give_part(const world *x, uint64_t t, uint64_t k) { test_tensors_fill(x->g, TENSORS, 100 * t + 10 * k); }

/* The mean of `parts` of them, a power of two, from sums in float32: what the parts come to, to the last bit. */
static void give_mean(const world *x, uint64_t t, uint64_t parts) {
  for (size_t i = 0; i < TENSORS; i++) {
    const size_t n = cliv_tensor_count(x->g[i]);
    float sum[4099] = {0}, data[4099];
    for (uint64_t k = 0; k < parts; k++) {
      test_fill_normal(data, n, 100 * t + 10 * k + i);
      for (size_t j = 0; j < n; j++) sum[j] += data[j];
    }
    for (size_t j = 0; j < n; j++) sum[j] /= (float)parts;
    ASSERT_OK(NULL, cliv_tensor_write(x->g[i], sum, n * sizeof *sum));
  }
}

static void step(const world *x) { ASSERT_OK(NULL, cliv_optimizer_step(x->o, NULL)); }

/* `parts` parts, then a step. */
static void step_in_parts(const world *x, uint64_t t, uint64_t parts) {
  for (uint64_t k = 0; k < parts; k++) {
    give_part(x, t, k);
    ASSERT_OK(NULL, cliv_optimizer_accumulate(x->o, NULL));
    assert_int_equal(cliv_optimizer_accumulated(x->o), k + 1);
  }
  step(x);
  assert_int_equal(cliv_optimizer_accumulated(x->o), 0);
}

static void follow(cliv_context *ctx, const char *rule, bool arena, const cliv_gradient_options *options) {
  world parts = world_make(ctx, rule, arena), whole = world_make(ctx, rule, true);
  ASSERT_OK(ctx, cliv_optimizer_gradients(parts.o, options));
  ASSERT_OK(ctx, cliv_optimizer_gradients(whole.o, options));
  for (uint64_t t = 1; t <= 3; t++) {
    step_in_parts(&parts, t, t == 2 ? 2 : PARTS);
    give_mean(&whole, t, t == 2 ? 2 : PARTS);
    step(&whole);
    ASSERT_SAME_WEIGHTS(&parts, &whole);
  }
  test_world_free(&parts);
  test_world_free(&whole);
}

static void means_are_steps(void **state) {
  (void)state;
  const cliv_gradient_options clip = {.size = sizeof clip, .clip_norm = 3, .scale = 8};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    follow(ctx, "adamw", true, NULL);
    follow(ctx, "adamw", false, &clip);
    if (!test_few()) follow(ctx, "lamb", true, &clip);
    test_close(ctx);
  }
}

/* Without a call before it a step takes the gradients as they are. */
static void one_part_is_a_step(void **state) {
  (void)state;
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  world a = world_make(ctx, "adamw", true), b = world_make(ctx, "adamw", true);
  step_in_parts(&a, 1, 1);
  give_part(&b, 1, 0), step(&b);
  give_part(&a, 2, 0), step(&a);
  give_part(&b, 2, 0), step(&b);
  ASSERT_SAME_WEIGHTS(&a, &b);
  test_world_free(&a);
  test_world_free(&b);
  test_close(ctx);
}

/* A part with a NaN spoils its step, which is left out or refused, and no other. */
static void sums_of_no_step_begin_anew(cliv_context *ctx, int nonfinite) {
  const cliv_gradient_options options = {.size = sizeof options, .nonfinite = nonfinite};
  world a = world_make(ctx, "adamw", true), b = world_make(ctx, "adamw", true);
  ASSERT_OK(ctx, cliv_optimizer_gradients(a.o, &options));
  ASSERT_OK(ctx, cliv_optimizer_gradients(b.o, &options));
  give_part(&a, 9, 0);
  ASSERT_OK(ctx, cliv_tensor_fill(a.g[2], (double)NAN, NULL));
  ASSERT_OK(ctx, cliv_optimizer_accumulate(a.o, NULL));
  assert_int_equal(cliv_optimizer_step(a.o, NULL), nonfinite == CLIV_NONFINITE_FAIL ? CLIV_DATA : CLIV_OK);
  assert_int_equal(cliv_optimizer_steps(a.o), 0);
  assert_int_equal(cliv_optimizer_accumulated(a.o), 0);
  step_in_parts(&a, 1, 2), step_in_parts(&b, 1, 2);
  ASSERT_SAME_WEIGHTS(&a, &b);
  test_world_free(&a);
  test_world_free(&b);
}

static void bad_sums_begin_anew(void **state) {
  (void)state;
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  sums_of_no_step_begin_anew(ctx, CLIV_NONFINITE_SKIP);
  sums_of_no_step_begin_anew(ctx, CLIV_NONFINITE_FAIL);
  test_close(ctx);
}

/* Narrow gradients are added in float32. A parameter that comes later has the parts that follow; a frozen one none. */
static void narrow_late_and_frozen(void **state) {
  (void)state;
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  const size_t n = 3;
  cliv_optimizer *o;
  cliv_tensor *p[2], *g[2];
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "sgd", NULL, &o));
  ASSERT_OK(ctx, cliv_optimizer_set(o, CLIV_ALL_GROUPS, "lr", 1));
  for (int i = 0; i < 2; i++) {
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &p[i]));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F16, 1, &n, &g[i]));
    ASSERT_OK(ctx, cliv_tensor_fill(p[i], 0, NULL));
  }
  ASSERT_OK(ctx, cliv_optimizer_add(o, p[0], g[0], CLIV_DEFAULT_GROUP));
  ASSERT_OK(ctx, cliv_tensor_fill(g[0], 2048, NULL));
  ASSERT_OK(ctx, cliv_optimizer_accumulate(o, NULL));
  ASSERT_OK(ctx, cliv_optimizer_add(o, p[1], g[1], CLIV_DEFAULT_GROUP));
  ASSERT_OK(ctx, cliv_tensor_fill(g[0], 1, NULL)); /* in float16 the sum would stay 2048 */
  ASSERT_OK(ctx, cliv_tensor_fill(g[1], 4, NULL));
  ASSERT_OK(ctx, cliv_optimizer_accumulate(o, NULL));
  ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
  ASSERT_OK(ctx, cliv_optimizer_freeze(o, 0, 1));
  ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
  float got[2][3];
  for (int i = 0; i < 2; i++) ASSERT_OK(ctx, cliv_tensor_read(p[i], got[i], sizeof got[i]));
  for (size_t j = 0; j < n; j++) {
    assert_true(got[0][j] == -1024.5f);
    assert_true(got[1][j] == -2 - 4);
  }
  cliv_optimizer_free(o);
  for (int i = 0; i < 2; i++) cliv_tensor_free(p[i]), cliv_tensor_free(g[i]);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(means_are_steps),
      cmocka_unit_test(one_part_is_a_step),
      cmocka_unit_test(bad_sums_begin_anew),
      cmocka_unit_test(narrow_late_and_frozen),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
