/* cliv/segments.h: a flat array cut into pieces of any lengths: the tensors of an arena, the sentences of a batch.
 *
 * Made once from offsets on the host, checked there, and kept on the device; then any number of calls may use it.
 */
#ifndef CLIV_SEGMENTS_H
#define CLIV_SEGMENTS_H

#include <cliv/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cliv_segments cliv_segments;

/* count segments: segment i is elements offsets[i] … offsets[i + 1] − 1. Blocks (copies a table of about 16 bytes for
 * every 4096 elements or segment to the device).
 *
 * offsets  count + 1 numbers, none below the one before it; equal ones make an empty segment. offsets[0] need not be 0.
 *
 * Fails with NULL, VALUE (offsets out of order, more than 2^32 − 1 segments or blocks), HOST_MEMORY, DEVICE_MEMORY. */
CLIV_API cliv_status cliv_segments_create(cliv_context *ctx, size_t count, const uint64_t *offsets,
                                          cliv_segments **out) CLIV_MUST_CHECK;
/* NULL does nothing. Work already enqueued still runs. */
CLIV_API void cliv_segments_free(cliv_segments *segments);

CLIV_API size_t cliv_segments_count(const cliv_segments *segments);
CLIV_API uint64_t cliv_segments_end(const cliv_segments *segments); /* the last offset: elements an array must have */

#ifdef __cplusplus
}
#endif
#endif
