/* One plan of clFFT, made, run and proven: what the provider (clfft.c) and cliv-probe do with it. Knows OpenCL and
 * clFFT, but neither contexts nor tensors. Any thread: one lock is around all calls of clFFT's. */
#ifndef CLIV_FFT_CLFFT_PLAN_H
#define CLIV_FFT_CLFFT_PLAN_H

#include <cliv/device.h>
#include <stdbool.h>
#include <stddef.h>

/* Of float32, dense, the last length innermost. Members are all of eight bytes, so that shapes are equal where their
 * bytes are. */
typedef struct cliv__clfft_shape {
  cl_ulong kind;      /* a cliv__fft_form */
  cl_ulong inverse;   /* of a COMPLEX one */
  cl_ulong in_place;  /* of a COMPLEX one */
  cl_ulong dims;      /* 1 to 3 */
  cl_ulong length[3]; /* of the real array where there is one, whose last is halved; 0 beyond dims */
  cl_ulong batch;     /* arrays, one behind the other */
  cl_ulong cured;     /* generated programs begin with the pragma that newer compilers want */
  double scale;
} cliv__clfft_shape;

typedef struct cliv__clfft_plan {
  cliv__clfft_shape shape;
  cl_context context;
  size_t handle; /* clFFT's; 0: none */
  size_t room;   /* bytes of intermediate memory that a run wants; 0: none */
} cliv__clfft_plan;

enum { CLIV__CLFFT_WHY = 256, CLIV__CLFFT_SHAPE_TEXT = 256 };

typedef enum cliv__clfft_verdict {
  CLIV__CLFFT_GOOD,
  CLIV__CLFFT_BAD,     /* it fails, or computes something else */
  CLIV__CLFFT_PASSING, /* memory was short: this says nothing of the plan */
  CLIV__CLFFT_UNTRIED  /* no child could be asked, and it is not to be tried without one */
} cliv__clfft_verdict;

/* Whether a length has no other factors than those that clFFT knows: 2, 3, 5, 7, 11, 13. */
bool cliv__clfft_knows(size_t length);

/* Numbers of a whole input or output, all of its batch; a complex one counts as two. */
size_t cliv__clfft_inputs(const cliv__clfft_shape *shape);
size_t cliv__clfft_outputs(const cliv__clfft_shape *shape);

/* "0:1:0:2:48:64:0:1:0:0x1p-5", and back: for the command line of a child and as a name of what was found. */
void cliv__clfft_shape_write(const cliv__clfft_shape *shape, char to[static CLIV__CLFFT_SHAPE_TEXT]);
bool cliv__clfft_shape_read(const char *text, cliv__clfft_shape *shape);

/* "2.12.2": what is loaded; "?" without clFFT in the build. */
const char *cliv__clfft_version(char room[static 32]);

/* A plan, its programs compiled, which takes seconds on some drivers. *out is for cliv__clfft_drop, unless it fails.
 * `why` gets what failed. Blocks. */
cliv__clfft_verdict cliv__clfft_make(cl_context context, cl_command_queue queue, const cliv__clfft_shape *shape,
                                     cliv__clfft_plan *out, char why[static CLIV__CLFFT_WHY]);
/* What uses it must be done, or at least enqueued. */
void cliv__clfft_drop(cliv__clfft_plan *plan);

/* clFFT is torn down, and with it the programs that it has compiled, when no plan is left and nobody holds it, unless
 * another user of clFFT's has been seen in this process. Contexts hold it from their first plan to their end. */
void cliv__clfft_hold(void);
void cliv__clfft_release(cl_context context);

/* Enqueues the transform of x to y (x alone where in place). room: of plan->room bytes; NULL where that is 0. event may
 * be NULL. */
cliv__clfft_verdict cliv__clfft_run(const cliv__clfft_plan *plan, cl_command_queue queue, cl_uint wait_count,
                                    const cl_event *wait, cl_event *event, cl_mem x, cl_mem y, cl_mem room,
                                    char why[static CLIV__CLFFT_WHY]);

/* Makes the plan and has it transform known numbers (proof.h): those of all its arrays, or of the first and the last
 * ones, 2^21 numbers each or one array, where there are more. On the device it takes the memory of one such transform,
 * on the host what hardly depends on the shape. First as shape->cured says, then the other way about; leaves there
 * which of them was GOOD. *out: the plan, for cliv__clfft_drop, unless it failed; NULL: none is kept.
 * Blocks. */
cliv__clfft_verdict cliv__clfft_prove(cl_context context, cl_command_queue queue, cliv__clfft_shape *shape,
                                      cliv__clfft_plan *out, char why[static CLIV__CLFFT_WHY]);

#endif
