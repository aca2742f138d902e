/* Children that try drivers: started by posix_spawn, heard through a pipe, killed at the deadline. */
#define _GNU_SOURCE /* pipe2, dladdr, posix_spawn_file_actions_addclosefrom_np */
#include "runtime/trial.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

enum { REPORT_FD = 3, MAX_REPORT = 1 << 16, AFTER_KILL_MS = 200, MAX_TASK = 5 };

/* The child's last line. */
static const char DONE[] = "done\n";

typedef struct child {
  pid_t pid; /* 0: none, or reaped */
  int fd;    /* -1: closed */
  int status;
  bool reaped; /* status is known */
  cliv__text said;
} child;

static long long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void sleep_ms(long ms) { nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL); }

/* Starting */

/* Its own process group, so that what the driver starts is killed with it; no blocked or ignored signals. */
static int prepare_attributes(posix_spawnattr_t *attributes) {
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  int code = posix_spawnattr_setpgroup(attributes, 0);
  if (!code) code = posix_spawnattr_setsigmask(attributes, &none);
  if (!code) code = posix_spawnattr_setsigdefault(attributes, &all);
  if (!code)
    code = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  return code;
}

/* The pipe as descriptor 3, nothing else of ours. */
static int prepare_files(posix_spawn_file_actions_t *files, int pipe_end) {
  int code = posix_spawn_file_actions_adddup2(files, pipe_end, REPORT_FD);
  if (!code) code = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
  if (!code) code = posix_spawn_file_actions_addopen(files, 1, "/dev/null", O_WRONLY, 0);
  if (!code) code = posix_spawn_file_actions_addopen(files, 2, "/dev/null", O_WRONLY, 0);
#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
  if (!code) code = posix_spawn_file_actions_addclosefrom_np(files, REPORT_FD + 1);
#endif
#endif
  return code;
}

static int spawn(pid_t *pid, const char *program, const cliv__trial *trial, unsigned timeout_ms, int pipe_end) {
  char seconds[16];
  snprintf(seconds, sizeof seconds, "%u", timeout_ms / 1000 + 2); /* should this process not live to kill it */
  char *arguments[4 + MAX_TASK] = {"cliv-probe", seconds, trial->driver->library};
  for (int i = 0; i < MAX_TASK && trial->task && trial->task[i]; i++) arguments[3 + i] = (char *)(size_t)trial->task[i];
  char **environment = cliv__driver_environment(trial->driver);
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t files;
  int code = environment ? 0 : ENOMEM;
  if (!code) code = posix_spawnattr_init(&attributes);
  if (!code) {
    code = posix_spawn_file_actions_init(&files);
    if (!code) {
      code = prepare_attributes(&attributes);
      if (!code) code = prepare_files(&files, pipe_end);
      if (!code) code = posix_spawn(pid, program, &files, &attributes, arguments, environment);
      posix_spawn_file_actions_destroy(&files);
    }
    posix_spawnattr_destroy(&attributes);
  }
  cliv__environment_free(environment);
  return code;
}

static void start(child *c, const char *program, const cliv__trial *trial, unsigned timeout_ms) {
  *c = (child){.fd = -1};
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return;
  if (spawn(&c->pid, program, trial, timeout_ms, ends[1]) != 0) {
    c->pid = 0;
    close(ends[0]);
  } else {
    c->fd = ends[0];
    (void)fcntl(c->fd, F_SETFL, O_NONBLOCK);
  }
  close(ends[1]);
}

/* Listening */

static bool finished(const child *c) {
  const size_t length = sizeof DONE - 1;
  return c->said.length >= length && strcmp(c->said.data + c->said.length - length, DONE) == 0;
}

static void hang_up(child *c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
}

static void hear(child *c) {
  char some[4096];
  const ssize_t got = read(c->fd, some, sizeof some);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got > 0) cliv__text_add(&c->said, "%.*s", (int)got, some);
  if (got <= 0 || finished(c) || c->said.failed || c->said.length > MAX_REPORT) hang_up(c);
}

/* The child that has ended after saying what all were asked for; count: none. */
static size_t heard_enough(const child *children, const cliv__trial *trials, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const char *const begin = trials[i].enough, *const said = children[i].said.data;
    if (begin && said && children[i].fd < 0 && !strncmp(said, begin, strlen(begin))) return i;
  }
  return count;
}

/* Returns as heard_enough. */
static size_t hear_all(child *children, const cliv__trial *trials, size_t count, long long deadline) {
  size_t enough = count;
  struct pollfd *fds = calloc(count, sizeof *fds);
  for (;;) {
    size_t open = 0;
    for (size_t i = 0; fds && i < count; i++) {
      fds[i] = (struct pollfd){children[i].fd, POLLIN, 0}; /* poll passes over -1 */
      open += children[i].fd >= 0;
    }
    const long long left = deadline - now_ms();
    if (open == 0 || left <= 0) break;
    if ((enough = heard_enough(children, trials, count)) < count) break;
    if (poll(fds, (nfds_t)count, (int)(left < 1000 ? left : 1000)) <= 0) continue;
    for (size_t i = 0; i < count; i++)
      if (fds[i].fd >= 0 && fds[i].revents) hear(&children[i]);
  }
  free(fds);
  return enough;
}

