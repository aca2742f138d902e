/* QR by blocked reflections. See cliv/factor.h; the panels are cl/qr.cl's. */
#include <stdio.h>

#include "blas/factor.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/stage.h"
#include "runtime/tensor.h"

enum { PANEL = 32, LANES = 8 }; /* as in cl/qr.cl */

static cl_ulong least(cl_ulong a, cl_ulong b) { return a < b ? a : b; }

/* What one factorisation works on: the matrix that becomes R, the reflections' vectors, a T a panel, room for the
 * products of a panel, and numbers by column. */
typedef struct job {
  cl_ulong count, m, n;
  cliv__stack x, v, t, y, ty;
  cl_mem spans, signs;
} job;

static cliv_status prepare(cliv_context *ctx, const cliv__stack *a, job *j) {
  *j = (job){.count = a->count, .m = a->rows, .n = a->columns};
  const cl_ulong wide = cliv__round_up(j->n, PANEL);
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_A, j->count, j->m, j->n, &j->x));
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_B, j->count, j->m, wide, &j->v));
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_C, j->count, wide, PANEL, &j->t));
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_D, j->count, PANEL, j->n, &j->y));
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_E, j->count, PANEL, j->n, &j->ty));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FACTOR_NORMS, 2 * j->count * j->n * sizeof(float), &j->spans));
  return cliv__scratch(ctx, CLIV__SCRATCH_FACTOR_TERMS, j->count * j->n * sizeof(float), &j->signs);
}

/* out(i,j) = x(i,j) · by_column[j], from by_first on; upper: as R. */
static cliv_status dress(cliv_context *ctx, const job *j, bool upper, const cliv__stack *x, cl_mem by_column,
                         cl_ulong by_first, const cliv__stack *out, const cliv_sync *sync) {
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "divide.cl stack.cl qr.cl", upper ? "-D UPPER" : "", "dress", &kernel));
  const cl_ulong total = out->count * out->rows;
  return LAUNCH(ctx, kernel, cliv__stack_elements(ctx, total, out->columns), sync, ARG(x->mem), ARG(x->first),
                ARG(x->pitch), ARG(x->each), ARG(j->signs), ARG(by_column), ARG(by_first), ARG(out->mem),
                ARG(out->first), ARG(out->pitch), ARG(out->each), ARG(total), ARG(out->rows), ARG(out->columns));
}

/* X = A with every column brought to a size near 1. */
static cliv_status take(cliv_context *ctx, const cliv__stack *a, const job *j, const cliv_sync *sync) {
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "divide.cl stack.cl qr.cl", "", "spans", &kernel));
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  const cliv__range range = RANGE2(cpu ? cliv__div_up(j->n, 16) : j->n, j->count, cpu ? 1 : cliv__group(ctx, 64), 1);
  TRY(LAUNCH(ctx, kernel, range, sync, ARG(a->mem), ARG(a->first), ARG(a->pitch), ARG(a->each), ARG(j->spans),
             ARG(j->count), ARG(j->m), ARG(j->n)));
  return dress(ctx, j, false, a, j->spans, 0, &j->x, NULL);
}

static cliv_status reflect(cliv_context *ctx, const job *j, cl_ulong start) {
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  size_t lanes = LANES;
  while (lanes > 1 && lanes * PANEL > ctx->facts.max_group_size) lanes /= 2;
  char choices[64] = "-D SINGLE -D REFLECT";
  if (!cpu) snprintf(choices, sizeof choices, "-D SINGLE -D REFLECT -D GROUP_LANES=%zu", lanes);
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "divide.cl stack.cl qr.cl", choices, "reflect", &kernel));
  const cl_ulong t_first = start * PANEL;
  const cliv__range range = cpu ? RANGE1(j->count, 1) : RANGE2(PANEL, j->count * lanes, PANEL, lanes);
  return LAUNCH(ctx, kernel, range, SYNC_NONE, ARG(j->x.mem), ARG(j->x.first), ARG(j->x.pitch), ARG(j->x.each),
                ARG(j->v.mem), ARG(j->v.pitch), ARG(j->v.each), ARG(j->t.mem), ARG(t_first), ARG(j->t.each), ARG(start),
                ARG(j->m), ARG(j->n));
}

