/* Reductions against references in double, and against themselves: both walks, every group size, offsets, stages,
 * special values. */
#include <cliv/reduce.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

/* ---- references: the result, and the sum of absolute terms that bounds an inexact one's error ---- */

typedef struct reference {
  double value, terms; /* terms 0: exact */
} reference;

/* Sums are kept in long double: the reference of float64 has to be better than float64. */

static reference exact(double value) { return (reference){value, 0}; }

static reference ref_sum(const double *x, const double *y, size_t n) {
  long double v = 0, terms = 0;
  for (size_t i = 0; i < n; i++) v += x[i], terms += fabs(x[i]);
  (void)y;
  return (reference){(double)v, (double)terms};
}
static reference ref_prod(const double *x, const double *y, size_t n) {
  long double v = 1;
  for (size_t i = 0; i < n; i++) v *= x[i];
  (void)y;
  return (reference){(double)v, fabs((double)v) * (double)(n + 1) / 16};
}
static reference ref_mean(const double *x, const double *y, size_t n) {
  const reference s = ref_sum(x, y, n);
  return (reference){s.value / (double)n, s.terms / (double)n};
}
static reference ref_sumsq(const double *x, const double *y, size_t n) {
  long double v = 0;
  for (size_t i = 0; i < n; i++) v += (long double)x[i] * x[i];
  (void)y;
  return (reference){(double)v, (double)v};
}
static reference ref_nrm2(const double *x, const double *y, size_t n) {
  const double v = sqrt(ref_sumsq(x, y, n).value);
  return (reference){v, v};
}
static reference ref_asum(const double *x, const double *y, size_t n) {
  const double v = ref_sum(x, y, n).terms;
  return (reference){v, v};
}
static reference ref_dot(const double *x, const double *y, size_t n) {
  long double v = 0, terms = 0;
  for (size_t i = 0; i < n; i++) v += (long double)x[i] * y[i], terms += fabsl((long double)x[i] * y[i]);
  return (reference){(double)v, (double)terms};
}
/* The first greatest of sign*f(x), NaN above all. */
static size_t first_greatest(const double *x, size_t n, double sign, bool magnitude) {
  size_t best = 0;
  for (size_t i = 0; i < n; i++) {
    const double v = sign * (magnitude ? fabs(x[i]) : x[i]), b = sign * (magnitude ? fabs(x[best]) : x[best]);
    const bool above = v > b || (v == b && !magnitude && sign * signbit(x[i]) < sign * signbit(x[best]));
    if (!isnan(x[best]) && (isnan(x[i]) || above)) best = i;
  }
  return best;
}
static reference ref_min(const double *x, const double *y, size_t n) {
  (void)y;
  return exact(x[first_greatest(x, n, -1, false)]);
}
static reference ref_max(const double *x, const double *y, size_t n) {
  (void)y;
  return exact(x[first_greatest(x, n, 1, false)]);
}
static reference ref_amin(const double *x, const double *y, size_t n) {
  (void)y;
  return exact(fabs(x[first_greatest(x, n, -1, true)]));
}
static reference ref_amax(const double *x, const double *y, size_t n) {
  (void)y;
  return exact(fabs(x[first_greatest(x, n, 1, true)]));
}
static reference ref_argmin(const double *x, const double *y, size_t n) {
  (void)y;
  return exact((double)first_greatest(x, n, -1, false));
}
static reference ref_argmax(const double *x, const double *y, size_t n) {
  (void)y;
  return exact((double)first_greatest(x, n, 1, false));
}
static reference ref_var(const double *x, const double *y, size_t n) {
  long double mean = 0, v = 0;
  (void)y;
  for (size_t i = 0; i < n; i++) mean += x[i];
  mean /= (long double)n;
  for (size_t i = 0; i < n; i++) v += (x[i] - mean) * (x[i] - mean);
  return (reference){(double)(v / (long double)n), (double)(v / (long double)n)};
}
static reference ref_std(const double *x, const double *y, size_t n) {
  const double v = sqrt(ref_var(x, y, n).value);
  return (reference){v, v};
}
static reference ref_logsumexp(const double *x, const double *y, size_t n) {
  if (n == 0) return exact(-INFINITY);
  const double m = ref_max(x, y, n).value, shift = isfinite(m) ? m : 0;
  double s = 0;
  for (size_t i = 0; i < n; i++) s += exp(x[i] - shift);
  const double v = shift + log(s);
  return (reference){v, fabs(v) + 1}; /* the log of a sum of relative error e has absolute error e */
}
static reference ref_count_nonzero(const double *x, const double *y, size_t n) {
  size_t c = 0;
  for (size_t i = 0; i < n; i++) c += x[i] != 0;
  (void)y;
  return exact((double)c);
}
static reference ref_count_nonfinite(const double *x, const double *y, size_t n) {
  size_t c = 0;
  for (size_t i = 0; i < n; i++) c += isfinite(x[i]) ? 0 : 1;
  (void)y;
  return exact((double)c);
}
static reference ref_all_finite(const double *x, const double *y, size_t n) {
  return exact(ref_count_nonfinite(x, y, n).value == 0);
}
static reference ref_any(const double *x, const double *y, size_t n) {
  return exact(ref_count_nonzero(x, y, n).value != 0);
}

/* Rounded once from a sum that is far better than a float: the bound is on terms by 2^-40 of 64 units, and half a
 * unit of the result. */
