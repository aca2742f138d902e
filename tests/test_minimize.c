/* cliv/minimize.h: against PyTorch's and SciPy's minimizers, on problems with known minima, with objectives on the
 * device and on the host, and what happens when these fail. */
#include <cliv/minimize.h>

#include <cliv/blas.h>
#include <cliv/loss.h>
#include <cliv/map.h>
#include <cliv/reduce.h>
#include <cliv/safetensors.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "problems.h"
#include "support.h"

/* Both walks; where programs take long to compile, the device's own. */
static size_t first_walk(void) { return test_few() ? TEST_WALKS - 1 : test_first_walk(); }
static cliv_context *open_walk(size_t w) { return test_open(test_few() ? CLIV_WALK_AUTO : test_walks[w]); }

/* Every walk and group size; there, the same one: the self-test has the other. */
static test_ways open_ways(void) {
  if (!test_few()) return test_open_all();
  return (test_ways){.ctx = {test_open(CLIV_WALK_AUTO)}, .count = 1};
}

/* ---- objectives on the host: a problem in double, seen through float32 vectors ---- */

typedef struct host {
  const test_problem *problem;
  cliv_context *ctx;
  size_t calls, fail_at; /* the fail_at-th call of any function fails; 0: none does */
} host;

static cliv_status called(host *h) {
  h->calls++;
  return h->calls == h->fail_at ? CLIV_DRIVER : CLIV_OK;
}

static void read_vector(const cliv_tensor *t, double *out) {
  float *x = test_read(t);
  for (size_t i = 0; i < cliv_tensor_count(t); i++) out[i] = (double)x[i];
  free(x);
}

static cliv_status write_vector(cliv_tensor *t, const double *values) {
  const size_t n = cliv_tensor_count(t);
  float *x = test_alloc(n * sizeof *x);
  for (size_t i = 0; i < n; i++) x[i] = (float)values[i];
  const cliv_status status = cliv_tensor_write(t, x, n * sizeof *x);
  free(x);
  return status;
}

static cliv_status host_value(void *with, const cliv_tensor *x, cliv_tensor *gradient, double *f) {
  host *h = with;
  double at[TEST_MOST_UNKNOWNS], g[TEST_MOST_UNKNOWNS];
  if (called(h)) return CLIV_DRIVER;
  read_vector(x, at);
  *f = h->problem->value(at, g);
  return gradient ? write_vector(gradient, g) : CLIV_OK;
}

static cliv_status host_hessian(void *with, const cliv_tensor *x, cliv_tensor *out) {
  host *h = with;
  double at[TEST_MOST_UNKNOWNS], hessian[TEST_MOST_UNKNOWNS * TEST_MOST_UNKNOWNS];
  if (called(h)) return CLIV_DRIVER;
  read_vector(x, at);
  h->problem->hessian(at, hessian);
  return write_vector(out, hessian);
}

static cliv_status host_hessian_product(void *with, const cliv_tensor *x, const cliv_tensor *v, cliv_tensor *out) {
  host *h = with;
  const size_t n = h->problem->n;
  double at[TEST_MOST_UNKNOWNS], of[TEST_MOST_UNKNOWNS], hessian[TEST_MOST_UNKNOWNS * TEST_MOST_UNKNOWNS];
  double product[TEST_MOST_UNKNOWNS] = {0};
  if (called(h)) return CLIV_DRIVER;
  read_vector(x, at);
  read_vector(v, of);
  h->problem->hessian(at, hessian);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) product[i] += hessian[i * n + j] * of[j];
  return write_vector(out, product);
}

static cliv_status host_residual(void *with, const cliv_tensor *x, cliv_tensor *out) {
  host *h = with;
  double at[TEST_MOST_UNKNOWNS], r[TEST_MOST_RESIDUALS];
  if (called(h)) return CLIV_DRIVER;
  read_vector(x, at);
  h->problem->residual(at, r);
  return write_vector(out, r);
}

static cliv_status host_jacobian(void *with, const cliv_tensor *x, cliv_tensor *out) {
  host *h = with;
  double at[TEST_MOST_UNKNOWNS], j[TEST_MOST_RESIDUALS * TEST_MOST_UNKNOWNS];
  if (called(h)) return CLIV_DRIVER;
  read_vector(x, at);
  h->problem->jacobian(at, j);
  return write_vector(out, j);
}

static cliv_status host_jacobian_product(void *with, const cliv_tensor *x, const cliv_tensor *v, cliv_tensor *out) {
  host *h = with;
  const size_t n = h->problem->n;
  double at[TEST_MOST_UNKNOWNS], of[TEST_MOST_UNKNOWNS], j[TEST_MOST_RESIDUALS * TEST_MOST_UNKNOWNS];
  double product[TEST_MOST_RESIDUALS] = {0};
  if (called(h)) return CLIV_DRIVER;
  read_vector(x, at);
  read_vector(v, of);
  h->problem->jacobian(at, j);
  for (size_t k = 0; k < h->problem->residuals; k++)
    for (size_t i = 0; i < n; i++) product[k] += j[k * n + i] * of[i];
  return write_vector(out, product);
}

static cliv_status host_jacobian_adjoint(void *with, const cliv_tensor *x, const cliv_tensor *u, cliv_tensor *out) {
  host *h = with;
  const size_t n = h->problem->n;
  double at[TEST_MOST_UNKNOWNS], of[TEST_MOST_RESIDUALS], j[TEST_MOST_RESIDUALS * TEST_MOST_UNKNOWNS];
  double product[TEST_MOST_UNKNOWNS] = {0};
  if (called(h)) return CLIV_DRIVER;
  read_vector(x, at);
  read_vector(u, of);
  h->problem->jacobian(at, j);
  for (size_t k = 0; k < h->problem->residuals; k++)
    for (size_t i = 0; i < n; i++) product[i] += j[k * n + i] * of[k];
  return write_vector(out, product);
}

