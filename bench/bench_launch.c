/* What a call costs on the host: calls of few elements, until they return, against launches of an empty kernel by
 * OpenCL's own call with all else left out: no checks, no arguments set, no program looked up. And what lies between a
 * call and its result at least: the runtime wakes its threads and the caller, however little there is to do. */
#include <cliv/map.h>
#include <cliv/optim.h>
#include <cliv/reduce.h>
#include <math.h>
#include <stdio.h>

#include "bench.h"
#include "runtime/svm.h"

/* So many launches wait in the queue at most: a step waits for the one 32 before it. */
enum { BATCH = 16 };

typedef struct calls {
  cliv_context *ctx;
  cliv_tensor *x, *y, *out;
  size_t n;
  cliv_optimizer *optimizer;
  cl_kernel empty;
  void (*call)(const struct calls *c);
  bool to_result; /* the wait for the result is timed, too */
} calls;

static void call_sum(const calls *c) {
  BENCH_OK(c->ctx, cliv_reduce(c->ctx, "sum", CLIV_ALL_AXES, c->x, NULL, c->out, NULL));
}

static void call_add(const calls *c) { BENCH_OK(c->ctx, cliv_map2(c->ctx, "add", c->x, c->x, c->y, NULL)); }

static void call_step(const calls *c) { BENCH_OK(c->ctx, cliv_optimizer_step(c->optimizer, NULL)); }

static void launch_empty(const calls *c) {
  static const size_t one = 1;
  if (clEnqueueNDRangeKernel(cliv_context_cl_queue(c->ctx), c->empty, 1, NULL, &one, &one, 0, NULL, NULL))
    bench_die("a launch of an empty kernel failed");
}

/* Holds the queue until it is opened, so that the device's work does not take the host's time. */
static cl_event close_queue(const calls *c) {
  const cl_command_queue queue = cliv_context_cl_queue(c->ctx);
  cl_int code;
  const cl_event gate = clCreateUserEvent(cliv_context_cl_context(c->ctx), &code);
  if (code || clEnqueueMarkerWithWaitList(queue, 1, &gate, NULL)) bench_die("the queue cannot be held");
  return gate;
}

static void open_queue(const calls *c, cl_event gate) {
  if (clSetUserEventStatus(gate, CL_COMPLETE)) bench_die("the queue cannot be opened again");
  clReleaseEvent(gate);
  BENCH_OK(c->ctx, cliv_context_finish(c->ctx));
}

/* Only the calls are timed, not the work. */
static double time_calls(const calls *c, size_t repeats, void (*call)(const calls *c)) {
  double seconds = 0;
  for (size_t done = 0; done < repeats; done += BATCH) {
    const size_t count = repeats - done < BATCH ? repeats - done : BATCH;
    const cl_event gate = close_queue(c);
    const double start = bench_now();
    for (size_t i = 0; i < count; i++) call(c);
    seconds += bench_now() - start;
    open_queue(c, gate);
  }
  return seconds;
}

static double time_ours(void *arg, size_t repeats) { return time_calls(arg, repeats, ((calls *)arg)->call); }
static double time_empty(void *arg, size_t repeats) { return time_calls(arg, repeats, launch_empty); }
static void ours(void *arg) { time_ours(arg, 1); }
static void empty(void *arg) { time_empty(arg, 1); }

static void ours_to_result(void *arg) {
  const calls *c = arg;
  c->call(c);
  BENCH_OK(c->ctx, cliv_context_finish(c->ctx));
}
static void empty_to_result(void *arg) {
  const calls *c = arg;
  launch_empty(c);
  BENCH_OK(c->ctx, cliv_context_finish(c->ctx));
}

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

static void measure(bench *b, const char *operation, const char *size, double goal, calls *c,
                    bool (*check)(void *, char *, size_t)) {
  bench_row row = {.operation = operation,
                   .size = size,
                   .unit = "us",
                   .goal = goal,
                   .check = check,
                   .check_arg = c,
                   .sides = {{"cliv", ours, c, time_ours}, {"empty kernel", empty, c, time_empty}}};
  if (c->to_result) {
    row.sides[0] = (bench_side){"cliv", ours_to_result, c, NULL};
    row.sides[1] = (bench_side){"empty kernel", empty_to_result, c, NULL};
  }
  c->empty = empty_kernel(c->ctx);
  bench_measure(b, &row);
  clReleaseKernel(c->empty);
}

