/* cliv/fft.h: errors against sums in double, bits between walks, axes and launches, what is refused. */
#include <cliv/fft.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fft/plan.h"
#include "support.h"

#define PI 3.14159265358979323846

static bool has_other_factors(size_t n) {
  while (n % 2 == 0) n /= 2;
  while (n % 3 == 0) n /= 3;
  while (n % 5 == 0) n /= 5;
  return n != 1;
}

/* What the manual promises. */
static double bound(size_t n) { return has_other_factors(n) ? 4e-7 : 2e-7; }

/* ---- references in double, written apart from the library: the sum itself, and for long lengths a radix-p
 * recursion with the C library's sine and cosine ---- */

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

static void reference(const double *x, size_t n, size_t stride, double sign, double *out) {
  const size_t p = least_factor(n), m = n / p;
  if (n <= 32 || m == 1) {
    sum_directly(x, n, stride, sign, out);
    return;
  }
  double *const parts = test_alloc(2 * n * sizeof(double));
  for (size_t t = 0; t < p; t++) reference(x + 2 * t * stride, m, p * stride, sign, parts + 2 * t * m);
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

static double *widened(const float *x, size_t n) {
  double *const wide = test_alloc(n * sizeof(double));
  for (size_t i = 0; i < n; i++) wide[i] = x[i];
  return wide;
}

/* ||got - want·scale|| / ||want·scale|| of one line. */
static double error_of(const float *got, const double *want, size_t n, double scale) {
  double apart = 0, length = 0;
  for (size_t i = 0; i < 2 * n; i++) {
    const double w = want[i] * scale;
    apart += ((double)got[i] - w) * ((double)got[i] - w);
    length += w * w;
  }
  return length > 0 ? sqrt(apart / length) : apart;
}

/* ---- running one ---- */

static float *transform(cliv_context *ctx, const float *x, int ndim, const size_t *shape, const cliv_fft_options *o,
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

/* In every way: errors of the first way by the reference, bits of the others by the first. Lines that are looked at:
 * the first and the last. */
static void try_length(const test_ways *c, size_t lines, size_t n, const cliv_fft_options *o) {
  const size_t shape[] = {lines, n, 2}, floats = lines * n * 2;
  float *const x = test_alloc(floats * sizeof(float)), *first = NULL;
  test_fill_normal(x, floats, n * 131 + lines);
  for (size_t w = 0; w < c->count; w++) {
    float *const y = transform(c->ctx[w], x, 3, shape, o, w + n % 3, (w + n) % 2);
    if (first) ASSERT_SAME(CLIV_F32, y, first, floats);
    if (first) free(y);
    else first = y;
  }
  const bool inverse = o && o->inverse;
  const double scale = !o || o->norm == CLIV_FFT_BACKWARD ? (inverse ? 1 / (double)n : 1)
                       : o->norm == CLIV_FFT_ORTHO        ? 1 / sqrt((double)n)
                                                          : (inverse ? 1 : 1 / (double)n);
  double *const want = test_alloc(2 * n * sizeof(double));
  for (size_t line = 0; line<lines; line += lines> 1 ? lines - 1 : 1) {
    double *const wide = widened(x + line * 2 * n, 2 * n);
    reference(wide, n, 1, inverse ? 1 : -1, want);
    const double error = error_of(first + line * 2 * n, want, n, scale);
    if (!(error <= bound(n)))
      fail_msg("length %zu, line %zu of %zu: error %.3g, where %.3g is promised", n, line, lines, error, bound(n));
    free(wide);
  }
  free(want);
  free(first);
  free(x);
}

/* ---- tests ---- */

static bool has_doubles(cliv_context *ctx) {
  cliv_tensor *t;
  if (cliv_tensor_create(ctx, CLIV_F64, 0, NULL, &t)) return false;
  cliv_tensor_free(t);
  return true;
}

static void powers_of_w(void **state) {
  (void)state;
  static const uint64_t lengths[] = {1, 2, 3, 7, 8, 12, 45, 64, 97, 1000, 4097, 65536, 1000003, UINT64_C(1) << 27};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    const uint64_t n = lengths[i], step = n / 1000 + 1;
    for (uint64_t k = 0; k < n; k += step) {
      double re, im;
      cliv__fft_turn(k, n, &re, &im);
      const long double angle = 2 * 3.14159265358979323846264338327950288L * (long double)k / (long double)n;
      ASSERT_NEAR(re, (double)cosl(angle), 1e-15);
      ASSERT_NEAR(im, (double)-sinl(angle), 1e-15);
    }
  }
}

static void radices(void **state) {
  (void)state;
  static const struct {
    size_t n;
    const char *radices;
  } rows[] = {{1, ""},        {2, "2"},          {3, "3"},    {4, "4"},      {5, "5"},     {6, "23"},
              {8, "8"},       {16, "44"},        {32, "84"},  {64, "88"},    {128, "844"}, {30, "253"},
              {1000, "8555"}, {65536, "888844"}, {7, "none"}, {4097, "none"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint8_t radix[CLIV__FFT_RADICES];
    const int count = cliv__fft_radices(rows[i].n, radix);
    char text[CLIV__FFT_RADICES + 1] = "none";
    for (int p = 0; p < count; p++) text[p] = (char)('0' + radix[p]);
    if (count >= 0) text[count] = 0;
    assert_string_equal(text, rows[i].radices);
  }
}

/* Lengths by launches: whatever the share, products and tables are those of the whole list. */
static void shares(void **state) {
  (void)state;
  for (size_t n = 1; n <= 300000; n += n / 64 + 1) {
    cliv__fft_plan plan = {.length = n};
    plan.count = cliv__fft_radices(n, plan.radix);
    if (plan.count < 0) continue;
    for (size_t most = 16; most <= 4096; most *= 4)
      for (int least = 1; least <= 2; least++) {
        cliv__fft_launch l[CLIV__FFT_LAUNCHES];
        const int count = cliv__fft_share(&plan, most, least, l);
        size_t product = 1, done = 1, floats = 0; /* of the launches and the passes before */
        int passes = 0;
        assert_in_range(count, 1, CLIV__FFT_LAUNCHES);
        for (int i = 0; i < count; i++) {
          assert_int_equal(l[i].before, product);
          assert_int_equal(l[i].table, floats);
          assert_true(l[i].length <= most);
          for (cl_ulong rest = l[i].radices; rest; rest >>= 8) {
            const size_t r = rest & 255;
            assert_int_equal(r, plan.radix[passes++]);
            if (done > 1) floats += 2 * (r - 1) * done;
            done *= r;
          }
          product *= l[i].length;
        }
        assert_int_equal(product, n);
        assert_int_equal(passes, plan.count);
      }
  }
}

static void short_lengths(void **state) {
  const test_ways *const c = *state;
  for (size_t n = 1; n <= (test_small() ? 20 : 64); n += test_small() && n > 6 ? 2 : 1)
    try_length(c, 1 + n % 19, n, NULL);
}

static void long_lengths(void **state) {
  const test_ways *const c = *state;
  static const size_t lengths[] = {72,   75,   96,   100,  101,  125,  127,  128,  243,  256,  257,  384,  625, 720,
                                   1000, 1009, 1024, 1250, 2048, 2187, 2310, 3125, 3840, 4000, 4095, 4096, 4097};
  for (size_t i = 0; i < (test_small() ? 14 : sizeof lengths / sizeof *lengths); i += test_small() ? 13 : 1) {
    try_length(c, 1, lengths[i], NULL);
    if (lengths[i] < 1100 && !test_small()) try_length(c, 21, lengths[i], NULL);
  }
  if (test_small()) return;
  try_length(c, 1, 8192, NULL);
  try_length(c, 1, 19683, NULL);
  try_length(c, 1, 65536, NULL);
  /* The CPU walk for many lines: those of which only parts stay near, and convolutions of such. */
  static const size_t several[] = {4097, 4100, 8640, 12800, 65536};
  for (size_t i = 0; i < sizeof several / sizeof *several; i++) try_length(c, 5, several[i], NULL);
}

/* One way of each walk. */
static test_ways both_walks(const test_ways *c) {
  return (test_ways){{c->ctx[0], c->ctx[c->count - 1]}, c->count > 1 ? 2 : 1};
}

/* Every length to 1024, in both walks; fewer of them where it takes long. */
static void every_length(void **state) {
  const test_ways walks = both_walks(*state);
  const size_t step = test_slow(walks.ctx[0]) ? 9 : test_few() ? 3 : 1;
  if (test_small()) return;
  for (size_t n = 1; n <= 1024; n += step) try_length(&walks, 1 + n % 2, n, NULL);
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
    float *const other = transform(c->ctx[w], x, 2, shape, NULL, w, false);
    if (y) ASSERT_SAME(CLIV_F32, other, y, 2 * n);
    if (y) free(other);
    else y = other;
  }
  float *const z = transform(c->ctx[0], y, 2, shape, &(cliv_fft_options){.inverse = 1}, 0, true);
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
  if (!(error <= bound(n))) fail_msg("length %zu: error %.3g of some, where %.3g is promised", n, error, bound(n));
  if (!(back <= 2 * bound(n))) fail_msg("length %zu: %.3g there and back", n, back);
  ASSERT_NEAR(energy / whole / (double)n, 1, 2 * bound(n));
  free(x), free(y), free(z), free(turns);
}

static void huge_lengths(void **state) {
  const test_ways walks = both_walks(*state);
  if (test_small() || test_slow(walks.ctx[0])) return;
  try_huge(&walks, 1 << 20);
  try_huge(&walks, 1000003);
}

/* Lots do not change a bit: on a device of little memory, one after another of a few lines each. */
static void try_lots(const test_ways *c, cliv_dtype dtype, size_t lines, size_t n, size_t beside) {
  const size_t shape[] = {lines, n, beside, 2}, numbers = lines * n * beside * 2;
  const cliv_fft_options o = {.inverse = n % 2, .axis_count = 1, .axes = (const int[]){1}};
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
  const test_ways walks = both_walks(*state);
  static const size_t lengths[] = {17, 4097, 8640};
  for (size_t i = 0; i < (test_small() || test_slow(walks.ctx[0]) ? 1 : sizeof lengths / sizeof *lengths); i++)
    for (size_t beside = 1; beside < 4; beside += 2) {
      try_lots(&walks, CLIV_F32, 5, lengths[i], beside);
      if (has_doubles(walks.ctx[0]) && (i == 0 || beside == 1)) try_lots(&walks, CLIV_F64, 5, lengths[i], beside);
    }
}

static void many_lines(void **state) {
  const test_ways *const c = *state;
  static const size_t lengths[] = {2, 4, 8, 15, 64, 7};
  if (test_small()) return;
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) try_length(c, 1009, lengths[i], NULL);
  try_length(c, 80, 1024, NULL);
}

