/* Products of strided views (cliv_tensor_view_strided): the same products of tensors that rows and a pitch describe. */
#ifndef CLIV_BLAS_STRIDED_H
#define CLIV_BLAS_STRIDED_H

#include <cliv/blas.h>

#include "runtime/tensor.h"

/* Called by the public functions of these names, after their checks for NULL, where one of the tensors is strided. */
cliv_status cliv__strided_gemm(cliv_context *ctx, bool trans_a, bool trans_b, double alpha, const cliv_tensor *a,
                               const cliv_tensor *b, double beta, cliv_tensor *c, const cliv_blas_options *options,
                               const cliv_sync *sync);
cliv_status cliv__strided_gemv(cliv_context *ctx, bool trans_a, double alpha, const cliv_tensor *a,
                               const cliv_tensor *x, double beta, cliv_tensor *y, const cliv_blas_options *options,
                               const cliv_sync *sync);
cliv_status cliv__strided_ger(cliv_context *ctx, double alpha, const cliv_tensor *x, const cliv_tensor *y,
                              cliv_tensor *a, const cliv_blas_options *options, const cliv_sync *sync);

#endif
