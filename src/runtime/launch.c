/* Enqueueing: the context's order, the caller's events. */
#include "runtime/launch.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/stage.h"

cliv_status cliv__check_sync(cliv_context *ctx, const cliv_sync *sync) {
  if (!sync) return CLIV_OK;
  if (sync->done) *sync->done = NULL;
  REQUIRE(ctx, sync->wait_count == 0 || sync->wait != NULL, NULL,
          "the sync says %u events to wait for, but its list is NULL", (unsigned)sync->wait_count);
  return CLIV_OK;
}

cliv_status cliv__order_begin(cliv_context *ctx, const cliv_sync *sync, cliv__order *order) {
  *order = (cliv__order){0};
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE(ctx, !cliv__staging(ctx), INTERNAL, "a command that is no launch comes between launches that go together");
  if (sync) {
    order->wait_count = sync->wait_count;
    order->wait = sync->wait_count ? sync->wait : NULL;
    order->done = sync->done;
  }
  if (ctx->last && order->wait_count == 0) { /* no memory is needed, so that none can lack */
    order->own = ctx->last;
    order->wait_count = 1;
    order->wait = &order->own;
  } else if (ctx->last) {
    order->list = malloc((order->wait_count + 1) * sizeof *order->list);
    REQUIRE(ctx, order->list != NULL, HOST_MEMORY, "no memory for a list of %u events",
            (unsigned)order->wait_count + 1);
    if (order->wait_count) memcpy(order->list, order->wait, order->wait_count * sizeof *order->list);
    order->list[order->wait_count++] = ctx->last;
    order->wait = order->list;
  }
  if (order->done || ctx->out_of_order) order->event = &order->made;
  return CLIV_OK;
}

cliv_status cliv__order_end(cliv_context *ctx, cliv__order *order, cl_int code, const char *what) {
  free(order->list);
  order->list = NULL;
  CL_TRY(ctx, code, what);
  if (ctx->out_of_order) {
    if (order->done) clRetainEvent(order->made);
    if (ctx->last) clReleaseEvent(ctx->last);
    ctx->last = order->made;
  }
  if (order->done) *order->done = order->made;
  return CLIV_OK;
}

size_t cliv__group(const cliv_context *ctx, size_t wanted) {
  size_t group = ctx->group_size ? ctx->group_size : wanted;
  while (group > 1 && group > ctx->facts.max_group_size) group /= 2;
  return group;
}

size_t cliv__share(const cliv_context *ctx, size_t n) {
  enum { RUNS_A_UNIT = 8, SHORTEST = 4096, GPU_EACH = 4 };
  if (ctx->walk == CLIV_WALK_GPU) return GPU_EACH;
  const size_t each = cliv__div_up(n, (size_t)ctx->facts.compute_units * RUNS_A_UNIT);
  return cliv__round_up(each < SHORTEST ? SHORTEST : each, CLIV__SHARE_STEP);
}

cliv_status cliv__nothing(cliv_context *ctx, const cliv_sync *sync) {
  if (!sync || (sync->wait_count == 0 && !sync->done)) return CLIV_OK;
  if (cliv__staging(ctx)) return cliv__stage_add(ctx, NULL, NULL, sync, NULL, 0);
  cliv__order order;
  TRY(cliv__order_begin(ctx, sync, &order));
  return cliv__order_end(ctx, &order,
                         clEnqueueMarkerWithWaitList(ctx->queue, order.wait_count, order.wait, order.event),
                         "clEnqueueMarkerWithWaitList");
}

/* A group that the driver refused: the kernel's own limit may be below the device's (registers, local memory). Asked
 * only then, since Mesa's rusticl reports 32 for every kernel on llvmpipe and runs groups of 1024. */
static cliv_status fail_group(cliv_context *ctx, cl_kernel kernel, const cliv__range *range) {
  size_t limit = 0;
  if (clGetKernelWorkGroupInfo(kernel, ctx->device, CL_KERNEL_WORK_GROUP_SIZE, sizeof limit, &limit, NULL)) limit = 0;
  return cliv__fail(
      ctx, CLIV_DEVICE_LIMIT,
      "device '%s' refused a kernel in groups of %zu work-items (it reports a limit of %zu); set a smaller "
      "group_size",
      ctx->facts.name, range->local[0] * range->local[1] * range->local[2], limit);
}

