/* fft_chirp.cl: a transform of any length n as a convolution of length m (Bluestein), between two transforms of
 * fft_radix.cl: with c[k] = exp(-πi·k²/n) and h the transform of its conjugate, ends joined, divided by m,
 *   out[k] = c[k] · inverse(forward(x·c, zeros up to m) · h)[k]
 * Real and imaginary parts change places once before the second transform and once behind it, which makes it the
 * inverse. Lines of n elements lie in `inner` side by side, those of m one behind the other. */
static pair times(pair z, pair w) { return (pair)(fma(z.x, w.x, -(z.y * w.y)), fma(z.x, w.y, z.y * w.x)); }

/* Work-items do runs of `share` elements, of lines of `length` one after another: FOR_EACH_LINE goes through those
 * lines: the elements from i on are those from k on of the line; its body says how many it does, as `run`. */
#define DEAL                                                                                  \
  const ulong count = count_, n = n_, m = m_, first = first_, inner = inner_, share = share_; \
  const ulong id = get_global_id(0), begin = id * share, end = min(begin + share, count);
#define FOR_EACH_LINE(length)                                                            \
  for (ulong i = begin, line = begin / (length), k = begin - line * (length), run; i < end; \
       i += run, line++, k = 0)

/* Where a line begins among those that lie `inner` side by side. */
static ulong start_of(ulong line, ulong n, ulong inner) {
  return inner == 1 ? line * n : line / inner * n * inner + line % inner;
}

__kernel void fft_chirp_in(__global const SCALAR *x_, ulong x_first, __global SCALAR *z, __global const SCALAR *c,
                           ulong count_, ulong n_, ulong m_, ulong first_, ulong inner_, ulong share_, uint swap_) {
  DEAL
  const uint swap = swap_;
  FOR_EACH_LINE(m) {
    __global const SCALAR *const x = x_ + x_first + 2 * start_of(first + line, n, inner);
    run = min(end - i, m - k);
    const ulong values = k < n ? min(run, n - k) : 0;
    for (ulong e = 0; e < values; e++) {
      const pair v = vload2((k + e) * inner, x);
      vstore2(times(swap ? v.yx : v, vload2(k + e, c)), i + e, z);
    }
    for (ulong e = values; e < run; e++) vstore2((pair)0, i + e, z);
  }
}

__kernel void fft_filter(__global SCALAR *z, __global const SCALAR *h, ulong count_, ulong m_, ulong share_) {
  const ulong count = count_, m = m_, share = share_;
  const ulong begin = get_global_id(0) * share, end = min(begin + share, count);
  FOR_EACH_LINE(m) {
    run = min(end - i, m - k);
    for (ulong e = 0; e < run; e++) vstore2(times(vload2(i + e, z), vload2(k + e, h)).yx, i + e, z);
  }
}

__kernel void fft_chirp_out(__global const SCALAR *z, __global const SCALAR *c, __global SCALAR *y_, ulong y_first,
                            ulong count_, ulong n_, ulong m_, ulong first_, ulong inner_, ulong share_, uint swap_,
                            uint last_, SCALAR scale_) {
  DEAL
  const uint swap = swap_, last = last_;
  const SCALAR scale = scale_;
  FOR_EACH_LINE(n) {
    __global SCALAR *const y = y_ + y_first + 2 * start_of(first + line, n, inner);
    run = min(end - i, n - k);
    for (ulong e = 0; e < run; e++) {
      pair v = times(vload2(line * m + k + e, z).yx, vload2(k + e, c));
      if (swap) v = v.yx;
      if (last) v = (pair)(last_of(v.x, scale), last_of(v.y, scale));
      vstore2(v, (k + e) * inner, y);
    }
  }
}
