/* cliv_rfft and cliv_irfft of cliv/fft.h: errors against sums in double, bits in every way, axes, what is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fft_support.h"

/* Real numbers against the reference, along the axis and beside others; there and back; the same bits in every way. */
static void try_real(const test_ways *c, size_t lines, size_t n, size_t beside, cliv_fft_norm norm) {
  const size_t half = n / 2 + 1, count = lines * n * beside, shape[] = {lines, n, beside};
  const size_t pair_shape[] = {lines, half, beside, 2}, pairs = lines * half * beside * 2;
  const cliv_fft_options o = {
      .provider = CLIV_FFT_PROVIDER_EXACT, .norm = norm, .axis_count = 1, .axes = (const int[]){1}};
  const double parts[] = {[CLIV_FFT_BACKWARD] = 1, [CLIV_FFT_ORTHO] = sqrt((double)n), [CLIV_FFT_FORWARD] = (double)n};
  float *const x = test_alloc(count * sizeof *x), *first = NULL, *first_back = NULL;
  test_fill_normal(x, count, n * 7 + beside);
  for (size_t w = 0; w < c->count; w++) {
    cliv_context *const ctx = c->ctx[w];
    test_guarded in = test_guard(ctx, CLIV_F32, 3, shape, w, x),
                 out = test_guard(ctx, CLIV_F32, 4, pair_shape, 3, NULL);
    test_guarded back = test_guard(ctx, CLIV_F32, 3, shape, 1, NULL);
    ASSERT_OK(ctx, cliv_rfft(ctx, in.tensor, out.tensor, &o, NULL));
    ASSERT_OK(ctx, cliv_irfft(ctx, out.tensor, back.tensor, &o, NULL));
    float *const y = test_read(out.tensor), *const z = test_read(back.tensor);
    if (first) {
      ASSERT_SAME(CLIV_F32, y, first, pairs);
      ASSERT_SAME(CLIV_F32, z, first_back, count);
      free(y);
      free(z);
    } else {
      first = y, first_back = z;
    }
    test_guard_free(&in);
    test_guard_free(&out);
    test_guard_free(&back);
  }
  double apart = 0, length = 0;
  for (size_t i = 0; i < count; i++) {
    apart += ((double)first_back[i] - x[i]) * ((double)first_back[i] - x[i]);
    length += (double)x[i] * x[i];
  }
  if (!(sqrt(apart / length) <= 2 * fft_bound(n))) fail_msg("length %zu: %g there and back", n, sqrt(apart / length));
  double *const line = test_alloc(2 * n * sizeof *line), *const want = test_alloc(2 * n * sizeof *want);
  float *const got = test_alloc(2 * half * sizeof *got);
  const size_t l = lines - 1, s = beside / 2;
  for (size_t j = 0; j < n; j++) line[2 * j] = x[(l * n + j) * beside + s], line[2 * j + 1] = 0;
  for (size_t k = 0; k < half; k++) memcpy(got + 2 * k, first + 2 * ((l * half + k) * beside + s), 2 * sizeof *got);
  fft_reference(line, n, 1, -1, want);
  const double error = fft_error(got, want, half, 1 / parts[norm]);
  if (!(error <= fft_bound(n)))
    fail_msg("real length %zu beside %zu: error %.3g, promised %.3g", n, beside, error, fft_bound(n));
  free(line);
  free(want);
  free(got);
  free(first);
  free(first_back);
  free(x);
}

static void real_numbers(void **state) {
  const test_ways *const c = *state;
  for (size_t n = 1; n <= (test_small() ? 7 : 33); n++) try_real(c, 1 + n % 11, n, 1 + n % 3, (cliv_fft_norm)(n % 3));
  if (test_small()) return;
  static const size_t lengths[] = {64, 97, 100, 194, 1000, 1001, 4096};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    try_real(c, 1, lengths[i], 1, CLIV_FFT_BACKWARD);
    if (lengths[i] < 1000) try_real(c, 3, lengths[i], 9, CLIV_FFT_BACKWARD);
  }
  try_real(c, 1, 65536, 1, CLIV_FFT_BACKWARD);
  /* The CPU walk for many lines, all in one. */
  try_real(c, 3, 128, 1, CLIV_FFT_ORTHO);
  try_real(c, 9, 1152, 1, CLIV_FFT_BACKWARD);
  try_real(c, 5, 1280, 1, CLIV_FFT_FORWARD);
}

