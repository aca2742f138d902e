/* A strided matrix whose columns lie together is a transposed one, a strided vector a column of a wider matrix; any
 * other operand is copied. */
#include "blas/strided.h"

#include <string.h>

#include "base/options.h"
#include "blas/product.h"
#include "runtime/scratch.h"

/* A tensor that rows and a pitch describe: the given one, its matrices transposed, or a copy that is to be made. */
typedef struct plain {
  cliv_tensor tensor;
  bool turned, copied;
} plain;

/* Over the same memory; gives false where no pitch describes it. The description is as a view's, but not counted. */
static bool describe(const cliv_tensor *t, int ndim, const size_t *shape, const size_t *strides, plain *out) {
  const size_t columns = shape[ndim - 1], rows = shape[ndim - 2], pitch = strides[ndim - 2];
  if ((columns > 1 && strides[ndim - 1] != 1) || (rows > 1 && pitch < columns)) return false;
  if (ndim == 3 && shape[0] > 1 && rows > 1 && strides[0] != rows * pitch) return false;
  const size_t per = rows > 1 ? pitch : ndim == 3 && shape[0] > 1 ? strides[0] : columns;
  if (per < columns) return false;
  out->tensor = *t;
  out->tensor.strided = false;
  out->tensor.ndim = ndim;
  memcpy(out->tensor.shape, shape, (size_t)ndim * sizeof *shape);
  out->tensor.columns = columns;
  out->tensor.rows = t->count / columns;
  out->tensor.pitch = per;
  out->tensor.strides[ndim - 1] = 1;
  out->tensor.strides[ndim - 2] = per;
  if (ndim == 3) out->tensor.strides[0] = rows * per;
  return true;
}

/* Of two axes or three. */
static bool straight(const cliv_tensor *t, plain *out) {
  *out = (plain){.tensor = *t};
  if (!t->strided || describe(t, t->ndim, t->shape, t->strides, out)) return true;
  const int last = t->ndim - 1;
  size_t shape[3] = {t->shape[0], t->shape[1], t->shape[last]};
  size_t strides[3] = {t->strides[0], t->strides[1], t->strides[last]};
  shape[last - 1] = t->shape[last], shape[last] = t->shape[last - 1];
  strides[last - 1] = t->strides[last], strides[last] = t->strides[last - 1];
  out->turned = describe(t, t->ndim, shape, strides, out);
  return out->turned;
}

/* An operand: where nothing else helps, room for a dense copy of it. */
static cliv_status operand(cliv_context *ctx, const cliv_tensor *t, int slot, plain *out) {
  if (straight(t, out)) return CLIV_OK;
  cl_mem room;
  TRY(cliv__scratch(ctx, slot, t->count * cliv_dtype_size(t->dtype), &room));
  cliv_tensor *copy;
  TRY(cliv_tensor_wrap(ctx, room, 0, t->dtype, t->ndim, t->shape, &copy));
  *out = (plain){.tensor = *copy, .copied = true};
  cliv_tensor_free(copy); /* the context holds the memory */
  return CLIV_OK;
}

/* A result: its own memory, or nothing. */
static cliv_status result(cliv_context *ctx, const cliv_tensor *t, plain *out) {
  char text[160];
  REQUIRE(ctx, straight(t, out), LAYOUT,
          "the result %s is strided along rows and columns: one of them must lie together in memory, or the product be "
          "made dense and copied by cliv_tensor_copy",
          cliv__describe(t, text));
  return CLIV_OK;
}

/* Makes the copies; *rest is what is left of the caller's sync. */
static cliv_status copy_operands(const cliv_tensor *const *from, plain *to, size_t count, const cliv_sync *sync,
                                 cliv_sync *rest) {
  bool begun = false;
  for (size_t i = 0; i < count; i++) {
    if (!to[i].copied) continue;
    TRY(cliv_tensor_copy(from[i], &to[i].tensor, begun ? SYNC_NONE : SYNC_FIRST(sync)));
    begun = true;
  }
  *rest = cliv__sync_part(sync, !begun, true);
  return CLIV_OK;
}

