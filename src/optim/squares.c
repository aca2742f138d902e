/* Sums of squares of residuals: Gauss-Newton and Levenberg-Marquardt, with J on the host or by its products. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/dense.h"
#include "optim/minimize.h"
#include "runtime/tensor.h"

typedef struct squares {
  size_t residuals;
  cliv_tensor *r, *p;    /* residuals at the last evaluation; the step */
  cliv_tensor *kept;     /* residuals at x while steps from it are tried */
  cliv_tensor *jacobian; /* NULL: products alone, and the vectors of conjugate gradients: */
  cliv_tensor *rest, *jd, *s, *d;
  float *stored;                 /* of the Jacobian, the residuals, a vector */
  double *gram, *factor, *g, *h; /* J'J (upper triangle); J'r; the step */
  double *scale;                 /* D */
  double damping, growth;        /* μ, and by what a failure multiplies it */
} squares;

static const char *lacks(const cliv_objective *o) {
  const bool products = o->jacobian_product && o->jacobian_adjoint;
  return !o->residual ? "residual" : !o->jacobian && !products ? "each of jacobian and both its products" : NULL;
}

static cliv_status begin_dense(cliv__minimizer *m, squares *w) {
  const size_t n = m->n, rows = w->residuals;
  REQUIRE(m->ctx, n <= CLIV__MOST_DENSE, VALUE,
          "%s takes a Jacobian of at most %d columns, not %zu: give its products alone", m->method->info.name,
          CLIV__MOST_DENSE, n);
  w->stored = malloc((rows * (n + 1) + n + 1) * sizeof *w->stored);
  w->gram = malloc((n * n + 1) * sizeof *w->gram);
  w->factor = malloc((n * n + 1) * sizeof *w->factor);
  w->g = malloc((n + 1) * sizeof *w->g);
  w->h = malloc((n + 1) * sizeof *w->h);
  w->scale = calloc(n + 1, sizeof *w->scale);
  REQUIRE(m->ctx, w->stored && w->gram && w->factor && w->g && w->h && w->scale, HOST_MEMORY,
          "no memory for a Jacobian of %zu x %zu", rows, n);
  return cliv__vector(m, rows, n, &w->jacobian);
}

static cliv_status begin(cliv__minimizer *m) {
  squares *w = m->state = calloc(1, sizeof *w);
  REQUIRE(m->ctx, w != NULL, HOST_MEMORY, "no memory for %s", m->method->info.name);
  w->residuals = m->objective.residuals;
  w->damping = m->options.damping;
  w->growth = 2;
  TRY(cliv__vector(m, w->residuals, 0, &w->r));
  TRY(cliv__vector(m, w->residuals, 0, &w->kept));
  TRY(cliv__vector(m, m->n, 0, &w->p));
  if (m->objective.jacobian && m->n) return begin_dense(m, w);
  TRY(cliv__vector(m, w->residuals, 0, &w->rest));
  TRY(cliv__vector(m, w->residuals, 0, &w->jd));
  TRY(cliv__vector(m, m->n, 0, &w->s));
  return cliv__vector(m, m->n, 0, &w->d);
}

static void end(cliv__minimizer *m) {
  squares *w = m->state;
  if (!w) return;
  free(w->stored);
  free(w->gram);
  free(w->factor);
  free(w->g);
  free(w->h);
  free(w->scale);
  free(w);
}

/* ---- the objective ---- */

static cliv_status jacobian_product(cliv__minimizer *m, const cliv_tensor *v, cliv_tensor *out) {
  m->result->products++;
  return m->objective.jacobian_product(m->objective.with, m->x, v, out);
}

static cliv_status jacobian_adjoint(cliv__minimizer *m, const cliv_tensor *u, cliv_tensor *out) {
  m->result->products++;
  return m->objective.jacobian_adjoint(m->objective.with, m->x, u, out);
}

/* J'J and J'r, row after row. */
static void add_rows(squares *w, size_t n, const float *jacobian, const float *residuals) {
  memset(w->gram, 0, n * n * sizeof *w->gram);
  memset(w->g, 0, n * sizeof *w->g);
  for (size_t k = 0; k < w->residuals; k++) {
    const float *row = jacobian + k * n;
    for (size_t i = 0; i < n; i++) {
      const double x = (double)row[i];
      double *to = w->gram + i * n;
      w->g[i] += x * (double)residuals[k];
      for (size_t j = i; j < n; j++) to[j] += x * (double)row[j];
    }
  }
}

/* J'J and the gradient at x, where r has just been found. */
static cliv_status slopes(cliv__minimizer *m, cliv_tensor *g) {
  squares *w = m->state;
  const size_t n = m->n, rows = w->residuals;
  if (!w->jacobian) return n ? jacobian_adjoint(m, w->r, g) : CLIV_OK;
  float *residuals = w->stored + rows * n, *gradient = residuals + rows;
  TRY(m->objective.jacobian(m->objective.with, m->x, w->jacobian));
  TRY(cliv_tensor_read(w->jacobian, w->stored, rows * n * sizeof *w->stored));
  TRY(cliv_tensor_read(w->r, residuals, rows * sizeof *residuals));
  add_rows(w, n, w->stored, residuals);
  for (size_t i = 0; i < n; i++) gradient[i] = (float)w->g[i];
  return cliv_tensor_write(g, gradient, n * sizeof *gradient);
}

