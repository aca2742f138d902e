/* Transforms of the provider exact, in guarded memory, judged by references in double that are written apart from the
 * library. */
#ifndef CLIV_TESTS_FFT_SUPPORT_H
#define CLIV_TESTS_FFT_SUPPORT_H

#include <cliv/fft.h>

#include "support.h"

/* Options of the provider exact, since bits and bounds are its own: on a GPU, AUTO may take another. */
#define EXACT(...) \
  &(cliv_fft_options) { .provider = CLIV_FFT_PROVIDER_EXACT, __VA_ARGS__ }

bool fft_has_other_factors(size_t n); /* than 2, 3 and 5 */
/* The error that the manual promises to be below, of float32. */
double fft_bound(size_t n);

/* The transform of n complex numbers, `stride` apart, with exp(sign·2πi·jk/n): the sum itself, and for long lengths a
 * recursion by least factors with the C library's sine and cosine. */
void fft_reference(const double *x, size_t n, size_t stride, double sign, double *out);
double *fft_widened(const float *x, size_t n);
/* ||got - want·scale|| / ||want·scale|| of n complex numbers. */
double fft_error(const float *got, const double *want, size_t n, double scale);

/* x's transform, malloc'd. x begins `shift` elements into its memory; what lies around, and x where it is not the
 * result too, must stay. */
float *fft_transform(cliv_context *ctx, const float *x, int ndim, const size_t *shape, const cliv_fft_options *o,
                     size_t shift, bool in_place);
/* Lines of length n in every way: errors of the first way by the reference, of the first line and the last; bits of the
 * others by the first. */
void fft_try_length(const test_ways *c, size_t lines, size_t n, const cliv_fft_options *o);

bool fft_has_doubles(cliv_context *ctx);
/* One way of each walk. */
test_ways fft_both_walks(const test_ways *c);

#endif
