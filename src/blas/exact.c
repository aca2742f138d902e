/* The provider `exact`: the chains of cl/blas.cl by the walks of cl/gemm.cl, cl/gemv.cl and cl/blas1.cl.
 *
 * The CPU walk of gemm multiplies a tile of ROWS rows by a panel of W columns in registers. A and B are copied
 * (packed) before it where their elements are used often enough to pay for that; otherwise they are read where they
 * lie. Work is cut along k so that a panel stays in a core's cache, and along rows and columns so that no launch
 * lasts too long; and C is made in rounds, so that copies and running sums take bounded memory, however large the
 * matrices are. No cut changes a bit.
 */
#include "blas/exact.h"

#include <stdio.h>

#include "runtime/program.h"
#include "runtime/scratch.h"

enum { PART_FIRST = 1, PART_LAST = 2 };              /* as in cl/blas.cl */
enum { ROWS = 6 };                                   /* CPU walk: rows of a tile */
enum { TILE = 4 };                                   /* GPU walk: elements of a work-item along each side */
enum { DEPTH = 16 };                                 /* GPU walk: values of k at a time */
enum { PACK_RUN = 256 };                             /* values of k that a work-item of gemm_pack.cl copies at a time */
enum { GEMV_CHAIN = 1 << 17, GEMM_CHAIN = 1 << 20 }; /* GPU walk: values of k a launch, at a microsecond each */
enum { ROOM = 1 << 26 };                             /* bytes of a copy, or of running sums */
enum { UPDATE_RUN = 1024 };                          /* columns of a work-item of blas1.cl in the CPU walk */

/* A number as a kernel's SCALAR argument. */
typedef struct scalar {
  size_t size;
  union {
    float f;
    double d;
  } as;
} scalar;

static scalar scalar_of(cliv_dtype dtype, double x) {
  scalar s = {cliv_dtype_size(dtype), {0}};
  if (dtype == CLIV_F64) s.as.d = x;
  else s.as.f = (float)x;
  return s;
}
#define ARG_SCALAR(s) ((cliv__arg){(s).size, &(s).as})

static cl_ulong least(cl_ulong a, cl_ulong b) { return a < b ? a : b; }
static cl_ulong most(cl_ulong a, cl_ulong b) { return a > b ? a : b; }

static cl_ulong lanes(cliv_dtype dtype) { return dtype == CLIV_F64 ? 8 : 16; }

/* How many of `count` units a work-item does, so that every compute unit has several to choose from; at most
 * `largest`. */
static cl_ulong share(const cliv_context *ctx, cl_ulong count, cl_ulong largest) {
  return most(1, least(largest, count / (4 * (cl_ulong)ctx->facts.compute_units)));
}

static cliv_status get(cliv_context *ctx, cliv_dtype dtype, const char *files, const char *entry, const char *choices,
                       cl_kernel *out) {
  char options[128];
  snprintf(options, sizeof options, "%s%s", choices, dtype == CLIV_F64 ? " -D REAL_F64" : "");
  return cliv__kernel(ctx, files, options, entry, out);
}

/* ---- element-wise: scale, axpy, ger ---- */

static cliv_status update(cliv_context *ctx, const char *kind, cliv_dtype dtype, double factor_, const cliv__matrix *x,
                          const cliv__vector *y, cliv__matrix c, const cliv_sync *sync) {
  char choices[64];
  snprintf(choices, sizeof choices, "-D UPDATE=%s", kind);
  cl_kernel kernel;
  TRY(get(ctx, dtype, "blas.cl blas1.cl", "update", choices, &kernel));
  const scalar factor = scalar_of(dtype, factor_);
  cl_ulong per = 1;
  cliv__range range;
  if (ctx->walk == CLIV_WALK_CPU) {
    per = most(1, UPDATE_RUN / c.columns);
    range = RANGE2(cliv__div_up(c.columns, UPDATE_RUN), cliv__div_up(c.rows, per), 1, 1);
  } else {
    const size_t group = cliv__group(ctx, 64);
    range = c.columns >= group ? RANGE2(c.columns, c.rows, group, 1) : RANGE2(c.columns, c.rows, 1, group);
  }
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
  const cliv__matrix column = {x->mem, x->first, x->count, 1, x->step};
  return update(ctx, "ger", dtype, alpha, &column, y, *a, sync);
}

