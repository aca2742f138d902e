/* triangle_panels.cl: equations with a triangular matrix, solve of triangle.cl, for many vectors: each work-item has W
 * of them, its panel, beside X, line after line, and keeps a tile of ROWS lines in registers while it goes through the
 * known ones. CPU walk only; after blas.cl.
 *
 * Blocks of BLOCK lines are solved in turn, 0, 1, … from the first line on, with `down` from the last line up. For each
 * line of a block the chain of gemm over the lines of all blocks before it, which ascend in either case; then the
 * substitution within the block. A launch does blocks first_block … last_block - 1 of `n` lines.
 *
 * Packed, a tile is what multiplies the known lines, t[k·ROWS + q] for its row q: those before its block, then those
 * before it in its block, then its own; rows and columns in the order in which lines become known. Tile `u` of the
 * launch begins at packed[u·tile_step].
 *
 *   -D ROWS     of a tile, 4 or 8
 *   pack        t(i,k), at t_first + i·t_row + k·t_column, as tiles; nothing beyond the triangle is read
 *   solve       X, x(i) of vector v at x_first + i·x_step + v·x_vector
 *   Matrix b of a stack is t_each, x_each, and so many tiles or panels further.
 */
#define BLOCK 32
#define TILES (BLOCK / ROWS)
#define RUN 256
#if ROWS == 8
#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#else
#define EACH_ROW(X) X(0) X(1) X(2) X(3)
#endif

/* A block: where it begins, its lines, and the chains before it: their first line and how many. */
typedef struct {
  ulong begin, size, chain_begin, chain;
} block_lines;

block_lines block_of(ulong j, ulong n, uint down) {
  const ulong blocks = (n + BLOCK - 1) / BLOCK, begin = (down ? blocks - 1 - j : j) * BLOCK;
  const ulong size = min((ulong)BLOCK, n - begin), end = begin + size;
  block_lines r;
  r.begin = begin;
  r.size = size;
  r.chain_begin = down ? end : 0;
  r.chain = down ? n - end : begin;
  return r;
}

/* Line q of a block in the order in which they become known. */
ulong line_of(const block_lines *at, ulong q, uint down) { return at->begin + (down ? at->size - 1 - q : q); }

/* Work-item (u, r, b): values k from r·RUN of tile u. */
__kernel void pack(__global const SCALAR *t_all, ulong t_first, ulong t_row_, ulong t_column_, ulong t_each,
                   __global SCALAR *packed, ulong tile_step, ulong first_block, ulong n_, uint down_) {
  const ulong t_row = t_row_, t_column = t_column_, n = n_;
  const uint down = down_;
  const ulong tile = get_global_id(0), b = get_global_id(2);
  const block_lines at = block_of(first_block + tile / TILES, n, down);
  const ulong row = tile % TILES * ROWS;
  if (row >= at.size) return;
  const ulong begin = get_global_id(1) * RUN, end = min(begin + RUN, at.chain + row + ROWS);
  const ulong live = min((ulong)ROWS, at.size - row);
  __global const SCALAR *t = t_all + t_first + b * t_each;
  __global SCALAR *out = packed + (b * get_global_size(0) + tile) * tile_step;
  ulong rows[ROWS];
#pragma unroll
  for (uint q = 0; q < ROWS; q++) rows[q] = line_of(&at, row + min((ulong)q, live - 1), down) * t_row;
  ulong k = begin;
  for (; k < min(end, at.chain); k++) {
    __global const SCALAR *column = t + (at.chain_begin + k) * t_column;
#pragma unroll
    for (uint q = 0; q < ROWS; q++) out[k * ROWS + q] = column[rows[q]];
  }
  for (; k < end; k++) {
    const ulong known = k - at.chain;
    for (uint q = 0; q < ROWS; q++) {
      const bool there = q < live && known <= row + q;
      out[k * ROWS + q] = there ? t[rows[q] + line_of(&at, known, down) * t_column] : (SCALAR)(known == row + q);
    }
  }
}

/* Lines from … to - 1 of W vectors, `live` of them there, into the panel or back. */
void bring(__global const SCALAR *x, ulong x_step, ulong x_vector, uint live, ulong from, ulong to,
           __global SCALAR *panel) {
  ulong i = from;
  if (x_vector == 1) {
    for (; i < to; i++) STORE_W(take(x + i * x_step, 0, live), panel, i * W);
    return;
  }
  for (; i + W <= to; i += W) {
    real square[W], room[W];
#pragma unroll
    for (uint l = 0; l < W; l++) square[l] = LOAD_W(x + min(l, live - 1) * x_vector, i);
    TRANSPOSE(square, room)
#pragma unroll
    for (uint l = 0; l < W; l++) STORE_W(square[l], panel, (i + l) * W);
  }
  for (; i < to; i++)
    for (uint l = 0; l < W; l++) panel[i * W + l] = x[min(l, live - 1) * x_vector + i];
}

