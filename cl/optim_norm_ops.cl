/* optim_norm_ops.cl: update rules whose step depends on sums over all elements of a tensor, or of all tensors; after
 * optim_math.cl.
 *
 *   static void rule_prepare(real w, real g, rule_state *s, rule_scalars h, rule_numbers n, real *m)
 *
 * sees an element in the first launch, may give states their next values, and gives in m what is to be summed: as many
 * measures as the rule's row says. The numbers are those of the step before.
 *
 * then rule_decide of optim_decide_ops.cl makes the numbers of this step from the sums, and
 *
 *   static void rule(real *w, real g, rule_state *s, rule_scalars h, rule_numbers n)
 *
 * is the step, as in optim_ops.cl. What each launch reads and writes is in the rule's row in src/optim/rules_norm.c;
 * what is not read is 0.
 */

/* Layer-wise adaptive rates: the velocity is of gradients as long as the weights are, times a coefficient. */
typedef struct {
  real momentum_buffer;
} lars_state;
typedef struct {
  float minus_lr, weight_decay, joint_decay, norm_decay, momentum, gain, own, nesterov, trust, eps, adapts, clip_lr;
} lars_scalars;
typedef struct {
  float trust_ratio;
} lars_numbers;
static void lars_prepare(real w, real g, lars_state *s, lars_scalars h, lars_numbers n, real *m) {
  (void)s;
  (void)n;
  const real joint = with_decay(g, w, h.joint_decay);
  m[0] = w * w;
  m[1] = joint * joint;
}
static void lars(real *w, real g, lars_state *s, lars_scalars h, lars_numbers n) {
  g = with_decay(g, *w, h.weight_decay) * n.trust_ratio;
#ifdef WITH_momentum_buffer
  s->momentum_buffer = fused((real)h.gain, g, h.momentum * s->momentum_buffer);
  const ireal ahead = h.nesterov > 0.0f ? (ireal)-1 : (ireal)0;
  g = choose(ahead, fused((real)h.momentum, s->momentum_buffer, h.own * g), s->momentum_buffer);
#else
  (void)s;
#endif
  *w = fused((real)h.minus_lr, g, *w);
}

/* Adam's direction, with the weight's decay in it, as long as the weights. */
typedef struct {
  real exp_avg, exp_avg_sq;
} lamb_state;
typedef struct {
  float minus_lr, weight_decay, keep, beta1, gain, beta2, one_minus_beta2, correction1, root_correction, eps, eps_root;
  float adapts, clips;
} lamb_scalars;
typedef struct {
  float trust_ratio;
} lamb_numbers;
static real lamb_direction(real w, lamb_state *s, lamb_scalars h) {
  const real size = divide(square_root(s->exp_avg_sq + h.eps_root), (real)h.root_correction) + h.eps;
  return with_decay(divide(divide(s->exp_avg, (real)h.correction1), size), w, h.weight_decay);
}
static void lamb_prepare(real w, real g, lamb_state *s, lamb_scalars h, lamb_numbers n, real *m) {
  (void)n;
  s->exp_avg = fused((real)h.gain, g, h.beta1 * s->exp_avg);
  s->exp_avg_sq = fused(h.one_minus_beta2 * g, g, h.beta2 * s->exp_avg_sq);
  const real kept = w * h.keep, direction = lamb_direction(kept, s, h);
  m[0] = kept * kept;
  m[1] = direction * direction;
}
static void lamb(real *w, real g, lamb_state *s, lamb_scalars h, lamb_numbers n) {
  (void)g;
  const real kept = *w * h.keep;
  *w = fused((real)h.minus_lr, lamb_direction(kept, s, h) * n.trust_ratio, kept);
}

/* The mean square is one number a tensor: that of the gradient's length. */
typedef struct {
  real exp_avg;
} novograd_state;
typedef struct {
  float minus_lr, weight_decay, keep, beta1, gain, beta2, one_minus_beta2, eps_root, eps, begins, ams;
} novograd_scalars;
typedef struct {
  float exp_avg_sq, max_exp_avg_sq, size;
} novograd_numbers;
static void novograd_prepare(real w, real g, novograd_state *s, novograd_scalars h, novograd_numbers n, real *m) {
  (void)w;
  (void)s;
  (void)h;
  (void)n;
  m[0] = g * g;
}
static void novograd(real *w, real g, novograd_state *s, novograd_scalars h, novograd_numbers n) {
  g = with_decay(divide(g, (real)n.size), *w, h.weight_decay);
  s->exp_avg = fused((real)h.gain, g, h.beta1 * s->exp_avg);
  *w = fused((real)h.minus_lr, s->exp_avg, *w * h.keep);
}

