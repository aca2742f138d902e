/* cliv/factor.h: small dense linear algebra for second-order optimizers.
 *
 * Every function takes one matrix (two axes, row-major, of any pitch) or a batch of equal ones (three axes, the first
 * counts them), float32. All of it stays on the device, nothing blocks, though the first call of a kind compiles its
 * kernels. Every result has one definition, so that its bits are the same on every conforming device and in both walks:
 * products are those of the provider `exact` (cliv/blas.h) whatever the context prefers, sums are those of
 * cliv/reduce.h or of an order that is stated here, and the rest is +, −, ·, / and √, each rounded as written.
 * Subnormal numbers, below 2^-126, are as in cliv/blas.h: devices and drivers that do not keep them, in fma too, may
 * take and give zeros for them, and what is made of these then differs.
 *
 * A NaN or an infinity in a matrix gives NaN, in no more time than numbers take. The matrices of a batch do not touch
 * each other. Batches or matrices without elements are legal: nothing is written.
 *
 * Memory: the context keeps a few buffers of the batch's size, made by the first call and used by all that follow.
 *
 * Errors: NULL; VALUE (options out of range, tensors of another context); DTYPE (float32 alone); SHAPE; LAYOUT;
 * OVERLAP; DEVICE_MEMORY, HOST_MEMORY, OPENCL, BUILD from below. A call that fails has changed nothing, unless the
 * driver takes some of its launches and refuses the next: then results are not defined.
 */
#ifndef CLIV_FACTOR_H
#define CLIV_FACTOR_H

#include <cliv/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- orthogonalisation by Newton–Schulz ---- */

typedef struct cliv_orthogonalize_options {
  size_t size;  /* sizeof(cliv_orthogonalize_options) of the caller; 0: this version's */
  size_t steps; /* 0: 5, or as many as there are triples; at most 100 */
  /* Triples a, b, c, the first step's first; a step beyond the last triple takes that one. NULL: one triple,
   * 3.4445, −4.7750, 2.0315. Read before the call returns. */
  const double *coefficients;
  size_t triples; /* how many there are; with coefficients at least 1 */
  double eps;     /* 0: 1e-7 */
  int bfloat16;   /* 1: as PyTorch's Muon, see below */
} cliv_orthogonalize_options;

/* out ≈ the orthogonal factor U of A = U H: every singular value of A becomes one near 1. As the optimizer Muon needs
 * it (Keller Jordan, 2024), with A's rows taken as columns where there are more rows than columns:
 *
 *   X = A / (‖A‖ + eps)                                      ‖A‖: cliv_reduce's nrm2, of the rows one after another
 *   steps times:  S = X Xᵀ,  B = fma(c, S S, b·S),  X = fma(1, B X, a·X)
 *
 * The usual coefficients do not converge: in five steps they bring singular values from 0.002 of ‖A‖ on to between
 * 0.68 and 1.21. a, b, c = 2, −1.5, 0.5 do, from 0.1 of ‖A‖ in ten. bfloat16: A, ‖A‖, X, S and B are rounded to
 * bfloat16 (and kept as float32), and ‖A‖ is taken as at least eps instead of adding it, as in torch.optim.Muon;
 * without it, as in Keras and optax. A matrix of zeros gives zeros. out: of A's shape; it may be A itself. options,
 * sync: may be NULL. */
CLIV_API cliv_status cliv_orthogonalize(cliv_context *ctx, const cliv_tensor *a, cliv_tensor *out,
                                        const cliv_orthogonalize_options *options,
                                        const cliv_sync *sync) CLIV_MUST_CHECK;

/* ---- inverse roots ---- */

typedef struct cliv_inverse_root_options {
  size_t size;  /* sizeof(cliv_inverse_root_options) of the caller; 0: this version's */
  double ridge; /* from 1e-8 to 1; 0: 1e-6 */
  double floor; /* at least 0; 0: 1e-6 */
} cliv_inverse_root_options;

/* out = (A + r I)^(−1/p) of a symmetric, positive semi-definite A, with r = ridge · max(λ, floor) and λ A's greatest
 * eigenvalue. By products alone, the coupled Newton iteration (Guo and Higham, 2006), as the optimizer Shampoo has it:
 *
 *   λ = tr(A B) / tr(B), B = A¹²⁸ by seven squarings, each divided by its greatest magnitude: at most 5 % too small,
 *       and exact where the second eigenvalue is 0.9 λ or less
 *   z = min((1 + p) / 2, 2) / (λ + r),  M = z (A + r I),  H = I
 *   T = (1 + 1/p) I − M / p,  H = H T,  M = Tᵖ M             as often as the smallest eigenvalue may need: 25 times
 *                                                            for p = 1, 19 for p = 8 and a ridge of 1e-6
 *   out = (H + Hᵀ) · z^(1/p) / 2
 *
 * The error grows with the condition number of A + r I, as that of any method in float32. Against a decomposition in
 * double, relative to out's norm, for condition numbers of A of 1e2, 1e4, 1e6 (n = 40; sums of more terms round more):
 * p = 1: 1e-6, 5e-5, 2e-3; p = 2: 5e-7, 2e-5, 9e-4; p = 4: 4e-7, 8e-6, 4e-4; p = 8: 4e-7, 3e-6, 1e-4. An eigenvalue
 * below −r makes the result meaningless or NaN; elements of 1e38 / n² and more give NaN. Zeros give
 * (ridge · floor)^(−1/p) I.
 *
 * p: 1 to 32; powers of two are cheapest: log2 p + 2 products an iteration. out: of A's shape; it may be A itself. */
