/* cliv op rows: an operation whose every element depends on its row. */
#include <cliv/rows.h>

#include "cli/op.h"

typedef struct rows_options {
  char *op, *output, *eps_text, *weight, *bias, *mean, *rstd, *weight_gradient, *bias_gradient;
  double eps;
} rows_options;

/* The operation exists, and the number of files is its number of inputs. */
static bool check_operation(cli *c, const char *op) {
  const cliv_rows_info *const info = cliv_rows_find(op);
  if (!info) {
    cli_report(c, CLIV_NAME, "there is no operation on rows '%s'; `cliv op list rows` names them", op);
    return false;
  }
  if (info->inputs == c->count) return true;
  return cli_refuse(c, "'%s' takes %s, but %s given", info->name, info->inputs == 1 ? "one file" : "two files",
                    c->count == 1 ? "one is" : "two are");
}

/* The next input, where the option was given. */
static bool read_option(op_run *run, const char *path) { return !path || op_read(run, path); }

static bool read_all(op_run *run, const rows_options *o, const cliv_rows_info *info) {
  const char *const *const args = run->c->args;
  return op_read(run, args[0]) && read_option(run, info->inputs > 1 ? args[1] : NULL) && read_option(run, o->weight) &&
         read_option(run, o->bias) && read_option(run, info->mean == CLIV_ROWS_READS ? o->mean : NULL) &&
         read_option(run, info->rstd == CLIV_ROWS_READS ? o->rstd : NULL);
}

/* A tensor for a result that the option names a file for: one number a row, or one a column. */
static bool make_option(op_run *run, const char *path, bool per_row, cliv_tensor **out) {
  const cliv_tensor *const x = run->tensor[0];
  const int ndim = cliv_tensor_ndim(x);
  const size_t *const shape = cliv_tensor_shape(x);
  if (!path) return true;
  if (ndim == 0)
    return cli_report(run->c, CLIV_SHAPE, "'%s' has no axes, so it has no last one", run->c->args[0]), false;
  return per_row ? op_make(run, CLIV_F32, ndim - 1, shape, out)
                 : op_make(run, cliv_tensor_dtype(x), 1, shape + ndim - 1, out);
}

static bool write_option(op_run *run, const char *path, const cliv_tensor *tensor) {
  return !path || op_write(run, tensor, path);
}

static bool work(op_run *run, const rows_options *o, const cliv_rows_info *info) {
  int next = 1;
  const cliv_tensor *const x = run->tensor[0], *const y = info->inputs > 1 ? run->tensor[next++] : NULL;
  cliv_rows_options options = {.eps = o->eps};
  const bool tells_mean = info->mean != CLIV_ROWS_READS, tells_rstd = info->rstd != CLIV_ROWS_READS;
  if (o->weight) options.weight = run->tensor[next++];
  if (o->bias) options.bias = run->tensor[next++];
  if (o->mean && !tells_mean) options.mean = run->tensor[next++];
  if (o->rstd && !tells_rstd) options.rstd = run->tensor[next++];
  cliv_tensor *out;
  return op_make(run, cliv_tensor_dtype(x), cliv_tensor_ndim(x), cliv_tensor_shape(x), &out) &&
         make_option(run, tells_mean ? o->mean : NULL, true, &options.mean) &&
         make_option(run, tells_rstd ? o->rstd : NULL, true, &options.rstd) &&
         make_option(run, o->weight_gradient, false, &options.weight_gradient) &&
         make_option(run, o->bias_gradient, false, &options.bias_gradient) &&
         op_check(run, cliv_rows(run->ctx, o->op, x, y, out, &options, NULL)) &&
         write_option(run, tells_mean ? o->mean : NULL, options.mean) &&
         write_option(run, tells_rstd ? o->rstd : NULL, options.rstd) &&
         write_option(run, o->weight_gradient, options.weight_gradient) &&
         write_option(run, o->bias_gradient, options.bias_gradient) && op_deliver(run, out, "rows", o->op);
}

static int run_rows(cli *c, rows_options *o) {
  op_run run = {.c = c, .output = o->output};
  if (!op_require(c, o->op, "--op", "`cliv op list rows` names the operations") ||
      !op_require(c, o->output, "-o", "it names the .npy file to write") || !check_operation(c, o->op))
    return cli_done(c);
  const cliv_rows_info *const info = cliv_rows_find(o->op);
  if (o->eps_text && !cli_number(o->eps_text, &o->eps))
    cli_refuse(c, "option '--eps' needs a number, not '%s'", o->eps_text);
  else if (read_all(&run, o, info) && op_open(&run)) work(&run, o, info);
  return op_finish(&run);
}

int op_rows(int argc, const char **argv) {
  rows_options o = {0};
  const struct poptOption options[] = {
      {"op", 0, POPT_ARG_STRING, &o.op, 0, "The operation (see `cliv op list rows`)", "NAME"},
      {"weight", 0, POPT_ARG_STRING, &o.weight, 0, "Of a norm: one number a column", "W.npy"},
      {"bias", 0, POPT_ARG_STRING, &o.bias, 0, "Of a norm: one number a column", "B.npy"},
      {"eps", 0, POPT_ARG_STRING, &o.eps_text, 0, "Of a norm: what is added to the variance", "NUMBER"},
      {"mean", 0, POPT_ARG_STRING, &o.mean, 0, "One number a row: a norm writes it, its gradient reads it", "FILE.npy"},
      {"rstd", 0, POPT_ARG_STRING, &o.rstd, 0, "The same: 1 / sqrt(var + eps)", "FILE.npy"},
      {"weight-gradient", 0, POPT_ARG_STRING, &o.weight_gradient, 0, "A norm's gradient writes the weight's there",
       "DW.npy"},
      {"bias-gradient", 0, POPT_ARG_STRING, &o.bias_gradient, 0, "And the bias's", "DB.npy"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "op rows",
                           .arguments = "[OPTION]... --op NAME X.npy [Y.npy] -o OUT.npy",
                           .about = "An operation along the last axis, whose every element depends on its row.",
                           .example =
                               "cliv op rows --op softmax x.npy -o y.npy\n"
                               "cliv op rows --op softmax_backward y.npy dy.npy -o dx.npy\n"
                               "cliv op rows --op layer_norm --weight w.npy --bias b.npy x.npy -o y.npy",
                           .options = options,
                           .least = 1,
                           .most = 2};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return run_rows(&c, &o);
}
