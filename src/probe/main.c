/* cliv-probe SECONDS LIBRARY: tries the one driver that its environment leaves to the OpenCL loader.
 * cliv-probe SECONDS LIBRARY clfft PLATFORM DEVICE VERSION SHAPE: tries a plan of clFFT's there, see transform.c.
 * Started by the library (src/runtime/trial.c), of no use by itself. It may crash or hang: that is what it is for.
 *
 * What it finds goes to descriptor 3, a line each; no "done" at the end means that it did not get there:
 *   absent <tab> reason                                        the library cannot be loaded
 *   nonsense <tab> what                                        the driver answers with something that cannot be
 *   device <tab> platform <tab> name <tab> version <tab> what  this device fails a trial
 *   done
 */
#include <cliv/device.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "probe/probe.h"
#include "runtime/match.h"

enum { REPORT_FD = 3, MAX_PLATFORMS = 64, MAX_DEVICES = 256, N = 1024 };

static FILE *report; /* flushed by the line: what comes next may end the process */

void probe_say(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vfprintf(report, format, args);
  va_end(args);
  fputc('\n', report);
  fflush(report);
}

/* Ends without the driver's destructors: what they do is nobody's concern here. */
void probe_finish(void) {
  fputs("done\n", report);
  fflush(report);
  _exit(0);
}

static void nonsense(const char *what, long long value) {
  probe_say("nonsense\t%s (%lld)", what, value);
  probe_finish();
}

/* A text of the device, or of the platform when device is NULL, as the library shows it; it must end in a 0 within its
 * size. */
void probe_read_text(cl_platform_id platform, cl_device_id device, cl_uint what, char *to, size_t room) {
  size_t size = 0;
  cl_int code =
      device ? clGetDeviceInfo(device, what, 0, NULL, &size) : clGetPlatformInfo(platform, what, 0, NULL, &size);
  if (code != CL_SUCCESS || size == 0 || size > 1 << 20) nonsense("a name has an impossible length", (long long)size);
  char *text = calloc(1, size + 1);
  if (!text) exit(1);
  code = device ? clGetDeviceInfo(device, what, size, text, NULL) : clGetPlatformInfo(platform, what, size, text, NULL);
  if (code != CL_SUCCESS || memchr(text, 0, size) == NULL) nonsense("a name has no end", code);
  snprintf(to, room, "%s", text);
  cliv__clean(to);
  free(text);
}

static cl_ulong number_of(cl_device_id device, cl_device_info what, size_t bytes) {
  cl_ulong value = 0;
  cl_uint narrow = 0;
  const cl_int code =
      clGetDeviceInfo(device, what, bytes, bytes == sizeof value ? (void *)&value : (void *)&narrow, NULL);
  if (code != CL_SUCCESS) nonsense("a device does not tell what it is", code);
  return bytes == sizeof value ? value : narrow;
}

static const char *const source =
    "__kernel void trial(__global const uint *x, __global uint *y, __local uint *t) {\n"
    "  const uint i = (uint)get_global_id(0), l = (uint)get_local_id(0), n = (uint)get_local_size(0);\n"
    "  t[l] = x[i] * 3u;\n"
    "  barrier(CLK_LOCAL_MEM_FENCE);\n"
    "  y[i] = t[n - 1u - l] + i;\n"
    "}\n";

/* Passing troubles of a busy machine; they say nothing about the driver. */
static int passing(cl_int code) {
  return code == CL_OUT_OF_HOST_MEMORY || code == CL_OUT_OF_RESOURCES || code == CL_MEM_OBJECT_ALLOCATION_FAILURE ||
         code == CL_DEVICE_NOT_AVAILABLE;
}

typedef struct run {
  cl_context context;
  cl_command_queue queue;
  cl_program program;
  cl_kernel kernel;
  cl_mem x, y;
} run;

/* NULL, or what failed, with the code. */
static const char *compute(run *r, cl_device_id device, cl_uint *out, const cl_uint *in, cl_int *code) {
  const size_t bytes = N * sizeof *in, global = N,
               most = number_of(device, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(size_t)), local = most >= 16 ? 16 : 1;
  r->context = clCreateContext(NULL, 1, &device, NULL, NULL, code);
  if (*code) return "clCreateContext";
  r->queue = clCreateCommandQueue(r->context, device, 0, code);
  if (*code) return "clCreateCommandQueue";
  r->program = clCreateProgramWithSource(r->context, 1, (const char **)(size_t)&source, NULL, code);
  if (*code) return "clCreateProgramWithSource";
  if ((*code = clBuildProgram(r->program, 1, &device, "", NULL, NULL)) != CL_SUCCESS) return "clBuildProgram";
  r->kernel = clCreateKernel(r->program, "trial", code);
  if (*code) return "clCreateKernel";
  r->x = clCreateBuffer(r->context, CL_MEM_READ_ONLY, bytes, NULL, code);
  if (*code) return "clCreateBuffer";
  r->y = clCreateBuffer(r->context, CL_MEM_READ_WRITE, bytes, NULL, code);
  if (*code) return "clCreateBuffer";
  if ((*code = clEnqueueWriteBuffer(r->queue, r->x, CL_TRUE, 0, bytes, in, 0, NULL, NULL)) != CL_SUCCESS)
    return "clEnqueueWriteBuffer";
  clSetKernelArg(r->kernel, 0, sizeof r->x, &r->x);
  clSetKernelArg(r->kernel, 1, sizeof r->y, &r->y);
  clSetKernelArg(r->kernel, 2, local * sizeof *in, NULL);
  *code = clEnqueueNDRangeKernel(r->queue, r->kernel, 1, NULL, &global, &local, 0, NULL, NULL);
  if (*code) return "clEnqueueNDRangeKernel";
  *code = clEnqueueReadBuffer(r->queue, r->y, CL_TRUE, 0, bytes, out, 0, NULL, NULL);
  if (*code) return "clEnqueueReadBuffer";
  for (cl_uint i = 0; i < N; i++) {
    const cl_uint n = (cl_uint)local, mirror = i / n * n + (n - 1 - i % n);
    if (out[i] != in[mirror] * 3u + i) return "a wrong result";
  }
  return NULL;
}

