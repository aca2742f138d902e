/* A step of AdamW, against a native loop over all threads: four arrays read, three written. Once over one tensor, once
 * over a thousand in one launch, where the native loop has them in one piece. */
#include <cliv/optim.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "native.h"

typedef struct steps {
  cliv_context *ctx;
  cliv_optimizer *optimizer;
  cliv_tensor **p, **g;
  size_t count;
  float *p0, *got;
  native_adamw host;
} steps;

static void ours(void *arg) {
  steps *s = arg;
  BENCH_OK(s->ctx, cliv_optimizer_step(s->optimizer, NULL));
  BENCH_OK(s->ctx, cliv_context_finish(s->ctx));
}

static void native(void *arg) {
  steps *s = arg;
  native_adamw_step(&s->host);
}

/* The first step, in double: both moments are their gradient's after bias correction, so that the step is lr·g / (|g| +
 * eps). */
static bool right(void *arg, char *why, size_t room) {
  steps *s = arg;
  const native_adamw *h = &s->host;
  const size_t each = h->n / s->count;
  for (size_t i = 0; i < s->count; i++)
    BENCH_OK(s->ctx, cliv_tensor_read(s->p[i], s->got + i * each, each * sizeof(float)));
  for (size_t i = 0; i < h->n; i++) {
    const double p0 = (double)s->p0[i], g = (double)h->g[i];
    const double want = p0 - (double)h->lr * ((double)h->weight_decay * p0 + g / (fabs(g) + (double)h->eps));
    if (fabs((double)s->got[i] - want) <= 1e-6 && fabs((double)h->p[i] - want) <= 1e-6) continue;
    snprintf(why, room, "weight %zu is %.9g (native %.9g), not %.9g", i, (double)s->got[i], (double)h->p[i], want);
    return false;
  }
  return true;
}

static float *zeros(size_t n) {
  float *x = bench_alloc(n * sizeof(float));
  memset(x, 0, n * sizeof(float));
  return x;
}

/* `count` tensors of `each` elements, one arena for parameters and one for gradients. */
static void add_tensors(steps *s, size_t count, size_t each) {
  int *ndims = bench_alloc(count * sizeof *ndims);
  size_t *shapes = bench_alloc(count * sizeof *shapes);
  for (size_t i = 0; i < count; i++) {
    ndims[i] = 1;
    shapes[i] = each;
  }
  BENCH_OK(s->ctx, cliv_arena_create(s->ctx, CLIV_F32, count, ndims, shapes, s->p));
  BENCH_OK(s->ctx, cliv_arena_create(s->ctx, CLIV_F32, count, ndims, shapes, s->g));
  for (size_t i = 0; i < count; i++) {
    BENCH_OK(s->ctx, cliv_tensor_write(s->p[i], s->p0 + i * each, each * sizeof(float)));
    BENCH_OK(s->ctx, cliv_tensor_write(s->g[i], s->host.g + i * each, each * sizeof(float)));
    BENCH_OK(s->ctx, cliv_optimizer_add(s->optimizer, s->p[i], s->g[i], CLIV_DEFAULT_GROUP));
  }
  free(ndims), free(shapes);
}

static void step_row(bench *b, const char *size, size_t count, size_t each, double goal) {
  if (!bench_wants(b, "AdamW", size)) return;
  const size_t n = count * each, bytes = n * sizeof(float);
  float *g = bench_alloc(bytes);
  steps s = {.ctx = bench_context(b), .count = count, .p0 = bench_alloc(bytes), .got = bench_alloc(bytes)};
  s.p = bench_alloc(count * sizeof *s.p);
  s.g = bench_alloc(count * sizeof *s.g);
  bench_fill(s.p0, n, 1, -1, 1);
  bench_fill(g, n, 2, 0.5f, 1);
  s.host = (native_adamw){.p = bench_alloc(bytes),
                          .m = zeros(n),
                          .v = zeros(n),
                          .g = g,
                          .n = n,
                          .lr = 1e-3f,
                          .beta1 = 0.9f,
                          .beta2 = 0.999f,
                          .eps = 1e-8f,
                          .weight_decay = 1e-2f,
                          .step = 1};
  memcpy(s.host.p, s.p0, bytes);
  BENCH_OK(s.ctx, cliv_optimizer_create(s.ctx, "adamw", NULL, &s.optimizer));
  BENCH_OK(s.ctx, cliv_optimizer_set(s.optimizer, CLIV_ALL_GROUPS, "weight_decay", 1e-2));
  add_tensors(&s, count, each);
  bench_measure(b, &(bench_row){.operation = "AdamW",
                                .size = size,
                                .unit = "GB/s",
                                .work = 28e-9 * (double)n,
                                .goal = goal,
                                .check = right,
                                .check_arg = &s,
                                .sides = {{"cliv", ours, &s, NULL}, {"native loop", native, &s, NULL}}});
  cliv_optimizer_free(s.optimizer);
  for (size_t i = 0; i < count; i++) {
    cliv_tensor_free(s.p[i]);
    cliv_tensor_free(s.g[i]);
  }
  free(s.p), free(s.g), free(s.p0), free(s.got), free(g), free(s.host.p), free(s.host.m), free(s.host.v);
}

void bench_optim(bench *b) {
  step_row(b, "16Mi", 1, bench_size(b, 1 << 24, 1 << 13), 0.9);
  step_row(b, "1000 tensors of 1000", bench_size(b, 1000, 20), bench_size(b, 1000, 100), 0);
}
