/* Reductions: the table, the checks, and the stages from elements to one part a row. */
#include <cliv/reduce.h>
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
  BLOCK = CLIV__BLOCK,
  LANES = CLIV__LANES,
  PART_BYTES = 16,  /* the largest part: four floats, or a key and an index … */
  STATS_BYTES = 48, /* … but for stats; twice that in 64-bit types */
  STATS_VALUES = 6, /* what stats gives for a row: values … */
  STATS_COUNTS = 2, /* … and counts */
  GROUP = 64        /* work-items a block in the GPU walk */
};

typedef struct row {
  cliv_reduce_info info;
  const char *kind;  /* of cl/reduce_ops.cl */
  const char *extra; /* further options of the kind */
  const char *files; /* of the program */
} row;

#define PIVOT " -D PIVOT"
#define TWO " -D INPUTS_2"
#define USER " -D USER"
#define FILES "divide.cl order.cl reduce_ops.cl block.cl reduce.cl"
#define FILES_MATH "divide.cl math.cl order.cl reduce_ops.cl block.cl reduce.cl"
#define FILES_FUSED "divide.cl fused.cl order.cl reduce_ops.cl block.cl reduce.cl"
#define FILES_USER "divide.cl math.cl user order.cl reduce_ops.cl block.cl reduce.cl"
static const row rows[] = {
    {{"sum", "sum of the elements", 1, CLIV_REDUCE_TOTAL, 1, 1, 0}, "value", "", FILES},
    {{"prod", "product of the elements", 1, CLIV_REDUCE_TOTAL, 1, 1, 0}, "value", " -D MULTIPLIES", FILES},
    {{"mean", "sum / count", 1, CLIV_REDUCE_VALUE, 0, 1, 0}, "value", "", FILES},
    {{"sumsq", "sum of the squares", 1, CLIV_REDUCE_VALUE, 0, 1, 0}, "value", "", FILES},
    {{"nrm2", "root of the sum of the squares (squares beyond the type's range overflow)", 1, CLIV_REDUCE_VALUE, 0, 1,
      0},
     "value",
     "",
     FILES},
    {{"asum", "sum of the magnitudes", 1, CLIV_REDUCE_VALUE, 0, 1, 0}, "value", "", FILES},
    {{"dot", "sum of the products with a second input", 2, CLIV_REDUCE_VALUE, 0, 1, 0}, "value", TWO, FILES},
    {{"min", "least element", 1, CLIV_REDUCE_VALUE, 1, 1, 1}, "extreme", "", FILES},
    {{"max", "greatest element", 1, CLIV_REDUCE_VALUE, 1, 1, 1}, "extreme", "", FILES},
    {{"amin", "least magnitude", 1, CLIV_REDUCE_VALUE, 0, 1, 1}, "extreme", "", FILES},
    {{"amax", "greatest magnitude", 1, CLIV_REDUCE_VALUE, 0, 1, 1}, "extreme", "", FILES},
    {{"argmin", "index of the first least element", 1, CLIV_REDUCE_INDEX, 1, 1, 1}, "index", "", FILES},
    {{"argmax", "index of the first greatest element", 1, CLIV_REDUCE_INDEX, 1, 1, 1}, "index", "", FILES},
    {{"var", "mean squared deviation from the mean (divided by the count)", 1, CLIV_REDUCE_VALUE, 0, 1, 0},
     "moments",
     PIVOT,
     FILES},
    {{"std", "root of var", 1, CLIV_REDUCE_VALUE, 0, 1, 0}, "moments", PIVOT, FILES},
    {{"logsumexp", "log of the sum of exp, without overflow", 1, CLIV_REDUCE_VALUE, 0, 0, 0},
     "exponent",
     PIVOT,
     FILES_MATH},
    {{"count_nonzero", "how many elements are not 0 (NaN is not)", 1, CLIV_REDUCE_INDEX, 1, 1, 0}, "count", "", FILES},
    {{"count_nonfinite", "how many elements are infinite or NaN", 1, CLIV_REDUCE_INDEX, 0, 1, 0}, "count", "", FILES},
    {{"all_finite", "1 when no element is infinite or NaN", 1, CLIV_REDUCE_TRUTH, 0, 1, 0}, "count", "", FILES},
    {{"any", "1 when some element is not 0", 1, CLIV_REDUCE_TRUTH, 1, 1, 0}, "count", "", FILES},
    {{"sum_compensated", "sum, as if added in double", 1, CLIV_REDUCE_VALUE, 0, 0, 0}, "compensated", "", FILES_FUSED},
    {{"mean_compensated", "mean, as if added in double", 1, CLIV_REDUCE_VALUE, 0, 0, 0},
     "compensated",
     "",
     FILES_FUSED},
    {{"sumsq_compensated", "sumsq, as if multiplied and added in double", 1, CLIV_REDUCE_VALUE, 0, 0, 0},
     "compensated",
     "",
     FILES_FUSED},
    {{"nrm2_compensated", "nrm2, as if multiplied and added in double", 1, CLIV_REDUCE_VALUE, 0, 0, 0},
     "compensated",
     "",
     FILES_FUSED},
    {{"dot_compensated", "dot, as if multiplied and added in double", 2, CLIV_REDUCE_VALUE, 0, 0, 0},
     "compensated",
     TWO,
     FILES_FUSED},
};

