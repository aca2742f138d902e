/* The provider clfft of cliv/fft.h: its results beside those of exact, which test_fft judges; what is refused; plans
 * that fail their proof here or in a child; clFFT's global state; what auto does. Calls of clFFT's go through the
 * wrappers below, which can make them fail or count them (the linker's --wrap). */
#include <cliv/blas.h>
#include <cliv/fft.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "fft/clfft_plan.h"
#include "fft/provider.h"
#include "runtime/context.h"
#include "runtime/notes.h"
#include "runtime/quirks.h"
#include "runtime/trial.h"
#include "support.h"

#ifdef CLIV_HAVE_CLFFT

#include <clFFT.h>

/* ---- clFFT, watched ---- */

static struct {
  int bake_fails, turned; /* the code of the next bakes; transforms run the other way about */
  int bakes, enqueues, teardowns;
  int mixed;         /* transforms between a memory object and a part of it */
  const char *probe; /* what is started instead of cliv-probe */
} watch;

clfftStatus __real_clfftBakePlan(clfftPlanHandle plan, cl_uint count, cl_command_queue *queues,
                                 void(CL_CALLBACK *notify)(clfftPlanHandle, void *), void *data);
clfftStatus __wrap_clfftBakePlan(clfftPlanHandle plan, cl_uint count, cl_command_queue *queues,
                                 void(CL_CALLBACK *notify)(clfftPlanHandle, void *), void *data);
clfftStatus __wrap_clfftBakePlan(clfftPlanHandle plan, cl_uint count, cl_command_queue *queues,
                                 void(CL_CALLBACK *notify)(clfftPlanHandle, void *), void *data) {
  watch.bakes++;
  return watch.bake_fails ? (clfftStatus)watch.bake_fails : __real_clfftBakePlan(plan, count, queues, notify, data);
}

/* What a memory object is a part of; NULL: of nothing. */
static cl_mem whole_of(cl_mem part) {
  cl_mem whole = NULL;
  ASSERT_CL(clGetMemObjectInfo(part, CL_MEM_ASSOCIATED_MEMOBJECT, sizeof whole, &whole, NULL));
  return whole;
}

clfftStatus __real_clfftEnqueueTransform(clfftPlanHandle plan, clfftDirection direction, cl_uint count,
                                         cl_command_queue *queues, cl_uint waits, const cl_event *wait, cl_event *done,
                                         cl_mem *in, cl_mem *out, cl_mem room);
clfftStatus __wrap_clfftEnqueueTransform(clfftPlanHandle plan, clfftDirection direction, cl_uint count,
                                         cl_command_queue *queues, cl_uint waits, const cl_event *wait, cl_event *done,
                                         cl_mem *in, cl_mem *out, cl_mem room);
clfftStatus __wrap_clfftEnqueueTransform(clfftPlanHandle plan, clfftDirection direction, cl_uint count,
                                         cl_command_queue *queues, cl_uint waits, const cl_event *wait, cl_event *done,
                                         cl_mem *in, cl_mem *out, cl_mem room) {
  watch.enqueues++;
  watch.mixed += out && (*in == *out || whole_of(*in) == *out || whole_of(*out) == *in);
  if (watch.turned) direction = direction == CLFFT_FORWARD ? CLFFT_BACKWARD : CLFFT_FORWARD;
  return __real_clfftEnqueueTransform(plan, direction, count, queues, waits, wait, done, in, out, room);
}

clfftStatus __real_clfftTeardown(void);
clfftStatus __wrap_clfftTeardown(void);
clfftStatus __wrap_clfftTeardown(void) {
  watch.teardowns++;
  return __real_clfftTeardown();
}

char *__real_cliv__trial_program(const char *wanted);
char *__wrap_cliv__trial_program(const char *wanted);
char *__wrap_cliv__trial_program(const char *wanted) {
  return __real_cliv__trial_program(watch.probe ? watch.probe : wanted);
}

/* ---- contexts of their own ---- */

static char *folder; /* for what is kept */

static cliv_context *open_with(const char *cache_dir, cliv_probe probe) {
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_create(&(cliv_context_options){.cache_dir = cache_dir, .probe = probe}, &ctx));
  return ctx;
}

/* Nothing is tried in a child, which would compile each plan once more, and nothing of plans is kept. */
static cliv_context *open_plain(void) { return open_with(NULL, CLIV_PROBE_NEVER); }

/* Children are `probe` instead of cliv-probe, but for the trial of the driver. */
static cliv_context *open_trying(const char *probe) {
  watch.probe = NULL;
  cliv_context *const ctx = open_with(folder, CLIV_PROBE_UNKNOWN);
  watch.probe = probe;
  return ctx;
}

/* auto takes the device for a GPU. */
static cliv_context *open_measuring(const char *probe) {
  cliv_context *const ctx = open_trying(probe);
  ctx->facts.type = CL_DEVICE_TYPE_GPU;
  ctx->quirks &= ~(unsigned)CLIV__QUIRK_SOFTWARE;
  return ctx;
}

static int begin(void **state) {
  (void)state;
  folder = test_temp_dir();
  memset(&watch, 0, sizeof watch);
  return 0;
}

