/* cliv op scan: every prefix of all elements, along an axis, or of segments. */
#include <cliv/scan.h>
#include <stdlib.h>

#include "cli/op.h"

typedef struct scan_options {
  char *op, *source, *axis, *segments, *output;
  int exclusive;
} scan_options;

static bool check_options(cli *c, const scan_options *o, op_over *over) {
  cliv_dtype dtype;
  if (!op_require(c, o->op, "--op", "`cliv op list scan` names the scans") ||
      !op_require(c, o->output, "-o", "it names the .npy file to write"))
    return false;
  const cliv_status status = o->source ? CLIV_OK : cliv_scan_dtype(o->op, CLIV_F32, &dtype);
  if (status) cli_report_with(c, NULL, status);
  return !status && op_over_read(c, o->axis, o->segments, over);
}

static bool scan(op_run *run, const scan_options *o, const op_over *r, const char *text) {
  const cliv_tensor *const x = run->tensor[0];
  const cliv_scan_kind kind = o->exclusive ? CLIV_EXCLUSIVE : CLIV_INCLUSIVE;
  cliv_dtype dtype = cliv_tensor_dtype(x);
  cliv_tensor *out;
  return (text || op_check(run, cliv_scan_dtype(o->op, dtype, &dtype))) &&
         op_make(run, dtype, cliv_tensor_ndim(x), cliv_tensor_shape(x), &out) &&
         op_check(run, cliv_tensor_fill(out, 0, NULL)) && /* what no segment covers */
         op_check(run, text ? cliv_scan_user(run->ctx, text, o->op, &r->over, kind, x, out, NULL)
                            : cliv_scan_over(run->ctx, o->op, &r->over, kind, x, out, NULL)) &&
         op_deliver(run, out, "scan", o->op);
}

static bool run_scan(cli *c, op_run *run, const scan_options *o, op_over *r) {
  char *text = NULL;
  const bool done = check_options(c, o, r) && (!o->source || op_read_text(c, o->source, &text)) &&
                    op_read(run, c->args[0]) && op_open(run) && op_over_open(run, r) && scan(run, o, r, text);
  free(text);
  return done;
}

int op_scan(int argc, const char **argv) {
  scan_options o = {0};
  const struct poptOption options[] = {
      {"op", 0, POPT_ARG_STRING, &o.op, 0, "The scan (see `cliv op list scan`)", "NAME"},
      {"source", 0, POPT_ARG_STRING, &o.source, 0, "A file of OpenCL C with NAME_init and NAME_join (see cliv/scan.h)",
       "FILE.cl"},
      {"exclusive", 0, POPT_ARG_NONE, &o.exclusive, 0, "Of the elements before, without the element itself", NULL},
      {"axis", 0, POPT_ARG_STRING, &o.axis, 0, "all (the default), in the order of memory; last, or an axis: 0",
       "AXIS"},
      {"segments", 0, POPT_ARG_STRING, &o.segments, 0, "Every piece of X by itself, taken as one array", "OFFSETS.npy"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      POPT_TABLEEND};
  const cli_usage usage = {
      .verb = "op scan",
      .arguments = "[OPTION]... --op NAME X.npy -o OUT.npy",
      .about = "Running sums, products, maxima or minima of all elements of X, along an axis, or of segments.",
      .example =
          "cliv op scan --op sum x.npy -o y.npy\n"
          "cliv op scan --op max --exclusive --axis last x.npy -o y.npy",
      .options = options,
      .least = 1,
      .most = 1};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  op_run run = {.c = &c, .output = o.output};
  op_over over = {0};
  run_scan(&c, &run, &o, &over);
  op_over_free(&over);
  return op_finish(&run);
}
