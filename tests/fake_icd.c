/* An OpenCL driver that is broken in the way that FAULT says: what test_probe lets the loader meet. Those of its
 * devices that get so far accept everything and compute nothing. */
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <CL/cl_icd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ABORTS 1
#define HANGS 2
#define IGNORES_SIGNALS 3
#define CRASHES_WHEN_LOADED 4
#define ENDS_PROCESS 5
#define COUNTS_WRONG 6
#define NAMELESS 7
#define COMPUTES_NOTHING 8
#define MAKES_NO_CONTEXT 9
#define SHORT_OF_MEMORY 10

struct object {
  cl_icd_dispatch *dispatch;
};

static cl_icd_dispatch dispatch;
static struct object platform = {&dispatch}, device = {&dispatch}, thing = {&dispatch};

static void hang(void) {
  for (;;) pause();
}

#if FAULT == CRASHES_WHEN_LOADED
__attribute__((constructor)) static void crash(void) { raise(SIGSEGV); }
#endif

static cl_int give(const void *value, size_t length, size_t size, void *to, size_t *needed) {
  if (to && size < length) return CL_INVALID_VALUE;
  if (to) memcpy(to, value, length);
  if (needed) *needed = length;
  return CL_SUCCESS;
}
static cl_int give_text(const char *text, size_t size, void *to, size_t *needed) {
  return give(text, strlen(text) + 1, size, to, needed);
}
static cl_int give_number(cl_ulong value, size_t bytes, size_t size, void *to, size_t *needed) {
  const cl_uint narrow = (cl_uint)value;
  return give(bytes == sizeof value ? (const void *)&value : &narrow, bytes, size, to, needed);
}

static cl_int CL_API_CALL platform_info(cl_platform_id which, cl_platform_info what, size_t size, void *to,
                                        size_t *needed) {
  (void)which;
  switch (what) {
    case CL_PLATFORM_EXTENSIONS: return give_text("cl_khr_icd", size, to, needed);
    case CL_PLATFORM_ICD_SUFFIX_KHR: return give_text("FAKE", size, to, needed);
    case CL_PLATFORM_NAME: return give_text("Fake", size, to, needed);
    case CL_PLATFORM_PROFILE: return give_text("FULL_PROFILE", size, to, needed);
    case CL_PLATFORM_VERSION:
      return give_text(FAULT == NAMELESS ? "\xff\x01 nothing" : "OpenCL 1.2 Fake", size, to, needed);
    default: return give_text("fake", size, to, needed);
  }
}

static cl_int CL_API_CALL device_ids(cl_platform_id which, cl_device_type type, cl_uint room, cl_device_id *to,
                                     cl_uint *count) {
  (void)which, (void)type;
  const cl_uint devices = FAULT >= COMPUTES_NOTHING ? 1 : 0;
  if (room && to && devices) to[0] = (cl_device_id)(void *)&device;
  if (count) *count = FAULT == COUNTS_WRONG ? 0x7fffffff : devices;
  return FAULT == COUNTS_WRONG || devices ? CL_SUCCESS : CL_DEVICE_NOT_FOUND;
}

static cl_int CL_API_CALL device_info(cl_device_id which, cl_device_info what, size_t size, void *to, size_t *needed) {
  (void)which;
  void *const owner = &platform;
  switch (what) {
    case CL_DEVICE_NAME:
      return give_text("  Fake \t device  ", size, to, needed); /* to be tidied up alike everywhere */
    case CL_DEVICE_VENDOR: return give_text("Fake", size, to, needed);
    case CL_DRIVER_VERSION: return give_text("1.0", size, to, needed);
    case CL_DEVICE_VERSION: return give_text("OpenCL 1.2 Fake", size, to, needed);
    case CL_DEVICE_OPENCL_C_VERSION: return give_text("OpenCL C 1.2", size, to, needed);
    case CL_DEVICE_EXTENSIONS: return give_text("", size, to, needed);
    case CL_DEVICE_PLATFORM: return give(&owner, sizeof owner, size, to, needed);
    case CL_DEVICE_TYPE: return give_number(CL_DEVICE_TYPE_GPU, 8, size, to, needed);
    case CL_DEVICE_GLOBAL_MEM_SIZE: return give_number(1ull << 32, 8, size, to, needed);
    case CL_DEVICE_MAX_WORK_GROUP_SIZE: return give_number(256, sizeof(size_t), size, to, needed);
    case CL_DEVICE_AVAILABLE:
    case CL_DEVICE_COMPILER_AVAILABLE: return give_number(1, 4, size, to, needed);
    case CL_DEVICE_MAX_COMPUTE_UNITS: return give_number(1000, 4, size, to, needed);
    default: return CL_INVALID_VALUE;
  }
}

#define MADE(type, code) (*(code) = CL_SUCCESS, (type)(void *)&thing)

