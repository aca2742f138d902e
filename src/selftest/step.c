/* step.c: self-test of the update rules. */
#include <cliv/optim.h>
#include <stdio.h>
#include <string.h>

#include "optim/rules.h"
#include "runtime/context.h"
#include "selftest/bench.h"

enum { STEPS = 3 };

/* Beyond every rule's defaults. */
typedef struct setting {
  const char *hyper;
  double value;
} setting;
static const struct variant {
  const char *rule, *name;
  setting set[4];
  uint64_t steps; /* taken before */
} variants[] = {
    {"sgd", "momentum", {{"momentum", 0.9}, {"dampening", 0.25}, {"weight_decay", 0.01}}, 0},
    {"sgd", "nesterov", {{"momentum", 0.9}, {"nesterov", 1}}, 0},
    {"sgd", "averaged", {{"momentum", 0.9}, {"averaged", 1}}, 0},
    {"sgd", "elastic net", {{"lr", 0.1}, {"prox_l1", 2}, {"prox_l2", 0.5}, {"weight_decay", 0.01}}, 0},
    {"adagrad", "decays", {{"lr_decay", 0.1}, {"weight_decay", 0.01}, {"initial_accumulator_value", 0.1}}, 0},
    {"rmsprop", "centered, momentum", {{"centered", 1}, {"momentum", 0.9}, {"weight_decay", 0.01}}, 0},
    {"adam", "no bias correction", {{"bias_correction", 0}, {"weight_decay", 0.1}, {"lr", 0.01}}, 0},
    {"adamw", "weight decay, maximize", {{"lr", 0.01}, {"weight_decay", 0.1}, {"beta2", 0.95}, {"maximize", 1}}, 0},
    {"adamw", "cautious", {{"lr", 0.01}, {"weight_decay", 0.1}, {"beta1", 0.5}, {"cautious", 1}}, 0},
    {"lion", "weight decay", {{"weight_decay", 0.1}, {"beta1", 0.95}}, 0},
    {"sgd",
     "lr in momentum",
     {{"momentum", 0.9}, {"lr_in_momentum", 1}, {"decoupled_weight_decay", 1}, {"weight_decay", 0.1}},
     0},
    {"adagrad",
     "eps in root",
     {{"eps_in_root", 1}, {"eps", 1e-3}, {"decoupled_weight_decay", 1}, {"weight_decay", 0.1}},
     0},
    {"rmsprop", "lr in momentum", {{"momentum", 0.9}, {"lr_in_momentum", 1}, {"eps_in_root", 1}}, 0},
    {"adam", "amsgrad", {{"amsgrad", 1}, {"corrected_max", 1}, {"eps_root", 1e-3}}, 0},
    {"adam", "eps hat", {{"eps_hat", 1}, {"eps", 1e-3}}, 0},
    {"adadelta", "weight decay", {{"weight_decay", 0.1}, {"rho", 0.5}}, 0},
    {"adamax", "eps outside", {{"eps_outside", 1}, {"eps", 1e-3}, {"weight_decay", 0.1}}, 0},
    {"nadam", "later", {{"momentum_decay", 0.5}, {"beta2", 0.9}}, 10},
    {"radam", "rectified", {{"beta2", 0.9}, {"decoupled_weight_decay", 1}, {"weight_decay", 0.1}}, 10},
    {"rprop", "bounds", {{"lr", 0.1}, {"step_size_min", 0.08}, {"step_size_max", 0.12}}, 0},
    {"signum", "weight decay", {{"weight_decay", 0.1}, {"beta", 0.5}}, 0},
    {"yogi", "weight decay", {{"beta2", 0.9}, {"decoupled_weight_decay", 1}, {"weight_decay", 0.1}}, 0},
    {"adabelief", "not rectified", {{"rectify", 0}, {"eps", 1e-3}, {"weight_decay", 0.1}}, 0},
    {"adabelief", "rectified", {{"beta2", 0.9}, {"eps_root", 1e-3}}, 10},
    {"adan", "weight decay", {{"weight_decay", 0.1}, {"eps_root", 1e-3}, {"rest_look", 1}}, 0},
    {"madgrad", "no momentum", {{"momentum", 0}, {"weight_decay", 0.1}}, 0},
    {"laprop", "later", {{"weight_decay", 0.1}, {"eps", 1e-3}}, 10},
    {"adopt", "later", {{"weight_decay", 0.1}, {"beta2", 0.9}}, 10},
    {"ademamix", "growing", {{"t_alpha", 20}, {"t_beta3", 20}, {"weight_decay", 0.1}}, 10},
    {"qhm", "weight decay", {{"momentum", 0.5}, {"nu", 0.5}, {"weight_decay", 0.1}}, 0},
    {"qhadam", "nu", {{"nu1", 0.7}, {"nu2", 0.9}, {"weight_decay", 0.1}}, 10},
    {"ftrl", "l1, l2", {{"lr", 0.1}, {"l1", 0.5}, {"l2", 0.1}, {"l2_shrinkage", 0.1}}, 0},
    {"sophia", "refreshed", {{"hessian_interval", 2}, {"batch_size", 1}, {"beta2", 0.5}}, 0},
    {"adabound", "bounds", {{"final_lr", 0.01}, {"gamma", 0.1}, {"weight_decay", 0.1}}, 10},
    {"lars", "joint norm", {{"joint_norm", 1}, {"lr_in_momentum", 0}, {"nesterov", 1}, {"weight_decay", 0.1}}, 0},
    {"lamb", "clipped", {{"trust_clip", 1}, {"lr", 0.1}, {"eps_root", 1e-3}, {"weight_decay", 0.1}}, 10},
    {"novograd", "amsgrad", {{"amsgrad", 1}, {"beta2", 0.5}, {"eps_root", 1e-3}, {"weight_decay", 0.1}}, 0},
    {"mars", "weight decay", {{"gamma", 0.5}, {"eps_hat", 1}, {"from_zero", 1}, {"weight_decay", 0.1}}, 0},
    {"mars", "lion", {{"lion", 1}, {"gamma", 0.5}, {"max_norm", 2}, {"weight_decay", 0.1}}, 0},
    {"muon", "float32", {{"lr", 0.1}, {"bfloat16", 0}, {"rms_rate", 0.2}, {"weight_decay", 0.1}}, 0},
    {"shampoo", "momentum", {{"lr", 0.1}, {"momentum", 0.5}, {"matrix_eps", 1}, {"weight_decay", 0.1}}, 0},
    {"schedule_free_sgd", "warm-up", {{"lr", 0.1}, {"momentum", 0.5}, {"warmup_steps", 9}, {"weight_decay", 0.1}}, 7},
    {"schedule_free_adamw", "warm-up", {{"beta2", 0.9}, {"r", 1.5}, {"warmup_steps", 9}, {"weight_decay", 0.1}}, 7},
    {"soap", "each step", {{"lr", 0.1}, {"precondition_frequency", 1}, {"weight_decay", 0.1}}, 0},
    {"dog", "weight decay", {{"reps_rel", 0.01}, {"weight_decay", 0.1}, {"lr", 0.5}}, 0},
    {"ldog", "first rate", {{"init_eta", 0.1}, {"eps", 1e-3}}, 0},
    {"prodigy", "no momentum", {{"d0", 0.01}, {"beta1", 0}, {"decoupled_weight_decay", 0}, {"weight_decay", 0.1}}, 0},
    {"prodigy", "safeguard", {{"d0", 0.01}, {"safeguard_warmup", 1}, {"bias_correction", 1}, {"growth_rate", 1.1}}, 0},
    {"dadapt_adam", "growth", {{"d0", 0.01}, {"growth_rate", 1.1}, {"bias_correction", 1}, {"weight_decay", 0.1}}, 0},
    {"adafactor", "momentum", {{"beta1", 0.9}, {"eps_added", 1}, {"eps1", 1e-3}, {"weight_decay", 0.1}}, 10},
    {"asgd", "averages", {{"lambd", 0.1}, {"t0", 1}, {"lr", 0.1}}, 10},
};

