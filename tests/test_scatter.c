/* Rows added to rows against a loop in ascending order, to the last bit. */
#include <cliv/scatter.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

/* m rows of n columns into `rows`, with indices a bit beyond both ends. */
static void check(cliv_context *ctx, cliv_dtype dtype, cliv_dtype index_type, size_t m, size_t rows, size_t n,
                  size_t pitch, size_t out_pitch) {
  const bool whole = dtype == CLIV_I32 || dtype == CLIV_U8;
  const size_t bytes = cliv_dtype_size(dtype);
  void *x = test_alloc(m * pitch * bytes), *want = test_alloc(rows * out_pitch * bytes);
  void *indices = test_alloc(m * 8);
  for (size_t i = 0; i < m * pitch; i++)
    test_put(dtype, x, i, whole ? (double)(test_bits(1, i) % 100) : test_normal(1, i));
  for (size_t i = 0; i < rows * out_pitch; i++) test_put(dtype, want, i, whole ? 3 : test_normal(2, i));
  test_guarded in = test_guard1(ctx, dtype, m * pitch, 1, x), out = test_guard1(ctx, dtype, rows * out_pitch, 2, want);
  double *sums = test_alloc(rows * n * sizeof *sums);
  for (size_t i = 0; i < rows * n; i++) sums[i] = test_get(dtype, want, i / n * out_pitch + i % n);
  for (size_t i = 0; i < m; i++) {
    int64_t index = (int64_t)(test_bits(3, i) % (rows + 4)) - 2;
    if (i % 3 == 0) index = (int64_t)rows / 2; /* one that many go to */
    if (index_type == CLIV_I32) ((int32_t *)indices)[i] = (int32_t)index;
    else ((int64_t *)indices)[i] = index;
    if (index < 0 || index >= (int64_t)rows) continue;
    for (size_t c = 0; c < n; c++) {
      double *sum = &sums[(size_t)index * n + c];
      *sum += test_get(dtype, x, i * pitch + c);
      if (!whole && dtype != CLIV_F64) *sum = (double)(float)*sum;
    }
  }
  for (size_t i = 0; i < rows * n; i++)
    test_put(dtype, want, i / n * out_pitch + i % n, dtype == CLIV_U8 ? fmod(sums[i], 256) : sums[i]);
  test_guarded at = test_guard1(ctx, index_type, m, 1, indices);
  cliv_tensor *from, *to;
  ASSERT_OK(ctx, cliv_tensor_view(in.tensor, 0, 2, (size_t[]){m, n}, pitch, &from));
  ASSERT_OK(ctx, cliv_tensor_view(out.tensor, 0, 2, (size_t[]){rows, n}, out_pitch, &to));
  ASSERT_OK(ctx, cliv_scatter_add(ctx, from, at.tensor, to, NULL));
  void *got = test_read(out.tensor);
  ASSERT_SAME(dtype, got, want, rows * out_pitch);
  cliv_tensor_free(from), cliv_tensor_free(to);
  free(x), free(want), free(indices), free(sums), free(got);
  test_guard_free(&in), test_guard_free(&out), test_guard_free(&at);
}

static void adds_rows(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    check(ctx, CLIV_F32, CLIV_I32, 1, 1, 1, 1, 1);
    check(ctx, CLIV_F32, CLIV_I32, 300, 20, 16, 16, 16);
    check(ctx, CLIV_F32, CLIV_I32, 257, 9, 17, 20, 19);
    check(ctx, CLIV_F32, CLIV_I64, 4097, 700, 1, 1, 1);
    if (!test_small()) check(ctx, CLIV_F32, CLIV_I32, 20000, 3000, 33, 33, 40);
    check(ctx, CLIV_BF16, CLIV_I32, 200, 10, 33, 33, 33);
    check(ctx, CLIV_U8, CLIV_I32, 200, 10, 5, 5, 5);
    if (cliv_context_has(ctx, CLIV_F64)) check(ctx, CLIV_F64, CLIV_I64, 200, 10, 9, 9, 9);
    test_close(ctx);
  }
}

static void takes_other_axes(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const float ones[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, zeros[12] = {0}, want[12] = {8, 10, 12, 14, 16, 18};
  test_guarded x = test_guard(ctx, CLIV_F32, 3, (size_t[]){2, 2, 3}, 0, ones);
  test_guarded out = test_guard(ctx, CLIV_F32, 3, (size_t[]){2, 2, 3}, 0, zeros);
  test_guarded at = test_guard1(ctx, CLIV_I32, 2, 0, (const int32_t[]){0, 0});
  ASSERT_OK(ctx, cliv_scatter_add(ctx, x.tensor, at.tensor, out.tensor, NULL));
  float *got = test_read(out.tensor);
  ASSERT_SAME(CLIV_F32, got, want, 12);
  free(got);
  test_guard_free(&x), test_guard_free(&out), test_guard_free(&at);
  test_close(ctx);
}

static void refuses_bad_calls(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_tensor *x, *indices, *out, *narrow, *three, *inside, *half;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){2, 3}, &x));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 1, (size_t[]){2}, &indices));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 1, (size_t[]){3}, &three));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){5, 3}, &out));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){5, 2}, &narrow));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F16, 2, (size_t[]){5, 3}, &half));
  ASSERT_OK(ctx, cliv_tensor_view(out, 3, 2, (size_t[]){2, 3}, 0, &inside));
  ASSERT_FAILS(ctx, cliv_scatter_add(ctx, x, NULL, out, NULL), CLIV_NULL, "indices");
  ASSERT_FAILS(ctx, cliv_scatter_add(ctx, x, x, out, NULL), CLIV_DTYPE, "int32 or int64");
  ASSERT_FAILS(ctx, cliv_scatter_add(ctx, x, three, out, NULL), CLIV_SHAPE, "3 indices");
  ASSERT_FAILS(ctx, cliv_scatter_add(ctx, x, indices, narrow, NULL), CLIV_SHAPE, "[5, 2]");
  ASSERT_FAILS(ctx, cliv_scatter_add(ctx, x, indices, half, NULL), CLIV_DTYPE, "float16");
  ASSERT_FAILS(ctx, cliv_scatter_add(ctx, inside, indices, out, NULL), CLIV_OVERLAP, "share memory");
  cliv_tensor *all[] = {inside, half, narrow, out, three, indices, x};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(adds_rows), cmocka_unit_test(takes_other_axes),
                                     cmocka_unit_test(refuses_bad_calls)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
