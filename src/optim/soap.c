/* SOAP's work on a parameter's matrix: its bases, into them and out of them. See cl/optim_matrix_ops.cl. */
#include <cliv/blas.h>
#include <cliv/gather.h>
#include <cliv/map.h>
#include <cliv/reduce.h>
#include <cliv/sort.h>

#include "blas/factor.h"
#include "optim/matrix.h"
#include "optim/optim.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum { EXP_AVG, EXP_AVG_SQ, SIDES, BASES = SIDES + 2, UPDATE = BASES + 2, PROJECTED }; /* the rule's states */

/* The matrices of one parameter; of two, the first is its rows', the other its columns'. */
typedef struct soap {
  cliv_tensor *mean, *square, *side[2], *basis[2], *update, *projected, *between;
} soap;

static cliv_status soap_open(const cliv_optimizer *o, size_t param, soap *s) {
  TRY(cliv__plane_matrix(o, param, EXP_AVG, &s->mean));
  TRY(cliv__plane_matrix(o, param, EXP_AVG_SQ, &s->square));
  TRY(cliv__plane_matrix(o, param, UPDATE, &s->update));
  TRY(cliv__plane_matrix(o, param, PROJECTED, &s->projected));
  for (size_t k = 0; k < 2; k++) {
    TRY(cliv__plane_view(o, param, SIDES + k, &s->side[k]));
    TRY(cliv__plane_view(o, param, BASES + k, &s->basis[k]));
  }
  return cliv__room(o->ctx, CLIV__SCRATCH_OPTIM, CLIV_F32, s->mean->shape[0], s->mean->shape[1], &s->between);
}

static void soap_close(const soap *s) {
  cliv_tensor *const all[] = {s->mean,     s->square, s->side[0],   s->side[1], s->basis[0],
                              s->basis[1], s->update, s->projected, s->between};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
}

/* to = Qᵀ x P with the bases Q of rows and P of columns, or with `back` Q x Pᵀ. to may be x. */
static cliv_status project(cliv_context *ctx, const soap *s, bool back, const cliv_tensor *x, cliv_tensor *to) {
  TRY(cliv_gemm(ctx, !back, 0, 1, s->basis[0], x, 0, s->between, &cliv__exact, NULL));
  return cliv_gemm(ctx, 0, back, 1, s->between, s->basis[1], 0, to, &cliv__exact, NULL);
}

/* The running mean of G Gᵀ, or of Gᵀ G, of the gradient in `update`. */
static cliv_status take_squares(cliv_context *ctx, const soap *s, double beta) {
  for (int k = 0; k < 2; k++)
    TRY(cliv_gemm(ctx, k == 1, k == 0, 1 - beta, s->update, s->update, beta, s->side[k], &cliv__exact, NULL));
  return CLIV_OK;
}

/* ---- a new basis from the old: one step of the power iteration, columns by falling size ---- */

/* n × n but for the last two. */
typedef struct sorting {
  cliv_tensor *rows, *other, *sizes, *places;
} sorting;

static cliv_status sorting_open(cliv_context *ctx, size_t n, sorting *s) {
  TRY(cliv__room(ctx, CLIV__SCRATCH_OPTIM_A, CLIV_F32, n, n, &s->rows));
  TRY(cliv__room(ctx, CLIV__SCRATCH_OPTIM_B, CLIV_F32, n, n, &s->other));
  TRY(cliv__room(ctx, CLIV__SCRATCH_OPTIM_C, CLIV_F32, 1, n, &s->sizes));
  return cliv__room(ctx, CLIV__SCRATCH_OPTIM_D, CLIV_I64, 1, n, &s->places);
}

static void sorting_close(const sorting *s) {
  cliv_tensor *const all[] = {s->rows, s->other, s->sizes, s->places};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
}

static cliv_status transpose(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *to) {
  const cliv__stack from = cliv__stack_of(x), out = cliv__stack_of(to);
  return cliv__stack_combine(ctx, &(cliv__combination){.choices = "-D TRANSPOSED", .x = &from}, &out, NULL);
}