static reference closer(reference r) { return (reference){r.value, r.terms * 0x1p-20 + fabs(r.value) / 64}; }
static reference ref_sum_compensated(const double *x, const double *y, size_t n) { return closer(ref_sum(x, y, n)); }
static reference ref_sumsq_compensated(const double *x, const double *y, size_t n) {
  return closer(ref_sumsq(x, y, n));
}
static reference ref_dot_compensated(const double *x, const double *y, size_t n) { return closer(ref_dot(x, y, n)); }
static reference ref_mean_compensated(const double *x, const double *y, size_t n) {
  const reference r = ref_mean(x, y, n);
  return (reference){r.value, r.terms * 0x1p-20 + fabs(r.value) / 32};
}
static reference ref_nrm2_compensated(const double *x, const double *y, size_t n) {
  const reference r = ref_nrm2(x, y, n);
  return (reference){r.value, r.terms * 0x1p-20 + fabs(r.value) / 32};
}

static const struct {
  const char *op;
  reference (*of)(const double *x, const double *y, size_t n);
} references[] = {
#define ROW(op) \
  { #op, ref_##op }
    ROW(sum),
    ROW(prod),
    ROW(mean),
    ROW(sumsq),
    ROW(nrm2),
    ROW(asum),
    ROW(dot),
    ROW(min),
    ROW(max),
    ROW(amin),
    ROW(amax),
    ROW(argmin),
    ROW(argmax),
    ROW(var),
    ROW(std),
    ROW(logsumexp),
    ROW(count_nonzero),
    ROW(count_nonfinite),
    ROW(all_finite),
    ROW(any),
    ROW(sum_compensated),
    ROW(mean_compensated),
    ROW(sumsq_compensated),
    ROW(nrm2_compensated),
    ROW(dot_compensated),
#undef ROW
};

static reference refer(const char *op, const double *x, const double *y, size_t n) {
  for (size_t i = 0; i < sizeof references / sizeof *references; i++)
    if (!strcmp(references[i].op, op)) return references[i].of(x, y, n);
  fail_msg("reduction '%s' has no reference in this test", op);
  return exact(0);
}

/* ---- running ---- */

typedef struct host {
  cliv_dtype dtype;
  size_t rows, columns;
  void *x, *y;
} host;

/* Values whose products neither overflow nor vanish over a million factors. */
static host make(cliv_dtype dtype, const char *op, size_t rows, size_t columns, uint64_t seed) {
  const size_t n = rows * columns, bytes = cliv_dtype_size(dtype);
  host h = {dtype, rows, columns, test_alloc(n * bytes), test_alloc(n * bytes)};
  const bool product = !strcmp(op, "prod");
  for (size_t i = 0; i < n; i++) {
    double a = test_normal(seed, i), b = test_normal(seed + 1, i);
    if (product)
      a = dtype == CLIV_F16 ? 1 + round(a) * 0x1p-10 : dtype == CLIV_BF16 ? 1 + round(a / 2) * 0x1p-7 : 1 + a * 1e-4;
    const bool wide = dtype == CLIV_I32 || dtype == CLIV_I64;
    if (wide) a = floor(a * 1e6);
    if (dtype == CLIV_U8) a = floor(fmin(fabs(a) * 60, 255));
    if ((wide || dtype == CLIV_U8) && product) a = i % 97 == 0 ? 2 : 1;
    if (!product && test_bits(seed + 2, i) % 8 == 0) a = 0;
    test_put(dtype, h.x, i, a);
    test_put(dtype, h.y, i, b);
  }
  return h;
}

static void host_free(host *h) {
  free(h->x);
  free(h->y);
}

/* The result's bytes; rows of them, or one for all axes. */
static void *run(cliv_context *ctx, const char *op, const host *h, bool all, size_t shift, cliv_dtype out_type) {
  const size_t shape[] = {h->rows, h->columns};
  const bool two = cliv_reduce_find(op)->inputs == 2;
  test_guarded x = test_guard(ctx, h->dtype, 2, shape, shift, h->x),
               y = test_guard(ctx, h->dtype, 2, shape, 2 * shift, h->y);
  test_guarded out = test_guard(ctx, out_type, all ? 0 : 1, shape, shift, NULL);
  ASSERT_OK(ctx, cliv_reduce(ctx, op, all ? CLIV_ALL_AXES : -1, x.tensor, two ? y.tensor : NULL, out.tensor, NULL));
  void *result = test_read(out.tensor);
  test_guard_free(&out);
  test_guard_free(&y);
  test_guard_free(&x);
  return result;
}

static void compare(const char *op, const host *h, size_t row, size_t n, cliv_dtype type, const void *got) {
  double *x = test_alloc((n + 1) * sizeof *x), *y = test_alloc((n + 1) * sizeof *y);
  for (size_t i = 0; i < n; i++) {
    x[i] = test_get(h->dtype, h->x, row * n + i);
    y[i] = test_get(h->dtype, h->y, row * n + i);
  }
  const reference want = refer(op, x, y, n);
  const double value = test_get(type, got, row);
  const double unit = h->dtype == CLIV_F64 ? 0x1p-53 : 0x1p-24;
  const double store = type == CLIV_F16 ? 0x1p-11 : type == CLIV_BF16 ? 0x1p-8 : 0;
  if (isnan(want.value)) assert_true(isnan(value));
  else if (want.terms == 0 || isinf(want.value)) {
    if (value != want.value) fail_msg("%s of %zu: %.17g, not %.17g", op, n, value, want.value);
  } else {
    const double bound = 64 * unit * want.terms + store * fabs(want.value) + (type == CLIV_F16 ? 0x1p-25 : 0);
    if (!(fabs(value - want.value) <= bound))
      fail_msg("%s of %zu %s: %.17g, not %.17g within %g", op, n, cliv_dtype_name(h->dtype), value, want.value, bound);
  }
  free(x);
  free(y);
}

static bool defined(const cliv_reduce_info *info, cliv_context *ctx, cliv_dtype dtype, cliv_dtype *out) {
  return cliv_context_has(ctx, dtype) && cliv_reduce_dtype(info->name, dtype, out) == CLIV_OK;
}

static bool is_one_of(const char *op, const char *const *list) {
  while (*list && strcmp(op, *list) != 0) list++;
  return *list != NULL;
}

/* One of each kind: what the others differ in is a line of arithmetic. */
static bool stands_for_kind(const char *op) {
  return is_one_of(op, (const char *[]){"sum", "dot", "max", "argmax", "var", "logsumexp", "count_nonzero",
                                        "sum_compensated", NULL});
}

/* How an element is stored and what is done with it are apart: float32 is tried with every operation, the types that
 * are computed in others with a few, the rest with sums. Each combination is a program to compile, in each walk. */
static bool tried(const char *op, cliv_dtype dtype) {
  if (test_few() && !stands_for_kind(op)) return false;
  if (dtype == CLIV_F32 || !strcmp(op, "sum")) return true;
  return (dtype == CLIV_F64 && !strcmp(op, "var")) || (dtype == CLIV_I64 && !strcmp(op, "argmax"));
}

/* All operations, types and sizes: right, and the same bits in both walks and at every group size. */
static void reduces_everything(void **state) {
  (void)state;
  size_t count;
  const size_t *sizes = test_sizes(&count);
  const test_ways all = test_open_all();
  for (size_t o = 0; o < cliv_reduce_count(); o++) {
    const cliv_reduce_info *info = cliv_reduce_get(o);
    const bool joins = is_one_of(info->name, (const char *[]){"sum", "argmax", test_few() ? NULL : "var", NULL});
    for (int d = 0; d < CLIV_DTYPE_COUNT; d++) {
      cliv_dtype type;
      if (!defined(info, all.ctx[0], (cliv_dtype)d, &type) || !tried(info->name, (cliv_dtype)d)) continue;
      for (size_t s = 0; s < count; s++) {
        if (sizes[s] == 0 && info->needs_elements) continue;
        if (sizes[s] > 5000 && test_slow(all.ctx[0]) && strcmp(info->name, "sum") != 0) continue;
        /* the stages after the first are the same for every storage type: float32 goes through them */
        if (d != CLIV_F32 && (sizes[s] > 5000 || (sizes[s] > 4096 && strcmp(info->name, "sum") != 0))) continue;
        host h = make((cliv_dtype)d, info->name, 1, sizes[s], 100 * o + s);
        void *first = run(all.ctx[0], info->name, &h, true, s % 3, type);
        compare(info->name, &h, 0, sizes[s], type, first);
        for (size_t c = 1; c < all.count; c++) {
          if (c > 1 && (sizes[s] > 5000 || d != CLIV_F32 || !joins)) continue;
          if (sizes[s] > 4096 && !stands_for_kind(info->name)) continue;
          void *again = run(all.ctx[c], info->name, &h, true, s % 2, type);
          ASSERT_BITS(again, first, cliv_dtype_size(type));
          free(again);
        }
        free(first);
        host_free(&h);
      }
    }
  }
  test_close_all(&all);
}

static void reduces_rows(void **state) {
  (void)state;
  /* Few rows, and enough of them to be done sixteen at a time. */
  static const size_t shapes[][2] = {{7, 1},   {1, 7},    {5, 15},   {70, 1},   {50, 15},   {17, 16}, {36, 17},
                                     {33, 64}, {20, 255}, {3, 1000}, {2, 4097}, {2, 12289}, {0, 5},   {3, 0}};
  cliv_context *cpu = test_open(CLIV_WALK_CPU), *gpu = test_open(CLIV_WALK_GPU);
  for (size_t o = 0; o < cliv_reduce_count(); o++) {
    const cliv_reduce_info *info = cliv_reduce_get(o);
    if (!stands_for_kind(info->name)) continue;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
      const size_t rows = shapes[s][0], columns = shapes[s][1];
      if ((columns == 0 && info->needs_elements) || (test_small() && rows * columns > 5000)) continue;
      /* short rows of one and of several vectors are programs of their own */
      if (rows >= 16 && columns < 257 && !is_one_of(info->name, (const char *[]){"sum", "argmax", "logsumexp", NULL}))
        continue;
      cliv_dtype type;
      ASSERT_OK(NULL, cliv_reduce_dtype(info->name, CLIV_F32, &type));
      host h = make(CLIV_F32, info->name, rows, columns, 7 * o + s);
      void *a = run(cpu, info->name, &h, false, 1, type), *b = run(gpu, info->name, &h, false, 2, type);
      ASSERT_BITS(b, a, rows * cliv_dtype_size(type));
      for (size_t r = 0; r < rows; r++) compare(info->name, &h, r, columns, type, a);
      free(a);
      free(b);
      host_free(&h);
    }
  }
  test_close(gpu);
  test_close(cpu);
}

