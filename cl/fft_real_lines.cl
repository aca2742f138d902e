/* fft_real_lines.cl: what fft_real.cl and fft_dct.cl do before and behind a transform, of lines of n = 2h real numbers
 * one behind the other, a line at a time: the complex line between is in a room of the work-item's own, so that memory
 * is read once and written once. See fft_line.cl, whose n is h here; h is a multiple of 8, and more than 8.
 *
 *   -D COSINES    cosine and sine transforms: type II, and with INVERSE type III
 *   -D INVERSE    from complex numbers to real ones
 */
#define BACK s76543210
#define MOST_OF(k, h) min((ulong)(k), (h) - 8) /* the last eight again where eight do not divide: the same results */

/* (a, b)·(c, d), the roundings of fft_real.cl's times. */
static void times(V a, V b, V c, V d, V *re, V *im) {
  *re = fma(a, c, -(b * d));
  *im = fma(a, d, b * c);
}

/* Z[k…] and Z[h-k…] to X[k…], but for scale. */
static void split8(V a, V b, V mirror_a, V mirror_b, float16 w, V *re, V *im) {
  V p, q;
  times(b + mirror_b, -(a - mirror_a), w.even, w.odd, &p, &q);
  *re = 0.5f * ((a + mirror_a) + p);
  *im = 0.5f * ((b - mirror_b) + q);
}
static void split_at(__global const float *z, __global const float *turns, ulong k, ulong h, V *re, V *im) {
  const float16 v = vload16(0, z + 2 * k), m = vload16(0, z + 2 * (h - k - 7));
  split8(v.even, v.odd, m.even.BACK, m.odd.BACK, vload16(0, turns + 2 * k), re, im);
}
/* X[0] and X[h], in the lanes 0 and 1. */
static void split_ends(__global const float *z, __global const float *turns, ulong h, V *re, V *im) {
  const float16 w = (float16)(vload2(0, turns), vload2(h, turns), (float4)(0), (float8)(0));
  split8((V)(z[0]), (V)(z[1]), (V)(z[0]), (V)(z[1]), w, re, im);
}

/* X[k…] and X[h-k…] to Z[k…]. */
static void join8(V a, V b, V mirror_a, V mirror_b, float16 w, V *re, V *im) {
  V p, q;
  times(a - mirror_a, b + mirror_b, w.even, -w.odd, &p, &q);
  *re = (a + mirror_a) - q;
  *im = (b - mirror_b) + p;
}
/* X to Z; imaginary parts of X[0] and X[h] are not looked at. */
static void join_line(__global const float *x, __global float *z, __global const float *turns, ulong h) {
  V re, im;
  float16 v;
  for (ulong i = 1; i < h; i += 8) {
    const ulong k = MOST_OF(i, h);
    const float16 a = vload16(0, x + 2 * k), b = vload16(0, x + 2 * (h - k - 7));
    join8(a.even, a.odd, b.even.BACK, b.odd.BACK, vload16(0, turns + 2 * k), &re, &im);
    v.even = re, v.odd = im;
    vstore16(v, 0, z + 2 * k);
  }
  join8((V)(x[0]), (V)(0), (V)(x[2 * h]), (V)(0), (float16)(vload2(0, turns), (float2)(0), (float4)(0), (float8)(0)),
        &re, &im);
  z[0] = re.s0, z[1] = im.s0;
}

static float16 scaled(V a, V b, bool last, float scale) {
  if (last) a = last_lanes(a, scale), b = last_lanes(b, scale);
  float16 z;
  z.even = a, z.odd = b;
  return z;
}

#ifdef COSINES
/* How V becomes results, or numbers V: k = 0 by `first`, others by `rest`; sine: signs alternate, read backwards. */
typedef struct cosines {
  __global const float *quarters;
  float first, rest;
  bool sine;
} cosines;

