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

/* Floats between powers of w: from a butterfly to the next, from an element to the next, to the imaginary part. */
typedef struct steps {
  ulong k, t, imaginary;
} steps;
#define TURNS                                                        \
  const ulong first = tile->q[0];                                    \
  const bool next = tile->qs == NEXT;                                \
  (void)next, (void)first;
#define TURN(R, Q, w)                                                \
  _Pragma("unroll") for (uint t = 1; t < R; t++) {                   \
    __global const float *const at = (w) + (t - 1) * s.t;            \
    turn(a + t, b + t, W_OF##Q(at), W_OF##Q(at + s.imaginary));      \
  }

/* One pass of the columns; l counts from 1 for each launch. */
#define DEFINE_PASS_OF(R, Q)                                                                                         \
  APART static void pass##R##Q(__global const V *x, __global V *y, __global const float *w, ulong length, ulong l,   \
                               bool turned, steps s, const tile *tile) {                                             \
    const ulong m = length / R;                                                                                      \
    TURNS                                                                                                            \
    for (ulong g = 0; g < m; g += l)                                                                                 \
      for (ulong k = 0; k < l; k++) {                                                                                \
        __global const V *const from = x + 2 * (g + k);                                                              \
        __global V *const to = y + 2 * (g * R + k);                                                                  \
        V a[R], b[R];                                                                                                \
        _Pragma("unroll") for (uint t = 0; t < R; t++) a[t] = from[2 * t * m], b[t] = from[2 * t * m + 1];           \
        if (turned) { TURN(R, Q, w + k * s.k) }                                                                      \
        dft##R(a, b);                                                                                                \
        _Pragma("unroll") for (uint u = 0; u < R; u++) to[2 * u * l] = a[u], to[2 * u * l + 1] = b[u];               \
      }                                                                                                              \
  }
#define DEFINE_PASS(R)                                                                                               \
  DEFINE_PASS_OF(R, _SAME) DEFINE_PASS_OF(R, _VARIOUS)                                                               \
  static void pass##R(__global const V *x, __global V *y, __global const float *w, ulong length, ulong l,            \
                      bool turned, steps s, const tile *tile) {                                                      \
    if (tile->qs == SAME) pass##R##_SAME(x, y, w, length, l, turned, s, tile);                                       \
    else pass##R##_VARIOUS(x, y, w, length, l, turned, s, tile);                                                     \
  }
DEFINE_PASS(2) DEFINE_PASS(3) DEFINE_PASS(4) DEFINE_PASS(5) DEFINE_PASS(8)

/* The first pass, where columns lie side by side in memory, elements `stride` apart, and another follows. */
enum { LEAD = 4 }; /* butterflies for which memory is fetched ahead */
#define DEFINE_FIRST(R)                                                                                              \
  APART static void first##R(__global const float *x, ulong stride, bool swapped, __global V *y,                     \
                             __global const float *w, ulong m, bool turned, steps s, const tile *tile) {             \
    TURNS                                                                                                            \
    V c[R], d[R];                                                                                                    \
    _Pragma("unroll") for (uint t = 1; t < R; t++) {                                                                 \
      if (!turned) break;                                                                                            \
      __global const float *const at = w + (t - 1) * s.t;                                                            \
      c[t] = tile->qs == SAME ? W_OF_SAME(at) : W_OF_VARIOUS(at);                                                    \
      d[t] = tile->qs == SAME ? W_OF_SAME(at + s.imaginary) : W_OF_VARIOUS(at + s.imaginary);                        \
    }                                                                                                                \
    for (ulong g = 0; g < m; g++, x += stride, y += 2 * R) {                                                         \
      V a[R], b[R];                                                                                                  \
      _Pragma("unroll") for (uint t = 0; t < R; t++) {                                                               \
        const float16 z = vload16(0, x + t * m * stride);                                                            \
        fetch_ahead(x + (t * m + LEAD) * stride);                                                                    \
        a[t] = swapped ? z.odd : z.even, b[t] = swapped ? z.even : z.odd;                                            \
      }                                                                                                              \
      if (turned) {                                                                                                  \
        _Pragma("unroll") for (uint t = 1; t < R; t++) turn(a + t, b + t, c[t], d[t]);                               \
      }                                                                                                              \
      dft##R(a, b);                                                                                                  \
      _Pragma("unroll") for (uint u = 0; u < R; u++) y[2 * u] = a[u], y[2 * u + 1] = b[u];                           \
    }                                                                                                                \
  }
