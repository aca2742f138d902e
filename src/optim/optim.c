/* Optimizers: groups, hyper-parameters, tensors, states. See cliv/optim.h; memory and launches are laid out in plan.c,
 * steps are step.c's. */
#include "optim/optim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "base/text.h"
#include "optim/user_rule.h"
#include "runtime/tensor.h"

enum {
  CHUNK = CLIV__NORM_CHUNK,
  CHUNK_STEP = 64,
  CHUNK_MAX = 1 << 20,
  LAUNCH_MAX = 1 << 28 /* elements: about half a second at 16 GB/s, below every desktop's watchdog */
};

/* Names that there are, NULL past the last. */
typedef const char *names_of(const cliv_rule_info *rule, size_t i);

static const char *rule_name(const cliv_rule_info *rule, size_t i) {
  (void)rule;
  return i < cliv_rule_count() ? cliv_rule_get(i)->name : NULL;
}
static const char *preset_name(const cliv_rule_info *rule, size_t i) {
  return i < rule->preset_count ? rule->presets[i].name : NULL;
}
static const char *hyper_name(const cliv_rule_info *rule, size_t i) {
  return i < rule->hyper_count ? rule->hypers[i].name : NULL;
}

/* A name that is not among these, with all that are. */
static cliv_status fail_name(cliv_context *ctx, const char *what, const char *name, names_of *names,
                             const cliv_rule_info *rule) {
  cliv__text text = {0};
  const char *close = "";
  size_t least = 0;
  for (size_t i = 0; names(rule, i); i++) {
    cliv__text_add(&text, i ? ", %s" : "%s", names(rule, i));
    if (cliv__closer(name, names(rule, i), &least)) close = names(rule, i);
  }
  char *list = cliv__text_take(&text);
  const cliv_status status = cliv__fail(ctx, CLIV_NAME, "%s%s%s '%s' is unknown%s%s%s; there are: %s", what,
                                        rule ? " of " : "", rule ? rule->name : "", name,
                                        *close ? " (did you mean " : "", close, *close ? "?)" : "", list ? list : "?");
  free(list);
  return status;
}

/* ---- making and freeing ---- */

static cliv_status check_chunk(cliv_context *ctx, size_t chunk) {
  REQUIRE(ctx, chunk % CHUNK_STEP == 0 && chunk <= CHUNK_MAX, VALUE,
          "a chunk of %zu elements is asked for; it must be a multiple of %d up to %d, or 0", chunk, CHUNK_STEP,
          CHUNK_MAX);
  return CLIV_OK;
}

cliv_status cliv__optimizer_make(cliv_context *ctx, const cliv__rule *rule, cliv__rule *own,
                                 const cliv_optimizer_options *options, cliv_optimizer **out) {
  const cliv_preset_info *preset = cliv__rule_preset(rule, options->preset);
  if (!preset) return fail_name(ctx, "preset", options->preset, preset_name, &rule->info);
  cliv__precision precision;
  TRY(cliv__precision_make(ctx, rule, options, &precision));
  cliv_optimizer *o = calloc(1, sizeof *o);
  double *hyper = malloc(rule->info.hyper_count * sizeof *hyper), *now = malloc(rule->info.hyper_count * sizeof *now);
  if (!o || !hyper || !now) {
    free(o);
    free(hyper);
    free(now);
    cliv__precision_free(&precision);
    return cliv__fail(ctx, CLIV_HOST_MEMORY, "no memory for an optimizer");
  }
  cliv__rule_defaults(rule, preset, hyper);
  o->ctx = ctx;
  o->rule = rule;
  o->own = own;
  o->precision = precision;
  o->chunk = options->chunk ? options->chunk : CHUNK;
  o->launch = LAUNCH_MAX;
  o->lr = cliv__rule_hyper(rule, "lr");
  o->maximize = cliv__rule_hyper(rule, "maximize");
  o->prox_l1 = cliv__rule_hyper(rule, "prox_l1");
  o->prox_l2 = cliv__rule_hyper(rule, "prox_l2");
  o->cautious = cliv__rule_hyper(rule, "cautious");
  o->group_count = 1;
  o->hyper = hyper;
  o->now = now;
  *out = o;
  return CLIV_OK;
}

