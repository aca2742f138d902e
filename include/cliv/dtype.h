/* cliv/dtype.h: element types, and arrays in host memory.
 *
 * float16 and bfloat16 are storage types: arithmetic on them is done in float32 and rounded to nearest even
 * when stored, with integer code, on every device. float64 needs a device that has it. The integers are exact.
 */
#ifndef CLIV_DTYPE_H
#define CLIV_DTYPE_H

#include <cliv/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CLIV_MAX_DIMS 8

/* X(NAME, "name", bytes) */
#define CLIV_DTYPE_LIST(X) \
  X(F32, "float32", 4)     \
  X(F16, "float16", 2)     \
  X(BF16, "bfloat16", 2)   \
  X(F64, "float64", 8)     \
  X(I32, "int32", 4)       \
  X(I64, "int64", 8)       \
  X(U8, "uint8", 1)

typedef enum cliv_dtype {
#define CLIV_DTYPE_ENUM(NAME, name, bytes) CLIV_##NAME,
  /* clang-format off */
  CLIV_DTYPE_LIST(CLIV_DTYPE_ENUM)
#undef CLIV_DTYPE_ENUM
  CLIV_DTYPE_COUNT
  /* clang-format on */
} cliv_dtype;

CLIV_API const char *cliv_dtype_name(cliv_dtype dtype); /* "float32"; "?" for a value that is no dtype */
CLIV_API size_t cliv_dtype_size(cliv_dtype dtype);      /* bytes an element; 0 for a value that is no dtype */
CLIV_API cliv_status cliv_dtype_parse(const char *name, cliv_dtype *out) CLIV_MUST_CHECK;

/* Rounding to nearest even; NaN becomes the canonical quiet NaN (0x7e00, 0x7fc0); overflow becomes infinity. */
CLIV_API uint16_t cliv_float_to_half(float x);
CLIV_API float cliv_half_to_float(uint16_t x);
CLIV_API uint16_t cliv_float_to_bfloat(float x);
CLIV_API float cliv_bfloat_to_float(uint16_t x);

/* A dense row-major array in host memory. `data` is owned by the array when a cliv_*_read call filled it (free it with
 * cliv_array_free); a caller may as well point it at memory of its own to write it somewhere. ndim 0 is a scalar: one
 * element. */
typedef struct cliv_array {
  cliv_dtype dtype;
  int ndim;
  size_t shape[CLIV_MAX_DIMS];
  void *data;
} cliv_array;

/* Product of the shape. */
CLIV_API size_t cliv_array_count(const cliv_array *array);
/* Allocates zeroed data for dtype and shape (the product is checked for overflow). */
CLIV_API cliv_status cliv_array_create(cliv_dtype dtype, int ndim, const size_t *shape,
                                       cliv_array *out) CLIV_MUST_CHECK;
/* Frees the data and zeroes the struct. NULL and an empty struct do nothing. */
CLIV_API void cliv_array_free(cliv_array *array);

#ifdef __cplusplus
}
#endif
#endif
