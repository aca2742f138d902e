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

/* ---- programs: which are tried ----
 * Each is one to compile. How elements are read and stored, how they are joined, and in what order are apart; so every
 * operation, every type that is computed in, every walk and every way to lie is here once, and not all of their
 * products, which `cliv selftest` has more of. */

typedef struct program {
  cliv_walk walk;
  const char *op;
  cliv_dtype dtype, out;
} program;

#define SUM_CPU \
  { CLIV_WALK_CPU, "sum", CLIV_F32, CLIV_F32 }
#define SUM_GPU \
  { CLIV_WALK_GPU, "sum", CLIV_F32, CLIV_F32 }
#define MAX \
  { CLIV_WALK_CPU, "max", CLIV_F32, CLIV_F32 }
#define PROD \
  { CLIV_WALK_CPU, "prod", CLIV_F64, CLIV_F64 }
#define MIN \
  { CLIV_WALK_GPU, "min", CLIV_F32, CLIV_F32 }
static const program flat[] = {
    SUM_CPU,
    SUM_GPU,
    MAX,
    MIN,
    PROD,
    {CLIV_WALK_CPU, "sum", CLIV_F16, CLIV_F16},
    {CLIV_WALK_CPU, "sum", CLIV_U8, CLIV_I64},
    {CLIV_WALK_GPU, "max", CLIV_I64, CLIV_I64},
};

static bool is_sum(const program *p) { return !strcmp(p->op, "sum") && p->dtype == CLIV_F32; }
static cliv_scan_kind kind_of(bool exclusive) { return exclusive ? CLIV_EXCLUSIVE : CLIV_INCLUSIVE; }

/* ---- all elements ---- */

static void check_flat(cliv_context *ctx, const program *p, bool exclusive, size_t n, const void *x, const void *want,
                       size_t shift) {
  test_guarded in = test_guard1(ctx, p->dtype, n, shift, x), out = test_guard1(ctx, p->out, n, 2 * shift, NULL);
  ASSERT_OK(ctx, cliv_scan(ctx, p->op, CLIV_ALL_AXES, kind_of(exclusive), in.tensor, out.tensor, NULL));
  void *got = test_read(out.tensor), *kept = test_read(in.tensor);
  ASSERT_SAME(p->out, got, want, n);
  ASSERT_BITS(kept, x, n * cliv_dtype_size(p->dtype));
  free(got), free(kept);
  test_guard_free(&in), test_guard_free(&out);
}

static void check_sizes(cliv_context *ctx, const program *p) {
  size_t count;
  const size_t *sizes = test_sizes(&count);
  for (size_t s = 0; s < count; s++) {
    const size_t n = sizes[s];
    /* what follows a block does not depend on storage, only on the type that is computed in */
    if (n > 5000 && p->dtype != CLIV_F32) continue;
    if (n > 300 && (p->dtype == CLIV_F16 || p->dtype == CLIV_U8)) continue;
    void *x = make(p->dtype, p->op, n, 11 * s + p->dtype), *want = test_alloc(n * cliv_dtype_size(p->out));
    for (int exclusive = 0; exclusive < 2; exclusive++) {
      scan_row(p->op, exclusive, p->dtype, x, 0, n, p->out, want, 0);
      if (is_sum(p) && !exclusive) check_error(x, want, n);
      check_flat(ctx, p, exclusive, n, x, want, s % 3);
    }
    free(x), free(want);
  }
}

static void scans_everything(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof flat / sizeof *flat; i++) {
    cliv_context *ctx = test_open(flat[i].walk);
    if (cliv_context_has(ctx, flat[i].dtype)) check_sizes(ctx, &flat[i]);
    test_close(ctx);
  }
}

static void tries_every_operation(void **state) {
  (void)state;
  for (size_t o = 0; o < cliv_scan_count(); o++) {
    size_t i = 0;
    while (i < sizeof flat / sizeof *flat && strcmp(flat[i].op, cliv_scan_get(o)->name) != 0) i++;
    if (i == sizeof flat / sizeof *flat) fail_msg("'%s' is in no program", cliv_scan_get(o)->name);
  }
}

