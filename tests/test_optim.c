/* Optimizers around the rules: layouts, launches, groups, storage types, resuming, refusals. What the rules compute is
 * test_rules.c's. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/optim.h>

#include "optim/optim.h"
#include "runtime/tensor.h"

/* A rule with options that keep all its states, so that every buffer is in play. */
typedef struct setting {
  const char *rule, *hyper[3];
  double value[3];
} setting;
static const setting settings[] = {
    {"sgd", {"momentum", "weight_decay", "lr"}, {0.9, 0.1, 0.1}},
    {"sgd", {"lr"}, {0.2}},
    {"adagrad", {"weight_decay", "initial_accumulator_value"}, {0.1, 0.5}},
    {"rmsprop", {"momentum", "centered", "weight_decay"}, {0.9, 1, 0.1}},
    {"adam", {"weight_decay"}, {0.1}},
    {"adamw", {"lr"}, {0.01}},
    {"lion", {"weight_decay"}, {0.1}},
    {"adamw", {"amsgrad"}, {1}},
    {"adadelta", {"weight_decay"}, {0.1}},
    {"adamax", {"weight_decay"}, {0.1}},
    {"nadam", {"weight_decay"}, {0.1}},
    {"radam", {"beta2"}, {0.8}},
    {"rprop", {"lr"}, {0.1}},
    {"asgd", {"t0", "lambd"}, {1, 0}},
    {"signum", {"weight_decay"}, {0.1}},
    {"yogi", {"initial_accumulator_value"}, {0}},
    {"adabelief", {"rectify"}, {0}},
    {"adan", {"weight_decay"}, {0.1}},
    {"madgrad", {"weight_decay"}, {0.1}},
    {"laprop", {"weight_decay"}, {0.1}},
    {"adopt", {"weight_decay"}, {0.1}},
    {"ademamix", {"t_alpha", "t_beta3"}, {4, 4}},
    {"qhm", {"weight_decay"}, {0.1}},
    {"qhadam", {"nu1", "nu2"}, {0.7, 0.9}},
    {"ftrl", {"l2"}, {0.1}},
    {"sophia", {"hessian_interval"}, {1}},
    {"adabound", {"weight_decay"}, {0.1}},
    {"schedule_free_sgd", {"lr", "weight_decay"}, {0.1, 0.1}},
    {"schedule_free_adamw", {"weight_decay", "warmup_steps"}, {0.1, 2}},
};
enum { SETTINGS = sizeof settings / sizeof *settings };

/* One of each kind: every count of states, and a memory. */
static bool tries(const setting *s) {
  return !test_few() || s < &settings[5] || !strcmp(s->rule, "nadam") || !strcmp(s->rule, "adan");
}

static cliv_optimizer *make(cliv_context *ctx, const setting *s, size_t chunk) {
  cliv_optimizer *o;
  const cliv_optimizer_options options = {.size = sizeof options, .chunk = chunk};
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, s->rule, &options, &o));
  for (size_t i = 0; i < 3 && s->hyper[i]; i++)
    ASSERT_OK(ctx, cliv_optimizer_set(o, CLIV_ALL_GROUPS, s->hyper[i], s->value[i]));
  return o;
}

/* Random elements of a dtype. */
static void *random_elements(cliv_dtype dtype, size_t n, uint64_t seed) {
  void *x = test_alloc(n * cliv_dtype_size(dtype));
  for (size_t i = 0; i < n; i++) test_put(dtype, x, i, test_normal(seed, i));
  return x;
}

static void steps(cliv_optimizer *o, int count) {
  for (int t = 0; t < count; t++) ASSERT_OK(NULL, cliv_optimizer_step(o, NULL));
}

/* ---- a set of tensors of many sizes, in guarded buffers of their own ---- */

enum { MAX_SET = 16 };
typedef struct set {
  size_t count;
  test_guarded p[MAX_SET], g[MAX_SET];
} set;

static const size_t set_sizes[] = {1, 0, 2, 15, 16, 17, 255, 256, 257, 4095, 4096, 4097, 65537};
enum { SMALL_SET = 9 }; /* the sizes for checked devices */

static set set_make(cliv_context *ctx, cliv_optimizer *o, cliv_dtype p_type, cliv_dtype g_type, size_t shift) {
  set s = {.count = test_small() ? SMALL_SET : sizeof set_sizes / sizeof *set_sizes};
  for (size_t i = 0; i < s.count; i++) {
    void *w = random_elements(p_type, set_sizes[i], 100 + i), *g = random_elements(g_type, set_sizes[i], 200 + i);
    s.p[i] = test_guard1(ctx, p_type, set_sizes[i], shift ? shift + i : 0, w);
    s.g[i] = test_guard1(ctx, g_type, set_sizes[i], shift ? shift + 2 * i : 0, g);
    ASSERT_OK(ctx, cliv_optimizer_add(o, s.p[i].tensor, s.g[i].tensor, CLIV_DEFAULT_GROUP));
    free(w);
    free(g);
  }
  return s;
}

/* All parameters and states, one after another; *bytes of them. */
static unsigned char *set_bytes(const set *s, cliv_optimizer *o, size_t *bytes) {
  unsigned char *all = NULL;
  *bytes = 0;
  for (size_t i = 0; i < s->count; i++)
    for (size_t k = 0; k <= cliv_optimizer_state_count(o, i); k++) {
      cliv_tensor *view = NULL;
      if (k) ASSERT_OK(NULL, cliv_optimizer_state(o, i, cliv_optimizer_state_name(o, i, k - 1), &view));
      const cliv_tensor *t = k ? view : s->p[i].tensor;
      const size_t size = cliv_tensor_count(t) * cliv_dtype_size(cliv_tensor_dtype(t));
      void *data = test_read(t);
      all = realloc(all, *bytes + size + 1);
      assert_non_null(all);
      memcpy(all + *bytes, data, size);
      *bytes += size;
      free(data);
      cliv_tensor_free(view);
    }
  return all;
}

static void set_free(set *s) {
  for (size_t i = 0; i < s->count; i++) {
    test_guard_free(&s->p[i]);
    test_guard_free(&s->g[i]);
  }
}

