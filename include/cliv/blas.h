/* cliv/blas.h: products of matrices and vectors.
 *
 * Matrices are 2-D tensors, row-major, of any offset and pitch. Vectors are 1-D tensors, or 2-D ones of one column
 * (of any pitch) or one row. All operands of a call have the same type: float32, float16, bfloat16, or float64 where
 * the device has it; other types are refused with DTYPE. alpha and beta are rounded to that type first, or to float32
 * where it is narrower. Everything is enqueued in the context's order; nothing here blocks, but the first call of a
 * kind compiles its kernels.
 *
 * float16 and bfloat16 are taken on any device: all is computed in float32, by the definitions below, and each element
 * of the result rounded once, to nearest even. gemv by exact reads such a matrix where it lies, as gemm does for a
 * product of one row or column, and ger and axpy read and write all where it lies: AUTO takes exact for these. Else
 * narrow operands are copied to float32 first; clblast has them all by such copies.
 *
 * All functions take views of any strides (cliv_tensor_view_strided): matrices whose columns are contiguous are read,
 * and written, as the transposed of such whose rows are; others are copied to dense ones first, and results back to
 * their own elements alone. The bits are the same. Only a bias has to be dense (LAYOUT).
 *
 * Two providers compute them:
 *
 *   exact    Cliv's own. The result has one definition, so its bits are the same on every conforming device, in both
 *            walks, at every launch shape: with op(A) m × k and op(B) k × n, each element of C is one chain of fused
 *            multiply-adds
 *                s = +0;  s = fma(op(A)[i,k], op(B)[k,j], s)  for k = 0, 1, 2, …
 *            and then
 *                C[i,j] = alpha·s                          where beta is 0 (one rounding)
 *                C[i,j] = fma(alpha, s, beta·C[i,j])       otherwise (beta·C[i,j] rounded first)
 *            A NaN that is stored is the canonical one. (Subnormal numbers, below 2^-126, are kept by devices that
 *            report CL_FP_DENORM and whose driver's fma keeps them, as llvmpipe's does not; others may take and give
 *            zeros for them.)
 *   clblast  CLBlast's. Its results depend on device, shape and tuning, and are outside that promise. Its first
 *            product in a process takes seconds, since CLBlast compiles anew in each. Status NO_CLBLAST when the
 *            library was built without it. It counts a buffer's elements in 32 bits: by name, products that reach
 *            beyond 2^31 - 1 fail with NOT_IN_BUILD, and AUTO computes them by exact. Three things of CLBlast's that a
 *            guest should know: on an exception of its own it prints a line to standard error before it gives Cliv the
 *            code; it keeps every program it has compiled until the process ends, and with each the cl_context, also
 *            yours after cliv_context_free (see cliv_blas_forget); and it blocks in gemm_batched of matrices that are
 *            not evenly apart until all that was enqueued in the context before is done, so that nothing of that may
 *            wait for what the caller has yet to do. Calls with a wait list do not block.
 *
 * AUTO takes exact on CPU devices, and everywhere in a library without CLBlast. On others both compute the first
 * product of a class of shapes (type, transposes; m, n, k and the batch by powers of two) on matrices of their own,
 * which takes less than a second beyond what CLBlast compiles; where they agree the faster one makes all products of
 * that class, in later processes too, since the answer is kept (cliv/cache.h); where they do not, or there are more
 * than 256 classes, exact does. What `cliv tune` (cliv/tune.h) makes faster than exact on a CPU is taken there, too.
 * Where bits have to be equal everywhere, ask for exact by name.
 *
 * exact chooses its blocks and copies by facts of the device. Once a context has done many products of one class (some
 * ten seconds' worth on a CPU), its next cliv_context_finish also tries others, on matrices and a queue of its own: it
 * then takes as long as compiling up to five programs, and some tenths of a second. No bit depends on it. What is
 * faster is taken from then on, in later processes too (cliv/cache.h). Contexts made with probe = CLIV_PROBE_NEVER take
 * what others have measured, and measure nothing.
 *
 * What holds for both, as in any BLAS: with beta = 0 the result is written without being read, so a NaN in it does
 * not matter; with alpha = 0, or nothing to sum (k = 0), A and B are not read and C becomes beta·C: +0 where beta is
 * 0, untouched where beta is 1.
 *
 * Errors: NULL; SHAPE (dimensions, lengths, number of axes); DTYPE; LAYOUT (a bias that is not dense); OVERLAP (the
 * result shares memory with an operand); VALUE (tensors of another context, provider out of range); NO_CLBLAST;
 * NOT_IN_BUILD (too large for clblast); DEVICE_MEMORY, OPENCL, BUILD, CLBLAST from below. A call that fails before its
 * work is enqueued has changed nothing.
 *
 * Memory: exact keeps up to three buffers of about 64 MiB with the context (copies of A and of B, running sums),
 * clblast one of the size that CLBlast asks for (batches of small matrices in pieces for which CLBlast itself
 * allocates at most 64 MiB). syrk, symm, trmm and trsm keep one more, of as many matrices of a batch as 64 MiB hold,
 * and at least of 256 rows of one. Copies of strided and of narrow matrices are as large as these, and kept likewise.
 */