/* A row of a matrix gives the bits that the row alone gives: the definition knows no surroundings. Pitches too. */
static void rows_are_independent(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    host h = make(CLIV_F32, "sum", 6, 300, 5);
    cliv_tensor *x, *part, *one, *many, *row;
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){6, 300}, &x));
    ASSERT_OK(ctx, cliv_tensor_write(x, h.x, 6 * 300 * sizeof(float)));
    ASSERT_OK(ctx, cliv_tensor_view(x, 20, 2, (size_t[]){6, 270}, 300, &part));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 0, NULL, &one));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){6}, &many));
    ASSERT_OK(ctx, cliv_reduce(ctx, "sum", 1, part, NULL, many, NULL));
    float *rows = test_read(many);
    for (size_t r = 0; r < 6; r++) {
      ASSERT_OK(ctx, cliv_tensor_view(x, r * 300 + 20, 1, (size_t[]){270}, 0, &row));
      ASSERT_OK(ctx, cliv_reduce(ctx, "sum", CLIV_ALL_AXES, row, NULL, one, NULL));
      float *alone = test_read(one);
      ASSERT_BITS(alone, rows + r, sizeof *alone);
      free(alone);
      cliv_tensor_free(row);
    }
    free(rows);
    cliv_tensor_free(many);
    cliv_tensor_free(one);
    cliv_tensor_free(part);
    cliv_tensor_free(x);
    host_free(&h);
    test_close(ctx);
  }
}