/* What is no row of the table: several results, and a text's own functions. */
static const row stats_row = {{"stats", "", 1, CLIV_REDUCE_VALUE, 0, 1, 1}, "stats", PIVOT, FILES};
static const row user_row = {{"", "", 1, CLIV_REDUCE_VALUE, 0, 1, 0}, "value", USER, FILES_USER};
static const row user_row_2 = {{"", "", 2, CLIV_REDUCE_VALUE, 0, 1, 0}, "value", USER TWO, FILES_USER};

size_t cliv_reduce_count(void) { return sizeof rows / sizeof *rows; }
const cliv_reduce_info *cliv_reduce_get(size_t index) { return index < cliv_reduce_count() ? &rows[index].info : NULL; }

static const row *find(const char *name) {
  for (size_t i = 0; name && i < cliv_reduce_count(); i++)
    if (!strcmp(rows[i].info.name, name)) return &rows[i];
  return NULL;
}

const cliv_reduce_info *cliv_reduce_find(const char *name) {
  const row *r = find(name);
  return r ? &r->info : NULL;
}

static cliv_status check_type(cliv_context *ctx, const row *r, cliv_dtype dtype) {
  const bool allowed = cliv__is_integer(dtype) ? r->info.integers : dtype == CLIV_F64 ? r->info.float64 : true;
  REQUIRE(ctx, cliv_dtype_size(dtype) > 0 && allowed, DTYPE,
          "reduction '%s' is not defined for %s; it takes float32, float16, bfloat16%s%s", r->info.name,
          cliv_dtype_name(dtype), r->info.float64 ? ", float64" : "", r->info.integers ? ", int32, int64, uint8" : "");
  return CLIV_OK;
}

static cliv_dtype result_type(const row *r, cliv_dtype input) {
  switch (r->info.result) {
    case CLIV_REDUCE_INDEX: return CLIV_I64;
    case CLIV_REDUCE_TRUTH: return CLIV_U8;
    case CLIV_REDUCE_TOTAL: return cliv__is_integer(input) ? CLIV_I64 : input;
    default: return input;
  }
}

cliv_status cliv_reduce_dtype(const char *op, cliv_dtype input, cliv_dtype *out) {
  REQUIRE_NOT_NULL(NULL, out);
  const row *r = find(op);
  REQUIRE(NULL, r != NULL, NAME, "there is no reduction '%s'; `cliv op list` shows those there are",
          op ? op : "(NULL)");
  TRY(check_type(NULL, r, input));
  *out = result_type(r, input);
  return CLIV_OK;
}

/* ---- what is asked for ---- */

enum { ARGUMENTS = 24 };

