/* The caller's own update rule: its lists checked and copied into a row like those of the table. See cliv/optim.h. */
#include "optim/user_rule.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "base/text.h"
#include "optim/formula.h"
#include "runtime/program.h"

/* The row first: it is what the optimizer sees. */
typedef struct own_rule {
  cliv__rule row;
  cliv_hyper_info hypers[CLIV__MAX_HYPERS];
  cliv_state_info states[CLIV__MAX_PLANES];
  cliv_preset_info preset;
  cliv__formula formulas[CLIV__MAX_SCALARS];
  char *scalar_names, *state_names; /* with commas between */
  char *copies;                     /* every string of the caller's, one after another … */
  size_t copied, room;              /* … in so many bytes */
} own_rule;

/* ---- names ---- */

/* Words of OpenCL C and of the library's kernels that no member of a struct can be called; with digits behind them
 * they are words, too (float4). */
static const char words[] =
    " auto break case char const continue default do double else enum extern float for goto half if inline int long "
    "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while bool "
    "uchar ushort uint ulong quad complex imaginary event_t image sampler_t size_t ptrdiff_t intptr_t uintptr_t "
    "kernel global local constant private generic uniform pipe read_only write_only read_write real ireal ureal "
    "as_real as_ireal as_ureal to_real to_ireal to_ureal ";

/* Names that stand for something else in the struct of scalars or in a file of states. */
static const char taken[] = " step params betas master compensation ";

static bool listed(const char *list, const char *name, size_t n) {
  char padded[64];
  snprintf(padded, sizeof padded, " %.*s ", (int)n, name);
  return strstr(list, padded) != NULL;
}

/* 1 to 40 small letters, digits and _, the first a letter: macros of the kernels have capitals. */
static bool well_formed(const char *name) {
  const size_t length = strlen(name);
  return length > 0 && length <= 40 && *name >= 'a' && *name <= 'z' &&
         strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length && !strstr(name, "__");
}

static cliv_status check_name(cliv_context *ctx, const char *rule, const char *what, const char *name) {
  REQUIRE(ctx, name != NULL, NULL, "rule '%s': a %s has the name NULL", rule, what);
  REQUIRE(ctx, well_formed(name), NAME,
          "rule '%s': '%.60s' cannot be the name of a %s; up to 40 small letters, digits and single _ can, a letter "
          "first",
          rule, name, what);
  size_t stem = strlen(name);
  while (name[stem - 1] >= '0' && name[stem - 1] <= '9') stem--;
  REQUIRE(ctx, !listed(words, name, stem) && !listed(taken, name, strlen(name)), NAME,
          "rule '%s': '%s' cannot be the name of a %s; it is a word of OpenCL C, of the kernels or of files of states",
          rule, name, what);
  return CLIV_OK;
}

/* ---- checks ---- */

/* With its bounds filled in. What the shell does around every rule has the bounds that it always has. */
static cliv_hyper_info whole(const cliv_hyper_info *h) {
  cliv_hyper_info full = *h;
  full.meaning = h->meaning ? h->meaning : "";
  full.flag = h->flag || !strcmp(h->name, "maximize") || !strcmp(h->name, "cautious");
  const bool from_0 = !strcmp(h->name, "prox_l1") || !strcmp(h->name, "prox_l2");
  if (full.flag) full.min = 0, full.max = 1, full.max_excluded = 0;
  else if (from_0) full.min = 0, full.max = FLT_MAX, full.max_excluded = 0;
  else if (h->min == 0 && h->max == 0) full.min = -FLT_MAX, full.max = FLT_MAX;
  return full;
}

static cliv_status check_hyper(cliv_context *ctx, const char *rule, const cliv_hyper_info *given) {
  TRY(check_name(ctx, rule, "hyper-parameter", given->name));
  const cliv_hyper_info h = whole(given);
  REQUIRE(ctx, h.min < h.max && h.min >= -FLT_MAX && h.max <= FLT_MAX, VALUE,
          "rule '%s': %s is to be from %g to %g; the first must be less, and both within float32", rule, h.name, h.min,
          h.max);
  return cliv__check_bounds(ctx, rule, &h, h.initial);
}

/* In a file of states beta1, beta2, … are the list `betas`. */
static cliv_status check_betas(cliv_context *ctx, const cliv_user_rule *r) {
  char next = '1';
  for (size_t i = 0; i < r->hyper_count; i++) {
    const char *name = r->hypers[i].name;
    if (strncmp(name, "beta", 4) || name[4] < '1' || name[4] > '9' || name[5]) continue;
    REQUIRE(ctx, name[4] == next, NAME, "rule '%s': %s is listed and beta%c is not, or behind it", r->name, name, next);
    next++;
  }
  return CLIV_OK;
}

