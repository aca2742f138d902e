/* The provider `clblast`: CLBlast's routines in the context's order, with the caller's events. */
#ifdef CLIV_HAVE_CLBLAST

#include <clblast_c.h>
#include <limits.h>
#include <stdlib.h>

#include "blas/clblast.h"
#include "blas/epilogue.h"
#include "blas/prepare.h"
#include "runtime/scratch.h"

static const struct {
  int code;
  const char *text;
} codes[] = {
    {CLBlastNotImplemented, "not implemented"},
    {CLBlastInvalidMatrixA, "A is not a valid buffer"},
    {CLBlastInvalidMatrixB, "B is not a valid buffer"},
    {CLBlastInvalidMatrixC, "C is not a valid buffer"},
    {CLBlastInvalidVectorX, "x is not a valid buffer"},
    {CLBlastInvalidVectorY, "y is not a valid buffer"},
    {CLBlastInvalidDimension, "a dimension is 0"},
    {CLBlastInvalidLeadDimA, "the pitch of A is too short"},
    {CLBlastInvalidLeadDimB, "the pitch of B is too short"},
    {CLBlastInvalidLeadDimC, "the pitch of C is too short"},
    {CLBlastInvalidIncrementX, "the step of x is 0"},
    {CLBlastInvalidIncrementY, "the step of y is 0"},
    {CLBlastInsufficientMemoryA, "the buffer of A is too small"},
    {CLBlastInsufficientMemoryB, "the buffer of B is too small"},
    {CLBlastInsufficientMemoryC, "the buffer of C is too small"},
    {CLBlastInsufficientMemoryX, "the buffer of x is too small"},
    {CLBlastInsufficientMemoryY, "the buffer of y is too small"},
    {CLBlastInsufficientMemoryTemp, "the temporary buffer is too small"},
    {CLBlastInvalidLocalMemUsage, "not enough local memory on this device"},
    {CLBlastNoHalfPrecision, "the device has no float16"},
    {CLBlastNoDoublePrecision, "the device has no float64"},
    {CLBlastDatabaseError, "no parameters for this device in its database"},
    {CLBlastUnknownError, "an unspecified error"},
    {CLBlastUnexpectedError, "an unexpected exception"},
};

static const char *text_of(int code) {
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (codes[i].code == code) return codes[i].text;
  return cliv__cl_name(code); /* the others are OpenCL's own */
}

/* The tuned parameters are in force from here on. CLBlast takes no wait list: a barrier with it goes in front. `order`
 * must be ended by end(). */
static cliv_status begin(cliv_context *ctx, const cliv_sync *sync, cliv__order *order) {
  cliv__clblast_begin(ctx);
  TRY(cliv__order_begin(ctx, sync, order));
  if (order->wait_count == 0) return CLIV_OK;
  const cl_int code = clEnqueueBarrierWithWaitList(ctx->queue, order->wait_count, order->wait, NULL);
  return code ? cliv__order_end(ctx, order, code, "clEnqueueBarrierWithWaitList") : CLIV_OK;
}

static cliv_status end(cliv_context *ctx, cliv__order *order, CLBlastStatusCode code, const char *routine) {
  if (code == CLBlastSuccess) return cliv__order_end(ctx, order, CL_SUCCESS, routine);
  free(order->list);
  order->list = NULL;
  return cliv__fail(ctx, CLIV_CLBLAST,
                    "CLBlast's %s failed on device '%s': %s (%d); the provider 'exact' may serve instead", routine,
                    ctx->facts.name, text_of(code), (int)code);
}

cliv_status cliv__clblast_run(cliv_context *ctx, const cliv_sync *sync, const char *routine, cliv__clblast_call *call,
                              const void *with) {
  cliv__order order;
  TRY(begin(ctx, sync, &order));
  const CLBlastStatusCode code = call(with, &ctx->queue, order.event);
  return end(ctx, &order, code, routine);
}

/* ---- its indices ---- */

/* CLBlast's kernels index in int, and its host code casts without a look: what lies behind would be read and written
 * elsewhere. `end`: elements, from the buffer's begin. */
cliv_status cliv__clblast_reaches(cliv_context *ctx, cl_ulong end) {
  REQUIRE(ctx, end <= INT_MAX, NOT_IN_BUILD,
          "CLBlast counts elements in 32 bits, up to %d, and this call needs %llu in one buffer; the provider 'exact' "
          "has no such limit",
          INT_MAX, (unsigned long long)end);
  return CLIV_OK;
}

static cl_ulong larger(cl_ulong a, cl_ulong b) { return a > b ? a : b; }

