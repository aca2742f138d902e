/* axes.cl: a copy between tensors whose axes lie in memory with any strides.
 *
 *   -D ELEMENT=   uchar, ushort, uint or ulong: the unsigned integer of the element's size
 *   -D AXES=      how many of the extents and strides are used: the last ones; the others are 1
 *
 * Extents, strides: from the outermost axis to the innermost, the one that is dense in the result where any is; next
 * to it the one that is dense in the source, so that the CPU walk's tiles of the two use all of the cache lines they
 * touch.
 */

/* Takes axis k's index off i. */
#define STEP(k)                                        \
  if (8 - k <= AXES) {                                 \
    const ulong above = i / extents.s##k;              \
    const ulong index = i - above * extents.s##k;      \
    from_at += index * from_strides.s##k;              \
    to_at += index * to_strides.s##k;                  \
    i = above;                                         \
  }

#ifdef WALK_CPU
/* A work-item: tile_6 by tile_7 elements of the two innermost axes. Its number counts tiles of the last axis first,
 * then of the one before, then the other axes. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void copy_axes(
    __global const ELEMENT *from, const ulong from_first, __global ELEMENT *to, const ulong to_first, const ulong n,
    const ulong tile_6, const ulong tile_7, const ulong8 extents, const ulong8 from_strides, const ulong8 to_strides) {
  const ulong tiles_7 = (extents.s7 + tile_7 - 1) / tile_7, tiles_6 = (extents.s6 + tile_6 - 1) / tile_6;
  const ulong tile = get_global_id(0), begin_7 = tile % tiles_7 * tile_7, begin_6 = tile / tiles_7 % tiles_6 * tile_6;
  const ulong end_7 = min(begin_7 + tile_7, extents.s7), end_6 = min(begin_6 + tile_6, extents.s6);
  const ulong from_step = from_strides.s7, to_step = to_strides.s7, run = end_7 - begin_7;
  ulong i = tile / tiles_7 / tiles_6, from_at = 0, to_at = 0;
  STEP(5) STEP(4) STEP(3) STEP(2) STEP(1) STEP(0)
  for (ulong k = begin_6; k < end_6; k++) {
    __global const ELEMENT *x = from + from_first + from_at + k * from_strides.s6 + begin_7 * from_step;
    __global ELEMENT *y = to + to_first + to_at + k * to_strides.s6 + begin_7 * to_step;
    if (from_step == 1 && to_step == 1)
      for (ulong e = 0; e < run; e++) y[e] = x[e];
    else
      for (ulong e = 0; e < run; e++) y[e * to_step] = x[e * from_step];
  }
}
#else
__kernel void copy_axes(__global const ELEMENT *from, const ulong from_first, __global ELEMENT *to,
                        const ulong to_first, const ulong n, const ulong tile_6, const ulong tile_7,
                        const ulong8 extents, const ulong8 from_strides, const ulong8 to_strides) {
  ulong i = get_global_id(0), from_at = 0, to_at = 0;
  if (i >= n) return;
  STEP(7) STEP(6) STEP(5) STEP(4) STEP(3) STEP(2) STEP(1) STEP(0)
  to[to_first + to_at] = from[from_first + from_at];
}
#endif
