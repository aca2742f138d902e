#include "optim/factors.h"

#include <stdio.h>
#include <stdlib.h>

#include "optim/optim.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum {
  TILE_ROWS = 64, /* as in cl/optim_factor.cl */
  TILE_COLUMNS = 256,
  BY_ROWS = 1,
  BY_COLUMNS = 2,
  GROUP_SIZE = 256,
  SMALL_GROUP = 64,
  RUNS_PER_UNIT = 8, /* as in plan.c */
  RUN_LEAST = 4096,
  RUN_ENOUGH = 32768,
  TILE_WEIGHT = 64,
  LENGTH_MAX = 1 << 30, /* of a line: what a chunk adds to it is within 32 bits */
  LINES_MAX = INT32_MAX /* of a parameter: so is what is added to a row's number */
};

/* As in cl/optim_factor.cl. */
typedef struct job {
  cl_ulong g, row_parts, column_parts, unit_length;
  cl_uint tile, rows, columns, between, what, line, unit, unused;
} job;

/* As in cl/optim_scales.cl. */
typedef struct list {
  cl_ulong first, parts, state;
  cl_uint length, count, line, column;
  cl_float elements;
  cl_uint unused;
} list;
typedef struct stack {
  cl_ulong state;
  cl_uint first, rows, apart, line;
} stack;

void cliv__factors_free(cliv__factors *f) {
  cliv_tensor *const tensors[] = {f->states, f->scales, f->parts};
  const cl_mem buffers[] = {f->jobs, f->runs, f->lists, f->stacks};
  for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) cliv_tensor_free(tensors[i]);
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
    if (buffers[i]) clReleaseMemObject(buffers[i]);
  free(f->launches);
  *f = (cliv__factors){0};
}

/* ---- states ---- */

static size_t row_numbers(const cliv__lattice *l) { return l->outer * l->rows * l->between * l->inner; }
static size_t column_numbers(const cliv__lattice *l) { return l->outer * l->between * l->columns * l->inner; }

cliv_status cliv__factors_check(const cliv_optimizer *o, const cliv_tensor *param, const double *hyper) {
  cliv__lattice l;
  if (!cliv__factored(o->rule, hyper, param->ndim, param->shape, &l)) return CLIV_OK;
  const size_t lines = l.outer * l.rows * l.between, length = l.columns * l.inner;
  REQUIRE(o->ctx, lines <= LINES_MAX && length <= LENGTH_MAX, SHAPE,
          "%s keeps rows and columns of a parameter of %zu lines of %zu elements; lines may be up to 2^31 - 1, their "
          "elements up to 2^30: give it to another optimizer",
          o->rule->info.name, lines, length);
  return CLIV_OK;
}

cliv_status cliv__factors_place(const cliv_optimizer *o, cliv__plan *plan) {
  size_t next = 0;
  for (size_t i = 0; o->rule->factors && i < o->param_count; i++) {
    const cliv_tensor *p = o->params[i].p;
    const double *hyper = cliv__hyper(o, o->params[i].group);
    cliv__factor_place *at = &plan->places[i].factors;
    TRY(cliv__factors_check(o, p, hyper));
    at->on = cliv__factored(o->rule, hyper, p->ndim, p->shape, &at->lattice);
    if (!at->on) continue;
    at->rows = next;
    at->columns = next + row_numbers(&at->lattice);
    next = at->columns + column_numbers(&at->lattice);
  }
  plan->factors.numbers = next;
  return CLIV_OK;
}

static bool same_place(const cliv__factor_place *a, const cliv__factor_place *b) {
  return a->on == b->on &&
         (!a->on || (a->rows == b->rows && a->columns == b->columns && a->lattice.row_axis == b->lattice.row_axis &&
                     a->lattice.column_axis == b->lattice.column_axis));
}

