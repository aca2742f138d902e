/* See layer.h. wrappers.inc is made by generate_layer.py from the installed headers. */
#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_0_APIS
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#define CL_USE_DEPRECATED_OPENCL_2_0_APIS
#define CL_USE_DEPRECATED_OPENCL_2_1_APIS
#define CL_USE_DEPRECATED_OPENCL_2_2_APIS
#include "layer.h"

#include <CL/cl.h>
#include <CL/cl_layer.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

static const cl_icd_dispatch *next; /* what the layer calls on */
static cl_icd_dispatch table;       /* what the loader calls */

/* ---- counting objects ---- */

typedef enum kind { CONTEXT, QUEUE, MEM, PROGRAM, KERNEL, EVENT, SAMPLER, SUBDEVICE, KINDS } kind;
static const char *const kind_names[KINDS] = {"context", "queue", "mem",     "program",
                                              "kernel",  "event", "sampler", "subdevice"};
static atomic_long alive[KINDS];

static void object(kind k, long change) { atomic_fetch_add(&alive[k], change); }

static const char *leaks(void) {
  static char text[256];
  size_t n = 0;
  text[0] = 0;
  for (int k = 0; k < KINDS; k++)
    if (alive[k])
      n += (size_t)snprintf(text + n, sizeof text - n, "%s%s:%ld", n ? "," : "", kind_names[k], (long)alive[k]);
  return n ? text : "none";
}

/* References to devices count for sub-devices alone. */
static cl_device_id subdevices[64];

static bool is_subdevice(cl_device_id device) {
  for (size_t i = 0; i < sizeof subdevices / sizeof *subdevices; i++)
    if (device && subdevices[i] == device) return true;
  return false;
}

static void add_subdevice(cl_device_id device) {
  for (size_t i = 0; i < sizeof subdevices / sizeof *subdevices; i++) {
    if (subdevices[i] && subdevices[i] != device) continue;
    subdevices[i] = device;
    return;
  }
}

/* ---- failing ---- */

static atomic_long calls;
static long fail_at;
static int sticky;
static const char *only, *_Atomic fired_name;

static void arm(long n, int stay, const char *text) {
  calls = 0;
  fired_name = NULL;
  fail_at = n;
  sticky = stay;
  only = text;
}

static const char *fired(void) { return fired_name; }

static long counted(void) { return calls; }

EXPORT const fault_layer cliv_fault_layer = {arm, fired, counted, leaks};

static bool begins(const char *name, const char *with) { return strncmp(name, with, strlen(with)) == 0; }

/* An error that the call may give by the standard. */
static cl_int fitting_code(const char *name) {
  static const struct {
    const char *begin;
    cl_int code;
  } codes[] = {{"clCreateBuffer", CL_MEM_OBJECT_ALLOCATION_FAILURE},
               {"clCreateImage", CL_MEM_OBJECT_ALLOCATION_FAILURE},
               {"clEnqueueMap", CL_MAP_FAILURE},
               {"clBuildProgram", CL_BUILD_PROGRAM_FAILURE},
               {"clCompileProgram", CL_COMPILE_PROGRAM_FAILURE},
               {"clLinkProgram", CL_LINK_PROGRAM_FAILURE},
               {"clCreateContext", CL_DEVICE_NOT_AVAILABLE},
               {"clCreateProgramWithBinary", CL_INVALID_BINARY},
               {"clEnqueue", CL_OUT_OF_RESOURCES},
               {"clFinish", CL_OUT_OF_RESOURCES},
               {"clFlush", CL_OUT_OF_RESOURCES},
               {"clWaitForEvents", CL_OUT_OF_RESOURCES}};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (begins(name, codes[i].begin)) return codes[i].code;
  return CL_OUT_OF_HOST_MEMORY;
}

static bool fails(const char *name, cl_int *code) {
  if (begins(name, "clSVM")) return false; /* the guest's calls: the library makes and frees no such memory */
  if (only && !strstr(name, only)) return false;
  const long call = atomic_fetch_add(&calls, 1) + 1;
  if (!fail_at || call < fail_at || (call > fail_at && !sticky)) return false;
  const char *none = NULL;
  atomic_compare_exchange_strong(&fired_name, &none, name);
  *code = fitting_code(name);
  return true;
}