static void gives_natural_types(void **state) {
  (void)state;
  for (size_t o = 0; o < cliv_scan_count(); o++)
    for (int d = 0; d < CLIV_DTYPE_COUNT; d++) {
      const bool totals = cliv_scan_get(o)->total && computed_in((cliv_dtype)d) == IN_I64;
      cliv_dtype type;
      ASSERT_OK(NULL, cliv_scan_dtype(cliv_scan_get(o)->name, (cliv_dtype)d, &type));
      assert_int_equal(type, totals ? CLIV_I64 : (cliv_dtype)d);
    }
}

/* ---- along an axis ---- */

/* A tensor of up to four axes, whose rows may have a pitch. */
typedef struct place {
  size_t shape[4], pitch;
  size_t stride[4], span; /* elements from index to index; in all */
  cliv_tensor *view;
} place;

static place make_place(const cliv_tensor *memory, int ndim, const size_t *shape, size_t pitch) {
  place p = {.pitch = pitch, .span = pitch};
  p.shape[ndim - 1] = shape[ndim - 1];
  p.stride[ndim - 1] = 1;
  for (int d = ndim - 2; d >= 0; d--) p.stride[d] = p.span, p.shape[d] = shape[d], p.span *= shape[d];
  if (memory) ASSERT_OK(NULL, cliv_tensor_view(memory, 0, ndim, shape, pitch, &p.view));
  return p;
}

/* Where line l of those along an axis begins. */
static size_t line_begin(const place *p, int ndim, int axis, size_t l) {
  size_t at = 0;
  for (int d = ndim - 1; d >= 0; d--) {
    if (d == axis) continue;
    at += l % p->shape[d] * p->stride[d];
    l /= p->shape[d];
  }
  return at;
}

/* Every line along the axis by itself; what lies between the rows stays. in_place: into x. */
static void check_axis(cliv_context *ctx, const program *p, bool exclusive, bool in_place, int ndim, int given,
                       const size_t *shape, size_t pitch, size_t out_pitch) {
  const int axis = given < 0 ? given + ndim : given;
  const size_t bytes = cliv_dtype_size(p->dtype), out_bytes = cliv_dtype_size(p->out), n = shape[axis];
  place from = make_place(NULL, ndim, shape, pitch), to = make_place(NULL, ndim, shape, out_pitch);
  unsigned char *x = make(p->dtype, p->op, from.span, n + from.span);
  test_guarded in = test_guard1(ctx, p->dtype, from.span, 1, x), out = {.tensor = NULL};
  if (!in_place) out = test_guard1(ctx, p->out, to.span, 2, NULL);
  from = make_place(in.tensor, ndim, shape, pitch);
  to = make_place(in_place ? in.tensor : out.tensor, ndim, shape, out_pitch);
  unsigned char *want = test_read(in_place ? in.tensor : out.tensor);
  unsigned char *line = test_alloc(n * bytes), *scanned = test_alloc(n * out_bytes);
  for (size_t l = 0, lines = cliv_tensor_count(from.view) / n; l < lines; l++) {
    const size_t a = line_begin(&from, ndim, axis, l), b = line_begin(&to, ndim, axis, l);
    for (size_t i = 0; i < n; i++) memcpy(line + i * bytes, x + (a + i * from.stride[axis]) * bytes, bytes);
    scan_row(p->op, exclusive, p->dtype, line, 0, n, p->out, scanned, 0);
    for (size_t i = 0; i < n; i++)
      memcpy(want + (b + i * to.stride[axis]) * out_bytes, scanned + i * out_bytes, out_bytes);
  }
  ASSERT_OK(ctx, cliv_scan(ctx, p->op, given, kind_of(exclusive), from.view, in_place ? from.view : to.view, NULL));
  unsigned char *got = test_read(in_place ? in.tensor : out.tensor);
  ASSERT_SAME(p->out, got, want, to.span);
  cliv_tensor_free(from.view), cliv_tensor_free(to.view);
  free(x), free(want), free(line), free(scanned), free(got);
  test_guard_free(&in);
  if (!in_place) test_guard_free(&out);
}

static const program sums[TEST_WALKS] = {SUM_CPU, SUM_GPU};

