/* The public side of cliv/blas.h: checks, what needs no provider, and the choice of one. */
#include <cliv/blas.h>

#include "base/names.h"
#include "base/options.h"
#include "blas/copies.h"
#include "blas/product.h"
#include "blas/route.h"
#include "runtime/axes.h"
#include "runtime/quirks.h"
#include "runtime/tensor.h"

static const char *const providers[] = {
    [CLIV_PROVIDER_AUTO] = "auto", [CLIV_PROVIDER_EXACT] = "exact", [CLIV_PROVIDER_CLBLAST] = "clblast"};
static const cliv__names provider_names = CLIV__NAMES("provider of matrix products", providers);
CLIV__NAMED(cliv_provider, provider_names)

/* ---- the choice ---- */

/* What AUTO is where nothing was measured (route.c). CLBlast's parameters know no CPU; elsewhere it is the faster until
 * then. */
cliv_provider cliv_blas_auto(const cliv_context *ctx) {
#ifdef CLIV_HAVE_CLBLAST
  if (ctx && !(ctx->facts.type & CL_DEVICE_TYPE_CPU)) return CLIV_PROVIDER_CLBLAST;
#else
  (void)ctx;
#endif
  return CLIV_PROVIDER_EXACT;
}

cliv_provider cliv_blas_auto_for(cliv_context *ctx, cliv_dtype dtype, int trans_a, int trans_b, size_t m, size_t n,
                                 size_t k) {
  const bool narrow = dtype == CLIV_F16 || dtype == CLIV_BF16; /* products in float32, and routed as such */
  const cliv__gemm g = {
      .dtype = narrow ? CLIV_F32 : dtype, .trans_a = trans_a != 0, .trans_b = trans_b != 0, .m = m, .n = n, .k = k};
  const bool routed = ctx && cliv__route_open(ctx);
  if (routed && narrow && (m == 1 || n == 1)) return CLIV_PROVIDER_EXACT; /* read as it is stored, see operands.c */
  const cliv_provider known = routed ? cliv__route_known(ctx, &g) : CLIV_PROVIDER_AUTO;
  return known == CLIV_PROVIDER_AUTO ? cliv_blas_auto(ctx) : known;
}

/* `vectors`: the call is one of CLBlast's vector routines, which small work-groups break. */
static cliv_status choose(cliv_context *ctx, cliv_provider provider, bool vectors, const cliv__blas_provider **out) {
  const bool broken = vectors && (ctx->quirks & CLIV__QUIRK_SMALL_GROUPS);
#ifdef CLIV_HAVE_CLBLAST
  if (provider == CLIV_PROVIDER_AUTO && !broken && cliv__route_open(ctx)) {
    *out = &cliv__blas_routed;
    return CLIV_OK;
  }
#endif
  if (provider == CLIV_PROVIDER_AUTO) provider = broken ? CLIV_PROVIDER_EXACT : cliv_blas_auto(ctx);
  REQUIRE(ctx, provider == CLIV_PROVIDER_EXACT || provider == CLIV_PROVIDER_CLBLAST, VALUE,
          "%d is no provider of matrix products", (int)provider);
#ifdef CLIV_HAVE_CLBLAST
  *out = provider == CLIV_PROVIDER_CLBLAST ? &cliv__blas_clblast : &cliv__blas_exact;
#else
  REQUIRE(
      ctx, provider != CLIV_PROVIDER_CLBLAST, NO_CLBLAST,
      "this library was built without CLBlast; configure it with -DCLIV_CLBLAST=ON, or ask for the provider 'exact'");
  *out = &cliv__blas_exact;
#endif
  return CLIV_OK;
}

cliv_status cliv__blas_choose(cliv_context *ctx, const cliv_blas_options *options, cliv_blas_options *own,
                              const cliv__blas_provider **out) {
  TRY(OPTIONS(ctx, options, own));
  return choose(ctx, own->provider, false, out);
}