/* The order of the columns of A Q by the eigenvalues qᵀ A q that they stand for, and Q made of them in it. */
static cliv_status iterate(cliv_context *ctx, const cliv_tensor *a, cliv_tensor *basis, const sorting *s) {
  const size_t n = basis->shape[0];
  cliv_tensor *sizes, *places;
  TRY(cliv_gemm(ctx, 1, 0, 1, basis, a, 0, s->rows, &cliv__exact, NULL)); /* (A Q)ᵀ: A is its own transpose */
  TRY(transpose(ctx, basis, s->other));
  TRY(cliv_map2(ctx, "mul", s->other, s->rows, s->other, NULL));
  TRY(cliv_tensor_view(s->sizes, 0, 1, &n, 0, &sizes));
  cliv_status status = cliv_tensor_view(s->places, 0, 1, &n, 0, &places);
  if (!status) status = cliv_reduce(ctx, "sum", 1, s->other, NULL, sizes, NULL);
  if (!status) status = cliv_sort(ctx, 0, CLIV_DESCENDING, sizes, NULL, places, NULL);
  if (!status) status = cliv_gather(ctx, s->rows, places, s->other, NULL);
  if (!status) status = transpose(ctx, s->other, s->rows);
  if (!status) status = cliv_qr(ctx, s->rows, basis, NULL, NULL);
  cliv_tensor_free(sizes);
  if (places) cliv_tensor_free(places);
  return status;
}

/* Rows of `square`, or its columns, in the new order. */
static cliv_status reorder(cliv_context *ctx, size_t k, const soap *s, const sorting *order) {
  const size_t m = s->square->shape[0], n = s->square->shape[1], count = k ? n : m;
  cliv_tensor *places, *turned = NULL;
  TRY(cliv_tensor_view(order->places, 0, 1, &count, 0, &places));
  cliv_status status = k ? cliv__room(ctx, CLIV__SCRATCH_OPTIM_A, CLIV_F32, n, m, &turned) : CLIV_OK;
  cliv_tensor *mixed = NULL;
  if (!status) status = cliv__room(ctx, CLIV__SCRATCH_OPTIM_B, CLIV_F32, count, k ? m : n, &mixed);
  if (!status && k) status = transpose(ctx, s->square, turned);
  if (!status) status = cliv_gather(ctx, k ? turned : s->square, places, mixed, NULL);
  if (!status) status = k ? transpose(ctx, mixed, s->square) : cliv_tensor_copy(mixed, s->square, NULL);
  cliv_tensor_free(places);
  cliv_tensor_free(turned);
  cliv_tensor_free(mixed);
  return status;
}

static cliv_status turn_bases(cliv_context *ctx, const soap *s) {
  for (size_t k = 0; k < 2; k++) {
    sorting order = {0};
    cliv_status status = sorting_open(ctx, s->side[k]->shape[0], &order);
    if (!status) status = iterate(ctx, s->side[k], s->basis[k], &order);
    if (!status) status = reorder(ctx, k, s, &order);
    sorting_close(&order);
    TRY(status);
  }
  return CLIV_OK;
}

/* ---- the hooks ---- */

static cliv_status first_bases(cliv_context *ctx, const soap *s) {
  for (size_t k = 0; k < 2; k++) {
    const size_t n = s->side[k]->shape[0];
    cliv_tensor *values;
    cl_mem mem;
    TRY(cliv__scratch(ctx, CLIV__SCRATCH_OPTIM_C, n * sizeof(float), &mem));
    TRY(cliv_tensor_wrap(ctx, mem, 0, CLIV_F32, 1, &n, &values));
    const cliv_status status = cliv_eigen(ctx, s->side[k], values, s->basis[k], NULL, NULL);
    cliv_tensor_free(values);
    TRY(status);
  }
  return CLIV_OK;
}

static cliv_status enter(cliv_optimizer *o, size_t param, const soap *s) {
  TRY(take_squares(o->ctx, s, cliv__hyper_now(o, o->params[param].group)[CLIV__SOAP_SHAMPOO_BETA]));
  if (cliv__age(o, param) == 0) return first_bases(o->ctx, s);
  TRY(project(o->ctx, s, false, s->update, s->projected));
  return project(o->ctx, s, false, s->mean, s->update);
}

static cliv_status leave(cliv_optimizer *o, size_t param, const soap *s) {
  const uint64_t every = (uint64_t)cliv__hyper_now(o, o->params[param].group)[CLIV__SOAP_FREQUENCY];
  const uint64_t t = cliv__age(o, param); /* the first step finds the bases, and nothing more */
  if (t == 0) return CLIV_OK;
  TRY(project(o->ctx, s, true, s->projected, s->projected));
  return t % every == 0 ? turn_bases(o->ctx, s) : CLIV_OK;
}

static cliv_status with(cliv_optimizer *o, size_t param, cliv_status (*work)(cliv_optimizer *, size_t, const soap *)) {
  soap s = {0};
  cliv_status status = soap_open(o, param, &s);
  if (!status) status = work(o, param, &s);
  soap_close(&s);
  return status;
}

cliv_status cliv__soap_enter(cliv_optimizer *o, size_t param) { return with(o, param, enter); }
cliv_status cliv__soap_leave(cliv_optimizer *o, size_t param) { return with(o, param, leave); }
