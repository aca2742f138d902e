/* cliv/map.h: every operation of the table, every type, every way to give y, both walks and several group sizes. */
#include <cliv/map.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "map_reference.h"
#include "support.h"

static bool is_integer(cliv_dtype t) { return t == CLIV_I32 || t == CLIV_I64 || t == CLIV_U8; }

/* ---- data ---- */

static const double specials[] = {0.0,
                                  -0.0,
                                  1,
                                  -1,
                                  0.5,
                                  -0.5,
                                  1.5,
                                  2.5,
                                  -2.5,
                                  2,
                                  3,
                                  10,
                                  255,
                                  -128,
                                  0.1f,
                                  0x1.fffffep-1,
                                  0x1.000002p0,
                                  -0x1.fffffep-1,
                                  8388607.5,
                                  16777216,
                                  0x1p-149,
                                  -0x1p-149,
                                  0x1.fffffcp-127,
                                  0x1p-126,
                                  -0x1p-126,
                                  0x1p-25,
                                  -0x1p-26,
                                  0x1p-13,
                                  0x1p127,
                                  FLT_MAX,
                                  -FLT_MAX,
                                  88.72283f,
                                  88.72284f,
                                  -87.33655f,
                                  -103.97207f,
                                  -103.97208f,
                                  -16.63554f,
                                  9.010913f,
                                  0.625,
                                  0x1.62e430p-1,
                                  1.3333334f,
                                  0.6666667f,
                                  (double)INFINITY,
                                  -(double)INFINITY,
                                  (double)NAN};
enum { SPECIALS = sizeof specials / sizeof *specials };

/* The specials, then any bits, then numbers of everyday size. */
static double sample(cliv_dtype dtype, uint64_t seed, size_t i) {
  const uint64_t bits = test_bits(seed, i);
  if (is_integer(dtype)) return (double)((int64_t)bits >> (i % 3 ? 56 : 33));
  if (i % 4 == 0) return test_normal(seed, i);
  if (i % 4 == 1) return test_uniform(seed, i, -20, 20);
  float f;
  memcpy(&f, &(uint32_t){(uint32_t)bits}, 4);
  return isnan(f) ? (double)NAN : f;
}

static void *make(cliv_dtype dtype, size_t n, uint64_t seed, bool outer) {
  unsigned char *x = test_alloc(n * cliv_dtype_size(dtype));
  for (size_t i = 0; i < n; i++) {
    const size_t special = outer ? i / SPECIALS : i % SPECIALS;
    const bool is_special = i < (size_t)SPECIALS * SPECIALS && n > SPECIALS && !is_integer(dtype);
    test_put(dtype, x, i, is_special ? specials[special] : sample(dtype, seed, i));
  }
  if (dtype == CLIV_U8)
    for (size_t i = 0; i < n; i++) x[i] = (unsigned char)test_bits(seed, i);
  if (dtype == CLIV_I64) test_fill_bits(x, n * 8, seed);
  return x;
}

/* ---- comparing ---- */

static bool canonical_nan(cliv_dtype dtype, const void *x, size_t i) {
  switch (dtype) {
    case CLIV_F32: return ((const uint32_t *)x)[i] == 0x7fc00000;
    case CLIV_F16: return ((const uint16_t *)x)[i] == 0x7e00;
    case CLIV_BF16: return ((const uint16_t *)x)[i] == 0x7fc0;
    default: return ((const uint64_t *)x)[i] == UINT64_C(0x7ff8000000000000);
  }
}

static double unit_of(double want, int bits, int least) {
  int exponent;
  if (want == 0 || !isfinite(want)) return ldexp(1, least);
  frexp(want, &exponent);
  return ldexp(1, exponent - bits > least ? exponent - bits : least);
}

