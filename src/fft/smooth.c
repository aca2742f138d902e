/* Laplacian smoothing by transforms of real numbers. See cliv/spectral.h. */
#include <cliv/spectral.h>
#include <math.h>
#include <string.h>

#include "base/options.h"
#include "fft/axes.h"
#include "fft/plan.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/stage.h"

enum { MOST_AXES = 3, GROUP = 64, CPU_SHARE = 1024 };

typedef struct request {
  cliv_smooth_options o;
  const cliv_tensor *x;
  cliv_tensor *out;
  cliv__fft_axes axes;
} request;

static cliv_status check(cliv_context *ctx, request *q) {
  char a[160], b[160];
  const cliv_tensor *const x = q->x, *const out = q->out;
  REQUIRE(ctx, q->o.strength >= 0 && q->o.strength <= 1e6, VALUE, "smooth: the strength is %g; it is from 0 to 1e6",
          q->o.strength);
  REQUIRE(ctx, x->ctx == ctx && out->ctx == ctx, VALUE,
          "smooth: the tensors belong to another context than the one given");
  REQUIRE(ctx, (x->dtype == CLIV_F32 || x->dtype == CLIV_F64) && out->dtype == x->dtype, DTYPE,
          "smooth: numbers are float32 or float64, x's and out's the same; x is %s and out is %s", cliv__describe(x, a),
          cliv__describe(out, b));
  REQUIRE(ctx, cliv__same_shape(x, out), SHAPE, "smooth: x is %s and out is %s: their shapes must be equal",
          cliv__describe(x, a), cliv__describe(out, b));
  REQUIRE(ctx, x->ndim < CLIV_MAX_DIMS, SHAPE, "smooth: x is %s: it has %d axes at most", cliv__describe(x, a),
          CLIV_MAX_DIMS - 1);
  REQUIRE(ctx, cliv__same_place(x, out) || !cliv__overlap(x, out), OVERLAP,
          "smooth: x and out share a part of their memory; give the same tensor, or others");
  REQUIRE(ctx, q->o.axis_count <= MOST_AXES, VALUE, "smooth: %d axes; 3 at most", q->o.axis_count);
  return cliv__fft_take_axes(ctx, "smooth", x, q->o.axis_count, q->o.axes, &q->axes);
}

/* The spectrum in place. */
static cliv_status divide(cliv_context *ctx, const request *q, const cliv_tensor *z) {
  const bool wide = z->dtype == CLIV_F64;
  cl_ulong inner[4] = {1, 1, 1, 1}, extent[4] = {1, 1, 1, 1}, n[4] = {1, 1, 1, 1};
  cl_mem table[MOST_AXES];
  for (int i = 0; i < MOST_AXES; i++) {
    const int d = i < q->axes.count ? q->axes.axis[i] : -1;
    const cliv__fft_plan *plan;
    if (d >= 0) n[i] = q->x->shape[d], extent[i] = z->shape[d], inner[i] = z->strides[d] / 2;
    TRY(cliv__fft_find(ctx, (size_t)n[i], CLIV__FFT_BENDS, wide, &plan));
    table[i] = plan->table;
  }
  const cl_double strength = q->o.strength;
  const cl_float narrow = (cl_float)strength;
  const cl_ulong count = z->count / 2;
  cl_ulong share;
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "divide.cl fft_smooth.cl", wide ? "-D SINGLE -D REAL_F64" : "-D SINGLE", "fft_smooth",
                   &kernel));
  const cliv__range range = cliv__fft_deal(ctx, count, CPU_SHARE, GROUP, &share);
  return LAUNCH(ctx, kernel, range, SYNC_NONE, ARG(z->mem), ARG(count), ARG(share), wide ? ARG(strength) : ARG(narrow),
                ARG(table[0]), ARG(table[1]), ARG(table[2]), ARG(inner), ARG(extent), ARG(n));
}

static cliv_status run(cliv_context *ctx, const request *q, const cliv_sync *sync) {
  const cliv_fft_options o = {.axis_count = q->axes.count, .axes = q->axes.axis, .provider = CLIV_FFT_PROVIDER_EXACT};
  size_t shape[CLIV_MAX_DIMS];
  const int ndim = q->x->ndim, halved = q->axes.axis[q->axes.count - 1];
  cliv_tensor z;
  memcpy(shape, q->x->shape, sizeof shape);
  shape[halved] = shape[halved] / 2 + 1;
  shape[ndim] = 2;
  TRY(cliv__scratch_tensor(ctx, CLIV__SCRATCH_FFT_ROOM_A, q->x->dtype, ndim + 1, shape, &z));
  TRY(cliv_rfft(ctx, q->x, &z, &o, SYNC_FIRST(sync)));
  TRY(divide(ctx, q, &z));
  return cliv_irfft(ctx, &z, q->out, &o, SYNC_LAST(sync));
}

cliv_status cliv_fft_smooth(cliv_context *ctx, const cliv_tensor *x, cliv_tensor *out,
                            const cliv_smooth_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(NULL, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, out);
  request q = {.x = x, .out = out};
  TRY(OPTIONS(ctx, options, &q.o));
  TRY(check(ctx, &q));
  if (x->count == 0) return cliv__nothing(ctx, sync);
  cliv__fft_plans_trim(ctx);
  TRY(cliv__stage_begin(ctx));
  return cliv__stage_end(ctx, run(ctx, &q, sync), NULL);
}
