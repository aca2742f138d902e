/* cliv/variance.h: against references in double, against scikit-learn sample by sample, linear convergence where plain
 * stochastic gradients stall, and what happens when the sum's functions fail. */
#include <cliv/variance.h>

#include <cliv/blas.h>
#include <cliv/loss.h>
#include <cliv/map.h>
#include <cliv/optim.h>
#include <cliv/random.h>
#include <cliv/safetensors.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "problems.h"
#include "support.h"

#define PASS(call)                      \
  do {                                  \
    const cliv_status status_ = (call); \
    if (status_) return status_;        \
  } while (0)

/* Both walks; where programs take long to compile, the device's own. */
static size_t first_walk(void) { return test_few() ? TEST_WALKS - 1 : test_first_walk(); }
static cliv_context *open_walk(size_t w) { return test_open(test_few() ? CLIV_WALK_AUTO : test_walks[w]); }

/* Every walk and group size; there, the same one: the self-test has the other. */
static test_ways open_ways(void) {
  if (!test_few()) return test_open_all();
  return (test_ways){.ctx = {test_open(CLIV_WALK_AUTO)}, .count = 1};
}

/* ---- bowls: f_i is half the weighted squared distance from a centre of its own ---- */

enum { BOWLS = 5, MOST_STEPS = 13 };

typedef struct bowls {
  cliv_context *ctx;
  size_t n;
  float *w[BOWLS], *c[BOWLS], *start;
  cliv_tensor *weights[BOWLS], *centres[BOWLS];
} bowls;

static cliv_status bowls_gradient(void *with, const cliv_tensor *x, size_t term, cliv_tensor *out) {
  const bowls *b = with;
  PASS(cliv_map2(b->ctx, "sub", x, b->centres[term], out, NULL));
  return cliv_map2(b->ctx, "mul", out, b->weights[term], out, NULL);
}

static bowls bowls_create(cliv_context *ctx, size_t n) {
  bowls b = {.ctx = ctx, .n = n, .start = test_alloc(n * sizeof(float))};
  test_fill_normal(b.start, n, 1);
  for (size_t i = 0; i < BOWLS; i++) {
    b.w[i] = test_alloc(n * sizeof(float));
    b.c[i] = test_alloc(n * sizeof(float));
    test_fill_uniform(b.w[i], n, 10 + i, 0.5, 2);
    test_fill_normal(b.c[i], n, 20 + i);
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &b.weights[i]));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &b.centres[i]));
    ASSERT_OK(ctx, cliv_tensor_write(b.weights[i], b.w[i], n * sizeof(float)));
    ASSERT_OK(ctx, cliv_tensor_write(b.centres[i], b.c[i], n * sizeof(float)));
  }
  return b;
}

static void bowls_free(bowls *b) {
  for (size_t i = 0; i < BOWLS; i++) {
    free(b->w[i]);
    free(b->c[i]);
    cliv_tensor_free(b->weights[i]);
    cliv_tensor_free(b->centres[i]);
  }
  free(b->start);
}

/* ---- references in double, one element through all steps ---- */

typedef struct reference {
  const bowls *b;
  size_t j; /* the element */
  const cliv_variance_options *options;
  double x, before, s, anchor, table[BOWLS], largest;
  bool seen[BOWLS];
} reference;

static double slope(const reference *r, size_t i, double x) {
  return (double)r->b->w[i][r->j] * (x - (double)r->b->c[i][r->j]);
}
static double mean_slope(const reference *r, double x) {
  double sum = 0;
  for (size_t i = 0; i < BOWLS; i++) sum += slope(r, i, x) / BOWLS;
  return sum;
}
static double seen(reference *r, size_t i) {
  double count = 0;
  r->seen[i] = true;
  for (size_t k = 0; k < BOWLS; k++) count += r->seen[k];
  return count;
}

/* The direction of step t with term i, written from the papers. */
static double ref_sag(reference *r, size_t t, size_t i) {
  (void)t;
  const double g = slope(r, i, r->x);
  r->s += g - r->table[i];
  r->table[i] = g;
  return r->s / seen(r, i);
}
static double ref_saga(reference *r, size_t t, size_t i) {
  (void)t;
  const double g = slope(r, i, r->x), d = g - r->table[i] + r->s / seen(r, i);
  r->s += g - r->table[i];
  r->table[i] = g;
  return d;
}
static double ref_svrg(reference *r, size_t t, size_t i) {
  if (t % r->options->inner == 0) r->anchor = r->x;
  return slope(r, i, r->x) - slope(r, i, r->anchor) + mean_slope(r, r->anchor);
}
static double ref_sarah(reference *r, size_t t, size_t i) {
  if (t % r->options->inner == 0) r->s = mean_slope(r, r->x);
  else r->s += slope(r, i, r->x) - slope(r, i, r->before);
  return r->s;
}