static void check_rows(cliv_context *ctx, const program *p) {
  static const size_t shapes[][2] = {{7, 1},   {1, 7},    {300, 15}, {260, 16}, {9, 17},    {33, 64},
                                     {5, 255}, {3, 1000}, {2, 4096}, {3, 4097}, {2, 12289}, {4, 8192}};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    const size_t columns = shapes[s][1];
    if (test_small() && shapes[s][0] * columns > 10000) continue;
    check_axis(ctx, p, s % 2, s % 5 == 4, 2, 1, shapes[s], columns + s % 3, columns + (s % 5 == 4 ? s % 3 : s % 4));
  }
}

static void scans_rows(void **state) {
  (void)state;
  static const size_t groups[] = {0, 16, 1024};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++)
    for (size_t g = 0; g < (test_walks[w] == CLIV_WALK_GPU ? 3 : 1); g++) {
      cliv_context *ctx = test_open_group(test_walks[w], groups[g]);
      check_rows(ctx, &sums[w]);
      test_close(ctx);
    }
}

/* Axes behind which others lie; pitch and out_pitch: beyond the rows' length. */
static const struct {
  int ndim, axis;
  size_t shape[4], pitch, out_pitch;
  bool exclusive, in_place;
} lines[] = {
    {2, 0, {17, 16}, 0, 0, false, false},     {2, 0, {5, 33}, 2, 3, true, false},
    {2, 0, {1200, 3}, 0, 1, true, false},     {2, -2, {4096, 1}, 1, 1, false, true},
    {2, 0, {15, 200}, 0, 0, true, true},      {2, 0, {1, 7}, 0, 0, false, false},
    {3, 1, {3, 37, 5}, 0, 0, false, false},   {3, 0, {33, 4, 7}, 3, 3, true, true},
    {3, 0, {20, 3, 18}, 0, 1, false, false},  {3, 1, {2, 9, 1}, 0, 0, true, false},
    {3, 1, {2, 9, 1}, 1, 0, true, false},     {4, 1, {2, 48, 3, 19}, 1, 1, false, true},
    {4, 2, {2, 3, 640, 2}, 0, 0, true, true}, {2, 0, {70001, 2}, 0, 0, true, false},
    {2, 0, {6655, 1}, 1, 1, true, false},     {3, 1, {64, 65552, 1}, 1, 1, false, false},
};

static void check_lines(cliv_context *ctx, const program *p) {
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    const size_t row = lines[i].shape[lines[i].ndim - 1];
    const int axis = lines[i].axis < 0 ? lines[i].axis + lines[i].ndim : lines[i].axis;
    const size_t longest = lines[i].shape[axis];
    if (longest > 5000 && (test_small() || p->dtype != CLIV_F32)) continue;
    if (longest > 65536 && lines[i].shape[0] < longest && (p->walk != CLIV_WALK_CPU || test_slow(ctx))) continue;
    check_axis(ctx, p, lines[i].exclusive, lines[i].in_place, lines[i].ndim, lines[i].axis, lines[i].shape,
               row + lines[i].pitch, row + lines[i].out_pitch);
  }
}

static void scans_along_any_axis(void **state) {
  (void)state;
  static const program programs[] = {SUM_CPU, SUM_GPU, {CLIV_WALK_CPU, "min", CLIV_I32, CLIV_I32}};
  for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
    cliv_context *ctx = test_open(programs[i].walk);
    check_lines(ctx, &programs[i]);
    test_close(ctx);
  }
}

/* ---- segments ---- */

static void check_segments(cliv_context *ctx, bool exclusive, size_t n, const uint64_t *offsets, size_t count) {
  float *x = make(CLIV_F32, "sum", n, n + count);
  cliv_segments *segments;
  ASSERT_OK(ctx, cliv_segments_create(ctx, count, offsets, &segments));
  test_guarded in = test_guard1(ctx, CLIV_F32, n, 1, x), out = test_guard1(ctx, CLIV_F32, n, 0, NULL);
  float *want = test_read(out.tensor); /* what no segment covers stays */
  for (size_t s = 0; s < count; s++)
    scan_row("sum", exclusive, CLIV_F32, x, offsets[s], offsets[s + 1] - offsets[s], CLIV_F32, want, offsets[s]);
  const cliv_over over = {.segments = segments};
  ASSERT_OK(ctx, cliv_scan_over(ctx, "sum", &over, kind_of(exclusive), in.tensor, out.tensor, NULL));
  cliv_segments_free(segments);
  float *got = test_read(out.tensor);
  ASSERT_SAME(CLIV_F32, got, want, n);
  free(x), free(want), free(got);
  test_guard_free(&in), test_guard_free(&out);
}

