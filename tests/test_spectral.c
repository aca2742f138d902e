/* cliv/spectral.h: convolutions against sums in double and SciPy's; smoothing against the equation and the optimizer's
 * recursion; LS-SGD; bits between walks and strides; what is refused. */
#include <cliv/map.h>
#include <cliv/optim.h>
#include <cliv/spectral.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trajectories.h"

static const char *const golden = "tests/golden/transforms.safetensors";

static size_t count_of(int ndim, const size_t *shape) {
  size_t count = 1;
  for (int d = 0; d < ndim; d++) count *= shape[d];
  return count;
}

/* ---- convolution ---- */

/* Arrays of four axes, of which those of bits of `named` convolve. */
typedef struct example {
  size_t x[4], y[4];
  unsigned named;
  cliv_convolve_mode mode;
  bool correlate;
} example;

static void shape_of_result(const example *e, size_t out[4], size_t first[4]) {
  for (int d = 0; d < 4; d++) {
    const size_t n = e->x[d], m = e->y[d];
    const bool named = e->named >> d & 1;
    first[d] = !named || e->mode == CLIV_CONVOLVE_FULL ? 0 : e->mode == CLIV_CONVOLVE_SAME ? (m - 1) / 2 : m - 1;
    out[d] = !named                          ? (n > m ? n : m)
             : e->mode == CLIV_CONVOLVE_FULL ? n + m - 1
             : e->mode == CLIV_CONVOLVE_SAME ? n
                                             : n - m + 1;
  }
}

static size_t index_of(const size_t shape[4], const size_t at[4]) {
  size_t i = 0;
  for (int d = 0; d < 4; d++) i = i * shape[d] + at[d];
  return i;
}

static void indices_of(size_t i, const size_t shape[4], size_t at[4]) {
  for (int d = 3; d >= 0; i /= shape[d], d--) at[d] = i % shape[d];
}

/* One element, by the sum over y's elements. */
static double sum_at(const example *e, const double *x, const double *y, const size_t at[4], const size_t first[4]) {
  double sum = 0;
  for (size_t k = 0; k < count_of(4, e->y); k++) {
    size_t of_y[4], of_x[4], stands[4];
    bool inside = true;
    indices_of(k, e->y, of_y);
    for (int d = 0; d < 4; d++) {
      const bool named = e->named >> d & 1;
      const size_t whole = at[d] + first[d], back = e->correlate ? e->y[d] - 1 - of_y[d] : of_y[d];
      of_x[d] = named ? whole - back : e->x[d] == 1 ? 0 : at[d];
      inside = inside && (named ? whole >= back && of_x[d] < e->x[d] : e->y[d] == 1 || of_y[d] == at[d]);
      stands[d] = of_x[d];
    }
    if (inside) sum += x[index_of(e->x, stands)] * y[k];
  }
  return sum;
}

static double length_of(const double *x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i] * x[i];
  return sqrt(sum);
}

static cliv_convolve_options options_of(const example *e, int axes[4]) {
  cliv_convolve_options o = {.mode = e->mode, .correlate = e->correlate};
  for (int d = 0; d < 4; d++)
    if (e->named >> d & 1) axes[o.axis_count++] = d;
  o.axes = axes;
  return o;
}

