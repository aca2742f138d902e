/* Laplacian smoothing of gradients, against the equation in double. */
#include "worlds.h"

#include <math.h>
#include <stdlib.h>

#include <cliv/optim.h>

#include "optim/optim.h"

enum { PARAMS = 15, MOST = 20000 };
static const int ndims[PARAMS] = {1, 1, 1, 0, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 2};
static const size_t shapes[] = {1, 2, 0, 3, 21, 22, 255, 16, 16, 257, 495, 496, 497, 4097, 5, 4000};
static const size_t counts[PARAMS] = {1, 2, 0, 1, 3, 21, 22, 255, 256, 257, 495, 496, 497, 4097, 20000};
static const test_shapes of = {PARAMS, ndims, shapes};

typedef struct training {
  cliv_context *ctx;
  cliv_optimizer *o;
  cliv_tensor *p[PARAMS], *g[PARAMS];
} training;

/* Weights are 0 and lr is 1, so that a step leaves what was taken off, negated. In arenas, or each by itself. */
static training begin(cliv_walk walk, bool arenas, cliv_dtype gradients) {
  training t = {.ctx = test_open(walk)};
  test_tensors_make(t.ctx, CLIV_F32, &of, arenas, t.p);
  test_tensors_make(t.ctx, gradients, &of, arenas, t.g);
  test_tensors_fill(t.g, PARAMS, 70);
  ASSERT_OK(t.ctx, cliv_optimizer_create(t.ctx, "sgd", NULL, &t.o));
  ASSERT_OK(t.ctx, cliv_optimizer_set(t.o, 0, "lr", 1));
  for (size_t i = 0; i < PARAMS; i++) {
    ASSERT_OK(t.ctx, cliv_tensor_fill(t.p[i], 0, NULL));
    ASSERT_OK(t.ctx, cliv_optimizer_add(t.o, t.p[i], t.g[i], CLIV_DEFAULT_GROUP));
  }
  return t;
}

static void end(training *t) {
  cliv_optimizer_free(t->o);
  test_tensors_free(t->p, PARAMS);
  test_tensors_free(t->g, PARAMS);
  test_close(t->ctx);
}

/* (1 + 2s) x[i] - s (x[i-1] + x[i+1]) is g[i]. The equation's inverse lengthens nothing, so an error of x is at most
 * that of the equation. With r, what one recursion keeps, and G, the largest gradient, rounding adds G·2^-24 / (1 - r)
 * in each direction, and once for each of gain and result; what a lead-in forgets is 2^-30 of that. */
static void check(const training *t, double s, double scale) {
  const double r = 2 * s / (1 + 2 * s + sqrt(1 + 4 * s)), each = (2 / (1 - r) + 3) * 0x1p-24 * (1 + 0x1p-5);
  for (size_t i = 0; i < PARAMS; i++) {
    const size_t n = counts[i];
    float *p = test_read(t->p[i]);
    void *g = test_read(t->g[i]);
    double most = 0, sum = 0, sum_g = 0;
    for (size_t k = 0; k < n; k++) most = fmax(most, fabs(scale * test_get(cliv_tensor_dtype(t->g[i]), g, k)));
    for (size_t k = 0; k < n; k++) {
      const double x = -(double)p[k], before = -(double)p[(k + n - 1) % n], behind = -(double)p[(k + 1) % n];
      const double want = scale * test_get(cliv_tensor_dtype(t->g[i]), g, k);
      const double got = (1 + 2 * s) * x - s * (before + behind);
      if (!(fabs(got - want) <= (1 + 4 * s) * each * most))
        fail_msg("s = %g, parameter %zu [%zu]: %.9g for %.9g, off by %.3g, allowed %.3g", s, i, k, got, want,
                 fabs(got - want), (1 + 4 * s) * each * most);
      sum += x, sum_g += want;
    }
    ASSERT_NEAR(sum, sum_g, (double)n * each * most); /* the mean stays */
    free(p), free(g);
  }
}

/* Strengths from next to none to beyond the tensors' lengths, which the lead-in then goes round; both walks and both
 * layouts with the same bits, and so with launches cut in pieces. */
static void solves_the_equation(void **state) {
  (void)state;
  static const double strengths[] = {1, 0.01, 30, 1000};
  for (size_t s = 0; s < sizeof strengths / sizeof *strengths; s++) {
    const cliv_dtype dtype = s == 1 ? CLIV_F16 : s == 2 ? CLIV_BF16 : CLIV_F32;
    training t[2 * TEST_WALKS];
    for (size_t w = 0; w < 2 * TEST_WALKS; w++) {
      t[w] = begin(test_walks[w % TEST_WALKS], w < TEST_WALKS, dtype);
      ASSERT_OK(t[w].ctx, cliv_optimizer_gradients(t[w].o, &(cliv_gradient_options){.smooth = strengths[s]}));
      if (w == TEST_WALKS - 1) t[w].o->launch = 4000;
      ASSERT_OK(t[w].ctx, cliv_optimizer_step(t[w].o, NULL));
      if (w == 0) check(&t[w], strengths[s], 1);
      for (size_t i = 0; i < PARAMS; i++) ASSERT_SAME_TENSORS(t[w].p[i], t[0].p[i]);
    }
    for (size_t w = 0; w < 2 * TEST_WALKS; w++) end(&t[w]);
  }
}

/* What comes after sees smoothed gradients: the norm and rows; it is switched on and off; a frozen parameter is left
 * out; the gradients in memory stay as they are. */
