/* fft_lanes.cl: the CPU walk of fft_radix.cl: eight columns side by side in the lanes, one vector of real and one of
 * imaginary parts an element, in two rooms of the work-item's own that passes go between. */

/* How the eight columns lie: side by side, or not; with the same q, or successive ones, or neither. */
typedef enum spread { SAME, NEXT, ANY } spread;
typedef struct tile {
  ulong in[LANES], out[LANES], q[LANES];
  bool in_beside, out_beside;
  spread qs;
  uint count;
} tile;

/* Columns count s, then q, then d: those of a transform begin side by side, those of one d end so. */
static void tile_of(tile *t, ulong first, uint length, ulong before, ulong apart, ulong inner, ulong columns) {
  const ulong block = before * inner, all = block * apart, at = first % all;
  t->count = (uint)min((ulong)LANES, columns - first);
  const bool full = t->count == LANES;
  t->in_beside = full && at + LANES <= all;
  t->out_beside = full && at % block + LANES <= block;
  t->qs = block == 1 || (full && at % inner + LANES <= inner) ? SAME : inner == 1 && t->out_beside ? NEXT : ANY;
  column k = column_of(first, length, before, apart, inner);
  for (uint c = 0; c < LANES; c++) {
    t->in[c] = k.in, t->out[c] = k.out, t->q[c] = k.q;
    if (c + 1 >= t->count) continue;
    if (all == 1) k.in += length, k.out += length;
    else if (t->out_beside && t->qs != ANY) k.in++, k.out++, k.q += t->qs == NEXT;
    else k = column_of(first + c + 1, length, before, apart, inner);
  }
}

/* Powers of w for q's that are not the same: there may be eight in a row. */
APART static V gathered(__global const float *w, const tile *t) {
  return (V)(w[t->q[0]], w[t->q[1]], w[t->q[2]], w[t->q[3]], w[t->q[4]], w[t->q[5]], w[t->q[6]], w[t->q[7]]);
}
#define W_OF_SAME(w) ((V)((w)[first]))
#define W_OF_VARIOUS(w) (next ? vload8(0, (w) + first) : gathered((w), tile))

/* One pass of the columns; l counts from 1 for each launch. */
#define DEFINE_PASS_OF(R, Q)                                                                                         \
  APART static void pass##R##Q(__global const V *x, __global V *y, __global const float *w, ulong length, ulong l,   \
                               ulong before, const tile *tile) {                                                     \
    const ulong m = length / R, plane = before * l * (R - 1), first = tile->q[0];                                    \
    const bool next = tile->qs == NEXT;                                                                              \
    (void)next, (void)first;                                                                                         \
    for (ulong g = 0; g < m; g += l)                                                                                 \
      for (ulong k = 0; k < l; k++) {                                                                                \
        __global const V *const from = x + 2 * (g + k);                                                              \
        __global const float *const turns = w + before * k;                                                          \
        __global V *const to = y + 2 * (g * R + k);                                                                  \
        V a[R], b[R];                                                                                                \
        _Pragma("unroll") for (uint t = 0; t < R; t++) a[t] = from[2 * t * m], b[t] = from[2 * t * m + 1];           \
        if (before * l > 1) {                                                                                        \
          _Pragma("unroll") for (uint t = 1; t < R; t++) {                                                           \
            __global const float *const at = turns + before * (t - 1) * l;                                           \
            turn(a + t, b + t, W_OF##Q(at), W_OF##Q(at + plane));                                                    \
          }                                                                                                          \
        }                                                                                                            \
        dft##R(a, b);                                                                                                \
        _Pragma("unroll") for (uint u = 0; u < R; u++) to[2 * u * l] = a[u], to[2 * u * l + 1] = b[u];               \
      }                                                                                                              \
  }
#define DEFINE_PASS(R)                                                                                              \
  DEFINE_PASS_OF(R, _SAME) DEFINE_PASS_OF(R, _VARIOUS)                                                              \
  static void pass##R(__global const V *x, __global V *y, __global const float *w, ulong length, ulong l,           \
                      ulong before, const tile *tile) {                                                             \
    if (tile->qs == SAME) pass##R##_SAME(x, y, w, length, l, before, tile);                                         \
    else pass##R##_VARIOUS(x, y, w, length, l, before, tile);                                                       \
  }
