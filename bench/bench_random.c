/* Random numbers, against the same generator in a native loop over all threads. */
#include <cliv/random.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "native.h"

enum { SEED = 7 };

typedef struct numbers {
  cliv_tensor *x;
  float *host;
  size_t n;
} numbers;

static void ours(void *arg) {
  numbers *s = arg;
  cliv_context *ctx = cliv_tensor_context(s->x);
  BENCH_OK(ctx, cliv_random_fill(ctx, "uniform", NULL, SEED, 0, 0, s->x, NULL));
  BENCH_OK(ctx, cliv_context_finish(ctx));
}

static void native(void *arg) {
  numbers *s = arg;
  native_uniform(s->host, s->n, SEED);
}

/* Both sides have the host's numbers. */
static bool right(void *arg, char *why, size_t room) {
  numbers *s = arg;
  float *const got = bench_alloc(s->n * sizeof(float));
  ours(s);
  native(s);
  BENCH_OK(cliv_tensor_context(s->x), cliv_tensor_read(s->x, got, s->n * sizeof(float)));
  size_t i = 0;
  while (i < s->n && got[i] == cliv_random_uniform(SEED, 0, i) && got[i] == s->host[i]) i++;
  if (i < s->n)
    snprintf(why, room, "element %zu is %.9g, %.9g in the native loop", i, (double)got[i], (double)s->host[i]);
  free(got);
  return i == s->n;
}

void bench_random(bench *b) {
  const char *name = "uniform float32 16Mi";
  if (!bench_wants(b, name)) return;
  cliv_context *ctx = bench_context(b);
  numbers s = {.n = bench_size(b, 1 << 24, 1 << 13)};
  s.host = bench_alloc(s.n * sizeof(float));
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &s.n, &s.x));
  bench_measure(b, &(bench_row){.name = name,
                                .unit = "G/s",
                                .work = 1e-9 * (double)s.n,
                                .goal = 0.8,
                                .check = right,
                                .check_arg = &s,
                                .sides = {{"cliv", ours, &s}, {"OpenMP loop", native, &s}}});
  cliv_tensor_free(s.x);
  free(s.host);
}