static void normalised(void **state) {
  const test_ways *const c = *state;
  static const size_t lengths[] = {6, 1, 17, 64, 300};
  for (size_t i = 0; i < (test_small() ? 1 : sizeof lengths / sizeof *lengths); i++)
    for (int norm = 0; norm < 3; norm++)
      for (int inverse = 0; inverse < 2; inverse++)
        try_length(c, 3, lengths[i], &(cliv_fft_options){.inverse = inverse, .norm = (cliv_fft_norm)norm});
}

/* A line's bits do not depend on its neighbours, nor on how it lies. */
static void alone_or_not(void **state) {
  const test_ways *const c = *state;
  enum { LINES = 11 };
  static const size_t lengths[] = {5, 12, 13, 48, 512, 600, 8640}; /* the last: several launches in the GPU walk */
  for (size_t i = 0; i < (test_small() ? 2 : sizeof lengths / sizeof *lengths); i++) {
    const size_t n = lengths[i], rows[] = {LINES, n, 2}, columns[] = {n, LINES, 2}, one[] = {n, 2};
    float *const x = test_alloc(LINES * n * 2 * sizeof *x), *const turned = test_alloc(LINES * n * 2 * sizeof *x);
    test_fill_normal(x, LINES * n * 2, 17 + n);
    for (size_t l = 0; l < LINES; l++)
      for (size_t k = 0; k < n; k++) memcpy(turned + 2 * (k * LINES + l), x + 2 * (l * n + k), 2 * sizeof *x);
    for (size_t w = 0; w < c->count; w++) {
      float *const all = transform(c->ctx[w], x, 3, rows, NULL, 0, false);
      float *const across = transform(c->ctx[w], turned, 3, columns,
                                      &(cliv_fft_options){.axis_count = 1, .axes = (const int[]){0}}, 1, w % 2);
      for (size_t l = 0; l < LINES; l++) {
        float *const single = transform(c->ctx[w], x + 2 * l * n, 2, one, NULL, l % 2, false);
        ASSERT_SAME(CLIV_F32, single, all + 2 * l * n, 2 * n);
        for (size_t k = 0; k < n; k++) ASSERT_BITS(across + 2 * (k * LINES + l), single + 2 * k, 2 * sizeof *x);
        free(single);
      }
      free(all);
      free(across);
    }
    free(x);
    free(turned);
  }
}

