/* cliv/dct.h: against sums in double and SciPy's results, bits between walks, what is refused; DeMo's extraction. */
#include <cliv/dct.h>
#include <cliv/gather.h>
#include <cliv/map.h>
#include <cliv/scatter.h>
#include <cliv/sort.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trajectories.h"

static const char *const golden = "tests/golden/transforms.safetensors";

static double *read_doubles(const cliv_safetensors *file, const char *name, size_t count) {
  cliv_array array;
  ASSERT_OK(NULL, cliv_safetensors_read(file, name, &array));
  assert_int_equal(array.dtype, CLIV_F64);
  assert_int_equal(cliv_array_count(&array), count);
  return array.data;
}

/* ---- references ---- */

/* The manual's sums, type II or III, along a line of n elements `step` apart. */
static void sum_line(const double *x, double *out, size_t n, size_t step, bool third, bool sine, bool ortho, double f) {
  const double pi = 3.14159265358979323846;
  for (size_t i = 0; i < n; i++) {
    double sum = 0;
    for (size_t j = 0; j < n; j++) {
      const size_t k = third ? j : i, at = third ? i : j, lone = sine ? n - 1 : 0;
      const double angle = pi * (double)((k + sine) * (2 * at + 1) % (4 * n)) / (2 * (double)n);
      const double alone = k == lone ? (third ? 0.5 : 1) * (ortho ? (third ? sqrt(2) : sqrt(0.5)) : 1) : 1;
      sum += 2 * alone * x[j * step] * (sine ? sin(angle) : cos(angle));
    }
    out[i] = f * sum;
  }
}

static double factor(const cliv_dct_options *o, size_t n) {
  if (o->norm == CLIV_FFT_ORTHO) return 1 / sqrt(2 * (double)n);
  return (o->norm == CLIV_FFT_FORWARD) != (o->inverse != 0) ? 1 / (2 * (double)n) : 1;
}

/* Along the middle axis of [lines, n, beside], in every way: in place and out, guarded; errors and bits. */
static void try_one(const test_ways *c, cliv_dtype dtype, const size_t shape[3], cliv_dct_options o) {
  const size_t n = shape[1], beside = shape[2], count = shape[0] * n * beside;
  const int axes[] = {1};
  o.axis_count = 1, o.axes = axes;
  double *const x = test_alloc(count * sizeof *x), *const line = test_alloc(n * sizeof *line);
  void *const stored = test_alloc(count * sizeof *x), *first = NULL;
  for (size_t i = 0; i < count; i++) {
    test_put(dtype, stored, i, test_normal(n + beside, i));
    x[i] = test_get(dtype, stored, i);
  }
  for (size_t w = 0; w < c->count; w++) {
    cliv_context *const ctx = c->ctx[w];
    test_guarded in = test_guard(ctx, dtype, 3, shape, w, stored), out = test_guard(ctx, dtype, 3, shape, 1, NULL);
    cliv_tensor *const y = w % 2 ? in.tensor : out.tensor;
    ASSERT_OK(ctx, cliv_dct(ctx, in.tensor, y, &o, NULL));
    void *const got = test_read(y);
    if (first) ASSERT_SAME(dtype, got, first, count);
    if (first) free(got);
    else first = got;
    test_guard_free(&in);
    test_guard_free(&out);
  }
  double apart = 0, length = 0;
  for (size_t i = 0; i < count; i++) {
    if (i / beside % n) continue;
    sum_line(x + i, line, n, beside, (o.type == 3) != (o.inverse != 0), o.sine, o.norm == CLIV_FFT_ORTHO,
             factor(&o, n));
    for (size_t k = 0; k < n; k++) {
      const double d = test_get(dtype, first, i + k * beside) - line[k];
      apart += d * d, length += line[k] * line[k];
    }
  }
  /* the transform's promise and three roundings, of the table, the product and the factor; doubles: the reference's own
   * sums of n terms */
  const double bound = dtype == CLIV_F32 ? 5e-7 : 1e-15 * (2 + (double)n / 64);
  if (!(sqrt(apart / length) <= bound))
    fail_msg("%s type %d%s%s, norm %d, length %zu beside %zu: error %.3g, allowed %.3g", cliv_dtype_name(dtype), o.type,
             o.sine ? ", sine" : "", o.inverse ? ", inverse" : "", (int)o.norm, n, beside, sqrt(apart / length), bound);
  free(x);
  free(line);
  free(stored);
  free(first);
}

/* ---- tests ---- */

