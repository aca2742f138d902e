/* cliv/optim.h: update rules, and optimizers that step many tensors in one launch.
 *
 *   cliv_optimizer *opt;
 *   cliv_optimizer_create(ctx, "adamw", NULL, &opt);            the rule by name, formula and defaults as in PyTorch
 *   cliv_optimizer_set(opt, CLIV_ALL_GROUPS, "lr", 3e-4);
 *   for (i …) cliv_optimizer_add(opt, weight[i], grad[i], CLIV_DEFAULT_GROUP);
 *   for (;;) {
 *     …                                                         gradients of this step into grad[i]
 *     cliv_optimizer_step(opt, NULL);
 *   }
 *
 * Parameters and gradients are float32, float16 or bfloat16 in any mixture. Arithmetic is in float32, but for muon's
 * products, which are of bfloat16 numbers unless its `bfloat16` is 0. States are float32, and a narrow parameter is
 * rounded once, to nearest even, when it is stored, unless cliv_optimizer_options say otherwise. All tensors whose
 * parameters share a cl_mem and whose gradients share one (an arena, see cliv/tensor.h) step in one launch, and so do
 * all that lie in shared virtual memory (cliv_tensor_wrap_svm), in however many allocations; other tensors cost one
 * launch for each pair of buffers. Launches are cut where one would exceed 2²⁸ elements. Rules with norms (lars, lamb,
 * …), and others for groups whose hyper-parameter `cautious` is 1, take two such launches, and two or three small ones
 * for all tensors between them; those that keep means by rows and columns (adafactor) one more over the gradients, and
 * two more small ones. Rules that
 * take parameters as matrices (muon, shampoo, soap), which have two axes or more, take two or three such launches, and
 * products of matrices, one parameter after another, between them.
 *
 * Results are the same to the last bit on every device and for every way the tensors lie in memory. Scalars that
 * depend on the step (bias corrections) are computed on the host in double from the step number, by arithmetic in a
 * fixed order, powers included, and rounded once. The order of operations is PyTorch's, see docs/optim.md; a NaN in a
 * gradient makes weight and states NaN.
 */
#ifndef CLIV_OPTIM_H
#define CLIV_OPTIM_H

#include <cliv/schedule.h>
#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the table of rules ---- */

/* Of this, of cliv_state_info and of cliv_scalar_info a caller makes arrays for cliv_user_rule: they never get another
 * member. */
typedef struct cliv_hyper_info {
  const char *name;    /* as PyTorch names it; betas are beta1, beta2 */
  double initial;      /* the first preset's */
  double min, max;     /* both allowed, except where max_excluded */
  int max_excluded;    /* 1: values must be below max */
  int flag;            /* 1: 0 is off, 1 is on, nothing else is allowed */
  const char *meaning; /* one phrase */
} cliv_hyper_info;

/* What a state is, where it may be stored narrower than float32. */
typedef enum cliv_state_kind {
  CLIV_STATE_SIGNED,
  CLIV_STATE_NONNEGATIVE, /* no element is ever below 0 */
  CLIV_STATE_WEIGHT       /* weights, or what products of matrices are made of: float32 always */
} cliv_state_kind;

typedef struct cliv_state_info {
  const char *name;    /* as PyTorch names it in state_dict */
  const char *initial; /* the hyper-parameter that gives its initial value; NULL: 0 */
  const char *meaning; /* one phrase; says when it is kept, unless always */
  cliv_state_kind kind;
} cliv_state_info;

/* How much of a state a parameter has. */
typedef enum cliv_state_shape {
  CLIV_STATE_ELEMENT, /* a number for each element: the parameter's shape */
  CLIV_STATE_TENSOR,  /* one number: a tensor without axes */
  CLIV_STATE_LEFT,    /* of a matrix, its first axis by all others: a square matrix of its rows … */
  CLIV_STATE_RIGHT,   /* … and of its columns */
  CLIV_STATE_ROW,     /* of two of the axes, a number for all along the later one, whose size becomes 1 … */
  CLIV_STATE_COLUMN   /* … and for all along the earlier one */
} cliv_state_shape;

/* A value for a hyper-parameter. */
typedef struct cliv_setting {
  const char *name;
  double value;
} cliv_setting;

/* Whose formula and defaults hold: a package's, or a paper's. Formulas that differ are hyper-parameters of the rule, so
 * a preset is a list of values. A package without a default for lr leaves the first preset's. */
