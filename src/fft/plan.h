/* What a length needs: its radices, tables on the device, and how its passes are shared out among launches. */
#ifndef CLIV_FFT_PLAN_H
#define CLIV_FFT_PLAN_H

#include "runtime/context.h"

enum {
  CLIV__FFT_LONGEST = 1 << 26,
  CLIV__FFT_RADICES = 26, /* at most: 3^16, 2^26 in eights */
  CLIV__FFT_LAUNCHES = 8
};

/* What a plan holds: all that a transform needs, or a table alone, for k = 0 … length/2. */
typedef enum cliv__fft_kind {
  CLIV__FFT_TRANSFORM,
  CLIV__FFT_TILES,    /* powers of w as several launches of the CPU walk read them: src/fft/tiles.c */
  CLIV__FFT_TURNS,    /* w(k/length), in pairs */
  CLIV__FFT_QUARTERS, /* w(k/(4·length)), in pairs */
  CLIV__FFT_BENDS     /* 4·sin²(π·k/length) */
} cliv__fft_kind;

typedef struct cliv__fft_plan {
  struct cliv__fft_plan *next; /* in the context, the one used last first */
  size_t length;
  cliv__fft_kind kind;
  bool wide;                        /* tables of doubles: of a transform, see src/fft/wide.c */
  int count;                        /* radices; 0 for a length of 1, or where `whole` is set */
  uint8_t radix[CLIV__FFT_RADICES]; /* in the order of the passes */
  cl_mem table;                     /* powers of w, by pass */
  cl_mem places;                    /* of cl/fft_line.cl, for each eight numbers; NULL: not of its lengths */
  size_t whole;                     /* 0: by radices; otherwise a convolution of this length … */
  cl_mem chirp, filter;             /* … with these: c and h of cl/fft_chirp.cl */
  size_t bytes;                     /* of all these on the device */
  bool used;                        /* since the last trim */
} cliv__fft_plan;

/* exp(-2πi·k/n), k < n, n < 2^60, within 1e-15, the same bits everywhere. */
void cliv__fft_turn(uint64_t k, uint64_t n, double *re, double *im);

/* The radices of n in their order; -1 when it has other factors than 2, 3 and 5. */
int cliv__fft_radices(size_t n, uint8_t radix[CLIV__FFT_RADICES]);

/* The plan of a length, made or found. The context owns it; it is there until the next trim. */
cliv_status cliv__fft_plan_of(cliv_context *ctx, size_t length, const cliv__fft_plan **out);
/* The same of any kind, in float32 or float64. */
cliv_status cliv__fft_find(cliv_context *ctx, size_t length, cliv__fft_kind kind, bool wide,
                           const cliv__fft_plan **out);
/* Drops all but the 32 used last, and of those not used since the last trim what is beyond 256 MiB; nothing where
 * launches are written down that may name them. */
void cliv__fft_plans_trim(cliv_context *ctx);
/* A table of a plan's, counted in its bytes. */
cliv_status cliv__fft_upload(cliv_context *ctx, cliv__fft_plan *plan, const void *host, size_t bytes, cl_mem *out);

/* For plans of doubles: the length of a convolution, and its tables: c, and h in 6·plan->whole doubles of room, which
 * are zeros; gives where in it h is. */
size_t cliv__fft_whole_length(size_t n);
const double *cliv__fft_chirp(const cliv__fft_plan *plan, double *room, double *chirp);
cliv_status cliv__fft_wide_tables(cliv_context *ctx, cliv__fft_plan *plan);

/* Passes that one launch does. */
typedef struct cliv__fft_launch {
  size_t length, before; /* products of its radices, and of those before */
  cl_ulong radices;      /* a byte each, the first lowest: seven at most, 3^7 elements */
  cl_ulong table;        /* where its powers of w begin, in floats */
} cliv__fft_launch;

/* Floats of a pass' powers of w: for t = 1 … r-1 those of q = 0 … l-1, first all real parts, then all imaginary ones;
 * none for the first pass. */
static inline size_t cliv__fft_pass_floats(size_t l, size_t r) { return l > 1 ? 2 * (r - 1) * l : 0; }

/* As few launches as do with no more than `most` elements a column each, at least `least` of them where there are so
 * many radices; even lengths rather than uneven. Gives how many. */
int cliv__fft_share(const cliv__fft_plan *plan, size_t most, int least, cliv__fft_launch launch[CLIV__FFT_LAUNCHES]);

/* src/fft/tiles.c: the launches of the CPU walk, one where it will do, at least two where `few` lines are to fill the
 * lanes; how many floats lie together for eight q's of a launch, 0 where they do not; and the table of CLIV__FFT_TILES,
 * which all cuts into several launches share. */
int cliv__fft_cut(const cliv__fft_plan *plan, bool few, cliv__fft_launch launch[CLIV__FFT_LAUNCHES]);
cl_ulong cliv__fft_together(const cliv__fft_launch *l);
cliv_status cliv__fft_tiles(cliv_context *ctx, cliv__fft_plan *plan);

#endif
