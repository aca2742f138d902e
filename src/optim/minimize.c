/* The table of methods, their vectors, and the loop around them. See cliv/minimize.h. */
#include "optim/minimize.h"

#include <cliv/map.h>
#include <cliv/reduce.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/options.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/tensor.h"

static const cliv__method *const table[] = {&cliv__method_lbfgs,
                                            &cliv__method_newton,
                                            &cliv__method_newton_cg,
                                            &cliv__method_gauss_newton,
                                            &cliv__method_levenberg_marquardt,
                                            &cliv__method_polyak};
enum { METHODS = sizeof table / sizeof *table };

size_t cliv_minimizer_count(void) { return METHODS; }
const cliv_minimizer_info *cliv_minimizer_get(size_t index) { return index < METHODS ? &table[index]->info : NULL; }

static const cliv__method *find(const char *name) {
  for (size_t i = 0; name && i < METHODS; i++)
    if (!strcmp(table[i]->info.name, name)) return table[i];
  return NULL;
}

const cliv_minimizer_info *cliv_minimizer_find(const char *name) {
  const cliv__method *method = find(name);
  return method ? &method->info : NULL;
}

const char *cliv_stop_name(cliv_stop stop) {
  static const char *const stops[] = {
      [CLIV_STOP_GRADIENT] = "gradient", [CLIV_STOP_CHANGE] = "change",         [CLIV_STOP_PRECISION] = "precision",
      [CLIV_STOP_LOWEST] = "lowest",     [CLIV_STOP_ITERATIONS] = "iterations", [CLIV_STOP_EVALUATIONS] = "evaluations",
      [CLIV_STOP_CALLER] = "caller",
  };
  static const cliv__names names = CLIV__NAMES("reason to stop", stops);
  return cliv__name_of(&names, (int)stop);
}

/* ---- vectors ---- */

cliv_status cliv__vector(cliv__minimizer *m, size_t rows, size_t columns, cliv_tensor **out) {
  if (m->owned_count == m->owned_room) {
    const size_t room = m->owned_room ? 2 * m->owned_room : 16;
    cliv_tensor **owned = realloc(m->owned, room * sizeof *owned);
    REQUIRE(m->ctx, owned != NULL, HOST_MEMORY, "no memory for a list of %zu vectors", room);
    m->owned = owned;
    m->owned_room = room;
  }
  const size_t shape[2] = {rows, columns};
  TRY(cliv_tensor_create(m->ctx, CLIV_F32, columns ? 2 : 1, shape, out));
  m->owned[m->owned_count++] = *out;
  return CLIV_OK;
}

cliv_status cliv__along(cliv__minimizer *m, const cliv_tensor *x, double factor, size_t plus, size_t minus,
                        const cliv_tensor *y, cliv_tensor *out) {
  cliv_context *ctx = m->ctx;
  cl_kernel kernel;
  if (x->count == 0) return CLIV_OK;
  TRY(cliv__kernel(ctx, "divide.cl fused.cl minimize.cl", "", "along", &kernel));
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  const cl_ulong n = x->count, x_first = cliv__first(x), y_first = cliv__first(y), out_first = cliv__first(out);
  const cl_ulong each = cliv__share(ctx, n);
  const cl_uint from = (cl_uint)plus, less = (cl_uint)minus;
  const float by = (float)factor;
  return LAUNCH(ctx, kernel, RANGE1(cliv__div_up(n, each), cpu ? 1 : cliv__group(ctx, 64)), NULL, ARG(x->mem),
                ARG(x_first), ARG(y->mem), ARG(y_first), ARG(out->mem), ARG(out_first), ARG(n), ARG(each),
                ARG(m->numbers->mem), ARG(from), ARG(less), ARG(by));
}

cliv_status cliv__add(cliv__minimizer *m, const cliv_tensor *x, double factor, const cliv_tensor *y, cliv_tensor *out) {
  return cliv__along(m, x, factor, CLIV__ONE, CLIV__ZERO, y, out);
}

cliv_status cliv__times(cliv__minimizer *m, double factor, const cliv_tensor *x, cliv_tensor *out) {
  return cliv_map_scalar(m->ctx, "mul", x, factor, out, NULL);
}

static cliv_status reduce(cliv__minimizer *m, const char *op, const cliv_tensor *x, const cliv_tensor *y, size_t at) {
  cliv_tensor *number;
  TRY(cliv_tensor_view(m->numbers, at, 0, NULL, 0, &number));
  const cliv_status status =
      x->count ? cliv_reduce(m->ctx, op, CLIV_ALL_AXES, x, y, number, NULL) : cliv_tensor_fill(number, 0, NULL);
  cliv_tensor_free(number);
  return status;
}

cliv_status cliv__dot(cliv__minimizer *m, const cliv_tensor *x, const cliv_tensor *y, size_t at) {
  return reduce(m, "dot_compensated", x, y, at);
}

cliv_status cliv__norm(cliv__minimizer *m, const char *op, const cliv_tensor *x, size_t at) {
  return reduce(m, op, x, NULL, at);
}

