/* cliv op fft: Fourier transforms of complex and of real numbers. */
#include <cliv/fft.h>
#include <stdlib.h>
#include <string.h>

#include "cli/op.h"

typedef struct fft_options {
  int inverse, real;
  char *length, *axes, *norm, *provider, *output;
} fft_options;

/* What the options make of one run: the last axis named, and how long a real result is along it, 0 unless given. */
typedef struct fft_call {
  cliv_fft_options own;
  int axes[CLIV_MAX_DIMS];
  size_t length;
} fft_call;

enum { FORWARD, INVERSE, REAL, REAL_INVERSE };
static const op_fft_info infos[] = {
    [FORWARD] = {"forward", "sums over exp(-2 pi i jk/n)"},
    [INVERSE] = {"inverse", "sums over exp(+2 pi i jk/n), divided by n (--inverse)"},
    [REAL] = {"real", "of real numbers: half of the forward transform (--real)"},
    [REAL_INVERSE] = {"real_inverse", "from that half back to real numbers (--real --inverse)"}};

const op_fft_info *op_fft_get(size_t index) { return index < sizeof infos / sizeof *infos ? &infos[index] : NULL; }

/* ---- what is read ---- */

/* Real numbers as complex ones: pairs with 0. */
static bool pair_up(op_run *run, cliv_array *array) {
  size_t shape[CLIV_MAX_DIMS];
  cliv_array pairs;
  memcpy(shape, array->shape, (size_t)array->ndim * sizeof *shape);
  shape[array->ndim] = 2;
  const cliv_status status = cliv_array_create(array->dtype, array->ndim + 1, shape, &pairs);
  if (status) {
    cli_report_with(run->c, NULL, status);
    return false;
  }
  const size_t size = cliv_dtype_size(array->dtype);
  memset(pairs.data, 0, cliv_array_count(&pairs) * size); /* +0 in either type */
  for (size_t i = 0, n = cliv_array_count(array); i < n; i++)
    memcpy((char *)pairs.data + 2 * i * size, (const char *)array->data + i * size, size);
  cliv_array_free(array);
  *array = pairs;
  return true;
}

/* The file's numbers, complex ones as pairs, which all but --real alone takes. */
static bool read_numbers(op_run *run, const fft_options *o) {
  const char *const path = run->c->args[0];
  bool pairs = false;
  if (!op_read_pairs(run, path, &pairs)) return false;
  cliv_array *const x = run->array;
  const int ndim = x->ndim - pairs;
  if (x->dtype != CLIV_F32 && x->dtype != CLIV_F64) {
    cli_report(run->c, CLIV_DTYPE, "'%s' holds %s; transforms take complex64, complex128, float32 and float64", path,
               cliv_dtype_name(x->dtype));
    return false;
  }
  if (o->real && (ndim == 0 || (pairs && !o->inverse)))
    return cli_refuse(run->c, "option '--real': '%s' is %s; it transforms real numbers along an axis%s", path,
                      ndim == 0 ? "a single number" : "complex", ndim == 0 ? "" : ", or with --inverse back to them");
  if (ndim >= CLIV_MAX_DIMS) {
    cli_report(run->c, CLIV_SHAPE, "'%s' has %d axes; transforms take %d at most", path, ndim, CLIV_MAX_DIMS - 1);
    return false;
  }
  return pairs || (o->real && !o->inverse) || pair_up(run, x);
}

static bool read_axis(const char **text, int ndim, int *axis) {
  char *end;
  const long number = strtol(*text, &end, 10);
  if (end == *text || (*end && *end != ',')) return false;
  *text = *end ? end + 1 : NULL;
  *axis = number >= -ndim && number < ndim ? (int)(number < 0 ? number + ndim : number) : CLIV_MAX_DIMS;
  return true;
}

bool op_fft_axes(op_run *run, const char *text, int ndim, int *count, int axes[CLIV_MAX_DIMS]) {
  *count = 0;
  if (!text || !strcmp(text, "last")) return true;
  if (!strcmp(text, "all")) {
    for (*count = 0; *count < ndim; ++*count) axes[*count] = *count;
    return true;
  }
  for (const char *at = text; at; ++*count) {
    if (*count == CLIV_MAX_DIMS || !read_axis(&at, ndim, &axes[*count]))
      return cli_refuse(run->c, "option '--axes' is '%s'; it is last, all, or numbers like 0,2", text);
    if (axes[*count] < CLIV_MAX_DIMS) continue;
    return cli_refuse(run->c, "option '--axes' is '%s', but '%s' has %d ax%cs, counted from 0, or from -1 at the end",
                      text, run->path[0], ndim, ndim == 1 ? 'i' : 'e');
  }
  return true;
}

