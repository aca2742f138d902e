/* qr.cl: reflections that bring a panel of COLUMNS columns to upper triangular form, and what is done column by column.
 *
 *   reflect     one panel of each matrix: x's columns from `start` on, its rows from there to its last. v gets the
 *               reflections' vectors, with their 1 and the 0 above it; t the triangular T of H_0 H_1 … = I − V T Vᵀ
 *               (the products' own, Schreiber and Van Loan, 1989); x the rows of R
 *   spans       powers of two near the largest element of every column: spans[b·columns + j] divides, and
 *               spans[(count + b)·columns + j] multiplies back; 1 where a column is 0 or not finite
 *   signs       1, or −1 where the diagonal of x is below 0
 *   dress       out(b,i,j) = x(b,i,j) · by_column[j]; -D UPPER: · by_row[i], and 0 below the diagonal
 *
 * The reflection of column j, with a = x[j] and the rows i > j below it:
 *   g[c] = Σ x[i][j] · x[i][c]     for every column c: LANES chains of fma, row i in lane i % LANES, lanes joined by
 *                                  halves; s = g[j]
 *   b = −sign(a) √(fma(a, a, s)),  tau = (b − a) / b,  f = 1 / (a − b)
 *   w[c] = fma(g[c], f, x[j][c])
 *   x[i][c] = fma(−(tau · w[c]), x[i][j] · f, x[i][c]) for c > j, x[j][c] = x[j][c] − tau · w[c]
 *   t[c][j] = −tau · Σ t[c][k] · w[k] over k = c … j - 1, a chain of fma; t[j][j] = tau
 * Where s is 0, or a and s are nothing beside a column of size 1 (fma(a, a, s) < 2^-100), the reflection is none: tau
 * and f are 0, b is a, and the rest of the column is taken as 0.
 */
enum { COLUMNS = 32, LANES = 8 };

#ifdef REFLECT

typedef struct {
  float tau, factor, diagonal;
} reflection;

void reflection_of(float a, float s, reflection *r) {
  const float all = fma(a, a, s);
  const bool none = s == 0.0f || all < 0x1p-100f;
  const float norm = square_root(all), b = a < 0.0f ? norm : -norm;
  r->tau = none ? 0.0f : divide(b - a, b);
  r->factor = none ? 0.0f : divide(1.0f, a - b);
  r->diagonal = none ? a : b;
}

#ifdef WALK_CPU

__kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void reflect(__global float *x_all, ulong x_first, ulong x_pitch_, ulong x_each, __global float *v_all,
             ulong v_pitch_, ulong v_each, __global float *t_all, ulong t_first, ulong t_each, ulong start_,
             ulong rows, ulong columns) {
  const ulong x_pitch = x_pitch_, v_pitch = v_pitch_, start = start_, b = get_global_id(0);
  const uint height = (uint)(rows - start), wide = (uint)min((ulong)COLUMNS, columns - start);
  __global float *x = x_all + x_first + b * x_each + start * (x_pitch + 1);
  __global float *p = v_all + b * v_each + start * (v_pitch + 1);
  __global float *t = t_all + t_first + b * t_each;
  for (uint i = 0; i < height; i++)
    for (uint c = 0; c < COLUMNS; c++) p[i * v_pitch + c] = c < wide ? x[i * x_pitch + c] : 0.0f;
  for (uint k = 0; k < COLUMNS * COLUMNS; k++) t[k] = 0.0f;
  const int16 ids = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (uint j = 0; j < min(wide, height); j++) {
    float16 low[LANES], high[LANES];
#pragma unroll
    for (uint l = 0; l < LANES; l++) low[l] = high[l] = (float16)0.0f;
    for (uint i = (j + 1) / LANES * LANES; i < height; i += LANES) {
      const bool whole = i > j && i + LANES <= height;
      __global const float *at = p + i * v_pitch;
#pragma unroll
      for (uint l = 0; l < LANES; l++) {
        if (whole || (i + l > j && i + l < height)) {
          low[l] = fma((float16)at[j], vload16(0, at), low[l]);
          high[l] = fma((float16)at[j], vload16(1, at), high[l]);
        }
        at += v_pitch;
      }
    }
#pragma unroll
    for (uint s = LANES / 2; s; s >>= 1)
#pragma unroll
      for (uint l = 0; l < s; l++) low[l] += low[l + s], high[l] += high[l + s];
    float g[COLUMNS], w[COLUMNS];
    vstore16(low[0], 0, g);
    vstore16(high[0], 1, g);
    __global float *pivot = p + j * v_pitch;
    reflection r;
    reflection_of(pivot[j], g[j], &r);
    for (uint c = 0; c < COLUMNS; c++) w[c] = fma(g[c], r.factor, pivot[c]);
    const float16 low_move = -(r.tau * vload16(0, w)), high_move = -(r.tau * vload16(1, w));
    const int16 low_later = ids > (int)j, high_later = ids + 16 > (int)j;
    for (uint i = j + 1; i < height; i++) {
      __global float *at = p + i * v_pitch;
      const float v = at[j] * r.factor;
      const float16 a = vload16(0, at), z = vload16(1, at);
      vstore16(select(a, fma(low_move, (float16)v, a), low_later), 0, at);
      vstore16(select(z, fma(high_move, (float16)v, z), high_later), 1, at);
      at[j] = v;
    }
    for (uint c = 0; c < j; c++) {
      float sum = 0.0f;
      for (uint k = c; k < j; k++) sum = fma(t[c * COLUMNS + k], w[k], sum);
      t[c * COLUMNS + j] = -r.tau * sum;
    }
    t[j * COLUMNS + j] = r.tau;
    for (uint c = j + 1; c < wide; c++) pivot[c] = pivot[c] - r.tau * w[c];
    for (uint i = 0; i < j; i++) {
      x[i * x_pitch + j] = p[i * v_pitch + j];
      p[i * v_pitch + j] = 0.0f;
    }
    x[j * x_pitch + j] = r.diagonal;
    pivot[j] = 1.0f;
  }
}

#else

