/* Broken drivers: fake ones (fake_icd.c) beside the real ones of this stack. The loader reads its drivers once per
 * process, so every listing is done by this program started anew with arguments; what it prints is looked at.
 */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

#include <cliv/device.h>

#include "base/text.h"
#include "runtime/drivers.h"
#include "runtime/probe.h"

enum { SHORT_MS = 1000, SLACK_MS = 30000 }; /* the machine may be busy; without a deadline it hangs for good */

static char self[4096];

/* ---- one listing, in a process of its own ---- */

static long long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *list_in_thread(void *options) {
  cliv_device_list *list = NULL;
  size_t *count = malloc(sizeof *count);
  if (count) *count = cliv_devices_list(options, &list) == CLIV_OK ? cliv_devices_count(list) : 999;
  cliv_devices_free(list);
  return count;
}

static void print_threads(const cliv_devices_options *options) {
  enum { THREADS = 8 };
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, list_in_thread, (void *)(size_t)options);
  for (int i = 0; i < THREADS; i++) {
    void *count = NULL;
    pthread_join(threads[i], &count);
    printf("thread %zu\n", count ? *(size_t *)count : 999);
    free(count);
  }
}

static int print_listing(const cliv_devices_options *options) {
  cliv_device_list *list;
  const long long start = now_ms();
  if (cliv_devices_list(options, &list)) {
    printf("failed %s\n", cliv_last_error(NULL));
    return 1;
  }
  printf("devices %zu\nms %lld\n", cliv_devices_count(list), now_ms() - start);
  for (size_t i = 0; i < cliv_devices_count(list); i++) {
    const cliv_device_info *d = cliv_devices_get(list, i);
    printf("device %s%s%s\n", d->name, d->usable ? "" : ": ", d->unusable);
  }
  for (size_t i = 0; i < cliv_devices_warning_count(list); i++) printf("warning %s\n", cliv_devices_warning(list, i));
  size_t index = 0;
  if (cliv_device_select(list, "auto", &index, NULL, 0) == CLIV_OK)
    printf("auto %s\n", cliv_devices_get(list, index)->name);
  else printf("refused %s\n", cliv_last_error(NULL));
  cliv_devices_free(list);
  return 0;
}

/* A context whose options say how drivers are tried. */
static void print_context(const char *cache, bool no_disk_cache, cliv_probe probe) {
  cliv_context *ctx;
  const cliv_context_options options = {.cache_dir = cache, .no_disk_cache = no_disk_cache, .probe = probe};
  if (cliv_context_create(&options, &ctx)) printf("failed %s\n", cliv_last_error(NULL));
  else printf("context %s\n", cliv_context_device_name(ctx));
  cliv_context_free(ctx);
}

/* What this process alone knows of drivers. */
static void print_bad(void) {
  cliv__drivers drivers;
  if (cliv__drivers_find(&drivers)) printf("failed %s\n", cliv_last_error(NULL));
  for (size_t i = 0; i < drivers.count; i++)
    printf("%s %s\n", cliv__probe_is_bad(&drivers.rows[i], NULL) ? "bad" : "not bad", drivers.rows[i].source);
  cliv__drivers_free(&drivers);
}

