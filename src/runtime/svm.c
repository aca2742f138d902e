/* See svm.h. */
#include "runtime/svm.h"

#include <stdlib.h>

#ifdef __GNUC__ /* NULL in a program that is linked with a loader of OpenCL 1.2 */
#pragma weak clSetKernelExecInfo
#pragma weak clSVMAlloc
#pragma weak clSVMFree
#endif

static bool can_ask(const cliv_context *ctx) { return ctx->facts.opencl >= 200 && clSetKernelExecInfo != NULL; }

static cliv_status read_abilities(cliv_context *ctx, cl_device_svm_capabilities *has) {
  *has = 0;
  if (can_ask(ctx))
    CL_TRY(ctx, clGetDeviceInfo(ctx->device, CL_DEVICE_SVM_CAPABILITIES, sizeof *has, has, NULL), "clGetDeviceInfo");
  return CLIV_OK;
}

cliv_status cliv__svm_check(cliv_context *ctx) {
  cl_device_svm_capabilities has;
  TRY(read_abilities(ctx, &has));
  REQUIRE(ctx, has & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER, DEVICE_ABILITY,
          "shared virtual memory is asked for, and device '%s' has none%s; keep the tensors in cl_mems, and those that "
          "are to step in one launch in one (cliv_tensor_wrap, cliv_arena_create)",
          ctx->facts.name,
          can_ask(ctx) || ctx->facts.opencl < 200 ? "" : " by this OpenCL loader, which is of version 1.2");
  return CLIV_OK;
}

cliv_status cliv__svm_allocate(cliv_context *ctx, size_t bytes, void **out) {
  TRY(cliv__svm_check(ctx));
  *out = clSVMAlloc(ctx->context, CL_MEM_READ_WRITE, bytes, 0);
  REQUIRE(ctx, *out != NULL, DEVICE_MEMORY, "device '%s' gives no %zu bytes of shared virtual memory", ctx->facts.name,
          bytes);
  return CLIV_OK;
}

void cliv__svm_free(cliv_context *ctx, void *svm) {
  if (svm) clSVMFree(ctx->context, svm);
}

cliv_status cliv__svm_buffer(cliv_context *ctx, void *svm, size_t bytes, cl_mem *out) {
  cl_int code;
  cl_bool shared = CL_FALSE;
  const cl_mem mem = clCreateBuffer(ctx->context, CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR, bytes, svm, &code);
  CL_TRY(ctx, code, "clCreateBuffer over shared virtual memory");
  code = clGetMemObjectInfo(mem, CL_MEM_USES_SVM_POINTER, sizeof shared, &shared, NULL);
  if (code || !shared) clReleaseMemObject(mem);
  CL_TRY(ctx, code, "clGetMemObjectInfo");
  REQUIRE(ctx, shared, VALUE,
          "the pointer is not the beginning of shared virtual memory of the context's cl_context: give what clSVMAlloc "
          "gave, and the place in it as offset");
  *out = mem;
  return CLIV_OK;
}

/* A kernel of its own, since what it is told stays with it, and those of a context serve all optimizers. */
static cliv_status twin(cliv_context *ctx, cl_kernel kernel, cl_kernel *out) {
  cl_program program;
  size_t size = 0;
  cl_int code;
  CL_TRY(ctx, clGetKernelInfo(kernel, CL_KERNEL_PROGRAM, sizeof program, &program, NULL), "clGetKernelInfo");
  CL_TRY(ctx, clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, 0, NULL, &size), "clGetKernelInfo");
  char *name = malloc(size + 1);
  REQUIRE(ctx, name != NULL, HOST_MEMORY, "no memory for a kernel's name");
  code = clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, size, name, NULL);
  *out = code ? NULL : clCreateKernel(program, name, &code);
  free(name);
  CL_TRY(ctx, code, "clCreateKernel");
  return CLIV_OK;
}

/* Says what the kernel reaches. A CPU device that shares all of the process' memory needs no list, which Intel's
 * runtime would go through for each launch. */
static cl_int tell(const cliv_context *ctx, cl_kernel kernel, cl_device_svm_capabilities has, void *const *allocations,
                   size_t count) {
  const cl_bool all = (has & CL_DEVICE_SVM_FINE_GRAIN_SYSTEM) && (ctx->facts.type & CL_DEVICE_TYPE_CPU);
  return all ? clSetKernelExecInfo(kernel, CL_KERNEL_EXEC_INFO_SVM_FINE_GRAIN_SYSTEM, sizeof all, &all)
             : clSetKernelExecInfo(kernel, CL_KERNEL_EXEC_INFO_SVM_PTRS, count * sizeof *allocations, allocations);
}

cliv_status cliv__svm_kernel(cliv_context *ctx, cl_kernel kernel, void *const *allocations, size_t count,
                             cl_kernel *out) {
  cl_device_svm_capabilities has;
  cl_kernel made = NULL;
  TRY(read_abilities(ctx, &has));
  TRY(twin(ctx, kernel, &made));
  const cl_int code = tell(ctx, made, has, allocations, count);
  if (code) clReleaseKernel(made);
  CL_TRY(ctx, code, "clSetKernelExecInfo");
  *out = made;
  return CLIV_OK;
}
