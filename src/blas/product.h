/* What the public functions of blas.c and batch.c share. */
#ifndef CLIV_BLAS_PRODUCT_H
#define CLIV_BLAS_PRODUCT_H

#include "blas/provider.h"

/* The shapes and types of one product, or of a batch of them: fills *g but for its factors and matrices. The tensors
 * are of two axes or three. */
cliv_status cliv__check_product(cliv_context *ctx, bool trans_a, bool trans_b, const cliv_tensor *a,
                                const cliv_tensor *b, const cliv_tensor *c, cliv__gemm *g);
/* A factor as the type has it. */
double cliv__blas_rounded(cliv_dtype dtype, double x);
/* The options in full, and the provider that they ask of a product of matrices. */
cliv_status cliv__blas_choose(cliv_context *ctx, const cliv_blas_options *options, cliv_blas_options *own,
                              const cliv__blas_provider **out);
/* A tensor of rows of one pitch, of two axes or three. */
cliv__matrix cliv__matrices_of(const cliv_tensor *t);

/* The product of checked tensors of any layout, and what follows it; g without its matrices. */
cliv_status cliv__multiply(cliv_context *ctx, const cliv__blas_provider *provider, const cliv__gemm *g,
                           const cliv_tensor *a, const cliv_tensor *b, const cliv_tensor *c, const cliv_sync *sync);

#endif
