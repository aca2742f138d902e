/* The weights to evaluate, where a rule trains others. See cliv/optim.h. */
#include <stdlib.h>

#include "optim/lend.h"
#include "runtime/launch.h"

static void free_loans(cliv__loan *loans, size_t count) {
  for (size_t i = 0; loans && i < count; i++) {
    cliv_tensor_free(loans[i].from);
    cliv_tensor_free(loans[i].master);
  }
  free(loans);
}

static bool has_master(const cliv_optimizer *o, size_t param) {
  const unsigned kept = cliv__planes(o, param, cliv__hyper(o, o->params[param].group));
  return o->precision.weights == CLIV__WEIGHTS_MASTER && kept >> CLIV__WEIGHT_PLANE & 1;
}

/* One for every parameter that has taken a step: before that it is both. */
static cliv_status fill(cliv_optimizer *o, cliv__loan *loans, size_t *count) {
  const char *state = o->rule->info.states[0].name;
  for (size_t i = 0; i < o->param_count; i++) {
    if (cliv__age(o, i) == 0) continue;
    cliv__loan *loan = &loans[*count];
    TRY(cliv_optimizer_state(o, i, state, &loan->from));
    ++*count;
    loan->to = o->params[i].p;
    if (has_master(o, i)) TRY(cliv_optimizer_state(o, i, "master", &loan->master));
    loan->share = o->rule->evaluated(cliv__hyper(o, o->params[i].group));
  }
  return CLIV_OK;
}

static cliv_status turn(cliv_optimizer *o, const cliv_sync *sync) {
  cliv__loan *loans = calloc(o->param_count + 1, sizeof *loans);
  size_t count = 0;
  REQUIRE(o->ctx, loans != NULL, HOST_MEMORY, "no memory for %zu parameters", o->param_count);
  cliv_status status = cliv__control_settle(o);
  if (!status) status = fill(o, loans, &count);
  if (!status) status = cliv__lend(o->ctx, loans, count, sync, &o->lent);
  free_loans(loans, count);
  return status;
}

cliv_status cliv_optimizer_evaluate(cliv_optimizer *o, int on, const cliv_sync *sync) {
  TRY(cliv__check_sync(o ? o->ctx : NULL, sync));
  REQUIRE_NOT_NULL(NULL, o);
  TRY(cliv__check_in_place(o));
  if ((on != 0) == (o->lent != NULL)) return cliv__nothing(o->ctx, sync);
  TRY(cliv__check_whole(o));
  if (!o->rule->evaluated) return cliv__nothing(o->ctx, sync);
  return on ? turn(o, sync) : cliv__lend_back(&o->lent, sync);
}

int cliv_optimizer_evaluating(const cliv_optimizer *o) { return o->lent != NULL; }