static int end(void **state) {
  (void)state;
  test_remove_tree(folder);
  free(folder);
  return 0;
}

/* ---- both providers ---- */

typedef cliv_status call(cliv_context *ctx, const cliv_tensor *x, cliv_tensor *out, const cliv_fft_options *o,
                         const cliv_sync *sync);

/* ||a - b|| / ||b|| */
static double apart(const float *a, const float *b, size_t n) {
  double difference = 0, length = 0;
  for (size_t i = 0; i < n; i++) {
    difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    length += (double)b[i] * b[i];
  }
  return sqrt(difference / length);
}

typedef struct array {
  int ndim;
  size_t shape[4];
} array;

static size_t count_of(const array *a) {
  size_t n = 1;
  for (int d = 0; d < a->ndim; d++) n *= a->shape[d];
  return n;
}

/* x by both, in memory with guards: what lies around stays, and so does x where it is not the result too. */
static void compare(cliv_context *ctx, call *by, const array *in, const array *out, const cliv_fft_options *options,
                    size_t shift, bool in_place) {
  const size_t n = count_of(in), m = count_of(out);
  float *const x = test_alloc(n * sizeof *x), *result[2];
  cliv_fft_options o = *options;
  const bool trivial = by == cliv_fft && o.axis_count == 0 && in->shape[in->ndim - 2] == 1; /* exact's */
  test_fill_normal(x, n, 31 + n + shift);
  for (int p = 0; p < 2; p++) {
    o.provider = p ? CLIV_FFT_PROVIDER_CLFFT : CLIV_FFT_PROVIDER_EXACT;
    test_guarded from = test_guard(ctx, CLIV_F32, in->ndim, in->shape, shift, x);
    test_guarded to = test_guard(ctx, CLIV_F32, out->ndim, out->shape, shift ? 2 * shift + 1 : 0, NULL);
    ASSERT_OK(ctx, by(ctx, from.tensor, in_place ? from.tensor : to.tensor, &o, NULL));
    assert_int_equal(cliv_fft_last_provider(ctx), trivial ? CLIV_FFT_PROVIDER_EXACT : o.provider);
    result[p] = test_read(in_place ? from.tensor : to.tensor);
    if (!in_place) {
      float *const after = test_read(from.tensor);
      ASSERT_BITS(after, x, n * sizeof *x);
      free(after);
    }
    test_guard_free(&from);
    test_guard_free(&to);
  }
  const double error = apart(result[1], result[0], m);
  if (!(error < 1e-6)) fail_msg("%zu numbers to %zu: apart by %.3g", n, m, error);
  free(result[0]);
  free(result[1]);
  free(x);
}

static void try_complex(cliv_context *ctx, size_t lines, size_t n, size_t shift, bool in_place) {
  const array a = {3, {lines, n, 2}};
  for (int inverse = 0; inverse < 2; inverse++)
    compare(ctx, cliv_fft, &a, &a, &(cliv_fft_options){.inverse = inverse}, shift, in_place);
}

/* Shifts: none; one that a part of the memory may begin at; one that has to be copied. */
static void lengths(void **state) {
  (void)state;
  static const size_t all[] = {8, 48, 100, 7 * 11 * 13, 1024, 4096};
  cliv_context *const ctx = open_plain();
  for (size_t i = 0; i < (test_few() ? 1 : sizeof all / sizeof *all); i++) try_complex(ctx, 3, all[i], 0, i % 2);
  try_complex(ctx, 3, 8, 32, true);
  try_complex(ctx, 3, 8, 5, true);
  try_complex(ctx, 1, 8, 5, false);
  cliv_context_free(ctx);
}

static void norms_and_batches(void **state) {
  (void)state;
  if (test_few()) return; /* another plan for each norm */
  cliv_context *const ctx = open_plain();
  const array a = {3, {5, 12, 2}};
  for (int norm = 0; norm < 3; norm++)
    for (int inverse = 0; inverse < 2; inverse++)
      compare(ctx, cliv_fft, &a, &a, &(cliv_fft_options){.inverse = inverse, .norm = (cliv_fft_norm)norm}, 0, false);
  const int bakes = watch.bakes;
  for (size_t lines = 1; lines < 45; lines++) { /* more plans than are kept; none is proven anew */
    const array b = {3, {lines, 12, 2}};
    compare(ctx, cliv_fft, &b, &b, &(cliv_fft_options){0}, 0, false);
  }
  assert_in_range(watch.bakes - bakes, 43, 44);
  cliv_context_free(ctx);
}

