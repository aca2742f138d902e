/* Verdicts on drivers: looked up, found by trial, kept, acted on.
 *
 * A verdict is an entry of the disk cache: its key is the driver's identity, its payload the text
 * "<outcome> <detail> <seconds since 1970>\n" and the lines about devices. One that the folder cannot keep is kept in
 * this process.
 */
#include "runtime/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "runtime/cache.h"
#include "runtime/trial.h"

enum { DEFAULT_TIMEOUT_MS = 30000, BAD_FOR_SECONDS = 3600 };

static const char KEY_FORMAT[] = "driver verdict 1\n%s";

typedef struct verdict {
  cliv__outcome outcome;
  int detail;
  char *report;
} verdict;

static const char *const words[CLIV__OUTCOMES] = {"untried", "good", "absent", "crashed", "hung", "lying"};

static bool is_bad(const verdict *v) { return v->outcome >= CLIV__DRIVER_CRASHED; }

/* The verdicts that no folder would keep. Those who list drivers take turns, but others ask as well. */
static struct kept {
  struct kept *next;
  char *key, *payload;
} * kept;
static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;

/* Keeping */

static bool parse_payload(const char *payload, verdict *out) {
  char word[16];
  int detail = 0, body = 0;
  long long when = 0;
  if (sscanf(payload, "%15s %d %lld%n", word, &detail, &when, &body) != 3 || payload[body] != '\n') return false;
  int outcome = CLIV__DRIVER_GOOD;
  while (outcome < CLIV__OUTCOMES && strcmp(words[outcome], word) != 0) outcome++;
  if (outcome == CLIV__OUTCOMES) return false;
  *out = (verdict){(cliv__outcome)outcome, detail, cliv__format("%s", payload + body + 1)};
  if (!out->report) return false;
  /* A full disk or a busy machine may have been the reason: what is bad is tried again after a while. */
  const bool doubtful = is_bad(out) || *out->report;
  const long long age = (long long)time(NULL) - when;
  if (!doubtful || (age >= 0 && age < BAD_FOR_SECONDS)) return true;
  free(out->report);
  return false;
}

static bool load(const char *dir, const char *key, verdict *out) {
  size_t bytes = 0;
  unsigned char *payload = dir ? cliv__cache_load(dir, key, strlen(key), &bytes) : NULL;
  char *text = payload ? cliv__format("%.*s", (int)bytes, (const char *)payload) : NULL;
  free(payload);
  const bool found = text && parse_payload(text, out);
  free(text);
  return found;
}

static bool look_up(const char *dir, const char *key, verdict *out) {
  bool found = load(dir, key, out);
  pthread_mutex_lock(&kept_lock);
  for (const struct kept *k = kept; !found && k; k = k->next)
    found = strcmp(k->key, key) == 0 && parse_payload(k->payload, out);
  pthread_mutex_unlock(&kept_lock);
  return found;
}

bool cliv__probe_is_bad(const cliv__driver *driver, const char *dir) {
  verdict v;
  char *const key = cliv__format(KEY_FORMAT, driver->identity);
  const bool found = key && look_up(dir, key, &v), bad = found && is_bad(&v);
  if (found) free(v.report);
  free(key);
  return bad;
}

/* With kept_lock. */
static void keep_here(const char *key, const char *payload) {
  struct kept *k = kept;
  while (k && strcmp(k->key, key) != 0) k = k->next;
  char *copy = cliv__format("%s", payload);
  if (k && copy) {
    free(k->payload);
    k->payload = copy;
    return;
  }
  k = copy ? malloc(sizeof *k) : NULL;
  char *name = k ? cliv__format("%s", key) : NULL;
  if (!name) {
    free(k);
    free(copy);
    return;
  }
  *k = (struct kept){kept, name, copy};
  kept = k;
}

static void keep(const char *dir, const char *key, const verdict *v) {
  if (v->outcome == CLIV__DRIVER_UNTRIED) return;
  char *payload = cliv__format("%s %d %lld\n%s", words[v->outcome], v->detail, (long long)time(NULL), v->report);
  if (payload && !(dir && cliv__cache_store(dir, key, strlen(key), (const unsigned char *)payload, strlen(payload)))) {
    pthread_mutex_lock(&kept_lock);
    keep_here(key, payload);
    pthread_mutex_unlock(&kept_lock);
  }
  free(payload);
}

/* Trying */

/* One process at a time tries drivers, so that many that start at once do not make each other late: the others wait for
 * its verdicts, at most as long as a trial may take. The system releases the lock with the process. */
static int enter(const char *dir, unsigned timeout_ms) {
  if (!dir) return -1;
  const cliv__error held = cliv__error_hold(NULL);
  const bool there = !cliv__make_folders(dir);
  cliv__error_restore(NULL, &held);
  if (!there) return -1;
  char *path = cliv__format("%s/drivers.lock", dir);
  const int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666) : -1;
  free(path);
  if (fd < 0) return -1;
  for (unsigned waited = 0; flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK && waited < timeout_ms;
       waited += 10)
    nanosleep(&(struct timespec){0, 10000000}, NULL);
  return fd;
}

