/* Known numbers and their transform, computed on the host in double: what a plan of somebody else's is proven by. */
#ifndef CLIV_FFT_PROOF_H
#define CLIV_FFT_PROOF_H

#include "fft/clfft_plan.h"

typedef struct cliv__proof {
  size_t inputs, outputs;
  float *input;
  double *wanted; /* what is to come out of them, within about 1e-15 of its length */
} cliv__proof;

/* False where there is no memory for it. Lengths are those of cliv__clfft_knows. */
bool cliv__proof_make(const cliv__clfft_shape *shape, cliv__proof *out);
void cliv__proof_free(cliv__proof *proof);

/* ||got - wanted|| / ||wanted||; not below any bound where a number got is NaN. */
double cliv__proof_error(const cliv__proof *proof, const float *got);

#endif
