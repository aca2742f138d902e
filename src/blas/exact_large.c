/* Products of large matrices: the walks of cl/gemm.cl and cl/gemm_tile.cl; and batches in the GPU walk.
 *
 * The CPU walk multiplies a tile of ROWS rows by a panel of W columns in registers. A and B are copied
 * (packed) before it where their elements are used often enough to pay for that; otherwise they are read where they
 * lie. Work is cut along k so that a panel stays in a core's cache, and along rows and columns so that no launch
 * lasts too long; and C is made in rounds, so that copies and running sums take bounded memory, however large the
 * matrices are. No cut changes a bit.
 */
#include <stdio.h>

#include "blas/epilogue.h"
#include "blas/exact.h"
#include "runtime/scratch.h"

enum { ROWS = 6 };       /* CPU walk: rows of a tile */
enum { PACK_RUN = 256 }; /* values of k that a work-item of gemm_pack.cl copies at a time */

/* Everything about one product that its launches share. */
typedef struct job {
  cliv_context *ctx;
  const cliv__gemm *g;
  const cliv_sync *sync;
  cl_kernel kernel, pack_a, pack_b; /* pack_*: NULL where read in place */
  cl_mem room_a, room_b, sums;
  cl_ulong rows, width; /* of a tile (CPU) or a group's tile (GPU) */
  cl_ulong block_k, block_m, block_n;
  cl_ulong round_m, round_n; /* of a round; its part of C is: */
  cl_ulong i, j, m, n;
  bool own_sums;                 /* running sums lie in room for a round, not in C */
  size_t group_x, group_y, side; /* GPU walk; side: elements of a work-item along each */
} job;

/* One launch's part of the job. */
typedef struct piece {
  cl_ulong i, j, k, m, n, depth; /* begins and lengths */
  bool first, last;              /* block of k */
  cliv_sync sync;
} piece;

/* Rows and columns of a launch: about `work` multiply-adds, in whole tiles. */
static void choose_blocks(job *j, const cliv__cuts *cuts) {
  j->block_k = cuts->block_k;
  const cl_ulong area = cliv__most(cuts->launch_work / j->block_k, j->rows * j->width);
  j->block_n = cliv__least(cliv__round_up(j->g->n, j->width), cliv__most(1, area / j->rows / j->width) * j->width);
  const cl_ulong most = j->ctx->walk == CLIV_WALK_CPU ? j->g->m : CLIV__AXIS_MOST;
  const cl_ulong tiles = cliv__least(most, cliv__most(1, area / j->block_n / j->rows));
  j->block_m = cliv__least(cliv__round_up(j->g->m, j->rows), tiles * j->rows);
}

/* Rows and columns of C that are made at a time: those that the copies of A and B and the running sums have room for.
 * Sums for all of C at once are wanted by no more than a square that its rows and columns pay for. */
static void choose_round(job *j, bool pack_a, bool pack_b, const cliv__cuts *cuts) {
  const cl_ulong room = cuts->room / cliv_dtype_size(j->g->dtype);
  j->round_m = cliv__round_up(j->g->m, j->rows);
  j->round_n = cliv__round_up(j->g->n, j->width);
  if (pack_a) j->round_m = cliv__least(j->round_m, cliv__most(1, room / j->block_k / j->rows) * j->rows);
  if (pack_b) j->round_n = cliv__least(j->round_n, cliv__most(1, room / j->block_k / j->width) * j->width);
  /* Between blocks of k the running sums lie in C where C is not read. */
  j->own_sums = j->block_k < j->g->k && j->g->beta != 0;
  if (!j->own_sums || j->round_m <= room / j->round_n) return;
  cl_ulong side = 1;
  while (4 * side * side <= room) side *= 2;
  j->round_n = cliv__least(j->round_n, cliv__most(1, cliv__most(side, room / j->round_m) / j->width) * j->width);
  j->round_m = cliv__least(j->round_m, cliv__most(1, room / j->round_n / j->rows) * j->rows);
}

/* A kernel that packs into `room`: its panels of `width` are rows of a matrix (rows), or columns. */
static cliv_status prepare_pack(const job *j, bool rows, cl_ulong width, cl_ulong count, int slot, cl_kernel *kernel,
                                cl_mem *room) {
  char choices[64];
  snprintf(choices, sizeof choices, "-D %s -D WIDTH=%d", rows ? "PACK_ROWS" : "PACK_COLUMNS", (int)width);
  TRY(cliv__blas_kernel(j->ctx, j->g->dtype, "blas.cl gemm_pack.cl", "pack", choices, kernel));
  return cliv__scratch(j->ctx, slot, count * j->block_k * cliv_dtype_size(j->g->dtype), room);
}

