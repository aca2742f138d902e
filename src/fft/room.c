/* Tensors over scratch memory. */
#include "fft/room.h"

#include "runtime/scratch.h"

cliv_status cliv__fft_room(cliv_context *ctx, int slot, cliv_dtype dtype, int ndim, const size_t *shape,
                           cliv_tensor *out) {
  cliv_tensor t = {.ctx = ctx, .dtype = dtype, .ndim = ndim, .count = 1};
  for (int d = ndim - 1; d >= 0; d--) {
    t.shape[d] = shape[d];
    t.strides[d] = t.count;
    t.count *= shape[d];
  }
  t.columns = t.pitch = ndim ? shape[ndim - 1] : 1;
  t.rows = t.count / t.columns;
  t.span = t.count * cliv_dtype_size(dtype);
  *out = t;
  return cliv__scratch(ctx, slot, t.span, &out->mem);
}
