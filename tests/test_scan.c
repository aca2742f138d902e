/* Scans against their definition, written out again here, to the last bit; and that against long double. */
#include <cliv/scan.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

/* ---- the definition: binary parts of the prefix, each a balanced tree ---- */

typedef union number {
  float f32;
  double f64;
  int64_t i64;
} number;

typedef enum computed { IN_F32, IN_F64, IN_I64 } computed;

static computed computed_in(cliv_dtype dtype) {
  return dtype == CLIV_F64 ? IN_F64 : dtype == CLIV_I32 || dtype == CLIV_I64 || dtype == CLIV_U8 ? IN_I64 : IN_F32;
}

static double greater(double a, double b) {
  if (isnan(a) || isnan(b)) return NAN;
  return a > b || (a == b && !signbit(a)) ? a : b;
}

static double join_floats(const char *op, double a, double b) {
  if (!strcmp(op, "max")) return greater(a, b);
  if (!strcmp(op, "min")) return -greater(-a, -b);
  return !strcmp(op, "sum") ? a + b : a * b;
}

static number join(const char *op, computed in, number a, number b) {
  number r = {.i64 = 0};
  const bool extreme = !strcmp(op, "max") || !strcmp(op, "min");
  if (in == IN_I64) {
    const uint64_t x = (uint64_t)a.i64, y = (uint64_t)b.i64;
    if (extreme) r.i64 = (a.i64 > b.i64) == !strcmp(op, "max") ? a.i64 : b.i64;
    else r.i64 = (int64_t)(!strcmp(op, "sum") ? x + y : x * y);
  } else if (in == IN_F64) r.f64 = join_floats(op, a.f64, b.f64);
  /* the double of a sum or product of two floats is rounded to the float that float arithmetic gives */
  else r.f32 = (float)join_floats(op, (double)a.f32, (double)b.f32);
  return r;
}

static number element(cliv_dtype dtype, const void *x, size_t i) {
  number r = {.i64 = 0};
  if (dtype == CLIV_I64) r.i64 = ((const int64_t *)x)[i];
  else if (computed_in(dtype) == IN_I64) r.i64 = (int64_t)test_get(dtype, x, i);
  else if (dtype == CLIV_F64) r.f64 = ((const double *)x)[i];
  else r.f32 = (float)test_get(dtype, x, i);
  return r;
}

static void store(cliv_dtype dtype, computed in, void *out, size_t i, number r) {
  if (in != IN_I64) {
    const double v = in == IN_F64 ? r.f64 : (double)r.f32;
    test_put(dtype, out, i, isnan(v) ? (double)NAN : v);
  } else if (dtype == CLIV_I64) ((int64_t *)out)[i] = r.i64;
  else if (dtype == CLIV_I32) ((uint32_t *)out)[i] = (uint32_t)r.i64;
  else ((uint8_t *)out)[i] = (uint8_t)r.i64;
}

/* What no elements give. */
static void store_nothing(const char *op, cliv_dtype dtype, void *out, size_t i) {
  const bool max = !strcmp(op, "max"), min = !strcmp(op, "min");
  number r = {.i64 = !strcmp(op, "prod")};
  if (computed_in(dtype) != IN_I64) {
    test_put(dtype, out, i, max ? -INFINITY : min ? INFINITY : (double)r.i64);
    return;
  }
  if (max) r.i64 = dtype == CLIV_U8 ? 0 : dtype == CLIV_I32 ? INT32_MIN : INT64_MIN;
  if (min) r.i64 = dtype == CLIV_U8 ? 255 : dtype == CLIV_I32 ? INT32_MAX : INT64_MAX;
  store(dtype, IN_I64, out, i, r);
}

/* A row of n elements from x[at] on to out[to] on. */
static void scan_row(const char *op, bool exclusive, cliv_dtype dtype, const void *x, size_t at, size_t n,
                     cliv_dtype out_type, void *out, size_t to) {
  enum { LEVELS = 32 };
  const computed in = computed_in(dtype);
  number *tree[LEVELS] = {NULL}, last = {.i64 = 0};
  int top = 0;
  tree[0] = test_alloc(n * sizeof **tree);
  for (size_t i = 0; i < n; i++) tree[0][i] = element(dtype, x, at + i);
  for (; n >> (top + 1); top++) {
    tree[top + 1] = test_alloc((n >> (top + 1)) * sizeof **tree);
    for (size_t i = 0; i < n >> (top + 1); i++) tree[top + 1][i] = join(op, in, tree[top][2 * i], tree[top][2 * i + 1]);
  }
  for (size_t m = 0; m <= n; m++) {
    bool any = false;
    for (int k = top; k >= 0; k--)
      if (m >> k & 1) {
        const number part = tree[k][(m >> k) - 1];
        last = any ? join(op, in, last, part) : part;
        any = true;
      }
    if (!any && exclusive && n) store_nothing(op, out_type, out, to);
    if (any && (!exclusive || m < n)) store(out_type, in, out, to + (exclusive ? m : m - 1), last);
  }
  for (int k = 0; k <= top; k++) free(tree[k]);
}

