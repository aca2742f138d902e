/* Notes: what was measured on a device comes back, and on another it is absent. */
#include <cliv/cache.h>
#include <dirent.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "runtime/notes.h"
#include "support.h"

extern char **environ;

static cliv_context *open_in(const char *dir) {
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_create(&(cliv_context_options){.cache_dir = dir, .no_disk_cache = !dir}, &ctx));
  return ctx;
}

static cliv_cache_info inspect(const char *dir) {
  cliv_cache_info info;
  ASSERT_OK(NULL, cliv_notes_inspect(dir, &info));
  return info;
}

static void put_number(cliv_context *ctx, const char *name, int number) {
  json_t *value = json_pack("{s:i, s:s}", "number", number, "text", "kept");
  assert_true(cliv__notes_put(ctx, name, value));
  json_decref(value);
}

/* -1: absent. */
static int get_number(cliv_context *ctx, const char *name) {
  json_t *value = cliv__notes_get(ctx, name);
  const int number = value ? (int)json_integer_value(json_object_get(value, "number")) : -1;
  if (value) assert_string_equal(json_string_value(json_object_get(value, "text")), "kept");
  json_decref(value);
  return number;
}

static void come_back(void **state) {
  (void)state;
  char *dir = test_temp_dir();
  cliv_context *ctx = open_in(dir);
  assert_int_equal(get_number(ctx, "a"), -1);
  put_number(ctx, "a", 1);
  put_number(ctx, "b", 2);
  put_number(ctx, "a", 3); /* in the place of the older */
  cliv_context_free(ctx);
  ctx = open_in(dir);
  assert_int_equal(get_number(ctx, "a"), 3);
  assert_int_equal(get_number(ctx, "b"), 2);
  assert_int_equal(inspect(dir).entries, 2);
  assert_true(cliv__notes_drop(ctx, "a"));
  assert_false(cliv__notes_drop(ctx, "a"));
  assert_int_equal(get_number(ctx, "a"), -1);
  json_t *number = json_integer(1); /* no document */
  assert_false(cliv__notes_put(ctx, "b", number));
  json_decref(number);
  assert_int_equal(get_number(ctx, "b"), 2);
  cliv_context_free(ctx);
  test_remove_tree(dir);
  free(dir);
}

static void outlive_the_programs(void **state) {
  (void)state;
  char *dir = test_temp_dir();
  cliv_context *ctx = open_in(dir);
  put_number(ctx, "a", 1);
  ASSERT_OK(NULL, cliv_cache_clear(dir, NULL));
  assert_int_equal(get_number(ctx, "a"), 1);
  size_t removed = 0;
  ASSERT_OK(NULL, cliv_notes_clear(dir, &removed));
  assert_int_equal(removed, 1);
  assert_int_equal(get_number(ctx, "a"), -1);
  cliv_context_free(ctx);
  test_remove_tree(dir);
  free(dir);
}

static void belong_to_a_device(void **state) {
  (void)state;
  char *dir = test_temp_dir();
  cliv_context *ctx = open_in(dir);
  put_number(ctx, "a", 1);
  cliv_device_info *const d = &ctx->facts, own = *d;
  char *const texts[] = {d->name, d->driver, d->version, d->platform_name, d->platform_version};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    texts[i][0] = (char)(texts[i][0] ^ 1);
    assert_int_equal(get_number(ctx, "a"), -1);
    *d = own;
  }
  d->compute_units++;
  assert_int_equal(get_number(ctx, "a"), -1);
  *d = own;
  assert_int_equal(get_number(ctx, "a"), 1);
  cliv_context_free(ctx);
  test_remove_tree(dir);
  free(dir);
}

static void are_not_believed_when_damaged(void **state) {
  (void)state;
  char *dir = test_temp_dir(), *notes = test_join(dir, "notes"), *path = NULL;
  cliv_context *ctx = open_in(dir);
  put_number(ctx, "a", 1);
  DIR *listing = opendir(notes);
  assert_non_null(listing);
  for (struct dirent *e; (e = readdir(listing)) != NULL;)
    if (strstr(e->d_name, ".clbin")) path = test_join(notes, e->d_name);
  closedir(listing);
  size_t size = 0;
  char *good = test_read_file(path, &size);
  for (size_t i = 0; i < size; i += 7) {
    good[i] = (char)(good[i] ^ 4);
    test_write_file(path, good, size);
    good[i] = (char)(good[i] ^ 4);
    assert_int_equal(get_number(ctx, "a"), -1);
    test_write_file(path, good, i);
    assert_int_equal(get_number(ctx, "a"), -1);
  }
  test_write_file(path, good, size);
  assert_int_equal(get_number(ctx, "a"), 1);
  cliv_context_free(ctx);
  free(good);
  free(path);
  free(notes);
  test_remove_tree(dir);
  free(dir);
}

static void are_absent_without_a_folder(void **state) {
  (void)state;
  cliv_context *ctx = open_in(NULL);
  json_t *value = json_object();
  assert_false(cliv__notes_put(ctx, "a", value));
  assert_null(cliv__notes_get(ctx, "a"));
  assert_false(cliv__notes_drop(ctx, "a"));
  json_decref(value);
  cliv_context_free(ctx);
}

/* This program again, with the folder and a number as its arguments: writes and reads the same name many times. */
enum { WRITERS = 2, TIMES = 40 };

static int write_often(const char *dir, int number) {
  cliv_context *ctx = open_in(dir);
  bool good = true;
  for (int i = 0; i < TIMES; i++) {
    put_number(ctx, "shared", number);
    const int got = get_number(ctx, "shared");
    good = good && got >= 1 && got <= WRITERS; /* never torn, never absent */
  }
  cliv_context_free(ctx);
  return good ? 0 : 1;
}

static void are_written_by_two_processes(void **state) {
  (void)state;
  char *dir = test_temp_dir();
  pid_t pids[WRITERS];
  for (int i = 0; i < WRITERS; i++) {
    char number[8];
    snprintf(number, sizeof number, "%d", i + 1);
    char *const arguments[] = {"test_notes", dir, number, NULL};
    assert_int_equal(posix_spawn(&pids[i], "/proc/self/exe", NULL, NULL, arguments, environ), 0);
  }
  for (int i = 0; i < WRITERS; i++) {
    int status = -1;
    assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
  }
  const cliv_cache_info info = inspect(dir);
  assert_int_equal(info.entries, 1);
  assert_int_equal(info.damaged, 0);
  test_remove_tree(dir);
  free(dir);
}

int main(int argc, char **argv) {
  if (argc == 3) return write_often(argv[1], atoi(argv[2]));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(come_back),
      cmocka_unit_test(outlive_the_programs),
      cmocka_unit_test(belong_to_a_device),
      cmocka_unit_test(are_not_believed_when_damaged),
      cmocka_unit_test(are_absent_without_a_folder),
      cmocka_unit_test(are_written_by_two_processes),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