/* Arguments: probe program, cache folder, timeout, then words. */
static int child(char **words) {
  cliv_devices_options options = {
      .probe_program = words[0], .cache_dir = words[1], .timeout_ms = (unsigned)atoi(words[2])};
  const char *before = getenv("OCL_ICD_VENDORS");
  char *copy = before ? strdup(before) : NULL;
  const char *const cache = words[1];
  int lists = 1;
  for (words += 3; *words; words++) {
    if (!strcmp(*words, "never")) options.probe = CLIV_PROBE_NEVER;
    if (!strcmp(*words, "again")) options.probe = CLIV_PROBE_AGAIN;
    if (!strcmp(*words, "twice")) lists = 2;
    if (!strcmp(*words, "ignore-children")) signal(SIGCHLD, SIG_IGN);
    if (!strcmp(*words, "threads")) print_threads(&options);
    if (!strcmp(*words, "context")) print_context(cache, false, CLIV_PROBE_UNKNOWN);
    if (!strcmp(*words, "context-without-disk")) print_context(cache, true, CLIV_PROBE_UNKNOWN);
    if (!strcmp(*words, "context-untried")) print_context(cache, false, CLIV_PROBE_NEVER);
    if (!strcmp(*words, "no-list")) lists = 0;
    if (!strcmp(*words, "bad")) print_bad();
    if (!strcmp(*words, "used-before")) {
      cl_uint count;
      (void)clGetPlatformIDs(0, NULL, &count);
    }
  }
  int status = 0;
  while (lists--) status |= print_listing(&options);
  const char *after = getenv("OCL_ICD_VENDORS");
  if ((copy != NULL) != (after != NULL) || (copy && strcmp(copy, after) != 0)) printf("environment changed\n");
  free(copy);
  return status;
}

/* ---- a place with drivers, a cache, and a probe that leaves a line per start ---- */

typedef struct place {
  char *dir, *drivers, *cache, *probe, *log;
  size_t driver_count;
} place;

static char *real_folder(void) {
  const char *vendors = getenv("OCL_ICD_VENDORS");
  return strdup(vendors && *vendors ? vendors : "/etc/OpenCL/vendors");
}

static void copy_drivers(place *p) {
  char *from = real_folder();
  DIR *dir = opendir(from);
  assert_non_null(dir);
  for (struct dirent *e; (e = readdir(dir)) != NULL;) {
    if (!strstr(e->d_name, ".icd")) continue;
    char *source = test_join(from, e->d_name), *target = test_join(p->drivers, e->d_name);
    size_t bytes;
    char *text = test_read_file(source, &bytes);
    test_write_file(target, text, bytes);
    p->driver_count++;
    free(text);
    free(source);
    free(target);
  }
  closedir(dir);
  free(from);
}

/* The .icd file for a library: a path, or the name of a fault. */
static void add_driver(place *p, const char *icd, const char *library) {
  char *path = test_join(p->drivers, icd), *line;
  line = strchr(library, '.') ? cliv__format("%s\n", library) : cliv__format("%s/%s.so\n", FAKE_ICD_DIR, library);
  test_write_file(path, line, strlen(line));
  p->driver_count++;
  free(path);
  free(line);
}

/* With the real drivers of this stack, or with a fake one that is good. */
static place place_make(bool real) {
  place p = {.dir = test_temp_dir()};
  p.drivers = test_join(p.dir, "vendors");
  p.cache = test_join(p.dir, "cache");
  p.probe = test_join(p.dir, "probe");
  p.log = test_join(p.dir, "log");
  assert_int_equal(mkdir(p.drivers, 0777), 0);
  if (real) copy_drivers(&p);
  else add_driver(&p, "good.icd", "short_of_memory");
  char *script = cliv__format("#!/bin/sh\necho \"$2\" >>'%s'\nexec '%s' \"$@\"\n", p.log, CLIV_PROBE);
  assert_non_null(script);
  test_write_file(p.probe, script, strlen(script));
  assert_int_equal(chmod(p.probe, 0755), 0);
  free(script);
  return p;
}

static void place_free(place *p) {
  test_remove_tree(p->dir);
  free(p->dir);
  free(p->drivers);
  free(p->cache);
  free(p->probe);
  free(p->log);
}

/* How often the probe was started since the last question. */
static size_t starts(const place *p) {
  if (access(p->log, R_OK) != 0) return 0;
  size_t bytes, lines = 0;
  char *text = test_read_file(p->log, &bytes);
  for (size_t i = 0; i < bytes; i++) lines += text[i] == '\n';
  free(text);
  unlink(p->log);
  return lines;
}

/* The command that makes a listing. PoCL puts a signal stack of its own on the thread that wakes it, which the address
 * sanitizer would take for its own at that thread's end. */