typedef struct request {
  const row *op;
  const char *name, *source; /* of a user's functions; source NULL: the library's */
  const cliv_tensor *x, *y;
  cliv_tensor *out, *counts;     /* counts: of stats */
  const cliv_segments *segments; /* NULL: over axes */
  unsigned marks;                /* bit d: axis d is reduced */
  cl_ulong total;                /* elements a row; of segments, of the shortest */
} request;

/* ---- the stages ---- */

typedef enum layout { ROWS, COLUMNS, SEGMENTS } layout;
static const char *const layout_option[] = {"", " -D COLUMNS", " -D SEGMENTS"};

/* One launch: rows × columns elements, or parts of the stage before; of segments, a table of blocks. COLUMNS: element
 * j of a row is jump elements from its first; `inner` neighbouring rows lie side by side, and the next ones after a
 * pitch. */
typedef struct stage {
  layout layout;
  cl_mem x, y; /* of the first stage */
  cl_ulong origin, origin_y;
  cl_ulong rows, columns, pitch, pitch_y, blocks_per_row, jump, inner;
  const cliv_segments *segments;
  int number; /* 0: the first */
} stage;

static cl_ulong block_count(const stage *s) {
  return s->layout == SEGMENTS ? s->segments->stage[s->number].blocks : s->rows * s->blocks_per_row;
}

static bool is_last(const stage *s) {
  return s->layout == SEGMENTS ? s->number + 1 == s->segments->stages : s->blocks_per_row == 1;
}

static stage next_stage(stage s) {
  s.number++;
  if (s.layout == SEGMENTS) return s;
  s.layout = ROWS;
  s.columns = s.pitch = s.blocks_per_row;
  s.blocks_per_row = cliv__div_up(s.columns, BLOCK);
  return s;
}

static bool is_stats(const request *q) { return !strcmp(q->op->kind, "stats"); }

/* How a launch goes about its rows. */
typedef struct manner {
  cl_ulong width;     /* COLUMNS: rows side by side, of a work-item or group */
  int slots, vectors; /* the same as the GPU walk's slots of local memory, and the CPU walk's vectors */
  int brief; /* CPU walk: rows are no longer than so many vectors, and a vector of them is done at once; 0: longer */
} manner;

static manner manner_of(const cliv_context *ctx, const request *q, const stage *s) {
  const bool cpu = ctx->walk == CLIV_WALK_CPU, wide = cliv__is_wide(q->x->dtype);
  const int lanes = wide ? 8 : 16;
  manner m = {.slots = (is_stats(q) ? 2 : 8) / (wide ? 2 : 1), .vectors = 1};
  if (s->layout == COLUMNS && cpu) {
    /* Four cache lines of a row of memory at a time, where there are as many and they have no pivots to keep. */
    if (s->inner > 3 * (cl_ulong)lanes && strcmp(q->op->extra, PIVOT) != 0) m.vectors = 4;
    m.width = (cl_ulong)(lanes * m.vectors);
  } else if (s->layout == COLUMNS) {
    const size_t group = cliv__group(ctx, GROUP);
    m.width = (size_t)m.slots < group ? (cl_ulong)m.slots : group;
  } else if (s->layout == ROWS && cpu && s->number == 0 && !wide && !is_stats(q) && s->columns && s->columns <= LANES &&
             s->rows >= 16) {
    m.brief = s->columns <= 16 ? 1 : s->columns <= 64 ? 4 : 16;
  }
  return m;
}

static cliv_status kernel_of(cliv_context *ctx, const request *q, const stage *s, const manner *m, cl_kernel *out) {
  const cliv_dtype input = q->x->dtype;
  const bool second = s->number > 0;
  char from[32], side[48] = "", options[320];
  snprintf(from, sizeof from, " -D X_T=%s", cliv__dtype_storage(input));
  if (s->layout == COLUMNS && ctx->walk == CLIV_WALK_CPU) snprintf(side, sizeof side, " -D ACROSS=%d", m->vectors);
  else if (s->layout == COLUMNS) snprintf(side, sizeof side, " -D SLOTS=%d", m->slots);
  else if (m->brief) snprintf(side, sizeof side, " -D SHORT=%d", m->brief);
  snprintf(options, sizeof options, "-D OP=%s%s -D KIND_%s -D OUT_T=%s%s%s%s%s%s", q->source ? "" : "op_", q->name,
           q->op->kind, cliv__dtype_storage(q->out->dtype), q->op->extra, cliv__dtype_real(input),
           second ? " -D SECOND -D SINGLE" : from, layout_option[s->layout], side);
  return cliv__kernel_with(ctx, q->op->files, q->source, options, "reduce", out);
}

