/* The table of update rules, as the optimizer sees it. */
#ifndef CLIV_OPTIM_RULES_H
#define CLIV_OPTIM_RULES_H

#include <cliv/optim.h>
#include <stdbool.h>

enum {
  CLIV__MAX_STATES = 8,
  CLIV__MAX_PLANES = 5, /* states that have a number for each element, those that are not saved among them */
  CLIV__MAX_HYPERS = 20,
  CLIV__MAX_SCALARS = 32,
  CLIV__MAX_MEMORY = 2,
  CLIV__MAX_MEASURES = 4
};

/* The tensors whose sums a rule takes together, and which share its numbers. */
typedef enum cliv__scope { CLIV__EACH_TENSOR, CLIV__ALL_TENSORS } cliv__scope;

/* What a launch reads and writes of an element beside the weight: bit k: state k. */
enum { CLIV__GRADIENT = 1 << 30 };
typedef struct cliv__traffic {
  unsigned reads, writes;
} cliv__traffic;

/* Of a rule whose step depends on sums over all elements of a tensor, or of several. It has two launches over the
 * elements, cl/optim_prepare.cl and cl/optim.cl, with functions <function>_prepare and <function>; between them
 * <function>_decide makes numbers of the sums, a struct <function>_numbers of floats, of which the first are the states
 * of shape tensor in their order. */
typedef struct cliv__norms_of_rule {
  unsigned measures; /* what `prepare` gives of an element; 0: this is no such rule */
  unsigned numbers;  /* floats in the struct */
  cliv__scope scope;
  cliv__traffic prepare, step;
} cliv__norms_of_rule;

/* Of any rule whose parameters' group is cautious: a look at the step, which counts the elements that agree with the
 * gradient, and the step. */
extern const cliv__norms_of_rule cliv__cautious_norms;

/* One launch of a rule that takes parameters as matrices, and what follows it. */
typedef struct cliv__phase {
  const char *function; /* in cl/optim_matrix_ops.cl, with structs of its own name; NULL: no such launch */
  cliv__traffic traffic;
  bool steps; /* it writes the weights */
  /* Work on parameter `param`, as a matrix of its first axis by all others; see matrix.h. NULL: none. */
  cliv_status (*then)(cliv_optimizer *o, size_t param);
} cliv__phase;
enum { CLIV__MAX_PHASES = 3 };

/* A parameter as matrices of `rows` by `columns`: its axes are `outer`, rows, `between`, columns, `inner`, where each
 * of the three may be none or several. A line is what lies together along columns and inner. */
typedef struct cliv__lattice {
  size_t outer, rows, between, columns, inner;
  int row_axis, column_axis;
} cliv__lattice;

typedef struct cliv__rule {
  cliv_rule_info info;
  const char *function; /* in cl/optim_ops.cl; rules may share one */
  size_t scalar_count;
  /* The scalars of a step that `function` sees, in the order of its struct. hyper: in the order of info.hypers; t: the
   * step's number, 1 for the first; memory: as `advance` left it, zeros where that is NULL. */
  void (*scalars)(const double *hyper, uint64_t t, const double *memory, double *out);
  /* For scalars that depend on the steps before t and not on t alone: takes the numbers that are kept from step to step
   * to step t; they are zeros before step 1. NULL: nothing is kept. */
  void (*advance)(const double *hyper, uint64_t t, double *memory);
  /* Bit k: state k is kept with these hyper-parameters. NULL: all are, always. */
  unsigned (*kept)(const double *hyper);
  /* What is wrong with hyper-parameters that are each within bounds, or NULL. The member is NULL where nothing can be.
   * */
  const char *(*conflict)(const double *hyper);
  /* The weights to evaluate are w + share·(state 0 − w), and this gives the share; NULL: they are w. */
  double (*evaluated)(const double *hyper);
  /* A rule of the caller's own, see user_rule.h; NULL for the library's. Its scalars are those of cliv__user_scalars,
   * the lists are the members of its structs. */
  const char *text, *scalar_names, *state_names;
  cliv__norms_of_rule norms;
  /* Of such a rule with the scope of all tensors: what it makes of its scalars that one of them has taken a step, which
   * need not be the tensor whose step it is. NULL: nothing. */
  void (*of_scope)(bool begun, double *scalars);
  /* Of such a rule that keeps means by rows and columns of some tensors: gives the axes of the two, false where it
   * keeps a mean for each element. Its scalars have the members that cl/optim_scales.cl asks for. NULL: it does not. */
  bool (*factors)(const double *hyper, int ndim, const size_t *shape, int *row_axis, int *column_axis);
  unsigned unfactored;     /* bits of states that others have */
  unsigned factors_hypers; /* bits of hyper-parameters that `factors` looks at */
  /* States behind info.states[info.state_count - 1] in that array which are no more than room from one launch to the
   * next: nobody is shown them, and they are not saved. */
  size_t scratch_count;
  /* Of a rule that takes parameters as matrices: its launches, one after another; the function above is the last
   * one's. */
  cliv__phase phases[CLIV__MAX_PHASES];
  /* Of such a rule: what the sides of a matrix make of its scalars. NULL: nothing. */
  void (*of_shape)(const double *hyper, double rows, double columns, double *scalars);
} cliv__rule;

