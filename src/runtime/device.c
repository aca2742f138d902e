/* All platforms' devices and what they can do; which entries are one physical device; the score behind `auto`. */
#include "runtime/device.h"

#include <CL/cl_ext.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "base/text.h"
#include "runtime/context.h"
#include "runtime/match.h"
#include "runtime/probe.h"
#include "runtime/quirks.h"

/* Extension queries that older headers lack. */
#ifndef CL_DEVICE_UUID_KHR
#define CL_DEVICE_UUID_KHR 0x106A
#endif
#ifndef CL_DEVICE_PCI_BUS_INFO_KHR
#define CL_DEVICE_PCI_BUS_INFO_KHR 0x410F
#endif

enum { MAX_PLATFORMS = 64, MAX_DEVICES = 256, MAX_EXTENSIONS = 1 << 20 };

/* The vendor words of the selector grammar: a device belongs to a vendor when one of the patterns is a word of its
 * vendor, its platform's name or vendor, or its driver version. `lanes`: floats a compute unit works on at once, GPUs
 * only; 0: no maker of hardware. */
static const struct {
  const char *word, *patterns[4];
  double lanes;
} vendors[] = {
    {"nvidia", {"NVIDIA"}, 128},
    {"amd", {"AMD", "Advanced Micro Devices", "AuthenticAMD"}, 64},
    {"intel", {"Intel", "GenuineIntel"}, 8},
    {"apple", {"Apple"}, 128},
    {"arm", {"ARM"}, 64},
    {"qualcomm", {"QUALCOMM"}, 128},
    {"imagination", {"Imagination", "Imagination Technologies"}, 64},
    {"mesa", {"Mesa", "rusticl", "Clover"}, 0},
    {"rusticl", {"rusticl"}, 0},
    {"pocl", {"pocl", "Portable Computing Language"}, 0},
    {"oclgrind", {"Oclgrind"}, 0},
    {"microsoft", {"Microsoft"}, 0},
};
enum { VENDORS = (int)(sizeof vendors / sizeof *vendors) };

const char *cliv_device_vendor(size_t index) { return index < (size_t)VENDORS ? vendors[index].word : NULL; }

int cliv__vendor_find(const char *word, size_t length) {
  for (int i = 0; i < VENDORS; i++)
    if (strlen(vendors[i].word) == length && cliv__equal(word, vendors[i].word, length)) return i;
  return -1;
}

int cliv__vendor_is(const cliv_device_info *info, int vendor) {
  const char *const fields[] = {info->vendor, info->platform_name, info->platform_vendor, info->driver};
  for (size_t p = 0; p < 4 && vendors[vendor].patterns[p]; p++)
    for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
      if (cliv__contains_word(fields[f], vendors[vendor].patterns[p])) return 1;
  return 0;
}

/* Reading one device */

/* `code`: the first failure other than "not known" (CL_INVALID_VALUE: an older version than the question). */
typedef struct reader {
  cl_device_id device;
  cl_platform_id platform;
  cl_int code;
} reader;

static bool answered(reader *r, cl_int code) {
  if (r->code == CL_SUCCESS && code != CL_INVALID_VALUE) r->code = code;
  return code == CL_SUCCESS;
}

static bool read_value(reader *r, cl_device_info what, void *value, size_t bytes) {
  return answered(r, clGetDeviceInfo(r->device, what, bytes, value, NULL));
}

/* The whole text of a query on the heap, or NULL. */
static char *query_text(reader *r, bool of_platform, cl_uint what) {
  size_t size = 0;
  const cl_int code = of_platform ? clGetPlatformInfo(r->platform, what, 0, NULL, &size)
                                  : clGetDeviceInfo(r->device, what, 0, NULL, &size);
  if (!answered(r, code) || size == 0 || size > MAX_EXTENSIONS) return NULL;
  char *text = calloc(1, size + 1);
  if (!answered(r, !text         ? CL_OUT_OF_HOST_MEMORY
                   : of_platform ? clGetPlatformInfo(r->platform, what, size, text, NULL)
                                 : clGetDeviceInfo(r->device, what, size, text, NULL))) {
    free(text);
    return NULL;
  }
  return text;
}

static void read_text(reader *r, bool of_platform, cl_uint what, char *to, size_t room) {
  char *text = query_text(r, of_platform, what);
  snprintf(to, room, "%s", text ? text : "");
  cliv__clean(to);
  free(text);
}

