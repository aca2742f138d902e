/* Steps of optimizers: AdamW against a hand-written native loop, once over one tensor, once over a thousand in one
 * launch, where the native loop has them in one piece; and each rule of one pass against its own text compiled as C. */
#include <cliv/optim.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "native.h"
#include "native_rules.h"
#include "optim/rules.h"
#include "runtime/svm.h"

/* Where tensors lie: in an arena for parameters and one for gradients, or each by itself, in a cl_mem or in an
 * allocation of shared virtual memory. */
typedef enum place { ARENA, BUFFERS, SVM } place;

/* Weights start from the shared data's first array, gradients are its second. */
typedef struct steps {
  cliv_context *ctx;
  cliv_optimizer *optimizer;
  cliv_tensor **p, **g;
  place place;
  void **svm;
  size_t count, each, n; /* tensors, elements of one, of all */
  const float *p0, *g0;
  float *got;
  native_adamw adamw;
  float *copy[2]; /* as many bytes as a step moves, copied from the one to the other */
  size_t copied;
  native_step native;
  const native_rule *rule;
} steps;

static void ours(void *arg) {
  steps *s = arg;
  BENCH_OK(s->ctx, cliv_optimizer_step(s->optimizer, NULL));
  BENCH_OK(s->ctx, cliv_context_finish(s->ctx));
}

static float *zeros(size_t n) {
  float *x = bench_alloc(n * sizeof(float));
  memset(x, 0, n * sizeof(float));
  return x;
}

static void make_arenas(steps *s) {
  int *ndims = bench_alloc(s->count * sizeof *ndims);
  size_t *shapes = bench_alloc(s->count * sizeof *shapes);
  for (size_t i = 0; i < s->count; i++) {
    ndims[i] = 1;
    shapes[i] = s->each;
  }
  BENCH_OK(s->ctx, cliv_arena_create(s->ctx, CLIV_F32, s->count, ndims, shapes, s->p));
  BENCH_OK(s->ctx, cliv_arena_create(s->ctx, CLIV_F32, s->count, ndims, shapes, s->g));
  free(ndims), free(shapes);
}

/* Tensor i of all: parameters, then gradients. */
static void make_apart(const steps *s, size_t i, cliv_tensor **out) {
  if (s->place == BUFFERS) {
    BENCH_OK(s->ctx, cliv_tensor_create(s->ctx, CLIV_F32, 1, &s->each, out));
    return;
  }
  BENCH_OK(s->ctx, cliv__svm_allocate(s->ctx, s->each * sizeof(float), &s->svm[i]));
  BENCH_OK(s->ctx, cliv_tensor_wrap_svm(s->ctx, s->svm[i], 0, CLIV_F32, 1, &s->each, out));
}

/* `count` tensors of `each` elements. */
static void add_tensors(steps *s) {
  const size_t bytes = s->each * sizeof(float);
  if (s->place == ARENA) make_arenas(s);
  if (s->place == SVM) s->svm = bench_alloc(2 * s->count * sizeof *s->svm);
  for (size_t i = 0; s->place != ARENA && i < s->count; i++) {
    make_apart(s, i, &s->p[i]);
    make_apart(s, s->count + i, &s->g[i]);
  }
  for (size_t i = 0; i < s->count; i++) {
    BENCH_OK(s->ctx, cliv_tensor_write(s->p[i], s->p0 + i * s->each, bytes));
    BENCH_OK(s->ctx, cliv_tensor_write(s->g[i], s->g0 + i * s->each, bytes));
    BENCH_OK(s->ctx, cliv_optimizer_add(s->optimizer, s->p[i], s->g[i], CLIV_DEFAULT_GROUP));
  }
}

static steps begin(bench *b, const char *rule, const char *state, size_t count, size_t each) {
  const cliv_optimizer_options options = {.size = sizeof options, .state = state};
  steps s = {.ctx = bench_context(b), .count = count, .each = each, .n = count * each};
  s.p0 = bench_input(b, 0);
  s.g0 = bench_input(b, 1);
  s.p = bench_alloc(count * sizeof *s.p);
  s.g = bench_alloc(count * sizeof *s.g);
  s.got = bench_alloc(s.n * sizeof(float));
  BENCH_OK(s.ctx, cliv_optimizer_create(s.ctx, rule, &options, &s.optimizer));
  return s;
}

static void end(steps *s) {
  cliv_optimizer_free(s->optimizer);
  for (size_t i = 0; i < s->count; i++) {
    cliv_tensor_free(s->p[i]);
    cliv_tensor_free(s->g[i]);
  }
  for (size_t i = 0; s->svm && i < 2 * s->count; i++) cliv__svm_free(s->ctx, s->svm[i]);
  free(s->svm), free(s->p), free(s->g), free(s->got);
}