/* In three dimensions, the middle one halved: as the complex transform has it; back again. */
static void real_axes(void **state) {
  const test_ways *const c = *state;
  enum { A = 5, B = 12, C = 9, HALF = B / 2 + 1 };
  const size_t shape[] = {A, B, C}, all[] = {A, B, C, 2}, halves[] = {A, HALF, C, 2};
  const cliv_fft_options o = {
      .provider = CLIV_FFT_PROVIDER_EXACT, .norm = CLIV_FFT_ORTHO, .axis_count = 3, .axes = (const int[]){0, 2, 1}};
  float x[A * B * C], z[A * B * C * 2], *first = NULL;
  test_fill_normal(x, A * B * C, 77);
  for (size_t i = 0; i < A * B * C; i++) z[2 * i] = x[i], z[2 * i + 1] = 0;
  for (size_t w = 0; w < c->count; w++) {
    cliv_context *const ctx = c->ctx[w];
    float *const whole = fft_transform(ctx, z, 4, all, &o, 0, true);
    test_guarded in = test_guard(ctx, CLIV_F32, 3, shape, 1, x), out = test_guard(ctx, CLIV_F32, 4, halves, 0, NULL);
    test_guarded back = test_guard(ctx, CLIV_F32, 3, shape, 0, NULL);
    ASSERT_OK(ctx, cliv_rfft(ctx, in.tensor, out.tensor, &o, NULL));
    ASSERT_OK(ctx, cliv_irfft(ctx, out.tensor, back.tensor, &o, NULL));
    float *const y = test_read(out.tensor), *const again = test_read(back.tensor);
    for (size_t a = 0; a < A; a++)
      for (size_t k = 0; k < HALF * C * 2; k++) ASSERT_NEAR(y[a * HALF * C * 2 + k], whole[a * B * C * 2 + k], 2e-6);
    for (size_t i = 0; i < A * B * C; i++) ASSERT_NEAR(again[i], x[i], 2e-6);
    if (first) ASSERT_SAME(CLIV_F32, y, first, A * HALF * C * 2);
    if (first) free(y);
    else first = y;
    free(again);
    free(whole);
    test_guard_free(&in);
    test_guard_free(&out);
    test_guard_free(&back);
  }
  free(first);
}

static void real_refused(void **state) {
  const test_ways *const c = *state;
  cliv_context *const ctx = c->ctx[0];
  cliv_tensor *x, *y, *odd, *inside;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){3, 8}, &x));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, (size_t[]){3, 5, 2}, &y));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){3, 10}, &odd));
  ASSERT_OK(ctx, cliv_tensor_view(y, 6, 2, (size_t[]){3, 8}, 0, &inside));
  ASSERT_FAILS(ctx, cliv_rfft(ctx, x, odd, NULL, NULL), CLIV_SHAPE, "axis of 2");
  ASSERT_FAILS(ctx, cliv_rfft(ctx, odd, y, NULL, NULL), CLIV_SHAPE, "10 real numbers are 6 complex ones");
  ASSERT_FAILS(ctx, cliv_irfft(ctx, y, odd, NULL, NULL), CLIV_SHAPE, "10 real numbers are 6 complex ones");
  ASSERT_FAILS(ctx, cliv_irfft(ctx, y, inside, NULL, NULL), CLIV_OVERLAP, "apart");
  ASSERT_FAILS(ctx, cliv_rfft(ctx, x, y, EXACT(.axis_count = 1, .axes = (const int[]){0}), NULL), CLIV_SHAPE,
               "3 real numbers are 2");
  ASSERT_OK(ctx, cliv_irfft(ctx, y, x, EXACT(), NULL));
  cliv_tensor_free(x);
  cliv_tensor_free(y);
  cliv_tensor_free(odd);
  cliv_tensor_free(inside);
}

static void real_strides(void **state) {
  const test_ways *const c = *state;
  enum { A = 3, B = 10, HALF = B / 2 + 1 };
  const size_t shape[] = {A, B}, pairs[] = {A, HALF, 2}, span = 2 * A * B;
  const size_t turned[] = {1, A}, planes[] = {HALF, 1, A * HALF};
  float x[A * B];
  test_fill_normal(x, A * B, 8);
  for (size_t w = 0; w < c->count; w++) {
    cliv_context *const ctx = c->ctx[w];
    test_guarded in = test_guard(ctx, CLIV_F32, 2, shape, 0, x), out = test_guard(ctx, CLIV_F32, 3, pairs, 0, NULL);
    test_guarded a = test_guard(ctx, CLIV_F32, 1, &span, 0, NULL), b = test_guard(ctx, CLIV_F32, 1, &span, 0, NULL);
    cliv_tensor *from, *to;
    ASSERT_OK(ctx, cliv_tensor_view_strided(a.tensor, 0, 2, shape, turned, &from));
    ASSERT_OK(ctx, cliv_tensor_view_strided(b.tensor, 0, 3, pairs, planes, &to));
    ASSERT_OK(ctx, cliv_tensor_copy(in.tensor, from, NULL));
    ASSERT_OK(ctx, cliv_rfft(ctx, in.tensor, out.tensor, EXACT(), NULL));
    ASSERT_OK(ctx, cliv_rfft(ctx, from, to, EXACT(), NULL));
    ASSERT_SAME_TENSORS(to, out.tensor);
    ASSERT_OK(ctx, cliv_irfft(ctx, out.tensor, in.tensor, EXACT(), NULL));
    ASSERT_OK(ctx, cliv_irfft(ctx, to, from, EXACT(), NULL));
    ASSERT_SAME_TENSORS(from, in.tensor);
    cliv_tensor_free(from);
    cliv_tensor_free(to);
    test_guard_free(&in), test_guard_free(&out), test_guard_free(&a), test_guard_free(&b);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(real_numbers),
      cmocka_unit_test(real_axes),
      cmocka_unit_test(real_refused),
      cmocka_unit_test(real_strides),
  };
  return test_finish(cmocka_run_group_tests(tests, test_setup_all, test_teardown_all));
}
