/* gemm_pack.cl: copies of A and B in the order in which the CPU walk of gemm.cl reads them, so that it runs through
 * memory without jumps (with a pitch that is a power of two all rows of a tile would fall on the same cache lines).
 *
 * A panel is WIDTH rows of A (6) or columns of B (W), k by k: panel p at to[p·to_step + k·WIDTH + l].
 *
 *   -D PACK_COLUMNS      from[k·pitch + p·WIDTH + l]: columns of B as it is, rows of A transposed
 *   -D PACK_ROWS         from[(p·WIDTH + l)·pitch + k]: columns of B transposed, rows of A as it is
 *
 * `count` rows or columns of `depth` values of k each. The last panel is filled up with zeros. Work-item (u, v) does
 * panels from u·per, values of k from v·RUN.
 */
#define RUN 256

#ifdef PACK_COLUMNS

#if WIDTH == W
#define COPY(p, q) STORE_W(LOAD_W(p, 0), q, 0)
#else
#define COPY(p, q) vstore4(vload4(0, p), 0, q), vstore2(vload2(0, (p) + 4), 0, (q) + 4)
#endif

void pack_panel(__global const SCALAR *from, ulong pitch, __global SCALAR *to, ulong to_step, ulong count, ulong panel,
                ulong begin, ulong end) {
  const uint lanes = (uint)min((ulong)WIDTH, count - panel * WIDTH);
  __global const SCALAR *source = from + panel * WIDTH;
  __global SCALAR *target = to + panel * to_step;
  if (lanes == WIDTH) {
    for (ulong k = begin; k < end; k++) COPY(source + k * pitch, target + k * WIDTH);
  } else {
    for (ulong k = begin; k < end; k++)
      for (uint l = 0; l < WIDTH; l++) target[k * WIDTH + l] = l < lanes ? source[k * pitch + l] : (SCALAR)0;
  }
}

#else

void pack_panel(__global const SCALAR *from, ulong pitch, __global SCALAR *to, ulong to_step, ulong count, ulong panel,
                ulong begin, ulong end) {
  const uint lanes = (uint)min((ulong)WIDTH, count - panel * WIDTH);
  __global const SCALAR *source = from + panel * WIDTH * pitch;
  __global SCALAR *target = to + panel * to_step;
  ulong k = begin;
#if WIDTH == W
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
#else
  if (lanes == WIDTH) {
    for (; k < end; k++) {
#pragma unroll
      for (uint l = 0; l < WIDTH; l++) target[k * WIDTH + l] = source[l * pitch + k];
    }
  }
#endif
  for (; k < end; k++)
    for (uint l = 0; l < WIDTH; l++) target[k * WIDTH + l] = l < lanes ? source[l * pitch + k] : (SCALAR)0;
}

#endif

__kernel void pack(__global const SCALAR *from_, ulong from_first, ulong pitch_, __global SCALAR *to_, ulong to_step_,
                   ulong count_, ulong depth_, ulong per_) {
  const ulong pitch = pitch_, to_step = to_step_, count = count_, depth = depth_, per = per_;
  __global const SCALAR *from = from_ + from_first;
  const ulong begin = get_global_id(1) * RUN, end = min(begin + RUN, depth);
  const ulong last = min((get_global_id(0) + 1) * per, (count + WIDTH - 1) / WIDTH);
  for (ulong panel = get_global_id(0) * per; panel < last; panel++)
    pack_panel(from, pitch, to_, to_step, count, panel, begin, end);
}
