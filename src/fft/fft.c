/* Fourier transforms: checks, axes one after another. See cliv/fft.h. */
#include <cliv/fft.h>
#include <math.h>
#include <string.h>

#include "base/options.h"
#include "fft/exact.h"
#include "fft/plan.h"
#include "runtime/stage.h"
#include "runtime/tensor.h"

static const char *const norms[] = {
    [CLIV_FFT_BACKWARD] = "backward", [CLIV_FFT_ORTHO] = "ortho", [CLIV_FFT_FORWARD] = "forward"};
enum { NORMS = sizeof norms / sizeof *norms };

const char *cliv_fft_norm_name(cliv_fft_norm norm) { return (unsigned)norm < NORMS ? norms[norm] : "?"; }

cliv_status cliv_fft_norm_parse(const char *name, cliv_fft_norm *out) {
  REQUIRE_NOT_NULL(NULL, name);
  REQUIRE_NOT_NULL(NULL, out);
  for (int i = 0; i < NORMS; i++)
    if (!strcmp(name, norms[i])) {
      *out = (cliv_fft_norm)i;
      return CLIV_OK;
    }
  return cliv__fail(NULL, CLIV_NAME, "there is no norm '%s'; there are backward, ortho, forward", name);
}

/* ---- what is asked ---- */

typedef struct request {
  const cliv_tensor *x;
  cliv_tensor *out;
  cliv_fft_options o;
  int ndim; /* of the complex array */
  int count, axes[CLIV_MAX_DIMS];
  float scale;
} request;

static cliv_status take_axes(cliv_context *ctx, request *q) {
  const int last[] = {-1}, asked = q->o.axis_count;
  REQUIRE(ctx, asked >= 0 && asked <= q->ndim, VALUE, "fft: %d axes of an array that has %d", asked, q->ndim);
  REQUIRE(ctx, asked == 0 || q->o.axes != NULL, NULL, "fft: axis_count is %d, but axes is NULL", asked);
  q->count = asked ? asked : 1;
  unsigned seen = 0;
  for (int i = 0; i < q->count; i++) {
    const int given = asked ? q->o.axes[i] : last[i], axis = given < 0 ? given + q->ndim : given;
    REQUIRE(ctx, axis >= 0 && axis < q->ndim, VALUE,
            "fft: there is no axis %d: the complex array has %d, the pair at the end not counted", given, q->ndim);
    REQUIRE(ctx, !(seen >> axis & 1), VALUE, "fft: axis %d is named twice", given);
    seen |= 1u << axis;
    q->axes[i] = axis;
  }
  return CLIV_OK;
}

static cliv_status check_tensors(cliv_context *ctx, const request *q) {
  char a[160], b[160];
  const cliv_tensor *const x = q->x, *const out = q->out;
  REQUIRE(ctx, x->ctx == ctx && out->ctx == ctx, VALUE,
          "fft: the tensors belong to another context than the one given");
  REQUIRE(ctx, x->dtype == CLIV_F32 && out->dtype == CLIV_F32, DTYPE,
          "fft: transforms are computed in float32, but x is %s and out is %s", cliv__describe(x, a),
          cliv__describe(out, b));
  REQUIRE(
      ctx, x->ndim >= 2 && x->shape[x->ndim - 1] == 2, SHAPE,
      "fft: a complex array ends with an axis of 2, the real and the imaginary part, and has another before it; x is "
      "%s",
      cliv__describe(x, a));
  REQUIRE(ctx, cliv__same_shape(x, out), SHAPE, "fft: x is %s and out is %s: their shapes must be equal",
          cliv__describe(x, a), cliv__describe(out, b));
  REQUIRE(ctx, cliv__dense(x) && cliv__dense(out), LAYOUT,
          "fft: x and out must be dense; make a copy of a view with a pitch");
  REQUIRE(ctx, cliv__same_place(x, out) || !cliv__overlap(x, out), OVERLAP,
          "fft: x and out share a part of their memory; give the same tensor, or others");
  return CLIV_OK;
}

static cliv_status check_lengths(cliv_context *ctx, request *q) {
  double points = 1;
  for (int i = 0; i < q->count; i++) {
    const size_t n = q->x->shape[q->axes[i]];
    REQUIRE(ctx, n > 0, SHAPE, "fft: axis %d has length 0, of which there is no transform", q->axes[i]);
    REQUIRE(ctx, n <= CLIV__FFT_LONGEST, SHAPE, "fft: axis %d has length %zu; %d is the longest", q->axes[i], n,
            (int)CLIV__FFT_LONGEST);
    points *= (double)n;
  }
  const bool plain = q->o.norm == (q->o.inverse ? CLIV_FFT_FORWARD : CLIV_FFT_BACKWARD);
  q->scale = plain ? 1.0f : (float)(1 / (q->o.norm == CLIV_FFT_ORTHO ? sqrt(points) : points));
  return CLIV_OK;
}

/* ---- the transform ---- */

static cliv__fft_axis axis_of(const request *q, int i) {
  const cliv__fft_place x = {q->x->mem, cliv__first(q->x)}, out = {q->out->mem, cliv__first(q->out)};
  cliv__fft_axis a = {.x = i ? out : x,
                      .y = out,
                      .outer = 1,
                      .length = q->x->shape[q->axes[i]],
                      .inner = 1,
                      .inverse = q->o.inverse != 0,
                      .last = i + 1 == q->count,
                      .scale = q->scale};
  for (int d = 0; d < q->axes[i]; d++) a.outer *= q->x->shape[d];
  for (int d = q->axes[i] + 1; d < q->ndim; d++) a.inner *= q->x->shape[d];
  return a;
}

static cliv_status run(cliv_context *ctx, const request *q, const cliv_sync *sync) {
  for (int i = 0; i < q->count; i++) {
    const cliv__fft_axis axis = axis_of(q, i);
    const cliv_sync part = cliv__sync_part(sync, i == 0, i + 1 == q->count);
    TRY(cliv__fft_exact(ctx, &axis, &part));
  }
  return CLIV_OK;
}

cliv_status cliv_fft(cliv_context *ctx, const cliv_tensor *x, cliv_tensor *out, const cliv_fft_options *options,
                     const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(NULL, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, out);
  request q = {.x = x, .out = out, .ndim = x->ndim - 1};
  TRY(OPTIONS(ctx, options, &q.o));
  REQUIRE(ctx, (unsigned)q.o.norm < NORMS, VALUE, "fft: %d is no norm: 0 backward, 1 ortho, 2 forward", (int)q.o.norm);
  TRY(check_tensors(ctx, &q));
  TRY(take_axes(ctx, &q));
  TRY(check_lengths(ctx, &q));
  if (x->count == 0) return cliv__nothing(ctx, sync);
  cliv__fft_plans_trim(ctx);
  TRY(cliv__stage_begin(ctx));
  return cliv__stage_end(ctx, run(ctx, &q, sync), NULL);
}
