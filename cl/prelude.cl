/* prelude.cl: in front of every program. The type that operations are written on, storage types, exactness.
 *
 *   -D WALK_CPU    real is a vector of W lanes: one work-item walks long contiguous runs
 *   (otherwise)    real is one element: neighbouring work-items take neighbouring elements
 *   -D SINGLE      real is one element in either walk
 *   -D REAL_F64    computes in double (W 8), for float64 tensors
 *   -D REAL_I64    computes in 64-bit integers (W 8), for the integer tensors; wraps modulo 2^64
 *   (otherwise)    computes in float (W 16)
 *
 * For each storage type T of f32 f16 bf16 f64 i32 i64 u8 there are
 *   T_t                          the type of one stored element
 *   real load_T(p, i)            W elements from p[i]
 *   real load_T_part(p, i, n)    the first n < W of them, the rest 0
 *   real load_T_ring(p, i, c, n) elements c, c + 1, … of a ring of n that begins at p[i]; c < n
 *   void store_T(x, p, i), store_T_part(x, p, i, n)
 * with p a __global pointer and i in elements; f64 only where real is double, the floats not where it is an integer.
 * Narrow floats are rounded to nearest even with integer code; a NaN is stored as the canonical quiet one. A float
 * stored as an integer is truncated towards 0 and saturates, NaN gives 0; an integer stored as a narrower one wraps.
 */
#pragma OPENCL FP_CONTRACT OFF

/* A hint that *p will be read. OpenCL's own prefetch is nothing at all on one CPU driver and a slow call on another:
 * -D FETCHES_AHEAD where the compiler has this built-in. */
#ifdef FETCHES_AHEAD
#define fetch_ahead(p) __builtin_prefetch((const void *)(size_t)(p))
#else
#define fetch_ahead(p)
#endif

/* For kernels of the GPU walk with many values. On its largest GPUs Intel's compiler takes 32 work-items a thread even
 * where their values do not fit the registers. Not where smaller GPUs want 8. */
#if defined(cl_intel_required_subgroup_size) && !defined(WALK_CPU)
#define SIXTEEN_A_THREAD __attribute__((intel_reqd_sub_group_size(16)))
#else
#define SIXTEEN_A_THREAD
#endif

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)

#ifdef REAL_F64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#define SCALAR double
#define SCALAR_INT long
#define SCALAR_UINT ulong
#define CANONICAL_NAN_BITS 0x7ff8000000000000UL
#define INFINITY_BITS 0x7ff0000000000000UL
#define MAGNITUDE_BITS 0x7fffffffffffffffUL
#elif defined(REAL_I64)
#define SCALAR long
#define SCALAR_INT long
#define SCALAR_UINT ulong
#else
#define SCALAR float
#define SCALAR_INT int
#define SCALAR_UINT uint
#define CANONICAL_NAN_BITS 0x7fc00000u
#define INFINITY_BITS 0x7f800000u
#define MAGNITUDE_BITS 0x7fffffffu
#endif

#if defined(WALK_CPU) && !defined(SINGLE)
#if defined(REAL_F64) || defined(REAL_I64)
#define W 8
#else
#define W 16
#endif
#define WIDE(type) CAT(type, W)
#else
#define W 1
#define WIDE(type) type
#endif

/* real; ireal and ureal, the integers of its width (comparisons of vectors give ireal: all ones is true). */
typedef WIDE(SCALAR) real;
typedef WIDE(SCALAR_INT) ireal;
typedef WIDE(SCALAR_UINT) ureal;
#define as_real CAT(as_, WIDE(SCALAR))
#define as_ireal CAT(as_, WIDE(SCALAR_INT))
#define as_ureal CAT(as_, WIDE(SCALAR_UINT))
#define to_real CAT(convert_, WIDE(SCALAR))
#define to_ireal CAT(convert_, WIDE(SCALAR_INT))
#define to_ureal CAT(convert_, WIDE(SCALAR_UINT))

/* choose(c, a, b): a where c, else b, lane by lane; any_lane(c): whether c holds in any. c is a comparison's result:
 * an int in the narrow walk, an ireal in the wide. */
#if W == 1
#define choose(c, a, b) ((c) ? (a) : (b))
#define any_lane(c) (c)
#else
#define choose(c, a, b) select((b), (a), (c))
#define any_lane(c) any(c)
#endif

/* Tests on the bits, so that no compiler option can remove them. */
#ifdef REAL_I64
#define is_nan(x) ((x) != (x))
#define is_finite(x) ((x) == (x))
#define canonical(x) (x)
#else
#define is_nan(x) ((as_ureal(x) & (ureal)MAGNITUDE_BITS) > (ureal)INFINITY_BITS)
#define is_finite(x) ((as_ureal(x) & (ureal)MAGNITUDE_BITS) < (ureal)INFINITY_BITS)
#define canonical(x) choose(is_nan(x), as_real((ureal)CANONICAL_NAN_BITS), (x))
#endif

