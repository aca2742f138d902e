/* Cuts of products by facts of the device. measure_cuts.c has those that are measured. */
#include "blas/cuts.h"

#include "blas/copies.h"
#include "blas/exact.h"
#include "runtime/quirks.h"

static const cl_ulong LAUNCH_WORK = (cl_ulong)1 << 32, ROOM = 1 << 26;
/* GPU walk: values of k a launch, at a microsecond each. */
enum { GEMM_CHAIN = 1 << 20, GEMV_CHAIN = 1 << 17 };

/* ---- one vector ---- */

/* CPU walk: rows of A that are read across, by one work-item after another: what second-level tables of pages reach, so
 * that the next one finds the pages of the one before. */
static cl_ulong reach(const cliv__gemv *g) {
  const cl_ulong bytes = (cl_ulong)1 << 23,
                 row = g->m * cliv_dtype_size(cliv__is_narrow(g->narrow) ? g->narrow : g->dtype);
  return g->trans_a && g->k * row >= 3 * bytes / 2 ? cliv__most(64, bytes / row) : g->k;
}

cl_ulong cliv__cuts_vector(const cliv_context *ctx, const cliv__gemv *g, const cliv__cuts *asked) {
  if (asked && asked->block_k) return cliv__least(g->k, asked->block_k);
  const cl_ulong work = asked && asked->launch_work ? asked->launch_work : (cl_ulong)1 << 30;
  const cl_ulong longest = ctx->walk == CLIV_WALK_CPU ? reach(g) : GEMV_CHAIN;
  return cliv__least(g->k, cliv__least(longest, cliv__most(1 << 16, work / g->m)));
}

/* ---- CPU walk ---- */

/* The bytes of a core's own caches, near enough: drivers report its second one's, or the last one's of all cores, or
 * nothing. */
static cl_ulong near_bytes(const cliv_context *ctx) {
  const cl_ulong own = ctx->facts.cache_bytes / cliv__most(1, ctx->facts.compute_units);
  return cliv__least((cl_ulong)1 << 20, cliv__most((cl_ulong)1 << 18, own));
}

/* Blocks of k: B's panel (depth × W) is to stay in a core's caches with a tile of A. Small results take longer blocks,
 * so that a launch is worth its start. */
static cl_ulong block_cpu(const cliv_context *ctx, const cliv__gemm *g) {
  const cl_ulong panel = cliv__least((cl_ulong)1 << 16, near_bytes(ctx) / 8), work = (cl_ulong)1 << 26;
  return cliv__most(panel / (cliv__lanes(g->dtype) * cliv_dtype_size(g->dtype)), work / (g->m * g->n));
}

/* A in columns is copied where an element is used some hundred times; rows are read as well where they lie. */
static bool copies_a(const cliv__gemm *g) { return g->trans_a && g->n >= 576; }

/* B is read across its rows. Those that begin at the same place of pages lie in the same places of caches: a copy pays
 * as soon as B leaves the second one. Others are in each other's way only when they are many. */
static bool copies_b(const cliv__gemm *g) {
  const cl_ulong row = g->b.pitch * cliv_dtype_size(g->dtype), bytes = g->k * row;
  const bool collide = row % CLIV__COLLIDING == 0;
  return g->trans_b || (collide ? bytes > 1 << 19 && g->m > 24 : bytes > 1 << 22 && g->m > 160);
}

static void cut_cpu(const cliv_context *ctx, const cliv__gemm *g, cliv__cuts *full) {
  full->small = cliv__small_most(ctx, g, full) ? 1 : -1;
  if (!full->pack_a) full->pack_a = copies_a(g) ? 1 : -1;
  if (!full->pack_b || g->trans_b) full->pack_b = copies_b(g) ? 1 : -1;
  if (!full->block_k) full->block_k = block_cpu(ctx, g);
}

/* ---- GPU walk ---- */

/* Whether the device runs such a group: its items, and the local memory of its two tiles. */
static bool group_fits(const cliv_context *ctx, size_t group) {
  size_t side = 1;
  while (side * side < group) side *= 2;
  const size_t local = 2 * (side * 8 + 8) * CLIV__TILE_DEPTH * sizeof(cl_float);
  return group <= ctx->facts.max_group_size && local <= ctx->facts.local_memory;
}

size_t cliv__cuts_group(const cliv_context *ctx) {
  size_t group = ctx->group_size ? ctx->group_size : 256;
  while (!ctx->group_size && group > 16 && !group_fits(ctx, group)) group /= 2;
  return group;
}

bool cliv__cuts_sides(const cliv_context *ctx, const cliv__gemm *g) {
  return g->dtype != CLIV_F64 && cliv__group_across(cliv__cuts_group(ctx)) >= 8 &&
         !(ctx->quirks & CLIV__QUIRK_FEW_REGISTERS);
}

/* Elements of a work-item's side: 8 read local memory least; 4 leave groups for all units where there are few. */
static unsigned side_gpu(const cliv_context *ctx, const cliv__gemm *g) {
  if (!cliv__cuts_sides(ctx, g)) return 4;
  const size_t group = cliv__cuts_group(ctx), across = cliv__group_across(group);
  const cl_ulong tiles = cliv__div_up(g->m, 8 * (group / across)) * cliv__div_up(g->n, 8 * across);
  return tiles * cliv__most(1, g->batch) >= 2 * (cl_ulong)ctx->facts.compute_units ? 8 : 4;
}

static void cut_gpu(const cliv_context *ctx, const cliv__gemm *g, cliv__cuts *full) {
  const cl_ulong work = (cl_ulong)1 << 26;
  if (!full->side) full->side = side_gpu(ctx, g);
  if (!full->block_k) full->block_k = cliv__least(GEMM_CHAIN, cliv__most(1 << 16, work / (g->m * g->n)));
}

/* ---- all ---- */

cliv__cuts cliv__cuts_full(const cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *asked) {
  cliv__cuts full = asked ? *asked : (cliv__cuts){0};
  if (!full.room) full.room = ROOM;
  if (cliv__is_vector(g) && !full.no_gemv) {
    const cliv__gemv v = cliv__as_gemv(g);
    full.block_k = cliv__cuts_vector(ctx, &v, asked);
  }
  if (!full.launch_work) full.launch_work = LAUNCH_WORK;
  if (ctx->walk == CLIV_WALK_CPU) cut_cpu(ctx, g, &full);
  else cut_gpu(ctx, g, &full);
  full.block_k = cliv__least(full.block_k, g->k);
  return full;
}
