/* What a call costs on the host: calls of few elements, until they return, against launches of an empty kernel by
 * OpenCL's own call with all else left out: no checks, no arguments set, no program looked up. */
#include <cliv/map.h>
#include <cliv/reduce.h>
#include <math.h>
#include <stdio.h>

#include "bench.h"

/* So many launches wait in the queue at most. */
enum { BATCH = 64 };

typedef struct calls {
  cliv_context *ctx;
  cliv_tensor *x, *y, *out;
  size_t n;
  cl_kernel empty;
  void (*call)(const struct calls *c);
} calls;

static void call_sum(const calls *c) {
  BENCH_OK(c->ctx, cliv_reduce(c->ctx, "sum", CLIV_ALL_AXES, c->x, NULL, c->out, NULL));
}

static void call_add(const calls *c) { BENCH_OK(c->ctx, cliv_map2(c->ctx, "add", c->x, c->x, c->y, NULL)); }

static void launch_empty(const calls *c) {
  static const size_t one = 1;
  if (clEnqueueNDRangeKernel(cliv_context_cl_queue(c->ctx), c->empty, 1, NULL, &one, &one, 0, NULL, NULL))
    bench_die("a launch of an empty kernel failed");
}

/* Only the calls are timed, not the work. */
static double time_calls(const calls *c, size_t repeats, void (*call)(const calls *c)) {
  double seconds = 0;
  for (size_t done = 0; done < repeats; done += BATCH) {
    const size_t count = repeats - done < BATCH ? repeats - done : BATCH;
    const double start = bench_now();
    for (size_t i = 0; i < count; i++) call(c);
    seconds += bench_now() - start;
    BENCH_OK(c->ctx, cliv_context_finish(c->ctx));
  }
  return seconds;
}

static double time_ours(void *arg, size_t repeats) { return time_calls(arg, repeats, ((calls *)arg)->call); }
static double time_empty(void *arg, size_t repeats) { return time_calls(arg, repeats, launch_empty); }
static void ours(void *arg) { time_ours(arg, 1); }
static void empty(void *arg) { time_empty(arg, 1); }

/* All elements are 3. */
static bool right(void *arg, char *why, size_t room) {
  const calls *c = arg;
  const bool sum = c->call == call_sum;
  const float want = sum ? 3 * (float)c->n : 6;
  float got[4096] = {0};
  BENCH_OK(c->ctx, cliv_tensor_read(sum ? c->out : c->y, got, (sum ? 1 : c->n) * sizeof got[0]));
  if (got[0] == want && (sum || got[c->n - 1] == want)) return true;
  snprintf(why, room, "the result is %g, not %g", (double)got[0], (double)want);
  return false;
}

static cl_kernel empty_kernel(const cliv_context *ctx) {
  const char *source = "__kernel void empty(void) {}";
  cl_int code;
  const cl_program program = clCreateProgramWithSource(cliv_context_cl_context(ctx), 1, &source, NULL, &code);
  if (code || clBuildProgram(program, 0, NULL, "", NULL, NULL)) bench_die("an empty kernel did not compile");
  const cl_kernel kernel = clCreateKernel(program, "empty", &code);
  clReleaseProgram(program);
  if (code) bench_die("an empty kernel cannot be had");
  return kernel;
}

static void measure(bench *b, const char *operation, void (*call)(const calls *), size_t n) {
  char size[32];
  snprintf(size, sizeof size, n == 1 ? "%zu element" : "%zu elements", n);
  if (!bench_wants(b, operation, size)) return;
  calls c = {.ctx = bench_context(b), .n = n, .call = call, .empty = empty_kernel(bench_context(b))};
  BENCH_OK(c.ctx, cliv_tensor_create(c.ctx, CLIV_F32, 1, &n, &c.x));
  BENCH_OK(c.ctx, cliv_tensor_create(c.ctx, CLIV_F32, 1, &n, &c.y));
  BENCH_OK(c.ctx, cliv_tensor_create(c.ctx, CLIV_F32, 0, NULL, &c.out));
  BENCH_OK(c.ctx, cliv_tensor_fill(c.x, 3, NULL));
  bench_measure(b, &(bench_row){.operation = operation,
                                .size = size,
                                .unit = "us",
                                .goal = 10,
                                .check = right,
                                .check_arg = &c,
                                .sides = {{"cliv", ours, &c, time_ours}, {"empty kernel", empty, &c, time_empty}}});
  cliv_tensor_free(c.x);
  cliv_tensor_free(c.y);
  cliv_tensor_free(c.out);
  clReleaseKernel(c.empty);
}

void bench_launch(bench *b) {
  static const size_t sizes[] = {1, 64, 4096};
  for (size_t i = 0; i < 3; i++) measure(b, "call of sum", call_sum, sizes[i]);
  for (size_t i = 0; i < 3; i++) measure(b, "call of add", call_add, sizes[i]);
}