/* Of the same axes: it goes on with the numbers it has. */
static bool carries(const cliv__factor_place *from, const cliv__factor_place *to) {
  return from->on && to->on && from->lattice.row_axis == to->lattice.row_axis &&
         from->lattice.column_axis == to->lattice.column_axis;
}

static cliv_status carry(const cliv_optimizer *o, const cliv__plan *plan, size_t param) {
  const cliv__factor_place *from = &o->plan.places[param].factors, *to = &plan->places[param].factors;
  const size_t count = row_numbers(&to->lattice) + column_numbers(&to->lattice);
  cliv_tensor *a, *b = NULL;
  TRY(cliv_tensor_view(o->plan.factors.states, from->rows, 1, &count, 0, &a));
  cliv_status status = cliv_tensor_view(plan->factors.states, to->rows, 1, &count, 0, &b);
  if (!status) status = cliv_tensor_copy(a, b, NULL);
  cliv_tensor_free(a);
  cliv_tensor_free(b);
  return status;
}

/* Those of the plan in force where nothing moves, else new ones that go on with them. */
static cliv_status make_states(const cliv_optimizer *o, cliv__plan *plan) {
  cliv__factors *f = &plan->factors;
  const cliv__plan *old = &o->plan;
  bool same = old->factors.states && old->param_count == plan->param_count;
  for (size_t i = 0; same && i < plan->param_count; i++)
    same = same_place(&old->places[i].factors, &plan->places[i].factors);
  if (same) return cliv_tensor_view(old->factors.states, 0, 1, &f->numbers, 0, &f->states);
  TRY(cliv_tensor_create(o->ctx, CLIV_F32, 1, &f->numbers, &f->states));
  TRY(cliv_tensor_fill(f->states, 0, NULL));
  for (size_t i = 0; i < old->param_count && i < plan->param_count; i++)
    if (carries(&old->places[i].factors, &plan->places[i].factors)) TRY(carry(o, plan, i));
  return CLIV_OK;
}

cliv_status cliv__factors_view(const cliv_optimizer *o, size_t param, size_t state, cliv_tensor **view) {
  const cliv__factor_place *at = &o->plan.places[param].factors;
  const double *hyper = cliv__hyper(o, o->params[param].group);
  const cliv__shape shape = cliv__plane_shape(o->rule, o->params[param].p, hyper, state);
  const size_t first = cliv__state_shape(o->rule, state) == CLIV_STATE_ROW ? at->rows : at->columns;
  return cliv_tensor_view(o->plan.factors.states, first, shape.ndim, shape.axes, 0, view);
}

/* ---- tables ---- */

typedef struct tables {
  size_t job_count, list_count, stack_count, run_count, tiles;
  cl_ulong parts, entries, matrices;
  job *jobs;
  list *lists;
  stack *stacks;
  cl_uint *runs;
} tables;

static size_t tiles_across(const job *j) { return cliv__div_up(j->columns, TILE_COLUMNS); }
static size_t tiles_down(const job *j) { return cliv__div_up(j->rows, TILE_ROWS); }

/* Elements of a job's k-th tile. */
static size_t tile_size(const job *j, size_t k) {
  const size_t left = k % tiles_across(j) * TILE_COLUMNS, top = k / tiles_across(j) % tiles_down(j) * TILE_ROWS;
  const size_t wide = j->columns - left, tall = j->rows - top;
  return (wide < TILE_COLUMNS ? wide : TILE_COLUMNS) * (tall < TILE_ROWS ? tall : TILE_ROWS);
}

/* Room for a job's parts: it has `matrices` matrices. */
static job *add_job(tables *t, const job *what, size_t matrices) {
  job *j = &t->jobs[t->job_count++];
  *j = *what;
  j->tile = (cl_uint)t->tiles;
  t->tiles += matrices * tiles_down(j) * tiles_across(j);
  j->row_parts = t->parts;
  if (j->what & BY_ROWS) t->parts += matrices * j->rows * tiles_across(j);
  j->column_parts = t->parts;
  if (j->what & BY_COLUMNS) t->parts += matrices * tiles_down(j) * j->columns;
  return j;
}

