/* The provider `clblast`: convgemm. */
#include "blas/clblast.h"
#include "blas/conv.h"

#ifdef CLIV_HAVE_CLBLAST

static CLBlastStatusCode conv(const void *with, cl_command_queue *queue, cl_event *event) {
  const cliv__conv *const v = with;
#define ARGUMENTS                                                                                                     \
  CLBlastKernelModeCrossCorrelation, v->c, v->data[0], v->data[1], v->kernel[0], v->kernel[1], (size_t)v->padding[0], \
      (size_t)v->padding[1], (size_t)v->stride[0], (size_t)v->stride[1], (size_t)v->dilation[0],                      \
      (size_t)v->dilation[1], v->o, v->images, v->x.mem, v->x.first, v->w.mem, v->w.first, v->y.mem, v->y.first,      \
      queue, event
  return v->dtype == CLIV_F64 ? CLBlastDconvgemm(ARGUMENTS) : CLBlastSconvgemm(ARGUMENTS);
#undef ARGUMENTS
}

/* x, w, y, and the columns that CLBlast makes of x. */
static cliv_status check(cliv_context *ctx, const cliv__conv *v) {
  const cl_ulong patch = v->c * v->kernel[0] * v->kernel[1], places = v->images * v->result[0] * v->result[1];
  TRY(cliv__clblast_reaches(ctx, v->x.first + v->images * v->c * v->data[0] * v->data[1]));
  TRY(cliv__clblast_reaches(ctx, v->w.first + v->o * patch));
  TRY(cliv__clblast_reaches(ctx, v->y.first + v->o * places));
  return cliv__clblast_reaches(ctx, patch * places);
}

cliv_status cliv__clblast_conv(cliv_context *ctx, const cliv__conv *v, const cliv_sync *sync) {
  TRY(check(ctx, v));
  return cliv__clblast_run(ctx, sync, "convgemm", conv, v);
}

#endif