static cliv_objective host_objective(host *h) {
  const test_problem *p = h->problem;
  return (cliv_objective){.size = sizeof(cliv_objective),
                          .with = h,
                          .value = host_value,
                          .hessian = p->hessian ? host_hessian : NULL,
                          .hessian_product = p->hessian ? host_hessian_product : NULL,
                          .residuals = p->residuals,
                          .residual = p->residual ? host_residual : NULL,
                          .jacobian = p->jacobian ? host_jacobian : NULL,
                          .jacobian_product = p->jacobian ? host_jacobian_product : NULL,
                          .jacobian_adjoint = p->jacobian ? host_jacobian_adjoint : NULL};
}

/* x where the problem begins. */
static cliv_tensor *begin(cliv_context *ctx, const test_problem *problem) {
  double start[TEST_MOST_UNKNOWNS];
  cliv_tensor *x;
  problem->start(start);
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &problem->n, &x));
  ASSERT_OK(ctx, write_vector(x, start));
  return x;
}

/* Takes the method to the problem's end; the objective there, from x itself. */
static double reach(cliv_context *ctx, const char *method, const char *name, const cliv_minimize_options *options,
                    bool products, cliv_minimize_result *result) {
  host h = {.problem = test_problem_find(name), .ctx = ctx};
  cliv_objective objective = host_objective(&h);
  double at[TEST_MOST_UNKNOWNS];
  if (products) objective.hessian = objective.jacobian = NULL;
  cliv_tensor *x = begin(ctx, h.problem);
  ASSERT_OK(ctx, cliv_minimize(ctx, method, &objective, x, options, result));
  read_vector(x, at);
  cliv_tensor_free(x);
  const double f = h.problem->value(at, NULL);
  ASSERT_NEAR(result->value, f, 1e-6 * fabs(f) + 1e-12);
  return f;
}

/* ---- the table ---- */

static void table_is_consistent(void **state) {
  (void)state;
  assert_true(cliv_minimizer_count() >= 6);
  for (size_t i = 0; i < cliv_minimizer_count(); i++) {
    const cliv_minimizer_info *info = cliv_minimizer_get(i);
    assert_ptr_equal(cliv_minimizer_find(info->name), info);
    assert_true(*info->summary && *info->source && *info->needs);
  }
  assert_null(cliv_minimizer_get(cliv_minimizer_count()));
  assert_null(cliv_minimizer_find("bfgs"));
  assert_null(cliv_minimizer_find(NULL));
  assert_string_equal(cliv_stop_name(CLIV_STOP_CALLER), "caller");
  assert_string_equal(cliv_stop_name((cliv_stop)7), "?");
}

/* ---- PyTorch ---- */

typedef struct follow {
  const char *name;
  size_t n, iterations;
  const double *exact, *rounded; /* PyTorch's path in float64 and in float32 */
  double apart;                  /* how far these have come from each other */
  size_t followed;
} follow;

/* x is as near to PyTorch's path in double as PyTorch itself is with vectors in float32. */
static int compare(void *user, const cliv_minimize_result *so_far, const cliv_tensor *x) {
  follow *f = user;
  const size_t k = so_far->iterations - 1;
  double at[TEST_MOST_UNKNOWNS], largest = 0;
  if (k >= f->iterations) return 1;
  const double *exact = f->exact + k * f->n, *rounded = f->rounded + k * f->n;
  read_vector(x, at);
  for (size_t i = 0; i < f->n; i++) f->apart = fmax(f->apart, fabs(exact[i] - rounded[i]));
  for (size_t i = 0; i < f->n; i++) largest = fmax(largest, fabs(exact[i]));
  for (size_t i = 0; i < f->n; i++)
    if (!(fabs(at[i] - exact[i]) <= 4 * f->apart + 1e-6 * largest))
      fail_msg("%s: after %zu iterations x[%zu] is %.9g, PyTorch's %.9g; its own paths are %.3g apart", f->name, k + 1,
               i, at[i], exact[i], f->apart);
  f->followed++;
  return 0;
}

static double *golden(cliv_safetensors *file, const char *name, const char *type, size_t *rows) {
  char full[96];
  cliv_array array;
  snprintf(full, sizeof full, "%s.%s", name, type);
  ASSERT_OK(NULL, cliv_safetensors_read(file, full, &array));
  const size_t count = cliv_array_count(&array);
  double *out = test_alloc(count * sizeof *out);
  for (size_t i = 0; i < count; i++) out[i] = test_get(CLIV_F32, array.data, i);
  *rows = rows && *rows && *rows < array.shape[0] ? *rows : array.shape[0];
  cliv_array_free(&array);
  return out;
}

static cliv_safetensors *open_golden(void) {
  char *path = test_source_path("tests/golden/minima.safetensors");
  cliv_safetensors *file;
  ASSERT_OK(NULL, cliv_safetensors_open(path, &file));
  free(path);
  return file;
}

