/* Kept elements without gaps. See cliv/compact.h. */
#include <cliv/compact.h>
#include <cliv/scan.h>
#include <stdio.h>

#include "base/dtype.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum {
  RUNS_PER_UNIT = 8, /* runs for each compute unit in the CPU walk … */
  SHORTEST = 4096,   /* … none shorter than this */
  GPU_RUN = 64       /* elements of a run in the GPU walk */
};

static cliv_status check(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *mask, const cliv_tensor *out,
                         const cliv_tensor *count) {
  char a[160], b[160];
  REQUIRE_TENSORS(ctx, x, mask, out, count);
  REQUIRE(ctx, mask->dtype == CLIV_U8, DTYPE, "a mask is uint8, not %s", cliv__describe(mask, a));
  REQUIRE(ctx, cliv__same_shape(x, mask), SHAPE, "%s needs a mask of the same shape, not %s", cliv__describe(x, a),
          cliv__describe(mask, b));
  REQUIRE(ctx, out->dtype == x->dtype, DTYPE, "elements of %s cannot be kept in %s", cliv__describe(x, a),
          cliv__describe(out, b));
  REQUIRE(ctx, out->ndim == 1, SHAPE, "what is kept has one axis, but out is %s", cliv__describe(out, b));
  REQUIRE(ctx, count->dtype == CLIV_I64, DTYPE, "the number of what is kept is int64, but count is %s",
          cliv__describe(count, b));
  REQUIRE(ctx, count->count == 1, SHAPE, "the number of what is kept is one int64, but count is %s",
          cliv__describe(count, b));
  REQUIRE(ctx, cliv__dense(x) && cliv__dense(mask), LAYOUT,
          "x and its mask must be dense; their pitches are %zu and %zu", x->pitch, mask->pitch);
  REQUIRE(ctx,
          !cliv__overlap(x, out) && !cliv__overlap(mask, out) && !cliv__overlap(x, count) &&
              !cliv__overlap(mask, count) && !cliv__overlap(out, count),
          OVERLAP, "what is kept, or its number, shares memory with another of the tensors");
  return CLIV_OK;
}

static cliv_status run(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *mask, cliv_tensor *out,
                       cliv_tensor *count, const cliv_sync *sync) {
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  const cl_ulong n = x->count, even = cliv__div_up(n, (size_t)ctx->facts.compute_units * RUNS_PER_UNIT);
  const cl_ulong each = !cpu ? GPU_RUN : even < SHORTEST ? SHORTEST : even, runs = cliv__div_up(n, each);
  const cl_ulong x_first = cliv__first(x), mask_first = cliv__first(mask), out_first = cliv__first(out);
  const cl_ulong count_first = cliv__first(count), room = out->count;
  const size_t group = cpu ? 1 : cliv__group(ctx, 64), entries = runs + 1;
  char options[32];
  cl_kernel counting, placing;
  cl_mem counts;
  snprintf(options, sizeof options, "-D ELEMENT=%s", cliv__dtype_bits(x->dtype));
  TRY(cliv__kernel(ctx, "compact.cl", options, "compact_count", &counting));
  TRY(cliv__kernel(ctx, "compact.cl", options, "compact_place", &placing));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_COMPACT, entries * sizeof(cl_long), &counts));
  TRY(LAUNCH(ctx, counting, RANGE1(entries, group), SYNC_FIRST(sync), ARG(mask->mem), ARG(mask_first), ARG(n),
             ARG(each), ARG(runs), ARG(counts)));
  cliv_tensor *t;
  TRY(cliv_tensor_wrap(ctx, counts, 0, CLIV_I64, 1, &entries, &t));
  const cliv_status status = cliv_scan(ctx, "sum", CLIV_ALL_AXES, CLIV_EXCLUSIVE, t, t, NULL);
  cliv_tensor_free(t);
  TRY(status);
  const cl_mem to = room ? out->mem : counts; /* not written when there is no room */
  return LAUNCH(ctx, placing, RANGE1(runs, group), SYNC_LAST(sync), ARG(x->mem), ARG(x_first), ARG(mask->mem),
                ARG(mask_first), ARG(n), ARG(each), ARG(runs), ARG(counts), ARG(to), ARG(out_first), ARG(room),
                ARG(count->mem), ARG(count_first));
}

cliv_status cliv_compact(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *mask, cliv_tensor *out,
                         cliv_tensor *count, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(NULL, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, mask);
  REQUIRE_NOT_NULL(ctx, out);
  REQUIRE_NOT_NULL(ctx, count);
  TRY(check(ctx, x, mask, out, count));
  return x->count ? run(ctx, x, mask, out, count, sync) : cliv_tensor_fill(count, 0, sync);
}