/* `count` segments of lengths drawn below `longest`, every fifth empty, from offset `first` on; gives the end. */
static size_t draw_offsets(uint64_t *offsets, size_t count, size_t first, size_t longest, uint64_t seed) {
  offsets[0] = first;
  for (size_t s = 0; s < count; s++) offsets[s + 1] = offsets[s] + (s % 5 == 3 ? 0 : test_bits(seed, s) % longest);
  return offsets[count];
}

static void check_all_segments(cliv_context *ctx) {
  uint64_t offsets[1100];
  const size_t tiny = draw_offsets(offsets, 100, 0, 40, 5);
  check_segments(ctx, false, tiny, offsets, 100);
  check_segments(ctx, true, tiny, offsets, 100);
  check_segments(ctx, false, 5, (uint64_t[]){2}, 0);
  check_segments(ctx, true, 5, (uint64_t[]){2, 2, 2}, 2);
  check_segments(ctx, true, 4096, (uint64_t[]){0, 0, 4096, 4096}, 3);
  check_segments(ctx, false, 4097, (uint64_t[]){0, 4097}, 1);
  check_segments(ctx, true, 9000, (uint64_t[]){1, 8193, 8999}, 2);
  if (test_small()) return;
  const size_t middle = draw_offsets(offsets, 1000, 3, 2000, 6);
  check_segments(ctx, true, middle + 7, offsets, 1000);
  const size_t large = draw_offsets(offsets, 20, 5000, 60000, 7);
  check_segments(ctx, false, large + 5000, offsets, 20);
}

static void scans_segments(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    check_all_segments(ctx);
    test_close(ctx);
  }
}

/* ---- special values, places, refusals ---- */

static void knows_special_values(void **state) {
  (void)state;
  static const float inf = INFINITY, nan = NAN;
  static const struct {
    program p;
    float x[4], inclusive[4], exclusive[4];
  } cases[] = {
      {SUM_CPU, {-0.0f, -0.0f, 0.0f, -0.0f}, {-0.0f, -0.0f, 0.0f, 0.0f}, {0.0f, -0.0f, -0.0f, 0.0f}},
      {SUM_GPU, {-0.0f, -0.0f, 0.0f, -0.0f}, {-0.0f, -0.0f, 0.0f, 0.0f}, {0.0f, -0.0f, -0.0f, 0.0f}},
      {SUM_CPU, {1, inf, -inf, 1}, {1, inf, nan, nan}, {0, 1, inf, nan}},
      {SUM_GPU, {1, inf, -inf, 1}, {1, inf, nan, nan}, {0, 1, inf, nan}},
      {PROD, {2, 0, -1, inf}, {2, 0, -0.0f, nan}, {1, 2, 0, -0.0f}},
      {MAX, {-0.0f, 0.0f, -1, 2}, {-0.0f, 0.0f, 0.0f, 2}, {-inf, -0.0f, 0.0f, 0.0f}},
      {MIN, {0.0f, -0.0f, 1, nan}, {0.0f, -0.0f, -0.0f, nan}, {inf, 0.0f, -0.0f, -0.0f}},
      {MAX, {-inf, nan, inf, 1}, {-inf, nan, nan, nan}, {-inf, -inf, nan, nan}},
      {MIN, {inf, 1, -inf, nan}, {inf, 1, -inf, nan}, {inf, inf, 1, -inf}},
  };
  for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
    const program *p = &cases[c].p;
    cliv_context *ctx = test_open(p->walk);
    double x[4], inclusive[4], exclusive[4]; /* room for any type */
    for (size_t i = 0; i < 4; i++) {
      test_put(p->dtype, x, i, (double)cases[c].x[i]);
      test_put(p->out, inclusive, i, (double)cases[c].inclusive[i]);
      test_put(p->out, exclusive, i, (double)cases[c].exclusive[i]);
    }
    if (cliv_context_has(ctx, p->dtype)) {
      check_flat(ctx, p, false, 4, x, inclusive, 1);
      check_flat(ctx, p, true, 4, x, exclusive, 1);
    }
    test_close(ctx);
  }
}