static void knows_special_values(void **state) {
  (void)state;
  static const struct {
    const char *op;
    size_t n;
    float x[6];
    double want;
  } cases[] = {
      {"sum", 2, {-0.0f, -0.0f}, -0.0},
      {"sum", 3, {1, INFINITY, NAN}, NAN},
      {"sum", 2, {INFINITY, -INFINITY}, NAN},
      {"prod", 2, {-0.0f, 5}, -0.0},
      {"max", 3, {-0.0f, 0.0f, -1}, 0.0},
      {"min", 3, {0.0f, -0.0f, 1}, -0.0},
      {"max", 2, {-0.0f, -1}, -0.0},
      {"max", 3, {1, NAN, INFINITY}, NAN},
      {"min", 3, {-INFINITY, NAN, 1}, NAN},
      {"max", 2, {-INFINITY, -INFINITY}, -INFINITY},
      {"min", 1, {INFINITY}, INFINITY},
      {"min", 2, {0x1p-149f, 1}, 0x1p-149},
      {"amin", 3, {-2, NAN, 1}, NAN},
      {"amax", 3, {-2, 1, -0.0f}, 2},
      {"argmax", 5, {1, 3, 3, 2, 3}, 1},
      {"argmin", 5, {4, 1, 3, 1, 1}, 1},
      {"argmax", 5, {1, NAN, INFINITY, NAN, 0}, 1},
      {"argmin", 4, {1, -INFINITY, NAN, NAN}, 2},
      {"argmax", 2, {-0.0f, 0.0f}, 1},
      {"logsumexp", 2, {1000, 1000}, 1000.693147180559945},
      {"logsumexp", 2, {-1000, -1000}, -999.306852819440055},
      {"logsumexp", 2, {-INFINITY, -INFINITY}, -INFINITY},
      {"logsumexp", 3, {-INFINITY, 2, -INFINITY}, 2},
      {"logsumexp", 3, {INFINITY, 2, -INFINITY}, INFINITY},
      {"logsumexp", 3, {INFINITY, NAN, 1}, NAN},
      {"var", 4, {1e8f, 1e8f, 1e8f, 1e8f}, 0},
      {"var", 2, {INFINITY, 1}, NAN},
      {"count_nonzero", 5, {0, -0.0f, NAN, 0x1p-149f, 1}, 3},
      {"count_nonfinite", 5, {NAN, INFINITY, -INFINITY, FLT_MAX, 0}, 3},
      {"all_finite", 2, {FLT_MAX, -FLT_MAX}, 1},
      {"all_finite", 2, {FLT_MAX, NAN}, 0},
      {"any", 2, {0, -0.0f}, 0},
      {"any", 2, {0, NAN}, 1},
  };
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
      if (test_few() && !stands_for_kind(cases[c].op)) continue;
      cliv_dtype type;
      ASSERT_OK(NULL, cliv_reduce_dtype(cases[c].op, CLIV_F32, &type));
      host h = {CLIV_F32, 1, cases[c].n, (void *)(uintptr_t)cases[c].x, (void *)(uintptr_t)cases[c].x};
      void *got = run(ctx, cases[c].op, &h, true, 1, type);
      const double value = test_get(type, got, 0), want = cases[c].want;
      const bool right = isnan(want) ? isnan(value) : fabs(value - want) <= fabs(want) * 0x1p-23 + 0 || value == want;
      if (!right || (!isnan(want) && signbit(value) != signbit(want)))
        fail_msg("case %zu, %s: %g, not %g", c, cases[c].op, value, want);
      if (isnan(want)) assert_int_equal(*(uint32_t *)got, 0x7fc00000);
      free(got);
    }
    test_close(ctx);
  }
}

/* Values far from zero and close together; one that outweighs all; both lose everything in the naive formulas. */
static void variance_is_accurate(void **state) {
  (void)state;
  const size_t n = test_small() ? 4500 : 200000;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (int kind = 0; kind < 3; kind++) {
      host h = {CLIV_F32, 1, n, test_alloc(n * sizeof(float)), test_alloc(n * sizeof(float))};
      float *x = h.x;
      for (size_t i = 0; i < n; i++) {
        const double z = test_normal(3, i);
        x[i] = kind == 0   ? (float)(1e4 + 0.01 * z)
               : kind == 1 ? (i == 0 ? 1e6f : (float)z)
                           : (float)(1e4 * (double)(i / 5000) + z);
      }
      memcpy(h.y, h.x, n * sizeof(float));
      void *got = run(ctx, "var", &h, true, 0, CLIV_F32);
      compare("var", &h, 0, n, CLIV_F32, got);
      free(got);
      host_free(&h);
    }
    test_close(ctx);
  }
}