typedef struct cliv_preset_info {
  const char *name;             /* torch, keras, optax, paper, … */
  const char *source;           /* what it was checked against */
  const cliv_setting *settings; /* where it differs from the hyper-parameters' `initial` */
  size_t setting_count;
} cliv_preset_info;

typedef struct cliv_rule_info {
  const char *name, *summary;
  const char *source; /* what its formula was checked against */
  size_t hyper_count, state_count;
  const cliv_hyper_info *hypers;
  const cliv_state_info *states;
  size_t preset_count;             /* at least 1 */
  const cliv_preset_info *presets; /* the first is the default: torch wherever PyTorch has the rule */
  const cliv_state_shape *shapes;  /* one a state; NULL: each state has a number for each element */
} cliv_rule_info;

CLIV_API size_t cliv_rule_count(void);
CLIV_API const cliv_rule_info *cliv_rule_get(size_t index);      /* NULL past the end */
CLIV_API const cliv_rule_info *cliv_rule_find(const char *name); /* NULL when there is none */

/* ---- optimizers ---- */

typedef struct cliv_optimizer cliv_optimizer;

typedef struct cliv_optimizer_options {
  size_t size; /* sizeof(cliv_optimizer_options) of the caller; 0: this version's */
  /* Elements that are handed out together: a multiple of 64 up to 2²⁰; 0: 4096. Changes speed, never results. Rules
   * with norms and cautious ones take 4096 in any case. */
  size_t chunk;
  const char *preset; /* one of the rule's; NULL: its first, "torch" wherever PyTorch has the rule */
  /* What states are stored as between steps; they are computed in float32. NULL: "float32". "bfloat16": rounded to
   * nearest even. "8bit": codes of blocks of 256 elements, see below. States that are weights themselves
   * (CLIV_STATE_WEIGHT) stay float32. */
  const char *state;
  /* How a float16 or bfloat16 parameter goes from step to step; float32 ones are kept as they are. NULL: "nearest":
   * rounded to nearest even, so that a change of less than half a unit of its last place is lost. "master": a float32
   * weight is kept as the state `master`, and the parameter is its rounding; it begins as the parameter is when a
   * step or cliv_optimizer_state first lays it out, and who writes parameters later writes it too. "kahan": what
   * rounding lost is kept as the state `compensation`, as narrow as the parameter, and added to the next change; what
   * is not finite, or of a weight that has become exactly 0, is dropped. */
  const char *weights;
  /* "stochastic": up or down to a neighbour by chance, up as often as the value lies nearer to it, so that changes add
   * up on average and nothing is kept beside. The bits are those of Philox4x32-10 for (seed, the parameter's number,
   * the steps it has taken, the element's index in it): the same on every device and however tensors lie. */
  uint64_t seed;
  size_t min_8bit; /* "8bit": parameters of fewer elements have float32 states; 0: 4096 */
} cliv_optimizer_options;

/* States in 8 bits are those of bitsandbytes, byte for byte for adam, adamw, lion and sgd (its rmsprop and adagrad
 * store squares with a sign, Cliv without): elements 0 to 255, 256 to 511, … of a parameter are a block, of which the
 * state NAME_absmax has the greatest magnitude, and NAME has codes (uint8) of what the elements are divided by it: the
 * nearest of the 256 numbers of its dynamic map, signed or unsigned as the state's kind is. A tie goes to the number
 * nearer to 0. An element whose gradient is not finite is left out of the step, its states become 0. A block with a
 * state that is not finite has NaN as its absmax, and all its states are. `chunk` is a multiple of 256. Rules of more
 * than one launch a step, those with norms and those that take matrices, have none: VALUE; a group that is cautious
 * makes a step fail so. */

enum { CLIV_DEFAULT_GROUP = 0, CLIV_ALL_GROUPS = -1 };

/* An optimizer without tensors, with group 0 at the preset's values. options may be NULL. Fails with NULL, NAME (no
 * such rule, preset of it, storage; the sentence lists those there are), VALUE, HOST_MEMORY. It belongs to the
 * context's thread; free it before the context. */
CLIV_API cliv_status cliv_optimizer_create(cliv_context *ctx, const char *rule, const cliv_optimizer_options *options,
                                           cliv_optimizer **out) CLIV_MUST_CHECK;

/* ---- a rule of your own ---- */

