/* States and parameters stored narrower than float32: what is stored is the rounding of what the same rule computes in
 * float32, in every layout. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/map.h>
#include <cliv/optim.h>
#include <cliv/random.h>

#include "optim/optim.h"
#include "runtime/tensor.h"

typedef struct storage {
  const char *rule, *state, *weights;
  cliv_dtype p, g;
} storage;

enum { LEAST = 256 /* elements with states in 8 bits */, SEED = 77 };

static cliv_optimizer *make(cliv_context *ctx, const storage *s, size_t chunk) {
  cliv_optimizer *o;
  const cliv_optimizer_options options = {.size = sizeof options,
                                          .chunk = chunk,
                                          .state = s->state,
                                          .weights = s->weights,
                                          .seed = SEED,
                                          .min_8bit = LEAST};
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, s->rule, &options, &o));
  ASSERT_OK(ctx, cliv_optimizer_set(o, CLIV_ALL_GROUPS, "lr", 0.01));
  return o;
}

static const size_t lengths[] = {1, 255, 0, 256, 257, 4095, 4096, 4097, 5003};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

/* Parameters of these lengths, in one arena or in guarded buffers of their own. */
typedef struct model {
  cliv_context *ctx;
  cliv_optimizer *o;
  bool together;
  storage s;
  cliv_tensor *p[LENGTHS], *g[LENGTHS];
  test_guarded guard[2][LENGTHS];
} model;

static void put(cliv_tensor *t, uint64_t seed, double size) {
  const cliv_dtype dtype = cliv_tensor_dtype(t);
  const size_t n = cliv_tensor_count(t);
  void *x = test_alloc(n * cliv_dtype_size(dtype));
  for (size_t i = 0; i < n; i++) test_put(dtype, x, i, size * test_normal(seed, i));
  ASSERT_OK(NULL, cliv_tensor_write(t, x, n * cliv_dtype_size(dtype)));
  free(x);
}

static model begin(cliv_context *ctx, const storage *s, size_t chunk, bool together) {
  model m = {.ctx = ctx, .o = make(ctx, s, chunk), .together = together, .s = *s};
  int ndims[LENGTHS];
  for (size_t i = 0; i < LENGTHS; i++) ndims[i] = 1;
  if (together) {
    ASSERT_OK(ctx, cliv_arena_create(ctx, s->p, LENGTHS, ndims, lengths, m.p));
    ASSERT_OK(ctx, cliv_arena_create(ctx, s->g, LENGTHS, ndims, lengths, m.g));
  }
  for (size_t i = 0; i < LENGTHS; i++) {
    if (!together) {
      m.guard[0][i] = test_guard1(ctx, s->p, lengths[i], 1 + i, NULL);
      m.guard[1][i] = test_guard1(ctx, s->g, lengths[i], 2 * i, NULL);
      m.p[i] = m.guard[0][i].tensor, m.g[i] = m.guard[1][i].tensor;
    }
    put(m.p[i], i, 1);
    ASSERT_OK(ctx, cliv_optimizer_add(m.o, m.p[i], m.g[i], CLIV_DEFAULT_GROUP));
  }
  return m;
}

static void end(model *m) {
  cliv_optimizer_free(m->o);
  for (size_t i = 0; i < LENGTHS; i++) {
    if (!m->together) test_guard_free(&m->guard[0][i]), test_guard_free(&m->guard[1][i]);
    else cliv_tensor_free(m->p[i]), cliv_tensor_free(m->g[i]);
  }
}

static void step(model *m, int count) {
  for (int t = 0; t < count; t++) {
    for (size_t i = 0; i < LENGTHS; i++) put(m->g[i], 100 * cliv_optimizer_steps(m->o) + i, exp2(-(double)(4 * i)));
    ASSERT_OK(m->ctx, cliv_optimizer_step(m->o, NULL));
  }
}

