/* Learning rates that the device has a part in, see cliv_optimizer_bind. */
#ifndef CLIV_OPTIM_BIND_H
#define CLIV_OPTIM_BIND_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/context.h"

struct cliv_optimizer;

/* How a scalar depends on lr, as in cl/optim_bind.cl. */
enum { CLIV__FREE, CLIV__PROPORTIONAL, CLIV__KEEPS, CLIV__SHRINKS };

/* From a scalar's values at a lr of 1, ½ and ¼; -1 where it depends on it in another way. */
int cliv__lr_dependence(const double at[3]);
/* How each scalar of a step depends on lr; false where one does in another way, or what the rule keeps on the host
 * does. memory: before the step; param: SIZE_MAX for none in particular. */
bool cliv__lr_kinds(const struct cliv_optimizer *o, const double *hyper, uint64_t t, const double *memory, size_t param,
                    int *kinds);
/* Works out how the scalars of each row of the plan depend on lr in the step under way. VALUE where one does in another
 * way, since a hyper-parameter was set that makes the rule another. */
cliv_status cliv__bind_check(struct cliv_optimizer *o);
/* Takes the scalars that were sent to what the launches read. */
cliv_status cliv__bind_enqueue(struct cliv_optimizer *o, const cliv_sync *sync);
bool cliv__any_bound(const struct cliv_optimizer *o);
void cliv__bind_free(struct cliv_optimizer *o);

#endif