/* Work-items of a launch, and what a work-item or group does of it. */
static cliv__range range_of(const cliv_context *ctx, const stage *s, const manner *m, cl_ulong *blocks,
                            cl_ulong *share) {
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  const size_t group = cliv__group(ctx, GROUP);
  const cl_ulong longest = s->layout != SEGMENTS ? s->columns : s->number ? BLOCK : s->segments->longest;
  const cl_ulong elements = longest < BLOCK ? longest : BLOCK;
  *blocks = block_count(s);
  if (s->layout == COLUMNS) {
    *blocks = s->rows / s->inner * s->blocks_per_row * cliv__div_up(s->inner, m->width);
    *share = cpu ? cliv__run_length(ctx, *blocks, elements * m->width + 1) : cliv__spread(longest);
    return cpu ? RANGE1(cliv__div_up(*blocks, *share), 1) : RANGE1(*blocks * group, group);
  }
  *share = cpu ? cliv__run_length(ctx, *blocks, elements + 1) : cliv__spread(longest);
  if (m->brief) *share = cliv__round_up(*share, 16);
  const size_t at_once = *share < group ? (group < LANES ? group : LANES) / *share : 1;
  return cpu ? RANGE1(cliv__div_up(*blocks, *share), 1) : RANGE1(cliv__div_up(*blocks, at_once) * group, group);
}

/* parts: what the stage before left, unused in the first stage; left: where this one leaves its own. The arguments are
 * in the kernel's order. */
static cliv_status run_stage(cliv_context *ctx, const request *q, const stage *s, cl_mem parts, cl_mem left,
                             const cliv_sync *sync) {
  const bool second = s->number > 0;
  cl_kernel kernel;
  const manner m = manner_of(ctx, q, s);
  TRY(kernel_of(ctx, q, s, &m, &kernel));
  cl_ulong blocks, share;
  const cliv__range range = range_of(ctx, s, &m, &blocks, &share);
  const cl_mem input = second ? parts : s->x ? s->x : q->out->mem, out = q->out->mem;
  const cl_ulong origin = second ? 0 : s->origin, out_origin = cliv__first(q->out);
  const cl_ulong extent = s->layout == SEGMENTS ? s->segments->end
                          : s->layout == ROWS
                              ? (s->rows - 1) * s->pitch + s->columns
                              : (s->rows / s->inner - 1) * s->pitch + (s->columns - 1) * s->jump + s->inner;
  cl_ulong end = origin + extent, total = q->total;
  if (s->layout == SEGMENTS) {
    total = BLOCK;
    for (int k = 0; k < s->number; k++) total *= BLOCK;
  }
  const cl_mem y = s->y ? s->y : out;
  cliv__arg args[ARGUMENTS];
  size_t n = 0;
  args[n++] = ARG(input);
  if (q->y && !second) {
    args[n++] = ARG(y);
    args[n++] = ARG(s->origin_y);
    args[n++] = ARG(s->pitch_y);
  }
  args[n++] = ARG(origin);
  args[n++] = ARG(end);
  args[n++] = ARG(s->columns);
  args[n++] = ARG(s->pitch);
  args[n++] = ARG(s->blocks_per_row);
  args[n++] = ARG(blocks);
  args[n++] = ARG(share);
  args[n++] = ARG(total);
  args[n++] = ARG(left);
  args[n++] = ARG(out);
  args[n++] = ARG(out_origin);
  const cl_ulong counts_origin = q->counts ? cliv__first(q->counts) : 0;
  if (q->counts) {
    args[n++] = ARG(q->counts->mem);
    args[n++] = ARG(counts_origin);
  }
  if (s->layout == COLUMNS) {
    args[n++] = ARG(s->jump);
    args[n++] = ARG(s->inner);
    args[n++] = ARG(m.width);
  }
  if (s->layout == SEGMENTS) {
    args[n++] = ARG(s->segments->stage[s->number].table);
    args[n++] = ARG(s->segments->offsets);
  }
  return cliv__launch(ctx, kernel, range, sync, args, n);
}