cliv_status cliv_optimizer_create(cliv_context *ctx, const char *rule, const cliv_optimizer_options *options,
                                  cliv_optimizer **out) {
  REQUIRE_NOT_NULL(ctx, out);
  *out = NULL;
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, rule);
  cliv_optimizer_options own;
  TRY(OPTIONS(ctx, options, &own));
  TRY(check_chunk(ctx, own.chunk));
  const cliv__rule *found = cliv__rule_find(rule);
  if (!found) return fail_name(ctx, "update rule", rule, rule_name, NULL);
  return cliv__optimizer_make(ctx, found, NULL, &own, out);
}

cliv_status cliv_optimizer_create_user(cliv_context *ctx, const cliv_user_rule *rule,
                                       const cliv_optimizer_options *options, cliv_optimizer **out) {
  REQUIRE_NOT_NULL(ctx, out);
  *out = NULL;
  REQUIRE_NOT_NULL(ctx, ctx);
  cliv_optimizer_options own;
  TRY(OPTIONS(ctx, options, &own));
  TRY(check_chunk(ctx, own.chunk));
  cliv__rule *made = NULL;
  TRY(cliv__user_rule_make(ctx, rule, &made));
  const cliv_status status = cliv__optimizer_make(ctx, made, made, &own, out);
  if (status) cliv__user_rule_free(made);
  return status;
}

void cliv_optimizer_free(cliv_optimizer *o) {
  if (!o) return;
  cliv_optimizer_free(o->lent);
  cliv_optimizer_free(o->uphill);
  cliv_optimizer_free(o->gatherer);
  cliv__control_free(o);
  cliv__smooth_free(o);
  cliv__bind_free(o);
  cliv__plan_free(&o->plan);
  for (size_t i = 0; i < o->param_count; i++) {
    cliv_tensor_free(o->params[i].p);
    cliv_tensor_free(o->params[i].g);
    cliv_tensor_free(o->params[i].given);
  }
  free(o->params);
  free(o->hyper);
  free(o->now);
  free(o->scheduled);
  cliv__user_rule_free(o->own);
  cliv__precision_free(&o->precision);
  free(o);
}

const cliv_rule_info *cliv_optimizer_rule(const cliv_optimizer *o) { return &o->rule->info; }

/* ---- groups and hyper-parameters ---- */

static cliv_status check_group(const cliv_optimizer *o, int group) {
  REQUIRE(o->ctx, group >= 0 && group < o->group_count, VALUE, "there is no parameter group %d; the last one is %d",
          group, o->group_count - 1);
  return CLIV_OK;
}

cliv_status cliv_optimizer_group(cliv_optimizer *o, int *group) {
  REQUIRE_NOT_NULL(NULL, o);
  REQUIRE_NOT_NULL(o->ctx, group);
  const size_t each = o->rule->info.hyper_count;
  const size_t bytes = ((size_t)o->group_count + 1) * each * sizeof(double);
  double *hyper = realloc(o->hyper, bytes);
  if (hyper) o->hyper = hyper;
  double *now = realloc(o->now, bytes);
  if (now) o->now = now;
  cliv_tensor **bound = o->bound ? realloc(o->bound, ((size_t)o->group_count + 1) * sizeof *bound) : NULL;
  REQUIRE(o->ctx, hyper && now && (bound || !o->bound), HOST_MEMORY, "no memory for a parameter group");
  if (bound) o->bound = bound, bound[o->group_count] = NULL;
  *group = o->group_count++;
  memcpy(cliv__hyper(o, *group), cliv__hyper(o, 0), each * sizeof *hyper);
  return CLIV_OK;
}