typedef struct layout {
  cliv_walk walk;
  size_t group_size, chunk, shift;
} layout;

static unsigned char *run_layout(const setting *with, const layout *l, cliv_dtype p_type, cliv_dtype g_type,
                                 size_t *bytes) {
  cliv_context *ctx = test_open_group(l->walk, l->group_size);
  cliv_optimizer *o = make(ctx, with, l->chunk);
  set s = set_make(ctx, o, p_type, g_type, l->shift);
  steps(o, 3);
  unsigned char *all = set_bytes(&s, o, bytes);
  cliv_optimizer_free(o);
  set_free(&s);
  test_close(ctx);
  return all;
}

/* Walk, group size, chunk and alignment change nothing, and nothing outside the tensors is written. */
static void layouts_agree(void **state) {
  (void)state;
  static const layout layouts[] = {{CLIV_WALK_CPU, 0, 0, 0},
                                   {CLIV_WALK_GPU, 0, 0, 0},
                                   {CLIV_WALK_CPU, 0, 64, 3},
                                   {CLIV_WALK_GPU, 32, 64, 5},
                                   {CLIV_WALK_GPU, 64, 8192, 1}};
  for (size_t i = 0; i < SETTINGS; i++) {
    if (!tries(&settings[i])) continue;
    size_t want_bytes, bytes;
    unsigned char *want = run_layout(&settings[i], &layouts[0], CLIV_F32, CLIV_F32, &want_bytes);
    for (size_t l = 1; l < sizeof layouts / sizeof *layouts; l++) {
      unsigned char *got = run_layout(&settings[i], &layouts[l], CLIV_F32, CLIV_F32, &bytes);
      assert_int_equal(bytes, want_bytes);
      ASSERT_BITS(got, want, bytes);
      free(got);
    }
    free(want);
  }
}

/* Narrow storage: a step from the same values is float32's, with the parameter rounded once; states are float32's bits.
 * */
static void narrow_storage_rounds_once(void **state) {
  (void)state;
  static const cliv_dtype types[] = {CLIV_F32, CLIV_F16, CLIV_BF16};
  const size_t n = 1003;
  const setting *with = &settings[5];
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t i = 1; i < 9; i++) {
      const cliv_dtype p_type = types[i / 3], g_type = types[i % 3];
      cliv_optimizer *o = make(ctx, with, 0);
      void *p = random_elements(p_type, n, 1), *g = random_elements(g_type, n, 2);
      float *wide_p = test_alloc(n * sizeof *wide_p), *wide_g = test_alloc(n * sizeof *wide_g);
      for (size_t k = 0; k < n; k++) {
        wide_p[k] = (float)test_get(p_type, p, k);
        wide_g[k] = (float)test_get(g_type, g, k);
      }
      test_guarded t[] = {test_guard1(ctx, p_type, n, 1, p), test_guard1(ctx, g_type, n, 2, g),
                          test_guard1(ctx, CLIV_F32, n, 0, wide_p), test_guard1(ctx, CLIV_F32, n, 0, wide_g)};
      ASSERT_OK(ctx, cliv_optimizer_add(o, t[0].tensor, t[1].tensor, 0));
      ASSERT_OK(ctx, cliv_optimizer_add(o, t[2].tensor, t[3].tensor, 0));
      steps(o, 1);
      void *narrow = test_read(t[0].tensor);
      float *wide = test_read(t[2].tensor);
      for (size_t k = 0; k < n; k++) test_put(p_type, p, k, (double)wide[k]);
      ASSERT_SAME(p_type, narrow, p, n);
      for (size_t k = 0; k < 2; k++) {
        cliv_tensor *a, *b;
        ASSERT_OK(ctx, cliv_optimizer_state(o, 0, k ? "exp_avg_sq" : "exp_avg", &a));
        ASSERT_OK(ctx, cliv_optimizer_state(o, 1, k ? "exp_avg_sq" : "exp_avg", &b));
        float *x = test_read(a), *y = test_read(b);
        ASSERT_SAME(CLIV_F32, x, y, n);
        free(x);
        free(y);
        cliv_tensor_free(a);
        cliv_tensor_free(b);
      }
      cliv_optimizer_free(o);
      for (size_t k = 0; k < 4; k++) test_guard_free(&t[k]);
      free(narrow);
      free(wide);
      free(wide_p);
      free(wide_g);
      free(p);
      free(g);
    }
    test_close(ctx);
  }
}

/* ---- arenas and launches ---- */

enum { ARENA_MAX = 200 };
typedef struct arena {
  cliv_tensor *p[ARENA_MAX], *g[ARENA_MAX];
} arena;

static size_t arena_count(void) { return test_small() ? 40 : ARENA_MAX; }

static size_t arena_shape(size_t i) { return i % 5 == 4 ? 0 : 1 + i * 7 % 300; }

static arena arena_make(cliv_context *ctx) {
  arena a;
  int ndims[ARENA_MAX];
  size_t shapes[ARENA_MAX];
  for (size_t i = 0; i < arena_count(); i++) {
    ndims[i] = 1;
    shapes[i] = arena_shape(i);
  }
  ASSERT_OK(ctx, cliv_arena_create(ctx, CLIV_F32, arena_count(), ndims, shapes, a.p));
  ASSERT_OK(ctx, cliv_arena_create(ctx, CLIV_F32, arena_count(), ndims, shapes, a.g));
  for (size_t i = 0; i < arena_count(); i++) {
    float *w = random_elements(CLIV_F32, shapes[i], i), *g = random_elements(CLIV_F32, shapes[i], 1000 + i);
    ASSERT_OK(ctx, cliv_tensor_write(a.p[i], w, shapes[i] * sizeof *w));
    ASSERT_OK(ctx, cliv_tensor_write(a.g[i], g, shapes[i] * sizeof *g));
    free(w);
    free(g);
  }
  return a;
}

static void arena_free(arena *a) {
  for (size_t i = 0; i < arena_count(); i++) {
    cliv_tensor_free(a->p[i]);
    cliv_tensor_free(a->g[i]);
  }
}

