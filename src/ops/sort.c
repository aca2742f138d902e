/* Sorting: the checks, and the passes of a radix sort. See cliv/sort.h. */
#include <cliv/scan.h>
#include <cliv/sort.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum {
  LONG_ROW = 2048,     /* from here on a digit has 8 bits; counting them does not pay for shorter rows */
  RUNS_PER_UNIT = 4,   /* runs of a row for each compute unit in the CPU walk … */
  SHORTEST_RUN = 4096, /* … none shorter than this */
  GPU_RUN = 256,       /* elements of a run in the GPU walk */
  MOST = 0x7fffffff    /* elements */
};

enum { WANTS_VALUES = 1, WANTS_PLACES = 2 };

typedef struct request {
  const cliv_tensor *x;
  cl_uint descending, wants;
  cl_ulong rows, columns, pitch, keep; /* keep: how many of each row are wanted */
  cl_mem out, out_places;
  cl_ulong out_first, out_places_first;
} request;

/* How a row is cut. */
typedef struct cut {
  cl_ulong runs, each;
  unsigned digit;
} cut;

static cut cut_rows(const cliv_context *ctx, const request *q) {
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  cl_ulong each = GPU_RUN;
  if (cpu) {
    const cl_ulong even = cliv__div_up(q->rows * q->columns, (size_t)ctx->facts.compute_units * RUNS_PER_UNIT);
    each = even < SHORTEST_RUN ? SHORTEST_RUN : even;
  }
  const cut c = {cliv__div_up(q->columns, each), each, cpu && q->columns >= LONG_ROW ? 8 : 4};
  return c;
}

static cliv_status kernel_of(cliv_context *ctx, cliv_dtype dtype, unsigned digit, const char *entry, cl_kernel *out) {
  static const char *const kinds[] = {
      [CLIV_F32] = "uint -D KIND_float -D NAN_BITS=0x7fc00000u -D INFINITE=0x7f800000u",
      [CLIV_F16] = "ushort -D KIND_float -D NAN_BITS=0x7e00 -D INFINITE=0x7c00",
      [CLIV_BF16] = "ushort -D KIND_float -D NAN_BITS=0x7fc0 -D INFINITE=0x7f80",
      [CLIV_F64] = "ulong -D KIND_float -D NAN_BITS=0x7ff8000000000000UL -D INFINITE=0x7ff0000000000000UL",
      [CLIV_I32] = "uint -D KIND_signed",
      [CLIV_I64] = "ulong -D KIND_signed",
      [CLIV_U8] = "uchar",
  };
  char options[160];
  snprintf(options, sizeof options, "-D KEY=%s -D DIGIT=%u", kinds[dtype], digit);
  return cliv__kernel(ctx, "sort.cl", options, entry, out);
}

/* What one pass reads, writes and knows. */
typedef struct pass {
  cl_mem keys, places, to_keys, to_places, counts;
  cl_ulong keys_first, pitch;
  cl_uint shift, first, last;
} pass;

static cliv__range range_of(const cliv_context *ctx, const request *q, const cut *c) {
  const size_t group = ctx->walk == CLIV_WALK_CPU ? 1 : cliv__group(ctx, 64);
  return RANGE1(q->rows * c->runs, group);
}

static cliv_status count_digits(cliv_context *ctx, const request *q, const cut *c, const pass *p,
                                const cliv_sync *sync) {
  cl_kernel kernel;
  TRY(kernel_of(ctx, q->x->dtype, c->digit, "sort_count", &kernel));
  return LAUNCH(ctx, kernel, range_of(ctx, q, c), sync, ARG(p->keys), ARG(p->keys_first), ARG(p->pitch), ARG(q->rows),
                ARG(q->columns), ARG(c->runs), ARG(c->each), ARG(p->shift), ARG(p->first), ARG(q->descending),
                ARG(p->counts));
}

/* How many elements of digits and runs before, in place. */
static cliv_status add_up(cliv_context *ctx, const request *q, const cut *c, cl_mem counts) {
  const size_t n = (size_t)(q->rows * c->runs) << c->digit;
  cliv_tensor *t;
  TRY(cliv_tensor_wrap(ctx, counts, 0, CLIV_I32, 1, &n, &t));
  const cliv_status status = cliv_scan(ctx, "sum", CLIV_ALL_AXES, CLIV_EXCLUSIVE, t, t, NULL);
  cliv_tensor_free(t);
  return status;
}

static cliv_status place(cliv_context *ctx, const request *q, const cut *c, const pass *p, const cliv_sync *sync) {
  cl_kernel kernel;
  TRY(kernel_of(ctx, q->x->dtype, c->digit, "sort_place", &kernel));
  return LAUNCH(ctx, kernel, range_of(ctx, q, c), sync, ARG(p->keys), ARG(p->keys_first), ARG(p->pitch), ARG(q->rows),
                ARG(q->columns), ARG(c->runs), ARG(c->each), ARG(p->shift), ARG(p->first), ARG(q->descending),
                ARG(p->counts), ARG(p->places), ARG(p->to_keys), ARG(p->to_places), ARG(p->last), ARG(q->wants),
                ARG(q->keep), ARG(q->out), ARG(q->out_first), ARG(q->out_places), ARG(q->out_places_first));
}

