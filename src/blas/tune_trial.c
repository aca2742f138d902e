/* Trying parameters: a routine's call on random operands, what the provider `exact` gives for it, and the time. */
#ifdef CLIV_HAVE_CLBLAST

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blas/tuning.h"
#include "runtime/measure.h"

enum { GUARD = 64 }; /* elements behind the result that must stay */

typedef cliv_status call(cliv__tune_trial *t, double alpha, cliv_provider provider);

#define OPTIONS_OF(provider) (&(cliv_blas_options){.size = sizeof(cliv_blas_options), .provider = (provider)})

static cliv_status call_gemm(cliv__tune_trial *t, double alpha, cliv_provider provider) {
  return cliv_gemm(t->ctx, 0, 0, alpha, t->a, t->b, 0, t->c, OPTIONS_OF(provider), NULL);
}
static cliv_status call_gemv(cliv__tune_trial *t, double alpha, cliv_provider provider) {
  return cliv_gemv(t->ctx, t->kernel->trans_a, alpha, t->a, t->b, 0, t->c, OPTIONS_OF(provider), NULL);
}
static cliv_status call_ger(cliv__tune_trial *t, double alpha, cliv_provider provider) {
  return cliv_ger(t->ctx, alpha, t->a, t->b, t->c, OPTIONS_OF(provider), NULL);
}
static cliv_status call_axpy(cliv__tune_trial *t, double alpha, cliv_provider provider) {
  return cliv_axpy(t->ctx, alpha, t->a, t->c, OPTIONS_OF(provider), NULL);
}

/* Shapes of A, B and the result; `terms` of every sum. */
typedef struct form {
  const char *routine;
  call *run;
  bool adds; /* to what is in the result */
} form;

static const form forms[] = {
    {"gemm", call_gemm, false}, {"gemv", call_gemv, false}, {"ger", call_ger, true}, {"axpy", call_axpy, true}};

static const form *form_of(const cliv__tune_kernel *kernel) {
  size_t i = 0;
  while (strcmp(forms[i].routine, kernel->routine) != 0) i++;
  return &forms[i];
}

double cliv__tune_flops(const cliv__tune_kernel *k) { return 2.0 * (double)k->m * (double)k->n * (double)k->k; }

/* ---- operands ---- */

/* A view with `apart` elements before its first and between its rows, and `behind` after its last. */
static cliv_status make(cliv__tune_trial *t, size_t which, int ndim, const size_t *shape, size_t apart, size_t behind,
                        cliv_tensor **view) {
  const size_t columns = shape[ndim - 1], rows = ndim == 2 ? shape[0] : 1, pitch = columns + apart,
               count = apart + rows * pitch + behind;
  TRY(cliv_tensor_create(t->ctx, t->dtype, 1, &count, &t->whole[which]));
  return cliv_tensor_view(t->whole[which], apart, ndim, shape, pitch, view);
}

static cliv_status make_all(cliv__tune_trial *t) {
  const cliv__tune_kernel *k = t->kernel;
  const bool product = k->k > 1 || !strcmp(k->routine, "gemm"), vector = !strcmp(k->routine, "axpy");
  if (vector) {
    TRY(make(t, 0, 1, (size_t[]){k->m}, 0, 0, &t->a));
    return make(t, 2, 1, (size_t[]){k->m}, 0, GUARD, &t->c);
  }
  if (!product) { /* ger */
    TRY(make(t, 0, 1, (size_t[]){k->m}, 0, 0, &t->a));
    TRY(make(t, 1, 1, (size_t[]){k->n}, 0, 0, &t->b));
    return make(t, 2, 2, (size_t[]){k->m, k->n}, k->apart, GUARD, &t->c);
  }
  const bool gemv = !strcmp(k->routine, "gemv");
  TRY(make(t, 0, 2, k->trans_a ? (size_t[]){k->k, k->m} : (size_t[]){k->m, k->k}, k->apart, 0, &t->a));
  if (gemv) {
    TRY(make(t, 1, 1, (size_t[]){k->k}, 0, 0, &t->b));
    return make(t, 2, 1, (size_t[]){k->m}, 0, GUARD, &t->c);
  }
  TRY(make(t, 1, 2, (size_t[]){k->k, k->n}, k->apart, 0, &t->b));
  return make(t, 2, 2, (size_t[]){k->m, k->n}, 0, GUARD, &t->c);
}

