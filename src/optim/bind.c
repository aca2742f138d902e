/* Learning rates that the device has a part in. See cliv/optim.h. */
#include "optim/bind.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/optim.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/tensor.h"

enum { GROUP = 64 };

/* Halving lr is exact, so that what is proportional to it halves exactly. */
int cliv__lr_dependence(const double at[3]) {
  if (at[0] == at[1] && at[1] == at[2]) return CLIV__FREE;
  if (at[0] == 2 * at[1] && at[1] == 2 * at[2]) return CLIV__PROPORTIONAL;
  const double lost[] = {1 - at[0], 1 - at[1], 1 - at[2]}, bound = 8 * 0x1p-52 * (1 + fabs(at[0]));
  return fabs(lost[0] - 2 * lost[1]) <= bound && fabs(lost[1] - 2 * lost[2]) <= bound ? CLIV__KEEPS : -1;
}

bool cliv__lr_kinds(const cliv_optimizer *o, const double *hyper, uint64_t t, const double *memory, size_t param,
                    int *kinds) {
  double at[3][CLIV__MAX_SCALARS] = {{0}}, kept[3][CLIV__MAX_MEMORY], then[CLIV__MAX_HYPERS];
  if (o->lr < 0 || o->own) return false;
  memcpy(then, hyper, o->rule->info.hyper_count * sizeof *then);
  for (int i = 0; i < 3; i++) {
    then[o->lr] = 1.0 / (1 << i);
    memcpy(kept[i], memory, sizeof kept[i]);
    if (o->rule->advance) o->rule->advance(then, t, kept[i]);
    if (memcmp(kept[i], kept[0], sizeof kept[i]) != 0) return false;
    cliv__scalars(o, then, t, kept[i], param, at[i]);
  }
  bool good = true;
  for (size_t k = 0; k < o->rule->scalar_count; k++) {
    kinds[k] = cliv__lr_dependence((const double[]){at[0][k], at[1][k], at[2][k]});
    good = good && kinds[k] >= 0;
  }
  return good;
}

bool cliv__any_bound(const cliv_optimizer *o) {
  for (int g = 0; o->bound && g < o->group_count; g++)
    if (o->bound[g]) return true;
  return false;
}

void cliv__bind_free(cliv_optimizer *o) {
  for (int g = 0; o->bound && g < o->group_count; g++) cliv_tensor_free(o->bound[g]);
  free(o->bound);
}

static cliv_status check_good(const cliv_optimizer *o, bool good) {
  REQUIRE(o->ctx, good, VALUE,
          "steps of %s are not proportional to lr, or remember it; a factor cannot be put to them afterwards",
          o->rule->info.name);
  return CLIV_OK;
}

/* Whether each scalar of the rule depends on lr in a way that a factor can be put to afterwards: in the first step, and
 * in one that is not. */
static cliv_status check_rule(const cliv_optimizer *o, const double *hyper) {
  static const double none[CLIV__MAX_MEMORY] = {0};
  int kinds[CLIV__MAX_SCALARS];
  size_t depend = 0;
  TRY(check_good(o, cliv__lr_kinds(o, hyper, 1, none, SIZE_MAX, kinds)));
  TRY(check_good(o, cliv__lr_kinds(o, hyper, 3, none, SIZE_MAX, kinds)));
  for (size_t k = 0; k < o->rule->scalar_count; k++) depend += kinds[k] != CLIV__FREE;
  return check_good(o, depend);
}

static cliv_status check_factor(const cliv_optimizer *o, const cliv_tensor *factor) {
  char a[160];
  if (!factor) return CLIV_OK;
  REQUIRE(o->ctx, factor->ctx == o->ctx, VALUE, "the factor belongs to another context than the optimizer");
  REQUIRE(o->ctx, factor->dtype == CLIV_F32, DTYPE, "the factor is %s; it must be float32", cliv__describe(factor, a));
  REQUIRE(o->ctx, factor->count == 1, SHAPE, "the factor is %s; it must have one element", cliv__describe(factor, a));
  return CLIV_OK;
}

cliv_status cliv_optimizer_bind(cliv_optimizer *o, int group, const char *hyper, const cliv_tensor *factor) {
  REQUIRE_NOT_NULL(NULL, o);
  REQUIRE_NOT_NULL(o->ctx, hyper);
  REQUIRE(o->ctx, group == CLIV_ALL_GROUPS || (group >= 0 && group < o->group_count), VALUE,
          "there is no parameter group %d; the last one is %d", group, o->group_count - 1);
  REQUIRE(o->ctx, !strcmp(hyper, "lr"), NAME, "'%s' cannot be bound to a tensor; lr can", hyper);
  TRY(check_factor(o, factor));
  const int first = group == CLIV_ALL_GROUPS ? 0 : group, end = group == CLIV_ALL_GROUPS ? o->group_count : group + 1;
  for (int g = first; factor && g < end; g++) TRY(check_rule(o, cliv__hyper(o, g)));
  if (!o->bound) o->bound = calloc((size_t)o->group_count, sizeof *o->bound);
  cliv_tensor **views = calloc((size_t)o->group_count, sizeof *views);
  cliv_status status = o->bound && views ? CLIV_OK : cliv__fail(o->ctx, CLIV_HOST_MEMORY, "no memory for a binding");
  for (int g = first; !status && factor && g < end; g++) status = cliv_tensor_view(factor, 0, 0, NULL, 0, &views[g]);
  for (int g = first; !status && g < end; g++) {
    cliv_tensor *before = o->bound[g];
    o->bound[g] = views[g], views[g] = before;
  }
  for (int g = 0; views && g < o->group_count; g++) cliv_tensor_free(views[g]);
  free(views);
  if (!status) o->stale = true;
  return status;
}

cliv_status cliv__bind_check(cliv_optimizer *o) {
  for (size_t r = 0; o->bound && r < o->plan.row_count; r++) {
    cliv__row *row = &o->plan.rows[r];
    if (row->frozen || !o->bound[row->group]) continue;
    const uint64_t t = o->steps + 1 - row->born;
    TRY(check_good(o, cliv__lr_kinds(o, cliv__hyper_now(o, row->group), t, row->past.memory, r, row->kinds)));
  }
  return CLIV_OK;
}

cliv_status cliv__bind_enqueue(cliv_optimizer *o, const cliv_sync *sync) {
  const cliv__plan *plan = &o->plan;
  const cl_uint count = (cl_uint)(plan->row_count * plan->row_floats);
  cl_uint first = 1;
  cl_kernel kernel;
  TRY(cliv__kernel(o->ctx, "divide.cl fused.cl optim_bind.cl", "-D SINGLE", "optim_bind", &kernel));
  for (int g = 0; g < o->group_count; g++) {
    const cliv_tensor *factor = o->bound[g];
    if (!factor) continue;
    const cliv_sync part = cliv__sync_part(sync, first, false);
    const cl_uint binding = (cl_uint)g + 1;
    const cl_ulong at = cliv__first(factor);
    TRY(LAUNCH(o->ctx, kernel, RANGE1(count, cliv__group(o->ctx, GROUP)), &part, ARG(plan->sent), ARG(count),
               ARG(binding), ARG(first), ARG(factor->mem), ARG(at), ARG(plan->scalars)));
    first = 0;
  }
  return CLIV_OK;
}
