/* Reductions: the table, the checks, and the stages from elements to one part a row. */
#include <cliv/reduce.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum {
  BLOCK = 4096,    /* elements a block, as in cl/reduce.cl … */
  LANES = 256,     /* … and its lanes */
  PART_BYTES = 16, /* the largest part: four floats, or a key and an index */
  PART_BYTES_F64 = 32,
  GROUP = 64,        /* work-items a block in the GPU walk */
  RUNS_PER_UNIT = 8, /* runs of blocks for each compute unit in the CPU walk, so that they can be dealt out evenly … */
  RUN_ELEMENTS = 65536 /* … but none much longer than this, nor so short that its start counts */
};

typedef struct row {
  cliv_reduce_info info;
  const char *kind;  /* of cl/reduce_ops.cl */
  const char *extra; /* further options of the kind */
} row;

#define PIVOT " -D PIVOT"
static const row rows[] = {
    {{"sum", "sum of the elements", 1, CLIV_REDUCE_TOTAL, 1, 1, 0}, "value", ""},
    {{"prod", "product of the elements", 1, CLIV_REDUCE_TOTAL, 1, 1, 0}, "value", " -D MULTIPLIES"},
    {{"mean", "sum / count", 1, CLIV_REDUCE_VALUE, 0, 1, 0}, "value", ""},
    {{"sumsq", "sum of the squares", 1, CLIV_REDUCE_VALUE, 0, 1, 0}, "value", ""},
    {{"nrm2", "root of the sum of the squares (squares beyond the type's range overflow)", 1, CLIV_REDUCE_VALUE, 0, 1,
      0},
     "value",
     ""},
    {{"asum", "sum of the magnitudes", 1, CLIV_REDUCE_VALUE, 0, 1, 0}, "value", ""},
    {{"dot", "sum of the products with a second input", 2, CLIV_REDUCE_VALUE, 0, 1, 0}, "value", " -D INPUTS_2"},
    {{"min", "least element", 1, CLIV_REDUCE_VALUE, 1, 1, 1}, "extreme", ""},
    {{"max", "greatest element", 1, CLIV_REDUCE_VALUE, 1, 1, 1}, "extreme", ""},
    {{"amin", "least magnitude", 1, CLIV_REDUCE_VALUE, 0, 1, 1}, "extreme", ""},
    {{"amax", "greatest magnitude", 1, CLIV_REDUCE_VALUE, 0, 1, 1}, "extreme", ""},
    {{"argmin", "index of the first least element", 1, CLIV_REDUCE_INDEX, 1, 1, 1}, "index", ""},
    {{"argmax", "index of the first greatest element", 1, CLIV_REDUCE_INDEX, 1, 1, 1}, "index", ""},
    {{"var", "mean squared deviation from the mean (divided by the count)", 1, CLIV_REDUCE_VALUE, 0, 1, 0},
     "moments",
     PIVOT},
    {{"std", "root of var", 1, CLIV_REDUCE_VALUE, 0, 1, 0}, "moments", PIVOT},
    {{"logsumexp", "log of the sum of exp, without overflow", 1, CLIV_REDUCE_VALUE, 0, 0, 0}, "exponent", PIVOT},
    {{"count_nonzero", "how many elements are not 0 (NaN is not)", 1, CLIV_REDUCE_INDEX, 1, 1, 0}, "count", ""},
    {{"count_nonfinite", "how many elements are infinite or NaN", 1, CLIV_REDUCE_INDEX, 0, 1, 0}, "count", ""},
    {{"all_finite", "1 when no element is infinite or NaN", 1, CLIV_REDUCE_TRUTH, 0, 1, 0}, "count", ""},
    {{"any", "1 when some element is not 0", 1, CLIV_REDUCE_TRUTH, 1, 1, 0}, "count", ""},
};

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

/* ---- the stages ---- */

/* One launch: rows × columns elements, or parts of the stage before. */
typedef struct stage {
  cl_ulong rows, columns, pitch, blocks_per_row;
} stage;

static stage first_stage(const cliv_tensor *x, bool all) {
  stage s = {.rows = all ? 1 : x->rows, .columns = all ? x->count : x->columns, .pitch = all ? x->count : x->pitch};
  s.blocks_per_row = s.columns ? cliv__div_up(s.columns, BLOCK) : 1;
  return s;
}

static stage next_stage(stage s) {
  s.columns = s.pitch = s.blocks_per_row;
  s.blocks_per_row = cliv__div_up(s.columns, BLOCK);
  return s;
}