/* True when the child is no more. With SIGCHLD ignored, or another waiting for every child, its status is lost. */
static bool reap(child *c) {
  if (c->pid == 0) return true;
  const pid_t got = waitpid(c->pid, &c->status, WNOHANG);
  if (got == 0 || (got < 0 && errno == EINTR)) return false;
  c->reaped = got == c->pid;
  c->pid = 0;
  return true;
}

static bool reap_all(child *children, size_t count, long long until) {
  for (;;) {
    bool all = true;
    for (size_t i = 0; i < count; i++) all = reap(&children[i]) && all;
    if (all || now_ms() >= until) return all;
    sleep_ms(1);
  }
}

static void judge(cliv__trial *t, child *c, bool started, bool late, unsigned timeout_ms) {
  const bool done = finished(c), killed = c->reaped && WIFSIGNALED(c->status);
  t->detail = 0;
  if (done) c->said.data[c->said.length - (sizeof DONE - 1)] = 0;
  t->report = cliv__text_take(&c->said);
  if (!started || !t->report) t->outcome = CLIV__DRIVER_UNTRIED;
  else if (strstr(t->report, "nonsense\t")) t->outcome = CLIV__DRIVER_LYING;
  else if (done) t->outcome = strstr(t->report, "absent\t") ? CLIV__DRIVER_ABSENT : CLIV__DRIVER_GOOD;
  else if (late || (killed && WTERMSIG(c->status) == SIGALRM))
    t->outcome = CLIV__DRIVER_HUNG, t->detail = (int)timeout_ms;
  else {
    /* 127: the program could not be executed. */
    const bool absent = c->reaped && WIFEXITED(c->status) && WEXITSTATUS(c->status) == 127;
    t->outcome = absent ? CLIV__DRIVER_UNTRIED : CLIV__DRIVER_CRASHED;
    t->detail = killed ? WTERMSIG(c->status) : 0;
  }
}

void cliv__trial_run(const char *program, cliv__trial *trials, size_t count, unsigned timeout_ms) {
  child *children = calloc(count ? count : 1, sizeof *children);
  bool *started = calloc(count ? count : 1, sizeof *started), *late = calloc(count ? count : 1, sizeof *late);
  const bool ok = children && started && late;
  const long long deadline = now_ms() + timeout_ms;
  for (size_t i = 0; ok && i < count; i++) {
    start(&children[i], program, &trials[i], timeout_ms);
    started[i] = children[i].pid != 0;
  }
  if (ok) {
    const size_t enough = hear_all(children, trials, count, deadline);
    if (enough < count) reap_all(&children[enough], 1, deadline);
    if (!reap_all(children, count, enough < count ? now_ms() : deadline)) {
      for (size_t i = 0; i < count; i++) {
        if (children[i].pid == 0) continue;
        late[i] = true;
        kill(-children[i].pid, SIGKILL);
      }
      reap_all(children, count, now_ms() + AFTER_KILL_MS); /* one stuck in the kernel is left behind */
    }
  }
  for (size_t i = 0; i < count; i++) {
    if (ok) {
      hang_up(&children[i]);
      judge(&trials[i], &children[i], started[i], late[i], timeout_ms);
    } else {
      trials[i].outcome = CLIV__DRIVER_UNTRIED;
      trials[i].report = NULL;
    }
  }
  free(children);
  free(started);
  free(late);
}

/* Finding the program */

static bool is_program(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The folder of the library or program that this code is in; malloc'd. */
static char *own_folder(void) {
  static const char here;
  Dl_info info;
  char *path =
      dladdr(&here, &info) && info.dli_fname && info.dli_fname[0] == '/' ? realpath(info.dli_fname, NULL) : NULL;
  if (!path) path = realpath("/proc/self/exe", NULL); /* of a program, the linker knows only what it was called by */
  char *slash = path ? strrchr(path, '/') : NULL;
  if (slash) *slash = 0;
  return path;
}

char *cliv__trial_program(const char *wanted) {
  if (wanted) return is_program(wanted) ? cliv__format("%s", wanted) : NULL;
  /* Beside it, in the build tree above its tests, and as installed: from the library's folder, from the programs'. */
  static const char *const places[] = {"cliv-probe", "../cliv-probe", CLIV_PROBE_FROM_LIBRARY, CLIV_PROBE_FROM_PROGRAM};
  char *folder = own_folder();
  for (size_t i = 0; folder && i < sizeof places / sizeof *places; i++) {
    char *path = cliv__format("%s/%s", folder, places[i]);
    if (path && is_program(path)) {
      free(folder);
      return path;
    }
    free(path);
  }
  free(folder);
  return is_program(CLIV_PROBE_INSTALLED) ? cliv__format("%s", CLIV_PROBE_INSTALLED) : NULL;
}
