/* faulty KERNEL: runs one kernel of 64 work-items with a planted fault, so that scripts/oclgrind-check can be seen to
 * find it. */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdio.h>

static const char source[] =
    "__kernel void good(__global float *x) { x[get_global_id(0)] = 1.0f; }\n"
    "__kernel void overrun(__global float *x) { x[get_global_id(0) + 1] = 1.0f; }\n"
    "__kernel void local_overrun(__global float *x) {\n"
    "  __local float s[64];\n"
    "  const size_t l = get_local_id(0);\n"
    "  s[l + 1] = 1.0f;\n"
    "  barrier(CLK_LOCAL_MEM_FENCE);\n"
    "  x[l] = s[l];\n"
    "}\n"
    "__kernel void race(__global float *x) {\n"
    "  __local float s[64];\n"
    "  const size_t l = get_local_id(0);\n"
    "  s[l] = x[l];\n"
    "  x[l] = s[63 - l];\n"
    "}\n"
    "__kernel void diverge(__global float *x) {\n"
    "  if (get_local_id(0) < 32) barrier(CLK_LOCAL_MEM_FENCE);\n"
    "  x[get_local_id(0)] = 1.0f;\n"
    "}\n";

int main(int argc, char **argv) {
  const char *text = source;
  cl_platform_id platform;
  cl_device_id device;
  cl_int code;
  if (argc != 2 || clGetPlatformIDs(1, &platform, NULL) ||
      clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL))
    return 2;
  cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
  cl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);
  cl_program program = clCreateProgramWithSource(context, 1, &text, NULL, &code);
  if (clBuildProgram(program, 1, &device, "", NULL, NULL)) return 3;
  cl_kernel kernel = clCreateKernel(program, argv[1], &code);
  if (code) return 4;
  float x[64] = {0};
  cl_mem memory = clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof x, x, &code);
  clSetKernelArg(kernel, 0, sizeof memory, &memory);
  const size_t items = 64;
  clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, &items, 0, NULL, NULL);
  clFinish(queue);
  clReleaseMemObject(memory);
  clReleaseKernel(kernel);
  clReleaseProgram(program);
  clReleaseCommandQueue(queue);
  clReleaseContext(context);
  printf("%s ran\n", argv[1]);
  return 0;
}
