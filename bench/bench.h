/* The benchmark: rows of one piece of work done by several sides, which are timed in turn in the same run.
 *
 * A file bench/bench_<stem>.c defines `void bench_<stem>(bench *b)`, which calls bench_measure once a row; the build
 * finds it by its name. A row is checked before it is timed: one whose result is wrong is reported as wrong and not
 * timed. What counts is the ratio of the first side, ours, to the second, the reference: what this machine can do, in
 * the same run. See bench/README.md.
 */
#ifndef CLIV_BENCH_BENCH_H
#define CLIV_BENCH_BENCH_H

#include <cliv/context.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct bench bench;

/* Does the work once and returns when it is done. */
typedef void (*bench_run)(void *arg);

typedef struct bench_side {
  const char *name; /* "cliv", "OpenMP loop", "OpenBLAS" */
  bench_run run;
  void *arg;
} bench_side;

enum { BENCH_SIDES = 6 };

typedef struct bench_row {
  const char *name;              /* "sum float32 16Mi": what --only searches */
  const char *unit;              /* "GB/s", "GFLOP/s" */
  double work;                   /* per run, in the unit times a second: bytes moved, operations, calls */
  double goal;                   /* the least ratio to the reference that we are content with; 0: none set */
  bench_side sides[BENCH_SIDES]; /* ours, the reference, peers; ends with the first whose run is NULL */
  /* Called after every side ran once. False, with a sentence in why: the row is wrong. */
  bool (*check)(void *arg, char *why, size_t room);
  void *check_arg;
} bench_row;

/* Whether the row is wanted (--only), so that what is costly to prepare is not prepared in vain. */
bool bench_wants(const bench *b, const char *name);
/* Checks the row, times its sides in turn, reports it. */
void bench_measure(bench *b, const bench_row *row);
/* Reports a row that cannot be measured here, and why. */
void bench_skip(bench *b, const char *name, const char *why);

cliv_context *bench_context(const bench *b);
/* n, or a size that is done at once when only the checks are wanted (--quick). */
size_t bench_size(const bench *b, size_t n, size_t quick);

/* Ends the program with the library's sentence when the call failed. */
#define BENCH_OK(ctx, call) bench_expect((ctx), (call), #call)
void bench_expect(const cliv_context *ctx, cliv_status status, const char *call);
/* Page-aligned memory, or the end of the program. Free with free. */
void *bench_alloc(size_t bytes);
/* Reproducible numbers in [low, high). */
void bench_fill(float *x, size_t n, uint32_t seed, float low, float high);

#endif
