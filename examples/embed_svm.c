/* Cliv inside a program whose parameters stay in shared virtual memory, an allocation each: one launch steps them all.
 * Adam over the nodes of a chain, each an allocation of its own, that settle on a parabola; the host looks at them
 * where they are.
 * Build: cc embed_svm.c $(pkg-config --cflags --libs cliv) -lOpenCL */
#define CL_TARGET_OPENCL_VERSION 200
#include <cliv/cliv.h>
#include <math.h>
#include <stdio.h>

enum { NODES = 20, STEPS = 400 };

static const char *const SOURCE = /* the program's own: the gradient of (x - wanted)^2 / 2 */
    "__kernel void pull(__global const float *x, __global float *slope, float wanted) { *slope = *x - wanted; }\n";

#define CHECK(call)                                                     \
  do {                                                                  \
    if (call) return fprintf(stderr, "%s\n", cliv_last_error(cliv)), 1; \
  } while (0)

int main(void) {
  cliv_context *cliv = NULL;
  cliv_optimizer *adam;
  cliv_tensor *weight[NODES], *grad[NODES];
  float *x[NODES], *slope[NODES], worst = 0;
  const size_t one = 1;

  CHECK(cliv_context_create(NULL, &cliv));
  cl_context context = cliv_context_cl_context(cliv);
  cl_device_id device = cliv_context_cl_device(cliv);
  cl_command_queue queue = cliv_context_cl_queue(cliv);
  cl_device_svm_capabilities has = 0;
  if (clGetDeviceInfo(device, CL_DEVICE_SVM_CAPABILITIES, sizeof has, &has, NULL) || !has)
    return puts("This device has no shared virtual memory: see embed_in_app.c."), 0;
  cl_program program = clCreateProgramWithSource(context, 1, (const char **)(size_t)&SOURCE, NULL, NULL);
  if (clBuildProgram(program, 1, &device, "", NULL, NULL)) return 1;
  cl_kernel pull = clCreateKernel(program, "pull", NULL);

  CHECK(cliv_optimizer_create(cliv, "adam", NULL, &adam));
  CHECK(cliv_optimizer_set(adam, CLIV_ALL_GROUPS, "lr", 0.05));
  for (int i = 0; i < NODES; i++) {
    x[i] = clSVMAlloc(context, CL_MEM_READ_WRITE, sizeof *x[i], 0);
    slope[i] = clSVMAlloc(context, CL_MEM_READ_WRITE, sizeof *slope[i], 0);
    if (!x[i] || !slope[i]) return 1;
    CHECK(cliv_tensor_wrap_svm(cliv, x[i], 0, CLIV_F32, 1, &one, &weight[i]));
    CHECK(cliv_tensor_wrap_svm(cliv, slope[i], 0, CLIV_F32, 1, &one, &grad[i]));
    CHECK(cliv_tensor_fill(weight[i], 0, NULL));
    CHECK(cliv_optimizer_add(adam, weight[i], grad[i], CLIV_DEFAULT_GROUP));
  }
  for (int step = 0; step < STEPS; step++) {
    for (int i = 0; i < NODES; i++) { /* in the queue's order: Cliv's context made it, and it is in order */
      const float wanted = (float)(i * i) / (NODES * NODES);
      clSetKernelArgSVMPointer(pull, 0, x[i]);
      clSetKernelArgSVMPointer(pull, 1, slope[i]);
      clSetKernelArg(pull, 2, sizeof wanted, &wanted);
      if (clEnqueueNDRangeKernel(queue, pull, 1, NULL, &one, NULL, 0, NULL, NULL)) return 1;
    }
    CHECK(cliv_optimizer_step(adam, NULL));
  }
  for (int i = 0; i < NODES; i++) { /* coarse-grained memory is mapped while the host looks at it */
    if (clEnqueueSVMMap(queue, CL_TRUE, CL_MAP_READ, x[i], sizeof *x[i], 0, NULL, NULL)) return 1;
    worst = fmaxf(worst, fabsf(*x[i] - (float)(i * i) / (NODES * NODES)));
    clEnqueueSVMUnmap(queue, x[i], 0, NULL, NULL);
  }
  printf("%s: %d nodes, off by %.1g at most\n", cliv_context_device_name(cliv), NODES, (double)worst);

  cliv_optimizer_free(adam);
  for (int i = 0; i < NODES; i++) cliv_tensor_free(weight[i]), cliv_tensor_free(grad[i]);
  CHECK(cliv_context_finish(cliv));
  for (int i = 0; i < NODES; i++) clSVMFree(context, x[i]), clSVMFree(context, slope[i]);
  clReleaseKernel(pull), clReleaseProgram(program);
  cliv_context_free(cliv);
  return worst > 1e-2f;
}
