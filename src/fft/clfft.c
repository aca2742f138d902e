/* The provider `clfft`: a request as plans of clFFT's, with copies where something lies otherwise than they want it. */
#include "fft/provider.h"

#include "fft/clfft_plan.h"

#ifdef CLIV_HAVE_CLFFT

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fft/clfft_trial.h"
#include "runtime/axes.h"
#include "runtime/scratch.h"
#include "runtime/stage.h"
#include "runtime/tensor.h"

enum { PLANS = 32, TRIED_BATCH = 2, MOST_DIMS = 3, LEAST_LOCAL = 16 << 10 /* with less it ends the process */ };

/* ---- plans, kept with the context, the one used last first ---- */

struct cliv__clfft_entry {
  struct cliv__clfft_entry *next;
  cliv__clfft_plan plan;       /* its handle is 0 where it is not good */
  cliv__clfft_verdict verdict; /* GOOD or BAD … */
  bool alone;                  /* … of this batch, not of all */
  char why[CLIV__CLFFT_WHY];
};
typedef struct cliv__clfft_entry entry;

static void entry_free(entry *e) {
  cliv__clfft_drop(&e->plan);
  free(e);
}

static void drop_beyond(cliv_context *ctx, int kept) {
  entry **at = &ctx->clfft_plans;
  for (; *at && kept > 0; at = &(*at)->next) kept--;
  while (*at) {
    entry *const old = *at;
    *at = old->next;
    entry_free(old);
  }
}

static void plans_free(cliv_context *ctx) {
  drop_beyond(ctx, 0);
  cliv__clfft_release(ctx->context);
}

void cliv__fft_clfft_hold(cliv_context *ctx) {
  if (ctx->clfft_plans_free) return;
  cliv__clfft_hold();
  ctx->clfft_plans_free = plans_free;
}

/* `batch`: 0 for any. */
static bool is_of(const entry *e, const cliv__clfft_shape *shape, cl_ulong batch) {
  cliv__clfft_shape a = e->plan.shape, b = *shape;
  a.cured = b.cured = 0;
  if (batch == 0 && e->alone) return false;
  if (batch == 0) a.batch = b.batch = 0;
  return memcmp(&a, &b, sizeof a) == 0;
}

static entry *find(cliv_context *ctx, const cliv__clfft_shape *shape, cl_ulong batch) {
  for (entry **at = &ctx->clfft_plans; *at; at = &(*at)->next) {
    entry *const e = *at;
    if (!is_of(e, shape, batch)) continue;
    *at = e->next;
    e->next = ctx->clfft_plans;
    ctx->clfft_plans = e;
    return e;
  }
  return NULL;
}

/* The shape as a child tries it: of large ones one array. */
static cliv__clfft_shape tried_as(const cliv__clfft_shape *shape) {
  static const size_t large = (size_t)1 << 20; /* numbers */
  cliv__clfft_shape few = *shape;
  few.batch = 1;
  if (cliv__clfft_inputs(&few) <= large) few.batch = TRIED_BATCH;
  if (few.batch > shape->batch) few.batch = shape->batch;
  return few;
}

/* The plan, proven as it is; where there is no memory for that, with fewer arrays. */
static cliv__clfft_verdict make_proven(cliv_context *ctx, cl_command_queue queue, cliv__clfft_shape *shape,
                                       cliv__clfft_plan *out, char why[static CLIV__CLFFT_WHY]) {
  cliv__clfft_verdict verdict = cliv__clfft_prove(ctx->context, queue, shape, out, why);
  cliv__clfft_shape few = tried_as(shape);
  if (verdict != CLIV__CLFFT_PASSING || few.batch == shape->batch) return verdict;
  verdict = cliv__clfft_prove(ctx->context, queue, &few, NULL, why);
  shape->cured = few.cured;
  return verdict ? verdict : cliv__clfft_make(ctx->context, queue, shape, out, why);
}

/* Proves the shape and makes the plan: on a queue of its own, since what is on the caller's may wait for something that
 * only the caller will do. */
