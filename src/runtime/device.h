/* Internal side of cliv/device.h. */
#ifndef CLIV_RUNTIME_DEVICE_H
#define CLIV_RUNTIME_DEVICE_H

#include <cliv/device.h>

#include "base/status.h"

struct cliv_device_list {
  cliv_device_info *infos;
  size_t count;
  char **warnings;
  size_t warning_count;
  char *drivers; /* what the loader reads, for the sentence when there is no device; NULL: not known */
};

/* What one driver says of one device, with its quirks and whether it is usable; index, same_as and score are left at 0.
 * Never fails: what the driver does not answer stays 0 or "". */
void cliv__device_read(cl_device_id device, cliv_device_info *out);

/* The part of it that a context stands on: names and versions, type, compute units, largest group, memory, alignment,
 * fp64, rounds_divide; all else stays 0. Fails where asking fails, since a context must not stand on facts that are not
 * there; what the device does not know (CL_INVALID_VALUE: it is older than the question) is 0 or "" here too. */
cl_int cliv__device_foundations(cl_device_id device, cliv_device_info *out);

/* From what the driver said: kind, quirks, usable. A reason in `unusable` is kept. */
void cliv__device_judge(cliv_device_info *info);

/* A list of given devices: index, same_as, quirks, usability and score are filled in here, everything else is copied.
 */
cliv_status cliv__device_list_create(const cliv_device_info *infos, size_t count, cliv_device_list **out);

/* Adds a sentence to the list's warnings. */
cliv_status cliv__device_warn(cliv_device_list *list, const char *format, ...) CLIV__PRINTF(2, 3);

/* A part of the device with so many compute units, 0 < units < all of them. To be released by clReleaseDevice. Fails
 * with VALUE, DEVICE_LIMIT, OPENCL. */
cliv_status cliv__subdevice(cl_device_id device, cl_uint units, cl_device_id *out);

/* The row of the vendor table for a word, without regard to case; -1: no such word. */
int cliv__vendor_find(const char *word, size_t length);
/* Whether the device or its driver is of the vendor with that row. */
int cliv__vendor_is(const cliv_device_info *info, int vendor);

/* What `auto` goes by (see docs/devices.md). */
double cliv__device_score(const cliv_device_info *info);

#endif
