/* Batches of matrix products: bits against the same chains on the host, in both walks, however they lie; both
 * providers. */
#include <cliv/blas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blas/exact.h"
#include "matrices.h"
#include "runtime/tensor.h"

static const cliv_blas_options EXACT = {.provider = CLIV_PROVIDER_EXACT};

typedef struct batch {
  cliv_dtype dtype;
  size_t count, m, n, k;
  bool ta, tb, one_a, one_b; /* one_a: all products use the same A */
  double alpha, beta;
  size_t gap, lead;
  contents what;
  uint64_t seed;
} batch;

/* Three matrices that hold the batch row by row, and views of three axes. */
typedef struct operands {
  matrix a, b, c;
  cliv_tensor *view[3];
} operands;

static cliv_tensor *view_of(cliv_context *ctx, const matrix *m, size_t count, size_t rows, bool flat) {
  cliv_tensor *view;
  const size_t shape[] = {count, rows, m->columns};
  const int ndim = flat ? 2 : 3;
  if (m->rows && m->columns)
    ASSERT_OK(ctx, cliv_tensor_view(m->base.tensor, m->lead, ndim, shape + flat, m->pitch, &view));
  else ASSERT_OK(ctx, cliv_tensor_create(ctx, m->dtype, ndim, shape + flat, &view));
  return view;
}

static operands make(cliv_context *ctx, const batch *p) {
  operands o;
  const size_t na = p->one_a ? 1 : p->count, nb = p->one_b ? 1 : p->count;
  o.a = matrix_make(ctx, p->dtype, na * (p->ta ? p->k : p->m), p->ta ? p->m : p->k, p->gap, p->lead, p->what,
                    p->seed + 1);
  o.b = matrix_make(ctx, p->dtype, nb * (p->tb ? p->n : p->k), p->tb ? p->k : p->n, p->gap / 2, p->lead / 2, p->what,
                    p->seed + 2);
  o.c = matrix_make(ctx, p->dtype, p->count * p->m, p->n, p->gap * 2, p->lead, p->beta == 0 ? NANS : p->what,
                    p->seed + 3);
  o.view[0] = view_of(ctx, &o.a, na, p->ta ? p->k : p->m, p->one_a && p->seed % 2);
  o.view[1] = view_of(ctx, &o.b, nb, p->tb ? p->n : p->k, p->one_b && p->seed % 2);
  o.view[2] = view_of(ctx, &o.c, p->count, p->m, false);
  return o;
}

static void drop(operands *o) {
  for (int i = 0; i < 3; i++) cliv_tensor_free(o->view[i]);
  matrix_free(&o->a), matrix_free(&o->b), matrix_free(&o->c);
}

/* What C becomes, on the host. */
static void expect(const batch *p, operands *o) {
  for (size_t z = 0; z < p->count; z++) {
    const matrix a = matrix_part(&o->a, p->one_a ? 0 : z, p->ta ? p->k : p->m);
    const matrix b = matrix_part(&o->b, p->one_b ? 0 : z, p->tb ? p->n : p->k);
    matrix c = matrix_part(&o->c, z, p->m);
    matrix_product(&a, p->ta, &b, p->tb, p->k, p->alpha, p->beta, &c);
  }
}

/* Bits of C, its gaps and its surroundings. */
static void check_bits(const operands *o) {
  void *got = test_read(o->c.base.tensor);
  ASSERT_SAME(o->c.dtype, got, o->c.host, o->c.total);
  free(got);
}

static void check(cliv_context *ctx, const batch *p) {
  operands o = make(ctx, p);
  ASSERT_OK(ctx, cliv_gemm(ctx, p->ta, p->tb, p->alpha, o.view[0], o.view[1], p->beta, o.view[2], &EXACT, NULL));
  expect(p, &o);
  check_bits(&o);
  drop(&o);
}

