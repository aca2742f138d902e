/* Where the provider `exact` cuts its work. No cut changes a bit, so that what is fastest may be taken: by facts of the
 * device to begin with, and as it was measured for the class of a product (sample.h) once there have been so many of it
 * that measuring pays. What was found is a note, "gemm cuts"; a context looks at 256 classes at most. */
#ifndef CLIV_BLAS_CUTS_H
#define CLIV_BLAS_CUTS_H

#include "blas/provider.h"

/* 0 in a member: not chosen yet. */
typedef struct cliv__cuts {
  cl_ulong block_k;     /* values of k a launch */
  cl_ulong launch_work; /* multiply-adds a launch, about */
  cl_ulong room;        /* bytes for each of: copies of A, copies of B, running sums; at least a tile's */
  int pack_a, pack_b;   /* CPU walk: 1 copy, -1 read in place where that is possible */
  unsigned side;        /* GPU walk: 4 or 8 elements of a work-item along each side */
  int no_gemv;          /* 1: products of one row or column by the walk for matrices */
  int small;            /* CPU walk: 1 by cl/gemm_small.cl where it can be, -1 not */
} cliv__cuts;

/* All of them for this product: what `asked` (NULL: nothing) leaves open is chosen by shape and device. */
cliv__cuts cliv__cuts_full(const cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *asked);
/* The same of one product of a matrix and a vector: its block of k. */
cl_ulong cliv__cuts_vector(const cliv_context *ctx, const cliv__gemv *g, const cliv__cuts *asked);
/* GPU walk: work-items of a group. */
size_t cliv__cuts_group(const cliv_context *ctx);

/* GPU walk: whether a work-item may have a side of 8. Sums of float64 take two registers each; and the fewer items a
 * group has, the more of its tiles each brings, all of whose conditions are in registers. */
bool cliv__cuts_sides(const cliv_context *ctx, const cliv__gemm *g);

/* What was measured for the class of the product, to be asked of cliv__cuts_full; NULL: nothing. Counts the product,
 * and, where it is the one that makes measuring pay, has the context's next cliv_context_finish measure, when nothing
 * else of the context's is at work: on a queue of its own, for some tenths of a second and what compiling takes. Not
 * where the context tries nothing (CLIV_PROBE_NEVER), nor on renderers. */
const cliv__cuts *cliv__cuts_known(cliv_context *ctx, const cliv__gemm *g);
/* Measures the class now, unless it is known or could not be measured before. Blocks. False: it cannot be measured, and
 * what cliv__cuts_full chooses by itself is taken for the context's life. */
bool cliv__cuts_measure(cliv_context *ctx, const cliv__gemm *g);

/* For tests: how many classes this context has measured, and how many multiply-adds of a class make measuring pay. */
size_t cliv__cuts_measured(const cliv_context *ctx);
void cliv__cuts_set_worth(cliv_context *ctx, double multiply_adds);

#endif
