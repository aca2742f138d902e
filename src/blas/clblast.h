/* What the files of the provider `clblast` share. */
#ifndef CLIV_BLAS_CLBLAST_H
#define CLIV_BLAS_CLBLAST_H
#ifdef CLIV_HAVE_CLBLAST

#include <clblast_c.h>

#include "blas/provider.h"

/* One routine of CLBlast's in the context's order, with the caller's events. */
typedef CLBlastStatusCode cliv__clblast_call(const void *with, cl_command_queue *queue, cl_event *event);
cliv_status cliv__clblast_run(cliv_context *ctx, const cliv_sync *sync, const char *routine, cliv__clblast_call *call,
                              const void *with);

/* NOT_IN_BUILD where elements up to `end` of a buffer are more than CLBlast can count. */
cliv_status cliv__clblast_reaches(cliv_context *ctx, cl_ulong end);

/* In clblast_level3.c. */
cliv__level3_function cliv__clblast_syrk, cliv__clblast_symm, cliv__clblast_trmm, cliv__clblast_trsm;

#endif
#endif
