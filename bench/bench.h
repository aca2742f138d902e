/* The benchmark: rows of one piece of work done by several sides, which are timed in turn in the same run.
 *
 * A file bench/bench_<stem>.c defines `void bench_<stem>(bench *b)`, which calls bench_measure or bench_measure_array
 * once a row; the build finds it by its name. A side is checked before it is timed: a row in which ours is wrong is
 * reported as wrong and not timed. What counts is the ratio of the first side, ours, to the second, the limit: what
 * this machine can do, in the same run; and to the peers, other libraries in processes of their own (peers.h). See
 * bench/README.md.
 */
#ifndef CLIV_BENCH_BENCH_H
#define CLIV_BENCH_BENCH_H

#include <cliv/context.h>
#include <cliv/dtype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct cliv_tensor cliv_tensor;

typedef struct bench bench;

/* ---- rows ---- */

typedef struct bench_side {
  const char *name; /* "cliv", "OpenMP loop", "OpenBLAS" */
  /* Does the work once and returns when it is done. */
  void (*run)(void *arg);
  void *arg;
  /* Where the time of a run is not that from its start to its end: the seconds of so many runs, negative when they
   * failed. NULL: `run` is timed. */
  double (*time)(void *arg, size_t repeats);
} bench_side;

enum { BENCH_SIDES = 12, PEER_GOALS = 3 };

/* The least ratio to a peer; 0: what is wanted of all. */
typedef struct bench_goal {
  const char *peer;
  double ratio;
} bench_goal;

/* What peers are asked to do: an operation by name over `rows` rows of `columns` elements of the shared data. */
typedef struct bench_task {
  const char *op, *axis; /* "sum"; "all", "last" or "first" */
  size_t rows, columns;
  size_t results; /* floats of the result */
} bench_task;

typedef struct bench_row {
  const char *operation, *size; /* "sum", "rows of 16": "sum, rows of 16" is what --only searches */
  const char *unit;             /* "GB/s", "GFLOP/s"; "us": the row is about the time of a call, on the host */
  double work;                  /* per run, in the unit times a second: bytes moved, operations; unused for "us" */
  double goal;                  /* the least ratio to the limit, or, for "us", the most time above it; 0: none set */
  bench_goal peer_goals[PEER_GOALS]; /* of peers of which more is wanted than of others */
  bench_side sides[BENCH_SIDES];     /* ours, the limit, others; ends with the first whose run is NULL */
  /* Called after every side ran once. False, with a sentence in why: the row is wrong. */
  bool (*check)(void *arg, char *why, size_t room);
  const bench_task *task; /* NULL: nothing for peers */
  /* Whether a peer's result is right; it may be less exact than ours. */
  bool (*check_peer)(void *arg, const float *result, char *why, size_t room);
  void *check_arg;
} bench_row;

/* Whether the row is wanted (--only), so that what is costly to prepare is not prepared in vain. */
bool bench_wants(const bench *b, const char *operation, const char *size);
/* Checks the row, times its sides in turn, reports it. */
void bench_measure(bench *b, const bench_row *row);
/* Reports a row that cannot be measured here, and why. */
void bench_skip(bench *b, const char *operation, const char *size, const char *why);

/* ---- rows over arrays ---- */

typedef enum bench_limit {
  BENCH_READ, /* a native sum over the inputs; a dot product for two */
  BENCH_COPY, /* a native copy of the first input */
  BENCH_TRIAD /* two arrays read, one written */
} bench_limit;

typedef struct bench_array bench_array;
struct bench_array {
  const char *op, *size, *axis; /* as the row and the task have them; no axis: nothing for peers */
  const char *task;             /* the operation's name for peers; NULL: op */
  size_t rows, columns;
  int inputs;      /* 1, 2 */
  size_t results;  /* elements of the result */
  cliv_dtype type; /* of the result; CLIV_F32 is 0 */
  bench_limit limit;
  double goal, torch_goal; /* torch_goal: the least ratio to PyTorch; 0: as to other peers */
  /* Enqueues the work on x and y (rows, columns) into out (results). */
  cliv_status (*enqueue)(const bench_array *a);
  /* The result in double, and how far ours may be from it; a peer may be much farther. */
  void (*expect)(const bench_array *a, double *want, double *bound);
  const void *extra; /* enqueue's and expect's own */

  /* Set by bench_measure_array. */
  cliv_context *ctx;
  const float *x_host, *y_host;
  cliv_tensor *x, *y, *out;
};

/* Measures a row over the shared data, of which rows · columns elements, at most bench_elements, are used. */
void bench_measure_array(bench *b, const bench_array *array);

/* ---- what rows need ---- */

cliv_context *bench_context(const bench *b);
/* Only the checks are wanted (--quick). */
bool bench_quick(const bench *b);
/* n, or a size that is done at once when only the checks are wanted. */
size_t bench_size(const bench *b, size_t n, size_t quick);

/* The shared data: reproducible numbers in [-1, 3). */
size_t bench_elements(const bench *b);
const float *bench_input(const bench *b, int which); /* 0 or 1 */
float *bench_output(bench *b);                       /* as many elements, for whoever wants to write */

/* Ends the program with the library's sentence when the call failed. */
#define BENCH_OK(ctx, call) bench_expect((ctx), (call), #call)
void bench_expect(const cliv_context *ctx, cliv_status status, const char *call);
/* Ends the program with the sentence. */
_Noreturn void bench_die(const char *sentence, ...) __attribute__((format(printf, 1, 2)));
/* Page-aligned memory, or the end of the program. Free with free. */
void *bench_alloc(size_t bytes);
/* Reproducible numbers in [low, high). */
void bench_fill(float *x, size_t n, uint32_t seed, float low, float high);
/* The clock that everything is timed by, in seconds. */
double bench_now(void);

#endif
