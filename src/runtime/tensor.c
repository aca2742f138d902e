/* Tensors: dtype, shape and place over a cl_mem that is counted by OpenCL's references. */
#include "runtime/tensor.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/axes.h"
#include "runtime/launch.h"
#include "runtime/quirks.h"
#include "runtime/scratch.h"
#include "runtime/svm.h"

static cliv_status check_type(cliv_context *ctx, cliv_dtype dtype) {
  REQUIRE(ctx, cliv_dtype_size(dtype) > 0, DTYPE, "%d is not an element type", (int)dtype);
  REQUIRE(ctx, cliv_context_has(ctx, dtype), DEVICE_DTYPE,
          "device '%s' has no %s (its driver reports no cl_khr_fp64); use float32, or another device (selector 'fp64')",
          ctx->facts.name, cliv_dtype_name(dtype));
  return CLIV_OK;
}

/* Fills shape, rows, columns, count, pitch and span; pitch 0 is dense. */
static cliv_status set_shape(cliv_context *ctx, cliv_tensor *t, int ndim, const size_t *shape, size_t pitch) {
  REQUIRE(ctx, ndim >= 0 && ndim <= CLIV_MAX_DIMS, SHAPE, "a tensor has 0 to %d axes, not %d", CLIV_MAX_DIMS, ndim);
  REQUIRE(ctx, ndim == 0 || shape != NULL, NULL, "the shape of a tensor of %d axes is NULL", ndim);
  const size_t element = cliv_dtype_size(t->dtype);
  size_t largest = SIZE_MAX / element;
  t->ndim = ndim;
  t->rows = 1;
  bool empty = false;
  for (int d = 0; d < ndim; d++) {
    t->shape[d] = shape[d];
    empty = empty || shape[d] == 0;
    REQUIRE(ctx, shape[d] == 0 || shape[d] <= largest, SHAPE,
            "the shape's axis %d of %zu makes more elements than memory can address", d, shape[d]);
    if (shape[d]) largest /= shape[d];
    if (d < ndim - 1) t->rows *= shape[d];
  }
  t->columns = ndim ? shape[ndim - 1] : 1;
  t->count = empty ? 0 : t->rows * t->columns;
  t->pitch = pitch ? pitch : t->columns;
  REQUIRE(ctx, t->pitch >= t->columns, VALUE, "a pitch of %zu elements is shorter than a row of %zu", pitch,
          t->columns);
  size_t stride = 1;
  for (int d = ndim - 1; d >= 0; stride = d == ndim - 1 ? t->pitch : stride * shape[d], d--) t->strides[d] = stride;
  if (t->count == 0) return CLIV_OK;
  REQUIRE(ctx, t->rows <= 1 || t->pitch <= SIZE_MAX / element / t->rows, SHAPE,
          "%zu rows with a pitch of %zu elements are more than memory can address", t->rows, t->pitch);
  t->span = ((t->rows - 1) * t->pitch + t->columns) * element;
  return CLIV_OK;
}

static cliv_status new_tensor(const cliv_tensor *made, cliv_tensor **out) {
  cliv_tensor *t = malloc(sizeof *t);
  REQUIRE(made->ctx, t != NULL, HOST_MEMORY, "no memory for a tensor's description");
  *t = *made;
  *out = t;
  return CLIV_OK;
}

/* Like new_tensor, with one more reference on the memory. */
static cliv_status new_reference(cliv_tensor *made, cl_mem mem, cliv_tensor **out) {
  made->mem = made->count ? mem : NULL;
  if (made->mem) CL_TRY(made->ctx, clRetainMemObject(made->mem), "clRetainMemObject");
  const cliv_status status = new_tensor(made, out);
  if (status && made->mem) clReleaseMemObject(made->mem);
  return status;
}

/* ---- memory ---- */

#ifdef MADV_HUGEPAGE
enum { HUGE_PAGE = 1 << 21, MANY_PAGES = 1 << 22 /* bytes from which they pay */ };

static void CL_CALLBACK free_host(cl_mem mem, void *host) {
  (void)mem;
  free(host);
}

/* On a CPU device a large tensor lies in huge pages, in which streaming is a third faster. Drivers do not ask for them,
 * so the memory is the library's; it goes with the last reference to the cl_mem. NULL: it cannot be had. */
