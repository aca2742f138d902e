/* Axes of transforms of real tensors, checked. */
#include "fft/axes.h"

#include "fft/plan.h"

cliv_status cliv__fft_read_axes(cliv_context *ctx, const char *name, const char *what, int ndim, int count,
                                const int *axes, int *out_count, int *out) {
  const int last[] = {-1};
  unsigned seen = 0;
  REQUIRE(ctx, count >= 0 && count <= ndim, VALUE, "%s: %d axes of an array that has %d", name, count, ndim);
  REQUIRE(ctx, count == 0 || axes != NULL, NULL, "%s: axis_count is %d, but axes is NULL", name, count);
  *out_count = count ? count : 1;
  for (int i = 0; i < *out_count; i++) {
    const int given = count ? axes[i] : last[i], axis = given < 0 ? given + ndim : given;
    REQUIRE(ctx, axis >= 0 && axis < ndim, VALUE, "%s: there is no axis %d: %s has %d", name, given, what, ndim);
    REQUIRE(ctx, !(seen >> axis & 1), VALUE, "%s: axis %d is named twice", name, given);
    seen |= 1u << axis;
    out[i] = axis;
  }
  return CLIV_OK;
}

cliv_status cliv__fft_take_axes(cliv_context *ctx, const char *name, const cliv_tensor *x, int count, const int *axes,
                                cliv__fft_axes *out) {
  char text[160];
  REQUIRE(ctx, x->ndim > 0, SHAPE, "%s: a single number has no axis to go along", name);
  TRY(cliv__fft_read_axes(ctx, name, cliv__describe(x, text), x->ndim, count, axes, &out->count, out->axis));
  for (int i = 0; i < out->count; i++) {
    const int axis = out->axis[i];
    REQUIRE(ctx, x->shape[axis] > 0, SHAPE, "%s: axis %d has length 0, of which there is no transform", name, axis);
    REQUIRE(ctx, x->shape[axis] <= CLIV__FFT_LONGEST, SHAPE, "%s: axis %d has length %zu; %d is the longest", name,
            axis, x->shape[axis], (int)CLIV__FFT_LONGEST);
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
