/* Units of gradients: centring, adaptive clipping, clipping tensor by tensor. See cliv/optim.h. */
#include "optim/units.h"

#include <cliv/reduce.h>
#include <stdlib.h>

#include "optim/optim.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

/* As in cl/optim_units.cl. */
enum { CENTRE = 1, MEASURE = 2, ADAPT = 4 };
typedef struct entry {
  cl_uint first, g, w, centred;
  cl_float size;
} entry;
enum { UNIT_FLOATS = 2, GROUP = 64 };

void cliv__units_free(cliv__units *u) {
  cliv__passes_free(&u->weights);
  cliv_segments_free(u->rows);
  cliv_tensor *const tensors[] = {u->means, u->sizes, u->left, u->totals, u->clipped};
  for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) cliv_tensor_free(tensors[i]);
  const cl_mem buffers[] = {u->table, u->owner, u->tensor};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
    if (buffers[i]) clReleaseMemObject(buffers[i]);
  *u = (cliv__units){0};
}

/* ---- what is made once for a set of parameters ---- */

static cliv_status floats(cliv_context *ctx, size_t count, cliv_tensor **out) {
  const size_t some = count ? count : 1;
  return cliv_tensor_create(ctx, CLIV_F32, 1, &some, out);
}

/* The host's tables on their way to the device. */
typedef struct tables {
  entry *tensor;
  cl_uint *owner, *sizes; /* sizes: the first of each weight's results */
  uint64_t *first;        /* unit of each tensor, then how many there are */
  size_t *pieces;
  const cliv_tensor **weights;
} tables;

static void tables_free(tables *t) {
  free(t->tensor);
  free(t->owner);
  free(t->sizes);
  free(t->first);
  free(t->pieces);
  free(t->weights);
}

static cliv_status no_memory(const cliv_optimizer *o, size_t units) {
  return cliv__fail(o->ctx, CLIV_HOST_MEMORY, "no memory for %zu units of gradients", units);
}

static void fill(const cliv_optimizer *o, size_t count, const size_t *params, const cl_uint *which, tables *t) {
  for (size_t i = 0; i < count; i++) {
    const cliv_tensor *g = o->params[params[i]].g;
    for (uint64_t k = t->first[i]; k < t->first[i + 1]; k++) t->owner[k] = (cl_uint)i;
    t->tensor[i] = (entry){.first = (cl_uint)t->first[i],
                           .g = which[i],
                           .w = t->sizes[i],
                           .centred = o->control.options.centralize && g->ndim > 1,
                           .size = (cl_float)(g->count / t->pieces[i])};
  }
}

/* Which unit each tensor begins with. */
static cliv_status count_units(cliv_optimizer *o, size_t count, const size_t *params, tables *t) {
  t->first = malloc((count + 1) * sizeof *t->first);
  t->pieces = malloc((count + 1) * sizeof *t->pieces);
  t->sizes = calloc(count + 1, sizeof *t->sizes);
  t->tensor = malloc((count + 1) * sizeof *t->tensor);
  t->weights = malloc((count + 1) * sizeof *t->weights);
  if (!t->first || !t->pieces || !t->sizes || !t->tensor || !t->weights) return no_memory(o, count);
  t->first[0] = 0;
  for (size_t i = 0; i < count; i++) {
    t->pieces[i] = cliv__unit_count(o, params[i]);
    t->weights[i] = o->params[params[i]].p;
    t->first[i + 1] = t->first[i] + t->pieces[i];
  }
  const size_t units = (size_t)t->first[count];
  REQUIRE(o->ctx, units < CL_UINT_MAX, DEVICE_LIMIT, "the gradients have more than 2^32 rows");
  t->owner = malloc((units + 1) * sizeof *t->owner);
  return t->owner ? CLIV_OK : no_memory(o, units);
}

static cliv_status make(cliv_optimizer *o, size_t count, const size_t *params, const cl_uint *which, tables *t) {
  const cliv_gradient_options *g = &o->control.options;
  cliv__units *u = &o->control.units;
  cliv_context *ctx = o->ctx;
  TRY(count_units(o, count, params, t));
  u->tensors = count;
  u->count = (size_t)t->first[count];
  if (g->agc > 0) {
    TRY(cliv__passes_make(ctx, count, t->weights, t->pieces, t->sizes, &u->weights));
    TRY(floats(ctx, u->weights.results, &u->sizes));
  }
  if (g->centralize) TRY(floats(ctx, o->control.passes.results, &u->means));
  TRY(floats(ctx, u->count, &u->left));
  if (u->count > count) {
    TRY(cliv_segments_create(ctx, count, t->first, &u->rows));
    TRY(floats(ctx, count, &u->totals));
  }
  if (g->clip_each > 0) TRY(floats(ctx, count, &u->clipped));
  fill(o, count, params, which, t);
  TRY(cliv__upload(ctx, t->tensor, (count + 1) * sizeof *t->tensor, "clCreateBuffer", &u->tensor));
  TRY(cliv__upload(ctx, t->owner, (u->count + 1) * sizeof *t->owner, "clCreateBuffer", &u->owner));
  cl_int code;
  u->table =
      clCreateBuffer(ctx->context, CL_MEM_READ_WRITE, (u->count + 1) * UNIT_FLOATS * sizeof(cl_float), NULL, &code);
  CL_TRY(ctx, code, "clCreateBuffer");
  return CLIV_OK;
}

