/* The launches of one axis: passes shared out among them, or a convolution between two transforms. */
#include "fft/exact.h"

#include "fft/lines.h"
#include "fft/plan.h"
#include "runtime/program.h"
#include "runtime/scratch.h"

enum {
  LANES = 8,           /* of the CPU walk, as in cl/fft_radix.cl */
  ITEMS_PER_UNIT = 4,  /* of the CPU walk, each with rooms of its own */
  GROUP = 256,         /* work-items of the GPU walk … */
  GROUP_POINTS = 1024, /* … and elements that it does at once, about */
  POINT_BYTES = 16,    /* of local memory, for each … */
  PLACE_BYTES = 20,    /* … and for where each of BESIDE columns begins */
  MOST_POINTS = 4096,  /* … so many at most: CPUs have more than pays */
  LEAST_BESIDE = 4,    /* columns of a group where they are parts: 32 bytes of memory side by side */
  BESIDE = 16,         /* … and as many as there is room for, up to this: as in cl/fft_group.cl */
  CPU_LOT = 2 << 20,   /* bytes of lines that several launches do, one after another, before others: caches keep them */
  GPU_LOT = 64 << 20,  /* … and so that memory for them is bounded */
  CHIRP_SHARE = 1024   /* elements of a work-item of the CPU walk */
};

enum { SWAP_IN = 1, SWAP_OUT = 2 }; /* as in cl/fft_radix.cl */

static size_t local_points(const cliv_context *ctx) {
  const cl_ulong bytes = ctx->facts.local_memory;
  const size_t points = bytes > BESIDE * PLACE_BYTES ? (size_t)(bytes - BESIDE * PLACE_BYTES) / POINT_BYTES : 0;
  return points < MOST_POINTS ? points : MOST_POINTS;
}

static int share_out(const cliv_context *ctx, const cliv__fft_plan *plan, cl_ulong transforms,
                     cliv__fft_launch launch[CLIV__FFT_LAUNCHES]) {
  if (ctx->walk == CLIV_WALK_CPU)
    return cliv__fft_cut(plan, transforms < (cl_ulong)LANES * ctx->facts.compute_units, launch);
  const size_t points = local_points(ctx);
  return cliv__fft_share(plan, plan->length <= points ? points : points / LEAST_BESIDE, 1, launch);
}

static cliv_status columns_kernel(cliv_context *ctx, cl_kernel *out) {
  return cliv__kernel(
      ctx, ctx->walk == CLIV_WALK_CPU ? "fft_radix.cl fft_vector.cl fft_lanes.cl" : "fft_radix.cl fft_group.cl", "",
      "fft_columns", out);
}

/* What the walks need beside the places: rooms, how many columns at once, how powers of w lie. */
typedef struct shape {
  cliv__range range;
  cliv__arg room, share;
  cl_mem table;
  cl_ulong together;
  cl_mem rooms;
  cl_ulong tiles;
  cl_uint width;
} shape;

static cliv_status divide_cpu(cliv_context *ctx, cl_ulong columns, size_t length, shape *s) {
  const cl_ulong tiles = cliv__div_up(columns, LANES), items = (cl_ulong)ctx->facts.compute_units * ITEMS_PER_UNIT;
  s->tiles = cliv__div_up(tiles, items ? items : 1);
  s->range = RANGE1(cliv__div_up(tiles, s->tiles), 1);
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FFT_ROOMS, s->range.global[0] * 4 * LANES * length * sizeof(float), &s->rooms));
  s->room = ARG(s->rooms);
  s->share = ARG(s->tiles);
  return CLIV_OK;
}

static void divide_gpu(const cliv_context *ctx, cl_ulong columns, size_t length, bool whole, shape *s) {
  size_t width = whole ? GROUP_POINTS / length : BESIDE;
  if (width * length > local_points(ctx)) width = local_points(ctx) / length;
  if (width > columns) width = columns;
  s->width = width ? (cl_uint)width : 1;
  const size_t group = cliv__group(ctx, GROUP);
  s->range = RANGE1(cliv__div_up(columns, s->width) * group, group);
  s->room = LOCAL(POINT_BYTES * length * s->width + BESIDE * PLACE_BYTES);
  s->share = ARG(s->width);
}

