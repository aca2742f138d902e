/* compact.cl: kept elements without gaps.
 *
 *   -D ELEMENT=uint   the unsigned integer of the element's size
 *
 * A work-item takes a run of `each` elements, long in the CPU walk and short in the GPU walk. compact_count leaves
 * how many each run keeps, and a 0 behind the last; a scan makes that where each run's begin, and the number of all;
 * compact_place puts them there.
 */
__kernel void compact_count(__global const uchar *mask, const ulong mask_first_, const ulong n_, const ulong each_,
                            const ulong runs_, __global long *counts) {
  const ulong mask_first = mask_first_, n = n_, each = each_, runs = runs_, run = get_global_id(0);
  if (run > runs) return;
  const ulong begin = min(run * each, n), end = run == runs ? begin : min(begin + each, n);
  long kept = 0;
  for (ulong i = begin; i < end; i++) kept += mask[mask_first + i] != 0;
  counts[run] = kept;
}

__kernel void compact_place(__global const ELEMENT *x, const ulong x_first_, __global const uchar *mask,
                            const ulong mask_first_, const ulong n_, const ulong each_, const ulong runs_,
                            __global const long *counts, __global ELEMENT *out, const ulong out_first_,
                            const ulong room_, __global long *count, const ulong count_first_) {
  const ulong x_first = x_first_, mask_first = mask_first_, n = n_, each = each_, runs = runs_;
  const ulong out_first = out_first_, room = room_, count_first = count_first_, run = get_global_id(0);
  if (run >= runs) return;
  const ulong begin = run * each, end = min(begin + each, n);
  ulong to = (ulong)counts[run];
  for (ulong i = begin; i < end; i++)
    if (mask[mask_first + i]) {
      if (to < room) out[out_first + to] = x[x_first + i];
      to++;
    }
  if (run == 0) count[count_first] = counts[runs];
}
