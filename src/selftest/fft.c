/* fft.c: self-test of Fourier transforms: every radix first and last, one launch and several, a convolution, axes. */
#include <cliv/fft.h>
#include <stdio.h>

#include "runtime/context.h"
#include "selftest/bench.h"

typedef struct transform {
  size_t lines, length, beside;
  cliv_fft_options options;
} transform;

static const int across[] = {1};
#define ACROSS .axis_count = 1, .axes = across
#define FORWARD \
  { .inverse = 0, .provider = CLIV_FFT_PROVIDER_EXACT, ACROSS }
#define INVERSE \
  { .inverse = 1, .provider = CLIV_FFT_PROVIDER_EXACT, ACROSS }

static const transform transforms[] = {
    {9, 1, 1, FORWARD},    {9, 2, 1, FORWARD},    {9, 6, 1, FORWARD},    {11, 15, 1, FORWARD},  {19, 16, 1, INVERSE},
    {3, 60, 5, FORWARD},   {3, 64, 1, FORWARD},   {2, 45, 16, INVERSE},  {21, 17, 1, FORWARD},  {3, 97, 3, INVERSE},
    {2, 1000, 1, FORWARD}, {1, 2187, 1, FORWARD}, {1, 4096, 1, INVERSE}, {1, 4097, 1, FORWARD}, {1, 65536, 1, FORWARD},
};

static const transform real_transforms[] = {
    {5, 2, 1, FORWARD}, {5, 9, 2, INVERSE}, {3, 64, 1, FORWARD}, {3, 100, 9, INVERSE}, {2, 1024, 1, INVERSE},
};

static cliv_status run(cliv__bench *bench, const transform *t, uint64_t *hash) {
  const size_t shape[] = {t->lines, t->length, t->beside, 2};
  cliv_tensor *x, *y;
  TRY(cliv__bench_add(bench, CLIV_F32, 4, shape, 3, CLIV__MODEST, 1, &x));
  TRY(cliv__bench_add(bench, CLIV_F32, 4, shape, 5, CLIV__GUARD, 2, &y));
  TRY(cliv_fft(bench->ctx, x, y, &t->options, NULL));
  return cliv__bench_hash(bench, y, hash);
}

/* Real numbers along the middle axis, and the spectrum back. */
static cliv_status run_real(cliv__bench *bench, const transform *t, uint64_t *hash) {
  const size_t reals[] = {t->lines, t->length, t->beside}, pairs[] = {t->lines, t->length / 2 + 1, t->beside, 2};
  cliv_tensor *x, *y;
  if (t->options.inverse) {
    TRY(cliv__bench_add(bench, CLIV_F32, 4, pairs, 3, CLIV__MODEST, 1, &x));
    TRY(cliv__bench_add(bench, CLIV_F32, 3, reals, 5, CLIV__GUARD, 2, &y));
    TRY(cliv_irfft(bench->ctx, x, y, &t->options, NULL));
  } else {
    TRY(cliv__bench_add(bench, CLIV_F32, 3, reals, 3, CLIV__MODEST, 1, &x));
    TRY(cliv__bench_add(bench, CLIV_F32, 4, pairs, 5, CLIV__GUARD, 2, &y));
    TRY(cliv_rfft(bench->ctx, x, y, &t->options, NULL));
  }
  return cliv__bench_hash(bench, y, hash);
}

static void try_all(cliv__selftest *test, const transform *list, size_t count, const char *const directions[2],
                    cliv_status (*compute)(cliv__bench *, const transform *, uint64_t *)) {
  for (size_t i = 0; i < count; i++) {
    const transform *const t = &list[i];
    if (!cliv__selftest_wants(test, 2 * t->lines * t->length * t->beside)) continue;
    cliv__bench bench = {.ctx = test->ctx};
    uint64_t hash = 0;
    char name[96];
    test->operation = directions[t->options.inverse];
    snprintf(name, sizeof name, "%zu of %zu, %zu beside", t->lines, t->length, t->beside);
    const cliv_status status = compute(&bench, t, &hash);
    cliv__selftest_report(test, name, CLIV_F32, status, hash);
    cliv__bench_clear(&bench);
  }
}

void cliv__selftest_transforms(cliv__selftest *test) {
  static const char *const directions[] = {"forward", "inverse"}, *const real_directions[] = {"real", "inverse real"};
  try_all(test, transforms, sizeof transforms / sizeof *transforms, directions, run);
  try_all(test, real_transforms, sizeof real_transforms / sizeof *real_transforms, real_directions, run_real);
  cliv__selftest_spectral(test);
}