/* Several axes against the reference along one after another. */
static void several_axes(void **state) {
  const test_ways *const c = *state;
  enum { A = 6, B = 7, C = 20 };
  const size_t shape[] = {A, B, C, 2};
  const size_t n[] = {A, B, C}, steps[] = {B * C, C, 1};
  float x[A * B * C * 2], *first = NULL;
  test_fill_normal(x, A * B * C * 2, 23);
  double *const z = widened(x, A * B * C * 2);
  for (int axis = 0; axis < 3; axis++)
    for (size_t i = 0; i < A * B * C; i++) {
      double line[2 * C];
      if (i / steps[axis] % n[axis]) continue;
      reference(z + 2 * i, n[axis], steps[axis], 1, line);
      for (size_t k = 0; k < n[axis]; k++) memcpy(z + 2 * (i + k * steps[axis]), line + 2 * k, 2 * sizeof *z);
    }
  const cliv_fft_options o = {.inverse = 1, .axis_count = 3, .axes = (const int[]){0, 1, -1}};
  for (size_t w = 0; w < c->count; w++) {
    float *const y = transform(c->ctx[w], x, 4, shape, &o, w, w % 2);
    assert_true(error_of(y, z, A * B * C, 1.0 / (A * B * C)) < 4e-7);
    if (first) ASSERT_SAME(CLIV_F32, y, first, A * B * C * 2);
    if (first) free(y);
    else first = y;
  }
  free(first);
  free(z);
}

