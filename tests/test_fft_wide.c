/* Transforms of many lengths, of many lines and of a million points, by lots, and those in double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fft_support.h"
#include "runtime/context.h"

#define PI 3.14159265358979323846

/* Every length to 1024, in both walks; fewer of them where it takes long. */
static void every_length(void **state) {
  const test_ways walks = fft_both_walks(*state);
  const size_t step = test_slow(walks.ctx[0]) ? 9 : test_few() ? 3 : 1;
  if (test_small()) return;
  for (size_t n = 1; n <= 1024; n += step) fft_try_length(&walks, 1 + n % 2, n, EXACT());
}

/* A million: some results by their definition, the square sum, the way back; the same bits in both walks. */
static void try_huge(const test_ways *c, size_t n) {
  enum { LOOKED_AT = 12 };
  const size_t shape[] = {n, 2};
  float *const x = test_alloc(2 * n * sizeof *x), *y = NULL;
  double *const turns = test_alloc(2 * n * sizeof *turns);
  double apart = 0, length = 0, whole = 0, energy = 0, back_apart = 0;
  test_fill_normal(x, 2 * n, n);
  for (size_t w = 0; w < c->count; w++) {
    float *const other = fft_transform(c->ctx[w], x, 2, shape, EXACT(), w, false);
    if (y) ASSERT_SAME(CLIV_F32, other, y, 2 * n);
    if (y) free(other);
    else y = other;
  }
  float *const z = fft_transform(c->ctx[0], y, 2, shape, EXACT(.inverse = 1), 0, true);
  for (size_t k = 0; k < n; k++) {
    turns[2 * k] = cos(2 * PI * (double)k / (double)n);
    turns[2 * k + 1] = -sin(2 * PI * (double)k / (double)n);
  }
  for (size_t i = 0; i < LOOKED_AT; i++) {
    const size_t k = i < 2 ? i * (n - 1) : (size_t)(test_bits(3, i) % n);
    double re = 0, im = 0;
    for (size_t j = 0, at = 0; j < n; j++, at = at + k < n ? at + k : at + k - n) {
      const double *const w = turns + 2 * at;
      re += x[2 * j] * w[0] - x[2 * j + 1] * w[1];
      im += x[2 * j] * w[1] + x[2 * j + 1] * w[0];
    }
    apart += (y[2 * k] - re) * (y[2 * k] - re) + (y[2 * k + 1] - im) * (y[2 * k + 1] - im);
    length += re * re + im * im;
  }
  for (size_t i = 0; i < 2 * n; i++) {
    const double d = (double)z[i] - x[i];
    whole += (double)x[i] * x[i], energy += (double)y[i] * y[i], back_apart += d * d;
  }
  const double error = sqrt(apart / length), back = sqrt(back_apart / whole);
  if (!(error <= fft_bound(n)))
    fail_msg("length %zu: error %.3g of some, where %.3g is promised", n, error, fft_bound(n));
  if (!(back <= 2 * fft_bound(n))) fail_msg("length %zu: %.3g there and back", n, back);
  ASSERT_NEAR(energy / whole / (double)n, 1, 2 * fft_bound(n));
  free(x), free(y), free(z), free(turns);
}

static void huge_lengths(void **state) {
  const test_ways walks = fft_both_walks(*state);
  if (test_small() || test_slow(walks.ctx[0])) return;
  try_huge(&walks, 1 << 20);
  try_huge(&walks, 1000003);
}