/* ---- storage
 * ------------------------------------------------------------------------------------------------------------ */

typedef float f32_t;
typedef ushort f16_t;
typedef ushort bf16_t;
typedef int i32_t;
typedef long i64_t;
typedef uchar u8_t;

/* Conversions between stored bits (widened to uint) and float, for one element and for W of them. */
#define DEFINE_NARROW(F, U, suffix, SELECT, AS_F, AS_U)                                                              \
  static F CAT(half_to_float, suffix)(U h) {                                                                         \
    const U sign = (h & 0x8000u) << 16, m = (h & 0x7fffu) << 13;                                                      \
    const U normal = m + (112u << 23);                                                                               \
    const U subnormal = AS_U(AS_F(m + (113u << 23)) - AS_F((U)(113u << 23)));                                        \
    const U special = m | 0x7f800000u;                                                                               \
    U r = SELECT(m < (U)(1u << 23), subnormal, normal);                                                              \
    r = SELECT(m >= (U)(31u << 23), special, r);                                                                     \
    return AS_F(r | sign);                                                                                           \
  }                                                                                                                  \
  static U CAT(float_to_half, suffix)(F x) {                                                                         \
    const U sign = (AS_U(x) >> 16) & 0x8000u, a = AS_U(x) & 0x7fffffffu;                                             \
    const U normal = (a + 0xc8000fffu + ((a >> 13) & 1u)) >> 13;                                                     \
    const U subnormal = AS_U(AS_F(a) + 0.5f) - 0x3f000000u;                                                          \
    U r = SELECT(a < (U)0x38800000u, subnormal, normal);                                                             \
    r = SELECT(a >= (U)0x47800000u, (U)0x7c00u, r) | sign;                                                           \
    return SELECT(a > (U)0x7f800000u, (U)0x7e00u, r);                                                                \
  }                                                                                                                  \
  static F CAT(bfloat_to_float, suffix)(U h) { return AS_F(h << 16); }                                               \
  static U CAT(float_to_bfloat, suffix)(F x) {                                                                       \
    const U u = AS_U(x);                                                                                             \
    const U r = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;                                                              \
    return SELECT((u & 0x7fffffffu) > (U)0x7f800000u, (U)0x7fc0u, r);                                                \
  }
#define SELECT_1(c, a, b) ((c) ? (a) : (b))
#define SELECT_V(c, a, b) select((b), (a), (c))
DEFINE_NARROW(float, uint, , SELECT_1, as_float, as_uint)

#if W == 1
#define LOAD_W(p, i) (p)[i]
#define STORE_W(x, p, i) ((p)[i] = (x))
#define NARROW(f) f
#else
#define LOAD_W(p, i) CAT(vload, W)(0, (p) + (i))
#define STORE_W(x, p, i) CAT(vstore, W)((x), 0, (p) + (i))
DEFINE_NARROW(WIDE(float), WIDE(uint), _w, SELECT_V, CAT(as_, WIDE(float)), CAT(as_, WIDE(uint)))
#define NARROW(f) CAT(f, _w)
#endif

#define CONVERT_F32(x) CAT(convert_, WIDE(float))(x)
#define CONVERT_U32(x) CAT(convert_, WIDE(uint))(x)
#define CONVERT_U16(x) CAT(convert_, WIDE(ushort))(x)

/* FROM: stored W elements -> real; TO: real -> stored W elements. */
#define DEFINE_STORAGE(T, FROM, TO)                                                                                  \
  static real CAT(load_, T)(__global const CAT(T, _t) *p, size_t i) { return FROM(LOAD_W(p, i)); }                   \
  static void CAT(store_, T)(real x, __global CAT(T, _t) *p, size_t i) { STORE_W(TO(x), p, i); }                     \
  DEFINE_STORAGE_PART(T, FROM, TO)
#if W == 1
#define DEFINE_STORAGE_PART(T, FROM, TO)                                                                             \
  static real CAT(CAT(load_, T), _ring)(__global const CAT(T, _t) *p, size_t i, size_t c, size_t n) {                \
    return FROM(p[i + c]);                                                                                           \
  }