static void add_list(tables *t, const list *what, size_t numbers) {
  list *l = &t->lists[t->list_count++];
  *l = *what;
  l->first = t->entries;
  t->entries += numbers;
}

/* What the rows of one parameter are, where elements of several lie side by side in a line (inner > 1): the columns of
 * matrices of its columns by inner. */
static void add_inner(tables *t, const job *common, const cliv__factor_place *at) {
  const cliv__lattice *l = &at->lattice;
  job rows = *common;
  rows.rows = (cl_uint)l->columns, rows.columns = (cl_uint)l->inner, rows.between = 1, rows.what = BY_COLUMNS;
  const job *j = add_job(t, &rows, l->outer * l->rows * l->between);
  add_list(t,
           &(list){.parts = j->column_parts,
                   .state = at->rows,
                   .length = (cl_uint)l->inner,
                   .count = (cl_uint)tiles_down(j),
                   .line = j->line,
                   .elements = (cl_float)l->columns},
           row_numbers(l));
}

static void add_param(const cliv_optimizer *o, const cliv__plan *plan, size_t param, size_t unit, tables *t) {
  const cliv__factor_place *at = &plan->places[param].factors;
  const cliv__lattice *l = &at->lattice;
  const job common = {.g = cliv__first(cliv__gradient(o, param)),
                      .unit_length = o->params[param].p->count / cliv__unit_count(o, param),
                      .rows = (cl_uint)l->rows,
                      .columns = (cl_uint)(l->columns * l->inner),
                      .between = (cl_uint)l->between,
                      .what = l->inner == 1 ? BY_ROWS | BY_COLUMNS : BY_COLUMNS,
                      .line = (cl_uint)plan->places[param].row,
                      .unit = (cl_uint)unit};
  const job *j = add_job(t, &common, l->outer * l->between);
  add_list(t,
           &(list){.parts = j->column_parts,
                   .state = at->columns,
                   .length = j->columns,
                   .count = (cl_uint)tiles_down(j),
                   .line = j->line,
                   .column = 1,
                   .elements = (cl_float)l->rows},
           column_numbers(l));
  if (l->inner == 1)
    add_list(t,
             &(list){.parts = j->row_parts,
                     .state = at->rows,
                     .length = 1,
                     .count = (cl_uint)tiles_across(j),
                     .line = j->line,
                     .elements = (cl_float)l->columns},
             row_numbers(l));
  else add_inner(t, &common, at);
  t->stacks[t->stack_count++] = (stack){.state = at->rows,
                                        .first = (cl_uint)t->matrices,
                                        .rows = (cl_uint)l->rows,
                                        .apart = (cl_uint)(l->between * l->inner),
                                        .line = (cl_uint)plan->places[param].row};
  t->matrices += l->outer * l->between * l->inner;
}

/* ---- launches ---- */

static cliv_status find_sums(const cliv_optimizer *o, cliv_dtype dtype, cl_kernel *out) {
  char options[160];
  snprintf(options, sizeof options, "-D RULE=%s -D P_T=f32 -D G_T=%s -D STATES=0 -D PREPARE%s%s", o->rule->function,
           dtype == CLIV_F16    ? "f16"
           : dtype == CLIV_BF16 ? "bf16"
                                : "f32",
           o->control.on ? " -D CONTROLLED" : "", cliv__by_units(&o->control) ? " -D UNITS" : "");
  return cliv__kernel(o->ctx,
                      "divide.cl fused.cl optim_math.cl optim_norm_ops.cl optim_row.cl optim.cl optim_factor.cl",
                      options, "optim_factor", out);
}

