/* optim_math.cl: what update rules are made of, the library's and a user's own. After divide.cl and fused.cl.
 *
 *   -D CAUTIOUS   what a rule keeps of the weight and its step stay apart, so that the step can be masked
 */

/* From `from` towards `to` by `weight`; exact at both ends. */
static real interpolate(real from, real to, float weight) {
  const float near = weight < 0.5f ? weight : weight - 1.0f;
  const ireal low = weight < 0.5f ? (ireal)-1 : (ireal)0;
  return fused((real)near, to - from, choose(low, from, to));
}

/* Coupled decay: the gradient of g's function plus decay/2 · w². No decay leaves g as it is, whatever w holds. */
static real with_decay(real g, real w, float decay) {
  const ireal some = fabs(decay) > 0.0f ? (ireal)-1 : (ireal)0;
  return choose(some, fused((real)decay, w, g), g);
}

/* 1 or -1; x itself where that is 0 or NaN. */
static real sign_of(real x) { return choose(fabs(x) > 0.0f, copysign((real)1.0f, x), x); }

/* The larger one; NaN where one is. */
static real larger(real a, real b) { return choose(a > b, a, choose(is_nan(a), a, b)); }

/* x^(1/3) of 0 and above, within 1 unit of the last place, without a division: Newton's steps to x^(-1/3) from a start
 * by the exponent's third, and one from x times its square to the root. */
static real cube_root(real x) {
  const ireal small = x < 0x1p-100f;
  const real safe = x * choose(small, (real)0x1p45f, (real)0x1p-3f); /* so are all products below */
  real y = as_real((ireal)0x54a2fa8c - to_ireal(to_real(as_ireal(safe)) * (1.0f / 3)));
  for (int k = 0; k < 2; k++) y = fused(y * (1.0f / 3), fused(-(safe * y), y * y, (real)1.0f), y);
  const real square = y * y, near = safe * square;
  const real root = fused(square * (1.0f / 3), fused(-(near * near), near, safe), near);
  return choose(is_finite(x), root * choose(small, (real)0x1p-15f, (real)2.0f), x);
}

/* How a rule ends that can be cautious: the weight is what is kept of it and a step. g: the gradient that the step is
 * to agree with, w the rule's own. What else becomes of the weight is done to each of its parts, what is added to the
 * step to the last one. */
#ifdef CAUTIOUS
enum { WEIGHT_PARTS = 2 };
static void step_weight(real *w, real g, real kept, real step) {
  w[0] = kept;
  w[1] = step;
  w[2] = g;
}
static void step_along(real *w, real g, real kept, real rate, real direction) {
  step_weight(w, g, kept, rate * direction);
}
#else
enum { WEIGHT_PARTS = 1 };
static void step_weight(real *w, real g, real kept, real step) {
  (void)g;
  *w = kept + step;
}
static void step_along(real *w, real g, real kept, real rate, real direction) {
  (void)g;
  *w = fused(rate, direction, kept);
}
#endif
static void step_further(real *w, real rate, real direction) {
  w[WEIGHT_PARTS - 1] = fused(rate, direction, w[WEIGHT_PARTS - 1]);
}
