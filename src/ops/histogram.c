/* Elements into bins. See cliv/histogram.h. */
#include <cliv/histogram.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dtype.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum {
  RUNS_PER_UNIT = 4,      /* in the CPU walk */
  ITEMS_PER_UNIT = 512,   /* in the GPU walk */
  SHORTEST = 256,         /* elements that a work-item should have at least */
  MOST_COUNTERS = 1 << 22 /* of all work-items together, unless one needs more */
};

/* The edges in the type that elements are compared in, rounded upwards: at or above the edge is then the same. */
typedef union scalar {
  float f32;
  double f64;
  cl_long i64;
} scalar;

typedef struct edges {
  cl_mem mem;
  scalar high;   /* rounded downwards */
  size_t size;   /* of one */
  cl_ulong bins; /* those that an element can reach: an int64 does not get to edges from 2^63 on */
} edges;

static float float_above(double v) {
  const float f = (float)v;
  return (double)f < v ? nextafterf(f, INFINITY) : f;
}

static float float_below(double v) { return -float_above(-v); }

static cl_long whole_within(double v) { return v >= 0x1p63 ? INT64_MAX : v < -0x1p63 ? INT64_MIN : (cl_long)v; }

static void put_edge(cliv_dtype dtype, void *all, size_t i, double edge) {
  if (dtype == CLIV_F64) ((double *)all)[i] = edge;
  else if (cliv__is_integer(dtype)) ((cl_long *)all)[i] = whole_within(ceil(edge));
  else ((float *)all)[i] = float_above(edge);
}

static cliv_status make_edges(cliv_context *ctx, cliv_dtype dtype, size_t bins, double low, double high, edges *out) {
  const bool whole = cliv__is_integer(dtype);
  out->size = cliv__is_wide(dtype) ? 8 : 4;
  if (dtype == CLIV_F64) out->high.f64 = high;
  else if (whole) out->high.i64 = whole_within(floor(high));
  else out->high.f32 = float_below(high);
  void *const host = calloc(bins, out->size);
  REQUIRE(ctx, host != NULL, HOST_MEMORY, "no memory for the edges of %zu bins", bins);
  const double step = (high - low) / (double)bins;
  for (size_t i = 0; i < bins; i++) {
    const double edge = (double)i * step + low;
    put_edge(dtype, host, i, edge);
    if (!whole || edge < 0x1p63) out->bins = i + 1;
  }
  const cliv_status status = cliv__upload(ctx, host, bins * out->size, "making a buffer for the edges", &out->mem);
  free(host);
  return status;
}

static cl_ulong run_count(const cliv_context *ctx, size_t n, size_t bins) {
  const size_t units = ctx->facts.compute_units;
  size_t runs = ctx->walk == CLIV_WALK_CPU ? units * RUNS_PER_UNIT : units * ITEMS_PER_UNIT;
  if (runs > cliv__div_up(n, SHORTEST)) runs = cliv__div_up(n, SHORTEST);
  if (runs > MOST_COUNTERS / bins) runs = MOST_COUNTERS / bins;
  return runs ? runs : 1;
}

static cliv_status run(cliv_context *ctx, const cliv_tensor *x, const edges *e, size_t bins_, cliv_tensor *counts,
                       const cliv_sync *sync) {
  const cliv_dtype dtype = x->dtype;
  const cl_ulong n = x->count, bins = bins_, runs = run_count(ctx, n, bins_), each = cliv__div_up(n, runs);
  const cl_ulong x_first = cliv__first(x), counts_first = cliv__first(counts);
  const size_t group = ctx->walk == CLIV_WALK_CPU ? 1 : cliv__group(ctx, 64);
  char options[96];
  cl_kernel counting, adding;
  cl_mem counters;
  snprintf(options, sizeof options, "-D X_T=%s -D SINGLE%s", cliv__dtype_storage(dtype), cliv__dtype_real(dtype));
  TRY(cliv__kernel(ctx, "histogram.cl", options, "histogram", &counting));
  TRY(cliv__kernel(ctx, "histogram.cl", options, "histogram_add", &adding));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_HISTOGRAM, runs * bins_ * sizeof(cl_ulong), &counters));
  const cliv__arg high = {e->size, &e->high};
  TRY(LAUNCH(ctx, counting, RANGE1(runs, group), SYNC_FIRST(sync), ARG(x->mem), ARG(x_first), ARG(n), ARG(runs),
             ARG(each), ARG(e->mem), ARG(bins), ARG(e->bins), high, ARG(counters)));
  return LAUNCH(ctx, adding, RANGE1(bins_, group), SYNC_LAST(sync), ARG(counters), ARG(runs), ARG(bins),
                ARG(counts->mem), ARG(counts_first));
}

cliv_status cliv_histogram(cliv_context *ctx, const cliv_tensor *x, size_t bins, double low, double high,
                           cliv_tensor *counts, const cliv_sync *sync) {
  char a[160];
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(NULL, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, counts);
  REQUIRE_TENSORS(ctx, x, counts);
  REQUIRE(ctx, bins > 0, VALUE, "a histogram has at least one bin");
  REQUIRE(ctx, low < high && isfinite(high - low), VALUE,
          "bins from %g to %g: they need finite ends, the first below the second", low, high);
  REQUIRE(ctx, counts->dtype == CLIV_I64, DTYPE, "counts are int64, not %s", cliv__describe(counts, a));
  REQUIRE(ctx, counts->ndim == 1 && counts->count == bins, SHAPE, "%zu bins give [%zu], not %s", bins, bins,
          cliv__describe(counts, a));
  REQUIRE(ctx, cliv__dense(x), LAYOUT, "a histogram needs a dense tensor; this one has rows of %zu with a pitch of %zu",
          x->columns, x->pitch);
  REQUIRE(ctx, !cliv__overlap(x, counts), OVERLAP, "the counts overlap the input in memory");
  const bool beyond = cliv__is_integer(x->dtype) && (low >= 0x1p63 || high < -0x1p63); /* of all integers */
  if (x->count == 0 || beyond) return cliv_tensor_fill(counts, 0, sync);
  edges e = {0};
  TRY(make_edges(ctx, x->dtype, bins, low, high, &e));
  const cliv_status status = run(ctx, x, &e, bins, counts, sync);
  clReleaseMemObject(e.mem); /* commands that use it hold it until they are done */
  return status;
}
