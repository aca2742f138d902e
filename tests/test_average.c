/* Averages of weights: against the packages' own, against double, in every layout; swapping, files, refusals. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cliv/average.h>
#include <cliv/safetensors.h>

#include "optim/average.h"
#include "runtime/tensor.h"

static const char *const kinds[] = {"ema", "swa", "lookahead"};
enum { KINDS = 3 };

static void update(cliv_average *a, int count) {
  for (int t = 0; t < count; t++) ASSERT_OK(NULL, cliv_average_update(a, NULL));
}

/* ---- the table ---- */

static void table_is_consistent(void **state) {
  (void)state;
  assert_int_equal(cliv_average_kind_count(), KINDS);
  assert_null(cliv_average_kind_get(KINDS));
  assert_null(cliv_average_kind_find("mean"));
  assert_null(cliv_average_kind_find(NULL));
  for (size_t i = 0; i < KINDS; i++) {
    const cliv_rule_info *k = cliv_average_kind_get(i);
    assert_string_equal(k->name, kinds[i]);
    assert_ptr_equal(cliv_average_kind_find(kinds[i]), k);
    assert_null(cliv_rule_find(kinds[i])); /* no rules of the table */
    assert_true(strlen(k->summary) && strlen(k->source) && k->preset_count >= 1 && k->presets[0].setting_count == 0);
    for (size_t h = 0; h < k->hyper_count; h++)
      assert_true(k->hypers[h].initial >= k->hypers[h].min && k->hypers[h].initial <= k->hypers[h].max);
    for (size_t p = 0; p < k->preset_count; p++)
      for (size_t s = 0; s < k->presets[p].setting_count; s++)
        assert_true(cliv__rule_hyper(cliv__average_kind(kinds[i]), k->presets[p].settings[s].name) >= 0);
  }
}

/* ---- the packages ---- */

enum { GOLDEN_N = 40, GOLDEN_UPDATES = 30, GOLDEN_MIDDLE = 10 };

static float *golden(cliv_safetensors *file, const char *case_name, const char *what) {
  char name[80];
  cliv_array array;
  snprintf(name, sizeof name, "%s%s%s", case_name ? case_name : "", case_name ? "." : "", what);
  ASSERT_OK(NULL, cliv_safetensors_read(file, name, &array));
  return array.data;
}

/* Each within 1e-6 of the largest. */
static void compare(cliv_safetensors *file, const char *case_name, const char *what, const cliv_tensor *got) {
  float *x = test_read(got), *want = golden(file, case_name, what), most = 0;
  for (size_t i = 0; i < GOLDEN_N; i++) most = fmaxf(most, fabsf(want[i]));
  for (size_t i = 0; i < GOLDEN_N; i++)
    if (!(fabsf(x[i] - want[i]) <= 1e-6f * most))
      fail_msg("%s after %s: [%zu] is %.9g, the package has %.9g", case_name, what, i, (double)x[i], (double)want[i]);
  free(x);
  free(want);
}

/* "kind=NAME preset=NAME hyper=value …" */
static cliv_average *golden_create(cliv_optimizer *o, const char *text) {
  char copy[256];
  snprintf(copy, sizeof copy, "%s", text);
  const char *kind = strtok(copy, " ") + strlen("kind="), *preset = strtok(NULL, " ") + strlen("preset=");
  cliv_average *a;
  ASSERT_OK(NULL, cliv_average_create(o, kind, &(cliv_average_options){.preset = preset}, &a));
  for (char *pair; (pair = strtok(NULL, " ")) != NULL;) {
    char *value = strchr(pair, '=');
    *value++ = 0;
    ASSERT_OK(NULL, cliv_average_set(a, pair, strtod(value, NULL)));
  }
  return a;
}

