/* What rules that take parameters as matrices do between their launches: products on scratch and states of one
 * parameter at a time. */
#ifndef CLIV_OPTIM_MATRIX_H
#define CLIV_OPTIM_MATRIX_H

#include <cliv/blas.h>

#include "optim/rules.h"

/* Hyper-parameters of the rules whose hooks look at them. */
enum {
  CLIV__MUON_LR,
  CLIV__MUON_MOMENTUM,
  CLIV__MUON_NESTEROV,
  CLIV__MUON_SUM,
  CLIV__MUON_CORRECTED,
  CLIV__MUON_WEIGHT_DECAY,
  CLIV__MUON_DECAY_APART,
  CLIV__MUON_A,
  CLIV__MUON_B,
  CLIV__MUON_C,
  CLIV__MUON_STEPS,
  CLIV__MUON_EPS,
  CLIV__MUON_RMS_RATE,
  CLIV__MUON_OUT_LAST,
  CLIV__MUON_BFLOAT16,
  CLIV__MUON_MAXIMIZE
};

enum {
  CLIV__SHAMPOO_LR,
  CLIV__SHAMPOO_MOMENTUM,
  CLIV__SHAMPOO_WEIGHT_DECAY,
  CLIV__SHAMPOO_DECOUPLED,
  CLIV__SHAMPOO_FREQUENCY,
  CLIV__SHAMPOO_EPS,
  CLIV__SHAMPOO_ROOT,
  CLIV__SHAMPOO_MAXIMIZE
};

enum {
  CLIV__SOAP_LR,
  CLIV__SOAP_BETA1,
  CLIV__SOAP_BETA2,
  CLIV__SOAP_SHAMPOO_BETA,
  CLIV__SOAP_EPS,
  CLIV__SOAP_WEIGHT_DECAY,
  CLIV__SOAP_FREQUENCY,
  CLIV__SOAP_BIAS_CORRECTION,
  CLIV__SOAP_MAXIMIZE
};

/* A parameter's plane as a matrix: its first axis by all others. */
cliv_status cliv__plane_matrix(const cliv_optimizer *o, size_t param, size_t state, cliv_tensor **view);

/* A matrix in a slot of scratch memory. */
cliv_status cliv__room(cliv_context *ctx, int slot, cliv_dtype dtype, size_t rows, size_t columns, cliv_tensor **out);
/* For products whose bits are the same everywhere. */
extern const cliv_blas_options cliv__exact;

/* Hooks: on parameter `param`, after the launch they stand behind. Asynchronous, in the order of the queue. */
cliv_status cliv__muon_orthogonalize(cliv_optimizer *o, size_t param);
cliv_status cliv__shampoo_precondition(cliv_optimizer *o, size_t param);
cliv_status cliv__soap_enter(cliv_optimizer *o, size_t param);
cliv_status cliv__soap_leave(cliv_optimizer *o, size_t param);

#endif