static const struct {
  const char *method;
  double (*direction)(reference *r, size_t t, size_t i);
} references[] = {{"sag", ref_sag}, {"saga", ref_saga}, {"svrg", ref_svrg}, {"sarah", ref_sarah}};
enum { METHODS = sizeof references / sizeof *references };

static void ref_step(reference *r, size_t method, size_t t, size_t i) {
  const cliv_variance_options *o = r->options;
  const double d = references[method].direction(r, t, i);
  const double next = (1 - o->lr * o->l2) * r->x - o->lr * d;
  r->largest = fmax(r->largest, fmax(fabs(r->x), 8)); /* gradients are below 16 */
  r->before = r->x;
  r->x = copysign(fmax(fabs(next) - o->lr * o->l1, 0), next);
}

static const cliv_variance_options variants[] = {
    {.lr = 0.125, .inner = 4},
    {.lr = 0.1, .l2 = 0.3, .l1 = 0.5, .inner = MOST_STEPS},
};

/* Rounding: in each step about 10 operations on numbers below 16, of which lr lets a part through; the steps are
 * contractions, so that errors add up and do not grow. */
static void follows(cliv_context *ctx, size_t method, const cliv_variance_options *options, size_t n, size_t shift) {
  static const int32_t order[MOST_STEPS] = {3, 0, 0, 4, 1, 2, 3, 3, 0, 2, 4, 1, 0};
  bowls b = bowls_create(ctx, n);
  const cliv_sum sum = {.with = &b, .terms = BOWLS, .gradient = bowls_gradient};
  cliv_variance *v;
  test_guarded x = test_guard1(ctx, CLIV_F32, n, shift, b.start);
  ASSERT_OK(ctx, cliv_variance_create(ctx, references[method].method, &sum, x.tensor, options, &v));
  ASSERT_OK(ctx, cliv_variance_run(v, MOST_STEPS, order, NULL));
  assert_int_equal(cliv_variance_steps(v), MOST_STEPS);
  float *got = test_read(x.tensor);
  for (size_t j = 0; j < n; j++) {
    reference r = {.b = &b, .j = j, .options = options, .x = (double)b.start[j]};
    for (size_t t = 0; t < MOST_STEPS; t++) ref_step(&r, method, t, (size_t)order[t]);
    ASSERT_NEAR((double)got[j], r.x, MOST_STEPS * 10 * 0x1p-24 * r.largest);
  }
  free(got);
  cliv_variance_free(v);
  test_guard_free(&x);
  bowls_free(&b);
}

static void follows_references(void **state) {
  (void)state;
  size_t count;
  const size_t *sizes = test_sizes(&count);
  for (size_t w = first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = open_walk(w);
    for (size_t method = 0; method < METHODS; method++)
      for (size_t i = 0; i < count; i++)
        if (sizes[i] < 100000) follows(ctx, method, &variants[i % 2], sizes[i], i % 3);
    test_close(ctx);
  }
}

static void table_is_consistent(void **state) {
  (void)state;
  assert_int_equal(cliv_variance_count(), METHODS); /* each has a reference */
  for (size_t i = 0; i < METHODS; i++) {
    const cliv_variance_info *info = cliv_variance_get(i);
    assert_string_equal(info->name, references[i].method);
    assert_ptr_equal(cliv_variance_find(info->name), info);
    assert_true(*info->summary && *info->source);
  }
  assert_null(cliv_variance_get(METHODS));
  assert_null(cliv_variance_find("sgd"));
  assert_null(cliv_variance_find(NULL));
}

/* ---- logistic regression, a sample a term; the gradient by the host, in double ---- */

typedef struct samples {
  const test_samples *s;
  size_t calls, fail_at; /* 0: none fails */
} samples;

