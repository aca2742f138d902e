/* What the factorisations share: stacks of equal matrices, their products, and what is done element by element. */
#ifndef CLIV_BLAS_FACTOR_H
#define CLIV_BLAS_FACTOR_H

#include <cliv/factor.h>

#include "blas/exact.h"

/* `count` equal matrices as they lie in memory, row-major, in elements: (b,i,j) at first + b·each + i·pitch + j. */
typedef struct cliv__stack {
  cl_mem mem;
  cl_ulong first, count, rows, columns, pitch, each;
  cliv_dtype dtype; /* CLIV_F32, which is 0, unless said otherwise */
} cliv__stack;

/* A tensor of two or three axes. */
cliv__stack cliv__stack_of(const cliv_tensor *t);
/* Dense, in a slot of the context's scratch memory. */
cliv_status cliv__stack_scratch(cliv_context *ctx, int slot, cl_ulong count, cl_ulong rows, cl_ulong columns,
                                cliv__stack *out);
/* The same of any dtype. */
cliv_status cliv__stack_room(cliv_context *ctx, int slot, cliv_dtype dtype, cl_ulong count, cl_ulong rows,
                             cl_ulong columns, cliv__stack *out);
/* Some of the matrices. */
cliv__stack cliv__stack_some(const cliv__stack *s, cl_ulong first, cl_ulong count);
/* A block of each matrix. */
cliv__stack cliv__stack_block(const cliv__stack *s, cl_ulong row, cl_ulong column, cl_ulong rows, cl_ulong columns);

/* C = alpha op(A) op(B) + beta C, matrix by matrix, by the provider `exact`; C overlaps neither. An empty sum leaves
 * beta C. */
cliv_status cliv__stack_product(cliv_context *ctx, bool trans_a, bool trans_b, double alpha, const cliv__stack *a,
                                const cliv__stack *b, double beta, const cliv__stack *c, const cliv_sync *sync);

/* C holds sums, made with alpha 1 and beta 0, and they go on by op(A) op(B). */
cliv_status cliv__stack_resume(cliv_context *ctx, bool trans_a, bool trans_b, const cliv__stack *a,
                               const cliv__stack *b, const cliv__stack *c);

/* out = combine(x), element by element; see cl/factor.cl. `choices`: its -D options. terms: of CLIV__TERMS floats a
 * matrix, NULL unless the choices read it. old, out: x's rows and columns (exchanged by TRANSPOSED). */
enum { CLIV__TERMS = 4 };
typedef struct cliv__combination {
  const char *choices;
  const cliv__stack *x;
  double factor, old_factor, shift; /* used by the choices that name them, rounded to float32 */
  cl_mem terms;
} cliv__combination;
cliv_status cliv__stack_combine(cliv_context *ctx, const cliv__combination *c, const cliv__stack *out,
                                const cliv_sync *sync);

/* ‖X‖ of every matrix of a dense stack, by cliv/reduce.h, to a buffer of `count` floats. */
cliv_status cliv__stack_norms(cliv_context *ctx, const cliv__stack *x, cl_mem out);
/* The largest magnitude, in the same way. */
cliv_status cliv__stack_largest(cliv_context *ctx, const cliv__stack *x, cl_mem out);
/* x · y of every matrix of two dense stacks, in the same way. */
cliv_status cliv__stack_dots(cliv_context *ctx, const cliv__stack *x, const cliv__stack *y, cl_mem out);

/* Work-items for rows × columns elements: in the CPU walk one a row. */
cliv__range cliv__stack_elements(const cliv_context *ctx, cl_ulong rows, cl_ulong columns);
/* Work-items, one a matrix, for kernels of scalars. */
cliv__range cliv__stack_range(const cliv_context *ctx, const cliv__stack *x);

/* A square matrix, or a batch of them. */
cliv_status cliv__check_square(cliv_context *ctx, const char *name, const cliv_tensor *t);
/* Same shapes. */
cliv_status cliv__check_alike(cliv_context *ctx, const char *name, const cliv_tensor *from, const cliv_tensor *to);
/* A = Q R into stacks of the caller's, m × n with m >= n, q dense; r is n × n, or NULL. */
cliv_status cliv__stack_qr(cliv_context *ctx, const cliv__stack *a, const cliv__stack *q, const cliv__stack *r,
                           const cliv_sync *sync);

/* The flat list's part that all of them share: of two tensors that are not NULL. `name`: of the function, for
 * sentences. */
cliv_status cliv__check_matrices(cliv_context *ctx, const char *name, const cliv_tensor *t);
/* May be the same place, or apart. */
cliv_status cliv__check_apart(cliv_context *ctx, const char *name, const cliv_tensor *from, const cliv_tensor *to);

#endif
