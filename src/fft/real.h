/* The halved axis of transforms of real numbers: between real numbers and the complex ones that hold them. */
#ifndef CLIV_FFT_REAL_H
#define CLIV_FFT_REAL_H

#include "fft/exact.h"

/* axis->length: of the real line, n; inverse: from n/2 + 1 complex numbers at x to n real ones at y, which may not be
 * scaled later (`last`); otherwise from real ones at x to complex ones at y. x and y are apart. Within
 * cliv__stage_begin and end. */
cliv_status cliv__fft_real(cliv_context *ctx, const cliv__fft_axis *axis, const cliv_sync *sync);

/* Cosine and sine transforms of type II, or with axis->inverse of type III: factors of cl/fft_dct.cl. */
typedef struct cliv__fft_cosines {
  double first, rest; /* of k = 0, of the others */
  bool sine;
} cliv__fft_cosines;

/* All that comes before and behind together with the transform, a line at a time; cosines: NULL: real numbers. done:
 * whether the CPU walk does this axis so; where not, nothing was launched. */
cliv_status cliv__fft_real_lines(cliv_context *ctx, const cliv__fft_axis *axis, const cliv__fft_cosines *cosines,
                                 const cliv_sync *sync, bool *done);

#endif
