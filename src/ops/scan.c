/* Scans: the table, the checks, and the launches from blocks' totals to prefixes. See cliv/scan.h. */
#include <cliv/scan.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "ops/blocks.h"
#include "ops/segments.h"
#include "runtime/axes.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum {
  BLOCK = 4096, /* elements that are done at once … */
  BLOCK_WIDE =
      2048,    /* … and in the GPU walk where they are computed in 8 bytes, so that local memory of 32 KiB will do */
  LANE = 16,   /* elements of a lane of the GPU walk, as in cl/scan.cl */
  GROUP = 256, /* work-items of the GPU walk */
  CARRY_RUNS = 8,     /* runs of rows whose totals are carried along, for each compute unit in the CPU walk */
  CARRY_GROUPS = 1024 /* groups that carry totals along; rows are dealt out among them */
};

/* Along an axis behind which others lie. */
enum {
  ACROSS = 8,           /* vectors of the CPU walk side by side: cache lines of each row of memory */
  COLUMN_RUNS = 4,      /* runs for each compute unit: lines are cut into blocks until there are so many … */
  COLUMN_ITEMS = 512,   /* … in the GPU walk */
  COLUMN_GROUP = 64,    /* work-items of the GPU walk */
  SHORTEST_BLOCK = 512, /* … but not into shorter ones */
  LONGEST_BLOCK = 65536 /* no longer than cl/scan_columns.cl can do */
};

typedef struct row {
  cliv_scan_info info;
  const char *kind; /* of cl/scan_ops.cl */
  double nothing;   /* what no floats give */
} row;

static const row rows[] = {
    {{"sum", "sum of the elements so far", 1}, "value", 0},
    {{"prod", "product of the elements so far", 1}, "value", 1},
    {{"max", "greatest element so far", 0}, "extreme", -INFINITY},
    {{"min", "least element so far", 0}, "extreme", INFINITY},
};

static const row user_row = {{"", "", 0}, "user", 0}; /* a text's own functions say themselves what nothing gives */

size_t cliv_scan_count(void) { return sizeof rows / sizeof *rows; }
const cliv_scan_info *cliv_scan_get(size_t index) { return index < cliv_scan_count() ? &rows[index].info : NULL; }

static const row *find(const char *name) {
  for (size_t i = 0; name && i < cliv_scan_count(); i++)
    if (!strcmp(rows[i].info.name, name)) return &rows[i];
  return NULL;
}

const cliv_scan_info *cliv_scan_find(const char *name) {
  const row *r = find(name);
  return r ? &r->info : NULL;
}

static cliv_dtype natural_type(const row *r, cliv_dtype input) {
  return r->info.total && cliv__is_integer(input) ? CLIV_I64 : input;
}

cliv_status cliv_scan_dtype(const char *op, cliv_dtype input, cliv_dtype *out) {
  REQUIRE_NOT_NULL(NULL, out);
  const row *r = find(op);
  REQUIRE(NULL, r != NULL, NAME, "there is no scan '%s'; `cliv op list scan` shows those there are",
          op ? op : "(NULL)");
  REQUIRE(NULL, cliv_dtype_size(input) > 0, DTYPE, "scan '%s' of a type that is none (%d)", op, (int)input);
  *out = natural_type(r, input);
  return CLIV_OK;
}

/* ---- the launches ---- */

typedef enum layout { ROWS, COLUMNS, SEGMENTS } layout;

typedef struct request {
  const row *op;
  const char *name, *text; /* text NULL: the library's operation of that name */
  const cliv_tensor *x;
  cliv_tensor *out;
  cl_uint exclusive;
  layout layout;
  cl_ulong block;
  cl_ulong rows, columns; /* segments: how many, and the longest one's length; COLUMNS: sets of `inner` lines */
  cl_ulong blocks_per_row;
  cl_ulong pitch, out_pitch;     /* ROWS */
  const cliv_segments *segments; /* SEGMENTS */
  cl_ulong inner, middle;        /* COLUMNS, with strides as in cl/scan_columns.cl */
  cl_ulong strides[4], out_strides[4];
} request;

#define FILES(shell) \
  { "order.cl scan_ops.cl prefix.cl " shell, "divide.cl math.cl user order.cl scan_ops.cl prefix.cl " shell }