/* Gradients corrected by how they have changed, shortened tensor by tensor; then AdamW, or the sign of their mean. */
typedef struct {
  real exp_avg, exp_avg_sq, last_grad;
} mars_state;
typedef struct {
  float minus_lr, keep, change, beta1, one_minus_beta1, beta2, one_minus_beta2, correction1, root_correction, eps, most;
} mars_scalars;
typedef struct {
  float size;
} mars_numbers;
static real mars_corrected(real g, real before, float change) { return change * (g - before) + g; }
static void mars_prepare(real w, real g, mars_state *s, mars_scalars h, mars_numbers n, real *m) {
  (void)w;
  (void)n;
  const real c = mars_corrected(g, s->last_grad, h.change);
  m[0] = c * c;
}
static void mars(real *w, real g, mars_state *s, mars_scalars h, mars_numbers n) {
  const real c = divide(mars_corrected(g, s->last_grad, h.change), (real)n.size);
  s->last_grad = g;
  s->exp_avg = fused((real)h.one_minus_beta1, c, h.beta1 * s->exp_avg);
#ifdef WITH_exp_avg_sq
  s->exp_avg_sq = fused(h.one_minus_beta2 * c, c, h.beta2 * s->exp_avg_sq);
  const real size = divide(square_root(s->exp_avg_sq), (real)h.root_correction) + h.eps;
  const real direction = divide(divide(s->exp_avg, (real)h.correction1), size);
#else
  const real direction = sign_of(s->exp_avg);
#endif
  *w = fused((real)h.minus_lr, direction, *w * h.keep);
}

/* The rate is a distance over gradients: the furthest that the weights have been from where they began, by the length
 * of all gradients so far. Of a tensor that comes later the first distance is 0. first: the tensor has taken no step;
 * begun: one of those that share its numbers has. */
typedef struct {
  real x0;
} dog_state;
typedef struct {
  float minus_lr, weight_decay, eps, reach, init_eta, first, begun;
} dog_scalars;
typedef struct {
  float rbar, gradients, rate;
} dog_numbers;
static void dog_prepare(real w, real g, dog_state *s, dog_scalars h, dog_numbers n, real *m) {
  (void)n;
  const ireal first = h.first > 0.0f ? (ireal)-1 : (ireal)0, begun = h.begun > 0.0f ? (ireal)-1 : (ireal)0;
  s->x0 = choose(first, w, s->x0);
  const real away = choose(first, choose(begun, (real)0.0f, w), w - s->x0), slope = with_decay(g, w, h.weight_decay);
  m[0] = away * away;
  m[1] = slope * slope;
}
static void dog(real *w, real g, dog_state *s, dog_scalars h, dog_numbers n) {
  (void)s;
  *w = fused((real)(h.minus_lr * n.rate), with_decay(g, *w, h.weight_decay), *w);
}

/* The same with gradients weighted by the distance. */
typedef struct {
  real x0;
} dowg_state;
typedef struct {
  float minus_lr, weight_decay, eps, first;
} dowg_scalars;
typedef struct {
  float estim_sq_dist, weighted_sq_norm_grads, rate;
} dowg_numbers;
static void dowg_prepare(real w, real g, dowg_state *s, dowg_scalars h, dowg_numbers n, real *m) {
  (void)n;
  const ireal first = h.first > 0.0f ? (ireal)-1 : (ireal)0;
  s->x0 = choose(first, w, s->x0);
  const real away = w - s->x0, slope = with_decay(g, w, h.weight_decay);
  m[0] = away * away;
  m[1] = slope * slope;
}
static void dowg(real *w, real g, dowg_state *s, dowg_scalars h, dowg_numbers n) {
  (void)s;
  *w = fused((real)(h.minus_lr * n.rate), with_decay(g, *w, h.weight_decay), *w);
}

/* Adam whose rate is an estimate d of the distance to the solution. lr 0: nothing is accumulated. The step is of the d
 * before; where no gradient has come yet there is none. */
typedef struct {
  real p0, s, exp_avg, exp_avg_sq;
} prodigy_state;
typedef struct {
  float lr, weight_decay, decay, beta1, one_minus_beta1, beta2, one_minus_beta2, beta3, eps, inverse_d0, d0;
  float coefficient, growth, safeguard, first;
} prodigy_scalars;
typedef struct {
  float d, d_max, d_numerator, step, moves;
} prodigy_numbers;
static void prodigy_prepare(real w, real g, prodigy_state *s, prodigy_scalars h, prodigy_numbers n, real *m) {
  const ireal first = h.first > 0.0f ? (ireal)-1 : (ireal)0;
  s->p0 = choose(first, w, s->p0);
  m[0] = m[1] = (real)0.0f;
  if (!(h.lr > 0.0f)) return;
  g = with_decay(g, w, h.weight_decay);
  m[0] = h.lr * (g * (s->p0 - w));
#ifdef WITH_exp_avg
  s->exp_avg = fused((real)(n.d * h.one_minus_beta1), g, h.beta1 * s->exp_avg);
#endif
  s->exp_avg_sq = fused(n.d * n.d * h.one_minus_beta2 * g, g, h.beta2 * s->exp_avg_sq);
  const float gain = n.d * h.inverse_d0 * (n.d * (h.safeguard > 0.0f ? 1.0f : h.lr));
  s->s = fused((real)gain, g, h.beta3 * s->s);
  m[1] = fabs(s->s);
}
static void prodigy(real *w, real g, prodigy_state *s, prodigy_scalars h, prodigy_numbers n) {
  if (!(n.moves > 0.0f)) return;
  const float rate = n.step * h.lr;
#ifdef WITH_exp_avg
  const real ahead = rate * s->exp_avg;
#else
  const real ahead = rate * n.d * with_decay(g, *w, h.weight_decay);
#endif
  (void)g;
  *w = *w * (1.0f - h.decay * rate) - divide(ahead, square_root(s->exp_avg_sq) + n.d * h.eps);
}