static cliv_status prepare_cpu(job *j, const cliv__cuts *cuts) {
  const cliv__gemm *g = j->g;
  j->width = cliv__lanes(g->dtype);
  j->rows = ROWS;
  choose_blocks(j, cuts);
  const bool pack_a = cuts->pack_a > 0, pack_b = cuts->pack_b > 0;
  choose_round(j, pack_a, pack_b, cuts);
  if (pack_a) TRY(prepare_pack(j, !g->trans_a, j->rows, j->round_m, CLIV__SCRATCH_PACK_A, &j->pack_a, &j->room_a));
  if (pack_b) TRY(prepare_pack(j, g->trans_b, j->width, j->round_n, CLIV__SCRATCH_PACK_B, &j->pack_b, &j->room_b));
  char choices[64];
  snprintf(choices, sizeof choices, "%s%s", j->pack_a ? "-D A_PACKED " : "", j->pack_b ? "-D B_PACKED" : "");
  return cliv__gemm_kernel(j->ctx, g, "gemm.cl", "gemm", choices, &j->kernel);
}

static void shape_gpu(job *j, const cliv__cuts *cuts) {
  const size_t group = cliv__cuts_group(j->ctx);
  j->group_x = cliv__group_across(group);
  j->group_y = group / j->group_x;
  j->side = cuts->side;
  j->rows = j->group_y * j->side;
  j->width = j->group_x * j->side;
}

static cliv_status prepare_gpu(job *j, const cliv__cuts *cuts) {
  const cliv__gemm *g = j->g;
  shape_gpu(j, cuts);
  choose_blocks(j, cuts);
  choose_round(j, false, false, cuts);
  char choices[128];
  snprintf(choices, sizeof choices,
           "-D GROUP_X=%zu -D GROUP_Y=%zu -D FOURS_M=%zu -D FOURS_N=%zu -D A_STEPS=%d -D B_STEPS=%d", j->group_x,
           j->group_y, j->side / 4, j->side / 4, !g->trans_a, (int)g->trans_b);
  return cliv__gemm_kernel(j->ctx, g, "piece.cl gemm_tile.cl", "gemm", choices, &j->kernel);
}

static cliv_status prepare_sums(job *j) {
  j->sums = j->g->c.mem;
  if (!j->own_sums) return CLIV_OK;
  return cliv__scratch(j->ctx, CLIV__SCRATCH_SUMS, j->round_m * j->round_n * cliv_dtype_size(j->g->dtype), &j->sums);
}

/* Where the running sums of a piece begin, and the elements from one row of them to the next. */
static cl_ulong sums_of(const job *j, const piece *p, cl_ulong *pitch) {
  const cliv__matrix *c = &j->g->c;
  *pitch = j->own_sums ? j->round_n : c->pitch;
  return j->own_sums ? (p->i - j->i) * *pitch + p->j - j->j : c->first + p->i * *pitch + p->j;
}

static cliv_status pack(const job *j, cl_kernel kernel, const cliv__matrix *from, cl_ulong first, cl_mem to,
                        cl_ulong count, cl_ulong width, cl_ulong depth, const cliv_sync *sync) {
  const cl_ulong panels = cliv__div_up(count, width), per = cliv__blas_share(j->ctx, panels, 4), step = depth * width;
  return LAUNCH(j->ctx, kernel, RANGE2(cliv__div_up(panels, per), cliv__div_up(depth, PACK_RUN), 1, 1), sync,
                ARG(from->mem), ARG(first), ARG(from->pitch), ARG(to), ARG(step), ARG(count), ARG(depth), ARG(per));
}

/* Copies of this block of k for this round. */
static cliv_status pack_block(const job *j, cl_ulong k, cl_ulong depth) {
  const cliv__gemm *g = j->g;
  const cliv_sync part = cliv__sync_part(j->sync, k == 0 && j->i == 0 && j->j == 0, false);
  const cl_ulong a_first = g->a.first + (g->trans_a ? k * g->a.pitch + j->i : j->i * g->a.pitch + k);
  const cl_ulong b_first = g->b.first + (g->trans_b ? j->j * g->b.pitch + k : k * g->b.pitch + j->j);
  if (j->pack_a) TRY(pack(j, j->pack_a, &g->a, a_first, j->room_a, j->m, j->rows, depth, &part));
  if (!j->pack_b) return CLIV_OK;
  return pack(j, j->pack_b, &g->b, b_first, j->room_b, j->n, j->width, depth, j->pack_a ? SYNC_NONE : &part);
}

