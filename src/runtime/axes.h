/* A tensor's axes as a kernel walks them: those of extent 1 left out, neighbours that lie in memory as one merged
 * into one. */
#ifndef CLIV_RUNTIME_AXES_H
#define CLIV_RUNTIME_AXES_H

#include "runtime/tensor.h"

typedef struct cliv__axis {
  size_t extent, stride; /* elements from one index to the next */
  size_t stride_y;       /* the same of a second tensor of the same shape; 0 without one */
  bool marked;
} cliv__axis;

/* Axis d is marked where bit d of `marks` is set; marked and unmarked axes are never merged. y may be NULL. Gives the
 * count, outermost first. */
int cliv__axes(const cliv_tensor *x, const cliv_tensor *y, unsigned marks, cliv__axis out[CLIV_MAX_DIMS]);

typedef struct cliv__origin {
  cl_mem mem;
  cl_ulong first; /* element */
} cliv__origin;

/* Copies what lies at `from` with the axes' strides to `to` with their strides of y. */
cliv_status cliv__copy_axes(cliv_context *ctx, cliv_dtype dtype, const cliv__origin *from, const cliv__origin *to,
                            const cliv__axis *axes, int count, const cliv_sync *sync);

/* Copies x, unmarked axes first, then the marked ones, both in their order, densely to the beginning of `to`. */
cliv_status cliv__gather_axes(cliv_context *ctx, const cliv_tensor *x, const cliv__axis *axes, int count, bool of_y,
                              cl_mem to, const cliv_sync *sync);

#endif
