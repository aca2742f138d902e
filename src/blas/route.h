/* What AUTO takes for a product of a shape, where there are two providers to choose from. */
#ifndef CLIV_BLAS_ROUTE_H
#define CLIV_BLAS_ROUTE_H

#include "blas/provider.h"

/* Stands for AUTO: its gemm takes the provider that was faster for products of the shape's class, and measures that
 * where it is not known and the device is no CPU; its other routines are cliv_blas_auto's. */
extern const cliv__blas_provider cliv__blas_routed;

/* Whether there is a choice: CLBlast is in the build, and the device is no CPU, or `cliv tune` found it faster for some
 * products. */
bool cliv__route_open(cliv_context *ctx);

/* What is known of a class; AUTO: nothing. `dtype`, the transposes, m, n, k and batch of `g` count. */
cliv_provider cliv__route_known(cliv_context *ctx, const cliv__gemm *g);
/* Measures the class of `g` on matrices of its own, and keeps the answer. Blocks: for what compiling takes, and less
 * than a second. EXACT where neither provider computed it: that is kept for the context's life alone. */
cliv_provider cliv__route_measure(cliv_context *ctx, const cliv__gemm *g);
/* m, n, k and batch as they are measured: a matter of milliseconds, and of operands of at most 64 MiB. The batch is
 * halved first, then the longest side. */
void cliv__route_cut(cl_ulong size[4], cliv_dtype dtype);
/* What was measured of a type is void: for when parameters of CLBlast's products have changed. Noted until
 * cliv__route_renew, also for a process after this one: cliv__route_stale. */
void cliv__route_forget(cliv_context *ctx, cliv_dtype dtype);
bool cliv__route_stale(cliv_context *ctx, cliv_dtype dtype);
/* Measures the common classes of a type, the cuts of `exact` first, while `seconds` last. */
void cliv__route_renew(cliv_context *ctx, cliv_dtype dtype, double seconds);

#endif