static cliv_status find_hyper(const cliv_optimizer *o, const char *name, int *index) {
  *index = cliv__rule_hyper(o->rule, name);
  if (*index >= 0) return CLIV_OK;
  return fail_name(o->ctx, "hyper-parameter", name, hyper_name, &o->rule->info);
}

cliv_status cliv__check_bounds(cliv_context *ctx, const char *rule, const cliv_hyper_info *h, double value) {
  if (h->flag) REQUIRE(ctx, value == 0 || value == 1, VALUE, "%s of %s is %g; it must be 0 or 1", h->name, rule, value);
  else
    REQUIRE(ctx, value >= h->min && (h->max_excluded ? value < h->max : value <= h->max), VALUE,
            "%s of %s is %g; it must be at least %g and %s %g", h->name, rule, value, h->min,
            h->max_excluded ? "below" : "at most", h->max);
  return CLIV_OK;
}

cliv_status cliv_optimizer_set(cliv_optimizer *o, int group, const char *hyper, double value) {
  REQUIRE_NOT_NULL(NULL, o);
  REQUIRE_NOT_NULL(o->ctx, hyper);
  if (group != CLIV_ALL_GROUPS) TRY(check_group(o, group));
  int index;
  TRY(find_hyper(o, hyper, &index));
  TRY(cliv__check_bounds(o->ctx, o->rule->info.name, &o->rule->info.hypers[index], value));
  const int first = group == CLIV_ALL_GROUPS ? 0 : group, end = group == CLIV_ALL_GROUPS ? o->group_count : group + 1;
  for (int i = first; i < end; i++) {
    double *h = cliv__hyper(o, i);
    const unsigned before = cliv__rule_kept(o->rule, h);
    const bool prox = cliv__has_prox(o, i), cautious = cliv__is_cautious(o, i);
    const bool other_axes = o->rule->factors_hypers >> index & 1 && h[index] != value;
    h[index] = value;
    if (cliv__rule_kept(o->rule, h) != before || cliv__has_prox(o, i) != prox || cliv__is_cautious(o, i) != cautious)
      o->stale = true;
    if (other_axes) o->stale = true;
  }
  return CLIV_OK;
}

cliv_status cliv_optimizer_get(const cliv_optimizer *o, int group, const char *hyper, double *value) {
  REQUIRE_NOT_NULL(NULL, o);
  REQUIRE_NOT_NULL(o->ctx, hyper);
  REQUIRE_NOT_NULL(o->ctx, value);
  TRY(check_group(o, group));
  int index;
  TRY(find_hyper(o, hyper, &index));
  *value = cliv__hyper(o, group)[index];
  return CLIV_OK;
}

/* ---- schedules ---- */

/* The one in force, or NULL: that of the group goes before that of all. */
static const cliv_schedule *scheduled(const cliv_optimizer *o, int group, int hyper) {
  const cliv_schedule *found = NULL;
  for (size_t i = 0; i < o->scheduled_count; i++) {
    const cliv__scheduled *s = &o->scheduled[i];
    if (s->hyper != hyper || (s->group != group && (found || s->group != CLIV_ALL_GROUPS))) continue;
    found = s->schedule;
    if (s->group == group) break;
  }
  return found;
}

double cliv__value_at(const cliv_optimizer *o, int group, int hyper, uint64_t steps) {
  const cliv_schedule *s = scheduled(o, group, hyper);
  return cliv__hyper(o, group)[hyper] * (s ? cliv_schedule_factor(s, steps) : 1);
}

bool cliv__is_cautious(const cliv_optimizer *o, int group) {
  return o->cautious >= 0 && cliv__value_at(o, group, o->cautious, o->steps) != 0;
}