static cl_mem in_huge_pages(cliv_context *ctx, size_t bytes) {
  const size_t whole = cliv__round_up(bytes, 4096); /* what drivers take without a copy of their own */
  void *host = NULL;
  cl_int code;
  if (posix_memalign(&host, HUGE_PAGE, whole)) return NULL;
  madvise(host, whole, MADV_HUGEPAGE);
  cl_mem mem = clCreateBuffer(ctx->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, whole, host, &code);
  if (!code && clSetMemObjectDestructorCallback(mem, free_host, host) == CL_SUCCESS) return mem;
  if (!code) clReleaseMemObject(mem);
  free(host);
  return NULL;
}

static bool wants_huge_pages(const cliv_context *ctx, size_t bytes) {
  return bytes >= MANY_PAGES && (ctx->facts.type & CL_DEVICE_TYPE_CPU) && !(ctx->quirks & CLIV__QUIRK_SOFTWARE);
}
#else
static cl_mem in_huge_pages(cliv_context *ctx, size_t bytes) {
  (void)ctx, (void)bytes;
  return NULL;
}

static bool wants_huge_pages(const cliv_context *ctx, size_t bytes) {
  (void)ctx, (void)bytes;
  return false;
}
#endif

/* Device memory, with a sentence that says what the device has when it is not enough. */
static cliv_status allocate(cliv_context *ctx, size_t bytes, cl_mem *out) {
  REQUIRE(ctx, bytes <= ctx->facts.max_allocation, DEVICE_MEMORY,
          "%zu bytes are asked for in one piece; device '%s' allocates at most %llu (of %llu in all)", bytes,
          ctx->facts.name, (unsigned long long)ctx->facts.max_allocation, (unsigned long long)ctx->facts.global_memory);
  if (wants_huge_pages(ctx, bytes) && (*out = in_huge_pages(ctx, bytes)) != NULL) return CLIV_OK;
  cl_int code;
  *out = clCreateBuffer(ctx->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
  CL_TRY(ctx, code, "clCreateBuffer");
  return CLIV_OK;
}

cliv_status cliv_tensor_create(cliv_context *ctx, cliv_dtype dtype, int ndim, const size_t *shape, cliv_tensor **out) {
  REQUIRE_NOT_NULL(ctx, out);
  *out = NULL;
  REQUIRE_NOT_NULL(ctx, ctx);
  TRY(check_type(ctx, dtype));
  cliv_tensor t = {.ctx = ctx, .dtype = dtype};
  TRY(set_shape(ctx, &t, ndim, shape, 0));
  if (t.count) TRY(allocate(ctx, t.span, &t.mem));
  const cliv_status status = new_tensor(&t, out);
  if (status && t.mem) clReleaseMemObject(t.mem);
  return status;
}

cliv_status cliv_tensor_wrap(cliv_context *ctx, cl_mem mem, size_t offset, cliv_dtype dtype, int ndim,
                             const size_t *shape, cliv_tensor **out) {
  REQUIRE_NOT_NULL(ctx, out);
  *out = NULL;
  REQUIRE_NOT_NULL(ctx, ctx);
  TRY(check_type(ctx, dtype));
  cliv_tensor t = {.ctx = ctx, .dtype = dtype, .offset = offset};
  TRY(set_shape(ctx, &t, ndim, shape, 0));
  REQUIRE(ctx, mem != NULL || t.count == 0, NULL, "cliv_tensor_wrap: argument 'mem' is NULL");
  REQUIRE(ctx, offset % cliv_dtype_size(dtype) == 0, VALUE,
          "an offset of %zu bytes is not a multiple of %zu, the size of %s", offset, cliv_dtype_size(dtype),
          cliv_dtype_name(dtype));
  if (mem) {
    size_t size = 0;
    cl_context owner = NULL;
    CL_TRY(ctx, clGetMemObjectInfo(mem, CL_MEM_SIZE, sizeof size, &size, NULL), "clGetMemObjectInfo");
    CL_TRY(ctx, clGetMemObjectInfo(mem, CL_MEM_CONTEXT, sizeof owner, &owner, NULL), "clGetMemObjectInfo");
    REQUIRE(ctx, owner == ctx->context, VALUE, "the cl_mem belongs to another cl_context than the Cliv context wraps");
    REQUIRE(ctx, offset <= size && t.span <= size - offset, SHAPE,
            "%zu bytes at offset %zu are asked for, but the cl_mem has %zu", t.span, offset, size);
  }
  return new_reference(&t, mem, out);
}

cliv_status cliv_tensor_wrap_svm(cliv_context *ctx, void *svm, size_t offset, cliv_dtype dtype, int ndim,
                                 const size_t *shape, cliv_tensor **out) {
  REQUIRE_NOT_NULL(ctx, out);
  *out = NULL;
  REQUIRE_NOT_NULL(ctx, ctx);
  TRY(cliv__svm_check(ctx));
  TRY(check_type(ctx, dtype));
  cliv_tensor t = {.ctx = ctx, .dtype = dtype, .offset = offset, .svm = svm};
  TRY(set_shape(ctx, &t, ndim, shape, 0));
  REQUIRE(ctx, svm != NULL || t.count == 0, NULL, "cliv_tensor_wrap_svm: argument 'svm' is NULL");
  REQUIRE(ctx, offset % cliv_dtype_size(dtype) == 0 && cliv__address(&t) % cliv_dtype_size(dtype) == 0, VALUE,
          "address %p and an offset of %zu bytes must be multiples of %zu, the size of %s", svm, offset,
          cliv_dtype_size(dtype), cliv_dtype_name(dtype));
  REQUIRE(ctx, offset <= SIZE_MAX - t.span, SHAPE, "%zu bytes at offset %zu are more than memory can address", t.span,
          offset);
  if (t.count) TRY(cliv__svm_buffer(ctx, svm, offset + t.span, &t.mem));
  const cliv_status status = new_tensor(&t, out);
  if (status && t.mem) clReleaseMemObject(t.mem);
  return status;
}

/* `made` has dtype, shape and span; it gets its place. */
static cliv_status new_view(const cliv_tensor *base, size_t offset, cliv_tensor *made, cliv_tensor **out) {
  const size_t element = cliv_dtype_size(made->dtype);
  REQUIRE(base->ctx, offset <= base->span / element && made->span <= base->span - offset * element, SHAPE,
          "a view of %zu bytes at element %zu reaches past its base, which spans %zu bytes", made->span, offset,
          base->span);
  made->svm = base->svm;
  made->offset = base->offset + offset * element;
  return new_reference(made, base->mem, out);
}

cliv_status cliv_tensor_view(const cliv_tensor *base, size_t offset, int ndim, const size_t *shape, size_t pitch,
                             cliv_tensor **out) {
  cliv_context *ctx = base ? base->ctx : NULL;
  REQUIRE_NOT_NULL(ctx, out);
  *out = NULL;
  REQUIRE_NOT_NULL(ctx, base);
  cliv_tensor t = {.ctx = ctx, .dtype = base->dtype};
  TRY(set_shape(ctx, &t, ndim, shape, pitch));
  return new_view(base, offset, &t, out);
}

/* The pitch with which `strides` say what rows of it do; 0: none. */
static size_t pitch_of(const cliv_tensor *t, const size_t *strides) {
  size_t pitch = t->columns, dense = 1; /* dense: elements that inner rows take, in pitches */
  for (int d = t->ndim - 1; d >= 0; d--) {
    const bool last = d == t->ndim - 1;
    if (t->shape[d] == 1) continue;
    if (!last && dense == 1) pitch = strides[d];
    if (strides[d] != (last ? 1 : dense * pitch)) return 0;
    if (!last) dense *= t->shape[d];
  }
  return pitch >= t->columns ? pitch : 0;
}

/* Span and strides of a tensor that has its shape; no element may lie where another does. */
static cliv_status set_strides(cliv_context *ctx, cliv_tensor *t, const size_t *strides) {
  const size_t element = cliv_dtype_size(t->dtype);
  size_t reach = 0; /* from the first element to the last that inner axes reach: axes by their strides, least first */
  unsigned done = 0;
  t->strided = true;
  t->pitch = 0;
  memcpy(t->strides, strides, (size_t)t->ndim * sizeof *strides);
  for (int axis = 0; axis < t->ndim; axis++) {
    int d = -1;
    for (int i = 0; i < t->ndim; i++)
      if (!(done >> i & 1) && (d < 0 || strides[i] < strides[d])) d = i;
    done |= 1u << d;
    if (t->shape[d] == 1) continue;
    REQUIRE(ctx, strides[d] > reach, VALUE,
            "with a stride of %zu along axis %d elements of the view would lie in one place: inner axes reach %zu "
            "elements far",
            strides[d], d, reach);
    REQUIRE(ctx, strides[d] <= (SIZE_MAX / element - reach - 1) / (t->shape[d] - 1), SHAPE,
            "axis %d of %zu with a stride of %zu elements is more than memory can address", d, t->shape[d], strides[d]);
    reach += (t->shape[d] - 1) * strides[d];
  }
  t->span = (reach + 1) * element;
  return CLIV_OK;
}

cliv_status cliv_tensor_view_strided(const cliv_tensor *base, size_t offset, int ndim, const size_t *shape,
                                     const size_t *strides, cliv_tensor **out) {
  cliv_context *ctx = base ? base->ctx : NULL;
  REQUIRE_NOT_NULL(ctx, out);
  *out = NULL;
  REQUIRE_NOT_NULL(ctx, base);
  REQUIRE(ctx, ndim <= 0 || strides != NULL, NULL, "the strides of a view of %d axes are NULL", ndim);
  cliv_tensor t = {.ctx = ctx, .dtype = base->dtype};
  TRY(set_shape(ctx, &t, ndim, shape, 0));
  const size_t pitch = t.count ? pitch_of(&t, strides) : t.columns;
  if (pitch || t.count == 0) return cliv_tensor_view(base, offset, ndim, shape, pitch, out);
  TRY(set_strides(ctx, &t, strides));
  return new_view(base, offset, &t, out);
}

void cliv_tensor_free(cliv_tensor *t) {
  if (!t) return;
  if (t->mem) clReleaseMemObject(t->mem);
  free(t);
}

cliv_dtype cliv_tensor_dtype(const cliv_tensor *t) { return t->dtype; }
int cliv_tensor_ndim(const cliv_tensor *t) { return t->ndim; }
const size_t *cliv_tensor_shape(const cliv_tensor *t) { return t->shape; }
size_t cliv_tensor_count(const cliv_tensor *t) { return t->count; }
size_t cliv_tensor_pitch(const cliv_tensor *t) { return t->pitch; }
const size_t *cliv_tensor_strides(const cliv_tensor *t) { return t->strides; }
size_t cliv_tensor_offset(const cliv_tensor *t) { return t->offset; }
cl_mem cliv_tensor_mem(const cliv_tensor *t) { return t->mem; }
cliv_context *cliv_tensor_context(const cliv_tensor *t) { return t->ctx; }

bool cliv__same_shape(const cliv_tensor *a, const cliv_tensor *b) {
  return a->ndim == b->ndim && (a->ndim == 0 || !memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof *a->shape));
}