static cliv_status turns_in_tiles(cliv_context *ctx, const cliv__fft_plan *plan, const cliv__fft_launch *l, shape *s) {
  const cliv__fft_plan *tiles;
  TRY(cliv__fft_find(ctx, plan->length, CLIV__FFT_TILES, false, &tiles));
  s->table = tiles->table;
  s->together = cliv__fft_together(l);
  return CLIV_OK;
}

static cliv_status launch_columns(cliv_context *ctx, const cliv__fft_plan *plan, const cliv__fft_launch *l,
                                  const cliv__fft_axis *a, cl_uint swap, cliv__fft_order *o) {
  cl_kernel kernel;
  TRY(columns_kernel(ctx, &kernel));
  const cl_uint length = (cl_uint)l->length, last = a->last;
  const cl_ulong before = l->before, apart = plan->length / l->length / l->before, table = l->table;
  const cl_ulong columns = a->outer * a->inner * before * apart;
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  shape s = {.width = 1, .table = plan->table};
  if (cpu) TRY(divide_cpu(ctx, columns, l->length, &s));
  else divide_gpu(ctx, columns, l->length, before * apart * a->inner == 1, &s);
  if (cpu && l->length < plan->length) TRY(turns_in_tiles(ctx, plan, l, &s));
  const cliv_sync sync = cliv__fft_next(o);
  const cliv__arg args[] = {ARG(a->x.mem), ARG(a->x.first), ARG(a->y.mem),   ARG(a->y.first), ARG(s.table),
                            ARG(table),    ARG(length),     ARG(l->radices), ARG(before),     ARG(apart),
                            ARG(a->inner), ARG(columns),    ARG(swap),       ARG(last),       ARG(a->scale),
                            s.room,        s.share,         ARG(s.together)};
  enum { ALL = sizeof args / sizeof *args, OF_CPU = 1 };
  return cliv__launch(ctx, kernel, s.range, &sync, args, cpu ? ALL : ALL - OF_CPU);
}

static cl_ulong lot_of(const cliv_context *ctx, cl_ulong lines, cl_ulong bytes) {
  return cliv__fft_lot(ctx, lines, bytes, ctx->walk == CLIV_WALK_CPU ? CPU_LOT : GPU_LOT);
}

/* Between launches numbers are in scratch memory, in two buffers by turns. */
static cliv_status run_launches(cliv_context *ctx, const cliv__fft_plan *plan, const cliv__fft_launch *launch,
                                int count, const cliv__fft_axis *a, cliv__fft_order *o) {
  const size_t bytes = (size_t)(a->outer * a->length * a->inner) * sizeof(cl_float2);
  cliv__fft_place from = a->x;
  for (int i = 0; i < count; i++) {
    const bool end = i + 1 == count;
    cliv__fft_axis part = *a;
    part.x = from;
    part.last = a->last && end;
    part.y = end ? a->y : (cliv__fft_place){0};
    if (!end) TRY(cliv__scratch(ctx, i % 2 ? CLIV__SCRATCH_FFT_B : CLIV__SCRATCH_FFT_A, bytes, &part.y.mem));
    const cl_uint swap = !a->inverse ? 0 : (i == 0 ? SWAP_IN : 0u) | (end ? SWAP_OUT : 0u);
    TRY(launch_columns(ctx, plan, &launch[i], &part, swap, o));
    from = part.y;
  }
  return CLIV_OK;
}

/* What several launches do, they do by lots. */
static cliv_status run_direct(cliv_context *ctx, const cliv__fft_plan *plan, const cliv__fft_axis *a,
                              const cliv_sync *sync) {
  cliv__fft_launch launch[CLIV__FFT_LAUNCHES];
  const int count = share_out(ctx, plan, a->outer * a->inner, launch);
  const cl_ulong numbers = a->length * a->inner;
  const cl_ulong lot = count == 1 ? a->outer : lot_of(ctx, a->outer, numbers * sizeof(cl_float2));
  cliv__fft_order o = {sync, 0, (size_t)(cliv__div_up(a->outer, lot) * (cl_ulong)count)};
  for (cl_ulong first = 0; first < a->outer; first += lot) {
    cliv__fft_axis part = *a;
    part.outer = a->outer - first < lot ? a->outer - first : lot;
    part.x.first += 2 * first * numbers;
    part.y.first += 2 * first * numbers;
    TRY(run_launches(ctx, plan, launch, count, &part, &o));
  }
  return CLIV_OK;
}

