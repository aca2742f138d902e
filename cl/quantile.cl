/* quantile.cl: between two neighbours of rows that are sorted, NaN last.
 *
 *   -D X_T=f32 -D SINGLE     storage of input and result
 *
 * below, t: the rank of the lower neighbour, and how far from there to the upper one. One result a row, `apart`
 * elements apart.
 */
__kernel void quantile(__global const CAT(X_T, _t) *sorted, const ulong rows_, const ulong columns_, const ulong below_,
                       const SCALAR t_, __global CAT(X_T, _t) *out, const ulong out_first_, const ulong apart_) {
  const ulong rows = rows_, columns = columns_, below = below_, out_first = out_first_, apart = apart_;
  const SCALAR t = t_;
  const ulong row = get_global_id(0);
  if (row >= rows) return;
  const SCALAR greatest = CAT(load_, X_T)(sorted, (row + 1) * columns - 1);
  const SCALAR a = CAT(load_, X_T)(sorted, row * columns + below);
  const SCALAR b = t == 0 ? a : CAT(load_, X_T)(sorted, row * columns + below + 1);
  const SCALAR step = b - a, between = t < (SCALAR)0.5f ? a + step * t : b - step * (1 - t);
  CAT(store_, X_T)(is_nan(greatest) ? greatest : t == 0 ? a : between, out, out_first + row * apart);
}
