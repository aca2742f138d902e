/* Cuts that were measured: candidates of a product's class by turns, where there are so many products that it pays, and
 * when the device has nothing else of this context's to do: at its next cliv_context_finish.
 *
 * A class is that of sample.h, with the walk, the group of the GPU walk, and whether rows of B collide in caches, which
 * is what copying B depends on most. A row of the note has what is to be asked of cliv__cuts_full beyond what it
 * chooses by itself, and how much faster that was: {"block_k": 1024, "gain": 1.06}. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blas/exact.h"
#include "blas/sample.h"
#include "runtime/measure.h"
#include "runtime/quirks.h"
#include "runtime/tensor.h"

static const char NOTE[] = "gemm cuts";
enum { MOST_K = 1 << 20 }; /* of a block */
enum { SLOTS = 512, MOST = 256, CANDIDATES = 8, FEWEST = 3, ROUNDS = 9, NAME = CLIV__CLASS_NAME + 32 };
enum { SAMPLE_BYTES = 1 << 26 }; /* of B */
static const double SAMPLE_WORK = 0x1p29, SECONDS = 0.05, FASTER = 1.05;
/* What makes measuring pay: it costs the programs of one or two candidates and a tenth of a second, some percent of
 * what so many multiply-adds take; a call counts for no fewer than its launch takes. */
static const double WORTH_CPU = 0x1p40, WORTH_GPU = 0x1p42, CALL = 0x1p22;

typedef struct known {
  uint64_t key; /* 0: no class */
  double work;
  bool due;         /* to be measured: */
  cliv__gemm asked; /* such a product */
  bool settled;
  cliv__cuts cuts; /* once settled */
} known;

struct cliv__cuts_table {
  size_t count, measured;
  double worth;
  known list[SLOTS];
};

/* ---- classes ---- */

static bool rows_collide(const cliv__gemm *g) {
  return !g->trans_b && g->n > 1 && g->b.pitch * cliv_dtype_size(g->dtype) % CLIV__COLLIDING == 0;
}

/* What tells the classes of a context apart; never 0. */
static uint64_t key_of(const cliv__gemm *g) {
  const uint64_t parts[] = {(uint64_t)g->dtype, g->trans_a,       g->trans_b,           cliv__log2(g->m),
                            cliv__log2(g->n),   cliv__log2(g->k), cliv__log2(g->batch), rows_collide(g)};
  uint64_t key = 1;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) key = key << 6 | parts[i];
  return key;
}

/* "cpu float32 nn 9 9 9 0 far", "gpu 256 float32 nt 10 10 10 0". */
static void name_class(const cliv_context *ctx, const cliv__gemm *g, char name[static NAME]) {
  char class[CLIV__CLASS_NAME], walk[16] = "cpu";
  cliv__gemm_class(g, class);
  if (ctx->walk == CLIV_WALK_GPU) snprintf(walk, sizeof walk, "gpu %zu", cliv__cuts_group(ctx));
  snprintf(name, NAME, "%s %s%s", walk, class, rows_collide(g) ? " far" : "");
}

/* ---- what is known ---- */

/* A whole number of the row's, where it has it and it lies between; false: it is no such number. */
static bool take(json_t *row, const char *name, json_int_t least, json_int_t most, json_int_t *out) {
  json_t *const value = json_object_get(row, name);
  *out = json_integer_value(value);
  return !value || (json_is_integer(value) && *out >= least && *out <= most);
}

static bool read_row(json_t *row, cliv__cuts *out) {
  json_int_t block_k, pack_a, pack_b, side, small;
  if (!json_is_object(row) || !take(row, "block_k", 16, MOST_K, &block_k) || !take(row, "pack_a", -1, 1, &pack_a) ||
      !take(row, "pack_b", -1, 1, &pack_b) || !take(row, "side", 4, 8, &side) || !take(row, "small", -1, 1, &small) ||
      side % 4)
    return false;
  *out = (cliv__cuts){.block_k = (cl_ulong)block_k,
                      .pack_a = (int)pack_a,
                      .pack_b = (int)pack_b,
                      .side = (unsigned)side,
                      .small = (int)small};
  return true;
}

