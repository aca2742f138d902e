/* Contexts: opening, wrapping the caller's objects, order and events, and what is refused. */
#include <cliv/cliv.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/context.h"
#include "runtime/device.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/quirks.h"
#include "support.h"

static cl_uint references(cl_context context) {
  cl_uint count = 0;
  ASSERT_CL(clGetContextInfo(context, CL_CONTEXT_REFERENCE_COUNT, sizeof count, &count, NULL));
  return count;
}

static void opens_on_each_walk(void **state) {
  (void)state;
  for (size_t w = 0; w < TEST_WALKS; w++) {
    cliv_context *ctx;
    ASSERT_OK(NULL, cliv_context_create(&(cliv_context_options){.walk = test_walks[w]}, &ctx));
    const bool narrow = (ctx->quirks & CLIV__QUIRK_NARROW) != 0;
    assert_int_equal(cliv_context_walk(ctx), narrow ? CLIV_WALK_GPU : test_walks[w]);
    assert_true(strlen(cliv_context_device_name(ctx)) > 0);
    assert_true(cliv_context_has(ctx, CLIV_F32));
    assert_true(cliv_context_has(ctx, CLIV_BF16));
    assert_false(cliv_context_has(ctx, CLIV_DTYPE_COUNT));
    assert_string_equal(cliv_last_error(ctx), "");
    cliv_context_free(ctx);
  }
  cliv_context_free(NULL);
}

static void refuses_bad_options(void **state) {
  (void)state;
  cliv_context *ctx = (cliv_context *)&ctx;
  ASSERT_FAILS(NULL, cliv_context_create(NULL, NULL), CLIV_NULL, "out");
  ASSERT_FAILS(NULL, cliv_context_create(&(cliv_context_options){.size = 3}, &ctx), CLIV_VALUE, "size");
  assert_null(ctx);
  ASSERT_FAILS(NULL, cliv_context_create(&(cliv_context_options){.walk = (cliv_walk)9}, &ctx), CLIV_VALUE, "walk");
  ASSERT_FAILS(NULL, cliv_context_create(&(cliv_context_options){.probe = (cliv_probe)9}, &ctx), CLIV_VALUE, "probe");
  ASSERT_FAILS(NULL, cliv_context_create(&(cliv_context_options){.group_size = 48}, &ctx), CLIV_VALUE, "group_size");
  ASSERT_FAILS(NULL, cliv_context_create(&(cliv_context_options){.device = "no such device here"}, &ctx), CLIV_SELECTOR,
               NULL);
  ASSERT_FAILS(NULL, cliv_context_create(&(cliv_context_options){.device = "\"no such device here\""}, &ctx),
               CLIV_NO_DEVICE, NULL);
  assert_null(ctx);
}

/* A context of our own for wrapping, on the device under test. */
typedef struct raw {
  cl_context context;
  cl_device_id device;
  cl_command_queue queue;
} raw;

static raw raw_open(cliv_context *model, cl_command_queue_properties properties) {
  raw r = {.device = cliv_context_cl_device(model)};
  cl_int code;
  r.context = clCreateContext(NULL, 1, &r.device, NULL, NULL, &code);
  ASSERT_CL(code);
  r.queue = clCreateCommandQueue(r.context, r.device, properties, &code);
  ASSERT_CL(code);
  return r;
}

static void raw_close(raw *r) {
  ASSERT_CL(clReleaseCommandQueue(r->queue));
  ASSERT_CL(clReleaseContext(r->context));
}

