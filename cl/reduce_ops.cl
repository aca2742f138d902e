/* reduce_ops.cl: what reductions accumulate, kind by kind, and the operations, a few one-line functions each.
 *
 *   -D OP=op_sum -D KIND_value   the operation and its kind
 *   -D PARTS_ONLY             instead of OP: no elements and no result, these are the shell's
 *   -D SINGLE -D SECOND       the later stages: elements are the parts that the stage before left, `real` is one value
 *
 * A kind says what a lane carries, acc, and what a block leaves, part (FIELDS and PARTS: the field's type in a lane,
 * its type in a part, its name), and has
 *   acc init()              the exact identity of join: what a lane without elements holds
 *   acc join(acc a, acc b)  two neighbours, a before b
 *   part lift(acc a, …)     a block's part from its joined lanes
 * and, where parts are not joined as lanes are, the two for parts. An operation says how an element becomes an acc
 * (op_…_map) and how the last part becomes the result (op_…_done; n is the count of elements). Kinds with a PIVOT
 * make a first pass over the block, which stays in the cache, for the value that the second is relative to.
 */

/* Indices and counts: 32 bits within a block, 64 across blocks. */
#ifdef SECOND
typedef long place;
#else
typedef ireal place;
#endif

#define IN_LANE(type, stored, name) type name;
#define IN_PART(type, stored, name) stored name;
#define LIFT_FIELD(type, stored, name) p.name = (stored)LANE0(a.name);
#if W == 1
#define LANE0(v) (v)
#else
#define LANE0(v) (v).s0
#endif
#ifdef SECOND
#define DEFINE_TYPES                  \
  typedef struct {                    \
    FIELDS(IN_PART)                   \
  } part;                             \
  typedef part acc;
#else
#define DEFINE_TYPES                  \
  typedef struct {                    \
    FIELDS(IN_LANE)                   \
  } acc;                              \
  typedef struct {                    \
    FIELDS(IN_PART)                   \
  } part;
#endif
#define MAP CAT(OP, _map)
#define DONE CAT(OP, _done)

#define HIGHEST (~LOWEST)

#ifdef REAL_I64
#define EMPTY_SUM 0
#else
#define EMPTY_SUM (-(SCALAR)0) /* +0 would turn a sum of −0 into +0 */
#endif

/* ---- value: sums and products; with -D USER a text's own functions on one value ---- */

#ifdef KIND_value
#define FIELDS(F) F(real, SCALAR, v)
#define RESULT SCALAR

#if !defined(PARTS_ONLY) && !defined(USER)
real op_sum_map(real x) { return x; }
real op_prod_map(real x) { return x; }
SCALAR op_sum_done(SCALAR v, ulong n) { return n ? v : (SCALAR)0; }
SCALAR op_prod_done(SCALAR v, ulong n) { return v; }
#ifndef REAL_I64
real op_mean_map(real x) { return x; }
real op_asum_map(real x) { return fabs(x); }
real op_sumsq_map(real x) { return x * x; }
real op_nrm2_map(real x) { return x * x; }
real op_dot_map(real x, real y) { return x * y; }
SCALAR op_mean_done(SCALAR v, ulong n) { return LANE0(divide((real)v, (real)(SCALAR)n)); }
SCALAR op_asum_done(SCALAR v, ulong n) { return n ? v : (SCALAR)0; }
SCALAR op_sumsq_done(SCALAR v, ulong n) { return n ? v : (SCALAR)0; }
SCALAR op_nrm2_done(SCALAR v, ulong n) { return n ? LANE0(square_root((real)v)) : (SCALAR)0; }
SCALAR op_dot_done(SCALAR v, ulong n) { return n ? v : (SCALAR)0; }
#endif
#endif

