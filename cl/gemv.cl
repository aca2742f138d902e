/* gemv.cl: y = alpha op(A) x + beta y, the product of blas.cl with one column.
 *
 * Elements: op(A) (i,k) at a[a_first + i·a_row + k·a_step], x k at x[x_first + k·x_step], y i at y[y_first +
 * i·y_step], the running sum of i at sums[i]. A launch does k_count values of k.
 *
 *   -D A_BY_ROW   a_step is 1: op(A) = A. Otherwise a_row is 1: op(A) = A transposed.
 *   -D GROUP      with A_BY_ROW in the GPU walk, after piece.cl: work-items of a group
 *   -D STORED=f16 where A is so; x and y are what is computed in
 */
#define GEMV_ARGUMENTS                                                                                          \
  __global const STORED_T *a_, ulong a_first, ulong a_row_, ulong a_step_, __global const SCALAR *x_, ulong x_first, \
  ulong x_step_, __global SCALAR *sums, __global SCALAR *y_, ulong y_first, ulong y_step_, ulong m_,              \
  ulong k_count_, SCALAR alpha_, SCALAR beta_, uint parts_
#define GEMV_LOCALS                                                                                 \
  __global const STORED_T *a = a_ + a_first;                                                        \
  __global const SCALAR *x = x_ + x_first;                                                          \
  __global SCALAR *y = y_ + y_first;                                                                \
  const ulong a_row = a_row_, a_step = a_step_, x_step = x_step_, y_step = y_step_, m = m_, k_count = k_count_; \
  const SCALAR alpha = alpha_, beta = beta_;                                                        \
  const uint parts = parts_;

#ifdef WALK_CPU

/* The results of elements i + from … i + to-1. */
void deliver(real s, __global SCALAR *sums, __global SCALAR *y, ulong y_step, ulong i, uint from, uint to, SCALAR alpha,
             SCALAR beta, uint parts) {
  if (!(parts & PART_LAST)) {
    put(s, sums + i, from, to);
    return;
  }
  if (y_step == 1) {
    put(beta == 0 ? finish_new(s, alpha) : finish(s, alpha, beta, take(y + i, from, to)), y + i, from, to);
    return;
  }
  SCALAR lanes[W];
  for (uint l = 0; l < W; l++) lanes[l] = 0;
  if (beta != 0)
    for (uint l = from; l < to; l++) lanes[l] = y[(i + l) * y_step];
  s = beta == 0 ? finish_new(s, alpha) : finish(s, alpha, beta, LOAD_W(lanes, 0));
  STORE_W(s, lanes, 0);
  for (uint l = from; l < to; l++) y[(i + l) * y_step] = lanes[l];
}

#ifdef A_BY_ROW

/* A work-item does W rows, in the lanes: squares of W × W elements are transposed in registers. */
__kernel void gemv(GEMV_ARGUMENTS) {
  GEMV_LOCALS
  const ulong i = get_global_id(0) * W;
  if (i >= m) return;
  const uint rows = (uint)min((ulong)W, m - i);
  __global const STORED_T *at = a + i * a_row;
  real s = parts & PART_FIRST ? (real)0 : take(sums + i, 0, rows);
  ulong k = 0;
  for (; k + W <= k_count; k += W) {
    real square[W], room[W];
#pragma unroll
    for (uint l = 0; l < W; l++) square[l] = LOAD(STORED, at, min(l, rows - 1) * a_row + k, W);
    TRANSPOSE(square, room)
#pragma unroll
    for (uint l = 0; l < W; l++) s = fma(square[l], (real)x[(k + l) * x_step], s);
  }
  for (; k < k_count; k++) {
    SCALAR lanes[W];
    for (uint l = 0; l < W; l++) lanes[l] = LOAD_ONE(STORED, at, min(l, rows - 1) * a_row + k);
    s = fma(LOAD_W(lanes, 0), (real)x[k * x_step], s);
  }
  deliver(s, sums, y, y_step, i, 0, rows, alpha, beta, parts);
}

#else

