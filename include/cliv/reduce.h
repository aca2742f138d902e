/* cliv/reduce.h: many elements to one: sums, norms, extremes, counts, moments.
 *
 * Every reduction has one result, to the last bit, on every device and launch shape. The input is cut into blocks of 4096 elements, seen
 * as 16 rows of 256 lanes. Each lane joins its rows in order; then lanes join pairwise by halves (lane l with l + 128, then
 * l + 64, … l + 1). Block results are joined in the same way, as elements of a next, smaller input, until one is left. A sum's error
 * is therefore that of about 40 additions at most for 2³² elements, not of 2³².
 *
 * Types. float32, float16 and bfloat16 are computed in float32 and rounded once; float64 in double, where the device has it. Integers are
 * computed in 64 bits, wrapping, for the operations that allow them. The result's dtype is cliv_reduce_dtype(op, x's dtype), or
 * float32 for the narrow floats. NaN propagates through everything but counts; −0 is below +0; the first index wins a tie; a
 * NaN result is the canonical quiet NaN.
 */
#ifndef CLIV_REDUCE_H
#define CLIV_REDUCE_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CLIV_ALL_AXES (-1000)

typedef enum cliv_reduce_result {
  CLIV_REDUCE_VALUE, /* x's dtype */
  CLIV_REDUCE_TOTAL, /* x's dtype; int64 for integers, so that sums fit */
  CLIV_REDUCE_INDEX, /* int64 */
  CLIV_REDUCE_TRUTH  /* uint8, 0 or 1 */
} cliv_reduce_result;

typedef struct cliv_reduce_info {
  const char *name, *summary;
  int inputs;                /* 1; 2 for dot */
  cliv_reduce_result result;
  int integers;              /* 1: int32, int64 and uint8 are allowed */
  int float64;               /* 1: float64 is allowed, where the device has it */
  int needs_elements;        /* 1: there is no result for no elements (min, max, arg…) */
} cliv_reduce_info;

CLIV_API size_t cliv_reduce_count(void);
CLIV_API const cliv_reduce_info *cliv_reduce_get(size_t index);      /* NULL past the end */
CLIV_API const cliv_reduce_info *cliv_reduce_find(const char *name); /* NULL when there is none */

/* The result's dtype for an input of this dtype. NAME: no such operation. DTYPE: not defined for this type. */
CLIV_API cliv_status cliv_reduce_dtype(const char *op, cliv_dtype input, cliv_dtype *out) CLIV_MUST_CHECK;

/* Reduces x over `axis`: CLIV_ALL_AXES, or the last axis (-1, or its number). Asynchronous.
 *   y    second input of "dot", of x's dtype and shape; NULL for every other operation
 *   out  one element for all axes; x's shape without the last axis otherwise. Dense. It must not overlap the inputs.
 * x is dense, or for the last axis may have a pitch. No elements give 0, 1 for prod, −inf for logsumexp, NaN for mean, var and std, and
 * DATA for operations that need some. Fails with NULL, NAME, VALUE, SHAPE, DTYPE, LAYOUT, OVERLAP, DATA, NOT_IN_BUILD (another axis). */
CLIV_API cliv_status cliv_reduce(cliv_context *ctx, const char *op, int axis, const cliv_tensor *x, const cliv_tensor *y,
                                 cliv_tensor *out, const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