/* What parameter i keeps: itself (k 0), and its states. */
static void *read_plane(const model *m, size_t i, size_t k, cliv_dtype *dtype, size_t *count) {
  cliv_tensor *view = NULL;
  if (k) ASSERT_OK(m->ctx, cliv_optimizer_state(m->o, i, cliv_optimizer_state_name(m->o, i, k - 1), &view));
  const cliv_tensor *t = k ? view : m->p[i];
  *dtype = cliv_tensor_dtype(t);
  *count = cliv_tensor_count(t);
  void *x = test_read(t);
  cliv_tensor_free(view);
  return x;
}

static void assert_same(const model *got, const model *want) {
  for (size_t i = 0; i < LENGTHS; i++) {
    assert_int_equal(cliv_optimizer_state_count(got->o, i), cliv_optimizer_state_count(want->o, i));
    for (size_t k = 0; k <= cliv_optimizer_state_count(want->o, i); k++) {
      cliv_dtype types[2];
      size_t counts[2];
      void *a = read_plane(got, i, k, &types[0], &counts[0]), *b = read_plane(want, i, k, &types[1], &counts[1]);
      assert_true(types[0] == types[1] && counts[0] == counts[1]);
      ASSERT_BITS(a, b, counts[0] * cliv_dtype_size(types[0]));
      free(a);
      free(b);
    }
  }
}

/* Every way to store something, by a rule with other states each. */
static const storage storages[] = {
    {"adamw", "8bit", NULL, CLIV_F32, CLIV_F32},           {"adamw", "bfloat16", "kahan", CLIV_BF16, CLIV_BF16},
    {"madgrad", "bfloat16", "master", CLIV_F16, CLIV_F32}, {"sgd", "float32", "stochastic", CLIV_F16, CLIV_F16},
    {"madgrad", "8bit", "kahan", CLIV_F16, CLIV_F32},      {"lion", "8bit", "stochastic", CLIV_BF16, CLIV_F32},
};
enum { STORAGES = sizeof storages / sizeof *storages, FEW = 2 };
static size_t storage_count(void) { return test_few() ? FEW : STORAGES; }

/* Walk, group size, chunk, arena and alignment change nothing, and nothing outside is written. */
static void layouts_agree(void **state) {
  (void)state;
  static const struct layout {
    cliv_walk walk;
    size_t group, chunk;
    bool together;
  } layouts[] = {{CLIV_WALK_CPU, 0, 0, true},
                 {CLIV_WALK_GPU, 0, 0, false},
                 {CLIV_WALK_CPU, 0, 256, false},
                 {CLIV_WALK_GPU, 256, 8192, true}};
  for (size_t s = 0; s < storage_count(); s++) {
    cliv_context *ctx = test_open_group(layouts[0].walk, layouts[0].group);
    model want = begin(ctx, &storages[s], layouts[0].chunk, layouts[0].together);
    step(&want, 3);
    for (size_t l = 1; l < sizeof layouts / sizeof *layouts; l++) {
      if (layouts[l].walk == CLIV_WALK_CPU && test_first_walk()) continue;
      cliv_context *other = test_open_group(layouts[l].walk, layouts[l].group);
      model got = begin(other, &storages[s], layouts[l].chunk, layouts[l].together);
      step(&got, 3);
      assert_same(&got, &want);
      end(&got);
      test_close(other);
    }
    end(&want);
    test_close(ctx);
  }
}

/* ---- one step, from the same values, in float32 ---- */

static float *absmax_of(const model *m, size_t i, const char *name) {
  char absmax[64];
  cliv_tensor *view;
  snprintf(absmax, sizeof absmax, "%s_absmax", name);
  ASSERT_OK(m->ctx, cliv_optimizer_state(m->o, i, absmax, &view));
  assert_int_equal(cliv_tensor_count(view), (lengths[i] + 255) / 256);
  float *x = test_read(view);
  cliv_tensor_free(view);
  return x;
}