static void try_example(const test_ways *c, cliv_dtype dtype, const example *e) {
  size_t shape[4], first[4], nx = count_of(4, e->x), ny = count_of(4, e->y);
  shape_of_result(e, shape, first);
  const size_t n = count_of(4, shape), element = cliv_dtype_size(dtype);
  double *const x = test_alloc(nx * sizeof *x), *const y = test_alloc(ny * sizeof *y);
  void *const stored_x = test_alloc(nx * element), *const stored_y = test_alloc(ny * element), *first_way = NULL;
  for (size_t i = 0; i < nx; i++) test_put(dtype, stored_x, i, test_normal(nx, i)), x[i] = test_get(dtype, stored_x, i);
  for (size_t i = 0; i < ny; i++) test_put(dtype, stored_y, i, test_normal(7, i)), y[i] = test_get(dtype, stored_y, i);
  for (size_t w = 0; w < c->count; w++) {
    cliv_context *const ctx = c->ctx[w];
    int axes[4];
    const cliv_convolve_options o = options_of(e, axes);
    test_guarded a = test_guard(ctx, dtype, 4, e->x, w, stored_x), b = test_guard(ctx, dtype, 4, e->y, 1, stored_y);
    test_guarded out = test_guard(ctx, dtype, 4, shape, 2, NULL);
    ASSERT_OK(ctx, cliv_fft_convolve(ctx, a.tensor, b.tensor, out.tensor, &o, NULL));
    void *const got = test_read(out.tensor);
    if (first_way) ASSERT_SAME(dtype, got, first_way, n);
    if (first_way) free(got);
    else first_way = got;
    test_guard_free(&a), test_guard_free(&b), test_guard_free(&out);
  }
  const double bound = (dtype == CLIV_F32 ? 1e-6 : 1e-14) * length_of(x, nx) * length_of(y, ny);
  for (size_t i = 0; i < n; i++) {
    size_t at[4];
    indices_of(i, shape, at);
    ASSERT_NEAR(test_get(dtype, first_way, i), sum_at(e, x, y, at, first), bound);
  }
  free(x), free(y), free(stored_x), free(stored_y), free(first_way);
}

static const example examples[] = {
    {{1, 1, 3, 20}, {1, 1, 3, 5}, 8, CLIV_CONVOLVE_FULL, false},
    {{1, 1, 4, 9}, {1, 1, 1, 4}, 8, CLIV_CONVOLVE_SAME, true},
    {{1, 1, 1, 1}, {1, 1, 1, 1}, 8, CLIV_CONVOLVE_FULL, false},
    {{1, 1, 1, 7}, {1, 1, 5, 7}, 8, CLIV_CONVOLVE_VALID, true},
    {{1, 1, 1, 4}, {1, 1, 1, 11}, 8, CLIV_CONVOLVE_SAME, false},
    {{2, 1, 8, 9}, {1, 3, 3, 4}, 12, CLIV_CONVOLVE_VALID, false},
    {{2, 7, 1, 6}, {1, 4, 1, 6}, 2, CLIV_CONVOLVE_SAME, false},
    {{3, 6, 5, 7}, {3, 2, 3, 4}, 14, CLIV_CONVOLVE_FULL, true},
    {{1, 1, 1, 257}, {1, 1, 1, 255}, 8, CLIV_CONVOLVE_SAME, true},
    {{1, 1, 2, 1000}, {1, 1, 1, 31}, 8, CLIV_CONVOLVE_VALID, false},
};

static void sums(void **state) {
  const test_ways *const c = *state;
  for (size_t i = 0; i < (test_small() ? 2 : sizeof examples / sizeof *examples); i++)
    try_example(c, CLIV_F32, &examples[i]);
}

static void sums_of_doubles(void **state) {
  const test_ways *const c = *state;
  cliv_tensor *t;
  if (cliv_tensor_create(c->ctx[0], CLIV_F64, 0, NULL, &t)) return;
  cliv_tensor_free(t);
  for (size_t i = 0; i < (test_small() ? 1 : sizeof examples / sizeof *examples); i += 5)
    try_example(c, CLIV_F64, &examples[i]);
}