static cliv__clfft_verdict make(cliv_context *ctx, cliv__clfft_shape *shape, bool tried, bool careful, entry *e,
                                char why[static CLIV__CLFFT_WHY]) {
  cl_int code;
  cliv__clfft_shape trial = tried_as(shape);
  const cl_command_queue queue = clCreateCommandQueue(ctx->context, ctx->device, 0, &code);
  if (code) return snprintf(why, CLIV__CLFFT_WHY, "no queue to prove it on (%d)", (int)code), CLIV__CLFFT_PASSING;
  cliv__clfft_verdict verdict = tried ? CLIV__CLFFT_GOOD : cliv__clfft_try(ctx, &trial, careful, why);
  shape->cured = tried ? shape->cured : trial.cured;
  if (verdict == CLIV__CLFFT_GOOD) {
    verdict = make_proven(ctx, queue, shape, &e->plan, why);
    e->alone = verdict != CLIV__CLFFT_GOOD && shape->batch != trial.batch;
  }
  code = clFinish(queue); /* what a plan writes there for itself */
  if (code && verdict == CLIV__CLFFT_GOOD) {
    cliv__clfft_drop(&e->plan);
    snprintf(why, CLIV__CLFFT_WHY, "its tables could not be written (%d)", (int)code);
    verdict = CLIV__CLFFT_PASSING;
  }
  clReleaseCommandQueue(queue);
  return verdict;
}

/* Another plan of the shape, or that there is none. A lack of memory is no verdict, and not kept. */
static cliv__clfft_verdict add(cliv_context *ctx, cliv__clfft_shape *shape, bool tried, bool careful, entry **out,
                               char why[static CLIV__CLFFT_WHY]) {
  entry *const e = calloc(1, sizeof *e);
  if (!e) return strcpy(why, "no memory for a plan"), CLIV__CLFFT_PASSING;
  e->verdict = make(ctx, shape, tried, careful, e, why);
  if (e->verdict != CLIV__CLFFT_GOOD && e->verdict != CLIV__CLFFT_BAD) {
    const cliv__clfft_verdict none = e->verdict;
    free(e);
    return none;
  }
  if (e->verdict == CLIV__CLFFT_BAD) memcpy(e->why, why, sizeof e->why);
  e->plan.shape = *shape;
  e->next = ctx->clfft_plans;
  ctx->clfft_plans = e;
  *out = e;
  return e->verdict;
}

static cliv__clfft_verdict plan_of(cliv_context *ctx, cliv__clfft_shape *shape, bool careful,
                                   const cliv__clfft_plan **out, char why[static CLIV__CLFFT_WHY]) {
  entry *e = find(ctx, shape, shape->batch);
  if (!e) {
    const entry *const alike = find(ctx, shape, 0);
    if (alike && alike->verdict == CLIV__CLFFT_BAD) {
      memcpy(why, alike->why, CLIV__CLFFT_WHY);
      return CLIV__CLFFT_BAD;
    }
    if (alike) shape->cured = alike->plan.shape.cured;
    const cliv__clfft_verdict verdict = add(ctx, shape, alike != NULL, careful, &e, why);
    if (verdict) return verdict;
  }
  if (e->verdict == CLIV__CLFFT_BAD) memcpy(why, e->why, CLIV__CLFFT_WHY);
  *out = &e->plan;
  return e->verdict;
}

/* ---- steps: a plan each ---- */

typedef struct step {
  cliv__clfft_shape shape;
  cl_ulong outer, inner; /* lines: inner ones lie side by side; where there are such, copies stand before and behind */
  cliv__fft_place x, y;
  cl_mem from, to; /* what the plan reads and writes: x's and y's memory or parts of it; NULL: scratch memory */
  const cliv__clfft_plan *plan;
} step;

