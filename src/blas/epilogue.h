/* What follows a product: bias and activation, in the product's own store or in a launch after it; one definition. */
#ifndef CLIV_BLAS_EPILOGUE_H
#define CLIV_BLAS_EPILOGUE_H

#include "blas/provider.h"

/* The flat list's part for the bias and the activation of the options; C is of two axes or three. They go to *g. */
cliv_status cliv__epilogue_check(cliv_context *ctx, const cliv_blas_options *options, const cliv_tensor *c,
                                 cliv__gemm *g);

static inline bool cliv__has_epilogue(const cliv__gemm *g) { return g->bias_along || g->activation; }
/* Whether the walks for matrices do it in their store: not where a work-item of the GPU walk would have the function of
 * an activation dozens of times. */
bool cliv__fuses(const cliv_context *ctx, const cliv__gemm *g);
/* The same product without. */
static inline cliv__gemm cliv__without_epilogue(const cliv__gemm *g) {
  cliv__gemm plain = *g;
  plain.bias_along = CLIV__BIAS_NONE;
  plain.bias.first = 0;
  plain.activation = CLIV_ACTIVATION_NONE;
  return plain;
}
/* The kernel of a product with its epilogue: the file after those that it needs. */
cliv_status cliv__gemm_kernel(cliv_context *ctx, const cliv__gemm *g, const char *file, const char *entry,
                              const char *choices, cl_kernel *out);
/* Memory that is never looked at stands for a bias that is not there. */
static inline cl_mem cliv__bias_mem(const cliv__gemm *g) { return g->bias_along ? g->bias.mem : g->c.mem; }

/* Matrices of equal rows and columns in storage, one of them C. */
typedef struct cliv__stored {
  cliv_dtype dtype;
  cliv__matrix matrix;
} cliv__stored;
/* to = activation(from + bias), element by element, of matrices of `height` rows one below the other, or of a part of
 * each (CLIV__PART_…); they may be the same place. The bias is of to's type. g: NULL for a conversion alone. */
cliv_status cliv__finish(cliv_context *ctx, const cliv__stored *from, const cliv__stored *to, const cliv__gemm *g,
                         cl_ulong height, int part, const cliv_sync *sync);
/* C = activation(C + bias), for each C of a batch. ready: asked before C is changed, so that compiling cannot fail
 * then. */
cliv_status cliv__gemm_finish_ready(cliv_context *ctx, const cliv__gemm *g);
cliv_status cliv__gemm_finish(cliv_context *ctx, const cliv__gemm *g, const cliv_sync *sync);

#endif
