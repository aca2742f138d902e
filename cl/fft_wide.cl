/* fft_wide.cl: the passes of fft_radix.cl in double, one a launch, in either walk: a work-item does `share` butterflies
 * one after another. w: all powers of w(1/n), in pairs. count: butterflies; those of lines side by side come next to
 * each other. Each radix is a kernel, since one that has them all takes more registers than any of them. */

/* Number i of p, in one access of 128 bits where its first one is aligned; else in two, by halves, since compilers make
 * one of two accesses that only differ in alignment, of the lesser. */
static bool is_aligned(__global const double *p) { return ((uintptr_t)p & (sizeof(double2) - 1)) == 0; }
static double2 load_pair(ulong i, __global const double *p, bool aligned) {
  return aligned ? ((__global const double2 *)p)[i] : (double2)(p[2 * i], p[2 * i + 1]);
}
static void store_pair(double2 z, ulong i, __global double *p, bool aligned) {
  if (aligned) ((__global double2 *)p)[i] = z;
  else p[2 * i] = z.x, p[2 * i + 1] = z.y;
}

#define DEFINE_PASS(R)                                                                                             \
  __kernel void fft_pass##R(__global const double *x_, ulong x_first, __global double *y_, ulong y_first,          \
                            __global const double2 *w, ulong count_, ulong n_, ulong l_, ulong inner_, ulong share_) { \
    const ulong count = count_, n = n_, l = l_, inner = inner_, share = share_, m = n / R;                         \
    const ulong begin = get_global_id(0) * share, end = min(begin + share, count);                                 \
    const bool x_aligned = is_aligned(x_ + x_first), y_aligned = is_aligned(y_ + y_first);                         \
    for (ulong i = begin; i < end; i++) {                                                                          \
      const ulong rest = i / inner, line = rest / m, j = rest - line * m, k = j % l, turns = n / (R * l) * k;      \
      const ulong at = 2 * (line * n * inner + i - rest * inner);                                                  \
      __global const double *x = x_ + x_first + at;                                                                \
      __global double *y = y_ + y_first + at;                                                                      \
      V a[R], b[R];                                                                                                \
      _Pragma("unroll") for (uint t = 0; t < R; t++) {                                                             \
        const double2 z = load_pair((j + t * m) * inner, x, x_aligned);                                            \
        a[t] = z.x, b[t] = z.y;                                                                                    \
      }                                                                                                            \
      if (l > 1) {                                                                                                 \
        _Pragma("unroll") for (uint t = 1; t < R; t++) {                                                           \
          const double2 v = w[t * turns];                                                                          \
          turn(a + t, b + t, v.x, v.y);                                                                            \
        }                                                                                                          \
      }                                                                                                            \
      dft##R(a, b);                                                                                                \
      _Pragma("unroll") for (uint u = 0; u < R; u++)                                                               \
          store_pair((double2)(a[u], b[u]), ((j - k) * R + k + u * l) * inner, y, y_aligned);                      \
    }                                                                                                              \
  }
DEFINE_PASS(2) DEFINE_PASS(3) DEFINE_PASS(4) DEFINE_PASS(5) DEFINE_PASS(8)

/* Numbers from place to place: parts changed, or multiplied at the end. */
__kernel void fft_hand_over(__global const double *x_, ulong x_first, __global double *y_, ulong y_first, ulong count_,
                            ulong share_, uint swap_, uint last_, double scale_) {
  const ulong begin = get_global_id(0) * share_, end = min(begin + share_, count_);
  __global const double *const x = x_ + x_first;
  __global double *const y = y_ + y_first;
  const uint swap = swap_, last = last_;
  const double scale = scale_;
  const bool x_aligned = is_aligned(x), y_aligned = is_aligned(y);
  for (ulong i = begin; i < end; i++) {
    double2 z = load_pair(i, x, x_aligned);
    if (swap) z = z.yx;
    if (last) z = (double2)(last_of(z.x, scale), last_of(z.y, scale));
    store_pair(z, i, y, y_aligned);
  }
}
