/* An OpenCL driver that is broken in the way that FAULT says: what test_probe lets the loader meet. */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <CL/cl_icd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ABORTS 1
#define HANGS 2
#define CRASHES_WHEN_LOADED 3
#define COUNTS_WRONG 4
#define NAMELESS 5
#define ENDS_PROCESS 6
#define IGNORES_SIGNALS 7

struct _cl_platform_id {
  cl_icd_dispatch *dispatch;
};

static cl_icd_dispatch dispatch;
static struct _cl_platform_id platform = {&dispatch};

static void hang(void) {
  for (;;) pause();
}

#if FAULT == CRASHES_WHEN_LOADED
__attribute__((constructor)) static void crash(void) { raise(SIGSEGV); }
#endif

static cl_int give(const char *text, size_t size, void *to, size_t *needed) {
  const size_t length = strlen(text) + 1;
  if (to && size < length) return CL_INVALID_VALUE;
  if (to) memcpy(to, text, length);
  if (needed) *needed = length;
  return CL_SUCCESS;
}

static cl_int CL_API_CALL platform_info(cl_platform_id which, cl_platform_info what, size_t size, void *to, size_t *needed) {
  (void)which;
  switch (what) {
    case CL_PLATFORM_EXTENSIONS: return give("cl_khr_icd", size, to, needed);
    case CL_PLATFORM_ICD_SUFFIX_KHR: return give("FAKE", size, to, needed);
    case CL_PLATFORM_NAME: return give("Fake", size, to, needed);
    case CL_PLATFORM_PROFILE: return give("FULL_PROFILE", size, to, needed);
    case CL_PLATFORM_VERSION: return give(FAULT == NAMELESS ? "\xff\x01 nothing" : "OpenCL 1.2 Fake", size, to, needed);
    default: return give("fake", size, to, needed);
  }
}

static cl_int CL_API_CALL device_ids(cl_platform_id which, cl_device_type type, cl_uint room, cl_device_id *to, cl_uint *count) {
  (void)which, (void)type, (void)room, (void)to;
  if (count) *count = FAULT == COUNTS_WRONG ? 0x7fffffff : 0;
  return FAULT == COUNTS_WRONG ? CL_SUCCESS : CL_DEVICE_NOT_FOUND;
}

static cl_int CL_API_CALL platform_ids(cl_uint room, cl_platform_id *to, cl_uint *count) {
  if (FAULT == ABORTS) abort();
  if (FAULT == HANGS) hang();
  if (FAULT == ENDS_PROCESS) _exit(0);
  if (FAULT == IGNORES_SIGNALS) {
    signal(SIGTERM, SIG_IGN);
    signal(SIGALRM, SIG_IGN);
    hang();
  }
  dispatch.clGetPlatformInfo = platform_info;
  dispatch.clGetDeviceIDs = device_ids;
  dispatch.clGetPlatformIDs = platform_ids;
  if (room && to) to[0] = &platform;
  if (count) *count = 1;
  return CL_SUCCESS;
}

cl_int CL_API_CALL clIcdGetPlatformIDsKHR(cl_uint room, cl_platform_id *to, cl_uint *count) {
  return platform_ids(room, to, count);
}

void *CL_API_CALL clGetExtensionFunctionAddress(const char *name) {
  void *address = NULL;
  if (strcmp(name, "clIcdGetPlatformIDsKHR") == 0) {
    cl_int(CL_API_CALL * const call)(cl_uint, cl_platform_id *, cl_uint *) = clIcdGetPlatformIDsKHR;
    memcpy(&address, &call, sizeof address);
  }
  if (strcmp(name, "clGetPlatformInfo") == 0) {
    cl_int(CL_API_CALL * const call)(cl_platform_id, cl_platform_info, size_t, void *, size_t *) = platform_info;
    memcpy(&address, &call, sizeof address);
  }
  return address;
}

cl_int CL_API_CALL clGetPlatformInfo(cl_platform_id which, cl_platform_info what, size_t size, void *to, size_t *needed) {
  return platform_info(which, what, size, to, needed);
}
