/* Products whose k is short, and batches of them, in one launch of cl/gemm_small.cl. CPU walk. */
#include <stdio.h>

#include "blas/epilogue.h"
#include "blas/exact.h"

enum { ROWS = 6 }; /* as in cl/gemm_small.cl */
/* Of a panel of B: half of the nearest cache of most machines. */
enum { PANEL_BYTES = 1 << 14 };
/* Of A: what stays in a core's second cache while panels are multiplied by it. */
enum { NEAR_BYTES = 1 << 18 };
/* Multiply-adds: beyond, copies that all work-items share are worth their launches; of a work-item, where there is more
 * than one matrix; at most, by any wish. */
static const cl_ulong SMALL_WORK = (cl_ulong)1 << 25, ITEM_WORK = 1 << 16, MOST_WORK = (cl_ulong)1 << 32;

static cl_ulong longest(cliv_dtype dtype) { return PANEL_BYTES / (cliv__lanes(dtype) * cliv_dtype_size(dtype)); }

cl_ulong cliv__small_most(const cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *cuts) {
  if (ctx->walk != CLIV_WALK_CPU || g->resumes || cuts->small < 0 || g->k > longest(g->dtype)) return 0;
  const cl_ulong limit = cuts->small > 0 ? MOST_WORK : SMALL_WORK, area = limit / g->k;
  if (g->m > area || g->n > area / g->m) return 0;
  return cliv__most(1, cuts->launch_work / (g->m * g->n * g->k));
}

cliv_status cliv__small_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv_sync *sync) {
  char choices[32];
  snprintf(choices, sizeof choices, "-D K_MOST=%d", (int)longest(g->dtype));
  cl_kernel kernel;
  TRY(cliv__gemm_kernel(ctx, g, "gemm_small.cl", "gemm_small", choices, &kernel));
  const cl_ulong batch = cliv__most(1, g->batch), work = batch * g->m * g->n * g->k;
  const cl_ulong tiles = cliv__div_up(g->m, ROWS), panels = cliv__div_up(g->n, cliv__lanes(g->dtype));
  const cl_ulong near = cliv__most(1, NEAR_BYTES / (ROWS * g->k * cliv_dtype_size(g->dtype)));
  const cl_ulong tiles_each = cliv__blas_run(ctx, panels * batch, tiles, cliv__least(tiles, near), work);
  const cl_ulong item_work = tiles_each * ROWS * cliv__lanes(g->dtype) * g->k;
  const cl_ulong matrices_each =
      cliv__blas_run(ctx, panels * cliv__div_up(tiles, tiles_each), batch, cliv__most(1, ITEM_WORK / item_work), work);
  const cl_ulong a_row = g->trans_a ? 1 : g->a.pitch, a_step = g->trans_a ? g->a.pitch : 1;
  const cl_ulong b_step = g->trans_b ? 1 : g->b.pitch, b_column = g->trans_b ? g->b.pitch : 1;
  const cliv__scalar alpha = cliv__scalar_of(g->dtype, g->alpha), beta = cliv__scalar_of(g->dtype, g->beta);
  const cl_uint listed = g->places != NULL;
  const cliv__range range = {
      3, {panels, cliv__div_up(tiles, tiles_each), cliv__div_up(batch, matrices_each)}, {1, 1, 1}};
  const cl_mem bias = cliv__bias_mem(g);
  cl_mem places;
  TRY(cliv__places(ctx, g, &places));
  const cliv_status status = LAUNCH(
      ctx, kernel, range, sync, ARG(g->a.mem), ARG(g->a.first), ARG(a_row), ARG(a_step), ARG(g->a.each), ARG(g->b.mem),
      ARG(g->b.first), ARG(b_step), ARG(b_column), ARG(g->b.each), ARG(g->c.mem), ARG(g->c.first), ARG(g->c.pitch),
      ARG(g->c.each), ARG(places), ARG(listed), ARG(g->m), ARG(g->n), ARG(g->k), ARG(batch), ARG(tiles_each),
      ARG(matrices_each), ARG_SCALAR(alpha), ARG_SCALAR(beta), ARG(bias), ARG(g->bias.first), ARG(g->bias_along));
  cliv__places_release(ctx, g, places);
  return status;
}
