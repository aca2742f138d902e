/* cliv/minimize.h: minima of functions whose value, gradient and perhaps curvature a callback computes: L-BFGS, Newton,
 * Newton-CG, Gauss-Newton, Levenberg-Marquardt, Polyak's step.
 *
 *   static cliv_status value(void *with, const cliv_tensor *x, cliv_tensor *gradient, double *f) { … }
 *
 *   const cliv_objective objective = {.with = &problem, .value = value};
 *   cliv_minimize_result result;
 *   cliv_minimize(ctx, "lbfgs", &objective, x, NULL, &result);          x: where to begin; then the minimum
 *
 * x is one dense float32 tensor of any shape, at most 2³² − 1 elements; a model of several tensors is one vector with
 * views into it (cliv_tensor_view), or an arena wrapped as one vector whose gaps are zero in x and in every gradient.
 * Vectors stay on the device. Numbers that decide (dot products, norms, the objective) come to the host in double; dot
 * products are added as if in double and rounded to float32 once. All of it is in one defined order, so that a
 * objective with the same bits on every device gives a path, and a minimum, with the same bits on every device.
 *
 * All in all the calls block: each iteration waits for the device a few times.
 */
#ifndef CLIV_MINIMIZE_H
#define CLIV_MINIMIZE_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the objective ----
 *
 * What is minimised, as functions of x. Tensors are the library's, of one axis, dense, of the context of the call; a
 * function enqueues what fills them, in the context's order, and reads x and its other inputs only. A status other than
 * CLIV_OK ends the minimisation, which returns it as it is, with the sentence that was left with the context. A value
 * that is not finite is no failure: the step was too long, and a shorter one is tried.
 */
typedef struct cliv_objective {
  size_t size; /* sizeof(cliv_objective) of the caller; 0: this version's */
  void *with;  /* handed to each function */

  /* A function of x (n elements): its value, in *f, and its gradient (n), where that is not NULL. */
  cliv_status (*value)(void *with, const cliv_tensor *x, cliv_tensor *gradient, double *f);
  /* The product of its Hessian at x with v (n): out (n). */
  cliv_status (*hessian_product)(void *with, const cliv_tensor *x, const cliv_tensor *v, cliv_tensor *out);
  /* Its Hessian at x: out (n, n). */
  cliv_status (*hessian)(void *with, const cliv_tensor *x, cliv_tensor *out);

  /* Or half the sum of the squares of `residuals` functions of x: their values, out (residuals). */
  size_t residuals;
  cliv_status (*residual)(void *with, const cliv_tensor *x, cliv_tensor *out);
  /* Their derivatives at x: out (residuals, n). */
  cliv_status (*jacobian)(void *with, const cliv_tensor *x, cliv_tensor *out);
  /* Or only the products of that matrix: J v, with v (n) and out (residuals), and J' u, with u (residuals), out (n). */
  cliv_status (*jacobian_product)(void *with, const cliv_tensor *x, const cliv_tensor *v, cliv_tensor *out);
  cliv_status (*jacobian_adjoint)(void *with, const cliv_tensor *x, const cliv_tensor *u, cliv_tensor *out);
} cliv_objective;

/* ---- the table of methods ----
 *
 *   lbfgs                the inverse Hessian from the last `history` steps; PyTorch's L-BFGS: a pair of a step s and a
 *                        change of the gradient y is kept where y·s > 1e-10, the inverse Hessian before them is
 *                        y·s / y·y times the identity, and the first direction, −g, is tried with min(1, 1/Σ|g|)·lr
 *   newton               solves (H + damping·I) p = −g by Cholesky in double on the host, up to 1024 elements; H by
 *                        `hessian`, or by n products. Where that is not positive definite, multiples of the identity
 *                        are added, twice as much each time, until it is (Nocedal and Wright, algorithm 3.3)
 *   newton_cg            solves H p = −g by conjugate gradients, to |H p + g| <= min(1/2, √|g|)·|g|, by products
 *                        alone; a direction of no positive curvature ends it (Nocedal and Wright, algorithm 7.1)
 *   gauss_newton         the residuals' minimum where J is taken as constant: (J'J + damping·I) p = −J'r. With
 *                        `jacobian`, up to 1024 elements, by Cholesky in double on the host; with products, by
 *                        conjugate gradients on the device (CGLS, to a ten-thousandth of |J'r| or √|J'r| times it),
 *                        for any number
 *   levenberg_marquardt  the same with a damping that follows the success: (J'J + μD) p = −J'r, D the greatest diagonal
 *                        of J'J so far (with products: the identity); μ by Nielsen's rule, beginning with `damping`
 *   polyak               x − a·g, a = min((f − lowest) / (share·g·g), max_step), with no search
 */
