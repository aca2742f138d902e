#define _POSIX_C_SOURCE 200809L /* nanosleep */

/* cliv/blas.h: bits against the same chains on the host, errors against double, both walks, every cut, both
 * providers. */
#include <cliv/blas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "blas/exact.h"
#include "matrices.h"
#include "runtime/tensor.h"

/* ---- one product ---- */

typedef struct product {
  cliv_dtype dtype;
  size_t m, n, k;
  bool ta, tb;
  double alpha, beta;
  size_t gap, lead;
  contents what, what_c;
  uint64_t seed;
} product;

typedef struct operands {
  matrix a, b, c;
} operands;

static operands make_operands(cliv_context *ctx, const product *p) {
  operands o;
  o.a = matrix_make(ctx, p->dtype, p->ta ? p->k : p->m, p->ta ? p->m : p->k, p->gap, p->lead, p->what, p->seed + 1);
  o.b = matrix_make(ctx, p->dtype, p->tb ? p->n : p->k, p->tb ? p->k : p->n, p->gap / 2, p->lead / 2, p->what,
                    p->seed + 2);
  o.c = matrix_make(ctx, p->dtype, p->m, p->n, p->gap * 2, p->lead, p->what_c, p->seed + 3);
  return o;
}

static void free_operands(operands *o) { matrix_free(&o->a), matrix_free(&o->b), matrix_free(&o->c); }

/* The internal description, for calls with cuts of the test's own. */
static cliv__gemm describe(const product *p, const operands *o) {
#define MATRIX(t) \
  { .mem = (t)->mem, .first = cliv__first(t), .rows = (t)->rows, .columns = (t)->columns, .pitch = (t)->pitch }
  return (cliv__gemm){.dtype = p->dtype,
                      .trans_a = p->ta,
                      .trans_b = p->tb,
                      .m = p->m,
                      .n = p->n,
                      .k = p->k,
                      .alpha = p->alpha,
                      .beta = p->beta,
                      .a = MATRIX(o->a.view),
                      .b = MATRIX(o->b.view),
                      .c = MATRIX(o->c.view)};
}

/* Bits of C, its gaps and its surroundings against the chains on the host. */
static void check_exact(cliv_context *ctx, const product *p, const cliv__cuts *cuts) {
  operands o = make_operands(ctx, p);
  if (cuts) {
    const cliv__gemm g = describe(p, &o);
    ASSERT_OK(ctx, cliv__exact_gemm(ctx, &g, cuts, NULL));
  } else {
    ASSERT_OK(ctx, cliv_gemm(ctx, p->ta, p->tb, p->alpha, o.a.view, o.b.view, p->beta, o.c.view,
                             &(cliv_blas_options){.provider = CLIV_PROVIDER_EXACT}, NULL));
  }
  matrix_product(&o.a, p->ta, &o.b, p->tb, p->k, p->alpha, p->beta, &o.c);
  void *got = test_read(o.c.base.tensor);
  ASSERT_SAME(p->dtype, got, o.c.host, o.c.total);
  free(got);
  free_operands(&o);
}

/* |C - AB| against double, by the bound that random signs give: 4 √k u of the sums of magnitudes. */
static void check_error(cliv_context *ctx, const product *p, cliv_provider provider) {
  operands o = make_operands(ctx, p);
  const float *a = o.a.host, *b = o.b.host, *c = o.c.host;
  ASSERT_OK(ctx, cliv_gemm(ctx, p->ta, p->tb, p->alpha, o.a.view, o.b.view, p->beta, o.c.view,
                           &(cliv_blas_options){.provider = provider}, NULL));
  float *got = test_read(o.c.base.tensor);
  for (size_t i = 0; i < p->m; i++)
    for (size_t j = 0; j < p->n; j++) {
      double s = 0, size = 0;
      for (size_t l = 0; l < p->k; l++) {
        const double term = (double)a[p->ta ? matrix_at(&o.a, l, i) : matrix_at(&o.a, i, l)] *
                            b[p->tb ? matrix_at(&o.b, j, l) : matrix_at(&o.b, l, j)];
        s += term;
        size += fabs(term);
      }
      const double old = p->beta == 0 ? 0 : p->beta * (double)c[matrix_at(&o.c, i, j)];
      const double bound = 4 * sqrt((double)p->k + 1) * 0x1p-24 * (fabs(p->alpha) * size + fabs(old));
      ASSERT_NEAR((double)got[matrix_at(&o.c, i, j)], p->alpha * s + old, bound + 0x1p-149);
      memcpy(got + matrix_at(&o.c, i, j), c + matrix_at(&o.c, i, j), sizeof *got);
    }
  ASSERT_SAME(CLIV_F32, got, c, o.c.total); /* the gaps */
  free(got);
  free_operands(&o);
}

static size_t pick(uint64_t seed, uint64_t i, size_t low, size_t high) {
  return low + (size_t)(test_bits(seed, i) % (high - low + 1));
}

