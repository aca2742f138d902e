/* cliv/scatter.h: rows added to rows of a table, picked by index: what gather (cliv/gather.h) takes apart, backwards.
 * */
#ifndef CLIV_SCATTER_H
#define CLIV_SCATTER_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* out[indices[i]] += x[i] for every i, in ascending order of i. Asynchronous.
 *
 * x        (M, …)  any dtype; any pitch
 * indices  (M)     int32 or int64, dense
 * out      (N, …)  x's dtype and its shape behind the first axis; any pitch; shares no memory with the other two
 *
 * Where several rows go to one, they are added one after another: ((out + x[i₁]) + x[i₂]) + … with i₁ < i₂ < …, the
 * narrow floats in float32 and rounded once at the end, integers wrapping. So the result is one, to the last bit, on
 * every device; float atomics there are none. The indices are sorted (cliv/sort.h) to that end: M below 2³¹. A row
 * whose index lies outside 0 … N − 1 is left out: indices are known to the device only. Rows of out that no index
 * names are not touched.
 *
 * Fails with NULL, VALUE, DTYPE, SHAPE, LAYOUT, OVERLAP, DEVICE_LIMIT. */
CLIV_API cliv_status cliv_scatter_add(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *indices,
                                      cliv_tensor *out, const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
