/* See fft_support.h. */
#include "fft_support.h"

#include <math.h>
#include <stdlib.h>

#define PI 3.14159265358979323846

bool fft_has_other_factors(size_t n) {
  while (n % 2 == 0) n /= 2;
  while (n % 3 == 0) n /= 3;
  while (n % 5 == 0) n /= 5;
  return n != 1;
}

double fft_bound(size_t n) { return fft_has_other_factors(n) ? 4e-7 : 2e-7; }

static void sum_directly(const double *x, size_t n, size_t stride, double sign, double *out) {
  double *const turns = test_alloc(2 * n * sizeof(double));
  for (size_t k = 0; k < n; k++) {
    turns[2 * k] = cos(2 * PI * (double)k / (double)n);
    turns[2 * k + 1] = sign * sin(2 * PI * (double)k / (double)n);
  }
  for (size_t k = 0; k < n; k++) {
    double re = 0, im = 0;
    for (size_t j = 0; j < n; j++) {
      const double *const z = x + 2 * j * stride, *const w = turns + 2 * ((uint64_t)j * k % n);
      re += z[0] * w[0] - z[1] * w[1];
      im += z[0] * w[1] + z[1] * w[0];
    }
    out[2 * k] = re;
    out[2 * k + 1] = im;
  }
  free(turns);
}

static size_t least_factor(size_t n) {
  for (size_t p = 2; p * p <= n; p++)
    if (n % p == 0) return p;
  return n;
}

void fft_reference(const double *x, size_t n, size_t stride, double sign, double *out) {
  const size_t p = least_factor(n), m = n / p;
  if (n <= 32 || m == 1) {
    sum_directly(x, n, stride, sign, out);
    return;
  }
  double *const parts = test_alloc(2 * n * sizeof(double));
  for (size_t t = 0; t < p; t++) fft_reference(x + 2 * t * stride, m, p * stride, sign, parts + 2 * t * m);
  for (size_t k = 0; k < n; k++) {
    double re = 0, im = 0;
    for (size_t t = 0; t < p; t++) {
      const double angle = 2 * PI * (double)((uint64_t)t * k % n) / (double)n, c = cos(angle), s = sign * sin(angle);
      const double *const z = parts + 2 * (t * m + k % m);
      re += z[0] * c - z[1] * s;
      im += z[0] * s + z[1] * c;
    }
    out[2 * k] = re;
    out[2 * k + 1] = im;
  }
  free(parts);
}

double *fft_widened(const float *x, size_t n) {
  double *const wide = test_alloc(n * sizeof(double));
  for (size_t i = 0; i < n; i++) wide[i] = x[i];
  return wide;
}

double fft_error(const float *got, const double *want, size_t n, double scale) {
  double apart = 0, length = 0;
  for (size_t i = 0; i < 2 * n; i++) {
    const double w = want[i] * scale;
    apart += ((double)got[i] - w) * ((double)got[i] - w);
    length += w * w;
  }
  return length > 0 ? sqrt(apart / length) : apart;
}

float *fft_transform(cliv_context *ctx, const float *x, int ndim, const size_t *shape, const cliv_fft_options *o,
                     size_t shift, bool in_place) {
  test_guarded in = test_guard(ctx, CLIV_F32, ndim, shape, shift, x);
  test_guarded out = test_guard(ctx, CLIV_F32, ndim, shape, shift ? 3 : 0, NULL);
  ASSERT_OK(ctx, cliv_fft(ctx, in.tensor, in_place ? in.tensor : out.tensor, o, NULL));
  float *const y = test_read(in_place ? in.tensor : out.tensor);
  if (!in_place) {
    float *const before = test_read(in.tensor);
    ASSERT_BITS(before, x, cliv_tensor_count(in.tensor) * sizeof(float));
    free(before);
  }
  test_guard_free(&in);
  test_guard_free(&out);
  return y;
}

void fft_try_length(const test_ways *c, size_t lines, size_t n, const cliv_fft_options *o) {
  const size_t shape[] = {lines, n, 2}, floats = lines * n * 2;
  float *const x = test_alloc(floats * sizeof(float)), *first = NULL;
  test_fill_normal(x, floats, n * 131 + lines);
  for (size_t w = 0; w < c->count; w++) {
    float *const y = fft_transform(c->ctx[w], x, 3, shape, o, w + n % 3, (w + n) % 2);
    if (first) ASSERT_SAME(CLIV_F32, y, first, floats);
    if (first) free(y);
    else first = y;
  }
  const bool inverse = o->inverse;
  const double scale = o->norm == CLIV_FFT_BACKWARD ? (inverse ? 1 / (double)n : 1)
                       : o->norm == CLIV_FFT_ORTHO  ? 1 / sqrt((double)n)
                                                    : (inverse ? 1 : 1 / (double)n);
  double *const want = test_alloc(2 * n * sizeof(double));
  for (size_t line = 0; line<lines; line += lines> 1 ? lines - 1 : 1) {
    double *const wide = fft_widened(x + line * 2 * n, 2 * n);
    fft_reference(wide, n, 1, inverse ? 1 : -1, want);
    const double error = fft_error(first + line * 2 * n, want, n, scale);
    if (!(error <= fft_bound(n)))
      fail_msg("length %zu, line %zu of %zu: error %.3g, where %.3g is promised", n, line, lines, error, fft_bound(n));
    free(wide);
  }
  free(want);
  free(first);
  free(x);
}

bool fft_has_doubles(cliv_context *ctx) {
  cliv_tensor *t;
  if (cliv_tensor_create(ctx, CLIV_F64, 0, NULL, &t)) return false;
  cliv_tensor_free(t);
  return true;
}

test_ways fft_both_walks(const test_ways *c) {
  return (test_ways){{c->ctx[0], c->ctx[c->count - 1]}, c->count > 1 ? 2 : 1};
}
