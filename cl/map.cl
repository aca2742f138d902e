/* map.cl: out[i] = f(x[i]) or f(x[i], y[…]), for any operation of map_ops.cl.
 *
 *   -D OP=map_exp -D X_T=f32 -D OUT_T=f32  operation, storage of input and output
 *   -D Y_EACH | Y_ROW | Y_ONE | Y_VALUE    binary operations: y has an element for each of x's; for each column; one;
 *                                          is an argument
 *
 * n elements from *_first on, in elements. y has x's storage. out may be x or y itself: an element is read before it is
 * written.
 *
 * CPU walk: a work-item takes n_each consecutive elements, W at a time. GPU walk: a work-group takes n_each times its
 * size, its work-items neighbouring elements.
 */
typedef CAT(X_T, _t) stored_x;
typedef CAT(OUT_T, _t) stored_out;

#if defined(Y_EACH) || defined(Y_ROW) || defined(Y_ONE)
#define Y_ARGUMENTS , __global const stored_x *y, const ulong y_first, const ulong columns
#elif defined(Y_VALUE)
#define Y_ARGUMENTS , const SCALAR y_value
#else
#define Y_ARGUMENTS
#endif

/* What stays the same over a run, and the operation on elements from i on, of which c is the first one's column. */
#if defined(Y_EACH)
#define PREPARE
#define APPLY(x) OP(x, READ(X_T, y, y_first + i))
#elif defined(Y_ROW)
#define PREPARE
#define APPLY(x) OP(x, CAT(CAT(load_, X_T), _ring)(y, y_first, c, columns))
#elif defined(Y_ONE)
#define PREPARE const real y_all = CAT(CAT(load_, X_T), _ring)(y, y_first, 0, 1);
#define APPLY(x) OP(x, y_all)
#elif defined(Y_VALUE)
#define PREPARE const real y_all = (real)y_value;
#define APPLY(x) OP(x, y_all)
#else
#define PREPARE
#define APPLY(x) OP(x)
#endif

#ifdef WALK_CPU
/* W elements, or the last few of a run. */
#define READ(T, p, i) (rest < W ? CAT(CAT(load_, T), _part)(p, i, (uint)rest) : CAT(load_, T)(p, i))
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void map(
    __global const stored_x *x, const ulong x_first, __global stored_out *out, const ulong out_first, const ulong n,
    const ulong n_each Y_ARGUMENTS) {
  const ulong begin = get_global_id(0) * n_each, end = min(begin + n_each, n);
  PREPARE
#ifdef Y_ROW
  const ulong jump = W % columns;
  ulong c = begin % columns;
#endif
  for (ulong i = begin; i < end; i += W) {
    const ulong rest = end - i;
    const real value = APPLY(READ(X_T, x, x_first + i));
    if (rest < W) CAT(CAT(store_, OUT_T), _part)(value, out, out_first + i, (uint)rest);
    else CAT(store_, OUT_T)(value, out, out_first + i);
#ifdef Y_ROW
    c += jump;
    c -= c >= columns ? columns : 0;
#endif
  }
}
#else
#define READ(T, p, i) CAT(load_, T)(p, i)
__kernel void map(__global const stored_x *x, const ulong x_first, __global stored_out *out, const ulong out_first,
                  const ulong n, const ulong n_each Y_ARGUMENTS) {
  const ulong begin = get_group_id(0) * get_local_size(0) * n_each + get_local_id(0);
  PREPARE
  for (uint k = 0; k < n_each; k++) {
    const ulong i = begin + k * get_local_size(0);
    if (i < n) {
#ifdef Y_ROW
      const ulong c = (i | columns) >> 32 ? i % columns : (uint)i % (uint)columns;
#endif
      CAT(store_, OUT_T)(APPLY(READ(X_T, x, x_first + i)), out, out_first + i);
    }
  }
}
#endif
