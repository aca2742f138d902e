/* See scene.h. */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optim/optim.h"
#include "support.h"

/* ---- tensors ---- */

static cliv_tensor *filled(cliv_context *ctx, cliv_dtype dtype, int ndim, const size_t *shape, uint64_t seed) {
  cliv_tensor *t;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, dtype, ndim, shape, &t));
  const size_t n = cliv_tensor_count(t), bytes = n * cliv_dtype_size(dtype);
  unsigned char *host = test_alloc(bytes);
  for (size_t i = 0; i < n; i++) test_put(dtype, host, i, test_uniform(seed, i, -1, 1));
  ASSERT_OK(ctx, cliv_tensor_write(t, host, bytes));
  free(host);
  return t;
}

static void fill(cliv_tensor *t, uint64_t seed) {
  cliv_tensor *from =
      filled(cliv_tensor_context(t), cliv_tensor_dtype(t), cliv_tensor_ndim(t), cliv_tensor_shape(t), seed);
  ASSERT_OK(NULL, cliv_tensor_copy(from, t, NULL));
  cliv_tensor_free(from);
}

static void make_tensors(scene *s, cliv_tensor **out, uint64_t seed) {
  const size_t m = s->act->with.rows, n = m - m / 4, shapes[] = {m, n, n, m}, own[] = {m / 2, n};
  static const int ndims[] = {2, 2};
  ASSERT_OK(s->ctx, cliv_arena_create(s->ctx, s->act->with.dtype, 2, ndims, shapes, out));
  out[2] = filled(s->ctx, s->act->with.dtype, 2, own, seed + 2);
  for (uint64_t i = 0; i < 2; i++) fill(out[i], seed + i);
}

/* ---- optimizers ---- */

static const char own_text[] =
    "static void pull(real *w, real g, pull_state *s, pull_scalars h) {\n"
    "  s->mean = interpolate(s->mean, g, 0.1f);\n"
    "  *w = fused((real)-h.rate, s->mean, *w);\n"
    "}\n";
static const cliv_hyper_info own_hypers[] = {{"lr", 0.1, 0, 0, 0, 0, "rate"}};
static const cliv_state_info own_states[] = {{"mean", NULL, "mean gradient", CLIV_STATE_SIGNED}};
static const cliv_scalar_info own_scalars[] = {{"rate", "lr / sqrt(step)"}};
static const cliv_user_rule own_rule = {.name = "pull",
                                        .text = own_text,
                                        .hyper_count = 1,
                                        .state_count = 1,
                                        .scalar_count = 1,
                                        .hypers = own_hypers,
                                        .states = own_states,
                                        .scalars = own_scalars};

static void make_optimizer(scene *s) {
  const setup *with = &s->act->with;
  const cliv_optimizer_options options = {.state = with->state, .weights = with->weights, .seed = 7, .min_8bit = 1};
  if (strcmp(with->rule, "own") == 0)
    ASSERT_OK(s->ctx, cliv_optimizer_create_user(s->ctx, &own_rule, &options, &s->opt));
  else ASSERT_OK(s->ctx, cliv_optimizer_create(s->ctx, with->rule, &options, &s->opt));
  if (with->hypers) test_set_options(s->ctx, s->opt, with->hypers);
  if (with->gradients) ASSERT_OK(s->ctx, cliv_optimizer_gradients(s->opt, with->gradients));
  make_tensors(s, s->p, 1);
  make_tensors(s, s->g, 11);
  s->params = SCENE_PARAMS;
  for (size_t i = 0; i < s->params; i++)
    ASSERT_OK(s->ctx, cliv_optimizer_add(s->opt, s->p[i], s->g[i], CLIV_DEFAULT_GROUP));
  for (int t = 0; t < with->steps; t++) ASSERT_OK(s->ctx, cliv_optimizer_step(s->opt, NULL));
}

