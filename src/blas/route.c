/* Which provider a product goes to: measured once for a class of shapes on a device, and kept as a note.
 *
 * A measurement is two products of small whole numbers, whose sums are exact in any order: both providers must give the
 * same. */
#include "blas/route.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blas/copies.h"
#include "blas/cuts.h"
#include "blas/prepare.h"
#include "blas/sample.h"
#include "blas/tuning.h"
#include "runtime/measure.h"
#include "runtime/quirks.h"

#ifdef CLIV_HAVE_CLBLAST

static const char NOTE[] = "clblast " CLIV_CLBLAST_VERSION " route";
enum { MOST = 256, ROUNDS = 5, NAME = CLIV__CLASS_NAME };
static const double MOST_WORK = 0x1p30, MEASURED = 0.1; /* multiply-adds, seconds */
/* Equal bits are worth something; on a CPU so is what CLBlast compiles in every process. */
static const double FASTER = 1.05, FASTER_ON_CPU = 1.25;

typedef struct route {
  char name[NAME]; /* "float32 nt 10 10 10 0" */
  cliv_provider provider;
} route;

struct cliv__routes {
  bool open; /* there is a choice */
  size_t count;
  route list[MOST];
};

/* ---- kept ---- */

static route *find(struct cliv__routes *r, const char *name) {
  for (size_t i = 0; i < r->count; i++)
    if (!strcmp(r->list[i].name, name)) return &r->list[i];
  return NULL;
}

static void add(struct cliv__routes *r, const char *name, cliv_provider provider) {
  route *at = find(r, name);
  if (!at && r->count < MOST) at = &r->list[r->count++];
  if (!at) return;
  snprintf(at->name, NAME, "%s", name);
  at->provider = provider;
}

static bool is_cpu(const cliv_context *ctx) { return (ctx->facts.type & CL_DEVICE_TYPE_CPU) != 0; }

static void judge_choice(cliv_context *ctx, struct cliv__routes *r) {
  r->open = !is_cpu(ctx);
  for (size_t i = 0; i < r->count; i++) r->open = r->open || r->list[i].provider == CLIV_PROVIDER_CLBLAST;
}

/* The rows of a note that are classes and providers; what else is in it is passed over. */
static void add_all(struct cliv__routes *r, json_t *note) {
  json_t *provider;
  const char *name;
  json_object_foreach(note, name, provider) {
    const char *text = json_string_value(provider);
    if (text && !strcmp(text, "clblast")) add(r, name, CLIV_PROVIDER_CLBLAST);
    if (text && !strcmp(text, "exact")) add(r, name, CLIV_PROVIDER_EXACT);
  }
}

/* Made at the first question; NULL without memory. Freed with the context. */
static struct cliv__routes *routes_of(cliv_context *ctx) {
  if (ctx->routes) return ctx->routes;
  struct cliv__routes *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  ctx->routes = r;
  json_t *kept = cliv__notes_get(ctx, NOTE);
  add_all(r, kept);
  json_decref(kept);
  judge_choice(ctx, r);
  return r;
}

/* Adds a class to the note, and takes over what others have added. */
static void keep(cliv_context *ctx, struct cliv__routes *r, const char *name, cliv_provider provider) {
  json_t *const row = json_string(cliv_provider_name(provider));
  json_t *const note = cliv__rows_put(ctx, NOTE, name, row);
  add_all(r, note);
  json_decref(note);
  json_decref(row);
}

bool cliv__route_open(cliv_context *ctx) {
  const struct cliv__routes *r = routes_of(ctx);
  return r && r->open;
}

cliv_provider cliv__route_known(cliv_context *ctx, const cliv__gemm *g) {
  char name[NAME];
  struct cliv__routes *r = routes_of(ctx);
  cliv__gemm_class(g, name);
  const route *at = r ? find(r, name) : NULL;
  if (at) return at->provider;
  return r && r->count == MOST ? CLIV_PROVIDER_EXACT : CLIV_PROVIDER_AUTO; /* nothing is taken unmeasured */
}

