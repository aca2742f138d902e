/* Axes merged, and brought into another order by a copy. */
#include "runtime/axes.h"

#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "runtime/launch.h"
#include "runtime/program.h"

int cliv__axes(const cliv_tensor *x, const cliv_tensor *y, unsigned marks, cliv__axis out[CLIV_MAX_DIMS]) {
  int count = 0;
  for (int d = 0; d < x->ndim; d++) {
    const cliv__axis a = {x->shape[d], x->strides[d], y ? y->strides[d] : 0, (marks >> d & 1) != 0};
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

/* The axis with the smallest stride changes places with the one at `to`; axes from `to` on stay. */
static void bring_smallest(cliv__axis *axes, int to, bool of_y) {
  int best = to;
  for (int i = 0; i < to; i++) {
    const size_t a = of_y ? axes[i].stride_y : axes[i].stride;
    if (a < (of_y ? axes[best].stride_y : axes[best].stride)) best = i;
  }
  const cliv__axis moved = axes[best];
  for (int i = best; i < to; i++) axes[i] = axes[i + 1];
  axes[to] = moved;
}

cliv_status cliv__copy_axes(cliv_context *ctx, cliv_dtype dtype, const cliv__origin *from, const cliv__origin *to,
                            const cliv__axis *axes, int count, const cliv_sync *sync) {
  enum { TILE = 4096, SIDE = 64 }; /* elements of a work-item of the CPU walk; of its tile's side where it turns */
  cliv__axis in_order[CLIV_MAX_DIMS];
  cl_ulong extents[8] = {1, 1, 1, 1, 1, 1, 1, 1}, strides[8] = {0}, to_strides[8] = {0}, n = 1;
  memcpy(in_order, axes, (size_t)count * sizeof *axes);
  if (count > 1) bring_smallest(in_order, count - 1, true);
  if (count > 2) bring_smallest(in_order, count - 2, false);
  for (int i = 0, at = 8 - count; i < count; i++, at++) {
    extents[at] = in_order[i].extent;
    strides[at] = in_order[i].stride;
    to_strides[at] = in_order[i].stride_y;
    n *= extents[at];
  }
  char options[64];
  snprintf(options, sizeof options, "-D ELEMENT=%s -D AXES=%d", cliv__dtype_bits(dtype), count);
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "axes.cl", options, "copy_axes", &kernel));
  const bool straight = strides[7] <= 1 && to_strides[7] <= 1;
  const cl_ulong longest = straight ? TILE : SIDE, tile_7 = extents[7] < longest ? extents[7] : longest;
  const cl_ulong wanted = TILE / tile_7, tile_6 = extents[6] < wanted ? extents[6] : wanted;
  const cl_ulong rest = n / extents[7] / extents[6];
  const size_t tiles = cliv__div_up(extents[7], tile_7) * cliv__div_up(extents[6], tile_6) * rest;
  const cliv__range range = ctx->walk == CLIV_WALK_CPU ? RANGE1(tiles, 1) : RANGE1(n, cliv__group(ctx, 64));
  return LAUNCH(ctx, kernel, range, sync, ARG(from->mem), ARG(from->first), ARG(to->mem), ARG(to->first), ARG(n),
                ARG(tile_6), ARG(tile_7), ARG(extents), ARG(strides), ARG(to_strides));
}

cliv_status cliv__gather_axes(cliv_context *ctx, const cliv_tensor *x, const cliv__axis *axes, int count, bool of_y,
                              cl_mem to, const cliv_sync *sync) {
  cliv__axis dense[CLIV_MAX_DIMS];
  int at = count;
  size_t stride = 1; /* of the copy, its last axis first: marked axes, then the others */
  for (int marked = 1; marked >= 0; marked--)
    for (int i = count - 1; i >= 0; i--)
      if (axes[i].marked == marked) {
        dense[--at] = (cliv__axis){axes[i].extent, of_y ? axes[i].stride_y : axes[i].stride, stride, false};
        stride *= axes[i].extent;
      }
  return cliv__copy_axes(ctx, x->dtype, &(cliv__origin){x->mem, cliv__first(x)}, &(cliv__origin){to, 0}, dense, count,
                         sync);
}