static size_t part_bytes(const request *q) {
  const size_t bytes = is_stats(q) ? STATS_BYTES : PART_BYTES;
  return q->x->dtype == CLIV_F64 ? 2 * bytes : bytes;
}

static cliv_status run_stages(cliv_context *ctx, const request *q, stage s, const cliv_sync *sync) {
  cl_mem parts = NULL, left = NULL;
  for (int slot = CLIV__SCRATCH_REDUCE_A;; slot = CLIV__SCRATCH_REDUCE_A + CLIV__SCRATCH_REDUCE_B - slot) {
    const bool last = is_last(&s);
    if (!last) TRY(cliv__scratch(ctx, slot, block_count(&s) * part_bytes(q), &left));
    const cliv_sync part = cliv__sync_part(sync, !parts, last);
    /* Never NULL: Intel's runtime has been seen to write elsewhere then. */
    TRY(run_stage(ctx, q, &s, parts, last ? q->out->mem : left, &part));
    if (last) return CLIV_OK;
    parts = left;
    s = next_stage(s);
  }
}

/* ---- the first stage: how the tensor lies ---- */

/* Unmarked, marked, unmarked: what the kernel walks as it lies. Gives false for any other order. */
static bool fits(const cliv__axis *axes, int count, bool two, stage *s) {
  const cliv__axis one = {1, 1, 1, false};
  int i = 0;
  const cliv__axis outer = i < count && !axes[i].marked ? axes[i++] : one;
  const cliv__axis along = i < count && axes[i].marked ? axes[i++] : one;
  const cliv__axis inner = i < count && !axes[i].marked ? axes[i++] : one;
  if (i < count) return false;
  s->rows = outer.extent * inner.extent;
  s->columns = along.extent;
  s->pitch = outer.stride;
  s->pitch_y = outer.stride_y;
  s->jump = along.stride;
  s->inner = inner.extent;
  const bool contiguous = along.extent == 1 || along.stride == 1;
  s->layout = inner.extent == 1 && contiguous ? ROWS : COLUMNS;
  /* Rows of a second tensor may have a pitch of their own, nothing else. */
  if (along.extent > 1 && two && along.stride != along.stride_y) return false;
  if (inner.extent > 1 && (inner.stride != 1 || (two && inner.stride_y != 1))) return false;
  return true;
}

static size_t row_count(const request *q) { return q->out->count / (q->counts ? STATS_VALUES : 1); }

/* Copies whose rows are dense, in scratch memory. */
static cliv_status bring_together(cliv_context *ctx, const request *q, const cliv__axis *axes, int count, stage *s,
                                  const cliv_sync *sync) {
  const size_t bytes = q->x->count * cliv_dtype_size(q->x->dtype);
  s->layout = ROWS;
  s->rows = row_count(q);
  s->columns = s->pitch = s->pitch_y = q->total;
  s->origin = s->origin_y = 0;
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_AXES_X, bytes, &s->x));
  if (q->y) TRY(cliv__scratch(ctx, CLIV__SCRATCH_AXES_Y, bytes, &s->y));
  TRY(cliv__gather_axes(ctx, q->x, axes, count, false, s->x, sync));
  return q->y ? cliv__gather_axes(ctx, q->y, axes, count, true, s->y, SYNC_NONE) : CLIV_OK;
}

