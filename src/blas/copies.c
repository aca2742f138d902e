/* Copies of operands. See copies.h. */
#include "blas/copies.h"

#include "runtime/scratch.h"
#include "runtime/tensor.h"

cliv_sync cliv__chain_next(cliv__chain *c, bool last) {
  const cliv_sync part = cliv__sync_part(c->sync, !c->begun, last);
  c->begun = true;
  return part;
}

/* For a dense copy, and for a wide one. */
static const struct {
  int dense, wide;
} slots[] = {[CLIV__OPERAND_A] = {CLIV__SCRATCH_GEMM_A, CLIV__SCRATCH_GEMM_WIDE_A},
             [CLIV__OPERAND_B] = {CLIV__SCRATCH_GEMM_B, CLIV__SCRATCH_GEMM_WIDE_B},
             [CLIV__OPERAND_C] = {CLIV__SCRATCH_GEMM_C, CLIV__SCRATCH_GEMM_WIDE_C},
             [CLIV__OPERAND_BIAS] = {CLIV__SCRATCH_GEMM_BIAS, CLIV__SCRATCH_GEMM_WIDE_BIAS}};

static cliv_status dense_like(cliv_context *ctx, const cliv_tensor *t, cliv_dtype dtype, int slot, cliv_tensor *out) {
  return cliv__scratch_tensor(ctx, slot, dtype, t->ndim, t->shape, out);
}

/* A narrow tensor of a pitch becomes dense as it becomes wide. */
static bool spreads(const cliv_tensor *t, bool dense) {
  return t->strided || (dense && !cliv__is_narrow(t->dtype) && !cliv__dense(t));
}

bool cliv__needs_copy(const cliv_tensor *t, bool dense) { return cliv__is_narrow(t->dtype) || spreads(t, dense); }

/* whole: rows do not matter, and dense ones are one long row. */
static cliv__stored stored(const cliv_tensor *t, bool whole) {
  if (whole) return (cliv__stored){t->dtype, {t->mem, cliv__first(t), 1, t->count, t->count, 0}};
  return (cliv__stored){t->dtype, {t->mem, cliv__first(t), t->rows, t->columns, t->pitch, 0}};
}

cliv_status cliv__copy_dense(cliv_context *ctx, const cliv_tensor *t, cliv__operand which, bool dense,
                             cliv__chain *order, cliv_tensor *out) {
  *out = *t;
  if (!spreads(t, dense)) return CLIV_OK;
  TRY(dense_like(ctx, t, t->dtype, slots[which].dense, out));
  const cliv_sync part = cliv__chain_next(order, false);
  return cliv__copy_strided(t, out, &part);
}

cliv_status cliv__copy_in(cliv_context *ctx, const cliv_tensor *t, cliv__operand which, bool dense, cliv__chain *order,
                          cliv_tensor *out) {
  cliv_tensor now;
  TRY(cliv__copy_dense(ctx, t, which, dense, order, &now));
  *out = now;
  if (!cliv__is_narrow(t->dtype)) return CLIV_OK;
  TRY(dense_like(ctx, t, CLIV_F32, slots[which].wide, out));
  const bool whole = cliv__dense(&now);
  const cliv__stored from = stored(&now, whole), to = stored(out, whole);
  const cliv_sync part = cliv__chain_next(order, false);
  return cliv__finish(ctx, &from, &to, NULL, 1, CLIV__PART_ALL, &part);
}

cliv_status cliv__copy_room(cliv_context *ctx, const cliv_tensor *t, cliv__operand which, bool dense,
                            cliv_tensor *out) {
  *out = *t;
  if (cliv__is_narrow(t->dtype)) return dense_like(ctx, t, CLIV_F32, slots[which].wide, out);
  return spreads(t, dense) ? dense_like(ctx, t, t->dtype, slots[which].dense, out) : CLIV_OK;
}

/* A narrow strided one goes through its dense copy. */
cliv_status cliv__copy_back(cliv_context *ctx, const cliv_tensor *copy, const cliv_tensor *t, cliv__operand which,
                            int part, const cliv__gemm *end, cliv__chain *order) {
  cliv_tensor dense = *copy;
  if (cliv__is_narrow(t->dtype)) {
    dense = *t;
    if (t->strided) TRY(dense_like(ctx, t, t->dtype, slots[which].dense, &dense));
    const bool whole = cliv__dense(&dense) && part == CLIV__PART_ALL && !(end && cliv__has_epilogue(end));
    const cliv__stored from = stored(copy, whole), to = stored(&dense, whole);
    const cliv_sync sync = cliv__chain_next(order, !t->strided);
    TRY(cliv__finish(ctx, &from, &to, end, t->ndim > 1 ? t->shape[t->ndim - 2] : 1, part, &sync));
    if (!t->strided) return CLIV_OK;
  }
  const cliv_sync sync = cliv__chain_next(order, true);
  return cliv__copy_strided(&dense, t, &sync);
}

static bool contiguous(size_t along, size_t extent, size_t across, size_t lines) {
  return (extent == 1 || along == 1) && (lines == 1 || across >= extent);
}

bool cliv__as_rows(const cliv_tensor *t, cliv__matrix *out, bool *flips) {
  const size_t *const shape = t->shape + (t->ndim == 3), *const strides = t->strides + (t->ndim == 3);
  const bool rows = contiguous(strides[1], shape[1], strides[0], shape[0]);
  *flips = false;
  if (!rows && !contiguous(strides[0], shape[0], strides[1], shape[1])) return false;
  *flips = !rows;
  const size_t lines = shape[!rows], length = shape[rows];
  const cl_ulong each = t->ndim == 3 && t->shape[0] > 1 ? t->strides[0] : 0;
  *out = (cliv__matrix){t->mem, cliv__first(t), lines, length, lines == 1 ? length : strides[!rows], each};
  return true;
}
