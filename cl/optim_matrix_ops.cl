/* optim_matrix_ops.cl: what update rules that take each parameter as a matrix do element by element; after
 * optim_math.cl.
 *
 * Such a rule has several launches, each a function as in optim_ops.cl, and products of matrices on its states in
 * between (src/optim/matrix.c). The state `update` is scratch: the matrix that those make the step of.
 */

/* The velocity, orthogonalised. */
typedef struct {
  real momentum_buffer, update;
} muon_state;
typedef struct {
  float minus_lr, keep, minus_decay, momentum, gain, look, own;
} muon_scalars;
typedef muon_state muon_gather_state;
typedef muon_scalars muon_gather_scalars;
static void muon_gather(real *w, real g, muon_state *s, muon_scalars h) {
  (void)w;
  s->momentum_buffer = fused((real)h.gain, g, h.momentum * s->momentum_buffer);
  s->update = fused((real)h.look, s->momentum_buffer, h.own * g);
}
static void muon(real *w, real g, muon_state *s, muon_scalars h) {
  (void)g;
  *w = fused((real)h.minus_lr, s->update, fused((real)h.minus_decay, *w, *w * h.keep));
}

/* The gradient between the roots of the sums of its squares by rows and by columns. */
typedef struct {
  real momentum_buffer, update;
} shampoo_state;
typedef struct {
  float minus_lr, keep, weight_decay, momentum, own;
} shampoo_scalars;
typedef shampoo_state shampoo_gather_state;
typedef shampoo_scalars shampoo_gather_scalars;
static void shampoo_gather(real *w, real g, shampoo_state *s, shampoo_scalars h) {
#ifdef WITH_momentum_buffer
  g = fused((real)h.momentum, s->momentum_buffer, h.own * g);
#endif
  s->update = with_decay(g, *w * h.keep, h.weight_decay);
}
static void shampoo(real *w, real g, shampoo_state *s, shampoo_scalars h) {
  (void)g;
#ifdef WITH_momentum_buffer
  s->momentum_buffer = s->update;
#endif
  *w = fused((real)h.minus_lr, s->update, *w * h.keep);
}

/* Adam in the eigenvectors of the gradients' squares by rows and by columns. `projected` is the gradient in them, then
 * the direction in them, then the step; `update` the gradient, then the mean in them. */
typedef struct {
  real exp_avg, exp_avg_sq, update, projected;
} soap_state;
typedef struct {
  float minus_step, keep, one_minus_beta1, one_minus_beta2, eps;
} soap_scalars;
typedef soap_state soap_gather_state;
typedef soap_scalars soap_gather_scalars;
static void soap_gather(real *w, real g, soap_state *s, soap_scalars h) {
  (void)w;
  s->exp_avg = interpolate(s->exp_avg, g, h.one_minus_beta1);
  s->update = g;
}
typedef soap_state soap_turn_state;
typedef soap_scalars soap_turn_scalars;
static void soap_turn(real *w, real g, soap_state *s, soap_scalars h) {
  (void)w;
  (void)g;
  s->exp_avg_sq = interpolate(s->exp_avg_sq, s->projected * s->projected, h.one_minus_beta2);
  s->projected = divide(s->update, square_root(s->exp_avg_sq) + h.eps);
}
static void soap(real *w, real g, soap_state *s, soap_scalars h) {
  (void)g;
  const ireal moves = fabs(h.minus_step) > 0.0f ? (ireal)-1 : (ireal)0; /* in the first step nothing is known yet */
  *w = choose(moves, fused((real)h.minus_step, s->projected, *w) * h.keep, *w);
}
