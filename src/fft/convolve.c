/* Convolution and correlation by transforms of real numbers. See cliv/spectral.h. */
#include <cliv/spectral.h>

#include "base/names.h"
#include "base/options.h"
#include "fft/axes.h"
#include "fft/plan.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/stage.h"

static const char *const modes[] = {
    [CLIV_CONVOLVE_FULL] = "full", [CLIV_CONVOLVE_SAME] = "same", [CLIV_CONVOLVE_VALID] = "valid"};
enum { MODES = sizeof modes / sizeof *modes, MOST_AXES = 3, GROUP = 64, CPU_SHARE = 1024, DIMS = 8 };

static const cliv__names mode_names = CLIV__NAMES("mode of convolution", modes);
CLIV__NAMED(cliv_convolve_mode, mode_names)

typedef struct request {
  cliv_convolve_options o;
  const cliv_tensor *x, *y;
  cliv_tensor *out;
  cliv__fft_axes axes;
} request;

static bool is_named(const request *q, int d) {
  for (int i = 0; i < q->axes.count; i++)
    if (q->axes.axis[i] == d) return true;
  return false;
}

/* Elements of the result along an axis, and which of the whole convolution is the first. */
static size_t result_length(const request *q, int d, size_t *first) {
  const size_t n = q->x->shape[d], m = q->y->shape[d];
  *first = 0;
  if (!is_named(q, d)) return n == 1 ? m : n;
  if (q->o.mode == CLIV_CONVOLVE_FULL) return n + m - 1;
  *first = q->o.mode == CLIV_CONVOLVE_SAME ? (m - 1) / 2 : m - 1;
  return q->o.mode == CLIV_CONVOLVE_SAME ? n : n - m + 1;
}

/* The next length of factors 2, 3 and 5; an even one where it is halved. */
static size_t good_length(size_t n, bool even) {
  uint8_t radix[CLIV__FFT_RADICES];
  while ((even && n > 1 && n % 2) || cliv__fft_radices(n, radix) < 0) n++;
  return n;
}

/* ---- checks ---- */

static cliv_status check_axis(cliv_context *ctx, const request *q, int d) {
  char a[160], b[160];
  const size_t n = q->x->shape[d], m = q->y->shape[d];
  if (!is_named(q, d)) {
    REQUIRE(ctx, n == m || n == 1 || m == 1, SHAPE,
            "convolve: along axis %d x has %zu and y %zu: equal, or 1 of one, where it does not convolve", d, n, m);
    return CLIV_OK;
  }
  REQUIRE(ctx, m > 0, SHAPE, "convolve: y is %s: its axis %d has length 0", cliv__describe(q->y, b), d);
  REQUIRE(ctx, q->o.mode != CLIV_CONVOLVE_VALID || m <= n, SHAPE,
          "convolve: in mode valid y is no longer than x, but along axis %d x is %s and y is %s", d,
          cliv__describe(q->x, a), cliv__describe(q->y, b));
  REQUIRE(ctx, n + m - 1 <= CLIV__FFT_LONGEST, SHAPE, "convolve: %zu and %zu along axis %d are too many: %d at most", n,
          m, d, (int)CLIV__FFT_LONGEST);
  return CLIV_OK;
}

static cliv_status check_result(cliv_context *ctx, const request *q) {
  char a[160], b[160], c[160];
  bool fits = q->out->ndim == q->x->ndim;
  for (int d = 0; fits && d < q->x->ndim; d++) {
    size_t first;
    fits = q->out->shape[d] == result_length(q, d, &first);
  }
  REQUIRE(ctx, fits, SHAPE, "convolve: x is %s, y is %s and out is %s, which does not fit in mode %s",
          cliv__describe(q->x, a), cliv__describe(q->y, b), cliv__describe(q->out, c),
          cliv_convolve_mode_name(q->o.mode));
  return CLIV_OK;
}

