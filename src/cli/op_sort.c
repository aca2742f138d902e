/* cliv op sort, topk, quantile: elements in order. */
#include <cliv/sort.h>
#include <stdlib.h>
#include <string.h>

#include "cli/op.h"

enum { MAX_QUANTILES = 1000 };

typedef struct sort_options {
  char *axis, *output, *places, *k, *q;
  int argsort, descending, smallest;
} sort_options;

static bool read_axis(cli *c, const char *text, int *axis) {
  *axis = text && !strcmp(text, "last") ? -1 : CLIV_ALL_AXES;
  if (!text || *axis == -1 || !strcmp(text, "all")) return true;
  return cli_refuse(c, "option '--axis': there is no axis '%s'; choose all or last", text);
}

/* The result's shape: one axis for all elements, or x's with another last one. */
static bool shape_of(op_run *run, int axis, size_t length, int *ndim, size_t *shape) {
  const cliv_tensor *const x = run->tensor[0];
  *ndim = axis == -1 ? cliv_tensor_ndim(x) : 1;
  if (*ndim == 0) {
    cli_report(run->c, CLIV_SHAPE, "'%s' has no axes, so it has no last one", run->c->args[0]);
    return false;
  }
  if (axis == -1) memcpy(shape, cliv_tensor_shape(x), (size_t)*ndim * sizeof *shape);
  shape[*ndim - 1] = length;
  return true;
}

/* ---- sort ---- */

static bool sort(op_run *run, const sort_options *o, int axis) {
  const cliv_tensor *const x = run->tensor[0];
  const cliv_order order = o->descending ? CLIV_DESCENDING : CLIV_ASCENDING;
  cliv_tensor *out;
  if (axis == -1 && cliv_tensor_ndim(x) == 0) {
    cli_report(run->c, CLIV_SHAPE, "'%s' has no axes, so it has no last one", run->c->args[0]);
    return false;
  }
  return op_make(run, o->argsort ? CLIV_I64 : cliv_tensor_dtype(x), cliv_tensor_ndim(x), cliv_tensor_shape(x), &out) &&
         op_check(run, cliv_sort(run->ctx, axis, order, x, o->argsort ? NULL : out, o->argsort ? out : NULL, NULL)) &&
         op_deliver(run, out, "sort", o->argsort ? "argsort" : "sort");
}

