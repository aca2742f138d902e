/* Narrow states and weights against the packages that have them: tests/golden/make_precision.py. */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/optim.h>
#include <cliv/safetensors.h>

#include "optim/optim.h"

enum { N = 5003, STEPS = 10 };

static void *read_array(const char *name, cliv_dtype dtype, size_t count) {
  char *path = test_source_path("tests/golden/precision.safetensors");
  cliv_safetensors *file;
  cliv_array array;
  ASSERT_OK(NULL, cliv_safetensors_open(path, &file));
  ASSERT_OK(NULL, cliv_safetensors_read(file, name, &array));
  assert_true(array.dtype == dtype && cliv_array_count(&array) == count);
  cliv_safetensors_free(file);
  free(path);
  return array.data;
}

typedef struct run {
  cliv_context *ctx;
  cliv_optimizer *o;
  cliv_tensor *p, *g;
} run;

/* AdamW through the file's gradients. */
static run begin(cliv_walk walk, cliv_dtype dtype, const cliv_optimizer_options *options, double decay) {
  const size_t n = N;
  run r = {.ctx = test_open(walk)};
  float *w = read_array("initial.5003", CLIV_F32, N), *g = read_array("gradients.5003", CLIV_F32, (size_t)STEPS * N);
  void *narrow = test_alloc(N * sizeof(float));
  ASSERT_OK(r.ctx, cliv_optimizer_create(r.ctx, "adamw", options, &r.o));
  ASSERT_OK(r.ctx, cliv_optimizer_set(r.o, 0, "lr", 1e-2));
  ASSERT_OK(r.ctx, cliv_optimizer_set(r.o, 0, "weight_decay", decay));
  ASSERT_OK(r.ctx, cliv_tensor_create(r.ctx, dtype, 1, &n, &r.p));
  ASSERT_OK(r.ctx, cliv_tensor_create(r.ctx, dtype, 1, &n, &r.g));
  for (size_t i = 0; i < N; i++) test_put(dtype, narrow, i, (double)w[i]);
  ASSERT_OK(r.ctx, cliv_tensor_write(r.p, narrow, N * cliv_dtype_size(dtype)));
  ASSERT_OK(r.ctx, cliv_optimizer_add(r.o, r.p, r.g, 0));
  for (size_t t = 0; t < STEPS; t++) {
    for (size_t i = 0; i < N; i++) test_put(dtype, narrow, i, (double)g[t * N + i]);
    ASSERT_OK(r.ctx, cliv_tensor_write(r.g, narrow, N * cliv_dtype_size(dtype)));
    ASSERT_OK(r.ctx, cliv_optimizer_step(r.o, NULL));
  }
  free(w), free(g), free(narrow);
  return r;
}

static void end(run *r) {
  cliv_optimizer_free(r->o);
  cliv_tensor_free(r->p);
  cliv_tensor_free(r->g);
  test_close(r->ctx);
}

static void *read_state(const run *r, const char *name) {
  cliv_tensor *view;
  ASSERT_OK(r->ctx, cliv_optimizer_state(r->o, 0, name, &view));
  void *x = test_read(view);
  cliv_tensor_free(view);
  return x;
}

/* The numbers that codes stand for are bitsandbytes' to the last bit. */
static void maps_are_the_same(void **state) {
  (void)state;
  static const char *const names[] = {"codes.qmap1", "codes.qmap2"};
  static const cliv_state_kind kinds[] = {CLIV_STATE_SIGNED, CLIV_STATE_NONNEGATIVE};
  for (size_t k = 0; k < 2; k++) {
    float map[256], *want = read_array(names[k], CLIV_F32, 256);
    cliv__dynamic_map(kinds[k], map);
    ASSERT_SAME(CLIV_F32, map, want, 256);
    free(want);
  }
}

/* Every byte after ten steps. Roundings of the arithmetic differ, by less than here would move a state past the middle
 * of two numbers. */
static void follows_bitsandbytes(void **state) {
  (void)state;
  enum { BLOCKS = (N + 255) / 256 };
  static const struct pair {
    const char *ours, *theirs;
  } codes[] = {{"exp_avg", "codes.state1"}, {"exp_avg_sq", "codes.state2"}},
    absmaxes[] = {{"exp_avg_absmax", "codes.absmax1"}, {"exp_avg_sq_absmax", "codes.absmax2"}};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    run r = begin(test_walks[w], CLIV_F32, &(cliv_optimizer_options){.state = "8bit"}, 0.1);
    for (size_t k = 0; k < 2; k++) {
      uint8_t *got = read_state(&r, codes[k].ours), *want = read_array(codes[k].theirs, CLIV_U8, N);
      float *absmax = read_state(&r, absmaxes[k].ours), *scale = read_array(absmaxes[k].theirs, CLIV_F32, BLOCKS);
      ASSERT_BITS(got, want, N);
      for (size_t b = 0; b < BLOCKS; b++)
        ASSERT_NEAR((double)absmax[b], (double)scale[b], STEPS * 0x1p-22 * (double)scale[b]);
      free(got), free(want), free(absmax), free(scale);
    }
    float *p = test_read(r.p), *want = read_array("codes.p", CLIV_F32, N);
    for (size_t i = 0; i < N; i++)
      ASSERT_NEAR((double)p[i], (double)want[i], STEPS * 0x1p-24 * (fabs((double)want[i]) + 1));
    free(p), free(want);
    end(&r);
  }
}

/* Compensated bfloat16 weights, states in bfloat16, are no farther from AdamW without rounding than torch-optimi's, and
 * far nearer than plain rounding. */
static void compensates_as_well_as_optimi(void **state) {
  (void)state;
  float *exact = read_array("exact.p", CLIV_F32, N), *theirs = read_array("kahan.sum", CLIV_F32, N);
  double error[3] = {0, 0, 0}; /* compensated, plain, torch-optimi's: the mean of the absolute differences */
  for (int plain = 0; plain < 2; plain++) {
    const cliv_optimizer_options options = {.state = "bfloat16", .weights = plain ? "nearest" : "kahan"};
    run r = begin(CLIV_WALK_AUTO, CLIV_BF16, &options, 0);
    uint16_t *p = test_read(r.p), *lost = plain ? NULL : read_state(&r, "compensation");
    for (size_t i = 0; i < N; i++) {
      const double sum = test_get(CLIV_BF16, p, i) + (lost ? test_get(CLIV_BF16, lost, i) : 0);
      error[plain] += fabs(sum - (double)exact[i]) / N;
    }
    free(p), free(lost);
    end(&r);
  }
  for (size_t i = 0; i < N; i++) error[2] += fabs((double)theirs[i] - (double)exact[i]) / N;
  assert_true(error[0] <= error[2] && error[0] < error[1] / 4);
  free(exact), free(theirs);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(maps_are_the_same),
      cmocka_unit_test(follows_bitsandbytes),
      cmocka_unit_test(compensates_as_well_as_optimi),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