cliv_status cliv_optimizer_schedule(cliv_optimizer *o, int group, const char *hyper, const cliv_schedule *schedule) {
  REQUIRE_NOT_NULL(NULL, o);
  REQUIRE_NOT_NULL(o->ctx, hyper);
  if (group != CLIV_ALL_GROUPS) TRY(check_group(o, group));
  cliv__scheduled entry = {.group = group, .schedule = schedule};
  TRY(find_hyper(o, hyper, &entry.hyper));
  size_t i = 0;
  while (i < o->scheduled_count && (o->scheduled[i].group != group || o->scheduled[i].hyper != entry.hyper)) i++;
  if (i == o->scheduled_count && schedule) {
    cliv__scheduled *more = realloc(o->scheduled, (i + 1) * sizeof *more);
    REQUIRE(o->ctx, more != NULL, HOST_MEMORY, "no memory for a schedule");
    o->scheduled = more;
    o->scheduled_count++;
  }
  if (schedule) o->scheduled[i] = entry;
  else if (i < o->scheduled_count) o->scheduled[i] = o->scheduled[--o->scheduled_count];
  o->stale |= entry.hyper == o->cautious; /* launches depend on it */
  return CLIV_OK;
}

cliv_status cliv_optimizer_value(cliv_optimizer *o, int group, const char *hyper, double *value) {
  REQUIRE_NOT_NULL(NULL, o);
  REQUIRE_NOT_NULL(o->ctx, hyper);
  REQUIRE_NOT_NULL(o->ctx, value);
  TRY(cliv__control_settle(o));
  TRY(check_group(o, group));
  int index;
  TRY(find_hyper(o, hyper, &index));
  *value = cliv__value_at(o, group, index, o->steps);
  return CLIV_OK;
}

/* ---- tensors ---- */

cliv_status cliv__check_in_place(const cliv_optimizer *o) {
  REQUIRE(o->ctx, !o->perturbed, STATE, "the weights are perturbed; cliv_optimizer_restore puts them back first");
  return CLIV_OK;
}

static cliv_status check_tensor(const cliv_optimizer *o, const cliv_tensor *t, const char *what) {
  char a[160];
  REQUIRE(o->ctx, t->ctx == o->ctx, VALUE, "the %s belongs to another context than the optimizer", what);
  REQUIRE(o->ctx, t->dtype == CLIV_F32 || t->dtype == CLIV_F16 || t->dtype == CLIV_BF16, DTYPE,
          "the %s is %s; optimizers step float32, float16 and bfloat16", what, cliv__describe(t, a));
  REQUIRE(o->ctx, cliv__dense(t), LAYOUT, "the %s has rows of %zu with a pitch of %zu; it must be dense", what,
          t->columns, t->pitch);
  return CLIV_OK;
}

/* Square matrices of these sides are decomposed (cliv_eigen). */
static cliv_status check_sides(const cliv_optimizer *o, const cliv_tensor *p) {
  enum { MOST_SIDE = 1 << 14 };
  const size_t rows = cliv__matrix_rows(p), columns = cliv__matrix_columns(p);
  bool squares = false;
  for (size_t k = 0; k < o->rule->info.state_count; k++) squares |= cliv__square_of(o->rule, k) >= 0;
  REQUIRE(o->ctx, !squares || (rows <= MOST_SIDE && columns <= MOST_SIDE), SHAPE,
          "%s keeps square matrices of the sides of a parameter, and this one is %zu by %zu: sides may be up to %d; "
          "give it to another optimizer",
          o->rule->info.name, rows, columns, MOST_SIDE);
  return CLIV_OK;
}

static cliv_status check_overlap(const cliv_optimizer *o, const cliv_tensor *p, const cliv_tensor *g) {
  REQUIRE(o->ctx, !cliv__overlap(p, g), OVERLAP, "the parameter shares memory with its gradient");
  for (size_t i = 0; i < o->param_count; i++) {
    REQUIRE(o->ctx, !cliv__overlap(p, o->params[i].p), OVERLAP,
            "the parameter shares memory with parameter %zu, which is already there", i);
    REQUIRE(o->ctx, !cliv__overlap(p, cliv__given(&o->params[i])), OVERLAP,
            "the parameter shares memory with parameter %zu's gradient", i);
    REQUIRE(o->ctx, !cliv__overlap(g, o->params[i].p), OVERLAP, "the gradient shares memory with parameter %zu", i);
  }
  return CLIV_OK;
}

