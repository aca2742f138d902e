/* math.cl: elementary functions with one result to the last bit, on every device and in both walks. After divide.cl;
 * float only.
 *
 * Written on `real` with +, -, *, fma() and divide() alone, which are rounded correctly, and integer operations. The
 * errors stated were found over all 2^32 floats, that of pow over 2^30 pairs. Subnormal arguments and results are
 * rounded like all others; but no operand or result of an fma() that counts is subnormal, nor is the sign of a zero
 * from one relied upon, since drivers that emulate it flush the one and lose the other.
 *
 *   real_exp, real_exp2               1 ulp
 *   real_expm1                        1 ulp
 *   real_log, real_log2, real_log1p   1 ulp
 *   real_log10                        1.5 ulp
 *   real_pow(x, y)                    1 ulp
 *   real_sin, real_cos                1 ulp
 *   real_erf                          1.5 ulp
 *   real_tanh, real_sigmoid           2 ulp
 *   real_softplus, real_silu          2 ulp
 *
 * "Minimax" says what a polynomial's greatest error is relative to, and how large it is with its coefficients as they
 * are, rounded to floats.
 */
#define WITH_MATH

/* ---- exponentials ------------------------------------------------------------------------------------------------ */

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

/* e^x = (1 + r + s) * 2^n for n the integer nearest to x / log(2), |x| <= 120, where |r| <= log(2) / 2 and |s| <= 0.07
 * is known to a few more bits than r. Minimax relative to r + s: 2^-32. */
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

/* e^x * 2^65 for x <= 0 (from 0 on, 2^65; below -120, what is there), for sums of exponentials and shares of such sums:
 * raised above the subnormals, within (2 + |x| / 16) ulp, in two thirds of real_exp's operations. What x lost when the
 * greatest element was taken from it weighs more than the second term. */
static real real_exp_raised(real x) {
  const real y = limit(x, -120.0f, 0.0f), t = fma(y, (real)0x1.715476p+0f, (real)(12582912.0f + 192.0f));
  const real n = t - (real)(12582912.0f + 192.0f), r = fma(n, (real)-0x1.62e430p-1f, y);
  real p = (real)0x1.6a48ccp-10f;
  p = fma(p, r, (real)0x1.12399ap-7f);
  p = fma(p, r, (real)0x1.5558b4p-5f);
  p = fma(p, r, (real)0x1.555492p-3f);
  p = fma(p, r, (real)0x1.fffffcp-2f);
  p = fma(p, r, (real)1.0f);
  p = fma(p, r, (real)1.0f);
  return p * as_real(as_ireal(t) << 23);
}

/* 2^k - 1 + 2^k r + 2^k s, all halved, since 2^128 is no float. What the first two sums lose is added with the smallest
 * term. */