static cliv_status sample_gradient(void *with, const cliv_tensor *x, size_t term, cliv_tensor *out) {
  samples *p = with;
  if (++p->calls == p->fail_at) return CLIV_DRIVER;
  float w[TEST_MOST_UNKNOWNS], g[TEST_MOST_UNKNOWNS];
  const double *row = p->s->x + term * p->s->columns;
  double z = 0;
  PASS(cliv_tensor_read(x, w, p->s->columns * sizeof *w));
  for (size_t j = 0; j < p->s->columns; j++) z += row[j] * (double)w[j];
  const double by = 1 / (1 + exp(-z)) - p->s->y[term];
  for (size_t j = 0; j < p->s->columns; j++) g[j] = (float)(by * row[j]);
  return cliv_tensor_write(out, g, p->s->columns * sizeof *g);
}

/* The same without its row. */
static cliv_status sample_slope(void *with, const cliv_tensor *x, size_t term, cliv_tensor *out) {
  samples *p = with;
  if (++p->calls == p->fail_at) return CLIV_DRIVER;
  float w[TEST_MOST_UNKNOWNS];
  const double *row = p->s->x + term * p->s->columns;
  double z = 0;
  PASS(cliv_tensor_read(x, w, p->s->columns * sizeof *w));
  for (size_t j = 0; j < p->s->columns; j++) z += row[j] * (double)w[j];
  const float slope = (float)(1 / (1 + exp(-z)) - p->s->y[term]);
  return cliv_tensor_write(out, &slope, sizeof slope);
}

/* The samples' features on the device, in rows of `pitch`. */
static cliv_tensor *sample_rows(cliv_context *ctx, size_t pitch) {
  const test_samples *s = test_breast_cancer();
  const size_t whole[] = {s->rows, pitch}, shape[] = {s->rows, s->columns};
  float *x = test_alloc(s->rows * pitch * sizeof *x);
  cliv_tensor *base, *rows;
  for (size_t i = 0; i < s->rows * pitch; i++)
    x[i] = i % pitch < s->columns ? (float)s->x[i / pitch * s->columns + i % pitch] : NAN;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, whole, &base));
  ASSERT_OK(ctx, cliv_tensor_write(base, x, s->rows * pitch * sizeof *x));
  ASSERT_OK(ctx, cliv_tensor_view(base, 0, 2, shape, pitch, &rows));
  cliv_tensor_free(base);
  free(x);
  return rows;
}

static cliv_status sample_mean(void *with, const cliv_tensor *x, cliv_tensor *out) {
  samples *p = with;
  float w[TEST_MOST_UNKNOWNS], g[TEST_MOST_UNKNOWNS];
  double at[TEST_MOST_UNKNOWNS], slopes[TEST_MOST_UNKNOWNS];
  if (++p->calls == p->fail_at) return CLIV_DRIVER;
  PASS(cliv_tensor_read(x, w, p->s->columns * sizeof *w));
  for (size_t j = 0; j < p->s->columns; j++) at[j] = (double)w[j];
  test_problem_find("logistic")->value(at, slopes);
  for (size_t j = 0; j < p->s->columns; j++) g[j] = (float)(slopes[j] - TEST_LOGISTIC_L2 * at[j]);
  return cliv_tensor_write(out, g, p->s->columns * sizeof *g);
}

static cliv_tensor *zeros(cliv_context *ctx, size_t n) {
  cliv_tensor *x;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &x));
  ASSERT_OK(ctx, cliv_tensor_fill(x, 0, NULL));
  return x;
}

/* ---- scikit-learn ---- */

static float *golden(cliv_safetensors *file, const char *name, const char *part, size_t *count) {
  char full[64];
  cliv_array array;
  snprintf(full, sizeof full, "%s%s", name, part);
  ASSERT_OK(NULL, cliv_safetensors_read(file, full, &array));
  *count = cliv_array_count(&array);
  return array.data;
}

/* Every step rounds x and the sum: errors walk at random, √steps of them. */
static void agrees_with(cliv_context *ctx, cliv_safetensors *file, const char *name, bool linear, const int32_t *order,
                        size_t steps) {
  char method[16];
  samples p = {.s = test_breast_cancer()};
  cliv_variance_options options = {0};
  cliv_tensor *rows = sample_rows(ctx, 33);
  const cliv_sum sum = {.with = &p,
                        .terms = p.s->rows,
                        .gradient = linear ? NULL : sample_gradient,
                        .rows = linear ? rows : NULL,
                        .slope = linear ? sample_slope : NULL};
  const char *text = cliv_safetensors_metadata(file, name);
  assert_int_equal(sscanf(text, "%15s %lf %lf %lf", method, &options.lr, &options.l2, &options.l1), 4);
  size_t n;
  float *want = golden(file, name, ".coef", &n);
  cliv_variance *v;
  cliv_tensor *x = zeros(ctx, n);
  ASSERT_OK(ctx, cliv_variance_create(ctx, method, &sum, x, &options, &v));
  ASSERT_OK(ctx, cliv_variance_run(v, steps, order, NULL));
  float *got = test_read(x);
  for (size_t j = 0; j < n; j++) {
    ASSERT_NEAR((double)got[j], (double)want[j], 4 * sqrt((double)steps) * 0x1p-24);
    if (want[j] == 0) assert_true(got[j] == 0);
  }
  free(got);
  free(want);
  cliv_variance_free(v);
  cliv_tensor_free(x);
  cliv_tensor_free(rows);
}