static cliv_status kernel_of(cliv_context *ctx, const request *q, const char *entry, cl_kernel *out) {
  static const char *const files[][2] = {FILES("scan.cl"), FILES("scan_columns.cl"), FILES("scan.cl")};
  const cliv_dtype x = q->x->dtype;
  char shell[48], options[192];
  if (q->layout == COLUMNS)
    snprintf(shell, sizeof shell, " -D COLUMNS -D ACROSS=%d", ctx->walk == CLIV_WALK_CPU ? ACROSS : 1);
  else snprintf(shell, sizeof shell, " -D BLOCK=%u%s", (unsigned)q->block, q->layout == SEGMENTS ? " -D SEGMENTS" : "");
  snprintf(options, sizeof options, "-D OP=%s%s -D KIND_%s -D X_T=%s -D OUT_T=%s%s%s", q->text ? "" : "scan_", q->name,
           q->op->kind, cliv__dtype_storage(x), cliv__dtype_storage(q->out->dtype), cliv__dtype_real(x), shell);
  return cliv__kernel_with(ctx, files[q->layout][q->text != NULL], q->text, options, entry, out);
}

/* The arguments PLACES of the kernels. */
static size_t place_arguments(const request *q, cliv__arg *args) {
  size_t n = 0;
  if (q->layout == SEGMENTS) args[n++] = ARG(q->segments->offsets);
  if (q->layout == COLUMNS) {
    args[n++] = ARG(q->columns);
    args[n++] = ARG(q->block);
  }
  args[n++] = ARG(q->rows);
  if (q->layout == COLUMNS) {
    args[n++] = ARG(q->inner);
    args[n++] = ARG(q->middle);
    args[n++] = ARG(q->strides);
    args[n++] = ARG(q->out_strides);
  }
  if (q->layout == ROWS) {
    args[n++] = ARG(q->columns);
    args[n++] = ARG(q->pitch);
    args[n++] = ARG(q->out_pitch);
    args[n++] = ARG(q->blocks_per_row);
  }
  return n;
}

/* COLUMNS: lines that a work-item takes at once, and how many times that of one block. */
static cl_ulong width_of(const cliv_context *ctx, const request *q) {
  return ctx->walk != CLIV_WALK_CPU ? 1 : ACROSS * (cliv__is_wide(q->x->dtype) ? 8u : 16u);
}
static cl_ulong column_runs(const cliv_context *ctx, const request *q) {
  return q->rows * cliv__div_up(q->inner, width_of(ctx, q));
}

/* How many blocks there are to deal out; for segments, how many stretches of a block's length that blocks may begin
 * in. */
static cl_ulong block_count(const cliv_context *ctx, const request *q) {
  if (q->layout == SEGMENTS) return cliv__div_up(q->segments->end, q->block);
  return (q->layout == COLUMNS ? column_runs(ctx, q) : q->rows) * q->blocks_per_row;
}

/* Bytes of what launches leave each other: a slot before and behind each block of a row. */
static size_t part_bytes(const cliv_context *ctx, const request *q) {
  size_t count = q->rows * (q->blocks_per_row + 1);
  if (q->layout == SEGMENTS) count = q->segments->end / q->block + 2 * q->rows + 2;
  if (q->layout == COLUMNS) count = column_runs(ctx, q) * width_of(ctx, q) * (q->blocks_per_row + 1);
  return count * sizeof(cl_long);
}

/* Groups of COLUMNS have no more work-items than this: each has trees in local memory. */
static size_t column_group(const cliv_context *ctx) {
  const size_t group = cliv__group(ctx, COLUMN_GROUP);
  return group < COLUMN_GROUP ? group : COLUMN_GROUP;
}

/* The GPU walk's trees of COLUMNS, for `count` parts one after another. */
static size_t tree_arguments(const cliv_context *ctx, const request *q, cl_ulong count, cliv__arg *args) {
  if (q->layout != COLUMNS || ctx->walk == CLIV_WALK_CPU) return 0;
  size_t levels = 1;
  for (cl_ulong last = count ? count - 1 : 0; last; last >>= 1) levels++;
  args[0] = LOCAL(levels * column_group(ctx) * (cliv__is_wide(q->x->dtype) ? 8 : 4));
  return 1;
}
static cl_ulong chunks_of_block(const request *q) {
  return cliv__div_up(q->columns < q->block ? q->columns : q->block, LANE);
}

/* The work-items that do the blocks, and what each takes: elements, or in the GPU walk of rows lanes a block; of
 * columns, blocks. */
