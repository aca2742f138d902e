/* math.cl: elementary functions with one result to the last bit, on every device and in both walks. After divide.cl; float only.
 *
 * Written on `real` with +, -, *, fma() and divide() alone, which are rounded correctly, and integer operations. The errors stated were
 * found over all 2^32 floats. Subnormal arguments and results are rounded like all others; but no operand or result of an fma() is
 * subnormal, nor is the sign of a zero from one relied upon, since drivers that emulate it flush the one and lose the other.
 *
 *   real_exp, real_exp2               1 ulp
 *   real_expm1                        1 ulp
 *   real_log, real_log2, real_log10   1 ulp
 *   real_log1p                        1 ulp
 *   real_tanh, real_sigmoid           2 ulp
 *   real_softplus, real_silu          2 ulp
 */
#define WITH_MATH

/* ---- exponentials ------------------------------------------------------------------------------------------------------- */

/* 2^k for -126 <= k <= 127. */
static real power_of_two(ireal k) { return as_real((k + 127) << 23); }

/* y * 2^k, rounded once if y * 2^(k/2) is normal: |k| up to 252. */
static real scale(real y, ireal k) { return y * power_of_two(k >> 1) * power_of_two(k - (k >> 1)); }

/* x limited to [low, high]; NaN stays. */
static real limit(real x, float low, float high) {
  const real y = choose(x < (real)low, (real)low, x);
  return choose(y > (real)high, (real)high, y);
}

/* The integer nearest to x, |x| < 2^22, and the same as a float. */
static ireal nearest(real x, real *whole) {
  const real t = x + (real)12582912.0f;
  *whole = t - (real)12582912.0f;
  return as_ireal(t) - 0x4b400000;
}

/* e^x = (1 + r + s) * 2^n for n the integer nearest to x / log(2), |x| <= 120, where |r| <= log(2) / 2 and |s| <= 0.07 is known to a
 * few more bits than r. Minimax relative to r + s: 2^-32. */
static real exp_reduced(real x, real n, real *s) {
  const real whole = fma(n, (real)-0x1.62e4p-1f, x), r = fma(n, (real)-0x1.7f7d1cp-20f, whole);
  const real rest = fma(n, (real)-0x1.7f7d1cp-20f, whole - r);
  real p = (real)0x1.a032c0p-13f;
  p = fma(p, r, (real)0x1.6d71f8p-10f);
  p = fma(p, r, (real)0x1.11118ap-7f);
  p = fma(p, r, (real)0x1.5554b2p-5f);
  p = fma(p, r, (real)0x1.555554p-3f);
  p = fma(p, r, (real)0.5f);
  *s = fma(p * r, r, rest);
  return r;
}

/* The same with n = k. */
static real exp_parts(real x, ireal *k, real *s) {
  real n;
  *k = nearest(x * (real)0x1.715476p+0f, &n);
  return exp_reduced(x, n, s);
}

/* The same as (y + rest) * 2^k, 0.7 < y < 1.42. */
static real exp_pair(real x, ireal *k, real *rest) {
  real s;
  const real r = exp_parts(x, k, &s), a = (real)1.0f + r, b = s + (r - (a - (real)1.0f)), y = a + b;
  *rest = b - (y - a);
  return y;
}

static real real_exp(real x) {
  ireal k;
  real s;
  const real r = exp_parts(limit(x, -120.0f, 120.0f), &k, &s), y = (real)1.0f + r;
  return scale(y + (s + (r - (y - (real)1.0f))), k);
}

/* e^x * 2^65 for x <= 0 (from 0 on, 2^65; below -120, what is there): real_exp's bits raised above the subnormals, in fewer operations. */
static real real_exp_raised(real x) {
  const real y = limit(x, -120.0f, 0.0f), t = y * (real)0x1.715476p+0f + (real)(12582912.0f + 192.0f);
  const real n = t - (real)(12582912.0f + 192.0f), power = as_real(as_ireal(t) << 23);
  real s;
  const real r = exp_reduced(y, n, &s), a = (real)1.0f + r;
  return (a + (s + (r - (a - (real)1.0f)))) * power;
}

