/* Gradients before a rule sees them: their norm, clipping, the loss's scale, what is not finite. See cliv/optim.h. */
#include <cliv/reduce.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "optim/optim.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum { DEFAULT_INTERVAL = 2000, MOST_BETWEEN = 4096 /* bytes; an arena leaves less */ };
enum { FACTOR, STOP, BOUND, NORM, VERDICT }; /* as in cl/optim_control.cl */

/* One reduction: sums of squares of gradients that lie in one cl_mem. */
typedef struct cliv__norms {
  cliv_tensor *x;          /* from the first of them to the last */
  cliv_segments *segments; /* gradients, and what lies between them */
  cliv_tensor *out;        /* of the control's sums */
} norms;

/* ---- options ---- */

/* 0, which means none, or what a float and its reciprocal can be without being subnormal. */
#define LEAST 1e-30
#define MOST 1e30
static bool none_or_normal(double x) { return x == 0 || (x >= LEAST && x <= MOST); }

cliv_status cliv_optimizer_gradients(cliv_optimizer *o, const cliv_gradient_options *options) {
  REQUIRE_NOT_NULL(NULL, o);
  cliv_gradient_options g;
  TRY(OPTIONS(o->ctx, options, &g));
  REQUIRE(o->ctx, none_or_normal(g.scale) && none_or_normal(g.clip_norm) && none_or_normal(g.clip_value), VALUE,
          "the scale is %g, clip_norm %g, clip_value %g; each must be 0, or from 1e-30 to 1e30", g.scale, g.clip_norm,
          g.clip_value);
  REQUIRE(o->ctx, g.nonfinite >= CLIV_NONFINITE_PASS && g.nonfinite <= CLIV_NONFINITE_FAIL, VALUE,
          "nonfinite is %d; it must be a cliv_nonfinite", g.nonfinite);
  REQUIRE(o->ctx, g.growth == 0 || (g.growth >= 1 && g.growth <= 1e6), VALUE, "growth is %g; it must be 0, or 1 to 1e6",
          g.growth);
  REQUIRE(o->ctx, g.backoff >= 0 && g.backoff <= 1, VALUE, "backoff is %g; it must be from 0 to 1", g.backoff);
  REQUIRE(o->ctx, g.growth == 0 || g.nonfinite == CLIV_NONFINITE_SKIP, VALUE,
          "a scale that grows needs nonfinite to be CLIV_NONFINITE_SKIP");
  TRY(cliv__control_settle(o));
  if (g.scale == 0) g.scale = 1;
  if (g.backoff == 0) g.backoff = 0.5;
  if (g.interval == 0) g.interval = DEFAULT_INTERVAL;
  cliv__control *c = &o->control;
  const bool on = g.scale != 1 || g.clip_norm > 0 || g.clip_value > 0 || g.nonfinite || g.growth > 0;
  if (on != c->on) o->stale = c->stale = true; /* other kernels */
  c->on = on;
  c->options = g;
  c->scale = g.scale;
  c->good = c->skipped = 0;
  c->host[NORM] = NAN;
  return CLIV_OK;
}

/* The verdict to the host, without waiting. */
static cliv_status fetch(cliv_optimizer *o) {
  cliv__control *c = &o->control;
  cliv__order order;
  c->unread = false;
  TRY(cliv__order_begin(o->ctx, &(cliv_sync){0, NULL, &c->read}, &order));
  return cliv__order_end(o->ctx, &order,
                         clEnqueueReadBuffer(o->ctx->queue, c->verdict, CL_FALSE, 0, sizeof c->host, c->host,
                                             order.wait_count, order.wait, order.event),
                         "clEnqueueReadBuffer");
}

cliv_status cliv_optimizer_gradient_state(cliv_optimizer *o, cliv_gradient_state *out) {
  REQUIRE_NOT_NULL(NULL, o);
  REQUIRE_NOT_NULL(o->ctx, out);
  cliv__control *c = &o->control;
  const size_t size = out->size ? out->size : sizeof *out;
  REQUIRE(o->ctx, size >= offsetof(cliv_gradient_state, skipped) + sizeof out->skipped && size <= sizeof *out, VALUE,
          "the size of the state to fill is %zu; set it to sizeof(cliv_gradient_state), or to 0", out->size);
  if (c->unread) TRY(fetch(o));
  TRY(cliv__control_settle(o));
  const cliv_gradient_state now = {out->size, c->on ? c->scale : 1, c->on ? (double)c->host[NORM] : NAN, c->skipped};
  memcpy(out, &now, size);
  return CLIV_OK;
}

/* ---- what is made once for a set of parameters ---- */

