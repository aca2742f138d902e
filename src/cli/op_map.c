/* cliv op map: a function of every element, or of two arrays' elements. */
#include <cliv/map.h>
#include <stdlib.h>

#include "cli/op.h"

typedef struct map_options {
  char *op, *source, *dtype, *output, *scalar_text;
  char *text; /* what the source holds */
  double scalar;
} map_options;

/* The operation exists, and has as many inputs as files and scalar make. */
static bool check_operation(cli *c, const map_options *o) {
  if (o->source) return !(o->scalar_text || o->dtype) || cli_refuse(c, "--source takes neither --scalar nor --dtype");
  const cliv_map_info *const info = cliv_map_find(o->op);
  cliv_dtype dtype;
  if (!info) {
    cli_report_with(c, NULL, cliv_map_dtype(o->op, CLIV_F32, &dtype));
    return false;
  }
  if (o->scalar_text && c->count > 1)
    return cli_refuse(c, "'%s' takes a second file or --scalar, not both", info->name);
  if (info->arity == 1 && o->scalar_text) return cli_refuse(c, "'%s' takes one file and no --scalar", info->name);
  if (info->arity == 1 && c->count > 1) return cli_refuse(c, "'%s' takes one file, but two are given", info->name);
  if (info->arity == 2 && c->count < 2 && !o->scalar_text)
    return cli_refuse(c, "'%s' takes two files, or one and --scalar NUMBER; one file is given", info->name);
  if (o->dtype && info->result != CLIV_MAP_ANY)
    return cli_refuse(c, "option '--dtype' is for converting, by --op copy; '%s' gives a type of its own", info->name);
  return true;
}

static bool check_options(cli *c, map_options *o, cliv_dtype *dtype) {
  if (!op_require(c, o->op, "--op", "`cliv op list map` names the maps") ||
      !op_require(c, o->output, "-o", "it names the .npy file to write") || !check_operation(c, o))
    return false;
  if (o->scalar_text && !cli_number(o->scalar_text, &o->scalar))
    return cli_refuse(c, "option '--scalar' needs a number, not '%s'", o->scalar_text);
  const cliv_status status = o->dtype ? cliv_dtype_parse(o->dtype, dtype) : CLIV_OK;
  if (status) cli_report_with(c, NULL, status);
  return !status;
}

static bool map(op_run *run, const map_options *o, cliv_dtype dtype) {
  const cliv_tensor *const x = run->tensor[0], *const y = run->tensor[1];
  cliv_tensor *out;
  if (o->text) dtype = cliv_tensor_dtype(x);
  else if (!o->dtype) {
    const cliv_status status = cliv_map_dtype(o->op, cliv_tensor_dtype(x), &dtype);
    if (status) cli_report_with(run->c, NULL, status);
    if (status) return false;
  }
  if (!op_make(run, dtype, cliv_tensor_ndim(x), cliv_tensor_shape(x), &out)) return false;
  const cliv_status status = o->text          ? cliv_map_user(run->ctx, o->text, o->op, x, y, out, NULL)
                             : o->scalar_text ? cliv_map_scalar(run->ctx, o->op, x, o->scalar, out, NULL)
                             : y              ? cliv_map2(run->ctx, o->op, x, y, out, NULL)
                                              : cliv_map(run->ctx, o->op, x, out, NULL);
  return op_check(run, status) && op_deliver(run, out, "map", o->op);
}

static int run_map(cli *c, map_options *o) {
  op_run run = {.c = c, .output = o->output};
  cliv_dtype dtype = CLIV_F32;
  if (check_options(c, o, &dtype) && (!o->source || op_read_text(c, o->source, &o->text)) &&
      op_read(&run, c->args[0]) && (c->count < 2 || op_read(&run, c->args[1])) && op_open(&run))
    map(&run, o, dtype);
  free(o->text);
  return op_finish(&run);
}

int op_map(int argc, const char **argv) {
  map_options o = {0};
  const struct poptOption options[] = {
      {"op", 0, POPT_ARG_STRING, &o.op, 0, "The operation (see `cliv op list map`)", "NAME"},
      {"source", 0, POPT_ARG_STRING, &o.source, 0, "A file of OpenCL C with a function NAME (see cliv/map.h)",
       "FILE.cl"},
      {"scalar", 0, POPT_ARG_STRING, &o.scalar_text, 0, "The second operand, the same for every element", "NUMBER"},
      {"dtype", 0, POPT_ARG_STRING, &o.dtype, 0, "What --op copy converts to: float32, float16, int32 ...", "TYPE"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      POPT_TABLEEND};
  const cli_usage usage = {
      .verb = "op map",
      .arguments = "[OPTION]... --op NAME X.npy [Y.npy] -o OUT.npy",
      .about =
          "A function of every element of X, or of every element of X and Y. Y has X's shape, or is\n"
          "one element, or one row that is used for every row of X.",
      .example =
          "cliv op map --op exp x.npy -o y.npy\n"
          "cliv op map --op add x.npy y.npy -o z.npy\n"
          "cliv op map --op gt --scalar 0.5 x.npy -o y.npy\n"
          "cliv op map --op copy --dtype float16 x.npy -o y.npy",
      .options = options,
      .least = 1,
      .most = 2};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return run_map(&c, &o);
}