/* The stored number that got[i] must be, or the least and greatest it may be. */
static bool within(const cliv_map_info *op, cliv_dtype dtype, const void *got, size_t i, double want) {
  double low = want, high = want, stored[2];
  const double value = test_get(dtype, got, i);
  if (op->ulp > 0.5) {
    const double unit = dtype == CLIV_F64 ? unit_of(want, 53, -1074) : unit_of(want, 24, -149);
    low -= op->ulp * unit, high += op->ulp * unit;
  }
  if (dtype != CLIV_F64) low = (float)low, high = (float)high;
  test_put(dtype, stored, 0, low), test_put(dtype, stored + 1, 0, high);
  const bool sign = value != 0 || !signbit(value) == !signbit(want);
  return value >= test_get(dtype, stored, 0) && value <= test_get(dtype, stored + 1, 0) && sign;
}

static int64_t integer_at(cliv_dtype dtype, const void *x, size_t i) {
  return dtype == CLIV_I64   ? ((const int64_t *)x)[i]
         : dtype == CLIV_I32 ? ((const int32_t *)x)[i]
                             : ((const uint8_t *)x)[i];
}

static int64_t wrap(cliv_dtype dtype, int64_t v) {
  return dtype == CLIV_I64 ? v : dtype == CLIV_I32 ? (int32_t)(uint32_t)(uint64_t)v : (uint8_t)(uint64_t)v;
}

/* y[i] belongs to x[i]. */
static void check_results(const cliv_map_info *op, cliv_dtype dtype, const void *x, const void *y, const void *got,
                          size_t n) {
  const cliv_dtype result = op->result == CLIV_MAP_TRUTH ? CLIV_U8 : dtype;
  for (size_t i = 0; i < n; i++) {
    bool right;
    double a = test_get(dtype, x, i), b = y ? test_get(dtype, y, i) : 0, want;
    if (is_integer(dtype)) {
      const int64_t exact = reference_map_integer(op->name, integer_at(dtype, x, i), y ? integer_at(dtype, y, i) : 0);
      want = (double)exact;
      right = integer_at(result, got, i) == wrap(result, exact);
    } else {
      want = reference_map(op->name, a, b);
      right = op->result == CLIV_MAP_TRUTH ? ((const uint8_t *)got)[i] == (want != 0)
              : isnan(want)                ? canonical_nan(dtype, got, i)
                                           : within(op, dtype, got, i, want);
    }
    if (!right)
      fail_msg("%s of %s, element %zu: (%.9g [%a], %.9g) gave %.17g [%a], not %.17g [%a]", op->name,
               cliv_dtype_name(dtype), i, a, a, b, test_get(result, got, i), test_get(result, got, i), want, want);
  }
}

/* ---- running ---- */

typedef struct problem {
  const cliv_map_info *op;
  cliv_dtype dtype, result;
  int ndim;
  size_t shape[2], n, y_count, shift; /* y_count 0: y is the scalar */
  const void *x, *y;
  double scalar;
} problem;

/* malloc'd results; the guard zones have been checked. */
static void *run(cliv_context *ctx, const problem *p) {
  test_guarded x = test_guard(ctx, p->dtype, p->ndim, p->shape, p->shift, p->x);
  test_guarded out = test_guard(ctx, p->result, p->ndim, p->shape, p->shift, NULL);
  if (p->op->arity == 1) ASSERT_OK(ctx, cliv_map(ctx, p->op->name, x.tensor, out.tensor, NULL));
  else if (p->y_count == 0) ASSERT_OK(ctx, cliv_map_scalar(ctx, p->op->name, x.tensor, p->scalar, out.tensor, NULL));
  else {
    const bool each = p->y_count == p->n;
    test_guarded y = each ? test_guard(ctx, p->dtype, p->ndim, p->shape, p->shift, p->y)
                          : test_guard1(ctx, p->dtype, p->y_count, p->shift, p->y);
    ASSERT_OK(ctx, cliv_map2(ctx, p->op->name, x.tensor, y.tensor, out.tensor, NULL));
    test_guard_free(&y);
  }
  void *got = test_read(out.tensor);
  test_guard_free(&x);
  test_guard_free(&out);
  return got;
}

/* The same bits from every context in `c` (the first `used` of them); the first's results. */
static void *run_all(const test_ways *c, size_t used, const problem *p) {
  void *got = run(c->ctx[0], p);
  for (size_t i = 1; i < used && i < c->count; i++) {
    void *other = run(c->ctx[i], p);
    ASSERT_SAME(p->result, other, got, p->n);
    free(other);
  }
  return got;
}