static void follows_torch(cliv_context *ctx, cliv_safetensors *file, const char *problem, size_t history) {
  char name[64];
  follow f = {.name = problem, .iterations = 0};
  snprintf(name, sizeof name, "lbfgs%s.%s", history ? "3" : "", problem);
  double *exact = golden(file, name, "float64", &f.iterations), *rounded = golden(file, name, "float32", &f.iterations);
  f.n = test_problem_find(problem)->n;
  f.exact = exact, f.rounded = rounded;
  cliv_minimize_result result = {.size = sizeof result};
  const double value = reach(ctx, "lbfgs", problem,
                             &(cliv_minimize_options){.history = history, .each = compare, .user = &f}, false, &result);
  /* Where float32 has no lower value any more, they may stop an iteration or two apart. */
  if (f.followed + 3 < f.iterations)
    fail_msg("%s ended after %zu iterations (%s), PyTorch's after %zu", name, f.followed, cliv_stop_name(result.stop),
             f.iterations);
  if (f.iterations < 40) ASSERT_NEAR(value, test_problem_find(problem)->lowest, 1e-9); /* else PyTorch is not done */
  free(exact);
  free(rounded);
}

static void agrees_with_torch(void **state) {
  (void)state;
  static const char *const problems[] = {"quadratic", "rosenbrock", "logistic"};
  cliv_safetensors *file = open_golden();
  for (size_t w = first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = open_walk(w);
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
      if (test_small() && i == 0) continue; /* 72 iterations, of what the others have too */
      follows_torch(ctx, file, problems[i], 0);
      follows_torch(ctx, file, problems[i], 3);
    }
    test_close(ctx);
  }
  cliv_safetensors_free(file);
}

/* ---- SciPy ---- */

/* Ours against the one of SciPy's that does the same: a value as low, and at most twice the evaluations. */
static const struct {
  const char *method, *problem, *scipy;
} rivals[] = {
    {"lbfgs", "quadratic", "L-BFGS-B"},       {"lbfgs", "rosenbrock", "L-BFGS-B"},
    {"lbfgs", "logistic", "L-BFGS-B"},        {"newton_cg", "quadratic", "Newton-CG"},
    {"newton_cg", "rosenbrock", "Newton-CG"}, {"newton_cg", "logistic", "Newton-CG"},
    {"newton", "quadratic", "Newton-CG"},     {"newton", "rosenbrock", "Newton-CG"},
    {"newton", "logistic", "Newton-CG"},      {"levenberg_marquardt", "rosenbrock", "lm"},
    {"levenberg_marquardt", "decay", "lm"},   {"gauss_newton", "rosenbrock", "lm"},
    {"gauss_newton", "decay", "lm"},
};

static void compares_with_scipy(cliv_context *ctx, cliv_safetensors *file, size_t i, bool products) {
  char key[64];
  snprintf(key, sizeof key, "%s %s", rivals[i].scipy, rivals[i].problem);
  const char *text = cliv_safetensors_metadata(file, key);
  assert_non_null(text);
  char *rest;
  const double value = strtod(text, &rest);
  const size_t evaluations = strtoul(rest, NULL, 10);
  cliv_minimize_result r = {.size = sizeof r};
  const double f = reach(ctx, rivals[i].method, rivals[i].problem, NULL, products, &r);
  const double lowest = test_problem_find(rivals[i].problem)->lowest;
  if (!(f <= fmax(value, lowest) + 1e-9))
    fail_msg("%s comes to %.12g on %s (%s), SciPy's %s to %.12g", rivals[i].method, f, rivals[i].problem,
             cliv_stop_name(r.stop), rivals[i].scipy, value);
  if (r.evaluations > 2 * evaluations)
    fail_msg("%s%s takes %zu evaluations on %s (%s), SciPy's %s %zu", rivals[i].method, products ? " by products" : "",
             r.evaluations, rivals[i].problem, cliv_stop_name(r.stop), rivals[i].scipy, evaluations);
}

static void agrees_with_scipy(void **state) {
  (void)state;
  cliv_safetensors *file = open_golden();
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (size_t i = 0; i < sizeof rivals / sizeof *rivals; i++) {
    if (!test_small()) compares_with_scipy(ctx, file, i, false);
    compares_with_scipy(ctx, file, i, true);
  }
  test_close(ctx);
  cliv_safetensors_free(file);
}

/* ---- objectives on the device ---- */

/* Breast cancer, 569 rows in float32: everything that a step needs is enqueued, but for the sum of the losses. */
typedef struct regression {
  cliv_context *ctx;
  cliv_tensor *x, *targets, *logits, *slopes, *losses, *sum, *weights;
} regression;

static cliv_tensor *upload(cliv_context *ctx, int ndim, const size_t *shape, const double *values) {
  cliv_tensor *t;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, ndim, shape, &t));
  if (values) ASSERT_OK(ctx, write_vector(t, values));
  return t;
}

static regression regression_create(cliv_context *ctx) {
  const test_samples *s = test_breast_cancer();
  const size_t shape[] = {s->rows, s->columns}, column[] = {s->rows, 1};
  return (regression){ctx,
                      upload(ctx, 2, shape, s->x),
                      upload(ctx, 2, column, s->y),
                      upload(ctx, 2, column, NULL),
                      upload(ctx, 2, column, NULL),
                      upload(ctx, 1, column, NULL),
                      upload(ctx, 0, NULL, NULL),
                      upload(ctx, 1, column, NULL)};
}

static void regression_free(regression *r) {
  cliv_tensor *all[] = {r->x, r->targets, r->logits, r->slopes, r->losses, r->sum, r->weights};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
}

static const cliv_blas_options EXACT = {.provider = CLIV_PROVIDER_EXACT};
#define PASS(call)                      \
  do {                                  \
    const cliv_status status_ = (call); \
    if (status_) return status_;        \
  } while (0)

static cliv_status read_one(const cliv_tensor *t, double *out) {
  float value;
  PASS(cliv_tensor_read(t, &value, sizeof value));
  *out = (double)value;
  return CLIV_OK;
}

