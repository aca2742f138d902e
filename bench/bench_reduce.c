/* Reductions of everything, of rows from short to long, of segments, of columns, and several at once, against a native
 * sum or dot product over all threads: what reading the inputs once costs. */
#include <cliv/reduce.h>
#include <math.h>
#include <stdio.h>

#include "bench.h"

/* A result in double from n elements, and how far ours may be from it. */
typedef struct value {
  double is, bound;
} value;

typedef struct operation {
  const char *name;
  int inputs;
  cliv_dtype type;
  double goal, torch_goal;
  value (*expect)(const float *x, const float *y, size_t n);
} operation;

/* Some 40 additions deep, each with half a unit of the last place, and what comes before and after them. */
static const double SUM_BOUND = 64 * 0x1p-24;

static value sum(const float *x, const float *y, size_t n) {
  double s = 0, terms = 0;
  (void)y;
  for (size_t i = 0; i < n; i++) s += (double)x[i], terms += fabs((double)x[i]);
  return (value){s, SUM_BOUND * terms};
}

static value asum(const float *x, const float *y, size_t n) {
  double s = 0;
  (void)y;
  for (size_t i = 0; i < n; i++) s += fabs((double)x[i]);
  return (value){s, SUM_BOUND * s};
}

static value dot(const float *x, const float *y, size_t n) {
  double s = 0, terms = 0;
  for (size_t i = 0; i < n; i++) s += (double)x[i] * (double)y[i], terms += fabs((double)x[i] * (double)y[i]);
  return (value){s, SUM_BOUND * terms};
}

static value nrm2(const float *x, const float *y, size_t n) {
  const double s = sqrt(dot(x, x, n).is);
  (void)y;
  return (value){s, SUM_BOUND * s};
}

static value least(const float *x, const float *y, size_t n) {
  float m = x[0];
  (void)y;
  for (size_t i = 1; i < n; i++) m = x[i] < m ? x[i] : m;
  return (value){(double)m, 0};
}

static value most(const float *x, const float *y, size_t n) {
  float m = x[0];
  (void)y;
  for (size_t i = 1; i < n; i++) m = x[i] > m ? x[i] : m;
  return (value){(double)m, 0};
}

static value argmax(const float *x, const float *y, size_t n) {
  size_t at = 0;
  (void)y;
  for (size_t i = 1; i < n; i++) at = x[i] > x[at] ? i : at;
  return (value){(double)at, 0};
}

static value all_finite(const float *x, const float *y, size_t n) {
  (void)x, (void)y, (void)n;
  return (value){1, 0};
}

static value logsumexp(const float *x, const float *y, size_t n) {
  const double m = most(x, y, n).is;
  double s = 0;
  for (size_t i = 0; i < n; i++) s += exp((double)x[i] - m);
  return (value){m + log(s), SUM_BOUND * (1 + fabs(m) + log(s))};
}

static value var(const float *x, const float *y, size_t n) {
  const double mean = sum(x, y, n).is / (double)n;
  double s = 0;
  for (size_t i = 0; i < n; i++) s += ((double)x[i] - mean) * ((double)x[i] - mean);
  return (value){s / (double)n, SUM_BOUND * s / (double)n};
}

static const operation operations[] = {
    {"sum", 1, CLIV_F32, 0.9, 0, sum},       {"min", 1, CLIV_F32, 0.9, 0, least},
    {"max", 1, CLIV_F32, 0.9, 0, most},      {"nrm2", 1, CLIV_F32, 0.9, 0, nrm2},
    {"dot", 2, CLIV_F32, 0.9, 0, dot},       {"asum", 1, CLIV_F32, 0.9, 0, asum},
    {"argmax", 1, CLIV_I64, 0.9, 5, argmax}, {"all_finite", 1, CLIV_U8, 0.9, 5, all_finite},
    {"var", 1, CLIV_F32, 0, 0, var},         {"logsumexp", 1, CLIV_F32, 0.5, 5, logsumexp},
};
enum { SUM = 0, MAX = 2, NRM2 = 3, LOGSUMEXP = 9 };

static void expect(const bench_array *a, double *want, double *bound) {
  const operation *op = a->extra;
  const size_t n = a->rows * a->columns / a->results;
  for (size_t r = 0; r < a->results; r++) {
    const value v = op->expect(a->x_host + r * n, a->y_host + r * n, n);
    want[r] = v.is, bound[r] = v.bound;
  }
}

static cliv_status reduce(const bench_array *a) {
  return cliv_reduce(a->ctx, a->op, a->results == 1 ? CLIV_ALL_AXES : -1, a->x, a->y, a->out, NULL);
}

static value mean(const float *x, const float *y, size_t n) {
  const value s = sum(x, y, n);
  return (value){s.is / (double)n, s.bound / (double)n};
}

static void expect_stats(const bench_array *a, double *want, double *bound) {
  value (*const parts[])(const float *, const float *, size_t) = {least, most, mean, var, asum, nrm2};
  for (size_t i = 0; i < a->results; i++) {
    const value v = parts[i](a->x_host, NULL, a->rows * a->columns);
    want[i] = v.is, bound[i] = v.bound;
  }
}

/* The counts, which the reductions have no row for, go to `extra`. */
static cliv_status stats(const bench_array *a) {
  return cliv_stats(a->ctx, NULL, a->x, a->out, *(cliv_tensor *const *)a->extra, NULL);
}

