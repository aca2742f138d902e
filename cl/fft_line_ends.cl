/* fft_line_ends.cl: the first pass and the last one of fft_line.cl, from memory and to it. */

/* What is wanted soon, fetched by the way: at step i of a pass what step i + lead is about, of the next line where the
 * pass is over by then. Memory gives more in the order of its addresses than in a pass' own, where all that is wanted
 * is so little that the nearest cache keeps it. */
typedef struct ahead {
  __global const float *at;
  ulong lead, steps, step, branch, line; /* step, branch, line: in floats */
} ahead;

static __global const float *fetched(ahead f, ulong i) {
  const ulong s = i + f.lead;
  return f.at + (s < f.steps ? s * f.step : (s - f.steps) * f.step + f.line);
}

APART static void first_pass(__global const float *x, __global V *room, __global const uint *places, ulong m, ahead f) {
  for (ulong i = 0; i < m; i += 8) {
    const ulong j = min(i, m - 8); /* again where eight do not divide m: the same results */
    __global const float *const from = x + 2 * j, *const next = fetched(f, i / 8);
    V a[8], b[8];
#pragma unroll
    for (uint t = 0; t < 8; t++) {
      const float16 z = vload16(0, from + t * 2 * m);
      fetch_ahead(next + t * f.branch);
      a[t] = z.RE, b[t] = z.IM;
    }
    dft8(a, b);
    leave(a, b, room, places + j);
  }
}

/* The last pass, of w's radix R: into the line. */
#define DEFINE_LAST(R)                                                                                       \
  APART static void last##R(__global const V *room, __global const V *w, ulong l, __global float *y,         \
                            float scale, ahead f) {                                                          \
    for (ulong k = 0; k < l; k++) {                                                                          \
      __global const float *const next = fetched(f, k);                                                      \
      BUTTERFLY(R, room + 2 * k, w + k, l)                                                                   \
      _Pragma("unroll") for (uint u = 0; u < R; u++) fetch_ahead(next + u * f.branch);                       \
      _Pragma("unroll") for (uint u = 0; u < R; u++) vstore16(finished(a[u], b[u], scale), k + u * l, y);    \
    }                                                                                                        \
  }
DEFINE_LAST(3) DEFINE_LAST(4) DEFINE_LAST(5) DEFINE_LAST(8)

static void last_pass(uint r, __global const V *room, __global const V *w, ulong l, __global float *y, float scale,
                      ahead f) {
  switch (r) {
  case 3: last3(room, w, l, y, scale, f); break;
  case 4: last4(room, w, l, y, scale, f); break;
  case 5: last5(room, w, l, y, scale, f); break;
  default: last8(room, w, l, y, scale, f);
  }
}
