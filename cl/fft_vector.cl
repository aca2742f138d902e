/* fft_vector.cl: what both CPU walks of fft_radix.cl do with vectors of eight. */

/* Functions that are there once: a driver takes seconds for the copies of them that it would make. */
#define APART __attribute__((noinline))

/* Parts of numbers that come in pairs. -D INVERSE: real and imaginary ones change places, at both ends. */
#ifdef INVERSE
#define RE odd
#define IM even
#else
#define RE even
#define IM odd
#endif

/* Rows of eight become columns. */
#define SINGLES(x, y)                                                      \
  {                                                                        \
    const V t = (V)(x.s0, y.s0, x.s1, y.s1, x.s4, y.s4, x.s5, y.s5);       \
    y = (V)(x.s2, y.s2, x.s3, y.s3, x.s6, y.s6, x.s7, y.s7), x = t;        \
  }
#define PAIRS(x, y)                         \
  {                                         \
    const V t = (V)(x.s01, y.s01, x.s45, y.s45); \
    y = (V)(x.s23, y.s23, x.s67, y.s67), x = t; \
  }
#define HALVES(x, y)                    \
  {                                     \
    const V t = (V)(x.lo, y.lo);        \
    y = (V)(x.hi, y.hi), x = t;         \
  }
static void transpose8(V *v) {
  SINGLES(v[0], v[1]) SINGLES(v[2], v[3]) SINGLES(v[4], v[5]) SINGLES(v[6], v[7])
  PAIRS(v[0], v[2]) PAIRS(v[1], v[3]) PAIRS(v[4], v[6]) PAIRS(v[5], v[7])
  HALVES(v[0], v[4]) HALVES(v[1], v[5]) HALVES(v[2], v[6]) HALVES(v[3], v[7])
  const V t1 = v[2], t2 = v[1], t5 = v[6], t6 = v[5];
  v[1] = t1, v[2] = t2, v[5] = t5, v[6] = t6;
}

static V last_lanes(V x, float scale) {
  const V y = x * scale;
  const uint8 bits = as_uint8(y);
  return as_float8(select(bits, (uint8)CANONICAL_NAN_BITS, (bits & MAGNITUDE_BITS) > (uint8)INFINITY_BITS));
}
