/* Operations whose every element depends on its row: the table, the checks, the launches. See cliv/rows.h. */
#include <cliv/rows.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "base/options.h"
#include "ops/blocks.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum {
  LANES = CLIV__LANES,
  BLOCK = CLIV__BLOCK,
  PART_BYTES = 16, /* of the largest part: four floats */
  VECTOR = 16,     /* rows that the CPU walk joins at once … */
  SHORT = 64,      /* … when they have no more elements than this */
  GROUP = 64,      /* work-items a block in the GPU walk */
  SLOTS = 8,       /* as in cl/row_sums.cl */
  WEIGHT = 1,
  BIAS = 2
};

typedef struct row {
  cliv_rows_info info;
  const char *kind;  /* of cl/reduce_ops.cl */
  const char *extra; /* options of cl/rows.cl */
} row;

#define PLAIN 0, 0, CLIV_ROWS_NONE, CLIV_ROWS_NONE, 0
#define NO CLIV_ROWS_NONE
#define WRITES CLIV_ROWS_WRITES
#define READS CLIV_ROWS_READS
static const row table[] = {
    {{"softmax", "e^(x - m) / sum e^(x - m), m = max x", "shares of 1 that grow as e^x", 1, PLAIN},
     "exponent",
     " -D PIVOT -D KEEPS"},
    {{"log_softmax", "x - m - log(sum e^(x - m))", "logarithm of softmax", 1, PLAIN}, "exponent", " -D PIVOT"},
    {{"softmax_backward", "x (y - sum x y)", "gradient of softmax's input: x its result, y the result's gradient", 2,
      PLAIN},
     "value",
     ""},
    {{"log_softmax_backward", "y - e^x sum y", "gradient of log_softmax's input: x its result, y the result's gradient",
      2, PLAIN},
     "value",
     ""},
    {{"layer_norm", "(x - mean) / sqrt(var + eps) weight + bias", "mean 0, variance 1", 1, 1, 1, WRITES, WRITES, 1e-5},
     "moments",
     " -D PIVOT"},
    {{"rms_norm", "x / sqrt(mean x^2 + eps) weight", "mean square 1", 1, 1, 0, NO, WRITES, 0x1p-23}, "value", ""},
    {{"layer_norm_backward", "rstd (g - mean g - n mean g n), g = y weight, n = (x - mean) rstd",
      "gradient of layer_norm's input x: y the result's gradient", 2, 1, 1, READS, READS, 0},
     "pair",
     " -D GIVEN"},
    {{"rms_norm_backward", "rstd (g - n mean g n), g = y weight, n = x rstd",
      "gradient of rms_norm's input x: y the result's gradient", 2, 1, 0, NO, READS, 0},
     "value",
     " -D GIVEN"},
};
#undef PLAIN
#undef NO
#undef WRITES
#undef READS

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
  cliv_rows_options o;
} request;

static bool writes(cliv_rows_use use, const cliv_tensor *statistic) { return use == CLIV_ROWS_WRITES && statistic; }
static bool reads(cliv_rows_use use) { return use == CLIV_ROWS_READS; }

/* ---- the launches ---- */

/* Blocks of `columns` elements, shared out: the third argument of what a kernel is told, and its range. */
static cliv__range share_out(const cliv_context *ctx, cl_ulong blocks, cl_ulong columns, bool at_once,
                             cl_ulong *share) {
  const size_t group = cliv__group(ctx, GROUP);
  if (ctx->walk == CLIV_WALK_CPU) {
    *share = cliv__run_length(ctx, blocks, columns < BLOCK ? columns : BLOCK);
    if (at_once) *share = cliv__round_up(*share, VECTOR);
    return RANGE1(cliv__div_up(blocks, *share), 1);
  }
  *share = cliv__spread(columns);
  const size_t blocks_each = *share < group ? (group < LANES ? group : LANES) / *share : 1;
  return RANGE1(cliv__div_up(blocks, blocks_each) * group, group);
}

/* A tensor's memory and first element; where there is none, another's that the kernel leaves alone. */
typedef struct place {
  cl_mem mem;
  cl_ulong first;
} place;
static place place_of(const cliv_tensor *t, const cliv_tensor *else_one) {
  return t ? (place){t->mem, cliv__first(t)} : (place){else_one->mem, 0};
}

