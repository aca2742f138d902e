/* divide.cl: division and square root, correctly rounded, on every device and in both walks; in double as well.
 *
 *   divide(a, b), square_root(x)
 *
 *   -D ROUNDS_DIVIDE   the device's own are: they are used. Otherwise its reciprocals are starts, and +, -, *, fma()
 *                      and integers do the rest, under the rules of math.cl.
 */
#ifndef REAL_I64
#if defined(REAL_F64) || defined(ROUNDS_DIVIDE)
static real divide(real a, real b) { return a / b; }
static real square_root(real x) { return sqrt(x); }
#else

/* The positive float beside q on the side that the sign of `left` points to. */
static real beside(real q, real left) {
  return as_real(as_ireal(q) + choose(left > (real)0.0f, (ireal)1, (ireal)(-1)));
}

/* a / b of magnitudes, both as bits, by long division: right for every operand, and slow. */
static ureal long_division(ureal a, ureal b) {
  const ureal hidden = 0x00800000u, infinite = INFINITY_BITS;
  /* a = ma * 2^(ea - 150) with ma of 24 bits; subnormals are lifted into the normal range first. */
  const ureal la = choose(a < hidden, as_ureal(as_real(a) * (real)0x1p32f), a);
  const ureal lb = choose(b < hidden, as_ureal(as_real(b) * (real)0x1p32f), b);
  ureal ma = (la & 0x007fffffu) | hidden;
  const ureal mb = (lb & 0x007fffffu) | hidden;
  ireal e = as_ireal(la >> 23) - choose(a < hidden, (ireal)32, (ireal)0);
  e -= as_ireal(lb >> 23) - choose(b < hidden, (ireal)32, (ireal)0);
  e += choose(ma < mb, (ireal)126, (ireal)127);
  ma = choose(ma < mb, ma << 1, ma);
  /* 26 bits of the quotient, 1 <= q < 2, then a bit that says whether anything is left. */
  ureal q = 0;
  for (int k = 0; k < 26; k++) {
    q = (q << 1) | choose(ma >= mb, (ureal)1, (ureal)0);
    ma = (ma - choose(ma >= mb, mb, (ureal)0)) << 1;
  }
  q |= choose(ma != (ureal)0, (ureal)1, (ureal)0);
  /* Round to nearest even at the place the exponent asks for; a carry runs into the exponent as it should. */
  const ureal shift = as_ureal(choose(e > (ireal)0, (ireal)2, choose(e < (ireal)(-24), (ireal)27, (ireal)3 - e)));
  const ureal half_unit = (ureal)1 << (shift - 1), rest = q & ((half_unit << 1) - 1);
  ureal r = q >> shift;
  r += choose(rest > half_unit, (ureal)1, choose(rest == half_unit, r & 1, (ureal)0));
  r += choose(e > (ireal)0, as_ureal(e - 1) << 23, (ureal)0);
  r = choose(e >= (ireal)255, infinite, r);
  r = choose(a == (ureal)0, (ureal)0, choose(b == infinite, (ureal)0, r));
  r = choose(b == (ureal)0, infinite, choose(a == infinite, infinite, r));
  const ureal nan = CANONICAL_NAN_BITS;
  r = choose(as_ureal(a) == b, choose(a == (ureal)0, nan, choose(a == infinite, nan, r)), r);
  return choose(a > infinite, nan, choose(b > infinite, nan, r));
}

/* One division of the device's, of any accuracy down to 12 bits, then exact residuals: after a step of Newton's q is
 * within a unit of the last place, so the quotient's rounding is q or its neighbour, whichever leaves less. Ties do not
 * occur. */
static real divide(real a, real b) {
  const ureal ua = as_ureal(a) & MAGNITUDE_BITS, ub = as_ureal(b) & MAGNITUDE_BITS, ea = ua >> 23, eb = ub >> 23;
  const real n = as_real(ua), d = as_real(ub), y = (real)1.0f / d;
  real q = n * y;
  q = fma(fma(-q, d, n), y, q);
  const real left = fma(-q, d, n), other = beside(q, left);
  q = choose(fabs(fma(-other, d, n)) < fabs(left), other, q);
  /* Where the reciprocal, the quotient or a residual leaves the normal range: not b in 2^[-125, 125], a 0 or at least
   * 2^-78, and exponents at most 123 apart. */
  const ureal far = choose(ea - 49 > (ureal)205, (ureal)1, choose(ea - eb + 123 > (ureal)246, (ureal)1, (ureal)0));
  const ureal unfit = choose(eb - 2 > (ureal)250, (ureal)1, choose(ua == (ureal)0, (ureal)0, far));
  if (any_lane(unfit != (ureal)0)) q = choose(unfit != (ureal)0, as_real(long_division(ua, ub)), q);
  return as_real((as_ureal(q) & MAGNITUDE_BITS) | ((as_ureal(a) ^ as_ureal(b)) & ~(ureal)MAGNITUDE_BITS));
}

/* The same with the device's reciprocal square root, for x from 2^-78 on. x - s*s is a multiple of the square of s's
 * unit, and x lies nearer to s*s than to the neighbour's square exactly when the root lies nearer to s. */
static real root_of_normal(real x) {
  const real y = rsqrt(x), s0 = x * y;
  const real s = fma(fma(-s0, s0, x), (real)0.5f * y, s0);
  const real left = fma(-s, s, x), other = beside(s, left);
  return choose(fabs(fma(-other, other, x)) < fabs(left), other, s);
}

static real square_root(real x) {
  const ureal u = as_ureal(x);
  real s = root_of_normal(x);
  const ureal unfit = choose(u - 0x18800000u > (ureal)(0x7f7fffffu - 0x18800000u), (ureal)1, (ureal)0);
  if (any_lane(unfit != (ureal)0)) {
    const real small = root_of_normal(x * (real)0x1p96f) * (real)0x1p-48f;
    s = choose(unfit != (ureal)0, small, s);
    s = choose(u > (ureal)0x80000000u, as_real((ureal)CANONICAL_NAN_BITS), s);
    s = choose(u == (ureal)INFINITY_BITS, x, s);
    s = choose(is_nan(x), as_real((ureal)CANONICAL_NAN_BITS), s);
    s = choose((u & MAGNITUDE_BITS) == (ureal)0, x, s);
  }
  return s;
}
#endif
#endif