/* Parameter i after `count` steps on its own. */
static float *alone(cliv_context *ctx, const setting *with, const arena *start, size_t i, int count) {
  cliv_optimizer *o = make(ctx, with, 0);
  ASSERT_OK(ctx, cliv_optimizer_add(o, start->p[i], start->g[i], 0));
  steps(o, count);
  cliv_optimizer_free(o);
  return test_read(start->p[i]);
}

static void arena_steps_in_one_launch(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    arena a = arena_make(ctx), b = arena_make(ctx);
    cliv_optimizer *o = make(ctx, &settings[4], 64);
    for (size_t i = 0; i < arena_count(); i++) ASSERT_OK(ctx, cliv_optimizer_add(o, a.p[i], a.g[i], 0));
    steps(o, 3);
    assert_int_equal(o->plan.batch_count, 1);
    assert_int_equal(o->plan.bank_count, 1);
    assert_int_equal(cliv_optimizer_param_count(o), arena_count());
    for (size_t i = 0; i < arena_count(); i += 9) {
      float *want = alone(ctx, &settings[4], &b, i, 3), *got = test_read(a.p[i]);
      ASSERT_SAME(CLIV_F32, got, want, arena_shape(i));
      free(want);
      free(got);
    }
    cliv_optimizer_free(o);
    arena_free(&a);
    arena_free(&b);
    test_close(ctx);
  }
}

/* Small devices: states in several banks, launches cut in pieces. */
static void small_limits_change_nothing(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    arena a = arena_make(ctx), b = arena_make(ctx);
    cliv_optimizer *whole = make(ctx, &settings[3], 64), *cut = make(ctx, &settings[3], 64);
    for (size_t i = 0; i < arena_count(); i++) {
      ASSERT_OK(ctx, cliv_optimizer_add(whole, a.p[i], a.g[i], 0));
      ASSERT_OK(ctx, cliv_optimizer_add(cut, b.p[i], b.g[i], 0));
    }
    steps(whole, 3);
    const cl_ulong most = ctx->facts.max_allocation;
    ctx->facts.max_allocation = 1024 * sizeof(float);
    cut->launch = 200;
    steps(cut, 3);
    ctx->facts.max_allocation = most;
    assert_true(cut->plan.bank_count > 5 && cut->plan.batch_count > 2 * cut->plan.bank_count);
    for (size_t i = 0; i < arena_count(); i++) ASSERT_SAME_TENSORS(b.p[i], a.p[i]);
    cliv_optimizer_free(whole);
    cliv_optimizer_free(cut);
    arena_free(&a);
    arena_free(&b);
    test_close(ctx);
  }
}

static void too_large_for_the_device(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const cl_ulong most = ctx->facts.max_allocation;
  cliv_optimizer *o = make(ctx, &settings[5], 0);
  test_guarded p = test_guard1(ctx, CLIV_F32, 1000, 0, NULL), g = test_guard1(ctx, CLIV_F32, 1000, 0, NULL);
  ASSERT_OK(ctx, cliv_optimizer_add(o, p.tensor, g.tensor, 0));
  ctx->facts.max_allocation = 2048;
  ASSERT_FAILS(ctx, cliv_optimizer_step(o, NULL), CLIV_DEVICE_MEMORY, "parameter 0");
  assert_int_equal(cliv_optimizer_steps(o), 0);
  ctx->facts.max_allocation = most;
  steps(o, 1);
  assert_int_equal(cliv_optimizer_steps(o), 1);
  cliv_optimizer_free(o);
  test_guard_free(&p);
  test_guard_free(&g);
  test_close(ctx);
}

/* ---- groups, flags, time ---- */

static void groups_have_their_own(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    arena a = arena_make(ctx), b = arena_make(ctx);
    const setting other = {"sgd", {"lr", "momentum", "maximize"}, {0.01, 0.5, 1}};
    cliv_optimizer *o = make(ctx, &settings[1], 0); /* no momentum in group 0, some in group 1 */
    int group;
    ASSERT_OK(ctx, cliv_optimizer_group(o, &group));
    assert_int_equal(group, 1);
    double lr;
    ASSERT_OK(ctx, cliv_optimizer_get(o, 1, "lr", &lr));
    assert_true(lr == 0.2);
    for (size_t k = 0; k < 3; k++) ASSERT_OK(ctx, cliv_optimizer_set(o, 1, other.hyper[k], other.value[k]));
    for (size_t i = 0; i < arena_count(); i++) ASSERT_OK(ctx, cliv_optimizer_add(o, a.p[i], a.g[i], i % 3 == 0));
    steps(o, 3);
    assert_int_equal(o->plan.batch_count, 2); /* one for each set of states */
    assert_int_equal(cliv_optimizer_state_count(o, 0), 1);
    assert_int_equal(cliv_optimizer_state_count(o, 1), 0);
    for (size_t i = 0; i < arena_count(); i += 7) {
      float *want = alone(ctx, i % 3 ? &settings[1] : &other, &b, i, 3), *got = test_read(a.p[i]);
      ASSERT_SAME(CLIV_F32, got, want, arena_shape(i));
      free(want);
      free(got);
    }
    cliv_optimizer_free(o);
    arena_free(&a);
    arena_free(&b);
    test_close(ctx);
  }
}

static cliv_schedule *schedule(const char *text) {
  cliv_schedule *s;
  ASSERT_OK(NULL, cliv_schedule_create(NULL, text, NULL, &s));
  return s;
}

