/* The project's own transforms, as src/fft/fft.c asks for them. */
#ifndef CLIV_FFT_EXACT_H
#define CLIV_FFT_EXACT_H

#include "runtime/launch.h"

/* Complex numbers from a float's index on. */
typedef struct cliv__fft_place {
  cl_mem mem;
  cl_ulong first;
} cliv__fft_place;

/* One axis of a transform: `outer` times `length` numbers that lie `inner` apart. */
typedef struct cliv__fft_axis {
  cliv__fft_place x, y; /* the same place, or apart */
  cl_ulong outer, length, inner;
  bool inverse;
  bool last; /* results are stored: multiplied by scale, NaNs canonical */
  float scale;
  bool wide;         /* doubles: the kernels of src/fft/wide.c, places in doubles … */
  double wide_scale; /* … and the factor */
} cliv__fft_axis;

/* Complex numbers that an axis goes through, in bytes. */
static inline size_t cliv__fft_pair(const cliv__fft_axis *a) {
  return a->wide ? sizeof(cl_double2) : sizeof(cl_float2);
}

/* Within cliv__stage_begin and end. */
cliv_status cliv__fft_wide(cliv_context *ctx, const cliv__fft_axis *axis, const cliv_sync *sync);
cliv_status cliv__fft_exact(cliv_context *ctx, const cliv__fft_axis *axis, const cliv_sync *sync);

#endif
