/* cliv/compact.h: the elements that a mask keeps, in order and without gaps. */
#ifndef CLIV_COMPACT_H
#define CLIV_COMPACT_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Puts the elements of x whose mask byte is not 0 to the front of out, in order, bits unchanged, and their number
 * into count. Asynchronous: nobody but the device knows the number until count is read.
 *
 * x      any dtype and shape, dense
 * mask   uint8, x's shape, dense
 * out    x's dtype, one axis of any length, dense; elements that find no room in it are counted and not written,
 * those behind the
 *        last one kept stay as they are; overlaps nothing
 * count  int64, one element; overlaps nothing
 *
 * Fails with NULL, VALUE, DTYPE, SHAPE, LAYOUT, OVERLAP. */
CLIV_API cliv_status cliv_compact(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *mask, cliv_tensor *out,
                                  cliv_tensor *count, const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
