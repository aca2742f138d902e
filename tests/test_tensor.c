/* Tensors and arenas: copies, views, pitches, fills, and what is refused. */
#include <cliv/tensor.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tensor.h"
#include "support.h"

static cliv_context *ctx;

static int open_context(void **state) {
  (void)state;
  ctx = test_open(CLIV_WALK_AUTO);
  return 0;
}

static int close_context(void **state) {
  (void)state;
  test_close(ctx);
  return 0;
}

static void writes_and_reads_every_type_and_size(void **state) {
  (void)state;
  size_t count;
  const size_t *sizes = test_sizes(&count);
  for (int d = 0; d < CLIV_DTYPE_COUNT; d++) {
    if (!cliv_context_has(ctx, (cliv_dtype)d)) continue;
    for (size_t s = 0; s < count; s++) {
      const size_t bytes = sizes[s] * cliv_dtype_size((cliv_dtype)d);
      unsigned char *x = test_alloc(bytes);
      test_fill_bits(x, bytes, 17 + (uint64_t)d);
      test_guarded g = test_guard1(ctx, (cliv_dtype)d, sizes[s], s % 3, x);
      unsigned char *y = test_read(g.tensor);
      ASSERT_BITS(y, x, bytes);
      free(y);
      free(x);
      test_guard_free(&g);
    }
  }
}

static void fills_every_type(void **state) {
  (void)state;
  for (int d = 0; d < CLIV_DTYPE_COUNT; d++) {
    const cliv_dtype dtype = (cliv_dtype)d;
    if (!cliv_context_has(ctx, dtype)) continue;
    test_guarded g = test_guard1(ctx, dtype, 1001, 1, NULL);
    ASSERT_OK(ctx, cliv_tensor_fill(g.tensor, 200, NULL));
    unsigned char *x = test_read(g.tensor);
    for (size_t i = 0; i < 1001; i++) assert_true(test_get(dtype, x, i) == 200.0);
    free(x);
    test_guard_free(&g);
  }
  test_guarded h = test_guard1(ctx, CLIV_F16, 3, 0, NULL); /* rounded once: by way of float it would be 1 */
  ASSERT_OK(ctx, cliv_tensor_fill(h.tensor, 1 + 0x1p-11 + 0x1p-40, NULL));
  unsigned char *half = test_read(h.tensor);
  assert_true(test_get(CLIV_F16, half, 2) == 1 + 0x1p-10);
  free(half);
  ASSERT_OK(ctx, cliv_tensor_fill(h.tensor, -1e300, NULL));
  half = test_read(h.tensor);
  assert_true(test_get(CLIV_F16, half, 0) == -INFINITY);
  free(half);
  test_guard_free(&h);
  test_guarded g = test_guard1(ctx, CLIV_U8, 5, 0, NULL);
  ASSERT_FAILS(ctx, cliv_tensor_fill(g.tensor, 256, NULL), CLIV_VALUE, "256");
  ASSERT_FAILS(ctx, cliv_tensor_fill(g.tensor, 0.5, NULL), CLIV_VALUE, "0.5");
  ASSERT_FAILS(ctx, cliv_tensor_fill(g.tensor, NAN, NULL), CLIV_VALUE, "nan");
  test_guard_free(&g);
}

