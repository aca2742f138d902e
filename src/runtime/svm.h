/* Shared virtual memory, which kernels reach by its addresses. OpenCL 2.0's calls, made only on devices that have it;
 * a loader without them is a device without. */
#ifndef CLIV_RUNTIME_SVM_H
#define CLIV_RUNTIME_SVM_H

#include "runtime/context.h"

/* DEVICE_ABILITY where the context's device has no shared virtual memory. */
cliv_status cliv__svm_check(cliv_context *ctx);
/* Coarse-grained memory, on a device that has it; free of NULL does nothing. What uses it is done by then. */
cliv_status cliv__svm_allocate(cliv_context *ctx, size_t bytes, void **out);
void cliv__svm_free(cliv_context *ctx, void *svm);
/* A buffer that is the first `bytes` at `svm`, which clSVMAlloc gave; VALUE where that is something else. */
cliv_status cliv__svm_buffer(cliv_context *ctx, void *svm, size_t bytes, cl_mem *out);
/* A kernel of the caller's own, of the program and name that `kernel` has, for launches that reach allocations by
 * addresses in other memory: these. */
cliv_status cliv__svm_kernel(cliv_context *ctx, cl_kernel kernel, void *const *allocations, size_t count,
                             cl_kernel *out);

#endif