static void agrees_with_scikit_learn(void **state) {
  (void)state;
  char *path = test_source_path("tests/golden/saga.safetensors");
  cliv_safetensors *file;
  ASSERT_OK(NULL, cliv_safetensors_open(path, &file));
  free(path);
  size_t steps;
  float *drawn = golden(file, "order", "", &steps);
  int32_t *order = test_alloc(steps * sizeof *order);
  for (size_t i = 0; i < steps; i++) order[i] = (int32_t)drawn[i];
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  static const char *const cases[] = {"elastic", "sag", "saga"};
  for (size_t i = 0; i < (test_small() ? 1 : sizeof cases / sizeof *cases); i++) {
    agrees_with(ctx, file, cases[i], false, order, steps);
    agrees_with(ctx, file, cases[i], true, order, steps);
  }
  test_close(ctx);
  free(order);
  free(drawn);
  cliv_safetensors_free(file);
}

/* ---- linear convergence ---- */

static double gap(const cliv_tensor *x) {
  const test_problem *problem = test_problem_find("logistic");
  double at[TEST_MOST_UNKNOWNS];
  float *w = test_read(x);
  for (size_t j = 0; j < problem->n; j++) at[j] = (double)w[j];
  free(w);
  return problem->value(at, NULL) - problem->lowest;
}

enum { TENS = 4 };
static const double LR = 0.02;

/* How far it is from the minimum after 10, 20, … times as many gradients as there are samples. */
static void converge(cliv_context *ctx, const char *method, double gaps[TENS]) {
  samples p = {.s = test_breast_cancer()};
  const cliv_sum sum = {.with = &p, .terms = p.s->rows, .gradient = sample_gradient, .mean = sample_mean};
  const cliv_variance_options options = {.lr = LR, .l2 = TEST_LOGISTIC_L2, .seed = 3};
  cliv_tensor *x = zeros(ctx, p.s->columns);
  cliv_variance *v;
  ASSERT_OK(ctx, cliv_variance_create(ctx, method, &sum, x, &options, &v));
  for (size_t k = 0; k < TENS; k++) {
    while (cliv_variance_gradients(v) < 10 * (k + 1) * p.s->rows) ASSERT_OK(ctx, cliv_variance_run(v, 16, NULL, NULL));
    gaps[k] = gap(x);
  }
  cliv_variance_free(v);
  cliv_tensor_free(x);
}

/* The same by the rule sgd: the same step length, the same kind of order. */
static void stall(cliv_context *ctx, double gaps[TENS]) {
  samples p = {.s = test_breast_cancer()};
  cliv_tensor *x = zeros(ctx, p.s->columns), *g = zeros(ctx, p.s->columns);
  cliv_optimizer *o;
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "sgd", NULL, &o));
  ASSERT_OK(ctx, cliv_optimizer_set(o, CLIV_ALL_GROUPS, "lr", LR));
  ASSERT_OK(ctx, cliv_optimizer_set(o, CLIV_ALL_GROUPS, "weight_decay", TEST_LOGISTIC_L2));
  ASSERT_OK(ctx, cliv_optimizer_add(o, x, g, CLIV_DEFAULT_GROUP));
  for (size_t t = 0, k = 0; k < TENS; t++) {
    const size_t term = (size_t)(test_bits(5, t) % p.s->rows);
    assert_int_equal(sample_gradient(&p, x, term, g), CLIV_OK);
    ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
    if (t + 1 == 10 * (k + 1) * p.s->rows) gaps[k++] = gap(x);
  }
  cliv_optimizer_free(o);
  cliv_tensor_free(x);
  cliv_tensor_free(g);
}

