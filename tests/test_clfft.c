/* The provider clfft of cliv/fft.h: its results beside those of exact, which test_fft judges; what is refused; plans
 * that fail their proof. */
#include <stdlib.h>
#include <string.h>

#include "clfft_support.h"
#include "fft/clfft_plan.h"

#ifdef CLIV_HAVE_CLFFT

/* ---- both providers ---- */

static void try_complex(cliv_context *ctx, size_t lines, size_t n, size_t shift, bool in_place) {
  const array a = {3, {lines, n, 2}};
  for (int inverse = 0; inverse < 2; inverse++)
    clfft_compare(ctx, cliv_fft, &a, &a, &(cliv_fft_options){.inverse = inverse}, shift, in_place);
}

/* Shifts: none; one that a part of the memory may begin at; one that has to be copied. */
static void lengths(void **state) {
  (void)state;
  static const size_t all[] = {8, 48, 100, 7 * 11 * 13, 1024, 4096};
  cliv_context *const ctx = clfft_open();
  for (size_t i = 0; i < (test_few() ? 1 : sizeof all / sizeof *all); i++) try_complex(ctx, 3, all[i], 0, i % 2);
  try_complex(ctx, 3, 8, 32, true);
  try_complex(ctx, 3, 8, 5, true);
  try_complex(ctx, 1, 8, 5, false);
  cliv_context_free(ctx);
}

static void norms_and_batches(void **state) {
  (void)state;
  if (test_few()) return; /* another plan for each norm */
  cliv_context *const ctx = clfft_open();
  const array a = {3, {5, 12, 2}};
  for (int norm = 0; norm < 3; norm++)
    for (int inverse = 0; inverse < 2; inverse++)
      clfft_compare(ctx, cliv_fft, &a, &a, &(cliv_fft_options){.inverse = inverse, .norm = (cliv_fft_norm)norm}, 0,
                    false);
  const int bakes = clfft_watch.bakes;
  for (size_t lines = 1; lines < 45; lines++) { /* more plans than are kept; none is proven anew */
    const array b = {3, {lines, 12, 2}};
    clfft_compare(ctx, cliv_fft, &b, &b, &(cliv_fft_options){0}, 0, false);
  }
  assert_in_range(clfft_watch.bakes - bakes, 43, 44);
  cliv_context_free(ctx);
}

static void several_axes(void **state) {
  (void)state;
  static const struct { int count, axes[3]; } rows[] = {{3, {0, 1, 2}}, {2, {2, 1}}, {1, {0}}, {1, {1}}, {2, {0, 2}}};
  cliv_context *const ctx = clfft_open();
  const array a = {4, {4, 6, 8, 2}};
  for (size_t i = test_few() ? 2 : 0; i < (test_few() ? 3 : sizeof rows / sizeof *rows); i++)
    clfft_compare(ctx, cliv_fft, &a, &a, &(cliv_fft_options){.axis_count = rows[i].count, .axes = rows[i].axes},
                  i % 2 ? 3 : 0, i % 3 == 1);
  const array thin = {4, {1, 8, 1, 2}}, one = {3, {5, 1, 2}};
  const cliv_fft_options all = {.axis_count = 3, .axes = (const int[]){0, 1, 2}};
  clfft_compare(ctx, cliv_fft, &thin, &thin, &all, 0, true);
  clfft_compare(ctx, cliv_fft, &one, &one, &(cliv_fft_options){0}, 0, false);
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
  cliv_context *const ctx = clfft_open();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const cliv_fft_options o = {.axis_count = rows[i].count, .axes = rows[i].axes};
    clfft_compare(ctx, cliv_rfft, &rows[i].reals, &rows[i].pairs, &o, i % 3 ? 0 : 3, false);
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
  cliv_context *const ctx = clfft_open();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const size_t n = clfft_count(&rows[i].reals);
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
    assert_true(clfft_apart(y, x, n) < 1e-6);
    free(x);
    free(y);
    test_guard_free(&from);
    test_guard_free(&mid);
    test_guard_free(&to);
  }
  cliv_context_free(ctx);
}

/* ---- refusals and failures ---- */

static void refused(void **state) {
  (void)state;
  cliv_context *const ctx = clfft_open();
  clfft_expect_failure(ctx, 2, 17, CLIV_SHAPE, "the provider 'exact' takes any");
  clfft_expect_failure(ctx, 2, 4097, CLIV_SHAPE, "2, 3, 5, 7, 11 and 13, which 4097");
  assert_int_equal(clfft_watch.bakes, 0);
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
  cliv_context *const ctx = clfft_open();
  const size_t shape[] = {2, 8, 2}, turned[] = {16, 1, 8};
  float x[32];
  test_fill_normal(x, 32, 4);
  test_guarded a = test_guard(ctx, CLIV_F32, 3, shape, 0, x), b = test_guard(ctx, CLIV_F32, 3, shape, 0, x);
  cliv_tensor *view;
  ASSERT_OK(ctx, cliv_tensor_view_strided(a.tensor, 0, 3, shape, turned, &view));
  clfft_watch.bake_fails = CLFFT_BUGCHECK;
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
  cliv_context *const ctx = clfft_open();
  ctx->facts.local_memory = 16 << 10;
  clfft_expect_failure(ctx, 2, 8, CLIV_CLFFT, "more than 16384 bytes of local memory");
  assert_int_equal(clfft_watch.bakes, 0);
  cliv_context_free(ctx);
}

