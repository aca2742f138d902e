/* The kernel sources inside the library: generated from cl/ by cmake/embed.cmake. */
#ifndef CLIV_RUNTIME_KERNELS_H
#define CLIV_RUNTIME_KERNELS_H

#include <stddef.h>

typedef struct cliv__kernel_text {
  const char *name; /* "reduce.cl" */
  const char *text; /* ends in 0 */
  size_t length;
} cliv__kernel_text;

extern const cliv__kernel_text cliv__kernel_texts[]; /* ends with a NULL name */

#endif