static cliv__gemm describe(const batch *p, const operands *o) {
  const size_t rows[] = {p->ta ? p->k : p->m, p->tb ? p->n : p->k, p->m};
  cliv__matrix list[3];
  for (int i = 0; i < 3; i++) {
    const cliv_tensor *const t = o->view[i];
    const bool one = (i == 0 && p->one_a) || (i == 1 && p->one_b);
    list[i] = (cliv__matrix){t->mem, cliv__first(t), rows[i], t->columns, t->pitch, one ? 0 : rows[i] * t->pitch};
  }
  return (cliv__gemm){.dtype = p->dtype,
                      .trans_a = p->ta,
                      .trans_b = p->tb,
                      .m = p->m,
                      .n = p->n,
                      .k = p->k,
                      .alpha = p->alpha,
                      .beta = p->beta,
                      .a = list[0],
                      .b = list[1],
                      .c = list[2],
                      .batch = p->count};
}

static void check_cuts(cliv_context *ctx, const batch *p, const cliv__cuts *cuts) {
  operands o = make(ctx, p);
  const cliv__gemm g = describe(p, &o);
  ASSERT_OK(ctx, cliv__exact_gemm(ctx, &g, cuts, NULL));
  expect(p, &o);
  check_bits(&o);
  drop(&o);
}

static const struct {
  size_t count, m, n, k;
} shapes[] = {{1, 5, 7, 3},  {3, 1, 1, 1},   {7, 32, 32, 32}, {5, 17, 33, 40}, {3, 6, 16, 257},
              {9, 1, 20, 5}, {9, 20, 1, 17}, {0, 3, 4, 5},    {2, 0, 4, 5},    {2, 3, 0, 5},
              {3, 4, 5, 0},  {40, 2, 3, 4},  {2, 13, 10, 64}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static batch batch_at(cliv_context *ctx, size_t i) {
  static const double factors[] = {1, 0, -0.3, 1.7};
  return (batch){.dtype = CLIV_F32,
                 .count = shapes[i % SHAPES].count,
                 .m = shapes[i % SHAPES].m,
                 .n = shapes[i % SHAPES].n,
                 .k = shapes[i % SHAPES].k,
                 .ta = test_bits(i, 1) & 1,
                 .tb = test_bits(i, 2) & 1,
                 .one_a = test_bits(i, 3) % 4 == 0,
                 .one_b = test_bits(i, 4) % 4 == 0,
                 .alpha = factors[test_bits(i, 5) % 4],
                 .beta = factors[test_bits(i, 6) % 3],
                 .gap = test_bits(i, 7) % 4,
                 .lead = test_bits(i, 8) % 5,
                 .what = matrix_hardest(ctx, i),
                 .seed = 500 + i};
}

static void strided(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t i = 0; i < (matrix_small(ctx) ? 1 : 6) * SHAPES; i++) {
      const batch p = batch_at(ctx, i);
      check(ctx, &p);
    }
    test_close(ctx);
  }
}

static void double_precision(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t i = 0; i < SHAPES && cliv_context_has(ctx, CLIV_F64); i++) {
      batch p = batch_at(ctx, 3 * i + 1);
      p.dtype = CLIV_F64;
      check(ctx, &p);
    }
    test_close(ctx);
  }
}

/* Launches of few matrices, of pieces of one, and by the walk for large ones. */
static void cuts(void **state) {
  (void)state;
  static const cliv__cuts all[] = {{.launch_work = 1},
                                   {.launch_work = 100000},
                                   {.small = -1},
                                   {.small = -1, .block_k = 9, .pack_a = 1, .pack_b = 1, .launch_work = 4000}};
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (unsigned i = 0; i < 4 * (matrix_small(ctx) ? 1u : 4u); i++) {
      const batch p = {.dtype = CLIV_F32,
                       .count = 5,
                       .m = 19,
                       .n = 21,
                       .k = 23,
                       .ta = i / 4 & 1,
                       .tb = i / 8 & 1,
                       .one_b = i % 3 == 0,
                       .alpha = 0.7,
                       .beta = i & 1 ? -0.4 : 0,
                       .gap = i % 3,
                       .what = matrix_hardest(ctx, i),
                       .seed = 7 + i};
      check_cuts(ctx, &p, &all[i % 4]);
    }
    test_close(ctx);
  }
}

