/* What was measured or proven on a device, kept on disk: JSON values under a name. See "Notes" in cliv/cache.h.
 *
 * A note belongs to the device's name, its driver's and platform's versions, the number of its compute units and the
 * version of this library; the names are the modules' own ("clblast tuning", "gemm route"). A damaged or foreign entry
 * is an absent one. Of two processes that write the same name the later one's stays, whole.
 */
#ifndef CLIV_RUNTIME_NOTES_H
#define CLIV_RUNTIME_NOTES_H

#include <jansson.h>
#include <stdbool.h>

#include "runtime/context.h"

/* The value kept under the name, a new reference; NULL: none, or no disk cache. Leaves the last error as it was. */
json_t *cliv__notes_get(cliv_context *ctx, const char *name);
/* Keeps the value (an object or an array; the reference stays the caller's) in the place of an older one. False: it
 * could not be kept, which is no error, and the older one is as it was. */
bool cliv__notes_put(cliv_context *ctx, const char *name, json_t *value);
/* Takes the name away: false where there was nothing. */
bool cliv__notes_drop(cliv_context *ctx, const char *name);

#endif