/* At a constant lr every ten passes halve the distance at least, to where float32 ends; SGD's stays what it is. */
static void converges_linearly_where_sgd_stalls(void **state) {
  (void)state;
  if (test_few()) skip(); /* a hundred thousand small steps */
  static const char *const methods[] = {"saga", "svrg", "sag"};
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  double noisy[TENS], gaps[TENS];
  stall(ctx, noisy);
  assert_true(noisy[TENS - 1] > noisy[0] / 4);
  for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
    converge(ctx, methods[m], gaps);
    for (size_t k = 1; k < TENS; k++)
      if (!(gaps[k] <= gaps[k - 1] / 2))
        fail_msg("%s is %.3g from the minimum after %zu passes, %.3g after %zu", methods[m], gaps[k - 1], 10 * k,
                 gaps[k], 10 * k + 10);
    if (!(gaps[TENS - 1] < noisy[TENS - 1] / 10))
      fail_msg("%s is %.3g from the minimum, sgd %.3g", methods[m], gaps[TENS - 1], noisy[TENS - 1]);
  }
  test_close(ctx);
}

/* ---- one result ---- */

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
  uint64_t digest; /* of x after 13 steps, in every walk, at every group size and on every stack */
} known[] = {
    {"sag", 0x6e94ac412815fc4d},
    {"saga", 0xaf7fe66fbd4be3a4},
    {"svrg", 0x6e60b769c3532494},
    {"sarah", 0xa3c6af88dbbff4a7},
};

static void steps_have_one_result(void **state) {
  (void)state;
  const test_ways ways = open_ways();
  for (size_t i = 0; i < METHODS; i++)
    for (size_t w = 0; w < ways.count; w++) {
      cliv_context *ctx = ways.ctx[w];
      bowls b = bowls_create(ctx, 4099);
      const cliv_sum sum = {.with = &b, .terms = BOWLS, .gradient = bowls_gradient};
      const cliv_variance_options options = {.lr = 0.1, .l2 = 0.01, .l1 = 0.05, .inner = 4, .seed = 11};
      cliv_variance *v;
      test_guarded x = test_guard1(ctx, CLIV_F32, b.n, 7, b.start);
      ASSERT_OK(ctx, cliv_variance_create(ctx, known[i].method, &sum, x.tensor, &options, &v));
      ASSERT_OK(ctx, cliv_variance_run(v, MOST_STEPS, NULL, NULL));
      if (digest(x.tensor) != known[i].digest)
        fail_msg("%s in way %zu comes to other bits: digest 0x%016llx", known[i].method, w,
                 (unsigned long long)digest(x.tensor));
      cliv_variance_free(v);
      test_guard_free(&x);
      bowls_free(&b);
    }
  test_close_all(&ways);
}

/* A linear model, longer than its samples are many, so that every element's work is seen by several groups. */
typedef struct line {
  float slopes[BOWLS];
} line;

static cliv_status line_slope(void *with, const cliv_tensor *x, size_t term, cliv_tensor *out) {
  line *l = with;
  (void)x;
  l->slopes[term] = l->slopes[term] * -0.5f + (float)term - 2;
  return cliv_tensor_write(out, &l->slopes[term], sizeof(float));
}

