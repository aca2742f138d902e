/* cliv/random.h: known answers, uniformity, permutations; on the device the host's numbers, distributions by their
 * definition and as a whole, every way to cut a fill. */
#include <cliv/random.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

/* Random123 1.14, tests/kat_vectors: "philox4x32 10". */
static const struct {
  uint32_t counter[4], key[2], out[4];
} KNOWN[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void known_answers(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
    uint32_t out[4];
    cliv_philox(KNOWN[i].counter, KNOWN[i].key, out);
    assert_memory_equal(out, KNOWN[i].out, sizeof out);
  }
}

/* The keying is part of the interface: the third known answer, reached through (seed, stream, element). */
static void keyed_by_seed_stream_element(void **state) {
  (void)state;
  const uint64_t seed = 0x299f31d0a4093822u, stream = 0x0370734413198a2eu, block = 0x05a308d3243f6a88u;
  const uint32_t counter[4] = {0x243f6a88, 0x05a308d3, 0x13198a2e, 0x03707344};
  uint32_t words[4];
  cliv_philox(counter, KNOWN[2].key, words);
  for (uint64_t k = 0; k < 4; k++) assert_int_equal(cliv_random_bits(seed, stream, 4 * block + k), words[k]);
  assert_true(cliv_random_bits(1, 2, 3) != cliv_random_bits(2, 1, 3));
}

static void uniform_is_uniform(void **state) {
  (void)state;
  enum { N = 1 << 16, BINS = 64 };
  size_t bins[BINS] = {0};
  double sum = 0;
  for (uint64_t i = 0; i < N; i++) {
    const float u = cliv_random_uniform(7, 1, i);
    assert_true(u >= 0 && u < 1);
    assert_true(u == (float)(cliv_random_bits(7, 1, i) >> 8) / 16777216.0f);
    bins[(int)(u * BINS)]++;
    sum += (double)u;
  }
  double chi2 = 0;
  for (int b = 0; b < BINS; b++) chi2 += pow((double)bins[b] - (double)N / BINS, 2) / ((double)N / BINS);
  assert_true(chi2 < 103.4); /* 63 degrees of freedom: one in a thousand */
  assert_true(fabs(sum / N - 0.5) < 4 * sqrt(1.0 / 12 / N));
}

static void permutation_is_a_permutation(void **state) {
  (void)state;
  const size_t sizes[] = {0, 1, 2, 3, 255, 256, 257, 4097, 100003};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    const size_t n = sizes[s];
    int32_t *p = malloc((n + 1) * sizeof *p);
    unsigned char *seen = calloc(n + 1, 1);
    p[n] = -7;
    assert_int_equal(cliv_random_permutation(42, s, n, p), CLIV_OK);
    for (size_t i = 0; i < n; i++) {
      assert_true(p[i] >= 0 && (size_t)p[i] < n && !seen[p[i]]);
      seen[p[i]] = 1;
    }
    assert_int_equal(p[n], -7);
    free(p);
    free(seen);
  }
}

/* Every element reaches every place equally often over many streams; and the sequence is pinned, for it decides trained
 * models. */
static void permutation_is_fair_and_pinned(void **state) {
  (void)state;
  enum { N = 5, STREAMS = 20000 };
  int32_t p[10];
  size_t count[N][N] = {{0}};
  for (uint64_t stream = 0; stream < STREAMS; stream++) {
    assert_int_equal(cliv_random_permutation(3, stream, N, p), CLIV_OK);
    for (int i = 0; i < N; i++) count[i][p[i]]++;
  }
  const double expected = (double)STREAMS / N;
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++)
      assert_true(fabs((double)count[i][j] - expected) < 4.5 * sqrt(expected * (1 - 1.0 / N)));

  static const int32_t PINNED[10] = {0, 6, 8, 7, 5, 3, 4, 1, 2, 9};
  assert_int_equal(cliv_random_permutation(0, 1, 10, p), CLIV_OK);
  assert_memory_equal(p, PINNED, sizeof p);
}

static void too_many_is_refused(void **state) {
  (void)state;
  int32_t one;
  assert_int_equal(cliv_random_permutation(0, 0, (size_t)INT32_MAX + 1, &one), CLIV_VALUE);
  assert_int_equal(cliv_random_permutation(0, 0, 1, NULL), CLIV_NULL);
}

/* ---- on the device ---- */

typedef struct problem {
  const char *name;
  const double *params;
  uint64_t seed, stream, first;
  cliv_dtype dtype;
  size_t n;
} problem;

static void *draw(cliv_context *ctx, const problem *p) {
  test_guarded out = test_guard1(ctx, p->dtype, p->n, 3, NULL);
  ASSERT_OK(ctx, cliv_random_fill(ctx, p->name, p->params, p->seed, p->stream, p->first, out.tensor, NULL));
  void *got = test_read(out.tensor);
  test_guard_free(&out);
  return got;
}