static cliv__range divide(const cliv_context *ctx, const request *q, cl_ulong *share) {
  const cl_ulong blocks = block_count(ctx, q);
  if (ctx->walk == CLIV_WALK_CPU) {
    cl_ulong elements = q->layout == SEGMENTS || q->columns > q->block ? q->block : q->columns + 1;
    if (q->layout == COLUMNS) elements *= width_of(ctx, q);
    const cl_ulong each = cliv__run_length(ctx, blocks, elements);
    *share = q->layout == COLUMNS ? each : each * q->block;
    return RANGE1(cliv__div_up(blocks, each), 1);
  }
  *share = 1;
  if (q->layout == COLUMNS) return RANGE1(blocks, column_group(ctx));
  const size_t group = cliv__group(ctx, GROUP);
  *share = q->block;
  if (q->layout == SEGMENTS) return RANGE1(blocks * group, group);
  cl_ulong lanes = 1;
  while (lanes * LANE < q->block && lanes * LANE < q->columns) lanes *= 2;
  *share = lanes;
  const size_t step = lanes < group ? lanes : group,
               room = q->block / LANE / lanes; /* blocks that a group has room for */
  return RANGE1(cliv__div_up(blocks, group / step < room ? group / step : room) * group, group);
}

static cliv_status run_totals(cliv_context *ctx, const request *q, cl_mem parts, const cliv_sync *sync) {
  cl_kernel kernel;
  TRY(kernel_of(ctx, q, "scan_totals", &kernel));
  cl_ulong share;
  const cliv__range range = divide(ctx, q, &share);
  const cl_ulong x_first = cliv__first(q->x);
  cliv__arg args[16];
  args[0] = ARG(q->x->mem);
  args[1] = ARG(x_first);
  size_t n = 2 + place_arguments(q, args + 2);
  args[n++] = ARG(share);
  args[n++] = ARG(parts);
  n += tree_arguments(ctx, q, chunks_of_block(q), args + n);
  return cliv__launch(ctx, kernel, range, sync, args, n);
}

/* The same for rows' totals. */
static cliv__range divide_rows(const cliv_context *ctx, const request *q, cl_ulong *share) {
  const cl_ulong count = q->layout == COLUMNS ? column_runs(ctx, q) : q->rows;
  if (ctx->walk == CLIV_WALK_CPU) {
    const cl_ulong runs = (cl_ulong)ctx->facts.compute_units * CARRY_RUNS;
    *share = cliv__div_up(count, runs ? runs : 1);
    return RANGE1(cliv__div_up(count, *share), 1);
  }
  *share = 1;
  if (q->layout == COLUMNS) return RANGE1(count, column_group(ctx));
  *share = count;
  const size_t group = cliv__group(ctx, GROUP), groups = count < CARRY_GROUPS ? count : CARRY_GROUPS;
  return RANGE1(groups * group, group);
}

static cliv_status run_carries(cliv_context *ctx, const request *q, cl_mem parts) {
  cl_kernel kernel;
  TRY(kernel_of(ctx, q, "scan_carries", &kernel));
  cl_ulong share;
  const cliv__range range = divide_rows(ctx, q, &share);
  cliv__arg args[16];
  size_t n = place_arguments(q, args);
  args[n++] = ARG(share);
  args[n++] = ARG(parts);
  n += tree_arguments(ctx, q, q->columns / q->block, args + n);
  return cliv__launch(ctx, kernel, range, SYNC_NONE, args, n);
}

/* What no elements give, in the type that is computed in. */
typedef union scalar {
  float f32;
  double f64;
  cl_long i64;
} scalar;

static cliv__arg nothing_of(const request *q, scalar *s) {
  const double nothing = q->op->nothing;
  const cliv_dtype out = q->out->dtype;
  if (q->x->dtype == CLIV_F64) {
    s->f64 = nothing;
    return ARG(s->f64);
  }
  if (!cliv__is_integer(q->x->dtype)) {
    s->f32 = (float)nothing;
    return ARG(s->f32);
  }
  const cl_long least = out == CLIV_U8 ? 0 : out == CLIV_I32 ? INT32_MIN : INT64_MIN;
  const cl_long greatest = out == CLIV_U8 ? UINT8_MAX : out == CLIV_I32 ? INT32_MAX : INT64_MAX;
  s->i64 = isinf(nothing) ? (nothing < 0 ? least : greatest) : (cl_long)nothing;
  return ARG(s->i64);
}

static cliv_status run_apply(cliv_context *ctx, const request *q, cl_mem parts, const cliv_sync *sync) {
  cl_kernel kernel;
  TRY(kernel_of(ctx, q, "scan_apply", &kernel));
  cl_ulong share;
  const cliv__range range = divide(ctx, q, &share);
  const cl_ulong x_first = cliv__first(q->x), out_first = cliv__first(q->out);
  scalar empty;
  cliv__arg args[20];
  args[0] = ARG(q->x->mem);
  args[1] = ARG(x_first);
  size_t n = 2 + place_arguments(q, args + 2);
  args[n++] = ARG(share);
  args[n++] = ARG(parts);
  args[n++] = ARG(q->out->mem);
  args[n++] = ARG(out_first);
  args[n++] = ARG(q->exclusive);
  args[n++] = nothing_of(q, &empty);
  n += tree_arguments(ctx, q, chunks_of_block(q), args + n);
  return cliv__launch(ctx, kernel, range, sync, args, n);
}

