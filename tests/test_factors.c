/* Rules that keep means by rows and columns: against the trajectories of packages, step by step against a formula in
 * double, their bits, and what goes on around them. */
#include "trajectories.h"
#include "worlds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/optim.h>

#include "optim/optim.h"

static double hyper(const cliv_optimizer *o, const char *name) {
  double value;
  ASSERT_OK(NULL, cliv_optimizer_get(o, 0, name, &value));
  return value;
}

/* ---- the packages' trajectories ---- */

static const test_trajectories trajectories = {.path = "tests/golden/adafactor.safetensors",
                                               .tensors = 3,
                                               .ndims = (const int[]){3, 3, 1},
                                               .shapes = (const size_t[]){3, 3, 2, 3, 2, 3, 4}};

static void agrees_with_packages(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    test_trajectories_follow(ctx, &trajectories, 1, cliv_rule_find("adafactor"));
    test_close(ctx);
  }
}

/* ---- the formula in double ---- */

/* Around tiles of 64 by 256, lanes of 16 and of 256, and chunks of 4096; several matrices; axes between and behind the
 * two. */
static const int ndims[] = {2, 2, 1, 2, 2, 2, 3, 0, 4, 2, 1, 3, 3, 2, 1, 4, 2, 2, 3, 3};
static const size_t shapes[] = {1, 1,  3,  17, 257, 1, 40, 40, 1, 64, 16, 3,  5,   7, 6, 4,   3, 3,  65, 257, 4097, 20,
                                2, 18, 18, 20, 3,   0, 5,  0,  2, 19, 1,  33, 600, 3, 2, 600, 3, 70, 20, 20,  70,   3};
enum { TENSORS = sizeof ndims / sizeof *ndims, SMALL_TENSORS = 9 };
static size_t tensors(void) { return test_small() ? SMALL_TENSORS : TENSORS; }

static const size_t *shape_of(size_t i) {
  const size_t *shape = shapes;
  for (size_t k = 0; k < i; k++) shape += ndims[k];
  return shape;
}

typedef struct world {
  cliv_context *ctx;
  cliv_optimizer *o;
  cliv_tensor *p[TENSORS], *g[TENSORS];
} world;

static test_shapes all_shapes(void) { return (test_shapes){tensors(), ndims, shapes}; }

/* In arenas, or each tensor by itself. */
static world world_of(cliv_context *ctx, cliv_optimizer *o, bool arenas, cliv_dtype weights, cliv_dtype gradients) {
  world x = {.ctx = ctx, .o = o};
  const test_shapes of = all_shapes();
  test_tensors_make(ctx, weights, &of, arenas, x.p);
  test_tensors_make(ctx, gradients, &of, arenas, x.g);
  test_tensors_fill(x.p, of.count, 0);
  for (size_t i = 0; i < of.count; i++) ASSERT_OK(ctx, cliv_optimizer_add(x.o, x.p[i], x.g[i], CLIV_DEFAULT_GROUP));
  return x;
}

static world world_make(cliv_context *ctx, const char *options, bool arenas) {
  return world_of(ctx, test_optimizer(ctx, "adafactor", NULL, options), arenas, CLIV_F32, CLIV_F32);
}

static void world_give(const world *x, uint64_t t) { test_tensors_fill(x->g, tensors(), 1000 * t); }

static void world_step(const world *x, uint64_t t) {
  world_give(x, t);
  ASSERT_OK(x->ctx, cliv_optimizer_step(x->o, NULL));
}

/* One element of a gradient. */
static void spoil(const world *x, size_t i, size_t element, float value) {
  float *g = test_read(x->g[i]);
  g[element] = value;
  ASSERT_OK(x->ctx, cliv_tensor_write(x->g[i], g, cliv_tensor_count(x->g[i]) * sizeof *g));
  free(g);
}

