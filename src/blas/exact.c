/* The provider `exact`: the chains of cl/blas.cl by the walks of cl/gemv.cl and cl/blas1.cl, and the choice of a walk
 * for matrices: exact_large.c's or exact_small.c's. Nothing that is chosen or cut here changes a bit. */
#include "blas/exact.h"

#include <stdio.h>

#include "blas/copies.h"
#include "runtime/program.h"
#include "runtime/quirks.h"
#include "runtime/scratch.h"
#include "runtime/stage.h"

cl_ulong cliv__blas_share(const cliv_context *ctx, cl_ulong count, cl_ulong largest) {
  return cliv__most(1, cliv__least(largest, count / (4 * (cl_ulong)ctx->facts.compute_units)));
}

/* Eight for each compute unit, taken as they become free; or, where threads take many at a time and the work is worth
 * waking a second one, whatever number of pieces lets the last of them end first. */
cl_ulong cliv__blas_run(const cliv_context *ctx, cl_ulong rows, cl_ulong count, cl_ulong largest, cl_ulong work) {
  enum { TAKEN = 32, UNITS = 8, MOST_PIECES = 64, WORTH = 1 << 23, START = 4 /* of an item, in tenths of a unit */ };
  const cl_ulong threads = ctx->facts.compute_units, most_units = cliv__most(1, count * rows / (UNITS * threads));
  if (!(ctx->quirks & CLIV__QUIRK_GROUPS_BY_32) || work < WORTH) return cliv__least(largest, most_units);
  const cl_ulong fewest = cliv__div_up(count, largest);
  cl_ulong best = cliv__least(largest, most_units), least = (cl_ulong)-1;
  for (cl_ulong pieces = fewest; pieces <= cliv__least(count, fewest + MOST_PIECES); pieces++) {
    const cl_ulong run = cliv__div_up(count, pieces), items = rows * cliv__div_up(count, run);
    const cl_ulong rounds = cliv__div_up(cliv__div_up(items, TAKEN), threads);
    const cl_ulong time = rounds * cliv__least(items, TAKEN) * (10 * run + START);
    if (time >= least) continue;
    least = time;
    best = run;
  }
  return best;
}

cliv_status cliv__blas_kernel(cliv_context *ctx, cliv_dtype dtype, const char *files, const char *entry,
                              const char *choices, cl_kernel *out) {
  char options[128];
  snprintf(options, sizeof options, "%s%s", choices, dtype == CLIV_F64 ? " -D REAL_F64" : "");
  return cliv__kernel(ctx, files, options, entry, out);
}

/* ---- element-wise: scale, axpy, ger ---- */

cliv__range cliv__blas_elements(const cliv_context *ctx, cl_ulong rows, cl_ulong columns, cl_ulong *per) {
  if (ctx->walk == CLIV_WALK_CPU) {
    *per = cliv__most(1, CLIV__ROW_RUN / columns);
    return RANGE2(cliv__div_up(columns, CLIV__ROW_RUN), cliv__div_up(rows, *per), 1, 1);
  }
  const size_t group = cliv__group(ctx, 64), across = columns >= group ? group : 1, down = group / across;
  *per = cliv__div_up(rows, CLIV__AXIS_MOST * down);
  return RANGE2(columns, cliv__div_up(rows, *per), across, down);
}

static const char *stored_as(cliv_dtype dtype) {
  return dtype == CLIV_F16 ? " -D STORED=f16" : dtype == CLIV_BF16 ? " -D STORED=bf16" : "";
}

static cliv_status update(cliv_context *ctx, const char *kind, cliv_dtype dtype, double factor_, const cliv__matrix *x,
                          const cliv__vector *y, cliv__matrix c, const cliv_sync *sync) {
  char choices[64];
  snprintf(choices, sizeof choices, "-D UPDATE=%s%s", kind, stored_as(dtype));
  cl_kernel kernel;
  TRY(cliv__blas_kernel(ctx, dtype, "blas.cl blas1.cl", "update", choices, &kernel));
  const cliv__scalar factor = cliv__scalar_of(cliv__computed(dtype), factor_);
  cl_ulong per;
  const cliv__range range = cliv__blas_elements(ctx, c.rows, c.columns, &per);
  return LAUNCH(ctx, kernel, range, sync, ARG(x->mem), ARG(x->first), ARG(x->pitch), ARG(y->mem), ARG(y->first),
                ARG(y->step), ARG(c.mem), ARG(c.first), ARG(c.pitch), ARG(c.rows), ARG(c.columns), ARG(per),
                ARG_SCALAR(factor));
}

/* Dense rows are one long row. */
static void join_rows(cliv__matrix *m) {
  m->columns *= m->rows;
  m->pitch = m->columns;
  m->rows = 1;
}