/* ---- measured ---- */

typedef struct contest {
  cliv_context *ctx;
  cliv_dtype dtype;
  bool trans_a, trans_b;
  cliv_tensor *a, *b, *c;
} contest;

/* Seconds of a product, from call to result; negative where it failed. */
static double run(contest *t, cliv_provider provider) {
  const cliv_blas_options options = {.size = sizeof options, .provider = provider};
  const double begin = cliv__now();
  if (cliv_gemm(t->ctx, t->trans_a, t->trans_b, 1, t->a, t->b, 0, t->c, &options, NULL)) return -1;
  return cliv_context_finish(t->ctx) ? -1 : cliv__now() - begin;
}

/* The result of a provider, malloc'd; NULL where it has none. */
static void *result(contest *t, cliv_provider provider) {
  const size_t bytes = cliv_tensor_count(t->c) * cliv_dtype_size(t->dtype);
  void *numbers = malloc(bytes);
  if (numbers && cliv_tensor_fill(t->c, NAN, NULL) == CLIV_OK && run(t, provider) >= 0 &&
      cliv_tensor_read(t->c, numbers, bytes) == CLIV_OK)
    return numbers;
  free(numbers);
  return NULL;
}

static bool equal(const contest *t, const void *x, const void *y) {
  for (size_t i = 0, n = cliv_tensor_count(t->c); i < n; i++) /* +0 and -0 are */
    if (t->dtype == CLIV_F64 ? ((const double *)x)[i] != ((const double *)y)[i]
                             : ((const float *)x)[i] != ((const float *)y)[i])
      return false;
  return true;
}

static const cliv_provider contestants[] = {CLIV_PROVIDER_EXACT, CLIV_PROVIDER_CLBLAST};

static double take_turn(void *data, size_t contestant) { return run(data, contestants[contestant]); }

/* Both have run, so that nothing is compiled here. */
static cliv_provider faster(contest *t) {
  const cliv__contest both = {.count = 2, .run = take_turn, .data = t, .rounds = ROUNDS, .seconds = MEASURED};
  cliv__contestant found[2];
  const double least = is_cpu(t->ctx) ? FASTER_ON_CPU : FASTER;
  return cliv__contest_run(&both, found) && found[1].ratio >= least ? CLIV_PROVIDER_CLBLAST : CLIV_PROVIDER_EXACT;
}

static cliv_provider decide(contest *t) {
  void *exact = result(t, CLIV_PROVIDER_EXACT), *clblast = result(t, CLIV_PROVIDER_CLBLAST);
  cliv_provider provider = exact ? CLIV_PROVIDER_EXACT : clblast ? CLIV_PROVIDER_CLBLAST : CLIV_PROVIDER_AUTO;
  if (exact && clblast && equal(t, exact, clblast)) provider = faster(t);
  free(exact);
  free(clblast);
  return provider;
}

void cliv__route_cut(cl_ulong size[static 4], cliv_dtype dtype) { cliv__sample_cut(size, dtype, MOST_WORK); }

static cliv_provider contend(cliv_context *own, const cliv__gemm *g) {
  cl_ulong size[] = {g->m, g->n, g->k, g->batch ? g->batch : 1};
  cliv__route_cut(size, g->dtype);
  contest t = {.ctx = own, .dtype = g->dtype, .trans_a = g->trans_a, .trans_b = g->trans_b};
  const size_t m = size[0], n = size[1], k = size[2], batch = size[3];
  cliv_provider provider = CLIV_PROVIDER_AUTO;
  if (cliv__sample_matrix(own, t.dtype, batch, t.trans_a ? k : m, t.trans_a ? m : k, 1, &t.a) == CLIV_OK &&
      cliv__sample_matrix(own, t.dtype, batch, t.trans_b ? n : k, t.trans_b ? k : n, 2, &t.b) == CLIV_OK &&
      cliv__sample_matrix(own, t.dtype, batch, m, n, 0, &t.c) == CLIV_OK)
    provider = decide(&t);
  cliv_tensor_free(t.a);
  cliv_tensor_free(t.b);
  cliv_tensor_free(t.c);
  return provider;
}