static void read_weights(const steps *s) {
  for (size_t i = 0; i < s->count; i++)
    BENCH_OK(s->ctx, cliv_tensor_read(s->p[i], s->got + i * s->each, s->each * sizeof(float)));
}

/* ---- AdamW ---- */

static const double LR = 1e-3, DECAY = 1e-2, EPS = 1e-8;

static void native_loop(void *arg) { native_adamw_step(&((steps *)arg)->adamw); }

/* The first step, in double: both moments are their gradient's after bias correction, so that the step is lr·g / (|g| +
 * eps). */
static bool first_step(const steps *s, const float *got, char *why, size_t room) {
  for (size_t i = 0; i < s->n; i++) {
    const double p0 = (double)s->p0[i], g = (double)s->g0[i];
    const double want = p0 - LR * (DECAY * p0 + g / (fabs(g) + EPS));
    if (fabs((double)got[i] - want) <= 1e-6) continue;
    snprintf(why, room, "weight %zu is %.9g, not %.9g", i, (double)got[i], want);
    return false;
  }
  return true;
}

static bool adamw_right(void *arg, char *why, size_t room) {
  const steps *s = arg;
  read_weights(s);
  return first_step(s, s->got, why, room) && first_step(s, s->adamw.p, why, room);
}

static bool peer_right(void *arg, const float *result, char *why, size_t room) {
  return first_step(arg, result, why, room);
}

static void adamw_row(bench *b, const char *size, place where, size_t count, size_t each, double goal,
                      double torch_goal) {
  if (!bench_wants(b, "AdamW", size)) return;
  if (where == SVM && cliv__svm_check(bench_context(b))) {
    bench_skip(b, "AdamW", size, "the device has no shared virtual memory");
    return;
  }
  steps s = begin(b, "adamw", NULL, count, each);
  s.place = where;
  BENCH_OK(s.ctx, cliv_optimizer_set(s.optimizer, CLIV_ALL_GROUPS, "weight_decay", DECAY));
  add_tensors(&s);
  s.adamw = (native_adamw){.p = bench_alloc(s.n * sizeof(float)),
                           .m = zeros(s.n),
                           .v = zeros(s.n),
                           .g = s.g0,
                           .n = s.n,
                           .lr = (float)LR,
                           .beta1 = 0.9f,
                           .beta2 = 0.999f,
                           .eps = (float)EPS,
                           .weight_decay = (float)DECAY,
                           .step = 1};
  memcpy(s.adamw.p, s.p0, s.n * sizeof(float));
  const bench_task task = {"adamw", "last", count, each, s.n};
  bench_measure(b, &(bench_row){.operation = "AdamW",
                                .size = size,
                                .unit = "GB/s",
                                .work = 28e-9 * (double)s.n,
                                .goal = goal,
                                .peer_goals = {{"PyTorch", torch_goal}},
                                .check = adamw_right,
                                .check_peer = peer_right,
                                .check_arg = &s,
                                .task = where == ARENA ? &task : NULL,
                                .sides = {{"cliv", ours, &s, NULL}, {"native loop", native_loop, &s, NULL}}});
  free(s.adamw.p), free(s.adamw.m), free(s.adamw.v);
  end(&s);
}

/* ---- AdamW with narrow states: a copy of as many bytes is the limit ---- */

static void native_bytes(void *arg) {
  const steps *s = arg;
  native_copy(s->copy[0], s->copy[1], s->copied);
}

static bool narrow_right(void *arg, char *why, size_t room) {
  const steps *s = arg;
  read_weights(s);
  return first_step(s, s->got, why, room);
}

/* each: bytes of states an element, read and written. */
static void narrow_row(bench *b, const char *operation, const char *state, double each) {
  if (!bench_wants(b, operation, "16Mi")) return;
  steps s = begin(b, "adamw", state, 1, bench_elements(b));
  BENCH_OK(s.ctx, cliv_optimizer_set(s.optimizer, CLIV_ALL_GROUPS, "weight_decay", DECAY));
  add_tensors(&s);
  const double bytes = (12 + 2 * each) * (double)s.n;
  s.copied = (size_t)(bytes / 8);
  s.copy[0] = zeros(s.copied);
  s.copy[1] = zeros(s.copied);
  bench_measure(b, &(bench_row){.operation = operation,
                                .size = "16Mi",
                                .unit = "GB/s",
                                .work = 1e-9 * bytes,
                                .goal = 0.8,
                                .check = narrow_right,
                                .check_arg = &s,
                                .sides = {{"cliv", ours, &s, NULL}, {"native copy", native_bytes, &s, NULL}}});
  free(s.copy[0]), free(s.copy[1]);
  end(&s);
}

/* ---- every rule ---- */

