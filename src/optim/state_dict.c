/* An optimizer's states and hyper-parameters in a file, named as PyTorch's state_dict names them. See cliv/optim.h. */
#include <cliv/safetensors.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "optim/state_dict.h"
#include "runtime/tensor.h"

#define FORMAT "cliv.optimizer 1"

static cliv_status no_memory(const cliv_optimizer *o) {
  return cliv__fail(o->ctx, CLIV_HOST_MEMORY, "no memory for the states of %zu parameters", o->param_count);
}

/* ---- hyper-parameters: beta1, beta2, … are PyTorch's list betas, eps1, eps2, … its list eps ---- */

/* The list, and the name's place in it; NULL for a name by itself. Of a caller's own rule only betas are one. */
static const char *list_of(const cliv_optimizer *o, const char *name, size_t *place) {
  static const char *const heads[] = {"beta", "eps"}, *const lists[] = {"betas", "eps"};
  for (size_t i = 0; i < (o->own ? 1 : 2); i++) {
    const char *rest = strncmp(name, heads[i], strlen(heads[i])) ? "" : name + strlen(heads[i]);
    if (*rest < '1' || *rest > '9' || rest[1]) continue;
    *place = (size_t)(*rest - '1');
    return lists[i];
  }
  return NULL;
}

/* Adds a value to the group's list of that name, which it makes. */
static int append(json_t *group, const char *list, json_t *value) {
  json_t *to = json_object_get(group, list);
  if (!to && json_object_set_new(group, list, to = json_array())) {
    json_decref(value);
    return -1;
  }
  return json_array_append_new(to, value);
}

/* NULL without memory. */
static json_t *group_json(const cliv_optimizer *o, int group) {
  const cliv_rule_info *rule = &o->rule->info;
  json_t *all = json_object(), *params = json_array();
  int failed = !all || !params;
  for (size_t i = 0; i < 2 * rule->hyper_count; i++) { /* lists last */
    const size_t k = i % rule->hyper_count;
    const double value = cliv__hyper(o, group)[k];
    size_t place;
    const char *list = list_of(o, rule->hypers[k].name, &place);
    if ((list != NULL) != (i >= rule->hyper_count)) continue;
    json_t *json = rule->hypers[k].flag ? json_boolean(value != 0) : json_real(value);
    failed |= list ? append(all, list, json) : json_object_set_new(all, rule->hypers[k].name, json);
  }
  for (size_t i = 0; i < o->param_count; i++)
    if (o->params[i].group == group) failed |= json_array_append_new(params, json_integer((json_int_t)i));
  failed |= json_object_set(all, "params", params);
  json_decref(params);
  if (!failed) return all;
  json_decref(all);
  return NULL;
}

static char *dump(json_t *json) {
  char *text = cliv__json_dump(json, JSON_COMPACT | JSON_REAL_PRECISION(17));
  json_decref(json);
  return text;
}

static char *groups_text(const cliv_optimizer *o) {
  json_t *groups = json_array();
  for (int g = 0; groups && g < o->group_count; g++)
    if (json_array_append_new(groups, group_json(o, g))) json_decref(groups), groups = NULL;
  return dump(groups);
}

static char *steps_text(const cliv_optimizer *o) {
  json_t *steps = json_array();
  for (size_t i = 0; steps && i < o->param_count; i++)
    if (json_array_append_new(steps, json_integer((json_int_t)cliv__age(o, i)))) json_decref(steps), steps = NULL;
  return dump(steps);
}

static uint64_t greatest_age(const cliv_optimizer *o) {
  uint64_t most = 0;
  for (size_t i = 0; i < o->param_count; i++) most = cliv__age(o, i) > most ? cliv__age(o, i) : most;
  return most;
}

/* "" where some parameter has taken all steps. */
static char *taken_text(const cliv_optimizer *o) {
  return o->steps == greatest_age(o) ? strdup("") : cliv__format("[%" PRIu64 "]", o->steps);
}

/* A list for each parameter, null where the steps are to be gone through anew; "" where nothing is kept. */
static char *memory_text(const cliv_optimizer *o) {
  if (!o->rule->advance) return strdup("");
  json_t *all = json_array();
  for (size_t i = 0; all && i < o->param_count; i++) {
    const cliv__past *past = cliv__past_of(o, i);
    json_t *one = past->remembered == cliv__age(o, i) ? json_array() : json_null();
    int failed = !one;
    for (size_t k = 0; json_is_array(one) && k < CLIV__MAX_MEMORY; k++)
      failed |= json_array_append_new(one, json_real(past->memory[k]));
    if (json_array_append_new(all, one) || failed) json_decref(all), all = NULL;
  }
  return dump(all);
}

