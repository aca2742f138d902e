/* Routines beside gemm, of any type and layout: float16 and bfloat16 against what the library makes of the same numbers
 * in float32, rounded here; views of strides against dense tensors. All bits, with those of what lies between the
 * elements, and in a triangle that is not written. test_blas, test_level3 and test_conv have the float32 results. */
#include <cliv/blas.h>
#include <cliv/conv.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/context.h"
#include "support.h"

enum { A, B, C, BIAS, OPERANDS };
typedef enum routine { GEMV, GER, AXPY, SYRK, SYMM, TRMM, TRSM, CONV, CONV_DATA, CONV_WEIGHT, ROUTINES } routine;

/* The flags of cliv/blas.h that it knows, of which TRANS is also gemv's; the operand that is written. */
static const struct {
  unsigned known;
  int written;
} routines[ROUTINES] = {
    [GEMV] = {CLIV_TRANS, C},
    [GER] = {0, C},
    [AXPY] = {0, C},
    [SYRK] = {CLIV_UPPER | CLIV_TRANS, C},
    [SYMM] = {CLIV_RIGHT | CLIV_UPPER, C},
    [TRMM] = {CLIV_RIGHT | CLIV_UPPER | CLIV_TRANS | CLIV_UNIT, C},
    [TRSM] = {CLIV_RIGHT | CLIV_UPPER | CLIV_TRANS | CLIV_UNIT, C},
    [CONV] = {0, C},
    [CONV_DATA] = {0, A},
    [CONV_WEIGHT] = {0, B},
};

/* DENSE; rows with a pitch; columns that are contiguous; nothing that is; axes in the opposite order; of four axes the
 * second inmost. */
typedef enum layout { DENSE, PITCHED, COLUMNS, SPREAD, OPPOSITE, LAYOUTS, CHANNELS_LAST = LAYOUTS } layout;

typedef struct task {
  routine routine;
  cliv_dtype dtype;
  unsigned how;
  size_t batch, m, n, k; /* batch: 0 for tensors without that axis */
  layout layouts[OPERANDS];
  double alpha, beta;
  bool in_place, special;
  bool whole; /* numbers, so that sums are exact in any order; convolutions as clblast has them: one group, no bias */
  uint64_t seed;
} task;

/* ---- shapes ---- */

static bool batched(routine r) { return r >= SYRK && r <= TRSM; }
static int of(size_t shape[4], int ndim, size_t a, size_t b, size_t c, size_t d) {
  memcpy(shape, (size_t[]){a, b, c, d}, 4 * sizeof *shape);
  return ndim;
}

/* A stride of 2 and a padding of 1 along both axes, in two groups. */
static const cliv_conv_options conv_options = {.stride = {2, 2}, .padding = {1, 1}, .groups = 2};
static size_t conv_length(size_t length) { return cliv_conv_length(length, 3, 2, 1, 0); }

/* Gives the number of axes; -1: there is no such operand. */
static int shape_of(const task *t, int operand, size_t shape[4]) {
  const bool turned = t->how & CLIV_TRANS;
  const size_t side = t->how & CLIV_RIGHT ? t->n : t->m;
  if (t->routine >= CONV) {
    if (operand == A) return of(shape, 4, t->batch, 4, t->m, t->n);
    if (operand == B) return of(shape, 4, 6, t->whole ? 4 : 2, 3, 3);
    if (operand == C) return of(shape, 4, t->batch, 6, conv_length(t->m), conv_length(t->n));
    return t->routine == CONV && !t->whole ? of(shape, 1, 6, 0, 0, 0) : -1;
  }
  if (operand == BIAS) return -1;
  if (batched(t->routine) && t->batch) { /* as below, and one more axis */
    task one = *t;
    one.batch = 0;
    size_t sides[4];
    const int ndim = shape_of(&one, operand, sides);
    return ndim < 0 ? ndim : of(shape, 3, t->batch, sides[0], sides[1], 0);
  }
  switch (t->routine) {
    case GEMV:
      if (operand == A) return of(shape, 2, turned ? t->k : t->m, turned ? t->m : t->k, 0, 0);
      return of(shape, 1, operand == B ? t->k : t->m, 0, 0, 0);
    case GER: return operand == C ? of(shape, 2, t->m, t->n, 0, 0) : of(shape, 1, operand == A ? t->m : t->n, 0, 0, 0);
    case AXPY: return operand == B ? -1 : of(shape, 3, 2, t->m, t->n, 0);
    case SYRK:
      if (operand == A) return of(shape, 2, turned ? t->k : t->m, turned ? t->m : t->k, 0, 0);
      return operand == B ? -1 : of(shape, 2, t->m, t->m, 0, 0);
    default: return operand == A ? of(shape, 2, side, side, 0, 0) : of(shape, 2, t->m, t->n, 0, 0);
  }
}