typedef struct job {
  const cliv__fft_request *q;
  step steps[CLIV_MAX_DIMS];
  int count;
  cl_mem parts[2 * CLIV_MAX_DIMS]; /* sub-buffers to be released */
  int part_count;
  size_t done, total; /* commands */
  cliv__clfft_verdict verdict;
  const step *bad;
  char why[CLIV__CLFFT_WHY];
} job;

static step *next_step(job *j, cliv__fft_form kind, cliv__fft_place x, cliv__fft_place y) {
  step *const s = &j->steps[j->count++];
  *s = (step){
      .shape = {.kind = kind, .inverse = j->q->o.inverse != 0, .scale = 1}, .outer = 1, .inner = 1, .x = x, .y = y};
  return s;
}

static void add_axis(job *j, cliv__fft_form kind, int axis, cliv__fft_place x, cliv__fft_place y) {
  const cliv__fft_axis a = cliv__fft_request_axis(j->q, axis, x, y, false);
  if (kind == CLIV__FFT_COMPLEX && a.length == 1) return;
  step *const s = next_step(j, kind, x, y);
  s->shape.dims = 1;
  s->shape.length[0] = a.length;
  s->shape.batch = a.outer * a.inner;
  s->outer = a.outer;
  s->inner = a.inner;
}

static cliv__fft_place place_of(const cliv_tensor *t) { return (cliv__fft_place){t->mem, cliv__first(t)}; }

/* An axis after the other, in fft.c's order. */
static cliv_status by_axes(cliv_context *ctx, job *j) {
  const cliv__fft_request *const q = j->q;
  const cliv__fft_place x = place_of(q->x), out = place_of(q->out);
  const int others = q->count - (q->kind != CLIV__FFT_COMPLEX), halved = q->axes[q->count - 1];
  j->count = 0;
  cliv__fft_place from = x, to = out;
  if (q->kind == CLIV__FFT_FROM_REAL) add_axis(j, CLIV__FFT_FROM_REAL, halved, x, out);
  if (q->kind == CLIV__FFT_TO_REAL && others) {
    to.first = 0;
    TRY(cliv__scratch(ctx, CLIV__SCRATCH_FFT_SPECTRUM, q->x->count * sizeof(float), &to.mem));
  }
  for (int i = 0; i < others; i++) {
    if (j->count) from = to;
    add_axis(j, CLIV__FFT_COMPLEX, q->axes[i], from, to);
  }
  if (j->count) from = to;
  if (q->kind == CLIV__FFT_TO_REAL) add_axis(j, CLIV__FFT_TO_REAL, halved, from, out);
  j->steps[j->count - 1].shape.scale = q->scale;
  return CLIV_OK;
}

/* All axes by one plan: where they are the last of the array, the halved one innermost, and no more than clFFT knows.
 * Axes of length 1 do not count. */
static bool at_once(job *j) {
  const cliv__fft_request *const q = j->q;
  unsigned asked = 0;
  int first = q->ndim, live = 0;
  for (int i = 0; i < q->count; i++)
    if (q->shape[q->axes[i]] > 1) asked |= 1u << q->axes[i], live++;
  while (first > 0 && (asked >> (first - 1) & 1 || q->shape[first - 1] == 1)) first--;
  if (live < 1 || live > MOST_DIMS || (asked & ((1u << first) - 1))) return false;
  if (q->kind != CLIV__FFT_COMPLEX && asked >> (q->axes[q->count - 1] + 1)) return false;
  j->count = 0;
  step *const s = next_step(j, q->kind, place_of(q->x), place_of(q->out));
  s->shape.scale = q->scale;
  s->shape.batch = 1;
  for (int d = 0; d < q->ndim; d++) {
    if (asked >> d & 1) s->shape.length[s->shape.dims++] = q->shape[d];
    else s->shape.batch *= q->shape[d];
  }
  s->outer = s->shape.batch;
  return true;
}

/* ---- memory ---- */

static size_t in_bytes(const step *s) { return cliv__clfft_inputs(&s->shape) * sizeof(float); }
static size_t out_bytes(const step *s) { return cliv__clfft_outputs(&s->shape) * sizeof(float); }

