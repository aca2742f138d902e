/* triangle.cl: what products and equations with triangular and symmetric matrices need beside gemm (see blas.cl). Of
 * stacks of equal matrices: element (b,i,j) at first + b·each + i·pitch + j.
 *
 *   -D LINES     solve, multiply: a block of at most BLOCK lines on the diagonal of a triangle t,
 *                  t(i,k) at t_first + i·t_row + k·t_column
 *                and each of `vectors` vectors x, whose x(i) lies at x_first + i·x_step + v·x_vector
 *     solve      x = t⁻¹ x. t is lower triangular:
 *                  s = x(i), with `less` fma(−1, sum(i), x(i));  s = fma(−t(i,k), x(k), s) for k = 0 … i - 1
 *                  x(i) = s / t(i,i), with `unit` s              i ascending
 *                with `upper` it is upper triangular: i descends, and k goes from the last down to i + 1
 *     multiply   sum(i) goes on by fma(t(i,k), x(k), sum(i)) for k = 0 … i; of an upper triangle it begins at +0, and
 *                k = i … size - 1. With `unit` t(i,i) is taken as 1. Several blocks one below the other, `size` lines
 *                in all; a lower triangle's first block begins at +0, too, unless it `resumes`.
 *   -D ELEMENTS  finish, expand
 *     finish_part  out = alpha·s, or with beta fma(alpha, s, beta·out), of a whole matrix (part 0), or of the triangle
 *                with j <= i (1), or j >= i (2); with `empty` out = beta·out, and s is not read
 *     expand     rows of the symmetric matrix of which one triangle is stored: out(i,j) = x(i + skip, j), or
 *                x(j, i + skip) where that is the one that is stored
 */
#ifdef LINES

enum { BLOCK = 32 };

/* W vectors' element at p, `live` of them there. */
real get(__global const SCALAR *p, ulong vector, uint live) {
#if W > 1
  if (vector == 1) return take(p, 0, live);
  SCALAR lanes[W];
  for (uint l = 0; l < W; l++) lanes[l] = p[min(l, live - 1) * vector];
  return LOAD_W(lanes, 0);
#else
  return p[0];
#endif
}

void set(real x, __global SCALAR *p, ulong vector, uint live) {
#if W > 1
  if (vector == 1) {
    put(x, p, 0, live);
    return;
  }
  SCALAR lanes[W];
  STORE_W(x, lanes, 0);
  for (uint l = 0; l < live; l++) p[l * vector] = lanes[l];
#else
  p[0] = x;
#endif
}

__kernel void solve(__global const SCALAR *t_all, ulong t_first, ulong t_row_, ulong t_column_, ulong t_each,
                    __global SCALAR *x_all, ulong x_first, ulong x_step_, ulong x_vector_, ulong x_each,
                    __global const SCALAR *s_all, ulong s_first, ulong s_step_, ulong s_vector_, ulong s_each,
                    uint size_, ulong vectors, ulong count, uint less_, uint unit_, uint upper_) {
  const ulong v = get_global_id(0) * W, b = get_global_id(1);
  if (v >= vectors || b >= count) return;
  const ulong t_row = t_row_, t_column = t_column_, x_step = x_step_, s_step = s_step_;
  const ulong x_vector = x_vector_, s_vector = s_vector_;
  const uint size = size_, less = less_, unit = unit_, upper = upper_, live = (uint)min((ulong)W, vectors - v);
  __global const SCALAR *t = t_all + t_first + b * t_each;
  __global SCALAR *x = x_all + x_first + b * x_each + v * x_vector;
  __global const SCALAR *sums = s_all + s_first + b * s_each + v * s_vector;
#if W > 1
  real s[BLOCK];
  for (uint i = 0; i < size; i++) {
    s[i] = get(x + i * x_step, x_vector, live);
    if (less) s[i] = fma((real)-1, get(sums + i * s_step, s_vector, live), s[i]);
  }
  for (uint step = 0; step < size; step++) {
    const uint k = upper ? size - 1 - step : step;
    const real known = unit ? s[k] : divide(s[k], (real)t[k * (t_row + t_column)]);
    set(canonical(known), x + k * x_step, x_vector, live);
    __global const SCALAR *column = t + k * t_column;
    for (uint i = upper ? 0 : k + 1; i < (upper ? k : size); i++) s[i] = fma((real)-column[i * t_row], known, s[i]);
  }
#else
  for (uint step = 0; step < size; step++) {
    const uint i = upper ? size - 1 - step : step;
    SCALAR s = x[i * x_step];
    if (less) s = fma((SCALAR)-1, sums[i * s_step], s);
    for (uint j = 0; j < step; j++) {
      const uint k = upper ? size - 1 - j : j;
      s = fma(-t[i * t_row + k * t_column], x[k * x_step], s);
    }
    x[i * x_step] = canonical(unit ? s : divide(s, t[i * (t_row + t_column)]));
  }
#endif
}