static void views_share_memory(void **state) {
  (void)state;
  float x[60];
  for (int i = 0; i < 60; i++) x[i] = (float)i;
  cliv_tensor *base, *view, *inner;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){6, 10}, &base));
  ASSERT_OK(ctx, cliv_tensor_write(base, x, sizeof x));
  ASSERT_OK(ctx, cliv_tensor_view(base, 12, 2, (size_t[]){4, 5}, 10, &view)); /* rows 1…4, columns 2…6 */
  assert_int_equal(cliv_tensor_pitch(view), 10);
  float *y = test_read(view);
  for (size_t r = 0; r < 4; r++)
    for (size_t c = 0; c < 5; c++) assert_true(y[r * 5 + c] == (float)(12 + 10 * r + c));
  for (int i = 0; i < 20; i++) y[i] = -1;
  ASSERT_OK(ctx, cliv_tensor_write(view, y, 20 * sizeof *y));
  free(y);
  cliv_tensor_free(base); /* the view holds the memory */
  ASSERT_OK(ctx, cliv_tensor_view(view, 10, 1, (size_t[]){5}, 0, &inner));
  y = test_read(inner);
  for (size_t c = 0; c < 5; c++) assert_true(y[c] == -1.0f);
  free(y);
  cliv_tensor_free(inner);
  cliv_tensor *dense;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){4, 5}, &dense));
  ASSERT_OK(ctx, cliv_tensor_copy(view, dense, NULL));
  y = test_read(dense);
  for (int i = 0; i < 20; i++) assert_true(y[i] == -1.0f);
  free(y);
  cliv_tensor *both, *left, *right; /* a pitched and a dense part of one buffer */
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){60}, &both));
  ASSERT_OK(ctx, cliv_tensor_fill(both, 5, NULL));
  ASSERT_OK(ctx, cliv_tensor_view(both, 0, 2, (size_t[]){4, 5}, 10, &left));
  ASSERT_OK(ctx, cliv_tensor_view(both, 40, 2, (size_t[]){4, 5}, 0, &right));
  ASSERT_OK(ctx, cliv_tensor_write(left, x, 20 * sizeof *x));
  ASSERT_OK(ctx, cliv_tensor_copy(left, right, NULL));
  y = test_read(right);
  ASSERT_BITS(y, x, 20 * sizeof *x);
  free(y);
  cliv_tensor_free(left);
  cliv_tensor_free(right);
  cliv_tensor_free(both);
  ASSERT_FAILS(ctx, cliv_tensor_view(view, 0, 1, (size_t[]){36}, 0, &inner), CLIV_SHAPE, "past its base");
  assert_null(inner);
  ASSERT_FAILS(ctx, cliv_tensor_view(view, SIZE_MAX, 1, (size_t[]){1}, 0, &inner), CLIV_SHAPE, "past its base");
  ASSERT_FAILS(ctx, cliv_tensor_view(view, 0, 2, (size_t[]){2, 5}, 4, &inner), CLIV_VALUE, "pitch");
  ASSERT_FAILS(ctx, cliv_tensor_fill(view, 0, NULL), CLIV_LAYOUT, "dense");
  cliv_tensor_free(dense);
  cliv_tensor_free(view);
  cliv_tensor_free(NULL);
}

static void wraps_the_callers_memory(void **state) {
  (void)state;
  cl_int code;
  const cl_mem mem = clCreateBuffer(cliv_context_cl_context(ctx), CL_MEM_READ_WRITE, 400, NULL, &code);
  ASSERT_CL(code);
  cliv_tensor *t;
  ASSERT_OK(ctx, cliv_tensor_wrap(ctx, mem, 8, CLIV_F32, 1, (size_t[]){98}, &t));
  assert_ptr_equal(cliv_tensor_mem(t), mem);
  assert_int_equal(cliv_tensor_offset(t), 8);
  ASSERT_OK(ctx, cliv_tensor_fill(t, 3, NULL));
  ASSERT_OK(ctx, cliv_context_finish(ctx));
  cliv_tensor_free(t);
  float y[100];
  ASSERT_CL(clEnqueueReadBuffer(cliv_context_cl_queue(ctx), mem, CL_TRUE, 0, 400, y, 0, NULL, NULL));
  assert_true(y[2] == 3.0f && y[99] == 3.0f);
  ASSERT_FAILS(ctx, cliv_tensor_wrap(ctx, mem, 8, CLIV_F32, 1, (size_t[]){99}, &t), CLIV_SHAPE, "has 400");
  assert_null(t);
  ASSERT_FAILS(ctx, cliv_tensor_wrap(ctx, mem, 6, CLIV_F32, 1, (size_t[]){9}, &t), CLIV_VALUE, "multiple of 4");
  ASSERT_FAILS(ctx, cliv_tensor_wrap(ctx, NULL, 0, CLIV_F32, 1, (size_t[]){9}, &t), CLIV_NULL, "mem");
  cl_uint count = 0;
  ASSERT_CL(clGetMemObjectInfo(mem, CL_MEM_REFERENCE_COUNT, sizeof count, &count, NULL));
  assert_int_equal(count, 1);
  ASSERT_CL(clReleaseMemObject(mem));
}

static void refuses_what_cannot_be(void **state) {
  (void)state;
  cliv_tensor *t = (cliv_tensor *)&t;
  ASSERT_FAILS(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){(size_t)1 << 40, (size_t)1 << 40}, &t), CLIV_SHAPE,
               "memory can address");
  assert_null(t);
  ASSERT_FAILS(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){(size_t)1 << 55}, &t), CLIV_DEVICE_MEMORY,
               "allocates at most");
  ASSERT_FAILS(ctx, cliv_tensor_create(ctx, (cliv_dtype)77, 1, (size_t[]){1}, &t), CLIV_DTYPE, "77");
  ASSERT_FAILS(ctx, cliv_tensor_create(ctx, CLIV_F32, -1, NULL, &t), CLIV_SHAPE, "-1");
  ASSERT_FAILS(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, NULL, &t), CLIV_NULL, "shape");
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){10}, &t));
  float y[10];
  ASSERT_FAILS(ctx, cliv_tensor_read(t, y, 36), CLIV_SHAPE, "36 bytes");
  ASSERT_FAILS(ctx, cliv_tensor_write(t, NULL, 40), CLIV_NULL, "40 bytes");
  cliv_tensor *overlapping;
  ASSERT_OK(ctx, cliv_tensor_view(t, 0, 1, (size_t[]){10}, 0, &overlapping));
  ASSERT_FAILS(ctx, cliv_tensor_copy(t, overlapping, NULL), CLIV_OVERLAP, NULL);
  cliv_tensor_free(overlapping);
  cliv_tensor_free(t);
}

