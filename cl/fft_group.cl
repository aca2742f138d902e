/* fft_group.cl: the GPU walk of fft_radix.cl: a work-group does some columns, in two rooms of local memory that passes
 * go between; a work-item does one butterfly after another. */

/* How columns lie in a room: whole transforms one behind the other, parts of longer ones element by element, as they
 * do in global memory. */
typedef struct shape {
  uint length, columns;    /* there, of which some may be none */
  uint step, column_step;  /* from element to element, from column to column */
  bool whole;
} shape;

#define BESIDE 16 /* columns of a group that are parts of longer transforms, at most: as in src/fft/exact.c */

/* Which column and which of `count` things of it: neighbours in memory to neighbouring work-items. */
static void deal(const shape *s, uint id, uint count, uint *c, uint *i) {
  *c = s->whole ? id / count : id % s->columns;
  *i = s->whole ? id % count : id / s->columns;
}

#define DEFINE_PASS(R)                                                                                            \
  static void pass##R(__local const float2 *x, __local float2 *y, __global const float *w, const shape *s, uint l, \
                      uint before, __local const uint *q, uint id, uint group) {                                  \
    const uint m = s->length / R, step = before * l, plane = step * (R - 1);                                      \
    for (uint n = id; n < m * s->columns; n += group) {                                                           \
      uint c, j;                                                                                                  \
      deal(s, n, m, &c, &j);                                                                                      \
      __local const float2 *from = x + c * s->column_step;                                                        \
      __local float2 *to = y + c * s->column_step;                                                                \
      const uint k = j % l, o = (j - k) * R + k;                                                                  \
      V a[R], b[R];                                                                                               \
      _Pragma("unroll") for (uint t = 0; t < R; t++) {                                                            \
        const float2 z = from[(j + t * m) * s->step];                                                             \
        a[t] = z.x, b[t] = z.y;                                                                                   \
      }                                                                                                           \
      if (step > 1) {                                                                                             \
        const uint at = before * k + (s->whole ? 0 : q[c]);                                                       \
        _Pragma("unroll") for (uint t = 1; t < R; t++)                                                            \
            turn(a + t, b + t, w[at + (t - 1) * step], w[at + plane + (t - 1) * step]);                           \
      }                                                                                                           \
      dft##R(a, b);                                                                                               \
      _Pragma("unroll") for (uint u = 0; u < R; u++) to[(o + u * l) * s->step] = (float2)(a[u], b[u]);            \
    }                                                                                                             \
  }
DEFINE_PASS(2) DEFINE_PASS(3) DEFINE_PASS(4) DEFINE_PASS(5) DEFINE_PASS(8)

/* ---- global memory: two complex numbers, 128 bits, at a time, where they lie at even places and are aligned ---- */

static bool in_pairs(__global const float *p, const shape *s, bool along, ulong stride) {
  return ((uintptr_t)p & (sizeof(float4) - 1)) == 0 && (along ? s->length : s->columns | stride) % 2 == 0;
}

/* The n-th number, or with `pairs` the first of the n-th two: neighbours along a column, or of two columns. */
static void place(const shape *s, uint n, bool along, uint pairs, uint *c, uint *i) {
  const uint length = s->length >> (along ? pairs : 0), width = s->columns >> (along ? 0 : pairs);
  *c = along ? n / length : n % width << pairs;
  *i = along ? n % length << pairs : n / width;
}

/* width: columns of a group; rooms: 2·length·width complex numbers, then BESIDE places to read, to write, and
 * numbers of turns. */
__kernel void fft_columns(PLACES, __local float2 *rooms, uint width_) {
  LOCALS
  const uint id = (uint)get_local_id(0), group = (uint)get_local_size(0), width = width_;
  const ulong first = get_group_id(0) * (ulong)width, stride = apart * before * inner;
  shape s;
  s.length = length, s.columns = width, s.whole = stride == 1;
  s.step = s.whole ? 1 : width;
  s.column_step = s.whole ? length : 1;
  __local float2 *from = rooms, *to = rooms + length * width;
  __local ulong *const in = (__local ulong *)(to + length * width), *const out = in + BESIDE;
  __local uint *const q = (__local uint *)(out + BESIDE);
  const uint two_in = in_pairs(x, &s, s.whole, stride);
  for (uint c = id; c < width && !s.whole; c += group) { /* instead of one that is not there another, as even as it */
    const column k = column_of(min(first + c, columns - 1 - (two_in & ~c)), length, before, apart, inner);
    in[c] = k.in, out[c] = k.out, q[c] = (uint)k.q;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint n = id; n < length * width >> two_in; n += group) {
    uint c, i;
    place(&s, n, s.whole, two_in, &c, &i);
    const ulong at = s.whole ? min(first + c, columns - 1) * length : in[c];
    __global const float *const p = x + 2 * (at + i * stride);
    __local float2 *const room = from + c * s.column_step + i * s.step;
    if (two_in) {
      const float4 z = *(__global const float4 *)p;
      room[0] = swap & SWAP_IN ? z.yx : z.xy, room[1] = swap & SWAP_IN ? z.wz : z.zw;
    } else {
      const float2 z = vload2(0, p);
      room[0] = swap & SWAP_IN ? z.yx : z;
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE); /* in place, results go where others have read */
  uint l = 1;
  __global const float *table = w;
  for (ulong rest = radices; rest; rest >>= 8) {
    const uint r = (uint)(rest & 255);
    switch (r) {
    case 2: pass2(from, to, table, &s, l, (uint)before, q, id, group); break;
    case 3: pass3(from, to, table, &s, l, (uint)before, q, id, group); break;
    case 4: pass4(from, to, table, &s, l, (uint)before, q, id, group); break;
    case 5: pass5(from, to, table, &s, l, (uint)before, q, id, group); break;
    default: pass8(from, to, table, &s, l, (uint)before, q, id, group);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (before * l > 1) table += 2 * (r - 1) * before * l;
    l *= r;
    __local float2 *const other = from;
    from = to, to = other;
  }
  const bool runs = before * inner == 1; /* a column's results are neighbours */
  const uint two_out = in_pairs(y, &s, runs, before * inner), other = runs ? s.step : s.column_step;
  for (uint n = id; n < length * width >> two_out; n += group) {
    uint c, i;
    place(&s, n, runs, two_out, &c, &i);
    if (first + c >= columns) continue;
    const ulong at = s.whole ? (first + c) * length : out[c];
    __local const float2 *const room = from + c * s.column_step + i * s.step;
    float4 z = (float4)(room[0], room[two_out ? other : 0]);
    if (swap & SWAP_OUT) z = z.yxwz;
    if (last) z = (float4)(last_of(z.x, scale), last_of(z.y, scale), last_of(z.z, scale), last_of(z.w, scale));
    __global float *const p = y + 2 * (at + i * (before * inner));
    if (two_out) *(__global float4 *)p = z;
    else vstore2(z.xy, 0, p);
  }
}
