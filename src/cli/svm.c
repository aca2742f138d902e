/* See svm.h. */
#define CL_TARGET_OPENCL_VERSION 200
#include "cli/svm.h"

#ifdef __GNUC__
#pragma weak clSVMAlloc /* a loader of OpenCL 1.2 has neither, and the library says so first */
#pragma weak clSVMFree
#endif

/* Whether the device has any: a tensor without elements needs no memory. */
static bool check(op_run *run) {
  const size_t none = 0;
  cliv_tensor *t;
  if (!op_check(run, cliv_tensor_wrap_svm(run->ctx, NULL, 0, CLIV_F32, 1, &none, &t))) return false;
  cliv_tensor_free(t);
  return true;
}

bool op_svm_make(op_run *run, int which, cliv_dtype dtype, int ndim, const size_t *shape, op_svm *s) {
  size_t bytes = cliv_dtype_size(dtype);
  if (!check(run)) return false;
  for (int k = 0; k < ndim; k++) bytes *= shape[k];
  if (bytes) s->memory[which] = clSVMAlloc(cliv_context_cl_context(run->ctx), CL_MEM_READ_WRITE, bytes, 0);
  if (bytes && !s->memory[which]) {
    cli_report(run->c, CLIV_DEVICE_MEMORY, "the device gives no %zu bytes of shared virtual memory", bytes);
    return false;
  }
  return op_check(run, cliv_tensor_wrap_svm(run->ctx, s->memory[which], 0, dtype, ndim, shape, &s->tensor[which]));
}

void op_svm_free(op_run *run, op_svm *s) {
  for (int k = 0; k < 2; k++) {
    cliv_tensor_free(s->tensor[k]);
    if (s->memory[k] && !cliv_context_finish(run->ctx)) clSVMFree(cliv_context_cl_context(run->ctx), s->memory[k]);
  }
}
