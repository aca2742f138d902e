/* average.c: self-test of the averages of parameters, and of lending them. */
#include <cliv/average.h>

#include "runtime/context.h"
#include "selftest/bench.h"

enum { UPDATES = 4, PARAMS = 2 };
static const size_t lengths[PARAMS] = {257, 4099};

static cliv_status hash_averages(cliv__bench *bench, cliv_average *average, cliv_tensor **params, uint64_t *hash) {
  for (size_t p = 0; p < PARAMS; p++) {
    cliv_tensor *view;
    TRY(cliv_average_tensor(average, p, &view));
    const cliv_status status = cliv__bench_hash_elements(bench->ctx, view, hash);
    cliv_tensor_free(view);
    TRY(status);
    TRY(cliv__bench_hash(bench, params[p], hash));
  }
  return CLIV_OK;
}

/* New weights for each update; the hash covers averages and weights, as they are left, lent, and given back. */
static cliv_status update(cliv__bench *bench, cliv_average *average, cliv_tensor **params, uint64_t *hash) {
  for (uint64_t t = 0; t < UPDATES; t++) {
    for (size_t p = 0; p < PARAMS; p++) TRY(cliv__bench_fill(bench, params[p], CLIV__MODEST, 100 * (t + 1) + p));
    TRY(cliv_average_update(average, NULL));
  }
  for (int swaps = 0; swaps < 3; swaps++) {
    if (swaps) TRY(cliv_average_swap(average, NULL));
    TRY(hash_averages(bench, average, params, hash));
  }
  return CLIV_OK;
}

static cliv_status run(cliv__bench *bench, cliv_optimizer *optimizer, const char *kind, cliv_dtype dtype,
                       cliv_average **average, uint64_t *hash) {
  cliv_tensor *params[PARAMS], *grads[PARAMS];
  for (size_t p = 0; p < PARAMS; p++) {
    TRY(cliv__bench_add(bench, dtype, 1, &lengths[p], 3, CLIV__MODEST, 10 + p, &params[p]));
    TRY(cliv__bench_add(bench, dtype, 1, &lengths[p], 5, CLIV__MODEST, 20 + p, &grads[p]));
    TRY(cliv_optimizer_add(optimizer, params[p], grads[p], CLIV_DEFAULT_GROUP));
  }
  TRY(cliv_average_create(optimizer, kind, NULL, average));
  TRY(cliv_average_set(*average, "interval", 1));
  return update(bench, *average, params, hash);
}

static void run_case(cliv__selftest *test, cliv_dtype dtype) {
  cliv__bench bench = {.ctx = test->ctx};
  cliv_optimizer *optimizer = NULL;
  cliv_average *average = NULL;
  uint64_t hash = 0;
  cliv_status status = cliv_optimizer_create(test->ctx, "sgd", NULL, &optimizer);
  if (!status) status = run(&bench, optimizer, test->operation, dtype, &average, &hash);
  cliv__selftest_report(test, cliv_dtype_name(dtype), dtype, status, hash);
  cliv_average_free(average);
  cliv_optimizer_free(optimizer);
  cliv__bench_clear(&bench);
}

void cliv__selftest_averages(cliv__selftest *test) {
  for (size_t i = 0; i < cliv_average_kind_count(); i++) {
    test->operation = cliv_average_kind_get(i)->name;
    run_case(test, CLIV_F32);
    if (i == 0) run_case(test, CLIV_BF16);
  }
}
