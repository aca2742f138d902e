/* Running sums, of everything and of rows, against a native copy over all threads: what reading and writing memory once
 * costs. */
#include <cliv/scan.h>
#include <math.h>

#include "bench.h"

static cliv_status scan(const bench_array *a) {
  return cliv_scan(a->ctx, "sum", a->rows == 1 ? CLIV_ALL_AXES : -1, CLIV_INCLUSIVE, a->x, a->out, NULL);
}

static void expect(const bench_array *a, double *want, double *bound) {
  for (size_t r = 0; r < a->rows; r++) {
    double sum = 0, terms = 0;
    for (size_t c = 0; c < a->columns; c++) {
      const size_t i = r * a->columns + c;
      sum += (double)a->x_host[i], terms += fabs((double)a->x_host[i]);
      want[i] = sum, bound[i] = 2 * log2((double)c + 1) * 0x1p-24 * terms;
    }
  }
}

static void measure(bench *b, const char *size, size_t rows, double goal) {
  const size_t n = bench_elements(b);
  bench_measure_array(b, &(bench_array){.op = "scan sum",
                                        .task = "scan",
                                        .size = size,
                                        .axis = rows == 1 ? "all" : "last",
                                        .rows = rows,
                                        .columns = n / rows,
                                        .inputs = 1,
                                        .results = n,
                                        .limit = BENCH_COPY,
                                        .goal = goal,
                                        .torch_goal = rows == 1 ? 5 : 0,
                                        .enqueue = scan,
                                        .expect = expect});
}

void bench_scan(bench *b) {
  measure(b, "16Mi", 1, 0.6);
  measure(b, "rows of 1024", bench_elements(b) / 1024, 0);
}
