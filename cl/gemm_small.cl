/* gemm_small.cl: products whose k is short, and batches of them, in one launch and without copies in global memory: the
 * chains of blas.cl for every element of every C. CPU walk only; after blas.cl.
 *
 * Of matrix z of the batch, element (i,k) of op(A) at a[a_first + z·a_each + i·a_row + k·a_step], (k,j) of op(B) at
 * b[b_first + z·b_each + k·b_step + j·b_column], C (i,j) at c[c_first + z·c_each + i·c_pitch + j]. Where the matrices
 * lie anywhere (listed), their first elements are at a[places[3z]], b[places[3z + 1]] and c[places[3z + 2]] instead.
 *
 * A work-item copies a panel of W columns of op(B), which is K_MOST × W at most, to its own memory, where it stays in
 * the nearest cache, and multiplies tiles of ROWS rows of op(A) by it.
 */
#define ROWS 6
#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5)

/* op(B)'s columns are rows of B: squares of W × W are transposed in registers. */
void copy_rows(__global const SCALAR *b, ulong b_column, ulong k_end, uint width, real *panel) {
  ulong k = 0;
  for (; k + W <= k_end; k += W) {
    real square[W], room[W];
#pragma unroll
    for (uint l = 0; l < W; l++) square[l] = LOAD_W(b + min(l, width - 1) * b_column, k);
    TRANSPOSE(square, room)
#pragma unroll
    for (uint l = 0; l < W; l++) panel[k + l] = square[l];
  }
  for (; k < k_end; k++) {
    SCALAR lanes[W];
    for (uint l = 0; l < W; l++) lanes[l] = b[min(l, width - 1) * b_column + k];
    panel[k] = LOAD_W(lanes, 0);
  }
}

void copy_columns(__global const SCALAR *b, ulong b_step, ulong k_end, uint width, real *panel) {
  if (width == W)
    for (ulong k = 0; k < k_end; k++) panel[k] = LOAD_W(b + k * b_step, 0);
  else
    for (ulong k = 0; k < k_end; k++) panel[k] = take(b + k * b_step, 0, width);
}

#define ROW_START(r) \
  real s##r = (real)0; \
  __global const SCALAR *a##r = a + min((ulong)(r), last_row) * a_row;
#define ROW_STEP(r) s##r = fma((real)a##r[at], v, s##r);
#define ENDED(x, r) ended((x), bias, bias_along, row + r, column, width)
#define ROW_SCALE(r) STORE_W(ENDED(finish_new(s##r, alpha), r), c, r * c_pitch);
#define ROW_FINISH(r) STORE_W(ENDED(finish(s##r, alpha, beta, LOAD_W(c, r * c_pitch)), r), c, r * c_pitch);
#define ROW_EDGE(r) \
  if (r <= last_row) { \
    __global SCALAR *to = c + r * c_pitch; \
    const real x = beta == 0 ? finish_new(s##r, alpha) : finish(s##r, alpha, beta, take(to, 0, width)); \
    put(ENDED(x, r), to, 0, width); \
  }

/* Work-item (p, q, u): panel p of columns, tiles q·tiles_each … of rows, matrices u·matrices_each … of the batch. */
__kernel void gemm_small(__global const SCALAR *a_, ulong a_first, ulong a_row_, ulong a_step_, ulong a_each,
                         __global const SCALAR *b_, ulong b_first, ulong b_step_, ulong b_column_, ulong b_each,
                         __global SCALAR *c_, ulong c_first, ulong c_pitch_, ulong c_each,
                         __global const ulong *places, uint listed_, ulong m_, ulong n, ulong k_, ulong batch,
                         ulong tiles_each, ulong matrices_each, SCALAR alpha_, SCALAR beta_,
                         __global const SCALAR *bias_, ulong bias_first, uint bias_along_) {
  __global const SCALAR *bias = bias_ + bias_first;
  const uint bias_along = bias_along_;
  const ulong a_row = a_row_, a_step = a_step_, b_step = b_step_, b_column = b_column_, c_pitch = c_pitch_;
  const ulong m = m_, k_end = k_;
  const SCALAR alpha = alpha_, beta = beta_;
  const uint listed = listed_;
  const ulong column = get_global_id(0) * W, tile_begin = get_global_id(1) * tiles_each;
  const ulong row_end = min(m, (tile_begin + tiles_each) * ROWS);
  const ulong matrix_end = min((get_global_id(2) + 1) * matrices_each, batch);
  if (column >= n) return;
  const uint width = (uint)min((ulong)W, n - column);
  real panel[K_MOST];
  for (ulong z = get_global_id(2) * matrices_each; z < matrix_end; z++) {
    __global const SCALAR *b = b_ + (listed ? places[3 * z + 1] : b_first + z * b_each) + column * b_column;
    __global const SCALAR *a_matrix = a_ + (listed ? places[3 * z] : a_first + z * a_each);
    __global SCALAR *c_matrix = c_ + (listed ? places[3 * z + 2] : c_first + z * c_each) + column;
    if (b_column == 1) copy_columns(b, b_step, k_end, width, panel);
    else copy_rows(b, b_column, k_end, width, panel);
    for (ulong row = tile_begin * ROWS; row < row_end; row += ROWS) {
      const ulong last_row = min((ulong)ROWS, m - row) - 1;
      __global const SCALAR *a = a_matrix + row * a_row;
      __global SCALAR *c = c_matrix + row * c_pitch;
      EACH_ROW(ROW_START)
      ulong at = 0;
      for (ulong k = 0; k < k_end; k++) {
        const real v = panel[k];
        EACH_ROW(ROW_STEP)
        at += a_step;
      }
      if (last_row < ROWS - 1 || width < W) {
        EACH_ROW(ROW_EDGE)
      } else if (beta == 0) {
        EACH_ROW(ROW_SCALE)
      } else {
        EACH_ROW(ROW_FINISH)
      }
    }
  }
}
