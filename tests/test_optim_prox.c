/* The proximal step after a rule's: soft thresholds and the elastic net. */
#include "support.h"

#include <math.h>
#include <stdlib.h>

#include <cliv/optim.h>

enum { N = 4097 };

typedef struct training {
  cliv_context *ctx;
  cliv_optimizer *o;
  cliv_tensor *p, *g;
  cliv_dtype dtype;
} training;

static void give(cliv_tensor *t, uint64_t seed, double scale) {
  float x[N];
  uint16_t narrow[N];
  const cliv_dtype dtype = cliv_tensor_dtype(t);
  for (size_t i = 0; i < N; i++) x[i] = (float)(scale * test_normal(seed, i));
  for (size_t i = 0; dtype != CLIV_F32 && i < N; i++) test_put(dtype, narrow, i, (double)x[i]);
  ASSERT_OK(cliv_tensor_context(t),
            cliv_tensor_write(t, dtype == CLIV_F32 ? (void *)x : narrow, N * cliv_dtype_size(dtype)));
}

static training begin(cliv_context *ctx, const char *rule, cliv_dtype dtype, double l1, double l2) {
  training t = {.ctx = ctx, .dtype = dtype};
  const size_t n = N;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, dtype, 1, &n, &t.p));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &t.g));
  give(t.p, 1, 1);
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, rule, NULL, &t.o));
  ASSERT_OK(ctx, cliv_optimizer_set(t.o, 0, "lr", 0.25));
  ASSERT_OK(ctx, cliv_optimizer_set(t.o, 0, "prox_l1", l1));
  ASSERT_OK(ctx, cliv_optimizer_set(t.o, 0, "prox_l2", l2));
  ASSERT_OK(ctx, cliv_optimizer_add(t.o, t.p, t.g, 0));
  return t;
}

static void end(training *t) {
  cliv_optimizer_free(t->o);
  cliv_tensor_free(t->p);
  cliv_tensor_free(t->g);
}

static void step(training *t, uint64_t seed) {
  give(t->g, seed, 1);
  ASSERT_OK(t->ctx, cliv_optimizer_step(t->o, NULL));
}

/* Gradient descent and thresholds, in double: rounding is that of each step's few operations. */
static void follows_the_formula(void **state) {
  (void)state;
  const double lr = 0.25, l1 = 0.75, l2 = 0.5;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    training t = begin(ctx, "sgd", CLIV_F32, l1, l2);
    double want[N], bound[N] = {0};
    for (size_t i = 0; i < N; i++) want[i] = (double)(float)test_normal(1, i);
    for (uint64_t s = 0; s < 8; s++) {
      step(&t, 10 + s);
      for (size_t i = 0; i < N; i++) {
        const double x = want[i] - lr * (double)(float)test_normal(10 + s, i), left = fabs(x) - lr * l1;
        want[i] = left > 0 ? copysign(left, x) / (1 + lr * l2) : 0;
        bound[i] += 4 * 0x1p-24 * (fabs(x) + 1);
      }
    }
    size_t zeros = 0;
    float *got = test_read(t.p);
    for (size_t i = 0; i < N; i++) {
      ASSERT_NEAR((double)got[i], want[i], bound[i]);
      zeros += got[i] == 0 && !signbit(got[i]);
    }
    assert_true(zeros > N / 4 && zeros < N);
    free(got);
    end(&t);
    test_close(ctx);
  }
}

static float threshold(float x, float by, float shrink) {
  const float left = fabsf(x) - by;
  return left > 0 ? copysignf(left, x) * shrink : isnan(x) ? x : 0.0f;
}