static void comes_first(void **state) {
  (void)state;
  training a = begin(CLIV_WALK_AUTO, true, CLIV_F32), b = begin(CLIV_WALK_AUTO, true, CLIV_F32);
  ASSERT_OK(a.ctx, cliv_optimizer_gradients(a.o, &(cliv_gradient_options){.smooth = 2}));
  ASSERT_OK(a.ctx, cliv_optimizer_step(a.o, NULL));
  check(&a, 2, 1);
  for (size_t i = 0; i < PARAMS; i++) { /* the smoothed gradients as the other's own */
    float *p = test_read(a.p[i]);
    for (size_t k = 0; k < counts[i]; k++) p[k] = -p[k];
    ASSERT_OK(b.ctx, cliv_tensor_write(b.g[i], p, counts[i] * sizeof *p));
    ASSERT_OK(a.ctx, cliv_tensor_fill(a.p[i], 0, NULL));
    free(p);
  }
  cliv_gradient_options options = {.clip_norm = 1, .centralize = 1, .smooth = 2};
  ASSERT_OK(a.ctx, cliv_optimizer_freeze(a.o, 13, 1));
  ASSERT_OK(b.ctx, cliv_optimizer_freeze(b.o, 13, 1));
  for (size_t i = 0; i < 2; i++) {
    ASSERT_OK(a.ctx, cliv_optimizer_gradients(a.o, &options));
    options.smooth = 0;
    ASSERT_OK(b.ctx, cliv_optimizer_gradients(b.o, &options));
    options.centralize = 0, options.smooth = 2;
    cl_int code;
    cl_event gate = clCreateUserEvent(cliv_context_cl_context(a.ctx), &code), done;
    ASSERT_CL(code);
    if (test_flush_waits(a.ctx)) ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
    ASSERT_OK(a.ctx, cliv_optimizer_step(a.o, &(cliv_sync){1, &gate, &done}));
    if (!test_flush_waits(a.ctx)) ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
    ASSERT_CL(clWaitForEvents(1, &done));
    clReleaseEvent(gate), clReleaseEvent(done);
    ASSERT_OK(b.ctx, cliv_optimizer_step(b.o, NULL));
    for (size_t k = 0; k < PARAMS; k++) ASSERT_SAME_TENSORS(a.p[k], b.p[k]);
  }
  ASSERT_OK(a.ctx, cliv_optimizer_gradients(a.o, NULL));
  for (size_t i = 0; i < PARAMS; i++) ASSERT_OK(a.ctx, cliv_tensor_fill(a.p[i], 0, NULL));
  ASSERT_OK(a.ctx, cliv_optimizer_step(a.o, NULL));
  float *p = test_read(a.p[12]), *g = test_read(a.g[12]);
  for (size_t k = 0; k < counts[12]; k++) assert_true(p[k] == -g[k] && g[k] == (float)test_normal(70 + 12, k));
  free(p), free(g);
  end(&a), end(&b);
}

/* What is not finite is seen, and with SKIP nothing moves. */
static void what_is_not_finite(void **state) {
  (void)state;
  training a = begin(CLIV_WALK_AUTO, true, CLIV_F32);
  const cliv_gradient_options options = {.smooth = 1, .nonfinite = CLIV_NONFINITE_SKIP};
  ASSERT_OK(a.ctx, cliv_optimizer_gradients(a.o, &options));
  ASSERT_OK(a.ctx, cliv_tensor_fill(a.g[1], INFINITY, NULL));
  ASSERT_OK(a.ctx, cliv_optimizer_step(a.o, NULL));
  cliv_gradient_state seen = {.size = sizeof seen};
  ASSERT_OK(a.ctx, cliv_optimizer_gradient_state(a.o, &seen));
  assert_true(seen.skipped == 1);
  float *p = test_read(a.p[13]);
  for (size_t k = 0; k < counts[13]; k++) assert_true(p[k] == 0);
  free(p);
  ASSERT_FAILS(a.ctx, cliv_optimizer_gradients(a.o, &(cliv_gradient_options){.smooth = 1001}), CLIV_VALUE,
               "smooth is 1001");
  ASSERT_FAILS(a.ctx, cliv_optimizer_gradients(a.o, &(cliv_gradient_options){.smooth = NAN}), CLIV_VALUE, "smooth");
  end(&a);
}

/* Loading that fails after the smoothed gradients were made anew leaves an optimizer that steps as before. */
static void outlives_a_failed_load(void **state) {
  (void)state;
  char *dir = test_temp_dir(), *path = test_join(dir, "states");
  training a = begin(CLIV_WALK_AUTO, true, CLIV_F32);
  ASSERT_OK(a.ctx, cliv_optimizer_gradients(a.o, &(cliv_gradient_options){.smooth = 2}));
  ASSERT_OK(a.ctx, cliv_optimizer_step(a.o, NULL));
  ASSERT_OK(a.ctx, cliv_optimizer_save(a.o, path));
  for (size_t i = 0; i < PARAMS; i++) ASSERT_OK(a.ctx, cliv_tensor_fill(a.p[i], 0, NULL));
  const cl_ulong most = a.ctx->facts.max_allocation;
  a.ctx->facts.max_allocation = 2048;
  ASSERT_FAILS(a.ctx, cliv_optimizer_load(a.o, path), CLIV_DEVICE_MEMORY, "2048");
  a.ctx->facts.max_allocation = most;
  ASSERT_OK(a.ctx, cliv_optimizer_step(a.o, NULL));
  check(&a, 2, 1);
  end(&a);
  test_remove_tree(dir);
  free(path);
  free(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(solves_the_equation),
      cmocka_unit_test(comes_first),
      cmocka_unit_test(what_is_not_finite),
      cmocka_unit_test(outlives_a_failed_load),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