cliv_status cliv__fetch(cliv__minimizer *m, size_t first, size_t count, double *out) {
  float numbers[8];
  cliv_tensor *view;
  TRY(cliv_tensor_view(m->numbers, first, 1, &count, 0, &view));
  const cliv_status status = cliv_tensor_read(view, numbers, count * sizeof *numbers);
  cliv_tensor_free(view);
  for (size_t i = 0; i < count && !status; i++) out[i] = (double)numbers[i];
  return status;
}

/* ---- the objective ---- */

cliv_status cliv__evaluate(cliv__minimizer *m, cliv_tensor *g, double *f) {
  m->result->evaluations++;
  return m->method->squares ? cliv__evaluate_squares(m, g, f) : m->objective.value(m->objective.with, m->x, g, f);
}

cliv_status cliv__hessian_product(cliv__minimizer *m, const cliv_tensor *v, cliv_tensor *out) {
  m->result->products++;
  return m->objective.hessian_product(m->objective.with, m->x, v, out);
}

void cliv__end(cliv__minimizer *m, cliv_stop stop) {
  m->ended = true;
  m->result->stop = stop;
}

double cliv__inner_tolerance(double square, double most) {
  const double norm = sqrt(square), root = sqrt(norm);
  return (root < most ? root : most) * norm;
}

size_t cliv__inner_iterations(const cliv__minimizer *m) {
  const size_t twice = 2 * m->n;
  return m->options.inner_iterations ? m->options.inner_iterations : twice < 20 ? 20 : twice > 200 ? 200 : twice;
}

/* ---- the loop ---- */

/* Takes value and gradient at x into the result. */
static cliv_status measure(cliv__minimizer *m) {
  m->result->value = m->f;
  TRY(cliv__norm(m, "amax", m->g, CLIV__WORK));
  return cliv__fetch(m, CLIV__WORK, 1, &m->result->gradient);
}

/* Whether it is done after an iteration that began at the value `before`. */
static bool done(cliv__minimizer *m, double before) {
  const cliv_minimize_options *o = &m->options;
  cliv_minimize_result *r = m->result;
  if (r->gradient <= o->gradient_tolerance) cliv__end(m, CLIV_STOP_GRADIENT);
  else if (r->iterations >= o->max_iterations) cliv__end(m, CLIV_STOP_ITERATIONS);
  else if (o->max_evaluations && r->evaluations >= o->max_evaluations) cliv__end(m, CLIV_STOP_EVALUATIONS);
  else if (r->step <= o->change_tolerance || fabs(m->f - before) < o->change_tolerance) cliv__end(m, CLIV_STOP_CHANGE);
  return m->ended;
}

static cliv_status loop(cliv__minimizer *m) {
  cliv_minimize_result *r = m->result;
  TRY(cliv__evaluate(m, m->g, &m->f));
  m->fresh = true;
  TRY(measure(m));
  REQUIRE(m->ctx, isfinite(m->f) && isfinite(r->gradient), DATA,
          "%s: where it begins the objective is %g and the greatest magnitude in its gradient %g; begin where both are "
          "finite",
          m->method->info.name, m->f, r->gradient);
  if (r->gradient <= m->options.gradient_tolerance) cliv__end(m, CLIV_STOP_GRADIENT);
  while (!m->ended) {
    const double before = m->f;
    TRY(m->method->iterate(m));
    if (m->ended) break;
    r->iterations++;
    TRY(measure(m));
    REQUIRE(m->ctx, isfinite(m->f) && isfinite(r->gradient), DATA,
            "%s: after %zu iterations the objective is %g and the greatest magnitude in its gradient %g; take a "
            "smaller lr, or a line search",
            m->method->info.name, r->iterations, m->f, r->gradient);
    const bool enough = m->options.each && m->options.each(m->options.user, r, m->x);
    if (!done(m, before) && enough) cliv__end(m, CLIV_STOP_CALLER);
  }
  return CLIV_OK;
}

/* ---- the call ---- */

static cliv_status fail_name(cliv_context *ctx, const char *name) {
  char names[256] = "";
  for (size_t i = 0; i < METHODS; i++)
    snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", table[i]->info.name);
  return cliv__fail(ctx, CLIV_NAME, "there is no method '%s' to minimize by; the methods are %s", name, names);
}

/* A float, as the factor of a vector; and times the largest Jacobian's squares far from the end of double. */
static const double MOST_DAMPING = 1e38;

static bool positive(double value) { return value > 0 && isfinite(value); }