static void several_axes(void **state) {
  (void)state;
  static const struct { int count, axes[3]; } rows[] = {{3, {0, 1, 2}}, {2, {2, 1}}, {1, {0}}, {1, {1}}, {2, {0, 2}}};
  cliv_context *const ctx = open_plain();
  const array a = {4, {4, 6, 8, 2}};
  for (size_t i = test_few() ? 2 : 0; i < (test_few() ? 3 : sizeof rows / sizeof *rows); i++)
    compare(ctx, cliv_fft, &a, &a, &(cliv_fft_options){.axis_count = rows[i].count, .axes = rows[i].axes},
            i % 2 ? 3 : 0, i % 3 == 1);
  const array thin = {4, {1, 8, 1, 2}}, one = {3, {5, 1, 2}};
  const cliv_fft_options all = {.axis_count = 3, .axes = (const int[]){0, 1, 2}};
  compare(ctx, cliv_fft, &thin, &thin, &all, 0, true);
  compare(ctx, cliv_fft, &one, &one, &(cliv_fft_options){0}, 0, false);
  cliv_context_free(ctx);
}

static void real_numbers(void **state) {
  (void)state;
  if (test_few()) return;
  static const struct {
    array reals, pairs;
    int count, axes[3];
  } rows[] = {{{2, {3, 48}}, {3, {3, 25, 2}}, 1, {1}},           /* along the last axis */
              {{2, {3, 15}}, {3, {3, 8, 2}}, 1, {1}},            /* of an odd length */
              {{2, {10, 12}}, {3, {10, 7, 2}}, 2, {0, 1}},       /* in the plane */
              {{2, {12, 10}}, {3, {7, 10, 2}}, 2, {1, 0}},       /* the other axis halved */
              {{3, {4, 6, 8}}, {4, {4, 6, 5, 2}}, 3, {1, 0, 2}}, /* in space */
              {{3, {3, 8, 5}}, {4, {3, 5, 5, 2}}, 1, {1}}};      /* beside others */
  cliv_context *const ctx = open_plain();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const cliv_fft_options o = {.axis_count = rows[i].count, .axes = rows[i].axes};
    compare(ctx, cliv_rfft, &rows[i].reals, &rows[i].pairs, &o, i % 3 ? 0 : 3, false);
  }
  cliv_context_free(ctx);
}

/* Of the transforms of real numbers: half of any other array is read in different ways. */
static void back_to_real(void **state) {
  (void)state;
  if (test_few()) return;
  static const struct {
    array reals, pairs;
    int count, axes[3];
  } rows[] = {{{2, {3, 48}}, {3, {3, 25, 2}}, 1, {1}},
              {{2, {10, 12}}, {3, {10, 7, 2}}, 2, {0, 1}},
              {{3, {3, 8, 5}}, {4, {3, 5, 5, 2}}, 2, {0, 1}}};
  cliv_context *const ctx = open_plain();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const size_t n = count_of(&rows[i].reals);
    float *const x = test_alloc(n * sizeof *x);
    test_fill_normal(x, n, 5 + i);
    test_guarded from = test_guard(ctx, CLIV_F32, rows[i].reals.ndim, rows[i].reals.shape, 1, x);
    test_guarded mid = test_guard(ctx, CLIV_F32, rows[i].pairs.ndim, rows[i].pairs.shape, i, NULL);
    test_guarded to = test_guard(ctx, CLIV_F32, rows[i].reals.ndim, rows[i].reals.shape, 3, NULL);
    cliv_fft_options o = {.axis_count = rows[i].count, .axes = rows[i].axes, .norm = CLIV_FFT_ORTHO};
    ASSERT_OK(ctx, cliv_rfft(ctx, from.tensor, mid.tensor, &o, NULL));
    o.provider = CLIV_FFT_PROVIDER_CLFFT;
    ASSERT_OK(ctx, cliv_irfft(ctx, mid.tensor, to.tensor, &o, NULL));
    float *const y = test_read(to.tensor);
    assert_true(apart(y, x, n) < 1e-6);
    free(x);
    free(y);
    test_guard_free(&from);
    test_guard_free(&mid);
    test_guard_free(&to);
  }
  cliv_context_free(ctx);
}

/* ---- refusals and failures ---- */

/* A call that fails leaves out as it was. */
static void expect_failure(cliv_context *ctx, size_t n, cliv_status status, const char *part) {
  const size_t shape[] = {2, n, 2};
  float *const x = test_alloc(4 * n * sizeof *x);
  test_fill_normal(x, 4 * n, n);
  test_guarded a = test_guard(ctx, CLIV_F32, 3, shape, 0, x), b = test_guard(ctx, CLIV_F32, 3, shape, 0, x);
  const cliv_fft_options o = {.provider = CLIV_FFT_PROVIDER_CLFFT};
  ASSERT_FAILS(ctx, cliv_fft(ctx, a.tensor, b.tensor, &o, NULL), status, part);
  float *const y = test_read(b.tensor);
  ASSERT_BITS(y, x, 4 * n * sizeof *x);
  free(y);
  free(x);
  test_guard_free(&a);
  test_guard_free(&b);
}

