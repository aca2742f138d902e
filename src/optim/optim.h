/* Inside of an optimizer: what was asked for, and the plan that carries it out. */
#ifndef CLIV_OPTIM_OPTIM_H
#define CLIV_OPTIM_OPTIM_H

#include <cliv/safetensors.h>
#include <cliv/segments.h>

#include "optim/bind.h"
#include "optim/factors.h"
#include "optim/precision.h"
#include "optim/rules.h"
#include "optim/smooth.h"
#include "optim/units.h"
#include "runtime/context.h"

/* What a rule keeps on the host from step to step: `memory` after `remembered` steps, UINT64_MAX where that is to be
 * gone through anew. */
typedef struct cliv__past {
  uint64_t remembered;
  double memory[CLIV__MAX_MEMORY];
} cliv__past;

/* A parameter as the caller added it. */
typedef struct cliv__param {
  cliv_tensor *p, *g;    /* views of our own */
  cliv_tensor *given;    /* the caller's gradient, where g is a sum of several, see accumulate.c; else NULL */
  cliv_tensor *smoothed; /* what g becomes before a step looks at it; NULL: g itself */
  int group;
  bool frozen;
  uint64_t born;   /* steps taken before it came, or while it was frozen … */
  uint64_t age;    /* … or, of a frozen one, the steps that it has taken */
  cliv__past past; /* until it has a row */
} cliv__param;

/* The gradient that the caller fills. */
static inline cliv_tensor *cliv__given(const cliv__param *x) { return x->given ? x->given : x->g; }

/* Where a parameter's planes are. */
typedef struct cliv__place {
  unsigned kept;                           /* bit k: plane k exists */
  bool prox;                               /* a proximal step follows the rule's */
  bool cautious;                           /* its step is masked */
  size_t bank, first;                      /* first element in each of the bank's planes */
  size_t row;                              /* of the plan's rows */
  cliv_tensor *squares[CLIV__MAX_SQUARES]; /* of rules that take matrices; NULL: none */
  cliv__factor_place factors;              /* of rules that keep rows and columns */
} cliv__place;

/* Device memory for the planes of parameters that keep the same ones, each as large as the device allocates in one
 * piece. */
typedef struct cliv__bank {
  unsigned kept;
  cliv_dtype param; /* of the parameters, where that decides how a plane is stored; else F32 */
  size_t elements;
  cliv_tensor *plane[CLIV__PLANES]; /* NULL for one that is not kept */
} cliv__bank;

/* One launch: tensors in one pair of buffers, or in shared virtual memory, with states in one bank. */
typedef struct cliv__batch {
  cl_kernel kernel, prepare;          /* the context's or the plan's; prepare: with norms or cautious, else NULL */
  cl_kernel phases[CLIV__MAX_PHASES]; /* of rules that take matrices, `kernel` the last of them, else NULL */
  cl_mem p, g;                        /* the tensors'; of those in shared virtual memory the first one's */
  size_t bank;
  size_t local;         /* GPU walk: work-items a group */
  bool random;          /* it rounds by chance */
  bool factored;        /* it takes the scales of rows and columns */
  bool owns;            /* the kernels are the plan's, see svm.c; of batches that share them the first */
  cl_uint first, count; /* CPU walk: runs; GPU walk: chunks */
} cliv__batch;

/* Parameters of one group that came at the same step with the same past: they see the same scalars from then on. */
typedef struct cliv__row {
  int group;
  bool frozen; /* nothing is worked out for it */
  uint64_t born;
  cliv__past past;
  double next[CLIV__MAX_MEMORY]; /* what is remembered after the step under way */
  int kinds[CLIV__MAX_SCALARS];  /* of a bound lr: how each scalar of this step depends on it */
} cliv__row;

/* The scalars of a step on their way to the device: the write is asynchronous, so the host's copy must stay until
 * `written`. */
enum { CLIV__SLOTS = 32 };
typedef struct cliv__slot {
  float *values;
  cl_event written; /* NULL: free */
} cliv__slot;

