/* blas.cl: what gemm.cl, gemm_pack.cl, gemv.cl and blas1.cl share.
 *
 * The definition of every product: for each element of the result one chain
 *   s = +0;  s = fma(op(A)[i,k], op(B)[k,j], s)  for k = 0, 1, 2, …
 * and then, with beta·c rounded first,
 *   c = alpha·s                   where beta is 0: c is not read
 *   c = fma(alpha, s, beta·c)     otherwise
 * and, where the product has an epilogue (-D ACTIVATION=, after activation.cl),
 *   c = activation(c + (bias + 0))
 * with the bias along the columns or the rows, or none: stored with the canonical NaN. No tiling, packing or cutting
 * breaks a chain: where k is cut, the running sum is kept as it is and the next launch goes on from it. Nothing is
 * padded along k: fma(0, 0, -0) would be +0.
 */
#define PART_FIRST 1u /* this launch starts the chains */
#define PART_LAST 2u  /* this launch applies alpha and beta */

#define PART_LOWER 1u /* of a square matrix */
#define PART_UPPER 2u

#define BIAS_COLUMNS 1u
#define BIAS_ROWS 2u
/* bias + 0: by a comparison, since a compiler for graphics leaves out what adds 0. */
real bias_term(real x) { return choose(x == (real)0, (real)0, x); }

SCALAR canonical_one(SCALAR x) {
  const SCALAR_UINT bits = CAT(as_, SCALAR_UINT)(x);
  return (bits & MAGNITUDE_BITS) > INFINITY_BITS ? CAT(as_, SCALAR)((SCALAR_UINT)CANONICAL_NAN_BITS) : x;
}
#ifndef FMA_FLUSHES
#define of_chain(s) (s)
#define fma_to(a, b, c) fma(a, b, c)
#else
/* fma() may give -0 for +0 (fused.cl). No chain that begins at +0 ends at -0; other zeros have the signs of sums. */
real of_chain(real s) { return choose(s == (real)0, (real)0, s); }
real fma_to(real a, real b, real c) {
  const real r = fma(a, b, c);
  return choose(r == (real)0, a * b + c, r);
}
#endif
real finish(real s, real alpha, real beta, real old) { return canonical(fma_to(alpha, of_chain(s), beta * old)); }
real finish_new(real s, real alpha) { return canonical(alpha * of_chain(s)); }

/* n elements in storage of type T (of the prelude) from p[i] on, at most W; and one of them. */
#ifdef WALK_CPU
#define PART(operation, T) CAT(CAT(operation, T), _part)
#define LOAD(T, p, i, n) ((n) == W ? CAT(load_, T)(p, i) : PART(load_, T)(p, i, n))
#define STORE(T, x, p, i, n) \
  if ((n) == W) CAT(store_, T)(x, p, i); \
  else PART(store_, T)(x, p, i, n)
#else
#define LOAD(T, p, i, n) CAT(load_, T)(p, i)
#define STORE(T, x, p, i, n) CAT(store_, T)(x, p, i)
#endif
#define ONE_f32(x) (x)
#define ONE_f64(x) (x)
#define ONE_f16(x) half_to_float((uint)(x))
#define ONE_bf16(x) bfloat_to_float((uint)(x))
#define LOAD_ONE(T, p, i) ((SCALAR)CAT(ONE_, T)((p)[i]))
/* -D STORED=f16: the type of tensors that are narrower than what is computed in. */
#ifndef STORED
#ifdef REAL_F64
#define STORED f64
#else
#define STORED f32
#endif
#endif
#define STORED_T CAT(STORED, _t)

#ifdef WALK_CPU

/* Lanes from … to-1 of a vector at p[0 … W-1]; the others are not touched. */
real take(__global const SCALAR *p, uint from, uint to) {
  if (from == 0 && to == W) return LOAD_W(p, 0);
  SCALAR lanes[W];
  for (uint l = 0; l < W; l++) lanes[l] = 0;
  for (uint l = from; l < to; l++) lanes[l] = p[l];
  return LOAD_W(lanes, 0);
}

void put(real x, __global SCALAR *p, uint from, uint to) {
  if (from == 0 && to == W) {
    STORE_W(x, p, 0);
    return;
  }
  SCALAR lanes[W];
  STORE_W(x, lanes, 0);
  for (uint l = from; l < to; l++) p[l] = lanes[l];
}