/* Case i of a seed: shapes from 1 to largest, one in four thin. */
static product random_product(uint64_t i, size_t largest) {
  static const double factors[] = {1, 0, -1, 0.5, 1.7, -0.3};
  const uint64_t seed = 1000 + i;
  product p = {.dtype = CLIV_F32,
               .m = pick(seed, 1, 1, largest),
               .n = pick(seed, 2, 1, largest),
               .k = pick(seed, 3, 1, largest),
               .ta = test_bits(seed, 4) & 1,
               .tb = test_bits(seed, 5) & 1,
               .alpha = factors[test_bits(seed, 6) % 6],
               .beta = factors[test_bits(seed, 7) % 6],
               .gap = pick(seed, 8, 0, 6),
               .lead = pick(seed, 9, 0, 7),
               .seed = seed};
  if (i % 4 == 1) p.m = pick(seed, 10, 1, 9);
  if (i % 4 == 2) p.n = pick(seed, 11, 1, 17);
  if (i % 8 == 3) p.k = pick(seed, 12, 0, 3);
  if (i % 12 == 5) p.n = 1;
  if (i % 12 == 9) p.m = 1;
  return p;
}

/* Sums and sums of magnitudes of a row of the product, in double. */
static void sum_row(const product *p, const operands *o, size_t i, double *sums, double *sizes) {
  const float *a = o->a.host, *b = o->b.host;
  for (size_t j = 0; j < p->n; j++) sums[j] = sizes[j] = 0;
  for (size_t l = 0; l < p->k; l++) {
    const double x = (double)a[p->ta ? matrix_at(&o->a, l, i) : matrix_at(&o->a, i, l)];
    const float *y = b + (p->tb ? matrix_at(&o->b, 0, l) : matrix_at(&o->b, l, 0));
    const size_t step = p->tb ? o->b.pitch : 1;
    for (size_t j = 0; j < p->n; j++) {
      const double term = x * (double)y[j * step];
      sums[j] += term;
      sizes[j] += fabs(term);
    }
  }
}

/* Shapes of all sizes up to 600, small ones as often as large, errors against double: 4 √k u of the magnitudes. */
static void accuracy(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const size_t cases = matrix_small(ctx) ? 20 : test_few() ? 60 : 300;
  const double largest = matrix_small(ctx) ? 40 : 600;
  double sums[600], sizes[600];
  for (size_t t = 0; t < cases; t++) {
    product p = random_product(7000 + t, 1);
    size_t *const sides[] = {&p.m, &p.n, &p.k};
    for (size_t d = 0; d < 3; d++) *sides[d] = (size_t)exp(test_uniform(t, d, 0, log(largest + 0.5)));
    if (t % 15 == 3) p.k = 0;
    if (t % 15 == 4) p.m = 1;
    if (t % 15 == 5) p.n = 1;
    p.what_c = p.beta == 0 ? NANS : NORMAL;
    operands o = make_operands(ctx, &p);
    ASSERT_OK(ctx, cliv_gemm(ctx, p.ta, p.tb, p.alpha, o.a.view, o.b.view, p.beta, o.c.view,
                             &(cliv_blas_options){.provider = CLIV_PROVIDER_EXACT}, NULL));
    float *got = test_read(o.c.base.tensor);
    const double units = 4 * sqrt(p.k > 1 ? (double)p.k : 1) * 0x1p-24;
    const double alpha = (double)(float)p.alpha, beta = (double)(float)p.beta;
    for (size_t i = 0; i < p.m; i++) {
      sum_row(&p, &o, i, sums, sizes);
      for (size_t j = 0; j < p.n; j++) {
        const double old = p.beta == 0 ? 0 : beta * (double)((float *)o.c.host)[matrix_at(&o.c, i, j)];
        ASSERT_NEAR((double)got[matrix_at(&o.c, i, j)], alpha * sums[j] + old,
                    units * (fabs(alpha) * sizes[j] + fabs(old)));
      }
    }
    free(got);
    free_operands(&o);
  }
  test_close(ctx);
}

static void random_shapes(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t i = 0; i < (matrix_small(ctx) ? 24 : 120); i++) {
      product p = random_product(i, matrix_small(ctx) ? 40 : 200);
      p.what = matrix_hardest(ctx, i);
      p.what_c = p.beta == 0 && i % 2 ? NANS : p.what;
      check_exact(ctx, &p, i % 2 || p.k == 0 || p.alpha == 0 ? NULL : &(cliv__cuts){.small = -1});
      p.what = NORMAL;
      p.what_c = p.beta == 0 ? NANS : NORMAL;
      if (i % 3 == 0) check_error(ctx, &p, CLIV_PROVIDER_EXACT);
    }
    test_close(ctx);
  }
}

static cliv_tensor *tensor_of(cliv_context *ctx, const float *host, size_t rows, size_t columns) {
  cliv_tensor *t;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){rows, columns}, &t));
  ASSERT_OK(ctx, cliv_tensor_write(t, host, rows * columns * sizeof *host));
  return t;
}

/* Whole numbers, many of them 0: sums of nothing but zeros are +0, whatever the signs of these, and C = ±0 shows what
 * alpha and beta make of it. */
