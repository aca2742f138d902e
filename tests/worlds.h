/* Tensors in arenas or each by itself, and an optimizer over them: what tests of rules and steps begin with.
 */
#ifndef CLIV_TESTS_WORLDS_H
#define CLIV_TESTS_WORLDS_H

#include "support.h"

/* The axes of several tensors: shapes has those of the first, then those of the second, … */
typedef struct test_shapes {
  size_t count;
  const int *ndims;
  const size_t *shapes;
} test_shapes;

void test_tensors_make(cliv_context *ctx, cliv_dtype dtype, const test_shapes *of, bool arena, cliv_tensor **out);
/* Normal numbers, in tensor i those of seed + i, rounded once to the tensor's dtype. */
void test_tensors_fill(cliv_tensor *const *tensors, size_t count, uint64_t seed);
void test_tensors_free(cliv_tensor **tensors, size_t count);

enum { TEST_MOST_PARAMS = 16 };
typedef struct test_world {
  cliv_optimizer *o;
  size_t count;
  cliv_tensor *p[TEST_MOST_PARAMS], *g[TEST_MOST_PARAMS];
} test_world;
/* float32 parameters, filled from seed 0 on, added to `o`, which is the world's from now on. */
test_world test_world_make(cliv_context *ctx, cliv_optimizer *o, const test_shapes *of, bool arena);
/* Gradients from this seed on, then a step. */
void test_world_step(const test_world *x, uint64_t seed);
void test_world_free(test_world *x);
/* All weights have the same bits. */
#define ASSERT_SAME_WEIGHTS(a, b) test_same_weights((a), (b), __FILE__, __LINE__)
void test_same_weights(const test_world *a, const test_world *b, const char *file, int line);

#endif
