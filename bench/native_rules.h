/* Steps of update rules without OpenCL: the rules' own text (cl/optim_ops.cl), compiled as C, in a plain loop over all
 * threads. The limit of the rows that step. */
#ifndef CLIV_BENCH_NATIVE_RULES_H
#define CLIV_BENCH_NATIVE_RULES_H

#include <stddef.h>

enum { NATIVE_STATES = 5, NATIVE_SCALARS = 16 };

typedef struct native_step {
  float *p, *states[NATIVE_STATES]; /* NULL: not kept */
  const float *g;
  size_t n;
  float scalars[NATIVE_SCALARS]; /* as the rule's struct has them */
} native_step;

typedef struct native_rule {
  const char *function; /* of cl/optim_ops.cl */
  unsigned kept;        /* bit k: state k; the loop is compiled for these */
  void (*step)(const native_step *s);
} native_rule;

/* NULL: there is none. */
const native_rule *native_rule_find(const char *function);

#endif