static char *command(const place *p, const char *probe, unsigned timeout_ms, const char *words) {
  return cliv__format(
      "ASAN_OPTIONS=\"$ASAN_OPTIONS:use_sigaltstack=0\" OCL_ICD_VENDORS='%s' '%s' --list '%s' '%s' %u %s", p->drivers,
      self, probe ? probe : p->probe, p->cache, timeout_ms, words);
}

static char *run(char *line) {
  FILE *pipe = popen(line, "r");
  assert_non_null(pipe);
  cliv__text out = {0};
  char some[512];
  while (fgets(some, sizeof some, pipe)) cliv__text_add(&out, "%s", some);
  const int status = pclose(pipe);
  char *text = cliv__text_take(&out);
  assert_non_null(text);
  if (status != 0) fail_msg("%s\nended with %d and said:\n%s", line, status, text);
  free(line);
  return text;
}

static char *list(const place *p, unsigned timeout_ms, const char *words) {
  return run(command(p, NULL, timeout_ms, words));
}

static long number_after(const char *text, const char *word) {
  const char *at = strstr(text, word);
  if (!at) fail_msg("no '%s' in:\n%s", word, text);
  return strtol(at + strlen(word), NULL, 10);
}

static void assert_says(const char *text, const char *part) {
  if (!strstr(text, part)) fail_msg("wanted '%s', got:\n%s", part, text);
}
static void assert_silent(const char *text, const char *part) {
  if (strstr(text, part)) fail_msg("did not want '%s', got:\n%s", part, text);
}

/* ---- tests ---- */

/* Good drivers: tried once each, remembered, tried again when asked. */
static void test_good_drivers(void **state) {
  (void)state;
  place p = place_make(true);
  char *without = list(&p, 0, "never");
  assert_int_equal(starts(&p), 0);
  const long devices = number_after(without, "devices ");
  assert_true(devices > 0);
  static const struct {
    const char *words;
    int tries;
  } rounds[] = {{"", 1}, {"", 0}, {"twice", 0}, {"again", 1}, {"", 0}};
  for (size_t r = 0; r < sizeof rounds / sizeof *rounds; r++) {
    char *said = list(&p, 60000, rounds[r].words);
    assert_int_equal(number_after(said, "devices "), devices);
    assert_int_equal(starts(&p), rounds[r].tries ? p.driver_count : 0);
    assert_silent(said, "crashed");
    assert_silent(said, "did not answer");
    assert_silent(said, "nonsense");
    assert_silent(said, "environment changed");
    free(said);
  }
  free(without);
  place_free(&p);
}

static const struct fault {
  const char *name, *warning; /* warning: part of it */
} faults[] = {
    {"aborts", "crashed when it was tried"},
    {"hangs", "did not answer when it was tried"},
    {"ignores_signals", "did not answer when it was tried"},
    {"crashes_when_loaded", "crashed when it was tried"},
    {"ends_process", "crashed when it was tried"},
    {"counts_wrong", "an impossible number of devices (2147483647)"},
    {"nameless", "a platform's version does not begin with OpenCL"},
};

/* The others stay usable, the verdict is remembered, the deadline holds, and the environment is as it was. */
static void test_bad_drivers(void **state) {
  (void)state;
  place p = place_make(true);
  char *good = list(&p, 60000, "");
  const long devices = number_after(good, "devices ");
  free(good);
  for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
    add_driver(&p, "bad.icd", faults[f].name);
    starts(&p);
    for (int round = 0; round < 2; round++) {
      char *said = list(&p, SHORT_MS, "twice");
      assert_int_equal(number_after(said, "devices "), devices);
      assert_says(said, "auto ");
      assert_says(said, faults[f].warning);
      assert_says(said, "bad.icd");
      assert_says(said, "'cliv devices --probe' tries it again");
      assert_silent(said, "environment changed");
      assert_true(number_after(said, "ms ") < SHORT_MS + SLACK_MS);
      assert_int_equal(starts(&p), round == 0 ? 1 : 0);
      free(said);
    }
  }
  place_free(&p);
}