DEFINE_TYPES
#if defined(USER)
acc init(void) { const acc a = {CAT(OP, _init)()}; return a; }
acc join(acc a, acc b) { a.v = CAT(OP, _join)(a.v, b.v); return a; }
#elif defined(MULTIPLIES)
acc init(void) { const acc a = {(real)1}; return a; }
acc join(acc a, acc b) { a.v = a.v * b.v; return a; }
#else
acc init(void) { const acc a = {(real)EMPTY_SUM}; return a; }
acc join(acc a, acc b) { a.v = a.v + b.v; return a; }
#endif
#ifndef PARTS_ONLY
#ifndef SECOND
#ifdef INPUTS_2
acc element(real x, real y, ireal i) { const acc a = {MAP(x, y)}; return a; }
#else
acc element(real x, ireal i) { const acc a = {MAP(x)}; return a; }
#endif
part lift(acc a, ulong base, uint n) { part p; FIELDS(LIFT_FIELD) return p; }
#endif
#ifdef USER
RESULT finish(part p, ulong n) { return LANE0(DONE((real)p.v, n)); }
#else
RESULT finish(part p, ulong n) { return DONE(p.v, n); }
#endif
#endif
#endif

/* ---- pair: two sums ---- */

#ifdef KIND_pair
#define FIELDS(F) F(real, SCALAR, u) F(real, SCALAR, v)
DEFINE_TYPES
acc init(void) { const acc a = {-(real)0, -(real)0}; return a; }
acc join(acc a, acc b) {
  a.u = a.u + b.u;
  a.v = a.v + b.v;
  return a;
}
#endif

/* ---- compensated: sums as two floats, of which the second holds what the first loses (Knuth's two-sum; products by
 * fma) ---- */

#ifdef KIND_compensated
#define FIELDS(F) F(real, SCALAR, v) F(real, SCALAR, e)
#define RESULT SCALAR

DEFINE_TYPES
acc init(void) { const acc a = {(real)EMPTY_SUM, (real)EMPTY_SUM}; return a; }
acc join(acc a, acc b) {
  const real s = a.v + b.v, moved = s - a.v, lost = (a.v - (s - moved)) + (b.v - moved);
  const acc j = {s, (a.e + b.e) + lost};
  return j;
}
/* A zero of e has no sign to give, and what is lost beside an infinity is no number. */
SCALAR whole(SCALAR v, SCALAR e) { return LANE0(is_finite((real)v)) && e != 0 ? v + e : v; }
#ifndef SECOND
acc op_sum_compensated_map(real x) { const acc a = {x, (real)0}; return a; }
acc op_mean_compensated_map(real x) { const acc a = {x, (real)0}; return a; }
acc product(real x, real y) {
  const real p = x * y;
  const acc a = {p, fused(x, y, -p)};
  return a;
}
acc op_sumsq_compensated_map(real x) { return product(x, x); }
acc op_nrm2_compensated_map(real x) { return product(x, x); }
acc op_dot_compensated_map(real x, real y) { return product(x, y); }
#ifdef INPUTS_2
acc element(real x, real y, ireal i) { return MAP(x, y); }
#else
acc element(real x, ireal i) { return MAP(x); }
#endif
part lift(acc a, ulong base, uint n) { part p; FIELDS(LIFT_FIELD) return p; }
#endif
SCALAR op_sum_compensated_done(SCALAR v, ulong n) { return n ? v : 0; }
SCALAR op_mean_compensated_done(SCALAR v, ulong n) { return LANE0(divide((real)v, (real)(SCALAR)n)); }
SCALAR op_sumsq_compensated_done(SCALAR v, ulong n) { return n ? v : 0; }
SCALAR op_nrm2_compensated_done(SCALAR v, ulong n) { return n ? LANE0(square_root((real)v)) : 0; }
SCALAR op_dot_compensated_done(SCALAR v, ulong n) { return n ? v : 0; }
RESULT finish(part p, ulong n) { return DONE(whole(p.v, p.e), n); }
#endif

/* ---- extreme: the greatest or least, as an ordered integer ---- */

#ifdef KIND_extreme
#define FIELDS(F) F(ireal, SCALAR_INT, key)
#define RESULT SCALAR