static void refused(void **state) {
  (void)state;
  cliv_context *const ctx = open_plain();
  expect_failure(ctx, 17, CLIV_SHAPE, "the provider 'exact' takes any");
  expect_failure(ctx, 4097, CLIV_SHAPE, "2, 3, 5, 7, 11 and 13, which 4097");
  assert_int_equal(watch.bakes, 0);
  cliv_fft_provider provider;
  const char *const names[] = {"auto", "exact", "clfft"};
  for (int i = 0; i < 3; i++) {
    ASSERT_OK(NULL, cliv_fft_provider_parse(names[i], &provider));
    assert_int_equal(provider, i);
    assert_string_equal(cliv_fft_provider_name(provider), names[i]);
  }
  assert_string_equal(cliv_fft_provider_name((cliv_fft_provider)3), "?");
  ASSERT_FAILS(NULL, cliv_fft_provider_parse("fftw", &provider), CLIV_NAME, "auto, exact, clfft");
  const size_t shape[] = {8, 2};
  cliv_tensor *x;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &x));
  ASSERT_FAILS(ctx, cliv_fft(ctx, x, x, &(cliv_fft_options){.provider = (cliv_fft_provider)7}, NULL), CLIV_VALUE,
               "7 is no provider");
  cliv_tensor_free(x);
  cliv_context_free(ctx);
}

/* A view is not copied to out before the plan is known to be good. */
static void refused_views(void **state) {
  (void)state;
  cliv_context *const ctx = open_plain();
  const size_t shape[] = {2, 8, 2}, turned[] = {16, 1, 8};
  float x[32];
  test_fill_normal(x, 32, 4);
  test_guarded a = test_guard(ctx, CLIV_F32, 3, shape, 0, x), b = test_guard(ctx, CLIV_F32, 3, shape, 0, x);
  cliv_tensor *view;
  ASSERT_OK(ctx, cliv_tensor_view_strided(a.tensor, 0, 3, shape, turned, &view));
  watch.bake_fails = CLFFT_BUGCHECK;
  ASSERT_FAILS(ctx, cliv_fft(ctx, view, b.tensor, &(cliv_fft_options){.provider = CLIV_FFT_PROVIDER_CLFFT}, NULL),
               CLIV_CLFFT, "clfftBakePlan failed");
  float *const y = test_read(b.tensor);
  ASSERT_BITS(y, x, sizeof x);
  free(y);
  cliv_tensor_free(view);
  test_guard_free(&a);
  test_guard_free(&b);
  cliv_context_free(ctx);
}

/* Devices that clFFT aborts on are not asked. */
static void refused_devices(void **state) {
  (void)state;
  cliv_context *const ctx = open_plain();
  ctx->facts.local_memory = 16 << 10;
  expect_failure(ctx, 8, CLIV_CLFFT, "more than 16384 bytes of local memory");
  assert_int_equal(watch.bakes, 0);
  cliv_context_free(ctx);
}

/* A plan is made and proven while what is on the queue, and the call itself, waits for what comes after it. */
static void waiting(void **state) {
  (void)state;
  cliv_context *const ctx = open_plain();
  const size_t shape[] = {2, 8, 2}, turned[] = {16, 1, 8};
  float x[32];
  cl_int code;
  cl_event gate = clCreateUserEvent(ctx->context, &code), done;
  ASSERT_CL(code);
  test_fill_normal(x, 32, 4);
  test_guarded a = test_guard(ctx, CLIV_F32, 3, shape, 0, x), b = test_guard(ctx, CLIV_F32, 3, shape, 0, NULL);
  cliv_tensor *view;
  ASSERT_OK(ctx, cliv_tensor_view_strided(a.tensor, 0, 3, shape, turned, &view));
  const cliv_fft_options exact = {.provider = CLIV_FFT_PROVIDER_EXACT}, clfft = {.provider = CLIV_FFT_PROVIDER_CLFFT};
  ASSERT_OK(ctx, cliv_fft(ctx, view, b.tensor, &exact, NULL));
  float *const want = test_read(b.tensor);
  ASSERT_CL(clEnqueueMarkerWithWaitList(ctx->queue, 1, &gate, NULL));
  ASSERT_OK(ctx, cliv_fft(ctx, view, b.tensor, &clfft, &(cliv_sync){1, &gate, &done}));
  ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
  ASSERT_CL(clWaitForEvents(1, &done));
  float *const got = test_read(b.tensor);
  assert_true(apart(got, want, 32) < 1e-6);
  free(want);
  free(got);
  ASSERT_CL(clReleaseEvent(done));
  ASSERT_CL(clReleaseEvent(gate));
  cliv_tensor_free(view);
  test_guard_free(&a);
  test_guard_free(&b);
  cliv_context_free(ctx);
}

