/* The one way a kernel is enqueued, and a copy too: in the context's order, with the caller's events.
 *
 *   TRY(LAUNCH(ctx, kernel, RANGE1(groups * 64, 64), sync, ARG(mem), ARG(n), LOCAL(1024)));
 *
 * Sizes are work-items; the global size is rounded up to whole groups, so kernels guard inside. An operation of several
 * launches gives its caller's `sync` to SYNC_FIRST for the first, SYNC_NONE between, SYNC_LAST for the last.
 */
#ifndef CLIV_RUNTIME_LAUNCH_H
#define CLIV_RUNTIME_LAUNCH_H

#include "runtime/context.h"

typedef struct cliv__arg {
  size_t size;
  const void *value; /* NULL: local memory of `size` bytes */
} cliv__arg;

typedef struct cliv__range {
  cl_uint dims;
  size_t global[3], local[3];
} cliv__range;

#define ARG(x) ((cliv__arg){sizeof(x), &(x)})
#define LOCAL(bytes) ((cliv__arg){(bytes), NULL})
#define RANGE1(global, local) ((cliv__range){1, {(global), 1, 1}, {(local), 1, 1}})
#define RANGE2(g0, g1, l0, l1) ((cliv__range){2, {(g0), (g1), 1}, {(l0), (l1), 1}})

#define LAUNCH(ctx, kernel, range, sync, ...)                                      \
  cliv__launch((ctx), (kernel), (range), (sync), (const cliv__arg[]){__VA_ARGS__}, \
               sizeof((const cliv__arg[]){__VA_ARGS__}) / sizeof(cliv__arg))

/* Groups of one command along the second and the third axis: drivers made on CUDA take no more. In the GPU walk a range
 * of more is several commands with offsets, which get_global_id counts and get_group_id does not. */
enum { CLIV__AXIS_MOST = 65535 };

/* A range of no work-items enqueues nothing but still honours sync. */
cliv_status cliv__launch(cliv_context *ctx, cl_kernel kernel, cliv__range range, const cliv_sync *sync,
                         const cliv__arg *args, size_t count);

/* A kernel whose arguments are set: what cliv__launch ends with. The range is of whole groups. */
cliv_status cliv__enqueue(cliv_context *ctx, cl_kernel kernel, const cliv__range *range, const cliv_sync *sync);

/* Bytes from one place of the device to another. */
typedef struct cliv__copy {
  cl_mem from, to;
  size_t from_at, to_at, bytes;
} cliv__copy;
cliv_status cliv__enqueue_copy(cliv_context *ctx, const cliv__copy *copy, const cliv_sync *sync);

/* Parts of a caller's sync (which may be NULL) for operations of several commands. */
#define SYNC_NONE ((const cliv_sync *)NULL)
#define SYNC_FIRST(sync) (&(const cliv_sync[]){cliv__sync_part((sync), true, false)}[0])
#define SYNC_LAST(sync) (&(const cliv_sync[]){cliv__sync_part((sync), false, true)}[0])
static inline cliv_sync cliv__sync_part(const cliv_sync *sync, bool first, bool last) {
  if (!sync) return (cliv_sync){0};
  return (cliv_sync){first ? sync->wait_count : 0, first ? sync->wait : NULL, last ? sync->done : NULL};
}

/* Opens the flat list of checks at the top of an asynchronous function, since it sets *done to NULL; refuses a bad wait
 * list. ctx may be NULL. */
cliv_status cliv__check_sync(cliv_context *ctx, const cliv_sync *sync);

/* Enqueues a marker: for operations that turn out to have nothing to do. */
cliv_status cliv__nothing(cliv_context *ctx, const cliv_sync *sync);

/* For commands other than kernels (copies, fills): what they must wait for, and what to do after they were enqueued.
 *   cliv__order o; TRY(cliv__order_begin(ctx, sync, &o));
 *   code = clEnqueueX(…, o.wait_count, o.wait, o.event);
 *   TRY(cliv__order_end(ctx, &o, code, "clEnqueueX"));
 */
typedef struct cliv__order {
  cl_uint wait_count;
  const cl_event *wait;
  cl_event *event; /* NULL: none wanted */
  cl_event made;
  cl_event own;   /* the context's event, where that is all there is to wait for … */
  cl_event *list; /* … or a heap copy of the list that it was added to */
  cl_event *done;
} cliv__order;
cliv_status cliv__order_begin(cliv_context *ctx, const cliv_sync *sync, cliv__order *order);
cliv_status cliv__order_end(cliv_context *ctx, cliv__order *order, cl_int code, const char *what);

/* Work-items a group: what the context's options ask for, else `wanted`, a power of two; as far as the device goes. */
size_t cliv__group(const cliv_context *ctx, size_t wanted);

/* Elements of n that a work-item takes where each is computed by itself: in the CPU walk enough runs to share evenly,
 * none so short that its start shows, all multiples of CLIV__SHARE_STEP; in the GPU walk 4. */
enum { CLIV__SHARE_STEP = 64 };
size_t cliv__share(const cliv_context *ctx, size_t n);

/* `a` rounded up to a multiple of `b`; `a`/`b` rounded up. */
static inline size_t cliv__round_up(size_t a, size_t b) { return (a + b - 1) / b * b; }
static inline size_t cliv__div_up(size_t a, size_t b) { return (a + b - 1) / b; }

#endif
