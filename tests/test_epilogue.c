/* Bias and activation of products: bits against the chains of the host, what cliv/map.h gives for the functions, and
 * plain float arithmetic; in every store that has them and in both walks. */
#include <cliv/blas.h>
#include <cliv/map.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blas/epilogue.h"
#include "blas/exact.h"
#include "matrices.h"
#include "runtime/tensor.h"

/* ---- what is expected ---- */

/* x by a map of cliv/map.h, in place. */
static void by_map(cliv_context *ctx, const char *op, float *x, size_t count) {
  cliv_tensor *from, *to;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &count, &from));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &count, &to));
  ASSERT_OK(ctx, cliv_tensor_write(from, x, count * sizeof *x));
  ASSERT_OK(ctx, cliv_map(ctx, op, from, to, NULL));
  ASSERT_OK(ctx, cliv_tensor_read(to, x, count * sizeof *x));
  cliv_tensor_free(from);
  cliv_tensor_free(to);
}

static double in_double(cliv_activation activation, double x) {
  switch (activation) {
    case CLIV_ACTIVATION_RELU: return x <= 0 ? 0 : x;
    case CLIV_ACTIVATION_GELU: return 0.5 * x * (1 + erf(x * sqrt(0.5)));
    case CLIV_ACTIVATION_GELU_TANH: return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    case CLIV_ACTIVATION_SILU: return x / (1 + exp(-x));
    case CLIV_ACTIVATION_TANH: return tanh(x);
    case CLIV_ACTIVATION_SIGMOID: return 1 / (1 + exp(-x));
    default: return x;
  }
}

/* The activation of each x: its bits, which are close to what double gives. */
static void activate(cliv_context *ctx, cliv_activation activation, float *x, size_t count) {
  const bool erf = activation == CLIV_ACTIVATION_GELU, gelu = erf || activation == CLIV_ACTIVATION_GELU_TANH;
  float *const old = test_alloc(count * sizeof *x);
  memcpy(old, x, count * sizeof *x);
  for (size_t i = 0; i < count && gelu; i++) {
    const volatile float cube = x[i] * x[i] * x[i], part = 0.044715f * cube, sum = x[i] + part;
    x[i] = erf ? x[i] * 0x1.6a09e6p-1f : 0x1.988454p-1f * sum;
  }
  if (gelu) by_map(ctx, erf ? "erf" : "tanh", x, count);
  else if (activation == CLIV_ACTIVATION_RELU) by_map(ctx, "relu", x, count);
  else if (activation) by_map(ctx, cliv_activation_name(activation), x, count);
  for (size_t i = 0; i < count; i++) {
    if (gelu) x[i] = 0.5f * old[i] * (1 + x[i]);
    x[i] = matrix_canonical(x[i]);
    const double want = in_double(activation, (double)old[i]);
    if (isfinite(want) && fabs(want) < 0x1p100)
      ASSERT_NEAR((double)x[i], want, 5 * 0x1p-24 * (gelu ? fabs((double)old[i]) : fabs(want)) + 0x1p-126);
  }
  free(old);
}

/* ---- one product ---- */

typedef struct shape {
  size_t batch, m, n, k;
  int small; /* as cliv__cuts has it */
  cl_ulong block_k;
} shape;

typedef struct ending {
  cliv_activation activation;
  cl_uint bias_along;
  double beta;
} ending;

static cliv__matrix stored(const matrix *m, size_t rows) {
  const cliv_tensor *const t = m->view;
  return (cliv__matrix){t->mem, cliv__first(t), rows, t->columns, t->pitch, rows * t->pitch};
}