static void widens_narrow_floats(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (int d = CLIV_F16; d <= CLIV_BF16; d++) {
    host h = make((cliv_dtype)d, "sum", 1, 3000, 9);
    float *got = run(ctx, "sum", &h, true, 1, CLIV_F32);
    compare("sum", &h, 0, 3000, CLIV_F32, got);
    free(got);
    host_free(&h);
  }
  test_close(ctx);
}

/* ---- any axes ---- */

/* out[the other axes] = op over the marked ones, from elements gathered on the host. */
static void *reduce_on_host_order(cliv_context *ctx, const char *op, const float *x, const float *y,
                                  const size_t *shape, unsigned marks, cliv_dtype type, size_t *count) {
  size_t kept[4], inner[4], rows = 1, columns = 1;
  int nk = 0, ni = 0;
  for (int d = 0; d < 4; d++)
    if (marks >> d & 1) inner[ni++] = shape[d], columns *= shape[d];
    else kept[nk++] = shape[d], rows *= shape[d];
  float *a = test_alloc(rows * columns * sizeof *a), *b = test_alloc(rows * columns * sizeof *b);
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < columns; c++) {
      size_t rest_r = r, rest_c = c, index[4], at = 0;
      for (int d = 3, k = nk, i = ni; d >= 0; d--)
        if (marks >> d & 1) i--, index[d] = rest_c % inner[i], rest_c /= inner[i];
        else k--, index[d] = rest_r % kept[k], rest_r /= kept[k];
      for (int d = 0; d < 4; d++) at = at * shape[d] + index[d];
      a[r * columns + c] = x[at];
      b[r * columns + c] = y[at];
    }
  const host h = {CLIV_F32, rows, columns, a, b};
  void *got = run(ctx, op, &h, false, 0, type);
  free(a);
  free(b);
  *count = rows;
  return got;
}

/* Axes in any combination give the bits that their elements give as rows; with a pitch, too. */
static void reduces_any_axes(void **state) {
  (void)state;
  static const char *const ops[] = {"sum", "dot", "var", "argmax", "logsumexp"};
  enum { SHAPES = 4 };
  static const size_t shapes[SHAPES][4] = {{3, 5, 21, 34}, {1, 1, 4500, 19}, {2, 300, 1, 16}, {1, 1, 300, 1}};
  static const size_t small[SHAPES][4] = {{2, 3, 17, 18}, {1, 1, 0, 0}, {1, 260, 1, 16}, {1, 1, 300, 1}};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++)
    for (size_t s = 0; s < SHAPES; s++) {
      const size_t *shape = test_small() ? small[s] : shapes[s];
      const size_t n = shape[0] * shape[1] * shape[2] * shape[3], last = shape[3];
      if (n == 0) continue;
      cliv_context *ctx = w ? test_open_group(test_walks[w], s == 1 ? 1024 : 64) : test_open(test_walks[w]);
      float *x = test_alloc(n * sizeof *x), *y = test_alloc(n * sizeof *y), *pitched = test_alloc(2 * n * sizeof *x);
      for (size_t i = 0; i < n; i++) {
        x[i] = (float)test_normal(40, i), y[i] = (float)test_normal(41, i);
        pitched[i / last * 2 * last + i % last] = x[i];
        pitched[i / last * 2 * last + last + i % last] = 77;
      }
      test_guarded gx = test_guard(ctx, CLIV_F32, 4, shape, 1, x), gy = test_guard(ctx, CLIV_F32, 4, shape, 2, y);
      test_guarded gp = test_guard1(ctx, CLIV_F32, 2 * n, 3, pitched);
      cliv_tensor *px;
      ASSERT_OK(ctx, cliv_tensor_view(gp.tensor, 0, 4, shape, 2 * last, &px));
      for (unsigned marks = 1; marks < 16; marks++)
        for (size_t o = 0; o < sizeof ops / sizeof *ops; o++) {
          /* how it lies does not depend on the operation; the last two where there are several blocks */
          if ((o > 0 && marks != 1 && marks != 4 && marks != 10) || (o > 2 && s != 1)) continue;
          cliv_dtype type;
          size_t count;
          int axes[4], axis_count = 0, ndim = 0;
          size_t out_shape[4];
          for (int d = 3; d >= 0; d--)
            if (marks >> d & 1) axes[axis_count++] = d % 2 ? d : d - 4;
          for (int d = 0; d < 4; d++)
            if (!(marks >> d & 1)) out_shape[ndim++] = shape[d];
          ASSERT_OK(NULL, cliv_reduce_dtype(ops[o], CLIV_F32, &type));
          void *want = reduce_on_host_order(ctx, ops[o], x, y, shape, marks, type, &count);
          const cliv_over over = {axis_count, axes, NULL};
          for (int with_pitch = 0; with_pitch < 2; with_pitch++) {
            test_guarded out = test_guard(ctx, type, ndim, out_shape, 1, NULL);
            ASSERT_OK(ctx, cliv_reduce_over(ctx, ops[o], &over, with_pitch ? px : gx.tensor,
                                            cliv_reduce_find(ops[o])->inputs > 1 ? gy.tensor : NULL, out.tensor, NULL));
            void *got = test_read(out.tensor);
            ASSERT_BITS(got, want, count * cliv_dtype_size(type));
            free(got);
            test_guard_free(&out);
          }
          free(want);
        }
      cliv_tensor_free(px);
      test_guard_free(&gp);
      test_guard_free(&gy);
      test_guard_free(&gx);
      free(x);
      free(y);
      free(pitched);
      test_close(ctx);
    }
}

