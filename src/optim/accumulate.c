/* Sums of gradients over several calls, which the next step takes the mean of. See cliv/optim.h. The sums are the
 * parameters of an optimizer of their own, by sgd: what steps many tensors in one launch also adds to them. */
#include <stdlib.h>

#include "optim/optim.h"
#include "runtime/launch.h"
#include "runtime/tensor.h"

static cliv_status make_gatherer(cliv_optimizer *o) {
  const cliv__rule *sgd = cliv__rule_find("sgd");
  TRY(cliv__optimizer_make(o->ctx, sgd, NULL, &(cliv_optimizer_options){0}, &o->gatherer));
  TRY(cliv_optimizer_set(o->gatherer, CLIV_DEFAULT_GROUP, "lr", 1));
  return cliv_optimizer_set(o->gatherer, CLIV_DEFAULT_GROUP, "maximize", 1);
}

/* Zeros in the shapes of the parameters from `first` on, in one piece of memory. */
static cliv_status make_sums(const cliv_optimizer *o, size_t first, cliv_tensor **sums) {
  const size_t count = o->param_count - first;
  int *ndims = malloc(count * sizeof *ndims);
  size_t *shapes = malloc(count * CLIV_MAX_DIMS * sizeof *shapes), at = 0;
  for (size_t i = 0; ndims && shapes && i < count; i++) {
    const cliv_tensor *p = o->params[first + i].p;
    ndims[i] = p->ndim;
    for (int k = 0; k < p->ndim; k++) shapes[at++] = p->shape[k];
  }
  const cliv_status status =
      ndims && shapes ? cliv_arena_create(o->ctx, CLIV_F32, count, ndims, shapes, sums)
                      : cliv__fail(o->ctx, CLIV_HOST_MEMORY, "no memory for the sums of %zu gradients", count);
  free(ndims);
  free(shapes);
  return status;
}

/* Zeros in all of the memory that a sum lies in, unless the one before lay in it too. */
static cliv_status clear(const cliv_tensor *sum, cl_mem *before) {
  if (sum->count == 0 || sum->mem == *before) return CLIV_OK;
  size_t bytes;
  cliv_tensor *all;
  CL_TRY(sum->ctx, clGetMemObjectInfo(sum->mem, CL_MEM_SIZE, sizeof bytes, &bytes, NULL), "clGetMemObjectInfo");
  const size_t elements = bytes / sizeof(float);
  TRY(cliv_tensor_wrap(sum->ctx, sum->mem, 0, CLIV_F32, 1, &elements, &all));
  const cliv_status status = cliv_tensor_fill(all, 0, NULL);
  cliv_tensor_free(all);
  *before = sum->mem;
  return status;
}

/* Parameter i's sum takes the place of its gradient, which goes to the gatherer. */
static cliv_status gather_param(cliv_optimizer *o, size_t i, cliv_tensor *sum) {
  cliv__param *p = &o->params[i];
  cliv_tensor *own;
  TRY(cliv_tensor_view(sum, 0, sum->ndim, sum->shape, 0, &own));
  const cliv_status status = cliv_optimizer_add(o->gatherer, sum, p->g, CLIV_DEFAULT_GROUP);
  if (status) {
    cliv_tensor_free(own);
    return status;
  }
  p->given = p->g;
  p->g = own;
  o->stale = o->control.stale = true;
  return CLIV_OK;
}

/* Sums for the parameters from `first` on. They are 0 before the gatherer has any: what fails between leaves none that
 * are not. */
static cliv_status gather_params(cliv_optimizer *o, size_t first) {
  const size_t count = o->param_count - first;
  cliv_tensor **sums = calloc(count, sizeof *sums);
  cl_mem before = NULL;
  REQUIRE(o->ctx, sums != NULL, HOST_MEMORY, "no memory for the sums of %zu gradients", count);
  cliv_status status = make_sums(o, first, sums);
  for (size_t i = 0; !status && i < count; i++) status = clear(sums[i], &before);
  for (size_t i = 0; !status && i < count; i++) status = gather_param(o, first + i, sums[i]);
  for (size_t i = 0; i < count; i++) cliv_tensor_free(sums[i]);
  free(sums);
  return status;
}

/* The same parameters, and the same of them frozen; sums of a step that has been taken, or left out, begin anew. */
static cliv_status begin(cliv_optimizer *o) {
  cl_mem before = NULL;
  if (!o->gatherer) TRY(make_gatherer(o));
  const cliv_optimizer *gatherer = o->gatherer;
  for (size_t i = 0; o->gathered == 0 && i < gatherer->param_count; i++) TRY(clear(gatherer->params[i].p, &before));
  if (gatherer->param_count < o->param_count) TRY(gather_params(o, gatherer->param_count));
  return cliv__freeze_alike(o, o->gatherer);
}

cliv_status cliv_optimizer_accumulate(cliv_optimizer *o, const cliv_sync *sync) {
  TRY(cliv__check_sync(o ? o->ctx : NULL, sync));
  REQUIRE_NOT_NULL(NULL, o);
  TRY(cliv__control_settle(o));
  TRY(begin(o));
  const cliv_status status = cliv__optimizer_step(o->gatherer, true, sync);
  if (!status) o->gathered++;
  else if (o->gatherer->torn) o->gathered = 0; /* some sums have these gradients, others have not */
  return status;
}

uint64_t cliv_optimizer_accumulated(const cliv_optimizer *o) { return o->gathered; }

cliv_status cliv__gathered_step(cliv_optimizer *o, const cliv_sync *sync) {
  const bool begins = o->gathered == 0, adds = begins || o->gatherer->param_count < o->param_count;
  if (adds) TRY(cliv_optimizer_accumulate(o, SYNC_FIRST(sync)));
  const cliv_sync rest = adds ? cliv__sync_part(sync, false, true) : sync ? *sync : (cliv_sync){0};
  const cliv_status status = cliv__optimizer_step(o, true, &rest);
  /* Other failures leave sums of several calls to a step that comes again. */
  if (!status || status == CLIV_DATA || begins) o->gathered = 0;
  return status;
}
