/* The one table of drivers' faults: a pattern that recognises the driver, the flags that code acts on, what it costs in
 * the score, and the reason for people. A row is here because the fault was seen. Drivers are told by platform, vendor
 * and version, never by vendor id: CPU drivers of every maker report 0x8086.
 */
#include "runtime/quirks.h"

#include <string.h>

#include "runtime/match.h"

typedef struct quirk_row {
  /* Each is looked for in the field, without regard to case; NULL: any. */
  const char *platform, *driver, *device;
  cl_device_type type;     /* 0: any */
  size_t group_size_up_to; /* 0: any; else only devices with groups no larger */
  unsigned flags;
  double penalty;
  cliv_quirk text;
} quirk_row;

static const quirk_row rows[] = {
    {.platform = "Clover",
     .flags = CLIV__QUIRK_AVOID,
     .penalty = 100,
     .text = {"clover",
              "Mesa's old OpenCL 1.1 driver: it lacks what Cliv's kernels need and is no longer developed; "
              "rusticl replaces it"}},
    {.platform = "Oclgrind",
     .flags = CLIV__QUIRK_SOFTWARE | CLIV__QUIRK_ONE_THREAD,
     .penalty = 100,
     .text = {"simulator",
              "an interpreter that finds errors in kernels, thousands of times slower than a device; "
              "its driver bears one caller at a time"}},
    {.device = "llvmpipe",
     .flags = CLIV__QUIRK_SOFTWARE | CLIV__QUIRK_NARROW | CLIV__QUIRK_FMA_FLUSHES,
     .penalty = 30,
     .text =
         {"software",
          "a graphics driver's software renderer on the host's CPU; a CPU driver is faster. It runs work-items side "
          "by side in vectors and emulates fma, so 16-wide types make it compile for minutes: the GPU walk is taken. "
          "The emulation loses subnormals and signs of zeros, so the library brings its own for them"}},
    {.platform = "rusticl",
     .flags = CLIV__QUIRK_PROFILING,
     .text = {"profiling", "event profiling reports 1 ns for every command; times are taken on the host"}},
    {.platform = "rusticl",
     .driver = "22.",
     .flags = CLIV__QUIRK_EARLY_FINISH,
     .text = {"early-finish", "clFinish after clFlush returns while commands run; a marker is put before it"}},
    {.platform = "Intel(R) OpenCL",
     .driver = "2026.",
     .flags = CLIV__QUIRK_CLFFT_POINTERS,
     .text = {"clfft-pointers",
              "its compiler refuses clFFT's generated code (incompatible pointer types); "
              "plans are built with that diagnostic switched off"}},
    {.platform = "ARM Platform",
     .device = "Mali",
     .flags = CLIV__QUIRK_CLFFT_POINTERS,
     .text = {"clfft-pointers",
              "its compiler refuses clFFT's generated code (incompatible pointer types); "
              "plans are built with that diagnostic switched off"}},
    {.platform = "Intel(R) OpenCL",
     .type = CL_DEVICE_TYPE_CPU,
     .flags = CLIV__QUIRK_EXACT_DIVIDE,
     .text = {"exact-divide",
              "divides and takes square roots by the processor's own instructions, correctly rounded, but does not "
              "report it; they are used as they are"}},
    {.platform = "Intel(R) OpenCL",
     .type = CL_DEVICE_TYPE_CPU,
     .flags = CLIV__QUIRK_PREFETCH,
     .text = {"prefetch", "its prefetch costs more than it saves; its compiler's own built-in is used"}},
    {.platform = "Portable Computing Language",
     .type = CL_DEVICE_TYPE_CPU,
     .flags = CLIV__QUIRK_PREFETCH,
     .text = {"prefetch", "its prefetch does nothing; its compiler's own built-in is used"}},
    {.platform = "Portable Computing Language",
     .type = CL_DEVICE_TYPE_CPU,
     .flags = CLIV__QUIRK_GROUPS_BY_32,
     .text = {"groups-by-32",
              "a thread takes 32 work-groups of a launch at a time, so that fewer are one thread's work; "
              "products are cut into as many as all threads take"}},
    {.platform = "Intel(R) OpenCL",
     .type = CL_DEVICE_TYPE_GPU,
     .flags = CLIV__QUIRK_FEW_REGISTERS,
     .text = {"few-registers",
              "8 to 32 work-items share a thread's registers, and a tile of 8 x 8 sums each does not fit there: "
              "products are made in tiles of 4 x 4"}},
    {.group_size_up_to = 64,
     .flags = CLIV__QUIRK_SMALL_GROUPS,
     .text = {"small-groups",
              "work-groups hold at most 64 work-items: CLBlast's vector routines fail (-54), "
              "the library's own are used"}},
    {.platform = "Portable Computing Language",
     .flags = CLIV__QUIRK_OWN_CACHE,
     .text = {"own-cache",
              "PoCL ends the process when a file in its own cache is damaged or the disk is full; "
              "if that happens, delete ~/.cache/pocl"}},
};

static int applies(const quirk_row *row, const cliv_device_info *info) {
  if (row->platform && !cliv__contains(info->platform_name, row->platform)) return 0;
  if (row->driver && !cliv__contains(info->driver, row->driver)) return 0;
  if (row->device && !cliv__contains(info->name, row->device)) return 0;
  if (row->type && !(info->type & row->type)) return 0;
  return row->group_size_up_to == 0 || (info->max_group_size > 0 && info->max_group_size <= row->group_size_up_to);
}

unsigned cliv__quirks(const cliv_device_info *info, double *penalty) {
  unsigned flags = 0;
  double sum = 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (!applies(&rows[i], info)) continue;
    flags |= rows[i].flags;
    sum += rows[i].penalty;
  }
  if (penalty) *penalty = sum;
  return flags;
}

void cliv__quirks_describe(cliv_device_info *info) {
  const unsigned flags = cliv__quirks(info, NULL);
  info->software = (flags & CLIV__QUIRK_SOFTWARE) != 0;
  info->avoid = (flags & CLIV__QUIRK_AVOID) != 0;
  info->quirk_count = 0;
  for (size_t i = 0; i < sizeof rows / sizeof *rows && info->quirk_count < CLIV_MAX_QUIRKS; i++)
    if (applies(&rows[i], info)) info->quirks[info->quirk_count++] = rows[i].text;
}