static void leave(int fd) {
  if (fd >= 0) close(fd);
}

typedef struct session {
  const cliv_devices_options *options;
  cliv__drivers drivers;
  char **keys;
  verdict *verdicts; /* UNTRIED: none yet */
  char *dir;         /* of the cache; NULL: none */
  unsigned timeout_ms;
} session;

static size_t look_up_all(session *s) {
  size_t missing = 0;
  for (size_t i = 0; i < s->drivers.count; i++) {
    if (s->verdicts[i].outcome != CLIV__DRIVER_UNTRIED) continue;
    missing += !look_up(s->dir, s->keys[i], &s->verdicts[i]);
  }
  return missing;
}

static cliv_status try_missing(session *s, const char *program, cliv_device_list *list) {
  cliv_status status = CLIV_OK;
  cliv__trial *trials = calloc(s->drivers.count, sizeof *trials);
  size_t *rows = calloc(s->drivers.count, sizeof *rows), count = 0;
  if (!trials || !rows) {
    free(trials);
    free(rows);
    return cliv__fail(NULL, CLIV_HOST_MEMORY, "no memory to try %zu OpenCL drivers", s->drivers.count);
  }
  for (size_t i = 0; i < s->drivers.count; i++) {
    if (s->verdicts[i].outcome != CLIV__DRIVER_UNTRIED) continue;
    trials[count].driver = &s->drivers.rows[i];
    rows[count++] = i;
  }
  cliv__trial_run(program, trials, count, s->timeout_ms);
  for (size_t t = 0; t < count; t++) {
    s->verdicts[rows[t]] = (verdict){trials[t].outcome, trials[t].detail, trials[t].report};
    keep(s->dir, s->keys[rows[t]], &s->verdicts[rows[t]]);
    if (trials[t].outcome == CLIV__DRIVER_UNTRIED && !status)
      status = cliv__device_warn(list, "The OpenCL driver %s could not be tried: %s did not start.",
                                 trials[t].driver->source, program);
  }
  free(trials);
  free(rows);
  return status;
}

static cliv_status settle(session *s, cliv_device_list *list) {
  const bool again = s->options->probe == CLIV_PROBE_AGAIN;
  if (!again && look_up_all(s) == 0) return CLIV_OK;
  char *program = cliv__trial_program(s->options->probe_program);
  if (!program)
    return cliv__device_warn(
        list,
        "New OpenCL drivers were not tried in a process of their own, because %s is not %s: a broken one can "
        "take this program with it.",
        s->options->probe_program ? s->options->probe_program : "cliv-probe",
        s->options->probe_program ? "a program" : "beside the cliv library or program");
  const int fd = enter(s->dir, s->timeout_ms);
  const cliv_status status = !again && look_up_all(s) == 0 ? CLIV_OK : try_missing(s, program, list);
  leave(fd);
  free(program);
  return status;
}

/* Acting */

static const char *signal_name(int number, char room[static 32]) {
  static const struct {
    int number;
    const char *name;
  } names[] = {{SIGABRT, "SIGABRT: it gave up"},      {SIGSEGV, "SIGSEGV: bad memory access"},
               {SIGBUS, "SIGBUS: bad memory access"}, {SIGILL, "SIGILL: bad instruction"},
               {SIGFPE, "SIGFPE: bad arithmetic"},    {SIGKILL, "SIGKILL"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].number == number) return names[i].name;
  snprintf(room, 32, number ? "signal %d" : "it ended its process", number);
  return room;
}

static char *complaint(const cliv__driver *driver, const verdict *v) {
  char room[32];
  const char *what = strchr(v->report ? v->report : "", '\t');
  const int length = what ? (int)strcspn(what + 1, "\n") : 0;
  switch (v->outcome) {
    case CLIV__DRIVER_CRASHED: return cliv__format("crashed when it was tried (%s)", signal_name(v->detail, room));
    case CLIV__DRIVER_HUNG: return cliv__format("did not answer when it was tried (within %.1f s)", v->detail / 1000.0);
    case CLIV__DRIVER_LYING:
      return cliv__format("answered with nonsense when it was tried: %.*s", length, what ? what + 1 : "");
    case CLIV__DRIVER_ABSENT: return cliv__format("cannot be loaded: %.*s", length, what ? what + 1 : driver->library);
    default: return NULL;
  }
}

