/* Fourier transforms: checks, axes one after another. See cliv/fft.h. */
#include <cliv/fft.h>
#include <math.h>
#include <string.h>

#include "base/names.h"
#include "base/options.h"
#include "fft/axes.h"
#include "fft/plan.h"
#include "fft/provider.h"
#include "fft/real.h"
#include "runtime/scratch.h"
#include "runtime/stage.h"
#include "runtime/tensor.h"

static const char *const norms[] = {
    [CLIV_FFT_BACKWARD] = "backward", [CLIV_FFT_ORTHO] = "ortho", [CLIV_FFT_FORWARD] = "forward"};
enum { NORMS = sizeof norms / sizeof *norms };
static const cliv__names norm_names = CLIV__NAMES("norm", norms);
CLIV__NAMED(cliv_fft_norm, norm_names)

/* ---- what is asked ---- */

static cliv_status check_tensors(cliv_context *ctx, const cliv__fft_request *q) {
  char a[160], b[160];
  const cliv_tensor *const x = q->x, *const out = q->out, *const pairs = q->kind == CLIV__FFT_TO_REAL ? x : out;
  REQUIRE(ctx, x->ctx == ctx && out->ctx == ctx, VALUE, "%s: the tensors belong to another context than the one given",
          q->name);
  REQUIRE(ctx, (x->dtype == CLIV_F32 || x->dtype == CLIV_F64) && out->dtype == x->dtype, DTYPE,
          "%s: transforms are computed in float32 or float64, but x is %s and out is %s", q->name, cliv__describe(x, a),
          cliv__describe(out, b));
  REQUIRE(
      ctx, pairs->ndim >= 2 && pairs->shape[pairs->ndim - 1] == 2, SHAPE,
      "%s: a complex array ends with an axis of 2, the real and the imaginary part, and has another before it; %s is "
      "%s",
      q->name, pairs == x ? "x" : "out", cliv__describe(pairs, a));
  REQUIRE(ctx, q->kind != CLIV__FFT_COMPLEX || cliv__same_shape(x, out), SHAPE,
          "%s: x is %s and out is %s: their shapes must be equal", q->name, cliv__describe(x, a),
          cliv__describe(out, b));
  REQUIRE(ctx, (q->kind == CLIV__FFT_COMPLEX && cliv__same_place(x, out)) || !cliv__overlap(x, out), OVERLAP,
          "%s: x and out share a part of their memory; give %s", q->name,
          q->kind == CLIV__FFT_COMPLEX ? "the same tensor, or others" : "tensors apart");
  return CLIV_OK;
}

size_t cliv__fft_complex_length(const cliv__fft_request *q, int axis) {
  const bool halved = q->kind != CLIV__FFT_COMPLEX && axis == q->axes[q->count - 1];
  return halved ? q->shape[axis] / 2 + 1 : q->shape[axis];
}

static cliv_status check_halves(cliv_context *ctx, const cliv__fft_request *q) {
  char a[160], b[160];
  const cliv_tensor *const real = q->kind == CLIV__FFT_FROM_REAL ? q->x : q->out, *const pairs =
                                                                                      real == q->x ? q->out : q->x;
  bool fit = pairs->ndim == q->ndim + 1;
  for (int d = 0; fit && d < q->ndim; d++) fit = pairs->shape[d] == cliv__fft_complex_length(q, d);
  REQUIRE(ctx, fit, SHAPE,
          "%s: the real array is %s and the complex one %s: along axis %d, %zu real numbers are %zu complex ones, all "
          "other lengths are equal, and pairs come last",
          q->name, cliv__describe(real, a), cliv__describe(pairs, b), q->axes[q->count - 1],
          q->shape[q->axes[q->count - 1]], q->shape[q->axes[q->count - 1]] / 2 + 1);
  return CLIV_OK;
}

static cliv_status check_lengths(cliv_context *ctx, cliv__fft_request *q) {
  double points = 1;
  for (int i = 0; i < q->count; i++) {
    const size_t n = q->shape[q->axes[i]];
    REQUIRE(ctx, n > 0, SHAPE, "%s: axis %d has length 0, of which there is no transform", q->name, q->axes[i]);
    REQUIRE(ctx, n <= CLIV__FFT_LONGEST, SHAPE, "%s: axis %d has length %zu; %d is the longest", q->name, q->axes[i], n,
            (int)CLIV__FFT_LONGEST);
    points *= (double)n;
  }
  const bool plain = q->o.norm == (q->o.inverse ? CLIV_FFT_FORWARD : CLIV_FFT_BACKWARD);
  q->scale = plain ? 1 : 1 / (q->o.norm == CLIV_FFT_ORTHO ? sqrt(points) : points);
  return CLIV_OK;
}

