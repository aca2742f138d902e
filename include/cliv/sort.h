/* cliv/sort.h: elements in order: sort, argsort, the greatest k, quantiles.
 *
 *   cliv_sort(ctx, -1, CLIV_ASCENDING, x, sorted, places, NULL);     rows in order, and where their elements stood
 *   cliv_topk(ctx, CLIV_ALL_AXES, 10, CLIV_DESCENDING, x, best, at, NULL);
 *   cliv_quantile(ctx, -1, 3, (double[]){0.1, 0.5, 0.9}, x, out, NULL);
 *
 * The order is stable: equal elements stay in the order they had, descending too. −0 is below +0. NaNs come last in
 * either order, and come out as the canonical quiet one. So every result is one, to the last bit, on every device. To
 * put other tensors into the order that the keys define, gather them by the places (cliv/gather.h).
 *
 * Every dtype is allowed. Axes are CLIV_ALL_AXES, elements in the order of memory, and the last axis (-1, or its
 * number); x is dense or, for the last axis, may have a pitch; results are dense and overlap nothing. Scratch memory
 * of twice the tensor's size is taken from the context, and of twice as many uint32 where places are wanted. Tensors
 * of 2³¹ elements and more are refused (DEVICE_LIMIT).
 *
 * It is a radix sort, a digit of 8 or 4 bits at a time from the lowest; its time does not depend on the order there is.
 */
#ifndef CLIV_SORT_H
#define CLIV_SORT_H

#include <cliv/reduce.h> /* CLIV_ALL_AXES */
#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cliv_order { CLIV_ASCENDING = 0, CLIV_DESCENDING = 1 } cliv_order;

/* Asynchronous. Either result may be NULL, not both.
 *   sorted  x's dtype and shape (over all axes: its shape, filled in the order of memory)
 *   places  int64 and x's shape: places[i] is where sorted[i] stood in its row, or in all of x
 * Fails with NULL, VALUE, SHAPE, DTYPE, LAYOUT, OVERLAP, DEVICE_LIMIT, NOT_IN_BUILD (another axis). */
CLIV_API cliv_status cliv_sort(cliv_context *ctx, int axis, cliv_order order, const cliv_tensor *x, cliv_tensor *sorted,
                               cliv_tensor *places, const cliv_sync *sync) CLIV_MUST_CHECK;

/* The first k of a sort: descending, the greatest k. Asynchronous. Results have shape [k] over all axes, x's with the
 * last axis k long otherwise; of equal elements the first are taken. Fails as cliv_sort does; VALUE for a k beyond
 * the elements there are. */
CLIV_API cliv_status cliv_topk(cliv_context *ctx, int axis, size_t k, cliv_order order, const cliv_tensor *x,
                               cliv_tensor *values, cliv_tensor *places, const cliv_sync *sync) CLIV_MUST_CHECK;

/* Quantiles of float tensors, q[i] from 0 to 1, as NumPy's "linear" method has them. Asynchronous; q is read before
 * the call returns.
 *   out  x's dtype; [count] over all axes, x's shape with the last axis `count` long otherwise
 * With h = q·(n − 1) worked out in double, a the element of rank ⌊h⌋, b the next, t = h − ⌊h⌋ rounded to the type
 * that is computed in (float32, double for float64): a where t is 0, a + (b − a)·t for t < 1/2, b − (b − a)·(1 − t)
 * otherwise. A row with a NaN gives NaN. Fails as cliv_sort does; VALUE for a q out of range; DTYPE for integers;
 * DATA for rows without elements. */
CLIV_API cliv_status cliv_quantile(cliv_context *ctx, int axis, size_t count, const double *q, const cliv_tensor *x,
                                   cliv_tensor *out, const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
