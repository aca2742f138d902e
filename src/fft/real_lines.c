/* Launches of cl/fft_real_lines.cl. */
#include "fft/lines.h"
#include "fft/plan.h"
#include "fft/real.h"
#include "runtime/program.h"
#include "runtime/scratch.h"

#define LINES "fft_radix.cl fft_vector.cl fft_line.cl fft_line_ends.cl fft_real_lines.cl"

static cliv_status launch(cliv_context *ctx, const cliv__fft_plan *plan, const cliv__fft_axis *a,
                          const cliv__fft_cosines *cosines, const cliv_sync *sync) {
  static const char *const options[2][2] = {{"", "-D INVERSE"}, {"-D COSINES", "-D COSINES -D INVERSE"}};
  const cliv__fft_plan *turns, *quarters = plan;
  cl_kernel kernel;
  cl_mem room;
  TRY(cliv__fft_find(ctx, a->length, CLIV__FFT_TURNS, false, &turns));
  if (cosines) TRY(cliv__fft_find(ctx, a->length, CLIV__FFT_QUARTERS, false, &quarters));
  TRY(cliv__kernel(ctx, LINES, options[cosines != NULL][a->inverse], "fft_real_lines", &kernel));
  const cliv__fft_middle m = cliv__fft_middle_of(plan);
  const cl_uint h = (cl_uint)plan->length, last = a->last, sine = cosines && cosines->sine;
  const cl_float scale = a->last ? a->scale : 1, first = cosines ? (cl_float)cosines->first : 0,
                 rest = cosines ? (cl_float)cosines->rest : 0;
  cl_ulong share;
  const cliv__range range = cliv__fft_share_lines(ctx, a->outer, &share);
  const size_t numbers = range.global[0] * 3 * (plan->length + 8);
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FFT_ROOMS, numbers * sizeof(cl_float2), &room));
  const cliv__arg args[] = {
      ARG(a->x.mem), ARG(a->x.first), ARG(a->y.mem), ARG(a->y.first), ARG(plan->table),  ARG(plan->places),
      ARG(room),     ARG(h),          ARG(m.near),   ARG(m.size),     ARG(m.far),        ARG(m.end),
      ARG(a->outer), ARG(share),      ARG(scale),    ARG(last),       ARG(turns->table), ARG(quarters->table),
      ARG(first),    ARG(rest),       ARG(sine)};
  enum { ALL = sizeof args / sizeof *args, OF_COSINES = 4 };
  return cliv__launch(ctx, kernel, range, sync, args, cosines ? ALL : ALL - OF_COSINES);
}

cliv_status cliv__fft_real_lines(cliv_context *ctx, const cliv__fft_axis *a, const cliv__fft_cosines *cosines,
                                 const cliv_sync *sync, bool *done) {
  const cliv__fft_plan *plan;
  *done = false;
  if (a->wide || a->length % 2 || !cliv__fft_by_lines(ctx, a, a->length / 2)) return CLIV_OK;
  TRY(cliv__fft_plan_of(ctx, a->length / 2, &plan));
  if (!plan->places) return CLIV_OK;
  *done = true;
  return launch(ctx, plan, a, cosines, sync);
}