static json_t *write_row(const cliv__cuts *c, double gain) {
  const struct {
    const char *name;
    json_int_t value;
  } members[] = {{"block_k", (json_int_t)c->block_k},
                 {"pack_a", c->pack_a},
                 {"pack_b", c->pack_b},
                 {"side", c->side},
                 {"small", c->small}};
  json_t *const row = json_pack("{s:f}", "gain", gain);
  for (size_t i = 0; i < sizeof members / sizeof *members; i++)
    if (members[i].value) json_object_set_new(row, members[i].name, json_integer(members[i].value));
  return row;
}

/* Made at the first question; NULL without memory. Freed with the context. */
static struct cliv__cuts_table *table_of(cliv_context *ctx) {
  if (ctx->cuts) return ctx->cuts;
  ctx->cuts = calloc(1, sizeof *ctx->cuts);
  if (!ctx->cuts) return NULL;
  ctx->cuts->worth = ctx->walk == CLIV_WALK_CPU ? WORTH_CPU : WORTH_GPU;
  ctx->cuts_note = cliv__rows_get(ctx, NOTE);
  return ctx->cuts;
}

static void look_up(const cliv_context *ctx, const cliv__gemm *g, known *k) {
  char name[NAME];
  name_class(ctx, g, name);
  k->settled = read_row(json_object_get(ctx->cuts_note, name), &k->cuts);
}

/* The class of a product; NULL: there are too many. */
static known *find(cliv_context *ctx, const cliv__gemm *g) {
  struct cliv__cuts_table *const t = table_of(ctx);
  if (!t) return NULL;
  const uint64_t key = key_of(g);
  size_t at = (size_t)(key * 0x9E3779B97F4A7C15u >> 32) % SLOTS;
  while (t->list[at].key && t->list[at].key != key) at = (at + 1) % SLOTS;
  known *const k = &t->list[at];
  if (k->key) return k;
  if (t->count == MOST) return NULL;
  t->count++;
  k->key = key;
  look_up(ctx, g, k);
  return k;
}

/* ---- candidates ---- */

/* What a candidate has otherwise than the first, which has what cliv__cuts_full chooses. */
typedef struct change {
  double block; /* of k: so many times as long; 0: the same */
  bool a, b;    /* copied instead of read in place, and the other way round */
  bool small;   /* by the walk for small products */
  unsigned side;
} change;

static const change for_vectors[] = {{.block = 0.5}, {.block = 2}, {.block = 0}};
static const change for_cpu[] = {{.block = 2}, {.b = true},     {.b = true, .block = 2},
                                 {.a = true},  {.small = true}, {.block = 0}};
static const change for_gpu[] = {{.side = 4}, {.side = 8}, {.block = 0}};

static bool is_change(const change *c) { return c->block != 0 || c->a || c->b || c->small || c->side; }

static cliv__cuts changed(const cliv__cuts *first, const change *c) {
  cliv__cuts cuts = {0};
  if (c->block != 0) cuts.block_k = cliv__least(MOST_K, cliv__most(16, (cl_ulong)((double)first->block_k * c->block)));
  if (c->a) cuts.pack_a = -first->pack_a;
  if (c->b) cuts.pack_b = -first->pack_b;
  if (c->small && first->small < 0) cuts.small = 1;
  cuts.side = c->side;
  return cuts;
}

/* Whether two cuts in full are one: the walk for small products takes no others. */
static bool equal(const cliv__cuts *a, const cliv__cuts *b) {
  if (a->small > 0 && b->small > 0) return true;
  return a->block_k == b->block_k && a->pack_a == b->pack_a && a->pack_b == b->pack_b && a->side == b->side &&
         a->small == b->small;
}

typedef struct measurement {
  cliv_context *ctx;
  cliv__gemm g;
  cliv_tensor *a, *b, *c;
  size_t count;
  cliv__cuts list[CANDIDATES];
} measurement;

static const change *changes_for(const cliv_context *ctx, const cliv__gemm *g) {
  static const change none[] = {{.block = 0}};
  if (ctx->walk == CLIV_WALK_CPU) return cliv__is_vector(g) ? for_vectors : for_cpu;
  return cliv__is_vector(g) || !cliv__cuts_sides(ctx, g) ? none : for_gpu;
}

