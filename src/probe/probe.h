/* The parts of cliv-probe. */
#ifndef CLIV_PROBE_PROBE_H
#define CLIV_PROBE_PROBE_H

#include <cliv/device.h>
#include <stddef.h>

/* A line of the report. */
void probe_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A text of the device, or of the platform when device is NULL, as the library shows it; it must end in a 0 within its
 * size. */
void probe_read_text(cl_platform_id platform, cl_device_id device, cl_uint what, char *to, size_t room);

/* words: platform, device, driver version, shape. Says nothing where the driver has no such device. */
void probe_transform(const cl_platform_id *platforms, cl_uint count, char *const words[4]);

#endif
