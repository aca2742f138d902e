/* Sorting, against a native copy over all threads: what a single pass over the numbers costs. */
#include <cliv/sort.h>

#include <stdlib.h>

#include "bench.h"

static cliv_status sort(const bench_array *a) {
  return cliv_sort(a->ctx, a->rows == 1 ? CLIV_ALL_AXES : -1, CLIV_ASCENDING, a->x, a->out, NULL, NULL);
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void expect(const bench_array *a, double *want, double *bound) {
  for (size_t i = 0; i < a->results; i++) want[i] = (double)a->x_host[i], bound[i] = 0;
  for (size_t r = 0; r < a->rows; r++) qsort(want + r * a->columns, a->columns, sizeof *want, by_value);
}

static void measure(bench *b, const char *size, size_t columns) {
  const size_t rows = bench_elements(b) / columns;
  bench_measure_array(b, &(bench_array){.op = "sort",
                                        .size = size,
                                        .axis = "last",
                                        .rows = rows,
                                        .columns = columns,
                                        .inputs = 1,
                                        .results = rows * columns,
                                        .limit = BENCH_COPY,
                                        .enqueue = sort,
                                        .expect = expect});
}

void bench_sort(bench *b) {
  measure(b, "16Mi", bench_elements(b));
  measure(b, "rows of 1000", 1000);
}
