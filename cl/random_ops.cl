/* random_ops.cl: what 32 random bits of an element become, a function a distribution.
 *
 *   real draw_<name>(ureal bits, scalars s)
 *
 * The scalars are what the host worked out from the parameters, in double, rounded once: src/ops/random.c fills them in
 * the order of the struct.
 */
typedef struct {
  float scale, shift;    /* value = what is drawn * scale + shift … */
  float lowest, highest; /* … kept within these, which the storage holds exactly */
  float below, above, between; /* probabilities: below the interval, above it, of it */
  uint limit;            /* bernoulli: 2^31 times the probability */
} scalars;

static real placed(real x, scalars s) {
  const real y = x * s.scale + s.shift, z = choose(y < (real)s.lowest, (real)s.lowest, y);
  return choose(z > (real)s.highest, (real)s.highest, z);
}

#ifdef DRAWS_uniform
/* The upper 24 bits, a multiple of 2^-24. */
static real draw_uniform(ureal bits, scalars s) {
  return placed(to_real(as_ireal(bits >> 8)) * (real)0x1p-24f, s);
}
#endif

#ifdef DRAWS_bernoulli
static real draw_bernoulli(ureal bits, scalars s) {
  return choose((bits >> 1) < (ureal)s.limit, (real)1.0f, (real)0.0f);
}
#endif

#ifdef DRAWS_bits
static real draw_bits(ureal bits, scalars s) { return as_real(bits); }
#endif

#if defined(DRAWS_normal) || defined(DRAWS_truncated_normal)
/* The standard normal quantile at p, of x = 2p - 1 and w = -log(4p(1 - p)) = -log(1 - x^2): it is x times a smooth
 * function of w, or of its root far out. Minimax relative to the result: 2^-23.4; beyond w = 6, up to 72, 2^-20.1. */
static real quantile(real x, real w) {
  const real t = w - (real)3.0f;
  real c = (real)-0x1.1b22c2p-27f;
  c = fma(c, t, (real)-0x1.a549c4p-28f);
  c = fma(c, t, (real)0x1.59e6bep-21f);
  c = fma(c, t, (real)-0x1.65dc12p-19f);
  c = fma(c, t, (real)-0x1.2eaf6ep-16f);
  c = fma(c, t, (real)0x1.21dfb6p-12f);
  c = fma(c, t, (real)-0x1.35f46cp-10f);
  c = fma(c, t, (real)-0x1.09ee68p-7f);
  c = fma(c, t, (real)0x1.5deb08p-2f);
  c = fma(c, t, (real)0x1.25e47cp+1f);
  if (any_lane(w > (real)6.0f)) {
    const real root = square_root(choose(w > (real)6.0f, w, (real)6.0f)), u = divide((real)1.0f, root);
    real d = (real)-0x1.797b96p+6f;
    d = fma(d, u, (real)0x1.6f5b28p+7f);
    d = fma(d, u, (real)-0x1.179662p+7f);
    d = fma(d, u, (real)0x1.ad9a4ap+5f);
    d = fma(d, u, (real)-0x1.41a25cp+3f);
    d = fma(d, u, (real)0x1.0eed1cp-1f);
    d = fma(d, u, (real)-0x1.9be512p-3f);
    d = fma(d, u, (real)0x1.6b63dap+0f);
    c = choose(w > (real)6.0f, d * root, c);
  }
  return x * c;
}

/* -log(m) for m of the normal range: m = (1 + f) 2^k with 2/3 <= 1 + f < 4/3. Minimax of log(1 + f) absolutely:
 * 2^-24.4. */
static real depth(real m) {
  const ireal k = (as_ireal(m) - 0x3f2aaaab) >> 23;
  const real f = as_real(as_ireal(m) - (k << 23)) - (real)1.0f;
  real c = (real)-0x1.460322p-3f;
  c = fma(c, f, (real)0x1.6023bcp-3f);
  c = fma(c, f, (real)-0x1.4dfa10p-3f);
  c = fma(c, f, (real)0x1.952ef2p-3f);
  c = fma(c, f, (real)-0x1.002598p-2f);
  c = fma(c, f, (real)0x1.5561aep-2f);
  c = fma(c, f, (real)-0x1.ffff90p-2f);
  return fma(to_real(k), (real)-0x1.62e430p-1f, -fma(f * f, c, f));
}
#endif

#ifdef DRAWS_normal
/* At p = (bits + 1/2) / 2^32; x and 1 - x come from the bits themselves, so that both sides are alike. */
static real draw_normal(ureal bits, scalars s) {
  const ireal lower = as_ireal(~bits) >> 31, from_middle = as_ireal(bits ^ as_ureal(lower)) & 0x7fffffff;
  const real x = (to_real(from_middle) + (real)0.5f) * (real)0x1p-31f;
  const real from_end = (to_real(from_middle ^ 0x7fffffff) + (real)0.5f) * (real)0x1p-31f;
  const real z = quantile(x, depth(from_end * ((real)1.0f + x)));
  return placed(as_real(as_ureal(z) ^ (as_ureal(lower) << 31)), s);
}
#endif

#ifdef DRAWS_truncated_normal
/* p = below + u between, q = 1 - p = above + (1 - u) between: 2p - 1 is p - q and loses nothing at either end. */
static real draw_truncated_normal(ureal bits, scalars s) {
  const ireal r = as_ireal(bits >> 1);
  const real p = s.below + (to_real(r) + (real)0.5f) * (real)0x1p-31f * s.between;
  const real q = s.above + (to_real(r ^ 0x7fffffff) + (real)0.5f) * (real)0x1p-31f * s.between;
  return placed(quantile(p - q, depth((real)4.0f * p * q)), s);
}
#endif
