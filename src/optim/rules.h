/* The table of update rules, as the optimizer sees it. */
#ifndef CLIV_OPTIM_RULES_H
#define CLIV_OPTIM_RULES_H

#include <cliv/optim.h>

enum { CLIV__MAX_STATES = 5, CLIV__MAX_HYPERS = 20, CLIV__MAX_SCALARS = 32, CLIV__MAX_MEMORY = 2 };

typedef struct cliv__rule {
  cliv_rule_info info;
  const char *function; /* in cl/optim_ops.cl; rules may share one */
  size_t scalar_count;
  /* The scalars of a step that `function` sees, in the order of its struct. hyper: in the order of info.hypers; t: the
   * step's number, 1 for the first; memory: as `advance` left it, zeros where that is NULL. */
  void (*scalars)(const double *hyper, uint64_t t, const double *memory, double *out);
  /* For scalars that depend on the steps before t and not on t alone: takes the numbers that are kept from step to step
   * to step t; they are zeros before step 1. NULL: nothing is kept. */
  void (*advance)(const double *hyper, uint64_t t, double *memory);
  /* Bit k: state k is kept with these hyper-parameters. NULL: all are, always. */
  unsigned (*kept)(const double *hyper);
  /* What is wrong with hyper-parameters that are each within bounds, or NULL. The member is NULL where nothing can be.
   * */
  const char *(*conflict)(const double *hyper);
  /* A rule of the caller's own, see user_rule.h; NULL for the library's. Its scalars are those of cliv__user_scalars,
   * the lists are the members of its structs. */
  const char *text, *scalar_names, *state_names;
} cliv__rule;

/* Every rule, in the order in which they are listed; X(name) for each. */
#define CLIV__RULES(X) \
  X(sgd)               \
  X(adagrad)           \
  X(rmsprop)           \
  X(adam)              \
  X(adamw)             \
  X(lion)              \
  X(adadelta)          \
  X(adamax)            \
  X(nadam)             \
  X(radam)             \
  X(rprop)             \
  X(asgd)              \
  X(signum)            \
  X(yogi)              \
  X(adabelief)         \
  X(adan)              \
  X(madgrad)           \
  X(laprop)            \
  X(adopt)             \
  X(ademamix)          \
  X(qhm)               \
  X(qhadam)            \
  X(ftrl)              \
  X(sophia)            \
  X(adabound)

#define CLIV__DECLARE_RULE(name) extern const cliv__rule cliv__rule_##name;
CLIV__RULES(CLIV__DECLARE_RULE)
#undef CLIV__DECLARE_RULE

/* NULL when there is none of this name. */
const cliv__rule *cliv__rule_find(const char *name);
unsigned cliv__rule_kept(const cliv__rule *rule, const double *hyper);
/* Index of a hyper-parameter, or -1. */
int cliv__rule_hyper(const cliv__rule *rule, const char *name);
/* A preset of the rule; NULL name: its first. NULL when there is none of this name. */
const cliv_preset_info *cliv__rule_preset(const cliv__rule *rule, const char *name);
/* Fills every hyper-parameter. */
void cliv__rule_defaults(const cliv__rule *rule, const cliv_preset_info *preset, double *hyper);
/* VALUE, with a sentence, where the value is none for the hyper-parameter. */
cliv_status cliv__check_bounds(cliv_context *ctx, const char *rule, const cliv_hyper_info *h, double value);

#endif