/* ---- data ---- */

static void *make(cliv_dtype dtype, const char *op, size_t n, uint64_t seed) {
  void *x = test_alloc(n * cliv_dtype_size(dtype));
  if (dtype == CLIV_I64) { /* beyond what a double holds */
    for (size_t i = 0; i < n; i++) ((int64_t *)x)[i] = (int64_t)test_bits(seed, i) >> (test_bits(seed, i + n) % 64);
    return x;
  }
  const bool product = !strcmp(op, "prod");
  for (size_t i = 0; i < n; i++) {
    double a = test_normal(seed, i);
    if (dtype == CLIV_I32) a = product ? (i % 97 == 0 ? 3 : 1) : floor(a * 1e8);
    else if (dtype == CLIV_U8) a = fmin(floor(fabs(a) * 60), 255);
    else if (product) a = dtype == CLIV_F16 || dtype == CLIV_BF16 ? 1 + round(a / 2) * 0x1p-7 : 1 + a * 1e-3;
    else if (test_bits(seed + 2, i) % 8 == 0) a = test_bits(seed + 3, i) % 2 ? 0.0 : -0.0;
    test_put(dtype, x, i, a);
  }
  return x;
}

/* A sum within 2 log2(m) roundings of the sum of magnitudes. */
static void check_error(const float *x, const float *got, size_t n) {
  long double sum = 0, terms = 0;
  for (size_t i = 0; i < n; i++) {
    sum += (long double)x[i], terms += fabsl((long double)x[i]);
    const long double bound = 2 * log2l((long double)i + 1) * 0x1p-24L * terms;
    if (!(fabsl((long double)got[i] - sum) <= bound))
      fail_msg("sum of %zu: %g off", i + 1, (double)((long double)got[i] - sum));
  }
}

/* ---- all operations, types, sizes, kinds ---- */

enum { CONTEXTS = 4 };

static void open_all(cliv_context **ctx) {
  static const size_t groups[] = {0, 16, 1024};
  ctx[0] = test_open(CLIV_WALK_CPU);
  for (int g = 0; g < CONTEXTS - 1; g++) ctx[1 + g] = test_open_group(CLIV_WALK_GPU, groups[g]);
}

static void close_all(cliv_context **ctx) {
  for (int c = 0; c < CONTEXTS; c++) test_close(ctx[c]);
}

static void check_flat(cliv_context *ctx, const char *op, bool exclusive, cliv_dtype dtype, cliv_dtype out_type,
                       size_t n, const void *x, const void *want, size_t shift) {
  test_guarded in = test_guard1(ctx, dtype, n, shift, x), out = test_guard1(ctx, out_type, n, 2 * shift, NULL);
  ASSERT_OK(
      ctx, cliv_scan(ctx, op, CLIV_ALL_AXES, exclusive ? CLIV_EXCLUSIVE : CLIV_INCLUSIVE, in.tensor, out.tensor, NULL));
  void *got = test_read(out.tensor), *kept = test_read(in.tensor);
  ASSERT_SAME(out_type, got, want, n);
  ASSERT_BITS(kept, x, n * cliv_dtype_size(dtype));
  free(got), free(kept);
  test_guard_free(&in), test_guard_free(&out);
}

