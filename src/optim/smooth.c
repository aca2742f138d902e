/* Laplacian smoothing of gradients. See cliv/optim.h and cl/optim_smooth.cl. */
#include "optim/smooth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dtype.h"
#include "optim/optim.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

/* As in cl/optim_smooth.cl. */
enum { PIECE = 496, GANG = 8 /* pieces of a work-item of the CPU walk */ };
typedef struct piece {
  cl_ulong g, x, count, at;
} piece;

enum { ALIGN = 64 /* elements, between tensors */, GROUP = 64 };

void cliv__smooth_free(cliv_optimizer *o) {
  cliv__smooth *s = &o->control.smooth;
  for (size_t i = 0; i < o->param_count; i++) {
    cliv_tensor_free(o->params[i].smoothed);
    o->params[i].smoothed = NULL;
  }
  cliv_tensor_free(s->all);
  if (s->pieces) clReleaseMemObject(s->pieces);
  free(s->runs);
  *s = (cliv__smooth){0};
}

/* ---- what is made once for a set of parameters ---- */

static bool together(const cliv_tensor *a, const cliv_tensor *b) { return a->mem == b->mem && a->dtype == b->dtype; }

static size_t pieces_of(const cliv_optimizer *o, size_t param) {
  return cliv__takes_part(o, param) ? cliv__div_up(o->params[param].g->count, PIECE) : 0;
}

/* Whether a parameter before it has its gradient in the same memory. */
static bool is_first(const cliv_optimizer *o, size_t param) {
  for (size_t i = 0; i < param; i++)
    if (cliv__takes_part(o, i) && together(o->params[i].g, o->params[param].g)) return false;
  return true;
}

static void add_pieces(const cliv_optimizer *o, size_t param, piece *list, cl_uint *count) {
  const cliv_tensor *g = o->params[param].g, *x = o->params[param].smoothed;
  for (size_t at = 0; at < g->count; at += PIECE)
    list[(*count)++] = (piece){cliv__first(g), cliv__first(x), g->count, at};
}

/* A table of all pieces, those of one launch beside each other. */
static void fill(const cliv_optimizer *o, cliv__smooth *s, piece *list) {
  for (size_t i = 0; i < o->param_count; i++) {
    if (!cliv__takes_part(o, i) || !is_first(o, i)) continue;
    cliv__smooth_run *run = &s->runs[s->run_count++];
    *run = (cliv__smooth_run){.g = o->params[i].g->mem, .dtype = o->params[i].g->dtype, .first = s->piece_count};
    for (size_t k = i; k < o->param_count; k++)
      if (cliv__takes_part(o, k) && together(o->params[i].g, o->params[k].g)) add_pieces(o, k, list, &s->piece_count);
    run->count = s->piece_count - run->first;
  }
}

static cliv_status make_views(cliv_optimizer *o, size_t elements) {
  cliv__smooth *s = &o->control.smooth;
  TRY(cliv_tensor_create(o->ctx, CLIV_F32, 1, &elements, &s->all));
  for (size_t i = 0, at = 0; i < o->param_count; i++) {
    const cliv_tensor *g = o->params[i].g;
    if (!cliv__takes_part(o, i)) continue;
    TRY(cliv_tensor_view(s->all, at, g->ndim, g->shape, 0, &o->params[i].smoothed));
    at += cliv__round_up(g->count, ALIGN);
  }
  return CLIV_OK;
}

static cliv_status make(cliv_optimizer *o) {
  cliv__smooth *s = &o->control.smooth;
  size_t elements = 0, pieces = 0;
  for (size_t i = 0; i < o->param_count; i++) {
    elements += cliv__takes_part(o, i) ? cliv__round_up(o->params[i].g->count, ALIGN) : 0;
    pieces += pieces_of(o, i);
  }
  if (elements == 0) return CLIV_OK;
  REQUIRE(o->ctx, pieces < CL_UINT_MAX, DEVICE_LIMIT, "%zu pieces of gradients are too many", pieces);
  TRY(make_views(o, elements));
  piece *list = malloc(pieces * sizeof *list);
  s->runs = calloc(o->param_count, sizeof *s->runs);
  cliv_status status =
      list && s->runs ? CLIV_OK : cliv__fail(o->ctx, CLIV_HOST_MEMORY, "no memory for %zu pieces", pieces);
  if (!status) fill(o, s, list);
  if (!status) status = cliv__upload(o->ctx, list, pieces * sizeof *list, "clCreateBuffer", &s->pieces);
  free(list);
  return status;
}

