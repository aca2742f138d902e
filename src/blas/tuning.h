/* The parts of a search for CLBlast's parameters: which kernels there are, trying a candidate, and what is kept.
 * tune.c searches; tune_kernels.c, tune_trial.c, tune_notes.c are these parts; tune.cc is CLBlast's own C++. */
#ifndef CLIV_BLAS_TUNING_H
#define CLIV_BLAS_TUNING_H

#include <cliv/tune.h>
#include <jansson.h>

#include "blas/provider.h"

/* In force from the first call of a context's provider `clblast` on; cheap after that. Without CLBlast: nothing. */
void cliv__tuning_apply(cliv_context *ctx);

#ifdef CLIV_HAVE_CLBLAST
#include "blas/tune.h"

/* ---- kernels: tune_kernels.c ---- */

/* Values that a parameter takes in neighbours of a candidate. */
typedef struct cliv__tune_axis {
  const char *name;
  size_t values[8]; /* ended by SIZE_MAX */
} cliv__tune_axis;

/* A kernel, and the routine's call that its speed is judged by: op(A) m × k, op(B) k × n for gemm; gemv m × k; ger
 * m × n; axpy m. */
typedef struct cliv__tune_kernel {
  const char *routine, *kernel;
  size_t m, n, k;
  bool trans_a;
  size_t apart;                /* elements between a row's end and the next, and before the first: forces copies */
  double weight;               /* share of the budget */
  double slice;                /* of the candidates of CLBlast's own tuner, to begin with; 0: it is not asked */
  const cliv__tune_axis *axes; /* NULL: neighbours are not tried */
  bool (*possible)(const cliv__parameters *p); /* NULL: all are */
  const char *only; /* NULL, or the only candidate: for a parameter that is judged at a size of its own */
} cliv__tune_kernel;

extern const cliv__tune_kernel cliv__tune_kernels[]; /* ended by a NULL kernel */

/* Candidates that were fast somewhere, as text "MWG=16 …" (what it does not name stays as in the defaults); NULL past
 * the last. */
const char *cliv__tune_known(const cliv__tune_kernel *kernel, size_t index);
/* A neighbour of `from`, decided by `number` alone; false: none was found. */
bool cliv__tune_neighbour(const cliv__tune_kernel *kernel, const cliv__parameters *from, uint64_t number,
                          cliv__parameters *out);

/* "A=1 B=2", malloc'd; and back onto *inout: false for a name it does not have or what is no such text. */
char *cliv__parameters_text(const cliv__parameters *p);
bool cliv__parameters_parse(const char *text, cliv__parameters *inout);

/* ---- one candidate after another: tune_trial.c ---- */

typedef struct cliv__tune_trial {
  cliv_context *ctx;
  const cliv__tune_kernel *kernel;
  cliv_dtype dtype;
  cliv_tensor *a, *b, *c, *whole[3]; /* views, and what they are in */
  double *first, *want, *bound;      /* of the whole result, guard zone included */
  size_t count;
} cliv__tune_trial;

/* Makes operands and what `exact` gives for them. */
cliv_status cliv__tune_open(cliv_context *ctx, const cliv__tune_kernel *kernel, cliv_dtype dtype,
                            cliv__tune_trial *trial);
void cliv__tune_close(cliv__tune_trial *trial);
/* Computes by CLBlast as its parameters are now; *right: every element is what it should be. */
cliv_status cliv__tune_check(cliv__tune_trial *trial, bool *right);
/* The same where sides are odd, of all transposes and with factors, on whole numbers, whose sums are exact: what the
 * size that is timed does not show. May compile what the timed call does not use. */
cliv_status cliv__tune_check_odd(cliv__tune_trial *trial, bool *right);
/* Computes once more; the seconds that took, or a negative number where it failed. */
double cliv__tune_time(cliv__tune_trial *trial);
double cliv__tune_flops(const cliv__tune_kernel *kernel);

/* ---- what is kept: tune_notes.c ---- */

/* A row of what is kept, and of an exported file. */
typedef struct cliv__tune_row {
  const cliv__tune_kernel *kernel;
  cliv_dtype dtype;
  cliv__parameters defaults, parameters;
  double before, after; /* GFLOP/s */
} cliv__tune_row;

/* Whether anything is kept for this device. */
bool cliv__tuning_kept(cliv_context *ctx);
/* Puts the row in the place of the same kernel's and dtype's. */
bool cliv__tune_keep(cliv_context *ctx, const cliv__tune_row *row);
/* The row kept for a kernel; false: none, or one of another CLBlast. */
bool cliv__tune_kept(cliv_context *ctx, const cliv__tune_kernel *kernel, cliv_dtype dtype, cliv__tune_row *out);
/* Parameters as they were before any override of Cliv's; 0 or CLBlast's code. */
int cliv__tune_defaults(cliv_context *ctx, const cliv__tune_kernel *kernel, cliv_dtype dtype, cliv__parameters *out);
/* The rows of an exported file, each checked; *rows is malloc'd. */
cliv_status cliv__tune_read(cliv_context *ctx, const char *path, cliv__tune_row **rows, size_t *count);

/* What was tried: {"tried": {text: seconds, 0 for a failure}, "trying": text, "slice": fraction,
 * "slice_seconds": what it took}. */
json_t *cliv__tune_state(cliv_context *ctx, const cliv__tune_kernel *kernel, cliv_dtype dtype);
bool cliv__tune_remember(cliv_context *ctx, const cliv__tune_kernel *kernel, cliv_dtype dtype, json_t *state);

#endif
#endif
