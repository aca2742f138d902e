/* Internal side of cliv/safetensors.h: parsing from memory. */
#ifndef CLIV_BASE_SAFETENSORS_H
#define CLIV_BASE_SAFETENSORS_H

#include <cliv/safetensors.h>

/* cliv_safetensors_open of the n bytes at `bytes`, which must outlive it, called `name` in sentences. */
cliv_status cliv__safetensors_parse(const void *bytes, size_t n, const char *name, cliv_safetensors **out);

#endif
