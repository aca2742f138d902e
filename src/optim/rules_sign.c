/* Rules that take the sign of the gradient, or of a mean of gradients. */
#include "optim/hypers.h"

/* ---- lion ---- */

enum { LION_LR, LION_BETA1, LION_BETA2, LION_WEIGHT_DECAY, LION_MAXIMIZE };
static const cliv_hyper_info lion_hypers[] = {
    [LION_LR] = LR(1e-4),
    [LION_BETA1] = BETA("beta1", 0.9, "how much of the mean gradient goes into the direction"),
    [LION_BETA2] = BETA("beta2", 0.99, "how much of the mean gradient is kept"),
    [LION_WEIGHT_DECAY] = PLAIN_DECAY(0),
    [LION_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info lion_states[] = {MEAN};
static const cliv_preset_info lion_presets[] = {
    SAME("paper", "arXiv 2302.06675; google/automl, lion_pytorch.py"),
    PRESET("keras", "keras.optimizers.Lion 3.15", {"lr", 1e-3}),
    PRESET("optax", "optax.lion 0.2.8", {"weight_decay", 1e-3}),
};

static void lion_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)t;
  (void)memory;
  GIVE(out, -h[LION_LR], 1 - h[LION_LR] * h[LION_WEIGHT_DECAY], h[LION_BETA1], 1 - h[LION_BETA1], h[LION_BETA2],
       1 - h[LION_BETA2]);
}

const cliv__rule cliv__rule_lion = {
    INFO("lion", "the sign of a mean gradient", "arXiv 2302.06675 and its authors' code (google/automl, lion_pytorch)",
         lion_hypers, lion_states, lion_presets),
    .function = "lion",
    .scalar_count = 6,
    .scalars = lion_scalars,
};

/* ---- rprop ---- */

enum { RPROP_LR, RPROP_ETAMINUS, RPROP_ETAPLUS, RPROP_MIN, RPROP_MAX, RPROP_MAXIMIZE };
static const cliv_hyper_info rprop_hypers[] = {
    [RPROP_LR] = POSITIVE("lr", 1e-2, "the first step's size"),
    [RPROP_ETAMINUS] = FRACTION("etaminus", 0.5, "what a step's size is multiplied with when the gradient turns"),
    [RPROP_ETAPLUS] = POSITIVE("etaplus", 1.2, "what it is multiplied with when the gradient keeps its sign"),
    [RPROP_MIN] = POSITIVE("step_size_min", 1e-6, "the smallest step"),
    [RPROP_MAX] = POSITIVE("step_size_max", 50, "the largest step"),
    [RPROP_MAXIMIZE] = MAXIMIZE,
};
static const cliv_state_info rprop_states[] = {
    {"prev", NULL, "the gradient before, 0 where it has turned", CLIV_STATE_SIGNED},
    {"step_size", "lr", "size of the last step", CLIV_STATE_NONNEGATIVE}};
static const cliv_preset_info rprop_presets[] = {SAME("torch", "torch.optim.Rprop 2.15")};

static const char *rprop_conflict(const double *h) {
  if (h[RPROP_ETAPLUS] < 1) return "etaplus must be at least 1";
  if (h[RPROP_MIN] > h[RPROP_MAX]) return "step_size_min must be at most step_size_max";
  return NULL;
}

static void rprop_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)t;
  (void)memory;
  GIVE(out, h[RPROP_ETAMINUS], h[RPROP_ETAPLUS], h[RPROP_MIN], h[RPROP_MAX]);
}

const cliv__rule cliv__rule_rprop = {
    INFO("rprop", "steps whose size follows the gradient's changes of sign", "torch.optim.Rprop 2.15", rprop_hypers,
         rprop_states, rprop_presets),
    .function = "rprop",
    .scalar_count = 4,
    .scalars = rprop_scalars,
    .conflict = rprop_conflict,
};

/* ---- signum ---- */

