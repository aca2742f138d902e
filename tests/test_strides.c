/* Views with any strides: copies, reads and writes through them, in both walks; what they must not be; and that
 * operations which know rows and a pitch alone refuse them. */
#include <cliv/blas.h>
#include <cliv/factor.h>
#include <cliv/gather.h>
#include <cliv/map.h>
#include <cliv/random.h>
#include <cliv/reduce.h>
#include <cliv/rows.h>
#include <cliv/scan.h>
#include <cliv/sort.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tensor.h"
#include "support.h"

/* A view into a buffer of `room` elements, from element `first` on. */
typedef struct layout {
  const char *name;
  int ndim;
  size_t shape[4], strides[4], first, room;
} layout;

static const layout layouts[] = {
    {"a transposed matrix", 2, {70, 131}, {1, 70}, 0, 70 * 131},
    {"every third column", 2, {40, 33}, {100, 3}, 2, 40 * 100},
    {"every second element", 1, {4099}, {2}, 1, 8200},
    {"one column", 1, {257}, {19}, 18, 257 * 19},
    {"planes, turned", 3, {5, 66, 70}, {70, 350, 1}, 0, 5 * 66 * 70},
    {"channels last", 4, {3, 5, 17, 9}, {765, 1, 45, 5}, 0, 3 * 765},
    {"an axis of one", 3, {7, 1, 9}, {1, 3, 10}, 4, 100},
    {"gaps everywhere", 4, {2, 3, 4, 5}, {1000, 300, 60, 11}, 7, 2000},
};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

static size_t count_of(const layout *l) {
  size_t n = 1;
  for (int d = 0; d < l->ndim; d++) n *= l->shape[d];
  return n;
}

/* Where element i, counted row by row, lies in the buffer. */
static size_t place(const layout *l, size_t i) {
  size_t at = l->first;
  for (int d = l->ndim - 1; d >= 0; i /= l->shape[d], d--) at += i % l->shape[d] * l->strides[d];
  return at;
}

typedef struct world {
  cliv_context *ctx;
  cliv_dtype dtype;
  cliv_tensor *base, *view, *dense;
  unsigned char *bits; /* of base */
  size_t element, count;
} world;

static world begin(cliv_context *ctx, const layout *l, cliv_dtype dtype) {
  world w = {ctx, dtype, NULL, NULL, NULL, NULL, cliv_dtype_size(dtype), count_of(l)};
  w.bits = test_alloc(l->room * w.element);
  test_fill_bits(w.bits, l->room * w.element, 5);
  ASSERT_OK(ctx, cliv_tensor_create(ctx, dtype, 1, &l->room, &w.base));
  ASSERT_OK(ctx, cliv_tensor_write(w.base, w.bits, l->room * w.element));
  ASSERT_OK(ctx, cliv_tensor_view_strided(w.base, l->first, l->ndim, l->shape, l->strides, &w.view));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, dtype, l->ndim, l->shape, &w.dense));
  return w;
}

static void end(world *w) {
  cliv_tensor_free(w->base);
  cliv_tensor_free(w->view);
  cliv_tensor_free(w->dense);
  free(w->bits);
}

static void expect_elements(const world *w, const layout *l, const unsigned char *got) {
  for (size_t i = 0; i < w->count; i++)
    if (memcmp(got + i * w->element, w->bits + place(l, i) * w->element, w->element))
      fail_msg("%s, %s: element %zu is not the one at %zu", l->name, cliv_dtype_name(w->dtype), i, place(l, i));
}

/* Elements other than the view's stay as they were. */
static void expect_base(const world *w, const layout *l, const unsigned char *dense) {
  for (size_t i = 0; i < w->count; i++) memcpy(w->bits + place(l, i) * w->element, dense + i * w->element, w->element);
  unsigned char *got = test_read(w->base);
  ASSERT_BITS(got, w->bits, l->room * w->element);
  free(got);
}

static void copy_through(cliv_context *ctx, const layout *l, cliv_dtype dtype) {
  world w = begin(ctx, l, dtype);
  assert_int_equal(cliv_tensor_pitch(w.view), 0);
  ASSERT_OK(ctx, cliv_tensor_copy(w.view, w.dense, NULL));
  unsigned char *x = test_read(w.dense), *y = test_read(w.view);
  expect_elements(&w, l, x);
  expect_elements(&w, l, y);
  test_fill_bits(x, w.count * w.element, 6);
  ASSERT_OK(ctx, cliv_tensor_write(w.view, x, w.count * w.element));
  expect_base(&w, l, x);
  test_fill_bits(x, w.count * w.element, 7);
  ASSERT_OK(ctx, cliv_tensor_write(w.dense, x, w.count * w.element));
  ASSERT_OK(ctx, cliv_tensor_copy(w.dense, w.view, NULL));
  expect_base(&w, l, x);
  free(x);
  free(y);
  end(&w);
}

