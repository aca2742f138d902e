/* cliv op scan: every prefix of all elements, of every row, or of segments. */
#include <cliv/scan.h>
#include <stdlib.h>
#include <string.h>

#include "cli/op.h"

typedef struct scan_options {
  char *op, *source, *axis, *segments, *output;
  char *text; /* what the source holds */
  int exclusive;
} scan_options;

static bool check_options(cli *c, const scan_options *o, int *axis) {
  cliv_dtype dtype;
  const cliv_status status = o->source ? CLIV_OK : cliv_scan_dtype(o->op, CLIV_F32, &dtype);
  if (o->source && o->segments) return cli_refuse(c, "--source and --segments exclude each other");
  if (status) {
    cli_report_with(c, NULL, status);
    return false;
  }
  *axis = o->axis && !strcmp(o->axis, "last") ? -1 : CLIV_ALL_AXES;
  if (o->axis && *axis != -1 && strcmp(o->axis, "all") != 0)
    return cli_refuse(c, "option '--axis': there is no axis '%s'; choose all or last", o->axis);
  return !o->segments || *axis != -1 ||
         cli_refuse(c, "option '--segments' cuts all elements, in the order of memory; leave '--axis last' out");
}

static bool scan(op_run *run, const scan_options *o, int axis) {
  const cliv_tensor *const x = run->tensor[0];
  const cliv_scan_kind kind = o->exclusive ? CLIV_EXCLUSIVE : CLIV_INCLUSIVE;
  cliv_dtype dtype = cliv_tensor_dtype(x);
  cliv_tensor *out;
  if (axis == -1 && cliv_tensor_ndim(x) == 0) {
    cli_report(run->c, CLIV_SHAPE, "'%s' has no axes, so it has no last one", run->c->args[0]);
    return false;
  }
  return (o->text || op_check(run, cliv_scan_dtype(o->op, dtype, &dtype))) &&
         op_make(run, dtype, cliv_tensor_ndim(x), cliv_tensor_shape(x), &out) &&
         op_check(run, cliv_tensor_fill(out, 0, NULL)) && /* what no segment covers */
         op_check(run, o->text       ? cliv_scan_user(run->ctx, o->text, o->op, axis, kind, x, out, NULL)
                       : o->segments ? cliv_scan_segments(run->ctx, o->op, kind, x, run->tensor[1], out, NULL)
                                     : cliv_scan(run->ctx, o->op, axis, kind, x, out, NULL)) &&
         op_deliver(run, out, "scan", o->op);
}

static int run_scan(cli *c, scan_options *o) {
  op_run run = {.c = c, .output = o->output};
  int axis;
  if (op_require(c, o->op, "--op", "`cliv op list scan` names the scans") &&
      op_require(c, o->output, "-o", "it names the .npy file to write") && check_options(c, o, &axis) &&
      (!o->source || op_read_text(c, o->source, &o->text)) && op_read(&run, c->args[0]) &&
      (!o->segments || op_read(&run, o->segments)) && op_open(&run))
    scan(&run, o, axis);
  free(o->text);
  return op_finish(&run);
}

int op_scan(int argc, const char **argv) {
  scan_options o = {0};
  const struct poptOption options[] = {
      {"op", 0, POPT_ARG_STRING, &o.op, 0, "The scan (see `cliv op list scan`)", "NAME"},
      {"source", 0, POPT_ARG_STRING, &o.source, 0, "A file of OpenCL C with NAME_init and NAME_join (see cliv/scan.h)",
       "FILE.cl"},
      {"exclusive", 0, POPT_ARG_NONE, &o.exclusive, 0, "Of the elements before, without the element itself", NULL},
      {"axis", 0, POPT_ARG_STRING, &o.axis, 0, "all (the default): in the order of memory; last: every row", "AXIS"},
      {"segments", 0, POPT_ARG_STRING, &o.segments, 0, "Offsets, int32 or int64: every segment by itself", "FILE.npy"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "op scan",
                           .arguments = "[OPTION]... --op NAME X.npy -o OUT.npy",
                           .about = "Running sums, products, maxima or minima of all elements of X, or of every row.",
                           .example =
                               "cliv op scan --op sum x.npy -o y.npy\n"
                               "cliv op scan --op max --exclusive --axis last x.npy -o y.npy",
                           .options = options,
                           .least = 1,
                           .most = 1};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return run_scan(&c, &o);
}
