/* A step: scalars, what goes before, the launches that a plan has. See cliv/optim.h. */
#include <string.h>

#include "optim/optim.h"
#include "optim/user_rule.h"
#include "runtime/stage.h"
#include "runtime/tensor.h"

/* Whether a schedule has made parameters cautious, or not cautious any more. */
static bool caution_turned(const cliv_optimizer *o) {
  for (size_t i = 0; o->cautious >= 0 && o->scheduled_count && i < o->plan.param_count; i++)
    if (o->plan.places[i].cautious != cliv__is_cautious(o, o->params[i].group)) return true;
  return false;
}

/* A group's hyper-parameters in the step after `steps` others. */
static void hypers_at(const cliv_optimizer *o, int group, uint64_t steps, double *out) {
  for (size_t k = 0; k < o->rule->info.hyper_count; k++) out[k] = cliv__value_at(o, group, (int)k, steps);
}

static cliv_status settle_hypers(cliv_optimizer *o) {
  const cliv_rule_info *rule = &o->rule->info;
  for (int group = 0; group < o->group_count; group++) {
    double *now = cliv__hyper_now(o, group);
    hypers_at(o, group, o->steps, now);
    for (size_t k = 0; k < rule->hyper_count; k++)
      TRY(cliv__check_bounds(o->ctx, rule->name, &rule->hypers[k], now[k]));
  }
  return CLIV_OK;
}

static cliv_status check_conflicts(const cliv_optimizer *o) {
  for (int group = 0; group < o->group_count; group++)
    REQUIRE(o->ctx, o->precision.states != CLIV_U8 || !cliv__is_cautious(o, group), VALUE,
            "%s in group %d: cautious steps are by tensors, and states in 8 bits go by blocks: store them as bfloat16",
            o->rule->info.name, group);
  if (!o->rule->conflict) return CLIV_OK;
  for (int group = 0; group < o->group_count; group++) {
    const char *sentence = o->rule->conflict(cliv__hyper_now(o, group));
    REQUIRE(o->ctx, sentence == NULL, VALUE, "%s in group %d: %s", o->rule->info.name, group, sentence);
  }
  return CLIV_OK;
}

/* Goes through the steps before t, with hyper-parameters as they are set now and schedules as they were then. */
static void go_through(const cliv_optimizer *o, cliv__row *row, uint64_t t) {
  double then[CLIV__MAX_HYPERS];
  row->past = (cliv__past){.remembered = t - 1};
  for (uint64_t k = 1; k < t; k++) {
    hypers_at(o, row->group, row->born + k - 1, then);
    o->rule->advance(then, k, row->past.memory);
  }
}

/* Where the count of steps was set. */
static void catch_up(cliv_optimizer *o) {
  for (size_t r = 0; o->rule->advance && r < o->plan.row_count; r++) {
    cliv__row *row = &o->plan.rows[r];
    if (!row->frozen && row->past.remembered != o->steps - row->born) go_through(o, row, o->steps + 1 - row->born);
  }
}

/* Takes the row's memory to step t, into `next`. */
static void remember(const cliv_optimizer *o, cliv__row *row, const double *hyper, uint64_t t) {
  memcpy(row->next, row->past.memory, sizeof row->next);
  o->rule->advance(hyper, t, row->next);
}

/* Rows are then one a parameter. */
static void shape_scalars(const cliv_optimizer *o, size_t param, const double *hyper, double *scalars) {
  const cliv_tensor *p = o->params[param].p;
  if (p->count) o->rule->of_shape(hyper, (double)cliv__matrix_rows(p), (double)cliv__matrix_columns(p), scalars);
}

/* Whether a tensor has taken a step: as a rule the first one has. */
static bool scope_begun(const cliv_optimizer *o) {
  size_t i = 0;
  while (i < o->param_count && (o->params[i].p->count == 0 || cliv__age(o, i) == 0)) i++;
  return i < o->param_count;
}

void cliv__scalars(const cliv_optimizer *o, const double *hyper, uint64_t t, const double *memory, size_t param,
                   double *out) {
  if (o->own) cliv__user_scalars(o->rule, hyper, t, out);
  else o->rule->scalars(hyper, t, memory, out);
  if (o->rule->of_shape && param < o->param_count) shape_scalars(o, param, hyper, out);
  if (o->rule->of_scope && param < o->param_count) o->rule->of_scope(scope_begun(o), out);
}