/* A number that the host works out for every step and group, in double, and rounds once. */
typedef struct cliv_scalar_info {
  const char *name;
  /* Of hyper-parameters, `step` (1 for the first) and scalars listed before: "lr / (1 - beta1^step)". +, -, *, /, ^,
   * brackets, sqrt(a), min(a, b), max(a, b), decimal numbers. */
  const char *formula;
} cliv_scalar_info;

typedef struct cliv_user_rule {
  size_t size;      /* sizeof(cliv_user_rule) of the caller; 0: this version's */
  const char *name; /* a C identifier that no rule of the library has */
  /* OpenCL C with a function
   *
   *   static void NAME(real *w, real g, NAME_state *s, NAME_scalars h)
   *
   * that gives the weight *w and the states their next values; g is the gradient, of the sign that is to be descended,
   * clipped and scaled already. Of the structs, which are there, NAME_state has a real for every state, and
   * NAME_scalars a float for every hyper-parameter, `step`, and a float for every scalar. `real` is float or a vector
   * of floats, so conditions are choose(c, a, b) instead of c ? a : b, and constants are (real)0.5f. There are +, -, *,
   * OpenCL's built-in functions, and the library's of cl/divide.cl, cl/math.cl, cl/fused.cl and cl/optim_math.cl, which
   * have one result everywhere: divide, square_root, real_exp, fused, interpolate, sign_of … A rule that lists
   * `cautious` ends with step_weight(w, g, kept, step), or step_along(w, g, kept, rate, direction), in place of
   * *w = kept + step, or *w = fused(rate, direction, kept): w is its own argument, g what the step is to agree with. A
   * text that assigns *w itself takes no masked step. */
  const char *text;
  size_t hyper_count, state_count, scalar_count; /* 1 to 20; at most 5; with the hyper-parameters at most 31 */
  const cliv_hyper_info *hypers; /* min and max both 0: any finite float; `maximize`, `cautious`, and beside an `lr`
                                    prox_l1 and prox_l2, are what they always are where listed; beta1, beta2, … in this
                                    order */
  const cliv_state_info *states;
  const cliv_scalar_info *scalars;
} cliv_user_rule;

/* An optimizer of that rule, which is as any other: groups, schedules, clipping, narrow types, files of states. All
 * strings are copied. The text is compiled by the first step (or cliv_optimizer_state) after parameters were added;
 * where that fails with BUILD, the compiler counts lines in your text as "user", and parameters and states are as
 * before. options->preset: NULL. Fails with NULL, NAME (a name that is no identifier, a word of OpenCL C, or there
 * twice; names within the struct are small letters, digits and _, and no state's ends in _absmax or _qmap), VALUE
 * (bounds, counts, formulas; the text has no such function), HOST_MEMORY. */
CLIV_API cliv_status cliv_optimizer_create_user(cliv_context *ctx, const cliv_user_rule *rule,
                                                const cliv_optimizer_options *options,
                                                cliv_optimizer **out) CLIV_MUST_CHECK;

/* Releases states and references. Steps already enqueued still run; blocks until the device has taken the last step's
 * scalars from host memory, and has given its verdict on the gradients, if one was asked for. NULL does nothing. */
CLIV_API void cliv_optimizer_free(cliv_optimizer *optimizer);

CLIV_API const cliv_rule_info *cliv_optimizer_rule(const cliv_optimizer *optimizer);

/* One more group of parameters; its hyper-parameters start as copies of group 0's. *group is its number. */
CLIV_API cliv_status cliv_optimizer_group(cliv_optimizer *optimizer, int *group) CLIV_MUST_CHECK;

/* Sets a hyper-parameter of one group, or of CLIV_ALL_GROUPS there are, from the next step on. NAME: the rule has none
 * of this name; the sentence lists those it has. VALUE: no such group, or a value out of the bounds (NaN is out of
 * all). Whether hyper-parameters go together (nesterov needs momentum) is checked by the step. */
CLIV_API cliv_status cliv_optimizer_set(cliv_optimizer *optimizer, int group, const char *hyper,
                                        double value) CLIV_MUST_CHECK;
CLIV_API cliv_status cliv_optimizer_get(const cliv_optimizer *optimizer, int group, const char *hyper,
                                        double *value) CLIV_MUST_CHECK;

