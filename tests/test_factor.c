/* cliv/factor.h: errors against double precision, what must hold of every factor, the packages' results, and the same
 * bits in both walks. */
#include <cliv/factor.h>
#include <cliv/safetensors.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#define U 0x1p-24 /* half a unit of 1 in float32 */

/* ---- stacks of matrices in guarded memory ---- */

/* `count` matrices (0: a tensor of two axes) at a pitch, three elements into a guarded buffer. */
typedef struct stack {
  size_t count, rows, columns;
  test_guarded base;
  cliv_tensor *view;
} stack;

static size_t matrices(const stack *s) { return s->count ? s->count : 1; }
static size_t elements(const stack *s) { return matrices(s) * s->rows * s->columns; }

/* data: dense, or NULL: undefined. */
static stack make(cliv_context *ctx, size_t count, size_t rows, size_t columns, size_t gap, const float *data) {
  stack s = {.count = count, .rows = rows, .columns = columns};
  const size_t shape[] = {matrices(&s), rows, columns}, *const own = count ? shape : shape + 1;
  s.base = test_guard1(ctx, CLIV_F32, matrices(&s) * rows * (columns + gap) + 3, 1, NULL);
  ASSERT_OK(ctx, cliv_tensor_view(s.base.tensor, 3, count ? 3 : 2, own, columns + gap, &s.view));
  if (data) ASSERT_OK(ctx, cliv_tensor_write(s.view, data, elements(&s) * sizeof *data));
  return s;
}

static void drop(stack *s) {
  cliv_tensor_free(s->view);
  test_guard_free(&s->base);
}

static float *normal(size_t n, uint64_t seed) {
  float *x = test_alloc(n * sizeof *x);
  test_fill_normal(x, n, seed);
  return x;
}

/* The contexts of both walks, or the one there is; what is computed must have the same bits in both. */
typedef struct walks {
  cliv_context *ctx[TEST_WALKS];
  size_t count;
} walks;

static walks open_walks(void) {
  walks w = {.count = 0};
  for (size_t i = test_first_walk(); i < TEST_WALKS; i++) w.ctx[w.count++] = test_open(test_walks[i]);
  return w;
}

static void close_walks(const walks *w) {
  for (size_t i = 0; i < w->count; i++) test_close(w->ctx[i]);
}

/* Where products take long: sizes of one panel and a little more. */
static bool brief(const walks *w) { return test_small() || test_slow(w->ctx[0]); }

/* C = op(A) B in double; a: m × k or, with ta, k × m. */
static double *multiply(const double *a, bool ta, const double *b, bool tb, size_t m, size_t k, size_t n) {
  double *c = test_alloc(m * n * sizeof *c);
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < n; j++) {
      double s = 0;
      for (size_t l = 0; l < k; l++) s += (ta ? a[l * m + i] : a[i * k + l]) * (tb ? b[j * k + l] : b[l * n + j]);
      c[i * n + j] = s;
    }
  return c;
}

static double *widened(const float *x, size_t n) {
  double *y = test_alloc(n * sizeof *y);
  for (size_t i = 0; i < n; i++) y[i] = (double)x[i];
  return y;
}

static double norm_of(const double *x, size_t n) {
  double s = 0;
  for (size_t i = 0; i < n; i++) s += x[i] * x[i];
  return sqrt(s);
}

static bool all_nan(const float *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!isnan(x[i])) return false;
  return true;
}

/* ---- orthogonalisation ---- */

static const double usual[] = {3.4445, -4.7750, 2.0315};

/* X = A / ‖A‖, then steps of a X + (b S + c S S) X, S = X Xᵀ, of one m × n matrix, m <= n. */
static double *orthogonal(const double *a, size_t m, size_t n, const double *abc, size_t triples, size_t steps) {
  double *x = test_alloc(m * n * sizeof *x);
  const double norm = norm_of(a, m * n) + 1e-7;
  for (size_t i = 0; i < m * n; i++) x[i] = a[i] / norm;
  for (size_t t = 0; t < steps; t++) {
    const double *const k = abc + 3 * (t < triples ? t : triples - 1);
    double *s = multiply(x, false, x, true, m, n, m), *p = multiply(s, false, s, false, m, m, m);
    for (size_t i = 0; i < m * m; i++) p[i] = k[2] * p[i] + k[1] * s[i];
    double *moved = multiply(p, false, x, false, m, m, n);
    for (size_t i = 0; i < m * n; i++) x[i] = k[0] * x[i] + moved[i];
    free(s), free(p), free(moved);
  }
  return x;
}

/* Of every shape: against double, where a matrix of more rows than columns gives the transposed result. A step
 * multiplies the errors of the steps before it by 3.4445 at most, the polynomial's slope at 0, and adds those of sums
 * of about n terms, which are of magnitude 1. */
static void check_orthogonal(const walks *w, size_t count, size_t rows, size_t columns, size_t gap) {
  const size_t m = rows < columns ? rows : columns, n = rows < columns ? columns : rows, each = rows * columns;
  const size_t all = (count ? count : 1) * each;
  float *a = normal(all, rows + 7 * columns), *first = NULL;
  for (size_t i = 0; i < w->count; i++) {
    stack from = make(w->ctx[i], count, rows, columns, gap, a),
          to = make(w->ctx[i], count, rows, columns, 2 * gap, NULL);
    ASSERT_OK(w->ctx[i], cliv_orthogonalize(w->ctx[i], from.view, to.view, NULL, NULL));
    float *got = test_read(to.view);
    if (first) ASSERT_SAME(CLIV_F32, got, first, all);
    /* In place. */
    ASSERT_OK(w->ctx[i], cliv_orthogonalize(w->ctx[i], from.view, from.view, NULL, NULL));
    float *again = test_read(from.view);
    ASSERT_SAME(CLIV_F32, again, got, all);
    free(again);
    if (first) free(got);
    else first = got;
    drop(&from), drop(&to);
  }
  for (size_t b = 0; b < all / (each ? each : 1); b++) {
    double *x = test_alloc(each * sizeof *x);
    for (size_t i = 0; i < m; i++)
      for (size_t j = 0; j < n; j++) x[i * n + j] = (double)a[b * each + (rows > columns ? j * m + i : i * n + j)];
    double *want = orthogonal(x, m, n, usual, 1, 5);
    for (size_t i = 0; i < m; i++)
      for (size_t j = 0; j < n; j++)
        ASSERT_NEAR((double)first[b * each + (rows > columns ? j * m + i : i * n + j)], want[i * n + j],
                    700 * (sqrt((double)n) + 8) * U);
    free(x), free(want);
  }
  free(a), free(first);
}

static void orthogonal_shapes(void **state) {
  (void)state;
  static const size_t shapes[][2] = {{1, 1},   {1, 5},   {5, 1},    {2, 3},    {16, 16},
                                     {17, 64}, {64, 17}, {100, 64}, {64, 257}, {100, 100}};
  const walks w = open_walks();
  const size_t count = brief(&w) ? 6 : test_few() ? 8 : sizeof shapes / sizeof *shapes;
  for (size_t i = 0; i < count; i++) check_orthogonal(&w, 0, shapes[i][0], shapes[i][1], i % 3);
  check_orthogonal(&w, 3, 5, 7, 2);
  check_orthogonal(&w, 3, 7, 5, 0);
  close_walks(&w);
}

