/* Rules that take parameters as matrices: against the trajectories of packages, layouts, states in files, refusals. */
#include "trajectories.h"
#include "worlds.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cliv/map.h>
#include <cliv/optim.h>

#include "optim/optim.h"

static bool takes_matrices(const char *rule) { return cliv__rule_find(rule)->phases[0].function != NULL; }

/* ---- the packages' trajectories ---- */

/* Singular values near 0 are multiplied by up to 3.4445 a step, and what rounding makes of them too. PyTorch's Muon in
 * bfloat16 has its bits; in the case of large steps, once in all of them, a sum in float32 in another order is rounded
 * to the other of two bfloat16: an element of one step is off by 2^-8 of itself, which is lr * sqrt(8 / 2) * 2^-8 =
 * 1.6e-4 for a weight, where the largest is 2.7. */
static double tolerance(const char *key, int t) {
  if (!strcmp(key, "muon.torch.0")) return 0;
  if (!strcmp(key, "muon.torch.1")) return t == TEST_MIDDLE ? 0 : 6e-5;
  return 2e-6;
}

/* A constant gradient is diagonal in SOAP's bases, and what should be 0 beside the diagonal is rounding divided by its
 * own size. */
static const int both[] = {2, 2};
static const test_trajectories trajectories[] = {
    {"tests/golden/matrix.safetensors", 2, both, (const size_t[]){4, 6, 8, 2}, tolerance, NULL},
    {"tests/golden/soap.safetensors", 2, both, (const size_t[]){6, 6, 2, 2}, NULL, "constant"},
};

/* Thousands of products: another stack's, where test_few(). Here `layouts_agree` has the same kernels in three steps,
 * and the self-test their bits. */
static void agrees_with_packages(void **state) {
  (void)state;
  if (test_few()) return;
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  for (size_t i = 0; i < cliv_rule_count(); i++)
    if (takes_matrices(cliv_rule_get(i)->name))
      test_trajectories_follow(ctx, trajectories, sizeof trajectories / sizeof *trajectories, cliv_rule_get(i));
  test_close(ctx);
}

/* ---- bits ---- */

static const struct variant {
  const char *rule, *options;
} variants[] = {
    {"muon", "lr=0.1"},
    {"muon", "lr=0.1 bfloat16=0 rms_rate=0.2 maximize=1"},
    {"shampoo", "lr=0.1 momentum=0.5 weight_decay=0.1 preconditioning_frequency=2 matrix_eps=0.01"},
    {"soap", "lr=0.1 precondition_frequency=1 maximize=1"},
};
enum { VARIANTS = sizeof variants / sizeof *variants };
/* Where only few are tried, the last has the most: products, eigenvectors, bases. Where memory is watched, what the
 * host does beside is left to the other stacks: a product takes a third of a second. */
static size_t first_variant(void) { return test_small() ? VARIANTS : test_few() ? VARIANTS - 1 : 0; }

/* Matrices of these sides, and one of more axes. They are small: a side costs ten launches for an eigenvector, and
 * larger ones are those of the products' own tests. */
enum { MATRICES = 4 };
static const test_shapes matrices = {MATRICES, (const int[]){2, 2, 2, 3}, (const size_t[]){1, 7, 9, 5, 6, 6, 5, 3, 2}};

typedef test_world world;

static world world_make(cliv_context *ctx, const struct variant *v, bool arena) {
  return test_world_make(ctx, test_optimizer(ctx, v->rule, NULL, v->options), &matrices, arena);
}

static void world_step(const world *x, uint64_t t) { test_world_step(x, 100 * t); }

