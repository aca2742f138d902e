/* See iofault.h. The C library's functions under their own names, found before the real ones. */
#define _GNU_SOURCE 1
#include "iofault.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static iofault_plan plan;
static atomic_long calls;
static const char *fired;
static const char *report;
enum { MOST_FILES = 4096 };
static atomic_bool opened_below[MOST_FILES]; /* by descriptor */

void iofault_arm(iofault_plan next) {
  plan = next;
  calls = 0;
  fired = NULL;
}

const char *iofault_fired(void) { return fired; }

static void write_report(const char *name) {
  FILE *f = report ? fopen(report, "we") : NULL;
  if (!f) return;
  fputs(name, f);
  fclose(f);
}

static bool is_below(const char *path) { return !plan.below || strncmp(path, plan.below, strlen(plan.below)) == 0; }
static bool counts(int fd) { return fd > 2 && (!plan.below || (fd < MOST_FILES && opened_below[fd])); }

static bool fails(const char *name) {
  if (!plan.n) return false;
  const long call = atomic_fetch_add(&calls, 1) + 1;
  if (call < plan.n || (call > plan.n && !plan.sticky)) return false;
  if (!fired) {
    fired = name;
    const long n = plan.n;
    plan.n = 0;
    write_report(name);
    plan.n = n;
  }
  errno = plan.code;
  return true;
}

__attribute__((constructor)) static void from_environment(void) {
  const char *n = getenv("CLIV_IOFAULT_N"), *code = getenv("CLIV_IOFAULT_CODE");
  report = getenv("CLIV_IOFAULT_REPORT");
  if (!n) return;
  iofault_arm((iofault_plan){atol(n), code ? atoi(code) : ENOSPC, getenv("CLIV_IOFAULT_STICKY") != NULL,
                             getenv("CLIV_IOFAULT_SHORT") != NULL, getenv("CLIV_IOFAULT_BELOW")});
}

/* real: the function that would have been called, by its result, name and parameters. */
#define REAL(result, name, ...) \
  result (*real)(__VA_ARGS__);  \
  *(void **)&real = dlsym(RTLD_NEXT, name)

static int open_as(const char *name, const char *path, int flags, mode_t mode) {
  REAL(int, name, const char *, int, ...);
  const bool below = is_below(path);
  const int fd = below && !(flags & O_DIRECTORY) && fails("open") ? -1 : real(path, flags, mode);
  if (fd >= 0 && fd < MOST_FILES) opened_below[fd] = plan.below && below;
  return fd;
}

#define OPEN(name)                                                  \
  int name(const char *path, int flags, ...) {                      \
    va_list args;                                                   \
    va_start(args, flags);                                          \
    const mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0; \
    va_end(args);                                                   \
    return open_as(#name, path, flags, mode);                       \
  }
OPEN(open)
OPEN(open64)

ssize_t read(int fd, void *to, size_t n) {
  REAL(ssize_t, "read", int, void *, size_t);
  return counts(fd) && fails("read") ? -1 : real(fd, to, n);
}

ssize_t pread(int fd, void *to, size_t n, off_t at) {
  REAL(ssize_t, "pread", int, void *, size_t, off_t);
  return counts(fd) && fails("pread") ? -1 : real(fd, to, n, at);
}

ssize_t write(int fd, const void *from, size_t n) {
  REAL(ssize_t, "write", int, const void *, size_t);
  const bool first = !fired;
  if (!counts(fd) || !fails("write")) return real(fd, from, n);
  if (!plan.short_write || !first || n < 2) return -1;
  plan.n++; /* this one succeeds in part, the next one fails */
  fired = NULL;
  return real(fd, from, n / 2);
}

int fsync(int fd) {
  REAL(int, "fsync", int);
  return counts(fd) && fails("fsync") ? -1 : real(fd);
}

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  return is_below(to) && fails("rename") ? -1 : real(from, to);
}

int mkdir(const char *path, mode_t mode) {
  REAL(int, "mkdir", const char *, mode_t);
  return is_below(path) && fails("mkdir") ? -1 : real(path, mode);
}

/* The descriptor is gone even when close fails. */
int close(int fd) {
  REAL(int, "close", int);
  const bool failed = counts(fd) && fails("close");
  const int code = errno, result = real(fd);
  if (!failed) return result;
  errno = code;
  return -1;
}