/* half: " -D FOLD", " -D APPLY" or "": both. parts: where FOLD leaves its blocks' and APPLY finds its rows'. */
static cliv_status run(cliv_context *ctx, const request *q, const char *half, cl_mem parts, const cliv_sync *sync) {
  const cliv_tensor *x = q->x, *y = q->y ? q->y : x, *out = q->out;
  const cliv_rows_info *info = &q->op->info;
  const cl_ulong rows = x->rows, columns = x->columns, per_row = cliv__div_up(columns, BLOCK);
  const bool at_once = !half[0] && columns <= SHORT && ctx->walk == CLIV_WALK_CPU;
  const char *vectors = columns <= VECTOR ? " -D SHORT=1" : " -D SHORT=4";
  char options[256];
  snprintf(options, sizeof options, "-D OP=%s -D KIND_%s -D PARTS_ONLY -D X_T=%s%s%s%s%s%s%s%s%s", info->name,
           q->op->kind, cliv__dtype_storage(x->dtype), q->op->extra, q->y ? " -D INPUTS_2" : "",
           q->o.weight ? " -D WEIGHT" : "", q->o.bias ? " -D BIAS" : "",
           writes(info->mean, q->o.mean) ? " -D MEAN" : "", writes(info->rstd, q->o.rstd) ? " -D RSTD" : "", half,
           at_once ? vectors : "");
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "divide.cl math.cl order.cl reduce_ops.cl rows_ops.cl block.cl rows.cl", options, "rows",
                   &kernel));
  const cl_ulong x_first = cliv__first(x), x_pitch = x->pitch, y_first = cliv__first(y), y_pitch = y->pitch;
  const cl_ulong out_first = cliv__first(out), out_pitch = out->pitch;
  const place weight = place_of(q->o.weight, x), bias = place_of(q->o.bias, x);
  const place mean = place_of(q->o.mean, out), rstd = place_of(q->o.rstd, out);
  const cl_uint within = cliv__same_memory(out, x) || cliv__same_memory(out, y);
  const cl_float eps = (cl_float)q->o.eps;
  cl_ulong share;
  const cliv__range range = share_out(ctx, rows * per_row, columns, at_once, &share);
  return LAUNCH(ctx, kernel, range, sync, ARG(x->mem), ARG(x_first), ARG(x_pitch), ARG(y->mem), ARG(y_first),
                ARG(y_pitch), ARG(weight.mem), ARG(weight.first), ARG(bias.mem), ARG(bias.first), ARG(mean.mem),
                ARG(mean.first), ARG(rstd.mem), ARG(rstd.first), ARG(out->mem), ARG(out_first), ARG(out_pitch),
                ARG(parts), ARG(rows), ARG(columns), ARG(per_row), ARG(share), ARG(within), ARG(eps));
}

/* Joins the parts of each row to one, by the later stages of cl/reduce.cl: *parts becomes where these are. */
static cliv_status join_parts(cliv_context *ctx, const char *kind, cl_ulong rows, cl_ulong per_row, cl_mem *parts) {
  char options[96];
  snprintf(options, sizeof options, "-D KIND_%s -D PARTS_ONLY -D OUT_T=f32 -D SECOND -D SINGLE", kind);
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "divide.cl math.cl order.cl reduce_ops.cl block.cl reduce.cl", options, "reduce", &kernel));
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

