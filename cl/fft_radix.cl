/* fft_radix.cl: the definition of the transform, which every walk computes. cliv/fft.h says it in words.
 *
 * A length n of factors 2, 3 and 5 is a list of radices (src/fft/plan.c). A pass of radix r, with l the product of the
 * radices before it, takes from x to y, for j = 0 … n/r - 1, q = j mod l:
 *   v[t] = x[j + t·n/r] · w(q·t / (r·l))      t = 0 … r - 1; no product where l is 1 or t is 0
 *   y[(j - q)·r + q + u·l] = V[u]             V = the transform of v, by the straight lines below
 * with w(a) = exp(-2πi·a), of a table. The inverse is the same with real and imaginary parts changing places at both
 * ends.
 *
 * V is as many independent transforms as a work-item does side by side: 8 in the CPU walk, but for doubles.
 */
#ifdef REAL_F64
#define LANES 1
typedef double V;
#define CONSTANT(x) x
#elif defined(WALK_CPU)
#define LANES 8
typedef float8 V;
#else
#define LANES 1
typedef float V;
#endif
#ifndef REAL_F64
#define CONSTANT(x) CAT(x, f)
#endif
typedef CAT(SCALAR, 2) pair;

/* (re, im) · (c, d): two roundings each. */
static void turn(V *re, V *im, V c, V d) {
  const V t = *im * d, u = *im * c;
  *im = fma(*re, d, u);
  *re = fma(*re, c, -t);
}

static void sum_difference(V *a, V *b) {
  const V d = *a - *b;
  *a = *a + *b;
  *b = d;
}

#define BOTH(i, j) \
  sum_difference(a + (i), a + (j)); \
  sum_difference(b + (i), b + (j));

/* a: real parts, b: imaginary parts; in place, results in order. */
static void dft2(V *a, V *b) { BOTH(0, 1) }

static void dft3(V *a, V *b) {
  const SCALAR half_root3 = CONSTANT(0.86602540378443865);
  const V p = a[1] + a[2], q = b[1] + b[2], r = (a[1] - a[2]) * half_root3, s = (b[1] - b[2]) * half_root3;
  const V m = fma(p, (V)(-0.5f), a[0]), n = fma(q, (V)(-0.5f), b[0]);
  a[0] = a[0] + p, b[0] = b[0] + q;
  a[1] = m + s, b[1] = n - r;
  a[2] = m - s, b[2] = n + r;
}

static void dft4(V *a, V *b) {
  BOTH(0, 2)
  BOTH(1, 3)
  BOTH(0, 1)
  const V p = a[2] + b[3], q = b[2] - a[3], r = a[2] - b[3], s = b[2] + a[3];
  a[2] = a[1], b[2] = b[1];
  a[1] = p, b[1] = q;
  a[3] = r, b[3] = s;
}

static void dft5(V *a, V *b) {
  const SCALAR c1 = CONSTANT(0.30901699437494742), c2 = -CONSTANT(0.80901699437494742);
  const SCALAR s1 = CONSTANT(0.95105651629515357), s2 = CONSTANT(0.58778525229247313);
  BOTH(1, 4)
  BOTH(2, 3)
  const V p = fma(a[2], (V)c2, fma(a[1], (V)c1, a[0])), q = fma(b[2], (V)c2, fma(b[1], (V)c1, b[0]));
  const V r = fma(a[2], (V)c1, fma(a[1], (V)c2, a[0])), s = fma(b[2], (V)c1, fma(b[1], (V)c2, b[0]));
  const V e = fma(a[3], (V)s2, a[4] * s1), f = fma(b[3], (V)s2, b[4] * s1);
  const V g = fma(a[3], (V)(-s1), a[4] * s2), h = fma(b[3], (V)(-s1), b[4] * s2);
  a[0] = a[0] + (a[1] + a[2]), b[0] = b[0] + (b[1] + b[2]);
  a[1] = p + f, b[1] = q - e;
  a[2] = r + h, b[2] = s - g;
  a[3] = r - h, b[3] = s + g;
  a[4] = p - f, b[4] = q + e;
}

