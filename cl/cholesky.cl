/* cholesky.cl: the blocks on the diagonal of Cholesky factors.
 *
 *   -D SINGLE   `real` is one float
 *
 *   pivots       a block of at most BLOCK rows becomes its Cholesky factor; above the diagonal nothing is touched
 *                  s = x[i][j];  s = fma(−x[i][k], x[j][k], s) for k = 0 … j - 1 of the block
 *                  x[j][j] = √s, and x[i][j] = s / x[j][j] for i > j
 *                Where the s of a diagonal is not above 0, or not finite, x[j][j] is NaN, and info, if it was 0,
 *                becomes the row + 1. The first block sets it to 0.
 */
enum { BLOCK = 32 };

float pivot_of(float s, __global int *info, ulong b, ulong row) {
  if (s > 0.0f && is_finite(s)) return square_root(s);
  if (info[b] == 0) info[b] = (int)row + 1;
  return as_float(CANONICAL_NAN_BITS);
}

#ifdef WALK_CPU
__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void pivots(__global float *x_all, ulong x_first, ulong x_pitch, ulong x_each, __global int *info_all, ulong info_first,
            ulong start, uint size_) {
  const ulong b = get_global_id(0), pitch = x_pitch, first_row = start;
  const uint size = size_;
  __global float *x = x_all + x_first + b * x_each + first_row * (pitch + 1);
  __global int *info = info_all + info_first;
  if (first_row == 0) info[b] = 0;
  for (uint j = 0; j < size; j++)
    for (uint i = j; i < size; i++) {
      __global float *at = x + i * pitch, *pivot = x + j * pitch;
      float s = at[j];
      for (uint k = 0; k < j; k++) s = fma(-at[k], pivot[k], s);
      at[j] = i == j ? pivot_of(s, info, b, first_row + j) : divide(s, pivot[j]);
    }
}
#else
/* A group a matrix, a work-item a row. `info` goes from work-item to work-item, past barriers that fence it too. */
#define FENCE_BOTH (CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)
__kernel __attribute__((reqd_work_group_size(BLOCK, 1, 1)))
void pivots(__global float *x_all, ulong x_first, ulong x_pitch, ulong x_each, __global int *info_all, ulong info_first,
            ulong start, uint size_) {
  const ulong b = get_group_id(0), pitch = x_pitch, first_row = start;
  const uint size = size_, i = (uint)get_local_id(0);
  __global float *x = x_all + x_first + b * x_each + first_row * (pitch + 1);
  __global int *info = info_all + info_first;
  __local float rows[BLOCK][BLOCK + 1];
  if (first_row == 0 && i == 0) info[b] = 0;
  if (i < size)
    for (uint k = 0; k <= i; k++) rows[i][k] = x[i * pitch + k];
  barrier(FENCE_BOTH);
  for (uint j = 0; j < size; j++) {
    float s = 0.0f;
    if (i >= j && i < size) {
      s = rows[i][j];
      for (uint k = 0; k < j; k++) s = fma(-rows[i][k], rows[j][k], s);
      if (i == j) rows[j][j] = pivot_of(s, info, b, first_row + j);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (i > j && i < size) rows[i][j] = divide(s, rows[j][j]);
    barrier(FENCE_BOTH);
  }
  if (i < size)
    for (uint k = 0; k <= i; k++) x[i * pitch + k] = rows[i][k];
}
#endif