/* Behind all values, the words of cl/optim_bind.cl on a row whose lr is bound. */
static void say_bindings(const cliv_optimizer *o, size_t r, float *words) {
  const cliv__row *row = &o->plan.rows[r];
  const float binding = o->bound[row->group] ? 4.0f * (float)(row->group + 1) : 0;
  words[0] = binding + CLIV__FREE, words[1] = binding + CLIV__PROPORTIONAL, words[2] = binding + CLIV__SHRINKS;
  for (size_t k = 0; k < o->rule->scalar_count; k++)
    words[CLIV__ROW_COMMON + k] = binding > 0 ? binding + (float)row->kinds[k] : 0;
}

/* What the chunks of each row see in this step. */
static void scalars_of_step(cliv_optimizer *o, float *values) {
  const cliv__plan *plan = &o->plan;
  for (size_t r = 0; r < plan->row_count; r++, values += plan->row_floats) {
    cliv__row *row = &plan->rows[r];
    if (row->frozen) continue;
    const double *hyper = cliv__hyper_now(o, row->group);
    const uint64_t t = o->steps + 1 - row->born;
    double scalars[CLIV__MAX_SCALARS] = {0};
    if (o->rule->advance) remember(o, row, hyper, t);
    cliv__scalars(o, hyper, t, row->next, r, scalars);
    if (plan->bound) say_bindings(o, r, values + plan->row_count * plan->row_floats);
    const double lr = cliv__value_or_0(hyper, o->lr);
    const double divisor = o->control.on ? 1 : cliv__gradient_scale(o); /* else the look at the gradients divides */
    values[0] = (float)((cliv__value_or_0(hyper, o->maximize) != 0 ? -1 : 1) / divisor);
    values[1] = (float)(lr * cliv__value_or_0(hyper, o->prox_l1));
    values[2] = (float)(1 / (1 + lr * cliv__value_or_0(hyper, o->prox_l2)));
    for (size_t k = 0; k < o->rule->scalar_count; k++) values[CLIV__ROW_COMMON + k] = (float)scalars[k];
  }
}

static void swap_memories(cliv_optimizer *o) {
  for (size_t r = 0; o->rule->advance && r < o->plan.row_count; r++) {
    cliv__row *row = &o->plan.rows[r];
    double before[CLIV__MAX_MEMORY];
    if (row->frozen) continue;
    memcpy(before, row->past.memory, sizeof before);
    memcpy(row->past.memory, row->next, sizeof before);
    memcpy(row->next, before, sizeof before);
    row->past.remembered = o->steps - row->born;
  }
}

/* The step is on its way: what was worked out for it is the past, and the past waits in its place. */
static void step_taken(cliv_optimizer *o) {
  o->steps++;
  swap_memories(o);
}

/* It has been left out after all. */
void cliv__step_untaken(cliv_optimizer *o) {
  o->steps--;
  swap_memories(o);
}

/* Sends this step's scalars, unless the device has them. */
static cliv_status send_scalars(cliv_optimizer *o) {
  cliv__plan *plan = &o->plan;
  cliv__slot *slot = &plan->slots[plan->slot];
  if (slot->written) {
    const cl_int waited = clWaitForEvents(1, &slot->written);
    clReleaseEvent(slot->written);
    slot->written = NULL; /* what failed does so once */
    CL_TRY(o->ctx, waited, "clWaitForEvents");
  }
  const size_t bytes = (plan->bound ? 2 : 1) * plan->row_count * plan->row_floats * sizeof(float);
  scalars_of_step(o, slot->values);
  if (plan->current && !memcmp(plan->current, slot->values, bytes)) return CLIV_OK;
  plan->current = NULL;
  cliv__order order;
  TRY(cliv__order_begin(o->ctx, &(cliv_sync){0, NULL, &slot->written}, &order));
  TRY(cliv__order_end(o->ctx, &order,
                      clEnqueueWriteBuffer(o->ctx->queue, plan->sent, CL_FALSE, 0, bytes, slot->values,
                                           order.wait_count, order.wait, order.event),
                      "clEnqueueWriteBuffer"));
  plan->current = slot->values;
  plan->slot = (plan->slot + 1) % CLIV__SLOTS;
  return CLIV_OK;
}

