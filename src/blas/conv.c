/* The public side of cliv/conv.h: checks, and the choice of a provider. */
#include "blas/conv.h"

#include <string.h>

#include "base/options.h"
#include "blas/copies.h"
#include "runtime/stage.h"

static const int64_t most_steps = INT32_MAX; /* of stride, padding, dilation: products of two are never too large */

size_t cliv_conv_length(size_t length, size_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  stride = stride ? stride : 1;
  dilation = dilation ? dilation : 1;
  if (length > INT32_MAX || kernel > INT32_MAX || kernel == 0 || stride < 1 || stride > most_steps || padding < 0 ||
      padding > most_steps || dilation < 1 || dilation > most_steps)
    return 0;
  const int64_t room = (int64_t)length + 2 * padding - dilation * ((int64_t)kernel - 1) - 1;
  return room < 0 ? 0 : (size_t)(room / stride) + 1;
}

/* ---- checks ---- */

/* What was given: data, weights and result by their parts, whichever is computed. */
typedef struct call {
  cliv_context *ctx;
  const char *name;
  const cliv_tensor *x, *w, *bias, *y;
  const cliv_tensor *written;
} call;

static cliv_status check_options(const call *k, const cliv_conv_options *o) {
  const struct {
    const char *name;
    const int64_t *value;
  } all[] = {{"stride", o->stride}, {"padding", o->padding}, {"dilation", o->dilation}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    for (int d = 0; d < 2; d++)
      REQUIRE(k->ctx, all[i].value[d] >= 0 && all[i].value[d] <= most_steps, VALUE,
              "%s: %s is %lld; it must not be negative, nor greater than %lld", k->name, all[i].name,
              (long long)all[i].value[d], (long long)most_steps);
  REQUIRE(k->ctx, o->groups >= 0, VALUE, "%s: there cannot be %lld groups", k->name, (long long)o->groups);
  return CLIV_OK;
}

static cliv_status check_tensor(const call *k, const char *name, const cliv_tensor *t, int ndim) {
  char text[160], other[160];
  if (!t) return CLIV_OK;
  REQUIRE(k->ctx, t->ndim == ndim, SHAPE, "%s: %s is %s; of data of %d axes it has %d", k->name, name,
          cliv__describe(t, text), k->x->ndim, ndim);
  REQUIRE(k->ctx, t->dtype == CLIV_F64 || cliv__computed(t->dtype) == CLIV_F32, DTYPE,
          "%s is of float32, float64, float16 and bfloat16, not of %s, %s", k->name, name, cliv__describe(t, text));
  REQUIRE(k->ctx, t->dtype == k->written->dtype, DTYPE, "%s: %s is %s and the result %s: they differ in type", k->name,
          name, cliv__describe(t, text), cliv__describe(k->written, other));
  for (int d = 0; d < ndim; d++)
    REQUIRE(k->ctx, t->shape[d] <= INT32_MAX, SHAPE, "%s: %s is %s; an axis has at most %d elements", k->name, name,
            cliv__describe(t, text), INT32_MAX);
  REQUIRE(k->ctx, t == k->written || !cliv__overlap(t, k->written), OVERLAP,
          "%s: the result %s shares memory with %s, %s; it is written elsewhere", k->name,
          cliv__describe(k->written, other), name, cliv__describe(t, text));
  return CLIV_OK;
}

static cliv_status check_channels(const call *k, size_t groups) {
  char x[160], w[160], y[160];
  const size_t c = k->x->shape[1], o = k->w->shape[0];
  REQUIRE(k->ctx, c % groups == 0 && o % groups == 0, SHAPE,
          "%s: %zu groups do not divide the %zu channels of the data and the %zu of the result", k->name, groups, c, o);
  REQUIRE(k->ctx, k->w->shape[1] == c / groups, SHAPE,
          "%s: the data are %s and the weights %s: with %zu groups their second axis is %zu", k->name,
          cliv__describe(k->x, x), cliv__describe(k->w, w), groups, c / groups);
  REQUIRE(k->ctx, k->y->shape[1] == o && k->y->shape[0] == k->x->shape[0], SHAPE,
          "%s: of data %s and weights %s the result is [%zu, %zu, …], not %s", k->name, cliv__describe(k->x, x),
          cliv__describe(k->w, w), k->x->shape[0], o, cliv__describe(k->y, y));
  REQUIRE(k->ctx, !k->bias || k->bias->shape[0] == o, SHAPE, "%s: the bias is %s; there are %zu channels", k->name,
          cliv__describe(k->bias, x), o);
  return CLIV_OK;
}

static cliv_status check_lengths(const call *k, const cliv_conv_options *o) {
  char x[160], w[160], y[160];
  for (int d = 2; d < k->x->ndim; d++) {
    const size_t length = k->x->shape[d], kernel = k->w->shape[d];
    const size_t want = cliv_conv_length(length, kernel, o->stride[d - 2], o->padding[d - 2], o->dilation[d - 2]);
    REQUIRE(k->ctx, want > 0, SHAPE,
            "%s: data %s with a padding of %lld are shorter along axis %d than weights %s with a dilation of %lld: the "
            "result has no length",
            k->name, cliv__describe(k->x, x), (long long)o->padding[d - 2], d, cliv__describe(k->w, w),
            (long long)(o->dilation[d - 2] ? o->dilation[d - 2] : 1));
    REQUIRE(k->ctx, k->y->shape[d] == want, SHAPE, "%s: of data %s and weights %s axis %d of the result is %zu, not %s",
            k->name, cliv__describe(k->x, x), cliv__describe(k->w, w), d, want, cliv__describe(k->y, y));
  }
  return CLIV_OK;
}

static cliv__origin origin(const cliv_tensor *t) {
  return t ? (cliv__origin){t->mem, t->count ? cliv__first(t) : 0} : (cliv__origin){0};
}

static cl_long or_one(int64_t x) { return x ? x : 1; }

/* Checks all of it, and describes it in two dimensions. */
static cliv_status prepare(const call *k, const cliv_conv_options *options, cliv_conv_options *own, cliv__conv *v) {
  char text[160];
  TRY(OPTIONS(k->ctx, options, own));
  TRY(check_options(k, own));
  REQUIRE(k->ctx, k->x->ndim == 3 || k->x->ndim == 4, SHAPE, "%s: data are [N, C, L] or [N, C, H, W], not %s", k->name,
          cliv__describe(k->x, text));
  TRY(check_tensor(k, "the data", k->x, k->x->ndim));
  TRY(check_tensor(k, "the weights", k->w, k->x->ndim));
  TRY(check_tensor(k, "the result", k->y, k->x->ndim));
  TRY(check_tensor(k, "the bias", k->bias, 1));
  const size_t groups = own->groups ? (size_t)own->groups : 1;
  TRY(check_channels(k, groups));
  TRY(check_lengths(k, own));
  *v = (cliv__conv){.dtype = k->x->dtype,
                    .images = k->x->shape[0],
                    .groups = groups,
                    .c = k->x->shape[1] / groups,
                    .o = k->w->shape[0] / groups,
                    .data = {1, 1},
                    .kernel = {1, 1},
                    .result = {1, 1},
                    .stride = {1, 1},
                    .dilation = {1, 1},
                    .x = origin(k->x),
                    .w = origin(k->w),
                    .bias = origin(k->bias),
                    .y = origin(k->y)};
  for (int d = 2; d < k->x->ndim; d++) {
    const int to = d - k->x->ndim + 2;
    v->data[to] = k->x->shape[d];
    v->kernel[to] = k->w->shape[d];
    v->result[to] = k->y->shape[d];
    v->stride[to] = or_one(own->stride[d - 2]);
    v->padding[to] = own->padding[d - 2];
    v->dilation[to] = or_one(own->dilation[d - 2]);
  }
  return CLIV_OK;
}

/* The provider that the options ask for: whether it is clblast, which has no more than `clblast` says. */
static cliv_status choose(const call *k, cliv_provider provider, bool fits, bool *clblast) {
  *clblast = provider == CLIV_PROVIDER_CLBLAST;
  REQUIRE(k->ctx, *clblast || provider == CLIV_PROVIDER_AUTO || provider == CLIV_PROVIDER_EXACT, VALUE,
          "%d is no provider of convolutions", (int)provider);
#ifndef CLIV_HAVE_CLBLAST
  REQUIRE(k->ctx, !*clblast, NO_CLBLAST,
          "this library was built without CLBlast; configure it with -DCLIV_CLBLAST=ON, or ask for the provider "
          "'exact'");
#endif
  REQUIRE(k->ctx, !*clblast || fits, NOT_IN_BUILD,
          "%s: CLBlast has convolutions of one group without bias, and no gradients; the provider 'exact' has all",
          k->name);
  return CLIV_OK;
}

/* ---- the work ---- */

/* By copies of what is not dense or narrow. function: NULL where nothing is summed. */
static cliv_status enqueue(const call *k, cliv__conv *v, cliv__conv_function *function, const cliv_sync *sync) {
  const struct {
    const cliv_tensor *tensor;
    cliv__origin *place;
  } operands[] = {[CLIV__OPERAND_A] = {k->x, &v->x},
                  [CLIV__OPERAND_B] = {k->w, &v->w},
                  [CLIV__OPERAND_C] = {k->y, &v->y},
                  [CLIV__OPERAND_BIAS] = {k->bias, &v->bias}};
  cliv__chain order = {.sync = sync};
  cliv__operand to = CLIV__OPERAND_A;
  cliv_tensor copy, result = *k->written;
  for (cliv__operand i = CLIV__OPERAND_A; i <= CLIV__OPERAND_BIAS; i++) {
    const cliv_tensor *const t = operands[i].tensor;
    if (t == k->written) {
      to = i;
      TRY(cliv__copy_room(k->ctx, t, i, true, &result));
      *operands[i].place = origin(&result);
    } else if (function && t && t->count) {
      TRY(cliv__copy_in(k->ctx, t, i, true, &order, &copy));
      *operands[i].place = origin(&copy);
    }
  }
  const bool copied = cliv__needs_copy(k->written, true);
  const cliv_sync part = cliv__chain_next(&order, !copied);
  v->dtype = result.dtype;
  if (function) TRY(function(k->ctx, v, &part));
  else TRY(cliv__conv_zeros(k->ctx, v->dtype, operands[to].place, result.count, &part));
  return copied ? cliv__copy_back(k->ctx, &result, k->written, to, CLIV__PART_ALL, NULL, &order) : CLIV_OK;
}

/* All launches, or none, where they are of the provider that can. */
static cliv_status run(const call *k, cliv__conv *v, cliv__conv_function *function, bool clblast,
                       const cliv_sync *sync) {
  if (k->written->count == 0) return cliv__nothing(k->ctx, sync);
  if (clblast) return enqueue(k, v, function, sync);
  TRY(cliv__stage_begin(k->ctx));
  return cliv__stage_end(k->ctx, enqueue(k, v, function, sync), NULL);
}

/* ---- operations ---- */

cliv_status cliv_conv(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *w, const cliv_tensor *bias,
                      cliv_tensor *y, const cliv_conv_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, w);
  REQUIRE_NOT_NULL(ctx, y);
  REQUIRE_CONTEXT(ctx, x, w, bias, y);
  const call k = {ctx, "conv", x, w, bias, y, y};
  cliv_conv_options own;
  cliv__conv v;
  bool clblast = false;
  TRY(prepare(&k, options, &own, &v));
  TRY(choose(&k, own.provider, v.groups == 1 && !bias, &clblast));
  cliv__conv_function *function = cliv__exact_conv;
#ifdef CLIV_HAVE_CLBLAST
  if (clblast) function = cliv__clblast_conv;
#endif
  return run(&k, &v, w->count == 0 && !bias ? NULL : function, clblast, sync);
}

