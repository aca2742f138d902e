/* cliv/context.h: one device, one queue, and what Cliv keeps for them.
 *
 * A context belongs to one thread at a time; different contexts are independent and may live in different threads.
 * Everything enqueued through a context runs in the order of the calls, also when the queue that was wrapped is
 * out-of-order (then each launch waits for the one before).
 *
 * Threads: the device list and the disk cache are shared safely between threads and processes; nothing else is global.
 */
#ifndef CLIV_CONTEXT_H
#define CLIV_CONTEXT_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>
#include <cliv/device.h>
#include <cliv/dtype.h>
#include <cliv/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How kernels walk memory. Both walks give the same bits; they differ in speed. Where a driver cannot compile the CPU
 * walk in reasonable time (a row of the quirk table, `cliv devices` shows it), the GPU walk is taken whatever was asked
 * for: cliv_context_walk tells. */
typedef enum cliv_walk {
  CLIV_WALK_AUTO = 0, /* CPU for CPU devices, GPU for every other kind */
  CLIV_WALK_CPU,      /* one work-item a long contiguous run, vector types, no barriers */
  CLIV_WALK_GPU       /* work-groups over neighbouring elements, local memory */
} cliv_walk;

typedef struct cliv_context_options {
  size_t size;           /* sizeof(cliv_context_options) of the caller; 0: this version's */
  const char *device;    /* selector (cliv/device.h), context_create only; NULL: $CLIV_DEVICE, or "auto" */
  cliv_walk walk;        /* 0: by device kind */
  cl_uint compute_units; /* context_create only: use a sub-device of so many compute units; 0: the whole device */
  size_t group_size;     /* work-items a group in the GPU walk: a power of two from 16 to 1024; 0: chosen by kernel */
  int no_disk_cache;     /* 1: nothing is read from or kept in the cache folder: programs are compiled in every process,
                            and drivers tried in every process that does not set `probe` to NEVER */
  const char *cache_dir; /* of programs and verdicts on drivers; NULL: $XDG_CACHE_HOME/cliv, or ~/.cache/cliv */
  cliv_probe probe;      /* context_create: whether unknown drivers are tried first, see cliv/device.h. NEVER, in
                            context_wrap too: nor is measured how products are cut best, see cliv/blas.h */
} cliv_context_options;

/* What a call waits for and signals, in OpenCL's terms. Where a function takes a `const cliv_sync *`, NULL means: no
 * events beyond the context's own order. An event given back in *done belongs to the caller (clReleaseEvent). On
 * failure *done is NULL. Nothing is flushed: before waiting for *done by other means than OpenCL's own waits (a
 * callback, polling, another queue), call clFlush on the queue. */
typedef struct cliv_sync {
  cl_uint wait_count;
  const cl_event *wait;
  cl_event *done; /* may be NULL */
} cliv_sync;

/* Opens a device: makes an OpenCL context and an in-order queue of its own. options may be NULL. Fails with NO_DRIVER,
 * NO_DEVICE, SELECTOR, VALUE, OPENCL; the sentence is then in cliv_last_error(NULL). */
CLIV_API cliv_status cliv_context_create(const cliv_context_options *options, cliv_context **out) CLIV_MUST_CHECK;

/* Adopts the caller's objects: retains all three, creates no other. The device must be of the context, the queue of
 * both. */
CLIV_API cliv_status cliv_context_wrap(cl_context context, cl_device_id device, cl_command_queue queue,
                                       const cliv_context_options *options, cliv_context **out) CLIV_MUST_CHECK;

/* Blocks until the queue is empty, then releases everything the context holds. Free every object made with a context
 * (tensors, optimizers) before it. NULL does nothing. */
CLIV_API void cliv_context_free(cliv_context *ctx);

/* Blocks until all that was enqueued is done. Once there have been many products of a kind, it also finds out how they
 * are best cut (cliv/blas.h), for a second perhaps. */
CLIV_API cliv_status cliv_context_finish(cliv_context *ctx) CLIV_MUST_CHECK;

/* The raw objects, not retained: they live as long as the context. */
CLIV_API cl_context cliv_context_cl_context(const cliv_context *ctx);
CLIV_API cl_device_id cliv_context_cl_device(const cliv_context *ctx);
CLIV_API cl_command_queue cliv_context_cl_queue(const cliv_context *ctx);

CLIV_API cliv_walk cliv_context_walk(const cliv_context *ctx);            /* never AUTO */
CLIV_API const char *cliv_context_device_name(const cliv_context *ctx);   /* as the driver spells it */
CLIV_API int cliv_context_has(const cliv_context *ctx, cliv_dtype dtype); /* 1: tensors of this type can be used */

#ifdef __cplusplus
}
#endif
#endif