/* A state of parameter i as float32, or the parameter itself (name NULL). */
static float *as_float(const model *m, size_t i, const char *name) {
  cliv_tensor *view = NULL;
  if (name) ASSERT_OK(m->ctx, cliv_optimizer_state(m->o, i, name, &view));
  const cliv_tensor *t = name ? view : m->p[i];
  const size_t n = lengths[i];
  float *out = test_alloc(n * sizeof *out);
  void *x = test_read(t);
  for (size_t e = 0; e < n; e++) out[e] = (float)test_get(cliv_tensor_dtype(t), x, e);
  if (name && cliv_tensor_dtype(t) == CLIV_U8) {
    float map[256], *absmax = absmax_of(m, i, name);
    cliv__dynamic_map(cliv__state_kind(m->o, name), map);
    for (size_t e = 0; e < n; e++) out[e] = map[((uint8_t *)x)[e]] * absmax[e / 256];
    free(absmax);
  }
  free(x);
  cliv_tensor_free(view);
  return out;
}

/* The rule's states and the weights that it sees, from the narrow model into the wide one. */
static void carry(const model *narrow, model *wide) {
  const bool master = narrow->s.weights && !strcmp(narrow->s.weights, "master");
  for (size_t i = 0; i < LENGTHS; i++) {
    float *w = as_float(narrow, i, master ? "master" : NULL);
    ASSERT_OK(wide->ctx, cliv_tensor_write(wide->p[i], w, lengths[i] * sizeof *w));
    free(w);
    for (size_t k = 0; k < cliv_optimizer_state_count(wide->o, i); k++) {
      const char *name = cliv_optimizer_state_name(wide->o, i, k);
      cliv_tensor *to;
      float *x = as_float(narrow, i, name);
      ASSERT_OK(wide->ctx, cliv_optimizer_state(wide->o, i, name, &to));
      ASSERT_OK(wide->ctx, cliv_tensor_write(to, x, lengths[i] * sizeof *x));
      cliv_tensor_free(to);
      free(x);
    }
  }
}

static float rounded(cliv_dtype dtype, float x) {
  uint64_t place;
  test_put(dtype, &place, 0, (double)x);
  return (float)test_get(dtype, &place, 0);
}

/* Element for element: got is want. */
static void assert_floats(const char *what, const float *got, const float *want, size_t n) {
  for (size_t e = 0; e < n; e++)
    if (memcmp(&got[e], &want[e], sizeof *got))
      fail_msg("%s[%zu of %zu] is %.9g, not %.9g", what, e, n, (double)got[e], (double)want[e]);
}

/* The code of the number nearest to x, by looking at all middles between neighbours, which are floats. What lies on one
 * goes to the neighbour nearer to 0. */
static uint8_t nearest(const float map[256], float x) {
  int code = 0;
  for (int c = 1; c < 256; c++) {
    const float middle = (map[c - 1] + map[c]) / 2;
    code += middle < 0 ? x >= middle : x > middle;
  }
  return (uint8_t)code;
}

/* The codes of parameter i's state after a step are those of what float32 has. */
static void check_codes(const model *m, size_t i, const char *name, const float *want) {
  float map[256], *absmax = absmax_of(m, i, name);
  cliv_tensor *view;
  ASSERT_OK(m->ctx, cliv_optimizer_state(m->o, i, name, &view));
  uint8_t *codes = test_read(view);
  cliv__dynamic_map(cliv__state_kind(m->o, name), map);
  for (size_t block = 0; block * 256 < lengths[i]; block++) {
    const size_t end = block * 256 + 256 < lengths[i] ? block * 256 + 256 : lengths[i];
    float most = 0;
    for (size_t e = block * 256; e < end; e++) most = fmaxf(most, fabsf(want[e]));
    assert_floats("absmax", &absmax[block], &most, 1);
    const float inverse = 1 / fmaxf(most, 0x1p-126f);
    for (size_t e = block * 256; e < end; e++)
      if (codes[e] != nearest(map, want[e] * inverse))
        fail_msg("%s[%zu of %zu] is %d, not %d: %.9g of %.9g", name, e, lengths[i], codes[e],
                 nearest(map, want[e] * inverse), (double)want[e], (double)most);
  }
  free(codes);
  free(absmax);
  cliv_tensor_free(view);
}