cliv_status cliv__blas_scale(cliv_context *ctx, cliv_dtype dtype, double beta, const cliv__matrix *c,
                             const cliv_sync *sync) {
  cliv__matrix to = *c;
  if (to.pitch == to.columns) join_rows(&to);
  const cliv__vector none = {to.mem, 0, 0, 1};
  return update(ctx, "scale", dtype, beta, &to, &none, to, sync);
}

static cliv_status exact_axpy(cliv_context *ctx, cliv_dtype dtype, double alpha, const cliv__matrix *x,
                              const cliv__matrix *y, const cliv_sync *sync) {
  cliv__matrix from = *x, to = *y;
  if (from.pitch == from.columns && to.pitch == to.columns) {
    join_rows(&from);
    join_rows(&to);
  }
  const cliv__vector none = {from.mem, 0, 0, 1};
  return update(ctx, "axpy", dtype, alpha, &from, &none, to, sync);
}

static cliv_status exact_ger(cliv_context *ctx, cliv_dtype dtype, double alpha, const cliv__vector *x,
                             const cliv__vector *y, const cliv__matrix *a, const cliv_sync *sync) {
  const cliv__matrix column = {x->mem, x->first, x->count, 1, x->step, 0};
  return update(ctx, "ger", dtype, alpha, &column, y, *a, sync);
}

/* ---- gemv ---- */

/* GPU walk by rows: `depth` steps of a group's rows, and one element each, are in local memory. */
static cliv_status gemv_kernel(cliv_context *ctx, const cliv__gemv *g, size_t *group, cl_kernel *kernel) {
  const size_t depth = 8 * (16 / cliv_dtype_size(g->dtype)), row = (depth + 1) * cliv_dtype_size(g->dtype);
  const bool cpu = ctx->walk == CLIV_WALK_CPU, tiles = !cpu && !g->trans_a;
  char choices[96], of_group[32] = "";
  *group = cpu ? 1 : cliv__group(ctx, 64);
  while (tiles && *group > 1 && *group * row > ctx->facts.local_memory) *group /= 2;
  if (tiles) snprintf(of_group, sizeof of_group, " -D GROUP=%zu", *group);
  snprintf(choices, sizeof choices, "%s%s%s", g->trans_a ? "" : "-D A_BY_ROW", of_group, stored_as(g->narrow));
  const char *const files = tiles ? "blas.cl piece.cl gemv.cl" : "blas.cl gemv.cl";
  return cliv__blas_kernel(ctx, g->dtype, files, "gemv", choices, kernel);
}

cliv_status cliv__exact_gemv(cliv_context *ctx, const cliv__gemv *g, const cliv__cuts *cuts, const cliv_sync *sync) {
  size_t group;
  cl_kernel kernel;
  TRY(gemv_kernel(ctx, g, &group, &kernel));
  const cl_ulong block = cliv__cuts_vector(ctx, g, cuts);
  cl_mem sums = g->y.mem; /* not used when one launch does all of k */
  if (block < g->k) TRY(cliv__scratch(ctx, CLIV__SCRATCH_SUMS, g->m * cliv_dtype_size(g->dtype), &sums));
  const cl_ulong row = g->trans_a ? 1 : g->a.pitch, step = g->trans_a ? g->a.pitch : 1;
  const cliv__scalar alpha = cliv__scalar_of(g->dtype, g->alpha), beta = cliv__scalar_of(g->dtype, g->beta);
  const size_t each = (size_t)cliv__lanes(g->dtype) * (g->trans_a ? 4 : 1);
  const cliv__range range = RANGE1(ctx->walk == CLIV_WALK_CPU ? cliv__div_up(g->m, each) : g->m, group);
  for (cl_ulong k = 0; k < g->k; k += block) {
    const bool first = k == 0, last = k + block >= g->k;
    const cl_uint parts = (first ? PART_FIRST : 0u) | (last ? PART_LAST : 0u);
    const cl_ulong depth = cliv__least(block, g->k - k), a_first = g->a.first + k * step,
                   x_first = g->x.first + k * g->x.step;
    const cliv_sync part = cliv__sync_part(sync, first, last);
    TRY(LAUNCH(ctx, kernel, range, &part, ARG(g->a.mem), ARG(a_first), ARG(row), ARG(step), ARG(g->x.mem), ARG(x_first),
               ARG(g->x.step), ARG(sums), ARG(g->y.mem), ARG(g->y.first), ARG(g->y.step), ARG(g->m), ARG(depth),
               ARG_SCALAR(alpha), ARG_SCALAR(beta), ARG(parts)));
  }
  return CLIV_OK;
}

