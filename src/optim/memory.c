/* How much device memory an optimizer has. See cliv/optim.h. */
#include <string.h>

#include "optim/optim.h"
#include "runtime/tensor.h"

static cliv_status add_buffer(const cliv_optimizer *o, cl_mem buffer, uint64_t *sum) {
  size_t bytes = 0;
  if (!buffer) return CLIV_OK;
  CL_TRY(o->ctx, clGetMemObjectInfo(buffer, CL_MEM_SIZE, sizeof bytes, &bytes, NULL), "clGetMemObjectInfo");
  *sum += bytes;
  return CLIV_OK;
}

cliv_status cliv_optimizer_memory(cliv_optimizer *o, cliv_optimizer_usage *usage) {
  REQUIRE_NOT_NULL(NULL, o);
  REQUIRE_NOT_NULL(o->ctx, usage);
  const size_t size = usage->size ? usage->size : sizeof *usage;
  REQUIRE(o->ctx, size >= offsetof(cliv_optimizer_usage, tables) + sizeof usage->tables && size <= sizeof *usage, VALUE,
          "the size of the usage to fill is %zu; set it to sizeof(cliv_optimizer_usage), or to 0", usage->size);
  if (o->stale) TRY(cliv__plan_make(o));
  cliv_optimizer_usage own = {.size = usage->size};
  for (size_t b = 0; b < o->plan.bank_count; b++)
    for (size_t k = 0; k < CLIV__PLANES; k++)
      if (o->plan.banks[b].plane[k]) TRY(add_buffer(o, o->plan.banks[b].plane[k]->mem, &own.states));
  const cl_mem tables[] = {
      o->plan.chunks, o->plan.runs,    o->plan.scalars,  o->plan.sent == o->plan.scalars ? NULL : o->plan.sent,
      o->plan.pieces, o->plan.origins, o->control.which, o->control.verdict};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) TRY(add_buffer(o, tables[i], &own.tables));
  if (o->control.sums) TRY(add_buffer(o, o->control.sums->mem, &own.tables));
  memcpy(usage, &own, size);
  return CLIV_OK;
}
