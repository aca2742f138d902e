/* gemm.cl: C = alpha op(A) op(B) + beta C: the chains of blas.cl over one block of k for every element of C.
 *
 * Element (i,k) of op(A) at a[a_first + i·a_row + k·a_step]; C (i,j) at c[c_first + i·c_pitch + j]. Where k is cut, the running sums
 * lie in `sums`, (i,j) at sums[sums_first + i·sums_pitch + j], which may be C itself when C is not read.
 *
 *   -D ROWS=8      CPU walk: rows of a tile (2, 4 or 8); its columns are the W lanes of a vector
 *   -D GROUP_X, GROUP_Y     GPU walk: work-items of a group along columns and rows, 4 × 4 elements each
 */
#ifdef WALK_CPU

/* op(B) comes as panels of W columns, row k of panel p at b[b_first + p·b_panel + k·b_step]. Packed panels are padded with zeros
 * to W columns. With in_place (n ≥ W) they are B itself, and the last one is moved left so that it ends with the row. */
#define IN_PLACE 4u /* in parts */

#if ROWS == 8
#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#elif ROWS == 4
#define EACH_ROW(X) X(0) X(1) X(2) X(3)
#else
#define EACH_ROW(X) X(0) X(1)
#endif

#define ROW_START(r) \
  real s##r = (real)0; \
  __global const SCALAR *a##r = a_tile + min((ulong)r, last_row) * a_row;