static cliv_status grow(cliv_optimizer *o) {
  if (o->param_count < o->param_room) return CLIV_OK;
  const size_t room = o->param_room ? 2 * o->param_room : 16;
  cliv__param *params = realloc(o->params, room * sizeof *params);
  REQUIRE(o->ctx, params != NULL, HOST_MEMORY, "no memory for %zu parameters", room);
  o->params = params;
  o->param_room = room;
  return CLIV_OK;
}

bool cliv__takes(const cliv_optimizer *o, const cliv_tensor *param) {
  return !cliv__takes_matrices(o->rule) || param->ndim >= 2;
}

cliv_status cliv_optimizer_add(cliv_optimizer *o, cliv_tensor *param, cliv_tensor *grad, int group) {
  REQUIRE_NOT_NULL(NULL, o);
  REQUIRE_NOT_NULL(o->ctx, param);
  REQUIRE_NOT_NULL(o->ctx, grad);
  TRY(cliv__control_settle(o));
  TRY(cliv__check_in_place(o));
  TRY(check_group(o, group));
  TRY(check_tensor(o, param, "parameter"));
  TRY(check_tensor(o, grad, "gradient"));
  char a[160], b[160];
  REQUIRE(o->ctx, cliv__same_shape(param, grad), SHAPE, "the parameter is %s, its gradient %s",
          cliv__describe(param, a), cliv__describe(grad, b));
  REQUIRE(o->ctx, cliv__takes(o, param), SHAPE,
          "%s steps matrices, and the parameter is %s: it needs two axes or more; give it to another optimizer",
          o->rule->info.name, cliv__describe(param, a));
  TRY(check_sides(o, param));
  TRY(cliv__factors_check(o, param, cliv__hyper(o, group)));
  TRY(check_overlap(o, param, grad));
  TRY(grow(o));
  cliv__param added = {.group = group, .born = o->steps};
  TRY(cliv_tensor_view(param, 0, param->ndim, param->shape, 0, &added.p));
  const cliv_status status = cliv_tensor_view(grad, 0, grad->ndim, grad->shape, 0, &added.g);
  if (status) {
    cliv_tensor_free(added.p);
    return status;
  }
  o->params[o->param_count++] = added;
  o->stale = o->control.stale = true;
  return CLIV_OK;
}

size_t cliv_optimizer_param_count(const cliv_optimizer *o) { return o->param_count; }

/* ---- states ---- */

static unsigned kept_by(const cliv_optimizer *o, size_t param) {
  const unsigned scratch = ((1u << o->rule->scratch_count) - 1) << o->rule->info.state_count;
  return param < o->param_count ? cliv__planes(o, param, cliv__hyper(o, o->params[param].group)) & ~scratch : 0;
}

const char *cliv_optimizer_state_name(const cliv_optimizer *o, size_t param, size_t k) {
  const unsigned kept = kept_by(o, param);
  for (size_t i = 0; i < CLIV__PLANES; i++)
    if (kept >> i & 1 && k-- == 0) return cliv__plane_name(o, i);
  return NULL;
}

size_t cliv_optimizer_state_count(const cliv_optimizer *o, size_t param) {
  size_t count = 0;
  while (cliv_optimizer_state_name(o, param, count)) count++;
  return count;
}

/* The plane of this name; the sentence lists those that the optimizer can have. */
static cliv_status find_plane(const cliv_optimizer *o, const char *name, size_t *out) {
  cliv__text names = {0};
  for (*out = 0; *out < CLIV__PLANES; ++*out) {
    const char *has = cliv__plane_name(o, *out);
    if (has && !strcmp(has, name)) return CLIV_OK;
  }
  for (size_t k = 0; k < CLIV__PLANES; k++)
    if (cliv__plane_name(o, k)) cliv__text_add(&names, k ? ", %s" : "%s", cliv__plane_name(o, k));
  char *list = cliv__text_take(&names);
  const cliv_status status = cliv__fail(o->ctx, CLIV_NAME, "state of %s '%s' is unknown; there are: %s",
                                        o->rule->info.name, name, list ? list : "none");
  free(list);
  return status;
}

