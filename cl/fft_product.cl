/* fft_product.cl: spectra, element by element. */
typedef CAT(SCALAR, 2) pair;

#define STEP(k)                                                         \
  {                                                                     \
    const ulong above = extents.s##k == 1 ? rest : rest / extents.s##k; \
    const ulong index = rest - above * extents.s##k;                    \
    a_at += index * a_strides.s##k;                                     \
    b_at += index * b_strides.s##k;                                     \
    rest = above;                                                       \
  }
/* y = a·b; strides of a and b are 0 along axes that one of them has once. */
__kernel void fft_product(__global const SCALAR *a, __global const SCALAR *b, __global SCALAR *y, ulong count_,
                          ulong share_, ulong8 extents_, ulong8 a_strides_, ulong8 b_strides_) {
  const ulong8 extents = extents_, a_strides = a_strides_, b_strides = b_strides_;
  const ulong share = share_, begin = get_global_id(0) * share, end = min(begin + share, count_);
  FOR_EACH_RUN {
    ulong rest = i / extents.s7;
    const ulong first = i - rest * extents.s7;
    ulong a_at = first * a_strides.s7, b_at = first * b_strides.s7;
    RUN_UP_TO(extents.s7 - first)
    STEP(6) STEP(5) STEP(4) STEP(3) STEP(2) STEP(1) STEP(0)
    for (ulong k = i; k < i + run; k++, a_at += a_strides.s7, b_at += b_strides.s7) {
      const pair z = vload2(a_at, a), w = vload2(b_at, b);
      vstore2((pair)(fma(z.x, w.x, -(z.y * w.y)), fma(z.x, w.y, z.y * w.x)), k, y);
    }
  }
}
