/* The halved axis of transforms of real numbers: between real numbers and the complex ones that hold them. */
#ifndef CLIV_FFT_REAL_H
#define CLIV_FFT_REAL_H

#include "fft/exact.h"

/* axis->length: of the real line, n; inverse: from n/2 + 1 complex numbers at x to n real ones at y, which may not be
 * scaled later (`last`); otherwise from real ones at x to complex ones at y. x and y are apart. Within
 * cliv__stage_begin and end. */
cliv_status cliv__fft_real(cliv_context *ctx, const cliv__fft_axis *axis, const cliv_sync *sync);

#endif