static cl_ulong end_of(const cliv__matrix *x, cl_ulong first, cl_ulong rows, cl_ulong columns, cl_ulong batch) {
  return first + (batch - 1) * x->each + (rows - 1) * x->pitch + columns;
}

static cl_ulong end_of_vector(const cliv__vector *x) { return x->first + (x->count - 1) * x->step + 1; }

static cl_ulong gemm_end(const cliv__gemm *g) {
  const cl_ulong rows[] = {g->trans_a ? g->k : g->m, g->trans_b ? g->n : g->k, g->m},
                 columns[] = {g->trans_a ? g->m : g->k, g->trans_b ? g->k : g->n, g->n},
                 batch = g->batch ? g->batch : 1;
  const cliv__matrix *const x[] = {&g->a, &g->b, &g->c};
  cl_ulong end = 0;
  for (size_t i = 0; i < 3; i++) {
    cl_ulong first = g->places ? 0 : x[i]->first;
    for (cl_ulong z = 0; g->places && z < batch; z++) first = larger(first, g->places[3 * z + i]);
    end = larger(end, end_of(x[i], first, rows[i], columns[i], g->places ? 1 : batch));
  }
  return end;
}

/* ---- products ---- */

static CLBlastTranspose transpose(bool yes) { return yes ? CLBlastTransposeYes : CLBlastTransposeNo; }

/* Always with a buffer of ours: CLBlast ends the process when an allocation of its own fails. */
static cliv_status single_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv_sync *sync) {
  const CLBlastTranspose ta = transpose(g->trans_a), tb = transpose(g->trans_b);
  const bool wide = g->dtype == CLIV_F64;
  size_t bytes = 0;
  cl_mem room;
  cliv__clblast_begin(ctx); /* the parameters say how much */
  CLBlastStatusCode code = (wide ? CLBlastDGemmTempBufferSize : CLBlastSGemmTempBufferSize)(
      CLBlastLayoutRowMajor, ta, tb, g->m, g->n, g->k, g->a.first, g->a.pitch, g->b.first, g->b.pitch, g->c.first,
      g->c.pitch, &ctx->queue, &bytes);
  REQUIRE(ctx, code == CLBlastSuccess, CLBLAST, "CLBlast cannot tell the memory it needs on device '%s': %s (%d)",
          ctx->facts.name, text_of(code), (int)code);
  TRY(cliv__clblast_reaches(ctx, bytes / cliv_dtype_size(g->dtype)));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_CLBLAST, bytes, &room));
  cliv__order order;
  TRY(begin(ctx, sync, &order));
  if (wide)
    code = CLBlastDgemmWithTempBuffer(CLBlastLayoutRowMajor, ta, tb, g->m, g->n, g->k, g->alpha, g->a.mem, g->a.first,
                                      g->a.pitch, g->b.mem, g->b.first, g->b.pitch, g->beta, g->c.mem, g->c.first,
                                      g->c.pitch, &ctx->queue, order.event, room);
  else
    code = CLBlastSgemmWithTempBuffer(CLBlastLayoutRowMajor, ta, tb, g->m, g->n, g->k, (float)g->alpha, g->a.mem,
                                      g->a.first, g->a.pitch, g->b.mem, g->b.first, g->b.pitch, (float)g->beta,
                                      g->c.mem, g->c.first, g->c.pitch, &ctx->queue, order.event, room);
  return end(ctx, &order, code, "gemm");
}

/* What CLBlast allocates for a batch on its own: copies of all matrices, their sides rounded up to its tiles. */
static cl_ulong batch_bytes(const cliv__gemm *g) {
  enum { TILE = 128 };
  const cl_ulong m = cliv__round_up(g->m, TILE), n = cliv__round_up(g->n, TILE), k = cliv__round_up(g->k, TILE);
  return g->batch * (m * k + k * n + m * n) * cliv_dtype_size(g->dtype);
}

static cliv_status strided_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv_sync *sync) {
  const CLBlastTranspose ta = transpose(g->trans_a), tb = transpose(g->trans_b);
  cliv__order order;
  TRY(begin(ctx, sync, &order));
  CLBlastStatusCode code;
  if (g->dtype == CLIV_F64)
    code = CLBlastDgemmStridedBatched(CLBlastLayoutRowMajor, ta, tb, g->m, g->n, g->k, g->alpha, g->a.mem, g->a.first,
                                      g->a.pitch, g->a.each, g->b.mem, g->b.first, g->b.pitch, g->b.each, g->beta,
                                      g->c.mem, g->c.first, g->c.pitch, g->c.each, g->batch, &ctx->queue, order.event);
  else
    code = CLBlastSgemmStridedBatched(CLBlastLayoutRowMajor, ta, tb, g->m, g->n, g->k, (float)g->alpha, g->a.mem,
                                      g->a.first, g->a.pitch, g->a.each, g->b.mem, g->b.first, g->b.pitch, g->b.each,
                                      (float)g->beta, g->c.mem, g->c.first, g->c.pitch, g->c.each, g->batch,
                                      &ctx->queue, order.event);
  return end(ctx, &order, code, "gemm of a batch");
}