static void copies_any_layout_and_type(void **state) {
  (void)state;
  for (size_t walk = test_first_walk(); walk < TEST_WALKS; walk++) {
    cliv_context *ctx = test_open(test_walks[walk]);
    for (size_t i = 0; i < LAYOUTS; i++) copy_through(ctx, &layouts[i], CLIV_F32);
    for (int d = 0; d < CLIV_DTYPE_COUNT && !test_few(); d++)
      if (cliv_context_has(ctx, (cliv_dtype)d)) copy_through(ctx, &layouts[1], (cliv_dtype)d);
    test_close(ctx);
  }
}

/* From strides to other strides: a transposition that leaves nothing dense. */
static void copies_from_strides_to_strides(void **state) {
  (void)state;
  const layout *from = &layouts[1];
  const layout to = {"turned", 2, {40, 33}, {2, 85}, 3, 33 * 85};
  for (size_t walk = test_first_walk(); walk < TEST_WALKS; walk++) {
    cliv_context *ctx = test_open(test_walks[walk]);
    world a = begin(ctx, from, CLIV_F32), b = begin(ctx, &to, CLIV_F32);
    unsigned char *x = test_read(a.view);
    ASSERT_OK(ctx, cliv_tensor_copy(a.view, b.view, NULL));
    expect_base(&b, &to, x);
    ASSERT_FAILS(ctx, cliv_tensor_copy(a.view, b.base, NULL), CLIV_SHAPE, NULL);
    free(x);
    end(&a);
    end(&b);
    test_close(ctx);
  }
}

static void strides_of_a_pitch_are_one(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_tensor *base, *view, *empty;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){1000}, &base));
  ASSERT_OK(ctx, cliv_tensor_view_strided(base, 3, 3, (size_t[]){2, 5, 7}, (size_t[]){100, 20, 1}, &view));
  assert_int_equal(cliv_tensor_pitch(view), 20);
  assert_int_equal(cliv_tensor_strides(view)[0], 100);
  ASSERT_FAILS(ctx, cliv_tensor_fill(view, 1, NULL), CLIV_LAYOUT, "dense");
  cliv_tensor_free(view);
  ASSERT_OK(ctx, cliv_tensor_view_strided(base, 0, 2, (size_t[]){1, 1000}, (size_t[]){0, 1}, &view));
  ASSERT_OK(ctx, cliv_tensor_fill(view, 1, NULL));
  cliv_tensor_free(view);
  ASSERT_OK(ctx, cliv_tensor_view_strided(base, 1000, 2, (size_t[]){3, 0}, (size_t[]){0, 0}, &empty));
  assert_int_equal(cliv_tensor_count(empty), 0);
  cliv_tensor_free(empty);
  cliv_tensor_free(base);
  test_close(ctx);
}

static void refuses_what_cannot_be(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_tensor *base, *view = (cliv_tensor *)&base;
  const size_t two[] = {10, 10};
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){1000}, &base));
#define VIEW(first, ...) cliv_tensor_view_strided(base, first, 2, two, (size_t[]){__VA_ARGS__}, &view)
  ASSERT_FAILS(ctx, VIEW(0, 0, 1), CLIV_VALUE, "in one place");
  assert_null(view);
  ASSERT_FAILS(ctx, VIEW(0, 9, 1), CLIV_VALUE, "in one place");
  ASSERT_FAILS(ctx, VIEW(0, 2, 18), CLIV_VALUE, "in one place");
  ASSERT_FAILS(ctx, VIEW(0, 2, 110), CLIV_SHAPE, "past its base");
  ASSERT_FAILS(ctx, VIEW(10, 2, 108), CLIV_SHAPE, "past its base");
  ASSERT_FAILS(ctx, VIEW(0, 1, SIZE_MAX / 9), CLIV_SHAPE, "memory can address");
  ASSERT_FAILS(ctx, VIEW(0, 1, SIZE_MAX), CLIV_SHAPE, "memory can address");
  ASSERT_FAILS(ctx, cliv_tensor_view_strided(base, 0, 2, two, NULL, &view), CLIV_NULL, "strides");
  ASSERT_FAILS(NULL, cliv_tensor_view_strided(NULL, 0, 2, two, two, &view), CLIV_NULL, "base");
  ASSERT_OK(ctx, VIEW(1, 2, 108));
  cliv_tensor *part;
  ASSERT_OK(ctx, cliv_tensor_view(base, 999, 1, (size_t[]){1}, 0, &part));
  assert_false(cliv__overlap(view, part)); /* the view ends at element 1 + 9·2 + 9·108 = 991 */
  cliv_tensor_free(part);
  ASSERT_OK(ctx, cliv_tensor_view(base, 991, 1, (size_t[]){1}, 0, &part));
  assert_true(cliv__overlap(view, part));
  cliv_tensor_free(part);
  cliv_tensor_free(view);
  cliv_tensor_free(base);
  test_close(ctx);
}

