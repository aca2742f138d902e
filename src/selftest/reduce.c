/* reduce.c: self-test of the reductions. */
#include <cliv/reduce.h>
#include <stdio.h>

#include "runtime/context.h"
#include "selftest/bench.h"

typedef struct input {
  const char *name;
  size_t rows, columns; /* rows 0: over all elements; otherwise over the last axis */
  size_t shift;
  cliv__values values;
} input;

/* Below, at and beyond a block of 4096, and beyond a block of blocks' first row. */
static const input inputs[] = {
    {"1", 0, 1, 0, CLIV__MODEST},
    {"257 at 3", 0, 257, 3, CLIV__MODEST},
    {"4097", 0, 4097, 0, CLIV__MODEST},
    {"70001", 0, 70001, 1, CLIV__MODEST},
    {"4097 any", 0, 4097, 0, CLIV__ANY},
    {"37x300 last", 37, 300, 1, CLIV__MODEST},
    {"3x4500 last", 3, 4500, 0, CLIV__MODEST},
};
/* What every type but float32 is tried on: narrow inputs differ in how an element is read, nothing else. */
static const input other = {"4099 at 1", 0, 4099, 1, CLIV__MODEST};

/* What lies otherwise than rows do, of one operation of each sort of accumulator. */
static const char *const layouts[] = {"sum", "argmax", "var"};

static cliv_status reduce_columns(cliv__bench *bench, const char *op, uint64_t *hash) {
  const size_t shape[] = {3, 300, 37}, kept[] = {3, 37};
  cliv_tensor *x, *out;
  cliv_dtype result;
  TRY(cliv__relay(bench->ctx, cliv_reduce_dtype(op, CLIV_F32, &result)));
  TRY(cliv__bench_add(bench, CLIV_F32, 3, shape, 1, CLIV__MODEST, 1, &x));
  TRY(cliv__bench_add(bench, result, 2, kept, 1, CLIV__GUARD, 0, &out));
  TRY(cliv_reduce(bench->ctx, op, 1, x, NULL, out, NULL));
  return cliv__bench_hash(bench, out, hash);
}

static cliv_status reduce_segments(cliv__bench *bench, const char *op, uint64_t *hash) {
  static const uint64_t offsets[] = {3, 4, 20, 300, 4396, 8493, 8600};
  const size_t n = 8603, count = sizeof offsets / sizeof *offsets - 1;
  cliv_tensor *x, *out;
  cliv_segments *segments;
  cliv_dtype result;
  TRY(cliv__relay(bench->ctx, cliv_reduce_dtype(op, CLIV_F32, &result)));
  TRY(cliv__bench_add(bench, CLIV_F32, 1, &n, 1, CLIV__MODEST, 1, &x));
  TRY(cliv__bench_add(bench, result, 1, &count, 1, CLIV__GUARD, 0, &out));
  TRY(cliv_segments_create(bench->ctx, count, offsets, &segments));
  const cliv_status status = cliv_reduce_over(bench->ctx, op, &(cliv_over){.segments = segments}, x, NULL, out, NULL);
  cliv_segments_free(segments);
  TRY(status);
  return cliv__bench_hash(bench, out, hash);
}

static void run_layouts(cliv__selftest *test) {
  static const struct {
    const char *name;
    cliv_status (*reduce)(cliv__bench *bench, const char *op, uint64_t *hash);
  } ways[] = {{"float32 3x300x37 middle", reduce_columns}, {"float32 segments", reduce_segments}};
  if (!cliv__selftest_wants(test, 3 * 300 * 37)) return;
  for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
      cliv__bench bench = {.ctx = test->ctx};
      uint64_t hash = 0;
      test->operation = layouts[i];
      const cliv_status status = ways[k].reduce(&bench, layouts[i], &hash);
      cliv__selftest_report(test, ways[k].name, CLIV_F32, status, hash);
      cliv__bench_clear(&bench);
    }
}

static cliv_status reduce(cliv__bench *bench, const cliv_reduce_info *info, cliv_dtype dtype, const input *in,
                          uint64_t *hash) {
  const size_t shape[] = {in->rows, in->columns};
  const int ndim = in->rows ? 2 : 1;
  cliv_tensor *x, *y = NULL, *out;
  cliv_dtype result;
  TRY(cliv__relay(bench->ctx, cliv_reduce_dtype(info->name, dtype, &result)));
  TRY(cliv__bench_add(bench, dtype, ndim, shape + 2 - ndim, in->shift, in->values, 1, &x));
  if (info->inputs > 1) TRY(cliv__bench_add(bench, dtype, ndim, shape + 2 - ndim, in->shift, in->values, 2, &y));
  TRY(cliv__bench_add(bench, result, ndim - 1, shape, 1, CLIV__GUARD, 0, &out));
  TRY(cliv_reduce(bench->ctx, info->name, in->rows ? -1 : CLIV_ALL_AXES, x, y, out, NULL));
  return cliv__bench_hash(bench, out, hash);
}

static void run_case(cliv__selftest *test, const cliv_reduce_info *info, cliv_dtype dtype, const input *in) {
  if (!cliv__selftest_wants(test, in->columns * (in->rows ? in->rows : 1))) return;
  cliv__bench bench = {.ctx = test->ctx};
  uint64_t hash = 0;
  char name[96];
  snprintf(name, sizeof name, "%s %s", cliv_dtype_name(dtype), in->name);
  const cliv_status status = reduce(&bench, info, dtype, in, &hash);
  cliv__selftest_report(test, name, dtype, status, hash);
  cliv__bench_clear(&bench);
}

/* All on float32. How elements are read does not depend on the operation, so the first that allows integers stands for
 * all on the other types; what is computed in double is tried there too. Each of these is a program to compile. */
void cliv__selftest_reductions(cliv__selftest *test) {
  int stands = 0;
  for (size_t i = 0; i < cliv_reduce_count(); i++) {
    const cliv_reduce_info *const info = cliv_reduce_get(i);
    test->operation = info->name;
    for (size_t k = 0; k < sizeof inputs / sizeof *inputs; k++) run_case(test, info, CLIV_F32, &inputs[k]);
    for (int dtype = 0; dtype < CLIV_DTYPE_COUNT && info->integers && !stands; dtype++)
      if (dtype != CLIV_F32 && (dtype != CLIV_F64 || info->float64)) run_case(test, info, (cliv_dtype)dtype, &other);
    stands |= info->integers;
  }
  run_layouts(test);
}