static cliv_status warn(const session *s, size_t i, cliv_device_list *list) {
  const cliv__driver *driver = &s->drivers.rows[i];
  const verdict *v = &s->verdicts[i];
  if (v->outcome == CLIV__DRIVER_GOOD || v->outcome == CLIV__DRIVER_UNTRIED) return CLIV_OK;
  char *text = complaint(driver, v);
  const char *ending = !is_bad(v) ? "."
                       : cliv__driver_loaded(driver)
                           ? "; it could not be left out, since this program had used OpenCL before."
                           : "; it is left out. 'cliv devices --probe' tries it again.";
  const cliv_status status = cliv__device_warn(list, "The OpenCL driver %s (%s) %s%s", driver->source, driver->library,
                                               text ? text : "is bad", ending);
  free(text);
  return status;
}

/* Where the loader has not read its drivers yet, it does so now, without the bad ones. */
static cliv_status act(session *s, cliv_device_list *list) {
  bool *bad = calloc(s->drivers.count ? s->drivers.count : 1, sizeof *bad);
  REQUIRE(NULL, bad, HOST_MEMORY, "no memory for %zu OpenCL drivers", s->drivers.count);
  bool any = false, loaded = false;
  for (size_t i = 0; i < s->drivers.count; i++) any = (bad[i] = is_bad(&s->verdicts[i])) || any;
  for (size_t i = 0; any && i < s->drivers.count; i++) loaded = loaded || cliv__driver_loaded(&s->drivers.rows[i]);
  if (any && !loaded) (void)cliv__drivers_load_without(&s->drivers, bad, s->dir);
  cliv_status status = CLIV_OK;
  for (size_t i = 0; !status && i < s->drivers.count; i++) status = warn(s, i, list);
  free(bad);
  return status;
}

static cliv_status open_session(session *s) {
  TRY(cliv__drivers_find(&s->drivers));
  const size_t room = s->drivers.count ? s->drivers.count : 1;
  s->keys = calloc(room, sizeof *s->keys);
  s->verdicts = calloc(room, sizeof *s->verdicts);
  REQUIRE(NULL, s->keys && s->verdicts, HOST_MEMORY, "no memory for %zu OpenCL drivers", s->drivers.count);
  for (size_t i = 0; i < s->drivers.count; i++)
    REQUIRE(NULL, (s->keys[i] = cliv__format(KEY_FORMAT, s->drivers.rows[i].identity)), HOST_MEMORY,
            "no memory for %zu OpenCL drivers", s->drivers.count);
  s->dir = cliv__cache_dir(s->options->cache_dir);
  return CLIV_OK;
}

static void close_session(session *s) {
  for (size_t i = 0; i < s->drivers.count; i++) {
    if (s->keys) free(s->keys[i]);
    if (s->verdicts) free(s->verdicts[i].report);
  }
  free(s->keys);
  free(s->verdicts);
  free(s->dir);
  cliv__drivers_free(&s->drivers);
}

static char *name_all(const session *s) {
  cliv__text text = {0};
  for (size_t i = 0; i < s->drivers.count; i++)
    cliv__text_add(&text, "%s%s (%s)", i ? ", " : "", s->drivers.rows[i].source, s->drivers.rows[i].library);
  return s->drivers.count ? cliv__text_take(&text) : NULL;
}

static char *gather(const session *s) {
  cliv__text text = {0};
  for (size_t i = 0; i < s->drivers.count; i++)
    if (s->verdicts[i].report) cliv__text_add(&text, "%s", s->verdicts[i].report);
  return cliv__text_take(&text);
}

cliv_status cliv__probe_drivers(const cliv_devices_options *options, cliv_device_list *list, char **findings) {
  *findings = NULL;
  if (options->probe == CLIV_PROBE_NEVER || !cliv__loader_present()) return CLIV_OK;
  session s = {.options = options, .timeout_ms = options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS};
  cliv_status status = open_session(&s);
  if (!status) status = settle(&s, list);
  if (!status) status = act(&s, list);
  if (!status) {
    *findings = gather(&s);
    list->drivers = name_all(&s);
  }
  close_session(&s);
  return status;
}

/* The text from `from` to the next tab or line end equals `text`; `*next` is what follows. */
static bool field_is(const char *from, const char *text, const char **next) {
  const size_t length = strcspn(from, "\t\n");
  *next = from + length + (from[length] == '\t');
  return strlen(text) == length && strncmp(from, text, length) == 0;
}

void cliv__probe_apply(const char *findings, cliv_device_info *info) {
  const char *next = findings;
  while (next && *next) {
    const char *line = next, *at = NULL;
    next += strcspn(next, "\n");
    next += *next == '\n';
    if (strncmp(line, "device\t", 7) != 0) continue;
    const bool same = field_is(line + 7, info->platform_name, &at) && field_is(at, info->name, &at) &&
                      field_is(at, info->driver, &at);
    if (!same) continue;
    snprintf(info->unusable, sizeof info->unusable, "%.*s", (int)strcspn(at, "\n"), at);
    info->usable = 0;
    return;
  }
}
