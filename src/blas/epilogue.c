/* Bias and activation of products. See epilogue.h. */
#include "blas/epilogue.h"

#include <stdio.h>

#include "base/dtype.h"
#include "base/names.h"
#include "blas/exact.h"
#include "runtime/program.h"
#include "runtime/tensor.h"

/* As cl/activation.cl has them too. */
static const char *const names[] = {
    [CLIV_ACTIVATION_NONE] = "none",           [CLIV_ACTIVATION_RELU] = "relu", [CLIV_ACTIVATION_GELU] = "gelu",
    [CLIV_ACTIVATION_GELU_TANH] = "gelu_tanh", [CLIV_ACTIVATION_SILU] = "silu", [CLIV_ACTIVATION_TANH] = "tanh",
    [CLIV_ACTIVATION_SIGMOID] = "sigmoid"};
enum { ACTIVATIONS = sizeof names / sizeof *names };
static const cliv__names activation_names = CLIV__NAMES("activation", names);
CLIV__NAMED(cliv_activation, activation_names)

/* Functions of cl/math.cl, which are float32's alone. */
static bool needs_math(cliv_activation activation) { return activation > CLIV_ACTIVATION_RELU; }

bool cliv__fuses(const cliv_context *ctx, const cliv__gemm *g) {
  return ctx->walk == CLIV_WALK_CPU || !needs_math(g->activation);
}

/* ---- checks ---- */

static cliv_status check_bias(cliv_context *ctx, const cliv_tensor *bias, bool rows, const cliv_tensor *c,
                              const cliv__gemm *g) {
  char x[160], y[160];
  const size_t wanted = rows ? g->m : g->n;
  REQUIRE_TENSORS(ctx, bias);
  REQUIRE(ctx, bias->dtype == c->dtype, DTYPE, "the bias %s and the result %s differ in type", cliv__describe(bias, x),
          cliv__describe(c, y));
  REQUIRE(ctx, bias->count == wanted && bias->columns * bias->rows == wanted, SHAPE,
          "the bias has an element for each of %zu %s of the result, not %s", wanted, rows ? "rows" : "columns",
          cliv__describe(bias, x));
  REQUIRE(ctx, cliv__dense(bias), LAYOUT, "the bias %s must be dense", cliv__describe(bias, x));
  REQUIRE(ctx, !cliv__overlap(bias, c), OVERLAP, "the result %s shares memory with the bias %s", cliv__describe(c, y),
          cliv__describe(bias, x));
  return CLIV_OK;
}

cliv_status cliv__epilogue_check(cliv_context *ctx, const cliv_blas_options *options, const cliv_tensor *c,
                                 cliv__gemm *g) {
  const cliv_activation activation = options->activation;
  REQUIRE(ctx, (unsigned)activation < ACTIVATIONS, VALUE, "%d is no activation", (int)activation);
  REQUIRE(ctx, !needs_math(activation) || c->dtype != CLIV_F64, DTYPE,
          "the activation %s is not computed in float64; none and relu are", cliv_activation_name(activation));
  if (options->bias) TRY(check_bias(ctx, options->bias, options->bias_rows != 0, c, g));
  g->activation = activation;
  if (!options->bias || c->count == 0) return CLIV_OK;
  g->bias = (cliv__vector){options->bias->mem, cliv__first(options->bias), options->bias->count, 1};
  g->bias_along = options->bias_rows ? CLIV__BIAS_ROWS : CLIV__BIAS_COLUMNS;
  return CLIV_OK;
}

/* ---- kernels ---- */

cliv_status cliv__gemm_kernel(cliv_context *ctx, const cliv__gemm *g, const char *file, const char *entry,
                              const char *choices, cl_kernel *out) {
  char files[96], all[160];
  const bool ends = cliv__has_epilogue(g);
  snprintf(files, sizeof files, "%s%sblas.cl %s", needs_math(g->activation) ? "divide.cl math.cl " : "",
           ends ? "activation.cl " : "", file);
  snprintf(all, sizeof all, "%s%s%s", choices, ends ? " -D ACTIVATION=activate_" : "",
           ends ? cliv_activation_name(g->activation) : "");
  return cliv__blas_kernel(ctx, g->dtype, files, entry, all, out);
}

static cliv_status finish_kernel(cliv_context *ctx, cliv_dtype from, cliv_dtype to, cliv_activation activation,
                                 cl_kernel *out) {
  char choices[96];
  snprintf(choices, sizeof choices, "-D FROM=%s -D TO=%s -D ACTIVATION=activate_%s%s", cliv__dtype_storage(from),
           cliv__dtype_storage(to), cliv_activation_name(activation), to == CLIV_F64 ? " -D REAL_F64" : "");
  return cliv__kernel(
      ctx,
      needs_math(activation) ? "divide.cl math.cl activation.cl blas.cl finish.cl" : "activation.cl blas.cl finish.cl",
      choices, "finish_all", out);
}

cliv_status cliv__finish(cliv_context *ctx, const cliv__stored *from, const cliv__stored *to, const cliv__gemm *g,
                         cl_ulong height, int part_, const cliv_sync *sync) {
  const cliv__matrix *const in = &from->matrix, *const out = &to->matrix;
  const cliv_activation activation = g ? g->activation : CLIV_ACTIVATION_NONE;
  cl_kernel kernel;
  TRY(finish_kernel(ctx, from->dtype, to->dtype, activation, &kernel));
  const cl_uint along = g ? g->bias_along : 0, part = (cl_uint)part_;
  const cl_mem bias = along ? g->bias.mem : out->mem;
  const cl_ulong bias_first = along ? g->bias.first : 0;
  cl_ulong per;
  const cliv__range range = cliv__blas_elements(ctx, out->rows, out->columns, &per);
  return LAUNCH(ctx, kernel, range, sync, ARG(in->mem), ARG(in->first), ARG(in->pitch), ARG(out->mem), ARG(out->first),
                ARG(out->pitch), ARG(out->rows), ARG(out->columns), ARG(per), ARG(bias), ARG(bias_first), ARG(along),
                ARG(height), ARG(part));
}

cliv_status cliv__gemm_finish_ready(cliv_context *ctx, const cliv__gemm *g) {
  cl_kernel kernel;
  return finish_kernel(ctx, g->dtype, g->dtype, g->activation, &kernel);
}

cliv_status cliv__gemm_finish(cliv_context *ctx, const cliv__gemm *g, const cliv_sync *sync) {
  const cl_ulong batch = cliv__most(1, g->batch);
  const bool joined = batch > 1 && !g->places && g->c.each == g->m * g->c.pitch;
  for (cl_ulong z = 0; z < (joined ? 1 : batch); z++) {
    const cliv__gemm part = cliv__gemm_part(g, z, 1);
    cliv__stored c = {g->dtype, part.c};
    c.matrix.rows = joined ? batch * g->m : g->m;
    c.matrix.columns = g->n;
    const cliv_sync order = cliv__sync_part(sync, z == 0, joined || z + 1 == batch);
    TRY(cliv__finish(ctx, &c, &c, g, g->m, CLIV__PART_ALL, &order));
  }
  return CLIV_OK;
}