/* What is wrong with a device does not touch its driver's others; trouble that passes is not held against it. */
static void test_bad_devices(void **state) {
  (void)state;
  place p = place_make(true);
  char *good = list(&p, 60000, "");
  const long devices = number_after(good, "devices ");
  free(good);
  static const struct {
    const char *fault, *reason;
  } rows[] = {{"computes_nothing", "device Fake device: a small kernel gives a wrong result\n"},
              {"makes_no_context", "device Fake device: a small kernel fails in clCreateContext, code -33\n"},
              {"short_of_memory", "device Fake device\n"}};
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    add_driver(&p, "bad.icd", rows[r].fault);
    for (int round = 0; round < 2; round++) {
      char *said = list(&p, 60000, "");
      assert_int_equal(number_after(said, "devices "), devices + 1);
      assert_says(said, rows[r].reason);
      if (strstr(rows[r].reason, "kernel")) assert_silent(said, "auto Fake");
      assert_silent(said, "warning The OpenCL driver /");
      free(said);
    }
  }
  place_free(&p);
}

static void test_absent_libraries(void **state) {
  (void)state;
  place p = place_make(false);
  char *text_file = test_join(p.dir, "text.so");
  test_write_file(text_file, "no library\n", 11);
  const char *const libraries[] = {"/nowhere/libmissing.so", "libcliv-test-missing.so.1", text_file};
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    add_driver(&p, "bad.icd", libraries[i]);
    for (int round = 0; round < 2; round++) {
      char *said = list(&p, 60000, "");
      assert_true(number_after(said, "devices ") > 0);
      assert_says(said, "cannot be loaded: ");
      assert_says(said, libraries[i]);
      free(said);
    }
  }
  free(text_file);
  place_free(&p);
}

/* A verdict is about one version of the driver: another size or time of change is another driver. */
static void test_changed_driver(void **state) {
  (void)state;
  place p = place_make(false);
  char *library = test_join(p.dir, "driver.so");
  add_driver(&p, "bad.icd", library);
  static const char *const versions[][2] = {{"nameless", "does not begin with OpenCL"},
                                            {"computes_nothing", "device Fake device: a small kernel"},
                                            {"nameless", "does not begin with OpenCL"}};
  for (size_t v = 0; v < sizeof versions / sizeof *versions; v++) {
    char *from = cliv__format("%s/%s.so", FAKE_ICD_DIR, versions[v][0]);
    size_t bytes;
    char *image = test_read_file(from, &bytes);
    test_write_file(library, image, bytes);
    char *said = list(&p, 60000, "");
    assert_int_equal(starts(&p), v == 0 ? p.driver_count : 1);
    assert_says(said, versions[v][1]);
    free(said);
    free(image);
    free(from);
  }
  free(library);
  place_free(&p);
}

/* Loaders hold the folder they read as a text. */
static void test_vendors_folder(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t count;
    const char *folder;
  } rows[] = {
#define ROW(bytes, folder) {bytes, sizeof bytes, folder}
      ROW("\177ELF\0vendors\0/opt/my env/etc/OpenCL/vendors\0\0\0/etc/other", "/opt/my env/etc/OpenCL/vendors"),
      ROW("\177ELF\0vendors\0/opt/conda/etc/OpenCL/vendors\0\0\0/etc/other", "/opt/conda/etc/OpenCL/vendors"),
      ROW("\177ELF\0/etc/OpenCL/vendors\0", "/etc/OpenCL/vendors"),
      ROW("\177ELF\0etc/OpenCL/vendors\0", "/etc/OpenCL/vendors"),
      ROW("\177ELF\0/opt/OpenCL/vendors.d\0", "/etc/OpenCL/vendors"),
#undef ROW
  };
  char *dir = test_temp_dir(), *file = test_join(dir, "loader");
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    test_write_file(file, rows[r].bytes, rows[r].count);
    char *folder = cliv__vendors_folder(file);
    assert_string_equal(folder, rows[r].folder);
    free(folder);
  }
  char *folder = cliv__vendors_folder("/nowhere/libOpenCL.so");
  assert_string_equal(folder, "/etc/OpenCL/vendors");
  free(folder);
  free(file);
  test_remove_tree(dir);
  free(dir);
}

