/* cliv/spectral.h: what is made of transforms of real numbers: convolution, correlation, Laplacian smoothing.
 *
 *   cliv_fft_convolve(ctx, x, y, out, NULL, NULL);                         every row of x with every row of y, in full
 *   cliv_convolve_options plane = {.mode = CLIV_CONVOLVE_SAME, .axis_count = 2, .axes = (int[]){-2, -1}};
 *   cliv_fft_convolve(ctx, image, kernel, out, &plane, NULL);
 *   cliv_fft_smooth(ctx, g, g, &(cliv_smooth_options){.strength = 1}, NULL);
 *
 * Tensors are of float32, or of float64 where the device has it. Everything is enqueued in the context's order; nothing
 * here blocks, but for kernels and tables as in cliv/fft.h. Bits are the same on every device, in both walks, and of
 * whatever strides (the transforms are those of the provider exact); a NaN that is stored is the canonical one, and one
 * in a line makes all of the line NaN. Beside the errors named with each, those from below: HOST_MEMORY, DEVICE_MEMORY,
 * OPENCL, BUILD. A call that fails before its work is enqueued has changed nothing.
 */
#ifndef CLIV_SPECTRAL_H
#define CLIV_SPECTRAL_H

#include <cliv/fft.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of the whole convolution, n + m - 1 long where x is n and y is m: */
typedef enum cliv_convolve_mode {
  CLIV_CONVOLVE_FULL = 0, /* all of it */
  CLIV_CONVOLVE_SAME,     /* n, from the middle: from (m - 1)/2 on, rounded down */
  CLIV_CONVOLVE_VALID     /* n - m + 1, those that see all of y: m must not be greater than n */
} cliv_convolve_mode;

typedef struct cliv_convolve_options {
  size_t size; /* sizeof(cliv_convolve_options) of the caller; 0: this version's */
  cliv_convolve_mode mode;
  int correlate;   /* 1: y backwards, as scipy.signal.correlate has it */
  int axis_count;  /* 1 to 3; 0: the last axis */
  const int *axes; /* negative ones from the end. Read in the call */
} cliv_convolve_options;

/* "full", "same", "valid" and back; "?" for a value that is no mode, status NAME for a name that is none. */
CLIV_API const char *cliv_convolve_mode_name(cliv_convolve_mode mode);
CLIV_API cliv_status cliv_convolve_mode_parse(const char *name, cliv_convolve_mode *out) CLIV_MUST_CHECK;

/* out[i] = Σ x[j]·y[i - j] along the axes, or with `correlate` Σ x[j]·y[m - 1 - i + j], i as the mode counts. x, y and
 * out have equally many axes; along those not named x's and y's lengths are equal or one of them is 1, and used for
 * all. Views of any pitch and strides; out overlaps neither x nor y.
 *
 * Both are padded with zeros to the next length 2^a·3^b·5^c from n + m - 1 on, transformed (cliv_rfft), multiplied, and
 * transformed back: errors are of 1e-6 of the product of x's and y's Euclidean lengths at most, however small a result
 * is beside them. Scratch memory: six to seven times the padded size. options, sync: may be NULL. Asynchronous. Fails
 * with NULL, DTYPE (not one of float32 and float64), SHAPE (counts of axes, or more than 7; lengths that do not fit, a
 * length of 0 along an axis, an n + m - 1 beyond 2^26), VALUE (the mode, more than three axes, one out of range or
 * named twice, tensors of another context, the options' size), OVERLAP. */
CLIV_API cliv_status cliv_fft_convolve(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *y, cliv_tensor *out,
                                       const cliv_convolve_options *options, const cliv_sync *sync) CLIV_MUST_CHECK;

typedef struct cliv_smooth_options {
  size_t size;     /* sizeof(cliv_smooth_options) of the caller; 0: this version's */
  double strength; /* σ, from 0 on */
  int axis_count;  /* 1 to 3; 0: the last axis */
  const int *axes; /* negative ones from the end. Read in the call */
} cliv_smooth_options;

/* out = (I - σΔ)⁻¹ x: Laplacian smoothing, periodic along the axes; Δ is the sum over them of x[i-1] - 2x[i] + x[i+1].
 * Along one axis it is what cliv/optim.h's gradient option `smooth` does to a tensor as a whole, and agrees with it to
 * 1e-6; along several it is the smoothing of planes and volumes, which has no recursion. out: x's shape and dtype;
 * may be x itself; both of any pitch and strides. Transformed (cliv_rfft), an element is divided by 1 + σ·Σ
 * 4·sin²(πk/n), each a table's entry rounded once and the sum by fma in the order of the axes, and transformed back.
 * Scratch memory: twice x's size along one axis, three times along several, beside the lots of cliv/fft.h, and once
 * more for each of x and out that is not dense. options, sync: may be NULL; without options σ is 0, and out what the
 * transforms make of x. Asynchronous. Fails with NULL, DTYPE (not one of float32 and float64), SHAPE (x and out of
 * different shapes, no axis or more than 7, a length of 0 or beyond 2^26 along an axis), OVERLAP (x and out overlap and
 * are not the same place), VALUE (σ negative, NaN or beyond 1e6; the rest as above). */
CLIV_API cliv_status cliv_fft_smooth(cliv_context *ctx, const cliv_tensor *x, cliv_tensor *out,
                                     const cliv_smooth_options *options, const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
