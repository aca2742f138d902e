/* eigen.cl: eigenvectors of symmetric matrices by one-sided Jacobi (Hestenes, 1958): the rows of W = V (A + mu I) are
 * turned in pairs, with those of V, until they are at right angles; then the rows of V are eigenvectors.
 *
 *   -D SINGLE   `real` is one float
 *
 * Rows are `pitch` elements, a multiple of LANES, of which those beyond the n-th are 0. Sums over a row: LANES chains
 * of fma, element i in lane i % LANES, lanes joined by halves.
 *
 *   turn        one round: n / 2 pairs of rows, each row in one. Of the 2 m players that rows are (one of them none for
 *               an odd n) the last stays and the others go round, so that all pairs meet in 2 m − 1 rounds.
 *                 a = Σ x², b = Σ y², g = Σ x y           x, y: the rows of W, the one of the lower index first
 *                 not where |g| <= 2^-21 √a √b
 *                 z = (b − a) / (2 g),  t = ±1 / (|z| + √(1 + z²)), z's sign;  c = 1 / √(1 + t²),  s = c t
 *                 h = s / (1 + c);  x = fma(−s, fma(h, x, y), x),  y = fma(s, fma(−h, y, x), y)     (Rutishauser)
 *   powers      terms[0] = 2^-e, terms[2] = 2^e near the largest element of A, terms[1] = 0
 *   shifts      terms[0] = 1, terms[1] = norms[b]
 *   quotients   values[b·n + k] = (Σ v w / Σ v v) · terms[2] of row k of V and of W
 *   ranks       how many values come before: less, or equal and of a lower index; NaN after all
 *   place       out_values[rank] = values[k], column `rank` of out is row k of V
 */
enum { LANES = 64 };

typedef struct {
  float sine, half_tangent;
  bool none;
} rotation;

void rotation_of(float a, float b, float g, rotation *r) {
  r->none = fabs(g) <= 0x1p-21f * (square_root(a) * square_root(b));
  const float z = divide(b - a, 2.0f * g), size = divide(1.0f, fabs(z) + square_root(1.0f + z * z));
  const float t = z < 0.0f ? -size : size, c = divide(1.0f, square_root(1.0f + t * t));
  r->sine = c * t;
  r->half_tangent = divide(r->sine, 1.0f + c);
}

/* The rows of pair k in this round; false for the pair of a row with none. */
bool pair_of(uint k, uint round, uint n, uint *p, uint *q) {
  const uint last = n + n % 2 - 1;
  const uint one = k == 0 ? last : (round + k) % last, other = k == 0 ? round : (round + last - k) % last;
  *p = min(one, other);
  *q = max(one, other);
  return *q < n;
}

/* An integer in the order of floats, NaN last. */
int ordered(float x) {
  const int bits = as_int(x);
  return is_nan(x) ? INT_MAX : bits < 0 ? bits ^ INT_MAX : bits;
}

#ifdef WALK_CPU

float joined(float16 *lanes) {
  const float16 all = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
  const float8 eight = all.lo + all.hi;
  const float4 four = eight.lo + eight.hi;
  const float2 two = four.lo + four.hi;
  return two.x + two.y;
}

float dot_of(__global const float *x, __global const float *y, ulong pitch) {
  float16 lanes[4] = {(float16)0.0f, (float16)0.0f, (float16)0.0f, (float16)0.0f};
  for (ulong i = 0; i < pitch; i += LANES) {
#pragma unroll
    for (uint v = 0; v < 4; v++) lanes[v] = fma(vload16(v, x + i), vload16(v, y + i), lanes[v]);
  }
  return joined(lanes);
}