/* Every operation that knows rows and a pitch alone says so; its result stays. */
static void operations_refuse_strides(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const size_t n = 12, square[] = {n, n};
  cliv_tensor *base, *turned, *x, *row, *indices;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){n * n}, &base));
  ASSERT_OK(ctx, cliv_tensor_fill(base, 1, NULL));
  ASSERT_OK(ctx, cliv_tensor_view_strided(base, 0, 2, square, (size_t[]){1, n}, &turned));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, square, &x));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &row));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 1, &n, &indices));
  ASSERT_OK(ctx, cliv_tensor_fill(x, 2, NULL));
#define REFUSED(call) ASSERT_FAILS(ctx, call, CLIV_LAYOUT, NULL)
  REFUSED(cliv_tensor_fill(turned, 0, NULL));
  REFUSED(cliv_map(ctx, "exp", turned, x, NULL));
  REFUSED(cliv_map(ctx, "exp", x, turned, NULL));
  REFUSED(cliv_map2(ctx, "add", x, turned, x, NULL));
  REFUSED(cliv_reduce(ctx, "sum", -1, turned, NULL, row, NULL));
  REFUSED(cliv_reduce(ctx, "dot", -1, x, turned, row, NULL));
  REFUSED(cliv_scan(ctx, "sum", -1, CLIV_INCLUSIVE, turned, x, NULL));
  REFUSED(cliv_sort(ctx, -1, 0, turned, x, NULL, NULL));
  REFUSED(cliv_gather(ctx, turned, indices, x, NULL));
  REFUSED(cliv_rows(ctx, "softmax", turned, NULL, x, NULL, NULL));
  REFUSED(cliv_rows(ctx, "softmax", x, NULL, turned, NULL, NULL));
  REFUSED(cliv_random_fill(ctx, "uniform", NULL, 1, 0, 0, turned, NULL));
  REFUSED(cliv_orthogonalize(ctx, turned, x, NULL, NULL));
  REFUSED(cliv_eigen(ctx, x, row, turned, NULL, NULL));
  float *got = test_read(x);
  for (size_t i = 0; i < n * n; i++) assert_true(got[i] == 2.0f);
  free(got);
  cliv_tensor *all[] = {base, turned, x, row, indices};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  test_close(ctx);
}

/* ---- products ---- */

/* A view of `shape`, and a dense tensor, both of the same random numbers. */
typedef struct pair {
  cliv_tensor *base, *view, *dense;
} pair;

static pair make_pair(cliv_context *ctx, int ndim, const size_t *shape, const size_t *strides, uint64_t seed) {
  size_t count = 1, room = 1;
  for (int d = 0; d < ndim; d++) count *= shape[d], room += (shape[d] - 1) * strides[d];
  pair p;
  float *x = test_alloc(count * sizeof *x);
  test_fill_normal(x, count, seed);
  room += 5;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &room, &p.base));
  ASSERT_OK(ctx, cliv_tensor_fill(p.base, NAN, NULL));
  ASSERT_OK(ctx, cliv_tensor_view_strided(p.base, 5, ndim, shape, strides, &p.view));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, ndim, shape, &p.dense));
  ASSERT_OK(ctx, cliv_tensor_write(p.view, x, count * sizeof *x));
  ASSERT_OK(ctx, cliv_tensor_write(p.dense, x, count * sizeof *x));
  free(x);
  return p;
}

static void free_pair(pair *p) {
  cliv_tensor_free(p->base);
  cliv_tensor_free(p->view);
  cliv_tensor_free(p->dense);
}

/* The view holds the dense one's bits, and what lies between its elements is as it was. */
static void expect_same(const pair *p) {
  float *x = test_read(p->view), *y = test_read(p->dense), *all = test_read(p->base);
  const size_t count = cliv_tensor_count(p->view), room = cliv_tensor_count(p->base);
  size_t numbers = 0;
  ASSERT_BITS(x, y, count * sizeof *x);
  for (size_t i = 0; i < room; i++) numbers += all[i] == all[i];
  assert_int_equal(numbers, count);
  free(x);
  free(y);
  free(all);
}

