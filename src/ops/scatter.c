/* Rows added to rows. See cliv/scatter.h. */
#include <cliv/scatter.h>
#include <cliv/sort.h>
#include <stdio.h>

#include "base/dtype.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum {
  RUN = 4096,       /* elements that a work-item of the CPU walk adds at least */
  MOST = 0x7fffffff /* indices, as for sorting */
};

static cliv_status check(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *indices, const cliv_tensor *out) {
  char a[160], b[160];
  REQUIRE_TENSORS(ctx, x, indices, out);
  REQUIRE(ctx, indices->dtype == CLIV_I32 || indices->dtype == CLIV_I64, DTYPE,
          "indices must be int32 or int64, not %s", cliv__describe(indices, a));
  REQUIRE(ctx, indices->ndim == 1 && cliv__dense(indices), SHAPE, "indices must have one axis, not %s",
          cliv__describe(indices, a));
  REQUIRE(ctx, x->dtype == out->dtype, DTYPE, "rows of %s cannot be added to %s", cliv__describe(x, a),
          cliv__describe(out, b));
  REQUIRE(ctx, x->ndim >= 1 && x->ndim == out->ndim, SHAPE, "rows of %s cannot be added to %s", cliv__describe(x, a),
          cliv__describe(out, b));
  for (int d = 1; d < x->ndim; d++)
    REQUIRE(ctx, x->shape[d] == out->shape[d], SHAPE, "rows of %s cannot be added to %s", cliv__describe(x, a),
            cliv__describe(out, b));
  REQUIRE(ctx, x->shape[0] == indices->count, SHAPE, "%zu indices for the rows of %s", indices->count,
          cliv__describe(x, a));
  REQUIRE(ctx, x->ndim <= 2 || (cliv__dense(x) && cliv__dense(out)), LAYOUT,
          "adding rows of %d axes needs dense tensors", x->ndim - 1);
  REQUIRE(ctx, indices->count <= MOST, DEVICE_LIMIT, "fewer than 2^31 rows are added at once, not %zu", indices->count);
  REQUIRE(ctx, !cliv__overlap(x, out) && !cliv__overlap(indices, out), OVERLAP,
          "the rows that are added to share memory with an input");
  return CLIV_OK;
}

/* The indices in order, and where they stood. */
static cliv_status sort_indices(cliv_context *ctx, const cliv_tensor *indices, const cliv_sync *sync, cl_mem *sorted,
                                cl_mem *places) {
  const size_t n = indices->count;
  cliv_tensor *a = NULL, *b = NULL;
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_SORTED, n * cliv_dtype_size(indices->dtype), sorted));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_SCATTER, n * sizeof(cl_long), places));
  cliv_status status = cliv_tensor_wrap(ctx, *sorted, 0, indices->dtype, 1, &n, &a);
  if (!status) status = cliv_tensor_wrap(ctx, *places, 0, CLIV_I64, 1, &n, &b);
  if (!status) status = cliv_sort(ctx, CLIV_ALL_AXES, CLIV_ASCENDING, indices, a, b, SYNC_FIRST(sync));
  cliv_tensor_free(a);
  cliv_tensor_free(b);
  return status;
}

static cliv_status run(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *indices, cliv_tensor *out,
                       const cliv_sync *sync) {
  const cliv_dtype dtype = x->dtype;
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  char options[96];
  cl_kernel kernel;
  cl_mem sorted, places;
  snprintf(options, sizeof options, "-D X_T=%s -D INDEX=%s%s", cliv__dtype_storage(dtype),
           indices->dtype == CLIV_I32 ? "int" : "long", cliv__dtype_real(dtype));
  TRY(cliv__kernel(ctx, "scatter.cl", options, "scatter_add", &kernel));
  TRY(sort_indices(ctx, indices, sync, &sorted, &places));
  const cl_ulong count = indices->count, columns = cliv__row_length(x), rows = out->shape[0];
  const cl_ulong each = cpu ? cliv__div_up(RUN, columns) : 1, x_pitch = cliv__row_pitch(x),
                 out_pitch = cliv__row_pitch(out);
  const cl_ulong x_first = cliv__first(x), out_first = cliv__first(out);
  const cliv__range range = cpu ? RANGE1(cliv__div_up(count, each), 1) : RANGE1(count * columns, cliv__group(ctx, 64));
  return LAUNCH(ctx, kernel, range, SYNC_LAST(sync), ARG(sorted), ARG(places), ARG(count), ARG(each), ARG(x->mem),
                ARG(x_first), ARG(x_pitch), ARG(columns), ARG(out->mem), ARG(out_first), ARG(out_pitch), ARG(rows));
}

cliv_status cliv_scatter_add(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *indices, cliv_tensor *out,
                             const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(NULL, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, indices);
  REQUIRE_NOT_NULL(ctx, out);
  TRY(check(ctx, x, indices, out));
  return x->count && out->count ? run(ctx, x, indices, out, sync) : cliv__nothing(ctx, sync);
}