cliv_status cliv__evaluate_squares(cliv__minimizer *m, cliv_tensor *g, double *f) {
  squares *w = m->state;
  TRY(m->objective.residual(m->objective.with, m->x, w->r));
  TRY(cliv__dot(m, w->r, w->r, CLIV__WORK));
  TRY(cliv__fetch(m, CLIV__WORK, 1, f));
  *f /= 2;
  return g && isfinite(*f) ? slopes(m, g) : CLIV_OK;
}

/* ---- (J'J + μD) p = −J'r ---- */

/* By Cholesky; what is not definite gets a little more. Where the damping has outgrown double, no step is left. */
static cliv_status solve_dense(cliv__minimizer *m, squares *w, double damping, const double *scale) {
  const size_t n = m->n;
  double most = 0;
  for (size_t i = 0; i < n; i++) most = w->gram[i * n + i] > most ? w->gram[i * n + i] : most;
  REQUIRE(m->ctx, isfinite(most), DATA, "%s: the Jacobian is not finite in iteration %zu", m->method->info.name,
          m->result->iterations + 1);
  for (double more = 0;; more = more > 0 ? 10 * more : 1e-14 * (most > 0 ? most : 1)) {
    memcpy(w->factor, w->gram, n * n * sizeof *w->gram);
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
      double *at = w->factor + i * n + i;
      *at += damping * (scale ? scale[i] : 1) + more;
      finite = finite && isfinite(*at);
    }
    if (!finite) {
      cliv__end(m, CLIV_STOP_PRECISION);
      return CLIV_OK;
    }
    if (cliv__cholesky(w->factor, n)) break;
  }
  for (size_t i = 0; i < n; i++) w->h[i] = -w->g[i];
  cliv__cholesky_solve(w->factor, n, w->h);
  for (size_t i = 0; i < n; i++) w->stored[i] = (float)w->h[i];
  return cliv_tensor_write(w->p, w->stored, n * sizeof *w->stored);
}

/* By conjugate gradients on |J p + r|² + μ|p|² (CGLS). */
static cliv_status solve_products(cliv__minimizer *m, squares *w, double damping) {
  double square, numbers[2];
  TRY(cliv_tensor_fill(w->p, 0, NULL));
  TRY(cliv__times(m, -1, w->r, w->rest));
  TRY(cliv__times(m, -1, m->g, w->s));
  TRY(cliv_tensor_copy(w->s, w->d, NULL));
  TRY(cliv__dot(m, w->s, w->s, CLIV__WORK));
  TRY(cliv__fetch(m, CLIV__WORK, 1, &square));
  const double wanted = cliv__inner_tolerance(square, 1e-4);
  for (size_t i = 0, most = cliv__inner_iterations(m); i < most && sqrt(square) > wanted; i++) {
    TRY(jacobian_product(m, w->d, w->jd));
    TRY(cliv__dot(m, w->jd, w->jd, CLIV__WORK));
    TRY(cliv__dot(m, w->d, w->d, CLIV__WORK + 1));
    TRY(cliv__fetch(m, CLIV__WORK, 2, numbers));
    const double curvature = numbers[0] + damping * numbers[1], before = square;
    if (!(curvature > 0)) return i ? CLIV_OK : cliv_tensor_copy(w->d, w->p, NULL);
    const double a = square / curvature;
    TRY(cliv__add(m, w->p, a, w->d, w->p));
    TRY(cliv__add(m, w->rest, -a, w->jd, w->rest));
    TRY(jacobian_adjoint(m, w->rest, w->s));
    TRY(cliv__add(m, w->s, -damping, w->p, w->s));
    TRY(cliv__dot(m, w->s, w->s, CLIV__WORK));
    TRY(cliv__fetch(m, CLIV__WORK, 1, &square));
    TRY(cliv__add(m, w->s, square / before, w->d, w->d));
  }
  return CLIV_OK;
}

static cliv_status solve(cliv__minimizer *m, squares *w, double damping, const double *scale) {
  return w->jacobian ? solve_dense(m, w, damping, scale) : solve_products(m, w, damping);
}

/* ---- Gauss-Newton ---- */

static cliv_status gauss_newton(cliv__minimizer *m) {
  squares *w = m->state;
  if (!m->fresh) { /* the last that the search tried was another point */
    TRY(cliv__evaluate(m, m->g, &m->f));
    m->fresh = true;
  }
  TRY(solve(m, w, m->options.damping, NULL));
  if (m->ended) return CLIV_OK;
  return cliv__search(m, w->p, m->options.lr);
}

