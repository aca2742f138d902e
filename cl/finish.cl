/* finish.cl: out = activation(in + bias), element by element, between types of storage: what follows a product where
 * its own store cannot do it, and how narrow operands become floats and results narrow. After blas.cl, activation.cl.
 *
 *   -D FROM=f32, TO=f16      types of storage of in, and of out and bias; the same place may be both
 *   -D ACTIVATION=   a function of activation.cl
 *
 * in (i,j) at in[in_first + i·in_pitch + j], out likewise; bias as in blas.cl, of a row that is i modulo bias_rows.
 * Work-item (u, v): columns from u·RUN, rows from v·per.
 */
#ifdef WALK_CPU
#define RUN 1024
#define PART(operation, T) CAT(CAT(operation, T), _part)
#define LOAD(T, p, i, n) ((n) == W ? CAT(load_, T)(p, i) : PART(load_, T)(p, i, n))
#define STORE(T, x, p, i, n) \
  if ((n) == W) CAT(store_, T)(x, p, i); \
  else PART(store_, T)(x, p, i, n)
#define LOAD_ONE(T, p, i) ((real)(PART(load_, T)(p, i, 1).s0))
#else
#define RUN 1
#define LOAD(T, p, i, n) CAT(load_, T)(p, i)
#define STORE(T, x, p, i, n) CAT(store_, T)(x, p, i)
#define LOAD_ONE(T, p, i) CAT(load_, T)(p, i)
#endif
#define FROM_T CAT(FROM, _t)
#define TO_T CAT(TO, _t)

__kernel void finish_all(__global const FROM_T *in_, ulong in_first, ulong in_pitch_, __global TO_T *out_,
                         ulong out_first, ulong out_pitch_, ulong rows_, ulong columns_, ulong per_,
                         __global const TO_T *bias_, ulong bias_first, uint bias_along_, ulong bias_rows_) {
  __global const FROM_T *in = in_ + in_first;
  __global TO_T *out = out_ + out_first;
  __global const TO_T *bias = bias_ + bias_first;
  const ulong in_pitch = in_pitch_, out_pitch = out_pitch_, per = per_, columns = columns_, bias_rows = bias_rows_;
  const uint bias_along = bias_along_;
  const ulong begin = get_global_id(0) * RUN, end = min(begin + RUN, columns);
  const ulong first = get_global_id(1) * per, last = min(first + per, rows_);
  for (ulong i = first; i < last; i++) {
    for (ulong j = begin; j < end; j += W) {
      const uint n = (uint)min((ulong)W, end - j);
      real x = LOAD(FROM, in, i * in_pitch + j, n);
      if (bias_along == BIAS_COLUMNS) x += bias_term(LOAD(TO, bias, j, n));
      if (bias_along == BIAS_ROWS) x += bias_term(LOAD_ONE(TO, bias, i % bias_rows));
      x = ACTIVATION(x);
      STORE(TO, x, out, i * out_pitch + j, n);
    }
  }
}