cliv_provider cliv__route_measure(cliv_context *ctx, const cliv__gemm *g) {
  struct cliv__routes *r = routes_of(ctx);
  if (!r) return CLIV_PROVIDER_EXACT;
  cliv_context *own = cliv__context_beside(ctx);
  const cliv_provider provider = own ? contend(own, g) : CLIV_PROVIDER_AUTO;
  cliv_context_free(own);
  char name[NAME];
  cliv__gemm_class(g, name);
  const bool found = provider != CLIV_PROVIDER_AUTO;
  add(r, name, found ? provider : CLIV_PROVIDER_EXACT);
  if (found) keep(ctx, r, name, provider);
  judge_choice(ctx, r);
  return found ? provider : CLIV_PROVIDER_EXACT;
}

/* ---- renewed ---- */

/* In the note until a type's classes are measured anew: "renew float32". */
static void name_mark(cliv_dtype dtype, char name[static NAME]) {
  snprintf(name, NAME, "renew %s", cliv_dtype_name(dtype));
}

static bool is_of(const char *name, cliv_dtype dtype) {
  const size_t length = strlen(cliv_dtype_name(dtype));
  return !strncmp(name, cliv_dtype_name(dtype), length) && name[length] == ' ';
}

void cliv__route_forget(cliv_context *ctx, cliv_dtype dtype) {
  struct cliv__routes *r = routes_of(ctx);
  json_t *note = cliv__rows_get(ctx, NOTE), *provider;
  const char *name;
  char mark[NAME];
  void *next;
  json_object_foreach_safe(note, next, name, provider) if (is_of(name, dtype)) json_object_del(note, name);
  name_mark(dtype, mark);
  json_object_set_new(note, mark, json_true());
  (void)cliv__notes_put(ctx, NOTE, note);
  json_decref(note);
  if (!r) return;
  size_t left = 0;
  for (size_t i = 0; i < r->count; i++)
    if (!is_of(r->list[i].name, dtype)) r->list[left++] = r->list[i];
  r->count = left;
  judge_choice(ctx, r);
}

bool cliv__route_stale(cliv_context *ctx, cliv_dtype dtype) {
  char mark[NAME];
  name_mark(dtype, mark);
  json_t *note = cliv__rows_get(ctx, NOTE);
  const bool stale = json_object_get(note, mark) != NULL;
  json_decref(note);
  return stale;
}

void cliv__route_renew(cliv_context *ctx, cliv_dtype dtype, double seconds) {
  static const cl_ulong sizes[][3] = {{1024, 1024, 1024}, {512, 512, 512}, {2048, 2048, 2048}, {256, 256, 256},
                                      {128, 128, 128},    {64, 64, 64},    {512, 512, 8},      {64, 256, 64},
                                      {4096, 10, 64},     {1, 4096, 4096}, {32, 32, 32}};
  const double end = cliv__now() + seconds;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes && cliv__now() < end; i++) {
    const cl_ulong m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
    const cliv__gemm g = {.dtype = dtype, .m = m, .n = n, .k = k, .a = {.pitch = k}, .b = {.pitch = n}};
    (void)cliv__cuts_measure(ctx, &g); /* exact is to be at its best */
    (void)cliv__route_measure(ctx, &g);
  }
  char mark[NAME];
  name_mark(dtype, mark);
  json_t *note = cliv__rows_get(ctx, NOTE);
  if (json_object_del(note, mark) == 0) (void)cliv__notes_put(ctx, NOTE, note);
  json_decref(note);
}

/* ---- the provider ---- */

