/* See clfft_support.h. */
#include "clfft_support.h"

#ifdef CLIV_HAVE_CLFFT

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/quirks.h"
#include "runtime/trial.h"

struct clfft_watch clfft_watch;
char *clfft_folder;

/* ---- clFFT, watched ---- */

clfftStatus __real_clfftBakePlan(clfftPlanHandle plan, cl_uint count, cl_command_queue *queues,
                                 void(CL_CALLBACK *notify)(clfftPlanHandle, void *), void *data);
clfftStatus __wrap_clfftBakePlan(clfftPlanHandle plan, cl_uint count, cl_command_queue *queues,
                                 void(CL_CALLBACK *notify)(clfftPlanHandle, void *), void *data);
clfftStatus __wrap_clfftBakePlan(clfftPlanHandle plan, cl_uint count, cl_command_queue *queues,
                                 void(CL_CALLBACK *notify)(clfftPlanHandle, void *), void *data) {
  clfft_watch.bakes++;
  if (clfft_watch.short_once) return clfft_watch.short_once = 0, (clfftStatus)CL_MEM_OBJECT_ALLOCATION_FAILURE;
  return clfft_watch.bake_fails ? (clfftStatus)clfft_watch.bake_fails
                                : __real_clfftBakePlan(plan, count, queues, notify, data);
}

/* What a memory object is a part of; NULL: of nothing. */
static cl_mem whole_of(cl_mem part) {
  cl_mem whole = NULL;
  ASSERT_CL(clGetMemObjectInfo(part, CL_MEM_ASSOCIATED_MEMOBJECT, sizeof whole, &whole, NULL));
  return whole;
}

clfftStatus __real_clfftEnqueueTransform(clfftPlanHandle plan, clfftDirection direction, cl_uint count,
                                         cl_command_queue *queues, cl_uint waits, const cl_event *wait, cl_event *done,
                                         cl_mem *in, cl_mem *out, cl_mem room);
clfftStatus __wrap_clfftEnqueueTransform(clfftPlanHandle plan, clfftDirection direction, cl_uint count,
                                         cl_command_queue *queues, cl_uint waits, const cl_event *wait, cl_event *done,
                                         cl_mem *in, cl_mem *out, cl_mem room);
clfftStatus __wrap_clfftEnqueueTransform(clfftPlanHandle plan, clfftDirection direction, cl_uint count,
                                         cl_command_queue *queues, cl_uint waits, const cl_event *wait, cl_event *done,
                                         cl_mem *in, cl_mem *out, cl_mem room) {
  clfft_watch.enqueues++;
  clfft_watch.mixed += out && (*in == *out || whole_of(*in) == *out || whole_of(*out) == *in);
  if (clfft_watch.turned) direction = direction == CLFFT_FORWARD ? CLFFT_BACKWARD : CLFFT_FORWARD;
  const clfftStatus status =
      __real_clfftEnqueueTransform(plan, direction, count, queues, waits, wait, done, in, out, room);
  const float other = 1000;
  if (status == CLFFT_SUCCESS && clfft_watch.spoils)
    ASSERT_CL(clEnqueueFillBuffer(*queues, out ? *out : *in, &other, sizeof other, clfft_watch.spoils, sizeof other, 0,
                                  NULL, NULL));
  return status;
}

clfftStatus __real_clfftTeardown(void);
clfftStatus __wrap_clfftTeardown(void);
clfftStatus __wrap_clfftTeardown(void) {
  clfft_watch.teardowns++;
  return __real_clfftTeardown();
}

char *__real_cliv__trial_program(const char *wanted);
char *__wrap_cliv__trial_program(const char *wanted);
char *__wrap_cliv__trial_program(const char *wanted) {
  return __real_cliv__trial_program(clfft_watch.probe ? clfft_watch.probe : wanted);
}

/* ---- contexts ---- */

static cliv_context *open_with(const char *cache_dir, cliv_probe probe) {
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_create(&(cliv_context_options){.cache_dir = cache_dir, .probe = probe}, &ctx));
  return ctx;
}