/* As a text, since JSON's integers have a sign; "" where weights are not rounded by chance. */
static char *seed_text(const cliv_optimizer *o) {
  if (o->precision.weights != CLIV__WEIGHTS_STOCHASTIC) return strdup("");
  return cliv__format("[\"%" PRIu64 "\"]", o->precision.seed);
}

/* "" where gradients are taken as they are. */
static char *scale_text(const cliv_optimizer *o) {
  const cliv__control *c = &o->control;
  if (!c->on) return strdup("");
  return dump(json_pack("[f, I, I]", c->scale, (json_int_t)c->good, (json_int_t)c->skipped));
}

/* ---- writing ---- */

static cliv_status add_step(const cliv_optimizer *o, cliv__bundle *b, size_t param) {
  cliv_array step = {.dtype = CLIV_F32, .data = malloc(sizeof(float))};
  if (step.data) *(float *)step.data = (float)cliv__age(o, param);
  return cliv__bundle_array(b, cliv__format("state.%zu.step", param), step);
}

/* The numbers that codes stand for, as bitsandbytes has them beside each state. */
static cliv_status add_map(const cliv_optimizer *o, cliv__bundle *b, size_t param, const char *state) {
  cliv_array map = {.dtype = CLIV_F32, .ndim = 1, .shape = {256}, .data = malloc(256 * sizeof(float))};
  if (map.data) cliv__dynamic_map(cliv__state_kind(o, state), map.data);
  return cliv__bundle_array(b, cliv__format("state.%zu.%s_qmap", param, state), map);
}

/* States and steps of all parameters that have taken one. */
static cliv_status add_states(cliv_optimizer *o, cliv__bundle *b) {
  for (size_t i = 0; i < o->param_count; i++) {
    if (cliv__age(o, i) == 0) continue;
    TRY(add_step(o, b, i));
    for (size_t k = 0; k < cliv_optimizer_state_count(o, i); k++) {
      const char *name = cliv_optimizer_state_name(o, i, k);
      cliv_tensor *view;
      TRY(cliv_optimizer_state(o, i, name, &view));
      const bool codes = view->dtype == CLIV_U8;
      const cliv_status status = cliv__bundle_tensor(b, cliv__format("state.%zu.%s", i, name), view);
      cliv_tensor_free(view);
      if (status) return status;
      if (codes) TRY(add_map(o, b, i, name));
    }
  }
  return CLIV_OK;
}

cliv_status cliv__state_dict_add(cliv_optimizer *o, cliv__bundle *b) {
  static const struct {
    const char *key;
    char *(*text)(const cliv_optimizer *o);
  } texts[] = {{"param_groups", groups_text}, {"steps", steps_text}, {"taken", taken_text},
               {"memory", memory_text},       {"scale", scale_text}, {"seed", seed_text}};
  TRY(cliv__check_whole(o));
  TRY(cliv__control_settle(o));
  TRY(cliv__bundle_text(b, "format", strdup(FORMAT)));
  TRY(cliv__bundle_text(b, "rule", strdup(o->rule->info.name)));
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    char *text = texts[i].text(o);
    if (text && !*text) free(text);
    else TRY(cliv__bundle_text(b, texts[i].key, text));
  }
  TRY(cliv__norming_share(o));
  return add_states(o, b);
}

cliv_status cliv_optimizer_save(cliv_optimizer *o, const char *path) {
  REQUIRE_NOT_NULL(NULL, o);
  REQUIRE_NOT_NULL(o->ctx, path);
  cliv__bundle b = {.ctx = o->ctx};
  cliv_status status = cliv__state_dict_add(o, &b);
  if (!status) status = cliv__bundle_write(&b, path);
  cliv__bundle_free(&b);
  return status;
}

/* ---- reading: everything is read and checked before anything changes ---- */