#define FAIL_WITH_CODE(name)                          \
  do {                                                \
    cl_int fault_code;                                \
    if (fails(#name, &fault_code)) return fault_code; \
  } while (0)
#define FAIL_WITH_NULL(name)                    \
  do {                                          \
    cl_int fault_code;                          \
    if (!fails(#name, &fault_code)) break;      \
    if (errcode_ret) *errcode_ret = fault_code; \
    return NULL;                                \
  } while (0)
#define FAIL_WITH_NOTHING(name)                 \
  do {                                          \
    cl_int fault_code;                          \
    if (fails(#name, &fault_code)) return NULL; \
  } while (0)

/* ---- pretending ---- */

/* The value of a key in CLIV_SPOOF, copied to room; false when it is not there. */
static bool spoofed(const char *key, char room[1024]) {
  const size_t n = strlen(key);
  for (const char *at = getenv("CLIV_SPOOF"); at; at = strchr(at, ';')) {
    at += *at == ';';
    if (strncmp(at, key, n) != 0 || at[n] != '=') continue;
    snprintf(room, 1024, "%.*s", (int)strcspn(at + n + 1, ";"), at + n + 1);
    return true;
  }
  return false;
}

static cl_ulong spoofed_number(const char *key) {
  char room[1024];
  return spoofed(key, room) ? strtoull(room, NULL, 0) : 0;
}

static const struct {
  cl_device_info parameter;
  const char *key;
  size_t bytes; /* of the number; 0: text */
} answers[] = {{CL_DEVICE_VENDOR, "vendor", 0},
               {CL_DEVICE_NAME, "name", 0},
               {CL_DRIVER_VERSION, "driver", 0},
               {CL_DEVICE_VERSION, "version", 0},
               {CL_DEVICE_EXTENSIONS, "ext", 0},
               {CL_DEVICE_TYPE, "type", sizeof(cl_device_type)},
               {CL_DEVICE_MAX_WORK_GROUP_SIZE, "wg", sizeof(size_t)},
               {CL_DEVICE_LOCAL_MEM_SIZE, "local", sizeof(cl_ulong)},
               {CL_DEVICE_MAX_MEM_ALLOC_SIZE, "alloc", sizeof(cl_ulong)},
               {CL_DEVICE_GLOBAL_MEM_SIZE, "global", sizeof(cl_ulong)},
               {CL_DEVICE_MAX_COMPUTE_UNITS, "cu", sizeof(cl_uint)}};

static cl_int CL_API_CALL layer_clGetDeviceInfo(cl_device_id device, cl_device_info parameter, size_t size, void *value,
                                                size_t *size_ret) {
  FAIL_WITH_CODE(clGetDeviceInfo);
  char room[1024];
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    if (answers[i].parameter != parameter || !spoofed(answers[i].key, room)) continue;
    const cl_ulong number = strtoull(room, NULL, 0); /* its low bytes come first */
    const size_t bytes = answers[i].bytes ? answers[i].bytes : strlen(room) + 1;
    if (value && size < bytes) return CL_INVALID_VALUE;
    if (value) memcpy(value, answers[i].bytes ? (const void *)&number : room, bytes);
    if (size_ret) *size_ret = bytes;
    return CL_SUCCESS;
  }
  return next->clGetDeviceInfo(device, parameter, size, value, size_ret);
}

static cl_int CL_API_CALL layer_clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                                                       const size_t *offset, const size_t *global, const size_t *local,
                                                       cl_uint wait_count, const cl_event *wait, cl_event *event) {
  FAIL_WITH_CODE(clEnqueueNDRangeKernel);
  const cl_ulong most = spoofed_number("wg");
  size_t group = 1;
  for (cl_uint i = 0; local && i < dimensions; i++) group *= local[i];
  if (most && group > most) return CL_INVALID_WORK_GROUP_SIZE;
  const cl_int code =
      next->clEnqueueNDRangeKernel(queue, kernel, dimensions, offset, global, local, wait_count, wait, event);
  if (code == CL_SUCCESS && event && *event) object(EVENT, 1);
  return code;
}

static cl_mem CL_API_CALL layer_clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host,
                                               cl_int *errcode_ret) {
  FAIL_WITH_NULL(clCreateBuffer);
  const cl_ulong most = spoofed_number("alloc");
  if (most && size > most) {
    if (errcode_ret) *errcode_ret = CL_INVALID_BUFFER_SIZE;
    return NULL;
  }
  const cl_mem made = next->clCreateBuffer(context, flags, size, host, errcode_ret);
  if (made) object(MEM, 1);
  return made;
}

static cl_int CL_API_CALL layer_clCreateKernelsInProgram(cl_program program, cl_uint room, cl_kernel *kernels,
                                                         cl_uint *number) {
  FAIL_WITH_CODE(clCreateKernelsInProgram);
  cl_uint made = 0;
  const cl_int code = next->clCreateKernelsInProgram(program, room, kernels, &made);
  if (code == CL_SUCCESS && kernels) object(KERNEL, (long)made);
  if (number) *number = made;
  return code;
}

static cl_int CL_API_CALL layer_clCreateSubDevices(cl_device_id device, const cl_device_partition_property *how,
                                                   cl_uint room, cl_device_id *out, cl_uint *number) {
  FAIL_WITH_CODE(clCreateSubDevices);
  cl_uint made = 0;
  const cl_int code = next->clCreateSubDevices(device, how, room, out, &made);
  for (cl_uint i = 0; code == CL_SUCCESS && out && i < made; i++) {
    add_subdevice(out[i]);
    object(SUBDEVICE, 1);
  }
  if (number) *number = made;
  return code;
}

static cl_int CL_API_CALL layer_clRetainDevice(cl_device_id device) {
  const cl_int code = next->clRetainDevice(device);
  if (code == CL_SUCCESS && is_subdevice(device)) object(SUBDEVICE, 1);
  return code;
}

static cl_int CL_API_CALL layer_clReleaseDevice(cl_device_id device) {
  const bool counts = is_subdevice(device);
  const cl_int code = next->clReleaseDevice(device);
  if (code == CL_SUCCESS && counts) object(SUBDEVICE, -1);
  return code;
}

/* A device that is lost runs nothing more, so a wait that fails has waited: what was enqueued must not run on behind
 * the back of a library that now frees everything. */
static cl_int CL_API_CALL layer_clFinish(cl_command_queue queue) {
  const cl_int code = next->clFinish(queue);
  FAIL_WITH_CODE(clFinish);
  return code;
}

static cl_int CL_API_CALL layer_clWaitForEvents(cl_uint number, const cl_event *events) {
  const cl_int code = next->clWaitForEvents(number, events);
  FAIL_WITH_CODE(clWaitForEvents);
  return code;
}

#include "wrappers.inc"

/* ---- the loader's side ---- */

static const char *report;

__attribute__((destructor)) static void write_report(void) {
  FILE *f = report ? fopen(report, "a") : NULL;
  if (!f) return;
  fprintf(f, "calls=%ld fired=%s leaks=%s\n", (long)calls, fired_name ? fired_name : "-", leaks());
  fclose(f);
}

static cl_int answer(const void *from, size_t bytes, size_t size, void *value, size_t *size_ret) {
  if (value && size < bytes) return CL_INVALID_VALUE;
  if (value) memcpy(value, from, bytes);
  if (size_ret) *size_ret = bytes;
  return CL_SUCCESS;
}

EXPORT CL_API_ENTRY cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t size, void *value, size_t *size_ret) {
  static const cl_layer_api_version version = CL_LAYER_API_VERSION_100;
  static const char name[] = "Cliv's fault layer";
  if (what == CL_LAYER_API_VERSION) return answer(&version, sizeof version, size, value, size_ret);
  if (what == CL_LAYER_NAME) return answer(name, sizeof name, size, value, size_ret);
  return CL_INVALID_VALUE;
}

EXPORT CL_API_ENTRY cl_int CL_API_CALL clInitLayer(cl_uint entries, const cl_icd_dispatch *target, cl_uint *entries_ret,
                                                   const cl_icd_dispatch **layer) {
  if (!target || !entries_ret || !layer || entries < sizeof table / sizeof(void *)) return CL_INVALID_VALUE;
  const char *n = getenv("CLIV_FAULT_N");
  next = target;
  table = *target;
#define ENTER(name) table.name = layer_##name;
  LAYER_FUNCTIONS(ENTER)
#undef ENTER
  report = getenv("CLIV_FAULT_REPORT");
  arm(n ? atol(n) : 0, getenv("CLIV_FAULT_STICKY") != NULL, getenv("CLIV_FAULT_ONLY"));
  *entries_ret = sizeof table / sizeof(void *);
  *layer = &table;
  return CL_SUCCESS;
}
