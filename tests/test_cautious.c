/* Steps that leave out what disagrees with the gradient: against the trajectories of a package, against the same rule
 * without, and around everything else that an optimizer does. */
#include "trajectories.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/optim.h>

#include "optim/optim.h"

static bool can_be_cautious(const char *rule) { return cliv__rule_hyper(cliv__rule_find(rule), "cautious") >= 0; }

/* ---- the package's trajectories ---- */

static const test_trajectories trajectories = {.path = "tests/golden/cautious.safetensors",
                                               .tensors = 3,
                                               .ndims = (const int[]){2, 1, 1},
                                               .shapes = (const size_t[]){6, 5, 7, 3}};

static void agrees_with_the_package(void **state) {
  (void)state;
  cliv_safetensors *file = test_golden(trajectories.path);
  size_t count, cases = 0;
  const cliv_metadata *metadata = cliv_safetensors_metadata_list(file, &count);
  for (size_t w = (test_few() ? TEST_WALKS - 1 : test_first_walk()); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t i = 0; i < count; i++) {
      char rule[32], preset[32];
      int end = 0;
      if (sscanf(metadata[i].value, "rule=%31s preset=%31s %n", rule, preset, &end) < 2) continue;
      assert_true(strstr(metadata[i].value, " cautious=1") != NULL);
      cases++;
      if (test_few() && strcmp(rule, "lion") != 0) continue;
      const test_case c = {metadata[i].key, rule, preset, metadata[i].value + end, NULL, NULL, NULL};
      test_trajectory_follow(ctx, &trajectories, &c);
    }
    test_close(ctx);
  }
  assert_true(cases >= 10);
  cliv_safetensors_free(file);
}

/* ---- tensors of many sizes ---- */

static const size_t sizes[] = {1, 0, 2, 255, 256, 257, 4095, 4096, 4097, 9001};
enum { SIZES = sizeof sizes / sizeof *sizes, MOST = 9001, FLOOR = 8 };
/* Where every access is checked, what fits a chunk. */
static size_t tensors(void) { return test_small() ? 6 : SIZES; }
/* With few to try, the walk in which groups share memory: layouts_agree compares the two. */
static size_t first_walk(void) { return test_few() ? TEST_WALKS - 1 : test_first_walk(); }

typedef struct training {
  cliv_context *ctx;
  cliv_optimizer *o;
  cliv_tensor *p[SIZES], *g[SIZES];
} training;

static void put(cliv_tensor *t, const float *x) {
  const size_t n = cliv_tensor_count(t);
  const cliv_dtype dtype = cliv_tensor_dtype(t);
  uint16_t narrow[MOST];
  for (size_t i = 0; dtype != CLIV_F32 && i < n; i++) test_put(dtype, narrow, i, (double)x[i]);
  const void *from = dtype == CLIV_F32 ? (const void *)x : narrow;
  ASSERT_OK(cliv_tensor_context(t), cliv_tensor_write(t, from, n * cliv_dtype_size(dtype)));
}

static void fill(cliv_tensor *t, uint64_t seed, double scale) {
  float x[MOST];
  for (size_t i = 0; i < cliv_tensor_count(t); i++) x[i] = (float)(scale * test_normal(seed, i));
  put(t, x);
}