static void golden_case(cliv_context *ctx, cliv_safetensors *file, const char *case_name, const char *text) {
  const size_t n = GOLDEN_N, bytes = n * sizeof(float);
  const bool steps = !strncmp(text, "kind=lookahead", 14);
  float *initial = golden(file, NULL, "initial"), *sequence = golden(file, NULL, steps ? "gradients" : "weights");
  cliv_optimizer *o;
  test_guarded p = test_guard1(ctx, CLIV_F32, n, 0, initial), g = test_guard1(ctx, CLIV_F32, n, 1, NULL);
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "sgd", NULL, &o));
  ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "lr", 0.1));
  ASSERT_OK(ctx, cliv_optimizer_add(o, p.tensor, g.tensor, 0));
  cliv_average *a = golden_create(o, text);
  cliv_tensor *average;
  ASSERT_OK(ctx, cliv_average_tensor(a, 0, &average));
  float *first = test_read(average);
  ASSERT_SAME(CLIV_F32, first, initial, n);
  for (int t = 1; t <= GOLDEN_UPDATES; t++) {
    ASSERT_OK(ctx, cliv_tensor_write(steps ? g.tensor : p.tensor, sequence + (size_t)(t - 1) * n, bytes));
    if (steps) ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
    update(a, 1);
    if (t == GOLDEN_MIDDLE) compare(file, case_name, "10", average);
  }
  compare(file, case_name, "30", average);
  if (steps) compare(file, case_name, "fast", p.tensor);
  cliv_tensor_free(average);
  cliv_average_free(a);
  cliv_optimizer_free(o);
  test_guard_free(&p), test_guard_free(&g);
  free(first), free(initial), free(sequence);
}

static void agrees_with_packages(void **state) {
  (void)state;
  cliv_safetensors *file;
  size_t count, seen = 0;
  char *path = test_source_path("tests/golden/averages.safetensors");
  ASSERT_OK(NULL, cliv_safetensors_open(path, &file));
  const cliv_metadata *cases = cliv_safetensors_metadata_list(file, &count);
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t i = 0; i < count; i++, seen++) golden_case(ctx, file, cases[i].key, cases[i].value);
    test_close(ctx);
  }
  assert_true(count >= 14 && seen >= count);
  cliv_safetensors_free(file);
  free(path);
}

/* ---- layouts ---- */

/* Parameters of many sizes and types, each in a guarded buffer of its own, or all in an arena. */
static const size_t sizes[] = {1, 0, 2, 17, 255, 256, 257, 4095, 4096, 4097};
enum { SIZES = 10, TYPES = 3, MOST = SIZES * TYPES };
static const cliv_dtype types[TYPES] = {CLIV_F32, CLIV_F16, CLIV_BF16};

typedef struct set {
  cliv_context *ctx;
  size_t count;
  test_guarded p[MOST], g[MOST];
  cliv_tensor *ap[MOST], *ag[MOST];
  cliv_optimizer *o;
} set;

static cliv_tensor *param(const set *s, size_t i) { return s->ap[i] ? s->ap[i] : s->p[i].tensor; }

static void hold(const cliv_tensor *t, uint64_t seed, double centre) {
  const cliv_dtype dtype = cliv_tensor_dtype(t);
  const size_t n = cliv_tensor_count(t), bytes = n * cliv_dtype_size(dtype);
  void *x = test_alloc(bytes);
  for (size_t k = 0; k < n; k++) test_put(dtype, x, k, centre + test_normal(seed, k));
  ASSERT_OK(NULL, cliv_tensor_write((cliv_tensor *)(uintptr_t)t, x, bytes));
  free(x);
}

static set set_make(cliv_context *ctx, bool arena, size_t type_count) {
  set s = {.ctx = ctx, .count = SIZES * type_count};
  int ndims[SIZES];
  for (size_t i = 0; i < SIZES; i++) ndims[i] = 1;
  if (arena) ASSERT_OK(ctx, cliv_arena_create(ctx, CLIV_F32, SIZES, ndims, sizes, s.ap));
  if (arena) ASSERT_OK(ctx, cliv_arena_create(ctx, CLIV_F32, SIZES, ndims, sizes, s.ag));
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "sgd", NULL, &s.o));
  ASSERT_OK(ctx, cliv_optimizer_set(s.o, 0, "lr", 0.1));
  for (size_t i = 0; i < s.count; i++) {
    const cliv_dtype dtype = types[i / SIZES];
    if (!arena) s.p[i] = test_guard1(ctx, dtype, sizes[i % SIZES], i % 7, NULL);
    if (!arena) s.g[i] = test_guard1(ctx, dtype, sizes[i % SIZES], i % 3, NULL);
    hold(param(&s, i), i, 0);
    hold(arena ? s.ag[i] : s.g[i].tensor, 100 + i, 0);
    ASSERT_OK(ctx, cliv_optimizer_add(s.o, param(&s, i), arena ? s.ag[i] : s.g[i].tensor, 0));
  }
  return s;
}

