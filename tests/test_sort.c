/* Sorting, the greatest k and quantiles against qsort, to the last bit. */
#include <cliv/sort.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

/* ---- the reference: a stable order by comparison ---- */

typedef struct item {
  double value;  /* everything but int64 is exact in it … */
  int64_t whole; /* … which has this */
  size_t place;
} item;

static int sign_order; /* 1 ascending, -1 descending; qsort has no argument of its own */

static int compare(const void *a, const void *b) {
  const item *x = a, *y = b;
  const int by_place = (x->place > y->place) - (x->place < y->place);
  if (isnan(x->value) || isnan(y->value))
    return isnan(x->value) - isnan(y->value) ? isnan(x->value) - isnan(y->value) : by_place;
  int order = (x->whole > y->whole) - (x->whole < y->whole);
  if (order == 0) order = (x->value > y->value) - (x->value < y->value);
  if (order == 0) order = (signbit(y->value) != 0) - (signbit(x->value) != 0);
  return order ? order * sign_order : by_place;
}

static item *sorted_items(cliv_dtype dtype, const void *x, size_t at, size_t n, cliv_order order) {
  item *items = test_alloc(n * sizeof *items);
  for (size_t i = 0; i < n; i++) {
    items[i] = (item){test_get(dtype, x, at + i), dtype == CLIV_I64 ? ((const int64_t *)x)[at + i] : 0, i};
    if (dtype == CLIV_I64) items[i].value = 0;
  }
  sign_order = order == CLIV_DESCENDING ? -1 : 1;
  qsort(items, n, sizeof *items, compare);
  return items;
}

/* The first k of a row as bits, NaN the canonical one, and their places. */
static void expect(cliv_dtype dtype, const void *x, size_t at, size_t n, size_t k, cliv_order order, void *values,
                   int64_t *places, size_t to) {
  const size_t bytes = cliv_dtype_size(dtype);
  item *items = sorted_items(dtype, x, at, n, order);
  for (size_t i = 0; i < k; i++) {
    memcpy((char *)values + (to + i) * bytes, (const char *)x + (at + items[i].place) * bytes, bytes);
    if (isnan(items[i].value)) test_put(dtype, values, to + i, (double)NAN);
    places[to + i] = (int64_t)items[i].place;
  }
  free(items);
}

/* Any bits, many equal ones, and the special values. */
static void *make(cliv_dtype dtype, size_t n, uint64_t seed) {
  const size_t bytes = cliv_dtype_size(dtype);
  unsigned char *x = test_alloc(n * bytes);
  test_fill_bits(x, n * bytes, seed);
  for (size_t i = 0; i < n; i++) {
    if (i % 3 == 1 && i > 6) memcpy(x + i * bytes, x + i / 2 * bytes, bytes);
    if (i % 17 == 5 && dtype != CLIV_U8) test_put(dtype, x, i, i % 2 ? 0.0 : -0.0);
  }
  return x;
}

/* ---- running ---- */

typedef struct trial {
  cliv_dtype dtype;
  size_t rows, columns, pitch, k;
  cliv_order order;
  bool all, values, places;
} trial;

static void check(cliv_context *ctx, const trial *t) {
  const size_t bytes = cliv_dtype_size(t->dtype), kept = t->rows * t->k;
  void *x = make(t->dtype, t->rows * t->pitch, t->columns + t->rows), *values = test_alloc(kept * bytes);
  int64_t *places = test_alloc(kept * sizeof *places);
  for (size_t r = 0; r < t->rows; r++)
    expect(t->dtype, x, r * t->pitch, t->columns, t->k, t->order, values, places, r * t->k);
  test_guarded in = test_guard1(ctx, t->dtype, t->rows * t->pitch, 1, x);
  const size_t shape[] = {t->rows, t->k};
  const int skip = t->all ? 1 : 0;
  test_guarded v = test_guard(ctx, t->dtype, 2 - skip, shape + skip, 2, NULL);
  test_guarded p = test_guard(ctx, CLIV_I64, 2 - skip, shape + skip, 1, NULL);
  cliv_tensor *view;
  ASSERT_OK(ctx, cliv_tensor_view(in.tensor, 0, 2 - skip, (size_t[]){t->rows, t->columns} + skip, t->all ? 0 : t->pitch,
                                  &view));
  cliv_tensor *const to = t->values ? v.tensor : NULL, *const at = t->places ? p.tensor : NULL;
  const int axis = t->all ? CLIV_ALL_AXES : -1;
  ASSERT_OK(ctx, t->k == t->columns ? cliv_sort(ctx, axis, t->order, view, to, at, NULL)
                                    : cliv_topk(ctx, axis, t->k, t->order, view, to, at, NULL));
  unsigned char *got = test_read(v.tensor), *got_places = test_read(p.tensor), *kept_x = test_read(in.tensor);
  if (t->values) ASSERT_BITS(got, values, kept * bytes);
  if (t->places) ASSERT_BITS(got_places, places, kept * sizeof *places);
  ASSERT_BITS(kept_x, x, t->rows * t->pitch * bytes);
  free(x), free(values), free(places), free(got), free(got_places), free(kept_x);
  cliv_tensor_free(view);
  test_guard_free(&in), test_guard_free(&v), test_guard_free(&p);
}