int op_sort(int argc, const char **argv) {
  sort_options o = {0};
  const struct poptOption options[] = {
      {"argsort", 0, POPT_ARG_NONE, &o.argsort, 0, "Where the elements stood (int64), not the elements", NULL},
      {"descending", 0, POPT_ARG_NONE, &o.descending, 0, "The greatest first; NaN last all the same", NULL},
      {"axis", 0, POPT_ARG_STRING, &o.axis, 0, "all (the default): in the order of memory; last: every row", "AXIS"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "op sort",
                           .arguments = "[OPTION]... X.npy -o OUT.npy",
                           .about = "All elements of X, or those of every row, in order. Equal ones stay as they are.",
                           .example =
                               "cliv op sort x.npy -o y.npy\n"
                               "cliv op sort --argsort --descending --axis last x.npy -o places.npy",
                           .options = options,
                           .least = 1,
                           .most = 1};
  cli c;
  int axis;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  op_run run = {.c = &c, .output = o.output};
  if (op_require(&c, o.output, "-o", "it names the .npy file to write") && read_axis(&c, o.axis, &axis) &&
      op_read(&run, c.args[0]) && op_open(&run))
    sort(&run, &o, axis);
  return op_finish(&run);
}

/* ---- topk ---- */

static bool read_k(cli *c, const char *text, size_t *k) {
  double value;
  if (!cli_number(text, &value) || !(value >= 1 && value <= 0x1p53) || value != (double)(size_t)value)
    return cli_refuse(c, "option '-k': '%s' is no number of elements", text);
  *k = (size_t)value;
  return true;
}

static bool topk(op_run *run, const sort_options *o, int axis, size_t k) {
  const cliv_tensor *const x = run->tensor[0];
  const cliv_order order = o->smallest ? CLIV_ASCENDING : CLIV_DESCENDING;
  cliv_tensor *values, *places = NULL;
  size_t shape[CLIV_MAX_DIMS];
  int ndim;
  return shape_of(run, axis, k, &ndim, shape) && op_make(run, cliv_tensor_dtype(x), ndim, shape, &values) &&
         (!o->places || op_make(run, CLIV_I64, ndim, shape, &places)) &&
         op_check(run, cliv_topk(run->ctx, axis, k, order, x, values, places, NULL)) &&
         (!o->places || op_write(run, places, o->places)) && op_deliver(run, values, "topk", "topk");
}

int op_topk(int argc, const char **argv) {
  sort_options o = {0};
  const struct poptOption options[] = {
      {"count", 'k', POPT_ARG_STRING, &o.k, 0, "How many", "K"},
      {"smallest", 0, POPT_ARG_NONE, &o.smallest, 0, "The least instead", NULL},
      {"places", 0, POPT_ARG_STRING, &o.places, 0, "Write where they stood, too (int64)", "FILE.npy"},
      {"axis", 0, POPT_ARG_STRING, &o.axis, 0, "all (the default): in the order of memory; last: every row", "AXIS"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "op topk",
                           .arguments = "[OPTION]... -k K X.npy -o OUT.npy",
                           .about = "The greatest K elements of X, or of every row, in order; of equal ones the first.",
                           .example = "cliv op topk -k 10 --axis last --places at.npy x.npy -o best.npy",
                           .options = options,
                           .least = 1,
                           .most = 1};
  cli c;
  int axis;
  size_t k = 0;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  op_run run = {.c = &c, .output = o.output};
  if (op_require(&c, o.k, "-k", "it tells how many elements are wanted") && read_k(&c, o.k, &k) &&
      op_require(&c, o.output, "-o", "it names the .npy file to write") && read_axis(&c, o.axis, &axis) &&
      op_read(&run, c.args[0]) && op_open(&run))
    topk(&run, &o, axis, k);
  return op_finish(&run);
}

/* ---- quantile ---- */

/* "0.5,0.9" */
static bool read_quantiles(cli *c, char *text, double *q, size_t *count) {
  *count = 0;
  for (char *next = text; next;) {
    char *const one = next;
    next = strchr(one, ',');
    if (next) *next++ = 0;
    if (*count == MAX_QUANTILES) return cli_refuse(c, "option '--q': more than %d quantiles", MAX_QUANTILES);
    if (!cli_number(one, &q[*count]) || !(q[*count] >= 0 && q[*count] <= 1))
      return cli_refuse(c, "option '--q': '%s' is no number from 0 to 1", one);
    ++*count;
  }
  return true;
}

static bool quantile(op_run *run, int axis, const double *q, size_t count) {
  const cliv_tensor *const x = run->tensor[0];
  cliv_tensor *out;
  size_t shape[CLIV_MAX_DIMS];
  int ndim;
  return shape_of(run, axis, count, &ndim, shape) && op_make(run, cliv_tensor_dtype(x), ndim, shape, &out) &&
         op_check(run, cliv_quantile(run->ctx, axis, count, q, x, out, NULL)) &&
         op_deliver(run, out, "quantile", "quantile");
}

int op_quantile(int argc, const char **argv) {
  sort_options o = {0};
  const struct poptOption options[] = {
      {"q", 0, POPT_ARG_STRING, &o.q, 0, "Numbers from 0 to 1, joined by commas", "Q"},
      {"axis", 0, POPT_ARG_STRING, &o.axis, 0, "all (the default): in the order of memory; last: every row", "AXIS"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "op quantile",
                           .arguments = "[OPTION]... --q Q,... X.npy -o OUT.npy",
                           .about = "Quantiles of all elements of X, or of every row: along the result's last axis.",
                           .example = "cliv op quantile --q 0.25,0.5,0.75 --axis last x.npy -o y.npy",
                           .options = options,
                           .least = 1,
                           .most = 1};
  cli c;
  int axis;
  double q[MAX_QUANTILES];
  size_t count;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  op_run run = {.c = &c, .output = o.output};
  if (op_require(&c, o.q, "--q", "--q 0.5 is the median") && read_quantiles(&c, o.q, q, &count) &&
      op_require(&c, o.output, "-o", "it names the .npy file to write") && read_axis(&c, o.axis, &axis) &&
      op_read(&run, c.args[0]) && op_open(&run))
    quantile(&run, axis, q, count);
  return op_finish(&run);
}