static cliv_status exact_gemv(cliv_context *ctx, const cliv__gemv *g, const cliv_sync *sync) {
  const cliv__gemm as = {.dtype = g->dtype,
                         .trans_a = g->trans_a,
                         .m = g->m,
                         .n = 1,
                         .k = g->k,
                         .a = g->a,
                         .b = {.mem = g->x.mem, .pitch = g->x.step},
                         .c = {.mem = g->y.mem, .pitch = g->y.step},
                         .batch = 1};
  return cliv__exact_gemv(ctx, g, cliv__is_narrow(g->narrow) ? NULL : cliv__cuts_known(ctx, &as), sync);
}

cliv__gemv cliv__as_gemv(const cliv__gemm *g) {
  const cliv__vector a = {g->a.mem, g->a.first, g->k, g->trans_a ? g->a.pitch : 1};
  const cliv__vector b = {g->b.mem, g->b.first, g->k, g->trans_b ? 1 : g->b.pitch};
  if (g->n == 1)
    return (cliv__gemv){
        g->dtype, g->trans_a, g->m, g->k, g->alpha, g->beta, g->a, b, {g->c.mem, g->c.first, g->m, g->c.pitch},
        g->dtype};
  return (cliv__gemv){g->dtype, !g->trans_b, g->n, g->k, g->alpha, g->beta, g->b, a, {g->c.mem, g->c.first, g->n, 1},
                      g->dtype};
}

/* ---- batches ---- */

cliv_status cliv__places(cliv_context *ctx, const cliv__gemm *g, cl_mem *places) {
  *places = g->c.mem;
  if (!g->places) return CLIV_OK;
  TRY(cliv__stage_reserve(ctx));
  return cliv__upload(ctx, g->places, 3 * g->batch * sizeof *g->places, "uploading where matrices begin", places);
}

void cliv__places_release(cliv_context *ctx, const cliv__gemm *g, cl_mem places) {
  if (g->places) cliv__stage_release(ctx, places);
}

/* ---- gemm ---- */

static cliv_status single(cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *cuts, const cliv_sync *sync) {
  if (cliv__is_vector(g) && !cuts->no_gemv) {
    const cliv__gemv v = cliv__as_gemv(g);
    if (!cliv__has_epilogue(g)) return cliv__exact_gemv(ctx, &v, cuts, sync);
    TRY(cliv__gemm_finish_ready(ctx, g));
    TRY(cliv__exact_gemv(ctx, &v, cuts, SYNC_FIRST(sync)));
    return cliv__gemm_finish(ctx, g, SYNC_LAST(sync));
  }
  if (cliv__small_most(ctx, g, cuts)) return cliv__small_gemm(ctx, g, sync);
  return cliv__large_gemm(ctx, g, cuts, sync);
}

cliv_status cliv__exact_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *asked, const cliv_sync *sync) {
  if (!cliv__fuses(ctx, g)) {
    const cliv__gemm plain = cliv__without_epilogue(g);
    TRY(cliv__gemm_finish_ready(ctx, g));
    TRY(cliv__exact_gemm(ctx, &plain, asked, SYNC_FIRST(sync)));
    return cliv__gemm_finish(ctx, g, SYNC_LAST(sync));
  }
  const cliv__cuts cuts = cliv__cuts_full(ctx, g, asked);
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  const cl_ulong batch = cliv__most(1, g->batch);
  cl_ulong most = 1; /* a launch */
  if (batch > 1) most = cliv__most(1, cpu ? cliv__small_most(ctx, g, &cuts) : cliv__large_most(ctx, g, &cuts));
  for (cl_ulong z = 0, count; z < batch; z += count) {
    count = cliv__least(most, batch - z);
    const cliv__gemm part = cliv__gemm_part(g, z, count);
    const cliv_sync order = cliv__sync_part(sync, z == 0, z + count == batch);
    if (count == 1) {
      const cliv__cuts own = batch > 1 ? cliv__cuts_full(ctx, &part, asked) : cuts; /* a vector's are others */
      TRY(single(ctx, &part, &own, &order));
    } else {
      TRY(cpu ? cliv__small_gemm(ctx, &part, &order) : cliv__large_gemm(ctx, &part, &cuts, &order));
    }
  }
  return CLIV_OK;
}

static cliv_status exact_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv_sync *sync) {
  return cliv__exact_gemm(ctx, g, cliv__cuts_known(ctx, g), sync);
}

const cliv__blas_provider cliv__blas_exact = {"exact",          true,
                                              exact_gemm,       exact_gemv,
                                              exact_ger,        exact_axpy,
                                              cliv__exact_syrk, cliv__exact_symm,
                                              cliv__exact_trmm, cliv__exact_trsm};