/* From the next step on the hyper-parameter's value is the one it was set to times the schedule's factor of that step
 * (the optimizer's first step is step 0), in one group, or in all, those to come too; a schedule of one group goes
 * before one of all. The schedule is the caller's, may serve several hyper-parameters and optimizers, and outlives
 * them. NULL: none any more. Fails with NULL, NAME, VALUE (no such group), HOST_MEMORY. Whether a value stays within
 * the hyper-parameter's bounds is checked by the step. */
CLIV_API cliv_status cliv_optimizer_schedule(cliv_optimizer *optimizer, int group, const char *hyper,
                                             const cliv_schedule *schedule) CLIV_MUST_CHECK;
/* The value that the next step takes. Fails like cliv_optimizer_get. */
CLIV_API cliv_status cliv_optimizer_value(cliv_optimizer *optimizer, int group, const char *hyper,
                                          double *value) CLIV_MUST_CHECK;

/* From the next step on, lr of one group, or of all there are, is what it is times what the device has in `factor`
 * when the step runs: a float32 of one element, so that a rate can be worked out there without the host knowing. It is
 * as if lr had been set to the product, but for the rounding of scalars, which are rounded before the factor comes to
 * them: a decoupled decay is 1 + factor·((1 - lr·weight_decay) - 1). hyper must be "lr", the memory is referenced,
 * NULL: no more. Costs one small launch for each group that has one. Fails with NULL, NAME (another hyper-parameter),
 * VALUE (no such group; a rule whose steps are not proportional to lr, or remember it: adafactor with relative_step,
 * adam and adamw with max_lr, asgd, ftrl, laprop, madgrad, rprop, the schedule-free ones, one of your own), DTYPE,
 * SHAPE, HOST_MEMORY. Not saved. */
CLIV_API cliv_status cliv_optimizer_bind(cliv_optimizer *optimizer, int group, const char *hyper,
                                         const cliv_tensor *factor) CLIV_MUST_CHECK;

/* Puts a parameter and its gradient under the optimizer's care: every step reads `grad` and changes `param` in place.
 * Both may be freed by the caller, the memory is referenced. They are dense, of one shape, of the optimizer's context,
 * and no added parameter shares memory with another tensor of the optimizer (gradients may share theirs). The
 * parameter's number is the count of those added before it. A parameter added after some steps counts its own steps
 * from there, as in PyTorch. Fails with NULL, STATE (the weights are perturbed), VALUE, SHAPE (also where the rule
 * takes matrices and this is none), DTYPE, LAYOUT, OVERLAP, HOST_MEMORY. */
CLIV_API cliv_status cliv_optimizer_add(cliv_optimizer *optimizer, cliv_tensor *param, cliv_tensor *grad,
                                        int group) CLIV_MUST_CHECK;
CLIV_API size_t cliv_optimizer_param_count(const cliv_optimizer *optimizer);

/* One step over all parameters. Asynchronous (cliv_optimizer_gradients says what may wait); the first step after adding
 * tensors also lays out states and may compile. When it fails, weights, states and the count of steps stay as they
 * were: arguments, programs and memory are settled before the first launch that changes any of them is enqueued. What
 * remains is a driver that takes some of these launches and refuses the next: then weights and states are of two steps,
 * and from there on a step, cliv_optimizer_save and cliv_optimizer_evaluate fail with STATE, until both are loaded
 * (cliv_optimizer_load), or written and the count set (cliv_optimizer_set_steps). A step of one launch cannot be torn.
 * Fails with STATE (that; or the parameters are what is to be evaluated, or perturbed), VALUE (hyper-parameters that
 * exclude each other, or that a schedule takes out of bounds), SHAPE (adafactor: a parameter of 2^31 rows or more, over
 * all its matrices, or of rows of more than 2^30 elements), DEVICE_LIMIT (2^32 tiles of rows and columns, rows of all
 * gradients, or pieces of tensors, are the most: give some parameters to another optimizer), DATA (gradients, where
 * that was asked for), DEVICE_MEMORY, BUILD, OPENCL, HOST_MEMORY. Passes over gradients (clip_norm and the like) and
 * adafactor's sums take one launch for each tensor that was wrapped in SVM, not for each allocation. */
CLIV_API cliv_status cliv_optimizer_step(cliv_optimizer *optimizer, const cliv_sync *sync) CLIV_MUST_CHECK;