/* SciPy's convolve and correlate. */
static void as_scipy(void **state) {
  const test_ways *const c = *state;
  cliv_context *const ctx = c->ctx[0];
  cliv_safetensors *const file = test_golden(golden);
  for (int i = 0; i < (test_small() ? 1 : 4); i++)
    for (int which = 0; which < 6; which++) {
      char name[32];
      cliv_array x, y, want;
      cliv_tensor *a, *b, *out;
      const cliv_convolve_mode mode = (cliv_convolve_mode)(which % 3);
      snprintf(name, sizeof name, "conv.%d.x", i);
      ASSERT_OK(NULL, cliv_safetensors_read(file, name, &x));
      snprintf(name, sizeof name, "conv.%d.y", i);
      ASSERT_OK(NULL, cliv_safetensors_read(file, name, &y));
      snprintf(name, sizeof name, "%s.%d.%s", which < 3 ? "conv" : "corr", i, cliv_convolve_mode_name(mode));
      ASSERT_OK(NULL, cliv_safetensors_read(file, name, &want));
      ASSERT_OK(ctx, cliv_tensor_from_array(ctx, &x, &a));
      ASSERT_OK(ctx, cliv_tensor_from_array(ctx, &y, &b));
      ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, want.ndim, want.shape, &out));
      const cliv_convolve_options o = {
          .mode = mode, .correlate = which >= 3, .axis_count = want.ndim, .axes = (const int[]){0, 1, 2}};
      ASSERT_OK(ctx, cliv_fft_convolve(ctx, a, b, out, &o, NULL));
      float *const got = test_read(out);
      for (size_t k = 0; k < cliv_array_count(&want); k++) ASSERT_NEAR(got[k], ((const double *)want.data)[k], 1e-5);
      free(got);
      cliv_tensor_free(a), cliv_tensor_free(b), cliv_tensor_free(out);
      cliv_array_free(&x), cliv_array_free(&y), cliv_array_free(&want);
    }
  cliv_safetensors_free(file);
}

/* Views of any strides give the bits of dense tensors. */
static void strided(void **state) {
  const test_ways *const c = *state;
  enum { A = 4, N = 10, M = 3 };
  const size_t room = 200, x_shape[] = {A, N}, y_shape[] = {1, M}, shape[] = {A, N + M - 1};
  float x[A * N], y[M];
  test_fill_normal(x, A * N, 1);
  test_fill_normal(y, M, 2);
  for (size_t w = 0; w < c->count; w++) {
    cliv_context *const ctx = c->ctx[w];
    test_guarded a = test_guard(ctx, CLIV_F32, 2, x_shape, 0, x), b = test_guard(ctx, CLIV_F32, 2, y_shape, 0, y);
    test_guarded want = test_guard(ctx, CLIV_F32, 2, shape, 0, NULL), to = test_guard1(ctx, CLIV_F32, room, 0, NULL);
    test_guarded from = test_guard1(ctx, CLIV_F32, room, 0, NULL);
    cliv_tensor *turned, *spread;
    cl_event done;
    ASSERT_OK(ctx, cliv_tensor_view_strided(from.tensor, 2, 2, x_shape, (size_t[]){1, A}, &turned));
    ASSERT_OK(ctx, cliv_tensor_view_strided(to.tensor, 1, 2, shape, (size_t[]){2 * (N + M), 2}, &spread));
    ASSERT_OK(ctx, cliv_tensor_copy(a.tensor, turned, NULL));
    ASSERT_OK(ctx, cliv_fft_convolve(ctx, a.tensor, b.tensor, want.tensor, NULL, NULL));
    ASSERT_OK(ctx, cliv_fft_convolve(ctx, turned, b.tensor, spread, NULL, &(cliv_sync){.done = &done}));
    ASSERT_CL(clWaitForEvents(1, &done));
    ASSERT_CL(clReleaseEvent(done));
    ASSERT_SAME_TENSORS(spread, want.tensor);
    ASSERT_OK(ctx, cliv_fft_smooth(ctx, a.tensor, a.tensor, &(cliv_smooth_options){.strength = 2}, NULL));
    ASSERT_OK(ctx, cliv_fft_smooth(ctx, turned, turned, &(cliv_smooth_options){.strength = 2}, NULL));
    ASSERT_SAME_TENSORS(turned, a.tensor);
    cliv_tensor_free(turned);
    cliv_tensor_free(spread);
    test_guard_free(&a), test_guard_free(&b), test_guard_free(&want), test_guard_free(&to), test_guard_free(&from);
  }
}