static void lengths(void **state) {
  const test_ways *const c = *state;
  static const size_t list[] = {6, 7, 1, 2, 3, 4, 5, 8, 9, 16, 17, 31, 64, 100, 128, 255, 256, 257, 576, 1000};
  for (size_t i = 0; i < (test_small() ? 2 : sizeof list / sizeof *list); i++)
    for (int type = 2; type <= 3; type++)
      for (int sine = 0; sine < 2; sine++) {
        const size_t shape[] = {1 + list[i] % 3, list[i], 1 + (list[i] % 2) * 4};
        try_one(
            c, CLIV_F32, shape,
            (cliv_dct_options){.type = type, .sine = sine, .inverse = (int)(i % 2), .norm = (cliv_fft_norm)(i % 3)});
      }
  if (!test_small()) try_one(c, CLIV_F32, (size_t[]){1, 4097, 1}, (cliv_dct_options){.type = 2});
}

static void options(void **state) {
  const test_ways *const c = *state;
  for (int i = 0; i < 24; i += test_small() ? 7 : 1)
    try_one(
        c, CLIV_F32, (size_t[]){3, 12, 1},
        (cliv_dct_options){.type = 2 + i % 2, .sine = i / 2 % 2, .inverse = i / 4 % 2, .norm = (cliv_fft_norm)(i / 8)});
}

static void doubles(void **state) {
  const test_ways *const c = *state;
  static const size_t list[] = {10, 7, 1, 64, 120};
  cliv_tensor *t;
  if (cliv_tensor_create(c->ctx[0], CLIV_F64, 0, NULL, &t)) return;
  cliv_tensor_free(t);
  for (size_t i = 0; i < (test_small() ? 2 : sizeof list / sizeof *list); i++)
    for (int sine = 0; sine < 2; sine++)
      try_one(c, CLIV_F64, (size_t[]){2, list[i], 1 + i % 2},
              (cliv_dct_options){.type = 2 + (int)(i % 2), .sine = sine, .norm = CLIV_FFT_ORTHO});
}

static void near_scipy(const float *got, const double *want, size_t n, const char *name) {
  double apart = 0, length = 0;
  for (size_t i = 0; i < n; i++) apart += (got[i] - want[i]) * (got[i] - want[i]), length += want[i] * want[i];
  if (!(sqrt(apart) <= 5e-7 * sqrt(length))) fail_msg("%s: off by %.3g of SciPy's", name, sqrt(apart / length));
}

/* SciPy's transforms of lines, of each norm, and of several axes. */
static void as_scipy(void **state) {
  const test_ways *const c = *state;
  cliv_context *const ctx = c->ctx[0];
  static const size_t list[] = {8, 15, 1, 2, 3, 4, 5, 16, 17, 31, 60};
  cliv_safetensors *const file = test_golden(golden);
  for (size_t i = 0; i < (test_small() ? 2 : sizeof list / sizeof *list); i++)
    for (int which = 0; which < 12; which++) {
      const size_t n = list[i];
      const int type = 2 + which % 2, sine = which / 2 % 2, norm = which / 4;
      char name[32];
      snprintf(name, sizeof name, "x.%zu", n);
      float *const x = test_golden_read(file, name);
      snprintf(name, sizeof name, "%s%d.%zu", sine ? "dst" : "dct", type, n);
      double *const want = read_doubles(file, name, 3 * n);
      test_guarded t = test_guard1(ctx, CLIV_F32, n, 0, x);
      const cliv_dct_options o = {.type = type, .sine = sine, .norm = (cliv_fft_norm)norm};
      ASSERT_OK(ctx, cliv_dct(ctx, t.tensor, t.tensor, &o, NULL));
      float *const got = test_read(t.tensor);
      near_scipy(got, want + (size_t)norm * n, n, name);
      test_guard_free(&t);
      free(x), free(want), free(got);
    }
  float *const x = test_golden_read(file, "x.all");
  const struct {
    const char *name;
    cliv_dct_options o;
  } all[] = {
      {"dct2.all", {.norm = CLIV_FFT_ORTHO, .axis_count = 2, .axes = (const int[]){0, 2}}},
      {"dst3.all", {.type = 3, .sine = 1, .norm = CLIV_FFT_FORWARD, .axis_count = 2, .axes = (const int[]){1, 0}}}};
  for (size_t i = 0; i < 2; i++)
    for (size_t w = 0; w < c->count; w++) {
      double *const want = read_doubles(file, all[i].name, 120);
      test_guarded in = test_guard(c->ctx[w], CLIV_F32, 3, (size_t[]){4, 6, 5}, 1, x);
      test_guarded out = test_guard(c->ctx[w], CLIV_F32, 3, (size_t[]){4, 6, 5}, 0, NULL);
      cl_event done;
      ASSERT_OK(c->ctx[w], cliv_dct(c->ctx[w], in.tensor, out.tensor, &all[i].o, &(cliv_sync){.done = &done}));
      ASSERT_CL(clWaitForEvents(1, &done));
      ASSERT_CL(clReleaseEvent(done));
      float *const got = test_read(out.tensor);
      near_scipy(got, want, 120, all[i].name);
      test_guard_free(&in);
      test_guard_free(&out);
      free(want), free(got);
    }
  free(x);
  cliv_safetensors_free(file);
}

