/* Products of tensors of any layout and of narrow types, by providers that know wide rows of one pitch.
 *
 * A matrix whose columns are contiguous is one whose rows are, transposed; where C is such, so is the whole product.
 * Others of strides are copied to dense ones first, and C back. float16 and bfloat16 become float32 in copies; C is
 * made in a float32 copy and rounded at the end, after bias and activation. */
#include "blas/epilogue.h"
#include "blas/product.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

/* What is enqueued one after the other: the first waits, the last tells. */
typedef struct chain {
  const cliv_sync *sync;
  bool begun;
} chain;

static cliv_sync next(chain *c, bool last) {
  const cliv_sync part = cliv__sync_part(c->sync, !c->begun, last);
  c->begun = true;
  return part;
}

static bool narrow(cliv_dtype dtype) { return dtype == CLIV_F16 || dtype == CLIV_BF16; }

static cliv__stored stored(const cliv_tensor *t) {
  return (cliv__stored){t->dtype, {t->mem, cliv__first(t), t->rows, t->columns, t->pitch, 0}};
}

/* A dense tensor of t's shape in scratch memory. */
static cliv_status dense_like(cliv_context *ctx, const cliv_tensor *t, cliv_dtype dtype, int slot, cliv_tensor *out) {
  return cliv__scratch_tensor(ctx, slot, dtype, t->ndim, t->shape, out);
}

/* The slots of an operand: for its dense copy, and for the wide one. */
typedef struct slots {
  int dense, wide;
} slots;
static const slots SLOTS[] = {{CLIV__SCRATCH_GEMM_A, CLIV__SCRATCH_GEMM_WIDE_A},
                              {CLIV__SCRATCH_GEMM_B, CLIV__SCRATCH_GEMM_WIDE_B},
                              {CLIV__SCRATCH_GEMM_C, CLIV__SCRATCH_GEMM_WIDE_C}};

/* Dense and wide copies of t, as far as it needs them; *out is t itself where it does not. */
static cliv_status load(cliv_context *ctx, const cliv_tensor *t, const slots *s, chain *order, cliv_tensor *out) {
  cliv_tensor now = *t;
  if (t->strided) {
    TRY(dense_like(ctx, t, t->dtype, s->dense, &now));
    const cliv_sync part = next(order, false);
    TRY(cliv__copy_strided(t, &now, &part));
  }
  *out = now;
  if (!narrow(t->dtype)) return CLIV_OK;
  TRY(dense_like(ctx, &now, CLIV_F32, s->wide, out));
  const cliv__stored from = stored(&now), to = stored(out);
  const cliv_sync part = next(order, false);
  return cliv__finish(ctx, &from, &to, NULL, 1, &part);
}

static bool contiguous(size_t along, size_t extent, size_t across, size_t lines) {
  return (extent == 1 || along == 1) && (lines == 1 || across >= extent);
}

/* A wide tensor of strides as the providers have matrices, perhaps transposed (*flips). False: it is none. */
static bool describe(const cliv_tensor *t, cliv__matrix *out, bool *flips) {
  const size_t *const shape = t->shape + (t->ndim == 3), *const strides = t->strides + (t->ndim == 3);
  const bool rows = contiguous(strides[1], shape[1], strides[0], shape[0]);
  *flips = !rows;
  if (narrow(t->dtype) || !(rows || contiguous(strides[0], shape[0], strides[1], shape[1]))) return false;
  const size_t lines = shape[!rows], length = shape[rows];
  const cl_ulong each = t->ndim == 3 && t->shape[0] > 1 ? t->strides[0] : 0;
  *out = (cliv__matrix){t->mem, cliv__first(t), lines, length, lines == 1 ? length : strides[!rows], each};
  return true;
}

