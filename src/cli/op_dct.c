/* cliv op dct: cosine and sine transforms of real numbers. */
#include <cliv/dct.h>
#include <string.h>

#include "cli/op.h"

typedef struct dct_options {
  long type;
  int sine, inverse;
  char *axes, *norm, *output;
} dct_options;

static const op_fft_info infos[] = {{"dct2", "cosines: sums over cos(pi k (2j + 1) / (2n))"},
                                    {"dct3", "its inverse, times 2n"},
                                    {"dst2", "sines: sums over sin(pi (k + 1) (2j + 1) / (2n))"},
                                    {"dst3", "its inverse, times 2n"}};

const op_fft_info *op_dct_get(size_t index) { return index < sizeof infos / sizeof *infos ? &infos[index] : NULL; }

static int transform(cli *c, const dct_options *o) {
  op_run run = {.c = c, .output = o->output};
  cliv_dct_options options = {.size = sizeof options, .sine = o->sine, .inverse = o->inverse};
  int axes[CLIV_MAX_DIMS];
  if (!op_require(c, o->output, "-o", "it names the .npy file to write")) return cli_done(c);
  if (o->type != 2 && o->type != 3)
    return cli_fail(c, CLIV_VALUE, "option '--type' is %ld; there are types 2 and 3", o->type);
  if (o->norm && cliv_fft_norm_parse(o->norm, &options.norm)) return cli_fail_with(c, NULL, CLIV_NAME);
  options.type = (int)o->type;
  options.axes = axes;
  if (op_read(&run, c->args[0]) && op_fft_axes(&run, o->axes, run.array[0].ndim, &options.axis_count, axes) &&
      op_open(&run) && op_check(&run, cliv_dct(run.ctx, run.tensor[0], run.tensor[0], &options, NULL)))
    op_deliver(&run, run.tensor[0], "dct", op_dct_get((size_t)(2 * o->sine + (options.type == 3)))->name);
  return op_finish(&run);
}

int op_dct(int argc, const char **argv) {
  dct_options o = {.type = 2};
  const struct poptOption options[] = {
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write, of X's type and shape", "OUT.npy"},
      {"type", 0, POPT_ARG_LONG, &o.type, 0, "2 (unless given) or 3", "TYPE"},
      {"sine", 0, POPT_ARG_NONE, &o.sine, 0, "Sines instead of cosines", NULL},
      {"inverse", 0, POPT_ARG_NONE, &o.inverse, 0, "The inverse of that type", NULL},
      {"axes", 0, POPT_ARG_STRING, &o.axes, 0, "last (unless given), all, or numbers such as 0,2 or -2,-1", "AXES"},
      {"norm", 0, POPT_ARG_STRING, &o.norm, 0, "As SciPy's: backward (unless given), ortho or forward", "NORM"},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "op dct",
                           .arguments = "[OPTION]... X.npy -o OUT.npy",
                           .about = "OUT = the cosine or sine transform of X, of float32 or float64 and any length.",
                           .example =
                               "cliv op dct x.npy -o y.npy\n"
                               "cliv op dct --inverse y.npy -o x.npy\n"
                               "cliv op dct --sine --type 3 --axes all --norm ortho x.npy -o y.npy",
                           .options = options,
                           .least = 1,
                           .most = 1};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return transform(&c, &o);
}
