/* Operations on rows against references in double, and against themselves: both walks, every group size, offsets,
 * pitches, in place. */
#include <cliv/rows.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

#define U 0x1p-24

/* ---- references: a row's results, and how far each may be off (cliv/rows.h, "Errors") ---- */

typedef struct host {
  cliv_dtype dtype;
  size_t rows, columns;
  void *x, *y;
} host;

typedef struct answer {
  double *value, *bound;
} answer;

/* max x and log Σ e^(x − max x). */
static double greatest(const double *x, size_t n) {
  double m = -INFINITY;
  for (size_t i = 0; i < n; i++) m = x[i] > m ? x[i] : m;
  return m;
}
static double log_of_sum(const double *x, size_t n, double m) {
  long double s = 0;
  for (size_t i = 0; i < n; i++) s += expl((long double)x[i] - m);
  return (double)logl(s);
}

static void ref_softmax(const double *x, const double *y, size_t n, answer a) {
  const double m = greatest(x, n), s = exp(log_of_sum(x, n, m));
  (void)y;
  for (size_t i = 0; i < n; i++) {
    a.value[i] = exp(x[i] - m) / s;
    a.bound[i] = (96 + fabs(x[i] - m)) * U * a.value[i] + 0x1p-149;
  }
}
static void ref_log_softmax(const double *x, const double *y, size_t n, answer a) {
  const double m = greatest(x, n), l = log_of_sum(x, n, m);
  (void)y;
  for (size_t i = 0; i < n; i++) {
    a.value[i] = x[i] - m - l;
    a.bound[i] = (96 + 4 * fabs(a.value[i])) * U;
  }
}
static void ref_softmax_backward(const double *x, const double *y, size_t n, answer a) {
  long double sum = 0, terms = 0;
  for (size_t i = 0; i < n; i++) sum += (long double)x[i] * y[i], terms += fabsl((long double)x[i] * y[i]);
  for (size_t i = 0; i < n; i++) {
    a.value[i] = x[i] * (y[i] - (double)sum);
    a.bound[i] = fabs(x[i]) * U * (64 * (double)terms + 4 * fabs(y[i])) + 0x1p-149;
  }
}
static void ref_log_softmax_backward(const double *x, const double *y, size_t n, answer a) {
  long double sum = 0, terms = 0;
  for (size_t i = 0; i < n; i++) sum += y[i], terms += fabs(y[i]);
  for (size_t i = 0; i < n; i++) {
    a.value[i] = y[i] - exp(x[i]) * (double)sum;
    a.bound[i] = U * (64 * exp(x[i]) * (double)terms + 4 * fabs(y[i])) + 0x1p-149;
  }
}