static void measure_stats(bench *b) {
  static const size_t two = 2;
  cliv_tensor *counts;
  BENCH_OK(bench_context(b), cliv_tensor_create(bench_context(b), CLIV_I64, 1, &two, &counts));
  bench_measure_array(b, &(bench_array){.op = "stats",
                                        .size = "16Mi",
                                        .axis = "all",
                                        .rows = 1,
                                        .columns = bench_elements(b),
                                        .inputs = 1,
                                        .results = 6,
                                        .limit = BENCH_READ,
                                        .goal = 0.8,
                                        .enqueue = stats,
                                        .expect = expect_stats,
                                        .extra = &counts});
  cliv_tensor_free(counts);
}

/* ---- over some of the elements ---- */

static void expect_columns(const bench_array *a, double *want, double *bound) {
  double *terms = bound;
  for (size_t c = 0; c < a->columns; c++) want[c] = terms[c] = 0;
  for (size_t i = 0; i < a->rows * a->columns; i++) {
    want[i % a->columns] += (double)a->x_host[i];
    terms[i % a->columns] += fabs((double)a->x_host[i]);
  }
  for (size_t c = 0; c < a->columns; c++) bound[c] = SUM_BOUND * terms[c];
}

static cliv_status reduce_columns(const bench_array *a) {
  return cliv_reduce(a->ctx, a->op, 0, a->x, NULL, a->out, NULL);
}

static void sum_of_columns(bench *b) {
  const size_t n = bench_size(b, 4096, 64);
  bench_measure_array(b, &(bench_array){.op = "sum",
                                        .size = "4096 x 4096, axis 0",
                                        .axis = "first",
                                        .rows = n,
                                        .columns = n,
                                        .inputs = 1,
                                        .results = n,
                                        .limit = BENCH_READ,
                                        .enqueue = reduce_columns,
                                        .expect = expect_columns});
}

typedef struct segmented {
  const operation *op;
  cliv_segments *segments;
} segmented;

static void expect_segments(const bench_array *a, double *want, double *bound) {
  const segmented *s = a->extra;
  bench_array rows = *a;
  rows.extra = s->op;
  expect(&rows, want, bound);
}

static cliv_status reduce_segments(const bench_array *a) {
  const segmented *s = a->extra;
  return cliv_reduce_over(a->ctx, a->op, &(cliv_over){.segments = s->segments}, a->x, NULL, a->out, NULL);
}

/* The norms of a thousand tensors of an arena; for peers they are rows. */
static void segments_of(bench *b, const operation *op) {
  const size_t each = 1000, count = bench_size(b, 1000, 4);
  uint64_t offsets[1001];
  for (size_t i = 0; i <= count; i++) offsets[i] = i * each;
  segmented s = {.op = op};
  BENCH_OK(bench_context(b), cliv_segments_create(bench_context(b), count, offsets, &s.segments));
  bench_measure_array(b, &(bench_array){.op = op->name,
                                        .size = "1000 segments of 1000",
                                        .axis = "last",
                                        .rows = count,
                                        .columns = each,
                                        .inputs = 1,
                                        .results = count,
                                        .limit = BENCH_READ,
                                        .goal = 0.5,
                                        .enqueue = reduce_segments,
                                        .expect = expect_segments,
                                        .extra = &s});
  cliv_segments_free(s.segments);
}

/* ---- over everything and over rows ---- */

static void everything(bench *b, const operation *op) {
  bench_measure_array(b, &(bench_array){.op = op->name,
                                        .size = "16Mi",
                                        .axis = "all",
                                        .rows = 1,
                                        .columns = bench_elements(b),
                                        .inputs = op->inputs,
                                        .results = 1,
                                        .type = op->type,
                                        .limit = BENCH_READ,
                                        .goal = op->goal,
                                        .torch_goal = op->torch_goal,
                                        .enqueue = reduce,
                                        .expect = expect,
                                        .extra = op});
}

/* As many rows as fit. */
static void rows_of(bench *b, const operation *op, size_t length) {
  char size[64];
  snprintf(size, sizeof size, "rows of %zu", length);
  const size_t columns = bench_size(b, length, length < 1000 ? length : 1000), rows = bench_elements(b) / columns;
  bench_measure_array(b, &(bench_array){.op = op->name,
                                        .size = size,
                                        .axis = "last",
                                        .rows = rows,
                                        .columns = columns,
                                        .inputs = op->inputs,
                                        .results = rows,
                                        .type = op->type,
                                        .limit = BENCH_READ,
                                        .goal = 0.5,
                                        .enqueue = reduce,
                                        .expect = expect,
                                        .extra = op});
}

void bench_reduce(bench *b) {
  for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) everything(b, &operations[i]);
  measure_stats(b);
  static const int in_rows[] = {SUM, MAX, LOGSUMEXP};
  static const size_t lengths[] = {16, 64, 1000, 100000};
  for (size_t i = 0; i < 3; i++)
    for (size_t l = 0; l < 4; l++) rows_of(b, &operations[in_rows[i]], lengths[l]);
  segments_of(b, &operations[SUM]);
  segments_of(b, &operations[NRM2]);
  segments_of(b, &operations[LOGSUMEXP]);
  sum_of_columns(b);
}