/* For operations that nothing can follow. */
static cliv_status choose_vectors(cliv_context *ctx, const cliv_blas_options *options,
                                  const cliv__blas_provider **out) {
  cliv_blas_options own;
  TRY(OPTIONS(ctx, options, &own));
  REQUIRE(ctx, !own.bias && !own.activation, VALUE,
          "bias and activation are of gemm and gemm_batched; gemv, ger and axpy have none");
  return choose(ctx, own.provider, true, out);
}

/* ---- checks ---- */

/* Types and memory, whatever the layout. */
static cliv_status check_pair(cliv_context *ctx, const cliv_tensor *operand, const cliv_tensor *result) {
  char a[160], b[160];
  REQUIRE(ctx, operand->ctx == ctx && result->ctx == ctx, VALUE,
          "a tensor belongs to another context than the one given: make a view or a copy of it in this one");
  const cliv_dtype type = result->dtype;
  REQUIRE(ctx, type == CLIV_F32 || type == CLIV_F64 || type == CLIV_F16 || type == CLIV_BF16, DTYPE,
          "matrix products are of float32, float64, float16 and bfloat16, not of %s", cliv__describe(result, b));
  REQUIRE(ctx, operand->dtype == type, DTYPE, "the operand %s and the result %s differ in type",
          cliv__describe(operand, a), cliv__describe(result, b));
  REQUIRE(ctx, !cliv__overlap(operand, result), OVERLAP,
          "the result %s shares memory with the operand %s; results are written elsewhere", cliv__describe(result, b),
          cliv__describe(operand, a));
  return CLIV_OK;
}

static bool is_matrix(const cliv_tensor *t) { return t->ndim == 2; }
static bool is_batch(const cliv_tensor *t) { return t->ndim == 2 || t->ndim == 3; }
static bool is_vector(const cliv_tensor *t) {
  return t->ndim == 1 || (t->ndim == 2 && (t->shape[0] == 1 || t->shape[1] == 1));
}

#define REQUIRE_MATRIX(ctx, t)                                                                      \
  do {                                                                                              \
    char text[160];                                                                                 \
    REQUIRE(ctx, is_matrix(t), SHAPE, "%s: '%s' must be a matrix (two axes), not %s", __func__, #t, \
            cliv__describe(t, text));                                                               \
  } while (0)
