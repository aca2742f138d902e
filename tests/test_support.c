/* The tests' own helpers: a comparison that cannot fail would make every test that uses it worthless. */
#include "support.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void random_data_depends_on_seed_and_index_alone(void **state) {
  (void)state;
  float a[100], b[50], c[50];
  test_fill_uniform(a, 100, 7, -2, 3);
  test_fill_uniform(b, 50, 7, -2, 3);
  test_fill_uniform(c, 50, 8, -2, 3);
  ASSERT_BITS(a, b, sizeof b);
  assert_memory_not_equal(a, c, sizeof c);
  double sum = 0, squares = 0;
  for (size_t i = 0; i < 100; i++) assert_true(a[i] >= -2 && a[i] <= 3);
  for (size_t i = 0; i < 100000; i++) {
    const double x = test_normal(3, i);
    sum += x, squares += x * x;
  }
  ASSERT_NEAR(sum / 1e5, 0, 0.02);
  ASSERT_NEAR(squares / 1e5, 1, 0.02);
}

static void distances_in_ulp(void **state) {
  (void)state;
  assert_true(test_ulp_f32(1.0f, nextafterf(1.0f, 2)) == 1);
  assert_true(test_ulp_f32(-1.0f, nextafterf(-1.0f, 0)) == 1);
  assert_true(test_ulp_f32(0.0f, -0.0f) == 0);
  assert_true(test_ulp_f32(0x1p-149f, -0x1p-149f) == 2);
  assert_true(test_ulp_f32(FLT_MAX, INFINITY) == 1);
  assert_true(test_ulp_f32(NAN, NAN) == 0 && test_ulp_f32(NAN, 1) == UINT64_MAX);
  ASSERT_NEAR(test_ulp_error(nextafterf(1.0f, 2), 1.0), 1, 0);
  ASSERT_NEAR(test_ulp_error(1.0f, 1.0 + 0x1p-24), 0.5, 0);
  ASSERT_NEAR(test_ulp_error(0x1.fffffep-1f, 1.0 - 0x1p-24), 0, 0);
  ASSERT_NEAR(test_ulp_error(0, 0x1p-150), 0.5, 0);
  ASSERT_NEAR(test_ulp_error(0x1p-126f, 0x1p-126 + 0x1p-149), 1, 0);
  assert_true(isinf(test_ulp_error(1, NAN)) && isinf(test_ulp_error(FLT_MAX, INFINITY)));
  assert_true(test_ulp_error(NAN, NAN) <= 0 && test_ulp_error(-INFINITY, -INFINITY) <= 0);
}

static void putting_rounds_once(void **state) {
  (void)state;
  uint16_t h;
  /* Halfway between two halves but for the last bits of the double, which a step by way of float would lose. */
  test_put(CLIV_F16, &h, 0, 1 + 0x1p-11 + 0x1p-40);
  assert_int_equal(h, 0x3c01);
  test_put(CLIV_F16, &h, 0, 1 + 0x1p-11);
  assert_int_equal(h, 0x3c00);
  test_put(CLIV_F16, &h, 0, 0x1p-25 + 0x1p-60);
  assert_int_equal(h, 0x0001);
  test_put(CLIV_BF16, &h, 0, 1 + 0x1p-8 + 0x1p-40);
  assert_int_equal(h, 0x3f81);
  for (int dtype = 0; dtype < CLIV_DTYPE_COUNT; dtype++) {
    unsigned char room[16] = {0};
    test_put((cliv_dtype)dtype, room, 1, 77);
    ASSERT_NEAR(test_get((cliv_dtype)dtype, room, 1), 77, 0);
  }
}

/* Every byte next to the tensor is watched, at each shift. */
static void guards_see_one_byte(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const float data[3] = {1, 2, 3};
  for (size_t shift = 0; shift < 3; shift++) {
    char why[200];
    const unsigned char byte = 0x55;
    test_guarded g = test_guard1(ctx, CLIV_F32, 3, shift, data);
    float *back = test_read(g.tensor);
    ASSERT_SAME(CLIV_F32, back, data, 3);
    free(back);
    assert_true(test_guard_intact(&g, why, sizeof why));
    const size_t places[] = {0, g.before - 1, g.before + g.bytes, g.total - 1};
    for (size_t p = 0; p < 4; p++) {
      unsigned char old;
      cl_command_queue queue = cliv_context_cl_queue(ctx);
      ASSERT_CL(clEnqueueReadBuffer(queue, g.mem, CL_TRUE, places[p], 1, &old, 0, NULL, NULL));
      const unsigned char other = (unsigned char)(old ^ byte);
      ASSERT_CL(clEnqueueWriteBuffer(queue, g.mem, CL_TRUE, places[p], 1, &other, 0, NULL, NULL));
      assert_false(test_guard_intact(&g, why, sizeof why));
      ASSERT_CL(clEnqueueWriteBuffer(queue, g.mem, CL_TRUE, places[p], 1, &old, 0, NULL, NULL));
    }
    test_guard_free(&g);
  }
  test_close(ctx);
}

static void files_come_back(void **state) {
  (void)state;
  char *dir = test_temp_dir(), *path = test_join(dir, "a file");
  size_t count = 0;
  test_write_file(path, "a\0b", 3);
  char *text = test_read_file(path, &count);
  assert_int_equal(count, 3);
  ASSERT_BITS(text, "a\0b", 4);
  free(text);
  test_remove_tree(dir);
  free(path);
  free(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_data_depends_on_seed_and_index_alone),
      cmocka_unit_test(distances_in_ulp),
      cmocka_unit_test(putting_rounds_once),
      cmocka_unit_test(guards_see_one_byte),
      cmocka_unit_test(files_come_back),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
