/* Files in and out: whole reads, sources, atomic writes and what they leave behind. */
#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

static char *dir;

static int make_dir(void **state) {
  (void)state;
  dir = test_temp_dir();
  return 0;
}

static int remove_dir(void **state) {
  (void)state;
  test_remove_tree(dir);
  free(dir);
  return 0;
}

static size_t entries_in(const char *path) {
  DIR *d = opendir(path);
  assert_non_null(d);
  size_t n = 0;
  for (const struct dirent *e; (e = readdir(d)) != NULL;)
    n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
  closedir(d);
  return n;
}

static void assert_content(const char *path, const char *want) {
  size_t n;
  char *text = test_read_file(path, &n);
  assert_int_equal(n, strlen(want));
  assert_string_equal(text, want);
  free(text);
}

static void reads_whole_files(void **state) {
  (void)state;
  char *path = test_join(dir, "in");
  for (size_t n = 0; n < 200000; n = n * 3 + 1) {
    char *bytes = test_alloc(n);
    for (size_t i = 0; i < n; i++) bytes[i] = (char)test_bits(1, i);
    test_write_file(path, bytes, n);
    unsigned char *data;
    size_t got;
    ASSERT_OK(NULL, cliv__file_read(path, SIZE_MAX, &data, &got));
    assert_int_equal(got, n);
    ASSERT_BITS(data, bytes, n);
    assert_int_equal(data[n], 0);
    free(data);
    ASSERT_OK(NULL, cliv__file_read(path, n, &data, &got));
    free(data);
    if (n > 0) {
      ASSERT_FAILS(NULL, cliv__file_read(path, n - 1, &data, &got), CLIV_FORMAT, "in: longer than");
      assert_null(data);
    }
    free(bytes);
  }
  free(path);
}

static void reads_pipes(void **state) {
  (void)state;
  char *path = test_join(dir, "pipe");
  const size_t n = 300000;
  assert_int_equal(mkfifo(path, 0600), 0);
  for (int as_source = 0; as_source < 2; as_source++) {
    const pid_t child = fork();
    if (child == 0) {
      FILE *f = fopen(path, "w");
      for (size_t i = 0; f && i < n; i++) fputc((int)(i % 251), f);
      _exit(f && fclose(f) == 0 ? 0 : 1);
    }
    unsigned char *data;
    size_t got;
    cliv__source source = {.fd = -1};
    if (as_source) {
      ASSERT_OK(NULL, cliv__source_open(path, &source));
      got = source.size;
      data = test_alloc(got);
      ASSERT_OK(NULL, cliv__source_read(&source, 0, data, got));
      cliv__source_close(&source);
    } else {
      ASSERT_OK(NULL, cliv__file_read(path, SIZE_MAX, &data, &got));
    }
    assert_int_equal(got, n);
    for (size_t i = 0; i < n; i++) assert_int_equal(data[i], i % 251);
    free(data);
    waitpid(child, NULL, 0);
  }
  free(path);
}

static void sources_read_at_offsets(void **state) {
  (void)state;
  static const char text[] = "0123456789";
  char *path = test_join(dir, "source"), got[4] = "";
  test_write_file(path, text, 10);
  cliv__source sources[2] = {cliv__source_memory(text, 10, "memory")};
  ASSERT_OK(NULL, cliv__source_open(path, &sources[1]));
  for (int i = 0; i < 2; i++) {
    assert_int_equal(sources[i].size, 10);
    ASSERT_OK(NULL, cliv__source_read(&sources[i], 7, got, 3));
    assert_string_equal(got, "789");
    ASSERT_OK(NULL, cliv__source_read(&sources[i], 10, got, 0));
    ASSERT_FAILS(NULL, cliv__source_read(&sources[i], 8, got, 3), CLIV_FORMAT, "truncated");
    ASSERT_FAILS(NULL, cliv__source_read(&sources[i], 11, got, 0), CLIV_FORMAT, NULL);
    ASSERT_FAILS(NULL, cliv__source_read(&sources[i], 2, got, SIZE_MAX), CLIV_FORMAT, NULL);
  }
  assert_int_equal(truncate(path, 5), 0);
  ASSERT_FAILS(NULL, cliv__source_read(&sources[1], 4, got, 3), CLIV_FILE, "shorter");
  for (int i = 0; i < 2; i++) cliv__source_close(&sources[i]);
  free(path);
}

