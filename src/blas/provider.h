/* What a maker of matrix products must offer. blas.c checks the arguments, takes out what needs no provider (empty
 * results, nothing to sum), chooses one, and calls it; exact.c and clblast.c are the two there are.
 */
#ifndef CLIV_BLAS_PROVIDER_H
#define CLIV_BLAS_PROVIDER_H

#include <cliv/blas.h>

#include "runtime/launch.h"

/* A matrix as it lies in memory, row-major, in elements. Never empty, mem never NULL. */
typedef struct cliv__matrix {
  cl_mem mem;
  cl_ulong first, rows, columns, pitch;
  cl_ulong each; /* of a batch: from one matrix to the next; 0: one for all */
} cliv__matrix;

/* A vector of `count` elements, `step` apart. Never empty, mem never NULL. */
typedef struct cliv__vector {
  cl_mem mem;
  cl_ulong first, count, step;
} cliv__vector;

enum { CLIV__PART_ALL, CLIV__PART_LOWER, CLIV__PART_UPPER };   /* of a square matrix: as in cl/blas.cl */
enum { CLIV__BIAS_NONE, CLIV__BIAS_COLUMNS, CLIV__BIAS_ROWS }; /* as in cl/blas.cl */

/* A product C = alpha op(A) op(B) + beta C: C is m × n, the sum is over k. None of m, n, k is 0, alpha is not 0.
 * alpha and beta are already rounded to the dtype. Or a batch of so many such products, of matrices `each` apart, or
 * that begin at the listed elements of a, b and c in turn, three a product. */
typedef struct cliv__gemm {
  cliv_dtype dtype;
  bool trans_a, trans_b;
  cl_ulong m, n, k;
  double alpha, beta;
  cliv__matrix a, b, c;
  cl_ulong batch;         /* 0: 1 */
  const cl_ulong *places; /* NULL: `each` apart; firsts do not count otherwise */
  /* exact alone: C holds the sums over values of k before these, made with alpha 1 and beta 0, and its chains go on
   * from them; alpha is 1 and beta 0 here, too. */
  bool resumes;
  /* What follows the factors: C = activation(C + bias); a vector of n, or of m, with step 1. */
  cliv__vector bias;
  cl_uint bias_along; /* CLIV__BIAS_… */
  cliv_activation activation;
} cliv__gemm;

/* Products z … z + count - 1 of a batch. */
static inline cliv__gemm cliv__gemm_part(const cliv__gemm *g, cl_ulong z, cl_ulong count) {
  cliv__gemm part = *g;
  cliv__matrix *const matrix[] = {&part.a, &part.b, &part.c};
  part.batch = count;
  if (g->places) part.places += 3 * z;
  for (int i = 0; i < 3; i++) matrix[i]->first = g->places ? part.places[i] : matrix[i]->first + z * matrix[i]->each;
  if (count == 1) part.places = NULL;
  return part;
}

/* y = alpha op(A) x + beta y: m elements of y, k of x. The same promises. */
typedef struct cliv__gemv {
  cliv_dtype dtype;
  bool trans_a;
  cl_ulong m, k;
  double alpha, beta;
  cliv__matrix a;
  cliv__vector x, y;
  cliv_dtype narrow; /* A's own, where that is float16 or bfloat16; else not looked at */
} cliv__gemv;

/* syrk, symm, trmm, trsm, of stacks of equal matrices (blas/factor.h) and never empty: A is triangular or symmetric, or
 * syrk's operand; B is what it is multiplied with, not used by syrk; C is the result. alpha is not 0, nor is what is
 * summed of syrk; both are already rounded. */
typedef struct cliv__level3 {
  bool right, upper, trans, unit;
  double alpha, beta; /* beta: syrk, symm */
  const struct cliv__stack *a, *b, *c;
} cliv__level3;
typedef cliv_status cliv__level3_function(cliv_context *ctx, const cliv__level3 *op, const cliv_sync *sync);

/* Every member: called by blas.c and level3.c only; enqueues and does not block (but may compile on its first call);
 * waits for and signals `sync` (may be NULL); leaves the result as it was when it fails before its first launch; keeps
 * none of the pointers. Memory belongs to the caller. The arguments are checked, of one dtype (float32 or float64; or
 * as `narrow` says), and C (y, A of ger) overlaps nothing that is read. */
typedef struct cliv__blas_provider {
  const char *name; /* for sentences and listings */
  bool narrow;      /* ger and axpy take float16 and bfloat16, and gemv such an A */
  cliv_status (*gemm)(cliv_context *ctx, const cliv__gemm *g, const cliv_sync *sync);
  cliv_status (*gemv)(cliv_context *ctx, const cliv__gemv *g, const cliv_sync *sync);
  /* A += alpha x y'; alpha is not 0. */
  cliv_status (*ger)(cliv_context *ctx, cliv_dtype dtype, double alpha, const cliv__vector *x, const cliv__vector *y,
                     const cliv__matrix *a, const cliv_sync *sync);
  /* Y += alpha X over matrices of the same rows and columns; alpha is not 0. */
  cliv_status (*axpy)(cliv_context *ctx, cliv_dtype dtype, double alpha, const cliv__matrix *x, const cliv__matrix *y,
                      const cliv_sync *sync);
  /* NULL: it has none. C of trmm and trsm may be B. */
  cliv__level3_function *syrk, *symm, *trmm, *trsm;
} cliv__blas_provider;

extern const cliv__blas_provider cliv__blas_exact;
#ifdef CLIV_HAVE_CLBLAST
extern const cliv__blas_provider cliv__blas_clblast;
#endif

/* C = beta C (+0 where beta is 0) by the exact provider's kernel: what a product that sums nothing comes to. */
cliv_status cliv__blas_scale(cliv_context *ctx, cliv_dtype dtype, double beta, const cliv__matrix *c,
                             const cliv_sync *sync);

#endif
