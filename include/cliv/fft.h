/* cliv/fft.h: discrete Fourier transforms of float32 and float64.
 *
 *   cliv_fft(ctx, x, x, NULL, NULL);                                  of every line along the last axis, in place
 *   cliv_fft(ctx, x, y, &(cliv_fft_options){.inverse = 1}, NULL);           and back
 *   cliv_rfft(ctx, x, y, NULL, NULL);                                 of real numbers: half of the result
 *   cliv_fft(ctx, x, y, &(cliv_fft_options){.axis_count = 2, .axes = (const int[]){-2, -1}}, NULL);      in the plane
 *
 * A complex array is a tensor whose last axis is a pair, the real and the imaginary part: float32 [rows, n, 2] is what
 * NumPy has as complex64 [rows, n]. Views may have a pitch or any strides, also between a number's parts: what is not
 * dense goes by way of a dense copy, in scratch memory or in the result. Everything is enqueued in the context's order;
 * nothing waits for it, but the first call of a kind compiles kernels, and the first of a length makes its tables on
 * the host: some 0.02 s for a million and 1.5 s for 2^26, twenty times as long for a convolution (below), and 8 bytes a
 * number on the device, about 42 for a convolution; twice that for float64. The context keeps them for
 * the last call, and of those before it for the 32 lengths used last, 256 MiB at most: longer lengths that take turns
 * have theirs made again.
 *
 *   forward   X[k] = f · Σ x[j]·exp(-2πi·jk/n)          inverse   x[j] = f · Σ X[k]·exp(+2πi·jk/n)
 *
 *   norm      f, forward     f, inverse      (n: the product of the lengths along all axes of the call)
 *   BACKWARD  1              1/n             as NumPy has it, and the default
 *   ORTHO     1/√n           1/√n
 *   FORWARD   1/n            1
 *
 * Lengths: any from 1 to 2^26. Those of no other factors than 2, 3 and 5 are transformed directly, with an error of
 * less than 2e-7 of the result's length (the Euclidean one); all others as a convolution (Bluestein) of the least
 * length m = 2^k·{1, 3, 5, 9, 15} from 2n - 1 on, which takes three to six times as long, with less than 4e-7.
 *
 * Two providers compute them (cliv_fft_options.provider):
 *
 *   exact    Cliv's own, as defined below.
 *   clfft    clFFT's kernels, for float32: lengths of no other factors than 2, 3, 5, 7, 11 and 13. Its results depend
 *            on device and shape, within 1e-6 of the result's length, and are outside the promise of equal bits.
 *            Status NO_CLFFT when the library was built without it. Several axes are one plan where they are the
 *            array's last (and, of real numbers, the halved one is its last), otherwise one each, with copies around
 *            what does not lie densely; a transform of length 1 is exact's.
 *
 *   AUTO     takes exact on CPU devices (clFFT's kernels are made for GPUs, and were slower on every CPU driver tried,
 *            plans taking seconds to compile) and on software renderers, for float64, and for lengths that clFFT does
 *            not know; on other devices what was faster when it was measured, once for each kind, direction, lengths
 *            and size of batch: on tensors and a queue of its own, which take as much memory as the call's, 20 calls
 *            of each or 0.3 s, after compiling both; clFFT if it was by 5 % at least. It never tries a plan that no
 *            child process has tried (below), so that contexts with `probe` NEVER have exact; and where clFFT fails
 *            for a transform like one that was measured, exact serves, in that context from then on. The choice is
 *            kept beside the compiled programs ("Notes" in cliv/cache.h), so that later runs take the same provider
 *            and give the same bits; on another machine, or after that folder was cleared or another driver came,
 *            AUTO may give other bits than before. To pin them, ask for EXACT; to pin the speed, CLFFT.
 *            cliv_fft_last_provider says who it was.
 *
 * A plan of clFFT's is proven before it is used: it transforms known numbers, and what comes out is judged by sums that
 * the host has in double, of all its lines or arrays, or of the first and the last of them, 2^21 numbers each (one
 * array at least), where there are more. That takes as much of the device's memory as the call's tensors; where there
 * is less, two lines are tried. So the first call of a shape blocks, for up to 15 s on drivers that compile slowly
 * (each direction is a plan), that of another number of lines for what its transform and the sums take. The first time
 * on a driver version two lines, or one long one, are tried by a child process (cliv-probe, see "In a guest's program"
 * in cliv/device.h; not in contexts with `probe` NEVER), since clFFT can bring down the process it is in; the verdict
 * is kept like a measurement, a bad one for an hour. A plan that fails is refused with CLFFT and a sentence from then
 * on, others stay usable; so are arrays of 2^31 numbers or more, and devices of 16 KiB of local memory or less, on
 * which clFFT ends the process. The context keeps the 32 plans used last. Newer compilers refuse what clFFT generates
 * for want of a cast; plans are made with that diagnostic switched off where it is needed, which reaches a plan's first
 * kernel: several axes are then transformed by a plan each, and lengths of more than two passes (from about 2^17 on)
 * refused.
 *
 * clFFT has one state in a process. All calls of Cliv's to it are made under one lock; clfftSetup is called before the
 * first (a guest's debug flags are reset by it), clfftTeardown after the last context that used it was freed, but never
 * when another user's plan has been seen: then that is left to the other. A guest with plans of its own must not call
 * clfftTeardown while contexts are alive that used the provider clfft, nor make plans while such a context is freed,
 * nor its first ones while a plan of Cliv's is being made, which Cliv does not see. The lock is held while clFFT
 * compiles a plan, for seconds on some drivers: transforms by clFFT of other contexts wait for that. clFFT prints the
 * compiler's log to standard error when a program of its fails, and a reminder at the end of a process that did not
 * free its contexts.
 *
 * The exact result has one definition, so its bits are the same on every conforming device, in both walks, at every
 * launch shape, batched or alone, in place or not. A direct transform decimates in time and sorts itself: with the
 * length's radices — as many eights as there are, rather two fours than an eight and a two, a two where 2 divides it
 * but once, then fives, then threes — a pass of radix r, after passes whose radices' product is l, does for j = 0 …
 * n/r - 1, with q = j mod l,
 *     v[t] = x[j + t·n/r] · w^(q·t), w = exp(-2πi/(r·l))    t = 1 … r - 1, in all passes but the first; v[0] = x[j]
 *     y[(j - q)·r + q + u·l] = V[u]                         V: the short transform of v, as cl/fft_radix.cl has it
 * and a product is re = fma(a, c, -(b·d)), im = fma(a, d, b·c). The inverse is the forward transform with real and
 * imaginary parts changing places at both ends. Then each part is multiplied by f, rounded to float32 once: f is that
 * of all axes together, applied behind the last. The powers of w are computed on the host in double, to 1e-15, and
 * rounded once. Axes are done in the order given. A NaN that is stored is the canonical one; an infinity or NaN makes
 * most or all of its line NaN, and no other. (Subnormal numbers are as cliv/blas.h says.)
 *
 * float64, where the device has it, is the same definition in double, tables not rounded, with an error of less than
 * 2e-16·(1 + log2 n), other lengths 4e-16: a launch a pass, with several times float32's time.
 *
 * Errors: NULL; NO_CLFFT; CLFFT (a plan failed, or its proof); DTYPE (neither float32 nor float64, or not the same;
 * float64 of the provider clfft); SHAPE (no pair at the end, x and out of different shapes, a length of 0 or beyond
 * 2^26 along an axis, or one or an array that clFFT does not know); OVERLAP (x and out overlap and are not the same
 * place); VALUE (an axis out of range or named twice, more axes than there are, the norm, the provider, tensors of
 * another context, the options' size); HOST_MEMORY (for tables), DEVICE_MEMORY, OPENCL, BUILD from below. A call that
 * fails before its work is enqueued has changed nothing. Where another axis has the length 0, there is nothing to do,
 * and that is no error.
 *
 * Memory of the provider exact, which the context keeps: what several launches do is done by lots of 64 MiB at most (2
 * MiB for float32 in the CPU walk; a 64th of the device's memory where that is less), in up to three rooms as large. A
 * lot is at least one line, together with all that lies between its numbers: along the first of several axes it is the
 * whole array, and a room as large as that (a convolution's of float32 takes line by line, and no more than a lot). The
 * CPU walk has up to 6 MiB more for each compute unit. Real numbers, several axes' way back and views that are not
 * dense take as much as the complex array, each.
 */