/* The gradients of weight and bias: sums over all rows. */
static cliv_status run_sums(cliv_context *ctx, const request *q, const cliv_sync *sync) {
  const cliv_tensor *x = q->x, *y = q->y;
  const cl_ulong rows = x->rows, columns = x->columns, per_column = cliv__div_up(rows, BLOCK);
  cl_mem parts;
  cl_kernel sums, put;
  char common[128], options[192];
  snprintf(common, sizeof common, "-D OP=%s -D KIND_%s -D PARTS_ONLY -D GIVEN -D X_T=%s", q->op->info.name, q->op->kind,
           cliv__dtype_storage(x->dtype));
  static const char files[] = "divide.cl math.cl order.cl reduce_ops.cl rows_ops.cl block.cl row_sums.cl";
  snprintf(options, sizeof options, "%s -D COLUMNS -D ACROSS=1", common);
  TRY(cliv__kernel(ctx, files, options, "row_sums", &sums));
  snprintf(options, sizeof options, "%s -D PUT -D SINGLE", common);
  TRY(cliv__kernel(ctx, files, options, "put_sums", &put));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_REDUCE_A, columns * per_column * PART_BYTES, &parts));

  const cl_ulong x_first = cliv__first(x), x_pitch = x->pitch, y_first = cliv__first(y), y_pitch = y->pitch;
  const place mean = place_of(q->o.mean, x), rstd = place_of(q->o.rstd, x);
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  const size_t group = cpu ? 1 : cliv__group(ctx, GROUP), at_once = cpu ? VECTOR : SLOTS;
  TRY(LAUNCH(ctx, sums, RANGE1(cliv__div_up(columns, at_once) * per_column * group, group), SYNC_FIRST(sync),
             ARG(x->mem), ARG(x_first), ARG(x_pitch), ARG(y->mem), ARG(y_first), ARG(y_pitch), ARG(mean.mem),
             ARG(mean.first), ARG(rstd.mem), ARG(rstd.first), ARG(parts), ARG(rows), ARG(columns), ARG(per_column)));
  TRY(join_parts(ctx, q->op->kind, columns, per_column, &parts));

  const place weight = place_of(q->o.weight_gradient, x), bias = place_of(q->o.bias_gradient, x);
  const cl_uint wanted = (q->o.weight_gradient ? WEIGHT : 0) | (q->o.bias_gradient ? BIAS : 0);
  return LAUNCH(ctx, put, RANGE1(columns, group), SYNC_NONE, ARG(parts), ARG(weight.mem), ARG(weight.first),
                ARG(bias.mem), ARG(bias.first), ARG(columns), ARG(wanted));
}

/* Rows of one block in one launch; longer ones block by block, so that all units have work though there be one row. */
static cliv_status run_all(cliv_context *ctx, const request *q, const cliv_sync *sync) {
  const cl_ulong rows = q->x->rows, per_row = cliv__div_up(q->x->columns, BLOCK);
  const bool sums = q->o.weight_gradient || q->o.bias_gradient;
  cl_mem parts;
  if (sums) TRY(run_sums(ctx, q, sync)); /* first: out may replace x or y */
  const cliv_sync rest = cliv__sync_part(sync, !sums, true);
  if (per_row == 1) return run(ctx, q, "", q->out->mem, &rest);
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_REDUCE_A, rows * per_row * PART_BYTES, &parts));
  TRY(run(ctx, q, " -D FOLD", parts, SYNC_FIRST(&rest)));
  TRY(join_parts(ctx, q->op->kind, rows, per_row, &parts));
  return run(ctx, q, " -D APPLY", parts, SYNC_LAST(&rest));
}

/* ---- the call ---- */

static cliv_status check_out(cliv_context *ctx, const request *q, const cliv_tensor *in, const char *name) {
  char a[160], b[160];
  REQUIRE_TENSORS(ctx, in, q->out);
  REQUIRE(ctx, in->dtype == q->out->dtype && cliv__same_shape(in, q->out), SHAPE,
          "'%s' takes tensors of one type and shape, but %s is %s and out is %s", q->op->info.name, name,
          cliv__describe(in, a), cliv__describe(q->out, b));
  REQUIRE(ctx, !cliv__overlap(in, q->out) || cliv__same_place(in, q->out), OVERLAP,
          "'%s': %s and out share part of their memory; they must be the same or apart", q->op->info.name, name);
  return CLIV_OK;
}

/* Weight, bias, mean, rstd and gradients of the first two: `per_row`: one number a row, else one a column. */
typedef struct companion {
  const char *name;
  const cliv_tensor *tensor;
  bool taken, needed, written, per_row;
} companion;
enum { COMPANIONS = 6 };