/* Each walk and group size against saga by hand: the slopes are numbers that do not depend on x. */
static void linear_models_keep_numbers(void **state) {
  (void)state;
  enum { N = 5003 };
  static const int32_t order[] = {2, 2, 0, 4, 1, 3, 3, 0};
  enum { STEPS = sizeof order / sizeof *order };
  const test_ways ways = open_ways();
  const size_t n = N, shape[] = {BOWLS, N};
  float *rows = test_alloc(BOWLS * n * sizeof *rows), *first = NULL;
  test_fill_normal(rows, BOWLS * n, 8);
  for (size_t w = 0; w < ways.count; w++) {
    cliv_context *ctx = ways.ctx[w];
    line l = {{0}};
    cliv_variance *v;
    test_guarded a = test_guard(ctx, CLIV_F32, 2, shape, 3, rows), x = test_guard1(ctx, CLIV_F32, n, 1, NULL);
    cliv_tensor *own_rows, *own_x;
    ASSERT_OK(ctx, cliv_tensor_fill(x.tensor, 0, NULL));
    ASSERT_OK(ctx, cliv_tensor_view(a.tensor, 0, 2, shape, 0, &own_rows));
    ASSERT_OK(ctx, cliv_tensor_view(x.tensor, 0, 1, &n, 0, &own_x));
    const cliv_sum sum = {.with = &l, .terms = BOWLS, .rows = own_rows, .slope = line_slope};
    ASSERT_OK(ctx, cliv_variance_create(ctx, "saga", &sum, own_x, &(cliv_variance_options){.lr = 0.125}, &v));
    cliv_tensor_free(own_x); /* which are not needed any more */
    cliv_tensor_free(own_rows);
    ASSERT_OK(ctx, cliv_variance_run(v, STEPS, order, NULL));
    float *got = test_read(x.tensor);
    for (size_t j = 0; j < n; j += 97) {
      double want = 0, s = 0, table[BOWLS] = {0}, slopes[BOWLS] = {0}, weight = 0, met = 0;
      bool seen_term[BOWLS] = {false};
      for (size_t t = 0; t < STEPS; t++) {
        const size_t i = (size_t)order[t];
        slopes[i] = slopes[i] * -0.5 + (double)i - 2;
        met += !seen_term[i];
        seen_term[i] = true;
        const double change = (double)rows[i * n + j] * (slopes[i] - table[i]);
        want -= 0.125 * (change + s / met);
        s += change;
        table[i] = slopes[i];
        weight += fabs(change) + fabs(s) + fabs(want);
      }
      ASSERT_NEAR((double)got[j], want, 4 * 0x1p-24 * weight + 1e-30);
    }
    if (first) ASSERT_BITS(got, first, n * sizeof *got);
    if (first) free(got);
    else first = got;
    cliv_variance_free(v);
    test_guard_free(&a);
    test_guard_free(&x);
  }
  free(first);
  free(rows);
  test_close_all(&ways);
}

/* ---- order, events, pieces ---- */

static void draws_what_the_generator_says(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  bowls b = bowls_create(ctx, 300);
  const cliv_sum sum = {.with = &b, .terms = BOWLS, .gradient = bowls_gradient};
  const cliv_variance_options options = {.lr = 0.1, .inner = 4, .seed = 0x123456789abcULL};
  int32_t order[MOST_STEPS];
  bool met[BOWLS] = {false};
  for (size_t t = 0; t < MOST_STEPS; t++) {
    const double low = cliv_random_bits(options.seed, CLIV_STREAM_TERMS, 2 * t),
                 high = cliv_random_bits(options.seed, CLIV_STREAM_TERMS, 2 * t + 1);
    order[t] = (int32_t)((high + low * 0x1p-32) * 0x1p-32 * BOWLS);
    met[order[t]] = true;
  }
  for (size_t i = 0; i < BOWLS; i++) assert_true(met[i]);
  for (size_t i = 0; i < METHODS; i++) {
    cliv_tensor *x[3];
    for (size_t k = 0; k < 3; k++) { /* the generator's; given; the generator's, in pieces, with events */
      cliv_variance *v;
      cl_event done = NULL;
      x[k] = zeros(ctx, b.n);
      ASSERT_OK(ctx, cliv_variance_create(ctx, references[i].method, &sum, x[k], &options, &v));
      if (k < 2) {
        ASSERT_OK(ctx, cliv_variance_run(v, MOST_STEPS, k ? order : NULL, NULL));
      } else {
        ASSERT_OK(ctx, cliv_variance_run(v, 6, NULL, &(cliv_sync){0, NULL, &done}));
        cl_event again = NULL;
        ASSERT_OK(ctx, cliv_variance_run(v, MOST_STEPS - 6, NULL, &(cliv_sync){1, &done, &again}));
        ASSERT_CL(clWaitForEvents(1, &again));
        ASSERT_CL(clReleaseEvent(done));
        ASSERT_CL(clReleaseEvent(again));
        ASSERT_OK(ctx, cliv_variance_run(v, 0, NULL, NULL));
      }
      cliv_variance_free(v);
    }
    ASSERT_SAME_TENSORS(x[1], x[0]);
    ASSERT_SAME_TENSORS(x[2], x[0]);
    for (size_t k = 0; k < 3; k++) cliv_tensor_free(x[k]);
  }
  bowls_free(&b);
  test_close(ctx);
}