static void zeros(void **state) {
  (void)state;
  enum { M = 9, N = 21, K = 5 };
  static const double factors[][2] = {{1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-2, -1}};
  float a[M * K], b[K * N], c[M * N], want[M * N];
  for (size_t i = 0; i < M * K; i++) a[i] = i % 3 == 1 ? -0.0f : (float)((int)(test_bits(1, i) % 3) - 1);
  for (size_t i = 0; i < K * N; i++) b[i] = i % 4 == 2 ? -0.0f : (float)((int)(test_bits(2, i) % 3) - 1);
  for (size_t i = 0; i < M * N; i++) c[i] = i % 3 == 0 ? -0.0f : i % 3 == 1 ? 0.0f : 1.0f;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t f = 0; f < sizeof factors / sizeof *factors; f++) {
      const float alpha = (float)factors[f][0], beta = (float)factors[f][1];
      cliv_tensor *x = tensor_of(ctx, a, M, K), *y = tensor_of(ctx, b, K, N), *z = tensor_of(ctx, c, M, N);
      for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++) {
          float s = 0;
          for (size_t k = 0; k < K; k++) s = fmaf(a[i * K + k], b[k * N + j], s);
          want[i * N + j] = beta == 0 ? alpha * s : fmaf(alpha, s, beta * c[i * N + j]);
        }
      ASSERT_OK(
          ctx, cliv_gemm(ctx, 0, 0, alpha, x, y, beta, z, &(cliv_blas_options){.provider = CLIV_PROVIDER_EXACT}, NULL));
      float *got = test_read(z);
      assert_memory_equal(got, want, sizeof want);
      free(got);
      cliv_tensor_free(x), cliv_tensor_free(y), cliv_tensor_free(z);
    }
    test_close(ctx);
  }
}

static void double_precision(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t i = 0; i < 24 && cliv_context_has(ctx, CLIV_F64); i++) {
      product p = random_product(i, 40);
      p.dtype = CLIV_F64;
      p.what = p.what_c = matrix_hardest(ctx, i);
      check_exact(ctx, &p, NULL);
    }
    test_close(ctx);
  }
}

/* Cuts along k, m and n, packed and in place, in every combination of transposes. */
static void cuts(void **state) {
  (void)state;
  static const cliv__cuts all[] = {
      {0},
      {.small = 1},
      {.small = -1, .pack_a = 1, .pack_b = 1},
      {.small = -1, .pack_a = -1, .pack_b = -1},
      {.small = -1, .block_k = 16, .pack_a = 1, .pack_b = -1},
      {.small = -1, .block_k = 7, .pack_a = -1, .pack_b = 1},
      {.small = -1, .block_k = 5, .launch_work = 3000, .pack_a = 1, .pack_b = 1},
      {.small = -1, .block_k = 21, .launch_work = 9000, .pack_a = -1, .pack_b = -1},
      {.small = -1, .block_k = 1 << 20, .launch_work = 1, .pack_a = 1, .pack_b = 1},
      {.small = -1, .block_k = 16, .room = 1, .pack_a = 1, .pack_b = 1},
      {.small = -1, .block_k = 7, .room = 4000, .pack_a = 1, .pack_b = -1},
      {.small = -1, .block_k = 20, .room = 6000, .launch_work = 9000, .pack_a = -1, .pack_b = 1},
      {.small = -1, .block_k = 1 << 20, .room = 9000, .pack_a = 1, .pack_b = 1},
      {.small = -1, .side = 8},
      {.small = -1, .side = 8, .block_k = 21, .launch_work = 9000},
  };
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    const size_t m = matrix_small(ctx) ? 13 : 67, n = matrix_small(ctx) ? 21 : 101, k = matrix_small(ctx) ? 12 : 61;
    for (unsigned i = 0; i < 8 * sizeof all / sizeof *all; i++) {
      const product p = {.dtype = CLIV_F32,
                         .m = m,
                         .n = n,
                         .k = k,
                         .ta = i & 1,
                         .tb = i & 2,
                         .alpha = 0.7,
                         .beta = i & 4 ? -0.4 : 0,
                         .gap = i % 3,
                         .lead = i % 2,
                         .what = matrix_hardest(ctx, i % 2 ? 3 : 0),
                         .what_c = i & 4 ? NORMAL : NANS,
                         .seed = 7 + i};
      check_exact(ctx, &p, &all[i / 8]);
    }
    test_close(ctx);
  }
}

/* A product in two calls of which the second goes on from the sums of the first: the same bits as one. */
static void resumed(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (unsigned i = 0; i < 12; i++) {
      const product p = {.dtype = CLIV_F32,
                         .m = i / 4 == 1 ? 1 : 23,
                         .n = i / 4 == 2 ? 1 : 37,
                         .k = 29,
                         .ta = i & 1,
                         .tb = i & 2,
                         .alpha = 1,
                         .gap = i % 3,
                         .what = matrix_hardest(ctx, 3),
                         .what_c = NANS,
                         .seed = 170 + i};
      operands o = make_operands(ctx, &p);
      const cl_ulong cut = 11;
      for (int part = 0; part < 2; part++) {
        cliv__gemm g = describe(&p, &o);
        g.resumes = part;
        g.k = part ? p.k - cut : cut;
        if (part) g.a.first += cut * (p.ta ? g.a.pitch : 1);
        if (part) g.b.first += cut * (p.tb ? 1 : g.b.pitch);
        *(p.ta ? &g.a.rows : &g.a.columns) = *(p.tb ? &g.b.columns : &g.b.rows) = g.k;
        ASSERT_OK(ctx, cliv__exact_gemm(ctx, &g, &(cliv__cuts){.block_k = i % 2 ? 5 : 0}, NULL));
      }
      matrix_product(&o.a, p.ta, &o.b, p.tb, p.k, 1, 0, &o.c);
      void *got = test_read(o.c.base.tensor);
      ASSERT_SAME(p.dtype, got, o.c.host, o.c.total);
      free(got);
      free_operands(&o);
    }
    test_close(ctx);
  }
}

