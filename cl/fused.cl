/* fused.cl: fused(a, b, c) is a * b + c rounded once, for every operand, on every device.
 *
 *   -D FMA_FLUSHES   the driver's fma() takes subnormal operands for 0, gives 0 for subnormal results and may give -0
 *                    for +0. Then it serves where none of that can be, and integers do the rest. Float only; +, -, *
 *                    must be right everywhere.
 */
#ifndef FMA_FLUSHES
real fused(real a, real b, real c) { return fma(a, b, c); }
#else

/* x * 2^-n, with a last bit of 1 where anything is lost. */
ulong shift_sticky(ulong x, int n) {
  if (n == 0) return x;
  return n > 63 ? (ulong)(x != 0) : (x >> n) | (ulong)((x << (64 - n)) != 0);
}

/* A float's magnitude as *m * 2^e. */
int take_apart(float x, ulong *m) {
  const uint u = as_uint(x) & 0x7fffffffu, e = u >> 23;
  *m = (u & 0x007fffffu) | (e ? 0x00800000u : 0u);
  return (int)max(e, 1u) - 150;
}

/* m * 2^e rounded to nearest even, 0 < m < 2^63: the bits of a magnitude. */
uint put_together(ulong m, int e) {
  const int unit = max(e + 40 - (int)clz(m), -149), n = unit - e; /* of the last place, as a power of 2 */
  ulong r = n > 0 ? (n > 63 ? 0 : m >> n) : m << -n;
  if (n > 0 && n < 64) {
    const ulong rest = m - (r << n), half_unit = (ulong)1 << (n - 1);
    r += (ulong)(rest > half_unit || (rest == half_unit && (r & 1)));
  }
  return (uint)min(((ulong)(unit + 149) << 23) + r, (ulong)INFINITY_BITS);
}

int special(float x) { return (as_uint(x) & 0x7fffffffu) >= 0x7f800000u; }

/* By integers: both terms with their highest bit at 2^61, the smaller one shifted to the larger one's exponent. */
float fused_by_integers(float a, float b, float c) {
  if (!(fabs(a) > 0.0f && fabs(b) > 0.0f) || special(a) || special(b)) return a * b + c;
  if (special(c)) return c;
  ulong ma, mb, mc;
  int ep = take_apart(a, &ma) + take_apart(b, &mb), ec = take_apart(c, &mc);
  ulong product = ma * mb;
  const int up = (int)clz(product) - 2, uc = mc ? (int)clz(mc) - 2 : 0;
  product <<= up;
  mc <<= uc;
  ep -= up;
  ec = mc ? ec - uc : ep;
  const int e = max(ep, ec);
  product = shift_sticky(product, e - ep);
  mc = shift_sticky(mc, e - ec);
  const uint sign = (as_uint(a) ^ as_uint(b)) & 0x80000000u, other = as_uint(c) & 0x80000000u;
  if (sign == other) return as_float(sign | put_together(product + mc, e));
  if (product == mc) return 0.0f;
  if (product > mc) return as_float(sign | put_together(product - mc, e));
  return as_float(other | put_together(mc - product, e));
}

/* 1 where |x| is below `limit`, both as bits. */
ureal below(real x, uint limit) {
  return choose((as_ureal(x) & (ureal)MAGNITUDE_BITS) < (ureal)limit, (ureal)1, (ureal)0);
}

real fused(real a, real b, real c) {
  const real r = fma(a, b, c);
  const ureal doubt = below(r, 0x0d000000u) | below(a, 0x00800000u) | below(b, 0x00800000u) | below(c, 0x00800000u);
  if (!any_lane(doubt != (ureal)0)) return r;
#if W == 1
  return fused_by_integers(a, b, c);
#else
  float x[W], y[W], z[W];
  CAT(vstore, W)(a, 0, x);
  CAT(vstore, W)(b, 0, y);
  CAT(vstore, W)(c, 0, z);
  for (uint k = 0; k < W; k++) z[k] = fused_by_integers(x[k], y[k], z[k]);
  return CAT(vload, W)(0, z);
#endif
}
#endif