void scene_open(scene *s, cliv_context *ctx, const act *a, char *const *files) {
  *s = (scene){.ctx = ctx, .act = a, .files = files};
  if (a->with.rule) make_optimizer(s);
  if (a->prepare) a->prepare(s);
  if (s->opt && !a->recover) ASSERT_OK(ctx, cliv_optimizer_save(s->opt, files[0]));
}

void scene_close(scene *s) {
  cliv_average_free(s->average);
  cliv_variance_free(s->variance);
  cliv_optimizer_free(s->opt);
  for (size_t i = 0; i < SCENE_PARAMS; i++) cliv_tensor_free(s->p[i]), cliv_tensor_free(s->g[i]);
  for (size_t i = 0; i < SCENE_TENSORS; i++) cliv_tensor_free(s->t[i]);
}

/* ---- pictures ---- */

static void *add(picture *to, size_t bytes) {
  while (to->count + bytes > to->room) to->room = to->room ? 2 * to->room : 4096;
  to->bytes = realloc(to->bytes, to->room);
  assert_non_null(to->bytes);
  to->count += bytes;
  return to->bytes + to->count - bytes;
}

static size_t bytes_of(const cliv_tensor *t) { return cliv_tensor_count(t) * cliv_dtype_size(cliv_tensor_dtype(t)); }

static void add_tensor(picture *to, const cliv_tensor *t) {
  ASSERT_OK(NULL, cliv_tensor_read(t, add(to, bytes_of(t)), bytes_of(t)));
}

static void add_number(picture *to, uint64_t number) { memcpy(add(to, sizeof number), &number, sizeof number); }

static void add_states(const scene *s, size_t param, picture *to) {
  for (size_t k = 0; k < cliv_optimizer_state_count(s->opt, param); k++) {
    cliv_tensor *view;
    ASSERT_OK(s->ctx, cliv_optimizer_state(s->opt, param, cliv_optimizer_state_name(s->opt, param, k), &view));
    add_tensor(to, view);
    cliv_tensor_free(view);
  }
}

void scene_look(const scene *s, picture *out) {
  cliv_gradient_state gradients = {0};
  out->count = 0;
  for (size_t i = 0; i < s->params; i++) add_tensor(out, s->p[i]);
  for (size_t i = 0; i < s->tensors; i++) add_tensor(out, s->t[i]);
  if (s->variance) add_number(out, cliv_variance_steps(s->variance));
  if (s->average) add_number(out, cliv_average_updates(s->average));
  for (size_t i = 0; s->average && i < s->params; i++) {
    cliv_tensor *view;
    ASSERT_OK(s->ctx, cliv_average_tensor(s->average, i, &view));
    add_tensor(out, view);
    cliv_tensor_free(view);
  }
  if (!s->opt) return;
  add_number(out, cliv_optimizer_steps(s->opt));
  add_number(out, (uint64_t)cliv_optimizer_evaluating(s->opt));
  add_number(out, cliv_optimizer_accumulated(s->opt));
  for (size_t i = 0; cliv_optimizer_accumulated(s->opt) && i < s->params; i++) add_tensor(out, s->opt->params[i].g);
  ASSERT_OK(s->ctx, cliv_optimizer_gradient_state(s->opt, &gradients));
  add_number(out, gradients.skipped);
  for (size_t i = 0; i < s->params; i++) add_states(s, i, out);
}

void scene_put_back(scene *s, const picture *p) {
  size_t at = 0;
  for (size_t i = 0; i < s->params; at += bytes_of(s->p[i++]))
    ASSERT_OK(s->ctx, cliv_tensor_write(s->p[i], p->bytes + at, bytes_of(s->p[i])));
  for (size_t i = 0; i < s->tensors; at += bytes_of(s->t[i++]))
    ASSERT_OK(s->ctx, cliv_tensor_write(s->t[i], p->bytes + at, bytes_of(s->t[i])));
}

/* ---- calls on optimizers ---- */