static problem problem_of(const cliv_map_info *op, cliv_dtype dtype, size_t n) {
  problem p = {
      .op = op, .dtype = dtype, .ndim = 1, .shape = {n, 0}, .n = n, .y_count = op->arity == 2 ? n : 0, .shift = 1};
  ASSERT_OK(NULL, cliv_map_dtype(op->name, dtype, &p.result));
  return p;
}

/* ---- tests ---- */

static void check_op(const test_ways *c, const cliv_map_info *op, cliv_dtype dtype, size_t n) {
  void *x = make(dtype, n, 1, false), *y = op->arity == 2 ? make(dtype, n, 2, true) : NULL;
  problem p = problem_of(op, dtype, n);
  p.x = x, p.y = y;
  void *got = run_all(c, 2, &p);
  check_results(op, dtype, x, y, got, n);
  free(got), free(x), free(y);
}

/* One of each kind: with one input and with two, of numbers and of truths, exact, rounded, and by a polynomial. */
static bool stands_for_kind(const char *op) {
  static const char *const some[] = {"copy", "exp", "sin", "sqrt", "round", "isnan", "div", "pow", "min", "ge"};
  for (size_t i = 0; i < sizeof some / sizeof *some; i++)
    if (!strcmp(op, some[i])) return true;
  return false;
}

static void every_operation(void **state) {
  for (size_t i = 0; i < cliv_map_count(); i++)
    if (!test_few() || stands_for_kind(cliv_map_get(i)->name)) check_op(*state, cliv_map_get(i), CLIV_F32, 5003);
}

/* Storage types are converted by the same code for every operation: a few operations of each compute type. */
static void every_type(void **state) {
  static const struct {
    cliv_dtype dtype;
    const char *ops[12];
  } some[] = {
      {CLIV_F16, {"exp", "ge"}},
      {CLIV_BF16, {"mul", "isfinite"}},
      {CLIV_F64, {"abs", "sign", "rsqrt", "round", "div", "min", "lt"}},
      {CLIV_I32, {"neg", "min"}},
      {CLIV_I64, {"abs", "square", "max", "le"}},
      {CLIV_U8, {"add", "isfinite"}},
  };
  const test_ways *c = *state;
  for (size_t t = 0; t < sizeof some / sizeof *some; t++)
    for (size_t k = 0; k < 12 && some[t].ops[k]; k++)
      if (cliv_context_has(c->ctx[0], some[t].dtype)) check_op(c, cliv_map_find(some[t].ops[k]), some[t].dtype, 4097);
}

static void every_size(void **state) {
  size_t count;
  const size_t *sizes = test_sizes(&count);
  for (size_t s = 0; s < count + 4; s++) {
    const size_t n = s < count ? sizes[s] : (const size_t[]){15, 16, 17, 33}[s - count];
    void *x = make(CLIV_F32, n, 3, false), *y = make(CLIV_F32, n, 4, true);
    for (size_t shift = 0; shift < 4; shift += 3) {
      problem unary = problem_of(cliv_map_find("exp"), CLIV_F32, n),
              binary = problem_of(cliv_map_find("gt"), CLIV_F32, n);
      unary.x = binary.x = x, binary.y = y;
      unary.shift = binary.shift = shift;
      if (n == 0) binary.y_count = 0;
      void *got = run_all(*state, TEST_WAYS, &unary);
      check_results(unary.op, CLIV_F32, x, NULL, got, n);
      free(got);
      got = run_all(*state, TEST_WAYS, &binary);
      if (n) check_results(binary.op, CLIV_F32, x, y, got, n);
      free(got);
    }
    free(x), free(y);
  }
}

