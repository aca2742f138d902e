/* Every rule of the table comes to the minimum of a quadratic, of Rosenbrock's valley and of logistic regression, with
 * the hyper-parameters that are listed here. */
#include <cliv/optim.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "problems.h"
#include "support.h"

/* How near a rule has to come. Where they begin the objectives are 112, 37 and 0.6 above their minima. */
typedef struct course {
  const char *problem;
  double within;
  size_t steps;
  const char *options; /* of a rule that is no exception, beside weight_decay=0 where it has that */
} course;
static const course courses[] = {
    {"quadratic", 1e-4, 500, "lr=0.3"},
    {"rosenbrock", 1e-3, 2000, "lr=0.3"},
    {"logistic", 1e-3, 400, "lr=0.3"},
};
enum { COURSES = sizeof courses / sizeof *courses };

/* Other hyper-parameters, and why. problem NULL: for each that has no row of its own; steps 0: the course's. */
typedef struct exception {
  const char *rule, *problem, *options;
  size_t steps;
  const char *schedule; /* NULL: 100 steps of warm-up, then a cosine to 0 */
} exception;
static const exception exceptions[] = {
    /* Steps as long as the gradient, which is 200 on Rosenbrock's slopes: lr below 2 / curvature. */
    {"sgd", "quadratic", "lr=0.01 momentum=0.9", 0, NULL},
    {"sgd", "rosenbrock", "lr=0.001 momentum=0.9", 0, NULL},
    {"asgd", "quadratic", "lr=0.015 lambd=0", 1000, NULL},
    {"asgd", "rosenbrock", "lr=0.003 lambd=0", 8000, NULL},
    {"qhm", "quadratic", "lr=0.03 momentum=0.9", 0, NULL},
    {"qhm", "rosenbrock", "lr=0.01 momentum=0.95 nu=1", 0, NULL},
    {"qhm", "logistic", "lr=1 momentum=0.9", 0, NULL},
    {"adabound", "rosenbrock", "lr=0.3 final_lr=0.003", 0, NULL},
    /* Steps that shrink as gradients have been: more of them, or a larger lr. */
    {"adagrad", "rosenbrock", "lr=2", 8000, NULL},
    {"shampoo", NULL, "lr=3 preconditioning_frequency=10", 1000, NULL},
    {"shampoo", "rosenbrock", "lr=2 preconditioning_frequency=10", 8000, NULL},
    {"adadelta", NULL, "lr=10", 0, NULL},
    {"adadelta", "rosenbrock", "lr=1", 5000, NULL},
    {"adamax", "rosenbrock", "lr=2", 0, NULL},
    {"adopt", "rosenbrock", "lr=3", 0, NULL},
    {"nadam", "rosenbrock", "lr=0.1", 5000, NULL},
    {"rmsprop", "rosenbrock", "lr=0.01 momentum=0.9", 0, NULL},
    {"madgrad", "rosenbrock", "lr=0.1", 0, NULL},
    /* Steps of one length in every direction. */
    {"signum", "rosenbrock", "lr=0.01", 0, NULL},
    {"lion", "rosenbrock", "lr=0.03", 0, NULL},
    /* A mean over 10,000 steps. */
    {"ademamix", NULL, "lr=0.3 beta3=0.99", 0, NULL},
    /* Weights are made of all gradients by the present lr: it must not go to 0. */
    {"ftrl", NULL, "lr=1", 0, "constant(1)"},
    {"ftrl", "rosenbrock", "lr=0.7", 8000, "constant(1)"},
    /* One row a step. */
    {"sophia", NULL, "lr=0.03 batch_size=1 rho=0.1", 0, NULL},
    {"sophia", "rosenbrock", "lr=0.1 batch_size=1 rho=0.01", 0, NULL},
    /* A mean takes the place of a schedule that falls. */
    {"schedule_free_sgd", "quadratic", "lr=0.01 r=2 warmup_steps=100", 1000, "constant(1)"},
    {"schedule_free_sgd", "logistic", "lr=1 r=2", 0, "constant(1)"},
    {"schedule_free_sgd", "rosenbrock", "lr=0.004 r=2 warmup_steps=100", 5000, "constant(1)"},
    {"schedule_free_adamw", NULL, "lr=0.3 r=2", 0, "constant(1)"},
    {"schedule_free_adamw", "rosenbrock", "lr=0.1 beta1=0.98 r=2 warmup_steps=100", 5000, "constant(1)"},
    /* Its own rate falls, and is small where weights are. */
    {"adafactor", NULL, "lr=0.3 relative_step=0 scale_parameter=0", 0, NULL},
    {"adafactor", "rosenbrock", "lr=0.1 beta1=0.9 beta2_decay=-0.5 relative_step=0 scale_parameter=0", 8000, NULL},
    /* Rates that grow from almost nothing, and want no schedule. */
    {"dog", NULL, "lr=1 reps_rel=0.1", 2000, "constant(1)"},
    {"dog", "rosenbrock", "lr=0.5 reps_rel=0.01", 16000, "constant(1)"},
    {"ldog", NULL, "lr=1 reps_rel=0.1", 2000, "constant(1)"},
    {"ldog", "rosenbrock", "lr=0.5 reps_rel=0.01", 16000, "constant(1)"},
    {"dowg", NULL, "lr=1", 2000, "constant(1)"},
    {"dowg", "rosenbrock", "lr=0.5", 16000, "constant(1)"},
    /* Steps as long as a part of the weights: a thousandth is little for weights that begin at 0. */
    {"lars", NULL, "lr=0.1 trust_coefficient=0.1", 0, NULL},
};

