/* Softmax of rows from short to long, against a native copy over all threads: what reading and writing memory once
 * costs. */
#include <cliv/rows.h>
#include <math.h>
#include <stdio.h>

#include "bench.h"

static cliv_status softmax(const bench_array *a) {
  return cliv_rows(a->ctx, "softmax", a->x, NULL, a->out, NULL, NULL);
}

static void expect(const bench_array *a, double *want, double *bound) {
  for (size_t r = 0; r < a->rows; r++) {
    const size_t first = r * a->columns, end = first + a->columns;
    double most = -INFINITY, sum = 0;
    for (size_t i = first; i < end; i++) most = fmax(most, (double)a->x_host[i]);
    for (size_t i = first; i < end; i++) sum += want[i] = exp((double)a->x_host[i] - most);
    for (size_t i = first; i < end; i++) {
      want[i] /= sum;
      bound[i] = (64 + fabs((double)a->x_host[i] - most)) * 0x1p-24 * want[i];
    }
  }
}

static void measure(bench *b, size_t length) {
  char size[64];
  snprintf(size, sizeof size, length == bench_elements(b) ? "16Mi" : "rows of %zu", length);
  const size_t columns = length == bench_elements(b) ? length : bench_size(b, length, length < 1000 ? length : 1000);
  const size_t rows = bench_elements(b) / columns;
  bench_measure_array(b, &(bench_array){.op = "softmax",
                                        .size = size,
                                        .axis = "last",
                                        .rows = rows,
                                        .columns = columns,
                                        .inputs = 1,
                                        .results = rows * columns,
                                        .limit = BENCH_COPY,
                                        .goal = 0.5,
                                        .torch_goal = columns == bench_elements(b) ? 5 : 0,
                                        .enqueue = softmax,
                                        .expect = expect});
}

void bench_rows(bench *b) {
  static const size_t lengths[] = {16, 64, 1000, 100000};
  measure(b, bench_elements(b));
  for (size_t l = 0; l < 4; l++) measure(b, lengths[l]);
}
