/* Every known answer, in both walks: so also that every operation of the tables has one. */
#include <cliv/selftest.h>
#include <inttypes.h>
#include <string.h>

#include "support.h"

enum { SMALL = 1000 };

static void print_failure(void *user, const cliv_selftest_case *c) {
  *(size_t *)user += 1;
  if (!c->passed && !c->skipped)
    print_error("%s %s, %s: %s, expected %016" PRIx64 ", got %016" PRIx64 " %s\n", c->kind, c->operation, c->name,
                cliv_status_name(c->status), c->expected, c->got, c->message);
}

/* Both walks; where memory is watched, the one that shares memory between work-items, and where another stack tries
 * both, the one that this device is given: the other tests show both. */
static bool wanted(cliv_walk walk) {
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const cliv_walk own = cliv_context_walk(ctx);
  test_close(ctx);
  return test_small() ? walk == CLIV_WALK_GPU : !test_few() || walk == own;
}

/* Hundreds of products one after another, which take minutes where memory is watched: test_minimize and test_factor
 * show theirs there, at smaller sizes. */
static bool takes_long(const char *kind) {
  return !strcmp(kind, "minimize") || !strcmp(kind, "factor") || !strcmp(kind, "triangle");
}

static size_t check_kind(cliv_context *ctx, const char *kind) {
  size_t reported = 0;
  const cliv_selftest_options options = {.size = sizeof options,
                                         .kind = kind,
                                         .max_elements = test_small() ? SMALL : 0,
                                         .report = print_failure,
                                         .user = &reported};
  cliv_selftest_result result;
  ASSERT_OK(ctx, cliv_selftest(ctx, &options, &result));
  assert_int_equal(result.failed, 0);
  assert_int_equal(result.passed + result.skipped, reported);
  return result.passed;
}

static void every_answer_is_as_known(void **state) {
  (void)state;
  for (size_t w = 0; w < TEST_WALKS; w++) {
    if (!wanted(test_walks[w])) continue;
    cliv_context *ctx = test_open(test_walks[w]);
    size_t passed = 0;
    for (size_t k = 0; cliv_selftest_kind(k); k++)
      if (!test_small() || !takes_long(cliv_selftest_kind(k))) passed += check_kind(ctx, cliv_selftest_kind(k));
    assert_true(passed > 100);
    test_close(ctx);
  }
}

static void one_kind_is_run_alone(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const cliv_selftest_options options = {.kind = "gemm", .max_elements = 5000};
  cliv_selftest_result some;
  ASSERT_OK(ctx, cliv_selftest(ctx, &options, &some));
  assert_int_equal(some.failed, 0);
  assert_in_range(some.passed, 2, 20);
  test_close(ctx);
}

static void bad_arguments_are_refused(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_selftest_result result;
  ASSERT_FAILS(NULL, cliv_selftest(NULL, NULL, &result), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_selftest(ctx, NULL, NULL), CLIV_NULL, "out");
  ASSERT_FAILS(ctx, cliv_selftest(ctx, &(cliv_selftest_options){.kind = "wavelet"}, &result), CLIV_NAME,
               "map, reduce, scan, sort, rows, random, step, average, gemm, triangle, conv, minimize, fft and factor");
  ASSERT_FAILS(ctx, cliv_selftest(ctx, &(cliv_selftest_options){.size = 1}, &result), CLIV_VALUE, "size");
  assert_string_equal(cliv_selftest_kind(0), "map");
  assert_null(cliv_selftest_kind(1000));
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_answer_is_as_known),
      cmocka_unit_test(one_kind_is_run_alone),
      cmocka_unit_test(bad_arguments_are_refused),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
