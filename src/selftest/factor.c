/* factor.c: self-test of the factorisations. */
#include <cliv/blas.h>
#include <cliv/factor.h>
#include <stdio.h>

#include "runtime/context.h"
#include "selftest/bench.h"

/* One case: the tensors it needs are made by its function. x: `count` matrices; definite ones are X Xᵀ. */
typedef struct known {
  cliv__bench bench;
  size_t count, m, n;
  cliv_tensor *x, *definite, *out, *second;
} known;

static cliv_status add(known *k, size_t rows, size_t columns, size_t shift, cliv__values values, cliv_tensor **out) {
  const size_t shape[] = {k->count, rows, columns};
  return cliv__bench_add(&k->bench, CLIV_F32, 3, shape, shift, values, 1, out);
}

static cliv_status make_definite(known *k) {
  const cliv_blas_options exact = {.size = sizeof exact, .provider = CLIV_PROVIDER_EXACT};
  cliv_status status = add(k, k->m, k->m, 2, CLIV__GUARD, &k->definite);
  for (size_t b = 0; !status && b < k->count; b++) {
    cliv_tensor *x = NULL, *square = NULL;
    status = cliv_tensor_view(k->x, b * k->m * k->n, 2, (const size_t[]){k->m, k->n}, 0, &x);
    if (!status) status = cliv_tensor_view(k->definite, b * k->m * k->m, 2, (const size_t[]){k->m, k->m}, 0, &square);
    if (!status) status = cliv_gemm(k->bench.ctx, 0, 1, 1, x, x, 0, square, &exact, NULL);
    cliv_tensor_free(x);
    cliv_tensor_free(square);
  }
  return status;
}

static cliv_status orthogonalize(known *k) {
  TRY(add(k, k->m, k->n, 1, CLIV__GUARD, &k->out));
  return cliv_orthogonalize(k->bench.ctx, k->x, k->out, NULL, NULL);
}

static cliv_status orthogonalize_bfloat16(known *k) {
  const cliv_orthogonalize_options narrow = {.size = sizeof narrow, .bfloat16 = 1};
  TRY(add(k, k->m, k->n, 1, CLIV__GUARD, &k->out));
  return cliv_orthogonalize(k->bench.ctx, k->x, k->out, &narrow, NULL);
}

static cliv_status inverse_root(known *k) {
  TRY(make_definite(k));
  TRY(add(k, k->m, k->m, 1, CLIV__GUARD, &k->out));
  return cliv_inverse_root(k->bench.ctx, k->definite, 3, k->out, NULL, NULL);
}

static cliv_status qr(known *k) {
  TRY(add(k, k->m, k->n, 1, CLIV__GUARD, &k->out));
  TRY(add(k, k->n, k->n, 2, CLIV__GUARD, &k->second));
  return cliv_qr(k->bench.ctx, k->x, k->out, k->second, NULL);
}

static cliv_status eigen(known *k) {
  const size_t shape[] = {k->count, k->m};
  TRY(make_definite(k));
  TRY(add(k, k->m, k->m, 1, CLIV__GUARD, &k->out));
  TRY(cliv__bench_add(&k->bench, CLIV_F32, 2, shape, 3, CLIV__GUARD, 1, &k->second));
  return cliv_eigen(k->bench.ctx, k->definite, k->second, k->out, NULL, NULL);
}

static cliv_status cholesky(known *k) {
  TRY(make_definite(k));
  TRY(add(k, k->m, k->m, 1, CLIV__GUARD, &k->out));
  TRY(cliv__bench_add(&k->bench, CLIV_I32, 1, &k->count, 1, CLIV__GUARD, 1, &k->second));
  return cliv_cholesky(k->bench.ctx, k->definite, k->out, k->second, NULL);
}

static cliv_status solve(known *k) {
  TRY(make_definite(k));
  TRY(add(k, k->m, k->n, 1, CLIV__GUARD, &k->out));
  return cliv_solve(k->bench.ctx, k->definite, k->x, k->out, NULL, NULL);
}

static cliv_status least_squares(known *k) {
  cliv_tensor *side;
  TRY(add(k, k->m, 5, 3, CLIV__MODEST, &side));
  TRY(add(k, k->n, 5, 1, CLIV__GUARD, &k->out));
  return cliv_least_squares(k->bench.ctx, k->x, side, k->out, NULL);
}

static const struct {
  const char *name;
  cliv_status (*run)(known *k);
  size_t count, m, n;
} cases[] = {
    {"orthogonalize", orthogonalize, 2, 20, 13},
    {"orthogonalize", orthogonalize, 1, 40, 70},
    {"orthogonalize bfloat16", orthogonalize_bfloat16, 1, 20, 33},
    {"inverse_root", inverse_root, 2, 17, 12},
    {"inverse_root", inverse_root, 1, 40, 45},
    {"qr", qr, 2, 20, 13},
    {"qr", qr, 1, 70, 67},
    {"eigen", eigen, 2, 13, 9},
    {"eigen", eigen, 1, 18, 25},
    {"cholesky", cholesky, 2, 13, 20},
    {"cholesky", cholesky, 1, 70, 90},
    {"solve", solve, 1, 40, 60},
    {"least_squares", least_squares, 1, 50, 37},
};

static cliv_status run_case(known *k, size_t i, uint64_t *hash) {
  TRY(add(k, k->m, k->n, 3, CLIV__MODEST, &k->x));
  TRY(cases[i].run(k));
  TRY(cliv__bench_hash(&k->bench, k->out, hash));
  return k->second ? cliv__bench_hash(&k->bench, k->second, hash) : CLIV_OK;
}

void cliv__selftest_factors(cliv__selftest *test) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    known k = {.bench = {.ctx = test->ctx}, .count = cases[i].count, .m = cases[i].m, .n = cases[i].n};
    if (!cliv__selftest_wants(test, k.count * k.m * (k.m > k.n ? k.m : k.n))) continue;
    uint64_t hash = 0;
    char name[64];
    snprintf(name, sizeof name, "%zu of %zux%zu", k.count, k.m, k.n);
    test->operation = cases[i].name;
    const cliv_status status = run_case(&k, i, &hash);
    cliv__selftest_report(test, name, CLIV_F32, status, hash);
    cliv__bench_clear(&k.bench);
  }
}