/* The 16 random bits of element e of parameter i in its step t. */
static double chance(uint64_t seed, size_t i, uint64_t t, size_t e) {
  const uint64_t block = e / 128 * 16 + e % 16;
  const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32) | (uint32_t)(t >> 32) << 11, (uint32_t)i,
                               (uint32_t)t};
  const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  uint32_t words[4];
  cliv_philox(counter, key, words);
  const size_t half = e / 16 % 8;
  return (double)(words[half / 2] >> (half % 2 ? 16 : 0) & 0xffff);
}

/* x between two neighbours, the upper one where the bits and the share of x above the lower one reach beyond it. */
static float by_chance(cliv_dtype dtype, float x, double bits) {
  int exponent;
  if (!isfinite(x) || x == 0) return rounded(dtype, x);
  frexp((double)x, &exponent);
  const bool subnormal = dtype == CLIV_F16 && exponent < -13;
  const double unit = subnormal ? 0x1p-24 : ldexp(1, exponent - (dtype == CLIV_F16 ? 11 : 8));
  const double units = fabs((double)x) / unit, below = floor(units), share = units - below;
  const double threshold = dtype == CLIV_F16 ? floor(bits / 8) / 8192 : bits / 65536;
  const bool up = subnormal ? bits < floor(share * 65536) : share + threshold >= 1;
  return (float)copysign((below + up) * unit, (double)x);
}

/* The narrow model's parameter i after a step, by the definition in cliv/optim.h: `before`, `lost` are what it and its
 * compensation were, `w` what float32 gives. */
static void check_weights(const model *m, size_t i, const float *before, const float *lost, const float *w) {
  const char *weights = m->s.weights ? m->s.weights : "nearest";
  const size_t n = lengths[i];
  float *want = test_alloc(n * sizeof *want), *beside = test_alloc(n * sizeof *beside), *got = as_float(m, i, NULL);
  for (size_t e = 0; e < n; e++) {
    want[e] = rounded(m->s.p, w[e]);
    if (!strcmp(weights, "stochastic"))
      want[e] = by_chance(m->s.p, w[e], chance(SEED, i, cliv_optimizer_steps(m->o), e));
    if (strcmp(weights, "kahan")) continue;
    const float due = (w[e] == 0 ? 0 : lost[e]) + (w[e] - before[e]);
    want[e] = rounded(m->s.p, before[e] + rounded(m->s.p, due));
    beside[e] = rounded(m->s.p, due - (want[e] - before[e]));
  }
  assert_floats("the parameter", got, want, n);
  free(got);
  if (!strcmp(weights, "master")) assert_floats("master", got = as_float(m, i, "master"), w, n), free(got);
  if (!strcmp(weights, "kahan"))
    assert_floats("compensation", got = as_float(m, i, "compensation"), beside, n), free(got);
  free(want);
  free(beside);
}