cliv_context *clfft_open(void) { return open_with(NULL, CLIV_PROBE_NEVER); }

cliv_context *clfft_open_trying(const char *probe) {
  clfft_watch.probe = NULL;
  cliv_context *const ctx = open_with(clfft_folder, CLIV_PROBE_UNKNOWN);
  clfft_watch.probe = probe;
  return ctx;
}

cliv_context *clfft_open_measuring(const char *probe) {
  cliv_context *const ctx = clfft_open_trying(probe);
  ctx->facts.type = CL_DEVICE_TYPE_GPU;
  ctx->quirks &= ~(unsigned)CLIV__QUIRK_SOFTWARE;
  return ctx;
}

int clfft_begin(void **state) {
  (void)state;
  clfft_folder = test_temp_dir();
  memset(&clfft_watch, 0, sizeof clfft_watch);
  return 0;
}

int clfft_end(void **state) {
  (void)state;
  test_remove_tree(clfft_folder);
  free(clfft_folder);
  return 0;
}

/* ---- both providers ---- */

double clfft_apart(const float *a, const float *b, size_t n) {
  double difference = 0, length = 0;
  for (size_t i = 0; i < n; i++) {
    difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    length += (double)b[i] * b[i];
  }
  return sqrt(difference / length);
}

size_t clfft_count(const array *a) {
  size_t n = 1;
  for (int d = 0; d < a->ndim; d++) n *= a->shape[d];
  return n;
}

void clfft_compare(cliv_context *ctx, call *by, const array *in, const array *out, const cliv_fft_options *options,
                   size_t shift, bool in_place) {
  const size_t n = clfft_count(in), m = clfft_count(out);
  float *const x = test_alloc(n * sizeof *x), *result[2];
  cliv_fft_options o = *options;
  const bool trivial = by == cliv_fft && o.axis_count == 0 && in->shape[in->ndim - 2] == 1; /* exact's */
  test_fill_normal(x, n, 31 + n + shift);
  for (int p = 0; p < 2; p++) {
    o.provider = p ? CLIV_FFT_PROVIDER_CLFFT : CLIV_FFT_PROVIDER_EXACT;
    test_guarded from = test_guard(ctx, CLIV_F32, in->ndim, in->shape, shift, x);
    test_guarded to = test_guard(ctx, CLIV_F32, out->ndim, out->shape, shift ? 2 * shift + 1 : 0, NULL);
    ASSERT_OK(ctx, by(ctx, from.tensor, in_place ? from.tensor : to.tensor, &o, NULL));
    assert_int_equal(cliv_fft_last_provider(ctx), trivial ? CLIV_FFT_PROVIDER_EXACT : o.provider);
    result[p] = test_read(in_place ? from.tensor : to.tensor);
    if (!in_place) {
      float *const after = test_read(from.tensor);
      ASSERT_BITS(after, x, n * sizeof *x);
      free(after);
    }
    test_guard_free(&from);
    test_guard_free(&to);
  }
  const double error = clfft_apart(result[1], result[0], m);
  if (!(error < 1e-6)) fail_msg("%zu numbers to %zu: apart by %.3g", n, m, error);
  free(result[0]);
  free(result[1]);
  free(x);
}

void clfft_expect_failure(cliv_context *ctx, size_t lines, size_t n, cliv_status status, const char *part) {
  const size_t shape[] = {lines, n, 2}, floats = 2 * lines * n;
  float *const x = test_alloc(floats * sizeof *x);
  test_fill_normal(x, floats, n);
  test_guarded a = test_guard(ctx, CLIV_F32, 3, shape, 0, x), b = test_guard(ctx, CLIV_F32, 3, shape, 0, x);
  const cliv_fft_options o = {.provider = CLIV_FFT_PROVIDER_CLFFT};
  ASSERT_FAILS(ctx, cliv_fft(ctx, a.tensor, b.tensor, &o, NULL), status, part);
  float *const y = test_read(b.tensor);
  ASSERT_BITS(y, x, floats * sizeof *x);
  free(y);
  free(x);
  test_guard_free(&a);
  test_guard_free(&b);
}

#endif