static void set_free(set *s) {
  cliv_optimizer_free(s->o);
  for (size_t i = 0; i < s->count; i++) {
    if (!s->ap[i]) test_guard_free(&s->p[i]), test_guard_free(&s->g[i]);
    cliv_tensor_free(s->ap[i]);
    cliv_tensor_free(s->ag[i]);
  }
}

/* What `value` becomes when it is stored as `dtype`. */
static double stored(cliv_dtype dtype, double value) {
  uint64_t room;
  test_put(dtype, &room, 0, value);
  return test_get(dtype, &room, 0);
}

/* In double: three updates of ema with decay 0.7, a share in `share` each; weights are there with an error of none. */
static void check_against_double(const set *s, cliv_average *a, const double *share, int updates) {
  for (size_t i = 0; i < s->count; i++) {
    const cliv_dtype dtype = types[i / SIZES];
    cliv_tensor *view;
    ASSERT_OK(NULL, cliv_average_tensor(a, i, &view));
    assert_int_equal(cliv_tensor_dtype(view), CLIV_F32);
    assert_int_equal(cliv_tensor_count(view), sizes[i % SIZES]);
    float *got = test_read(view);
    for (size_t k = 0; k < sizes[i % SIZES]; k++) {
      double want = stored(dtype, test_normal(i, k)), size = fabs(want);
      for (int t = 0; t < updates; t++) {
        const double w = stored(dtype, t + test_normal(1000 * (uint64_t)(t + 1) + i, k));
        want += (double)(float)share[t] * (w - want);
        size = fmax(size, fmax(fabs(w), fabs(want)));
      }
      ASSERT_NEAR(got[k], want, 3 * updates * 0x1p-24 * size);
    }
    free(got);
    cliv_tensor_free(view);
  }
}

static void sequence(const set *s, cliv_average *a, int from, int updates) {
  for (int t = from; t < updates; t++) {
    for (size_t i = 0; i < s->count; i++) hold(param(s, i), 1000 * (uint64_t)(t + 1) + i, t);
    update(a, 1);
  }
}

static void keeps_to_double(void **state) {
  (void)state;
  static const double ema_shares[] = {1, 1 - 0.7, 1 - 0.7}, swa_shares[] = {1, 0.5, 1.0 / 3, 0.25};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    set s = set_make(ctx, false, test_few() ? 1 : TYPES);
    cliv_average *a, *b;
    ASSERT_OK(ctx, cliv_average_create(s.o, "ema", NULL, &a));
    ASSERT_OK(ctx, cliv_average_create(s.o, "swa", NULL, &b));
    check_against_double(&s, a, NULL, 0);
    ASSERT_OK(ctx, cliv_average_set(a, "decay", 0.7));
    sequence(&s, a, 0, 3);
    check_against_double(&s, a, ema_shares, 3);
    sequence(&s, b, 0, 4);
    check_against_double(&s, b, swa_shares, 4);
    assert_int_equal(cliv_average_updates(b), 4);
    cliv_average_free(a);
    cliv_average_free(b);
    set_free(&s);
    test_close(ctx);
  }
}

/* The averages and parameters after some training under an average of this kind, in which the parameters are swapped
 * now and then. */