/* Ten steps of 2, -1.5, 0.5 converge: the result is orthogonal, Xᵀ A is symmetric. One triple a step: the last one
 * goes on. */
static void orthogonal_converges(void **state) {
  (void)state;
  enum { N = 20 };
  static const double abc[] = {3.4445, -4.7750, 2.0315, 3.4445, -4.7750, 2.0315, 2, -1.5, 0.5};
  float *a = normal(N * N, 3);
  for (size_t i = 0; i < N; i++) a[i * N + i] += 8;
  const walks w = open_walks();
  for (size_t i = 0; i < w.count; i++) {
    stack from = make(w.ctx[i], 0, N, N, 0, a), to = make(w.ctx[i], 0, N, N, 0, NULL);
    const cliv_orthogonalize_options options = {.steps = 14, .coefficients = abc, .triples = 3};
    ASSERT_OK(w.ctx[i], cliv_orthogonalize(w.ctx[i], from.view, to.view, &options, NULL));
    float *got = test_read(to.view);
    double *x = widened(got, N * N), *wide = widened(a, N * N), *unit = multiply(x, true, x, false, N, N, N),
           *h = multiply(x, true, wide, false, N, N, N);
    for (size_t r = 0; r < N; r++)
      for (size_t c = 0; c < N; c++) {
        ASSERT_NEAR(unit[r * N + c], r == c ? 1 : 0, 40 * U);
        ASSERT_NEAR(h[r * N + c], h[c * N + r], 400 * U * norm_of(wide, N * N));
      }
    free(got), free(x), free(wide), free(unit), free(h);
    drop(&from), drop(&to);
  }
  free(a);
  close_walks(&w);
}

/* What PyTorch has in bfloat16, to the bit: its sums are of another order, but are rounded to 8 bits. What Keras has in
 * float32, but for the rounding of sums of up to 64 terms. */
static void orthogonal_packages(void **state) {
  (void)state;
  static const char *const names[] = {"1x1", "3x5", "16x16", "24x7", "20x64"};
  char *path = test_source_path("tests/golden/muon.safetensors"), name[32];
  cliv_safetensors *file;
  ASSERT_OK(NULL, cliv_safetensors_open(path, &file));
  const walks w = open_walks();
  for (size_t c = 0; c < sizeof names / sizeof *names; c++)
    for (int narrow = 0; narrow < 2; narrow++)
      for (size_t i = 0; i < w.count; i++) {
        cliv_array x, want;
        snprintf(name, sizeof name, "%s.x", names[c]);
        ASSERT_OK(NULL, cliv_safetensors_read(file, name, &x));
        snprintf(name, sizeof name, "%s.%s", names[c], narrow ? "torch" : "keras");
        ASSERT_OK(NULL, cliv_safetensors_read(file, name, &want));
        stack from = make(w.ctx[i], 0, x.shape[0], x.shape[1], 1, x.data),
              to = make(w.ctx[i], 0, x.shape[0], x.shape[1], 0, NULL);
        const cliv_orthogonalize_options options = {.bfloat16 = narrow};
        ASSERT_OK(w.ctx[i], cliv_orthogonalize(w.ctx[i], from.view, to.view, &options, NULL));
        float *got = test_read(to.view);
        double off = 0, size = 0;
        for (size_t k = 0; k < elements(&to); k++) {
          const double wanted = (double)((const float *)want.data)[k];
          off += (got[k] - wanted) * (got[k] - wanted);
          size += wanted * wanted;
        }
        ASSERT_NEAR(sqrt(off / size), 0, narrow ? 0 : 64 * U);
        free(got);
        drop(&from), drop(&to);
        cliv_array_free(&x), cliv_array_free(&want);
      }
  cliv_safetensors_free(file);
  free(path);
  close_walks(&w);
}

/* Zeros stay zeros; a NaN or an infinity makes its own matrix NaN and no other. */
static void orthogonal_specials(void **state) {
  (void)state;
  enum { N = 5, EACH = N * (N + 1) };
  float *a = normal(4 * EACH, 5);
  memset(a, 0, EACH * sizeof *a);
  a[EACH + 7] = NAN;
  a[2 * EACH + 1] = INFINITY;
  const walks w = open_walks();
  for (size_t i = 0; i < w.count; i++)
    for (int narrow = 0; narrow < 2; narrow++) {
      stack from = make(w.ctx[i], 4, N, N + 1, 0, a), to = make(w.ctx[i], 4, N, N + 1, 0, NULL);
      ASSERT_OK(w.ctx[i], cliv_orthogonalize(w.ctx[i], from.view, to.view,
                                             &(cliv_orthogonalize_options){.bfloat16 = narrow}, NULL));
      float *got = test_read(to.view);
      for (size_t k = 0; k < EACH; k++) assert_true(got[k] == 0);
      assert_true(all_nan(got + EACH, 2 * EACH));
      for (size_t k = 3 * EACH; k < 4 * EACH; k++) assert_true(isfinite(got[k]));
      free(got);
      drop(&from), drop(&to);
    }
  free(a);
  close_walks(&w);
}

static void orthogonal_arguments(void **state) {
  (void)state;
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  const float data[12] = {1};
  stack a = make(ctx, 0, 3, 4, 0, data), b = make(ctx, 0, 4, 3, 0, data);
  cliv_tensor *flat, *none, *over, *wide;
  ASSERT_OK(ctx, cliv_tensor_view(a.view, 0, 1, (size_t[]){12}, 0, &flat));
  ASSERT_OK(ctx, cliv_tensor_view(a.base.tensor, 2, 2, (size_t[]){3, 4}, 0, &over));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){0, 4}, &none));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 2, (size_t[]){3, 4}, &wide));
  ASSERT_OK(ctx, cliv_orthogonalize(ctx, none, none, NULL, NULL));
  ASSERT_FAILS(NULL, cliv_orthogonalize(NULL, a.view, a.view, NULL, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_orthogonalize(ctx, NULL, a.view, NULL, NULL), CLIV_NULL, "'a'");
  ASSERT_FAILS(ctx, cliv_orthogonalize(ctx, a.view, NULL, NULL, NULL), CLIV_NULL, "'out'");
  ASSERT_FAILS(ctx, cliv_orthogonalize(ctx, flat, flat, NULL, NULL), CLIV_SHAPE, "two axes");
  ASSERT_FAILS(ctx, cliv_orthogonalize(ctx, a.view, b.view, NULL, NULL), CLIV_SHAPE, "[4, 3]");
  ASSERT_FAILS(ctx, cliv_orthogonalize(ctx, wide, a.view, NULL, NULL), CLIV_DTYPE, "int32");
  ASSERT_FAILS(ctx, cliv_orthogonalize(ctx, a.view, over, NULL, NULL), CLIV_OVERLAP, "shares memory");
  ASSERT_FAILS(ctx, cliv_orthogonalize(ctx, a.view, a.view, &(cliv_orthogonalize_options){.steps = 101}, NULL),
               CLIV_VALUE, "101 steps");
  ASSERT_FAILS(ctx, cliv_orthogonalize(ctx, a.view, a.view, &(cliv_orthogonalize_options){.triples = 2}, NULL),
               CLIV_VALUE, "triples");
  ASSERT_FAILS(ctx, cliv_orthogonalize(ctx, a.view, a.view, &(cliv_orthogonalize_options){.eps = -1}, NULL), CLIV_VALUE,
               "eps is -1");
  const double bad[] = {1, (double)NAN, 1};
  ASSERT_FAILS(
      ctx,
      cliv_orthogonalize(ctx, a.view, a.view, &(cliv_orthogonalize_options){.coefficients = bad, .triples = 1}, NULL),
      CLIV_VALUE, "coefficient 1");
  float *kept = test_read(a.view);
  ASSERT_SAME(CLIV_F32, kept, data, 12);
  free(kept);
  cliv_tensor_free(flat), cliv_tensor_free(none), cliv_tensor_free(over), cliv_tensor_free(wide);
  drop(&a), drop(&b);
  test_close(ctx);
}

