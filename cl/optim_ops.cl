/* optim_ops.cl: update rules, each a short function on registers.
 *
 *   static void rule(real *w, real g, rule_state *s, rule_scalars h)
 *
 * gives the weight *w and the states their next values; g is the gradient, of the sign that is to be descended. The
 * scalars are what the host worked out for this step and group from the hyper-parameters and the step number, in
 * double, rounded once: the rule's row in src/optim/rules_*.c fills them in the order of the struct. A state that the
 * hyper-parameters in force do not need has no WITH_<state> and is not kept.
 *
 * Order and rounding of the operations are those of PyTorch's single-tensor code on a CPU: a fused multiply-add where
 * its kernels have one (fused), separate operations where they are separate. Bits then differ from PyTorch's only by
 * its square root, which is not the correctly rounded one.
 * All are static, so that a program is compiled with the one rule it runs. What they share is in optim_math.cl. Rules
 * that can be cautious end with step_weight or step_along.
 */

/* Stochastic gradient descent with momentum. */
typedef struct {
  real momentum_buffer;
} sgd_state;
typedef struct {
  float minus_lr, weight_decay, keep, momentum, gain, nesterov;
} sgd_scalars;
static void sgd(real *w, real g, sgd_state *s, sgd_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  real direction = g;
#ifdef WITH_momentum_buffer
  s->momentum_buffer = fused((real)h.gain, g, h.momentum * s->momentum_buffer);
  const ireal ahead = h.nesterov > 0.0f ? (ireal)-1 : (ireal)0;
  direction = choose(ahead, fused((real)h.momentum, s->momentum_buffer, h.gain * g), s->momentum_buffer);
#else
  (void)s;
#endif
  step_along(w, g, *w * h.keep, (real)h.minus_lr, direction);
}

typedef struct {
  real sum;
} adagrad_state;
typedef struct {
  float minus_lr, weight_decay, keep, eps_root, eps;
} adagrad_scalars;
static void adagrad(real *w, real g, adagrad_state *s, adagrad_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->sum = fused(g, g, s->sum);
  step_weight(w, g, *w * h.keep, divide(h.minus_lr * g, square_root(s->sum + h.eps_root) + h.eps));
}

typedef struct {
  real square_avg, grad_avg, momentum_buffer;
} rmsprop_state;
typedef struct {
  float minus_lr, weight_decay, keep, alpha, one_minus_alpha, eps_root, eps, momentum, gain;
} rmsprop_scalars;
static void rmsprop(real *w, real g, rmsprop_state *s, rmsprop_scalars h) {
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
  step_along(w, g, *w * h.keep, (real)h.minus_lr, s->momentum_buffer);
#else
  step_weight(w, g, *w * h.keep, divide(h.minus_lr * g, size));
#endif
}

typedef struct {
  real square_avg, acc_delta;
} adadelta_state;
typedef struct {
  float minus_lr, weight_decay, keep, rho, one_minus_rho, eps;
} adadelta_scalars;
static void adadelta(real *w, real g, adadelta_state *s, adadelta_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->square_avg = fused(h.one_minus_rho * g, g, h.rho * s->square_avg);
  const real size = square_root(s->square_avg + h.eps);
  const real delta = divide(square_root(s->acc_delta + h.eps), size) * g;
  s->acc_delta = fused(h.one_minus_rho * delta, delta, h.rho * s->acc_delta);
  step_along(w, g, *w * h.keep, (real)h.minus_lr, delta);
}

/* Adam, and AdamW: the one has a weight decay, the other keeps less than all of the weight. */
typedef struct {
  real exp_avg, exp_avg_sq, max_exp_avg_sq;
} adam_state;
typedef struct {
  float minus_step, weight_decay, keep, one_minus_beta1, beta2, one_minus_beta2, root_correction, eps, eps_root;
  float max_correction;
} adam_scalars;
static void adam(real *w, real g, adam_state *s, adam_scalars h) {
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
  step_weight(w, g, *w * h.keep, divide(h.minus_step * s->exp_avg, size));
}

typedef struct {
  real exp_avg, exp_inf;
} adamax_state;
typedef struct {
  float minus_step, weight_decay, keep, one_minus_beta1, beta2, eps_inside, eps_outside;
} adamax_scalars;
static void adamax(real *w, real g, adamax_state *s, adamax_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->exp_avg = interpolate(s->exp_avg, g, h.one_minus_beta1);
  s->exp_inf = larger(h.beta2 * s->exp_inf, fabs(g) + h.eps_inside);
  step_weight(w, g, *w * h.keep, divide(h.minus_step * s->exp_avg, s->exp_inf + h.eps_outside));
}