/* In an arena or apart, in both walks. */
static void layouts_agree(void **state) {
  (void)state;
  const uint64_t steps = test_small() ? 2 : 3;
  for (size_t v = test_small() ? VARIANTS - 1 : 0; v < VARIANTS; v++) {
    cliv_context *first = test_open(test_walks[TEST_WALKS - 1]);
    world want = world_make(first, &variants[v], true);
    for (uint64_t t = 1; t <= steps; t++) world_step(&want, t);
    for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
      cliv_context *ctx = test_open(test_walks[w]);
      world x = world_make(ctx, &variants[v], false);
      for (uint64_t t = 1; t <= steps; t++) world_step(&x, t);
      ASSERT_SAME_WEIGHTS(&x, &want);
      test_world_free(&x);
      test_close(ctx);
    }
    test_world_free(&want);
    test_close(first);
  }
}

/* ---- together with the rest of an optimizer ---- */

/* Saved and loaded, the rest of the run has the same bits. */
static void resumes_from_a_file(void **state) {
  (void)state;
  char path[64];
  snprintf(path, sizeof path, "/tmp/cliv-matrix-%d.safetensors", (int)getpid());
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  for (size_t v = first_variant(); v < VARIANTS; v++) {
    world a = world_make(ctx, &variants[v], true), b = world_make(ctx, &variants[v], true);
    for (uint64_t t = 1; t <= 3; t++) world_step(&a, t);
    ASSERT_OK(ctx, cliv_optimizer_save(a.o, path));
    for (size_t i = 0; i < MATRICES; i++) ASSERT_OK(ctx, cliv_tensor_copy(a.p[i], b.p[i], NULL));
    ASSERT_OK(ctx, cliv_optimizer_load(b.o, path));
    for (uint64_t t = 4; t <= 5; t++) world_step(&a, t), world_step(&b, t);
    ASSERT_SAME_WEIGHTS(&a, &b);
    test_world_free(&a);
    test_world_free(&b);
  }
  unlink(path);
  test_close(ctx);
}

/* A step whose gradients are no numbers changes nothing where that is asked for. */
static void skipped_steps_change_nothing(void **state) {
  (void)state;
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  const cliv_gradient_options skip = {.size = sizeof skip, .nonfinite = CLIV_NONFINITE_SKIP};
  for (size_t v = first_variant(); v < VARIANTS; v++) {
    world a = world_make(ctx, &variants[v], true), b = world_make(ctx, &variants[v], true);
    ASSERT_OK(ctx, cliv_optimizer_gradients(a.o, &skip));
    ASSERT_OK(ctx, cliv_optimizer_gradients(b.o, &skip));
    world_step(&a, 1), world_step(&b, 1);
    ASSERT_OK(ctx, cliv_tensor_fill(a.g[2], (double)NAN, NULL));
    ASSERT_OK(ctx, cliv_optimizer_step(a.o, NULL));
    world_step(&a, 2), world_step(&b, 2);
    ASSERT_SAME_WEIGHTS(&a, &b);
    assert_int_equal(cliv_optimizer_steps(a.o), 2);
    test_world_free(&a);
    test_world_free(&b);
  }
  test_close(ctx);
}

/* A narrow parameter's step is a wide one's, rounded once; its gradient's too. */
static void narrow_storage_rounds_once(void **state) {
  (void)state;
  static const size_t shape[] = {5, 6};
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  for (size_t v = first_variant(); v < VARIANTS; v++) {
    cliv_tensor *p[2], *g[2], *rounded;
    float data[30];
    test_fill_normal(data, 30, v);
    for (int narrow = 1; narrow >= 0; narrow--) {
      ASSERT_OK(ctx, cliv_tensor_create(ctx, narrow ? CLIV_BF16 : CLIV_F32, 2, shape, &p[narrow]));
      ASSERT_OK(ctx, cliv_tensor_create(ctx, narrow ? CLIV_F16 : CLIV_F32, 2, shape, &g[narrow]));
    }
    ASSERT_OK(ctx, cliv_tensor_write(p[0], data, sizeof data));
    ASSERT_OK(ctx, cliv_map(ctx, "copy", p[0], p[1], NULL));
    ASSERT_OK(ctx, cliv_map(ctx, "copy", p[0], g[1], NULL));
    ASSERT_OK(ctx, cliv_map(ctx, "copy", p[1], p[0], NULL));
    ASSERT_OK(ctx, cliv_map(ctx, "copy", g[1], g[0], NULL));
    for (int k = 0; k < 2; k++) {
      cliv_optimizer *o = test_optimizer(ctx, variants[v].rule, NULL, variants[v].options);
      ASSERT_OK(ctx, cliv_optimizer_add(o, p[k], g[k], CLIV_DEFAULT_GROUP));
      ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
      cliv_optimizer_free(o);
    }
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_BF16, 2, shape, &rounded));
    ASSERT_OK(ctx, cliv_map(ctx, "copy", p[0], rounded, NULL));
    ASSERT_SAME_TENSORS(p[1], rounded);
    cliv_tensor_free(rounded);
    for (int k = 0; k < 2; k++) cliv_tensor_free(p[k]), cliv_tensor_free(g[k]);
  }
  test_close(ctx);
}

