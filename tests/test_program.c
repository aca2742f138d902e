/* Runtime compilation: kernels from the library's sources and from a user's text, caches, build failures, and the disk
 * cache's trust. */
#include <cliv/cache.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/cache.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "support.h"

extern char **environ;

/* y = FACTOR * x, written on the prelude's types: W elements a work-item, the tail by parts. */
static const char scale[] =
    "__kernel void scale(__global f32_t *x, ulong n) {\n"
    "  const size_t i = get_global_id(0) * W;\n"
    "  if (i >= n) return;\n"
    "#if W > 1\n"
    "  if (n - i < W) {\n"
    "    store_f32_part(load_f32_part(x, i, (uint)(n - i)) * (real)FACTOR, x, i, (uint)(n - i));\n"
    "    return;\n"
    "  }\n"
    "#endif\n"
    "  store_f32(load_f32(x, i) * (real)FACTOR, x, i);\n"
    "}\n";

static cliv_context *open_with_cache(cliv_walk walk, const char *dir) {
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_create(&(cliv_context_options){.walk = walk, .cache_dir = dir}, &ctx));
  return ctx;
}

/* Builds with -D FACTOR=factor, runs, checks. */
static void run_scale(cliv_context *ctx, int factor) {
  char options[32];
  snprintf(options, sizeof options, "-D FACTOR=%d", factor);
  cl_kernel kernel, again;
  ASSERT_OK(ctx, cliv__kernel_with(ctx, "user", scale, options, "scale", &kernel));
  ASSERT_OK(ctx, cliv__kernel_with(ctx, "user", scale, options, "scale", &again));
  assert_ptr_equal(kernel, again);
  const cl_ulong n = 1003;
  cliv_tensor *t;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){n}, &t));
  ASSERT_OK(ctx, cliv_tensor_fill(t, 3, NULL));
  const cl_mem mem = cliv_tensor_mem(t);
  ASSERT_OK(ctx, LAUNCH(ctx, kernel, RANGE1(n, 1), NULL, ARG(mem), ARG(n)));
  float *x = test_read(t);
  for (size_t i = 0; i < n; i++) assert_true(x[i] == (float)(3 * factor));
  free(x);
  cliv_tensor_free(t);
}

static void builds_on_both_walks(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = open_with_cache(test_walks[w], "");
    run_scale(ctx, 2);
    run_scale(ctx, 5);
    cliv_context_free(ctx);
  }
}

static void explains_a_build_failure(void **state) {
  (void)state;
  cliv_context *ctx = open_with_cache(CLIV_WALK_CPU, "");
  cl_kernel kernel;
  ASSERT_FAILS(ctx,
               cliv__kernel_with(ctx, "user", "__kernel void f(void) {\n  int y = nowhere;\n}\n", "", "f", &kernel),
               CLIV_BUILD, "did not compile");
  assert_null(kernel);
  const char *error = cliv_last_error(ctx);
  assert_non_null(strstr(error, "nowhere"));
  assert_non_null(strstr(error, "---- \"user\""));
  assert_non_null(strstr(error, "   2    int y = nowhere;")); /* the numbered source */
  ASSERT_FAILS(ctx, cliv__kernel(ctx, "absent.cl", "", "f", &kernel), CLIV_INTERNAL, "absent.cl");
  ASSERT_FAILS(ctx, cliv__kernel_with(ctx, "user", "__kernel void f(void) {}", "", "g", &kernel), CLIV_OPENCL, "g");
  run_scale(ctx, 2); /* the context is as good as before */
  cliv_context_free(ctx);
}

/* ---- the disk cache ---- */

static cliv_cache_info inspect(const char *dir) {
  cliv_cache_info info;
  ASSERT_OK(NULL, cliv_cache_inspect(dir, &info));
  return info;
}

static void keeps_programs_on_disk(void **state) {
  (void)state;
  char *parent = test_temp_dir(), *dir = test_join(parent, "below/cache");
  assert_int_equal(inspect(dir).entries, 0);
  cliv_context *ctx = open_with_cache(CLIV_WALK_CPU, dir);
  run_scale(ctx, 2);
  const cliv_cache_info first = inspect(dir);
  assert_int_equal(first.damaged, 0);
  run_scale(ctx, 3);
  cliv_context_free(ctx);
  const cliv_cache_info second = inspect(dir);
  assert_true(second.entries == first.entries + 1 || first.entries == 0); /* a driver may give no binaries */
  ctx = open_with_cache(CLIV_WALK_CPU, dir);
  run_scale(ctx, 3);
  cliv_context_free(ctx);
  assert_int_equal(inspect(dir).entries, second.entries);
  size_t removed = 99;
  ASSERT_OK(NULL, cliv_cache_clear(dir, &removed));
  assert_int_equal(removed, second.entries);
  assert_int_equal(inspect(dir).entries, 0);
  free(dir);
  test_remove_tree(parent);
  free(parent);
}

static void survives_a_folder_it_cannot_use(void **state) {
  (void)state;
  cliv_dtype none;
  ASSERT_FAILS(NULL, cliv_dtype_parse("float7", &none), CLIV_NAME, "float7");
  char *parent = test_temp_dir(), *file = test_join(parent, "file");
  test_write_file(file, "x", 1); /* a file where the folder should be: fails for root too */
  cliv_context *ctx = open_with_cache(CLIV_WALK_CPU, file);
  run_scale(ctx, 2);
  assert_non_null(strstr(cliv_last_error(NULL), "float7")); /* a failed store is no failure */
  cliv_context_free(ctx);
  free(file);
  test_remove_tree(parent);
  free(parent);
}

