/* Products of matrices of any strides and of narrow types: bits against the chains of the host over their elements,
 * with all that lies between them untouched. */
#include <cliv/blas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/context.h"
#include "support.h"

/* How a batch of matrices lies; ROWS_APART has its matrices farther apart than their rows say. */
typedef enum layout { ROWS, COLUMNS, SPREAD, ROWS_APART, INTERLEAVED, LAYOUTS } layout;

typedef struct matrices {
  cliv_dtype dtype;
  size_t batch, rows, columns, strides[3], lead, total;
  void *host; /* all of the memory */
  test_guarded base;
  cliv_tensor *view;
} matrices;

static size_t place(const matrices *m, size_t z, size_t i, size_t j) {
  return m->lead + (m->batch > 1 ? z : 0) * m->strides[0] + i * m->strides[1] + j * m->strides[2];
}
static double value(const matrices *m, size_t z, size_t i, size_t j) {
  return test_get(m->dtype, m->host, place(m, z, i, j));
}

/* batch 1: two axes. */
static matrices make(cliv_context *ctx, cliv_dtype dtype, size_t batch, size_t rows, size_t columns, layout how,
                     uint64_t seed) {
  const size_t strides[LAYOUTS][3] = {{rows * (columns + 1), columns + 1, 1},
                                      {columns * (rows + 2), 1, rows + 2},
                                      {rows * (3 * columns + 1), 3 * columns + 1, 3},
                                      {rows * (columns + 2) + 5, columns + 2, 1},
                                      {1, columns * batch, batch}};
  matrices m = {.dtype = dtype, .batch = batch, .rows = rows, .columns = columns, .lead = seed % 3};
  memcpy(m.strides, strides[how], sizeof m.strides);
  m.total = place(&m, batch - 1, rows - 1, columns - 1) + 3;
  m.host = test_alloc(m.total * cliv_dtype_size(dtype));
  for (size_t i = 0; i < m.total; i++) test_put(dtype, m.host, i, test_normal(seed, i));
  m.base = test_guard1(ctx, dtype, m.total, seed % 2, m.host);
  const size_t shape[] = {batch, rows, columns}, flat = batch == 1;
  ASSERT_OK(ctx,
            cliv_tensor_view_strided(m.base.tensor, m.lead, flat ? 2 : 3, shape + flat, m.strides + flat, &m.view));
  return m;
}

static void drop(matrices *m) {
  cliv_tensor_free(m->view);
  test_guard_free(&m->base);
  free(m->host);
}

typedef struct product {
  cliv_dtype dtype;
  size_t batch, m, n, k;
  bool ta, tb;
  layout a, b, c;
  double alpha, beta;
  int bias; /* 0: none; 1: along columns; 2: along rows */
  uint64_t seed;
} product;

/* Element (i, j) of C z by the definition, before it is rounded to a narrow type. */
static double element(const product *p, const matrices *a, const matrices *b, const matrices *c, const matrices *bias,
                      size_t z, size_t i, size_t j) {
  const bool wide = p->dtype == CLIV_F64;
  const double alpha = wide ? p->alpha : (double)(float)p->alpha, beta = wide ? p->beta : (double)(float)p->beta;
  double s = 0;
  for (size_t l = 0; l < p->k; l++) {
    const double x = p->ta ? value(a, z, l, i) : value(a, z, i, l), y = p->tb ? value(b, z, j, l) : value(b, z, l, j);
    s = wide ? fma(x, y, s) : (double)fmaf((float)x, (float)y, (float)s);
  }
  const double old = beta == 0 ? 0 : value(c, z, i, j);
  const volatile double scaled = wide ? beta * old : (double)((float)beta * (float)old);
  s = beta == 0 ? wide ? alpha * s : (double)((float)alpha * (float)s)
      : wide ? fma(alpha, s, scaled)
                : (double)fmaf((float)alpha, (float)s, (float)scaled);
  if (!p->bias) return s;
  const double add = value(bias, 0, 0, p->bias == 1 ? j : i);
  s = wide ? s + add : (double)((float)s + (float)add);
  return s <= 0 ? 0 : s;
}

static void check(cliv_context *ctx, const product *p, cliv_provider provider) {
  matrices a = make(ctx, p->dtype, p->batch, p->ta ? p->k : p->m, p->ta ? p->m : p->k, p->a, p->seed);
  matrices b =
      make(ctx, p->dtype, p->seed % 4 ? p->batch : 1, p->tb ? p->n : p->k, p->tb ? p->k : p->n, p->b, p->seed + 1);
  matrices c = make(ctx, p->dtype, p->batch, p->m, p->n, p->c, p->seed + 2);
  matrices bias = make(ctx, p->dtype, 1, 1, p->bias == 2 ? p->m : p->n, ROWS, p->seed + 3);
  const cliv_blas_options options = {.provider = provider,
                                     .bias = p->bias ? bias.view : NULL,
                                     .bias_rows = p->bias == 2,
                                     .activation = p->bias ? CLIV_ACTIVATION_RELU : CLIV_ACTIVATION_NONE};
  ASSERT_OK(ctx, cliv_gemm(ctx, p->ta, p->tb, p->alpha, a.view, b.view, p->beta, c.view, &options, NULL));
  for (size_t z = 0; z < p->batch; z++)
    for (size_t i = 0; i < p->m; i++)
      for (size_t j = 0; j < p->n; j++)
        test_put(p->dtype, c.host, place(&c, z, i, j), element(p, &a, &b, &c, &bias, z, i, j));
  void *got = test_read(c.base.tensor);
  for (size_t i = 0; i < c.total && provider == CLIV_PROVIDER_CLBLAST; i++) { /* numbers; gaps as they were */
    const double want = test_get(p->dtype, c.host, i);
    ASSERT_NEAR(test_get(p->dtype, got, i), want, (p->dtype == CLIV_BF16 ? 0x1p-7 : 0x1p-20) * (fabs(want) + 1));
  }
  if (provider == CLIV_PROVIDER_EXACT) ASSERT_SAME(p->dtype, got, c.host, c.total);
  free(got);
  drop(&a), drop(&b), drop(&c), drop(&bias);
}

