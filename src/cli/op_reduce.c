/* cliv op reduce, cliv op stats: all elements, every row, any axes or segments, to one. */
#include <cliv/reduce.h>
#include <stdlib.h>

#include "cli/op.h"

typedef struct reduce_options {
  char *op, *source, *axis, *segments, *output, *counts;
} reduce_options;

/* The result's shape: the axes that stay, or a segment each, then `more`, if it is not 0. */
static int shape_of(const op_run *run, const op_over *r, size_t more, size_t *shape) {
  const cliv_tensor *const x = run->tensor[0];
  const int ndim = cliv_tensor_ndim(x);
  int count = 0;
  if (r->offsets) shape[count++] = r->count;
  for (int d = 0; d < ndim && !r->all; d++) {
    bool reduced = false;
    for (int i = 0; i < r->over.axis_count; i++) reduced |= r->axes[i] == d || r->axes[i] + ndim == d;
    if (!reduced) shape[count++] = cliv_tensor_shape(x)[d];
  }
  if (more) shape[count++] = more;
  return count;
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

static bool check_options(cli *c, const reduce_options *o, op_over *r) {
  return op_require(c, o->output, "-o", "it names the .npy file to write") && op_over_read(c, o->axis, o->segments, r);
}

static bool reduce(op_run *run, const reduce_options *o, const op_over *r, const char *text) {
  const cliv_tensor *const x = run->tensor[0], *const y = run->c->count > 1 ? run->tensor[1] : NULL;
  size_t shape[CLIV_MAX_DIMS + 2];
  cliv_dtype dtype = cliv_tensor_dtype(x);
  cliv_tensor *out;
  const cliv_status status = text ? CLIV_OK : cliv_reduce_dtype(o->op, dtype, &dtype);
  if (status) cli_report_with(run->c, NULL, status);
  if (status || !op_make(run, dtype, shape_of(run, r, 0, shape), shape, &out)) return false;
  return op_check(run, text ? cliv_reduce_user(run->ctx, text, o->op, &r->over, x, y, out, NULL)
                            : cliv_reduce_over(run->ctx, o->op, &r->over, x, y, out, NULL)) &&
         op_deliver(run, out, "reduce", o->op);
}

static bool run_reduce(cli *c, op_run *run, const reduce_options *o, op_over *r) {
  char *text = NULL;
  const bool done =
      op_require(c, o->op, "--op", "`cliv op list reduce` names the reductions") && check_options(c, o, r) &&
      (o->source ? op_read_text(c, o->source, &text) : check_operation(c, o->op)) && op_read(run, c->args[0]) &&
      (c->count < 2 || op_read(run, c->args[1])) && op_open(run) && op_over_open(run, r) && reduce(run, o, r, text);
  free(text);
  return done;
}

int op_reduce(int argc, const char **argv) {
  reduce_options o = {0};
  const struct poptOption options[] = {
      {"op", 0, POPT_ARG_STRING, &o.op, 0, "The reduction (see `cliv op list reduce`)", "NAME"},
      {"source", 0, POPT_ARG_STRING, &o.source, 0,
       "A file of OpenCL C with NAME_init, NAME_map, NAME_join and NAME_done (see cliv/reduce.h)", "FILE.cl"},
      {"axis", 0, POPT_ARG_STRING, &o.axis, 0, "all (the default), last, or axes: 0,2", "AXES"},
      {"segments", 0, POPT_ARG_STRING, &o.segments, 0, "One result for each piece of X, taken as one array",
       "OFFSETS.npy"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      POPT_TABLEEND};
  const cli_usage usage = {
      .verb = "op reduce",
      .arguments = "[OPTION]... --op NAME X.npy [Y.npy] -o OUT.npy",
      .about = "A sum, norm, maximum ... of all elements of X, of every row, over axes or segments.",
      .example =
          "cliv op reduce --op sum x.npy -o y.npy\n"
          "cliv op reduce --op argmax --axis last x.npy -o y.npy\n"
          "cliv op reduce --op nrm2 --segments offsets.npy x.npy -o y.npy\n"
          "cliv op reduce --op dot x.npy y.npy -o z.npy",
      .options = options,
      .least = 1,
      .most = 2};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  op_run run = {.c = &c, .output = o.output};
  op_over r = {0};
  run_reduce(&c, &run, &o, &r);
  op_over_free(&r);
  return op_finish(&run);
}

static bool run_stats(op_run *run, const reduce_options *o, op_over *r) {
  size_t shape[CLIV_MAX_DIMS + 2];
  cliv_tensor *values, *counts;
  cli *const c = run->c;
  return check_options(c, o, r) && op_read(run, c->args[0]) && op_open(run) && op_over_open(run, r) &&
         op_make(run, cliv_tensor_dtype(run->tensor[0]), shape_of(run, r, 6, shape), shape, &values) &&
         op_make(run, CLIV_I64, shape_of(run, r, 2, shape), shape, &counts) &&
         op_check(run, cliv_stats(run->ctx, &r->over, run->tensor[0], values, counts, NULL)) &&
         (!o->counts || op_write(run, counts, o->counts)) && op_deliver(run, values, "stats", "stats");
}

int op_stats(int argc, const char **argv) {
  reduce_options o = {0};
  const struct poptOption options[] = {
      {"axis", 0, POPT_ARG_STRING, &o.axis, 0, "all (the default), last, or axes: 0,2", "AXES"},
      {"segments", 0, POPT_ARG_STRING, &o.segments, 0, "One result for each piece of X, taken as one array",
       "OFFSETS.npy"},
      {"counts", 0, POPT_ARG_STRING, &o.counts, 0, "Also writes the counts: elements, and those that are not finite",
       "COUNTS.npy"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      POPT_TABLEEND};
  const cli_usage usage = {
      .verb = "op stats",
      .arguments = "[OPTION]... X.npy -o OUT.npy",
      .about = "In one pass: min, max, mean, variance, sum of magnitudes, 2-norm, in OUT's last axis.",
      .example =
          "cliv op stats x.npy -o y.npy\n"
          "cliv op stats --axis 0 --counts n.npy x.npy -o y.npy",
      .options = options,
      .least = 1,
      .most = 1};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  op_run run = {.c = &c, .output = o.output};
  op_over r = {0};
  run_stats(&run, &o, &r);
  op_over_free(&r);
  return op_finish(&run);
}