#ifndef CLIV_BLAS_H
#define CLIV_BLAS_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cliv_provider {
  CLIV_PROVIDER_AUTO = 0, /* see above */
  CLIV_PROVIDER_EXACT,
  CLIV_PROVIDER_CLBLAST
} cliv_provider;

/* What may follow a product; the functions are those of cliv/map.h. */
typedef enum cliv_activation {
  CLIV_ACTIVATION_NONE = 0,
  CLIV_ACTIVATION_RELU,      /* x where it is above 0, else 0; NaN stays */
  CLIV_ACTIVATION_GELU,      /* 0.5 x (1 + erf(x √0.5)) */
  CLIV_ACTIVATION_GELU_TANH, /* 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))) */
  CLIV_ACTIVATION_SILU,      /* x / (1 + e^-x) */
  CLIV_ACTIVATION_TANH,
  CLIV_ACTIVATION_SIGMOID
} cliv_activation;

typedef struct cliv_blas_options {
  size_t size;            /* sizeof(cliv_blas_options) of the caller; 0: this version's */
  cliv_provider provider; /* 0: AUTO */
  /* gemm and gemm_batched: C = activation(C + bias), each C as it is defined above, with one rounding for the bias (of
   * which -0 counts as +0) and then the activation, in the product's own store where that can be. bias: NULL, or a
   * dense vector of C's type, an element for each column of C, or with bias_rows for each row; all matrices of a batch
   * have the same. float64 has the activations none and relu. Where nothing is summed (k = 0, alpha = 0), they follow
   * beta C all the same. */
  const cliv_tensor *bias;
  int bias_rows;
  cliv_activation activation;
} cliv_blas_options;

/* "auto", "exact", "clblast" and back; "?" for a value that is no provider, status NAME for a name that is none. */
CLIV_API const char *cliv_provider_name(cliv_provider provider);
CLIV_API cliv_status cliv_provider_parse(const char *name, cliv_provider *out) CLIV_MUST_CHECK;
/* "none", "relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid" and back, likewise. */
CLIV_API const char *cliv_activation_name(cliv_activation activation);
CLIV_API cliv_status cliv_activation_parse(const char *name, cliv_activation *out) CLIV_MUST_CHECK;
/* What AUTO stands for on this context where no measurement says otherwise: EXACT or CLBLAST. */
CLIV_API cliv_provider cliv_blas_auto(const cliv_context *ctx);
/* What it stands for in one product like this, op(A) m × k and op(B) k × n, as far as is known: measures nothing. A
 * batch is of a class of its own, and not asked about here. */
CLIV_API cliv_provider cliv_blas_auto_for(cliv_context *ctx, cliv_dtype dtype, int trans_a, int trans_b, size_t m,
                                          size_t n, size_t k);

/* C = alpha op(A) op(B) + beta C. A: m × k, or k × m with trans_a; B: k × n, or n × k with trans_b; C: m × n, not
 * overlapping A or B. trans_a, trans_b: 0 or not. options, sync: may be NULL.
 *
 * A batch: C has three axes, [batch, m, n], and is as many products, in one launch where they are small. A and B have
 * the same batch, or are one matrix (two axes, or a batch of 1) that all products use. */
