/* fft_dct.cl: what comes before and behind the transform of n real numbers in cosine and sine transforms of length n.
 *
 * With w = exp(-πi/(2n)) and v the elements of x at even places, then those at odd places backwards, V its transform,
 *   II   C[k] = 2·Re(V[k]·w^k)    C[n-k] = -2·Im(V[k]·w^k)
 *   III  V[k] = (x[k] - i·x[n-k])·w^-k, x[n] = 0, and back from v
 * A sine transform is the cosine transform of elements with signs that alternate, read backwards. Lines lie `inner`
 * apart, as in fft_radix.cl; a launch's element i counts inner fastest, then along the line, then lines.
 */
static pair times(pair z, pair w) { return (pair)(fma(z.x, w.x, -(z.y * w.y)), fma(z.x, w.y, z.y * w.x)); }

#define DCT_PLACES                                                                                                   \
  __global const SCALAR *x_, ulong x_first, __global SCALAR *y_, ulong y_first, ulong count_, ulong n_, ulong inner_, \
      ulong share_, uint sine_
#define DCT_LOCALS                                                               \
  __global const SCALAR *const x = x_ + x_first;                                 \
  __global SCALAR *const y = y_ + y_first;                                       \
  const ulong count = count_, n = n_, inner = inner_, share = share_;            \
  const ulong begin = get_global_id(0) * share, end = min(begin + share, count); \
  const bool sine = sine_ != 0;

/* Where v[j] stands in x. */
static ulong place_of(ulong j, ulong n) { return 2 * j < n ? 2 * j : 2 * (n - 1 - j) + 1; }

/* x to v. */
__kernel void fft_dct_spread(DCT_PLACES) {
  DCT_LOCALS
  FOR_EACH(n) {
    const ulong at = place_of(j, n);
    const SCALAR value = x[(line * n + at) * inner + s];
    y[i] = sine && at % 2 ? -value : value;
  }
}

/* v to x. */
__kernel void fft_dct_gather(DCT_PLACES) {
  DCT_LOCALS
  FOR_EACH(n) {
    const ulong at = place_of(j, n);
    y[(line * n + at) * inner + s] = last_of(sine && at % 2 ? -x[i] : x[i], (SCALAR)1);
  }
}

/* V to the results of type II: n/2 + 1 numbers, of which most give two; those of k = 0 are multiplied by `first`. */
__kernel void fft_dct_split(DCT_PLACES, __global const SCALAR *turns, SCALAR first_, SCALAR scale_) {
  DCT_LOCALS
  const SCALAR first = first_, scale = scale_;
  const ulong numbers = n / 2 + 1;
  FOR_EACH(numbers) {
    const pair z = times(vload2(i, x), vload2(j, turns));
    __global SCALAR *const to = y + line * n * inner + s;
    const ulong k = sine ? n - 1 - j : j, mirror = sine ? j - 1 : n - j;
    to[k * inner] = last_of(z.x, j == 0 ? first : scale);
    if (j > 0 && 2 * j != n) to[mirror * inner] = last_of(-z.y, scale);
  }
}

/* The numbers of type III to V, of which k = 0 is multiplied by `first`. */
__kernel void fft_dct_join(DCT_PLACES, __global const SCALAR *turns, SCALAR first_, SCALAR scale_) {
  DCT_LOCALS
  const SCALAR first = first_, scale = scale_;
  const ulong numbers = n / 2 + 1;
  FOR_EACH(numbers) {
    __global const SCALAR *const from = x + line * n * inner + s;
    const ulong k = sine ? n - 1 - j : j, mirror = sine ? j - 1 : n - j;
    const SCALAR a = from[k * inner] * (j == 0 ? first : scale), b = j == 0 ? (SCALAR)0 : from[mirror * inner] * scale;
    const pair w = vload2(j, turns);
    vstore2(times((pair)(a, -b), (pair)(w.x, -w.y)), i, y);
  }
}