static cliv_status find_small(const cliv_optimizer *o, const char *kernel, cl_kernel *out) {
  char options[120];
  snprintf(options, sizeof options, "-D SINGLE -D RULE=%s%s", o->rule->function, o->control.on ? " -D CONTROLLED" : "");
  return cliv__kernel(o->ctx,
                      "divide.cl fused.cl optim_math.cl optim_norm_ops.cl optim_row.cl optim_sum.cl optim_scales.cl",
                      options, kernel, out);
}

/* From one job's first tile to the last of another, in runs of about equal weight. */
static void cut_runs(const cliv_optimizer *o, const tables *t, size_t from, size_t end, cl_uint *runs, size_t *count) {
  size_t total = 0, weight = 0, j = 0;
  while (j + 1 < t->job_count && t->jobs[j + 1].tile <= from) j++;
  for (size_t pass = 0; pass < 2; pass++) {
    size_t aim = total / ((size_t)o->ctx->facts.compute_units * RUNS_PER_UNIT + 1);
    aim = aim < RUN_LEAST ? RUN_LEAST : aim > RUN_ENOUGH ? RUN_ENOUGH : aim;
    for (size_t k = from, at = j; k < end; k++) {
      while (at + 1 < t->job_count && t->jobs[at + 1].tile <= k) at++;
      const size_t size = tile_size(&t->jobs[at], k - t->jobs[at].tile) + TILE_WEIGHT;
      if (pass == 0) total += size;
      else {
        if (weight == 0) runs[(*count)++] = (cl_uint)k;
        weight = weight + size >= aim ? 0 : weight + size;
      }
    }
  }
  runs[*count] = (cl_uint)end;
}

/* Tiles a launch: one at least, however little a launch may take. */
static size_t tiles_of_launch(const cliv_optimizer *o) {
  const size_t tiles = o->launch / (TILE_ROWS * TILE_COLUMNS);
  return tiles ? tiles : 1;
}

/* Tiles from `from` to `end`, of gradients in the buffer of parameter `param`. */
static cliv_status add_launches(const cliv_optimizer *o, cliv__plan *plan, size_t param, size_t from, size_t end,
                                tables *t) {
  cliv__factors *f = &plan->factors;
  const cliv_tensor *g = cliv__gradient(o, param);
  const size_t most = tiles_of_launch(o);
  cliv__factor_launch launch = {.g = g->mem, .local = cliv__group(o->ctx, GROUP_SIZE)};
  TRY(find_sums(o, g->dtype, &launch.kernel));
  for (size_t next; from < end; from = next) {
    next = end - from > most ? from + most : end;
    launch.first = (cl_uint)from;
    launch.count = (cl_uint)(next - from);
    if (t->runs) {
      launch.first = (cl_uint)t->run_count;
      cut_runs(o, t, from, next, t->runs, &t->run_count);
      launch.count = (cl_uint)t->run_count - launch.first;
    }
    f->launches[f->launch_count++] = launch;
  }
  return CLIV_OK;
}

static bool share_launch(const cliv_tensor *a, const cliv_tensor *b) {
  return a->mem == b->mem && a->dtype == b->dtype;
}

