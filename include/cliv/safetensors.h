/* cliv/safetensors.h: named arrays in one file, in the safetensors format (github.com/huggingface/safetensors).
 *
 *   8 bytes      N, little-endian
 *   N bytes      JSON: {"__metadata__": {"key": "text"},
 *                "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
 *   the rest     the arrays, row-major, little-endian, without holes
 *
 * Types: F32 F16 BF16 F64 I32 I64 U8; BOOL is read as uint8 (0 and 1). Any other type in a file gives CLIV_DTYPE,
 * with its name. A file that does not follow the format in any way gives CLIV_FORMAT: a header longer than the file
 * or than 100 MB, a name or key twice, offsets that overlap, leave a hole or do not end with the file, a shape that
 * does not fit its offsets. Nothing is allocated for data that the file does not have. No call takes a context: the
 * sentence of a failure is cliv_last_error(NULL).
 */
#ifndef CLIV_SAFETENSORS_H
#define CLIV_SAFETENSORS_H

#include <cliv/dtype.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cliv_metadata {
  const char *key, *value;
} cliv_metadata;

typedef struct cliv_named_array {
  const char *name;
  cliv_array array;
} cliv_named_array;

/* ---- writing ---- */

/* Writes the arrays in the order given, with `metadata_count` pairs of text (metadata may be NULL when it is 0).
 * Names and keys must be UTF-8 and different from each other; "__metadata__" is no name (VALUE). Equal inputs give
 * equal files, byte by byte; the data begin at a multiple of 8 bytes. Blocks until all is on the disk; on failure an
 * older file of that name is untouched. */
CLIV_API cliv_status cliv_safetensors_write(const char *path, const cliv_named_array *arrays, size_t count,
                                            const cliv_metadata *metadata, size_t metadata_count) CLIV_MUST_CHECK;

/* ---- reading ---- */

/* An open file: the header is read and checked whole, the data when they are asked for. */
typedef struct cliv_safetensors cliv_safetensors;

CLIV_API cliv_status cliv_safetensors_open(const char *path, cliv_safetensors **out) CLIV_MUST_CHECK;
/* Closes it. NULL does nothing. Arrays that were read stay. */
CLIV_API void cliv_safetensors_free(cliv_safetensors *file);

/* The arrays, in the order of the header: name, and dtype and shape without data; NULL past the last. What is given
 * here lives as long as the file is open. */
CLIV_API size_t cliv_safetensors_count(const cliv_safetensors *file);
CLIV_API const char *cliv_safetensors_name(const cliv_safetensors *file, size_t index);
CLIV_API const cliv_array *cliv_safetensors_info(const cliv_safetensors *file, size_t index);
CLIV_API int cliv_safetensors_has(const cliv_safetensors *file, const char *name);

/* Blocks. `out` is to be freed with cliv_array_free; on failure it is empty. NAME when there is no such array. */
CLIV_API cliv_status cliv_safetensors_read(const cliv_safetensors *file, const char *name,
                                           cliv_array *out) CLIV_MUST_CHECK;

/* The text under a key, NULL when there is none; or all pairs, in the order of the header. */
CLIV_API const char *cliv_safetensors_metadata(const cliv_safetensors *file, const char *key);
CLIV_API const cliv_metadata *cliv_safetensors_metadata_list(const cliv_safetensors *file, size_t *count);

#ifdef __cplusplus
}
#endif
#endif
