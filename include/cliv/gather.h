/* cliv/gather.h: rows of a table picked by index, as a mini-batch is picked from a data set. */
#ifndef CLIV_GATHER_H
#define CLIV_GATHER_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* out[i] = table[indices[i]], bits unchanged, for any dtype. Asynchronous.
 *
 * table   (N, …)  any pitch
 * indices (M)     int32 or int64, dense
 * out     (M, …)  table's dtype and its shape after the first axis; any pitch; shares no memory with the other two
 *
 * A row whose index lies outside 0 … N − 1 becomes zero bits: indices are known to the device only, and nothing is read
 * outside the table. Fails with NULL, DTYPE, SHAPE, LAYOUT, OVERLAP. */
CLIV_API cliv_status cliv_gather(cliv_context *ctx, const cliv_tensor *table, const cliv_tensor *indices,
                                 cliv_tensor *out, const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