static void wraps_and_gives_back(void **state) {
  (void)state;
  cliv_context *model = test_open(CLIV_WALK_CPU), *ctx = NULL;
  raw r = raw_open(model, 0), other = raw_open(model, 0);
  const cl_uint before = references(r.context);
  ASSERT_OK(NULL, cliv_context_wrap(r.context, r.device, r.queue, NULL, &ctx));
  assert_ptr_equal(cliv_context_cl_context(ctx), r.context);
  assert_ptr_equal(cliv_context_cl_device(ctx), r.device);
  assert_ptr_equal(cliv_context_cl_queue(ctx), r.queue);
  size_t n = 100;
  cliv_tensor *t;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &t));
  ASSERT_OK(ctx, cliv_tensor_fill(t, 2, NULL));
  ASSERT_OK(ctx, cliv_context_finish(ctx));
  cliv_tensor_free(t);
  cliv_context_free(ctx);
  assert_int_equal(references(r.context), before);

  ctx = (cliv_context *)&ctx;
  ASSERT_FAILS(NULL, cliv_context_wrap(r.context, r.device, other.queue, NULL, &ctx), CLIV_VALUE, "another cl_context");
  assert_null(ctx);
  ASSERT_FAILS(NULL, cliv_context_wrap(NULL, r.device, r.queue, NULL, &ctx), CLIV_NULL, "context");
  ASSERT_FAILS(NULL, cliv_context_wrap(r.context, r.device, NULL, NULL, &ctx), CLIV_NULL, "queue");
  ASSERT_FAILS(NULL, cliv_context_wrap(r.context, r.device, r.queue, &(cliv_context_options){.device = "cpu"}, &ctx),
               CLIV_VALUE, "brings its own");
  assert_int_equal(references(r.context), before);
  raw_close(&other);
  raw_close(&r);
  test_close(model);
}

/* A chain in which every step needs the one before: in an out-of-order queue it is right only when launches wait. */
static void keeps_order_in_an_out_of_order_queue(void **state) {
  (void)state;
  static const char add_one[] =
      "__kernel void add_one(__global float *x, ulong n) {\n"
      "  const size_t i = get_global_id(0);\n"
      "  if (i < n) x[i] = x[i] + 1.0f;\n"
      "}\n";
  cliv_context *model = test_open(CLIV_WALK_GPU), *ctx = NULL;
  cl_command_queue_properties can = 0;
  ASSERT_CL(clGetDeviceInfo(cliv_context_cl_device(model), CL_DEVICE_QUEUE_PROPERTIES, sizeof can, &can, NULL));
  raw r = raw_open(model, can & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
  ASSERT_OK(NULL,
            cliv_context_wrap(r.context, r.device, r.queue, &(cliv_context_options){.walk = CLIV_WALK_GPU}, &ctx));
  size_t n = 1000;
  cliv_tensor *t, *copy;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &t));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &copy));
  cl_kernel kernel;
  ASSERT_OK(ctx, cliv__kernel_with(ctx, "user", add_one, "", "add_one", &kernel));
  ASSERT_OK(ctx, cliv_tensor_fill(t, 5, NULL));
  const cl_mem mem = cliv_tensor_mem(t);
  const cl_ulong count = n;
  for (int i = 0; i < 20; i++) ASSERT_OK(ctx, LAUNCH(ctx, kernel, RANGE1(n, 16), NULL, ARG(mem), ARG(count)));
  ASSERT_OK(ctx, cliv_tensor_copy(t, copy, NULL));
  float *x = test_read(copy);
  for (size_t i = 0; i < n; i++) assert_true(x[i] == 25.0f);
  free(x);
  cliv_tensor_free(copy);
  cliv_tensor_free(t);
  cliv_context_free(ctx);
  raw_close(&r);
  test_close(model);
}

/* Every item of the range adds to its own number, once; none before the gate, all before `done`: a queue that knows of
 * nothing else reads them. */
