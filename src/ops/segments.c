/* Segments: the offsets that scans of them walk, and the tables of reductions. See cliv/segments.h. */
#include "ops/segments.h"

#include <stdlib.h>

#include "base/status.h"
#include "ops/blocks.h"
#include "runtime/scratch.h"

enum { BLOCK = CLIV__BLOCK };

typedef struct entry {
  cl_ulong first;
  cl_uint n, segment;
} entry;

/* What a stage reads of a segment. */
typedef struct piece {
  uint64_t first, length;
} piece;

static uint64_t blocks_of(uint64_t length) { return length <= BLOCK ? 1 : (length - 1) / BLOCK + 1; }

/* Segments of one block were done by the stage before. */
static bool takes_part(int stage, const piece *p) { return stage == 0 || p->length > 1; }

static const char MAKING[] = "allocating the segments' table";

/* One stage's table from its pieces, which become the next stage's. */
static cliv_status make_stage(cliv_segments *s, piece *pieces, int stage) {
  uint64_t blocks = 0;
  for (size_t i = 0; i < s->count; i++)
    if (takes_part(stage, &pieces[i])) blocks += blocks_of(pieces[i].length);
  REQUIRE(s->ctx, blocks <= UINT32_MAX, VALUE, "the segments have more than 2^32 - 1 blocks of 4096 elements");
  entry *table = malloc((blocks ? blocks : 1) * sizeof *table);
  REQUIRE(s->ctx, table != NULL, HOST_MEMORY, "no memory for a table of %llu blocks", (unsigned long long)blocks);
  size_t at = 0;
  for (size_t i = 0; i < s->count; i++) {
    const piece p = pieces[i];
    if (!takes_part(stage, &p)) continue;
    pieces[i] = (piece){at, blocks_of(p.length)};
    for (uint64_t done = 0, b = 0; b < pieces[i].length; b++, done += BLOCK) {
      const uint64_t rest = p.length - done;
      table[at++] = (entry){p.first + done, (cl_uint)(rest < BLOCK ? rest : BLOCK), (cl_uint)i};
    }
  }
  s->stage[stage].blocks = at;
  const cliv_status status = cliv__upload(s->ctx, table, (at ? at : 1) * sizeof *table, MAKING, &s->stage[stage].table);
  free(table);
  return status;
}

static cliv_status make_stages(cliv_segments *s, const uint64_t *offsets) {
  piece *pieces = malloc((s->count ? s->count : 1) * sizeof *pieces);
  REQUIRE(s->ctx, pieces != NULL, HOST_MEMORY, "no memory for %zu segments", s->count);
  for (size_t i = 0; i < s->count; i++) pieces[i] = (piece){offsets[i], offsets[i + 1] - offsets[i]};
  cliv_status status = CLIV_OK;
  uint64_t most = s->longest;
  do {
    status = make_stage(s, pieces, s->stages);
    most = blocks_of(most);
  } while (!status && ++s->stages < CLIV__SEGMENT_STAGES && most > 1);
  free(pieces);
  return status;
}

static cliv_status measure(cliv_segments *s, const uint64_t *offsets) {
  s->end = offsets[s->count];
  s->shortest = SIZE_MAX;
  for (size_t i = 0; i < s->count; i++) {
    REQUIRE(s->ctx, offsets[i] <= offsets[i + 1], VALUE,
            "segment %zu would begin at %llu and end at %llu; offsets must not go down", i,
            (unsigned long long)offsets[i], (unsigned long long)offsets[i + 1]);
    const size_t length = (size_t)(offsets[i + 1] - offsets[i]);
    if (length > s->longest) s->longest = length;
    if (length < s->shortest) s->shortest = length;
  }
  return CLIV_OK;
}

static cliv_status make(cliv_segments *s, const uint64_t *offsets) {
  TRY(measure(s, offsets));
  TRY(cliv__upload(s->ctx, offsets, (s->count + 1) * sizeof *offsets, MAKING, &s->offsets));
  return make_stages(s, offsets);
}

cliv_status cliv_segments_create(cliv_context *ctx, size_t count, const uint64_t *offsets, cliv_segments **out) {
  REQUIRE_NOT_NULL(ctx, out);
  *out = NULL;
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, offsets);
  REQUIRE(ctx, count < UINT32_MAX, VALUE, "%zu segments are more than 2^32 - 1", count);
  cliv_segments *s = calloc(1, sizeof *s);
  REQUIRE(ctx, s != NULL, HOST_MEMORY, "no memory for segments");
  s->ctx = ctx;
  s->count = count;
  const cliv_status status = make(s, offsets);
  if (status) cliv_segments_free(s);
  else *out = s;
  return status;
}

void cliv_segments_free(cliv_segments *segments) {
  if (!segments) return;
  if (segments->offsets) clReleaseMemObject(segments->offsets);
  for (int i = 0; i < CLIV__SEGMENT_STAGES; i++)
    if (segments->stage[i].table) clReleaseMemObject(segments->stage[i].table);
  free(segments);
}

cliv_status cliv__check_segments(cliv_context *ctx, const cliv_segments *s, const cliv_tensor *x) {
  char a[160];
  REQUIRE(ctx, s->ctx == ctx, VALUE, "the segments belong to another context");
  REQUIRE(ctx, s->end <= x->count, SHAPE, "the segments end at element %llu, but x is %s", (unsigned long long)s->end,
          cliv__describe(x, a));
  REQUIRE(ctx, cliv__dense(x), LAYOUT, "segments are of dense tensors");
  return CLIV_OK;
}

size_t cliv_segments_count(const cliv_segments *segments) { return segments->count; }
uint64_t cliv_segments_end(const cliv_segments *segments) { return segments->end; }
