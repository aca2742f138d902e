/* Cliv inside a program that has OpenCL objects of its own: Adam over parameters that stay in the program's buffers, in
 * the program's queue, between its own kernels, tied to them by events. Fits a line to 1,000 points.
 * Build: cc embed_in_app.c $(pkg-config --cflags --libs cliv) -lOpenCL */
#include <cliv/cliv.h>
#include <stdio.h>

static const char *const SOURCE = /* the program's own: the gradient of (a x + b - y)^2 / 2, on average */
    "__kernel void gradient(__global const float *line, __global float *out, uint n) {\n"
    "  float a = 0, b = 0;\n"
    "  for (uint i = 0; i < n; i++) {\n"
    "    const float x = (float)i / n, error = line[0] * x + line[1] - (3 * x - 1);\n"
    "    a += error * x;\n"
    "    b += error;\n"
    "  }\n"
    "  out[0] = a / n;\n"
    "  out[1] = b / n;\n"
    "}\n";

#define CHECK(call)                                                     \
  do {                                                                  \
    if (call) return fprintf(stderr, "%s\n", cliv_last_error(cliv)), 1; \
  } while (0)

int main(void) {
  const cl_uint points = 1000;
  const size_t one = 1, two = 2;
  cl_platform_id platform;
  cl_device_id device;
  cliv_context *cliv = NULL;
  cliv_tensor *weight, *grad;
  cliv_optimizer *adam;

  /* What the program has: a context, a queue (out of order, if it can be had), a kernel, two buffers. */
  if (clGetPlatformIDs(1, &platform, NULL) || clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL)) return 1;
  cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, NULL);
  cl_command_queue queue = clCreateCommandQueue(context, device, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, NULL);
  if (!queue) queue = clCreateCommandQueue(context, device, 0, NULL);
  cl_program program = clCreateProgramWithSource(context, 1, (const char **)(size_t)&SOURCE, NULL, NULL);
  if (clBuildProgram(program, 1, &device, "", NULL, NULL)) return 1;
  cl_kernel gradient = clCreateKernel(program, "gradient", NULL);
  cl_mem line = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, 8, (float[]){0, 0}, NULL);
  cl_mem slope = clCreateBuffer(context, CL_MEM_READ_WRITE, 8, NULL, NULL);
  clSetKernelArg(gradient, 0, sizeof line, &line);
  clSetKernelArg(gradient, 1, sizeof slope, &slope);
  clSetKernelArg(gradient, 2, sizeof points, &points);

  /* What Cliv gets: those objects, and views of the buffers. Nothing is copied. */
  CHECK(cliv_context_wrap(context, device, queue, NULL, &cliv));
  CHECK(cliv_tensor_wrap(cliv, line, 0, CLIV_F32, 1, &two, &weight));
  CHECK(cliv_tensor_wrap(cliv, slope, 0, CLIV_F32, 1, &two, &grad));
  CHECK(cliv_optimizer_create(cliv, "adam", NULL, &adam));
  CHECK(cliv_optimizer_set(adam, CLIV_ALL_GROUPS, "lr", 0.1));
  CHECK(cliv_optimizer_add(adam, weight, grad, CLIV_DEFAULT_GROUP));

  /* Kernel, step, kernel, step …: each waits for the one before, on the device. The host waits once, at the end. */
  cl_event worked, stepped = NULL;
  for (int i = 0; i < 500; i++) {
    if (clEnqueueNDRangeKernel(queue, gradient, 1, NULL, &one, NULL, i > 0, i ? &stepped : NULL, &worked)) return 1;
    if (i) clReleaseEvent(stepped);
    CHECK(cliv_optimizer_step(adam, &(cliv_sync){1, &worked, &stepped}));
    clReleaseEvent(worked);
  }
  float result[2];
  if (clEnqueueReadBuffer(queue, line, CL_TRUE, 0, sizeof result, result, 1, &stepped, NULL)) return 1;
  printf("%s: %.4f x %+.4f\n", cliv_context_device_name(cliv), (double)result[0], (double)result[1]);

  clReleaseEvent(stepped);
  cliv_optimizer_free(adam);
  cliv_tensor_free(weight);
  cliv_tensor_free(grad);
  cliv_context_free(cliv);
  clReleaseMemObject(line), clReleaseMemObject(slope), clReleaseKernel(gradient), clReleaseProgram(program);
  clReleaseCommandQueue(queue), clReleaseContext(context);
  return result[0] < 2.99f || result[0] > 3.01f;
}
