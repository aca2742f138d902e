/* Transforms in double: the definition of cl/fft_radix.cl, a pass a launch. */
#include <stdio.h>
#include <stdlib.h>

#include "fft/exact.h"
#include "fft/plan.h"
#include "runtime/program.h"
#include "runtime/scratch.h"

enum {
  GROUP = 64,
  CPU_SHARE = 256, /* butterflies or numbers of a work-item of the CPU walk */
  LOT = 64 << 20   /* bytes of lines done at once: what scratch memory is bounded by */
};

/* ---- plans ---- */

static cliv_status upload_pairs(cliv_context *ctx, cliv__fft_plan *plan, const double *table, size_t count,
                                cl_mem *out) {
  return cliv__fft_upload(ctx, plan, table, 2 * count * sizeof *table, out);
}

static void fill_turns(size_t n, double *table) {
  for (size_t k = 0; k < n; k++) cliv__fft_turn(k, n, table + 2 * k, table + 2 * k + 1);
}

cliv_status cliv__fft_wide_tables(cliv_context *ctx, cliv__fft_plan *plan) {
  const size_t n = plan->length, m = plan->whole;
  double *const table = calloc(2 * n + 6 * m, sizeof *table);
  REQUIRE(ctx, table != NULL, HOST_MEMORY, "no memory for the tables of a transform of %zu", n);
  cliv_status status;
  if (m) {
    const double *const h = cliv__fft_chirp(plan, table + 2 * n, table);
    status = upload_pairs(ctx, plan, table, n, &plan->chirp);
    if (!status) status = upload_pairs(ctx, plan, h, m, &plan->filter);
  } else {
    fill_turns(n, table);
    status = upload_pairs(ctx, plan, table, n, &plan->table);
  }
  free(table);
  return status;
}

/* ---- launches ---- */

static cliv_status kernel_of(cliv_context *ctx, const char *files, const char *entry, cl_kernel *out) {
  return cliv__kernel(ctx, files, "-D REAL_F64", entry, out);
}

static cliv_status hand_over(cliv_context *ctx, const cliv__fft_axis *a, const cliv__fft_place *from,
                             const cliv__fft_place *to, bool swap_, bool last_, cliv__fft_order *o) {
  cl_kernel kernel;
  cl_ulong share;
  const cl_ulong count = a->outer * a->length * a->inner;
  const cl_uint swap = swap_, last = last_;
  TRY(kernel_of(ctx, "fft_radix.cl fft_wide.cl", "fft_hand_over", &kernel));
  const cliv__range range = cliv__fft_deal(ctx, count, CPU_SHARE, GROUP, &share);
  const cliv_sync sync = cliv__fft_next(o);
  return LAUNCH(ctx, kernel, range, &sync, ARG(from->mem), ARG(from->first), ARG(to->mem), ARG(to->first), ARG(count),
                ARG(share), ARG(swap), ARG(last), ARG(a->wide_scale));
}

/* The forward passes from `from` on, by turns through both rooms; *end: where the result is. */
static cliv_status run_passes(cliv_context *ctx, const cliv__fft_plan *plan, const cliv__fft_axis *a,
                              const cliv__fft_place *from, const cliv__fft_place rooms[2], const cliv__fft_place **end,
                              cliv__fft_order *o) {
  cl_ulong l = 1, share;
  *end = from;
  for (int p = 0; p < plan->count; l *= plan->radix[p++]) {
    const cliv__fft_place *const x = *end, *const y = &rooms[x == &rooms[0]];
    const unsigned radix = plan->radix[p];
    const cl_ulong count = a->outer * a->inner * (a->length / radix);
    char entry[16];
    cl_kernel kernel;
    snprintf(entry, sizeof entry, "fft_pass%u", radix);
    TRY(kernel_of(ctx, "fft_radix.cl fft_wide.cl", entry, &kernel));
    const cliv__range range = cliv__fft_deal(ctx, count, CPU_SHARE, GROUP, &share);
    const cliv_sync sync = cliv__fft_next(o);
    TRY(LAUNCH(ctx, kernel, range, &sync, ARG(x->mem), ARG(x->first), ARG(y->mem), ARG(y->first), ARG(plan->table),
               ARG(count), ARG(a->length), ARG(l), ARG(a->inner), ARG(share)));
    *end = y;
  }
  return CLIV_OK;
}

static cliv_status make_rooms(cliv_context *ctx, size_t bytes, cliv__fft_place rooms[2]) {
  rooms[0] = rooms[1] = (cliv__fft_place){0};
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FFT_A, bytes, &rooms[0].mem));
  return cliv__scratch(ctx, CLIV__SCRATCH_FFT_B, bytes, &rooms[1].mem);
}

