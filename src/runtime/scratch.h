/* Reusable device memory for operations that need intermediate results. */
#ifndef CLIV_RUNTIME_SCRATCH_H
#define CLIV_RUNTIME_SCRATCH_H

#include "runtime/context.h"

/* A buffer of at least `bytes`, kept by the context in numbered slots and grown on demand. Work on a context is in
 * order, so an operation may use a slot until its last launch; two buffers needed at once are two slots. Slots are
 * named here so that no two users meet. The buffer belongs to the context. */
enum {
  CLIV__SCRATCH_REDUCE_A,
  CLIV__SCRATCH_REDUCE_B,
  CLIV__SCRATCH_PACK_A,
  CLIV__SCRATCH_PACK_B,
  CLIV__SCRATCH_SUMS,
  CLIV__SCRATCH_CLBLAST,
  CLIV__SCRATCH_GEMM_A,
  CLIV__SCRATCH_GEMM_B,
  CLIV__SCRATCH_GEMM_C,
  CLIV__SCRATCH_GEMM_BIAS,
  CLIV__SCRATCH_GEMM_WIDE_A,
  CLIV__SCRATCH_GEMM_WIDE_B,
  CLIV__SCRATCH_GEMM_WIDE_C,
  CLIV__SCRATCH_GEMM_WIDE_BIAS,
  CLIV__SCRATCH_SCAN,
  CLIV__SCRATCH_AXES_X,
  CLIV__SCRATCH_AXES_Y,
  CLIV__SCRATCH_STRIDED,
  CLIV__SCRATCH_SORT_KEYS_A,
  CLIV__SCRATCH_SORT_KEYS_B,
  CLIV__SCRATCH_SORT_PLACES_A,
  CLIV__SCRATCH_SORT_PLACES_B,
  CLIV__SCRATCH_SORT_COUNTS,
  CLIV__SCRATCH_SORTED,
  CLIV__SCRATCH_COMPACT,
  CLIV__SCRATCH_HISTOGRAM,
  CLIV__SCRATCH_SCATTER,
  CLIV__SCRATCH_SMOOTH,
  CLIV__SCRATCH_FACTOR_A,
  CLIV__SCRATCH_FACTOR_B,
  CLIV__SCRATCH_FACTOR_C,
  CLIV__SCRATCH_FACTOR_D,
  CLIV__SCRATCH_FACTOR_E,
  CLIV__SCRATCH_FACTOR_F,
  CLIV__SCRATCH_FACTOR_G,
  CLIV__SCRATCH_FACTOR_H,
  CLIV__SCRATCH_FACTOR_NORMS,
  CLIV__SCRATCH_FACTOR_TERMS,
  CLIV__SCRATCH_FFT_ROOMS,
  CLIV__SCRATCH_FFT_A,
  CLIV__SCRATCH_FFT_B,
  CLIV__SCRATCH_FFT_CHIRP,
  CLIV__SCRATCH_FFT_REAL,
  CLIV__SCRATCH_FFT_SPECTRUM,
  CLIV__SCRATCH_FFT_STRIDED_X,
  CLIV__SCRATCH_FFT_STRIDED_OUT,
  CLIV__SCRATCH_FFT_ROOM_A, /* of what is made of transforms */
  CLIV__SCRATCH_FFT_ROOM_B,
  CLIV__SCRATCH_FFT_ROOM_C,
  CLIV__SCRATCH_FFT_ROOM_D,
  CLIV__SCRATCH_FFT_ROOM_E,
  CLIV__SCRATCH_TRIANGLE,
  CLIV__SCRATCH_CONV_TAPS,
  CLIV__SCRATCH_CONV_WEIGHTS,
  CLIV__SCRATCH_CONV_RESULT,
  CLIV__SCRATCH_CLFFT,
  CLIV__SCRATCH_OPTIM,
  CLIV__SCRATCH_OPTIM_A,
  CLIV__SCRATCH_OPTIM_B,
  CLIV__SCRATCH_OPTIM_C,
  CLIV__SCRATCH_OPTIM_D,
  CLIV__SCRATCH_SLOTS
};
cliv_status cliv__scratch(cliv_context *ctx, int slot, size_t bytes, cl_mem *out);
void cliv__scratch_free(cliv_context *ctx);

/* A table of the host's in a buffer of its own, which is the caller's. what: for the sentence of a failure. */
cliv_status cliv__upload(cliv_context *ctx, const void *host, size_t bytes, const char *what, cl_mem *out);

#endif
