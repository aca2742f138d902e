#include "problems.h"

#include <cliv/csv.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

/* ---- data ---- */

/* Mean 0 and standard deviation 1, in steps of `stride`. */
static void standardise(double *x, size_t rows, size_t stride) {
  double mean = 0, square = 0;
  for (size_t i = 0; i < rows; i++) mean += x[i * stride] / (double)rows;
  for (size_t i = 0; i < rows; i++) square += pow(x[i * stride] - mean, 2) / (double)rows;
  for (size_t i = 0; i < rows; i++) x[i * stride] = (x[i * stride] - mean) / sqrt(square);
}

/* All columns but the last are features, standardised; `constant`: one more column, of 1. */
static void read_samples(const char *path, bool constant, bool classes, test_samples *out) {
  cliv_csv *table;
  cliv_csv_classes codes;
  char *found = test_source_path(path);
  ASSERT_OK(NULL, cliv_csv_read(found, NULL, &table));
  const size_t rows = cliv_csv_rows(table), features = cliv_csv_columns(table) - 1, columns = features + constant;
  double *x = test_alloc(rows * columns * sizeof *x), *y = test_alloc(rows * sizeof *y);
  for (size_t j = 0; j < features; j++) {
    ASSERT_OK(NULL, cliv_csv_numbers(table, j, x + j, columns, NULL));
    standardise(x + j, rows, columns);
  }
  for (size_t i = 0; constant && i < rows; i++) x[i * columns + features] = 1;
  if (classes) {
    ASSERT_OK(NULL, cliv_csv_classify(table, features, &codes));
    for (size_t i = 0; i < rows; i++) y[i] = codes.codes[i];
    cliv_csv_classes_free(&codes);
  } else {
    ASSERT_OK(NULL, cliv_csv_numbers(table, features, y, 1, NULL));
    standardise(y, rows, 1);
  }
  cliv_csv_free(table);
  free(found);
  *out = (test_samples){rows, columns, x, y};
}

static const test_samples *samples(test_samples *s, const char *path, bool constant, bool classes) {
  if (!s->x) read_samples(path, constant, classes, s);
  return s;
}

const test_samples *test_breast_cancer(void) {
  static test_samples cancer;
  return samples(&cancer, "examples/data/breast_cancer.csv", true, true);
}
const test_samples *test_diabetes(void) {
  static test_samples diabetes;
  return samples(&diabetes, "examples/data/diabetes.csv", false, false);
}

/* ---- quadratic ---- */

enum { QUADRATIC = 20 };
static double curvature(size_t i) { return pow(100, (double)i / (QUADRATIC - 1)); }

static void quadratic_start(double *x) { memset(x, 0, QUADRATIC * sizeof *x); }

static double quadratic_value(const double *x, double *g) {
  double f = 0;
  for (size_t i = 0; i < QUADRATIC; i++) {
    const double d = x[i] - ((double)(i % 5) - 2) / 2;
    f += curvature(i) * d * d / 2;
    if (g) g[i] = curvature(i) * d;
  }
  return f;
}

static void quadratic_hessian(const double *x, double *h) {
  (void)x;
  memset(h, 0, (size_t)QUADRATIC * QUADRATIC * sizeof *h);
  for (size_t i = 0; i < QUADRATIC; i++) h[i * QUADRATIC + i] = curvature(i);
}

/* ---- Rosenbrock's valley ---- */

static void rosenbrock_start(double *x) { x[0] = -1.25, x[1] = 1; }

static double rosenbrock_value(const double *x, double *g) {
  const double a = x[1] - x[0] * x[0], b = 1 - x[0];
  if (g) g[0] = -400 * a * x[0] - 2 * b, g[1] = 200 * a;
  return 100 * a * a + b * b;
}

static void rosenbrock_hessian(const double *x, double *h) {
  h[0] = 1200 * x[0] * x[0] - 400 * x[1] + 2;
  h[1] = h[2] = -400 * x[0];
  h[3] = 200;
}

static void rosenbrock_residual(const double *x, double *r) {
  r[0] = sqrt(2) * 10 * (x[1] - x[0] * x[0]);
  r[1] = sqrt(2) * (1 - x[0]);
}

static void rosenbrock_jacobian(const double *x, double *j) {
  j[0] = sqrt(2) * -20 * x[0], j[1] = sqrt(2) * 10;
  j[2] = -sqrt(2), j[3] = 0;
}