#define REQUIRE_MATRICES(ctx, t)                                                                                \
  do {                                                                                                          \
    char text[160];                                                                                             \
    REQUIRE(ctx, is_batch(t), SHAPE, "%s: '%s' must be a matrix (two axes) or a batch of them (three), not %s", \
            __func__, #t, cliv__describe(t, text));                                                             \
  } while (0)
#define REQUIRE_VECTOR(ctx, t)                                                                                         \
  do {                                                                                                                 \
    char text[160];                                                                                                    \
    REQUIRE(ctx, is_vector(t), SHAPE, "%s: '%s' must be a vector (one axis, one row or one column), not %s", __func__, \
            #t, cliv__describe(t, text));                                                                              \
  } while (0)

/* ---- descriptions for the providers ---- */

static cliv__matrix matrix_of(const cliv_tensor *t) {
  return (cliv__matrix){t->mem, t->count ? cliv__first(t) : 0, t->rows, t->columns, t->pitch, 0};
}

/* A matrix, or a batch of them. */
static cl_ulong batch_of(const cliv_tensor *t) { return t->ndim == 3 ? t->shape[0] : 1; }
static const size_t *sides_of(const cliv_tensor *t) { return t->shape + (t->ndim == 3); }
cliv__matrix cliv__matrices_of(const cliv_tensor *t) {
  const size_t rows = sides_of(t)[0];
  return (cliv__matrix){t->mem,   t->count ? cliv__first(t) : 0,        rows, t->columns,
                        t->pitch, batch_of(t) > 1 ? rows * t->pitch : 0};
}

static cliv__vector vector_of(const cliv_tensor *t) {
  const bool column = t->ndim == 2 && t->shape[1] == 1;
  return (cliv__vector){t->mem, t->count ? cliv__first(t) : 0, t->count, column ? t->pitch : 1};
}

/* A vector of any step as a matrix of one column. */
static cliv_tensor column_of(const cliv_tensor *t) {
  const int axis = t->ndim == 2 && t->shape[1] > 1;
  cliv_tensor v = *t;
  v.strided = false;
  v.ndim = 2;
  v.rows = v.shape[0] = t->count;
  v.columns = v.shape[1] = 1;
  v.pitch = v.strides[0] = t->strides[axis];
  v.strides[1] = 1;
  return v;
}

/* volatile: GCC 12 (-O2) loses both conversions when it vectorises two of these side by side. */
double cliv__blas_rounded(cliv_dtype dtype, double x) {
  const volatile float narrow = (float)x;
  return dtype == CLIV_F64 ? x : (double)narrow;
}

static cliv_status scale(cliv_context *ctx, const cliv_tensor *c, double beta, const cliv_sync *sync) {
  if (c->count == 0 || beta == 1) return cliv__nothing(ctx, sync);
  const cliv__matrix matrix = matrix_of(c);
  return cliv__blas_scale(ctx, c->dtype, beta, &matrix, sync);
}

/* ---- operations ---- */

cliv_status cliv__check_product(cliv_context *ctx, bool trans_a, bool trans_b, const cliv_tensor *a,
                                const cliv_tensor *b, const cliv_tensor *c, cliv__gemm *g) {
  const size_t *const sa = sides_of(a), *const sb = sides_of(b), *const sc = sides_of(c);
  const size_t m = sa[trans_a], k = sa[!trans_a], n = sb[!trans_b], batch = batch_of(c);
  REQUIRE(ctx, sb[trans_b] == k, SHAPE, "gemm: op(A) is %zu × %zu and op(B) is %zu × %zu: %zu and %zu must be equal", m,
          k, sb[trans_b], n, k, sb[trans_b]);
  REQUIRE(ctx, sc[0] == m && sc[1] == n, SHAPE, "gemm: the product is %zu × %zu, but C is %zu × %zu", m, n, sc[0],
          sc[1]);
  REQUIRE(ctx, batch_of(a) == batch || batch_of(a) == 1, SHAPE,
          "gemm: A is a batch of %zu and C of %zu: A's must be the same, or 1, used for all", (size_t)batch_of(a),
          batch);
  REQUIRE(ctx, batch_of(b) == batch || batch_of(b) == 1, SHAPE,
          "gemm: B is a batch of %zu and C of %zu: B's must be the same, or 1, used for all", (size_t)batch_of(b),
          batch);
  TRY(check_pair(ctx, a, c));
  TRY(check_pair(ctx, b, c));
  *g = (cliv__gemm){.dtype = c->dtype, .trans_a = trans_a, .trans_b = trans_b, .m = m, .n = n, .k = k, .batch = batch};
  return CLIV_OK;
}

cliv_status cliv_gemm(cliv_context *ctx, int trans_a, int trans_b, double alpha, const cliv_tensor *a,
                      const cliv_tensor *b, double beta, cliv_tensor *c, const cliv_blas_options *options,
                      const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, a);
  REQUIRE_NOT_NULL(ctx, b);
  REQUIRE_NOT_NULL(ctx, c);
  REQUIRE_MATRICES(ctx, a);
  REQUIRE_MATRICES(ctx, b);
  REQUIRE_MATRICES(ctx, c);
  cliv__gemm g;
  TRY(cliv__check_product(ctx, trans_a != 0, trans_b != 0, a, b, c, &g));
  const cliv__blas_provider *provider = NULL;
  cliv_blas_options own;
  TRY(cliv__blas_choose(ctx, options, &own, &provider));
  TRY(cliv__epilogue_check(ctx, &own, c, &g));

  g.alpha = cliv__blas_rounded(c->dtype, alpha);
  g.beta = cliv__blas_rounded(c->dtype, beta);
  return cliv__multiply(ctx, provider, &g, a, b, c, sync);
}

cliv_status cliv_gemv(cliv_context *ctx, int trans_a, double alpha, const cliv_tensor *a, const cliv_tensor *x,
                      double beta, cliv_tensor *y, const cliv_blas_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, a);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, y);
  REQUIRE_MATRIX(ctx, a);
  REQUIRE_VECTOR(ctx, x);
  REQUIRE_VECTOR(ctx, y);
  const size_t m = a->shape[trans_a ? 1 : 0], k = a->shape[trans_a ? 0 : 1];
  REQUIRE(ctx, x->count == k, SHAPE, "gemv: op(A) is %zu × %zu, but x has %zu elements", m, k, x->count);
  REQUIRE(ctx, y->count == m, SHAPE, "gemv: op(A) is %zu × %zu, but y has %zu elements", m, k, y->count);
  TRY(check_pair(ctx, a, y));
  TRY(check_pair(ctx, x, y));
  const cliv__blas_provider *provider = NULL;
  TRY(choose_vectors(ctx, options, &provider));

  alpha = cliv__blas_rounded(y->dtype, alpha);
  beta = cliv__blas_rounded(y->dtype, beta);
  if (a->strided || x->strided || y->strided || cliv__is_narrow(y->dtype)) {
    const cliv__gemm g = {
        .dtype = y->dtype, .trans_a = trans_a != 0, .m = m, .n = 1, .k = k, .alpha = alpha, .beta = beta, .batch = 1};
    const cliv_tensor vx = column_of(x), vy = column_of(y);
    return cliv__multiply(ctx, provider, &g, a, &vx, &vy, sync);
  }
  if (m == 0 || k == 0 || alpha == 0) return scale(ctx, y, beta, sync);
  const cliv__gemv g = {y->dtype, trans_a != 0, m, k, alpha, beta, matrix_of(a), vector_of(x), vector_of(y), y->dtype};
  return provider->gemv(ctx, &g, sync);
}