#define ROW_RESUME(r) s##r = take(sums_tile + min((ulong)r, last_row) * sums_pitch, from, to);
#define ROW_STEP(r) s##r = fma((real)a##r[at], v, s##r);
#define ROW_KEEP(r) if (r <= last_row) put(s##r, sums_tile + r * sums_pitch, from, to);
#define ROW_SCALE(r) if (r <= last_row) put(finish_new(s##r, alpha), c_tile + r * c_pitch, from, to);
#define ROW_FINISH(r) \
  if (r <= last_row) put(finish(s##r, alpha, beta, take(c_tile + r * c_pitch, from, to)), c_tile + r * c_pitch, from, to);

/* Work-item (p, q): panel p of columns, tiles q·per … of rows. A tile's A is a[a_first + tile·a_tile_step …]. */
__kernel void gemm(__global const SCALAR *a, ulong a_first, ulong a_row_, ulong a_step_, ulong a_tile_step,
                   __global const SCALAR *b, ulong b_first, ulong b_panel, ulong b_step_,
                   __global SCALAR *sums, ulong sums_first, ulong sums_pitch_,
                   __global SCALAR *c, ulong c_first, ulong c_pitch_,
                   ulong m, ulong n, ulong k_, ulong per, SCALAR alpha_, SCALAR beta_, uint parts_) {
  const ulong a_row = a_row_, a_step = a_step_, b_step = b_step_, sums_pitch = sums_pitch_, c_pitch = c_pitch_, k_end = k_;
  const SCALAR alpha = alpha_, beta = beta_;
  const uint parts = parts_;
  const ulong panel = get_global_id(0), tiles = (m + ROWS - 1) / ROWS;
  const ulong tile_begin = get_global_id(1) * per, tile_end = min(tile_begin + per, tiles);
  if (panel * W >= n) return;
  const bool moved = (parts & IN_PLACE) && panel * W + W > n;
  const ulong column = moved ? n - W : panel * W;
  const uint from = moved ? (uint)(panel * W - column) : 0u, to = (uint)min((ulong)W, n - column);
  __global const SCALAR *b_column = b + b_first + (moved ? column : panel * b_panel);

  for (ulong tile = tile_begin; tile < tile_end; tile++) {
    const ulong row = tile * ROWS, last_row = min((ulong)ROWS, m - row) - 1;
    __global const SCALAR *a_tile = a + a_first + tile * a_tile_step;
    __global SCALAR *sums_tile = sums + sums_first + row * sums_pitch + column;
    __global SCALAR *c_tile = c + c_first + row * c_pitch + column;
    EACH_ROW(ROW_START)
    if (!(parts & PART_FIRST)) { EACH_ROW(ROW_RESUME) }
    __global const SCALAR *b_row = b_column;
    ulong at = 0;
    for (ulong k = 0; k < k_end; k++) {
      const real v = LOAD_W(b_row, 0);
      EACH_ROW(ROW_STEP)
      at += a_step;
      b_row += b_step;
    }
    if (!(parts & PART_LAST)) {
      EACH_ROW(ROW_KEEP)
    } else if (beta == 0) {
      EACH_ROW(ROW_SCALE)
    } else {
      EACH_ROW(ROW_FINISH)
    }
  }
}

#else

/* A group makes a tile of 4·GROUP_Y × 4·GROUP_X elements, DEPTH values of k at a time through local memory. A work-item's
 * elements are GROUP_Y rows and GROUP_X columns apart. Neighbouring work-items fetch neighbours in memory. What lies beyond the edges is 0 in local memory and is not stored. */
#define DEPTH 16
#define TILE_M (4 * GROUP_Y)
#define TILE_N (4 * GROUP_X)
#define GROUP (GROUP_X * GROUP_Y)

__kernel __attribute__((reqd_work_group_size(GROUP_X, GROUP_Y, 1)))
void gemm(__global const SCALAR *a, ulong a_first, ulong a_row_, ulong a_step_,
          __global const SCALAR *b, ulong b_first, ulong b_column_, ulong b_step_,
          __global SCALAR *sums, ulong sums_first, ulong sums_pitch_,
          __global SCALAR *c, ulong c_first, ulong c_pitch_,
          ulong m_, ulong n_, ulong k_, SCALAR alpha_, SCALAR beta_, uint parts_) {
  const ulong a_row = a_row_, a_step = a_step_, b_column = b_column_, b_step = b_step_, m = m_, n = n_, k_end = k_;
  const ulong sums_pitch = sums_pitch_, c_pitch = c_pitch_;
  const SCALAR alpha = alpha_, beta = beta_;
  const uint parts = parts_;
  __local SCALAR a_tile[DEPTH][TILE_M + 1], b_tile[DEPTH][TILE_N + 1];
  const uint x = (uint)get_local_id(0), y = (uint)get_local_id(1), item = y * GROUP_X + x;
  const ulong row = (ulong)get_group_id(1) * TILE_M, column = (ulong)get_group_id(0) * TILE_N;
  __global SCALAR *sums_at = sums + sums_first, *c_at = c + c_first;
  SCALAR s[4][4];

#pragma unroll
  for (uint p = 0; p < 4; p++) {
#pragma unroll
    for (uint q = 0; q < 4; q++) {
      const ulong i = row + p * GROUP_Y + y, j = column + q * GROUP_X + x;
      s[p][q] = !(parts & PART_FIRST) && i < m && j < n ? sums_at[i * sums_pitch + j] : (SCALAR)0;
    }
  }
  for (ulong k = 0; k < k_end; k += DEPTH) {
    for (uint e = item; e < DEPTH * TILE_M; e += GROUP) {
      const uint d = a_step == 1 ? e % DEPTH : e / TILE_M, t = a_step == 1 ? e / DEPTH : e % TILE_M;
      a_tile[d][t] = k + d < k_end && row + t < m ? a[a_first + (row + t) * a_row + (k + d) * a_step] : (SCALAR)0;
    }
    for (uint e = item; e < DEPTH * TILE_N; e += GROUP) {
      const uint d = b_column == 1 ? e / TILE_N : e % DEPTH, t = b_column == 1 ? e % TILE_N : e / DEPTH;
      b_tile[d][t] = k + d < k_end && column + t < n ? b[b_first + (column + t) * b_column + (k + d) * b_step] : (SCALAR)0;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    const uint depth = (uint)min((ulong)DEPTH, k_end - k);
    for (uint d = 0; d < depth; d++) {
#pragma unroll
      for (uint p = 0; p < 4; p++) {
#pragma unroll
        for (uint q = 0; q < 4; q++) s[p][q] = fma(a_tile[d][p * GROUP_Y + y], b_tile[d][q * GROUP_X + x], s[p][q]);
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
#pragma unroll
  for (uint p = 0; p < 4; p++) {
#pragma unroll
    for (uint q = 0; q < 4; q++) {
      const ulong i = row + p * GROUP_Y + y, j = column + q * GROUP_X + x;
      if (i < m && j < n) {
        if (!(parts & PART_LAST)) {
          sums_at[i * sums_pitch + j] = s[p][q];
        } else {
          c_at[i * c_pitch + j] = beta == 0 ? finish_new(s[p][q], alpha) : finish(s[p][q], alpha, beta, c_at[i * c_pitch + j]);
        }
      }
    }
  }
}
#endif