void take_back(__global SCALAR *x, ulong x_step, ulong x_vector, uint live, ulong from, ulong to,
               __global const SCALAR *panel) {
  ulong i = from;
  if (x_vector == 1) {
    for (; i < to; i++) put(LOAD_W(panel, i * W), x + i * x_step, 0, live);
    return;
  }
  for (; i + W <= to; i += W) {
    real square[W], room[W];
#pragma unroll
    for (uint l = 0; l < W; l++) square[l] = LOAD_W(panel, (i + l) * W);
    TRANSPOSE(square, room)
    for (uint l = 0; l < live; l++) STORE_W(square[l], x + l * x_vector, i);
  }
  for (; i < to; i++)
    for (uint l = 0; l < live; l++) x[l * x_vector + i] = panel[i * W + l];
}

#define ROW_START(r) real s##r = (real)0;
#define ROW_STEP(r) s##r = fma((real)t[r], v, s##r);
#define ROW_LESS(r) s##r = fma((real)-1, s##r, LOAD_W(own, (long)min(r, live - 1) * step));
#define ROW_BEGIN(r) s##r = LOAD_W(own, (long)min(r, live - 1) * step);
#define ROW_BACK(r) s##r = fma((real)-t[r], v, s##r);
#define ROW_KEEP(r) tile[r] = s##r;

/* Lines row … row + live - 1 of a block in the order in which they become known. */
void solve_tile(__global const SCALAR *t, __global SCALAR *panel, const block_lines *at, ulong row, int live, uint unit,
                uint down) {
  const long step = down ? -W : W;
  __global SCALAR *own = panel + line_of(at, row, down) * W;
  __global const SCALAR *x = panel + at->chain_begin * W;
  EACH_ROW(ROW_START)
  for (ulong k = 0; k < at->chain; k++) {
    const real v = LOAD_W(x, 0);
    EACH_ROW(ROW_STEP)
    t += ROWS;
    x += W;
  }
  if (at->chain) {
    EACH_ROW(ROW_LESS)
  } else {
    EACH_ROW(ROW_BEGIN)
  }
  x = panel + line_of(at, 0, down) * W;
  for (ulong k = 0; k < row; k++) {
    const real v = LOAD_W(x, 0);
    EACH_ROW(ROW_BACK)
    t += ROWS;
    x += step;
  }
  real tile[ROWS];
  EACH_ROW(ROW_KEEP)
  for (int k = 0; k < live; k++) {
    const real known = unit ? tile[k] : divide(tile[k], (real)t[k]);
    STORE_W(canonical(known), own, (long)k * step);
    for (int i = k + 1; i < live; i++) tile[i] = fma((real)-t[i], known, tile[i]);
    t += ROWS;
  }
}

/* Work-item (p, b): panel p. */
__kernel void solve(__global const SCALAR *packed, ulong tile_step_, __global SCALAR *x_all, ulong x_first,
                    ulong x_step_, ulong x_vector_, ulong x_each, __global SCALAR *panels, ulong n_, ulong vectors,
                    ulong first_block_, ulong last_block_, uint unit_, uint down_) {
  const ulong p = get_global_id(0), b = get_global_id(1), v = p * W;
  if (v >= vectors) return;
  const ulong tile_step = tile_step_, x_step = x_step_, x_vector = x_vector_, n = n_;
  const ulong first_block = first_block_, last_block = last_block_;
  const uint unit = unit_, down = down_, live = (uint)min((ulong)W, vectors - v);
  __global SCALAR *x = x_all + x_first + b * x_each + v * x_vector;
  __global SCALAR *panel = panels + (b * get_global_size(0) + p) * n * W;
  __global const SCALAR *tiles = packed + b * (last_block - first_block) * TILES * tile_step;
  const block_lines first = block_of(first_block, n, down), last = block_of(last_block - 1, n, down);
  const ulong from = min(first.begin, last.begin), to = max(first.begin + first.size, last.begin + last.size);
  bring(x, x_step, x_vector, live, from, to, panel);
  for (ulong j = first_block; j < last_block; j++) {
    const block_lines at = block_of(j, n, down);
    for (ulong row = 0; row < at.size; row += ROWS)
      solve_tile(tiles + ((j - first_block) * TILES + row / ROWS) * tile_step, panel, &at, row,
                 (int)min((ulong)ROWS, at.size - row), unit, down);
  }
  take_back(x, x_step, x_vector, live, from, to, panel);
}
