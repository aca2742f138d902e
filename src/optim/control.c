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

enum { DEFAULT_INTERVAL = 2000 };
enum { FACTOR, STOP, BOUND, NORM, VERDICT }; /* as in cl/optim_control.cl */

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
  REQUIRE(o->ctx, none_or_normal(g.clip_each) && none_or_normal(g.agc), VALUE,
          "clip_each is %g, agc %g; each must be 0, or from 1e-30 to 1e30", g.clip_each, g.agc);
  REQUIRE(o->ctx, g.smooth == 0 || (g.smooth >= 1e-30 && g.smooth <= 1000), VALUE,
          "smooth is %g; it must be 0, or from 1e-30 to 1000", g.smooth);
  REQUIRE(o->ctx, g.centralize == 0 || g.centralize == 1, VALUE, "centralize is %d; it must be 0 or 1", g.centralize);
  REQUIRE(o->ctx, g.nonfinite >= CLIV_NONFINITE_PASS && g.nonfinite <= CLIV_NONFINITE_FAIL, VALUE,
          "nonfinite is %d; it must be a cliv_nonfinite", g.nonfinite);
  REQUIRE(o->ctx, g.growth == 0 || (g.growth >= 1 && g.growth <= 1e6), VALUE, "growth is %g; it must be 0, or 1 to 1e6",
          g.growth);
  REQUIRE(o->ctx, g.backoff >= 0 && g.backoff <= 1, VALUE, "backoff is %g; it must be from 0 to 1", g.backoff);
  REQUIRE(o->ctx, g.growth == 0 || g.nonfinite == CLIV_NONFINITE_SKIP, VALUE,
          "a scale that grows needs nonfinite to be CLIV_NONFINITE_SKIP");
  const bool units = g.clip_each > 0 || g.agc > 0 || g.centralize;
  REQUIRE(
      o->ctx, !units || (o->precision.states != CLIV_U8 && o->precision.weights != CLIV__WEIGHTS_STOCHASTIC), VALUE,
      "clip_each, agc and centralize step by rows and tensors; states in 8 bits and stochastic weights go by blocks: "
      "use clip_norm or clip_value, or states in bfloat16 and another way to keep weights");
  TRY(cliv__control_settle(o));
  if (g.scale == 0) g.scale = 1;
  if (g.backoff == 0) g.backoff = 0.5;
  if (g.interval == 0) g.interval = DEFAULT_INTERVAL;
  cliv__control *c = &o->control;
  const bool on = units || g.scale != 1 || g.clip_norm > 0 || g.clip_value > 0 || g.nonfinite || g.growth > 0;
  const bool smooth = (g.smooth > 0) != (c->options.smooth > 0);
  if (on != c->on || units || cliv__by_units(c) || smooth) o->stale = c->stale = true; /* other kernels, other tables */
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
  cliv__passes_free(&c->passes);
  cliv__units_free(&c->units);
  cliv_tensor_free(c->sums);
  if (c->which) clReleaseMemObject(c->which);
  if (c->verdict) clReleaseMemObject(c->verdict);
  c->sums = NULL;
  c->which = c->verdict = NULL;
}

void cliv__control_free(cliv_optimizer *o) {
  cliv__control *c = &o->control;
  if (c->read) clWaitForEvents(1, &c->read), clReleaseEvent(c->read);
  free_passes(c);
}

/* The gradients of parameters that take part, in their order. */
typedef struct gradients {
  size_t count;
  size_t *params, *pieces;
  const cliv_tensor **list;
  cl_uint *which; /* the first result of each */
} gradients;

/* which: of each gradient, its sum among those that `judge` adds up. */
static cliv_status make_all(cliv_optimizer *o, gradients *g) {
  cliv__control *c = &o->control;
  cl_int code;
  for (size_t i = 0; i < o->param_count; i++) {
    if (!cliv__takes_part(o, i)) continue;
    g->pieces[g->count] = cliv__unit_count(o, i);
    g->list[g->count] = cliv__gradient(o, i);
    g->params[g->count++] = i;
  }
  TRY(cliv__passes_make(o->ctx, g->count, g->list, g->pieces, g->which, &c->passes));
  const size_t sums = c->passes.results ? c->passes.results : 1;
  TRY(cliv_tensor_create(o->ctx, CLIV_F32, 1, &sums, &c->sums));
  if (cliv__by_units(c)) {
    TRY(cliv__units_make(o, g->count, g->params, g->which));
    for (size_t i = 0; i < g->count; i++) g->which[i] = (cl_uint)i;
  }
  c->which_count = (cl_uint)g->count;
  TRY(cliv__upload(o->ctx, g->which, (g->count + 1) * sizeof *g->which, "clCreateBuffer", &c->which));
  c->verdict = clCreateBuffer(o->ctx->context, CL_MEM_READ_WRITE, sizeof c->host, NULL, &code);
  CL_TRY(o->ctx, code, "clCreateBuffer");
  return CLIV_OK;
}

static cliv_status make(cliv_optimizer *o) {
  cliv__control *c = &o->control;
  const size_t room = o->param_count + 1;
  gradients g = {.params = malloc(room * sizeof *g.params),
                 .pieces = malloc(room * sizeof *g.pieces),
                 .list = malloc(room * sizeof *g.list),
                 .which = calloc(room, sizeof *g.which)};
  free_passes(c);
  const cliv_status status = g.params && g.pieces && g.list && g.which
                                 ? make_all(o, &g)
                                 : cliv__fail(o->ctx, CLIV_HOST_MEMORY, "no memory for %zu gradients", o->param_count);
  free(g.params);
  free(g.pieces);
  free(g.list);
  free(g.which);
  c->stale = status != CLIV_OK;
  return status;
}

/* ---- a step ---- */

static cliv_status judge(const cliv_optimizer *o, const cliv_sync *sync) {
  const cliv__control *c = &o->control;
  const cl_float inverse = (cl_float)(1 / cliv__gradient_scale(o));
  const cl_float most = c->options.clip_norm > 0 ? (cl_float)c->options.clip_norm : INFINITY;
  const cl_float bound = c->options.clip_value > 0 ? (cl_float)c->options.clip_value : INFINITY;
  const cl_uint watch = c->options.nonfinite != CLIV_NONFINITE_PASS, count = cliv__needs_norm(c) ? c->which_count : 0;
  const cliv_tensor *sums = cliv__by_units(c) ? cliv__units_sums(o) : c->sums;
  cl_kernel kernel;
  TRY(cliv__kernel(o->ctx, "divide.cl optim_row.cl optim_sum.cl optim_control.cl", "-D SINGLE", "optim_control",
                   &kernel));
  return LAUNCH(o->ctx, kernel, RANGE1(1, 1), sync, ARG(sums->mem), ARG(c->which), ARG(count), ARG(inverse), ARG(most),
                ARG(bound), ARG(watch), ARG(c->verdict));
}

cliv_status cliv__control_enqueue(cliv_optimizer *o, const cliv_sync *sync) {
  cliv__control *c = &o->control;
  if (c->stale) TRY(make(o));
  const bool units = cliv__by_units(c), looks = units || cliv__needs_norm(c);
  if (units) TRY(cliv__units_enqueue(o, SYNC_FIRST(sync)));
  else if (looks) TRY(cliv__passes_run(o->ctx, &c->passes, "sumsq", c->sums, SYNC_FIRST(sync)));
  TRY(judge(o, looks ? SYNC_NONE : SYNC_FIRST(sync)));
  c->unread = cliv__needs_norm(c);
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