static cliv_status listed_call(cliv_context *ctx, const cliv__gemm *g, size_t *offsets, double *factors,
                               const cliv_sync *sync) {
  const CLBlastTranspose ta = transpose(g->trans_a), tb = transpose(g->trans_b);
  const bool wide = g->dtype == CLIV_F64;
  float *const narrow = (float *)factors; /* alpha of each, beta of each */
  for (size_t z = 0; z < g->batch; z++) {
    for (size_t i = 0; i < 3; i++) offsets[i * g->batch + z] = g->places[3 * z + i];
    if (wide) factors[z] = g->alpha, factors[g->batch + z] = g->beta;
    else narrow[z] = (float)g->alpha, narrow[g->batch + z] = (float)g->beta;
  }
  const size_t *const b = offsets + g->batch, *const c = b + g->batch;
  cliv__order order;
  TRY(begin(ctx, sync, &order));
  const CLBlastStatusCode code =
      wide ? CLBlastDgemmBatched(CLBlastLayoutRowMajor, ta, tb, g->m, g->n, g->k, factors, g->a.mem, offsets,
                                 g->a.pitch, g->b.mem, b, g->b.pitch, factors + g->batch, g->c.mem, c, g->c.pitch,
                                 g->batch, &ctx->queue, order.event)
           : CLBlastSgemmBatched(CLBlastLayoutRowMajor, ta, tb, g->m, g->n, g->k, narrow, g->a.mem, offsets, g->a.pitch,
                                 g->b.mem, b, g->b.pitch, narrow + g->batch, g->c.mem, c, g->c.pitch, g->batch,
                                 &ctx->queue, order.event);
  return end(ctx, &order, code, "gemm of a list");
}

static cliv_status listed_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv_sync *sync) {
  double *const factors = malloc(g->batch * (2 * sizeof *factors + 3 * sizeof(size_t)));
  REQUIRE(ctx, factors != NULL, HOST_MEMORY, "no memory for a list of %zu products", (size_t)g->batch);
  const cliv_status status = listed_call(ctx, g, (size_t *)(factors + 2 * g->batch), factors, sync);
  free(factors);
  return status;
}

/* In one call where CLBlast's own allocation is small enough not to fail where ours just did not; else one by one, with
 * a buffer of ours. So are lists that wait: CLBlast writes their places by blocking calls, behind the barrier. */
static cliv_status clblast_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv_sync *sync) {
  enum { ROOM = 1 << 26 };
  const bool ends = cliv__has_epilogue(g), blocks = g->places && sync && sync->wait_count;
  const cl_ulong batch = g->batch ? g->batch : 1;
  const cl_ulong bytes = batch > 1 && !blocks ? batch_bytes(g) / batch : ROOM, most = bytes < ROOM ? ROOM / bytes : 1;
  TRY(cliv__clblast_reaches(ctx, gemm_end(g)));
  if (ends) TRY(cliv__gemm_finish_ready(ctx, g));
  for (cl_ulong z = 0, count; z < batch; z += count) {
    count = batch - z < most ? batch - z : most;
    const cliv__gemm part = cliv__gemm_part(g, z, count);
    const cliv_sync order = cliv__sync_part(sync, z == 0, !ends && z + count == batch);
    if (count == 1) TRY(single_gemm(ctx, &part, &order));
    else TRY(part.places ? listed_gemm(ctx, &part, &order) : strided_gemm(ctx, &part, &order));
  }
  return ends ? cliv__gemm_finish(ctx, g, SYNC_LAST(sync)) : CLIV_OK;
}

