/* Whether a plan of clFFT's can be trusted on a context's device. */
#ifndef CLIV_FFT_CLFFT_TRIAL_H
#define CLIV_FFT_CLFFT_TRIAL_H

#include "fft/clfft_plan.h"
#include "runtime/context.h"

/* Where this device and driver version have not met the shape, a child process tries it first, since clFFT can end the
 * process that it is in, and what it finds is kept as a note: for good, or for an hour where the plan was bad. A plan
 * that was good there is then proven in this process, on `queue`, which is for that alone. shape: its batch is what is
 * tried; its `cured` is set as it is to be. careful: where no child can be asked, UNTRIED instead of a trial in
 * this process. What is not GOOD: `why` says what. Blocks, for seconds. */
cliv__clfft_verdict cliv__clfft_try(cliv_context *ctx, cl_command_queue queue, cliv__clfft_shape *shape, bool careful,
                                    char why[static CLIV__CLFFT_WHY]);

#endif