static cliv_status run_direct(cliv_context *ctx, const cliv__fft_plan *plan, const cliv__fft_axis *a,
                              cliv__fft_order *o) {
  cliv__fft_place rooms[2];
  const cliv__fft_place *end, *from = &a->x;
  TRY(make_rooms(ctx, (size_t)(a->outer * a->length * a->inner) * cliv__fft_pair(a), rooms));
  if (a->inverse) {
    TRY(hand_over(ctx, a, from, &rooms[1], true, false, o));
    from = &rooms[1];
  }
  TRY(run_passes(ctx, plan, a, from, rooms, &end, o));
  return hand_over(ctx, a, end, &a->y, a->inverse, a->last, o);
}

/* As src/fft/exact.c does it in float32. */
static cliv_status run_chirp(cliv_context *ctx, const cliv__fft_plan *plan, const cliv__fft_plan *inner,
                             const cliv__fft_axis *a, cliv__fft_order *o) {
  const char *const files = "fft_radix.cl fft_chirp.cl";
  const cl_ulong n = plan->length, m = plan->whole, lines = a->outer * a->inner, first = 0;
  const cl_ulong count_m = lines * m, count_n = lines * n;
  const cl_uint swap = a->inverse, last = a->last;
  const cliv__fft_axis whole = {.outer = lines, .length = m, .inner = 1, .wide = true, .wide_scale = 1};
  cliv__fft_place rooms[2];
  const cliv__fft_place *z;
  cl_kernel in, filter, out;
  cl_ulong share;
  TRY(kernel_of(ctx, files, "fft_chirp_in", &in));
  TRY(kernel_of(ctx, files, "fft_filter", &filter));
  TRY(kernel_of(ctx, files, "fft_chirp_out", &out));
  TRY(make_rooms(ctx, (size_t)count_m * cliv__fft_pair(a), rooms));
  cliv__range range = cliv__fft_deal(ctx, count_m, CPU_SHARE, GROUP, &share);
  cliv_sync sync = cliv__fft_next(o);
  TRY(LAUNCH(ctx, in, range, &sync, ARG(a->x.mem), ARG(a->x.first), ARG(rooms[0].mem), ARG(plan->chirp), ARG(count_m),
             ARG(n), ARG(m), ARG(first), ARG(a->inner), ARG(share), ARG(swap)));
  TRY(run_passes(ctx, inner, &whole, &rooms[0], rooms, &z, o));
  sync = cliv__fft_next(o);
  TRY(LAUNCH(ctx, filter, range, &sync, ARG(z->mem), ARG(plan->filter), ARG(count_m), ARG(m), ARG(share)));
  TRY(run_passes(ctx, inner, &whole, z, rooms, &z, o));
  range = cliv__fft_deal(ctx, count_n, CPU_SHARE, GROUP, &share);
  sync = cliv__fft_next(o);
  return LAUNCH(ctx, out, range, &sync, ARG(z->mem), ARG(plan->chirp), ARG(a->y.mem), ARG(a->y.first), ARG(count_n),
                ARG(n), ARG(m), ARG(first), ARG(a->inner), ARG(share), ARG(swap), ARG(last), ARG(a->wide_scale));
}

cliv_status cliv__fft_wide(cliv_context *ctx, const cliv__fft_axis *a, const cliv_sync *sync) {
  const cliv__fft_plan *plan, *inner = NULL;
  TRY(cliv__fft_find(ctx, a->length, CLIV__FFT_TRANSFORM, true, &plan));
  if (plan->whole) TRY(cliv__fft_find(ctx, plan->whole, CLIV__FFT_TRANSFORM, true, &inner));
  const cl_ulong numbers = a->length * a->inner, bytes = (inner ? plan->whole * a->inner : numbers) * cliv__fft_pair(a);
  const cl_ulong lot = cliv__fft_lot(ctx, a->outer, bytes, LOT);
  const size_t launches = inner ? 3 + 2 * (size_t)inner->count : 1 + (size_t)plan->count + a->inverse;
  cliv__fft_order o = {sync, 0, cliv__div_up(a->outer, lot) * launches};
  for (cl_ulong first = 0; first < a->outer; first += lot) {
    cliv__fft_axis part = *a;
    part.outer = a->outer - first < lot ? a->outer - first : lot;
    part.x.first += 2 * first * numbers;
    part.y.first += 2 * first * numbers;
    TRY(inner ? run_chirp(ctx, plan, inner, &part, &o) : run_direct(ctx, plan, &part, &o));
  }
  return CLIV_OK;
}
