/* The project's own transforms, as src/fft/fft.c asks for them. */
#ifndef CLIV_FFT_EXACT_H
#define CLIV_FFT_EXACT_H

#include "runtime/launch.h"

/* Complex numbers from a float's index on. */
typedef struct cliv__fft_place {
  cl_mem mem;
  cl_ulong first;
} cliv__fft_place;

/* One axis of a transform: `outer` times `length` numbers that lie `inner` apart. */
typedef struct cliv__fft_axis {
  cliv__fft_place x, y; /* the same place, or apart */
  cl_ulong outer, length, inner;
  bool inverse;
  bool last; /* results are stored: multiplied by scale, NaNs canonical */
  float scale;
  bool wide;         /* doubles: the kernels of src/fft/wide.c, places in doubles … */
  double wide_scale; /* … and the factor */
} cliv__fft_axis;

/* Complex numbers that an axis goes through, in bytes. */
static inline size_t cliv__fft_pair(const cliv__fft_axis *a) {
  return a->wide ? sizeof(cl_double2) : sizeof(cl_float2);
}

/* Launches that go between the caller's events: `total` is known beforehand. */
typedef struct cliv__fft_order {
  const cliv_sync *sync;
  size_t done, total;
} cliv__fft_order;

static inline cliv_sync cliv__fft_next(cliv__fft_order *o) {
  const size_t i = o->done++;
  return cliv__sync_part(o->sync, i == 0, i + 1 == o->total);
}

/* How many lines of so many bytes make a lot: of `most` bytes, or of a 64th of the device's memory. */
static inline cl_ulong cliv__fft_lot(const cliv_context *ctx, cl_ulong lines, cl_ulong bytes, cl_ulong most) {
  const cl_ulong part = ctx->facts.global_memory / 64, room = part < most ? part : most;
  const cl_ulong lot = bytes < room ? room / bytes : 1;
  return lot < lines ? lot : lines;
}

/* `count` things shared out: `most` for a work-item of the CPU walk, one for each of the GPU walk's groups' items. */
static inline cliv__range cliv__fft_deal(const cliv_context *ctx, cl_ulong count, cl_ulong most, size_t group,
                                         cl_ulong *share) {
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  *share = cpu ? most : 1;
  return RANGE1(cliv__div_up(count, *share), cpu ? 1 : cliv__group(ctx, group));
}

/* Within cliv__stage_begin and end. */
cliv_status cliv__fft_wide(cliv_context *ctx, const cliv__fft_axis *axis, const cliv_sync *sync);
cliv_status cliv__fft_exact(cliv_context *ctx, const cliv__fft_axis *axis, const cliv_sync *sync);

#endif