/* ---- matrices that lie anywhere ---- */

/* Product z of the list uses the matrices order[z] of the three that hold all: evenly apart, in any order, some used
 * twice, and from another allocation as well. */
static void check_list(cliv_context *ctx, const batch *p, const size_t *order, bool elsewhere, cliv_provider provider) {
  operands o = make(ctx, p), other = make(ctx, p);
  enum { MOST = 16 };
  cliv_tensor *a[MOST], *b[MOST], *c[MOST];
  const size_t rows[] = {p->ta ? p->k : p->m, p->tb ? p->n : p->k, p->m};
  for (size_t z = 0; z < p->count; z++) {
    cliv_tensor **const out[] = {&a[z], &b[z], &c[z]};
    operands *const from = elsewhere && z % 2 ? &other : &o;
    const matrix *const whole[] = {&from->a, &from->b, &from->c};
    for (int i = 0; i < 3; i++) {
      const size_t at = i == 2 ? z : order[z];
      const matrix part = matrix_part(whole[i], at, rows[i]);
      ASSERT_OK(ctx, cliv_tensor_view(whole[i]->base.tensor, part.lead, 2, (size_t[]){rows[i], whole[i]->columns},
                                      whole[i]->pitch, out[i]));
    }
    const matrix ma = matrix_part(&from->a, order[z], rows[0]), mb = matrix_part(&from->b, order[z], rows[1]);
    matrix mc = matrix_part(&from->c, z, rows[2]);
    matrix_product(&ma, p->ta, &mb, p->tb, p->k, p->alpha, p->beta, &mc);
  }
  const cliv_blas_options options = {.provider = provider};
  ASSERT_OK(ctx, cliv_gemm_batched(ctx, p->count, p->ta, p->tb, p->alpha, (const cliv_tensor *const *)a,
                                   (const cliv_tensor *const *)b, p->beta, c, &options, NULL));
  if (provider == CLIV_PROVIDER_EXACT) {
    check_bits(&o);
    check_bits(&other);
  } else {
    float *got = test_read(o.c.base.tensor);
    for (size_t i = 0; i < o.c.rows; i++)
      for (size_t j = 0; j < o.c.columns; j++) {
        const size_t e = matrix_at(&o.c, i, j);
        ASSERT_NEAR(got[e], ((float *)o.c.host)[e], (double)(p->k + 1) * 0x1p-20);
        got[e] = ((float *)o.c.host)[e];
      }
    ASSERT_SAME(CLIV_F32, got, o.c.host, o.c.total);
    free(got);
  }
  for (size_t z = 0; z < p->count; z++) cliv_tensor_free(a[z]), cliv_tensor_free(b[z]), cliv_tensor_free(c[z]);
  drop(&o);
  drop(&other);
}

static const size_t orders[][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {5, 2, 2, 7, 0, 1, 6, 3}, {3, 3, 3, 3, 3, 3, 3, 3}};

static void lists(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (unsigned i = 0; i < (matrix_small(ctx) ? 6 : 24); i++) {
      batch p = {.dtype = CLIV_F32,
                 .count = 8,
                 .m = 11,
                 .n = i % 4 == 3 ? 1 : 18,
                 .k = 13,
                 .ta = i & 1,
                 .tb = i & 2,
                 .alpha = 1.5,
                 .beta = i & 4 ? 0.5 : 0,
                 .gap = i % 3,
                 .lead = i % 2,
                 .seed = 50 + i};
      if (i % 8 == 7) p.k = 0;
      check_list(ctx, &p, orders[i % 3], i % 4 == 1, CLIV_PROVIDER_EXACT);
    }
    test_close(ctx);
  }
}