/* A NaN spoils its line and no other, and is stored as the canonical one. */
static void not_finite(void **state) {
  const test_ways *const c = *state;
  enum { N = 12 };
  float x[3 * N];
  const uint32_t odd_nan = 0xffc12345u;
  test_fill_normal(x, 3 * N, 4);
  memcpy(x + N + 3, &odd_nan, sizeof odd_nan);
  for (size_t w = 0; w < c->count; w++)
    for (int kind = 0; kind < 4; kind++) {
      const cliv_dct_options o = {.type = 2 + kind % 2, .sine = kind / 2};
      test_guarded t = test_guard(c->ctx[w], CLIV_F32, 2, (size_t[]){3, N}, 0, x);
      ASSERT_OK(c->ctx[w], cliv_dct(c->ctx[w], t.tensor, t.tensor, &o, NULL));
      float *const y = test_read(t.tensor);
      for (size_t i = 0; i < 3 * N; i++) {
        uint32_t bits;
        memcpy(&bits, y + i, sizeof bits);
        if (i / N == 1) assert_int_equal(bits, 0x7fc00000u);
        else assert_true(isfinite(y[i]));
      }
      free(y);
      test_guard_free(&t);
    }
}

/* Views of any strides, out of, into and in place, give the bits of dense tensors. */
static void strided(void **state) {
  const test_ways *const c = *state;
  enum { A = 4, N = 9, ROOM = 100 };
  const size_t shape[] = {A, N}, room = ROOM;
  static const size_t strides[][2] = {{1, A}, {2 * N, 2}, {N + 2, 1}};
  float x[A * N];
  test_fill_normal(x, A * N, 3);
  for (size_t w = 0; w < c->count; w++)
    for (size_t i = 0; i < sizeof strides / sizeof *strides; i++) {
      cliv_context *const ctx = c->ctx[w];
      test_guarded dense = test_guard(ctx, CLIV_F32, 2, shape, 0, x),
                   memory = test_guard1(ctx, CLIV_F32, room, 0, NULL);
      cliv_tensor *view, *want;
      ASSERT_OK(ctx, cliv_tensor_view_strided(memory.tensor, 1, 2, shape, strides[i], &view));
      ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape, &want));
      ASSERT_OK(ctx, cliv_dct(ctx, dense.tensor, want, NULL, NULL));
      ASSERT_OK(ctx, cliv_dct(ctx, dense.tensor, view, NULL, NULL));
      ASSERT_SAME_TENSORS(view, want);
      ASSERT_OK(ctx, cliv_tensor_copy(dense.tensor, view, NULL));
      ASSERT_OK(ctx, cliv_dct(ctx, view, dense.tensor, NULL, NULL));
      ASSERT_SAME_TENSORS(dense.tensor, want);
      ASSERT_OK(ctx, cliv_dct(ctx, view, view, NULL, NULL));
      ASSERT_SAME_TENSORS(view, want);
      cliv_tensor_free(view);
      cliv_tensor_free(want);
      test_guard_free(&dense), test_guard_free(&memory);
    }
}

