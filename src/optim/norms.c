/* Between the two launches of a rule with norms: sums over tensors, and what follows of them. See optim/rules.h; the
 * launches are cl/optim_prepare.cl and cl/optim.cl. */
#include <cliv/reduce.h>
#include <stdio.h>
#include <stdlib.h>

#include "optim/optim.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum { GROUP_SIZE = 64 };

const cliv__norms_of_rule cliv__cautious_norms = {.measures = 1, .numbers = 1, .prepare = {.reads = ~0u}};

/* As in cl/optim_decide.cl. */
typedef struct member {
  cl_ulong count;
  cl_uint param, segment;
} member;

void cliv__norming_free(cliv__norming *n) {
  cliv_tensor *const tensors[] = {n->parts, n->sums, n->numbers};
  for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) cliv_tensor_free(tensors[i]);
  cliv_segments_free(n->segments);
  if (n->members) clReleaseMemObject(n->members);
  if (n->scopes) clReleaseMemObject(n->scopes);
  *n = (cliv__norming){0};
}

/* ---- numbers ---- */

/* Which of a tensor's numbers a state is. */
static size_t number_of(const cliv__rule *rule, size_t state) {
  size_t number = 0;
  for (size_t k = 0; k < state; k++) number += cliv__state_shape(rule, k) == CLIV_STATE_TENSOR;
  return number;
}

cliv_status cliv__norming_state(const cliv_optimizer *o, size_t param, size_t state, cliv_tensor **view) {
  const cliv__norming *n = &o->plan.norming;
  const size_t first = param * n->of->numbers + number_of(o->rule, state);
  return cliv_tensor_view(n->numbers, first, 0, NULL, 0, view);
}

static void initial_numbers(const cliv_optimizer *o, size_t param, float *numbers) {
  const cliv_rule_info *rule = &o->rule->info;
  for (size_t k = 0; k < rule->state_count; k++) {
    const char *hyper = rule->states[k].initial;
    if (cliv__state_shape(o->rule, k) == CLIV_STATE_TENSOR && hyper)
      numbers[number_of(o->rule, k)] = (float)cliv__hyper(o, o->params[param].group)[cliv__rule_hyper(o->rule, hyper)];
  }
}

/* `count` tensors' numbers. */
static cliv_status copy_numbers(const cliv__norming *from, size_t from_param, const cliv__norming *to, size_t to_param,
                                size_t count) {
  const size_t each = to->of->numbers, all = count * each;
  cliv_tensor *a, *b = NULL;
  TRY(cliv_tensor_view(from->numbers, from_param * each, 1, &all, 0, &a));
  cliv_status status = cliv_tensor_view(to->numbers, to_param * each, 1, &all, 0, &b);
  if (!status) status = cliv_tensor_copy(a, b, NULL);
  cliv_tensor_free(a);
  cliv_tensor_free(b);
  return status;
}

/* Of the tensors in the plan in force one that has what all share: those that never took a step have what they began
 * with, the frozen ones what was known then. False: none has taken a step. */
static bool find_latest(const cliv_optimizer *o, size_t *out) {
  const cliv__plan *plan = &o->plan;
  bool found = false, taking_part = false;
  *out = 0;
  for (size_t i = 0; i < plan->param_count; i++) {
    if (o->params[i].p->count == 0 || cliv__age(o, i) == 0) continue;
    const bool part = !plan->rows[plan->places[i].row].frozen;
    if (found && (part != taking_part ? taking_part : cliv__age(o, i) <= cliv__age(o, *out))) continue;
    *out = i, found = true, taking_part = part;
  }
  return found;
}

/* In the scope of all tensors, the first `count` of them in `n` take what the plan in force knows last. */
static cliv_status share_numbers(const cliv_optimizer *o, const cliv__norming *n, size_t count) {
  const cliv__norming *from = &o->plan.norming;
  size_t latest;
  if (!from->numbers || from->of->scope == CLIV__EACH_TENSOR || !find_latest(o, &latest)) return CLIV_OK;
  for (size_t i = 0; i < count; i++)
    if (n != from || i != latest) TRY(copy_numbers(from, latest, n, i, 1));
  return CLIV_OK;
}

cliv_status cliv__norming_share(const cliv_optimizer *o) {
  return share_numbers(o, &o->plan.norming, o->plan.param_count);
}

/* Numbers of the plan in force are kept, and what comes later, or was frozen, takes those that are shared. */
static cliv_status carry_numbers(const cliv_optimizer *o, const cliv__norming *n) {
  const cliv__norming *old = &o->plan.norming;
  if (!old->numbers || o->plan.param_count == 0) return CLIV_OK;
  TRY(copy_numbers(old, 0, n, 0, o->plan.param_count));
  return share_numbers(o, n, o->param_count);
}

static cliv_status make_numbers(const cliv_optimizer *o, cliv__norming *n) {
  const size_t each = n->of->numbers, shape[] = {o->param_count, each};
  TRY(cliv_tensor_create(o->ctx, CLIV_F32, 2, shape, &n->numbers));
  float *initial = calloc(o->param_count * each + 1, sizeof *initial);
  REQUIRE(o->ctx, initial != NULL, HOST_MEMORY, "no memory for the numbers of %zu parameters", o->param_count);
  for (size_t i = 0; i < o->param_count; i++) initial_numbers(o, i, initial + i * each);
  const cliv_status status =
      o->param_count ? cliv_tensor_write(n->numbers, initial, o->param_count * each * sizeof *initial) : CLIV_OK;
  free(initial);
  return status ? status : carry_numbers(o, n);
}

