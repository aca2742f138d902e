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

/* All that share one piece of memory begin anew in one launch. */
static cliv_status clear(const cliv_optimizer *o, size_t first) {
  cl_mem before = NULL;
  for (size_t i = first; i < o->gatherer->param_count; i++) {
    const cliv_tensor *sum = o->gatherer->params[i].p;
    if (sum->count == 0 || sum->mem == before) continue;
    before = sum->mem;
    size_t bytes;
    cliv_tensor *all;
    CL_TRY(o->ctx, clGetMemObjectInfo(before, CL_MEM_SIZE, sizeof bytes, &bytes, NULL), "clGetMemObjectInfo");
    const size_t elements = bytes / sizeof(float);
    TRY(cliv_tensor_wrap(o->ctx, before, 0, CLIV_F32, 1, &elements, &all));
    const cliv_status status = cliv_tensor_fill(all, 0, NULL);
    cliv_tensor_free(all);
    TRY(status);
  }
  return CLIV_OK;
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

/* The same parameters, and the same of them frozen. */
static cliv_status follow_params(cliv_optimizer *o) {
  if (!o->gatherer) TRY(make_gatherer(o));
  const size_t first = o->gatherer->param_count, count = o->param_count - first;
  if (count) {
    cliv_tensor **sums = calloc(count, sizeof *sums);
    REQUIRE(o->ctx, sums != NULL, HOST_MEMORY, "no memory for the sums of %zu gradients", count);
    cliv_status status = make_sums(o, first, sums);
    for (size_t i = 0; !status && i < count; i++) status = gather_param(o, first + i, sums[i]);
    for (size_t i = 0; i < count; i++) cliv_tensor_free(sums[i]);
    free(sums);
    TRY(status);
    TRY(clear(o, first));
  }
  for (size_t i = 0; i < o->param_count; i++)
    if (o->gatherer->params[i].frozen != o->params[i].frozen)
      TRY(cliv_optimizer_freeze(o->gatherer, i, o->params[i].frozen));
  return CLIV_OK;
}

cliv_status cliv_optimizer_accumulate(cliv_optimizer *o, const cliv_sync *sync) {
  TRY(cliv__check_sync(o ? o->ctx : NULL, sync));
  REQUIRE_NOT_NULL(NULL, o);
  TRY(cliv__control_settle(o));
  TRY(follow_params(o));
  TRY(cliv__optimizer_step(o->gatherer, true, sync));
  o->gathered++;
  return CLIV_OK;
}

uint64_t cliv_optimizer_accumulated(const cliv_optimizer *o) { return o->gathered; }

cliv_status cliv__gathered_step(cliv_optimizer *o, const cliv_sync *sync) {
  const bool adds = o->gathered == 0 || o->gatherer->param_count < o->param_count;
  if (adds) TRY(cliv_optimizer_accumulate(o, SYNC_FIRST(sync)));
  const cliv_sync rest = adds ? cliv__sync_part(sync, false, true) : sync ? *sync : (cliv_sync){0};
  TRY(cliv__optimizer_step(o, true, &rest));
  o->gathered = 0;
  return clear(o, 0);
}