/* ---- symmetric matrices ---- */

/* Sizes for tests that are cubic in them. */
static size_t sizes(const walks *w, const size_t **out) {
  static const size_t all[] = {1, 2, 3, 5, 16, 17, 64, 100, 257};
  *out = all;
  return brief(w) ? 6 : test_few() ? 7 : sizeof all / sizeof *all;
}

/* Eigenvalues (in no order) and vectors (in columns) of a symmetric matrix, by cyclic Jacobi in double; a is left
 * diagonal. */
static void eigen(double *a, double *v, size_t n) {
  memset(v, 0, n * n * sizeof *v);
  for (size_t i = 0; i < n; i++) v[i * n + i] = 1;
  const double tiny = 1e-15 * norm_of(a, n * n);
  for (bool moved = true; moved;) {
    moved = false;
    for (size_t p = 0; p < n; p++)
      for (size_t q = p + 1; q < n; q++) {
        const double apq = a[p * n + q];
        if (fabs(apq) <= tiny / (double)n) continue;
        moved = true;
        const double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
        const double t = (theta < 0 ? -1 : 1) / (fabs(theta) + sqrt(theta * theta + 1));
        const double c = 1 / sqrt(t * t + 1), s = t * c;
        for (size_t k = 0; k < n; k++) { /* v is kept transposed until the end */
          const double x = a[p * n + k], y = a[q * n + k], vx = v[p * n + k], vy = v[q * n + k];
          a[p * n + k] = c * x - s * y, a[q * n + k] = s * x + c * y;
          v[p * n + k] = c * vx - s * vy, v[q * n + k] = s * vx + c * vy;
        }
        for (size_t k = 0; k < n; k++) {
          const double x = a[k * n + p], y = a[k * n + q];
          a[k * n + p] = c * x - s * y, a[k * n + q] = s * x + c * y;
        }
      }
  }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++) {
      const double x = v[i * n + j];
      v[i * n + j] = v[j * n + i], v[j * n + i] = x;
    }
}

/* Q diag(w) Qᵀ, rounded, exactly symmetric; Q is three random reflections. */
static float *symmetric(const double *w, size_t n, uint64_t seed) {
  double *q = test_alloc(n * n * sizeof *q), *u = test_alloc(n * sizeof *u);
  float *a = test_alloc(n * n * sizeof *a);
  for (size_t i = 0; i < n * n; i++) q[i] = i % (n + 1) == 0;
  for (uint64_t r = 0; r < 3; r++) {
    for (size_t i = 0; i < n; i++) u[i] = test_normal(seed + r, i);
    const double norm = norm_of(u, n);
    for (size_t i = 0; i < n; i++) {
      double s = 0;
      for (size_t k = 0; k < n; k++) s += q[i * n + k] * u[k];
      for (size_t k = 0; k < n; k++) q[i * n + k] -= 2 * s * u[k] / (norm * norm);
    }
  }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) {
      double s = 0;
      for (size_t k = 0; k < n; k++) s += q[i * n + k] * w[k] * q[j * n + k];
      a[i * n + j] = a[j * n + i] = (float)s;
    }
  free(q), free(u);
  return a;
}

/* 1, then 0.8 down to 1 / condition, evenly in the logarithm. */
static double *spectrum(size_t n, double condition) {
  double *w = test_alloc(n * sizeof *w);
  for (size_t i = 0; i < n; i++)
    w[i] = i == 0 ? 1 : 0.8 * pow(1 / (0.8 * condition), n > 2 ? (double)(i - 1) / (double)(n - 2) : 1);
  return w;
}

/* ---- inverse roots ---- */

/* (A + r I)^(-1/p) in double, r of the default ridge; *condition: of A + r I. */
static double *root_of(const float *a, size_t n, unsigned p, double *condition) {
  double *x = widened(a, n * n), *v = test_alloc(n * n * sizeof *v), *scaled = test_alloc(n * n * sizeof *scaled);
  eigen(x, v, n);
  double most = 0, least = HUGE_VAL;
  for (size_t i = 0; i < n; i++) most = fmax(most, x[i * (n + 1)]), least = fmin(least, x[i * (n + 1)]);
  const double r = 1e-6 * fmax(most, 1e-6);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) scaled[i * n + j] = v[i * n + j] * pow(x[j * (n + 1)] + r, -1.0 / p);
  double *result = multiply(scaled, false, v, true, n, n, n);
  *condition = (most + r) / (least + r);
  free(x), free(v), free(scaled);
  return result;
}

/* Of `count` matrices one after another, against double. The error is that of any method in float32: what a change of A
 * by a few units of its norm makes, as the condition number tells, and the rounding of sums of n terms. */
static void check_roots(const walks *w, const float *a, size_t count, size_t n, unsigned p, size_t gap) {
  const size_t all = (count ? count : 1) * n * n;
  float *first = NULL;
  for (size_t i = 0; i < w->count; i++) {
    stack from = make(w->ctx[i], count, n, n, gap, a), to = make(w->ctx[i], count, n, n, 2 * gap, NULL);
    ASSERT_OK(w->ctx[i], cliv_inverse_root(w->ctx[i], from.view, p, to.view, NULL, NULL));
    float *got = test_read(to.view);
    if (first) ASSERT_SAME(CLIV_F32, got, first, all);
    ASSERT_OK(w->ctx[i], cliv_inverse_root(w->ctx[i], from.view, p, from.view, NULL, NULL));
    float *again = test_read(from.view);
    ASSERT_SAME(CLIV_F32, again, got, all);
    free(again);
    if (first) free(got);
    else first = got;
    drop(&from), drop(&to);
  }
  for (size_t b = 0; b < all / (n * n); b++) {
    double condition, *want = root_of(a + b * n * n, n, p, &condition), off = 0;
    for (size_t k = 0; k < n * n; k++) off += pow(first[b * n * n + k] - want[k], 2);
    for (size_t k = 0; k < n * n; k++) assert_true(first[b * n * n + k] == first[b * n * n + k % n * n + k / n]);
    ASSERT_NEAR(sqrt(off) / norm_of(want, n * n), 0, (2 * sqrt((double)n) + 8 + condition) * U);
    free(want);
  }
  free(first);
}

static void root_sizes(void **state) {
  (void)state;
  const walks w = open_walks();
  const size_t *n, count = sizes(&w, &n);
  for (size_t i = 0; i < count; i++) {
    double *values = spectrum(n[i], 1e4);
    float *a = symmetric(values, n[i], n[i]);
    check_roots(&w, a, 0, n[i], i % 2 ? 2 : 4, i % 3);
    free(a), free(values);
  }
  close_walks(&w);
}

