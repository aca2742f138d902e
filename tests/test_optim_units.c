/* Gradients centred and clipped by rows and by tensors, against the formulas in double. */
#include "worlds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/optim.h>

enum { PARAMS = 9, MOST = 20485 };
static const int ndims[PARAMS] = {1, 2, 1, 0, 2, 2, 2, 3, 2};
static const size_t shapes[] = {5000, 3, 7, 0, 300, 20, 5, 4097, 1000, 3, 2, 3, 5, 1, 64};
static const test_shapes of = {PARAMS, ndims, shapes};

/* What is told of parameter i: elements, and the elements of a row. */
static size_t rows_of(size_t i, size_t *length) {
  const size_t *shape = shapes;
  for (size_t k = 0; k < i; k++) shape += ndims[k];
  size_t count = 1;
  for (int d = 0; d < ndims[i]; d++) count *= shape[d];
  const size_t rows = ndims[i] > 1 ? shape[0] : 1;
  *length = count / rows;
  return rows;
}

static size_t count_of(size_t i) {
  size_t length;
  const size_t rows = rows_of(i, &length);
  return rows * length;
}

/* Weights of some rows are 0, and gradients; others are small or large. Row by row the mean is not 0. */
static float weight(size_t param, size_t k) {
  size_t length;
  rows_of(param, &length);
  const size_t row = k / length;
  return row % 5 == 3 ? 0 : (float)(test_normal(50 + param, k) * (row % 2 ? 1e-4 : 1));
}

static float gradient(uint64_t step, size_t param, size_t k) {
  size_t length;
  rows_of(param, &length);
  const size_t row = k / length;
  const double size = row % 7 == 4 ? 0 : row % 3 == 1 ? 1e-3 : 1;
  return (float)(size * (0.5 + test_normal(1000 * step + param, k)));
}

/* ---- a training with steps of length 1 ---- */

typedef struct training {
  cliv_context *ctx;
  cliv_optimizer *o;
  cliv_tensor *p[PARAMS], *g[PARAMS];
} training;

/* In arenas; or each tensor by itself, in chunks that know nothing of rows. */
static training begin_rule(cliv_walk walk, const char *rule, bool arenas, cliv_dtype gradients) {
  training t = {.ctx = test_open(walk)};
  const cliv_optimizer_options options = {.chunk = arenas ? 0 : 64};
  test_tensors_make(t.ctx, CLIV_F32, &of, arenas, t.p);
  test_tensors_make(t.ctx, gradients, &of, arenas, t.g);
  ASSERT_OK(t.ctx, cliv_optimizer_create(t.ctx, rule, &options, &t.o));
  ASSERT_OK(t.ctx, cliv_optimizer_set(t.o, 0, "lr", 1));
  for (size_t i = 0; i < PARAMS; i++) {
    float w[MOST];
    for (size_t k = 0; k < count_of(i); k++) w[k] = weight(i, k);
    ASSERT_OK(t.ctx, cliv_tensor_write(t.p[i], w, count_of(i) * sizeof *w));
    ASSERT_OK(t.ctx, cliv_optimizer_add(t.o, t.p[i], t.g[i], CLIV_DEFAULT_GROUP));
  }
  return t;
}

static training begin(cliv_walk walk, bool arenas, cliv_dtype gradients) {
  return begin_rule(walk, "sgd", arenas, gradients);
}

static void end(training *t) {
  cliv_optimizer_free(t->o);
  test_tensors_free(t->p, PARAMS);
  test_tensors_free(t->g, PARAMS);
  test_close(t->ctx);
}

/* As they are stored, times the loss's scale. */
static void give(training *t, uint64_t step, double scale) {
  for (size_t i = 0; i < PARAMS; i++) {
    const cliv_dtype dtype = cliv_tensor_dtype(t->g[i]);
    float g[MOST];
    uint16_t narrow[MOST];
    for (size_t k = 0; k < count_of(i); k++) g[k] = (float)(scale * (double)gradient(step, i, k));
    for (size_t k = 0; dtype != CLIV_F32 && k < count_of(i); k++) test_put(dtype, narrow, k, (double)g[k]);
    ASSERT_OK(t->ctx,
              cliv_tensor_write(t->g[i], dtype == CLIV_F32 ? (void *)g : narrow, count_of(i) * cliv_dtype_size(dtype)));
  }
}

