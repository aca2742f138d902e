/* fft_smooth.cl: a spectrum divided by what (I - σΔ) multiplies it with, in place.
 *
 * Three axes, of which those that there are not have extent 1 and a table of one 0: element i of z has along axis a the
 * index i / inner.a mod extent.a, its table 4·sin²(πk/n) of k = 0 … n/2. */
typedef CAT(SCALAR, 2) pair;

static SCALAR bend(__global const SCALAR *table, ulong i, ulong inner, ulong extent, ulong n) {
  const ulong k = i / inner % extent;
  return table[min(k, n - k)];
}

__kernel void fft_smooth(__global SCALAR *z, ulong count_, ulong share_, SCALAR strength_,
                         __global const SCALAR *table_0, __global const SCALAR *table_1,
                         __global const SCALAR *table_2, ulong4 inner_, ulong4 extent_, ulong4 n_) {
  const ulong4 inner = inner_, extent = extent_, n = n_;
  const SCALAR strength = strength_;
  const ulong share = share_, begin = get_global_id(0) * share, end = min(begin + share, count_);
  for (ulong i = begin; i < end; i++) {
    SCALAR by = fma(strength, bend(table_0, i, inner.x, extent.x, n.x), (SCALAR)1);
    by = fma(strength, bend(table_1, i, inner.y, extent.y, n.y), by);
    by = fma(strength, bend(table_2, i, inner.z, extent.z, n.z), by);
    const pair v = vload2(i, z);
    vstore2((pair)(divide(v.x, by), divide(v.y, by)), i, z);
  }
}
