/* The table of update rules, as the optimizer sees it. */
#ifndef CLIV_OPTIM_RULES_H
#define CLIV_OPTIM_RULES_H

#include <cliv/optim.h>

enum { CLIV__MAX_STATES = 3, CLIV__MAX_SCALARS = 8 };

typedef struct cliv__rule {
  cliv_rule_info info;
  const char *function; /* in cl/optim_ops.cl; rules may share one */
  size_t scalar_count;
  /* The scalars of a step that `function` sees, in the order of its struct. hyper: in the order of info.hypers; t: the
   * step's number, 1 for the first. */
  void (*scalars)(const double *hyper, uint64_t t, double *out);
  /* Bit k: state k is kept with these hyper-parameters. NULL: all are, always. */
  unsigned (*kept)(const double *hyper);
  /* What is wrong with hyper-parameters that are each within bounds, or NULL. The member is NULL where nothing can be.
   * */
  const char *(*conflict)(const double *hyper);
} cliv__rule;

/* NULL when there is none of this name. */
const cliv__rule *cliv__rule_find(const char *name);
unsigned cliv__rule_kept(const cliv__rule *rule, const double *hyper);
/* Index of a hyper-parameter, or -1. */
int cliv__rule_hyper(const cliv__rule *rule, const char *name);

#endif