/* Blocks that a work-item of the CPU walk does in a row. */
static cl_ulong run_length(const cliv_context *ctx, const stage *s) {
  const cl_ulong blocks = s->rows * s->blocks_per_row, runs = (cl_ulong)ctx->facts.compute_units * RUNS_PER_UNIT;
  const cl_ulong even = cliv__div_up(blocks, runs ? runs : 1);
  const cl_ulong elements = s->columns < BLOCK ? s->columns + 1 : BLOCK, longest = cliv__div_up(RUN_ELEMENTS, elements);
  return even < longest ? even : longest;
}

/* Lanes that a block has in the GPU walk: as many as are needed, so that a group does several short rows. */
static cl_ulong spread(const stage *s) {
  cl_ulong lanes = 1;
  while (lanes < LANES && lanes < s->columns) lanes *= 2;
  return lanes;
}

static cliv_status kernel_of(cliv_context *ctx, const row *r, cliv_dtype input, cliv_dtype output, bool second,
                             cl_kernel *out) {
  const char *computed = input == CLIV_F64 ? " -D REAL_F64" : cliv__is_integer(input) ? " -D REAL_I64" : "";
  char from[32], options[192];
  snprintf(from, sizeof from, " -D X_T=%s", cliv__dtype_storage(input));
  snprintf(options, sizeof options, "-D OP=op_%s -D KIND_%s -D OUT_T=%s%s%s%s", r->info.name, r->kind,
           cliv__dtype_storage(output), r->extra, computed, second ? " -D SECOND -D SINGLE" : from);
  /* What double cannot do is what math.cl has: the others are compiled without it. */
  const char *files = r->info.float64 ? "divide.cl reduce_ops.cl block.cl reduce.cl"
                                      : "divide.cl math.cl reduce_ops.cl block.cl reduce.cl";
  return cliv__kernel(ctx, files, options, "reduce", out);
}

typedef struct request {
  const row *op;
  const cliv_tensor *x, *y;
  cliv_tensor *out;
  cl_ulong total; /* elements a row */
} request;

/* parts: what the stage before left, NULL in the first stage; left: where this one leaves its own. */
static cliv_status run_stage(cliv_context *ctx, const request *q, const stage *s, cl_mem parts, cl_mem left,
                             const cliv_sync *sync) {
  const bool second = parts != NULL, cpu = ctx->walk == CLIV_WALK_CPU;
  cl_kernel kernel;
  TRY(kernel_of(ctx, q->op, q->x->dtype, q->out->dtype, second, &kernel));
  const cl_mem input = second ? parts : q->x->mem, out = q->out->mem;
  const cl_ulong origin = second ? 0 : cliv__first(q->x), blocks = s->rows * s->blocks_per_row;
  const cl_ulong share = cpu ? run_length(ctx, s) : spread(s), out_origin = cliv__first(q->out);
  const cl_ulong end = origin + (s->rows - 1) * s->pitch + s->columns;
  cliv__arg args[14];
  size_t n = 0;
  args[n++] = ARG(input);
  const cl_mem y = q->y ? q->y->mem : NULL;
  const cl_ulong origin_y = q->y ? cliv__first(q->y) : 0;
  if (q->y && !second) {
    args[n++] = ARG(y);
    args[n++] = ARG(origin_y);
  }
  args[n++] = ARG(origin);
  args[n++] = ARG(end);
  args[n++] = ARG(s->columns);
  args[n++] = ARG(s->pitch);
  args[n++] = ARG(s->blocks_per_row);
  args[n++] = ARG(blocks);
  args[n++] = ARG(share);
  args[n++] = ARG(q->total);
  args[n++] = ARG(left);
  args[n++] = ARG(out);
  args[n++] = ARG(out_origin);
  const size_t group = cliv__group(ctx, GROUP);
  const size_t at_once = share < group ? (group < LANES ? group : LANES) / share : 1;
  const cliv__range range =
      cpu ? RANGE1(cliv__div_up(blocks, share), 1) : RANGE1(cliv__div_up(blocks, at_once) * group, group);
  return cliv__launch(ctx, kernel, range, sync, args, n);
}

static cliv_status run_stages(cliv_context *ctx, const request *q, stage s, const cliv_sync *sync) {
  const size_t part_bytes = q->x->dtype == CLIV_F64 ? PART_BYTES_F64 : PART_BYTES;
  cl_mem parts = NULL, left = NULL;
  for (int slot = CLIV__SCRATCH_REDUCE_A;;
       slot = slot == CLIV__SCRATCH_REDUCE_A ? CLIV__SCRATCH_REDUCE_B : CLIV__SCRATCH_REDUCE_A) {
    const bool first = parts == NULL, last = s.blocks_per_row == 1;
    if (!last) TRY(cliv__scratch(ctx, slot, s.rows * s.blocks_per_row * part_bytes, &left));
    const cliv_sync part = cliv__sync_part(sync, first, last);
    TRY(run_stage(ctx, q, &s, parts, last ? NULL : left, &part));
    if (last) return CLIV_OK;
    parts = left;
    s = next_stage(s);
  }
}

