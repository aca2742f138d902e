/* Inside of cliv_minimize: what its methods share. */
#ifndef CLIV_OPTIM_MINIMIZE_H
#define CLIV_OPTIM_MINIMIZE_H

#include <cliv/minimize.h>
#include <stdbool.h>

#include "runtime/context.h"

/* Numbers on the device, one float each, that reductions leave and cliv__along takes. */
enum {
  CLIV__ZERO, /* always 0 … */
  CLIV__ONE,  /* … and 1 */
  CLIV__WORK, /* a few for use within a function */
  CLIV__KEPT = CLIV__WORK + 8
};

typedef struct cliv__minimizer {
  cliv_context *ctx;
  const struct cliv__method *method;
  cliv_objective objective;
  cliv_minimize_options options; /* defaults filled in */
  size_t n;
  cliv_tensor *x;         /* the caller's, as one axis */
  cliv_tensor *g;         /* gradient at x, once an iteration is done: one of `slopes` */
  cliv_tensor *origin;    /* x as it was given */
  cliv_tensor *start;     /* x where a step began */
  cliv_tensor *slopes[4]; /* the first; the others are the line search's, NULL until it needs them */
  double f;               /* the value at x */
  bool fresh;             /* the objective was last evaluated at x */
  bool ended;             /* an iteration found that there is no more to do; result->stop says why */
  cliv_tensor *numbers;   /* the numbers above */
  size_t owned_count, owned_room;
  cliv_tensor **owned; /* all that cliv__vector made */
  void *state;         /* the method's */
  cliv_minimize_result *result;
} cliv__minimizer;

typedef struct cliv__method {
  cliv_minimizer_info info;
  size_t kept;  /* numbers it keeps from CLIV__KEPT on, for each of `history` */
  bool squares; /* the objective is a sum of squares of residuals */
  /* What the method needs and the objective lacks, or NULL. */
  const char *(*lacks)(const cliv_objective *objective);
  /* Makes m->state; what it has made by then is given to `end` also when it fails. */
  cliv_status (*begin)(cliv__minimizer *m);
  /* One step: x, f, g, result->step; or m->ended and nothing changed. */
  cliv_status (*iterate)(cliv__minimizer *m);
  void (*end)(cliv__minimizer *m);
} cliv__method;

extern const cliv__method cliv__method_lbfgs, cliv__method_newton, cliv__method_newton_cg, cliv__method_gauss_newton,
    cliv__method_levenberg_marquardt, cliv__method_polyak;

/* ---- vectors ---- */

/* A float32 tensor of one axis, or of two where columns is not 0, freed with m. */
cliv_status cliv__vector(cliv__minimizer *m, size_t rows, size_t columns, cliv_tensor **out);
/* out = x + factor·y; out may be x or y. */
cliv_status cliv__add(cliv__minimizer *m, const cliv_tensor *x, double factor, const cliv_tensor *y, cliv_tensor *out);
/* out = x + factor·(number plus − number minus)·y. */
cliv_status cliv__along(cliv__minimizer *m, const cliv_tensor *x, double factor, size_t plus, size_t minus,
                        const cliv_tensor *y, cliv_tensor *out);
/* out = factor·x. */
cliv_status cliv__times(cliv__minimizer *m, double factor, const cliv_tensor *x, cliv_tensor *out);

/* Number `at` = x·y. Enqueued. */
cliv_status cliv__dot(cliv__minimizer *m, const cliv_tensor *x, const cliv_tensor *y, size_t at);
/* Number `at` = a reduction of x; 0 where there are no elements. Enqueued. */
cliv_status cliv__norm(cliv__minimizer *m, const char *op, const cliv_tensor *x, size_t at);
/* `count` numbers from `first` on, at most 8. Blocks. */
cliv_status cliv__fetch(cliv__minimizer *m, size_t first, size_t count, double *out);

/* ---- the objective ---- */

/* Value and, where g is not NULL, gradient at m->x. Blocks. */
cliv_status cliv__evaluate(cliv__minimizer *m, cliv_tensor *g, double *f);
cliv_status cliv__evaluate_squares(cliv__minimizer *m, cliv_tensor *g, double *f);
cliv_status cliv__hessian_product(cliv__minimizer *m, const cliv_tensor *v, cliv_tensor *out);

/* ---- steps ---- */

void cliv__end(cliv__minimizer *m, cliv_stop stop);
/* From x along d, as the options say; t is tried first. d·g must be negative: where it is not, m has ended. */
cliv_status cliv__search(cliv__minimizer *m, const cliv_tensor *d, double t);
/* The norm of a residual that ends conjugate gradients: of the right-hand side's, whose square is given, a part of at
 * most `most`, less as the minimum comes near. */
double cliv__inner_tolerance(double square, double most);
size_t cliv__inner_iterations(const cliv__minimizer *m);

#endif