/* The same bits from both walks and every group; the first's. */
static void *draw_all(const test_ways *c, const problem *p) {
  void *got = draw(c->ctx[0], p);
  for (size_t i = 1; i < c->count; i++) {
    void *other = draw(c->ctx[i], p);
    ASSERT_SAME(p->dtype, other, got, p->n);
    free(other);
  }
  return got;
}

static size_t many(void) { return test_small() ? 4097 : 1000003; }

static void device_gives_the_hosts_numbers(void **state) {
  static const uint64_t firsts[] = {0, 1, 3, 62, 64, 4294967293u, UINT64_C(0x123456789abcdef1)};
  static const double p[] = {0.3};
  size_t count;
  const size_t *sizes = test_sizes(&count);
  for (size_t s = 0; s < count; s++)
    for (size_t f = 0; f < sizeof firsts / sizeof *firsts; f++) {
      if (sizes[s] > 5000 && f != 1) continue;
      problem q = {"bits", NULL, 0x9876543210u, UINT64_C(0xfedcba9800000003), firsts[f], CLIV_I32, sizes[s]};
      uint32_t *bits = draw_all(*state, &q);
      q.name = "uniform", q.dtype = CLIV_F32;
      float *uniform = draw_all(*state, &q);
      q.name = "bernoulli", q.dtype = CLIV_U8, q.params = p;
      uint8_t *ones = draw_all(*state, &q);
      for (size_t i = 0; i < q.n; i++) {
        const uint32_t r = cliv_random_bits(q.seed, q.stream, q.first + i);
        assert_true(bits[i] == r && uniform[i] == cliv_random_uniform(q.seed, q.stream, q.first + i));
        assert_int_equal(ones[i], r >> 1 < (uint32_t)rint(0.3 * 2147483648.0));
      }
      free(bits), free(uniform), free(ones);
    }
}

/* Random123's first answer is that of seed, stream and element 0. */
static void device_knows_the_answer(void **state) {
  const problem p = {"bits", NULL, 0, 0, 0, CLIV_I32, 4};
  uint32_t *got = draw_all(*state, &p);
  ASSERT_BITS(got, KNOWN[0].out, sizeof KNOWN[0].out);
  free(got);
}

static double normal_below(double x) { return 0.5 * erfc(-x / sqrt(2)); }
static double density(double x) { return exp(-x * x / 2) / sqrt(2 * 3.14159265358979323846); }

/* The exact quantile at p (1 - p = q) next to z, by Newton's step from z on the side where nothing cancels. */
static double polished(double z, double p, double q) {
  return p < q ? z - (normal_below(z) - p) / density(z) : z + (normal_below(-z) - q) / density(z);
}

static int ascending(const void *a, const void *b) {
  const float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

/* Moments within four standard errors, and the greatest distance of the distributions (Kolmogorov and Smirnov: one in a
 * thousand is further). Sorts z. */
static void check_normal(float *z, size_t n) {
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0, distance = 0;
  for (size_t i = 0; i < n; i++) {
    const double x = (double)z[i];
    m1 += x, m2 += x * x, m3 += x * x * x, m4 += x * x * x * x;
  }
  const double count = (double)n, error = 4 / sqrt(count);
  ASSERT_NEAR(m1 / count, 0, error);
  ASSERT_NEAR(m2 / count, 1, error * sqrt(2));
  ASSERT_NEAR(m3 / count, 0, error * sqrt(15));
  ASSERT_NEAR(m4 / count, 3, error * sqrt(96));
  qsort(z, n, sizeof *z, ascending);
  for (size_t i = 0; i < n; i++) {
    const double p = normal_below((double)z[i]);
    distance = fmax(distance, fmax(p - (double)i / count, (double)(i + 1) / count - p));
  }
  assert_true(distance < 1.95 / sqrt(count));
}

static void normal_is_normal(void **state) {
  static const double moved[] = {-3, 0.5};
  problem p = {"normal", NULL, 11, 5, 1, CLIV_F32, many()};
  float *z = draw_all(*state, &p);
  for (size_t i = 0; i < p.n; i++) {
    const double r = cliv_random_bits(11, 5, i + 1), at = (r + 0.5) / 0x1p32, got = (double)z[i];
    const double want = polished(got, at, 1 - at);
    ASSERT_NEAR(got, want, fabs(want) * (fabs(want) < 3.2 ? 0x1p-21 : 0x1p-19));
  }
  p.params = moved;
  float *y = draw(((test_ways *)*state)->ctx[0], &p);
  for (size_t i = 0; i < p.n; i++) {
    const float product = z[i] * 0.5f;
    assert_true(y[i] == product + -3.0f);
  }
  check_normal(z, p.n);
  free(z), free(y);
}

/* Near the mean, on both sides, far out, open ones: within the interval, and the probability below as it is defined. */
static void truncated_keeps_its_interval(void **state) {
  static const double limits[][2] = {{-2, 2},     {0.5, INFINITY}, {-INFINITY, -3},       {6, 9},
                                     {-12, -8.5}, {9, INFINITY},   {-INFINITY, INFINITY}, {1, 1.0001}};
  const size_t n = test_small() ? 1000 : 20000;
  for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
    const double params[] = {0, 1, limits[k][0], limits[k][1]}, from = limits[k][0], to = limits[k][1];
    const problem p = {"truncated_normal", params, 3, k, 0, CLIV_F32, n};
    float *z = draw_all(*state, &p);
    const double below = normal_below(from), above = normal_below(-to);
    const double between = from > 0 ? normal_below(-from) - above : normal_below(to) - below;
    for (size_t i = 0; i < n; i++) {
      const double u = (cliv_random_bits(3, k, i) / 2 + 0.5) / 0x1p31, got = (double)z[i];
      const double least = fmin(below + u * between, above + (1 - u) * between);
      const double error =
          below + u * between < above + (1 - u) * between ? normal_below(got) - least : normal_below(-got) - least;
      assert_true(got >= from && got <= to);
      ASSERT_NEAR(error, 0, least * (1 + got * got) * 0x1p-19);
    }
    free(z);
  }
}