/* Where an operand is read. */
static cliv_status operand(cliv_context *ctx, const cliv_tensor *t, const slots *s, chain *order, cliv__matrix *matrix,
                           bool *trans) {
  bool flips = false;
  cliv_tensor loaded;
  if (!t->strided || !describe(t, matrix, &flips)) {
    TRY(load(ctx, t, s, order, &loaded));
    *matrix = cliv__matrices_of(&loaded);
    flips = false;
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

static cliv_status scale(cliv_context *ctx, const cliv__gemm *g, chain *order, bool last) {
  for (cl_ulong z = 0; z < g->batch; z++) {
    const cliv__gemm part = cliv__gemm_part(g, z, 1);
    cliv__matrix c = part.c;
    c.rows = g->m, c.columns = g->n;
    const cliv_sync sync = next(order, last && z + 1 == g->batch);
    TRY(cliv__blas_scale(ctx, g->dtype, g->beta, &c, &sync));
  }
  return CLIV_OK;
}

/* The product, or what it comes to where nothing is summed, into g's C. */
static cliv_status product(cliv_context *ctx, const cliv__blas_provider *provider, const cliv__gemm *g, bool sums,
                           chain *order, bool last) {
  if (!sums) {
    const bool ends = cliv__has_epilogue(g);
    if (ends) TRY(cliv__gemm_finish_ready(ctx, g));
    TRY(scale(ctx, g, order, last && !ends));
    if (!ends) return CLIV_OK;
    const cliv_sync sync = next(order, last);
    return cliv__gemm_finish(ctx, g, &sync);
  }
  const cliv_sync sync = next(order, last);
  return provider->gemm(ctx, g, &sync);
}

/* By a copy of C: wide where C is narrow, dense where it is strided. */
static cliv_status by_copy(cliv_context *ctx, const cliv__blas_provider *provider, cliv__gemm *g, bool sums,
                           const cliv_tensor *c, chain *order) {
  const bool small = narrow(c->dtype);
  cliv_tensor made, dense = *c;
  const slots *const s = &SLOTS[2];
  if (g->beta != 0) TRY(load(ctx, c, s, order, &made));
  else TRY(dense_like(ctx, c, g->dtype, small ? s->wide : s->dense, &made));
  g->c = cliv__matrices_of(&made);
  const cliv__gemm plain = cliv__without_epilogue(g);
  TRY(product(ctx, provider, small ? &plain : g, sums, order, false));
  if (c->strided) TRY(dense_like(ctx, c, c->dtype, s->dense, &dense));
  if (small) {
    const cliv__stored from = stored(&made), to = stored(&dense);
    const cliv_sync sync = next(order, !c->strided);
    TRY(cliv__finish(ctx, &from, &to, g, g->m, &sync));
  }
  if (!c->strided) return CLIV_OK;
  const cliv_sync sync = next(order, true);
  return cliv__copy_strided(&dense, c, &sync);
}

cliv_status cliv__multiply(cliv_context *ctx, const cliv__blas_provider *provider, const cliv__gemm *given,
                           const cliv_tensor *a, const cliv_tensor *b, const cliv_tensor *c, const cliv_sync *sync) {
  const bool sums = given->k && given->alpha != 0;
  chain order = {.sync = sync};
  cliv__gemm g = *given;
  if (c->count == 0 || (!sums && g.beta == 1 && !cliv__has_epilogue(&g))) return cliv__nothing(ctx, sync);
  g.dtype = narrow(c->dtype) ? CLIV_F32 : c->dtype;
  if (sums) TRY(operand(ctx, a, &SLOTS[0], &order, &g.a, &g.trans_a));
  if (sums) TRY(operand(ctx, b, &SLOTS[1], &order, &g.b, &g.trans_b));
  bool flips = false;
  if (narrow(c->dtype) || (c->strided && !describe(c, &g.c, &flips)))
    return by_copy(ctx, provider, &g, sums, c, &order);
  if (!c->strided) g.c = cliv__matrices_of(c);
  if (flips) transpose(&g);
  return product(ctx, provider, &g, sums, &order, true);
}