static void count_up(cliv_context *ctx, const raw *r, cl_kernel kernel, const cliv__range *range) {
  const cl_uint columns = (cl_uint)range->global[0], rows = (cl_uint)range->global[1],
                planes = range->dims < 3 ? 1 : (cl_uint)range->global[2];
  const size_t n = (size_t)columns * rows * planes;
  cliv_tensor *x;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 1, &n, &x));
  ASSERT_OK(ctx, cliv_tensor_fill(x, 3, NULL));
  ASSERT_OK(ctx, cliv_context_finish(ctx));
  const cl_mem mem = cliv_tensor_mem(x);
  cl_int code, status = CL_COMPLETE;
  const cl_event gate = clCreateUserEvent(r->context, &code);
  ASSERT_CL(code);
  cl_event done = NULL;
  const cliv_sync sync = {1, &gate, &done};
  ASSERT_OK(ctx, LAUNCH(ctx, kernel, *range, &sync, ARG(mem), ARG(columns), ARG(rows), ARG(planes)));
  assert_non_null(done);
  if (!test_flush_waits(ctx)) ASSERT_CL(clFlush(r->queue));
  ASSERT_CL(clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL));
  assert_int_not_equal(status, CL_COMPLETE);
  ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
  ASSERT_CL(clWaitForEvents(1, &done));
  const cl_command_queue beside = clCreateCommandQueue(r->context, r->device, 0, &code);
  ASSERT_CL(code);
  int32_t *const got = test_alloc(n * sizeof *got);
  ASSERT_CL(clEnqueueReadBuffer(beside, mem, CL_TRUE, 0, n * sizeof *got, got, 0, NULL, NULL));
  for (size_t i = 0; i < n; i++) assert_int_equal(got[i], 4 + i / columns % rows % 7 + 7 * (i / columns / rows % 5));
  free(got);
  ASSERT_CL(clReleaseCommandQueue(beside));
  ASSERT_CL(clReleaseEvent(done));
  ASSERT_CL(clReleaseEvent(gate));
  cliv_tensor_free(x);
}

/* Ranges whose second or third axis is longer than a command of the GPU walk. */
static void cuts_long_axes(void **state) {
  (void)state;
  static const char text[] =
      "__kernel void count_up(__global int *x, uint columns, uint rows, uint planes) {\n"
      "  const size_t i = get_global_id(0), y = get_global_id(1), z = get_global_id(2);\n"
      "  if (i >= columns || y >= rows || z >= planes) return;\n"
      "  x[(z * rows + y) * columns + i] += (int)(1 + y % 7 + 7 * (z % 5));\n"
      "}\n";
  static const cliv__range ranges[] = {
      {2, {1, 70000, 1}, {1, 1, 1}}, {3, {1, 2, 66000}, {1, 1, 1}}, {2, {3, 131071, 1}, {4, 1, 1}}};
  cliv_context *model = test_open(CLIV_WALK_GPU), *ctx = NULL;
  cl_command_queue_properties can = 0;
  ASSERT_CL(clGetDeviceInfo(cliv_context_cl_device(model), CL_DEVICE_QUEUE_PROPERTIES, sizeof can, &can, NULL));
  raw r = raw_open(model, can & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
  ASSERT_OK(NULL,
            cliv_context_wrap(r.context, r.device, r.queue, &(cliv_context_options){.walk = CLIV_WALK_GPU}, &ctx));
  cl_kernel kernel;
  ASSERT_OK(ctx, cliv__kernel_with(ctx, "user", text, "", "count_up", &kernel));
  for (size_t t = 0; t < (test_small() ? 2 : sizeof ranges / sizeof *ranges); t++)
    count_up(ctx, &r, kernel, &ranges[t]);
  cliv_context_free(ctx);
  raw_close(&r);
  test_close(model);
}

/* exp of 5000 numbers, their sum, and a product that sums over 50 of them. */
enum { NUMBERS = 5000, SIDE = 50, RESULTS = NUMBERS + 1 + SIDE * SIDE };

static void compute(cliv_context *ctx, float *out) {
  static const size_t shape[] = {NUMBERS / SIDE, SIDE}, square[] = {SIDE, SIDE};
  float in[NUMBERS];
  for (size_t i = 0; i < NUMBERS; i++) in[i] = (float)test_uniform(7, i, -3, 3);
  cliv_tensor *x, *sum, *product, *all[3];
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &x));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 0, NULL, &sum));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, square, &product));
  ASSERT_OK(ctx, cliv_tensor_write(x, in, sizeof in));
  ASSERT_OK(ctx, cliv_map(ctx, "exp", x, x, NULL));
  ASSERT_OK(ctx, cliv_reduce(ctx, "sum", CLIV_ALL_AXES, x, NULL, sum, NULL));
  const cliv_blas_options exact = {.provider = CLIV_PROVIDER_EXACT};
  ASSERT_OK(ctx, cliv_gemm(ctx, 1, 0, 1, x, x, 0, product, &exact, NULL));
  ASSERT_OK(ctx, cliv_tensor_read(x, out, NUMBERS * sizeof *out));
  ASSERT_OK(ctx, cliv_tensor_read(sum, out + NUMBERS, sizeof *out));
  ASSERT_OK(ctx, cliv_tensor_read(product, out + NUMBERS + 1, SIDE * SIDE * sizeof *out));
  all[0] = x, all[1] = sum, all[2] = product;
  for (int i = 0; i < 3; i++) cliv_tensor_free(all[i]);
}

