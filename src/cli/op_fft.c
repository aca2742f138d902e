/* cliv op fft: Fourier transforms of complex numbers. */
#include <cliv/fft.h>
#include <string.h>

#include "cli/op.h"

typedef struct fft_options {
  int inverse, real;
  char *axes, *norm, *provider, *output;
} fft_options;

const op_fft_info *op_fft_get(size_t index) {
  static const op_fft_info infos[] = {{"forward", "sums over exp(-2 pi i jk/n)"},
                                      {"inverse", "sums over exp(+2 pi i jk/n), divided by n"},
                                      {"real", "of real numbers: half of the forward transform"}};
  return index < sizeof infos / sizeof *infos ? &infos[index] : NULL;
}

/* Real numbers as complex ones: pairs with 0. */
static bool pair_up(op_run *run, cliv_array *array) {
  size_t shape[CLIV_MAX_DIMS];
  cliv_array pairs;
  if (array->dtype != CLIV_F32 || array->ndim >= CLIV_MAX_DIMS) {
    cli_report(run->c, array->dtype != CLIV_F32 ? CLIV_DTYPE : CLIV_SHAPE,
               "'%s' holds %s in %d dimensions; transforms take complex64 and float32 in %d at most", run->c->args[0],
               cliv_dtype_name(array->dtype), array->ndim, CLIV_MAX_DIMS - 1);
    return false;
  }
  memcpy(shape, array->shape, (size_t)array->ndim * sizeof *shape);
  shape[array->ndim] = 2;
  const cliv_status status = cliv_array_create(CLIV_F32, array->ndim + 1, shape, &pairs);
  if (status) {
    cli_report_with(run->c, NULL, status);
    return false;
  }
  const float *const from = array->data;
  float *const to = pairs.data;
  for (size_t i = 0, n = cliv_array_count(array); i < n; i++) to[2 * i] = from[i];
  cliv_array_free(array);
  *array = pairs;
  return true;
}

/* The half of the last axis; its numbers are real, which `pairs` says are none. */
static bool transform_real(op_run *run, const fft_options *o, bool pairs, const cliv_fft_options *options,
                           cliv_tensor **out) {
  const cliv_tensor *const x = run->tensor[0];
  size_t shape[CLIV_MAX_DIMS];
  const int ndim = cliv_tensor_ndim(x);
  if (pairs || o->inverse || ndim == 0 || ndim == CLIV_MAX_DIMS) {
    cli_report(run->c, CLIV_VALUE, "option '--real' wants real numbers in 1 to %d dimensions, and no '--inverse'",
               CLIV_MAX_DIMS - 1);
    return false;
  }
  memcpy(shape, cliv_tensor_shape(x), (size_t)ndim * sizeof *shape);
  shape[ndim - 1] = shape[ndim - 1] / 2 + 1;
  shape[ndim] = 2;
  return op_make(run, CLIV_F32, ndim + 1, shape, out) && op_check(run, cliv_rfft(run->ctx, x, *out, options, NULL));
}

static bool transform_complex(op_run *run, const cliv_fft_options *options, cliv_tensor **out) {
  *out = run->tensor[0];
  return op_check(run, cliv_fft(run->ctx, *out, *out, options, NULL));
}

bool op_fft_axes(op_run *run, const char *text, int ndim, int *count, int axes[CLIV_MAX_DIMS]) {
  const bool all = text && !strcmp(text, "all");
  if (text && !all && strcmp(text, "last")) {
    cli_report(run->c, CLIV_VALUE, "option '--axes' is '%s'; it is last or all", text);
    return false;
  }
  for (int i = 0; i < ndim; i++) axes[i] = i;
  *count = all ? ndim : 0;
  return true;
}

static int transform(cli *c, const fft_options *o) {
  op_run run = {.c = c, .output = o->output};
  cliv_fft_options options = {.size = sizeof options, .inverse = o->inverse};
  int axes[CLIV_MAX_DIMS];
  bool pairs = false;
  options.axes = axes;
  if (!op_require(c, o->output, "-o", "it names the .npy file to write")) return cli_done(c);
  if (o->norm && cliv_fft_norm_parse(o->norm, &options.norm)) return cli_fail_with(c, NULL, CLIV_NAME);
  if (o->provider && cliv_fft_provider_parse(o->provider, &options.provider)) return cli_fail_with(c, NULL, CLIV_NAME);
  cliv_tensor *out = NULL;
  if (op_read_pairs(&run, c->args[0], &pairs) && (pairs || o->real || pair_up(&run, &run.array[0])) &&
      op_fft_axes(&run, o->axes, run.array[0].ndim - (pairs || !o->real), &options.axis_count, axes) && op_open(&run) &&
      (o->real ? transform_real(&run, o, pairs, &options, &out) : transform_complex(&run, &options, &out))) {
    run.pairs = true;
    op_deliver(&run, out, "fft", op_fft_get(o->real ? 2 : o->inverse ? 1 : 0)->name);
  }
  return op_finish(&run);
}

int op_fft(int argc, const char **argv) {
  fft_options o = {0};
  const struct poptOption options[] = {
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write, complex64", "OUT.npy"},
      {"inverse", 0, POPT_ARG_NONE, &o.inverse, 0, "The inverse transform", NULL},
      {"real", 0, POPT_ARG_NONE, &o.real, 0, "Of float32: half of the last axis, n/2 + 1", NULL},
      {"axes", 0, POPT_ARG_STRING, &o.axes, 0, "last (unless given) or all", "AXES"},
      {"norm", 0, POPT_ARG_STRING, &o.norm, 0, "As NumPy's: backward (unless given), ortho or forward", "NORM"},
      {"provider", 0, POPT_ARG_STRING, &o.provider, 0, "auto, exact (the same bits on every device) or clfft", "NAME"},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "op fft",
                           .arguments = "[OPTION]... X.npy -o OUT.npy",
                           .about = "OUT = the Fourier transform of X, of complex64 or float32 and any length.",
                           .example =
                               "cliv op fft x.npy -o y.npy\n"
                               "cliv op fft --real x.npy -o y.npy\n"
                               "cliv op fft --inverse --axes all --norm ortho --provider exact y.npy -o x.npy",
                           .options = options,
                           .least = 1,
                           .most = 1};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return transform(&c, &o);
}
