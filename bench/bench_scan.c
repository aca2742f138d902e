/* A running sum over all elements, against a native copy over all threads: what reading and writing memory once
 * costs. */
#include <cliv/scan.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "native.h"

typedef struct scans {
  cliv_tensor *x, *out;
  float *host, *copy;
  size_t n;
} scans;

static void ours(void *arg) {
  scans *s = arg;
  cliv_context *ctx = cliv_tensor_context(s->x);
  BENCH_OK(ctx, cliv_scan(ctx, "sum", CLIV_ALL_AXES, CLIV_INCLUSIVE, s->x, s->out, NULL));
  BENCH_OK(ctx, cliv_context_finish(ctx));
}

static void native(void *arg) {
  scans *s = arg;
  native_copy(s->host, s->copy, s->n);
}

static bool right(void *arg, char *why, size_t room) {
  scans *s = arg;
  double sum = 0, terms = 0;
  float *got = bench_alloc(s->n * sizeof *got);
  BENCH_OK(cliv_tensor_context(s->out), cliv_tensor_read(s->out, got, s->n * sizeof *got));
  size_t i = 0;
  for (; i < s->n; i++) {
    sum += (double)s->host[i], terms += fabs((double)s->host[i]);
    if (!(fabs((double)got[i] - sum) <= 2 * log2((double)i + 1) * 0x1p-24 * terms)) break;
  }
  if (i < s->n) snprintf(why, room, "the sum of %zu elements is %.9g, not %.9g", i + 1, (double)got[i], sum);
  free(got);
  return i == s->n;
}

void bench_scan(bench *b) {
  const char *name = "scan sum float32 16Mi";
  if (!bench_wants(b, name)) return;
  cliv_context *ctx = bench_context(b);
  scans s = {.n = bench_size(b, 1 << 24, 1 << 13)};
  s.host = bench_alloc(s.n * sizeof(float));
  s.copy = bench_alloc(s.n * sizeof(float));
  bench_fill(s.host, s.n, 1, -1, 1);
  bench_fill(s.copy, s.n, 2, -1, 1);
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &s.n, &s.x));
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &s.n, &s.out));
  BENCH_OK(ctx, cliv_tensor_write(s.x, s.host, s.n * sizeof(float)));
  bench_measure(b, &(bench_row){.name = name,
                                .unit = "GB/s",
                                .work = 8e-9 * (double)s.n,
                                .goal = 0.6,
                                .check = right,
                                .check_arg = &s,
                                .sides = {{"cliv", ours, &s}, {"OpenMP copy", native, &s}}});
  cliv_tensor_free(s.x);
  cliv_tensor_free(s.out);
  free(s.host);
  free(s.copy);
}