/* ---- gemv ---- */

cliv_status cliv__exact_gemv(cliv_context *ctx, const cliv__gemv *g, const cliv__cuts *cuts, const cliv_sync *sync) {
  cl_kernel kernel;
  TRY(get(ctx, g->dtype, "blas.cl gemv.cl", "gemv", g->trans_a ? "" : "-D A_BY_ROW", &kernel));
  const cl_ulong work = cuts && cuts->launch_work ? cuts->launch_work : (cl_ulong)1 << 30;
  const cl_ulong longest = ctx->walk == CLIV_WALK_CPU ? g->k : GEMV_CHAIN;
  const cl_ulong block =
      least(g->k, cuts && cuts->block_k ? cuts->block_k : least(longest, most(1 << 16, work / g->m)));
  cl_mem sums = g->y.mem; /* not used when one launch does all of k */
  if (block < g->k) TRY(cliv__scratch(ctx, CLIV__SCRATCH_SUMS, g->m * cliv_dtype_size(g->dtype), &sums));
  const cl_ulong row = g->trans_a ? 1 : g->a.pitch, step = g->trans_a ? g->a.pitch : 1;
  const scalar alpha = scalar_of(g->dtype, g->alpha), beta = scalar_of(g->dtype, g->beta);
  const size_t each = (size_t)lanes(g->dtype) * (g->trans_a ? 4 : 1);
  const cliv__range range =
      ctx->walk == CLIV_WALK_CPU ? RANGE1(cliv__div_up(g->m, each), 1) : RANGE1(g->m, cliv__group(ctx, 64));
  for (cl_ulong k = 0; k < g->k; k += block) {
    const bool first = k == 0, last = k + block >= g->k;
    const cl_uint parts = (first ? PART_FIRST : 0u) | (last ? PART_LAST : 0u);
    const cl_ulong depth = least(block, g->k - k), a_first = g->a.first + k * step,
                   x_first = g->x.first + k * g->x.step;
    const cliv_sync part = cliv__sync_part(sync, first, last);
    TRY(LAUNCH(ctx, kernel, range, &part, ARG(g->a.mem), ARG(a_first), ARG(row), ARG(step), ARG(g->x.mem), ARG(x_first),
               ARG(g->x.step), ARG(sums), ARG(g->y.mem), ARG(g->y.first), ARG(g->y.step), ARG(g->m), ARG(depth),
               ARG_SCALAR(alpha), ARG_SCALAR(beta), ARG(parts)));
  }
  return CLIV_OK;
}

static cliv_status exact_gemv(cliv_context *ctx, const cliv__gemv *g, const cliv_sync *sync) {
  return cliv__exact_gemv(ctx, g, NULL, sync);
}

/* A product of one column: op(A) times op(B)'s column. Of one row: op(B) transposed times op(A)'s row. */
static cliv__gemv as_gemv(const cliv__gemm *g) {
  const cliv__vector a = {g->a.mem, g->a.first, g->k, g->trans_a ? g->a.pitch : 1};
  const cliv__vector b = {g->b.mem, g->b.first, g->k, g->trans_b ? 1 : g->b.pitch};
  if (g->n == 1)
    return (cliv__gemv){
        g->dtype, g->trans_a, g->m, g->k, g->alpha, g->beta, g->a, b, {g->c.mem, g->c.first, g->m, g->c.pitch}};
  return (cliv__gemv){g->dtype, !g->trans_b, g->n, g->k, g->alpha, g->beta, g->b, a, {g->c.mem, g->c.first, g->n, 1}};
}

