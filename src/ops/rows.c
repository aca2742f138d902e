/* Operations whose every element depends on its row: the table, the checks, the launches. See cliv/rows.h. */
#include <cliv/rows.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum {
  LANES = 256, /* as in cl/block.cl */
  BLOCK = 4096,
  PART_BYTES = 16,     /* of the largest part: four floats */
  VECTOR = 16,         /* rows that are joined at once */
  GROUP = 64,          /* work-items a block in the GPU walk */
  RUNS_PER_UNIT = 8,   /* runs for each compute unit in the CPU walk, so that they can be dealt out evenly … */
  RUN_ELEMENTS = 65536 /* … but none much longer than this */
};

typedef struct row {
  cliv_rows_info info;
  const char *kind;  /* of cl/reduce_ops.cl */
  const char *extra; /* options of cl/rows.cl */
} row;

static const row table[] = {
    {{"softmax", "e^(x - m) / sum e^(x - m), m = max x", "shares of 1 that grow as e^x", 1},
     "exponent",
     " -D PIVOT -D KEEPS"},
    {{"log_softmax", "x - m - log(sum e^(x - m))", "logarithm of softmax", 1}, "exponent", " -D PIVOT"},
    {{"softmax_backward", "x (y - sum x y)", "gradient through softmax: x its result, y the result's gradient", 2},
     "value",
     ""},
    {{"log_softmax_backward", "y - e^x sum y", "gradient through log_softmax: x its result, y the result's gradient",
      2},
     "value",
     ""},
};

size_t cliv_rows_count(void) { return sizeof table / sizeof *table; }
const cliv_rows_info *cliv_rows_get(size_t index) { return index < cliv_rows_count() ? &table[index].info : NULL; }

static const row *find(const char *name) {
  for (size_t i = 0; name && i < cliv_rows_count(); i++)
    if (!strcmp(table[i].info.name, name)) return &table[i];
  return NULL;
}

const cliv_rows_info *cliv_rows_find(const char *name) {
  const row *r = find(name);
  return r ? &r->info : NULL;
}

typedef struct request {
  const row *op;
  const cliv_tensor *x, *y;
  cliv_tensor *out;
} request;

/* ---- the launches ---- */

/* Blocks, or rows of SHORT, that a work-item of the CPU walk does in a row. */
static cl_ulong run_length(const cliv_context *ctx, cl_ulong blocks, cl_ulong elements) {
  const cl_ulong even = cliv__div_up(blocks, (size_t)ctx->facts.compute_units * RUNS_PER_UNIT);
  const cl_ulong longest = cliv__div_up(RUN_ELEMENTS, elements);
  return even < longest ? even : longest;
}

/* Lanes that a block has in the GPU walk: as many as are needed, so that a group does several short rows. */
static cl_ulong spread(cl_ulong columns) {
  cl_ulong lanes = 1;
  while (lanes < LANES && lanes < columns) lanes *= 2;
  return lanes;
}

/* Blocks of `columns` elements, shared out: the third argument of what a kernel is told, and its range. */
static cliv__range share_out(const cliv_context *ctx, cl_ulong blocks, cl_ulong columns, bool at_once,
                             cl_ulong *share) {
  const size_t group = cliv__group(ctx, GROUP);
  if (ctx->walk == CLIV_WALK_CPU) {
    *share = run_length(ctx, blocks, columns < BLOCK ? columns : BLOCK);
    if (at_once) *share = cliv__round_up(*share, VECTOR);
    return RANGE1(cliv__div_up(blocks, *share), 1);
  }
  *share = spread(columns);
  const size_t blocks_each = *share < group ? (group < LANES ? group : LANES) / *share : 1;
  return RANGE1(cliv__div_up(blocks, blocks_each) * group, group);
}

/* half: " -D FOLD", " -D APPLY" or "": both. parts: where FOLD leaves its blocks' and APPLY finds its rows'. */
static cliv_status run(cliv_context *ctx, const request *q, const char *half, cl_mem parts, const cliv_sync *sync) {
  const cliv_tensor *x = q->x, *y = q->y ? q->y : x, *out = q->out;
  const cl_ulong rows = x->rows, columns = x->columns, per_row = cliv__div_up(columns, BLOCK);
  const bool at_once = !half[0] && columns <= LANES && ctx->walk == CLIV_WALK_CPU;
  char options[192];
  snprintf(options, sizeof options, "-D OP=%s -D KIND_%s -D PARTS_ONLY -D X_T=%s%s%s%s%s", q->op->info.name,
           q->op->kind, cliv__dtype_storage(x->dtype), q->op->extra, q->y ? " -D INPUTS_2" : "", half,
           at_once ? columns <= VECTOR       ? " -D SHORT=1"
                     : columns <= 4 * VECTOR ? " -D SHORT=4"
                                             : " -D SHORT=16"
                   : "");
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "divide.cl math.cl reduce_ops.cl rows_ops.cl block.cl rows.cl", options, "rows", &kernel));
  const cl_ulong x_first = cliv__first(x), x_pitch = x->pitch, y_first = cliv__first(y), y_pitch = y->pitch;
  const cl_ulong out_first = cliv__first(out), out_pitch = out->pitch, none = 0;
  const cl_uint within = out->mem == x->mem || out->mem == y->mem;
  const cl_float eps = 0;
  cl_ulong share;
  const cliv__range range = share_out(ctx, rows * per_row, columns, at_once, &share);
  return LAUNCH(ctx, kernel, range, sync, ARG(x->mem), ARG(x_first), ARG(x_pitch), ARG(y->mem), ARG(y_first),
                ARG(y_pitch), ARG(x->mem), ARG(none), ARG(x->mem), ARG(none), ARG(out->mem), ARG(none), ARG(out->mem),
                ARG(none), ARG(out->mem), ARG(out_first), ARG(out_pitch), ARG(parts), ARG(rows), ARG(columns),
                ARG(per_row), ARG(share), ARG(within), ARG(eps));
}