static cliv_status check_hypers(cliv_context *ctx, const cliv_user_rule *r) {
  REQUIRE(ctx, r->hyper_count >= 1 && r->hyper_count <= CLIV__MAX_HYPERS, VALUE,
          "rule '%s' has %zu hyper-parameters; it must have 1 to %d", r->name, r->hyper_count, CLIV__MAX_HYPERS);
  REQUIRE(ctx, r->hypers != NULL, NULL, "rule '%s': the list of hyper-parameters is NULL", r->name);
  for (size_t i = 0; i < r->hyper_count; i++) {
    TRY(check_hyper(ctx, r->name, &r->hypers[i]));
    for (size_t k = 0; k < i; k++)
      REQUIRE(ctx, strcmp(r->hypers[i].name, r->hypers[k].name) != 0, NAME,
              "rule '%s': two hyper-parameters are called %s", r->name, r->hypers[i].name);
    const bool ends = strstr(r->text, "step_weight") || strstr(r->text, "step_along");
    REQUIRE(ctx, strcmp(r->hypers[i].name, "cautious") != 0 || ends, VALUE,
            "rule '%s' lists cautious, and its text has no step_weight(w, g, kept, step) and no step_along(w, g, kept, "
            "rate, direction): end the function with one of them, where it says what is kept of the weight and what "
            "the step is",
            r->name);
  }
  return check_betas(ctx, r);
}

/* Planes and arrays that stand beside a state in 8 bits have its name with one of these behind it. */
static bool ends_as_taken(const char *name) {
  static const char *const ends[] = {"_absmax", "_qmap"};
  const size_t length = strlen(name);
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    const size_t end = strlen(ends[i]);
    if (length > end && !strcmp(name + length - end, ends[i])) return true;
  }
  return false;
}

static cliv_status check_states(cliv_context *ctx, const cliv_user_rule *r) {
  REQUIRE(ctx, r->state_count <= CLIV__MAX_PLANES, VALUE, "rule '%s' has %zu states; it must have at most %d", r->name,
          r->state_count, CLIV__MAX_PLANES);
  REQUIRE(ctx, r->state_count == 0 || r->states != NULL, NULL, "rule '%s': the list of states is NULL", r->name);
  for (size_t i = 0; i < r->state_count; i++) {
    const cliv_state_info *s = &r->states[i];
    TRY(check_name(ctx, r->name, "state", s->name));
    REQUIRE(
        ctx, !ends_as_taken(s->name), NAME,
        "rule '%s': '%s' cannot be the name of a state; names that end in _absmax or _qmap are of what stands beside "
        "states in 8 bits",
        r->name, s->name);
    for (size_t k = 0; k < i; k++)
      REQUIRE(ctx, strcmp(s->name, r->states[k].name) != 0, NAME, "rule '%s': two states are called %s", r->name,
              s->name);
    REQUIRE(ctx, s->kind >= CLIV_STATE_SIGNED && s->kind <= CLIV_STATE_WEIGHT, VALUE,
            "rule '%s': the kind of state %s is %d; it must be a cliv_state_kind", r->name, s->name, (int)s->kind);
    bool found = s->initial == NULL;
    for (size_t k = 0; !found && k < r->hyper_count; k++) found = !strcmp(s->initial, r->hypers[k].name);
    REQUIRE(ctx, found, NAME, "rule '%s': state %s begins at '%.60s', which is none of the hyper-parameters", r->name,
            s->name, s->initial);
  }
  return CLIV_OK;
}

/* Each formula sees the hyper-parameters, `step`, and the scalars before it. */
static cliv_status read_scalars(cliv_context *ctx, const cliv_user_rule *r, cliv__formula *formulas) {
  const char *names[CLIV__MAX_SCALARS];
  size_t count = 0;
  REQUIRE(ctx, r->scalar_count <= CLIV__MAX_SCALARS - 1 - r->hyper_count, VALUE,
          "rule '%s' has %zu hyper-parameters and %zu scalars; together they must be at most %d", r->name,
          r->hyper_count, r->scalar_count, CLIV__MAX_SCALARS - 1);
  REQUIRE(ctx, r->scalar_count == 0 || r->scalars != NULL, NULL, "rule '%s': the list of scalars is NULL", r->name);
  for (size_t i = 0; i < r->hyper_count; i++) names[count++] = r->hypers[i].name;
  names[count++] = "step";
  for (size_t i = 0; i < r->scalar_count; i++) {
    const cliv_scalar_info *s = &r->scalars[i];
    char what[128];
    TRY(check_name(ctx, r->name, "scalar", s->name));
    for (size_t k = 0; k < count; k++)
      REQUIRE(ctx, strcmp(s->name, names[k]) != 0, NAME, "rule '%s': scalar %s has another's name", r->name, s->name);
    REQUIRE(ctx, s->formula != NULL, NULL, "rule '%s': the formula of scalar %s is NULL", r->name, s->name);
    snprintf(what, sizeof what, "rule '%s', scalar %s", r->name, s->name);
    TRY(cliv__formula_read(ctx, what, s->formula, names, count, &formulas[i]));
    names[count++] = s->name;
  }
  return CLIV_OK;
}

/* ---- copies ---- */

static const char *copy(own_rule *own, const char *text) {
  const size_t size = strlen(text) + 1;
  char *to = own->copies + own->copied;
  memcpy(to, text, size);
  own->copied += size;
  return to;
}

static const char *phrase(const char *meaning) { return meaning ? meaning : ""; }