static void root_powers(void **state) {
  (void)state;
  static const unsigned powers[] = {1, 2, 3, 4, 6, 7, 8, 32};
  const walks w = open_walks();
  const size_t n = brief(&w) ? 8 : test_few() ? 17 : 40;
  for (double condition = brief(&w) ? 1e6 : 1e2; condition < 1e7; condition *= 100) {
    double *values = spectrum(n, condition);
    float *a = test_alloc(3 * n * n * sizeof *a);
    for (size_t b = 0; b < 3; b++) {
      float *one = symmetric(values, n, 10 * b + 1);
      for (size_t k = 0; k < n * n; k++) a[b * n * n + k] = one[k] * (b == 1 ? 1e3f : 1.0f);
      free(one);
    }
    for (size_t i = 0; i < (brief(&w) ? 3 : sizeof powers / sizeof *powers); i++)
      check_roots(&w, a, 3, n, powers[i], 0);
    free(a), free(values);
  }
  close_walks(&w);
}

/* A matrix of zeros has the floor's root, one of a single direction the ridge's in the others, equal eigenvalues are
 * found exactly; what is not finite gives NaN there alone. */
static void root_specials(void **state) {
  (void)state;
  enum { N = 5, EACH = N * N };
  float a[6 * EACH] = {0};
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) a[EACH + i * N + j] = 1, a[2 * EACH + i * N + j] = i == j ? 4.0f : 0.0f;
  a[3 * EACH + 3] = NAN, a[4 * EACH] = INFINITY, a[5 * EACH + 1] = -INFINITY;
  const walks w = open_walks();
  for (size_t k = 0; k < w.count; k++) {
    stack from = make(w.ctx[k], 6, N, N, 0, a), to = make(w.ctx[k], 6, N, N, 0, NULL);
    const cliv_inverse_root_options options = {.ridge = 0x1p-10, .floor = 0x1p-10};
    ASSERT_OK(w.ctx[k], cliv_inverse_root(w.ctx[k], from.view, 2, to.view, &options, NULL));
    float *got = test_read(to.view);
    for (size_t i = 0; i < N; i++)
      for (size_t j = 0; j < N; j++) {
        const double r = 5 * 0x1p-10, along = 1 / sqrt(5 + r), across = 1 / sqrt(r), on = i == j ? 1 : 0;
        ASSERT_NEAR((double)got[i * N + j], on * 0x1p10, 0x1p10 * 16 * U);
        ASSERT_NEAR((double)got[EACH + i * N + j], across * on + (along - across) / 5, across * 1100 * U);
        ASSERT_NEAR((double)got[2 * EACH + i * N + j], on / sqrt(4 * (1 + 0x1p-10)), 16 * U);
      }
    assert_true(all_nan(got + 3 * EACH, 3 * EACH));
    free(got);
    drop(&from), drop(&to);
  }
  close_walks(&w);
}

static void root_arguments(void **state) {
  (void)state;
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  const float data[12] = {1};
  stack a = make(ctx, 0, 3, 3, 0, data), b = make(ctx, 0, 3, 4, 0, data), c = make(ctx, 0, 2, 2, 0, data);
  cliv_tensor *none;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, (size_t[]){3, 0, 0}, &none));
  ASSERT_OK(ctx, cliv_inverse_root(ctx, none, 2, none, NULL, NULL));
  ASSERT_FAILS(NULL, cliv_inverse_root(NULL, a.view, 2, a.view, NULL, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_inverse_root(ctx, NULL, 2, a.view, NULL, NULL), CLIV_NULL, "'a'");
  ASSERT_FAILS(ctx, cliv_inverse_root(ctx, a.view, 2, NULL, NULL, NULL), CLIV_NULL, "'out'");
  ASSERT_FAILS(ctx, cliv_inverse_root(ctx, b.view, 2, b.view, NULL, NULL), CLIV_SHAPE, "square");
  ASSERT_FAILS(ctx, cliv_inverse_root(ctx, a.view, 2, c.view, NULL, NULL), CLIV_SHAPE, "[2, 2]");
  ASSERT_FAILS(ctx, cliv_inverse_root(ctx, a.view, 0, a.view, NULL, NULL), CLIV_VALUE, "p is 0");
  ASSERT_FAILS(ctx, cliv_inverse_root(ctx, a.view, 33, a.view, NULL, NULL), CLIV_VALUE, "p is 33");
  ASSERT_FAILS(ctx, cliv_inverse_root(ctx, a.view, 2, a.view, &(cliv_inverse_root_options){.ridge = 1e-9}, NULL),
               CLIV_VALUE, "ridge is 1e-09");
  ASSERT_FAILS(ctx, cliv_inverse_root(ctx, a.view, 2, a.view, &(cliv_inverse_root_options){.floor = -1}, NULL),
               CLIV_VALUE, "floor is -1");
  float *kept = test_read(a.view);
  ASSERT_SAME(CLIV_F32, kept, data, 9);
  free(kept);
  cliv_tensor_free(none);
  drop(&a), drop(&b), drop(&c);
  test_close(ctx);
}

/* ---- QR ---- */

/* Q orthonormal, Q R near A, column by column, R upper triangular with a diagonal of at least 0. Sums of m terms, n
 * reflections one after another: errors that grow with their root. */
static void check_factors(const float *a, const float *q, const float *r, size_t m, size_t n) {
  double *wa = widened(a, m * n), *wq = widened(q, m * n), *wr = widened(r, n * n);
  double *unit = multiply(wq, true, wq, false, n, m, n), *back = multiply(wq, false, wr, false, m, n, n);
  const double bound = (12 + 2 * sqrt((double)n)) * U;
  for (size_t i = 0; i < n; i++) {
    double off = 0, size = 0;
    for (size_t k = 0; k < m; k++) off += pow(back[k * n + i] - wa[k * n + i], 2), size += pow(wa[k * n + i], 2);
    ASSERT_NEAR(sqrt(off), 0, 2 * bound * sqrt(size));
    assert_true(wr[i * n + i] >= 0);
    for (size_t j = 0; j < n; j++) {
      ASSERT_NEAR(unit[i * n + j], i == j ? 1 : 0, bound);
      if (j < i) assert_true(r[i * n + j] == 0);
    }
  }
  free(wa), free(wq), free(wr), free(unit), free(back);
}

static void check_qr(const walks *w, const float *a, size_t count, size_t m, size_t n, size_t gap) {
  const size_t many = count ? count : 1;
  float *first_q = NULL, *first_r = NULL;
  for (size_t i = 0; i < w->count; i++) {
    stack from = make(w->ctx[i], count, m, n, gap, a), q = make(w->ctx[i], count, m, n, 2 * gap, NULL),
          r = make(w->ctx[i], count, n, n, gap, NULL);
    ASSERT_OK(w->ctx[i], cliv_qr(w->ctx[i], from.view, q.view, r.view, NULL));
    float *got_q = test_read(q.view), *got_r = test_read(r.view);
    ASSERT_OK(w->ctx[i], cliv_qr(w->ctx[i], from.view, from.view, NULL, NULL));
    float *again = test_read(from.view);
    ASSERT_SAME(CLIV_F32, again, got_q, many * m * n);
    if (first_q) {
      ASSERT_SAME(CLIV_F32, got_q, first_q, many * m * n);
      ASSERT_SAME(CLIV_F32, got_r, first_r, many * n * n);
      free(got_q), free(got_r);
    } else {
      first_q = got_q, first_r = got_r;
    }
    free(again);
    drop(&from), drop(&q), drop(&r);
  }
  for (size_t b = 0; b < many; b++) check_factors(a + b * m * n, first_q + b * m * n, first_r + b * n * n, m, n);
  free(first_q), free(first_r);
}

