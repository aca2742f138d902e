#define _GNU_SOURCE /* mkdtemp, pipe2 */
#include "peers.h"

#include <CL/cl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_PEERS = 8, LINE = 1024, MAX_ENDS = 3 };
/* Importing PyTorch, compiling a driver's kernels; a sample of the slowest run that is timed at all. */
static const double START_SECONDS = 60, PREPARE_SECONDS = 30, TIME_SECONDS = 30;

typedef struct peer {
  peers *all;
  char *name, *command;
  pid_t pid;          /* 0: not running */
  int to, from, ends; /* ends: how often it ended without being told to */
  bool ready;         /* it has been there */
  char words[LINE];   /* version, or why it is not there */
} peer;

struct peers {
  char folder[64], x[80], y[80], out[80], elements[32], threads[16], platform[256], device[256], *log;
  size_t count;
  peer list[MAX_PEERS];
};

static void end(peer *p) {
  if (!p->pid) return;
  p->ends++;
  close(p->to);
  close(p->from);
  kill(-p->pid, SIGKILL);
  waitpid(p->pid, NULL, 0);
  p->pid = 0;
}

/* One line into `line`. False: it did not come in time, or the peer has ended. */
static bool receive(peer *p, double seconds, char *line) {
  const double deadline = bench_now() + seconds;
  size_t length = 0;
  for (;;) {
    const double left = deadline - bench_now();
    struct pollfd wait = {.fd = p->from, .events = POLLIN};
    const int ready = left > 0 ? poll(&wait, 1, (int)(left * 1e3) + 1) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      snprintf(line, LINE, "no answer within %.0f s", seconds);
      return false;
    }
    char c;
    if (read(p->from, &c, 1) != 1) {
      snprintf(line, LINE, "it ended");
      return false;
    }
    if (c == '\n') break;
    if (length + 1 < LINE) line[length++] = c;
  }
  line[length] = 0;
  return true;
}

/* Sends a line and takes the answer; what follows its "ok " is in `answer`. False: "no", or the peer is ended. */
static bool ask(peer *p, double seconds, char *answer, const char *line) {
  char said[LINE];
  const size_t length = strlen(line);
  if (length && write(p->to, line, length) != (ssize_t)length) snprintf(answer, LINE, "it ended"), end(p);
  else if (!receive(p, seconds, said)) snprintf(answer, LINE, "%s", said), end(p);
  else if (!strncmp(said, "ok", 2)) {
    snprintf(answer, LINE, "%s", said[2] ? said + 3 : "");
    return true;
  } else snprintf(answer, LINE, "%s", !strncmp(said, "no ", 3) ? said + 3 : said);
  return false;
}

static void become(const peer *p, const int *in, const int *out) {
  const peers *all = p->all;
  setpgid(0, 0); /* so that a shell's children end with it */
  const int log = open(all->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0 || (log >= 0 && dup2(log, 2) < 0)) _exit(127);
  char script[LINE];
  snprintf(script, sizeof script, "exec %s \"$@\"", p->command);
  execl("/bin/sh", "sh", "-c", script, p->name, all->x, all->y, all->out, all->elements, all->platform, all->device,
        all->threads, (char *)NULL);
  _exit(127);
}

static void start(peer *p) {
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) bench_die("no pipe for %s", p->name);
  p->pid = fork();
  if (p->pid < 0) bench_die("no process for %s", p->name);
  if (!p->pid) become(p, in, out);
  setpgid(p->pid, p->pid);
  close(in[0]);
  close(out[1]);
  p->to = in[1];
  p->from = out[0];
  if (ask(p, START_SECONDS, p->words, "")) p->ready = true;
  else end(p);
}

/* The data in the temporary folder goes with the program, however it ends. */
static const peers *started;

static void remove_data(void) {
  if (!started) return;
  unlink(started->x);
  unlink(started->y);
  unlink(started->out);
  rmdir(started->folder);
  started = NULL;
}

static void interrupted(int number) {
  remove_data();
  signal(number, SIG_DFL);
  raise(number);
}