static cl_uint read_uint(reader *r, cl_device_info what) {
  cl_uint value = 0;
  return read_value(r, what, &value, sizeof value) ? value : 0;
}

static cl_ulong read_ulong(reader *r, cl_device_info what) {
  cl_ulong value = 0;
  return read_value(r, what, &value, sizeof value) ? value : 0;
}

static size_t read_size(reader *r, cl_device_info what) {
  size_t value = 0;
  return read_value(r, what, &value, sizeof value) ? value : 0;
}

static int has_extension(const char *extensions, const char *name) {
  const size_t length = strlen(name);
  for (const char *at = extensions; (at = strstr(at, name)) != NULL; at += length)
    if ((at == extensions || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0)) return 1;
  return 0;
}

static void read_identity(reader *r, const char *extensions, cliv_device_info *info) {
  if (has_extension(extensions, "cl_khr_device_uuid"))
    info->has_uuid = read_value(r, CL_DEVICE_UUID_KHR, info->uuid, sizeof info->uuid);
  unsigned char any = 0;
  for (size_t i = 0; i < sizeof info->uuid; i++) any |= info->uuid[i];
  if (!any) info->has_uuid = 0; /* all zeros identifies nothing */
  if (has_extension(extensions, "cl_khr_pci_bus_info"))
    info->has_pci = read_value(r, CL_DEVICE_PCI_BUS_INFO_KHR, info->pci, sizeof info->pci);
}

static void read_abilities(reader *r, const char *extensions, cliv_device_info *info) {
  info->fp64 |= has_extension(extensions, "cl_khr_fp64");
  info->fp16 = has_extension(extensions, "cl_khr_fp16");
  info->subgroups = has_extension(extensions, "cl_khr_subgroups") || has_extension(extensions, "cl_intel_subgroups") ||
                    (info->opencl >= 210 && read_uint(r, CL_DEVICE_MAX_NUM_SUB_GROUPS) > 0);
  char *il = info->opencl >= 210 || has_extension(extensions, "cl_khr_il_program")
                 ? query_text(r, false, CL_DEVICE_IL_VERSION)
                 : NULL;
  info->spirv = il && strstr(il, "SPIR-V") != NULL;
  free(il);
  info->svm = info->opencl >= 200 && read_ulong(r, CL_DEVICE_SVM_CAPABILITIES) != 0;
  info->out_of_order = (read_ulong(r, CL_DEVICE_QUEUE_PROPERTIES) & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE) != 0;
  info->unified_memory = read_uint(r, CL_DEVICE_HOST_UNIFIED_MEMORY) != 0;
  info->available = read_uint(r, CL_DEVICE_AVAILABLE) != 0;
  info->compiler = read_uint(r, CL_DEVICE_COMPILER_AVAILABLE) != 0;
  info->clock_mhz = read_uint(r, CL_DEVICE_MAX_CLOCK_FREQUENCY);
  info->subgroup_hint = info->opencl >= 300 ? read_size(r, CL_DEVICE_PREFERRED_WORK_GROUP_SIZE_MULTIPLE) : 0;
}

static void read_partitions(reader *r, cliv_device_info *info) {
  cl_device_partition_property kinds[16] = {0};
  size_t bytes = 0;
  if (clGetDeviceInfo(r->device, CL_DEVICE_PARTITION_PROPERTIES, sizeof kinds, kinds, &bytes) != CL_SUCCESS) return;
  for (size_t i = 0; i < bytes / sizeof *kinds && i < sizeof kinds / sizeof *kinds; i++)
    if (kinds[i] == CL_DEVICE_PARTITION_BY_COUNTS)
      info->max_subdevices = read_uint(r, CL_DEVICE_PARTITION_MAX_SUB_DEVICES);
}

/* "OpenCL 1.2 ..." -> 120; 0 for anything else. */
static int parse_version(const char *text) {
  int major = 0, minor = 0;
  if (sscanf(text, "OpenCL %d.%d", &major, &minor) != 2 || major < 1 || major > 99 || minor < 0 || minor > 9) return 0;
  return major * 100 + minor * 10;
}