/* lr is the one of each step: two halves with two of them are two runs. */
static void changes_lr(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  bowls b = bowls_create(ctx, 1);
  const cliv_sum sum = {.with = &b, .terms = 1, .gradient = bowls_gradient};
  cliv_variance *v;
  cliv_tensor *x = zeros(ctx, 1);
  ASSERT_OK(ctx, cliv_variance_create(ctx, "saga", &sum, x, &(cliv_variance_options){.lr = 0.25, .l2 = 0.5}, &v));
  double want = 0;
  for (int k = 0; k < 2; k++) {
    const double lr = k ? 0.0625 : 0.25, g = (double)b.w[0][0] * (want - (double)b.c[0][0]);
    ASSERT_OK(ctx, cliv_variance_set_lr(v, lr));
    ASSERT_OK(ctx, cliv_variance_run(v, 1, NULL, NULL));
    want = (1 - lr * 0.5) * want - lr * g;
    float *got = test_read(x);
    ASSERT_NEAR((double)got[0], want, 8 * 0x1p-24 * 4);
    free(got);
  }
  ASSERT_FAILS(ctx, cliv_variance_set_lr(v, 2), CLIV_VALUE, "below 1");
  ASSERT_FAILS(ctx, cliv_variance_set_lr(v, (double)NAN), CLIV_VALUE, "lr");
  cliv_variance_free(v);
  cliv_tensor_free(x);
  bowls_free(&b);
  test_close(ctx);
}

/* ---- failures ---- */

/* Whichever call fails: the steps before it are taken, and going on gives what would have been. */
static void goes_on_after_failures(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  enum { STEPS = 7 };
  for (size_t i = 0; i < METHODS; i++) {
    const cliv_variance_options options = {.lr = 0.02, .inner = 3, .seed = 2};
    cliv_tensor *whole = zeros(ctx, 31);
    for (size_t k = 0; k < 12; k++) { /* 0: none fails */
      samples p = {.s = test_breast_cancer(), .fail_at = k};
      const cliv_sum sum = {.with = &p, .terms = 50, .gradient = sample_gradient, .mean = sample_mean};
      cliv_tensor *x = k ? zeros(ctx, 31) : whole;
      cliv_variance *v;
      ASSERT_OK(ctx, cliv_variance_create(ctx, references[i].method, &sum, x, &options, &v));
      const cliv_status status = cliv_variance_run(v, STEPS, NULL, NULL);
      assert_int_equal(status, k && p.calls >= k ? CLIV_DRIVER : CLIV_OK);
      if (status) ASSERT_OK(ctx, cliv_variance_run(v, STEPS - (size_t)cliv_variance_steps(v), NULL, NULL));
      assert_int_equal(cliv_variance_steps(v), STEPS);
      if (k) ASSERT_SAME_TENSORS(x, whole);
      if (k) cliv_tensor_free(x);
      cliv_variance_free(v);
    }
    cliv_tensor_free(whole);
  }
  test_close(ctx);
}

static void nan_stays_one(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (size_t i = 0; i < METHODS; i++) {
    bowls b = bowls_create(ctx, 20);
    b.c[0][3] = NAN;
    ASSERT_OK(ctx, cliv_tensor_write(b.centres[0], b.c[0], b.n * sizeof(float)));
    const cliv_sum sum = {.with = &b, .terms = 1, .gradient = bowls_gradient};
    cliv_variance *v;
    cliv_tensor *x = zeros(ctx, b.n);
    ASSERT_OK(ctx, cliv_variance_create(ctx, references[i].method, &sum, x,
                                        &(cliv_variance_options){.lr = 0.1, .l1 = 0.1}, &v));
    ASSERT_OK(ctx, cliv_variance_run(v, 2, NULL, NULL));
    float *got = test_read(x);
    for (size_t j = 0; j < b.n; j++) assert_true((j == 3) == (isnan(got[j]) != 0));
    free(got);
    cliv_variance_free(v);
    cliv_tensor_free(x);
    bowls_free(&b);
  }
  test_close(ctx);
}

