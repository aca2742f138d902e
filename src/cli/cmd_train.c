/* cliv train: a model from a CSV file. */
#include <cliv/train.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

/* What the command line says, before it is checked. */
typedef struct arguments {
  char **targets, **settings, **rest_settings;
  char *missing, *model, *optimizer, *rest_optimizer, *preset, *schedule, *batch, *out;
  long long epochs, seed;
  double validation, l2;
  int no_header, resume, quiet;
} arguments;

/* ---- interrupts: the first ends the training after the epoch at hand, the second the program ---- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal) {
  (void)signal;
  interrupted = 1;
}

static void catch_interrupts(void) {
  struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
}

/* ---- progress, on standard error ---- */

enum { BAR = 24, LINES = 10 };

typedef struct display {
  bool quiet, terminal, begun;
  const char *model;
  cliv_context *ctx;
  double drawn; /* clock of the last drawing */
  size_t line;  /* of LINES, where there is no terminal */
} display;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void print_data(const display *d, const cliv_run_progress *p) {
  const cliv_data_info *info = p->data;
  fprintf(stderr, "%zu rows to train on, %zu held out, %zu features", info->rows[0], info->rows[1], info->features);
  if (info->constant) fprintf(stderr, " (%zu constant)", info->constant);
  if (info->classes) fprintf(stderr, ", %zu classes", info->classes);
  if (info->dropped) fprintf(stderr, "; %zu rows with missing values dropped", info->dropped);
  if (info->filled) fprintf(stderr, "; %zu missing values filled with means", info->filled);
  fprintf(stderr, "\n%s on %s, %zu epochs of %zu batches\n", d->model, cliv_context_device_name(d->ctx), p->epochs,
          p->batches);
}

static void print_state(const cliv_run_progress *p) {
  if (!p->last) return;
  fprintf(stderr, "loss %.4g", p->last->loss);
  if (p->score && p->data->classes) fprintf(stderr, ", test accuracy %.4f", p->score->accuracy);
  if (p->score && !p->data->classes) fprintf(stderr, ", test RMSE %.4g", p->score->rmse);
  fprintf(stderr, ", %.0f rows/s", p->last->rows_per_second);
}

static void draw_bar(display *d, const cliv_run_progress *p) {
  const size_t done = (p->epoch - 1) * p->batches + p->batch, all = p->epochs * p->batches;
  if (now() - d->drawn < 0.1 && done < all) return;
  d->drawn = now();
  const int full = (int)((double)done / (double)all * BAR);
  fprintf(stderr, "\r\033[Kepoch %zu/%zu [%.*s%.*s] ", p->epoch, p->epochs, full, "########################",
          BAR - full, "........................");
  print_state(p);
  if (done == all) fputc('\n', stderr);
  fflush(stderr);
}

static void print_line(display *d, const cliv_run_progress *p) {
  if (p->batch < p->batches || p->epoch * LINES / p->epochs == d->line) return;
  d->line = p->epoch * LINES / p->epochs;
  fprintf(stderr, "epoch %zu/%zu: ", p->epoch, p->epochs);
  print_state(p);
  fputc('\n', stderr);
}

static int on_progress(void *user, const cliv_run_progress *p) {
  display *d = user;
  if (!d->quiet) {
    if (!d->begun) print_data(d, p);
    if (!d->begun) d->line = (p->epoch - 1) * LINES / p->epochs;
    d->begun = true;
    if (d->terminal) draw_bar(d, p);
    else print_line(d, p);
  }
  return interrupted;
}

/* ---- results, on standard output ---- */

static json_t *score_json(const cliv_score *s, bool classes) {
  if (s->rows == 0) return json_null();
  if (classes)
    return json_pack("{s:I, s:o, s:I, s:o}", "rows", (json_int_t)s->rows, "loss", cli_json_real(s->loss), "correct",
                     (json_int_t)s->correct, "accuracy", cli_json_real(s->accuracy));
  return json_pack("{s:I, s:o, s:o, s:o}", "rows", (json_int_t)s->rows, "loss", cli_json_real(s->loss), "rmse",
                   cli_json_real(s->rmse), "r2", cli_json_real(s->r2));
}