static size_t room_for(const cliv_user_rule *r) {
  size_t room = strlen(r->name) + strlen(r->text) + 3;
  for (size_t i = 0; i < r->hyper_count; i++)
    room += strlen(r->hypers[i].name) + strlen(phrase(r->hypers[i].meaning)) + 2;
  for (size_t i = 0; i < r->state_count; i++)
    room += strlen(r->states[i].name) + strlen(phrase(r->states[i].meaning)) + 2;
  return room;
}

static void copy_lists(own_rule *own, const cliv_user_rule *r) {
  for (size_t i = 0; i < r->hyper_count; i++) {
    cliv_hyper_info *h = &own->hypers[i];
    *h = whole(&r->hypers[i]);
    h->name = copy(own, h->name);
    h->meaning = copy(own, h->meaning);
  }
  for (size_t i = 0; i < r->state_count; i++) {
    cliv_state_info *s = &own->states[i];
    const char *const initial = r->states[i].initial;
    *s = (cliv_state_info){copy(own, r->states[i].name), NULL, copy(own, phrase(r->states[i].meaning)),
                           r->states[i].kind};
    for (size_t k = 0; initial && k < r->hyper_count; k++)
      if (!strcmp(initial, own->hypers[k].name)) s->initial = own->hypers[k].name;
  }
}

/* As the struct's members are declared. */
static void name_members(own_rule *own, const cliv_user_rule *r) {
  cliv__text scalars = {0}, states = {0};
  for (size_t i = 0; i < r->hyper_count; i++) cliv__text_add(&scalars, "%s,", r->hypers[i].name);
  cliv__text_add(&scalars, "step");
  for (size_t i = 0; i < r->scalar_count; i++) cliv__text_add(&scalars, ",%s", r->scalars[i].name);
  for (size_t i = 0; i < r->state_count; i++) cliv__text_add(&states, i ? ",%s" : "%s", r->states[i].name);
  if (r->state_count == 0) cliv__text_add(&states, "%s", "");
  own->scalar_names = cliv__text_take(&scalars);
  own->state_names = cliv__text_take(&states);
}

static void fill_row(own_rule *own, const cliv_user_rule *r) {
  const char *name = copy(own, r->name);
  own->preset = (cliv_preset_info){"user", "a text of the caller's", NULL, 0};
  own->row = (cliv__rule){.info = {.name = name,
                                   .summary = "a rule of the caller's own",
                                   .source = "a text of the caller's",
                                   .hyper_count = r->hyper_count,
                                   .state_count = r->state_count,
                                   .hypers = own->hypers,
                                   .states = own->states,
                                   .preset_count = 1,
                                   .presets = &own->preset},
                          .function = name,
                          .scalar_count = r->hyper_count + 1 + r->scalar_count,
                          .text = copy(own, r->text),
                          .scalar_names = own->scalar_names,
                          .state_names = own->state_names};
}

/* ---- making, freeing, using ---- */

static cliv_status make(cliv_context *ctx, const cliv_user_rule *r, own_rule *own) {
  TRY(read_scalars(ctx, r, own->formulas));
  own->room = room_for(r);
  own->copies = malloc(own->room);
  name_members(own, r);
  REQUIRE(ctx, own->copies && own->scalar_names && own->state_names, HOST_MEMORY, "no memory for rule '%s'", r->name);
  copy_lists(own, r);
  fill_row(own, r);
  return CLIV_OK;
}

cliv_status cliv__user_rule_make(cliv_context *ctx, const cliv_user_rule *rule, cliv__rule **out) {
  static const char *const functions[] = {"", NULL};
  cliv_user_rule r;
  REQUIRE(ctx, rule != NULL, NULL, "the rule is NULL");
  TRY(OPTIONS(ctx, rule, &r));
  TRY(cliv__check_user(ctx, r.text, r.name, functions));
  REQUIRE(ctx, cliv__rule_find(r.name) == NULL, NAME, "the library has a rule '%s'; give yours another name", r.name);
  TRY(check_hypers(ctx, &r));
  TRY(check_states(ctx, &r));
  own_rule *own = calloc(1, sizeof *own);
  REQUIRE(ctx, own != NULL, HOST_MEMORY, "no memory for rule '%s'", r.name);
  const cliv_status status = make(ctx, &r, own);
  if (status) cliv__user_rule_free(&own->row);
  else *out = &own->row;
  return status;
}

void cliv__user_rule_free(cliv__rule *rule) {
  own_rule *own = (own_rule *)rule;
  if (!own) return;
  free(own->scalar_names);
  free(own->state_names);
  free(own->copies);
  free(own);
}

void cliv__user_scalars(const cliv__rule *rule, const double *hyper, uint64_t t, double *out) {
  const own_rule *own = (const own_rule *)rule;
  const size_t given = rule->info.hyper_count + 1;
  memcpy(out, hyper, rule->info.hyper_count * sizeof *out);
  out[rule->info.hyper_count] = (double)t;
  for (size_t i = given; i < rule->scalar_count; i++) out[i] = cliv__formula_value(&own->formulas[i - given], out);
}