static cliv_status regression_value(void *with, const cliv_tensor *w, cliv_tensor *g, double *f) {
  regression *r = with;
  const double rows = (double)cliv_tensor_shape(r->x)[0];
  double square;
  PASS(cliv_gemv(r->ctx, 0, 1, r->x, w, 0, r->logits, &EXACT, NULL));
  PASS(cliv_loss(r->ctx, "binary_cross_entropy", r->logits, r->targets, 1 / rows, r->losses, r->slopes, NULL));
  if (g) {
    PASS(cliv_gemv(r->ctx, 1, 1, r->x, r->slopes, 0, g, &EXACT, NULL));
    PASS(cliv_axpy(r->ctx, TEST_LOGISTIC_L2, w, g, &EXACT, NULL));
  }
  PASS(cliv_reduce(r->ctx, "sumsq", CLIV_ALL_AXES, w, NULL, r->sum, NULL));
  PASS(read_one(r->sum, &square));
  PASS(cliv_reduce(r->ctx, "sum_compensated", CLIV_ALL_AXES, r->losses, NULL, r->sum, NULL));
  PASS(read_one(r->sum, f));
  *f = *f / rows + TEST_LOGISTIC_L2 / 2 * square;
  return CLIV_OK;
}

/* X' (p (1 − p) (X v)) / rows + L2 v. */
static cliv_status regression_product(void *with, const cliv_tensor *w, const cliv_tensor *v, cliv_tensor *out) {
  regression *r = with;
  const double rows = (double)cliv_tensor_shape(r->x)[0];
  PASS(cliv_gemv(r->ctx, 0, 1, r->x, w, 0, r->weights, &EXACT, NULL));
  PASS(cliv_map_user(r->ctx,
                     "real weight(real z) { const real p = divide((real)1, 1 + real_exp(-z)); return p * (1 - p); }",
                     "weight", r->weights, NULL, r->weights, NULL));
  PASS(cliv_gemv(r->ctx, 0, 1, r->x, v, 0, r->losses, &EXACT, NULL));
  PASS(cliv_map2(r->ctx, "mul", r->losses, r->weights, r->losses, NULL));
  PASS(cliv_tensor_copy(v, out, NULL));
  return cliv_gemv(r->ctx, 1, 1 / rows, r->x, r->losses, TEST_LOGISTIC_L2, out, &EXACT, NULL);
}

/* FNV-1a of the bytes: what every device and every walk must come to. */
static uint64_t digest(const cliv_tensor *t) {
  const size_t bytes = cliv_tensor_count(t) * sizeof(float);
  unsigned char *x = test_read(t);
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < bytes; i++) hash = (hash ^ x[i]) * UINT64_C(0x100000001b3);
  free(x);
  return hash;
}

static const struct {
  const char *method;
  uint64_t digest; /* of the minimum, in every walk, at every group size and on every stack */
} known[] = {
    {"lbfgs", 0xbc0ad057c22e3994},
    {"newton", 0x44edd09962311bb3},
    {"newton_cg", 0x2c6c1689a9d75334},
    {"polyak", 0x84d892cadcd2ee64},
};

static void minima_have_one_result(void **state) {
  (void)state;
  const test_ways ways = open_ways();
  /* Where steps are slow not the last: 100 of them, of what the first has too. */
  for (size_t i = 0; i + test_small() < sizeof known / sizeof *known; i++) {
    for (size_t w = 0; w < ways.count; w++) {
      cliv_context *ctx = ways.ctx[w];
      regression r = regression_create(ctx);
      const cliv_objective objective = {.with = &r, .value = regression_value, .hessian_product = regression_product};
      const size_t n = 31;
      const cliv_minimize_options options = {.lowest = test_problem_find("logistic")->lowest, .history = 5};
      cliv_minimize_result result = {.size = sizeof result};
      double at[31];
      test_guarded x = test_guard1(ctx, CLIV_F32, n, 3, NULL);
      ASSERT_OK(ctx, cliv_tensor_fill(x.tensor, 0, NULL));
      ASSERT_OK(ctx, cliv_minimize(ctx, known[i].method, &objective, x.tensor, &options, &result));
      read_vector(x.tensor, at);
      const double lowest = options.lowest, f = test_problem_find("logistic")->value(at, NULL);
      ASSERT_NEAR(f, lowest, strcmp(known[i].method, "polyak") ? 1e-7 : 2e-3);
      ASSERT_NEAR(result.value, f, 1e-6);
      if (digest(x.tensor) != known[i].digest)
        fail_msg("%s in way %zu comes to other bits: digest 0x%016llx after %zu iterations (%s)", known[i].method, w,
                 (unsigned long long)digest(x.tensor), result.iterations, cliv_stop_name(result.stop));
      test_guard_free(&x);
      regression_free(&r);
    }
  }
  test_close_all(&ways);
}

/* Half the weighted squared distance from a centre, of any length. */
typedef struct bowl {
  cliv_context *ctx;
  cliv_tensor *weights, *centre, *distance, *sum;
} bowl;

static cliv_status bowl_value(void *with, const cliv_tensor *x, cliv_tensor *g, double *f) {
  bowl *b = with;
  PASS(cliv_map2(b->ctx, "sub", x, b->centre, b->distance, NULL));
  if (!g) return CLIV_INTERNAL; /* no method here asks for less */
  PASS(cliv_map2(b->ctx, "mul", b->distance, b->weights, g, NULL));
  PASS(cliv_reduce(b->ctx, "dot_compensated", CLIV_ALL_AXES, g, b->distance, b->sum, NULL));
  PASS(read_one(b->sum, f));
  *f /= 2;
  return CLIV_OK;
}

