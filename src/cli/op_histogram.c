/* cliv op histogram: how many elements fall into each of n equal bins. */
#include <cliv/histogram.h>
#include <string.h>

#include "cli/op.h"

typedef struct histogram_options {
  char *bins, *range, *output;
} histogram_options;

static bool read_bins(cli *c, const char *text, size_t *bins) {
  double value;
  if (!cli_number(text, &value) || !(value >= 1 && value <= 0x1p40) || value != (double)(size_t)value)
    return cli_refuse(c, "option '--bins': '%s' is no number of bins", text);
  *bins = (size_t)value;
  return true;
}

/* "-1,2.5" */
static bool read_range(cli *c, char *text, double *low, double *high) {
  char *const comma = strchr(text, ',');
  if (comma) *comma = 0;
  if (!comma || !cli_number(text, low) || !cli_number(comma + 1, high))
    return cli_refuse(c, "option '--range' takes two numbers joined by a comma, LOW,HIGH");
  return true;
}

static bool histogram(op_run *run, size_t bins, double low, double high) {
  cliv_tensor *counts;
  return op_make(run, CLIV_I64, 1, &bins, &counts) &&
         op_check(run, cliv_histogram(run->ctx, run->tensor[0], bins, low, high, counts, NULL)) &&
         op_deliver(run, counts, "histogram", "histogram");
}

int op_histogram(int argc, const char **argv) {
  histogram_options o = {0};
  const struct poptOption options[] = {
      {"bins", 0, POPT_ARG_STRING, &o.bins, 0, "How many", "N"},
      {"range", 0, POPT_ARG_STRING, &o.range, 0, "From where to where; what lies outside is not counted", "LOW,HIGH"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "op histogram",
                           .arguments = "[OPTION]... --bins N --range LOW,HIGH X.npy -o OUT.npy",
                           .about = "How many elements of X fall into each of N equal bins (int64).",
                           .example = "cliv op histogram --bins 20 --range=-3,3 x.npy -o counts.npy",
                           .options = options,
                           .least = 1,
                           .most = 1};
  cli c;
  size_t bins = 0;
  double low, high;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  op_run run = {.c = &c, .output = o.output};
  if (op_require(&c, o.bins, "--bins", "it tells how many bins there are") && read_bins(&c, o.bins, &bins) &&
      op_require(&c, o.range, "--range", "it tells where the bins begin and end") &&
      read_range(&c, o.range, &low, &high) && op_require(&c, o.output, "-o", "it names the .npy file to write") &&
      op_read(&run, c.args[0]) && op_open(&run))
    histogram(&run, bins, low, high);
  return op_finish(&run);
}
