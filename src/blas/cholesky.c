/* Cholesky factors, and equations solved by triangular ones. See cliv/factor.h; blocks are cl/cholesky.cl's. */
#include "blas/triangle.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/stage.h"
#include "runtime/tensor.h"

enum { BLOCK = 32 }; /* as in cl/cholesky.cl */

static cl_ulong least(cl_ulong a, cl_ulong b) { return a < b ? a : b; }

/* ---- on stacks ---- */

/* X = op(T)⁻¹ X. */
static cliv_status solve_triangular(cliv_context *ctx, const cliv__stack *t, bool upper, bool trans,
                                    const cliv__stack *x) {
  return cliv__triangle_solve(ctx, &(cliv__triangle){.t = *t, .upper = upper, .trans = trans}, x);
}

/* X's lower triangle becomes its Cholesky factor; what is above the diagonal is spent. info: an int a matrix. */
static cliv_status factor(cliv_context *ctx, const cliv__stack *x, cl_mem info, cl_ulong info_first) {
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "divide.cl cholesky.cl", "-D SINGLE", "pivots", &kernel));
  const size_t group = ctx->walk == CLIV_WALK_CPU ? 1 : BLOCK;
  const cl_ulong n = x->rows;
  for (cl_ulong start = 0; start < n; start += BLOCK) {
    const cl_ulong size = least(BLOCK, n - start), below = n - start - size;
    const cl_uint rows = (cl_uint)size;
    if (start) {
      const cliv__stack left = cliv__stack_block(x, start, 0, n - start, start),
                        own = cliv__stack_block(x, start, 0, size, start),
                        column = cliv__stack_block(x, start, start, n - start, size);
      TRY(cliv__stack_product(ctx, false, true, -1, &left, &own, 1, &column, NULL));
    }
    TRY(LAUNCH(ctx, kernel, RANGE1(x->count * group, group), SYNC_NONE, ARG(x->mem), ARG(x->first), ARG(x->pitch),
               ARG(x->each), ARG(info), ARG(info_first), ARG(start), ARG(rows)));
    if (!below) break;
    const cliv__stack panel = cliv__stack_block(x, start + size, start, below, size);
    const cliv__triangle pivot = {.t = cliv__stack_block(x, start, start, size, size), .right = true, .trans = true};
    TRY(cliv__triangle_solve_block(ctx, &pivot, &panel));
  }
  return CLIV_OK;
}

/* Of the caller's tensor, or of scratch memory where nobody asks. */
static cliv_status info_of(cliv_context *ctx, const cliv_tensor *info, cl_ulong count, cl_mem *mem, cl_ulong *first) {
  *first = 0;
  if (!info) return cliv__scratch(ctx, CLIV__SCRATCH_FACTOR_NORMS, count * sizeof(cl_int), mem);
  *mem = info->mem;
  *first = cliv__first(info);
  return CLIV_OK;
}

static cliv_status copy(cliv_context *ctx, const char *choices, const cliv__stack *from, const cliv__stack *to,
                        const cliv_sync *sync) {
  return cliv__stack_combine(ctx, &(cliv__combination){.choices = choices, .x = from}, to, sync);
}

/* ---- checks ---- */

static cliv_status check_info(cliv_context *ctx, const char *name, const cliv_tensor *a, const cliv_tensor *info,
                              const cliv_tensor *const *others, size_t count) {
  char text[160];
  const size_t matrices = a->ndim == 3 ? a->shape[0] : 1;
  if (!info) return CLIV_OK;
  REQUIRE_TENSORS(ctx, info);
  REQUIRE(ctx, info->dtype == CLIV_I32, DTYPE, "%s: info is int32, not %s", name, cliv__describe(info, text));
  REQUIRE(ctx, info->count == matrices, SHAPE, "%s: info has an element for each of %zu matrices, not %s", name,
          matrices, cliv__describe(info, text));
  REQUIRE(ctx, cliv__dense(info), LAYOUT, "%s: info must be dense", name);
  for (size_t i = 0; i < count; i++)
    REQUIRE(ctx, !cliv__overlap(info, others[i]), OVERLAP, "%s: info shares memory with another tensor", name);
  return CLIV_OK;
}

