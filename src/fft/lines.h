/* The CPU walk for lines that lie one behind the other, a line at a time: cl/fft_line.cl. */
#ifndef CLIV_FFT_LINES_H
#define CLIV_FFT_LINES_H

#include "fft/exact.h"
#include "fft/plan.h"

/* done: whether the walk does this axis; where not, nothing was launched. */
cliv_status cliv__fft_lines(cliv_context *ctx, const cliv__fft_plan *plan, const cliv__fft_axis *axis,
                            const cliv_sync *sync, bool *done);

#endif
