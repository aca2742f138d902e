/* gemm.cl: C = alpha op(A) op(B) + beta C in the CPU walk: the chains of blas.cl over one block of k for every element
 * of C.
 *
 * Element (i,k) of op(A) at a[a_first + i·a_row + k·a_step]; C (i,j) at c[c_first + i·c_pitch + j]. Where k is cut,
 * the running sums lie in `sums`, (i,j) at sums[sums_first + i·sums_pitch + j], which may be C itself when C is not
 * read.
 *
 *   -D A_PACKED, B_PACKED   they come packed
 */

/* A tile is ROWS rows by the W lanes of a vector: 6 by 16 fill the registers of a machine with 16 of 32 bytes, and
 * are enough to keep one with wider or more registers busy.
 *
 * op(B) comes as panels of W columns, row k of panel p at b[b_first + p·b_panel + k·b_step]. Packed panels are filled
 * up to W columns. Those of B in place (-D B_PACKED not given) are not: the W lanes of a row may reach into the next
 * row, and where they would reach beyond B's last row, b_columns from b_first to its end, they are taken one by one;
 * all of them where b_columns is 0, since what lies beside B is being written.
 * Tile t of A begins at a[a_first + t·a_tile]; with -D A_PACKED its rows are neighbours: a_row is 1, a_step is ROWS.
 * */
#define ROWS 6
#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5)

#ifdef A_PACKED
#define A_ROW 1
#define A_STEP ROWS
#define AT_ROW(r) (r)
#else
#define A_ROW a_row
#define A_STEP a_step
#define AT_ROW(r) min((ulong)(r), last_row)
#endif

#ifdef B_PACKED
#define B_STEP W
#else
#define B_STEP b_step
#endif

#define ROW_START(r) \
  real s##r = (real)0; \
  __global const SCALAR *a##r = a_tile_at + AT_ROW(r) * A_ROW;
#define ROW_STEP(r) s##r = fma((real)a##r[at], v, s##r);
#define ROW_RESUME(r) s##r = LOAD_W(sums_at, r * sums_pitch);
#define ROW_KEEP(r) STORE_W(s##r, sums_at, r * sums_pitch);
#define ENDED(x, r) ended((x), bias, bias_along, row + r, column, width)
#define ROW_SCALE(r) STORE_W(ENDED(finish_new(s##r, alpha), r), c_at, r * c_pitch);
#define ROW_FINISH(r) STORE_W(ENDED(finish(s##r, alpha, beta, LOAD_W(c_at, r * c_pitch)), r), c_at, r * c_pitch);
#define EDGE_RESUME(r) \
  if (r <= last_row) s##r = take(sums_at + r * sums_pitch, 0, width);
#define EDGE_END(r) \
  if (r <= last_row) { \
    __global SCALAR *to = parts & PART_LAST ? c_at + r * c_pitch : sums_at + r * sums_pitch; \
    real x = s##r; \
    if (parts & PART_LAST) { \
      x = beta == 0 ? finish_new(x, alpha) : finish(x, alpha, beta, take(to, 0, width)); \
      x = ENDED(x, r); \
    } \
    put(x, to, 0, width); \
  }

/* Work-item (p, q): panel p of columns, tiles q·per … of rows. */
__kernel void gemm(__global const SCALAR *a, ulong a_first, ulong a_row_, ulong a_step_, ulong a_tile,
                   __global const SCALAR *b, ulong b_first, ulong b_columns, ulong b_panel, ulong b_step_,
                   __global SCALAR *sums, ulong sums_first, ulong sums_pitch_,
                   __global SCALAR *c, ulong c_first, ulong c_pitch_,
                   ulong m, ulong n, ulong k_, ulong per, SCALAR alpha_, SCALAR beta_, uint parts_,
                   __global const SCALAR *bias_, ulong bias_first, uint bias_along_) {
  __global const SCALAR *bias = bias_ + bias_first;
  const uint bias_along = bias_along_;
  const ulong a_row = a_row_, a_step = a_step_, b_step = b_step_, k_end = k_;
  const ulong sums_pitch = sums_pitch_, c_pitch = c_pitch_;
  const SCALAR alpha = alpha_, beta = beta_;
  const uint parts = parts_;
  const ulong panel = get_global_id(0), tiles = (m + ROWS - 1) / ROWS;
  const ulong tile_begin = get_global_id(1) * per, tile_end = min(tile_begin + per, tiles);
  if (panel * W >= n) return;
  const ulong column = panel * W;
  const uint width = (uint)min((ulong)W, n - column);
  __global const SCALAR *b_column = b + b_first + panel * b_panel;
#ifdef B_PACKED
  const ulong k_whole = k_end;
#else
  const ulong reach = (k_end - 1) * b_step + b_columns - column; /* elements from b_column to B's end */
  const ulong some = b_columns == 0 || reach < W ? 0 : min(k_end, (reach - W) / b_step + 1);
  const ulong k_whole = width == W ? k_end : some;
#endif

  for (ulong tile = tile_begin; tile < tile_end; tile++) {
    const ulong row = tile * ROWS, last_row = min((ulong)ROWS, m - row) - 1;
    const bool whole = last_row == ROWS - 1 && width == W;
    __global const SCALAR *a_tile_at = a + a_first + tile * a_tile;
    __global SCALAR *sums_at = sums + sums_first + row * sums_pitch + column;
    __global SCALAR *c_at = c + c_first + row * c_pitch + column;
    EACH_ROW(ROW_START)
    if (!(parts & PART_FIRST)) {
      if (whole) {
        EACH_ROW(ROW_RESUME)
      } else {
        EACH_ROW(EDGE_RESUME)
      }
    }
    __global const SCALAR *b_row = b_column;
    ulong at = 0;
    for (ulong k = 0; k < k_whole; k++) {
      const real v = LOAD_W(b_row, 0);
      EACH_ROW(ROW_STEP)
      at += A_STEP;
      b_row += B_STEP;
    }
#ifndef B_PACKED
    for (ulong k = k_whole; k < k_end; k++) {
      const real v = take(b_row, 0, width);
      EACH_ROW(ROW_STEP)
      at += A_STEP;
      b_row += B_STEP;
    }
#endif
    if (whole) {
      if (!(parts & PART_LAST)) {
        EACH_ROW(ROW_KEEP)
      } else if (beta == 0) {
        EACH_ROW(ROW_SCALE)
      } else {
        EACH_ROW(ROW_FINISH)
      }
    } else {
      EACH_ROW(EDGE_END)
    }
  }
}
