/* Axes of transforms of real tensors, checked. */
#include "fft/axes.h"

#include "fft/plan.h"

cliv_status cliv__fft_take_axes(cliv_context *ctx, const char *name, const cliv_tensor *x, int count, const int *axes,
                                cliv__fft_axes *out) {
  char text[160];
  const int last[] = {-1};
  unsigned seen = 0;
  REQUIRE(ctx, x->ndim > 0, SHAPE, "%s: a single number has no axis to go along", name);
  REQUIRE(ctx, count >= 0 && count <= x->ndim, VALUE, "%s: %d axes of an array that has %d", name, count, x->ndim);
  REQUIRE(ctx, count == 0 || axes != NULL, NULL, "%s: axis_count is %d, but axes is NULL", name, count);
  out->count = count ? count : 1;
  for (int i = 0; i < out->count; i++) {
    const int given = count ? axes[i] : last[i], axis = given < 0 ? given + x->ndim : given;
    REQUIRE(ctx, axis >= 0 && axis < x->ndim, VALUE, "%s: there is no axis %d: %s has %d", name, given,
            cliv__describe(x, text), x->ndim);
    REQUIRE(ctx, !(seen >> axis & 1), VALUE, "%s: axis %d is named twice", name, given);
    REQUIRE(ctx, x->shape[axis] > 0, SHAPE, "%s: axis %d has length 0, of which there is no transform", name, given);
    REQUIRE(ctx, x->shape[axis] <= CLIV__FFT_LONGEST, SHAPE, "%s: axis %d has length %zu; %d is the longest", name,
            given, x->shape[axis], (int)CLIV__FFT_LONGEST);
    seen |= 1u << axis;
    out->axis[i] = axis;
  }
  return CLIV_OK;
}

cliv__fft_axis cliv__fft_axis_of(const cliv_tensor *x, int axis) {
  cliv__fft_axis a = {
      .outer = 1, .length = x->shape[axis], .inner = 1, .scale = 1, .wide = x->dtype == CLIV_F64, .wide_scale = 1};
  for (int d = 0; d < axis; d++) a.outer *= x->shape[d];
  for (int d = axis + 1; d < x->ndim; d++) a.inner *= x->shape[d];
  return a;
}