/* Beside each other, or each alone, off its natural alignment. mixed: parameters of every type, unlike gradients. */
static training begin_with(cliv_context *ctx, cliv_optimizer *o, bool arena, bool mixed) {
  static const cliv_dtype types[] = {CLIV_F32, CLIV_BF16, CLIV_F16};
  training t = {.ctx = ctx, .o = o};
  int ndims[SIZES];
  for (size_t i = 0; i < tensors(); i++) ndims[i] = 1;
  if (arena) {
    ASSERT_OK(ctx, cliv_arena_create(ctx, CLIV_F32, tensors(), ndims, sizes, t.p));
    ASSERT_OK(ctx, cliv_arena_create(ctx, CLIV_F32, tensors(), ndims, sizes, t.g));
  }
  for (size_t i = 0; i < tensors(); i++) {
    if (!arena) {
      const size_t room = sizes[i] + 3;
      cliv_tensor *p, *g;
      ASSERT_OK(ctx, cliv_tensor_create(ctx, mixed ? types[i % 3] : CLIV_F32, 1, &room, &p));
      ASSERT_OK(ctx, cliv_tensor_create(ctx, mixed ? types[(i + 1) % 3] : CLIV_F32, 1, &room, &g));
      ASSERT_OK(ctx, cliv_tensor_view(p, 3, 1, &sizes[i], 0, &t.p[i]));
      ASSERT_OK(ctx, cliv_tensor_view(g, 1, 1, &sizes[i], 0, &t.g[i]));
      cliv_tensor_free(p), cliv_tensor_free(g);
    }
    fill(t.p[i], 10 + i, 1);
    ASSERT_OK(ctx, cliv_optimizer_add(o, t.p[i], t.g[i], CLIV_DEFAULT_GROUP));
  }
  return t;
}

static training begin(cliv_context *ctx, const char *rule, const char *options, bool arena) {
  return begin_with(ctx, test_optimizer(ctx, rule, NULL, options), arena, false);
}

static void end(training *t) {
  cliv_optimizer_free(t->o);
  for (size_t i = 0; i < tensors(); i++) cliv_tensor_free(t->p[i]), cliv_tensor_free(t->g[i]);
}

static void give(const training *t, uint64_t seed) {
  for (size_t i = 0; i < tensors(); i++) fill(t->g[i], 100 * seed + i, 1);
}

static void take(const training *t, uint64_t seed) {
  give(t, seed);
  ASSERT_OK(t->ctx, cliv_optimizer_step(t->o, NULL));
}

static void assert_same(const training *a, const training *b) {
  for (size_t i = 0; i < tensors(); i++) ASSERT_SAME_TENSORS(a->p[i], b->p[i]);
}

/* ---- by the definition ---- */

/* From weights that are 0 the plain rule's are its steps. Two roundings, of the scale and of the product, are two units
 * of the last place. */
static void check_masked(const training *plain, const training *cautious, const char *rule) {
  for (size_t i = 0; i < tensors(); i++) {
    float *u = test_read(plain->p[i]), *g = test_read(plain->g[i]), *got = test_read(cautious->p[i]);
    size_t agree = 0;
    const size_t n = sizes[i];
    for (size_t k = 0; k < n; k++) agree += (u[k] < 0 && g[k] > 0) || (u[k] > 0 && g[k] < 0);
    const double scale = 1 / fmax((double)agree / (double)(n ? n : 1), 1e-3);
    for (size_t k = 0; k < n; k++) {
      const bool agrees = (u[k] < 0 && g[k] > 0) || (u[k] > 0 && g[k] < 0);
      const double want = agrees ? scale * (double)u[k] : 0;
      if (!(fabs((double)got[k] - want) <= 4 * 0x1p-24 * fabs(want)))
        fail_msg("%s: [%zu] of %zu is %.9g, not %.9g (%zu agree)", rule, k, n, (double)got[k], want, agree);
    }
    if (n > 1000 && i != FLOOR && !(agree > n / 4 && agree < n)) fail_msg("%s: %zu of %zu agree", rule, agree, n);
    free(u), free(g), free(got);
  }
}

/* Sums that momenta make, from gradients that turn; of one tensor nearly all are 0, whose elements agree by no more
 * than a thousandth. */