/* Joins the parts of each row to one, by the later stages of cl/reduce.cl: *parts becomes where these are. */
static cliv_status join_parts(cliv_context *ctx, const char *kind, cl_ulong rows, cl_ulong per_row, cl_mem *parts) {
  char options[96];
  snprintf(options, sizeof options, "-D KIND_%s -D PARTS_ONLY -D OUT_T=f32 -D SECOND -D SINGLE", kind);
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "divide.cl math.cl reduce_ops.cl block.cl reduce.cl", options, "reduce", &kernel));
  for (int slot = CLIV__SCRATCH_REDUCE_B; per_row > 1; slot = CLIV__SCRATCH_REDUCE_A + CLIV__SCRATCH_REDUCE_B - slot) {
    const cl_ulong columns = per_row, none = 0, end = rows * columns;
    per_row = cliv__div_up(columns, BLOCK);
    const cl_ulong blocks = rows * per_row;
    cl_ulong share;
    cl_mem left;
    TRY(cliv__scratch(ctx, slot, blocks * PART_BYTES, &left));
    const cliv__range range = share_out(ctx, blocks, columns, false, &share);
    TRY(LAUNCH(ctx, kernel, range, SYNC_NONE, ARG(*parts), ARG(none), ARG(end), ARG(columns), ARG(columns),
               ARG(per_row), ARG(blocks), ARG(share), ARG(columns), ARG(left), ARG(left), ARG(none)));
    *parts = left;
  }
  return CLIV_OK;
}

/* Rows of one block in one launch; longer ones block by block, so that all units have work though there be one row. */
static cliv_status run_all(cliv_context *ctx, const request *q, const cliv_sync *sync) {
  const cl_ulong rows = q->x->rows, per_row = cliv__div_up(q->x->columns, BLOCK);
  cl_mem parts;
  if (per_row == 1) return run(ctx, q, "", q->out->mem, sync);
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_REDUCE_A, rows * per_row * PART_BYTES, &parts));
  TRY(run(ctx, q, " -D FOLD", parts, SYNC_FIRST(sync)));
  TRY(join_parts(ctx, q->op->kind, rows, per_row, &parts));
  return run(ctx, q, " -D APPLY", parts, SYNC_LAST(sync));
}

/* ---- the call ---- */

/* Exactly the same elements, so that each is read before it is written. */
static bool same_place(const cliv_tensor *a, const cliv_tensor *b) {
  return a->mem == b->mem && a->offset == b->offset && (a->rows <= 1 || a->pitch == b->pitch);
}

static cliv_status check_out(cliv_context *ctx, const request *q, const cliv_tensor *in, const char *name) {
  char a[160], b[160];
  REQUIRE(ctx, in->ctx == ctx && q->out->ctx == ctx, VALUE,
          "'%s': the tensors belong to another context than the one given", q->op->info.name);
  REQUIRE(ctx, in->dtype == q->out->dtype && cliv__same_shape(in, q->out), SHAPE,
          "'%s' takes tensors of one type and shape, but %s is %s and out is %s", q->op->info.name, name,
          cliv__describe(in, a), cliv__describe(q->out, b));
  REQUIRE(ctx, !cliv__overlap(in, q->out) || same_place(in, q->out), OVERLAP,
          "'%s': %s and out share part of their memory; they must be the same or apart", q->op->info.name, name);
  return CLIV_OK;
}

static cliv_status check(cliv_context *ctx, const request *q) {
  char a[160];
  const cliv_tensor *x = q->x;
  REQUIRE(ctx, (q->y != NULL) == (q->op->info.inputs == 2), NULL,
          q->op->info.inputs == 2 ? "'%s' needs a second input, y" : "'%s' takes one input; y must be NULL",
          q->op->info.name);
  REQUIRE(ctx, x->dtype == CLIV_F32 || x->dtype == CLIV_F16 || x->dtype == CLIV_BF16, DTYPE,
          "'%s' takes float32, float16 and bfloat16, not %s", q->op->info.name, cliv__describe(x, a));
  REQUIRE(ctx, x->ndim > 0, SHAPE, "'%s' goes along the last axis, but x has no axes", q->op->info.name);
  TRY(check_out(ctx, q, x, "x"));
  return q->y ? check_out(ctx, q, q->y, "y") : CLIV_OK;
}

cliv_status cliv_rows(cliv_context *ctx, const char *op, const cliv_tensor *x, const cliv_tensor *y, cliv_tensor *out,
                      const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(NULL, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, out);
  const request q = {.op = find(op), .x = x, .y = y, .out = out};
  REQUIRE(ctx, q.op != NULL, NAME, "there is no operation on rows '%s'; `cliv op list rows` names them",
          op ? op : "(NULL)");
  TRY(check(ctx, &q));
  return x->count ? run_all(ctx, &q, sync) : cliv__nothing(ctx, sync);
}