/* What every row begins with, as in cl/optim.cl: the gradient's factor; the proximal step's threshold and factor. */
enum { CLIV__ROW_COMMON = 3 };

/* What a rule with norms has beside, see norms.c, or one with cautious parameters: all NULL for others. Rows are then
 * one a parameter. Tensors are those that take part in a step. */
typedef struct cliv__norming {
  const cliv__norms_of_rule *of;
  cliv_tensor *parts;      /* [measure][chunk]: sums over chunks */
  cliv_segments *segments; /* the parts of each measure and tensor */
  cliv_tensor *sums;       /* [measure][tensor], in the order of the chunks */
  cl_mem members, scopes;  /* as in cl/optim_decide.cl */
  cl_uint chunks, tensors, scope_count;
  cliv_tensor *numbers; /* [parameter][the rule's numbers] */
} cliv__norming;

typedef struct cliv__plan {
  size_t param_count, bank_count, batch_count, row_count;
  cliv__place *places; /* one a parameter */
  cliv__bank *banks;
  cliv__batch *batches;
  cliv__row *rows;
  size_t chunk;                 /* elements */
  size_t row_floats;            /* floats a row: CLIV__ROW_COMMON, then the rule's scalars */
  cl_mem chunks, runs, scalars; /* NULL when nothing has elements; runs only in the CPU walk */
  cl_mem sent;                  /* what the host sends: `scalars`, unless some are bound, and then more, see bind.h */
  bool bound;
  cl_mem pieces;  /* of chunks, where units of gradients have numbers of their own */
  cl_mem origins; /* … where narrow weights are rounded by chance */
  cliv__slot slots[CLIV__SLOTS];
  size_t slot;    /* the next to write */
  float *current; /* what the device has, or will have, in `scalars`; NULL: nothing yet */
  cliv__norming norming;
  cliv__factors factors;
  cl_mem lattices; /* of chunks, where some parameters have rows and columns */
} cliv__plan;

/* Elements of a chunk where there are norms: their sums are of blocks of it. */
enum { CLIV__NORM_CHUNK = 4096 };

/* Steps are counted in double, too. */
#define CLIV__MOST_STEPS ((uint64_t)1 << 53)
/* The most that are gone through anew, which takes seconds. */
#define CLIV__MOST_GONE_THROUGH ((uint64_t)1 << 24)

/* A schedule in force. */
typedef struct cliv__scheduled {
  int group; /* CLIV_ALL_GROUPS: every one */
  int hyper;
  const cliv_schedule *schedule; /* the caller's */
} cliv__scheduled;

/* What is done to all gradients before the rule sees them, see cliv_gradient_options and control.c. */
typedef struct cliv__control {
  bool on;
  cliv_gradient_options options; /* defaults filled in */
  double scale;
  uint64_t good; /* steps in a row that were taken, since the scale changed */
  uint64_t skipped;
  bool stale;            /* what follows does not fit the parameters */
  cliv__passes passes;   /* over the gradients */
  cliv_tensor *sums;     /* their results */
  cliv__units units;     /* where each one has its own */
  cliv__smooth smooth;   /* where gradients are smoothed first */
  cl_mem which, verdict; /* the results that count, one a parameter; optim_control.cl's result */
  cl_uint which_count;
  cl_event read;  /* the last verdict is on its way to `host`; NULL: none is */
  float host[4];  /* factor, stop, bound, norm */
  bool unread;    /* the device has a verdict that nobody has asked for */
  bool undecided; /* whether the last step counts depends on it */
} cliv__control;