static void world_free(world *x) {
  cliv_optimizer_free(x->o);
  test_tensors_free(x->p, tensors());
  test_tensors_free(x->g, tensors());
}

/* A state as doubles, or NULL where there is none. */
static double *state_read(const world *x, size_t i, const char *name) {
  for (size_t k = 0; k < cliv_optimizer_state_count(x->o, i); k++) {
    if (strcmp(cliv_optimizer_state_name(x->o, i, k), name)) continue;
    cliv_tensor *view;
    ASSERT_OK(x->ctx, cliv_optimizer_state(x->o, i, name, &view));
    const size_t n = cliv_tensor_count(view);
    double *out = test_alloc((n + 1) * sizeof *out);
    float *read = test_read(view);
    for (size_t e = 0; e < n; e++) out[e] = (double)read[e];
    free(read);
    cliv_tensor_free(view);
    return out;
  }
  return NULL;
}

static double *tensor_read(const cliv_tensor *t) {
  const size_t n = cliv_tensor_count(t);
  double *out = test_alloc((n + 1) * sizeof *out);
  float *x = test_read(t);
  for (size_t e = 0; e < n; e++) out[e] = (double)x[e];
  free(x);
  return out;
}

/* The axes that should be rows and columns: false where each element has its own mean. */
static bool ref_axes(const cliv_optimizer *o, size_t i, int *row, int *column) {
  const size_t *shape = shape_of(i);
  if (ndims[i] < 2) return false;
  *row = ndims[i] - 2, *column = ndims[i] - 1;
  if (hyper(o, "largest_axes") != 0) {
    size_t most = 0;
    for (int a = 0; a < ndims[i]; a++)
      for (int b = a + 1; b < ndims[i]; b++) { /* of equal ones those behind */
        const size_t low = shape[a] < shape[b] ? shape[a] : shape[b], high = shape[a] + shape[b] - low;
        if (low * 1000000 + high >= most) most = low * 1000000 + high, *row = a, *column = b;
      }
  }
  const double least = hyper(o, "min_dim_size_to_factor");
  return (double)shape[*row] >= least && (double)shape[*column] >= least;
}

/* One tensor before and after a step. */
typedef struct tensor {
  size_t n;
  double *w, *g, *row, *col, *var, *avg, *size; /* size: sum of the magnitudes that a weight is made of */
} tensor;

static tensor tensor_of(const world *x, size_t i) {
  return (tensor){.n = cliv_tensor_count(x->p[i]),
                  .w = tensor_read(x->p[i]),
                  .g = tensor_read(x->g[i]),
                  .row = state_read(x, i, "row_var"),
                  .col = state_read(x, i, "col_var"),
                  .var = state_read(x, i, "variance"),
                  .avg = state_read(x, i, "exp_avg"),
                  .size = calloc(cliv_tensor_count(x->p[i]) + 1, sizeof(double))};
}

static void tensor_free(tensor *t) {
  double *const all[] = {t->w, t->g, t->row, t->col, t->var, t->avg, t->size};
  for (size_t k = 0; k < sizeof all / sizeof *all; k++) free(all[k]);
}

/* The index that element e has in a state whose axis `axis` is gone. */
static size_t without(size_t i, size_t e, int axis) {
  const size_t *shape = shape_of(i);
  size_t at[4] = {0}, out = 0;
  for (int k = ndims[i] - 1; k >= 0; k--) at[k] = e % shape[k], e /= shape[k];
  for (int k = 0; k < ndims[i]; k++)
    if (k != axis) out = out * shape[k] + at[k];
  return out;
}