static cliv_status enqueue(cliv_context *ctx, cl_kernel kernel, const cliv__range *range, const size_t *offset,
                           const cliv_sync *sync) {
  cliv__order order;
  TRY(cliv__order_begin(ctx, sync, &order));
  const cl_int code = clEnqueueNDRangeKernel(ctx->queue, kernel, range->dims, offset, range->global, range->local,
                                             order.wait_count, order.wait, order.event);
  const cliv_status status = cliv__order_end(ctx, &order, code, "clEnqueueNDRangeKernel");
  return code == CL_INVALID_WORK_GROUP_SIZE ? fail_group(ctx, kernel, range) : status;
}

/* Work-items along an axis of one command: so many groups, or all that are left. */
static size_t length(const cliv__range *range, cl_uint axis) {
  const size_t most = CLIV__AXIS_MOST * range->local[axis];
  return axis >= range->dims ? 1 : range->global[axis] < most ? range->global[axis] : most;
}

/* In as many commands as the second and the third axis ask for on a GPU. */
cliv_status cliv__enqueue(cliv_context *ctx, cl_kernel kernel, const cliv__range *range, const cliv_sync *sync) {
  const size_t ys = length(range, 1), zs = length(range, 2);
  const bool whole = (range->dims < 2 || ys == range->global[1]) && (range->dims < 3 || zs == range->global[2]);
  if (whole || ctx->walk == CLIV_WALK_CPU) return enqueue(ctx, kernel, range, NULL, sync);
  const size_t y_end = range->global[1], z_end = range->dims < 3 ? 1 : range->global[2];
  for (size_t z = 0; z < z_end; z += zs)
    for (size_t y = 0; y < y_end; y += ys) {
      cliv__range part = *range;
      part.global[1] = y_end - y < ys ? y_end - y : ys;
      part.global[2] = z_end - z < zs ? z_end - z : zs;
      const cliv_sync order = cliv__sync_part(sync, y + z == 0, y + ys >= y_end && z + zs >= z_end);
      TRY(enqueue(ctx, kernel, &part, (const size_t[]){0, y, z}, &order));
    }
  return CLIV_OK;
}

cliv_status cliv__enqueue_copy(cliv_context *ctx, const cliv__copy *copy, const cliv_sync *sync) {
  if (cliv__staging(ctx)) return cliv__stage_copy(ctx, copy, sync);
  cliv__order order;
  TRY(cliv__order_begin(ctx, sync, &order));
  const cl_int code = clEnqueueCopyBuffer(ctx->queue, copy->from, copy->to, copy->from_at, copy->to_at, copy->bytes,
                                          order.wait_count, order.wait, order.event);
  return cliv__order_end(ctx, &order, code, "copying on the device");
}

/* Local memory that arguments ask for has to be there: drivers that lack it fail with a code that stands for much. */
static cliv_status check_local(cliv_context *ctx, const cliv__arg *args, size_t count) {
  cl_ulong asked = 0;
  for (size_t i = 0; i < count; i++) asked += args[i].value ? 0 : args[i].size;
  REQUIRE(ctx, asked <= ctx->facts.local_memory, DEVICE_LIMIT,
          "a kernel asks for %llu bytes of local memory, and device '%s' has %llu for a work-group",
          (unsigned long long)asked, ctx->facts.name, (unsigned long long)ctx->facts.local_memory);
  return CLIV_OK;
}

cliv_status cliv__launch(cliv_context *ctx, cl_kernel kernel, cliv__range range, const cliv_sync *sync,
                         const cliv__arg *args, size_t count) {
  size_t items = 1;
  for (cl_uint d = 0; d < range.dims; d++) {
    range.global[d] = cliv__round_up(range.global[d], range.local[d]);
    items *= range.global[d];
  }
  if (items == 0) return cliv__nothing(ctx, sync);
  TRY(check_local(ctx, args, count));
  if (cliv__staging(ctx)) return cliv__stage_add(ctx, kernel, &range, sync, args, count);
  for (size_t i = 0; i < count; i++)
    CL_TRY(ctx, clSetKernelArg(kernel, (cl_uint)i, args[i].size, args[i].value), "clSetKernelArg");
  return cliv__enqueue(ctx, kernel, &range, sync);
}
