/* Problems with known minima, in double: what optimizers and minimizers are tried on. The same as in
 * tests/golden/make_minima.py.
 *
 *   quadratic    20 elements, curvatures from 1 to 100
 *   rosenbrock   the valley, 2 elements; also as residuals
 *   logistic     breast cancer (examples/data), 30 standardised features and a constant, L2 of 0.01 on all
 *   decay        residuals: an exponential and a constant fitted to what is not quite one
 */
#ifndef CLIV_TESTS_PROBLEMS_H
#define CLIV_TESTS_PROBLEMS_H

#include <stddef.h>

enum { TEST_MOST_UNKNOWNS = 31, TEST_MOST_RESIDUALS = 40 };
#define TEST_LOGISTIC_L2 0.01

typedef struct test_problem {
  const char *name;
  size_t n;
  double lowest;
  void (*start)(double *x);
  double (*value)(const double *x, double *gradient); /* gradient may be NULL */
  void (*hessian)(const double *x, double *h);        /* n × n; NULL: not given */
  size_t residuals;
  void (*residual)(const double *x, double *r); /* NULL: not given */
  void (*jacobian)(const double *x, double *j); /* residuals × n */
} test_problem;

enum { TEST_PROBLEMS = 4 };
extern const test_problem test_problems[TEST_PROBLEMS];
const test_problem *test_problem_find(const char *name); /* fails the test where there is none */

/* Breast cancer: rows × 31, standardised, the last column 1; targets 0 and 1. */
typedef struct test_samples {
  size_t rows, columns;
  const double *x, *y;
} test_samples;
const test_samples *test_breast_cancer(void);
/* Diabetes: rows × 10, standardised, and the target, standardised. */
const test_samples *test_diabetes(void);

#endif