bool cliv__same_memory(const cliv_tensor *a, const cliv_tensor *b) { return a->mem == b->mem || (a->svm && b->svm); }

/* In bytes, of one of two tensors in the same memory. */
static cl_ulong position(const cliv_tensor *t, const cliv_tensor *of) {
  return t->svm && of->svm ? cliv__address(t) : t->offset;
}

bool cliv__same_start(const cliv_tensor *a, const cliv_tensor *b) {
  return cliv__same_memory(a, b) && position(a, b) == position(b, a);
}

bool cliv__same_place(const cliv_tensor *a, const cliv_tensor *b) {
  if (!cliv__same_start(a, b) || cliv_dtype_size(a->dtype) != cliv_dtype_size(b->dtype)) return false;
  if (a->strided || b->strided)
    return a->strided && b->strided && !memcmp(a->strides, b->strides, (size_t)a->ndim * sizeof *a->strides);
  return a->rows <= 1 || a->pitch == b->pitch;
}

size_t cliv__row_length(const cliv_tensor *t) {
  size_t n = 1;
  for (int d = 1; d < t->ndim; d++) n *= t->shape[d];
  return n;
}

size_t cliv__row_pitch(const cliv_tensor *t) { return t->ndim == 2 ? t->pitch : cliv__row_length(t); }