struct cliv__state_dict {
  cliv_optimizer *o;
  const cliv_safetensors *file;
  const char *prefix; /* of all that is this optimizer's in the file */
  char *shown;
  double *hyper;      /* as o->hyper */
  uint64_t *steps;    /* one a parameter */
  cliv__past *pasts;  /* one a parameter */
  uint64_t total;     /* the greatest of them, unless the file says otherwise */
  cliv_array *states; /* [param][CLIV__PLANES]; without data: not kept */
  cliv__plan plan;    /* the other one, see swap */
  double scale;
  uint64_t good, skipped, seed;
  bool swapped; /* what was read is the optimizer's, and what the optimizer had is here */
};
typedef cliv__state_dict loaded;

#define REFUSE(l, STATUS, format, ...) cliv__fail((l)->o->ctx, CLIV_##STATUS, "%s: " format, (l)->shown, __VA_ARGS__)

static const char *metadata(const loaded *l, const char *key) {
  char name[64];
  snprintf(name, sizeof name, "%s%s", l->prefix, key);
  return cliv_safetensors_metadata(l->file, name);
}

/* A number or truth of a group's JSON; *value stays where there is none of that name. */
static cliv_status read_hyper(const loaded *l, const json_t *group, const char *name, double *value) {
  size_t place;
  const char *list = list_of(l->o, name, &place);
  const json_t *json = list ? json_array_get(json_object_get(group, list), place) : json_object_get(group, name);
  if (!json || json_is_null(json)) return CLIV_OK;
  if (!json_is_number(json) && !json_is_boolean(json)) return REFUSE(l, FORMAT, "its '%s' is no number", name);
  *value = json_is_boolean(json) ? json_is_true(json) : json_number_value(json);
  return CLIV_OK;
}

/* Whether a group's list of parameters is this optimizer's. */
static cliv_status check_params(const loaded *l, const json_t *group, int number, bool *seen) {
  const json_t *params = json_object_get(group, "params");
  size_t k;
  json_t *param;
  json_array_foreach((json_t *)(uintptr_t)params, k, param) {
    const json_int_t i = json_is_integer(param) ? json_integer_value(param) : -1;
    if (i < 0 || (size_t)i >= l->o->param_count || l->o->params[i].group != number)
      return REFUSE(l, DATA, "its group %d has a parameter %" JSON_INTEGER_FORMAT ", this optimizer's has not", number,
                    i);
    seen[i] = true;
  }
  return CLIV_OK;
}

static cliv_status read_groups(loaded *l, const json_t *groups, bool *seen) {
  const cliv_optimizer *o = l->o;
  const cliv_rule_info *rule = &o->rule->info;
  if (json_array_size(groups) != (size_t)o->group_count)
    return REFUSE(l, DATA, "it has %zu parameter groups, this optimizer %d", json_array_size(groups), o->group_count);
  for (int g = 0; g < o->group_count; g++) {
    const json_t *group = json_array_get(groups, (size_t)g);
    double *hyper = l->hyper + (size_t)g * rule->hyper_count;
    TRY(check_params(l, group, g, seen));
    for (size_t k = 0; k < rule->hyper_count; k++) {
      TRY(read_hyper(l, group, rule->hypers[k].name, &hyper[k]));
      TRY(cliv__check_bounds(o->ctx, rule->name, &rule->hypers[k], hyper[k]));
    }
  }
  for (size_t i = 0; i < o->param_count; i++)
    if (!seen[i]) return REFUSE(l, DATA, "its groups lack parameter %zu", i);
  return CLIV_OK;
}

/* PyTorch's text: {…} of JSON under the key, or nothing. *out is NULL where there is nothing. */
static cliv_status read_json(const loaded *l, const char *key, json_t **out) {
  const char *text = metadata(l, key);
  *out = NULL;
  if (!text) return CLIV_OK;
  *out = json_loads(text, 0, NULL);
  if (json_is_array(*out)) return CLIV_OK;
  json_decref(*out);
  *out = NULL;
  return REFUSE(l, FORMAT, "its '%s' is no list in JSON", key);
}

static cliv_status read_param_groups(loaded *l) {
  json_t *groups;
  TRY(read_json(l, "param_groups", &groups));
  if (!groups) return CLIV_OK;
  bool *seen = calloc(l->o->param_count + 1, sizeof *seen);
  const cliv_status status = seen ? read_groups(l, groups, seen) : no_memory(l->o);
  free(seen);
  json_decref(groups);
  return status;
}