/* 2^k - 1 + 2^k r + 2^k s, all halved, since 2^128 is no float. What the first two sums lose is added with the smallest term. */
static real real_expm1(real x) {
  ireal k;
  real s;
  const real r = exp_parts(limit(x, -20.0f, 100.0f), &k, &s);
  const real half_power = power_of_two(choose(k > (ireal)128, (ireal)128, k) - 1), a = half_power - (real)0.5f, b = half_power * r;
  const real sum = a + b, lost = (b - (sum - a)) + ((half_power - a) - (real)0.5f);
  const real y = sum + fma(half_power, s, lost);
  const real wide = choose(x > (real)89.0f, as_real((ureal)INFINITY_BITS), y + y);
  return choose(fabs(x) < (real)0x1p-25f, x, wide);
}

/* 2^x = (1 + t) * 2^k. Minimax on |r| <= 1/2, relative to t: 2^-34. */
static real real_exp2(real x) {
  real n;
  const real y = limit(x, -152.0f, 129.0f);
  const ireal k = nearest(y, &n);
  const real r = y - n;
  real p = (real)0x1.00f134p-16f;
  p = fma(p, r, (real)0x1.445e6ap-13f);
  p = fma(p, r, (real)0x1.5d8724p-10f);
  p = fma(p, r, (real)0x1.3b29f0p-7f);
  p = fma(p, r, (real)0x1.c6b08ep-5f);
  p = fma(p, r, (real)0x1.ebfbe0p-3f);
  p = fma(p, r, (real)0x1.62e430p-1f);
  return scale(fma(p, r, (real)1.0f), k);
}

/* ---- logarithms --------------------------------------------------------------------------------------------------------- */

/* log(1 + f) - f for 2/3 <= 1 + f < 4/3. Minimax relative to log(1 + f): 2^-27.6. */
static real log1p_rest(real f) {
  real q = (real)-0x1.0805acp-3f;
  q = fma(q, f, (real)0x1.1e66d4p-3f);
  q = fma(q, f, (real)-0x1.f31130p-4f);
  q = fma(q, f, (real)0x1.1ed714p-3f);
  q = fma(q, f, (real)-0x1.559dccp-3f);
  q = fma(q, f, (real)0x1.99d028p-3f);
  q = fma(q, f, (real)-0x1.fffef0p-3f);
  q = fma(q, f, (real)0x1.555506p-2f);
  const real h = f * f;
  return fma(h * f, q, (real)-0.5f * fma(f, f, -h)) - (real)0.5f * h;
}

/* The k that brings a normal x into [2/3, 4/3) * 2^k. */
static ireal log_exponent(real x) { return (as_ireal(x) - 0x3f2aaaab) >> 23; }

/* k * (high + low) + f + rest, where k * high is exact and above f, or 0. */
static real log_sum(ireal k, float high, float low, real f, real rest) {
  const real n = to_real(k), a = n * (real)high, s = a + f;
  return s + ((f - (s - a)) + fma(n, (real)low, rest));
}

/* f and k of a positive x; a subnormal one is lifted first. */
static real log_parts(real x, ireal *k) {
  const real y = choose(x < (real)0x1p-126f, x * (real)0x1p32f, x);
  const ireal e = log_exponent(y);
  *k = e - choose(x < (real)0x1p-126f, (ireal)32, (ireal)0);
  return as_real(as_ireal(y) - (e << 23)) - (real)1.0f;
}

/* What is no positive finite number: 0, infinity, NaN and the negatives. */
static real log_special(real x, real y) {
  const ureal u = as_ureal(x);
  y = choose((u & MAGNITUDE_BITS) == (ureal)0, as_real((ureal)0xff800000u), y);
  y = choose(u == (ureal)INFINITY_BITS, x, y);
  y = choose(u > (ureal)0x80000000u, as_real((ureal)CANONICAL_NAN_BITS), y);
  return choose(is_nan(x), as_real((ureal)CANONICAL_NAN_BITS), y);
}

static real real_log(real x) {
  ireal k;
  const real f = log_parts(x, &k);
  return log_special(x, log_sum(k, 0x1.62e4p-1f, 0x1.7f7d1cp-20f, f, log1p_rest(f)));
}

