/* cliv/map.h: element by element operations: arithmetic, comparisons, exponentials, conversions.
 *
 *   cliv_map(ctx, "exp", x, out, NULL);
 *   cliv_map2(ctx, "add", x, bias, out, NULL);          bias: x's shape, one element, or one row for all rows of x
 *   cliv_map_scalar(ctx, "gt", x, 0.5, out, NULL);
 *
 * Every operation has one result, to the last bit, on every device and launch shape: it is correctly rounded, or
 * within the units of the last place that its row in the table states, for every argument, subnormals included.
 *
 * Types. x, y and out have one dtype, except that tests and comparisons (CLIV_MAP_TRUTH) give uint8, 0 or 1, and that
 * "copy" converts between any two. float32, float16 and bfloat16 are computed in float32 and rounded once, to nearest
 * even, when stored; float64 in double, where the device has it and the operation's row allows it; integers in 64
 * bits, wrapping as the dtype does, where the row allows it.
 *
 * NaN propagates, also through min, max and relu; a NaN that is stored is the canonical quiet one. A comparison with
 * NaN is 0, but for "ne" 1. −0 is below +0 for min and max, and equal to it in comparisons.
 *
 * "copy" to an integer truncates towards 0 and saturates, NaN becomes 0; from an integer to a narrower one it keeps
 * the low bits; from an integer to float16 or bfloat16 it goes by way of float32.
 *
 * "pow" has the special cases of C99 (F.9.4.4): x^0 and 1^y are 1, also where the other is NaN; a negative x to a
 * finite y that is no integer is NaN; odd integers y keep the sign of a negative x, zeros and infinities included;
 * (-1)^(+-inf) is 1. "sin" and "cos" are those of every finite float, however large; of infinities they are NaN.
 *
 * Layout: tensors are dense. out may be x or y itself (exactly the same memory and element size); any other overlap
 * is refused.
 */
#ifndef CLIV_MAP_H
#define CLIV_MAP_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the table of operations ---- */

typedef enum cliv_map_result {
  CLIV_MAP_VALUE, /* out has x's dtype */
  CLIV_MAP_TRUTH, /* out is uint8 */
  CLIV_MAP_ANY    /* out has any dtype: copy */
} cliv_map_result;

typedef struct cliv_map_info {
  const char *name;
  int arity;           /* 1: cliv_map; 2: cliv_map2, cliv_map_scalar */
  const char *formula; /* "log(1 + x)" */
  const char *summary; /* one phrase */
  cliv_map_result result;
  double ulp;   /* largest error in float32, in units of the last place; 0: exact, 0.5: correctly rounded */
  int float64;  /* 1: float64 is allowed, where the device has it */
  int integers; /* 1: int32, int64 and uint8 are allowed */
} cliv_map_info;

CLIV_API size_t cliv_map_count(void);
CLIV_API const cliv_map_info *cliv_map_get(size_t index);      /* NULL past the end */
CLIV_API const cliv_map_info *cliv_map_find(const char *name); /* NULL when there is none */

/* The dtype out must have for an input of this dtype ("copy": the input's own, where any will do). NAME: no such
 * operation. DTYPE: the operation is not defined for this type. */
CLIV_API cliv_status cliv_map_dtype(const char *op, cliv_dtype input, cliv_dtype *out) CLIV_MUST_CHECK;

/* ---- the operations ---- */

/* out[i] = op(x[i]); out has x's shape. Asynchronous. Fails with NULL, NAME, SHAPE, DTYPE, LAYOUT, OVERLAP. */
CLIV_API cliv_status cliv_map(cliv_context *ctx, const char *op, const cliv_tensor *x, cliv_tensor *out,
                              const cliv_sync *sync) CLIV_MUST_CHECK;

/* out[i] = op(x[i], y[…]); out has x's shape, y has x's dtype. Asynchronous.
 *   y    x's shape: element by element; one element, of any shape: the same for all; the length of x's last axis, in
 *        one axis: a row that is used for every row of x
 * Where a shape fits twice the results are the same. out may be y only if y has x's shape. Fails as cliv_map does. */
CLIV_API cliv_status cliv_map2(cliv_context *ctx, const char *op, const cliv_tensor *x, const cliv_tensor *y,
                               cliv_tensor *out, const cliv_sync *sync) CLIV_MUST_CHECK;

/* out[i] = op(x[i], y), with y rounded once to the type that is computed in: float32 for the narrow floats; for
 * integers it must be an integer of 64 bits (VALUE otherwise). Asynchronous. Fails as cliv_map does. */
CLIV_API cliv_status cliv_map_scalar(cliv_context *ctx, const char *op, const cliv_tensor *x, double y,
                                     cliv_tensor *out, const cliv_sync *sync) CLIV_MUST_CHECK;

/* A map of your own: OpenCL C with a function `real name(real x)`, or with a y `real name(real x, real y)`.
 * Asynchronous.
 *
 * `real` is float or a vector of floats (double for float64), so conditions are choose(c, a, b) instead of c ? a : b,
 * and constants are (real)0.5f. There are +, -, *, OpenCL's built-in functions, and the library's of cl/divide.cl and
 * cl/math.cl, which have one result everywhere: divide, square_root, real_exp, real_log, real_tanh … x: float32,
 * float16, bfloat16, float64 (without the functions of cl/math.cl); out has x's dtype. y as cliv_map2 takes it, or
 * NULL. Fails as cliv_map does; NAME for a name that is no C identifier; VALUE when the text has no such function;
 * BUILD with the compiler's words, which count lines in your text as "user". */
CLIV_API cliv_status cliv_map_user(cliv_context *ctx, const char *text, const char *name, const cliv_tensor *x,
                                   const cliv_tensor *y, cliv_tensor *out, const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
