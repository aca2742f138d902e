/* cliv/rows.h: operations along the last axis whose every element depends on its whole row: softmax, norms, and their
 * gradients.
 *
 *   cliv_rows(ctx, "softmax", x, NULL, y, NULL, NULL);
 *   cliv_rows(ctx, "softmax_backward", y, dy, dx, NULL, NULL);
 *   const cliv_rows_options options = {.weight = w, .bias = b, .mean = mean, .rstd = rstd};
 *   cliv_rows(ctx, "layer_norm", x, NULL, y, &options, NULL);
 *
 * A tensor is seen as rows of its last axis. Every operation has one result, to the last bit, on every device and
 * launch shape: a row's sum is that of cliv/reduce.h, in blocks of 4096 elements with 256 lanes, and what follows is
 * done element by element, operation by operation as written below, each rounded to float32. Log, division and square
 * root are those of cliv/map.h, and e^y is its exp; e^(x − m), here and in logsumexp, is a shorter polynomial, within
 * 2 + |x − m| / 16 ulp. With n elements a row, Σ over the row, w the weight and b the bias:
 *
 *   softmax               m = max x, s = Σ e^(x − m) as logsumexp has them, y = e^(x − m) · (1 / s)
 *   log_softmax           y = (x − m) − log(s)
 *   softmax_backward      dx = y · (dy − Σ y · dy)            y: what softmax gave, dy: its gradient
 *   log_softmax_backward  dx = dy − e^y · Σ dy                y: what log_softmax gave
 *   layer_norm            mean and var as reductions have them, the mean in two parts, high + low;
 *                         rstd = 1 / √(var + eps), y = ((x − high) − low) · rstd · w + b
 *   rms_norm              rstd = 1 / √(Σ x² / n + eps), y = x · rstd · w
 *   layer_norm_backward   h = (x − mean) · rstd, g = dy · w: dx = ((g − Σ g / n) − h · (Σ g · h / n)) · rstd
 *   rms_norm_backward     h = x · rstd, g = dy · w: dx = (g − h · (Σ g · h / n)) · rstd
 *                         Both: dw = Σ dy · h and db = Σ dy over all rows, in blocks of 4096 rows with 256 lanes.
 *
 * (Bridle, 1990; Goodfellow, Bengio, Courville: Deep Learning, 6.2.2.3. Layer norm: arXiv 1607.06450; RMS norm: arXiv
 * 1910.07467; as PyTorch's layer_norm and rms_norm.)
 *
 * Types. float32, float16 and bfloat16; all rows have one type. What is narrow is computed in float32 and rounded once,
 * when stored.
 *
 * Errors, with u = 2⁻²⁴, before that rounding, for rows up to 2²⁴ elements. softmax: (96 + |x − m|) u of y, and 2⁻¹⁴⁹.
 * log_softmax: (96 + 4 |y|) u. Gradients of these: 64 u of the sum of the magnitudes of the sum's terms, as any sum,
 * times what it is multiplied by, and 4 u of the terms. Norms, with h the normed x: 80 u of (|h| + 1) |w| and u of y;
 * digits are not lost to a mean that is large. Their gradients: 96 u of rstd · (|g| + Σ |g| / n + |h| · Σ |g · h| / n),
 * h being as exact as the given mean and rstd make it; dw and db 64 u of the sum of their terms' magnitudes, for up to
 * 2²⁴ rows.
 *
 * Special values. −∞ in a row gives a softmax of 0 and a log_softmax of −∞ there. A row of −∞ alone, or with a +∞ or a
 * NaN, is all NaN. A NaN that is stored is the canonical one.
 */
#ifndef CLIV_ROWS_H
#define CLIV_ROWS_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an operation does with a number a row. */
typedef enum cliv_rows_use {
  CLIV_ROWS_NONE,   /* it has none */
  CLIV_ROWS_WRITES, /* where it is wanted */
  CLIV_ROWS_READS   /* it needs it */
} cliv_rows_use;

typedef struct cliv_rows_info {
  const char *name, *formula, *summary;
  int inputs;       /* 1: x; 2: x and y, an operation on gradients */
  int weight, bias; /* 1: takes one; with two inputs, tells its gradient */
  cliv_rows_use mean, rstd;
  double eps; /* default; 0: takes none */
} cliv_rows_info;

/* All may be left out. Tensors are dense; none that is written may overlap another. */
typedef struct cliv_rows_options {
  size_t size; /* sizeof(cliv_rows_options) of the caller; 0: this version's */
  double eps;  /* at least 0; 0: the operation's default, 1e-5 for layer_norm, 2⁻²³ for rms_norm, as in PyTorch */
  const cliv_tensor *weight, *bias; /* of norms, one a column, of x's type; NULL: 1, and 0 */
  /* One a row, x's shape without the last axis, float32: norms write them, gradients need them. */
  cliv_tensor *mean, *rstd;
  /* One a column, of x's type: gradients of norms write them. */
  cliv_tensor *weight_gradient, *bias_gradient;
} cliv_rows_options;

CLIV_API size_t cliv_rows_count(void);
CLIV_API const cliv_rows_info *cliv_rows_get(size_t index);      /* NULL past the end */
CLIV_API const cliv_rows_info *cliv_rows_find(const char *name); /* NULL when there is none */

/* out = op(x, y), row by row. Asynchronous: one launch for rows up to 4096 elements, else three or four.
 *   x        float32, float16 or bfloat16, at least one axis; rows may have a pitch, here and in y and out
 *   y        second input where the operation has one, of x's type and shape; NULL otherwise
 *   out      of x's type and shape; it may be x or y itself (the same elements), and must not overlap them otherwise
 *   options  NULL: none
 * No elements: nothing is written. Fails with NULL, NAME, VALUE, SHAPE, DTYPE, LAYOUT, OVERLAP, DEVICE_MEMORY. */
CLIV_API cliv_status cliv_rows(cliv_context *ctx, const char *op, const cliv_tensor *x, const cliv_tensor *y,
                               cliv_tensor *out, const cliv_rows_options *options,
                               const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
