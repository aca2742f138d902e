/* What a maker of convolutions must offer. conv.c checks and takes out what has no elements. */
#ifndef CLIV_BLAS_CONV_H
#define CLIV_BLAS_CONV_H

#include <cliv/conv.h>

#include "runtime/axes.h"

/* One convolution, in two dimensions; of dense tensors. What it is about is in the order height, width. */
typedef struct cliv__conv {
  cliv_dtype dtype;
  cl_ulong images, groups, c, o; /* channels of a group */
  cl_ulong data[2], kernel[2], result[2];
  cl_long stride[2], padding[2], dilation[2];
  cliv__origin x, w, bias, y; /* or their gradients; bias.mem NULL: none */
} cliv__conv;

/* Each enqueues, does not block, waits for and signals `sync`, and keeps none of the pointers. The result is y, x and w
 * in turn; it has elements. */
typedef cliv_status cliv__conv_function(cliv_context *ctx, const cliv__conv *v, const cliv_sync *sync);
cliv__conv_function cliv__exact_conv, cliv__exact_conv_data, cliv__exact_conv_weight;
/* Of one group and without bias alone. */
#ifdef CLIV_HAVE_CLBLAST
cliv__conv_function cliv__clblast_conv;
#endif

/* A result of sums of nothing. */
cliv_status cliv__conv_zeros(cliv_context *ctx, cliv_dtype dtype, const cliv__origin *out, cl_ulong count,
                             const cliv_sync *sync);

#endif
