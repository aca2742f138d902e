/* axes.cl: a dense copy of a tensor whose axes lie in memory with any strides.
 *
 *   -D ELEMENT=   uchar, ushort, uint or ulong: the unsigned integer of the element's size
 *   -D AXES=      how many of the extents and strides are used: the last ones; the others are 1
 */

/* Where element i of the result comes from: its indices by division, the last axis first. */
#define STEP(k)                                                     \
  if (8 - k <= AXES) {                                                 \
    const ulong above = i / extents.s##k;                           \
    at += (i - above * extents.s##k) * strides.s##k;                \
    i = above;                                                      \
  }
ulong place_of(ulong i, ulong8 extents, ulong8 strides) {
  ulong at = 0;
  STEP(7) STEP(6) STEP(5) STEP(4) STEP(3) STEP(2) STEP(1) STEP(0)
  return at;
}

#ifdef WALK_CPU
/* n_each elements a work-item: whole runs of the last axis. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void gather_axes(
    __global const ELEMENT *x, const ulong first, __global ELEMENT *to, const ulong n, const ulong n_each,
    const ulong8 extents, const ulong8 strides) {
  const ulong begin = get_global_id(0) * n_each, end = min(begin + n_each, n);
  const ulong run = extents.s7, stride = strides.s7;
  for (ulong i = begin; i < end; i += run) {
    __global const ELEMENT *from = x + first + place_of(i, extents, strides);
    if (stride == 1)
      for (ulong k = 0; k < run; k++) to[i + k] = from[k];
    else
      for (ulong k = 0; k < run; k++) to[i + k] = from[k * stride];
  }
}
#else
__kernel void gather_axes(__global const ELEMENT *x, const ulong first, __global ELEMENT *to, const ulong n,
                          const ulong n_each, const ulong8 extents, const ulong8 strides) {
  const ulong i = get_global_id(0);
  if (i < n) to[i] = x[first + place_of(i, extents, strides)];
}
#endif
