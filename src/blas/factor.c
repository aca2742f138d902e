/* Stacks of equal matrices; see factor.h. */
#include "blas/factor.h"

#include <cliv/reduce.h>
#include <stdio.h>

#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

cliv__stack cliv__stack_of(const cliv_tensor *t) {
  const size_t *const shape = t->shape + (t->ndim == 3 ? 1 : 0);
  return (cliv__stack){.mem = t->mem,
                       .first = t->count ? cliv__first(t) : 0,
                       .count = t->ndim == 3 ? t->shape[0] : 1,
                       .rows = shape[0],
                       .columns = shape[1],
                       .pitch = t->pitch,
                       .each = shape[0] * t->pitch,
                       .dtype = t->dtype};
}

cliv_status cliv__stack_room(cliv_context *ctx, int slot, cliv_dtype dtype, cl_ulong count, cl_ulong rows,
                             cl_ulong columns, cliv__stack *out) {
  *out = (cliv__stack){
      .count = count, .rows = rows, .columns = columns, .pitch = columns, .each = rows * columns, .dtype = dtype};
  return cliv__scratch(ctx, slot, count * rows * columns * cliv_dtype_size(dtype), &out->mem);
}

cliv_status cliv__stack_scratch(cliv_context *ctx, int slot, cl_ulong count, cl_ulong rows, cl_ulong columns,
                                cliv__stack *out) {
  return cliv__stack_room(ctx, slot, CLIV_F32, count, rows, columns, out);
}

cliv__stack cliv__stack_some(const cliv__stack *s, cl_ulong first, cl_ulong count) {
  cliv__stack some = *s;
  some.first += first * s->each;
  some.count = count;
  return some;
}

cliv__stack cliv__stack_block(const cliv__stack *s, cl_ulong row, cl_ulong column, cl_ulong rows, cl_ulong columns) {
  cliv__stack block = *s;
  block.first += row * s->pitch + column;
  block.rows = rows;
  block.columns = columns;
  return block;
}

static cliv__matrix matrices_of(const cliv__stack *s) {
  return (cliv__matrix){s->mem, s->first, s->rows, s->columns, s->pitch, s->each};
}

/* beta C, matrix by matrix: they may be blocks of larger ones. */
static cliv_status scale(cliv_context *ctx, double beta, const cliv__stack *c, const cliv_sync *sync) {
  for (cl_ulong i = 0; i < c->count; i++) {
    const cliv_sync part = cliv__sync_part(sync, i == 0, i + 1 == c->count);
    cliv__matrix matrix = matrices_of(c);
    matrix.first += i * c->each;
    TRY(cliv__blas_scale(ctx, c->dtype, beta, &matrix, &part));
  }
  return CLIV_OK;
}

static cliv_status product(cliv_context *ctx, const cliv__gemm *like, const cliv__stack *a, const cliv__stack *b,
                           const cliv__stack *c, const cliv_sync *sync) {
  const bool wide = c->dtype == CLIV_F64;
  const cliv__gemm g = {.dtype = c->dtype,
                        .trans_a = like->trans_a,
                        .trans_b = like->trans_b,
                        .m = c->rows,
                        .n = c->columns,
                        .k = like->trans_a ? a->rows : a->columns,
                        .alpha = wide ? like->alpha : (double)(float)like->alpha,
                        .beta = wide ? like->beta : (double)(float)like->beta,
                        .a = matrices_of(a),
                        .b = matrices_of(b),
                        .c = matrices_of(c),
                        .batch = c->count,
                        .resumes = like->resumes};
  if (c->count * c->rows * c->columns == 0) return cliv__nothing(ctx, sync);
  if (g.k == 0) return scale(ctx, g.beta, c, sync);
  return cliv__blas_exact.gemm(ctx, &g, sync);
}

cliv_status cliv__stack_product(cliv_context *ctx, bool trans_a, bool trans_b, double alpha, const cliv__stack *a,
                                const cliv__stack *b, double beta, const cliv__stack *c, const cliv_sync *sync) {
  const cliv__gemm like = {.trans_a = trans_a, .trans_b = trans_b, .alpha = alpha, .beta = beta};
  return product(ctx, &like, a, b, c, sync);
}

cliv_status cliv__stack_resume(cliv_context *ctx, bool trans_a, bool trans_b, const cliv__stack *a,
                               const cliv__stack *b, const cliv__stack *c) {
  const cliv__gemm like = {.trans_a = trans_a, .trans_b = trans_b, .alpha = 1, .resumes = true};
  return product(ctx, &like, a, b, c, NULL);
}

