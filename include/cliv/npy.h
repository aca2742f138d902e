/* cliv/npy.h: NumPy's .npy files.
 *
 * Written: version 1.0, little-endian, C order. The file appears whole or not at all (written aside, flushed, renamed).
 *
 * Read: versions 1.0, 2.0 and 3.0; C order and Fortran order (made C order), little-endian and big-endian (swapped).
 *
 *   in the file                   in the array
 *   f4  f2  f8  i4  i8  u1        float32, float16, float64, int32, int64, uint8
 *   V2                            bfloat16 (how ml_dtypes' bfloat16 is written by NumPy; written so as well)
 *   b1                            uint8, 0 and 1
 *   i1  i2  u2                    int32, every value exact
 *   u4                            int64, every value exact
 *
 * Complex numbers (c8, c16) are read and written as pairs of float32 or float64 by calls of their own. Other types
 * (text, objects, structures, u8) give CLIV_DTYPE. Up to CLIV_MAX_DIMS dimensions (CLIV_SHAPE).
 * A file that does not follow the format, or whose length is not what its header says, gives CLIV_FORMAT; nothing is
 * allocated on the word of the header alone. No call here takes a context: the sentence of a failure is
 * cliv_last_error(NULL).
 */
#ifndef CLIV_NPY_H
#define CLIV_NPY_H

#include <cliv/dtype.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Blocks. `out` is to be freed with cliv_array_free; on failure it is empty. */
CLIV_API cliv_status cliv_npy_read(const char *path, cliv_array *out) CLIV_MUST_CHECK;

/* The same, and complex64 and complex128 besides, as float32 and float64 with one more axis at the end, of 2: the real
 * and the imaginary part. *pairs is then 1, for all other types 0. */
CLIV_API cliv_status cliv_npy_read_pairs(const char *path, cliv_array *out, int *pairs) CLIV_MUST_CHECK;

/* Blocks until the data are on the disk. On failure an older file of that name is untouched. */
CLIV_API cliv_status cliv_npy_write(const char *path, const cliv_array *array) CLIV_MUST_CHECK;

/* The same for such pairs, as complex64 or complex128. DTYPE, SHAPE: the array is neither float32 nor float64, or its
 * last axis not 2. */
CLIV_API cliv_status cliv_npy_write_pairs(const char *path, const cliv_array *array) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