/* Means by rows and columns, taken into the states; the estimate of each element's mean square. */
static void ref_factors(const cliv_optimizer *o, size_t i, int row, int column, double gain, tensor *x, double *v) {
  const size_t *shape = shape_of(i), rows = x->n / shape[column], cols = x->n / shape[row];
  const double added = hyper(o, "eps_added") != 0 ? hyper(o, "eps1") : 0;
  const double least = hyper(o, "eps_added") != 0 ? 0 : hyper(o, "eps1");
  double *mean = calloc(x->n + 1, sizeof *mean);
  for (size_t r = 0; r < rows; r++) x->row[r] *= 1 - gain, x->row[r] += gain * added;
  for (size_t c = 0; c < cols; c++) x->col[c] *= 1 - gain, x->col[c] += gain * added;
  for (size_t e = 0; e < x->n; e++) {
    x->row[without(i, e, column)] += gain * x->g[e] * x->g[e] / (double)shape[column];
    x->col[without(i, e, row)] += gain * x->g[e] * x->g[e] / (double)shape[row];
  }
  /* Each row counts once for every element in it, so that a matrix's mean is over all its elements. */
  for (size_t e = 0; e < x->n; e++) {
    size_t first = e; /* element of the same matrix at the beginning of both axes */
    size_t stride[4], step = 1;
    for (int k = ndims[i] - 1; k >= 0; k--) stride[k] = step, step *= shape[k];
    first -= e / stride[row] % shape[row] * stride[row];
    first -= e / stride[column] % shape[column] * stride[column];
    mean[first] += x->row[without(i, e, column)] / (double)(shape[row] * shape[column]);
    v[e] = (double)first;
  }
  for (size_t e = 0; e < x->n; e++)
    v[e] = x->row[without(i, e, column)] * x->col[without(i, e, row)] / fmax(mean[(size_t)v[e]], least);
  free(mean);
}

static void ref_step(const cliv_optimizer *o, size_t i, int t, tensor *x) {
  const double lr = hyper(o, "lr"), wd = hyper(o, "weight_decay"), b1 = hyper(o, "beta1"), eps = hyper(o, "eps1");
  const bool added = hyper(o, "eps_added") != 0, first = hyper(o, "decay_first") != 0;
  const double gain = pow(fmax(t - hyper(o, "decay_offset"), 1), hyper(o, "beta2_decay"));
  const double wanted = hyper(o, "warmup_init") != 0 ? 1e-6 * t : lr;
  double rho = hyper(o, "relative_step") != 0 ? fmin(wanted, 1 / sqrt(t)) : lr, weights = 0, updates = 0;
  double *v = calloc(x->n + 1, sizeof *v);
  int row, column;
  if (x->n == 0) {
    free(v);
    return;
  }
  if (ref_axes(o, i, &row, &column)) ref_factors(o, i, row, column, gain, x, v);
  else
    for (size_t e = 0; e < x->n; e++)
      v[e] = x->var[e] = (1 - gain) * x->var[e] + gain * (x->g[e] * x->g[e] + (added ? eps : 0));
  for (size_t e = 0; e < x->n; e++) {
    v[e] = x->g[e] / sqrt(added ? v[e] : fmax(v[e], eps * eps));
    weights += x->w[e] * x->w[e] / (double)x->n;
    updates += v[e] * v[e] / (double)x->n;
  }
  if (hyper(o, "scale_parameter") != 0) rho *= fmax(hyper(o, "eps2"), sqrt(weights) * (first ? 1 - lr * wd : 1));
  const double d = hyper(o, "d"), rate = rho / (d > 0 ? fmax(1, sqrt(updates) / d) : 1);
  const double lost = hyper(o, "decay_by_step") != 0 ? rho * wd : hyper(o, "decay_apart") != 0 ? wd : lr * wd;
  for (size_t e = 0; e < x->n; e++) {
    double step = rate * v[e], size = fabs(step);
    if (x->avg) size = b1 * fabs(x->avg[e]) + (1 - b1) * size, step = x->avg[e] = b1 * x->avg[e] + (1 - b1) * step;
    x->size[e] = fabs(x->w[e]) * (1 + lost) + size;
    x->w[e] -= lost * x->w[e] + step;
  }
  free(v);
}

