/* Lending is a rule whose gradient is what is lent, with a state that keeps what the parameter held. See lend.h. */
#include "optim/lend.h"

#include "optim/hypers.h"
#include "runtime/launch.h"

enum { SHARE, BACK };
static const cliv_hyper_info hypers[] = {
    [SHARE] = {"share", 1, -FLT_MAX, 1, 0, 0, "of what is lent"},
    [BACK] = FLAG("back", 0, "the parameter gets what is kept"),
};
static const cliv_state_info states[] = {{"held", NULL, "what the parameter held", CLIV_STATE_WEIGHT}};
static const cliv_preset_info presets[] = {SAME("cliv", "cliv")};

static void scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)t;
  (void)memory;
  GIVE(out, h[SHARE], h[BACK]);
}

static const cliv__rule rule = {
    INFO("lend", "hold something else for a while", "cliv", hypers, states, presets),
    .function = "lend",
    .scalar_count = 2,
    .scalars = scalars,
};

/* The group with this share, made where there is none. */
static cliv_status group_of(cliv_optimizer *o, double share, int *group) {
  for (*group = 0; *group < o->group_count; ++*group)
    if (cliv__hyper(o, *group)[SHARE] == share) return CLIV_OK;
  TRY(cliv_optimizer_group(o, group));
  return cliv_optimizer_set(o, *group, "share", share);
}

/* What begins as the parameter gets what that was rounded from. */
static cliv_status take_master(cliv_optimizer *o, size_t param, const cliv_tensor *master, const cliv_sync *sync) {
  cliv_tensor *own;
  TRY(cliv_optimizer_state(o, param, "master", &own));
  const cliv_status status = cliv_tensor_copy(master, own, sync);
  cliv_tensor_free(own);
  return status;
}

static cliv_status lend(cliv_optimizer *o, const cliv__loan *loans, size_t count, const cliv_sync *sync) {
  for (size_t i = 0; i < count; i++) {
    int group;
    TRY(group_of(o, loans[i].share, &group));
    TRY(cliv_optimizer_add(o, loans[i].to, loans[i].from, group));
  }
  for (size_t i = 0; i < count; i++)
    if (loans[i].master) TRY(take_master(o, i, loans[i].master, SYNC_FIRST(sync)));
  return cliv_optimizer_step(o, sync);
}

/* Of a step that was torn, the launches that the driver took: what they keep is all that there is of the parameters. */
static cliv_status take_back(cliv_optimizer *o) {
  const size_t lent = o->launched, all = o->plan.batch_count;
  if (lent == 0) return CLIV_OK;
  cliv__error held = cliv__error_hold(o->ctx);
  o->plan.batch_count = lent;
  cliv_status status = cliv_optimizer_set(o, CLIV_ALL_GROUPS, "back", 1);
  if (!status) status = cliv__optimizer_step(o, true, NULL);
  o->plan.batch_count = all;
  cliv__error_restore(o->ctx, &held);
  return status
             ? cliv__fail(o->ctx, CLIV_OPENCL,
                          "the driver took %zu of %zu launches that change parameters for a while, refused the next, "
                          "and refused to change these back: load the parameters from where they were saved",
                          lent, all)
             : CLIV_OK;
}

cliv_status cliv__lend(cliv_context *ctx, const cliv__loan *loans, size_t count, const cliv_sync *sync,
                       cliv_optimizer **out) {
  cliv_optimizer *o;
  cliv_optimizer_options options = {0};
  *out = NULL;
  for (size_t i = 0; i < count; i++)
    if (loans[i].master) options.weights = "master";
  TRY(cliv__optimizer_make(ctx, &rule, NULL, &options, &o));
  cliv_status status = lend(o, loans, count, sync);
  if (!status) {
    *out = o;
    return CLIV_OK;
  }
  const cliv_status back = take_back(o);
  cliv_optimizer_free(o);
  return back ? back : status;
}

cliv_status cliv__lend_back(cliv_optimizer **lent, const cliv_sync *sync) {
  TRY(cliv_optimizer_set(*lent, CLIV_ALL_GROUPS, "back", 1));
  TRY(cliv__optimizer_step(*lent, true, sync)); /* as often as it takes: what is kept stays */
  cliv_optimizer_free(*lent);
  *lent = NULL;
  return CLIV_OK;
}
