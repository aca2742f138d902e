/* fft_sixteen.cl: the CPU walk of fft_radix.cl for lines of 16 numbers one behind the other: two lines at a time, four
 * neighbours of each in the lanes, both passes in registers.
 *
 *   -D INVERSE    real and imaginary parts change places at both ends
 */

/* Rows of four become columns, in both halves. */
static void transpose4(V *v) {
  SINGLES(v[0], v[1])
  SINGLES(v[2], v[3])
  PAIRS(v[0], v[2])
  PAIRS(v[1], v[3])
  const V t1 = v[2], t2 = v[1];
  v[1] = t1, v[2] = t2;
}

/* From the lines at x and x + other to y and y + other. */
static void two_lines(__global const float *x, __global float *y, ulong other, __global const float *w, float scale) {
  V a[4], b[4];
#pragma unroll
  for (uint t = 0; t < 4; t++) {
    const float16 z = (float16)(vload8(t, x), vload8(t, x + other));
    a[t] = z.RE, b[t] = z.IM;
  }
  dft4(a, b);
  transpose4(a);
  transpose4(b);
#pragma unroll
  for (uint t = 1; t < 4; t++) {
    const float4 c = vload4(t - 1, w), d = vload4(t + 2, w);
    turn(a + t, b + t, (V)(c, c), (V)(d, d));
  }
  dft4(a, b);
#pragma unroll
  for (uint u = 0; u < 4; u++) {
    float16 z;
    z.RE = last_lanes(a[u], scale), z.IM = last_lanes(b[u], scale);
    vstore8(z.lo, u, y);
    vstore8(z.hi, u, y + other);
  }
}

/* w: those of the second pass. A work-item does `share` lines one after another. */
__kernel void fft_sixteen(__global const float *x_, ulong x_first, __global float *y_, ulong y_first,
                          __global const float *w, ulong lines_, ulong share_, float scale_) {
  const ulong share = share_, begin = get_global_id(0) * share, until = min(begin + share, (ulong)lines_);
  const float scale = scale_;
  __global const float *x = x_ + x_first + 32 * begin;
  __global float *y = y_ + y_first + 32 * begin;
  for (ulong i = begin; i < until; i += 2, x += 64, y += 64) {
#pragma unroll
    for (uint t = 0; t < 4; t++) {
      fetch_ahead(x + 256 + 16 * t);
      fetch_ahead(y + 128 + 16 * t);
    }
    two_lines(x, y, i + 1 < until ? 32 : 0, w, scale); /* a last one twice, side by side */
  }
}
