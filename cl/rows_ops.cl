/* rows_ops.cl: the operations on rows: what a row comes down to, and what becomes of its elements. See cliv/rows.h for
 * the formulas.
 *
 * Behind reduce_ops.cl, whose kinds say how a row is joined. Of each operation OP there are
 *   void OP_scalars(row_scalars *r, real n, real eps, …)         what the row's elements need, from its joined part
 *   (the kind's
 *                                                                fields) and from what *r has of earlier (GIVEN)
 *   real OP_term(real x, row_scalars r)                          an element's first step, which the fold may have made
 *   already (KEEPS)
 *   real OP_apply(real term, real y, real w, real b, row_scalars r)
 * y is the second input, w and b are weight and bias, 1 and −0 where there are none. Where the kind is a plain sum also
 *   real OP_fold(real x, real y, real w, row_scalars r), of pairs OP_first too: what is summed.
 */
#if defined(KIND_exponent)
#define SCALARS(F) F(m) F(scale)
#elif defined(KIND_moments)
#define SCALARS(F) F(mean) F(low) F(rstd) /* mean + low: in two parts */
#elif defined(KIND_pair)
#define SCALARS(F) F(mean) F(rstd) F(u) F(v)
#else
#define SCALARS(F) F(rstd) F(v)
#endif
#define SCALAR_FIELD(name) real name;
typedef struct { SCALARS(SCALAR_FIELD) } row_scalars;

/* ---- softmax ---- */

#ifdef KIND_exponent
/* NaN for a row without finite greatest element. m 0 is a NaN's: the sum has it. */
static void exponent_scalars(row_scalars *r, real m, real scale) {
  r->m = finite_or_0(m);
  r->scale = choose(is_finite(m), scale, as_real((ureal)CANONICAL_NAN_BITS));
}
static void softmax_scalars(row_scalars *r, real n, real eps, real m, real s) {
  exponent_scalars(r, m, divide((real)0x1p-65f, s));
}
real softmax_term(real x, row_scalars r) { return real_exp_raised(x - r.m); }
real softmax_apply(real term, real y, real w, real b, row_scalars r) { return term * r.scale; }

static void log_softmax_scalars(row_scalars *r, real n, real eps, real m, real s) {
  exponent_scalars(r, m, real_log(s));
}
real log_softmax_term(real x, row_scalars r) { return x - r.m; }
real log_softmax_apply(real term, real y, real w, real b, row_scalars r) { return term - r.scale; }
#endif

#ifdef KIND_value
real softmax_backward_fold(real x, real y, real w, row_scalars r) { return x * y; }
static void softmax_backward_scalars(row_scalars *r, real n, real eps, real v) { r->v = v; }
real softmax_backward_term(real x, row_scalars r) { return x; }
real softmax_backward_apply(real term, real y, real w, real b, row_scalars r) { return term * (y - r.v); }

real log_softmax_backward_fold(real x, real y, real w, row_scalars r) { return y; }
static void log_softmax_backward_scalars(row_scalars *r, real n, real eps, real v) { r->v = v; }
real log_softmax_backward_term(real x, row_scalars r) { return real_exp(x); }
real log_softmax_backward_apply(real term, real y, real w, real b, row_scalars r) { return y - term * r.v; }
#endif

/* ---- norms ---- */

#ifdef KIND_moments
static void layer_norm_scalars(row_scalars *r, real n, real eps, real count, real high, real low, real m2) {
  r->mean = high;
  r->low = low;
  r->rstd = divide((real)1.0f, square_root(divide(m2, n) + eps));
}
real layer_norm_term(real x, row_scalars r) { return x; }
real layer_norm_apply(real term, real y, real w, real b, row_scalars r) {
  return ((term - r.mean) - r.low) * r.rstd * w + b;
}
#endif

#ifdef KIND_value
real rms_norm_fold(real x, real y, real w, row_scalars r) { return x * x; }
static void rms_norm_scalars(row_scalars *r, real n, real eps, real v) {
  r->rstd = divide((real)1.0f, square_root(divide(v, n) + eps));
}
real rms_norm_term(real x, row_scalars r) { return x; }
real rms_norm_apply(real term, real y, real w, real b, row_scalars r) { return term * r.rstd * w; }

real rms_norm_backward_fold(real x, real y, real w, row_scalars r) { return (y * w) * (x * r.rstd); }
static void rms_norm_backward_scalars(row_scalars *r, real n, real eps, real v) { r->v = divide(v, n); }
real rms_norm_backward_term(real x, row_scalars r) { return x * r.rstd; }
real rms_norm_backward_apply(real term, real y, real w, real b, row_scalars r) {
  return (y * w - term * r.v) * r.rstd;
}
#endif

#ifdef KIND_pair
real layer_norm_backward_first(real x, real y, real w, row_scalars r) { return y * w; }
real layer_norm_backward_fold(real x, real y, real w, row_scalars r) { return (y * w) * ((x - r.mean) * r.rstd); }
static void layer_norm_backward_scalars(row_scalars *r, real n, real eps, real u, real v) {
  r->u = divide(u, n);
  r->v = divide(v, n);
}
real layer_norm_backward_term(real x, row_scalars r) { return (x - r.mean) * r.rstd; }
real layer_norm_backward_apply(real term, real y, real w, real b, row_scalars r) {
  return ((y * w - r.u) - term * r.v) * r.rstd;
}
#endif