/* Which parameter an array's name says; false for a name that is none. */
static bool parse_name(const cliv_optimizer *o, const char *name, size_t *param) {
  char *end = NULL;
  if (strncmp(name, "state.", 6) || name[6] < '0' || name[6] > '9' || (name[6] == '0' && name[7] != '.')) return false;
  *param = strtoull(name + 6, &end, 10);
  if (*end != '.') return false;
  for (size_t k = 0; k < CLIV__PLANES; k++) {
    const char *plane = cliv__plane_name(o, k);
    if (!plane) continue;
    const size_t length = strlen(plane);
    const char *rest = strncmp(end + 1, plane, length) ? "?" : end + 1 + length;
    if (!*rest || (o->precision.states == CLIV_U8 && k < CLIV__WEIGHT_PLANE && !strcmp(rest, "_qmap"))) return true;
  }
  return !strcmp(end + 1, "step");
}

static cliv_status check_names(const loaded *l) {
  for (size_t i = 0; i < cliv_safetensors_count(l->file); i++) {
    const char *name = cliv_safetensors_name(l->file, i);
    size_t param = 0;
    if (strncmp(name, l->prefix, strlen(l->prefix)) != 0) continue;
    name += strlen(l->prefix);
    if (!parse_name(l->o, name, &param))
      return REFUSE(l, DATA, "its '%.100s' is no state of %s as this optimizer stores it", name, l->o->rule->info.name);
    if (param >= l->o->param_count)
      return REFUSE(l, DATA, "its '%.100s' is of a parameter that this optimizer has not; it has %zu", name,
                    l->o->param_count);
  }
  return CLIV_OK;
}

/* The array of that name, if it is there; an empty one if not. */
static cliv_status read_array(const loaded *l, size_t param, const char *state, cliv_array *out) {
  *out = (cliv_array){0};
  char *name = cliv__format("%sstate.%zu.%s", l->prefix, param, state);
  if (!name) return no_memory(l->o);
  const cliv_status status =
      cliv_safetensors_has(l->file, name) ? cliv__relay(l->o->ctx, cliv_safetensors_read(l->file, name, out)) : CLIV_OK;
  free(name);
  return status;
}

/* PyTorch's step: a float or an integer without axes. ABSENT where there is none. */
#define ABSENT UINT64_MAX
static cliv_status read_step(const loaded *l, size_t param, uint64_t *out) {
  cliv_array step;
  TRY(read_array(l, param, "step", &step));
  *out = ABSENT;
  if (!step.data) return CLIV_OK;
  double value = -1;
  if (cliv_array_count(&step) == 1 && step.dtype == CLIV_F32) value = (double)*(const float *)step.data;
  if (cliv_array_count(&step) == 1 && step.dtype == CLIV_I64) value = (double)*(const int64_t *)step.data;
  const bool good = value >= 0 && value == floor(value) && value <= (double)CLIV__MOST_STEPS;
  cliv_array_free(&step);
  if (good) *out = (uint64_t)value;
  return good ? CLIV_OK : REFUSE(l, FORMAT, "'state.%zu.step' is no count of steps", param);
}

/* Codes of other numbers than ours are refused. A file need not have the numbers. */
static cliv_status check_map(const loaded *l, size_t param, const char *state) {
  float map[256];
  cliv_array given;
  char *name = cliv__format("%s_qmap", state);
  const cliv_status status = name ? read_array(l, param, name, &given) : no_memory(l->o);
  free(name);
  if (status) return status;
  cliv__dynamic_map(cliv__state_kind(l->o, state), map);
  const bool same = !given.data || (given.dtype == CLIV_F32 && cliv_array_count(&given) == 256 &&
                                    !memcmp(given.data, map, sizeof map));
  cliv_array_free(&given);
  return same ? CLIV_OK
              : REFUSE(l, DATA, "'state.%zu.%s_qmap' is not the dynamic map that codes of %s stand for here", param,
                       state, state);
}

/* A parameter's states: all that are kept with the new hyper-parameters, or none, which is a parameter without a
 * step. */