/* ---- segments ---- */

static void reduces_segments(void **state) {
  (void)state;
  static const char *const ops[] = {"sum", "dot", "logsumexp", "var"};
  const uint64_t lengths[] = {1, 0, 4096, 4097, 3, 17, 300, 256, 0, 9000, 255, 1, test_small() ? 5 : 70001};
  enum { COUNT = sizeof lengths / sizeof *lengths };
  uint64_t offsets[COUNT + 1] = {5};
  for (int i = 0; i < COUNT; i++) offsets[i + 1] = offsets[i] + lengths[i];
  const size_t n = (size_t)offsets[COUNT] + 3, counts[] = {COUNT, COUNT};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    host h = make(CLIV_F32, "sum", 1, n, 50);
    test_guarded x = test_guard1(ctx, CLIV_F32, n, 1, h.x), y = test_guard1(ctx, CLIV_F32, n, 2, h.y);
    cliv_segments *segments;
    ASSERT_OK(ctx, cliv_segments_create(ctx, COUNT, offsets, &segments));
    assert_int_equal(cliv_segments_count(segments), COUNT);
    assert_int_equal(cliv_segments_end(segments), offsets[COUNT]);
    for (size_t o = 0; o < sizeof ops / sizeof *ops; o++) {
      cliv_dtype type;
      ASSERT_OK(NULL, cliv_reduce_dtype(ops[o], CLIV_F32, &type));
      const bool two = cliv_reduce_find(ops[o])->inputs > 1;
      const cliv_over over = {.segments = segments};
      test_guarded out = test_guard(ctx, type, 1, counts, 1, NULL);
      const cliv_status status =
          cliv_reduce_over(ctx, ops[o], &over, x.tensor, two ? y.tensor : NULL, out.tensor, NULL);
      if (cliv_reduce_find(ops[o])->needs_elements) { /* there are empty ones */
        assert_int_equal(status, CLIV_DATA);
        test_guard_free(&out);
        continue;
      }
      ASSERT_OK(ctx, status);
      char *got = test_read(out.tensor);
      for (int i = 0; i < COUNT; i++) {
        const host alone = {CLIV_F32, 1, (size_t)lengths[i], (float *)h.x + offsets[i], (float *)h.y + offsets[i]};
        void *want = run(ctx, ops[o], &alone, true, 0, type);
        ASSERT_BITS(got + (size_t)i * cliv_dtype_size(type), want, cliv_dtype_size(type));
        free(want);
      }
      free(got);
      test_guard_free(&out);
    }
    cliv_segments_free(segments);
    /* None empty: operations that need elements, and short ones only. */
    const uint64_t some[] = {0, 1, 18, 20, 300};
    ASSERT_OK(ctx, cliv_segments_create(ctx, 4, some, &segments));
    test_guarded out = test_guard1(ctx, CLIV_I64, 4, 0, NULL);
    ASSERT_OK(ctx,
              cliv_reduce_over(ctx, "argmin", &(cliv_over){.segments = segments}, x.tensor, NULL, out.tensor, NULL));
    int64_t *at = test_read(out.tensor);
    for (int i = 0; i < 4; i++) {
      const float *v = (float *)h.x + some[i];
      int64_t best = 0;
      for (int64_t k = 1; k < (int64_t)(some[i + 1] - some[i]); k++) best = v[k] < v[best] ? k : best;
      assert_int_equal(at[i], best);
    }
    free(at);
    test_guard_free(&out);
    cliv_segments_free(segments);
    test_guard_free(&y);
    test_guard_free(&x);
    host_free(&h);
    test_close(ctx);
  }
}

static void refuses_bad_segments(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_segments *s = (cliv_segments *)&ctx;
  const uint64_t down[] = {0, 5, 4, 9}, fine[] = {0, 5, 9};
  ASSERT_FAILS(ctx, cliv_segments_create(ctx, 3, down, &s), CLIV_VALUE, "segment 1");
  assert_null(s);
  ASSERT_FAILS(ctx, cliv_segments_create(ctx, 3, NULL, &s), CLIV_NULL, "offsets");
  ASSERT_OK(ctx, cliv_segments_create(ctx, 2, fine, &s));
  test_guarded x = test_guard1(ctx, CLIV_F32, 8, 0, NULL), out = test_guard1(ctx, CLIV_F32, 2, 0, NULL);
  ASSERT_FAILS(ctx, cliv_reduce_over(ctx, "sum", &(cliv_over){.segments = s}, x.tensor, NULL, out.tensor, NULL),
               CLIV_SHAPE, "element 9");
  ASSERT_FAILS(ctx, cliv_reduce_over(ctx, "sum", &(cliv_over){1, (int[]){0}, s}, x.tensor, NULL, out.tensor, NULL),
               CLIV_VALUE, "not both");
  ASSERT_FAILS(ctx,
               cliv_reduce_over(ctx, "sum", &(cliv_over){2, (int[]){0, -1}, NULL}, x.tensor, NULL, out.tensor, NULL),
               CLIV_VALUE, "twice");
  test_guard_free(&out);
  test_guard_free(&x);
  cliv_segments_free(s);
  cliv_segments_free(NULL);
  test_close(ctx);
}

/* ---- stats ---- */