ireal op_max_map(real x) { return upward(x); }
ireal op_min_map(real x) { return ~downward(x); }
SCALAR_INT op_max_done(SCALAR_INT key) { return key; }
SCALAR_INT op_min_done(SCALAR_INT key) { return ~key; }
#ifndef REAL_I64
ireal op_amax_map(real x) { return upward(fabs(x)); }
ireal op_amin_map(real x) { return ~downward(fabs(x)); }
SCALAR_INT op_amax_done(SCALAR_INT key) { return key; }
SCALAR_INT op_amin_done(SCALAR_INT key) { return ~key; }
#endif

DEFINE_TYPES
acc init(void) { const acc a = {LOWEST}; return a; }
acc join(acc a, acc b) { a.key = max(a.key, b.key); return a; }
#ifndef SECOND
acc element(real x, ireal i) { const acc a = {MAP(x)}; return a; }
part lift(acc a, ulong base, uint n) { part p; FIELDS(LIFT_FIELD) return p; }
#endif
RESULT finish(part p, ulong n) { return LANE0(as_real(order(as_real((ireal)DONE(p.key))))); }
#endif

/* ---- index: where the greatest or least is; the first wins ---- */

#ifdef KIND_index
#define FIELDS(F) F(ireal, SCALAR_INT, key) F(place, long, at)
#define RESULT long

ireal op_argmax_map(real x) { return upward(x); }
ireal op_argmin_map(real x) { return ~downward(x); }

DEFINE_TYPES
acc init(void) {
#ifdef SECOND
  const acc a = {LOWEST, LONG_MAX};
#else
  const acc a = {LOWEST, HIGHEST};
#endif
  return a;
}
#if W == 1
acc join(acc a, acc b) { return b.key > a.key || (b.key == a.key && b.at < a.at) ? b : a; }
#else
acc join(acc a, acc b) {
  const ireal take = (b.key > a.key) | ((b.key == a.key) & (b.at < a.at));
  a.key = choose(take, b.key, a.key);
  a.at = choose(take, b.at, a.at);
  return a;
}
#endif
#ifndef SECOND
acc element(real x, ireal i) { const acc a = {MAP(x), i}; return a; }
part lift(acc a, ulong base, uint n) {
  part p;
  FIELDS(LIFT_FIELD)
  p.at += (long)base;
  return p;
}
#endif
RESULT finish(part p, ulong n) { return p.at; }
#endif

/* ---- count: how many are of some sort ---- */

#ifdef KIND_count
#define FIELDS(F) F(place, long, n)
#define RESULT long
#define ONE_WHERE(condition) choose(condition, (ireal)1, (ireal)0)

ireal op_count_nonzero_map(real x) { return ONE_WHERE(x != (real)0); }
ireal op_any_map(real x) { return ONE_WHERE(x != (real)0); }
long op_count_nonzero_done(long n) { return n; }
long op_any_done(long n) { return n != 0; }
#ifndef REAL_I64
ireal op_count_nonfinite_map(real x) { return choose(is_finite(x), (ireal)0, (ireal)1); }
ireal op_all_finite_map(real x) { return choose(is_finite(x), (ireal)0, (ireal)1); }
long op_count_nonfinite_done(long n) { return n; }
long op_all_finite_done(long n) { return n == 0; }
#endif

DEFINE_TYPES
acc init(void) { const acc a = {(place)0}; return a; }
acc join(acc a, acc b) { a.n = a.n + b.n; return a; }
#ifndef SECOND
acc element(real x, ireal i) { const acc a = {MAP(x)}; return a; }
part lift(acc a, ulong base, uint n) { part p; FIELDS(LIFT_FIELD) return p; }
#endif
RESULT finish(part p, ulong n) { return DONE(p.n); }
#endif

/* ---- moments: count, mean (in two parts, high and low) and sum of squared deviations ----
 * A block's deviations are taken from its own rounded mean; what the rounding left, their sum, corrects both. Blocks
 * are joined by Chan, Golub and LeVeque's formula. */

#if defined(KIND_moments) || defined(KIND_stats)
#define MOMENTS(F) F(real, SCALAR, n) F(real, SCALAR, high) F(real, SCALAR, low) F(real, SCALAR, m2)
#define PIVOT_FIELDS(F) F(real, SCALAR, v)
SCALAR quotient(SCALAR a, SCALAR b) { return LANE0(divide((real)a, (real)b)); }