/* A part of the device gives the bits of the whole. */
static void computes_on_a_part_of_the_device(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *whole = test_open(test_walks[w]), *part;
    cliv_device_info info;
    cliv__device_read(cliv_context_cl_device(whole), &info);
    cliv_context_options options = {.walk = test_walks[w], .compute_units = info.compute_units};
    ASSERT_FAILS(NULL, cliv_context_create(&options, &part), CLIV_VALUE, "0 for the whole device");
    float want[RESULTS], got[RESULTS];
    compute(whole, want);
    for (size_t i = 0; i < NUMBERS; i++) {
      const double e = exp((double)(float)test_uniform(7, i, -3, 3));
      assert_true(fabs((double)want[i] - e) <= 0x1p-23 * e); /* an ulp, at most */
    }
    for (cl_uint units = 1; info.max_subdevices > 0 && units < info.compute_units; units *= 2) {
      options.compute_units = units;
      ASSERT_OK(NULL, cliv_context_create(&options, &part));
      assert_int_equal(part->facts.compute_units, units);
      compute(part, got);
      assert_memory_equal(got, want, sizeof want);
      cliv_context_free(part);
    }
    test_close(whole);
  }
}

/* Mesa's clFinish passed over what clFlush had sent. */
static void finishes_what_was_flushed(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  size_t n = test_small() ? 1 << 12 : 1 << 24;
  cliv_tensor *t;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &t));
  cl_event done = NULL;
  ASSERT_OK(ctx, cliv_map(ctx, "exp", t, t, &(cliv_sync){0, NULL, &done}));
  ASSERT_CL(clFlush(cliv_context_cl_queue(ctx)));
  ASSERT_OK(ctx, cliv_context_finish(ctx));
  cl_int status = CL_QUEUED;
  ASSERT_CL(clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL));
  assert_int_equal(status, CL_COMPLETE);
  ASSERT_CL(clReleaseEvent(done));
  cliv_tensor_free(t);
  test_close(ctx);
}

static void waits_for_and_signals_events(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_CPU);
  size_t n = 64;
  cliv_tensor *t;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &t));
  cl_int code;
  const cl_event gate = clCreateUserEvent(cliv_context_cl_context(ctx), &code);
  ASSERT_CL(code);
  cl_event done = NULL, marker = NULL;
  ASSERT_OK(ctx, cliv_tensor_fill(t, 7, &(cliv_sync){1, &gate, &done}));
  assert_non_null(done);
  cl_int status = CL_COMPLETE;
  if (!test_flush_waits(ctx)) ASSERT_CL(clFlush(cliv_context_cl_queue(ctx)));
  ASSERT_CL(clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL));
  assert_int_not_equal(status, CL_COMPLETE);
  ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
  ASSERT_CL(clWaitForEvents(1, &done));
  float *x = test_read(t);
  assert_true(x[0] == 7.0f && x[63] == 7.0f);
  free(x);
  ASSERT_OK(ctx, cliv__nothing(ctx, &(cliv_sync){1, &done, &marker})); /* an empty operation signals too */
  ASSERT_CL(clWaitForEvents(1, &marker));
  ASSERT_CL(clReleaseEvent(marker));
  ASSERT_CL(clReleaseEvent(done));
  ASSERT_CL(clReleaseEvent(gate));
  done = (cl_event)&n;
  ASSERT_FAILS(ctx, cliv_tensor_fill(t, 7, &(cliv_sync){2, NULL, &done}), CLIV_NULL, "2 events");
  assert_null(done);
  cliv_tensor_free(t);
  test_close(ctx);
}

