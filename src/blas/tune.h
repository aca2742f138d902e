/* What of CLBlast only C++ can reach: parameters of its kernels, and its own tuners. tune.cc is the library's one file
 * of C++; no exception leaves it. */
#ifndef CLIV_BLAS_TUNE_H
#define CLIV_BLAS_TUNE_H

#include <CL/cl.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CLIV__MAX_PARAMETERS = 24, CLIV__PARAMETER_NAME = 32 };

typedef struct cliv__parameter {
  char name[CLIV__PARAMETER_NAME];
  size_t value;
} cliv__parameter;

/* The parameters of a kernel, by name in ascending order; the rest is 0, so that two may be compared as memory. */
typedef struct cliv__parameters {
  size_t count;
  cliv__parameter list[CLIV__MAX_PARAMETERS];
} cliv__parameters;

/* All three give 0 or CLBlast's code. `kernel` is CLBlast's name ("Xgemm"); `wide`: float64, otherwise float32. */

/* Those in force in this process: the database's, or the last override. */
int cliv__parameters_read(cl_device_id device, const char *kernel, bool wide, cliv__parameters *out);
/* In force from now on, for the whole process. */
int cliv__parameters_override(cl_device_id device, const char *kernel, bool wide, const cliv__parameters *parameters);
/* CLBlast's own tuner of this kernel, over a fraction (0…1) of its candidates: fills in the best of those that it found
 * right. Blocks for all of them, and cannot be interrupted. CLBlastNotImplemented where it has no tuner for it. */
int cliv__parameters_search(cl_command_queue queue, const char *kernel, bool wide, double fraction,
                            cliv__parameters *inout);

#ifdef __cplusplus
}
#endif
#endif