struct cliv_optimizer {
  cliv_context *ctx;
  const cliv__rule *rule;
  cliv__rule *own; /* the same, where it is the caller's own; else NULL */
  cliv__precision precision;
  size_t chunk;                       /* elements, where there are no norms: see cliv__plan */
  size_t launch;                      /* the most elements in one launch, but for the last chunk */
  int lr, maximize, prox_l1, prox_l2; /* indices of these hyper-parameters; -1 for those a rule … */
  int cautious;                       /* … or a rule of the caller's lacks */
  int group_count;
  double *hyper;       /* [group][rule's hyper-parameters], as set */
  double *now;         /* the same, as they are in the step under way */
  cliv_tensor **bound; /* of each group, the factor of lr; NULL where it has none, or where none has */
  size_t scheduled_count;
  cliv__scheduled *scheduled;
  size_t param_count, param_room;
  cliv__param *params;
  uint64_t steps;
  bool stale; /* the plan does not fit the parameters */
  cliv__plan plan;
  cliv__control control;
  cliv_optimizer *lent;     /* parameters are what is to be evaluated, see lend.h; NULL: what is trained */
  cliv_optimizer *gatherer; /* what adds up gradients, see accumulate.c; NULL until that is asked for */
  uint64_t gathered;        /* gradients in the sums */
  cliv_optimizer *uphill;   /* what perturbs its weights, see perturb.c; NULL until that is asked for */
  bool perturbed;
  size_t launched; /* by the last step, of the launches that change states or weights */
  bool moved;      /* … of those that change weights at least one */
  bool torn;       /* … and not all of them */
};

static inline double *cliv__hyper(const cliv_optimizer *o, int group) {
  return o->hyper + (size_t)group * o->rule->info.hyper_count;
}

static inline double *cliv__hyper_now(const cliv_optimizer *o, int group) {
  return o->now + (size_t)group * o->rule->info.hyper_count;
}

/* Of a group's hyper-parameters one that a rule of the caller's may lack. */
static inline double cliv__value_or_0(const double *hyper, int index) { return index >= 0 ? hyper[index] : 0; }

/* Whether the group's parameters take a proximal step, with a program of their own. */
static inline bool cliv__has_prox(const cliv_optimizer *o, int group) {
  const double *h = cliv__hyper(o, group);
  return cliv__value_or_0(h, o->prox_l1) > 0 || cliv__value_or_0(h, o->prox_l2) > 0;
}

/* Whether their next step is masked: another program, and two launches. */
bool cliv__is_cautious(const cliv_optimizer *o, int group);

/* Whether a step has anything to do with it. */
static inline bool cliv__takes_part(const cliv_optimizer *o, size_t param) {
  return cliv_tensor_count(o->params[param].p) > 0 && !o->params[param].frozen;
}

/* The gradient that a step reads. */
static inline const cliv_tensor *cliv__gradient(const cliv_optimizer *o, size_t param) {
  return o->params[param].smoothed ? o->params[param].smoothed : o->params[param].g;
}

/* What gradients are to be divided by: the loss's scale, and the count of a mean. */
static inline double cliv__gradient_scale(const cliv_optimizer *o) {
  return (o->control.on ? o->control.scale : 1) * (o->gathered > 1 ? (double)o->gathered : 1);
}

static inline bool cliv__needs_norm(const cliv__control *c) {
  return c->options.clip_norm > 0 || c->options.nonfinite != CLIV_NONFINITE_PASS;
}

static inline bool cliv__by_units(const cliv__control *c) {
  return c->options.clip_each > 0 || c->options.agc > 0 || c->options.centralize != 0;
}

/* Units of a parameter that has elements. */
static inline size_t cliv__unit_count(const cliv_optimizer *o, size_t param) {
  const cliv_tensor *p = o->params[param].p;
  const bool rows = o->control.options.agc > 0 || o->control.options.centralize;
  return rows && cliv_tensor_ndim(p) > 1 ? cliv_tensor_shape(p)[0] : 1;
}

/* Steps that a parameter has taken. */
static inline uint64_t cliv__age(const cliv_optimizer *o, size_t param) {
  const cliv__param *p = &o->params[param];
  return p->frozen ? p->age : o->steps - p->born;
}

