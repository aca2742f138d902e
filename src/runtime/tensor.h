/* Internal side of cliv/tensor.h. */
#ifndef CLIV_RUNTIME_TENSOR_H
#define CLIV_RUNTIME_TENSOR_H

#include <cliv/tensor.h>

#include "runtime/context.h"

struct cliv_tensor {
  cliv_context *ctx;
  cl_mem mem;    /* one reference is ours; NULL when there are no elements */
  void *svm;     /* where mem begins, in shared virtual memory; NULL: elsewhere */
  size_t offset; /* bytes from the start of mem to the first element */
  size_t span;   /* bytes from the first element to the end of the last */
  cliv_dtype dtype;
  int ndim;
  size_t shape[CLIV_MAX_DIMS];
  size_t count, columns, rows, pitch; /* rows × columns == count; pitch in elements, where not strided */
  size_t strides[CLIV_MAX_DIMS];      /* elements from one index to the next */
  bool strided;                       /* no pitch says how it lies: only its strides do */
};

/* First element's index in mem, in elements: offset is a multiple of the element size. */
static inline cl_ulong cliv__first(const cliv_tensor *t) { return t->offset / cliv_dtype_size(t->dtype); }
/* As the matrix of its first axis by all others; 1 row where it has no axes. */
static inline size_t cliv__matrix_rows(const cliv_tensor *t) { return t->ndim ? t->shape[0] : 1; }
static inline size_t cliv__matrix_columns(const cliv_tensor *t) {
  return t->count ? t->count / cliv__matrix_rows(t) : 0;
}
/* Its address in shared virtual memory. */
static inline cl_ulong cliv__address(const cliv_tensor *t) { return (cl_ulong)(uintptr_t)t->svm + t->offset; }
static inline bool cliv__dense(const cliv_tensor *t) { return !t->strided && (t->rows <= 1 || t->pitch == t->columns); }
/* What every operation asks of its tensors, NULL among them skipped: that they are of its context (VALUE), and that
 * rows and a pitch say how they lie (LAYOUT). */
#define REQUIRE_TENSORS(ctx, ...)                                           \
  TRY(cliv__check_tensors((ctx), (const cliv_tensor *const[]){__VA_ARGS__}, \
                          sizeof((const cliv_tensor *const[]){__VA_ARGS__}) / sizeof(cliv_tensor *)))
cliv_status cliv__check_tensors(cliv_context *ctx, const cliv_tensor *const *tensors, size_t count);
/* The first of these alone. */
#define REQUIRE_CONTEXT(ctx, ...)                                           \
  TRY(cliv__check_context((ctx), (const cliv_tensor *const[]){__VA_ARGS__}, \
                          sizeof((const cliv_tensor *const[]){__VA_ARGS__}) / sizeof(cliv_tensor *)))
cliv_status cliv__check_context(cliv_context *ctx, const cliv_tensor *const *tensors, size_t count);
bool cliv__same_shape(const cliv_tensor *a, const cliv_tensor *b);
/* In one cl_mem, or both in shared virtual memory: whether one has bytes of the other can be told. */
bool cliv__same_memory(const cliv_tensor *a, const cliv_tensor *b);
/* Their first elements begin at one byte. */
bool cliv__same_start(const cliv_tensor *a, const cliv_tensor *b);
/* True when the two share a byte of device memory (only seen within the same memory). */
bool cliv__overlap(const cliv_tensor *a, const cliv_tensor *b);
/* Of tensors of one shape: exactly the same elements, so that each may be read before it is written. */
bool cliv__same_place(const cliv_tensor *a, const cliv_tensor *b);
/* A tensor as rows counted by its first axis: elements of a row, and from row to row; a row of several axes is dense.
 * */
size_t cliv__row_length(const cliv_tensor *t);
size_t cliv__row_pitch(const cliv_tensor *t);
/* A dense tensor in a slot of runtime/scratch.h, which owns nothing: it is not freed. */
cliv_status cliv__scratch_tensor(cliv_context *ctx, int slot, cliv_dtype dtype, int ndim, const size_t *shape,
                                 cliv_tensor *out);
/* Enqueues a copy between tensors of one shape and type that do not overlap, of any strides. */
cliv_status cliv__copy_strided(const cliv_tensor *from, const cliv_tensor *to, const cliv_sync *sync);
/* "float32 [3, 4]" into room; returns room. For error sentences. */
const char *cliv__describe(const cliv_tensor *t, char room[static 160]);

#endif