bool cliv__overlap(const cliv_tensor *a, const cliv_tensor *b) {
  const cl_ulong at = position(a, b), other = position(b, a);
  if (!a->mem || !b->mem || !cliv__same_memory(a, b) || at >= other + b->span || other >= at + a->span) return false;
  /* Blocks of columns of one matrix lie side by side: equal pitches, and neither's columns reach the other's. */
  const size_t element = cliv_dtype_size(a->dtype), pitch = a->pitch * element;
  if (a->strided || b->strided || a->rows <= 1 || b->rows <= 1 || pitch != b->pitch * cliv_dtype_size(b->dtype))
    return true;
  const cl_ulong apart = (other + (at / pitch + 1) * pitch - at) % pitch; /* from a's columns to b's */
  return apart < a->columns * element || apart + b->columns * cliv_dtype_size(b->dtype) > pitch;
}

cliv_status cliv__check_context(cliv_context *ctx, const cliv_tensor *const *tensors, size_t count) {
  char text[160];
  for (size_t i = 0; i < count; i++)
    REQUIRE(ctx, !tensors[i] || tensors[i]->ctx == ctx, VALUE,
            "%s belongs to another context than the one given: make a view or a copy of it in this one",
            cliv__describe(tensors[i], text));
  return CLIV_OK;
}

