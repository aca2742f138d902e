/* Transforms and what is made of them behind a caller's events, in queues in order and out of it: nothing runs before
 * its wait list is complete, and the event tells when all of it is done. */
#include <cliv/dct.h>
#include <cliv/fft.h>
#include <cliv/spectral.h>
#include <string.h>

#include "support.h"

typedef enum call { FFT, RFFT, DCT, CONVOLVE, SMOOTH } call;

typedef struct example {
  call call;
  size_t shape[3];
  int axis;
  bool strided; /* numbers go to columns: by way of a dense copy */
} example;

static const example examples[] = {
    {FFT, {4, 64, 1}, 1, false},    /* one launch */
    {FFT, {1, 8640, 1}, 1, false},  /* several */
    {FFT, {4, 17, 3}, 1, false},    /* of another length */
    {FFT, {3, 8640, 16}, 1, false}, /* several lots */
    {FFT, {5, 12, 1}, 1, true},     {RFFT, {3, 600, 2}, 1, false},    {DCT, {3, 100, 2}, 1, false},
    {DCT, {5, 12, 1}, 1, true},     {CONVOLVE, {3, 50, 1}, 1, false}, {SMOOTH, {3, 60, 2}, 1, false},
};

typedef struct operands {
  const example *e;
  cliv_tensor *x, *y, *out, *base; /* y: of a convolution; base: what out is a view of, or NULL */
  size_t count, out_count;         /* numbers of x and of out, with what lies between */
} operands;

static cliv_tensor *make(cliv_context *ctx, int ndim, const size_t *shape) {
  cliv_tensor *t;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, ndim, shape, &t));
  ASSERT_OK(ctx, cliv_tensor_fill(t, 7, NULL));
  return t;
}

static operands operands_make(cliv_context *ctx, const example *e) {
  operands o = {.e = e};
  const size_t *const s = e->shape, pairs[] = {s[0], s[1], s[2], 2}, half[] = {s[0], s[1] / 2 + 1, s[2], 2};
  const size_t longer[] = {s[0], 2 * s[1] - 1, s[2]};
  const int ndim = e->call == FFT ? 4 : 3, out_ndim = e->call == FFT || e->call == RFFT ? 4 : 3;
  const size_t *const out = e->call == RFFT ? half : e->call == CONVOLVE ? longer : pairs;
  o.x = make(ctx, ndim, pairs);
  if (e->call == CONVOLVE) o.y = make(ctx, ndim, pairs);
  if (e->strided) {
    const size_t span = 2 * cliv_tensor_count(o.x), pair = e->call == FFT ? 2 : 1;
    const size_t strides[] = {pair, pair * s[0], pair * s[0] * s[1], 1};
    o.base = make(ctx, 1, &span);
    ASSERT_OK(ctx, cliv_tensor_view_strided(o.base, 0, out_ndim, out, strides, &o.out));
  } else {
    o.out = make(ctx, out_ndim, out);
  }
  o.count = cliv_tensor_count(o.x);
  o.out_count = cliv_tensor_count(o.base ? o.base : o.out);
  return o;
}

static void operands_free(operands *o) {
  cliv_tensor *const all[] = {o->x, o->y, o->out, o->base};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
}

static cliv_status run(cliv_context *ctx, const operands *o, const cliv_sync *sync) {
  const int *const axes = &o->e->axis;
  const cliv_fft_options by = {.axis_count = 1, .axes = axes, .provider = CLIV_FFT_PROVIDER_EXACT};
  switch (o->e->call) {
    case FFT: return cliv_fft(ctx, o->x, o->out, &by, sync);
    case RFFT: return cliv_rfft(ctx, o->x, o->out, &by, sync);
    case DCT: return cliv_dct(ctx, o->x, o->out, &(cliv_dct_options){.axis_count = 1, .axes = axes}, sync);
    case SMOOTH:
      return cliv_fft_smooth(ctx, o->x, o->out, &(cliv_smooth_options){.strength = 1, .axis_count = 1, .axes = axes},
                             sync);
    default:
      return cliv_fft_convolve(ctx, o->x, o->y, o->out, &(cliv_convolve_options){.axis_count = 1, .axes = axes}, sync);
  }
}