static cliv_status step(scene *s) {
  cl_event done = NULL;
  const cliv_status status = cliv_optimizer_step(s->opt, &(cliv_sync){0, NULL, &done});
  if ((done != NULL) != !status)
    fail_msg("%s: status %d, and the event is %p", s->act->name, (int)status, (void *)done);
  if (done) clReleaseEvent(done);
  return status;
}

/* One parameter stays, and the plan is made anew. */
static cliv_status freeze_and_step(scene *s) {
  const cliv_status status = cliv_optimizer_freeze(s->opt, 1, 1);
  return status ? status : step(s);
}

static void make_factor(scene *s) { s->t[s->tensors++] = filled(s->ctx, CLIV_F32, 0, NULL, 21); }

static cliv_status bind_and_step(scene *s) {
  const cliv_status status = cliv_optimizer_bind(s->opt, CLIV_ALL_GROUPS, "lr", s->t[0]);
  return status ? status : step(s);
}

static void make_another(scene *s) {
  static const size_t shape[] = {5, 3};
  s->t[0] = filled(s->ctx, CLIV_F32, 2, shape, 31);
  s->t[1] = filled(s->ctx, CLIV_F32, 2, shape, 32);
  s->tensors = 2;
}

/* Places are dealt out anew, and what is there is carried over. */
static cliv_status add_and_step(scene *s) {
  cliv_status status = CLIV_OK;
  if (cliv_optimizer_param_count(s->opt) == SCENE_PARAMS)
    status = cliv_optimizer_add(s->opt, s->t[0], s->t[1], CLIV_DEFAULT_GROUP);
  return status ? status : step(s);
}

/* Where there is no file for it: the states that are last in the picture, by hand. */
static void put_states_back(scene *s, const picture *before) {
  const unsigned char *at = before->bytes + before->count;
  for (size_t i = s->params; i-- > 0;)
    for (size_t k = cliv_optimizer_state_count(s->opt, i); k-- > 0;) {
      cliv_tensor *view;
      ASSERT_OK(s->ctx, cliv_optimizer_state(s->opt, i, cliv_optimizer_state_name(s->opt, i, k), &view));
      at -= bytes_of(view);
      ASSERT_OK(s->ctx, cliv_tensor_write(view, at, bytes_of(view)));
      cliv_tensor_free(view);
    }
  ASSERT_OK(s->ctx, cliv_optimizer_set_steps(s->opt, (uint64_t)s->act->with.steps));
}

static cliv_status other_gradients_and_step(scene *s) {
  static const cliv_gradient_options none = {.clip_norm = 0.5, .nonfinite = CLIV_NONFINITE_FAIL};
  const cliv_status status = cliv_optimizer_gradients(s->opt, &none);
  return status ? status : step(s);
}

static cliv_status perturb(scene *s) { return cliv_optimizer_perturb(s->opt, 0.05, 0, NULL); }
static cliv_status restore(scene *s) { return cliv_optimizer_restore(s->opt, NULL); }
static void perturbed(scene *s) { ASSERT_OK(s->ctx, perturb(s)); }
/* Where some have moved, all go back. */
static void restored(scene *s, const picture *before) {
  (void)before;
  ASSERT_OK(s->ctx, restore(s));
}

static cliv_status evaluate(scene *s) { return cliv_optimizer_evaluate(s->opt, 1, NULL); }
static cliv_status train(scene *s) { return cliv_optimizer_evaluate(s->opt, 0, NULL); }
static void evaluating(scene *s) { ASSERT_OK(s->ctx, evaluate(s)); }

static cliv_status accumulate(scene *s) { return cliv_optimizer_accumulate(s->opt, NULL); }
static void accumulated(scene *s) { ASSERT_OK(s->ctx, accumulate(s)); }
static void accumulated_twice(scene *s) { accumulated(s), accumulated(s); }
static void accumulated_and_stepped(scene *s) {
  accumulated(s);
  ASSERT_OK(s->ctx, cliv_optimizer_step(s->opt, NULL));
}
/* The batch begins anew. */
static void accumulate_again(scene *s, const picture *before) {
  (void)before;
  assert_int_equal(cliv_optimizer_accumulated(s->opt), 0);
  if (s->act->prepare) accumulated(s);
}