static void step(training *t) { ASSERT_OK(t->ctx, cliv_optimizer_step(t->o, NULL)); }

static cliv_gradient_state look(training *t) {
  cliv_gradient_state s = {.size = sizeof s};
  ASSERT_OK(t->ctx, cliv_optimizer_gradient_state(t->o, &s));
  return s;
}

/* ---- the formulas, in double ---- */

typedef struct reference {
  double *g[PARAMS], *size[PARAMS]; /* what the step takes off; magnitudes that its rounding is judged by */
  double norm;
} reference;

static double length_of(const double *x, size_t n) {
  double sum = 0;
  for (size_t k = 0; k < n; k++) sum += x[k] * x[k];
  return sqrt(sum);
}

static void multiply(double *x, double *size, size_t n, double factor) {
  for (size_t k = 0; k < n; k++) x[k] *= factor, size[k] *= factor;
}

static void reference_rows(const cliv_gradient_options *o, size_t i, double *g, double *size) {
  size_t length;
  const size_t rows = rows_of(i, &length);
  for (size_t r = 0; r < rows && length; r++, g += length, size += length) {
    double mean = 0, magnitude = 0, weights = 0;
    for (size_t k = 0; k < length; k++) {
      mean += g[k] / (double)length, magnitude += fabs(g[k]) / (double)length;
      weights += pow((double)weight(i, r * length + k), 2);
    }
    for (size_t k = 0; o->centralize && ndims[i] > 1 && k < length; k++) g[k] -= mean, size[k] += magnitude;
    if (!(o->agc > 0)) continue;
    const double most = o->agc * fmax(sqrt(weights), 1e-3), norm = length_of(g, length);
    if (norm >= most) multiply(g, size, length, most / fmax(norm, 1e-6));
  }
}

static reference refer(const training *t, const cliv_gradient_options *o) {
  reference r = {.norm = 0};
  for (size_t i = 0; i < PARAMS; i++) {
    const size_t n = count_of(i);
    void *stored = test_read(t->g[i]);
    r.g[i] = test_alloc((n + 1) * sizeof(double)), r.size[i] = test_alloc((n + 1) * sizeof(double));
    for (size_t k = 0; k < n; k++) {
      r.g[i][k] = test_get(cliv_tensor_dtype(t->g[i]), stored, k) / (o->scale > 0 ? o->scale : 1);
      r.size[i][k] = fabs(r.g[i][k]);
    }
    free(stored);
    reference_rows(o, i, r.g[i], r.size[i]);
    const double norm = length_of(r.g[i], n);
    if (o->clip_each > 0) multiply(r.g[i], r.size[i], n, fmin(1, o->clip_each / (norm + 1e-6)));
    r.norm += pow(length_of(r.g[i], n), 2);
  }
  r.norm = sqrt(r.norm);
  for (size_t i = 0; i < PARAMS; i++) {
    if (o->clip_norm > 0) multiply(r.g[i], r.size[i], count_of(i), fmin(1, o->clip_norm / (r.norm + 1e-6)));
    for (size_t k = 0; o->clip_value > 0 && k < count_of(i); k++)
      r.g[i][k] = fmax(-o->clip_value, fmin(o->clip_value, r.g[i][k]));
  }
  return r;
}

static void reference_free(reference *r) {
  for (size_t i = 0; i < PARAMS; i++) free(r->g[i]), free(r->size[i]);
}

/* Sums are of at most 40 roundings, and a norm has the root's half of these; a variance is one of differences from an
 * element, which may be 4 deviations off: (1 + 16) times. Up to three norms and a mean are in a result. */
static void compare(const training *t, const reference *r, const cliv_gradient_options *o) {
  const double sums = o->centralize ? 20 * 17 : 20, bound = (3 * sums + 40 + 10) * 0x1p-24;
  for (size_t i = 0; i < PARAMS; i++) {
    float *got = test_read(t->p[i]);
    for (size_t k = 0; k < count_of(i); k++) {
      const double want = (double)weight(i, k) - r->g[i][k];
      if (!(fabs((double)got[k] - want) <= bound * r->size[i][k] + 0x1p-24 * fabs(want)))
        fail_msg("parameter %zu [%zu] is %.9g, not %.9g (gradient %.9g)", i, k, (double)got[k], want, r->g[i][k]);
    }
    free(got);
  }
  if (o->clip_norm > 0) ASSERT_NEAR(look((training *)(uintptr_t)t).norm, r->norm, bound * r->norm);
}

