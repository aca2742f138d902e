/* Equations with triangles for many vectors, by cl/triangle_panels.cl; see triangle.h. */
#include <stdio.h>

#include "blas/triangle.h"
#include "runtime/scratch.h"

enum { BLOCK = CLIV__TRIANGLE_BLOCK };
enum { SPAN = 8 };       /* blocks of a launch: so much of the triangle is packed at a time */
enum { PACK_RUN = 256 }; /* as in cl/triangle_panels.cl */
/* Lines of a panel: as many as a core's second cache holds beside what of the triangle is on its way. */
enum { MOST_LINES = 1 << 13 };

/* X seen along the triangle. */
typedef struct equations {
  const cliv__triangle *t;
  const cliv__stack *x;
  cl_ulong n, vectors; /* lines; of them */
  cl_ulong t_row, t_column, x_step, x_vector, blocks, panels, tile_step;
  cl_uint rows, unit, down;
  cl_kernel pack, solve;
  cl_mem packed, room;
} equations;

static equations equations_of(const cliv__triangle *t, const cliv__stack *x) {
  const bool flipped = t->trans != t->right;
  equations e = {.t = t, .x = x, .n = t->t.rows, .unit = t->unit, .down = t->upper != flipped};
  e.vectors = t->right ? x->rows : x->columns;
  e.t_row = flipped ? 1 : t->t.pitch;
  e.t_column = flipped ? t->t.pitch : 1;
  e.x_step = t->right ? 1 : x->pitch;
  e.x_vector = t->right ? x->pitch : 1;
  e.blocks = cliv__div_up(e.n, BLOCK);
  e.panels = cliv__div_up(e.vectors, cliv__lanes(x->dtype));
  return e;
}

bool cliv__triangle_has_panels(const cliv_context *ctx, const cliv__triangle *t, const cliv__stack *x) {
  if (ctx->walk != CLIV_WALK_CPU || t->t.rows <= BLOCK || t->t.rows > MOST_LINES) return false;
  const equations e = equations_of(t, x);
  return e.vectors >= cliv__lanes(x->dtype) && x->count * e.panels >= ctx->facts.compute_units;
}

static cliv_status prepare(cliv_context *ctx, equations *e) {
  static const char files[] = "divide.cl blas.cl triangle_panels.cl";
  char choices[32];
  snprintf(choices, sizeof choices, "-D ROWS=%u", e->rows);
  const cliv_dtype dtype = e->x->dtype;
  const cl_ulong tiles = cliv__least(SPAN, e->blocks) * (BLOCK / e->rows), element = cliv_dtype_size(dtype);
  e->tile_step = cliv__round_up(e->n, BLOCK) * e->rows;
  TRY(cliv__blas_kernel(ctx, dtype, files, "pack", choices, &e->pack));
  TRY(cliv__blas_kernel(ctx, dtype, files, "solve", choices, &e->solve));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_PACK_A, e->x->count * tiles * e->tile_step * element, &e->packed));
  return cliv__scratch(ctx, CLIV__SCRATCH_TRIANGLE, e->x->count * e->panels * cliv__lanes(dtype) * e->n * element,
                       &e->room);
}

static cliv_status solve_span(cliv_context *ctx, const equations *e, cl_ulong first, cl_ulong last) {
  const cliv__stack *const t = &e->t->t, *const x = e->x;
  const cl_ulong tiles = (last - first) * (BLOCK / e->rows);
  const cl_ulong longest = cliv__least(e->n, last * BLOCK); /* of the span's rows */
  const cliv__range pack = {3, {tiles, cliv__div_up(longest, PACK_RUN), x->count}, {1, 1, 1}};
  TRY(LAUNCH(ctx, e->pack, pack, SYNC_NONE, ARG(t->mem), ARG(t->first), ARG(e->t_row), ARG(e->t_column), ARG(t->each),
             ARG(e->packed), ARG(e->tile_step), ARG(first), ARG(e->n), ARG(e->down)));
  return LAUNCH(ctx, e->solve, RANGE2(e->panels, x->count, 1, 1), SYNC_NONE, ARG(e->packed), ARG(e->tile_step),
                ARG(x->mem), ARG(x->first), ARG(e->x_step), ARG(e->x_vector), ARG(x->each), ARG(e->room), ARG(e->n),
                ARG(e->vectors), ARG(first), ARG(last), ARG(e->unit), ARG(e->down));
}

cliv_status cliv__triangle_solve_panels(cliv_context *ctx, const cliv__triangle *t, const cliv__stack *x) {
  equations e = equations_of(t, x);
  /* Sums that stay in registers: a vector is one of them, or two. */
  e.rows = ctx->facts.vector_width >= 16 ? 8 : 4;
  TRY(prepare(ctx, &e));
  for (cl_ulong j = 0; j < e.blocks; j += SPAN) TRY(solve_span(ctx, &e, j, cliv__least(j + SPAN, e.blocks)));
  return CLIV_OK;
}