cliv_status cliv__check_tensors(cliv_context *ctx, const cliv_tensor *const *tensors, size_t count) {
  char text[160];
  TRY(cliv__check_context(ctx, tensors, count));
  for (size_t i = 0; i < count; i++)
    REQUIRE(ctx, !tensors[i] || !tensors[i]->strided, LAYOUT,
            "this does not work on strided views such as %s: make a dense copy of it by cliv_tensor_copy",
            cliv__describe(tensors[i], text));
  return CLIV_OK;
}

const char *cliv__describe(const cliv_tensor *t, char room[static 160]) {
  size_t used = (size_t)snprintf(room, 160, "%s [", cliv_dtype_name(t->dtype));
  for (int d = 0; d < t->ndim && used < 140; d++)
    used += (size_t)snprintf(room + used, 160 - used, d ? ", %zu" : "%zu", t->shape[d]);
  if (used < 158) memcpy(room + used, "]", 2);
  return room;
}

/* ---- copies ---- */

/* The tensor as a rectangle of bytes; dense tensors are one row, since drivers copy that faster. */
typedef struct rectangle {
  size_t origin[3], region[3], pitch, host_pitch;
} rectangle;

static rectangle rectangle_of(const cliv_tensor *t) {
  const size_t element = cliv_dtype_size(t->dtype);
  const bool dense = cliv__dense(t);
  const size_t row = (dense ? t->count : t->columns) * element;
  return (rectangle){{t->offset, 0, 0}, {row, dense ? 1 : t->rows, 1}, dense ? 0 : t->pitch * element, dense ? 0 : row};
}

cliv_status cliv__copy_strided(const cliv_tensor *from, const cliv_tensor *to, const cliv_sync *sync) {
  cliv__axis axes[CLIV_MAX_DIMS];
  const int count = cliv__axes(from, to, 0, axes);
  return cliv__copy_axes(from->ctx, from->dtype, &(cliv__origin){from->mem, cliv__first(from)},
                         &(cliv__origin){to->mem, cliv__first(to)}, axes, count, sync);
}

cliv_status cliv__scratch_tensor(cliv_context *ctx, int slot, cliv_dtype dtype, int ndim, const size_t *shape,
                                 cliv_tensor *out) {
  *out = (cliv_tensor){.ctx = ctx, .dtype = dtype};
  TRY(set_shape(ctx, out, ndim, shape, 0));
  return cliv__scratch(ctx, slot, out->span, &out->mem);
}

