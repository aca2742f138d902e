/* L-BFGS as torch.optim.LBFGS (torch 2.15) has it, and Polyak's step: what needs nothing but gradients. */
#include <math.h>
#include <stdlib.h>

#include "optim/minimize.h"
#include "runtime/tensor.h"

static const double LEAST_CURVATURE = 1e-10; /* of a pair that is kept: y·s */

/* Pairs in a ring: the k-th oldest is at (first + k) % history. */
typedef struct lbfgs {
  cliv_tensor **s, **y; /* steps and changes of the gradient; NULL until needed */
  double *rho;          /* 1 / y·s */
  size_t first, count;
  double scale;   /* of the identity before the pairs */
  cliv_tensor *d; /* the direction */
  bool taken;     /* a step was taken */
} lbfgs;

static const char *lacks_value(const cliv_objective *o) { return o->value ? NULL : "value"; }

static cliv_status begin(cliv__minimizer *m) {
  const size_t history = m->options.history;
  lbfgs *l = m->state = calloc(1, sizeof *l);
  REQUIRE(m->ctx, l != NULL, HOST_MEMORY, "no memory for L-BFGS");
  l->s = calloc(history, sizeof *l->s);
  l->y = calloc(history, sizeof *l->y);
  l->rho = calloc(history, sizeof *l->rho);
  REQUIRE(m->ctx, l->s && l->y && l->rho, HOST_MEMORY, "no memory for a history of %zu steps", history);
  l->scale = 1;
  return cliv__vector(m, m->n, 0, &l->d);
}

static void end(cliv__minimizer *m) {
  lbfgs *l = m->state;
  if (!l) return;
  free(l->s);
  free(l->y);
  free(l->rho);
  free(l);
}

/* d = −H g by the two loops: the first from the youngest pair to the oldest, the second back. Dot products and what is
 * made of them stay on the device: number KEPT + k is s·q of pair k, from which the pair's alpha is rho times it. */
static cliv_status direction(cliv__minimizer *m, lbfgs *l) {
  const size_t history = m->options.history;
  TRY(cliv__times(m, -1, m->g, l->d));
  for (size_t k = l->count; k-- > 0;) {
    const size_t i = (l->first + k) % history;
    TRY(cliv__dot(m, l->s[i], l->d, CLIV__KEPT + i));
    TRY(cliv__along(m, l->d, -l->rho[i], CLIV__KEPT + i, CLIV__ZERO, l->y[i], l->d));
  }
  if (l->count) TRY(cliv__times(m, l->scale, l->d, l->d));
  for (size_t k = 0; k < l->count; k++) {
    const size_t i = (l->first + k) % history;
    TRY(cliv__dot(m, l->y[i], l->d, CLIV__WORK));
    TRY(cliv__along(m, l->d, l->rho[i], CLIV__KEPT + i, CLIV__WORK, l->s[i], l->d));
  }
  return CLIV_OK;
}

/* Keeps the pair of the step from m->start, where the gradient was `before`, to x. */
static cliv_status keep(cliv__minimizer *m, lbfgs *l, const cliv_tensor *before) {
  const size_t history = m->options.history, i = (l->first + l->count) % history;
  double products[2]; /* y·s, y·y */
  if (!l->s[i]) TRY(cliv__vector(m, m->n, 0, &l->s[i]));
  if (!l->y[i]) TRY(cliv__vector(m, m->n, 0, &l->y[i]));
  /* With a full ring this is the oldest pair's place: it goes, unless the new one is not kept. */
  cliv_tensor *s = l->s[i], *y = l->y[i];
  if (l->count == history) s = m->start, y = l->d;
  TRY(cliv__add(m, m->x, -1, m->start, s));
  TRY(cliv__add(m, m->g, -1, before, y));
  TRY(cliv__dot(m, y, s, CLIV__WORK));
  TRY(cliv__dot(m, y, y, CLIV__WORK + 1));
  TRY(cliv__fetch(m, CLIV__WORK, 2, products));
  if (!(products[0] > LEAST_CURVATURE)) return CLIV_OK;
  if (l->count == history) {
    TRY(cliv_tensor_copy(s, l->s[i], NULL));
    TRY(cliv_tensor_copy(y, l->y[i], NULL));
    l->first = (l->first + 1) % history;
  } else {
    l->count++;
  }
  l->rho[i] = 1 / products[0];
  l->scale = products[0] / products[1];
  return CLIV_OK;
}

static cliv_status iterate(cliv__minimizer *m) {
  lbfgs *l = m->state;
  double t = m->options.lr;
  TRY(direction(m, l));
  if (!l->taken) {
    double sum;
    TRY(cliv__norm(m, "asum", m->g, CLIV__WORK));
    TRY(cliv__fetch(m, CLIV__WORK, 1, &sum));
    if (sum > 1) t /= sum;
  }
  const cliv_tensor *before = m->g;
  TRY(cliv__search(m, l->d, t));
  if (m->ended) return CLIV_OK;
  l->taken = true;
  return keep(m, l, before);
}

const cliv__method cliv__method_lbfgs = {
    .info = {"lbfgs", "the inverse Hessian from the last steps, with a line search", "torch.optim.LBFGS 2.15", "value"},
    .kept = 1,
    .lacks = lacks_value,
    .begin = begin,
    .iterate = iterate,
    .end = end,
};

/* ---- Polyak's step ---- */

static cliv_status polyak_begin(cliv__minimizer *m) {
  (void)m;
  return CLIV_OK;
}
static void polyak_end(cliv__minimizer *m) { (void)m; }

static cliv_status polyak(cliv__minimizer *m) {
  double square;
  if (m->f <= m->options.lowest) {
    cliv__end(m, CLIV_STOP_LOWEST);
    return CLIV_OK;
  }
  TRY(cliv__dot(m, m->g, m->g, CLIV__WORK));
  TRY(cliv__fetch(m, CLIV__WORK, 1, &square));
  const double step = (m->f - m->options.lowest) / (m->options.share * square);
  const double a = step < m->options.max_step ? step : m->options.max_step;
  m->result->step = a * m->result->gradient;
  TRY(cliv__add(m, m->x, -a, m->g, m->x));
  return cliv__evaluate(m, m->g, &m->f);
}

const cliv__method cliv__method_polyak = {
    .info = {"polyak", "gradient steps as long as the distance to a known lowest value says",
             "Polyak 1987; arXiv 2002.10542", "value"},
    .lacks = lacks_value,
    .begin = polyak_begin,
    .iterate = polyak,
    .end = polyak_end,
};