/* Whether CLBlast's indices do not reach: then nothing was enqueued, and `exact` computes it. */
static bool refused(cliv_context *ctx, cliv_status status, cliv__error *held) {
  if (status && status != CLIV_NOT_IN_BUILD) cliv__error_free(held);
  else cliv__error_restore(ctx, held);
  return status == CLIV_NOT_IN_BUILD;
}

static bool by_exact(cliv_context *ctx, const cliv__gemm *g) {
  const bool both = g->dtype == CLIV_F32 || g->dtype == CLIV_F64;
  if (!both || cliv__preparing(ctx)) return true; /* until CLBlast is compiled */
  cliv_provider provider = cliv__route_known(ctx, g);
  if (provider == CLIV_PROVIDER_AUTO && !is_cpu(ctx)) provider = cliv__route_measure(ctx, g);
  return provider != CLIV_PROVIDER_CLBLAST;
}

static cliv_status routed_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv_sync *sync) {
  if (by_exact(ctx, g)) return cliv__blas_exact.gemm(ctx, g, sync);
  cliv__error held = cliv__error_hold(ctx);
  const cliv_status status = cliv__blas_clblast.gemm(ctx, g, sync);
  return refused(ctx, status, &held) ? cliv__blas_exact.gemm(ctx, g, sync) : status;
}

/* The routines that are not measured. */
static bool usually_by_exact(cliv_context *ctx, cliv_dtype dtype) {
  return cliv__is_narrow(dtype) || cliv_blas_auto(ctx) == CLIV_PROVIDER_EXACT || cliv__preparing(ctx);
}

static cliv_status routed_gemv(cliv_context *ctx, const cliv__gemv *g, const cliv_sync *sync) {
  if (usually_by_exact(ctx, g->narrow)) return cliv__blas_exact.gemv(ctx, g, sync);
  cliv__error held = cliv__error_hold(ctx);
  const cliv_status status = cliv__blas_clblast.gemv(ctx, g, sync);
  return refused(ctx, status, &held) ? cliv__blas_exact.gemv(ctx, g, sync) : status;
}
static cliv_status routed_ger(cliv_context *ctx, cliv_dtype dtype, double alpha, const cliv__vector *x,
                              const cliv__vector *y, const cliv__matrix *a, const cliv_sync *sync) {
  if (usually_by_exact(ctx, dtype)) return cliv__blas_exact.ger(ctx, dtype, alpha, x, y, a, sync);
  cliv__error held = cliv__error_hold(ctx);
  const cliv_status status = cliv__blas_clblast.ger(ctx, dtype, alpha, x, y, a, sync);
  return refused(ctx, status, &held) ? cliv__blas_exact.ger(ctx, dtype, alpha, x, y, a, sync) : status;
}
static cliv_status routed_axpy(cliv_context *ctx, cliv_dtype dtype, double alpha, const cliv__matrix *x,
                               const cliv__matrix *y, const cliv_sync *sync) {
  if (usually_by_exact(ctx, dtype)) return cliv__blas_exact.axpy(ctx, dtype, alpha, x, y, sync);
  cliv__error held = cliv__error_hold(ctx);
  const cliv_status status = cliv__blas_clblast.axpy(ctx, dtype, alpha, x, y, sync);
  return refused(ctx, status, &held) ? cliv__blas_exact.axpy(ctx, dtype, alpha, x, y, sync) : status;
}

const cliv__blas_provider cliv__blas_routed = {
    .name = "auto", .narrow = true, .gemm = routed_gemm, .gemv = routed_gemv, .ger = routed_ger, .axpy = routed_axpy};

#else

cliv_provider cliv__route_known(cliv_context *ctx, const cliv__gemm *g) {
  (void)ctx;
  (void)g;
  return CLIV_PROVIDER_AUTO;
}
bool cliv__route_open(cliv_context *ctx) {
  (void)ctx;
  return false;
}

#endif