__kernel void multiply(__global const SCALAR *t_all, ulong t_first, ulong t_row_, ulong t_column_, ulong t_each,
                       __global const SCALAR *x_all, ulong x_first, ulong x_step_, ulong x_vector_, ulong x_each,
                       __global SCALAR *s_all, ulong s_first, ulong s_step_, ulong s_vector_, ulong s_each, uint size_,
                       ulong vectors, ulong count, uint resumes, uint unit_, uint upper_) {
  const ulong v = get_global_id(0) * W, block = get_global_id(1), blocks = (size_ + BLOCK - 1) / BLOCK;
  const ulong b = block / blocks, line = (block - b * blocks) * BLOCK;
  if (v >= vectors || b >= count) return;
  const ulong t_row = t_row_, t_column = t_column_, x_step = x_step_, s_step = s_step_;
  const ulong x_vector = x_vector_, s_vector = s_vector_;
  const uint size = min((uint)BLOCK, size_ - (uint)line), unit = unit_, upper = upper_;
  const uint live = (uint)min((ulong)W, vectors - v);
  const bool fresh = upper || (line == 0 && !resumes);
  __global const SCALAR *t = t_all + t_first + b * t_each + line * (t_row + t_column);
  __global const SCALAR *x = x_all + x_first + b * x_each + line * x_step + v * x_vector;
  __global SCALAR *sums = s_all + s_first + b * s_each + line * s_step + v * s_vector;
#if W > 1
  real s[BLOCK];
  for (uint i = 0; i < size; i++) s[i] = fresh ? (real)0 : get(sums + i * s_step, s_vector, live);
  for (uint k = 0; k < size; k++) {
    const real known = get(x + k * x_step, x_vector, live);
    __global const SCALAR *column = t + k * t_column;
    if (upper)
      for (uint i = 0; i < k; i++) s[i] = fma((real)column[i * t_row], known, s[i]);
    s[k] = fma(unit ? (real)1 : (real)column[k * t_row], known, s[k]);
    if (!upper)
      for (uint i = k + 1; i < size; i++) s[i] = fma((real)column[i * t_row], known, s[i]);
  }
  for (uint i = 0; i < size; i++) set(s[i], sums + i * s_step, s_vector, live);
#else
  for (uint i = 0; i < size; i++) {
    SCALAR s = fresh ? (SCALAR)0 : sums[i * s_step];
    for (uint k = upper ? i : 0; k < (upper ? size : i + 1); k++)
      s = fma(unit && k == i ? (SCALAR)1 : t[i * t_row + k * t_column], x[k * x_step], s);
    sums[i * s_step] = s;
  }
#endif
}

#else

