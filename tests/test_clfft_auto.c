/* The provider clfft of cliv/fft.h: plans tried in a child; clFFT's global state; what auto does. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/text.h"
#include "clfft_support.h"
#include "fft/clfft_plan.h"
#include "runtime/cache.h"
#include "runtime/notes.h"
#include "runtime/probe.h"
#include "runtime/quirks.h"
#include "runtime/trial.h"

/* ---- children ---- */

/* A program that notes each start and then does what `ending` says; malloc'd path. */
static char *fake_probe(const char *ending) {
  char *const path = test_join(clfft_folder, "probe"), *const log = test_join(clfft_folder, "log");
  const size_t room = strlen(log) + strlen(ending) + 100;
  char *const text = test_alloc(room);
  const int length = snprintf(text, room, "#!/bin/sh\necho $2 >>'%s'\n%s\n", log, ending);
  test_write_file(path, text, (size_t)length);
  chmod(path, 0755);
  free(text);
  free(log);
  return path;
}

static size_t starts(void) {
  char *const log = test_join(clfft_folder, "log");
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
    cliv_context *const ctx = clfft_open_trying(probe);
    clfft_expect_failure(ctx, 2, 8, CLIV_CLFFT, "a process that tried it crashed (signal 11)");
    cliv_context_free(ctx);
    if (i == 0) asked = starts(); /* each driver alone has a child, unless another was sooner */
  }
  assert_in_range(asked, 1, 4);
  assert_int_equal(starts(), asked);
  cliv_context *const ctx = clfft_open_trying(probe);
  clfft_expect_failure(ctx, 2, 4, CLIV_CLFFT, "crashed");
  assert_true(starts() > asked);
  assert_int_equal(clfft_watch.bakes, 0);
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

/* What a trial would have kept of a driver that crashes. */
static void know_bad(const cliv_context *ctx, const char *source) {
  cliv__drivers drivers;
  bool found = false;
  ASSERT_OK(NULL, cliv__drivers_find(&drivers));
  for (size_t i = 0; i < drivers.count; i++) {
    if (strcmp(drivers.rows[i].source, source) != 0) continue;
    assert_false(cliv__probe_is_bad(&drivers.rows[i], ctx->cache_dir));
    char *const key = cliv__format("driver verdict 1\n%s", drivers.rows[i].identity);
    char *const text = cliv__format("crashed 11 %lld\n", (long long)time(NULL));
    found = cliv__cache_store(ctx->cache_dir, key, strlen(key), (const unsigned char *)text, strlen(text));
    assert_true(cliv__probe_is_bad(&drivers.rows[i], ctx->cache_dir));
    free(key), free(text);
  }
  assert_true(found);
  cliv__drivers_free(&drivers);
}

/* A driver that was left out is not looked at for a device: neither by the process that left it out nor by others. */
static void drivers_left_out(void **state) {
  (void)state;
  char *const probe = fake_probe(
      "case $2 in *left_out.so) echo done >&3; exit;; esac; sleep 0.3;"
      "printf 'trying\\nbad\\tslow\\ndone\\n' >&3");
  cliv_context *const ctx = clfft_open_trying(probe);
  char *const vendors = test_join(clfft_folder, "vendors"), *const library = test_join(clfft_folder, "left_out.so");
  char *const source = test_join(vendors, "left_out.icd"), *const log = test_join(clfft_folder, "log");
  char *const before = getenv("OCL_ICD_VENDORS"), *const kept = before ? strdup(before) : NULL;
  cliv__drivers drivers;
  ASSERT_OK(NULL, cliv__drivers_find(&drivers));
  assert_int_equal(mkdir(vendors, 0755), 0);
  for (size_t i = 0; i < drivers.count; i++) {
    char name[32];
    snprintf(name, sizeof name, "%zu.icd", i);
    char *const path = test_join(vendors, name);
    test_write_file(path, drivers.rows[i].library, strlen(drivers.rows[i].library));
    free(path);
  }
  cliv__drivers_free(&drivers);
  test_write_file(library, "no library", 10);
  test_write_file(source, library, strlen(library));
  setenv("OCL_ICD_VENDORS", vendors, 1);
  for (int bad = 0; bad < 2; bad++) {
    if (bad) know_bad(ctx, source);
    clfft_expect_failure(ctx, 2, bad ? 4 : 8, CLIV_CLFFT, "slow");
    size_t bytes;
    char *const text = test_read_file(log, &bytes);
    assert_int_equal(strstr(text, "left_out.so") != NULL, !bad);
    free(text);
    remove(log);
  }
  if (kept) setenv("OCL_ICD_VENDORS", kept, 1);
  else unsetenv("OCL_ICD_VENDORS");
  char *const all[] = {vendors, library, source, log, kept, probe};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  cliv_context_free(ctx);
}

