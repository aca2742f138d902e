#include "optim/matrix.h"

#include <cliv/blas.h>
#include <cliv/factor.h>

#include "optim/optim.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

cliv_status cliv__plane_matrix(const cliv_optimizer *o, size_t param, size_t state, cliv_tensor **view) {
  const cliv_tensor *p = o->params[param].p;
  const size_t shape[] = {cliv__matrix_rows(p), cliv__matrix_columns(p)};
  cliv_tensor *plane;
  *view = NULL;
  TRY(cliv__plane_view(o, param, state, &plane));
  const cliv_status status = cliv_tensor_view(plane, 0, 2, shape, 0, view);
  cliv_tensor_free(plane);
  return status;
}

const cliv_blas_options cliv__exact = {.size = sizeof cliv__exact, .provider = CLIV_PROVIDER_EXACT};

cliv_status cliv__room(cliv_context *ctx, int slot, cliv_dtype dtype, size_t rows, size_t columns, cliv_tensor **out) {
  const size_t shape[] = {rows, columns};
  cl_mem mem;
  *out = NULL;
  TRY(cliv__scratch(ctx, slot, rows * columns * cliv_dtype_size(dtype), &mem));
  return cliv_tensor_wrap(ctx, mem, 0, dtype, 2, shape, out);
}

/* ---- muon ---- */

cliv_status cliv__muon_orthogonalize(cliv_optimizer *o, size_t param) {
  enum { UPDATE = 1 };
  const double *h = cliv__hyper_now(o, o->params[param].group);
  const double triple[] = {h[CLIV__MUON_A], h[CLIV__MUON_B], h[CLIV__MUON_C]};
  const cliv_orthogonalize_options options = {.size = sizeof options,
                                              .steps = (size_t)h[CLIV__MUON_STEPS],
                                              .coefficients = triple,
                                              .triples = 1,
                                              .eps = h[CLIV__MUON_EPS],
                                              .bfloat16 = h[CLIV__MUON_BFLOAT16] != 0};
  cliv_tensor *x;
  TRY(cliv__plane_matrix(o, param, UPDATE, &x));
  const cliv_status status = cliv_orthogonalize(o->ctx, x, x, &options, NULL);
  cliv_tensor_free(x);
  return status;
}

/* ---- shampoo ---- */

/* The matrices of one parameter; NULL where they have not been had. */
typedef struct shampoo {
  cliv_tensor *update, *left, *right, *left_root, *right_root, *between;
} shampoo;

static cliv_status shampoo_open(cliv_optimizer *o, size_t param, shampoo *s) {
  enum { LEFT = 1, RIGHT, LEFT_ROOT, RIGHT_ROOT, UPDATE };
  const cliv_tensor *p = o->params[param].p;
  TRY(cliv__plane_matrix(o, param, UPDATE, &s->update));
  TRY(cliv__plane_view(o, param, LEFT, &s->left));
  TRY(cliv__plane_view(o, param, RIGHT, &s->right));
  TRY(cliv__plane_view(o, param, LEFT_ROOT, &s->left_root));
  TRY(cliv__plane_view(o, param, RIGHT_ROOT, &s->right_root));
  return cliv__room(o->ctx, CLIV__SCRATCH_OPTIM, CLIV_F32, cliv__matrix_rows(p), cliv__matrix_columns(p), &s->between);
}

static void shampoo_close(const shampoo *s) {
  cliv_tensor *const all[] = {s->update, s->left, s->right, s->left_root, s->right_root, s->between};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
}

static cliv_status shampoo_work(cliv_optimizer *o, size_t param, const shampoo *s) {
  const double *h = cliv__hyper_now(o, o->params[param].group);
  const uint64_t t = cliv__age(o, param) + 1;
  const unsigned root = (unsigned)h[CLIV__SHAMPOO_ROOT];
  const cliv_inverse_root_options least = {.size = sizeof least, .ridge = 1e-6, .floor = 1e-30};
  TRY(cliv_gemm(o->ctx, 0, 1, 1, s->update, s->update, 1, s->left, &cliv__exact, NULL));
  TRY(cliv_gemm(o->ctx, 1, 0, 1, s->update, s->update, 1, s->right, &cliv__exact, NULL));
  if (t == 1 || t % (uint64_t)h[CLIV__SHAMPOO_FREQUENCY] == 0) {
    TRY(cliv_inverse_root(o->ctx, s->left, root, s->left_root, &least, NULL));
    TRY(cliv_inverse_root(o->ctx, s->right, root, s->right_root, &least, NULL));
  }
  TRY(cliv_gemm(o->ctx, 0, 0, 1, s->left_root, s->update, 0, s->between, &cliv__exact, NULL));
  return cliv_gemm(o->ctx, 0, 0, 1, s->between, s->right_root, 0, s->update, &cliv__exact, NULL);
}

cliv_status cliv__shampoo_precondition(cliv_optimizer *o, size_t param) {
  shampoo s = {0};
  cliv_status status = shampoo_open(o, param, &s);
  if (!status) status = shampoo_work(o, param, &s);
  shampoo_close(&s);
  return status;
}