static const struct {
  const char *op;
  void (*of)(const double *x, const double *y, size_t n, answer a);
} references[] = {
#define ROW(op) \
  { #op, ref_##op }
    ROW(softmax),
    ROW(log_softmax),
    ROW(softmax_backward),
    ROW(log_softmax_backward),
#undef ROW
};

static void refer(const char *op, const double *x, const double *y, size_t n, answer a) {
  for (size_t i = 0; i < sizeof references / sizeof *references; i++)
    if (!strcmp(references[i].op, op)) {
      references[i].of(x, y, n, a);
      return;
    }
  fail_msg("'%s' has no reference in this test", op);
}

/* ---- running ---- */

/* Two inputs such as the operations get: logits; or probabilities, or their logarithms, and gradients. */
static host make(cliv_dtype dtype, const char *op, size_t rows, size_t columns, uint64_t seed) {
  const size_t n = rows * columns, bytes = cliv_dtype_size(dtype);
  host h = {dtype, rows, columns, test_alloc(n * bytes), test_alloc(n * bytes)};
  for (size_t i = 0; i < n; i++) {
    const double z = test_normal(seed, i), logarithm = -log((double)columns) + z;
    const bool shares = !strcmp(op, "softmax_backward"), logs = !strcmp(op, "log_softmax_backward");
    test_put(dtype, h.x, i, shares ? exp(logarithm) : logs ? logarithm : 5 * z);
    test_put(dtype, h.y, i, test_normal(seed + 1, i) + 0.5);
  }
  return h;
}

static void host_free(host *h) {
  free(h->x);
  free(h->y);
}

/* Where the result goes. */
typedef enum where { APART, IN_X, IN_Y } where;

/* A tensor with `gap` elements from each row's end to the next one's start, which hold 77. */
static test_guarded pitched(cliv_context *ctx, const host *h, const void *data, size_t shift, size_t gap,
                            cliv_tensor **view) {
  const size_t pitch = h->columns + gap, shape[] = {h->rows, h->columns}, all[] = {h->rows, pitch};
  const size_t bytes = cliv_dtype_size(h->dtype);
  char *wide = test_alloc(h->rows * pitch * bytes);
  for (size_t i = 0; i < h->rows * pitch; i++) test_put(h->dtype, wide, i, 77);
  for (size_t r = 0; data && r < h->rows; r++)
    memcpy(wide + r * pitch * bytes, (const char *)data + r * h->columns * bytes, h->columns * bytes);
  test_guarded g = test_guard(ctx, h->dtype, 2, all, shift, wide);
  ASSERT_OK(ctx, cliv_tensor_view(g.tensor, 0, 2, shape, pitch, view));
  free(wide);
  return g;
}

static void gaps_are_whole(const test_guarded *g, const host *h, size_t gap) {
  void *wide = test_read(g->tensor);
  for (size_t r = 0; r < h->rows; r++)
    for (size_t i = 0; i < gap; i++)
      if (test_get(h->dtype, wide, r * (h->columns + gap) + h->columns + i) != 77)
        fail_msg("row %zu wrote past its end", r);
  free(wide);
}

static void *run(cliv_context *ctx, const char *op, const host *h, size_t shift, size_t gap, where place) {
  const bool two = cliv_rows_find(op)->inputs == 2;
  cliv_tensor *x, *y, *apart;
  test_guarded gx = pitched(ctx, h, h->x, shift, gap, &x), gy = pitched(ctx, h, h->y, 2 * shift, gap, &y);
  test_guarded go = pitched(ctx, h, NULL, shift, gap, &apart);
  cliv_tensor *out = place == IN_X ? x : place == IN_Y ? y : apart;
  ASSERT_OK(ctx, cliv_rows(ctx, op, x, two ? y : NULL, out, NULL));
  void *result = test_read(out);
  gaps_are_whole(place == IN_X ? &gx : place == IN_Y ? &gy : &go, h, gap);
  cliv_tensor_free(apart);
  cliv_tensor_free(y);
  cliv_tensor_free(x);
  test_guard_free(&go);
  test_guard_free(&gy);
  test_guard_free(&gx);
  return result;
}

static void compare(const char *op, const host *h, const void *got) {
  const size_t n = h->columns;
  const double store = h->dtype == CLIV_F16 ? 0x1p-11 : h->dtype == CLIV_BF16 ? 0x1p-8 : 0;
  double *all = test_alloc((4 * n + 1) * sizeof *all), *x = all, *y = x + n;
  const answer a = {y + n, y + 2 * n};
  for (size_t r = 0; r < h->rows; r++) {
    for (size_t i = 0; i < n; i++) {
      x[i] = test_get(h->dtype, h->x, r * n + i);
      y[i] = test_get(h->dtype, h->y, r * n + i);
    }
    refer(op, x, y, n, a);
    for (size_t i = 0; i < n; i++) {
      const double value = test_get(h->dtype, got, r * n + i), want = a.value[i];
      const double bound = a.bound[i] + store * fabs(want) + (h->dtype == CLIV_F16 ? 0x1p-25 : 0);
      if (!(fabs(value - want) <= bound))
        fail_msg("%s %zu x %zu %s, element %zu of row %zu: %.9g, not %.17g within %g", op, h->rows, n,
                 cliv_dtype_name(h->dtype), i, r, value, want, bound);
    }
  }
  free(all);
}

/* Rows of one vector, of some, of one block, of more; several of each, so that the last group is not full. */
static const size_t shapes[][2] = {{0, 5},    {3, 0},    {70, 1},   {1, 7},     {40, 10},   {33, 16},
                                   {17, 64},  {5, 65},   {18, 255}, {3, 256},   {2, 257},   {3, 1000},
                                   {1, 4095}, {2, 4096}, {2, 4097}, {1, 70001}, {3, 12289}, {1, 1000003}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static bool tried(size_t shape) { return !test_small() || shapes[shape][0] * shapes[shape][1] <= 5000; }

/* All operations and shapes: right, and the same bits in both walks, at every group size, in place and with pitches. */
static void works_on_rows(void **state) {
  (void)state;
  static const size_t groups[] = {0, 16, 1024};
  cliv_context *ctx[4] = {test_open(CLIV_WALK_CPU)};
  for (int g = 0; g < 3; g++) ctx[1 + g] = test_open_group(CLIV_WALK_GPU, groups[g]);
  for (size_t o = 0; o < cliv_rows_count(); o++) {
    const cliv_rows_info *info = cliv_rows_get(o);
    for (size_t s = 0; s < SHAPES; s++) {
      if (!tried(s)) continue;
      host h = make(CLIV_F32, info->name, shapes[s][0], shapes[s][1], 100 * o + s);
      const size_t bytes = h.rows * h.columns * sizeof(float);
      void *first = run(ctx[0], info->name, &h, s % 3, 0, APART);
      compare(info->name, &h, first);
      for (int c = 0; c < 4; c++) {
        if (c > 1 && bytes > 300000) continue;
        const where place = s % 2 == 0 || info->inputs == 1 ? IN_X : IN_Y;
        void *again = run(ctx[c], info->name, &h, s % 2, (s + (size_t)c) % 4 * 3, c == 3 ? APART : place);
        ASSERT_SAME(CLIV_F32, again, first, h.rows * h.columns);
        free(again);
      }
      free(first);
      host_free(&h);
    }
  }
  for (int c = 0; c < 4; c++) cliv_context_free(ctx[c]);
}

/* How an element is stored and what is done with it are apart: the narrow floats are tried with one operation of one
 * and of two inputs. */
static void rounds_narrow_floats_once(void **state) {
  (void)state;
  static const char *const ops[] = {"softmax", "softmax_backward"};
  static const size_t some[][2] = {{20, 10}, {3, 257}, {2, 4099}};
  cliv_context *cpu = test_open(CLIV_WALK_CPU), *gpu = test_open(CLIV_WALK_GPU);
  for (size_t o = 0; o < sizeof ops / sizeof *ops; o++)
    for (int d = CLIV_F16; d <= CLIV_BF16; d++)
      for (size_t s = 0; s < sizeof some / sizeof *some; s++) {
        if (test_small() && some[s][1] > 4096) continue;
        host h = make((cliv_dtype)d, ops[o], some[s][0], some[s][1], 7 + s);
        void *a = run(cpu, ops[o], &h, 1, 0, APART), *b = run(gpu, ops[o], &h, 0, 5, IN_X);
        compare(ops[o], &h, a);
        ASSERT_SAME((cliv_dtype)d, b, a, h.rows * h.columns);
        free(a);
        free(b);
        host_free(&h);
      }
  cliv_context_free(gpu);
  cliv_context_free(cpu);
}

/* A row of a matrix gives the bits that the row alone gives: the definition knows no surroundings. */
static void rows_are_independent(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (size_t columns = 13; columns < 400; columns *= 5) {
    host h = make(CLIV_F32, "softmax", 21, columns, 5);
    float *all = run(ctx, "softmax", &h, 1, 0, APART);
    for (size_t r = 0; r < h.rows; r += 4) {
      host one = {CLIV_F32, 1, columns, (float *)h.x + r * columns, (float *)h.y + r * columns};
      float *alone = run(ctx, "softmax", &one, 0, 0, APART);
      ASSERT_SAME(CLIV_F32, alone, all + r * columns, columns);
      free(alone);
    }
    free(all);
    host_free(&h);
  }
  cliv_context_free(ctx);
}

static void knows_special_values(void **state) {
  (void)state;
  static const struct {
    const char *op;
    size_t n;
    float x[5];
    double want[5];
  } cases[] = {
      {"softmax", 1, {-0.0f}, {1}},
      {"softmax", 2, {3e38f, 3e38f}, {0.5, 0.5}},
      {"softmax", 2, {-3e38f, 3e38f}, {0, 1}},
      {"softmax", 3, {-INFINITY, 2, 2}, {0, 0.5, 0.5}},
      {"softmax", 2, {-INFINITY, -INFINITY}, {NAN, NAN}},
      {"softmax", 3, {INFINITY, 2, -INFINITY}, {NAN, NAN, NAN}},
      {"softmax", 3, {1, NAN, 2}, {NAN, NAN, NAN}},
      {"softmax", 3, {-INFINITY, NAN, INFINITY}, {NAN, NAN, NAN}},
      {"softmax", 2, {0, -103}, {1, 0x1p-149}}, /* e^-103 = 1.33 * 2^-149 */
      {"log_softmax", 1, {7}, {0}},
      {"log_softmax", 2, {-INFINITY, 2}, {-INFINITY, 0}},
      {"log_softmax", 2, {1000, -1000}, {0, -2000}},
      {"log_softmax", 2, {-INFINITY, -INFINITY}, {NAN, NAN}},
      {"log_softmax", 2, {INFINITY, 0}, {NAN, NAN}},
      {"log_softmax", 2, {NAN, 0}, {NAN, NAN}},
  };
  for (size_t w = 0; w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
      host h = {CLIV_F32, 1, cases[c].n, (void *)(uintptr_t)cases[c].x, (void *)(uintptr_t)cases[c].x};
      float *got = run(ctx, cases[c].op, &h, 1, 0, APART);
      for (size_t i = 0; i < cases[c].n; i++) {
        const double want = cases[c].want[i];
        if (isnan(want) ? !isnan(got[i]) : got[i] != want) fail_msg("case %zu: %g, not %g", c, (double)got[i], want);
        if (isnan(want)) assert_int_equal(((uint32_t *)got)[i], 0x7fc00000);
      }
      free(got);
    }
    cliv_context_free(ctx);
  }
}

/* What is not finite in a block of its own reaches the others. */
static void special_values_cross_blocks(void **state) {
  (void)state;
  static const float odd[] = {NAN, INFINITY, -INFINITY};
  const size_t n = 9000;
  for (size_t w = 0; w < TEST_WALKS && !test_small(); w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t k = 0; k < 3; k++) {
      host h = make(CLIV_F32, "softmax", 1, n, 3);
      for (size_t i = 4096; i < 8192; i++) ((float *)h.x)[i] = k == 2 || i == 5000 ? odd[k] : 1;
      float *got = run(ctx, "softmax", &h, 0, 0, APART);
      for (size_t i = 0; i < n; i++)
        if (k < 2 ? !isnan(got[i]) : (got[i] == 0) != (i >= 4096 && i < 8192)) fail_msg("%g at %zu", (double)got[i], i);
      free(got);
      host_free(&h);
    }
    cliv_context_free(ctx);
  }
}