/* A row's mean square loses up to 16 + 4 roundings in a tile and two in joining them, a column's 64 + 2, what is
 * rounded once more in states; a mean of rows 4 + 8. Roots have half of the three, and the rest of a step is 30
 * roundings and half of what sums over 4096 elements have: 100 are never reached. */
static void within(const char *options, size_t i, const char *what, const double *got, const double *want,
                   const double *size, size_t n) {
  enum { UNITS = 100 };
  for (size_t k = 0; got && k < n; k++) {
    const double weight = size ? size[k] : fabs(want[k]);
    if (!(fabs(got[k] - want[k]) <= UNITS * 0x1p-24 * weight + 0x1p-140))
      fail_msg("%s: %s[%zu] of tensor %zu is %.9g, not %.9g (off by %.2f roundings)", options, what, k, i, got[k],
               want[k], fabs(got[k] - want[k]) / (0x1p-24 * weight));
  }
}

static const char mixed[] =
    "largest_axes=1 min_dim_size_to_factor=3 eps_added=1 eps1=1e-10 beta1=0.9 decay_apart=1 weight_decay=0.01 "
    "decay_offset=2 lr=0.1 relative_step=0";
static const char *const variants[] = {
    "lr=0.5 weight_decay=0.1 beta2_decay=-0.5",
    mixed,
    "eps_added=1 eps1=0.01 decay_first=1 weight_decay=0.5 lr=0.3 d=0.5 eps2=2 maximize=1",
    "relative_step=0 scale_parameter=0 decay_by_step=1 weight_decay=0.1 lr=0.05 d=0 eps1=0.5",
    "warmup_init=1 largest_axes=1",
};

/* Each step starts from what the device has, so that no error adds up. */
static void follows_variant(cliv_context *ctx, const char *options) {
  enum { STEPS = 4 };
  world x = world_make(ctx, options, true);
  for (int t = 1; t <= STEPS; t++) {
    tensor want[TENSORS];
    world_give(&x, (uint64_t)t);
    for (size_t i = 0; i < tensors(); i++) {
      want[i] = tensor_of(&x, i);
      for (size_t k = 0; k < want[i].n && hyper(x.o, "maximize") != 0; k++) want[i].g[k] *= -1;
    }
    ASSERT_OK(ctx, cliv_optimizer_step(x.o, NULL));
    for (size_t i = 0; i < tensors(); i++) {
      tensor got = tensor_of(&x, i);
      int row, column;
      const bool factored = ref_axes(x.o, i, &row, &column);
      const size_t *shape = shape_of(i);
      assert_true((got.row != NULL) == factored && (got.col != NULL) == factored && (got.var == NULL) == factored);
      ref_step(x.o, i, t, &want[i]);
      within(options, i, "param", got.w, want[i].w, want[i].size, got.n);
      within(options, i, "exp_avg", got.avg, want[i].avg, want[i].size, got.n);
      within(options, i, "variance", got.var, want[i].var, NULL, got.n);
      if (factored && got.n) within(options, i, "row_var", got.row, want[i].row, NULL, got.n / shape[column]);
      if (factored && got.n) within(options, i, "col_var", got.col, want[i].col, NULL, got.n / shape[row]);
      tensor_free(&got);
      tensor_free(&want[i]);
    }
  }
  world_free(&x);
}

static void follows_the_formula(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t v = 0; v < (test_few() ? 2 : sizeof variants / sizeof *variants); v++)
      follows_variant(ctx, variants[v]);
    test_close(ctx);
  }
}

/* ---- bits ---- */

static uint64_t digest_of(uint64_t hash, const cliv_tensor *t) {
  unsigned char *bytes = test_read(t);
  for (size_t b = 0; b < cliv_tensor_count(t) * cliv_dtype_size(cliv_tensor_dtype(t)); b++)
    hash = (hash ^ bytes[b]) * 0x100000001b3u;
  free(bytes);
  return hash;
}

