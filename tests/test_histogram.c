/* Histograms against comparisons with every edge in double. */
#include <cliv/histogram.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

/* Elements on the edges and beside them, outside, and NaN. */
static void *make(cliv_dtype dtype, size_t n, size_t bins, double low, double high) {
  void *x = test_alloc(n * cliv_dtype_size(dtype));
  const bool whole = dtype == CLIV_I32 || dtype == CLIV_I64 || dtype == CLIV_U8;
  for (size_t i = 0; i < n; i++) {
    const double width = high - low, edge = low + width * (double)(test_bits(1, i) % (bins + 1)) / (double)bins;
    double v = test_uniform(2, i, low - width / 8, high + width / 8);
    if (i % 5 == 1) v = edge;
    if (i % 5 == 2) v = edge + (double)((int)(i % 7) - 3) * 0x1p-24 * width;
    if (i % 50 == 3) v = high;
    if (i % 50 == 4) v = low;
    if (!whole && i % 90 == 9) v = i % 4 ? (double)NAN : i % 8 ? (double)INFINITY : (double)-INFINITY;
    if (dtype == CLIV_U8) v = fmin(fmax(v, 0), 255);
    test_put(dtype, x, i, v);
  }
  return x;
}

static void check(cliv_context *ctx, cliv_dtype dtype, size_t n, size_t bins, double low, double high) {
  void *x = make(dtype, n, bins, low, high);
  int64_t *want = test_alloc(bins * sizeof *want);
  memset(want, 0, bins * sizeof *want);
  const double step = (high - low) / (double)bins;
  for (size_t i = 0; i < n; i++) {
    const double v = test_get(dtype, x, i);
    size_t bin = bins;
    for (size_t b = 0; b < bins && v <= high; b++)
      if (v >= (double)b * step + low) bin = b;
    if (bin < bins) want[bin]++;
  }
  test_guarded in = test_guard1(ctx, dtype, n, 1, x), out = test_guard1(ctx, CLIV_I64, bins, 1, NULL);
  ASSERT_OK(ctx, cliv_histogram(ctx, in.tensor, bins, low, high, out.tensor, NULL));
  int64_t *got = test_read(out.tensor);
  ASSERT_SAME(CLIV_I64, got, want, bins);
  free(x), free(want), free(got);
  test_guard_free(&in), test_guard_free(&out);
}

static void counts_everything(void **state) {
  (void)state;
  size_t count;
  const size_t *sizes = test_sizes(&count);
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t s = 0; s < count; s++) check(ctx, CLIV_F32, sizes[s], sizes[s] > 5000 ? 7 : 100, -1.1, 2.3);
    check(ctx, CLIV_F32, 3000, 1, 0, 1);
    check(ctx, CLIV_F32, 3000, 4097, -1e-3, 1e9);
    check(ctx, CLIV_F16, 3000, 10, -0.1, 0.7);
    check(ctx, CLIV_I32, 3000, 13, -7, 50);
    check(ctx, CLIV_U8, 3000, 10, 2.5, 200);
    if (cliv_context_has(ctx, CLIV_F64)) check(ctx, CLIV_F64, 3000, 33, 0.1, 0.9);
    test_close(ctx);
  }
}

/* Where int64 ends: edges beyond it, the last elements before them. */
static void counts_the_last_integers(void **state) {
  (void)state;
  static const int64_t x[] = {INT64_MIN,        INT64_MIN + 1, -1,       0, INT64_MAX / 2, INT64_MAX / 2 + 1,
                              INT64_MAX - 1023, INT64_MAX - 1, INT64_MAX};
  static const struct {
    double low, high;
    size_t bins;
  } cases[] = {{-0x1p63, 0x1p63, 4}, {0x1p62, 0x1p64, 2},   {0, 0x1p64, 5},        {-0x1p65, 0x1p65, 64},
               {0x1p63, 0x1p64, 3},  {-0x1p64, -0x1p63, 2}, {-0x1p65, -0x1p64, 2}, {-0x1p62, 0x1.fffffffffffffp62, 3}};
  enum { N = sizeof x / sizeof *x, MOST = 64 };
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    test_guarded in = test_guard1(ctx, CLIV_I64, N, 0, x);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
      const double low = cases[c].low, high = cases[c].high;
      const size_t bins = cases[c].bins;
      int64_t want[MOST] = {0};
      for (size_t i = 0; i < N; i++) {
        size_t bin = bins;
        for (size_t b = 0; b < bins && (long double)x[i] <= (long double)high; b++)
          if ((long double)x[i] >= (long double)((double)b * ((high - low) / (double)bins) + low)) bin = b;
        if (bin < bins) want[bin]++;
      }
      test_guarded out = test_guard1(ctx, CLIV_I64, bins, 1, NULL);
      ASSERT_OK(ctx, cliv_histogram(ctx, in.tensor, bins, low, high, out.tensor, NULL));
      int64_t *got = test_read(out.tensor);
      ASSERT_SAME(CLIV_I64, got, want, bins);
      free(got);
      test_guard_free(&out);
    }
    test_guard_free(&in);
    test_close(ctx);
  }
}

static void refuses_bad_calls(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_tensor *x, *counts;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){9}, &x));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I64, 1, (size_t[]){4}, &counts));
  ASSERT_FAILS(ctx, cliv_histogram(ctx, NULL, 4, 0, 1, counts, NULL), CLIV_NULL, "x");
  ASSERT_FAILS(ctx, cliv_histogram(ctx, x, 0, 0, 1, counts, NULL), CLIV_VALUE, "one bin");
  ASSERT_FAILS(ctx, cliv_histogram(ctx, x, 4, 1, 1, counts, NULL), CLIV_VALUE, "from 1 to 1");
  ASSERT_FAILS(ctx, cliv_histogram(ctx, x, 4, 0, (double)INFINITY, counts, NULL), CLIV_VALUE, "finite");
  ASSERT_FAILS(ctx, cliv_histogram(ctx, x, 4, (double)NAN, 1, counts, NULL), CLIV_VALUE, "finite");
  ASSERT_FAILS(ctx, cliv_histogram(ctx, x, 5, 0, 1, counts, NULL), CLIV_SHAPE, "5 bins");
  ASSERT_FAILS(ctx, cliv_histogram(ctx, x, 9, 0, 1, x, NULL), CLIV_DTYPE, "int64");
  ASSERT_FAILS(ctx, cliv_histogram(ctx, counts, 4, 0, 1, counts, NULL), CLIV_OVERLAP, "overlap");
  cliv_tensor_free(x), cliv_tensor_free(counts);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(counts_everything), cmocka_unit_test(counts_the_last_integers),
                                     cmocka_unit_test(refuses_bad_calls)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