/* clFFT knows no offsets: a part of the memory that begins where the numbers do. NULL where the device's alignment, or
 * memory that is a part itself, does not allow it. */
static cl_mem part_of(job *j, cliv__fft_place p, size_t bytes, bool shared) {
  if (p.first == 0 && !shared) return p.mem;
  cl_int code;
  const cl_buffer_region region = {p.first * sizeof(float), bytes};
  const cl_mem part = clCreateSubBuffer(p.mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
  if (code != CL_SUCCESS) return NULL;
  j->parts[j->part_count++] = part;
  return part;
}

/* What the plan is to read and to write where they lie; the other is left NULL, for scratch memory. */
static void find_memory(job *j, step *s) {
  const bool one = s->x.mem == s->y.mem, same = one && s->x.first == s->y.first;
  /* The same numbers by another name: one command must not have both. */
  const bool named_twice = !one && cliv__same_place(j->q->x, j->q->out);
  if (s->inner > 1) return;
  /* Nor a memory object and a part of it. */
  s->from = part_of(j, s->x, in_bytes(s), one && !same);
  s->to = same ? s->from : named_twice ? NULL : part_of(j, s->y, out_bytes(s), one);
  s->shape.in_place = same && s->from;
}

/* Scratch memory grows and moves: all of it is asked for once before the first step, and then found. */
static cliv_status find_scratch(cliv_context *ctx, const step *s, cl_mem *from, cl_mem *to, cl_mem *room) {
  *from = s->from, *to = s->to, *room = NULL;
  if (!*from) TRY(cliv__scratch(ctx, CLIV__SCRATCH_FFT_A, in_bytes(s), from));
  if (!*to) TRY(cliv__scratch(ctx, CLIV__SCRATCH_FFT_B, out_bytes(s), to));
  return s->plan->room ? cliv__scratch(ctx, CLIV__SCRATCH_CLFFT, s->plan->room, room) : CLIV_OK;
}

/* Lines of `numbers` from a place, where they lie beside others, to dense memory, or back. */
static cliv_status copy_lines(cliv_context *ctx, const step *s, cliv__fft_place place, cl_mem dense, bool back,
                              size_t numbers, bool pairs, const cliv_sync *sync) {
  const bool whole = pairs && place.first % 2 == 0; /* pairs as elements of eight bytes */
  const size_t width = pairs && !whole ? 2 : 1, outer = s->inner > 1 ? s->outer : 1;
  const size_t n = s->inner > 1 ? numbers : numbers * s->outer, line = n * s->inner * width;
  const cliv_dtype dtype = whole ? CLIV_I64 : CLIV_F32;
  const cliv__axis all[] = {{outer, line, line, false},
                            {s->inner, width, n * width, false},
                            {n, s->inner * width, width, false},
                            {width, 1, 1, false}};
  cliv__axis axes[4];
  int count = 0;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (all[i].extent == 1) continue;
    axes[count] = all[i];
    if (back) axes[count].stride = all[i].stride_y, axes[count].stride_y = all[i].stride;
    count++;
  }
  const cliv__origin there = {place.mem, whole ? place.first / 2 : place.first}, here = {dense, 0};
  return cliv__copy_axes(ctx, dtype, back ? &here : &there, back ? &there : &here, axes, count, sync);
}

/* ---- running them ---- */

static cliv_sync next_sync(job *j, const cliv_sync *sync) {
  const size_t i = j->done++;
  return cliv__sync_part(sync, i == 0, i + 1 == j->total);
}

