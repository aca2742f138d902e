/* Known faults of drivers: what code must avoid on them. The table is in quirks.c. */
#ifndef CLIV_RUNTIME_QUIRKS_H
#define CLIV_RUNTIME_QUIRKS_H

#include <cliv/device.h>

enum {
  CLIV__QUIRK_CLFFT_POINTERS = 1u << 0, /* clFFT's generated code needs its pointer warning switched off */
  CLIV__QUIRK_SMALL_GROUPS = 1u << 1,   /* CLBlast's vector routines and 256-wide kernels do not fit */
  CLIV__QUIRK_PROFILING = 1u << 2,      /* event times say nothing */
  CLIV__QUIRK_OWN_CACHE = 1u << 3,      /* the driver ends the process on a damaged file in its own cache */
  CLIV__QUIRK_ONE_THREAD = 1u << 4,     /* not safe to be called from several threads */
  CLIV__QUIRK_SOFTWARE = 1u << 5,       /* runs on the host's CPU, whatever kind it claims */
  CLIV__QUIRK_AVOID = 1u << 6,          /* only taken when named */
  CLIV__QUIRK_EXACT_DIVIDE = 1u << 7,   /* divides and takes roots correctly rounded without claiming it */
  CLIV__QUIRK_NARROW = 1u << 8,         /* vector types cost minutes of compiling: the GPU walk only */
  CLIV__QUIRK_FMA_FLUSHES = 1u << 9,    /* fma takes subnormals for 0, gives none, and may lose a zero's sign */
  CLIV__QUIRK_PREFETCH = 1u << 10,      /* the compiler's built-in fetches ahead where OpenCL's prefetch does not */
  CLIV__QUIRK_FEW_REGISTERS = 1u << 11, /* work-items of wide threads share their registers: small tiles */
  CLIV__QUIRK_GROUPS_BY_32 = 1u << 12,  /* threads take 32 groups of a launch at a time */
  CLIV__QUIRK_EARLY_FINISH = 1u << 13,  /* clFinish does not wait for what clFlush has sent */
};

/* The flags of all rows that apply to the device. `penalty`, where not NULL, gets what they take off the score. */
unsigned cliv__quirks(const cliv_device_info *info, double *penalty);

/* Fills quirks, quirk_count, software and avoid. */
void cliv__quirks_describe(cliv_device_info *info);

#endif