static void saved(scene *s) {
  ASSERT_OK(s->ctx, cliv_optimizer_save(s->opt, s->files[0]));
  for (int t = 0; t < 2; t++) ASSERT_OK(s->ctx, cliv_optimizer_step(s->opt, NULL));
}
static cliv_status load(scene *s) { return cliv_optimizer_load(s->opt, s->files[0]); }
static void nothing(scene *s, const picture *before) { (void)s, (void)before; }

/* ---- averages ---- */

static void make_average(scene *s, const char *kind) {
  ASSERT_OK(s->ctx, cliv_average_create(s->opt, kind, NULL, &s->average));
  ASSERT_OK(s->ctx, cliv_optimizer_step(s->opt, NULL));
  ASSERT_OK(s->ctx, cliv_average_update(s->average, NULL));
  ASSERT_OK(s->ctx, cliv_optimizer_step(s->opt, NULL));
  ASSERT_OK(s->ctx, cliv_average_save(s->average, s->files[1]));
}
static void ema(scene *s) { make_average(s, "ema"); }
static void lookahead(scene *s) {
  ASSERT_OK(s->ctx, cliv_average_create(s->opt, "lookahead", NULL, &s->average));
  ASSERT_OK(s->ctx, cliv_average_set(s->average, "interval", 1));
  ASSERT_OK(s->ctx, cliv_optimizer_step(s->opt, NULL));
  ASSERT_OK(s->ctx, cliv_average_save(s->average, s->files[1]));
}
static cliv_status update(scene *s) { return cliv_average_update(s->average, NULL); }
static cliv_status swap(scene *s) { return cliv_average_swap(s->average, NULL); }
static void swapped(scene *s) {
  ema(s);
  ASSERT_OK(s->ctx, swap(s));
}
static void load_average(scene *s, const picture *before) {
  (void)before;
  ASSERT_OK(s->ctx, cliv_average_load(s->average, s->files[1]));
}
static cliv_status create_average(scene *s) { return cliv_average_create(s->opt, "ema", NULL, &s->average); }

/* ---- methods that go by more than a gradient ---- */

/* Terms are half the squares of the distances from 0, 1, 2. */
static cliv_status distance(void *with, const cliv_tensor *x, size_t term, cliv_tensor *out) {
  return cliv_map_scalar(((const scene *)with)->ctx, "sub", x, (double)term, out, NULL);
}
static cliv_status slope(void *with, const cliv_tensor *x, size_t term, cliv_tensor *out) {
  (void)term;
  cliv_tensor *one;
  cliv_status status = cliv_tensor_view(x, 0, 1, (const size_t[]){1}, 0, &one);
  if (status) return status;
  status = cliv_map_scalar(((const scene *)with)->ctx, "sub", one, 0.5, out, NULL);
  cliv_tensor_free(one);
  return status;
}

static void make_variance(scene *s, const char *method, bool linear) {
  static const size_t n = 100, shape[] = {3, 100};
  static const int32_t order[] = {2, 0};
  const cliv_variance_options options = {.lr = 0.25, .l2 = 0.01, .l1 = 0.001};
  cliv_sum sum = {.with = s, .terms = 3, .gradient = distance};
  s->t[s->tensors++] = filled(s->ctx, CLIV_F32, 1, &n, 41);
  if (linear) sum.rows = s->t[s->tensors++] = filled(s->ctx, CLIV_F32, 2, shape, 42), sum.slope = slope;
  ASSERT_OK(s->ctx, cliv_variance_create(s->ctx, method, &sum, s->t[0], &options, &s->variance));
  ASSERT_OK(s->ctx, cliv_variance_run(s->variance, 2, order, NULL));
}
static void saga(scene *s) { make_variance(s, "saga", false); }
static void saga_of_rows(scene *s) { make_variance(s, "saga", true); }
static void svrg(scene *s) { make_variance(s, "svrg", false); }
static void sarah(scene *s) { make_variance(s, "sarah", false); }
/* The third step of three terms: the table is added up anew behind it. */
static cliv_status run(scene *s) {
  static const int32_t term = 1;
  return cliv_variance_run(s->variance, 1, &term, NULL);
}

