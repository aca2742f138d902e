/* The one table of update rules. Rows are in rules_*.c, their arithmetic in cl/optim_ops.cl. */
#include "optim/rules.h"

#include <string.h>

#define ROW(name) &cliv__rule_##name,
static const cliv__rule *const rules[] = {CLIV__RULES(ROW)};
enum { RULES = sizeof rules / sizeof *rules };

size_t cliv_rule_count(void) { return RULES; }

const cliv_rule_info *cliv_rule_get(size_t index) { return index < RULES ? &rules[index]->info : NULL; }

const cliv__rule *cliv__rule_find(const char *name) {
  for (size_t i = 0; name && i < RULES; i++)
    if (!strcmp(rules[i]->info.name, name)) return rules[i];
  return NULL;
}

const cliv_rule_info *cliv_rule_find(const char *name) {
  const cliv__rule *rule = cliv__rule_find(name);
  return rule ? &rule->info : NULL;
}

unsigned cliv__rule_kept(const cliv__rule *rule, const double *hyper) {
  const unsigned shown = (1u << rule->info.state_count) - 1, all = (1u << cliv__state_total(rule)) - 1;
  return (rule->kept ? rule->kept(hyper) & shown : shown) | (all & ~shown);
}

unsigned cliv__other_states(const cliv__rule *rule) {
  unsigned bits = 0;
  for (size_t k = 0; k < rule->info.state_count; k++)
    if (cliv__state_shape(rule, k) != CLIV_STATE_ELEMENT) bits |= 1u << k;
  return bits;
}

static bool is_square(const cliv__rule *rule, size_t k) {
  const cliv_state_shape shape = cliv__state_shape(rule, k);
  return shape == CLIV_STATE_LEFT || shape == CLIV_STATE_RIGHT;
}

int cliv__square_of(const cliv__rule *rule, size_t k) {
  int before = 0;
  for (size_t j = 0; j < k; j++) before += is_square(rule, j);
  return is_square(rule, k) ? before : -1;
}

bool cliv__factored(const cliv__rule *rule, const double *hyper, int ndim, const size_t *shape, cliv__lattice *out) {
  cliv__lattice l = {.outer = 1, .between = 1, .inner = 1};
  if (!rule->factors || !rule->factors(hyper, ndim, shape, &l.row_axis, &l.column_axis)) return false;
  for (int k = 0; k < ndim; k++)
    if (k != l.row_axis && k != l.column_axis)
      *(k < l.row_axis ? &l.outer : k < l.column_axis ? &l.between : &l.inner) *= shape[k];
  l.rows = shape[l.row_axis];
  l.columns = shape[l.column_axis];
  *out = l;
  return true;
}

int cliv__rule_hyper(const cliv__rule *rule, const char *name) {
  for (size_t i = 0; i < rule->info.hyper_count; i++)
    if (!strcmp(rule->info.hypers[i].name, name)) return (int)i;
  return -1;
}

const cliv_preset_info *cliv__rule_preset(const cliv__rule *rule, const char *name) {
  for (size_t i = 0; i < rule->info.preset_count; i++)
    if (!name || !strcmp(rule->info.presets[i].name, name)) return &rule->info.presets[i];
  return NULL;
}

void cliv__rule_defaults(const cliv__rule *rule, const cliv_preset_info *preset, double *hyper) {
  for (size_t i = 0; i < rule->info.hyper_count; i++) hyper[i] = rule->info.hypers[i].initial;
  for (size_t i = 0; i < preset->setting_count; i++)
    hyper[cliv__rule_hyper(rule, preset->settings[i].name)] = preset->settings[i].value;
}
