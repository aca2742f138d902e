#include "worlds.h"

#include <stdlib.h>

void test_tensors_make(cliv_context *ctx, cliv_dtype dtype, const test_shapes *of, bool arena, cliv_tensor **out) {
  if (arena) {
    ASSERT_OK(ctx, cliv_arena_create(ctx, dtype, of->count, of->ndims, of->shapes, out));
    return;
  }
  const size_t *shape = of->shapes;
  for (size_t i = 0; i < of->count; shape += of->ndims[i++])
    ASSERT_OK(ctx, cliv_tensor_create(ctx, dtype, of->ndims[i], shape, &out[i]));
}

void test_tensors_fill(cliv_tensor *const *tensors, size_t count, uint64_t seed) {
  for (size_t i = 0; i < count; i++) {
    const cliv_dtype dtype = cliv_tensor_dtype(tensors[i]);
    const size_t n = cliv_tensor_count(tensors[i]), bytes = n * cliv_dtype_size(dtype);
    void *data = test_alloc(bytes);
    for (size_t k = 0; k < n; k++) test_put(dtype, data, k, (double)(float)test_normal(seed + i, k));
    ASSERT_OK(NULL, cliv_tensor_write(tensors[i], data, bytes));
    free(data);
  }
}

void test_tensors_free(cliv_tensor **tensors, size_t count) {
  for (size_t i = 0; i < count; i++) cliv_tensor_free(tensors[i]);
}

test_world test_world_make(cliv_context *ctx, cliv_optimizer *o, const test_shapes *of, bool arena) {
  test_world x = {.o = o, .count = of->count};
  assert_true(of->count <= TEST_MOST_PARAMS);
  test_tensors_make(ctx, CLIV_F32, of, arena, x.p);
  test_tensors_make(ctx, CLIV_F32, of, arena, x.g);
  test_tensors_fill(x.p, x.count, 0);
  for (size_t i = 0; i < x.count; i++) ASSERT_OK(ctx, cliv_optimizer_add(o, x.p[i], x.g[i], CLIV_DEFAULT_GROUP));
  return x;
}

void test_world_step(const test_world *x, uint64_t seed) {
  test_tensors_fill(x->g, x->count, seed);
  ASSERT_OK(NULL, cliv_optimizer_step(x->o, NULL));
}

void test_world_free(test_world *x) {
  cliv_optimizer_free(x->o);
  test_tensors_free(x->p, x->count);
  test_tensors_free(x->g, x->count);
}

void test_same_weights(const test_world *a, const test_world *b, const char *file, int line) {
  for (size_t i = 0; i < a->count; i++) test_same_tensors(a->p[i], b->p[i], file, line);
}
