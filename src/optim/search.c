/* How far to go along a direction: PyTorch's strong_wolfe (torch 2.15), which is minFunc's, with values that are not
 * finite taken as too far. */
#include <math.h>

#include "optim/minimize.h"
#include "runtime/tensor.h"

enum { MOST_TRIALS = 25 };
static const double DECREASE = 1e-4, CURVATURE = 0.9; /* c1, c2 */

typedef struct trial {
  double t, f, slope;
  cliv_tensor *g; /* one of m->slopes */
} trial;

typedef struct search {
  cliv__minimizer *m;
  const cliv_tensor *d;
  double longest; /* the greatest magnitude in d */
  trial start;
  size_t trials, most;
  double last; /* t of the last evaluation */
} search;

/* A gradient's tensor that none of these has; made when it is first needed. */
static cliv_status unused(const search *s, const trial *a, const trial *b, cliv_tensor **out) {
  cliv__minimizer *m = s->m;
  size_t i = 0;
  while (m->slopes[i] && (m->slopes[i] == s->start.g || m->slopes[i] == a->g || m->slopes[i] == b->g)) i++;
  if (!m->slopes[i]) TRY(cliv__vector(m, m->n, 0, &m->slopes[i]));
  *out = m->slopes[i];
  return CLIV_OK;
}

static cliv_status evaluate(search *s, double t, trial *out) {
  cliv__minimizer *m = s->m;
  s->trials++;
  s->last = out->t = t;
  m->fresh = false;
  TRY(cliv__add(m, m->start, t, s->d, m->x));
  TRY(cliv__evaluate(m, out->g, &out->f));
  TRY(cliv__dot(m, out->g, s->d, CLIV__WORK));
  return cliv__fetch(m, CLIV__WORK, 1, &out->slope);
}

static bool usable(const trial *a) { return isfinite(a->f) && isfinite(a->slope); }

/* The objective at t or, as long as it is not finite there, nearer to a, where it is. b's gradient is kept too. */
static cliv_status try_from(search *s, const trial *a, const trial *b, double t, trial *out) {
  TRY(unused(s, a, b, &out->g));
  TRY(evaluate(s, t, out));
  while (!usable(out) && s->trials < s->most) TRY(evaluate(s, t = a->t + 0.1 * (t - a->t), out));
  return CLIV_OK;
}

/* The minimum of the cubic through two points with their slopes, kept within bounds; their middle where it has none. */
static double cubic(const trial *a, const trial *b, double low, double high) {
  const double d1 = a->slope + b->slope - 3 * (a->f - b->f) / (a->t - b->t), square = d1 * d1 - a->slope * b->slope;
  if (!(square >= 0)) return (low + high) / 2;
  const double d2 = sqrt(square);
  const trial *l = a->t <= b->t ? a : b, *h = l == a ? b : a;
  const double t = h->t - (h->t - l->t) * ((h->slope + d2 - d1) / (h->slope - l->slope + 2 * d2));
  return t >= low ? (t <= high ? t : high) : t < low ? low : (low + high) / 2; /* 0 / 0: the middle */
}

static bool too_high(const search *s, const trial *a) { return a->f > s->start.f + DECREASE * a->t * s->start.slope; }
static bool flat(const search *s, const trial *a) { return fabs(a->slope) <= -CURVATURE * s->start.slope; }

/* Goes outwards until there is a minimum between a and b, or a point that will do: *found, which is b. */
static cliv_status bracket(search *s, double t, trial *a, trial *b, bool *found) {
  *found = false;
  *a = s->start;
  TRY(try_from(s, a, a, t, b));
  for (size_t i = 0;; i++) {
    if (!usable(b) || too_high(s, b) || (i > 1 && b->f >= a->f)) return CLIV_OK;
    *found = flat(s, b);
    if (*found || b->slope >= 0) return CLIV_OK;
    if (s->trials >= s->most) {
      *a = s->start;
      return CLIV_OK;
    }
    const trial before = *b;
    trial next;
    t = cubic(a, b, b->t + 0.01 * (b->t - a->t), b->t * 10);
    TRY(try_from(s, b, b, t, &next));
    *a = before;
    *b = next;
  }
}

