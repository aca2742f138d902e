/* A rule of the caller's own, as a row like the table's. */
#ifndef CLIV_OPTIM_USER_RULE_H
#define CLIV_OPTIM_USER_RULE_H

#include "optim/rules.h"

/* Checks and copies all of it; *out is freed by cliv__user_rule_free. Fails as cliv_optimizer_create_user does. */
cliv_status cliv__user_rule_make(cliv_context *ctx, const cliv_user_rule *rule, cliv__rule **out);
void cliv__user_rule_free(cliv__rule *rule); /* NULL does nothing */
/* Hyper-parameters, the step's number, then what the formulas make of these. */
void cliv__user_scalars(const cliv__rule *rule, const double *hyper, uint64_t t, double *out);

#endif
