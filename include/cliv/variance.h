/* cliv/variance.h: sums over samples, minimised by steps that remember earlier gradients: SAG, SAGA, SVRG, SARAH.
 *
 *   static cliv_status gradient(void *with, const cliv_tensor *x, size_t term, cliv_tensor *out) { … }
 *
 *   const cliv_sum sum = {.with = &problem, .terms = 569, .gradient = gradient};
 *   cliv_variance *v;
 *   cliv_variance_create(ctx, "saga", &sum, x, &(cliv_variance_options){.lr = 0.01, .l2 = 1e-3}, &v);
 *   cliv_variance_run(v, 10 * 569, NULL, NULL);                          ten passes, in an order of the generator's
 *
 * What is minimised, by changing x in place, is
 *
 *   F(x) = (1/n) Σ f_i(x) + l2/2 |x|² + l1 Σ |x_j|
 *
 * of n terms f_i: samples, or mini-batches of them. Where plain stochastic gradients need lr to go to 0, the variance
 * of these steps goes to 0 by itself, and with a constant lr they converge linearly where F is strongly convex.
 *
 * x is one dense float32 tensor of any shape. A step is one launch, whatever its size, beside what `gradient` enqueues
 * (a launch and the copy of a number with `slope`); one launch in n steps more for sag and saga, which add up the table
 * anew, so that rounding does not add up. With the same terms in the same order the results are the same to the last
 * bit on every device.
 */
#ifndef CLIV_VARIANCE_H
#define CLIV_VARIANCE_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the sum ----
 *
 * Tensors are the library's, of one axis, dense; a function enqueues what fills `out`, in the context's order. A status
 * other than CLIV_OK ends the run, which returns it.
 */
typedef struct cliv_sum {
  size_t size;  /* sizeof(cliv_sum) of the caller; 0: this version's */
  void *with;   /* handed to each function */
  size_t terms; /* n, 1 to 2³¹ − 1 */
  /* The gradient of f_term at x (not always the x that was given: svrg and sarah ask at other points), l2 and l1 left
   * out. */
  cliv_status (*gradient)(void *with, const cliv_tensor *x, size_t term, cliv_tensor *out);
  /* The mean of all of them at x. NULL: n calls of `gradient`, added up one after another. For svrg and sarah. */
  cliv_status (*mean)(void *with, const cliv_tensor *x, cliv_tensor *out);
  /* Of linear models, for sag and saga: f_i depends on x by its product with row i of `rows` (n, x's elements) alone,
   * float32 of any pitch, and `slope` is its derivative with respect to that product, one element. Then a number for
   * each term is kept instead of a gradient, and `gradient` may be NULL. Both or neither. */
  const cliv_tensor *rows;
  cliv_status (*slope)(void *with, const cliv_tensor *x, size_t term, cliv_tensor *out);
} cliv_sum;

/* ---- the table of methods ----
 *
 * For the term i, its gradient g at x and a = lr:
 *
 *   sag    s += g − t_i; t_i = g; d = s · (1 / seen), seen: how many different terms there were so far, this one
 *          too
 *   saga   d = (g − t_i) + s · (1 / seen); s += g − t_i; t_i = g
 *   svrg   every `inner` steps, beginning with the first: w = x, m = the mean of all gradients at w;
 *          d = (g − gradient of f_i at w) + m
 *   sarah  every `inner` steps: d = the mean of all gradients at x, in a step of its own, which has no i;
 *          else d += g − gradient of f_i where x was a step before
 *
 * and then x = x − a (d + l2 x), and with l1 each element's magnitude is shortened by a l1, down to 0 at least. The
 * table t, of n gradients, and its sum s begin at 0. With `slope`, g − t_i is row i times the change of the slope since
 * its last turn.
 */
typedef struct cliv_variance_info {
  const char *name, *summary, *source;
  int table; /* 1: keeps n gradients */
} cliv_variance_info;
CLIV_API size_t cliv_variance_count(void);
CLIV_API const cliv_variance_info *cliv_variance_get(size_t index);      /* NULL past the end */
CLIV_API const cliv_variance_info *cliv_variance_find(const char *name); /* NULL when there is none */

typedef struct cliv_variance_options {
  size_t size;   /* sizeof(cliv_variance_options) of the caller; 0: this version's */
  double lr;     /* must be given, above 0. With L the greatest curvature of any f_i, and l2 in it: 1/L for sag, 1/(3L)
                    for saga, less than 1/(4L) for svrg, less than 1/L for sarah are proved */
  double l2, l1; /* 0 or more; lr·l2 below 1 */
  size_t inner;  /* svrg, sarah; 0: 2n */
  uint64_t seed; /* of the order: step t, from 0, takes term floor(n·r / 2⁶⁴), r being the 64 bits of elements 2t
                    (lower) and 2t + 1 of the stream CLIV_STREAM_TERMS (cliv/random.h) */
} cliv_variance_options;

#define CLIV_STREAM_TERMS UINT64_C(0x400000000)

/* ---- steps ---- */

typedef struct cliv_variance cliv_variance;

/* x and the sum's `rows` may be freed by the caller, their memory is referenced; `sum` and `options` are read before
 * the call returns. What `with` points to must outlive the object. sag and saga allocate n + 2 vectors of x's size
 * (with `slope` one, and n numbers), svrg and sarah 4. Fails with NULL, NAME (no such method; the sentence lists those
 * there are), VALUE, SHAPE, DTYPE, LAYOUT, DEVICE_MEMORY and HOST_MEMORY. */
CLIV_API cliv_status cliv_variance_create(cliv_context *ctx, const char *method, const cliv_sum *sum, cliv_tensor *x,
                                          const cliv_variance_options *options, cliv_variance **out) CLIV_MUST_CHECK;
/* NULL does nothing. Steps already enqueued still run. */
CLIV_API void cliv_variance_free(cliv_variance *variance);

/* Takes `steps` steps. order: the term of each, from 0, or NULL: the generator's; a step of sarah that takes the mean
 * passes over its own. Asynchronous, but for what the sum's functions do. Fails with NULL, VALUE (a term of `order`
 * that there is not: then nothing was done), STATE, DEVICE_MEMORY, HOST_MEMORY, BUILD, OPENCL, and with what a function
 * of the sum returns: then the steps before that one are taken, and cliv_variance_steps tells how many. Where the
 * driver takes one of the launches of a step of sag or saga and refuses another, x has changed and the table has not:
 * that call fails with OPENCL, and those that follow with STATE. */
CLIV_API cliv_status cliv_variance_run(cliv_variance *variance, size_t steps, const int32_t *order,
                                       const cliv_sync *sync) CLIV_MUST_CHECK;

/* Another lr from the next step on. Fails with NULL, VALUE. */
CLIV_API cliv_status cliv_variance_set_lr(cliv_variance *variance, double lr) CLIV_MUST_CHECK;

CLIV_API uint64_t cliv_variance_steps(const cliv_variance *variance);     /* taken */
CLIV_API uint64_t cliv_variance_gradients(const cliv_variance *variance); /* of one term each that this took; a mean
                                                                             of all counts n */

#ifdef __cplusplus
}
#endif
#endif
