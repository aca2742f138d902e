/* Random numbers, against the uniform ones of the same generator in a native loop over all threads. Peers draw others,
 * so that only their mean and spread are checked. */
#include <cliv/random.h>
#include <cliv/tensor.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "native.h"

enum { SEED = 7 };

typedef struct draws {
  bench *b;
  cliv_context *ctx;
  const char *distribution;
  double mean, std;
  cliv_tensor *out;
  size_t n;
} draws;

static void ours(void *arg) {
  const draws *d = arg;
  BENCH_OK(d->ctx, cliv_random_fill(d->ctx, d->distribution, NULL, SEED, 0, 0, d->out, NULL));
  BENCH_OK(d->ctx, cliv_context_finish(d->ctx));
}

static void native(void *arg) {
  const draws *d = arg;
  native_uniform(bench_output(d->b), d->n, SEED);
}

/* Six standard errors of the mean; of the standard deviation, whose error is smaller, as much. */
static bool plausible(const draws *d, const float *x, char *why, size_t room) {
  double sum = 0, squares = 0;
  for (size_t i = 0; i < d->n; i++) sum += (double)x[i], squares += (double)x[i] * (double)x[i];
  const double mean = sum / (double)d->n, std = sqrt(squares / (double)d->n - mean * mean);
  const double bound = 6 * d->std / sqrt((double)d->n);
  if (fabs(mean - d->mean) <= bound && fabs(std - d->std) <= bound) return true;
  snprintf(why, room, "mean %.6g and standard deviation %.6g, not %.6g and %.6g", mean, std, d->mean, d->std);
  return false;
}

/* Of uniform numbers both sides have the host's. */
static bool as_on_the_host(const draws *d, const float *got, char *why, size_t room) {
  const float *native = bench_output(d->b);
  for (size_t i = 0; i < d->n; i++) {
    if (got[i] == cliv_random_uniform(SEED, 0, i) && got[i] == native[i]) continue;
    snprintf(why, room, "element %zu is %.9g, %.9g in the native loop", i, (double)got[i], (double)native[i]);
    return false;
  }
  return true;
}

static bool right(void *arg, char *why, size_t room) {
  const draws *d = arg;
  float *x = bench_alloc(d->n * sizeof *x);
  BENCH_OK(d->ctx, cliv_tensor_read(d->out, x, d->n * sizeof *x));
  const bool good = strcmp(d->distribution, "uniform") ? plausible(d, x, why, room) : as_on_the_host(d, x, why, room);
  free(x);
  return good;
}

static bool peer_right(void *arg, const float *x, char *why, size_t room) { return plausible(arg, x, why, room); }

static void measure(bench *b, const char *distribution, double mean, double std, double goal) {
  if (!bench_wants(b, distribution, "16Mi")) return;
  draws d = {b, bench_context(b), distribution, mean, std, NULL, bench_elements(b)};
  BENCH_OK(d.ctx, cliv_tensor_create(d.ctx, CLIV_F32, 1, &d.n, &d.out));
  const bench_task task = {distribution, "all", 1, d.n, d.n};
  bench_measure(b, &(bench_row){.operation = distribution,
                                .size = "16Mi",
                                .unit = "GB/s",
                                .work = 4e-9 * (double)d.n,
                                .goal = goal,
                                .task = &task,
                                .check = right,
                                .check_peer = peer_right,
                                .check_arg = &d,
                                .sides = {{"cliv", ours, &d, NULL}, {"native uniform", native, &d, NULL}}});
  cliv_tensor_free(d.out);
}

void bench_random(bench *b) {
  measure(b, "uniform", 0.5, sqrt(1.0 / 12), 0.8);
  measure(b, "normal", 0, 1, 0);
}