cliv_status cliv_optimizer_state(cliv_optimizer *o, size_t param, const char *state, cliv_tensor **view) {
  REQUIRE_NOT_NULL(NULL, o);
  REQUIRE_NOT_NULL(o->ctx, view);
  *view = NULL;
  REQUIRE_NOT_NULL(o->ctx, state);
  REQUIRE(o->ctx, param < o->param_count, VALUE, "there is no parameter %zu; the optimizer has %zu", param,
          o->param_count);
  size_t k;
  TRY(find_plane(o, state, &k));
  const unsigned kept = kept_by(o, param);
  REQUIRE(o->ctx, kept >> k & 1, STATE, "%s keeps no %s of parameter %zu with these hyper-parameters (%s)",
          o->rule->info.name, state, param, cliv__plane_meaning(o, k));
  if (o->stale) TRY(cliv__plan_make(o));
  const cliv_tensor *p = o->params[param].p;
  const cliv__shape shape = cliv__plane_shape(o->rule, p, cliv__hyper(o, o->params[param].group), k);
  size_t numbers = 1;
  for (int i = 0; i < shape.ndim; i++) numbers *= shape.axes[i];
  if (p->count || (numbers && cliv__square_of(o->rule, k) < 0)) return cliv__plane_view(o, param, k, view);
  return cliv_tensor_create(o->ctx, cliv__plane_dtype(o, kept, p->dtype, k), shape.ndim, shape.axes, view);
}

/* A step whose verdict cannot be had does not count; that the device failed, the next call that needs it says. */
uint64_t cliv_optimizer_steps(cliv_optimizer *o) {
  (void)!cliv__control_settle(o);
  return o->steps;
}

cliv_status cliv_optimizer_set_steps(cliv_optimizer *o, uint64_t steps) {
  REQUIRE_NOT_NULL(NULL, o);
  TRY(cliv__control_settle(o));
  REQUIRE(o->ctx, steps <= CLIV__MOST_STEPS, VALUE, "%llu steps are beyond 2^53", (unsigned long long)steps);
  REQUIRE(o->ctx, !o->rule->advance || steps <= CLIV__MOST_GONE_THROUGH, VALUE,
          "%s would go through %llu steps, for what it keeps of them; it does so up to %llu: load what "
          "cliv_optimizer_save has written",
          o->rule->info.name, (unsigned long long)steps, (unsigned long long)CLIV__MOST_GONE_THROUGH);
  o->steps = steps;
  o->torn = false;
  const cliv__past unknown = {.remembered = UINT64_MAX};
  for (size_t r = 0; r < o->plan.row_count; r++) o->plan.rows[r].past = unknown;
  for (size_t i = 0; i < o->param_count; i++) {
    if (o->params[i].born) o->stale = true;
    o->params[i].born = 0;
    o->params[i].age = steps;
    o->params[i].past = unknown;
  }
  return CLIV_OK;
}

cliv_status cliv_optimizer_freeze(cliv_optimizer *o, size_t param, int on) {
  REQUIRE_NOT_NULL(NULL, o);
  TRY(cliv__control_settle(o));
  REQUIRE(o->ctx, param < o->param_count, VALUE, "there is no parameter %zu; the optimizer has %zu", param,
          o->param_count);
  cliv__param *p = &o->params[param];
  if (p->frozen == (on != 0)) return CLIV_OK;
  p->age = cliv__age(o, param);
  p->born = o->steps - p->age;
  p->frozen = on != 0;
  o->stale = o->control.stale = true;
  return CLIV_OK;
}

cliv_status cliv__freeze_alike(const cliv_optimizer *o, cliv_optimizer *other) {
  for (size_t i = 0; i < o->param_count; i++) TRY(cliv_optimizer_freeze(other, i, o->params[i].frozen));
  return CLIV_OK;
}