static void check_sizes(cliv_context **ctx, const char *op, cliv_dtype dtype, cliv_dtype out_type) {
  size_t count;
  const size_t *sizes = test_sizes(&count);
  for (size_t s = 0; s < count; s++) {
    const size_t n = sizes[s];
    /* what follows a block does not depend on storage, only on the type that is computed in */
    if (n > 5000 && dtype != CLIV_F32) continue;
    if (n > 300 && dtype != CLIV_F32 && dtype != CLIV_F64 && dtype != CLIV_I64) continue;
    void *x = make(dtype, op, n, 11 * s + dtype), *want = test_alloc(n * cliv_dtype_size(out_type));
    for (int exclusive = 0; exclusive < 2; exclusive++) {
      scan_row(op, exclusive, dtype, x, 0, n, out_type, want, 0);
      if (!strcmp(op, "sum") && dtype == CLIV_F32 && !exclusive) check_error(x, want, n);
      for (int c = 0; c < CONTEXTS; c++)
        if (c < 2 || (dtype == CLIV_F32 && n < 5000 && !strcmp(op, "sum")))
          check_flat(ctx[c], op, exclusive, dtype, out_type, n, x, want, (s + (size_t)c) % 3);
    }
    free(x), free(want);
  }
}

static void scans_everything(void **state) {
  (void)state;
  cliv_context *ctx[CONTEXTS];
  open_all(ctx);
  for (size_t o = 0; o < cliv_scan_count(); o++) {
    const char *op = cliv_scan_get(o)->name;
    for (int d = 0; d < CLIV_DTYPE_COUNT; d++) {
      cliv_dtype natural;
      if (!cliv_context_has(ctx[0], (cliv_dtype)d)) continue;
      /* each is a program to compile: how an element is stored and what is done with it are apart */
      if (d != CLIV_F32 && strcmp(op, "sum") != 0 && (strcmp(op, "min") != 0 || d != CLIV_I32)) continue;
      ASSERT_OK(NULL, cliv_scan_dtype(op, (cliv_dtype)d, &natural));
      check_sizes(ctx, op, (cliv_dtype)d, natural);
    }
  }
  check_sizes(ctx, "sum", CLIV_BF16, CLIV_F32);
  close_all(ctx);
}

/* ---- rows ---- */

static void check_rows(cliv_context *ctx, const char *op, bool exclusive, cliv_dtype dtype, size_t rows, size_t columns,
                       size_t pitch, size_t out_pitch) {
  cliv_dtype type;
  ASSERT_OK(NULL, cliv_scan_dtype(op, dtype, &type));
  const size_t bytes = cliv_dtype_size(type);
  void *x = make(dtype, op, rows * pitch, rows + columns), *want = test_alloc(rows * columns * bytes);
  for (size_t r = 0; r < rows; r++) scan_row(op, exclusive, dtype, x, r * pitch, columns, type, want, r * columns);
  test_guarded in = test_guard1(ctx, dtype, rows * pitch, 1, x),
               out = test_guard1(ctx, type, rows * out_pitch, 2, NULL);
  unsigned char *before = test_read(out.tensor);
  cliv_tensor *from, *to;
  ASSERT_OK(ctx, cliv_tensor_view(in.tensor, 0, 2, (size_t[]){rows, columns}, pitch, &from));
  ASSERT_OK(ctx, cliv_tensor_view(out.tensor, 0, 2, (size_t[]){rows, columns}, out_pitch, &to));
  ASSERT_OK(ctx, cliv_scan(ctx, op, 1, exclusive ? CLIV_EXCLUSIVE : CLIV_INCLUSIVE, from, to, NULL));
  unsigned char *got = test_read(out.tensor);
  for (size_t r = 0; r < rows; r++) {
    ASSERT_SAME(type, got + r * out_pitch * bytes, (unsigned char *)want + r * columns * bytes, columns);
    const size_t behind = (r * out_pitch + columns) * bytes;
    ASSERT_BITS(got + behind, before + behind, (out_pitch - columns) * bytes);
  }
  cliv_tensor_free(from), cliv_tensor_free(to);
  free(x), free(want), free(before), free(got);
  test_guard_free(&in), test_guard_free(&out);
}

static void scans_rows(void **state) {
  (void)state;
  static const size_t shapes[][2] = {{7, 1},   {1, 7},    {300, 15}, {260, 16}, {9, 17},    {33, 64},
                                     {5, 255}, {3, 1000}, {2, 4096}, {3, 4097}, {2, 12289}, {4, 8192}};
  cliv_context *ctx[CONTEXTS];
  open_all(ctx);
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    const size_t rows = shapes[s][0], columns = shapes[s][1];
    if (test_small() && rows * columns > 10000) continue;
    for (int c = 0; c < CONTEXTS; c++) {
      check_rows(ctx[c], "sum", s % 2, CLIV_F32, rows, columns, columns + s % 3, columns + s % 4);
      if (c < 2) check_rows(ctx[c], "min", c != (int)s % 2, CLIV_I32, rows, columns, columns + s % 3, columns + s % 4);
    }
  }
  close_all(ctx);
}