static void scans_in_place(void **state) {
  (void)state;
  const size_t n = test_small() ? 4500 : 70001;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
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

/* The value of the greatest magnitude so far: in one walk of segments, the second of which is looked at; in the other
 * of everything, in another type than x's. */
static void runs_the_users_functions(void **state) {
  (void)state;
  static const char text[] =
      "real far_init(void) { return (real)0; }\n"
      "real far_join(real a, real b) { return choose(fabs(b) > fabs(a), b, a); }\n";
  enum { N = 9001, CUT = 100 };
  float *x = test_alloc(N * sizeof *x), *want = test_alloc(N * sizeof *want);
  uint16_t *narrow = test_alloc(N * sizeof *narrow);
  for (size_t i = 0; i < N; i++) {
    test_put(CLIV_BF16, narrow, i, test_normal(5, i));
    x[i] = (float)test_get(CLIV_BF16, narrow, i);
  }
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    const bool cut = test_walks[w] == CLIV_WALK_CPU;
    const size_t first = cut ? CUT : 0;
    test_guarded in = cut ? test_guard1(ctx, CLIV_F32, N, 1, x) : test_guard1(ctx, CLIV_BF16, N, 1, narrow);
    test_guarded out = test_guard1(ctx, CLIV_F32, N, 2, NULL);
    cliv_segments *segments = NULL;
    if (cut) ASSERT_OK(ctx, cliv_segments_create(ctx, 2, (uint64_t[]){0, CUT, N}, &segments));
    want[first] = 0;
    for (size_t i = first + 1; i < N; i++) want[i] = fabsf(x[i - 1]) > fabsf(want[i - 1]) ? x[i - 1] : want[i - 1];
    const cliv_over over = {.segments = segments};
    ASSERT_OK(ctx, cliv_scan_user(ctx, text, "far", &over, CLIV_EXCLUSIVE, in.tensor, out.tensor, NULL));
    float *got = test_read(out.tensor);
    ASSERT_BITS(got + first, want + first, (N - first) * sizeof *got);
    assert_true(got[0] == 0 && got[1] == x[0]);
    free(got);
    cliv_segments_free(segments);
    test_guard_free(&out);
    test_guard_free(&in);
    test_close(ctx);
  }
  free(x), free(want), free(narrow);
}

static void refuses_the_users_mistakes(void **state) {
  (void)state;
  static const char wrong[] = "real far_init(void) { return (real)0; }\nreal far_join(real a, real b) { return c; }\n";
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_tensor *x, *whole;
  const cliv_scan_kind in = CLIV_INCLUSIVE;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){9}, &x));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 1, (size_t[]){9}, &whole));
  ASSERT_FAILS(ctx, cliv_scan_user(ctx, wrong, "far", NULL, in, x, x, NULL), CLIV_BUILD, "user");
  ASSERT_FAILS(ctx, cliv_scan_user(ctx, wrong, "near", NULL, in, x, x, NULL), CLIV_VALUE, "near_init");
  ASSERT_FAILS(ctx, cliv_scan_user(ctx, NULL, "far", NULL, in, x, x, NULL), CLIV_NULL, "text");
  ASSERT_FAILS(ctx, cliv_scan_user(ctx, wrong, "far", NULL, in, whole, whole, NULL), CLIV_DTYPE, "int32");
  cliv_tensor_free(x), cliv_tensor_free(whole);
  test_close(ctx);
}

