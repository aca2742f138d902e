/* cliv op gemm: one product of two matrices. */
#include <cliv/blas.h>
#include <math.h>

#include "cli/op.h"

typedef struct gemm_options {
  int trans_a, trans_b;
  double alpha, beta;
  char *c, *provider, *output;
} gemm_options;

/* Tensors 0 and 1 are A and B, 2 is C where it was given. */
static bool product(op_run *run, const gemm_options *o, cliv_provider provider, cliv_tensor **out) {
  const cliv_tensor *const a = run->tensor[0], *const b = run->tensor[1];
  *out = run->tensor[2];
  if (!*out) {
    if (cliv_tensor_ndim(a) != 2 || cliv_tensor_ndim(b) != 2) {
      cli_report(run->c, CLIV_SHAPE, "'%s' has %d axes and '%s' has %d; matrices have two", run->c->args[0],
                 cliv_tensor_ndim(a), run->c->args[1], cliv_tensor_ndim(b));
      return false;
    }
    const size_t shape[] = {cliv_tensor_shape(a)[o->trans_a ? 1 : 0], cliv_tensor_shape(b)[o->trans_b ? 0 : 1]};
    if (!op_make(run, cliv_tensor_dtype(a), 2, shape, out)) return false;
  }
  const double beta = !o->c ? 0 : isnan(o->beta) ? 1 : o->beta;
  const cliv_blas_options options = {.size = sizeof options, .provider = provider};
  return op_check(run, cliv_gemm(run->ctx, o->trans_a, o->trans_b, o->alpha, a, b, beta, *out, &options, NULL));
}

/* What AUTO took. */
static cliv_provider taken(const op_run *run, const gemm_options *o, const cliv_tensor *out) {
  const cliv_tensor *const a = run->tensor[0]; /* perhaps a batch, as `out` */
  const size_t *const shape = cliv_tensor_shape(out) + cliv_tensor_ndim(out) - 2,
                      k = cliv_tensor_shape(a)[cliv_tensor_ndim(a) - (o->trans_a ? 2 : 1)];
  return cliv_blas_auto_for(run->ctx, cliv_tensor_dtype(out), o->trans_a, o->trans_b, shape[0], shape[1], k);
}

static int multiply(cli *c, const gemm_options *o) {
  op_run run = {.c = c, .output = o->output};
  cliv_provider provider = CLIV_PROVIDER_AUTO;
  cliv_tensor *out = NULL;
  if (!op_require(c, o->output, "-o", "it names the .npy file to write")) return cli_done(c);
  if (o->provider && cliv_provider_parse(o->provider, &provider)) return cli_fail_with(c, NULL, CLIV_NAME);
  if (!o->c && !isnan(o->beta))
    return cli_fail(c, CLIV_VALUE, "option '--beta' is %g, but there is no C for it; name its file by --c", o->beta);
  if (op_read(&run, c->args[0]) && op_read(&run, c->args[1]) && (!o->c || op_read(&run, o->c)) && op_open(&run) &&
      product(&run, o, provider, &out)) {
    if (provider == CLIV_PROVIDER_AUTO) provider = taken(&run, o, out);
    op_deliver(&run, out, "gemm", cliv_provider_name(provider));
  }
  return op_finish(&run);
}

int op_gemm(int argc, const char **argv) {
  gemm_options o = {.alpha = 1, .beta = NAN}; /* NaN: not given */
  const struct poptOption options[] = {
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      {"ta", 0, POPT_ARG_NONE, &o.trans_a, 0, "Take A transposed", NULL},
      {"tb", 0, POPT_ARG_NONE, &o.trans_b, 0, "Take B transposed", NULL},
      {"alpha", 0, POPT_ARG_DOUBLE | POPT_ARGFLAG_SHOW_DEFAULT, &o.alpha, 0, "Factor of the product", "NUMBER"},
      {"beta", 0, POPT_ARG_DOUBLE, &o.beta, 0, "Factor of C; 1 unless given", "NUMBER"},
      {"c", 0, POPT_ARG_STRING, &o.c, 0, "The matrix C, added beta times", "C.npy"},
      {"provider", 0, POPT_ARG_STRING, &o.provider, 0, "auto, exact (the same bits on every device) or clblast",
       "NAME"},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "op gemm",
                           .arguments = "[OPTION]... A.npy B.npy -o OUT.npy",
                           .about = "OUT = alpha A B + beta C, for matrices of float32, float64 or float16.",
                           .example =
                               "cliv op gemm a.npy b.npy -o c.npy\n"
                               "cliv op gemm --ta --alpha 0.5 --beta 1 --c c.npy --provider exact a.npy b.npy -o d.npy",
                           .options = options,
                           .least = 2,
                           .most = 2};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return multiply(&c, &o);
}
