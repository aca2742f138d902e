/* A safetensors file in the making: arrays and texts are gathered from several places, then written at once. */
#ifndef CLIV_RUNTIME_BUNDLE_H
#define CLIV_RUNTIME_BUNDLE_H

#include <cliv/safetensors.h>
#include <cliv/tensor.h>

#include "base/status.h"

/* Start with {.ctx = …}. What it points to lives in it. */
typedef struct cliv__bundle {
  cliv_context *ctx;
  const char *prefix; /* before every name and key that is added; NULL: nothing */
  cliv_named_array *arrays;
  cliv_metadata *texts;
  size_t array_count, array_room, text_count, text_room;
} cliv__bundle;

/* Each takes `name`, and the array's data or the text, over, also where it fails. NULL there: the memory that was to
 * hold them was lacking (HOST_MEMORY). */
cliv_status cliv__bundle_array(cliv__bundle *b, char *name, cliv_array array);
cliv_status cliv__bundle_text(cliv__bundle *b, const char *key, char *text);
/* What is in a tensor; and a copy of numbers, float64. Block. */
cliv_status cliv__bundle_tensor(cliv__bundle *b, char *name, const cliv_tensor *tensor);
cliv_status cliv__bundle_doubles(cliv__bundle *b, const char *name, const double *values, size_t count);

cliv_status cliv__bundle_write(const cliv__bundle *b, const char *path);
void cliv__bundle_free(cliv__bundle *b);

#endif