/* Each step starts from what the narrow model has, so that nothing adds up and every bit can be asked for. */
static void stores_the_rounding(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t s = 0; s < storage_count(); s++) {
      const storage plain = {storages[s].rule, NULL, NULL, CLIV_F32, storages[s].g};
      const bool kahan = storages[s].weights && !strcmp(storages[s].weights, "kahan");
      model narrow = begin(ctx, &storages[s], 0, true), wide = begin(ctx, &plain, 0, true);
      for (int t = 0; t < 3; t++) {
        float *before[LENGTHS], *lost[LENGTHS];
        carry(&narrow, &wide);
        for (size_t i = 0; i < LENGTHS; i++) {
          before[i] = as_float(&narrow, i, NULL);
          lost[i] = kahan ? as_float(&narrow, i, "compensation") : NULL;
        }
        step(&narrow, 1);
        step(&wide, 1);
        for (size_t i = 0; i < LENGTHS; i++) {
          float *weights = as_float(&wide, i, NULL);
          check_weights(&narrow, i, before[i], lost[i], weights);
          for (size_t k = 0; k < cliv_optimizer_state_count(wide.o, i); k++) {
            const char *name = cliv_optimizer_state_name(wide.o, i, k);
            const cliv_dtype dtype = cliv__plane_dtype(narrow.o, narrow.o->plan.places[i].kept, storages[s].p, k);
            float *got = as_float(&narrow, i, name), *want = as_float(&wide, i, name);
            for (size_t e = 0; dtype != CLIV_U8 && e < lengths[i]; e++) want[e] = rounded(dtype, want[e]);
            if (dtype == CLIV_U8) check_codes(&narrow, i, name, want);
            else assert_floats(name, got, want, lengths[i]);
            free(got);
            free(want);
          }
          free(weights);
          free(before[i]);
          free(lost[i]);
        }
      }
      end(&narrow);
      end(&wide);
    }
    test_close(ctx);
  }
}

/* A change of a 128th of a unit, many times over: lost when it is rounded away each time, kept by the others. */
static void small_changes_add_up(void **state) {
  (void)state;
  const int count = test_small() ? 200 : 1000;
  static const char *const weights[] = {"nearest", "master", "kahan"};
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (size_t k = 0; k < 3; k++) {
    const size_t n = 3;
    const storage s = {"sgd", NULL, weights[k], CLIV_BF16, CLIV_BF16};
    cliv_optimizer *o = make(ctx, &s, 0);
    cliv_tensor *p, *g;
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_BF16, 1, &n, &p));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_BF16, 1, &n, &g));
    ASSERT_OK(ctx, cliv_tensor_fill(p, 1, NULL));
    ASSERT_OK(ctx, cliv_tensor_fill(g, -1, NULL));
    ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "lr", 0x1p-14));
    ASSERT_OK(ctx, cliv_optimizer_add(o, p, g, 0));
    for (int t = 0; t < count; t++) ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
    uint16_t *got = test_read(p);
    for (size_t e = 0; e < n; e++)
      ASSERT_NEAR(test_get(CLIV_BF16, got, e), k ? 1 + count * 0x1p-14 : 1, k ? 0x1p-8 : 0);
    free(got);
    cliv_optimizer_free(o);
    cliv_tensor_free(p);
    cliv_tensor_free(g);
  }
  test_close(ctx);
}

/* Rounded by chance, many weights go where the sum of their changes does, each step and parameter by chances of its
 * own; and so do some among float16's subnormals. */
static void chances_are_fair(void **state) {
  (void)state;
  enum { STEPS = 50 };
  static const struct fair {
    cliv_dtype dtype;
    double start, change; /* in units of the last place, whose size is: */
    double unit;
  } fairs[] = {{CLIV_BF16, 1, 0.3, 0x1p-7}, {CLIV_F16, 1, 0.3, 0x1p-10}, {CLIV_F16, 0x1p-20, 0.3, 0x1p-24}};
  const size_t n = test_small() ? 1 << 10 : 1 << 14;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (size_t f = 0; f < 3; f++) {
    cliv_optimizer *o = make(ctx, &(storage){"sgd", NULL, "stochastic", fairs[f].dtype, CLIV_F32}, 0);
    cliv_tensor *p[2], *g[2];
    ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "lr", 1));
    for (int i = 0; i < 2; i++) {
      ASSERT_OK(ctx, cliv_tensor_create(ctx, fairs[f].dtype, 1, &n, &p[i]));
      ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &g[i]));
      ASSERT_OK(ctx, cliv_tensor_fill(p[i], fairs[f].start, NULL));
      ASSERT_OK(ctx, cliv_tensor_fill(g[i], -fairs[f].change * fairs[f].unit, NULL));
      ASSERT_OK(ctx, cliv_optimizer_add(o, p[i], g[i], 0));
    }
    for (int t = 0; t < STEPS; t++) ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
    uint16_t *got[2] = {test_read(p[0]), test_read(p[1])};
    double sum = 0;
    size_t alike = 0;
    for (size_t e = 0; e < n; e++) {
      sum += (test_get(fairs[f].dtype, got[0], e) - fairs[f].start) / fairs[f].unit;
      alike += got[0][e] == got[1][e];
    }
    /* The sum of STEPS coins of variance 0.3·0.7, its mean over n, within five deviations; of rounded chances no more
     * than a 65536th of each is missing. */
    ASSERT_NEAR(sum / (double)n, STEPS * 0.3, 5 * sqrt(STEPS * 0.21 / (double)n) + STEPS / 65536.0);
    assert_true(alike < n / 4); /* two such sums agree in one of nine */
    for (int i = 0; i < 2; i++) cliv_tensor_free(p[i]), cliv_tensor_free(g[i]), free(got[i]);
    cliv_optimizer_free(o);
  }
  test_close(ctx);
}