static cliv_status clblast_gemv(cliv_context *ctx, const cliv__gemv *g, const cliv_sync *sync) {
  const CLBlastTranspose ta = transpose(g->trans_a);
  const size_t rows = g->a.rows, columns = g->a.columns;
  cliv__order order;
  TRY(cliv__clblast_reaches(ctx, end_of(&g->a, g->a.first, rows, columns, 1)));
  TRY(cliv__clblast_reaches(ctx, larger(end_of_vector(&g->x), end_of_vector(&g->y))));
  if (g->beta == 0) { /* CLBlast's gemv reads y all the same, and a NaN in it stays */
    const cliv__matrix y = {g->y.mem, g->y.first, g->m, 1, g->y.step, 0};
    TRY(cliv__blas_scale(ctx, g->dtype, 0, &y, SYNC_FIRST(sync)));
  }
  TRY(begin(ctx, g->beta == 0 ? SYNC_LAST(sync) : sync, &order));
  const CLBlastStatusCode code =
      g->dtype == CLIV_F64
          ? CLBlastDgemv(CLBlastLayoutRowMajor, ta, rows, columns, g->alpha, g->a.mem, g->a.first, g->a.pitch, g->x.mem,
                         g->x.first, g->x.step, g->beta, g->y.mem, g->y.first, g->y.step, &ctx->queue, order.event)
          : CLBlastSgemv(CLBlastLayoutRowMajor, ta, rows, columns, (float)g->alpha, g->a.mem, g->a.first, g->a.pitch,
                         g->x.mem, g->x.first, g->x.step, (float)g->beta, g->y.mem, g->y.first, g->y.step, &ctx->queue,
                         order.event);
  return end(ctx, &order, code, "gemv");
}

static cliv_status clblast_ger(cliv_context *ctx, cliv_dtype dtype, double alpha, const cliv__vector *x,
                               const cliv__vector *y, const cliv__matrix *a, const cliv_sync *sync) {
  cliv__order order;
  TRY(cliv__clblast_reaches(ctx, end_of(a, a->first, a->rows, a->columns, 1)));
  TRY(cliv__clblast_reaches(ctx, larger(end_of_vector(x), end_of_vector(y))));
  TRY(begin(ctx, sync, &order));
  const CLBlastStatusCode code =
      dtype == CLIV_F64
          ? CLBlastDger(CLBlastLayoutRowMajor, a->rows, a->columns, alpha, x->mem, x->first, x->step, y->mem, y->first,
                        y->step, a->mem, a->first, a->pitch, &ctx->queue, order.event)
          : CLBlastSger(CLBlastLayoutRowMajor, a->rows, a->columns, (float)alpha, x->mem, x->first, x->step, y->mem,
                        y->first, y->step, a->mem, a->first, a->pitch, &ctx->queue, order.event);
  return end(ctx, &order, code, "ger");
}

static cliv_status axpy_row(cliv_context *ctx, cliv_dtype dtype, cl_ulong count, double alpha, cl_mem x,
                            cl_ulong x_first, cl_mem y, cl_ulong y_first, const cliv_sync *sync) {
  cliv__order order;
  TRY(begin(ctx, sync, &order));
  const CLBlastStatusCode code =
      dtype == CLIV_F64 ? CLBlastDaxpy(count, alpha, x, x_first, 1, y, y_first, 1, &ctx->queue, order.event)
                        : CLBlastSaxpy(count, (float)alpha, x, x_first, 1, y, y_first, 1, &ctx->queue, order.event);
  return end(ctx, &order, code, "axpy");
}

/* CLBlast's axpy knows vectors only: rows with a pitch are one call each. */
static cliv_status clblast_axpy(cliv_context *ctx, cliv_dtype dtype, double alpha, const cliv__matrix *x,
                                const cliv__matrix *y, const cliv_sync *sync) {
  const bool dense = x->pitch == x->columns && y->pitch == y->columns;
  const cl_ulong rows = dense ? 1 : x->rows, columns = dense ? x->rows * x->columns : x->columns;
  TRY(cliv__clblast_reaches(
      ctx, larger(end_of(x, x->first, x->rows, x->columns, 1), end_of(y, y->first, x->rows, x->columns, 1))));
  for (cl_ulong i = 0; i < rows; i++) {
    const cliv_sync part = cliv__sync_part(sync, i == 0, i + 1 == rows);
    TRY(axpy_row(ctx, dtype, columns, alpha, x->mem, x->first + i * x->pitch, y->mem, y->first + i * y->pitch, &part));
  }
  return CLIV_OK;
}

cliv_status cliv_blas_forget(void) {
  const CLBlastStatusCode code = CLBlastClearCache();
  REQUIRE(NULL, code == CLBlastSuccess, CLBLAST, "CLBlast cannot drop its programs: %s (%d)", text_of(code), (int)code);
  return CLIV_OK;
}

const cliv__blas_provider cliv__blas_clblast = {"clblast",          false,
                                                clblast_gemm,       clblast_gemv,
                                                clblast_ger,        clblast_axpy,
                                                cliv__clblast_syrk, cliv__clblast_symm,
                                                cliv__clblast_trmm, cliv__clblast_trsm};

#else

#include <cliv/blas.h>

cliv_status cliv_blas_forget(void) { return CLIV_OK; }

#endif
