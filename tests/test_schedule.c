/* Schedules: shapes that PyTorch lacks against their formulas, the language, plateau's reports. Those that PyTorch has
 * are held to it by tests/python/test_op_schedule.py. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/schedule.h>

static cliv_schedule *parse(const char *text) {
  cliv_schedule *s;
  ASSERT_OK(NULL, cliv_schedule_create(NULL, text, NULL, &s));
  return s;
}

/* ---- shapes ---- */

static double wsd(double t) {
  return t < 10 ? t / 10 : t < 60 ? 1 : t < 100 ? 0.2 + 0.8 * (1 - sqrt((t - 60) / 40)) : 0.2;
}
static double noam(double t) { return fmin(pow(t + 1, -0.5), (t + 1) * pow(40, -1.5)) / sqrt(512); }
static double rsqrt_(double t) { return t < 30 ? t / 30 : sqrt(30 / t); }
static double part(double t, double n) { return fmin(t / n, 1); }
static double rex(double t) { return 0.1 + 0.9 * (1 - part(t, 80)) / (1 - part(t, 80) / 2); }
static double range(double t) { return pow(1e-5, 1 - part(t, 70)); }
static double cooled(double t) { return t < 20 ? 1 : 1 - sqrt(part(t - 20, 50)); }
static double waves(double t) {
  return (t < 10 ? 0.5 + 0.05 * t : (1 + cos(acos(-1) * part(t - 10, 30))) / 2) * (t < 25 ? 1 : 0.25);
}

static const struct {
  const char *text;
  double (*factor)(double t);
} formulas[] = {
    {"wsd(100, 10, 40, end=0.2)", wsd},
    {"noam(512, 40)", noam},
    {"rsqrt(30)", rsqrt_},
    {"rex(80, 0.1)", rex},
    {"range(70, 1e-5)", range},
    {"constant(20) cooldown(50)", cooled},
    {" warmup( 10 ,start = .5)cosine(steps=30)\n*\tmultistep(25,gamma=0.25)", waves},
};

static void shapes_follow_their_formulas(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++) {
    cliv_schedule *s = parse(formulas[i].text);
    for (uint64_t t = 0; t < 150; t++) {
      const double got = cliv_schedule_factor(s, t), want = formulas[i].factor((double)t);
      if (!(fabs(got - want) <= 4e-15 * fmax(fabs(want), 0.1)))
        fail_msg("%s, step %d: %.17g, not %.17g", formulas[i].text, (int)t, got, want);
    }
    cliv_schedule_free(s);
  }
}

/* The series instead of the C library's cosine, at every part of the wave. */
static void cosine_is_accurate(void **state) {
  (void)state;
  cliv_schedule *s = parse("cosine(10007)");
  double worst = 0;
  for (uint64_t t = 0; t <= 10007; t++)
    worst = fmax(worst, fabs(cliv_schedule_factor(s, t) - (1 + cos(acos(-1) * (double)t / 10007)) / 2));
  assert_true(worst <= 4e-16);
  assert_true(cliv_schedule_factor(s, 0) == 1 && cliv_schedule_factor(s, 10007) == 0);
  assert_true(cliv_schedule_factor(s, UINT64_MAX) == 0);
  cliv_schedule_free(s);
}

static void table_is_consistent(void **state) {
  (void)state;
  assert_null(cliv_schedule_get(cliv_schedule_count()));
  for (size_t i = 0; i < cliv_schedule_count(); i++) {
    const cliv_schedule_info *k = cliv_schedule_get(i);
    assert_true(strlen(k->name) && strlen(k->summary) && strlen(k->source) && k->argument_count <= 6);
    for (size_t a = 0; a < k->argument_count; a++) {
      const cliv_schedule_argument *x = &k->arguments[a];
      assert_true(strlen(x->name) && strlen(x->meaning) && x->min < x->max);
      assert_true(isnan(x->initial) || (x->initial >= x->min && x->initial <= x->max));
      assert_true(!x->counts || isnan(x->initial) || x->initial == floor(x->initial));
    }
  }
}

/* ---- plateau ---- */