static void list_candidates(measurement *t) {
  cliv__cuts full[CANDIDATES] = {cliv__cuts_full(t->ctx, &t->g, NULL)};
  t->list[0] = (cliv__cuts){0};
  t->count = 1;
  for (const change *c = changes_for(t->ctx, &t->g); is_change(c) && t->count < CANDIDATES; c++) {
    const cliv__cuts cuts = changed(full, c);
    full[t->count] = cliv__cuts_full(t->ctx, &t->g, &cuts);
    size_t same = 0;
    while (!equal(&full[same], &full[t->count])) same++;
    if (same == t->count) t->list[t->count++] = cuts;
  }
}

/* ---- the measurement ---- */

static double take_turn(void *data, size_t candidate) {
  measurement *const t = data;
  const double begin = cliv__now();
  if (cliv__exact_gemm(t->ctx, &t->g, &t->list[candidate], NULL)) return -1;
  return cliv_context_finish(t->ctx) ? -1 : cliv__now() - begin;
}

/* Where a candidate's result goes, or false: it has none. Compiles. */
static bool result(measurement *t, size_t candidate, void *out, size_t bytes) {
  return cliv_tensor_fill(t->c, NAN, NULL) == CLIV_OK && take_turn(t, candidate) >= 0 &&
         cliv_tensor_read(t->c, out, bytes) == CLIV_OK;
}

/* Leaves those that compute what the first does. */
static bool check(measurement *t) {
  const size_t bytes = cliv_tensor_count(t->c) * cliv_dtype_size(t->g.dtype);
  void *const want = malloc(bytes), *const got = malloc(bytes);
  const bool right = want && got && result(t, 0, want, bytes);
  size_t left = 1;
  for (size_t i = 1; right && i < t->count; i++)
    if (result(t, i, got, bytes) && !memcmp(got, want, bytes)) t->list[left++] = t->list[i];
  t->count = left;
  free(want);
  free(got);
  return right;
}

/* The fastest by turns; false: not even the first can be measured. */
static bool decide(measurement *t, cliv__cuts *out, double *gain) {
  cliv__contestant found[CANDIDATES];
  const cliv__contest all = {
      .count = t->count, .run = take_turn, .data = t, .fewest = FEWEST, .rounds = ROUNDS, .seconds = SECONDS};
  *gain = 1;
  if (!check(t)) return false;
  if (!cliv__contest_run(&all, found)) return false;
  for (size_t i = 1; i < t->count; i++)
    if (found[i].ratio >= FASTER && found[i].ratio > *gain) {
      *out = t->list[i];
      *gain = found[i].ratio;
    }
  return true;
}

/* Elements of B between its rows: as far apart as the product's, as to where in pages they begin. */
static size_t pitch_of_b(const cliv__gemm *g, size_t n, size_t k) {
  const size_t step = CLIV__COLLIDING / cliv_dtype_size(g->dtype);
  if (g->trans_b) return k;
  if (rows_collide(g)) return cliv__round_up(n, step);
  return n > 1 && n % step == 0 ? n + 16 : n;
}

/* A product of the class, cut to milliseconds and to bounded memory, of matrices that are not there yet. */
static cliv__gemm sample_of(const cliv__gemm *g) {
  cl_ulong size[] = {g->m, g->n, g->k, cliv__most(1, g->batch)};
  cliv__sample_cut(size, g->dtype, SAMPLE_WORK);
  const cl_ulong m = size[0], n = size[1], batch = size[3], pitch = pitch_of_b(g, n, size[2]);
  const cl_ulong most = cliv__most(1, SAMPLE_BYTES / (pitch * batch * cliv_dtype_size(g->dtype)));
  const cl_ulong k = g->trans_b ? size[2] : cliv__least(size[2], most);
  const cl_ulong a_rows = g->trans_a ? k : m, a_columns = g->trans_a ? m : k, b_rows = g->trans_b ? n : k;
  const bool many = batch > 1;
  return (cliv__gemm){.dtype = g->dtype,
                      .trans_a = g->trans_a,
                      .trans_b = g->trans_b,
                      .m = m,
                      .n = n,
                      .k = k,
                      .alpha = 1,
                      .batch = batch,
                      .a = {NULL, 0, a_rows, a_columns, a_columns, many ? a_rows * a_columns : 0},
                      .b = {NULL, 0, b_rows, pitch, pitch, many ? b_rows * pitch : 0},
                      .c = {NULL, 0, m, n, n, many ? m * n : 0}};
}