/* A of `rows` rows is on the left of X = … B: B has A's rows, X A's columns, and both the same columns. */
static cliv_status check_sides(cliv_context *ctx, const char *name, const cliv_tensor *a, const cliv_tensor *b,
                               const cliv_tensor *x) {
  char first[160], second[160];
  TRY(cliv__check_matrices(ctx, name, a));
  TRY(cliv__check_matrices(ctx, name, b));
  TRY(cliv__check_matrices(ctx, name, x));
  const size_t *const as = a->shape + a->ndim - 2, *const bs = b->shape + b->ndim - 2,
                      *const xs = x->shape + x->ndim - 2;
  REQUIRE(ctx, a->ndim == b->ndim && as[0] == bs[0] && (a->ndim == 2 || a->shape[0] == b->shape[0]), SHAPE,
          "%s: %s cannot be the right side of %s; it has as many rows, and as many matrices", name,
          cliv__describe(b, first), cliv__describe(a, second));
  REQUIRE(ctx, a->ndim == x->ndim && as[1] == xs[0] && bs[1] == xs[1] && (a->ndim == 2 || a->shape[0] == x->shape[0]),
          SHAPE, "%s: the solution cannot be %s; it has %zu rows and %zu columns, and as many matrices", name,
          cliv__describe(x, first), as[1], bs[1]);
  REQUIRE(ctx, !cliv__overlap(a, x), OVERLAP, "%s: the solution shares memory with the matrix", name);
  return CLIV_OK;
}

/* ---- operations ----
 *
 * The results are worked on from the first launch on: all launches, or none. */

static cliv_status cholesky(cliv_context *ctx, const cliv__stack *a, const cliv__stack *l, cl_mem info,
                            cl_ulong info_first, const cliv_sync *sync) {
  TRY(copy(ctx, "-D LOWER", a, l, SYNC_FIRST(sync)));
  TRY(factor(ctx, l, info, info_first));
  return copy(ctx, "-D LOWER", l, l, SYNC_LAST(sync));
}

cliv_status cliv_cholesky(cliv_context *ctx, const cliv_tensor *a, cliv_tensor *l, cliv_tensor *info,
                          const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, a);
  REQUIRE_NOT_NULL(ctx, l);
  TRY(cliv__check_square(ctx, "cholesky", a));
  TRY(cliv__check_matrices(ctx, "cholesky", l));
  TRY(cliv__check_alike(ctx, "cholesky", a, l));
  TRY(cliv__check_apart(ctx, "cholesky", a, l));
  TRY(check_info(ctx, "cholesky", a, info, (const cliv_tensor *const[]){a, l}, 2));
  if (a->count == 0) return info ? cliv_tensor_fill(info, 0, sync) : cliv__nothing(ctx, sync);

  const cliv__stack from = cliv__stack_of(a), to = cliv__stack_of(l);
  cl_mem flags;
  cl_ulong first;
  TRY(info_of(ctx, info, from.count, &flags, &first));
  TRY(cliv__stage_begin(ctx));
  return cliv__stage_end(ctx, cholesky(ctx, &from, &to, flags, first, sync), NULL);
}

static cliv_status substitute_all(cliv_context *ctx, const cliv__stack *t, bool upper, bool trans, const cliv__stack *b,
                                  const cliv__stack *x, const cliv_sync *sync) {
  TRY(copy(ctx, "", b, x, SYNC_FIRST(sync)));
  TRY(solve_triangular(ctx, t, upper, trans, x));
  return cliv__nothing(ctx, SYNC_LAST(sync));
}

cliv_status cliv_solve_triangular(cliv_context *ctx, const cliv_tensor *t, int upper, int trans, const cliv_tensor *b,
                                  cliv_tensor *x, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, t);
  REQUIRE_NOT_NULL(ctx, b);
  REQUIRE_NOT_NULL(ctx, x);
  TRY(cliv__check_square(ctx, "solve_triangular", t));
  TRY(check_sides(ctx, "solve_triangular", t, b, x));
  TRY(cliv__check_apart(ctx, "solve_triangular", b, x));
  if (x->count == 0) return cliv__nothing(ctx, sync);

  const cliv__stack triangle = cliv__stack_of(t), from = cliv__stack_of(b), to = cliv__stack_of(x);
  TRY(cliv__stage_begin(ctx));
  return cliv__stage_end(ctx, substitute_all(ctx, &triangle, upper != 0, trans != 0, &from, &to, sync), NULL);
}

