/* Eigenvalues and eigenvectors of symmetric matrices. See cliv/factor.h; the rotations are cl/eigen.cl's. */
#include <cliv/reduce.h>
#include <stdio.h>

#include "base/options.h"
#include "blas/factor.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum { LANES = 64, MOST_SWEEPS = 64, USUAL_SWEEPS = 12, MOST_N = 1 << 14 };

/* What one decomposition works on: A by a power of two, and W and V, whose rows are padded. */
typedef struct job {
  cl_ulong count, pairs, rounds;
  cl_uint n;
  cliv__stack a, w, v;
  cl_mem norms, terms, values, ranks;
} job;

static cliv_status prepare(cliv_context *ctx, const cliv__stack *a, job *j) {
  const cl_ulong n = a->rows, wide = cliv__round_up(n, LANES);
  *j = (job){.count = a->count, .n = (cl_uint)n, .pairs = (n + 1) / 2, .rounds = n < 2 ? 0 : n + n % 2 - 1};
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_A, j->count, n, n, &j->a));
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_B, j->count, n, wide, &j->w));
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_C, j->count, n, wide, &j->v));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FACTOR_D, j->count * n * sizeof(float), &j->values));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FACTOR_E, j->count * n * sizeof(cl_uint), &j->ranks));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FACTOR_NORMS, j->count * sizeof(float), &j->norms));
  return cliv__scratch(ctx, CLIV__SCRATCH_FACTOR_TERMS, j->count * CLIV__TERMS * sizeof(float), &j->terms);
}

static size_t group_of(const cliv_context *ctx) {
  size_t group = LANES;
  while (group > 1 && group > ctx->facts.max_group_size) group /= 2;
  return group;
}

static cliv_status get(cliv_context *ctx, const char *entry, cl_kernel *out) {
  char choices[64] = "-D SINGLE";
  if (ctx->walk != CLIV_WALK_CPU) snprintf(choices, sizeof choices, "-D SINGLE -D GROUP=%zu", group_of(ctx));
  return cliv__kernel(ctx, "divide.cl stack.cl eigen.cl", choices, entry, out);
}

static cliv_status find_terms(cliv_context *ctx, const char *entry, const job *j) {
  cl_kernel kernel;
  TRY(get(ctx, entry, &kernel));
  return LAUNCH(ctx, kernel, cliv__stack_range(ctx, &j->a), SYNC_NONE, ARG(j->norms), ARG(j->terms), ARG(j->count));
}

/* A by the power of two that makes its largest element 1 or a little more, W = A + ‖A‖ I, V = I. */
static cliv_status begin(cliv_context *ctx, const cliv__stack *from, const job *j, const cliv_sync *sync) {
  TRY(cliv__stack_combine(ctx, &(cliv__combination){.choices = "", .x = from}, &j->a, sync));
  TRY(cliv__stack_largest(ctx, &j->a, j->norms));
  TRY(find_terms(ctx, "powers", j));
  const cliv__combination scaled = {.choices = "-D SHIFTS_EACH", .x = &j->a, .terms = j->terms};
  TRY(cliv__stack_combine(ctx, &scaled, &j->a, NULL));
  TRY(cliv__stack_norms(ctx, &j->a, j->norms));
  TRY(find_terms(ctx, "shifts", j));
  TRY(cliv__stack_combine(ctx, &(cliv__combination){.choices = "-D IDENTITY", .x = &j->v}, &j->v, NULL));
  TRY(cliv__stack_combine(ctx, &(cliv__combination){.choices = "-D IDENTITY", .x = &j->w}, &j->w, NULL));
  const cliv__stack w = cliv__stack_block(&j->w, 0, 0, j->n, j->n);
  return cliv__stack_combine(ctx, &scaled, &w, NULL);
}

static cliv_status turn(cliv_context *ctx, const job *j, size_t sweeps) {
  cl_kernel kernel;
  TRY(get(ctx, "turn", &kernel));
  const size_t group = ctx->walk == CLIV_WALK_CPU ? 1 : group_of(ctx);
  for (size_t sweep = 0; sweep < sweeps; sweep++)
    for (cl_uint round = 0; round < j->rounds; round++)
      TRY(LAUNCH(ctx, kernel, RANGE2(j->pairs * group, j->count, group, 1), SYNC_NONE, ARG(j->w.mem), ARG(j->v.mem),
                 ARG(j->v.pitch), ARG(j->v.each), ARG(j->n), ARG(round)));
  return CLIV_OK;
}