/* ---- CLBlast ---- */

#ifdef CLIV_HAVE_CLBLAST
/* A list by CLBlast that waits for what only the caller will do does not block. */
static void list_that_waits(cliv_context *ctx) {
  enum { SIDE = 4, EACH = SIDE * SIDE, PLACES = 6 };
  cliv_tensor *all, *part[PLACES];
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){PLACES * EACH}, &all));
  ASSERT_OK(ctx, cliv_tensor_fill(all, 1, NULL));
  for (size_t i = 0; i < PLACES; i++)
    ASSERT_OK(ctx, cliv_tensor_view(all, i * EACH, 2, (size_t[]){SIDE, SIDE}, SIDE, &part[i]));
  ASSERT_OK(ctx, cliv_context_finish(ctx));
  cl_int code;
  const cl_event gate = clCreateUserEvent(cliv_context_cl_context(ctx), &code);
  ASSERT_CL(code);
  const cliv_tensor *const a[] = {part[0], part[1], part[0]}, *const b[] = {part[1], part[0], part[0]};
  cliv_tensor *const c[] = {part[2], part[3], part[5]};
  alarm(60);
  ASSERT_OK(ctx, cliv_gemm_batched(ctx, 3, 0, 0, 1, a, b, 0, c, &(cliv_blas_options){.provider = CLIV_PROVIDER_CLBLAST},
                                   &(cliv_sync){1, &gate, NULL}));
  alarm(0);
  ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
  float *got = test_read(all);
  for (size_t i = 0; i < PLACES * EACH; i++) assert_true(got[i] == (i / EACH < 2 || i / EACH == 4 ? 1 : SIDE));
  free(got);
  clReleaseEvent(gate);
  for (size_t i = 0; i < PLACES; i++) cliv_tensor_free(part[i]);
  cliv_tensor_free(all);
}
#endif

static void clblast(void **state) {
  (void)state;
#ifdef CLIV_HAVE_CLBLAST
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  /* Under Oclgrind CLBlast's caches are torn down at exit after Oclgrind, and the process ends in an abort. */
  const bool can = !strstr(ctx->facts.platform_name, "Oclgrind");
  /* Evenly apart, and listed; each is a program of CLBlast's to compile, for many seconds. */
  for (unsigned i = 0; can && i < (test_few() ? 1 : 2); i++) {
    const batch p = {.dtype = CLIV_F32,
                     .count = 8,
                     .m = 9,
                     .n = 14,
                     .k = 17,
                     .alpha = 0.5,
                     .beta = i ? 0.5 : 0,
                     .gap = i,
                     .lead = 2 * i,
                     .seed = 90 + i};
    check_list(ctx, &p, orders[i], false, CLIV_PROVIDER_CLBLAST);
  }
  if (can && !test_few()) list_that_waits(ctx);
  test_close(ctx);
#endif
}

/* ---- events and refusals ---- */

/* A batch that waits for a user event, cut in several launches. */
static void events(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    const batch p = {.dtype = CLIV_F32, .count = 6, .m = 9, .n = 20, .k = 7, .alpha = 1, .beta = 1, .seed = 3};
    operands o = make(ctx, &p);
    cl_int code;
    const cl_event gate = clCreateUserEvent(cliv_context_cl_context(ctx), &code);
    ASSERT_CL(code);
    cl_event done = NULL;
    const cliv_sync sync = {1, &gate, &done};
    const cliv__gemm g = describe(&p, &o);
    ASSERT_OK(ctx, cliv__exact_gemm(ctx, &g, &(cliv__cuts){.launch_work = 3000}, &sync));
    assert_non_null(done);
    cl_int execution = CL_COMPLETE;
    ASSERT_CL(clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof execution, &execution, NULL));
    assert_int_not_equal(execution, CL_COMPLETE);
    ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
    ASSERT_CL(clWaitForEvents(1, &done));
    expect(&p, &o);
    check_bits(&o);
    clReleaseEvent(done);
    clReleaseEvent(gate);
    drop(&o);
    test_close(ctx);
  }
}