static void print_json(cli *c, const cliv_run_result *r, const cliv_context *ctx) {
  char report[sizeof r->folder + 16];
  snprintf(report, sizeof report, "%s/report.html", r->folder);
  cli_print_json(c, json_pack("{s:o, s:o, s:o, s:I, s:I, s:b, s:o, s:I, s:I, s:I, s:I, s:o, s:o}", "folder",
                              cli_json_text(r->folder), "report", cli_json_text(report), "device",
                              cli_json_text(cliv_context_device_name(ctx)), "epochs", (json_int_t)r->epochs, "steps",
                              (json_int_t)r->steps, "stopped", r->stopped, "seconds", cli_json_real(r->seconds),
                              "features", (json_int_t)r->features, "classes", (json_int_t)r->classes, "dropped",
                              (json_int_t)r->dropped, "filled", (json_int_t)r->filled, "training",
                              score_json(&r->training, r->classes), "test", score_json(&r->validation, r->classes)));
}

static void print_result(const cliv_run_result *r) {
  const bool held = r->validation.rows > 0;
  const cliv_score *s = held ? &r->validation : &r->training;
  const char *what = held ? "test" : "training", *rows = held ? "held-out" : "training";
  if (r->stopped) printf("stopped after epoch %zu\n", r->epochs);
  if (r->classes)
    printf("%s accuracy %.4f (%zu of %zu %s rows), loss %.4g\n", what, s->accuracy, s->correct, s->rows, rows, s->loss);
  else if (isnan(s->r2)) /* of a single row, or of rows with one value */
    printf("%s RMSE %.6g (%zu %s row%s)\n", what, s->rmse, s->rows, rows, s->rows == 1 ? "" : "s");
  else printf("%s RMSE %.6g, R2 %.4f (%zu %s rows)\n", what, s->rmse, s->r2, s->rows, rows);
  printf("report: %s/report.html\n", r->folder);
}

/* ---- the command line ---- */

static size_t length(char *const *list) {
  size_t n = 0;
  while (list && list[n]) n++;
  return n;
}

/* NAME=NUMBER into *out; name is a copy. */
static bool read_setting(cli *c, const char *option, const char *text, cliv_setting *out) {
  const char *const equals = strchr(text, '=');
  char *end = NULL;
  if (equals && equals > text && equals[1]) {
    out->value = strtod(equals + 1, &end);
    if (!*end) out->name = strndup(text, (size_t)(equals - text));
  }
  if (out->name) return true;
  cli_report(c, CLIV_VALUE, "option '%s' takes NAME=NUMBER, such as lr=1e-3, not '%s'", option, text);
  return false;
}

/* All of a list, into memory that is `out`'s now; NULL where there are none. */
static bool read_settings(cli *c, const char *option, char *const *list, const cliv_setting **out) {
  const size_t count = length(list);
  cliv_setting *settings = count ? calloc(count + 1, sizeof *settings) : NULL;
  *out = settings;
  if (count && !settings) cli_report(c, CLIV_HOST_MEMORY, "out of memory");
  bool good = !count || settings;
  for (size_t i = 0; good && i < count; i++) good = read_setting(c, option, list[i], &settings[i]);
  return good;
}

static void free_settings(const cliv_setting *settings) {
  for (size_t i = 0; settings && settings[i].name; i++) free((void *)(uintptr_t)settings[i].name);
  free((void *)(uintptr_t)settings);
}

static bool read_batch(cli *c, const char *text, size_t *out) {
  char *end = NULL;
  if (!text) return true;
  if (!strcmp(text, "all")) {
    *out = SIZE_MAX;
    return true;
  }
  errno = 0;
  const long long rows = strtoll(text, &end, 10);
  if (*text && !*end && !errno && rows > 0) {
    *out = (size_t)rows;
    return true;
  }
  cli_report(c, CLIV_VALUE, "option '--batch' takes a number of rows of at least 1, or all, not '%s'", text);
  return false;
}