/* What happens to gradients first, on the first rule with a momentum. */
static const struct look {
  const char *name;
  cliv_gradient_options options;
} looks[] = {
    {"clipped", {.scale = 4, .clip_norm = 50, .clip_value = 0.5, .nonfinite = CLIV_NONFINITE_SKIP}},
    {"smoothed", {.smooth = 3, .clip_norm = 50}},
    {"by rows", {.scale = 4, .centralize = 1, .agc = 0.25, .clip_each = 40, .clip_norm = 50}},
};
static const struct variant looked_at = {.set = {{"lr", 0.1}, {"momentum", 0.9}}};

/* Tensors in allocations of shared virtual memory: what their defaults give elsewhere. */
static const struct variant shared = {.name = "in shared virtual memory"};

/* What is stored between steps, by adamw. */
static const struct storage {
  struct variant v;
  cliv_optimizer_options options;
  cliv_dtype dtype;
} storages[] = {
    {{.name = "bfloat16 states", .set = {{"lr", 0.01}}}, {.state = "bfloat16"}, CLIV_F32},
    {{.name = "8-bit states", .set = {{"lr", 0.01}}}, {.state = "8bit", .min_8bit = 256}, CLIV_F32},
    {{.name = "master weights", .set = {{"lr", 0.01}}}, {.weights = "master"}, CLIV_BF16},
    {{.name = "compensated weights", .set = {{"lr", 0.01}}}, {.weights = "kahan"}, CLIV_BF16},
    {{.name = "stochastic weights", .set = {{"lr", 0.01}}}, {.weights = "stochastic", .seed = 5}, CLIV_BF16},
    {{.name = "all of it", .set = {{"lr", 0.01}}}, {.state = "8bit", .weights = "stochastic"}, CLIV_F16},
};

