/* The weights that packages' optimizers have after 20 and after 50 steps: files of tests/golden (trajectories.py there
 * says what is in them), and runs of rules that take several tensors, once for each kind of gradients.
 */
#ifndef CLIV_TESTS_TRAJECTORIES_H
#define CLIV_TESTS_TRAJECTORIES_H

#include "support.h"

#include <cliv/safetensors.h>

enum { TEST_WEIGHTS = 40, TEST_STEPS = 50, TEST_MIDDLE = 20, TEST_KINDS = 6, TEST_TENSORS = 3 };
extern const char *const test_kinds[TEST_KINDS];

/* A file below the source tree, and what it has under a name, in float32; free() that. */
cliv_safetensors *test_golden(const char *path);
float *test_golden_read(const cliv_safetensors *file, const char *name);
/* False where a preset is a paper's, or says that it was read and not run: it needs no trajectory. */
bool test_has_package(const cliv_preset_info *preset);

/* A file of runs over up to TEST_TENSORS tensors, with TEST_WEIGHTS elements in all. Where test_few(): with two kinds
 * of gradients, for TEST_MIDDLE steps. */
typedef struct test_trajectories {
  const char *path;
  size_t tensors;
  const int *ndims;
  const size_t *shapes;
  double (*tolerance)(const char *key, int t); /* of the largest weight after t steps; NULL: 2e-6 */
  const char *undefined; /* gradients that the rule has no result for, but that of somebody's rounding; NULL: none */
} test_trajectories;

/* One run: the optimizer, and its tensors in arenas. */
typedef struct test_trajectory {
  cliv_optimizer *o;
  size_t tensors;
  cliv_tensor *p[TEST_TENSORS], *g[TEST_TENSORS];
} test_trajectory;
void test_trajectory_gradients(const test_trajectory *x, const float *gradients); /* of all tensors */
/* Takes x's step with these gradients, in another way than cliv_optimizer_step. */
typedef void test_trajectory_step(const test_trajectory *x, const float *gradients, const void *with);

/* A case of a file, and who takes it. */
typedef struct test_case {
  const char *key, *rule, *preset, *options;
  const char *undefined;      /* gradients that are left out; NULL: none */
  test_trajectory_step *step; /* NULL: cliv_optimizer_step */
  const void *with;
} test_case;
void test_trajectory_follow(cliv_context *ctx, const test_trajectories *t, const test_case *c);
/* All cases that the files have of a rule: at least three, at least one for each preset with a package. */
void test_trajectories_follow(cliv_context *ctx, const test_trajectories *files, size_t count,
                              const cliv_rule_info *rule);

#endif