/* ---- tensors in guarded memory ---- */

typedef struct lying {
  cliv_dtype dtype;
  int ndim;
  size_t shape[4], strides[4], lead, count, total;
  void *host; /* all of the memory */
  test_guarded base;
  cliv_tensor *view;
} lying;

static size_t place(const lying *l, size_t i) {
  size_t at = l->lead;
  for (int d = l->ndim - 1; d >= 0; i /= l->shape[d], d--) at += i % l->shape[d] * l->strides[d];
  return at;
}

/* Any bits, until numbers are put there. */
static void lay(lying *l, const task *t, int operand, cliv_dtype dtype, layout how) {
  *l = (lying){.dtype = dtype, .lead = how == DENSE ? 0 : t->seed % 3, .count = 1, .total = 1};
  l->ndim = shape_of(t, operand, l->shape);
  int order[4] = {0, 1, 2, 3}; /* inmost last */
  const int last = l->ndim - 1;
  for (int d = 0; d <= last && how == OPPOSITE; d++) order[d] = last - d;
  if (how == COLUMNS && last > 0) order[last] = last - 1, order[last - 1] = last;
  if (how == CHANNELS_LAST && last == 3) order[1] = 2, order[2] = 3, order[3] = 1;
  size_t stride = how == SPREAD || (how >= COLUMNS && last == 0) ? 3 : 1;
  for (int d = last; d >= 0; d--) {
    l->strides[order[d]] = stride;
    stride = stride * l->shape[order[d]] + (how != DENSE && d == last ? 2 : 0);
    l->count *= l->shape[d];
  }
  l->total = l->count ? place(l, l->count - 1) + 2 : l->lead + 1;
  l->host = test_alloc(l->total * cliv_dtype_size(dtype));
  test_fill_bits(l->host, l->total * cliv_dtype_size(dtype), t->seed + (uint64_t)operand);
}

static void upload(cliv_context *ctx, lying *l, uint64_t seed) {
  l->base = test_guard1(ctx, l->dtype, l->total, seed % 2, l->host);
  ASSERT_OK(ctx, cliv_tensor_view_strided(l->base.tensor, l->lead, l->ndim, l->shape, l->strides, &l->view));
}

static void drop(lying *l) {
  cliv_tensor_free(l->view);
  test_guard_free(&l->base);
  free(l->host);
}

/* ---- numbers ---- */

/* Row and column of element i of its matrix. */
static size_t row_of(const lying *l, size_t i) { return i / l->shape[l->ndim - 1] % l->shape[l->ndim - 2]; }
static size_t column_of(const lying *l, size_t i) { return i % l->shape[l->ndim - 1]; }
static bool stored(const task *t, const lying *l, size_t i) {
  return t->how & CLIV_UPPER ? column_of(l, i) >= row_of(l, i) : column_of(l, i) <= row_of(l, i);
}
static bool is_written(const task *t, const lying *c, size_t i) { return t->routine != SYRK || stored(t, c, i); }