cliv_status cliv__smooth_make(cliv_optimizer *o) {
  const bool before = o->control.smooth.all;
  cliv__smooth_free(o);
  const cliv_status status = o->control.options.smooth > 0 ? make(o) : CLIV_OK;
  if (status) cliv__smooth_free(o);
  if (before || o->control.smooth.all) o->control.stale = true; /* norms are of other memory */
  return status;
}

/* ---- a step ---- */

/* The root; how many elements it takes to forget what was before: r^lead < 2^-30. */
static double root_of(double s, cl_uint *lead) {
  const double r = 2 * s / (1 + 2 * s + sqrt(1 + 4 * s));
  *lead = 1;
  for (double left = r; left >= 0x1p-30; left *= r) ++*lead;
  return r;
}

/* Pieces in one launch, whole gangs of them. */
static cl_uint most_pieces(const cliv_optimizer *o) {
  const size_t gangs = o->launch / PIECE / GANG;
  return GANG * (gangs ? (cl_uint)gangs : 1);
}

static cl_uint at_most(cl_uint count, cl_uint most) { return count < most ? count : most; }

static cliv__range range_of(const cliv_context *ctx, cl_uint pieces) {
  return ctx->walk == CLIV_WALK_CPU ? RANGE1(cliv__div_up(pieces, GANG), 1)
                                    : RANGE1((size_t)pieces, cliv__group(ctx, GROUP));
}

cliv_status cliv__smooth_enqueue(cliv_optimizer *o, const cliv_sync *sync) {
  const cliv__smooth *s = &o->control.smooth;
  const double strength = o->control.options.smooth;
  const cl_uint most = most_pieces(o);
  cl_uint lead;
  const double root = root_of(strength, &lead);
  const cl_float r = (cl_float)root, gain = (cl_float)((1 - root) * (1 - root));
  cl_mem y;
  cl_kernel kernel;
  TRY(cliv__scratch(o->ctx, CLIV__SCRATCH_SMOOTH, s->all->count * sizeof(float), &y));
  for (size_t i = 0; i < s->run_count; i++) {
    const cliv__smooth_run *run = &s->runs[i];
    char options[40];
    snprintf(options, sizeof options, "-D SINGLE -D G_T=%s", cliv__dtype_storage(run->dtype));
    TRY(cliv__kernel(o->ctx, "fused.cl optim_smooth.cl", options, "optim_smooth_up", &kernel));
    for (cl_uint at = 0; at < run->count; at += most) {
      const cliv_sync part = cliv__sync_part(sync, i == 0 && at == 0, false);
      const cl_uint first = run->first + at, count = at_most(run->count - at, most);
      TRY(LAUNCH(o->ctx, kernel, range_of(o->ctx, count), &part, ARG(run->g), ARG(s->pieces), ARG(first), ARG(count),
                 ARG(r), ARG(lead), ARG(y)));
    }
  }
  TRY(cliv__kernel(o->ctx, "fused.cl optim_smooth.cl", "-D SINGLE -D G_T=f32", "optim_smooth_down", &kernel));
  for (cl_uint first = 0; first < s->piece_count; first += most) {
    const cl_uint count = at_most(s->piece_count - first, most);
    TRY(LAUNCH(o->ctx, kernel, range_of(o->ctx, count), SYNC_NONE, ARG(y), ARG(s->pieces), ARG(first), ARG(count),
               ARG(r), ARG(lead), ARG(gain), ARG(s->all->mem)));
  }
  return CLIV_OK;
}