static cliv_status bowl_product(void *with, const cliv_tensor *x, const cliv_tensor *v, cliv_tensor *out) {
  bowl *b = with;
  (void)x;
  return cliv_map2(b->ctx, "mul", v, b->weights, out, NULL);
}

static void sinks(cliv_context *ctx, const char *method, size_t n, size_t shift) {
  float *weights = test_alloc(n * sizeof *weights), *centre = test_alloc(n * sizeof *centre);
  test_fill_uniform(weights, n, 1, 1, 4);
  test_fill_uniform(centre, n, 2, -2, 2);
  test_guarded w = test_guard1(ctx, CLIV_F32, n, shift, weights), c = test_guard1(ctx, CLIV_F32, n, shift + 1, centre);
  test_guarded d = test_guard1(ctx, CLIV_F32, n, 0, NULL), x = test_guard1(ctx, CLIV_F32, n, shift, NULL);
  bowl b = {ctx, w.tensor, c.tensor, d.tensor, upload(ctx, 0, NULL, NULL)};
  const cliv_objective objective = {.with = &b, .value = bowl_value, .hessian_product = bowl_product};
  cliv_minimize_result result = {.size = sizeof result};
  ASSERT_OK(ctx, cliv_tensor_fill(x.tensor, 0, NULL));
  ASSERT_OK(ctx, cliv_minimize(ctx, method, &objective, x.tensor, NULL, &result));
  float *got = test_read(x.tensor);
  /* Where it ends by itself, the gradient or the change of f is below what float32 shows of f or x. */
  for (size_t i = 0; i < n; i++) ASSERT_NEAR((double)got[i], (double)centre[i], 5e-4);
  if (n == 0) assert_int_equal(result.stop, CLIV_STOP_GRADIENT);
  free(got);
  cliv_tensor_free(b.sum);
  test_guard_free(&w);
  test_guard_free(&c);
  test_guard_free(&d);
  test_guard_free(&x);
  free(weights);
  free(centre);
}

static void sinks_at_every_size(void **state) {
  (void)state;
  size_t count;
  const size_t *sizes = test_sizes(&count);
  for (size_t w = first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = open_walk(w);
    for (size_t i = 0; i < count; i++) {
      if (sizes[i] > 100000 && test_few()) continue;
      if (!test_small() || i % 2 == 0) sinks(ctx, "lbfgs", sizes[i], 0); /* taking turns where steps are slow */
      if (test_small() ? i % 2 : sizes[i] < 100000) sinks(ctx, "newton_cg", sizes[i], 5);
    }
    test_close(ctx);
  }
}

/* ---- one step ---- */

/* Least squares on diabetes: Hessian X'X/n on the device, the solution by the normal equations in double. */
typedef struct least {
  cliv_context *ctx;
  cliv_tensor *x, *y, *rest, *sum;
} least;

static cliv_status least_residual(void *with, const cliv_tensor *w, cliv_tensor *out) {
  least *l = with;
  PASS(cliv_tensor_copy(l->y, out, NULL));
  return cliv_gemv(l->ctx, 0, 1, l->x, w, -1, out, &EXACT, NULL);
}

static cliv_status least_value(void *with, const cliv_tensor *w, cliv_tensor *g, double *f) {
  least *l = with;
  PASS(least_residual(with, w, l->rest));
  if (g) PASS(cliv_gemv(l->ctx, 1, 1, l->x, l->rest, 0, g, &EXACT, NULL));
  PASS(cliv_reduce(l->ctx, "sumsq_compensated", CLIV_ALL_AXES, l->rest, NULL, l->sum, NULL));
  PASS(read_one(l->sum, f));
  *f /= 2;
  return CLIV_OK;
}

static cliv_status least_hessian(void *with, const cliv_tensor *w, cliv_tensor *out) {
  least *l = with;
  (void)w;
  return cliv_gemm(l->ctx, 1, 0, 1, l->x, l->x, 0, out, &EXACT, NULL);
}

static cliv_status least_jacobian(void *with, const cliv_tensor *w, cliv_tensor *out) {
  least *l = with;
  (void)w;
  return cliv_tensor_copy(l->x, out, NULL);
}

/* Gaussian elimination with pivots on [X'X | X'y], in place. */
static void solve_normal(const test_samples *s, double *out) {
  enum { N = 10 };
  double a[N][N + 1] = {{0}};
  for (size_t k = 0; k < s->rows; k++)
    for (size_t i = 0; i < N; i++)
      for (size_t j = 0; j <= N; j++) a[i][j] += s->x[k * N + i] * (j < N ? s->x[k * N + j] : s->y[k]);
  for (size_t c = 0; c < N; c++) {
    size_t p = c;
    for (size_t i = c; i < N; i++) p = fabs(a[i][c]) > fabs(a[p][c]) ? i : p;
    for (size_t j = 0; j <= N; j++) {
      const double t = a[c][j];
      a[c][j] = a[p][j], a[p][j] = t;
    }
    for (size_t i = 0; i < N; i++) {
      const double factor = i == c ? 0 : a[i][c] / a[c][c];
      for (size_t j = 0; j <= N; j++) a[i][j] -= factor * a[c][j];
    }
  }
  for (size_t i = 0; i < N; i++) out[i] = a[i][N] / a[i][i];
}