/* A schedule does what setting the value before every step does; that of a group goes before that of all. */
static void schedules_set_values(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  arena a = arena_make(ctx), b = arena_make(ctx);
  cliv_schedule *falling = schedule("linear(4)"), *halves = schedule("exponential(0.5)");
  cliv_optimizer *by_schedule = make(ctx, &settings[5], 0), *by_hand = make(ctx, &settings[5], 0);
  ASSERT_OK(ctx, cliv_optimizer_schedule(by_schedule, CLIV_ALL_GROUPS, "lr", falling));
  ASSERT_OK(ctx, cliv_optimizer_schedule(by_schedule, CLIV_ALL_GROUPS, "weight_decay", falling));
  int group;
  ASSERT_OK(ctx, cliv_optimizer_group(by_schedule, &group));
  ASSERT_OK(ctx, cliv_optimizer_group(by_hand, &group));
  ASSERT_OK(ctx, cliv_optimizer_schedule(by_schedule, 1, "lr", halves));
  for (size_t i = 0; i < arena_count(); i++) {
    ASSERT_OK(ctx, cliv_optimizer_add(by_schedule, a.p[i], a.g[i], i % 2 ? 1 : 0));
    ASSERT_OK(ctx, cliv_optimizer_add(by_hand, b.p[i], b.g[i], i % 2 ? 1 : 0));
  }
  double lr, decay, value;
  ASSERT_OK(ctx, cliv_optimizer_get(by_schedule, 0, "lr", &lr));
  ASSERT_OK(ctx, cliv_optimizer_get(by_schedule, 0, "weight_decay", &decay));
  for (int t = 0; t < 6; t++) {
    const double line = t < 4 ? 1 - t / 4.0 : 0;
    ASSERT_OK(ctx, cliv_optimizer_value(by_schedule, 1, "lr", &value));
    assert_true(value == lr / (1 << t));
    ASSERT_OK(ctx, cliv_optimizer_set(by_hand, 0, "lr", lr * line));
    ASSERT_OK(ctx, cliv_optimizer_set(by_hand, 1, "lr", value));
    ASSERT_OK(ctx, cliv_optimizer_set(by_hand, CLIV_ALL_GROUPS, "weight_decay", decay * line));
    steps(by_schedule, 1);
    steps(by_hand, 1);
  }
  for (size_t i = 0; i < arena_count(); i++) ASSERT_SAME_TENSORS(a.p[i], b.p[i]);
  ASSERT_OK(ctx, cliv_optimizer_schedule(by_schedule, 1, "lr", NULL)); /* that of all is left */
  ASSERT_OK(ctx, cliv_optimizer_value(by_schedule, 1, "lr", &value));
  assert_true(value == 0);
  cliv_optimizer_free(by_schedule);
  cliv_optimizer_free(by_hand);
  cliv_schedule_free(falling);
  cliv_schedule_free(halves);
  arena_free(&a);
  arena_free(&b);
  test_close(ctx);
}

/* What a schedule takes out of its bounds stops the step, and nothing is changed. */
static void schedules_stay_within_bounds(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  arena a = arena_make(ctx);
  cliv_schedule *doubles = schedule("exponential(2)");
  cliv_optimizer *o = make(ctx, &(setting){"adamw", {"beta1"}, {0.6}}, 0);
  ASSERT_OK(ctx, cliv_optimizer_add(o, a.p[0], a.g[0], CLIV_DEFAULT_GROUP));
  ASSERT_FAILS(ctx, cliv_optimizer_schedule(o, 1, "lr", doubles), CLIV_VALUE, "group 1");
  ASSERT_FAILS(ctx, cliv_optimizer_schedule(o, 0, "rate", doubles), CLIV_NAME, "'rate'");
  ASSERT_OK(ctx, cliv_optimizer_schedule(o, 0, "beta1", doubles));
  steps(o, 1);
  float *before = test_read(a.p[0]);
  ASSERT_FAILS(ctx, cliv_optimizer_step(o, NULL), CLIV_VALUE, "beta1 of adamw is 1.2");
  float *after = test_read(a.p[0]);
  ASSERT_SAME(CLIV_F32, after, before, arena_shape(0));
  assert_int_equal(cliv_optimizer_steps(o), 1);
  ASSERT_OK(ctx, cliv_optimizer_schedule(o, 0, "beta1", NULL));
  steps(o, 1);
  free(before);
  free(after);
  cliv_optimizer_free(o);
  cliv_schedule_free(doubles);
  arena_free(&a);
  test_close(ctx);
}

/* ftrl divides by lr: at 0, which a warm-up begins with, nothing moves, sums included. */
static void lr_may_be_zero(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const setting with = {"ftrl", {"lr", "beta"}, {0.1, 1}};
  arena a = arena_make(ctx), b = arena_make(ctx);
  cliv_optimizer *o = make(ctx, &with, 0), *later = make(ctx, &with, 0);
  cliv_schedule *warmup = schedule("warmup(1)");
  ASSERT_OK(ctx, cliv_optimizer_schedule(o, CLIV_ALL_GROUPS, "lr", warmup));
  ASSERT_OK(ctx, cliv_optimizer_add(o, a.p[3], a.g[3], 0));
  ASSERT_OK(ctx, cliv_optimizer_add(later, b.p[3], b.g[3], 0));
  steps(o, 1);
  ASSERT_SAME_TENSORS(a.p[3], b.p[3]);
  steps(o, 2);
  steps(later, 2);
  ASSERT_SAME_TENSORS(a.p[3], b.p[3]);
  cliv_schedule_free(warmup);
  cliv_optimizer_free(o);
  cliv_optimizer_free(later);
  arena_free(&a);
  arena_free(&b);
  test_close(ctx);
}

/* A tensor added later counts its steps from there; states in use survive the new plan. */
static void latecomers_count_from_their_first_step(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  arena a = arena_make(ctx), b = arena_make(ctx);
  cliv_optimizer *o = make(ctx, &settings[5], 0);
  ASSERT_OK(ctx, cliv_optimizer_add(o, a.p[3], a.g[3], 0));
  steps(o, 4);
  ASSERT_OK(ctx, cliv_optimizer_add(o, a.p[8], a.g[8], 0));
  steps(o, 3);
  assert_int_equal(o->plan.batch_count, 1);
  const struct {
    size_t param;
    int steps;
  } check[] = {{3, 7}, {8, 3}};
  for (size_t k = 0; k < 2; k++) {
    float *want = alone(ctx, &settings[5], &b, check[k].param, check[k].steps), *got = test_read(a.p[check[k].param]);
    ASSERT_SAME(CLIV_F32, got, want, arena_shape(check[k].param));
    free(want);
    free(got);
  }
  cliv_optimizer_free(o);
  arena_free(&a);
  arena_free(&b);
  test_close(ctx);
}

