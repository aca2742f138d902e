/* rows.c: self-test of the operations on rows. */
#include <cliv/rows.h>
#include <stdio.h>

#include "runtime/context.h"
#include "selftest/bench.h"

typedef struct input {
  const char *name;
  size_t rows, columns, shift;
  cliv__values values;
} input;

/* Rows within a vector, within a row of lanes, of a block, and of several blocks. */
static const input inputs[] = {
    {"41x10", 41, 10, 1, CLIV__MODEST},   {"19x100 at 3", 19, 100, 3, CLIV__MODEST},
    {"3x1003", 3, 1003, 1, CLIV__MODEST}, {"2x9001", 2, 9001, 0, CLIV__MODEST},
    {"41x10 any", 41, 10, 0, CLIV__ANY},
};
/* What every type but float32 is tried on: narrow rows differ in how an element is read and stored, nothing else. */
static const input other = {"3x1003 at 1", 3, 1003, 1, CLIV__MODEST};

/* All companions that the operation takes; mean and rstd are read as any numbers. */
static cliv_status add_companions(cliv__bench *bench, const cliv_rows_info *info, cliv_dtype dtype, const input *in,
                                  cliv_rows_options *o) {
  const size_t *const rows = &in->rows, *const columns = &in->columns;
  const bool two = info->inputs > 1;
  cliv_tensor *weight = NULL, *bias = NULL;
  if (info->weight) TRY(cliv__bench_add(bench, dtype, 1, columns, 1, CLIV__MODEST, 3, &weight));
  if (info->bias && !two) TRY(cliv__bench_add(bench, dtype, 1, columns, 1, CLIV__MODEST, 4, &bias));
  const cliv__values statistics = two ? CLIV__MODEST : CLIV__GUARD;
  if (info->mean) TRY(cliv__bench_add(bench, CLIV_F32, 1, rows, 1, statistics, 5, &o->mean));
  if (info->rstd) TRY(cliv__bench_add(bench, CLIV_F32, 1, rows, 2, statistics, 6, &o->rstd));
  if (info->weight && two) TRY(cliv__bench_add(bench, dtype, 1, columns, 1, CLIV__GUARD, 0, &o->weight_gradient));
  if (info->bias && two) TRY(cliv__bench_add(bench, dtype, 1, columns, 1, CLIV__GUARD, 0, &o->bias_gradient));
  o->weight = weight;
  o->bias = bias;
  return CLIV_OK;
}

static cliv_status work(cliv__bench *bench, const cliv_rows_info *info, cliv_dtype dtype, const input *in,
                        uint64_t *hash) {
  const size_t shape[] = {in->rows, in->columns};
  cliv_tensor *x, *y = NULL, *out;
  cliv_rows_options o = {0};
  TRY(cliv__bench_add(bench, dtype, 2, shape, in->shift, in->values, 1, &x));
  if (info->inputs > 1) TRY(cliv__bench_add(bench, dtype, 2, shape, in->shift, in->values, 2, &y));
  TRY(cliv__bench_add(bench, dtype, 2, shape, 1, CLIV__GUARD, 0, &out));
  TRY(add_companions(bench, info, dtype, in, &o));
  TRY(cliv_rows(bench->ctx, info->name, x, y, out, &o, NULL));
  const cliv_tensor *const results[] = {out, o.mean, o.rstd, o.weight_gradient, o.bias_gradient};
  for (size_t i = 0; i < sizeof results / sizeof *results; i++)
    if (results[i]) TRY(cliv__bench_hash(bench, results[i], hash));
  return CLIV_OK;
}

static void run_case(cliv__selftest *test, const cliv_rows_info *info, cliv_dtype dtype, const input *in) {
  if (!cliv__selftest_wants(test, in->columns * in->rows)) return;
  cliv__bench bench = {.ctx = test->ctx};
  uint64_t hash = 0;
  char name[96];
  snprintf(name, sizeof name, "%s %s", cliv_dtype_name(dtype), in->name);
  const cliv_status status = work(&bench, info, dtype, in, &hash);
  cliv__selftest_report(test, name, dtype, status, hash);
  cliv__bench_clear(&bench);
}

/* All on float32; the first operation stands for all on the narrow floats. Each is a program to compile. */
void cliv__selftest_rows(cliv__selftest *test) {
  for (size_t i = 0; i < cliv_rows_count(); i++) {
    const cliv_rows_info *const info = cliv_rows_get(i);
    test->operation = info->name;
    for (size_t k = 0; k < sizeof inputs / sizeof *inputs; k++) run_case(test, info, CLIV_F32, &inputs[k]);
    for (int dtype = CLIV_F16; dtype <= CLIV_BF16 && i == 0; dtype++) run_case(test, info, (cliv_dtype)dtype, &other);
  }
}
