/* gemm_pack.cl: copies of A and B in the order in which the CPU walk of gemm.cl reads them, so that it runs through memory
 * without jumps (with a pitch that is a power of two all rows of a tile would fall on the same cache lines).
 *
 *   -D PACK_ROWS         rows as they are, at another pitch: to[i·to_step + k] = from[i·pitch + k]
 *   -D PACK_COLUMNS      panels of WIDTH columns: to[p·to_step + k·WIDTH + l] = from[k·pitch + p·WIDTH + l]
 *   -D PACK_TRANSPOSED   the same of the transpose (WIDTH = W): to[p·to_step + k·WIDTH + l] = from[(p·WIDTH + l)·pitch + k]
 *
 * `count` rows or columns of `depth` values of k each. The last panel is filled up with zeros. Work-item (u, v) does units
 * u·per … of rows or panels, values v·RUN … of k.
 */
#define RUN 256

#if defined(PACK_ROWS)

void pack_unit(__global const SCALAR *from, ulong pitch, __global SCALAR *to, ulong to_step, ulong count, ulong unit,
               ulong begin, ulong end) {
  __global const SCALAR *source = from + unit * pitch;
  __global SCALAR *target = to + unit * to_step;
  ulong k = begin;
  for (; k + W <= end; k += W) STORE_W(LOAD_W(source, k), target, k);
  for (; k < end; k++) target[k] = source[k];
}
#define UNITS count

#elif defined(PACK_COLUMNS)

void pack_unit(__global const SCALAR *from, ulong pitch, __global SCALAR *to, ulong to_step, ulong count, ulong unit,
               ulong begin, ulong end) {
  const uint lanes = (uint)min((ulong)WIDTH, count - unit * WIDTH);
  __global const SCALAR *source = from + unit * WIDTH;
  __global SCALAR *target = to + unit * to_step;
  if (lanes == WIDTH) {
    for (ulong k = begin; k < end; k++) CAT(vstore, WIDTH)(CAT(vload, WIDTH)(0, source + k * pitch), 0, target + k * WIDTH);
  } else {
    for (ulong k = begin; k < end; k++)
      for (uint l = 0; l < WIDTH; l++) target[k * WIDTH + l] = l < lanes ? source[k * pitch + l] : (SCALAR)0;
  }
}
#define UNITS ((count + WIDTH - 1) / WIDTH)

#else

void pack_unit(__global const SCALAR *from, ulong pitch, __global SCALAR *to, ulong to_step, ulong count, ulong unit,
               ulong begin, ulong end) {
  const uint lanes = (uint)min((ulong)W, count - unit * W);
  __global const SCALAR *source = from + unit * W * pitch;
  __global SCALAR *target = to + unit * to_step;
  ulong k = begin;
  if (lanes == W) {
    for (; k + W <= end; k += W) {
      real x[W], y[W];
#pragma unroll
      for (uint l = 0; l < W; l++) x[l] = LOAD_W(source + l * pitch, k);
      TRANSPOSE(x, y)
#pragma unroll
      for (uint l = 0; l < W; l++) STORE_W(x[l], target, (k + l) * W);
    }
  }
  for (; k < end; k++)
    for (uint l = 0; l < W; l++) target[k * W + l] = l < lanes ? source[l * pitch + k] : (SCALAR)0;
}
#define UNITS ((count + W - 1) / W)

#endif

__kernel void pack(__global const SCALAR *from_, ulong from_first, ulong pitch_, __global SCALAR *to_, ulong to_step_,
                   ulong count_, ulong depth_, ulong per_) {
  const ulong pitch = pitch_, to_step = to_step_, count = count_, depth = depth_, per = per_;
  __global const SCALAR *from = from_ + from_first;
  const ulong begin = get_global_id(1) * RUN, end = min(begin + RUN, depth);
  const ulong last = min((get_global_id(0) + 1) * per, (ulong)UNITS);
  for (ulong unit = get_global_id(0) * per; unit < last; unit++) pack_unit(from, pitch, to_, to_step, count, unit, begin, end);
}
