/* gemm_tile.cl: the GPU walk of gemm.cl: C = alpha op(A) op(B) + beta C over one block of k for every element of C.
 *
 * Element (i,k) of op(A) at a[a_first + i·a_row + k·a_step], (k,j) of op(B) at b[b_first + k·b_step + j·b_column];
 * C (i,j) at c[c_first + i·c_pitch + j]. Where k is cut, the running sums lie in `sums`, (i,j) at
 * sums[sums_first + i·sums_pitch + j], which may be C itself when C is not read.
 *
 *   -D GROUP_X, GROUP_Y   work-items of a group along columns and rows
 *   -D FOURS_M, FOURS_N=1 or 2  fours of rows, fours of columns of a work-item
 *   -D A_STEPS, B_STEPS=1 or 0  neighbours in memory are steps of k (A as it lies, B transposed), or rows (columns);
 *                         to be known when compiled, for the addresses of both to be in registers at once is too many
 *
 * Third axis of the range: the matrices of a batch, `each` elements apart, or from the listed places of A, B and C; a
 * batch is not cut along k.
 *
 * A group makes a tile of 4·FOURS_M·GROUP_Y × 4·FOURS_N·GROUP_X elements, DEPTH values of k at a time through local
 * memory. A work-item's fours of rows are 4·GROUP_Y rows apart, its fours of columns 4·GROUP_X columns, so that
 * neighbours read neighbours in local memory. Memory is read and written by 128 bits, in one access where they are
 * aligned and inside the matrix. k is never filled up: fma(0, 0, -0) would be +0.
 */
#define DEPTH 16
#define TILE_M (4 * FOURS_M * GROUP_Y)
#define TILE_N (4 * FOURS_N * GROUP_X)
#define GROUP (GROUP_X * GROUP_Y)
#define four CAT(SCALAR, 4)

#if PIECE == 4
#define fetch_four fetch
#define keep_four keep
#define PUT_DOWN(v, tile, d, t) \
  tile[d][t] = v.s0, tile[(d) + 1][t] = v.s1, tile[(d) + 2][t] = v.s2, tile[(d) + 3][t] = v.s3;
#else
four fetch_four(__global const SCALAR *p, bool aligned, int inside) {
  return (four)(fetch(p, aligned, inside), fetch(p + PIECE, aligned, inside - PIECE));
}
void keep_four(four v, __global SCALAR *p, bool aligned, int inside) {
  keep(v.lo, p, aligned, inside);
  keep(v.hi, p + PIECE, aligned, inside - PIECE);
}
#define PUT_DOWN(v, tile, d, t) tile[d][t] = v.s0, tile[(d) + 1][t] = v.s1;
#endif

/* A tile of `lines` rows (columns) by DEPTH is lines·DEPTH/PIECE pieces, of which a work-item brings every GROUP-th
 * from its own number on. The first is at line t, step d; the others are at constant distances from it, as all numbers
 * here are powers of two. A piece is either of steps of one line, or of lines at one step: `pitch` is from one line
 * (step) to the next. */
#define EACH(lines) ((lines * DEPTH / PIECE + GROUP - 1) / GROUP)
#define BRING(lines, end, first, along_steps, pitch, aligned, tile)                                        \
  if (along_steps) {                                                                                       \
    const uint t = item / (DEPTH / PIECE), d = item % (DEPTH / PIECE) * PIECE;                             \
    __global const SCALAR *at = first + t * pitch + d;                                                     \
    _Pragma("unroll") for (uint e = 0; e < EACH(lines); e++) {                                             \
      const uint line = e * GROUP / (DEPTH / PIECE), step = e * GROUP % (DEPTH / PIECE) * PIECE;           \
      if (t + line >= lines) continue;                                                                     \
      const piece v = fetch(at + line * pitch + step, aligned, t + line < end ? (int)depth - (int)(d + step) : 0); \
      PUT_DOWN(v, tile, d + step, t + line)                                                                \
    }                                                                                                      \
  } else {                                                                                                 \
    const uint t = item % (lines / PIECE) * PIECE, d = item / (lines / PIECE);                             \
    __global const SCALAR *at = first + d * pitch + t;                                                     \
    _Pragma("unroll") for (uint e = 0; e < EACH(lines); e++) {                                             \
      const uint line = e * GROUP % (lines / PIECE) * PIECE, step = e * GROUP / (lines / PIECE);           \
      if (d + step >= DEPTH) continue;                                                                     \
      const piece v = fetch(at + step * pitch + line, aligned, d + step < depth ? (int)end - (int)(t + line) : 0); \
      *(__local piece *)&tile[d + step][t + line] = v;                                                     \
    }                                                                                                      \
  }