DEFINE_PASS(2) DEFINE_PASS(3) DEFINE_PASS(4) DEFINE_PASS(5) DEFINE_PASS(8)

/* Elements of all columns, and what the launch's first pass sees: real and imaginary parts by `swap`. */
APART static void load_tile(__global const float *x, __global V *room, ulong length, ulong stride, uint swap,
                            const tile *t) {
  const uint re = swap & SWAP_IN ? 1 : 0, im = 1 - re;
  ulong i = 0;
  if (t->in_beside) {
    __global const float *from = x + 2 * t->in[0];
    for (; i < length; i++, from += 2 * stride) {
      const float16 z = vload16(0, from);
      fetch_ahead(from + 16 * stride);
      room[2 * i + re] = z.even;
      room[2 * i + im] = z.odd;
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
      for (uint c = 0; c < 4; c++) room[2 * (i + c) + re] = v[2 * c], room[2 * (i + c) + im] = v[2 * c + 1];
    }
  for (; i < length; i++)
    for (uint c = 0; c < LANES; c++) {
      const float2 z = vload2(0, x + 2 * (t->in[c] + i * stride));
      __global float *const to = (__global float *)(room + 2 * i);
      to[re * LANES + c] = z.x;
      to[im * LANES + c] = z.y;
    }
}

APART static void store_tile(__global const V *room, __global float *y, ulong length, ulong stride, uint swap,
                             uint last, float scale, const tile *t) {
  const uint re = swap & SWAP_OUT ? 1 : 0, im = 1 - re;
  ulong i = 0;
  if (t->out_beside) {
    for (; i < length; i++) {
      V a = room[2 * i + re], b = room[2 * i + im];
      if (last) a = last_lanes(a, scale), b = last_lanes(b, scale);
      float16 z;
      z.even = a, z.odd = b;
      __global float *const to = y + 2 * (t->out[0] + i * stride);
      fetch_ahead(to + 32 * stride);
      vstore16(z, 0, to);
    }
    return;
  }
  if (stride == 1)
    for (; i + 4 <= length; i += 4) {
      V v[8];
#pragma unroll
      for (uint c = 0; c < 4; c++) v[2 * c] = room[2 * (i + c) + re], v[2 * c + 1] = room[2 * (i + c) + im];
      if (last) {
#pragma unroll
        for (uint c = 0; c < 8; c++) v[c] = last_lanes(v[c], scale);
      }
      transpose8(v);
      if (t->count == LANES) {
#pragma unroll
        for (uint c = 0; c < 8; c++) {
          __global float *const to = y + 2 * (t->out[c] + i);
          fetch_ahead(to + 64);
          vstore8(v[c], 0, to);
        }
      } else {
#pragma unroll
        for (uint c = 0; c < 8; c++)
          if (c < t->count) vstore8(v[c], 0, y + 2 * (t->out[c] + i));
      }
    }
  for (; i < length; i++)
    for (uint c = 0; c < t->count; c++) {
      __global const float *const from = (__global const float *)(room + 2 * i);
      float2 z = (float2)(from[re * LANES + c], from[im * LANES + c]);
      if (last) z = (float2)(last_of(z.x, scale), last_of(z.y, scale));
      vstore2(z, 0, y + 2 * (t->out[c] + i * stride));
    }
}

/* A work-item does `share` tiles; rooms: 4·length·LANES floats for each. */
__kernel void fft_columns(PLACES, __global V *rooms, ulong share_) {
  LOCALS
  const ulong share = share_, id = get_global_id(0), tiles = (columns + LANES - 1) / LANES;
  __global V *const room = rooms + id * 4 * length;
  const ulong end = min((id + 1) * share, tiles);
  for (ulong i = id * share; i < end; i++) {
    tile t;
    tile_of(&t, i * LANES, length, before, apart, inner, columns);
    __global V *from = room, *to = room + 2 * length;
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
      __global V *const other = from;
      from = to, to = other;
    }
    store_tile(from, y, length, before * inner, swap, last, scale, &t);
  }
}
