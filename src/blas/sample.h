/* Products to measure: the class that a shape stands for, and operands of such shapes. */
#ifndef CLIV_BLAS_SAMPLE_H
#define CLIV_BLAS_SAMPLE_H

#include "blas/provider.h"

/* The class of a product: its type, the transposes, and the whole logarithms of m, n, k and of the batch, as
 * "float32 nt 10 10 10 0". Products of one class are measured as one. */
enum { CLIV__CLASS_NAME = 64 };
void cliv__gemm_class(const cliv__gemm *g, char name[static CLIV__CLASS_NAME]);

/* m, n, k and batch as they are measured: at most so many multiply-adds, and operands of at most 64 MiB. The batch is
 * halved first, then the longest side. */
void cliv__sample_cut(cl_ulong size[static 4], cliv_dtype dtype, double work);

/* A matrix, or a batch of them: whole numbers from -2 to 2, whose sums are exact in any order; seed 0: nothing in
 * particular. */
cliv_status cliv__sample_matrix(cliv_context *ctx, cliv_dtype dtype, size_t batch, size_t rows, size_t columns,
                                unsigned seed, cliv_tensor **out);

#endif
