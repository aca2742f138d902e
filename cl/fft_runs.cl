/* fft_runs.cl: a work-item's elements, from begin to before end, by runs along the last axis of up to eight.
 *
 *   FOR_EACH_RUN { … RUN_UP_TO(elements up to the axis' end) … }   element i and the next run-1 of its line
 *
 * In the GPU walk they are one element, and no loop: over one, compilers for AMD's GPUs keep the numbers of all axes in
 * registers, which are not enough.
 */
#ifdef WALK_CPU
#define FOR_EACH_RUN for (ulong i = begin, run; i < end; i += run)
#define RUN_UP_TO(most) run = min(end - i, most);
#else
#define FOR_EACH_RUN    \
  const ulong i = begin; \
  if (i < end)
#define RUN_UP_TO(most) const ulong run = 1;
#endif