/* ---- other lengths ---- */

typedef struct chirp {
  const cliv__fft_plan *plan, *inner;
  cliv__fft_launch launch[CLIV__FFT_LAUNCHES];
  int count;
  cl_ulong lines; /* at once */
  cl_mem z;
} chirp;

static cliv_status chirp_kernel(cliv_context *ctx, const char *entry, cl_kernel *out) {
  return cliv__kernel(ctx, "fft_radix.cl fft_chirp.cl", "", entry, out);
}

static cliv_status run_lot(cliv_context *ctx, const chirp *c, const cliv__fft_axis *a, cl_ulong first, cl_ulong lines,
                           cliv__fft_order *o) {
  const cl_ulong n = c->plan->length, m = c->plan->whole, count_m = lines * m, count_n = lines * n;
  const cl_uint swap = a->inverse, last = a->last;
  cl_kernel in, filter, out;
  TRY(chirp_kernel(ctx, "fft_chirp_in", &in));
  TRY(chirp_kernel(ctx, "fft_filter", &filter));
  TRY(chirp_kernel(ctx, "fft_chirp_out", &out));
  cl_ulong share;
  cliv__range range = cliv__fft_deal(ctx, count_m, CHIRP_SHARE, GROUP, &share);
  cliv_sync sync = cliv__fft_next(o);
  TRY(LAUNCH(ctx, in, range, &sync, ARG(a->x.mem), ARG(a->x.first), ARG(c->z), ARG(c->plan->chirp), ARG(count_m),
             ARG(n), ARG(m), ARG(first), ARG(a->inner), ARG(share), ARG(swap)));
  const cliv__fft_place z = {c->z, 0};
  const cliv__fft_axis whole = {.x = z, .y = z, .outer = lines, .length = m, .inner = 1, .scale = 1};
  TRY(run_launches(ctx, c->inner, c->launch, c->count, &whole, o));
  sync = cliv__fft_next(o);
  TRY(LAUNCH(ctx, filter, range, &sync, ARG(c->z), ARG(c->plan->filter), ARG(count_m), ARG(m), ARG(share)));
  TRY(run_launches(ctx, c->inner, c->launch, c->count, &whole, o));
  range = cliv__fft_deal(ctx, count_n, CHIRP_SHARE, GROUP, &share);
  sync = cliv__fft_next(o);
  return LAUNCH(ctx, out, range, &sync, ARG(c->z), ARG(c->plan->chirp), ARG(a->y.mem), ARG(a->y.first), ARG(count_n),
                ARG(n), ARG(m), ARG(first), ARG(a->inner), ARG(share), ARG(swap), ARG(last), ARG(a->scale));
}

static cliv_status run_chirp(cliv_context *ctx, const cliv__fft_plan *plan, const cliv__fft_axis *a,
                             const cliv_sync *sync) {
  chirp c = {.plan = plan};
  const cl_ulong total = a->outer * a->inner, line_bytes = plan->whole * sizeof(cl_float2);
  c.lines = lot_of(ctx, total, line_bytes);
  TRY(cliv__fft_plan_of(ctx, plan->whole, &c.inner));
  c.count = share_out(ctx, c.inner, c.lines, c.launch);
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FFT_CHIRP, (size_t)(c.lines * line_bytes), &c.z));
  cliv__fft_order o = {sync, 0, (size_t)cliv__div_up(total, c.lines) * (3 + 2 * (size_t)c.count)};
  for (cl_ulong first = 0; first < total; first += c.lines)
    TRY(run_lot(ctx, &c, a, first, total - first < c.lines ? total - first : c.lines, &o));
  return CLIV_OK;
}

cliv_status cliv__fft_exact(cliv_context *ctx, const cliv__fft_axis *axis, const cliv_sync *sync) {
  const cliv__fft_plan *plan;
  if (axis->wide) return cliv__fft_wide(ctx, axis, sync);
  TRY(cliv__fft_plan_of(ctx, axis->length, &plan));
  bool done;
  TRY(cliv__fft_lines(ctx, plan, axis, sync, &done));
  if (done) return CLIV_OK;
  return (plan->whole ? run_chirp : run_direct)(ctx, plan, axis, sync);
}
