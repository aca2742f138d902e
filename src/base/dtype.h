/* Internal side of cliv/dtype.h: checked sizes. */
#ifndef CLIV_BASE_DTYPE_H
#define CLIV_BASE_DTYPE_H

#include <cliv/dtype.h>
#include <stdbool.h>

/* Elements and bytes of a shape; false when a product does not fit size_t (a shape with a 0 in it always fits) or
 * when dtype or ndim is none. Either out-pointer may be NULL. */
bool cliv__shape_size(cliv_dtype dtype, int ndim, const size_t *shape, size_t *count, size_t *bytes);

/* What kernels call the storage of this type: "f32" (see cl/prelude.cl); "?" for a value that is no dtype. */
const char *cliv__dtype_storage(cliv_dtype dtype);

/* The unsigned integer of an element's size in kernels that move bits: "uchar", "ushort", "uint" or "ulong". */
const char *cliv__dtype_bits(cliv_dtype dtype);
/* The option that tells a program which type elements of this one are computed in: " -D REAL_F64", " -D REAL_I64" or
 * "". */
const char *cliv__dtype_real(cliv_dtype dtype);

bool cliv__is_integer(cliv_dtype dtype);
bool cliv__is_wide(cliv_dtype dtype); /* computed in 8 bytes */

#endif
