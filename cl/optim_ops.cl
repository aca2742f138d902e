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

/* Stochastic gradient descent with momentum. */
typedef struct {
  real momentum_buffer;
} sgd_state;
typedef struct {
  float minus_lr, weight_decay, momentum, gain, nesterov;
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
  *w = fused((real)h.minus_lr, g, *w);
}

typedef struct {
  real sum;
} adagrad_state;
typedef struct {
  float minus_lr, weight_decay, eps;
} adagrad_scalars;
void adagrad(real *w, real g, adagrad_state *s, adagrad_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->sum = fused(g, g, s->sum);
  *w += divide(h.minus_lr * g, square_root(s->sum) + h.eps);
}

typedef struct {
  real square_avg, grad_avg, momentum_buffer;
} rmsprop_state;
typedef struct {
  float minus_lr, weight_decay, alpha, one_minus_alpha, eps, momentum;
} rmsprop_scalars;
void rmsprop(real *w, real g, rmsprop_state *s, rmsprop_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->square_avg = fused(h.one_minus_alpha * g, g, h.alpha * s->square_avg);
  real square = s->square_avg;
#ifdef WITH_grad_avg
  s->grad_avg = interpolate(s->grad_avg, g, h.one_minus_alpha);
  square = fused(-s->grad_avg, s->grad_avg, square);
#endif
  const real size = square_root(square) + h.eps;
#ifdef WITH_momentum_buffer
  s->momentum_buffer = h.momentum * s->momentum_buffer + divide(g, size);
  *w = fused((real)h.minus_lr, s->momentum_buffer, *w);
#else
  *w += divide(h.minus_lr * g, size);
#endif
}

/* Adam, and AdamW: the one has a weight decay, the other keeps less than all of the weight. */
typedef struct {
  real exp_avg, exp_avg_sq;
} adam_state;
typedef struct {
  float minus_step, weight_decay, keep, one_minus_beta1, beta2, one_minus_beta2, root_correction, eps;
} adam_scalars;
void adam(real *w, real g, adam_state *s, adam_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->exp_avg = interpolate(s->exp_avg, g, h.one_minus_beta1);
  s->exp_avg_sq = fused(h.one_minus_beta2 * g, g, h.beta2 * s->exp_avg_sq);
  const real size = divide(square_root(s->exp_avg_sq), (real)h.root_correction) + h.eps;
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
  const real sign = choose(fabs(direction) > 0.0f, copysign((real)1.0f, direction), direction); /* 0 and NaN stay */
  *w = fused((real)h.minus_lr, sign, *w * h.keep);
  s->exp_avg = fused((real)h.one_minus_beta2, g, h.beta2 * s->exp_avg);
}