static void refused(void **state) {
  const test_ways *const c = *state;
  cliv_context *const ctx = c->ctx[0];
  float x[24];
  test_fill_normal(x, 24, 1);
  test_guarded a = test_guard(ctx, CLIV_F32, 2, (size_t[]){4, 6}, 0, x);
  cliv_tensor *y, *empty, *none, *half, *part, *scalar, *other;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){4, 6}, &y));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){4, 0}, &empty));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){0, 4}, &none));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F16, 2, (size_t[]){4, 6}, &half));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 0, NULL, &scalar));
  ASSERT_OK(ctx, cliv_tensor_view(a.tensor, 0, 2, (size_t[]){2, 6}, 0, &part));
  ASSERT_OK(ctx, cliv_tensor_view(a.tensor, 5, 2, (size_t[]){2, 6}, 0, &other));
  cliv_tensor *const t = a.tensor;
  ASSERT_FAILS(NULL, cliv_dct(NULL, t, y, NULL, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_dct(ctx, NULL, y, NULL, NULL), CLIV_NULL, "'x'");
  ASSERT_FAILS(ctx, cliv_dct(ctx, t, NULL, NULL, NULL), CLIV_NULL, "'out'");
  ASSERT_FAILS(ctx, cliv_dct(ctx, half, half, NULL, NULL), CLIV_DTYPE, "float16");
  ASSERT_FAILS(ctx, cliv_dct(ctx, t, half, NULL, NULL), CLIV_DTYPE, "float16");
  ASSERT_FAILS(ctx, cliv_dct(ctx, part, y, NULL, NULL), CLIV_SHAPE, "must be equal");
  ASSERT_FAILS(ctx, cliv_dct(ctx, empty, empty, NULL, NULL), CLIV_SHAPE, "length 0");
  ASSERT_FAILS(ctx, cliv_dct(ctx, scalar, scalar, NULL, NULL), CLIV_SHAPE, "no axis");
  ASSERT_FAILS(ctx, cliv_dct(ctx, part, other, NULL, NULL), CLIV_OVERLAP, "share");
#define REFUSES(status, text, ...) \
  ASSERT_FAILS(ctx, cliv_dct(ctx, t, y, &(cliv_dct_options){__VA_ARGS__}, NULL), status, text)
  REFUSES(CLIV_VALUE, "no type 4", .type = 4);
  REFUSES(CLIV_VALUE, "no norm", .norm = (cliv_fft_norm)5);
  REFUSES(CLIV_VALUE, "3 axes", .axis_count = 3, .axes = (const int[]){0, 1, 2});
  REFUSES(CLIV_NULL, "axes is NULL", .axis_count = 1);
  REFUSES(CLIV_VALUE, "no axis 2", .axis_count = 1, .axes = (const int[]){2});
  REFUSES(CLIV_VALUE, "twice", .axis_count = 2, .axes = (const int[]){1, -1});
  REFUSES(CLIV_VALUE, NULL, .size = 1000);
  if (c->count > 1) ASSERT_FAILS(c->ctx[1], cliv_dct(c->ctx[1], t, y, NULL, NULL), CLIV_VALUE, "another context");
  ASSERT_OK(ctx, cliv_dct(ctx, none, none, NULL, NULL));
  cliv_tensor *const all[] = {y, empty, none, half, part, scalar, other};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  test_guard_free(&a);
}

/* ---- DeMo's extraction, of library calls alone ---- */

enum { CHUNKS = 6, CHUNK = 16, KEPT = 3, STEPS = 4 };

typedef struct demo {
  cliv_tensor *gradient, *momentum, *frequencies, *sizes, *greatest, *places, *offsets, *values, *sent;
  cliv_tensor *flat, *flat_places, *flat_sent; /* the same memory in one axis */
} demo;

static demo demo_begin(cliv_context *ctx) {
  const size_t chunks[] = {CHUNKS, CHUNK}, kept[] = {CHUNKS, KEPT}, all = CHUNKS * CHUNK, sent = CHUNKS * KEPT;
  int64_t offsets[CHUNKS * KEPT];
  demo d;
  cliv_tensor **const of_chunks[] = {&d.gradient, &d.momentum, &d.frequencies, &d.sizes, &d.sent};
  for (size_t i = 0; i < 5; i++) ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, chunks, of_chunks[i]));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, kept, &d.greatest));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I64, 2, kept, &d.places));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I64, 2, kept, &d.offsets));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &sent, &d.values));
  ASSERT_OK(ctx, cliv_tensor_view(d.frequencies, 0, 1, &all, 0, &d.flat));
  ASSERT_OK(ctx, cliv_tensor_view(d.sent, 0, 1, &all, 0, &d.flat_sent));
  ASSERT_OK(ctx, cliv_tensor_view(d.places, 0, 1, &sent, 0, &d.flat_places));
  for (size_t i = 0; i < sent; i++) offsets[i] = (int64_t)(i / KEPT * CHUNK);
  ASSERT_OK(ctx, cliv_tensor_write(d.offsets, offsets, sizeof offsets));
  ASSERT_OK(ctx, cliv_tensor_fill(d.momentum, 0, NULL));
  return d;
}