static void check_rule(cliv_context *ctx, const char *rule) {
  char options[128] = "lr=0.125";
  if (cliv__rule_hyper(cliv__rule_find(rule), "weight_decay") >= 0) strcat(options, " weight_decay=0");
  if (cliv__rule_hyper(cliv__rule_find(rule), "momentum") >= 0) strcat(options, " momentum=0.9");
  training plain = begin(ctx, rule, options, true);
  strcat(options, " cautious=1");
  training cautious = begin(ctx, rule, options, true);
  const float zeros[MOST] = {0};
  for (uint64_t t = 1; t <= 3; t++) {
    for (size_t i = 0; i < tensors(); i++) put(plain.p[i], zeros), put(cautious.p[i], zeros);
    for (size_t i = 0; i < tensors(); i++) {
      float g[MOST];
      for (size_t k = 0; k < sizes[i]; k++)
        g[k] = i == FLOOR && k > 2 ? 0 : (float)(test_normal(t, k) + test_normal(100 + i, k));
      put(plain.g[i], g), put(cautious.g[i], g);
    }
    ASSERT_OK(ctx, cliv_optimizer_step(plain.o, NULL));
    ASSERT_OK(ctx, cliv_optimizer_step(cautious.o, NULL));
    if (t == 3) check_masked(&plain, &cautious, rule);
  }
  end(&plain), end(&cautious);
}

static void masks_every_rule(void **state) {
  (void)state;
  size_t rules = 0;
  cliv_context *ctx = test_open(test_walks[TEST_WALKS - 1]);
  for (size_t i = 0; i < cliv_rule_count(); i++) {
    const char *rule = cliv_rule_get(i)->name;
    if (!can_be_cautious(rule)) continue;
    rules++;
    /* Of these a momentum is all that can disagree. */
    const bool plain = !strcmp(rule, "adagrad") || !strcmp(rule, "adadelta");
    if (!plain && (!test_few() || !strcmp(rule, "adamw"))) check_rule(ctx, rule);
  }
  assert_true(rules >= 20);
  test_close(ctx);
  if (test_first_walk() > 0) return;
  ctx = test_open(test_walks[0]);
  check_rule(ctx, "adamw");
  test_close(ctx);
}

/* Where all elements agree nothing is masked, and the weight's decay is what it always is: as without, but for the
 * rounding of products that are fused there. */
static void decays_as_without(void **state) {
  (void)state;
  cliv_context *ctx = test_open(test_walks[TEST_WALKS - 1]);
  for (size_t r = 0; r < cliv_rule_count(); r++) {
    const char *rule = cliv_rule_get(r)->name;
    if (!can_be_cautious(rule) || (test_few() && strcmp(rule, "adamw") != 0)) continue;
    char options[128] = "lr=0.125";
    if (cliv__rule_hyper(cliv__rule_find(rule), "weight_decay") >= 0) strcat(options, " weight_decay=0.25");
    training plain = begin(ctx, rule, options, true);
    strcat(options, " cautious=1");
    training cautious = begin(ctx, rule, options, true);
    take(&plain, 1), take(&cautious, 1);
    for (size_t i = 0; i < tensors(); i++) {
      float *want = test_read(plain.p[i]), *got = test_read(cautious.p[i]);
      for (size_t k = 0; k < sizes[i]; k++) {
        const double w = (double)(float)test_normal(10 + i, k), bound = fabs(w) + fabs((double)want[k] - w);
        if (!(fabs((double)got[k] - (double)want[k]) <= 4 * 0x1p-24 * bound))
          fail_msg("%s: [%zu] of %zu is %.9g, not %.9g", rule, k, sizes[i], (double)got[k], (double)want[k]);
      }
      free(want), free(got);
    }
    end(&plain), end(&cautious);
  }
  test_close(ctx);
}

/* ---- bits ---- */

static const char options[] = "lr=0.0625 beta1=0.5 weight_decay=0.125 cautious=1";

/* In both walks, together or apart. `chunk` is ignored: the count goes by blocks of 4096 elements. */
static void layouts_agree(void **state) {
  (void)state;
  const cliv_optimizer_options chunks = {.size = sizeof chunks, .chunk = 64};
  training t[2 * TEST_WALKS + 1];
  size_t count = 0;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++)
    for (int arena = 0; arena < 2; arena++) t[count++] = begin(test_open(test_walks[w]), "adamw", options, arena);
  cliv_optimizer *o;
  cliv_context *ctx = test_open(test_walks[TEST_WALKS - 1]);
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "adamw", &chunks, &o));
  test_set_options(ctx, o, options);
  t[count++] = begin_with(ctx, o, true, false);
  for (size_t k = 0; k < count; k++) {
    take(&t[k], 1), take(&t[k], 2);
    assert_same(&t[k], &t[0]);
  }
  for (size_t k = 0; k < count; k++) {
    ctx = t[k].ctx;
    end(&t[k]);
    test_close(ctx);
  }
}