CLIV_API cliv_status cliv_gemm(cliv_context *ctx, int trans_a, int trans_b, double alpha, const cliv_tensor *a,
                               const cliv_tensor *b, double beta, cliv_tensor *c, const cliv_blas_options *options,
                               const cliv_sync *sync) CLIV_MUST_CHECK;

/* `count` products of matrices that lie anywhere: C[i] = alpha op(A[i]) op(B[i]) + beta C[i], with the same bits as by
 * so many calls of the above. All A have one shape, all B, and all C (two axes); a tensor may be an operand of several
 * products. No result overlaps an operand of any product, nor another result. Neighbours in the list that share their
 * cl_mems (views of one allocation, an arena) are one launch where they are small. The lists are not kept. */
CLIV_API cliv_status cliv_gemm_batched(cliv_context *ctx, size_t count, int trans_a, int trans_b, double alpha,
                                       const cliv_tensor *const *a, const cliv_tensor *const *b, double beta,
                                       cliv_tensor *const *c, const cliv_blas_options *options,
                                       const cliv_sync *sync) CLIV_MUST_CHECK;

/* y = alpha op(A) x + beta y: the product above with one column, and the same bits. A: m × k, or k × m with trans_a;
 * x: k; y: m. */
CLIV_API cliv_status cliv_gemv(cliv_context *ctx, int trans_a, double alpha, const cliv_tensor *a, const cliv_tensor *x,
                               double beta, cliv_tensor *y, const cliv_blas_options *options,
                               const cliv_sync *sync) CLIV_MUST_CHECK;

/* A += alpha x y': the product above with k = 1 and beta = 1, and the same bits:
 * A[i,j] = fma(alpha, fma(x[i], y[j], +0), A[i,j]). A: m × n; x: m; y: n. */
CLIV_API cliv_status cliv_ger(cliv_context *ctx, double alpha, const cliv_tensor *x, const cliv_tensor *y,
                              cliv_tensor *a, const cliv_blas_options *options, const cliv_sync *sync) CLIV_MUST_CHECK;

/* y += alpha x: y[i] = fma(alpha, x[i], y[i]); untouched where alpha is 0. x and y: tensors of the same shape, of any
 * number of axes and any strides. */
CLIV_API cliv_status cliv_axpy(cliv_context *ctx, double alpha, const cliv_tensor *x, cliv_tensor *y,
                               const cliv_blas_options *options, const cliv_sync *sync) CLIV_MUST_CHECK;

/* ---- triangles and symmetric matrices ----
 *
 * One matrix or, with three axes, a batch of equal ones, as many of every operand. Of a triangular or symmetric matrix
 * one triangle is read, or written, the lower one unless CLIV_UPPER says otherwise; the other is not touched, and what
 * it holds does not matter (but a strided C that is copied is written back whole, with what it held). `how` is a sum of
 * these; what a function does not name it refuses with VALUE. Provider clblast is used where it is asked for by name,
 * for it allocates memory of its own here and ends the process when it gets none; AUTO is exact. */
enum {
  CLIV_RIGHT = 1, /* the triangular or symmetric matrix is the right side of the product; else the left */
  CLIV_UPPER = 2, /* its upper triangle; else the lower */
  CLIV_TRANS = 4, /* it is transposed */
  CLIV_UNIT = 8   /* its diagonal is taken as 1, and not read */
};

/* C = alpha op(A) op(A)' + beta C, of C one triangle: each element as by cliv_gemm, to the bit. A: n × k, or k × n with
 * TRANS; C: n × n, apart from A. how: UPPER, TRANS. */
CLIV_API cliv_status cliv_syrk(cliv_context *ctx, unsigned how, double alpha, const cliv_tensor *a, double beta,
                               cliv_tensor *c, const cliv_blas_options *options, const cliv_sync *sync) CLIV_MUST_CHECK;

/* C = alpha A B + beta C, or with RIGHT alpha B A + beta C, for a symmetric A: each element as by cliv_gemm with the
 * whole of A, to the bit. B, C: m × n, C apart from the others; A: m × m, or n × n with RIGHT. how: RIGHT, UPPER. */
CLIV_API cliv_status cliv_symm(cliv_context *ctx, unsigned how, double alpha, const cliv_tensor *a,
                               const cliv_tensor *b, double beta, cliv_tensor *c, const cliv_blas_options *options,
                               const cliv_sync *sync) CLIV_MUST_CHECK;