static void stats(cliv_context *ctx, const host *h, int axis, float **values, int64_t **counts) {
  const size_t shape[] = {h->rows, h->columns}, kept = shape[1 - axis], six[] = {kept, 6}, two[] = {kept, 2};
  test_guarded x = test_guard(ctx, CLIV_F32, 2, shape, 1, h->x), v = test_guard(ctx, CLIV_F32, 2, six, 1, NULL);
  test_guarded c = test_guard(ctx, CLIV_I64, 2, two, 1, NULL);
  ASSERT_OK(ctx, cliv_stats(ctx, &(cliv_over){1, &axis, NULL}, x.tensor, v.tensor, c.tensor, NULL));
  *values = test_read(v.tensor);
  *counts = test_read(c.tensor);
  test_guard_free(&c);
  test_guard_free(&v);
  test_guard_free(&x);
}

/* Signs and what is not finite, a case a row. */
static host special_rows(void) {
  static const float cases[][4] = {{-0.0f, 0.0f, 0.0f, -0.0f},
                                   {-0.0f, -0.0f, -0.0f, -0.0f},
                                   {-3, -0x1p-149f, -7, -1},
                                   {3, 0x1p-149f, 7, 1},
                                   {-0.0f, 5, 6, 7},
                                   {0.0f, -5, -6, -7},
                                   {INFINITY, 1, -INFINITY, -1},
                                   {-INFINITY, -INFINITY, -1, -2},
                                   {1, NAN, 2, INFINITY},
                                   {-1, -NAN, -2, -3},
                                   {-INFINITY, -NAN, INFINITY, NAN},
                                   {FLT_MAX, -FLT_MAX, 0x1p-126f, 0}};
  host h = {CLIV_F32, sizeof cases / sizeof *cases, 4, test_alloc(sizeof cases), NULL};
  memcpy(h.x, cases, sizeof cases);
  return h;
}

static host turned(const host *h) {
  host t = {h->dtype, h->columns, h->rows, test_alloc(h->rows * h->columns * sizeof(float)), NULL};
  for (size_t i = 0; i < h->rows * h->columns; i++)
    ((float *)t.x)[i % h->columns * h->rows + i / h->columns] = ((float *)h->x)[i];
  return t;
}

/* Each has the bits of the operation of that name; and columns those of rows. */
static void stats_are_the_operations(void **state) {
  (void)state;
  static const char *const names[] = {"min", "max", "mean", "var", "asum", "nrm2"};
  static const size_t shapes[][2] = {{0, 0}, {1, 1}, {3, 257}, {2, 4097}, {13, 20}};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
      host h = s == 0 ? special_rows() : make(CLIV_F32, "sum", shapes[s][0], shapes[s][1], 60 + s);
      if (s == 2) ((float *)h.x)[5] = NAN, ((float *)h.x)[300] = INFINITY;
      host t = turned(&h);
      float *v, *of_columns;
      int64_t *c, *of_columns_c;
      stats(ctx, &h, 1, &v, &c);
      stats(ctx, &t, 0, &of_columns, &of_columns_c);
      ASSERT_BITS(of_columns, v, h.rows * 6 * sizeof *v);
      ASSERT_BITS(of_columns_c, c, h.rows * 2 * sizeof *c);
      for (int k = 0; k < 7; k++) {
        if (test_few() && k < 6 && !stands_for_kind(names[k])) continue;
        char *want = run(ctx, k < 6 ? names[k] : "count_nonfinite", &h, false, 0, k < 6 ? CLIV_F32 : CLIV_I64);
        for (size_t r = 0; r < h.rows; r++)
          if (k < 6) ASSERT_BITS(v + 6 * r + k, want + r * sizeof(float), sizeof(float));
          else ASSERT_BITS(c + 2 * r + 1, want + r * sizeof(int64_t), sizeof(int64_t));
        free(want);
      }
      for (size_t r = 0; r < h.rows; r++) assert_int_equal(c[2 * r], h.columns);
      free(v), free(c), free(of_columns), free(of_columns_c);
      host_free(&t);
      host_free(&h);
    }
    test_close(ctx);
  }
}

/* ---- a text's own functions ---- */

