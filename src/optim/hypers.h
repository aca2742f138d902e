/* What the rules' files write their rows with. */
#ifndef CLIV_OPTIM_HYPERS_H
#define CLIV_OPTIM_HYPERS_H

#include <float.h>
#include <string.h>

#include "optim/power.h"
#include "optim/rules.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- hyper-parameters ---- */

#define POSITIVE(name, initial, meaning) \
  { name, initial, 0, FLT_MAX, 0, 0, meaning }
#define FRACTION(name, initial, meaning) \
  { name, initial, 0, 1, 0, 0, meaning }
#define BETA(name, initial, meaning) \
  { name, initial, 0, 1, 1, 0, meaning }
#define FLAG(name, initial, meaning) \
  { name, initial, 0, 1, 0, 1, meaning }
#define LR(initial) POSITIVE("lr", initial, "learning rate")
/* Last in every rule: what the shell does around it, whatever the rule. */
#define MAXIMIZE                                                                                  \
  FLAG("maximize", 0, "ascend instead of descend"),                                               \
      POSITIVE("prox_l1", 0, "weights move lr*prox_l1 towards 0 after the step, and stay there"), \
      POSITIVE("prox_l2", 0, "then they are divided by 1 + lr*prox_l2: with prox_l1 the elastic net's step")
/* The same for rules that end with step_weight or step_along of cl/optim_math.cl. */
#define MAXIMIZE_CAUTIOUS                                                                                     \
  MAXIMIZE, FLAG("cautious", 0,                                                                               \
                 "elements whose step disagrees with the gradient stay, the others of the tensor go further " \
                 "(arXiv 2411.16085)")
#define EPS(initial) POSITIVE("eps", initial, "added to the root of the mean square")
#define DECAY(initial) \
  POSITIVE("weight_decay", initial, "L2 penalty in the gradient; decoupled: weights lose lr*weight_decay of themselves")
#define DECOUPLED(initial) \
  FLAG("decoupled_weight_decay", initial, "weight_decay shrinks the weight before the step, not through the gradient")
#define EPS_IN_ROOT(initial) FLAG("eps_in_root", initial, "eps is added under the root instead of to it")
#define EPS_HAT(initial) FLAG("eps_hat", initial, "eps is added to the root before its bias correction, not after")
#define EPS_ROOT(initial) POSITIVE("eps_root", initial, "added to the mean square under the root")
#define LR_IN_MOMENTUM \
  FLAG("lr_in_momentum", 0, "the velocity is of steps, lr multiplied in, so that a new lr leaves it as it is")
#define INITIAL(initial, meaning) POSITIVE("initial_accumulator_value", initial, meaning)

#define BETA1 BETA("beta1", 0.9, "how much of the mean gradient is kept")
#define BETA2 BETA("beta2", 0.999, "how much of the mean square is kept")
#define PLAIN_DECAY(initial) \
  POSITIVE("weight_decay", initial, "weights lose lr*weight_decay of themselves before each step")

/* ---- states ---- */

#define MEAN \
  { "exp_avg", NULL, "running mean of gradients", CLIV_STATE_SIGNED }
#define MEAN_SQUARE \
  { "exp_avg_sq", NULL, "running mean of squared gradients", CLIV_STATE_NONNEGATIVE }

/* Bits of states in a cliv__traffic. */
#define STATE(k) (1u << (k))

/* ---- presets ---- */

/* Where a preset differs from the rule's defaults: {"hyper", value}, …. The rule's first preset differs nowhere. */
#define SAME(name, source) \
  { name, source, NULL, 0 }
#define PRESET(name, source, ...) \
  { name, source, (const cliv_setting[]){__VA_ARGS__}, COUNT(((const cliv_setting[]){__VA_ARGS__})) }

/* ---- rows ---- */

#define INFO(name, summary, source, hypers, states, presets) \
  { name, summary, source, COUNT(hypers), COUNT(states), hypers, states, COUNT(presets), presets, NULL }
#define INFO_SHAPES(name, summary, source, hypers, states, presets, shapes) \
  { name, summary, source, COUNT(hypers), COUNT(states), hypers, states, COUNT(presets), presets, shapes }

/* The scalars of a step, in order. */
#define GIVE(out, ...) memcpy((out), ((const double[]){__VA_ARGS__}), sizeof((const double[]){__VA_ARGS__}))

/* The two scalars of a weight decay, of which one does nothing: what the gradient gets of the weight, and what the
 * weight keeps of itself. */
#define COUPLED(decay, decoupled) ((decoupled) != 0 ? 0 : (decay))
#define KEEP(lr, decay, decoupled) ((decoupled) != 0 ? 1 - (lr) * (decay) : 1)

#endif