/* ---- logistic regression ---- */

enum { LOGISTIC = 31 };

static void logistic_start(double *x) { memset(x, 0, LOGISTIC * sizeof *x); }

static double logistic_value(const double *w, double *g) {
  const test_samples *s = test_breast_cancer();
  double f = 0;
  if (g) memset(g, 0, LOGISTIC * sizeof *g);
  for (size_t i = 0; i < s->rows; i++) {
    const double *row = s->x + i * LOGISTIC;
    double z = 0;
    for (size_t j = 0; j < LOGISTIC; j++) z += row[j] * w[j];
    f += (fmax(z, 0) - z * s->y[i] + log1p(exp(-fabs(z)))) / (double)s->rows;
    const double slope = (1 / (1 + exp(-z)) - s->y[i]) / (double)s->rows;
    for (size_t j = 0; g && j < LOGISTIC; j++) g[j] += slope * row[j];
  }
  for (size_t j = 0; j < LOGISTIC; j++) {
    f += TEST_LOGISTIC_L2 / 2 * w[j] * w[j];
    if (g) g[j] += TEST_LOGISTIC_L2 * w[j];
  }
  return f;
}

static void logistic_hessian(const double *w, double *h) {
  const test_samples *s = test_breast_cancer();
  memset(h, 0, (size_t)LOGISTIC * LOGISTIC * sizeof *h);
  for (size_t i = 0; i < s->rows; i++) {
    const double *row = s->x + i * LOGISTIC;
    double z = 0;
    for (size_t j = 0; j < LOGISTIC; j++) z += row[j] * w[j];
    const double p = 1 / (1 + exp(-z)), weight = p * (1 - p) / (double)s->rows;
    for (size_t j = 0; j < LOGISTIC; j++)
      for (size_t k = 0; k < LOGISTIC; k++) h[j * LOGISTIC + k] += weight * row[j] * row[k];
  }
  for (size_t j = 0; j < LOGISTIC; j++) h[j * LOGISTIC + j] += TEST_LOGISTIC_L2;
}

/* ---- decay ---- */

enum { DECAY = 40 };

static void decay_start(double *x) { x[0] = x[1] = 1, x[2] = 0; }

static void decay_residual(const double *x, double *r) {
  for (size_t i = 0; i < DECAY; i++) {
    const double t = (double)i / 10, y = 2.5 * exp(-1.3 * t) + 0.5 + 0.05 * cos(7 * t);
    r[i] = x[0] * exp(-x[1] * t) + x[2] - y;
  }
}

static void decay_jacobian(const double *x, double *j) {
  for (size_t i = 0; i < DECAY; i++) {
    const double t = (double)i / 10, e = exp(-x[1] * t);
    j[3 * i] = e, j[3 * i + 1] = -x[0] * t * e, j[3 * i + 2] = 1;
  }
}

static double decay_value(const double *x, double *g) {
  double r[DECAY], j[3 * DECAY], f = 0;
  decay_residual(x, r);
  decay_jacobian(x, j);
  if (g) memset(g, 0, 3 * sizeof *g);
  for (size_t i = 0; i < DECAY; i++) {
    f += r[i] * r[i] / 2;
    for (size_t k = 0; g && k < 3; k++) g[k] += r[i] * j[3 * i + k];
  }
  return f;
}

/* ---- the table ---- */

const test_problem test_problems[TEST_PROBLEMS] = {
    {"quadratic", QUADRATIC, 0, quadratic_start, quadratic_value, quadratic_hessian, 0, NULL, NULL},
    {"rosenbrock", 2, 0, rosenbrock_start, rosenbrock_value, rosenbrock_hessian, 2, rosenbrock_residual,
     rosenbrock_jacobian},
    {"logistic", LOGISTIC, 0.1004463037813434, logistic_start, logistic_value, logistic_hessian, 0, NULL, NULL},
    {"decay", 3, 0.023912598408369734, decay_start, decay_value, NULL, DECAY, decay_residual, decay_jacobian},
};

const test_problem *test_problem_find(const char *name) {
  for (size_t i = 0; i < TEST_PROBLEMS; i++)
    if (!strcmp(test_problems[i].name, name)) return &test_problems[i];
  fail_msg("there is no problem %s", name);
  return NULL;
}