DEFINE_FIRST(2) DEFINE_FIRST(3) DEFINE_FIRST(4) DEFINE_FIRST(5) DEFINE_FIRST(8)

static float16 stored(V a, V b, bool swapped, bool last, float scale) {
  if (last) a = last_lanes(a, scale), b = last_lanes(b, scale);
  float16 z;
  z.even = swapped ? b : a, z.odd = swapped ? a : b;
  return z;
}

/* The last pass, of l = m, where columns lie side by side in memory, and another went before. */
#define DEFINE_LAST_OF(R, Q)                                                                                         \
  APART static void last##R##Q(__global const V *x, __global float *y, ulong stride, bool swapped, bool last,        \
                               float scale, __global const float *w, ulong m, steps s, const tile *tile) {           \
    TURNS                                                                                                            \
    for (ulong k = 0; k < m; k++, x += 2, y += stride, w += s.k) {                                                   \
      V a[R], b[R];                                                                                                  \
      _Pragma("unroll") for (uint t = 0; t < R; t++) a[t] = x[2 * t * m], b[t] = x[2 * t * m + 1];                   \
      TURN(R, Q, w)                                                                                                  \
      dft##R(a, b);                                                                                                  \
      _Pragma("unroll") for (uint u = 0; u < R; u++) {                                                               \
        fetch_ahead(y + (u * m + LEAD) * stride);                                                                    \
        vstore16(stored(a[u], b[u], swapped, last, scale), 0, y + u * m * stride);                                   \
      }                                                                                                              \
    }                                                                                                                \
  }
#define DEFINE_LAST(R)                                                                                               \
  DEFINE_LAST_OF(R, _SAME) DEFINE_LAST_OF(R, _VARIOUS)                                                               \
  static void last##R(__global const V *x, __global float *y, ulong stride, bool swapped, bool last, float scale,    \
                      __global const float *w, ulong m, steps s, const tile *tile) {                                 \
    if (tile->qs == SAME) last##R##_SAME(x, y, stride, swapped, last, scale, w, m, s, tile);                         \
    else last##R##_VARIOUS(x, y, stride, swapped, last, scale, w, m, s, tile);                                       \
  }
DEFINE_LAST(3) DEFINE_LAST(4) DEFINE_LAST(5) DEFINE_LAST(8)

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

/* What the passes of one tile are about. */
typedef struct passes {
  __global const float *x, *w;
  __global float *y;
  ulong length, in_stride, out_stride; /* between elements, in numbers */
  ulong before, radices;
  ulong together; /* floats of powers of w that lie together for eight q's (src/fft/tiles.c); 0: they do not */
  uint swap, last;
  float scale;
} passes;

static steps steps_of(const passes *p, uint r, ulong l) {
  steps s;
  if (p->together) {
    s.imaginary = LANES, s.t = 2 * LANES, s.k = 2 * LANES * (r - 1);
    return s;
  }
  s.k = p->before, s.t = p->before * l, s.imaginary = p->before * l * (r - 1);
  return s;
}

/* Floats of a pass' powers of w, to the next one's. */
static ulong floats_of(const passes *p, uint r, ulong l) {
  return 2 * (r - 1) * l * (p->together ? LANES : p->before * l > 1 ? p->before : 0);
}

/* From a column's q to where its powers of w begin. */
static void turns_of(const passes *p, tile *t) {
  if (p->together)
    for (uint c = 0; c < LANES; c++) t->q[c] = t->q[c] / LANES * p->together + t->q[c] % LANES;
}

