/* cliv/device.h: every OpenCL device of this machine, and how one is chosen.
 *
 * Listing. cliv_devices_list looks at every platform of the OpenCL loader. One broken driver must not take the others
 * down: a driver that this machine has not met before (another file, size or time of change) is first tried in a child
 * process, which enumerates its devices and runs a small kernel on each, all against a deadline. What came out is kept
 * in the cache folder, so that this costs time once per driver; a bad verdict counts for an hour. A driver whose trial
 * crashed or hung is left out and a warning says so; a device that failed by itself (no compiler, wrong result) is
 * listed as not usable.
 *
 * Choosing. A selector is terms joined by commas; all must hold. Case does not matter.
 *
 *   auto                      any device; the best by score
 *   cpu  gpu  accelerator     the kind
 *   amd  intel  nvidia  ...   who made the device or its driver (cliv_device_vendor lists the words)
 *   #2                        the index in the list
 *   "text"                    text in the device's or platform's name
 *   uuid:1a2b3c...            the device's UUID, or the first digits of it; dashes are ignored
 *   fp64  fp16  subgroups     what the device can do
 *   mem>=8G  cu>=16           memory and compute units, by >=, >, <=, <, =; K, M, G, T are powers of 1024
 *   !term                     the contrary
 *   gpu:1                     kinds and vendors: the second match (of the devices that satisfy all terms, best first)
 *
 * Where several devices match, the one with the highest score is taken. The score puts GPUs first, then accelerators,
 * then CPUs, and within a kind ranks by compute units, clock and memory; software that poses as a GPU counts as what it
 * is. Devices that are not usable are never taken; devices to be avoided (a quirk says why) only when #n, "text", uuid:
 * or a vendor asks for them. One physical device seen through two drivers is one device to `gpu:1`, through the better
 * driver (see same_as).
 *
 * The selector NULL means: the environment variable CLIV_DEVICE, or "auto". That is read here and nowhere else.
 *
 * Threads: all of this may be called from any thread. A list is immutable; it belongs to who made it.
 *
 * In a guest's program. The trial starts the small program cliv-probe by posix_spawn (nothing is forked without exec):
 * the guest sees a SIGCHLD when it ends. Its environment is the guest's, restricted to one driver. Only when a driver
 * is known to be broken, and only the first time in a process that a list is made, the environment variables
 * OCL_ICD_VENDORS and OCL_ICD_FILENAMES are changed while the OpenCL loader reads its drivers, and put back after;
 * setenv is not safe against a getenv in another thread, so a program with a broken driver and busy threads should make
 * its first list early, or set probe to CLIV_PROBE_NEVER. Where the program used OpenCL before, its loader has read its
 * drivers already and nothing can be left out: then nothing is changed, and what the broken driver does is up to it;
 * the warning says so.
 */
#ifndef CLIV_DEVICE_H
#define CLIV_DEVICE_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>
#include <cliv/status.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cliv_device_list cliv_device_list;

typedef enum cliv_probe {
  CLIV_PROBE_UNKNOWN = 0, /* drivers without a kept verdict are tried */
  CLIV_PROBE_NEVER,       /* no child process, no change of the environment, kept verdicts are not looked at */
  CLIV_PROBE_AGAIN        /* every driver is tried anew */
} cliv_probe;

typedef struct cliv_devices_options {
  size_t size; /* sizeof(cliv_devices_options) of the caller; 0: this version's */
  cliv_probe probe;
  unsigned timeout_ms;   /* for the trial of all unknown drivers together; 0: 30,000 */
  const char *cache_dir; /* where verdicts are kept; NULL: $XDG_CACHE_HOME/cliv, or ~/.cache/cliv; "": this process */
  const char *probe_program; /* path of cliv-probe; NULL: beside the library or program, or as installed */
} cliv_devices_options;

#define CLIV_MAX_QUIRKS 8

/* A known fault of a driver and what Cliv does about it. */
typedef struct cliv_quirk {
  const char *name;   /* one word, stable */
  const char *reason; /* a sentence */
} cliv_quirk;

/* One device as one driver shows it. The list owns it. New members come at the end. */
typedef struct cliv_device_info {
  cl_platform_id platform;
  cl_device_id device;
  size_t index;                /* in the list: the n of "#n" */
  char name[256], vendor[128]; /* as the driver spells them, spaces trimmed */
  char driver[128], version[128], c_version[128];
  char platform_name[128], platform_vendor[128], platform_version[256];
  cl_device_type type;                            /* as reported; may have several bits */
  const char *kind;                               /* "gpu", "accelerator", "cpu", "custom" */
  int opencl;                                     /* the device's OpenCL version: 120 for 1.2, 300 for 3.0 */
  cl_uint compute_units, clock_mhz, vector_width; /* vector_width: floats in the native vector */
  cl_uint max_subdevices;                         /* by cliv_context_options.compute_units; 0 or 1: not possible */
  cl_uint base_align;                             /* of buffers' addresses, bytes */
  size_t max_group_size, subgroup_hint; /* subgroup_hint: preferred multiple of the group size, 0 where not told */
  cl_ulong global_memory, max_allocation, local_memory, cache_bytes;
  int available, compiler, fp64, fp16, subgroups, spirv, svm, out_of_order, rounds_divide;
  int unified_memory; /* 1: the host's memory is the device's */
  int software;       /* 1: a program on the host's CPU, whatever kind it claims */
  int has_uuid, has_pci;
  unsigned char uuid[16];
  cl_uint pci[4];     /* domain, bus, device, function */
  size_t same_as;     /* index by which the same physical device is best reached; its own if it is the best */
  int usable;         /* 0: never taken */
  int avoid;          /* 1: only taken when named */
  char unusable[256]; /* why usable is 0, otherwise "" */
  size_t quirk_count;
  cliv_quirk quirks[CLIV_MAX_QUIRKS];
  double score; /* what `auto` goes by; higher is better */
} cliv_device_info;

/* Lists all devices; options may be NULL. Blocks while unknown drivers are tried. No driver and no device is an empty
 * list, not an error (cliv_device_select has the sentence for that). Fails with VALUE, HOST_MEMORY, OPENCL. */
CLIV_API cliv_status cliv_devices_list(const cliv_devices_options *options, cliv_device_list **out) CLIV_MUST_CHECK;
/* NULL does nothing. The cl_device_ids stay valid. */
CLIV_API void cliv_devices_free(cliv_device_list *list);
CLIV_API size_t cliv_devices_count(const cliv_device_list *list);
/* NULL when index is out of range. */
CLIV_API const cliv_device_info *cliv_devices_get(const cliv_device_list *list, size_t index);

/* Sentences about drivers that were left out, or could not be tried. */
CLIV_API size_t cliv_devices_warning_count(const cliv_device_list *list);
CLIV_API const char *cliv_devices_warning(const cliv_device_list *list, size_t index);

/* Chooses by a selector (see above; NULL: $CLIV_DEVICE, or "auto"). why, where it is not NULL, gets the reasons in
 * why_size bytes, cut when they are longer: a line for the choice, then a line for every device that was not taken.
 * Fails with SELECTOR (position and what was expected), NO_DRIVER (what to install), NO_DEVICE (what each device failed
 * on; why has it too); *index is then unchanged. */
CLIV_API cliv_status cliv_device_select(const cliv_device_list *list, const char *selector, size_t *index, char *why,
                                        size_t why_size) CLIV_MUST_CHECK;

/* The vendor words of the grammar, from 0 on; NULL past the last. */
CLIV_API const char *cliv_device_vendor(size_t index);

#ifdef __cplusplus
}
#endif
#endif