/* A narrow parameter is the rounding of what a float32 one would be. */
static void narrow_storage_rounds_once(void **state) {
  (void)state;
  training t[TEST_WALKS];
  for (size_t w = first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    t[w] = begin_with(ctx, test_optimizer(ctx, "lion", NULL, "lr=0.25 cautious=1"), false, true);
    training wide = begin(ctx, "lion", "lr=0.25 cautious=1", false);
    take(&t[w], 1);
    for (size_t i = 0; i < tensors(); i++) {
      float x[MOST];
      void *g = test_read(t[w].g[i]);
      for (size_t k = 0; k < sizes[i]; k++) x[k] = (float)test_get(cliv_tensor_dtype(t[w].g[i]), g, k);
      put(wide.g[i], x);
      for (size_t k = 0; k < sizes[i]; k++) {
        uint16_t narrow;
        const cliv_dtype dtype = cliv_tensor_dtype(t[w].p[i]);
        x[k] = (float)test_normal(10 + i, k);
        if (dtype == CLIV_F32) continue;
        test_put(dtype, &narrow, 0, (double)x[k]);
        x[k] = (float)test_get(dtype, &narrow, 0);
      }
      put(wide.p[i], x);
      free(g);
    }
    ASSERT_OK(ctx, cliv_optimizer_step(wide.o, NULL));
    for (size_t i = 0; i < tensors(); i++) {
      const cliv_dtype dtype = cliv_tensor_dtype(t[w].p[i]);
      float *x = test_read(wide.p[i]);
      uint16_t narrow[MOST];
      void *got = test_read(t[w].p[i]);
      for (size_t k = 0; dtype != CLIV_F32 && k < sizes[i]; k++) test_put(dtype, narrow, k, (double)x[k]);
      ASSERT_SAME(dtype, got, dtype == CLIV_F32 ? (void *)x : narrow, sizes[i]);
      free(x), free(got);
    }
    end(&wide);
    end(&t[w]);
    test_close(ctx);
  }
}

/* ---- among what an optimizer does ---- */

/* Who does not ask keeps one launch and its bits, also beside a group that does. */
static void groups_are_their_own(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  training plain = begin(ctx, "adamw", "lr=0.0625 beta1=0.5", true), all = begin(ctx, "adamw", options, true);
  training both = begin(ctx, "adamw", "lr=0.0625 beta1=0.5", true);
  int group;
  ASSERT_OK(ctx, cliv_optimizer_group(both.o, &group));
  ASSERT_OK(ctx, cliv_optimizer_set(both.o, group, "cautious", 1));
  ASSERT_OK(ctx, cliv_optimizer_set(both.o, group, "weight_decay", 0.125));
  cliv_tensor *p, *g;
  const size_t n = sizes[tensors() - 1];
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &p));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &g));
  ASSERT_OK(ctx, cliv_tensor_copy(all.p[tensors() - 1], p, NULL));
  ASSERT_OK(ctx, cliv_optimizer_add(both.o, p, g, group));
  for (uint64_t t = 1; t <= 2; t++) {
    ASSERT_OK(ctx, cliv_optimizer_set(plain.o, 0, "weight_decay", 0.01));
    fill(g, 100 * t + tensors() - 1, 1);
    take(&plain, t), take(&all, t), take(&both, t);
  }
  assert_same(&both, &plain);
  ASSERT_SAME_TENSORS(p, all.p[tensors() - 1]);
  assert_true(plain.o->plan.batch_count == 1 && !plain.o->plan.batches[0].prepare && !plain.o->plan.norming.of);
  assert_true(all.o->plan.batch_count == 1 && all.o->plan.batches[0].prepare);
  assert_true(both.o->plan.batch_count == 2 && !both.o->plan.batches[0].prepare && both.o->plan.batches[1].prepare);
  /* The only cautious one waits, and those beside it go on. */
  ASSERT_OK(ctx, cliv_optimizer_freeze(both.o, tensors(), 1));
  take(&plain, 3), take(&both, 3);
  assert_same(&both, &plain);
  ASSERT_SAME_TENSORS(p, all.p[tensors() - 1]);
  cliv_tensor_free(p), cliv_tensor_free(g);
  end(&plain), end(&all), end(&both);
  test_close(ctx);
}

