/* cliv/tune.h: finding fast parameters for CLBlast's kernels on this device.
 *
 * CLBlast's kernels have parameters (tiles, vector widths, use of local memory), and a database of those that are fast
 * on devices it knows. On others its defaults may be several times slower than need be. cliv_tune looks for better ones
 * within a budget of time:
 *
 *   - first those in the library's own short list, which were fast on some device; then neighbours of the best so far,
 *     and, of kernels with few candidates, what CLBlast's own tuner finds in growing slices of them;
 *   - every candidate computes a whole routine, and every element of its result is compared with the provider `exact`
 *     before it is timed; what is wrong, fails or writes beyond its matrix is never taken;
 *   - the best is compared with what is kept, or the defaults, both in turn, and kept only where it is faster by 3 % at
 *     least, and only where the routine is right for odd sides in all its transposes, too. Defaults that are wrong here
 *     are slower than anything that is right.
 *
 * What is kept is a note (cliv/cache.h) of the device, its driver, and the versions of Cliv and of CLBlast, and is in
 * force from the first call of the provider `clblast` on a context of that device. CLBlast knows parameters by device
 * and not by context: they hold for the whole process, for every user of CLBlast in it, also one who has overridden
 * them before.
 *
 * A search goes on where the last one ended. A candidate that crashes or hangs a driver takes the process with it; it
 * was written down before it was tried, and the next search passes over it. `cliv tune` runs the search in a child
 * process and starts another when one dies, so that it survives such candidates; a program that calls cliv_tune itself
 * does not.
 *
 * While a search runs, other threads' products by CLBlast on the same device are computed with its candidates, not all
 * of which are right: there should be none.
 *
 * Of a candidate that does not compile CLBlast prints the compiler's messages to standard output; `cliv tune` does not
 * show them.
 *
 * All of this fails with NO_CLBLAST in a library without CLBlast. See also docs/tune.md.
 */
#ifndef CLIV_TUNE_H
#define CLIV_TUNE_H

#include <cliv/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cliv_tune_progress {
  const char *routine, *kernel; /* "gemm", "Xgemm" */
  size_t m, n, k;               /* the size that it is judged at; 1 where the routine has no such */
  double done;                  /* of the budget, 0…1 */
  size_t tried, failed;         /* candidates for this kernel, with those of earlier searches */
  double before, best;          /* GFLOP/s with the defaults and with the best so far; 0: not known, or wrong */
  int finished;                 /* 1: the last report on this kernel */
  int kept;                     /* finished: `best` is faster than the defaults, and in force from now on */
  const char *parameters;       /* finished: those of `best`, "GEMMK=0 KREG=1 …"; otherwise NULL */
} cliv_tune_progress;

typedef struct cliv_tune_options {
  size_t size;          /* sizeof(cliv_tune_options) of the caller; 0: this version's */
  double seconds;       /* budget; 0: 120. A candidate that was begun is ended, so it may be some seconds more. */
  const char *routines; /* "gemm,gemv,ger,axpy" or some of them; NULL: all. gemm gets most of the time. */
  cliv_dtype dtype;     /* CLIV_F32 (0) or CLIV_F64 */
  int again;            /* 1: forget what earlier searches tried */
  /* Called before the first candidate and after every one; a value other than 0 ends the search as if its time were
   * over. NULL: not. The strings live until it returns. */
  int (*progress)(void *user, const cliv_tune_progress *progress);
  void *user;
} cliv_tune_options;

typedef struct cliv_tune_result {
  size_t tried, failed; /* candidates, in this call */
  size_t kept;          /* kernels whose parameters were bettered */
} cliv_tune_result;

/* Searches. Blocks for the budget. options, out: may be NULL. Fails with NO_CLBLAST, NULL, VALUE (seconds not above 0),
 * NAME (routines), DTYPE, DEVICE_DTYPE, FILE (there is no folder to keep the results in), and what products by `exact`
 * and by `clblast` with its defaults fail with. */
CLIV_API cliv_status cliv_tune(cliv_context *ctx, const cliv_tune_options *options,
                               cliv_tune_result *out) CLIV_MUST_CHECK;

/* Writes what is kept for the context's device as JSON, to be shared; its form is in docs/tune.md. Nothing kept: a file
 * with no rows. Fails with NO_CLBLAST, NULL, FILE, HOST_MEMORY. */
CLIV_API cliv_status cliv_tune_export(cliv_context *ctx, const char *path) CLIV_MUST_CHECK;

/* Reads such a file, and tries each of its rows as a candidate: checked, compared with the defaults, kept only where
 * faster. Blocks for seconds a row. Of options, progress and user count; out->kept says how many were kept. The whole
 * file is checked first: FILE (cannot be read), FORMAT (no such file, or a row that CLBlast cannot have: what and
 * where), DATA (it is of another device). A file from another version of the driver is taken, since its rows are tried.
 * Rows that failed here before are not tried again. Also fails with NO_CLBLAST, NULL, and as cliv_tune. */
CLIV_API cliv_status cliv_tune_import(cliv_context *ctx, const char *path, const cliv_tune_options *options,
                                      cliv_tune_result *out) CLIV_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