/* X'X has a condition of 470: the solution moves by that much of what float32 does to X and the gradient, at most. */
static void one_step_is_enough(void **state) {
  (void)state;
  static const char *const methods[] = {"newton", "gauss_newton"};
  const test_samples *s = test_diabetes();
  const size_t shape[] = {s->rows, s->columns};
  double want[10], got[10];
  solve_normal(s, want);
  for (size_t w = first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = open_walk(w);
    least l = {ctx, upload(ctx, 2, shape, s->x), upload(ctx, 1, shape, s->y), upload(ctx, 1, shape, NULL),
               upload(ctx, 0, NULL, NULL)};
    const cliv_objective objective = {.with = &l,
                                      .value = least_value,
                                      .hessian = least_hessian,
                                      .residuals = s->rows,
                                      .residual = least_residual,
                                      .jacobian = least_jacobian};
    for (size_t i = 0; i < 2; i++)
      for (int search = CLIV_SEARCH_WOLFE; search <= CLIV_SEARCH_NONE; search++) {
        cliv_minimize_result result = {.size = sizeof result};
        cliv_tensor *x = upload(ctx, 1, &s->columns, NULL);
        ASSERT_OK(ctx, cliv_tensor_fill(x, 0, NULL));
        ASSERT_OK(ctx,
                  cliv_minimize(ctx, methods[i], &objective, x,
                                &(cliv_minimize_options){.max_iterations = 1, .search = (cliv_search)search}, &result));
        assert_int_equal(result.iterations, 1);
        assert_int_equal(result.evaluations, 2);
        read_vector(x, got);
        for (size_t j = 0; j < 10; j++) ASSERT_NEAR(got[j], want[j], 470 * 0x1p-24 * 2);
        cliv_tensor_free(x);
      }
    cliv_tensor *all[] = {l.x, l.y, l.rest, l.sum};
    for (size_t i = 0; i < 4; i++) cliv_tensor_free(all[i]);
    test_close(ctx);
  }
}

/* ---- hard places ---- */

/* Two minima at x = ±1 with a ridge between, which has curvature −1. */
static double ridge_value(const double *x, double *g) {
  if (g) g[0] = x[0] * x[0] * x[0] - x[0], g[1] = x[1];
  return x[0] * x[0] * x[0] * x[0] / 4 - x[0] * x[0] / 2 + x[1] * x[1] / 2;
}
static void ridge_start(double *x) { x[0] = 0.125, x[1] = 1; }
static void ridge_hessian(const double *x, double *h) { h[0] = 3 * x[0] * x[0] - 1, h[1] = h[2] = 0, h[3] = 1; }
static const test_problem ridge = {"ridge", 2, -0.25, ridge_start, ridge_value, ridge_hessian, 0, NULL, NULL};

/* x − log x: not a number from 0 down, and so steep near it that steps go there. */
static double wall_value(const double *x, double *g) {
  if (g) g[0] = 1 - 1 / x[0];
  return x[0] - log(x[0]);
}
static void wall_start(double *x) { x[0] = 8; }
static void wall_hessian(const double *x, double *h) { h[0] = 1 / (x[0] * x[0]); }
static void wall_residual(const double *x, double *r) { r[0] = log(x[0]); }
static void wall_jacobian(const double *x, double *j) { j[0] = 1 / x[0]; }
static const test_problem wall = {"wall", 1, 1, wall_start, wall_value, wall_hessian, 1, wall_residual, wall_jacobian};

/* Residuals whose squares are 0 in float32, beside a Jacobian that says they can be left: no step gives a lower value,
 * and the damping grows until it is not finite. */
static void flat_start(double *x) { x[0] = 1; }
static double flat_value(const double *x, double *g) {
  (void)x;
  if (g) g[0] = 1e8;
  return 0;
}
static void flat_hessian(const double *x, double *h) {
  (void)x;
  h[0] = 1e8;
}
static void flat_residual(const double *x, double *r) {
  (void)x;
  r[0] = 1e-30;
}
static void flat_jacobian(const double *x, double *j) {
  (void)x;
  j[0] = 1e38;
}
static const test_problem flat = {"flat", 1, 0, flat_start, flat_value, flat_hessian, 1, flat_residual, flat_jacobian};

static void damping_ends(void **state) {
  (void)state;
  const test_problem *const problems[] = {&flat, test_problem_find("rosenbrock")};
  const cliv_minimize_options options = {.damping = 1e38};
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (size_t k = 0; k < 4; k++) {
    const test_problem *problem = problems[k / 2];
    host h = {.problem = problem, .ctx = ctx};
    cliv_objective objective = host_objective(&h);
    cliv_minimize_result result = {.size = sizeof result};
    double before[TEST_MOST_UNKNOWNS], after[TEST_MOST_UNKNOWNS];
    cliv_tensor *x = begin(ctx, problem);
    if (k % 2) objective.jacobian = NULL;
    read_vector(x, before);
    ASSERT_OK(ctx, cliv_minimize(ctx, "levenberg_marquardt", &objective, x, &options, &result));
    read_vector(x, after);
    assert_int_equal(result.stop, CLIV_STOP_PRECISION);
    ASSERT_BITS(after, before, problem->n * sizeof *after);
    cliv_tensor_free(x);
  }
  test_close(ctx);
}

static void leaves_ridges(void **state) {
  (void)state;
  static const char *const methods[] = {"newton", "newton_cg", "lbfgs"};
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (size_t i = 0; i < 3; i++) {
    host h = {.problem = &ridge, .ctx = ctx};
    const cliv_objective objective = host_objective(&h);
    cliv_minimize_result result = {.size = sizeof result};
    cliv_tensor *x = begin(ctx, &ridge);
    ASSERT_OK(ctx, cliv_minimize(ctx, methods[i], &objective, x, NULL, &result));
    ASSERT_NEAR(result.value, -0.25, 1e-9);
    cliv_tensor_free(x);
  }
  test_close(ctx);
}