/* ---- numbers ---- */

static cliv_status read_doubles(cliv__tune_trial *t, const cliv_tensor *from, double *to) {
  const size_t count = cliv_tensor_count(from);
  if (t->dtype == CLIV_F64) return cliv_tensor_read(from, to, count * sizeof *to);
  float *narrow = malloc(count * sizeof *narrow);
  REQUIRE(t->ctx, narrow, HOST_MEMORY, "no memory for %zu numbers", count);
  const cliv_status status = cliv_tensor_read(from, narrow, count * sizeof *narrow);
  for (size_t i = 0; !status && i < count; i++) to[i] = (double)narrow[i];
  free(narrow);
  return status;
}

static cliv_status write_doubles(cliv__tune_trial *t, cliv_tensor *to, const double *from, bool magnitudes) {
  const size_t count = cliv_tensor_count(to), each = cliv_dtype_size(t->dtype);
  void *numbers = malloc(count * each);
  REQUIRE(t->ctx, numbers, HOST_MEMORY, "no memory for %zu numbers", count);
  for (size_t i = 0; i < count; i++) {
    const double x = magnitudes ? fabs(from[i]) : from[i];
    if (t->dtype == CLIV_F64) ((double *)numbers)[i] = x;
    else ((float *)numbers)[i] = (float)x;
  }
  const cliv_status status = cliv_tensor_write(to, numbers, count * each);
  free(numbers);
  return status;
}

/* Between -1 and 1, exact in float32; the same in every run. */
static double *random_numbers(size_t count, uint64_t seed) {
  double *x = malloc((count ? count : 1) * sizeof *x);
  uint64_t bits = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
  for (size_t i = 0; x && i < count; i++) {
    bits = bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    x[i] = ldexp((double)(bits >> 44), -19) - 1;
  }
  return x;
}

/* ---- what is right ---- */

/* One call by `exact`, on the numbers or on their magnitudes, from what the result holds at first. */
static cliv_status reference(cliv__tune_trial *t, double *const numbers[2], bool magnitudes, double *out) {
  for (size_t i = 0; i < 2; i++)
    if (t->whole[i]) TRY(write_doubles(t, t->whole[i], numbers[i], magnitudes));
  TRY(write_doubles(t, t->whole[2], t->first, magnitudes));
  TRY(form_of(t->kernel)->run(t, 1, CLIV_PROVIDER_EXACT));
  return read_doubles(t, t->whole[2], out);
}

static cliv_status make_reference(cliv__tune_trial *t) {
  double *numbers[2] = {NULL, NULL};
  cliv_status status = CLIV_OK;
  t->count = cliv_tensor_count(t->whole[2]);
  t->first = random_numbers(t->count, 3);
  t->want = malloc(t->count * sizeof *t->want);
  t->bound = malloc(t->count * sizeof *t->bound);
  for (size_t i = 0; i < 2; i++)
    if (t->whole[i]) numbers[i] = random_numbers(cliv_tensor_count(t->whole[i]), i + 1);
  if (!t->first || !t->want || !t->bound || !numbers[0] || (t->whole[1] && !numbers[1]))
    status = cliv__fail(t->ctx, CLIV_HOST_MEMORY, "no memory for the operands of a trial");
  if (!status) status = reference(t, numbers, true, t->bound);
  if (!status) status = reference(t, numbers, false, t->want); /* last: the operands stay */
  free(numbers[0]);
  free(numbers[1]);
  return status;
}

cliv_status cliv__tune_open(cliv_context *ctx, const cliv__tune_kernel *kernel, cliv_dtype dtype,
                            cliv__tune_trial *trial) {
  *trial = (cliv__tune_trial){.ctx = ctx, .kernel = kernel, .dtype = dtype};
  cliv_status status = make_all(trial);
  if (!status) status = make_reference(trial);
  if (status) cliv__tune_close(trial);
  return status;
}