/* The bits of all weights and states. */
static uint64_t digest(const world *x) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < tensors(); i++) {
    hash = digest_of(hash, x->p[i]);
    for (size_t k = 0; k < cliv_optimizer_state_count(x->o, i); k++) {
      cliv_tensor *view;
      ASSERT_OK(x->ctx, cliv_optimizer_state(x->o, i, cliv_optimizer_state_name(x->o, i, k), &view));
      hash = digest_of(hash, view);
      cliv_tensor_free(view);
    }
  }
  return hash;
}

/* However the tensors lie and launches are cut, in both walks, with every group size; narrow ones with a master and a
 * rounding by chance. */
static void layouts_agree(void **state) {
  const test_ways *ways = *state;
  static const struct {
    const char *options;
    cliv_optimizer_options with;
    cliv_dtype weights, gradients;
    bool control;
  } cases[] = {
      {"largest_axes=1 min_dim_size_to_factor=3 beta1=0.5", {.size = 0}, CLIV_F32, CLIV_F32, false},
      {"", {.weights = "master", .state = "bfloat16"}, CLIV_BF16, CLIV_F16, false},
      {"lr=0.1", {.weights = "stochastic", .seed = 3}, CLIV_F16, CLIV_BF16, false},
      {"", {.weights = "kahan"}, CLIV_BF16, CLIV_BF16, true},
  };
  for (size_t c = 0; c < (test_few() ? 1 : sizeof cases / sizeof *cases); c++) {
    uint64_t want = 0;
    for (size_t w = 0; w < ways->count; w++)
      for (int layout = 0; layout < (c == 0 ? 3 : 2); layout++) {
        cliv_optimizer *o;
        ASSERT_OK(ways->ctx[w], cliv_optimizer_create(ways->ctx[w], "adafactor", &cases[c].with, &o));
        test_set_options(NULL, o, cases[c].options);
        const cliv_gradient_options control = {.centralize = 1, .agc = 0.5, .clip_norm = 2, .scale = 4};
        if (cases[c].control) ASSERT_OK(ways->ctx[w], cliv_optimizer_gradients(o, &control));
        world x = world_of(ways->ctx[w], o, layout > 0, cases[c].weights, cases[c].gradients);
        if (layout == 2) x.o->launch = 4000; /* less than a tile */
        for (uint64_t t = 1; t <= 2; t++) world_step(&x, t);
        const uint64_t got = digest(&x);
        if (layout == 2) assert_true(x.o->plan.factors.launch_count > 1);
        if (w == 0 && layout == 0) want = got;
        if (got != want) fail_msg("case %zu, way %zu, layout %d: other bits", c, w, layout);
        world_free(&x);
      }
  }
}

/* What is done to gradients first: as if they had been so. */
static void gradients_are_those_of_the_step(void **state) {
  const test_ways *ways = *state;
  for (size_t w = 0; w < 2 && w < ways->count; w++) {
    world x = world_make(ways->ctx[w], "", true), y = world_make(ways->ctx[w], "", true);
    ASSERT_OK(x.ctx, cliv_optimizer_gradients(x.o, &(cliv_gradient_options){.scale = 0.5, .clip_value = 1}));
    world_give(&x, 1);
    for (size_t i = 0; i < tensors(); i++) {
      float *g = test_read(x.g[i]);
      for (size_t k = 0; k < cliv_tensor_count(x.g[i]); k++) g[k] = fmaxf(-1, fminf(1, 2 * g[k]));
      ASSERT_OK(y.ctx, cliv_tensor_write(y.g[i], g, cliv_tensor_count(x.g[i]) * sizeof *g));
      free(g);
    }
    ASSERT_OK(x.ctx, cliv_optimizer_step(x.o, NULL));
    ASSERT_OK(y.ctx, cliv_optimizer_step(y.o, NULL));
    assert_true(digest(&x) == digest(&y));
    world_free(&x), world_free(&y);
  }
}

