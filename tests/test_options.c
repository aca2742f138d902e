/* Options structs of guests that were compiled against an older header: shorter than the library's, with other data
 * behind. What lies behind would be refused, or would fail the test, if it were read. */
#include <cliv/cliv.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/csv.h"
#include "base/options.h"
#include "support.h"

static void copies_what_there_is(void **state) {
  (void)state;
  typedef struct options {
    size_t size;
    int a, b;
    const char *c;
  } options;
  static const options given = {.a = 1, .b = 2, .c = "three"};
  static const struct {
    size_t size;
    options want;
  } cases[] = {{offsetof(options, a), {.a = 0}},
               {offsetof(options, b), {.a = 1}},
               {offsetof(options, c), {.a = 1, .b = 2}},
               {sizeof given, {.a = 1, .b = 2, .c = "three"}},
               {0, {.a = 1, .b = 2, .c = "three"}}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    options own = {.size = 77, .a = 77, .b = 77, .c = "seventy-seven"}, from = given;
    from.size = cases[i].size;
    ASSERT_OK(NULL, OPTIONS(NULL, &from, &own));
    assert_int_equal(own.a, cases[i].want.a);
    assert_int_equal(own.b, cases[i].want.b);
    if (cases[i].want.c) assert_string_equal(own.c, cases[i].want.c);
    else assert_null(own.c);
  }
  for (size_t size = 1; size < 2 * sizeof given; size++) {
    options own, from = given;
    from.size = size;
    if (size < sizeof size) ASSERT_FAILS(NULL, OPTIONS(NULL, &from, &own), CLIV_VALUE, "less than the field itself");
    if (size > sizeof given) ASSERT_FAILS(NULL, OPTIONS(NULL, &from, &own), CLIV_VALUE, "newer");
  }
  options to = {.a = 77};
  ASSERT_OK(NULL, OPTIONS(NULL, NULL, &to));
  assert_int_equal(to.a, 0);
}

static void devices_and_contexts(void **state) {
  (void)state;
  cliv_device_list *list;
  cliv_devices_options devices = {.size = offsetof(cliv_devices_options, probe), .probe = (cliv_probe)9};
  ASSERT_OK(NULL, cliv_devices_list(&devices, &list));
  cliv_devices_free(list);
  devices.size = sizeof devices + 1;
  ASSERT_FAILS(NULL, cliv_devices_list(&devices, &list), CLIV_VALUE, "newer");
  cliv_context *ctx;
  cliv_context_options context = {.size = offsetof(cliv_context_options, group_size), .group_size = 48};
  ASSERT_OK(NULL, cliv_context_create(&context, &ctx));
  cliv_context_free(ctx);
  context.size = sizeof context + 1;
  ASSERT_FAILS(NULL, cliv_context_create(&context, &ctx), CLIV_VALUE, "newer");
}

static void not_called(void *user, const cliv_selftest_case *result) {
  (void)user, (void)result;
  fail_msg("what lies behind a shorter struct was read");
}

static void operations(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  static const size_t one[] = {1, 1};
  cliv_tensor *t[3];
  for (int i = 0; i < 3; i++) {
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, one, &t[i]));
    ASSERT_OK(ctx, cliv_tensor_fill(t[i], 3, NULL));
  }
  cliv_blas_options blas = {.size = offsetof(cliv_blas_options, provider), .provider = (cliv_provider)77};
  ASSERT_OK(ctx, cliv_gemm(ctx, 0, 0, 1, t[0], t[1], 0, t[2], &blas, NULL));
  blas.size = sizeof blas + 1;
  ASSERT_FAILS(ctx, cliv_gemm(ctx, 0, 0, 1, t[0], t[1], 0, t[2], &blas, NULL), CLIV_VALUE, "newer");
  for (int i = 0; i < 3; i++) cliv_tensor_free(t[i]);

  cliv_optimizer *optimizer;
  cliv_optimizer_options rule = {.size = offsetof(cliv_optimizer_options, chunk), .chunk = 3};
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "sgd", &rule, &optimizer));
  cliv_optimizer_free(optimizer);
  rule.size = sizeof rule + 1;
  ASSERT_FAILS(ctx, cliv_optimizer_create(ctx, "sgd", &rule, &optimizer), CLIV_VALUE, "newer");

  cliv_selftest_result result;
  cliv_selftest_options selftest = {
      .size = offsetof(cliv_selftest_options, report), .kind = "gemm", .max_elements = 1, .report = not_called};
  ASSERT_OK(ctx, cliv_selftest(ctx, &selftest, &result));
  selftest.size = sizeof selftest + 1;
  ASSERT_FAILS(ctx, cliv_selftest(ctx, &selftest, &result), CLIV_VALUE, "newer");
  test_close(ctx);
}

static int stop(void *user, const cliv_run_progress *progress) {
  (void)user, (void)progress;
  fail_msg("what lies behind a shorter struct was read");
  return 1;
}

static void training(void **state) {
  (void)state;
  static const char text[] = "a,y\n1,2\n2,4\n3,5\n4,9\n", *const target = "y";
  char *folder = test_temp_dir(), *path = test_join(folder, "rows.csv");
  test_write_file(path, text, sizeof text - 1);

  cliv_csv *table;
  cliv_csv_options csv = {.size = offsetof(cliv_csv_options, delimiter), .delimiter = '"'};
  ASSERT_OK(NULL, cliv_csv_read(path, &csv, &table));
  cliv_csv_free(table);
  csv.size = sizeof csv + 1;
  ASSERT_FAILS(NULL, cliv_csv_read(path, &csv, &table), CLIV_VALUE, "newer");

  cliv_data *data;
  cliv_data_options rows = {
      .size = offsetof(cliv_data_options, validation), .targets = &target, .target_count = 1, .validation = 2};
  ASSERT_OK(NULL, cliv_data_read(path, &rows, &data));
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_trainer *trainer;
  cliv_train_options train = {.size = offsetof(cliv_train_options, l2), .model = "linear", .epochs = 1, .l2 = -1};
  ASSERT_OK(ctx, cliv_trainer_create(ctx, data, &train, &trainer));
  cliv_trainer_free(trainer);
  cliv_data_free(data);

  cliv_run_result result;
  cliv_run_options run = {.size = offsetof(cliv_run_options, progress),
                          .path = path,
                          .data = &rows,
                          .training = &train,
                          .out = "",
                          .progress = stop};
  ASSERT_OK(ctx, cliv_train(ctx, &run, &result));
  assert_int_equal(result.epochs, 1);
  assert_int_equal(result.validation.rows, 1); /* the default fraction */
  train.size = sizeof train + 1;
  ASSERT_FAILS(ctx, cliv_train(ctx, &run, &result), CLIV_VALUE, "newer");
  ASSERT_FAILS(ctx, cliv_trainer_create(ctx, NULL, &train, &trainer), CLIV_NULL, "data");
  rows.size = sizeof rows + 1;
  ASSERT_FAILS(NULL, cliv_data_read(path, &rows, &data), CLIV_VALUE, "newer");
  run.size = sizeof run + 1;
  ASSERT_FAILS(ctx, cliv_train(ctx, &run, &result), CLIV_VALUE, "newer");
  test_close(ctx);
  test_remove_tree(folder);
  free(folder), free(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(copies_what_there_is),
      cmocka_unit_test(devices_and_contexts),
      cmocka_unit_test(operations),
      cmocka_unit_test(training),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