static cliv_status bowl(void *with, const cliv_tensor *x, cliv_tensor *gradient, double *f) {
  const scene *s = with;
  float sum = 0;
  cliv_status status = cliv_map_scalar(s->ctx, "sub", x, 1, gradient, NULL);
  if (!status) status = cliv_reduce(s->ctx, "sumsq", CLIV_ALL_AXES, gradient, NULL, s->t[2], NULL);
  if (!status) status = cliv_tensor_read(s->t[2], &sum, sizeof sum);
  *f = (double)sum / 2;
  return status;
}
static void make_bowl(scene *s) {
  static const size_t n = 100;
  s->t[s->tensors++] = filled(s->ctx, CLIV_F32, 1, &n, 51);
  s->t[2] = filled(s->ctx, CLIV_F32, 0, NULL, 52); /* not looked at: the objective's own */
}
static cliv_status minimize(scene *s) {
  const cliv_objective objective = {.with = s, .value = bowl};
  const cliv_minimize_options options = {.max_iterations = 2, .history = 2, .lr = 0.5, .search = CLIV_SEARCH_NONE};
  cliv_minimize_result result = {.size = sizeof result, .iterations = 77};
  const cliv_status status = cliv_minimize(s->ctx, "lbfgs", &objective, s->t[0], &options, &result);
  const cliv_minimize_result none = {.size = sizeof none};
  if (status && memcmp(&result, &none, sizeof none) != 0) fail_msg("minimize left a result when it failed");
  return status;
}

/* ---- matrices ---- */

enum { SIDE = 6 };

/* X Xᵀ + I, two results, numbers, a right side. */
static void matrices(scene *s) {
  static const size_t square[] = {SIDE, SIDE}, row[] = {SIDE}, tall[] = {SIDE, 2};
  float a[SIDE * SIDE], x[SIDE * SIDE];
  test_fill_uniform(x, SIDE * SIDE, 61, -1, 1);
  for (int i = 0; i < SIDE; i++)
    for (int j = 0; j < SIDE; j++) {
      a[i * SIDE + j] = i == j;
      for (int k = 0; k < SIDE; k++) a[i * SIDE + j] += x[i * SIDE + k] * x[j * SIDE + k];
    }
  for (uint64_t i = 0; i < 3; i++) s->t[i] = filled(s->ctx, CLIV_F32, 2, square, 62 + i);
  ASSERT_OK(s->ctx, cliv_tensor_write(s->t[0], a, sizeof a));
  s->t[3] = filled(s->ctx, CLIV_F32, 1, row, 65);
  s->t[4] = filled(s->ctx, CLIV_F32, 2, tall, 66);
  s->t[5] = filled(s->ctx, CLIV_F32, 2, tall, 67);
  s->tensors = 6;
}
static cliv_status orthogonalize(scene *s) { return cliv_orthogonalize(s->ctx, s->t[0], s->t[0], NULL, NULL); }
static cliv_status inverse_root(scene *s) { return cliv_inverse_root(s->ctx, s->t[0], 2, s->t[0], NULL, NULL); }
static cliv_status qr(scene *s) { return cliv_qr(s->ctx, s->t[0], s->t[0], s->t[1], NULL); }
static cliv_status cholesky(scene *s) { return cliv_cholesky(s->ctx, s->t[0], s->t[0], NULL, NULL); }
static cliv_status solve(scene *s) { return cliv_solve(s->ctx, s->t[0], s->t[4], s->t[4], NULL, NULL); }
static cliv_status least_squares(scene *s) { return cliv_least_squares(s->ctx, s->t[0], s->t[4], s->t[5], NULL); }
static cliv_status eigen(scene *s) {
  return cliv_eigen(s->ctx, s->t[0], s->t[3], s->t[0], &(cliv_eigen_options){.sweeps = 2}, NULL);
}