/* Adds the gradients to sums of the optimizer's own, float32, in one launch for those that lie together: a large batch
 * in parts. Asynchronous. The next step takes the mean over these calls in place of the gradients (the loss of each
 * part is a mean over its samples, as all parts have; with losses that were divided by the count of parts, set the
 * gradient options' scale to 1 / count), and the sums begin anew. From the first call on a step that none came before
 * makes one itself. Scale, clipping and what is not finite are those of the mean; a step that is left out begins anew
 * too. Sums are not saved: save behind a step. A parameter that is added between two calls has the gradients of those
 * that follow. What fails adds nothing, unless the driver takes some of several launches and refuses the next: then the
 * sums begin anew (cliv_optimizer_accumulated says 0), and so does the batch. Fails with NULL, DEVICE_MEMORY, BUILD,
 * OPENCL, HOST_MEMORY. */
CLIV_API cliv_status cliv_optimizer_accumulate(cliv_optimizer *optimizer, const cliv_sync *sync) CLIV_MUST_CHECK;
CLIV_API uint64_t cliv_optimizer_accumulated(const cliv_optimizer *optimizer); /* calls since the last step */

/* Whether the parameters are what is to be evaluated (`on` 1) or what is trained (0, as at first): with schedule-free
 * rules they are not the same, and a step of parameters that are to be evaluated fails with STATE; with all others
 * nothing happens. Going there keeps what they were, which takes another float32 for each element, and coming back
 * gives it back, bit by bit. What is evaluated of a parameter with a `master` is made of that, and keeps another copy
 * of it. A call for what they are already does nothing. One launch for parameters that lie together. Asynchronous.
 * Where it fails on the way there, parameters are as they were: of several launches those that the driver took are
 * taken back, and where it refuses that too the sentence says so. On the way back it can be called again. Fails with
 * NULL, STATE (the weights are perturbed, or a step was torn), DEVICE_MEMORY, BUILD, OPENCL, HOST_MEMORY. */
CLIV_API cliv_status cliv_optimizer_evaluate(cliv_optimizer *optimizer, int on, const cliv_sync *sync) CLIV_MUST_CHECK;
CLIV_API int cliv_optimizer_evaluating(const cliv_optimizer *optimizer); /* 1: they are those to evaluate, not others */

/* Steps taken. Setting the count, for resuming, makes it the count of every parameter added so far. Where the scalars
 * of a step depend on the steps before (nadam's product of momenta, laprop's mean of lr), they are as if all of these
 * had been taken with the hyper-parameters as they are set at the next step, and their schedules; that takes about a
 * second for a million steps and is done for up to 2^24. VALUE: more than 2^53 steps, or than 2^24 for such a rule. */
CLIV_API uint64_t cliv_optimizer_steps(cliv_optimizer *optimizer);
CLIV_API cliv_status cliv_optimizer_set_steps(cliv_optimizer *optimizer, uint64_t steps) CLIV_MUST_CHECK;

/* From the next step on, a frozen parameter is left out of launches and norms, and its states wait as they are; `on` 0
 * takes it up again where it was. Steps meanwhile do not count for it, as in PyTorch those without a gradient; they
 * count for schedules. Not saved. Fails with NULL, VALUE (no such parameter). */
CLIV_API cliv_status cliv_optimizer_freeze(cliv_optimizer *optimizer, size_t param, int on) CLIV_MUST_CHECK;

/* The states that parameter `param` has with its group's present hyper-parameters, those of the options `state` and
 * `weights` included: how many, and the k-th one's name (NULL past the end). */
CLIV_API size_t cliv_optimizer_state_count(const cliv_optimizer *optimizer, size_t param);
CLIV_API const char *cliv_optimizer_state_name(const cliv_optimizer *optimizer, size_t param, size_t k);

/* A view of a state, of the parameter's shape, without axes, square, or with an axis of size 1 (cliv_rule_info's
 * shapes; squares are 0 by 0 of a parameter without elements), float32 unless the options say otherwise, to read for a
 * checkpoint or to write for resuming; the caller frees it. It shows the state in use until a tensor is added, or a
 * hyper-parameter changes which states exist: ask again then. NAME: the rule has no such state. STATE: it has, but with
 * other hyper-parameters, or of parameters of other axes. VALUE: no such parameter. */
CLIV_API cliv_status cliv_optimizer_state(cliv_optimizer *optimizer, size_t param, const char *state,
                                          cliv_tensor **view) CLIV_MUST_CHECK;