/* On for two steps of a schedule, and off until the schedule is taken away: as if it were set so. */
static void follows_a_schedule(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  training a = begin(ctx, "adamw", options, true), b = begin(ctx, "adamw", options, true);
  cliv_schedule *schedule;
  ASSERT_OK(ctx, cliv_schedule_create(ctx, "step(2, 0)", NULL, &schedule));
  ASSERT_OK(ctx, cliv_optimizer_schedule(a.o, CLIV_ALL_GROUPS, "cautious", schedule));
  for (uint64_t t = 1; t <= 4; t++) {
    if (t == 3) ASSERT_OK(ctx, cliv_optimizer_set(b.o, 0, "cautious", 0));
    take(&a, t), take(&b, t);
    assert_same(&a, &b);
    assert_true((a.o->plan.batches[0].prepare != NULL) == (t < 3));
  }
  ASSERT_OK(ctx, cliv_optimizer_schedule(a.o, CLIV_ALL_GROUPS, "cautious", NULL));
  ASSERT_OK(ctx, cliv_optimizer_set(b.o, 0, "cautious", 1));
  take(&a, 5), take(&b, 5);
  assert_same(&a, &b);
  assert_non_null(a.o->plan.batches[0].prepare);
  end(&a), end(&b);
  cliv_schedule_free(schedule);
  test_close(ctx);
}

/* Clipped, frozen, accumulated, left out, saved and loaded: as the plain rule is. */
static void goes_with_everything(void **state) {
  (void)state;
  const cliv_gradient_options looks = {
      .scale = 4, .clip_norm = 50, .clip_each = 20, .centralize = 1, .nonfinite = CLIV_NONFINITE_SKIP};
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  training a = begin(ctx, "adamw", options, true), b = begin(ctx, "adamw", options, true);
  /* A step that is left out leaves the count of those that agree out, too. */
  for (int k = 0; k < 2; k++) ASSERT_OK(ctx, cliv_optimizer_gradients(k ? b.o : a.o, &looks));
  take(&a, 1), take(&b, 1);
  give(&b, 2);
  const float infinite[MOST] = {INFINITY};
  put(b.g[0], infinite);
  ASSERT_OK(ctx, cliv_optimizer_step(b.o, NULL));
  assert_int_equal(cliv_optimizer_steps(b.o), 1);
  assert_same(&a, &b);
  /* The mean of equal gradients is one of them. */
  give(&b, 3);
  for (int k = 0; k < 2; k++) ASSERT_OK(ctx, cliv_optimizer_accumulate(b.o, NULL));
  take(&a, 3);
  ASSERT_OK(ctx, cliv_optimizer_step(b.o, NULL));
  assert_same(&a, &b);
  /* A frozen parameter waits, also where it is the only cautious one. */
  for (int k = 0; k < 2; k++) ASSERT_OK(ctx, cliv_optimizer_freeze(k ? b.o : a.o, tensors() - 1, 1));
  float *before = test_read(a.p[tensors() - 1]);
  take(&a, 4), take(&b, 4);
  float *after = test_read(a.p[tensors() - 1]);
  ASSERT_BITS(after, before, sizes[tensors() - 1] * sizeof *after);
  free(before), free(after);
  for (size_t i = 0; i + 1 < tensors(); i++) ASSERT_OK(ctx, cliv_optimizer_freeze(b.o, i, 1));
  take(&b, 5);
  assert_same(&a, &b);
  end(&a), end(&b);
  test_close(ctx);
}