static void refusing_children(void **state) {
  (void)state;
  char *const probe = fake_probe("printf 'trying\\nbad\\tit does not compile\\ndone\\n' >&3");
  cliv_context *const ctx = clfft_open_trying(probe);
  clfft_expect_failure(ctx, 2, 8, CLIV_CLFFT, "it does not compile; the provider");
  assert_int_equal(clfft_watch.bakes, 0);
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
  cliv_context *const ctx = clfft_open_trying(probe);
  transform_once(ctx, 8);
  assert_true(starts() > 0);
  assert_null(plans_known(ctx));
  cliv_context_free(ctx);
  free(probe);
}

/* The real one. */
static void children(void **state) {
  (void)state;
  cliv_context *const ctx = clfft_open_trying(NULL);
  transform_once(ctx, 8);
  json_t *const note = plans_known(ctx);
  assert_int_equal(json_object_size(note), 1);
  assert_true(json_is_integer(json_object_get(json_object_iter_value(json_object_iter(note)), "good")));
  json_decref(note);
  cliv_context_free(ctx);
}

/* ---- clFFT's state ---- */

static void transform_eight(cliv_context *ctx) {
  const array a = {3, {3, 8, 2}};
  clfft_compare(ctx, cliv_fft, &a, &a, &(cliv_fft_options){0}, 0, false);
}

/* Torn down with the last of two contexts, and not while somebody else has a plan. */
static void torn_down(void **state) {
  (void)state;
  cliv_context *a = clfft_open(), *const b = clfft_open();
  transform_eight(a);
  transform_eight(b);
  cliv_context_free(a);
  assert_int_equal(clfft_watch.teardowns, 0);
  transform_eight(b);
  cliv_context_free(b);
  assert_int_equal(clfft_watch.teardowns, 1);
}

static void left_to_guests(void **state) {
  (void)state;
  cliv_context *ctx = clfft_open();
  const size_t length = 16;
  clfftPlanHandle guest;
  transform_eight(ctx);
  const int before = clfft_watch.teardowns;
  assert_int_equal(clfftCreateDefaultPlan(&guest, ctx->context, CLFFT_1D, &length), CLFFT_SUCCESS);
  cliv_context_free(ctx);
  assert_int_equal(clfft_watch.teardowns, before);
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
  ok = ok && !cliv_tensor_read(t, y, sizeof y) && clfft_apart(y, x, 48) < 1e-5;
  cliv_tensor_free(t);
  cliv_context_free(ctx);
  return ok ? clfft_folder : NULL;
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
  cliv_context *const ctx = clfft_open();
  const bool cured = ctx->quirks & CLIV__QUIRK_CLFFT_POINTERS;
  cliv_context_free(ctx);
  return fake_probe(cured ? "printf 'trying\\ngood\\t1\\ndone\\n' >&3" : "printf 'trying\\ngood\\t0\\ndone\\n' >&3");
}