static void qr_shapes(void **state) {
  (void)state;
  static const size_t shapes[][2] = {{1, 1},   {2, 2},   {5, 3},   {16, 16},  {17, 17},  {40, 33},
                                     {33, 32}, {64, 64}, {100, 1}, {100, 70}, {257, 257}};
  const walks w = open_walks();
  const size_t count = brief(&w) ? 5 : test_few() ? 7 : sizeof shapes / sizeof *shapes;
  for (size_t i = 0; i < count; i++) {
    const size_t m = shapes[i][0], n = shapes[i][1];
    float *a = normal(3 * m * n, i);
    check_qr(&w, a, i == 5 ? 3 : 0, m, n, i % 3);
    free(a);
  }
  close_walks(&w);
}

/* Columns of sizes from 1e-30 to 1e30, nearly and exactly dependent ones, repeated ones, and zeros. */
static void qr_hard(void **state) {
  (void)state;
  enum { M = 50, N = 40, EACH = M * N, KINDS = 6 };
  float *a = normal(KINDS * EACH, 77);
  for (size_t i = 0; i < M; i++)
    for (size_t j = 0; j < N; j++) {
      float *const at = a + i * N + j;
      at[0] *= (float)pow(10, (double)j * 1.5 - 30);
      at[EACH] *= (float)pow(10, 30 - (double)j * 1.5);
      at[2 * EACH] = at[2 * EACH - j] + (j ? 1e-6f * at[2 * EACH] : 0); /* all columns nearly the first */
      at[3 * EACH] = at[3 * EACH - j / 7 * 7];                          /* seven columns again and again */
      at[4 * EACH] = 0;
      at[5 * EACH] = j % 3 == 1 ? 0 : i == j ? 1.0f : j % 3 == 2 && i < 2 ? 1e-21f : 0;
    }
  const walks w = open_walks();
  check_qr(&w, a, KINDS, M, N, 0);
  close_walks(&w);
  free(a);
}

static void qr_specials(void **state) {
  (void)state;
  enum { N = 5, EACH = N * N };
  float *a = normal(3 * EACH, 9);
  a[7] = NAN, a[EACH] = INFINITY;
  const walks w = open_walks();
  for (size_t k = 0; k < w.count; k++) {
    stack from = make(w.ctx[k], 3, N, N, 0, a), q = make(w.ctx[k], 3, N, N, 0, NULL);
    ASSERT_OK(w.ctx[k], cliv_qr(w.ctx[k], from.view, q.view, NULL, NULL));
    float *got = test_read(q.view);
    for (size_t i = 0; i < N; i++)
      for (size_t j = 0; j < N; j++) {
        assert_true(j < 2 || isnan(got[i * N + j]));
        assert_true(isnan(got[EACH + i * N + j]) && isfinite(got[2 * EACH + i * N + j]));
      }
    free(got);
    drop(&from), drop(&q);
  }
  close_walks(&w);
  free(a);
}

static void qr_arguments(void **state) {
  (void)state;
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  const float data[12] = {1};
  stack a = make(ctx, 0, 4, 3, 0, data), b = make(ctx, 0, 3, 4, 0, data), c = make(ctx, 0, 2, 2, 0, data),
        r = make(ctx, 0, 3, 3, 0, data);
  cliv_tensor *part;
  ASSERT_OK(ctx, cliv_tensor_view(a.view, 1, 2, (size_t[]){3, 3}, 0, &part));
  ASSERT_FAILS(NULL, cliv_qr(NULL, a.view, a.view, NULL, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_qr(ctx, NULL, a.view, NULL, NULL), CLIV_NULL, "'a'");
  ASSERT_FAILS(ctx, cliv_qr(ctx, a.view, NULL, NULL, NULL), CLIV_NULL, "'q'");
  ASSERT_FAILS(ctx, cliv_qr(ctx, b.view, b.view, NULL, NULL), CLIV_SHAPE, "more columns");
  ASSERT_FAILS(ctx, cliv_qr(ctx, a.view, b.view, NULL, NULL), CLIV_SHAPE, "[3, 4]");
  ASSERT_FAILS(ctx, cliv_qr(ctx, a.view, a.view, c.view, NULL), CLIV_SHAPE, "[2, 2]");
  ASSERT_FAILS(ctx, cliv_qr(ctx, a.view, a.view, part, NULL), CLIV_OVERLAP, "R shares");
  ASSERT_OK(ctx, cliv_qr(ctx, a.view, a.view, r.view, NULL));
  cliv_tensor_free(part);
  drop(&a), drop(&b), drop(&c), drop(&r);
  test_close(ctx);
}

/* ---- eigenvalues and eigenvectors ---- */

/* The greater one; a NaN, which fmax would drop, where either is one. */
static double worse(double a, double b) { return isnan(a) || b <= a ? a : b; }

/* V orthonormal, A V = V diag(values), values ascending and those that double precision finds, all beside ‖A‖. A row is
 * turned about 12 n times, each time with a rounding. */
static void check_decomposition(const float *a, const float *values, const float *v, size_t n) {
  double *wa = widened(a, n * n), *wv = widened(v, n * n), *spare = test_alloc(n * n * sizeof *spare);
  double *unit = multiply(wv, true, wv, false, n, n, n), *av = multiply(wa, false, wv, false, n, n, n);
  const double norm = norm_of(wa, n * n), bound = (16 + 4 * sqrt((double)n)) * U;
  double worst_unit = 0, worst = 0, worst_value = 0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      worst_unit = worse(worst_unit, fabs(unit[i * n + j] - (i == j ? 1 : 0)));
      worst = worse(worst, fabs(av[i * n + j] - wv[i * n + j] * values[j]));
    }
  if (n <= 100) {
    eigen(wa, spare, n);
    for (size_t i = 0; i < n; i++) {
      size_t rank = 0;
      for (size_t k = 0; k < n; k++)
        rank += wa[k * (n + 1)] < wa[i * (n + 1)] || (wa[k * (n + 1)] == wa[i * (n + 1)] && k < i);
      worst_value = worse(worst_value, fabs(values[rank] - wa[i * (n + 1)]));
    }
  }
  for (size_t i = 1; i < n; i++) assert_true(values[i - 1] <= values[i]);
  ASSERT_NEAR(worst_unit, 0, bound);
  ASSERT_NEAR(worst, 0, bound * norm);
  ASSERT_NEAR(worst_value, 0, bound * norm);
  free(wa), free(wv), free(spare), free(unit), free(av);
}