static cliv_status check(cliv_context *ctx, request *q) {
  char a[160], b[160];
  const cliv_tensor *const x = q->x, *const y = q->y, *const out = q->out;
  REQUIRE(ctx, (unsigned)q->o.mode < MODES, VALUE, "convolve: %d is no mode: 0 full, 1 same, 2 valid", (int)q->o.mode);
  REQUIRE(ctx, x->ctx == ctx && y->ctx == ctx && out->ctx == ctx, VALUE,
          "convolve: the tensors belong to another context than the one given");
  REQUIRE(ctx, (x->dtype == CLIV_F32 || x->dtype == CLIV_F64) && y->dtype == x->dtype && out->dtype == x->dtype, DTYPE,
          "convolve: numbers are float32 or float64, all the same; x is %s and y is %s", cliv__describe(x, a),
          cliv__describe(y, b));
  REQUIRE(ctx, x->ndim == y->ndim && x->ndim < CLIV_MAX_DIMS, SHAPE,
          "convolve: x is %s and y is %s: they have equally many axes, %d at most", cliv__describe(x, a),
          cliv__describe(y, b), CLIV_MAX_DIMS - 1);
  REQUIRE(ctx, q->o.axis_count <= MOST_AXES, VALUE, "convolve: %d axes; 3 at most", q->o.axis_count);
  TRY(cliv__fft_take_axes(ctx, "convolve", x, q->o.axis_count, q->o.axes, &q->axes));
  for (int d = 0; d < x->ndim; d++) TRY(check_axis(ctx, q, d));
  TRY(check_result(ctx, q));
  REQUIRE(ctx, !cliv__overlap(x, out) && !cliv__overlap(y, out), OVERLAP,
          "convolve: out shares memory with x or y; give another tensor");
  return CLIV_OK;
}

/* ---- launches ---- */

/* What lies `shift` into x along each axis to all of y; backwards: along the axes that are named. */
static cliv_status place(cliv_context *ctx, const request *q, const cliv_tensor *x, const cliv_tensor *y,
                         const size_t *shift, bool backwards, const cliv_sync *sync) {
  cl_ulong extents[DIMS], reach[DIMS], x_strides[DIMS] = {0}, y_strides[DIMS] = {0}, shifts[DIMS] = {0}, share;
  cl_uint turned = 0;
  cl_kernel kernel;
  for (int i = 0; i < DIMS; i++) extents[i] = reach[i] = 1;
  for (int d = 0, at = DIMS - x->ndim; d < x->ndim; d++, at++) {
    extents[at] = y->shape[d], reach[at] = x->shape[d];
    x_strides[at] = x->strides[d], y_strides[at] = y->strides[d];
    if (shift) shifts[at] = shift[d];
    if (backwards && is_named(q, d)) turned |= 1u << at;
  }
  const cl_ulong x_first = cliv__first(x), y_first = cliv__first(y), count = y->count;
  TRY(cliv__kernel(ctx, "fft_runs.cl fft_place.cl", x->dtype == CLIV_F64 ? "-D REAL_F64" : "", "fft_place", &kernel));
  const cliv__range range = cliv__fft_deal(ctx, count, CPU_SHARE, GROUP, &share);
  return LAUNCH(ctx, kernel, range, sync, ARG(x->mem), ARG(x_first), ARG(y->mem), ARG(y_first), ARG(count), ARG(share),
                ARG(extents), ARG(y_strides), ARG(reach), ARG(x_strides), ARG(shifts), ARG(turned));
}

/* c = a·b, complex, where a or b has an axis once for all of c's. */
static cliv_status product(cliv_context *ctx, const cliv_tensor *a, const cliv_tensor *b, const cliv_tensor *c) {
  cl_ulong extents[DIMS], a_strides[DIMS] = {0}, b_strides[DIMS] = {0}, share;
  const int ndim = c->ndim - 1; /* in pairs */
  cl_kernel kernel;
  for (int i = 0; i < DIMS; i++) extents[i] = 1;
  for (int d = 0, at = DIMS - ndim; d < ndim; d++, at++) {
    extents[at] = c->shape[d];
    a_strides[at] = a->shape[d] == 1 ? 0 : a->strides[d] / 2;
    b_strides[at] = b->shape[d] == 1 ? 0 : b->strides[d] / 2;
  }
  const cl_ulong count = c->count / 2;
  TRY(cliv__kernel(ctx, "fft_runs.cl fft_product.cl", c->dtype == CLIV_F64 ? "-D REAL_F64" : "", "fft_product",
                   &kernel));
  const cliv__range range = cliv__fft_deal(ctx, count, CPU_SHARE, GROUP, &share);
  return LAUNCH(ctx, kernel, range, SYNC_NONE, ARG(a->mem), ARG(b->mem), ARG(c->mem), ARG(count), ARG(share),
                ARG(extents), ARG(a_strides), ARG(b_strides));
}