static void convolve_refused(void **state) {
  const test_ways *const c = *state;
  cliv_context *const ctx = c->ctx[0];
  const size_t shapes[][2] = {{3, 8}, {3, 5}, {3, 12}, {2, 5}, {3, 0}, {3, 4}, {0, 8}, {0, 12}};
  cliv_tensor *t[8], *half, *inside, *flat, *one;
  for (size_t i = 0; i < 8; i++) ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shapes[i], &t[i]));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F16, 2, shapes[0], &half));
  ASSERT_OK(ctx, cliv_tensor_view(t[2], 12, 2, (size_t[]){3, 8}, 0, &inside));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){1, 5}, &one));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, shapes[0], &flat));
#define REFUSES(status, text, x, y, out, ...) \
  ASSERT_FAILS(ctx, cliv_fft_convolve(ctx, x, y, out, &(cliv_convolve_options){__VA_ARGS__}, NULL), status, text)
  ASSERT_FAILS(NULL, cliv_fft_convolve(NULL, t[0], t[1], t[2], NULL, NULL), CLIV_NULL, "ctx");
  REFUSES(CLIV_NULL, "'x'", NULL, t[1], t[2], 0);
  REFUSES(CLIV_NULL, "'y'", t[0], NULL, t[2], 0);
  REFUSES(CLIV_NULL, "'out'", t[0], t[1], NULL, 0);
  REFUSES(CLIV_DTYPE, "float16", half, t[1], t[2], 0);
  REFUSES(CLIV_SHAPE, "equally many", t[0], flat, t[2], 0);
  REFUSES(CLIV_SHAPE, "does not convolve", t[0], t[3], t[2], 0);
  REFUSES(CLIV_SHAPE, "length 0", t[0], t[4], t[0], 0);
  REFUSES(CLIV_SHAPE, "length 0", t[4], t[1], t[5], 0);
  REFUSES(CLIV_SHAPE, "no longer than", t[1], t[0], t[5], .mode = CLIV_CONVOLVE_VALID);
  REFUSES(CLIV_SHAPE, "mode same", t[0], t[1], t[2], .mode = CLIV_CONVOLVE_SAME);
  REFUSES(CLIV_OVERLAP, "shares", inside, t[1], t[2], 0);
  REFUSES(CLIV_VALUE, "no mode", t[0], t[1], t[2], .mode = (cliv_convolve_mode)3);
  REFUSES(CLIV_VALUE, "twice", t[0], t[1], t[2], .axis_count = 2, .axes = (const int[]){1, -1});
  REFUSES(CLIV_VALUE, "no axis 2", t[0], t[1], t[2], .axis_count = 1, .axes = (const int[]){2});
  REFUSES(CLIV_VALUE, NULL, t[0], t[1], t[2], .size = 1000);
  if (c->count > 1)
    ASSERT_FAILS(c->ctx[1], cliv_fft_convolve(c->ctx[1], t[0], t[1], t[2], NULL, NULL), CLIV_VALUE, "another context");
  ASSERT_OK(ctx, cliv_fft_convolve(ctx, t[6], one, t[7], NULL, NULL)); /* no rows */
  cliv_convolve_mode mode;
  ASSERT_FAILS(NULL, cliv_convolve_mode_parse("circular", &mode), CLIV_NAME, "circular");
  ASSERT_OK(NULL, cliv_convolve_mode_parse("valid", &mode));
  assert_int_equal(mode, CLIV_CONVOLVE_VALID);
  assert_string_equal(cliv_convolve_mode_name((cliv_convolve_mode)3), "?");
  for (size_t i = 0; i < 8; i++) cliv_tensor_free(t[i]);
  cliv_tensor_free(half), cliv_tensor_free(inside), cliv_tensor_free(flat), cliv_tensor_free(one);
}

/* ---- smoothing ---- */

