/* The provider `exact`, with its cuts in the caller's hand: tests show that no cut changes a bit. */
#ifndef CLIV_BLAS_EXACT_H
#define CLIV_BLAS_EXACT_H

#include "blas/provider.h"

/* Where work is cut. 0 in a member: chosen by shape and device. */
typedef struct cliv__cuts {
  cl_ulong block_k;     /* values of k a launch */
  cl_ulong launch_work; /* multiply-adds a launch, about */
  cl_ulong room;        /* bytes for each of: copies of A, copies of B, running sums; at least a tile's */
  int pack_a, pack_b;   /* CPU walk: 1 copy, -1 read in place where that is possible */
  int no_gemv;          /* 1: products of one row or column by the walk for matrices */
} cliv__cuts;

/* cuts may be NULL. */
cliv_status cliv__exact_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *cuts, const cliv_sync *sync);
cliv_status cliv__exact_gemv(cliv_context *ctx, const cliv__gemv *g, const cliv__cuts *cuts, const cliv_sync *sync);

#endif