typedef struct {
  real exp_avg, exp_avg_sq;
} nadam_state;
typedef struct {
  float minus_now, minus_ahead, weight_decay, keep, one_minus_beta1, beta2, one_minus_beta2, correction2, eps;
} nadam_scalars;
static void nadam(real *w, real g, nadam_state *s, nadam_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->exp_avg = interpolate(s->exp_avg, g, h.one_minus_beta1);
  s->exp_avg_sq = fused(h.one_minus_beta2 * g, g, h.beta2 * s->exp_avg_sq);
  const real size = square_root(divide(s->exp_avg_sq, (real)h.correction2)) + h.eps;
  step_weight(w, g, *w * h.keep, divide(h.minus_now * g, size));
  w[WEIGHT_PARTS - 1] = w[WEIGHT_PARTS - 1] + divide(h.minus_ahead * s->exp_avg, size);
}

typedef struct {
  real exp_avg, exp_avg_sq;
} radam_state;
typedef struct {
  float minus_step, weight_decay, keep, one_minus_beta1, beta2, one_minus_beta2, eps, rectified;
} radam_scalars;
static void radam(real *w, real g, radam_state *s, radam_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->exp_avg = interpolate(s->exp_avg, g, h.one_minus_beta1);
  s->exp_avg_sq = fused(h.one_minus_beta2 * g, g, h.beta2 * s->exp_avg_sq);
  const ireal rectified = h.rectified > 0.0f ? (ireal)-1 : (ireal)0;
  const real size = choose(rectified, square_root(s->exp_avg_sq) + h.eps, (real)1.0f);
  step_weight(w, g, *w * h.keep, divide(h.minus_step * s->exp_avg, size));
}

/* No fused multiply-add in the direction: its sign decides the whole step, and a sum rounded in another way may have
 * another one. */
typedef struct {
  real exp_avg;
} lion_state;
typedef struct {
  float minus_lr, keep, beta1, one_minus_beta1, beta2, one_minus_beta2;
} lion_scalars;
static void lion(real *w, real g, lion_state *s, lion_scalars h) {
  const real direction = h.beta1 * s->exp_avg + h.one_minus_beta1 * g;
  step_along(w, g, *w * h.keep, (real)h.minus_lr, sign_of(direction));
  s->exp_avg = fused((real)h.one_minus_beta2, g, h.beta2 * s->exp_avg);
}

