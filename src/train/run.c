/* From a file to a run folder. See cliv/train.h. */
#include <cliv/version.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/options.h"
#include "base/text.h"
#include "runtime/context.h"
#include "train/trainer.h"

#define RUN_FORMAT "cliv.run 1"
/* Files are made in this folder of the run's and moved out when all of them are whole. */
#define STAGING ".staging"

enum { DEFAULT_EPOCHS = 100, CHECKPOINT_SECONDS = 30 };

static const char *const FILES[] = {"config.json", "metrics.jsonl", "checkpoint.safetensors", "model.safetensors",
                                    "report.html"};
enum { CONFIG, METRICS, CHECKPOINT, MODEL, REPORT, FILE_COUNT };

typedef struct run {
  cliv_context *ctx;
  cliv_run_options options;
  cliv_data_options table;
  cliv_train_options training;
  cliv_run_result *result;
  cliv_data *data;
  cliv_trainer *trainer;
  cliv__history history;
  size_t epochs;       /* to be done in all */
  bool made, kept;     /* the folder is this call's; files have been moved into it */
  size_t there;        /* letters of the folder's path that were there before the call */
  bool stop;           /* the progress function said so */
  double start, saved; /* seconds of the clock */
} run;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the folder ---- */

/* On the stack: the way out of a failure must not need memory. */
typedef struct place {
  char text[sizeof((cliv_run_result *)0)->folder + 64];
} place;

static place path_in(const run *r, const char *sub, const char *name) {
  place p;
  snprintf(p.text, sizeof p.text, "%s/%s%s%s", r->result->folder, sub, *sub ? "/" : "", name);
  return p;
}

static cliv_status no_memory(const run *r) { return cliv__fail(r->ctx, CLIV_HOST_MEMORY, "no memory for the run"); }

static cliv_status fail_folder(const run *r, const char *what) {
  return cliv__fail(r->ctx, CLIV_FILE, "%s: %s: %s", cliv__shown(r->result->folder), what, strerror(errno));
}

/* How much of a path is there: up to the first component that is not. */
static size_t part_there(const char *path) {
  char part[sizeof((cliv_run_result *)0)->folder];
  size_t there = 0;
  for (size_t end = strspn(path, "/"); path[end] && end < sizeof part; end += strspn(path + end, "/")) {
    struct stat info;
    end += strcspn(path + end, "/");
    snprintf(part, sizeof part, "%.*s", (int)end, path);
    if (stat(part, &info)) break;
    there = end;
  }
  return there;
}

/* Removes the folder and those above it that were made for it; one that holds something stays, with those above. */
static void remove_folders(const run *r) {
  place folder = path_in(r, "", "");
  size_t length = strlen(folder.text);
  while (length > r->there) {
    while (length > r->there && folder.text[length - 1] == '/') length--;
    folder.text[length] = 0;
    if (length == r->there || rmdir(folder.text)) return;
    while (length > r->there && folder.text[length - 1] != '/') length--;
  }
}

/* runs/<stem>-<model>-<n> with the first n that nobody has: the folder's making decides, so runs that start at once get
 * different ones. */