static void refuses(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO), *other = test_open_group(CLIV_WALK_GPU, 16);
  bowls b = bowls_create(ctx, 4);
  const cliv_sum sum = {.with = &b, .terms = BOWLS, .gradient = bowls_gradient};
  const cliv_variance_options options = {.lr = 0.1};
  cliv_tensor *x = zeros(ctx, 4), *half, *wide, *pitched;
  const size_t shape[] = {2, 4}, part[] = {2, 2};
  cliv_variance *v = (cliv_variance *)&b;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F16, 1, part, &half));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &wide));
  ASSERT_OK(ctx, cliv_tensor_view(wide, 0, 2, part, 4, &pitched));
  ASSERT_FAILS(ctx, cliv_variance_create(ctx, "saga", &sum, x, &options, NULL), CLIV_NULL, "out");
  ASSERT_FAILS(NULL, cliv_variance_create(NULL, "saga", &sum, x, &options, &v), CLIV_NULL, "ctx");
  assert_null(v);
  ASSERT_FAILS(ctx, cliv_variance_create(ctx, NULL, &sum, x, &options, &v), CLIV_NULL, "name");
  ASSERT_FAILS(ctx, cliv_variance_create(ctx, "saga", NULL, x, &options, &v), CLIV_NULL, "sum");
  ASSERT_FAILS(ctx, cliv_variance_create(ctx, "saga", &sum, NULL, &options, &v), CLIV_NULL, "x");
  ASSERT_FAILS(ctx, cliv_variance_create(ctx, "saga", &sum, x, NULL, &v), CLIV_NULL, "options");
  ASSERT_FAILS(ctx, cliv_variance_create(ctx, "sgd", &sum, x, &options, &v), CLIV_NAME, "sag, saga, svrg, sarah");
  ASSERT_FAILS(ctx, cliv_variance_create(ctx, "saga", &sum, half, &options, &v), CLIV_DTYPE, "float16");
  ASSERT_FAILS(ctx, cliv_variance_create(ctx, "saga", &sum, pitched, &options, &v), CLIV_LAYOUT, "pitch");
  ASSERT_FAILS(other, cliv_variance_create(other, "saga", &sum, x, &options, &v), CLIV_VALUE, "another context");
#define REFUSED(part, ...)                                                                                             \
  ASSERT_FAILS(ctx, cliv_variance_create(ctx, "saga", &sum, x, &(cliv_variance_options){__VA_ARGS__}, &v), CLIV_VALUE, \
               part)
  REFUSED("lr", .lr = 0);
  REFUSED("lr", .lr = (double)INFINITY);
  REFUSED("l2", .lr = 1, .l2 = -1);
  REFUSED("l1", .lr = 1, .l1 = (double)NAN);
  REFUSED("below 1", .lr = 1, .l2 = 1);
  const cliv_sum halves = {.terms = BOWLS, .slope = bowls_gradient},
                 others = {.terms = 3, .rows = wide, .slope = bowls_gradient};
  ASSERT_FAILS(ctx, cliv_variance_create(ctx, "saga", &halves, x, &options, &v), CLIV_VALUE, "both rows and slope");
  ASSERT_FAILS(ctx, cliv_variance_create(ctx, "saga", &others, x, &options, &v), CLIV_SHAPE, "[3, 4]");
  ASSERT_FAILS(ctx, cliv_variance_create(ctx, "svrg", &others, x, &options, &v), CLIV_NULL, "gradient");
  const cliv_sum none = {.terms = BOWLS}, empty = {.gradient = bowls_gradient};
  ASSERT_FAILS(ctx, cliv_variance_create(ctx, "saga", &none, x, &options, &v), CLIV_NULL, "gradient");
  ASSERT_FAILS(ctx, cliv_variance_create(ctx, "saga", &empty, x, &options, &v), CLIV_VALUE, "terms");
  assert_null(v);
  ASSERT_FAILS(NULL, cliv_variance_run(NULL, 1, NULL, NULL), CLIV_NULL, "v");
  ASSERT_OK(ctx, cliv_variance_create(ctx, "saga", &sum, x, &options, &v));
  ASSERT_FAILS(ctx, cliv_variance_run(v, 3, (const int32_t[]){0, 4, 5}, NULL), CLIV_VALUE, "step 2 of the order");
  ASSERT_FAILS(ctx, cliv_variance_run(v, 1, (const int32_t[]){-1}, NULL), CLIV_VALUE, "-1");
  assert_int_equal(cliv_variance_steps(v), 0);
  cliv_variance_free(v);
  cliv_variance_free(NULL);
  cliv_tensor *all[] = {x, half, wide, pitched};
  for (size_t i = 0; i < 4; i++) cliv_tensor_free(all[i]);
  bowls_free(&b);
  test_close(ctx);
  test_close(other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(table_is_consistent),
      cmocka_unit_test(follows_references),
      cmocka_unit_test(agrees_with_scikit_learn),
      cmocka_unit_test(converges_linearly_where_sgd_stalls),
      cmocka_unit_test(steps_have_one_result),
      cmocka_unit_test(linear_models_keep_numbers),
      cmocka_unit_test(draws_what_the_generator_says),
      cmocka_unit_test(changes_lr),
      cmocka_unit_test(goes_on_after_failures),
      cmocka_unit_test(nan_stays_one),
      cmocka_unit_test(refuses),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
