/* cliv op reduce: all elements, or every row, to one. */
#include <cliv/reduce.h>
#include <string.h>

#include "cli/op.h"

typedef struct reduce_options {
  char *op, *axis, *output;
} reduce_options;

static bool read_axis(cli *c, const char *text, int *axis) {
  *axis = text && !strcmp(text, "last") ? -1 : CLIV_ALL_AXES;
  if (!text || *axis == -1 || !strcmp(text, "all")) return true;
  return cli_refuse(c, "option '--axis': there is no axis '%s'; choose all or last", text);
}

/* The operation exists, and the number of files is its number of inputs. */
static bool check_operation(cli *c, const char *op) {
  const cliv_reduce_info *const info = cliv_reduce_find(op);
  cliv_dtype dtype;
  if (!info) {
    cli_report_with(c, NULL, cliv_reduce_dtype(op, CLIV_F32, &dtype));
    return false;
  }
  if (info->inputs == c->count) return true;
  return cli_refuse(c, "'%s' takes %s, but %s given", info->name, info->inputs == 1 ? "one file" : "two files",
                    c->count == 1 ? "one is" : "two are");
}

static bool reduce(op_run *run, const reduce_options *o, int axis) {
  const cliv_tensor *const x = run->tensor[0];
  const int ndim = axis == -1 ? cliv_tensor_ndim(x) - 1 : 0;
  cliv_dtype dtype;
  cliv_tensor *out;
  const cliv_status status = cliv_reduce_dtype(o->op, cliv_tensor_dtype(x), &dtype);
  if (status) cli_report_with(run->c, NULL, status);
  if (!status && ndim < 0) cli_report(run->c, CLIV_SHAPE, "'%s' has no axes, so it has no last one", run->c->args[0]);
  return !status && ndim >= 0 && op_make(run, dtype, ndim, cliv_tensor_shape(x), &out) &&
         op_check(run, cliv_reduce(run->ctx, o->op, axis, x, run->c->count > 1 ? run->tensor[1] : NULL, out, NULL)) &&
         op_deliver(run, out, "reduce", o->op);
}

static int run_reduce(cli *c, const reduce_options *o) {
  op_run run = {.c = c, .output = o->output};
  int axis;
  if (op_require(c, o->op, "--op", "`cliv op list reduce` names the reductions") &&
      op_require(c, o->output, "-o", "it names the .npy file to write") && read_axis(c, o->axis, &axis) &&
      check_operation(c, o->op) && op_read(&run, c->args[0]) && (c->count < 2 || op_read(&run, c->args[1])) &&
      op_open(&run))
    reduce(&run, o, axis);
  return op_finish(&run);
}

int op_reduce(int argc, const char **argv) {
  reduce_options o = {0};
  const struct poptOption options[] = {
      {"op", 0, POPT_ARG_STRING, &o.op, 0, "The reduction (see `cliv op list reduce`)", "NAME"},
      {"axis", 0, POPT_ARG_STRING, &o.axis, 0, "all (the default): one result; last: one for every row", "AXIS"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "op reduce",
                           .arguments = "[OPTION]... --op NAME X.npy [Y.npy] -o OUT.npy",
                           .about = "A sum, norm, maximum ... of all elements of X, or of every row.",
                           .example =
                               "cliv op reduce --op sum x.npy -o y.npy\n"
                               "cliv op reduce --op argmax --axis last x.npy -o y.npy\n"
                               "cliv op reduce --op dot x.npy y.npy -o z.npy",
                           .options = options,
                           .least = 1,
                           .most = 2};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return run_reduce(&c, &o);
}
