/* fft_place.cl: parts of arrays into arrays with zeros around them, and back out of these.
 *
 * Element i of y, whose axes have `extents` and `y_strides`, is that of x which lies `shift` further along each axis;
 * or, along an axis whose bit of `backwards` is set, as many before x's last; 0 where x, of `reach`, has none. Axes of
 * extent 1 come first, the innermost is the last. */
#define STEP(k)                                                               \
  {                                                                           \
    const ulong above = extents.s##k == 1 ? rest : rest / extents.s##k;       \
    const ulong index = rest - above * extents.s##k, at = index + shift.s##k; \
    y_at += index * y_strides.s##k;                                           \
    inside = inside && at < reach.s##k;                                       \
    x_at += (backwards >> k & 1 ? reach.s##k - 1 - at : at) * x_strides.s##k; \
    rest = above;                                                             \
  }
__kernel void fft_place(__global const SCALAR *x, ulong x_first, __global SCALAR *y, ulong y_first, ulong count_,
                        ulong share_, ulong8 extents_, ulong8 y_strides_, ulong8 reach_, ulong8 x_strides_,
                        ulong8 shift_, uint backwards_) {
  const ulong8 extents = extents_, y_strides = y_strides_, reach = reach_, x_strides = x_strides_, shift = shift_;
  const uint backwards = backwards_;
  const ulong share = share_, begin = get_global_id(0) * share, end = min(begin + share, count_);
  const bool back = backwards >> 7 & 1;
  FOR_EACH_RUN {
    ulong rest = i / extents.s7, x_at = x_first;
    const ulong first = i - rest * extents.s7;
    ulong y_at = y_first + first * y_strides.s7;
    bool inside = true;
    RUN_UP_TO(extents.s7 - first)
    STEP(6) STEP(5) STEP(4) STEP(3) STEP(2) STEP(1) STEP(0)
    for (ulong at = first + shift.s7; at < first + shift.s7 + run; at++, y_at += y_strides.s7) {
      const ulong from = back ? reach.s7 - 1 - at : at;
      y[y_at] = inside && at < reach.s7 ? x[x_at + from * x_strides.s7] : (SCALAR)0;
    }
  }
}