/* Off an end of the bracket, where interpolation stays near one. */
static double off_ends(double t, const trial *a, const trial *b, bool *near) {
  const double low = fmin(a->t, b->t), high = fmax(a->t, b->t), margin = 0.1 * (high - low);
  const bool again = *near;
  *near = fmin(high - t, t - low) < margin;
  if (!*near || !(again || t >= high || t <= low)) return t;
  *near = false;
  return fabs(t - high) < fabs(t - low) ? high - margin : low + margin;
}

/* Makes the bracket smaller until its lower end will do. Gives that end; of equal ones the first. */
static cliv_status zoom(search *s, trial ends[2], const trial **chosen) {
  bool near = false;
  trial *low = ends[0].f <= ends[1].f ? &ends[0] : &ends[1];
  *chosen = low;
  while (s->trials < s->most && fabs(ends[1].t - ends[0].t) * s->longest >= s->m->options.change_tolerance) {
    trial now, *high = low == &ends[0] ? &ends[1] : &ends[0];
    const double t = cubic(low, high, fmin(low->t, high->t), fmax(low->t, high->t));
    TRY(try_from(s, low, high, off_ends(t, low, high, &near), &now));
    if (!usable(&now)) return CLIV_OK;
    if (too_high(s, &now) || now.f >= low->f) {
      *high = now;
      *chosen = low = ends[0].f <= ends[1].f ? &ends[0] : &ends[1];
      continue;
    }
    const bool done = flat(s, &now);
    if (!done && now.slope * (high->t - low->t) >= 0) *high = *low;
    *low = now;
    if (done) return CLIV_OK;
  }
  return CLIV_OK;
}

/* Takes x to the chosen point. */
static cliv_status settle(search *s, const trial *chosen) {
  cliv__minimizer *m = s->m;
  if (chosen->t == 0) {
    const bool cut = m->options.max_evaluations && m->result->evaluations >= m->options.max_evaluations;
    cliv__end(m, cut ? CLIV_STOP_EVALUATIONS : CLIV_STOP_PRECISION);
    return cliv_tensor_copy(m->start, m->x, NULL);
  }
  if (chosen->t != s->last) TRY(cliv__add(m, m->start, chosen->t, s->d, m->x));
  m->fresh = chosen->t == s->last;
  m->g = chosen->g;
  m->f = chosen->f;
  m->result->step = chosen->t * s->longest;
  return CLIV_OK;
}

static cliv_status wolfe(search *s, double t) {
  trial ends[2];
  const trial *chosen = &ends[1];
  bool found;
  TRY(bracket(s, t, &ends[0], &ends[1], &found));
  if (!usable(&ends[1])) chosen = &ends[0];
  else if (!found) TRY(zoom(s, ends, &chosen));
  return settle(s, chosen);
}

cliv_status cliv__search(cliv__minimizer *m, const cliv_tensor *d, double t) {
  double first[2]; /* g·d, the greatest magnitude in d */
  TRY(cliv__dot(m, m->g, d, CLIV__WORK));
  TRY(cliv__norm(m, "amax", d, CLIV__WORK + 1));
  TRY(cliv__fetch(m, CLIV__WORK, 2, first));
  REQUIRE(m->ctx, isfinite(first[0]) && isfinite(first[1]), DATA,
          "%s: the direction of iteration %zu is not finite: its greatest magnitude is %g, its product with the "
          "gradient %g",
          m->method->info.name, m->result->iterations + 1, first[1], first[0]);
  if (first[0] > -m->options.change_tolerance) {
    cliv__end(m, CLIV_STOP_CHANGE);
    return CLIV_OK;
  }
  TRY(cliv_tensor_copy(m->x, m->start, NULL));
  const size_t evaluated = m->result->evaluations, most = m->options.max_evaluations;
  const size_t left = most > evaluated ? most - evaluated : 1;
  search s = {.m = m,
              .d = d,
              .longest = first[1],
              .start = {0, m->f, first[0], m->g},
              .most = most && left < MOST_TRIALS ? left : MOST_TRIALS};
  if (m->options.search == CLIV_SEARCH_WOLFE) return wolfe(&s, t);
  trial there;
  TRY(unused(&s, &s.start, &s.start, &there.g));
  TRY(evaluate(&s, t, &there));
  return settle(&s, &there);
}