/* On a guest's queue that keeps no order by itself. */
static void out_of_order(void **state) {
  (void)state;
  if (test_few()) return; /* another plan */
  cliv_context *const first = open_plain(), *ctx;
  cl_int code;
  const cl_command_queue queue =
      clCreateCommandQueue(first->context, first->device, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);
  if (code == CL_SUCCESS) {
    ASSERT_OK(NULL, cliv_context_wrap(first->context, first->device, queue,
                                      &(cliv_context_options){.probe = CLIV_PROBE_NEVER}, &ctx));
    const cliv_fft_options there = {.provider = CLIV_FFT_PROVIDER_CLFFT};
    const cliv_fft_options back = {.provider = CLIV_FFT_PROVIDER_CLFFT, .inverse = 1};
    float x[48];
    cl_event done;
    test_fill_normal(x, 48, 6);
    test_guarded t = test_guard(ctx, CLIV_F32, 3, (const size_t[]){3, 8, 2}, 5, x); /* with copies before and behind */
    for (int i = 0; i < 4; i++) {
      ASSERT_OK(ctx, cliv_fft(ctx, t.tensor, t.tensor, &there, NULL));
      ASSERT_OK(ctx, cliv_fft(ctx, t.tensor, t.tensor, &back, &(cliv_sync){.done = &done}));
      ASSERT_CL(clWaitForEvents(1, &done));
      ASSERT_CL(clReleaseEvent(done));
    }
    float *const y = test_read(t.tensor);
    assert_true(apart(y, x, 48) < 1e-5);
    free(y);
    test_guard_free(&t);
    cliv_context_free(ctx);
    ASSERT_CL(clReleaseCommandQueue(queue));
  }
  cliv_context_free(first);
}

/* Tensors of one memory object, one of them at its beginning: no command has both it and a part of it. */
static void one_memory(void **state) {
  (void)state;
  if (test_few()) return; /* another plan */
  cliv_context *const ctx = open_plain();
  const size_t shape[] = {4, 16, 2}, both = 4096, place = 2048;
  float x[128];
  test_fill_normal(x, 128, 4);
  test_guarded plain = test_guard(ctx, CLIV_F32, 3, shape, 0, x);
  const cliv_fft_options exact = {.provider = CLIV_FFT_PROVIDER_EXACT}, clfft = {.provider = CLIV_FFT_PROVIDER_CLFFT};
  cliv_tensor *base, *a, *b;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &both, &base));
  ASSERT_OK(ctx, cliv_tensor_view(base, 0, 3, shape, 0, &a));
  ASSERT_OK(ctx, cliv_tensor_view(base, place, 3, shape, 0, &b));
  ASSERT_OK(ctx, cliv_tensor_write(a, x, sizeof x));
  ASSERT_OK(ctx, cliv_fft(ctx, a, b, &clfft, NULL));
  ASSERT_OK(ctx, cliv_fft(ctx, plain.tensor, plain.tensor, &exact, NULL));
  float *const got = test_read(b), *const want = test_read(plain.tensor);
  assert_true(apart(got, want, 128) < 1e-6);
  assert_int_equal(watch.mixed, 0);
  free(got);
  free(want);
  cliv_tensor_free(a);
  cliv_tensor_free(b);
  cliv_tensor_free(base);
  test_guard_free(&plain);
  cliv_context_free(ctx);
}

/* A plan that computes something else is refused, from then on without another trial; others serve. */
static void wrong_results(void **state) {
  (void)state;
  cliv_context *const ctx = open_plain();
  watch.turned = 1;
  expect_failure(ctx, 8, CLIV_CLFFT, "it computes a wrong result");
  watch.turned = 0;
  const int bakes = watch.bakes;
  expect_failure(ctx, 8, CLIV_CLFFT, "the provider 'exact' may serve instead");
  assert_int_equal(watch.bakes, bakes);
  const array others = {3, {3, 4, 2}};
  compare(ctx, cliv_fft, &others, &others, &(cliv_fft_options){0}, 0, false);
  cliv_context_free(ctx);
}

/* What fails for want of memory is tried again. */
static void failing_bakes(void **state) {
  (void)state;
  cliv_context *const ctx = open_plain();
  watch.bake_fails = CLFFT_BUGCHECK;
  expect_failure(ctx, 8, CLIV_CLFFT, "clfftBakePlan failed: a check of its own failed (4096)");
  watch.bake_fails = CL_OUT_OF_RESOURCES;
  expect_failure(ctx, 4, CLIV_DEVICE_MEMORY, "CL_OUT_OF_RESOURCES");
  watch.bake_fails = 0;
  const array four = {3, {3, 4, 2}};
  compare(ctx, cliv_fft, &four, &four, &(cliv_fft_options){0}, 0, false);
  assert_int_equal(watch.teardowns, 0);
  cliv_context_free(ctx);
  assert_int_equal(watch.teardowns, 1);
}

/* ---- children ---- */

/* A program that notes each start and then does what `ending` says; malloc'd path. */
static char *fake_probe(const char *ending) {
  char *const path = test_join(folder, "probe"), *const log = test_join(folder, "log");
  const size_t room = strlen(log) + strlen(ending) + 100;
  char *const text = test_alloc(room);
  const int length = snprintf(text, room, "#!/bin/sh\necho $3 >>'%s'\n%s\n", log, ending);
  test_write_file(path, text, (size_t)length);
  chmod(path, 0755);
  free(text);
  free(log);
  return path;
}

static size_t starts(void) {
  char *const log = test_join(folder, "log");
  size_t bytes = 0, lines = 0;
  char *const text = test_read_file(log, &bytes);
  for (size_t i = 0; i < bytes; i++) lines += text[i] == '\n';
  free(text);
  free(log);
  return lines;
}

