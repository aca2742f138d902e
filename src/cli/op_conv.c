/* cliv op conv: a convolution, or one of its gradients. */
#include <cliv/conv.h>
#include <stdlib.h>
#include <string.h>

#include "cli/op.h"

typedef struct conv_options {
  char *output, *bias, *backward, *stride, *padding, *dilation, *size, *provider;
  int groups;
} conv_options;

/* The lists of the options; NULL texts leave theirs alone. */
typedef struct conv_call {
  cliv_conv_options own;
  int64_t size[2];
  bool sized;
} conv_call;

enum { FORWARD, BY_DATA, BY_WEIGHT };
static const char *const names[] = {"forward", "data", "weight"};

/* "N" for both axes, or "H,W". */
static bool read_pair(cli *c, const char *option, const char *text, int64_t least, int64_t out[2]) {
  if (!text) return true;
  char *end = NULL;
  out[0] = out[1] = strtoll(text, &end, 10);
  bool good = end != text;
  if (good && *end == ',') {
    const char *const second = end + 1;
    out[1] = strtoll(second, &end, 10);
    good = end != second;
  }
  if (good && *end == 0 && out[0] >= least && out[1] >= least && out[0] <= INT32_MAX && out[1] <= INT32_MAX)
    return true;
  cli_report(c, CLIV_VALUE, "option '%s' is '%s'; it takes one number, or two joined by a comma, of at least %d",
             option, text, (int)least);
  return false;
}

static bool read_options(cli *c, const conv_options *o, conv_call *k, int *kind) {
  while (*kind <= BY_WEIGHT && o->backward && strcmp(o->backward, names[*kind])) ++*kind;
  if (o->backward && (*kind == FORWARD || *kind > BY_WEIGHT)) {
    cli_report(c, CLIV_NAME, "option '--backward' is '%s'; it takes data or weight", o->backward);
    return false;
  }
  if (o->bias && *kind != FORWARD) {
    cli_report(c, CLIV_VALUE, "option '--bias' is for the convolution itself; its gradient is a sum of the result's");
    return false;
  }
  if (o->size && *kind == FORWARD)
    return cli_refuse(c,
                      "option '--size' is for gradients (--backward); the result of a convolution has sides of its "
                      "own");
  if (o->groups < 1) {
    cli_report(c, CLIV_VALUE, "option '--groups' is %d; there is at least 1", o->groups);
    return false;
  }
  k->own.groups = o->groups;
  k->sized = o->size != NULL;
  if (o->provider && cliv_provider_parse(o->provider, &k->own.provider)) {
    cli_report(c, CLIV_NAME, "%s", cliv_last_error(NULL));
    return false;
  }
  return read_pair(c, "--stride", o->stride, 1, k->own.stride) &&
         read_pair(c, "--padding", o->padding, 0, k->own.padding) &&
         read_pair(c, "--dilation", o->dilation, 1, k->own.dilation) && read_pair(c, "--size", o->size, 1, k->size);
}

/* The length of what is computed along a plane's axis d, of the first operand's and the second's; 0: none fits. */
static size_t length_of(const conv_call *k, int kind, int d, size_t first, size_t second) {
  const int64_t stride = k->own.stride[d] ? k->own.stride[d] : 1, padding = k->own.padding[d];
  const int64_t dilation = k->own.dilation[d] ? k->own.dilation[d] : 1, a = (int64_t)first, b = (int64_t)second;
  if (kind == FORWARD) return cliv_conv_length(first, second, stride, padding, dilation);
  if (k->sized) return (size_t)k->size[d];
  const int64_t least = kind == BY_DATA ? (a - 1) * stride + dilation * (b - 1) + 1 - 2 * padding
                                        : (a + 2 * padding - (b - 1) * stride - 1) / dilation + 1;
  return least > 0 ? (size_t)least : 0;
}

