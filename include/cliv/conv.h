/* cliv/conv.h: convolutions of one and two dimensions, and their gradients.
 *
 * As in torch.nn.functional.conv1d and conv2d these are cross-correlations: the weights are not turned round. Tensors
 * are float32, float16, bfloat16, or float64 where the device has it, all of one type, and of any strides:
 *
 *   data      x  [N, C, L]            or [N, C, H, W]
 *   weights   w  [O, C/groups, K]     or [O, C/groups, KH, KW]; output channel o belongs to group o / (O/groups), which
 *                                     reads the C/groups input channels of that group
 *   bias      b  [O]
 *   result    y  [N, O, L']           or [N, O, H', W'], with along each axis
 *                                     L' = (L + 2·padding − dilation·(K − 1) − 1) / stride + 1, rounded down
 *
 * Everything is enqueued in the context's order; nothing blocks, but the first call of a kind compiles its kernels.
 *
 * Provider `exact`, Cliv's own and what AUTO takes: each element of a result is one chain of fused multiply-adds,
 * s = +0;  s = fma(weight, number, s); so its bits are the same on every conforming device and in both walks, however
 * the work is cut. With X[n,c,i,j] the data, +0 in the padding around it, and so that terms are taken in the order
 * given, the last index first:
 *
 *   cliv_conv         y[n,o,p,q]     over (c, ky, kx):  fma(w[o,c,ky,kx], X[n,c, p·stride + ky·dilation − padding,
 *                                    q·stride + kx·dilation − padding], s); then s + bias[o], rounded once more
 *   cliv_conv_data    dx[n,c,i,j]    over (o, ky, kx), o of c's group, for which stride divides
 *                                    i + padding − ky·dilation, likewise j; p, q are the quotients:
 *                                    fma(w[o,c,ky,kx], dy[n,o,p,q], s), with +0 where dy has no such element
 *   cliv_conv_weight  dw[o,c,ky,kx]  over (n, p, q):  fma(dy[n,o,p,q], X[n,c, as above], s)
 *
 * So a NaN or an infinity among the weights meets the zeros of the padding, as in PyTorch, and gives NaN there. A NaN
 * that is stored is the canonical one; subnormal numbers are as in cliv/blas.h. The gradient by the bias is the sum of
 * dy over all axes but the second (cliv/reduce.h).
 *
 * float16 and bfloat16, on any device, are computed in float32 by copies of the operands, and each element of the
 * result rounded once, after the bias, to nearest even. Tensors that are not dense (a pitch, channels last, any
 * strides) are copied to dense ones first, and a result back to its own elements alone; the bits are the same. That
 * holds for both providers.
 *
 * Provider `clblast`: CLBlast's convgemm, by name alone, for cliv_conv without bias of one group in two dimensions;
 * NOT_IN_BUILD for all else. Its bits are its own, and it allocates memory of its own (see cliv/blas.h).
 *
 * Memory: the context keeps copies of parts of the operands, at most about 64 MiB each, whatever the tensors' sizes;
 * and of tensors that are narrow or not dense the copies that are made of them, as large as these.
 *
 * Errors: NULL; SHAPE (axes, channels, groups that do not divide them, a result of no length); VALUE (negative options,
 * tensors of another context); DTYPE; OVERLAP; NO_CLBLAST, NOT_IN_BUILD;
 * DEVICE_MEMORY, OPENCL, BUILD from below. A call that fails has changed nothing. An N of 0 is legal: nothing is
 * written, but for cliv_conv_weight, which then writes +0.
 */
#ifndef CLIV_CONV_H
#define CLIV_CONV_H

#include <cliv/blas.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cliv_conv_options {
  size_t size;            /* sizeof(cliv_conv_options) of the caller; 0: this version's */
  cliv_provider provider; /* 0: AUTO */
  /* By axis of the plane, the first alone in one dimension. */
  int64_t stride[2];   /* 0: 1 */
  int64_t padding[2];  /* of zeros, on both sides */
  int64_t dilation[2]; /* from one weight's element to the next; 0: 1 */
  int64_t groups;      /* 0: 1 */
} cliv_conv_options;

/* y = x ∗ w + bias. bias, options, sync: may be NULL. y overlaps no operand. */
CLIV_API cliv_status cliv_conv(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *w, const cliv_tensor *bias,
                               cliv_tensor *y, const cliv_conv_options *options, const cliv_sync *sync) CLIV_MUST_CHECK;

/* The gradient by the data: dx of x's shape, from dy, of y's (torch.nn.grad.conv2d_input). */
CLIV_API cliv_status cliv_conv_data(cliv_context *ctx, const cliv_tensor *dy, const cliv_tensor *w, cliv_tensor *dx,
                                    const cliv_conv_options *options, const cliv_sync *sync) CLIV_MUST_CHECK;

/* The gradient by the weights: dw of w's shape (torch.nn.grad.conv2d_weight). */
CLIV_API cliv_status cliv_conv_weight(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *dy, cliv_tensor *dw,
                                      const cliv_conv_options *options, const cliv_sync *sync) CLIV_MUST_CHECK;

/* The length of a result along an axis, see above; 0 where there is none. */
CLIV_API size_t cliv_conv_length(size_t length, size_t kernel, int64_t stride, int64_t padding, int64_t dilation);

#ifdef __cplusplus
}
#endif
#endif