static void native_text(void *arg) {
  const steps *s = arg;
  s->rule->step(&s->native);
}

/* The same text: what the C compiler contracts is all that may differ. */
static bool same_as_native(void *arg, char *why, size_t room) {
  const steps *s = arg;
  read_weights(s);
  for (size_t i = 0; i < s->n; i++) {
    if (fabsf(s->got[i] - s->native.p[i]) <= 4e-6f) continue;
    snprintf(why, room, "weight %zu is %.9g, natively %.9g", i, (double)s->got[i], (double)s->native.p[i]);
    return false;
  }
  return true;
}

/* Rows keep a velocity where a rule has one. */
static void set_momentum(const steps *s, const cliv__rule *rule) {
  const int momentum = cliv__rule_hyper(rule, "momentum");
  if (momentum >= 0 && rule->info.hypers[momentum].initial == 0)
    BENCH_OK(s->ctx, cliv_optimizer_set(s->optimizer, CLIV_ALL_GROUPS, "momentum", 0.9));
}

/* As the first step has them. */
static void native_begin(steps *s, const cliv__rule *rule) {
  double hyper[CLIV__MAX_HYPERS], memory[CLIV__MAX_MEMORY] = {0}, scalars[CLIV__MAX_SCALARS] = {0};
  for (size_t k = 0; k < rule->info.hyper_count; k++)
    BENCH_OK(s->ctx, cliv_optimizer_get(s->optimizer, CLIV_DEFAULT_GROUP, rule->info.hypers[k].name, &hyper[k]));
  if (rule->advance) rule->advance(hyper, 1, memory);
  rule->scalars(hyper, 1, memory, scalars);
  for (size_t k = 0; k < rule->scalar_count; k++) s->native.scalars[k] = (float)scalars[k];
  s->native.n = s->n;
  s->native.g = s->g0;
  s->native.p = bench_alloc(s->n * sizeof(float));
  memcpy(s->native.p, s->p0, s->n * sizeof(float));
  for (size_t k = 0; k < rule->info.state_count; k++) {
    if (!(s->rule->kept >> k & 1)) continue;
    const int initial = rule->info.states[k].initial ? cliv__rule_hyper(rule, rule->info.states[k].initial) : -1;
    s->native.states[k] = zeros(s->n);
    for (size_t i = 0; initial >= 0 && i < s->n; i++) s->native.states[k][i] = (float)hyper[initial];
  }
}

static void rule_row(bench *b, const cliv__rule *rule) {
  char operation[64];
  snprintf(operation, sizeof operation, "step of %s", rule->info.name);
  const native_rule *native = native_rule_find(rule->function);
  if (!bench_wants(b, operation, "16Mi")) return;
  if (!native) {
    bench_skip(b, operation, "16Mi", "native_rules.c has no loop of it");
    return;
  }
  steps s = begin(b, rule->info.name, NULL, 1, bench_elements(b));
  s.rule = native;
  set_momentum(&s, rule);
  add_tensors(&s);
  native_begin(&s, rule);
  double bytes = 12;
  for (unsigned k = 0; k < NATIVE_STATES; k++) bytes += native->kept >> k & 1 ? 8 : 0;
  if (cliv_optimizer_state_count(s.optimizer, 0) * 8 + 12 != (size_t)bytes)
    bench_die("%s keeps other states than its native loop", rule->info.name);
  bench_measure(b, &(bench_row){.operation = operation,
                                .size = "16Mi",
                                .unit = "GB/s",
                                .work = 1e-9 * bytes * (double)s.n,
                                .goal = 1,
                                .check = same_as_native,
                                .check_arg = &s,
                                .sides = {{"cliv", ours, &s, NULL}, {"native loop", native_text, &s, NULL}}});
  free(s.native.p);
  for (size_t k = 0; k < NATIVE_STATES; k++) free(s.native.states[k]);
  end(&s);
}

void bench_optim(bench *b) {
  adamw_row(b, "16Mi", ARENA, 1, bench_elements(b), 1, 1);
  adamw_row(b, "1000 tensors of 1000", ARENA, bench_size(b, 1000, 20), bench_size(b, 1000, 100), 0, 10);
  adamw_row(b, "1000 tensors of 1000 in SVM", SVM, bench_size(b, 1000, 20), bench_size(b, 1000, 100), 0, 0);
  adamw_row(b, "1000 tensors of 1000 in buffers", BUFFERS, bench_size(b, 1000, 20), bench_size(b, 1000, 100), 0, 0);
  narrow_row(b, "AdamW bfloat16", "bfloat16", 4);
  narrow_row(b, "AdamW 8-bit", "8bit", 2 + 8.0 / 256);
  for (size_t i = 0; cliv_rule_get(i); i++) rule_row(b, cliv__rule_find(cliv_rule_get(i)->name));
}