static void refuses_bad_calls(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO), *other = test_open(CLIV_WALK_AUTO);
  cliv_tensor *x, *out, *wrong, *integers, *none, *half, *shifted;
  const size_t shape[] = {3, 4}, turned[] = {4, 3}, part[] = {2, 4};
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &x));
  ASSERT_OK(ctx, cliv_tensor_fill(x, 1, NULL));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &out));
  ASSERT_OK(ctx, cliv_tensor_fill(out, 42, NULL));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, turned, &wrong));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 2, shape, &integers));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 0, NULL, &none));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F16, 2, shape, &half));
  ASSERT_FAILS(NULL, cliv_rows(NULL, "softmax", x, NULL, out, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", NULL, NULL, out, NULL), CLIV_NULL, "x");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", x, NULL, NULL, NULL), CLIV_NULL, "out");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmin", x, NULL, out, NULL), CLIV_NAME, "softmin");
  ASSERT_FAILS(ctx, cliv_rows(ctx, NULL, x, NULL, out, NULL), CLIV_NAME, "NULL");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", x, x, out, NULL), CLIV_NULL, "one input");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax_backward", x, NULL, out, NULL), CLIV_NULL, "second input");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", integers, NULL, integers, NULL), CLIV_DTYPE, "int32");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", none, NULL, none, NULL), CLIV_SHAPE, "no axes");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", x, NULL, wrong, NULL), CLIV_SHAPE, "[4, 3]");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", x, NULL, half, NULL), CLIV_SHAPE, "float16");
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax_backward", x, wrong, out, NULL), CLIV_SHAPE, "y is");
  ASSERT_FAILS(other, cliv_rows(other, "softmax", x, NULL, out, NULL), CLIV_VALUE, "another context");
  cliv_tensor *above;
  ASSERT_OK(ctx, cliv_tensor_view(x, 0, 2, part, 0, &above));
  ASSERT_OK(ctx, cliv_tensor_view(x, 4, 2, part, 0, &shifted));
  ASSERT_FAILS(ctx, cliv_rows(ctx, "softmax", above, NULL, shifted, NULL), CLIV_OVERLAP, "the same or apart");
  float *kept = test_read(out);
  for (size_t i = 0; i < 12; i++) assert_true(kept[i] == 42);
  free(kept);
  cliv_tensor *const made[] = {x, out, wrong, integers, none, half, shifted, above};
  for (size_t i = 0; i < sizeof made / sizeof *made; i++) cliv_tensor_free(made[i]);
  cliv_context_free(other);
  cliv_context_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(works_on_rows),
      cmocka_unit_test(rounds_narrow_floats_once),
      cmocka_unit_test(rows_are_independent),
      cmocka_unit_test(knows_special_values),
      cmocka_unit_test(special_values_cross_blocks),
      cmocka_unit_test(refuses_bad_calls),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