/* Tensors 0 and 1 are the operands, 2 is the bias where there is one. */
static bool convolve(op_run *run, const conv_call *k, int kind, bool biased, cliv_tensor **out) {
  const cliv_tensor *const a = run->tensor[0], *const b = run->tensor[1];
  const int ndim = cliv_tensor_ndim(a);
  const size_t *const as = cliv_tensor_shape(a), *const bs = cliv_tensor_shape(b);
  const size_t groups = (size_t)k->own.groups;
  size_t shape[4] = {as[0], kind == BY_DATA ? bs[1] * groups : bs[0]};
  if (kind == BY_WEIGHT) {
    shape[0] = bs[1];
    shape[1] = as[1] / groups;
  }
  for (int d = 2; d < ndim; d++) {
    shape[d] = length_of(k, kind, d - 2, as[d], bs[d]);
    if (shape[d]) continue;
    cli_report(run->c, CLIV_SHAPE,
               "axis %d is %zu in '%s' and %zu in '%s': with this padding, stride and dilation the "
               "result has no length",
               d, as[d], run->c->args[0], bs[d], run->c->args[1]);
    return false;
  }
  if (!op_make(run, cliv_tensor_dtype(a), ndim, shape, out)) return false;
  if (kind == BY_DATA) return op_check(run, cliv_conv_data(run->ctx, a, b, *out, &k->own, NULL));
  if (kind == BY_WEIGHT) return op_check(run, cliv_conv_weight(run->ctx, a, b, *out, &k->own, NULL));
  return op_check(run, cliv_conv(run->ctx, a, b, biased ? run->tensor[2] : NULL, *out, &k->own, NULL));
}

static bool read_operands(op_run *run) {
  for (int i = 0; i < 2; i++)
    if (!op_read(run, run->c->args[i]) || !op_has_axes(run, i, 3, 4, "lines have three, planes four")) return false;
  if (run->array[0].ndim == run->array[1].ndim) return true;
  cli_report(run->c, CLIV_SHAPE, "'%s' has %d axes and '%s' has %d; both have three (lines) or four (planes)",
             run->path[0], run->array[0].ndim, run->path[1], run->array[1].ndim);
  return false;
}

static int conv(cli *c, const conv_options *o) {
  op_run run = {.c = c, .output = o->output};
  conv_call k = {.own = {.size = sizeof k.own}};
  cliv_tensor *out = NULL;
  int kind = FORWARD;
  if (!op_require(c, o->output, "-o", "it names the .npy file to write") || !read_options(c, o, &k, &kind))
    return cli_done(c);
  if (read_operands(&run) && (!o->bias || op_read(&run, o->bias)) && op_same_types(&run) && op_open(&run) &&
      convolve(&run, &k, kind, o->bias != NULL, &out)) {
    run.provider = cliv_provider_name(k.own.provider == CLIV_PROVIDER_AUTO ? CLIV_PROVIDER_EXACT : k.own.provider);
    op_deliver(&run, out, "conv", names[kind]);
  }
  return op_finish(&run);
}

int op_conv(int argc, const char **argv) {
  conv_options o = {.groups = 1};
  const struct poptOption options[] = {
      {"output", 'o', POPT_ARG_STRING, &o.output, 0, "File to write", "OUT.npy"},
      {"stride", 0, POPT_ARG_STRING, &o.stride, 0, "From one place of the result to the next; 1 unless given", "N[,N]"},
      {"padding", 0, POPT_ARG_STRING, &o.padding, 0, "Zeros on both sides; none unless given", "N[,N]"},
      {"dilation", 0, POPT_ARG_STRING, &o.dilation, 0, "From one weight to the next; 1 unless given", "N[,N]"},
      {"groups", 0, POPT_ARG_INT | POPT_ARGFLAG_SHOW_DEFAULT, &o.groups, 0, "Groups of channels", "N"},
      {"bias", 0, POPT_ARG_STRING, &o.bias, 0, "What is added to each channel", "BIAS.npy"},
      {"backward", 0, POPT_ARG_STRING, &o.backward, 0,
       "A gradient: by the data, of DY.npy and W.npy, or by the weight, of X.npy and DY.npy", "data|weight"},
      {"size", 0, POPT_ARG_STRING, &o.size, 0,
       "Sides of a gradient, where a stride leaves them open; of the data the least unless given, of the weight the "
       "greatest",
       "N[,N]"},
      {"provider", 0, POPT_ARG_STRING, &o.provider, 0,
       "auto (unless given), exact (the same bits on every device) or clblast", "NAME"},
      POPT_TABLEEND};
  const cli_usage usage = {.verb = "op conv",
                           .arguments = "[OPTION]... X.npy W.npy -o OUT.npy",
                           .about =
                               "A convolution of [N, C, L] by [O, C / groups, K], or of [N, C, H, W] by\n"
                               "[O, C / groups, KH, KW], or one of its gradients.\n"
                               "All of one type: float32, float16, bfloat16, or float64 where the device has it.",
                           .example =
                               "cliv op conv --padding 1 --bias b.npy x.npy w.npy -o y.npy\n"
                               "cliv op conv --backward weight --stride 2 --size 3 x.npy dy.npy -o dw.npy",
                           .options = options,
                           .least = 2,
                           .most = 2};
  cli c;
  if (!cli_parse(&c, &usage, argc, argv)) return cli_done(&c);
  return conv(&c, &o);
}