/* Real numbers against the reference, along the axis and beside others; there and back; the same bits in every way. */
static void try_real(const test_ways *c, size_t lines, size_t n, size_t beside, cliv_fft_norm norm) {
  const size_t half = n / 2 + 1, count = lines * n * beside, shape[] = {lines, n, beside};
  const size_t pair_shape[] = {lines, half, beside, 2}, pairs = lines * half * beside * 2;
  const cliv_fft_options o = {.norm = norm, .axis_count = 1, .axes = (const int[]){1}};
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
  if (!(sqrt(apart / length) <= 2 * bound(n))) fail_msg("length %zu: %g there and back", n, sqrt(apart / length));
  double *const line = test_alloc(2 * n * sizeof *line), *const want = test_alloc(2 * n * sizeof *want);
  float *const got = test_alloc(2 * half * sizeof *got);
  const size_t l = lines - 1, s = beside / 2;
  for (size_t j = 0; j < n; j++) line[2 * j] = x[(l * n + j) * beside + s], line[2 * j + 1] = 0;
  for (size_t k = 0; k < half; k++) memcpy(got + 2 * k, first + 2 * ((l * half + k) * beside + s), 2 * sizeof *got);
  reference(line, n, 1, -1, want);
  const double error = error_of(got, want, half, 1 / parts[norm]);
  if (!(error <= bound(n)))
    fail_msg("real length %zu beside %zu: error %.3g, promised %.3g", n, beside, error, bound(n));
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
}

