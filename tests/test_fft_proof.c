/* What clFFT's plans are proven by (src/fft/proof.h): right transforms pass, whatever their form; wrong ones do not. */
#include "fft/proof.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fft/provider.h"
#include "fft_support.h"

static const cliv__clfft_shape shapes[] = {
    {CLIV__FFT_COMPLEX, 0, 0, 1, {2}, 5, 0, 1},
    {CLIV__FFT_COMPLEX, 1, 0, 1, {3}, 2, 0, 1.0 / 3},
    {CLIV__FFT_COMPLEX, 0, 1, 1, {48}, 3, 0, 1},
    {CLIV__FFT_COMPLEX, 1, 0, 1, {1001}, 1, 0, 1.0 / 1001},
    {CLIV__FFT_COMPLEX, 0, 0, 2, {6, 10}, 2, 0, 0.125},
    {CLIV__FFT_COMPLEX, 1, 0, 3, {4, 3, 5}, 2, 0, 1},
    {CLIV__FFT_FROM_REAL, 0, 0, 1, {2}, 3, 0, 1},
    {CLIV__FFT_FROM_REAL, 0, 0, 1, {15}, 3, 0, 1},
    {CLIV__FFT_FROM_REAL, 0, 0, 1, {1024}, 2, 0, 1.0 / 32},
    {CLIV__FFT_FROM_REAL, 0, 0, 2, {6, 10}, 2, 0, 1},
    {CLIV__FFT_FROM_REAL, 0, 0, 3, {4, 5, 7}, 1, 0, 1},
    {CLIV__FFT_TO_REAL, 0, 0, 1, {2}, 3, 0, 1},
    {CLIV__FFT_TO_REAL, 0, 0, 1, {15}, 3, 0, 1},
    {CLIV__FFT_TO_REAL, 0, 0, 1, {1024}, 2, 0, 1.0 / 1024},
    {CLIV__FFT_TO_REAL, 0, 0, 2, {6, 10}, 2, 0, 1},
    {CLIV__FFT_TO_REAL, 0, 0, 3, {4, 5, 8}, 1, 0, 1},
    {CLIV__FFT_TO_REAL, 0, 0, 3, {3, 4, 7}, 2, 0, 1},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static size_t points_of(const cliv__clfft_shape *s) {
  size_t n = 1;
  for (cl_ulong d = 0; d < s->dims; d++) n *= (size_t)s->length[d];
  return n;
}

/* Where the number of the negative frequencies is. */
static size_t mirror(const cliv__clfft_shape *s, size_t i) {
  size_t mirrored = 0, step = 1;
  for (cl_ulong d = s->dims; d-- > 0; step *= (size_t)s->length[d]) {
    const size_t n = (size_t)s->length[d], k = i / step % n;
    mirrored += (n - k) % n * step;
  }
  return mirrored;
}

/* The whole array of complex numbers that an array of the input stands for. */
static double *whole_input(const cliv__clfft_shape *s, const float *x) {
  const size_t points = points_of(s), n = (size_t)s->length[s->dims - 1], half = n / 2 + 1;
  double *const z = test_alloc(2 * points * sizeof *z);
  for (size_t i = 0; i < points; i++) {
    const bool stored = s->kind != CLIV__FFT_TO_REAL || i % n < half;
    const size_t at = stored ? i : mirror(s, i);
    const float *const from = x + (s->kind == CLIV__FFT_FROM_REAL ? at
                                   : s->kind == CLIV__FFT_COMPLEX ? 2 * at
                                                                  : 2 * (at / n * half + at % n));
    z[2 * i] = from[0];
    z[2 * i + 1] = s->kind == CLIV__FFT_FROM_REAL ? 0 : stored ? from[1] : -from[1];
  }
  return z;
}

static void transform_axes(const cliv__clfft_shape *s, double *z, double sign) {
  const size_t points = points_of(s);
  size_t step = 1;
  for (cl_ulong d = s->dims; d-- > 0; step *= (size_t)s->length[d]) {
    const size_t n = (size_t)s->length[d];
    double *const line = test_alloc(2 * n * sizeof *line);
    for (size_t i = 0; i < points; i++) {
      if (i / step % n) continue;
      fft_reference(z + 2 * i, n, step, sign, line);
      for (size_t k = 0; k < n; k++) memcpy(z + 2 * (i + k * step), line + 2 * k, 2 * sizeof *z);
    }
    free(line);
  }
}

/* An array's result as a plan would store it. */
static void store(const cliv__clfft_shape *s, const double *z, float *to) {
  const size_t points = points_of(s), n = (size_t)s->length[s->dims - 1];
  for (size_t i = 0; i < points; i++) {
    if (s->kind == CLIV__FFT_FROM_REAL && i % n > n / 2) continue;
    *to++ = (float)(z[2 * i] * s->scale);
    if (s->kind != CLIV__FFT_TO_REAL) *to++ = (float)(z[2 * i + 1] * s->scale);
    else ASSERT_NEAR(z[2 * i + 1], 0, 1e-9); /* the input is a real array's transform */
  }
}

/* All results by the reference; turned: the other way about. */
static float *transformed(const cliv__proof *p, bool turned) {
  const cliv__clfft_shape *const s = &p->shape;
  const bool back = s->kind == CLIV__FFT_TO_REAL || s->inverse;
  const size_t in = p->in_each * p->in_parts, out = p->out_each * p->out_parts;
  float *const x = test_alloc(in * sizeof *x), *const y = test_alloc((size_t)s->batch * out * sizeof *y);
  for (size_t a = 0; a < s->batch; a++) {
    cliv__proof_input(p, a * p->in_each, p->in_each, x);
    double *const z = whole_input(s, x);
    transform_axes(s, z, back != turned ? 1 : -1);
    store(s, z, y + a * out);
    free(z);
  }
  free(x);
  return y;
}

/* Taken in pieces of 7, which end within rows and arrays. */
static double judge(cliv__proof *p, const float *y) {
  const size_t total = (size_t)p->shape.batch * p->out_each;
  p->error = 0;
  for (size_t i = 0; i < total; i += 7) cliv__proof_take(p, i, total - i < 7 ? total - i : 7, y + i * p->out_parts);
  return p->error;
}

static void every_form(void **state) {
  (void)state;
  for (size_t i = 0; i < SHAPES; i++) {
    cliv__proof p;
    assert_true(cliv__proof_make(&shapes[i], &p));
    assert_int_equal(p.in_each * p.in_parts * shapes[i].batch, cliv__clfft_inputs(&shapes[i]));
    assert_int_equal(p.out_each * p.out_parts * shapes[i].batch, cliv__clfft_outputs(&shapes[i]));
    float *const y = transformed(&p, false);
    const double right = judge(&p, y);
    if (!(right < 2e-7)) fail_msg("shape %zu: a right result is said to be off by %g", i, right);
    const size_t floats = cliv__clfft_outputs(&shapes[i]);
    const size_t places[] = {0, 1, floats / 3, floats - 2, floats - 1};
    for (size_t q = 0; q < sizeof places / sizeof *places; q++) {
      float *const number = y + places[q], there = *number;
      *number = there + 0.01f * (float)shapes[i].scale * sqrtf((float)points_of(&shapes[i]));
      const double wrong = judge(&p, y);
      if (!(wrong > 1e-5 && wrong < 0.1)) fail_msg("shape %zu: a wrong number %zu is off by %g", i, places[q], wrong);
      *number = NAN;
      assert_true(judge(&p, y) > 1e30);
      *number = there;
    }
    free(y);
    cliv__proof_free(&p);
  }
}

/* The other direction, and arrays in another order. */
static void other_transforms(void **state) {
  (void)state;
  for (size_t i = 0; i < SHAPES; i++) {
    cliv__proof p;
    assert_true(cliv__proof_make(&shapes[i], &p));
    const size_t out = p.out_each * p.out_parts;
    float *const turned = transformed(&p, true), *const y = transformed(&p, false);
    if (points_of(&shapes[i]) > 2) assert_true(judge(&p, turned) > 0.01); /* of two, both directions are one */
    if (shapes[i].batch > 1) {
      memcpy(y + (shapes[i].batch - 1) * out, turned, out * sizeof *y);
      assert_true(judge(&p, y) > 0.01);
    }
    free(turned);
    free(y);
    cliv__proof_free(&p);
  }
}

/* Of many arrays, and of long ones, both ends. */
static void ends(void **state) {
  (void)state;
  static const struct {
    size_t length, batch, first_end, second_begin;
  } rows[] = {{1024, 100, 100, 100},
              {1024, 4096, 2048, 2048},
              {1024, 5000, 2048, 2952},
              {1 << 22, 1, 1, 1},
              {1 << 22, 2, 1, 1},
              {1 << 22, 9, 1, 8},
              {2, (1 << 20) + 1, 1 << 20, 1 << 20}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const cliv__clfft_shape s = {CLIV__FFT_COMPLEX, 0, 0, 1, {rows[i].length}, rows[i].batch, 0, 1};
    cliv__proof p;
    cl_ulong begin, end;
    assert_true(cliv__proof_make(&s, &p));
    cliv__proof_arrays(&p, 0, &begin, &end);
    assert_int_equal(begin, 0);
    assert_int_equal(end, rows[i].first_end);
    cliv__proof_arrays(&p, 1, &begin, &end);
    assert_int_equal(begin, rows[i].second_begin);
    assert_int_equal(end, rows[i].batch);
    cliv__proof_free(&p);
  }
}

/* The sums of a million are as exact as those of few. */
static void long_ones(void **state) {
  (void)state;
  enum { N = 1 << 20 };
  const cliv__clfft_shape s = {CLIV__FFT_COMPLEX, 0, 0, 1, {N}, 1, 0, 1};
  cliv__proof p;
  assert_true(cliv__proof_make(&s, &p));
  float *const y = transformed(&p, false);
  p.error = 0;
  cliv__proof_take(&p, 0, N, y);
  assert_true(p.error < 2e-7);
  y[2 * (N - 1)] += 1000; /* what any of them is, about */
  p.error = 0;
  cliv__proof_take(&p, 0, N, y);
  assert_true(p.error > 1e-4 && p.error < 1e-2);
  free(y);
  cliv__proof_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_form), cmocka_unit_test(other_transforms),
                                     cmocka_unit_test(ends), cmocka_unit_test(long_ones)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
