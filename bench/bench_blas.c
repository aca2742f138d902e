/* Products of square matrices by the exact provider, from call to result (packing included), against OpenBLAS. */
#include "bench.h"

#include <cliv/blas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "native.h"

typedef struct products {
  cliv_tensor *a, *b, *exact, *clblast;
  float *x, *y, *native, *got;
  size_t n;
} products;

static void multiply(const products *p, cliv_tensor *c, cliv_provider provider) {
  cliv_context *ctx = cliv_tensor_context(p->a);
  BENCH_OK(ctx, cliv_gemm(ctx, 0, 0, 1, p->a, p->b, 0, c, &(cliv_blas_options){.provider = provider}, NULL));
  BENCH_OK(ctx, cliv_context_finish(ctx));
}

static void exact(void *arg) {
  const products *p = arg;
  multiply(p, p->exact, CLIV_PROVIDER_EXACT);
}

#ifdef CLIV_HAVE_CLBLAST
static void clblast(void *arg) {
  const products *p = arg;
  multiply(p, p->clblast, CLIV_PROVIDER_CLBLAST);
}
#endif

static void native(void *arg) {
  const products *p = arg;
  native_gemm(p->n, p->n, p->n, p->x, p->y, p->native);
}

/* A thousand elements of the exact product by their definition, to the bit; all of them against OpenBLAS. */
static bool right(void *arg, char *why, size_t room) {
  products *p = arg;
  const size_t n = p->n, count = n * n;
  BENCH_OK(cliv_tensor_context(p->a), cliv_tensor_read(p->exact, p->got, count * sizeof(float)));
  for (size_t e = 0; e < count; e += count / 1000 + 1) {
    float s = 0;
    for (size_t k = 0; k < n; k++) s = fmaf(p->x[e / n * n + k], p->y[k * n + e % n], s);
    if (memcmp(&s, &p->got[e], sizeof s)) {
      snprintf(why, room, "element %zu is %a, by its definition %a", e, (double)p->got[e], (double)s);
      return false;
    }
  }
  for (size_t e = 0; e < count && native_has_gemm(); e++)
    if (!(fabs((double)p->got[e] - (double)p->native[e]) <= 8 * sqrt((double)n) * 0x1p-24 * (double)n)) {
      snprintf(why, room, "element %zu is %g, by OpenBLAS %g", e, (double)p->got[e], (double)p->native[e]);
      return false;
    }
  return true;
}

static void square(bench *b, size_t n, double goal) {
  char size[64];
  snprintf(size, sizeof size, "%zu x %zu", n, n);
  if (!bench_wants(b, "gemm", size)) return;
  cliv_context *ctx = bench_context(b);
  products p = {.n = bench_size(b, n, 65)};
  const size_t bytes = p.n * p.n * sizeof(float), shape[] = {p.n, p.n};
  float **const host[] = {&p.x, &p.y, &p.native, &p.got};
  cliv_tensor **const device[] = {&p.a, &p.b, &p.exact, &p.clblast};
  for (size_t i = 0; i < 4; i++) {
    *host[i] = bench_alloc(bytes);
    BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, device[i]));
  }
  bench_fill(p.x, p.n * p.n, 1, -1, 1);
  bench_fill(p.y, p.n * p.n, 2, -1, 1);
  BENCH_OK(ctx, cliv_tensor_write(p.a, p.x, bytes));
  BENCH_OK(ctx, cliv_tensor_write(p.b, p.y, bytes));
  bench_row row = {.operation = "gemm",
                   .size = size,
                   .unit = "GFLOP/s",
                   .work = 2e-9 * pow((double)p.n, 3),
                   .goal = goal,
                   .check = right,
                   .check_arg = &p,
                   .sides = {{"cliv exact", exact, &p, NULL}}};
  size_t sides = 1;
  if (native_has_gemm()) row.sides[sides++] = (bench_side){"OpenBLAS", native, &p, NULL};
#ifdef CLIV_HAVE_CLBLAST
  if (!bench_quick(b) && (cliv_blas_auto(ctx) == CLIV_PROVIDER_CLBLAST || n <= 512))
    row.sides[sides] = (bench_side){"CLBlast", clblast, &p, NULL};
#endif
  if (!native_has_gemm()) row.goal = 0;
  bench_measure(b, &row);
  for (size_t i = 0; i < 4; i++) {
    free(*host[i]);
    cliv_tensor_free(*device[i]);
  }
}

void bench_blas(bench *b) {
  square(b, 1024, 0.8);
  if (bench_quick(b)) return; /* the same size again */
  square(b, 256, 0);
  square(b, 512, 0);
  square(b, 2048, 0);
}