/* Of parts: leaves j.n, j.high, j.low, j.m2. */
#define JOIN_MOMENTS(j, a, b)                                                                                  \
  if (b.n == 0) j.n = a.n, j.high = a.high, j.low = a.low, j.m2 = a.m2;                                        \
  else if (a.n == 0) j.n = b.n, j.high = b.high, j.low = b.low, j.m2 = b.m2;                                   \
  else {                                                                                                       \
    j.n = a.n + b.n;                                                                                           \
    const SCALAR delta = (b.high - a.high) + (b.low - a.low), share = quotient(b.n, j.n), step = delta * share; \
    /* a.high + step without loss (Knuth's two-sum); the rest goes to the low part. */                         \
    j.high = a.high + step;                                                                                    \
    const SCALAR moved = j.high - a.high;                                                                      \
    j.low = a.low + ((a.high - (j.high - moved)) + (step - moved));                                            \
    j.m2 = (a.m2 + b.m2) + (delta * a.n) * step;                                                               \
  }

#ifndef SECOND
typedef struct { PIVOT_FIELDS(IN_LANE) } pivot_acc;
pivot_acc pivot_init(void) { const pivot_acc a = {-(real)0}; return a; }
pivot_acc pivot_join(pivot_acc a, pivot_acc b) { a.v = a.v + b.v; return a; }
pivot_acc pivot_element(real x) { const pivot_acc a = {x}; return a; }
real pivot_value(pivot_acc a, uint n) { return divide(a.v, (real)(SCALAR)n); }
SCALAR pivot_of(pivot_acc a, uint n) { return n ? LANE0(pivot_value(a, n)) : 0; }

/* From the sums of n deviations d and of their squares d2. */
typedef struct { MOMENTS(IN_LANE) } lifted;
lifted lift_deviations(real d, real d2, real pivot, uint n) {
  lifted p = {(real)(SCALAR)n, pivot, divide(d, (real)(SCALAR)n), (real)0};
  p.m2 = d2 - d * p.low;
  p.m2 = choose(p.m2 < (real)0, (real)0, p.m2);
  return p;
}
#define LIFT_MOMENT(type, stored, name) p.name = n ? LANE0(l.name) : 0;
#endif
#endif

#ifdef KIND_moments
#define FIELDS(F) F(real, SCALAR, d) F(real, SCALAR, d2)
#define PARTS MOMENTS
#define RESULT SCALAR

#ifndef PARTS_ONLY
SCALAR op_var_done(SCALAR m2, SCALAR n) { return quotient(m2, n); }
SCALAR op_std_done(SCALAR m2, SCALAR n) { return LANE0(square_root((real)quotient(m2, n))); }
#endif

typedef struct { PARTS(IN_PART) } part;
#ifdef SECOND
typedef part acc;
acc init(void) { const acc a = {0, 0, 0, 0}; return a; }
acc join(acc a, acc b) {
  acc j;
  JOIN_MOMENTS(j, a, b)
  return j;
}
#else
typedef struct { FIELDS(IN_LANE) } acc;
acc init(void) { const acc a = {-(real)0, -(real)0}; return a; }
acc join(acc a, acc b) {
  a.d = a.d + b.d;
  a.d2 = a.d2 + b.d2;
  return a;
}
acc element(real x, real pivot) {
  const real d = x - pivot;
  const acc a = {d, d * d};
  return a;
}
lifted lift_lanes(acc a, real pivot, uint n) { return lift_deviations(a.d, a.d2, pivot, n); }
part lift(acc a, SCALAR pivot, SCALAR sum, uint n) {
  const lifted l = lift_lanes(a, (real)pivot, n);
  part p;
  MOMENTS(LIFT_MOMENT)
  return p;
}
#endif
#ifndef PARTS_ONLY
RESULT finish(part p, ulong n) { return DONE(p.m2, (SCALAR)n); }
#endif
#endif