static cliv_status launch(const cliv_optimizer *o, const cliv__batch *batch, cl_kernel kernel, const cliv_sync *sync) {
  const bool prepare = kernel == batch->prepare; /* the first of two launches with sums between */
  const cliv__plan *plan = &o->plan;
  const cliv__bank *bank = &plan->banks[batch->bank];
  const bool runs = o->ctx->walk == CLIV_WALK_CPU;
  const cliv__norming *norming = &plan->norming;
  cliv__arg args[CLIV__PLANES + 16];
  size_t n = 0;
  args[n++] = ARG(batch->p);
  args[n++] = ARG(batch->g);
  const cl_ulong seed = o->precision.seed, steps = o->steps;
  for (size_t k = 0; k < CLIV__PLANES; k++) {
    if (bank->plane[k]) args[n++] = ARG(bank->plane[k]->mem);
    if (k != CLIV__WEIGHT_PLANE || !batch->random) continue;
    args[n++] = ARG(plan->origins);
    args[n++] = ARG(seed);
    args[n++] = ARG(steps);
  }
  if (o->control.on) args[n++] = ARG(o->control.verdict);
  if (plan->pieces) {
    args[n++] = ARG(o->control.units.table);
    args[n++] = ARG(plan->pieces);
  }
  if (batch->factored) {
    args[n++] = ARG(plan->factors.scales->mem);
    args[n++] = ARG(plan->lattices);
  }
  if (batch->prepare) args[n++] = ARG(norming->numbers->mem);
  args[n++] = ARG(plan->chunks);
  args[n++] = ARG(plan->scalars);
  if (runs) args[n++] = ARG(plan->runs);
  args[n++] = ARG(batch->first);
  args[n++] = ARG(batch->count);
  if (prepare) args[n++] = ARG(norming->parts->mem);
  if (prepare) args[n++] = ARG(norming->chunks);
  const size_t local = runs ? 1 : batch->local;
  return cliv__launch(o->ctx, kernel, RANGE1(batch->count * local, local), sync, args, n);
}

/* What a rule with norms, or a cautious one, does before its step. */
static cliv_status prepare(const cliv_optimizer *o, const cliv_sync *sync) {
  bool first = true;
  if (o->plan.factors.job_count > 0) {
    TRY(cliv__factors_enqueue(o, sync));
    first = false;
  }
  for (size_t i = 0; i < o->plan.batch_count; i++) {
    const cliv__batch *batch = &o->plan.batches[i];
    if (!batch->prepare) continue;
    const cliv_sync part = cliv__sync_part(sync, first, false);
    TRY(launch(o, batch, batch->prepare, &part));
    first = false;
  }
  return cliv__norming_decide(o);
}

/* What stands behind a launch, parameter by parameter. */
static cliv_status follow(cliv_optimizer *o, const cliv__phase *phase) {
  for (size_t i = 0; phase->then && i < o->param_count; i++)
    if (cliv__takes_part(o, i)) TRY(phase->then(o, i));
  return CLIV_OK;
}

/* The launches of a rule that takes matrices, all but the last, which is the step. */
static cliv_status work_up(cliv_optimizer *o, const cliv_sync *sync) {
  const cliv__phase *phases = o->rule->phases;
  for (size_t k = 0; k + 1 < CLIV__MAX_PHASES && phases[k + 1].function; k++) {
    for (size_t i = 0; i < o->plan.batch_count; i++) {
      const cliv_sync part = cliv__sync_part(sync, k == 0 && i == 0, false);
      TRY(launch(o, &o->plan.batches[i], o->plan.batches[i].phases[k], &part));
    }
    TRY(follow(o, &phases[k]));
  }
  return CLIV_OK;
}

/* Products on the host's word cannot be left out by the device's: their rules wait for its verdict on the gradients.
 * True: the step has been left out. */
static cliv_status left_out(cliv_optimizer *o, bool *out) {
  *out = false;
  if (o->control.options.nonfinite != CLIV_NONFINITE_SKIP) return CLIV_OK;
  TRY(cliv__control_wait(o, out));
  if (!*out) return CLIV_OK;
  step_taken(o);
  o->control.undecided = true;
  return cliv__control_settle(o);
}

