/* Operands that a provider cannot have as they lie: dense copies of strided ones, float32 copies of narrow ones, and
 * the way back. */
#ifndef CLIV_BLAS_COPIES_H
#define CLIV_BLAS_COPIES_H

#include "blas/epilogue.h"

/* What is enqueued one after the other: the first waits, the last tells. */
typedef struct cliv__chain {
  const cliv_sync *sync;
  bool begun;
} cliv__chain;
cliv_sync cliv__chain_next(cliv__chain *c, bool last);

static inline bool cliv__is_narrow(cliv_dtype dtype) { return dtype == CLIV_F16 || dtype == CLIV_BF16; }
/* What is computed in: the type itself, or float32. */
static inline cliv_dtype cliv__computed(cliv_dtype dtype) { return cliv__is_narrow(dtype) ? CLIV_F32 : dtype; }

/* Each operand of a call has memory of its own for its copies. */
typedef enum cliv__operand { CLIV__OPERAND_A, CLIV__OPERAND_B, CLIV__OPERAND_C, CLIV__OPERAND_BIAS } cliv__operand;

/* A dense tensor as t is, of t's own type: t itself where it is that already. dense: a pitch is refused, too. */
cliv_status cliv__copy_dense(cliv_context *ctx, const cliv_tensor *t, cliv__operand which, bool dense,
                             cliv__chain *order, cliv_tensor *out);
/* The same in the type that is computed in. */
cliv_status cliv__copy_in(cliv_context *ctx, const cliv_tensor *t, cliv__operand which, bool dense, cliv__chain *order,
                          cliv_tensor *out);
/* Where that copy goes, without what t holds. */
cliv_status cliv__copy_room(cliv_context *ctx, const cliv_tensor *t, cliv__operand which, bool dense, cliv_tensor *out);
/* Whether it is not t itself. */
bool cliv__needs_copy(const cliv_tensor *t, bool dense);
/* The copy, made by one of the above, back into t, and nowhere else; `end` (or NULL) has what follows the product, for
 * matrices of so many rows. part: CLIV__PART_… of each matrix alone, for which a strided t has to be loaded before. */
cliv_status cliv__copy_back(cliv_context *ctx, const cliv_tensor *copy, const cliv_tensor *t, cliv__operand which,
                            int part, const cliv__gemm *end, cliv__chain *order);

/* A tensor of strides, of two axes or three, as the providers have matrices, perhaps transposed (*flips). False: it is
 * none, and does not flip. */
bool cliv__as_rows(const cliv_tensor *t, cliv__matrix *out, bool *flips);

#endif
