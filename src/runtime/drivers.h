/* The drivers that the OpenCL loader reads in this process, and keeping it from reading some of them.
 *
 * Loaders (ocl-icd, Khronos) take the folder OCL_ICD_VENDORS, else OPENCL_VENDOR_PATH (ocl-icd), else
 * /etc/OpenCL/vendors; each .icd file in it holds the name of a library. ocl-icd also takes one .icd file or one
 * library instead of the folder; Khronos' loader adds the libraries of OCL_ICD_FILENAMES. They read this once, at the
 * first OpenCL call of the process.
 */
#ifndef CLIV_RUNTIME_DRIVERS_H
#define CLIV_RUNTIME_DRIVERS_H

#include <cliv/status.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct cliv__driver {
  char *source;   /* the .icd file, or the library where there is none */
  char *library;  /* as the loader opens it: a path, or a name for the dynamic linker */
  char *identity; /* changes when the driver does: the files' names, sizes and times of change */
  bool listed;    /* from OCL_ICD_FILENAMES */
} cliv__driver;

typedef struct cliv__drivers {
  cliv__driver *rows;
  size_t count;
} cliv__drivers;

/* True when the program's OpenCL calls go to a loader, not straight to a driver (which cannot be left out). */
bool cliv__loader_present(void);

/* The folder that a loader was built to read (conda's is within its own prefix): from the loader's file, which holds it
 * as a text; /etc/OpenCL/vendors where there is none. malloc'd. */
char *cliv__vendors_folder(const char *loader);

cliv_status cliv__drivers_find(cliv__drivers *out);
void cliv__drivers_free(cliv__drivers *drivers);

/* True when the driver's library is in this process: the loader has read its drivers already. */
bool cliv__driver_loaded(const cliv__driver *driver);

/* Makes the loader read its drivers now, without those of left_out (count of them). The environment is put back before
 * it returns. `folder`: where a folder may be made for a moment; NULL: /tmp. False: it could not be done, and nothing
 * was. */
bool cliv__drivers_load_without(const cliv__drivers *drivers, const bool *left_out, const char *folder);

/* The environment of a process that sees this driver alone: a NULL-ended vector to be freed by cliv__environment_free.
 */
char **cliv__driver_environment(const cliv__driver *driver);
void cliv__environment_free(char **environment);

#endif