static void plateau_listens(void **state) {
  (void)state;
  cliv_schedule *s = parse("plateau(patience=1, gamma=0.5, cooldown=2, end=0.2) * constant(factor=2)");
  static const double reports[] = {3, 2, 2, 2, 2, 2, 2, 2, 1, NAN, NAN, 5, 5, 5, 5, 5};
  /* Lower after two reports without an improvement; the next two do not count. */
  static const double want[] = {2, 2, 2, 1, 1, 1, 1, .5, .5, .5, .5, .4, .4, .4, .4, .4};
  for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
    cliv_schedule_report(s, reports[i]);
    if (cliv_schedule_factor(s, i) != want[i])
      fail_msg("after report %zu: %g, not %g", i, cliv_schedule_factor(s, i), want[i]);
  }
  double told[8];
  cliv_schedule *other = parse("plateau(patience=1, gamma=0.5, cooldown=2, end=0.2) * constant(factor=2)");
  const size_t count = cliv_schedule_state(s, told, 8);
  assert_int_equal(count, 4);
  ASSERT_OK(NULL, cliv_schedule_restore(other, told, count));
  assert_true(cliv_schedule_factor(other, 99) == cliv_schedule_factor(s, 99));
  ASSERT_FAILS(NULL, cliv_schedule_restore(other, told, 3), CLIV_VALUE, "3 numbers");
  cliv_schedule_free(other);
  cliv_schedule_free(s);
  s = parse("plateau(0, 0.5, higher=1)");
  cliv_schedule_report(s, -1);
  cliv_schedule_report(s, -0.5);
  assert_true(cliv_schedule_factor(s, 0) == 1);
  cliv_schedule_report(s, -0.5);
  assert_true(cliv_schedule_factor(s, 0) == 0.5);
  cliv_schedule_free(s);
  s = parse("cosine(9)");
  cliv_schedule_report(s, 1);
  assert_int_equal(cliv_schedule_state(s, NULL, 0), 0);
  ASSERT_OK(NULL, cliv_schedule_restore(s, NULL, 0));
  cliv_schedule_free(s);
}

/* ---- texts that are none ---- */

static void wrong_texts_are_refused(void **state) {
  (void)state;
  cliv_schedule *s;
  ASSERT_FAILS(NULL, cliv_schedule_create(NULL, NULL, NULL, &s), CLIV_NULL, "text");
  ASSERT_FAILS(NULL, cliv_schedule_create(NULL, "cosine(9)", NULL, NULL), CLIV_NULL, "out");
  ASSERT_FAILS(NULL, cliv_schedule_create(NULL, "cosine(9) sine(3)", NULL, &s), CLIV_NAME, "character 11");
  ASSERT_FAILS(NULL, cliv_schedule_create(NULL, "cosine(9, stop=1)", NULL, &s), CLIV_NAME, "no argument 'stop'");
  ASSERT_FAILS(NULL, cliv_schedule_create(NULL, "cosine(9, 1.5)", NULL, &s), CLIV_VALUE, "from 0 to 1");
  ASSERT_FAILS(NULL, cliv_schedule_create(NULL, "step(9) cosine(3)", NULL, &s), CLIV_VALUE, "character 1: step");
  assert_null(s);
  /* Every beginning of a text is a schedule or refused, and nothing is read beyond it. */
  static const char whole[] = "warmup(10, start=0.5) cosine(30) * multistep(25, 60, gamma=.25) * plateau()";
  for (size_t n = 0; n < sizeof whole; n++) {
    char *text = strndup(whole, n);
    if (!cliv_schedule_create(NULL, text, NULL, &s)) cliv_schedule_free(s);
    else assert_null(s);
    free(text);
  }
  char list[200] = "multistep(0";
  for (int i = 1; i < 17; i++) sprintf(list + strlen(list), ",%d", i);
  strcat(list, ")");
  ASSERT_FAILS(NULL, cliv_schedule_create(NULL, list, NULL, &s), CLIV_VALUE, "at most 16");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(table_is_consistent),     cmocka_unit_test(shapes_follow_their_formulas),
      cmocka_unit_test(cosine_is_accurate),      cmocka_unit_test(plateau_listens),
      cmocka_unit_test(wrong_texts_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