/* What the rule remembers of a parameter's steps, which may not be what there is to remember: see cliv__past. */
static inline const cliv__past *cliv__past_of(const cliv_optimizer *o, size_t param) {
  return param < o->plan.param_count ? &o->plan.rows[o->plan.places[param].row].past : &o->params[param].past;
}

/* An optimizer without tensors. rule: one of the library's, or `own`, which is the optimizer's from then on. */
cliv_status cliv__optimizer_make(cliv_context *ctx, const cliv__rule *rule, cliv__rule *own,
                                 const cliv_optimizer_options *options, cliv_optimizer **out);

/* A view of plane k of a parameter in o->plan, which has it. */
cliv_status cliv__plane_view(const cliv_optimizer *o, size_t param, size_t k, cliv_tensor **out);

/* A hyper-parameter's value in the step after `steps` others. */
double cliv__value_at(const cliv_optimizer *o, int group, int hyper, uint64_t steps);
/* STATE while the weights are perturbed. */
cliv_status cliv__check_in_place(const cliv_optimizer *o);
/* STATE after a step that was torn. */
cliv_status cliv__check_whole(const cliv_optimizer *o);

/* cliv_optimizer_step without its checks. prepares: with what goes before the step's own launches. */
cliv_status cliv__optimizer_step(cliv_optimizer *o, bool prepares, const cliv_sync *sync);

/* Makes o->plan fit the parameters and hyper-parameters, carrying states over. On failure the old plan stays. */
cliv_status cliv__plan_make(cliv_optimizer *o);
/* Waits for scalars under way. */
void cliv__plan_free(cliv__plan *plan);
/* Of a launch over these parameters: where they lie in shared virtual memory, its kernels become the batch's. */
cliv_status cliv__batch_own(const cliv_optimizer *o, const size_t *params, size_t count, cliv__batch *batch);
void cliv__batch_free(cliv__batch *batch);
/* The two launches of a rule with norms, plan->norming.of, need what is between them: made for a plan whose tensors
 * that have elements follow each other in its chunks in this order. */
cliv_status cliv__norming_make(const cliv_optimizer *o, cliv__plan *plan, const size_t *order, size_t count,
                               size_t chunks);
void cliv__norming_free(cliv__norming *n);
cliv_status cliv__norming_state(const cliv_optimizer *o, size_t param, size_t state, cliv_tensor **view);
/* Numbers that all tensors share become the same for those that took no part in the last step, or took none. */
cliv_status cliv__norming_share(const cliv_optimizer *o);
/* From the parts of the first launch to the numbers of the second. */
cliv_status cliv__norming_decide(const cliv_optimizer *o);

/* The scalars of step t. memory: after it; param: of those that depend on a parameter's shape, SIZE_MAX for none. */
void cliv__scalars(const cliv_optimizer *o, const double *hyper, uint64_t t, const double *memory, size_t param,
                   double *out);

/* Whether the rule steps parameters of this many axes. */
bool cliv__takes(const cliv_optimizer *o, const cliv_tensor *param);

/* Takes the last step back from the count. */
void cliv__step_untaken(cliv_optimizer *o);
/* Freezes the parameters of another optimizer over the same ones as they are frozen in this one. */
cliv_status cliv__freeze_alike(const cliv_optimizer *o, cliv_optimizer *other);
/* A step by the sums of an optimizer that has a gatherer, which begin anew. */
cliv_status cliv__gathered_step(cliv_optimizer *o, const cliv_sync *sync);
/* Waits for the verdict on the step under way: whether it must be left out. */
cliv_status cliv__control_wait(cliv_optimizer *o, bool *stop);
/* Waits for the last step's verdict, if one is on its way, and draws the conclusions. */
cliv_status cliv__control_settle(cliv_optimizer *o);
/* Looks at the gradients, before a step's launches. DATA where the step must not be taken. */
cliv_status cliv__control_enqueue(cliv_optimizer *o, const cliv_sync *sync);
void cliv__control_free(cliv_optimizer *o);

#endif