/* Infinities and NaNs stay what they are, and leave nothing in the compensation. */
static void special_weights(void **state) {
  (void)state;
  const float slope[] = {NAN, INFINITY, 0, 1};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    const storage s = {"sgd", NULL, "kahan", CLIV_BF16, CLIV_F32};
    cliv_optimizer *o = make(ctx, &s, 0);
    test_guarded p = test_guard1(ctx, CLIV_BF16, 4, 1, (const uint16_t[]){0x3f80, 0x3f80, 0x3f80, 0x3f80});
    test_guarded g = test_guard1(ctx, CLIV_F32, 4, 1, slope);
    ASSERT_OK(ctx, cliv_optimizer_add(o, p.tensor, g.tensor, 0));
    ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
    cliv_tensor *view;
    ASSERT_OK(ctx, cliv_optimizer_state(o, 0, "compensation", &view));
    uint16_t *got = test_read(p.tensor), *lost = test_read(view);
    assert_int_equal(got[0], 0x7fc0);
    assert_int_equal(got[1], 0xff80);
    assert_int_equal(got[2], 0x3f80);
    assert_true(lost[0] == 0 && lost[1] == 0 && lost[2] == 0 && lost[3] != 0);
    free(got);
    free(lost);
    cliv_tensor_free(view);
    cliv_optimizer_free(o);
    test_guard_free(&p);
    test_guard_free(&g);
    test_close(ctx);
  }
}

/* ---- views, memory, files ---- */

static void states_have_their_types(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  model m = begin(ctx, &(storage){"madgrad", "bfloat16", "master", CLIV_F16, CLIV_F32}, 0, true);
  static const char *const names[] = {"grad_sum_sq", "s", "x0", "master"};
  static const cliv_dtype types[] = {CLIV_BF16, CLIV_BF16, CLIV_F32, CLIV_F32};
  assert_int_equal(cliv_optimizer_state_count(m.o, 1), 4);
  for (size_t k = 0; k < 4; k++) {
    cliv_tensor *view;
    assert_string_equal(cliv_optimizer_state_name(m.o, 1, k), names[k]);
    ASSERT_OK(ctx, cliv_optimizer_state(m.o, 1, names[k], &view));
    assert_int_equal(cliv_tensor_dtype(view), types[k]);
    assert_int_equal(cliv_tensor_count(view), lengths[1]);
    cliv_tensor_free(view);
  }
  float *master = as_float(&m, 1, "master"), *p = as_float(&m, 1, NULL); /* begins as the parameter */
  assert_floats("master", master, p, lengths[1]);
  cliv_tensor *view;
  ASSERT_FAILS(ctx, cliv_optimizer_state(m.o, 1, "compensation", &view), CLIV_NAME, "grad_sum_sq, s, x0, master");
  free(master);
  free(p);
  end(&m);
  m = begin(ctx, &(storage){"sgd", NULL, "master", CLIV_F32, CLIV_F32}, 0, true); /* float32 is its own */
  assert_int_equal(cliv_optimizer_state_count(m.o, 1), 0);
  ASSERT_FAILS(ctx, cliv_optimizer_state(m.o, 1, "master", &view), CLIV_STATE, "float16 and bfloat16 parameters");
  end(&m);
  test_close(ctx);
}