/* The mean of two halves of a batch. */
static void sums_of_gradients_are_gradients(void **state) {
  const test_ways *ways = *state;
  world x = world_make(ways->ctx[0], "", true), y = world_make(ways->ctx[0], "", true);
  for (uint64_t t = 1; t <= 2; t++) {
    world_give(&x, 7);
    ASSERT_OK(x.ctx, cliv_optimizer_accumulate(x.o, NULL));
    ASSERT_OK(x.ctx, cliv_optimizer_accumulate(x.o, NULL));
    ASSERT_OK(x.ctx, cliv_optimizer_step(x.o, NULL));
    world_step(&y, 7);
  }
  assert_true(digest(&x) == digest(&y));
  world_free(&x), world_free(&y);
}

/* Launches do not become more with more tensors: two for those with rows and columns and those without, one over the
 * gradients, and the small ones. */
static void arenas_share_launches(void **state) {
  const test_ways *ways = *state;
  world x = world_make(ways->ctx[0], "", true);
  world_step(&x, 1);
  assert_int_equal(x.o->plan.batch_count, 2);
  assert_int_equal(x.o->plan.factors.launch_count, 1);
  world_free(&x);
}

/* ---- together with the rest of an optimizer ---- */

/* A gradient that is no number spoils its own tensor. */
static void special_values(void **state) {
  const test_ways *ways = *state;
  static const float bad[] = {NAN, INFINITY};
  enum { SPOILT = 5 };
  for (size_t k = 0; k < 2; k++) {
    world x = world_make(ways->ctx[0], "", true), y = world_make(ways->ctx[0], "", true);
    world_give(&x, 1);
    spoil(&x, SPOILT, 1, bad[k]);
    ASSERT_OK(x.ctx, cliv_optimizer_step(x.o, NULL));
    world_step(&y, 1);
    float *got = test_read(x.p[SPOILT]);
    assert_true(isnan(got[1]));
    free(got);
    for (size_t i = 0; i < tensors(); i++)
      if (i != SPOILT) ASSERT_SAME_TENSORS(x.p[i], y.p[i]);
    world_free(&x), world_free(&y);
  }
}

/* A step that is left out leaves weights, rows and columns as they were. */
static void skipped_steps_change_nothing(void **state) {
  const test_ways *ways = *state;
  for (size_t w = 0; w < 2 && w < ways->count; w++)
    for (int policy = CLIV_NONFINITE_SKIP; policy <= CLIV_NONFINITE_FAIL; policy++) {
      world x = world_make(ways->ctx[w], "beta1=0.5", true);
      ASSERT_OK(x.ctx, cliv_optimizer_gradients(x.o, &(cliv_gradient_options){.nonfinite = policy, .clip_norm = 3}));
      world_step(&x, 1);
      const uint64_t before = digest(&x);
      world_give(&x, 2);
      spoil(&x, 1, 3, INFINITY);
      if (policy == CLIV_NONFINITE_FAIL) ASSERT_FAILS(x.ctx, cliv_optimizer_step(x.o, NULL), CLIV_DATA, "not finite");
      else ASSERT_OK(x.ctx, cliv_optimizer_step(x.o, NULL));
      assert_true(digest(&x) == before);
      assert_int_equal(cliv_optimizer_steps(x.o), 1);
      world_step(&x, 2);
      assert_true(digest(&x) != before);
      world_free(&x);
    }
}