static void check_eigen(const walks *w, const float *a, size_t count, size_t n, size_t gap) {
  const size_t many = count ? count : 1;
  float *first_v = NULL, *first_values = NULL;
  for (size_t i = 0; i < w->count; i++) {
    const size_t shape[] = {many, n};
    stack from = make(w->ctx[i], count, n, n, gap, a), v = make(w->ctx[i], count, n, n, 2 * gap, NULL);
    test_guarded values = test_guard(w->ctx[i], CLIV_F32, count ? 2 : 1, count ? shape : shape + 1, 1, NULL);
    ASSERT_OK(w->ctx[i], cliv_eigen(w->ctx[i], from.view, values.tensor, v.view, NULL, NULL));
    float *got_v = test_read(v.view), *got_values = test_read(values.tensor);
    if (first_v) {
      ASSERT_SAME(CLIV_F32, got_v, first_v, many * n * n);
      ASSERT_SAME(CLIV_F32, got_values, first_values, many * n);
      free(got_v), free(got_values);
    } else {
      first_v = got_v, first_values = got_values;
    }
    test_guard_free(&values);
    drop(&from), drop(&v);
  }
  for (size_t b = 0; b < many; b++) check_decomposition(a + b * n * n, first_values + b * n, first_v + b * n * n, n);
  free(first_v), free(first_values);
}

/* Of both signs, in pairs of one magnitude; of a positive definite matrix; of one of low rank. */
static void eigen_sizes(void **state) {
  (void)state;
  const walks w = open_walks();
  const size_t *n, count = sizes(&w, &n);
  for (size_t i = 0; i < (brief(&w) ? 4 : count); i++) {
    double *values = spectrum(n[i], 1e6);
    for (size_t k = 0; k < n[i]; k++)
      values[k] = i % 3 == 0 ? (k % 2 ? -1 : 1) * (double)(k / 2 + 1) : i % 3 == 1 ? values[k] : k < n[i] / 3 ? 1 : 0;
    float *a = symmetric(values, n[i], n[i]);
    check_eigen(&w, a, 0, n[i], i % 3);
    free(a), free(values);
  }
  close_walks(&w);
}

/* Zeros, the identity, a diagonal out of order, all ones, and sizes whose squares leave float32's range. */
static void eigen_specials(void **state) {
  (void)state;
  enum { N = 9, EACH = N * N, KINDS = 8 };
  float a[KINDS * EACH] = {0};
  double values[N];
  for (size_t i = 0; i < N; i++) values[i] = (double)(i * i) - 20;
  float *dense = symmetric(values, N, 4);
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) {
      float *const at = a + i * N + j;
      at[EACH] = i == j ? 1.0f : 0.0f;
      at[2 * EACH] = i == j ? (float)(i * 5 % N) - 3 : 0.0f;
      at[3 * EACH] = 1;
      at[4 * EACH] = dense[i * N + j] * 1e30f;
      at[5 * EACH] = dense[i * N + j] * 1e-30f;
      at[6 * EACH] = at[7 * EACH] = dense[i * N + j];
    }
  a[6 * EACH + 5] = NAN, a[7 * EACH] = INFINITY;
  const walks w = open_walks();
  check_eigen(&w, a, KINDS - 2, N, 0);
  for (size_t k = 0; k < w.count; k++) {
    stack from = make(w.ctx[k], 2, N, N, 0, a + 6 * EACH), v = make(w.ctx[k], 2, N, N, 0, NULL),
          of = make(w.ctx[k], 0, 2, N, 0, NULL);
    ASSERT_OK(w.ctx[k], cliv_eigen(w.ctx[k], from.view, of.view, v.view, NULL, NULL));
    float *got = test_read(v.view), *got_values = test_read(of.view);
    assert_true(all_nan(got, 2 * EACH) && all_nan(got_values, 2 * N));
    free(got), free(got_values);
    drop(&from), drop(&v), drop(&of);
  }
  close_walks(&w);
  free(dense);
}

static void eigen_arguments(void **state) {
  (void)state;
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  const float data[12] = {1};
  stack a = make(ctx, 0, 3, 3, 0, data), b = make(ctx, 0, 3, 4, 0, data), v = make(ctx, 0, 3, 3, 0, data);
  cliv_tensor *values, *few, *part;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){3}, &values));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){2}, &few));
  ASSERT_OK(ctx, cliv_tensor_view(a.view, 2, 1, (size_t[]){3}, 0, &part));
  ASSERT_FAILS(NULL, cliv_eigen(NULL, a.view, values, v.view, NULL, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_eigen(ctx, NULL, values, v.view, NULL, NULL), CLIV_NULL, "'a'");
  ASSERT_FAILS(ctx, cliv_eigen(ctx, a.view, NULL, v.view, NULL, NULL), CLIV_NULL, "'values'");
  ASSERT_FAILS(ctx, cliv_eigen(ctx, a.view, values, NULL, NULL, NULL), CLIV_NULL, "'vectors'");
  ASSERT_FAILS(ctx, cliv_eigen(ctx, b.view, values, v.view, NULL, NULL), CLIV_SHAPE, "square");
  ASSERT_FAILS(ctx, cliv_eigen(ctx, a.view, few, v.view, NULL, NULL), CLIV_SHAPE, "[2]");
  ASSERT_FAILS(ctx, cliv_eigen(ctx, a.view, part, v.view, NULL, NULL), CLIV_OVERLAP, "eigenvalues share");
  ASSERT_FAILS(ctx, cliv_eigen(ctx, a.view, values, v.view, &(cliv_eigen_options){.sweeps = 65}, NULL), CLIV_VALUE,
               "65 sweeps");
  ASSERT_OK(ctx, cliv_eigen(ctx, a.view, values, a.view, NULL, NULL));
  cliv_tensor_free(values), cliv_tensor_free(few), cliv_tensor_free(part);
  drop(&a), drop(&b), drop(&v);
  test_close(ctx);
}

/* ---- Cholesky factors, and equations ---- */

/* An operation by number, for what the next two helpers try alike. */
typedef enum equation { LOWER, LOWER_T, UPPER, UPPER_T, DEFINITE, LEAST } equation;

static cliv_status solve_by(cliv_context *ctx, equation kind, const cliv_tensor *a, const cliv_tensor *b,
                            cliv_tensor *x, cliv_tensor *info) {
  if (kind == DEFINITE) return cliv_solve(ctx, a, b, x, info, NULL);
  if (kind == LEAST) return cliv_least_squares(ctx, a, b, x, NULL);
  return cliv_solve_triangular(ctx, a, kind == UPPER || kind == UPPER_T, kind == LOWER_T || kind == UPPER_T, b, x,
                               NULL);
}

/* |op(T) X − B| below n units of the sums' magnitudes, row by row; |A X − B| of ‖A‖ ‖x‖; Aᵀ(A X − B) near 0. */
static void check_solution(equation kind, const float *a_, const float *b, const float *x_, size_t m, size_t n,
                           size_t k) {
  double *a = widened(a_, m * n), *x = widened(x_, n * k);
  for (size_t i = 0; i < m && kind < DEFINITE; i++)
    for (size_t j = 0; j < n; j++)
      if (kind <= LOWER_T ? j > i : j < i) a[i * n + j] = 0;
  const bool trans = kind == LOWER_T || kind == UPPER_T;
  double *r = multiply(a, trans, x, false, m, n, k);
  for (size_t i = 0; i < m * k; i++) r[i] -= (double)b[i];
  for (size_t c = 0; c < k; c++) {
    double size = 0, side = 0;
    for (size_t j = 0; j < n; j++) size += x[j * k + c] * x[j * k + c];
    for (size_t i = 0; i < m; i++) side += pow((double)b[i * k + c], 2);
    const double norm = norm_of(a, m * n), some = (16 + 4 * sqrt((double)m)) * U;
    for (size_t i = 0; i < m; i++) {
      double terms = 0, gradient = 0;
      for (size_t j = 0; j < n; j++) terms += fabs(a[trans ? j * n + i : i * n + j] * x[j * k + c]);
      if (kind < DEFINITE) ASSERT_NEAR(r[i * k + c], 0, (double)(n + 4) * U * terms);
      if (kind == DEFINITE) ASSERT_NEAR(r[i * k + c], 0, some * norm * sqrt(size));
      for (size_t l = 0; l < m && i < n; l++) gradient += a[l * n + i] * r[l * k + c];
      if (kind == LEAST && i < n) ASSERT_NEAR(gradient, 0, some * norm * (norm * sqrt(size) + sqrt(side)));
    }
  }
  free(a), free(x), free(r);
}

