/* Newton's method: the Hessian solved on the host, or by conjugate gradients on the device. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/dense.h"
#include "optim/minimize.h"
#include "runtime/tensor.h"

/* ---- dense ---- */

typedef struct newton {
  cliv_tensor *hessian, *unit, *column, *d;
  float *stored; /* the Hessian, or a vector, as it comes and goes */
  double *h, *factor, *p;
} newton;

static const char *lacks_hessian(const cliv_objective *o) {
  return !o->value ? "value" : !o->hessian && !o->hessian_product ? "each of hessian and hessian_product" : NULL;
}

static cliv_status newton_begin(cliv__minimizer *m) {
  const size_t n = m->n;
  newton *w = m->state = calloc(1, sizeof *w);
  REQUIRE(m->ctx, w != NULL, HOST_MEMORY, "no memory for Newton's method");
  REQUIRE(m->ctx, n <= CLIV__MOST_DENSE, VALUE,
          "newton takes at most %d elements, not %zu: newton_cg and lbfgs take any number", CLIV__MOST_DENSE, n);
  w->stored = malloc((n * n + 1) * sizeof *w->stored);
  w->h = malloc((n * n + 1) * sizeof *w->h);
  w->factor = malloc((n * n + 1) * sizeof *w->factor);
  w->p = malloc((n + 1) * sizeof *w->p);
  REQUIRE(m->ctx, w->stored && w->h && w->factor && w->p, HOST_MEMORY, "no memory for a Hessian of %zu elements",
          n * n);
  if (m->objective.hessian) TRY(cliv__vector(m, n, n, &w->hessian));
  else TRY(cliv__vector(m, n, 0, &w->unit));
  if (w->unit) TRY(cliv__vector(m, n, 0, &w->column));
  return cliv__vector(m, n, 0, &w->d);
}

static void newton_end(cliv__minimizer *m) {
  newton *w = m->state;
  if (!w) return;
  free(w->stored);
  free(w->h);
  free(w->factor);
  free(w->p);
  free(w);
}

/* Row i of the Hessian, by its product with the i-th unit vector. */
static cliv_status product_row(cliv__minimizer *m, newton *w, size_t i) {
  float *row = w->stored + i * m->n;
  memset(row, 0, m->n * sizeof *row);
  row[i] = 1;
  TRY(cliv_tensor_write(w->unit, row, m->n * sizeof *row));
  TRY(cliv__hessian_product(m, w->unit, w->column));
  return cliv_tensor_read(w->column, row, m->n * sizeof *row);
}

/* The upper triangle of (H + H') / 2 + damping. */
static cliv_status read_hessian(cliv__minimizer *m, newton *w) {
  const size_t n = m->n;
  if (w->hessian) {
    TRY(m->objective.hessian(m->objective.with, m->x, w->hessian));
    TRY(cliv_tensor_read(w->hessian, w->stored, n * n * sizeof *w->stored));
  } else {
    for (size_t i = 0; i < n; i++) TRY(product_row(m, w, i));
  }
  for (size_t i = 0; i < n; i++)
    for (size_t j = i; j < n; j++) {
      double *h = &w->h[i * n + j];
      *h = ((double)w->stored[i * n + j] + (double)w->stored[j * n + i]) / 2 + (i == j ? m->options.damping : 0);
      REQUIRE(m->ctx, isfinite(*h), DATA, "newton: element (%zu, %zu) of the Hessian is %g in iteration %zu", i, j, *h,
              m->result->iterations + 1);
    }
  return CLIV_OK;
}

/* Factor of H + τ I with the first τ of 0, β, 2β, … for which there is one; false: none before τ outgrows double. */
static bool factorise(const cliv__minimizer *m, newton *w) {
  const size_t n = m->n;
  double least = w->h[0], most = 0;
  for (size_t i = 0; i < n; i++) {
    const double h = w->h[i * n + i];
    if (h < least) least = h;
    if (fabs(h) > most) most = fabs(h);
  }
  const double beta = most > 0 ? 1e-3 * most : 1;
  for (double tau = least > 0 ? 0 : beta - least; isfinite(most + tau); tau = 2 * tau > beta ? 2 * tau : beta) {
    memcpy(w->factor, w->h, n * n * sizeof *w->h);
    for (size_t i = 0; i < n; i++) w->factor[i * n + i] += tau;
    if (cliv__cholesky(w->factor, n)) return true;
  }
  return false;
}