static void release(run *r) {
  if (r->queue) clFinish(r->queue);
  if (r->x) clReleaseMemObject(r->x);
  if (r->y) clReleaseMemObject(r->y);
  if (r->kernel) clReleaseKernel(r->kernel);
  if (r->program) clReleaseProgram(r->program);
  if (r->queue) clReleaseCommandQueue(r->queue);
  if (r->context) clReleaseContext(r->context);
}

static void try_device(cl_platform_id platform, cl_device_id device) {
  cliv_device_info info; /* for the sizes of its texts: what is written here is compared with them */
  probe_read_text(platform, NULL, CL_PLATFORM_NAME, info.platform_name, sizeof info.platform_name);
  probe_read_text(platform, device, CL_DEVICE_NAME, info.name, sizeof info.name);
  probe_read_text(platform, device, CL_DRIVER_VERSION, info.driver, sizeof info.driver);
  const cl_ulong type = number_of(device, CL_DEVICE_TYPE, sizeof(cl_ulong));
  if (type == 0) nonsense("a device is of no type", 0);
  /* The library does not use these; what they would do with a kernel proves nothing. */
  const int idle = type == CL_DEVICE_TYPE_CUSTOM || !number_of(device, CL_DEVICE_AVAILABLE, sizeof(cl_uint)) ||
                   !number_of(device, CL_DEVICE_COMPILER_AVAILABLE, sizeof(cl_uint));
  if (!idle) {
    cl_uint in[N], out[N] = {0};
    for (cl_uint i = 0; i < N; i++) in[i] = i * 2654435761u + 1u;
    run r = {0};
    cl_int code = CL_SUCCESS;
    const char *failed = compute(&r, device, out, in, &code);
    release(&r);
    if (failed && code == CL_SUCCESS)
      probe_say("device\t%s\t%s\t%s\ta small kernel gives %s", info.platform_name, info.name, info.driver, failed);
    if (failed && code != CL_SUCCESS && !passing(code))
      probe_say("device\t%s\t%s\t%s\ta small kernel fails in %s, code %d", info.platform_name, info.name, info.driver,
                failed, (int)code);
  }
}

static void try_platform(cl_platform_id platform) {
  if (!platform) nonsense("a platform is NULL", 0);
  char version[256];
  probe_read_text(platform, NULL, CL_PLATFORM_VERSION, version, sizeof version);
  if (strncmp(version, "OpenCL ", 7) != 0) nonsense("a platform's version does not begin with OpenCL", 0);
  cl_device_id devices[MAX_DEVICES] = {0};
  cl_uint count = 0;
  const cl_int code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MAX_DEVICES, devices, &count);
  if (code == CL_DEVICE_NOT_FOUND || (code == CL_SUCCESS && count == 0)) return;
  if (code != CL_SUCCESS) nonsense("the list of devices fails, code", code);
  if (count > MAX_DEVICES) nonsense("an impossible number of devices", count);
  for (cl_uint i = 0; i < count; i++) {
    if (!devices[i]) nonsense("a device is NULL", i);
    try_device(platform, devices[i]);
  }
}

int main(int argc, char **argv) {
  const int asked = argc == 8 && strcmp(argv[3], "clfft") == 0;
  if ((argc != 3 && !asked) || fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) != 0) {
    fputs("cliv-probe is started by the cliv library; try 'cliv devices --probe'\n", stderr);
    return 2;
  }
  alarm((unsigned)strtoul(argv[1], NULL, 10)); /* for the case that nobody is left to end it */
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  report = fdopen(REPORT_FD, "w");
  if (!report) return 1;
  cl_platform_id platforms[MAX_PLATFORMS] = {0};
  cl_uint count = 0;
  const cl_int code = clGetPlatformIDs(MAX_PLATFORMS, platforms, &count);
  if (code != CL_SUCCESS || count == 0) {
    if (!dlopen(argv[2], RTLD_LAZY | RTLD_LOCAL)) {
      const char *reason = dlerror();
      probe_say("absent\t%s", reason ? reason : argv[2]);
    }
    probe_finish();
  }
  if (count > MAX_PLATFORMS) nonsense("an impossible number of platforms", count);
  if (asked) probe_transform(platforms, count, argv + 4);
  else
    for (cl_uint i = 0; i < count; i++) try_platform(platforms[i]);
  probe_finish();
}