static cliv_status check_host(const cliv_tensor *t, const void *host, size_t bytes) {
  cliv_context *ctx = t->ctx;
  const size_t wanted = t->count * cliv_dtype_size(t->dtype);
  REQUIRE(ctx, bytes == wanted, SHAPE, "%zu bytes are given for a tensor of %zu", bytes, wanted);
  REQUIRE(ctx, host != NULL || bytes == 0, NULL, "the host memory for %zu bytes is NULL", bytes);
  return CLIV_OK;
}

cliv_status cliv_tensor_write(cliv_tensor *t, const void *host, size_t bytes) {
  REQUIRE_NOT_NULL(NULL, t);
  TRY(check_host(t, host, bytes));
  if (t->count == 0) return CLIV_OK;
  cliv_tensor dense;
  if (t->strided) {
    TRY(cliv__scratch_tensor(t->ctx, CLIV__SCRATCH_STRIDED, t->dtype, t->ndim, t->shape, &dense));
    TRY(cliv_tensor_write(&dense, host, bytes));
    TRY(cliv__copy_strided(&dense, t, NULL));
    return cliv_context_finish(t->ctx);
  }
  const rectangle r = rectangle_of(t);
  cliv__order order;
  TRY(cliv__order_begin(t->ctx, NULL, &order));
  const cl_int code =
      r.host_pitch == 0
          ? clEnqueueWriteBuffer(t->ctx->queue, t->mem, CL_TRUE, t->offset, bytes, host, order.wait_count, order.wait,
                                 order.event)
          : clEnqueueWriteBufferRect(t->ctx->queue, t->mem, CL_TRUE, r.origin, (const size_t[]){0, 0, 0}, r.region,
                                     r.pitch, 0, r.host_pitch, 0, host, order.wait_count, order.wait, order.event);
  return cliv__order_end(t->ctx, &order, code, "copying from the host to the device");
}

cliv_status cliv_tensor_read(const cliv_tensor *t, void *host, size_t bytes) {
  REQUIRE_NOT_NULL(NULL, t);
  TRY(check_host(t, host, bytes));
  if (t->count == 0) return CLIV_OK;
  cliv_tensor dense;
  if (t->strided) {
    TRY(cliv__scratch_tensor(t->ctx, CLIV__SCRATCH_STRIDED, t->dtype, t->ndim, t->shape, &dense));
    TRY(cliv__copy_strided(t, &dense, NULL));
    return cliv_tensor_read(&dense, host, bytes);
  }
  const rectangle r = rectangle_of(t);
  cliv__order order;
  TRY(cliv__order_begin(t->ctx, NULL, &order));
  const cl_int code =
      r.host_pitch == 0
          ? clEnqueueReadBuffer(t->ctx->queue, t->mem, CL_TRUE, t->offset, bytes, host, order.wait_count, order.wait,
                                order.event)
          : clEnqueueReadBufferRect(t->ctx->queue, t->mem, CL_TRUE, r.origin, (const size_t[]){0, 0, 0}, r.region,
                                    r.pitch, 0, r.host_pitch, 0, host, order.wait_count, order.wait, order.event);
  return cliv__order_end(t->ctx, &order, code, "copying from the device to the host");
}

/* The float towards zero of value, with a last bit of 1 when anything was lost: rounding that once more to a narrower
 * type is rounding value itself. */
static float to_odd(double value) {
  float f = (float)value;
  if (!isfinite(f) || (double)f == value) return isfinite(value) && isinf(f) ? copysignf(FLT_MAX, f) : f;
  if (fabs((double)f) > fabs(value)) f = nextafterf(f, 0);
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  bits |= 1;
  memcpy(&f, &bits, sizeof bits);
  return f;
}

/* `value` in storage form; false where an integer type cannot hold it exactly. */
static bool encode(cliv_dtype dtype, double value, void *pattern) {
  switch (dtype) {
    case CLIV_F32: memcpy(pattern, &(float){(float)value}, 4); return true;
    case CLIV_F64: memcpy(pattern, &value, 8); return true;
    case CLIV_F16: memcpy(pattern, &(uint16_t){cliv_float_to_half(to_odd(value))}, 2); return true;
    case CLIV_BF16: memcpy(pattern, &(uint16_t){cliv_float_to_bfloat(to_odd(value))}, 2); return true;
    default: break;
  }
  const double low = dtype == CLIV_U8 ? 0 : dtype == CLIV_I32 ? INT32_MIN : -0x1p63;
  const double past = dtype == CLIV_U8 ? 256 : dtype == CLIV_I32 ? 0x1p31 : 0x1p63;
  if (!(value >= low && value < past) || value != floor(value)) return false;
  const int64_t integer = (int64_t)value;
  if (dtype == CLIV_U8) memcpy(pattern, &(uint8_t){(uint8_t)integer}, 1);
  if (dtype == CLIV_I32) memcpy(pattern, &(int32_t){(int32_t)integer}, 4);
  if (dtype == CLIV_I64) memcpy(pattern, &integer, 8);
  return true;
}