CLIV_API cliv_status cliv_inverse_root(cliv_context *ctx, const cliv_tensor *a, unsigned p, cliv_tensor *out,
                                       const cliv_inverse_root_options *options, const cliv_sync *sync) CLIV_MUST_CHECK;

/* ---- QR ---- */

/* A = Q R of an m × n matrix with m >= n: Q m × n with orthonormal columns, R n × n, upper triangular, with a diagonal
 * of at least 0. By reflections in panels of 32 columns, the rest by products; every column is divided by a power of
 * two near its largest element first, so that columns of any sizes, from 1e-37 to 1e37, are as good as equal ones.
 *
 * Q is orthonormal within a few 1e-7, whatever A is: columns that depend on those before them, or are 0, have a
 * diagonal of R near or at 0, and Q then completes the basis. Q R is A within a few 1e-7 of each column's norm. Columns
 * from one with a NaN or an infinity on are NaN; those before it may be.
 * a, q, r: none overlaps another, but q may be a itself. r: NULL where it is not wanted. sync: may be NULL. */
CLIV_API cliv_status cliv_qr(cliv_context *ctx, const cliv_tensor *a, cliv_tensor *q, cliv_tensor *r,
                             const cliv_sync *sync) CLIV_MUST_CHECK;

/* ---- eigenvalues and eigenvectors ---- */

typedef struct cliv_eigen_options {
  size_t size;   /* sizeof(cliv_eigen_options) of the caller; 0: this version's */
  size_t sweeps; /* 0: 12; at most 64 */
} cliv_eigen_options;

/* A = V diag(values) Vᵀ of a symmetric matrix: values ascending, vectors in the columns of V. One-sided Jacobi on
 * A + ‖A‖ I, every pair of rows once a sweep, of any symmetric matrix, definite or not: V is orthonormal within a few
 * 1e-6, and A V − V diag(values) and the values' errors are below 1e-6 of ‖A‖ (measured to n = 257). The signs of
 * vectors are as they come, the same everywhere.
 *
 * A sweep is n − 1 launches of about 5.5 n² multiply-adds, of 1.5 n² where no pair is left to turn.
 * This is for a first basis and for small matrices, not for every step of a large one: on a CPU it takes as long as
 * about 100 exact products of that size for n = 64, 170 for n = 256, 430 for n = 1024.
 *
 * values: A's shape without the last axis. vectors: A's shape; it may be A itself. n at most 16384. */
CLIV_API cliv_status cliv_eigen(cliv_context *ctx, const cliv_tensor *a, cliv_tensor *values, cliv_tensor *vectors,
                                const cliv_eigen_options *options, const cliv_sync *sync) CLIV_MUST_CHECK;

/* ---- Cholesky factors, and equations ---- */

/* A = L Lᵀ of a symmetric, positive definite matrix, of which the lower triangle is read: L lower triangular, 0 above
 * the diagonal. By blocks of 32 columns, each less the products of those before it.
 * info: int32, one element a matrix, or NULL: 0 where all went well, else the number of the first row, counted from 1,
 * whose pivot is not above 0 or not finite, as LAPACK has it; there, and wherever it reaches, L is NaN.
 * l: of A's shape; it may be A itself. */
CLIV_API cliv_status cliv_cholesky(cliv_context *ctx, const cliv_tensor *a, cliv_tensor *l, cliv_tensor *info,
                                   const cliv_sync *sync) CLIV_MUST_CHECK;

/* op(T) X = B for a triangular n × n matrix T: its lower triangle is read, or with `upper` its upper one; op transposes
 * with `trans`. B, X: n × k; X may be B itself. By substitution in blocks of 32 rows, each less a product with those
 * before it. A 0 on the diagonal gives infinities and NaN. */
CLIV_API cliv_status cliv_solve_triangular(cliv_context *ctx, const cliv_tensor *t, int upper, int trans,
                                           const cliv_tensor *b, cliv_tensor *x, const cliv_sync *sync) CLIV_MUST_CHECK;

/* A X = B for a symmetric, positive definite n × n matrix A, of which the lower triangle is read: by its Cholesky
 * factor and two substitutions. B, X: n × k; X may be B itself. info as above; where it is not 0, X is NaN. */
CLIV_API cliv_status cliv_solve(cliv_context *ctx, const cliv_tensor *a, const cliv_tensor *b, cliv_tensor *x,
                                cliv_tensor *info, const cliv_sync *sync) CLIV_MUST_CHECK;

/* The X that makes ‖A X − B‖ least, column by column: A m × n, m >= n, of full rank, B m × k, X n × k. By A = Q R: X is
 * R⁻¹ Qᵀ B. Dependent columns give infinities, NaN, or large numbers. */
CLIV_API cliv_status cliv_least_squares(cliv_context *ctx, const cliv_tensor *a, const cliv_tensor *b, cliv_tensor *x,
                                        const cliv_sync *sync) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
