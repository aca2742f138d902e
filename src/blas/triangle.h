/* Products and equations with triangular and symmetric matrices, by gemm and what cl/triangle.cl does on the diagonal.
 * Of stacks of equal matrices, float32 or float64; nothing here checks. */
#ifndef CLIV_BLAS_TRIANGLE_H
#define CLIV_BLAS_TRIANGLE_H

#include "blas/factor.h"

/* op(T), a side of a product: the left one of op(T) X, or the right one of X op(T). */
typedef struct cliv__triangle {
  cliv__stack t;
  bool right, upper, trans, unit;
} cliv__triangle;

/* out = alpha op(T) B, or alpha B op(T). out: B itself, or apart. */
cliv_status cliv__triangle_multiply(cliv_context *ctx, const cliv__triangle *t, double alpha, const cliv__stack *b,
                                    const cliv__stack *out);
/* X = op(T)⁻¹ X, or X op(T)⁻¹. */
cliv_status cliv__triangle_solve(cliv_context *ctx, const cliv__triangle *t, const cliv__stack *x);
/* The same for a triangle of at most CLIV__TRIANGLE_BLOCK rows: one launch. */
enum { CLIV__TRIANGLE_BLOCK = 32 }; /* as in cl/triangle.cl */
cliv_status cliv__triangle_solve_block(cliv_context *ctx, const cliv__triangle *t, const cliv__stack *x);
/* The same in the CPU walk, for so many vectors that every thread has some: whether these are, and the solution of
 * those that are given, in memory for all of them and for 256 lines of every triangle. */
bool cliv__triangle_has_panels(const cliv_context *ctx, const cliv__triangle *t, const cliv__stack *x);
cliv_status cliv__triangle_solve_panels(cliv_context *ctx, const cliv__triangle *t, const cliv__stack *x);

/* C = alpha op(A) op(A)' + beta C in its lower triangle, or its upper one. alpha is not 0, and something is summed. */
cliv_status cliv__triangle_square(cliv_context *ctx, bool upper, bool trans, double alpha, const cliv__stack *a,
                                  double beta, const cliv__stack *c);
/* C = alpha S B + beta C, or alpha B S + beta C, for a symmetric S of which one triangle is stored. */
cliv_status cliv__triangle_symmetric(cliv_context *ctx, bool right, bool upper, double alpha, const cliv__stack *s,
                                     const cliv__stack *b, double beta, const cliv__stack *c);

/* out = alpha s, or fma(alpha, s, beta out), in the part (CLIV__PART_…); s NULL: beta out, of a sum of nothing. */
cliv_status cliv__stack_finish(cliv_context *ctx, int part, double alpha, const cliv__stack *s, double beta,
                               const cliv__stack *out);

#endif