/* ---- sums ---- */

static cliv_status make_sums(const cliv_optimizer *o, cliv__norming *n, const size_t *order) {
  const size_t measures = n->of->measures, parts = measures * n->chunks, count = measures * n->tensors;
  uint64_t *offsets = malloc((count + 1) * sizeof *offsets);
  REQUIRE(o->ctx, offsets != NULL, HOST_MEMORY, "no memory for the sums of %zu tensors", (size_t)n->tensors);
  offsets[0] = 0;
  for (size_t i = 0; i < count; i++)
    offsets[i + 1] = offsets[i] + cliv__div_up(o->params[order[i % n->tensors]].p->count, CLIV__NORM_CHUNK);
  cliv_status status = cliv_segments_create(o->ctx, count, offsets, &n->segments);
  free(offsets);
  if (!status) status = cliv_tensor_create(o->ctx, CLIV_F32, 1, &parts, &n->parts);
  return status ? status : cliv_tensor_create(o->ctx, CLIV_F32, 1, &count, &n->sums);
}

static cliv_status make_scopes(const cliv_optimizer *o, cliv__norming *n, const size_t *order) {
  const bool all = n->of->scope == CLIV__ALL_TENSORS;
  member *members = malloc(n->tensors * sizeof *members);
  cl_uint *scopes = malloc((n->tensors + 1) * sizeof *scopes), *segment = calloc(o->param_count, sizeof *segment);
  bool *taking_part = calloc(o->param_count, sizeof *taking_part);
  cliv_status status =
      members && scopes && segment && taking_part
          ? CLIV_OK
          : cliv__fail(o->ctx, CLIV_HOST_MEMORY, "no memory for a table of %zu tensors", (size_t)n->tensors);
  for (cl_uint i = 0; !status && i < n->tensors; i++) segment[order[i]] = i, taking_part[order[i]] = true;
  cl_uint at = 0;
  for (size_t i = 0; !status && i < o->param_count; i++) {
    if (!taking_part[i]) continue;
    scopes[at] = at;
    members[at++] = (member){o->params[i].p->count, (cl_uint)i, segment[i]};
  }
  n->scope_count = all ? 1 : at;
  if (!status) scopes[n->scope_count] = at;
  if (!status) status = cliv__upload(o->ctx, members, at * sizeof *members, "clCreateBuffer", &n->members);
  if (!status)
    status = cliv__upload(o->ctx, scopes, (n->scope_count + 1) * sizeof *scopes, "clCreateBuffer", &n->scopes);
  free(members);
  free(scopes);
  free(segment);
  free(taking_part);
  return status;
}

/* ---- a step ---- */

static cliv_status add_up(const cliv_optimizer *o, const cliv__norming *n) {
  return cliv_reduce_over(o->ctx, "sum", &(cliv_over){.segments = n->segments}, n->parts, NULL, n->sums, NULL);
}

static cliv_status find_kernel(const cliv_optimizer *o, const cliv__norming *n, cl_kernel *out) {
  char options[160];
  const char *controlled = o->control.on ? " -D CONTROLLED" : "";
  if (n->of == &cliv__cautious_norms) {
    snprintf(options, sizeof options, "-D SINGLE -D CAUTIOUS -D MEASURES=%u%s", n->of->measures, controlled);
    return cliv__kernel(o->ctx, "divide.cl optim_row.cl optim_sum.cl optim_decide.cl", options, "optim_decide", out);
  }
  snprintf(options, sizeof options, "-D SINGLE -D RULE=%s -D MEASURES=%u%s", o->rule->function, n->of->measures,
           controlled);
  return cliv__kernel(o->ctx,
                      "divide.cl fused.cl optim_math.cl optim_norm_ops.cl optim_row.cl optim_sum.cl "
                      "optim_decide_ops.cl optim_decide.cl",
                      options, "optim_decide", out);
}

/* Sums once, so that a step that has begun is not the first to compile. */
cliv_status cliv__norming_make(const cliv_optimizer *o, cliv__plan *plan, const size_t *order, size_t count,
                               size_t chunks) {
  cliv__norming *n = &plan->norming;
  cl_kernel kernel;
  n->chunks = (cl_uint)chunks;
  n->tensors = (cl_uint)count;
  TRY(make_numbers(o, n));
  if (count == 0) return CLIV_OK;
  TRY(make_sums(o, n, order));
  TRY(make_scopes(o, n, order));
  TRY(find_kernel(o, n, &kernel));
  TRY(cliv_tensor_fill(n->parts, 0, NULL));
  return add_up(o, n);
}

cliv_status cliv__norming_decide(const cliv_optimizer *o) {
  const cliv__norming *n = &o->plan.norming;
  cl_kernel kernel;
  TRY(add_up(o, n));
  TRY(find_kernel(o, n, &kernel));
  const bool cpu = o->ctx->walk == CLIV_WALK_CPU;
  const size_t local = cpu ? 1 : cliv__group(o->ctx, GROUP_SIZE);
  cliv__arg args[8];
  size_t count = 0;
  if (o->control.on) args[count++] = ARG(o->control.verdict);
  args[count++] = ARG(n->sums->mem);
  args[count++] = ARG(n->tensors);
  args[count++] = ARG(n->members);
  args[count++] = ARG(n->scopes);
  args[count++] = ARG(n->scope_count);
  args[count++] = ARG(o->plan.scalars);
  args[count++] = ARG(n->numbers->mem);
  return cliv__launch(o->ctx, kernel, RANGE1(cpu ? 1 : cliv__round_up(n->scope_count, local), local), SYNC_NONE, args,
                      count);
}
