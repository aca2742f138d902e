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
  const size_t count = test_small() ? 6 : test_few() ? 8 : sizeof shapes / sizeof *shapes;
  const walks w = open_walks();
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

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(orthogonal_shapes), cmocka_unit_test(orthogonal_converges),
                                     cmocka_unit_test(orthogonal_packages), cmocka_unit_test(orthogonal_specials),
                                     cmocka_unit_test(orthogonal_arguments)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
