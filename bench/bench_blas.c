/* Products of matrices by the provider that AUTO takes, from call to result (copies and launches included), against
 * OpenBLAS: large, small and thin ones, and a batch. */
#include "bench.h"

#include <cliv/blas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "native.h"

typedef struct shape {
  size_t batch, m, n, k;
  double goal; /* of OpenBLAS and of PyTorch */
} shape;

/* What a launch costs is most of a small one's time. */
static const shape shapes[] = {{1, 1024, 1024, 1024, 1.0}, {1, 256, 256, 256, 0.8}, {1, 512, 512, 512, 1.0},
                               {1, 2048, 2048, 2048, 1.0}, {1, 64, 256, 64, 0.8},   {1, 4096, 10, 64, 0.8},
                               {1, 1, 4096, 4096, 0.8},    {1, 512, 512, 8, 0.8},   {200, 32, 32, 32, 0.8}};

typedef struct products {
  shape s;
  cliv_tensor *a, *b, *own, *clblast;
  const float *x, *y;
  float *native, *got;
} products;

static void multiply(const products *p, cliv_tensor *c, cliv_provider provider) {
  cliv_context *ctx = cliv_tensor_context(p->a);
  BENCH_OK(ctx, cliv_gemm(ctx, 0, 0, 1, p->a, p->b, 0, c, &(cliv_blas_options){.provider = provider}, NULL));
  BENCH_OK(ctx, cliv_context_finish(ctx));
}

static void by_auto(void *arg) {
  const products *p = arg;
  multiply(p, p->own, CLIV_PROVIDER_AUTO);
}

#ifdef CLIV_HAVE_CLBLAST
static void by_clblast(void *arg) {
  const products *p = arg;
  multiply(p, p->clblast, CLIV_PROVIDER_CLBLAST);
}
#endif

static void native(void *arg) {
  const products *p = arg;
  const shape *s = &p->s;
  for (size_t z = 0; z < s->batch; z++)
    native_gemm(s->m, s->n, s->k, p->x + z * s->m * s->k, p->y + z * s->k * s->n, p->native + z * s->m * s->n);
}

/* Element e by the definition of the exact product. */
static float defined(const products *p, size_t e) {
  const shape *s = &p->s;
  const size_t z = e / (s->m * s->n), i = e / s->n % s->m, j = e % s->n;
  const float *a = p->x + (z * s->m + i) * s->k, *b = p->y + z * s->k * s->n + j;
  float sum = 0;
  for (size_t k = 0; k < s->k; k++) sum = fmaf(a[k], b[k * s->n], sum);
  return sum;
}

/* Elements of the shared data are below 3. */
static bool near(const products *p, const float *result, const char *whose, char *why, size_t room) {
  const double k = (double)p->s.k, bound = 8 * sqrt(k) * 0x1p-24 * 9 * k;
  for (size_t e = 0; e < p->s.batch * p->s.m * p->s.n; e++)
    if (!(fabs((double)p->got[e] - (double)result[e]) <= bound)) {
      snprintf(why, room, "element %zu is %g, by %s %g", e, (double)p->got[e], whose, (double)result[e]);
      return false;
    }
  return true;
}

/* A thousand elements by their definition, to the bit where the provider is the exact one; all against OpenBLAS. */
static bool right(void *arg, char *why, size_t room) {
  products *p = arg;
  cliv_context *ctx = cliv_tensor_context(p->a);
  const size_t count = p->s.batch * p->s.m * p->s.n;
  BENCH_OK(ctx, cliv_tensor_read(p->own, p->got, count * sizeof(float)));
  for (size_t e = 0; e < count && cliv_blas_auto(ctx) == CLIV_PROVIDER_EXACT; e += count / 1000 + 1) {
    const float s = defined(p, e);
    if (memcmp(&s, &p->got[e], sizeof s)) {
      snprintf(why, room, "element %zu is %a, by its definition %a", e, (double)p->got[e], (double)s);
      return false;
    }
  }
  return !native_has_gemm() || near(p, p->native, "OpenBLAS", why, room);
}

static bool peer_right(void *arg, const float *result, char *why, size_t room) {
  return near(arg, result, "the peer", why, room);
}

static void make(bench *b, products *p) {
  cliv_context *ctx = bench_context(b);
  const shape *s = &p->s;
  const size_t a[] = {s->batch, s->m, s->k}, y[] = {s->batch, s->k, s->n}, c[] = {s->batch, s->m, s->n};
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, a, &p->a));
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, y, &p->b));
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, c, &p->own));
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, c, &p->clblast));
  p->x = bench_input(b, 0);
  p->y = bench_input(b, 1);
  BENCH_OK(ctx, cliv_tensor_write(p->a, p->x, s->batch * s->m * s->k * sizeof(float)));
  BENCH_OK(ctx, cliv_tensor_write(p->b, p->y, s->batch * s->k * s->n * sizeof(float)));
  p->native = bench_alloc(s->batch * s->m * s->n * sizeof(float));
  p->got = bench_alloc(s->batch * s->m * s->n * sizeof(float));
}

static void drop(products *p) {
  cliv_tensor *const all[] = {p->a, p->b, p->own, p->clblast};
  for (size_t i = 0; i < 4; i++) cliv_tensor_free(all[i]);
  free(p->native);
  free(p->got);
}

static void measure(bench *b, const shape *wanted) {
  char size[64], task[96];
  snprintf(size, sizeof size, "%zu x %zu x %zu", wanted->m, wanted->n, wanted->k);
  if (wanted->batch > 1)
    snprintf(size, sizeof size, "%zu of %zu x %zu x %zu", wanted->batch, wanted->m, wanted->n, wanted->k);
  if (!bench_wants(b, "gemm", size)) return;
  products p = {.s = {bench_size(b, wanted->batch, wanted->batch > 1 ? 3 : 1),
                      wanted->m > 37 ? bench_size(b, wanted->m, 37) : wanted->m,
                      wanted->n > 37 ? bench_size(b, wanted->n, 37) : wanted->n,
                      wanted->k > 37 ? bench_size(b, wanted->k, 37) : wanted->k, wanted->goal}};
  make(b, &p);
  snprintf(task, sizeof task, "gemm:%zu:%zu:%zu:%zu", p.s.batch, p.s.m, p.s.n, p.s.k);
  const bench_task peers = {.op = task, .axis = "all", .rows = 1, .columns = 1, .results = p.s.batch * p.s.m * p.s.n};
  bench_row row = {.operation = "gemm",
                   .size = size,
                   .unit = "GFLOP/s",
                   .work = 2e-9 * (double)(p.s.batch * p.s.m * p.s.n * p.s.k),
                   .goal = native_has_gemm() ? p.s.goal : 0,
                   .peer_goals = {{"PyTorch", p.s.goal}},
                   .check = right,
                   .check_peer = peer_right,
                   .check_arg = &p,
                   .task = &peers,
                   .sides = {{"cliv", by_auto, &p, NULL}}};
  size_t sides = 1;
  if (native_has_gemm()) row.sides[sides++] = (bench_side){"OpenBLAS", native, &p, NULL};
#ifdef CLIV_HAVE_CLBLAST
  if (!bench_quick(b) && wanted->m * wanted->n * wanted->k <= (size_t)1 << 27)
    row.sides[sides] = (bench_side){"CLBlast", by_clblast, &p, NULL};
#endif
  bench_measure(b, &row);
  drop(&p);
}

void bench_blas(bench *b) {
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    if (!bench_quick(b) || i == 0 || i >= 4) measure(b, &shapes[i]); /* the squares are one size then */
}