static cliv_status check_apart(cliv_context *ctx, const cliv_tensor *operand, const cliv_tensor *result) {
  char a[160], b[160];
  REQUIRE(ctx, operand->ctx == ctx && result->ctx == ctx, VALUE,
          "a tensor belongs to another context: make a view or a copy of it in this one");
  REQUIRE(ctx, !cliv__overlap(operand, result), OVERLAP,
          "the result %s shares memory with the operand %s; results are written elsewhere", cliv__describe(result, b),
          cliv__describe(operand, a));
  return CLIV_OK;
}

cliv_status cliv__strided_gemm(cliv_context *ctx, bool trans_a, bool trans_b, double alpha, const cliv_tensor *a,
                               const cliv_tensor *b, double beta, cliv_tensor *c, const cliv_blas_options *options,
                               const cliv_sync *sync) {
  plain p[2], out;
  cliv__gemm g;
  cliv_sync rest;
  cliv_blas_options own;
  TRY(OPTIONS(ctx, options, &own));
  TRY(check_apart(ctx, a, c));
  TRY(check_apart(ctx, b, c));
  TRY(result(ctx, c, &out));
  TRY(operand(ctx, a, CLIV__SCRATCH_STRIDED_A, &p[0]));
  TRY(operand(ctx, b, CLIV__SCRATCH_STRIDED_B, &p[1]));
  const bool ta = trans_a != p[0].turned, tb = trans_b != p[1].turned;
  if (!out.turned) TRY(cliv__check_product(ctx, ta, tb, &p[0].tensor, &p[1].tensor, &out.tensor, &g));
  else TRY(cliv__check_product(ctx, !tb, !ta, &p[1].tensor, &p[0].tensor, &out.tensor, &g));
  TRY(copy_operands((const cliv_tensor *const[]){a, b}, p, 2, sync, &rest));
  if (!out.turned) return cliv_gemm(ctx, ta, tb, alpha, &p[0].tensor, &p[1].tensor, beta, &out.tensor, &own, &rest);
  /* C' = op(B)' op(A)': a product of two numbers is the same both ways, and so is each chain. */
  own.bias_rows = !own.bias_rows;
  return cliv_gemm(ctx, !tb, !ta, alpha, &p[1].tensor, &p[0].tensor, beta, &out.tensor, &own, &rest);
}

/* A vector of any step: a column of a wider matrix. */
static plain vector(const cliv_tensor *t) {
  plain v = {.tensor = *t};
  if (t->strided && t->ndim == 1)
    describe(t, 2, (const size_t[]){t->shape[0], 1}, (const size_t[]){t->strides[0], 1}, &v);
  else if (t->strided && t->ndim == 2) straight(t, &v);
  return v;
}

cliv_status cliv__strided_gemv(cliv_context *ctx, bool trans_a, double alpha, const cliv_tensor *a,
                               const cliv_tensor *x, double beta, cliv_tensor *y, const cliv_blas_options *options,
                               const cliv_sync *sync) {
  plain m, vx = vector(x), vy = vector(y);
  cliv_sync rest;
  TRY(check_apart(ctx, a, y));
  TRY(operand(ctx, a, CLIV__SCRATCH_STRIDED_A, &m));
  TRY(copy_operands(&a, &m, 1, sync, &rest));
  return cliv_gemv(ctx, trans_a != m.turned, alpha, &m.tensor, &vx.tensor, beta, &vy.tensor, options, &rest);
}

cliv_status cliv__strided_ger(cliv_context *ctx, double alpha, const cliv_tensor *x, const cliv_tensor *y,
                              cliv_tensor *a, const cliv_blas_options *options, const cliv_sync *sync) {
  plain m, vx = vector(x), vy = vector(y);
  TRY(result(ctx, a, &m));
  return m.turned ? cliv_ger(ctx, alpha, &vy.tensor, &vx.tensor, &m.tensor, options, sync)
                  : cliv_ger(ctx, alpha, &vx.tensor, &vy.tensor, &m.tensor, options, sync);
}