static bool read_options(cli *c, const fft_options *o, fft_call *k) {
  k->own = (cliv_fft_options){.size = sizeof k->own, .inverse = o->inverse, .axes = k->axes};
  if (!op_require(c, o->output, "-o", "it names the .npy file to write")) return false;
  cliv_status status = o->norm ? cliv_fft_norm_parse(o->norm, &k->own.norm) : CLIV_OK;
  if (!status && o->provider) status = cliv_fft_provider_parse(o->provider, &k->own.provider);
  if (status) cli_report_with(c, NULL, status);
  if (status || !o->length) return !status;
  if (!o->real || !o->inverse)
    return cli_refuse(c, "option '--length' is for --real --inverse; other results are as long as what they are of");
  char *end;
  const long long length = strtoll(o->length, &end, 10);
  if (end == o->length || *end || length < 1)
    return cli_refuse(c, "option '--length' is '%s'; it takes a number from 1 on", o->length);
  k->length = (size_t)length;
  return true;
}

/* ---- what is computed ---- */

static bool transform_complex(op_run *run, const fft_call *k, cliv_tensor **out) {
  *out = run->tensor[0];
  run->pairs = true;
  return op_check(run, cliv_fft(run->ctx, *out, *out, &k->own, NULL));
}

/* Half of the last axis named; a pair more on one side than on the other. */
static bool transform_real(op_run *run, const fft_call *k, cliv_tensor **out) {
  const cliv_tensor *const x = run->tensor[0];
  const bool back = k->own.inverse;
  const int ndim = cliv_tensor_ndim(x) - back, axis = k->own.axis_count ? k->axes[k->own.axis_count - 1] : ndim - 1;
  size_t shape[CLIV_MAX_DIMS];
  memcpy(shape, cliv_tensor_shape(x), (size_t)ndim * sizeof *shape);
  shape[axis] = !back ? shape[axis] / 2 + 1 : k->length ? k->length : shape[axis] ? 2 * (shape[axis] - 1) : 0;
  shape[ndim] = 2;
  run->pairs = !back;
  if (!op_make(run, cliv_tensor_dtype(x), ndim + !back, shape, out)) return false;
  return op_check(run,
                  back ? cliv_irfft(run->ctx, x, *out, &k->own, NULL) : cliv_rfft(run->ctx, x, *out, &k->own, NULL));
}

static int transform(cli *c, const fft_options *o) {
  op_run run = {.c = c, .output = o->output};
  fft_call k = {0};
  cliv_tensor *out = NULL;
  if (!read_options(c, o, &k)) return cli_done(c);
  if (read_numbers(&run, o) &&
      op_fft_axes(&run, o->axes, run.array[0].ndim - !(o->real && !o->inverse), &k.own.axis_count, k.axes) &&
      op_open(&run) && (o->real ? transform_real(&run, &k, &out) : transform_complex(&run, &k, &out))) {
    run.provider = cliv_fft_provider_name(cliv_fft_last_provider(run.ctx));
    op_deliver(&run, out, "fft", infos[(o->real ? REAL : FORWARD) + (o->inverse != 0)].name);
  }
  return op_finish(&run);
}

int op_fft(int argc, const char **argv) {
  fft_options o = {0};
  const struct poptOption options[] = {
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write, complex (real with --real --inverse)", "OUT.npy"},
      {"inverse", 0, POPT_ARG_NONE, &o.inverse, 0, "The inverse transform", NULL},
      {"real", 0, POPT_ARG_NONE, &o.real, 0,
       "Of real numbers: n/2 + 1 along the last axis named, as NumPy's rfft; with --inverse back to them", NULL},
      {"length", 0, POPT_ARG_STRING, &o.length, 0,
       "n of --real --inverse along that axis; the even one, 2 (n/2 + 1) - 2, unless given", "N"},
      {"axes", 0, POPT_ARG_STRING, &o.axes, 0, "last (unless given), all, or numbers such as 0,2 or -2,-1", "AXES"},
      {"norm", 0, POPT_ARG_STRING, &o.norm, 0, "As NumPy's: backward (unless given), ortho or forward", "NORM"},
      {"provider", 0, POPT_ARG_STRING, &o.provider, 0,
       "auto (unless given), exact (the same bits on every device) or clfft", "NAME"},
      POPT_TABLEEND};
  const cli_usage usage = {
      .verb = "op fft",
      .arguments = "[OPTION]... X.npy -o OUT.npy",
      .about =
          "OUT = the Fourier transform of X, of any length: of complex64 or float32, or of complex128 or float64\n"
          "where the device has float64.",
      .example =
          "cliv op fft x.npy -o y.npy\n"
          "cliv op fft --real --axes 0,1 x.npy -o y.npy\n"
          "cliv op fft --inverse --axes all --norm ortho --provider exact y.npy -o x.npy",
      .options = options,
      .least = 1,
      .most = 1};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return transform(&c, &o);
}
