/* histogram.cl: elements into bins, every run of elements into counters of its own, which are then added up.
 *
 *   -D X_T=f32 -D SINGLE   storage of the input
 *
 * edges: the least value of each bin in the type that is compared in, where it has one: of the first `reached`. CPU
 * walk: a work-item takes a long run; GPU walk: every runs-th element, so that neighbours take neighbouring ones.
 */
#ifdef WALK_CPU
#define COUNTER(bin) counters[run * bins + (bin)]
#define FOR_ELEMENTS for (ulong i = run * each, end = min(run * each + each, n); i < end; i++)
#else
#define COUNTER(bin) counters[(bin) * runs + run]
#define FOR_ELEMENTS for (ulong i = run; i < n; i += runs)
#endif

__kernel void histogram(__global const CAT(X_T, _t) *x, const ulong x_first_, const ulong n_, const ulong runs_,
                        const ulong each_, __global const SCALAR *edges, const ulong bins_, const ulong reached_,
                        const SCALAR high_, __global ulong *counters) {
  const ulong x_first = x_first_, n = n_, runs = runs_, each = each_, bins = bins_, reached = reached_;
  const ulong run = get_global_id(0);
  const SCALAR high = high_;
  if (run >= runs) return;
  for (ulong b = 0; b < bins; b++) COUNTER(b) = 0;
  const SCALAR least = edges[0];
  FOR_ELEMENTS {
    const SCALAR v = CAT(load_, X_T)(x, x_first + i);
    if (!(v >= least && v <= high)) continue;
    ulong from = 0, to = reached;
    while (to - from > 1) {
      const ulong middle = (from + to) / 2;
      if (edges[middle] <= v) from = middle;
      else to = middle;
    }
    COUNTER(from)++;
  }
}

__kernel void histogram_add(__global const ulong *counters, const ulong runs_, const ulong bins_, __global long *counts,
                            const ulong counts_first_) {
  const ulong runs = runs_, bins = bins_, counts_first = counts_first_, bin = get_global_id(0);
  if (bin >= bins) return;
  ulong sum = 0;
  for (ulong run = 0; run < runs; run++) sum += COUNTER(bin);
  counts[counts_first + bin] = (long)sum;
}