static const cliv_gradient_options variants[] = {
    {.centralize = 1},
    {.agc = 0.1},
    {.clip_each = 2},
    {.clip_each = 2, .clip_norm = 3, .scale = 256},
    {.centralize = 1, .agc = 0.01, .clip_each = 0.5, .clip_norm = 0.75, .clip_value = 0.25, .scale = 256},
    {.centralize = 1, .nonfinite = CLIV_NONFINITE_SKIP, .clip_value = 0.5},
};
enum { VARIANTS = sizeof variants / sizeof *variants };

/* In both walks and both layouts, with the same bits. */
static void follows_the_formulas(void **state) {
  (void)state;
  for (size_t v = 0; v < VARIANTS; v++) {
    if (test_few() && v % 3 != 1) continue;
    const cliv_dtype dtype = v == 4 ? CLIV_BF16 : CLIV_F32;
    training t[2 * TEST_WALKS];
    for (size_t w = 0; w < 2 * TEST_WALKS; w++) {
      t[w] = begin(test_walks[w % TEST_WALKS], w < TEST_WALKS, dtype);
      ASSERT_OK(t[w].ctx, cliv_optimizer_gradients(t[w].o, &variants[v]));
      give(&t[w], v, variants[v].scale > 0 ? variants[v].scale : 1);
      step(&t[w]);
      reference r = refer(&t[w], &variants[v]);
      if (w == 0) compare(&t[w], &r, &variants[v]);
      reference_free(&r);
      for (size_t i = 0; i < PARAMS; i++) ASSERT_SAME_TENSORS(t[w].p[i], t[0].p[i]);
    }
    for (size_t w = 0; w < 2 * TEST_WALKS; w++) end(&t[w]);
  }
}

/* Options come and go between steps; nothing of the one before stays. */
static void options_change(void **state) {
  (void)state;
  training a = begin(CLIV_WALK_AUTO, true, CLIV_F32);
  give(&a, 0, 1);
  for (size_t v = 0; v < VARIANTS; v++) {
    if (variants[v].scale > 0) continue;
    for (size_t i = 0; i < PARAMS; i++) {
      float w[MOST];
      for (size_t k = 0; k < count_of(i); k++) w[k] = weight(i, k);
      ASSERT_OK(a.ctx, cliv_tensor_write(a.p[i], w, count_of(i) * sizeof *w));
    }
    ASSERT_OK(a.ctx, cliv_optimizer_gradients(a.o, &variants[v]));
    step(&a);
    reference r = refer(&a, &variants[v]);
    compare(&a, &r, &variants[v]);
    reference_free(&r);
    ASSERT_OK(a.ctx, cliv_optimizer_gradients(a.o, NULL));
    step(&a); /* plain */
  }
  end(&a);
}

/* Rules with norms see the same gradients in both of their launches: as if these had been in memory, but for rounding,
 * which a step of lr 1 times a trust ratio takes up. */
static void goes_before_rules_with_norms(void **state) {
  (void)state;
  const cliv_gradient_options options = {.centralize = 1, .agc = 0.1, .clip_each = 2};
  training t[TEST_WALKS + 1];
  for (size_t w = 0; w <= TEST_WALKS; w++) {
    const bool plain = w == TEST_WALKS;
    t[w] = begin_rule(test_walks[w % TEST_WALKS], "lars", !plain, CLIV_F32);
    give(&t[w], 0, 1);
    if (!plain) ASSERT_OK(t[w].ctx, cliv_optimizer_gradients(t[w].o, &options));
    reference r = refer(&t[w], &options);
    for (size_t i = 0; plain && i < PARAMS; i++) {
      float g[MOST];
      for (size_t k = 0; k < count_of(i); k++) g[k] = (float)r.g[i][k];
      ASSERT_OK(t[w].ctx, cliv_tensor_write(t[w].g[i], g, count_of(i) * sizeof *g));
    }
    reference_free(&r);
    step(&t[w]);
  }
  for (size_t i = 0; i < PARAMS; i++) {
    ASSERT_SAME_TENSORS(t[1].p[i], t[0].p[i]);
    float *got = test_read(t[0].p[i]), *want = test_read(t[TEST_WALKS].p[i]);
    double largest = 0, moved = 0;
    for (size_t k = 0; k < count_of(i); k++) {
      largest = fmax(largest, fabs((double)want[k] - (double)weight(i, k)));
      const double apart = fabs((double)got[k] - (double)want[k]);
      if (!(apart <= moved)) moved = apart; /* a NaN stays */
      if (isnan(moved)) break;
    }
    if (count_of(i)) assert_true(moved <= 1e-4 * largest && largest > 0);
    free(got), free(want);
  }
  for (size_t w = 0; w <= TEST_WALKS; w++) end(&t[w]);
}