static void dft8(V *a, V *b) {
  const SCALAR root_half = CONSTANT(0.70710678118654752);
  BOTH(0, 4)
  BOTH(1, 5)
  BOTH(2, 6)
  BOTH(3, 7)
  const V a5 = (a[5] + b[5]) * root_half, b5 = (b[5] - a[5]) * root_half; /* · w(1/8) */
  const V a6 = b[6], b6 = -a[6];
  const V a7 = (b[7] - a[7]) * root_half, b7 = -((a[7] + b[7]) * root_half);
  V c[4] = {a[4], a5, a6, a7}, d[4] = {b[4], b5, b6, b7};
  dft4(a, b);
  dft4(c, d);
  a[6] = a[3], b[6] = b[3];
  a[4] = a[2], b[4] = b[2];
  a[2] = a[1], b[2] = b[1];
  a[1] = c[0], b[1] = d[0];
  a[3] = c[1], b[3] = d[1];
  a[5] = c[2], b[5] = d[2];
  a[7] = c[3], b[7] = d[3];
}

/* What is stored at the end. */
#ifdef REAL_F64
static double last_of(double x, double scale) {
  const double y = x * scale;
  return (as_ulong(y) & MAGNITUDE_BITS) > INFINITY_BITS ? as_double(CANONICAL_NAN_BITS) : y;
}
#else
static float last_of(float x, float scale) { return canonical_f32(x * scale); }
#endif

/* Each of a launch's elements i, begin … end-1, which count `inner` fastest, then along lines: `s` among those beside
 * it, at place j of its line; counted on, since divisions take longer than all else. */
#define FOR_EACH(length)                                                                                          \
  for (ulong i = begin, s = i % inner, j = i / inner % (length), line = i / inner / (length); i < end; i++, s++, \
             j += s == inner, s = s == inner ? 0 : s, line += j == (length), j = j == (length) ? 0 : j)

/* ---- which elements ----
 *
 * A launch does the passes from l = A on, whose radices' product is the length L, of transforms of n = A·L·D elements
 * that lie S apart (S: elements of the axes behind). They part into columns of L elements that know nothing of each
 * other. Column `col` counts s fastest (0 … S-1), then q (0 … A-1), then d (0 … D-1), then the transforms. Its
 * elements are those of a transform of length L, but for w, whose q is q + A·(q of the column's own pass).
 */
#define PLACES                                                                                                   \
  __global const float *x_, ulong x_first, __global float *y_, ulong y_first, __global const float *w_, ulong w_first, \
  uint length_, ulong radices_, ulong a_, ulong d_, ulong s_, ulong columns_, uint swap_, uint last_, float scale_

#define LOCALS                                                                             \
  __global const float *x = x_ + x_first, *w = w_ + w_first;                               \
  __global float *y = y_ + y_first;                                                        \
  const uint length = length_, swap = swap_, last = last_;                                 \
  const ulong radices = radices_, before = a_, apart = d_, inner = s_, columns = columns_; \
  const float scale = scale_;

enum { SWAP_IN = 1, SWAP_OUT = 2 };

typedef struct column {
  ulong in, out, q; /* first element's index in x and in y, in complex numbers */
} column;

static column column_of(ulong col, uint length, ulong before, ulong apart, ulong inner) {
  column c;
  if (before * apart * inner == 1) {
    c.in = c.out = col * length;
    c.q = 0;
    return c;
  }
  const ulong s = col % inner, rest = col / inner;
  c.q = rest % before;
  const ulong blocks = rest / before, d = blocks % apart;
  const ulong start = (blocks - d) * length * before; /* of the transform */
  c.in = (start + d * before + c.q) * inner + s;
  c.out = (start + d * length * before + c.q) * inner + s;
  return c;
}