/* C on the host with its ending, gaps as they were. */
static void expect(cliv_context *ctx, const shape *s, const ending *e, const matrix *a, const matrix *b,
                   const matrix *bias, matrix *c) {
  float *const all = test_alloc(c->rows * c->columns * sizeof *all), *const host = c->host;
  for (size_t z = 0; z < s->batch; z++) {
    const matrix za = matrix_part(a, z, s->m), zb = matrix_part(b, z, s->k);
    matrix zc = matrix_part(c, z, s->m);
    matrix_product(&za, false, &zb, false, s->k, 0.75, e->beta, &zc);
  }
  for (size_t i = 0; i < c->rows; i++)
    for (size_t j = 0; j < c->columns; j++) {
      float x = host[matrix_at(c, i, j)];
      if (e->bias_along)
        x += ((float *)bias->host)[matrix_at(bias, 0, e->bias_along == CLIV__BIAS_ROWS ? i % s->m : j)] + 0;
      all[i * c->columns + j] = matrix_canonical(x);
    }
  activate(ctx, e->activation, all, c->rows * c->columns);
  for (size_t i = 0; i < c->rows; i++)
    for (size_t j = 0; j < c->columns; j++) host[matrix_at(c, i, j)] = all[i * c->columns + j];
  free(all);
}

static void check(cliv_context *ctx, const shape *s, const ending *e, bool hard, uint64_t seed) {
  const contents what = hard ? matrix_hardest(ctx, 4) : NORMAL;
  matrix a = matrix_make(ctx, CLIV_F32, s->batch * s->m, s->k, 1, 2, what, seed);
  matrix b = matrix_make(ctx, CLIV_F32, s->batch * s->k, s->n, 0, 1, NORMAL, seed + 1);
  matrix c = matrix_make(ctx, CLIV_F32, s->batch * s->m, s->n, 2, 3, e->beta == 0 ? NANS : NORMAL, seed + 2);
  matrix bias = matrix_make(ctx, CLIV_F32, 1, e->bias_along == CLIV__BIAS_ROWS ? s->m : s->n, 0, 1, NORMAL, seed + 3);
  cliv__gemm g = {.dtype = CLIV_F32,
                  .m = s->m,
                  .n = s->n,
                  .k = s->k,
                  .alpha = 0.75,
                  .beta = e->beta,
                  .a = stored(&a, s->m),
                  .b = stored(&b, s->k),
                  .c = stored(&c, s->m),
                  .batch = s->batch,
                  .bias_along = e->bias_along,
                  .activation = e->activation};
  if (e->bias_along) g.bias = (cliv__vector){bias.view->mem, cliv__first(bias.view), bias.columns, 1};
  ASSERT_OK(ctx, cliv__exact_gemm(ctx, &g, &(cliv__cuts){.small = s->small, .block_k = s->block_k}, NULL));
  expect(ctx, s, e, &a, &b, &bias, &c);
  void *got = test_read(c.base.tensor);
  ASSERT_SAME(CLIV_F32, got, c.host, c.total);
  free(got);
  matrix_free(&a), matrix_free(&b), matrix_free(&c), matrix_free(&bias);
}

/* By the walk for small matrices, that for large ones whole and cut along k, that for vectors and a launch after it,
 * and a batch. */
static const shape shapes[] = {
    {1, 25, 37, 19, 0, 0}, {1, 25, 37, 19, -1, 0}, {1, 25, 37, 19, -1, 7}, {1, 31, 1, 19, 0, 0}, {3, 13, 21, 6, 0, 0}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void endings(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (unsigned a = CLIV_ACTIVATION_NONE; a <= CLIV_ACTIVATION_SIGMOID; a++) {
      const bool all = a == CLIV_ACTIVATION_NONE || a == CLIV_ACTIVATION_GELU; /* others where a store differs */
      for (unsigned i = 0; i < SHAPES; i++) {
        if (test_few() ? !all || (a && i % 3) : !all && i && i != a % SHAPES) continue;
        const ending e = {(cliv_activation)a, (a + i) % 3, i % 2 ? -0.5 : 0};
        check(ctx, &shapes[i], &e, i % 2 == 0, 10 * a + i);
        const ending other = {(cliv_activation)a, (a + i + 1) % 3, i % 2 ? 0 : 1.5};
        check(ctx, &shapes[i], &other, false, 10 * a + i + 5);
      }
    }
    test_close(ctx);
  }
}

