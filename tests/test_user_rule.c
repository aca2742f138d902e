/* Update rules of the caller's own: formulas, refusals, and that they are rules as any other. */
#include "support.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/optim.h>

#include "optim/formula.h"
#include "optim/optim.h"

/* ---- formulas ---- */

static const char *const names[] = {"lr", "beta1", "step", "zero"};
static const double values[] = {0.1, 0.9, 7, 0};
enum { NAMES = 4 };

static double value_of(const char *text) {
  cliv__formula f;
  ASSERT_OK(NULL, cliv__formula_read(NULL, "test", text, names, NAMES, &f));
  return cliv__formula_value(&f, values);
}

/* Each against the same arithmetic in C, to the last bit; powers of whole exponents are by squaring. */
static void formulas_compute(void **state) {
  (void)state;
  const double lr = 0.1, beta1 = 0.9, square = beta1 * beta1, power = beta1 * square * (square * square);
  const struct {
    const char *text;
    double want;
  } cases[] = {
      {"lr", lr},
      {" 1e-3 ", 1e-3},
      {".5E+1", 5},
      {"1 - beta1", 1 - beta1},
      {"1 - beta1 - lr", 1 - beta1 - lr},
      {"1 - (beta1 - lr)", 1 - (beta1 - lr)},
      {"2 / 3 * 5", 2.0 / 3 * 5},
      {"2 / (3 * 5)", 2.0 / (3 * 5)},
      {"1 + 2 * 3", 7},
      {"-lr / (1 - beta1^step)", -lr / (1 - power)},
      {"-2^2", -4},
      {"(-2)^2", 4},
      {"2^3^2", 512},
      {"2^-1", 0.5},
      {"2^-1 * 4", 2},
      {"--lr", lr},
      {"4^0.5", 2},
      {"zero^zero", 1},
      {"zero^0.5", 0},
      {"zero^-0.5", HUGE_VAL},
      {"sqrt(1 - beta1^step)", sqrt(1 - power)},
      {"min(lr, beta1) + max(step, 9)", lr + 9},
      {"1 / zero", HUGE_VAL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const double got = value_of(cases[i].text);
    if (!(got == cases[i].want || fabs(got - cases[i].want) <= (strchr(cases[i].text, '.') ? 1e-15 : 0)))
      fail_msg("%s is %.17g, not %.17g", cases[i].text, got, cases[i].want);
  }
  assert_true(isnan(value_of("(-2)^0.5")) && isnan(value_of("sqrt(-1)")) && isnan(value_of("zero / zero")));
}

static void formulas_refuse(void **state) {
  (void)state;
  cliv__formula f;
  const struct {
    const char *text;
    cliv_status status;
    const char *says;
  } cases[] = {
      {"", CLIV_VALUE, "character 1: a number, a name or '(' is expected"},
      {"1 +", CLIV_VALUE, "character 4: a number"},
      {"1 2", CLIV_VALUE, "character 3: an operation is expected"},
      {"(1", CLIV_VALUE, "character 3: ')' is expected"},
      {"1)", CLIV_VALUE, "character 2: an operation"},
      {"sqrt 2", CLIV_VALUE, "'(' is expected"},
      {"min(1)", CLIV_VALUE, "',' is expected"},
      {"1..2", CLIV_VALUE, "a number"},
      {"rate * 2", CLIV_NAME, "character 1: 'rate' is unknown; there are: lr, beta1, step, zero; sqrt"},
      {"lr * beta", CLIV_NAME, "character 6: 'beta' is unknown"},
      {"exp(1)", CLIV_NAME, "'exp'"},
      {"+1", CLIV_VALUE, "a number"},
      {"1 $ 2", CLIV_VALUE, "character 3"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    ASSERT_FAILS(NULL, cliv__formula_read(NULL, "scalar", cases[i].text, names, NAMES, &f), cases[i].status,
                 cases[i].says);
  char deep[200], wide[400] = "1";
  memset(deep, '(', sizeof deep), deep[sizeof deep - 1] = 0;
  for (int i = 0; i < 40; i++) strcat(wide, "+1");
  ASSERT_FAILS(NULL, cliv__formula_read(NULL, "scalar", deep, names, NAMES, &f), CLIV_VALUE, "nested");
  ASSERT_FAILS(NULL, cliv__formula_read(NULL, "scalar", wide, names, NAMES, &f), CLIV_VALUE, "more than 64");
}

/* ---- a rule as any other ---- */

/* AdamW as the library computes it, but for what its other options need. */
static const char adamw_text[] =
    "static void mine(real *w, real g, mine_state *s, mine_scalars h) {\n"
    "  s->exp_avg = interpolate(s->exp_avg, g, h.one_minus_beta1);\n"
    "  s->exp_avg_sq = fused(h.one_minus_beta2 * g, g, h.beta2 * s->exp_avg_sq);\n"
    "  const real size = divide(square_root(s->exp_avg_sq), (real)h.root) + h.eps;\n"
    "  *w = *w * h.keep + divide(h.minus_step * s->exp_avg, size);\n"
    "}";
static const cliv_hyper_info adamw_hypers[] = {{"lr", 1e-3, 0, FLT_MAX, 0, 0, "learning rate"},
                                               {"beta1", 0.9, 0, 1, 1, 0, NULL},
                                               {"beta2", 0.999, 0, 1, 1, 0, NULL},
                                               {"eps", 1e-8, 0, 0, 0, 0, NULL},
                                               {"weight_decay", 1e-2, 0, 0, 0, 0, NULL},
                                               {"maximize", 0, 0, 0, 0, 0, NULL},
                                               {"prox_l1", 0, 0, 0, 0, 0, NULL}};
static const cliv_state_info adamw_states[] = {{"exp_avg", NULL, NULL, CLIV_STATE_SIGNED},
                                               {"exp_avg_sq", NULL, NULL, CLIV_STATE_NONNEGATIVE}};
static const cliv_scalar_info adamw_scalars[] = {{"one_minus_beta1", "1 - beta1"},
                                                 {"one_minus_beta2", "1 - beta2"},
                                                 {"root", "sqrt(1 - beta2^step)"},
                                                 {"keep", "1 - lr * weight_decay"},
                                                 {"minus_step", "-(lr / (1 - beta1^step))"}};
static const cliv_user_rule adamw = {.name = "mine",
                                     .text = adamw_text,
                                     .hyper_count = 7,
                                     .state_count = 2,
                                     .scalar_count = 5,
                                     .hypers = adamw_hypers,
                                     .states = adamw_states,
                                     .scalars = adamw_scalars};

/* All of it in memory that can go: what is given is copied. */
static cliv_optimizer *create_from_copies(cliv_context *ctx) {
  cliv_optimizer *o;
  cliv_hyper_info hypers[7];
  cliv_state_info states[2];
  cliv_scalar_info scalars[5];
  char strings[32][64], text[sizeof adamw_text];
  size_t n = 0;
#define COPY(s) strcpy(strings[n++], (s))
  for (size_t i = 0; i < 7; i++) hypers[i] = adamw_hypers[i], hypers[i].name = COPY(adamw_hypers[i].name);
  for (size_t i = 0; i < 2; i++) states[i] = adamw_states[i], states[i].name = COPY(adamw_states[i].name);
  for (size_t i = 0; i < 5; i++) {
    scalars[i].name = COPY(adamw_scalars[i].name);
    scalars[i].formula = COPY(adamw_scalars[i].formula);
  }
  cliv_user_rule rule = adamw;
  rule.name = COPY("mine");
  rule.text = memcpy(text, adamw_text, sizeof text);
  rule.hypers = hypers, rule.states = states, rule.scalars = scalars;
  ASSERT_OK(ctx, cliv_optimizer_create_user(ctx, &rule, NULL, &o));
  memset(strings, 'x', sizeof strings);
  memset(text, 'x', sizeof text);
  memset(hypers, 0, sizeof hypers);
  return o;
}

enum { N = 4099, PARAMS = 3 };
typedef struct side {
  cliv_optimizer *o;
  test_guarded p[PARAMS], g[PARAMS];
} side;

/* Parameters, the second bfloat16 where `narrow`, the last in a group of its own with a proximal step. */
static side side_make(cliv_context *ctx, cliv_optimizer *o, bool narrow) {
  side s = {.o = o};
  int group;
  ASSERT_OK(ctx, cliv_optimizer_group(o, &group));
  ASSERT_OK(ctx, cliv_optimizer_set(o, group, "lr", 0.03));
  ASSERT_OK(ctx, cliv_optimizer_set(o, group, "maximize", 1));
  if (!test_few()) ASSERT_OK(ctx, cliv_optimizer_set(o, group, "prox_l1", 0.1));
  ASSERT_FAILS(ctx, cliv_optimizer_set(o, group, "maximize", 0.5), CLIV_VALUE, "0 or 1");
  ASSERT_FAILS(ctx, cliv_optimizer_set(o, group, "prox_l1", -1), CLIV_VALUE, "at least 0");
  for (size_t i = 0; i < PARAMS; i++) {
    const cliv_dtype dtype = i == 1 && narrow ? CLIV_BF16 : CLIV_F32;
    const size_t n = i == 2 ? 17 : N;
    void *w = test_alloc(n * sizeof(float)), *g = test_alloc(n * sizeof(float));
    for (size_t k = 0; k < n; k++) {
      test_put(dtype, w, k, test_normal(i, k));
      test_put(dtype, g, k, k % 97 ? test_normal(100 + i, k) : 0);
    }
    s.p[i] = test_guard1(ctx, dtype, n, i, w);
    s.g[i] = test_guard1(ctx, dtype, n, 2 * i, g);
    ASSERT_OK(ctx, cliv_optimizer_add(o, s.p[i].tensor, s.g[i].tensor, i == 2 ? group : CLIV_DEFAULT_GROUP));
    free(w);
    free(g);
  }
  return s;
}

static void side_free(side *s) {
  cliv_optimizer_free(s->o);
  for (size_t i = 0; i < PARAMS; i++) test_guard_free(&s->p[i]), test_guard_free(&s->g[i]);
}

static void same_sides(const side *a, const side *b) {
  for (size_t i = 0; i < PARAMS; i++) {
    ASSERT_SAME_TENSORS(a->p[i].tensor, b->p[i].tensor);
    for (size_t k = 0; k < 2; k++) {
      cliv_tensor *x, *y;
      ASSERT_OK(NULL, cliv_optimizer_state(a->o, i, adamw_states[k].name, &x));
      ASSERT_OK(NULL, cliv_optimizer_state(b->o, i, adamw_states[k].name, &y));
      ASSERT_SAME_TENSORS(x, y);
      cliv_tensor_free(x);
      cliv_tensor_free(y);
    }
  }
}

static void steps(const side *s, int count) {
  for (int t = 0; t < count; t++) ASSERT_OK(NULL, cliv_optimizer_step(s->o, NULL));
}

/* The library's own formula as a user's text: with groups, a schedule, types, clipping and a file of states the bits
 * are adamw's. */
static void has_the_bits_of_the_library(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    cliv_optimizer *o, *again;
    cliv_schedule *schedule;
    ASSERT_OK(ctx, cliv_optimizer_create(ctx, "adamw", NULL, &o));
    side ours = side_make(ctx, o, false), theirs = side_make(ctx, create_from_copies(ctx), false);
    assert_string_equal(cliv_optimizer_rule(theirs.o)->name, "mine");
    assert_string_equal(cliv_optimizer_rule(theirs.o)->hypers[1].name, "beta1");
    assert_string_equal(cliv_optimizer_rule(theirs.o)->hypers[0].meaning, "learning rate");
    ASSERT_OK(ctx, cliv_schedule_create(ctx, "warmup(3) cosine(9)", NULL, &schedule));
    ASSERT_OK(ctx, cliv_optimizer_schedule(ours.o, CLIV_ALL_GROUPS, "lr", schedule));
    ASSERT_OK(ctx, cliv_optimizer_schedule(theirs.o, CLIV_ALL_GROUPS, "lr", schedule));
    steps(&ours, 3), steps(&theirs, 3);
    same_sides(&ours, &theirs);
    const cliv_gradient_options clip = {.clip_norm = 0.5};
    ASSERT_OK(ctx, cliv_optimizer_gradients(ours.o, &clip));
    ASSERT_OK(ctx, cliv_optimizer_gradients(theirs.o, &clip));
    steps(&ours, 2), steps(&theirs, 2);
    same_sides(&ours, &theirs);

    char *dir = test_temp_dir(), *path = test_join(dir, "states.safetensors");
    ASSERT_OK(ctx, cliv_optimizer_save(theirs.o, path));
    ASSERT_FAILS(ctx, cliv_optimizer_load(ours.o, path), CLIV_DATA, "mine");
    ASSERT_OK(ctx, cliv_optimizer_create_user(ctx, &adamw, NULL, &again));
    int group;
    ASSERT_OK(ctx, cliv_optimizer_group(again, &group));
    for (size_t i = 0; i < PARAMS; i++)
      ASSERT_OK(ctx, cliv_optimizer_add(again, theirs.p[i].tensor, theirs.g[i].tensor, i == 2 ? group : 0));
    ASSERT_OK(ctx, cliv_optimizer_load(again, path));
    ASSERT_OK(ctx, cliv_optimizer_schedule(again, CLIV_ALL_GROUPS, "lr", schedule));
    ASSERT_OK(ctx, cliv_optimizer_gradients(again, &clip));
    cliv_optimizer_free(theirs.o);
    theirs.o = again;
    steps(&ours, 2), steps(&theirs, 2);
    same_sides(&ours, &theirs);
    test_remove_tree(dir);
    free(path);
    free(dir);
    side_free(&ours);
    side_free(&theirs);
    cliv_schedule_free(schedule);
    test_close(ctx);
  }
}

/* States in 8 bits, of the two codes, and weights with what their rounding lost. */
static void is_stored_as_the_library_is(void **state) {
  (void)state;
  if (test_few()) skip();
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const cliv_optimizer_options options = {.state = "8bit", .weights = "kahan"};
  static const char helpers[] = /* of names that are likely: nothing of the library's behind them has one */
      "static real pick(real x) { return x; }\n"
      "static real pick_half(real x) { return pick(x); }\n"
      "static real raised(real x) { return pick_half(x); }\n"
      "static real code_on(real x) { return raised(x); }\n"
      "static real codes(real x) { return code_on(x); }\n";
  char text[sizeof helpers + sizeof adamw_text];
  cliv_user_rule rule = adamw;
  rule.text = strcat(strcpy(text, helpers), adamw_text);
  cliv_optimizer *a, *b;
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "adamw", &options, &a));
  ASSERT_OK(ctx, cliv_optimizer_create_user(ctx, &rule, &options, &b));
  side ours = side_make(ctx, a, true), theirs = side_make(ctx, b, true);
  steps(&ours, 3), steps(&theirs, 3);
  same_sides(&ours, &theirs);
  assert_int_equal(cliv_optimizer_state_count(b, 1), cliv_optimizer_state_count(a, 1));
  side_free(&ours);
  side_free(&theirs);
  test_close(ctx);
}