#define SUM_ROW(i, a_one) \
  _Pragma("unroll") for (uint q = 0; q < FOURS_N; q++) s[i][q] = fma((four)(a_one), b_now[q], s[i][q]);

/* A work-item's rows and columns, from its first ones, which are 4·y and 4·x within the tile. */
#define DOWN(i) ((int)((i) / 4 * (4 * GROUP_Y) + (i) % 4))
#define RIGHT(q) ((int)((q) * (4 * GROUP_X)))

__kernel __attribute__((reqd_work_group_size(GROUP_X, GROUP_Y, 1)))
void gemm(__global const SCALAR *a, ulong a_first, ulong a_row_, ulong a_step_, ulong a_each,
          __global const SCALAR *b, ulong b_first, ulong b_column_, ulong b_step_, ulong b_each,
          __global SCALAR *sums, ulong sums_first_, ulong sums_pitch_,
          __global SCALAR *c, ulong c_first, ulong c_pitch_, ulong c_each,
          __global const ulong *places, uint listed,
          ulong m_, ulong n_, ulong k_, SCALAR alpha_, SCALAR beta_, uint parts_,
          __global const SCALAR *bias_, ulong bias_first, uint bias_along_) {
  __global const SCALAR *bias = bias_ + bias_first;
  const uint bias_along = bias_along_;
  const ulong a_row = a_row_, a_step = a_step_, b_column = b_column_, b_step = b_step_, m = m_, n = n_, k_end = k_;
  const ulong sums_first = sums_first_, sums_pitch = sums_pitch_, c_pitch = c_pitch_;
  const SCALAR alpha = alpha_, beta = beta_;
  const uint parts = parts_;
  __local SCALAR a_tile[DEPTH][TILE_M + 4] __attribute__((aligned(32)));
  __local SCALAR b_tile[DEPTH][TILE_N + 4] __attribute__((aligned(32)));
  const uint x = (uint)get_local_id(0), y = (uint)get_local_id(1), item = y * GROUP_X + x;
  const ulong row = (ulong)get_group_id(1) * TILE_M, column = (ulong)get_group_id(0) * TILE_N;
  const ulong z = get_group_id(2);
  const ulong a_start = listed ? places[3 * z] : a_first + z * a_each;
  const ulong b_start = listed ? places[3 * z + 1] : b_first + z * b_each;
  const ulong c_start = listed ? places[3 * z + 2] : c_first + z * c_each;
  const uint height = (uint)min(m - row, (ulong)TILE_M), width = (uint)min(n - column, (ulong)TILE_N);
  /* Those of the matrix from this work-item's first ones on. */
  const int rows = (int)height - (int)(4 * y), columns = (int)width - (int)(4 * x);
  four s[4 * FOURS_M][FOURS_N];
#pragma unroll
  for (uint i = 0; i < 4 * FOURS_M; i++)
#pragma unroll
    for (uint q = 0; q < FOURS_N; q++) s[i][q] = (four)(0);
  if (!(parts & PART_FIRST)) {
    __global const SCALAR *from = sums + sums_first + (row + 4 * y) * sums_pitch + column + 4 * x;
    const bool aligned = lines_aligned(sums + sums_first, sums_pitch);
#pragma unroll
    for (uint i = 0; i < 4 * FOURS_M; i++)
#pragma unroll
      for (uint q = 0; q < FOURS_N; q++)
        s[i][q] = fetch_four(from + (ulong)DOWN(i) * sums_pitch + RIGHT(q), aligned,
                             DOWN(i) < rows ? columns - RIGHT(q) : 0);
  }
  const ulong a_pitch = A_STEPS ? a_row : a_step, b_pitch = B_STEPS ? b_column : b_step;
  const bool a_aligned = lines_aligned(a + a_start, a_pitch), b_aligned = lines_aligned(b + b_start, b_pitch);
  __global const SCALAR *a_at = a + a_start + row * a_row, *b_at = b + b_start + column * b_column;
  for (ulong k = 0; k < k_end; k += DEPTH) {
    const uint depth = (uint)min((ulong)DEPTH, k_end - k);
    BRING(TILE_M, height, a_at, A_STEPS, a_pitch, a_aligned, a_tile)
    BRING(TILE_N, width, b_at, B_STEPS, b_pitch, b_aligned, b_tile)
    a_at += DEPTH * a_step;
    b_at += DEPTH * b_step;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint d = 0; d < depth; d++) {
      four b_now[FOURS_N];
#pragma unroll
      for (uint q = 0; q < FOURS_N; q++) b_now[q] = *(__local const four *)&b_tile[d][4 * x + (uint)RIGHT(q)];
#pragma unroll
      for (uint p = 0; p < FOURS_M; p++) {
        const four a_now = *(__local const four *)&a_tile[d][4 * y + (uint)DOWN(4 * p)];
        SUM_ROW(4 * p, a_now.s0)
        SUM_ROW(4 * p + 1, a_now.s1)
        SUM_ROW(4 * p + 2, a_now.s2)
        SUM_ROW(4 * p + 3, a_now.s3)
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  const bool last = parts & PART_LAST;
  __global SCALAR *to = last ? c + c_start : sums + sums_first;
  const ulong to_pitch = last ? c_pitch : sums_pitch;
  const bool aligned = lines_aligned(to, to_pitch);
  to += (row + 4 * y) * to_pitch + column + 4 * x;
#pragma unroll
  for (uint i = 0; i < 4 * FOURS_M; i++) {
    if (DOWN(i) >= rows) continue;
#pragma unroll
    for (uint q = 0; q < FOURS_N; q++) {
      const int inside = columns - RIGHT(q);
      __global SCALAR *at = to + (ulong)DOWN(i) * to_pitch + RIGHT(q);
      four v = s[i][q];
      if (last && beta == 0) {
        v = (four)(finish_new(v.s0, alpha), finish_new(v.s1, alpha), finish_new(v.s2, alpha), finish_new(v.s3, alpha));
      } else if (last && inside > 0) {
        const four old = fetch_four(at, aligned, inside);
        v = (four)(finish(v.s0, alpha, beta, old.s0), finish(v.s1, alpha, beta, old.s1),
                   finish(v.s2, alpha, beta, old.s2), finish(v.s3, alpha, beta, old.s3));
      }
#ifdef ACTIVATION
      if (last) {
        const ulong i_at = row + 4 * y + (ulong)DOWN(i), j_at = column + 4 * x + (ulong)RIGHT(q);
        v.s0 = ended(v.s0, bias, bias_along, i_at, min(j_at, n - 1), 1);
        v.s1 = ended(v.s1, bias, bias_along, i_at, min(j_at + 1, n - 1), 1);
        v.s2 = ended(v.s2, bias, bias_along, i_at, min(j_at + 2, n - 1), 1);
        v.s3 = ended(v.s3, bias, bias_along, i_at, min(j_at + 3, n - 1), 1);
      }
#endif
      keep_four(v, at, aligned, inside);
    }
  }
}
