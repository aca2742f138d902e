/* Every call that can fail while files are written or read, made to fail one after the other, and every allocation. A
 * file that was to be written is afterwards as it was or as it should be; nothing lies beside it, no descriptor stays
 * open, the status tells. */
#include <cliv/csv.h>
#include <cliv/npy.h>
#include <cliv/safetensors.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "iofault.h"
#include "memfault.h"
#include "runtime/cache.h"
#include "support.h"

/* ---- what is tried ---- */

static float numbers[5000];
static const cliv_array array = {CLIV_F32, 2, {100, 50}, numbers};
static char *dir, *in_npy, *in_csv, *in_safetensors, *target, *deep[3], *deep_file;

static cliv_status write_npy(const char *path) { return cliv_npy_write(path, &array); }

static cliv_status write_safetensors(const char *path) {
  const cliv_named_array named[] = {{"a", array}, {"b", array}};
  const cliv_metadata metadata[] = {{"k", "v"}, {"l", "w"}};
  return cliv_safetensors_write(path, named, 2, metadata, 2);
}

static cliv_status write_in_pieces(const char *path) {
  cliv__writer *writer;
  cliv_status status = cliv__writer_open(path, &writer);
  for (int i = 0; !status && i < 5; i++) status = cliv__writer_append(writer, numbers + 10 * i, 40);
  if (!status) return cliv__writer_commit(writer);
  cliv__writer_abandon(writer);
  return status;
}

static cliv_status read_npy(void) {
  cliv_array a;
  const cliv_status status = cliv_npy_read(in_npy, &a);
  if (!status) ASSERT_BITS(a.data, numbers, sizeof numbers);
  else assert_null(a.data);
  cliv_array_free(&a);
  return status;
}

static cliv_status read_safetensors(void) {
  cliv_safetensors *f;
  cliv_array a = {0};
  cliv_status status = cliv_safetensors_open(in_safetensors, &f);
  if (!status) status = cliv_safetensors_read(f, "b", &a);
  if (!status) ASSERT_BITS(a.data, numbers, sizeof numbers);
  cliv_array_free(&a);
  cliv_safetensors_free(f);
  return status;
}

static cliv_status read_csv(void) {
  cliv_csv *t;
  cliv_csv_classes classes = {0};
  double x[3];
  cliv_status status = cliv_csv_read(in_csv, NULL, &t);
  if (!status) status = cliv_csv_numbers(t, 0, x, 1, NULL);
  if (!status) status = cliv_csv_classify(t, 1, &classes);
  if (!status) assert_true(x[2] == 3.25 && classes.count == 2 && classes.codes[0] == 1);
  cliv_csv_classes_free(&classes);
  cliv_csv_free(t);
  return status;
}

static cliv_status make_folders(void) {
  cliv_status status = cliv__make_folders(deep[0]);
  if (!status) status = cliv__file_write(deep_file, "abc", 3);
  unlink(deep_file);
  for (int i = 0; i < 3; i++) rmdir(deep[i]);
  return status;
}

static const struct {
  const char *name;
  cliv_status (*write)(const char *path);
} writers[] = {{"npy", write_npy}, {"safetensors", write_safetensors}, {"pieces", write_in_pieces}};

static const struct {
  const char *name;
  cliv_status (*run)(void);
} others[] = {
    {"read npy", read_npy}, {"read safetensors", read_safetensors}, {"read csv", read_csv}, {"folders", make_folders}};

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* ---- looking around ---- */

static size_t open_descriptors(void) {
  size_t n = 0;
  for (int fd = 0; fd < 256; fd++) n += fcntl(fd, F_GETFD) != -1;
  return n;
}

static size_t entries(void) {
  DIR *d = opendir(dir);
  assert_non_null(d);
  size_t n = 0;
  while (readdir(d)) n++;
  closedir(d);
  return n;
}

static bool holds(const char *path, const char *want, size_t n) {
  if (access(path, F_OK) != 0) return !want;
  size_t got;
  char *text = test_read_file(path, &got);
  const bool same = want && got == n && memcmp(text, want, n) == 0;
  free(text);
  return same;
}

/* One writer, its n-th call failing, over an old file or none. False when no call failed. */
static bool try_write(size_t w, iofault_plan plan, bool over, const char *want, size_t n) {
  if (over) test_write_file(target, "old", 3);
  else unlink(target);
  const size_t before = entries(), descriptors = open_descriptors();
  iofault_arm(plan);
  const cliv_status status = writers[w].write(target);
  const char *fired = iofault_fired();
  iofault_arm((iofault_plan){0});
  const bool old = over ? holds(target, "old", 3) : holds(target, NULL, 0), whole = holds(target, want, n);
  const bool good = fired ? status == CLIV_FILE && (old || whole) && strstr(cliv_last_error(NULL), target + strlen(dir))
                          : status == CLIV_OK && whole;
  if (!good || entries() != before + (!over && whole) || open_descriptors() != descriptors)
    fail_msg("%s, call %ld (%s), errno %d: status %d, file %s, %zu entries, %zu descriptors: %s", writers[w].name,
             plan.n, fired ? fired : "none", plan.code, (int)status,
             whole ? "whole"
             : old ? "old"
                   : "DAMAGED",
             entries() - before, open_descriptors() - descriptors, cliv_last_error(NULL));
  if (plan.code == ENOSPC && fired) assert_non_null(strstr(cliv_last_error(NULL), "the disk is full"));
  return fired != NULL;
}