typedef struct cliv_optimizer_usage {
  size_t size;     /* sizeof(cliv_optimizer_usage) of the caller, set before the call; 0: this version's */
  uint64_t states; /* bytes of device memory of what cliv_optimizer_state shows, `master` and the like included */
  uint64_t tables; /* … of all else: tables and sums, room between launches, gradients and weights that are kept */
} cliv_optimizer_usage;

/* Device memory that the optimizer has, beside parameters and gradients, which are the caller's; lays states out, as
 * cliv_optimizer_step does. Fails with NULL, VALUE (usage->size is no size of this struct), DEVICE_MEMORY, BUILD,
 * OPENCL, HOST_MEMORY. */
CLIV_API cliv_status cliv_optimizer_memory(cliv_optimizer *optimizer, cliv_optimizer_usage *usage) CLIV_MUST_CHECK;

/* ---- gradients before a rule sees them ---- */

/* What a step does about gradients that are not finite: their sum of squares over all parameters is infinite or no
 * number, which one element is enough for, and elements beyond 1e19 too. */
typedef enum cliv_nonfinite {
  CLIV_NONFINITE_PASS, /* nothing: they make weights and states NaN */
  CLIV_NONFINITE_SKIP, /* the step changes nothing and does not count */
  CLIV_NONFINITE_FAIL  /* the same, and the call waits for the gradients and fails with DATA */
} cliv_nonfinite;

typedef struct cliv_gradient_options {
  size_t size; /* sizeof(cliv_gradient_options) of the caller; 0: this version's */
  /* Each 0, or from 1e-30 to 1e30. */
  double scale;      /* gradients are those of the loss times this; 0: 1 */
  double clip_norm;  /* > 0: all gradients together are shortened to this length (torch.nn.utils.clip_grad_norm_) */
  double clip_value; /* > 0: then each element is kept within ± this */
  int nonfinite;     /* a cliv_nonfinite */
  /* Dynamic loss scaling, as torch.amp.GradScaler: a skipped step multiplies the scale with `backoff`, `interval` steps
   * in a row that are not skipped multiply it with `growth`. growth 0: the scale stays. Needs CLIV_NONFINITE_SKIP. */
  double growth, backoff; /* backoff 0: 0.5 */
  uint64_t interval;      /* 0: 2000 */
  /* Done in this order, after the scale is taken out and before clip_norm, whose norm is of what they leave. Rows are
   * those along axis 0 of parameters with two axes or more: what one output takes. */
  int centralize;   /* 1: rows lose their mean; other tensors keep it (arXiv 2004.01461) */
  double agc;       /* > 0: rows, and other tensors, are shortened to this part of their weights' length, which counts
                     * as 1e-3 at least (arXiv 2102.06171) */
  double clip_each; /* > 0: each tensor is shortened to this length */
  double smooth;    /* > 0, up to 1000: first of all, Laplacian smoothing with this strength (arXiv 1806.06317), round
                     * each tensor as it lies in memory; costs 8 bytes for each element of all gradients */
} cliv_gradient_options;

/* From the next step on. NULL: gradients are taken as they are; gradients in memory are not changed in any case. A
 * norm (clip_norm, nonfinite) costs one more pass over the gradients, of two or three launches for all those that lie
 * beside each other in one cl_mem, and one launch for the verdict; it has one value to the last bit on every device.
 * What is found stays on the device. clip_each costs the same, centralize and agc a pass or two more (docs/optim.md).
 * With FAIL a step waits for its own verdict. With SKIP each step, and each call that asks for the count of steps, sets
 * it, adds a parameter, asks for a value or lays states out anew, waits for the verdict on the step before, and steps
 * of rules that take matrices for their own too. Nothing else waits. A scale that grows stays from 1e-30 to 1e30. Fails
 * with VALUE, OPENCL. */
CLIV_API cliv_status cliv_optimizer_gradients(cliv_optimizer *optimizer,
                                              const cliv_gradient_options *options) CLIV_MUST_CHECK;

typedef struct cliv_gradient_state {
  size_t size;      /* sizeof(cliv_gradient_state) of the caller, set before the call; 0: this version's */
  double scale;     /* what to multiply the loss of the next step with */
  double norm;      /* L2 norm of all gradients of the last step, scale taken out; NaN: none was asked for */
  uint64_t skipped; /* steps, since the options were set */
} cliv_gradient_state;

