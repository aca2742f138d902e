/* cliv op schedule: the factors that a schedule gives step by step. */
#include <cliv/npy.h>
#include <cliv/schedule.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/op.h"

typedef struct schedule_options {
  char *text, *reports, *output;
  long long steps, epoch_steps;
} schedule_options;

static bool check_options(cli *c, const schedule_options *o) {
  if (!op_require(c, o->text, "--schedule", "as in --schedule \"warmup(100) cosine(900)\"")) return false;
  if (o->steps < 1) return cli_refuse(c, "option '--steps' wants a number of at least 1");
  if (o->epoch_steps < 0) return cli_refuse(c, "option '--epoch-steps' wants a number of at least 0");
  return true;
}

static bool read_reports(cli *c, const char *path, cliv_array *out) {
  if (!path) return true;
  const cliv_status status = cliv_npy_read(path, out);
  if (status) cli_report_with(c, NULL, status);
  else if (out->dtype != CLIV_F64 || out->ndim != 1)
    cli_report(c, CLIV_DTYPE, "%s: reports are float64 of one axis; this is %s of %d axes", path,
               cliv_dtype_name(out->dtype), out->ndim);
  else return true;
  return false;
}

/* malloc'd, or NULL (reported). */
static double *make_factors(cli *c, cliv_schedule *schedule, size_t steps, const cliv_array *reports) {
  double *const factors = steps > SIZE_MAX / sizeof *factors ? NULL : malloc(steps * sizeof *factors);
  if (!factors) cli_report(c, CLIV_HOST_MEMORY, "no memory for the factors of %zu steps", steps);
  for (size_t t = 0; factors && t < steps; t++) {
    factors[t] = cliv_schedule_factor(schedule, t);
    if (reports->data && t < reports->shape[0]) cliv_schedule_report(schedule, ((const double *)reports->data)[t]);
  }
  return factors;
}

static void print_factors(cli *c, const double *factors, size_t steps) {
  json_t *const list = c->json ? json_array() : NULL;
  for (size_t t = 0; t < steps; t++) {
    if (list) json_array_append_new(list, cli_json_real(factors[t]));
    else printf("%zu %.9g\n", t, factors[t]);
  }
  if (list) cli_print_json(c, json_pack("{s:o}", "factors", list));
}

static void write_factors(cli *c, double *factors, size_t steps, const char *path) {
  const cliv_array array = {.dtype = CLIV_F64, .ndim = 1, .shape = {steps}, .data = factors};
  const cliv_status status = cliv_npy_write(path, &array);
  if (status) cli_report_with(c, NULL, status);
  else if (c->json)
    cli_print_json(
        c, json_pack("{s:o, s:s, s:I}", "output", cli_json_text(path), "dtype", "float64", "steps", (json_int_t)steps));
  else printf("%s: float64 [%zu]\n", path, steps);
}

static void run(cli *c, const schedule_options *o) {
  const cliv_schedule_options own = {.epoch_steps = (uint64_t)o->epoch_steps};
  cliv_array reports = {0};
  cliv_schedule *schedule = NULL;
  double *factors = NULL;
  const cliv_status status = cliv_schedule_create(NULL, o->text, &own, &schedule);
  if (status) cli_report_with(c, NULL, status);
  else if (read_reports(c, o->reports, &reports)) factors = make_factors(c, schedule, (size_t)o->steps, &reports);
  if (factors && o->output) write_factors(c, factors, (size_t)o->steps, o->output);
  else if (factors) print_factors(c, factors, (size_t)o->steps);
  free(factors);
  cliv_schedule_free(schedule);
  cliv_array_free(&reports);
}

int op_schedule(int argc, const char **argv) {
  schedule_options o = {.steps = 100};
  const struct poptOption options[] = {
      {"schedule", 0, POPT_ARG_STRING, &o.text, 0, "Shapes, one after the other (see `cliv op list schedule`)", "TEXT"},
      {"steps", 0, POPT_ARG_LONGLONG | POPT_ARGFLAG_SHOW_DEFAULT, &o.steps, 0, "How many factors, from step 0 on", "N"},
      {"epoch-steps", 0, POPT_ARG_LONGLONG, &o.epoch_steps, 0, "Steps of an epoch, for shapes that count in epochs",
       "N"},
      {"reports", 0, POPT_ARG_STRING, &o.reports, 0, "What is reported to plateau after each step, float64", "R.npy"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write them to, as float64; default: a line a step",
       "OUT.npy"},
      POPT_TABLEEND};
  const cli_usage usage = {
      .verb = "op schedule",
      .arguments = "[OPTION]... --schedule TEXT",
      .about = "What a schedule multiplies a hyper-parameter with, step by step.",
      .example =
          "cliv op schedule --schedule \"warmup(10) cosine(90, end=0.1)\"\n"
          "cliv op schedule --schedule \"step(30epochs, 0.1)\" --epoch-steps 50 --steps 5000 -o factors.npy",
      .options = options,
      .no_device = true};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  if (check_options(&c, &o)) run(&c, &o);
  return cli_done(&c);
}