static float *train(cliv_context *ctx, const char *kind, bool arena, bool swaps, size_t *count) {
  set s = set_make(ctx, arena, 1);
  cliv_average *a;
  *count = 0;
  ASSERT_OK(ctx, cliv_average_create(s.o, kind, NULL, &a));
  ASSERT_OK(ctx, cliv_average_set(a, "interval", 2));
  if (arena) assert_int_equal(a->o->plan.batch_count, 1);
  for (int t = 0; t < 6; t++) {
    ASSERT_OK(ctx, cliv_optimizer_step(s.o, NULL));
    update(a, 1);
    for (int k = 0; swaps && t % 2 && k < 2; k++) ASSERT_OK(ctx, cliv_average_swap(a, NULL));
  }
  float *all = NULL;
  for (size_t i = 0; i < 2 * s.count; i++) {
    cliv_tensor *view = NULL;
    if (i < s.count) ASSERT_OK(ctx, cliv_average_tensor(a, i, &view));
    const cliv_tensor *t = view ? view : param(&s, i - s.count);
    float *x = test_read(t);
    all = realloc(all, (*count + cliv_tensor_count(t) + 1) * sizeof *all);
    assert_non_null(all);
    memcpy(all + *count, x, cliv_tensor_count(t) * sizeof *x);
    *count += cliv_tensor_count(t);
    free(x);
    cliv_tensor_free(view);
  }
  cliv_average_free(a);
  set_free(&s);
  return all;
}

/* Walks, arenas and swapping change no bit; an arena is one launch. */
static void layouts_agree(void **state) {
  (void)state;
  for (size_t k = 0; k < KINDS; k++) {
    float *want = NULL;
    size_t want_count = 0, count;
    for (int way = 0; way < 4; way++) {
      cliv_context *ctx = test_open(way & 1 ? CLIV_WALK_GPU : CLIV_WALK_CPU);
      float *got = train(ctx, kinds[k], way & 1, way & 2, &count);
      if (want) {
        assert_int_equal(count, want_count);
        ASSERT_SAME(CLIV_F32, got, want, count);
        free(got);
      } else want = got, want_count = count;
      test_close(ctx);
    }
    free(want);
  }
}

/* ---- swapping ---- */

static void swaps_exactly(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    set s = set_make(ctx, false, test_few() ? 2 : TYPES);
    cliv_average *a;
    void *before[MOST];
    ASSERT_OK(ctx, cliv_average_create(s.o, "ema", NULL, &a));
    sequence(&s, a, 0, 2);
    for (size_t i = 0; i < s.count; i++) before[i] = test_read(param(&s, i));
    assert_int_equal(cliv_average_swapped(a), 0);
    ASSERT_OK(ctx, cliv_average_swap(a, NULL));
    assert_int_equal(cliv_average_swapped(a), 1);
    ASSERT_FAILS(ctx, cliv_average_update(a, NULL), CLIV_STATE, "swap them back");
    for (size_t i = 0; i < s.count; i++) {
      const cliv_dtype dtype = types[i / SIZES];
      cliv_tensor *view;
      ASSERT_OK(ctx, cliv_average_tensor(a, i, &view));
      float *average = test_read(view);
      void *got = test_read(param(&s, i));
      for (size_t k = 0; k < sizes[i % SIZES]; k++)
        assert_true(test_get(dtype, got, k) == stored(dtype, (double)average[k]));
      free(average);
      free(got);
      cliv_tensor_free(view);
    }
    ASSERT_OK(ctx, cliv_average_swap(a, NULL));
    assert_int_equal(cliv_average_swapped(a), 0);
    for (size_t i = 0; i < s.count; i++) {
      void *got = test_read(param(&s, i));
      ASSERT_SAME(types[i / SIZES], got, before[i], sizes[i % SIZES]);
      free(got);
      free(before[i]);
    }
    cliv_average_free(a);
    set_free(&s);
    test_close(ctx);
  }
}