/* Momentum switched on, off and on again: there is a buffer exactly while it is on, and it starts from zero. */
static void states_come_and_go(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  arena a = arena_make(ctx);
  const size_t i = 3, n = arena_shape(i);
  cliv_optimizer *o = make(ctx, &settings[3], 0); /* centered rmsprop with momentum: three states */
  ASSERT_OK(ctx, cliv_optimizer_add(o, a.p[i], a.g[i], 0));
  steps(o, 2);
  cliv_tensor *view;
  ASSERT_OK(ctx, cliv_optimizer_state(o, 0, "square_avg", &view));
  float *before = test_read(view);
  cliv_tensor_free(view);
  ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "momentum", 0));
  assert_int_equal(cliv_optimizer_state_count(o, 0), 2);
  ASSERT_FAILS(ctx, cliv_optimizer_state(o, 0, "momentum_buffer", &view), CLIV_STATE, "momentum > 0");
  assert_null(view);
  ASSERT_OK(ctx, cliv_optimizer_state(o, 0, "square_avg", &view));
  float *after = test_read(view);
  ASSERT_SAME(CLIV_F32, after, before, n);
  cliv_tensor_free(view);
  ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "momentum", 0.5));
  ASSERT_OK(ctx, cliv_optimizer_state(o, 0, "momentum_buffer", &view));
  float *fresh = test_read(view);
  for (size_t k = 0; k < n; k++) assert_true(fresh[k] == 0);
  cliv_tensor_free(view);
  free(before);
  free(after);
  free(fresh);
  cliv_optimizer_free(o);
  arena_free(&a);
  test_close(ctx);
}

/* Initial states follow each group's hyper-parameter. */
static void initial_states(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  arena a = arena_make(ctx);
  cliv_optimizer *o = make(ctx, &settings[2], 0);
  int group;
  ASSERT_OK(ctx, cliv_optimizer_group(o, &group));
  ASSERT_OK(ctx, cliv_optimizer_set(o, group, "initial_accumulator_value", 0.25));
  for (size_t i = 0; i < 4; i++) ASSERT_OK(ctx, cliv_optimizer_add(o, a.p[i], a.g[i], i % 2 ? group : 0));
  for (size_t i = 0; i < 4; i++) {
    cliv_tensor *view;
    ASSERT_OK(ctx, cliv_optimizer_state(o, i, "sum", &view));
    assert_int_equal(cliv_tensor_count(view), arena_shape(i));
    float *s = test_read(view);
    for (size_t k = 0; k < arena_shape(i); k++) assert_true(s[k] == (i % 2 ? 0.25f : 0.5f));
    free(s);
    cliv_tensor_free(view);
  }
  cliv_optimizer_free(o);
  arena_free(&a);
  test_close(ctx);
}

/* States and the count of steps carried into a new optimizer: the rest of the run has the same bits. */
static void resumes(void **state) {
  (void)state;
  for (size_t s = 0; s < SETTINGS; s++) {
    if (!tries(&settings[s])) continue;
    cliv_context *ctx = test_open(test_walks[s % TEST_WALKS]);
    arena a = arena_make(ctx), b = arena_make(ctx);
    cliv_optimizer *o = make(ctx, &settings[s], 0), *resumed = make(ctx, &settings[s], 0);
    for (size_t i = 0; i < arena_count(); i++) ASSERT_OK(ctx, cliv_optimizer_add(o, a.p[i], a.g[i], 0));
    steps(o, 3);
    for (size_t i = 0; i < arena_count(); i++) {
      ASSERT_OK(ctx, cliv_tensor_copy(a.p[i], b.p[i], NULL));
      ASSERT_OK(ctx, cliv_optimizer_add(resumed, b.p[i], b.g[i], 0));
    }
    for (size_t i = 0; i < arena_count(); i++)
      for (size_t k = 0; k < cliv_optimizer_state_count(o, i); k++) {
        const char *name = cliv_optimizer_state_name(o, i, k);
        cliv_tensor *from, *to;
        ASSERT_OK(ctx, cliv_optimizer_state(o, i, name, &from));
        ASSERT_OK(ctx, cliv_optimizer_state(resumed, i, name, &to));
        ASSERT_OK(ctx, cliv_tensor_copy(from, to, NULL));
        cliv_tensor_free(from);
        cliv_tensor_free(to);
      }
    ASSERT_OK(ctx, cliv_optimizer_set_steps(resumed, cliv_optimizer_steps(o)));
    steps(o, 3);
    steps(resumed, 3);
    assert_int_equal(cliv_optimizer_steps(resumed), 6);
    for (size_t i = 0; i < arena_count(); i++) ASSERT_SAME_TENSORS(b.p[i], a.p[i]);
    cliv_optimizer_free(o);
    cliv_optimizer_free(resumed);
    arena_free(&a);
    arena_free(&b);
    test_close(ctx);
  }
}

static void momentum_decay(cliv_optimizer *o, double value) {
  ASSERT_OK(NULL, cliv_optimizer_set(o, CLIV_ALL_GROUPS, "momentum_decay", value));
}

/* Scalars that depend on the steps before: a new plan keeps what has been, hyper-parameters of those steps included;
 * setting the count of steps goes through it anew with those in force. */
static void rules_remember(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const setting with = {"nadam", {"lr"}, {0.1}};
  const size_t n = arena_shape(3), bytes = n * sizeof(float);
  float *got[4];
  for (int way = 0; way < 4; way++) {
    arena a = arena_make(ctx);
    cliv_optimizer *o = make(ctx, &with, 0);
    ASSERT_OK(ctx, cliv_optimizer_add(o, a.p[3], a.g[3], 0));
    momentum_decay(o, way == 3 ? 0.01 : 1);
    steps(o, 3);
    momentum_decay(o, 0.01);
    if (way == 1) ASSERT_OK(ctx, cliv_optimizer_add(o, a.p[8], a.g[8], 0));
    if (way == 2) ASSERT_OK(ctx, cliv_optimizer_set_steps(o, 3));
    if (way >= 2) { /* the same weights and states from here, so that the scalars alone differ */
      cliv_tensor *mean, *square;
      ASSERT_OK(ctx, cliv_optimizer_state(o, 0, "exp_avg", &mean));
      ASSERT_OK(ctx, cliv_optimizer_state(o, 0, "exp_avg_sq", &square));
      ASSERT_OK(ctx, cliv_tensor_fill(mean, 0.25, NULL));
      ASSERT_OK(ctx, cliv_tensor_fill(square, 0.5, NULL));
      ASSERT_OK(ctx, cliv_tensor_fill(a.p[3], 1, NULL));
      cliv_tensor_free(mean);
      cliv_tensor_free(square);
    }
    steps(o, 2);
    got[way] = test_read(a.p[3]);
    cliv_optimizer_free(o);
    arena_free(&a);
  }
  ASSERT_BITS(got[1], got[0], bytes);
  ASSERT_BITS(got[2], got[3], bytes);
  for (int way = 0; way < 4; way++) free(got[way]);
  test_close(ctx);
}

