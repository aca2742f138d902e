/* Nothing is wrong with this kernel. */
kernel void plain(global const float *restrict x, global float *restrict y) {
  local float shared[64];
  const size_t i = get_global_id(0), l = get_local_id(0);
  shared[l & 63] = x[i];
  barrier(CLK_LOCAL_MEM_FENCE);
  y[i] = shared[63 - (l & 63)];
}