/* What is not finite is copied where the weight is copied; a mean with it is what PyTorch's lerp makes of it. */
static void special_values(void **state) {
  (void)state;
  static const float first[] = {INFINITY, -INFINITY, NAN, 1, -0.0f}, second[] = {1, 1, 1, INFINITY, -0.0f};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    cliv_optimizer *o;
    cliv_average *a;
    cliv_tensor *average;
    test_guarded p = test_guard1(ctx, CLIV_F32, 5, 0, second), g = test_guard1(ctx, CLIV_F32, 5, 0, second);
    ASSERT_OK(ctx, cliv_optimizer_create(ctx, "sgd", NULL, &o));
    ASSERT_OK(ctx, cliv_optimizer_add(o, p.tensor, g.tensor, 0));
    ASSERT_OK(ctx, cliv_average_create(o, "ema", NULL, &a));
    cliv_optimizer_free(o); /* the average goes on without it */
    ASSERT_OK(ctx, cliv_tensor_write(p.tensor, first, sizeof first));
    update(a, 1);
    ASSERT_OK(ctx, cliv_average_tensor(a, 0, &average));
    float *x = test_read(average);
    ASSERT_SAME(CLIV_F32, x, first, 5);
    free(x);
    ASSERT_OK(ctx, cliv_tensor_write(p.tensor, second, sizeof second));
    update(a, 1);
    x = test_read(average);
    assert_true(isnan(x[0]) && isnan(x[1]) && isnan(x[2]) && isinf(x[3]) && x[4] == 0);
    free(x);
    cliv_tensor_free(average);
    cliv_average_free(a);
    test_guard_free(&p), test_guard_free(&g);
    test_close(ctx);
  }
}

/* ---- files ---- */

static void resumes_from_a_file(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  char *dir = test_temp_dir(), *path = test_join(dir, "average.safetensors"), *none = test_join(dir, "none");
  for (size_t k = 0; k < KINDS; k++) {
    set s = set_make(ctx, false, 1);
    cliv_average *a, *b, *other;
    ASSERT_OK(ctx, cliv_average_create(s.o, kinds[k], NULL, &a));
    ASSERT_OK(ctx, cliv_average_set(a, "interval", 2));
    sequence(&s, a, 0, 5);
    ASSERT_OK(ctx, cliv_average_save(a, path));
    ASSERT_OK(ctx, cliv_average_create(s.o, kinds[k], NULL, &b));
    ASSERT_OK(ctx, cliv_average_set(b, "interval", 2));
    ASSERT_OK(ctx, cliv_average_load(b, path));
    assert_int_equal(cliv_average_updates(b), 5);
    for (int t = 5; t < 8; t++) {
      for (size_t i = 0; i < s.count; i++) hold(param(&s, i), (uint64_t)t, 0);
      update(a, 1);
      for (size_t i = 0; i < s.count; i++) hold(param(&s, i), (uint64_t)t, 0); /* lookahead has set them back */
      update(b, 1);
    }
    for (size_t i = 0; i < s.count; i++) {
      cliv_tensor *x, *y;
      ASSERT_OK(ctx, cliv_average_tensor(a, i, &x));
      ASSERT_OK(ctx, cliv_average_tensor(b, i, &y));
      ASSERT_SAME_TENSORS(y, x);
      cliv_tensor_free(x);
      cliv_tensor_free(y);
    }
    ASSERT_OK(ctx, cliv_average_create(s.o, kinds[(k + 1) % KINDS], NULL, &other));
    ASSERT_FAILS(ctx, cliv_average_load(other, path), CLIV_DATA, kinds[k]);
    ASSERT_FAILS(ctx, cliv_average_load(b, none), CLIV_FILE, "none");
    assert_int_equal(cliv_average_updates(b), 8);
    cliv_average_free(other);
    cliv_average_free(b);
    cliv_average_free(a);
    set_free(&s);
  }
  test_remove_tree(dir);
  free(path), free(none), free(dir);
  test_close(ctx);
}