static void sorts_everything(void **state) {
  (void)state;
  size_t count;
  const size_t *sizes = test_sizes(&count);
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (int d = 0; d < CLIV_DTYPE_COUNT; d++) {
      if (!cliv_context_has(ctx, (cliv_dtype)d)) continue;
      for (size_t s = 0; s < count; s++) {
        const size_t n = sizes[s];
        if (n > (test_small() ? 300 : 5000) && d != CLIV_F32) continue;
        for (int order = 0; order < 2; order++) {
          if (test_small() && (s + (size_t)d) % 2 != (size_t)order) continue;
          check(ctx, &(trial){(cliv_dtype)d, 1, n, n, n, (cliv_order)order, true, (s + (size_t)order) % 3 != 0,
                              s % 2 == 0 || s % 3 == 0 || order});
        }
      }
    }
    test_close(ctx);
  }
}

static void sorts_rows(void **state) {
  (void)state;
  static const size_t shapes[][2] = {{300, 1}, {40, 2}, {33, 17}, {9, 255}, {3, 1000}, {2, 2049}, {0, 4}, {4, 0}};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++)
    for (size_t g = 0; g < (test_walks[w] == CLIV_WALK_GPU ? 2 : 1); g++) {
      cliv_context *ctx = test_open_group(test_walks[w], g * 16);
      for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const size_t rows = shapes[s][0], n = shapes[s][1];
        if (test_small() && g && n > 1000) continue;
        check(ctx, &(trial){CLIV_F32, rows, n, n + s % 2, n, (cliv_order)(s % 2), false, true, true});
        if (n) check(ctx, &(trial){CLIV_F32, rows, n, n + s % 3, n / 3, (cliv_order)(s % 2), false, true, s % 2 == 0});
      }
      check(ctx, &(trial){CLIV_F32, 1, 4500, 4500, 10, CLIV_DESCENDING, true, true, true});
      test_close(ctx);
    }
}

/* ---- quantiles ---- */

static void check_quantiles(cliv_context *ctx, cliv_dtype dtype, size_t rows, size_t n, bool with_nan) {
  static const double q[] = {0.5, 0, 1, 0.25, 0.9, 1.0 / 3};
  enum { COUNT = sizeof q / sizeof *q };
  const bool wide = dtype == CLIV_F64;
  void *x = test_alloc(rows * n * cliv_dtype_size(dtype)), *want = test_alloc(rows * COUNT * cliv_dtype_size(dtype));
  for (size_t i = 0; i < rows * n; i++) test_put(dtype, x, i, test_normal(n, i));
  if (with_nan) test_put(dtype, x, n / 2, (double)NAN);
  for (size_t r = 0; r < rows; r++) {
    item *items = sorted_items(dtype, x, r * n, n, CLIV_ASCENDING);
    for (size_t i = 0; i < COUNT; i++) {
      const double h = q[i] * (double)(n - 1), t = h - floor(h);
      const size_t at = (size_t)h;
      const double a = items[at].value, b = items[t > 0 ? at + 1 : at].value;
      double v;
      if (isnan(items[n - 1].value)) v = NAN;
      else if (t == 0) v = a; /* as each step of float arithmetic rounds, or of double */
      else if (wide) v = t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
      else {
        const float a32 = (float)a, b32 = (float)b, t32 = (float)t, step = b32 - a32, more = step * t32;
        const float left = 1 - t32, less = step * left;
        v = t32 < 0.5f ? (double)(a32 + more) : (double)(b32 - less);
      }
      test_put(dtype, want, r * COUNT + i, v);
    }
    free(items);
  }
  test_guarded in = test_guard(ctx, dtype, 2, (size_t[]){rows, n}, 1, x);
  test_guarded out = test_guard(ctx, dtype, 2, (size_t[]){rows, COUNT}, 1, NULL);
  ASSERT_OK(ctx, cliv_quantile(ctx, 1, COUNT, q, in.tensor, out.tensor, NULL));
  void *got = test_read(out.tensor);
  ASSERT_SAME(dtype, got, want, rows * COUNT);
  free(got), free(x), free(want);
  test_guard_free(&in), test_guard_free(&out);
}

