/* order.cl: floats as integers of the same order, −0 below +0. Integers are their own. */
#ifdef REAL_I64
ireal order(real x) { return x; }
ireal upward(real x) { return x; }
ireal downward(real x) { return x; }
#else
#ifdef REAL_F64
#define SIGN_PLACE 63
#else
#define SIGN_PLACE 31
#endif
/* Its own inverse. */
ireal order(real x) { return as_ireal(x) ^ ((as_ireal(x) >> SIGN_PLACE) & (ireal)MAGNITUDE_BITS); }
#define NAN_ABOVE ((ireal)CANONICAL_NAN_BITS)              /* order of a NaN above all numbers */
#define NAN_BELOW ((ireal)~(SCALAR_INT)CANONICAL_NAN_BITS) /* of one below all numbers */
/* The greatest wins, NaN above all; or the least wins, NaN below all. */
ireal upward(real x) { return choose(is_nan(x), NAN_ABOVE, order(x)); }
ireal downward(real x) { return choose(is_nan(x), NAN_BELOW, order(x)); }
#endif
#define LOWEST ((ireal)((SCALAR_INT)1 << (sizeof(SCALAR_INT) * 8 - 1)))
