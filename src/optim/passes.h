/* Reductions over many tensors at once: those that lie beside each other in one cl_mem take one pass. */
#ifndef CLIV_OPTIM_PASSES_H
#define CLIV_OPTIM_PASSES_H

#include <cliv/segments.h>
#include <cliv/tensor.h>

#include "runtime/context.h"

typedef struct cliv__passes {
  size_t count;
  size_t results; /* how many numbers they leave; some are of what lies between tensors, and count for nothing */
  struct cliv__pass *list;
} cliv__passes;

/* One result for each of pieces[i] equal pieces of tensor i, the first at where[i]. Tensors have elements and are
 * dense; several may be the same memory. What was in *out is freed, also on failure. */
cliv_status cliv__passes_make(cliv_context *ctx, size_t count, const cliv_tensor *const *tensors, const size_t *pieces,
                              cl_uint *where, cliv__passes *out);
/* Enqueues a reduction by name into out, which has float32 for all results. */
cliv_status cliv__passes_run(cliv_context *ctx, const cliv__passes *passes, const char *op, const cliv_tensor *out,
                             const cliv_sync *sync);
/* The pieces that pass i of `count` goes through. */
const cliv_segments *cliv__pass_segments(const cliv__passes *passes, size_t i);
void cliv__passes_free(cliv__passes *passes);

#endif
