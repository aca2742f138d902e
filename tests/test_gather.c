/* cliv/gather.h: every element size, both index types, pitched tables, indices outside, guard zones. */
#include <cliv/gather.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

static const cliv_dtype DTYPES[] = {CLIV_F32, CLIV_F16, CLIV_BF16, CLIV_F64, CLIV_I32, CLIV_I64, CLIV_U8};
enum { DTYPE_COUNT = sizeof DTYPES / sizeof *DTYPES };

/* Picks m of n rows; a few indices lie outside when `stray`. Works on bits, as the definition does. */
static void check_gather(cliv_context *ctx, cliv_dtype dtype, cliv_dtype index_type, size_t n, size_t m, size_t columns,
                         size_t pitch, size_t shift, bool stray) {
  const size_t bytes = cliv_dtype_size(dtype), row = columns * bytes;
  unsigned char *table = test_alloc(n * pitch * bytes), *want = test_alloc(m * row);
  int32_t *narrow = test_alloc(m * sizeof *narrow);
  int64_t *wide = test_alloc(m * sizeof *wide);
  test_fill_bits(table, n * pitch * bytes, 11);
  memset(want, 0, m * row);
  for (size_t i = 0; i < m; i++) {
    wide[i] = (int64_t)(test_bits(5, i) % n);
    if (stray && i % 3 == 0) wide[i] = i % 2 ? -1 - (int64_t)i : (int64_t)(n + i);
    narrow[i] = (int32_t)wide[i];
    if (wide[i] >= 0 && (size_t)wide[i] < n) memcpy(want + i * row, table + (size_t)wide[i] * pitch * bytes, row);
  }
  test_guarded base = test_guard1(ctx, dtype, n * pitch, shift, table);
  test_guarded indices =
      test_guard1(ctx, index_type, m, shift, index_type == CLIV_I32 ? (const void *)narrow : (const void *)wide);
  test_guarded out = test_guard(ctx, dtype, 2, (size_t[]){m, columns}, shift, NULL);
  cliv_tensor *view;
  ASSERT_OK(ctx, cliv_tensor_view(base.tensor, 0, 2, (size_t[]){n, columns}, pitch, &view));
  ASSERT_OK(ctx, cliv_gather(ctx, view, indices.tensor, out.tensor, NULL));
  void *got = test_read(out.tensor);
  ASSERT_BITS(got, want, m * row);
  free(got);
  cliv_tensor_free(view);
  test_guard_free(&base);
  test_guard_free(&indices);
  test_guard_free(&out);
  free(table), free(want), free(narrow), free(wide);
}

static void sizes_and_types(void **state) {
  (void)state;
  size_t count;
  const size_t *sizes = test_sizes(&count);
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t s = 0; s < count; s++) check_gather(ctx, CLIV_F32, CLIV_I32, 37, sizes[s], 3, 3, 0, true);
    for (size_t s = 0; s < count; s++)
      if (sizes[s]) check_gather(ctx, CLIV_F32, CLIV_I64, 3, 5, sizes[s], sizes[s], 1, false);
    for (size_t d = 0; d < DTYPE_COUNT; d++) {
      if (!cliv_context_has(ctx, DTYPES[d])) continue;
      check_gather(ctx, DTYPES[d], CLIV_I32, 100, 77, 64, 70, 3, true);
      check_gather(ctx, DTYPES[d], CLIV_I64, 100, 77, 33, 33, 1, true);
      check_gather(ctx, DTYPES[d], CLIV_I64, 1, 257, 1, 1, 0, true);
    }
    test_close(ctx);
  }
}

