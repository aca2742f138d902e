/* Real numbers as half as many complex ones, where their count is even. */
#include "fft/real.h"

#include "fft/plan.h"
#include "runtime/program.h"
#include "runtime/scratch.h"

enum { GROUP = 256, CPU_SHARE = 1024 };

/* A kernel of cl/fft_real.cl over `count` elements. */
typedef struct stage {
  const char *entry;
  cliv__fft_place x, y;
  cl_ulong count;
  cl_mem turns; /* NULL: the kernel takes none */
  bool scales;
} stage;

static cliv_status run_stage(cliv_context *ctx, const stage *s, const cliv__fft_axis *a, const cliv_sync *sync) {
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "fft_radix.cl fft_real.cl", a->wide ? "-D REAL_F64" : "", s->entry, &kernel));
  cl_ulong share;
  const cliv__range range = cliv__fft_deal(ctx, s->count, CPU_SHARE, GROUP, &share);
  const cl_uint last = a->last;
  cliv__arg args[11] = {ARG(s->x.mem), ARG(s->x.first), ARG(s->y.mem), ARG(s->y.first),
                        ARG(s->count), ARG(a->length),  ARG(a->inner), ARG(share)};
  size_t n = 8;
  if (s->turns) args[n++] = ARG(s->turns);
  if (s->scales) {
    args[n++] = ARG(last);
    args[n++] = a->wide ? ARG(a->wide_scale) : ARG(a->scale);
  }
  return cliv__launch(ctx, kernel, range, sync, args, n);
}

/* Lines that lie beside others are packed first; others are pairs as they are. */
static cliv_status forward(cliv_context *ctx, const cliv__fft_axis *a, cl_ulong points, cl_mem turns, cl_mem room,
                           const cliv_sync *sync) {
  const cliv__fft_place z = {room, 0};
  const cl_ulong lines = a->outer * a->inner;
  cliv__fft_axis whole = *a;
  whole.length = points, whole.last = false, whole.x = a->x, whole.y = z;
  const cliv_sync first = cliv__sync_part(sync, true, false), last = cliv__sync_part(sync, false, true);
  const bool packs = a->inner > 1 || a->length % 2;
  if (packs) {
    const stage pack = {"fft_real_pack", a->x, z, lines * points, NULL, false};
    TRY(run_stage(ctx, &pack, a, &first));
    whole.x = z;
  }
  TRY(cliv__fft_exact(ctx, &whole, packs ? SYNC_NONE : &first));
  const stage split = {"fft_real_split", z, a->y, lines * (a->length / 2 + 1), turns, true};
  return run_stage(ctx, &split, a, &last);
}

static cliv_status inverse(cliv_context *ctx, const cliv__fft_axis *a, cl_ulong points, cl_mem turns, cl_mem room,
                           const cliv_sync *sync) {
  const cliv__fft_place z = {room, 0};
  const cl_ulong lines = a->outer * a->inner;
  const cliv_sync first = cliv__sync_part(sync, true, false), last = cliv__sync_part(sync, false, true);
  const bool unpacks = a->inner > 1 || a->length % 2;
  const stage join = {"fft_real_join", a->x, z, lines * points, turns, false};
  TRY(run_stage(ctx, &join, a, &first));
  cliv__fft_axis whole = *a;
  whole.length = points, whole.x = z, whole.y = unpacks ? z : a->y;
  TRY(cliv__fft_exact(ctx, &whole, unpacks ? SYNC_NONE : &last));
  if (!unpacks) return CLIV_OK;
  const stage unpack = {"fft_real_unpack", z, a->y, lines * a->length, NULL, false};
  return run_stage(ctx, &unpack, a, &last);
}

cliv_status cliv__fft_real(cliv_context *ctx, const cliv__fft_axis *axis, const cliv_sync *sync) {
  bool done;
  TRY(cliv__fft_real_lines(ctx, axis, NULL, sync, &done));
  if (done) return CLIV_OK;
  const cl_ulong points = axis->length % 2 ? axis->length : axis->length / 2;
  const cliv__fft_plan *plan;
  cl_mem room;
  TRY(cliv__fft_find(ctx, axis->length, CLIV__FFT_TURNS, axis->wide, &plan));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FFT_REAL, (size_t)(axis->outer * axis->inner * points) * cliv__fft_pair(axis),
                    &room));
  return (axis->inverse ? inverse : forward)(ctx, axis, points, plan->table, room, sync);
}