static void automatic(void **state) {
  (void)state;
  char *const probe = approving_probe();
  cliv_context *ctx = clfft_open_measuring(probe);
  assert_int_equal(cliv_fft_last_provider(ctx), CLIV_FFT_PROVIDER_AUTO);
  ctx->facts.type = CL_DEVICE_TYPE_CPU;
  transform_auto(ctx, 3, 8);
  assert_int_equal(cliv_fft_last_provider(ctx), CLIV_FFT_PROVIDER_EXACT);
  assert_int_equal(clfft_watch.bakes, 0);
  /* As a GPU: measured once, also for other contexts and other numbers of lines of the same size. */
  ctx->facts.type = CL_DEVICE_TYPE_GPU;
  transform_auto(ctx, 3, 17);
  assert_int_equal(clfft_watch.bakes, 0);
  transform_auto(ctx, 2, 8);
  assert_true(clfft_watch.bakes > 0);
  const cliv_fft_provider chosen = cliv_fft_last_provider(ctx);
  assert_in_range(chosen, CLIV_FFT_PROVIDER_EXACT, CLIV_FFT_PROVIDER_CLFFT);
  json_t *const note = cliv__notes_get(ctx, ROUTES), *const row = json_object_get(note, "complex 8 batch 2^1");
  assert_true(json_number_value(json_object_get(row, "exact_seconds")) > 0);
  assert_true(json_number_value(json_object_get(row, "clfft_seconds")) > 0);
  assert_string_equal(json_string_value(json_object_get(row, "provider")), cliv_fft_provider_name(chosen));
  /* What is kept is followed, whatever it says. */
  for (int i = CLIV_FFT_PROVIDER_EXACT; i <= CLIV_FFT_PROVIDER_CLFFT; i++) {
    cliv_context_free(ctx);
    ctx = clfft_open_measuring(probe);
    json_object_set_new(row, "provider", json_string(cliv_fft_provider_name((cliv_fft_provider)i)));
    assert_true(cliv__notes_put(ctx, ROUTES, note));
    clfft_watch.enqueues = 0;
    transform_auto(ctx, 3, 8);
    assert_int_equal(cliv_fft_last_provider(ctx), i);
    assert_int_equal(clfft_watch.enqueues > 0, i == CLIV_FFT_PROVIDER_CLFFT);
  }
  cliv_context_free(ctx);
  json_decref(note);
  free(probe);
}

/* A device where no plan is good has exact for good. */
static void automatic_without(void **state) {
  (void)state;
  char *const probe = approving_probe();
  cliv_context *const ctx = clfft_open_measuring(probe);
  clfft_watch.turned = 1;
  transform_auto(ctx, 3, 8);
  assert_int_equal(cliv_fft_last_provider(ctx), CLIV_FFT_PROVIDER_EXACT);
  assert_string_equal(cliv_last_error(ctx), "");
  clfft_watch.turned = 0;
  const int bakes = clfft_watch.bakes;
  transform_auto(ctx, 3, 8);
  assert_int_equal(clfft_watch.bakes, bakes);
  assert_null(cliv__notes_get(ctx, ROUTES)); /* others may have the memory, and bad plans are tried again */
  cliv_context_free(ctx);
  free(probe);
}

/* What another transform was measured with fails for this one: exact serves, and is remembered. */
static void automatic_failing(void **state) {
  (void)state;
  char *const probe = approving_probe();
  cliv_context *const ctx = clfft_open_measuring(probe);
  json_t *const note = json_pack("{s:{s:s}}", "complex 8 batch 2^1", "provider", "clfft");
  assert_true(cliv__notes_put(ctx, ROUTES, note));
  json_decref(note);
  static const int codes[] = {CLFFT_BUGCHECK, CL_OUT_OF_RESOURCES};
  for (int i = 0; i < 2; i++) {
    clfft_watch.bake_fails = codes[i];
    transform_auto(ctx, 3, 8);
    assert_int_equal(cliv_fft_last_provider(ctx), CLIV_FFT_PROVIDER_EXACT);
    assert_string_equal(cliv_last_error(ctx), "");
    const int bakes = clfft_watch.bakes;
    transform_auto(ctx, 3, 8);
    assert_int_equal(clfft_watch.bakes, bakes);
  }
  cliv_context_free(ctx);
  free(probe);
}

/* Where no child can try a plan, auto does not either: nothing of clFFT's is called. */
static void automatic_unproven(void **state) {
  (void)state;
  char *const probe = fake_probe("echo done >&3");
  for (int silent = 0; silent < 2; silent++) {
    cliv_context *const ctx = clfft_open_measuring(probe);
    ctx->trials = silent;
    transform_auto(ctx, 3, 8);
    assert_int_equal(cliv_fft_last_provider(ctx), CLIV_FFT_PROVIDER_EXACT);
    assert_string_equal(cliv_last_error(ctx), "");
    cliv_context_free(ctx);
  }
  assert_int_equal(clfft_watch.bakes, 0);
  free(probe);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, clfft_begin, clfft_end)
      TEST(crashing_children), TEST(refusing_children), TEST(hanging_children),  TEST(drivers_left_out),
      TEST(silent_children),   TEST(children),          TEST(torn_down),         TEST(threads),
      TEST(automatic),         TEST(automatic_without), TEST(automatic_failing), TEST(automatic_unproven),
      TEST(left_to_guests), /* the last: clFFT is another's from there on */
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
