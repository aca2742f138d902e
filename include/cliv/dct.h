/* cliv/dct.h: discrete cosine and sine transforms of real numbers, types II and III.
 *
 *   cliv_dct(ctx, x, y, NULL, NULL);                                              type II of every row, as SciPy's dct
 *   cliv_dct(ctx, y, x, &(cliv_dct_options){.inverse = 1}, NULL);                 and back
 *   cliv_dct(ctx, x, x, &(cliv_dct_options){.norm = CLIV_FFT_ORTHO, .axis_count = 2, .axes = (int[]){-2, -1}}, NULL);
 *
 *   cosines  II   X[k] = f · 2·Σ x[j]·cos(π·k·(2j + 1)/(2n))
 *            III  x[j] = f · (X[0] + 2·Σ X[k]·cos(π·k·(2j + 1)/(2n)))                            k = 1 … n - 1
 *   sines    II   X[k] = f · 2·Σ x[j]·sin(π·(k + 1)·(2j + 1)/(2n))
 *            III  x[j] = f · ((-1)^j·X[n-1] + 2·Σ X[k]·sin(π·(k + 1)·(2j + 1)/(2n)))             k = 0 … n - 2
 *
 *   norm      f, forward     f, inverse     (along each axis, n long; the inverse of II is III's sum, and of III II's)
 *   BACKWARD  1              1/(2n)         as SciPy has it, and the default
 *   FORWARD   1/(2n)         1
 *   ORTHO     1/√(2n)        1/√(2n)        and what stands by itself (k = 0, sines n - 1) is multiplied too, II's
 *                                           result by 1/√2, III's element by √2: an orthogonal matrix
 *
 * Lengths: any from 1 to 2^26, by one transform of n real numbers (cliv/fft.h), whose errors these are. Bits are the
 * same on every device, in both walks, batched or alone, in place or not: v is x's elements at even places, then those
 * at odd places backwards; V its transform, as cliv_rfft has it; a type II result is the real or the negated imaginary
 * part of V[k]·exp(-πik/(2n)), times 2f rounded once; type III goes the same way backwards, its elements times f first.
 * A sine transform is the cosine transform of x with every second sign turned, backwards. Axes are done in the order
 * given. A NaN that is stored is the canonical one.
 *
 * Tensors are of float32, or of float64 where the device has it, views of any pitch and strides, which go by way of a
 * dense copy. Everything is enqueued in the context's order; nothing here blocks, but for kernels and tables as in
 * cliv/fft.h. Memory: scratch of twice x's size, beside cliv_rfft's, and once more for a result that is not dense.
 *
 * Errors: NULL; DTYPE (neither float32 nor float64, or not the same); SHAPE (x and out of different shapes, no axis, a
 * length of 0 or beyond 2^26 along an axis); OVERLAP (x and out overlap and are not the same place); VALUE (the type,
 * the norm, an axis out of range or named twice, more axes than there are, tensors of another context, the options'
 * size); HOST_MEMORY, DEVICE_MEMORY, OPENCL, BUILD from below. A call that fails before its work is enqueued has
 * changed nothing.
 */
#ifndef CLIV_DCT_H
#define CLIV_DCT_H

#include <cliv/fft.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cliv_dct_options {
  size_t size;        /* sizeof(cliv_dct_options) of the caller; 0: this version's */
  int type;           /* 2 or 3; 0: 2 */
  int sine;           /* 0: cosines */
  int inverse;        /* 1: the inverse of that type */
  cliv_fft_norm norm; /* 0: BACKWARD */
  int axis_count;     /* 0: the last axis */
  const int *axes;    /* negative ones from the end. Read in the call */
} cliv_dct_options;

/* out: x's shape and dtype; may be x itself. options, sync: may be NULL. Asynchronous. */
CLIV_API cliv_status cliv_dct(cliv_context *ctx, const cliv_tensor *x, cliv_tensor *out,
                              const cliv_dct_options *options, const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