/* ---- gemm ---- */

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
  bool own_sums;           /* running sums lie in room for a round, not in C */
  size_t group_x, group_y; /* GPU walk */
} job;

/* One launch's part of the job. */
typedef struct piece {
  cl_ulong i, j, k, m, n, depth; /* begins and lengths */
  bool first, last;              /* block of k */
  cliv_sync sync;
} piece;

/* Blocks of k: B's panel (depth × W) is to stay in a core's nearer caches with a tile of A. Small results take longer
 * blocks, so that a launch is worth its start. */
static cl_ulong choose_block_k(const job *j, const cliv__cuts *cuts) {
  if (cuts && cuts->block_k) return cuts->block_k;
  const cl_ulong work = (cl_ulong)1 << 26, area = j->g->m * j->g->n;
  return j->ctx->walk == CLIV_WALK_CPU ? most(512, work / area) : least(GEMM_CHAIN, most(1 << 16, work / area));
}

/* Rows and columns of a launch: about `work` multiply-adds, in whole tiles. */
static void choose_blocks(job *j, const cliv__cuts *cuts) {
  const cl_ulong work = cuts && cuts->launch_work ? cuts->launch_work : (cl_ulong)1 << 32;
  j->block_k = least(j->g->k, choose_block_k(j, cuts));
  const cl_ulong area = most(work / j->block_k, j->rows * j->width);
  j->block_n = least(cliv__round_up(j->g->n, j->width), most(1, area / j->rows / j->width) * j->width);
  j->block_m = least(cliv__round_up(j->g->m, j->rows), most(1, area / j->block_n / j->rows) * j->rows);
}

/* Rows and columns of C that are made at a time: those that the copies of A and B and the running sums have room for.
 * Sums for all of C at once are wanted by no more than a square that its rows and columns pay for. */
static void choose_round(job *j, bool pack_a, bool pack_b, const cliv__cuts *cuts) {
  const cl_ulong room = (cuts && cuts->room ? cuts->room : ROOM) / cliv_dtype_size(j->g->dtype);
  j->round_m = cliv__round_up(j->g->m, j->rows);
  j->round_n = cliv__round_up(j->g->n, j->width);
  if (pack_a) j->round_m = least(j->round_m, most(1, room / j->block_k / j->rows) * j->rows);
  if (pack_b) j->round_n = least(j->round_n, most(1, room / j->block_k / j->width) * j->width);
  /* Between blocks of k the running sums lie in C where C is not read. */
  j->own_sums = j->block_k < j->g->k && j->g->beta != 0;
  if (!j->own_sums || j->round_m <= room / j->round_n) return;
  cl_ulong side = 1;
  while (4 * side * side <= room) side *= 2;
  j->round_n = least(j->round_n, most(1, most(side, room / j->round_m) / j->width) * j->width);
  j->round_m = least(j->round_m, most(1, room / j->round_n / j->rows) * j->rows);
}

/* A kernel that packs into `room`: its panels of `width` are rows of a matrix (rows), or columns. */
static cliv_status prepare_pack(const job *j, bool rows, cl_ulong width, cl_ulong count, int slot, cl_kernel *kernel,
                                cl_mem *room) {
  char choices[64];
  snprintf(choices, sizeof choices, "-D %s -D WIDTH=%d", rows ? "PACK_ROWS" : "PACK_COLUMNS", (int)width);
  TRY(get(j->ctx, j->g->dtype, "blas.cl gemm_pack.cl", "pack", choices, kernel));
  return cliv__scratch(j->ctx, slot, count * j->block_k * cliv_dtype_size(j->g->dtype), room);
}

