/* Rules that take each parameter as a matrix, its first axis by all others. The products are in matrix.c. */
#include <math.h>

#include "optim/hypers.h"
#include "optim/matrix.h"

#define UPDATE \
  { "update", NULL, "scratch: what becomes the step", CLIV_STATE_SIGNED }

/* ---- muon ---- */

static const cliv_hyper_info muon_hypers[] = {
    [CLIV__MUON_LR] = LR(1e-3),
    [CLIV__MUON_MOMENTUM] = FRACTION("momentum", 0.95, "how much of the velocity is kept"),
    [CLIV__MUON_NESTEROV] = FLAG("nesterov", 1, "look ahead along the velocity"),
    [CLIV__MUON_SUM] = FLAG("sum_momentum", 0, "the velocity gets all of the gradient, not 1 - momentum of it"),
    [CLIV__MUON_CORRECTED] =
        FLAG("bias_correction", 0, "velocity and gradient are corrected for the velocity's start at 0"),
    [CLIV__MUON_WEIGHT_DECAY] = PLAIN_DECAY(0.1),
    [CLIV__MUON_DECAY_APART] = FLAG("decay_apart", 0,
                                    "lr*weight_decay of the weight is taken off, rounded once; off: the weight is "
                                    "multiplied by 1 - lr*weight_decay, rounded to float32"),
    [CLIV__MUON_A] = {"ns_a", 3.4445, -100, 100, 0, 0, "of x in the polynomial a*x + b*x^3 + c*x^5"},
    [CLIV__MUON_B] = {"ns_b", -4.775, -100, 100, 0, 0, "of x^3"},
    [CLIV__MUON_C] = {"ns_c", 2.0315, -100, 100, 0, 0, "of x^5"},
    [CLIV__MUON_STEPS] = {"ns_steps", 5, 1, 99, 0, 0, "how often the polynomial is applied to the singular values"},
    [CLIV__MUON_EPS] = {"eps", 1e-7, 1e-30, 1, 0, 0, "least norm, or what is added to it where not bfloat16"},
    [CLIV__MUON_RMS_RATE] = POSITIVE("rms_rate", 0,
                                     "lr is times this and the root of the longer side; 0: times the root of "
                                     "rows/columns where that is more than 1"),
    [CLIV__MUON_OUT_LAST] = FLAG("out_last", 0, "matrices are inputs by outputs: columns/rows instead of rows/columns"),
    [CLIV__MUON_BFLOAT16] = FLAG("bfloat16", 1, "the polynomial is computed in bfloat16, as PyTorch does"),
    [CLIV__MUON_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info muon_states[] = {{"momentum_buffer", NULL, "velocity", CLIV_STATE_SIGNED}, UPDATE};
static const cliv_preset_info muon_presets[] = {
    SAME("torch", "torch.optim.Muon 2.15"),
    PRESET("keras", "keras.optimizers.Muon 3.15", {"sum_momentum", 1}, {"weight_decay", 0.004}, {"decay_apart", 1},
           {"rms_rate", 0.2}, {"bfloat16", 0}),
    PRESET("optax", "optax.contrib.muon 0.2.8", {"bias_correction", 1}, {"weight_decay", 0}, {"eps", 1e-8},
           {"out_last", 1}, {"bfloat16", 0}),
};

static void muon_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double mu = h[CLIV__MUON_MOMENTUM], gain = h[CLIV__MUON_SUM] != 0 ? 1 : 1 - mu;
  const int ahead = h[CLIV__MUON_NESTEROV] != 0, corrected = h[CLIV__MUON_CORRECTED] != 0;
  const double of_velocity = corrected ? 1 / (1 - cliv__power(mu, ahead ? t + 1 : t)) : 1;
  const double of_gradient = corrected ? 1 / (1 - cliv__power(mu, t)) : 1;
  const double decay = h[CLIV__MUON_LR] * h[CLIV__MUON_WEIGHT_DECAY];
  const int apart = h[CLIV__MUON_DECAY_APART] != 0;
  GIVE(out, -h[CLIV__MUON_LR], apart ? 1 : 1 - decay, apart ? -decay : 0, mu, gain,
       ahead ? mu * of_velocity : of_velocity, ahead ? gain * of_gradient : 0);
}

static const char *muon_conflict(const double *h) {
  return h[CLIV__MUON_STEPS] != floor(h[CLIV__MUON_STEPS]) ? "ns_steps must be a whole number" : NULL;
}

/* lr for a matrix of these sides. */
static void muon_of_shape(const double *h, double rows, double columns, double *out) {
  const double ratio = h[CLIV__MUON_OUT_LAST] != 0 ? columns / rows : rows / columns;
  const double longer = rows > columns ? rows : columns;
  out[0] *= h[CLIV__MUON_RMS_RATE] > 0 ? h[CLIV__MUON_RMS_RATE] * sqrt(longer) : sqrt(ratio > 1 ? ratio : 1);
}

const cliv__rule cliv__rule_muon = {
    .info = {"muon", "the velocity with all singular values near 1", "torch.optim.Muon 2.15; Keller Jordan, 2024",
             COUNT(muon_hypers), 1, muon_hypers, muon_states, COUNT(muon_presets), muon_presets, NULL},
    .function = "muon",
    .scalar_count = 7,
    .scalars = muon_scalars,
    .conflict = muon_conflict,
    .of_shape = muon_of_shape,
    .scratch_count = 1,
    .phases = {{"muon_gather", {CLIV__GRADIENT | STATE(0), STATE(0) | STATE(1)}, false, cliv__muon_orthogonalize},
               {"muon", {.reads = STATE(1)}, .steps = true}},
};

/* ---- shampoo ---- */

static const cliv_hyper_info shampoo_hypers[] = {
    [CLIV__SHAMPOO_LR] = LR(1e-3),
    [CLIV__SHAMPOO_MOMENTUM] = FRACTION("momentum", 0, "how much of the step before is mixed into the gradient"),
    [CLIV__SHAMPOO_WEIGHT_DECAY] = DECAY(0),
    [CLIV__SHAMPOO_DECOUPLED] = DECOUPLED(0),
    [CLIV__SHAMPOO_FREQUENCY] = {"preconditioning_frequency", 1, 1, 1e9, 0, 0,
                                 "roots are taken in the first step and in every so many"},
    [CLIV__SHAMPOO_EPS] = {"matrix_eps", 1e-6, 1e-30, FLT_MAX, 0, 0, "on the diagonals that the sums begin with"},
    [CLIV__SHAMPOO_ROOT] = {"root", 4, 1, 32, 0, 0,
                            "which inverse root is taken: of two sides the fourth, or the second"},
    [CLIV__SHAMPOO_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info shampoo_states[] = {
    {"momentum_buffer", NULL, "the step before; kept when momentum > 0", CLIV_STATE_SIGNED},
    {"pre_cond_0", "matrix_eps", "sum of G G' over the steps", CLIV_STATE_SIGNED},
    {"pre_cond_1", "matrix_eps", "sum of G' G over the steps", CLIV_STATE_SIGNED},
    {"inv_pre_cond_0", NULL, "inverse root of pre_cond_0", CLIV_STATE_SIGNED},
    {"inv_pre_cond_1", NULL, "inverse root of pre_cond_1", CLIV_STATE_SIGNED},
    UPDATE};
static const cliv_state_shape shampoo_shapes[] = {CLIV_STATE_ELEMENT, CLIV_STATE_LEFT, CLIV_STATE_RIGHT,
                                                  CLIV_STATE_LEFT, CLIV_STATE_RIGHT};
static const cliv_preset_info shampoo_presets[] = {
    SAME("paper", "arXiv 1802.09568"),
    SAME("pytorch_optimizer", "pytorch_optimizer.Shampoo 4.1, by preconditioning_compute_steps 1"),
};

static unsigned shampoo_kept(const double *h) { return h[CLIV__SHAMPOO_MOMENTUM] > 0 ? 31 : 30; }

static const char *shampoo_conflict(const double *h) {
  if (h[CLIV__SHAMPOO_ROOT] != floor(h[CLIV__SHAMPOO_ROOT])) return "root must be a whole number";
  if (h[CLIV__SHAMPOO_FREQUENCY] != floor(h[CLIV__SHAMPOO_FREQUENCY]))
    return "preconditioning_frequency must be a whole number";
  return NULL;
}

static void shampoo_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double mu = t == 1 ? 0 : h[CLIV__SHAMPOO_MOMENTUM], decay = h[CLIV__SHAMPOO_WEIGHT_DECAY];
  const double decoupled = h[CLIV__SHAMPOO_DECOUPLED];
  GIVE(out, -h[CLIV__SHAMPOO_LR], KEEP(h[CLIV__SHAMPOO_LR], decay, decoupled), COUPLED(decay, decoupled), mu, 1 - mu);
}

const cliv__rule cliv__rule_shampoo = {
    .info = {"shampoo", "the gradient between inverse roots of its squares by rows and by columns",
             "arXiv 1802.09568; pytorch_optimizer.Shampoo 4.1", COUNT(shampoo_hypers), COUNT(shampoo_states) - 1,
             shampoo_hypers, shampoo_states, COUNT(shampoo_presets), shampoo_presets, shampoo_shapes},
    .function = "shampoo",
    .scalar_count = 5,
    .scalars = shampoo_scalars,
    .kept = shampoo_kept,
    .conflict = shampoo_conflict,
    .scratch_count = 1,
    .phases = {{"shampoo_gather", {CLIV__GRADIENT | STATE(0), STATE(5)}, false, cliv__shampoo_precondition},
               {"shampoo", {STATE(5), STATE(0)}, .steps = true}},
};

/* ---- soap ---- */

static const cliv_hyper_info soap_hypers[] = {
    [CLIV__SOAP_LR] = LR(3e-3),
    [CLIV__SOAP_BETA1] = BETA("beta1", 0.95, "how much of the mean gradient is kept"),
    [CLIV__SOAP_BETA2] = BETA("beta2", 0.95, "how much of the mean square is kept"),
    [CLIV__SOAP_SHAMPOO_BETA] = BETA("shampoo_beta", 0.95, "how much of the mean G G' and G' G is kept"),
    [CLIV__SOAP_EPS] = EPS(1e-8),
    [CLIV__SOAP_WEIGHT_DECAY] =
        POSITIVE("weight_decay", 0.01, "weights lose lr*weight_decay of themselves after each step"),
    [CLIV__SOAP_FREQUENCY] = {"precondition_frequency", 10, 1, 1e9, 0, 0, "steps between two turns of the bases"},
    [CLIV__SOAP_BIAS_CORRECTION] = FLAG("bias_correction", 1, "means are corrected for their start at 0"),
    [CLIV__SOAP_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info soap_states[] = {
    {"exp_avg", NULL, "running mean of gradients", CLIV_STATE_WEIGHT},
    {"exp_avg_sq", NULL, "running mean of squared gradients in the bases", CLIV_STATE_WEIGHT},
    {"GG_0", NULL, "running mean of G G'", CLIV_STATE_SIGNED},
    {"GG_1", NULL, "running mean of G' G", CLIV_STATE_SIGNED},
    {"Q_0", NULL, "basis of the rows, its vectors in the columns", CLIV_STATE_SIGNED},
    {"Q_1", NULL, "basis of the columns", CLIV_STATE_SIGNED},
    UPDATE,
    {"projected", NULL, "scratch: in the bases", CLIV_STATE_SIGNED}};
static const cliv_state_shape soap_shapes[] = {CLIV_STATE_ELEMENT, CLIV_STATE_ELEMENT, CLIV_STATE_LEFT,
                                               CLIV_STATE_RIGHT,   CLIV_STATE_LEFT,    CLIV_STATE_RIGHT};
static const cliv_preset_info soap_presets[] = {
    SAME("paper", "arXiv 2409.11321 and its authors' code, by reading"),
    SAME("pytorch_optimizer", "pytorch_optimizer.SOAP 4.1"),
};

static const char *soap_conflict(const double *h) {
  const double every = h[CLIV__SOAP_FREQUENCY];
  return every != floor(every) ? "precondition_frequency must be a whole number" : NULL;
}

/* The first step finds the bases and moves nothing: the second is Adam's first. */
static void soap_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const int corrects = h[CLIV__SOAP_BIAS_CORRECTION] != 0, moves = t > 1;
  const double c1 = corrects && moves ? 1 - cliv__power(h[CLIV__SOAP_BETA1], t - 1) : 1;
  const double c2 = corrects && moves ? 1 - cliv__power(h[CLIV__SOAP_BETA2], t - 1) : 1;
  GIVE(out, moves ? -h[CLIV__SOAP_LR] * sqrt(c2) / c1 : 0,
       moves ? 1 - h[CLIV__SOAP_LR] * h[CLIV__SOAP_WEIGHT_DECAY] : 1, moves ? 1 - h[CLIV__SOAP_BETA1] : 0,
       moves ? 1 - h[CLIV__SOAP_BETA2] : 0, h[CLIV__SOAP_EPS]);
}

const cliv__rule cliv__rule_soap = {
    .info = {"soap", "Adam in the eigenvectors of the gradients' squares by rows and by columns",
             "arXiv 2409.11321; pytorch_optimizer.SOAP 4.1", COUNT(soap_hypers), COUNT(soap_states) - 2, soap_hypers,
             soap_states, COUNT(soap_presets), soap_presets, soap_shapes},
    .function = "soap",
    .scalar_count = 5,
    .scalars = soap_scalars,
    .conflict = soap_conflict,
    .scratch_count = 2,
    .phases = {{"soap_gather", {CLIV__GRADIENT | STATE(0), STATE(0) | STATE(6)}, false, cliv__soap_enter},
               {"soap_turn", {STATE(1) | STATE(6) | STATE(7), STATE(1) | STATE(7)}, false, cliv__soap_leave},
               {"soap", {.reads = STATE(7)}, .steps = true}},
};