static cliv_status run(cliv_context *ctx, const request *q, const cliv_sync *sync) {
  const cliv_tensor *x = q->x, *y = q->y;
  stage s = {.x = x->mem, .y = y ? y->mem : NULL, .origin = cliv__first(x), .origin_y = y ? cliv__first(y) : 0};
  if (q->segments) {
    s.layout = SEGMENTS;
    s.segments = q->segments;
    return run_stages(ctx, q, s, sync);
  }
  cliv__axis axes[CLIV_MAX_DIMS];
  const int count = cliv__axes(x, y, q->marks, axes);
  const bool together = q->total == 0 || fits(axes, count, y != NULL, &s);
  if (q->total == 0) s.rows = row_count(q), s.layout = ROWS;
  if (!together) TRY(bring_together(ctx, q, axes, count, &s, SYNC_FIRST(sync)));
  s.blocks_per_row = s.columns ? cliv__div_up(s.columns, BLOCK) : 1;
  return run_stages(ctx, q, s, together ? sync : SYNC_LAST(sync));
}

/* ---- the checks ---- */

/* The axes that are reduced, as bits. */
static cliv_status check_axes(cliv_context *ctx, const cliv_over *o, request *q) {
  q->marks = (1u << q->x->ndim) - 1;
  if (!o || (o->axis_count == 0 && !o->axes)) return CLIV_OK;
  REQUIRE(ctx, o->axis_count >= 0 && o->axis_count <= CLIV_MAX_DIMS, VALUE,
          "%d axes were given; a tensor has at most %d", o->axis_count, CLIV_MAX_DIMS);
  REQUIRE(ctx, o->axes != NULL, NULL, "%d axes were announced, but their list is NULL", o->axis_count);
  q->marks = 0;
  for (int i = 0; i < o->axis_count; i++) {
    const int axis = o->axes[i], d = axis < 0 ? axis + q->x->ndim : axis;
    REQUIRE(ctx, d >= 0 && d < q->x->ndim, VALUE, "axis %d of a tensor with %d axes", axis, q->x->ndim);
    REQUIRE(ctx, !(q->marks >> d & 1), VALUE, "axis %d was given twice", axis);
    q->marks |= 1u << d;
  }
  return CLIV_OK;
}

/* The result's shape: the axes that stay, then `more`, if it is not 0. */
static cliv_status check_result(cliv_context *ctx, const request *q, const cliv_tensor *out, size_t more) {
  char x[160], y[160];
  size_t shape[CLIV_MAX_DIMS + 1];
  int ndim = 0;
  for (int d = 0; d < q->x->ndim; d++)
    if (!(q->marks >> d & 1)) shape[ndim++] = q->x->shape[d];
  if (q->segments) shape[ndim++] = q->segments->count;
  if (more) shape[ndim++] = more;
  const bool right = out->ndim == ndim && !memcmp(shape, out->shape, (size_t)ndim * sizeof *shape);
  const bool all = q->marks == (1u << q->x->ndim) - 1 && !q->segments && !more;
  REQUIRE(ctx, right || (all && out->count == 1), SHAPE,
          all ? "reducing %s over all axes gives one element, but out is %s"
              : "reducing %s gives one result for each index of the other axes, or for each segment; but out is %s",
          cliv__describe(q->x, x), cliv__describe(out, y));
  REQUIRE(ctx, cliv__dense(out), LAYOUT, "the result goes to a dense tensor");
  REQUIRE(ctx, !cliv__overlap(q->x, out) && (!q->y || !cliv__overlap(q->y, out)), OVERLAP,
          "the result overlaps the input in memory");
  return CLIV_OK;
}

static cliv_status check_segments(cliv_context *ctx, const cliv_over *o, request *q) {
  REQUIRE(ctx, o->axis_count == 0, VALUE, "a reduction is over axes or over segments, not both");
  TRY(cliv__check_segments(ctx, q->segments, q->x));
  if (q->y) TRY(cliv__check_segments(ctx, q->segments, q->y));
  q->total = q->segments->shortest;
  return CLIV_OK;
}

static cliv_status check_types(cliv_context *ctx, const request *q) {
  const row *r = q->op;
  const cliv_dtype natural = result_type(r, q->x->dtype);
  REQUIRE(ctx, (q->y != NULL) == (r->info.inputs == 2), NULL,
          r->info.inputs == 2 ? "'%s' needs a second input, y" : "'%s' takes one input; y must be NULL", q->name);
  const bool widened = q->out->dtype == CLIV_F32 && (natural == CLIV_F16 || natural == CLIV_BF16);
  REQUIRE(ctx, q->out->dtype == natural || widened, DTYPE, "'%s' of %s gives %s, but out is %s", q->name,
          cliv_dtype_name(q->x->dtype), cliv_dtype_name(natural), cliv_dtype_name(q->out->dtype));
  REQUIRE_TENSORS(ctx, q->x, q->out, q->y);
  return CLIV_OK;
}