static cliv_status refuse(cliv_context *ctx, const step *s, cliv__clfft_verdict verdict, const char *why) {
  static const char *const kinds[] = {"complex numbers", "real numbers", "half-complex numbers"};
  char lengths[80];
  int at = 0;
  for (cl_ulong d = 0; d < s->shape.dims; d++)
    at += snprintf(lengths + at, sizeof lengths - (size_t)at, "%s%zu", d ? " × " : "", (size_t)s->shape.length[d]);
  return cliv__fail(
      ctx, verdict == CLIV__CLFFT_PASSING ? CLIV_DEVICE_MEMORY : CLIV_CLFFT,
      "clFFT cannot transform %zu times %s %s%s on device '%s': %s; the provider 'exact' may serve instead",
      (size_t)s->shape.batch, lengths, kinds[s->shape.kind], s->shape.in_place ? " in place" : "", ctx->facts.name,
      why);
}

static cliv_status run_plan(cliv_context *ctx, const step *s, cl_mem from, cl_mem to, cl_mem room,
                            const cliv_sync *sync) {
  char why[CLIV__CLFFT_WHY];
  cliv__order order;
  TRY(cliv__order_begin(ctx, sync, &order));
  const cliv__clfft_verdict verdict =
      cliv__clfft_run(s->plan, ctx->queue, order.wait_count, order.wait, order.event, from, to, room, why);
  if (verdict == CLIV__CLFFT_GOOD) return cliv__order_end(ctx, &order, CL_SUCCESS, "clfftEnqueueTransform");
  free(order.list);
  order.list = NULL;
  return refuse(ctx, s, verdict, why);
}

static cliv_status run_step(cliv_context *ctx, job *j, const step *s, const cliv_sync *sync) {
  cl_mem from, to, room;
  const cl_ulong kind = s->shape.kind;
  const size_t n = cliv__clfft_inputs(&s->shape) / s->shape.batch, m = cliv__clfft_outputs(&s->shape) / s->shape.batch;
  TRY(find_scratch(ctx, s, &from, &to, &room));
  if (!s->from) {
    const bool pairs = kind != CLIV__FFT_FROM_REAL;
    const cliv_sync part = next_sync(j, sync);
    TRY(copy_lines(ctx, s, s->x, from, false, pairs ? n / 2 : n, pairs, &part));
  }
  const cliv_sync part = next_sync(j, sync);
  TRY(run_plan(ctx, s, from, to, room, &part));
  if (s->to) return CLIV_OK;
  const bool pairs = kind != CLIV__FFT_TO_REAL;
  const cliv_sync last = next_sync(j, sync);
  return copy_lines(ctx, s, s->y, to, true, pairs ? m / 2 : m, pairs, &last);
}

/* Plans and memory of all steps; verdict and `bad` are of the first that cannot be done. */
static cliv_status prepare(cliv_context *ctx, job *j) {
  cl_mem from, to, room;
  j->total = 0;
  for (int i = 0; i < j->count; i++) {
    step *const s = &j->steps[i];
    find_memory(j, s);
    j->bad = s;
    j->verdict = plan_of(ctx, &s->shape, j->q->o.provider == CLIV_FFT_PROVIDER_AUTO, &s->plan, j->why);
    if (j->verdict) return CLIV_OK;
    TRY(find_scratch(ctx, s, &from, &to, &room));
    j->total += (size_t)1 + !s->from + !s->to;
  }
  return CLIV_OK;
}

static void release_parts(job *j) {
  while (j->part_count > 0) clReleaseMemObject(j->parts[--j->part_count]);
}

/* Several axes by one plan; where clFFT cannot do that (its cure for newer compilers reaches the first program of a
 * plan), by one each. */
static cliv_status settle(cliv_context *ctx, job *j) {
  if (at_once(j)) TRY(prepare(ctx, j));
  if (j->count == 0 || (j->verdict == CLIV__CLFFT_BAD && j->bad->shape.dims > 1)) {
    release_parts(j);
    TRY(by_axes(ctx, j));
    TRY(prepare(ctx, j));
  }
  return j->verdict ? refuse(ctx, j->bad, j->verdict, j->why) : CLIV_OK;
}

/* ---- the provider ---- */