static void keeps_errors_apart(void **state) {
  (void)state;
  cliv_context *a = test_open(CLIV_WALK_CPU), *b = test_open(CLIV_WALK_GPU);
  size_t n = 4;
  cliv_tensor *t;
  ASSERT_FAILS(b, cliv_tensor_create(b, CLIV_F32, 77, &n, &t), CLIV_SHAPE, "77");
  ASSERT_FAILS(a, cliv_tensor_create(a, CLIV_F32, 99, &n, &t), CLIV_SHAPE, "99");
  assert_non_null(strstr(cliv_last_error(b), "77"));
  test_close(b);
  test_close(a);
}

/* Also where there is no context to say so. */
static void gives_no_event_on_failure(void **state) {
  (void)state;
  cl_event done;
  const cliv_sync sync = {.done = &done};
#define NO_EVENT(call)                             \
  do {                                             \
    done = (cl_event)(void *)&done;                \
    ASSERT_FAILS(NULL, (call), CLIV_NULL, "NULL"); \
    assert_null(done);                             \
  } while (0)
  NO_EVENT(cliv_map(NULL, "exp", NULL, NULL, &sync));
  NO_EVENT(cliv_map2(NULL, "add", NULL, NULL, NULL, &sync));
  NO_EVENT(cliv_map_scalar(NULL, "add", NULL, 1, NULL, &sync));
  NO_EVENT(cliv_reduce(NULL, "sum", CLIV_ALL_AXES, NULL, NULL, NULL, &sync));
  NO_EVENT(cliv_reduce_over(NULL, "sum", NULL, NULL, NULL, NULL, &sync));
  NO_EVENT(cliv_reduce_user(NULL, "", "f", NULL, NULL, NULL, NULL, &sync));
  NO_EVENT(cliv_stats(NULL, NULL, NULL, NULL, NULL, &sync));
  NO_EVENT(cliv_map_user(NULL, "", "f", NULL, NULL, NULL, &sync));
  NO_EVENT(cliv_scan(NULL, "sum", 0, CLIV_INCLUSIVE, NULL, NULL, &sync));
  NO_EVENT(cliv_scan_over(NULL, "sum", NULL, CLIV_INCLUSIVE, NULL, NULL, &sync));
  NO_EVENT(cliv_scan_user(NULL, "", "f", NULL, CLIV_INCLUSIVE, NULL, NULL, &sync));
  NO_EVENT(cliv_gather(NULL, NULL, NULL, NULL, &sync));
  NO_EVENT(cliv_loss(NULL, "squared", NULL, NULL, 1, NULL, NULL, &sync));
  NO_EVENT(cliv_gemm(NULL, 0, 0, 1, NULL, NULL, 0, NULL, NULL, &sync));
  NO_EVENT(cliv_gemv(NULL, 0, 1, NULL, NULL, 0, NULL, NULL, &sync));
  NO_EVENT(cliv_ger(NULL, 1, NULL, NULL, NULL, NULL, &sync));
  NO_EVENT(cliv_axpy(NULL, 1, NULL, NULL, NULL, &sync));
  NO_EVENT(cliv_tensor_fill(NULL, 0, &sync));
  NO_EVENT(cliv_tensor_copy(NULL, NULL, &sync));
  NO_EVENT(cliv_optimizer_step(NULL, &sync));
  NO_EVENT(cliv_optimizer_evaluate(NULL, 1, &sync));
  NO_EVENT(cliv_average_update(NULL, &sync));
  NO_EVENT(cliv_average_swap(NULL, &sync));
  NO_EVENT(cliv_model_forward(NULL, NULL, NULL, &sync));
  NO_EVENT(cliv_model_backward(NULL, NULL, NULL, 0, &sync));
#undef NO_EVENT
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(opens_on_each_walk),
      cmocka_unit_test(refuses_bad_options),
      cmocka_unit_test(wraps_and_gives_back),
      cmocka_unit_test(keeps_order_in_an_out_of_order_queue),
      cmocka_unit_test(cuts_long_axes),
      cmocka_unit_test(finishes_what_was_flushed),
      cmocka_unit_test(waits_for_and_signals_events),
      cmocka_unit_test(keeps_errors_apart),
      cmocka_unit_test(gives_no_event_on_failure),
      cmocka_unit_test(computes_on_a_part_of_the_device),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
