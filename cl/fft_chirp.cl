/* fft_chirp.cl: a transform of any length n as a convolution of length m (Bluestein), between two transforms of
 * fft_radix.cl: with c[k] = exp(-πi·k²/n) and h the transform of its conjugate, ends joined, divided by m,
 *   out[k] = c[k] · inverse(forward(x·c, zeros up to m) · h)[k]
 * Real and imaginary parts change places once before the second transform and once behind it, which makes it the
 * inverse. Lines of n elements lie in `inner` side by side, those of m one behind the other. */
static float2 times(float2 z, float2 w) { return (float2)(fma(z.x, w.x, -(z.y * w.y)), fma(z.x, w.y, z.y * w.x)); }

/* Element k of line `line`, of those from `first` on. */
static ulong place_of(ulong line, ulong k, ulong n, ulong inner) {
  return line / inner * n * inner + k * inner + line % inner;
}

#define DEAL                                                             \
  const ulong count = count_, n = n_, m = m_, first = first_, inner = inner_, share = share_; \
  const ulong id = get_global_id(0), begin = id * share, end = min(begin + share, count);

__kernel void fft_chirp_in(__global const float *x_, ulong x_first, __global float *z, __global const float *c,
                           ulong count_, ulong n_, ulong m_, ulong first_, ulong inner_, ulong share_, uint swap_) {
  DEAL
  __global const float *const x = x_ + x_first;
  const uint swap = swap_;
  for (ulong i = begin; i < end; i++) {
    const ulong line = i / m, k = i - line * m;
    float2 v = (float2)(0.0f);
    if (k < n) {
      v = vload2(place_of(first + line, k, n, inner), x);
      v = times(swap ? v.yx : v, vload2(k, c));
    }
    vstore2(v, i, z);
  }
}

__kernel void fft_filter(__global float *z, __global const float *h, ulong count_, ulong m_, ulong share_) {
  const ulong count = count_, m = m_, share = share_;
  const ulong begin = get_global_id(0) * share, end = min(begin + share, count);
  for (ulong i = begin; i < end; i++) vstore2(times(vload2(i, z), vload2(i % m, h)).yx, i, z);
}

__kernel void fft_chirp_out(__global const float *z, __global const float *c, __global float *y_, ulong y_first,
                            ulong count_, ulong n_, ulong m_, ulong first_, ulong inner_, ulong share_, uint swap_,
                            uint last_, float scale_) {
  DEAL
  __global float *const y = y_ + y_first;
  const uint swap = swap_, last = last_;
  const float scale = scale_;
  for (ulong i = begin; i < end; i++) {
    const ulong line = i / n, k = i - line * n;
    float2 v = times(vload2(line * m + k, z).yx, vload2(k, c));
    if (swap) v = v.yx;
    if (last) v = (float2)(last_of(v.x, scale), last_of(v.y, scale));
    vstore2(v, place_of(first + line, k, n, inner), y);
  }
}