/* In three dimensions, the middle one halved: as the complex transform has it; back again. */
static void real_axes(void **state) {
  const test_ways *const c = *state;
  enum { A = 5, B = 12, C = 9, HALF = B / 2 + 1 };
  const size_t shape[] = {A, B, C}, all[] = {A, B, C, 2}, halves[] = {A, HALF, C, 2};
  const cliv_fft_options o = {.norm = CLIV_FFT_ORTHO, .axis_count = 3, .axes = (const int[]){0, 2, 1}};
  float x[A * B * C], z[A * B * C * 2], *first = NULL;
  test_fill_normal(x, A * B * C, 77);
  for (size_t i = 0; i < A * B * C; i++) z[2 * i] = x[i], z[2 * i + 1] = 0;
  for (size_t w = 0; w < c->count; w++) {
    cliv_context *const ctx = c->ctx[w];
    float *const whole = transform(ctx, z, 4, all, &o, 0, true);
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
  ASSERT_FAILS(ctx, cliv_rfft(ctx, x, y, &(cliv_fft_options){.axis_count = 1, .axes = (const int[]){0}}, NULL),
               CLIV_SHAPE, "3 real numbers are 2");
  ASSERT_OK(ctx, cliv_irfft(ctx, y, x, NULL, NULL));
  cliv_tensor_free(x);
  cliv_tensor_free(y);
  cliv_tensor_free(odd);
  cliv_tensor_free(inside);
}

/* A NaN or an infinity spoils its own line and no other; what is stored is the canonical NaN, the same in every way. */
static void not_finite(void **state) {
  const test_ways *const c = *state;
  enum { LINES = 10 };
  static const size_t lengths[] = {9, 11, 1, 2, 16, 40, 256};
  const uint32_t odd_nan = 0xffc12345u;
  for (size_t i = 0; i < (test_small() ? 2 : sizeof lengths / sizeof *lengths); i++) {
    const size_t n = lengths[i], shape[] = {LINES, n, 2}, floats = LINES * n * 2;
    float *const x = test_alloc(floats * sizeof *x), *first = NULL;
    test_fill_normal(x, floats, 5 + n);
    memcpy(x + 2 * (3 * n + n / 2), &odd_nan, sizeof odd_nan);
    x[2 * (7 * n + n - 1) + 1] = -INFINITY;
    for (size_t w = 0; w < c->count; w++) {
      float *const y = transform(c->ctx[w], x, 3, shape, NULL, 1, false);
      for (size_t k = 0; k < floats; k++) {
        const size_t line = k / (2 * n);
        uint32_t bits;
        memcpy(&bits, y + k, sizeof bits);
        if (line != 3 && line != 7) assert_true(isfinite(y[k]));
        if (isnan(y[k])) assert_int_equal(bits, 0x7fc00000u);
      }
      assert_true(isnan(y[2 * 3 * n]) && !isfinite(y[2 * 7 * n + 1]));
      if (first) ASSERT_BITS(y, first, floats * sizeof *y);
      if (first) free(y);
      else first = y;
    }
    free(first);
    free(x);
  }
}

/* More lengths than plans are kept, each alone, then all while the first waits: what was dropped is still read. */
static void many_plans(void **state) {
  const test_ways *const c = *state;
  cliv_context *const ctx = c->ctx[0];
  if (test_small()) return;
  enum { LENGTHS = 45 };
  float *want[LENGTHS], x[2 * LENGTHS];
  cliv_tensor *all, *out[LENGTHS];
  test_fill_normal(x, 2 * LENGTHS, 3);
  for (size_t n = 1; n <= LENGTHS; n++) want[n - 1] = transform(ctx, x, 2, (size_t[]){n, 2}, NULL, 0, false);
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){2 * LENGTHS}, &all));
  ASSERT_OK(ctx, cliv_tensor_write(all, x, sizeof x));
  cl_int code;
  const cl_event gate = clCreateUserEvent(cliv_context_cl_context(ctx), &code);
  ASSERT_CL(code);
  for (size_t n = 1; n <= LENGTHS; n++) {
    cliv_tensor *in;
    ASSERT_OK(ctx, cliv_tensor_view(all, 0, 2, (size_t[]){n, 2}, 0, &in));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){n, 2}, &out[n - 1]));
    ASSERT_OK(ctx, cliv_fft(ctx, in, out[n - 1], NULL, n == 1 ? &(cliv_sync){1, &gate, NULL} : NULL));
    cliv_tensor_free(in);
  }
  ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
  for (size_t n = 1; n <= LENGTHS; n++) {
    float *const y = test_read(out[n - 1]);
    ASSERT_BITS(y, want[n - 1], 2 * n * sizeof *y);
    cliv_tensor_free(out[n - 1]);
    free(y), free(want[n - 1]);
  }
  ASSERT_CL(clReleaseEvent(gate));
  cliv_tensor_free(all);
}

/* Of tables as large as those of long lengths only so many are kept, but always those of the last call. */
static void large_plans(void **state) {
  const test_ways *const c = *state;
  cliv_context *const ctx = c->ctx[0];
  float x[2 * 16];
  test_fill_normal(x, 2 * 16, 4);
  for (size_t n = 8; n <= 16; n += 4) free(transform(ctx, x, 2, (size_t[]){n, 2}, NULL, 0, false));
  const size_t sizes[] = {(size_t)1 << 30, 200 << 20, 100 << 20}; /* of 16, 12 and 8, as if */
  cliv__fft_plan *p = ctx->fft_plans;
  for (size_t i = 0; i < 3; i++, p = p->next) {
    assert_int_equal(p->length, 16 - 4 * i);
    assert_true(p->bytes > 0);
    p->bytes = sizes[i];
  }
  cliv__fft_plans_trim(ctx); /* 16 was used last, 12 and 8 before */
  assert_int_equal(ctx->fft_plans->length, 16);
  assert_int_equal(ctx->fft_plans->next->length, 12);
  for (p = ctx->fft_plans; p; p = p->next)
    if (p->kind == CLIV__FFT_TRANSFORM && !p->wide) assert_int_not_equal(p->length, 8);
  cliv__fft_plans_trim(ctx); /* and now none was */
  assert_int_equal(ctx->fft_plans->length, 12);
  free(transform(ctx, x, 2, (size_t[]){16, 2}, NULL, 0, false));
  assert_int_equal(ctx->fft_plans->length, 16);
}

