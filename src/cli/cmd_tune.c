/* cliv tune: a search for CLBlast's parameters, in a child process, so that a candidate may crash or hang the driver.
 *
 * The child is this program with --worker: it writes a JSON line a report to standard output. What it tries it writes
 * down before (see cliv/tune.h), so the next child passes over what the last one died of. */
#include <cliv/tune.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

extern char **environ;

/* A candidate may compile for long; one that says nothing for longer hangs. */
enum { SILENCE_SECONDS = 90, MOST_CHILDREN = 20, LEAST_SECONDS = 2, MAX_LINE = 1 << 14 };

typedef struct tune_options {
  double seconds;
  char *seconds_text, *routine, *dtype, *export_to, *import_from;
  int again, worker;
} tune_options;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the child ---- */

static int say(void *user, const cliv_tune_progress *p) {
  (void)user;
  json_t *line = json_pack("{s:s, s:s, s:[I, I, I], s:f, s:I, s:I, s:f, s:f, s:b, s:b, s:s*}", "routine", p->routine,
                           "kernel", p->kernel, "size", (json_int_t)p->m, (json_int_t)p->n, (json_int_t)p->k, "done",
                           p->done, "tried", (json_int_t)p->tried, "failed", (json_int_t)p->failed, "before", p->before,
                           "after", p->best, "finished", p->finished, "kept", p->kept, "parameters", p->parameters);
  const int failed = json_dumpf(line, stdout, JSON_COMPACT) || putchar('\n') == EOF || fflush(stdout);
  json_decref(line);
  return failed; /* nobody listens: an end */
}

static void end_worker(cliv_context *ctx, cliv_status status) {
  json_t *line = json_pack("{s:i, s:o}", "status", (int)status, "message", cli_json_text(cliv_last_error(ctx)));
  json_dumpf(line, stdout, JSON_COMPACT);
  putchar('\n');
  json_decref(line);
}

static int work(cli *c, const tune_options *o, cliv_dtype dtype) {
  cliv_context *ctx;
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* a search is nobody's whose parent was killed */
#endif
  if (!cli_open(c, &ctx)) return cli_done(c);
  const cliv_tune_options options = {.size = sizeof options,
                                     .seconds = o->seconds,
                                     .routines = o->routine,
                                     .dtype = dtype,
                                     .again = o->again,
                                     .progress = say};
  const cliv_status status =
      o->import_from ? cliv_tune_import(ctx, o->import_from, &options, NULL) : cliv_tune(ctx, &options, NULL);
  end_worker(ctx, status);
  cliv_context_free(ctx);
  return cli_done(c);
}

/* ---- the parent ---- */

typedef struct session {
  cli *c;
  const tune_options *o;
  double begin;
  bool terminal, ended; /* ended: the child came to its end by itself */
  cliv_status status;   /* what it said then */
  char message[1024];
  json_t *kernels; /* the finished ones' reports, by kernel */
  size_t lost;     /* children that died */
} session;

static void show(const session *s, const json_t *line) {
  if (!s->terminal) return;
  enum { WIDTH = 24 };
  const double done = s->o->import_from ? 0 : (now() - s->begin) / s->o->seconds;
  const int filled = (int)((done > 1 ? 1 : done) * WIDTH);
  fprintf(stderr, "\r[%.*s%*s] %-12s %3d tried, %.1f GFLOP/s (defaults %.1f)\033[K", filled, "########################",
          WIDTH - filled, "", json_string_value(json_object_get(line, "kernel")),
          (int)json_integer_value(json_object_get(line, "tried")), json_number_value(json_object_get(line, "after")),
          json_number_value(json_object_get(line, "before")));
}

/* By kernel and size: some kernels are judged at several. */
static void keep(session *s, json_t *line) {
  char name[80];
  snprintf(name, sizeof name, "%s %lld", json_string_value(json_object_get(line, "kernel")),
           (long long)json_integer_value(json_array_get(json_object_get(line, "size"), 0)));
  json_object_del(line, "finished");
  json_object_del(line, "done");
  json_object_set(s->kernels, name, line);
}

static void hear(session *s, const char *text) {
  json_t *line = json_loads(text, 0, NULL);
  const json_t *status = json_object_get(line, "status");
  if (status) {
    s->ended = true;
    s->status = (cliv_status)json_integer_value(status);
    const char *message = json_string_value(json_object_get(line, "message"));
    snprintf(s->message, sizeof s->message, "%s", message ? message : "");
  } else if (line) {
    show(s, line);
    if (json_is_true(json_object_get(line, "finished"))) keep(s, line);
  }
  json_decref(line);
}