/* Nothing installed, or nothing but a broken driver: the sentence says which, and what to install. */
static void test_nothing_left(void **state) {
  (void)state;
  place p = place_make(false);
  char *good = test_join(p.drivers, "good.icd");
  assert_int_equal(unlink(good), 0);
  char *said = list(&p, 60000, "");
  assert_int_equal(number_after(said, "devices "), 0);
  assert_says(said, "refused there is no OpenCL driver on this machine; install one. Debian, Ubuntu: pocl-opencl-icd");
  free(said);
  add_driver(&p, "bad.icd", "aborts");
  said = list(&p, 60000, "");
  assert_int_equal(number_after(said, "devices "), 0);
  assert_says(said, "refused none of the OpenCL drivers here shows a device: ");
  assert_says(said, "pocl-opencl-icd");
  assert_says(said, "crashed when it was tried");
  free(said);
  free(good);
  place_free(&p);
}

static void test_loader_used_before(void **state) {
  (void)state;
  place p = place_make(false);
  add_driver(&p, "bad.icd", "nameless");
  char *said = list(&p, 60000, "used-before");
  assert_says(said, "could not be left out, since this program had used OpenCL before");
  assert_silent(said, "environment changed");
  free(said);
  place_free(&p);
}

static void test_no_probe_program(void **state) {
  (void)state;
  place p = place_make(false);
  char *said = run(command(&p, "/nowhere/cliv-probe", 0, ""));
  assert_true(number_after(said, "devices ") > 0);
  assert_says(said, "/nowhere/cliv-probe is not a program");
  free(said);
  said = run(command(&p, "/etc", 0, ""));
  assert_says(said, "/etc is not a program");
  free(said);
  char *nothing = test_join(p.dir, "nothing"); /* executable by its permissions only */
  test_write_file(nothing, "\x01\x02\x03", 3);
  assert_int_equal(chmod(nothing, 0755), 0);
  said = run(command(&p, nothing, 0, ""));
  assert_true(number_after(said, "devices ") > 0);
  assert_says(said, "could not be tried: ");
  free(said);
  free(nothing);
  place_free(&p);
}

/* Verdicts that no folder keeps are kept by the process. */
static void test_no_cache(void **state) {
  (void)state;
  place p = place_make(true);
  free(p.cache);
  p.cache = strdup("/proc/nowhere");
  for (int round = 0; round < 2; round++) {
    char *said = list(&p, 60000, "twice");
    assert_int_equal(starts(&p), p.driver_count);
    assert_silent(said, "warning The OpenCL");
    free(said);
  }
  place_free(&p);
}

/* What a context's options say of the cache and of trying holds for drivers too. */
static void test_contexts(void **state) {
  (void)state;
  static const struct {
    const char *words;
    int verdicts; /* kept on disk */
  } rounds[] = {{"context-without-disk no-list", 0}, {"context-untried no-list", 0}, {"context no-list", 1}};
  for (size_t r = 0; r < sizeof rounds / sizeof *rounds; r++) {
    place p = place_make(true);
    char *said = list(&p, 60000, rounds[r].words);
    assert_says(said, "context ");
    assert_silent(said, "failed");
    assert_int_equal(access(p.cache, F_OK), rounds[r].verdicts ? 0 : -1);
    free(said);
    place_free(&p);
  }
}