static cliv_status run(cliv_context *ctx, const request *q, const cliv_sync *sync) {
  const cut c = cut_rows(ctx, q);
  const size_t size = cliv_dtype_size(q->x->dtype), n = q->rows * q->columns;
  const cl_uint bits = (cl_uint)size * 8, passes = bits / c.digit;
  cl_mem keys[2], places[2], counts;
  for (int i = 0; i < 2; i++) {
    TRY(cliv__scratch(ctx, CLIV__SCRATCH_SORT_KEYS_A + i, passes > 1 ? n * size : size, &keys[i]));
    TRY(cliv__scratch(ctx, CLIV__SCRATCH_SORT_PLACES_A + i, q->wants & WANTS_PLACES && passes > 1 ? n * 4 : 4,
                      &places[i]));
  }
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_SORT_COUNTS, ((size_t)(q->rows * c.runs) << c.digit) * 4, &counts));
  for (cl_uint i = 0; i < passes; i++) {
    const bool first = i == 0, last = i + 1 == passes;
    const pass p = {.keys = first ? q->x->mem : keys[(i + 1) % 2],
                    .places = places[(i + 1) % 2],
                    .to_keys = keys[i % 2],
                    .to_places = places[i % 2],
                    .counts = counts,
                    .keys_first = first ? cliv__first(q->x) : 0,
                    .pitch = first ? q->pitch : q->columns,
                    .shift = i * c.digit,
                    .first = first,
                    .last = last};
    TRY(count_digits(ctx, q, &c, &p, first ? SYNC_FIRST(sync) : SYNC_NONE));
    TRY(add_up(ctx, q, &c, counts));
    TRY(place(ctx, q, &c, &p, last ? SYNC_LAST(sync) : SYNC_NONE));
  }
  return CLIV_OK;
}

/* ---- checks ---- */

static cliv_status check_input(cliv_context *ctx, int axis, const cliv_tensor *x, request *q) {
  const bool all = axis == CLIV_ALL_AXES;
  REQUIRE_TENSORS(ctx, x);
  REQUIRE(ctx, all || (axis >= -x->ndim && axis < x->ndim), VALUE, "axis %d of a tensor with %d axes", axis, x->ndim);
  REQUIRE(ctx, all || axis == -1 || axis == x->ndim - 1, NOT_IN_BUILD,
          "sorting along axis %d of %d: this version sorts all elements or along the last axis", axis, x->ndim);
  REQUIRE(ctx, !all || cliv__dense(x), LAYOUT,
          "sorting all elements needs a dense tensor; this one has rows of %zu with a pitch of %zu", x->columns,
          x->pitch);
  REQUIRE(ctx, x->count <= MOST, DEVICE_LIMIT, "sorting takes fewer than 2^31 elements, not %zu", x->count);
  *q = (request){
      .x = x, .rows = all ? 1 : x->rows, .columns = all ? x->count : x->columns, .pitch = all ? x->count : x->pitch};
  q->keep = q->columns;
  return CLIV_OK;
}

/* A result of x's shape, or with its last axis (all axes: its only one) `length` long. */
static cliv_status check_result(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *out, cliv_dtype dtype,
                                bool all, bool whole, size_t length) {
  char a[160], b[160];
  size_t shape[CLIV_MAX_DIMS];
  memcpy(shape, x->shape, sizeof shape);
  const int ndim = all && !whole ? 1 : x->ndim;
  if (!whole) shape[ndim - 1] = length;
  REQUIRE_TENSORS(ctx, out);
  REQUIRE(ctx, out->dtype == dtype, DTYPE, "a result of %s is needed, not %s", cliv_dtype_name(dtype),
          cliv__describe(out, b));
  REQUIRE(ctx, out->ndim == ndim && !memcmp(out->shape, shape, (size_t)ndim * sizeof *shape), SHAPE,
          "%zu of each row of %s do not fit a result of %s", length, cliv__describe(x, a), cliv__describe(out, b));
  REQUIRE(ctx, cliv__dense(out), LAYOUT, "the result goes to a dense tensor");
  REQUIRE(ctx, !cliv__overlap(x, out), OVERLAP, "the result overlaps the input in memory");
  return CLIV_OK;
}

static cliv_status check_results(cliv_context *ctx, const cliv_tensor *x, cliv_tensor *values, cliv_tensor *places,
                                 bool all, bool whole, size_t length, request *q) {
  REQUIRE(ctx, values || places, NULL, "neither values nor places are wanted: both are NULL");
  if (values) TRY(check_result(ctx, x, values, x->dtype, all, whole, length));
  if (places) TRY(check_result(ctx, x, places, CLIV_I64, all, whole, length));
  REQUIRE(ctx, !values || !places || !cliv__overlap(values, places), OVERLAP, "values and places overlap in memory");
  const cliv_tensor *any = values ? values : places;
  q->wants = (values ? WANTS_VALUES : 0u) | (places ? WANTS_PLACES : 0u);
  q->out = values ? values->mem : any->mem; /* not written */
  q->out_places = places ? places->mem : any->mem;
  q->out_first = values ? cliv__first(values) : 0;
  q->out_places_first = places ? cliv__first(places) : 0;
  return CLIV_OK;
}