/* What changes states and weights: the launches before the last of each tensor, and those. *before: how many come
 * before the first that changes weights. */
static cliv_status write_down(cliv_optimizer *o, bool norms, bool matrices, const cliv_sync *sync, size_t *before) {
  const size_t batches = o->plan.batch_count;
  if (norms) TRY(prepare(o, SYNC_FIRST(sync)));
  if (matrices) TRY(work_up(o, SYNC_FIRST(sync)));
  *before = cliv__stage_count(o->ctx);
  for (size_t i = 0; i < batches; i++) {
    const cliv_sync part = cliv__sync_part(sync, i == 0 && *before == 0, i + 1 == batches);
    TRY(launch(o, &o->plan.batches[i], o->plan.batches[i].kernel, &part));
  }
  return CLIV_OK;
}

/* All of it or nothing, unless the driver takes some launches and refuses one: then the step is torn. */
static cliv_status enqueue(cliv_optimizer *o, bool norms, bool matrices, const cliv_sync *sync) {
  size_t before = 0;
  TRY(cliv__stage_begin(o->ctx));
  const cliv_status status = write_down(o, norms, matrices, sync, &before);
  const cliv_status ended = cliv__stage_end(o->ctx, status, &o->launched);
  o->moved = o->launched > before;
  o->torn = ended && o->launched > 0;
  return ended;
}

cliv_status cliv__optimizer_step(cliv_optimizer *o, bool prepares, const cliv_sync *sync) {
  o->launched = 0;
  o->moved = false;
  TRY(cliv__control_settle(o));
  TRY(settle_hypers(o));
  TRY(check_conflicts(o));
  if (o->stale || caution_turned(o)) TRY(cliv__plan_make(o));
  catch_up(o);
  TRY(cliv__bind_check(o));
  const size_t batches = o->plan.batch_count;
  const bool controlled = batches && o->control.on, norms = batches && o->plan.norming.of && prepares;
  const bool smoothed = batches && o->control.smooth.all, bound = batches && o->plan.bound;
  const bool matrices = batches && cliv__takes_matrices(o->rule);
  if (smoothed) TRY(cliv__smooth_enqueue(o, sync));
  if (controlled) TRY(cliv__control_enqueue(o, smoothed ? SYNC_NONE : sync));
  if (batches == 0) TRY(cliv__nothing(o->ctx, sync));
  else TRY(send_scalars(o));
  if (bound) TRY(cliv__bind_enqueue(o, smoothed || controlled ? SYNC_NONE : sync));
  if (matrices && controlled) {
    bool none;
    TRY(left_out(o, &none));
    if (none) return cliv__nothing(o->ctx, SYNC_LAST(sync));
  }
  const cliv_sync rest = cliv__sync_part(sync, !smoothed && !controlled && !bound, true);
  if (batches) TRY(enqueue(o, norms, matrices, &rest));
  step_taken(o);
  o->control.undecided = controlled && o->control.options.nonfinite == CLIV_NONFINITE_SKIP;
  return CLIV_OK;
}

cliv_status cliv__check_whole(const cliv_optimizer *o) {
  REQUIRE(
      o->ctx, !o->torn, STATE,
      "the driver took %zu launches of step %llu and refused the next, so that weights and states are neither those "
      "before it nor those after: load both from where they were saved (cliv_optimizer_load), or write them and set "
      "the count of steps (cliv_optimizer_set_steps)",
      o->launched, (unsigned long long)o->steps + 1);
  return CLIV_OK;
}

cliv_status cliv_optimizer_step(cliv_optimizer *o, const cliv_sync *sync) {
  TRY(cliv__check_sync(o ? o->ctx : NULL, sync));
  REQUIRE_NOT_NULL(NULL, o);
  REQUIRE(o->ctx, o->lent == NULL, STATE,
          "the parameters are what is to be evaluated; turn them back (cliv_optimizer_evaluate) before a step");
  TRY(cliv__check_in_place(o));
  TRY(cliv__check_whole(o));
  return o->gatherer ? cliv__gathered_step(o, sync) : cliv__optimizer_step(o, true, sync);
}