static bool read_missing(cli *c, const char *text, cliv_missing *out) {
  static const char *const names[] = {"error", "drop", "mean"};
  if (!text) return true;
  for (int i = 0; i < 3; i++)
    if (!strcmp(text, names[i])) {
      *out = (cliv_missing)i;
      return true;
    }
  cli_report(c, CLIV_NAME, "option '--missing' takes drop or mean, not '%s'", text);
  return false;
}

static bool refuse(cli *c, const char *sentence) {
  cli_report(c, CLIV_VALUE, "%s", sentence);
  return false;
}

/* What cliv_run_options points at. */
typedef struct request {
  cliv_run_options run;
  cliv_data_options data;
  cliv_train_options training;
} request;

/* Fills `to`, whose settings are to be freed in any case. */
static bool read_arguments(cli *c, const arguments *a, request *to) {
  if (!length(a->targets)) return refuse(c, "no target column is given: --target NAME (or a number from 0)");
  if (!a->model)
    return refuse(c, "no model is given: --model linear (numbers), logistic (two classes) or softmax (classes)");
  if (a->epochs < 1) return refuse(c, "option '--epochs' takes a number of at least 1");
  if (a->seed < 0) return refuse(c, "option '--seed' takes a number of at least 0");
  if (!(a->validation >= 0 && a->validation < 1))
    return refuse(c, "option '--validation' takes a fraction from 0 to below 1");
  if (!(a->l2 >= 0 && isfinite(a->l2))) return refuse(c, "option '--l2' takes a number of at least 0");
  if (a->out && !*a->out) return refuse(c, "option '--out' takes a folder, not an empty text");
  if (a->resume && !a->out) return refuse(c, "option '--resume' goes on with a run: say which by --out FOLDER");
  to->run = (cliv_run_options){
      .path = c->args[0], .data = &to->data, .training = &to->training, .out = a->out, .resume = a->resume};
  to->data = (cliv_data_options){.targets = (const char *const *)a->targets,
                                 .target_count = length(a->targets),
                                 .no_header = a->no_header,
                                 .validation = a->validation > 0 ? a->validation : -1,
                                 .seed = (uint64_t)a->seed};
  to->training = (cliv_train_options){.model = a->model,
                                      .optimizer = a->optimizer,
                                      .preset = a->preset,
                                      .schedule = a->schedule,
                                      .setting_count = length(a->settings),
                                      .rest_optimizer = a->rest_optimizer,
                                      .rest_setting_count = length(a->rest_settings),
                                      .epochs = (size_t)a->epochs,
                                      .seed = (uint64_t)a->seed,
                                      .l2 = a->l2};
  return read_missing(c, a->missing, &to->data.missing) && read_batch(c, a->batch, &to->training.batch) &&
         read_settings(c, "--set", a->settings, &to->training.settings) &&
         read_settings(c, "--rest-set", a->rest_settings, &to->training.rest_settings);
}

static void train(cli *c, const arguments *a, cliv_run_options *run) {
  cliv_context *ctx;
  if (!cli_open(c, &ctx)) return;
  display d = {.quiet = a->quiet, .terminal = isatty(STDERR_FILENO), .model = a->model, .ctx = ctx};
  run->progress = on_progress;
  run->user = &d;
  catch_interrupts();
  cliv_run_result result;
  const cliv_status status = cliv_train(ctx, run, &result);
  if (d.begun && d.terminal && (status || result.stopped)) fputc('\n', stderr);
  if (status) cli_report_with(c, ctx, status);
  else if (c->json) print_json(c, &result, ctx);
  else print_result(&result);
  if (!status && result.stopped && c->exit_code == CLI_DONE) c->exit_code = CLI_INTERRUPTED;
  cliv_context_free(ctx);
}

