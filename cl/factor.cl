/* factor.cl: what factorisations do with stacks of equal matrices (see stack.cl) element by element, and their scalars.
 *
 *   combine     out(b,i,j) = v, with s = x(b,i,j)
 *     (none)          v = s
 *     -D TRANSPOSED   s = x(b,j,i)
 *     -D DIVIDES      v = s / terms[0]
 *     -D ADDS         v = fma(factor, s, old_factor · out(b,i,j)), the latter rounded first
 *     -D SHIFTS       v = fma(factor, s, i == j ? shift : 0)
 *     -D SHIFTS_EACH  v = fma(terms[0], s, i == j ? terms[1] : 0)
 *     -D AVERAGES     v = (s + x(b,j,i)) · terms[2]
 *     -D IDENTITY     v = i == j ? 1 : 0
 *     -D LOWER        v = j <= i ? s : 0
 *     -D ROUNDS       v is rounded to bfloat16, and kept as a float
 *   divisors    terms[0] = norms[b] + eps; with -D ROUNDS the greater of the two, both in bfloat16
 *   units       terms[0] = norms[b], but 1 for 0, and a NaN for an infinity
 */
__kernel void combine(__global const float *x, ulong x_first, ulong x_pitch_, ulong x_each,
                      __global const scalars *terms, __global float *out, ulong out_first, ulong out_pitch_,
                      ulong out_each, ulong total_, ulong rows_, ulong columns_, float factor_, float old_factor_,
                      float shift_) {
  const ulong x_pitch = x_pitch_, total = total_, rows = rows_, columns = columns_, out_pitch = out_pitch_;
  const float factor = factor_, old_factor = old_factor_, shift = shift_;
#ifdef WALK_CPU
  const ulong row = get_global_id(0), begin = 0, end = columns;
#else
  const ulong row = get_global_id(1), begin = get_global_id(0), end = min(begin + 1, columns);
#endif
  if (row >= total) return;
  const ulong b = row / rows, i = row - b * rows, x_at = x_first + b * x_each;
  const ulong out_at = out_first + b * out_each + i * out_pitch;
  for (ulong j = begin; j < end; j += W) {
    const uint live = (uint)min((ulong)W, end - j);
#if defined(IDENTITY)
    /* x is not read */
#elif defined(TRANSPOSED)
    const real s = down(x, x_at + j * x_pitch + i, x_pitch, live);
#else
    const real s = across(x, x_at + i * x_pitch + j, live);
#endif
#if defined(IDENTITY)
    real v = on_diagonal(1.0f, i, j);
#elif defined(DIVIDES)
    real v = divide(s, (real)terms[b].first);
#elif defined(ADDS)
    real v = fma((real)factor, s, (real)old_factor * across(out, out_at + j, live));
#elif defined(SHIFTS)
    real v = fma((real)factor, s, on_diagonal(shift, i, j));
#elif defined(SHIFTS_EACH)
    real v = fma((real)terms[b].first, s, on_diagonal(terms[b].second, i, j));
#elif defined(AVERAGES)
    real v = (s + down(x, x_at + j * x_pitch + i, x_pitch, live)) * (real)terms[b].third;
#elif defined(LOWER) && W > 1
    real v = choose(LANE_IDS + (ireal)(int)(j - i) <= (ireal)0, s, (real)0.0f);
#elif defined(LOWER)
    real v = j <= i ? s : 0.0f;
#else
    real v = s;
#endif
#ifdef ROUNDS
    v = to_bfloat(v);
#endif
    put_across(v, out, out_at + j, live);
  }
}

#ifdef SINGLE
__kernel void divisors(__global const float *norms, __global scalars *terms, ulong count, float eps) {
  const ulong b = get_global_id(0);
  if (b >= count) return;
#ifdef ROUNDS
  const float norm = to_bfloat(norms[b]), least = to_bfloat(eps);
  terms[b].first = norm < least ? least : norm; /* a NaN stays one */
#else
  terms[b].first = norms[b] + eps;
#endif
}

__kernel void units(__global const float *norms, __global scalars *terms, ulong count) {
  const ulong b = get_global_id(0);
  if (b >= count) return;
  const float norm = norms[b];
  terms[b].first = norm == 0.0f ? 1.0f : is_finite(norm) ? norm : as_float(CANONICAL_NAN_BITS);
}
#endif
