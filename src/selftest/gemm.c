/* gemm.c: self-test of the exact matrix product, of batches, and of what follows a product. */
#include <cliv/blas.h>
#include <stdio.h>

#include "runtime/context.h"
#include "selftest/bench.h"

typedef struct product {
  cliv_dtype dtype;
  size_t m, n, k;
  int trans_a, trans_b;
  double alpha, beta;
  size_t batch; /* 0: two axes; B is one for all */
  int bias;     /* 1: along columns, 2: along rows */
  cliv_activation activation;
} product;

static const product products[] = {
    {CLIV_F32, 1, 1, 1, 0, 0, 1, 0, 0, 0, CLIV_ACTIVATION_NONE},
    {CLIV_F32, 5, 7, 3, 0, 0, 1, 0, 0, 0, CLIV_ACTIVATION_NONE},
    {CLIV_F32, 64, 64, 64, 0, 0, 1, 0, 0, 0, CLIV_ACTIVATION_NONE},
    {CLIV_F32, 33, 65, 129, 0, 0, 1, 0, 0, 0, CLIV_ACTIVATION_NONE},
    {CLIV_F32, 33, 65, 129, 1, 0, 1, 0, 0, 0, CLIV_ACTIVATION_NONE},
    {CLIV_F32, 33, 65, 129, 0, 1, 1, 0, 0, 0, CLIV_ACTIVATION_NONE},
    {CLIV_F32, 33, 65, 129, 1, 1, 1, 0, 0, 0, CLIV_ACTIVATION_NONE},
    {CLIV_F32, 33, 65, 129, 0, 0, -0.75, 1.5, 0, 0, CLIV_ACTIVATION_NONE},
    {CLIV_F32, 257, 1, 300, 0, 0, 1, 0, 0, 0, CLIV_ACTIVATION_NONE},
    {CLIV_F32, 1, 257, 300, 0, 0, 1, 0, 0, 0, CLIV_ACTIVATION_NONE},
    {CLIV_F32, 130, 259, 600, 0, 0, 1, 1, 0, 0, CLIV_ACTIVATION_NONE},
    {CLIV_F64, 33, 65, 129, 0, 0, 1, 0, 0, 0, CLIV_ACTIVATION_NONE},
    {CLIV_F32, 19, 33, 24, 0, 0, 1, -0.5, 5, 0, CLIV_ACTIVATION_NONE},
    {CLIV_F32, 19, 33, 24, 1, 1, 1, 0, 3, 0, CLIV_ACTIVATION_NONE},
    {CLIV_F32, 35, 37, 60, 0, 1, 0.25, 0, 0, 1, CLIV_ACTIVATION_NONE},
    {CLIV_F32, 35, 37, 60, 0, 1, 0.25, 0, 0, 1, CLIV_ACTIVATION_GELU},
    {CLIV_F32, 35, 37, 60, 0, 1, 0.25, 0.5, 0, 2, CLIV_ACTIVATION_GELU_TANH},
    {CLIV_F16, 33, 65, 129, 0, 0, 0.125, 0, 0, 0, CLIV_ACTIVATION_NONE},
    {CLIV_BF16, 33, 65, 129, 1, 0, 0.125, 0.5, 0, 1, CLIV_ACTIVATION_RELU},
};

/* Tensors of two axes, or of three. */
static cliv_status add(cliv__bench *bench, const product *p, const size_t *shape, size_t shift, uint64_t stream,
                       cliv_tensor **out) {
  const bool flat = p->batch == 0;
  return cliv__bench_add(bench, p->dtype, flat ? 2 : 3, shape + flat, shift, CLIV__MODEST, stream, out);
}