/* B and C, blocks of columns of one buffer, where vectors of B in place would reach into C. */
static void neighbours(void **state) {
  (void)state;
  enum { SIDE = 35, N = 21 };
  cliv_context *ctx = test_open(CLIV_WALK_CPU);
  matrix a = matrix_make(ctx, CLIV_F32, SIDE, SIDE, 0, 0, NORMAL, 1);
  matrix both = matrix_make(ctx, CLIV_F32, SIDE, 2 * N, 1, 0, NORMAL, 2), b = both, c = both;
  const size_t shape[] = {SIDE, N};
  b.columns = c.columns = N;
  c.lead += N;
  ASSERT_OK(ctx, cliv_tensor_view(both.base.tensor, b.lead, 2, shape, b.pitch, &b.view));
  ASSERT_OK(ctx, cliv_tensor_view(both.base.tensor, c.lead, 2, shape, c.pitch, &c.view));
  const product p = {.dtype = CLIV_F32, .m = SIDE, .n = N, .k = SIDE, .alpha = 1};
  const operands o = {a, b, c};
  const cliv__gemm g = describe(&p, &o);
  ASSERT_OK(ctx, cliv__exact_gemm(ctx, &g, &(cliv__cuts){.small = -1, .pack_b = -1}, NULL));
  matrix_product(&a, false, &b, false, SIDE, 1, 0, &c);
  void *got = test_read(both.base.tensor);
  ASSERT_SAME(CLIV_F32, got, both.host, both.total);
  free(got);
  cliv_tensor_free(b.view);
  cliv_tensor_free(c.view);
  matrix_free(&a);
  matrix_free(&both);
  test_close(ctx);
}

/* Products of one row or column by the walk for vectors, cut along k, and by the walk for matrices. */
static void thin(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    const size_t long_side = matrix_small(ctx) ? 37 : 531, long_sum = matrix_small(ctx) ? 21 : 67;
    for (unsigned i = 0; i < 48; i += matrix_small(ctx) ? 5 : 1) {
      product p = {.dtype = CLIV_F32,
                   .m = long_side,
                   .n = 1,
                   .k = i & 8 ? long_sum : 5,
                   .ta = i & 1,
                   .tb = i & 2,
                   .alpha = -1.5,
                   .beta = i & 4 ? 0.25 : 0,
                   .gap = i % 3,
                   .lead = i % 4,
                   .what_c = i & 4 ? NORMAL : NANS,
                   .seed = 70 + i};
      const size_t narrow[] = {1, 2, 3};
      p.n = narrow[i / 16];
      if (i & 8) {
        p.m = p.n;
        p.n = long_side;
      }
      check_exact(ctx, &p, NULL);
      check_exact(ctx, &p, &(cliv__cuts){.block_k = 9, .launch_work = 1});
      check_exact(ctx, &p, &(cliv__cuts){.no_gemv = 1});
    }
    test_close(ctx);
  }
}

/* Longer along k than a default block. */
static void long_sums(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_CPU);
  const product p = {
      .dtype = CLIV_F32, .m = 200, .n = 170, .k = 2500, .alpha = 1, .beta = 1, .what_c = NORMAL, .seed = 5};
  if (!matrix_small(ctx)) check_exact(ctx, &p, NULL);
  if (!matrix_small(ctx)) check_error(ctx, &p, CLIV_PROVIDER_EXACT);
  test_close(ctx);
}

/* The GPU walk's result does not depend on the group. */
static void groups(void **state) {
  (void)state;
  const size_t sizes[] = {16, 128};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
    cliv_context *ctx = test_open_group(CLIV_WALK_GPU, sizes[s]);
    for (unsigned i = 0; i < 4; i++) {
      const product p = {.dtype = CLIV_F32,
                         .m = 35,
                         .n = 45,
                         .k = 29,
                         .ta = i & 1,
                         .tb = i & 2,
                         .alpha = 1,
                         .beta = 0.5,
                         .gap = 1,
                         .what_c = NORMAL,
                         .seed = 40 + i};
      check_exact(ctx, &p, NULL);
    }
    test_close(ctx);
  }
}

/* ---- what sums nothing ---- */

/* A and B are not read, so they may hold NaN; C becomes beta C. */
static void nothing_to_sum(void **state) {
  (void)state;
  static const double betas[] = {0, 1, -0.5};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (unsigned i = 0; i < 18; i++) {
      product p = {.dtype = CLIV_F32,
                   .m = 19,
                   .n = 33,
                   .k = 3,
                   .alpha = 0,
                   .beta = betas[i % 3],
                   .gap = i % 2,
                   .what = NANS,
                   .what_c = i % 3 ? matrix_hardest(ctx, 4) : NANS,
                   .seed = 90 + i};
      if (i / 3 == 1) p.alpha = -0.0;
      if (i / 3 == 2) p.alpha = 1e-60; /* 0 as a float32 */
      if (i / 3 == 3) p.k = 0, p.alpha = 1;
      if (i / 3 == 4) p.m = 0;
      if (i / 3 == 5) p.n = 0, p.k = 0;
      check_exact(ctx, &p, NULL);
    }
    test_close(ctx);
  }
}