const cliv__method cliv__method_gauss_newton = {
    .info = {"gauss_newton", "residuals taken as linear, with a line search",
             "Nocedal and Wright, Numerical Optimization, 10.3",
             "residual and jacobian, or jacobian_product and jacobian_adjoint"},
    .squares = true,
    .lacks = lacks,
    .begin = begin,
    .iterate = gauss_newton,
    .end = end,
};

/* ---- Levenberg-Marquardt ---- */

/* D, and the first μ. */
static cliv_status set_scale(cliv__minimizer *m, squares *w) {
  const double first = m->options.damping > 0 ? m->options.damping : 1e-3;
  double numbers[2];
  for (size_t i = 0; w->jacobian && i < m->n; i++) {
    const double h = w->gram[i * m->n + i];
    if (h > w->scale[i]) w->scale[i] = h;
    if (w->scale[i] == 0) w->scale[i] = 1;
  }
  if (m->result->iterations) return CLIV_OK;
  w->damping = first;
  if (w->jacobian) return CLIV_OK;
  TRY(jacobian_product(m, m->g, w->jd)); /* as large as J'J is along the gradient */
  TRY(cliv__dot(m, w->jd, w->jd, CLIV__WORK));
  TRY(cliv__dot(m, m->g, m->g, CLIV__WORK + 1));
  TRY(cliv__fetch(m, CLIV__WORK, 2, numbers));
  w->damping = first * (numbers[0] > 0 ? numbers[0] / numbers[1] : 1);
  return CLIV_OK;
}

/* By how much the linear model says that f falls along p: half of p·(μ D p − g). */
static cliv_status predict(cliv__minimizer *m, squares *w, double *out) {
  double numbers[2], sum = 0;
  if (w->jacobian) {
    for (size_t i = 0; i < m->n; i++) sum += w->h[i] * (w->damping * w->scale[i] * w->h[i] - w->g[i]);
    *out = sum / 2;
    return CLIV_OK;
  }
  TRY(cliv__dot(m, w->p, w->p, CLIV__WORK));
  TRY(cliv__dot(m, w->p, m->g, CLIV__WORK + 1));
  TRY(cliv__fetch(m, CLIV__WORK, 2, numbers));
  *out = (w->damping * numbers[0] - numbers[1]) / 2;
  return CLIV_OK;
}

/* The residuals at x + p: *taken, and x is there; or x is where it was, and μ greater. */
static cliv_status try_step(cliv__minimizer *m, squares *w, double predicted, bool *taken) {
  double f;
  TRY(cliv__norm(m, "amax", w->p, CLIV__WORK));
  TRY(cliv__fetch(m, CLIV__WORK, 1, &m->result->step));
  TRY(cliv__add(m, m->start, 1, w->p, m->x));
  TRY(cliv__evaluate(m, NULL, &f));
  const double gain = (m->f - f) / predicted;
  *taken = isfinite(f) && f < m->f && predicted > 0;
  if (!*taken) {
    w->damping *= w->growth;
    w->growth *= 2;
    TRY(cliv_tensor_copy(w->kept, w->r, NULL));
    return cliv_tensor_copy(m->start, m->x, NULL);
  }
  const double c = 2 * gain - 1, factor = 1 - c * c * c;
  w->damping *= factor > 1.0 / 3 ? factor : 1.0 / 3;
  w->growth = 2;
  m->f = f;
  return CLIV_OK;
}

static cliv_status levenberg_marquardt(cliv__minimizer *m) {
  enum { MOST_TRIALS = 40 };
  squares *w = m->state;
  const size_t most = m->options.max_evaluations;
  const double before = m->result->step;
  bool taken = false;
  TRY(cliv_tensor_copy(m->x, m->start, NULL));
  TRY(set_scale(m, w));
  TRY(cliv_tensor_copy(w->r, w->kept, NULL));
  for (size_t i = 0; i < MOST_TRIALS && !taken; i++) {
    double predicted;
    TRY(solve(m, w, w->damping, w->scale));
    if (m->ended) break;
    TRY(predict(m, w, &predicted));
    TRY(try_step(m, w, predicted, &taken));
    if (taken) break;
    if (predicted <= 0x1p-22 * m->f) break; /* less than rounding changes the sum of squares by */
    if (most && m->result->evaluations >= most) {
      cliv__end(m, CLIV_STOP_EVALUATIONS);
      break;
    }
  }
  if (taken) return slopes(m, m->g);
  m->result->step = before;
  if (!m->ended) cliv__end(m, CLIV_STOP_PRECISION);
  return CLIV_OK;
}

const cliv__method cliv__method_levenberg_marquardt = {
    .info = {"levenberg_marquardt", "residuals taken as linear, damped as success tells",
             "Marquardt 1963; Moré 1978 (scale); Nielsen 1999 (damping)",
             "residual and jacobian, or jacobian_product and jacobian_adjoint"},
    .squares = true,
    .lacks = lacks,
    .begin = begin,
    .iterate = levenberg_marquardt,
    .end = end,
};