/* What is gone through anew sees the schedule as it was: laprop's mean of lr resumes to the last bit. */
static void rules_remember_schedules(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const setting with = {"laprop", {"lr"}, {0.1}};
  cliv_schedule *falling = schedule("linear(9)");
  arena a = arena_make(ctx);
  cliv_optimizer *whole = make(ctx, &with, 0), *resumed = make(ctx, &with, 0);
  ASSERT_OK(ctx, cliv_optimizer_schedule(whole, CLIV_ALL_GROUPS, "lr", falling));
  ASSERT_OK(ctx, cliv_optimizer_schedule(resumed, CLIV_ALL_GROUPS, "lr", falling));
  ASSERT_OK(ctx, cliv_optimizer_add(whole, a.p[3], a.g[3], 0));
  steps(whole, 4);
  arena b = arena_make(ctx);
  ASSERT_OK(ctx, cliv_tensor_copy(a.p[3], b.p[3], NULL));
  ASSERT_OK(ctx, cliv_optimizer_add(resumed, b.p[3], b.g[3], 0));
  for (size_t k = 0; k < cliv_optimizer_state_count(whole, 0); k++) {
    cliv_tensor *from, *to;
    ASSERT_OK(ctx, cliv_optimizer_state(whole, 0, cliv_optimizer_state_name(whole, 0, k), &from));
    ASSERT_OK(ctx, cliv_optimizer_state(resumed, 0, cliv_optimizer_state_name(whole, 0, k), &to));
    ASSERT_OK(ctx, cliv_tensor_copy(from, to, NULL));
    cliv_tensor_free(from);
    cliv_tensor_free(to);
  }
  ASSERT_OK(ctx, cliv_optimizer_set_steps(resumed, 4));
  steps(whole, 3);
  steps(resumed, 3);
  ASSERT_SAME_TENSORS(b.p[3], a.p[3]);
  cliv_optimizer_free(whole);
  cliv_optimizer_free(resumed);
  cliv_schedule_free(falling);
  arena_free(&a);
  arena_free(&b);
  test_close(ctx);
}

/* A preset is the rule's defaults with other values; group 0 starts with them, and so do the groups after it. */
static void presets_are_values(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_optimizer *o;
  cliv_optimizer_options options = {.size = sizeof options, .preset = "keras"};
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "adam", &options, &o));
  int group;
  double eps[2], lr;
  ASSERT_OK(ctx, cliv_optimizer_group(o, &group));
  for (int i = 0; i < 2; i++) ASSERT_OK(ctx, cliv_optimizer_get(o, i, "eps", &eps[i]));
  ASSERT_OK(ctx, cliv_optimizer_get(o, 0, "lr", &lr));
  assert_true(eps[0] == 1e-7 && eps[1] == 1e-7 && lr == 1e-3);
  cliv_optimizer_free(o);
  options.preset = "chainer";
  ASSERT_FAILS(ctx, cliv_optimizer_create(ctx, "radam", &options, &o), CLIV_NAME,
               "preset of radam 'chainer' is unknown; there are: torch, optax, paper");
  assert_null(o);
  options.preset = "torch";
  ASSERT_FAILS(ctx, cliv_optimizer_create(ctx, "lion", &options, &o), CLIV_NAME, "there are: paper, keras, optax");
  test_close(ctx);
}

/* ---- the queue ---- */

/* Far more steps than there are slots for scalars, none waited for; the last one's event; the caller's tensors already
 * freed. */
static void many_steps_without_waiting(void **state) {
  (void)state;
  const int count = 3 * CLIV__SLOTS + 5;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  float *result[2];
  for (int waits = 0; waits < 2; waits++) {
    const size_t n = 100;
    cliv_tensor *p, *g;
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &p));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &g));
    ASSERT_OK(ctx, cliv_tensor_fill(p, 1, NULL));
    ASSERT_OK(ctx, cliv_tensor_fill(g, 0.5, NULL));
    cliv_optimizer *o = make(ctx, &settings[5], 0);
    ASSERT_OK(ctx, cliv_optimizer_add(o, p, g, 0));
    cliv_tensor_free(g);
    for (int t = 0; t < count; t++) {
      cl_event done = NULL;
      const cliv_sync sync = {.done = t + 1 == count ? &done : NULL};
      ASSERT_OK(ctx, cliv_optimizer_step(o, &sync));
      if (waits) ASSERT_OK(ctx, cliv_context_finish(ctx));
      if (t + 1 < count) continue;
      ASSERT_CL(clWaitForEvents(1, &done));
      ASSERT_CL(clReleaseEvent(done));
    }
    cliv_optimizer_free(o);
    result[waits] = test_read(p);
    cliv_tensor_free(p);
  }
  ASSERT_SAME(CLIV_F32, result[0], result[1], 100);
  free(result[0]);
  free(result[1]);
  test_close(ctx);
}

