/* blas.cl: what gemm.cl, gemm_pack.cl, gemv.cl and blas1.cl share.
 *
 * The definition of every product: for each element of the result one chain
 *   s = +0;  s = fma(op(A)[i,k], op(B)[k,j], s)  for k = 0, 1, 2, …
 * and then, with beta·c rounded first,
 *   c = alpha·s                   where beta is 0: c is not read
 *   c = fma(alpha, s, beta·c)     otherwise
 * stored with the canonical NaN. No tiling, packing or cutting breaks a chain: where k is cut, the running sum is kept as it
 * is and the next launch goes on from it. Nothing is padded along k: fma(0, 0, -0) would be +0.
 */
#define PART_FIRST 1u /* this launch starts the chains */
#define PART_LAST 2u  /* this launch applies alpha and beta */

SCALAR canonical_one(SCALAR x) {
  const SCALAR_UINT bits = CAT(as_, SCALAR_UINT)(x);
  return (bits & MAGNITUDE_BITS) > INFINITY_BITS ? CAT(as_, SCALAR)((SCALAR_UINT)CANONICAL_NAN_BITS) : x;
}
real finish(real s, real alpha, real beta, real old) { return canonical(fma(alpha, s, beta * old)); }
real finish_new(real s, real alpha) { return canonical(alpha * s); }

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

/* TRANSPOSE(x, y): x[0 … W-1] as the rows of a square, transposed in place; y is room. Merging row i with row i + W/2 lane by lane
 * moves one bit of the row's number into the lane's and one back: after log2 W stages they have changed places. */
#if W == 16
#define STAGES 4
#define MERGE_LO(a, b) (real)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3, a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#define MERGE_HI(a, b) (real)(a.s8, b.s8, a.s9, b.s9, a.sa, b.sa, a.sb, b.sb, a.sc, b.sc, a.sd, b.sd, a.se, b.se, a.sf, b.sf)
#else
#define STAGES 3
#define MERGE_LO(a, b) (real)(a.s0, b.s0, a.s1, b.s1, a.s2, b.s2, a.s3, b.s3)
#define MERGE_HI(a, b) (real)(a.s4, b.s4, a.s5, b.s5, a.s6, b.s6, a.s7, b.s7)
#endif
#define TRANSPOSE(x, y)                                     \
  _Pragma("unroll") for (uint stage = 0; stage < STAGES; stage++) { \
    _Pragma("unroll") for (uint i = 0; i < W / 2; i++) {    \
      y[2 * i] = MERGE_LO(x[i], x[i + W / 2]);              \
      y[2 * i + 1] = MERGE_HI(x[i], x[i + W / 2]);          \
    }                                                       \
    _Pragma("unroll") for (uint i = 0; i < W; i++) x[i] = y[i]; \
  }

#else

#define take(p, from, to) ((p)[0])
#define put(x, p, from, to) ((p)[0] = (x))

#endif
