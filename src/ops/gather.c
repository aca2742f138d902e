/* Rows picked by index. See cliv/gather.h. */
#include <cliv/gather.h>

#include <stdio.h>

#include "base/dtype.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/tensor.h"

enum {
  RUN = 4096
}; /* elements a work-item of the CPU walk moves: long enough to hide its start, short enough to share */

static cliv_status check(cliv_context *ctx, const cliv_tensor *table, const cliv_tensor *indices,
                         const cliv_tensor *out) {
  char a[160], b[160];
  REQUIRE_TENSORS(ctx, table, indices, out);
  REQUIRE(ctx, indices->dtype == CLIV_I32 || indices->dtype == CLIV_I64, DTYPE,
          "indices must be int32 or int64, not %s", cliv__describe(indices, a));
  REQUIRE(ctx, indices->ndim == 1, SHAPE, "indices must have one axis, not %s", cliv__describe(indices, a));
  REQUIRE(ctx, out->dtype == table->dtype, DTYPE, "rows of %s cannot be gathered into %s", cliv__describe(table, a),
          cliv__describe(out, b));
  REQUIRE(ctx, table->ndim >= 1 && out->ndim == table->ndim, SHAPE, "rows of %s cannot be gathered into %s",
          cliv__describe(table, a), cliv__describe(out, b));
  for (int d = 1; d < table->ndim; d++)
    REQUIRE(ctx, out->shape[d] == table->shape[d], SHAPE, "rows of %s cannot be gathered into %s",
            cliv__describe(table, a), cliv__describe(out, b));
  REQUIRE(ctx, out->shape[0] == indices->shape[0], SHAPE, "%zu indices give %zu rows, not %s", indices->shape[0],
          indices->shape[0], cliv__describe(out, b));
  REQUIRE(ctx, table->ndim <= 2 || (cliv__dense(table) && cliv__dense(out)), LAYOUT,
          "gathering rows of %d axes needs dense tensors", table->ndim - 1);
  REQUIRE(ctx, !cliv__overlap(table, out) && !cliv__overlap(indices, out), OVERLAP,
          "gather's output shares memory with its input");
  return CLIV_OK;
}

cliv_status cliv_gather(cliv_context *ctx, const cliv_tensor *table, const cliv_tensor *indices, cliv_tensor *out,
                        const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, table);
  REQUIRE_NOT_NULL(ctx, indices);
  REQUIRE_NOT_NULL(ctx, out);
  TRY(check(ctx, table, indices, out));
  if (out->count == 0) return cliv__nothing(ctx, sync);

  char options[64];
  snprintf(options, sizeof options, "-D ELEMENT=%s -D INDEX=%s", cliv__dtype_bits(table->dtype),
           indices->dtype == CLIV_I32 ? "int" : "long");
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "gather.cl", options, "gather", &kernel));

  const cl_ulong table_first = cliv__first(table), table_pitch = cliv__row_pitch(table), table_rows = table->shape[0];
  const cl_ulong indices_first = cliv__first(indices), out_first = cliv__first(out), out_pitch = cliv__row_pitch(out);
  const cl_ulong rows = out->shape[0], columns = cliv__row_length(out);
  const cl_ulong columns_each = columns < RUN ? columns : RUN, rows_each = RUN / columns_each;
  const cliv__range range = ctx->walk == CLIV_WALK_CPU
                                ? RANGE2(cliv__div_up(columns, columns_each), cliv__div_up(rows, rows_each), 1, 1)
                                : RANGE1(out->count, cliv__group(ctx, 64));
  const cl_mem table_mem = table->count ? table->mem : indices->mem; /* of an empty table nothing is read */
  return LAUNCH(ctx, kernel, range, sync, ARG(table_mem), ARG(table_first), ARG(table_pitch), ARG(table_rows),
                ARG(indices->mem), ARG(indices_first), ARG(out->mem), ARG(out_first), ARG(out_pitch), ARG(rows),
                ARG(columns), ARG(rows_each), ARG(columns_each));
}
