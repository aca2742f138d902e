/* cliv/rows.h: operations along the last axis whose every element depends on its whole row: softmax, norms, and their gradients.
 *
 *   cliv_rows(ctx, "softmax", x, NULL, y, NULL, NULL);
 *   cliv_rows(ctx, "softmax_backward", y, dy, dx, NULL, NULL);
 *   cliv_rows(ctx, "layer_norm", x, NULL, y, &(cliv_rows_options){.weight = w, .bias = b, .mean = mean, .rstd = rstd}, NULL);
 *
 * A tensor is seen as rows of its last axis. Every operation has one result, to the last bit, on every device and launch shape: a row's
 * sum is that of cliv/reduce.h, in blocks of 4096 elements with 256 lanes, and what follows is done element by element, operation by
 * operation as written below, each rounded to float32. exp, log, division and square root are those of cliv/map.h. With n elements a row,
 * Σ over the row, w the weight and b the bias:
 *
 *   softmax               m = max x, s = Σ e^(x − m) as logsumexp has them, y = e^(x − m) · (1 / s)
 *   log_softmax           y = (x − m) − log(s)
 *   softmax_backward      dx = y · (dy − Σ y · dy)            y: what softmax gave, dy: its gradient
 *   log_softmax_backward  dx = dy − e^y · Σ dy                y: what log_softmax gave
 *
 * (Bridle, 1990; Goodfellow, Bengio, Courville: Deep Learning, 6.2.2.3.)
 *
 * Types. float32, float16 and bfloat16; all rows have one type. What is narrow is computed in float32 and rounded once, when stored.
 *
 * Errors, with u = 2⁻²⁴, before that rounding, for rows up to 2²⁴ elements: softmax |x − m| + 64 u relative, where |x − m| counts
 * in u as well, and 2⁻¹⁴⁹ absolute; log_softmax (64 + 2 |y|) u absolute. Of a backward operation: 64 u times the sum of its terms'
 * magnitudes, as of any sum, and 4 u more.
 *
 * Special values. −∞ in a row gives a softmax of 0 and a log_softmax of −∞ there. A row of −∞ alone, or with a +∞ or a NaN, is all NaN. A
 * NaN that is stored is the canonical one.
 */
#ifndef CLIV_ROWS_H
#define CLIV_ROWS_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cliv_rows_info {
  const char *name, *formula, *summary;
  int inputs; /* 1: x; 2: x and y */
} cliv_rows_info;

CLIV_API size_t cliv_rows_count(void);
CLIV_API const cliv_rows_info *cliv_rows_get(size_t index);      /* NULL past the end */
CLIV_API const cliv_rows_info *cliv_rows_find(const char *name); /* NULL when there is none */

/* out = op(x, y), row by row. Asynchronous: one launch for rows up to 4096 elements, else three or four.
 *   x        float32, float16 or bfloat16, at least one axis; rows may have a pitch, here and in y and out
 *   y        second input where the operation has one, of x's type and shape; NULL otherwise
 *   out      of x's type and shape; it may be x or y itself (the same elements), and must not overlap them otherwise
 * Fails with NULL, NAME, VALUE, SHAPE, DTYPE, OVERLAP. */
CLIV_API cliv_status cliv_rows(cliv_context *ctx, const char *op, const cliv_tensor *x, const cliv_tensor *y,
                               cliv_tensor *out, const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