static cliv_status run(cliv_context *ctx, const request *q, const cliv_sync *sync) {
  cl_mem parts = NULL;
  if (q->columns <= q->block) return run_apply(ctx, q, q->x->mem, sync); /* not read */
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_SCAN, part_bytes(ctx, q), &parts));
  TRY(run_totals(ctx, q, parts, SYNC_FIRST(sync)));
  TRY(run_carries(ctx, q, parts));
  return run_apply(ctx, q, parts, SYNC_LAST(sync));
}

/* ---- how elements lie ---- */

static void take_flat(request *q) {
  q->layout = q->segments ? SEGMENTS : ROWS;
  q->rows = q->segments ? q->segments->count : 1;
  q->columns = q->segments ? q->segments->longest : q->x->count;
  q->pitch = q->out_pitch = q->columns;
}

/* Lines that lie apart are cut into blocks where they are too few to keep the device busy. */
static void cut_columns(const cliv_context *ctx, request *q) {
  const cl_ulong units = ctx->facts.compute_units, lines = column_runs(ctx, q);
  const cl_ulong wanted = units * (ctx->walk == CLIV_WALK_CPU ? COLUMN_RUNS : COLUMN_ITEMS);
  q->block = LONGEST_BLOCK;
  while (q->block > SHORTEST_BLOCK && lines * cliv__div_up(q->columns, q->block) < wanted) q->block /= 2;
}

/* Outermost first: what lies outside, the axis, and two at most behind it, the last with its elements side by side. */
static void take_axis(const cliv_context *ctx, request *q, int axis) {
  const cliv__axis one = {1, 1, 1, false};
  cliv__axis axes[CLIV_MAX_DIMS];
  const int count = cliv__axes(q->x, q->out, 1u << axis, axes);
  int i = 0;
  const cliv__axis outer = i < count && !axes[i].marked ? axes[i++] : one;
  const cliv__axis along = i < count && axes[i].marked ? axes[i++] : one;
  const bool beside = count > i && axes[count - 1].stride == 1 && axes[count - 1].stride_y == 1;
  const cliv__axis inner = beside ? axes[count - 1] : one, middle = i < count - beside ? axes[i] : one;
  q->columns = along.extent;
  if (inner.extent * middle.extent == 1 && along.stride == 1 && along.stride_y == 1) {
    q->rows = outer.extent;
    q->pitch = outer.stride;
    q->out_pitch = outer.stride_y;
    return;
  }
  q->layout = COLUMNS;
  q->rows = outer.extent * middle.extent;
  q->inner = inner.extent;
  q->middle = middle.extent;
  memcpy(q->strides, (cl_ulong[]){outer.stride, middle.stride, along.stride, 0}, sizeof q->strides);
  memcpy(q->out_strides, (cl_ulong[]){outer.stride_y, middle.stride_y, along.stride_y, 0}, sizeof q->out_strides);
  cut_columns(ctx, q);
}

/* ---- the calls ---- */

static cliv_status check_types(cliv_context *ctx, const request *q) {
  const cliv_dtype x = q->x->dtype, out = q->out->dtype, natural = natural_type(q->op, x);
  const bool widened = out == CLIV_F32 && (x == CLIV_F16 || x == CLIV_BF16);
  REQUIRE(ctx, out == natural || out == x || widened, DTYPE, "scan '%s' of %s gives %s, but out is %s",
          q->name ? q->name : "", cliv_dtype_name(x), cliv_dtype_name(natural), cliv_dtype_name(out));
  return CLIV_OK;
}

static cliv_status check_places(cliv_context *ctx, const request *q, bool flat) {
  char a[160], b[160];
  const cliv_tensor *x = q->x, *out = q->out;
  REQUIRE(ctx, cliv__same_shape(x, out), SHAPE, "scan '%s' of %s needs an out of the same shape, not %s", q->name,
          cliv__describe(x, a), cliv__describe(out, b));
  REQUIRE(ctx, !flat || (cliv__dense(x) && cliv__dense(out)), LAYOUT,
          "a scan over all elements or segments needs dense tensors; the pitches are %zu and %zu for rows of %zu",
          x->pitch, out->pitch, x->columns);
  REQUIRE(ctx, !cliv__overlap(x, out) || cliv__same_place(x, out), OVERLAP,
          "scan '%s': x and out share part of their memory; they must be the same or apart", q->name);
  return CLIV_OK;
}