/* Jobs of all that take part, and a launch for those beside each other in one buffer. */
static cliv_status add_all(const cliv_optimizer *o, cliv__plan *plan, const size_t *order, size_t count,
                           const size_t *units, tables *t) {
  size_t *tile = malloc((count + 1) * sizeof *tile); /* the first of each, behind its other jobs */
  REQUIRE(o->ctx, tile != NULL, HOST_MEMORY, "no memory for the tiles of %zu tensors", count);
  for (size_t i = 0; i < count; i++) {
    tile[i] = t->tiles;
    if (plan->places[order[i]].factors.on) add_param(o, plan, order[i], units[order[i]], t);
  }
  tile[count] = t->tiles;
  cliv_status status = t->tiles < CL_UINT_MAX && t->matrices < CL_UINT_MAX
                           ? CLIV_OK
                           : cliv__fail(o->ctx, CLIV_DEVICE_LIMIT,
                                        "the parameters have %zu tiles of rows and columns, and may have 2^32 - 2: "
                                        "give some to another optimizer, or set min_dim_size_to_factor above the "
                                        "axes of those with many small matrices",
                                        t->tiles);
  const size_t most = t->tiles / tiles_of_launch(o) + count + 1;
  if (!status && o->ctx->walk == CLIV_WALK_CPU) t->runs = malloc((t->tiles + 1) * sizeof *t->runs);
  plan->factors.launches = calloc(most, sizeof *plan->factors.launches);
  if (!status && (!plan->factors.launches || (o->ctx->walk == CLIV_WALK_CPU && !t->runs)))
    status = cliv__fail(o->ctx, CLIV_HOST_MEMORY, "no memory for %zu tiles", t->tiles);
  for (size_t i = 0, next; !status && i < count; i = next) {
    const cliv_tensor *g = cliv__gradient(o, order[i]);
    for (next = i + 1; next < count && share_launch(g, cliv__gradient(o, order[next]));) next++;
    if (tile[i] < tile[next]) status = add_launches(o, plan, order[i], tile[i], tile[next], t);
  }
  free(tile);
  return status;
}

static cliv_status upload(const cliv_optimizer *o, const tables *t, cliv__factors *f) {
  const size_t parts = (size_t)t->parts;
  TRY(cliv__upload(o->ctx, t->jobs, t->job_count * sizeof *t->jobs, "clCreateBuffer", &f->jobs));
  TRY(cliv__upload(o->ctx, t->lists, t->list_count * sizeof *t->lists, "clCreateBuffer", &f->lists));
  TRY(cliv__upload(o->ctx, t->stacks, t->stack_count * sizeof *t->stacks, "clCreateBuffer", &f->stacks));
  if (t->run_count)
    TRY(cliv__upload(o->ctx, t->runs, (t->run_count + 1) * sizeof *t->runs, "clCreateBuffer", &f->runs));
  f->job_count = (cl_uint)t->job_count;
  f->list_count = (cl_uint)t->list_count;
  f->stack_count = (cl_uint)t->stack_count;
  f->matrices = (cl_uint)t->matrices;
  f->entries = t->entries;
  TRY(cliv_tensor_create(o->ctx, CLIV_F32, 1, &f->numbers, &f->scales));
  return cliv_tensor_create(o->ctx, CLIV_F32, 1, &parts, &f->parts);
}

/* The first unit of each parameter, as control.c numbers them. */
static size_t *number_units(const cliv_optimizer *o) {
  size_t *units = calloc(o->param_count + 1, sizeof *units);
  for (size_t i = 0, next = 0; units && i < o->param_count; i++) {
    units[i] = next;
    if (cliv__takes_part(o, i)) next += cliv__unit_count(o, i);
  }
  return units;
}

cliv_status cliv__factors_make(const cliv_optimizer *o, cliv__plan *plan, const size_t *order, size_t count) {
  cliv__factors *f = &plan->factors;
  cl_kernel kernel;
  if (f->numbers == 0) return CLIV_OK;
  TRY(make_states(o, plan));
  tables t = {.jobs = calloc(2 * count + 1, sizeof *t.jobs),
              .lists = calloc(2 * count + 1, sizeof *t.lists),
              .stacks = calloc(count + 1, sizeof *t.stacks)};
  size_t *units = number_units(o);
  cliv_status status =
      t.jobs && t.lists && t.stacks && units
          ? CLIV_OK
          : cliv__fail(o->ctx, CLIV_HOST_MEMORY, "no memory for the rows and columns of %zu tensors", count);
  if (!status) status = add_all(o, plan, order, count, units, &t);
  if (!status && t.job_count) status = upload(o, &t, f);
  if (!status && t.job_count) status = find_small(o, "optim_means", &kernel);
  free(t.jobs);
  free(t.lists);
  free(t.stacks);
  free(t.runs);
  free(units);
  return status;
}