/* ---- stats: several reductions in one pass, each with the bits it has alone ----
 * The pivot's pass has made the sum. Greatest and least are found on the bits as they are, which costs less than to put
 * each in order. `far` and `near`, the greatest and least of the bits without a sign, are the least number and the
 * greatest where all are negative, the reverse where none is; where some are, far is the least, and the greatest is
 * `top`, the greatest of the bits with a sign. */

#ifdef KIND_stats
#define ORDERED(F) F(real, SCALAR, l1) F(real, SCALAR, sq)
#define FIELDS(F) \
  F(real, SCALAR, d) F(real, SCALAR, d2) ORDERED(F) F(ireal, SCALAR_INT, top) F(ureal, SCALAR_UINT, far) \
  F(ureal, SCALAR_UINT, near) F(place, long, bad)
#define PARTS(F) \
  MOMENTS(F) ORDERED(F) F(real, SCALAR, v) F(ireal, SCALAR_INT, hi) F(ireal, SCALAR_INT, lo) F(place, long, bad)

typedef struct { PARTS(IN_PART) } part;
#ifdef SECOND
typedef part acc;
acc init(void) {
  const SCALAR zero = -(SCALAR)0;
  const acc a = {0, 0, 0, 0, zero, zero, zero, LOWEST, LOWEST, 0};
  return a;
}
acc join(acc a, acc b) {
  acc j;
  JOIN_MOMENTS(j, a, b)
  j.l1 = a.l1 + b.l1;
  j.sq = a.sq + b.sq;
  j.v = a.v + b.v;
  j.hi = max(a.hi, b.hi);
  j.lo = max(a.lo, b.lo);
  j.bad = a.bad + b.bad;
  return j;
}
#else
typedef struct { FIELDS(IN_LANE) } acc;
acc init(void) {
  const real zero = -(real)0;
  const acc a = {zero, zero, zero, zero, LOWEST, (ureal)0, ~(ureal)0, (place)0};
  return a;
}
acc join(acc a, acc b) {
  a.d = a.d + b.d;
  a.d2 = a.d2 + b.d2;
  a.l1 = a.l1 + b.l1;
  a.sq = a.sq + b.sq;
  a.top = max(a.top, b.top);
  a.far = max(a.far, b.far);
  a.near = min(a.near, b.near);
  a.bad = a.bad + b.bad;
  return a;
}
acc element(real x, real pivot) {
  const real d = x - pivot;
  const ireal bad = choose(is_finite(x), (ireal)0, (ireal)1);
  const acc a = {d, d * d, fabs(x), x * x, as_ireal(x), as_ureal(x), as_ureal(x), bad};
  return a;
}
SCALAR_INT key_of(ureal bits) { return LANE0(order(as_real(bits))); }
part lift(acc a, SCALAR pivot, SCALAR sum, uint n) {
  const lifted l = lift_deviations(a.d, a.d2, (real)pivot, n);
  part p;
  MOMENTS(LIFT_MOMENT)
  ORDERED(LIFT_FIELD)
  p.v = sum;
  p.bad = (long)LANE0(a.bad);
  p.hi = LANE0(a.top) < 0 ? key_of(a.near) : LANE0(a.top);
  p.lo = ~key_of((SCALAR_INT)LANE0(a.far) < 0 ? a.far : a.near);
  /* Bits of NaNs are beyond those of the infinities, on one side or the other. */
  if (p.hi > (SCALAR_INT)INFINITY_BITS || p.lo > (SCALAR_INT)INFINITY_BITS)
    p.hi = p.lo = (SCALAR_INT)CANONICAL_NAN_BITS;
  if (n == 0) p.hi = p.lo = LANE0(LOWEST);
  return p;
}
#endif

