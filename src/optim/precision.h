/* How states and narrow parameters are stored: what an optimizer keeps on the device for each parameter, plane by
 * plane. */
#ifndef CLIV_OPTIM_PRECISION_H
#define CLIV_OPTIM_PRECISION_H

#include "optim/rules.h"
#include "runtime/context.h"

/* A plane is one array for each parameter: the rule's states, what narrow parameters keep beside themselves, and for
 * each state that is stored in 8 bits the greatest magnitude of every block. */
enum {
  CLIV__WEIGHT_PLANE = CLIV__MAX_STATES,
  CLIV__ABSMAX_PLANE, /* of state k: this + k */
  CLIV__PLANES = CLIV__ABSMAX_PLANE + CLIV__MAX_STATES
};

enum { CLIV__BLOCK = 256 /* elements that share a greatest magnitude */ };

/* How a narrow parameter goes from step to step, in the order of the names. */
typedef enum cliv__weights {
  CLIV__WEIGHTS_NEAREST,
  CLIV__WEIGHTS_MASTER,
  CLIV__WEIGHTS_KAHAN,
  CLIV__WEIGHTS_STOCHASTIC,
  CLIV__WEIGHTS_COUNT
} cliv__weights;

typedef struct cliv__precision {
  cliv_dtype states; /* F32, BF16; U8: codes */
  size_t least;      /* elements of a parameter whose states are codes */
  cliv__weights weights;
  uint64_t seed;                  /* of the random bits that weights are rounded by */
  char *absmax[CLIV__MAX_STATES]; /* names of these planes */
} cliv__precision;

/* From the options; NAME where one is none. */
cliv_status cliv__precision_make(cliv_context *ctx, const cliv__rule *rule, const cliv_optimizer_options *options,
                                 cliv__precision *out);
void cliv__precision_free(cliv__precision *precision);

/* Whether some of these planes are codes. */
bool cliv__coded(unsigned kept);
/* The kind of the rule's state of this name, which it has. */
cliv_state_kind cliv__state_kind(const cliv_optimizer *o, const char *state);
/* Every code's value, in the order of the codes: bitsandbytes' dynamic map. */
void cliv__dynamic_map(cliv_state_kind kind, float out[256]);

/* The word for -D WEIGHTS_<word>; NULL where a parameter of this dtype is simply rounded. */
const char *cliv__weights_word(const cliv__precision *precision, cliv_dtype param);

/* Whether parameters of this dtype are rounded by chance. */
bool cliv__random(const cliv__precision *precision, cliv_dtype param);

/* The planes of a parameter, bit by bit, with these hyper-parameters. */
unsigned cliv__planes(const cliv_optimizer *o, size_t param, const double *hyper);
/* What plane k of a parameter of this dtype is stored as, if it has the planes `kept`. */
cliv_dtype cliv__plane_dtype(const cliv_optimizer *o, unsigned kept, cliv_dtype param, size_t k);
/* What plane k is called; NULL where this optimizer never has it. */
const char *cliv__plane_name(const cliv_optimizer *o, size_t k);
/* When it is kept, in a phrase. */
const char *cliv__plane_meaning(const cliv_optimizer *o, size_t k);
/* The shape of a parameter's plane k with these hyper-parameters: the parameter's, none for a number of the tensor, one
 * axis of its blocks, or that of a state by rows or columns. */
typedef struct cliv__shape {
  int ndim;
  size_t axes[CLIV_MAX_DIMS];
} cliv__shape;
cliv__shape cliv__plane_shape(const cliv__rule *rule, const cliv_tensor *param, const double *hyper, size_t k);

#endif
