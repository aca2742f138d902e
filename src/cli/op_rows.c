/* cliv op rows: an operation whose every element depends on its row. */
#include <cliv/rows.h>

#include "cli/op.h"

typedef struct rows_options {
  char *op, *output;
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

static bool work(op_run *run, const rows_options *o) {
  const cliv_tensor *const x = run->tensor[0], *const y = run->c->count > 1 ? run->tensor[1] : NULL;
  cliv_tensor *out;
  return op_make(run, cliv_tensor_dtype(x), cliv_tensor_ndim(x), cliv_tensor_shape(x), &out) &&
         op_check(run, cliv_rows(run->ctx, o->op, x, y, out, NULL)) && op_deliver(run, out, "rows", o->op);
}

static int run_rows(cli *c, const rows_options *o) {
  op_run run = {.c = c, .output = o->output};
  if (op_require(c, o->op, "--op", "`cliv op list rows` names the operations") &&
      op_require(c, o->output, "-o", "it names the .npy file to write") && check_operation(c, o->op) &&
      op_read(&run, c->args[0]) && (c->count < 2 || op_read(&run, c->args[1])) && op_open(&run))
    work(&run, o);
  return op_finish(&run);
}

int op_rows(int argc, const char **argv) {
  rows_options o = {0};
  const struct poptOption options[] = {
      {"op", 0, POPT_ARG_STRING, &o.op, 0, "The operation (see `cliv op list rows`)", "NAME"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "op rows",
                           .arguments = "[OPTION]... --op NAME X.npy [Y.npy] -o OUT.npy",
                           .about = "An operation along the last axis, whose every element depends on its row.",
                           .example =
                               "cliv op rows --op softmax x.npy -o y.npy\n"
                               "cliv op rows --op softmax_backward y.npy dy.npy -o dx.npy",
                           .options = options,
                           .least = 1,
                           .most = 2};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return run_rows(&c, &o);
}