void cliv__tune_close(cliv__tune_trial *t) {
  cliv_tensor_free(t->a);
  cliv_tensor_free(t->b);
  cliv_tensor_free(t->c);
  for (size_t i = 0; i < 3; i++) cliv_tensor_free(t->whole[i]);
  free(t->first);
  free(t->want);
  free(t->bound);
  *t = (cliv__tune_trial){0};
}

/* Two sums of the same terms in any two orders, with or without contraction, each within the bound that products are
 * held to: 4·√k units in the last place of the magnitudes' sum. Where the call does not write, nothing may change. */
cliv_status cliv__tune_check(cliv__tune_trial *t, bool *right) {
  *right = false;
  const bool adds = form_of(t->kernel)->adds;
  const size_t head = cliv_tensor_offset(t->c) / cliv_dtype_size(t->dtype),
               columns = cliv_tensor_shape(t->c)[cliv_tensor_ndim(t->c) - 1],
               pitch = cliv_tensor_ndim(t->c) == 2 ? cliv_tensor_pitch(t->c) : columns;
  const size_t used = cliv_tensor_count(t->c) / columns * pitch;
  TRY(write_doubles(t, t->whole[2], t->first, false));
  if (!adds) TRY(cliv_tensor_fill(t->c, NAN, NULL)); /* what is not written shows */
  TRY(form_of(t->kernel)->run(t, 1, CLIV_PROVIDER_CLBLAST));
  double *got = malloc(t->count * sizeof *got);
  REQUIRE(t->ctx, got, HOST_MEMORY, "no memory for a result of %zu numbers", t->count);
  const cliv_status status = read_doubles(t, t->whole[2], got);
  const double unit = 8 * sqrt((double)t->kernel->k + 1) * ldexp(1, t->dtype == CLIV_F64 ? -53 : -24);
  bool good = !status;
  for (size_t i = 0; good && i < t->count; i++) {
    const bool inside = i >= head && i < head + used && (i - head) % pitch < columns;
    good = inside ? fabs(got[i] - t->want[i]) <= unit * t->bound[i] : got[i] == t->want[i];
  }
  free(got);
  *right = good;
  return status;
}

/* ---- odd sides ---- */

enum { ODD_M = 131, ODD_N = 67, ODD_K = 45, ODD_FORMS = 4, ODD_MOST = ODD_M * ODD_N };

/* 2 op(A) op(B) + 3 C, or what the routine has of that, by a provider; bits 1 and 2 of `way` are the transposes. */
typedef cliv_status odd_call(cliv__tune_trial *t, int way, cliv_tensor *const x[3], cliv_provider provider);

static cliv_status odd_gemm(cliv__tune_trial *t, int way, cliv_tensor *const x[3], cliv_provider provider) {
  return cliv_gemm(t->ctx, way & 1, way & 2, 2, x[0], x[1], 3, x[2], OPTIONS_OF(provider), NULL);
}
static cliv_status odd_gemv(cliv__tune_trial *t, int way, cliv_tensor *const x[3], cliv_provider provider) {
  return cliv_gemv(t->ctx, way & 1, 2, x[0], x[1], 3, x[2], OPTIONS_OF(provider), NULL);
}
static cliv_status odd_ger(cliv__tune_trial *t, int way, cliv_tensor *const x[3], cliv_provider provider) {
  (void)way;
  return cliv_ger(t->ctx, 2, x[0], x[1], x[2], OPTIONS_OF(provider), NULL);
}
static cliv_status odd_axpy(cliv__tune_trial *t, int way, cliv_tensor *const x[3], cliv_provider provider) {
  (void)way;
  return cliv_axpy(t->ctx, 2, x[0], x[2], OPTIONS_OF(provider), NULL);
}

/* A routine's forms, and the rows and columns of its operands and its result in each; vectors are one row. */
typedef struct odd {
  const char *routine;
  odd_call *run;
  int forms;
  size_t sides[ODD_FORMS][3][2];
} odd;