cliv_status cliv__fft_clfft_takes(cliv_context *ctx, const cliv__fft_request *q) {
  REQUIRE(ctx, q->x->dtype == CLIV_F32, DTYPE,
          "%s: clFFT is asked for transforms of float32 only, not of %s; the provider 'exact' takes both", q->name,
          cliv_dtype_name(q->x->dtype));
  for (int i = 0; i < q->count; i++)
    REQUIRE(ctx, cliv__clfft_knows(q->shape[q->axes[i]]), SHAPE,
            "%s: clFFT transforms lengths of no other factors than 2, 3, 5, 7, 11 and 13, which %zu along axis %d is "
            "not; the provider 'exact' takes any",
            q->name, q->shape[q->axes[i]], q->axes[i]);
  const size_t count = q->x->count > q->out->count ? q->x->count : q->out->count;
  REQUIRE(ctx, count <= INT32_MAX, SHAPE,
          "%s: clFFT is not asked for arrays of 2^31 numbers and more, of which one here has %zu; the provider 'exact' "
          "takes any",
          q->name, count);
  REQUIRE(ctx, ctx->facts.local_memory > LEAST_LOCAL, CLFFT,
          "%s: clFFT wants more than %d bytes of local memory, of which device '%s' has %llu; the provider 'exact' "
          "takes any device",
          q->name, (int)LEAST_LOCAL, ctx->facts.name, (unsigned long long)ctx->facts.local_memory);
  return CLIV_OK;
}

/* What is only copied and scaled: no plan of clFFT's. */
static bool is_trivial(const cliv__fft_request *q) {
  for (int i = 0; i < q->count; i++)
    if (q->shape[q->axes[i]] > 1) return q->kind != CLIV__FFT_COMPLEX && q->shape[q->axes[q->count - 1]] == 1;
  return true;
}

static cliv_status begin(cliv_context *ctx, const cliv__fft_request *q) {
  TRY(cliv__fft_clfft_takes(ctx, q));
  if (is_trivial(q)) return CLIV_OK;
  REQUIRE(ctx, !cliv__staging(ctx), STATE, "%s: clFFT's launches cannot be held back until others are complete",
          q->name);
  cliv__fft_clfft_hold(ctx);
  drop_beyond(ctx, PLANS);
  return CLIV_OK;
}

cliv_status cliv__fft_clfft(cliv_context *ctx, const cliv__fft_request *q, const cliv_sync *sync) {
  job j = {.q = q};
  TRY(begin(ctx, q));
  if (is_trivial(q)) return cliv__fft_by_exact(ctx, q, sync);
  cliv_status status = settle(ctx, &j);
  for (int i = 0; !status && i < j.count; i++) status = run_step(ctx, &j, &j.steps[i], sync);
  if (status && j.done > 0) clFinish(ctx->queue); /* a part may have been enqueued */
  if (!status) ctx->fft_provider = CLIV_FFT_PROVIDER_CLFFT;
  release_parts(&j);
  return status;
}

cliv_status cliv__fft_clfft_ready(cliv_context *ctx, const cliv__fft_request *q) {
  job j = {.q = q};
  TRY(begin(ctx, q));
  const cliv_status status = is_trivial(q) ? CLIV_OK : settle(ctx, &j);
  release_parts(&j);
  return status;
}

#else

cliv_status cliv__fft_clfft_takes(cliv_context *ctx, const cliv__fft_request *q) {
  return cliv__fail(ctx, CLIV_NO_CLFFT,
                    "%s: this library was built without clFFT; configure it with -DCLIV_CLFFT=ON, or ask for the "
                    "provider 'exact'",
                    q->name);
}

cliv_status cliv__fft_clfft_ready(cliv_context *ctx, const cliv__fft_request *q) {
  return cliv__fft_clfft_takes(ctx, q);
}

void cliv__fft_clfft_hold(cliv_context *ctx) { (void)ctx; }

cliv_status cliv__fft_clfft(cliv_context *ctx, const cliv__fft_request *q, const cliv_sync *sync) {
  (void)sync;
  return cliv__fft_clfft_takes(ctx, q);
}

#endif