static void finds_quantiles(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    check_quantiles(ctx, CLIV_F32, 3, 1000, false);
    check_quantiles(ctx, CLIV_F32, 2, 7, true);
    check_quantiles(ctx, CLIV_F32, 5, 1, false);
    check_quantiles(ctx, CLIV_BF16, 1, 100, false);
    if (cliv_context_has(ctx, CLIV_F64)) check_quantiles(ctx, CLIV_F64, 2, 100, false);
    test_close(ctx);
  }
}

static void refuses_bad_calls(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_tensor *x, *out, *places, *two, *whole, *empty;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){3, 4}, &x));
  ASSERT_OK(ctx, cliv_tensor_fill(x, 1, NULL));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){3, 4}, &out));
  ASSERT_OK(ctx, cliv_tensor_fill(out, 42, NULL));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I64, 2, (size_t[]){3, 4}, &places));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){3, 2}, &two));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 2, (size_t[]){3, 4}, &whole));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){3, 0}, &empty));
  const cliv_order up = CLIV_ASCENDING;
  ASSERT_FAILS(ctx, cliv_sort(ctx, -1, up, NULL, out, NULL, NULL), CLIV_NULL, "x");
  ASSERT_FAILS(ctx, cliv_sort(ctx, -1, up, x, NULL, NULL, NULL), CLIV_NULL, "both");
  ASSERT_FAILS(ctx, cliv_sort(ctx, -1, (cliv_order)7, x, out, NULL, NULL), CLIV_VALUE, "7");
  ASSERT_FAILS(ctx, cliv_sort(ctx, 2, up, x, out, NULL, NULL), CLIV_VALUE, "axis 2");
  ASSERT_FAILS(ctx, cliv_sort(ctx, 0, up, x, out, NULL, NULL), CLIV_NOT_IN_BUILD, "axis 0");
  ASSERT_FAILS(ctx, cliv_sort(ctx, -1, up, x, whole, NULL, NULL), CLIV_DTYPE, "float32");
  ASSERT_FAILS(ctx, cliv_sort(ctx, -1, up, x, out, whole, NULL), CLIV_DTYPE, "int64");
  ASSERT_FAILS(ctx, cliv_sort(ctx, -1, up, x, two, NULL, NULL), CLIV_SHAPE, "[3, 2]");
  ASSERT_FAILS(ctx, cliv_sort(ctx, -1, up, x, x, NULL, NULL), CLIV_OVERLAP, "overlaps");
  ASSERT_FAILS(ctx, cliv_topk(ctx, -1, 5, up, x, out, NULL, NULL), CLIV_VALUE, "the first 5 of 4");
  ASSERT_FAILS(ctx, cliv_topk(ctx, -1, 3, up, x, out, NULL, NULL), CLIV_SHAPE, "do not fit");
  ASSERT_FAILS(ctx, cliv_topk(ctx, CLIV_ALL_AXES, 4, up, x, out, NULL, NULL), CLIV_SHAPE, "do not fit");
  const double q[] = {0.5, 1.5};
  ASSERT_FAILS(ctx, cliv_quantile(ctx, -1, 2, q, x, two, NULL), CLIV_VALUE, "1.5");
  ASSERT_FAILS(ctx, cliv_quantile(ctx, -1, 1, q, x, two, NULL), CLIV_SHAPE, "do not fit");
  ASSERT_FAILS(ctx, cliv_quantile(ctx, -1, 2, NULL, x, two, NULL), CLIV_NULL, "q is NULL");
  ASSERT_FAILS(ctx, cliv_quantile(ctx, -1, 1, q, whole, two, NULL), CLIV_DTYPE, "int32");
  const double good[] = {0.5, 0.6};
  ASSERT_FAILS(ctx, cliv_quantile(ctx, -1, 2, good, empty, two, NULL), CLIV_DATA, "no elements");
  float *kept = test_read(out);
  for (int i = 0; i < 12; i++) assert_true(kept[i] == 42);
  free(kept);
  cliv_tensor *all[] = {empty, whole, two, places, out, x};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sorts_everything),
      cmocka_unit_test(sorts_rows),
      cmocka_unit_test(finds_quantiles),
      cmocka_unit_test(refuses_bad_calls),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