static void resumes_from_a_file(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  char *folder = test_temp_dir(), *path = test_join(folder, "states");
  training a = begin(ctx, "adamw", options, true), b = begin(ctx, "adamw", "", true);
  take(&a, 1);
  ASSERT_OK(ctx, cliv_optimizer_save(a.o, path));
  for (size_t i = 0; i < tensors(); i++) ASSERT_OK(ctx, cliv_tensor_copy(a.p[i], b.p[i], NULL));
  ASSERT_OK(ctx, cliv_optimizer_load(b.o, path));
  double value;
  ASSERT_OK(ctx, cliv_optimizer_get(b.o, 0, "cautious", &value));
  assert_true(value == 1);
  take(&a, 2), take(&b, 2);
  assert_same(&a, &b);
  cliv_optimizer_usage with = {.size = sizeof with}, without = {.size = sizeof without};
  ASSERT_OK(ctx, cliv_optimizer_memory(a.o, &with));
  ASSERT_OK(ctx, cliv_optimizer_set(a.o, 0, "cautious", 0));
  ASSERT_OK(ctx, cliv_optimizer_memory(a.o, &without));
  assert_true(with.states == without.states && with.tables > without.tables);
  end(&a), end(&b);
  test_remove_tree(folder);
  free(path), free(folder);
  test_close(ctx);
}

/* Elements alone: what is not finite makes its weight NaN, agrees with nothing, and leaves the others as they are. */
static void special_values(void **state) {
  (void)state;
  for (size_t w = first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    training t = begin(ctx, "adamw", options, true);
    float g[MOST];
    for (size_t k = 0; k < 256; k++) g[k] = 1;
    g[3] = NAN, g[77] = INFINITY, g[78] = -INFINITY, g[79] = 0, g[80] = -0.0f;
    float *before = test_read(t.p[4]);
    put(t.g[4], g);
    for (size_t i = 0; i < tensors(); i++)
      if (i != 4) fill(t.g[i], 1, 1);
    ASSERT_OK(ctx, cliv_optimizer_step(t.o, NULL));
    float *got = test_read(t.p[4]);
    const float keep = 1 - 0.0625f * 0.125f;
    for (size_t k = 0; k < 256; k++) {
      const double want = (double)(before[k] * keep) - (k == 79 || k == 80 ? 0 : 0.0625 * 256 / 251);
      if (k == 3 || k == 77 || k == 78) assert_true(isnan(got[k]));
      else assert_true(fabs((double)got[k] - want) <= 1e-6 * (1 + fabs(want)));
    }
    free(before), free(got);
    end(&t);
    test_close(ctx);
  }
}

/* ---- rules of a caller's own ---- */

static const cliv_hyper_info own_hypers[] = {{"lr", 0.1, 0, FLT_MAX, 0, 0, NULL},
                                             {"beta", 0.5, 0, 1, 1, 0, NULL},
                                             {"weight_decay", 0.125, 0, FLT_MAX, 0, 0, NULL},
                                             {"cautious", 1, 0, 0, 0, 0, NULL}};
static const cliv_state_info own_states[] = {{"exp_avg", NULL, NULL, CLIV_STATE_SIGNED}};
static const cliv_scalar_info own_scalars[] = {
    {"minus_lr", "-lr"}, {"keep", "1 - lr * weight_decay"}, {"one_minus_beta", "1 - beta"}};