static cliv_status make_numbered(run *r) {
  const char *slash = strrchr(r->options.path, '/'), *name = slash ? slash + 1 : r->options.path,
             *dot = strrchr(name, '.');
  char stem[64];
  size_t length = dot && dot > name ? (size_t)(dot - name) : strlen(name);
  if (length >= sizeof stem) length = sizeof stem - 1;
  for (size_t i = 0; i < length; i++) {
    const char c = name[i];
    const bool plain =
        (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-' || c == '_' || (c == '.' && i);
    stem[i] = plain ? c : '_';
  }
  stem[length] = 0;
  r->there = part_there("runs");
  TRY(cliv__relay(r->ctx, cliv__make_folders("runs")));
  for (unsigned n = 1; n < 1000000; n++) {
    snprintf(r->result->folder, sizeof r->result->folder, "runs/%s-%s-%u", stem, r->training.model, n);
    if (mkdir(r->result->folder, 0777) == 0) {
      r->made = true;
      return CLIV_OK;
    }
    if (errno != EEXIST) return fail_folder(r, "the run's folder cannot be made");
  }
  return fail_folder(r, "a million runs are there already");
}

/* Whether config.json says that Cliv made the folder. It is not parsed: a lack of memory must not be taken for a no. */
static cliv_status check_run(const run *r) {
  char text[4096] = "";
  const place config = path_in(r, "", FILES[CONFIG]);
  const int file = open(config.text, O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno != ENOENT) return fail_folder(r, "the run's configuration cannot be opened");
  const ssize_t bytes = file < 0 ? 0 : read(file, text, sizeof text - 1);
  const int code = errno;
  if (file >= 0) close(file);
  errno = code;
  if (bytes < 0) return fail_folder(r, "the run's configuration cannot be read");
  REQUIRE(r->ctx, strstr(text, "\"" RUN_FORMAT "\"") != NULL, FILE,
          "%s: has files in it and is no run folder of Cliv's; choose another folder", cliv__shown(r->result->folder));
  return CLIV_OK;
}

/* 1 empty but for what an interrupted run left, 0 not, -1 unreadable. */
static int is_empty(const char *path) {
  DIR *folder = opendir(path);
  if (!folder) return -1;
  int empty = 1;
  for (struct dirent *entry; empty && (entry = readdir(folder));)
    empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || !strcmp(entry->d_name, STAGING);
  closedir(folder);
  return empty;
}

static cliv_status use_folder(run *r) {
  const char *out = r->options.out, *shown = cliv__shown(out);
  REQUIRE(r->ctx, strlen(out) < sizeof r->result->folder - 64, VALUE, "the path of the run folder is too long: %s",
          shown);
  strcpy(r->result->folder, out);
  struct stat info;
  if (stat(out, &info)) {
    if (errno != ENOENT) return fail_folder(r, "the run's folder cannot be used");
    REQUIRE(r->ctx, !r->options.resume, FILE, "%s: is not there, so there is no run to go on with", shown);
    r->there = part_there(out);
    r->made = true; /* also in part */
    return cliv__relay(r->ctx, cliv__make_folders(out));
  }
  REQUIRE(r->ctx, S_ISDIR(info.st_mode), FILE, "%s: is no folder; a run is kept in a folder", shown);
  const int empty = is_empty(out);
  if (empty < 0) return fail_folder(r, "the run's folder cannot be read");
  if (!empty) TRY(check_run(r));
  REQUIRE(r->ctx, !empty || !r->options.resume, FILE, "%s: is empty, so there is no run to go on with", shown);
  return CLIV_OK;
}

/* What cannot be removed is left; the status of what went wrong before matters more. */
static void clear_staging(const run *r) {
  for (int i = 0; i < FILE_COUNT; i++) {
    const place file = path_in(r, STAGING, FILES[i]);
    unlink(file.text);
  }
  const place staging = path_in(r, "", STAGING);
  rmdir(staging.text);
}

/* The staging folder is made before the training begins, so that a place that cannot be written is told at once. */
static cliv_status open_folder(run *r) {
  if (r->options.out && !*r->options.out) return CLIV_OK;
  TRY(r->options.out ? use_folder(r) : make_numbered(r));
  clear_staging(r);
  const place staging = path_in(r, "", STAGING);
  return mkdir(staging.text, 0777) && errno != EEXIST ? fail_folder(r, "the run's folder cannot be written") : CLIV_OK;
}

/* ---- the files ---- */

static json_t *number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static char *dump(json_t *json, size_t flags) {
  char *text = cliv__json_dump(json, flags | JSON_REAL_PRECISION(17));
  json_decref(json);
  return text;
}

static json_t *device_json(const cliv_context *ctx) {
  return json_pack("{s:o, s:o, s:o, s:s}", "name", cliv__json_text(ctx->facts.name), "platform",
                   cliv__json_text(ctx->facts.platform_name), "driver", cliv__json_text(ctx->facts.driver), "walk",
                   cliv_context_walk(ctx) == CLIV_WALK_CPU ? "cpu" : "gpu");
}

static char *config_text(const run *r) {
  static const char *const missing[] = {"error", "drop", "mean"};
  const cliv_data_options *o = &r->table;
  const double validation = o->validation == 0 ? 0.2 : o->validation < 0 ? 0 : o->validation;
  json_t *json =
      json_pack("{s:s, s:s, s:o, s:b, s:s, s:f, s:I, s:I, s:o, s:o}", "format", RUN_FORMAT, "cliv", cliv_version(),
                "path", cliv__json_text(r->options.path), "header", !o->no_header, "missing", missing[o->missing],
                "validation", validation, "split_seed", (json_int_t)o->seed, "epochs", (json_int_t)r->epochs,
                "training", cliv__trainer_config(r->trainer), "device", device_json(r->ctx));
  char *text = dump(json, JSON_INDENT(2)), *line = text ? cliv__format("%s\n", text) : NULL;
  free(text);
  return line;
}

static json_t *epoch_json(const struct cliv__epoch *e, bool classes) {
  const cliv_epoch_metrics *m = &e->metrics;
  json_t *json = json_pack("{s:I, s:I, s:o, s:o, s:o, s:o}", "epoch", (json_int_t)m->epoch, "steps",
                           (json_int_t)m->steps, "train_loss", number(m->loss), "lr", number(m->rate), "seconds",
                           number(m->seconds), "rows_per_second", number(m->rows_per_second));
  if (!json || e->score.rows == 0) return json;
  int failed = json_object_set_new(json, "validation_loss", number(e->score.loss));
  if (classes) failed |= json_object_set_new(json, "validation_accuracy", number(e->score.accuracy));
  else
    failed |= json_object_set_new(json, "validation_rmse", number(e->score.rmse)) |
              json_object_set_new(json, "validation_r2", number(e->score.r2));
  if (!failed) return json;
  json_decref(json);
  return NULL;
}

static char *metrics_text(const run *r) {
  cliv__text text = {0};
  for (size_t i = 0; i < r->history.count; i++) {
    char *line = dump(epoch_json(&r->history.epochs[i], r->result->classes > 0), JSON_COMPACT);
    if (line) cliv__text_add(&text, "%s\n", line);
    else text.failed = 1;
    free(line);
  }
  return cliv__text_take(&text);
}

/* Takes `text` over. */
static cliv_status write_text(const run *r, const char *path, char *text) {
  if (!text) return no_memory(r);
  const cliv_status status = cliv__relay(r->ctx, cliv__file_write(path, text, strlen(text)));
  free(text);
  return status;
}

static cliv_status write_staged(const run *r, int file, const char *path) {
  switch (file) {
    case CONFIG: return write_text(r, path, config_text(r));
    case METRICS: return write_text(r, path, metrics_text(r));
    case CHECKPOINT: return cliv_trainer_save_checkpoint(r->trainer, path);
    case MODEL: return cliv_trainer_save_model(r->trainer, path);
    default: return write_text(r, path, cliv__report_html(&(cliv__report){r->trainer, &r->history, r->result}));
  }
}

static void sync_folder(const char *path) {
  const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  (void)fsync(folder);
  close(folder);
}

/* The first `count` of FILES: all are written aside, and only then moved to their names. */
static cliv_status save(run *r, int count) {
  if (!*r->result->folder) return CLIV_OK;
  cliv_status status = CLIV_OK;
  for (int i = 0; i < count && !status; i++) {
    const place aside = path_in(r, STAGING, FILES[i]);
    status = write_staged(r, i, aside.text);
  }
  for (int i = 0; i < count && !status; i++) {
    const place from = path_in(r, STAGING, FILES[i]), to = path_in(r, "", FILES[i]);
    if (rename(from.text, to.text)) status = fail_folder(r, "a finished file cannot be given its name");
    r->kept = r->kept || !status;
  }
  if (!status) sync_folder(r->result->folder);
  r->saved = now();
  return status;
}

/* After a failure nothing of a folder is left that this call made and that holds nothing. */
static void close_folder(run *r, cliv_status status) {
  if (!*r->result->folder) return;
  clear_staging(r);
  if (!status || !r->made || r->kept) return;
  remove_folders(r);
}

/* ---- going on ---- */

static bool read_epoch(json_t *line, struct cliv__epoch *e, size_t validation_rows) {
  const double nan = NAN;
  *e = (struct cliv__epoch){.metrics = {.epoch = (size_t)json_integer_value(json_object_get(line, "epoch")),
                                        .steps = (uint64_t)json_integer_value(json_object_get(line, "steps"))}};
  const struct {
    const char *key;
    double *to;
  } fields[] = {{"train_loss", &e->metrics.loss},    {"lr", &e->metrics.rate},
                {"seconds", &e->metrics.seconds},    {"rows_per_second", &e->metrics.rows_per_second},
                {"validation_loss", &e->score.loss}, {"validation_accuracy", &e->score.accuracy},
                {"validation_rmse", &e->score.rmse}, {"validation_r2", &e->score.r2}};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    const json_t *value = json_object_get(line, fields[i].key);
    *fields[i].to = json_is_number(value) ? json_number_value(value) : nan;
  }
  e->score.rows = validation_rows;
  return json_is_object(line) && e->metrics.epoch > 0;
}

