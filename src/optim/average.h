/* Inside of an average; its kinds, as rows of rules: see rules_average.c. */
#ifndef CLIV_OPTIM_AVERAGE_H
#define CLIV_OPTIM_AVERAGE_H

#include <cliv/average.h>

#include "optim/lend.h"

struct cliv_average {
  cliv_context *ctx;
  cliv_optimizer *o;
  size_t count;
  cliv__loan *loans;    /* one a parameter: to: a view of it; from: its average; both ours */
  uint64_t updates;     /* o's steps: those that counted, and one at the beginning */
  cliv_optimizer *lent; /* the parameters hold the average; NULL: they do not */
};

/* NULL when there is none of this name. */
const cliv__rule *cliv__average_kind(const char *name);

#endif
