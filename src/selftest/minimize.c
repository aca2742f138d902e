/* minimize.c: self-test of the minimizers and of the steps that reduce variance, on half the sum of the squares of
 * w (x − c): its residuals and all its derivatives are maps. */
#include <cliv/map.h>
#include <cliv/minimize.h>
#include <cliv/reduce.h>
#include <cliv/variance.h>
#include <stdio.h>

#include "runtime/context.h"
#include "selftest/bench.h"

enum { ELEMENTS = 4099, DENSE_ELEMENTS = 33, CENTRES = 3 };

typedef struct bowl {
  cliv_context *ctx;
  cliv_tensor *w, *c[CENTRES], *rest, *sum;
} bowl;

static cliv_status residual(void *with, const cliv_tensor *x, cliv_tensor *out) {
  const bowl *b = with;
  TRY(cliv_map2(b->ctx, "sub", x, b->c[0], out, NULL));
  return cliv_map2(b->ctx, "mul", out, b->w, out, NULL);
}

/* J and its transpose, which are the diagonal w. */
static cliv_status weigh(void *with, const cliv_tensor *x, const cliv_tensor *v, cliv_tensor *out) {
  const bowl *b = with;
  (void)x;
  return cliv_map2(b->ctx, "mul", v, b->w, out, NULL);
}

static cliv_status weigh_twice(void *with, const cliv_tensor *x, const cliv_tensor *v, cliv_tensor *out) {
  TRY(weigh(with, x, v, out));
  return weigh(with, x, out, out);
}

static cliv_status value(void *with, const cliv_tensor *x, cliv_tensor *gradient, double *f) {
  const bowl *b = with;
  float sum;
  TRY(residual(with, x, b->rest));
  if (gradient) TRY(weigh(with, x, b->rest, gradient));
  TRY(cliv_reduce(b->ctx, "sumsq_compensated", CLIV_ALL_AXES, b->rest, NULL, b->sum, NULL));
  TRY(cliv_tensor_read(b->sum, &sum, sizeof sum));
  *f = (double)sum / 2;
  return CLIV_OK;
}

static cliv_status term(void *with, const cliv_tensor *x, size_t i, cliv_tensor *out) {
  const bowl *b = with;
  return cliv_map2(b->ctx, "sub", x, b->c[i], out, NULL);
}

static cliv_status make(cliv__bench *bench, bowl *b, size_t n, cliv_tensor **x) {
  b->ctx = bench->ctx;
  TRY(cliv__bench_add(bench, CLIV_F32, 1, &n, 3, CLIV__MODEST, 1, x));
  TRY(cliv__bench_add(bench, CLIV_F32, 1, &n, 5, CLIV__MODEST, 2, &b->w));
  for (size_t i = 0; i < CENTRES; i++) TRY(cliv__bench_add(bench, CLIV_F32, 1, &n, i, CLIV__MODEST, 3 + i, &b->c[i]));
  TRY(cliv__bench_add(bench, CLIV_F32, 1, &n, 0, CLIV__GUARD, 0, &b->rest));
  return cliv__bench_add(bench, CLIV_F32, 0, NULL, 0, CLIV__GUARD, 0, &b->sum);
}

static cliv_status minimize(cliv__bench *bench, const char *method, size_t n, uint64_t *hash) {
  bowl b;
  cliv_tensor *x;
  cliv_minimize_result result = {.size = sizeof result};
  const cliv_minimize_options options = {.size = sizeof options, .max_iterations = 5, .history = 3};
  TRY(make(bench, &b, n, &x));
  const cliv_objective objective = {.size = sizeof objective,
                                    .with = &b,
                                    .value = value,
                                    .hessian_product = weigh_twice,
                                    .residuals = n,
                                    .residual = residual,
                                    .jacobian_product = weigh,
                                    .jacobian_adjoint = weigh};
  TRY(cliv_minimize(bench->ctx, method, &objective, x, &options, &result));
  return cliv__bench_hash(bench, x, hash);
}

static cliv_status reduce_variance(cliv__bench *bench, const char *method, double l1, uint64_t *hash) {
  enum { STEPS = 7 };
  bowl b;
  cliv_tensor *x;
  cliv_variance *v;
  const cliv_variance_options options = {
      .size = sizeof options, .lr = 0.25, .l1 = l1, .l2 = 2 * l1, .inner = 3, .seed = 1};
  TRY(make(bench, &b, ELEMENTS, &x));
  const cliv_sum sum = {.size = sizeof sum, .with = &b, .terms = CENTRES, .gradient = term};
  TRY(cliv_variance_create(bench->ctx, method, &sum, x, &options, &v));
  cliv_status status = cliv_variance_run(v, STEPS, NULL, NULL);
  if (!status) status = cliv__bench_hash(bench, x, hash);
  cliv_variance_free(v);
  return status;
}

void cliv__selftest_minimizers(cliv__selftest *test) {
  for (size_t i = 0; i < cliv_minimizer_count(); i++) {
    cliv__bench bench = {.ctx = test->ctx};
    uint64_t hash = 0;
    char name[64];
    test->operation = cliv_minimizer_get(i)->name;
    const size_t n = cliv_minimizer_find("newton") == cliv_minimizer_get(i) ? DENSE_ELEMENTS : ELEMENTS;
    snprintf(name, sizeof name, "float32 %zu at 3", n);
    const cliv_status status = minimize(&bench, test->operation, n, &hash);
    cliv__selftest_report(test, name, CLIV_F32, status, hash);
    cliv__bench_clear(&bench);
  }
  for (size_t i = 0; i < 2 * cliv_variance_count(); i++) {
    static const char *const names[] = {"float32 4099 at 3", "float32 4099 at 3, elastic net"};
    cliv__bench bench = {.ctx = test->ctx};
    uint64_t hash = 0;
    test->operation = cliv_variance_get(i / 2)->name;
    const cliv_status status = reduce_variance(&bench, test->operation, i % 2 ? 0.25 : 0, &hash);
    cliv__selftest_report(test, names[i % 2], CLIV_F32, status, hash);
    cliv__bench_clear(&bench);
  }
}