cliv_status cliv__units_make(cliv_optimizer *o, size_t count, const size_t *params, const cl_uint *which) {
  tables t = {0};
  cliv__units_free(&o->control.units);
  const cliv_status status = make(o, count, params, which, &t);
  tables_free(&t);
  if (status) cliv__units_free(&o->control.units);
  return status;
}

/* ---- a step ---- */

static cl_uint what(const cliv__control *c) {
  const cliv_gradient_options *g = &c->options;
  const bool measure = g->agc > 0 || g->clip_each > 0 || cliv__needs_norm(c);
  return (g->centralize ? CENTRE : 0u) | (measure ? MEASURE : 0u) | (g->agc > 0 ? ADAPT : 0u);
}

static cl_mem memory(const cliv_tensor *t, const cliv_tensor *other) { return t ? t->mem : other->mem; }

static cliv_status decide(cliv_optimizer *o, cl_uint bits) {
  const cliv__control *c = &o->control;
  const cliv__units *u = &c->units;
  const cl_uint count = (cl_uint)u->count;
  const cl_float inverse = (cl_float)(1 / cliv__gradient_scale(o)), clip = (cl_float)c->options.agc;
  const cl_mem means = memory(u->means, c->sums), sizes = memory(u->sizes, c->sums);
  cl_kernel kernel;
  TRY(cliv__kernel(o->ctx, "divide.cl optim_units.cl", "-D SINGLE", "optim_units", &kernel));
  return LAUNCH(o->ctx, kernel, RANGE1(u->count, cliv__group(o->ctx, GROUP)), SYNC_NONE, ARG(means), ARG(c->sums->mem),
                ARG(sizes), ARG(u->tensor), ARG(u->owner), ARG(count), ARG(bits), ARG(inverse), ARG(clip),
                ARG(u->table), ARG(u->left->mem));
}

static cliv_status clip_each(cliv_optimizer *o) {
  const cliv__control *c = &o->control;
  const cliv__units *u = &c->units;
  const cl_uint count = (cl_uint)u->count;
  const cl_float inverse = (cl_float)(1 / cliv__gradient_scale(o)), most = (cl_float)c->options.clip_each;
  const cl_mem totals = memory(u->totals, u->left);
  cl_kernel kernel;
  TRY(cliv__kernel(o->ctx, "divide.cl optim_units.cl", "-D SINGLE", "optim_each", &kernel));
  return LAUNCH(o->ctx, kernel, RANGE1(u->count, cliv__group(o->ctx, GROUP)), SYNC_NONE, ARG(totals), ARG(u->tensor),
                ARG(u->owner), ARG(count), ARG(inverse), ARG(most), ARG(u->table), ARG(u->clipped->mem));
}

cliv_status cliv__units_enqueue(cliv_optimizer *o, const cliv_sync *sync) {
  const cliv__control *c = &o->control;
  const cliv__units *u = &c->units;
  const cl_uint bits = what(c);
  const bool centre = bits & CENTRE;
  if (centre) TRY(cliv__passes_run(o->ctx, &c->passes, "mean", u->means, sync));
  if (bits & MEASURE)
    TRY(cliv__passes_run(o->ctx, &c->passes, centre ? "var" : "sumsq", c->sums, centre ? SYNC_NONE : sync));
  if (bits & ADAPT) TRY(cliv__passes_run(o->ctx, &u->weights, "sumsq", u->sizes, SYNC_NONE));
  TRY(decide(o, bits));
  if (u->rows && (c->options.clip_each > 0 || cliv__needs_norm(c)))
    TRY(cliv_reduce_over(o->ctx, "sum", &(cliv_over){.segments = u->rows}, u->left, NULL, u->totals, SYNC_NONE));
  return c->options.clip_each > 0 ? clip_each(o) : CLIV_OK;
}

const cliv_tensor *cliv__units_sums(const cliv_optimizer *o) {
  const cliv__units *u = &o->control.units;
  return u->clipped ? u->clipped : u->totals ? u->totals : u->left;
}
