/* The provider `exact`: syrk, symm, trmm, trsm. All launches, or none: a result is worked on from the first one on. */
#include "blas/exact.h"
#include "blas/triangle.h"
#include "runtime/stage.h"

typedef cliv_status staged(cliv_context *ctx, const cliv__level3 *op);

static cliv_status syrk(cliv_context *ctx, const cliv__level3 *op) {
  return cliv__triangle_square(ctx, op->upper, op->trans, op->alpha, op->a, op->beta, op->c);
}

static cliv_status symm(cliv_context *ctx, const cliv__level3 *op) {
  return cliv__triangle_symmetric(ctx, op->right, op->upper, op->alpha, op->a, op->b, op->beta, op->c);
}

static cliv__triangle triangle_of(const cliv__level3 *op) {
  return (cliv__triangle){*op->a, op->right, op->upper, op->trans, op->unit};
}

static cliv_status trmm(cliv_context *ctx, const cliv__level3 *op) {
  const cliv__triangle t = triangle_of(op);
  return cliv__triangle_multiply(ctx, &t, op->alpha, op->b, op->c);
}

static bool same_place(const cliv__stack *a, const cliv__stack *b) { return a->mem == b->mem && a->first == b->first; }

static cliv_status trsm(cliv_context *ctx, const cliv__level3 *op) {
  const cliv__triangle t = triangle_of(op);
  if (op->alpha != 1 || !same_place(op->b, op->c))
    TRY(cliv__stack_finish(ctx, CLIV__PART_ALL, op->alpha, op->b, 0, op->c));
  return cliv__triangle_solve(ctx, &t, op->c);
}

/* Matrices that are worked on together, so that the sums of a span of lines, or the rows that are expanded, take
 * bounded memory; and no more than ranges of eight rows a matrix have room for. */
static cl_ulong together(const cliv__level3 *op) {
  enum { ROOM = 1 << 26, LINES = 256, VECTORS = 64, MOST = CLIV__AXIS_MOST / 8 };
  const cl_ulong lines = op->right ? op->c->columns : op->c->rows;
  const cl_ulong side = cliv__round_up(cliv__most(1, lines), CLIV__TRIANGLE_BLOCK);
  const cl_ulong each = cliv__least(side, LINES) * cliv__most(side, VECTORS) * cliv_dtype_size(op->c->dtype);
  return cliv__least(MOST, cliv__most(1, ROOM / each));
}

static cliv_status all_of(cliv_context *ctx, staged *run, const cliv__level3 *op) {
  const cl_ulong count = op->c->count, most = together(op);
  for (cl_ulong z = 0; z < count; z += most) {
    const cl_ulong some = cliv__least(most, count - z);
    const cliv__stack a = cliv__stack_some(op->a, z, some), c = cliv__stack_some(op->c, z, some);
    const cliv__stack b = op->b ? cliv__stack_some(op->b, z, some) : c;
    cliv__level3 part = *op;
    part.a = &a, part.b = &b, part.c = &c;
    TRY(run(ctx, &part));
  }
  return CLIV_OK;
}

static cliv_status stage(cliv_context *ctx, staged *run, const cliv__level3 *op, const cliv_sync *sync) {
  TRY(cliv__stage_begin(ctx));
  cliv_status status = cliv__nothing(ctx, SYNC_FIRST(sync));
  if (!status) status = all_of(ctx, run, op);
  if (!status) status = cliv__nothing(ctx, SYNC_LAST(sync));
  return cliv__stage_end(ctx, status, NULL);
}

cliv_status cliv__exact_syrk(cliv_context *ctx, const cliv__level3 *op, const cliv_sync *sync) {
  return stage(ctx, syrk, op, sync);
}
cliv_status cliv__exact_symm(cliv_context *ctx, const cliv__level3 *op, const cliv_sync *sync) {
  return stage(ctx, symm, op, sync);
}
cliv_status cliv__exact_trmm(cliv_context *ctx, const cliv__level3 *op, const cliv_sync *sync) {
  return stage(ctx, trmm, op, sync);
}
cliv_status cliv__exact_trsm(cliv_context *ctx, const cliv__level3 *op, const cliv_sync *sync) {
  return stage(ctx, trsm, op, sync);
}