/* ---- segments ---- */

static void check_segments(cliv_context *ctx, const char *op, bool exclusive, cliv_dtype dtype, cliv_dtype offset_type,
                           size_t n, const int64_t *offsets, size_t segments) {
  void *x = make(dtype, op, n, n + segments);
  unsigned char stored[8 * 1100];
  for (size_t s = 0; s <= segments; s++)
    if (offset_type == CLIV_I32) ((int32_t *)(void *)stored)[s] = (int32_t)offsets[s];
    else ((int64_t *)(void *)stored)[s] = offsets[s];
  cliv_dtype type;
  ASSERT_OK(NULL, cliv_scan_dtype(op, dtype, &type));
  test_guarded in = test_guard1(ctx, dtype, n, 1, x), out = test_guard1(ctx, type, n, 0, NULL);
  test_guarded at = test_guard1(ctx, offset_type, segments + 1, 3, stored);
  void *want = test_read(out.tensor); /* what no segment covers stays */
  for (size_t s = 0; s < segments; s++)
    scan_row(op, exclusive, dtype, x, (size_t)offsets[s], (size_t)(offsets[s + 1] - offsets[s]), type, want,
             (size_t)offsets[s]);
  ASSERT_OK(ctx, cliv_scan_segments(ctx, op, exclusive ? CLIV_EXCLUSIVE : CLIV_INCLUSIVE, in.tensor, at.tensor,
                                    out.tensor, NULL));
  void *got = test_read(out.tensor);
  ASSERT_SAME(type, got, want, n);
  free(x), free(want), free(got);
  test_guard_free(&in), test_guard_free(&out), test_guard_free(&at);
}

/* `segments` of lengths drawn below `longest`, every fifth empty, from offset `first` on; gives the end. */
static size_t draw_offsets(int64_t *offsets, size_t segments, size_t first, size_t longest, uint64_t seed) {
  offsets[0] = (int64_t)first;
  for (size_t s = 0; s < segments; s++)
    offsets[s + 1] = offsets[s] + (s % 5 == 3 ? 0 : (int64_t)(test_bits(seed, s) % longest));
  return (size_t)offsets[segments];
}

static void scans_segments(void **state) {
  (void)state;
  int64_t offsets[1100];
  cliv_context *ctx[CONTEXTS];
  open_all(ctx);
  for (int c = 0; c < CONTEXTS; c++) {
    const size_t tiny = draw_offsets(offsets, 100, 0, 40, 5);
    check_segments(ctx[c], "sum", false, CLIV_F32, CLIV_I32, tiny, offsets, 100);
    check_segments(ctx[c], "sum", true, CLIV_F32, CLIV_I32, tiny, offsets, 100);
    check_segments(ctx[c], "sum", true, CLIV_F32, CLIV_I32, 4096, (int64_t[]){0, 0, 4096, 4096}, 3);
    check_segments(ctx[c], "sum", false, CLIV_F32, CLIV_I32, 4097, (int64_t[]){0, 4097}, 1);
    check_segments(ctx[c], "sum", true, CLIV_F32, CLIV_I32, 9000, (int64_t[]){1, 8193, 8999}, 2);
    if (test_small() || c > 1) continue;
    const size_t middle = draw_offsets(offsets, 1000, 3, 2000, 6);
    check_segments(ctx[c], "sum", c, CLIV_F32, CLIV_I32, middle + 7, offsets, 1000);
    const size_t large = draw_offsets(offsets, 20, 5000, 60000, 7);
    check_segments(ctx[c], "max", !c, CLIV_F16, CLIV_I64, large + 5000, offsets, 20);
  }
  close_all(ctx);
}

/* Offsets that are nonsense: the call is fine, and nothing is touched but out. */
static void survives_wrong_offsets(void **state) {
  (void)state;
  static const int32_t wrong[] = {5000, -3, 100, 2000000000, 7, -2000000000};
  const size_t n = 9000, count = sizeof wrong / sizeof *wrong;
  for (size_t w = 0; w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    float *x = make(CLIV_F32, "sum", n, 1);
    test_guarded in = test_guard1(ctx, CLIV_F32, n, 0, x), out = test_guard1(ctx, CLIV_F32, n, 0, NULL);
    test_guarded at = test_guard1(ctx, CLIV_I32, count, 0, wrong);
    ASSERT_OK(ctx, cliv_scan_segments(ctx, "sum", CLIV_INCLUSIVE, in.tensor, at.tensor, out.tensor, NULL));
    float *kept = test_read(in.tensor);
    ASSERT_BITS(kept, x, n * sizeof *x);
    free(kept), free(x);
    test_guard_free(&in), test_guard_free(&out), test_guard_free(&at);
    test_close(ctx);
  }
}