/* What a step needs beside parameters and gradients: two bytes of codes and a 32nd for each element, and tables. */
static void memory_is_counted(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  static const struct want {
    const char *state;
    double bytes; /* of an element */
  } want[] = {{"float32", 8}, {"bfloat16", 4}, {"8bit", 2 + 8.0 / 256}};
  const size_t n = test_small() ? 1 << 16 : 1 << 20;
  for (size_t k = 0; k < 3; k++) {
    cliv_optimizer *o = make(ctx, &(storage){"adamw", want[k].state, NULL, CLIV_F32, CLIV_F32}, 0);
    cliv_tensor *p, *g;
    cliv_optimizer_usage usage = {.size = sizeof usage};
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &p));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &g));
    ASSERT_OK(ctx, cliv_optimizer_memory(o, &usage));
    assert_true(usage.states == 0 && usage.tables == 0);
    ASSERT_OK(ctx, cliv_optimizer_add(o, p, g, 0));
    ASSERT_OK(ctx, cliv_optimizer_memory(o, &usage));
    assert_int_equal(usage.states, (uint64_t)(want[k].bytes * (double)n));
    uint64_t planes = 0; /* what there really is */
    for (size_t b = 0; b < o->plan.bank_count; b++)
      for (size_t i = 0; i < CLIV__PLANES; i++) {
        size_t bytes = 0;
        if (!o->plan.banks[b].plane[i]) continue;
        ASSERT_CL(clGetMemObjectInfo(o->plan.banks[b].plane[i]->mem, CL_MEM_SIZE, sizeof bytes, &bytes, NULL));
        planes += bytes;
      }
    assert_int_equal(usage.states, planes);
    assert_true(usage.tables > 0 && usage.tables <= 16 * n / 100);
    cliv_optimizer_free(o);
    cliv_tensor_free(p);
    cliv_tensor_free(g);
  }
  test_close(ctx);
}

/* A gradient that is not finite changes no weight, and makes its element's states 0; states that overflow make all of
 * their block NaN, and no more. */
static void codes_of_special_values(void **state) {
  (void)state;
  const size_t n = 768;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    float start[768], slope[768];
    for (size_t i = 0; i < n; i++) start[i] = 1, slope[i] = 0.5f;
    slope[3] = NAN, slope[4] = -INFINITY, slope[300] = 1e30f, slope[20] = 0;
    test_guarded p = test_guard1(ctx, CLIV_F32, n, 1, start), g = test_guard1(ctx, CLIV_F32, n, 1, slope);
    cliv_optimizer *o = make(ctx, &(storage){"adamw", "8bit", NULL, CLIV_F32, CLIV_F32}, 0);
    ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "weight_decay", 0));
    ASSERT_OK(ctx, cliv_optimizer_add(o, p.tensor, g.tensor, 0));
    ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
    cliv_tensor *views[3];
    static const char *const names[] = {"exp_avg", "exp_avg_sq", "exp_avg_sq_absmax"};
    for (size_t k = 0; k < 3; k++) ASSERT_OK(ctx, cliv_optimizer_state(o, 0, names[k], &views[k]));
    float *got = test_read(p.tensor), *absmax = test_read(views[2]);
    uint8_t *mean = test_read(views[0]), *square = test_read(views[1]);
    assert_true(got[3] == 1 && got[4] == 1 && got[20] == 1 && got[5] < 1);
    assert_true(mean[3] == 127 && mean[4] == 127 && mean[20] == 127 && mean[5] == 255);
    assert_true(square[3] == 0 && square[4] == 0 && square[20] == 0 && square[5] == 255);
    assert_true(isnan(absmax[1]) && absmax[0] > 0 && absmax[2] == absmax[0]);
    free(got);
    ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
    got = test_read(p.tensor);
    for (size_t i = 0; i < n; i++) assert_true(isnan(got[i]) == (i / 256 == 1));
    free(got), free(absmax), free(mean), free(square);
    for (size_t k = 0; k < 3; k++) cliv_tensor_free(views[k]);
    cliv_optimizer_free(o);
    test_guard_free(&p);
    test_guard_free(&g);
    test_close(ctx);
  }
}

