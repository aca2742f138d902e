/* Launches of cl/fft_lines.cl. */
#include "fft/lines.h"

#include "runtime/program.h"
#include "runtime/scratch.h"

enum {
  ITEMS_PER_UNIT = 4, /* each with a room of its own */
  FEW = 256,          /* longer lines than this are shared out where there are fewer than units */
  NEAR_BLOCKS = 512   /* blocks of 64 bytes that the nearest cache keeps from pass to pass */
};

#define LINES "fft_radix.cl fft_vector.cl fft_line.cl fft_line_ends.cl fft_lines.cl"
#define CHIRP_LINES "fft_radix.cl fft_vector.cl fft_line.cl fft_chirp_lines.cl"

cliv__fft_middle cliv__fft_middle_of(const cliv__fft_plan *plan) {
  cliv__fft_middle m = {.size = 1, .end = plan->radix[plan->count - 1]};
  const bool all_near = plan->length / 8 <= NEAR_BLOCKS;
  int near = 0, far = 0;
  for (int p = 1; p + 1 < plan->count; p++) {
    const cl_ulong r = plan->radix[p];
    if (!far && (m.size * r <= NEAR_BLOCKS || all_near)) m.near |= r << (8 * near++), m.size *= (cl_uint)r;
    else m.far |= r << (8 * far++);
  }
  if (all_near) m.size = (cl_uint)plan->length / 8; /* in one part */
  return m;
}

cliv__range cliv__fft_share_lines(const cliv_context *ctx, cl_ulong lines, cl_ulong *share) {
  const cl_ulong items = (cl_ulong)ctx->facts.compute_units * ITEMS_PER_UNIT;
  *share = cliv__div_up(lines, items ? items : 1);
  return RANGE1(cliv__div_up(lines, *share), 1);
}

bool cliv__fft_by_lines(const cliv_context *ctx, const cliv__fft_axis *a, size_t length) {
  const bool few = a->outer < ctx->facts.compute_units && length >= FEW;
  return ctx->walk == CLIV_WALK_CPU && a->inner == 1 && !few;
}

/* inner: the plan of the passes; rooms: how many numbers as many as they do. */
static cliv_status launch(cliv_context *ctx, const cliv__fft_plan *plan, const cliv__fft_plan *inner, size_t rooms,
                          const cliv__fft_axis *a, const cliv_sync *sync) {
  const bool chirp = plan != inner;
  cl_kernel kernel;
  cl_mem room;
  TRY(cliv__kernel(ctx, chirp ? CHIRP_LINES : LINES, a->inverse ? "-D INVERSE" : "",
                   chirp ? "fft_chirp_lines" : "fft_lines", &kernel));
  const cliv__fft_middle m = cliv__fft_middle_of(inner);
  const cl_uint n = (cl_uint)inner->length, length = (cl_uint)plan->length;
  const cl_float scale = a->last ? a->scale : 1;
  cl_ulong share;
  const cliv__range range = cliv__fft_share_lines(ctx, a->outer, &share);
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FFT_ROOMS, range.global[0] * rooms * inner->length * sizeof(cl_float2), &room));
  const cliv__arg args[] = {ARG(a->x.mem),      ARG(a->x.first),   ARG(a->y.mem), ARG(a->y.first), ARG(inner->table),
                            ARG(inner->places), ARG(room),         ARG(n),        ARG(m.near),     ARG(m.size),
                            ARG(m.far),         ARG(m.end),        ARG(a->outer), ARG(share),      ARG(scale),
                            ARG(plan->chirp),   ARG(plan->filter), ARG(length)};
  enum { ALL = sizeof args / sizeof *args, OF_CHIRP = 3 };
  return cliv__launch(ctx, kernel, range, sync, args, chirp ? ALL : ALL - OF_CHIRP);
}

/* Of cl/fft_sixteen.cl. */
static cliv_status launch_sixteen(cliv_context *ctx, const cliv__fft_plan *plan, const cliv__fft_axis *a,
                                  const cliv_sync *sync) {
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "fft_radix.cl fft_vector.cl fft_sixteen.cl", a->inverse ? "-D INVERSE" : "", "fft_sixteen",
                   &kernel));
  const cl_float scale = a->last ? a->scale : 1;
  cl_ulong share;
  const cliv__range range = cliv__fft_share_lines(ctx, a->outer, &share);
  return LAUNCH(ctx, kernel, range, sync, ARG(a->x.mem), ARG(a->x.first), ARG(a->y.mem), ARG(a->y.first),
                ARG(plan->table), ARG(a->outer), ARG(share), ARG(scale));
}

cliv_status cliv__fft_lines(cliv_context *ctx, const cliv__fft_plan *plan, const cliv__fft_axis *a,
                            const cliv_sync *sync, bool *done) {
  *done = false;
  if (!cliv__fft_by_lines(ctx, a, plan->length)) return CLIV_OK;
  if (plan->length == 16) {
    *done = true;
    return launch_sixteen(ctx, plan, a, sync);
  }
  const cliv__fft_plan *inner = plan;
  if (plan->whole) TRY(cliv__fft_plan_of(ctx, plan->whole, &inner));
  if (!inner->places || (plan->whole && inner->length % 64)) return CLIV_OK;
  *done = true;
  return launch(ctx, plan, inner, plan->whole ? 2 : 1, a, sync);
}