/* A frozen matrix stays, and goes on with its own count; the others see nothing of it, nor of one that comes later. */
static void frozen_and_late_matrices(void **state) {
  (void)state;
  static const size_t shape[] = {3, 4};
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  for (size_t v = first_variant(); v < VARIANTS; v++) {
    world a = world_make(ctx, &variants[v], true), b = world_make(ctx, &variants[v], true);
    cliv_tensor *p, *g;
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &p));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &g));
    ASSERT_OK(ctx, cliv_tensor_fill(p, 1, NULL));
    ASSERT_OK(ctx, cliv_tensor_fill(g, 1, NULL));
    world_step(&a, 1), world_step(&b, 1);
    ASSERT_OK(ctx, cliv_optimizer_freeze(a.o, 1, 1));
    ASSERT_OK(ctx, cliv_optimizer_add(a.o, p, g, CLIV_DEFAULT_GROUP));
    world_step(&a, 2);
    ASSERT_SAME_TENSORS(a.p[1], b.p[1]);
    world_step(&b, 2);
    for (size_t i = 0; i < MATRICES; i++)
      if (i != 1) ASSERT_SAME_TENSORS(a.p[i], b.p[i]);
    ASSERT_OK(ctx, cliv_optimizer_freeze(a.o, 1, 0));
    world_step(&a, 2);
    ASSERT_SAME_TENSORS(a.p[1], b.p[1]);
    test_world_free(&a);
    test_world_free(&b);
    cliv_tensor_free(p);
    cliv_tensor_free(g);
  }
  test_close(ctx);
}

/* Matrices without elements take no part. */
static void empty_matrices(void **state) {
  (void)state;
  static const size_t shape[] = {5, 0};
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  for (size_t v = 0; v < VARIANTS; v++) {
    cliv_optimizer *o = test_optimizer(ctx, variants[v].rule, NULL, variants[v].options);
    cliv_tensor *p, *g;
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &p));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &g));
    ASSERT_OK(ctx, cliv_optimizer_add(o, p, g, CLIV_DEFAULT_GROUP));
    ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
    cliv_optimizer_free(o);
    cliv_tensor_free(p);
    cliv_tensor_free(g);
  }
  test_close(ctx);
}