static real real_expm1(real x) {
  ireal k;
  real s;
  const real r = exp_parts(limit(x, -20.0f, 100.0f), &k, &s);
  const real half_power = power_of_two(choose(k > (ireal)128, (ireal)128, k) - 1);
  const real a = half_power - (real)0.5f, b = half_power * r;
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

/* ---- logarithms -------------------------------------------------------------------------------------------------- */

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

/* ---- powers ------------------------------------------------------------------------------------------------------ */

/* log(x) of a positive x as a float and its rest, together good to 2^-33: with q = f / (2 + f), log(1 + f) is
 * 2 (q + q^3 / 3 + q^5 R(q^2)), of which q and the cube's third are carried in two parts each. Minimax of R relative to
 * q: 2^-34. */
static real log_pair(real x, real *rest) {
  ireal k;
  const real f = log_parts(x, &k), n = to_real(k), d = f + (real)2.0f, by_d = divide((real)1.0f, d);
  const real q = f * by_d, q_rest = fma(q, -f, fma(q, (real)-2.0f, f)) * by_d;
  const real z = q * q, c = z * q, c_rest = fma(z, q, -c) + q * (fma(q, q, -z) + (real)3.0f * q * q_rest);
  const real third = c * (real)0x1.555556p-2f;
  const real third_rest = fma(c, (real)0x1.555556p-2f, -third) +
                          (c * (real)-0x1.555556p-27f + c_rest * (real)0x1.555556p-2f);
  const real r = fma(fma((real)0x1.e8fda4p-4f, z, (real)0x1.2419a6p-3f), z, (real)0x1.999aa2p-3f);
  const real a = n * (real)0x1.62e4p-1f, b = q + q, e = third + third, s = a + b, t = s + e;
  const real small = n * (real)0x1.7f7d1cp-20f + (real)2.0f * (c * z * r + (third_rest + q_rest));
  const real lost = ((s - t) + e) + ((a - s) + b), sum = t + (lost + small);
  *rest = (t - sum) + (lost + small);
  return sum;
}

/* |x|^y = e^(y log|x|), the exponent in two parts. What C99 (F.9.4.4) says of zeros, infinities and NaN: anything to
 * the 0 and 1 to anything is 1, also for NaN; -1 to an infinity is 1; an infinite y is an even integer. */
static real real_pow(real x, real y) {
  const real ax = as_real(as_ureal(x) & MAGNITUDE_BITS), ay = as_real(as_ureal(y) & MAGNITUDE_BITS);
  /* A smaller y gives 1 all the same, a greater one 0, infinity or 1. */
  const real bounded = choose(ay < (real)0x1p-50f, (real)0x1p-50f, choose(ay > (real)0x1p40f, (real)0x1p40f, ay));
  real log_rest, s;
  ireal k;
  const real log_x = log_pair(ax, &log_rest), v = choose(y < (real)0.0f, -bounded, bounded);
  const real t = v * log_x, fits = limit(t, -120.0f, 120.0f);
  const real t_rest = choose(fits == t, fma(v, log_x, -t) + v * log_rest, (real)0.0f);
  const real r = exp_parts(fits, &k, &s), one = (real)1.0f + r;
  const real power = scale(one + ((s + t_rest * (one + s)) + (r - (one - (real)1.0f))), k);

  const real zero = (real)0.0f, infinite = as_real((ureal)INFINITY_BITS), nan = as_real((ureal)CANONICAL_NAN_BITS);
  real result = choose(ax == zero, choose(y < zero, infinite, zero), power);
  result = choose(ax == infinite, choose(y < zero, zero, infinite), result);
  const ireal odd_bit = to_ireal(choose(ay < (real)0x1p24f, ay, zero)) & 1;
  const ureal odd = choose(trunc(ay) == ay, as_ureal(odd_bit), (ureal)0);
  result = as_real(as_ureal(result) | ((as_ureal(x) & ~(ureal)MAGNITUDE_BITS) & (0 - odd)));
  /* A negative number to what is no integer. */
  const real of_negative = choose(ax == infinite, result, choose(trunc(ay) == ay, result, nan));
  result = choose(x < zero, of_negative, result);
  result = choose(is_nan(x), nan, choose(is_nan(y), nan, result));
  return choose(x == (real)1.0f, (real)1.0f, choose(y == zero, (real)1.0f, result));
}

/* ---- angles ------------------------------------------------------------------------------------------------------ */

/* x = (r + low) + k pi / 2 with |r| <= 0.79, for |x| < 2^15: pi / 2 in three parts, of which the first product leaves
 * no rest. */
static real small_angle(real x, real *low, ireal *k) {
  real n;
  *k = nearest(x * (real)0x1.45f306p-1f, &n);
  const real a = fma(n, (real)-0x1.921fb6p+0f, x), b = n * (real)-0x1.777a5cp-25f;
  const real b_rest = fma(n, (real)-0x1.777a5cp-25f, -b), s = a - b, v = s - a;
  const real lost = ((a - (s - v)) - (b + v)) - (b_rest + n * (real)-0x1.ee59dap-50f), r = s + lost;
  *low = (s - r) + lost;
  return r;
}

/* The same for the others, of any size (Payne and Hanek): x = m 2^e is multiplied with the 96 bits of 2 / pi that
 * matter, from the one that weighs 2^(1 - e) on; what is above them adds whole turns. */
static float large_angle(float x, float *low, int *k) {
  const uint two_by_pi[8] = {0,           0xa2f9836eu, 0x4e441529u, 0xfc2757d1u,
                             0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu};
  const uint u = as_uint(x) & MAGNITUDE_BITS, m = (u & 0x007fffffu) | 0x00800000u, first = (u >> 23) - 120;
  const uint at = min(first / 32, 4u), up = first % 32;
  uint w[3];
  for (uint i = 0; i < 3; i++) w[i] = (uint)(((ulong)two_by_pi[at + i] << 32 | two_by_pi[at + i + 1]) >> (32 - up));
  /* Quadrants, 2 bits before the point and 62 behind it. */
  const ulong product = ((ulong)m * w[0] << 32) + (ulong)m * w[1] + ((ulong)m * w[2] >> 32);
  const uint quadrant = (uint)((product + ((ulong)1 << 61)) >> 62);
  const long rest = (long)(product - ((ulong)quadrant << 62));
  const float high = (float)(int)(rest >> 38) * 0x1p-24f, middle = (float)((int)(rest >> 14) & 0xffffff) * 0x1p-48f;
  const float s = high + middle, s_rest = ((high - s) + middle) + (float)((int)rest & 0x3fff) * 0x1p-62f;
  const float a = s * 0x1.921fb6p+0f;
  const float a_rest = fma(s, 0x1.921fb6p+0f, -a) + (s * -0x1.777a5cp-25f + s_rest * 0x1.921fb6p+0f), r = a + a_rest;
  *low = x < 0.0f ? -((a - r) + a_rest) : (a - r) + a_rest;
  *k = x < 0.0f ? -(int)quadrant : (int)quadrant;
  return x < 0.0f ? -r : r;
}

static real angle(real x, real *low, ireal *k) {
  const real r = small_angle(limit(x, -0x1p15f, 0x1p15f), low, k);
  if (!any_lane(fabs(x) >= (real)0x1p15f)) return r;
#if W == 1
  return large_angle(x, low, k);
#else
  float each[W], rs[W], lows[W];
  int ks[W];
  CAT(vstore, W)(x, 0, each);
  CAT(vstore, W)(r, 0, rs);
  CAT(vstore, W)(*low, 0, lows);
  CAT(vstore, W)(*k, 0, ks);
  for (uint l = 0; l < W; l++)
    if (fabs(each[l]) >= 0x1p15f) rs[l] = large_angle(each[l], &lows[l], &ks[l]);
  *low = CAT(vload, W)(0, lows);
  *k = CAT(vload, W)(0, ks);
  return CAT(vload, W)(0, rs);
#endif
}

/* The sine of r + low + k pi / 2, |r| <= 0.79. Minimax relative to the sine: 2^-27.8; to the cosine: 2^-32.9. */
static real sine_of(real r, real low, ireal k) {
  const real z = r * r, h = (real)0.5f * z, one = (real)1.0f - h;
  const real p = fma(fma((real)-0x1.991c26p-13f, z, (real)0x1.1106c6p-7f), z, (real)-0x1.555544p-3f);
  const real q = fma(fma((real)0x1.99e330p-16f, z, (real)-0x1.6c0c1ep-10f), z, (real)0x1.55554ap-5f);
  const real sine = r + fma(r * z, p, low * one);
  const real cosine = one + ((((real)1.0f - one) - h) + fma(z * z, q, -(r * low)));
  const real y = choose((k & 1) == (ireal)0, sine, cosine);
  return as_real(as_ureal(y) ^ (as_ureal(k & 2) << 30));
}

static real real_sin(real x) {
  real low;
  ireal k;
  const real r = angle(x, &low, &k), y = choose(fabs(x) < (real)0x1p-12f, x, sine_of(r, low, k));
  return choose(is_finite(x), y, as_real((ureal)CANONICAL_NAN_BITS));
}

static real real_cos(real x) {
  real low;
  ireal k;
  const real r = angle(x, &low, &k);
  return choose(is_finite(x), sine_of(r, low, k + 1), as_real((ureal)CANONICAL_NAN_BITS));
}

/* ---- activations ------------------------------------------------------------------------------------------------- */

static real with_sign_of(real magnitude, real sign) {
  return as_real((as_ureal(magnitude) & MAGNITUDE_BITS) | (as_ureal(sign) & ~(ureal)MAGNITUDE_BITS));
}

/* Near 0 x + x P(x^2), further out 1 - e^(-a - a Q(a)); from 4 on it is 1. Minimax relative to erf: 2^-30, 2^-28.4. */
static real real_erf(real x) {
  const real a = as_real(as_ureal(x) & MAGNITUDE_BITS), z = a * a, t = limit(a, 0.0f, 4.0f);
  real p = (real)0x1.4f8e58p-14f;
  p = fma(p, z, (real)-0x1.a6126ep-11f);
  p = fma(p, z, (real)0x1.544aa8p-8f);
  p = fma(p, z, (real)-0x1.b80120p-6f);
  p = fma(p, z, (real)0x1.ce2d64p-4f);
  p = fma(p, z, (real)-0x1.812740p-2f);
  p = fma(p, z, (real)0x1.06eba8p-3f);
  real q = (real)-0x1.bf7844p-13f;
  q = fma(q, t, (real)0x1.a4b994p-9f);
  q = fma(q, t, (real)-0x1.76c2f0p-6f);
  q = fma(q, t, (real)0x1.af0c36p-4f);
  q = fma(q, t, (real)0x1.457f6ep-1f);
  q = fma(q, t, (real)0x1.072f7ep-3f);
  const real near = choose(a < (real)0x1p-13f, a + a * (real)0x1.06eba8p-3f, fma(p, a, a));
  const real far = (real)1.0f - real_exp(-fma(q, t, t));
  return with_sign_of(choose(a < (real)0.9375f, near, far), x);
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

/* factor / (1 + e^-x); for negative x as factor e^x / (1 + e^x), with the power of two of e^x left to the end so that
 * small results are rounded once. The reciprocal of 1 + e^-|x| is carried to more than a float. */
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