/* In a caller's out-of-order queue, with several launches a step. */
static void out_of_order_queue(void **state) {
  (void)state;
  cliv_context *own = test_open(CLIV_WALK_AUTO);
  cl_context context = cliv_context_cl_context(own);
  cl_device_id device = cliv_context_cl_device(own);
  cl_int code;
  cl_command_queue queue = clCreateCommandQueue(context, device, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);
  if (code != CL_SUCCESS) { /* the device has no such queues */
    test_close(own);
    skip();
  }
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_wrap(context, device, queue, NULL, &ctx));
  size_t bytes[2];
  unsigned char *all[2];
  for (int k = 0; k < 2; k++) {
    cliv_optimizer *o = make(k ? ctx : own, &settings[3], 0);
    set s = set_make(k ? ctx : own, o, CLIV_F32, CLIV_BF16, 0);
    cl_event done = NULL;
    ASSERT_OK(NULL, cliv_optimizer_step(o, &(cliv_sync){.done = &done}));
    ASSERT_OK(NULL, cliv_optimizer_step(o, &(cliv_sync){.wait_count = 1, .wait = &done}));
    steps(o, 2);
    ASSERT_CL(clReleaseEvent(done));
    all[k] = set_bytes(&s, o, &bytes[k]);
    cliv_optimizer_free(o);
    set_free(&s);
  }
  assert_int_equal(bytes[0], bytes[1]);
  ASSERT_BITS(all[1], all[0], bytes[0]);
  free(all[0]);
  free(all[1]);
  cliv_context_free(ctx);
  ASSERT_CL(clReleaseCommandQueue(queue));
  test_close(own);
}

static void nothing_to_step(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_optimizer *o = make(ctx, &settings[5], 0);
  test_guarded p = test_guard1(ctx, CLIV_F32, 0, 0, NULL), g = test_guard1(ctx, CLIV_F32, 0, 0, NULL);
  for (int k = 0; k < 2; k++) {
    cl_event done = NULL;
    ASSERT_OK(ctx, cliv_optimizer_step(o, &(cliv_sync){.done = &done}));
    assert_non_null(done);
    ASSERT_CL(clWaitForEvents(1, &done));
    ASSERT_CL(clReleaseEvent(done));
    if (k == 0) ASSERT_OK(ctx, cliv_optimizer_add(o, p.tensor, g.tensor, 0));
  }
  assert_int_equal(cliv_optimizer_steps(o), 2);
  cliv_optimizer_free(o);
  cliv_optimizer_free(NULL);
  test_guard_free(&p);
  test_guard_free(&g);
  test_close(ctx);
}

/* ---- refusals ---- */

static void refuses_names_and_values(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_optimizer *o = (cliv_optimizer *)ctx;
  ASSERT_FAILS(NULL, cliv_optimizer_create(NULL, "adam", NULL, &o), CLIV_NULL, "ctx");
  assert_null(o);
  ASSERT_FAILS(ctx, cliv_optimizer_create(ctx, "adamx", NULL, &o), CLIV_NAME,
               "'adamx' is unknown (did you mean adam?); there are: sgd, adagrad, rmsprop, adam, adamw, lion");
  ASSERT_FAILS(ctx, cliv_optimizer_create(ctx, "gradient", NULL, &o), CLIV_NAME, "'gradient' is unknown; there are: ");
  ASSERT_FAILS(ctx, cliv_optimizer_create(ctx, NULL, NULL, &o), CLIV_NULL, "rule");
  ASSERT_FAILS(ctx, cliv_optimizer_create(ctx, "adam", &(cliv_optimizer_options){.chunk = 100}, &o), CLIV_VALUE, "100");
  ASSERT_FAILS(ctx, cliv_optimizer_create(ctx, "adam", &(cliv_optimizer_options){.size = 1}, &o), CLIV_VALUE, "size");
  o = make(ctx, &settings[0], 0);
  const struct {
    const char *hyper;
    double value;
    cliv_status status;
    const char *part;
  } bad[] = {{"lr", -1, CLIV_VALUE, "lr of sgd is -1; it must be at least 0"},
             {"lr", NAN, CLIV_VALUE, "nan"},
             {"lr", INFINITY, CLIV_VALUE, "inf"},
             {"momentum", 1.5, CLIV_VALUE, "at most 1"},
             {"nesterov", 0.5, CLIV_VALUE, "0 or 1"},
             {"beta1", 0.9, CLIV_NAME, "lr, momentum, dampening"},
             {NULL, 0, CLIV_NULL, "hyper"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    ASSERT_FAILS(ctx, cliv_optimizer_set(o, CLIV_ALL_GROUPS, bad[i].hyper, bad[i].value), bad[i].status, bad[i].part);
  ASSERT_FAILS(ctx, cliv_optimizer_set(o, 1, "lr", 1), CLIV_VALUE, "group 1");
  double value = 7;
  ASSERT_FAILS(ctx, cliv_optimizer_get(o, -1, "lr", &value), CLIV_VALUE, "group -1");
  ASSERT_FAILS(ctx, cliv_optimizer_get(o, 0, "eps", &value), CLIV_NAME, "eps");
  assert_true(value == 7);
  ASSERT_OK(ctx, cliv_optimizer_get(o, 0, "lr", &value));
  assert_true(value == 0.1);
  cliv_optimizer_free(o);

  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "adam", NULL, &o));
  ASSERT_FAILS(ctx, cliv_optimizer_set(o, 0, "beta2", 1), CLIV_VALUE, "below 1");
  cliv_optimizer_free(o);
  test_close(ctx);
}

static void refuses_conflicts(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_optimizer *o = make(ctx, &settings[1], 0);
  ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "nesterov", 1));
  ASSERT_FAILS(ctx, cliv_optimizer_step(o, NULL), CLIV_VALUE, "nesterov needs a momentum");
  ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "momentum", 0.9));
  ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "dampening", 0.1));
  ASSERT_FAILS(ctx, cliv_optimizer_step(o, NULL), CLIV_VALUE, "dampening 0");
  ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "nesterov", 0));
  ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "averaged", 1));
  ASSERT_FAILS(ctx, cliv_optimizer_step(o, NULL), CLIV_VALUE, "averaged needs dampening 0");
  assert_int_equal(cliv_optimizer_steps(o), 0);
  cliv_optimizer_free(o);
  test_close(ctx);
}