typedef struct cliv_minimizer_info {
  const char *name, *summary, *source;
  const char *needs; /* functions of the objective: "value, hessian or hessian_product" */
} cliv_minimizer_info;
CLIV_API size_t cliv_minimizer_count(void);
CLIV_API const cliv_minimizer_info *cliv_minimizer_get(size_t index);      /* NULL past the end */
CLIV_API const cliv_minimizer_info *cliv_minimizer_find(const char *name); /* NULL when there is none */

/* ---- options and results ---- */

/* How far to go along a direction p from x. */
typedef enum cliv_search {
  CLIV_SEARCH_WOLFE = 0, /* lr, then what cubic interpolation finds, until f(x + t p) <= f + 1e-4 t p·g and the slope
                            there is at most 0.9 |p·g| in magnitude: PyTorch's strong_wolfe; at most 25 evaluations */
  CLIV_SEARCH_NONE       /* lr times p */
} cliv_search;

typedef enum cliv_stop {
  CLIV_STOP_GRADIENT,    /* no element of the gradient exceeds gradient_tolerance */
  CLIV_STOP_CHANGE,      /* the value, or every element of x, changed by change_tolerance or less */
  CLIV_STOP_PRECISION,   /* no step along the direction gives a lower value: float32 resolves no more */
  CLIV_STOP_LOWEST,      /* polyak: the value is `lowest` or below */
  CLIV_STOP_ITERATIONS,  /* max_iterations */
  CLIV_STOP_EVALUATIONS, /* max_evaluations */
  CLIV_STOP_CALLER       /* `each` said so */
} cliv_stop;
/* "gradient", "change", …; "?" for a value that is none. */
CLIV_API const char *cliv_stop_name(cliv_stop stop);

typedef struct cliv_minimize_result {
  size_t size;        /* sizeof(cliv_minimize_result) of the caller, set before the call; 0: this version's */
  size_t iterations;  /* steps that x was taken along */
  size_t evaluations; /* calls of value, or of residual */
  size_t products;    /* calls of hessian_product, jacobian_product and jacobian_adjoint */
  double value;       /* at x; of residuals: half the sum of their squares */
  double gradient;    /* the greatest magnitude in the gradient at x */
  double step;        /* the greatest change of an element of x in the last iteration */
  cliv_stop stop;     /* why it ended; no meaning before that */
} cliv_minimize_result;

/* Called after each iteration; anything but 0 ends the minimisation. x: what it has come to, to be read only. */
typedef int (*cliv_minimize_progress)(void *user, const cliv_minimize_result *so_far, const cliv_tensor *x);

typedef struct cliv_minimize_options {
  size_t size;                 /* sizeof(cliv_minimize_options) of the caller; 0: this version's */
  size_t max_iterations;       /* 0: 100 */
  size_t max_evaluations;      /* 0: any number; a line search under way is ended there too */
  double gradient_tolerance;   /* 0: 1e-7 */
  double change_tolerance;     /* 0: 1e-9 */
  double lr;                   /* 0: 1; the first step that is tried along a direction, or the step */
  cliv_search search;          /* not for levenberg_marquardt and polyak, which have none */
  size_t history;              /* lbfgs; 0: 100. Two vectors each */
  double damping;              /* newton, gauss_newton: 0 to 1e38; levenberg_marquardt: 0: 1e-3 */
  size_t inner_iterations;     /* of conjugate gradients, at most; 0: 2 n, at least 20 and at most 200 */
  double lowest;               /* polyak: the value of the minimum, or a bound below it */
  double share;                /* polyak; 0: 1. The step for stochastic gradients (arXiv 2002.10542) has 1/2 */
  double max_step;             /* polyak; 0: any */
  cliv_minimize_progress each; /* or NULL */
  void *user;
} cliv_minimize_options;

/* ---- the call ---- */

/* Takes x to a minimum of the objective, or as far as the options go. options may be NULL; *result may not. Blocks.
 *
 * Three to ten vectors of x's size are allocated for the time of the call, two more for each pair that lbfgs keeps, and
 * what residuals and the method's matrices need; nothing is kept.
 *
 * Fails with NULL; NAME (no such method; the sentence lists those there are); VALUE (options; more elements than the
 * method takes; a function of the objective that the method needs is not there); DTYPE, LAYOUT (x); DATA (value or
 * gradient are not finite where it begins, or a method without a search has gone to where they are not);
 * DEVICE_MEMORY, HOST_MEMORY, OPENCL, BUILD; and with what a function of the objective returns. A call that fails
 * leaves x as it was (unless the device itself fails), and *result all zero but for its size. */
CLIV_API cliv_status cliv_minimize(cliv_context *ctx, const char *method, const cliv_objective *objective,
                                   cliv_tensor *x, const cliv_minimize_options *options,
                                   cliv_minimize_result *result) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