static void comes_back_from_where_it_is_not_finite(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (size_t i = 0; i < cliv_minimizer_count(); i++) {
    const char *method = cliv_minimizer_get(i)->name;
    host h = {.problem = &wall, .ctx = ctx};
    const cliv_objective objective = host_objective(&h);
    cliv_minimize_options options = {.lr = strcmp(method, "lbfgs") ? 0 : 20, .lowest = 1};
    cliv_minimize_result result = {.size = sizeof result}, zero = result;
    cliv_tensor *x = begin(ctx, &wall);
    double at[1];
    if (!strcmp(method, "polyak")) { /* which has no search: its first step is 8 − 5.92 / (7/8)² · 7/8 */
      options.share = 0.5;
      ASSERT_FAILS(ctx, cliv_minimize(ctx, method, &objective, x, &options, &result), CLIV_DATA, "smaller lr");
      read_vector(x, at);
      ASSERT_NEAR(at[0], 8, 0);
      ASSERT_BITS(&result, &zero, sizeof zero);
    } else {
      ASSERT_OK(ctx, cliv_minimize(ctx, method, &objective, x, &options, &result));
      read_vector(x, at);
      ASSERT_NEAR(at[0], 1, 1e-3);
    }
    options.search = CLIV_SEARCH_NONE;
    if (!strcmp(method, "newton")) {
      ASSERT_OK(ctx, cliv_tensor_fill(x, 8, NULL));
      ASSERT_FAILS(ctx, cliv_minimize(ctx, method, &objective, x, &options, &result), CLIV_DATA, "after 1 iteration");
    }
    ASSERT_OK(ctx, cliv_tensor_fill(x, -1, NULL));
    ASSERT_FAILS(ctx, cliv_minimize(ctx, method, &objective, x, &options, &result), CLIV_DATA, "where it begins");
    cliv_tensor_free(x);
  }
  test_close(ctx);
}

/* Whichever call of the objective fails, its status comes back and x is as it was. */
static void failures_change_nothing(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const test_problem *problem = test_problem_find("rosenbrock");
  for (size_t i = 0; i < cliv_minimizer_count(); i++)
    for (int products = 0; products < 2; products++) {
      bool done = false;
      for (size_t k = 1; !done && k < 12; k++) {
        host h = {.problem = problem, .ctx = ctx, .fail_at = k};
        cliv_objective objective = host_objective(&h);
        if (products) objective.hessian = objective.jacobian = NULL;
        cliv_minimize_result result = {.size = sizeof result}, zero = result;
        double before[2], after[2];
        cliv_tensor *x = begin(ctx, problem);
        read_vector(x, before);
        const cliv_status status = cliv_minimize(ctx, cliv_minimizer_get(i)->name, &objective, x,
                                                 &(cliv_minimize_options){.max_iterations = 3}, &result);
        read_vector(x, after);
        done = h.calls < k;
        assert_int_equal(status, done ? CLIV_OK : CLIV_DRIVER);
        if (!done) ASSERT_BITS(before, after, sizeof before);
        if (!done) ASSERT_BITS(&result, &zero, sizeof zero);
        cliv_tensor_free(x);
      }
    }
  test_close(ctx);
}

/* ---- options ---- */

static int stop_at_3(void *user, const cliv_minimize_result *so_far, const cliv_tensor *x) {
  (void)user;
  assert_int_equal(cliv_tensor_count(x), 2);
  return so_far->iterations == 3;
}

static void ends_where_told(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (size_t i = 0; i < cliv_minimizer_count(); i++) {
    const char *method = cliv_minimizer_get(i)->name;
    cliv_minimize_result r = {.size = sizeof r};
    reach(ctx, method, "rosenbrock", &(cliv_minimize_options){.max_iterations = 2}, false, &r);
    assert_int_equal(r.stop, CLIV_STOP_ITERATIONS);
    assert_int_equal(r.iterations, 2);
    reach(ctx, method, "rosenbrock", &(cliv_minimize_options){.max_evaluations = 3}, false, &r);
    assert_int_equal(r.stop, CLIV_STOP_EVALUATIONS);
    assert_int_equal(r.evaluations, 3);
    reach(ctx, method, "rosenbrock", &(cliv_minimize_options){.each = stop_at_3}, false, &r);
    assert_int_equal(r.stop, CLIV_STOP_CALLER);
    assert_int_equal(r.iterations, 3);
    reach(ctx, method, "rosenbrock", &(cliv_minimize_options){.gradient_tolerance = 1e9}, false, &r);
    assert_int_equal(r.stop, CLIV_STOP_GRADIENT);
    assert_int_equal(r.iterations, 0);
    assert_int_equal(r.evaluations, 1);
  }
  test_close(ctx);
}

/* Convex with a known minimum: no step takes it further away (Polyak 1987, 5.3), as far as float32 shows. */
static int nearer(void *user, const cliv_minimize_result *so_far, const cliv_tensor *x) {
  double at[TEST_MOST_UNKNOWNS], *last = user, distance = 0;
  (void)so_far;
  read_vector(x, at);
  for (size_t i = 0; i < 20; i++) distance += pow(at[i] - ((double)(i % 5) - 2) / 2, 2);
  assert_true(distance <= *last * (1 + 1e-6));
  *last = distance;
  return 0;
}