/* A tensor filled in parts is the tensor filled at once. */
static void parts_make_the_whole(void **state) {
  cliv_context *ctx = ((test_ways *)*state)->ctx[0];
  const size_t n = 4097, cuts[] = {0, 1, 70, 128, 131, 2000, n};
  const problem p = {"normal", NULL, 8, 8, 10, CLIV_BF16, n};
  void *whole = draw(ctx, &p);
  test_guarded out = test_guard1(ctx, CLIV_BF16, n, 0, NULL);
  for (size_t k = 0; k + 1 < sizeof cuts / sizeof *cuts; k++) {
    cliv_tensor *part;
    ASSERT_OK(ctx, cliv_tensor_view(out.tensor, cuts[k], 1, (size_t[]){cuts[k + 1] - cuts[k]}, 0, &part));
    ASSERT_OK(ctx, cliv_random_fill(ctx, "normal", NULL, 8, 8, 10 + cuts[k], part, NULL));
    cliv_tensor_free(part);
  }
  void *got = test_read(out.tensor);
  ASSERT_SAME(CLIV_BF16, got, whole, n);
  test_guard_free(&out);
  free(got), free(whole);
}

/* float32's results rounded once; uniform ones stay within, where rounding would take them out. */
static void narrow_types_round_once(void **state) {
  static const struct {
    const char *name;
    double params[2];
    cliv_dtype dtype;
    double least, most; /* of the type within the interval */
  } some[] = {{"uniform", {0, 1}, CLIV_F16, 0, 1 - 0x1p-11},
              {"uniform", {0.1, 0.2}, CLIV_BF16, 0x1.9ap-4, 0x1.98p-3},
              {"uniform", {-0.3, 1000}, CLIV_F32, -0x1.333332p-2, 0x1.f3fffep9},
              {"normal", {1, 2}, CLIV_F16, -INFINITY, INFINITY}};
  for (size_t k = 0; k < sizeof some / sizeof *some; k++) {
    problem p = {some[k].name, some[k].params, 1, k, 0, some[k].dtype, 65536};
    if (test_small()) p.n = 4097;
    void *got = draw_all(*state, &p);
    const float scale = (float)(some[k].params[1] - some[k].params[0]), low = (float)some[k].params[0];
    p.dtype = CLIV_F32;
    float *normal = draw(((test_ways *)*state)->ctx[0], &p);
    for (size_t i = 0; i < p.n; i++) {
      double want;
      const float product = cliv_random_uniform(1, k, i) * scale, sum = product + low;
      test_put(some[k].dtype, &want, 0, (double)(some[k].name[0] == 'u' ? sum : normal[i]));
      const double value = fmin(fmax(test_get(some[k].dtype, &want, 0), some[k].least), some[k].most);
      if (test_get(some[k].dtype, got, i) != value)
        fail_msg("%s %zu, element %zu is %a, not %a", p.name, k, i, test_get(some[k].dtype, got, i), value);
    }
    free(got), free(normal);
  }
}

static void certain_probabilities(void **state) {
  for (int one = 0; one < 2; one++) {
    const double params[] = {one};
    const problem p = {"bernoulli", params, 1, 2, 0, CLIV_F32, 4097};
    float *got = draw_all(*state, &p);
    for (size_t i = 0; i < p.n; i++) assert_true(got[i] == (float)one);
    free(got);
  }
}