static cliv_status read_states(loaded *l, size_t param) {
  const cliv_optimizer *o = l->o;
  const cliv_rule_info *rule = &o->rule->info;
  const cliv_tensor *p = o->params[param].p;
  const double *hyper = l->hyper + (size_t)o->params[param].group * rule->hyper_count;
  const unsigned kept = cliv__planes(o, param, hyper);
  for (size_t k = 0; k < CLIV__PLANES; k++) {
    const char *name = cliv__plane_name(o, k);
    cliv_array *a = &l->states[param * CLIV__PLANES + k];
    if (!name) continue;
    TRY(read_array(l, param, name, a));
    if (a->data && !(kept >> k & 1))
      return REFUSE(l, DATA, "it has 'state.%zu.%s', which %s does not keep with these hyper-parameters (%s)", param,
                    name, rule->name, cliv__plane_meaning(o, k));
    if (!(kept >> k & 1)) continue;
    if (!a->data && l->steps[param] && l->steps[param] != ABSENT)
      return REFUSE(l, DATA, "parameter %zu has taken %" PRIu64 " steps and has no %s", param, l->steps[param], name);
    const cliv_dtype dtype = cliv__plane_dtype(o, kept, p->dtype, k);
    const cliv__shape shape = cliv__plane_shape(o->rule, p, hyper, k);
    if (a->data && a->dtype != dtype)
      return REFUSE(l, SHAPE, "'state.%zu.%s' is %s, this optimizer stores %s", param, name, cliv_dtype_name(a->dtype),
                    cliv_dtype_name(dtype));
    if (a->data && (a->ndim != shape.ndim || memcmp(a->shape, shape.axes, (size_t)a->ndim * sizeof *a->shape) != 0))
      return REFUSE(l, SHAPE, "'state.%zu.%s' has not the shape of the parameter", param, name);
    if (a->data && dtype == CLIV_U8) TRY(check_map(l, param, name));
    /* PyTorch's sgd counts no steps; a velocity says that there was one, and all after the first are alike. */
    if (a->data && l->steps[param] == ABSENT && !strcmp(rule->name, "sgd")) l->steps[param] = 1;
    if (a->data && l->steps[param] == ABSENT)
      return REFUSE(l, DATA, "parameter %zu has a state and no count of steps, 'state.%zu.step'", param, param);
  }
  if (l->steps[param] == ABSENT) l->steps[param] = 0;
  return CLIV_OK;
}

/* Cliv's own list of steps, exact where a float is not. */
static cliv_status read_steps(const loaded *l) {
  json_t *steps;
  for (size_t i = 0; i < l->o->param_count; i++) TRY(read_step(l, i, &l->steps[i]));
  TRY(read_json(l, "steps", &steps));
  if (!steps) return CLIV_OK;
  bool good = json_array_size(steps) == l->o->param_count;
  for (size_t i = 0; good && i < l->o->param_count; i++) {
    const json_t *step = json_array_get(steps, i);
    good = json_is_integer(step) && json_integer_value(step) >= 0 &&
           (uint64_t)json_integer_value(step) <= CLIV__MOST_STEPS;
    if (good) l->steps[i] = (uint64_t)json_integer_value(step);
  }
  json_decref(steps);
  return good ? CLIV_OK : REFUSE(l, FORMAT, "its 'steps' are no counts of %zu parameters", l->o->param_count);
}

/* The optimizer's own count, where parameters were frozen by turns. */
static cliv_status read_taken(loaded *l) {
  json_t *taken;
  json_int_t total = 0;
  for (size_t i = 0; i < l->o->param_count; i++)
    if (l->steps[i] > l->total) l->total = l->steps[i];
  TRY(read_json(l, "taken", &taken));
  if (!taken) return CLIV_OK;
  const bool good = !json_unpack(taken, "[I!]", &total) && total >= 0 && (uint64_t)total >= l->total &&
                    (uint64_t)total <= CLIV__MOST_STEPS;
  json_decref(taken);
  l->total = (uint64_t)total;
  return good ? CLIV_OK : REFUSE(l, FORMAT, "its '%s' is no count of steps that its parameters can have", "taken");
}

/* What the rule remembers of one parameter; false for what is none. */
static bool read_past(const json_t *list, cliv__past *past) {
  bool good = json_array_size(list) == CLIV__MAX_MEMORY;
  for (size_t k = 0; good && k < CLIV__MAX_MEMORY; k++) {
    const json_t *number = json_array_get(list, k);
    past->memory[k] = json_number_value(number);
    good = json_is_number(number) && past->memory[k] >= 0 && past->memory[k] <= (double)FLT_MAX;
  }
  return good;
}