static cliv_status prepare_cpu(job *j, const cliv__cuts *cuts) {
  const cliv__gemm *g = j->g;
  j->width = lanes(g->dtype);
  j->rows = ROWS;
  choose_blocks(j, cuts);
  /* Copying pays where an element is used some hundred times; of B, which is read across its rows, as soon as it
   * leaves the caches. */
  const bool far = g->k * g->b.pitch * cliv_dtype_size(g->dtype) > (1 << 19);
  const int wish_a = cuts ? cuts->pack_a : 0, wish_b = cuts ? cuts->pack_b : 0;
  const bool pack_a = wish_a ? wish_a > 0 : g->n >= 512;
  const bool pack_b = g->trans_b || (wish_b ? wish_b > 0 : far && g->m > 4 * ROWS);
  choose_round(j, pack_a, pack_b, cuts);
  if (pack_a) TRY(prepare_pack(j, !g->trans_a, j->rows, j->round_m, CLIV__SCRATCH_PACK_A, &j->pack_a, &j->room_a));
  if (pack_b) TRY(prepare_pack(j, g->trans_b, j->width, j->round_n, CLIV__SCRATCH_PACK_B, &j->pack_b, &j->room_b));
  char choices[64];
  snprintf(choices, sizeof choices, "%s%s", j->pack_a ? "-D A_PACKED " : "", j->pack_b ? "-D B_PACKED" : "");
  return get(j->ctx, g->dtype, "blas.cl gemm.cl", "gemm", choices, &j->kernel);
}

/* Whether the device runs such a group of the GPU walk: its items, and the local memory of its two tiles. */
static bool group_fits(const job *j, size_t group) {
  size_t side = 1;
  while (side * side < group) side *= 2;
  const size_t local = 2 * (side * TILE + 1) * DEPTH * cliv_dtype_size(j->g->dtype);
  return group <= j->ctx->facts.max_group_size && local <= j->ctx->facts.local_memory;
}

static cliv_status prepare_gpu(job *j, const cliv__cuts *cuts) {
  const cliv__gemm *g = j->g;
  size_t group = j->ctx->group_size ? j->ctx->group_size : 256;
  while (!j->ctx->group_size && group > 16 && !group_fits(j, group)) group /= 2;
  for (j->group_x = 1; j->group_x * j->group_x < group;) j->group_x *= 2;
  j->group_y = group / j->group_x;
  j->rows = j->group_y * TILE;
  j->width = j->group_x * TILE;
  choose_blocks(j, cuts);
  choose_round(j, false, false, cuts);
  char choices[96];
  snprintf(choices, sizeof choices, "-D GROUP_X=%zu -D GROUP_Y=%zu", j->group_x, j->group_y);
  return get(j->ctx, g->dtype, "blas.cl gemm.cl", "gemm", choices, &j->kernel);
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
  const cl_ulong panels = cliv__div_up(count, width), per = share(j->ctx, panels, 4), step = depth * width;
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
  cl_ulong b_first = g->b.first + p->k * g->b.pitch + p->j, b_columns = g->n - p->j, b_panel = j->width,
           b_step = g->b.pitch;
  if (j->pack_b) {
    b = j->room_b;
    b_first = (p->j - j->j) * p->depth;
    b_panel = p->depth * j->width;
    b_step = j->width;
  }
  const cl_uint parts = parts_of(j, p);
  cl_ulong sums_pitch;
  const cl_ulong sums_first = sums_of(j, p, &sums_pitch), c_first = g->c.first + p->i * g->c.pitch + p->j;
  const cl_ulong tiles = cliv__div_up(p->m, j->rows), panels = cliv__div_up(p->n, j->width);
  /* A work-item's rows of A are to stay in a core's second cache while its neighbours use them again. */
  const cl_ulong cached = most(1, ((cl_ulong)1 << 18) / (j->rows * p->depth * cliv_dtype_size(g->dtype)));
  const cl_ulong per = least(cached, most(1, tiles * panels / (8 * (cl_ulong)j->ctx->facts.compute_units)));
  const scalar alpha = scalar_of(g->dtype, g->alpha), beta = scalar_of(g->dtype, g->beta);
  return LAUNCH(j->ctx, j->kernel, RANGE2(panels, cliv__div_up(tiles, per), 1, 1), &p->sync, ARG(a), ARG(a_first),
                ARG(a_row), ARG(a_step), ARG(a_tile), ARG(b), ARG(b_first), ARG(b_columns), ARG(b_panel), ARG(b_step),
                ARG(j->sums), ARG(sums_first), ARG(sums_pitch), ARG(g->c.mem), ARG(c_first), ARG(g->c.pitch), ARG(p->m),
                ARG(p->n), ARG(p->depth), ARG(per), ARG_SCALAR(alpha), ARG_SCALAR(beta), ARG(parts));
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
  const scalar alpha = scalar_of(g->dtype, g->alpha), beta = scalar_of(g->dtype, g->beta);
  const cliv__range range = RANGE2(cliv__div_up(p->n, j->width) * j->group_x, cliv__div_up(p->m, j->rows) * j->group_y,
                                   j->group_x, j->group_y);
  return LAUNCH(j->ctx, j->kernel, range, &p->sync, ARG(g->a.mem), ARG(a_first), ARG(a_row), ARG(a_step), ARG(g->b.mem),
                ARG(b_first), ARG(b_column), ARG(b_step), ARG(j->sums), ARG(sums_first), ARG(sums_pitch), ARG(g->c.mem),
                ARG(c_first), ARG(g->c.pitch), ARG(p->m), ARG(p->n), ARG(p->depth), ARG_SCALAR(alpha), ARG_SCALAR(beta),
                ARG(parts));
}

