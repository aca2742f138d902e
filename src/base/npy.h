/* Internal side of cliv/npy.h: parsing from memory. */
#ifndef CLIV_BASE_NPY_H
#define CLIV_BASE_NPY_H

#include <cliv/npy.h>

/* cliv_npy_read of the n bytes at `bytes`, called `name` in sentences. */
cliv_status cliv__npy_parse(const void *bytes, size_t n, const char *name, cliv_array *out);

#endif