static void every_call_of_a_write(void **state) {
  (void)state;
  static const int codes[] = {ENOSPC, EIO, EDQUOT};
  for (size_t w = 0; w < COUNT(writers); w++) {
    size_t n;
    unlink(target);
    ASSERT_OK(NULL, writers[w].write(target));
    char *want = test_read_file(target, &n);
    for (size_t c = 0; c < COUNT(codes); c++)
      for (int way = 0; way < 8; way++) {
        long call = 1;
        while (try_write(w, (iofault_plan){call, codes[c], way & 1, way >> 1 & 1, NULL}, way >> 2 & 1, want, n)) call++;
        assert_true(call > 5); /* open, write, fsync, rename, close at least */
      }
    free(want);
  }
  unlink(target);
}

static void every_call_of_the_others(void **state) {
  (void)state;
  for (size_t o = 0; o < COUNT(others); o++) {
    ASSERT_OK(NULL, others[o].run());
    for (long call = 1;; call++) {
      const size_t descriptors = open_descriptors(), before = entries();
      iofault_arm((iofault_plan){call, EIO, 0, 0, NULL});
      const cliv_status status = others[o].run();
      const char *fired = iofault_fired();
      iofault_arm((iofault_plan){0});
      /* Two calls may fail without harm: closing what was only read, and making a folder that is there. What the run
       * brought was right, or the run itself would have failed the test. */
      const bool harmless = fired && (strcmp(fired, "close") == 0 || strcmp(fired, "mkdir") == 0);
      const bool good = status == (fired ? CLIV_FILE : CLIV_OK) || (status == CLIV_OK && harmless);
      if (!good || open_descriptors() != descriptors || entries() != before)
        fail_msg("%s, call %ld (%s): status %d: %s", others[o].name, call, fired ? fired : "none", (int)status,
                 cliv_last_error(NULL));
      if (!fired) break;
    }
  }
}

static cliv_status write_target(size_t w) {
  const cliv_status status = writers[w].write(target);
  unlink(target);
  return status;
}

static void every_allocation(void **state) {
  (void)state;
  for (size_t o = 0; o < COUNT(others) + COUNT(writers); o++) {
    const bool is_writer = o >= COUNT(others);
    memfault_json(is_writer);
    const char *name = is_writer ? writers[o - COUNT(others)].name : others[o].name;
    for (int sticky = 0; sticky < 2; sticky++) {
      for (long n = 1;; n++) {
        const size_t descriptors = open_descriptors(), before = entries();
        memfault_arm(n, sticky);
        const cliv_status status = is_writer ? write_target(o - COUNT(others)) : others[o].run();
        const int fired = memfault_fired();
        memfault_arm(0, 0);
        if (status != (fired ? CLIV_HOST_MEMORY : CLIV_OK) || open_descriptors() != descriptors || entries() != before)
          fail_msg("%s, allocation %ld: status %d: %s", name, n, (int)status, cliv_last_error(NULL));
        if (!fired) break;
      }
    }
  }
}

/* All paths are made beforehand: what a test allocates must not fail. */
static struct {
  char **path;
  const char *name;
} const paths[] = {{&in_npy, "in.npy"}, {&in_csv, "in.csv"},       {&in_safetensors, "in.safetensors"},
                   {&target, "target"}, {&deep[0], "x/y/z"},       {&deep[1], "x/y"},
                   {&deep[2], "x"},     {&deep_file, "x/y/z/file"}};

static int prepare(void **state) {
  (void)state;
  static const char table[] = "a,b\n1,y\n2,x\n3.25,x\n";
  for (size_t i = 0; i < COUNT(numbers); i++) numbers[i] = (float)i;
  if (access("/dev/shm", W_OK) == 0)
    setenv("TMPDIR", "/dev/shm", 0); /* flushing a thousand times takes a minute on a disk */
  dir = test_temp_dir();
  for (size_t i = 0; i < COUNT(paths); i++) *paths[i].path = test_join(dir, paths[i].name);
  test_write_file(in_csv, table, sizeof table - 1);
  ASSERT_OK(NULL, write_npy(in_npy));
  ASSERT_OK(NULL, write_safetensors(in_safetensors));
  return 0;
}

static int clean(void **state) {
  (void)state;
  test_remove_tree(dir);
  for (size_t i = 0; i < COUNT(paths); i++) free(*paths[i].path);
  free(dir);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_call_of_a_write),
      cmocka_unit_test(every_call_of_the_others),
      cmocka_unit_test(every_allocation),
  };
  return cmocka_run_group_tests(tests, prepare, clean);
}