static const size_t lengths[] = {1, 257, 4099}, sides[][2] = {{1, 1}, {16, 17}, {67, 41}};
enum { PARAMS = sizeof lengths / sizeof *lengths };

/* Vectors, or matrices for rules that take these; of rows, and of rules that keep rows and columns, the last is one. */
static cliv_status add_params(cliv__bench *bench, cliv_optimizer *optimizer, cliv_dtype dtype, bool rows,
                              cliv_tensor **params, cliv_tensor **grads) {
  const cliv__rule *rule = cliv__rule_find(cliv_optimizer_rule(optimizer)->name);
  const bool matrices = cliv__takes_matrices(rule);
  for (size_t p = 0; p < PARAMS; p++) {
    const int ndim = matrices || ((rows || rule->factors) && p == PARAMS - 1) ? 2 : 1;
    const size_t *shape = ndim == 2 ? sides[p] : &lengths[p];
    TRY(cliv__bench_add(bench, dtype, ndim, shape, 3, CLIV__MODEST, 10 + p, &params[p]));
    TRY(cliv__bench_add(bench, dtype, ndim, shape, 5, CLIV__GUARD, 0, &grads[p]));
    TRY(cliv_optimizer_add(optimizer, params[p], grads[p], CLIV_DEFAULT_GROUP));
  }
  return CLIV_OK;
}

static cliv_status hash_states(cliv_context *ctx, cliv_optimizer *optimizer, uint64_t *hash) {
  for (size_t p = 0; p < PARAMS; p++)
    for (size_t k = 0; k < cliv_optimizer_state_count(optimizer, p); k++) {
      cliv_tensor *state;
      TRY(cliv_optimizer_state(optimizer, p, cliv_optimizer_state_name(optimizer, p, k), &state));
      const cliv_status status = cliv__bench_hash_elements(ctx, state, hash);
      cliv_tensor_free(state);
      TRY(status);
    }
  return CLIV_OK;
}