/* ---- the public side ---- */

/* What sums nothing is ended too, and -0 is as +0 in a bias. */
static void options(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_tensor *a, *b, *c, *bias, *rows, *wide, *half;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){2, 0}, &a));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){0, 3}, &b));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){2, 3}, &c));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){3}, &bias));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){2, 1}, &rows));
  ASSERT_OK(ctx, cliv_tensor_view(c, 0, 1, (size_t[]){3}, 0, &wide));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F16, 1, (size_t[]){3}, &half));
  const float old[] = {-0.0f, -0.0f, 1, 2, -8, 4}, add[] = {-0.0f, 0, -3}, more[] = {0.5f, -9};
  ASSERT_OK(ctx, cliv_tensor_write(bias, add, sizeof add));
  ASSERT_OK(ctx, cliv_tensor_write(rows, more, sizeof more));
  const cliv_blas_options none = {.provider = CLIV_PROVIDER_EXACT, .bias = bias};
  const cliv_blas_options relu = {
      .provider = CLIV_PROVIDER_EXACT, .bias = rows, .bias_rows = 1, .activation = CLIV_ACTIVATION_RELU};
  const float first[] = {0, 0, -2, 2, -8, 1}, second[] = {0.5f, 0.5f, 0, 0, 0, 0};
  float got[6];
  ASSERT_OK(ctx, cliv_tensor_write(c, old, sizeof old));
  ASSERT_OK(ctx, cliv_gemm(ctx, 0, 0, 1, a, b, 1, c, &none, NULL));
  ASSERT_OK(ctx, cliv_tensor_read(c, got, sizeof got));
  ASSERT_SAME(CLIV_F32, got, first, 6);
  ASSERT_OK(ctx, cliv_gemm_batched(ctx, 1, 0, 0, 1, (const cliv_tensor *const[]){a}, (const cliv_tensor *const[]){b}, 1,
                                   (cliv_tensor *const[]){c}, &relu, NULL));
  ASSERT_OK(ctx, cliv_tensor_read(c, got, sizeof got));
  ASSERT_SAME(CLIV_F32, got, second, 6);

#define GEMM(...) cliv_gemm(ctx, 0, 0, 1, a, b, 0, c, &(cliv_blas_options){__VA_ARGS__}, NULL)
  ASSERT_FAILS(ctx, GEMM(.bias = rows), CLIV_SHAPE, "each of 3 columns");
  ASSERT_FAILS(ctx, GEMM(.bias = bias, .bias_rows = 1), CLIV_SHAPE, "each of 2 rows");
  ASSERT_FAILS(ctx, GEMM(.bias = half), CLIV_DTYPE, "float16");
  ASSERT_FAILS(ctx, GEMM(.bias = wide), CLIV_OVERLAP, "bias");
  ASSERT_FAILS(ctx, GEMM(.activation = (cliv_activation)7), CLIV_VALUE, "7");
  ASSERT_FAILS(ctx, cliv_ger(ctx, 1, rows, bias, c, &none, NULL), CLIV_VALUE, "gemm_batched");
  ASSERT_OK(ctx, cliv_tensor_read(c, got, sizeof got));
  ASSERT_SAME(CLIV_F32, got, second, 6);
  cliv_activation activation = CLIV_ACTIVATION_NONE;
  ASSERT_OK(NULL, cliv_activation_parse("gelu_tanh", &activation));
  assert_int_equal(activation, CLIV_ACTIVATION_GELU_TANH);
  assert_string_equal(cliv_activation_name((cliv_activation)99), "?");
  ASSERT_FAILS(NULL, cliv_activation_parse("mish", &activation), CLIV_NAME, "mish");
  cliv_tensor *all[] = {a, b, c, bias, rows, wide, half};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(endings), cmocka_unit_test(options)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