/* m = decay·m + rate·g; the greatest of its frequencies are taken out of it, and sent. */
static void demo_step(cliv_context *ctx, const demo *d, double decay, double rate) {
  const cliv_dct_options ortho = {.norm = CLIV_FFT_ORTHO}, back = {.norm = CLIV_FFT_ORTHO, .inverse = 1};
  ASSERT_OK(ctx, cliv_map_scalar(ctx, "mul", d->momentum, decay, d->momentum, NULL));
  ASSERT_OK(ctx, cliv_map_scalar(ctx, "mul", d->gradient, rate, d->gradient, NULL));
  ASSERT_OK(ctx, cliv_map2(ctx, "add", d->momentum, d->gradient, d->momentum, NULL));
  ASSERT_OK(ctx, cliv_dct(ctx, d->momentum, d->frequencies, &ortho, NULL));
  ASSERT_OK(ctx, cliv_map(ctx, "abs", d->frequencies, d->sizes, NULL));
  ASSERT_OK(ctx, cliv_topk(ctx, -1, KEPT, CLIV_DESCENDING, d->sizes, d->greatest, d->places, NULL));
  ASSERT_OK(ctx, cliv_map2(ctx, "add", d->places, d->offsets, d->places, NULL));
  ASSERT_OK(ctx, cliv_gather(ctx, d->flat, d->flat_places, d->values, NULL));
  ASSERT_OK(ctx, cliv_tensor_fill(d->sent, 0, NULL));
  ASSERT_OK(ctx, cliv_scatter_add(ctx, d->values, d->flat_places, d->flat_sent, NULL));
  ASSERT_OK(ctx, cliv_dct(ctx, d->sent, d->sent, &back, NULL));
  ASSERT_OK(ctx, cliv_map2(ctx, "sub", d->momentum, d->sent, d->momentum, NULL));
}

static void demo_end(demo *d) {
  cliv_tensor *const all[] = {d->gradient, d->momentum, d->frequencies, d->sizes, d->greatest,    d->places,
                              d->offsets,  d->values,   d->sent,        d->flat,  d->flat_places, d->flat_sent};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
}

static void demo_as_numpy(void **state) {
  const test_ways *const c = *state;
  cliv_safetensors *const file = test_golden(golden);
  for (size_t w = 0; w < (test_few() ? 1 : c->count); w++) {
    cliv_context *const ctx = c->ctx[w];
    demo d = demo_begin(ctx);
    for (int step = 0; step < STEPS; step++) {
      char name[40];
      cliv_array places;
      snprintf(name, sizeof name, "demo.%d.gradient", step);
      float *const gradient = test_golden_read(file, name);
      ASSERT_OK(ctx, cliv_tensor_write(d.gradient, gradient, CHUNKS * CHUNK * sizeof *gradient));
      demo_step(ctx, &d, 0.75, 0.5);
      snprintf(name, sizeof name, "demo.%d.places", step);
      ASSERT_OK(NULL, cliv_safetensors_read(file, name, &places));
      snprintf(name, sizeof name, "demo.%d.values", step);
      double *const values = read_doubles(file, name, CHUNKS * KEPT);
      snprintf(name, sizeof name, "demo.%d.momentum", step);
      double *const momentum = read_doubles(file, name, CHUNKS * CHUNK);
      int64_t *const got_places = test_read(d.places);
      float *const got_values = test_read(d.values), *const got = test_read(d.momentum);
      for (size_t i = 0; i < CHUNKS * KEPT; i++) {
        assert_int_equal(got_places[i] - (int64_t)(i / KEPT * CHUNK), ((const int64_t *)places.data)[i]);
        ASSERT_NEAR(got_values[i], values[i], 2e-6);
      }
      for (size_t i = 0; i < CHUNKS * CHUNK; i++) ASSERT_NEAR(got[i], momentum[i], 2e-6);
      cliv_array_free(&places);
      free(gradient), free(values), free(momentum), free(got_places), free(got_values), free(got);
    }
    demo_end(&d);
  }
  cliv_safetensors_free(file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lengths),       cmocka_unit_test(options),    cmocka_unit_test(doubles),
      cmocka_unit_test(as_scipy),      cmocka_unit_test(not_finite), cmocka_unit_test(refused),
      cmocka_unit_test(demo_as_numpy), cmocka_unit_test(strided),
  };
  return test_finish(cmocka_run_group_tests(tests, test_setup_all, test_teardown_all));
}