/* Agreement by the sign alone, not by a product that may underflow. */
typedef struct {
  real prev, step_size;
} rprop_state;
typedef struct {
  float etaminus, etaplus, least, most;
} rprop_scalars;
static void rprop(real *w, real g, rprop_state *s, rprop_scalars h) {
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
static void asgd(real *w, real g, asgd_state *s, asgd_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  *w = fused((real)h.minus_eta, g, *w * h.keep);
  const ireal begins = h.mu < 1.0f ? (ireal)-1 : (ireal)0;
  s->ax = choose(begins, s->ax + (*w - s->ax) * h.mu, *w);
}

typedef struct {
  real exp_avg;
} signum_state;
typedef struct {
  float minus_lr, keep, beta, one_minus_beta;
} signum_scalars;
static void signum(real *w, real g, signum_state *s, signum_scalars h) {
  s->exp_avg = h.beta * s->exp_avg + h.one_minus_beta * g;
  step_along(w, g, *w * h.keep, (real)h.minus_lr, sign_of(s->exp_avg));
}

typedef struct {
  real exp_avg, hessian;
} sophia_state;
typedef struct {
  float minus_lr, keep, beta1, one_minus_beta1, beta2, one_minus_beta2, scale, eps, refresh;
} sophia_scalars;
static void sophia(real *w, real g, sophia_state *s, sophia_scalars h) {
  s->exp_avg = fused((real)h.one_minus_beta1, g, h.beta1 * s->exp_avg);
  const real ratio = divide(fabs(s->exp_avg), h.scale * s->hessian + h.eps);
  step_along(w, g, *w * h.keep, h.minus_lr * sign_of(s->exp_avg), choose(ratio > 1.0f, (real)1.0f, ratio));
  const ireal refresh = h.refresh > 0.0f ? (ireal)-1 : (ireal)0;
  s->hessian = choose(refresh, fused(h.one_minus_beta2 * g, g, h.beta2 * s->hessian), s->hessian);
}

typedef struct {
  real momentum_buffer;
} qhm_state;
typedef struct {
  float minus_velocity, minus_gradient, weight_decay, keep, momentum, one_minus_momentum;
} qhm_scalars;
static void qhm(real *w, real g, qhm_state *s, qhm_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->momentum_buffer = fused((real)h.one_minus_momentum, g, h.momentum * s->momentum_buffer);
  step_along(w, g, *w * h.keep, (real)h.minus_velocity, s->momentum_buffer);
  step_further(w, (real)h.minus_gradient, g);
}

/* Without momentum the start is where the sums lead back to. */
typedef struct {
  real grad_sum_sq, s, x0;
} madgrad_state;
typedef struct {
  float lamb, weight_decay, keep, gain, eps, first;
} madgrad_scalars;
static void madgrad(real *w, real g, madgrad_state *s, madgrad_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
#ifdef WITH_x0
  const ireal first = h.first > 0.0f ? (ireal)-1 : (ireal)0;
  s->x0 = choose(first, *w, s->x0);
  const real start = s->x0;
#else
  const real before = cube_root(s->grad_sum_sq) + h.eps;
  const real start = *w + choose(before > 0.0f, divide(s->s, before), (real)0.0f);
#endif
  s->grad_sum_sq = fused(h.lamb * g, g, s->grad_sum_sq);
  s->s = fused((real)h.lamb, g, s->s);
  const real size = cube_root(s->grad_sum_sq) + h.eps;
  const real ahead = start - choose(size == 0.0f, (real)0.0f, divide(s->s, size));
#ifdef WITH_x0
  *w = fused((real)h.gain, ahead, *w * h.keep);
#else
  *w = ahead + *w * h.keep;
#endif
}

typedef struct {
  real accumulator, linear;
} ftrl_state;
typedef struct {
  float inverse_lr, keep, l1, twice_l2, twice_shrinkage, moves;
} ftrl_scalars;
static void ftrl(real *w, real g, ftrl_state *s, ftrl_scalars h) {
  if (!(h.moves > 0.0f)) return; /* lr 0: the sums are in units of 1/lr */
  const real from = *w * h.keep, sum = s->accumulator + g * g, root = square_root(sum);
  const real sigma = (root - square_root(s->accumulator)) * h.inverse_lr;
  s->linear += with_decay(g, from, h.twice_shrinkage) - sigma * from;
  s->accumulator = sum;
  const real beyond = fabs(s->linear) - h.l1;
  const real pull = choose(beyond < 0.0f, (real)0.0f, copysign(beyond, s->linear));
  *w = -divide(choose(is_nan(s->linear), s->linear, pull), root * h.inverse_lr + h.twice_l2);
}

typedef struct {
  real exp_avg, exp_avg_sq;
} yogi_state;
typedef struct {
  float minus_step, weight_decay, keep, one_minus_beta1, one_minus_beta2, root_correction, eps;
} yogi_scalars;
static void yogi(real *w, real g, yogi_state *s, yogi_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->exp_avg = interpolate(s->exp_avg, g, h.one_minus_beta1);
  const real square = g * g;
  s->exp_avg_sq = fused(-h.one_minus_beta2 * sign_of(s->exp_avg_sq - square), square, s->exp_avg_sq);
  const real size = divide(square_root(s->exp_avg_sq), (real)h.root_correction) + h.eps;
  step_weight(w, g, *w * h.keep, divide(h.minus_step * s->exp_avg, size));
}

typedef struct {
  real exp_avg, exp_avg_var;
} adabelief_state;
typedef struct {
  float minus_step, weight_decay, keep, beta1, one_minus_beta1, beta2, one_minus_beta2, eps_root, root_correction, eps;
  float divides;
} adabelief_scalars;
static void adabelief(real *w, real g, adabelief_state *s, adabelief_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->exp_avg = fused((real)h.one_minus_beta1, g, h.beta1 * s->exp_avg);
  const real surprise = g - s->exp_avg;
  s->exp_avg_var = fused(h.one_minus_beta2 * surprise, surprise, h.beta2 * s->exp_avg_var) + h.eps_root;
  const real size = divide(square_root(s->exp_avg_var), (real)h.root_correction) + h.eps;
  const ireal divides = h.divides > 0.0f ? (ireal)-1 : (ireal)0;
  step_weight(w, g, *w * h.keep, divide(h.minus_step * s->exp_avg, choose(divides, size, (real)1.0f)));
}

typedef struct {
  real exp_avg, exp_avg_diff, exp_avg_sq, pre_grad;
} adan_state;
typedef struct {
  float minus_step, minus_diff, keep, divisor, one_minus_beta1, beta2, one_minus_beta2, beta3, one_minus_beta3, look;
  float eps_root, root_correction, eps, first;
} adan_scalars;
static void adan(real *w, real g, adan_state *s, adan_scalars h) {
  const ireal first = h.first > 0.0f ? (ireal)-1 : (ireal)0;
  const real diff = choose(first, (real)0.0f, g - s->pre_grad), ahead = fused((real)h.look, diff, g);
  s->exp_avg = interpolate(s->exp_avg, g, h.one_minus_beta1);
  s->exp_avg_diff = fused((real)h.one_minus_beta2, diff, h.beta2 * s->exp_avg_diff);
  s->exp_avg_sq = fused(h.one_minus_beta3 * ahead, ahead, h.beta3 * s->exp_avg_sq);
  s->pre_grad = g;
  const real size = divide(square_root(s->exp_avg_sq + h.eps_root), (real)h.root_correction) + h.eps;
  const real step = divide(h.minus_step * s->exp_avg, size) + divide(h.minus_diff * s->exp_avg_diff, size);
  step_weight(w, g, *w * h.keep, step);
  for (int k = 0; k < WEIGHT_PARTS; k++) w[k] = divide(w[k], (real)h.divisor);
}

typedef struct {
  real exp_avg, exp_avg_slow, exp_avg_sq;
} ademamix_state;
typedef struct {
  float minus_fast, minus_slow, keep, one_minus_beta1, beta2, one_minus_beta2, one_minus_beta3, root_correction, eps;
} ademamix_scalars;
static void ademamix(real *w, real g, ademamix_state *s, ademamix_scalars h) {
  s->exp_avg = interpolate(s->exp_avg, g, h.one_minus_beta1);
  s->exp_avg_slow = interpolate(s->exp_avg_slow, g, h.one_minus_beta3);
  s->exp_avg_sq = fused(h.one_minus_beta2 * g, g, h.beta2 * s->exp_avg_sq);
  const real size = divide(square_root(s->exp_avg_sq), (real)h.root_correction) + h.eps;
  const real mean = fused((real)h.minus_slow, s->exp_avg_slow, h.minus_fast * s->exp_avg);
  step_weight(w, g, *w * h.keep, divide(mean, size));
}

/* The mean square is that of the steps before. */
typedef struct {
  real exp_avg, exp_avg_sq;
} adopt_state;
typedef struct {
  float minus_lr, weight_decay, keep, one_minus_beta1, beta2, one_minus_beta2, eps, most;
} adopt_scalars;
static void adopt(real *w, real g, adopt_state *s, adopt_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  real normed = divide(g, larger(square_root(s->exp_avg_sq), (real)h.eps));
  normed = choose(fabs(normed) > h.most, copysign((real)h.most, normed), normed);
  s->exp_avg = interpolate(s->exp_avg, normed, h.one_minus_beta1);
  step_along(w, g, *w * h.keep, (real)h.minus_lr, s->exp_avg);
  s->exp_avg_sq = fused(h.one_minus_beta2 * g, g, h.beta2 * s->exp_avg_sq);
}

typedef struct {
  real exp_avg, exp_avg_sq;
} laprop_state;
typedef struct {
  float minus_step, keep, beta1, gain, beta2, one_minus_beta2, correction2, eps;
} laprop_scalars;
static void laprop(real *w, real g, laprop_state *s, laprop_scalars h) {
  s->exp_avg_sq = fused(h.one_minus_beta2 * g, g, h.beta2 * s->exp_avg_sq);
  const real size = square_root(divide(s->exp_avg_sq, (real)h.correction2)) + h.eps;
  s->exp_avg = fused((real)h.gain, divide(g, size), h.beta1 * s->exp_avg);
  step_along(w, g, *w, (real)h.minus_step, s->exp_avg);
  for (int k = 0; k < WEIGHT_PARTS; k++) w[k] = w[k] * h.keep;
}

typedef struct {
  real exp_avg, exp_avg_sq;
} qhadam_state;
typedef struct {
  float minus_lr, weight_decay, keep, beta1, one_minus_beta1, beta2, one_minus_beta2, nu1, one_minus_nu1, nu2;
  float one_minus_nu2, eps;
} qhadam_scalars;
static void qhadam(real *w, real g, qhadam_state *s, qhadam_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  const real square = g * g;
  s->exp_avg = fused((real)h.one_minus_beta1, g, h.beta1 * s->exp_avg);
  s->exp_avg_sq = fused((real)h.one_minus_beta2, square, h.beta2 * s->exp_avg_sq);
  const real mean = fused((real)h.one_minus_nu1, g, h.nu1 * s->exp_avg);
  const real size = square_root(fused((real)h.one_minus_nu2, square, h.nu2 * s->exp_avg_sq)) + h.eps;
  step_weight(w, g, *w * h.keep, divide(h.minus_lr * mean, size));
}

typedef struct {
  real exp_avg, exp_avg_sq;
} adabound_state;
typedef struct {
  float step, weight_decay, keep, one_minus_beta1, beta2, one_minus_beta2, eps, least, most;
} adabound_scalars;
static void adabound(real *w, real g, adabound_state *s, adabound_scalars h) {
  g = with_decay(g, *w, h.weight_decay);
  s->exp_avg = interpolate(s->exp_avg, g, h.one_minus_beta1);
  s->exp_avg_sq = fused(h.one_minus_beta2 * g, g, h.beta2 * s->exp_avg_sq);
  real rate = divide((real)h.step, square_root(s->exp_avg_sq) + h.eps);
  rate = choose(rate < h.least, (real)h.least, rate);
  rate = choose(rate > h.most, (real)h.most, rate);
  step_along(w, g, *w * h.keep, -rate, s->exp_avg);
}

/* The weight is y; the iterate z begins as it. */
typedef struct {
  real z;
} schedule_free_sgd_state;
typedef struct {
  float minus_lr, weight_decay, part, along, first;
} schedule_free_sgd_scalars;
static void schedule_free_sgd(real *w, real g, schedule_free_sgd_state *s, schedule_free_sgd_scalars h) {
  const ireal first = h.first > 0.0f ? (ireal)-1 : (ireal)0;
  const real z = choose(first, *w, s->z), d = with_decay(g, *w, h.weight_decay);
  *w = fused((real)h.along, d, interpolate(*w, z, h.part));
  s->z = fused((real)h.minus_lr, d, z);
}

typedef struct {
  real z, exp_avg_sq;
} schedule_free_adamw_state;
typedef struct {
  float minus_lr, weight_decay, part, along, first, beta2, one_minus_beta2, correction2, eps;
} schedule_free_adamw_scalars;
static void schedule_free_adamw(real *w, real g, schedule_free_adamw_state *s, schedule_free_adamw_scalars h) {
  const ireal first = h.first > 0.0f ? (ireal)-1 : (ireal)0;
  const real z = choose(first, *w, s->z);
  s->exp_avg_sq = fused(h.one_minus_beta2 * g, g, h.beta2 * s->exp_avg_sq);
  const real size = square_root(divide(s->exp_avg_sq, (real)h.correction2)) + h.eps;
  const real d = with_decay(divide(g, size), *w, h.weight_decay);
  *w = fused((real)h.along, d, interpolate(*w, z, h.part));
  s->z = fused((real)h.minus_lr, d, z);
}

/* ---- what optimizers do beside stepping: the "gradient" is a weight ---- */

/* A mean goes towards the weight; with a share of 1 it becomes the weight, whatever it was. */
typedef struct {
  real none;
} average_state;
typedef struct {
  float share;
} average_scalars;
static void average(real *w, real g, average_state *s, average_scalars h) {
  (void)s;
  const ireal all = h.share == 1.0f ? (ireal)-1 : (ireal)0;
  *w = choose(all, g, interpolate(*w, g, h.share));
}

/* The slow weight goes towards the weight, which is set back to it. */
typedef struct {
  real slow;
} lookahead_state;
typedef struct {
  float share;
} lookahead_scalars;
static void lookahead(real *w, real g, lookahead_state *s, lookahead_scalars h) {
  (void)g;
  const ireal all = h.share == 1.0f ? (ireal)-1 : (ireal)0;
  s->slow = choose(all, *w, interpolate(s->slow, *w, h.share));
  *w = s->slow;
}

/* The weight holds something else, or what it held. */
typedef struct {
  real held;
} lend_state;
typedef struct {
  float share, back;
} lend_scalars;
static void lend(real *w, real g, lend_state *s, lend_scalars h) {
  const ireal all = h.share == 1.0f ? (ireal)-1 : (ireal)0, back = h.back > 0.0f ? (ireal)-1 : (ireal)0;
  const real other = choose(all, g, interpolate(*w, g, h.share)), held = choose(back, s->held, *w);
  *w = choose(back, held, other);
  s->held = held;
}