/* From the columns' memory into `room` by way of the first pass. */
static void begin_tile(const passes *p, const tile *t, __global V *room) {
  const uint r = (uint)(p->radices & 255);
  const steps s = steps_of(p, r, 1);
  __global const float *const x = p->x + 2 * t->in[0];
  const ulong stride = 2 * p->in_stride, m = p->length / r;
  const bool swapped = p->swap & SWAP_IN, turned = p->before > 1;
  switch (r) {
  case 2: first2(x, stride, swapped, room, p->w, m, turned, s, t); break;
  case 3: first3(x, stride, swapped, room, p->w, m, turned, s, t); break;
  case 4: first4(x, stride, swapped, room, p->w, m, turned, s, t); break;
  case 5: first5(x, stride, swapped, room, p->w, m, turned, s, t); break;
  default: first8(x, stride, swapped, room, p->w, m, turned, s, t);
  }
}

static void end_tile(const passes *p, const tile *t, __global const V *room, __global const float *w, uint r) {
  const ulong stride = 2 * p->out_stride, m = p->length / r;
  const steps s = steps_of(p, r, m);
  __global float *const y = p->y + 2 * t->out[0];
  const bool swapped = p->swap & SWAP_OUT, last = p->last;
  switch (r) {
  case 3: last3(room, y, stride, swapped, last, p->scale, w, m, s, t); break;
  case 4: last4(room, y, stride, swapped, last, p->scale, w, m, s, t); break;
  case 5: last5(room, y, stride, swapped, last, p->scale, w, m, s, t); break;
  default: last8(room, y, stride, swapped, last, p->scale, w, m, s, t);
  }
}

static void pass(const passes *p, const tile *t, __global const V *from, __global V *to, __global const float *w,
                 uint r, ulong l) {
  const steps s = steps_of(p, r, l);
  const bool turned = p->before * l > 1;
  switch (r) {
  case 2: pass2(from, to, w, p->length, l, turned, s, t); break;
  case 3: pass3(from, to, w, p->length, l, turned, s, t); break;
  case 4: pass4(from, to, w, p->length, l, turned, s, t); break;
  case 5: pass5(from, to, w, p->length, l, turned, s, t); break;
  default: pass8(from, to, w, p->length, l, turned, s, t);
  }
}

/* All passes, in the rooms by turns; from the columns' memory and to it where they lie side by side there. */
static void do_tile(const passes *p, const tile *t, __global V *from, __global V *to) {
  const bool several = p->radices >> 8;
  __global const float *w = p->w;
  ulong rest = p->radices, l = 1;
  const bool direct = several && t->in_beside;
  if (direct) begin_tile(p, t, to);
  else load_tile(p->x, from, p->length, p->in_stride, p->swap, t);
  for (bool done = direct; rest; rest >>= 8, done = false) {
    const uint r = (uint)(rest & 255);
    if (!done && several && t->out_beside && !(rest >> 8)) {
      end_tile(p, t, from, w, r);
      return;
    }
    if (!done) pass(p, t, from, to, w, r, l);
    w += floats_of(p, r, l);
    l *= r;
    __global V *const other = from;
    from = to, to = other;
  }
  store_tile(from, p->y, p->length, p->out_stride, p->swap, p->last, p->scale, t);
}

/* A work-item does `share` tiles; rooms: 4·length·LANES floats for each. */
__kernel void fft_columns(PLACES, __global V *rooms, ulong share_, ulong together_) {
  LOCALS
  const ulong share = share_, id = get_global_id(0), tiles = (columns + LANES - 1) / LANES;
  __global V *const room = rooms + id * 4 * length;
  const ulong end = min((id + 1) * share, tiles);
  passes p;
  p.x = x, p.y = y, p.w = w, p.length = length, p.in_stride = apart * before * inner, p.out_stride = before * inner;
  p.before = before, p.radices = radices, p.together = together_, p.swap = swap, p.last = last, p.scale = scale;
  for (ulong i = id * share; i < end; i++) {
    tile t;
    tile_of(&t, i * LANES, length, before, apart, inner, columns);
    turns_of(&p, &t);
    do_tile(&p, &t, room, room + 2 * length);
  }
}