#ifdef INVERSE
/* The numbers of type III to V, h + 1 of them. */
static float2 dct_at(__global const float *x, ulong k, ulong h, cosines c) {
  const ulong n = 2 * h;
  const float a = x[c.sine ? n - 1 - k : k] * (k == 0 ? c.first : c.rest);
  const float b = k == 0 ? 0.0f : x[c.sine ? k - 1 : n - k] * c.rest;
  const float2 w = vload2(k, c.quarters);
  return (float2)(fma(a, w.x, -(-b * -w.y)), fma(a, -w.y, -b * w.x));
}
static void dct_join_line(__global const float *x, __global float *v, ulong h, cosines c) {
  const ulong n = 2 * h;
  for (ulong i = 1; i < h; i += 8) {
    const ulong k = MOST_OF(i, h);
    V a = c.sine ? vload8(0, x + n - k - 8).BACK : vload8(0, x + k);
    V b = c.sine ? vload8(0, x + k - 1) : vload8(0, x + n - k - 7).BACK;
    a *= c.rest, b *= c.rest;
    const float16 w = vload16(0, c.quarters + 2 * k);
    V re, im;
    times(a, -b, w.even, -w.odd, &re, &im);
    vstore16(scaled(re, im, false, 1), 0, v + 2 * k);
  }
  vstore2(dct_at(x, 0, h, c), 0, v);
  vstore2(dct_at(x, h, h, c), h, v);
}
/* v to x. */
static void gather_line(__global const float *v, __global float *y, ulong h, bool sine) {
  for (ulong j = 0; j < h; j += 8) {
    const V odd = vload8(0, v + 2 * h - 8 - j).BACK;
    vstore16(scaled(vload8(0, v + j), sine ? -odd : odd, true, 1), 0, y + 2 * j);
  }
}
#else
/* x to v. */
static void spread_line(__global const float *x, __global float *v, ulong h, bool sine) {
  for (ulong j = 0; j < h; j += 8) {
    const float16 z = vload16(0, x + 2 * j);
    vstore8(z.even, 0, v + j);
    vstore8((sine ? -z.odd : z.odd).BACK, 0, v + 2 * h - 8 - j);
  }
}
/* Z to the results of type II. */
static void dct_split_line(__global const float *z, __global float *y, __global const float *turns, ulong h,
                           cosines c) {
  const ulong n = 2 * h;
  V a, b, re, im;
  split_ends(z, turns, h, &a, &b);
  const float16 w = (float16)(vload2(0, c.quarters), vload2(h, c.quarters), (float4)(0), (float8)(0));
  times(a, b, w.even, w.odd, &re, &im);
  y[c.sine ? n - 1 : 0] = last_of(re.s0, c.first);
  y[c.sine ? n - 1 - h : h] = last_of(re.s1, c.rest);
  for (ulong i = 1; i < h; i += 8) {
    const ulong k = MOST_OF(i, h);
    const float16 q = vload16(0, c.quarters + 2 * k);
    split_at(z, turns, k, h, &a, &b);
    times(a, b, q.even, q.odd, &re, &im);
    re = last_lanes(re, c.rest), im = last_lanes(-im, c.rest);
    vstore8(c.sine ? re.BACK : re, 0, y + (c.sine ? n - k - 8 : k));
    vstore8(c.sine ? im : im.BACK, 0, y + (c.sine ? k - 1 : n - k - 7));
  }
}
#endif

#else
/* Z to X. */
static void split_line(__global const float *z, __global float *y, __global const float *turns, ulong h, bool last,
                       float scale) {
  V re, im;
  split_ends(z, turns, h, &re, &im);
  const float16 ends = scaled(re, im, last, scale);
  vstore2(ends.s01, 0, y);
  vstore2(ends.s23, h, y);
  for (ulong i = 1; i < h; i += 8) {
    const ulong k = MOST_OF(i, h);
    split_at(z, turns, k, h, &re, &im);
    vstore16(scaled(re, im, last, scale), 0, y + 2 * k);
  }
}
#endif

/* Rooms: for each work-item three of h + 8 complex numbers. */
__kernel void fft_real_lines(__global const float *x_, ulong x_first, __global float *y_, ulong y_first,
                             __global const V *w_, __global const uint *places, __global V *rooms, RADICES,
                             ulong lines_, ulong share_, float scale_, uint last_, __global const float *turns
#ifdef COSINES
                             , __global const float *quarters, float first_, float rest_, uint sine_
#endif
) {
  RADICES_LOCALS
  const ulong share = share_, id = get_global_id(0), begin = id * share, until = min(begin + share, (ulong)lines_);
#ifdef INVERSE
  const float scale = scale_;
#else
  const float scale = 1; /* not yet */
#endif
  const bool last = last_;
  __global V *const room = rooms + id * 3 * (n / 4 + 2);
  __global float *const z = (__global float *)(room + n / 4 + 2), *const v = z + 2 * n + 16;
#ifdef COSINES
  cosines c;
  c.quarters = quarters, c.first = first_, c.rest = rest_, c.sine = sine_;
  const ulong in = 2 * n, out = 2 * n;
#elif defined(INVERSE)
  const ulong in = 2 * n + 2, out = 2 * n;
#else
  const ulong in = 2 * n, out = 2 * n + 2;
#endif
  (void)last, (void)v;
  for (ulong i = begin; i < until; i++) {
    __global const float *const x = x_ + x_first + i * in;
    __global float *const y = y_ + y_first + i * out;
    __global const float *from = z;
    __global float *to = z;
#if defined(COSINES) && defined(INVERSE)
    dct_join_line(x, v, n, c);
    join_line(v, z, turns, n);
#elif defined(COSINES)
    spread_line(x, z, n, c.sine);
#elif defined(INVERSE)
    join_line(x, z, turns, n);
    to = y;
#else
    from = x;
#endif
    ahead f;
    f.at = from, f.lead = 4, f.steps = n / 64, f.step = 16, f.branch = n / 4, f.line = from == z ? 0 : in;
    first_pass(from, room, places, n / 8, f);
    __global const V *w = w_;
    const ulong l = between(room, &w, n, near, size, far);
    f.at = to, f.lead = 8, f.steps = l, f.branch = 16 * l, f.line = to == z ? 0 : out;
    last_pass(end, room, w, l, to, scale, f);
#if defined(COSINES) && defined(INVERSE)
    gather_line(z, y, n, c.sine);
#elif defined(COSINES)
    dct_split_line(z, y, turns, n, c);
#elif !defined(INVERSE)
    split_line(z, y, turns, n, last, scale_);
#endif
  }
}