/* ---- doubles ---- */

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
static double wide_bound(size_t n) { return (has_other_factors(n) ? 4e-16 : 2e-16) * (1 + log2((double)n)); }

static void try_wide(const test_ways *c, size_t lines, size_t n, size_t beside, bool inverse) {
  const size_t shape[] = {lines, n, beside, 2}, numbers = lines * n * beside * 2;
  const cliv_fft_options o = {.inverse = inverse, .norm = CLIV_FFT_ORTHO, .axis_count = 1, .axes = (const int[]){1}};
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
  if (!has_doubles(c->ctx[0])) return;
  for (size_t i = 0; i < (test_small() ? 3 : sizeof lengths / sizeof *lengths); i++)
    try_wide(c, 1 + lengths[i] % 3, lengths[i], 1 + lengths[i] % 2, i % 2);
}

/* Real doubles there and back. */
static void real_doubles(void **state) {
  const test_ways *const c = *state;
  static const size_t lengths[] = {10, 9, 14, 1, 2, 480, 77};
  if (!has_doubles(c->ctx[0])) return;
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
      ASSERT_OK(ctx, cliv_rfft(ctx, in.tensor, out.tensor, NULL, NULL));
      ASSERT_OK(ctx, cliv_irfft(ctx, out.tensor, in.tensor, NULL, NULL));
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

/* ---- views ---- */

/* Numbers [A, B] as they lie: by rows; in columns; parts in planes of their own; every other; with a pitch. */
static void any_strides(void **state) {
  const test_ways *const c = *state;
  enum { A = 5, B = 12, SPAN = 2 * A * B * 4 };
  static const size_t strides[][3] = {{2, 2 * A, 1}, {B, 1, A * B}, {4 * B, 4, 1}, {2 * B + 6, 2, 1}};
  const size_t shape[] = {A, B, 2}, span = SPAN;
  float x[A * B * 2];
  test_fill_normal(x, A * B * 2, 31);
  for (size_t w = 0; w < c->count; w++) {
    cliv_context *const ctx = c->ctx[w];
    float *const want = transform(ctx, x, 3, shape, NULL, 0, false);
    for (size_t i = 0; i < sizeof strides / sizeof *strides; i++) {
      test_guarded room = test_guard(ctx, CLIV_F32, 1, &span, 1, NULL);
      test_guarded dense = test_guard(ctx, CLIV_F32, 3, shape, 1, x);
      cliv_tensor *view;
      cl_event done;
      ASSERT_OK(ctx, cliv_tensor_view_strided(room.tensor, 3, 3, shape, strides[i], &view));
      float *const before = test_read(room.tensor);
      ASSERT_OK(ctx, cliv_fft(ctx, dense.tensor, view, NULL, NULL)); /* out of these */
      float *const there = test_read(view);
      ASSERT_SAME(CLIV_F32, there, want, A * B * 2);
      ASSERT_OK(ctx, cliv_tensor_write(view, x, sizeof x));
      ASSERT_OK(ctx, cliv_fft(ctx, view, dense.tensor, NULL, &(cliv_sync){.done = &done}));
      ASSERT_CL(clWaitForEvents(1, &done));
      ASSERT_CL(clReleaseEvent(done));
      float *const from = test_read(dense.tensor);
      ASSERT_SAME(CLIV_F32, from, want, A * B * 2);
      ASSERT_OK(ctx, cliv_fft(ctx, view, view, NULL, NULL)); /* and in place */
      float *const within = test_read(view);
      ASSERT_SAME(CLIV_F32, within, want, A * B * 2);
      ASSERT_OK(ctx, cliv_tensor_write(view, x, sizeof x));
      float *const after = test_read(room.tensor); /* what lies between is as it was */
      size_t others = 0;
      for (size_t k = 0; k < SPAN; k++) others += memcmp(before + k, after + k, sizeof *after) == 0;
      assert_int_equal(others, SPAN - A * B * 2);
      cliv_tensor_free(view);
      test_guard_free(&room);
      test_guard_free(&dense);
      free(before), free(there), free(from), free(within), free(after);
    }
    free(want);
  }
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
    ASSERT_OK(ctx, cliv_rfft(ctx, in.tensor, out.tensor, NULL, NULL));
    ASSERT_OK(ctx, cliv_rfft(ctx, from, to, NULL, NULL));
    ASSERT_SAME_TENSORS(to, out.tensor);
    ASSERT_OK(ctx, cliv_irfft(ctx, out.tensor, in.tensor, NULL, NULL));
    ASSERT_OK(ctx, cliv_irfft(ctx, to, from, NULL, NULL));
    ASSERT_SAME_TENSORS(from, in.tensor);
    cliv_tensor_free(from);
    cliv_tensor_free(to);
    test_guard_free(&in), test_guard_free(&out), test_guard_free(&a), test_guard_free(&b);
  }
}

