/* gemv.cl: y = alpha op(A) x + beta y, the product of blas.cl with one column.
 *
 * Elements: op(A) (i,k) at a[a_first + i·a_row + k·a_step], x k at x[x_first + k·x_step], y i at y[y_first +
 * i·y_step], the running sum of i at sums[i]. A launch does k_count values of k.
 *
 *   -D A_BY_ROW   a_step is 1: op(A) = A. Otherwise a_row is 1: op(A) = A transposed.
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

__kernel void gemv(GEMV_ARGUMENTS) {
  GEMV_LOCALS
  const ulong i = get_global_id(0);
  if (i >= m) return;
  SCALAR s = parts & PART_FIRST ? (SCALAR)0 : sums[i];
  for (ulong k = 0; k < k_count; k++) s = fma(LOAD_ONE(STORED, a, i * a_row + k * a_step), x[k * x_step], s);
  if (!(parts & PART_LAST))
    sums[i] = s;
  else
    y[i * y_step] = beta == 0 ? finish_new(s, alpha) : finish(s, alpha, beta, y[i * y_step]);
}
#endif
