/* A training whose run folder is hit by a full disk at its n-th call, for every n: the status is FILE with a sentence,
 * every file of the folder is as it was or whole and new, nothing lies beside them, and a folder that was made for
 * nothing is gone. */
#include <cliv/cliv.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iofault.h"
#include "memfault.h"
#include "support.h"

static const char *const names[] = {"config.json", "metrics.jsonl", "checkpoint.safetensors", "model.safetensors",
                                    "report.html"};
enum { FILES = sizeof names / sizeof names[0] };

static char *dir, *rows_file, *folder, *files[FILES];
static cliv_context *ctx;

static cliv_status train(size_t epochs) {
  static const char *const target = "y";
  const cliv_run_options options = {.path = rows_file,
                                    .data = &(cliv_data_options){.targets = &target, .target_count = 1},
                                    .training = &(cliv_train_options){.model = "linear", .epochs = epochs, .batch = 16},
                                    .out = folder};
  cliv_run_result result;
  return cliv_train(ctx, &options, &result);
}

/* Whether the file can be read from its beginning to its end. */
static bool whole(int file) {
  if (strstr(names[file], ".safetensors")) {
    cliv_safetensors *f;
    const bool good = cliv_safetensors_open(files[file], &f) == CLIV_OK;
    cliv_safetensors_free(f);
    return good;
  }
  size_t n;
  char *text = test_read_file(files[file], &n);
  bool good = n > 0 && text[n - 1] == '\n';
  if (strstr(names[file], ".html")) good = strstr(text, "</html>") != NULL;
  if (strstr(names[file], ".json")) { /* of metrics the first line */
    json_t *json = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
    good = good && json;
    json_decref(json);
  }
  free(text);
  return good;
}

static size_t entries(const char *path) {
  DIR *d = opendir(path);
  if (!d) return 0;
  size_t n = 0;
  for (const struct dirent *e; (e = readdir(d)) != NULL;)
    n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
  closedir(d);
  return n;
}

/* How many files there are, each whole; the test ends where one is not, or where something else lies there. */
static size_t whole_files(const char *what, long n) {
  size_t there = 0;
  for (int i = 0; i < FILES; i++) {
    if (access(files[i], F_OK) != 0) continue;
    there++;
    if (!whole(i)) fail_msg("%s %ld: %s is damaged", what, n, names[i]);
  }
  if (there != entries(folder)) fail_msg("%s %ld: %zu entries for %zu files", what, n, entries(folder), there);
  if (there == 0 && access(folder, F_OK) == 0) fail_msg("%s %ld: an empty folder is left", what, n);
  return there;
}

static void start_with(bool over) {
  if (access(folder, F_OK) == 0) test_remove_tree(folder);
  if (over) ASSERT_OK(ctx, train(1));
}

static bool try_call(iofault_plan plan, bool over) {
  start_with(over);
  iofault_arm(plan);
  const cliv_status status = train(2);
  const char *fired = iofault_fired(), *said = cliv_last_error(ctx);
  iofault_arm((iofault_plan){0});
  const size_t there = whole_files("call", plan.n);
  bool good = status == (fired ? CLIV_FILE : CLIV_OK);
  /* Flushing the folder after the last file has its name, and closing it, may fail: all is there. */
  if (fired && !status) good = strcmp(fired, "fsync") == 0 || strcmp(fired, "close") == 0;
  good = good && (there == FILES || (status && !over));
  if (status) good = good && strstr(said, strrchr(folder, '/')) && strstr(said, strerror(ENOSPC));
  if (!good)
    fail_msg("call %ld%s (%s), %s: status %d, %zu files: %s", plan.n, plan.sticky ? " and later" : "",
             fired ? fired : "none", over ? "over a run" : "new folder", (int)status, there, said);
  return fired != NULL;
}

static void every_call_of_a_run(void **state) {
  (void)state;
  for (int way = 0; way < 4; way++) {
    long n = 1;
    while (try_call((iofault_plan){n, ENOSPC, way & 1, 1, folder}, way >> 1)) n++;
    print_message("%ld calls\n", n - 1);
    assert_true(n > 20);
  }
}

static void every_allocation_of_a_run(void **state) {
  (void)state;
  for (int over = 0; over < 2; over++) {
    int fired = 1;
    memfault_json(!over); /* an older run's configuration is read */
    for (long n = 1; fired; n++) {
      start_with(over);
      memfault_arm(n, 0);
      const cliv_status status = train(2);
      fired = memfault_fired();
      memfault_arm(0, 0);
      const size_t there = whole_files("allocation", n);
      /* The cache of compiled programs does without memory. */
      const bool good = status ? status == CLIV_HOST_MEMORY && fired && (there == FILES || !over) : there == FILES;
      if (!good) fail_msg("allocation %ld: status %d, %zu files: %s", n, (int)status, there, cliv_last_error(ctx));
      if (!fired) print_message("%ld allocations\n", n - 1);
    }
  }
}

static int prepare(void **state) {
  (void)state;
  char text[20 * 40] = "a,b,y\n";
  for (uint64_t i = 0; i < 20; i++)
    sprintf(text + strlen(text), "%.3f,%.3f,%.3f\n", test_uniform(2, i, -1, 1), test_uniform(3, i, -1, 1),
            test_uniform(4, i, -1, 1));
  if (access("/dev/shm", W_OK) == 0)
    setenv("TMPDIR", "/dev/shm", 0); /* flushing a thousand times takes a minute on a disk */
  dir = test_temp_dir();
  rows_file = test_join(dir, "rows.csv");
  folder = test_join(dir, "folder");
  for (int i = 0; i < FILES; i++) files[i] = test_join(folder, names[i]);
  test_write_file(rows_file, text, strlen(text));
  ctx = test_open(CLIV_WALK_AUTO);
  return 0;
}

static int clean(void **state) {
  (void)state;
  test_close(ctx);
  test_remove_tree(dir);
  for (int i = 0; i < FILES; i++) free(files[i]);
  free(folder);
  free(rows_file);
  free(dir);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_call_of_a_run),
                                     cmocka_unit_test(every_allocation_of_a_run)};
  return test_finish(cmocka_run_group_tests(tests, prepare, clean));
}
