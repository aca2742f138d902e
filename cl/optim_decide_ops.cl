/* optim_decide_ops.cl: what rules with norms make of their sums; after optim_norm_ops.cl, with -D SINGLE.
 *
 *   static void rule_decide(const float *m, float elements, rule_numbers *n, rule_scalars h)
 *
 * gives the numbers of a tensor, or of all that share theirs, their values of this step: from the sums m of what
 * rule_prepare gave over all their elements, and from what the numbers were.
 */

/* a / b; 1 where one of them is 0. NaN goes through. */
static float ratio_of(float a, float b) { return a == 0.0f || b == 0.0f ? 1.0f : divide(a, b); }
static float at_most(float x, float most) { return x > most ? most : x; }

static void lars_decide(const float *m, float elements, lars_numbers *n, lars_scalars h) {
  (void)elements;
  const float w = square_root(m[0]), g = square_root(m[1]);
  float ratio = w == 0.0f || g == 0.0f ? 1.0f : divide(h.trust * w, g + w * h.norm_decay + h.eps);
  if (h.clip_lr > 0.0f) ratio = at_most(divide(ratio, h.clip_lr), 1.0f);
  n->trust_ratio = h.adapts > 0.0f ? ratio : 1.0f;
}

static void lamb_decide(const float *m, float elements, lamb_numbers *n, lamb_scalars h) {
  (void)elements;
  float ratio = ratio_of(square_root(m[0]), square_root(m[1]));
  if (h.clips > 0.0f) ratio = at_most(ratio, 1.0f);
  n->trust_ratio = h.adapts > 0.0f ? ratio : 1.0f;
}

static void novograd_decide(const float *m, float elements, novograd_numbers *n, novograd_scalars h) {
  (void)elements;
  const float mean = h.beta2 * n->exp_avg_sq + h.one_minus_beta2 * m[0];
  const int first = h.begins > 0.0f || (h.begins < 0.0f && n->exp_avg_sq == 0.0f);
  n->exp_avg_sq = first ? m[0] : mean;
  if (!(n->exp_avg_sq <= n->max_exp_avg_sq)) n->max_exp_avg_sq = n->exp_avg_sq;
  n->size = square_root((h.ams > 0.0f ? n->max_exp_avg_sq : n->exp_avg_sq) + h.eps_root) + h.eps;
}

static void mars_decide(const float *m, float elements, mars_numbers *n, mars_scalars h) {
  (void)elements;
  const float norm = square_root(m[0]);
  n->size = norm <= h.most ? 1.0f : divide(norm, h.most);
}

static float at_least(float x, float least) { return x < least ? least : x; }

static void dog_decide(const float *m, float elements, dog_numbers *n, dog_scalars h) {
  (void)elements;
  const float away = square_root(m[0]), lr = -h.minus_lr;
  const int given = h.begun == 0.0f && h.init_eta > 0.0f && lr > 0.0f;
  n->rbar = h.begun > 0.0f ? at_least(away, n->rbar) : h.reach * (1.0f + away);
  n->gradients += m[1];
  /* Divided here, since lr may be a tensor's: the step is init_eta whatever it is. */
  n->rate = given ? divide(h.init_eta, lr) : divide(n->rbar, square_root(n->gradients + h.eps));
}

static void dowg_decide(const float *m, float elements, dowg_numbers *n, dowg_scalars h) {
  (void)elements;
  n->estim_sq_dist = at_least(m[0], n->estim_sq_dist);
  n->weighted_sq_norm_grads += n->estim_sq_dist * m[1];
  n->rate = divide(n->estim_sq_dist, square_root(n->weighted_sq_norm_grads) + h.eps);
}

static void prodigy_decide(const float *m, float elements, prodigy_numbers *n, prodigy_scalars h) {
  (void)elements;
  n->step = n->d;
  n->moves = m[1] == 0.0f ? 0.0f : 1.0f;
  if (m[1] == 0.0f) return;
  n->d_numerator = h.beta3 * n->d_numerator + n->d * h.inverse_d0 * (n->d * m[0]);
  const float estimate = divide(h.coefficient * n->d_numerator, m[1]);
  if (n->d == h.d0) n->d = at_least(estimate, n->d);
  n->d_max = at_least(estimate, n->d_max);
  n->d = at_most(h.growth > 0.0f ? n->d * h.growth : n->d_max, n->d_max);
}

static void dadapt_adam_decide(const float *m, float elements, dadapt_adam_numbers *n, dadapt_adam_scalars h) {
  (void)elements;
  n->step = n->d;
  n->moves = m[1] == 0.0f ? 0.0f : 1.0f;
  if (m[1] == 0.0f) return;
  n->numerator_weighted = h.beta3 * n->numerator_weighted + h.one_minus_beta3 * m[0];
  const float estimate = divide(n->numerator_weighted, h.one_minus_beta3 * m[1]);
  n->d = at_least(h.growth > 0.0f ? at_most(estimate, n->d * h.growth) : estimate, n->d);
}

static void adafactor_decide(const float *m, float elements, adafactor_numbers *n, adafactor_scalars h) {
  const float length = square_root(divide(m[0], elements)) * h.decayed_first;
  const float alpha = h.scales > 0.0f ? at_least(length, h.scale_least) * h.rho : h.rho;
  const float ratio = h.d > 0.0f ? at_least(divide(square_root(divide(m[1], elements)), h.d), 1.0f) : 1.0f;
  n->rate = divide(alpha, ratio);
  n->keep = h.keep - h.decay_by_step * alpha;
}

static void uphill_decide(const float *m, float elements, uphill_numbers *n, uphill_scalars h) {
  (void)elements;
  n->scale = is_finite(m[0]) ? divide(h.rho, square_root(m[0]) + 1e-12f) : 0.0f;
}
