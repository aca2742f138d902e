/* The kernel sources inside the library: generated from cl/ by cmake/embed.cmake. */
#ifndef CLIV_RUNTIME_KERNELS_H
#define CLIV_RUNTIME_KERNELS_H

#include <stddef.h>

typedef struct cliv__source {
  const char *name; /* "reduce.cl" */
  const char *text; /* ends in 0 */
  size_t length;
} cliv__source;

extern const cliv__source cliv__sources[]; /* ends with a NULL name */

#endif