static const exception *exception_of(const char *rule, const char *problem) {
  const exception *found = NULL;
  for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++) {
    const exception *e = &exceptions[i];
    if (strcmp(e->rule, rule)) continue;
    if (e->problem && !strcmp(e->problem, problem)) return e;
    if (!e->problem) found = e;
  }
  return found;
}

static cliv_optimizer *create(cliv_context *ctx, const char *rule, const char *options, const cliv_schedule *schedule) {
  const cliv_rule_info *info = cliv_rule_find(rule);
  cliv_optimizer *o;
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, rule, NULL, &o));
  for (size_t i = 0; i < info->hyper_count; i++)
    if (!strcmp(info->hypers[i].name, "weight_decay")) test_set_options(ctx, o, "weight_decay=0");
  test_set_options(ctx, o, options);
  ASSERT_OK(ctx, cliv_optimizer_schedule(o, CLIV_ALL_GROUPS, "lr", schedule));
  return o;
}

/* Gradients by the host, in double. Gives how far above its minimum the objective is. */
static double descend(cliv_context *ctx, cliv_optimizer *o, const test_problem *problem, size_t steps) {
  const size_t n = problem->n, column[] = {n, 1}; /* a matrix, for rules that take nothing else */
  double at[TEST_MOST_UNKNOWNS], slopes[TEST_MOST_UNKNOWNS];
  float w[TEST_MOST_UNKNOWNS], g[TEST_MOST_UNKNOWNS];
  cliv_tensor *x, *gradient;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, column, &x));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, column, &gradient));
  problem->start(at);
  for (size_t i = 0; i < n; i++) w[i] = (float)at[i];
  ASSERT_OK(ctx, cliv_tensor_write(x, w, n * sizeof *w));
  ASSERT_OK(ctx, cliv_optimizer_add(o, x, gradient, CLIV_DEFAULT_GROUP));
  for (size_t t = 0; t < steps; t++) {
    problem->value(at, slopes);
    for (size_t i = 0; i < n; i++) g[i] = (float)slopes[i];
    ASSERT_OK(ctx, cliv_tensor_write(gradient, g, n * sizeof *g));
    ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
    ASSERT_OK(ctx, cliv_tensor_read(x, w, n * sizeof *w));
    for (size_t i = 0; i < n; i++) at[i] = (double)w[i];
  }
  ASSERT_OK(ctx, cliv_optimizer_evaluate(o, 1, NULL));
  ASSERT_OK(ctx, cliv_tensor_read(x, w, n * sizeof *w));
  for (size_t i = 0; i < n; i++) at[i] = (double)w[i];
  cliv_tensor_free(x);
  cliv_tensor_free(gradient);
  return problem->value(at, NULL) - problem->lowest;
}

static bool comes_near(cliv_context *ctx, const char *rule, const course *c) {
  const exception *e = exception_of(rule, c->problem);
  const char *options = e ? e->options : c->options;
  const size_t steps = e && e->steps ? e->steps : c->steps;
  char text[64];
  cliv_schedule *schedule;
  snprintf(text, sizeof text, "warmup(100) cosine(%zu)", steps - 100);
  ASSERT_OK(NULL, cliv_schedule_create(NULL, e && e->schedule ? e->schedule : text, NULL, &schedule));
  cliv_optimizer *o = create(ctx, rule, options, schedule);
  const double gap = descend(ctx, o, test_problem_find(c->problem), steps);
  cliv_optimizer_free(o);
  cliv_schedule_free(schedule);
  const bool near = gap <= c->within;
  if (!near)
    print_error("%s is %.3g above the minimum of %s after %zu steps with %s; to be within %.0e it may need a row\n",
                rule, gap, c->problem, steps, options, c->within);
  return near;
}

static void every_rule_comes_to_the_minimum(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  size_t failed = 0;
  /* Where another stack tries all, each ninth, and the first alone where steps are slow: the bits are the same. */
  for (size_t i = 0; i < cliv_rule_count(); i += test_small() || test_slow(ctx) ? cliv_rule_count()
                                                 : test_few()                   ? 9
                                                                                : 1)
    for (size_t k = 0; k < COURSES; k++) failed += !comes_near(ctx, cliv_rule_get(i)->name, &courses[k]);
  test_close(ctx);
  assert_int_equal(failed, 0);
}

/* No row is left behind by a rule that has gone. */
static void exceptions_are_of_rules(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof exceptions / sizeof *exceptions; i++) {
    assert_non_null(cliv_rule_find(exceptions[i].rule));
    if (exceptions[i].problem) assert_non_null(test_problem_find(exceptions[i].problem));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(exceptions_are_of_rules),
      cmocka_unit_test(every_rule_comes_to_the_minimum),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