/* Behind any rule: the bits are those of thresholds over what the rule gives; a narrow weight is rounded after it. */
static void follows_any_rule(void **state) {
  (void)state;
  static const char *const rules[] = {"adamw", "lion"};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++)
    for (size_t r = 0; r < (test_few() ? 1 : 2); r++) {
      cliv_context *ctx = test_open(test_walks[w]);
      training a = begin(ctx, rules[r], CLIV_F32, 2, 1), b = begin(ctx, rules[r], CLIV_F32, 0, 0);
      step(&a, 2), step(&b, 2);
      float *got = test_read(a.p), *want = test_read(b.p);
      for (size_t i = 0; i < N; i++) want[i] = threshold(want[i], 0.5f, 0.8f);
      ASSERT_SAME(CLIV_F32, got, want, N);
      free(got), free(want);
      end(&a), end(&b);
      test_close(ctx);
    }
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  training a = begin(ctx, "sgd", CLIV_F16, 2, 0);
  float start[N];
  uint16_t want[N];
  give(a.g, 2, 1);
  uint16_t *before = test_read(a.p);
  for (size_t i = 0; i < N; i++)
    start[i] = fmaf(-0.25f, (float)test_normal(2, i), (float)test_get(CLIV_F16, before, i));
  ASSERT_OK(ctx, cliv_optimizer_step(a.o, NULL));
  for (size_t i = 0; i < N; i++) test_put(CLIV_F16, want, i, (double)threshold(start[i], 0.5f, 1));
  uint16_t *got = test_read(a.p);
  ASSERT_SAME(CLIV_F16, got, want, N);
  free(before), free(got);
  end(&a);
  test_close(ctx);
}

/* Only the group that asks for it; on, off and on again, with the states going on; the schedule of lr is in it. */
static void is_of_groups(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  training a = begin(ctx, "adamw", CLIV_F32, 1, 0), b = begin(ctx, "adamw", CLIV_F32, 0, 0);
  cliv_tensor *p, *g;
  const size_t n = N;
  int group;
  cliv_schedule *half;
  ASSERT_OK(ctx, cliv_schedule_create(ctx, "constant(factor=0.5)", NULL, &half));
  ASSERT_OK(ctx, cliv_optimizer_group(a.o, &group));
  ASSERT_OK(ctx, cliv_optimizer_set(a.o, group, "prox_l1", 0));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &p));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &g));
  give(p, 1, 1);
  ASSERT_OK(ctx, cliv_optimizer_add(a.o, p, g, group));
  for (uint64_t s = 0; s < 4; s++) {
    ASSERT_OK(ctx, cliv_optimizer_set(a.o, 0, "prox_l1", s == 2 ? 1 : 0));
    if (s == 2) {
      ASSERT_OK(ctx, cliv_optimizer_schedule(a.o, CLIV_ALL_GROUPS, "lr", half));
      ASSERT_OK(ctx, cliv_optimizer_schedule(b.o, CLIV_ALL_GROUPS, "lr", half));
    }
    give(g, 20 + s, 1);
    step(&a, 20 + s), step(&b, 20 + s);
    if (s == 2) { /* the other's weights by hand */
      float *w = test_read(b.p);
      for (size_t i = 0; i < N; i++) w[i] = threshold(w[i], 0.125f, 1);
      float *plain = test_read(b.p), *other = test_read(p);
      ASSERT_SAME(CLIV_F32, other, plain, N);
      ASSERT_OK(ctx, cliv_tensor_write(b.p, w, N * sizeof *w));
      free(w), free(plain), free(other);
    }
    ASSERT_SAME_TENSORS(a.p, b.p);
  }
  end(&a), end(&b);
  cliv_tensor_free(p);
  cliv_tensor_free(g);
  cliv_schedule_free(half);
  test_close(ctx);
}

static void special_values(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    training t = begin(ctx, "sgd", CLIV_F32, 1, 0);
    float x[N];
    const float values[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 0.25f, -0.25f, 0.5f, -0.5f, 0x1p-140f};
    const float wanted[] = {NAN, INFINITY, -INFINITY, 0, 0, 0, 0, 0.25f, -0.25f, 0};
    for (size_t i = 0; i < N; i++) x[i] = values[i % 10];
    ASSERT_OK(ctx, cliv_tensor_write(t.p, x, sizeof x));
    ASSERT_OK(ctx, cliv_tensor_fill(t.g, 0, NULL));
    ASSERT_OK(ctx, cliv_optimizer_step(t.o, NULL));
    for (size_t i = 0; i < N; i++) x[i] = wanted[i % 10];
    float *got = test_read(t.p);
    ASSERT_SAME(CLIV_F32, got, x, N);
    free(got);
    ASSERT_FAILS(ctx, cliv_optimizer_set(t.o, 0, "prox_l1", -1), CLIV_VALUE, "prox_l1 of sgd is -1");
    end(&t);
    test_close(ctx);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(follows_the_formula),
      cmocka_unit_test(follows_any_rule),
      cmocka_unit_test(is_of_groups),
      cmocka_unit_test(special_values),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