/* Lots do not change a bit: on a device of little memory, one after another of a few lines each. */
static void try_lots(const test_ways *c, cliv_dtype dtype, size_t lines, size_t n, size_t beside) {
  const size_t shape[] = {lines, n, beside, 2}, numbers = lines * n * beside * 2;
  const cliv_fft_options o = {
      .provider = CLIV_FFT_PROVIDER_EXACT, .inverse = n % 2, .axis_count = 1, .axes = (const int[]){1}};
  unsigned char *const x = test_alloc(numbers * cliv_dtype_size(dtype));
  for (size_t i = 0; i < numbers; i++) test_put(dtype, x, i, test_normal(n, i));
  for (size_t w = 0; w < c->count; w++) {
    const cl_ulong there = c->ctx[w]->facts.global_memory;
    void *y[2];
    for (int little = 0; little < 2; little++) {
      test_guarded in = test_guard(c->ctx[w], dtype, 4, shape, 1, x);
      test_guarded out = test_guard(c->ctx[w], dtype, 4, shape, 0, NULL);
      if (little) c->ctx[w]->facts.global_memory = 64 * 2 * n * cliv_dtype_size(dtype) * 3; /* lots of one to three */
      ASSERT_OK(c->ctx[w], cliv_fft(c->ctx[w], in.tensor, little ? in.tensor : out.tensor, &o, NULL));
      c->ctx[w]->facts.global_memory = there;
      y[little] = test_read(little ? in.tensor : out.tensor);
      test_guard_free(&in), test_guard_free(&out);
    }
    ASSERT_SAME(dtype, y[1], y[0], numbers);
    free(y[0]), free(y[1]);
  }
  free(x);
}

static void lots(void **state) {
  const test_ways walks = fft_both_walks(*state);
  static const size_t lengths[] = {17, 4097, 8640};
  for (size_t i = 0; i < (test_small() || test_slow(walks.ctx[0]) ? 1 : sizeof lengths / sizeof *lengths); i++)
    for (size_t beside = 1; beside < 4; beside += 2) {
      try_lots(&walks, CLIV_F32, 5, lengths[i], beside);
      if (fft_has_doubles(walks.ctx[0]) && (i == 0 || beside == 1)) try_lots(&walks, CLIV_F64, 5, lengths[i], beside);
    }
}

static void many_lines(void **state) {
  const test_ways *const c = *state;
  static const size_t lengths[] = {2, 4, 8, 15, 64, 7};
  if (test_small()) return;
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) fft_try_length(c, 1009, lengths[i], EXACT());
  fft_try_length(c, 80, 1024, EXACT());
}

static void wide_reference(const double *x, size_t n, bool inverse, double *out) {
  const long double turn = 2 * 3.14159265358979323846264338327950288L / (long double)n;
  for (size_t k = 0; k < n; k++) {
    long double re = 0, im = 0;
    for (size_t j = 0; j < n; j++) {
      const long double angle = turn * (long double)(j * k % n), c = cosl(angle), s = sinl(angle) * (inverse ? 1 : -1);
      re += x[2 * j] * c - x[2 * j + 1] * s;
      im += x[2 * j] * s + x[2 * j + 1] * c;
    }
    out[2 * k] = (double)re, out[2 * k + 1] = (double)im;
  }
}

/* An rms error of 2^-53 in each of log2 n passes is far below 1e-15·(1 + log2 n); a convolution has three times as
 * many. */
static double wide_bound(size_t n) { return (fft_has_other_factors(n) ? 4e-16 : 2e-16) * (1 + log2((double)n)); }

static void try_wide(const test_ways *c, size_t lines, size_t n, size_t beside, bool inverse) {
  const size_t shape[] = {lines, n, beside, 2}, numbers = lines * n * beside * 2;
  const cliv_fft_options o = {.provider = CLIV_FFT_PROVIDER_EXACT,
                              .inverse = inverse,
                              .norm = CLIV_FFT_ORTHO,
                              .axis_count = 1,
                              .axes = (const int[]){1}};
  double *const x = test_alloc(numbers * sizeof *x), *first = NULL;
  for (size_t i = 0; i < numbers; i++) x[i] = test_normal(n, i);
  for (size_t w = 0; w < c->count; w++) {
    test_guarded in = test_guard(c->ctx[w], CLIV_F64, 4, shape, w, x);
    test_guarded out = test_guard(c->ctx[w], CLIV_F64, 4, shape, 1, NULL);
    ASSERT_OK(c->ctx[w], cliv_fft(c->ctx[w], in.tensor, w % 2 ? in.tensor : out.tensor, &o, NULL));
    double *const y = test_read(w % 2 ? in.tensor : out.tensor);
    if (first) ASSERT_SAME(CLIV_F64, y, first, numbers);
    if (first) free(y);
    else first = y;
    test_guard_free(&in);
    test_guard_free(&out);
  }
  double *const line = test_alloc(2 * n * sizeof *line), *const want = test_alloc(2 * n * sizeof *want);
  const size_t l = lines - 1, s = beside / 2;
  double apart = 0, length = 0;
  for (size_t j = 0; j < n; j++) memcpy(line + 2 * j, x + 2 * ((l * n + j) * beside + s), 2 * sizeof *line);
  wide_reference(line, n, inverse, want);
  for (size_t i = 0; i < 2 * n; i++) {
    const double w = want[i] / sqrt((double)n), d = first[2 * ((l * n + i / 2) * beside + s) + i % 2] - w;
    apart += d * d, length += w * w;
  }
  if (!(sqrt(apart / length) <= wide_bound(n)))
    fail_msg("doubles, length %zu: error %.3g, allowed %.3g", n, sqrt(apart / length), wide_bound(n));
  free(line);
  free(want);
  free(first);
  free(x);
}

