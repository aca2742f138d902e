/* Reductions over many tensors at once. */
#include "optim/passes.h"

#include <cliv/reduce.h>
#include <stdint.h>
#include <stdlib.h>

#include "runtime/launch.h"
#include "runtime/tensor.h"

enum { MOST_BETWEEN = 4096 /* bytes; an arena leaves less */ };

/* One reduction, over tensors that lie in one cl_mem. */
typedef struct cliv__pass {
  cliv_tensor *x;          /* from the first of them to the last */
  cliv_segments *segments; /* their pieces, and what lies between them */
  size_t first;            /* result */
} pass;

void cliv__passes_free(cliv__passes *passes) {
  for (size_t i = 0; i < passes->count; i++) {
    cliv_tensor_free(passes->list[i].x);
    cliv_segments_free(passes->list[i].segments);
  }
  free(passes->list);
  *passes = (cliv__passes){0};
}

const cliv_segments *cliv__pass_segments(const cliv__passes *passes, size_t i) { return passes->list[i].segments; }

/* A tensor and its place among those that were given. */
typedef struct entry {
  const cliv_tensor *t;
  size_t index, pieces;
} entry;

/* By memory, type, place. */
static int compare(const void *a, const void *b) {
  const entry *x = a, *y = b;
  if (x->t->mem != y->t->mem) return (uintptr_t)x->t->mem < (uintptr_t)y->t->mem ? -1 : 1;
  if (x->t->dtype != y->t->dtype) return x->t->dtype < y->t->dtype ? -1 : 1;
  if (x->t->offset != y->t->offset) return x->t->offset < y->t->offset ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index;
}

/* Whether b comes behind a, near enough for what lies between them to be read too. */
static bool follows(const cliv_tensor *a, const cliv_tensor *b) {
  const size_t end = a->offset + a->span;
  return a->mem == b->mem && a->dtype == b->dtype && b->offset >= end && b->offset - end <= MOST_BETWEEN;
}

/* How many of the sorted tensors, from the first on, one pass can take. */
static size_t run_length(const entry *list, size_t count) {
  size_t n = 1;
  while (n < count && follows(list[n - 1].t, list[n].t)) n++;
  return n;
}

/* Where the pieces of n tensors begin and end, with what lies between tensors as one more piece each. */
static size_t cut(const entry *list, size_t n, size_t first, uint64_t *offsets, cl_uint *where) {
  const cl_ulong origin = cliv__first(list[0].t);
  size_t count = 0;
  for (size_t i = 0; i < n; i++) {
    const cl_ulong begin = cliv__first(list[i].t) - origin, each = list[i].t->count / list[i].pieces;
    if (i > 0) count++; /* from the end of the one before to this one's beginning */
    where[list[i].index] = (cl_uint)(first + count);
    for (size_t k = 0; k < list[i].pieces; k++) offsets[count++] = begin + k * each;
    offsets[count] = begin + list[i].t->count;
  }
  return count;
}

static cliv_status make_pass(cliv_context *ctx, const entry *list, size_t n, cl_uint *where, cliv__passes *out) {
  const cliv_tensor *begin = list[0].t, *end = list[n - 1].t;
  const size_t all = cliv__first(end) + end->count - cliv__first(begin);
  size_t room = n;
  for (size_t i = 0; i < n; i++) room += list[i].pieces;
  REQUIRE(ctx, out->results + room < CL_UINT_MAX, DEVICE_LIMIT, "the tensors have more than 2^32 pieces");
  uint64_t *offsets = malloc(room * sizeof *offsets);
  REQUIRE(ctx, offsets != NULL, HOST_MEMORY, "no memory for %zu offsets", room);
  pass *made = &out->list[out->count++];
  made->first = out->results;
  const size_t count = cut(list, n, made->first, offsets, where);
  out->results += count;
  const cliv_status status = cliv_segments_create(ctx, count, offsets, &made->segments);
  free(offsets);
  return status ? status : cliv_tensor_wrap(ctx, begin->mem, begin->offset, begin->dtype, 1, &all, &made->x);
}

cliv_status cliv__passes_make(cliv_context *ctx, size_t count, const cliv_tensor *const *tensors, const size_t *pieces,
                              cl_uint *where, cliv__passes *out) {
  cliv__passes_free(out);
  entry *list = malloc((count + 1) * sizeof *list);
  out->list = calloc(count + 1, sizeof *out->list);
  cliv_status status =
      list && out->list ? CLIV_OK : cliv__fail(ctx, CLIV_HOST_MEMORY, "no memory for %zu norms", count);
  for (size_t i = 0; !status && i < count; i++) list[i] = (entry){tensors[i], i, pieces[i]};
  if (!status) qsort(list, count, sizeof *list, compare);
  for (size_t i = 0, n; !status && i < count; i += n) {
    n = run_length(list + i, count - i);
    status = make_pass(ctx, list + i, n, where, out);
  }
  free(list);
  if (status) cliv__passes_free(out);
  return status;
}

cliv_status cliv__passes_run(cliv_context *ctx, const cliv__passes *passes, const char *op, const cliv_tensor *out,
                             const cliv_sync *sync) {
  for (size_t i = 0; i < passes->count; i++) {
    const pass *p = &passes->list[i];
    const cliv_sync part = cliv__sync_part(sync, i == 0, false);
    const size_t count = cliv_segments_count(p->segments);
    cliv_tensor *to;
    TRY(cliv_tensor_view(out, p->first, 1, &count, 0, &to));
    const cliv_status status = cliv_reduce_over(ctx, op, &(cliv_over){.segments = p->segments}, p->x, NULL, to, &part);
    cliv_tensor_free(to);
    TRY(status);
  }
  return CLIV_OK;
}