/* X = alpha op(A) B, or with RIGHT alpha B op(A), for a triangular A. exact: alpha·s, where s is the chain of cliv_gemm
 * over those k alone for which op(A) has an element in its triangle, in ascending order; with UNIT the one on the
 * diagonal is 1: so a NaN in B reaches no more than it must. With alpha = 0 X is +0, and A and B are not read.
 * B, X: m × n, X may be B itself; A: m × m, or n × n with RIGHT. how: RIGHT, UPPER, TRANS, UNIT. */
CLIV_API cliv_status cliv_trmm(cliv_context *ctx, unsigned how, double alpha, const cliv_tensor *a,
                               const cliv_tensor *b, cliv_tensor *x, const cliv_blas_options *options,
                               const cliv_sync *sync) CLIV_MUST_CHECK;

/* The X of op(A) X = alpha B, or with RIGHT of X op(A) = alpha B, for a triangular A. exact, in blocks of 32 rows of X
 * (columns with RIGHT) along the triangle, in the order in which they become known: with b = alpha·B (rounded) and
 * t = op(A), or its transpose with RIGHT, each element of a block's row i begins as
 *     s = b[i]                                                of the first block
 *     s = fma(-1, the chain of cliv_gemm of t[i,k] and x[k] over the rows k of the blocks before, ascending, b[i])
 * and then, over the rows k of its own block before it, in the order in which they became known,
 *     s = fma(-t[i,k], x[k], s),  x[i] = s / t[i,i]           or s with UNIT
 * which is cliv_solve_triangular (cliv/factor.h) where alpha is 1. A 0 on the diagonal gives infinities and NaN; with
 * alpha = 0 X is +0. Shapes and `how` as cliv_trmm. */
CLIV_API cliv_status cliv_trsm(cliv_context *ctx, unsigned how, double alpha, const cliv_tensor *a,
                               const cliv_tensor *b, cliv_tensor *x, const cliv_blas_options *options,
                               const cliv_sync *sync) CLIV_MUST_CHECK;

/* Compiles what the given routines need ("gemm,gemv,ger,axpy" or some of them; NULL: all) by tiny calls of them, so
 * that the first product of the program is not the one that waits: CLBlast compiles anew in every process, for seconds
 * a routine. dtype: of the tensors. options: the provider; AUTO prepares what it takes for tiny products.
 *
 * What CLBlast compiles is the whole process's; what exact compiles is its context's, and in the background that is one
 * of the thread's own: the given context then finds it in the disk cache (cliv/cache.h), and without one gains nothing.
 *
 * background 0: blocks until it is done. Otherwise a thread of the library's own does it, on a queue of its own on the
 * same device; it takes no signals, and is joined by cliv_blas_prepared, the next cliv_blas_prepare or
 * cliv_context_free. Meanwhile the context may be used: AUTO computes by exact, and a call that asks for clblast by
 * name waits for the thread. With a driver that bears one caller at a time (Oclgrind) it is joined at once.
 *
 * Fails with NULL, NAME (routines), DTYPE, DEVICE_DTYPE, VALUE, NO_CLBLAST, HOST_MEMORY (no thread), and what the calls
 * fail with; those of a thread are cliv_blas_prepared's. */
CLIV_API cliv_status cliv_blas_prepare(cliv_context *ctx, const char *routines, cliv_dtype dtype, int background,
                                       const cliv_blas_options *options) CLIV_MUST_CHECK;
/* Waits for what is prepared in the background, and gives its status; OK where nothing is. */
CLIV_API cliv_status cliv_blas_prepared(cliv_context *ctx) CLIV_MUST_CHECK;

/* Makes CLBlast drop all that it has compiled in this process, for every context and every user of CLBlast, and with it
 * its references to their cl_contexts; products that are being computed are not harmed. What comes next is compiled
 * anew, which takes seconds: so this is for the end, after the last cliv_context_free of contexts that computed with
 * CLBlast, and nothing of Cliv's calls it on its own. Any thread. Without CLBlast in the build it does nothing. Fails
 * with CLBLAST; the sentence is then in cliv_last_error(NULL). */
CLIV_API cliv_status cliv_blas_forget(void) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
