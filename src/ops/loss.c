/* Losses of rows and their gradients. See cliv/loss.h. */
#include <cliv/loss.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/tensor.h"

enum {
  LANES = 16,
  LOSSES = 1,
  GRADIENT = 2, /* as in cl/loss.cl */
  RUN = 4096    /* elements a work-item of the CPU walk does */
};

/* `point`: the function of cl/loss_ops.cl; NULL for losses that look at the whole row. */
static const struct {
  cliv_loss_info info;
  const char *point;
} table[] = {
    {{"mse", "mean squared error", 0}, "mse"},
    {{"binary_cross_entropy", "of logits, against probabilities from 0 to 1", 0}, "binary_cross_entropy"},
    {{"cross_entropy", "of the softmax of logits, against class numbers", 1}, NULL},
};
enum { LOSS_COUNT = sizeof table / sizeof *table };

size_t cliv_loss_count(void) { return LOSS_COUNT; }
const cliv_loss_info *cliv_loss_at(size_t index) { return index < LOSS_COUNT ? &table[index].info : NULL; }

static cliv_status find(cliv_context *ctx, const char *name, size_t *index) {
  for (*index = 0; *index < LOSS_COUNT; ++*index)
    if (!strcmp(table[*index].info.name, name)) return CLIV_OK;
  char names[256] = "";
  for (size_t i = 0; i < LOSS_COUNT; i++)
    snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", table[i].info.name);
  return cliv__fail(ctx, CLIV_NAME, "there is no loss '%s'; the losses are %s", name, names);
}

static cliv_status check(cliv_context *ctx, const cliv_loss_info *loss, const cliv_tensor *logits,
                         const cliv_tensor *targets, const cliv_tensor *losses, const cliv_tensor *gradient) {
  char a[160], b[160];
  REQUIRE_TENSORS(ctx, logits, targets, losses, gradient);
  REQUIRE(ctx, logits->dtype == CLIV_F32, DTYPE, "%s takes float32 logits, not %s", loss->name,
          cliv__describe(logits, a));
  REQUIRE(ctx, logits->ndim == 2 && logits->columns > 0, SHAPE, "%s takes logits of shape [rows, outputs], not %s",
          loss->name, cliv__describe(logits, a));
  const cliv_dtype type = loss->takes_classes ? CLIV_I32 : CLIV_F32;
  REQUIRE(ctx, targets->dtype == type, DTYPE, "%s takes %s targets, not %s", loss->name, cliv_dtype_name(type),
          cliv__describe(targets, a));
  REQUIRE(ctx, loss->takes_classes ? targets->ndim == 1 : targets->ndim == 2 && targets->columns == logits->columns,
          SHAPE, "%s of logits %s takes %s, not %s", loss->name, cliv__describe(logits, a),
          loss->takes_classes ? "one class number a row" : "targets of the same shape", cliv__describe(targets, b));
  REQUIRE(ctx, targets->shape[0] == logits->shape[0], SHAPE,
          "%s: logits %s and targets %s have different numbers of rows", loss->name, cliv__describe(logits, a),
          cliv__describe(targets, b));
  if (losses) {
    REQUIRE(ctx, losses->dtype == CLIV_F32, DTYPE, "the losses' tensor must be float32, not %s",
            cliv__describe(losses, a));
    REQUIRE(ctx, losses->ndim == 1 && losses->shape[0] == logits->shape[0], SHAPE,
            "the losses of %zu rows do not fit %s", logits->shape[0], cliv__describe(losses, a));
    REQUIRE(ctx, !cliv__overlap(losses, logits) && !cliv__overlap(losses, targets), OVERLAP,
            "the losses share memory with logits or targets");
  }
  if (gradient) {
    const bool same = cliv__same_start(gradient, logits) && gradient->pitch == logits->pitch;
    REQUIRE(ctx, gradient->dtype == CLIV_F32, DTYPE, "the gradient's tensor must be float32, not %s",
            cliv__describe(gradient, a));
    REQUIRE(ctx, gradient->ndim == 2 && gradient->rows == logits->rows && gradient->columns == logits->columns, SHAPE,
            "the gradient of logits %s does not fit %s", cliv__describe(logits, a), cliv__describe(gradient, b));
    REQUIRE(ctx, (same || !cliv__overlap(gradient, logits)) && !cliv__overlap(gradient, targets), OVERLAP,
            "the gradient shares memory with targets or part of the logits");
    REQUIRE(ctx, !losses || !cliv__overlap(gradient, losses), OVERLAP, "gradient and losses share memory");
  }
  return CLIV_OK;
}

