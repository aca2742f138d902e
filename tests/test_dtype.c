/* Element types: every half and bfloat16 code, every rounding boundary, names, sizes, arrays. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/dtype.h"

static float from_bits(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

static uint32_t to_bits(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

/* The value of a narrow code by its definition: `m` mantissa bits below an exponent with the given bias. */
static double value_of(unsigned code, int mantissa_bits, int bias) {
  const unsigned ones = (1u << (15 - mantissa_bits)) - 1u;
  const unsigned exponent = (code >> mantissa_bits) & ones, mantissa = code & ((1u << mantissa_bits) - 1u);
  double x;
  if (exponent == ones) x = mantissa ? (double)NAN : (double)INFINITY;
  else if (exponent == 0) x = ldexp(mantissa, 1 - bias - mantissa_bits);
  else x = ldexp(mantissa + (1u << mantissa_bits), (int)exponent - bias - mantissa_bits);
  return code & 0x8000u ? -x : x;
}

typedef struct narrow {
  int mantissa_bits, bias;
  unsigned infinity, nan;
  uint16_t (*from_float)(float);
  float (*to_float)(uint16_t);
} narrow;

static const narrow kinds[] = {{10, 15, 0x7c00u, 0x7e00u, cliv_float_to_half, cliv_half_to_float},
                               {7, 127, 0x7f80u, 0x7fc0u, cliv_float_to_bfloat, cliv_bfloat_to_float}};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void every_code_widens_exactly_and_returns(void **state) {
  (void)state;
  for (int k = 0; k < KINDS; k++) {
    for (unsigned code = 0; code < 0x10000u; code++) {
      const double want = value_of(code, kinds[k].mantissa_bits, kinds[k].bias);
      const float got = kinds[k].to_float((uint16_t)code);
      if (isnan(want)) {
        assert_true(isnan(got));
        assert_int_equal(kinds[k].from_float(got), kinds[k].nan);
        continue;
      }
      assert_true((double)got == want);
      assert_int_equal(signbit(got) != 0, code >> 15);
      assert_int_equal(kinds[k].from_float(got), code);
    }
  }
}

/* Between two neighbouring codes: the middle goes to the even one, the floats beside the middle to the nearer one.
 * The last pair is the largest finite value and infinity, whose place is taken by the next power of two. */
static void every_boundary_rounds_to_nearest_even(void **state) {
  (void)state;
  for (int k = 0; k < KINDS; k++) {
    for (unsigned code = 0; code < kinds[k].infinity; code++) {
      const double low = value_of(code, kinds[k].mantissa_bits, kinds[k].bias);
      const double high = code + 1 == kinds[k].infinity ? ldexp(1.0, kinds[k].bias + 1)
                                                        : value_of(code + 1, kinds[k].mantissa_bits, kinds[k].bias);
      const float middle = (float)(low / 2 + high / 2); /* exact: one bit more than the narrow type */
      assert_true((double)middle == low / 2 + high / 2);
      const unsigned even = code & 1u ? code + 1 : code;
      for (unsigned sign = 0; sign < 2; sign++) {
        const uint32_t m = to_bits(middle) | sign << 31;
        assert_int_equal(kinds[k].from_float(from_bits(m)), even | sign << 15);
        assert_int_equal(kinds[k].from_float(from_bits(m - 1)), code | sign << 15);
        assert_int_equal(kinds[k].from_float(from_bits(m + 1)), (code + 1) | sign << 15);
      }
    }
    assert_int_equal(kinds[k].from_float(INFINITY), kinds[k].infinity);
    assert_int_equal(kinds[k].from_float(-INFINITY), kinds[k].infinity | 0x8000u);
    assert_int_equal(kinds[k].from_float(from_bits(0x7f7fffffu)), kinds[k].infinity);
    assert_int_equal(kinds[k].from_float(-0.0f), 0x8000u);
    assert_int_equal(kinds[k].from_float(from_bits(0xff800001u)), kinds[k].nan);
    assert_int_equal(kinds[k].from_float(from_bits(0x7fffffffu)), kinds[k].nan);
  }
}

/* Floats spread over all exponents against the nearest of the two codes around them, found by bisection over the
 * values. */
static void floats_between_go_to_the_nearest(void **state) {
  (void)state;
  for (int k = 0; k < KINDS; k++) {
    for (uint64_t i = 0; i < 0x7f800000u; i += 10007) {
      const float x = from_bits((uint32_t)i);
      unsigned low = 0, high = kinds[k].infinity;
      while (high - low > 1) {
        const unsigned mid = (low + high) / 2;
        if (value_of(mid, kinds[k].mantissa_bits, kinds[k].bias) <= (double)x) low = mid;
        else high = mid;
      }
      const double below = value_of(low, kinds[k].mantissa_bits, kinds[k].bias);
      const double above = high == kinds[k].infinity ? ldexp(1.0, kinds[k].bias + 1)
                                                     : value_of(high, kinds[k].mantissa_bits, kinds[k].bias);
      const double down = (double)x - below, up = above - (double)x;
      const unsigned want = down < up ? low : up < down ? high : low & 1u ? high : low;
      assert_int_equal(kinds[k].from_float(x), want);
    }
  }
}

