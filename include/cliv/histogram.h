/* cliv/histogram.h: how many elements fall into each of n equal bins. */
#ifndef CLIV_HISTOGRAM_H
#define CLIV_HISTOGRAM_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Counts x's elements in `bins` bins from low to high, as NumPy's histogram does with the elements in float64.
 * Asynchronous.
 *
 * x       any dtype and shape, dense
 * counts  int64, [bins]; overlaps nothing
 *
 * Edge i is low + i · ((high − low) / bins) in double, the last is high. Bin i has the elements from edge i on to
 * before edge i + 1, the last one those equal to high as well. What lies outside, and NaN, is not counted. Elements
 * are compared with the edges exactly, so that the counts are the same everywhere; float atomics there are none. NumPy
 * rounds an int64 beyond 2⁵³ to float64 first.
 *
 * Fails with NULL, VALUE (no bins; low or high not finite, or not low < high; their distance not finite), DTYPE,
 * SHAPE, LAYOUT, OVERLAP. */
CLIV_API cliv_status cliv_histogram(cliv_context *ctx, const cliv_tensor *x, size_t bins, double low, double high,
                                    cliv_tensor *counts, const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