static cliv_status begin(cliv_context *ctx, int axis, cliv_order order, const cliv_tensor *x, const cliv_sync *sync,
                         request *q) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(NULL, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE(ctx, order == CLIV_ASCENDING || order == CLIV_DESCENDING, VALUE,
          "an order is ascending (0) or descending (1), not %d", (int)order);
  TRY(check_input(ctx, axis, x, q));
  q->descending = order == CLIV_DESCENDING;
  return CLIV_OK;
}

/* ---- the calls ---- */

cliv_status cliv_sort(cliv_context *ctx, int axis, cliv_order order, const cliv_tensor *x, cliv_tensor *sorted,
                      cliv_tensor *places, const cliv_sync *sync) {
  request q;
  TRY(begin(ctx, axis, order, x, sync, &q));
  TRY(check_results(ctx, x, sorted, places, axis == CLIV_ALL_AXES, true, q.columns, &q));
  return x->count ? run(ctx, &q, sync) : cliv__nothing(ctx, sync);
}

cliv_status cliv_topk(cliv_context *ctx, int axis, size_t k, cliv_order order, const cliv_tensor *x,
                      cliv_tensor *values, cliv_tensor *places, const cliv_sync *sync) {
  request q;
  TRY(begin(ctx, axis, order, x, sync, &q));
  REQUIRE(ctx, k <= q.columns, VALUE, "the first %zu of %zu elements: there are not so many", k, (size_t)q.columns);
  TRY(check_results(ctx, x, values, places, axis == CLIV_ALL_AXES, false, k, &q));
  q.keep = k;
  return x->count && k ? run(ctx, &q, sync) : cliv__nothing(ctx, sync);
}

/* ---- quantiles ---- */

/* One quantile of every sorted row. */
static cliv_status between(cliv_context *ctx, const request *q, cl_kernel kernel, cl_mem sorted, double at,
                           const cliv_tensor *out, size_t index, size_t count, const cliv_sync *sync) {
  const double h = at * (double)(q->columns - 1), t64 = h - floor(h);
  const cl_ulong below = (cl_ulong)h, out_first = cliv__first(out) + index, apart = count;
  const float t32 = (float)t64;
  const size_t group = ctx->walk == CLIV_WALK_CPU ? 1 : cliv__group(ctx, 64);
  return LAUNCH(ctx, kernel, RANGE1(q->rows, group), sync, ARG(sorted), ARG(q->rows), ARG(q->columns), ARG(below),
                q->x->dtype == CLIV_F64 ? ARG(t64) : ARG(t32), ARG(out->mem), ARG(out_first), ARG(apart));
}

cliv_status cliv_quantile(cliv_context *ctx, int axis, size_t count, const double *at, const cliv_tensor *x,
                          cliv_tensor *out, const cliv_sync *sync) {
  request q;
  TRY(begin(ctx, axis, CLIV_ASCENDING, x, sync, &q));
  REQUIRE_NOT_NULL(ctx, out);
  REQUIRE(ctx, at != NULL || count == 0, NULL, "%zu quantiles are wanted, but q is NULL", count);
  REQUIRE(ctx, !cliv__is_integer(x->dtype), DTYPE, "quantiles lie between elements: convert the %s first",
          cliv_dtype_name(x->dtype));
  for (size_t i = 0; i < count; i++)
    REQUIRE(ctx, at[i] >= 0 && at[i] <= 1, VALUE, "a quantile lies from 0 to 1, but q[%zu] is %g", i, at[i]);
  TRY(check_results(ctx, x, out, NULL, axis == CLIV_ALL_AXES, false, count, &q));
  if (out->count == 0) return cliv__nothing(ctx, sync);
  REQUIRE(ctx, q.columns > 0, DATA, "no elements have no quantiles");
  cl_mem sorted;
  cl_kernel kernel;
  char options[64];
  snprintf(options, sizeof options, "-D X_T=%s -D SINGLE%s", cliv__dtype_storage(x->dtype),
           x->dtype == CLIV_F64 ? " -D REAL_F64" : "");
  TRY(cliv__kernel(ctx, "quantile.cl", options, "quantile", &kernel));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_SORTED, x->count * cliv_dtype_size(x->dtype), &sorted));
  q.out = sorted;
  q.out_first = 0;
  TRY(run(ctx, &q, SYNC_FIRST(sync)));
  for (size_t i = 0; i < count; i++)
    TRY(between(ctx, &q, kernel, sorted, at[i], out, i, count, i + 1 == count ? SYNC_LAST(sync) : SYNC_NONE));
  return CLIV_OK;
}