/* The axis, or CLIV_ALL_AXES, which also stands for segments. */
static cliv_status check_over(cliv_context *ctx, const cliv_over *o, request *q, int *axis) {
  const int ndim = q->x->ndim;
  *axis = CLIV_ALL_AXES;
  if (!o || (o->axis_count == 0 && !o->axes && !o->segments)) return CLIV_OK;
  q->segments = o->segments;
  REQUIRE(ctx, !o->segments || o->axis_count == 0, VALUE, "a scan is over an axis or over segments, not both");
  if (o->segments) return cliv__check_segments(ctx, o->segments, q->x);
  REQUIRE(ctx, o->axis_count == 1, VALUE, "a scan goes along one axis, or over all elements; %d axes were given",
          o->axis_count);
  REQUIRE(ctx, o->axes != NULL, NULL, "an axis was announced, but its list is NULL");
  *axis = o->axes[0];
  REQUIRE(ctx, *axis >= -ndim && *axis < ndim, VALUE, "axis %d of a tensor with %d axes", *axis, ndim);
  if (*axis < 0) *axis += ndim;
  return CLIV_OK;
}

/* r: the operation's row, where that is not to be found by its name. */
static cliv_status begin(cliv_context *ctx, const char *op, const row *r, cliv_scan_kind kind, const cliv_tensor *x,
                         cliv_tensor *out, const cliv_sync *sync, request *q) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(NULL, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, out);
  *q = (request){.op = r ? r : find(op), .name = op, .x = x, .out = out, .exclusive = kind == CLIV_EXCLUSIVE};
  REQUIRE(ctx, q->op != NULL, NAME, "there is no scan '%s'; `cliv op list scan` shows those there are",
          op ? op : "(NULL)");
  REQUIRE(ctx, kind == CLIV_INCLUSIVE || kind == CLIV_EXCLUSIVE, VALUE,
          "a scan is inclusive (0) or exclusive (1), not %d", (int)kind);
  REQUIRE_TENSORS(ctx, x, out);
  q->block = ctx->walk == CLIV_WALK_GPU && cliv__is_wide(x->dtype) ? BLOCK_WIDE : BLOCK;
  return check_types(ctx, q);
}

static cliv_status run_over(cliv_context *ctx, request q, const cliv_over *over, const cliv_sync *sync) {
  int axis;
  TRY(check_over(ctx, over, &q, &axis));
  const bool flat = axis == CLIV_ALL_AXES;
  TRY(check_places(ctx, &q, flat));
  if (q.x->count == 0) return cliv__nothing(ctx, sync);
  if (flat) take_flat(&q);
  else take_axis(ctx, &q, axis);
  if (q.rows == 0 || q.columns == 0) return cliv__nothing(ctx, sync);
  q.blocks_per_row = cliv__div_up(q.columns, q.block);
  return run(ctx, &q, sync);
}

cliv_status cliv_scan_over(cliv_context *ctx, const char *op, const cliv_over *over, cliv_scan_kind kind,
                           const cliv_tensor *x, cliv_tensor *out, const cliv_sync *sync) {
  request q;
  TRY(begin(ctx, op, NULL, kind, x, out, sync, &q));
  return run_over(ctx, q, over, sync);
}

cliv_status cliv_scan(cliv_context *ctx, const char *op, int axis, cliv_scan_kind kind, const cliv_tensor *x,
                      cliv_tensor *out, const cliv_sync *sync) {
  const cliv_over over = {1, &axis, NULL};
  return cliv_scan_over(ctx, op, axis == CLIV_ALL_AXES ? NULL : &over, kind, x, out, sync);
}

cliv_status cliv_scan_user(cliv_context *ctx, const char *text, const char *name, const cliv_over *over,
                           cliv_scan_kind kind, const cliv_tensor *x, cliv_tensor *out, const cliv_sync *sync) {
  static const char *const functions[] = {"_init", "_join", NULL};
  request q;
  TRY(begin(ctx, name, &user_row, kind, x, out, sync, &q));
  REQUIRE(ctx, !cliv__is_integer(x->dtype), DTYPE, "a scan of your own takes floats, not %s",
          cliv_dtype_name(x->dtype));
  TRY(cliv__check_user(ctx, text, name, functions));
  q.text = text;
  return run_over(ctx, q, over, sync);
}