/* ---- the least rule, initial states, bounds ---- */

static cliv_optimizer *one(cliv_context *ctx, const cliv_user_rule *rule, test_guarded *p, test_guarded *g) {
  static const float start[] = {1, 2, -3}, slope[] = {1, -2, 0.5f};
  cliv_optimizer *o;
  ASSERT_OK(ctx, cliv_optimizer_create_user(ctx, rule, NULL, &o));
  *p = test_guard1(ctx, CLIV_F32, 3, 0, start);
  *g = test_guard1(ctx, CLIV_F32, 3, 1, slope);
  ASSERT_OK(ctx, cliv_optimizer_add(o, p->tensor, g->tensor, CLIV_DEFAULT_GROUP));
  return o;
}

static void step_number_and_initial_states(void **state) {
  (void)state;
  static const char text[] =
      "static void count(real *w, real g, count_state *s, count_scalars h) {\n"
      "  s->sum += h.step; *w = s->sum * h.half_lr + g * 0.0f;\n}\n";
  const cliv_hyper_info hypers[] = {{.name = "lr", .initial = -2}, {.name = "start", .initial = 10, .max = 100}};
  const cliv_state_info states[] = {{"sum", "start", "a sum", CLIV_STATE_WEIGHT}};
  const cliv_scalar_info scalars[] = {{"half_lr", "lr / 2"}};
  const cliv_user_rule rule = {sizeof rule, "count", text, 2, 1, 1, hypers, states, scalars};
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  test_guarded p, g;
  cliv_optimizer *o = one(ctx, &rule, &p, &g);
  for (int t = 0; t < 3; t++) ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
  float *got = test_read(p.tensor);
  assert_true(got[0] == -16 && got[1] == -16 && got[2] == -16);
  free(got);
  ASSERT_FAILS(ctx, cliv_optimizer_set(o, 0, "start", 101), CLIV_VALUE, "start of count is 101");
  ASSERT_FAILS(ctx, cliv_optimizer_set(o, 0, "lr", INFINITY), CLIV_VALUE, "lr of count");
  ASSERT_FAILS(ctx, cliv_optimizer_set(o, 0, "rate", 1), CLIV_NAME, "there are: lr, start");
  cliv_optimizer_free(o);
  test_guard_free(&p), test_guard_free(&g);

  static const char least[] = "static void down(real *w, real g, down_state *s, down_scalars h) { *w -= h.lr * g; }";
  const cliv_user_rule without = {.name = "down", .text = least, .hyper_count = 1, .hypers = hypers};
  o = one(ctx, &without, &p, &g);
  ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
  got = test_read(p.tensor);
  assert_true(got[0] == 3 && got[1] == -2 && got[2] == -2);
  free(got);
  assert_int_equal(cliv_optimizer_state_count(o, 0), 0);
  cliv_optimizer_free(o);
  test_guard_free(&p), test_guard_free(&g);
  test_close(ctx);
}