/* log2(1 + f) = f * c + rest: with c = high + low and f * high split by fma, so that only small parts are rounded. */
static real log_based(real x, float c_high, float c_low, float two_high, float two_low) {
  ireal k;
  const real f = log_parts(x, &k), r = log1p_rest(f);
  const real g = f * (real)c_high, e = fma(f, (real)c_high, -g);
  const real rest = fma(r, (real)c_high, fma(f + r, (real)c_low, e));
  return log_special(x, log_sum(k, two_high, two_low, g, rest));
}
static real real_log2(real x) { return log_based(x, 0x1.715476p+0f, 0x1.4ae0c0p-26f, 1.0f, 0.0f); }
static real real_log10(real x) { return log_based(x, 0x1.bcb7b2p-2f, -0x1.5b235ep-27f, 0x1.344p-2f, 0x1.3509f8p-18f); }

static real real_log1p(real x) {
  const ireal k = log_exponent((real)1.0f + x);
  const real half_way = power_of_two(-(k >> 1)), rest_of_way = power_of_two((k >> 1) - k);
  /* f = x 2^-k + (2^-k - 1), and what the sum loses, carried to first order through log(1 + f). */
  const real a = x * half_way * rest_of_way, b = half_way * rest_of_way - (real)1.0f, f = a + b, v = f - a;
  const real lost = (a - (f - v)) + (b - v), carried = fma(-lost, fma(-f, f, f), lost);
  real y = log_sum(k, 0x1.62e4p-1f, 0x1.7f7d1cp-20f, f, carried + log1p_rest(f));
  y = choose(x == (real)-1.0f, as_real((ureal)0xff800000u), y);
  y = choose(x < (real)-1.0f, as_real((ureal)CANONICAL_NAN_BITS), y);
  y = choose(as_ureal(x) == (ureal)INFINITY_BITS, x, y);
  return choose(fabs(x) < (real)0x1p-25f, x, choose(is_nan(x), as_real((ureal)CANONICAL_NAN_BITS), y));
}

/* ---- activations -------------------------------------------------------------------------------------------------------- */

static real with_sign_of(real magnitude, real sign) {
  return as_real((as_ureal(magnitude) & MAGNITUDE_BITS) | (as_ureal(sign) & ~(ureal)MAGNITUDE_BITS));
}

/* Near 0 a polynomial (minimax, 2^-32), further out 1 - 2 / (e^2x + 1). */
static real real_tanh(real x) {
  const real a = as_real(as_ureal(x) & MAGNITUDE_BITS), z = a * a;
  real p = (real)0x1.18e1dep-9f;
  p = fma(p, z, (real)-0x1.0bf4fep-7f);
  p = fma(p, z, (real)0x1.638b58p-6f);
  p = fma(p, z, (real)-0x1.b9ee90p-5f);
  p = fma(p, z, (real)0x1.111066p-3f);
  p = fma(p, z, (real)-0x1.555554p-2f);
  const real near = choose(a < (real)0x1p-13f, a, fma(p * z, a, a));
  const real far = (real)1.0f - divide((real)2.0f, real_exp(limit(a + a, 0.0f, 40.0f)) + (real)1.0f);
  return with_sign_of(choose(a < (real)0.625f, near, far), x);
}

/* factor / (1 + e^-x); for negative x as factor e^x / (1 + e^x), with the power of two of e^x left to the end so that small
 * results are rounded once. The reciprocal of 1 + e^-|x| is carried to more than a float. */
static real sigmoid_times(real x, real factor) {
  ireal k;
  real p_rest;
  const real p = exp_pair(limit(-fabs(x), -120.0f, 0.0f), &k, &p_rest), e = scale(p, k);
  const real d = (real)1.0f + e, y = divide((real)1.0f, d);
  const real y_rest = y * (fma(-y, d, (real)1.0f) - ((e - (d - (real)1.0f)) + scale(p_rest, k)));
  const real q = choose(x < (real)0.0f, p, (real)1.0f), q_rest = choose(x < (real)0.0f, p_rest, (real)0.0f);
  const real n = factor * q, n_rest = fma(factor, q, -n) + factor * q_rest;
  const real product = fma(n, y, fma(n, y_rest, n_rest * y));
  const real extreme = choose(fabs(factor) < (real)0x1p-60f, n * y, choose(is_finite(factor), product, n * y));
  return choose(x < (real)0.0f, scale(extreme, k), extreme);
}
static real real_sigmoid(real x) { return sigmoid_times(x, (real)1.0f); }
static real real_silu(real x) { return sigmoid_times(x, choose(x < (real)-200.0f, (real)-200.0f, x)); }

static real real_softplus(real x) {
  return choose(x > (real)0.0f, x, (real)0.0f) + real_log1p(real_exp(-fabs(x)));
}