static void doubles(void **state) {
  const test_ways *const c = *state;
  static const size_t lengths[] = {2, 15, 17, 1, 3, 4, 5, 8, 16, 97, 120, 512, 600, 1009};
  if (!fft_has_doubles(c->ctx[0])) return;
  for (size_t i = 0; i < (test_small() ? 3 : sizeof lengths / sizeof *lengths); i++)
    try_wide(c, 1 + lengths[i] % 3, lengths[i], 1 + lengths[i] % 2, i % 2);
}

/* Real doubles there and back. */
static void real_doubles(void **state) {
  const test_ways *const c = *state;
  static const size_t lengths[] = {10, 9, 14, 1, 2, 480, 77};
  if (!fft_has_doubles(c->ctx[0])) return;
  for (size_t i = 0; i < (test_small() ? 2 : sizeof lengths / sizeof *lengths); i++) {
    const size_t n = lengths[i], half = n / 2 + 1;
    double *const x = test_alloc(3 * n * sizeof *x), *const line = test_alloc(2 * n * sizeof *line), *first = NULL;
    double *const want = test_alloc(2 * n * sizeof *want);
    for (size_t k = 0; k < 3 * n; k++) x[k] = test_normal(5, k);
    for (size_t k = 0; k < n; k++) line[2 * k] = x[2 * n + k], line[2 * k + 1] = 0;
    wide_reference(line, n, false, want);
    for (size_t w = 0; w < c->count; w++) {
      cliv_context *const ctx = c->ctx[w];
      test_guarded in = test_guard(ctx, CLIV_F64, 2, (size_t[]){3, n}, 0, x);
      test_guarded out = test_guard(ctx, CLIV_F64, 3, (size_t[]){3, half, 2}, 1, NULL);
      ASSERT_OK(ctx, cliv_rfft(ctx, in.tensor, out.tensor, EXACT(), NULL));
      ASSERT_OK(ctx, cliv_irfft(ctx, out.tensor, in.tensor, EXACT(), NULL));
      double *const y = test_read(out.tensor), *const back = test_read(in.tensor);
      for (size_t k = 0; k < 2 * half; k++) ASSERT_NEAR(y[4 * half + k], want[k], 8 * wide_bound(n) * sqrt((double)n));
      for (size_t k = 0; k < 3 * n; k++) ASSERT_NEAR(back[k], x[k], 8 * wide_bound(n));
      if (first) ASSERT_SAME(CLIV_F64, y, first, 6 * half);
      if (first) free(y);
      else first = y;
      free(back);
      test_guard_free(&in);
      test_guard_free(&out);
    }
    free(first);
    free(x);
    free(line);
    free(want);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_length), cmocka_unit_test(huge_lengths), cmocka_unit_test(lots),
      cmocka_unit_test(many_lines),   cmocka_unit_test(doubles),      cmocka_unit_test(real_doubles),
  };
  return test_finish(cmocka_run_group_tests(tests, test_setup_all, test_teardown_all));
}
