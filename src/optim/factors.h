/* Means of squared gradients by rows and columns, of rules that keep these of matrices (adafactor): what goes before
 * the two launches of a rule with norms. One launch over the gradients that lie together adds squares up, see
 * cl/optim_factor.cl, and two small ones for all tensors make states and scales of the sums, see cl/optim_scales.cl. */
#ifndef CLIV_OPTIM_FACTORS_H
#define CLIV_OPTIM_FACTORS_H

#include "optim/rules.h"
#include "runtime/context.h"

/* Where a parameter's numbers are among those of all. */
typedef struct cliv__factor_place {
  bool on; /* it has such numbers */
  cliv__lattice lattice;
  size_t rows, columns; /* its first ones */
} cliv__factor_place;

/* Tiles of gradients in one buffer. */
typedef struct cliv__factor_launch {
  cl_kernel kernel;
  cl_mem g;
  size_t local;
  cl_uint first, count; /* CPU walk: runs; GPU walk: tiles */
} cliv__factor_launch;

/* All NULL and 0 where no parameter has any. */
typedef struct cliv__factors {
  size_t numbers;              /* of all parameters */
  cliv_tensor *states;         /* by rows and by columns, parameter after parameter */
  cliv_tensor *scales, *parts; /* where states are; sums over tiles */
  cl_mem jobs, runs, lists, stacks;
  cl_uint job_count, list_count, stack_count, matrices;
  cl_ulong entries; /* numbers of those that take part */
  size_t launch_count;
  cliv__factor_launch *launches;
} cliv__factors;

/* Of a chunk, as in cl/optim.cl. */
typedef struct cliv__chunk_lattice {
  cl_ulong rows, columns;
  cl_uint line, at, length, inner, per, between;
} cliv__chunk_lattice;

struct cliv__plan;
/* SHAPE where the sides are beyond what kernels count with. */
cliv_status cliv__factors_check(const cliv_optimizer *o, const cliv_tensor *param, const double *hyper);
/* Gives every parameter its place in a plan. */
cliv_status cliv__factors_place(const cliv_optimizer *o, struct cliv__plan *plan);
/* Tables, room and programs for those that take part, in the order of the plan's chunks. */
cliv_status cliv__factors_make(const cliv_optimizer *o, struct cliv__plan *plan, const size_t *order, size_t count);
/* Element `start` of a parameter that has a place. */
cliv__chunk_lattice cliv__factors_at(const cliv__factor_place *place, size_t start);
cliv_status cliv__factors_view(const cliv_optimizer *o, size_t param, size_t state, cliv_tensor **view);
cliv_status cliv__factors_enqueue(const cliv_optimizer *o, const cliv_sync *sync);
void cliv__factors_free(cliv__factors *factors);

#endif
