/* The CPU walk for lines that lie one behind the other, a line at a time: cl/fft_line.cl. */
#ifndef CLIV_FFT_LINES_H
#define CLIV_FFT_LINES_H

#include "fft/exact.h"
#include "fft/plan.h"

/* The radices between the first and the last, a byte each: those of parts that stay near, then those of the whole. */
typedef struct cliv__fft_middle {
  cl_ulong near, far;
  cl_uint size; /* of a near part, in blocks */
  cl_uint end;  /* the last radix */
} cliv__fft_middle;
cliv__fft_middle cliv__fft_middle_of(const cliv__fft_plan *plan);

/* Whether so many lines, and such, are for a line at a time, when their length is. */
bool cliv__fft_by_lines(const cliv_context *ctx, const cliv__fft_axis *axis, size_t length);
/* How many of them a work-item does. */
cliv__range cliv__fft_share_lines(const cliv_context *ctx, cl_ulong lines, cl_ulong *share);

/* done: whether the walk does this axis; where not, nothing was launched. */
cliv_status cliv__fft_lines(cliv_context *ctx, const cliv__fft_plan *plan, const cliv__fft_axis *axis,
                            const cliv_sync *sync, bool *done);

#endif