cliv_status cliv_ger(cliv_context *ctx, double alpha, const cliv_tensor *x, const cliv_tensor *y, cliv_tensor *a,
                     const cliv_blas_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, y);
  REQUIRE_NOT_NULL(ctx, a);
  REQUIRE_VECTOR(ctx, x);
  REQUIRE_VECTOR(ctx, y);
  REQUIRE_MATRIX(ctx, a);
  REQUIRE(ctx, x->count == a->shape[0] && y->count == a->shape[1], SHAPE,
          "ger: A is %zu × %zu, but x has %zu elements and y has %zu", a->shape[0], a->shape[1], x->count, y->count);
  TRY(check_pair(ctx, x, a));
  TRY(check_pair(ctx, y, a));
  const cliv__blas_provider *provider = NULL;
  TRY(choose_vectors(ctx, options, &provider));

  alpha = cliv__blas_rounded(a->dtype, alpha);
  if (a->count == 0 || alpha == 0) return cliv__nothing(ctx, sync);
  const bool narrow = cliv__is_narrow(a->dtype) && !provider->narrow;
  if (a->strided || x->strided || y->strided || narrow) {
    const cliv__gemm g = {.dtype = a->dtype,
                          .trans_b = true,
                          .m = x->count,
                          .n = y->count,
                          .k = 1,
                          .alpha = alpha,
                          .beta = 1,
                          .batch = 1};
    const cliv_tensor cx = column_of(x), cy = column_of(y);
    return cliv__multiply(ctx, provider, &g, &cx, &cy, a, sync);
  }
  const cliv__vector vx = vector_of(x), vy = vector_of(y);
  const cliv__matrix ma = matrix_of(a);
  return provider->ger(ctx, a->dtype, alpha, &vx, &vy, &ma, sync);
}