/* ---- what does not compile ---- */

/* The compiler's words count the lines of the text; parameters, states and steps are as before. */
static void a_failed_build_changes_nothing(void **state) {
  (void)state;
  static const char text[] =
      "static void sum(real *w, real g, sum_state *s, sum_scalars h) {\n"
      "#ifdef CONTROLLED\n"
      "  *w = nowhere;\n"
      "#endif\n"
      "  s->total += g; *w -= h.lr * s->total;\n"
      "}\n";
  const cliv_hyper_info hypers[] = {{.name = "lr", .initial = 0.5}};
  const cliv_state_info states[] = {{.name = "total"}};
  const cliv_user_rule rule = {
      .name = "sum", .text = text, .hyper_count = 1, .state_count = 1, .hypers = hypers, .states = states};
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  test_guarded p, g;
  cliv_optimizer *o = one(ctx, &rule, &p, &g);
  ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
  ASSERT_OK(ctx, cliv_optimizer_gradients(o, &(cliv_gradient_options){.clip_value = 1e9}));
  ASSERT_FAILS(ctx, cliv_optimizer_step(o, NULL), CLIV_BUILD, "nowhere");
  assert_non_null(strstr(cliv_last_error(ctx), "---- \"user\""));
  assert_non_null(strstr(cliv_last_error(ctx), "   3    *w = nowhere;"));
  assert_int_equal(cliv_optimizer_steps(o), 1);
  ASSERT_OK(ctx, cliv_optimizer_gradients(o, NULL));
  ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
  float *got = test_read(p.tensor);
  assert_true(got[0] == 1 - 0.5f - 1 && got[1] == 2 + 1 + 2 && got[2] == -3 - 0.25f - 0.5f);
  free(got);
  cliv_optimizer_free(o);
  test_guard_free(&p), test_guard_free(&g);
  test_close(ctx);
}

