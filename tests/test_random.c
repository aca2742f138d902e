/* cliv/random.h: known answers, uniformity, permutations. */
#include <cliv/random.h>
#include <math.h>
#include <stdlib.h>

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_answers),
      cmocka_unit_test(keyed_by_seed_stream_element),
      cmocka_unit_test(uniform_is_uniform),
      cmocka_unit_test(permutation_is_a_permutation),
      cmocka_unit_test(permutation_is_fair_and_pinned),
      cmocka_unit_test(too_many_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