/* One event for each call, complete when the result is there: of one launch, of several, of lots, of other lengths. */
static void events(void **state) {
  const test_ways *const c = *state;
  static const size_t lengths[] = {8, 17, 600, 8640};
  for (size_t w = 0; w < c->count; w++)
    for (size_t i = 0; i < (test_small() ? 2 : sizeof lengths / sizeof *lengths); i++) {
      cliv_context *const ctx = c->ctx[w];
      const size_t n = lengths[i], lines = n > 8000 ? 33 : 2;
      cliv_tensor *x, *y;
      cl_event forward, back;
      ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){lines, n}, &x));
      ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, (size_t[]){lines, n / 2 + 1, 2}, &y));
      ASSERT_OK(ctx, cliv_tensor_fill(x, 1, NULL));
      ASSERT_OK(ctx, cliv_rfft(ctx, x, y, NULL, &(cliv_sync){.done = &forward}));
      ASSERT_OK(ctx, cliv_irfft(ctx, y, x, NULL, &(cliv_sync){1, &forward, &back}));
      ASSERT_CL(clWaitForEvents(1, &back));
      ASSERT_CL(clReleaseEvent(forward));
      ASSERT_CL(clReleaseEvent(back));
      float *const still = test_read(x);
      for (size_t k = 0; k < lines * n; k++) ASSERT_NEAR(still[k], 1, 1e-5);
      free(still);
      cliv_tensor_free(x);
      cliv_tensor_free(y);
    }
}

