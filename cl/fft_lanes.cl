/* fft_lanes.cl: the CPU walk of fft_radix.cl: eight columns side by side in the lanes, one vector of real and one of
 * imaginary parts an element, in two rooms of the work-item's own that passes go between. */

/* How the eight columns lie: one behind the other, or not; with the same q, or successive ones, or neither. */
typedef enum spread { SAME, NEXT, ANY } spread;
typedef struct tile {
  ulong in[LANES], out[LANES];
  ulong q[LANES];
  bool in_beside, out_beside;
  spread qs;
  uint count;
} tile;

static void tile_of(tile *t, ulong first, uint length, ulong before, ulong apart, ulong inner, ulong columns) {
  t->count = (uint)min((ulong)LANES, columns - first);
  for (uint c = 0; c < LANES; c++) {
    const column k = column_of(first + min(c, t->count - 1), length, before, apart, inner);
    t->in[c] = k.in, t->out[c] = k.out, t->q[c] = k.q;
  }
  const bool full = t->count == LANES;
  t->in_beside = full && t->in[LANES - 1] - t->in[0] == LANES - 1;
  t->out_beside = full && t->out[LANES - 1] - t->out[0] == LANES - 1;
  t->qs = ANY;
  bool same = true, next = full;
  for (uint c = 0; c < LANES; c++) {
    same = same && t->q[c] == t->q[0];
    next = next && t->q[c] == t->q[0] + c;
  }
  if (same) t->qs = SAME;
  else if (next) t->qs = NEXT;
}

static V w_of(__global const float *w, ulong k, const tile *t) {
  if (t->qs == SAME) return (V)w[k + t->q[0]];
  if (t->qs == NEXT) return vload8(0, w + k + t->q[0]);
  return (V)(w[k + t->q[0]], w[k + t->q[1]], w[k + t->q[2]], w[k + t->q[3]], w[k + t->q[4]], w[k + t->q[5]],
             w[k + t->q[6]], w[k + t->q[7]]);
}

#define AT(room, i, part) vload8(2 * (i) + (part), (room))
#define PUT(v, room, i, part) vstore8((v), 2 * (i) + (part), (room))

/* One pass of the columns; l counts from 1 for each launch. */
#define DEFINE_PASS(R)                                                                                               \
  static void pass##R(__global const float *restrict x, __global float *restrict y, __global const float *restrict w, \
                      uint length, uint l, ulong before, const tile *tile) {                                         \
    const uint m = length / R;                                                                                       \
    const ulong plane = before * l * (R - 1);                                                                        \
    for (uint g = 0; g < m; g += l)                                                                                  \
      for (uint k = 0; k < l; k++) {                                                                                 \
        V a[R], b[R];                                                                                                \
        _Pragma("unroll") for (uint t = 0; t < R; t++) {                                                             \
          a[t] = AT(x, g + k + t * m, 0), b[t] = AT(x, g + k + t * m, 1);                                            \
        }                                                                                                            \
        if (before * l > 1) {                                                                                        \
          _Pragma("unroll") for (uint t = 1; t < R; t++) {                                                           \
            const ulong at = before * ((t - 1) * l + k);                                                             \
            turn(a + t, b + t, w_of(w, at, tile), w_of(w + plane, at, tile));                                        \
          }                                                                                                          \
        }                                                                                                            \
        dft##R(a, b);                                                                                                \
        _Pragma("unroll") for (uint u = 0; u < R; u++) {                                                             \
          PUT(a[u], y, g * R + k + u * l, 0);                                                                        \
          PUT(b[u], y, g * R + k + u * l, 1);                                                                        \
        }                                                                                                            \
      }                                                                                                              \
  }
DEFINE_PASS(2) DEFINE_PASS(3) DEFINE_PASS(4) DEFINE_PASS(5) DEFINE_PASS(8)

