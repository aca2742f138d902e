/* fft_lines.cl: transforms of lines one behind the other; see fft_line.cl and fft_line_ends.cl. */

/* Lines of 64: both passes in registers, no room between. */
static void line64(__global const float *x, __global const V *w, __global float *y, float scale) {
  V a[8], b[8];
#pragma unroll
  for (uint t = 0; t < 8; t++) {
    const float16 z = vload16(t, x);
    a[t] = z.RE, b[t] = z.IM;
  }
  dft8(a, b);
  transpose8(a);
  transpose8(b);
#pragma unroll
  for (uint t = 1; t < 8; t++) turn(a + t, b + t, w[t - 1], w[7 + t - 1]);
  dft8(a, b);
#pragma unroll
  for (uint u = 0; u < 8; u++) vstore16(finished(a[u], b[u], scale), u, y);
}
APART static void lines64(__global const float *x, __global const V *w, __global float *y, ulong lines, float scale) {
  for (ulong i = 0; i < lines; i++, x += 128, y += 128) {
#pragma unroll
    for (uint t = 0; t < 8; t++) {
      fetch_ahead(x + 256 + 16 * t);
      fetch_ahead(y + 128 + 16 * t);
    }
    line64(x, w, y, scale);
  }
}

/* Lines up to here: the result's memory is fetched while the line is read, and the next line while the result is
 * written; of longer ones what is a few steps on. */
enum { BRIEF = 512 };

__kernel void fft_lines(__global const float *x_, ulong x_first, __global float *y_, ulong y_first,
                        __global const V *w_, __global const uint *places, __global V *rooms, RADICES, ulong lines_,
                        ulong share_, float scale_) {
  RADICES_LOCALS
  const ulong share = share_, id = get_global_id(0), begin = id * share, until = min(begin + share, (ulong)lines_);
  const float scale = scale_;
  const bool brief = n <= BRIEF;
  __global V *const room = rooms + id * (n / 4);
  ahead f;
  f.lead = brief ? 0 : 4, f.steps = n / 64, f.step = brief ? 8 * 16 : 16, f.branch = brief ? 16 : n / 4, f.line = 2 * n;
  ahead g = f;
  g.lead = brief ? 0 : 8;
  if (n == 64) {
    if (begin < until) lines64(x_ + x_first + 128 * begin, w_, y_ + y_first + 128 * begin, until - begin, scale);
    return;
  }
  for (ulong i = begin; i < until; i++) {
    __global const float *const x = x_ + x_first + 2 * i * n;
    __global float *const y = y_ + y_first + 2 * i * n;
    f.at = brief ? (__global const float *)y : x;
    first_pass(x, room, places, n / 8, f);
    __global const V *w = w_;
    const ulong l = between(room, &w, n, near, size, far);
    g.at = brief ? x + 2 * n : y, g.steps = l, g.step = brief ? 16 * end : 16, g.branch = brief ? 16 : 16 * l;
    last_pass(end, room, w, l, y, scale, g);
  }
}
