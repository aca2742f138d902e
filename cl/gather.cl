/* gather.cl: out[i] = table[indices[i]], rows of bits.
 *
 *   -D ELEMENT=   uchar, ushort, uint or ulong: the unsigned integer of the element's size
 *   -D INDEX=     int or long
 *
 * Offsets and pitches are in elements. An index outside the table gives a row of zeros.
 */
#define VEC CAT(ELEMENT, 16)

#ifdef WALK_CPU
/* A work-item: `rows_each` rows of one chunk of `columns_each` columns. */
__kernel void gather(__global const ELEMENT *table, const ulong table_first, const ulong table_pitch,
                     const ulong table_rows, __global const INDEX *indices, const ulong indices_first,
                     __global ELEMENT *out, const ulong out_first, const ulong out_pitch, const ulong rows,
                     const ulong columns, const ulong rows_each, const ulong columns_each) {
  const ulong r0 = get_global_id(1) * rows_each, r1 = min(r0 + rows_each, rows);
  const ulong c0 = get_global_id(0) * columns_each, c1 = min(c0 + columns_each, columns);
  for (ulong r = r0; r < r1; r++) {
    const ulong index = (ulong)indices[indices_first + r]; /* a negative one becomes huge */
    const int inside = index < table_rows;
    __global const ELEMENT *from = table + table_first + (inside ? index : 0) * table_pitch;
    __global ELEMENT *to = out + out_first + r * out_pitch;
    ulong c = c0;
    for (; c + 16 <= c1; c += 16) vstore16(inside ? vload16(0, from + c) : (VEC)(0), 0, to + c);
    for (; c < c1; c++) to[c] = inside ? from[c] : (ELEMENT)0;
  }
}
#else
/* A work-item: one element. Neighbours take neighbouring columns, then the next row. */
__kernel void gather(__global const ELEMENT *table, const ulong table_first, const ulong table_pitch,
                     const ulong table_rows, __global const INDEX *indices, const ulong indices_first,
                     __global ELEMENT *out, const ulong out_first, const ulong out_pitch, const ulong rows,
                     const ulong columns, const ulong rows_each, const ulong columns_each) {
  const ulong i = get_global_id(0);
  if (i >= rows * columns) return;
  const ulong r = columns == 1 ? i : (i | columns) >> 32 ? i / columns : (uint)i / (uint)columns;
  const ulong c = i - r * columns, index = (ulong)indices[indices_first + r];
  out[out_first + r * out_pitch + c] = index < table_rows ? table[table_first + index * table_pitch + c] : (ELEMENT)0;
}
#endif