/* ---- the call ---- */

static cliv_status check_shapes(cliv_context *ctx, const request *q, bool all) {
  char x[160], y[160];
  const cliv_tensor *a = q->x, *o = q->out;
  REQUIRE(ctx, !q->y || (cliv__same_shape(a, q->y) && a->dtype == q->y->dtype), SHAPE,
          "'%s' takes two tensors of one type and shape, not %s and %s", q->op->info.name, cliv__describe(a, x),
          cliv__describe(q->y, y));
  REQUIRE(ctx, !q->y || a->rows <= 1 || a->pitch == q->y->pitch, LAYOUT,
          "'%s' takes two tensors of one pitch; theirs are %zu and %zu", q->op->info.name, a->pitch,
          q->y ? q->y->pitch : 0);
  if (all) {
    REQUIRE(ctx, o->count == 1, SHAPE, "reducing over all axes gives one element, but out is %s", cliv__describe(o, y));
    REQUIRE(ctx, cliv__dense(a), LAYOUT,
            "reducing over all axes needs a dense tensor; this one has rows of %zu with a pitch of %zu", a->columns,
            a->pitch);
  } else {
    REQUIRE(ctx, o->ndim == a->ndim - 1 && !memcmp(a->shape, o->shape, (size_t)o->ndim * sizeof *o->shape), SHAPE,
            "reducing %s over its last axis gives its shape without that axis, but out is %s", cliv__describe(a, x),
            cliv__describe(o, y));
  }
  REQUIRE(ctx, cliv__dense(o), LAYOUT, "the result goes to a dense tensor");
  return CLIV_OK;
}

static cliv_status check(cliv_context *ctx, const request *q, bool all) {
  const row *r = q->op;
  const cliv_dtype natural = result_type(r, q->x->dtype);
  TRY(check_type(ctx, r, q->x->dtype));
  REQUIRE(ctx, (q->y != NULL) == (r->info.inputs == 2), NULL,
          r->info.inputs == 2 ? "'%s' needs a second input, y" : "'%s' takes one input; y must be NULL", r->info.name);
  const bool widened = q->out->dtype == CLIV_F32 && (natural == CLIV_F16 || natural == CLIV_BF16);
  REQUIRE(ctx, q->out->dtype == natural || widened, DTYPE, "'%s' of %s gives %s, but out is %s", r->info.name,
          cliv_dtype_name(q->x->dtype), cliv_dtype_name(natural), cliv_dtype_name(q->out->dtype));
  REQUIRE(ctx, q->x->ctx == ctx && q->out->ctx == ctx && (!q->y || q->y->ctx == ctx), VALUE,
          "the tensors belong to another context than the one given");
  TRY(check_shapes(ctx, q, all));
  REQUIRE(ctx, !cliv__overlap(q->x, q->out) && (!q->y || !cliv__overlap(q->y, q->out)), OVERLAP,
          "the result overlaps the input in memory");
  REQUIRE(ctx, q->total > 0 || q->out->count == 0 || !r->info.needs_elements, DATA, "'%s' of no elements has no result",
          r->info.name);
  return CLIV_OK;
}

cliv_status cliv_reduce(cliv_context *ctx, const char *op, int axis, const cliv_tensor *x, const cliv_tensor *y,
                        cliv_tensor *out, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(NULL, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, out);
  const bool all = axis == CLIV_ALL_AXES;
  request q = {.op = find(op), .x = x, .y = y, .out = out};
  REQUIRE(ctx, q.op != NULL, NAME, "there is no reduction '%s'; `cliv op list` shows those there are",
          op ? op : "(NULL)");
  REQUIRE(ctx, all || (axis >= -x->ndim && axis < x->ndim), VALUE, "axis %d of a tensor with %d axes", axis, x->ndim);
  REQUIRE(ctx, all || axis == -1 || axis == x->ndim - 1, NOT_IN_BUILD,
          "reducing over axis %d of %d: this version reduces over all axes or the last one", axis, x->ndim);
  const stage s = first_stage(x, all);
  q.total = s.columns;
  TRY(check(ctx, &q, all));
  if (out->count == 0) return cliv__nothing(ctx, sync);
  return run_stages(ctx, &q, s, sync);
}
