/* Sharpness-aware minimization: weights go uphill for a second gradient, and back. See cliv/optim.h. The way up is the
 * step of a rule of its own, which nobody is shown, with all of the optimizer's tensors. */
#include <float.h>

#include "optim/hypers.h"
#include "optim/optim.h"
#include "runtime/launch.h"

enum { UPHILL_RHO, UPHILL_ADAPTIVE, UPHILL_BACK };
static const cliv_hyper_info uphill_hypers[] = {
    [UPHILL_RHO] = POSITIVE("rho", 0.05, "length of the way"),
    [UPHILL_ADAPTIVE] = FLAG("adaptive", 0, "lengths are in units of the weights (ASAM)"),
    [UPHILL_BACK] = FLAG("back", 0, "the weights go back to where they were"),
};
static const cliv_state_info uphill_states[] = {{"old", NULL, "the weights before", CLIV_STATE_WEIGHT}};
static const cliv_preset_info uphill_presets[] = {SAME("paper", "arXiv 2010.01412, 2102.11600")};

static void uphill_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)t;
  (void)memory;
  GIVE(out, h[UPHILL_RHO], h[UPHILL_ADAPTIVE], h[UPHILL_BACK]);
}

static const cliv__rule uphill = {
    INFO("uphill", "towards where the loss grows", "arXiv 2010.01412, 2102.11600", uphill_hypers, uphill_states,
         uphill_presets),
    .function = "uphill",
    .scalar_count = 3,
    .scalars = uphill_scalars,
    .norms = {.measures = 1,
              .numbers = 1,
              .scope = CLIV__ALL_TENSORS,
              .prepare = {.reads = CLIV__GRADIENT, .writes = 1},
              .step = {.reads = CLIV__GRADIENT | 1}},
};

/* The same tensors, and the same of them frozen. */
static cliv_status follow_params(cliv_optimizer *o) {
  if (!o->uphill) TRY(cliv__optimizer_make(o->ctx, &uphill, NULL, &(cliv_optimizer_options){0}, &o->uphill));
  cliv_optimizer *up = o->uphill;
  while (up->param_count < o->param_count) {
    const cliv__param *x = &o->params[up->param_count];
    TRY(cliv_optimizer_add(up, x->p, cliv__given(x), CLIV_DEFAULT_GROUP));
  }
  return cliv__freeze_alike(o, up);
}

cliv_status cliv_optimizer_perturb(cliv_optimizer *o, double rho, int adaptive, const cliv_sync *sync) {
  TRY(cliv__check_sync(o ? o->ctx : NULL, sync));
  REQUIRE_NOT_NULL(NULL, o);
  REQUIRE(o->ctx, rho >= 0 && rho <= FLT_MAX, VALUE, "rho is %g; it must be from 0 to %g", rho, (double)FLT_MAX);
  REQUIRE(o->ctx, !o->perturbed, STATE,
          "the weights are perturbed already; cliv_optimizer_restore puts them back where they were");
  REQUIRE(o->ctx, o->lent == NULL, STATE,
          "the parameters are what is to be evaluated; turn them back (cliv_optimizer_evaluate) first");
  TRY(cliv__control_settle(o));
  TRY(follow_params(o));
  double *hyper = cliv__hyper(o->uphill, CLIV_DEFAULT_GROUP);
  hyper[UPHILL_RHO] = rho;
  hyper[UPHILL_ADAPTIVE] = adaptive != 0;
  hyper[UPHILL_BACK] = 0;
  const cliv_status status = cliv__optimizer_step(o->uphill, true, sync);
  /* Also where some of several launches failed: `old` is whole by then. */
  o->perturbed = !status || o->uphill->moved;
  return status;
}

cliv_status cliv_optimizer_restore(cliv_optimizer *o, const cliv_sync *sync) {
  TRY(cliv__check_sync(o ? o->ctx : NULL, sync));
  REQUIRE_NOT_NULL(NULL, o);
  REQUIRE(o->ctx, o->perturbed, STATE, "the weights are where they were; cliv_optimizer_perturb comes first");
  cliv__hyper(o->uphill, CLIV_DEFAULT_GROUP)[UPHILL_BACK] = 1;
  TRY(cliv__optimizer_step(o->uphill, false, sync));
  o->perturbed = false;
  return CLIV_OK;
}
