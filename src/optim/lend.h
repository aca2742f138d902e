/* Weights that hold something else for a while: an average, or what a schedule-free rule evaluates. */
#ifndef CLIV_OPTIM_LEND_H
#define CLIV_OPTIM_LEND_H

#include "optim/optim.h"

/* Parameter i holds to[i] + share[i]·(from[i] - to[i]) from now on, where a share of 1 gives from[i] itself, rounded
 * once to its type; where it has a master, that stands for to[i]. Keeps what it held in float32. One launch for tensors
 * that lie together. Makes *out, which cliv__lend_back frees; on failure NULL. */
typedef struct cliv__loan {
  cliv_tensor *to, *from;
  cliv_tensor *master; /* the float32 weight that `to` is the rounding of; NULL: none */
  double share;
} cliv__loan;
cliv_status cliv__lend(cliv_context *ctx, const cliv__loan *loans, size_t count, const cliv_sync *sync,
                       cliv_optimizer **out);
/* Gives the parameters back what they held, bit by bit; frees *lent and makes it NULL, unless it fails. */
cliv_status cliv__lend_back(cliv_optimizer **lent, const cliv_sync *sync);

#endif