/* (I - σΔ) of the result is x: the operator's inverse lengthens nothing, so an error of the equation of ε·‖x‖ is what
 * transforms, products and the result's rounding leave of a result ‖x‖ long, times the operator's norm. */
static void check_equation(const double *x, const double *got, const size_t shape[3], unsigned named, double s,
                           double eps) {
  const size_t n = count_of(3, shape);
  const size_t steps[] = {shape[1] * shape[2], shape[2], 1};
  double apart = 0, axes = 0;
  for (int d = 0; d < 3; d++) axes += named >> d & 1;
  for (size_t i = 0; i < n; i++) {
    double sum = got[i];
    for (int d = 0; d < 3; d++) {
      const size_t at = i / steps[d] % shape[d], base = i - at * steps[d];
      if (!(named >> d & 1)) continue;
      sum -= s * (got[base + (at + 1) % shape[d] * steps[d]] + got[base + (at + shape[d] - 1) % shape[d] * steps[d]] -
                  2 * got[i]);
    }
    apart += (sum - x[i]) * (sum - x[i]);
  }
  if (!(sqrt(apart) <= eps * (1 + 4 * axes * s) * length_of(x, n)))
    fail_msg("[%zu, %zu, %zu], axes %x, strength %g: the equation is off by %.3g of x", shape[0], shape[1], shape[2],
             named, s, sqrt(apart) / length_of(x, n));
}

static void try_smooth(const test_ways *c, cliv_dtype dtype, const size_t shape[3], unsigned named, double s) {
  const size_t n = count_of(3, shape);
  double *const x = test_alloc(n * sizeof *x), *const y = test_alloc(n * sizeof *y);
  void *const stored = test_alloc(n * sizeof *x), *first = NULL;
  cliv_smooth_options o = {.strength = s};
  int axes[3];
  for (int d = 0; d < 3; d++)
    if (named >> d & 1) axes[o.axis_count++] = d - 3;
  o.axes = axes;
  for (size_t i = 0; i < n; i++) test_put(dtype, stored, i, test_normal(9, i)), x[i] = test_get(dtype, stored, i);
  for (size_t w = 0; w < c->count; w++) {
    cliv_context *const ctx = c->ctx[w];
    test_guarded in = test_guard(ctx, dtype, 3, shape, w, stored), out = test_guard(ctx, dtype, 3, shape, 1, NULL);
    ASSERT_OK(ctx, cliv_fft_smooth(ctx, in.tensor, w % 2 ? in.tensor : out.tensor, &o, NULL));
    void *const got = test_read(w % 2 ? in.tensor : out.tensor);
    if (first) ASSERT_SAME(dtype, got, first, n);
    if (first) free(got);
    else first = got;
    test_guard_free(&in), test_guard_free(&out);
  }
  for (size_t i = 0; i < n; i++) y[i] = test_get(dtype, first, i);
  check_equation(x, y, shape, named, s, dtype == CLIV_F32 ? 1e-6 : 1e-14);
  free(x), free(y), free(stored), free(first);
}

static void solves_the_equation(void **state) {
  const test_ways *const c = *state;
  static const size_t shapes[][3] = {{2, 1, 12}, {3, 4, 5}, {1, 1, 1}, {1, 1, 2}, {1, 1, 3}, {6, 8, 10}, {1, 3, 257}};
  static const double strengths[] = {1, 0, 0.01, 30, 1000};
  cliv_tensor *t;
  for (size_t i = 0; i < (test_small() ? 2 : sizeof shapes / sizeof *shapes); i++)
    for (unsigned named = 1; named < 8; named += test_small() ? 3 : 1)
      try_smooth(c, CLIV_F32, shapes[i], named, strengths[(i + named) % 5]);
  if (cliv_tensor_create(c->ctx[0], CLIV_F64, 0, NULL, &t)) return;
  cliv_tensor_free(t);
  for (unsigned named = 4; named < 8; named += 3) try_smooth(c, CLIV_F64, shapes[0], named, 2);
}

