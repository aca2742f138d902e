/* Internal side of cliv/context.h. */
#ifndef CLIV_RUNTIME_CONTEXT_H
#define CLIV_RUNTIME_CONTEXT_H

#include <cliv/context.h>
#include <cliv/device.h>
#include <stdbool.h>

#include "base/status.h"

struct cliv_context {
  cliv__error error; /* first: cliv__fail finds it here */
  cl_context context;
  cl_device_id device;
  cl_command_queue queue;
  cl_event last; /* out-of-order queues only: what the next command waits for */
  bool out_of_order;
  cliv_walk walk;
  size_t group_size;                                /* 0: kernel's own */
  cliv_device_info facts;                           /* what cliv__device_foundations tells, read once */
  unsigned quirks;                                  /* CLIV__QUIRK_… */
  bool rounds_divide;                               /* division and square root correctly rounded by the build option */
  char *cache_dir;                                  /* NULL: no disk cache */
  struct cliv__program *programs;                   /* memory cache */
  struct cliv__scratch *scratch;                    /* reusable device memory, see scratch.h */
  struct cliv__fft_plan *fft_plans;                 /* see fft/plan.h … */
  void (*fft_plans_free)(struct cliv_context *ctx); /* … which knows how; NULL while there are none */
  bool tuning_applied;                              /* of CLBlast's kernels, see blas/tuning.h */
  struct cliv__routes *routes;                      /* one piece of memory, see blas/route.h */
  struct cliv__cuts_table *cuts;                    /* one piece of memory, see blas/cuts.h … */
  struct json_t *cuts_note;                         /* … and what it was read from */
  void (*idle)(struct cliv_context *);              /* what waits for all of this context's work to be done; NULL */
  struct cliv__prepare *prepare;                    /* see blas/prepare.h … */
  void (*prepare_free)(struct cliv_context *ctx);   /* … which knows how; joins its thread */
  struct cliv__clfft_entry *clfft_plans;            /* the same of clFFT's: fft/clfft.c */
  void (*clfft_plans_free)(struct cliv_context *ctx);
  struct json_t *fft_routes; /* who transforms what, as measured: fft/route.c */
  int fft_provider;          /* … and did so last */
  bool trials;               /* child processes may try what can end this one */
  struct cliv__stage *stage; /* launches that are not enqueued yet, see stage.h */
};

/* Status and sentence for an OpenCL code: "`what` failed: CL_OUT_OF_RESOURCES (-5)". */
cliv_status cliv__fail_cl(cliv_context *ctx, cl_int code, const char *what);
const char *cliv__cl_name(cl_int code); /* "CL_INVALID_VALUE"; "?" for an unknown code */

#define CL_TRY(ctx, call, what)                                          \
  do {                                                                   \
    const cl_int cl_code = (call);                                       \
    if (cl_code != CL_SUCCESS) return cliv__fail_cl(ctx, cl_code, what); \
  } while (0)

#endif
