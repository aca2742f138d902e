/* The axes that a call names, of real tensors. */
#ifndef CLIV_FFT_AXES_H
#define CLIV_FFT_AXES_H

#include "fft/exact.h"
#include "runtime/tensor.h"

typedef struct cliv__fft_axes {
  int count, axis[CLIV_MAX_DIMS]; /* from 0 on */
} cliv__fft_axes;

/* For the flat list of checks: `count` axes (0: the last) of what has `ndim`, each in range and named once, from 0 on
 * in out. `name` begins the sentences, `what` names what has them. */
cliv_status cliv__fft_read_axes(cliv_context *ctx, const char *name, const char *what, int ndim, int count,
                                const int *axes, int *out_count, int *out);

/* The same: `count` axes of x (0: the last), each in range, named once, from 1 to 2^26 long. `name`
 * begins the sentences. */
cliv_status cliv__fft_take_axes(cliv_context *ctx, const char *name, const cliv_tensor *x, int count, const int *axes,
                                cliv__fft_axes *out);

/* Dense x along an axis, with a factor of 1, from and to nowhere yet. */
cliv__fft_axis cliv__fft_axis_of(const cliv_tensor *x, int axis);

#endif
