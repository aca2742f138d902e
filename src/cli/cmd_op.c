/* cliv op: any single operation on .npy files. */
#include "cli/op.h"

const cli_command op_kinds[] = {
    {"reduce", "A sum, norm, maximum ... of all elements, rows, axes or segments", op_reduce},
    {"stats", "Least, greatest, mean, variance and norms in one pass", op_stats},
    {"scan", "Running sums, products, maxima or minima", op_scan},
    {"sort", "Elements in order, or where they stood", op_sort},
    {"topk", "The greatest elements", op_topk},
    {"quantile", "Medians and other quantiles", op_quantile},
    {"compact", "The elements that a mask keeps", op_compact},
    {"histogram", "How many elements fall into each of n bins", op_histogram},
    {"scatter", "Rows added to rows of a table", op_scatter},
    {"map", "A function of every element, or of two arrays' elements", op_map},
    {"rows", "Along the last axis: softmax, norms, their gradients", op_rows},
    {"random", "Random numbers of a distribution", op_random},
    {"step", "An update rule over a sequence of gradients", op_step},
    {"schedule", "What a schedule multiplies a hyper-parameter with, step by step", op_schedule},
    {"gemm", "A product of matrices, or of a batch of them", op_gemm},
    {"gemv", "A product of a matrix and a vector", op_blas},
    {"ger", "A product of a column and a row added to a matrix", op_blas},
    {"axpy", "A multiple of an array added to another", op_blas},
    {"syrk", "A product of a matrix and its own transpose, a triangle of it", op_blas},
    {"symm", "A product of a symmetric matrix and another", op_blas},
    {"trmm", "A product of a triangular matrix and another", op_blas},
    {"trsm", "A solution by a triangular matrix", op_blas},
    {"conv", "A convolution in one or two dimensions, or its gradients", op_conv},
    {"fft", "Fourier transforms along any axes", op_fft},
    {"dct", "Cosine and sine transforms along any axes", op_dct},
    {"convolve", "A convolution or correlation by transforms, for long operands", op_convolve},
    {"smooth", "Laplacian smoothing along any axes", op_smooth},
    {"factor", "A factorisation of matrices, or a solution by one", op_factor},
    {"list", "Every operation of every kind", op_list},
    {NULL, NULL, NULL},
};

int cmd_op(int argc, const char **argv) {
  static const cli_group group = {
      .prefix = "op",
      .noun = "operation kind",
      .noun_caps = "KIND",
      .about =
          "One operation on .npy files, so that anyone can check a device, a driver or this project against NumPy.",
      .example =
          "cliv op list\n"
          "cliv op reduce --op logsumexp --axis last x.npy -o y.npy\n"
          "cliv op map --op exp x.npy -o y.npy",
      .commands = op_kinds,
  };
  return cli_dispatch(&group, argc, argv);
}