/* A group a matrix: work-items for COLUMNS columns by GROUP_LANES, which do LANES lanes. */
__kernel __attribute__((reqd_work_group_size(COLUMNS, GROUP_LANES, 1)))
void reflect(__global float *x_all, ulong x_first, ulong x_pitch_, ulong x_each, __global float *v_all,
             ulong v_pitch_, ulong v_each, __global float *t_all, ulong t_first, ulong t_each, ulong start_,
             ulong rows, ulong columns) {
  const ulong x_pitch = x_pitch_, v_pitch = v_pitch_, start = start_, b = get_global_id(1) / GROUP_LANES;
  const uint height = (uint)(rows - start), wide = (uint)min((ulong)COLUMNS, columns - start);
  const uint c = (uint)get_local_id(0), l = (uint)get_local_id(1), item = l * COLUMNS + c;
  __global float *x = x_all + x_first + b * x_each + start * (x_pitch + 1);
  __global float *p = v_all + b * v_each + start * (v_pitch + 1);
  __local float part[LANES][COLUMNS], w[COLUMNS], t[COLUMNS][COLUMNS];
  for (uint i = l; i < height; i += GROUP_LANES) p[i * v_pitch + c] = c < wide ? x[i * x_pitch + c] : 0.0f;
  for (uint k = l; k < COLUMNS; k += GROUP_LANES) t[k][c] = 0.0f;
  barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
  const uint steps = min(wide, height);
  for (uint j = 0; j < steps; j++) {
    for (uint lane = l; lane < LANES; lane += GROUP_LANES) {
      float sum = 0.0f;
      for (uint i = (j + LANES - lane) / LANES * LANES + lane; i < height; i += LANES)
        sum = fma(p[i * v_pitch + j], p[i * v_pitch + c], sum);
      part[lane][c] = sum;
    }
    barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE); /* columns are read above and written below */
    for (uint s = LANES / 2; s; s >>= 1) {
      for (uint lane = l; lane < s; lane += GROUP_LANES) part[lane][c] += part[lane + s][c];
      barrier(CLK_LOCAL_MEM_FENCE);
    }
    reflection r;
    reflection_of(p[j * v_pitch + j], part[0][j], &r);
    const float own = p[j * v_pitch + c], wc = fma(part[0][c], r.factor, own), move = -(r.tau * wc);
    if (l == 0) w[c] = wc;
    if (c > j)
      for (uint i = j + 1 + l; i < height; i += GROUP_LANES)
        p[i * v_pitch + c] = fma(move, p[i * v_pitch + j] * r.factor, p[i * v_pitch + c]);
    barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
    for (uint i = j + 1 + item; i < height; i += COLUMNS * GROUP_LANES) p[i * v_pitch + j] *= r.factor;
    if (l == 0) {
      if (c > j && c < wide) p[j * v_pitch + c] = own - r.tau * wc;
      if (c < j) {
        float chain = 0.0f;
        for (uint k = c; k < j; k++) chain = fma(t[c][k], w[k], chain);
        t[c][j] = -r.tau * chain;
        x[c * x_pitch + j] = p[c * v_pitch + j];
        p[c * v_pitch + j] = 0.0f;
      }
      if (c == j) {
        t[j][j] = r.tau;
        x[j * x_pitch + j] = r.diagonal;
        p[j * v_pitch + j] = 1.0f;
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
  }
  for (uint k = l; k < COLUMNS; k += GROUP_LANES) t_all[t_first + b * t_each + k * COLUMNS + c] = t[k][c];
}
#endif

#else

__kernel void spans(__global const float *x, ulong x_first, ulong x_pitch_, ulong x_each, __global float *spans,
                    ulong count, ulong rows_, ulong columns_) {
  const ulong pitch = x_pitch_, rows = rows_, columns = columns_, j = get_global_id(0) * W, b = get_global_id(1);
  if (j >= columns || b >= count) return;
  const uint live = (uint)min((ulong)W, columns - j);
  ureal most = 0;
  for (ulong i = 0; i < rows; i++) {
    const ureal size = as_ureal(across(x, x_first + b * x_each + i * pitch + j, live)) & (ureal)MAGNITUDE_BITS;
    most = choose(size > most, size, most);
  }
  ureal e = choose(most >= (ureal)INFINITY_BITS, (ureal)127, most >> 23);
  e = choose(most == (ureal)0, (ureal)127, e);
  e = choose(e < (ureal)1, (ureal)1, choose(e > (ureal)253, (ureal)253, e));
  put_across(as_real((254 - e) << 23), spans, b * columns + j, live);
  put_across(as_real(e << 23), spans, (count + b) * columns + j, live);
}

__kernel void signs(__global const float *x, ulong x_first, ulong x_pitch, ulong x_each, __global float *signs,
                    ulong count, ulong columns) {
  const ulong j = get_global_id(0), b = get_global_id(1);
  if (j >= columns || b >= count) return;
  signs[b * columns + j] = x[x_first + b * x_each + j * (x_pitch + 1)] < 0.0f ? -1.0f : 1.0f;
}

__kernel void dress(__global const float *x, ulong x_first, ulong x_pitch_, ulong x_each, __global const float *by_row,
                    __global const float *by_column, ulong by_first, __global float *out, ulong out_first,
                    ulong out_pitch_, ulong out_each, ulong total_, ulong rows_, ulong columns_) {
  const ulong x_pitch = x_pitch_, total = total_, rows = rows_, columns = columns_, out_pitch = out_pitch_;
#ifdef WALK_CPU
  const ulong row = get_global_id(0), begin = 0, end = columns;
#else
  const ulong row = get_global_id(1), begin = get_global_id(0), end = min(begin + 1, columns);
#endif
  if (row >= total) return;
  const ulong b = row / rows, i = row - b * rows;
  for (ulong j = begin; j < end; j += W) {
    const uint live = (uint)min((ulong)W, end - j);
    real v = across(x, x_first + b * x_each + i * x_pitch + j, live);
    v *= across(by_column, by_first + b * columns + j, live);
#ifdef UPPER
    v *= (real)by_row[b * columns + i];
#if W > 1
    v = choose(LANE_IDS + (ireal)(int)(j - i) < (ireal)0, (real)0.0f, v);
#else
    v = j < i ? 0.0f : v;
#endif
#endif
    put_across(v, out, out_first + b * out_each + i * out_pitch + j, live);
  }
}
#endif