cliv_status cliv_tensor_fill(cliv_tensor *t, double value, const cliv_sync *sync) {
  cliv_context *ctx = t ? t->ctx : NULL;
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(NULL, t);
  REQUIRE(ctx, cliv__dense(t), LAYOUT, "filling needs a dense tensor; this one has rows of %zu with a pitch of %zu",
          t->columns, t->pitch);
  unsigned char pattern[8];
  REQUIRE(ctx, encode(t->dtype, value, pattern), VALUE, "%.17g is not exactly representable in %s", value,
          cliv_dtype_name(t->dtype));
  if (t->count == 0) return cliv__nothing(ctx, sync);
  cliv__order order;
  TRY(cliv__order_begin(ctx, sync, &order));
  const cl_int code = clEnqueueFillBuffer(ctx->queue, t->mem, pattern, cliv_dtype_size(t->dtype), t->offset, t->span,
                                          order.wait_count, order.wait, order.event);
  return cliv__order_end(ctx, &order, code, "clEnqueueFillBuffer");
}

/* `bytes` from one element to another. */
static cliv_status copy_bytes(const cliv_tensor *from, cliv_tensor *to, size_t from_element, size_t to_element,
                              size_t bytes, const cliv_sync *sync) {
  const size_t element = cliv_dtype_size(from->dtype);
  const cliv__copy copy = {from->mem, to->mem, from->offset + from_element * element, to->offset + to_element * element,
                           bytes};
  return cliv__enqueue_copy(from->ctx, &copy, sync);
}

static cliv_status copy_rectangle(const cliv_tensor *from, cliv_tensor *to, const cliv_sync *sync) {
  const size_t element = cliv_dtype_size(from->dtype), region[] = {from->columns * element, from->rows, 1};
  const size_t start_from[] = {from->offset, 0, 0}, start_to[] = {to->offset, 0, 0};
  cliv__order order;
  TRY(cliv__order_begin(from->ctx, sync, &order));
  const cl_int code =
      clEnqueueCopyBufferRect(from->ctx->queue, from->mem, to->mem, start_from, start_to, region, from->pitch * element,
                              0, to->pitch * element, 0, order.wait_count, order.wait, order.event);
  return cliv__order_end(from->ctx, &order, code, "copying on the device");
}

cliv_status cliv_tensor_copy(const cliv_tensor *from, cliv_tensor *to, const cliv_sync *sync) {
  cliv_context *ctx = from ? from->ctx : NULL;
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(NULL, from);
  REQUIRE_NOT_NULL(ctx, to);
  char a[160], b[160];
  REQUIRE(ctx, from->dtype == to->dtype && from->count == to->count, SHAPE,
          "a copy needs the same type and count; from is %s, to is %s", cliv__describe(from, a), cliv__describe(to, b));
  REQUIRE(ctx, to->ctx == ctx, VALUE, "the two tensors belong to different contexts");
  REQUIRE(ctx, !cliv__overlap(from, to), OVERLAP, "the two tensors overlap in memory");
  REQUIRE(ctx, !(from->strided || to->strided) || cliv__same_shape(from, to), SHAPE,
          "tensors of strides are copied to tensors of their shape; from is %s, to is %s", cliv__describe(from, a),
          cliv__describe(to, b));
  REQUIRE(ctx, from->strided || to->strided || (cliv__dense(from) && cliv__dense(to)) || from->columns == to->columns,
          LAYOUT, "tensors with a pitch are copied row by row: the rows have %zu and %zu elements", from->columns,
          to->columns);
  if (from->count == 0) return cliv__nothing(ctx, sync);
  if (from->strided || to->strided) return cliv__copy_strided(from, to, sync);
  const bool dense = cliv__dense(from) && cliv__dense(to);
  /* OpenCL refuses rectangles of different pitches within one buffer: those go row by row. */
  if (!dense && from->mem == to->mem && from->pitch != to->pitch) {
    const size_t row = from->columns * cliv_dtype_size(from->dtype);
    for (size_t i = 0; i < from->rows; i++) {
      const cliv_sync part = cliv__sync_part(sync, i == 0, i + 1 == from->rows);
      TRY(copy_bytes(from, to, i * from->pitch, i * to->pitch, row, &part));
    }
    return CLIV_OK;
  }
  return dense ? copy_bytes(from, to, 0, 0, from->span, sync) : copy_rectangle(from, to, sync);
}