/* What a context without a cache has found out is known to others of the process, for as long as that lasts. */
static void test_verdicts_without_disk(void **state) {
  (void)state;
  place p = place_make(true);
  add_driver(&p, "bad.icd", "aborts");
  char *said = list(&p, 60000, "bad context-without-disk no-list");
  assert_silent(said, "\nbad "); /* nor the first line: not asked yet */
  assert_true(strncmp(said, "bad ", 4) != 0);
  free(said);
  said = list(&p, 60000, "context-without-disk bad no-list");
  const char *at = strstr(said, "\nbad ");
  assert_non_null(at);
  assert_int_equal(strncmp(at + strcspn(at + 1, "\n") - 6, "bad.icd", 7), 0);
  assert_null(strstr(at + 1, "\nbad "));
  assert_says(said, "not bad ");
  free(said);
  place_free(&p);
}

/* A host that ignores SIGCHLD takes the children's statuses from us. */
static void test_ignored_children(void **state) {
  (void)state;
  place p = place_make(false);
  add_driver(&p, "bad.icd", "aborts");
  char *said = list(&p, 60000, "ignore-children");
  assert_true(number_after(said, "devices ") > 0);
  assert_says(said, "crashed when it was tried");
  assert_silent(said, "hung");
  free(said);
  place_free(&p);
}

/* Threads and processes that start at once try each driver once. */
static void test_crowd(void **state) {
  (void)state;
  place p = place_make(true);
  char *said = list(&p, 60000, "threads");
  const long devices = number_after(said, "devices ");
  for (const char *at = said; (at = strstr(at, "thread ")) != NULL; at++)
    assert_int_equal(number_after(at, "thread "), devices);
  assert_int_equal(starts(&p), p.driver_count);
  free(said);
  test_remove_tree(p.cache);

  enum { PROCESSES = 6 };
  FILE *pipes[PROCESSES];
  for (int i = 0; i < PROCESSES; i++) {
    char *line = command(&p, NULL, 60000, "");
    pipes[i] = popen(line, "r");
    assert_non_null(pipes[i]);
    free(line);
  }
  for (int i = 0; i < PROCESSES; i++) {
    char first[64] = "";
    assert_non_null(fgets(first, sizeof first, pipes[i]));
    assert_int_equal(number_after(first, "devices "), devices);
    char rest[512];
    while (fgets(rest, sizeof rest, pipes[i])) continue;
    assert_int_equal(pclose(pipes[i]), 0);
  }
  assert_int_equal(starts(&p), p.driver_count);
  place_free(&p);
}

/* The program is linked to a driver itself (oclgrind puts itself in the loader's place): there is nothing to try or
 * leave out. */
static void test_without_loader(void **state) {
  (void)state;
  place p = place_make(false);
  add_driver(&p, "bad.icd", "aborts");
  char *said = list(&p, 1000, "");
  assert_int_equal(number_after(said, "devices "), 1);
  assert_int_equal(starts(&p), 0);
  assert_silent(said, "warning");
  free(said);
  place_free(&p);
}

int main(int argc, char **argv) {
  if (argc > 4 && !strcmp(argv[1], "--list")) return child(argv + 2);
  if (!realpath("/proc/self/exe", self)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_good_drivers),     cmocka_unit_test(test_bad_drivers),
      cmocka_unit_test(test_bad_devices),      cmocka_unit_test(test_absent_libraries),
      cmocka_unit_test(test_changed_driver),   cmocka_unit_test(test_loader_used_before),
      cmocka_unit_test(test_no_probe_program), cmocka_unit_test(test_no_cache),
      cmocka_unit_test(test_ignored_children), cmocka_unit_test(test_crowd),
      cmocka_unit_test(test_nothing_left),     cmocka_unit_test(test_vendors_folder),
      cmocka_unit_test(test_contexts),         cmocka_unit_test(test_verdicts_without_disk),
  };
  const struct CMUnitTest alone[] = {cmocka_unit_test(test_without_loader)};
  if (!cliv__loader_present()) return cmocka_run_group_tests(alone, NULL, NULL);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
