/* blas1.cl: the element-wise operations of blas.h, over a matrix of rows × columns.
 *
 *   -D UPDATE=scale   c = factor·c; +0 where factor is 0, and c is not read: a product that sums nothing
 *   -D UPDATE=axpy    c = fma(factor, x, c), x a matrix of the same shape
 *   -D UPDATE=ger     c = fma(factor, fma(x, y, +0), c), x down the rows, y along the columns: gemm with k = 1
 *   -D STORED=f16     where all three are so; rounded once
 *
 * c (i,j) at c[c_first + i·c_pitch + j], x (i,j) at x[x_first + i·x_row + j], y j at y[y_first + j·y_step].
 * Work-item (u, v): columns from u·RUN, rows from v·per.
 */
#define IS_scale 1
#define IS_axpy 2
#define IS_ger 3
#define KIND CAT(IS_, UPDATE)

#ifdef WALK_CPU
#define RUN 1024
#else
#define RUN 1
#endif

real gather(__global const STORED_T *p, ulong step, uint n) {
#if W == 1
  return LOAD_ONE(STORED, p, 0);
#else
  if (step == 1) return LOAD(STORED, p, 0, n);
  SCALAR lanes[W];
  for (uint l = 0; l < W; l++) lanes[l] = l < n ? LOAD_ONE(STORED, p, l * step) : (SCALAR)0;
  return LOAD_W(lanes, 0);
#endif
}

__kernel void update(__global const STORED_T *x_, ulong x_first, ulong x_row_, __global const STORED_T *y_,
                     ulong y_first, ulong y_step_, __global STORED_T *c_, ulong c_first, ulong c_pitch_, ulong rows_,
                     ulong columns_, ulong per_, SCALAR factor_) {
  __global const STORED_T *x = x_ + x_first, *y = y_ + y_first;
  __global STORED_T *c = c_ + c_first;
  const ulong x_row = x_row_, y_step = y_step_, c_pitch = c_pitch_, per = per_, columns = columns_;
  const SCALAR factor = factor_;
  const ulong begin = get_global_id(0) * RUN, end = min(begin + RUN, columns);
  const ulong first = get_global_id(1) * per, last = min(first + per, rows_);
  for (ulong i = first; i < last; i++) {
#if KIND == IS_ger
    const real down = (real)LOAD_ONE(STORED, x, i * x_row);
#endif
    for (ulong j = begin; j < end; j += W) {
      const ulong at = i * c_pitch + j;
      const uint n = (uint)min((ulong)W, end - j);
      real r;
#if KIND == IS_scale
      if (factor == 0)
        r = (real)0;
      else
        r = factor * LOAD(STORED, c, at, n);
#elif KIND == IS_axpy
      r = fma_to((real)factor, LOAD(STORED, x, i * x_row + j, n), LOAD(STORED, c, at, n));
#else
      r = of_chain(fma(down, gather(y + j * y_step, y_step, n), (real)0));
      r = fma_to((real)factor, r, LOAD(STORED, c, at, n));
#endif
      STORE(STORED, r, c, at, n);
    }
  }
}
