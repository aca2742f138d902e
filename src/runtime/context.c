/* A context: made from a selector, or around the caller's objects. */
#include "runtime/context.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/options.h"
#include "runtime/cache.h"
#include "runtime/device.h"
#include "runtime/program.h"
#include "runtime/quirks.h"
#include "runtime/scratch.h"
#include "runtime/stage.h"

static cliv_status read_facts(cliv_context *ctx) {
  CL_TRY(NULL, cliv__device_foundations(ctx->device, &ctx->facts), "asking the device what it is");
  ctx->quirks = cliv__quirks(&ctx->facts, NULL);
  ctx->rounds_divide = ctx->facts.rounds_divide || (ctx->quirks & CLIV__QUIRK_EXACT_DIVIDE);
  return CLIV_OK;
}

static cliv_status read_order(cliv_context *ctx) {
  cl_command_queue_properties properties = 0;
  CL_TRY(NULL, clGetCommandQueueInfo(ctx->queue, CL_QUEUE_PROPERTIES, sizeof properties, &properties, NULL),
         "asking the queue whether it keeps the order");
  ctx->out_of_order = (properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) != 0;
  return CLIV_OK;
}

static cliv_status take_options(const cliv_context_options *options, cliv_context_options *o) {
  TRY(OPTIONS(NULL, options, o));
  REQUIRE(NULL, o->walk >= CLIV_WALK_AUTO && o->walk <= CLIV_WALK_GPU, VALUE, "walk is %d; it is AUTO, CPU or GPU",
          (int)o->walk);
  REQUIRE(NULL, o->probe >= CLIV_PROBE_UNKNOWN && o->probe <= CLIV_PROBE_AGAIN, VALUE,
          "probe is %d; it is CLIV_PROBE_UNKNOWN, NEVER or AGAIN", (int)o->probe);
  const size_t group = o->group_size;
  REQUIRE(NULL, group == 0 || (group >= 16 && group <= 1024 && !(group & (group - 1))), VALUE,
          "group_size is %zu; it is a power of two from 16 to 1024, or 0", group);
  return CLIV_OK;
}

static cliv_walk walk_of(const cliv_context *ctx, cliv_walk wanted) {
  if (ctx->quirks & CLIV__QUIRK_NARROW) return CLIV_WALK_GPU;
  return wanted ? wanted : (ctx->facts.type & CL_DEVICE_TYPE_CPU) ? CLIV_WALK_CPU : CLIV_WALK_GPU;
}

/* Takes over the three references, also on failure. */
static cliv_status finish_context(cl_context context, cl_device_id device, cl_command_queue queue,
                                  const cliv_context_options *o, cliv_context **out) {
  cliv_context *ctx = calloc(1, sizeof *ctx);
  if (!ctx) {
    clReleaseCommandQueue(queue);
    clReleaseContext(context);
    clReleaseDevice(device);
    return cliv__fail(NULL, CLIV_HOST_MEMORY, "no memory for a context");
  }
  ctx->context = context;
  ctx->device = device;
  ctx->queue = queue;
  cliv_status status = read_facts(ctx);
  if (!status) status = read_order(ctx);
  if (status) {
    cliv_context_free(ctx);
    return status;
  }
  ctx->walk = walk_of(ctx, o->walk);
  ctx->group_size = o->group_size;
  ctx->trials = o->probe != CLIV_PROBE_NEVER;
  ctx->cache_dir = o->no_disk_cache ? NULL : cliv__cache_dir(o->cache_dir);
  *out = ctx;
  return CLIV_OK;
}

/* Gives the device with one reference for the caller: a sub-device, or the device itself (whose references do not
 * count). */
static cliv_status pick_device(const cliv_context_options *o, cl_device_id *out) {
  const cliv_devices_options how = {.probe = o->probe, .cache_dir = o->no_disk_cache ? "" : o->cache_dir};
  cliv_device_list *list;
  TRY(cliv_devices_list(&how, &list));
  size_t index = 0;
  cliv_status status = cliv_device_select(list, o->device, &index, NULL, 0);
  if (!status) {
    const cl_device_id device = cliv_devices_get(list, index)->device;
    if (o->compute_units) status = cliv__subdevice(device, o->compute_units, out);
    else *out = device;
  }
  cliv_devices_free(list);
  return status;
}