/* How the last step went. Blocks until the device has looked at its gradients. Fails with NULL, VALUE (out->size is no
 * size of this struct), OPENCL. */
CLIV_API cliv_status cliv_optimizer_gradient_state(cliv_optimizer *optimizer, cliv_gradient_state *out) CLIV_MUST_CHECK;

/* ---- sharpness-aware minimization ---- */

/* SAM and ASAM, around any rule, a step at a time:
 *
 *   …                                       gradients at the weights
 *   cliv_optimizer_perturb(opt, 0.05, 0, NULL);
 *   …                                       gradients again, at the perturbed weights
 *   cliv_optimizer_restore(opt, NULL);
 *   cliv_optimizer_step(opt, NULL);
 *
 * Moves the weights by rho·g/(‖g‖ + 1e-12), with `adaptive` by rho·w²·g/(‖|w|·g‖ + 1e-12), where g are all gradients as
 * they lie in memory and the length is that of all parameters together; frozen ones stay and do not count. The old
 * weights are kept on the device. Gradients that are not finite, or all 0, leave the weights as they are. Two launches
 * for tensors beside each other, and two or three small ones. Until the weights are back, a step and cliv_optimizer_add
 * fail with STATE. Asynchronous. Fails with NULL, VALUE (rho), STATE (the weights are perturbed already, or what is to
 * be evaluated), and as cliv_optimizer_step does; where some weights may have moved by then, they count as perturbed,
 * and cliv_optimizer_restore puts them back. */
CLIV_API cliv_status cliv_optimizer_perturb(cliv_optimizer *optimizer, double rho, int adaptive,
                                            const cliv_sync *sync) CLIV_MUST_CHECK;
/* Puts back the weights of before, to the last bit. One launch. STATE: they are not perturbed. */
CLIV_API cliv_status cliv_optimizer_restore(cliv_optimizer *optimizer, const cliv_sync *sync) CLIV_MUST_CHECK;

/* ---- states in a file ---- */

/* Writes steps, hyper-parameters and states as a safetensors file, named as PyTorch's state_dict is when its keys are
 * joined by points:
 *
 *   state.0.exp_avg        of the shape of parameter 0; so each state of each parameter that has taken a step, as it is
 *                          stored; of codes state.0.exp_avg_absmax, and their numbers as state.0.exp_avg_qmap
 *   state.0.step           float32 without axes: the steps that parameter 0 has taken
 *   "param_groups"         (metadata) JSON: [{"lr": 0.001, "betas": [0.9, 0.999], …, "params": [0, 1]}, …]
 *   "steps", "rule", "format"   (metadata) the steps exactly; the rule's name; "cliv.optimizer 1"
 *   "taken"                (metadata) where no parameter has taken all steps, for freezing: how many they were
 *   "memory"               (metadata) what the host keeps for the rule from step to step, for each parameter
 *   "seed"                 (metadata) of stochastic weights
 *   "scale"                (metadata) with gradient options: the loss's scale, steps taken with it, steps skipped
 *
 * docs/optim.md has the lines of Python that make one of a PyTorch optimizer, and the reverse. Parameters are not in
 * it. Equal states give equal files. Blocks; the file appears whole or not at all. */
CLIV_API cliv_status cliv_optimizer_save(cliv_optimizer *optimizer, const char *path) CLIV_MUST_CHECK;

/* Reads such a file into an optimizer of the same rule, to which the same parameters have been added in the same
 * groups: what follows is what would have followed when it was saved, to the last bit. Where scalars depend on the
 * steps before and the file has no memory of them (PyTorch's have none), as after cliv_optimizer_set_steps; DATA for
 * more than 2^24 of these. A file without metadata leaves hyper-parameters as they are. A parameter without states in
 * it begins anew. Schedules and gradient options are not in the file: set them first; of the loss's scale, one that
 * grows goes on. Needs room for the states twice. Blocks. What fails changes nothing: STATE (the parameters are what is
 * to be evaluated); FILE, FORMAT; DATA (another rule, other parameters or groups, states missing or unknown); SHAPE;
 * VALUE (a hyper-parameter out of its bounds); DEVICE_MEMORY, HOST_MEMORY, OPENCL. */
CLIV_API cliv_status cliv_optimizer_load(cliv_optimizer *optimizer, const char *path) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