/* Element i of an operand: NaN where nothing may be read, equations that are well conditioned, and in `special` tasks
 * an infinity and a NaN. */
static double number(const task *t, int operand, const lying *l, size_t i) {
  const double drawn = test_normal(t->seed + 10 * (uint64_t)operand, i), x = t->whole ? floor(2 * drawn) : drawn;
  if (operand == A && t->routine >= SYMM && t->routine <= TRSM) {
    const bool diagonal = row_of(l, i) == column_of(l, i);
    if (!stored(t, l, i) || (diagonal && t->how & CLIV_UNIT)) return (double)NAN;
    return t->routine != TRSM ? x : diagonal ? 2 + fabs(x) : x / (double)l->shape[l->ndim - 1];
  }
  const bool fresh = t->beta == 0 && t->routine != GER && t->routine != AXPY && !t->in_place;
  if (operand == routines[t->routine].written && fresh) return (double)NAN;
  if (t->special && i == l->count / 2) return operand == B ? (double)INFINITY : -0.0;
  return t->special && operand == (t->routine == AXPY || t->routine == SYRK ? A : B) && i == l->count / 3 ? (double)NAN
                                                                                                          : x;
}

/* ---- one call ---- */

static cliv_status call(cliv_context *ctx, const task *t, cliv_tensor *const x[OPERANDS], cliv_provider provider,
                        const cliv_sync *sync) {
  const cliv_blas_options o = {.provider = provider};
  cliv_conv_options v = conv_options;
  v.provider = provider;
  if (t->whole) v.groups = 1;
  cliv_tensor *const b = t->in_place ? x[C] : x[B];
  switch (t->routine) {
    case GEMV: return cliv_gemv(ctx, t->how & CLIV_TRANS, t->alpha, x[A], b, t->beta, x[C], &o, sync);
    case GER: return cliv_ger(ctx, t->alpha, x[A], b, x[C], &o, sync);
    case AXPY: return cliv_axpy(ctx, t->alpha, x[A], x[C], &o, sync);
    case SYRK: return cliv_syrk(ctx, t->how, t->alpha, x[A], t->beta, x[C], &o, sync);
    case SYMM: return cliv_symm(ctx, t->how, t->alpha, x[A], b, t->beta, x[C], &o, sync);
    case TRMM: return cliv_trmm(ctx, t->how, t->alpha, x[A], b, x[C], &o, sync);
    case TRSM: return cliv_trsm(ctx, t->how, t->alpha, x[A], b, x[C], &o, sync);
    case CONV: return cliv_conv(ctx, x[A], b, x[BIAS], x[C], &v, sync);
    case CONV_DATA: return cliv_conv_data(ctx, x[C], b, x[A], &v, sync);
    default: return cliv_conv_weight(ctx, x[A], x[C], b, &v, sync);
  }
}

/* The result for dense tensors of the type that is computed in, as numbers. */
static double *plain_result(cliv_context *ctx, const task *t, double *const numbers[OPERANDS]) {
  const cliv_dtype dtype = t->dtype == CLIV_F64 ? CLIV_F64 : CLIV_F32;
  const int written = routines[t->routine].written;
  lying all[OPERANDS];
  cliv_tensor *x[OPERANDS] = {NULL};
  for (int i = 0; i < OPERANDS; i++) {
    if (!numbers[i]) continue;
    lay(&all[i], t, i, dtype, DENSE);
    for (size_t e = 0; e < all[i].count; e++) test_put(dtype, all[i].host, e, numbers[i][e]);
    upload(ctx, &all[i], t->seed);
    x[i] = all[i].view;
  }
  ASSERT_OK(ctx, call(ctx, t, x, CLIV_PROVIDER_EXACT, NULL));
  void *const got = test_read(x[written]);
  double *const result = test_alloc(all[written].count * sizeof *result);
  for (size_t e = 0; e < all[written].count; e++) result[e] = test_get(dtype, got, e);
  free(got);
  for (int i = 0; i < OPERANDS; i++)
    if (numbers[i]) drop(&all[i]);
  return result;
}