/* The verdict is kept: another context does not ask again, and this process never meets the plan. */
static void crashing_children(void **state) {
  (void)state;
  char *const probe = fake_probe("echo trying >&3; kill -SEGV $$");
  size_t asked = 0;
  for (int i = 0; i < 2; i++) {
    cliv_context *const ctx = open_trying(probe);
    expect_failure(ctx, 8, CLIV_CLFFT, "a process that tried it crashed (signal 11)");
    cliv_context_free(ctx);
    if (i == 0) asked = starts(); /* each driver alone has a child, unless another was sooner */
  }
  assert_in_range(asked, 1, 4);
  assert_int_equal(starts(), asked);
  cliv_context *const ctx = open_trying(probe);
  expect_failure(ctx, 4, CLIV_CLFFT, "crashed");
  assert_true(starts() > asked);
  assert_int_equal(watch.bakes, 0);
  cliv_context_free(ctx);
  free(probe);
}

/* A driver whose child hangs is not waited for, once the one that has the device has answered. */
static void hanging_children(void **state) {
  (void)state;
  char *const probe = fake_probe("case $2 in *hangs) exec sleep 60;; esac; printf 'trying\\nbad\\tslow\\ndone\\n' >&3");
  char hangs[] = "/hangs", answers[] = "/answers";
  const cliv__driver drivers[] = {{.source = hangs, .library = hangs}, {.source = answers, .library = answers}};
  cliv__trial trials[] = {{.driver = &drivers[0], .enough = "trying\n"}, {.driver = &drivers[1], .enough = "trying\n"}};
  const time_t start = time(NULL);
  cliv__trial_run(probe, trials, 2, 50000);
  assert_in_range(time(NULL) - start, 0, 30);
  assert_string_equal(trials[1].report, "trying\nbad\tslow\n");
  assert_int_equal(trials[1].outcome, CLIV__DRIVER_GOOD);
  assert_int_equal(trials[0].outcome, CLIV__DRIVER_HUNG);
  free(trials[0].report);
  free(trials[1].report);
  free(probe);
}

static void refusing_children(void **state) {
  (void)state;
  char *const probe = fake_probe("printf 'trying\\nbad\\tit does not compile\\ndone\\n' >&3");
  cliv_context *const ctx = open_trying(probe);
  expect_failure(ctx, 8, CLIV_CLFFT, "it does not compile; the provider");
  assert_int_equal(watch.bakes, 0);
  cliv_context_free(ctx);
  free(probe);
}

static json_t *plans_known(cliv_context *ctx) {
  char name[64], version[32];
  snprintf(name, sizeof name, "clfft %s plans", cliv__clfft_version(version));
  return cliv__notes_get(ctx, name);
}

static void transform_once(cliv_context *ctx, size_t n) {
  const size_t shape[] = {2, n, 2};
  cliv_tensor *x;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, shape, &x));
  ASSERT_OK(ctx, cliv_tensor_fill(x, 1, NULL));
  ASSERT_OK(ctx, cliv_fft(ctx, x, x, &(cliv_fft_options){.provider = CLIV_FFT_PROVIDER_CLFFT}, NULL));
  cliv_tensor_free(x);
}

/* Children that say nothing of the device: the plan is proven here alone, and nothing is kept. */
static void silent_children(void **state) {
  (void)state;
  char *const probe = fake_probe("echo done >&3");
  cliv_context *const ctx = open_trying(probe);
  transform_once(ctx, 8);
  assert_true(starts() > 0);
  assert_null(plans_known(ctx));
  cliv_context_free(ctx);
  free(probe);
}

/* The real one. */
static void children(void **state) {
  (void)state;
  cliv_context *const ctx = open_trying(NULL);
  transform_once(ctx, 8);
  json_t *const note = plans_known(ctx);
  assert_int_equal(json_object_size(note), 1);
  assert_true(json_is_integer(json_object_get(json_object_iter_value(json_object_iter(note)), "good")));
  json_decref(note);
  cliv_context_free(ctx);
}