enum { SIGNUM_LR, SIGNUM_BETA, SIGNUM_WEIGHT_DECAY, SIGNUM_MAXIMIZE };
static const cliv_hyper_info signum_hypers[] = {
    [SIGNUM_LR] = LR(1e-4),
    [SIGNUM_BETA] = BETA("beta", 0.9, "how much of the mean gradient is kept"),
    [SIGNUM_WEIGHT_DECAY] = PLAIN_DECAY(0),
    [SIGNUM_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info signum_states[] = {MEAN};
static const cliv_preset_info signum_presets[] = {SAME("optax", "optax.signum 0.2.8")};

static void signum_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)t;
  (void)memory;
  GIVE(out, -h[SIGNUM_LR], 1 - h[SIGNUM_LR] * h[SIGNUM_WEIGHT_DECAY], h[SIGNUM_BETA], 1 - h[SIGNUM_BETA]);
}

const cliv__rule cliv__rule_signum = {
    INFO("signum", "the sign of a running mean", "optax.signum 0.2.8; arXiv 1802.04434", signum_hypers, signum_states,
         signum_presets),
    .function = "signum",
    .scalar_count = 4,
    .scalars = signum_scalars,
};

/* ---- sophia ---- */

enum {
  SOPHIA_LR,
  SOPHIA_BETA1,
  SOPHIA_BETA2,
  SOPHIA_RHO,
  SOPHIA_BATCH,
  SOPHIA_INTERVAL,
  SOPHIA_EPS,
  SOPHIA_WEIGHT_DECAY,
  SOPHIA_MAXIMIZE
};
static const cliv_hyper_info sophia_hypers[] = {
    [SOPHIA_LR] = LR(1e-4),
    [SOPHIA_BETA1] = BETA("beta1", 0.965, "how much of the mean gradient is kept"),
    [SOPHIA_BETA2] = BETA("beta2", 0.99, "how much of the Hessian's diagonal is kept when it is refreshed"),
    [SOPHIA_RHO] = POSITIVE("rho", 0.04, "how much of the Hessian's diagonal the step is divided by"),
    [SOPHIA_BATCH] = POSITIVE("batch_size", 5120, "what the mean squared gradient is multiplied with"),
    [SOPHIA_INTERVAL] = POSITIVE("hessian_interval", 10,
                                 "after every so many steps the diagonal takes in the step's squared gradient; "
                                 "0: never, the caller writes the state"),
    [SOPHIA_EPS] = POSITIVE("eps", 1e-15, "added to the divisor"),
    [SOPHIA_WEIGHT_DECAY] = PLAIN_DECAY(0.1),
    [SOPHIA_MAXIMIZE] = MAXIMIZE_CAUTIOUS,
};
static const cliv_state_info sophia_states[] = {
    MEAN, {"hessian", NULL, "estimate of the Hessian's diagonal", CLIV_STATE_NONNEGATIVE}};
static const cliv_preset_info sophia_presets[] = {
    SAME("paper", "arXiv 2305.14342; the authors' SophiaG (Liuhong99/Sophia)")};

static const char *sophia_conflict(const double *h) {
  const double interval = h[SOPHIA_INTERVAL];
  if (!(interval < 0x1p53) || (double)(uint64_t)interval != interval) return "hessian_interval must be a whole number";
  return NULL;
}

static void sophia_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const uint64_t interval = (uint64_t)h[SOPHIA_INTERVAL];
  GIVE(out, -h[SOPHIA_LR], 1 - h[SOPHIA_LR] * h[SOPHIA_WEIGHT_DECAY], h[SOPHIA_BETA1], 1 - h[SOPHIA_BETA1],
       h[SOPHIA_BETA2], 1 - h[SOPHIA_BETA2], h[SOPHIA_RHO] * h[SOPHIA_BATCH], h[SOPHIA_EPS],
       interval && t % interval == 0);
}

const cliv__rule cliv__rule_sophia = {
    INFO("sophia", "a mean gradient over the Hessian's diagonal, clipped at 1",
         "arXiv 2305.14342 and its authors' code (Liuhong99/Sophia, SophiaG)", sophia_hypers, sophia_states,
         sophia_presets),
    .function = "sophia",
    .scalar_count = 9,
    .scalars = sophia_scalars,
    .conflict = sophia_conflict,
};
