/* The provider `clblast`: syrk, symm, trmm, trsm, a call for each matrix of a batch. */
#include "blas/clblast.h"
#include "blas/triangle.h"

#ifdef CLIV_HAVE_CLBLAST

/* What one call is made of: the operation, and where its matrices begin. */
typedef struct one {
  const cliv__level3 *op;
  cl_ulong a, b, c;
} one;

static CLBlastTriangle triangle(const cliv__level3 *op) {
  return op->upper ? CLBlastTriangleUpper : CLBlastTriangleLower;
}
static CLBlastSide side(const cliv__level3 *op) { return op->right ? CLBlastSideRight : CLBlastSideLeft; }
static CLBlastTranspose transpose(const cliv__level3 *op) {
  return op->trans ? CLBlastTransposeYes : CLBlastTransposeNo;
}
static CLBlastDiagonal diagonal(const cliv__level3 *op) {
  return op->unit ? CLBlastDiagonalUnit : CLBlastDiagonalNonUnit;
}

static CLBlastStatusCode syrk(const void *with, cl_command_queue *queue, cl_event *event) {
  const one *const x = with;
  const cliv__level3 *const op = x->op;
  const size_t n = op->c->rows, k = op->trans ? op->a->rows : op->a->columns;
  return op->c->dtype == CLIV_F64
             ? CLBlastDsyrk(CLBlastLayoutRowMajor, triangle(op), transpose(op), n, k, op->alpha, op->a->mem, x->a,
                            op->a->pitch, op->beta, op->c->mem, x->c, op->c->pitch, queue, event)
             : CLBlastSsyrk(CLBlastLayoutRowMajor, triangle(op), transpose(op), n, k, (float)op->alpha, op->a->mem,
                            x->a, op->a->pitch, (float)op->beta, op->c->mem, x->c, op->c->pitch, queue, event);
}

static CLBlastStatusCode symm(const void *with, cl_command_queue *queue, cl_event *event) {
  const one *const x = with;
  const cliv__level3 *const op = x->op;
  const size_t m = op->c->rows, n = op->c->columns;
  return op->c->dtype == CLIV_F64 ? CLBlastDsymm(CLBlastLayoutRowMajor, side(op), triangle(op), m, n, op->alpha,
                                                 op->a->mem, x->a, op->a->pitch, op->b->mem, x->b, op->b->pitch,
                                                 op->beta, op->c->mem, x->c, op->c->pitch, queue, event)
                                  : CLBlastSsymm(CLBlastLayoutRowMajor, side(op), triangle(op), m, n, (float)op->alpha,
                                                 op->a->mem, x->a, op->a->pitch, op->b->mem, x->b, op->b->pitch,
                                                 (float)op->beta, op->c->mem, x->c, op->c->pitch, queue, event);
}

static CLBlastStatusCode trmm(const void *with, cl_command_queue *queue, cl_event *event) {
  const one *const x = with;
  const cliv__level3 *const op = x->op;
  const size_t m = op->c->rows, n = op->c->columns;
  return op->c->dtype == CLIV_F64
             ? CLBlastDtrmm(CLBlastLayoutRowMajor, side(op), triangle(op), transpose(op), diagonal(op), m, n, op->alpha,
                            op->a->mem, x->a, op->a->pitch, op->c->mem, x->c, op->c->pitch, queue, event)
             : CLBlastStrmm(CLBlastLayoutRowMajor, side(op), triangle(op), transpose(op), diagonal(op), m, n,
                            (float)op->alpha, op->a->mem, x->a, op->a->pitch, op->c->mem, x->c, op->c->pitch, queue,
                            event);
}

static CLBlastStatusCode trsm(const void *with, cl_command_queue *queue, cl_event *event) {
  const one *const x = with;
  const cliv__level3 *const op = x->op;
  const size_t m = op->c->rows, n = op->c->columns;
  return op->c->dtype == CLIV_F64
             ? CLBlastDtrsm(CLBlastLayoutRowMajor, side(op), triangle(op), transpose(op), diagonal(op), m, n, op->alpha,
                            op->a->mem, x->a, op->a->pitch, op->c->mem, x->c, op->c->pitch, queue, event)
             : CLBlastStrsm(CLBlastLayoutRowMajor, side(op), triangle(op), transpose(op), diagonal(op), m, n,
                            (float)op->alpha, op->a->mem, x->a, op->a->pitch, op->c->mem, x->c, op->c->pitch, queue,
                            event);
}

/* The matrices, and the copies of all of them that CLBlast may make in one buffer. */
static cliv_status check(cliv_context *ctx, const cliv__level3 *op) {
  const cliv__stack *const x[] = {op->a, op->b, op->c};
  cl_ulong all = 0;
  for (size_t i = 0; i < 3; i++) {
    TRY(cliv__clblast_reaches(
        ctx, x[i]->first + (x[i]->count - 1) * x[i]->each + (x[i]->rows - 1) * x[i]->pitch + x[i]->columns));
    all += x[i]->rows * x[i]->columns;
  }
  return cliv__clblast_reaches(ctx, all);
}

static cliv_status each(cliv_context *ctx, const cliv__level3 *op, const char *name, cliv__clblast_call *call,
                        const cliv_sync *sync) {
  TRY(check(ctx, op));
  for (cl_ulong b = 0; b < op->c->count; b++) {
    const one x = {op, op->a->first + b * op->a->each, op->b->first + b * op->b->each, op->c->first + b * op->c->each};
    const cliv_sync part = cliv__sync_part(sync, b == 0, b + 1 == op->c->count);
    TRY(cliv__clblast_run(ctx, &part, name, call, &x));
  }
  return CLIV_OK;
}

/* CLBlast works in place. */
static cliv_status in_place(cliv_context *ctx, const cliv__level3 *op, const char *name, cliv__clblast_call *call,
                            const cliv_sync *sync) {
  if (op->b->mem == op->c->mem && op->b->first == op->c->first) return each(ctx, op, name, call, sync);
  TRY(check(ctx, op));
  TRY(cliv__nothing(ctx, SYNC_FIRST(sync)));
  TRY(cliv__stack_finish(ctx, CLIV__PART_ALL, 1, op->b, 0, op->c));
  return each(ctx, op, name, call, SYNC_LAST(sync));
}

cliv_status cliv__clblast_syrk(cliv_context *ctx, const cliv__level3 *op, const cliv_sync *sync) {
  return each(ctx, op, "syrk", syrk, sync);
}
cliv_status cliv__clblast_symm(cliv_context *ctx, const cliv__level3 *op, const cliv_sync *sync) {
  return each(ctx, op, "symm", symm, sync);
}
cliv_status cliv__clblast_trmm(cliv_context *ctx, const cliv__level3 *op, const cliv_sync *sync) {
  return in_place(ctx, op, "trmm", trmm, sync);
}
cliv_status cliv__clblast_trsm(cliv_context *ctx, const cliv__level3 *op, const cliv_sync *sync) {
  return in_place(ctx, op, "trsm", trsm, sync);
}

#endif