enum { M = 21, K = 19 };

static void multiplies_with_vectors_of_any_step(void **state) {
  (void)state;
  for (size_t walk = test_first_walk(); walk < TEST_WALKS; walk++) {
    cliv_context *ctx = test_open(test_walks[walk]);
    const size_t sa[] = {M, K}, m = M, k = K;
    pair a = make_pair(ctx, 2, sa, (const size_t[]){1, M + 2}, 1), x = make_pair(ctx, 1, &k, (const size_t[]){3}, 2);
    pair y = make_pair(ctx, 1, &m, (const size_t[]){2}, 3);
    const cliv_blas_options o = {.provider = CLIV_PROVIDER_EXACT};
    ASSERT_OK(ctx, cliv_gemv(ctx, 0, 0.7, a.view, x.view, 0.4, y.view, &o, NULL));
    ASSERT_OK(ctx, cliv_gemv(ctx, 0, 0.7, a.dense, x.dense, 0.4, y.dense, &o, NULL));
    expect_same(&y);
    ASSERT_OK(ctx, cliv_ger(ctx, 0.7, y.view, x.view, a.view, &o, NULL));
    ASSERT_OK(ctx, cliv_ger(ctx, 0.7, y.dense, x.dense, a.dense, &o, NULL));
    expect_same(&a);
    free_pair(&a);
    free_pair(&x);
    free_pair(&y);
    test_close(ctx);
  }
}

/* What vector routines have not they have not for views of strides either. */
static void vectors_of_any_step_take_the_same_options(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const size_t sa[] = {M, K}, m = M, k = K, step_a[] = {1, M + 2}, step = 2;
  pair a = make_pair(ctx, 2, sa, step_a, 1), x = make_pair(ctx, 1, &k, &step, 2), y = make_pair(ctx, 1, &m, &step, 3);
  cliv_tensor *half_y, *half_x, *half;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F16, 2, sa, &half));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F16, 1, &m, &half_y));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F16, 1, (const size_t[]){2 * K}, &half_x));
  cliv_tensor *spread;
  ASSERT_OK(ctx, cliv_tensor_view_strided(half_x, 0, 1, &k, &step, &spread));
  const cliv_blas_options relu = {.activation = CLIV_ACTIVATION_RELU}, bias = {.bias = y.dense};
  ASSERT_FAILS(ctx, cliv_gemv(ctx, 0, 1, a.view, x.view, 0, y.view, &relu, NULL), CLIV_VALUE, "gemv, ger and axpy");
  ASSERT_FAILS(ctx, cliv_gemv(ctx, 0, 1, a.view, x.view, 0, y.view, &bias, NULL), CLIV_VALUE, "gemv, ger and axpy");
  ASSERT_FAILS(ctx, cliv_ger(ctx, 1, y.view, x.view, a.view, &relu, NULL), CLIV_VALUE, "gemv, ger and axpy");
  ASSERT_FAILS(ctx, cliv_gemv(ctx, 0, 1, half, spread, 0, y.view, NULL, NULL), CLIV_DTYPE, "differ in type");
  ASSERT_FAILS(ctx, cliv_ger(ctx, 1, half_y, spread, a.view, NULL, NULL), CLIV_DTYPE, "differ in type");
  ASSERT_FAILS(ctx, cliv_gemv(ctx, 1, 1, a.view, x.view, 0, y.view, NULL, NULL), CLIV_SHAPE, "gemv: op(A) is 19 × 21");
  ASSERT_FAILS(ctx, cliv_ger(ctx, 1, x.view, y.view, a.view, NULL, NULL), CLIV_SHAPE, "ger: A is 21 × 19");
  ASSERT_FAILS(ctx, cliv_axpy(ctx, 1, half_x, x.view, NULL, NULL), CLIV_SHAPE, "[38]");
  cliv_tensor *const all[] = {spread, half_x, half_y, half};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  free_pair(&a);
  free_pair(&x);
  free_pair(&y);
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(copies_any_layout_and_type),
      cmocka_unit_test(copies_from_strides_to_strides),
      cmocka_unit_test(strides_of_a_pitch_are_one),
      cmocka_unit_test(refuses_what_cannot_be),
      cmocka_unit_test(operations_refuse_strides),
      cmocka_unit_test(multiplies_with_vectors_of_any_step),
      cmocka_unit_test(vectors_of_any_step_take_the_same_options),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