/* The columns of cliv_stats, in order. */
#define RESULTS_ARGUMENTS , __global long *restrict counts, ulong counts_origin_
#define RESULTS_START const ulong counts_origin = counts_origin_;
SCALAR from_key(SCALAR_INT key) { return LANE0(as_real(order(as_real((ireal)key)))); }
#define FINISH(row)                                                       \
  {                                                                       \
    const ulong to = out_origin + 6 * (row), to_counts = counts_origin + 2 * (row); \
    const SCALAR size = (SCALAR)total;                                    \
    out[to] = PUT(from_key(~p.lo));                                       \
    out[to + 1] = PUT(from_key(p.hi));                                    \
    out[to + 2] = PUT(quotient(p.v, size));                               \
    out[to + 3] = PUT(quotient(p.m2, size));                              \
    out[to + 4] = PUT(total ? p.l1 : 0);                                  \
    out[to + 5] = PUT(total ? LANE0(square_root((real)p.sq)) : 0);        \
    counts[to_counts] = (long)total;                                      \
    counts[to_counts + 1] = p.bad;                                        \
  }
#endif

/* ---- exponent: log of a sum of exponentials, as the greatest term's exponent and the sum relative to it ----
 * Within a block terms are 2^65 times as large, so that none is subnormal. */

#ifdef KIND_exponent
#define FIELDS(F) F(real, SCALAR, s)
#define PARTS(F) F(real, SCALAR, m) F(real, SCALAR, s)
#define PIVOT_FIELDS(F) F(real, SCALAR, v)
#define RESULT SCALAR

typedef struct { PARTS(IN_PART) } part;
#ifdef SECOND
typedef part acc;
acc init(void) { const acc a = {-INFINITY, 0}; return a; }
SCALAR relative(part p, SCALAR m) { return p.m == m ? p.s : p.s * real_exp(p.m - m); }
acc join(acc a, acc b) {
  acc j;
  j.m = a.m > b.m ? a.m : b.m;
  j.s = relative(a, j.m) + relative(b, j.m);
  return j;
}
#else
typedef struct { FIELDS(IN_LANE) } acc;
acc init(void) { const acc a = {(real)0}; return a; }
acc join(acc a, acc b) { a.s = a.s + b.s; return a; }
/* The greatest element, −inf for none. NaNs are passed over here and show in the sum. */
typedef struct { PIVOT_FIELDS(IN_LANE) } pivot_acc;
pivot_acc pivot_init(void) { const pivot_acc a = {(real)(-INFINITY)}; return a; }
pivot_acc pivot_join(pivot_acc a, pivot_acc b) { a.v = choose(b.v > a.v, b.v, a.v); return a; }
pivot_acc pivot_element(real x) { const pivot_acc a = {choose(x > (real)(-INFINITY), x, (real)(-INFINITY))}; return a; }
real pivot_value(pivot_acc a, uint n) { return a.v; }
SCALAR pivot_of(pivot_acc a, uint n) { return LANE0(a.v); }
real finite_or_0(real m) { return choose(is_finite(m), m, (real)0); }
acc element(real x, real pivot) {
  const acc a = {real_exp_raised(x - finite_or_0(pivot))};
  return a;
}
/* An infinite greatest term is the whole sum, whatever is beside it; a NaN stays one. */
typedef struct { PARTS(IN_LANE) } lifted;
lifted lift_lanes(acc a, real pivot, uint n) {
  const real s = choose(pivot == (real)(-INFINITY), a.s * (real)0, a.s * (real)0x1p-65f);
  const lifted p = {choose(is_nan(s), (real)0, pivot),
                    choose(is_nan(s), s, choose(pivot == (real)INFINITY, (real)1, s))};
  return p;
}
part lift(acc a, SCALAR pivot, SCALAR sum, uint n) {
  const lifted l = lift_lanes(a, (real)pivot, n);
  const part p = {LANE0(l.m), LANE0(l.s)};
  return p;
}
#endif
#ifndef PARTS_ONLY
SCALAR op_logsumexp_done(SCALAR m, SCALAR s) { return m + LANE0(real_log((real)s)); }
#ifdef SHORT
real op_logsumexp_lanes(acc a, real pivot, uint n) {
  const lifted l = lift_lanes(a, pivot, n);
  return l.m + real_log(l.s);
}
#define FINISH_LANES CAT(OP, _lanes)
#endif
RESULT finish(part p, ulong n) { return DONE(p.m, p.s); }
#endif
#endif