static cl_uint parts_of(const job *j, const piece *p) {
  return (p->first && !j->g->resumes ? PART_FIRST : 0u) | (p->last ? PART_LAST : 0u);
}

/* Where the bias of a piece begins. */
static cl_ulong bias_of(const cliv__gemm *g, const piece *p) {
  return g->bias.first + (g->bias_along == CLIV__BIAS_ROWS ? p->i : g->bias_along ? p->j : 0);
}

static void *host_pointer(cl_mem mem) {
  void *host = NULL;
  return clGetMemObjectInfo(mem, CL_MEM_HOST_PTR, sizeof host, &host, NULL) ? NULL : host;
}

/* Whether none of what lies beside B can be C: not in one buffer, nor in one allocation of shared virtual memory. */
static bool lie_apart(const cliv__gemm *g) {
  if (g->b.mem == g->c.mem) return false;
  const void *const host = host_pointer(g->b.mem);
  return host == NULL || host != host_pointer(g->c.mem);
}

static cliv_status multiply_cpu(const job *j, const piece *p) {
  const cliv__gemm *g = j->g;
  cl_mem a = g->a.mem, b = g->b.mem;
  cl_ulong a_row = g->trans_a ? 1 : g->a.pitch, a_step = g->trans_a ? g->a.pitch : 1;
  cl_ulong a_first = g->a.first + p->i * a_row + p->k * a_step, a_tile = j->rows * a_row;
  if (j->pack_a) {
    a = j->room_a;
    a_tile = j->rows * p->depth;
    a_first = (p->i - j->i) * p->depth;
  }
  cl_ulong b_first = g->b.first + p->k * g->b.pitch + p->j, b_columns = lie_apart(g) ? g->n - p->j : 0,
           b_panel = j->width, b_step = g->b.pitch;
  if (j->pack_b) {
    b = j->room_b;
    b_first = (p->j - j->j) * p->depth;
    b_panel = p->depth * j->width;
    b_step = j->width;
  }
  const cl_uint parts = parts_of(j, p);
  const cl_mem bias = cliv__bias_mem(g);
  const cl_ulong bias_first = bias_of(g, p);
  cl_ulong sums_pitch;
  const cl_ulong sums_first = sums_of(j, p, &sums_pitch), c_first = g->c.first + p->i * g->c.pitch + p->j;
  const cl_ulong tiles = cliv__div_up(p->m, j->rows), panels = cliv__div_up(p->n, j->width);
  /* A work-item's rows of A are to stay in a core's second cache while its neighbours use them again. */
  const cl_ulong cached = cliv__most(1, ((cl_ulong)1 << 18) / (j->rows * p->depth * cliv_dtype_size(g->dtype)));
  const cl_ulong per = cliv__blas_run(j->ctx, panels, tiles, cliv__least(tiles, cached), p->m * p->n * p->depth);
  const cliv__scalar alpha = cliv__scalar_of(g->dtype, g->alpha), beta = cliv__scalar_of(g->dtype, g->beta);
  return LAUNCH(j->ctx, j->kernel, RANGE2(panels, cliv__div_up(tiles, per), 1, 1), &p->sync, ARG(a), ARG(a_first),
                ARG(a_row), ARG(a_step), ARG(a_tile), ARG(b), ARG(b_first), ARG(b_columns), ARG(b_panel), ARG(b_step),
                ARG(j->sums), ARG(sums_first), ARG(sums_pitch), ARG(g->c.mem), ARG(c_first), ARG(g->c.pitch), ARG(p->m),
                ARG(p->n), ARG(p->depth), ARG(per), ARG_SCALAR(alpha), ARG_SCALAR(beta), ARG(parts), ARG(bias),
                ARG(bias_first), ARG(g->bias_along));
}

