/* Trying by turns: who is called how often, and what is told of them. */
#include <cliv/status.h>

#include "runtime/measure.h"
#include "support.h"

typedef struct script {
  double seconds[4]; /* of a call of each; negative: it fails … */
  size_t from[4];    /* … from this call on, 0 for the first */
  size_t calls[4];
} script;

static double play(void *data, size_t i) {
  script *const s = data;
  const size_t call = s->calls[i]++;
  if (s->seconds[i] < 0) return call >= s->from[i] ? -1 : -s->seconds[i];
  return s->seconds[i] * (call == 1 ? 10 : 1); /* the second round is disturbed */
}

static bool contest(script *s, size_t count, size_t rounds, double seconds, cliv__contestant *out) {
  const cliv__contest c = {.count = count, .run = play, .data = s, .rounds = rounds, .seconds = seconds};
  return cliv__contest_run(&c, out);
}

static void medians_of_ratios(void **state) {
  (void)state;
  script s = {.seconds = {1, 0.5, 2}};
  cliv__contestant out[3];
  assert_true(contest(&s, 3, 5, 60, out));
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(s.calls[i], 5);
    assert_true(out[i].ratio == 1 / s.seconds[i]);
    assert_true(out[i].least == s.seconds[i]);
  }
}

/* Of two rounds the lesser ratio counts: nothing is taken by one lucky call. */
static double lucky(void *data, size_t i) {
  size_t *const calls = data;
  return i == 1 && (*calls)++ == 0 ? 0.1 : 1;
}
static void luck_does_not_count(void **state) {
  (void)state;
  size_t calls = 0;
  const cliv__contest c = {.count = 2, .run = lucky, .data = &calls, .rounds = 2, .seconds = 60};
  cliv__contestant out[2];
  assert_true(cliv__contest_run(&c, out));
  assert_int_equal(calls, 2);
  assert_true(out[1].ratio == 1 && out[1].least == 0.1);
}

static void who_fails_is_left_out(void **state) {
  (void)state;
  script s = {.seconds = {1, -0.5, 0.25, -1}, .from = {0, 2, 0, 0}};
  cliv__contestant out[4];
  assert_true(contest(&s, 4, 5, 60, out));
  assert_true(out[0].ratio == 1 && out[1].ratio == 0 && out[2].ratio == 4 && out[3].ratio == 0);
  const size_t calls[] = {5, 3, 5, 1};
  assert_memory_equal(s.calls, calls, sizeof calls);
  script first = {.seconds = {-1, 1}, .from = {1, 0}};
  assert_false(contest(&first, 2, 5, 60, out));
  assert_int_equal(first.calls[0], 2);
  assert_int_equal(first.calls[1], 1);
}

static void there_is_one_round(void **state) {
  (void)state;
  script s = {.seconds = {1, 2}};
  cliv__contestant out[2];
  assert_true(contest(&s, 2, 5, 0, out));
  assert_int_equal(s.calls[0], 1);
  assert_int_equal(s.calls[1], 1);
  assert_true(out[1].ratio == 0.5);
  script three = {.seconds = {1, 2}};
  const cliv__contest fewest = {.count = 2, .run = play, .data = &three, .fewest = 3, .rounds = 5};
  assert_true(cliv__contest_run(&fewest, out));
  assert_int_equal(three.calls[1], 3);
  script many = {.seconds = {1, 2}};
  assert_true(contest(&many, 2, 1000, 60, out)); /* more rounds than it has room for */
  assert_true(many.calls[0] > 1 && many.calls[0] < 1000 && out[1].ratio == 0.5);
}

static void logarithms(void **state) {
  (void)state;
  const cl_ulong x[] = {0, 1, 2, 3, 4, 1023, 1024, (cl_ulong)-1};
  const unsigned want[] = {0, 0, 1, 1, 2, 9, 10, 63};
  for (size_t i = 0; i < 8; i++) assert_int_equal(cliv__log2(x[i]), want[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(medians_of_ratios),
      cmocka_unit_test(luck_does_not_count),
      cmocka_unit_test(who_fails_is_left_out),
      cmocka_unit_test(there_is_one_round),
      cmocka_unit_test(logarithms),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