#ifndef CLIV_FFT_H
#define CLIV_FFT_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cliv_fft_norm { CLIV_FFT_BACKWARD = 0, CLIV_FFT_ORTHO, CLIV_FFT_FORWARD } cliv_fft_norm;

typedef enum cliv_fft_provider {
  CLIV_FFT_PROVIDER_AUTO = 0, /* see above */
  CLIV_FFT_PROVIDER_EXACT,
  CLIV_FFT_PROVIDER_CLFFT
} cliv_fft_provider;

typedef struct cliv_fft_options {
  size_t size;        /* sizeof(cliv_fft_options) of the caller; 0: this version's */
  int inverse;        /* 0: forward */
  cliv_fft_norm norm; /* 0: BACKWARD */
  int axis_count;     /* 0: the last axis */
  const int *axes;    /* of the complex array: the pair does not count; negative ones from the end. Read in the call */
  cliv_fft_provider provider; /* 0: AUTO */
} cliv_fft_options;

/* "backward", "ortho", "forward" and back; "?" for a value that is no norm, status NAME for a name that is none. */
CLIV_API const char *cliv_fft_norm_name(cliv_fft_norm norm);
CLIV_API cliv_status cliv_fft_norm_parse(const char *name, cliv_fft_norm *out) CLIV_MUST_CHECK;

