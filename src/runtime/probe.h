/* Trying unknown drivers in a child process, and remembering what came out. See "Listing" in cliv/device.h. */
#ifndef CLIV_RUNTIME_PROBE_H
#define CLIV_RUNTIME_PROBE_H

#include <stdbool.h>

#include "runtime/device.h"
#include "runtime/drivers.h"

/* Tries the drivers without a verdict, leaves out those with a bad one as far as that is still possible, and adds
 * warnings and the drivers' names to the list. Called before the loader is, by one thread at a time. *findings: what
 * was found of single devices, malloc'd, for cliv__probe_apply; NULL: nothing. */
cliv_status cliv__probe_drivers(const cliv_devices_options *options, cliv_device_list *list, char **findings);

/* Whether there is a bad verdict on this driver, as it is now, in the folder (of the cache; NULL: none) or among those
 * that this process has kept for want of one: it crashed, hung or answered with nonsense within the last hour. */
bool cliv__probe_is_bad(const cliv__driver *driver, const char *dir);

/* Marks a device that failed its trial as not usable. */
void cliv__probe_apply(const char *findings, cliv_device_info *info);

#endif