/* A step of sgd with lr 1 on weights of 0 leaves the gradient that it saw, negated: the recursion's and this one. */
static void as_the_recursion(void **state) {
  const test_ways *const c = *state;
  cliv_context *const ctx = c->ctx[0];
  static const size_t lengths[] = {21, 1, 2, 3, 255, 497, 4097};
  static const double strengths[] = {1, 0.01, 30};
  for (size_t i = 0; i < (test_small() ? 1 : sizeof lengths / sizeof *lengths); i++) {
    const size_t n = lengths[i];
    const double s = strengths[i % 3];
    float *const x = test_alloc(n * sizeof *x);
    test_fill_normal(x, n, n);
    cliv_tensor *p, *g;
    cliv_optimizer *o;
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &p));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &g));
    ASSERT_OK(ctx, cliv_tensor_fill(p, 0, NULL));
    ASSERT_OK(ctx, cliv_tensor_write(g, x, n * sizeof *x));
    ASSERT_OK(ctx, cliv_optimizer_create(ctx, "sgd", NULL, &o));
    ASSERT_OK(ctx, cliv_optimizer_set(o, 0, "lr", 1));
    ASSERT_OK(ctx, cliv_optimizer_add(o, p, g, CLIV_DEFAULT_GROUP));
    ASSERT_OK(ctx, cliv_optimizer_gradients(o, &(cliv_gradient_options){.smooth = s}));
    ASSERT_OK(ctx, cliv_optimizer_step(o, NULL));
    ASSERT_OK(ctx, cliv_fft_smooth(ctx, g, g, &(cliv_smooth_options){.strength = s}, NULL));
    float *const a = test_read(p), *const b = test_read(g);
    for (size_t k = 0; k < n; k++) ASSERT_NEAR(b[k], -a[k], 1e-6);
    free(a), free(b), free(x);
    cliv_optimizer_free(o);
    cliv_tensor_free(p), cliv_tensor_free(g);
  }
}

/* LS-SGD (arXiv 1806.06317) on a quadratic whose gradients have noise: smoothed here and stepped by plain sgd, or
 * smoothed by the optimizer; and it comes closer than without, as it should. */
static void ls_sgd(void **state) {
  const test_ways *const c = *state;
  cliv_context *const ctx = c->ctx[0];
  enum { N = 200, STEPS = 30, RUNS = 3 };
  const size_t n = N, steps = test_small() ? 2 : STEPS;
  const double s = 10;
  cliv_tensor *p[RUNS], *g[RUNS];
  cliv_optimizer *o[RUNS];
  for (size_t r = 0; r < RUNS; r++) {
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &p[r]));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &g[r]));
    ASSERT_OK(ctx, cliv_tensor_fill(p[r], 1, NULL));
    ASSERT_OK(ctx, cliv_optimizer_create(ctx, "sgd", NULL, &o[r]));
    ASSERT_OK(ctx, cliv_optimizer_set(o[r], 0, "lr", 0.2));
    ASSERT_OK(ctx, cliv_optimizer_add(o[r], p[r], g[r], CLIV_DEFAULT_GROUP));
  }
  ASSERT_OK(ctx, cliv_optimizer_gradients(o[1], &(cliv_gradient_options){.smooth = s}));
  for (size_t t = 0; t < steps; t++) {
    for (size_t r = 0; r < RUNS; r++) { /* the gradient of ½‖w‖², and noise, the same in all runs */
      float *const w = test_read(p[r]);
      for (size_t k = 0; k < N; k++) w[k] += 3 * (float)test_normal(t, k);
      ASSERT_OK(ctx, cliv_tensor_write(g[r], w, N * sizeof *w));
      free(w);
    }
    ASSERT_OK(ctx, cliv_fft_smooth(ctx, g[0], g[0], &(cliv_smooth_options){.strength = s}, NULL));
    for (size_t r = 0; r < RUNS; r++) ASSERT_OK(ctx, cliv_optimizer_step(o[r], NULL));
  }
  double lengths[RUNS] = {0};
  float *w[RUNS];
  for (size_t r = 0; r < RUNS; r++) {
    w[r] = test_read(p[r]);
    for (size_t k = 0; k < N; k++) lengths[r] += (double)w[r][k] * w[r][k];
  }
  for (size_t k = 0; k < N; k++) ASSERT_NEAR(w[0][k], w[1][k], 4e-6); /* 1e-6 a step, of which lr 0.2 keeps five */
  if (steps == STEPS) assert_true(lengths[0] < 0.5 * lengths[2]);
  for (size_t r = 0; r < RUNS; r++) {
    free(w[r]);
    cliv_optimizer_free(o[r]);
    cliv_tensor_free(p[r]), cliv_tensor_free(g[r]);
  }
}