/* What rules remember of the steps before; without it they go through these, as far as that is a matter of seconds. */
static cliv_status read_memory(const loaded *l) {
  json_t *memory = NULL;
  if (l->o->rule->advance) TRY(read_json(l, "memory", &memory));
  bool good = !memory || json_array_size(memory) == l->o->param_count;
  size_t lost = l->o->param_count;
  for (size_t i = 0; good && i < l->o->param_count; i++) {
    const json_t *one = memory ? json_array_get(memory, i) : NULL;
    l->pasts[i] = (cliv__past){.remembered = l->steps[i]};
    if (json_is_array(one)) good = read_past(one, &l->pasts[i]);
    else if (l->steps[i]) l->pasts[i].remembered = UINT64_MAX;
    if (l->o->rule->advance && l->pasts[i].remembered == UINT64_MAX && l->steps[i] > CLIV__MOST_GONE_THROUGH) lost = i;
  }
  json_decref(memory);
  if (!good)
    return REFUSE(l, FORMAT, "its '%s' is no list of %d numbers for each parameter", "memory", CLIV__MAX_MEMORY);
  if (lost < l->o->param_count)
    return REFUSE(l, DATA,
                  "it has no 'memory' of the %" PRIu64 " steps of parameter %zu, and %s goes through at most %" PRIu64,
                  l->steps[lost], lost, l->o->rule->info.name, CLIV__MOST_GONE_THROUGH);
  return CLIV_OK;
}

/* What weights are rounded by goes on. */
static cliv_status read_seed(loaded *l) {
  json_t *seed;
  TRY(read_json(l, "seed", &seed));
  if (!seed) return CLIV_OK;
  const char *text = json_string_value(json_array_get(seed, 0));
  char *end = NULL;
  errno = 0;
  if (text && *text >= '0' && *text <= '9') l->seed = strtoull(text, &end, 10);
  const bool good = end && !*end && !errno && json_array_size(seed) == 1;
  json_decref(seed);
  return good ? CLIV_OK : REFUSE(l, FORMAT, "its '%s' is no text of a number below 2^64", "seed");
}

/* Only a scale that grows goes on; one that was set stays. */
static cliv_status read_scale(loaded *l) {
  json_t *scale;
  json_int_t good, skipped;
  TRY(read_json(l, "scale", &scale));
  if (!scale) return CLIV_OK;
  double value;
  const bool fits = !json_unpack(scale, "[F, I, I!]", &value, &good, &skipped) && value >= 1e-30 && value <= 1e30 &&
                    good >= 0 && skipped >= 0;
  json_decref(scale);
  if (!fits) return REFUSE(l, FORMAT, "its '%s' is not a number from 1e-30 to 1e30 and two counts", "scale");
  if (!(l->o->control.options.growth > 0)) return CLIV_OK;
  l->scale = value;
  l->good = (uint64_t)good;
  l->skipped = (uint64_t)skipped;
  return CLIV_OK;
}

static cliv_status read_all(loaded *l) {
  const cliv_rule_info *rule = &l->o->rule->info;
  const char *format = metadata(l, "format"), *name = metadata(l, "rule");
  if (!format && *l->prefix) return REFUSE(l, FORMAT, "there are no states of %s", rule->name);
  if (format && strcmp(format, FORMAT) && strcmp(format, "pt"))
    return REFUSE(l, FORMAT, "its format is '%.40s', not '" FORMAT "'", format);
  if (name && strcmp(name, rule->name))
    return REFUSE(l, DATA, "it has the states of %.40s, this optimizer is %s", name, rule->name);
  TRY(check_names(l));
  TRY(read_param_groups(l));
  TRY(read_steps(l));
  TRY(read_scale(l));
  TRY(read_seed(l));
  for (size_t i = 0; i < l->o->param_count; i++) TRY(read_states(l, i));
  TRY(read_memory(l));
  return read_taken(l);
}

/* ---- taking over what was read ---- */

/* What a file brings takes the place of what the optimizer has, and back. */
static void swap(loaded *l) {
  cliv_optimizer *o = l->o;
  double *hyper = o->hyper;
  o->hyper = l->hyper, l->hyper = hyper;
  const cliv__plan plan = o->plan;
  o->plan = l->plan, l->plan = plan;
  const uint64_t total = l->total;
  for (size_t i = 0; i < o->param_count; i++) {
    cliv__param *p = &o->params[i];
    const uint64_t age = cliv__age(o, i);
    const cliv__past past = p->past;
    p->age = l->steps[i], l->steps[i] = age;
    p->past = l->pasts[i], l->pasts[i] = past;
    p->born = total - p->age;
  }
  l->total = o->steps, o->steps = total;
}