static cliv_status append(run *r, const struct cliv__epoch *e) {
  cliv__history *h = &r->history;
  if (h->count == h->room) {
    const size_t room = h->room ? 2 * h->room : 64;
    struct cliv__epoch *more = realloc(h->epochs, room * sizeof *more);
    if (!more) return no_memory(r);
    h->epochs = more;
    h->room = room;
  }
  h->epochs[h->count++] = *e;
  return CLIV_OK;
}

/* The metrics of the epochs that the checkpoint has; a file that is damaged or absent costs its lines, no more. */
static cliv_status read_metrics(run *r) {
  const place metrics = path_in(r, "", FILES[METRICS]);
  FILE *file = fopen(metrics.text, "r");
  cliv_status status = CLIV_OK;
  while (file && !status) {
    json_t *line = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL);
    struct cliv__epoch e;
    const bool good = line && read_epoch(line, &e, r->result->validation.rows);
    json_decref(line);
    if (!good || e.metrics.epoch > cliv_trainer_epochs(r->trainer)) break;
    status = append(r, &e);
  }
  if (file) fclose(file);
  return status;
}

static cliv_status resume(run *r) {
  const place checkpoint = path_in(r, "", FILES[CHECKPOINT]);
  TRY(cliv_trainer_resume(r->trainer, checkpoint.text));
  REQUIRE(r->ctx, cliv_trainer_epochs(r->trainer) <= r->epochs, VALUE,
          "%s: has %zu epochs behind it already; %zu in all are asked for", cliv__shown(r->result->folder),
          cliv_trainer_epochs(r->trainer), r->epochs);
  return read_metrics(r);
}

