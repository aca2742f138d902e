/* gemm.c: self-test of the exact matrix product. */
#include <cliv/blas.h>
#include <stdio.h>

#include "runtime/context.h"
#include "selftest/bench.h"

typedef struct product {
  cliv_dtype dtype;
  size_t m, n, k;
  int trans_a, trans_b;
  double alpha, beta;
} product;

static const product products[] = {
    {CLIV_F32, 1, 1, 1, 0, 0, 1, 0},     {CLIV_F32, 5, 7, 3, 0, 0, 1, 0},           {CLIV_F32, 64, 64, 64, 0, 0, 1, 0},
    {CLIV_F32, 33, 65, 129, 0, 0, 1, 0}, {CLIV_F32, 33, 65, 129, 1, 0, 1, 0},       {CLIV_F32, 33, 65, 129, 0, 1, 1, 0},
    {CLIV_F32, 33, 65, 129, 1, 1, 1, 0}, {CLIV_F32, 33, 65, 129, 0, 0, -0.75, 1.5}, {CLIV_F32, 257, 1, 300, 0, 0, 1, 0},
    {CLIV_F32, 1, 257, 300, 0, 0, 1, 0}, {CLIV_F32, 130, 259, 600, 0, 0, 1, 1},     {CLIV_F64, 33, 65, 129, 0, 0, 1, 0},
};

static cliv_status multiply(cliv__bench *bench, const product *p, uint64_t *hash) {
  const size_t a_shape[] = {p->trans_a ? p->k : p->m, p->trans_a ? p->m : p->k};
  const size_t b_shape[] = {p->trans_b ? p->n : p->k, p->trans_b ? p->k : p->n}, c_shape[] = {p->m, p->n};
  const cliv_blas_options exact = {.size = sizeof exact, .provider = CLIV_PROVIDER_EXACT};
  cliv_tensor *a, *b, *c;
  TRY(cliv__bench_add(bench, p->dtype, 2, a_shape, 3, CLIV__MODEST, 1, &a));
  TRY(cliv__bench_add(bench, p->dtype, 2, b_shape, 5, CLIV__MODEST, 2, &b));
  TRY(cliv__bench_add(bench, p->dtype, 2, c_shape, 7, CLIV__MODEST, 3, &c));
  TRY(cliv_gemm(bench->ctx, p->trans_a, p->trans_b, p->alpha, a, b, p->beta, c, &exact, NULL));
  return cliv__bench_hash(bench, c, hash);
}

void cliv__selftest_products(cliv__selftest *test) {
  test->operation = "exact";
  for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
    const product *const p = &products[i];
    if (!cliv__selftest_wants(test, p->m * p->k + p->k * p->n)) continue;
    cliv__bench bench = {.ctx = test->ctx};
    uint64_t hash = 0;
    char name[96];
    snprintf(name, sizeof name, "%s %zux%zux%zu%s%s, alpha %g, beta %g", cliv_dtype_name(p->dtype), p->m, p->n, p->k,
             p->trans_a ? " ta" : "", p->trans_b ? " tb" : "", p->alpha, p->beta);
    const cliv_status status = multiply(&bench, p, &hash);
    cliv__selftest_report(test, name, p->dtype, status, hash);
    cliv__bench_clear(&bench);
  }
}
