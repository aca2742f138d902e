/* dynamic_map_lines.cl: the codes of dynamic_map.cl by straight lines, for vectors; after it, in the CPU walk.
 *
 *   real numbers_of_T(codes)            as decode_T
 *   ureal codes_of_T(x, ureal *least)   as encode_T for finite x of magnitudes to 1; may be off by one in a lane where
 *                                       *least becomes 0: then ask encode_T
 *
 *   -D PICKS=16    one of 16 floats is picked by one instruction for all lanes; without: of 8
 *
 * A float's exponent, and perhaps a bit of its mantissa, say on which line it lies: tables of 16. The kernel test
 * (test_dynamic_map.c) compares all codes, and all numbers about the middles of two.
 */
#ifdef WALK_CPU
/* A call costs as much as what is called. */
#define INLINE __attribute__((always_inline))

#if PICKS >= 16
static real pick_(real table, ureal k) { return __builtin_shufflevector(table, k & 15); }
#else
static float8 pick_half_(real table, uint8 k) {
  return select(shuffle(table.lo, k), shuffle(table.hi, k), as_int8(k << 28));
}
static real pick_(real table, ureal k) { return (real)(pick_half_(table, k.lo), pick_half_(table, k.hi)); }
#endif

/* ---- numbers of codes: from 0 on, each half of a decade is a line, from which roundings lead up by 0 to 3 units of
 * the last place: two bits a code, 16 codes a word. What is added to the count (where 0 is) was searched for, with
 * slopes and intercepts, until that was so. */
#define DECODING_LINE(F, SLOPES, INTERCEPTS) \
  const ureal k = as_ureal(F) >> 22;         \
  const real line = fma((F), pick_((real)SLOPES, k), pick_((real)INTERCEPTS, k));
INLINE static real line_of_signed8(ureal codes) {
  const real place = to_real(codes) - 127.0f, count = fabs(place) + 0.90625f;
  DECODING_LINE(count, (0, 0, 0x1.797cc6p-16f, 0x1.797ccp-16f, 0x1.d7dbf6p-14f, 0x1.d7dbf6p-14f, 0x1.26e976p-11f,
                        0x1.26e974p-11f, 0x1.70a3d6p-9f, 0x1.70a3d8p-9f, 0x1.ccccccp-7f, 0x1.cccccap-7f, 0, 0, 0, 0),
                (0x1.b43528p-19f, 0x1.040bfep-17f, -0x1.75e208p-14f, -0x1.75e1fep-14f, -0x1.bb645cp-11f,
                 -0x1.bb645ep-11f, -0x1.0da1c8p-7f, -0x1.0da1c4p-7f, -0x1.4c5c28p-4f, -0x1.4c5c2cp-4f, -0x1.9c8666p-1f,
                 -0x1.9c8662p-1f, 1, 0, 0, 0x1.27476ep-21f))
  return as_real(as_ureal(line) | (as_ureal(place) & 0x80000000u));
}
INLINE static real line_of_unsigned8(ureal codes) {
  const real count = to_real(codes) + 1.90625f;
  DECODING_LINE(count, (0, 0, 0x1.2dfd68p-19f, 0x1.2dfd64p-19f, 0x1.797cc4p-17f, 0x1.797cbep-17f, 0x1.d7dbf4p-15f,
                        0x1.d7dbf6p-15f, 0x1.26e978p-12f, 0x1.26e978p-12f, 0x1.70a3d6p-10f, 0x1.70a3d2p-10f,
                        0x1.ccccccp-8f, 0x1.ccccccp-8f, 0, 0),
                (0x1.5cf754p-22f, 0x1.a0133p-21f, -0x1.2b1b36p-17f, -0x1.2b1b2ep-17f, -0x1.62b6bp-14f, -0x1.62b6a6p-14f,
                 -0x1.af6944p-11f, -0x1.af6946p-11f, -0x1.09e354p-7f, -0x1.09e354p-7f, -0x1.4a051ep-4f, -0x1.4a0518p-4f,
                 -0x1.9b1p-1f, -0x1.9b1p-1f, 1, 0))
  return line;
}