static const odd odds[] = {
    {"gemm",
     odd_gemm,
     4,
     {{{ODD_M, ODD_K}, {ODD_K, ODD_N}, {ODD_M, ODD_N}},
      {{ODD_K, ODD_M}, {ODD_K, ODD_N}, {ODD_M, ODD_N}},
      {{ODD_M, ODD_K}, {ODD_N, ODD_K}, {ODD_M, ODD_N}},
      {{ODD_K, ODD_M}, {ODD_N, ODD_K}, {ODD_M, ODD_N}}}},
    {"gemv", odd_gemv, 2, {{{ODD_M, ODD_N}, {1, ODD_N}, {1, ODD_M}}, {{ODD_M, ODD_N}, {1, ODD_M}, {1, ODD_N}}}},
    {"ger", odd_ger, 1, {{{1, ODD_M}, {1, ODD_N}, {ODD_M, ODD_N}}}},
    {"axpy", odd_axpy, 1, {{{1, ODD_MOST}, {1, 1}, {1, ODD_MOST}}}},
};

/* Of whole numbers from -2 to 2. */
static cliv_status make_whole(cliv__tune_trial *t, const size_t sides[2], uint64_t seed, cliv_tensor **out) {
  const size_t count = sides[0] * sides[1];
  TRY(cliv_tensor_create(t->ctx, t->dtype, 2, sides, out));
  double *x = random_numbers(count, seed);
  REQUIRE(t->ctx, x, HOST_MEMORY, "no memory for %zu numbers", count);
  for (size_t i = 0; i < count; i++) x[i] = floor(2.5 * (x[i] + 1)) - 2;
  const cliv_status status = write_doubles(t, *out, x, false);
  free(x);
  return status;
}

/* x: operands, what the result holds at first, the result. */
static cliv_status compute_odd(cliv__tune_trial *t, const odd *o, int way, cliv_tensor *const x[4],
                               cliv_provider provider, double *got) {
  TRY(cliv_tensor_copy(x[2], x[3], NULL));
  TRY(o->run(t, way, (cliv_tensor *const[]){x[0], x[1], x[3]}, provider));
  return read_doubles(t, x[3], got);
}

static cliv_status compare_odd(cliv__tune_trial *t, const odd *o, int way, cliv_tensor *const x[4], bool *right) {
  const size_t count = cliv_tensor_count(x[3]);
  double *const got = malloc(2 * count * sizeof *got);
  REQUIRE(t->ctx, got, HOST_MEMORY, "no memory for two results of %zu numbers", count);
  cliv_status status = compute_odd(t, o, way, x, CLIV_PROVIDER_EXACT, got);
  if (!status) status = compute_odd(t, o, way, x, CLIV_PROVIDER_CLBLAST, got + count);
  for (size_t i = 0; !status && i < count; i++)
    if (got[i] != got[count + i]) *right = false;
  free(got);
  return status;
}

static cliv_status check_odd(cliv__tune_trial *t, const odd *o, int way, bool *right) {
  cliv_tensor *x[4] = {NULL, NULL, NULL, NULL};
  cliv_status status = CLIV_OK;
  for (size_t i = 0; !status && i < 4; i++) status = make_whole(t, o->sides[way][i < 3 ? i : 2], i + 1, &x[i]);
  if (!status) status = compare_odd(t, o, way, x, right);
  for (size_t i = 0; i < 4; i++) cliv_tensor_free(x[i]);
  return status;
}

cliv_status cliv__tune_check_odd(cliv__tune_trial *t, bool *right) {
  const odd *o = odds, *const end = odds + sizeof odds / sizeof *odds;
  while (o < end && strcmp(o->routine, t->kernel->routine) != 0) o++;
  *right = true;
  REQUIRE(t->ctx, o < end, INTERNAL, "%s has no products of odd sides to be held to", t->kernel->routine);
  for (int way = 0; *right && way < o->forms; way++) {
    const cliv_status status = check_odd(t, o, way, right);
    if (status) *right = false;
    TRY(status);
  }
  return CLIV_OK;
}

/* ---- time ---- */

/* From call to result. alpha is small: what adds does so many times. */
double cliv__tune_time(cliv__tune_trial *t) {
  const double begin = cliv__now();
  if (form_of(t->kernel)->run(t, 0x1p-10, CLIV_PROVIDER_CLBLAST)) return -1;
  return cliv_context_finish(t->ctx) ? -1 : cliv__now() - begin;
}

#else
typedef int cliv__tune_trial_needs_clblast; /* a file must declare something */
#endif