int cmd_train(int argc, const char **argv) {
  arguments a = {.epochs = 100, .validation = 0.2};
  const struct poptOption options[] = {
      {"target", 0, POPT_ARG_ARGV, &a.targets, 0, "Column to learn: a name, or a number from 0; several for linear",
       "COLUMN"},
      {"model", 0, POPT_ARG_STRING, &a.model, 0, "linear (numbers), logistic (two classes) or softmax (classes)",
       "MODEL"},
      {"optimizer", 0, POPT_ARG_STRING, &a.optimizer, 0, "Update rule (see `cliv op list`); default: adamw", "RULE"},
      {"preset", 0, POPT_ARG_STRING, &a.preset, 0,
       "Whose formula and defaults hold: torch, keras, ...; default: the rule's first", "NAME"},
      {"set", 0, POPT_ARG_ARGV, &a.settings, 0, "A hyper-parameter of the rule, such as lr=1e-3", "NAME=NUMBER"},
      {"rest-optimizer", 0, POPT_ARG_STRING, &a.rest_optimizer, 0,
       "Rule of biases, where --optimizer takes matrices only (muon, shampoo, soap); default: adamw", "RULE"},
      {"rest-set", 0, POPT_ARG_ARGV, &a.rest_settings, 0, "A hyper-parameter of that rule", "NAME=NUMBER"},
      {"schedule", 0, POPT_ARG_STRING, &a.schedule, 0, "Of lr, such as \"warmup(2epochs) linear(98epochs)\"", "TEXT"},
      {"epochs", 0, POPT_ARG_LONGLONG | POPT_ARGFLAG_SHOW_DEFAULT, &a.epochs, 0,
       "Times to go through the training rows", "N"},
      {"batch", 0, POPT_ARG_STRING, &a.batch, 0, "Rows a step, or all; default: 32", "ROWS"},
      {"l2", 0, POPT_ARG_DOUBLE, &a.l2, 0, "Add L2/2 times the sum of the squared weights to the loss", "L2"},
      {"validation", 0, POPT_ARG_DOUBLE | POPT_ARGFLAG_SHOW_DEFAULT, &a.validation, 0,
       "Fraction of the rows held out of training: what the test scores are of", "FRACTION"},
      {"seed", 0, POPT_ARG_LONGLONG, &a.seed, 0, "Of the split and the shuffles; default: 0", "N"},
      {"no-header", 0, POPT_ARG_NONE, &a.no_header, 0, "The first line is data; columns are named 0, 1, ...", NULL},
      {"missing", 0, POPT_ARG_STRING, &a.missing, 0,
       "Missing values: drop such rows, or fill in the mean; default: an error", "drop|mean"},
      {"out", 0, POPT_ARG_STRING, &a.out, 0, "Run folder; default: runs/DATA-MODEL-N", "FOLDER"},
      {"resume", 0, POPT_ARG_NONE, &a.resume, 0, "Go on with the run in --out until --epochs are done", NULL},
      {"quiet", 'q', POPT_ARG_NONE, &a.quiet, 0, "No progress", NULL},
      POPT_TABLEEND};
  const cli_usage usage = {
      .verb = "train",
      .arguments = "[OPTION]... DATA.csv --target COLUMN --model MODEL",
      .about =
          "train a model on a table and leave a run folder:\n"
          "model.safetensors, checkpoint.safetensors, metrics.jsonl, config.json, report.html",
      .example =
          "cliv train examples/data/digits.csv --target digit --model softmax\n"
          "cliv train examples/data/diabetes.csv --target progression --model linear --optimizer sgd --set lr=0.1 "
          "--set momentum=0.9 --batch all --epochs 500",
      .options = options,
      .least = 1,
      .most = 1};
  cli c;
  if (cli_parse(&c, &usage, argc, argv)) {
    request wanted = {0};
    if (read_arguments(&c, &a, &wanted)) train(&c, &a, &wanted.run);
    free_settings(wanted.training.settings);
    free_settings(wanted.training.rest_settings);
  }
  return cli_done(&c);
}