/* Steps with new gradients each; the hash covers parameters, what lies around them, and states. */
static cliv_status take_steps(cliv__bench *bench, cliv_optimizer *optimizer, const struct variant *v,
                              const struct look *look, cliv_dtype dtype, uint64_t *hash) {
  cliv_tensor *params[PARAMS], *grads[PARAMS];
  for (size_t i = 0; i < 4 && v->set[i].hyper; i++)
    TRY(cliv_optimizer_set(optimizer, CLIV_DEFAULT_GROUP, v->set[i].hyper, v->set[i].value));
  TRY(add_params(bench, optimizer, dtype, look && look->options.centralize, params, grads));
  if (look) TRY(cliv_optimizer_gradients(optimizer, &look->options));
  TRY(cliv_optimizer_set_steps(optimizer, v->steps));
  for (uint64_t t = 0; t < STEPS; t++) {
    for (size_t p = 0; p < PARAMS; p++) TRY(cliv__bench_fill(bench, grads[p], CLIV__MODEST, 100 * (t + 1) + p));
    TRY(cliv_optimizer_step(optimizer, NULL));
  }
  for (size_t p = 0; p < PARAMS; p++) TRY(cliv__bench_hash(bench, params[p], hash));
  return hash_states(bench->ctx, optimizer, hash);
}

static void run_stored(cliv__selftest *test, const struct variant *v, const struct look *look,
                       const cliv_optimizer_options *options, cliv_dtype dtype, bool svm) {
  cliv__bench bench = {.ctx = test->ctx, .svm = svm};
  cliv_optimizer *optimizer = NULL;
  uint64_t hash = 0;
  char name[96];
  snprintf(name, sizeof name, "%s, %s", cliv_dtype_name(dtype), look ? look->name : v->name);
  cliv_status status = cliv_optimizer_create(test->ctx, test->operation, options, &optimizer);
  if (!status) status = take_steps(&bench, optimizer, v, look, dtype, &hash);
  test->svm = svm;
  cliv__selftest_report(test, name, dtype, status, hash);
  test->svm = false;
  cliv_optimizer_free(optimizer);
  cliv__bench_clear(&bench);
}

static void run_case(cliv__selftest *test, const struct variant *v, const struct look *look, cliv_dtype dtype) {
  run_stored(test, v, look, NULL, dtype, false);
}

/* All on float32. How a narrow parameter is read and rounded does not depend on the rule, so the first stands for
 * all. */
void cliv__selftest_steps(cliv__selftest *test) {
  static const struct variant defaults = {.name = "defaults"};
  for (size_t i = 0; i < cliv_rule_count(); i++) {
    test->operation = cliv_rule_get(i)->name;
    /* Hundreds of products of the largest matrix. */
    const bool matrices = cliv__takes_matrices(cliv__rule_find(test->operation));
    if (matrices && !cliv__selftest_wants(test, sides[PARAMS - 1][0] * sides[PARAMS - 1][1])) continue;
    run_case(test, &defaults, NULL, CLIV_F32);
    if (i == 0) run_case(test, &defaults, NULL, CLIV_F16);
    if (i == 0) run_case(test, &defaults, NULL, CLIV_BF16);
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++)
      if (!strcmp(variants[v].rule, test->operation)) run_case(test, &variants[v], NULL, CLIV_F32);
    for (size_t s = 0; !strcmp(test->operation, "adamw") && s < sizeof storages / sizeof *storages; s++)
      run_stored(test, &storages[s].v, NULL, &storages[s].options, storages[s].dtype, false);
    if (!strcmp(test->operation, "adamw")) run_stored(test, &shared, NULL, NULL, CLIV_F32, true);
    for (size_t l = 0; i == 0 && l < sizeof looks / sizeof *looks; l++) run_case(test, &looked_at, &looks[l], CLIV_F32);
  }
}