/* A plan with all states at their beginning, so that those that the file has not are there too, and then as the file
 * has them. */
static cliv_status fill(const loaded *l) {
  cliv_optimizer *o = l->o;
  TRY(cliv__plan_make(o));
  for (size_t i = 0; i < o->param_count * CLIV__PLANES; i++) {
    const cliv_array *a = &l->states[i];
    const size_t bytes = cliv_array_count(a) * cliv_dtype_size(a->dtype);
    cliv_tensor *view;
    if (!a->data || !bytes) continue;
    TRY(cliv__plane_view(o, i / CLIV__PLANES, i % CLIV__PLANES, &view));
    const cliv_status status = cliv_tensor_write(view, a->data, bytes);
    cliv_tensor_free(view);
    TRY(status);
  }
  return cliv__norming_share(o); /* of parameters without a step nothing was written */
}

cliv_status cliv__state_dict_place(cliv__state_dict *l) {
  swap(l);
  l->swapped = true;
  return fill(l);
}

void cliv__state_dict_keep(cliv__state_dict *l) {
  cliv_optimizer *o = l->o;
  l->swapped = false;
  o->precision.seed = l->seed;
  o->control.scale = l->scale, o->control.good = l->good, o->control.skipped = l->skipped;
  o->torn = false;
}

void cliv__state_dict_free(cliv__state_dict *l) {
  if (!l) return;
  if (l->swapped) {
    swap(l);
    l->o->stale = true; /* smoothed gradients that the plan refers to are gone */
  }
  for (size_t i = 0; l->states && i < l->o->param_count * CLIV__PLANES; i++) cliv_array_free(&l->states[i]);
  cliv__plan_free(&l->plan); /* the one that is not in force, or an empty one */
  free(l->shown);
  free(l->states);
  free(l->steps);
  free(l->pasts);
  free(l->hyper);
  free(l);
}

/* As the optimizer is now: what the file does not say stays. */
static cliv_status begin(cliv_optimizer *o, loaded *l) {
  const size_t hypers = (size_t)o->group_count * o->rule->info.hyper_count;
  const size_t states = o->param_count * CLIV__PLANES;
  l->scale = o->control.scale, l->good = o->control.good, l->skipped = o->control.skipped;
  l->seed = o->precision.seed;
  l->hyper = malloc(hypers * sizeof *l->hyper);
  l->steps = calloc(o->param_count + 1, sizeof *l->steps);
  l->states = calloc(states + 1, sizeof *l->states);
  l->pasts = calloc(o->param_count + 1, sizeof *l->pasts);
  if (!l->shown || !l->hyper || !l->steps || !l->states || !l->pasts) return no_memory(o);
  memcpy(l->hyper, o->hyper, hypers * sizeof *l->hyper);
  return CLIV_OK;
}

static cliv_status check_trained(const cliv_optimizer *o) {
  REQUIRE(o->ctx, o->lent == NULL, STATE,
          "the parameters are what is to be evaluated; turn them back (cliv_optimizer_evaluate) before loading");
  return CLIV_OK;
}

cliv_status cliv__state_dict_read(cliv_optimizer *o, const cliv_safetensors *file, const char *prefix,
                                  const char *shown, cliv__state_dict **out) {
  *out = NULL;
  TRY(check_trained(o));
  TRY(cliv__control_settle(o));
  loaded *l = calloc(1, sizeof *l);
  if (!l) return no_memory(o);
  *l = (loaded){.o = o, .file = file, .prefix = prefix};
  l->shown = *prefix ? cliv__format("%s, under '%s'", shown, prefix) : strdup(shown);
  cliv_status status = begin(o, l);
  if (!status) status = read_all(l);
  if (status) cliv__state_dict_free(l);
  else *out = l;
  return status;
}

cliv_status cliv_optimizer_load(cliv_optimizer *o, const char *path) {
  REQUIRE_NOT_NULL(NULL, o);
  REQUIRE_NOT_NULL(o->ctx, path);
  TRY(check_trained(o));
  cliv_safetensors *file;
  cliv__state_dict *states;
  TRY(cliv__relay(o->ctx, cliv_safetensors_open(path, &file)));
  cliv_status status = cliv__state_dict_read(o, file, "", cliv__shown(path), &states);
  cliv_safetensors_free(file);
  if (!status) status = cliv__state_dict_place(states);
  if (!status) cliv__state_dict_keep(states);
  cliv__state_dict_free(states);
  return status;
}
