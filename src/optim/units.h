/* What a step does with each unit of the gradients, see cliv_gradient_options. Units are the rows along axis 0 of
 * parameters with two axes or more, or whole tensors; they are numbered in the order of the parameters. */
#ifndef CLIV_OPTIM_UNITS_H
#define CLIV_OPTIM_UNITS_H

#include <cliv/segments.h>

#include "optim/passes.h"

typedef struct cliv__units {
  size_t count, tensors;       /* of the parameters that take part */
  cliv__passes weights;        /* for agc */
  cliv_segments *rows;         /* of each tensor among the units; NULL: each is one */
  cliv_tensor *means, *sizes;  /* of gradients; of weights, squared */
  cliv_tensor *left, *totals;  /* sums of squares of what the units leave, by unit and by tensor */
  cliv_tensor *clipped;        /* and of what is left after clip_each */
  cl_mem table, owner, tensor; /* as in cl/optim_units.cl: the result, and what it is made of */
} cliv__units;

struct cliv_optimizer;
/* Fits them to the parameters that take part: which[i] is the first result of gradient i's pass. */
cliv_status cliv__units_make(struct cliv_optimizer *o, size_t count, const size_t *params, const cl_uint *which);
/* Fills the table. */
cliv_status cliv__units_enqueue(struct cliv_optimizer *o, const cliv_sync *sync);
/* The sums of squares by tensor, after that. */
const cliv_tensor *cliv__units_sums(const struct cliv_optimizer *o);
void cliv__units_free(cliv__units *units);

#endif