/* ---- training ---- */

static void report_progress(run *r, size_t epoch, size_t batch, size_t batches) {
  if (!r->options.progress) return;
  const struct cliv__epoch *last = r->history.count ? &r->history.epochs[r->history.count - 1] : NULL;
  const cliv_run_progress progress = {.data = cliv_data_describe(r->data),
                                      .epoch = epoch,
                                      .epochs = r->epochs,
                                      .batch = batch,
                                      .batches = batches,
                                      .last = last ? &last->metrics : NULL,
                                      .score = last && last->score.rows ? &last->score : NULL};
  if (r->options.progress(r->options.user, &progress)) r->stop = true;
}

static void on_batch(void *user, size_t batch, size_t batches) {
  run *r = user;
  if (batch < batches) report_progress(r, cliv_trainer_epochs(r->trainer) + 1, batch, batches);
}

static cliv_status train(run *r) {
  const size_t batches = cliv_trainer_batches(r->trainer);
  const bool held = cliv_data_describe(r->data)->rows[CLIV_VALIDATION] > 0;
  r->start = r->saved = now();
  report_progress(r, cliv_trainer_epochs(r->trainer) + 1, 0, batches);
  while (cliv_trainer_epochs(r->trainer) < r->epochs && !r->stop) {
    struct cliv__epoch e = {0};
    TRY(cliv_trainer_epoch(r->trainer, on_batch, r, &e.metrics));
    if (held) TRY(cliv_trainer_evaluate(r->trainer, CLIV_VALIDATION, &e.score));
    cliv_schedule_report(cliv_trainer_schedule(r->trainer), held ? e.score.loss : e.metrics.loss);
    TRY(append(r, &e));
    report_progress(r, e.metrics.epoch, batches, batches);
    if (now() - r->saved > CHECKPOINT_SECONDS) TRY(save(r, CHECKPOINT + 1));
  }
  r->result->stopped = cliv_trainer_epochs(r->trainer) < r->epochs;
  TRY(cliv_trainer_evaluate(r->trainer, CLIV_TRAINING, &r->result->training));
  if (held) TRY(cliv_trainer_evaluate(r->trainer, CLIV_VALIDATION, &r->result->validation));
  REQUIRE(
      r->ctx, isfinite(r->result->training.loss), DATA,
      "the loss is not finite any more after epoch %zu: the training diverged; a smaller learning rate (lr) may help",
      cliv_trainer_epochs(r->trainer));
  r->result->epochs = cliv_trainer_epochs(r->trainer);
  r->result->steps = cliv_optimizer_steps(cliv_trainer_optimizer(r->trainer));
  r->result->seconds = now() - r->start;
  return CLIV_OK;
}

