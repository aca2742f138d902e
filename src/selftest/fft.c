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
  { .inverse = 0, ACROSS }
#define INVERSE \
  { .inverse = 1, ACROSS }

static const transform transforms[] = {
    {9, 1, 1, FORWARD},    {9, 2, 1, FORWARD},    {9, 6, 1, FORWARD},    {11, 15, 1, FORWARD},  {19, 16, 1, INVERSE},
    {3, 60, 5, FORWARD},   {3, 64, 1, FORWARD},   {2, 45, 16, INVERSE},  {21, 17, 1, FORWARD},  {3, 97, 3, INVERSE},
    {2, 1000, 1, FORWARD}, {1, 2187, 1, FORWARD}, {1, 4096, 1, INVERSE}, {1, 4097, 1, FORWARD}, {1, 65536, 1, FORWARD},
};

static cliv_status run(cliv__bench *bench, const transform *t, uint64_t *hash) {
  const size_t shape[] = {t->lines, t->length, t->beside, 2};
  cliv_tensor *x, *y;
  TRY(cliv__bench_add(bench, CLIV_F32, 4, shape, 3, CLIV__MODEST, 1, &x));
  TRY(cliv__bench_add(bench, CLIV_F32, 4, shape, 5, CLIV__GUARD, 2, &y));
  TRY(cliv_fft(bench->ctx, x, y, &t->options, NULL));
  return cliv__bench_hash(bench, y, hash);
}

void cliv__selftest_transforms(cliv__selftest *test) {
  for (size_t i = 0; i < sizeof transforms / sizeof *transforms; i++) {
    const transform *const t = &transforms[i];
    if (!cliv__selftest_wants(test, 2 * t->lines * t->length * t->beside)) continue;
    cliv__bench bench = {.ctx = test->ctx};
    uint64_t hash = 0;
    char name[96];
    test->operation = t->options.inverse ? "inverse" : "forward";
    snprintf(name, sizeof name, "%zu of %zu, %zu beside", t->lines, t->length, t->beside);
    const cliv_status status = run(&bench, t, &hash);
    cliv__selftest_report(test, name, CLIV_F32, status, hash);
    cliv__bench_clear(&bench);
  }
}
