/* fft_line.cl: the CPU walk of fft_radix.cl for lines one behind the other, of n numbers, 8·8 and more, whose first
 * radix is eight: one line at a time, eight neighbouring numbers in the lanes.
 *
 * The room, n numbers of the work-item's own, is in blocks of eight real and eight imaginary parts. The first pass
 * takes eight butterflies from the line and leaves eight blocks; from there on l is a multiple of 8, and q's are
 * neighbours. Passes in the room are in place: a block lies not where fft_radix.cl says, but where the digits of its
 * number are in reverse (`places`), so that what a butterfly takes is l apart and what it gives lies there too.
 * Parts of the room that fit in the nearest cache go through several passes before others. Behind the last pass, too,
 * results are in their order.
 *
 *   -D INVERSE    real and imaginary parts change places at both ends
 */

/* Blocks from the first pass' butterflies j … j+7, as they come with u in the rows. */
static void leave(V *a, V *b, __global V *room, __global const uint *places) {
  transpose8(a);
  transpose8(b);
#pragma unroll
  for (uint c = 0; c < 8; c++) {
    __global V *const to = room + 2 * (ulong)places[c];
    to[0] = a[c], to[1] = b[c];
  }
}

/* Butterfly of the blocks at, at + l, …; w: of its first. */
#define BUTTERFLY(R, at, w, l)                                                                           \
  V a[R], b[R];                                                                                          \
  _Pragma("unroll") for (uint t = 0; t < R; t++) a[t] = (at)[2 * t * l], b[t] = (at)[2 * t * l + 1];     \
  _Pragma("unroll") for (uint t = 1; t < R; t++)                                                         \
      turn(a + t, b + t, (w)[(t - 1) * l], (w)[(R - 1 + t - 1) * l]);                                    \
  dft##R(a, b);

/* size, l: in blocks. */
#define DEFINE_MIDDLE(R)                                                                                \
  APART static void middle##R(__global V *room, __global const V *w, ulong size, ulong l) {                   \
    for (ulong first = 0; first < size; first += R * l)                                                 \
      for (ulong k = 0; k < l; k++) {                                                                   \
        __global V *const at = room + 2 * (first + k);                                                  \
        BUTTERFLY(R, at, w + k, l)                                                                      \
        _Pragma("unroll") for (uint u = 0; u < R; u++) at[2 * u * l] = a[u], at[2 * u * l + 1] = b[u];  \
      }                                                                                                 \
  }
DEFINE_MIDDLE(3) DEFINE_MIDDLE(4) DEFINE_MIDDLE(5) DEFINE_MIDDLE(8)

/* Passes from l on, in place; l and w are behind them then. */
static void middle(__global V *room, __global const V **w, ulong size, ulong *l, ulong radices) {
  for (; radices; radices >>= 8) {
    const uint r = (uint)(radices & 255);
    switch (r) {
    case 3: middle3(room, *w, size, *l); break;
    case 4: middle4(room, *w, size, *l); break;
    case 5: middle5(room, *w, size, *l); break;
    default: middle8(room, *w, size, *l);
    }
    *w += 2 * (r - 1) * *l;
    *l *= r;
  }
}

/* Eight results as they are stored. NaNs become canonical even where another axis follows: theirs do. */
static float16 finished(V a, V b, float scale) {
  float16 z;
  z.RE = last_lanes(a, scale), z.IM = last_lanes(b, scale);
  return z;
}

/* The radices between the first and the last, `end`: near, of parts of the room of `size` blocks; far, of the whole. */
#define RADICES uint n_, ulong near_, uint size_, ulong far_, uint end_
#define RADICES_LOCALS          \
  const ulong n = n_, near = near_, size = size_, far = far_; \
  const uint end = end_;

/* All passes between the first and the last; w is behind them then, and this gives l, in blocks. */
static ulong between(__global V *room, __global const V **w, ulong n, ulong near, ulong size, ulong far) {
  __global const V *const start = *w;
  ulong l = 1;
  for (ulong part = 0; part < n / 8; part += size) {
    *w = start, l = 1;
    middle(room + 2 * part, w, size, &l, near);
  }
  middle(room, w, n / 8, &l, far);
  return l;
}
