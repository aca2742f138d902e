/* fft_chirp_lines.cl: what fft_chirp.cl does, of lines one behind the other, a line at a time by fft_line.cl, in two
 * rooms: the first products are on the way of the first passes. The length of the convolution is a multiple of 64, and
 * c ends with zeros up to a multiple of 8. */

/* x·c from i on, zeros from n on; tail: the last numbers of the line that are less than eight, and zeros. */
static void chirped(__global const float *x, __global const float *tail, __global const float *c, ulong i, ulong n,
                    V *a, V *b) {
  *a = *b = (V)(0.0f);
  if (i >= n) return;
  const float16 z = vload16(0, i + 8 <= n ? x + 2 * i : tail), w = vload16(0, c + 2 * i);
  *a = z.RE, *b = z.IM;
  turn(a, b, w.even, w.odd);
}

APART static void first_chirped(__global const float *x, __global float *tail, __global const float *c,
                                __global V *room, __global const uint *places, ulong m, ulong n) {
  const ulong rest = n % 8;
  for (ulong e = 0; e < 16; e++) tail[e] = e < 2 * rest ? x[2 * (n - rest) + e] : 0.0f;
  for (ulong j = 0; j < m; j += 8) {
    V a[8], b[8];
#pragma unroll
    for (uint t = 0; t < 8; t++) chirped(x, tail, c, j + t * m, n, a + t, b + t);
    dft8(a, b);
    leave(a, b, room, places + j);
  }
}

/* Of the product with h, real and imaginary parts in each other's places. */
APART static void first_filtered(__global const V *z, __global const float *h, __global V *room,
                                 __global const uint *places, ulong m) {
  for (ulong j = 0; j < m; j += 8) {
    __global const V *const at = z + j / 4;
    V a[8], b[8];
#pragma unroll
    for (uint t = 0; t < 8; t++) {
      const float16 w = vload16(0, h + 2 * (j + t * m));
      b[t] = at[t * (m / 4)], a[t] = at[t * (m / 4) + 1];
      turn(b + t, a + t, w.even, w.odd);
    }
    dft8(a, b);
    leave(a, b, room, places + j);
  }
}

/* Results from k on as they leave the last pass, by c into the line of n numbers; the parts in each other's places
 * once more. */
static void unchirp(V b, V a, __global const float *c, __global float *y, ulong k, ulong n, float scale) {
  const float16 w = vload16(0, c + 2 * k);
  turn(&a, &b, w.even, w.odd);
  const float16 v = finished(a, b, scale);
  if (k + 8 <= n) {
    vstore16(v, 0, y + 2 * k);
  } else {
    float part[16];
    vstore16(v, 0, part);
    for (uint e = 0; e < 2 * (n - k); e++) y[2 * k + e] = part[e];
  }
}

/* The last pass; of its results what is beyond the line is not wanted. */
#define DEFINE_LAST(R)                                                                                      \
  APART static void last##R(__global const V *z, __global const V *w, ulong l, __global const float *c,     \
                            __global float *y, ulong n, float scale) {                                      \
    for (ulong k = 0; k < l; k++) {                                                                         \
      BUTTERFLY(R, z + 2 * k, w + k, l)                                                                     \
      _Pragma("unroll") for (uint u = 0; u < R; u++) if (8 * (k + u * l) < n)                               \
          unchirp(a[u], b[u], c, y, 8 * (k + u * l), n, scale);                                             \
    }                                                                                                       \
  }
DEFINE_LAST(3) DEFINE_LAST(4) DEFINE_LAST(5) DEFINE_LAST(8)

__kernel void fft_chirp_lines(__global const float *x_, ulong x_first, __global float *y_, ulong y_first,
                              __global const V *w_, __global const uint *places, __global V *rooms, RADICES,
                              ulong lines_, ulong share_, float scale_, __global const float *c,
                              __global const float *h, uint length_) {
  RADICES_LOCALS
  const ulong share = share_, id = get_global_id(0), begin = id * share, until = min(begin + share, (ulong)lines_);
  const ulong length = length_;
  const float scale = scale_;
  __global V *const room = rooms + id * (n / 2), *const z = room + n / 4;
  for (ulong i = begin; i < until; i++) {
    first_chirped(x_ + x_first + 2 * i * length, (__global float *)z, c, room, places, n / 8, length);
    __global const V *w = w_;
    ulong l = between(room, &w, n, near, size, far);
    middle(room, &w, n / 8, &l, end);
    first_filtered(room, h, z, places, n / 8);
    w = w_;
    l = between(z, &w, n, near, size, far);
    __global float *const y = y_ + y_first + 2 * i * length;
    switch (end) {
    case 3: last3(z, w, l, c, y, length, scale); break;
    case 4: last4(z, w, l, c, y, length, scale); break;
    case 5: last5(z, w, l, c, y, length, scale); break;
    default: last8(z, w, l, c, y, length, scale);
    }
  }
}