/* ---- gemv, ger, axpy ---- */

static const cliv_provider providers[] = {CLIV_PROVIDER_EXACT,
#ifdef CLIV_HAVE_CLBLAST
                                          CLIV_PROVIDER_CLBLAST
#endif
};
enum { PROVIDERS = sizeof providers / sizeof *providers };

/* Under Oclgrind exact alone: CLBlast's caches are torn down at exit after Oclgrind, and the process ends in an
 * abort. */
static size_t provider_count(cliv_context *ctx) { return strstr(ctx->facts.platform_name, "Oclgrind") ? 1 : PROVIDERS; }

/* exact: the same bits. clblast: close, with the gaps untouched. */
static void compare(cliv_provider provider, const matrix *c, double terms) {
  float *got = test_read(c->base.tensor);
  const float *want = c->host;
  if (provider == CLIV_PROVIDER_EXACT) {
    ASSERT_SAME(CLIV_F32, got, want, c->total);
  } else {
    for (size_t i = 0; i < c->rows; i++)
      for (size_t j = 0; j < c->columns; j++) {
        float *g = got + matrix_at(c, i, j);
        ASSERT_NEAR(*g, want[matrix_at(c, i, j)], terms * 0x1p-21);
        *g = want[matrix_at(c, i, j)];
      }
    ASSERT_SAME(CLIV_F32, got, want, c->total);
  }
  free(got);
}

static void vectors(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (unsigned i = 0; i < 16 * provider_count(ctx); i++) {
      const cliv_blas_options options = {.provider = providers[i / 16]};
      const bool ta = i & 1, row = i & 2; /* row: x is 1 × k; else k × 1 with a pitch */
      const double beta = i & 4 ? -0.5 : 0;
      const size_t m = i & 8 ? 17 : 150, k = i & 8 ? 130 : 23;
      matrix a = matrix_make(ctx, CLIV_F32, ta ? k : m, ta ? m : k, i % 3, i % 2, NORMAL, i);
      matrix x = matrix_make(ctx, CLIV_F32, row ? 1 : k, row ? k : 1, i % 3, 1, NORMAL, i + 1);
      matrix y = matrix_make(ctx, CLIV_F32, m, 1, i % 4, 0, beta == 0 ? NANS : NORMAL, i + 2);
      ASSERT_OK(ctx, cliv_gemv(ctx, ta, 1.25, a.view, x.view, beta, y.view, &options, NULL));
      matrix_product(&a, ta, &x, row, k, 1.25, beta, &y);
      compare(options.provider, &y, (double)k);

      /* A += alpha x y', with x of length k and y of length m. */
      matrix z = matrix_make(ctx, CLIV_F32, k, m, i % 3, 2, NORMAL, i + 3);
      test_guard_free(&y.base), free(y.host), cliv_tensor_free(y.view);
      y = matrix_make(ctx, CLIV_F32, row ? m : 1, row ? 1 : m, i % 3, 0, NORMAL, i + 4);
      ASSERT_OK(ctx, cliv_ger(ctx, 0.75, x.view, y.view, z.view, &options, NULL));
      matrix_product(&x, row, &y, row, 1, 0.75, 1, &z);
      compare(options.provider, &z, 4);
      matrix_free(&a), matrix_free(&x), matrix_free(&y), matrix_free(&z);
    }
    test_close(ctx);
  }
}

static void axpy(void **state) {
  (void)state;
  static const double alphas[] = {1, -0.3, 0};
  size_t count;
  const size_t *sizes = test_sizes(&count);
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (unsigned i = 0; i < 2 * count * provider_count(ctx); i++) {
      const cliv_blas_options options = {.provider = providers[i / 2 / count]};
      const size_t n = sizes[i / 2 % count];
      const bool pitched = i % 2;
      if (pitched && n > 5000) continue;
      const double alpha = alphas[i % 3];
      const contents what = options.provider == CLIV_PROVIDER_EXACT && n % 2 ? matrix_hardest(ctx, 4) : NORMAL;
      matrix x = matrix_make(ctx, CLIV_F32, pitched ? 3 : 1, n, pitched ? 2 : 0, 1, what, i);
      matrix y = matrix_make(ctx, CLIV_F32, pitched ? 3 : 1, n, pitched ? 5 : 0, 0, what, i + 1);
      ASSERT_OK(ctx, cliv_axpy(ctx, alpha, x.view, y.view, &options, NULL));
      for (size_t r = 0; r < y.rows; r++)
        for (size_t j = 0; j < n && alpha != 0; j++) {
          float *to = (float *)y.host + matrix_at(&y, r, j);
          *to = matrix_canonical(fmaf((float)alpha, ((float *)x.host)[matrix_at(&x, r, j)], *to));
        }
      compare(options.provider, &y, 4);
      matrix_free(&x), matrix_free(&y);
    }
    test_close(ctx);
  }
}