/* Work-item: a row in the CPU walk, else an element. */
__kernel void finish_part(__global const SCALAR *s_all, ulong s_first, ulong s_pitch, ulong s_each,
                          __global SCALAR *out_all, ulong out_first, ulong out_pitch, ulong out_each, ulong total,
                          ulong rows_, ulong columns, SCALAR alpha_, SCALAR beta_, uint part, uint empty_) {
#ifdef WALK_CPU
  const ulong row = get_global_id(0);
#else
  const ulong row = get_global_id(1);
#endif
  if (row >= total) return;
  const ulong rows = rows_, b = row / rows, i = row - b * rows;
  const SCALAR alpha = alpha_, beta = beta_;
  const uint empty = empty_;
  const ulong from = part == 2 ? min(i, columns) : 0, to = part == 1 ? min(i + 1, columns) : columns;
#ifdef WALK_CPU
  const ulong begin = from, end = to;
#else
  const ulong begin = max(from, (ulong)get_global_id(0)), end = min(to, (ulong)get_global_id(0) + 1);
#endif
  __global const SCALAR *s_at = s_all + s_first + b * s_each + i * s_pitch;
  __global SCALAR *at = out_all + out_first + b * out_each + i * out_pitch;
  for (ulong j = begin; j < end; j += W) {
    const uint live = (uint)min((ulong)W, end - j);
    real r = (real)0;
    if (beta != 0) r = take(at + j, 0, live);
    if (empty)
      r = beta == 0 ? (real)0 : canonical(beta * r);
    else
      r = beta == 0 ? finish_new(take(s_at + j, 0, live), alpha) : finish(take(s_at + j, 0, live), alpha, beta, r);
    put(r, at + j, 0, live);
  }
}

SCALAR mirrored(__global const SCALAR *x, ulong pitch, ulong i, ulong j, uint upper) {
  return (upper ? j >= i : j <= i) ? x[i * pitch + j] : x[j * pitch + i];
}

/* Work-item: W rows in the CPU walk, by squares of W × W, else an element. */
__kernel void expand(__global const SCALAR *x_all, ulong x_first, ulong x_pitch_, ulong x_each,
                     __global SCALAR *out_all, ulong out_first, ulong out_pitch_, ulong out_each, ulong rows_,
                     ulong columns_, ulong count, ulong skip_, uint upper_) {
  const ulong x_pitch = x_pitch_, out_pitch = out_pitch_, rows = rows_, columns = columns_, skip = skip_;
  const uint upper = upper_;
#ifdef WALK_CPU
  const ulong squares = (rows + W - 1) / W, b = get_global_id(0) / squares, i0 = (get_global_id(0) - b * squares) * W;
  if (b >= count) return;
  __global const SCALAR *x = x_all + x_first + b * x_each;
  __global SCALAR *out = out_all + out_first + b * out_each;
  const ulong row = i0 + skip, height = min((ulong)W, rows - i0);
  for (ulong j = 0; j < columns; j += W) {
    const ulong width = min((ulong)W, columns - j);
    if (height == W && width == W && (upper ? j >= row + W : j + W <= row)) {
      for (uint l = 0; l < W; l++) STORE_W(LOAD_W(x + (row + l) * x_pitch, j), out + (i0 + l) * out_pitch, j);
    } else if (height == W && width == W && (upper ? j + W <= row : j >= row + W)) {
      real square[W], room[W];
#pragma unroll
      for (uint l = 0; l < W; l++) square[l] = LOAD_W(x + (j + l) * x_pitch, row);
      TRANSPOSE(square, room)
#pragma unroll
      for (uint l = 0; l < W; l++) STORE_W(square[l], out + (i0 + l) * out_pitch, j);
    } else {
      for (ulong i = 0; i < height; i++)
        for (ulong l = 0; l < width; l++)
          out[(i0 + i) * out_pitch + j + l] = mirrored(x, x_pitch, row + i, j + l, upper);
    }
  }
#else
  const ulong row = get_global_id(1), j = get_global_id(0), b = row / rows, i = row - b * rows;
  if (b >= count || j >= columns) return;
  out_all[out_first + b * out_each + i * out_pitch + j] =
      mirrored(x_all + x_first + b * x_each, x_pitch, i + skip, j, upper);
#endif
}
#endif