cliv_status cliv_tensor_from_array(cliv_context *ctx, const cliv_array *array, cliv_tensor **out) {
  REQUIRE_NOT_NULL(ctx, out);
  *out = NULL;
  REQUIRE_NOT_NULL(ctx, array);
  cliv_tensor *t;
  TRY(cliv_tensor_create(ctx, array->dtype, array->ndim, array->shape, &t));
  const cliv_status status = cliv_tensor_write(t, array->data, t->count * cliv_dtype_size(t->dtype));
  if (status) cliv_tensor_free(t);
  else *out = t;
  return status;
}

cliv_status cliv_tensor_to_array(const cliv_tensor *t, cliv_array *out) {
  cliv_context *ctx = t ? t->ctx : NULL;
  REQUIRE_NOT_NULL(ctx, out);
  *out = (cliv_array){0};
  REQUIRE_NOT_NULL(ctx, t);
  cliv_array array;
  TRY(cliv__relay(ctx, cliv_array_create(t->dtype, t->ndim, t->shape, &array)));
  const cliv_status status = cliv_tensor_read(t, array.data, t->count * cliv_dtype_size(t->dtype));
  if (status) cliv_array_free(&array);
  else *out = array;
  return status;
}

/* ---- arena ---- */

enum { ARENA_ALIGN = 64 }; /* elements: a cache line of every type, and what float16 and 128-bit accesses want */

cliv_status cliv_arena_create(cliv_context *ctx, cliv_dtype dtype, size_t count, const int *ndims, const size_t *shapes,
                              cliv_tensor **out) {
  REQUIRE_NOT_NULL(ctx, out);
  for (size_t i = 0; i < count; i++) out[i] = NULL;
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE(ctx, count == 0 || ndims != NULL, NULL, "cliv_arena_create: argument 'ndims' is NULL");
  TRY(check_type(ctx, dtype));
  const size_t element = cliv_dtype_size(dtype), most = SIZE_MAX / element - ARENA_ALIGN;
  size_t total = 0, at = 0; /* elements; axes read */
  cliv_tensor probe = {.ctx = ctx, .dtype = dtype};
  for (size_t i = 0; i < count; at += (size_t)ndims[i++]) {
    TRY(set_shape(ctx, &probe, ndims[i], shapes ? shapes + at : NULL, 0));
    REQUIRE(ctx, total <= most && probe.count <= most - total, SHAPE,
            "the arena's %zu tensors are more than memory can address", count);
    total += cliv__round_up(probe.count, ARENA_ALIGN);
  }
  cl_mem mem = NULL;
  if (total) TRY(allocate(ctx, total * element, &mem));
  cliv_status status = CLIV_OK;
  size_t first = 0;
  at = 0;
  for (size_t i = 0; i < count && !status; at += (size_t)ndims[i++]) {
    cliv_tensor t = {.ctx = ctx, .dtype = dtype, .offset = first * element};
    status = set_shape(ctx, &t, ndims[i], shapes ? shapes + at : NULL, 0);
    if (!status) status = new_reference(&t, mem, &out[i]);
    first += cliv__round_up(t.count, ARENA_ALIGN);
  }
  if (mem) clReleaseMemObject(mem); /* the tensors hold it now */
  for (size_t i = 0; status && i < count; i++) {
    cliv_tensor_free(out[i]);
    out[i] = NULL;
  }
  return status;
}
