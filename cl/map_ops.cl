/* map_ops.cl: element by element operations, each a function of one or two `real`.
 *
 * Comparisons and tests give 1 or 0. min, max: a NaN wins, and −0 is below +0.
 */
#define UNARY(name, value) \
  static real map_##name(real x) { return value; }
#define BINARY(name, value) \
  static real map_##name(real x, real y) { return value; }
#define TRUTH(condition) choose(condition, (real)1, (real)0)

/* Of every type. */
#ifdef REAL_I64
#define unless_nan(x, value) (value)
static real magnitude(real x) { return as_real(abs(x)); }
#else
static real unless_nan(real x, real value) { return choose(is_nan(x), x, value); }
static real magnitude(real x) { return as_real(as_ureal(x) & (ureal)MAGNITUDE_BITS); }
#endif
UNARY(copy, x)
UNARY(neg, -x)
UNARY(abs, magnitude(x))
UNARY(sign, choose(x > (real)0, (real)1, choose(x < (real)0, (real)-1, unless_nan(x, (real)0))))
UNARY(square, x *x)
UNARY(relu, choose(x <= (real)0, (real)0, x))
UNARY(logical_not, TRUTH(x == (real)0))
UNARY(isnan, TRUTH(is_nan(x)))
UNARY(isinf, choose(is_finite(x), (real)0, TRUTH(x == x)))
UNARY(isfinite, TRUTH(is_finite(x)))

BINARY(add, x + y)
BINARY(sub, x - y)
BINARY(mul, x *y)
BINARY(min, unless_nan(x, unless_nan(y, choose(order(y) < order(x), y, x))))
BINARY(max, unless_nan(x, unless_nan(y, choose(order(y) > order(x), y, x))))
BINARY(eq, TRUTH(x == y))
BINARY(ne, TRUTH(x != y))
BINARY(lt, TRUTH(x < y))
BINARY(le, TRUTH(x <= y))
BINARY(gt, TRUTH(x > y))
BINARY(ge, TRUTH(x >= y))
BINARY(logical_and, choose(x == (real)0, (real)0, TRUTH(y != (real)0)))
BINARY(logical_or, choose(x != (real)0, (real)1, TRUTH(y != (real)0)))

/* Of floats. */
#ifndef REAL_I64
UNARY(reciprocal, divide((real)1, x))
UNARY(sqrt, square_root(x))
UNARY(rsqrt, divide((real)1, square_root(x)))
UNARY(floor, floor(x))
UNARY(ceil, ceil(x))
UNARY(round, rint(x))
UNARY(trunc, trunc(x))
BINARY(div, divide(x, y))
#endif

/* Of float32 and what is computed in it. */
#ifdef WITH_MATH
UNARY(exp, real_exp(x))
UNARY(exp2, real_exp2(x))
UNARY(expm1, real_expm1(x))
UNARY(log, real_log(x))
UNARY(log2, real_log2(x))
UNARY(log10, real_log10(x))
UNARY(log1p, real_log1p(x))
UNARY(sin, real_sin(x))
UNARY(cos, real_cos(x))
UNARY(erf, real_erf(x))
UNARY(tanh, real_tanh(x))
UNARY(sigmoid, real_sigmoid(x))
UNARY(softplus, real_softplus(x))
UNARY(silu, real_silu(x))
BINARY(pow, real_pow(x, y))
#endif