/* Of a load that the device refuses halfway nothing is used or saved, until another has succeeded. */
static void torn_ones_are_refused(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  char *dir = test_temp_dir(), *path = test_join(dir, "average.safetensors"), *torn = test_join(dir, "torn");
  for (size_t k = 0; k < KINDS; k++) {
    set s = set_make(ctx, false, 1);
    cliv_average *a;
    ASSERT_OK(ctx, cliv_average_create(s.o, kinds[k], NULL, &a));
    ASSERT_OK(ctx, cliv_average_set(a, "interval", 1));
    sequence(&s, a, 0, 3);
    ASSERT_OK(ctx, cliv_average_save(a, path));
    sequence(&s, a, 3, 5);
    size_t last = s.count;
    while (cliv_tensor_count(a->loans[--last].from) == 0) continue;
    cliv_tensor *const lost = a->loans[last].from;
    const cl_mem mem = lost->mem;
    lost->mem = NULL;
    ASSERT_FAILS(ctx, cliv_average_load(a, path), CLIV_OPENCL, NULL);
    lost->mem = mem;
    assert_int_equal(cliv_average_updates(a), 5);
    ASSERT_FAILS(ctx, cliv_average_update(a, NULL), CLIV_STATE, "cliv_average_load");
    ASSERT_FAILS(ctx, cliv_average_swap(a, NULL), CLIV_STATE, "cliv_average_load");
    ASSERT_FAILS(ctx, cliv_average_save(a, torn), CLIV_STATE, "cliv_average_load");
    assert_false(access(torn, F_OK) == 0 || cliv_average_swapped(a));
    ASSERT_OK(ctx, cliv_average_load(a, path));
    assert_int_equal(cliv_average_updates(a), 3);
    ASSERT_OK(ctx, cliv_average_swap(a, NULL));
    a->o->torn = true; /* what is lent comes back all the same */
    ASSERT_OK(ctx, cliv_average_swap(a, NULL));
    assert_int_equal(cliv_average_swapped(a), 0);
    cliv_average_free(a);
    set_free(&s);
  }
  test_remove_tree(dir);
  free(path), free(torn), free(dir);
  test_close(ctx);
}

static void refuses_files(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  char *dir = test_temp_dir(), *path = test_join(dir, "average.safetensors");
  cliv_optimizer *o;
  cliv_average *a;
  const float w[3] = {1, 2, 3};
  test_guarded p = test_guard1(ctx, CLIV_F32, 3, 0, w), g = test_guard1(ctx, CLIV_F32, 3, 0, w);
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "sgd", NULL, &o));
  ASSERT_OK(ctx, cliv_optimizer_add(o, p.tensor, g.tensor, 0));
  ASSERT_OK(ctx, cliv_average_create(o, "swa", NULL, &a));
  cliv_named_array arrays[2] = {
      {"average.0", {.dtype = CLIV_F32, .ndim = 1, .shape = {3}, .data = (void *)(uintptr_t)w}},
      {"average.1", {.dtype = CLIV_F32, .ndim = 1, .shape = {3}, .data = (void *)(uintptr_t)w}}};
  cliv_metadata m[3] = {{"format", "cliv.average 1"}, {"kind", "swa"}, {"updates", "3"}};
#define REFUSED(count, status, says)                                    \
  ASSERT_OK(NULL, cliv_safetensors_write(path, arrays, (count), m, 3)), \
      ASSERT_FAILS(ctx, cliv_average_load(a, path), (status), (says))
  REFUSED(2, CLIV_DATA, "2 averages");
  REFUSED(0, CLIV_DATA, "0 averages");
  arrays[0].name = "average.2", REFUSED(1, CLIV_DATA, "average.0"), arrays[0].name = "average.0";
  arrays[0].array.shape[0] = 2, REFUSED(1, CLIV_SHAPE, "average.0"), arrays[0].array.shape[0] = 3;
  arrays[0].array.dtype = CLIV_I32, REFUSED(1, CLIV_SHAPE, "float32"), arrays[0].array.dtype = CLIV_F32;
  m[0].value = "pt", REFUSED(1, CLIV_FORMAT, "'pt'"), m[0].value = "cliv.average 1";
  m[1].value = "ema", REFUSED(1, CLIV_DATA, "'ema'"), m[1].value = "swa";
  static const char *const bad[] = {"", "-1", "three", "3x", "99999999999999999999"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) m[2].value = bad[i], REFUSED(1, CLIV_FORMAT, "updates");
  assert_int_equal(cliv_average_updates(a), 0);
  cliv_average_free(a);
  cliv_optimizer_free(o);
  test_guard_free(&p), test_guard_free(&g);
  test_remove_tree(dir);
  free(path), free(dir);
  test_close(ctx);
}

/* ---- refusals, and nothing to do ---- */