/* ---- refusals ---- */

static void refuses_lists(void **state) {
  (void)state;
  static const char text[] = "static void mine(real *w, real g, mine_state *s, mine_scalars h) {}";
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_optimizer *o = (cliv_optimizer *)&o;
  cliv_hyper_info h[21] = {{.name = "lr", .initial = 1}, {.name = "beta1", .initial = 0.5}};
  cliv_state_info s[6] = {{.name = "first"}, {.name = "second"}};
  cliv_scalar_info f[31] = {{"keep", "1 - lr"}, {"more", "keep * 2"}};
  const cliv_user_rule good = {.name = "mine",
                               .text = text,
                               .hyper_count = 2,
                               .state_count = 2,
                               .scalar_count = 2,
                               .hypers = h,
                               .states = s,
                               .scalars = f};
  cliv_user_rule r = good;
#define REFUSED(status, says) \
  ASSERT_FAILS(ctx, cliv_optimizer_create_user(ctx, &r, NULL, &o), (status), (says)), assert_null(o), r = good
  ASSERT_FAILS(NULL, cliv_optimizer_create_user(NULL, &r, NULL, &o), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_optimizer_create_user(ctx, NULL, NULL, &o), CLIV_NULL, "rule");
  ASSERT_FAILS(ctx, cliv_optimizer_create_user(ctx, &r, NULL, NULL), CLIV_NULL, "out");
  ASSERT_FAILS(ctx, cliv_optimizer_create_user(ctx, &r, &(cliv_optimizer_options){.preset = "torch"}, &o), CLIV_NAME,
               "there are: user");
  ASSERT_FAILS(ctx, cliv_optimizer_create_user(ctx, &r, &(cliv_optimizer_options){.chunk = 3}, &o), CLIV_VALUE,
               "chunk");
  r.size = 3, REFUSED(CLIV_VALUE, "3");
  r.name = NULL, REFUSED(CLIV_NULL, "name");
  r.text = NULL, REFUSED(CLIV_NULL, "text");
  r.name = "no such", REFUSED(CLIV_NAME, "no such");
  r.name = "other", REFUSED(CLIV_VALUE, "no function 'other'");
  r.name = "adamw", r.text = "adamw", REFUSED(CLIV_NAME, "the library has a rule 'adamw'");
  r.hyper_count = 0, REFUSED(CLIV_VALUE, "1 to 20");
  r.hyper_count = 21, REFUSED(CLIV_VALUE, "21");
  r.hypers = NULL, REFUSED(CLIV_NULL, "hyper-parameters");
  r.states = NULL, REFUSED(CLIV_NULL, "states");
  r.scalars = NULL, REFUSED(CLIV_NULL, "scalars");
  r.state_count = 6, REFUSED(CLIV_VALUE, "at most 5");
  r.scalar_count = 30, REFUSED(CLIV_VALUE, "at most 31");
  static const char *const bad[] = {"",     "Lr",     "2x",   "a b",     "a-b",   "float",  "float4",  "real",
                                    "step", "params", "a__b", "as_real", "betas", "master", "\xc3\xa4"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const char *lr = h[0].name, *first = s[0].name, *keep = f[0].name;
    h[0].name = bad[i], REFUSED(CLIV_NAME, "hyper-parameter"), h[0].name = lr;
    s[0].name = bad[i], REFUSED(CLIV_NAME, "state"), s[0].name = first;
    f[0].name = bad[i], REFUSED(CLIV_NAME, "scalar"), f[0].name = keep;
  }
  static const char *const beside[] = {"first_absmax", "m_qmap"};
  for (size_t i = 0; i < 2; i++) s[1].name = beside[i], REFUSED(CLIV_NAME, "8 bits"), s[1].name = "second";
  h[0].name = NULL, REFUSED(CLIV_NULL, "hyper-parameter"), h[0].name = "lr";
  h[1].name = "lr", REFUSED(CLIV_NAME, "two hyper-parameters are called lr"), h[1].name = "beta1";
  h[1].name = "beta2", REFUSED(CLIV_NAME, "beta2 is listed and beta1 is not"), h[1].name = "beta1";
  h[0].min = 2, h[0].max = 3, REFUSED(CLIV_VALUE, "lr of mine is 1"), h[0].min = h[0].max = 0;
  h[0].min = 3, h[0].max = 2, REFUSED(CLIV_VALUE, "from 3 to 2"), h[0].min = h[0].max = 0;
  h[0].max = INFINITY, REFUSED(CLIV_VALUE, "float32"), h[0].max = 0;
  h[0].initial = NAN, REFUSED(CLIV_VALUE, "nan"), h[0].initial = 1;
  h[0].flag = 1, h[0].initial = 0.5, REFUSED(CLIV_VALUE, "0 or 1"), h[0].flag = 0, h[0].initial = 1;
  s[1].name = "first", REFUSED(CLIV_NAME, "two states are called first"), s[1].name = "second";
  s[1].initial = "rate", REFUSED(CLIV_NAME, "begins at 'rate'"), s[1].initial = NULL;
  s[1].kind = (cliv_state_kind)3, REFUSED(CLIV_VALUE, "kind of state second is 3"), s[1].kind = CLIV_STATE_WEIGHT;
  f[1].name = "lr", REFUSED(CLIV_NAME, "scalar lr has another's name"), f[1].name = "more";
  f[1].name = "keep", REFUSED(CLIV_NAME, "scalar keep has another's name"), f[1].name = "more";
  f[0].formula = NULL, REFUSED(CLIV_NULL, "keep"), f[0].formula = "1 - lr";
  f[0].formula = "more", REFUSED(CLIV_NAME, "scalar keep, formula 'more', character 1"), f[0].formula = "1 - lr";
  f[0].formula = "1 -", REFUSED(CLIV_VALUE, "character 4"), f[0].formula = "1 - lr";
  ASSERT_OK(ctx, cliv_optimizer_create_user(ctx, &r, NULL, &o));
  cliv_optimizer_free(o);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(formulas_compute),
      cmocka_unit_test(formulas_refuse),
      cmocka_unit_test(has_the_bits_of_the_library),
      cmocka_unit_test(is_stored_as_the_library_is),
      cmocka_unit_test(step_number_and_initial_states),
      cmocka_unit_test(a_failed_build_changes_nothing),
      cmocka_unit_test(refuses_lists),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