static void shapes_as_text(void **state) {
  (void)state;
  const cliv__clfft_shape shape = {1, 0, 0, 3, {30, 7, 13}, 5, 1, 1.0 / 3};
  cliv__clfft_shape back;
  char text[CLIV__CLFFT_SHAPE_TEXT];
  cliv__clfft_shape_write(&shape, text);
  assert_true(cliv__clfft_shape_read(text, &back));
  ASSERT_BITS(&back, &shape, sizeof shape);
  static const char *const wrong[] = {"",
                                      "0:0:0:1:8:0:0:1:0",
                                      "0:0:0:1:8:0:0:1:0:",
                                      "3:0:0:1:8:0:0:1:0:1",
                                      "0:0:0:4:8:0:0:1:0:1",
                                      "0:0:0:1:17:0:0:1:0:1",
                                      "0:0:0:2:8:0:0:1:0:1",
                                      "0:0:0:1:8:0:0:0:0:1",
                                      "0:0:0:1:8:0:0:1:0:1x"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_false(cliv__clfft_shape_read(wrong[i], &back));
}

/* ---- clFFT's state ---- */

static void transform_eight(cliv_context *ctx) {
  const array a = {3, {3, 8, 2}};
  compare(ctx, cliv_fft, &a, &a, &(cliv_fft_options){0}, 0, false);
}

/* Torn down with the last of two contexts, and not while somebody else has a plan. */
static void torn_down(void **state) {
  (void)state;
  cliv_context *a = open_plain(), *const b = open_plain();
  transform_eight(a);
  transform_eight(b);
  cliv_context_free(a);
  assert_int_equal(watch.teardowns, 0);
  transform_eight(b);
  cliv_context_free(b);
  assert_int_equal(watch.teardowns, 1);
}

static void left_to_guests(void **state) {
  (void)state;
  cliv_context *ctx = open_plain();
  const size_t length = 16;
  clfftPlanHandle guest;
  transform_eight(ctx);
  const int before = watch.teardowns;
  assert_int_equal(clfftCreateDefaultPlan(&guest, ctx->context, CLFFT_1D, &length), CLFFT_SUCCESS);
  cliv_context_free(ctx);
  assert_int_equal(watch.teardowns, before);
  assert_int_equal(clfftSetPlanBatchSize(guest, 2), CLFFT_SUCCESS); /* it lives */
  assert_int_equal(clfftDestroyPlan(&guest), CLFFT_SUCCESS);
  assert_int_equal(__real_clfftTeardown(), CLFFT_SUCCESS);
}

static void *in_a_thread(void *unused) {
  (void)unused;
  cliv_context *ctx;
  if (cliv_context_create(&(cliv_context_options){.probe = CLIV_PROBE_NEVER}, &ctx)) return NULL;
  const cliv_fft_options there = {.provider = CLIV_FFT_PROVIDER_CLFFT};
  const cliv_fft_options back = {.provider = CLIV_FFT_PROVIDER_CLFFT, .inverse = 1};
  float x[48], y[48];
  test_fill_normal(x, 48, 3);
  cliv_tensor *t = NULL;
  bool ok = !cliv_tensor_from_array(ctx, &(cliv_array){CLIV_F32, 3, {3, 8, 2}, x}, &t);
  for (int i = 0; ok && i < 5; i++) ok = !cliv_fft(ctx, t, t, &there, NULL) && !cliv_fft(ctx, t, t, &back, NULL);
  ok = ok && !cliv_tensor_read(t, y, sizeof y) && apart(y, x, 48) < 1e-5;
  cliv_tensor_free(t);
  cliv_context_free(ctx);
  return ok ? folder : NULL;
}

static void threads(void **state) {
  (void)state;
  enum { THREADS = 3 };
  pthread_t thread[THREADS];
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&thread[i], NULL, in_a_thread, NULL), 0);
  for (int i = 0; i < THREADS; i++) {
    void *ok = NULL;
    pthread_join(thread[i], &ok);
    assert_non_null(ok);
  }
}

/* ---- auto ---- */

static const char ROUTES[] = "fft routes";

static void transform_auto(cliv_context *ctx, size_t lines, size_t n) {
  const size_t shape[] = {lines, n, 2};
  test_guarded x = test_guard(ctx, CLIV_F32, 3, shape, 0, NULL), y = test_guard(ctx, CLIV_F32, 3, shape, 0, NULL);
  ASSERT_OK(ctx, cliv_tensor_fill(x.tensor, 1, NULL));
  ASSERT_OK(ctx, cliv_fft(ctx, x.tensor, y.tensor, NULL, NULL));
  test_guard_free(&x);
  test_guard_free(&y);
}

/* A child that has no doubts; malloc'd path. */
static char *approving_probe(void) {
  cliv_context *const ctx = open_plain();
  const bool cured = ctx->quirks & CLIV__QUIRK_CLFFT_POINTERS;
  cliv_context_free(ctx);
  return fake_probe(cured ? "printf 'trying\\ngood\\t1\\ndone\\n' >&3" : "printf 'trying\\ngood\\t0\\ndone\\n' >&3");
}

static void automatic(void **state) {
  (void)state;
  char *const probe = approving_probe();
  cliv_context *ctx = open_measuring(probe);
  assert_int_equal(cliv_fft_last_provider(ctx), CLIV_FFT_PROVIDER_AUTO);
  ctx->facts.type = CL_DEVICE_TYPE_CPU;
  transform_auto(ctx, 3, 8);
  assert_int_equal(cliv_fft_last_provider(ctx), CLIV_FFT_PROVIDER_EXACT);
  assert_int_equal(watch.bakes, 0);
  /* As a GPU: measured once, also for other contexts and other numbers of lines of the same size. */
  ctx->facts.type = CL_DEVICE_TYPE_GPU;
  transform_auto(ctx, 3, 17);
  assert_int_equal(watch.bakes, 0);
  transform_auto(ctx, 2, 8);
  assert_true(watch.bakes > 0);
  const cliv_fft_provider chosen = cliv_fft_last_provider(ctx);
  assert_in_range(chosen, CLIV_FFT_PROVIDER_EXACT, CLIV_FFT_PROVIDER_CLFFT);
  json_t *const note = cliv__notes_get(ctx, ROUTES), *const row = json_object_get(note, "complex 8 batch 2^1");
  assert_true(json_number_value(json_object_get(row, "exact_seconds")) > 0);
  assert_true(json_number_value(json_object_get(row, "clfft_seconds")) > 0);
  assert_string_equal(json_string_value(json_object_get(row, "provider")), cliv_fft_provider_name(chosen));
  /* What is kept is followed, whatever it says. */
  for (int i = CLIV_FFT_PROVIDER_EXACT; i <= CLIV_FFT_PROVIDER_CLFFT; i++) {
    cliv_context_free(ctx);
    ctx = open_measuring(probe);
    json_object_set_new(row, "provider", json_string(cliv_fft_provider_name((cliv_fft_provider)i)));
    assert_true(cliv__notes_put(ctx, ROUTES, note));
    watch.enqueues = 0;
    transform_auto(ctx, 3, 8);
    assert_int_equal(cliv_fft_last_provider(ctx), i);
    assert_int_equal(watch.enqueues > 0, i == CLIV_FFT_PROVIDER_CLFFT);
  }
  cliv_context_free(ctx);
  json_decref(note);
  free(probe);
}