/* States that are square matrices, of a parameter; which of them state k is, or -1. */
enum { CLIV__MAX_SQUARES = 4 };
int cliv__square_of(const cliv__rule *rule, size_t k);

static inline bool cliv__takes_matrices(const cliv__rule *rule) { return rule->phases[0].function != NULL; }

/* States, with those that are not shown. */
static inline size_t cliv__state_total(const cliv__rule *rule) { return rule->info.state_count + rule->scratch_count; }
static inline cliv_state_shape cliv__state_shape(const cliv__rule *rule, size_t state) {
  return rule->info.shapes && state < rule->info.state_count ? rule->info.shapes[state] : CLIV_STATE_ELEMENT;
}
/* Bits of the states that have not a number for each element. */
unsigned cliv__other_states(const cliv__rule *rule);

/* Whether a tensor of this shape is kept by rows and columns, and how. */
bool cliv__factored(const cliv__rule *rule, const double *hyper, int ndim, const size_t *shape, cliv__lattice *out);

/* Every rule, in the order in which they are listed; X(name) for each. */
#define CLIV__RULES(X)   \
  X(sgd)                 \
  X(adagrad)             \
  X(rmsprop)             \
  X(adam)                \
  X(adamw)               \
  X(lion)                \
  X(adadelta)            \
  X(adamax)              \
  X(nadam)               \
  X(radam)               \
  X(rprop)               \
  X(asgd)                \
  X(signum)              \
  X(yogi)                \
  X(adabelief)           \
  X(adan)                \
  X(madgrad)             \
  X(laprop)              \
  X(adopt)               \
  X(ademamix)            \
  X(qhm)                 \
  X(qhadam)              \
  X(ftrl)                \
  X(sophia)              \
  X(adabound)            \
  X(schedule_free_sgd)   \
  X(schedule_free_adamw) \
  X(lars)                \
  X(lamb)                \
  X(novograd)            \
  X(mars)                \
  X(muon)                \
  X(shampoo)             \
  X(soap)                \
  X(dog)                 \
  X(ldog)                \
  X(dowg)                \
  X(prodigy)             \
  X(dadapt_adam)         \
  X(adafactor)

#define CLIV__DECLARE_RULE(name) extern const cliv__rule cliv__rule_##name;
CLIV__RULES(CLIV__DECLARE_RULE)
#undef CLIV__DECLARE_RULE

/* NULL when there is none of this name. */
const cliv__rule *cliv__rule_find(const char *name);
unsigned cliv__rule_kept(const cliv__rule *rule, const double *hyper);
/* Index of a hyper-parameter, or -1. */
int cliv__rule_hyper(const cliv__rule *rule, const char *name);
/* A preset of the rule; NULL name: its first. NULL when there is none of this name. */
const cliv_preset_info *cliv__rule_preset(const cliv__rule *rule, const char *name);
/* Fills every hyper-parameter. */
void cliv__rule_defaults(const cliv__rule *rule, const cliv_preset_info *preset, double *hyper);
/* VALUE, with a sentence, where the value is none for the hyper-parameter. */
cliv_status cliv__check_bounds(cliv_context *ctx, const char *rule, const cliv_hyper_info *h, double value);

#endif
