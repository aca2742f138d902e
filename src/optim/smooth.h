/* Laplacian smoothing: gradients of the optimizer's own, made of the caller's before a step looks at them. */
#ifndef CLIV_OPTIM_SMOOTH_H
#define CLIV_OPTIM_SMOOTH_H

#include <cliv/tensor.h>

#include "runtime/context.h"

/* One launch's worth of pieces: gradients in one cl_mem, of one type. */
typedef struct cliv__smooth_run {
  cl_mem g;
  cliv_dtype dtype;
  cl_uint first, count;
} cliv__smooth_run;

typedef struct cliv__smooth {
  cliv_tensor *all; /* what the parameters' `smoothed` are views of; NULL: nothing is smoothed */
  cl_mem pieces;
  size_t run_count;
  cliv__smooth_run *runs;
  cl_uint piece_count;
} cliv__smooth;

struct cliv_optimizer;
/* Gives the parameters that take part gradients of their own, or takes them away. */
cliv_status cliv__smooth_make(struct cliv_optimizer *o);
/* Fills them. */
cliv_status cliv__smooth_enqueue(struct cliv_optimizer *o, const cliv_sync *sync);
void cliv__smooth_free(struct cliv_optimizer *o);

#endif