/* ---- the transform ---- */

static cliv__fft_place place_of(const cliv_tensor *t) { return (cliv__fft_place){t->mem, cliv__first(t)}; }

cliv__fft_axis cliv__fft_request_axis(const cliv__fft_request *q, int axis, cliv__fft_place x, cliv__fft_place y,
                                      bool last) {
  cliv__fft_axis a = {.x = x,
                      .y = y,
                      .outer = 1,
                      .length = q->shape[axis],
                      .inner = 1,
                      .inverse = q->o.inverse != 0,
                      .last = last,
                      .scale = (float)q->scale,
                      .wide = q->x->dtype == CLIV_F64,
                      .wide_scale = q->scale};
  for (int d = 0; d < axis; d++) a.outer *= cliv__fft_complex_length(q, d);
  for (int d = axis + 1; d < q->ndim; d++) a.inner *= cliv__fft_complex_length(q, d);
  return a;
}

/* The complex axes in the order given, `first` steps before them and `after` behind. */
static cliv_status run_complex(cliv_context *ctx, const cliv__fft_request *q, int count, cliv__fft_place x,
                               cliv__fft_place y, bool begins, bool ends, const cliv_sync *sync) {
  for (int i = 0; i < count; i++) {
    const cliv__fft_axis axis = cliv__fft_request_axis(q, q->axes[i], i ? y : x, y, ends && i + 1 == count);
    const cliv_sync part = cliv__sync_part(sync, begins && i == 0, ends && i + 1 == count);
    TRY(cliv__fft_exact(ctx, &axis, &part));
  }
  return CLIV_OK;
}

static cliv_status run(cliv_context *ctx, const cliv__fft_request *q, const cliv_sync *sync) {
  const cliv__fft_place x = place_of(q->x), out = place_of(q->out);
  if (q->kind == CLIV__FFT_COMPLEX) return run_complex(ctx, q, q->count, x, out, true, true, sync);
  const int others = q->count - 1, halved = q->axes[others];
  if (q->kind == CLIV__FFT_FROM_REAL) {
    const cliv__fft_axis axis = cliv__fft_request_axis(q, halved, x, out, others == 0);
    const cliv_sync part = cliv__sync_part(sync, true, others == 0);
    TRY(cliv__fft_real(ctx, &axis, &part));
    return run_complex(ctx, q, others, out, out, false, true, sync);
  }
  cliv__fft_place spectrum = x;
  if (others) {
    spectrum.first = 0;
    TRY(cliv__scratch(ctx, CLIV__SCRATCH_FFT_SPECTRUM, q->x->count * cliv_dtype_size(q->x->dtype), &spectrum.mem));
    TRY(run_complex(ctx, q, others, x, spectrum, true, false, sync));
  }
  const cliv__fft_axis axis = cliv__fft_request_axis(q, halved, spectrum, out, true);
  const cliv_sync part = cliv__sync_part(sync, others == 0, true);
  return cliv__fft_real(ctx, &axis, &part);
}

/* A request by way of dense copies of what is not dense; complex numbers are transformed where they are to go. */
typedef struct dense_request {
  cliv__fft_request q;
  cliv_tensor x, out; /* where they are copies */
} dense_request;

static cliv_status make_dense(cliv_context *ctx, const cliv__fft_request *q, dense_request *d) {
  d->q = *q;
  if (!cliv__dense(q->out)) {
    TRY(cliv__scratch_tensor(ctx, CLIV__SCRATCH_FFT_STRIDED_OUT, q->out->dtype, q->out->ndim, q->out->shape, &d->out));
    d->q.out = &d->out;
  }
  if (cliv__dense(q->x)) return CLIV_OK;
  d->x = *d->q.out;
  d->q.x = &d->x;
  return q->kind == CLIV__FFT_COMPLEX
             ? CLIV_OK
             : cliv__scratch_tensor(ctx, CLIV__SCRATCH_FFT_STRIDED_X, q->x->dtype, q->x->ndim, q->x->shape, &d->x);
}

static cliv_status run_any(cliv_context *ctx, const cliv__fft_request *q, cliv__fft_transform *by,
                           const cliv_sync *sync) {
  const bool in = !cliv__dense(q->x), out = !cliv__dense(q->out);
  dense_request d;
  TRY(make_dense(ctx, q, &d));
  if (in) TRY(cliv__copy_strided(q->x, d.q.x, SYNC_FIRST(sync)));
  const cliv_sync middle = cliv__sync_part(sync, !in, !out);
  TRY(by(ctx, &d.q, &middle));
  return out ? cliv__copy_strided(d.q.out, q->out, SYNC_LAST(sync)) : CLIV_OK;
}