static cliv_status multiply(cliv__bench *bench, const product *p, uint64_t *hash) {
  const size_t a_shape[] = {p->batch, p->trans_a ? p->k : p->m, p->trans_a ? p->m : p->k};
  const size_t b_shape[] = {1, p->trans_b ? p->n : p->k, p->trans_b ? p->k : p->n}, c_shape[] = {p->batch, p->m, p->n};
  const size_t bias_shape[] = {p->bias == 2 ? p->m : p->n};
  cliv_blas_options exact = {
      .size = sizeof exact, .provider = CLIV_PROVIDER_EXACT, .bias_rows = p->bias == 2, .activation = p->activation};
  cliv_tensor *a, *b, *c, *bias = NULL;
  TRY(add(bench, p, a_shape, 3, 1, &a));
  TRY(add(bench, p, b_shape, 5, 2, &b));
  TRY(add(bench, p, c_shape, 7, 3, &c));
  if (p->bias) TRY(cliv__bench_add(bench, p->dtype, 1, bias_shape, 1, CLIV__MODEST, 4, &bias));
  exact.bias = bias;
  TRY(cliv_gemm(bench->ctx, p->trans_a, p->trans_b, p->alpha, a, b, p->beta, c, &exact, NULL));
  return cliv__bench_hash(bench, c, hash);
}

/* ---- narrow matrices times vectors ---- */

static const struct {
  cliv_dtype dtype;
  size_t m, k;
  int trans_a;
} vectors[] = {{CLIV_F16, 83, 130, 0}, {CLIV_F16, 83, 130, 1}, {CLIV_BF16, 83, 130, 0}};

static cliv_status multiply_vector(cliv__bench *bench, size_t i, uint64_t *hash) {
  const size_t m = vectors[i].m, k = vectors[i].k;
  const size_t a_shape[] = {vectors[i].trans_a ? k : m, vectors[i].trans_a ? m : k};
  const cliv_blas_options exact = {.size = sizeof exact, .provider = CLIV_PROVIDER_EXACT};
  cliv_tensor *a, *x, *y;
  TRY(cliv__bench_add(bench, vectors[i].dtype, 2, a_shape, 3, CLIV__MODEST, 1, &a));
  TRY(cliv__bench_add(bench, vectors[i].dtype, 1, &k, 1, CLIV__MODEST, 2, &x));
  TRY(cliv__bench_add(bench, vectors[i].dtype, 1, &m, 2, CLIV__MODEST, 3, &y));
  TRY(cliv_gemv(bench->ctx, vectors[i].trans_a, 0.125, a, x, -0.5, y, &exact, NULL));
  return cliv__bench_hash(bench, y, hash);
}

static void products_with_vectors(cliv__selftest *test) {
  test->operation = "gemv";
  for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
    if (!cliv__selftest_wants(test, vectors[i].m * vectors[i].k)) continue;
    cliv__bench bench = {.ctx = test->ctx};
    uint64_t hash = 0;
    char name[96];
    snprintf(name, sizeof name, "%s %zux%zu%s, alpha 0.125, beta -0.5", cliv_dtype_name(vectors[i].dtype), vectors[i].m,
             vectors[i].k, vectors[i].trans_a ? " ta" : "");
    const cliv_status status = multiply_vector(&bench, i, &hash);
    cliv__selftest_report(test, name, vectors[i].dtype, status, hash);
    cliv__bench_clear(&bench);
  }
}

void cliv__selftest_products(cliv__selftest *test) {
  test->operation = "exact";
  for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
    const product *const p = &products[i];
    if (!cliv__selftest_wants(test, p->m * p->k + p->k * p->n)) continue;
    cliv__bench bench = {.ctx = test->ctx};
    uint64_t hash = 0;
    char name[320], batch[32] = "", end[64] = "";
    if (p->batch) snprintf(batch, sizeof batch, "%zu of ", p->batch);
    if (p->bias)
      snprintf(end, sizeof end, ", bias %s, %s", p->bias == 2 ? "down" : "along", cliv_activation_name(p->activation));
    snprintf(name, sizeof name, "%s %s%zux%zux%zu%s%s, alpha %g, beta %g%s", cliv_dtype_name(p->dtype), batch, p->m,
             p->n, p->k, p->trans_a ? " ta" : "", p->trans_b ? " tb" : "", p->alpha, p->beta, end);
    const cliv_status status = multiply(&bench, p, &hash);
    cliv__selftest_report(test, name, p->dtype, status, hash);
    cliv__bench_clear(&bench);
  }
  products_with_vectors(test);
}
