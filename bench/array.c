/* Rows over the shared data: tensors made and freed, results compared with a reference, the limit's side. */
#include <cliv/tensor.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "native.h"

/* A peer may be this many times as far from the exact result as we may: enough for sums of one float after another. */
static const double PEER_BOUND = 4000;

typedef struct arrays {
  bench_array a;
  bench *b;
  double *want, *bound;
  float *got;
  volatile float sink;
} arrays;

static void ours(void *arg) {
  const arrays *s = arg;
  BENCH_OK(s->a.ctx, s->a.enqueue(&s->a));
  BENCH_OK(s->a.ctx, cliv_context_finish(s->a.ctx));
}

static void native_read(void *arg) {
  arrays *s = arg;
  const size_t n = s->a.rows * s->a.columns;
  s->sink = s->a.inputs == 2 ? native_dot(s->a.x_host, s->a.y_host, n) : native_sum(s->a.x_host, n);
}

static void native_write(void *arg) {
  arrays *s = arg;
  const size_t n = s->a.rows * s->a.columns;
  if (s->a.limit == BENCH_COPY) native_copy(s->a.x_host, bench_output(s->b), n);
  else native_triad(s->a.x_host, s->a.y_host, bench_output(s->b), 0.5f, n);
}

static const char *limit_name(const bench_array *a) {
  if (a->limit == BENCH_READ) return a->inputs == 2 ? "native dot" : "native sum";
  return a->limit == BENCH_COPY ? "native copy" : "native triad";
}

/* Of several equal extremes of everything, peers may name any. */
static bool ties(const arrays *s, double got) {
  if (s->a.type != CLIV_I64 || s->a.results != 1 || !(got >= 0 && got < (double)s->a.columns)) return false;
  return s->a.x_host[(size_t)got] == s->a.x_host[(size_t)s->want[0]];
}

static bool compare(const arrays *s, double slack, const float *got, char *why, size_t room) {
  for (size_t i = 0; i < s->a.results; i++) {
    const double g = (double)got[i];
    if (g == s->want[i] || fabs(g - s->want[i]) <= slack * s->bound[i] || (slack > 1 && ties(s, g))) continue;
    snprintf(why, room, "result %zu is %.9g, not %.9g", i, g, s->want[i]);
    return false;
  }
  return true;
}

/* Any dtype that a result may have, as floats. */
static void read_result(arrays *s) {
  const size_t n = s->a.results, size = cliv_dtype_size(s->a.type);
  void *raw = s->a.type == CLIV_F32 ? (void *)s->got : bench_alloc(n * size);
  BENCH_OK(s->a.ctx, cliv_tensor_read(s->a.out, raw, n * size));
  if (s->a.type == CLIV_F32) return;
  for (size_t i = 0; i < n; i++)
    s->got[i] = s->a.type == CLIV_I64 ? (float)((int64_t *)raw)[i] : (float)((uint8_t *)raw)[i];
  free(raw);
}

static bool right(void *arg, char *why, size_t room) {
  arrays *s = arg;
  read_result(s);
  return compare(s, 1, s->got, why, room);
}

static bool peer_right(void *arg, const float *result, char *why, size_t room) {
  return compare(arg, PEER_BOUND, result, why, room);
}

static void create(arrays *s) {
  bench_array *a = &s->a;
  const size_t shape[] = {a->rows, a->columns}, bytes = a->rows * a->columns * sizeof(float);
  BENCH_OK(a->ctx, cliv_tensor_create(a->ctx, CLIV_F32, 2, shape, &a->x));
  BENCH_OK(a->ctx, cliv_tensor_write(a->x, a->x_host, bytes));
  if (a->inputs == 2) {
    BENCH_OK(a->ctx, cliv_tensor_create(a->ctx, CLIV_F32, 2, shape, &a->y));
    BENCH_OK(a->ctx, cliv_tensor_write(a->y, a->y_host, bytes));
  }
  /* The result's shape: a scalar, the input's, or a row of what was reduced. */
  const int ndim = a->results == 1 ? 0 : a->results == a->rows * a->columns ? 2 : 1;
  BENCH_OK(a->ctx, cliv_tensor_create(a->ctx, a->type, ndim, ndim == 1 ? &a->results : shape, &a->out));
}

void bench_measure_array(bench *b, const bench_array *array) {
  if (!bench_wants(b, array->op, array->size)) return;
  if (array->rows * array->columns > bench_elements(b)) bench_die("%s, %s: too few elements", array->op, array->size);
  arrays s = {.a = *array, .b = b};
  bench_array *a = &s.a;
  a->ctx = bench_context(b);
  a->x_host = bench_input(b, 0);
  a->y_host = bench_input(b, 1);
  create(&s);
  s.want = bench_alloc(a->results * sizeof(double));
  s.bound = bench_alloc(a->results * sizeof(double));
  s.got = bench_alloc(a->results * sizeof(float));
  a->expect(a, s.want, s.bound);
  const size_t n = a->rows * a->columns;
  const double bytes = 4 * (double)n * (a->limit == BENCH_READ ? a->inputs : a->limit == BENCH_COPY ? 2 : 3);
  const bench_task task = {a->task ? a->task : a->op, a->axis, a->rows, a->columns, a->results};
  const bench_side limit = {limit_name(a), a->limit == BENCH_READ ? native_read : native_write, &s, NULL};
  bench_measure(b, &(bench_row){.operation = a->op,
                                .size = a->size,
                                .unit = "GB/s",
                                .work = 1e-9 * bytes,
                                .goal = a->goal,
                                .peer_goals = {{"PyTorch", a->torch_goal}},
                                .check = right,
                                .check_peer = peer_right,
                                .check_arg = &s,
                                .task = a->axis ? &task : NULL,
                                .sides = {{"cliv", ours, &s, NULL}, limit}});
  cliv_tensor_free(a->x);
  cliv_tensor_free(a->y);
  cliv_tensor_free(a->out);
  free(s.want), free(s.bound), free(s.got);
}
