/* dynamic_map.cl: numbers from -1 to 1, or from 0 to 1, as 8-bit codes, by bitsandbytes' create_dynamic_map.
 *
 *   real decode_T(codes)      T signed8 or unsigned8; codes as ureal
 *   ureal encode_T(x)         of the value nearest to x; a tie goes to the one nearer to 0, a NaN to 0
 *
 * Magnitudes lie in seven decades up to 1, 1, 2, 4 … 64 of them (unsigned: 2, 4 … 128), then 1 itself. In a decade they
 * are the middles of equal parts: of as many floats as PyTorch's linspace(0.1, 1) puts there, whose roundings are
 * followed bit by bit. Magnitudes are counted from 0 (unsigned: from 1), so that a count is 2^decade·(1 + part), which
 * as a float has the decade in its exponent and the part in its mantissa. Negative codes lie below that of 0, without
 * one for -1.
 */
typedef uchar signed8_t;
typedef uchar unsigned8_t;

/* Of the number `count`. unit: the first decade's. Operands of fma are normal or 0. */
static real magnitude_of(real count, float unit) {
  const ureal bits = as_ureal(count), exponent = bits & 0x7f800000u;
  const real begin = as_real((bits & 0x007fffffu) | 0x3f800000u) - 1.0f, end = begin + as_real(0x7f000000u - exponent);
  const real low = choose(begin < 0.5f, fma(begin, (real)0.9f, (real)0.1f), fma(begin - 1.0f, (real)0.9f, (real)1.0f));
  const real high = choose(end < 0.5f, fma(end, (real)0.9f, (real)0.1f), fma(end - 1.0f, (real)0.9f, (real)1.0f));
  real half_scale = choose(count >= unit, (real)(0.5f * 1e-6f), (real)0.0f);
  half_scale = choose(count >= 2 * unit, (real)(0.5f * 1e-5f), half_scale);
  half_scale = choose(count >= 4 * unit, (real)(0.5f * 1e-4f), half_scale);
  half_scale = choose(count >= 8 * unit, (real)(0.5f * 1e-3f), half_scale);
  half_scale = choose(count >= 16 * unit, (real)(0.5f * 1e-2f), half_scale);
  half_scale = choose(count >= 32 * unit, (real)(0.5f * 1e-1f), half_scale);
  half_scale = choose(count >= 64 * unit, (real)0.5f, half_scale);
  return choose(count >= 128 * unit, (real)1.0f, (low + high) * half_scale);
}

/* A decade's line through its parts: count = slope·a + intercept. 0x1.c71c72p-1 is 8/9, the widths are 0.9 of a power
 * of ten. */
#define DECADE(beyond, parts, parts_over_width)                            \
  slope = choose(a > beyond, (real)(unit * parts_over_width), slope);     \
  intercept = choose(a > beyond, (real)(unit * parts * 0x1.c71c72p-1f), intercept);

/* The number of the magnitude nearest to a. Between decades the middles are given; within one a line leads to it, but
 * for rounding: *doubt gets a bit where that may matter. Then the two middles beside it decide. */
#define DEFINE_COUNT(T, UNIT, M0, M1, M2, M3, M4, M5, M6, M7)                                                         \
  static real CAT(count_, T)(real a, ireal *doubt) {                                                                  \
    const float unit = UNIT;                                                                                          \
    real slope = (real)0.0f, intercept = (real)(unit - 0.5f);                                                         \
    DECADE(M0, 1, 0x1.0f4472p20f) DECADE(M1, 2, 0x1.b2071cp17f) DECADE(M2, 4, 0x1.5b38e4p15f)                         \
    DECADE(M3, 8, 0x1.15c71cp13f) DECADE(M4, 16, 0x1.bc71c8p10f) DECADE(M5, 32, 0x1.638e38p8f)                        \
    DECADE(M6, 64, 0x1.1c71c8p6f)                                                                                     \
    slope = choose(a > M7, (real)0.0f, slope);                                                                        \
    intercept = choose(a > M7, (real)(128 * unit + 0.5f), intercept);                                                 \
    const real line = a * slope + intercept, most = intercept * 2.25f - 0.5f;                                         \
    const real place = choose(line > most, most, line), count = to_real(to_ireal(place));                             \
    *doubt |= fabs(place - count - 0.5f) > 0.5f - 0x1p-14f;                                                           \
    return count;                                                                                                     \
  }                                                                                                                   \
  static real CAT(decided_, T)(real a) {                                                                              \
    const float unit = UNIT;                                                                                          \
    ireal doubt = 0;                                                                                                  \
    const real count = CAT(count_, T)(a, &doubt);                                                                     \
    if (!any_lane(doubt)) return count;                                                                               \
    const real here = magnitude_of(count, unit);                                                                      \
    const real below = (magnitude_of(count - 1.0f, unit) + here) * 0.5f;                                              \
    const real above = (magnitude_of(count + 1.0f, unit) + here) * 0.5f;                                              \
    const real beside = choose(a > above, count + 1.0f, choose(a > below, count, count - 1.0f));                      \
    return choose(doubt, beside, count);                                                                              \
  }
DEFINE_COUNT(signed8, 1.0f, 0x1.27476ep-22f, 0x1.fe0704p-20f, 0x1.e68a0cp-17f, 0x1.00e6bp-13f, 0x1.23a29cp-10f,
             0x1.5a1cacp-7f, 0x1.a51eb8p-4f, 0x1.fe3334p-1f)
DEFINE_COUNT(unsigned8, 2.0f, 0x1.5cf754p-23f, 0x1.853b3cp-20f, 0x1.9b0abp-17f, 0x1.d29dc8p-14f, 0x1.14e3bcp-10f,
             0x1.50e56p-7f, 0x1.9f5c28p-4f, 0x1.ff199ap-1f)

static real decode_signed8(ureal code) {
  const ireal from_zero = as_ireal(code) - 127;
  const real size = magnitude_of(to_real(abs(from_zero)), 1.0f);
  return as_real(as_ureal(size) | (as_ureal(from_zero) & 0x80000000u));
}
static real size_signed8(real x) { return choose(is_nan(x), (real)0.0f, fabs(x)); }
static ureal code_signed8(real x, real count) {
  const ireal steps = to_ireal(count);
  return as_ureal(127 + choose(x < 0.0f, -min(steps, (ireal)127), steps));
}
static ureal encode_signed8(real x) { return code_signed8(x, decided_signed8(size_signed8(x))); }

static real decode_unsigned8(ureal code) { return magnitude_of(to_real(code) + 1.0f, 2.0f); }
static real size_unsigned8(real x) { return choose(x > 0.0f, x, (real)0.0f); }
static ureal encode_unsigned8(real x) { return to_ureal(decided_unsigned8(size_unsigned8(x))) - 1; }
