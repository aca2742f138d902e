/* Trying by turns, and notes that are objects of rows. */
#include "runtime/measure.h"

#include <stdlib.h>
#include <time.h>

double cliv__now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

unsigned cliv__log2(cl_ulong x) {
  unsigned n = 0;
  while (x >>= 1) n++;
  return n;
}

cliv_context *cliv__context_beside(cliv_context *ctx) {
  cliv_context *own = NULL;
  cl_int code;
  const cl_command_queue queue = clCreateCommandQueue(ctx->context, ctx->device, 0, &code);
  if (code != CL_SUCCESS) return NULL;
  const cliv_context_options options = {.size = sizeof options,
                                        .walk = ctx->walk,
                                        .group_size = ctx->group_size,
                                        .cache_dir = ctx->cache_dir,
                                        .no_disk_cache = !ctx->cache_dir};
  const cliv__error held = cliv__error_hold(NULL);
  if (cliv_context_wrap(ctx->context, ctx->device, queue, &options, &own)) own = NULL;
  cliv__error_restore(NULL, &held);
  clReleaseCommandQueue(queue);
  return own;
}

/* ---- by turns ---- */

enum { MOST_ROUNDS = 32 };

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Of an even number the lesser one in the middle: in doubt the first is the faster. */
static double median(double *values, size_t count) {
  qsort(values, count, sizeof *values, by_size);
  return values[(count - 1) / 2];
}

/* One call by everyone who has not failed; ratios of this round. False: the first failed. */
static bool turn(const cliv__contest *c, cliv__contestant *out, double ratio[][MOST_ROUNDS], size_t round) {
  double first = 0;
  for (size_t i = 0; i < c->count; i++) {
    if (out[i].ratio == 0) continue;
    const double seconds = c->run(c->data, i);
    if (i == 0) first = seconds;
    if (seconds <= 0) out[i].ratio = 0;
    if (first <= 0) return false;
    if (seconds <= 0) continue;
    ratio[i][round] = first / seconds;
    if (round == 0 || seconds < out[i].least) out[i].least = seconds;
  }
  return true;
}

bool cliv__contest_run(const cliv__contest *c, cliv__contestant *out) {
  double ratio[CLIV__CONTESTANTS][MOST_ROUNDS];
  const size_t most = c->rounds < MOST_ROUNDS ? c->rounds : MOST_ROUNDS;
  const double begin = cliv__now();
  size_t rounds = 0;
  for (size_t i = 0; i < c->count; i++) out[i] = (cliv__contestant){.ratio = 1};
  do {
    if (!turn(c, out, ratio, rounds++)) return false;
  } while (rounds < most && (rounds < c->fewest || cliv__now() - begin < c->seconds));
  for (size_t i = 0; i < c->count; i++)
    if (out[i].ratio != 0) out[i].ratio = median(ratio[i], rounds);
  return true;
}

/* ---- notes of rows ---- */

json_t *cliv__rows_get(cliv_context *ctx, const char *name) {
  json_t *const rows = cliv__notes_get(ctx, name);
  if (json_is_object(rows)) return rows;
  json_decref(rows);
  return json_object();
}

json_t *cliv__rows_put(cliv_context *ctx, const char *name, const char *class, json_t *row) {
  json_t *const rows = cliv__rows_get(ctx, name);
  if (rows && row && json_object_set(rows, class, row) == 0) (void)cliv__notes_put(ctx, name, rows);
  return rows;
}