#else
#define DEFINE_STORAGE_PART(T, FROM, TO)                                                                             \
  static real CAT(CAT(load_, T), _part)(__global const CAT(T, _t) *p, size_t i, uint n) {                            \
    CAT(T, _t) lanes[W];                                                                                             \
    for (uint k = 0; k < W; k++) lanes[k] = (CAT(T, _t))0;                                                           \
    for (uint k = 0; k < n; k++) lanes[k] = p[i + k];                                                                \
    return FROM(CAT(vload, W)(0, lanes));                                                                            \
  }                                                                                                                  \
  static real CAT(CAT(load_, T), _ring)(__global const CAT(T, _t) *p, size_t i, size_t c, size_t n) {                \
    CAT(T, _t) lanes[W];                                                                                             \
    if (c + W <= n) return FROM(LOAD_W(p, i + c));                                                                   \
    for (uint k = 0; k < W; k++) {                                                                                   \
      lanes[k] = p[i + c];                                                                                           \
      c = c + 1 == n ? 0 : c + 1;                                                                                    \
    }                                                                                                                \
    return FROM(CAT(vload, W)(0, lanes));                                                                            \
  }                                                                                                                  \
  static void CAT(CAT(store_, T), _part)(real x, __global CAT(T, _t) *p, size_t i, uint n) {                         \
    CAT(T, _t) lanes[W];                                                                                             \
    CAT(vstore, W)(TO(x), 0, lanes);                                                                                 \
    for (uint k = 0; k < n; k++) p[i + k] = lanes[k];                                                                \
  }
#endif

#ifdef REAL_F64
typedef double f64_t;
#define F64_SAME(x) (x)
#define F64_STORE(x) canonical(x)
DEFINE_STORAGE(f64, F64_SAME, F64_STORE)
#define REAL_TO_F32(x) CONVERT_F32(x)
/* To a float on the way to a narrower one: rounded to odd, so that the second rounding gives what a single one would.
 * */
static WIDE(float) real_to_odd(real x) {
  const WIDE(float) f = CONVERT_F32(x);
  const real back = to_real(f);
  const WIDE(uint) beyond = CONVERT_U32(choose(fabs(back) > fabs(x), (ireal)1, (ireal)0));
  const WIDE(uint) inexact = CONVERT_U32(choose(back != x, (ireal)1, (ireal)0));
  return CAT(as_, WIDE(float))((CAT(as_, WIDE(uint))(f) - beyond) | inexact);
}
#define REAL_TO_NARROW(x) real_to_odd(x)
#else
#define REAL_TO_F32(x) (x)
#define REAL_TO_NARROW(x) (x)
#endif

#define F32_LOAD(x) to_real(x)
#define F32_NAN(x) NARROW(canonical_f32)(x)
static float canonical_f32(float x) { return (as_uint(x) & 0x7fffffffu) > 0x7f800000u ? as_float(0x7fc00000u) : x; }
#if W > 1
static WIDE(float) canonical_f32_w(WIDE(float) x) {
  const WIDE(uint) u = CAT(as_, WIDE(uint))(x);
  return CAT(as_, WIDE(float))(select(u, (WIDE(uint))0x7fc00000u, (u & 0x7fffffffu) > (WIDE(uint))0x7f800000u));
}
#endif
#define F32_STORE(x) F32_NAN(REAL_TO_F32(x))
#define F16_LOAD(x) to_real(NARROW(half_to_float)(CONVERT_U32(x)))
#define F16_STORE(x) CONVERT_U16(NARROW(float_to_half)(REAL_TO_NARROW(x)))
#define BF16_LOAD(x) to_real(NARROW(bfloat_to_float)(CONVERT_U32(x)))
#define BF16_STORE(x) CONVERT_U16(NARROW(float_to_bfloat)(REAL_TO_NARROW(x)))
#define INT_LOAD(x) to_real(x)
#ifdef REAL_I64
#define I32_STORE(x) CAT(convert_, WIDE(int))(x)
#define I64_STORE(x) (x)
#define U8_STORE(x) CAT(convert_, WIDE(uchar))(x)
#else
#define TRUNCATED(type, x) CAT(CAT(convert_, WIDE(type)), _sat_rtz)(choose(is_nan(x), (real)0, (x)))
#define I32_STORE(x) TRUNCATED(int, x)
#define I64_STORE(x) TRUNCATED(long, x)
#define U8_STORE(x) TRUNCATED(uchar, x)
DEFINE_STORAGE(f32, F32_LOAD, F32_STORE)
DEFINE_STORAGE(f16, F16_LOAD, F16_STORE)
DEFINE_STORAGE(bf16, BF16_LOAD, BF16_STORE)
#endif
DEFINE_STORAGE(i32, INT_LOAD, I32_STORE)
DEFINE_STORAGE(i64, INT_LOAD, I64_STORE)
DEFINE_STORAGE(u8, INT_LOAD, U8_STORE)