cliv__chunk_lattice cliv__factors_at(const cliv__factor_place *place, size_t start) {
  const cliv__lattice *l = &place->lattice;
  const size_t length = l->columns * l->inner, matrices = l->outer * l->between;
  return (cliv__chunk_lattice){.rows = place->rows,
                               .columns = place->columns,
                               .line = (cl_uint)(start / length),
                               .at = (cl_uint)(start % length),
                               .length = (cl_uint)length,
                               .inner = (cl_uint)l->inner,
                               .per = matrices == 1 ? 0 : (cl_uint)(l->rows * l->between),
                               .between = (cl_uint)l->between};
}

/* ---- a step ---- */

static cliv_status add_up(const cliv_optimizer *o, const cliv__factor_launch *launch, const cliv_sync *sync) {
  const cliv__factors *f = &o->plan.factors;
  const bool runs = o->ctx->walk == CLIV_WALK_CPU;
  const size_t local = runs ? 1 : launch->local;
  cliv__arg args[10];
  size_t n = 0;
  args[n++] = ARG(launch->g);
  if (o->control.on) args[n++] = ARG(o->control.verdict);
  if (cliv__by_units(&o->control)) args[n++] = ARG(o->control.units.table);
  args[n++] = ARG(f->jobs);
  args[n++] = ARG(f->job_count);
  args[n++] = ARG(o->plan.scalars);
  if (runs) args[n++] = ARG(f->runs);
  args[n++] = ARG(launch->first);
  args[n++] = ARG(launch->count);
  args[n++] = ARG(f->parts->mem);
  return cliv__launch(o->ctx, launch->kernel, RANGE1(launch->count * local, local), sync, args, n);
}

static cliv_status take_means(const cliv_optimizer *o) {
  const cliv__factors *f = &o->plan.factors;
  cl_kernel kernel;
  cliv__arg args[8];
  size_t n = 0;
  TRY(find_small(o, "optim_means", &kernel));
  if (o->control.on) args[n++] = ARG(o->control.verdict);
  args[n++] = ARG(f->parts->mem);
  args[n++] = ARG(f->lists);
  args[n++] = ARG(f->list_count);
  args[n++] = ARG(f->entries);
  args[n++] = ARG(o->plan.scalars);
  args[n++] = ARG(f->states->mem);
  args[n++] = ARG(f->scales->mem);
  return cliv__launch(o->ctx, kernel, RANGE1((size_t)f->entries, cliv__group(o->ctx, SMALL_GROUP)), SYNC_NONE, args, n);
}

static cliv_status take_scales(const cliv_optimizer *o) {
  const cliv__factors *f = &o->plan.factors;
  const size_t local = o->ctx->walk == CLIV_WALK_CPU ? 1 : cliv__group(o->ctx, GROUP_SIZE);
  cl_kernel kernel;
  cliv__arg args[8];
  size_t n = 0;
  TRY(find_small(o, "optim_scales", &kernel));
  if (o->control.on) args[n++] = ARG(o->control.verdict);
  args[n++] = ARG(f->states->mem);
  args[n++] = ARG(f->stacks);
  args[n++] = ARG(f->stack_count);
  args[n++] = ARG(f->matrices);
  args[n++] = ARG(o->plan.scalars);
  args[n++] = ARG(f->scales->mem);
  return cliv__launch(o->ctx, kernel, RANGE1(f->matrices * local, local), SYNC_NONE, args, n);
}

cliv_status cliv__factors_enqueue(const cliv_optimizer *o, const cliv_sync *sync) {
  const cliv__factors *f = &o->plan.factors;
  for (size_t i = 0; i < f->launch_count; i++) {
    const cliv_sync part = cliv__sync_part(sync, i == 0, false);
    TRY(add_up(o, &f->launches[i], &part));
  }
  TRY(take_means(o));
  return take_scales(o);
}