/* Code c's two bits are turned to the lowest by turning its word by 2c. */
static real raised_(real line, ureal codes, ureal words) {
  const ureal word = as_ureal(pick_(as_real(words), codes >> 4));
  return as_real(as_ureal(line) + (rotate(word, codes + codes) & 3));
}
INLINE static real numbers_of_signed8(ureal codes) {
  return raised_(line_of_signed8(codes), codes,
                (ureal)(0x51104400, 0x01404011, 0x00441104, 0x45155528, 0x952449a4, 0x44155555, 0x55565561, 0x28540002,
                        0x00054a20, 0x55655556, 0x55550455, 0x9846158a, 0x15551446, 0x11044000, 0x00405011,
                        0x04411140));
}
INLINE static real numbers_of_unsigned8(ureal codes) {
  return raised_(line_of_unsigned8(codes), codes,
                (ureal)(0x040b4510, 0x5150040d, 0xe99e4553, 0x5985105a, 0x62492c86, 0x61454058, 0x859165a7, 0x5956aaae,
                        0xf699b66f, 0x98555155, 0x55154550, 0x64550445, 0x51545515, 0x45515451, 0x24491245,
                        0x91244910));
}

/* ---- codes of numbers: two binades have at most one of the boundaries between decades. The line is counted from 256,
 * so that the code is eight bits of the mantissa; where none follow, the number may lie on either side. */
enum { REST_OF_LINE = 0x7fff };
#define ENCODING_LINE(A, BOUNDS, SLOPES, INTERCEPTS, MOST)                                     \
  const ureal from = as_ureal(A) >> 24, k = choose((A) > pick_((real)BOUNDS, from), from + 1, from); \
  const real intercept = pick_((real)INTERCEPTS, k), most = fma(intercept, (real)2.25f, (real)MOST);  \
  const real line = fma((A), pick_((real)SLOPES, k), intercept), steps = choose(line > most, most, line);
#define LEAST_COUNTED 0x1p-23f
static ureal code_on_(real line, ureal *least) {
  *least = min(*least, as_ureal(line) & REST_OF_LINE);
  return (as_ureal(line) >> 15) & 255;
}
INLINE static ureal codes_of_signed8(real x, ureal *least) {
  const real a = choose(fabs(x) > LEAST_COUNTED, fabs(x), (real)LEAST_COUNTED);
  ENCODING_LINE(a, (2, 2, 2, 2, 0x1.27476ep-22f, 0x1.fe0704p-20f, 2, 0x1.e68a0cp-17f, 2, 0x1.00e6bp-13f,
                    0x1.23a29cp-10f, 2, 0x1.5a1cacp-7f, 0x1.a51eb8p-4f, 2, 0x1.fe3334p-1f),
                (0, 0, 0, 0, 0, 0, 0x1.b2071cp17f, 0x1.b2071cp17f, 0x1.5b38e4p15f, 0x1.5b38e4p15f, 0x1.15c71cp13f,
                 0x1.bc71c8p10f, 0x1.bc71c8p10f, 0x1.638e36p8f, 0x1.1c71c8p6f, 0x1.1c71c8p6f),
                (128, 0, 0, 0, 0, 1, 0x1.471cp0f, 0x1.471cp0f, 0x1.871cp1f, 0x1.871cp1f, 0x1.a71c8p2f, 0x1.b71c8p3f,
                 0x1.b71c8p3f, 0x1.bf1c8p4f, 0x1.c31c7p5f, 0x1.c31c7p5f), 0.375f)
  const real place = 383.5f + as_real(as_ureal(steps) | (as_ureal(x) & 0x80000000u));
  return code_on_(choose(place > 256.5f, place, (real)256.5f), least); /* there is none for -1 */
}
INLINE static ureal codes_of_unsigned8(real x, ureal *least) {
  const real a = choose(x > LEAST_COUNTED, x, (real)LEAST_COUNTED);
  ENCODING_LINE(a, (2, 2, 2, 2, 0x1.5cf754p-23f, 0x1.853b3cp-20f, 2, 0x1.9b0abp-17f, 0x1.d29dc8p-14f, 2,
                    0x1.14e3bcp-10f, 2, 0x1.50e56p-7f, 0x1.9f5c28p-4f, 2, 0x1.ff199ap-1f),
                (0, 0, 0, 0, 0, 0x1.0f4472p21f, 0x1.b2071cp18f, 0x1.b2071cp18f, 0x1.5b38e4p16f, 0x1.15c71cp14f,
                 0x1.15c71cp14f, 0x1.bc71c4p11f, 0x1.bc71c4p11f, 0x1.638e38p9f, 0x1.1c71c8p7f, 0x1.1c71c8p7f),
                (0x1.ff8p8f, 0x1.008p8f, 0x1.008p8f, 0x1.008p8f, 0x1.008p8f, 0x1.00c71cp8f, 0x1.028e38p8f,
                 0x1.028e38p8f, 0x1.061c72p8f, 0x1.0d38e4p8f, 0x1.0d38e4p8f, 0x1.1b71c8p8f, 0x1.1b71c8p8f,
                 0x1.37e38ep8f, 0x1.70c71cp8f, 0x1.70c71cp8f),
                -319)
  return code_on_(steps, least);
}
#endif
