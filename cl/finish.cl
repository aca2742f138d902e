/* finish.cl: out = activation(in + bias), element by element, between types of storage: what follows a product where
 * its own store cannot do it, and how narrow operands become floats and results narrow. After blas.cl, activation.cl.
 *
 *   -D FROM=f32, TO=f16      types of storage of in, and of out and bias; the same place may be both
 *   -D ACTIVATION=   a function of activation.cl
 *
 * in (i,j) at in[in_first + i·in_pitch + j], out likewise: matrices of matrix_rows rows one below the other, of each
 * of which the named part is made, 0: all, 1: its lower triangle, 2: its upper one. Bias as in blas.cl.
 * Work-item (u, v): columns from u·RUN, rows from v·per.
 */
#ifdef WALK_CPU
#define RUN 1024
#else
#define RUN 1
#endif
#define FROM_T CAT(FROM, _t)
#define TO_T CAT(TO, _t)

__kernel void finish_all(__global const FROM_T *in_, ulong in_first, ulong in_pitch_, __global TO_T *out_,
                         ulong out_first, ulong out_pitch_, ulong rows_, ulong columns_, ulong per_,
                         __global const TO_T *bias_, ulong bias_first, uint bias_along_, ulong matrix_rows_,
                         uint part_) {
  __global const FROM_T *in = in_ + in_first;
  __global TO_T *out = out_ + out_first;
  __global const TO_T *bias = bias_ + bias_first;
  const ulong in_pitch = in_pitch_, out_pitch = out_pitch_, per = per_, columns = columns_;
  const ulong matrix_rows = matrix_rows_;
  const uint bias_along = bias_along_, part = part_;
  const ulong begin = get_global_id(0) * RUN, end = min(begin + RUN, columns);
  const ulong first = get_global_id(1) * per, last = min(first + per, rows_);
  for (ulong i = first; i < last; i++) {
    const ulong row = part || bias_along == BIAS_ROWS ? i % matrix_rows : i;
    const ulong from = part == PART_UPPER ? max(begin, row) : begin, to = part == PART_LOWER ? min(end, row + 1) : end;
    for (ulong j = from; j < to; j += W) {
      const uint n = (uint)min((ulong)W, to - j);
      real x = LOAD(FROM, in, i * in_pitch + j, n);
      if (bias_along == BIAS_COLUMNS) x += bias_term(LOAD(TO, bias, j, n));
      if (bias_along == BIAS_ROWS) x += bias_term((real)LOAD_ONE(TO, bias, row));
      x = ACTIVATION(x);
      STORE(TO, x, out, i * out_pitch + j, n);
    }
  }
}