/* tolerance: 0 for equal bits; else of numbers, and what is not written stays all the same. */
static void compare(const task *t, lying *c, const double *want, double tolerance) {
  void *const got = test_read(c->base.tensor);
  for (size_t e = 0; e < c->count; e++) {
    const size_t at = place(c, e);
    if (!is_written(t, c, e)) continue;
    const double x = test_get(c->dtype, got, at);
    if (tolerance > 0) ASSERT_NEAR(x, want[e], tolerance * (1 + fabs(want[e])));
    const bool zeros = t->whole && x == 0 && want[e] == 0; /* whose signs are not clblast's to keep, nor rusticl's */
    test_put(c->dtype, c->host, at, tolerance > 0 || zeros ? x : isnan(want[e]) ? (double)NAN : want[e]);
  }
  ASSERT_SAME(c->dtype, got, c->host, c->total);
  free(got);
}

/* gated: the call waits for an event, and its own tells when it is done. */
static void run(cliv_context *ctx, const task *t, cliv_tensor *const x[OPERANDS], cliv_provider provider, bool gated) {
  cl_int code;
  cl_event done = NULL;
  const cl_event gate = clCreateUserEvent(cliv_context_cl_context(ctx), &code);
  ASSERT_CL(code);
  ASSERT_OK(ctx, call(ctx, t, x, provider, &(cliv_sync){gated ? 1 : 0, gated ? &gate : NULL, &done}));
  assert_non_null(done);
  cl_int execution = CL_COMPLETE;
  ASSERT_CL(clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof execution, &execution, NULL));
  if (gated) assert_int_not_equal(execution, CL_COMPLETE);
  ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
  ASSERT_CL(clWaitForEvents(1, &done));
  clReleaseEvent(done), clReleaseEvent(gate);
}

static void check(cliv_context *ctx, const task *t, cliv_provider provider, double tolerance) {
  const int written = routines[t->routine].written;
  lying all[OPERANDS];
  cliv_tensor *x[OPERANDS] = {NULL};
  double *numbers[OPERANDS] = {NULL};
  size_t shape[4];
  for (int i = 0; i < OPERANDS; i++) {
    if (shape_of(t, i, shape) < 0) continue;
    lay(&all[i], t, i, t->dtype, t->layouts[i]);
    numbers[i] = test_alloc(all[i].count * sizeof **numbers);
    for (size_t e = 0; e < all[i].count; e++) {
      const size_t at = place(&all[i], e);
      if (i != written || is_written(t, &all[i], e)) test_put(t->dtype, all[i].host, at, number(t, i, &all[i], e));
      numbers[i][e] = test_get(t->dtype, all[i].host, at);
    }
    upload(ctx, &all[i], t->seed);
    x[i] = all[i].view;
  }
  double *const want = plain_result(ctx, t, numbers);
  run(ctx, t, x, provider, t->seed % 5 == 0 && provider == CLIV_PROVIDER_EXACT);
  compare(t, &all[written], want, tolerance);
  free(want);
  for (int i = 0; i < OPERANDS; i++) {
    if (numbers[i]) drop(&all[i]);
    free(numbers[i]);
  }
}

/* ---- tests ---- */

static unsigned spread(unsigned flags, uint64_t bits) {
  unsigned how = 0;
  for (unsigned bit = 1; bit <= CLIV_UNIT; bit *= 2) how |= flags & bit && test_bits(bits, bit) & 1 ? bit : 0;
  return how;
}

/* Task i of a routine: sides about a vector's length and a block's, each layout of each operand, and every few tasks a
 * factor of 0, a sum of nothing, numbers that are none. */