/* "auto", "exact", "clfft" and back; "?" for a value that is no provider, status NAME for a name that is none. */
CLIV_API const char *cliv_fft_provider_name(cliv_fft_provider provider);
CLIV_API cliv_status cliv_fft_provider_parse(const char *name, cliv_fft_provider *out) CLIV_MUST_CHECK;
/* Who computed the context's last transform that had no error: EXACT or CLFFT; AUTO before the first. */
CLIV_API cliv_fft_provider cliv_fft_last_provider(const cliv_context *ctx);

/* The transform of x along the axes. out: x's shape and dtype; may be x itself. options, sync: may be NULL.
 * Asynchronous. */
CLIV_API cliv_status cliv_fft(cliv_context *ctx, const cliv_tensor *x, cliv_tensor *out,
                              const cliv_fft_options *options, const cliv_sync *sync) CLIV_MUST_CHECK;

/* The transform of real numbers: of X along the last axis named, n long, the elements k = 0 … n/2, as the others are
 * their conjugates. x: numbers as they are, of any shape; out: the same with n/2 + 1 instead of n along that axis, and
 * the pair at the end; apart from x. `inverse` is not looked at. An even n is transformed as n/2 complex numbers, z[j]
 * = x[2j] + i·x[2j+1], and then with w = exp(-2πi/n), h = n/2, Z[h] = Z[0],
 *     X[k] = (E + O·w^k)/2     E = Z[k] + conj Z[h-k]     O = -i·(Z[k] - conj Z[h-k])
 * an odd one as n complex numbers; then come the other axes, in the order given. options, sync: may be NULL.
 * Asynchronous. SHAPE also where out does not fit; OVERLAP wherever x and out overlap. */
CLIV_API cliv_status cliv_rfft(cliv_context *ctx, const cliv_tensor *x, cliv_tensor *out,
                               const cliv_fft_options *options, const cliv_sync *sync) CLIV_MUST_CHECK;

/* And back: x as rfft's out, out as its x, n as out has it. Imaginary parts of what is its own conjugate (k = 0, and
 * n/2 of an even n) are not looked at. The other axes come first, then Z[k] = E + i·O with E = X[k] + conj X[h-k],
 * O = (X[k] - conj X[h-k])·w^-k, and Z's inverse transform. norm: as for cliv_fft with inverse, which need not be set.
 * x stays as it is. Asynchronous. Errors as rfft's. */
CLIV_API cliv_status cliv_irfft(cliv_context *ctx, const cliv_tensor *x, cliv_tensor *out,
                                const cliv_fft_options *options, const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
