/* cliv/selftest.h: does this device, with this driver, compute right?
 *
 * Every operation of the library's own (maps, reductions, scans, sorting, operations on rows, update rules,
 * minimizers, exact matrix products) is run on fixed inputs, and a hash of its result's bits is compared with the known
 * answer that is part of the library. Since each of these operations has one result on every conforming device and in
 * both walks, a difference means that the driver, the device or the library is wrong; it is named.
 *
 * The answers were taken on several vendors' devices, where they agree, after the library's tests had compared the same
 * operations with references in double precision.
 */
#ifndef CLIV_SELFTEST_H
#define CLIV_SELFTEST_H

#include <cliv/context.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One operation on one input. The strings live until the report returns. */
typedef struct cliv_selftest_case {
  /* "map", "reduce", "scan", "sort", "rows", "random", "step", "average", "gemm", "triangle", "conv", "minimize",
   * "fft", "factor" */
  const char *kind;
  const char *operation; /* "exp", "adamw"; gemm: "exact" */
  const char *name;      /* the input: element type, size, what is special: "float32 257 at 3" */
  uint64_t expected;     /* 0 where the library holds no answer, which counts as failed */
  uint64_t got;          /* hash of the bits; 0 where the operation failed */
  cliv_status status;    /* of the operation */
  const char *message;   /* its sentence where it failed, otherwise "" */
  int passed;
  int skipped; /* 1: the device lacks the element type or the kind of memory; neither passed nor failed */
} cliv_selftest_case;

typedef struct cliv_selftest_options {
  size_t size;         /* sizeof(cliv_selftest_options) of the caller; 0: this version's */
  const char *kind;    /* only this kind; NULL: all */
  size_t max_elements; /* leaves out larger inputs; 0: none are left out */
  void (*report)(void *user, const cliv_selftest_case *result); /* called after every case; NULL: not */
  void *user;
} cliv_selftest_options;

typedef struct cliv_selftest_result {
  size_t passed, failed, skipped;
} cliv_selftest_result;

/* Runs the cases on the context's device in the context's walk. Blocks: a second or two, more where programs have to be
 * compiled first. Wrong results are counted and no failure of the call. options may be NULL. Fails with NULL, VALUE,
 * NAME (kind), HOST_MEMORY. */
CLIV_API cliv_status cliv_selftest(cliv_context *ctx, const cliv_selftest_options *options,
                                   cliv_selftest_result *out) CLIV_MUST_CHECK;

/* The kinds in order; NULL past the last. */
CLIV_API const char *cliv_selftest_kind(size_t index);

#ifdef __cplusplus
}
#endif
#endif