/* ---- all of them ---- */

static const cliv_gradient_options skips = {.clip_norm = 1, .nonfinite = CLIV_NONFINITE_SKIP, .growth = 2};
static const cliv_gradient_options by_units = {
    .nonfinite = CLIV_NONFINITE_SKIP, .centralize = 1, .agc = 0.5, .clip_each = 1, .smooth = 1};

#define OPTIMIZER(name_, ...) .name = name_, .with = {__VA_ARGS__}
enum { LARGE = 28, SMALL = 4 };
const act acts[] = {
    {OPTIMIZER("adamw begins", "adamw", NULL, .rows = LARGE), .call = step, .cold = true},
    {OPTIMIZER("adamw", "adamw", "amsgrad=1", .rows = LARGE, .steps = 2), .call = step},
    {OPTIMIZER("lamb begins", "lamb", NULL, .rows = LARGE), .call = step, .cold = true},
    {OPTIMIZER("lamb", "lamb", NULL, .rows = LARGE, .steps = 2, .gradients = &skips), .call = step},
    {OPTIMIZER("prodigy", "prodigy", NULL, .rows = LARGE, .steps = 2), .call = step},
    {OPTIMIZER("adafactor begins", "adafactor", NULL, .rows = LARGE), .call = step, .cold = true},
    {OPTIMIZER("adafactor", "adafactor", "beta1=0.5", .rows = LARGE, .steps = 2), .call = step},
    {OPTIMIZER("adafactor adds", "adafactor", NULL, .rows = LARGE, .steps = 2), .prepare = make_another,
     .call = add_and_step, .recover = put_states_back},
    {OPTIMIZER("muon begins", "muon", NULL, .rows = SMALL), .call = step, .cold = true},
    {OPTIMIZER("muon", "muon", NULL, .rows = SMALL, .steps = 1), .call = step},
    {OPTIMIZER("muon that skips", "muon", "ns_steps=1", .rows = SMALL, .steps = 1, .gradients = &skips), .call = step},
    {OPTIMIZER("shampoo", "shampoo", NULL, .rows = SMALL, .steps = 1), .call = step},
    {OPTIMIZER("soap begins", "soap", NULL, .rows = SMALL), .call = step},
    {OPTIMIZER("soap", "soap", "precondition_frequency=1", .rows = SMALL, .steps = 2), .call = step},
    {OPTIMIZER("8 bits begin", "adamw", NULL, .state = "8bit", .rows = LARGE), .call = step, .cold = true},
    {OPTIMIZER("8 bits", "adamw", NULL, .state = "8bit", .rows = LARGE, .steps = 2), .call = step},
    {OPTIMIZER("master", "adamw", NULL, NULL, "master", CLIV_BF16, LARGE, 2, NULL), .call = step},
    {OPTIMIZER("kahan", "adamw", NULL, NULL, "kahan", CLIV_F16, LARGE, 2, NULL), .call = step},
    {OPTIMIZER("stochastic", "adamw", NULL, "bfloat16", "stochastic", CLIV_BF16, LARGE, 2, NULL), .call = step},
    {OPTIMIZER("own rule", "own", NULL, .rows = LARGE, .steps = 1), .call = step},
    {OPTIMIZER("own rule begins", "own", NULL, .rows = LARGE), .call = step, .cold = true},
    {OPTIMIZER("by units", "adamw", NULL, .rows = LARGE, .steps = 2, .gradients = &by_units), .call = step},
    {OPTIMIZER("other gradients", "adamw", NULL, .rows = LARGE, .steps = 2, .gradients = &by_units),
     .call = other_gradients_and_step},
    {OPTIMIZER("freeze", "lamb", NULL, .rows = LARGE, .steps = 2), .call = freeze_and_step},
    {OPTIMIZER("bind", "adamw", NULL, .rows = LARGE, .steps = 2), .prepare = make_factor, .call = bind_and_step},
    {OPTIMIZER("add", "sgd", "momentum=0.9", .rows = LARGE, .steps = 2), .prepare = make_another, .call = add_and_step,
     .recover = put_states_back},
    {OPTIMIZER("perturb", "adamw", NULL, .rows = LARGE, .steps = 1), .call = perturb, .recover = restored},
    {OPTIMIZER("restore", "adamw", NULL, .rows = LARGE, .steps = 1), .prepare = perturbed, .call = restore,
     .recover = nothing},
    {OPTIMIZER("accumulate begins", "adamw", NULL, .rows = LARGE, .steps = 1), .call = accumulate,
     .recover = accumulate_again, .forgets = true},
    {OPTIMIZER("accumulate", "adamw", NULL, .rows = LARGE, .steps = 1), .prepare = accumulated, .call = accumulate,
     .recover = accumulate_again, .forgets = true},
    {OPTIMIZER("step of sums", "adamw", NULL, .rows = LARGE, .steps = 1), .prepare = accumulated_twice, .call = step},
    {OPTIMIZER("step that adds up", "adamw", NULL, .rows = LARGE, .steps = 1), .prepare = accumulated_and_stepped,
     .call = step},
    {OPTIMIZER("cautious", "adamw", "cautious=1", .rows = LARGE, .steps = 1), .call = step},
    {OPTIMIZER("evaluate", "schedule_free_adamw", "lr=0.1", .rows = LARGE, .steps = 3), .call = evaluate,
     .recover = nothing, .forgets = true},
    {OPTIMIZER("train again", "schedule_free_adamw", "lr=0.1", .rows = LARGE, .steps = 3), .prepare = evaluating,
     .call = train, .recover = nothing},
    {OPTIMIZER("load", "lamb", NULL, .rows = LARGE, .steps = 1), .prepare = saved, .call = load, .recover = nothing},
    {OPTIMIZER("average", "sgd", "lr=0.5", .rows = LARGE), .call = create_average, .recover = nothing},
    {OPTIMIZER("ema", "sgd", "lr=0.5", .rows = LARGE), .prepare = ema, .call = update, .recover = load_average},
    {OPTIMIZER("lookahead", "sgd", "lr=0.5", .rows = LARGE), .prepare = lookahead, .call = update,
     .recover = load_average},
    {OPTIMIZER("swap", "sgd", "lr=0.5", .rows = LARGE), .prepare = ema, .call = swap, .recover = nothing,
     .forgets = true},
    {OPTIMIZER("swap back", "sgd", "lr=0.5", .rows = LARGE), .prepare = swapped, .call = swap, .recover = nothing},
    {.name = "saga", .prepare = saga, .call = run},
    {.name = "saga of rows", .prepare = saga_of_rows, .call = run},
    {.name = "svrg", .prepare = svrg, .call = run},
    {.name = "sarah", .prepare = sarah, .call = run},
    {.name = "minimize", .prepare = make_bowl, .call = minimize, .forgets = true, .restores = true},
    {.name = "orthogonalize", .prepare = matrices, .call = orthogonalize, .forgets = true},
    {.name = "inverse root", .prepare = matrices, .call = inverse_root, .forgets = true},
    {.name = "qr", .prepare = matrices, .call = qr, .forgets = true},
    {.name = "cholesky", .prepare = matrices, .call = cholesky, .forgets = true},
    {.name = "solve", .prepare = matrices, .call = solve, .forgets = true},
    {.name = "least squares", .prepare = matrices, .call = least_squares, .forgets = true},
    {.name = "eigen", .prepare = matrices, .call = eigen, .forgets = true},
};
const size_t act_count = sizeof acts / sizeof *acts;
