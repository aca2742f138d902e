/* optim_ops.cl: update rules, each a short function on registers.
 *
 *   void rule(real *w, real g, rule_state *s, rule_scalars h)
 *
 * gives the weight *w and the states their next values; g is the gradient, of the sign that is to be descended. The
 * scalars are what the host worked out for this step and group from the hyper-parameters and the step number, in
 * double, rounded once: the rule's row in src/optim/rules.c fills them in the order of the struct. A state that the
 * hyper-parameters in force do not need has no WITH_<state> and is not kept.
 *
 * Order and rounding of the operations are those of PyTorch's single-tensor code on a CPU: a fused multiply-add where
 * its kernels have one (fused), separate operations where they are separate. Bits then differ from PyTorch's only by
 * its square root, which is not the correctly rounded one.
 */

/* From `from` towards `to` by `weight`; exact at both ends. */
real interpolate(real from, real to, float weight) {
  const float near = weight < 0.5f ? weight : weight - 1.0f;
  const ireal low = weight < 0.5f ? (ireal)-1 : (ireal)0;
  return fused((real)near, to - from, choose(low, from, to));
}

/* Coupled decay: the gradient of g's function plus decay/2 · w². No decay leaves g as it is, whatever w holds. */
real with_decay(real g, real w, float decay) {
  const ireal some = fabs(decay) > 0.0f ? (ireal)-1 : (ireal)0;
  return choose(some, fused((real)decay, w, g), g);
}

/* 1 or -1; x itself where that is 0 or NaN. */
real sign_of(real x) { return choose(fabs(x) > 0.0f, copysign((real)1.0f, x), x); }

/* The larger one; NaN where one is. */
real larger(real a, real b) { return choose(a > b, a, choose(is_nan(a), a, b)); }

/* Stochastic gradient descent with momentum. */
typedef struct {
  real momentum_buffer;
} sgd_state;
typedef struct {
  float minus_lr, weight_decay, keep, momentum, gain, nesterov;
} sgd_scalars;
void sgd(real *w, real g, sgd_state *s, sgd_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
#ifdef WITH_momentum_buffer
  s->momentum_buffer = fused((real)h.gain, g, h.momentum * s->momentum_buffer);
  const ireal ahead = h.nesterov > 0.0f ? (ireal)-1 : (ireal)0;
  g = choose(ahead, fused((real)h.momentum, s->momentum_buffer, h.gain * g), s->momentum_buffer);
#else
  (void)s;
#endif
  *w = fused((real)h.minus_lr, g, *w * h.keep);
}

typedef struct {
  real sum;
} adagrad_state;
typedef struct {
  float minus_lr, weight_decay, keep, eps_root, eps;
} adagrad_scalars;
void adagrad(real *w, real g, adagrad_state *s, adagrad_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->sum = fused(g, g, s->sum);
  *w = *w * h.keep + divide(h.minus_lr * g, square_root(s->sum + h.eps_root) + h.eps);
}

typedef struct {
  real square_avg, grad_avg, momentum_buffer;
} rmsprop_state;
typedef struct {
  float minus_lr, weight_decay, keep, alpha, one_minus_alpha, eps_root, eps, momentum, gain;
} rmsprop_scalars;
void rmsprop(real *w, real g, rmsprop_state *s, rmsprop_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->square_avg = fused(h.one_minus_alpha * g, g, h.alpha * s->square_avg);
  real square = s->square_avg;
#ifdef WITH_grad_avg
  s->grad_avg = interpolate(s->grad_avg, g, h.one_minus_alpha);
  square = fused(-s->grad_avg, s->grad_avg, square);
#endif
  const real size = square_root(square + h.eps_root) + h.eps;
#ifdef WITH_momentum_buffer
  s->momentum_buffer = h.momentum * s->momentum_buffer + divide(h.gain * g, size);
  *w = fused((real)h.minus_lr, s->momentum_buffer, *w * h.keep);
#else
  *w = *w * h.keep + divide(h.minus_lr * g, size);
#endif
}

typedef struct {
  real square_avg, acc_delta;
} adadelta_state;
typedef struct {
  float minus_lr, weight_decay, keep, rho, one_minus_rho, eps;
} adadelta_scalars;
void adadelta(real *w, real g, adadelta_state *s, adadelta_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->square_avg = fused(h.one_minus_rho * g, g, h.rho * s->square_avg);
  const real size = square_root(s->square_avg + h.eps);
  const real delta = divide(square_root(s->acc_delta + h.eps), size) * g;
  s->acc_delta = fused(h.one_minus_rho * delta, delta, h.rho * s->acc_delta);
  *w = fused((real)h.minus_lr, delta, *w * h.keep);
}

