/* What a maker of transforms is asked. fft.c checks the arguments and chooses who computes them: the library's own
 * kernels, an axis after the other (exact.h, real.h), or clFFT. */
#ifndef CLIV_FFT_PROVIDER_H
#define CLIV_FFT_PROVIDER_H

#include <cliv/fft.h>

#include "fft/exact.h"

/* Complex to complex; real to half as many complex; and back. */
typedef enum cliv__fft_form { CLIV__FFT_COMPLEX, CLIV__FFT_FROM_REAL, CLIV__FFT_TO_REAL } cliv__fft_form;

/* Checked: nothing is empty, axes differ, lengths are within bounds, tensors fit. */
typedef struct cliv__fft_request {
  cliv__fft_form kind;
  const char *name; /* of the public call */
  const cliv_tensor *x;
  cliv_tensor *out;
  cliv_fft_options o;
  int ndim;                    /* of the array of numbers, real or complex … */
  size_t shape[CLIV_MAX_DIMS]; /* … and its shape: of the real one where there is one */
  int count, axes[CLIV_MAX_DIMS];
  double scale;
} cliv__fft_request;

/* Numbers along an axis of the complex array. */
size_t cliv__fft_complex_length(const cliv__fft_request *q, int axis);

/* One axis of a request, from x to y. */
cliv__fft_axis cliv__fft_request_axis(const cliv__fft_request *q, int axis, cliv__fft_place x, cliv__fft_place y,
                                      bool last);

typedef cliv_status cliv__fft_transform(cliv_context *ctx, const cliv__fft_request *q, const cliv_sync *sync);

/* Whether clFFT can be asked at all: in this build, these lengths and this type. Otherwise a sentence. */
cliv_status cliv__fft_clfft_takes(cliv_context *ctx, const cliv__fft_request *q);
/* Dense tensors by clFFT. Nothing that the caller sees is enqueued before all plans are made and proven; blocks for
 * that the first time. Under AUTO no plan is tried in this process that no child has tried. */
cliv__fft_transform cliv__fft_clfft;
/* That alone: whether the plans and the memory are there, so that they are when the transform follows. */
cliv_status cliv__fft_clfft_ready(cliv_context *ctx, const cliv__fft_request *q);
/* Keeps what clFFT has compiled until the context is freed. */
void cliv__fft_clfft_hold(cliv_context *ctx);

/* Tensors of any strides: by the library's own kernels, all launches or none; by clFFT, plans first, then copies. Set
 * who transformed last. */
cliv__fft_transform cliv__fft_by_exact, cliv__fft_by_clfft;

/* Who computes the request: what its options say, or what was measured for its like on this device. */
cliv_status cliv__fft_choose(cliv_context *ctx, const cliv__fft_request *q, cliv_fft_provider *out);
/* The measurement alone, whatever the device: CLFFT where it was faster. The first time it computes the transform on
 * tensors and a queue of its own, several times by each. */
cliv_fft_provider cliv__fft_measured(cliv_context *ctx, const cliv__fft_request *q);
/* AUTO takes exact for the request's like from here on, in this context: clFFT failed, as the last error says. */
void cliv__fft_avoid_clfft(cliv_context *ctx, const cliv__fft_request *q);

#endif