/* A work-item does 4·W elements of y: runs of so many elements along the rows of A. */
#define RUN 4
__kernel void gemv(GEMV_ARGUMENTS) {
  GEMV_LOCALS
  ulong i = get_global_id(0) * (RUN * W);
  if (i + RUN * W <= m) {
    real s[RUN];
#pragma unroll
    for (uint r = 0; r < RUN; r++) s[r] = parts & PART_FIRST ? (real)0 : LOAD_W(sums, i + r * W);
    for (ulong k = 0; k < k_count; k++) {
#pragma unroll
      for (uint r = 0; r < RUN; r++) s[r] = fma(LOAD(STORED, a, k * a_step + i + r * W, W), (real)x[k * x_step], s[r]);
    }
#pragma unroll
    for (uint r = 0; r < RUN; r++) deliver(s[r], sums, y, y_step, i + r * W, 0, W, alpha, beta, parts);
    return;
  }
  for (; i < m; i += W) {
    const uint to = (uint)min((ulong)W, m - i);
    real s = parts & PART_FIRST ? (real)0 : take(sums + i, 0, to);
    for (ulong k = 0; k < k_count; k++) s = fma(LOAD(STORED, a, k * a_step + i, to), (real)x[k * x_step], s);
    deliver(s, sums, y, y_step, i, 0, to, alpha, beta, parts);
  }
}
#endif

#else

/* The result of one element. */
void deliver(SCALAR s, __global SCALAR *sums, __global SCALAR *y, ulong y_step, ulong i, SCALAR alpha, SCALAR beta,
             uint parts) {
  if (!(parts & PART_LAST))
    sums[i] = s;
  else
    y[i * y_step] = beta == 0 ? finish_new(s, alpha) : finish(s, alpha, beta, y[i * y_step]);
}

#ifdef A_BY_ROW

/* fetch, of elements that may be narrower. */
piece fetch_stored(__global const STORED_T *p, bool aligned, int inside) {
  if (sizeof(STORED_T) == sizeof(SCALAR)) return fetch((__global const SCALAR *)p, aligned, inside);
  piece v = (piece)(0);
  if (inside > 0) v.s0 = LOAD_ONE(STORED, p, 0);
  if (inside > 1) v.s1 = LOAD_ONE(STORED, p, 1);
#if PIECE > 2
  if (inside > 2) v.s2 = LOAD_ONE(STORED, p, 2);
  if (inside > 3) v.s3 = LOAD_ONE(STORED, p, 3);
#endif
  return v;
}

/* A work-item does a row, whose neighbours in memory are its own: a group of GROUP rows brings DEPTH steps of all of
 * them through local memory, neighbouring items from neighbouring places. A row there is one element longer, so that
 * items that go down the same column read from all banks. */
#define DEPTH (8 * PIECE)
#define PITCH (DEPTH + 1)
#define PIECES (DEPTH / PIECE)
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void gemv(GEMV_ARGUMENTS) {
  GEMV_LOCALS
  __local SCALAR tile[GROUP * PITCH];
  const uint id = (uint)get_local_id(0);
  const ulong first = get_group_id(0) * (ulong)GROUP, i = first + id;
  const uint rows = (uint)min((ulong)GROUP, m - first);
  const bool aligned = lines_aligned((__global const SCALAR *)a, a_row);
  SCALAR s = parts & PART_FIRST || i >= m ? (SCALAR)0 : sums[i];
  for (ulong k = 0; k < k_count; k += DEPTH) {
    const uint depth = (uint)min((ulong)DEPTH, k_count - k);
    piece v[PIECES];
#pragma unroll
    for (uint e = 0; e < PIECES; e++) {
      const uint n = id + e * GROUP, r = n / PIECES, d = n % PIECES * PIECE;
      v[e] = fetch_stored(a + (first + r) * a_row + k + d, aligned, r < rows ? (int)depth - (int)d : 0);
    }
#pragma unroll
    for (uint e = 0; e < PIECES; e++) {
      const uint n = id + e * GROUP, at = n / PIECES * PITCH + n % PIECES * PIECE;
      PUT(v[e], tile, at)
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint d = 0; d < depth; d++) s = fma(tile[id * PITCH + d], x[(k + d) * x_step], s);
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  if (i < m) deliver(s, sums, y, y_step, i, alpha, beta, parts);
}

#else

/* A work-item does an element, its neighbours those beside it; several steps are on their way at a time. */
#define STEPS 8
__kernel void gemv(GEMV_ARGUMENTS) {
  GEMV_LOCALS
  const ulong i = get_global_id(0);
  if (i >= m) return;
  SCALAR s = parts & PART_FIRST ? (SCALAR)0 : sums[i];
  ulong k = 0;
  for (; k + STEPS <= k_count; k += STEPS) {
    SCALAR v[STEPS];
#pragma unroll
    for (uint l = 0; l < STEPS; l++) v[l] = LOAD_ONE(STORED, a, i + (k + l) * a_step);
#pragma unroll
    for (uint l = 0; l < STEPS; l++) s = fma(v[l], x[(k + l) * x_step], s);
  }
  for (; k < k_count; k++) s = fma(LOAD_ONE(STORED, a, i + k * a_step), x[k * x_step], s);
  deliver(s, sums, y, y_step, i, alpha, beta, parts);
}
#endif
#endif