static void refusals(void **state) {
  cliv_context *ctx = ((test_ways *)*state)->ctx[0], *other = ((test_ways *)*state)->ctx[1];
  cliv_tensor *x, *columns, *whole, *foreign;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){8, 8}, &x));
  ASSERT_OK(ctx, cliv_tensor_view(x, 0, 2, (size_t[]){4, 3}, 8, &columns));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 1, (size_t[]){8}, &whole));
  ASSERT_OK(other, cliv_tensor_create(other, CLIV_F32, 1, (size_t[]){8}, &foreign));
#define FILL(name, params, first, out) cliv_random_fill(ctx, name, params, 1, 2, first, out, NULL)
#define WITH(...) ((const double[]){__VA_ARGS__})
  ASSERT_FAILS(NULL, cliv_random_fill(NULL, "uniform", NULL, 1, 2, 0, x, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, FILL(NULL, NULL, 0, x), CLIV_NULL, "distribution");
  ASSERT_FAILS(ctx, FILL("uniform", NULL, 0, NULL), CLIV_NULL, "out");
  ASSERT_FAILS(ctx, FILL("gauss", NULL, 0, x), CLIV_NAME, "gauss");
  ASSERT_FAILS(ctx, FILL("uniform", NULL, 0, whole), CLIV_DTYPE, "int32");
  ASSERT_FAILS(ctx, FILL("bits", NULL, 0, x), CLIV_DTYPE, "float32");
  ASSERT_FAILS(ctx, FILL("uniform", NULL, 0, columns), CLIV_LAYOUT, "pitch");
  ASSERT_FAILS(ctx, FILL("uniform", NULL, 0, foreign), CLIV_VALUE, "another context");
  ASSERT_FAILS(ctx, FILL("uniform", NULL, INT64_MAX - 62, x), CLIV_VALUE, "2^63");
  ASSERT_FAILS(ctx, FILL("uniform", WITH(1, 1), 0, x), CLIV_VALUE, "low below high");
  ASSERT_FAILS(ctx, FILL("uniform", WITH(0, NAN), 0, x), CLIV_VALUE, "low below high");
  ASSERT_FAILS(ctx, FILL("uniform", WITH(-3e38, 3e38), 0, x), CLIV_VALUE, "distance");
  ASSERT_FAILS(ctx, FILL("uniform", WITH(1 + 0x1p-40, 1 + 0x1p-39), 0, x), CLIV_VALUE, "no float32");
  ASSERT_FAILS(ctx, FILL("normal", WITH(0, -1), 0, x), CLIV_VALUE, "std");
  ASSERT_FAILS(ctx, FILL("normal", WITH(INFINITY, 1), 0, x), CLIV_VALUE, "finite");
  ASSERT_FAILS(ctx, FILL("truncated_normal", WITH(0, 1, 2, 2), 0, x), CLIV_VALUE, "lower below upper");
  ASSERT_FAILS(ctx, FILL("truncated_normal", WITH(0, 1, 9.5, 20), 0, x), CLIV_VALUE, "within 9");
  ASSERT_FAILS(ctx, FILL("bernoulli", WITH(1.5), 0, x), CLIV_VALUE, "probability");
#undef WITH
#undef FILL
  cliv_tensor_free(x), cliv_tensor_free(columns), cliv_tensor_free(whole), cliv_tensor_free(foreign);
}

static void the_table(void **state) {
  (void)state;
  assert_null(cliv_random_get(cliv_random_count()));
  assert_null(cliv_random_find("gauss"));
  assert_null(cliv_random_find(NULL));
  for (size_t i = 0; i < cliv_random_count(); i++) {
    const cliv_random_info *info = cliv_random_get(i);
    assert_ptr_equal(cliv_random_find(info->name), info);
    assert_true(cliv_random_takes(info, info->dtype) && !cliv_random_takes(info, CLIV_F64));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_answers),
      cmocka_unit_test(keyed_by_seed_stream_element),
      cmocka_unit_test(uniform_is_uniform),
      cmocka_unit_test(permutation_is_a_permutation),
      cmocka_unit_test(permutation_is_fair_and_pinned),
      cmocka_unit_test(too_many_is_refused),
      cmocka_unit_test(device_gives_the_hosts_numbers),
      cmocka_unit_test(device_knows_the_answer),
      cmocka_unit_test(normal_is_normal),
      cmocka_unit_test(truncated_keeps_its_interval),
      cmocka_unit_test(parts_make_the_whole),
      cmocka_unit_test(narrow_types_round_once),
      cmocka_unit_test(certain_probabilities),
      cmocka_unit_test(refusals),
      cmocka_unit_test(the_table),
  };
  return test_finish(cmocka_run_group_tests(tests, test_setup_all, test_teardown_all));
}