/* y as one element, as a row, as a number: what y[i] would give. */
static void broadcast(const test_ways *c, size_t used, const char *name, cliv_dtype dtype, size_t rows,
                      size_t columns) {
  const size_t n = rows * columns, size = cliv_dtype_size(dtype);
  unsigned char *x = make(dtype, n, 5, false), *y = make(dtype, columns, 6, false), *full = test_alloc(n * size);
  problem p = problem_of(cliv_map_find(name), dtype, n);
  p.ndim = 2, p.shape[0] = rows, p.shape[1] = columns, p.x = x, p.y = y, p.y_count = columns;
  for (size_t i = 0; i < n; i++) memcpy(full + i * size, y + i % columns * size, size);
  void *got = run_all(c, used, &p);
  check_results(p.op, dtype, x, full, got, n);
  free(got);
  if (used < TEST_WAYS) { /* the other two ways are the same for every type */
    free(x), free(y), free(full);
    return;
  }

  p.y_count = 1;
  for (size_t i = 0; i < n; i++) memcpy(full + i * size, y, size);
  got = run_all(c, used, &p);
  check_results(p.op, dtype, x, full, got, n);
  p.y_count = 0;
  p.scalar = test_get(dtype, y, 0);
  void *again = run_all(c, used, &p);
  ASSERT_SAME(p.result, again, got, n);
  free(got), free(again), free(x), free(y), free(full);
}

static void broadcasting(void **state) {
  static const size_t columns[] = {1, 2, 3, 7, 10, 15, 16, 17, 31, 64, 1000};
  for (size_t k = 0; k < sizeof columns / sizeof *columns; k++)
    broadcast(*state, TEST_WAYS, "sub", CLIV_F32, 4300 / columns[k] + 1, columns[k]);
  broadcast(*state, 2, "max", CLIV_BF16, 70, 33);
  broadcast(*state, 2, "mul", CLIV_I32, 70, 33);
  broadcast(*state, 2, "lt", CLIV_U8, 70, 10);
  if (cliv_context_has(((test_ways *)*state)->ctx[0], CLIV_F64)) broadcast(*state, 2, "div", CLIV_F64, 70, 33);
}

/* ---- conversions ---- */

static void convert(cliv_dtype from, const void *x, size_t i, cliv_dtype to, void *out) {
  if (is_integer(from) && is_integer(to)) {
    const int64_t v = wrap(to, integer_at(from, x, i));
    if (to == CLIV_I64) memcpy(out, &v, 8);
    else if (to == CLIV_I32) memcpy(out, &(int32_t){(int32_t)v}, 4);
    else memcpy(out, &(uint8_t){(uint8_t)v}, 1);
    return;
  }
  if (is_integer(from)) {
    const int64_t v = integer_at(from, x, i);
    test_put(to, out, 0, to == CLIV_F64 ? (double)v : (double)(float)v);
    return;
  }
  const double v = test_get(from, x, i);
  if (to == CLIV_I64)
    memcpy(out, &(int64_t){isnan(v) ? 0 : v >= 0x1p63 ? INT64_MAX : v < -0x1p63 ? INT64_MIN : (int64_t)v}, 8);
  else if (to == CLIV_I32)
    memcpy(out, &(int32_t){isnan(v) ? 0 : v >= 0x1p31 ? INT32_MAX : v <= -0x1p31 ? INT32_MIN : (int32_t)v}, 4);
  else if (to == CLIV_U8) memcpy(out, &(uint8_t){isnan(v) || v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v}, 1);
  else test_put(to, out, 0, v);
}

/* What lies close to the middle between two narrow numbers, where rounding twice would show. */
static void make_close_calls(double *x, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const double middle = ldexp(1 + ((double)(test_bits(9, i) & 0x3ff) + 0.5) * 0x1p-10, (int)(i % 50) - 30);
    const double middle_b = ldexp(1 + ((double)(test_bits(9, i) & 0x7f) + 0.5) * 0x1p-7, (int)(i % 300) - 150);
    x[i] = (i & 1 ? middle : middle_b) * (1 + (double)((int)(test_bits(10, i) % 3) - 1) * 0x1p-40);
  }
}

