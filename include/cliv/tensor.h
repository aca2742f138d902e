/* cliv/tensor.h: arrays in device memory.
 *
 * A tensor is a dtype, a shape, and a place: a cl_mem, an offset in bytes, and strides. Tensors made by create own
 * their memory; views and wrapped tensors hold a reference to the cl_mem (OpenCL's counts), so they may outlive what
 * they came from (but for shared virtual memory, which has no counts). Memory is row-major. A tensor of no elements (a
 * 0 in its shape) is legal and holds no memory.
 *
 * Layout: the last axis is contiguous, the others may have one common pitch, so that a tensor is `rows` runs of
 * `columns` elements, `pitch` elements apart. Matrix products take any pitch; where an operation needs pitch == columns
 * its header says so. A view may have any strides instead (a transposed matrix, every second column, a plane of
 * complex parts): copies, reads and writes take them, and whatever says so in its header; all else fails with LAYOUT,
 * and takes a dense copy.
 */
#ifndef CLIV_TENSOR_H
#define CLIV_TENSOR_H

#include <cliv/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cliv_tensor cliv_tensor;

/* Allocates; the contents are undefined. DEVICE_DTYPE where the device lacks the type, DEVICE_MEMORY where it cannot
 * hold it. */
CLIV_API cliv_status cliv_tensor_create(cliv_context *ctx, cliv_dtype dtype, int ndim, const size_t *shape,
                                        cliv_tensor **out) CLIV_MUST_CHECK;

/* A tensor over the caller's cl_mem, `offset` bytes in; retains it. offset must be a multiple of the element size, and
 * offset + bytes must lie within the buffer. */
CLIV_API cliv_status cliv_tensor_wrap(cliv_context *ctx, cl_mem mem, size_t offset, cliv_dtype dtype, int ndim,
                                      const size_t *shape, cliv_tensor **out) CLIV_MUST_CHECK;

/* A tensor over the caller's shared virtual memory, `offset` bytes into what clSVMAlloc gave in the context's
 * cl_context, coarse-grained or fine-grained; `svm` is that pointer itself. svm + offset must be a multiple of the
 * element size, and offset + bytes must lie within the allocation, which cannot be checked. It is as any other tensor,
 * over a cl_mem of its own that is the same memory; and optimizers step all that lie in shared virtual memory in one
 * launch, however many allocations that are (cliv/optim.h).
 *
 * The memory stays the caller's: it is freed after the tensor, its views, the optimizers that have it, and all that was
 * enqueued on it. Host access keeps to OpenCL's rules: coarse-grained memory is mapped before it, and unmapped before
 * the next command that uses it (clEnqueueSVMMap, clEnqueueSVMUnmap), in the order of the queue or by events. Overlaps
 * are seen between such tensors, not between one and a cl_mem of the caller's over the same memory. Fails with
 * DEVICE_ABILITY (the device or the loader has no shared virtual memory), DTYPE, DEVICE_DTYPE, SHAPE, NULL, VALUE
 * (alignment; a pointer that clSVMAlloc did not give), OPENCL, HOST_MEMORY. */
CLIV_API cliv_status cliv_tensor_wrap_svm(cliv_context *ctx, void *svm, size_t offset, cliv_dtype dtype, int ndim,
                                          const size_t *shape, cliv_tensor **out) CLIV_MUST_CHECK;

/* A view of other shape into the memory of `base`, `offset` elements from base's first; pitch: elements from one row to
 * the next, 0 for dense. The view must lie within what base spans. */
CLIV_API cliv_status cliv_tensor_view(const cliv_tensor *base, size_t offset, int ndim, const size_t *shape,
                                      size_t pitch, cliv_tensor **out) CLIV_MUST_CHECK;

/* A view with a stride for each axis, in elements: element [i, j, …] lies at offset + i·strides[0] + j·strides[1] + …
 * from base's first. No two elements may lie in one place (VALUE): each stride must be greater than what the axes of
 * smaller strides reach together; that of an axis of extent 1 does not matter. Where a pitch says the same, the view is
 * as one by cliv_tensor_view. Two tensors of which one is strided count as overlapping where their ranges of memory
 * do, even if their elements alternate. */
CLIV_API cliv_status cliv_tensor_view_strided(const cliv_tensor *base, size_t offset, int ndim, const size_t *shape,
                                              const size_t *strides, cliv_tensor **out) CLIV_MUST_CHECK;

/* NULL does nothing. Work already enqueued on the memory still runs. */
CLIV_API void cliv_tensor_free(cliv_tensor *tensor);

CLIV_API cliv_dtype cliv_tensor_dtype(const cliv_tensor *tensor);
CLIV_API int cliv_tensor_ndim(const cliv_tensor *tensor);
CLIV_API const size_t *cliv_tensor_shape(const cliv_tensor *tensor);   /* ndim values */
CLIV_API size_t cliv_tensor_count(const cliv_tensor *tensor);          /* elements */
CLIV_API size_t cliv_tensor_pitch(const cliv_tensor *tensor);          /* elements from row to row; 0: strided */
CLIV_API const size_t *cliv_tensor_strides(const cliv_tensor *tensor); /* ndim values, in elements; any tensor's */
CLIV_API size_t cliv_tensor_offset(const cliv_tensor *tensor);         /* bytes from the start of the cl_mem */
CLIV_API cl_mem cliv_tensor_mem(const cliv_tensor *tensor);            /* not retained; NULL for no elements */
CLIV_API cliv_context *cliv_tensor_context(const cliv_tensor *tensor);

/* Blocking copies between the tensor and a dense host array of the same dtype and count; bytes must be count × element
 * size. */
CLIV_API cliv_status cliv_tensor_write(cliv_tensor *tensor, const void *host, size_t bytes) CLIV_MUST_CHECK;
CLIV_API cliv_status cliv_tensor_read(const cliv_tensor *tensor, void *host, size_t bytes) CLIV_MUST_CHECK;

/* Sets every element to `value` rounded to the dtype (integers: must be exactly representable). Dense tensors. */
CLIV_API cliv_status cliv_tensor_fill(cliv_tensor *tensor, double value, const cliv_sync *sync) CLIV_MUST_CHECK;

/* Enqueues a copy; same dtype and count, and the same shape where one of them is strided (SHAPE). */
CLIV_API cliv_status cliv_tensor_copy(const cliv_tensor *from, cliv_tensor *to, const cliv_sync *sync) CLIV_MUST_CHECK;

/* From and to host arrays (dtype and shape travel along). Both block. */
CLIV_API cliv_status cliv_tensor_from_array(cliv_context *ctx, const cliv_array *array,
                                            cliv_tensor **out) CLIV_MUST_CHECK;
CLIV_API cliv_status cliv_tensor_to_array(const cliv_tensor *tensor, cliv_array *out) CLIV_MUST_CHECK;

/* Many tensors in one allocation, so that one launch can serve them all (optimizer steps, norms). Every tensor starts
 * at a multiple of 64 elements (256 bytes of float32). `shapes` holds count shapes one after another, ndims[i] values
 * each. out[i] is a tensor as any other, to be freed by the caller; the memory goes with the last of them. */
CLIV_API cliv_status cliv_arena_create(cliv_context *ctx, cliv_dtype dtype, size_t count, const int *ndims,
                                       const size_t *shapes, cliv_tensor **out) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
