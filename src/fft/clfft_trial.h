/* Whether a plan of clFFT's can be tried on a context's device. */
#ifndef CLIV_FFT_CLFFT_TRIAL_H
#define CLIV_FFT_CLFFT_TRIAL_H

#include "fft/clfft_plan.h"
#include "runtime/context.h"

/* Where this device and driver version have not met the shape, a child process tries it first, since clFFT can end the
 * process that it is in, and what it finds is kept as a note: for good, or for an hour where the plan was bad. GOOD: it
 * may be tried in this process. shape: its batch is what is tried; its `cured` is set as it is to be. careful: where no
 * child can be asked, UNTRIED. What is not GOOD: `why` says what. Blocks, for seconds. */
cliv__clfft_verdict cliv__clfft_try(cliv_context *ctx, cliv__clfft_shape *shape, bool careful,
                                    char why[static CLIV__CLFFT_WHY]);

#endif
