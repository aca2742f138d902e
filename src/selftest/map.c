/* map.c: self-test of the element by element operations. */
#include <cliv/map.h>
#include <stdio.h>
#include <string.h>

#include "runtime/context.h"
#include "selftest/bench.h"

enum second { NONE, EACH, ROW, SCALAR }; /* where a second operand comes from */

typedef struct input {
  const char *name;
  size_t rows, columns, shift;
  cliv__values values;
} input;

static const input inputs[] = {
    {"1", 1, 1, 0, CLIV__MODEST},
    {"257 at 3", 1, 257, 3, CLIV__MODEST},
    {"4097", 1, 4097, 0, CLIV__MODEST},
    {"65537", 1, 65537, 1, CLIV__ANY},
};
static const input rows = {"37x300", 37, 300, 1, CLIV__MODEST};
/* What every type but float32 is tried on. */
static const input other = {"4099 at 1", 1, 4099, 1, CLIV__MODEST}, bits = {"65536", 1, 65536, 0, CLIV__ANY};

static cliv_status apply(cliv__bench *bench, const char *op, cliv_dtype from, cliv_dtype to, const input *in,
                         enum second second, uint64_t *hash) {
  const size_t shape[] = {in->rows, in->columns};
  cliv_tensor *x, *y, *out;
  TRY(cliv__bench_add(bench, from, 2, shape, in->shift, in->values, 1, &x));
  if (second == EACH) TRY(cliv__bench_add(bench, from, 2, shape, in->shift + 2, in->values, 2, &y));
  if (second == ROW) TRY(cliv__bench_add(bench, from, 1, shape + 1, in->shift + 2, in->values, 2, &y));
  TRY(cliv__bench_add(bench, to, 2, shape, in->shift + 1, CLIV__GUARD, 0, &out));
  if (second == NONE) TRY(cliv_map(bench->ctx, op, x, out, NULL));
  if (second == EACH || second == ROW) TRY(cliv_map2(bench->ctx, op, x, y, out, NULL));
  if (second == SCALAR) TRY(cliv_map_scalar(bench->ctx, op, x, 3, out, NULL));
  return cliv__bench_hash(bench, out, hash);
}

static void run_case(cliv__selftest *test, cliv_dtype from, cliv_dtype to, const input *in, enum second second) {
  static const char *const seconds[] = {"", "", ", row", ", scalar"};
  if (!cliv__selftest_wants(test, in->rows * in->columns)) return;
  cliv__bench bench = {.ctx = test->ctx};
  uint64_t hash = 0;
  char name[96];
  const int converts = !strcmp(test->operation, "copy");
  snprintf(name, sizeof name, "%s%s%s %s%s", cliv_dtype_name(from), converts ? " to " : "",
           converts ? cliv_dtype_name(to) : "", in->name, seconds[second]);
  const cliv_status status = apply(&bench, test->operation, from, to, in, second, &hash);
  cliv__selftest_report(test, name, cliv_context_has(test->ctx, to) ? from : to, status, hash);
  cliv__bench_clear(&bench);
}

/* An input of one type with a result of the operation's own. */
static void run_typed(cliv__selftest *test, const cliv_map_info *info, cliv_dtype dtype, const input *in,
                      enum second second) {
  run_case(test, dtype, info->result == CLIV_MAP_TRUTH ? CLIV_U8 : dtype, in, second);
}

/* Every type of storage into and out of float32, every bit pattern of the narrow ones. */
static void run_conversions(cliv__selftest *test) {
  for (int dtype = 0; dtype < CLIV_DTYPE_COUNT; dtype++) {
    run_case(test, CLIV_F32, (cliv_dtype)dtype, &bits, NONE);
    if (dtype != CLIV_F32) run_case(test, (cliv_dtype)dtype, CLIV_F32, &bits, NONE);
  }
}

/* Every type that the operation allows, and for two operands every kind of second one. */
static void run_types(cliv__selftest *test, const cliv_map_info *info, enum second second) {
  for (int dtype = 0; dtype < CLIV_DTYPE_COUNT; dtype++)
    if (dtype != CLIV_F32) run_typed(test, info, (cliv_dtype)dtype, &other, second);
  if (second == NONE) return;
  run_typed(test, info, CLIV_F32, &rows, ROW);
  run_typed(test, info, CLIV_F32, &rows, SCALAR);
}

/* All on float32. How elements are read and written does not depend on the operation, so one of each arity stands for
 * all on the other types: every one of these is a program to compile. Quotients and roots, which devices round in ways
 * of their own, are tried in double too. */
void cliv__selftest_maps(cliv__selftest *test) {
  int stands[3] = {0};
  for (size_t i = 0; i < cliv_map_count(); i++) {
    const cliv_map_info *const info = cliv_map_get(i);
    const enum second second = info->arity == 2 ? EACH : NONE;
    test->operation = info->name;
    if (info->result == CLIV_MAP_ANY) {
      run_conversions(test);
      continue;
    }
    for (size_t k = 0; k < sizeof inputs / sizeof *inputs; k++) run_typed(test, info, CLIV_F32, &inputs[k], second);
    if (info->integers && info->float64 && !stands[info->arity]) {
      stands[info->arity] = 1;
      run_types(test, info, second);
    } else if (!strcmp(info->name, "div") || !strcmp(info->name, "sqrt")) {
      run_typed(test, info, CLIV_F64, &other, second);
    }
  }
}
