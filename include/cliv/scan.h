/* cliv/scan.h: running sums, products, maxima and minima, of everything, along an axis, or of segments.
 *
 *   cliv_scan(ctx, "sum", CLIV_ALL_AXES, CLIV_INCLUSIVE, x, out, NULL);      out[i] = x[0] + … + x[i]
 *   cliv_scan(ctx, "sum", -1, CLIV_EXCLUSIVE, x, out, NULL);                 of every row, without the element itself
 *   cliv_scan_over(ctx, "max", &(cliv_over){.segments = s}, CLIV_INCLUSIVE, x, out, NULL);         of every segment
 *
 * Every scan has one result, to the last bit, on every device and launch shape. The prefix of m elements is made of
 * m's binary parts, from the largest to the smallest, joined from the left: of 13 elements ((x₀ … x₇) ∘ (x₈ … x₁₁)) ∘
 * x₁₂. A part of 2ᵏ elements is a balanced tree: its first half joined with its second. So a prefix sum of m elements
 * has no more than 2·log₂(m) roundings on the way of any element: its error is at most 2·log₂(m)·u times the sum of
 * the magnitudes, u being 2⁻²⁴ for float32 and 2⁻⁵³ for float64, where a loop's is (m − 1)·u. For the same reason a
 * running sum of numbers that are not negative may step back by a rounding. Lines along an axis and segments know
 * nothing of what surrounds them.
 *
 * Types. float32, float16 and bfloat16 are computed in float32 and rounded once, when stored; float64 in double,
 * where the device has it. Integers are computed in 64 bits, wrapping, and wrap when stored in less. out's dtype is
 * cliv_scan_dtype(op, x's dtype) — int64 for the sum and product of integers, x's own otherwise —, or x's own, or
 * float32 for the narrow floats.
 *
 * An exclusive scan's element i is the inclusive one's i − 1, to the last bit. Its first is what no elements give: 0
 * for sum, 1 for prod, −inf for max, +inf for min, and for integers the least and the greatest value of out's dtype.
 *
 * NaN propagates: after the first, all are NaN, the canonical quiet one. −0 is below +0 for max and min.
 */
#ifndef CLIV_SCAN_H
#define CLIV_SCAN_H

#include <cliv/reduce.h> /* CLIV_ALL_AXES, cliv_over */
#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cliv_scan_kind { CLIV_INCLUSIVE = 0, CLIV_EXCLUSIVE = 1 } cliv_scan_kind;

typedef struct cliv_scan_info {
  const char *name, *summary;
  int total; /* 1: integers give int64, so that totals fit; 0: x's dtype */
} cliv_scan_info;

CLIV_API size_t cliv_scan_count(void);
CLIV_API const cliv_scan_info *cliv_scan_get(size_t index);      /* NULL past the end */
CLIV_API const cliv_scan_info *cliv_scan_find(const char *name); /* NULL when there is none */

/* The result's natural dtype for an input of this dtype. NAME: no such operation. DTYPE: not defined for this type. */
CLIV_API cliv_status cliv_scan_dtype(const char *op, cliv_dtype input, cliv_dtype *out) CLIV_MUST_CHECK;

/* Scans x. Asynchronous.
 *   over  as in cliv/reduce.h: nothing set, or NULL, all elements in the order of memory; or one axis; or segments,
 *         each by itself in one set of launches, where elements of out that no segment covers are left as they are
 *   out   x's shape; it may be x itself (the same memory, shape, pitch and dtype), any other overlap is refused
 * Over an axis both may have a pitch, otherwise they are dense. Fails with NULL, NAME, VALUE, SHAPE, DTYPE, LAYOUT,
 * OVERLAP. */
CLIV_API cliv_status cliv_scan_over(cliv_context *ctx, const char *op, const cliv_over *over, cliv_scan_kind kind,
                                    const cliv_tensor *x, cliv_tensor *out, const cliv_sync *sync) CLIV_MUST_CHECK;

/* The same over one axis, or CLIV_ALL_AXES. */
CLIV_API cliv_status cliv_scan(cliv_context *ctx, const char *op, int axis, cliv_scan_kind kind, const cliv_tensor *x,
                               cliv_tensor *out, const cliv_sync *sync) CLIV_MUST_CHECK;

/* A scan of your own: OpenCL C with two functions whose names begin with `name`, here f: `real f_init(void)`, the exact
 * identity, and `real f_join(real a, real b)`, a before b, associative up to rounding. Asynchronous. Element 0 of an
 * exclusive scan is f_init(). What the functions are given and may call is as cliv/reduce.h says of cliv_reduce_user;
 * x: float32, float16, bfloat16, float64. Fails as cliv_scan_over does; NAME for a name that is no C identifier; VALUE
 * when the text lacks one of the functions; BUILD with the compiler's words, which count lines in your text as "user".
 */
CLIV_API cliv_status cliv_scan_user(cliv_context *ctx, const char *text, const char *name, const cliv_over *over,
                                    cliv_scan_kind kind, const cliv_tensor *x, cliv_tensor *out,
                                    const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