static void try_all(cliv_dtype dtype, size_t cases) {
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t i = 0; i < (test_small() ? 8 : cases) && cliv_context_has(ctx, dtype); i++) {
      product p = {.dtype = dtype,
                   .batch = i % 3 == 2 ? 3 : 1,
                   .m = 1 + test_bits(i, 1) % 21,
                   .n = 1 + test_bits(i, 2) % 37,
                   .k = 1 + test_bits(i, 3) % 19,
                   .ta = test_bits(i, 4) & 1,
                   .tb = test_bits(i, 5) & 1,
                   .a = (layout)(i % LAYOUTS),
                   .b = (layout)(i / 2 % LAYOUTS),
                   .c = (layout)(i / 3 % LAYOUTS),
                   .alpha = i % 7 == 6 ? 0 : 0.7,
                   .beta = i % 4 == 1   ? -0.3
                           : i % 4 == 3 ? 1
                                        : 0,
                   .bias = (int)(test_bits(i, 6) % 3),
                   .seed = 300 + i};
      check(ctx, &p, CLIV_PROVIDER_EXACT);
    }
    test_close(ctx);
  }
}

static void strided(void **state) {
  (void)state;
  try_all(CLIV_F32, 60);
}
static void strided_doubles(void **state) {
  (void)state;
  if (!test_few()) try_all(CLIV_F64, 20);
}
static void halves(void **state) {
  (void)state;
  try_all(CLIV_F16, 40);
}
static void bfloats(void **state) {
  (void)state;
  if (!test_few()) try_all(CLIV_BF16, 40);
}

/* The same by CLBlast, whose programs take seconds to compile: where one stack is enough. */
static void clblast(void **state) {
  (void)state;
#ifdef CLIV_HAVE_CLBLAST
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (int t = 0; t < (strstr(ctx->facts.platform_name, "Intel") && !test_few() ? 3 : 0); t++) {
    const product p = {.dtype = t == 2 ? CLIV_BF16 : CLIV_F32,
                       .batch = 1,
                       .m = 9,
                       .n = 14,
                       .k = 17,
                       .a = t ? SPREAD : COLUMNS,
                       .b = t ? COLUMNS : ROWS,
                       .c = t == 1 ? SPREAD : COLUMNS,
                       .alpha = 0.5,
                       .beta = t ? 0.25 : 0,
                       .bias = t,
                       .seed = 500 + (uint64_t)t};
    check(ctx, &p, CLIV_PROVIDER_CLBLAST);
  }
  test_close(ctx);
#endif
}

/* A list of which some are strided; narrow ones; and the wait list and the event of a product of many launches. */
static void lists(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (int t = 0; t < 2; t++) {
    const cliv_dtype dtype = t ? CLIV_BF16 : CLIV_F32;
    const product p = {.dtype = dtype, .batch = 1, .m = 5, .n = 7, .k = 6, .alpha = 1, .beta = 0.5, .seed = 40};
    matrices a[2], b[2], c[2];
    for (int z = 0; z < 2; z++) {
      a[z] = make(ctx, dtype, 1, p.m, p.k, z ? SPREAD : ROWS, 60 + (uint64_t)z);
      b[z] = make(ctx, dtype, 1, p.k, p.n, z ? ROWS : COLUMNS, 70 + (uint64_t)z);
      c[z] = make(ctx, dtype, 1, p.m, p.n, z ? ROWS : SPREAD, 80 + (uint64_t)z);
    }
    cl_int code;
    const cl_event gate = clCreateUserEvent(cliv_context_cl_context(ctx), &code);
    ASSERT_CL(code);
    cl_event done = NULL;
    const cliv_tensor *const x[] = {a[0].view, a[1].view}, *const y[] = {b[0].view, b[1].view};
    cliv_tensor *const z[] = {c[0].view, c[1].view};
    ASSERT_OK(ctx,
              cliv_gemm_batched(ctx, 2, 0, 0, 1, x, y, 0.5, z, &(cliv_blas_options){.provider = CLIV_PROVIDER_EXACT},
                                &(cliv_sync){1, &gate, &done}));
    assert_non_null(done);
    cl_int execution = CL_COMPLETE;
    ASSERT_CL(clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof execution, &execution, NULL));
    assert_int_not_equal(execution, CL_COMPLETE);
    ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
    ASSERT_CL(clWaitForEvents(1, &done));
    for (int l = 0; l < 2; l++) {
      for (size_t i = 0; i < p.m; i++)
        for (size_t j = 0; j < p.n; j++)
          test_put(dtype, c[l].host, place(&c[l], 0, i, j), element(&p, &a[l], &b[l], &c[l], NULL, 0, i, j));
      void *got = test_read(c[l].base.tensor);
      ASSERT_SAME(dtype, got, c[l].host, c[l].total);
      free(got);
      drop(&a[l]), drop(&b[l]), drop(&c[l]);
    }
    clReleaseEvent(done);
    clReleaseEvent(gate);
  }
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(strided), cmocka_unit_test(strided_doubles),
                                     cmocka_unit_test(halves),  cmocka_unit_test(bfloats),
                                     cmocka_unit_test(clblast), cmocka_unit_test(lists)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