/* Lines from the child until it closes its end, or says nothing for too long. */
static void listen_to(session *s, int fd) {
  static char line[MAX_LINE];
  size_t length = 0;
  struct pollfd p = {fd, POLLIN, 0};
  for (;;) {
    const int ready = poll(&p, 1, SILENCE_SECONDS * 1000);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return;
    const ssize_t got = read(fd, line + length, sizeof line - 1 - length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    length += (size_t)got;
    line[length] = 0;
    for (char *end; (end = strchr(line, '\n')) != NULL;) {
      *end = 0;
      hear(s, line);
      length -= (size_t)(end + 1 - line);
      memmove(line, end + 1, length + 1);
    }
    if (length == sizeof line - 1) length = 0; /* no line of ours is as long */
  }
}

/* -1: none, and errno says why. */
static pid_t start(const session *s, double seconds, bool again, int write_end) {
  char limit[32];
  snprintf(limit, sizeof limit, "--seconds=%.1f", seconds);
  const char *arguments[16] = {"cliv", "tune", "--worker", limit};
  size_t count = 4;
  const struct {
    const char *name, *value;
  } given[] = {{"--device", s->c->device},
               {"--walk", s->c->walk_name},
               {"--routine", s->o->routine},
               {"--dtype", s->o->dtype},
               {"--import", s->o->import_from}};
  for (size_t i = 0; i < sizeof given / sizeof *given; i++)
    if (given[i].value) {
      arguments[count++] = given[i].name;
      arguments[count++] = given[i].value;
    }
  if (again) arguments[count++] = "--again";
  posix_spawn_file_actions_t files;
  pid_t pid = -1;
  int code = posix_spawn_file_actions_init(&files);
  if (code) {
    errno = code;
    return -1;
  }
  char *list[17] = {0};
  for (size_t i = 0; i < count; i++) list[i] = strdup(arguments[i]);
  code = posix_spawn_file_actions_adddup2(&files, write_end, STDOUT_FILENO);
  if (!code) code = posix_spawn(&pid, "/proc/self/exe", &files, NULL, list, environ);
  if (code) pid = -1;
  for (size_t i = 0; i < count; i++) free(list[i]);
  posix_spawn_file_actions_destroy(&files);
  errno = code;
  return pid;
}

static bool none_started(session *s) {
  s->status = CLIV_HOST_MEMORY;
  snprintf(s->message, sizeof s->message, "no process can be started to search in: %s", strerror(errno));
  return true;
}

/* True: the child said that it is done, or none could be started, which `status` says. */
static bool run_child(session *s, double seconds, bool again) {
  int ends[2];
  if (pipe(ends)) return none_started(s);
  (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  (void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  const pid_t pid = start(s, seconds, again, ends[1]);
  close(ends[1]);
  s->ended = false;
  if (pid > 0) {
    listen_to(s, ends[0]);
    if (!s->ended) kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
      ;
  }
  close(ends[0]);
  return pid > 0 ? s->ended : none_started(s);
}

/* Children until the time is over, or one comes to its end. */
static void search(session *s) {
  const double end = s->begin + s->o->seconds;
  bool again = s->o->again;
  for (int i = 0; i < MOST_CHILDREN; i++, again = false) {
    const double left = s->o->import_from ? s->o->seconds : end - now();
    if (i > 0 && left < LEAST_SECONDS) return;
    if (run_child(s, left, again)) return;
    s->lost++;
    if (s->o->import_from) return;
  }
}

/* ---- results ---- */

static void print_table(const session *s) {
  const char *name;
  json_t *k;
  if (s->lost) printf("candidates that brought the driver down: %zu\n", s->lost);
  if (!json_object_size(s->kernels)) puts("no kernel was searched to its end: give it more --seconds, it goes on");
  json_object_foreach(s->kernels, name, k) {
    const double before = json_number_value(json_object_get(k, "before")),
                 after = json_number_value(json_object_get(k, "after"));
    const bool kept = json_is_true(json_object_get(k, "kept"));
    printf("%-5s %-17s %5d tried  %8.2f GFLOP/s by default, ", json_string_value(json_object_get(k, "routine")), name,
           (int)json_integer_value(json_object_get(k, "tried")), before);
    if (kept && before > 0) printf("%8.2f kept: %.2f times", after, after / before);
    else if (kept) printf("%8.2f kept: the defaults are wrong here", after);
    else printf("nothing faster");
    if (json_integer_value(json_object_get(k, "failed")))
      printf("  (%d wrong or failed)", (int)json_integer_value(json_object_get(k, "failed")));
    putchar('\n');
  }
}

static void print_document(const session *s, const char *device) {
  json_t *kernels = json_array(), *k;
  const char *name;
  json_object_foreach(s->kernels, name, k) json_array_append(kernels, k);
  cli_print_json(s->c, json_pack("{s:o, s:f, s:I, s:o}", "device", cli_json_text(device), "seconds", now() - s->begin,
                                 "lost", (json_int_t)s->lost, "kernels", kernels));
}

static void deliver(session *s, bool only_export) {
  cliv_context *ctx;
  if (!cli_open(s->c, &ctx)) return;
  const cliv_status status = s->o->export_to ? cliv_tune_export(ctx, s->o->export_to) : CLIV_OK;
  if (status) cli_report_with(s->c, ctx, status);
  else if (s->c->json) print_document(s, cliv_context_device_name(ctx));
  else if (!only_export) print_table(s);
  cliv_context_free(ctx);
}

/* Before a child says so twenty times, which would look like a driver that crashes. */
static bool can_open(cli *c) {
  cliv_context *ctx;
  if (!cli_open(c, &ctx)) return false;
  cliv_context_free(ctx);
  return true;
}

static int supervise(cli *c, const tune_options *o, bool only_export) {
  if (!only_export && !can_open(c)) return cli_done(c);
  session s = {.c = c, .o = o, .begin = now(), .terminal = isatty(STDERR_FILENO), .kernels = json_object()};
  if (!only_export) search(&s);
  if (s.terminal && !only_export) fputs("\r\033[K", stderr);
  if (s.status) cli_report(c, s.status, "%s", s.message);
  else if (!only_export && !s.ended && (o->import_from || s.lost == MOST_CHILDREN))
    cli_report(c, CLIV_DRIVER, "the driver crashed or hung on %s; nothing more was kept",
               o->import_from ? "a row of the file" : "one candidate after another");
  else deliver(&s, only_export);
  json_decref(s.kernels);
  return cli_done(c);
}

static bool check(cli *c, const tune_options *o, cliv_dtype *dtype) {
  *dtype = CLIV_F32;
  if (!(o->seconds > 0 && o->seconds <= 1e6))
    return cli_refuse(c, "option '--seconds' is %s; it is a number above 0 and at most 1000000", o->seconds_text);
  if (c->no_cache)
    return cli_refuse(c, "option '--no-cache': what is found is kept in the cache folder; leave the option out");
  if (o->dtype && cliv_dtype_parse(o->dtype, dtype)) {
    cli_report_with(c, NULL, CLIV_NAME);
    return false;
  }
  if (*dtype != CLIV_F32 && *dtype != CLIV_F64)
    return cli_refuse(c, "option '--dtype': CLBlast is tuned for float32 and float64, not %s", o->dtype);
  return true;
}

int cmd_tune(int argc, const char **argv) {
  enum { DEFAULT_SECONDS = 120 };
  tune_options o = {0};
  const struct poptOption options[] = {
      {"seconds", 0, POPT_ARG_STRING, &o.seconds_text, 0, "How long to search; 120 unless given", "NUMBER"},
      {"routine", 0, POPT_ARG_STRING, &o.routine, 0, "Only these: gemm, gemv, ger, axpy", "NAME,..."},
      {"dtype", 0, POPT_ARG_STRING, &o.dtype, 0, "float32 (the default) or float64", "NAME"},
      {"again", 0, POPT_ARG_NONE, &o.again, 0, "Forget what earlier searches tried", NULL},
      {"export", 0, POPT_ARG_STRING, &o.export_to, 0,
       "Write what is kept, to be shared; without --seconds nothing is searched", "FILE"},
      {"import", 0, POPT_ARG_STRING, &o.import_from, 0,
       "Try what is in the file instead of a search, and keep what is faster here", "FILE"},
      {"worker", 0, POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, &o.worker, 0, "Search in this process", NULL},
      POPT_TABLEEND};
  const cli_usage usage = {
      .verb = "tune",
      .about =
          "Searches fast parameters for CLBlast's kernels on this device. Every candidate's result is checked; what\n"
          "is found is kept for the device and its driver, only where it is faster than CLBlast's own, and is used\n"
          "from then on by every product with the provider clblast. A search goes on where the last one ended.",
      .example = "cliv tune\ncliv tune --seconds 600 --routine gemm --device gpu\ncliv tune --export tuned.json",
      .options = options};
  cli c;
  cliv_dtype dtype;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  const bool only_export = o.export_to && !o.import_from && !o.seconds_text;
  if (!o.seconds_text) o.seconds = DEFAULT_SECONDS;
  else if (!cli_number(o.seconds_text, &o.seconds)) o.seconds = 0; /* which is refused */
  if (!check(&c, &o, &dtype)) return cli_done(&c);
  return o.worker ? work(&c, &o, dtype) : supervise(&c, &o, only_export);
}