static cliv_status newton_iterate(cliv__minimizer *m) {
  newton *w = m->state;
  TRY(read_hessian(m, w));
  if (!factorise(m, w)) {
    cliv__end(m, CLIV_STOP_PRECISION);
    return CLIV_OK;
  }
  TRY(cliv_tensor_read(m->g, w->stored, m->n * sizeof *w->stored));
  for (size_t i = 0; i < m->n; i++) w->p[i] = -(double)w->stored[i];
  cliv__cholesky_solve(w->factor, m->n, w->p);
  for (size_t i = 0; i < m->n; i++) w->stored[i] = (float)w->p[i];
  TRY(cliv_tensor_write(w->d, w->stored, m->n * sizeof *w->stored));
  return cliv__search(m, w->d, m->options.lr);
}

const cliv__method cliv__method_newton = {
    .info = {"newton", "the whole Hessian, made positive definite, solved on the host",
             "Nocedal and Wright, Numerical Optimization, 3.4", "value and hessian or hessian_product"},
    .lacks = lacks_hessian,
    .begin = newton_begin,
    .iterate = newton_iterate,
    .end = newton_end,
};

/* ---- by conjugate gradients ---- */

typedef struct newton_cg {
  cliv_tensor *p, *residual, *d, *hd;
} newton_cg;

static const char *lacks_product(const cliv_objective *o) {
  return !o->value ? "value" : !o->hessian_product ? "hessian_product" : NULL;
}

static cliv_status cg_begin(cliv__minimizer *m) {
  newton_cg *w = m->state = calloc(1, sizeof *w);
  REQUIRE(m->ctx, w != NULL, HOST_MEMORY, "no memory for Newton's method");
  TRY(cliv__vector(m, m->n, 0, &w->p));
  TRY(cliv__vector(m, m->n, 0, &w->residual));
  TRY(cliv__vector(m, m->n, 0, &w->d));
  return cliv__vector(m, m->n, 0, &w->hd);
}

static void cg_end(cliv__minimizer *m) { free(m->state); }

/* d·Hd is 0 but for rounding, or below, or no number. */
static bool no_curvature(double dhd, double dd, double hdhd) { return !(dhd > 1e-7 * sqrt(dd) * sqrt(hdhd)); }

/* p with H p = −g, about. */
static cliv_status cg_direction(cliv__minimizer *m, newton_cg *w) {
  double square, numbers[3];
  TRY(cliv_tensor_fill(w->p, 0, NULL));
  TRY(cliv__times(m, -1, m->g, w->residual));
  TRY(cliv_tensor_copy(w->residual, w->d, NULL));
  TRY(cliv__dot(m, w->residual, w->residual, CLIV__WORK));
  TRY(cliv__fetch(m, CLIV__WORK, 1, &square));
  const double wanted = cliv__inner_tolerance(square, 0.5);
  for (size_t i = 0, most = cliv__inner_iterations(m); i < most && sqrt(square) > wanted; i++) {
    TRY(cliv__hessian_product(m, w->d, w->hd));
    TRY(cliv__dot(m, w->d, w->hd, CLIV__WORK));
    TRY(cliv__dot(m, w->d, w->d, CLIV__WORK + 1));
    TRY(cliv__dot(m, w->hd, w->hd, CLIV__WORK + 2));
    TRY(cliv__fetch(m, CLIV__WORK, 3, numbers));
    if (no_curvature(numbers[0], numbers[1], numbers[2])) return i ? CLIV_OK : cliv_tensor_copy(w->d, w->p, NULL);
    const double a = square / numbers[0];
    TRY(cliv__add(m, w->p, a, w->d, w->p));
    TRY(cliv__add(m, w->residual, -a, w->hd, w->residual));
    const double before = square;
    TRY(cliv__dot(m, w->residual, w->residual, CLIV__WORK));
    TRY(cliv__fetch(m, CLIV__WORK, 1, &square));
    TRY(cliv__add(m, w->residual, square / before, w->d, w->d));
  }
  return CLIV_OK;
}

static cliv_status cg_iterate(cliv__minimizer *m) {
  newton_cg *w = m->state;
  TRY(cg_direction(m, w));
  return cliv__search(m, w->p, m->options.lr);
}

const cliv__method cliv__method_newton_cg = {
    .info = {"newton_cg", "the Hessian's products, solved by conjugate gradients",
             "Nocedal and Wright, Numerical Optimization, algorithm 7.1", "value and hessian_product"},
    .lacks = lacks_product,
    .begin = cg_begin,
    .iterate = cg_iterate,
    .end = cg_end,
};