static void refuses_bad_calls(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_optimizer *o;
  cliv_average *a;
  cliv_tensor *view;
  double value;
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "sgd", NULL, &o));
  ASSERT_FAILS(NULL, cliv_average_create(NULL, "ema", NULL, &a), CLIV_NULL, "optimizer");
  ASSERT_FAILS(ctx, cliv_average_create(o, NULL, NULL, &a), CLIV_NULL, "kind");
  ASSERT_FAILS(ctx, cliv_average_create(o, "ema", NULL, NULL), CLIV_NULL, "out");
  ASSERT_FAILS(ctx, cliv_average_create(o, "mean", NULL, &a), CLIV_NAME, "there are: ema, swa, lookahead");
  ASSERT_FAILS(ctx, cliv_average_create(o, "ema", &(cliv_average_options){.preset = "jax"}, &a), CLIV_NAME,
               "preset of ema 'jax' is unknown; there are: torch, timm");
  ASSERT_FAILS(ctx, cliv_average_create(o, "ema", &(cliv_average_options){.size = 3}, &a), CLIV_VALUE, "3");
  assert_null(a);
  cliv_optimizer *master;
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "sgd", &(cliv_optimizer_options){.weights = "master"}, &master));
  ASSERT_FAILS(ctx, cliv_average_create(master, "lookahead", NULL, &a), CLIV_VALUE, "masters");
  ASSERT_OK(ctx, cliv_average_create(master, "ema", NULL, &a));
  cliv_average_free(a);
  cliv_optimizer_free(master);
  ASSERT_OK(ctx, cliv_average_create(o, "ema", NULL, &a)); /* of no parameters */
  assert_string_equal(cliv_average_kind_of(a)->name, "ema");
  ASSERT_FAILS(ctx, cliv_average_set(a, "decay", 1.5), CLIV_VALUE, "decay of ema is 1.5");
  ASSERT_FAILS(ctx, cliv_average_set(a, "lr", 1), CLIV_NAME, "interval");
  ASSERT_FAILS(ctx, cliv_average_set(a, "interval", 0), CLIV_VALUE, "interval");
  ASSERT_OK(ctx, cliv_average_set(a, "interval", 1.5));
  ASSERT_FAILS(ctx, cliv_average_update(a, NULL), CLIV_VALUE, "whole");
  ASSERT_OK(ctx, cliv_average_set(a, "interval", 2));
  ASSERT_OK(ctx, cliv_average_get(a, "interval", &value));
  assert_true(value == 2);
  for (int t = 0; t < 4; t++) {
    cl_event done = NULL;
    ASSERT_OK(ctx, cliv_average_update(a, &(cliv_sync){.done = &done}));
    ASSERT_CL(clWaitForEvents(1, &done));
    clReleaseEvent(done);
  }
  assert_int_equal(cliv_average_updates(a), 4);
  ASSERT_OK(ctx, cliv_average_swap(a, NULL));
  ASSERT_OK(ctx, cliv_average_swap(a, NULL));
  ASSERT_FAILS(ctx, cliv_average_tensor(a, 0, &view), CLIV_VALUE, "parameter 0");
  ASSERT_FAILS(ctx, cliv_average_tensor(a, 0, NULL), CLIV_NULL, "view");
  ASSERT_FAILS(NULL, cliv_average_update(NULL, NULL), CLIV_NULL, NULL);
  ASSERT_FAILS(NULL, cliv_average_swap(NULL, NULL), CLIV_NULL, NULL);
  ASSERT_FAILS(NULL, cliv_average_save(NULL, "x"), CLIV_NULL, NULL);
  ASSERT_FAILS(ctx, cliv_average_load(a, NULL), CLIV_NULL, "path");
  cliv_average_free(a);
  cliv_average_free(NULL);
  cliv_optimizer_free(o);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(table_is_consistent), cmocka_unit_test(agrees_with_packages),  cmocka_unit_test(keeps_to_double),
      cmocka_unit_test(layouts_agree),       cmocka_unit_test(swaps_exactly),         cmocka_unit_test(special_values),
      cmocka_unit_test(resumes_from_a_file), cmocka_unit_test(torn_ones_are_refused), cmocka_unit_test(refuses_files),
      cmocka_unit_test(refuses_bad_calls),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