static void free_passes(cliv__control *c) {
  for (size_t i = 0; i < c->pass_count; i++) {
    cliv_tensor_free(c->passes[i].x);
    cliv_tensor_free(c->passes[i].out);
    cliv_segments_free(c->passes[i].segments);
  }
  free(c->passes);
  cliv_tensor_free(c->sums);
  if (c->which) clReleaseMemObject(c->which);
  if (c->verdict) clReleaseMemObject(c->verdict);
  c->passes = NULL;
  c->pass_count = 0;
  c->sums = NULL;
  c->which = c->verdict = NULL;
}

void cliv__control_free(cliv_optimizer *o) {
  cliv__control *c = &o->control;
  if (c->read) clWaitForEvents(1, &c->read), clReleaseEvent(c->read);
  free_passes(c);
}

/* A gradient and the parameter that it is of. */
typedef struct gradient {
  const cliv_tensor *g;
  size_t param;
} gradient;

static bool looked_at(const cliv__param *x) { return x->g->count > 0 && !x->frozen; }

/* By memory, type, place. */
static int compare(const void *a, const void *b) {
  const gradient *x = a, *y = b;
  if (x->g->mem != y->g->mem) return (uintptr_t)x->g->mem < (uintptr_t)y->g->mem ? -1 : 1;
  if (x->g->dtype != y->g->dtype) return x->g->dtype < y->g->dtype ? -1 : 1;
  if (x->g->offset != y->g->offset) return x->g->offset < y->g->offset ? -1 : 1;
  return x->param < y->param ? -1 : x->param > y->param;
}

/* Whether b comes behind a, near enough for what lies between them to be read too. */
static bool follows(const cliv_tensor *a, const cliv_tensor *b) {
  const size_t end = a->offset + a->span;
  return a->mem == b->mem && a->dtype == b->dtype && b->offset >= end && b->offset - end <= MOST_BETWEEN;
}

/* How many of the sorted gradients, from the first on, one pass can take. */
static size_t run_length(const gradient *list, size_t count) {
  size_t n = 1;
  while (n < count && follows(list[n - 1].g, list[n].g)) n++;
  return n;
}

/* Gradients 0 … n - 1 of the list: segments 0, 2, … with what lies between them as 1, 3, …; sums from `first` on. */
static cliv_status make_pass(cliv_optimizer *o, const gradient *list, size_t n, size_t first, cl_uint *which) {
  norms *pass = &o->control.passes[o->control.pass_count++];
  const cliv_tensor *begin = list[0].g, *end = list[n - 1].g;
  const size_t count = 2 * n - 1, all = cliv__first(end) + end->count - cliv__first(begin);
  uint64_t *offsets = malloc((count + 1) * sizeof *offsets);
  REQUIRE(o->ctx, offsets != NULL, HOST_MEMORY, "no memory for %zu offsets", count + 1);
  for (size_t i = 0; i < n; i++) {
    offsets[2 * i] = cliv__first(list[i].g) - cliv__first(begin);
    offsets[2 * i + 1] = offsets[2 * i] + list[i].g->count;
    which[list[i].param] = (cl_uint)(first + 2 * i);
  }
  cliv_status status = cliv_segments_create(o->ctx, count, offsets, &pass->segments);
  free(offsets);
  if (!status) status = cliv_tensor_wrap(o->ctx, begin->mem, begin->offset, begin->dtype, 1, &all, &pass->x);
  return status ? status : cliv_tensor_view(o->control.sums, first, 1, &count, 0, &pass->out);
}

/* The sums that count, in the order of the parameters: those of no elements have none, nor have frozen ones. */
static cliv_status upload_which(cliv_optimizer *o, cl_uint *which) {
  cliv__control *c = &o->control;
  cl_int code;
  c->which_count = 0;
  for (size_t i = 0; i < o->param_count; i++)
    if (looked_at(&o->params[i])) which[c->which_count++] = which[i];
  TRY(cliv__upload(o->ctx, which, (c->which_count ? c->which_count : 1) * sizeof *which, "clCreateBuffer", &c->which));
  c->verdict = clCreateBuffer(o->ctx->context, CL_MEM_READ_WRITE, sizeof c->host, NULL, &code);
  CL_TRY(o->ctx, code, "clCreateBuffer");
  return CLIV_OK;
}

static cliv_status make_passes(cliv_optimizer *o, gradient *list, cl_uint *which) {
  cliv__control *c = &o->control;
  size_t count = 0, sums = 1, first = 0;
  for (size_t i = 0; i < o->param_count; i++)
    if (looked_at(&o->params[i])) list[count++] = (gradient){o->params[i].g, i};
  qsort(list, count, sizeof *list, compare);
  for (size_t i = 0, n; i < count; i += n, sums += 2 * n) n = run_length(list + i, count - i);
  TRY(cliv_tensor_create(o->ctx, CLIV_F32, 1, &sums, &c->sums));
  for (size_t i = 0, n; i < count; i += n, first += 2 * n) {
    n = run_length(list + i, count - i);
    TRY(make_pass(o, list + i, n, first, which));
  }
  return upload_which(o, which);
}

