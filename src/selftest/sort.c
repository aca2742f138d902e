/* sort.c: self-test of sorting, and of what puts elements elsewhere: the greatest k, quantiles, masks, bins,
 * indices. */
#include <cliv/compact.h>
#include <cliv/histogram.h>
#include <cliv/map.h>
#include <cliv/scatter.h>
#include <cliv/sort.h>
#include <stdio.h>

#include "runtime/context.h"
#include "selftest/bench.h"

typedef cliv_status operation(cliv__bench *bench, const cliv_tensor *x, uint64_t *hash);

enum { ROWS = 3, COLUMNS = 1500, KEPT = 7 };

static cliv_status sort(cliv__bench *bench, const cliv_tensor *x, uint64_t *hash) {
  const size_t shape[] = {ROWS, COLUMNS};
  cliv_tensor *sorted, *places;
  TRY(cliv__bench_add(bench, cliv_tensor_dtype(x), 2, shape, 1, CLIV__GUARD, 0, &sorted));
  TRY(cliv__bench_add(bench, CLIV_I64, 2, shape, 2, CLIV__GUARD, 0, &places));
  TRY(cliv_sort(bench->ctx, CLIV_ALL_AXES, CLIV_DESCENDING, x, sorted, places, NULL));
  TRY(cliv__bench_hash(bench, sorted, hash));
  return cliv__bench_hash(bench, places, hash);
}

static cliv_status topk(cliv__bench *bench, const cliv_tensor *x, uint64_t *hash) {
  const size_t shape[] = {ROWS, KEPT};
  cliv_tensor *values, *places;
  TRY(cliv__bench_add(bench, cliv_tensor_dtype(x), 2, shape, 1, CLIV__GUARD, 0, &values));
  TRY(cliv__bench_add(bench, CLIV_I64, 2, shape, 2, CLIV__GUARD, 0, &places));
  TRY(cliv_topk(bench->ctx, -1, KEPT, CLIV_DESCENDING, x, values, places, NULL));
  TRY(cliv__bench_hash(bench, values, hash));
  return cliv__bench_hash(bench, places, hash);
}

static cliv_status quantile(cliv__bench *bench, const cliv_tensor *x, uint64_t *hash) {
  static const double q[KEPT] = {0, 0.1, 0.25, 0.5, 0.75, 0.9, 1};
  cliv_tensor *out;
  TRY(cliv__bench_add(bench, cliv_tensor_dtype(x), 2, (size_t[]){ROWS, KEPT}, 1, CLIV__GUARD, 0, &out));
  TRY(cliv_quantile(bench->ctx, -1, KEPT, q, x, out, NULL));
  return cliv__bench_hash(bench, out, hash);
}

static cliv_status compact(cliv__bench *bench, const cliv_tensor *x, uint64_t *hash) {
  const size_t shape[] = {ROWS, COLUMNS}, n = (size_t)ROWS * COLUMNS;
  cliv_tensor *mask, *out, *count;
  TRY(cliv__bench_add(bench, CLIV_U8, 2, shape, 3, CLIV__ANY, 2, &mask));
  TRY(cliv_map_scalar(bench->ctx, "gt", mask, 90, mask, NULL));
  TRY(cliv__bench_add(bench, cliv_tensor_dtype(x), 1, &n, 1, CLIV__GUARD, 0, &out));
  TRY(cliv__bench_add(bench, CLIV_I64, 0, NULL, 1, CLIV__GUARD, 0, &count));
  TRY(cliv_compact(bench->ctx, x, mask, out, count, NULL));
  TRY(cliv__bench_hash(bench, out, hash));
  return cliv__bench_hash(bench, count, hash);
}

static cliv_status histogram(cliv__bench *bench, const cliv_tensor *x, uint64_t *hash) {
  const size_t bins = 37;
  cliv_tensor *counts;
  TRY(cliv__bench_add(bench, CLIV_I64, 1, &bins, 1, CLIV__GUARD, 0, &counts));
  TRY(cliv_histogram(bench->ctx, x, bins, -20, 30, counts, NULL));
  return cliv__bench_hash(bench, counts, hash);
}

/* The rows of x, cut into shorter ones, to rows that are drawn from few. */
static cliv_status scatter(cliv__bench *bench, const cliv_tensor *x, uint64_t *hash) {
  const size_t rows = 300, columns = ROWS * COLUMNS / 300, targets = 256;
  cliv_tensor *bytes, *indices, *table, *cut;
  TRY(cliv__bench_add(bench, CLIV_U8, 1, &rows, 1, CLIV__ANY, 3, &bytes));
  TRY(cliv__bench_add(bench, CLIV_I32, 1, &rows, 1, CLIV__GUARD, 0, &indices));
  TRY(cliv_map(bench->ctx, "copy", bytes, indices, NULL));
  TRY(cliv__bench_add(bench, cliv_tensor_dtype(x), 2, (size_t[]){targets, columns}, 2, CLIV__MODEST, 4, &table));
  TRY(cliv_tensor_view(x, 0, 2, (size_t[]){rows, columns}, 0, &cut));
  const cliv_status status = cliv_scatter_add(bench->ctx, cut, indices, table, NULL);
  cliv_tensor_free(cut);
  TRY(status);
  return cliv__bench_hash(bench, table, hash);
}

static void run_case(cliv__selftest *test, const char *name, operation *run, cliv_dtype dtype, cliv__values values) {
  if (!cliv__selftest_wants(test, (size_t)ROWS * COLUMNS)) return;
  cliv__bench bench = {.ctx = test->ctx};
  cliv_tensor *x;
  uint64_t hash = 0;
  char text[96];
  snprintf(text, sizeof text, "%s %dx%d%s", cliv_dtype_name(dtype), ROWS, COLUMNS, values == CLIV__ANY ? " any" : "");
  test->operation = name;
  cliv_status status = cliv__bench_add(&bench, dtype, 2, (size_t[]){ROWS, COLUMNS}, 1, values, 1, &x);
  if (!status) status = run(&bench, x, &hash);
  cliv__selftest_report(test, text, dtype, status, hash);
  cliv__bench_clear(&bench);
}

void cliv__selftest_sorts(cliv__selftest *test) {
  for (int dtype = 0; dtype < CLIV_DTYPE_COUNT; dtype++) run_case(test, "sort", sort, (cliv_dtype)dtype, CLIV__ANY);
  run_case(test, "topk", topk, CLIV_F32, CLIV__ANY);
  run_case(test, "quantile", quantile, CLIV_F32, CLIV__MODEST);
  run_case(test, "quantile", quantile, CLIV_BF16, CLIV__MODEST);
  run_case(test, "compact", compact, CLIV_F32, CLIV__ANY);
  run_case(test, "histogram", histogram, CLIV_F32, CLIV__MODEST);
  run_case(test, "scatter_add", scatter, CLIV_F32, CLIV__MODEST);
}