static void refuses_bad_calls(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO), *other = test_open(CLIV_WALK_AUTO);
  cliv_tensor *x, *out, *wide, *wrong, *index, *inside;
  cliv_segments *near, *far, *foreign;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){3, 4}, &x));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){3, 4}, &out));
  ASSERT_OK(ctx, cliv_tensor_fill(out, 42, NULL));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){3, 5}, &wide));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){4, 3}, &wrong));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I64, 2, (size_t[]){3, 4}, &index));
  ASSERT_OK(ctx, cliv_segments_create(ctx, 1, (uint64_t[]){0, 5}, &near));
  ASSERT_OK(ctx, cliv_segments_create(ctx, 2, (uint64_t[]){0, 5, 13}, &far));
  ASSERT_OK(other, cliv_segments_create(other, 1, (uint64_t[]){0, 5}, &foreign));
  ASSERT_OK(ctx, cliv_tensor_view(wide, 1, 2, (size_t[]){3, 4}, 5, &inside));
  cliv_tensor *shifted;
  ASSERT_OK(ctx, cliv_tensor_view(wide, 0, 2, (size_t[]){3, 4}, 5, &shifted));
  const cliv_scan_kind in = CLIV_INCLUSIVE;
  ASSERT_FAILS(ctx, cliv_scan(ctx, "mean", -1, in, x, out, NULL), CLIV_NAME, "mean");
  ASSERT_FAILS(ctx, cliv_scan(ctx, NULL, -1, in, x, out, NULL), CLIV_NAME, "NULL");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", -1, (cliv_scan_kind)2, x, out, NULL), CLIV_VALUE, "inclusive");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", 2, in, x, out, NULL), CLIV_VALUE, "axis 2");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", -3, in, x, out, NULL), CLIV_VALUE, "axis -3");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", -1, in, x, wrong, NULL), CLIV_SHAPE, "[4, 3]");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", -1, in, x, index, NULL), CLIV_DTYPE, "int64");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", CLIV_ALL_AXES, in, inside, out, NULL), CLIV_LAYOUT, "pitches");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", -1, in, inside, shifted, NULL), CLIV_OVERLAP, "share");
  ASSERT_FAILS(ctx, cliv_scan(ctx, "sum", -1, in, NULL, out, NULL), CLIV_NULL, "x");
  ASSERT_FAILS(other, cliv_scan(other, "sum", -1, in, x, out, NULL), CLIV_VALUE, "another context");
  const int axes[] = {0, 1};
#define OVER(...) cliv_scan_over(ctx, "sum", &(cliv_over){__VA_ARGS__}, in, x, out, NULL)
  ASSERT_FAILS(ctx, OVER(2, axes, NULL), CLIV_VALUE, "2 axes");
  ASSERT_FAILS(ctx, OVER(0, axes, NULL), CLIV_VALUE, "0 axes");
  ASSERT_FAILS(ctx, OVER(1, NULL, NULL), CLIV_NULL, "list");
  ASSERT_FAILS(ctx, OVER(1, axes, far), CLIV_VALUE, "not both");
  ASSERT_FAILS(ctx, OVER(0, NULL, far), CLIV_SHAPE, "element 13");
  ASSERT_FAILS(ctx, OVER(0, NULL, foreign), CLIV_VALUE, "another context");
#undef OVER
  const cliv_over over = {.segments = near};
  ASSERT_FAILS(ctx, cliv_scan_over(ctx, "sum", &over, in, inside, out, NULL), CLIV_LAYOUT, "dense");
  ASSERT_FAILS(ctx, cliv_scan_over(ctx, "sum", &over, in, out, inside, NULL), CLIV_LAYOUT, "pitches");
  float *kept = test_read(out);
  for (int i = 0; i < 12; i++) assert_true(kept[i] == 42);
  free(kept);
  cliv_dtype type;
  ASSERT_FAILS(NULL, cliv_scan_dtype("median", CLIV_F32, &type), CLIV_NAME, "median");
  ASSERT_FAILS(NULL, cliv_scan_dtype("sum", (cliv_dtype)99, &type), CLIV_DTYPE, "99");
  cliv_tensor *all[] = {shifted, inside, index, wrong, wide, out, x};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  cliv_segments_free(near), cliv_segments_free(far), cliv_segments_free(foreign);
  test_close(other);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(scans_everything),         cmocka_unit_test(tries_every_operation),
      cmocka_unit_test(gives_natural_types),      cmocka_unit_test(scans_rows),
      cmocka_unit_test(scans_segments),           cmocka_unit_test(scans_along_any_axis),
      cmocka_unit_test(knows_special_values),     cmocka_unit_test(scans_in_place),
      cmocka_unit_test(runs_the_users_functions), cmocka_unit_test(refuses_the_users_mistakes),
      cmocka_unit_test(refuses_bad_calls),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