/* Fills in defaults. */
static cliv_status check_options(cliv_context *ctx, cliv_minimize_options *o) {
  struct {
    const char *name;
    double *value, initial;
  } const numbers[] = {{"gradient_tolerance", &o->gradient_tolerance, 1e-7},
                       {"change_tolerance", &o->change_tolerance, 1e-9},
                       {"lr", &o->lr, 1},
                       {"share", &o->share, 1},
                       {"max_step", &o->max_step, 3e38}};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (*numbers[i].value == 0) *numbers[i].value = numbers[i].initial;
    REQUIRE(ctx, positive(*numbers[i].value), VALUE, "%s must be above 0 and finite, or 0 for its default, not %g",
            numbers[i].name, *numbers[i].value);
  }
  REQUIRE(ctx, o->search == CLIV_SEARCH_WOLFE || o->search == CLIV_SEARCH_NONE, VALUE, "there is no search %d",
          (int)o->search);
  REQUIRE(ctx, o->damping >= 0 && o->damping <= MOST_DAMPING, VALUE, "damping must be 0 to %g, not %g", MOST_DAMPING,
          o->damping);
  REQUIRE(ctx, isfinite(o->lowest), VALUE, "lowest must be finite, not %g", o->lowest);
  REQUIRE(ctx, o->history <= 1000000, VALUE, "a history of %zu steps: at most 1000000 are kept", o->history);
  if (!o->history) o->history = 100;
  if (!o->max_iterations) o->max_iterations = 100;
  return CLIV_OK;
}

static cliv_status prepare(cliv__minimizer *m, const cliv_tensor *x) {
  const float constants[2] = {0, 1};
  cliv_tensor *two;
  TRY(cliv_tensor_view(x, 0, 1, &m->n, 0, &m->x));
  TRY(cliv__vector(m, CLIV__KEPT + m->method->kept * m->options.history, 0, &m->numbers));
  TRY(cliv_tensor_view(m->numbers, 0, 1, (const size_t[]){2}, 0, &two));
  const cliv_status status = cliv_tensor_write(two, constants, sizeof constants);
  cliv_tensor_free(two);
  TRY(status);
  TRY(cliv__vector(m, m->n, 0, &m->origin));
  TRY(cliv__vector(m, m->n, 0, &m->start));
  TRY(cliv__vector(m, m->n, 0, &m->slopes[0]));
  m->g = m->slopes[0];
  return cliv_tensor_copy(m->x, m->origin, NULL);
}

static void release(cliv__minimizer *m) {
  for (size_t i = 0; i < m->owned_count; i++) cliv_tensor_free(m->owned[i]);
  free(m->owned);
  cliv_tensor_free(m->x);
}

static cliv_status run(cliv__minimizer *m, cliv_tensor *x) {
  cliv_status status = prepare(m, x);
  const bool prepared = !status;
  if (!status) status = m->method->begin(m);
  if (!status) status = loop(m);
  if (status && prepared) { /* x as it was; the sentence is that of the failure */
    const cliv__error held = cliv__error_hold(m->ctx);
    const cliv_status restored = cliv_tensor_copy(m->origin, m->x, NULL);
    cliv__error_restore(m->ctx, &held);
    (void)restored; /* a device that fails has nothing to restore */
  }
  m->method->end(m);
  return status;
}

/* A result of this version's, of which the caller's has the first `size` bytes: zeros. */
static cliv_status empty_result(cliv_context *ctx, cliv_minimize_result *result, cliv_minimize_result *own) {
  const size_t size = result->size ? result->size : sizeof *result;
  REQUIRE(ctx, size >= offsetof(cliv_minimize_result, stop) + sizeof result->stop && size <= sizeof *result, VALUE,
          "the size of the result to fill is %zu; set it to sizeof(cliv_minimize_result), or to 0", result->size);
  memset(own, 0, sizeof *own); /* what is between members too: it is copied */
  own->size = result->size;
  memcpy(result, own, size);
  return CLIV_OK;
}

cliv_status cliv_minimize(cliv_context *ctx, const char *method, const cliv_objective *objective, cliv_tensor *x,
                          const cliv_minimize_options *options, cliv_minimize_result *result) {
  char text[160];
  cliv_minimize_result made;
  REQUIRE_NOT_NULL(ctx, result);
  TRY(empty_result(ctx, result, &made));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, method);
  REQUIRE_NOT_NULL(ctx, objective);
  REQUIRE_NOT_NULL(ctx, x);
  cliv__minimizer m = {.ctx = ctx, .method = find(method), .n = x->count, .result = &made};
  if (!m.method) return fail_name(ctx, method);
  TRY(OPTIONS(ctx, objective, &m.objective));
  TRY(OPTIONS(ctx, options, &m.options));
  TRY(check_options(ctx, &m.options));
  const char *lacks = m.method->lacks(&m.objective);
  REQUIRE(ctx, !lacks, VALUE, "%s needs %s of its objective: %s is NULL", method, m.method->info.needs, lacks);
  REQUIRE_TENSORS(ctx, x);
  REQUIRE(ctx, x->dtype == CLIV_F32, DTYPE, "%s takes a float32 x, not %s", method, cliv__describe(x, text));
  REQUIRE(ctx, cliv__dense(x), LAYOUT, "%s takes a dense x, not one with pitch %zu: %s", method, x->pitch,
          cliv__describe(x, text));
  REQUIRE(ctx, x->count <= UINT32_MAX, VALUE, "%s takes at most 2^32 - 1 elements, not %s", method,
          cliv__describe(x, text));
  const cliv_status status = run(&m, x);
  release(&m);
  if (!status) memcpy(result, &made, made.size ? made.size : sizeof made);
  return status;
}