/* ---- special values, places, refusals ---- */

static void knows_special_values(void **state) {
  (void)state;
  static const float inf = INFINITY, nan = NAN;
  static const struct {
    const char *op;
    float x[4], inclusive[4], exclusive[4];
  } cases[] = {
      {"sum", {-0.0f, -0.0f, 0.0f, -0.0f}, {-0.0f, -0.0f, 0.0f, 0.0f}, {0.0f, -0.0f, -0.0f, 0.0f}},
      {"sum", {1, inf, -inf, 1}, {1, inf, nan, nan}, {0, 1, inf, nan}},
      {"prod", {2, 0, -1, inf}, {2, 0, -0.0f, nan}, {1, 2, 0, -0.0f}},
      {"max", {-0.0f, 0.0f, -1, 2}, {-0.0f, 0.0f, 0.0f, 2}, {-inf, -0.0f, 0.0f, 0.0f}},
      {"min", {0.0f, -0.0f, 1, nan}, {0.0f, -0.0f, -0.0f, nan}, {inf, 0.0f, -0.0f, -0.0f}},
      {"max", {-inf, nan, inf, 1}, {-inf, nan, nan, nan}, {-inf, -inf, nan, nan}},
      {"min", {inf, 1, -inf, nan}, {inf, 1, -inf, nan}, {inf, inf, 1, -inf}},
  };
  for (size_t w = 0; w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
      check_flat(ctx, cases[c].op, false, CLIV_F32, CLIV_F32, 4, cases[c].x, cases[c].inclusive, 1);
      check_flat(ctx, cases[c].op, true, CLIV_F32, CLIV_F32, 4, cases[c].x, cases[c].exclusive, 1);
    }
    test_close(ctx);
  }
}

static void scans_in_place(void **state) {
  (void)state;
  const size_t n = test_small() ? 4500 : 70001;
  for (size_t w = 0; w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    float *x = make(CLIV_F32, "sum", n, 8), *want = test_alloc(n * sizeof *want);
    test_guarded both = test_guard1(ctx, CLIV_F32, n, 1, x);
    scan_row("sum", true, CLIV_F32, x, 0, n, CLIV_F32, want, 0);
    ASSERT_OK(ctx, cliv_scan(ctx, "sum", 0, CLIV_EXCLUSIVE, both.tensor, both.tensor, NULL));
    float *got = test_read(both.tensor);
    ASSERT_SAME(CLIV_F32, got, want, n);
    free(x), free(want), free(got);
    test_guard_free(&both);
    test_close(ctx);
  }
}

/* The value of the greatest magnitude so far. */
static void runs_the_users_functions(void **state) {
  (void)state;
  static const char text[] =
      "real far_init(void) { return (real)0; }\n"
      "real far_join(real a, real b) { return choose(fabs(b) > fabs(a), b, a); }\n";
  static const char wrong[] = "real far_init(void) { return (real)0; }\nreal far_join(real a, real b) { return c; }\n";
  enum { N = 9001 };
  float *x = test_alloc(N * sizeof *x), *want = test_alloc(N * sizeof *want);
  for (size_t i = 0; i < N; i++) x[i] = (float)test_normal(5, i);
  want[0] = 0;
  for (size_t i = 1; i < N; i++) want[i] = fabsf(x[i - 1]) > fabsf(want[i - 1]) ? x[i - 1] : want[i - 1];
  for (size_t w = 0; w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    test_guarded in = test_guard1(ctx, CLIV_F32, N, 1, x), out = test_guard1(ctx, CLIV_F32, N, 2, NULL);
    ASSERT_OK(ctx, cliv_scan_user(ctx, text, "far", 0, CLIV_EXCLUSIVE, in.tensor, out.tensor, NULL));
    float *got = test_read(out.tensor);
    ASSERT_BITS(got, want, N * sizeof *got);
    free(got);
    ASSERT_FAILS(ctx, cliv_scan_user(ctx, wrong, "far", 0, CLIV_INCLUSIVE, in.tensor, out.tensor, NULL), CLIV_BUILD,
                 "user");
    ASSERT_FAILS(ctx, cliv_scan_user(ctx, text, "near", 0, CLIV_INCLUSIVE, in.tensor, out.tensor, NULL), CLIV_VALUE,
                 "near_init");
    ASSERT_FAILS(ctx, cliv_scan_user(ctx, NULL, "far", 0, CLIV_INCLUSIVE, in.tensor, out.tensor, NULL), CLIV_NULL,
                 "text");
    test_guard_free(&out);
    test_guard_free(&in);
    test_close(ctx);
  }
  free(x);
  free(want);
}

