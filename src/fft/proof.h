/* Known numbers, and whether what somebody else's plan made of them is their transform.
 *
 * The host computes no transform. With numbers r whose transform R has a formula (chirps),
 *     Σ X[k]·r[k] = Σ x[j]·R[j]     X: the transform of x,
 * and both sums are taken in passing, of x as it is made and of X as it is read, in room of a few thousand numbers. An
 * error e of X moves the first by Σ e[k]·r[k], which is as long as e, more or less: r's numbers are all of length 1 and
 * know nothing of e. */
#ifndef CLIV_FFT_PROOF_H
#define CLIV_FFT_PROOF_H

#include "fft/clfft_plan.h"

typedef struct cliv__proof_number {
  double re, im;
} cliv__proof_number;

/* r along an axis. */
typedef struct cliv__proof_axis {
  size_t length, bend;
  unsigned split;            /* a turn is one of 2^split small ones times a large one */
  cliv__proof_number *turns; /* those of 2·length, small ones first */
} cliv__proof_axis;

typedef struct cliv__proof {
  cliv__clfft_shape shape;
  size_t in_each, out_each;     /* elements of an array … */
  unsigned in_parts, out_parts; /* … of so many floats, 1 or 2 */
  cl_ulong ends;                /* so many arrays are looked at, first ones and last ones each */
  cliv__proof_axis axis[3];
  cliv__proof_number whole; /* Σ r over all axes */
  cliv__proof_number got;   /* of the array that is being read */
  double error;             /* see cliv__proof_take */
} cliv__proof;

/* False where there is no memory for it. Lengths are those of cliv__clfft_knows. */
bool cliv__proof_make(const cliv__clfft_shape *shape, cliv__proof *out);
void cliv__proof_free(cliv__proof *proof);

/* The arrays looked at, in two runs: [*begin, *end), which may be empty. */
void cliv__proof_arrays(const cliv__proof *proof, int run, cl_ulong *begin, cl_ulong *end);

/* `count` elements of the input from `first` on, counted through all arrays. */
void cliv__proof_input(const cliv__proof *proof, cl_ulong first, size_t count, float *to);

/* What came out, in order and whole arrays at last. proof->error: the greatest of the arrays' ||got - wanted|| /
 * ||wanted||, as it is estimated; infinite where a number is NaN or infinite. */
void cliv__proof_take(cliv__proof *proof, cl_ulong first, size_t count, const float *numbers);

#endif
