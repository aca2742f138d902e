/* cliv/loss.h: what a model is trained to make small: the loss of each row, and its gradient with respect to the
 * model's output.
 *
 * For M rows of K outputs ("logits" z, before any sigmoid or softmax):
 *
 *   mse                    targets float32 (M, K): numbers
 *                          loss = mean over k of (z - t)²
 *   binary_cross_entropy   targets float32 (M, K): 0 … 1
 *                          loss = mean over k of max(z, 0) - z·t + log(1 + exp(-|z|))
 *   cross_entropy          targets int32 (M): class 0 … K - 1
 *                          loss = log(sum over k of exp(z_k - m)) + m - z_t, with m = max z
 *
 * These are PyTorch's MSELoss, BCEWithLogitsLoss and CrossEntropyLoss for one row at a time (reduction over the rows is
 * the caller's: cliv_reduce, or the scale below).
 *
 * One result on every device: sums and maxima over k are made by 16 lanes, lane l joining k = l, l + 16, l + 32, … in
 * order, starting from -0 (from -infinity for maxima); then lanes join pairwise by halves (8, 4, 2, 1: lane l with lane
 * l + s). exp, log and division are those of cl/math.cl.
 */
#ifndef CLIV_LOSS_H
#define CLIV_LOSS_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The table of losses, for lists, help texts and tests. */
typedef struct cliv_loss_info {
  const char *name;
  const char *summary;
  int takes_classes; /* 1: targets are int32 class numbers (M); 0: float32 (M, K) */
} cliv_loss_info;
CLIV_API size_t cliv_loss_count(void);
CLIV_API const cliv_loss_info *cliv_loss_at(size_t index); /* NULL past the end */

/* Losses and gradients of all rows, asynchronously.
 *
 * logits    (M, K) float32, any pitch, K at least 1
 * targets   as the loss takes them; dense or any pitch
 * scale     what the gradient is multiplied by: 1/M gives the gradient of the mean over the rows. Finite; rounded to
 *           float32.
 * losses    (M) float32, dense, or NULL
 * gradient  (M, K) float32, any pitch: scale × d loss / d logits; or NULL. May be `logits` itself, else shares nothing
 *           with it.
 *
 * A class number outside 0 … K - 1 makes the loss and the gradient of its row NaN. Fails with NULL, NAME, VALUE, DTYPE,
 * SHAPE, OVERLAP. */
CLIV_API cliv_status cliv_loss(cliv_context *ctx, const char *name, const cliv_tensor *logits,
                               const cliv_tensor *targets, double scale, cliv_tensor *losses, cliv_tensor *gradient,
                               const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
