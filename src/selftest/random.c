/* random.c: self-test of the random numbers. */
#include <cliv/random.h>
#include <stdio.h>

#include "runtime/context.h"
#include "selftest/bench.h"

/* Off the blocks of the generator at both ends. */
enum { COUNT = 4099, FIRST = 3 };

static cliv_status fill(cliv__bench *bench, const char *name, cliv_dtype dtype, uint64_t *hash) {
  const size_t shape = COUNT;
  cliv_tensor *out;
  TRY(cliv__bench_add(bench, dtype, 1, &shape, 1, CLIV__GUARD, 0, &out));
  TRY(cliv_random_fill(bench->ctx, name, NULL, 1, 2, FIRST, out, NULL));
  return cliv__bench_hash(bench, out, hash);
}

/* Every distribution in its own type; how numbers are stored is the same for all, so one stands for it. */
void cliv__selftest_random(cliv__selftest *test) {
  if (!cliv__selftest_wants(test, COUNT)) return;
  for (size_t i = 0; i < cliv_random_count(); i++) {
    const cliv_random_info *const info = cliv_random_get(i);
    cliv__bench bench = {.ctx = test->ctx};
    uint64_t hash = 0;
    char name[64];
    test->operation = info->name;
    snprintf(name, sizeof name, "%s %d from %d", cliv_dtype_name(info->dtype), COUNT, FIRST);
    const cliv_status status = fill(&bench, info->name, info->dtype, &hash);
    cliv__selftest_report(test, name, info->dtype, status, hash);
    cliv__bench_clear(&bench);
  }
}