/* Saved and loaded: the rest of the run has the same bits. */
static void resumes_from_a_file(void **state) {
  const test_ways *ways = *state;
  char *dir = test_temp_dir(), *path = test_join(dir, "o.safetensors");
  static const char *const options[] = {"", "largest_axes=1 min_dim_size_to_factor=3 beta1=0.5"};
  for (size_t k = 0; k < 2; k++) {
    world x = world_make(ways->ctx[0], options[k], true), y = world_make(ways->ctx[0], "", false);
    for (uint64_t t = 1; t <= 2; t++) world_step(&x, t);
    ASSERT_OK(x.ctx, cliv_optimizer_save(x.o, path));
    for (size_t i = 0; i < tensors(); i++) ASSERT_OK(x.ctx, cliv_tensor_copy(x.p[i], y.p[i], NULL));
    ASSERT_OK(y.ctx, cliv_optimizer_load(y.o, path));
    assert_true(digest(&x) == digest(&y));
    for (uint64_t t = 3; t <= 4; t++) world_step(&x, t), world_step(&y, t);
    assert_true(digest(&x) == digest(&y));
    world_free(&x), world_free(&y);
  }
  test_remove_tree(dir);
  free(path);
  free(dir);
}

/* A tensor that comes later, or rests, leaves the others' rows and columns as they are. */
static void latecomers_and_frozen_ones(void **state) {
  const test_ways *ways = *state;
  enum { FROZEN = 5 };
  cliv_context *ctx = ways->ctx[0];
  const size_t shape[] = {20, 30};
  world x = world_make(ctx, "", true), y = world_make(ctx, "", true);
  cliv_tensor *p, *g;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &p));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &g));
  test_tensors_fill(&p, 1, 1), test_tensors_fill(&g, 1, 2);
  world_step(&x, 1), world_step(&y, 1);
  ASSERT_OK(ctx, cliv_optimizer_add(x.o, p, g, CLIV_DEFAULT_GROUP));
  world_step(&x, 2), world_step(&y, 2);
  assert_true(digest(&x) == digest(&y));
  ASSERT_OK(ctx, cliv_optimizer_freeze(x.o, FROZEN, 1));
  double *rows = state_read(&x, FROZEN, "row_var");
  world_step(&x, 3);
  ASSERT_SAME_TENSORS(x.p[FROZEN], y.p[FROZEN]);
  double *still = state_read(&x, FROZEN, "row_var");
  assert_memory_equal(rows, still, shape_of(FROZEN)[0] * sizeof *rows);
  world_step(&y, 3);
  for (size_t i = 0; i < tensors(); i++)
    if (i != FROZEN) ASSERT_SAME_TENSORS(x.p[i], y.p[i]);
  ASSERT_OK(ctx, cliv_optimizer_freeze(x.o, FROZEN, 0));
  world_step(&x, 4);
  world_free(&y);
  y = world_make(ctx, "", true);
  world_step(&y, 1), world_step(&y, 2), world_step(&y, 4);
  ASSERT_SAME_TENSORS(x.p[FROZEN], y.p[FROZEN]);
  free(rows), free(still);
  cliv_tensor_free(p), cliv_tensor_free(g);
  world_free(&x), world_free(&y);
}

