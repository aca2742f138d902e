/* What the self-test's cases are made of: inputs by integer arithmetic, tensors between guard zones, a running hash. */
#ifndef CLIV_SELFTEST_BENCH_H
#define CLIV_SELFTEST_BENCH_H

#include <cliv/selftest.h>
#include <cliv/tensor.h>
#include <stdbool.h>

#include "base/status.h"

/* Which values an input holds. */
typedef enum cliv__values {
  CLIV__MODEST, /* of either sign, magnitudes of 2^-8 to 2^5, never special; integers: -1000 to 1000 (uint8: all) */
  CLIV__ANY,    /* every bit pattern; zeros, infinities, NaNs, the largest and the smallest numbers come first */
  CLIV__GUARD   /* a pattern: for results, and around everything */
} cliv__values;

enum { CLIV__BENCH_TENSORS = 12 };

/* Tensors of one case. A result's hash covers what lies around it too, so that a stray write is seen. */
typedef struct cliv__bench {
  cliv_context *ctx;
  int count;
  cliv_tensor *base[CLIV__BENCH_TENSORS], *view[CLIV__BENCH_TENSORS];
  bool svm; /* they lie in shared virtual memory, which is then `memory` */
  void *memory[CLIV__BENCH_TENSORS];
} cliv__bench;

/* One more tensor, `shift` elements into its memory. stream: inputs of different streams are independent. The bench
 * owns *out. */
cliv_status cliv__bench_add(cliv__bench *bench, cliv_dtype dtype, int ndim, const size_t *shape, size_t shift,
                            cliv__values values, uint64_t stream, cliv_tensor **out);
/* Puts new values into a dense tensor. Blocks. */
cliv_status cliv__bench_fill(cliv__bench *bench, cliv_tensor *tensor, cliv__values values, uint64_t stream);
/* Hash of the whole memory of a bench's tensor, carried on from *hash. Blocks. */
cliv_status cliv__bench_hash(const cliv__bench *bench, const cliv_tensor *tensor, uint64_t *hash);
/* The same of any dense tensor's elements. */
cliv_status cliv__bench_hash_elements(cliv_context *ctx, const cliv_tensor *tensor, uint64_t *hash);
void cliv__bench_clear(cliv__bench *bench);

/* A run of the self-test: where cases report. */
typedef struct cliv__selftest {
  cliv_context *ctx;
  const cliv_selftest_options *options;
  cliv_selftest_result *result;
  const char *kind, *operation;
  bool svm; /* the case that is run needs shared virtual memory */
} cliv__selftest;

/* True when a case of so many elements is wanted. */
bool cliv__selftest_wants(const cliv__selftest *test, size_t elements);
/* Compares and reports one case: what the operation gave, and the hash where that is OK. dtype: of its tensors, so that
 * a device without it skips, as does one without shared virtual memory where the case needs that. */
void cliv__selftest_report(cliv__selftest *test, const char *name, cliv_dtype dtype, cliv_status status, uint64_t hash);

/* The kinds. */
void cliv__selftest_maps(cliv__selftest *test);
void cliv__selftest_reductions(cliv__selftest *test);
void cliv__selftest_scans(cliv__selftest *test);
void cliv__selftest_sorts(cliv__selftest *test);
void cliv__selftest_rows(cliv__selftest *test);
void cliv__selftest_random(cliv__selftest *test);
void cliv__selftest_steps(cliv__selftest *test);
void cliv__selftest_averages(cliv__selftest *test);
void cliv__selftest_products(cliv__selftest *test);
void cliv__selftest_triangles(cliv__selftest *test);
void cliv__selftest_convolutions(cliv__selftest *test);
void cliv__selftest_minimizers(cliv__selftest *test);
void cliv__selftest_transforms(cliv__selftest *test);
void cliv__selftest_spectral(cliv__selftest *test); /* of the kind before it */
void cliv__selftest_factors(cliv__selftest *test);

#endif