/* Half a run, a file, another optimizer: the rest has the same bits. */
static void files_go_on(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  char *folder = test_temp_dir(), *path = test_join(folder, "states");
  for (size_t s = 0; s < storage_count(); s++) {
    const bool coded = !strcmp(storages[s].state, "8bit");
    model first = begin(ctx, &storages[s], 0, true), second = begin(ctx, &storages[s], 256, false);
    step(&first, 2);
    ASSERT_OK(ctx, cliv_optimizer_save(first.o, path));
    for (size_t i = 0; i < LENGTHS; i++) ASSERT_OK(ctx, cliv_tensor_copy(first.p[i], second.p[i], NULL));
    second.o->precision.seed = 1; /* the file's goes on */
    ASSERT_OK(ctx, cliv_optimizer_load(second.o, path));
    assert_same(&second, &first);
    step(&first, 2);
    step(&second, 2);
    assert_same(&second, &first);
    end(&second);
    second = begin(ctx, &(storage){storages[s].rule, NULL, NULL, storages[s].p, storages[s].g}, 0, true);
    if (cliv_optimizer_state_count(first.o, 0)) /* the others would fit */
      ASSERT_FAILS(ctx, cliv_optimizer_load(second.o, path),
                   coded || storages[s].p != CLIV_F32 ? CLIV_DATA : CLIV_SHAPE, "this optimizer stores");
    end(&first);
    end(&second);
  }
  test_remove_tree(folder);
  free(folder);
  free(path);
  test_close(ctx);
}

static void refuses_names(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_optimizer *o;
  const cliv_optimizer_options state_option = {.state = "4bit"}, weights_option = {.weights = "double"};
  ASSERT_FAILS(ctx, cliv_optimizer_create(ctx, "adamw", &state_option, &o), CLIV_NAME,
               "states cannot be stored as '4bit'; there are: float32, bfloat16, 8bit");
  assert_null(o);
  ASSERT_FAILS(ctx, cliv_optimizer_create(ctx, "adamw", &weights_option, &o), CLIV_NAME,
               "weights cannot be kept as 'double'; there are: nearest, master, kahan, stochastic");
  assert_null(o);
  const cliv_optimizer_options chunk_option = {.state = "8bit", .chunk = 320};
  ASSERT_FAILS(ctx, cliv_optimizer_create(ctx, "adamw", &chunk_option, &o), CLIV_VALUE, "a multiple of 256, or 0");
  assert_null(o);
  const cliv_optimizer_options codes = {.state = "8bit"};
  ASSERT_FAILS(ctx, cliv_optimizer_create(ctx, "lamb", &codes, &o), CLIV_VALUE, "lamb has more than one launch a step");
  assert_null(o);
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "adamw", &codes, &o));
  ASSERT_FAILS(ctx, cliv_optimizer_gradients(o, &(cliv_gradient_options){.centralize = 1}), CLIV_VALUE, "clip_norm");
  cliv_optimizer_free(o);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layouts_agree),     cmocka_unit_test(stores_the_rounding),
      cmocka_unit_test(chances_are_fair),  cmocka_unit_test(small_changes_add_up),
      cmocka_unit_test(special_weights),   cmocka_unit_test(states_have_their_types),
      cmocka_unit_test(files_go_on),       cmocka_unit_test(refuses_names),
      cmocka_unit_test(memory_is_counted), cmocka_unit_test(codes_of_special_values),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