cliv__range cliv__stack_elements(const cliv_context *ctx, cl_ulong rows, cl_ulong columns) {
  if (ctx->walk == CLIV_WALK_CPU) return RANGE1(rows, 1);
  const size_t group = cliv__group(ctx, 64), across = group < 16 ? group : 16;
  return RANGE2(columns, rows, across, group / across);
}

cliv_status cliv__stack_combine(cliv_context *ctx, const cliv__combination *c, const cliv__stack *out,
                                const cliv_sync *sync) {
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "divide.cl stack.cl factor.cl", c->choices, "combine", &kernel));
  const cl_mem terms = c->terms ? c->terms : out->mem;
  const float factor = (float)c->factor, old_factor = (float)c->old_factor, shift = (float)c->shift;
  const cl_ulong rows = out->count * out->rows;
  const cliv__range range = cliv__stack_elements(ctx, rows, out->columns);
  return LAUNCH(ctx, kernel, range, sync, ARG(c->x->mem), ARG(c->x->first), ARG(c->x->pitch), ARG(c->x->each),
                ARG(terms), ARG(out->mem), ARG(out->first), ARG(out->pitch), ARG(out->each), ARG(rows), ARG(out->rows),
                ARG(out->columns), ARG(factor), ARG(old_factor), ARG(shift));
}

static cliv_status reduce(cliv_context *ctx, const char *op, const cliv__stack *x, const cliv__stack *y, cl_mem out) {
  cliv_tensor *from = NULL, *with = NULL, *to = NULL;
  const size_t shape[] = {x->count, x->rows * x->columns};
  cliv_status status = cliv_tensor_wrap(ctx, x->mem, x->first * sizeof(float), CLIV_F32, 2, shape, &from);
  if (!status && y) status = cliv_tensor_wrap(ctx, y->mem, y->first * sizeof(float), CLIV_F32, 2, shape, &with);
  if (!status) status = cliv_tensor_wrap(ctx, out, 0, CLIV_F32, 1, shape, &to);
  if (!status) status = cliv_reduce(ctx, op, -1, from, with, to, NULL);
  cliv_tensor_free(from);
  cliv_tensor_free(with);
  cliv_tensor_free(to);
  return status;
}

cliv_status cliv__stack_norms(cliv_context *ctx, const cliv__stack *x, cl_mem out) {
  return reduce(ctx, "nrm2", x, NULL, out);
}

cliv_status cliv__stack_largest(cliv_context *ctx, const cliv__stack *x, cl_mem out) {
  return reduce(ctx, "amax", x, NULL, out);
}

cliv_status cliv__stack_dots(cliv_context *ctx, const cliv__stack *x, const cliv__stack *y, cl_mem out) {
  return reduce(ctx, "dot", x, y, out);
}

cliv__range cliv__stack_range(const cliv_context *ctx, const cliv__stack *x) {
  return RANGE1(x->count, ctx->walk == CLIV_WALK_CPU ? 1 : cliv__group(ctx, 64));
}

cliv_status cliv__check_matrices(cliv_context *ctx, const char *name, const cliv_tensor *t) {
  char text[160];
  REQUIRE_TENSORS(ctx, t);
  REQUIRE(ctx, t->dtype == CLIV_F32, DTYPE, "%s: matrices must be float32, not %s", name, cliv__describe(t, text));
  REQUIRE(ctx, t->ndim == 2 || t->ndim == 3, SHAPE,
          "%s: a matrix has two axes, a batch of matrices three; %s has neither", name, cliv__describe(t, text));
  return CLIV_OK;
}

cliv_status cliv__check_apart(cliv_context *ctx, const char *name, const cliv_tensor *from, const cliv_tensor *to) {
  char a[160], b[160];
  REQUIRE(ctx, cliv__same_place(from, to) || !cliv__overlap(from, to), OVERLAP,
          "%s: the result %s shares memory with %s; it may be the same tensor, or lie elsewhere", name,
          cliv__describe(to, b), cliv__describe(from, a));
  return CLIV_OK;
}

cliv_status cliv__check_square(cliv_context *ctx, const char *name, const cliv_tensor *t) {
  char text[160];
  TRY(cliv__check_matrices(ctx, name, t));
  REQUIRE(ctx, t->shape[t->ndim - 2] == t->shape[t->ndim - 1], SHAPE, "%s: the matrix must be square, not %s", name,
          cliv__describe(t, text));
  return CLIV_OK;
}

cliv_status cliv__check_alike(cliv_context *ctx, const char *name, const cliv_tensor *from, const cliv_tensor *to) {
  char a[160], b[160];
  REQUIRE(ctx, cliv__same_shape(from, to), SHAPE, "%s: the result of %s cannot be %s; it has the same shape", name,
          cliv__describe(from, a), cliv__describe(to, b));
  return CLIV_OK;
}