static void array_row(bench *b, const char *operation, void (*call)(const calls *), size_t n, bool to_result) {
  char size[32];
  snprintf(size, sizeof size, n == 1 ? "%zu element" : "%zu elements", n);
  if (!bench_wants(b, operation, size)) return;
  calls c = {.ctx = bench_context(b), .n = n, .call = call, .to_result = to_result};
  BENCH_OK(c.ctx, cliv_tensor_create(c.ctx, CLIV_F32, 1, &n, &c.x));
  BENCH_OK(c.ctx, cliv_tensor_create(c.ctx, CLIV_F32, 1, &n, &c.y));
  BENCH_OK(c.ctx, cliv_tensor_create(c.ctx, CLIV_F32, 0, NULL, &c.out));
  BENCH_OK(c.ctx, cliv_tensor_fill(c.x, 3, NULL));
  measure(b, operation, size, 10, &c, right);
  cliv_tensor_free(c.x);
  cliv_tensor_free(c.y);
  cliv_tensor_free(c.out);
}

/* The first step from 3 with a gradient of 3. */
static bool stepped(void *arg, char *why, size_t room) {
  const calls *c = arg;
  const float want = 3 - 1e-3f * (1e-2f * 3 + 1);
  float got;
  BENCH_OK(c->ctx, cliv_tensor_read(c->x, &got, sizeof got));
  if (fabsf(got - want) < 1e-6f) return true;
  snprintf(why, room, "a weight is %.9g, not %.9g", (double)got, (double)want);
  return false;
}

enum { MOST_TENSORS = 10000 };
static void *memory[2 * MOST_TENSORS];

/* `count` tensors of one element that are 3, in one arena, or each in an allocation of shared virtual memory. */
static void make_tensors(const calls *c, size_t count, void **svm, cliv_tensor **out) {
  static const int no_axes[MOST_TENSORS];
  static const size_t no_shape[1];
  if (!svm) BENCH_OK(c->ctx, cliv_arena_create(c->ctx, CLIV_F32, count, no_axes, no_shape, out));
  for (size_t i = 0; i < count; i++) {
    if (svm) BENCH_OK(c->ctx, cliv__svm_allocate(c->ctx, sizeof(float), &svm[i]));
    if (svm) BENCH_OK(c->ctx, cliv_tensor_wrap_svm(c->ctx, svm[i], 0, CLIV_F32, 0, NULL, &out[i]));
    BENCH_OK(c->ctx, cliv_tensor_fill(out[i], 3, NULL));
  }
}

static void free_tensors(const calls *c, size_t count, void **svm, cliv_tensor **tensors) {
  for (size_t i = 0; i < count; i++) {
    cliv_tensor_free(tensors[i]);
    if (svm) cliv__svm_free(c->ctx, svm[i]);
  }
}

/* AdamW over so many tensors of one element. */
static void step_row(bench *b, size_t count, bool svm) {
  static cliv_tensor *p[MOST_TENSORS], *g[MOST_TENSORS];
  void **const p_in = svm ? memory : NULL, **const g_in = svm ? memory + MOST_TENSORS : NULL;
  char size[32];
  snprintf(size, sizeof size, "%zu tensor%s%s", count, count == 1 ? "" : "s", svm ? " in SVM" : "");
  if (!bench_wants(b, "call of AdamW", size)) return;
  calls c = {.ctx = bench_context(b), .call = call_step};
  if (svm && cliv__svm_check(c.ctx)) {
    bench_skip(b, "call of AdamW", size, "the device has no shared virtual memory");
    return;
  }
  BENCH_OK(c.ctx, cliv_optimizer_create(c.ctx, "adamw", NULL, &c.optimizer));
  make_tensors(&c, count, p_in, p);
  make_tensors(&c, count, g_in, g);
  for (size_t i = 0; i < count; i++) BENCH_OK(c.ctx, cliv_optimizer_add(c.optimizer, p[i], g[i], CLIV_DEFAULT_GROUP));
  c.x = p[count - 1];
  measure(b, "call of AdamW", size, 20, &c, stepped);
  cliv_optimizer_free(c.optimizer);
  BENCH_OK(c.ctx, cliv_context_finish(c.ctx));
  free_tensors(&c, count, p_in, p);
  free_tensors(&c, count, g_in, g);
}

void bench_launch(bench *b) {
  static const size_t sizes[] = {1, 64, 4096};
  for (size_t i = 0; i < 3; i++) array_row(b, "call of sum", call_sum, sizes[i], false);
  for (size_t i = 0; i < 3; i++) array_row(b, "call of add", call_add, sizes[i], false);
  array_row(b, "result of add", call_add, 1, true);
  for (int svm = 0; svm < 2; svm++) {
    step_row(b, 1, svm);
    step_row(b, bench_size(b, 1000, 100), svm);
    if (!bench_quick(b)) step_row(b, MOST_TENSORS, svm);
  }
}
