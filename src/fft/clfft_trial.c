/* Plans of clFFT's tried by cliv-probe, and the notes of how that went. */
#include "fft/clfft_trial.h"

#ifdef CLIV_HAVE_CLFFT

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/notes.h"
#include "runtime/probe.h"
#include "runtime/quirks.h"
#include "runtime/trial.h"

enum {
  TIMEOUT_MS = 120000,
  BAD_FOR_SECONDS = 3600
}; /* some drivers compile a plan for 15 s, a busy machine for more */

/* What is known of a shape; verdict PASSING: nothing. */
typedef struct finding {
  cliv__clfft_verdict verdict;
  bool cured;
  char why[CLIV__CLFFT_WHY];
} finding;

/* ---- notes: an object of shapes, {"good": 0 or 1 (cured)} or {"bad": why, "when": seconds since 1970} ---- */

static char *note_name(void) {
  static const char format[] = "clfft %s plans";
  char version[32];
  const size_t room = sizeof format + sizeof version;
  char *const name = malloc(room);
  if (name) snprintf(name, room, format, cliv__clfft_version(version));
  return name;
}

static void look_up(cliv_context *ctx, const char *name, const char *key, finding *f) {
  json_t *const note = cliv__notes_get(ctx, name);
  const json_t *const row = json_object_get(note, key), *const good = json_object_get(row, "good");
  const char *const bad = json_string_value(json_object_get(row, "bad"));
  const json_int_t age = (json_int_t)time(NULL) - json_integer_value(json_object_get(row, "when"));
  if (json_is_integer(good)) {
    f->verdict = CLIV__CLFFT_GOOD;
    f->cured = json_integer_value(good) != 0;
  } else if (bad && age >= 0 && age < BAD_FOR_SECONDS) {
    f->verdict = CLIV__CLFFT_BAD;
    snprintf(f->why, sizeof f->why, "%s", bad);
  }
  json_decref(note);
}

static void keep(cliv_context *ctx, const char *name, const char *key, const finding *f) {
  json_t *note = cliv__notes_get(ctx, name);
  json_t *const row = f->verdict == CLIV__CLFFT_GOOD
                          ? json_pack("{s:i}", "good", (int)f->cured)
                          : json_pack("{s:s,s:I}", "bad", f->why, "when", (json_int_t)time(NULL));
  if (!json_is_object(note)) {
    json_decref(note);
    note = json_object();
  }
  if (note && row && json_object_set(note, key, row) == 0) (void)cliv__notes_put(ctx, name, note);
  json_decref(row);
  json_decref(note);
}

/* ---- the child ---- */

/* The first line of the child that has the device. */
static const char TRYING[] = "trying\n";

/* The rest of the report's line that begins with the word and a tab; NULL when there is none. */
static const char *line_of(const char *report, const char *word) {
  const size_t length = strlen(word);
  for (const char *line = report; line && *line; line = strchr(line, '\n'), line += line != NULL)
    if (strncmp(line, word, length) == 0 && line[length] == '\t') return line + length + 1;
  return NULL;
}

static void read_report(const cliv__trial *t, finding *f) {
  const char *const good = line_of(t->report, "good"), *const bad = line_of(t->report, "bad");
  const char *const said = bad ? bad : line_of(t->report, "short");
  f->verdict = good ? CLIV__CLFFT_GOOD : said && !bad ? CLIV__CLFFT_PASSING : CLIV__CLFFT_BAD;
  f->cured = good && *good == '1';
  if (said) snprintf(f->why, sizeof f->why, "%.*s", (int)strcspn(said, "\n"), said);
  else if (t->outcome == CLIV__DRIVER_HUNG)
    snprintf(f->why, sizeof f->why, "a process that tried it did not end in %d s", TIMEOUT_MS / 1000);
  else if (t->detail) snprintf(f->why, sizeof f->why, "a process that tried it crashed (signal %d)", t->detail);
  else snprintf(f->why, sizeof f->why, "a process that tried it ended before it was done");
}

/* Where to look for the device: not in drivers that failed their trial and were left out. */
static size_t choose(const cliv_context *ctx, const cliv__drivers *drivers, cliv__trial *trials) {
  size_t count = 0;
  for (size_t i = 0; i < drivers->count; i++) {
    const cliv__driver *const driver = &drivers->rows[i];
    if (!cliv__driver_loaded(driver) && cliv__probe_is_bad(driver, ctx->cache_dir)) continue;
    trials[count++].driver = driver;
  }
  return count;
}

/* Each driver alone has a process: the one that has the device says so and goes on; the others end with it.
 * False: none did. */
static bool ask_child(const cliv_context *ctx, const char *key, finding *f) {
  const char *const task[] = {"clfft", ctx->facts.platform_name, ctx->facts.name, ctx->facts.driver, key, NULL};
  cliv__drivers drivers = {0};
  const cliv__error held = cliv__error_hold(NULL);
  char *const program = cliv__loader_present() ? cliv__trial_program(NULL) : NULL;
  const bool found = program && cliv__drivers_find(&drivers) == CLIV_OK;
  cliv__error_restore(NULL, &held);
  cliv__trial *const trials = found ? calloc(drivers.count + 1, sizeof *trials) : NULL;
  const size_t count = trials ? choose(ctx, &drivers, trials) : 0;
  for (size_t i = 0; i < count; i++) trials[i].task = task, trials[i].enough = TRYING;
  if (count) cliv__trial_run(program, trials, count, TIMEOUT_MS);
  bool tried = false;
  for (size_t i = 0; i < count; i++) {
    if (!tried && trials[i].report && strncmp(trials[i].report, TRYING, strlen(TRYING)) == 0) {
      read_report(&trials[i], f);
      tried = true;
    }
    free(trials[i].report);
  }
  free(trials);
  if (found) cliv__drivers_free(&drivers);
  free(program);
  return tried;
}

/* ---- both ---- */

cliv__clfft_verdict cliv__clfft_try(cliv_context *ctx, cliv__clfft_shape *shape, bool careful,
                                    char why[static CLIV__CLFFT_WHY]) {
  char key[CLIV__CLFFT_SHAPE_TEXT];
  finding f = {CLIV__CLFFT_PASSING, (ctx->quirks & CLIV__QUIRK_CLFFT_POINTERS) != 0, ""};
  shape->cured = f.cured;
  cliv__clfft_shape_write(shape, key);
  char *const name = note_name();
  if (name) look_up(ctx, name, key, &f);
  const bool known = f.verdict != CLIV__CLFFT_PASSING;
  const bool asked = !known && ctx->trials && ask_child(ctx, key, &f);
  if (asked && name && f.verdict != CLIV__CLFFT_PASSING) keep(ctx, name, key, &f);
  free(name);
  if ((known || asked) && f.verdict != CLIV__CLFFT_GOOD) {
    memcpy(why, f.why, sizeof f.why);
    return f.verdict;
  }
  if (!known && !asked && careful) {
    snprintf(why, CLIV__CLFFT_WHY, "no process of its own could try it first");
    return CLIV__CLFFT_UNTRIED;
  }
  /* Untried, it is tried with the cure first: a program that does not compile is what clFFT stumbles over. */
  shape->cured = f.cured || (!known && !asked);
  return CLIV__CLFFT_GOOD;
}

#endif
