/* Launches written down until all of an operation's are ready. See stage.h. */
#include "runtime/stage.h"

#include <stdlib.h>
#include <string.h>

typedef struct argument {
  _Alignas(16) unsigned char value[64]; /* a number, a vector or a handle, aligned as drivers may read it */
  size_t size;
  bool local; /* local memory: no value */
} argument;

typedef struct entry {
  cl_kernel kernel; /* NULL: a copy, or a marker … */
  cliv__copy copy;  /* … without memory */
  cliv__range range;
  cliv_sync sync;
  size_t first, count; /* arguments */
} entry;

struct cliv__stage {
  size_t depth; /* of begins without their end */
  size_t entry_count, entry_room, argument_count, argument_room, kept_count, kept_room;
  entry *entries;
  argument *arguments;
  cl_mem *kept;
};

bool cliv__staging(const cliv_context *ctx) { return ctx->stage && ctx->stage->depth > 0; }

size_t cliv__stage_count(const cliv_context *ctx) { return ctx->stage ? ctx->stage->entry_count : 0; }

/* Room for `more` beside the `count` that there are. */
static cliv_status reserve(cliv_context *ctx, void **list, size_t *room, size_t count, size_t more, size_t size) {
  if (count + more <= *room) return CLIV_OK;
  size_t wanted = *room ? 2 * *room : 64;
  while (wanted < count + more) wanted *= 2;
  void *grown = realloc(*list, wanted * size);
  REQUIRE(ctx, grown != NULL, HOST_MEMORY, "no memory to write down %zu launches", cliv__stage_count(ctx) + 1);
  *list = grown;
  *room = wanted;
  return CLIV_OK;
}

cliv_status cliv__stage_begin(cliv_context *ctx) {
  if (!ctx->stage) ctx->stage = calloc(1, sizeof *ctx->stage);
  REQUIRE(ctx, ctx->stage != NULL, HOST_MEMORY, "no memory to write down launches");
  ctx->stage->depth++;
  return CLIV_OK;
}

cliv_status cliv__stage_add(cliv_context *ctx, cl_kernel kernel, const cliv__range *range, const cliv_sync *sync,
                            const cliv__arg *args, size_t count) {
  struct cliv__stage *s = ctx->stage;
  TRY(reserve(ctx, (void **)&s->entries, &s->entry_room, s->entry_count, 1, sizeof *s->entries));
  TRY(reserve(ctx, (void **)&s->arguments, &s->argument_room, s->argument_count, count, sizeof *s->arguments));
  entry *e = &s->entries[s->entry_count];
  *e = (entry){.kernel = kernel, .first = s->argument_count, .count = count};
  if (range) e->range = *range;
  if (sync) e->sync = *sync;
  for (size_t i = 0; i < count; i++) {
    argument *a = &s->arguments[s->argument_count + i];
    *a = (argument){.size = args[i].size, .local = args[i].value == NULL};
    REQUIRE(ctx, a->local || a->size <= sizeof a->value, INTERNAL, "an argument of %zu bytes", a->size);
    if (!a->local) memcpy(a->value, args[i].value, a->size);
  }
  s->entry_count++;
  s->argument_count += count;
  return CLIV_OK;
}

cliv_status cliv__stage_copy(cliv_context *ctx, const cliv__copy *copy, const cliv_sync *sync) {
  TRY(cliv__stage_add(ctx, NULL, NULL, sync, NULL, 0));
  ctx->stage->entries[ctx->stage->entry_count - 1].copy = *copy;
  return CLIV_OK;
}

cliv_status cliv__stage_reserve(cliv_context *ctx) {
  struct cliv__stage *s = ctx->stage;
  if (!cliv__staging(ctx)) return CLIV_OK;
  return reserve(ctx, (void **)&s->kept, &s->kept_room, s->kept_count, 1, sizeof *s->kept);
}

void cliv__stage_release(cliv_context *ctx, cl_mem mem) {
  if (cliv__staging(ctx)) ctx->stage->kept[ctx->stage->kept_count++] = mem;
  else clReleaseMemObject(mem); /* commands that use it hold it until they are done */
}

static cliv_status enqueue(cliv_context *ctx, const entry *e, const argument *args) {
  if (e->copy.from) return cliv__enqueue_copy(ctx, &e->copy, &e->sync);
  if (!e->kernel) return cliv__nothing(ctx, &e->sync);
  for (size_t i = 0; i < e->count; i++)
    CL_TRY(ctx, clSetKernelArg(e->kernel, (cl_uint)i, args[i].size, args[i].local ? NULL : args[i].value),
           "clSetKernelArg");
  return cliv__enqueue(ctx, e->kernel, &e->range, &e->sync);
}

cliv_status cliv__stage_end(cliv_context *ctx, cliv_status status, size_t *enqueued) {
  struct cliv__stage *s = ctx->stage;
  size_t at = 0;
  if (enqueued) *enqueued = 0;
  if (--s->depth) return status;
  for (; !status && at < s->entry_count; at += !status)
    status = enqueue(ctx, &s->entries[at], s->arguments + s->entries[at].first);
  if (enqueued) *enqueued = at;
  for (size_t i = 0; i < s->kept_count; i++) clReleaseMemObject(s->kept[i]);
  s->entry_count = s->argument_count = s->kept_count = 0;
  return status;
}

void cliv__stage_free(cliv_context *ctx) {
  if (!ctx->stage) return;
  free(ctx->stage->entries);
  free(ctx->stage->arguments);
  free(ctx->stage->kept);
  free(ctx->stage);
  ctx->stage = NULL;
}
