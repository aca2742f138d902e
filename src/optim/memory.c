/* How much device memory an optimizer has. See cliv/optim.h. */
#include <string.h>

#include "ops/segments.h"
#include "optim/optim.h"
#include "runtime/tensor.h"

static cliv_status add_buffer(const cliv_optimizer *o, cl_mem buffer, uint64_t *sum) {
  size_t bytes = 0;
  if (!buffer) return CLIV_OK;
  CL_TRY(o->ctx, clGetMemObjectInfo(buffer, CL_MEM_SIZE, sizeof bytes, &bytes, NULL), "clGetMemObjectInfo");
  *sum += bytes;
  return CLIV_OK;
}

static cliv_status add_buffers(const cliv_optimizer *o, const cl_mem *buffers, size_t count, uint64_t *sum) {
  for (size_t i = 0; i < count; i++) TRY(add_buffer(o, buffers[i], sum));
  return CLIV_OK;
}

/* Each is all of its cl_mem, or NULL. */
static cliv_status add_tensors(const cliv_optimizer *o, cliv_tensor *const *tensors, size_t count, uint64_t *sum) {
  for (size_t i = 0; i < count; i++)
    if (tensors[i]) TRY(add_buffer(o, tensors[i]->mem, sum));
  return CLIV_OK;
}

static cliv_status add_segments(const cliv_optimizer *o, const cliv_segments *s, uint64_t *sum) {
  if (!s) return CLIV_OK;
  TRY(add_buffer(o, s->offsets, sum));
  for (int i = 0; i < s->stages; i++) TRY(add_buffer(o, s->stage[i].table, sum));
  return CLIV_OK;
}

static cliv_status add_passes(const cliv_optimizer *o, const cliv__passes *passes, uint64_t *sum) {
  for (size_t i = 0; i < passes->count; i++) TRY(add_segments(o, cliv__pass_segments(passes, i), sum));
  return CLIV_OK;
}

#define ADD_BUFFERS(o, sum, ...) \
  add_buffers((o), (const cl_mem[]){__VA_ARGS__}, sizeof((const cl_mem[]){__VA_ARGS__}) / sizeof(cl_mem), (sum))
#define ADD_TENSORS(o, sum, ...)                        \
  add_tensors((o), (cliv_tensor *const[]){__VA_ARGS__}, \
              sizeof((cliv_tensor *const[]){__VA_ARGS__}) / sizeof(cliv_tensor *), (sum))

/* States of all shapes; what is no more than room between two launches is among the tables. */
static cliv_status add_states(const cliv_optimizer *o, cliv_optimizer_usage *usage) {
  const cliv__plan *plan = &o->plan;
  const size_t states = o->rule->info.state_count, end = cliv__state_total(o->rule);
  for (size_t b = 0; b < plan->bank_count; b++)
    for (size_t k = 0; k < CLIV__PLANES; k++)
      TRY(add_tensors(o, &plan->banks[b].plane[k], 1, k >= states && k < end ? &usage->tables : &usage->states));
  for (size_t i = 0; i < plan->param_count; i++)
    TRY(add_tensors(o, plan->places[i].squares, CLIV__MAX_SQUARES, &usage->states));
  return CLIV_OK;
}

/* A tensor's numbers are states as far as they are shown. */
static cliv_status add_norming(const cliv_optimizer *o, cliv_optimizer_usage *usage) {
  const cliv__norming *n = &o->plan.norming;
  uint64_t named = 0, numbers = 0;
  for (size_t i = 0; i < o->plan.param_count; i++) {
    const unsigned kept = cliv__planes(o, i, cliv__hyper(o, o->params[i].group));
    for (size_t k = 0; k < o->rule->info.state_count; k++)
      if (kept >> k & 1 && cliv__state_shape(o->rule, k) == CLIV_STATE_TENSOR) named += sizeof(float);
  }
  TRY(ADD_TENSORS(o, &numbers, n->numbers));
  usage->states += named;
  usage->tables += numbers - named;
  TRY(add_segments(o, n->segments, &usage->tables));
  TRY(ADD_TENSORS(o, &usage->tables, n->parts, n->sums));
  return ADD_BUFFERS(o, &usage->tables, n->members, n->scopes);
}

/* Means by rows and columns are states. */
static cliv_status add_factors(const cliv_optimizer *o, cliv_optimizer_usage *usage) {
  const cliv__factors *f = &o->plan.factors;
  TRY(ADD_TENSORS(o, &usage->states, f->states));
  TRY(ADD_TENSORS(o, &usage->tables, f->scales, f->parts));
  return ADD_BUFFERS(o, &usage->tables, f->jobs, f->runs, f->lists, f->stacks, o->plan.lattices);
}

static cliv_status add_control(const cliv_optimizer *o, uint64_t *sum) {
  const cliv__control *c = &o->control;
  const cliv__units *u = &c->units;
  TRY(add_passes(o, &c->passes, sum));
  TRY(add_passes(o, &u->weights, sum));
  TRY(add_segments(o, u->rows, sum));
  TRY(ADD_TENSORS(o, sum, c->sums, c->smooth.all, u->means, u->sizes, u->left, u->totals, u->clipped));
  return ADD_BUFFERS(o, sum, c->which, c->verdict, c->smooth.pieces, u->table, u->owner, u->tensor);
}

/* Gradients added up: what is added later has a piece of memory of its own. */
static cliv_status add_sums(const cliv_optimizer *o, uint64_t *sum) {
  cl_mem before = NULL;
  for (size_t i = 0; o->gatherer && i < o->gatherer->param_count; i++) {
    const cliv_tensor *p = o->gatherer->params[i].p;
    if (p->count == 0 || p->mem == before) continue;
    before = p->mem;
    TRY(add_buffer(o, before, sum));
  }
  return CLIV_OK;
}

/* What the optimizer has as it is laid out now. */
static cliv_status add_all(const cliv_optimizer *o, cliv_optimizer_usage *usage) {
  const cliv__plan *plan = &o->plan;
  const cliv_optimizer *const others[] = {o->lent, o->uphill, o->gatherer};
  TRY(add_states(o, usage));
  TRY(ADD_BUFFERS(o, &usage->tables, plan->chunks, plan->runs, plan->scalars,
                  plan->sent == plan->scalars ? NULL : plan->sent, plan->pieces, plan->origins));
  TRY(add_norming(o, usage));
  TRY(add_factors(o, usage));
  TRY(add_control(o, &usage->tables));
  TRY(add_sums(o, &usage->tables));
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    cliv_optimizer_usage its = {0};
    if (others[i]) TRY(add_all(others[i], &its));
    usage->tables += its.states + its.tables;
  }
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
  TRY(add_all(o, &own));
  memcpy(usage, &own, size);
  return CLIV_OK;
}