static cliv_status make(cliv_optimizer *o) {
  cliv__control *c = &o->control;
  free_passes(c);
  gradient *list = calloc(o->param_count + 1, sizeof *list);
  cl_uint *which = calloc(o->param_count + 1, sizeof *which);
  c->passes = calloc(o->param_count + 1, sizeof *c->passes);
  const cliv_status status = list && which && c->passes
                                 ? make_passes(o, list, which)
                                 : cliv__fail(o->ctx, CLIV_HOST_MEMORY, "no memory for %zu gradients", o->param_count);
  free(list);
  free(which);
  c->stale = status != CLIV_OK;
  return status;
}

/* ---- a step ---- */

static bool needs_norm(const cliv__control *c) { return c->options.clip_norm > 0 || c->options.nonfinite; }

static cliv_status judge(const cliv_optimizer *o, const cliv_sync *sync) {
  const cliv__control *c = &o->control;
  const cl_float inverse = (cl_float)(1 / c->scale);
  const cl_float most = c->options.clip_norm > 0 ? (cl_float)c->options.clip_norm : INFINITY;
  const cl_float bound = c->options.clip_value > 0 ? (cl_float)c->options.clip_value : INFINITY;
  const cl_uint watch = c->options.nonfinite != CLIV_NONFINITE_PASS, count = needs_norm(c) ? c->which_count : 0;
  cl_kernel kernel;
  TRY(cliv__kernel(o->ctx, "divide.cl optim_control.cl", "-D SINGLE", "optim_control", &kernel));
  return LAUNCH(o->ctx, kernel, RANGE1(1, 1), sync, ARG(c->sums->mem), ARG(c->which), ARG(count), ARG(inverse),
                ARG(most), ARG(bound), ARG(watch), ARG(c->verdict));
}

cliv_status cliv__control_enqueue(cliv_optimizer *o, const cliv_sync *sync) {
  cliv__control *c = &o->control;
  if (c->stale) TRY(make(o));
  const size_t passes = needs_norm(c) ? c->pass_count : 0;
  for (size_t i = 0; i < passes; i++) {
    const cliv_sync part = cliv__sync_part(sync, i == 0, false);
    TRY(cliv_reduce_over(o->ctx, "sumsq", &(cliv_over){.segments = c->passes[i].segments}, c->passes[i].x, NULL,
                         c->passes[i].out, &part));
  }
  TRY(judge(o, passes ? SYNC_NONE : SYNC_FIRST(sync)));
  c->unread = needs_norm(c);
  if (c->options.nonfinite == CLIV_NONFINITE_PASS) return CLIV_OK;
  TRY(fetch(o));
  if (c->options.nonfinite == CLIV_NONFINITE_SKIP) return CLIV_OK;
  TRY(cliv__control_settle(o));
  REQUIRE(o->ctx, c->host[STOP] == 0, DATA,
          "the gradients of step %llu are not finite; parameters and states are as before it",
          (unsigned long long)o->steps + 1);
  return CLIV_OK;
}

/* torch.amp.GradScaler's. */
static void rescale(cliv__control *c, bool skipped) {
  if (c->options.growth == 0) return;
  if (skipped) c->scale *= c->options.backoff, c->good = 0;
  else if (++c->good >= c->options.interval) c->scale *= c->options.growth, c->good = 0;
  c->scale = c->scale < LEAST ? LEAST : c->scale > MOST ? MOST : c->scale;
}

cliv_status cliv__control_wait(cliv_optimizer *o, bool *stop) {
  cliv__control *c = &o->control;
  if (c->read) CL_TRY(o->ctx, clWaitForEvents(1, &c->read), "clWaitForEvents");
  *stop = c->host[STOP] > 0;
  return CLIV_OK;
}

cliv_status cliv__control_settle(cliv_optimizer *o) {
  cliv__control *c = &o->control;
  const bool undecided = c->undecided;
  c->undecided = false;
  if (c->read) {
    const cl_int code = clWaitForEvents(1, &c->read);
    clReleaseEvent(c->read);
    c->read = NULL;
    if (code && undecided) cliv__step_untaken(o); /* what it waited for failed, and so did it */
    CL_TRY(o->ctx, code, "clWaitForEvents");
  }
  if (!undecided) return CLIV_OK;
  const bool skipped = c->host[STOP] > 0;
  if (skipped) cliv__step_untaken(o);
  c->skipped += skipped;
  rescale(c, skipped);
  return CLIV_OK;
}