static void list_companions(const request *q, companion list[COMPANIONS]) {
  const cliv_rows_info *i = &q->op->info;
  const cliv_rows_options *o = &q->o;
  const bool backward = i->inputs == 2;
  const companion all[COMPANIONS] = {
      {"weight", o->weight, i->weight, false, false, false},
      {"bias", o->bias, i->bias && !backward, false, false, false},
      {"mean", o->mean, i->mean != CLIV_ROWS_NONE, reads(i->mean), i->mean == CLIV_ROWS_WRITES, true},
      {"rstd", o->rstd, i->rstd != CLIV_ROWS_NONE, reads(i->rstd), i->rstd == CLIV_ROWS_WRITES, true},
      {"weight_gradient", o->weight_gradient, i->weight && backward, false, true, false},
      {"bias_gradient", o->bias_gradient, i->bias && backward, false, true, false},
  };
  memcpy(list, all, sizeof all);
}

static cliv_status check_companion(cliv_context *ctx, const request *q, const companion *c) {
  char a[160], b[160];
  const char *op = q->op->info.name;
  const cliv_tensor *t = c->tensor, *x = q->x;
  REQUIRE(ctx, t || !c->needed, NULL, "'%s' needs %s, which the operation before it gave", op, c->name);
  if (!t) return CLIV_OK;
  REQUIRE(ctx, c->taken, VALUE, "'%s' takes no %s; leave it NULL", op, c->name);
  REQUIRE_TENSORS(ctx, t);
  const cliv_dtype dtype = c->per_row ? CLIV_F32 : x->dtype;
  REQUIRE(ctx, t->dtype == dtype, DTYPE, "'%s' of %s takes a %s of %s, not %s", op, cliv__describe(x, a), c->name,
          cliv_dtype_name(dtype), cliv__describe(t, b));
  const bool fits = c->per_row
                        ? t->ndim == x->ndim - 1 && !memcmp(t->shape, x->shape, (size_t)t->ndim * sizeof *t->shape)
                        : t->ndim == 1 && t->shape[0] == x->columns;
  REQUIRE(ctx, fits, SHAPE, "'%s' of %s takes one %s a %s, not %s", op, cliv__describe(x, a), c->name,
          c->per_row ? "row" : "column", cliv__describe(t, b));
  REQUIRE(ctx, cliv__dense(t), LAYOUT, "'%s' takes a dense %s", op, c->name);
  return CLIV_OK;
}

/* What is written, out too, shares nothing with what else there is. */
static cliv_status check_companions(cliv_context *ctx, const request *q) {
  companion all[COMPANIONS + 3];
  list_companions(q, all);
  for (int i = 0; i < COMPANIONS; i++) TRY(check_companion(ctx, q, &all[i]));
  all[COMPANIONS] = (companion){.name = "x", .tensor = q->x};
  all[COMPANIONS + 1] = (companion){.name = "y", .tensor = q->y};
  all[COMPANIONS + 2] = (companion){.name = "out", .tensor = q->out, .written = true};
  for (int i = 0; i < COMPANIONS; i++)
    for (int k = i + 1; k < COMPANIONS + 3; k++)
      REQUIRE(ctx,
              !all[i].tensor || !all[k].tensor || (!all[i].written && !all[k].written) ||
                  !cliv__overlap(all[i].tensor, all[k].tensor),
              OVERLAP, "'%s': %s and %s share memory", q->op->info.name, all[i].name, all[k].name);
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
  if (q->y) TRY(check_out(ctx, q, q->y, "y"));
  REQUIRE(ctx, q->o.eps == 0 || q->op->info.eps > 0, VALUE, "'%s' takes no eps; leave it 0", q->op->info.name);
  REQUIRE(ctx, q->o.eps >= 0 && isfinite((float)q->o.eps), VALUE, "eps must be a float32 from 0 on, not %g", q->o.eps);
  return check_companions(ctx, q);
}

cliv_status cliv_rows(cliv_context *ctx, const char *op, const cliv_tensor *x, const cliv_tensor *y, cliv_tensor *out,
                      const cliv_rows_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(NULL, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, out);
  request q = {.op = find(op), .x = x, .y = y, .out = out};
  REQUIRE(ctx, q.op != NULL, NAME, "there is no operation on rows '%s'; `cliv op list rows` names them",
          op ? op : "(NULL)");
  TRY(OPTIONS(ctx, options, &q.o));
  TRY(check(ctx, &q));
  if (q.o.eps == 0) q.o.eps = q.op->info.eps;
  return x->count ? run_all(ctx, &q, sync) : cliv__nothing(ctx, sync);
}
