/* clFFT's calls, which can be made to fail or are counted (the linker's --wrap), contexts for its provider, and both
 * providers' results side by side. */
#ifndef CLIV_TESTS_CLFFT_SUPPORT_H
#define CLIV_TESTS_CLFFT_SUPPORT_H

#include <cliv/fft.h>

#include "runtime/context.h"
#include "support.h"

#ifdef CLIV_HAVE_CLFFT

#include <clFFT.h>

extern struct clfft_watch {
  int bake_fails, turned; /* the code of the next bakes; transforms run the other way about */
  int short_once;         /* the next bake is short of memory */
  size_t spoils;          /* the byte in the memory of each result where a number is overwritten; 0: none is */
  int bakes, enqueues, teardowns;
  int mixed;         /* transforms between a memory object and a part of it */
  const char *probe; /* what is started instead of cliv-probe */
} clfft_watch;
clfftStatus __real_clfftTeardown(void);

/* Where notes are kept; of one test. */
extern char *clfft_folder;
/* Around each test. */
int clfft_begin(void **state);
int clfft_end(void **state);

/* Nothing is tried in a child, which would compile each plan once more, and nothing of plans is kept. */
cliv_context *clfft_open(void);
/* Children are `probe` instead of cliv-probe, but for the trial of the driver. */
cliv_context *clfft_open_trying(const char *probe);
/* And auto takes the device for a GPU. */
cliv_context *clfft_open_measuring(const char *probe);

/* ||a - b|| / ||b|| */
double clfft_apart(const float *a, const float *b, size_t n);

typedef cliv_status call(cliv_context *ctx, const cliv_tensor *x, cliv_tensor *out, const cliv_fft_options *o,
                         const cliv_sync *sync);

typedef struct array {
  int ndim;
  size_t shape[4];
} array;
size_t clfft_count(const array *a);

/* x by both, in memory with guards: what lies around stays, and so does x where it is not the result too. */
void clfft_compare(cliv_context *ctx, call *by, const array *in, const array *out, const cliv_fft_options *options,
                   size_t shift, bool in_place);
/* A call for `lines` of n that fails leaves out as it was. */
void clfft_expect_failure(cliv_context *ctx, size_t lines, size_t n, cliv_status status, const char *part);

#endif
#endif
