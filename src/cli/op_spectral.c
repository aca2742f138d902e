/* cliv op convolve, cliv op smooth: what is made of transforms of real numbers. */
#include <cliv/spectral.h>

#include "cli/op.h"

/* ---- convolve ---- */

typedef struct convolve_options {
  int correlate;
  char *mode, *axes, *output;
} convolve_options;

const op_fft_info *op_convolve_get(size_t index) {
  static const op_fft_info infos[] = {{"convolve", "sums over x[j] y[i - j]"},
                                      {"correlate", "sums over x[j] y[j - i]: y backwards (--correlate)"}};
  return index < sizeof infos / sizeof *infos ? &infos[index] : NULL;
}

/* Of x's n and y's m along an axis that is convolved; what does not fit is the library's to tell. */
static size_t length_of(cliv_convolve_mode mode, size_t n, size_t m) {
  if (mode == CLIV_CONVOLVE_SAME) return n;
  if (mode == CLIV_CONVOLVE_VALID) return m <= n ? n - m + 1 : 0;
  return n + m > 0 ? n + m - 1 : 0;
}

static bool convolve(op_run *run, const cliv_convolve_options *options, cliv_tensor **out) {
  const cliv_tensor *const x = run->tensor[0], *const y = run->tensor[1];
  const int ndim = cliv_tensor_ndim(x);
  size_t shape[CLIV_MAX_DIMS];
  for (int d = 0; d < ndim; d++) {
    const size_t n = cliv_tensor_shape(x)[d], m = cliv_tensor_ndim(y) == ndim ? cliv_tensor_shape(y)[d] : n;
    bool named = options->axis_count == 0 && d == ndim - 1;
    for (int i = 0; i < options->axis_count; i++) named = named || options->axes[i] == d;
    shape[d] = named ? length_of(options->mode, n, m) : n == 1 ? m : n;
  }
  return op_make(run, cliv_tensor_dtype(x), ndim, shape, out) &&
         op_check(run, cliv_fft_convolve(run->ctx, x, y, *out, options, NULL));
}

static int run_convolve(cli *c, const convolve_options *o) {
  op_run run = {.c = c, .output = o->output};
  int axes[CLIV_MAX_DIMS];
  cliv_convolve_options options = {.size = sizeof options, .correlate = o->correlate, .axes = axes};
  cliv_tensor *out = NULL;
  if (!op_require(c, o->output, "-o", "it names the .npy file to write")) return cli_done(c);
  if (o->mode && cliv_convolve_mode_parse(o->mode, &options.mode)) return cli_fail_with(c, NULL, CLIV_NAME);
  if (op_read(&run, c->args[0]) && op_read(&run, c->args[1]) && op_same_types(&run) &&
      op_fft_axes(&run, o->axes, run.array[0].ndim, &options.axis_count, axes) && op_open(&run) &&
      convolve(&run, &options, &out))
    op_deliver(&run, out, "convolve", op_convolve_get(o->correlate ? 1 : 0)->name);
  return op_finish(&run);
}

int op_convolve(int argc, const char **argv) {
  convolve_options o = {0};
  const struct poptOption options[] = {
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      {"mode", 0, POPT_ARG_STRING, &o.mode, 0,
       "full (unless given): all n + m - 1; same: n, from the middle; valid: n - m + 1, those that see all of Y",
       "MODE"},
      {"correlate", 0, POPT_ARG_NONE, &o.correlate, 0, "Y backwards, as scipy.signal.correlate has it", NULL},
      {"axes", 0, POPT_ARG_STRING, &o.axes, 0,
       "last (unless given), all, or one to three such as 0,2 or -2,-1; along others lengths are equal, or one is 1",
       "AXES"},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "op convolve",
                           .arguments = "[OPTION]... X.npy Y.npy -o OUT.npy",
                           .about =
                               "OUT = the convolution of X, n long, by Y, m long, by way of Fourier transforms: for\n"
                               "long Y. Of float32 or float64. Layers of a network are `cliv op conv`.",
                           .example =
                               "cliv op convolve x.npy y.npy -o z.npy\n"
                               "cliv op convolve --mode same --axes=-2,-1 image.npy kernel.npy -o z.npy\n"
                               "cliv op convolve --correlate --mode valid x.npy y.npy -o z.npy",
                           .options = options,
                           .least = 2,
                           .most = 2};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return run_convolve(&c, &o);
}

/* ---- smooth ---- */

typedef struct smooth_options {
  char *strength, *axes, *output;
} smooth_options;

static int run_smooth(cli *c, const smooth_options *o) {
  op_run run = {.c = c, .output = o->output};
  int axes[CLIV_MAX_DIMS];
  cliv_smooth_options options = {.size = sizeof options, .axes = axes};
  if (!op_require(c, o->strength, "--strength", "it is how much is smoothed, from 0 on: --strength 1") ||
      !op_require(c, o->output, "-o", "it names the .npy file to write"))
    return cli_done(c);
  if (!cli_number(o->strength, &options.strength)) {
    cli_refuse(c, "option '--strength' needs a number, not '%s'", o->strength);
    return cli_done(c);
  }
  if (op_read(&run, c->args[0]) && op_fft_axes(&run, o->axes, run.array[0].ndim, &options.axis_count, axes) &&
      op_open(&run) && op_check(&run, cliv_fft_smooth(run.ctx, run.tensor[0], run.tensor[0], &options, NULL)))
    op_deliver(&run, run.tensor[0], "smooth", "smooth");
  return op_finish(&run);
}

int op_smooth(int argc, const char **argv) {
  smooth_options o = {0};
  const struct poptOption options[] = {
      {"strength", 0, POPT_ARG_STRING, &o.strength, 0, "How much, from 0 (not at all) to 1e6", "NUMBER"},
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write, of X's type and shape", "OUT.npy"},
      {"axes", 0, POPT_ARG_STRING, &o.axes, 0, "last (unless given), all, or one to three such as 0,2 or -2,-1",
       "AXES"},
      POPT_TABLEEND};
  const cli_usage usage = {
      .verb = "op smooth",
      .arguments = "[OPTION]... --strength NUMBER X.npy -o OUT.npy",
      .about =
          "OUT = (I - strength * D)^-1 X, Laplacian smoothing of float32 or float64. D sums\n"
          "x[i-1] - 2 x[i] + x[i+1] along the axes, each of which goes round: its last element is beside its first.",
      .example =
          "cliv op smooth --strength 1 g.npy -o smoothed.npy\n"
          "cliv op smooth --strength 0.5 --axes all image.npy -o smoothed.npy",
      .options = options,
      .least = 1,
      .most = 1};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return run_smooth(&c, &o);
}