/* Two tensors of one shape as two matrices of rows: where their axes, in the order of y's strides, are one or two. */
static bool together(const cliv_tensor *x, const cliv_tensor *y, cliv__matrix *mx, cliv__matrix *my) {
  cliv__axis axes[CLIV_MAX_DIMS];
  cliv_tensor sx = *x, sy = *y;
  for (int to = sy.ndim - 1; to > 0; to--) {
    int least = to;
    for (int d = 0; d < to; d++)
      if (sy.strides[d] < sy.strides[least]) least = d;
    size_t *const lists[] = {sx.shape, sy.shape, sx.strides, sy.strides};
    for (int l = 0; l < 4; l++) {
      const size_t held = lists[l][to];
      lists[l][to] = lists[l][least];
      lists[l][least] = held;
    }
  }
  const int count = cliv__axes(&sx, &sy, 0, axes);
  if (count < 1 || count > 2 || axes[count - 1].stride != 1 || axes[count - 1].stride_y != 1) return false;
  const size_t columns = axes[count - 1].extent, rows = count == 2 ? axes[0].extent : 1;
  if (count == 2 && axes[0].stride < columns) return false;
  *mx = (cliv__matrix){x->mem, cliv__first(x), rows, columns, count == 2 ? axes[0].stride : columns, 0};
  *my = (cliv__matrix){y->mem, cliv__first(y), rows, columns, count == 2 ? axes[0].stride_y : columns, 0};
  return true;
}

static cliv_status axpy_of_copies(cliv_context *ctx, const cliv__blas_provider *provider, double alpha,
                                  const cliv_tensor *x, const cliv_tensor *y, const cliv_sync *sync) {
  cliv__chain order = {.sync = sync};
  cliv_tensor wide_x, wide_y;
  TRY(cliv__copy_in(ctx, x, CLIV__OPERAND_A, false, &order, &wide_x));
  TRY(cliv__copy_in(ctx, y, CLIV__OPERAND_C, false, &order, &wide_y));
  const bool copied = cliv__needs_copy(y, false);
  const cliv__matrix mx = matrix_of(&wide_x), my = matrix_of(&wide_y);
  const cliv_sync part = cliv__chain_next(&order, !copied);
  TRY(provider->axpy(ctx, wide_y.dtype, alpha, &mx, &my, &part));
  return copied ? cliv__copy_back(ctx, &wide_y, y, CLIV__OPERAND_C, CLIV__PART_ALL, NULL, &order) : CLIV_OK;
}

cliv_status cliv_axpy(cliv_context *ctx, double alpha, const cliv_tensor *x, cliv_tensor *y,
                      const cliv_blas_options *options, const cliv_sync *sync) {
  char a[160], b[160];
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_NOT_NULL(ctx, y);
  REQUIRE(ctx, cliv__same_shape(x, y), SHAPE, "axpy: x is %s and y is %s: their shapes must be equal",
          cliv__describe(x, a), cliv__describe(y, b));
  TRY(check_pair(ctx, x, y));
  const cliv__blas_provider *provider = NULL;
  TRY(choose_vectors(ctx, options, &provider));

  alpha = cliv__blas_rounded(y->dtype, alpha);
  if (y->count == 0 || alpha == 0) return cliv__nothing(ctx, sync);
  cliv__matrix mx = matrix_of(x), my = matrix_of(y);
  const bool in_rows = !(x->strided || y->strided) || together(x, y, &mx, &my);
  if (!in_rows || (cliv__is_narrow(y->dtype) && !provider->narrow))
    return axpy_of_copies(ctx, provider, alpha, x, y, sync);
  return provider->axpy(ctx, y->dtype, alpha, &mx, &my, sync);
}
