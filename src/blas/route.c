/* Which provider a product goes to: measured once for a class of shapes on a device, and kept as a note.
 *
 * A class is the type, the transposes, and the whole logarithms of m, n, k and of the batch. A measurement is two
 * products of small whole numbers, whose sums are exact in any order: both providers must give the same. */
#include "blas/route.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "blas/prepare.h"
#include "blas/tuning.h"
#include "runtime/notes.h"
#include "runtime/quirks.h"

#ifdef CLIV_HAVE_CLBLAST

static const char NOTE[] = "clblast " CLIV_CLBLAST_VERSION " route";
enum { MOST = 256, ROUNDS = 5, NAME = 64 };
static const double MOST_WORK = 0x1p30, MEASURED = 0.1; /* multiply-adds; seconds */
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

static unsigned log2_of(cl_ulong x) {
  unsigned n = 0;
  while (x >>= 1) n++;
  return n;
}

static void name_class(const cliv__gemm *g, char name[static NAME]) {
  snprintf(name, NAME, "%s %c%c %u %u %u %u", cliv_dtype_name(g->dtype), g->trans_a ? 't' : 'n', g->trans_b ? 't' : 'n',
           log2_of(g->m), log2_of(g->n), log2_of(g->k), log2_of(g->batch));
}

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

/* Made at the first question; NULL without memory. Freed with the context. */
static struct cliv__routes *routes_of(cliv_context *ctx) {
  if (ctx->routes) return ctx->routes;
  struct cliv__routes *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  ctx->routes = r;
  json_t *kept = cliv__notes_get(ctx, NOTE), *provider;
  const char *name;
  json_object_foreach(kept, name, provider) {
    const char *text = json_string_value(provider);
    if (text) add(r, name, !strcmp(text, "clblast") ? CLIV_PROVIDER_CLBLAST : CLIV_PROVIDER_EXACT);
  }
  json_decref(kept);
  judge_choice(ctx, r);
  return r;
}

static void keep(cliv_context *ctx, const struct cliv__routes *r) {
  json_t *all = json_object();
  for (size_t i = 0; i < r->count; i++)
    json_object_set_new(all, r->list[i].name, json_string(cliv_provider_name(r->list[i].provider)));
  (void)cliv__notes_put(ctx, NOTE, all);
  json_decref(all);
}

bool cliv__route_open(cliv_context *ctx) {
  const struct cliv__routes *r = routes_of(ctx);
  return r && r->open;
}

cliv_provider cliv__route_known(cliv_context *ctx, const cliv__gemm *g) {
  char name[NAME];
  struct cliv__routes *r = routes_of(ctx);
  name_class(g, name);
  const route *at = r ? find(r, name) : NULL;
  return at ? at->provider : CLIV_PROVIDER_AUTO;
}

/* ---- measured ---- */

typedef struct contest {
  cliv_context *ctx;
  cliv_dtype dtype;
  bool trans_a, trans_b;
  cliv_tensor *a, *b, *c;
} contest;