static void refuses_tensors(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO), *other = test_open(CLIV_WALK_AUTO);
  cliv_optimizer *o = make(ctx, &settings[4], 0);
  const size_t shape[] = {6, 8}, part[] = {6, 4};
  cliv_tensor *p, *g, *flat, *integers, *column, *foreign, *shifted, *half;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &p));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &g));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (const size_t[]){48}, &flat));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 2, shape, &integers));
  ASSERT_OK(ctx, cliv_tensor_view(p, 0, 2, part, 8, &column));
  ASSERT_OK(ctx, cliv_tensor_view(p, 8, 1, (const size_t[]){8}, 0, &shifted));
  ASSERT_OK(ctx, cliv_tensor_view(g, 8, 1, (const size_t[]){8}, 0, &half));
  ASSERT_OK(other, cliv_tensor_create(other, CLIV_F32, 2, shape, &foreign));
  ASSERT_FAILS(ctx, cliv_optimizer_add(o, NULL, g, 0), CLIV_NULL, "param");
  ASSERT_FAILS(ctx, cliv_optimizer_add(o, p, NULL, 0), CLIV_NULL, "grad");
  ASSERT_FAILS(ctx, cliv_optimizer_add(o, p, g, 1), CLIV_VALUE, "group 1");
  ASSERT_FAILS(ctx, cliv_optimizer_add(o, p, flat, 0), CLIV_SHAPE, "float32 [48]");
  ASSERT_FAILS(ctx, cliv_optimizer_add(o, p, integers, 0), CLIV_DTYPE, "int32");
  ASSERT_FAILS(ctx, cliv_optimizer_add(o, column, column, 0), CLIV_LAYOUT, "pitch of 8");
  ASSERT_FAILS(ctx, cliv_optimizer_add(o, p, foreign, 0), CLIV_VALUE, "another context");
  ASSERT_FAILS(ctx, cliv_optimizer_add(o, p, p, 0), CLIV_OVERLAP, "its gradient");
  if (cliv_context_has(ctx, CLIV_F64)) {
    cliv_tensor *wide;
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F64, 2, shape, &wide));
    ASSERT_FAILS(ctx, cliv_optimizer_add(o, wide, g, 0), CLIV_DTYPE, "float64");
    cliv_tensor_free(wide);
  }
  assert_int_equal(cliv_optimizer_param_count(o), 0);
  ASSERT_OK(ctx, cliv_optimizer_add(o, p, g, 0));
  ASSERT_FAILS(ctx, cliv_optimizer_add(o, p, g, 0), CLIV_OVERLAP, "parameter 0");
  ASSERT_FAILS(ctx, cliv_optimizer_add(o, shifted, half, 0), CLIV_OVERLAP, "parameter 0");
  ASSERT_FAILS(ctx, cliv_optimizer_add(o, g, p, 0), CLIV_OVERLAP, "parameter 0's gradient");
  cliv_tensor *view;
  ASSERT_FAILS(ctx, cliv_optimizer_state(o, 1, "exp_avg", &view), CLIV_VALUE, "parameter 1");
  ASSERT_FAILS(ctx, cliv_optimizer_state(o, 0, "momentum_buffer", &view), CLIV_NAME, "exp_avg, exp_avg_sq");
  assert_null(view);
  assert_null(cliv_optimizer_state_name(o, 0, 2));
  assert_int_equal(cliv_optimizer_state_count(o, 1), 0);
  cliv_tensor *const all[] = {p, g, flat, integers, column, foreign, shifted, half};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  cliv_optimizer_free(o);
  test_close(other);
  test_close(ctx);
}

/* ---- special values ---- */

/* What is not finite: NaN gradients reach weight and states as the canonical NaN; lion does not move where its mean is
 * 0. */
static void special_values(void **unused) {
  (void)unused;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t s = 0; s < SETTINGS; s++) {
      if (!tries(&settings[s])) continue;
      const float start[] = {1, 1, 1}, slope[] = {NAN, 0, 1};
      test_guarded p = test_guard1(ctx, CLIV_F32, 3, 0, start), g = test_guard1(ctx, CLIV_F32, 3, 0, slope);
      cliv_optimizer *o = make(ctx, &settings[s], 0);
      if (cliv__rule_hyper(o->rule, "weight_decay") >= 0) ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "weight_decay", 0));
      ASSERT_OK(ctx, cliv_optimizer_add(o, p.tensor, g.tensor, 0));
      steps(o, 2);
      float *got = test_read(p.tensor);
      uint32_t bits;
      memcpy(&bits, &got[0], sizeof bits);
      assert_int_equal(bits, 0x7fc00000);
      const bool anew = !strcmp(settings[s].rule, "ftrl"); /* works weights out from sums alone */
      assert_true(got[1] == (anew ? 0 : 1) && got[2] < 1);
      free(got);
      for (size_t k = 0; k < cliv_optimizer_state_count(o, 0); k++) {
        cliv_tensor *view;
        const char *state = cliv_optimizer_state_name(o, 0, k);
        if (!strcmp(state, "x0")) continue; /* the weight before the NaN */
        ASSERT_OK(ctx, cliv_optimizer_state(o, 0, state, &view));
        float *v = test_read(view);
        memcpy(&bits, &v[0], sizeof bits);
        assert_int_equal(bits, 0x7fc00000);
        free(v);
        cliv_tensor_free(view);
      }
      cliv_optimizer_free(o);
      test_guard_free(&p);
      test_guard_free(&g);
    }
    test_close(ctx);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layouts_agree),
      cmocka_unit_test(narrow_storage_rounds_once),
      cmocka_unit_test(arena_steps_in_one_launch),
      cmocka_unit_test(small_limits_change_nothing),
      cmocka_unit_test(too_large_for_the_device),
      cmocka_unit_test(groups_have_their_own),
      cmocka_unit_test(schedules_set_values),
      cmocka_unit_test(schedules_stay_within_bounds),
      cmocka_unit_test(lr_may_be_zero),
      cmocka_unit_test(latecomers_count_from_their_first_step),
      cmocka_unit_test(states_come_and_go),
      cmocka_unit_test(initial_states),
      cmocka_unit_test(resumes),
      cmocka_unit_test(rules_remember),
      cmocka_unit_test(rules_remember_schedules),
      cmocka_unit_test(presets_are_values),
      cmocka_unit_test(many_steps_without_waiting),
      cmocka_unit_test(out_of_order_queue),
      cmocka_unit_test(nothing_to_step),
      cmocka_unit_test(refuses_names_and_values),
      cmocka_unit_test(refuses_conflicts),
      cmocka_unit_test(refuses_tensors),
      cmocka_unit_test(special_values),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