static void missing_and_unreadable(void **state) {
  (void)state;
  unsigned char *data;
  size_t n;
  cliv__source source;
  char *path = test_join(dir, "absent");
  ASSERT_FAILS(NULL, cliv__file_read(path, SIZE_MAX, &data, &n), CLIV_FILE, "absent': No such file");
  ASSERT_FAILS(NULL, cliv__source_open(path, &source), CLIV_FILE, "absent': No such file");
  cliv__source_close(&source);
  ASSERT_FAILS(NULL, cliv__file_read(dir, SIZE_MAX, &data, &n), CLIV_FILE, "Is a directory");
  ASSERT_FAILS(NULL, cliv__file_read(NULL, SIZE_MAX, &data, &n), CLIV_NULL, NULL);
  free(path);
}

static void writes_appear_whole(void **state) {
  (void)state;
  char *path = test_join(dir, "out");
  cliv__writer *writer;
  ASSERT_OK(NULL, cliv__file_write(path, "old", 3));
  ASSERT_OK(NULL, cliv__writer_open(path, &writer));
  ASSERT_OK(NULL, cliv__writer_append(writer, "new ", 4));
  assert_content(path, "old");
  ASSERT_OK(NULL, cliv__writer_append(writer, "text", 4));
  assert_content(path, "old");
  assert_int_equal(entries_in(dir), 2);
  ASSERT_OK(NULL, cliv__writer_commit(writer));
  assert_content(path, "new text");
  assert_int_equal(entries_in(dir), 1);

  ASSERT_OK(NULL, cliv__writer_open(path, &writer));
  ASSERT_OK(NULL, cliv__writer_append(writer, "never", 5));
  cliv__writer_abandon(writer);
  assert_content(path, "new text");
  assert_int_equal(entries_in(dir), 1);
  cliv__writer_abandon(NULL);
  unlink(path);
  free(path);
}

static void permissions_and_links_stay(void **state) {
  (void)state;
  char *path = test_join(dir, "kept"), *link = test_join(dir, "link");
  struct stat st;
  const mode_t mask = umask(027);
  ASSERT_OK(NULL, cliv__file_write(path, "1", 1));
  umask(mask);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0640);
  assert_int_equal(chmod(path, 0604), 0);
  assert_int_equal(symlink("kept", link), 0);
  ASSERT_OK(NULL, cliv__file_write(link, "22", 2));
  assert_content(path, "22");
  assert_int_equal(lstat(link, &st), 0);
  assert_true(S_ISLNK(st.st_mode));
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0604);
  unlink(link);
  unlink(path);
  free(path);
  free(link);
}

/* What a killed writer left is taken over; what a living one holds is not touched. */
static void temporaries_of_the_dead_and_the_living(void **state) {
  (void)state;
  char *path = test_join(dir, "file"), *left = test_join(dir, "file.tmp");
  test_write_file(left, "half of something longer", 24);
  ASSERT_OK(NULL, cliv__file_write(path, "whole", 5));
  assert_content(path, "whole");
  assert_int_equal(entries_in(dir), 1);

  cliv__writer *first, *second;
  ASSERT_OK(NULL, cliv__writer_open(path, &first));
  ASSERT_OK(NULL, cliv__writer_open(path, &second));
  assert_int_equal(entries_in(dir), 3);
  ASSERT_OK(NULL, cliv__writer_append(first, "first", 5));
  ASSERT_OK(NULL, cliv__writer_append(second, "second", 6));
  ASSERT_OK(NULL, cliv__writer_commit(first));
  assert_content(path, "first");
  ASSERT_OK(NULL, cliv__writer_commit(second));
  assert_content(path, "second");
  assert_int_equal(entries_in(dir), 1);

  assert_int_equal(symlink("elsewhere", left), 0); /* a trap: must not be followed */
  ASSERT_OK(NULL, cliv__file_write(path, "third", 5));
  assert_content(path, "third");
  char *elsewhere = test_join(dir, "elsewhere");
  assert_int_not_equal(access(elsewhere, F_OK), 0);
  unlink(left);
  unlink(path);
  free(elsewhere);
  free(left);
  free(path);
}