static char *only_entry(const char *dir) {
  static const char key[] = "the key";
  char name[CLIV__KEY_CHARS + 8];
  cliv__cache_key(key, sizeof key, name);
  memcpy(name + CLIV__KEY_CHARS - 1, ".clbin", 7);
  return test_join(dir, name);
}

static void believes_no_damaged_entry(void **state) {
  (void)state;
  static const char key[] = "the key";
  char *dir = test_temp_dir(), *path = only_entry(dir);
  unsigned char payload[300];
  test_fill_bits(payload, sizeof payload, 3);
  assert_true(cliv__cache_store(dir, key, sizeof key, payload, sizeof payload));
  size_t bytes = 0, size = 0;
  unsigned char *back = cliv__cache_load(dir, key, sizeof key, &bytes);
  assert_int_equal(bytes, sizeof payload);
  ASSERT_BITS(back, payload, sizeof payload);
  free(back);
  char *good = test_read_file(path, &size);
  for (size_t i = 0; i < size; i++) { /* one bit anywhere */
    good[i] = (char)(good[i] ^ 0x10);
    test_write_file(path, good, size);
    good[i] = (char)(good[i] ^ 0x10);
    assert_null(cliv__cache_load(dir, key, sizeof key, &bytes));
    assert_int_equal(access(path, F_OK), -1); /* removed, to be rebuilt */
  }
  for (size_t i = 0; i < size; i++) { /* cut anywhere, or longer */
    test_write_file(path, good, i);
    assert_null(cliv__cache_load(dir, key, sizeof key, &bytes));
  }
  char *longer = test_alloc(size + 1);
  memcpy(longer, good, size);
  longer[size] = 0;
  test_write_file(path, longer, size + 1);
  assert_int_equal(inspect(dir).damaged, 1);
  assert_null(cliv__cache_load(dir, key, sizeof key, &bytes));
  test_write_file(path, good, size);
  assert_null(cliv__cache_load(dir, "another", 8, &bytes));
  back = cliv__cache_load(dir, key, sizeof key, &bytes);
  assert_non_null(back);
  free(back);
  free(longer);
  free(good);
  free(path);
  test_remove_tree(dir);
  free(dir);
}

static void drops_the_oldest(void **state) {
  (void)state;
  char *dir = test_temp_dir(), *other = test_join(dir, "not-an-entry");
  test_write_file(other, "keep", 4);
  unsigned char payload[1000] = {0};
  char key[] = "key 0";
  for (int i = 0; i < 8; i++, key[4]++) assert_true(cliv__cache_store(dir, key, sizeof key, payload, sizeof payload));
  const size_t each = inspect(dir).bytes / 8;
  size_t bytes;
  key[4] = '0'; /* the first one stored is used again: no longer the oldest */
  free(cliv__cache_load(dir, key, sizeof key, &bytes));
  cliv__cache_trim(dir, 3 * each);
  assert_int_equal(inspect(dir).entries, 3);
  unsigned char *used = cliv__cache_load(dir, key, sizeof key, &bytes);
  assert_non_null(used);
  free(used);
  key[4] = '1';
  assert_null(cliv__cache_load(dir, key, sizeof key, &bytes));
  ASSERT_OK(NULL, cliv_cache_clear(dir, NULL));
  assert_int_equal(access(other, F_OK), 0);
  free(other);
  test_remove_tree(dir);
  free(dir);
}

/* Sixteen processes at once on an empty cache: this program again, with the cache's folder as its argument. */
static void serves_many_processes_at_once(void **state) {
  (void)state;
  enum { MOST = 16 };
  const int processes = test_small() ? 3 : MOST;
  char *dir = test_temp_dir();
  pid_t pids[MOST];
  for (int i = 0; i < processes; i++) {
    char *const arguments[] = {"test_program", dir, NULL};
    assert_int_equal(posix_spawn(&pids[i], "/proc/self/exe", NULL, NULL, arguments, environ), 0);
  }
  for (int i = 0; i < processes; i++) {
    int status = -1;
    assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
  }
  assert_int_equal(inspect(dir).damaged, 0);
  test_remove_tree(dir);
  free(dir);
}

static const char *child_dir;
static void one_of_many(void **state) {
  (void)state;
  cliv_context *ctx = open_with_cache(CLIV_WALK_AUTO, child_dir);
  run_scale(ctx, 2);
  run_scale(ctx, 3);
  cliv_context_free(ctx);
}

int main(int argc, char **argv) {
  if (argc > 1) {
    child_dir = argv[1];
    const struct CMUnitTest child[] = {cmocka_unit_test(one_of_many)};
    return cmocka_run_group_tests(child, NULL, NULL);
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(builds_on_both_walks),          cmocka_unit_test(explains_a_build_failure),
      cmocka_unit_test(keeps_programs_on_disk),        cmocka_unit_test(survives_a_folder_it_cannot_use),
      cmocka_unit_test(believes_no_damaged_entry),     cmocka_unit_test(drops_the_oldest),
      cmocka_unit_test(serves_many_processes_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