/* What has no elements has no matrices either: its states are empty, in a file too. */
static void nothing_has_no_matrices(void **state) {
  (void)state;
  static const size_t sides[][2] = {{5, 0}, {0, 5}, {3, 2}};
  static const char *const rules[] = {"shampoo", "soap"};
  char *dir = test_temp_dir(), *path = test_join(dir, "states");
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  for (size_t r = 0; r < 2; r++) {
    cliv_optimizer *o[2] = {test_optimizer(ctx, rules[r], NULL, ""), test_optimizer(ctx, rules[r], NULL, "")};
    cliv_tensor *p[3], *g[3], *view;
    for (size_t i = 0; i < 3; i++) {
      ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, sides[i], &p[i]));
      ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, sides[i], &g[i]));
      ASSERT_OK(ctx, cliv_tensor_fill(p[i], 1, NULL));
      ASSERT_OK(ctx, cliv_tensor_fill(g[i], 1, NULL));
      for (size_t k = 0; k < 2; k++) ASSERT_OK(ctx, cliv_optimizer_add(o[k], p[i], g[i], CLIV_DEFAULT_GROUP));
    }
    ASSERT_OK(ctx, cliv_optimizer_step(o[0], NULL));
    for (size_t i = 0; i < 2; i++)
      for (size_t k = 0; k < cliv_optimizer_state_count(o[0], i); k++) {
        ASSERT_OK(ctx, cliv_optimizer_state(o[0], i, cliv_optimizer_state_name(o[0], i, k), &view));
        assert_int_equal(cliv_tensor_count(view), 0);
        cliv_tensor_free(view);
      }
    ASSERT_OK(ctx, cliv_optimizer_save(o[0], path));
    ASSERT_OK(ctx, cliv_optimizer_load(o[1], path));
    assert_int_equal(cliv_optimizer_steps(o[1]), 1);
    ASSERT_OK(ctx, cliv_optimizer_step(o[1], NULL));
    for (size_t k = 0; k < 2; k++) cliv_optimizer_free(o[k]);
    for (size_t i = 0; i < 3; i++) cliv_tensor_free(p[i]), cliv_tensor_free(g[i]);
  }
  test_remove_tree(dir);
  free(path);
  free(dir);
  test_close(ctx);
}

/* Square matrices are states; what is room between two launches is not. */
static void memory_is_counted(void **state) {
  (void)state;
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  world x = world_make(ctx, &(struct variant){"shampoo", ""}, true);
  cliv_optimizer_usage usage = {.size = sizeof usage};
  uint64_t states = 0, room = 0;
  for (size_t i = 0; i < MATRICES; i++) {
    const uint64_t rows = cliv_tensor_shape(x.p[i])[0], columns = cliv_tensor_count(x.p[i]) / rows;
    states += 2 * (rows * rows + columns * columns) * sizeof(float);
    room += cliv_tensor_count(x.p[i]) * sizeof(float);
  }
  ASSERT_OK(ctx, cliv_optimizer_memory(x.o, &usage));
  assert_int_equal(usage.states, states);
  assert_true(usage.tables > room);
  test_world_free(&x);
  test_close(ctx);
}

/* A vector is no matrix; nothing is added. Half a step is none. */
static void refuses_what_makes_no_sense(void **state) {
  (void)state;
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  cliv_optimizer *o = test_optimizer(ctx, "muon", NULL, "");
  cliv_tensor *p, *g;
  const size_t n = 7;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &p));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &g));
  ASSERT_FAILS(ctx, cliv_optimizer_add(o, p, g, CLIV_DEFAULT_GROUP), CLIV_SHAPE, "two axes");
  assert_int_equal(cliv_optimizer_param_count(o), 0);
  ASSERT_OK(ctx, cliv_optimizer_set(o, CLIV_ALL_GROUPS, "ns_steps", 2.5));
  ASSERT_FAILS(ctx, cliv_optimizer_step(o, NULL), CLIV_VALUE, "whole");
  cliv_tensor_free(p);
  cliv_tensor_free(g);
  cliv_optimizer_free(o);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(agrees_with_packages),        cmocka_unit_test(layouts_agree),
      cmocka_unit_test(resumes_from_a_file),         cmocka_unit_test(skipped_steps_change_nothing),
      cmocka_unit_test(refuses_what_makes_no_sense), cmocka_unit_test(narrow_storage_rounds_once),
      cmocka_unit_test(frozen_and_late_matrices),    cmocka_unit_test(empty_matrices),
      cmocka_unit_test(nothing_has_no_matrices),     cmocka_unit_test(memory_is_counted),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
