/* cliv op gemm: one product of two matrices, or of a batch of them. */
#include "cli/op_blas.h"

typedef struct gemm_options {
  int trans_a, trans_b, bias_rows;
  double alpha, beta;
  char *beta_text, *c, *bias, *activation, *provider, *output;
} gemm_options;

/* Of a batch of one, and of a matrix by itself, all products take the same. */
static bool shared(const cliv_tensor *t) { return cliv_tensor_ndim(t) == 2 || cliv_tensor_shape(t)[0] == 1; }

/* A result for a product without C. */
static bool make_result(op_run *run, const gemm_options *o, cliv_tensor **out) {
  const cliv_tensor *const a = run->tensor[0], *const b = run->tensor[1];
  const int ndim = cliv_tensor_ndim(a) > cliv_tensor_ndim(b) ? cliv_tensor_ndim(a) : cliv_tensor_ndim(b);
  const size_t *const sa = cliv_tensor_shape(a) + cliv_tensor_ndim(a) - 2, *const sb = cliv_tensor_shape(b) +
                                                                                       cliv_tensor_ndim(b) - 2;
  const size_t batch = !shared(a) ? cliv_tensor_shape(a)[0] : !shared(b) ? cliv_tensor_shape(b)[0] : 1;
  const size_t shape[] = {batch, sa[o->trans_a ? 1 : 0], sb[o->trans_b ? 0 : 1]};
  return op_make(run, cliv_tensor_dtype(a), ndim, shape + 3 - ndim, out);
}

/* Tensors 0 and 1 are A and B, then come C and the bias where they were given. */
static bool product(op_run *run, const gemm_options *o, cliv_blas_options *options, cliv_tensor **out) {
  if (o->bias) options->bias = run->tensor[o->c ? 3 : 2];
  if (o->c) *out = run->tensor[2];
  else if (!make_result(run, o, out)) return false;
  return op_check(run, cliv_gemm(run->ctx, o->trans_a, o->trans_b, o->alpha, run->tensor[0], run->tensor[1], o->beta,
                                 *out, options, NULL));
}

/* Who computed it; NULL: AUTO chose for a batch, of which there is nobody to ask. */
static const char *taken(const op_run *run, const gemm_options *o, cliv_provider asked, const cliv_tensor *out) {
  if (asked != CLIV_PROVIDER_AUTO) return cliv_provider_name(asked);
  if (!shared(out)) return NULL;
  const cliv_tensor *const a = run->tensor[0]; /* perhaps a batch of one, as `out` */
  const size_t *const shape = cliv_tensor_shape(out) + cliv_tensor_ndim(out) - 2,
                      k = cliv_tensor_shape(a)[cliv_tensor_ndim(a) - (o->trans_a ? 2 : 1)];
  return cliv_provider_name(
      cliv_blas_auto_for(run->ctx, cliv_tensor_dtype(out), o->trans_a, o->trans_b, shape[0], shape[1], k));
}

static bool read_matrix(op_run *run, const char *path) {
  return op_read(run, path) && op_has_axes(run, run->count - 1, 2, 3, "a matrix has two, a batch of matrices three");
}

static bool read_all(op_run *run, const gemm_options *o) {
  return read_matrix(run, run->c->args[0]) && read_matrix(run, run->c->args[1]) && (!o->c || read_matrix(run, o->c)) &&
         (!o->bias || op_read(run, o->bias)) && op_same_types(run);
}

static bool read_options(cli *c, gemm_options *o, cliv_blas_options *options) {
  if (!op_require(c, o->output, "-o", "it names the .npy file to write") ||
      !op_blas_provider(c, o->provider, &options->provider) || !op_blas_beta(c, o->beta_text, "--c", o->c, &o->beta))
    return false;
  if (o->bias_rows && !o->bias)
    return cli_refuse(c, "option '--bias-rows' says how the bias is added: name its file by --bias");
  options->bias_rows = o->bias_rows;
  const cliv_status status = o->activation ? cliv_activation_parse(o->activation, &options->activation) : CLIV_OK;
  if (status) cli_report_with(c, NULL, status);
  return !status;
}

static int multiply(cli *c, gemm_options *o) {
  op_run run = {.c = c, .output = o->output};
  cliv_blas_options options = {.size = sizeof options};
  cliv_tensor *out = NULL;
  if (!read_options(c, o, &options)) return cli_done(c);
  if (read_all(&run, o) && op_open(&run) && product(&run, o, &options, &out)) {
    run.provider = taken(&run, o, options.provider, out);
    op_deliver(&run, out, "gemm", run.provider ? run.provider : "auto");
  }
  return op_finish(&run);
}

int op_gemm(int argc, const char **argv) {
  gemm_options o = {.alpha = 1};
  const struct poptOption options[] = {
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      {"ta", 0, POPT_ARG_NONE, &o.trans_a, 0, "Take A transposed, each matrix of a batch", NULL},
      {"tb", 0, POPT_ARG_NONE, &o.trans_b, 0, "Take B transposed", NULL},
      {"alpha", 0, POPT_ARG_DOUBLE | POPT_ARGFLAG_SHOW_DEFAULT, &o.alpha, 0, "Factor of the product", "NUMBER"},
      {"c", 0, POPT_ARG_STRING, &o.c, 0, "The matrix C, added beta times; none unless given", "C.npy"},
      {"beta", 0, POPT_ARG_STRING, &o.beta_text, 0, "Its factor; 1 unless given", "NUMBER"},
      {"bias", 0, POPT_ARG_STRING, &o.bias, 0, "A vector that is added to every row: a number for each column",
       "BIAS.npy"},
      {"bias-rows", 0, POPT_ARG_NONE, &o.bias_rows, 0, "... to every column: a number for each row", NULL},
      {"activation", 0, POPT_ARG_STRING, &o.activation, 0,
       "What follows: none (unless given), relu, gelu, gelu_tanh, silu, tanh or sigmoid", "NAME"},
      {"provider", 0, POPT_ARG_STRING, &o.provider, 0,
       "auto (unless given), exact (the same bits on every device) or clblast", "NAME"},
      POPT_TABLEEND};
  const cli_usage usage = {
      .verb = "op gemm",
      .arguments = "[OPTION]... A.npy B.npy -o OUT.npy",
      .about =
          "OUT = activation(alpha A B + beta C + bias), for matrices. With three axes A, B\n"
          "or both are batches of matrices, and so is OUT; one matrix is taken for all.\n"
          "All of one type: float32, float16, bfloat16, or float64 where the device has it.",
      .example =
          "cliv op gemm a.npy b.npy -o c.npy\n"
          "cliv op gemm --ta --alpha 0.5 --beta 1 --c c.npy --provider exact a.npy b.npy -o d.npy\n"
          "cliv op gemm --tb --bias b.npy --activation relu x.npy weights.npy -o y.npy",
      .options = options,
      .least = 2,
      .most = 2};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return multiply(&c, &o);
}
