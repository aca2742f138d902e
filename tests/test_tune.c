/* Tuned parameters of CLBlast: what a search finds is right and kept, and what a file says is checked before it is
 * believed. CLBlast compiles axpy and ger alone here, and only on the stack whose compiler is quick. */
#include <cliv/blas.h>
#include <cliv/cache.h>
#include <cliv/tune.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blas/tuning.h"
#include "support.h"

static cliv_context *open_in(const char *dir) {
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_create(&(cliv_context_options){.cache_dir = dir, .no_disk_cache = !dir}, &ctx));
  return ctx;
}

#ifndef CLIV_HAVE_CLBLAST

static void says_what_is_missing(void **state) {
  (void)state;
  cliv_context *ctx = open_in(NULL);
  ASSERT_FAILS(ctx, cliv_tune(ctx, NULL, NULL), CLIV_NO_CLBLAST, "without CLBlast");
  ASSERT_FAILS(ctx, cliv_tune_export(ctx, "x"), CLIV_NO_CLBLAST, "without CLBlast");
  ASSERT_FAILS(ctx, cliv_tune_import(ctx, "x", NULL, NULL), CLIV_NO_CLBLAST, "without CLBlast");
  cliv_context_free(ctx);
}

#else

/* CLBlast's programs cost seconds where this is true. */
static bool slow(void) { return test_few() || test_small(); }

static const cliv__tune_kernel *kernel_of(const char *name) {
  const cliv__tune_kernel *k = cliv__tune_kernels;
  while (k->kernel && strcmp(k->kernel, name) != 0) k++;
  assert_non_null(k->kernel);
  return k;
}

static cliv__parameters read_parameters(cliv_context *ctx, const char *kernel) {
  cliv__parameters p;
  assert_int_equal(cliv__parameters_read(ctx->device, kernel, false, &p), 0);
  assert_true(p.count > 0);
  return p;
}

static size_t value(const cliv__parameters *p, const char *name) {
  size_t i = 0;
  while (i < p->count && strcmp(p->list[i].name, name) != 0) i++;
  assert_true(i < p->count);
  return p->list[i].value;
}

