/* minimize.cl: out = x + c·y with c = factor·(s[plus] − s[minus]), rounded once an element. s: numbers that reductions
 * have left on the device; s[0] is 0 and s[1] is 1, so that `plus` 1 and `minus` 0 give c = factor.
 *
 * n elements from *_first on. out may be x or y itself: an element is read before it is written.
 *
 * CPU walk: a work-item takes n_each consecutive elements, W at a time. GPU walk: a work-group takes n_each times its
 * size, its work-items neighbouring elements.
 */
#define ARGUMENTS                                                                                                   \
  __global const float *x, const ulong x_first, __global const float *y, const ulong y_first, __global float *out,  \
      const ulong out_first, const ulong n, const ulong n_each, __global const float *s, const uint plus,           \
      const uint minus, const float factor

#ifdef WALK_CPU
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void along(ARGUMENTS) {
  const ulong begin = get_global_id(0) * n_each, end = min(begin + n_each, n);
  const real c = (real)(factor * (s[plus] - s[minus]));
  ulong i = begin;
  for (; i + W <= end; i += W)
    store_f32(fused(c, load_f32(y, y_first + i), load_f32(x, x_first + i)), out, out_first + i);
  const uint rest = i < end ? (uint)(end - i) : 0;
  if (rest)
    store_f32_part(fused(c, load_f32_part(y, y_first + i, rest), load_f32_part(x, x_first + i, rest)), out,
                   out_first + i, rest);
}
#else
__kernel void along(ARGUMENTS) {
  const ulong begin = get_group_id(0) * get_local_size(0) * n_each + get_local_id(0);
  const real c = factor * (s[plus] - s[minus]);
  for (uint k = 0; k < n_each; k++) {
    const ulong i = begin + k * get_local_size(0);
    if (i < n) store_f32(fused(c, load_f32(y, y_first + i), load_f32(x, x_first + i)), out, out_first + i);
  }
}
#endif
