/* Products of tensors of any layout and of narrow types, by providers that know wide rows of one pitch.
 *
 * A matrix whose columns are contiguous is one whose rows are, transposed; where C is such, so is the whole product.
 * Others of strides are copied to dense ones first, and C back. float16 and bfloat16 become float32 in copies; C is
 * made in a float32 copy and rounded at the end, after bias and activation. */
#include "blas/copies.h"
#include "blas/exact.h"
#include "blas/product.h"
#include "runtime/tensor.h"

/* Where an operand is read. narrow: as it is stored. */
static cliv_status operand(cliv_context *ctx, const cliv_tensor *t, cliv__operand which, bool narrow,
                           cliv__chain *order, cliv__matrix *matrix, bool *trans) {
  bool flips = false;
  cliv_tensor loaded;
  if (!t->strided || (cliv__is_narrow(t->dtype) && !narrow) || !cliv__as_rows(t, matrix, &flips)) {
    TRY((narrow ? cliv__copy_dense : cliv__copy_in)(ctx, t, which, false, order, &loaded));
    *matrix = cliv__matrices_of(&loaded);
  }
  *trans = *trans != flips;
  return CLIV_OK;
}

/* (op(A) op(B))ᵀ = op(B)ᵀ op(A)ᵀ: the same chains, since a product does not depend on the order of its factors. */
static void transpose(cliv__gemm *g) {
  const cliv__gemm old = *g;
  static const cl_uint other[] = {CLIV__BIAS_NONE, CLIV__BIAS_ROWS, CLIV__BIAS_COLUMNS};
  g->trans_a = !old.trans_b, g->trans_b = !old.trans_a;
  g->m = old.n, g->n = old.m;
  g->a = old.b, g->b = old.a;
  g->bias_along = other[old.bias_along];
}

static cliv_status scale(cliv_context *ctx, const cliv__gemm *g, cliv__chain *order, bool last) {
  for (cl_ulong z = 0; z < g->batch; z++) {
    const cliv__gemm part = cliv__gemm_part(g, z, 1);
    cliv__matrix c = part.c;
    c.rows = g->m, c.columns = g->n;
    const cliv_sync sync = cliv__chain_next(order, last && z + 1 == g->batch);
    TRY(cliv__blas_scale(ctx, g->dtype, g->beta, &c, &sync));
  }
  return CLIV_OK;
}

/* The product, or what it comes to where nothing is summed, into g's C. vectors: narrow where it is one of a narrow
 * matrix as it is stored and of a vector. */
static cliv_status product(cliv_context *ctx, const cliv__blas_provider *provider, const cliv__gemm *g, bool sums,
                           cliv_dtype vectors, cliv__chain *order, bool last) {
  if (!sums) {
    const bool ends = cliv__has_epilogue(g);
    if (ends) TRY(cliv__gemm_finish_ready(ctx, g));
    TRY(scale(ctx, g, order, last && !ends));
    if (!ends) return CLIV_OK;
    const cliv_sync sync = cliv__chain_next(order, last);
    return cliv__gemm_finish(ctx, g, &sync);
  }
  const cliv_sync sync = cliv__chain_next(order, last);
  if (!cliv__is_narrow(vectors)) return provider->gemm(ctx, g, &sync);
  cliv__gemv v = cliv__as_gemv(g);
  v.narrow = vectors;
  return provider->gemv(ctx, &v, &sync);
}

/* By a copy of C: wide where C is narrow, dense where it is strided. */
static cliv_status by_copy(cliv_context *ctx, const cliv__blas_provider *provider, cliv__gemm *g, bool sums,
                           cliv_dtype vectors, const cliv_tensor *c, cliv__chain *order) {
  const bool small = cliv__is_narrow(c->dtype);
  cliv_tensor made;
  if (g->beta != 0) TRY(cliv__copy_in(ctx, c, CLIV__OPERAND_C, false, order, &made));
  else TRY(cliv__copy_room(ctx, c, CLIV__OPERAND_C, false, &made));
  g->c = cliv__matrices_of(&made);
  const cliv__gemm plain = cliv__without_epilogue(g);
  TRY(product(ctx, provider, small ? &plain : g, sums, vectors, order, false));
  return cliv__copy_back(ctx, &made, c, CLIV__OPERAND_C, CLIV__PART_ALL, g, order);
}

cliv_status cliv__multiply(cliv_context *ctx, const cliv__blas_provider *provider, const cliv__gemm *given,
                           const cliv_tensor *a, const cliv_tensor *b, const cliv_tensor *c, const cliv_sync *sync) {
  const bool sums = given->k && given->alpha != 0, small = cliv__is_narrow(c->dtype);
  cliv__chain order = {.sync = sync};
  cliv__gemm g = *given;
  if (c->count == 0 || (!sums && g.beta == 1 && !cliv__has_epilogue(&g))) return cliv__nothing(ctx, sync);
  g.dtype = cliv__computed(c->dtype);
  /* One column or row: a large matrix is read where it lies, since that is all there is to do. */
  const bool vectors = small && provider->narrow && g.batch <= 1 && (g.n == 1 || g.m == 1);
  if (sums) TRY(operand(ctx, a, CLIV__OPERAND_A, vectors && g.n == 1, &order, &g.a, &g.trans_a));
  if (sums) TRY(operand(ctx, b, CLIV__OPERAND_B, vectors && g.n != 1, &order, &g.b, &g.trans_b));
  bool flips = false;
  if (small || (c->strided && !cliv__as_rows(c, &g.c, &flips)))
    return by_copy(ctx, provider, &g, sums, vectors ? c->dtype : g.dtype, c, &order);
  if (!c->strided) g.c = cliv__matrices_of(c);
  if (flips) transpose(&g);
  return product(ctx, provider, &g, sums, g.dtype, &order, true);
}