static void refused(void **state) {
  const test_ways *const c = *state;
  cliv_context *const ctx = c->ctx[0];
  const size_t shape[] = {4, 6, 2}, long_shape[] = {9, 6, 2};
  float x[9 * 6 * 2];
  test_fill_normal(x, 9 * 6 * 2, 1);
  test_guarded a = test_guard(ctx, CLIV_F32, 3, shape, 0, x), b = test_guard(ctx, CLIV_F32, 3, shape, 0, NULL);
  test_guarded big = test_guard(ctx, CLIV_F32, 3, long_shape, 0, x);
  test_guarded half = test_guard(ctx, CLIV_F16, 3, shape, 0, NULL);
  cliv_tensor *empty, *none, *odd, *over, *under;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, (size_t[]){4, 0, 2}, &empty));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, (size_t[]){0, 4, 2}, &none));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){4, 3}, &odd));
  ASSERT_OK(ctx, cliv_tensor_view(big.tensor, 0, 3, shape, 0, &over));
  ASSERT_OK(ctx, cliv_tensor_view(big.tensor, 12, 3, shape, 0, &under));
  cliv_tensor *const t = a.tensor, *const y = b.tensor;
  ASSERT_FAILS(NULL, cliv_fft(NULL, t, y, NULL, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_fft(ctx, NULL, y, NULL, NULL), CLIV_NULL, "'x'");
  ASSERT_FAILS(ctx, cliv_fft(ctx, t, NULL, NULL, NULL), CLIV_NULL, "'out'");
  ASSERT_FAILS(ctx, cliv_fft(ctx, half.tensor, half.tensor, NULL, NULL), CLIV_DTYPE, "float16");
  ASSERT_FAILS(ctx, cliv_fft(ctx, odd, odd, NULL, NULL), CLIV_SHAPE, "[4, 3]");
  ASSERT_FAILS(ctx, cliv_fft(ctx, t, big.tensor, NULL, NULL), CLIV_SHAPE, "must be equal");
  ASSERT_FAILS(ctx, cliv_fft(ctx, empty, empty, NULL, NULL), CLIV_SHAPE, "length 0");
  ASSERT_FAILS(ctx, cliv_fft(ctx, over, under, NULL, NULL), CLIV_OVERLAP, "share");
#define REFUSES(status, part, ...) \
  ASSERT_FAILS(ctx, cliv_fft(ctx, t, y, &(cliv_fft_options){__VA_ARGS__}, NULL), status, part)
  REFUSES(CLIV_VALUE, "norm", .norm = (cliv_fft_norm)3);
  REFUSES(CLIV_VALUE, "3 axes", .axis_count = 3, .axes = (const int[]){0, 1, 2});
  REFUSES(CLIV_VALUE, "-1 axes", .axis_count = -1);
  REFUSES(CLIV_NULL, "axes is NULL", .axis_count = 1);
  REFUSES(CLIV_VALUE, "no axis 2", .axis_count = 1, .axes = (const int[]){2});
  REFUSES(CLIV_VALUE, "no axis -3", .axis_count = 1, .axes = (const int[]){-3});
  REFUSES(CLIV_VALUE, "twice", .axis_count = 2, .axes = (const int[]){1, -1});
  REFUSES(CLIV_VALUE, NULL, .size = 1000);
  if (c->count > 1) ASSERT_FAILS(c->ctx[1], cliv_fft(c->ctx[1], t, y, NULL, NULL), CLIV_VALUE, "another context");
  ASSERT_OK(ctx, cliv_fft(ctx, none, none, NULL, NULL));
  float *const still = test_read(t);
  ASSERT_BITS(still, x, sizeof(float) * 4 * 6 * 2);
  free(still);
  cliv_fft_norm norm;
  ASSERT_FAILS(NULL, cliv_fft_norm_parse("unitary", &norm), CLIV_NAME, "unitary");
  for (int i = 0; i < 3; i++) {
    ASSERT_OK(NULL, cliv_fft_norm_parse(cliv_fft_norm_name((cliv_fft_norm)i), &norm));
    assert_int_equal(norm, i);
  }
  assert_string_equal(cliv_fft_norm_name((cliv_fft_norm)3), "?");
  cliv_tensor *const views[] = {empty, none, odd, over, under};
  for (size_t i = 0; i < sizeof views / sizeof *views; i++) cliv_tensor_free(views[i]);
  test_guard_free(&a);
  test_guard_free(&b);
  test_guard_free(&big);
  test_guard_free(&half);
}

/* Devices with little local memory, of which a launch never asks for more than there is. */
static void little_local_memory(void **state) {
  const test_ways *const c = *state;
  static const cl_ulong sizes[] = {16 << 10, 32 << 10, 48 << 10, 64 << 10};
  static const size_t lengths[] = {960, 2048, 3072, 4096, 16384, 32768};
  for (size_t w = 0; w < c->count; w++) {
    if (c->ctx[w]->walk == CLIV_WALK_CPU) continue;
    const cl_ulong there = c->ctx[w]->facts.local_memory;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
      for (size_t n = 0; n < (test_small() ? 2 : sizeof lengths / sizeof *lengths); n++) {
        const test_ways one = {{c->ctx[w]}, 1};
        if (sizes[i] > there) continue;
        c->ctx[w]->facts.local_memory = sizes[i];
        try_length(&one, 3, lengths[n], NULL);
        c->ctx[w]->facts.local_memory = there;
      }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(powers_of_w),
      cmocka_unit_test(radices),
      cmocka_unit_test(shares),
      cmocka_unit_test(short_lengths),
      cmocka_unit_test(little_local_memory),
      cmocka_unit_test(long_lengths),
      cmocka_unit_test(every_length),
      cmocka_unit_test(huge_lengths),
      cmocka_unit_test(lots),
      cmocka_unit_test(many_lines),
      cmocka_unit_test(normalised),
      cmocka_unit_test(alone_or_not),
      cmocka_unit_test(several_axes),
      cmocka_unit_test(real_numbers),
      cmocka_unit_test(real_axes),
      cmocka_unit_test(real_refused),
      cmocka_unit_test(not_finite),
      cmocka_unit_test(many_plans),
      cmocka_unit_test(large_plans),
      cmocka_unit_test(events),
      cmocka_unit_test(refused),
      cmocka_unit_test(doubles),
      cmocka_unit_test(real_doubles),
      cmocka_unit_test(any_strides),
      cmocka_unit_test(real_strides),
  };
  return test_finish(cmocka_run_group_tests(tests, test_setup_all, test_teardown_all));
}
