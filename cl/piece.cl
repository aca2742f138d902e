/* piece.cl: memory by accesses of 128 bits, where they are aligned: the GPU walk of gemm_tile.cl and gemv.cl. vload4
 * would not do: it promises the compiler no alignment. */
#ifdef REAL_F64
#define PIECE 2
#else
#define PIECE 4
#endif
#define piece CAT(SCALAR, PIECE)

/* As many neighbours, of which `inside` are there; 0 for the others. */
piece fetch(__global const SCALAR *p, bool aligned, int inside) {
  if (aligned && inside >= PIECE) return *(__global const piece *)p;
  piece v = (piece)(0);
  if (inside > 0) v.s0 = p[0];
  if (inside > 1) v.s1 = p[1];
#if PIECE > 2
  if (inside > 2) v.s2 = p[2];
  if (inside > 3) v.s3 = p[3];
#endif
  return v;
}

void keep(piece v, __global SCALAR *p, bool aligned, int inside) {
  if (aligned && inside >= PIECE) {
    *(__global piece *)p = v;
    return;
  }
  if (inside > 0) p[0] = v.s0;
  if (inside > 1) p[1] = v.s1;
#if PIECE > 2
  if (inside > 2) p[2] = v.s2;
  if (inside > 3) p[3] = v.s3;
#endif
}

/* Whether all lines of pieces from p on are aligned, `pitch` elements apart. */
bool lines_aligned(__global const SCALAR *p, ulong pitch) {
  return ((uintptr_t)p & (sizeof(piece) - 1)) == 0 && pitch % PIECE == 0;
}

/* Its elements to neighbouring places, which need not be aligned. */
#if PIECE == 4
#define PUT(v, p, at) p[at] = v.s0, p[(at) + 1] = v.s1, p[(at) + 2] = v.s2, p[(at) + 3] = v.s3;
#else
#define PUT(v, p, at) p[at] = v.s0, p[(at) + 1] = v.s1;
#endif