static cliv_status check(cliv_context *ctx, const cliv_over *over, request *q) {
  char x[160], y[160];
  q->segments = over ? over->segments : NULL;
  TRY(check_type(ctx, q->op, q->x->dtype));
  TRY(check_types(ctx, q));
  REQUIRE(ctx, !q->y || (cliv__same_shape(q->x, q->y) && q->x->dtype == q->y->dtype), SHAPE,
          "'%s' takes two tensors of one type and shape, not %s and %s", q->name, cliv__describe(q->x, x),
          cliv__describe(q->y, y));
  TRY(check_axes(ctx, over, q));
  q->total = 1;
  for (int d = 0; d < q->x->ndim; d++)
    if (q->marks >> d & 1) q->total *= q->x->shape[d];
  if (q->segments) TRY(check_segments(ctx, over, q));
  TRY(check_result(ctx, q, q->out, q->counts ? STATS_VALUES : 0));
  if (q->counts) TRY(check_result(ctx, q, q->counts, STATS_COUNTS));
  REQUIRE(ctx, q->total > 0 || q->out->count == 0 || !q->op->info.needs_elements, DATA,
          "'%s' of no elements has no result", q->name);
  return CLIV_OK;
}

/* ---- the calls ---- */

cliv_status cliv_reduce_over(cliv_context *ctx, const char *op, const cliv_over *over, const cliv_tensor *x,
                             const cliv_tensor *y, cliv_tensor *out, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, out);
  request q = {.op = find(op), .name = op, .x = x, .y = y, .out = out};
  REQUIRE(ctx, q.op != NULL, NAME, "there is no reduction '%s'; `cliv op list` shows those there are",
          op ? op : "(NULL)");
  TRY(check(ctx, over, &q));
  return out->count ? run(ctx, &q, sync) : cliv__nothing(ctx, sync);
}

cliv_status cliv_reduce(cliv_context *ctx, const char *op, int axis, const cliv_tensor *x, const cliv_tensor *y,
                        cliv_tensor *out, const cliv_sync *sync) {
  const cliv_over over = {1, &axis, NULL};
  return cliv_reduce_over(ctx, op, axis == CLIV_ALL_AXES ? NULL : &over, x, y, out, sync);
}

cliv_status cliv_stats(cliv_context *ctx, const cliv_over *over, const cliv_tensor *x, cliv_tensor *values,
                       cliv_tensor *counts, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, values);
  REQUIRE_NOT_NULL(ctx, counts);
  request q = {.op = &stats_row, .name = "stats", .x = x, .out = values, .counts = counts};
  REQUIRE(ctx, counts->dtype == CLIV_I64, DTYPE, "stats' counts are int64, not %s", cliv_dtype_name(counts->dtype));
  REQUIRE_TENSORS(ctx, counts);
  REQUIRE(ctx, !cliv__overlap(values, counts), OVERLAP, "stats' values and counts overlap in memory");
  TRY(check(ctx, over, &q));
  return values->count ? run(ctx, &q, sync) : cliv__nothing(ctx, sync);
}

cliv_status cliv_reduce_user(cliv_context *ctx, const char *text, const char *name, const cliv_over *over,
                             const cliv_tensor *x, const cliv_tensor *y, cliv_tensor *out, const cliv_sync *sync) {
  static const char *const functions[] = {"_init", "_map", "_join", "_done", NULL};
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  TRY(cliv__check_user(ctx, text, name, functions));
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, out);
  request q = {.op = y ? &user_row_2 : &user_row, .name = name, .source = text, .x = x, .y = y, .out = out};
  TRY(check(ctx, over, &q));
  return out->count ? run(ctx, &q, sync) : cliv__nothing(ctx, sync);
}
