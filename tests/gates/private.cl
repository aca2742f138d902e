/* An array whose index only the data tell: it cannot lie in registers. */
kernel void private_array(global const int *restrict x, global int *restrict y) {
  const size_t i = get_global_id(0) * 64;
  int a[64];
  for (int k = 0; k < 64; k++) a[k] = x[i + k];
  for (int k = 0; k < 64; k++) a[a[k] & 63] += a[(a[k] >> 6) & 63];
  for (int k = 0; k < 64; k++) y[i + k] = a[k];
}