/* ---- CLBlast ---- */

#ifdef CLIV_HAVE_CLBLAST
/* y = A x / 2 + y, A += x y', A += 3 A: of whole numbers, whose sums are the same in any order. */
static void narrow_sums(cliv_context *ctx, cliv_dtype dtype, cliv_provider provider, cliv_tensor *y, cliv_tensor *c) {
  const cliv_blas_options options = {.provider = provider};
  const size_t m = 40, k = 19, shape[] = {m, k};
  uint16_t numbers[40 * 19];
  cliv_tensor *a, *x, *const all[] = {y, c};
  for (size_t i = 0; i < m * k; i++) test_put(dtype, numbers, i, (double)(test_bits(3, i) % 7) - 3);
  ASSERT_OK(ctx, cliv_tensor_create(ctx, dtype, 2, shape, &a));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, dtype, 1, &k, &x));
  ASSERT_OK(ctx, cliv_tensor_write(a, numbers, sizeof numbers));
  ASSERT_OK(ctx, cliv_tensor_write(x, numbers + 5, k * sizeof *numbers));
  for (int i = 0; i < 2; i++)
    ASSERT_OK(ctx, cliv_tensor_write(all[i], numbers, cliv_tensor_count(all[i]) * sizeof *numbers));
  ASSERT_OK(ctx, cliv_gemv(ctx, 0, 0.5, a, x, 1, y, &options, NULL));
  ASSERT_OK(ctx, cliv_ger(ctx, 1, y, x, c, &options, NULL));
  ASSERT_OK(ctx, cliv_axpy(ctx, 3, a, c, &options, NULL));
  cliv_tensor_free(a), cliv_tensor_free(x);
}

static void narrow_by_clblast(cliv_context *ctx) {
  const size_t shape[] = {40, 19};
  for (int t = 0; t < 2; t++) {
    const cliv_dtype dtype = t ? CLIV_BF16 : CLIV_F16;
    cliv_tensor *y[2], *c[2];
    for (int i = 0; i < 2; i++) {
      ASSERT_OK(ctx, cliv_tensor_create(ctx, dtype, 1, shape, &y[i]));
      ASSERT_OK(ctx, cliv_tensor_create(ctx, dtype, 2, shape, &c[i]));
      narrow_sums(ctx, dtype, providers[i], y[i], c[i]);
    }
    ASSERT_SAME_TENSORS(y[1], y[0]);
    ASSERT_SAME_TENSORS(c[1], c[0]);
    for (int i = 0; i < 2; i++) cliv_tensor_free(y[i]), cliv_tensor_free(c[i]);
  }
}
#endif

static void clblast(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
#ifdef CLIV_HAVE_CLBLAST
  if (provider_count(ctx) > 1) narrow_by_clblast(ctx);
  for (size_t i = 0; i < (provider_count(ctx) < 2 ? 0 : matrix_small(ctx) ? 6 : 24); i++) {
    product p = random_product(i, matrix_small(ctx) ? 20 : 200);
    p.what_c = p.beta == 0 ? NANS : NORMAL;
    check_error(ctx, &p, CLIV_PROVIDER_CLBLAST);
  }
#else
  const product p = {.dtype = CLIV_F32, .m = 2, .n = 2, .k = 2, .alpha = 1};
  operands o = make_operands(ctx, &p);
  ASSERT_FAILS(ctx,
               cliv_gemm(ctx, 0, 0, 1, o.a.view, o.b.view, 0, o.c.view,
                         &(cliv_blas_options){.provider = CLIV_PROVIDER_CLBLAST}, NULL),
               CLIV_NO_CLBLAST, "exact");
  free_operands(&o);
#endif
  test_close(ctx);
}

static void choice(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cl_device_type type;
  ASSERT_CL(clGetDeviceInfo(cliv_context_cl_device(ctx), CL_DEVICE_TYPE, sizeof type, &type, NULL));
#ifdef CLIV_HAVE_CLBLAST
  assert_int_equal(cliv_blas_auto(ctx), type & CL_DEVICE_TYPE_CPU ? CLIV_PROVIDER_EXACT : CLIV_PROVIDER_CLBLAST);
#else
  assert_int_equal(cliv_blas_auto(ctx), CLIV_PROVIDER_EXACT);
#endif
  cliv_provider provider = CLIV_PROVIDER_AUTO;
  ASSERT_OK(NULL, cliv_provider_parse("clblast", &provider));
  assert_int_equal(provider, CLIV_PROVIDER_CLBLAST);
  assert_string_equal(cliv_provider_name(CLIV_PROVIDER_EXACT), "exact");
  assert_string_equal(cliv_provider_name((cliv_provider)9), "?");
  ASSERT_FAILS(NULL, cliv_provider_parse("mkl", &provider), CLIV_NAME, "mkl");
  test_close(ctx);
}

/* ---- events ---- */

/* A product that waits for a user event, cut in many launches: nothing runs before the event, done comes after
 * everything. */