/* x's numbers come by another queue, behind a gate, and the result is read by that queue as soon as the event says so:
 * what does not wait sees the sevens that were there, and what tells too early leaves some in the result. */
static void behind_gate(cliv_context *ctx, const example *e, const float *x, const float *want) {
  operands o = operands_make(ctx, e);
  cl_int code;
  const cl_command_queue other =
      clCreateCommandQueue(cliv_context_cl_context(ctx), cliv_context_cl_device(ctx), 0, &code);
  ASSERT_CL(code);
  const cl_event gate = clCreateUserEvent(cliv_context_cl_context(ctx), &code);
  ASSERT_CL(code);
  ASSERT_OK(ctx, cliv_context_finish(ctx));
  cl_event there = NULL, done = NULL;
  ASSERT_CL(clEnqueueWriteBuffer(other, cliv_tensor_mem(o.x), CL_FALSE, 0, o.count * sizeof *x, x, 1, &gate, &there));
  const bool early = test_flush_waits(ctx);
  if (early) ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
  if (early) ASSERT_CL(clFinish(other));
  ASSERT_OK(ctx, run(ctx, &o, &(cliv_sync){1, &there, &done}));
  ASSERT_CL(clFlush(cliv_context_cl_queue(ctx)));
  cl_int execution = CL_COMPLETE;
  ASSERT_CL(clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof execution, &execution, NULL));
  if (!early) assert_int_not_equal(execution, CL_COMPLETE);
  if (!early) ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
  ASSERT_CL(clFlush(other));
  ASSERT_CL(clWaitForEvents(1, &done));
  float *const y = test_alloc(o.out_count * sizeof *y);
  ASSERT_CL(clEnqueueReadBuffer(other, cliv_tensor_mem(o.base ? o.base : o.out), CL_TRUE, 0, o.out_count * sizeof *y, y,
                                0, NULL, NULL));
  ASSERT_BITS(y, want, o.out_count * sizeof *y);
  free(y);
  ASSERT_CL(clReleaseEvent(done));
  ASSERT_CL(clReleaseEvent(there));
  ASSERT_CL(clReleaseEvent(gate));
  operands_free(&o);
  ASSERT_CL(clReleaseCommandQueue(other));
}

static float *without(cliv_context *ctx, const example *e, float **x) {
  operands o = operands_make(ctx, e);
  *x = test_alloc(o.count * sizeof **x);
  test_fill_normal(*x, o.count, e->shape[1]);
  ASSERT_OK(ctx, cliv_tensor_write(o.x, *x, o.count * sizeof **x));
  ASSERT_OK(ctx, run(ctx, &o, NULL));
  float *const y = test_read(o.base ? o.base : o.out);
  operands_free(&o);
  return y;
}

static void try_all(bool out_of_order) {
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *const own = test_open(test_walks[w]), *ctx = own;
    cl_command_queue queue = NULL;
    if (out_of_order) {
      cl_int code;
      queue = clCreateCommandQueue(cliv_context_cl_context(own), cliv_context_cl_device(own),
                                   CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);
      if (code) { /* the device has no such queues */
        test_close(own);
        skip();
      }
      ASSERT_OK(NULL, cliv_context_wrap(cliv_context_cl_context(own), cliv_context_cl_device(own), queue,
                                        &(cliv_context_options){.walk = test_walks[w]}, &ctx));
    }
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
      if (test_small() && examples[i].shape[1] > 1000) continue;
      float *x, *const want = without(own, &examples[i], &x);
      behind_gate(ctx, &examples[i], x, want);
      free(x), free(want);
    }
    if (out_of_order) cliv_context_free(ctx);
    if (out_of_order) ASSERT_CL(clReleaseCommandQueue(queue));
    test_close(own);
  }
}

static void in_order(void **state) {
  (void)state;
  try_all(false);
}

static void out_of_order(void **state) {
  (void)state;
  try_all(true);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(in_order), cmocka_unit_test(out_of_order)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