static void check_copy(const test_ways *c, cliv_dtype from, cliv_dtype to, size_t n) {
  if (!cliv_context_has(c->ctx[0], from) || !cliv_context_has(c->ctx[0], to)) return;
  void *x = make(from, n, 7, false);
  unsigned char *want = test_alloc(n * cliv_dtype_size(to));
  if (from == CLIV_F64) make_close_calls((double *)x + n / 2, n / 2);
  for (size_t i = 0; i < n; i++) convert(from, x, i, to, want + i * cliv_dtype_size(to));
  problem p = {
      .op = cliv_map_find("copy"), .dtype = from, .result = to, .ndim = 1, .shape = {n}, .n = n, .x = x, .shift = 1};
  void *got = run_all(c, 2, &p);
  for (size_t i = 0; i < n; i++)
    if (isnan(test_get(to, want, i))) assert_true(canonical_nan(to, got, i));
    else ASSERT_BITS((char *)got + i * cliv_dtype_size(to), want + i * cliv_dtype_size(to), cliv_dtype_size(to));
  free(got), free(x), free(want);
}

static void conversions(void **state) {
  static const cliv_dtype pairs[][2] = {
      {CLIV_F16, CLIV_F32},  {CLIV_BF16, CLIV_F32}, {CLIV_I64, CLIV_F32}, {CLIV_U8, CLIV_F32},  {CLIV_F32, CLIV_F16},
      {CLIV_F32, CLIV_BF16}, {CLIV_F32, CLIV_I32},  {CLIV_F32, CLIV_I64}, {CLIV_F32, CLIV_U8},  {CLIV_F16, CLIV_BF16},
      {CLIV_I64, CLIV_I32},  {CLIV_I32, CLIV_U8},   {CLIV_U8, CLIV_I64},  {CLIV_F64, CLIV_F32}, {CLIV_F64, CLIV_F16},
      {CLIV_F64, CLIV_BF16}, {CLIV_F64, CLIV_I64},  {CLIV_I64, CLIV_F64}, {CLIV_I32, CLIV_BF16}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) check_copy(*state, pairs[i][0], pairs[i][1], 4097);
}

/* ---- places and refusals ---- */

static void in_place(void **state) {
  const test_ways *c = *state;
  enum { N = 4099 };
  for (int k = 0; k < 2; k++) {
    cliv_context *ctx = c->ctx[k];
    float *a = make(CLIV_F32, N, 1, false), *b = make(CLIV_F32, N, 2, true), *sum = test_alloc(N * sizeof *sum);
    for (size_t i = 0; i < N; i++) sum[i] = isnan(a[i] - b[i]) ? NAN : a[i] - b[i];
    test_guarded x = test_guard1(ctx, CLIV_F32, N, 3, a), y = test_guard1(ctx, CLIV_F32, N, 1, b);
    ASSERT_OK(ctx, cliv_map2(ctx, "sub", x.tensor, y.tensor, y.tensor, NULL));
    ASSERT_OK(ctx, cliv_map(ctx, "copy", y.tensor, y.tensor, NULL));
    float *got = test_read(y.tensor);
    ASSERT_SAME(CLIV_F32, got, sum, N);
    free(got), free(a), free(b), free(sum);
    test_guard_free(&x);
    test_guard_free(&y);
  }
}