static void refuses_bad_arguments(void **state) {
  (void)state;
  char *dir = test_temp_dir();
  cliv_context *ctx = open_in(dir), *nowhere = open_in(NULL);
  ASSERT_FAILS(NULL, cliv_tune(NULL, NULL, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_tune(ctx, &(cliv_tune_options){.seconds = -1}, NULL), CLIV_VALUE, "-1");
  ASSERT_FAILS(ctx, cliv_tune(ctx, &(cliv_tune_options){.seconds = 1, .routines = "gemm,spmv"}, NULL), CLIV_NAME,
               "spmv");
  ASSERT_FAILS(ctx, cliv_tune(ctx, &(cliv_tune_options){.seconds = 1, .routines = ""}, NULL), CLIV_NAME, "''");
  ASSERT_FAILS(ctx, cliv_tune(ctx, &(cliv_tune_options){.seconds = 1, .dtype = CLIV_F16}, NULL), CLIV_DTYPE, "float16");
  ASSERT_FAILS(nowhere, cliv_tune(nowhere, &(cliv_tune_options){.seconds = 1, .routines = "axpy"}, NULL), CLIV_FILE,
               "no folder");
  ASSERT_FAILS(ctx, cliv_tune_export(ctx, NULL), CLIV_NULL, "path");
  ASSERT_FAILS(ctx, cliv_tune_export(ctx, "/nowhere/at/all.json"), CLIV_FILE, "all.json");
  ASSERT_FAILS(ctx, cliv_tune_import(ctx, "/nowhere/at/all.json", NULL, NULL), CLIV_FILE, "all.json");
  cliv_context_free(ctx);
  cliv_context_free(nowhere);
  test_remove_tree(dir);
  free(dir);
}

/* ---- candidates ---- */

static void are_text_and_back(void **state) {
  (void)state;
  cliv_context *ctx = open_in(NULL);
  const cliv__parameters p = read_parameters(ctx, "Xgemm");
  cliv__parameters q = p;
  for (size_t i = 0; i < q.count; i++) {
    q.list[i].value = 99;
    if (i > 0) assert_true(strcmp(q.list[i - 1].name, q.list[i].name) < 0);
  }
  char *text = cliv__parameters_text(&p);
  assert_true(cliv__parameters_parse(text, &q));
  assert_memory_equal(&p, &q, sizeof p);
  static const char *const wrong[] = {"MWG", "MWG=", "MWG=x", "XWG=1", "MWG=1,NWG=2", "=1"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_false(cliv__parameters_parse(wrong[i], &q));
  free(text);
  cliv_context_free(ctx);
}

static void known_ones_fit_this_clblast(void **state) {
  (void)state;
  cliv_context *ctx = open_in(NULL);
  size_t known = 0;
  const char *text;
  for (const cliv__tune_kernel *k = cliv__tune_kernels; k->kernel; k++) {
    cliv__parameters p = read_parameters(ctx, k->kernel);
    for (size_t i = 0; (text = cliv__tune_known(k, i)) != NULL; i++, known++) {
      assert_true(cliv__parameters_parse(text, &p));
      char *again = cliv__parameters_text(&p); /* they name all parameters, in order */
      assert_string_equal(text, again);
      if (k->possible) assert_true(k->possible(&p));
      free(again);
    }
  }
  assert_true(known > 0);
  cliv_context_free(ctx);
}

static void neighbours_are_possible_and_many(void **state) {
  (void)state;
  enum { TRIES = 200 };
  cliv_context *ctx = open_in(NULL);
  const cliv__tune_kernel *k = kernel_of("Xgemm");
  cliv__parameters from = read_parameters(ctx, "Xgemm"), p, again, seen[TRIES];
  assert_true(cliv__parameters_parse(cliv__tune_known(k, 1), &from));
  size_t distinct = 0;
  for (uint64_t n = 0; n < TRIES; n++) {
    assert_true(cliv__tune_neighbour(k, &from, n, &p));
    assert_true(cliv__tune_neighbour(k, &from, n, &again));
    assert_memory_equal(&p, &again, sizeof p);
    assert_memory_not_equal(&p, &from, sizeof p);
    assert_int_equal(value(&p, "MWG") % (value(&p, "MDIMC") * value(&p, "VWM")), 0);
    assert_int_equal(value(&p, "NWG") % (value(&p, "NDIMC") * value(&p, "VWN")), 0);
    assert_int_equal(value(&p, "KWG") % value(&p, "KWI"), 0);
    size_t i = 0;
    while (i < distinct && memcmp(&seen[i], &p, sizeof p) != 0) i++;
    if (i == distinct) seen[distinct++] = p;
  }
  assert_true(distinct > 20);
  assert_false(cliv__tune_neighbour(kernel_of("Transpose"), &from, 1, &p));
  cliv_context_free(ctx);
}

/* ---- what is kept ---- */

static cliv__tune_row axpy_row(cliv_context *ctx) {
  cliv__tune_row row = {.kernel = kernel_of("Xaxpy"), .dtype = CLIV_F32, .before = 1, .after = 2};
  row.defaults = read_parameters(ctx, "Xaxpy");
  row.parameters = row.defaults;
  assert_true(cliv__parameters_parse("VW=2 WGS=128 WPT=2", &row.parameters));
  return row;
}

static void is_in_force_in_new_contexts(void **state) {
  (void)state;
  char *dir = test_temp_dir();
  cliv_context *ctx = open_in(dir);
  const cliv__tune_row row = axpy_row(ctx);
  assert_false(cliv__tuning_kept(ctx));
  assert_true(cliv__tune_keep(ctx, &row));
  assert_true(cliv__tune_keep(ctx, &row)); /* in its own place */
  assert_true(cliv__tuning_kept(ctx));
  cliv_context_free(ctx);

  ctx = open_in(dir);
  cliv__tune_row back;
  assert_true(cliv__tune_kept(ctx, row.kernel, CLIV_F32, &back));
  assert_memory_equal(&back.parameters, &row.parameters, sizeof back.parameters);
  assert_false(cliv__tune_kept(ctx, row.kernel, CLIV_F64, &back));
  ctx->facts.driver[0] = (char)(ctx->facts.driver[0] ^ 1); /* another driver: not applied */
  cliv__tuning_apply(ctx);
  cliv__parameters now = read_parameters(ctx, "Xaxpy");
  assert_memory_equal(&now, &row.defaults, sizeof now);
  cliv_context_free(ctx);

  ctx = open_in(dir);
  cliv__tuning_apply(ctx);
  now = read_parameters(ctx, "Xaxpy");
  assert_memory_equal(&now, &row.parameters, sizeof now);
  cliv__parameters first;
  assert_int_equal(cliv__tune_defaults(ctx, row.kernel, CLIV_F32, &first), 0);
  assert_memory_equal(&first, &row.defaults, sizeof first);
  assert_int_equal(cliv__parameters_override(ctx->device, "Xaxpy", false, &row.defaults), 0);
  cliv_context_free(ctx);
  test_remove_tree(dir);
  free(dir);
}

/* ---- files ---- */

/* The exported file with one text in the place of another. */
static void write_changed(const char *path, const char *good, const char *from, const char *to) {
  const char *at = strstr(good, from);
  assert_non_null(at);
  char *text = test_alloc(strlen(good) + strlen(to) + 1);
  sprintf(text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
  test_write_file(path, text, strlen(text));
  free(text);
}

static void files_are_checked_first(void **state) {
  (void)state;
  char *dir = test_temp_dir(), *path = test_join(dir, "tuned.json");
  cliv_context *ctx = open_in(dir);
  const cliv__tune_row row = axpy_row(ctx);
  assert_true(cliv__tune_keep(ctx, &row));
  ASSERT_OK(ctx, cliv_tune_export(ctx, path));
  size_t bytes = 0;
  char *good = test_read_file(path, &bytes);
  good = realloc(good, bytes + 1);
  good[bytes] = 0;
  assert_non_null(strstr(good, ctx->facts.name));
  char name[300];
  snprintf(name, sizeof name, "\"name\": \"%s\"", ctx->facts.name);
  const struct {
    const char *from, *to;
    cliv_status status;
    const char *says;
  } wrong[] = {{"{", "{{", CLIV_FORMAT, "no JSON: line 1"},
               {"cliv tuning", "cliv turning", CLIV_FORMAT, "no file of tuned parameters"},
               {"\"version\": 1", "\"version\": 9", CLIV_FORMAT, "version 9"},
               {name, "\"name\": \"another\"", CLIV_DATA, "another"},
               {"\"device\"", "\"divice\"", CLIV_FORMAT, "device"},
               {"\"rows\"", "\"rose\"", CLIV_FORMAT, "rows"},
               {"\"Xaxpy\"", "\"Xxapy\"", CLIV_FORMAT, "row 1"},
               {"\"float32\"", "\"float16\"", CLIV_FORMAT, "float16"},
               {"\"float32\"", "\"float7\"", CLIV_FORMAT, "float7"},
               {"\"WPT\": 2", "\"WPT\": -2", CLIV_FORMAT, "WPT"},
               {"\"WPT\": 2", "\"WPT\": 2.5", CLIV_FORMAT, "WPT"},
               {"\"WPT\": 2", "\"WPT\": 99999999", CLIV_FORMAT, "WPT"},
               {"\"WPT\": 2", "\"WPQ\": 2", CLIV_FORMAT, "WPT"},
               {"\"WPT\": 2", "\"WPT\": 2, \"MORE\": 1", CLIV_FORMAT, "4 parameters"},
               {"\"parameters\"", "\"perimeters\"", CLIV_FORMAT, "no object"}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    write_changed(path, good, wrong[i].from, wrong[i].to);
    ASSERT_FAILS(ctx, cliv_tune_import(ctx, path, NULL, NULL), wrong[i].status, wrong[i].says);
  }
  for (size_t length = 0; length < bytes - 2; length += bytes / 40) { /* cut anywhere */
    test_write_file(path, good, length);
    ASSERT_FAILS(ctx, cliv_tune_import(ctx, path, NULL, NULL), CLIV_FORMAT, "tuned.json");
  }
  ASSERT_OK(NULL, cliv_notes_clear(dir, NULL));
  ASSERT_OK(ctx, cliv_tune_export(ctx, path)); /* nothing kept: no rows, and nothing to try */
  cliv_tune_result result = {1, 1, 1};
  ASSERT_OK(ctx, cliv_tune_import(ctx, path, NULL, &result));
  assert_int_equal(result.tried + result.failed + result.kept, 0);
  assert_int_equal(cliv__parameters_override(ctx->device, "Xaxpy", false, &row.defaults), 0);
  cliv_context_free(ctx);
  free(good);
  free(path);
  test_remove_tree(dir);
  free(dir);
}

/* ---- searching ---- */

static const cliv__tune_kernel small_axpy = {.routine = "axpy", .kernel = "Xaxpy", .m = 1000, .n = 1, .k = 1},
                               small_ger = {.routine = "ger", .kernel = "Xger", .m = 37, .n = 50, .k = 1, .apart = 3};

static void wrong_results_are_seen(void **state) {
  (void)state;
  if (slow()) skip();
  cliv_context *ctx = open_in(NULL);
  const cliv__tune_kernel *const kernels[] = {&small_axpy, &small_ger};
  for (size_t i = 0; i < 2; i++) {
    cliv__tune_trial trial;
    ASSERT_OK(ctx, cliv__tune_open(ctx, kernels[i], CLIV_F32, &trial));
    bool right = false;
    ASSERT_OK(ctx, cliv__tune_check(&trial, &right));
    assert_true(right);
    assert_true(cliv__tune_time(&trial) > 0);
    const size_t places[] = {kernels[i]->apart, 500, trial.count - 1}; /* the last is behind the result */
    for (size_t j = 0; j < 3; j++) {
      trial.want[places[j]] += 1e-4;
      ASSERT_OK(ctx, cliv__tune_check(&trial, &right));
      assert_false(right);
      trial.want[places[j]] -= 1e-4;
    }
    ASSERT_OK(ctx, cliv__tune_check_odd(&trial, &right));
    assert_true(right);
    cliv__tune_close(&trial);
  }
  cliv_context_free(ctx);
}

typedef struct heard {
  size_t reports, tried, failed, finished;
} heard;

static int hear(void *user, const cliv_tune_progress *p) {
  heard *const h = user;
  assert_string_equal(p->routine, "axpy");
  assert_string_equal(p->kernel, "Xaxpy");
  assert_true(p->done >= 0 && p->done <= 1);
  assert_true((p->parameters != NULL) == (p->finished != 0));
  h->reports++;
  h->finished += p->finished != 0;
  h->tried = p->tried;
  h->failed = p->failed;
  return 0;
}

static int stop_at_once(void *user, const cliv_tune_progress *p) {
  (void)p;
  ++*(int *)user;
  return 1;
}

static void a_search_goes_on(void **state) {
  (void)state;
  if (slow()) skip();
  char *dir = test_temp_dir();
  cliv_context *ctx = open_in(dir);
  const cliv__tune_kernel *axpy = kernel_of("Xaxpy");
  cliv__parameters before = read_parameters(ctx, "Xaxpy");
  json_t *died = json_pack("{s:{s:f}, s:s}", "tried", "VW=1 WGS=64 WPT=1", 1e-3, "trying", "VW=1 WGS=64 WPT=2");
  assert_true(cliv__tune_remember(ctx, axpy, CLIV_F32, died));
  json_decref(died);

  heard h = {0};
  cliv_tune_result result;
  cliv_tune_options options = {.seconds = 2, .routines = "axpy", .progress = hear, .user = &h};
  ASSERT_OK(ctx, cliv_tune(ctx, &options, &result));
  assert_true(h.reports >= 2);
  assert_int_equal(h.finished, 1);
  assert_int_equal(h.failed, 1 + result.failed); /* what the last search died of is not tried again */
  assert_int_equal(h.tried, 2 + result.tried);
  assert_true(result.kept <= 1);
  cliv__tune_row row;
  assert_int_equal(cliv__tune_kept(ctx, axpy, CLIV_F32, &row), result.kept > 0);
  if (result.kept) {
    assert_true(row.after > row.before);
    const cliv__parameters now = read_parameters(ctx, "Xaxpy");
    assert_memory_equal(&now, &row.parameters, sizeof now);
  }

  int calls = 0;
  ASSERT_OK(
      ctx, cliv_tune(ctx, &(cliv_tune_options){.routines = "axpy", .progress = stop_at_once, .user = &calls}, &result));
  assert_true(calls >= 1 && result.tried == 0);
  assert_int_equal(cliv__parameters_override(ctx->device, "Xaxpy", false, &before), 0);
  cliv_context_free(ctx);
  test_remove_tree(dir);
  free(dir);
}

/* Where CLBlast's own parameters fail, whatever is right is faster. */
static void wrong_defaults_are_replaced(void **state) {
  (void)state;
  if (slow()) skip();
  char *dir = test_temp_dir();
  cliv_context *ctx = open_in(dir);
  const cliv__parameters before = read_parameters(ctx, "Xaxpy");
  cliv__parameters broken = before;
  assert_true(cliv__parameters_parse("VW=3", &broken));
  assert_int_equal(cliv__parameters_override(ctx->device, "Xaxpy", false, &broken), 0);
  cliv_tune_result result;
  ASSERT_OK(ctx, cliv_tune(ctx, &(cliv_tune_options){.seconds = 1.5, .routines = "axpy"}, &result));
  assert_int_equal(result.kept, 1);
  cliv__tune_row row;
  assert_true(cliv__tune_kept(ctx, kernel_of("Xaxpy"), CLIV_F32, &row));
  assert_true(row.before == 0 && row.after > 0);
  assert_int_equal(cliv__parameters_override(ctx->device, "Xaxpy", false, &before), 0);
  cliv_context_free(ctx);
  test_remove_tree(dir);
  free(dir);
}

static void a_row_that_does_not_compile_is_not_taken(void **state) {
  (void)state;
  if (slow()) skip();
  char *dir = test_temp_dir(), *other = test_temp_dir(), *path = test_join(dir, "tuned.json");
  cliv_context *ctx = open_in(dir);
  cliv__tune_row row = axpy_row(ctx);
  assert_true(cliv__parameters_parse("VW=3", &row.parameters)); /* OpenCL's vectors of 3 are of 4 */
  assert_true(cliv__tune_keep(ctx, &row));
  ASSERT_OK(ctx, cliv_tune_export(ctx, path));
  cliv_context_free(ctx);
  ctx = open_in(other);
  cliv_tune_result result;
  for (int i = 0; i < 2; i++) {
    ASSERT_OK(ctx, cliv_tune_import(ctx, path, NULL, &result));
    assert_int_equal(result.tried, 1);
    assert_int_equal(result.failed, 1);
    assert_int_equal(result.kept, 0);
    json_t *tried = cliv__tune_state(ctx, row.kernel, CLIV_F32); /* written down, and not tried again */
    assert_int_equal(json_object_size(json_object_get(tried, "tried")), 1);
    json_decref(tried);
  }
  assert_false(cliv__tuning_kept(ctx));
  const cliv__parameters now = read_parameters(ctx, "Xaxpy");
  assert_memory_equal(&now, &row.defaults, sizeof now);
  cliv_context_free(ctx);
  free(path);
  test_remove_tree(dir);
  test_remove_tree(other);
  free(dir);
  free(other);
}

#endif

int main(void) {
  const struct CMUnitTest tests[] = {
#ifndef CLIV_HAVE_CLBLAST
      cmocka_unit_test(says_what_is_missing),
#else
      cmocka_unit_test(refuses_bad_arguments),       cmocka_unit_test(are_text_and_back),
      cmocka_unit_test(known_ones_fit_this_clblast), cmocka_unit_test(neighbours_are_possible_and_many),
      cmocka_unit_test(is_in_force_in_new_contexts), cmocka_unit_test(files_are_checked_first),
      cmocka_unit_test(wrong_results_are_seen),      cmocka_unit_test(a_search_goes_on),
      cmocka_unit_test(wrong_defaults_are_replaced), cmocka_unit_test(a_row_that_does_not_compile_is_not_taken),
#endif
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
