/* What the operation kinds of `cliv op` share: .npy files -> tensors -> one operation -> .npy files. */
#ifndef CLIV_CLI_OP_H
#define CLIV_CLI_OP_H

#include <cliv/reduce.h>
#include <cliv/tensor.h>

#include "cli/cli.h"

enum { OP_MAX_TENSORS = 8 };

/* One run. Inputs are read first, so that a wrong file is told before a driver is woken; then the device is opened and
 * they are copied there. Steps give false when they fail (reported); op_finish frees everything and gives the exit
 * code. */
typedef struct op_run {
  cli *c;
  const char *output;
  bool pairs;           /* the result is complex numbers, as pairs */
  const char *provider; /* who computed it, for --json; NULL: there is no choice */
  cliv_context *ctx;
  int count;                        /* inputs read, then tensors */
  const char *path[OP_MAX_TENSORS]; /* the inputs' files */
  cliv_array array[OP_MAX_TENSORS]; /* empty once uploaded */
  cliv_tensor *tensor[OP_MAX_TENSORS];
  /* Called by op_deliver once the output is written, before that is told: what else the run leaves gets its place.
   * NULL: nothing. False: reported. */
  bool (*settle)(struct op_run *run, void *with);
  void *with;
} op_run;

/* For usage: the option that every kind but list needs. False: reported. */
bool op_require(cli *c, const char *value, const char *option, const char *hint);
/* The next input: its index is the order of the calls. */
bool op_read(op_run *run, const char *path);
/* A text file, malloc'd. False: reported. */
bool op_read_text(cli *c, const char *path, char **text);
/* The same where complex numbers are taken, as pairs of float32 or float64. */
bool op_read_pairs(op_run *run, const char *path, bool *pairs);
/* Whether an input that was read has as many axes as `wanted` says: "a matrix has two". */
bool op_has_axes(op_run *run, int input, int least, int most, const char *wanted);
/* Whether the inputs that were read are all of one type. */
bool op_same_types(op_run *run);
/* Opens the device and makes a tensor of every input. */
bool op_open(op_run *run);
/* One more tensor, of a result. */
bool op_make(op_run *run, cliv_dtype dtype, int ndim, const size_t *shape, cliv_tensor **out);
/* A library call on run->ctx: `return op_check(run, cliv_…(…))`. */
bool op_check(op_run *run, cliv_status status);
/* Writes the tensor to a file, and one line of what it is, or the JSON document. */
bool op_write(op_run *run, const cliv_tensor *tensor, const char *path);
/* A file that waits under another name until the run's output is written: that name, and giving it its own. */
enum { OP_PATH_ROOM = 4096 };
void op_waiting(const char *path, char waiting[OP_PATH_ROOM]);
bool op_name(op_run *run, const char *waiting, const char *path);
/* op_write for the run's result, with a line on standard output, or the JSON document: kind and operation as asked. */
bool op_deliver(op_run *run, const cliv_tensor *tensor, const char *kind, const char *operation);
int op_finish(op_run *run);

/* What --axis and --segments say. */
typedef struct op_over {
  cliv_over over;
  bool all;
  int axes[CLIV_MAX_DIMS];
  uint64_t *offsets; /* NULL: no segments */
  size_t count;      /* of segments */
  cliv_segments *segments;
} op_over;
/* Before a driver is woken; either text may be NULL. */
bool op_over_read(cli *c, const char *axis, const char *segments, op_over *o);
/* Once the device is open. */
bool op_over_open(op_run *run, op_over *o);
void op_over_free(op_over *o);

/* What `op factor` has, for `op list`. second: the second result; NULL: none. NULL past the end. */
typedef struct op_factor_info {
  const char *name, *summary;
  int inputs;
  const char *second;
} op_factor_info;
const op_factor_info *op_factor_get(size_t index);
/* The same of `op fft`. */
typedef struct op_fft_info {
  const char *name, *summary;
} op_fft_info;
const op_fft_info *op_fft_get(size_t index);
const op_fft_info *op_dct_get(size_t index);
const op_fft_info *op_convolve_get(size_t index);
/* What --axes says (NULL: not given) of the first input, which has `ndim`: axes from 0 on, and how many (0: the last).
 * False: reported. */
bool op_fft_axes(op_run *run, const char *text, int ndim, int *count, int axes[CLIV_MAX_DIMS]);

/* The kinds of `cliv op`, ended by a NULL name. */
extern const cli_command op_kinds[];

int op_reduce(int argc, const char **argv);
int op_scan(int argc, const char **argv);
int op_stats(int argc, const char **argv);
int op_sort(int argc, const char **argv);
int op_topk(int argc, const char **argv);
int op_quantile(int argc, const char **argv);
int op_compact(int argc, const char **argv);
int op_histogram(int argc, const char **argv);
int op_scatter(int argc, const char **argv);
int op_map(int argc, const char **argv);
int op_random(int argc, const char **argv);
int op_rows(int argc, const char **argv);
int op_step(int argc, const char **argv);
int op_schedule(int argc, const char **argv);
int op_gemm(int argc, const char **argv);
int op_blas(int argc, const char **argv); /* gemv … trsm: argv[0] says which */
int op_conv(int argc, const char **argv);
int op_fft(int argc, const char **argv);
int op_dct(int argc, const char **argv);
int op_convolve(int argc, const char **argv);
int op_smooth(int argc, const char **argv);
int op_factor(int argc, const char **argv);
int op_list(int argc, const char **argv);

#endif