/* Many processes write the same file again and again; it must be whole at every moment. */
static void writers_at_once(void **state) {
  (void)state;
  enum { PROCESSES = 8, ROUNDS = 20, BYTES = 30000 };
  char *path = test_join(dir, "shared");
  char *bytes = test_alloc(BYTES);
  memset(bytes, 'a', BYTES);
  ASSERT_OK(NULL, cliv__file_write(path, bytes, BYTES));
  pid_t children[PROCESSES];
  for (int c = 0; c < PROCESSES; c++) {
    children[c] = fork();
    if (children[c] != 0) continue;
    int bad = 0;
    memset(bytes, 'a' + c, BYTES);
    for (int i = 0; i < ROUNDS; i++) {
      unsigned char *data = NULL;
      size_t n;
      bad |= cliv__file_write(path, bytes, BYTES) || cliv__file_read(path, SIZE_MAX, &data, &n) || n != BYTES;
      for (size_t k = 1; !bad && k < n; k++) bad |= data[k] != data[0];
      free(data);
    }
    free(bytes);
    free(path);
    _exit(bad);
  }
  for (int c = 0; c < PROCESSES; c++) {
    int status;
    waitpid(children[c], &status, 0);
    assert_int_equal(status, 0);
  }
  assert_int_equal(entries_in(dir), 1);
  unlink(path);
  free(bytes);
  free(path);
}

static void refused_writes(void **state) {
  (void)state;
  cliv__writer *writer;
  char *absent = test_join(dir, "absent/out");
  ASSERT_FAILS(NULL, cliv__file_write(absent, "x", 1), CLIV_FILE, "absent/out': No such file");
  ASSERT_FAILS(NULL, cliv__file_write(dir, "x", 1), CLIV_FILE, "Is a directory");
  ASSERT_FAILS(NULL, cliv__file_write("", "x", 1), CLIV_FILE, NULL);
  ASSERT_FAILS(NULL, cliv__writer_open(NULL, &writer), CLIV_NULL, NULL);
  assert_null(writer);
  assert_int_equal(entries_in(dir), 0);
  free(absent);
}

static void devices_are_written_directly(void **state) {
  (void)state;
  struct stat st;
  ASSERT_OK(NULL, cliv__file_write("/dev/null", "x", 1));
  assert_int_equal(stat("/dev/null", &st), 0);
  assert_true(S_ISCHR(st.st_mode));
  if (access("/dev/full", W_OK) == 0)
    ASSERT_FAILS(NULL, cliv__file_write("/dev/full", "x", 1), CLIV_FILE, "the disk is full");
}

static void long_names_leave_room_for_the_reason(void **state) {
  (void)state;
  char path[2000];
  memset(path, 'x', sizeof path);
  memcpy(path + sizeof path - 8, "/in.npy", 8);
  unsigned char *data;
  size_t n;
  ASSERT_FAILS(NULL, cliv__file_read(path, SIZE_MAX, &data, &n), CLIV_FILE, "/in.npy': File name too long");
}

static void makes_folders(void **state) {
  (void)state;
  char *deep = test_join(dir, "a/b/c"), *slashes = test_join(dir, "a//b/c///"), *file = test_join(dir, "a/b/c/file"),
       *below = test_join(dir, "a/b/c/file/d");
  struct stat st;
  ASSERT_OK(NULL, cliv__make_folders(deep));
  assert_int_equal(stat(deep, &st), 0);
  assert_true(S_ISDIR(st.st_mode));
  ASSERT_OK(NULL, cliv__make_folders(deep));
  ASSERT_OK(NULL, cliv__make_folders(slashes));
  ASSERT_OK(NULL, cliv__make_folders("/"));
  ASSERT_OK(NULL, cliv__file_write(file, "x", 1));
  ASSERT_FAILS(NULL, cliv__make_folders(file), CLIV_FILE, "File exists");
  ASSERT_FAILS(NULL, cliv__make_folders(below), CLIV_FILE, "a/b/c/file'");
  ASSERT_FAILS(NULL, cliv__make_folders(""), CLIV_FILE, NULL);
  ASSERT_FAILS(NULL, cliv__make_folders(NULL), CLIV_NULL, NULL);
  free(deep);
  free(slashes);
  free(file);
  free(below);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
  const struct CMUnitTest tests[] = {
      TEST(reads_whole_files),
      TEST(reads_pipes),
      TEST(sources_read_at_offsets),
      TEST(missing_and_unreadable),
      TEST(writes_appear_whole),
      TEST(permissions_and_links_stay),
      TEST(temporaries_of_the_dead_and_the_living),
      TEST(writers_at_once),
      TEST(refused_writes),
      TEST(devices_are_written_directly),
      TEST(long_names_leave_room_for_the_reason),
      TEST(makes_folders),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
