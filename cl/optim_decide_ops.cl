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