/* A matrix, or a batch of them; whole numbers from -2 to 2, or nothing in particular. */
static cliv_status make(contest *t, size_t batch, size_t rows, size_t columns, unsigned seed, cliv_tensor **out) {
  const size_t shape[] = {batch, rows, columns}, count = batch * rows * columns;
  TRY(batch > 1 ? cliv_tensor_create(t->ctx, t->dtype, 3, shape, out)
                : cliv_tensor_create(t->ctx, t->dtype, 2, shape + 1, out));
  if (!seed) return CLIV_OK;
  const size_t each = cliv_dtype_size(t->dtype);
  void *numbers = malloc(count * each);
  REQUIRE(t->ctx, numbers, HOST_MEMORY, "no memory for %zu numbers", count);
  for (size_t i = 0; i < count; i++) {
    seed = seed * 1664525u + 1013904223u;
    const int x = (int)(seed >> 16) % 5 - 2;
    if (t->dtype == CLIV_F64) ((double *)numbers)[i] = x;
    else ((float *)numbers)[i] = (float)x;
  }
  const cliv_status status = cliv_tensor_write(*out, numbers, count * each);
  free(numbers);
  return status;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds of a product, from call to result; negative where it failed. */
static double run(contest *t, cliv_provider provider) {
  const cliv_blas_options options = {.size = sizeof options, .provider = provider};
  const double begin = now();
  if (cliv_gemm(t->ctx, t->trans_a, t->trans_b, 1, t->a, t->b, 0, t->c, &options, NULL)) return -1;
  return cliv_context_finish(t->ctx) ? -1 : now() - begin;
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

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Both have run, so that nothing is compiled here. */
static cliv_provider faster(contest *t) {
  double ratio[ROUNDS];
  const double begin = now();
  int rounds = 0;
  while (rounds < ROUNDS && (rounds < 1 || now() - begin < MEASURED)) {
    const double exact = run(t, CLIV_PROVIDER_EXACT), clblast = run(t, CLIV_PROVIDER_CLBLAST);
    if (clblast <= 0 || exact <= 0) return CLIV_PROVIDER_EXACT;
    ratio[rounds++] = exact / clblast;
  }
  qsort(ratio, (size_t)rounds, sizeof *ratio, by_size);
  const double least = is_cpu(t->ctx) ? FASTER_ON_CPU : FASTER;
  return ratio[rounds / 2] >= least ? CLIV_PROVIDER_CLBLAST : CLIV_PROVIDER_EXACT;
}

static cliv_provider decide(contest *t) {
  void *exact = result(t, CLIV_PROVIDER_EXACT), *clblast = result(t, CLIV_PROVIDER_CLBLAST);
  cliv_provider provider = exact ? CLIV_PROVIDER_EXACT : clblast ? CLIV_PROVIDER_CLBLAST : CLIV_PROVIDER_AUTO;
  if (exact && clblast && equal(t, exact, clblast)) provider = faster(t);
  free(exact);
  free(clblast);
  return provider;
}

/* The shape is halved along its longest side until it is a matter of milliseconds, and its batch first. */
static void cut(cl_ulong size[static 4]) {
  while ((double)size[0] * (double)size[1] * (double)size[2] * (double)size[3] > MOST_WORK) {
    size_t longest = 3;
    for (size_t i = 0; size[3] == 1 && i < 3; i++)
      if (size[i] > size[longest]) longest = i;
    size[longest] = (size[longest] + 1) / 2;
  }
}

static cliv_provider contend(cliv_context *own, const cliv__gemm *g) {
  cl_ulong size[] = {g->m, g->n, g->k, g->batch ? g->batch : 1};
  cut(size);
  contest t = {.ctx = own, .dtype = g->dtype, .trans_a = g->trans_a, .trans_b = g->trans_b};
  const size_t m = size[0], n = size[1], k = size[2], batch = size[3];
  cliv_provider provider = CLIV_PROVIDER_AUTO;
  if (make(&t, batch, t.trans_a ? k : m, t.trans_a ? m : k, 1, &t.a) == CLIV_OK &&
      make(&t, batch, t.trans_b ? n : k, t.trans_b ? k : n, 2, &t.b) == CLIV_OK &&
      make(&t, batch, m, n, 0, &t.c) == CLIV_OK)
    provider = decide(&t);
  cliv_tensor_free(t.a);
  cliv_tensor_free(t.b);
  cliv_tensor_free(t.c);
  return provider;
}

cliv_provider cliv__route_measure(cliv_context *ctx, const cliv__gemm *g) {
  struct cliv__routes *r = routes_of(ctx);
  /* A queue of its own: what is on the caller's may wait for something that only the caller will do. */
  cliv_context *own = r ? cliv__context_beside(ctx) : NULL;
  const cliv_provider provider = own ? contend(own, g) : CLIV_PROVIDER_AUTO;
  cliv_context_free(own);
  if (provider != CLIV_PROVIDER_AUTO) {
    char name[NAME];
    name_class(g, name);
    add(r, name, provider);
    judge_choice(ctx, r);
    keep(ctx, r);
  }
  return provider;
}

void cliv__route_forget(cliv_context *ctx) {
  struct cliv__routes *r = routes_of(ctx);
  (void)cliv__notes_drop(ctx, NOTE);
  if (!r) return;
  r->count = 0;
  judge_choice(ctx, r);
}

void cliv__route_renew(cliv_context *ctx, cliv_dtype dtype, double seconds) {
  static const cl_ulong sizes[][3] = {{1024, 1024, 1024}, {512, 512, 512}, {2048, 2048, 2048}, {256, 256, 256},
                                      {128, 128, 128},    {64, 64, 64},    {512, 512, 8},      {64, 256, 64},
                                      {4096, 10, 64},     {1, 4096, 4096}, {32, 32, 32}};
  const double end = now() + seconds;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes && now() < end; i++) {
    const cliv__gemm g = {.dtype = dtype, .m = sizes[i][0], .n = sizes[i][1], .k = sizes[i][2]};
    (void)cliv__route_measure(ctx, &g);
  }
}

/* ---- the provider ---- */

static cliv_status routed_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv_sync *sync) {
  const bool both = g->dtype == CLIV_F32 || g->dtype == CLIV_F64;
  if (!both || cliv__preparing(ctx)) return cliv__blas_exact.gemm(ctx, g, sync); /* until CLBlast is compiled */
  cliv_provider provider = cliv__route_known(ctx, g);
  const struct cliv__routes *r = routes_of(ctx);
  const bool full = !r || r->count == MOST;
  if (provider == CLIV_PROVIDER_AUTO && !is_cpu(ctx) && !full) provider = cliv__route_measure(ctx, g);
  if (provider == CLIV_PROVIDER_AUTO) provider = cliv_blas_auto(ctx);
  if (provider == CLIV_PROVIDER_EXACT) return cliv__blas_exact.gemm(ctx, g, sync);
  cliv__clblast_begin(ctx);
  return cliv__blas_clblast.gemm(ctx, g, sync);
}

/* For the routines that are not measured. */
static const cliv__blas_provider *usual(cliv_context *ctx) {
  if (cliv_blas_auto(ctx) == CLIV_PROVIDER_EXACT || cliv__preparing(ctx)) return &cliv__blas_exact;
  cliv__clblast_begin(ctx);
  return &cliv__blas_clblast;
}

static cliv_status routed_gemv(cliv_context *ctx, const cliv__gemv *g, const cliv_sync *sync) {
  return usual(ctx)->gemv(ctx, g, sync);
}
static cliv_status routed_ger(cliv_context *ctx, cliv_dtype dtype, double alpha, const cliv__vector *x,
                              const cliv__vector *y, const cliv__matrix *a, const cliv_sync *sync) {
  return usual(ctx)->ger(ctx, dtype, alpha, x, y, a, sync);
}
static cliv_status routed_axpy(cliv_context *ctx, cliv_dtype dtype, double alpha, const cliv__matrix *x,
                               const cliv__matrix *y, const cliv_sync *sync) {
  return usual(ctx)->axpy(ctx, dtype, alpha, x, y, sync);
}

const cliv__blas_provider cliv__blas_routed = {
    .name = "auto", .gemm = routed_gemm, .gemv = routed_gemv, .ger = routed_ger, .axpy = routed_axpy};

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