typedef struct {
  real exp_avg, exp_avg_sq, s;
} dadapt_adam_state;
typedef struct {
  float lr, weight_decay, decay, beta1, one_minus_beta1, beta2, one_minus_beta2, beta3, one_minus_beta3, eps, growth;
} dadapt_adam_scalars;
typedef struct {
  float d, numerator_weighted, step, moves;
} dadapt_adam_numbers;
static void dadapt_adam_prepare(real w, real g, dadapt_adam_state *s, dadapt_adam_scalars h, dadapt_adam_numbers n,
                                real *m) {
  m[0] = m[1] = (real)0.0f;
  if (!(h.lr > 0.0f)) return;
  const float rate = n.d * h.lr;
  g = with_decay(g, w, h.weight_decay);
  m[0] = rate * (g * divide(s->s, square_root(s->exp_avg_sq) + h.eps));
  s->exp_avg = fused((real)(rate * h.one_minus_beta1), g, h.beta1 * s->exp_avg);
  s->exp_avg_sq = fused(h.one_minus_beta2 * g, g, h.beta2 * s->exp_avg_sq);
  s->s = fused((real)(rate * h.one_minus_beta3), g, h.beta3 * s->s);
  m[1] = fabs(s->s);
}
static void dadapt_adam(real *w, real g, dadapt_adam_state *s, dadapt_adam_scalars h, dadapt_adam_numbers n) {
  (void)g;
  if (!(n.moves > 0.0f)) return;
  *w = *w * (1.0f - h.decay * (n.step * h.lr)) - divide(s->exp_avg, square_root(s->exp_avg_sq) + h.eps);
}

/* Not a rule but what a wrapper does: up along the gradient, and back. */
typedef struct {
  real old;
} uphill_state;
typedef struct {
  float rho, adaptive, back;
} uphill_scalars;
typedef struct {
  float scale;
} uphill_numbers;
static void uphill_prepare(real w, real g, uphill_state *s, uphill_scalars h, uphill_numbers n, real *m) {
  (void)n;
  s->old = w;
  const real slope = h.adaptive > 0.0f ? fabs(w) * g : g;
  m[0] = slope * slope;
}
static void uphill(real *w, real g, uphill_state *s, uphill_scalars h, uphill_numbers n) {
  const real way = (h.adaptive > 0.0f ? *w * *w * g : g) * n.scale;
  const ireal back = h.back > 0.0f ? (ireal)-1 : (ireal)0, stays = n.scale == 0.0f ? (ireal)-1 : (ireal)0;
  *w = choose(back, s->old, choose(stays, *w, *w + way));
}

/* Gradients over the root of their mean square, as long as the weights are. Where the mean square is kept by rows and
 * columns, `factor` is 1 / its root; where it is not, `variance` is the mean. */
typedef struct {
  real variance, exp_avg, factor;
} adafactor_state;
typedef struct {
  float rho, keep, decay_by_step, beta1, one_minus_beta1, factor_keep, factor_gain, factor_added, factor_least, least,
      most, scale_least, scales, d, decayed_first;
} adafactor_scalars;
typedef struct {
  float rate, keep;
} adafactor_numbers;
static real adafactor_update(real g, const adafactor_state *s, const adafactor_scalars *h) {
#ifdef FACTORED
  return g * choose(s->factor > (real)h->most, (real)h->most, s->factor);
#else
  return divide(g, square_root(choose(s->variance < (real)h->least, (real)h->least, s->variance)));
#endif
}
static void adafactor_prepare(real w, real g, adafactor_state *s, adafactor_scalars h, adafactor_numbers n, real *m) {
  (void)n;
#ifndef FACTORED
  s->variance = fused((real)h.factor_gain, fused(g, g, (real)h.factor_added), h.factor_keep * s->variance);
#endif
  const real update = adafactor_update(g, s, &h);
  m[0] = w * w;
  m[1] = update * update;
}
static void adafactor(real *w, real g, adafactor_state *s, adafactor_scalars h, adafactor_numbers n) {
  const real update = adafactor_update(g, s, &h);
#ifdef WITH_exp_avg
  s->exp_avg = fused((real)h.one_minus_beta1, n.rate * update, h.beta1 * s->exp_avg);
  *w = n.keep * *w - s->exp_avg;
#else
  *w = fused((real)-n.rate, update, n.keep * *w);
#endif
}
