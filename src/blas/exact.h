/* The provider `exact`, with its cuts in the caller's hand: tests show that no cut changes a bit. */
#ifndef CLIV_BLAS_EXACT_H
#define CLIV_BLAS_EXACT_H

#include "blas/cuts.h"

/* cuts may be NULL. */
cliv_status cliv__exact_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *cuts, const cliv_sync *sync);
cliv_status cliv__exact_gemv(cliv_context *ctx, const cliv__gemv *g, const cliv__cuts *cuts, const cliv_sync *sync);
/* A product of one column, or of one row. */
cliv__gemv cliv__as_gemv(const cliv__gemm *g);

/* ---- what the walks share ---- */

enum { PART_FIRST = 1, PART_LAST = 2 }; /* of a launch: as in cl/blas.cl */

/* A number as a kernel's SCALAR argument. */
typedef struct cliv__scalar {
  size_t size;
  union {
    float f;
    double d;
  } as;
} cliv__scalar;
static inline cliv__scalar cliv__scalar_of(cliv_dtype dtype, double x) {
  cliv__scalar s = {cliv_dtype_size(dtype), {0}};
  if (dtype == CLIV_F64) s.as.d = x;
  else s.as.f = (float)x;
  return s;
}
#define ARG_SCALAR(s) ((cliv__arg){(s).size, &(s).as})

/* A product of one column, or of one row. */
static inline bool cliv__is_vector(const cliv__gemm *g) {
  return (g->n == 1 || g->m == 1) && g->batch <= 1 && !g->resumes;
}
/* GPU walk: values of k at a time, as in cl/gemm_tile.cl. */
enum { CLIV__TILE_DEPTH = 16 };
/* Work-items of a group along its longer side. */
static inline size_t cliv__group_across(size_t group) {
  size_t across = 1;
  while (across * across < group) across *= 2;
  return across;
}
/* Bytes: rows so far apart, or a multiple of it, lie in the same places of a cache. */
enum { CLIV__COLLIDING = 2048 };

static inline cl_ulong cliv__least(cl_ulong a, cl_ulong b) { return a < b ? a : b; }
static inline cl_ulong cliv__most(cl_ulong a, cl_ulong b) { return a > b ? a : b; }
/* Of a vector in the CPU walk. */
static inline cl_ulong cliv__lanes(cliv_dtype dtype) { return dtype == CLIV_F64 ? 8 : 16; }

/* How many of `count` units a work-item does, so that every compute unit has several to choose from; at most
 * `largest`. */
cl_ulong cliv__blas_share(const cliv_context *ctx, cl_ulong count, cl_ulong largest);
/* CPU walk: how many of `count` units a work-item does, at most `largest`, where `rows` of work-items do the same, and
 * the launch is of so many multiply-adds: so that all threads end together. */
cl_ulong cliv__blas_run(const cliv_context *ctx, cl_ulong rows, cl_ulong count, cl_ulong largest, cl_ulong work);

cliv_status cliv__blas_kernel(cliv_context *ctx, cliv_dtype dtype, const char *files, const char *entry,
                              const char *choices, cl_kernel *out);

/* Where the matrices of a batch begin, for a kernel: *places is C's memory, which is not looked at, where they are
 * `each` apart. To be released by places_release after the launch. */
cliv_status cliv__places(cliv_context *ctx, const cliv__gemm *g, cl_mem *places);
void cliv__places_release(cliv_context *ctx, const cliv__gemm *g, cl_mem places);

/* CPU walk: whether cl/gemm_small.cl takes matrices of this shape where the cuts let it, and how many of them a launch;
 * and the launch. Cuts are those of cliv__cuts_full from here on. */
cl_ulong cliv__small_most(const cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *cuts);
cliv_status cliv__small_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv_sync *sync);

/* cl/gemm.cl and cl/gemm_tile.cl, for one product; in the GPU walk also for a batch, of which `large_most` gives how
 * many a launch. */
cl_ulong cliv__large_most(cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *cuts);
cliv_status cliv__large_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *cuts, const cliv_sync *sync);

/* Work-items for matrices of rows and columns, element by element: each does `*per` rows, in the CPU walk CLIV__ROW_RUN
 * columns of them. */
enum { CLIV__ROW_RUN = 1024 };
cliv__range cliv__blas_elements(const cliv_context *ctx, cl_ulong rows, cl_ulong columns, cl_ulong *per);

/* In exact_level3.c. */
cliv__level3_function cliv__exact_syrk, cliv__exact_symm, cliv__exact_trmm, cliv__exact_trsm;

#endif
