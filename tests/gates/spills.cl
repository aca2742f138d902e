/* More values at once than any GPU has registers for a work-item: all are read before the first of them is used. */
#define VALUES 40
kernel void spills(global const float16 *restrict x, global float16 *restrict y) {
  const size_t i = get_global_id(0) * VALUES;
  float16 a[VALUES];
#pragma unroll
  for (int k = 0; k < VALUES; k++) a[k] = x[i + k];
  barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
#pragma unroll
  for (int k = 0; k < VALUES; k++) a[k] = fma(a[k], a[(k * 7 + 3) % VALUES], a[(k * 11 + 1) % VALUES]);
#pragma unroll
  for (int k = 0; k < VALUES; k++) y[i + k] = fma(a[k], a[(k * 5 + 2) % VALUES], a[(k * 13 + 4) % VALUES]);
}
