/* Averages of weights, as rules that the optimizer's launches serve: of ema and swa the parameter is the average, and
 * the gradient is the weight; of lookahead the parameter is the weight, and a state is the slow one. Step 1 copies the
 * weights as they are at the beginning, the first update is step 2. See average.c. */
#include "optim/average.h"
#include "optim/hypers.h"

#define INTERVAL(initial) \
  { "interval", initial, 1, 9007199254740992.0, 0, 0, "updates from one that counts to the next" }

static const char *whole_interval(double interval) {
  return interval == (double)(uint64_t)interval ? NULL : "interval must be a whole number";
}

/* ---- ema ---- */

/* No states; see INFO. */
#define STATELESS(name, summary, source, hypers, presets) \
  { name, summary, source, COUNT(hypers), 0, hypers, NULL, COUNT(presets), presets, NULL }

enum { EMA_DECAY, EMA_MIN_DECAY, EMA_WARMUP, EMA_GAMMA, EMA_POWER, EMA_AFTER, EMA_DEBIAS, EMA_INTERVAL };
static const cliv_hyper_info ema_hypers[] = {
    [EMA_DECAY] = FRACTION("decay", 0.999, "how much of the average is kept"),
    [EMA_MIN_DECAY] = FRACTION("min_decay", 0, "with warmup: at least this"),
    [EMA_WARMUP] = FLAG("warmup", 0, "decay grows to its value, as 1 - (1 + n/warmup_gamma)^-warmup_power"),
    [EMA_GAMMA] = {"warmup_gamma", 1, 1e-6, FLT_MAX, 0, 0, "with warmup: larger is slower"},
    [EMA_POWER] = POSITIVE("warmup_power", 2.0 / 3, "with warmup: larger is faster"),
    [EMA_AFTER] = POSITIVE("update_after", 0, "updates, before those that count, that copy the weight"),
    [EMA_DEBIAS] = FLAG("debias", 0, "the average begins at nothing, and its weights add up to 1"),
    [EMA_INTERVAL] = INTERVAL(1),
};
static const cliv_preset_info ema_presets[] = {
    SAME("torch", "torch.optim.swa_utils.get_ema_multi_avg_fn 2.15"),
    PRESET("timm", "timm.utils.ModelEmaV3 1.0.31", {"decay", 0.9999}),
    PRESET("keras", "keras.optimizers use_ema 3.15", {"decay", 0.99}),
    PRESET("optax", "optax.ema 0.2.8", {"debias", 1}),
};

static double ema_decay(const double *h, double n) {
  if (h[EMA_WARMUP] == 0) return h[EMA_DECAY];
  const double warm = 1 - cliv__real_power(1 + n / h[EMA_GAMMA], -h[EMA_POWER]);
  const double least = warm < h[EMA_DECAY] ? warm : h[EMA_DECAY];
  return least > h[EMA_MIN_DECAY] ? least : h[EMA_MIN_DECAY];
}

/* n: updates behind the first, which copies. */
static void ema_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  const double n = (double)t - 2 - h[EMA_AFTER];
  const double decay = n > 0 ? ema_decay(h, n) : 0;
  const double whole = h[EMA_DEBIAS] != 0 && n > 0 ? 1 - cliv__raised(decay, n + 1) : 1;
  GIVE(out, whole > 0 ? (1 - decay) / whole : 1 / (n + 1));
}

static const char *ema_conflict(const double *h) { return whole_interval(h[EMA_INTERVAL]); }

static const cliv__rule ema = {
    STATELESS("ema", "decaying mean of the weights", "torch.optim.swa_utils 2.15; timm.utils.ModelEmaV3 1.0.31",
              ema_hypers, ema_presets),
    .function = "average",
    .scalar_count = 1,
    .scalars = ema_scalars,
    .conflict = ema_conflict,
};

/* ---- swa ---- */

enum { SWA_INTERVAL };
static const cliv_hyper_info swa_hypers[] = {[SWA_INTERVAL] = INTERVAL(1)};
static const cliv_preset_info swa_presets[] = {SAME("torch", "torch.optim.swa_utils.get_swa_multi_avg_fn 2.15")};

static void swa_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)h;
  (void)memory;
  GIVE(out, t > 2 ? 1 / (double)(t - 1) : 1);
}

static const char *swa_conflict(const double *h) { return whole_interval(h[SWA_INTERVAL]); }

static const cliv__rule swa = {
    STATELESS("swa", "mean of the weights", "torch.optim.swa_utils 2.15; arXiv 1803.05407", swa_hypers, swa_presets),
    .function = "average",
    .scalar_count = 1,
    .scalars = swa_scalars,
    .conflict = swa_conflict,
};

/* ---- lookahead ---- */

enum { LOOKAHEAD_ALPHA, LOOKAHEAD_LATE, LOOKAHEAD_INTERVAL };
static const cliv_hyper_info lookahead_hypers[] = {
    [LOOKAHEAD_ALPHA] = FRACTION("alpha", 0.5, "how far the slow weights go towards the fast ones"),
    [LOOKAHEAD_LATE] = FLAG("late", 0, "the slow weights begin as what the first update that counts finds"),
    [LOOKAHEAD_INTERVAL] = INTERVAL(5),
};
static const cliv_state_info lookahead_states[] = {{"slow", NULL, "the slow weights", CLIV_STATE_WEIGHT}};
static const cliv_preset_info lookahead_presets[] = {
    SAME("paper", "arXiv 1907.08610"),
    SAME("pytorch_optimizer", "pytorch_optimizer.Lookahead 4.1"),
    PRESET("timm", "timm.optim.Lookahead 1.0.31", {"interval", 6}, {"late", 1}),
};

static void lookahead_scalars(const double *h, uint64_t t, const double *memory, double *out) {
  (void)memory;
  GIVE(out, t > (h[LOOKAHEAD_LATE] != 0 ? 2 : 1) ? h[LOOKAHEAD_ALPHA] : 1);
}

static const char *lookahead_conflict(const double *h) { return whole_interval(h[LOOKAHEAD_INTERVAL]); }

static const cliv__rule lookahead = {
    INFO("lookahead", "slow weights that the weights are set back to",
         "arXiv 1907.08610; pytorch_optimizer.Lookahead 4.1", lookahead_hypers, lookahead_states, lookahead_presets),
    .function = "lookahead",
    .scalar_count = 1,
    .scalars = lookahead_scalars,
    .conflict = lookahead_conflict,
};

/* ---- the table ---- */

static const cliv__rule *const kinds[] = {&ema, &swa, &lookahead};

size_t cliv_average_kind_count(void) { return COUNT(kinds); }

const cliv_rule_info *cliv_average_kind_get(size_t index) { return index < COUNT(kinds) ? &kinds[index]->info : NULL; }

const cliv__rule *cliv__average_kind(const char *name) {
  for (size_t i = 0; name && i < COUNT(kinds); i++)
    if (!strcmp(kinds[i]->info.name, name)) return kinds[i];
  return NULL;
}

const cliv_rule_info *cliv_average_kind_find(const char *name) {
  const cliv__rule *kind = cliv__average_kind(name);
  return kind ? &kind->info : NULL;
}