static void refuses_bad_calls(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO), *other = test_open(CLIV_WALK_AUTO);
  cliv_tensor *x, *out, *wide, *wrong, *index, *offsets, *none, *inside;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){3, 4}, &x));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){3, 4}, &out));
  ASSERT_OK(ctx, cliv_tensor_fill(out, 42, NULL));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){3, 5}, &wide));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){4, 3}, &wrong));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I64, 2, (size_t[]){3, 4}, &index));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 1, (size_t[]){2}, &offsets));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 1, (size_t[]){0}, &none));
  ASSERT_OK(ctx, cliv_tensor_view(wide, 1, 2, (size_t[]){3, 4}, 5, &inside));
  cliv_tensor *shifted;
  ASSERT_OK(ctx, cliv_tensor_view(wide, 0, 2, (size_t[]){3, 4}, 5, &shifted));
  const cliv_scan_kind in = CLIV_INCLUSIVE;
  ASSERT_FAILS(ctx, cliv_scan(ctx, "mean", -1, in, x, out, NULL), CLIV_NAME, "mean");
  ASSERT_FAILS(ctx, cliv_scan(ctx, NULL, -1, in, x, out, NULL), CLIV_NAME, "NULL");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", -1, (cliv_scan_kind)2, x, out, NULL), CLIV_VALUE, "inclusive");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", 2, in, x, out, NULL), CLIV_VALUE, "axis 2");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", -3, in, x, out, NULL), CLIV_VALUE, "axis -3");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", 0, in, x, out, NULL), CLIV_NOT_IN_BUILD, "axis 0");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", -1, in, x, wrong, NULL), CLIV_SHAPE, "[4, 3]");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", -1, in, x, index, NULL), CLIV_DTYPE, "int64");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", CLIV_ALL_AXES, in, inside, out, NULL), CLIV_LAYOUT, "pitches");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", -1, in, inside, shifted, NULL), CLIV_OVERLAP, "share");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", -1, in, NULL, out, NULL), CLIV_NULL, "x");
  ASSERT_FAILS(other, cliv_scan(other, "sum", -1, in, x, out, NULL), CLIV_VALUE, "another context");
  ASSERT_FAILS(ctx, cliv_scan_segments(ctx, "sum", in, x, NULL, out, NULL), CLIV_NULL, "offsets");
  ASSERT_FAILS(ctx, cliv_scan_segments(ctx, "sum", in, x, wide, out, NULL), CLIV_DTYPE, "int32 or int64");
  ASSERT_FAILS(ctx, cliv_scan_segments(ctx, "sum", in, x, index, out, NULL), CLIV_SHAPE, "one axis");
  ASSERT_FAILS(ctx, cliv_scan_segments(ctx, "sum", in, x, none, out, NULL), CLIV_SHAPE, "one axis");
  float *kept = test_read(out);
  for (int i = 0; i < 12; i++) assert_true(kept[i] == 42);
  free(kept);
  cliv_dtype type;
  ASSERT_FAILS(NULL, cliv_scan_dtype("median", CLIV_F32, &type), CLIV_NAME, "median");
  ASSERT_FAILS(NULL, cliv_scan_dtype("sum", (cliv_dtype)99, &type), CLIV_DTYPE, "99");
  cliv_tensor *all[] = {shifted, inside, none, offsets, index, wrong, wide, out, x};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  test_close(other);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(scans_everything),         cmocka_unit_test(scans_rows),
      cmocka_unit_test(scans_segments),           cmocka_unit_test(survives_wrong_offsets),
      cmocka_unit_test(knows_special_values),     cmocka_unit_test(scans_in_place),
      cmocka_unit_test(runs_the_users_functions), cmocka_unit_test(refuses_bad_calls),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
