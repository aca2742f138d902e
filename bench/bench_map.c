/* Maps: one input against a native copy, two against a native triad over all threads. */
#include <cliv/map.h>
#include <math.h>

#include "bench.h"

typedef struct operation {
  const char *name;
  int inputs;
  double (*f)(double x, double y);
  double ulp; /* of the result */
} operation;

static double exp_of(double x, double y) { return (void)y, exp(x); }
static double sin_of(double x, double y) { return (void)y, sin(x); }
static double tanh_of(double x, double y) { return (void)y, tanh(x); }
static double sum_of(double x, double y) { return x + y; }
static double quotient_of(double x, double y) { return x / y; }

static const operation operations[] = {
    {"add", 2, sum_of, 1}, {"div", 2, quotient_of, 1}, {"exp", 1, exp_of, 2},
    {"sin", 1, sin_of, 2}, {"tanh", 1, tanh_of, 2},
};

static cliv_status map(const bench_array *a) {
  return a->inputs == 2 ? cliv_map2(a->ctx, a->op, a->x, a->y, a->out, NULL)
                        : cliv_map(a->ctx, a->op, a->x, a->out, NULL);
}

static void expect(const bench_array *a, double *want, double *bound) {
  const operation *op = a->extra;
  for (size_t i = 0; i < a->results; i++) {
    want[i] = op->f((double)a->x_host[i], (double)a->y_host[i]);
    bound[i] = op->ulp * 0x1p-23 * fabs(want[i]);
  }
}

void bench_map(bench *b) {
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
    const operation *op = &operations[i];
    bench_measure_array(b, &(bench_array){.op = op->name,
                                          .size = "16Mi",
                                          .axis = "all",
                                          .rows = 1,
                                          .columns = bench_elements(b),
                                          .inputs = op->inputs,
                                          .results = bench_elements(b),
                                          .limit = op->inputs == 2 ? BENCH_TRIAD : BENCH_COPY,
                                          .enqueue = map,
                                          .expect = expect,
                                          .extra = op});
  }
}