/* A device where no plan is good has exact for good. */
static void automatic_without(void **state) {
  (void)state;
  char *const probe = approving_probe();
  cliv_context *const ctx = open_measuring(probe);
  watch.turned = 1;
  transform_auto(ctx, 3, 8);
  assert_int_equal(cliv_fft_last_provider(ctx), CLIV_FFT_PROVIDER_EXACT);
  assert_string_equal(cliv_last_error(ctx), "");
  watch.turned = 0;
  const int bakes = watch.bakes;
  transform_auto(ctx, 3, 8);
  assert_int_equal(watch.bakes, bakes);
  assert_null(cliv__notes_get(ctx, ROUTES)); /* others may have the memory, and bad plans are tried again */
  cliv_context_free(ctx);
  free(probe);
}

/* What another transform was measured with fails for this one: exact serves, and is remembered. */
static void automatic_failing(void **state) {
  (void)state;
  char *const probe = approving_probe();
  cliv_context *const ctx = open_measuring(probe);
  json_t *const note = json_pack("{s:{s:s}}", "complex 8 batch 2^1", "provider", "clfft");
  assert_true(cliv__notes_put(ctx, ROUTES, note));
  json_decref(note);
  static const int codes[] = {CLFFT_BUGCHECK, CL_OUT_OF_RESOURCES};
  for (int i = 0; i < 2; i++) {
    watch.bake_fails = codes[i];
    transform_auto(ctx, 3, 8);
    assert_int_equal(cliv_fft_last_provider(ctx), CLIV_FFT_PROVIDER_EXACT);
    assert_string_equal(cliv_last_error(ctx), "");
    const int bakes = watch.bakes;
    transform_auto(ctx, 3, 8);
    assert_int_equal(watch.bakes, bakes);
  }
  cliv_context_free(ctx);
  free(probe);
}

/* Where no child can try a plan, auto does not either: nothing of clFFT's is called. */
static void automatic_unproven(void **state) {
  (void)state;
  char *const probe = fake_probe("echo done >&3");
  for (int silent = 0; silent < 2; silent++) {
    cliv_context *const ctx = open_measuring(probe);
    ctx->trials = silent;
    transform_auto(ctx, 3, 8);
    assert_int_equal(cliv_fft_last_provider(ctx), CLIV_FFT_PROVIDER_EXACT);
    assert_string_equal(cliv_last_error(ctx), "");
    cliv_context_free(ctx);
  }
  assert_int_equal(watch.bakes, 0);
  free(probe);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
      TEST(shapes_as_text),  TEST(lengths),           TEST(norms_and_batches), TEST(several_axes),
      TEST(real_numbers),    TEST(back_to_real),      TEST(refused),           TEST(wrong_results),
      TEST(failing_bakes),   TEST(crashing_children), TEST(refusing_children), TEST(hanging_children),
      TEST(silent_children), TEST(children),          TEST(torn_down),         TEST(threads),
      TEST(automatic),       TEST(automatic_without), TEST(automatic_failing), TEST(automatic_unproven),
      TEST(refused_views),   TEST(refused_devices),   TEST(waiting),           TEST(out_of_order),
      TEST(one_memory),      TEST(left_to_guests), /* the last: clFFT is another's from there on */
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}

#else

static void without(void **state) {
  (void)state;
  const size_t shape[] = {8, 2};
  cliv_context *const ctx = test_open(test_walks[test_first_walk()]);
  cliv_tensor *x;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &x));
  ASSERT_OK(ctx, cliv_tensor_fill(x, 1, NULL));
  ASSERT_FAILS(ctx, cliv_fft(ctx, x, x, &(cliv_fft_options){.provider = CLIV_FFT_PROVIDER_CLFFT}, NULL), CLIV_NO_CLFFT,
               "-DCLIV_CLFFT=ON");
  ASSERT_OK(ctx, cliv_fft(ctx, x, x, NULL, NULL));
  assert_int_equal(cliv_fft_last_provider(ctx), CLIV_FFT_PROVIDER_EXACT);
  cliv_tensor_free(x);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(without)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}

#endif