/* X = X − V op(T) Vᵀ X for the rows from `start` and the columns from `column` on. */
static cliv_status apply(cliv_context *ctx, const job *j, bool trans_t, cl_ulong start, cl_ulong column,
                         const cliv__stack *to) {
  const cl_ulong width = least(PANEL, j->n - start), columns = j->n - column;
  if (columns == 0) return CLIV_OK;
  const cliv__stack v = cliv__stack_block(&j->v, start, start, j->m - start, width),
                    t = cliv__stack_block(&j->t, start, 0, width, width),
                    x = cliv__stack_block(to, start, column, j->m - start, columns),
                    y = cliv__stack_block(&j->y, 0, 0, width, columns),
                    ty = cliv__stack_block(&j->ty, 0, 0, width, columns);
  TRY(cliv__stack_product(ctx, true, false, 1, &v, &x, 0, &y, NULL));
  TRY(cliv__stack_product(ctx, trans_t, false, 1, &t, &y, 0, &ty, NULL));
  return cliv__stack_product(ctx, false, false, -1, &v, &ty, 1, &x, NULL);
}

static cliv_status find_signs(cliv_context *ctx, const job *j) {
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "divide.cl stack.cl qr.cl", "", "signs", &kernel));
  const cliv__range range = RANGE2(j->n, j->count, ctx->walk == CLIV_WALK_CPU ? 1 : cliv__group(ctx, 64), 1);
  return LAUNCH(ctx, kernel, range, SYNC_NONE, ARG(j->x.mem), ARG(j->x.first), ARG(j->x.pitch), ARG(j->x.each),
                ARG(j->signs), ARG(j->count), ARG(j->n));
}

cliv_status cliv__stack_qr(cliv_context *ctx, const cliv__stack *a, const cliv__stack *q, const cliv__stack *r,
                           const cliv_sync *sync) {
  job j;
  cliv__stack basis;
  TRY(prepare(ctx, a, &j));
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_F, j.count, j.m, j.n, &basis));
  TRY(take(ctx, a, &j, SYNC_FIRST(sync)));
  for (cl_ulong start = 0; start < j.n; start += PANEL) {
    TRY(reflect(ctx, &j, start));
    TRY(apply(ctx, &j, true, start, least(start + PANEL, j.n), &j.x));
  }
  TRY(cliv__stack_combine(ctx, &(cliv__combination){.choices = "-D IDENTITY", .x = &basis}, &basis, NULL));
  for (cl_ulong start = (j.n - 1) / PANEL * PANEL;; start -= PANEL) {
    TRY(apply(ctx, &j, false, start, start, &basis));
    if (start == 0) break;
  }
  TRY(find_signs(ctx, &j));
  if (r) TRY(dress(ctx, &j, true, &j.x, j.spans, j.count * j.n, r, NULL));
  return dress(ctx, &j, false, &basis, j.signs, 0, q, SYNC_LAST(sync));
}

static cliv_status check(cliv_context *ctx, const cliv_tensor *a, const cliv_tensor *q, const cliv_tensor *r) {
  char x[160], y[160];
  TRY(cliv__check_matrices(ctx, "qr", a));
  TRY(cliv__check_matrices(ctx, "qr", q));
  TRY(cliv__check_alike(ctx, "qr", a, q));
  TRY(cliv__check_apart(ctx, "qr", a, q));
  const size_t rows = a->shape[a->ndim - 2], columns = a->shape[a->ndim - 1];
  REQUIRE(ctx, rows >= columns, SHAPE, "qr: %s has more columns than rows; factor its transpose", cliv__describe(a, x));
  if (!r) return CLIV_OK;
  TRY(cliv__check_square(ctx, "qr", r));
  REQUIRE(ctx, r->ndim == a->ndim && r->shape[r->ndim - 1] == columns && (r->ndim == 2 || r->shape[0] == a->shape[0]),
          SHAPE, "qr: R of %s cannot be %s; it is square, of A's columns", cliv__describe(a, x), cliv__describe(r, y));
  REQUIRE(ctx, !cliv__overlap(r, a) && !cliv__overlap(r, q), OVERLAP, "qr: R shares memory with A or Q");
  return CLIV_OK;
}

cliv_status cliv_qr(cliv_context *ctx, const cliv_tensor *a, cliv_tensor *q, cliv_tensor *r, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, a);
  REQUIRE_NOT_NULL(ctx, q);
  TRY(check(ctx, a, q, r));
  if (a->count == 0) return cliv__nothing(ctx, sync);
  const cliv__stack from = cliv__stack_of(a), basis = cliv__stack_of(q),
                    upper = r ? cliv__stack_of(r) : (cliv__stack){0};
  TRY(cliv__stage_begin(ctx)); /* Q and R, or neither */
  return cliv__stage_end(ctx, cliv__stack_qr(ctx, &from, &basis, r ? &upper : NULL, sync), NULL);
}