static void runs_the_users_functions(void **state) {
  (void)state;
  static const char text[] =
      "real geo_init(void) { return (real)-0.0f; }\n"
      "real geo_map(real x) { return real_log(fabs(x) + (real)1.0f); }\n"
      "real geo_join(real a, real b) { return a + b; }\n"
      "real geo_done(real v, ulong n) { return real_exp(divide(v, (real)(SCALAR)n)); }\n";
  static const char far[] =
      "real far_init(void) { return (real)-INFINITY; }\n"
      "real far_map(real x, real y) { return fabs(x - y); }\n"
      "real far_join(real a, real b) { return choose(a > b, a, b); }\n"
      "real far_done(real v, ulong n) { return v; }\n";
  static const char wrong[] =
      "real geo_init(void) { return 0; }\nreal geo_map(real x) { return undefined_thing(x); }\n"
      "real geo_join(real a, real b) { return a; }\nreal geo_done(real v, ulong n) { return v; }\n";
  const size_t n = 4500;
  float first[2] = {0, 0};
  for (size_t w = 0; w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    host h = make(CLIV_F32, "sum", 1, n, 70);
    test_guarded x = test_guard1(ctx, CLIV_F32, n, 1, h.x), y = test_guard1(ctx, CLIV_F32, n, 2, h.y);
    test_guarded out = test_guard(ctx, CLIV_F32, 0, NULL, 1, NULL);
    double logs = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
      logs += log(fabs((double)((float *)h.x)[i]) + 1);
      most = fmax(most, fabs((double)(((float *)h.x)[i] - ((float *)h.y)[i])));
    }
    ASSERT_OK(ctx, cliv_reduce_user(ctx, text, "geo", NULL, x.tensor, NULL, out.tensor, NULL));
    float *got = test_read(out.tensor);
    assert_true(fabs((double)*got - exp(logs / (double)n)) < 1e-6);
    if (w == 0) first[0] = *got;
    ASSERT_BITS(got, first, sizeof *got);
    free(got);
    ASSERT_OK(ctx, cliv_reduce_user(ctx, far, "far", NULL, x.tensor, y.tensor, out.tensor, NULL));
    got = test_read(out.tensor);
    assert_true((double)*got == most);
    free(got);
    ASSERT_FAILS(ctx, cliv_reduce_user(ctx, wrong, "geo", NULL, x.tensor, NULL, out.tensor, NULL), CLIV_BUILD,
                 "undefined_thing");
    assert_non_null(strstr(cliv_last_error(ctx), "user"));
    ASSERT_FAILS(ctx, cliv_reduce_user(ctx, far, "geo", NULL, x.tensor, NULL, out.tensor, NULL), CLIV_VALUE,
                 "geo_init");
    ASSERT_FAILS(ctx, cliv_reduce_user(ctx, text, "g o", NULL, x.tensor, NULL, out.tensor, NULL), CLIV_NAME, "g o");
    ASSERT_FAILS(ctx, cliv_reduce_user(ctx, NULL, "geo", NULL, x.tensor, NULL, out.tensor, NULL), CLIV_NULL, "text");
    test_guard_free(&out);
    test_guard_free(&y);
    test_guard_free(&x);
    host_free(&h);
    test_close(ctx);
  }
}

static void refuses_bad_calls(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO), *other = test_open(CLIV_WALK_AUTO);
  cliv_tensor *x, *out, *wrong, *empty, *index;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){3, 4}, &x));
  ASSERT_OK(ctx, cliv_tensor_fill(x, 1, NULL));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){3}, &out));
  ASSERT_OK(ctx, cliv_tensor_fill(out, 42, NULL));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){4}, &wrong));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){3, 0}, &empty));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 2, (size_t[]){3, 4}, &index));
  ASSERT_FAILS(ctx, cliv_reduce(ctx, "total", -1, x, NULL, out, NULL), CLIV_NAME, "total");
  ASSERT_FAILS(ctx, cliv_reduce(ctx, NULL, -1, x, NULL, out, NULL), CLIV_NAME, "NULL");
  ASSERT_FAILS(ctx, cliv_reduce(ctx, "sum", 2, x, NULL, out, NULL), CLIV_VALUE, "axis 2");
  ASSERT_FAILS(ctx, cliv_reduce(ctx, "sum", 0, x, NULL, out, NULL), CLIV_SHAPE, "[3]");
  ASSERT_FAILS(ctx, cliv_reduce(ctx, "sum", -1, x, NULL, wrong, NULL), CLIV_SHAPE, "other axes");
  ASSERT_FAILS(ctx, cliv_reduce(ctx, "sum", CLIV_ALL_AXES, x, NULL, out, NULL), CLIV_SHAPE, "one element");
  ASSERT_FAILS(ctx, cliv_reduce(ctx, "sum", -1, x, x, out, NULL), CLIV_NULL, "one input");
  ASSERT_FAILS(ctx, cliv_reduce(ctx, "dot", -1, x, NULL, out, NULL), CLIV_NULL, "second input");
  ASSERT_FAILS(ctx, cliv_reduce(ctx, "dot", -1, x, empty, out, NULL), CLIV_SHAPE, "one type and shape");
  ASSERT_FAILS(ctx, cliv_reduce(ctx, "argmax", -1, x, NULL, out, NULL), CLIV_DTYPE, "int64");
  ASSERT_FAILS(ctx, cliv_reduce(ctx, "mean", -1, index, NULL, out, NULL), CLIV_DTYPE, "int32");
  ASSERT_FAILS(ctx, cliv_reduce(ctx, "max", -1, empty, NULL, out, NULL), CLIV_DATA, "no elements");
  ASSERT_FAILS(other, cliv_reduce(other, "sum", -1, x, NULL, out, NULL), CLIV_VALUE, "another context");
  cliv_tensor *inside;
  ASSERT_OK(ctx, cliv_tensor_view(x, 2, 1, (size_t[]){3}, 0, &inside));
  ASSERT_FAILS(ctx, cliv_reduce(ctx, "sum", -1, x, NULL, inside, NULL), CLIV_OVERLAP, NULL);
  float *kept = test_read(out);
  assert_true(kept[0] == 42 && kept[2] == 42);
  free(kept);
  cliv_tensor_free(inside);
  cliv_tensor_free(index);
  cliv_tensor_free(empty);
  cliv_tensor_free(wrong);
  cliv_tensor_free(out);
  cliv_tensor_free(x);
  test_close(other);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reduces_everything),       cmocka_unit_test(reduces_rows),
      cmocka_unit_test(rows_are_independent),     cmocka_unit_test(knows_special_values),
      cmocka_unit_test(variance_is_accurate),     cmocka_unit_test(widens_narrow_floats),
      cmocka_unit_test(reduces_any_axes),         cmocka_unit_test(reduces_segments),
      cmocka_unit_test(refuses_bad_segments),     cmocka_unit_test(stats_are_the_operations),
      cmocka_unit_test(runs_the_users_functions), cmocka_unit_test(refuses_bad_calls),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
