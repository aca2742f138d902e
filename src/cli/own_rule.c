/* See own_rule.h: words cut in two at their "=", as lists of cliv/optim.h. */
#include "cli/own_rule.h"

#include <stdlib.h>
#include <string.h>

#include "cli/op.h"

static size_t length(const char **list) {
  size_t n = 0;
  while (list && list[n]) n++;
  return n;
}

/* NAME=VALUE as two strings; *value is NULL where there is no "=". */
static bool cut(cli *c, own_rule *r, const char *word, const char **name, char **value) {
  char *copy = strdup(word);
  if (!copy) {
    cli_report(c, CLIV_HOST_MEMORY, "out of memory");
    return false;
  }
  r->words[r->word_count++] = copy;
  char *equals = strchr(copy, '=');
  if (equals) *equals = 0;
  *name = copy;
  *value = equals ? equals + 1 : NULL;
  return true;
}

static bool read_lists(cli *c, const own_rule_options *o, own_rule *r, cliv_hyper_info *hypers, cliv_state_info *states,
                       cliv_scalar_info *scalars) {
  char *value;
  for (size_t i = 0; i < r->rule.hyper_count; i++)
    if (!cut(c, r, o->hypers[i], &hypers[i].name, &value)) return false;
    else if (!value || !cli_number(value, &hypers[i].initial))
      return cli_refuse(c, "option '--hyper' wants NAME=NUMBER, as in lr=1e-3, not '%s'", o->hypers[i]);
  for (size_t i = 0; i < r->rule.state_count; i++)
    if (!cut(c, r, o->states[i], &states[i].name, &value)) return false;
    else states[i].initial = value;
  for (size_t i = 0; i < r->rule.scalar_count; i++)
    if (!cut(c, r, o->scalars[i], &scalars[i].name, &value)) return false;
    else if (!value)
      return cli_refuse(c, "option '--scalar' wants NAME=FORMULA, as in 'keep=1 - lr * decay', not '%s'",
                        o->scalars[i]);
    else scalars[i].formula = value;
  return true;
}

bool own_rule_read(cli *c, const char *name, const own_rule_options *o, own_rule *r) {
  const size_t hypers = length(o->hypers), states = length(o->states), scalars = length(o->scalars);
  *r = (own_rule){.rule = {.name = name, .hyper_count = hypers, .state_count = states, .scalar_count = scalars}};
  if (!o->source)
    return hypers + states + scalars == 0 ||
           cli_refuse(c,
                      "options '--hyper', '--state' and '--scalar' are those of a rule of your own: --source FILE.cl");
  if (!op_read_text(c, o->source, &r->text)) return false;
  cliv_hyper_info *const h = calloc(hypers + 1, sizeof *h);
  cliv_state_info *const s = calloc(states + 1, sizeof *s);
  cliv_scalar_info *const f = calloc(scalars + 1, sizeof *f);
  r->words = calloc(hypers + states + scalars + 1, sizeof *r->words);
  r->rule.text = r->text;
  r->rule.hypers = h, r->rule.states = s, r->rule.scalars = f;
  if (h && s && f && r->words) return read_lists(c, o, r, h, s, f);
  cli_report(c, CLIV_HOST_MEMORY, "out of memory");
  return false;
}

void own_rule_free(own_rule *r) {
  for (size_t i = 0; i < r->word_count; i++) free(r->words[i]);
  free(r->words);
  free(r->text);
  free((void *)(uintptr_t)r->rule.hypers);
  free((void *)(uintptr_t)r->rule.states);
  free((void *)(uintptr_t)r->rule.scalars);
}