static void refusals(void **state) {
  cliv_context *ctx = ((test_ways *)*state)->ctx[0];
  const size_t shape[] = {3, 4}, half[] = {3, 2};
  cliv_tensor *x, *out, *truth, *row, *other, *part, *shifted, *i32;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &x));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &out));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_U8, 2, shape, &truth));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 2, shape, &i32));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){4}, &row));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){3}, &other));
  ASSERT_OK(ctx, cliv_tensor_view(x, 0, 2, half, 4, &part));
  ASSERT_OK(ctx, cliv_tensor_view(x, 2, 1, (size_t[]){4}, 0, &shifted));

  ASSERT_FAILS(ctx, cliv_map(ctx, NULL, x, out, NULL), CLIV_NULL, NULL);
  ASSERT_FAILS(ctx, cliv_map(ctx, "exp", NULL, out, NULL), CLIV_NULL, "x is NULL");
  ASSERT_FAILS(ctx, cliv_map(ctx, "exp", x, NULL, NULL), CLIV_NULL, "out is NULL");
  ASSERT_FAILS(NULL, cliv_map(NULL, "exp", x, out, NULL), CLIV_NULL, NULL);
  ASSERT_FAILS(ctx, cliv_map2(ctx, "add", x, NULL, out, NULL), CLIV_NULL, "y is NULL");
  ASSERT_FAILS(ctx, cliv_map(ctx, "exq", x, out, NULL), CLIV_NAME, "exq");
  ASSERT_FAILS(ctx, cliv_map(ctx, "add", x, out, NULL), CLIV_NAME, "two inputs");
  ASSERT_FAILS(ctx, cliv_map2(ctx, "exp", x, x, out, NULL), CLIV_NAME, "one input");
  ASSERT_FAILS(ctx, cliv_map(ctx, "exp", i32, i32, NULL), CLIV_DTYPE, "not defined for int32");
  ASSERT_FAILS(ctx, cliv_map(ctx, "exp", x, truth, NULL), CLIV_DTYPE, "float32");
  ASSERT_FAILS(ctx, cliv_map(ctx, "isnan", x, out, NULL), CLIV_DTYPE, "uint8");
  ASSERT_FAILS(ctx, cliv_map2(ctx, "add", x, i32, out, NULL), CLIV_DTYPE, "one dtype");
  ASSERT_FAILS(ctx, cliv_map(ctx, "exp", x, row, NULL), CLIV_SHAPE, "same shape");
  ASSERT_FAILS(ctx, cliv_map2(ctx, "add", x, other, out, NULL), CLIV_SHAPE, "[4]");
  ASSERT_FAILS(ctx, cliv_map(ctx, "exp", part, part, NULL), CLIV_LAYOUT, "dense");
  ASSERT_FAILS(ctx, cliv_map2(ctx, "add", x, shifted, x, NULL), CLIV_OVERLAP, "not element by element");
  ASSERT_FAILS(ctx, cliv_map_scalar(ctx, "add", i32, 0.5, i32, NULL), CLIV_VALUE, "0.5");
  ASSERT_FAILS(ctx, cliv_map_scalar(ctx, "add", i32, (double)NAN, i32, NULL), CLIV_VALUE, "integer");

  cliv_tensor *all[] = {x, out, truth, row, other, part, shifted, i32};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
}

static void overlaps(void **state) {
  cliv_context *ctx = ((test_ways *)*state)->ctx[0];
  cliv_tensor *base, *low, *high, *wide;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){100}, &base));
  ASSERT_OK(ctx, cliv_tensor_view(base, 0, 1, (size_t[]){50}, 0, &low));
  ASSERT_OK(ctx, cliv_tensor_view(base, 49, 1, (size_t[]){50}, 0, &high));
  ASSERT_OK(ctx, cliv_tensor_wrap(ctx, cliv_tensor_mem(base), 0, CLIV_U8, 1, (size_t[]){50}, &wide));
  ASSERT_FAILS(ctx, cliv_map(ctx, "exp", low, high, NULL), CLIV_OVERLAP, "x and out");
  ASSERT_FAILS(ctx, cliv_map(ctx, "isnan", low, wide, NULL), CLIV_OVERLAP, "x and out");
  cliv_tensor_free(base), cliv_tensor_free(low), cliv_tensor_free(high), cliv_tensor_free(wide);
}

static void the_table(void **state) {
  (void)state;
  cliv_dtype dtype;
  assert_null(cliv_map_get(cliv_map_count()));
  assert_null(cliv_map_find("none"));
  assert_null(cliv_map_find(NULL));
  for (size_t i = 0; i < cliv_map_count(); i++) assert_ptr_equal(cliv_map_find(cliv_map_get(i)->name), cliv_map_get(i));
  ASSERT_OK(NULL, cliv_map_dtype("gt", CLIV_BF16, &dtype));
  assert_int_equal(dtype, CLIV_U8);
  ASSERT_OK(NULL, cliv_map_dtype("exp", CLIV_BF16, &dtype));
  assert_int_equal(dtype, CLIV_BF16);
  ASSERT_FAILS(NULL, cliv_map_dtype("exp", CLIV_F64, &dtype), CLIV_DTYPE, "float64");
  ASSERT_FAILS(NULL, cliv_map_dtype("none", CLIV_F32, &dtype), CLIV_NAME, "none");
}