static void read_foundations(reader *r, cliv_device_info *info) {
  memset(info, 0, sizeof *info);
  info->device = r->device;
  read_text(r, false, CL_DEVICE_NAME, info->name, sizeof info->name);
  read_text(r, false, CL_DEVICE_VENDOR, info->vendor, sizeof info->vendor);
  read_text(r, false, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
  read_text(r, false, CL_DEVICE_VERSION, info->version, sizeof info->version);
  info->opencl = parse_version(info->version);
  info->vector_width = read_uint(r, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
  if (read_value(r, CL_DEVICE_PLATFORM, &r->platform, sizeof r->platform) && r->platform) {
    read_text(r, true, CL_PLATFORM_NAME, info->platform_name, sizeof info->platform_name);
    read_text(r, true, CL_PLATFORM_VENDOR, info->platform_vendor, sizeof info->platform_vendor);
    read_text(r, true, CL_PLATFORM_VERSION, info->platform_version, sizeof info->platform_version);
  }
  info->platform = r->platform;
  info->type = read_ulong(r, CL_DEVICE_TYPE);
  info->compute_units = read_uint(r, CL_DEVICE_MAX_COMPUTE_UNITS);
  info->max_group_size = read_size(r, CL_DEVICE_MAX_WORK_GROUP_SIZE);
  info->local_memory = read_ulong(r, CL_DEVICE_LOCAL_MEM_SIZE);
  info->global_memory = read_ulong(r, CL_DEVICE_GLOBAL_MEM_SIZE);
  info->max_allocation = read_ulong(r, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
  info->cache_bytes = read_ulong(r, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE);
  info->base_align = read_uint(r, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8;
  info->rounds_divide = (read_ulong(r, CL_DEVICE_SINGLE_FP_CONFIG) & CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT) != 0;
  info->fp64 = read_ulong(r, CL_DEVICE_DOUBLE_FP_CONFIG) != 0;
}

static const char *kind_of(cl_device_type type) {
  if (type & CL_DEVICE_TYPE_GPU) return "gpu";
  if (type & CL_DEVICE_TYPE_ACCELERATOR) return "accelerator";
  return type & CL_DEVICE_TYPE_CPU ? "cpu" : "custom";
}

cl_int cliv__device_foundations(cl_device_id device, cliv_device_info *out) {
  reader r = {.device = device, .code = CL_SUCCESS};
  read_foundations(&r, out);
  return r.code;
}

void cliv__device_read(cl_device_id device, cliv_device_info *out) {
  reader r = {.device = device};
  read_foundations(&r, out);
  read_text(&r, false, CL_DEVICE_OPENCL_C_VERSION, out->c_version, sizeof out->c_version);
  char *extensions = query_text(&r, false, CL_DEVICE_EXTENSIONS);
  read_abilities(&r, extensions ? extensions : "", out);
  read_identity(&r, extensions ? extensions : "", out);
  read_partitions(&r, out);
  free(extensions);
  cliv__device_judge(out);
}

void cliv__device_judge(cliv_device_info *info) {
  info->kind = kind_of(info->type);
  cliv__quirks_describe(info);
  if (info->unusable[0]) {
    info->usable = 0;
    return;
  }
  const char *reason = NULL;
  if (!info->available) reason = "the driver says that it is not available";
  else if (!info->compiler) reason = "its driver has no compiler";
  else if (info->opencl < 120) reason = "OpenCL 1.2 or later is needed";
  else if (info->type == CL_DEVICE_TYPE_CUSTOM) reason = "it is a device of fixed function";
  info->usable = reason == NULL;
  snprintf(info->unusable, sizeof info->unusable, "%s", reason ? reason : "");
}

/* Ranking */

double cliv__device_score(const cliv_device_info *info) {
  const int gpu = (info->type & CL_DEVICE_TYPE_GPU) && !info->software;
  const int accelerator = !gpu && (info->type & CL_DEVICE_TYPE_ACCELERATOR) && !info->software;
  double lanes = 2.0 * (info->vector_width > 0 ? info->vector_width : 1);
  for (int v = 0; gpu && v < VENDORS; v++)
    if (vendors[v].lanes > 0 && cliv__vendor_is(info, v)) {
      lanes = vendors[v].lanes;
      break;
    }
  const double ghz = info->clock_mhz > 0 ? info->clock_mhz / 1000.0 : gpu ? 1.2 : 2.5;
  const double speed = 10.0 * log2(1.0 + info->compute_units * ghz * lanes);
  const double memory = 2.0 * log2(1.0 + (double)info->global_memory / (1 << 30));
  const double offers = 2.0 * (info->fp16 + info->subgroups) + info->fp64; /* between drivers of one device */
  double penalty = 0;
  cliv__quirks(info, &penalty);
  if (gpu && info->unified_memory) penalty += 20; /* shares the host's bandwidth */
  return (gpu ? 1000 : accelerator ? 500 : 0) + 100 + fmin(speed, 350) + fmin(memory, 30) + offers - penalty;
}

static int same_host(const cliv_device_info *info) { return info->software || info->type == CL_DEVICE_TYPE_CPU; }

static int alike(const cliv_device_info *a, const cliv_device_info *b) {
  return a->type == b->type && strcmp(a->name, b->name) == 0 && a->global_memory == b->global_memory;
}

/* How many devices like this one its platform lists before it. */
static size_t ordinal(const cliv_device_list *list, const cliv_device_info *info) {
  size_t n = 0;
  for (const cliv_device_info *d = list->infos; d < info; d++) n += d->platform == info->platform && alike(d, info);
  return n;
}

/* The same physical device through two drivers. UUID and PCI address decide where both tell them. All that runs on the
 * host's processor is one: a CPU driver, another CPU driver, a software renderer. Otherwise name and memory decide, but
 * only between different platforms: of equal cards, the first of one is the first of the other. */
static int same_device(const cliv_device_list *list, const cliv_device_info *a, const cliv_device_info *b) {
  if (same_host(a) && same_host(b)) return 1;
  if (same_host(a) != same_host(b)) return 0;
  if (a->has_uuid && b->has_uuid && memcmp(a->uuid, b->uuid, sizeof a->uuid) == 0) return 1;
  if (a->has_pci && b->has_pci) return memcmp(a->pci, b->pci, sizeof a->pci) == 0;
  return a->platform != b->platform && alike(a, b) && ordinal(list, a) == ordinal(list, b);
}

static void rank(cliv_device_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    list->infos[i].index = list->infos[i].same_as = i;
    list->infos[i].score = cliv__device_score(&list->infos[i]);
  }
  for (size_t i = 0; i < list->count; i++)
    for (size_t j = 0; j < list->count; j++) {
      const cliv_device_info *a = &list->infos[i], *b = &list->infos[j], *best = &list->infos[a->same_as];
      if (i == j || !same_device(list, a, b) || b->usable < best->usable) continue;
      const int better =
          b->usable > best->usable || b->score > best->score || (b->score == best->score && j < best->index);
      if (better) list->infos[i].same_as = j;
    }
}

/* Lists */

static cliv_device_list *new_list(void) { return calloc(1, sizeof(cliv_device_list)); }

cliv_status cliv__device_list_create(const cliv_device_info *infos, size_t count, cliv_device_list **out) {
  *out = NULL;
  cliv_device_list *list = new_list();
  if (list && count) list->infos = calloc(count, sizeof *infos);
  if (!list || (count && !list->infos)) {
    cliv_devices_free(list);
    return cliv__fail(NULL, CLIV_HOST_MEMORY, "no memory for a list of %zu devices", count);
  }
  if (count) memcpy(list->infos, infos, count * sizeof *infos);
  list->count = count;
  for (size_t i = 0; i < count; i++) cliv__device_judge(&list->infos[i]);
  rank(list);
  *out = list;
  return CLIV_OK;
}

void cliv_devices_free(cliv_device_list *list) {
  if (!list) return;
  for (size_t i = 0; i < list->warning_count; i++) free(list->warnings[i]);
  free(list->warnings);
  free(list->drivers);
  free(list->infos);
  free(list);
}

cliv_status cliv__device_warn(cliv_device_list *list, const char *format, ...) {
  va_list args;
  va_start(args, format);
  char *text = cliv__vformat(format, args);
  va_end(args);
  char **grown = text ? realloc(list->warnings, (list->warning_count + 1) * sizeof *grown) : NULL;
  if (!grown) {
    free(text);
    return cliv__fail(NULL, CLIV_HOST_MEMORY, "no memory for a warning");
  }
  list->warnings = grown;
  list->warnings[list->warning_count++] = text;
  return CLIV_OK;
}

/* Appends the devices of one platform. A platform without devices is not an error. */
static cliv_status add_platform(cl_platform_id platform, cliv_device_list *list) {
  cl_device_id devices[MAX_DEVICES];
  cl_uint n = 0;
  if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MAX_DEVICES, devices, &n) != CL_SUCCESS || n == 0) return CLIV_OK;
  if (n > MAX_DEVICES) n = MAX_DEVICES;
  cliv_device_info *grown = realloc(list->infos, (list->count + n) * sizeof *grown);
  REQUIRE(NULL, grown, HOST_MEMORY, "no memory for a list of %zu devices", list->count + n);
  list->infos = grown;
  for (cl_uint i = 0; i < n; i++) cliv__device_read(devices[i], &grown[list->count++]);
  return CLIV_OK;
}

static cliv_status enumerate(cliv_device_list *list) {
  cl_platform_id platforms[MAX_PLATFORMS];
  cl_uint n = 0;
  if (clGetPlatformIDs(MAX_PLATFORMS, platforms, &n) != CL_SUCCESS) return CLIV_OK; /* loaders say -1001 for none */
  if (n > MAX_PLATFORMS) n = MAX_PLATFORMS;
  for (cl_uint i = 0; i < n; i++) TRY(add_platform(platforms[i], list));
  return CLIV_OK;
}

/* Threads take turns: drivers make themselves ready when they are first asked for devices, and PoCL shows another
 * thread devices that are not ready yet. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static cliv_status fill(const cliv_devices_options *options, cliv_device_list *list) {
  char *findings = NULL;
  TRY(cliv__probe_drivers(options, list, &findings));
  const cliv_status status = enumerate(list);
  for (size_t i = 0; !status && i < list->count; i++) cliv__probe_apply(findings, &list->infos[i]);
  free(findings);
  if (!status) rank(list);
  return status;
}

cliv_status cliv_devices_list(const cliv_devices_options *options, cliv_device_list **out) {
  REQUIRE_NOT_NULL(NULL, out);
  *out = NULL;
  cliv_devices_options o;
  TRY(OPTIONS(NULL, options, &o));
  REQUIRE(NULL, o.probe >= CLIV_PROBE_UNKNOWN && o.probe <= CLIV_PROBE_AGAIN, VALUE,
          "probe is %d; it is CLIV_PROBE_UNKNOWN, NEVER or AGAIN", (int)o.probe);
  cliv_device_list *list = new_list();
  REQUIRE(NULL, list, HOST_MEMORY, "no memory for a list of devices");
  pthread_mutex_lock(&turn);
  const cliv_status status = fill(&o, list);
  pthread_mutex_unlock(&turn);
  if (status) cliv_devices_free(list);
  else *out = list;
  return status;
}

size_t cliv_devices_count(const cliv_device_list *list) { return list ? list->count : 0; }

const cliv_device_info *cliv_devices_get(const cliv_device_list *list, size_t index) {
  return list && index < list->count ? &list->infos[index] : NULL;
}

size_t cliv_devices_warning_count(const cliv_device_list *list) { return list ? list->warning_count : 0; }

const char *cliv_devices_warning(const cliv_device_list *list, size_t index) {
  return list && index < list->warning_count ? list->warnings[index] : NULL;
}

cliv_status cliv__subdevice(cl_device_id device, cl_uint units, cl_device_id *out) {
  *out = NULL;
  cliv_device_info info;
  cliv__device_read(device, &info);
  REQUIRE(NULL, units > 0 && units < info.compute_units, VALUE,
          "a part of %u compute units was asked of %s, which has %u; ask for 1 to %u, or 0 for the whole device", units,
          info.name, info.compute_units, info.compute_units - 1);
  REQUIRE(NULL, info.max_subdevices > 0, DEVICE_LIMIT,
          "%s cannot be divided by compute units; leave compute_units at 0", info.name);
  const cl_device_partition_property by_counts[] = {CL_DEVICE_PARTITION_BY_COUNTS, (cl_device_partition_property)units,
                                                    CL_DEVICE_PARTITION_BY_COUNTS_LIST_END, 0};
  const cl_int code = clCreateSubDevices(device, by_counts, 1, out, NULL);
  if (code == CL_SUCCESS) return CLIV_OK;
  *out = NULL;
  return cliv__fail(NULL, CLIV_OPENCL, "clCreateSubDevices for %u compute units of %s failed: %s (%d)", units,
                    info.name, cliv__cl_name(code), code);
}