static void more_axes(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  float table[24];
  for (int i = 0; i < 24; i++) table[i] = (float)i;
  const int32_t pick[2] = {3, 1};
  test_guarded t = test_guard(ctx, CLIV_F32, 3, (size_t[]){4, 2, 3}, 0, table);
  test_guarded p = test_guard1(ctx, CLIV_I32, 2, 0, pick);
  test_guarded out = test_guard(ctx, CLIV_F32, 3, (size_t[]){2, 2, 3}, 0, NULL);
  ASSERT_OK(ctx, cliv_gather(ctx, t.tensor, p.tensor, out.tensor, NULL));
  float *got = test_read(out.tensor);
  ASSERT_BITS(got, table + 18, 6 * sizeof(float));
  ASSERT_BITS(got + 6, table + 6, 6 * sizeof(float));
  free(got);
  /* A vector of labels, and an empty table, of which nothing can be picked. */
  test_guarded labels = test_guard1(ctx, CLIV_F32, 24, 0, table), two = test_guard1(ctx, CLIV_F32, 2, 0, NULL);
  test_guarded none = test_guard1(ctx, CLIV_F32, 0, 0, NULL);
  ASSERT_OK(ctx, cliv_gather(ctx, labels.tensor, p.tensor, two.tensor, NULL));
  got = test_read(two.tensor);
  assert_true(got[0] == 3 && got[1] == 1);
  free(got);
  ASSERT_OK(ctx, cliv_gather(ctx, none.tensor, p.tensor, two.tensor, NULL));
  got = test_read(two.tensor);
  assert_true(got[0] == 0 && got[1] == 0);
  free(got);
  test_guard_free(&t), test_guard_free(&p), test_guard_free(&out);
  test_guard_free(&labels), test_guard_free(&two), test_guard_free(&none);
  test_close(ctx);
}

static void refusals(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  test_guarded t = test_guard(ctx, CLIV_F32, 2, (size_t[]){4, 3}, 0, NULL);
  test_guarded i = test_guard1(ctx, CLIV_I32, 2, 0, (const int32_t[]){0, 1});
  test_guarded f = test_guard1(ctx, CLIV_F32, 2, 0, NULL);
  test_guarded out = test_guard(ctx, CLIV_F32, 2, (size_t[]){2, 3}, 0, NULL);
  test_guarded narrow = test_guard(ctx, CLIV_F32, 2, (size_t[]){2, 2}, 0, NULL);
  test_guarded tall = test_guard(ctx, CLIV_F32, 2, (size_t[]){3, 3}, 0, NULL);
  test_guarded half = test_guard(ctx, CLIV_F16, 2, (size_t[]){2, 3}, 0, NULL);
  cliv_tensor *inside;
  ASSERT_OK(ctx, cliv_tensor_view(t.tensor, 3, 2, (size_t[]){2, 3}, 0, &inside));
  ASSERT_FAILS(ctx, cliv_gather(ctx, NULL, i.tensor, out.tensor, NULL), CLIV_NULL, "table");
  ASSERT_FAILS(ctx, cliv_gather(ctx, t.tensor, f.tensor, out.tensor, NULL), CLIV_DTYPE, "int32");
  ASSERT_FAILS(ctx, cliv_gather(ctx, t.tensor, i.tensor, half.tensor, NULL), CLIV_DTYPE, "float16");
  ASSERT_FAILS(ctx, cliv_gather(ctx, t.tensor, i.tensor, narrow.tensor, NULL), CLIV_SHAPE, "[2, 2]");
  ASSERT_FAILS(ctx, cliv_gather(ctx, t.tensor, i.tensor, tall.tensor, NULL), CLIV_SHAPE, "2 indices");
  ASSERT_FAILS(ctx, cliv_gather(ctx, t.tensor, i.tensor, inside, NULL), CLIV_OVERLAP, "shares memory");
  cliv_tensor_free(inside);
  test_guard_free(&t), test_guard_free(&i), test_guard_free(&f), test_guard_free(&out);
  test_guard_free(&narrow), test_guard_free(&tall), test_guard_free(&half);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sizes_and_types),
      cmocka_unit_test(more_axes),
      cmocka_unit_test(refusals),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