static void the_users_own(void **state) {
  static const char text[] =
      "real leaky(real x) { return choose(x > (real)0.0f, x, (real)0.125f * x); }\n"
      "real apart(real x, real y) {\n  const real d = x - y;\n  return d * d;\n} // its last line has no end";
  static const char wrong[] = "real bad(real x) {\n  return x +;\n}\n";
  const test_ways *c = *state;
  enum { N = 4099 };
  float *a = test_alloc(N * sizeof *a), *b = test_alloc(N * sizeof *b), want[N];
  for (size_t i = 0; i < N; i++) a[i] = (float)test_normal(80, i), b[i] = (float)test_normal(81, i);
  for (int k = 0; k < 2; k++) {
    cliv_context *ctx = c->ctx[k];
    test_guarded x = test_guard1(ctx, CLIV_F32, N, 3, a), y = test_guard1(ctx, CLIV_F32, N, 1, b);
    test_guarded out = test_guard1(ctx, CLIV_F32, N, 2, NULL);
    ASSERT_OK(ctx, cliv_map_user(ctx, text, "leaky", x.tensor, NULL, out.tensor, NULL));
    for (size_t i = 0; i < N; i++) want[i] = a[i] > 0 ? a[i] : 0.125f * a[i];
    float *got = test_read(out.tensor);
    ASSERT_SAME(CLIV_F32, got, want, N);
    free(got);
    ASSERT_OK(ctx, cliv_map_user(ctx, text, "apart", x.tensor, y.tensor, out.tensor, NULL));
    for (size_t i = 0; i < N; i++) want[i] = (a[i] - b[i]) * (a[i] - b[i]);
    got = test_read(out.tensor);
    ASSERT_SAME(CLIV_F32, got, want, N);
    free(got);
    ASSERT_FAILS(ctx, cliv_map_user(ctx, wrong, "bad", x.tensor, NULL, out.tensor, NULL), CLIV_BUILD, "user");
    ASSERT_FAILS(ctx, cliv_map_user(ctx, text, "leak", x.tensor, NULL, NULL, NULL), CLIV_NULL, "out");
    ASSERT_FAILS(ctx, cliv_map_user(ctx, text, "no such", x.tensor, NULL, out.tensor, NULL), CLIV_NAME, "no such");
    ASSERT_FAILS(ctx, cliv_map_user(ctx, text, "other", x.tensor, NULL, out.tensor, NULL), CLIV_VALUE, "other");
    test_guard_free(&out);
    test_guard_free(&y);
    test_guard_free(&x);
  }
  free(a), free(b);
}

/* Events: what is waited for, and what is given back. */
static void events(void **state) {
  cliv_context *ctx = ((test_ways *)*state)->ctx[0];
  const float one[] = {1, 2, 3};
  test_guarded x = test_guard1(ctx, CLIV_F32, 3, 0, one), none = test_guard1(ctx, CLIV_F32, 0, 0, NULL);
  cl_event first = NULL, second = NULL;
  ASSERT_OK(ctx, cliv_map(ctx, "neg", x.tensor, x.tensor, &(cliv_sync){0, NULL, &first}));
  ASSERT_OK(ctx, cliv_map_scalar(ctx, "add", none.tensor, 1, none.tensor, &(cliv_sync){1, &first, &second}));
  ASSERT_CL(clWaitForEvents(1, &second));
  ASSERT_CL(clReleaseEvent(first));
  ASSERT_CL(clReleaseEvent(second));
  float *got = test_read(x.tensor);
  ASSERT_SAME(CLIV_F32, got, ((const float[]){-1, -2, -3}), 3);
  free(got);
  test_guard_free(&x);
  test_guard_free(&none);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_operation), cmocka_unit_test(every_type),  cmocka_unit_test(every_size),
      cmocka_unit_test(broadcasting),    cmocka_unit_test(conversions), cmocka_unit_test(in_place),
      cmocka_unit_test(refusals),        cmocka_unit_test(overlaps),    cmocka_unit_test(the_table),
      cmocka_unit_test(the_users_own),   cmocka_unit_test(events),
  };
  return test_finish(cmocka_run_group_tests(tests, test_setup_all, test_teardown_all));
}