static void write_data(const char *path, const float *data, size_t count) {
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(data, sizeof *data, count, file) != count || fclose(file)) bench_die("cannot write %s", path);
}

static void name_device(peers *p, const cliv_context *ctx) {
  const cl_device_id device = cliv_context_cl_device(ctx);
  cl_platform_id platform;
  if (clGetDeviceInfo(device, CL_DEVICE_PLATFORM, sizeof platform, &platform, NULL) ||
      clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof p->platform, p->platform, NULL) ||
      clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof p->device, p->device, NULL))
    bench_die("the device does not tell its name");
}

peers *peers_start(const char *list, const bench *b, int threads) {
  FILE *file = fopen(list, "r");
  if (!file) bench_die("cannot read %s: %s", list, strerror(errno));
  peers *p = bench_alloc(sizeof *p);
  *p = (peers){.folder = "/tmp/cliv-bench-XXXXXX"};
  if (asprintf(&p->log, "%s.log", list) < 0 || !mkdtemp(p->folder)) bench_die("no folder for the peers' data");
  snprintf(p->x, sizeof p->x, "%s/x", p->folder);
  snprintf(p->y, sizeof p->y, "%s/y", p->folder);
  snprintf(p->out, sizeof p->out, "%s/out", p->folder);
  started = p;
  atexit(remove_data);
  signal(SIGINT, interrupted);
  signal(SIGTERM, interrupted);
  signal(SIGPIPE, SIG_IGN);
  snprintf(p->elements, sizeof p->elements, "%zu", bench_elements(b));
  snprintf(p->threads, sizeof p->threads, "%d", threads);
  name_device(p, bench_context(b));
  write_data(p->x, bench_input(b, 0), bench_elements(b));
  write_data(p->y, bench_input(b, 1), bench_elements(b));
  char line[LINE], name[LINE];
  int command;
  while (p->count < MAX_PEERS && fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    if (sscanf(line, "%s %n", name, &command) != 1) continue;
    peer *one = &p->list[p->count++];
    *one = (peer){.all = p, .name = strdup(name), .command = strdup(line + command)};
    start(one);
  }
  fclose(file);
  return p;
}

void peers_stop(peers *p) {
  if (!p) return;
  for (size_t i = 0; i < p->count; i++) {
    end(&p->list[i]);
    free(p->list[i].name);
    free(p->list[i].command);
  }
  remove_data();
  free(p->log);
  free(p);
}

size_t peers_count(const peers *p) { return p ? p->count : 0; }
const char *peers_name(const peers *p, size_t i) { return p->list[i].name; }

bool peers_running(const peers *p, size_t i, const char **words) {
  *words = p->list[i].words;
  return p->list[i].pid != 0;
}

bool peers_prepare(peers *p, size_t i, const bench_task *task, float *result, char *why, size_t room) {
  peer *one = &p->list[i];
  char line[LINE], answer[LINE];
  if (!one->pid && one->ready && one->ends < MAX_ENDS) start(one);
  if (!one->pid) {
    snprintf(why, room, "%s", one->ready ? "it ended too often" : one->words);
    return false;
  }
  snprintf(line, sizeof line, "prepare %s %s %zu %zu\n", task->op, task->axis, task->rows, task->columns);
  if (!ask(one, PREPARE_SECONDS, answer, line)) {
    snprintf(why, room, "%s", answer);
    return false;
  }
  FILE *file = fopen(p->out, "rb");
  const size_t got = file ? fread(result, sizeof *result, task->results, file) : 0;
  if (file) fclose(file);
  if (got == task->results) return true;
  snprintf(why, room, "it left %zu numbers, not %zu", got, task->results);
  return false;
}

static double time_peer(void *arg, size_t repeats) {
  char line[LINE], answer[LINE];
  snprintf(line, sizeof line, "time %zu\n", repeats);
  return ask(arg, TIME_SECONDS, answer, line) ? strtod(answer, NULL) : -1;
}

bench_side peers_side(peers *p, size_t i) { return (bench_side){p->list[i].name, NULL, &p->list[i], time_peer}; }