/* Shapes of states are PyTorch's; their memory is counted; a factor of lr needs steps in proportion to it. */
static void states_have_shapes(void **state) {
  const test_ways *ways = *state;
  cliv_context *ctx = ways->ctx[0];
  const size_t shape[] = {2, 3, 5}, none[] = {0, 3};
  cliv_tensor *p, *g, *view, *lr, *p0, *g0;
  cliv_optimizer *o = test_optimizer(ctx, "adafactor", NULL, "");
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, shape, &p));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, shape, &g));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, none, &p0));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, none, &g0));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 0, NULL, &lr));
  ASSERT_OK(ctx, cliv_tensor_fill(lr, 1, NULL));
  test_tensors_fill(&p, 1, 1), test_tensors_fill(&g, 1, 2);
  ASSERT_OK(ctx, cliv_optimizer_add(o, p, g, CLIV_DEFAULT_GROUP));
  ASSERT_OK(ctx, cliv_optimizer_add(o, p0, g0, CLIV_DEFAULT_GROUP));
  ASSERT_OK(ctx, cliv_optimizer_state(o, 0, "row_var", &view));
  assert_true(cliv_tensor_ndim(view) == 3);
  assert_memory_equal(cliv_tensor_shape(view), ((const size_t[]){2, 3, 1}), 3 * sizeof(size_t));
  cliv_tensor_free(view);
  ASSERT_OK(ctx, cliv_optimizer_state(o, 0, "col_var", &view));
  assert_memory_equal(cliv_tensor_shape(view), ((const size_t[]){2, 1, 5}), 3 * sizeof(size_t));
  cliv_tensor_free(view);
  ASSERT_OK(ctx, cliv_optimizer_state(o, 1, "col_var", &view));
  assert_memory_equal(cliv_tensor_shape(view), ((const size_t[]){1, 3}), 2 * sizeof(size_t));
  cliv_tensor_free(view);
  ASSERT_FAILS(ctx, cliv_optimizer_state(o, 0, "variance", &view), CLIV_STATE, "no rows and columns");
  cliv_optimizer_usage usage = {.size = sizeof usage};
  ASSERT_OK(ctx, cliv_optimizer_memory(o, &usage));
  assert_int_equal(usage.states, (2 * 3 + 2 * 5 + 3) * sizeof(float));
  ASSERT_FAILS(ctx, cliv_optimizer_bind(o, 0, "lr", lr), CLIV_VALUE, "proportional");
  ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "min_dim_size_to_factor", 4));
  ASSERT_FAILS(ctx, cliv_optimizer_state(o, 0, "row_var", &view), CLIV_STATE, "rows and columns");
  ASSERT_OK(ctx, cliv_optimizer_state(o, 0, "variance", &view));
  cliv_tensor_free(view);
  ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "relative_step", 0));
  ASSERT_OK(ctx, cliv_optimizer_bind(o, 0, "lr", lr));
  ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
  cliv_optimizer_free(o);
  cliv_tensor *const all[] = {p, g, p0, g0, lr};
  for (size_t k = 0; k < sizeof all / sizeof *all; k++) cliv_tensor_free(all[k]);
}

static void wrong_uses_are_refused(void **state) {
  const test_ways *ways = *state;
  cliv_context *ctx = ways->ctx[0];
  cliv_optimizer *o;
  ASSERT_FAILS(ctx, cliv_optimizer_create(ctx, "adafactor", &(cliv_optimizer_options){.state = "8bit"}, &o), CLIV_VALUE,
               "more than one launch");
  static const struct {
    const char *options, *part;
  } conflicts[] = {{"warmup_init=1 relative_step=0", "needs relative_step"},
                   {"decay_by_step=1 decay_apart=1", "exclude each other"}};
  for (size_t k = 0; k < 2; k++) {
    o = test_optimizer(ctx, "adafactor", NULL, conflicts[k].options);
    ASSERT_FAILS(ctx, cliv_optimizer_step(o, NULL), CLIV_VALUE, conflicts[k].part);
    ASSERT_FAILS(ctx, cliv_optimizer_set(o, 0, "beta2_decay", 0.8), CLIV_VALUE, "at most 0");
    cliv_optimizer_free(o);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(agrees_with_packages),
      cmocka_unit_test(follows_the_formula),
  };
  const struct CMUnitTest ways[] = {
      cmocka_unit_test(layouts_agree),
      cmocka_unit_test(gradients_are_those_of_the_step),
      cmocka_unit_test(sums_of_gradients_are_gradients),
      cmocka_unit_test(arenas_share_launches),
      cmocka_unit_test(special_values),
      cmocka_unit_test(skipped_steps_change_nothing),
      cmocka_unit_test(resumes_from_a_file),
      cmocka_unit_test(latecomers_and_frozen_ones),
      cmocka_unit_test(states_have_shapes),
      cmocka_unit_test(wrong_uses_are_refused),
  };
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  return test_finish(failed + cmocka_run_group_tests(ways, test_setup_all, test_teardown_all));
}