static void smooth_refused(void **state) {
  const test_ways *const c = *state;
  cliv_context *const ctx = c->ctx[0];
  const size_t shapes[][2] = {{4, 6}, {4, 5}, {4, 0}, {0, 4}};
  cliv_tensor *t[4], *half, *over, *under, *scalar;
  for (size_t i = 0; i < 4; i++) ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shapes[i], &t[i]));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F16, 2, shapes[0], &half));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 0, NULL, &scalar));
  ASSERT_OK(ctx, cliv_tensor_view(t[0], 0, 2, (size_t[]){2, 6}, 0, &over));
  ASSERT_OK(ctx, cliv_tensor_view(t[0], 5, 2, (size_t[]){2, 6}, 0, &under));
#undef REFUSES
#define REFUSES(status, text, x, out, ...) \
  ASSERT_FAILS(ctx, cliv_fft_smooth(ctx, x, out, &(cliv_smooth_options){__VA_ARGS__}, NULL), status, text)
  ASSERT_FAILS(NULL, cliv_fft_smooth(NULL, t[0], t[0], NULL, NULL), CLIV_NULL, "ctx");
  REFUSES(CLIV_NULL, "'x'", NULL, t[0], 0);
  REFUSES(CLIV_NULL, "'out'", t[0], NULL, 0);
  REFUSES(CLIV_DTYPE, "float16", half, half, 0);
  REFUSES(CLIV_SHAPE, "must be equal", t[0], t[1], 0);
  REFUSES(CLIV_SHAPE, "length 0", t[2], t[2], 0);
  REFUSES(CLIV_SHAPE, "no axis", scalar, scalar, 0);
  REFUSES(CLIV_OVERLAP, "share", over, under, 0);
  REFUSES(CLIV_VALUE, "strength is -1", t[0], t[0], .strength = -1);
  REFUSES(CLIV_VALUE, "strength", t[0], t[0], .strength = NAN);
  REFUSES(CLIV_VALUE, "twice", t[0], t[0], .axis_count = 2, .axes = (const int[]){0, -2});
  REFUSES(CLIV_NULL, "axes is NULL", t[0], t[0], .axis_count = 1);
  REFUSES(CLIV_VALUE, NULL, t[0], t[0], .size = 1000);
  if (c->count > 1)
    ASSERT_FAILS(c->ctx[1], cliv_fft_smooth(c->ctx[1], t[0], t[0], NULL, NULL), CLIV_VALUE, "another context");
  ASSERT_OK(ctx, cliv_fft_smooth(ctx, t[3], t[3], NULL, NULL));
  cliv_tensor *const all[] = {t[0], t[1], t[2], t[3], half, over, under, scalar};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sums),
      cmocka_unit_test(sums_of_doubles),
      cmocka_unit_test(as_scipy),
      cmocka_unit_test(strided),
      cmocka_unit_test(convolve_refused),
      cmocka_unit_test(solves_the_equation),
      cmocka_unit_test(as_the_recursion),
      cmocka_unit_test(ls_sgd),
      cmocka_unit_test(smooth_refused),
  };
  return test_finish(cmocka_run_group_tests(tests, test_setup_all, test_teardown_all));
}