/* One column, dense: rows are neighbouring elements. */
static cliv_status single(cliv_context *ctx, const char *point, const cliv_tensor *logits, const cliv_tensor *targets,
                          const cliv_tensor *losses, const cliv_tensor *gradient, cl_float by_slope,
                          const cliv_sync *sync) {
  char options[96];
  snprintf(options, sizeof options, "-D POINT=%s -D SINGLE", point);
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "divide.cl math.cl loss_ops.cl loss.cl", options, "loss_single", &kernel));
  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  const cl_ulong rows = logits->rows, rows_each = cpu ? RUN : 1, z = cliv__first(logits), t = cliv__first(targets);
  const cl_ulong l = losses ? cliv__first(losses) : 0, g = gradient ? cliv__first(gradient) : 0;
  const cl_uint wanted = (losses ? LOSSES : 0) | (gradient ? GRADIENT : 0);
  const cl_mem losses_mem = losses ? losses->mem : logits->mem, gradient_mem = gradient ? gradient->mem : logits->mem;
  const size_t group = cpu ? 1 : cliv__group(ctx, 64);
  return LAUNCH(ctx, kernel, RANGE1(cliv__div_up(rows, rows_each), group), sync, ARG(logits->mem), ARG(z),
                ARG(targets->mem), ARG(t), ARG(losses_mem), ARG(l), ARG(gradient_mem), ARG(g), ARG(rows),
                ARG(rows_each), ARG(by_slope), ARG(wanted));
}

cliv_status cliv_loss(cliv_context *ctx, const char *name, const cliv_tensor *logits, const cliv_tensor *targets,
                      double scale, cliv_tensor *losses, cliv_tensor *gradient, const cliv_sync *sync) {
  size_t index;
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, name);
  REQUIRE_NOT_NULL(ctx, logits);
  REQUIRE_NOT_NULL(ctx, targets);
  TRY(find(ctx, name, &index));
  TRY(check(ctx, &table[index].info, logits, targets, losses, gradient));
  REQUIRE(ctx, isfinite((float)scale), VALUE, "%s: the gradient's scale must be finite in float32, not %g", name,
          scale);
  if (logits->count == 0 || (!losses && !gradient)) return cliv__nothing(ctx, sync);

  const char *point = table[index].point;
  const double outputs = point ? (double)logits->columns : 1; /* what the row's loss is a mean over */
  const cl_float by_sum = (cl_float)(1 / outputs), by_slope = (cl_float)(scale / outputs);
  const bool dense = cliv__dense(logits) && cliv__dense(targets) && (!gradient || cliv__dense(gradient));
  if (point && logits->columns == 1 && dense)
    return single(ctx, point, logits, targets, losses, gradient, by_slope, sync);

  char options[64] = "";
  if (point) snprintf(options, sizeof options, "-D POINT=%s", point);
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, point ? "divide.cl math.cl loss_ops.cl loss.cl" : "divide.cl math.cl loss.cl", options,
                   point ? "loss_points" : "loss_softmax", &kernel));
  const cl_ulong rows = logits->rows, columns = logits->columns;
  const cl_ulong rows_each = columns < RUN ? RUN / columns : 1;
  const cl_ulong z = cliv__first(logits), z_pitch = logits->pitch;
  const cl_ulong t = cliv__first(targets), t_pitch = targets->ndim == 1 ? 1 : targets->pitch;
  const cl_ulong l = losses ? cliv__first(losses) : 0;
  const cl_ulong g = gradient ? cliv__first(gradient) : 0, g_pitch = gradient ? gradient->pitch : 0;
  const cl_uint wanted = (losses ? LOSSES : 0) | (gradient ? GRADIENT : 0);
  const cl_mem losses_mem = losses ? losses->mem : logits->mem, gradient_mem = gradient ? gradient->mem : logits->mem;
  const cliv__arg args[] = {ARG(logits->mem),
                            ARG(z),
                            ARG(z_pitch),
                            ARG(targets->mem),
                            ARG(t),
                            ARG(t_pitch),
                            ARG(losses_mem),
                            ARG(l),
                            ARG(gradient_mem),
                            ARG(g),
                            ARG(g_pitch),
                            ARG(rows),
                            ARG(columns),
                            ARG(rows_each),
                            ARG(by_sum),
                            ARG(by_slope),
                            ARG(wanted),
                            LOCAL(cliv__group(ctx, 64) * sizeof(cl_float))};
  const size_t count = sizeof args / sizeof *args;
  if (ctx->walk == CLIV_WALK_CPU)
    return cliv__launch(ctx, kernel, RANGE1(cliv__div_up(rows, rows_each), 1), sync, args, count - 1);
  return cliv__launch(ctx, kernel, RANGE1(rows * LANES, cliv__group(ctx, 64)), sync, args, count);
}