static task task_of(routine r, cliv_dtype dtype, unsigned i) {
  static const size_t sides[] = {1, 2, 17, 33, 70}, others[] = {5, 16, 40};
  static const double alphas[] = {1, -0.7, 0.4}, betas[] = {0, 1, -0.4};
  task t = {.routine = r, .dtype = dtype, .how = spread(routines[r].known, 77 + i), .seed = 1000 * r + 7 * i};
  const bool conv = r >= CONV;
  t.batch = conv ? 1 + i % 3 : i % 3 == 2 ? 3 : 0;
  t.m = conv ? 4 + i % 5 : sides[i % 5];
  t.n = conv ? 5 + i % 14 : others[i % 3];
  t.k = i % 9 == 8 ? 0 : others[(i + 1) % 3];
  for (int x = 0; x < OPERANDS; x++) t.layouts[x] = (layout)(test_bits(i, 20 + (uint64_t)x) % LAYOUTS);
  if (i % 4 == 1) t.layouts[B] = t.layouts[C];
  if (i % 4 == 3) t.layouts[A] = t.layouts[C];
  t.alpha = i % 8 == 7 ? 0 : alphas[i % 3];
  t.beta = r == GEMV || r == SYRK || r == SYMM ? betas[i / 2 % 3] : 0;
  t.in_place = (r == TRMM || r == TRSM) && i % 3 == 1;
  t.special = i % 6 == 5;
  return t;
}

static void try_all(cliv_dtype dtype, unsigned from, unsigned count) {
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (unsigned r = 0; r < ROUTINES && cliv_context_has(ctx, dtype); r++)
      for (unsigned i = from; i < from + (test_small() ? 3 : test_few() ? 8 : count); i++) {
        if (test_small() && ((r + i) % 3 || (r + w + dtype) % 2)) continue;
        const task t = task_of((routine)r, dtype, i);
        check(ctx, &t, CLIV_PROVIDER_EXACT, 0);
      }
    test_close(ctx);
  }
}

static void halves(void **state) {
  (void)state;
  try_all(CLIV_F16, 0, 24);
}
static void bfloats(void **state) {
  (void)state;
  if (!test_few()) try_all(CLIV_BF16, 24, 12);
}
static void strided(void **state) {
  (void)state;
  try_all(CLIV_F32, 36, 24);
}
static void strided_doubles(void **state) {
  (void)state;
  if (!test_few()) try_all(CLIV_F64, 60, 6);
}

/* By copies of what is narrow or strided. Not on oclgrind, see test_blas.c; CLBlast compiles for seconds. */
static void clblast(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
#ifdef CLIV_HAVE_CLBLAST
  static const task tasks[] = {
      {.routine = CONV, .dtype = CLIV_F32, .batch = 2, .layouts = {CHANNELS_LAST, CHANNELS_LAST, CHANNELS_LAST}},
      {.routine = CONV, .dtype = CLIV_F16, .batch = 2, .layouts = {CHANNELS_LAST, DENSE, PITCHED}},
      {.routine = GEMV, .dtype = CLIV_BF16, .how = CLIV_TRANS, .layouts = {SPREAD, OPPOSITE, SPREAD}},
      {.routine = AXPY, .dtype = CLIV_F16, .layouts = {COLUMNS, DENSE, PITCHED}},
  };
  const size_t count = sizeof tasks / sizeof *tasks;
  const bool left_out = test_few() || test_small() || strstr(ctx->facts.platform_name, "Oclgrind");
  for (unsigned i = 0; i < (left_out ? 0 : count); i++) {
    task t = tasks[i];
    t.whole = true, t.alpha = 1, t.beta = t.routine == GEMV ? -1 : 0;
    t.m = 13, t.n = 10, t.seed = 500 + i;
    check(ctx, &t, CLIV_PROVIDER_CLBLAST, 0);
  }
#endif
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(halves), cmocka_unit_test(bfloats), cmocka_unit_test(strided),
                                     cmocka_unit_test(strided_doubles), cmocka_unit_test(clblast)};
  return test_finish(cmocka_run_group_tests(tests, NULL, test_forget_programs));
}