/* The pieces of one block of k in this round. */
static cliv_status multiply_block(const job *j, cl_ulong k, cl_ulong depth) {
  const cliv__gemm *g = j->g;
  const cl_ulong m_end = j->i + j->m, n_end = j->j + j->n;
  const bool packed = j->pack_a || j->pack_b, first_round = j->i == 0 && j->j == 0,
             last_round = m_end == g->m && n_end == g->n;
  piece p = {.k = k, .depth = depth, .first = k == 0, .last = k + depth == g->k};
  for (p.j = j->j; p.j < n_end; p.j += p.n) {
    p.n = least(j->block_n, n_end - p.j);
    for (p.i = j->i; p.i < m_end; p.i += p.m) {
      p.m = least(j->block_m, m_end - p.i);
      p.sync = cliv__sync_part(j->sync, p.first && !packed && first_round && p.i == 0 && p.j == 0,
                               p.last && last_round && p.i + p.m == m_end && p.j + p.n == n_end);
      TRY(j->ctx->walk == CLIV_WALK_CPU ? multiply_cpu(j, &p) : multiply_gpu(j, &p));
    }
  }
  return CLIV_OK;
}

static cliv_status multiply_round(const job *j) {
  for (cl_ulong k = 0; k < j->g->k; k += j->block_k) {
    const cl_ulong depth = least(j->block_k, j->g->k - k);
    TRY(pack_block(j, k, depth));
    TRY(multiply_block(j, k, depth));
  }
  return CLIV_OK;
}

cliv_status cliv__exact_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *cuts, const cliv_sync *sync) {
  if ((g->n == 1 || g->m == 1) && !g->resumes && !(cuts && cuts->no_gemv)) {
    const cliv__gemv v = as_gemv(g);
    return cliv__exact_gemv(ctx, &v, cuts, sync);
  }
  job j = {.ctx = ctx, .g = g, .sync = sync};
  TRY(ctx->walk == CLIV_WALK_CPU ? prepare_cpu(&j, cuts) : prepare_gpu(&j, cuts));
  TRY(prepare_sums(&j));
  for (j.j = 0; j.j < g->n; j.j += j.n) {
    j.n = least(j.round_n, g->n - j.j);
    for (j.i = 0; j.i < g->m; j.i += j.m) {
      j.m = least(j.round_m, g->m - j.i);
      TRY(multiply_round(&j));
    }
  }
  return CLIV_OK;
}

static cliv_status exact_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv_sync *sync) {
  return cliv__exact_gemm(ctx, g, NULL, sync);
}

const cliv__blas_provider cliv__blas_exact = {"exact", exact_gemm, exact_gemv, exact_ger, exact_axpy};
