/* Kept elements against a loop: sizes, types, both walks, too little room. */
#include <cliv/compact.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

/* One in `rare` is kept (0: none, 1: all); room for `room` of them. */
static void check(cliv_context *ctx, cliv_dtype dtype, size_t n, unsigned rare, size_t room) {
  const size_t bytes = cliv_dtype_size(dtype);
  unsigned char *x = test_alloc(n * bytes), *mask = test_alloc(n);
  test_fill_bits(x, n * bytes, n + rare);
  for (size_t i = 0; i < n; i++) mask[i] = (unsigned char)(rare && test_bits(rare, i) % rare == 0 ? 1 + i % 255 : 0);
  test_guarded in = test_guard1(ctx, dtype, n, 1, x), keep = test_guard1(ctx, CLIV_U8, n, 3, mask);
  test_guarded out = test_guard1(ctx, dtype, room, 2, NULL), count = test_guard1(ctx, CLIV_I64, 1, 1, NULL);
  unsigned char *want = test_read(out.tensor);
  int64_t kept = 0;
  for (size_t i = 0; i < n; i++)
    if (mask[i]) {
      if ((size_t)kept < room) memcpy(want + (size_t)kept * bytes, x + i * bytes, bytes);
      kept++;
    }
  ASSERT_OK(ctx, cliv_compact(ctx, in.tensor, keep.tensor, out.tensor, count.tensor, NULL));
  unsigned char *got = test_read(out.tensor);
  int64_t *number = test_read(count.tensor);
  assert_int_equal(*number, kept);
  ASSERT_BITS(got, want, room * bytes);
  free(x), free(mask), free(want), free(got), free(number);
  test_guard_free(&in), test_guard_free(&keep), test_guard_free(&out), test_guard_free(&count);
}

static void keeps_what_is_masked(void **state) {
  (void)state;
  static const cliv_dtype types[] = {CLIV_F32, CLIV_BF16, CLIV_I64, CLIV_U8};
  size_t count;
  const size_t *sizes = test_sizes(&count);
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++)
    for (size_t g = 0; g < (test_walks[w] == CLIV_WALK_GPU ? 2 : 1); g++) {
      cliv_context *ctx = test_open_group(test_walks[w], g * 1024);
      for (size_t s = 0; s < count; s++)
        for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
          const size_t n = sizes[s];
          if (t && (g || n > 5000)) continue;
          check(ctx, types[t], n, 1 + (unsigned)(s % 4), n);
          if (s % 3 == 0) check(ctx, types[t], n, 0, n);
          if (s % 3 == 1) check(ctx, types[t], n, 2, n / 3);
        }
      test_close(ctx);
    }
}

static void refuses_bad_calls(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_tensor *x, *mask, *out, *count, *wrong, *flat;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){2, 3}, &x));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_U8, 2, (size_t[]){2, 3}, &mask));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_U8, 1, (size_t[]){6}, &wrong));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){6}, &out));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I64, 0, NULL, &count));
  ASSERT_OK(ctx, cliv_tensor_view(x, 0, 1, (size_t[]){6}, 0, &flat));
  ASSERT_FAILS(ctx, cliv_compact(ctx, x, NULL, out, count, NULL), CLIV_NULL, "mask");
  ASSERT_FAILS(ctx, cliv_compact(ctx, x, x, out, count, NULL), CLIV_DTYPE, "uint8");
  ASSERT_FAILS(ctx, cliv_compact(ctx, x, wrong, out, count, NULL), CLIV_SHAPE, "same shape");
  ASSERT_FAILS(ctx, cliv_compact(ctx, x, mask, x, count, NULL), CLIV_SHAPE, "one axis");
  ASSERT_FAILS(ctx, cliv_compact(ctx, x, mask, wrong, count, NULL), CLIV_DTYPE, "kept in");
  ASSERT_FAILS(ctx, cliv_compact(ctx, x, mask, flat, count, NULL), CLIV_OVERLAP, "shares");
  ASSERT_FAILS(ctx, cliv_compact(ctx, x, mask, out, out, NULL), CLIV_DTYPE, "int64");
  cliv_tensor *all[] = {flat, count, out, wrong, mask, x};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_what_is_masked), cmocka_unit_test(refuses_bad_calls)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
