#include "optim/matrix.h"

#include <cliv/blas.h>
#include <cliv/factor.h>

#include "optim/optim.h"
#include "runtime/tensor.h"

/* Its first axis by all others. */
static void sides(const cliv_tensor *p, size_t shape[2]) {
  shape[0] = p->shape[0];
  shape[1] = p->count / p->shape[0];
}

/* A parameter's plane as a matrix. */
static cliv_status as_matrix(const cliv_optimizer *o, size_t param, size_t state, cliv_tensor **view) {
  size_t shape[2];
  cliv_tensor *plane;
  *view = NULL;
  sides(o->params[param].p, shape);
  TRY(cliv__plane_view(o, param, state, &plane));
  const cliv_status status = cliv_tensor_view(plane, 0, 2, shape, 0, view);
  cliv_tensor_free(plane);
  return status;
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
  TRY(as_matrix(o, param, UPDATE, &x));
  const cliv_status status = cliv_orthogonalize(o->ctx, x, x, &options, NULL);
  cliv_tensor_free(x);
  return status;
}
