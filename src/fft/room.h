/* Dense tensors in scratch memory, for what is made of transforms. */
#ifndef CLIV_FFT_ROOM_H
#define CLIV_FFT_ROOM_H

#include "runtime/tensor.h"

/* A tensor in slot `slot` of runtime/scratch.h, which owns nothing: it is not freed. The shape's size was checked. */
cliv_status cliv__fft_room(cliv_context *ctx, int slot, cliv_dtype dtype, int ndim, const size_t *shape,
                           cliv_tensor *out);

#endif
