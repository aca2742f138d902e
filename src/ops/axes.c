/* Axes merged, and brought into another order by a copy. */
#include "ops/axes.h"

#include <stdio.h>

#include "base/dtype.h"
#include "runtime/launch.h"
#include "runtime/program.h"

static size_t stride_of(const cliv_tensor *t, int axis) {
  size_t stride = 1;
  if (axis == t->ndim - 1) return 1;
  for (int d = axis + 1; d < t->ndim - 1; d++) stride *= t->shape[d];
  return stride * t->pitch;
}

int cliv__axes(const cliv_tensor *x, const cliv_tensor *y, unsigned marks, cliv__axis out[CLIV_MAX_DIMS]) {
  int count = 0;
  for (int d = 0; d < x->ndim; d++) {
    const cliv__axis a = {x->shape[d], stride_of(x, d), y ? stride_of(y, d) : 0, (marks >> d & 1) != 0};
    cliv__axis *last = count ? &out[count - 1] : NULL;
    if (a.extent == 1) continue;
    if (last && last->marked == a.marked && last->stride == a.stride * a.extent &&
        last->stride_y == a.stride_y * a.extent) {
      last->extent *= a.extent;
      last->stride = a.stride;
      last->stride_y = a.stride_y;
    } else {
      out[count++] = a;
    }
  }
  return count;
}

cliv_status cliv__gather_axes(cliv_context *ctx, const cliv_tensor *x, const cliv__axis *axes, int count, bool of_y,
                              cl_mem to, const cliv_sync *sync) {
  enum { RUN = 4096 }; /* elements a work-item of the CPU walk copies, or a little more */
  cl_ulong extents[8] = {1, 1, 1, 1, 1, 1, 1, 1}, strides[8] = {0};
  int at = 8 - count;
  for (int marked = 0; marked < 2; marked++)
    for (int i = 0; i < count; i++)
      if (axes[i].marked == marked) {
        extents[at] = axes[i].extent;
        strides[at++] = of_y ? axes[i].stride_y : axes[i].stride;
      }
  char options[64];
  snprintf(options, sizeof options, "-D ELEMENT=%s -D AXES=%d", cliv__dtype_bits(x->dtype), count);
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "axes.cl", options, "gather_axes", &kernel));
  const cl_ulong first = cliv__first(x), n = x->count, each = cliv__round_up(RUN, extents[7]);
  const cliv__range range =
      ctx->walk == CLIV_WALK_CPU ? RANGE1(cliv__div_up(n, each), 1) : RANGE1(n, cliv__group(ctx, 64));
  return LAUNCH(ctx, kernel, range, sync, ARG(x->mem), ARG(first), ARG(to), ARG(n), ARG(each), ARG(extents),
                ARG(strides));
}