/* A plan is made and proven while what is on the queue, and the call itself, waits for what comes after it. */
static void waiting(void **state) {
  (void)state;
  cliv_context *const ctx = clfft_open();
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
  assert_true(clfft_apart(got, want, 32) < 1e-6);
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
  cliv_context *const first = clfft_open(), *ctx;
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
    assert_true(clfft_apart(y, x, 48) < 1e-5);
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
  cliv_context *const ctx = clfft_open();
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
  assert_true(clfft_apart(got, want, 128) < 1e-6);
  assert_int_equal(clfft_watch.mixed, 0);
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
  cliv_context *const ctx = clfft_open();
  clfft_watch.turned = 1;
  clfft_expect_failure(ctx, 2, 8, CLIV_CLFFT, "it computes a wrong result");
  clfft_watch.turned = 0;
  const int bakes = clfft_watch.bakes;
  clfft_expect_failure(ctx, 2, 8, CLIV_CLFFT, "the provider 'exact' may serve instead");
  assert_int_equal(clfft_watch.bakes, bakes);
  const array others = {3, {3, 4, 2}};
  clfft_compare(ctx, cliv_fft, &others, &others, &(cliv_fft_options){0}, 0, false);
  cliv_context_free(ctx);
}

/* Plans are proven with as many lines as they have: here the last of three is wrong, of two none. */
static void wrong_lines(void **state) {
  (void)state;
  cliv_context *const ctx = clfft_open();
  const array two = {3, {2, 8, 2}};
  clfft_compare(ctx, cliv_fft, &two, &two, &(cliv_fft_options){0}, 0, false);
  clfft_watch.spoils = (3 * 8 * 2 - 1) * sizeof(float);
  clfft_expect_failure(ctx, 3, 8, CLIV_CLFFT, "it computes a wrong result");
  clfft_watch.spoils = 4 * 8 * 2 * sizeof(float);
  clfft_expect_failure(ctx, 4, 8, CLIV_CLFFT, "it writes beyond its result");
  clfft_watch.spoils = 0;
  const int bakes = clfft_watch.bakes;
  clfft_expect_failure(ctx, 3, 8, CLIV_CLFFT, "it computes a wrong result");
  assert_int_equal(clfft_watch.bakes, bakes);
  clfft_compare(ctx, cliv_fft, &two, &two, &(cliv_fft_options){0}, 0, false);
  cliv_context_free(ctx);
}

/* Where there is no memory to prove a plan with all of its lines, it is proven with two. */
static void fewer_lines(void **state) {
  (void)state;
  cliv_context *const ctx = clfft_open();
  const array three = {3, {3, 8, 2}};
  clfft_watch.short_once = 1;
  clfft_compare(ctx, cliv_fft, &three, &three, &(cliv_fft_options){0}, 0, false);
  assert_int_equal(clfft_watch.bakes, 3);
  cliv_context_free(ctx);
}

/* What fails for want of memory is tried again. */
static void failing_bakes(void **state) {
  (void)state;
  cliv_context *const ctx = clfft_open();
  clfft_watch.bake_fails = CLFFT_BUGCHECK;
  clfft_expect_failure(ctx, 2, 8, CLIV_CLFFT, "clfftBakePlan failed: a check of its own failed (4096)");
  clfft_watch.bake_fails = CL_OUT_OF_RESOURCES;
  clfft_expect_failure(ctx, 2, 4, CLIV_DEVICE_MEMORY, "CL_OUT_OF_RESOURCES");
  clfft_watch.bake_fails = 0;
  const array four = {3, {3, 4, 2}};
  clfft_compare(ctx, cliv_fft, &four, &four, &(cliv_fft_options){0}, 0, false);
  assert_int_equal(clfft_watch.teardowns, 0);
  cliv_context_free(ctx);
  assert_int_equal(clfft_watch.teardowns, 1);
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

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, clfft_begin, clfft_end)
      TEST(lengths),      TEST(norms_and_batches), TEST(several_axes),  TEST(real_numbers),
      TEST(back_to_real), TEST(refused),           TEST(refused_views), TEST(refused_devices),
      TEST(waiting),      TEST(out_of_order),      TEST(one_memory),    TEST(wrong_results),
      TEST(wrong_lines),  TEST(fewer_lines),       TEST(failing_bakes), TEST(shapes_as_text),
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
