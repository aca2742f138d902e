/* A sum over all elements, against a native sum over all threads: what reading memory once costs. */
#include <cliv/reduce.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "native.h"

typedef struct sums {
  cliv_tensor *x, *out;
  float *host;
  size_t n;
  float native;
} sums;

static void ours(void *arg) {
  sums *s = arg;
  cliv_context *ctx = cliv_tensor_context(s->x);
  BENCH_OK(ctx, cliv_reduce(ctx, "sum", CLIV_ALL_AXES, s->x, NULL, s->out, NULL));
  BENCH_OK(ctx, cliv_context_finish(ctx));
}

static void native(void *arg) {
  sums *s = arg;
  s->native = native_sum(s->host, s->n);
}

static bool right(void *arg, char *why, size_t room) {
  sums *s = arg;
  double exact = 0, terms = 0;
  for (size_t i = 0; i < s->n; i++) exact += (double)s->host[i], terms += fabs((double)s->host[i]);
  float got;
  BENCH_OK(cliv_tensor_context(s->out), cliv_tensor_read(s->out, &got, sizeof got));
  if (fabs((double)got - exact) <= 64 * 0x1p-24 * terms) return true;
  snprintf(why, room, "the sum is %.9g, not %.9g", (double)got, exact);
  return false;
}

void bench_reduce(bench *b) {
  const char *name = "sum float32 16Mi";
  if (!bench_wants(b, name)) return;
  cliv_context *ctx = bench_context(b);
  sums s = {.n = bench_size(b, 1 << 24, 1 << 13)};
  s.host = bench_alloc(s.n * sizeof(float));
  bench_fill(s.host, s.n, 1, -1, 1);
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &s.n, &s.x));
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 0, NULL, &s.out));
  BENCH_OK(ctx, cliv_tensor_write(s.x, s.host, s.n * sizeof(float)));
  bench_measure(b, &(bench_row){.name = name,
                                .unit = "GB/s",
                                .work = 4e-9 * (double)s.n,
                                .goal = 0.8,
                                .check = right,
                                .check_arg = &s,
                                .sides = {{"cliv", ours, &s}, {"OpenMP loop", native, &s}}});
  cliv_tensor_free(s.x);
  cliv_tensor_free(s.out);
  free(s.host);
}