cliv_status cliv_context_create(const cliv_context_options *options, cliv_context **out) {
  REQUIRE_NOT_NULL(NULL, out);
  *out = NULL;
  cliv_context_options o;
  TRY(take_options(options, &o));
  cl_device_id device;
  TRY(pick_device(&o, &device));
  cl_int code;
  const cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
  if (code != CL_SUCCESS) {
    clReleaseDevice(device);
    return cliv__fail_cl(NULL, code, "clCreateContext");
  }
  const cl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);
  if (code != CL_SUCCESS) {
    clReleaseContext(context);
    clReleaseDevice(device);
    return cliv__fail_cl(NULL, code, "clCreateCommandQueue");
  }
  return finish_context(context, device, queue, &o, out);
}

static cliv_status check_members(cl_context context, cl_device_id device, cl_command_queue queue) {
  cl_context queue_context = NULL;
  cl_device_id queue_device = NULL;
  CL_TRY(NULL, clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof queue_context, &queue_context, NULL),
         "asking the queue for its context");
  CL_TRY(NULL, clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof queue_device, &queue_device, NULL),
         "asking the queue for its device");
  REQUIRE(NULL, queue_context == context, VALUE, "the queue belongs to another cl_context than the one given");
  REQUIRE(NULL, queue_device == device, VALUE, "the queue belongs to another device than the one given");
  return CLIV_OK;
}

cliv_status cliv_context_wrap(cl_context context, cl_device_id device, cl_command_queue queue,
                              const cliv_context_options *options, cliv_context **out) {
  REQUIRE_NOT_NULL(NULL, out);
  *out = NULL;
  REQUIRE_NOT_NULL(NULL, context);
  REQUIRE_NOT_NULL(NULL, device);
  REQUIRE_NOT_NULL(NULL, queue);
  cliv_context_options o;
  TRY(take_options(options, &o));
  REQUIRE(NULL, !o.device && !o.compute_units, VALUE,
          "the options 'device' and 'compute_units' choose a device, but a wrapped context brings its own");
  TRY(check_members(context, device, queue));
  CL_TRY(NULL, clRetainContext(context), "clRetainContext");
  clRetainCommandQueue(queue);
  clRetainDevice(device);
  return finish_context(context, device, queue, &o, out);
}

/* A marker that cannot be made leaves it to clFinish alone. */
static cl_int finish_queue(cliv_context *ctx) {
  if (ctx->quirks & CLIV__QUIRK_EARLY_FINISH) (void)clEnqueueMarkerWithWaitList(ctx->queue, 0, NULL, NULL);
  return clFinish(ctx->queue);
}

void cliv_context_free(cliv_context *ctx) {
  if (!ctx) return;
  if (ctx->prepare) ctx->prepare_free(ctx);
  finish_queue(ctx);
  cliv__programs_free(ctx);
  cliv__scratch_free(ctx);
  if (ctx->fft_plans_free) ctx->fft_plans_free(ctx);
  if (ctx->clfft_plans_free) ctx->clfft_plans_free(ctx);
  json_decref(ctx->fft_routes);
  json_decref(ctx->cuts_note);
  cliv__stage_free(ctx);
  if (ctx->last) clReleaseEvent(ctx->last);
  clReleaseCommandQueue(ctx->queue);
  clReleaseContext(ctx->context);
  clReleaseDevice(ctx->device);
  cliv__error_free(&ctx->error);
  free(ctx->routes);
  free(ctx->cuts);
  free(ctx->cache_dir);
  free(ctx);
}

cliv_status cliv_context_finish(cliv_context *ctx) {
  REQUIRE_NOT_NULL(NULL, ctx);
  CL_TRY(ctx, finish_queue(ctx), "clFinish");
  if (ctx->idle) ctx->idle(ctx);
  return CLIV_OK;
}

cl_context cliv_context_cl_context(const cliv_context *ctx) { return ctx->context; }
cl_device_id cliv_context_cl_device(const cliv_context *ctx) { return ctx->device; }
cl_command_queue cliv_context_cl_queue(const cliv_context *ctx) { return ctx->queue; }
cliv_walk cliv_context_walk(const cliv_context *ctx) { return ctx->walk; }
const char *cliv_context_device_name(const cliv_context *ctx) { return ctx->facts.name; }
int cliv_context_has(const cliv_context *ctx, cliv_dtype dtype) {
  return cliv_dtype_size(dtype) > 0 && (dtype != CLIV_F64 || ctx->facts.fp64);
}