/* Real numbers padded to good lengths in a slot, their spectrum in the next one, or one of them alone (NULL: the
 * other): with the axes of x, of y, or of both together where the other is given. */
static cliv_status make_rooms(cliv_context *ctx, const request *q, int slot, const cliv_tensor *t,
                              const cliv_tensor *other, cliv_tensor *real, cliv_tensor *spectrum) {
  size_t padded[CLIV_MAX_DIMS], half[CLIV_MAX_DIMS];
  const int ndim = t->ndim, halved = q->axes.axis[q->axes.count - 1];
  for (int d = 0; d < ndim; d++) {
    padded[d] = other && other->shape[d] > t->shape[d] ? other->shape[d] : t->shape[d];
    if (is_named(q, d)) padded[d] = good_length(q->x->shape[d] + q->y->shape[d] - 1, d == halved);
    half[d] = d == halved ? padded[d] / 2 + 1 : padded[d];
  }
  half[ndim] = 2;
  if (real) TRY(cliv__scratch_tensor(ctx, slot++, t->dtype, ndim, padded, real));
  return spectrum ? cliv__scratch_tensor(ctx, slot, t->dtype, ndim + 1, half, spectrum) : CLIV_OK;
}

static cliv_status run(cliv_context *ctx, const request *q, const cliv_sync *sync) {
  const cliv_fft_options o = {.axis_count = q->axes.count, .axes = q->axes.axis, .provider = CLIV_FFT_PROVIDER_EXACT};
  cliv_tensor x, y, result, x_spectrum, y_spectrum, spectrum;
  size_t first[CLIV_MAX_DIMS];
  for (int d = 0; d < q->x->ndim; d++) result_length(q, d, &first[d]);
  TRY(make_rooms(ctx, q, CLIV__SCRATCH_FFT_ROOM_A, q->x, NULL, &x, &x_spectrum));
  TRY(place(ctx, q, q->x, &x, NULL, false, SYNC_FIRST(sync)));
  TRY(cliv_rfft(ctx, &x, &x_spectrum, &o, NULL));
  TRY(make_rooms(ctx, q, CLIV__SCRATCH_FFT_ROOM_C, q->y, NULL, &y, &y_spectrum));
  TRY(place(ctx, q, q->y, &y, NULL, q->o.correlate != 0, SYNC_NONE));
  TRY(cliv_rfft(ctx, &y, &y_spectrum, &o, NULL));
  TRY(make_rooms(ctx, q, CLIV__SCRATCH_FFT_ROOM_E, q->x, q->y, NULL, &spectrum));
  TRY(product(ctx, &x_spectrum, &y_spectrum, &spectrum));
  TRY(make_rooms(ctx, q, CLIV__SCRATCH_FFT_ROOM_A, q->x, q->y, &result, NULL));
  TRY(cliv_irfft(ctx, &spectrum, &result, &o, NULL));
  return place(ctx, q, &result, q->out, first, false, SYNC_LAST(sync));
}

cliv_status cliv_fft_convolve(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *y, cliv_tensor *out,
                              const cliv_convolve_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(NULL, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, y);
  REQUIRE_NOT_NULL(ctx, out);
  request q = {.x = x, .y = y, .out = out};
  TRY(OPTIONS(ctx, options, &q.o));
  TRY(check(ctx, &q));
  if (out->count == 0) return cliv__nothing(ctx, sync);
  cliv__fft_plans_trim(ctx);
  TRY(cliv__stage_begin(ctx));
  return cliv__stage_end(ctx, run(ctx, &q, sync), NULL);
}
