/* cliv/reduce.h: many elements to one: sums, norms, extremes, counts, moments.
 *
 * Every reduction has one result, to the last bit, on every device and launch shape. The input is cut into blocks of
 * 4096 elements, seen as 16 rows of 256 lanes. Each lane joins its rows in order; then lanes join pairwise by halves
 * (lane l with l + 128, then l + 64, … l + 1). Block results are joined in the same way, as elements of a next,
 * smaller input, until one is left. A sum's error is therefore that of about 40 additions at most for 2³² elements,
 * not of 2³².
 *
 * Types. float32, float16 and bfloat16 are computed in float32 and rounded once; float64 in double, where the device
 * has it. Integers are computed in 64 bits, wrapping, for the operations that allow them. The result's dtype is
 * cliv_reduce_dtype(op, x's dtype), or float32 for the narrow floats. NaN propagates through everything but counts;
 * −0 is below +0; the first index wins a tie; a NaN result is the canonical quiet NaN.
 */
#ifndef CLIV_REDUCE_H
#define CLIV_REDUCE_H

#include <cliv/segments.h>
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
  int inputs; /* 1; 2 for dot */
  cliv_reduce_result result;
  int integers;       /* 1: int32, int64 and uint8 are allowed */
  int float64;        /* 1: float64 is allowed, where the device has it */
  int needs_elements; /* 1: there is no result for no elements (min, max, arg…) */
} cliv_reduce_info;

CLIV_API size_t cliv_reduce_count(void);
CLIV_API const cliv_reduce_info *cliv_reduce_get(size_t index);      /* NULL past the end */
CLIV_API const cliv_reduce_info *cliv_reduce_find(const char *name); /* NULL when there is none */

/* The result's dtype for an input of this dtype. NAME: no such operation. DTYPE: not defined for this type. */
CLIV_API cliv_status cliv_reduce_dtype(const char *op, cliv_dtype input, cliv_dtype *out) CLIV_MUST_CHECK;

/* What is reduced: nothing set, or NULL in its place, means all elements to one; axis_count 0 with a list that is not
 * NULL, nothing. The elements of a result are taken in the order of memory, whatever the order of the axes. */
typedef struct cliv_over {
  int axis_count;
  const int *axes;               /* each once, in any order; a negative one counts from the last */
  const cliv_segments *segments; /* or these pieces of x, taken as one flat array */
} cliv_over;

/* Reduces x. Asynchronous.
 *   y    second input of "dot", of x's dtype and shape; NULL for operations of one input
 *   out  x's shape without the axes that are reduced (any shape of one element when all are); with segments, one
 *        element a segment. Dense. It must not overlap the inputs.
 * No elements give 0, 1 for prod, −inf for logsumexp, NaN for mean, var and std, and DATA for operations that need
 * some (of segments: when any is empty). One launch does all rows of up to 4096 elements, two of up to 2^24; axes
 * that are neither last, nor first, nor all in between two others, are brought together by a copy before. Segments
 * need dense tensors. Fails with NULL, NAME, VALUE (an axis that is not there, or twice), SHAPE, DTYPE, LAYOUT,
 * OVERLAP, DATA. */
CLIV_API cliv_status cliv_reduce_over(cliv_context *ctx, const char *op, const cliv_over *over, const cliv_tensor *x,
                                      const cliv_tensor *y, cliv_tensor *out, const cliv_sync *sync) CLIV_MUST_CHECK;

/* The same over one axis, or CLIV_ALL_AXES. */
CLIV_API cliv_status cliv_reduce(cliv_context *ctx, const char *op, int axis, const cliv_tensor *x,
                                 const cliv_tensor *y, cliv_tensor *out, const cliv_sync *sync) CLIV_MUST_CHECK;

/* Several reductions in one pass, each with the bits that it has alone. Asynchronous.
 *   values  x's dtype, or float32; out's shape as above with one more axis of 6: min, max, mean, var, asum, nrm2
 *   counts  int64; the same with an axis of 2: how many elements, how many of them not finite
 * Floats only. Fails as cliv_reduce_over does; DATA when there are no elements. */
CLIV_API cliv_status cliv_stats(cliv_context *ctx, const cliv_over *over, const cliv_tensor *x, cliv_tensor *values,
                                cliv_tensor *counts, const cliv_sync *sync) CLIV_MUST_CHECK;

/* A reduction of your own: OpenCL C with four functions whose names begin with `name`, here f. Asynchronous.
 *
 *   real f_init(void)             the identity: join(f_init(), a) must be a, to the bit
 *   real f_map(real x)            what an element counts as; with a second input, f_map(real x, real y)
 *   real f_join(real a, real b)   two neighbours to one, a before b
 *   real f_done(real v, ulong n)  the result, from what n elements were joined to
 *
 * `real` is float or a vector of floats (double for float64), so conditions are choose(c, a, b) instead of c ? a : b,
 * and constants are (real)0.5f. There are +, -, *, OpenCL's built-in functions, and the library's of cl/math.cl,
 * which have one result everywhere: divide, square_root, real_exp, real_log, real_tanh … The result has one value to
 * the last bit on every device as far as your functions do. x: float32, float16, bfloat16, float64; the text is
 * compiled once for each program it takes part in. Fails as cliv_reduce_over does; NAME for a name that is no C
 * identifier; VALUE when the text lacks one of the functions; BUILD with the compiler's words, which count lines in
 * your text as "user". */
CLIV_API cliv_status cliv_reduce_user(cliv_context *ctx, const char *text, const char *name, const cliv_over *over,
                                      const cliv_tensor *x, const cliv_tensor *y, cliv_tensor *out,
                                      const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
