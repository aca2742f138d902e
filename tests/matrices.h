/* Matrices in guarded memory, and their products by the definition of cliv/blas.h, on the host. */
#ifndef CLIV_TESTS_MATRICES_H
#define CLIV_TESTS_MATRICES_H

#include "support.h"

typedef enum contents {
  NORMAL,
  TINY, /* products underflow to zeros of both signs and to subnormals */
  WILD, /* any bits: infinities, NaNs, subnormals */
  NANS
} contents;

/* rows × columns at a pitch, some elements into a guarded buffer. host holds the buffer's elements, gaps included. */
typedef struct matrix {
  size_t rows, columns, pitch, lead, total;
  cliv_dtype dtype;
  void *host;
  test_guarded base;
  cliv_tensor *view;
} matrix;

matrix matrix_make(cliv_context *ctx, cliv_dtype dtype, size_t rows, size_t columns, size_t gap, size_t lead,
                   contents what, uint64_t seed);
void matrix_free(matrix *m);

/* The host's element (i, j). */
static inline size_t matrix_at(const matrix *m, size_t i, size_t j) { return m->lead + i * m->pitch + j; }
/* Rows z·rows … of a matrix that holds a batch: the host's side alone. */
matrix matrix_part(const matrix *m, size_t z, size_t rows);

/* C = alpha op(A) op(B) + beta C on the host, to the bit. */
void matrix_product(const matrix *a, bool ta, const matrix *b, bool tb, size_t k, double alpha, double beta, matrix *c);
/* x, or the canonical NaN. */
float matrix_canonical(float x);

/* Where the device keeps no subnormals, the bits of those are outside the definition. Such devices emulate fma, too
 * (Mesa's llvmpipe), and take a hundred times as long. */
bool matrix_keeps_subnormals(cliv_context *ctx);
/* Contents of case i: as hard as the device's bits are defined for. */
contents matrix_hardest(cliv_context *ctx, size_t i);
/* Whether sizes are to be small. */
bool matrix_small(cliv_context *ctx);

#endif
