/* Running sums, of everything, rows, columns and segments, against a native copy over all threads: what reading and
 * writing memory once costs. */
#include <cliv/scan.h>
#include <math.h>

#include "bench.h"

static cliv_status scan(const bench_array *a) {
  return cliv_scan(a->ctx, "sum", a->rows == 1 ? CLIV_ALL_AXES : -1, CLIV_INCLUSIVE, a->x, a->out, NULL);
}

static cliv_status scan_columns(const bench_array *a) {
  return cliv_scan(a->ctx, "sum", 0, CLIV_INCLUSIVE, a->x, a->out, NULL);
}

static cliv_status scan_segments(const bench_array *a) {
  const cliv_over over = {.segments = a->extra};
  return cliv_scan_over(a->ctx, "sum", &over, CLIV_INCLUSIVE, a->x, a->out, NULL);
}

/* Lines of n elements that begin `apart` from each other, their elements `jump` from each other. */
static void expect_lines(const bench_array *a, size_t lines, size_t n, size_t apart, size_t jump, double *want,
                         double *bound) {
  for (size_t l = 0; l < lines; l++) {
    double sum = 0, terms = 0;
    for (size_t k = 0; k < n; k++) {
      const size_t i = l * apart + k * jump;
      sum += (double)a->x_host[i], terms += fabs((double)a->x_host[i]);
      want[i] = sum, bound[i] = 2 * log2((double)k + 1) * 0x1p-24 * terms;
    }
  }
}

static void expect(const bench_array *a, double *want, double *bound) {
  expect_lines(a, a->rows, a->columns, a->columns, 1, want, bound);
}

static void expect_columns(const bench_array *a, double *want, double *bound) {
  expect_lines(a, a->columns, a->rows, 1, a->columns, want, bound);
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

static void measure_columns(bench *b) {
  const size_t n = bench_size(b, 4096, 64);
  bench_measure_array(b, &(bench_array){.op = "scan sum",
                                        .task = "scan",
                                        .size = "4096 x 4096, axis 0",
                                        .axis = "first",
                                        .rows = n,
                                        .columns = n,
                                        .inputs = 1,
                                        .results = n * n,
                                        .limit = BENCH_COPY,
                                        .enqueue = scan_columns,
                                        .expect = expect_columns});
}

/* For peers they are rows. */
static void measure_segments(bench *b) {
  const size_t each = 1000, count = bench_size(b, 1000, 4);
  uint64_t offsets[1001];
  cliv_segments *segments;
  for (size_t i = 0; i <= count; i++) offsets[i] = i * each;
  BENCH_OK(bench_context(b), cliv_segments_create(bench_context(b), count, offsets, &segments));
  bench_measure_array(b, &(bench_array){.op = "scan sum",
                                        .task = "scan",
                                        .size = "1000 segments of 1000",
                                        .axis = "last",
                                        .rows = count,
                                        .columns = each,
                                        .inputs = 1,
                                        .results = count * each,
                                        .limit = BENCH_COPY,
                                        .enqueue = scan_segments,
                                        .expect = expect,
                                        .extra = segments});
  cliv_segments_free(segments);
}

void bench_scan(bench *b) {
  measure(b, "16Mi", 1, 0.6);
  measure(b, "rows of 1024", bench_elements(b) / 1024, 0);
  measure_columns(b);
  measure_segments(b);
}
