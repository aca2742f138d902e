/* See matrices.h. */
#include "matrices.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

matrix matrix_make(cliv_context *ctx, cliv_dtype dtype, size_t rows, size_t columns, size_t gap, size_t lead,
                   contents what, uint64_t seed) {
  matrix m = {.rows = rows, .columns = columns, .pitch = columns + gap, .lead = lead, .dtype = dtype};
  m.total = lead + rows * m.pitch;
  m.host = test_alloc(m.total * cliv_dtype_size(dtype));
  if (what == WILD) test_fill_bits(m.host, m.total * cliv_dtype_size(dtype), seed);
  const double tiny = dtype == CLIV_F64 ? 0x1p-537 : 0x1p-74;
  for (size_t i = 0; i < m.total && what != WILD; i++)
    test_put(dtype, m.host, i, what == NANS ? (double)NAN : test_normal(seed, i) * (what == TINY ? tiny : 1));
  m.base = test_guard1(ctx, dtype, m.total, seed % 3, m.host);
  if (rows && columns) {
    ASSERT_OK(ctx, cliv_tensor_view(m.base.tensor, lead, 2, (size_t[]){rows, columns}, m.pitch, &m.view));
  } else {
    ASSERT_OK(ctx, cliv_tensor_create(ctx, dtype, 2, (size_t[]){rows, columns}, &m.view));
  }
  return m;
}

void matrix_free(matrix *m) {
  cliv_tensor_free(m->view);
  test_guard_free(&m->base);
  free(m->host);
}

matrix matrix_part(const matrix *m, size_t z, size_t rows) {
  matrix part = *m;
  part.lead += z * rows * m->pitch;
  part.rows = rows;
  return part;
}

/* ---- the definition, on the host ---- */

#define DEFINE_CHAIN(T, U, FMA, NAN_BITS)                                                                             \
  static T canonical_##T(T x) {                                                                                       \
    const U bits = NAN_BITS;                                                                                          \
    if (x != x) memcpy(&x, &bits, sizeof x);                                                                          \
    return x;                                                                                                         \
  }                                                                                                                   \
  static void chain_##T(const matrix *a, bool ta, const matrix *b, bool tb, size_t k, T alpha, T beta, matrix *c) {   \
    const T *pa = a->host, *pb = b->host;                                                                             \
    T *pc = c->host;                                                                                                  \
    for (size_t i = 0; i < c->rows; i++)                                                                              \
      for (size_t j = 0; j < c->columns; j++) {                                                                       \
        T s = 0, *r = pc + matrix_at(c, i, j);                                                                        \
        for (size_t l = 0; l < k; l++)                                                                                \
          s = FMA(pa[ta ? matrix_at(a, l, i) : matrix_at(a, i, l)], pb[tb ? matrix_at(b, j, l) : matrix_at(b, l, j)], \
                  s);                                                                                                 \
        if (k == 0 || alpha == 0) *r = beta == 1 ? *r : beta == 0 ? 0 : canonical_##T(beta * *r);                     \
        else if (beta == 0) *r = canonical_##T(alpha * s);                                                            \
        else {                                                                                                        \
          const T scaled = beta * *r;                                                                                 \
          *r = canonical_##T(FMA(alpha, s, scaled));                                                                  \
        }                                                                                                             \
      }                                                                                                               \
  }
DEFINE_CHAIN(float, uint32_t, fmaf, 0x7fc00000u)
DEFINE_CHAIN(double, uint64_t, fma, 0x7ff8000000000000u)

void matrix_product(const matrix *a, bool ta, const matrix *b, bool tb, size_t k, double alpha, double beta,
                    matrix *c) {
  if (c->dtype == CLIV_F64) chain_double(a, ta, b, tb, k, alpha, beta, c);
  else chain_float(a, ta, b, tb, k, (float)alpha, (float)beta, c);
}

float matrix_canonical(float x) { return canonical_float(x); }

/* ---- what a device can ---- */

bool matrix_keeps_subnormals(cliv_context *ctx) {
  cl_device_fp_config config = 0;
  ASSERT_CL(clGetDeviceInfo(cliv_context_cl_device(ctx), CL_DEVICE_SINGLE_FP_CONFIG, sizeof config, &config, NULL));
  return config & CL_FP_DENORM;
}

contents matrix_hardest(cliv_context *ctx, size_t i) {
  return !matrix_keeps_subnormals(ctx) ? NORMAL : i % 5 == 4 ? WILD : i % 5 == 3 ? TINY : NORMAL;
}

bool matrix_small(cliv_context *ctx) { return test_small() || !matrix_keeps_subnormals(ctx); }