/* TRANSPOSE(x, y): x[0 … W-1] as the rows of a square, transposed in place; y is room. Compilers have one instruction
 * for each of these steps: first within the quarters of the vectors (16 bytes), between neighbouring rows; then whole
 * quarters change places. */
#define QUARTER (W / 4)
#if W == 16
#define LOW_SINGLES(a, b) \
  (real)(a.s0, b.s0, a.s1, b.s1, a.s4, b.s4, a.s5, b.s5, a.s8, b.s8, a.s9, b.s9, a.sc, b.sc, a.sd, b.sd)
#define HIGH_SINGLES(a, b) \
  (real)(a.s2, b.s2, a.s3, b.s3, a.s6, b.s6, a.s7, b.s7, a.sa, b.sa, a.sb, b.sb, a.se, b.se, a.sf, b.sf)
#define LOW_PAIRS(a, b) (real)(a.s01, b.s01, a.s45, b.s45, a.s89, b.s89, a.scd, b.scd)
#define HIGH_PAIRS(a, b) (real)(a.s23, b.s23, a.s67, b.s67, a.sab, b.sab, a.sef, b.sef)
#define WITHIN_QUARTERS(x, y, g)                                                                             \
  {                                                                                                          \
    const real low0 = LOW_SINGLES(x[4 * g], x[4 * g + 1]), high0 = HIGH_SINGLES(x[4 * g], x[4 * g + 1]);     \
    const real low1 = LOW_SINGLES(x[4 * g + 2], x[4 * g + 3]), high1 = HIGH_SINGLES(x[4 * g + 2], x[4 * g + 3]); \
    y[g] = LOW_PAIRS(low0, low1), y[4 + g] = HIGH_PAIRS(low0, low1);                                         \
    y[8 + g] = LOW_PAIRS(high0, high1), y[12 + g] = HIGH_PAIRS(high0, high1);                                \
  }
#else
#define LOW_SINGLES(a, b) (real)(a.s0, b.s0, a.s2, b.s2, a.s4, b.s4, a.s6, b.s6)
#define HIGH_SINGLES(a, b) (real)(a.s1, b.s1, a.s3, b.s3, a.s5, b.s5, a.s7, b.s7)
#define WITHIN_QUARTERS(x, y, g) \
  { y[g] = LOW_SINGLES(x[2 * g], x[2 * g + 1]), y[4 + g] = HIGH_SINGLES(x[2 * g], x[2 * g + 1]); }
#endif
#define EVEN_QUARTERS(a, b) (real)(a.lo.lo, a.hi.lo, b.lo.lo, b.hi.lo)
#define ODD_QUARTERS(a, b) (real)(a.lo.hi, a.hi.hi, b.lo.hi, b.hi.hi)
#define WHOLE_QUARTERS(x, y, c)                                                                              \
  {                                                                                                          \
    const real low0 = (real)(y[4 * c].lo, y[4 * c + 1].lo), high0 = (real)(y[4 * c].hi, y[4 * c + 1].hi);    \
    const real low1 = (real)(y[4 * c + 2].lo, y[4 * c + 3].lo), high1 = (real)(y[4 * c + 2].hi, y[4 * c + 3].hi); \
    x[c] = EVEN_QUARTERS(low0, low1), x[QUARTER + c] = ODD_QUARTERS(low0, low1);                             \
    x[2 * QUARTER + c] = EVEN_QUARTERS(high0, high1), x[3 * QUARTER + c] = ODD_QUARTERS(high0, high1);       \
  }
#define TRANSPOSE(x, y)                                                        \
  _Pragma("unroll") for (uint g = 0; g < 4; g++) WITHIN_QUARTERS(x, y, g)      \
  _Pragma("unroll") for (uint c = 0; c < QUARTER; c++) WHOLE_QUARTERS(x, y, c)

#else

#define take(p, from, to) ((p)[0])
#define put(x, p, from, to) ((p)[0] = (x))

#endif

/* x, W columns of a row of C of which `width` count, with what follows. */
#ifdef ACTIVATION
static real ended(real x, __global const SCALAR *bias, uint bias_along, ulong row, ulong column, uint width) {
  if (bias_along == BIAS_COLUMNS) x += bias_term(take(bias + column, 0, width));
  if (bias_along == BIAS_ROWS) x += bias_term((real)bias[row]);
  return canonical(ACTIVATION(x));
}
#else
#define ended(x, bias, bias_along, row, column, width) (x)
#endif