static void check_equation(const walks *w, equation kind, const float *a, size_t count, size_t m, size_t n, size_t k,
                           size_t gap) {
  const size_t many = count ? count : 1;
  float *b = normal(many * m * k, m + k), *first = NULL;
  for (size_t i = 0; i < w->count; i++) {
    cliv_context *ctx = w->ctx[i];
    stack left = make(ctx, count, m, n, gap, a), side = make(ctx, count, m, k, 2 * gap, b),
          x = make(ctx, count, n, k, gap, NULL);
    test_guarded info = test_guard1(ctx, CLIV_I32, many, 1, NULL);
    ASSERT_OK(ctx, solve_by(ctx, kind, left.view, side.view, x.view, info.tensor));
    float *got = test_read(x.view);
    if (first) ASSERT_SAME(CLIV_F32, got, first, many * n * k);
    if (kind == DEFINITE) {
      int32_t *flags = test_read(info.tensor);
      for (size_t f = 0; f < many; f++) assert_int_equal(flags[f], 0);
      free(flags);
    }
    if (kind != LEAST) { /* in place */
      ASSERT_OK(ctx, solve_by(ctx, kind, left.view, side.view, side.view, NULL));
      float *again = test_read(side.view);
      ASSERT_SAME(CLIV_F32, again, got, many * n * k);
      free(again);
    }
    if (first) free(got);
    else first = got;
    test_guard_free(&info);
    drop(&left), drop(&side), drop(&x);
  }
  for (size_t f = 0; f < many; f++) check_solution(kind, a + f * m * n, b + f * m * k, first + f * n * k, m, n, k);
  free(b), free(first);
}

/* All kinds of triangles with unread NaN in the other half; the diagonal away from 0. */
static void triangular_sizes(void **state) {
  (void)state;
  const walks w = open_walks();
  const size_t *sizes_, count = sizes(&w, &sizes_);
  for (size_t s = 0; s < count; s++)
    for (equation kind = LOWER; kind <= UPPER_T; kind++) {
      const size_t n = sizes_[s], many = s == 3 ? 3 : 0;
      float *a = normal(3 * n * n, n + 5);
      for (size_t i = 0; i < 3 * n * n; i++) {
        const size_t row = i / n % n, column = i % n;
        a[i] = row == column ? 1 + fabsf(a[i]) : a[i] / sqrtf((float)n);
        if (kind <= LOWER_T ? column > row : column < row) a[i] = NAN;
      }
      check_equation(&w, kind, a, many, n, n, s % 2 ? 1 : 7, s % 3);
      free(a);
    }
  close_walks(&w);
}

static void equation_sizes(void **state) {
  (void)state;
  const walks w = open_walks();
  const size_t *n, count = sizes(&w, &n);
  for (size_t s = 0; s < count; s++) {
    double *values = spectrum(n[s], 1e3);
    float *a = symmetric(values, n[s], s);
    check_equation(&w, DEFINITE, a, 0, n[s], n[s], s % 2 ? 1 : 7, s % 3);
    free(a), free(values);
    const size_t rows = n[s] + 3 * (s % 3);
    a = normal(3 * rows * n[s], s);
    check_equation(&w, LEAST, a, s == 3 ? 3 : 0, rows, n[s], s % 2 ? 4 : 1, s % 3);
    free(a);
  }
  close_walks(&w);
}

/* L Lᵀ is A within the rounding of sums of n terms, of which the largest are the diagonal's. */
static void check_cholesky(const float *a_, const float *l_, size_t n) {
  double *l = widened(l_, n * n), *back = multiply(l, false, l, true, n, n, n);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      const double bound = (8 + 4 * sqrt((double)n)) * U * sqrt((double)a_[i * (n + 1)] * (double)a_[j * (n + 1)]);
      ASSERT_NEAR(back[i * n + j], (double)a_[(i > j ? i : j) * n + (i > j ? j : i)], bound);
      if (j > i) assert_true(l_[i * n + j] == 0);
    }
  free(l), free(back);
}

static void cholesky_sizes(void **state) {
  (void)state;
  const walks w = open_walks();
  const size_t *n, count = sizes(&w, &n);
  for (size_t s = 0; s < count; s++) {
    double *values = spectrum(n[s], 1e4);
    float *a = symmetric(values, n[s], s), *first = NULL;
    for (size_t i = 0; i < n[s]; i++)
      for (size_t j = i + 1; j < n[s]; j++) a[i * n[s] + j] = NAN; /* is not read */
    for (size_t k = 0; k < w.count; k++) {
      stack from = make(w.ctx[k], 0, n[s], n[s], s % 3, a), l = make(w.ctx[k], 0, n[s], n[s], s % 2, NULL);
      ASSERT_OK(w.ctx[k], cliv_cholesky(w.ctx[k], from.view, l.view, NULL, NULL));
      ASSERT_OK(w.ctx[k], cliv_cholesky(w.ctx[k], from.view, from.view, NULL, NULL));
      float *got = test_read(l.view), *again = test_read(from.view);
      ASSERT_SAME(CLIV_F32, again, got, n[s] * n[s]);
      if (first) ASSERT_SAME(CLIV_F32, got, first, n[s] * n[s]);
      free(again);
      if (first) free(got);
      else first = got;
      drop(&from), drop(&l);
    }
    check_cholesky(a, first, n[s]);
    free(a), free(first), free(values);
  }
  close_walks(&w);
}

