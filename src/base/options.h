/* Options structs that grow: a guest may have been compiled against an older header, whose struct was shorter. */
#ifndef CLIV_BASE_OPTIONS_H
#define CLIV_BASE_OPTIONS_H

#include <stddef.h>

#include "base/status.h"

/* Copies what a guest gave into `to`, this library's struct, whose first member is the size_t `size`; what the guest's
 * struct does not have is zero there, which means default. `given` NULL: all default. VALUE where `size` is no size of
 * this struct in this or an earlier version. */
#define OPTIONS(ctx, given, to) cliv__options((ctx), (1 ? (given) : (to)), (to), sizeof *(to))
cliv_status cliv__options(cliv_context *ctx, const void *given, void *to, size_t room);

#endif