static void polyak_comes_nearer(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_minimize_result r = {.size = sizeof r};
  double distance = 1e9;
  const double f =
      reach(ctx, "polyak", "quadratic",
            &(cliv_minimize_options){.max_iterations = test_small() ? 40 : 400, .each = nearer, .user = &distance},
            false, &r);
  ASSERT_NEAR(f, 0, test_small() ? 10 : 1e-3); /* of 112 */
  reach(ctx, "polyak", "quadratic", &(cliv_minimize_options){.max_iterations = 1, .max_step = 1e-3}, false, &r);
  ASSERT_NEAR(r.step, 1e-3 * 100 * 0.5 * 1, 0.06); /* the steepest element's gradient times the bound */
  reach(ctx, "polyak", "quadratic", &(cliv_minimize_options){.lowest = 1e6}, false, &r);
  assert_int_equal(r.stop, CLIV_STOP_LOWEST);
  assert_int_equal(r.iterations, 0);
  test_close(ctx);
}

static void refuses(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO), *other = test_open_group(CLIV_WALK_GPU, 16);
  host h = {.problem = test_problem_find("rosenbrock"), .ctx = ctx};
  const cliv_objective o = host_objective(&h), none = {0};
  cliv_tensor *x = begin(ctx, h.problem), *half, *wide, *pitched, *many;
  const size_t two[] = {2, 2}, most = 1025;
  cliv_minimize_result r = {.size = sizeof r};
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F16, 1, two, &half));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (const size_t[]){2, 4}, &wide));
  ASSERT_OK(ctx, cliv_tensor_view(wide, 0, 2, two, 4, &pitched));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &most, &many));
  ASSERT_FAILS(ctx, cliv_minimize(ctx, "lbfgs", &o, x, NULL, NULL), CLIV_NULL, "result");
  ASSERT_FAILS(NULL, cliv_minimize(NULL, "lbfgs", &o, x, NULL, &r), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_minimize(ctx, NULL, &o, x, NULL, &r), CLIV_NULL, "method");
  ASSERT_FAILS(ctx, cliv_minimize(ctx, "lbfgs", NULL, x, NULL, &r), CLIV_NULL, "objective");
  ASSERT_FAILS(ctx, cliv_minimize(ctx, "lbfgs", &o, NULL, NULL, &r), CLIV_NULL, "x");
  ASSERT_FAILS(ctx, cliv_minimize(ctx, "bfgs", &o, x, NULL, &r), CLIV_NAME, "lbfgs, newton, newton_cg");
  for (size_t i = 0; i < cliv_minimizer_count(); i++)
    ASSERT_FAILS(ctx, cliv_minimize(ctx, cliv_minimizer_get(i)->name, &none, x, NULL, &r), CLIV_VALUE, "is NULL");
  ASSERT_FAILS(ctx, cliv_minimize(ctx, "lbfgs", &o, half, NULL, &r), CLIV_DTYPE, "float16");
  ASSERT_FAILS(ctx, cliv_minimize(ctx, "lbfgs", &o, pitched, NULL, &r), CLIV_LAYOUT, "pitch");
  ASSERT_FAILS(other, cliv_minimize(other, "lbfgs", &o, x, NULL, &r), CLIV_VALUE, "another context");
#define REFUSED(part, ...) \
  ASSERT_FAILS(ctx, cliv_minimize(ctx, "lbfgs", &o, x, &(cliv_minimize_options){__VA_ARGS__}, &r), CLIV_VALUE, part)
  REFUSED("gradient_tolerance", .gradient_tolerance = -1);
  REFUSED("change_tolerance", .change_tolerance = (double)NAN);
  REFUSED("lr", .lr = (double)INFINITY);
  REFUSED("search 9", .search = (cliv_search)9);
  REFUSED("damping", .damping = -1);
  REFUSED("damping", .damping = 1e300);
  REFUSED("damping", .damping = (double)NAN);
  REFUSED("lowest", .lowest = (double)NAN);
  REFUSED("share", .share = -1);
  REFUSED("max_step", .max_step = -1);
  REFUSED("history", .history = 1000001);
  REFUSED("newer", .size = 4096);
  cliv_minimize_result short_one = {.size = 8}, long_one = {.size = 4096};
  ASSERT_FAILS(ctx, cliv_minimize(ctx, "lbfgs", &o, x, NULL, &short_one), CLIV_VALUE, "size of the result");
  ASSERT_FAILS(ctx, cliv_minimize(ctx, "lbfgs", &o, x, NULL, &long_one), CLIV_VALUE, "size of the result");
  /* More than the host solves: the size is known before anything is computed. */
  ASSERT_FAILS(ctx, cliv_minimize(ctx, "newton", &o, many, NULL, &r), CLIV_VALUE, "1024");
  ASSERT_FAILS(ctx, cliv_minimize(ctx, "levenberg_marquardt", &o, many, NULL, &r), CLIV_VALUE, "1024");
  assert_int_equal(h.calls, 0);
  cliv_tensor *all[] = {x, half, wide, pitched, many};
  for (size_t i = 0; i < 5; i++) cliv_tensor_free(all[i]);
  test_close(ctx);
  test_close(other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(table_is_consistent),
      cmocka_unit_test(agrees_with_torch),
      cmocka_unit_test(agrees_with_scipy),
      cmocka_unit_test(minima_have_one_result),
      cmocka_unit_test(sinks_at_every_size),
      cmocka_unit_test(one_step_is_enough),
      cmocka_unit_test(leaves_ridges),
      cmocka_unit_test(comes_back_from_where_it_is_not_finite),
      cmocka_unit_test(failures_change_nothing),
      cmocka_unit_test(ends_where_told),
      cmocka_unit_test(polyak_comes_nearer),
      cmocka_unit_test(damping_ends),
      cmocka_unit_test(refuses),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