static cl_context CL_API_CALL create_context(const cl_context_properties *properties, cl_uint count,
                                             const cl_device_id *devices,
                                             void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *),
                                             void *data, cl_int *code) {
  (void)properties, (void)count, (void)devices, (void)notify, (void)data;
  if (FAULT >= MAKES_NO_CONTEXT) {
    *code = FAULT == SHORT_OF_MEMORY ? CL_OUT_OF_RESOURCES : CL_INVALID_DEVICE;
    return NULL;
  }
  return MADE(cl_context, code);
}
static cl_command_queue CL_API_CALL create_queue(cl_context c, cl_device_id d, cl_command_queue_properties p,
                                                 cl_int *code) {
  (void)c, (void)d, (void)p;
  return MADE(cl_command_queue, code);
}
static cl_program CL_API_CALL create_program(cl_context c, cl_uint n, const char **text, const size_t *lengths,
                                             cl_int *code) {
  (void)c, (void)n, (void)text, (void)lengths;
  return MADE(cl_program, code);
}
static cl_int CL_API_CALL build(cl_program p, cl_uint n, const cl_device_id *d, const char *options,
                                void(CL_CALLBACK *notify)(cl_program, void *), void *data) {
  (void)p, (void)n, (void)d, (void)options, (void)notify, (void)data;
  return CL_SUCCESS;
}
static cl_kernel CL_API_CALL create_kernel(cl_program p, const char *name, cl_int *code) {
  (void)p, (void)name;
  return MADE(cl_kernel, code);
}
static cl_mem CL_API_CALL create_buffer(cl_context c, cl_mem_flags flags, size_t bytes, void *host, cl_int *code) {
  (void)c, (void)flags, (void)bytes, (void)host;
  return MADE(cl_mem, code);
}
static cl_int CL_API_CALL write_buffer(cl_command_queue q, cl_mem m, cl_bool blocking, size_t offset, size_t bytes,
                                       const void *from, cl_uint n, const cl_event *wait, cl_event *done) {
  (void)q, (void)m, (void)blocking, (void)offset, (void)bytes, (void)from, (void)n, (void)wait, (void)done;
  return CL_SUCCESS;
}
static cl_int CL_API_CALL read_buffer(cl_command_queue q, cl_mem m, cl_bool blocking, size_t offset, size_t bytes,
                                      void *to, cl_uint n, const cl_event *wait, cl_event *done) {
  (void)q, (void)m, (void)blocking, (void)offset, (void)n, (void)wait, (void)done;
  memset(to, 0, bytes);
  return CL_SUCCESS;
}
static cl_int CL_API_CALL set_argument(cl_kernel k, cl_uint i, size_t bytes, const void *value) {
  (void)k, (void)i, (void)bytes, (void)value;
  return CL_SUCCESS;
}
static cl_int CL_API_CALL enqueue(cl_command_queue q, cl_kernel k, cl_uint dims, const size_t *offset,
                                  const size_t *global, const size_t *local, cl_uint n, const cl_event *wait,
                                  cl_event *done) {
  (void)q, (void)k, (void)dims, (void)offset, (void)global, (void)local, (void)n, (void)wait, (void)done;
  return CL_SUCCESS;
}
static cl_int CL_API_CALL finish(cl_command_queue q) {
  (void)q;
  return CL_SUCCESS;
}
#define RELEASES(type)                               \
  static cl_int CL_API_CALL release_##type(type x) { \
    (void)x;                                         \
    return CL_SUCCESS;                               \
  }
RELEASES(cl_context)
RELEASES(cl_command_queue)
RELEASES(cl_program)
RELEASES(cl_kernel)
RELEASES(cl_mem)

static cl_int CL_API_CALL platform_ids(cl_uint room, cl_platform_id *to, cl_uint *count) {
  if (FAULT == ABORTS) abort();
  if (FAULT == HANGS) hang();
  if (FAULT == ENDS_PROCESS) _exit(0);
  if (FAULT == IGNORES_SIGNALS) {
    signal(SIGTERM, SIG_IGN);
    signal(SIGALRM, SIG_IGN);
    hang();
  }
  dispatch = (cl_icd_dispatch){.clGetPlatformIDs = platform_ids,
                               .clGetPlatformInfo = platform_info,
                               .clGetDeviceIDs = device_ids,
                               .clGetDeviceInfo = device_info,
                               .clCreateContext = create_context,
                               .clReleaseContext = release_cl_context,
                               .clCreateCommandQueue = create_queue,
                               .clReleaseCommandQueue = release_cl_command_queue,
                               .clCreateProgramWithSource = create_program,
                               .clReleaseProgram = release_cl_program,
                               .clBuildProgram = build,
                               .clCreateKernel = create_kernel,
                               .clReleaseKernel = release_cl_kernel,
                               .clSetKernelArg = set_argument,
                               .clCreateBuffer = create_buffer,
                               .clReleaseMemObject = release_cl_mem,
                               .clEnqueueWriteBuffer = write_buffer,
                               .clEnqueueReadBuffer = read_buffer,
                               .clEnqueueNDRangeKernel = enqueue,
                               .clFinish = finish};
  if (room && to) to[0] = (cl_platform_id)(void *)&platform;
  if (count) *count = 1;
  return CL_SUCCESS;
}

cl_int CL_API_CALL clIcdGetPlatformIDsKHR(cl_uint room, cl_platform_id *to, cl_uint *count) {
  return platform_ids(room, to, count);
}

cl_int CL_API_CALL clGetPlatformInfo(cl_platform_id which, cl_platform_info what, size_t size, void *to,
                                     size_t *needed) {
  return platform_info(which, what, size, to, needed);
}

void *CL_API_CALL clGetExtensionFunctionAddress(const char *name) {
  void *address = NULL; /* ISO C has no cast from function to object pointer */
  cl_int(CL_API_CALL *const ids)(cl_uint, cl_platform_id *, cl_uint *) = clIcdGetPlatformIDsKHR;
  cl_int(CL_API_CALL *const info)(cl_platform_id, cl_platform_info, size_t, void *, size_t *) = platform_info;
  if (strcmp(name, "clIcdGetPlatformIDsKHR") == 0) memcpy(&address, &ids, sizeof address);
  if (strcmp(name, "clGetPlatformInfo") == 0) memcpy(&address, &info, sizeof address);
  return address;
}