static void check_events(cliv_context *ctx, cliv_provider provider) {
  product p = {.dtype = CLIV_F32, .m = 40, .n = 50, .k = 30, .alpha = 1, .beta = 1, .what_c = NORMAL, .seed = 3};
  operands o = make_operands(ctx, &p);
  cl_int code;
  const cl_event gate = clCreateUserEvent(cliv_context_cl_context(ctx), &code);
  ASSERT_CL(code);
  cl_event done = NULL;
  const cliv_sync sync = {1, &gate, &done};
  if (provider == CLIV_PROVIDER_EXACT) {
    const cliv__gemm g = describe(&p, &o);
    ASSERT_OK(ctx,
              cliv__exact_gemm(
                  ctx, &g,
                  &(cliv__cuts){.small = -1, .block_k = 8, .launch_work = 2000, .room = 2000, .pack_a = 1, .pack_b = 1},
                  &sync));
  } else {
    ASSERT_OK(ctx, cliv_gemm(ctx, 0, 0, 1, o.a.view, o.b.view, 1, o.c.view, &(cliv_blas_options){.provider = provider},
                             &sync));
  }
  assert_non_null(done);
  cl_int execution = CL_COMPLETE;
  ASSERT_CL(clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof execution, &execution, NULL));
  assert_int_not_equal(execution, CL_COMPLETE);
  ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
  ASSERT_CL(clWaitForEvents(1, &done));
  matrix_product(&o.a, false, &o.b, false, p.k, 1, 1, &o.c);
  compare(provider, &o.c, 30);
  clReleaseEvent(done);
  clReleaseEvent(gate);
  free_operands(&o);
}

static void events(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t i = 0; i < provider_count(ctx); i++) check_events(ctx, providers[i]);
    /* The same on an out-of-order queue, where the device has such. */
    cl_int code;
    const cl_command_queue queue = clCreateCommandQueue(cliv_context_cl_context(ctx), cliv_context_cl_device(ctx),
                                                        CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);
    if (!code) {
      cliv_context *loose;
      ASSERT_OK(NULL, cliv_context_wrap(cliv_context_cl_context(ctx), cliv_context_cl_device(ctx), queue,
                                        &(cliv_context_options){.walk = test_walks[w]}, &loose));
      for (size_t i = 0; i < provider_count(ctx); i++) check_events(loose, providers[i]);
      cliv_context_free(loose);
      clReleaseCommandQueue(queue);
    }
    test_close(ctx);
  }
}

/* ---- refusals ---- */

static cliv_tensor *tensor(cliv_context *ctx, cliv_dtype dtype, int ndim, size_t s0, size_t s1) {
  cliv_tensor *t;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, dtype, ndim, (size_t[]){s0, s1, 2}, &t));
  return t;
}

static void refusals(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO), *other = test_open(CLIV_WALK_AUTO);
  cliv_tensor *a = tensor(ctx, CLIV_F32, 2, 3, 4), *b = tensor(ctx, CLIV_F32, 2, 4, 5),
              *c = tensor(ctx, CLIV_F32, 2, 3, 5);
  cliv_tensor *cube = tensor(ctx, CLIV_F32, 3, 3, 4), *half = tensor(ctx, CLIV_F16, 2, 3, 5),
              *whole = tensor(ctx, CLIV_I32, 2, 3, 5);
  cliv_tensor *x = tensor(ctx, CLIV_F32, 1, 4, 0), *y = tensor(ctx, CLIV_F32, 1, 3, 0),
              *foreign = tensor(other, CLIV_F32, 2, 4, 5);
  cliv_tensor *big = tensor(ctx, CLIV_F32, 2, 8, 8), *left, *right, *upper;
  ASSERT_OK(ctx, cliv_tensor_view(big, 0, 2, (size_t[]){4, 4}, 8, &left));
  ASSERT_OK(ctx, cliv_tensor_view(big, 4, 2, (size_t[]){4, 4}, 8, &right));
  ASSERT_OK(ctx, cliv_tensor_view(big, 2, 2, (size_t[]){4, 4}, 8, &upper));
  cl_event done = (cl_event)&done;
  const cliv_sync sync = {0, NULL, &done};