static cliv_status make(const measurement *t, cliv__matrix *m, unsigned seed, cliv_tensor **out) {
  TRY(cliv__sample_matrix(t->ctx, t->g.dtype, t->g.batch, m->rows, m->pitch, seed, out));
  m->mem = (*out)->mem;
  m->first = cliv__first(*out);
  return CLIV_OK;
}

/* On matrices of its own. *gain is 0 where there is nothing to choose from. */
static bool measure_beside(cliv_context *own, const cliv__gemm *g, cliv__cuts *out, double *gain) {
  measurement t = {.ctx = own, .g = sample_of(g)};
  *out = (cliv__cuts){0};
  *gain = 0;
  list_candidates(&t);
  if (t.count == 1) return true;
  const bool done = make(&t, &t.g.a, 1, &t.a) == CLIV_OK && make(&t, &t.g.b, 2, &t.b) == CLIV_OK &&
                    make(&t, &t.g.c, 0, &t.c) == CLIV_OK && decide(&t, out, gain);
  cliv_tensor_free(t.a);
  cliv_tensor_free(t.b);
  cliv_tensor_free(t.c);
  return done;
}

/* Another context or process may have measured it by now. */
static bool found_in_note(cliv_context *ctx, const cliv__gemm *g, known *k) {
  json_t *const fresh = cliv__rows_get(ctx, NOTE);
  if (!fresh) return false;
  json_decref(ctx->cuts_note);
  ctx->cuts_note = fresh;
  look_up(ctx, g, k);
  return k->settled;
}

static bool settle(cliv_context *ctx, const cliv__gemm *g, known *k) {
  if (k->settled || found_in_note(ctx, g, k)) return true;
  double gain = 1;
  cliv_context *const own = cliv__context_beside(ctx);
  if (own) own->quirks = ctx->quirks;
  k->cuts = (cliv__cuts){0};
  const bool done = own && measure_beside(own, g, &k->cuts, &gain);
  cliv_context_free(own);
  k->settled = true;
  if (!done || gain == 0) return done;
  ctx->cuts->measured++;
  char name[NAME];
  name_class(ctx, g, name);
  json_t *const row = write_row(&k->cuts, gain), *const fresh = cliv__rows_put(ctx, NOTE, name, row);
  json_decref(row);
  json_decref(fresh);
  return true;
}

/* ---- the choice ---- */

static bool may_measure(const cliv_context *ctx) {
  return ctx->trials && !(ctx->quirks & (CLIV__QUIRK_SOFTWARE | CLIV__QUIRK_ONE_THREAD));
}

static void settle_all(cliv_context *ctx) {
  ctx->idle = NULL;
  for (size_t i = 0; i < SLOTS; i++)
    if (ctx->cuts->list[i].due) {
      ctx->cuts->list[i].due = false;
      (void)settle(ctx, &ctx->cuts->list[i].asked, &ctx->cuts->list[i]);
    }
}

const cliv__cuts *cliv__cuts_known(cliv_context *ctx, const cliv__gemm *g) {
  known *const k = find(ctx, g);
  if (!k) return NULL;
  if (!k->settled && !k->due && may_measure(ctx)) {
    k->work += fmax(CALL, (double)g->m * (double)g->n * (double)g->k * (double)cliv__most(1, g->batch));
    k->due = k->work >= ctx->cuts->worth;
    if (k->due) {
      k->asked = *g;
      ctx->idle = settle_all;
    }
  }
  return k->settled ? &k->cuts : NULL;
}

bool cliv__cuts_measure(cliv_context *ctx, const cliv__gemm *g) {
  known *const k = find(ctx, g);
  return k && settle(ctx, g, k);
}

size_t cliv__cuts_measured(const cliv_context *ctx) { return ctx->cuts ? ctx->cuts->measured : 0; }

void cliv__cuts_set_worth(cliv_context *ctx, double multiply_adds) {
  if (table_of(ctx)) ctx->cuts->worth = multiply_adds;
}