/* Element i of all columns, and what the launch's first pass sees: real and imaginary parts by `swap`. */
static void load_tile(__global const float *x, __global float *room, uint length, ulong stride, uint swap,
                      const tile *t) {
  const uint re = swap & SWAP_IN ? 1 : 0, im = 1 - re;
  uint i = 0;
  if (t->in_beside) {
    for (; i < length; i++) {
      const float16 z = vload16(0, x + 2 * (t->in[0] + i * stride));
      PUT(z.even, room, i, re);
      PUT(z.odd, room, i, im);
    }
    return;
  }
  if (stride == 1)
    for (; i + 4 <= length; i += 4) {
      V v[8];
#pragma unroll
      for (uint c = 0; c < 8; c++) v[c] = vload8(0, x + 2 * (t->in[c] + i));
      transpose8(v);
#pragma unroll
      for (uint c = 0; c < 4; c++) {
        PUT(v[2 * c], room, i + c, re);
        PUT(v[2 * c + 1], room, i + c, im);
      }
    }
  for (; i < length; i++)
    for (uint c = 0; c < LANES; c++) {
      const float2 z = vload2(0, x + 2 * (t->in[c] + i * stride));
      room[(2 * i + re) * LANES + c] = z.x;
      room[(2 * i + im) * LANES + c] = z.y;
    }
}

static void store_tile(__global const float *room, __global float *y, uint length, ulong stride, uint swap, uint last,
                       float scale, const tile *t) {
  const uint re = swap & SWAP_OUT ? 1 : 0, im = 1 - re;
  uint i = 0;
  if (t->out_beside) {
    for (; i < length; i++) {
      V a = AT(room, i, re), b = AT(room, i, im);
      if (last) a = last_lanes(a, scale), b = last_lanes(b, scale);
      float16 z;
      z.even = a, z.odd = b;
      vstore16(z, 0, y + 2 * (t->out[0] + i * stride));
    }
    return;
  }
  if (stride == 1)
    for (; i + 4 <= length; i += 4) {
      V v[8];
#pragma unroll
      for (uint c = 0; c < 4; c++) v[2 * c] = AT(room, i + c, re), v[2 * c + 1] = AT(room, i + c, im);
      if (last) {
#pragma unroll
        for (uint c = 0; c < 8; c++) v[c] = last_lanes(v[c], scale);
      }
      transpose8(v);
#pragma unroll
      for (uint c = 0; c < 8; c++)
        if (c < t->count) vstore8(v[c], 0, y + 2 * (t->out[c] + i));
    }
  for (; i < length; i++)
    for (uint c = 0; c < t->count; c++) {
      float2 z = (float2)(room[(2 * i + re) * LANES + c], room[(2 * i + im) * LANES + c]);
      if (last) z = (float2)(last_of(z.x, scale), last_of(z.y, scale));
      vstore2(z, 0, y + 2 * (t->out[c] + i * stride));
    }
}

/* A work-item does `share` tiles; rooms: 4·length·LANES floats for each. */
__kernel void fft_columns(PLACES, __global float *rooms, ulong share_) {
  LOCALS
  const ulong share = share_, id = get_global_id(0), tiles = (columns + LANES - 1) / LANES;
  __global float *const room = rooms + id * 4 * LANES * length;
  const ulong end = min((id + 1) * share, tiles);
  for (ulong i = id * share; i < end; i++) {
    tile t;
    tile_of(&t, i * LANES, length, before, apart, inner, columns);
    __global float *from = room, *to = room + 2 * LANES * length;
    load_tile(x, from, length, apart * before * inner, swap, &t);
    uint l = 1;
    __global const float *table = w;
    for (ulong rest = radices; rest; rest >>= 8) {
      const uint r = (uint)(rest & 255);
      switch (r) {
      case 2: pass2(from, to, table, length, l, before, &t); break;
      case 3: pass3(from, to, table, length, l, before, &t); break;
      case 4: pass4(from, to, table, length, l, before, &t); break;
      case 5: pass5(from, to, table, length, l, before, &t); break;
      default: pass8(from, to, table, length, l, before, &t);
      }
      if (before * l > 1) table += 2 * (r - 1) * before * l;
      l *= r;
      __global float *const other = from;
      from = to, to = other;
    }
    store_tile(from, y, length, before * inner, swap, last, scale, &t);
  }
}