static void refusals(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_tensor *a, *b, *c, *flat, *other, *row, *all, *part[4];
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, (size_t[]){4, 3, 5}, &a));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, (size_t[]){4, 5, 2}, &b));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, (size_t[]){4, 3, 2}, &c));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){3, 2}, &flat));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, (size_t[]){2, 5, 2}, &other));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){5}, &row));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){100}, &all));
  cl_event done = (cl_event)&done;
  const cliv_sync sync = {0, NULL, &done};
#define GEMM(a, b, c) cliv_gemm(ctx, 0, 0, 1, a, b, 0, c, NULL, &sync)
  ASSERT_FAILS(ctx, GEMM(a, other, c), CLIV_SHAPE, "B is a batch of 2 and C of 4");
  ASSERT_FAILS(ctx, GEMM(a, b, flat), CLIV_SHAPE, "A is a batch of 4 and C of 1");
  ASSERT_FAILS(ctx, GEMM(row, b, c), CLIV_SHAPE, "three");
  ASSERT_FAILS(ctx, GEMM(a, b, b), CLIV_SHAPE, "3 × 2");
  assert_null(done);
  for (size_t i = 0; i < 4; i++) ASSERT_OK(ctx, cliv_tensor_view(all, 20 * i, 2, (size_t[]){4, 4}, 0, &part[i]));
  const cliv_tensor *const x[] = {part[0], part[1]}, *const hole[] = {part[0], NULL}, *const odd[] = {part[0], flat},
                           *const cubes[] = {a, a};
  cliv_tensor *const y[] = {part[2], part[3]}, *const same[] = {part[2], part[2]}, *const onto[] = {part[2], part[0]};
#define BATCHED(a, b, c) cliv_gemm_batched(ctx, 2, 0, 0, 1, a, b, 0, c, &EXACT, &sync)
  ASSERT_FAILS(ctx, BATCHED(NULL, x, y), CLIV_NULL, "'a'");
  ASSERT_FAILS(ctx, BATCHED(x, hole, y), CLIV_NULL, "matrix 1 of 'b'");
  ASSERT_FAILS(ctx, BATCHED(x, x, NULL), CLIV_NULL, "'c'");
  ASSERT_FAILS(ctx, BATCHED(odd, x, y), CLIV_SHAPE, "matrix 1 of 'a'");
  ASSERT_FAILS(ctx, BATCHED(cubes, x, y), CLIV_SHAPE, "two axes");
  ASSERT_FAILS(ctx, BATCHED(x, x, same), CLIV_OVERLAP, "same batch");
  ASSERT_FAILS(ctx, BATCHED(x, x, onto), CLIV_OVERLAP, "same batch");
  assert_null(done);
  ASSERT_OK(ctx, cliv_tensor_fill(all, 1, NULL));
  ASSERT_OK(ctx, cliv_gemm_batched(ctx, 0, 0, 0, 1, NULL, NULL, 0, NULL, NULL, NULL));
  ASSERT_OK(ctx, cliv_gemm_batched(ctx, 2, 0, 0, 1, x, x, 0, y, &EXACT, NULL));
  float got[100];
  ASSERT_OK(ctx, cliv_tensor_read(all, got, sizeof got));
  for (size_t i = 0; i < 100; i++) assert_true(got[i] == (i >= 40 && i % 20 < 16 && i < 80 ? 4 : 1));
  cliv_tensor *list[] = {a, b, c, flat, other, row, all, part[0], part[1], part[2], part[3]};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) cliv_tensor_free(list[i]);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(strided),  cmocka_unit_test(double_precision), cmocka_unit_test(cuts),
      cmocka_unit_test(lists),    cmocka_unit_test(clblast),          cmocka_unit_test(events),
      cmocka_unit_test(refusals),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, test_forget_programs));
}