static void names_and_sizes(void **state) {
  (void)state;
  static const struct {
    cliv_dtype dtype;
    const char *name;
    size_t size;
  } want[] = {{CLIV_F32, "float32", 4}, {CLIV_F16, "float16", 2}, {CLIV_BF16, "bfloat16", 2}, {CLIV_F64, "float64", 8},
              {CLIV_I32, "int32", 4},   {CLIV_I64, "int64", 8},   {CLIV_U8, "uint8", 1}};
  assert_int_equal(sizeof want / sizeof want[0], CLIV_DTYPE_COUNT);
  for (size_t i = 0; i < CLIV_DTYPE_COUNT; i++) {
    cliv_dtype parsed;
    assert_string_equal(cliv_dtype_name(want[i].dtype), want[i].name);
    assert_int_equal(cliv_dtype_size(want[i].dtype), want[i].size);
    assert_int_equal(cliv_dtype_parse(want[i].name, &parsed), CLIV_OK);
    assert_int_equal(parsed, want[i].dtype);
  }
  assert_string_equal(cliv_dtype_name(CLIV_DTYPE_COUNT), "?");
  assert_string_equal(cliv_dtype_name((cliv_dtype)-1), "?");
  assert_int_equal(cliv_dtype_size(CLIV_DTYPE_COUNT), 0);
}

static void unknown_name_says_which_there_are(void **state) {
  (void)state;
  cliv_dtype dtype = CLIV_I64;
  assert_int_equal(cliv_dtype_parse("float24", &dtype), CLIV_NAME);
  assert_int_equal(dtype, CLIV_I64);
  assert_non_null(strstr(cliv_last_error(NULL), "'float24'"));
  assert_non_null(strstr(cliv_last_error(NULL), "bfloat16"));
  assert_int_equal(cliv_dtype_parse("", &dtype), CLIV_NAME);
  assert_int_equal(cliv_dtype_parse(NULL, &dtype), CLIV_NULL);
  assert_int_equal(cliv_dtype_parse("float32", NULL), CLIV_NULL);
}

static void arrays(void **state) {
  (void)state;
  cliv_array a;
  const size_t shape[] = {3, 4, 5};
  assert_int_equal(cliv_array_create(CLIV_F64, 3, shape, &a), CLIV_OK);
  assert_int_equal(cliv_array_count(&a), 60);
  for (size_t i = 0; i < 60; i++) assert_true(((double *)a.data)[i] == 0);
  cliv_array_free(&a);
  assert_null(a.data);
  assert_int_equal(a.ndim, 0);
  cliv_array_free(&a);
  cliv_array_free(NULL);

  assert_int_equal(cliv_array_create(CLIV_U8, 0, NULL, &a), CLIV_OK);
  assert_int_equal(cliv_array_count(&a), 1);
  cliv_array_free(&a);

  const size_t empty[] = {SIZE_MAX, 0, SIZE_MAX};
  assert_int_equal(cliv_array_create(CLIV_F32, 3, empty, &a), CLIV_OK);
  assert_int_equal(cliv_array_count(&a), 0);
  assert_non_null(a.data);
  cliv_array_free(&a);
}

static void refused_arrays_leave_nothing(void **state) {
  (void)state;
  const size_t big[] = {SIZE_MAX / 2, 3}, just_over[] = {SIZE_MAX / 4 + 1}, one[CLIV_MAX_DIMS + 1] = {1};
  cliv_array a = {.data = &a};
  assert_int_equal(cliv_array_create(CLIV_U8, 2, big, &a), CLIV_SHAPE);
  assert_null(a.data);
  assert_int_equal(cliv_array_create(CLIV_F32, 1, just_over, &a), CLIV_SHAPE);
  assert_int_equal(cliv_array_create(CLIV_F32, -1, one, &a), CLIV_SHAPE);
  assert_int_equal(cliv_array_create(CLIV_F32, CLIV_MAX_DIMS + 1, one, &a), CLIV_SHAPE);
  assert_int_equal(cliv_array_create(CLIV_F32, 1, NULL, &a), CLIV_NULL);
  assert_int_equal(cliv_array_create(CLIV_DTYPE_COUNT, 1, one, &a), CLIV_DTYPE);
  assert_int_equal(cliv_array_create(CLIV_F32, 1, one, NULL), CLIV_NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_code_widens_exactly_and_returns), cmocka_unit_test(every_boundary_rounds_to_nearest_even),
      cmocka_unit_test(floats_between_go_to_the_nearest),      cmocka_unit_test(names_and_sizes),
      cmocka_unit_test(unknown_name_says_which_there_are),     cmocka_unit_test(arrays),
      cmocka_unit_test(refused_arrays_leave_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
