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