void turn_rows(__global float *x_row, __global float *y_row, ulong pitch, float s, float h) {
  for (ulong i = 0; i < pitch; i += 16) {
    const float16 x = vload16(0, x_row + i), y = vload16(0, y_row + i);
    vstore16(fma((float16)-s, fma((float16)h, x, y), x), 0, x_row + i);
    vstore16(fma((float16)s, fma((float16)-h, y, x), y), 0, y_row + i);
  }
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void turn(__global float *w_all, __global float *v_all, ulong pitch_, ulong each, uint n_, uint round) {
  const ulong pitch = pitch_;
  const uint n = n_;
  __global float *w = w_all + get_global_id(1) * each, *v = v_all + get_global_id(1) * each;
  uint p, q;
  if (!pair_of((uint)get_global_id(0), round, n, &p, &q)) return;
  __global float *x = w + p * pitch, *y = w + q * pitch;
  const float g = dot_of(x, y, pitch);
  rotation r;
  rotation_of(dot_of(x, x, pitch), dot_of(y, y, pitch), g, &r);
  if (r.none) return;
  turn_rows(x, y, pitch, r.sine, r.half_tangent);
  turn_rows(v + p * pitch, v + q * pitch, pitch, r.sine, r.half_tangent);
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void quotients(__global const float *w_all, __global const float *v_all, ulong pitch, ulong each,
               __global const scalars *terms, __global float *values, uint n) {
  const ulong b = get_global_id(1), k = get_global_id(0), at = b * each + k * pitch;
  const float quotient = divide(dot_of(v_all + at, w_all + at, pitch), dot_of(v_all + at, v_all + at, pitch));
  values[b * n + k] = quotient * terms[b].third;
}

#else

/* A group a pair, or a row: GROUP work-items, which do LANES lanes. Field by field, so that all stays in registers. */
#define JOIN(a) for (uint lane = l; lane < s; lane += GROUP) a[lane] += a[lane + s];

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void turn(__global float *w_all, __global float *v_all, ulong pitch_, ulong each, uint n_, uint round) {
  const ulong pitch = pitch_;
  const uint n = n_, l = (uint)get_local_id(0);
  __global float *w = w_all + get_global_id(1) * each, *v = v_all + get_global_id(1) * each;
  __local float as[LANES], bs[LANES], gs[LANES];
  uint p, q;
  const bool both = pair_of((uint)get_group_id(0), round, n, &p, &q);
  const ulong length = both ? pitch : 0; /* without a pair no row is read: another group may be writing it */
  if (!both) p = q = 0;
  __global float *x = w + p * pitch, *y = w + q * pitch;
  for (uint lane = l; lane < LANES; lane += GROUP) {
    float a = 0.0f, b = 0.0f, g = 0.0f;
    for (ulong i = lane; i < length; i += LANES) {
      const float xi = x[i], yi = y[i];
      a = fma(xi, xi, a), b = fma(yi, yi, b), g = fma(xi, yi, g);
    }
    as[lane] = a, bs[lane] = b, gs[lane] = g;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint s = LANES / 2; s; s >>= 1) {
    JOIN(as) JOIN(bs) JOIN(gs)
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  rotation r;
  rotation_of(as[0], bs[0], gs[0], &r);
  if (!both || r.none) return;
  const float sine = r.sine, h = r.half_tangent;
  __global float *vx = v + p * pitch, *vy = v + q * pitch;
  for (ulong i = l; i < pitch; i += GROUP) {
    const float xi = x[i], yi = y[i], vxi = vx[i], vyi = vy[i];
    x[i] = fma(-sine, fma(h, xi, yi), xi);
    y[i] = fma(sine, fma(-h, yi, xi), yi);
    vx[i] = fma(-sine, fma(h, vxi, vyi), vxi);
    vy[i] = fma(sine, fma(-h, vyi, vxi), vyi);
  }
}

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void quotients(__global const float *w_all, __global const float *v_all, ulong pitch, ulong each,
               __global const scalars *terms, __global float *values, uint n) {
  const ulong b = get_global_id(1), k = get_group_id(0), at = b * each + k * pitch;
  const uint l = (uint)get_local_id(0);
  __global const float *v = v_all + at, *w = w_all + at;
  __local float upper[LANES], lower[LANES];
  for (uint lane = l; lane < LANES; lane += GROUP) {
    float up = 0.0f, low = 0.0f;
    for (ulong i = lane; i < pitch; i += LANES) up = fma(v[i], w[i], up), low = fma(v[i], v[i], low);
    upper[lane] = up, lower[lane] = low;
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint s = LANES / 2; s; s >>= 1) {
    JOIN(upper) JOIN(lower)
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  if (l == 0) values[b * n + k] = divide(upper[0], lower[0]) * terms[b].third;
}
#endif

__kernel void powers(__global const float *largest, __global scalars *terms, ulong count) {
  const ulong b = get_global_id(0);
  if (b >= count) return;
  const uint size = as_uint(largest[b]) & MAGNITUDE_BITS, e = max(1u, min(253u, size >> 23));
  const bool finite = size < INFINITY_BITS;
  terms[b].first = size == 0 ? 1.0f : finite ? as_float((254 - e) << 23) : as_float(CANONICAL_NAN_BITS);
  terms[b].second = 0.0f;
  terms[b].third = size == 0 || !finite ? 1.0f : as_float(e << 23);
}

__kernel void shifts(__global const float *norms, __global scalars *terms, ulong count) {
  const ulong b = get_global_id(0);
  if (b >= count) return;
  terms[b].first = 1.0f;
  terms[b].second = norms[b];
}

__kernel void ranks(__global const float *values, __global uint *ranks, uint n_, ulong count) {
  const ulong b = get_global_id(1);
  const uint k = (uint)get_global_id(0), n = n_;
  if (k >= n || b >= count) return;
  const int own = ordered(values[b * n + k]);
  uint rank = 0;
  for (uint i = 0; i < n; i++) {
    const int other = ordered(values[b * n + i]);
    rank += other < own || (other == own && i < k) ? 1u : 0u;
  }
  ranks[b * n + k] = rank;
}

__kernel void place(__global const float *v, ulong pitch, ulong each, __global const float *values,
                    __global const uint *ranks, __global float *out, ulong out_first, ulong out_pitch, ulong out_each,
                    __global float *out_values, ulong values_first, ulong values_pitch, uint n_, ulong count) {
  const ulong b = get_global_id(1), at = get_global_id(0);
  const uint n = n_, k = (uint)(at / n), i = (uint)(at - (ulong)k * n);
  if (at >= (ulong)n * n || b >= count) return;
  const uint rank = ranks[b * n + k];
  out[out_first + b * out_each + i * out_pitch + rank] = canonical(v[b * each + k * pitch + i]);
  if (i == 0) out_values[values_first + b * values_pitch + rank] = canonical(values[b * n + k]);
}
