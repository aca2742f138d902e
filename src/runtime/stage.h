/* All launches of an operation, or none. Between begin and end a launch is only written down; the end enqueues all of
 * them in their order. What can fail before a driver is asked (programs, memory of the device and the host, arguments)
 * has failed by then, and nothing has been changed.
 *
 *   TRY(cliv__stage_begin(ctx));
 *   const cliv_status status = several_launches(ctx, …);
 *   return cliv__stage_end(ctx, status, NULL);
 *
 * Pairs may lie within each other; the outermost counts. Between them nothing but launches, markers and copies of bytes
 * on the device can be enqueued (others fail with INTERNAL), and memory that they name lives on until the end: scratch
 * memory sees to that itself. */
#ifndef CLIV_RUNTIME_STAGE_H
#define CLIV_RUNTIME_STAGE_H

#include "runtime/launch.h"

cliv_status cliv__stage_begin(cliv_context *ctx);
/* status: how the work between went; a failure drops what was written down, and is returned. *enqueued (unless NULL):
 * how many launches the driver took, which is all or, where it refused one, those before it; 0 for an inner pair. */
cliv_status cliv__stage_end(cliv_context *ctx, cliv_status status, size_t *enqueued);

/* Launches that are written down. */
size_t cliv__stage_count(const cliv_context *ctx);

/* For cliv__launch and cliv__nothing: whether to write down, and how. kernel: NULL for a marker. */
bool cliv__staging(const cliv_context *ctx);
cliv_status cliv__stage_add(cliv_context *ctx, cl_kernel kernel, const cliv__range *range, const cliv_sync *sync,
                            const cliv__arg *args, size_t count);
cliv_status cliv__stage_copy(cliv_context *ctx, const cliv__copy *copy, const cliv_sync *sync);
/* For memory that is to be released and may be named: makes room to keep it, and keeps it. */
cliv_status cliv__stage_reserve(cliv_context *ctx);
void cliv__stage_release(cliv_context *ctx, cl_mem mem);

void cliv__stage_free(cliv_context *ctx);

#endif