/* A frozen parameter has no units; the others keep their own. */
static void frozen_ones_have_none(void **state) {
  (void)state;
  training a = begin(CLIV_WALK_AUTO, true, CLIV_F32), b = begin(CLIV_WALK_AUTO, true, CLIV_F32);
  const cliv_gradient_options options = {.centralize = 1, .agc = 0.1, .clip_each = 1};
  ASSERT_OK(a.ctx, cliv_optimizer_gradients(a.o, &options));
  ASSERT_OK(b.ctx, cliv_optimizer_gradients(b.o, &options));
  give(&a, 0, 1), give(&b, 0, 1);
  ASSERT_OK(a.ctx, cliv_optimizer_freeze(a.o, 4, 1));
  step(&a), step(&b);
  for (size_t i = 0; i < PARAMS; i++)
    if (i != 4) ASSERT_SAME_TENSORS(a.p[i], b.p[i]);
  float *w = test_read(a.p[4]);
  for (size_t k = 0; k < count_of(4); k++) assert_true(w[k] == weight(4, k));
  free(w);
  end(&a), end(&b);
}

/* A NaN stays in its unit, and is seen where that is asked for; then nothing moves. */
static void what_is_not_finite(void **state) {
  (void)state;
  const float inf = INFINITY;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    training a = begin(test_walks[w], true, CLIV_F32);
    cliv_gradient_options options = {.centralize = 1, .agc = 0.1};
    ASSERT_OK(a.ctx, cliv_optimizer_gradients(a.o, &options));
    give(&a, 0, 1);
    cliv_tensor *one;
    const size_t n = 1;
    ASSERT_OK(a.ctx, cliv_tensor_view(a.g[4], 45, 1, &n, 0, &one)); /* of row 2 */
    ASSERT_OK(a.ctx, cliv_tensor_write(one, &inf, sizeof inf));
    step(&a);
    float *p = test_read(a.p[4]);
    for (size_t k = 0; k < count_of(4); k++) assert_true(isnan(p[k]) == (k / 20 == 2));
    free(p);
    cliv_tensor_free(one);
    options.nonfinite = CLIV_NONFINITE_SKIP;
    ASSERT_OK(a.ctx, cliv_optimizer_gradients(a.o, &options));
    float *before = test_read(a.p[5]);
    step(&a);
    float *after = test_read(a.p[5]);
    ASSERT_BITS(after, before, count_of(5) * sizeof *after);
    free(before), free(after);
    assert_true(look(&a).skipped == 1);
    end(&a);
  }
}

static void refuses_bad_options(void **state) {
  (void)state;
  training t = begin(CLIV_WALK_AUTO, true, CLIV_F32);
  static const struct {
    cliv_gradient_options options;
    const char *says;
  } bad[] = {{{.clip_each = -1}, "clip_each is -1"}, {{.agc = NAN}, "agc nan"}, {{.centralize = 2}, "centralize is 2"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ASSERT_FAILS(t.ctx, cliv_optimizer_gradients(t.o, &bad[i].options), CLIV_VALUE, bad[i].says);
  /* A program of before knows none of these. */
  const cliv_gradient_options old = {.size = offsetof(cliv_gradient_options, centralize), .centralize = 7, .agc = NAN};
  ASSERT_OK(t.ctx, cliv_optimizer_gradients(t.o, &old));
  end(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(follows_the_formulas),  cmocka_unit_test(options_change),
      cmocka_unit_test(frozen_ones_have_none), cmocka_unit_test(goes_before_rules_with_norms),
      cmocka_unit_test(what_is_not_finite),    cmocka_unit_test(refuses_bad_options),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