/* Adam, and AdamW: the one has a weight decay, the other keeps less than all of the weight. */
typedef struct {
  real exp_avg, exp_avg_sq, max_exp_avg_sq;
} adam_state;
typedef struct {
  float minus_step, weight_decay, keep, one_minus_beta1, beta2, one_minus_beta2, root_correction, eps, eps_root;
  float max_correction;
} adam_scalars;
void adam(real *w, real g, adam_state *s, adam_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->exp_avg = interpolate(s->exp_avg, g, h.one_minus_beta1);
  s->exp_avg_sq = fused(h.one_minus_beta2 * g, g, h.beta2 * s->exp_avg_sq);
#ifdef WITH_max_exp_avg_sq
  s->max_exp_avg_sq = larger(s->max_exp_avg_sq, s->exp_avg_sq * h.max_correction);
  const real square = s->max_exp_avg_sq;
#else
  const real square = s->exp_avg_sq;
#endif
  const real size = divide(square_root(square + h.eps_root), (real)h.root_correction) + h.eps;
  *w = *w * h.keep + divide(h.minus_step * s->exp_avg, size);
}

typedef struct {
  real exp_avg, exp_inf;
} adamax_state;
typedef struct {
  float minus_step, weight_decay, keep, one_minus_beta1, beta2, eps_inside, eps_outside;
} adamax_scalars;
void adamax(real *w, real g, adamax_state *s, adamax_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->exp_avg = interpolate(s->exp_avg, g, h.one_minus_beta1);
  s->exp_inf = larger(h.beta2 * s->exp_inf, fabs(g) + h.eps_inside);
  *w = *w * h.keep + divide(h.minus_step * s->exp_avg, s->exp_inf + h.eps_outside);
}

typedef struct {
  real exp_avg, exp_avg_sq;
} nadam_state;
typedef struct {
  float minus_now, minus_ahead, weight_decay, keep, one_minus_beta1, beta2, one_minus_beta2, correction2, eps;
} nadam_scalars;
void nadam(real *w, real g, nadam_state *s, nadam_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->exp_avg = interpolate(s->exp_avg, g, h.one_minus_beta1);
  s->exp_avg_sq = fused(h.one_minus_beta2 * g, g, h.beta2 * s->exp_avg_sq);
  const real size = square_root(divide(s->exp_avg_sq, (real)h.correction2)) + h.eps;
  *w = *w * h.keep + divide(h.minus_now * g, size) + divide(h.minus_ahead * s->exp_avg, size);
}

typedef struct {
  real exp_avg, exp_avg_sq;
} radam_state;
typedef struct {
  float minus_step, weight_decay, keep, one_minus_beta1, beta2, one_minus_beta2, eps, rectified;
} radam_scalars;
void radam(real *w, real g, radam_state *s, radam_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->exp_avg = interpolate(s->exp_avg, g, h.one_minus_beta1);
  s->exp_avg_sq = fused(h.one_minus_beta2 * g, g, h.beta2 * s->exp_avg_sq);
  const ireal rectified = h.rectified > 0.0f ? (ireal)-1 : (ireal)0;
  const real size = choose(rectified, square_root(s->exp_avg_sq) + h.eps, (real)1.0f);
  *w = *w * h.keep + divide(h.minus_step * s->exp_avg, size);
}

/* No fused multiply-add in the direction: its sign decides the whole step, and a sum rounded in another way may have
 * another one. */
typedef struct {
  real exp_avg;
} lion_state;
typedef struct {
  float minus_lr, keep, beta1, one_minus_beta1, beta2, one_minus_beta2;
} lion_scalars;
void lion(real *w, real g, lion_state *s, lion_scalars h) {
  const real direction = h.beta1 * s->exp_avg + h.one_minus_beta1 * g;
  *w = fused((real)h.minus_lr, sign_of(direction), *w * h.keep);
  s->exp_avg = fused((real)h.one_minus_beta2, g, h.beta2 * s->exp_avg);
}

/* Agreement by the sign alone, not by a product that may underflow. */
typedef struct {
  real prev, step_size;
} rprop_state;
typedef struct {
  float etaminus, etaplus, least, most;
} rprop_scalars;
void rprop(real *w, real g, rprop_state *s, rprop_scalars h) {
  const real agree = sign_of(g) * s->prev;
  const real stay = choose(is_nan(agree), agree, (real)1.0f);
  real step = s->step_size * choose(agree > 0.0f, (real)h.etaplus, choose(agree < 0.0f, (real)h.etaminus, stay));
  step = choose(step < h.least, (real)h.least, step);
  step = choose(step > h.most, (real)h.most, step);
  s->step_size = step;
  s->prev = choose(agree < 0.0f, (real)0.0f, g);
  *w = fused(-sign_of(s->prev), step, *w);
}

typedef struct {
  real ax;
} asgd_state;
typedef struct {
  float minus_eta, weight_decay, keep, mu;
} asgd_scalars;
void asgd(real *w, real g, asgd_state *s, asgd_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  *w = fused((real)h.minus_eta, g, *w * h.keep);
  const ireal begins = h.mu < 1.0f ? (ireal)-1 : (ireal)0;
  s->ax = choose(begins, s->ax + (*w - s->ax) * h.mu, *w);
}
