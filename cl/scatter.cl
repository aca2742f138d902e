/* scatter.cl: rows added to rows, in the order of sorted indices.
 *
 *   -D X_T=f32 -D INDEX=int   storage of the rows, type of the indices
 *
 * indices: in order; places: where each stood. A work-item begins with `each` of them and does those rows of out
 * whose first index is among these, with all that follow: in the CPU walk whole rows in vectors, in the GPU walk a
 * column.
 */
#define LOAD CAT(load_, X_T)
#define STORE CAT(store_, X_T)
#define ADD_UP(LOAD_FROM, c)                                                       \
  real sum = LOAD_FROM(out, to + (c));                                             \
  for (ulong k = j; k < count && indices[k] == index; k++)                         \
    sum += LOAD_FROM(x, x_first + (ulong)places[k] * x_pitch + (c));

__kernel void scatter_add(__global const INDEX *indices, __global const long *places, const ulong count_,
                          const ulong each_, __global const CAT(X_T, _t) *x, const ulong x_first_,
                          const ulong x_pitch_, const ulong columns_, __global CAT(X_T, _t) *out,
                          const ulong out_first_, const ulong out_pitch_, const ulong rows_) {
  const ulong count = count_, each = each_, x_first = x_first_, x_pitch = x_pitch_, columns = columns_;
  const ulong out_first = out_first_, out_pitch = out_pitch_, rows = rows_;
#ifdef WALK_CPU
  const ulong begin = get_global_id(0) * each;
#else
  const ulong begin = get_global_id(0) / columns * each, column = get_global_id(0) % columns;
#endif
  const ulong end = min(begin + each, count);
  for (ulong j = begin; j < end; j++) {
    const INDEX index = indices[j];
    if ((j && indices[j - 1] == index) || (ulong)index >= rows) continue;
    const ulong to = out_first + (ulong)index * out_pitch;
#ifdef WALK_CPU
    for (ulong c = 0; c < columns; c += W) {
      const uint n = (uint)min(columns - c, (ulong)W);
#define LOAD_SOME(p, i) (n == W ? LOAD(p, i) : CAT(CAT(load_, X_T), _part)(p, i, n))
      ADD_UP(LOAD_SOME, c)
      if (n == W) STORE(sum, out, to + c);
      else CAT(CAT(store_, X_T), _part)(sum, out, to + c, n);
    }
#else
    ADD_UP(LOAD, column)
    STORE(sum, out, to + column);
#endif
  }
}