/* The first row that is not positive definite is told, whatever block it lies in; what is before it is right. */
static void cholesky_flags(void **state) {
  (void)state;
  enum { N = 40, EACH = N * N, KINDS = 7 };
  static const int32_t want[KINDS] = {0, 1, 8, 36, 1, 21, 40};
  float *a = test_alloc(KINDS * EACH * sizeof *a);
  for (size_t i = 0; i < KINDS * EACH; i++) a[i] = i % EACH % (N + 1) == 0 ? 2.0f : i % EACH == N ? 1.0f : 0.0f;
  a[EACH] = 0;
  a[2 * EACH + 7 * (N + 1)] = -1;
  a[3 * EACH + 35 * (N + 1)] = NAN;
  a[4 * EACH] = INFINITY;
  a[5 * EACH + 20 * N + 3] = NAN;
  a[6 * EACH + 38 * (N + 1)] = a[6 * EACH + 39 * N + 38] = a[6 * EACH + 39 * (N + 1)] = 4; /* 4 − (4 / 2)² */
  const walks w = open_walks();
  for (size_t k = 0; k < w.count; k++) {
    stack from = make(w.ctx[k], KINDS, N, N, 0, a), l = make(w.ctx[k], KINDS, N, N, 0, NULL);
    float *ones = test_alloc(KINDS * N * sizeof *ones);
    for (size_t i = 0; i < KINDS * N; i++) ones[i] = 1;
    stack b = make(w.ctx[k], KINDS, N, 1, 0, ones);
    test_guarded info = test_guard1(w.ctx[k], CLIV_I32, KINDS, 0, NULL);
    ASSERT_OK(w.ctx[k], cliv_cholesky(w.ctx[k], from.view, l.view, info.tensor, NULL));
    int32_t *flags = test_read(info.tensor);
    float *got = test_read(l.view);
    for (size_t f = 0; f < KINDS; f++) {
      assert_int_equal(flags[f], want[f]);
      const size_t bad = want[f] ? (size_t)want[f] - 1 : N;
      for (size_t i = 0; i < bad; i++)
        for (size_t j = 0; j <= i; j++) assert_true(isfinite(got[f * EACH + i * N + j]));
      if (want[f]) assert_true(isnan(got[f * EACH + bad * (N + 1)]));
    }
    ASSERT_OK(w.ctx[k], cliv_solve(w.ctx[k], from.view, b.view, b.view, info.tensor, NULL));
    int32_t *again = test_read(info.tensor);
    float *x = test_read(b.view);
    ASSERT_BITS(again, flags, sizeof want);
    for (size_t f = 0; f < KINDS; f++) assert_true(want[f] ? all_nan(x + f * N, N) : isfinite(x[f * N]));
    free(flags), free(again), free(got), free(x), free(ones);
    test_guard_free(&info);
    drop(&from), drop(&l), drop(&b);
  }
  close_walks(&w);
  free(a);
}

static void equation_arguments(void **state) {
  (void)state;
  cliv_context *ctx = test_open(test_walks[test_first_walk()]);
  const float data[16] = {1};
  stack a = make(ctx, 0, 3, 3, 0, data), wide = make(ctx, 0, 3, 4, 0, data), b = make(ctx, 0, 4, 2, 0, data),
        x = make(ctx, 0, 3, 2, 0, data);
  cliv_tensor *info, *two, *real, *part;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 1, (size_t[]){1}, &info));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 1, (size_t[]){2}, &two));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){1}, &real));
  ASSERT_OK(ctx, cliv_tensor_view(a.view, 1, 2, (size_t[]){3, 2}, 0, &part));
  ASSERT_FAILS(NULL, cliv_cholesky(NULL, a.view, a.view, NULL, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_cholesky(ctx, NULL, a.view, NULL, NULL), CLIV_NULL, "'a'");
  ASSERT_FAILS(ctx, cliv_cholesky(ctx, a.view, NULL, NULL, NULL), CLIV_NULL, "'l'");
  ASSERT_FAILS(ctx, cliv_cholesky(ctx, wide.view, wide.view, NULL, NULL), CLIV_SHAPE, "square");
  ASSERT_FAILS(ctx, cliv_cholesky(ctx, a.view, a.view, two, NULL), CLIV_SHAPE, "each of 1 matrices");
  ASSERT_FAILS(ctx, cliv_cholesky(ctx, a.view, a.view, real, NULL), CLIV_DTYPE, "info is int32");
  ASSERT_FAILS(ctx, cliv_solve(ctx, a.view, NULL, x.view, NULL, NULL), CLIV_NULL, "'b'");
  ASSERT_FAILS(ctx, cliv_solve(ctx, a.view, b.view, x.view, NULL, NULL), CLIV_SHAPE, "right side");
  ASSERT_FAILS(ctx, cliv_solve(ctx, a.view, x.view, b.view, NULL, NULL), CLIV_SHAPE, "solution cannot be");
  ASSERT_FAILS(ctx, cliv_solve(ctx, a.view, x.view, part, NULL, NULL), CLIV_OVERLAP, "matrix");
  ASSERT_FAILS(ctx, cliv_solve_triangular(ctx, wide.view, 0, 0, x.view, b.view, NULL), CLIV_SHAPE, "square");
  ASSERT_FAILS(ctx, cliv_solve_triangular(ctx, a.view, 0, 0, x.view, NULL, NULL), CLIV_NULL, "'x'");
  ASSERT_FAILS(ctx, cliv_least_squares(ctx, wide.view, x.view, b.view, NULL), CLIV_SHAPE, "more columns than rows");
  ASSERT_FAILS(ctx, cliv_least_squares(ctx, a.view, x.view, x.view, NULL), CLIV_OVERLAP, "right side");
  ASSERT_OK(ctx, cliv_cholesky(ctx, a.view, a.view, info, NULL));
  cliv_tensor_free(info), cliv_tensor_free(two), cliv_tensor_free(real), cliv_tensor_free(part);
  drop(&a), drop(&wide), drop(&b), drop(&x);
  test_close(ctx);
}

/* More matrices, and more of their rows, than one command takes along an axis of a range on a GPU. */
static void many_matrices(void **state) {
  (void)state;
  cliv_context *ctx = test_open_group(CLIV_WALK_GPU, 16);
  const size_t count = test_small() || test_slow(ctx) ? 300 : 70001;
  float *t = normal(4 * count, 1), *b = normal(2 * count, 2);
  for (size_t i = 0; i < count; i++) t[4 * i] = 2 + fabsf(t[4 * i]), t[4 * i + 3] = 2 + fabsf(t[4 * i + 3]);
  stack triangle = make(ctx, count, 2, 2, 0, t), right = make(ctx, count, 2, 1, 1, b), x = make(ctx, count, 2, 1, 0, b);
  ASSERT_OK(ctx, cliv_solve_triangular(ctx, triangle.view, 0, 0, right.view, x.view, NULL));
  for (size_t i = 0; i < count; i++) {
    b[2 * i] /= t[4 * i];
    b[2 * i + 1] = fmaf(-t[4 * i + 2], b[2 * i], b[2 * i + 1]) / t[4 * i + 3];
  }
  float *const got = test_read(x.view);
  ASSERT_SAME(CLIV_F32, got, b, 2 * count);
  free(got), free(t), free(b);
  drop(&triangle), drop(&right), drop(&x);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(orthogonal_shapes),
                                     cmocka_unit_test(orthogonal_converges),
                                     cmocka_unit_test(orthogonal_packages),
                                     cmocka_unit_test(orthogonal_specials),
                                     cmocka_unit_test(orthogonal_arguments),
                                     cmocka_unit_test(root_sizes),
                                     cmocka_unit_test(root_powers),
                                     cmocka_unit_test(root_specials),
                                     cmocka_unit_test(root_arguments),
                                     cmocka_unit_test(qr_shapes),
                                     cmocka_unit_test(qr_hard),
                                     cmocka_unit_test(qr_specials),
                                     cmocka_unit_test(qr_arguments),
                                     cmocka_unit_test(eigen_sizes),
                                     cmocka_unit_test(eigen_specials),
                                     cmocka_unit_test(eigen_arguments),
                                     cmocka_unit_test(triangular_sizes),
                                     cmocka_unit_test(equation_sizes),
                                     cmocka_unit_test(cholesky_sizes),
                                     cmocka_unit_test(cholesky_flags),
                                     cmocka_unit_test(equation_arguments),
                                     cmocka_unit_test(many_matrices)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
