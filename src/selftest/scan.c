/* scan.c: self-test of the scans. */
#include <cliv/scan.h>
#include <stdio.h>

#include "runtime/context.h"
#include "selftest/bench.h"

typedef struct input {
  const char *name;
  size_t rows, columns; /* rows 0: over all elements; otherwise over the last axis */
  size_t shift;
  cliv__values values;
  cliv_scan_kind kind;
} input;

/* Below, at and beyond a block of 4096. */
static const input inputs[] = {
    {"257 at 3", 0, 257, 3, CLIV__MODEST, CLIV_INCLUSIVE},
    {"4097 exclusive", 0, 4097, 0, CLIV__MODEST, CLIV_EXCLUSIVE},
    {"70001", 0, 70001, 1, CLIV__MODEST, CLIV_INCLUSIVE},
    {"4097 any", 0, 4097, 0, CLIV__ANY, CLIV_INCLUSIVE},
    {"37x300 last", 37, 300, 1, CLIV__MODEST, CLIV_INCLUSIVE},
    {"3x4500 last exclusive", 3, 4500, 0, CLIV__MODEST, CLIV_EXCLUSIVE},
};
/* What the other types are tried on, with sums. */
static const input other = {"4099 at 1", 0, 4099, 1, CLIV__MODEST, CLIV_INCLUSIVE};

static cliv_status scan(cliv__bench *bench, const char *op, cliv_dtype dtype, const input *in, uint64_t *hash) {
  const size_t shape[] = {in->rows, in->columns};
  const int ndim = in->rows ? 2 : 1;
  cliv_tensor *x, *out;
  cliv_dtype result;
  TRY(cliv__relay(bench->ctx, cliv_scan_dtype(op, dtype, &result)));
  TRY(cliv__bench_add(bench, dtype, ndim, shape + 2 - ndim, in->shift, in->values, 1, &x));
  TRY(cliv__bench_add(bench, result, ndim, shape + 2 - ndim, 1, CLIV__GUARD, 0, &out));
  TRY(cliv_scan(bench->ctx, op, in->rows ? -1 : CLIV_ALL_AXES, in->kind, x, out, NULL));
  return cliv__bench_hash(bench, out, hash);
}

/* What lies otherwise than rows do, of sums: how elements are joined does not depend on it. */

static cliv_status scan_columns(cliv__bench *bench, const char *op, uint64_t *hash) {
  const size_t shape[] = {3, 1100, 7};
  cliv_tensor *x, *out;
  TRY(cliv__bench_add(bench, CLIV_F32, 3, shape, 1, CLIV__MODEST, 1, &x));
  TRY(cliv__bench_add(bench, CLIV_F32, 3, shape, 1, CLIV__GUARD, 0, &out));
  TRY(cliv_scan(bench->ctx, op, 1, CLIV_INCLUSIVE, x, out, NULL));
  return cliv__bench_hash(bench, out, hash);
}

static cliv_status scan_segments(cliv__bench *bench, const char *op, uint64_t *hash) {
  static const uint64_t offsets[] = {3, 4, 4, 20, 300, 4396, 8493, 23000};
  const size_t n = 23005;
  cliv_tensor *x, *out;
  cliv_segments *segments;
  TRY(cliv__bench_add(bench, CLIV_F32, 1, &n, 1, CLIV__MODEST, 1, &x));
  TRY(cliv__bench_add(bench, CLIV_F32, 1, &n, 1, CLIV__GUARD, 0, &out));
  TRY(cliv_segments_create(bench->ctx, sizeof offsets / sizeof *offsets - 1, offsets, &segments));
  const cliv_over over = {.segments = segments};
  const cliv_status status = cliv_scan_over(bench->ctx, op, &over, CLIV_EXCLUSIVE, x, out, NULL);
  cliv_segments_free(segments);
  TRY(status);
  return cliv__bench_hash(bench, out, hash);
}

static void run_layouts(cliv__selftest *test) {
  static const struct {
    const char *name;
    cliv_status (*scan)(cliv__bench *bench, const char *op, uint64_t *hash);
  } ways[] = {{"float32 3x1100x7 middle", scan_columns}, {"float32 segments exclusive", scan_segments}};
  if (!cliv__selftest_wants(test, 3 * 1100 * 7)) return;
  for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
    cliv__bench bench = {.ctx = test->ctx};
    uint64_t hash = 0;
    const cliv_status status = ways[k].scan(&bench, test->operation, &hash);
    cliv__selftest_report(test, ways[k].name, CLIV_F32, status, hash);
    cliv__bench_clear(&bench);
  }
}

static void run_case(cliv__selftest *test, cliv_dtype dtype, const input *in) {
  if (!cliv__selftest_wants(test, in->columns * (in->rows ? in->rows : 1))) return;
  cliv__bench bench = {.ctx = test->ctx};
  uint64_t hash = 0;
  char name[96];
  snprintf(name, sizeof name, "%s %s", cliv_dtype_name(dtype), in->name);
  const cliv_status status = scan(&bench, test->operation, dtype, in, &hash);
  cliv__selftest_report(test, name, dtype, status, hash);
  cliv__bench_clear(&bench);
}

void cliv__selftest_scans(cliv__selftest *test) {
  for (size_t i = 0; i < cliv_scan_count(); i++) {
    test->operation = cliv_scan_get(i)->name;
    for (size_t k = 0; k < sizeof inputs / sizeof *inputs; k++) run_case(test, CLIV_F32, &inputs[k]);
  }
  test->operation = "sum";
  for (int dtype = 0; dtype < CLIV_DTYPE_COUNT; dtype++)
    if (dtype != CLIV_F32) run_case(test, (cliv_dtype)dtype, &other);
  run_layouts(test);
}