/* The eigenvalues from V and V A, in order, and V's rows as columns in theirs. */
static cliv_status end(cliv_context *ctx, const job *j, const cliv_tensor *values, const cliv__stack *out,
                       const cliv_sync *sync) {
  cl_kernel quotients, ranks, place;
  TRY(get(ctx, "quotients", &quotients));
  TRY(get(ctx, "ranks", &ranks));
  TRY(get(ctx, "place", &place));
  const cl_ulong n = j->n;
  const cliv__stack v = cliv__stack_block(&j->v, 0, 0, n, n), w = cliv__stack_block(&j->w, 0, 0, n, n);
  TRY(cliv__stack_product(ctx, false, false, 1, &v, &j->a, 0, &w, NULL));
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  const size_t group = cpu ? 1 : group_of(ctx), own = cpu ? 1 : cliv__group(ctx, 64);
  TRY(LAUNCH(ctx, quotients, RANGE2(n * group, j->count, group, 1), SYNC_NONE, ARG(j->w.mem), ARG(j->v.mem),
             ARG(j->v.pitch), ARG(j->v.each), ARG(j->terms), ARG(j->values), ARG(j->n)));
  TRY(LAUNCH(ctx, ranks, RANGE2(n, j->count, own, 1), SYNC_NONE, ARG(j->values), ARG(j->ranks), ARG(j->n),
             ARG(j->count)));
  const cl_ulong values_first = cliv__first(values), values_pitch = values->ndim == 2 ? values->pitch : n;
  return LAUNCH(ctx, place, RANGE2(n * n, j->count, own, 1), sync, ARG(j->v.mem), ARG(j->v.pitch), ARG(j->v.each),
                ARG(j->values), ARG(j->ranks), ARG(out->mem), ARG(out->first), ARG(out->pitch), ARG(out->each),
                ARG(values->mem), ARG(values_first), ARG(values_pitch), ARG(j->n), ARG(j->count));
}

static cliv_status check(cliv_context *ctx, const cliv_tensor *a, const cliv_tensor *values, const cliv_tensor *vectors,
                         const cliv_eigen_options *o) {
  char x[160], y[160];
  TRY(cliv__check_square(ctx, "eigen", a));
  TRY(cliv__check_square(ctx, "eigen", vectors));
  TRY(cliv__check_alike(ctx, "eigen", a, vectors));
  TRY(cliv__check_apart(ctx, "eigen", a, vectors));
  REQUIRE_TENSORS(ctx, values);
  REQUIRE(ctx, values->dtype == CLIV_F32, DTYPE, "eigen: eigenvalues are float32, not %s", cliv__describe(values, x));
  bool fits = values->ndim == a->ndim - 1;
  for (int d = 0; fits && d < values->ndim; d++) fits = values->shape[d] == a->shape[d];
  REQUIRE(ctx, fits, SHAPE, "eigen: the eigenvalues of %s cannot be %s; they have its shape without the last axis",
          cliv__describe(a, x), cliv__describe(values, y));
  REQUIRE(ctx, !cliv__overlap(values, a) && !cliv__overlap(values, vectors), OVERLAP,
          "eigen: the eigenvalues share memory with the matrix or with the vectors");
  REQUIRE(ctx, o->sweeps <= MOST_SWEEPS, VALUE, "eigen: %zu sweeps are more than %d", o->sweeps, MOST_SWEEPS);
  REQUIRE(ctx, a->shape[a->ndim - 1] <= MOST_N, SHAPE, "eigen: %s has more than %d rows", cliv__describe(a, x), MOST_N);
  return CLIV_OK;
}

cliv_status cliv_eigen(cliv_context *ctx, const cliv_tensor *a, cliv_tensor *values, cliv_tensor *vectors,
                       const cliv_eigen_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, a);
  REQUIRE_NOT_NULL(ctx, values);
  REQUIRE_NOT_NULL(ctx, vectors);
  cliv_eigen_options o;
  TRY(OPTIONS(ctx, options, &o));
  TRY(check(ctx, a, values, vectors, &o));
  if (a->count == 0) return cliv__nothing(ctx, sync);
  const cliv__stack from = cliv__stack_of(a), to = cliv__stack_of(vectors);
  job j;
  TRY(prepare(ctx, &from, &j));
  TRY(begin(ctx, &from, &j, SYNC_FIRST(sync)));
  TRY(turn(ctx, &j, o.sweeps ? o.sweeps : USUAL_SWEEPS));
  return end(ctx, &j, values, &to, SYNC_LAST(sync));
}