#define GEMM(a, b, c) cliv_gemm(ctx, 0, 0, 1, a, b, 0, c, NULL, &sync)
  ASSERT_FAILS(NULL, cliv_gemm(NULL, 0, 0, 1, a, b, 0, c, NULL, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, GEMM(NULL, b, c), CLIV_NULL, "'a'");
  assert_null(done);
  ASSERT_FAILS(ctx, GEMM(a, NULL, c), CLIV_NULL, "'b'");
  ASSERT_FAILS(ctx, GEMM(a, b, NULL), CLIV_NULL, "'c'");
  ASSERT_FAILS(ctx, GEMM(cube, b, c), CLIV_SHAPE, "2 and 4");
  ASSERT_FAILS(ctx, GEMM(a, x, c), CLIV_SHAPE, "two axes");
  ASSERT_FAILS(ctx, GEMM(a, c, c), CLIV_SHAPE, "4 and 3");
  ASSERT_FAILS(ctx, GEMM(a, b, a), CLIV_SHAPE, "3 × 5");
  ASSERT_FAILS(ctx, cliv_gemm(ctx, 1, 0, 1, a, b, 0, c, NULL, NULL), CLIV_SHAPE, "4 × 3");
  ASSERT_FAILS(ctx, GEMM(a, b, half), CLIV_DTYPE, "float16");
  ASSERT_FAILS(ctx, GEMM(a, b, whole), CLIV_DTYPE, "int32");
  ASSERT_FAILS(ctx, GEMM(a, foreign, c), CLIV_VALUE, "another context");
  ASSERT_FAILS(ctx, GEMM(left, left, upper), CLIV_OVERLAP, "shares memory");
  ASSERT_FAILS(ctx, cliv_gemm(ctx, 0, 0, 1, a, b, 0, c, &(cliv_blas_options){.provider = (cliv_provider)7}, NULL),
               CLIV_VALUE, "7");
  ASSERT_FAILS(ctx, cliv_gemm(ctx, 0, 0, 1, a, b, 0, c, &(cliv_blas_options){.size = 3}, NULL), CLIV_VALUE, "size");
  ASSERT_FAILS(ctx, cliv_gemm(ctx, 0, 0, 1, a, b, 0, c, NULL, &(cliv_sync){1, NULL, NULL}), CLIV_NULL, "list");
  ASSERT_FAILS(ctx, cliv_gemv(ctx, 0, 1, a, NULL, 0, y, NULL, NULL), CLIV_NULL, "'x'");
  ASSERT_FAILS(ctx, cliv_gemv(ctx, 0, 1, a, c, 0, y, NULL, NULL), CLIV_SHAPE, "vector");
  ASSERT_FAILS(ctx, cliv_gemv(ctx, 0, 1, a, y, 0, y, NULL, NULL), CLIV_SHAPE, "3 elements");
  ASSERT_FAILS(ctx, cliv_gemv(ctx, 1, 1, a, y, 0, y, NULL, NULL), CLIV_SHAPE, "y has 3");
  ASSERT_FAILS(ctx, cliv_gemv(ctx, 0, 1, left, x, 0, x, NULL, NULL), CLIV_OVERLAP, "shares memory");
  ASSERT_FAILS(ctx, cliv_ger(ctx, 1, x, y, a, NULL, NULL), CLIV_SHAPE, "3 × 4");
  ASSERT_FAILS(ctx, cliv_ger(ctx, 1, y, NULL, a, NULL, NULL), CLIV_NULL, "'y'");
  ASSERT_FAILS(ctx, cliv_axpy(ctx, 1, x, y, NULL, NULL), CLIV_SHAPE, "[4]");
  ASSERT_FAILS(ctx, cliv_axpy(ctx, 1, x, x, NULL, NULL), CLIV_OVERLAP, "shares memory");
  ASSERT_OK(ctx, cliv_tensor_fill(big, 1, NULL));
  ASSERT_OK(ctx, cliv_gemm(ctx, 0, 0, 1, left, left, 0, right, NULL, NULL)); /* side by side is no overlap */
  cliv_tensor *all[] = {a, b, c, cube, half, whole, x, y, foreign, left, right, upper, big};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  test_close(ctx);
  test_close(other);
}

static cl_uint references(cl_context context) {
  cl_uint count = 0;
  ASSERT_CL(clGetContextInfo(context, CL_CONTEXT_REFERENCE_COUNT, sizeof count, &count, NULL));
  return count;
}

/* The guest's cl_context is its own again once CLBlast has dropped its programs. */
static void forgets(void **state) {
  (void)state;
  cliv_context *model = test_open(CLIV_WALK_AUTO), *ctx;
  cl_device_id device = cliv_context_cl_device(model);
  cl_int code;
  const cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
  ASSERT_CL(code);
  const cl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);
  ASSERT_CL(code);
  const cl_uint before = references(context);
  ASSERT_OK(NULL, cliv_context_wrap(context, device, queue, NULL, &ctx));
#ifdef CLIV_HAVE_CLBLAST
  product p = {.dtype = CLIV_F32, .m = 3, .n = 4, .k = 5, .alpha = 1, .seed = 8};
  operands o = make_operands(ctx, &p);
  ASSERT_OK(ctx, cliv_gemm(ctx, 0, 0, 1, o.a.view, o.b.view, 0, o.c.view,
                           &(cliv_blas_options){.provider = CLIV_PROVIDER_CLBLAST}, NULL));
  free_operands(&o);
#endif
  cliv_context_free(ctx);
  ASSERT_OK(NULL, cliv_blas_forget());
  /* rusticl's own thread lets go of a context a little later */
  for (int i = 0; i < 1000 && references(context) != before; i++)
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  assert_int_equal(references(context), before);
  ASSERT_CL(clReleaseCommandQueue(queue));
  ASSERT_CL(clReleaseContext(context));
  test_close(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(accuracy),       cmocka_unit_test(random_shapes),
      cmocka_unit_test(zeros),          cmocka_unit_test(double_precision),
      cmocka_unit_test(cuts),           cmocka_unit_test(neighbours),
      cmocka_unit_test(resumed),        cmocka_unit_test(thin),
      cmocka_unit_test(long_sums),      cmocka_unit_test(groups),
      cmocka_unit_test(nothing_to_sum), cmocka_unit_test(vectors),
      cmocka_unit_test(axpy),           cmocka_unit_test(clblast),
      cmocka_unit_test(choice),         cmocka_unit_test(events),
      cmocka_unit_test(refusals),       cmocka_unit_test(forgets),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, test_forget_programs));
}