cliv_status cliv__fft_by_exact(cliv_context *ctx, const cliv__fft_request *q, const cliv_sync *sync) {
  cliv__fft_plans_trim(ctx);
  TRY(cliv__stage_begin(ctx));
  TRY(cliv__stage_end(ctx, run_any(ctx, q, run, sync), NULL));
  ctx->fft_provider = CLIV_FFT_PROVIDER_EXACT;
  return CLIV_OK;
}

static cliv_status ready_by_clfft(cliv_context *ctx, const cliv__fft_request *q) {
  dense_request d;
  TRY(make_dense(ctx, q, &d));
  return cliv__fft_clfft_ready(ctx, &d.q);
}

cliv_status cliv__fft_by_clfft(cliv_context *ctx, const cliv__fft_request *q, const cliv_sync *sync) {
  if (!cliv__dense(q->x)) TRY(ready_by_clfft(ctx, q)); /* before x is copied to where the result will be */
  return run_any(ctx, q, cliv__fft_clfft, sync);
}

/* AUTO: what was measured with one transform may fail for its like. */
static cliv_fft_provider clfft_or_exact(cliv_context *ctx, const cliv__fft_request *q) {
  const cliv__error held = cliv__error_hold(ctx);
  const bool ready = !ready_by_clfft(ctx, q);
  if (!ready) cliv__fft_avoid_clfft(ctx, q);
  cliv__error_restore(ctx, &held);
  return ready ? CLIV_FFT_PROVIDER_CLFFT : CLIV_FFT_PROVIDER_EXACT;
}

static cliv_status transform(cliv_context *ctx, cliv__fft_request *q, const cliv_fft_options *options,
                             const cliv_sync *sync) {
  TRY(OPTIONS(ctx, options, &q->o));
  REQUIRE(ctx, (unsigned)q->o.norm < NORMS, VALUE, "%s: %d is no norm: 0 backward, 1 ortho, 2 forward", q->name,
          (int)q->o.norm);
  if (q->kind != CLIV__FFT_COMPLEX) q->o.inverse = q->kind == CLIV__FFT_TO_REAL;
  const cliv_tensor *const whole = q->kind == CLIV__FFT_TO_REAL ? q->out : q->x;
  TRY(check_tensors(ctx, q));
  q->ndim = whole->ndim - (q->kind == CLIV__FFT_COMPLEX);
  memcpy(q->shape, whole->shape, sizeof q->shape);
  TRY(cliv__fft_read_axes(ctx, q->name, "the array, the pair of a complex number not counted,", q->ndim,
                          q->o.axis_count, q->o.axes, &q->count, q->axes));
  if (q->kind != CLIV__FFT_COMPLEX) TRY(check_halves(ctx, q));
  TRY(check_lengths(ctx, q));
  if (q->x->count == 0) return cliv__nothing(ctx, sync);
  cliv_fft_provider provider;
  TRY(cliv__fft_choose(ctx, q, &provider));
  if (provider == CLIV_FFT_PROVIDER_CLFFT && q->o.provider == CLIV_FFT_PROVIDER_AUTO) provider = clfft_or_exact(ctx, q);
  return (provider == CLIV_FFT_PROVIDER_CLFFT ? cliv__fft_by_clfft : cliv__fft_by_exact)(ctx, q, sync);
}

#define TRANSFORM(NAME, KIND)                                                                                         \
  cliv_status cliv_##NAME(cliv_context *ctx, const cliv_tensor *x, cliv_tensor *out, const cliv_fft_options *options, \
                          const cliv_sync *sync) {                                                                    \
    TRY(cliv__check_sync(ctx, sync));                                                                                 \
    REQUIRE_NOT_NULL(NULL, ctx);                                                                                      \
    REQUIRE_NOT_NULL(ctx, x);                                                                                         \
    REQUIRE_NOT_NULL(ctx, out);                                                                                       \
    cliv__fft_request q = {.kind = KIND, .name = #NAME, .x = x, .out = out};                                          \
    return transform(ctx, &q, options, sync);                                                                         \
  }
TRANSFORM(fft, CLIV__FFT_COMPLEX)
TRANSFORM(rfft, CLIV__FFT_FROM_REAL)
TRANSFORM(irfft, CLIV__FFT_TO_REAL)