/* By the factor of A, in l's memory. */
static cliv_status solve(cliv_context *ctx, const cliv__stack *a, const cliv__stack *b, const cliv__stack *x,
                         const cliv__stack *l, cl_mem info, cl_ulong info_first, const cliv_sync *sync) {
  TRY(copy(ctx, "", a, l, SYNC_FIRST(sync)));
  TRY(factor(ctx, l, info, info_first));
  if (x->rows && x->columns) {
    TRY(copy(ctx, "", b, x, NULL));
    TRY(solve_triangular(ctx, l, false, false, x));
    TRY(solve_triangular(ctx, l, false, true, x));
  }
  return cliv__nothing(ctx, SYNC_LAST(sync));
}

cliv_status cliv_solve(cliv_context *ctx, const cliv_tensor *a, const cliv_tensor *b, cliv_tensor *x, cliv_tensor *info,
                       const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, a);
  REQUIRE_NOT_NULL(ctx, b);
  REQUIRE_NOT_NULL(ctx, x);
  TRY(cliv__check_square(ctx, "solve", a));
  TRY(check_sides(ctx, "solve", a, b, x));
  TRY(cliv__check_apart(ctx, "solve", b, x));
  TRY(check_info(ctx, "solve", a, info, (const cliv_tensor *const[]){a, b, x}, 3));
  if (a->count == 0) return info ? cliv_tensor_fill(info, 0, sync) : cliv__nothing(ctx, sync);

  const cliv__stack from = cliv__stack_of(a), side = cliv__stack_of(b), to = cliv__stack_of(x);
  cliv__stack l;
  cl_mem flags;
  cl_ulong first;
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_A, from.count, from.rows, from.columns, &l));
  TRY(info_of(ctx, info, from.count, &flags, &first));
  TRY(cliv__stage_begin(ctx));
  return cliv__stage_end(ctx, solve(ctx, &from, &side, &to, &l, flags, first, sync), NULL);
}

static cliv_status least_squares(cliv_context *ctx, const cliv__stack *a, const cliv__stack *b, const cliv__stack *x,
                                 const cliv__stack *q, const cliv__stack *r, const cliv_sync *sync) {
  TRY(cliv__stack_qr(ctx, a, q, r, SYNC_FIRST(sync)));
  TRY(cliv__stack_product(ctx, true, false, 1, q, b, 0, x, NULL));
  TRY(solve_triangular(ctx, r, true, false, x));
  return cliv__nothing(ctx, SYNC_LAST(sync));
}

cliv_status cliv_least_squares(cliv_context *ctx, const cliv_tensor *a, const cliv_tensor *b, cliv_tensor *x,
                               const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, a);
  REQUIRE_NOT_NULL(ctx, b);
  REQUIRE_NOT_NULL(ctx, x);
  char text[160];
  TRY(check_sides(ctx, "least_squares", a, b, x));
  REQUIRE(ctx, !cliv__overlap(b, x), OVERLAP, "least_squares: the solution shares memory with the right side");
  REQUIRE(ctx, a->shape[a->ndim - 2] >= a->shape[a->ndim - 1], SHAPE,
          "least_squares: %s has more columns than rows, and so more than one solution", cliv__describe(a, text));
  if (x->count == 0) return cliv__nothing(ctx, sync);

  const cliv__stack from = cliv__stack_of(a), side = cliv__stack_of(b), to = cliv__stack_of(x);
  cliv__stack q, r;
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_G, from.count, from.rows, from.columns, &q));
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_H, from.count, from.columns, from.columns, &r));
  TRY(cliv__stage_begin(ctx));
  return cliv__stage_end(ctx, least_squares(ctx, &from, &side, &to, &q, &r, sync), NULL);
}