static cliv_status prepare(run *r) {
  const cliv_model_info *kind = cliv_model_find(r->training.model);
  r->table.classes = kind && kind->classes;
  TRY(cliv__relay(r->ctx, cliv_data_read(r->options.path, &r->table, &r->data)));
  const cliv_data_info *info = cliv_data_describe(r->data);
  r->result->features = info->features, r->result->constant = info->constant, r->result->classes = info->classes;
  r->result->dropped = info->dropped, r->result->filled = info->filled;
  r->result->validation.rows = info->rows[CLIV_VALIDATION];
  return cliv_trainer_create(r->ctx, r->data, &r->training, &r->trainer);
}

static cliv_status perform(run *r) {
  TRY(prepare(r));
  TRY(open_folder(r));
  if (r->options.resume) TRY(resume(r));
  TRY(train(r));
  return save(r, FILE_COUNT);
}

static cliv_status take_options(run *r, const cliv_run_options *options) {
  TRY(OPTIONS(r->ctx, options, &r->options));
  TRY(OPTIONS(r->ctx, r->options.data, &r->table));
  TRY(OPTIONS(r->ctx, r->options.training, &r->training));
  r->table.size = r->training.size = 0; /* they are this version's now */
  r->epochs = r->training.epochs ? r->training.epochs : DEFAULT_EPOCHS;
  return CLIV_OK;
}

static cliv_status check(cliv_context *ctx, const cliv_run_options *o, const char *model) {
  REQUIRE(ctx, o->path != NULL, NULL, "no file to train on is given");
  REQUIRE(ctx, model != NULL, VALUE, "no model is given; choose linear, logistic or softmax");
  REQUIRE(ctx, !o->resume || (o->out && *o->out), VALUE, "to go on with a run, its folder must be given");
  if (cliv_model_find(model)) return CLIV_OK;
  cliv_model *none; /* says which models there are, before the file is read */
  return cliv_model_create(ctx, model, 1, 2, &none);
}

cliv_status cliv_train(cliv_context *ctx, const cliv_run_options *options, cliv_run_result *out) {
  REQUIRE_NOT_NULL(ctx, out);
  memset(out, 0, sizeof *out);
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, options);
  run r = {.ctx = ctx, .result = out};
  TRY(take_options(&r, options));
  TRY(check(ctx, &r.options, r.training.model));
  const cliv_status status = perform(&r);
  close_folder(&r, status);
  if (status) memset(out, 0, sizeof *out);
  cliv_trainer_free(r.trainer);
  cliv_data_free(r.data);
  free(r.history.epochs);
  return status;
}