static cliv_status multiply_gpu(const job *j, const piece *p) {
  const cliv__gemm *g = j->g;
  const cl_ulong a_row = g->trans_a ? 1 : g->a.pitch, a_step = g->trans_a ? g->a.pitch : 1;
  const cl_ulong b_column = g->trans_b ? g->b.pitch : 1, b_step = g->trans_b ? 1 : g->b.pitch;
  const cl_ulong a_first = g->a.first + p->i * a_row + p->k * a_step,
                 b_first = g->b.first + p->j * b_column + p->k * b_step;
  cl_ulong sums_pitch;
  const cl_ulong sums_first = sums_of(j, p, &sums_pitch), c_first = g->c.first + p->i * g->c.pitch + p->j;
  const cl_uint parts = parts_of(j, p);
  const cl_mem bias = cliv__bias_mem(g);
  const cl_ulong bias_first = bias_of(g, p);
  const cliv__scalar alpha = cliv__scalar_of(g->dtype, g->alpha), beta = cliv__scalar_of(g->dtype, g->beta);
  const cliv__range range = {
      3,
      {cliv__div_up(p->n, j->width) * j->group_x, cliv__div_up(p->m, j->rows) * j->group_y, cliv__most(1, g->batch)},
      {j->group_x, j->group_y, 1}};
  cl_mem places;
  TRY(cliv__places(j->ctx, g, &places));
  const cl_uint listed = g->places != NULL;
  const cliv_status status =
      LAUNCH(j->ctx, j->kernel, range, &p->sync, ARG(g->a.mem), ARG(a_first), ARG(a_row), ARG(a_step), ARG(g->a.each),
             ARG(g->b.mem), ARG(b_first), ARG(b_column), ARG(b_step), ARG(g->b.each), ARG(j->sums), ARG(sums_first),
             ARG(sums_pitch), ARG(g->c.mem), ARG(c_first), ARG(g->c.pitch), ARG(g->c.each), ARG(places), ARG(listed),
             ARG(p->m), ARG(p->n), ARG(p->depth), ARG_SCALAR(alpha), ARG_SCALAR(beta), ARG(parts), ARG(bias),
             ARG(bias_first), ARG(g->bias_along));
  cliv__places_release(j->ctx, g, places);
  return status;
}

/* The pieces of one block of k in this round. */
static cliv_status multiply_block(const job *j, cl_ulong k, cl_ulong depth) {
  const cliv__gemm *g = j->g;
  const cl_ulong m_end = j->i + j->m, n_end = j->j + j->n;
  const bool packed = j->pack_a || j->pack_b, first_round = j->i == 0 && j->j == 0,
             last_round = m_end == g->m && n_end == g->n;
  piece p = {.k = k, .depth = depth, .first = k == 0, .last = k + depth == g->k};
  for (p.j = j->j; p.j < n_end; p.j += p.n) {
    p.n = cliv__least(j->block_n, n_end - p.j);
    for (p.i = j->i; p.i < m_end; p.i += p.m) {
      p.m = cliv__least(j->block_m, m_end - p.i);
      p.sync = cliv__sync_part(j->sync, p.first && !packed && first_round && p.i == 0 && p.j == 0,
                               p.last && last_round && p.i + p.m == m_end && p.j + p.n == n_end);
      TRY(j->ctx->walk == CLIV_WALK_CPU ? multiply_cpu(j, &p) : multiply_gpu(j, &p));
    }
  }
  return CLIV_OK;
}

static cliv_status multiply_round(const job *j) {
  for (cl_ulong k = 0; k < j->g->k; k += j->block_k) {
    const cl_ulong depth = cliv__least(j->block_k, j->g->k - k);
    TRY(pack_block(j, k, depth));
    TRY(multiply_block(j, k, depth));
  }
  return CLIV_OK;
}

cl_ulong cliv__large_most(cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *cuts) {
  job j = {.ctx = ctx, .g = g};
  shape_gpu(&j, cuts);
  choose_blocks(&j, cuts);
  if (g->resumes || j.block_k < g->k || j.block_m < g->m || j.block_n < g->n) return 1;
  return cliv__least(CLIV__AXIS_MOST, cliv__most(1, cuts->launch_work / (g->m * g->n * g->k)));
}

cliv_status cliv__large_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *cuts, const cliv_sync *sync) {
  job j = {.ctx = ctx, .g = g, .sync = sync};
  TRY(ctx->walk == CLIV_WALK_CPU ? prepare_cpu(&j, cuts) : prepare_gpu(&j, cuts));
  TRY(prepare_sums(&j));
  for (j.j = 0; j.j < g->n; j.j += j.n) {
    j.n = cliv__least(j.round_n, g->n - j.j);
    for (j.i = 0; j.i < g->m; j.i += j.m) {
      j.m = cliv__least(j.round_m, g->m - j.i);
      TRY(multiply_round(&j));
    }
  }
  return CLIV_OK;
}