static void takes_rules_of_ones_own(void **state) {
  (void)state;
  cliv_user_rule rule = {.name = "mine",
                         .text =
                             "static void mine(real *w, real g, mine_state *s, mine_scalars h) {\n"
                             "  s->exp_avg = h.beta * s->exp_avg + h.one_minus_beta * g;\n"
                             "  step_weight(w, g, *w * h.keep, h.minus_lr * sign_of(s->exp_avg));\n"
                             "}",
                         .hyper_count = 4,
                         .state_count = 1,
                         .scalar_count = 3,
                         .hypers = own_hypers,
                         .states = own_states,
                         .scalars = own_scalars};
  for (size_t w = first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    cliv_optimizer *o;
    ASSERT_OK(ctx, cliv_optimizer_create_user(ctx, &rule, NULL, &o));
    training mine = begin_with(ctx, o, true, false);
    training theirs = begin(ctx, "signum", "lr=0.1 beta=0.5 weight_decay=0.125 cautious=1", true);
    for (uint64_t t = 1; t <= 3; t++) take(&mine, t), take(&theirs, t);
    assert_same(&mine, &theirs);
    end(&mine), end(&theirs);
    test_close(ctx);
  }
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_optimizer *o;
  rule.text =
      "static void mine(real *w, real g, mine_state *s, mine_scalars h) {\n"
      "  s->exp_avg = h.beta * s->exp_avg + h.one_minus_beta * g;\n"
      "  step_along(w, g, *w * h.keep, (real)h.minus_lr, sign_of(s->exp_avg));\n"
      "}";
  ASSERT_OK(ctx, cliv_optimizer_create_user(ctx, &rule, NULL, &o));
  training mine = begin_with(ctx, o, true, false);
  training theirs = begin(ctx, "signum", "lr=0.1 beta=0.5 weight_decay=0.125 cautious=1", true);
  take(&mine, 1), take(&theirs, 1);
  assert_same(&mine, &theirs);
  end(&mine), end(&theirs);
  rule.text = "static void mine(real *w, real g, mine_state *s, mine_scalars h) { *w = *w * h.keep - h.lr * g; }";
  ASSERT_FAILS(ctx, cliv_optimizer_create_user(ctx, &rule, NULL, &o), CLIV_VALUE, "no step_weight(w, g, kept, step)");
  ASSERT_FAILS(ctx, cliv_optimizer_create_user(ctx, &rule, NULL, &o), CLIV_VALUE, "no step_along(w, g, kept, rate,");
  test_close(ctx);
}

/* ---- what is refused ---- */

static void refuses(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  static const char *const cannot[] = {"lamb", "muon", "ftrl", "asgd", "schedule_free_adamw"};
  for (size_t i = 0; i < sizeof cannot / sizeof *cannot; i++) {
    cliv_optimizer *o = test_optimizer(ctx, cannot[i], NULL, "");
    ASSERT_FAILS(ctx, cliv_optimizer_set(o, 0, "cautious", 1), CLIV_NAME, "'cautious' is unknown");
    cliv_optimizer_free(o);
  }
  const cliv_optimizer_options coded = {.size = sizeof coded, .state = "8bit", .min_8bit = 256};
  cliv_optimizer *o;
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "adamw", &coded, &o));
  ASSERT_FAILS(ctx, cliv_optimizer_set(o, 0, "cautious", 0.5), CLIV_VALUE, "must be 0 or 1");
  ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "cautious", 1));
  training t = begin_with(ctx, o, true, false);
  give(&t, 1);
  float *before = test_read(t.p[tensors() - 1]);
  ASSERT_FAILS(ctx, cliv_optimizer_step(t.o, NULL), CLIV_VALUE, "states in 8 bits");
  float *after = test_read(t.p[tensors() - 1]);
  ASSERT_BITS(after, before, sizes[tensors() - 1] * sizeof *after);
  assert_int_equal(cliv_optimizer_steps(t.o), 0);
  ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "cautious", 0));
  take(&t, 1);
  free(before), free(after);
  end(&t);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(agrees_with_the_package),    cmocka_unit_test(masks_every_rule),
      cmocka_unit_test(decays_as_without),          cmocka_unit_test(layouts_agree),
      cmocka_unit_test(narrow_storage_rounds_once), cmocka_unit_test(groups_are_their_own),
      cmocka_unit_test(follows_a_schedule),         cmocka_unit_test(goes_with_everything),
      cmocka_unit_test(resumes_from_a_file),        cmocka_unit_test(special_values),
      cmocka_unit_test(takes_rules_of_ones_own),    cmocka_unit_test(refuses),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