static void travels_through_host_arrays(void **state) {
  (void)state;
  cliv_array a, b;
  ASSERT_OK(NULL, cliv_array_create(CLIV_I64, 3, (size_t[]){2, 3, 4}, &a));
  for (int64_t i = 0; i < 24; i++) ((int64_t *)a.data)[i] = i << 40;
  cliv_tensor *t;
  ASSERT_OK(ctx, cliv_tensor_from_array(ctx, &a, &t));
  ASSERT_OK(ctx, cliv_tensor_to_array(t, &b));
  assert_int_equal(b.ndim, 3);
  assert_int_equal(b.shape[1], 3);
  ASSERT_BITS(b.data, a.data, 24 * 8);
  cliv_tensor_free(t);
  cliv_array_free(&a);
  cliv_array_free(&b);
}

static void arenas_share_one_allocation(void **state) {
  (void)state;
  cliv_tensor *t[4];
  ASSERT_OK(ctx, cliv_arena_create(ctx, CLIV_F32, 4, (int[]){2, 1, 0, 1}, (size_t[]){3, 5, 64, 0}, t));
  for (int i = 0; i < 3; i++) {
    assert_ptr_equal(cliv_tensor_mem(t[i]), cliv_tensor_mem(t[0]));
    assert_int_equal(cliv_tensor_offset(t[i]) % 256, 0);
    ASSERT_OK(ctx, cliv_tensor_fill(t[i], i, NULL));
  }
  assert_int_equal(cliv_tensor_count(t[2]), 1); /* no axes: a scalar */
  assert_null(cliv_tensor_mem(t[3]));
  assert_false(cliv__overlap(t[0], t[1]));
  for (int i = 0; i < 3; i++) {
    float *x = test_read(t[i]);
    for (size_t k = 0; k < cliv_tensor_count(t[i]); k++) assert_true(x[k] == (float)i);
    free(x);
  }
  for (int i = 0; i < 4; i++) cliv_tensor_free(t[i]);
  ASSERT_FAILS(ctx, cliv_arena_create(ctx, CLIV_F32, 2, (int[]){1, 1}, (size_t[]){SIZE_MAX / 8, SIZE_MAX / 8}, t),
               CLIV_SHAPE, NULL);
  ASSERT_FAILS(ctx, cliv_arena_create(ctx, CLIV_F32, 2, (int[]){1, 1}, (size_t[]){SIZE_MAX / 4 - 64, 128}, t),
               CLIV_SHAPE, NULL);
  assert_null(t[0]);
}

/* Memory that may lie in huge pages of the library's own: lives as long as the last view, is as large as it says. */
static void large_tensors_live_as_long_as_their_views(void **state) {
  (void)state;
  const size_t n = (1 << 20) + 3, last = 5, at[] = {n - last};
  float *x = test_alloc(n * sizeof *x), ends[5];
  for (size_t i = 0; i < n; i++) x[i] = (float)i;
  for (int round = 0; round < 3; round++) {
    cliv_tensor *whole, *view;
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &whole));
    ASSERT_OK(ctx, cliv_tensor_write(whole, x, n * sizeof *x));
    ASSERT_OK(ctx, cliv_tensor_view(whole, at[0], 1, &last, 0, &view));
    cliv_tensor_free(whole);
    ASSERT_OK(ctx, cliv_tensor_read(view, ends, sizeof ends));
    for (size_t i = 0; i < last; i++) assert_true(ends[i] == (float)(n - last + i));
    cliv_tensor_free(view);
  }
  free(x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(large_tensors_live_as_long_as_their_views),
      cmocka_unit_test(writes_and_reads_every_type_and_size),
      cmocka_unit_test(fills_every_type),
      cmocka_unit_test(views_share_memory),
      cmocka_unit_test(wraps_the_callers_memory),
      cmocka_unit_test(refuses_what_cannot_be),
      cmocka_unit_test(travels_through_host_arrays),
      cmocka_unit_test(arenas_share_one_allocation),
  };
  return test_finish(cmocka_run_group_tests(tests, open_context, close_context));
}