cliv_status cliv_conv_data(cliv_context *ctx, const cliv_tensor *dy, const cliv_tensor *w, cliv_tensor *dx,
                           const cliv_conv_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, dy);
  REQUIRE_NOT_NULL(ctx, w);
  REQUIRE_NOT_NULL(ctx, dx);
  REQUIRE_CONTEXT(ctx, dy, w, dx);
  const call k = {ctx, "conv_data", dx, w, NULL, dy, dx};
  cliv_conv_options own;
  cliv__conv v;
  bool clblast = false;
  TRY(prepare(&k, options, &own, &v));
  TRY(choose(&k, own.provider, false, &clblast));
  return run(&k, &v, dy->count == 0 ? NULL : cliv__exact_conv_data, false, sync);
}

cliv_status cliv_conv_weight(cliv_context *ctx, const cliv_tensor *x, const cliv_tensor *dy, cliv_tensor *dw,
                             const cliv_conv_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, dy);
  REQUIRE_NOT_NULL(ctx, dw);
  REQUIRE_CONTEXT(ctx, x, dy, dw);
  const call k = {ctx, "conv_weight", x, dw, NULL, dy, dw};
  cliv_conv_options own;
  cliv__conv v;
  bool clblast = false;
  TRY(prepare(&k, options, &own, &v));
  TRY(choose(&k, own.provider, false, &clblast));
  return run(&k, &v, x->count == 0 ? NULL : cliv__exact_conv_weight, false, sync);
}
