/* fft_real.cl: what comes before and behind the complex transform of real numbers.
 *
 * Of an even length n, with h = n/2, real numbers are h complex ones, z[j] = x[2j] + i·x[2j+1], Z their transform, and
 *   X[k] = (E + O·w(k/n)) / 2    E = Z[k] + Z*[h-k]    O = -i·(Z[k] - Z*[h-k])    Z[h] = Z[0]
 * and back, but for a factor of 2,
 *   Z[k] = E + i·O               E = X[k] + X*[h-k]    O = (X[k] - X*[h-k])·w*(k/n)
 * Of an odd length they are n complex ones. Lines of numbers lie `inner` apart, as in fft_radix.cl; a launch's element
 * i counts inner fastest, then along the line, then lines.
 */
static pair times(pair z, pair w) { return (pair)(fma(z.x, w.x, -(z.y * w.y)), fma(z.x, w.y, z.y * w.x)); }

#define REAL_PLACES                                                                                             \
  __global const SCALAR *x_, ulong x_first, __global SCALAR *y_, ulong y_first, ulong count_, ulong n_, ulong inner_, \
      ulong share_
#define REAL_LOCALS                                                                   \
  __global const SCALAR *const x = x_ + x_first;                                       \
  __global SCALAR *const y = y_ + y_first;                                             \
  const ulong count = count_, n = n_, inner = inner_, share = share_;                 \
  const ulong begin = get_global_id(0) * share, end = min(begin + share, count);      \
  const bool even = n % 2 == 0;                                                       \
  const ulong h = n / 2;

/* Real numbers to complex ones: h or n of them. */
__kernel void fft_real_pack(REAL_PLACES) {
  REAL_LOCALS
  const ulong length = even ? h : n;
  FOR_EACH(length) {
    __global const SCALAR *const from = x + line * n * inner + s;
    const pair z = even ? (pair)(from[2 * j * inner], from[(2 * j + 1) * inner]) : (pair)(from[j * inner], (SCALAR)0);
    vstore2(z, i, y);
  }
}

/* Z to X, h + 1 of them. */
__kernel void fft_real_split(REAL_PLACES, __global const SCALAR *turns, uint last_, SCALAR scale_) {
  REAL_LOCALS
  const uint last = last_;
  const SCALAR scale = scale_;
  const ulong length = h + 1;
  FOR_EACH(length) {
    const ulong first = line * (even ? h : n) * inner + s;
    pair z = vload2(first + (even && j == h ? 0 : j) * inner, x);
    if (even) {
      const pair mirror = vload2(first + (j == 0 ? 0 : h - j) * inner, x);
      const pair e = (pair)(z.x + mirror.x, z.y - mirror.y), d = (pair)(z.x - mirror.x, z.y + mirror.y);
      z = (SCALAR)0.5f * (e + times((pair)(d.y, -d.x), vload2(j, turns)));
    }
    if (last) z = (pair)(last_of(z.x, scale), last_of(z.y, scale));
    vstore2(z, i, y);
  }
}

/* Element k of a line's X; those that are their own mirrors are real. */
static pair spectrum(__global const SCALAR *x, ulong first, ulong k, ulong n, ulong inner) {
  const pair z = vload2(first + k * inner, x);
  return k == 0 || 2 * k == n ? (pair)(z.x, (SCALAR)0) : z;
}

/* X to Z. */
__kernel void fft_real_join(REAL_PLACES, __global const SCALAR *turns) {
  REAL_LOCALS
  const ulong length = even ? h : n;
  FOR_EACH(length) {
    const ulong first = line * (h + 1) * inner + s;
    pair z;
    if (even) {
      const pair a = spectrum(x, first, j, n, inner), b = spectrum(x, first, h - j, n, inner), w = vload2(j, turns);
      const pair e = (pair)(a.x + b.x, a.y - b.y), d = (pair)(a.x - b.x, a.y + b.y);
      const pair o = times(d, (pair)(w.x, -w.y));
      z = (pair)(e.x - o.y, e.y + o.x);
    } else {
      z = spectrum(x, first, j <= h ? j : n - j, n, inner);
      if (j > h) z.y = -z.y;
    }
    vstore2(z, i, y);
  }
}

/* Complex numbers to the n real ones. */
__kernel void fft_real_unpack(REAL_PLACES) {
  REAL_LOCALS
  const ulong length = n;
  FOR_EACH(length) {
    const ulong first = line * (even ? h : n) * inner + s;
    y[i] = even ? x[2 * (first + j / 2 * inner) + j % 2] : x[2 * (first + j * inner)];
  }
}
