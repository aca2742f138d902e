/* cliv/fft.h: errors against sums in double, bits between walks, axes and launches, what is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fft/plan.h"
#include "fft_support.h"

static void powers_of_w(void **state) {
  (void)state;
  static const uint64_t lengths[] = {1, 2, 3, 7, 8, 12, 45, 64, 97, 1000, 4097, 65536, 1000003, UINT64_C(1) << 27};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    const uint64_t n = lengths[i], step = n / 1000 + 1;
    for (uint64_t k = 0; k < n; k += step) {
      double re, im;
      cliv__fft_turn(k, n, &re, &im);
      const long double angle = 2 * 3.14159265358979323846264338327950288L * (long double)k / (long double)n;
      ASSERT_NEAR(re, (double)cosl(angle), 1e-15);
      ASSERT_NEAR(im, (double)-sinl(angle), 1e-15);
    }
  }
}

static void radices(void **state) {
  (void)state;
  static const struct {
    size_t n;
    const char *radices;
  } rows[] = {{1, ""},        {2, "2"},          {3, "3"},    {4, "4"},      {5, "5"},     {6, "23"},
              {8, "8"},       {16, "44"},        {32, "84"},  {64, "88"},    {128, "844"}, {30, "253"},
              {1000, "8555"}, {65536, "888844"}, {7, "none"}, {4097, "none"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    uint8_t radix[CLIV__FFT_RADICES];
    const int count = cliv__fft_radices(rows[i].n, radix);
    char text[CLIV__FFT_RADICES + 1] = "none";
    for (int p = 0; p < count; p++) text[p] = (char)('0' + radix[p]);
    if (count >= 0) text[count] = 0;
    assert_string_equal(text, rows[i].radices);
  }
}

/* Lengths by launches: whatever the share, products and tables are those of the whole list. */
static void shares(void **state) {
  (void)state;
  for (size_t n = 1; n <= 300000; n += n / 64 + 1) {
    cliv__fft_plan plan = {.length = n};
    plan.count = cliv__fft_radices(n, plan.radix);
    if (plan.count < 0) continue;
    for (size_t most = 16; most <= 4096; most *= 4)
      for (int least = 1; least <= 2; least++) {
        cliv__fft_launch l[CLIV__FFT_LAUNCHES];
        const int count = cliv__fft_share(&plan, most, least, l);
        size_t product = 1, done = 1, floats = 0; /* of the launches and the passes before */
        int passes = 0;
        assert_in_range(count, 1, CLIV__FFT_LAUNCHES);
        for (int i = 0; i < count; i++) {
          assert_int_equal(l[i].before, product);
          assert_int_equal(l[i].table, floats);
          assert_true(l[i].length <= most);
          for (cl_ulong rest = l[i].radices; rest; rest >>= 8) {
            const size_t r = rest & 255;
            assert_int_equal(r, plan.radix[passes++]);
            if (done > 1) floats += 2 * (r - 1) * done;
            done *= r;
          }
          product *= l[i].length;
        }
        assert_int_equal(product, n);
        assert_int_equal(passes, plan.count);
      }
  }
}

static void short_lengths(void **state) {
  const test_ways *const c = *state;
  for (size_t n = 1; n <= (test_small() ? 20 : 64); n += test_small() && n > 6 ? 2 : 1)
    fft_try_length(c, 1 + n % 19, n, EXACT());
}

static void long_lengths(void **state) {
  const test_ways *const c = *state;
  static const size_t lengths[] = {72,   75,   96,   100,  101,  125,  127,  128,  243,  256,  257,  384,  625, 720,
                                   1000, 1009, 1024, 1250, 2048, 2187, 2310, 3125, 3840, 4000, 4095, 4096, 4097};
  for (size_t i = 0; i < (test_small() ? 14 : sizeof lengths / sizeof *lengths); i += test_small() ? 13 : 1) {
    fft_try_length(c, 1, lengths[i], EXACT());
    if (lengths[i] < 1100 && !test_small()) fft_try_length(c, 21, lengths[i], EXACT());
  }
  if (test_small()) return;
  fft_try_length(c, 1, 8192, EXACT());
  fft_try_length(c, 1, 8192, EXACT(.inverse = 1));
  fft_try_length(c, 1, 19683, EXACT());
  fft_try_length(c, 1, 65536, EXACT());
  /* The CPU walk for many lines: those of which only parts stay near, and convolutions of such. */
  static const size_t several[] = {4097, 4100, 8640, 12800, 65536};
  for (size_t i = 0; i < sizeof several / sizeof *several; i++) fft_try_length(c, 5, several[i], EXACT());
}

static void normalised(void **state) {
  const test_ways *const c = *state;
  static const size_t lengths[] = {6, 1, 16, 17, 64, 300};
  for (size_t i = 0; i < (test_small() ? 1 : sizeof lengths / sizeof *lengths); i++)
    for (int norm = 0; norm < 3; norm++)
      for (int inverse = 0; inverse < 2; inverse++)
        fft_try_length(c, 3, lengths[i], EXACT(.inverse = inverse, .norm = (cliv_fft_norm)norm));
}

/* A line's bits do not depend on its neighbours, nor on how it lies. */
static void alone_or_not(void **state) {
  const test_ways *const c = *state;
  enum { LINES = 11 };
  static const size_t lengths[] = {5, 12, 13, 48, 512, 600, 8640}; /* the last: several launches in the GPU walk */
  for (size_t i = 0; i < (test_small() ? 2 : sizeof lengths / sizeof *lengths); i++) {
    const size_t n = lengths[i], rows[] = {LINES, n, 2}, columns[] = {n, LINES, 2}, one[] = {n, 2};
    float *const x = test_alloc(LINES * n * 2 * sizeof *x), *const turned = test_alloc(LINES * n * 2 * sizeof *x);
    test_fill_normal(x, LINES * n * 2, 17 + n);
    for (size_t l = 0; l < LINES; l++)
      for (size_t k = 0; k < n; k++) memcpy(turned + 2 * (k * LINES + l), x + 2 * (l * n + k), 2 * sizeof *x);
    for (size_t w = 0; w < c->count; w++) {
      float *const all = fft_transform(c->ctx[w], x, 3, rows, EXACT(), 0, false);
      float *const across =
          fft_transform(c->ctx[w], turned, 3, columns, EXACT(.axis_count = 1, .axes = (const int[]){0}), 1, w % 2);
      for (size_t l = 0; l < LINES; l++) {
        float *const single = fft_transform(c->ctx[w], x + 2 * l * n, 2, one, EXACT(), l % 2, false);
        ASSERT_SAME(CLIV_F32, single, all + 2 * l * n, 2 * n);
        for (size_t k = 0; k < n; k++) ASSERT_BITS(across + 2 * (k * LINES + l), single + 2 * k, 2 * sizeof *x);
        free(single);
      }
      free(all);
      free(across);
    }
    free(x);
    free(turned);
  }
}

/* Several axes against the reference along one after another. */
static void several_axes(void **state) {
  const test_ways *const c = *state;
  enum { A = 6, B = 7, C = 20 };
  const size_t shape[] = {A, B, C, 2};
  const size_t n[] = {A, B, C}, steps[] = {B * C, C, 1};
  float x[A * B * C * 2], *first = NULL;
  test_fill_normal(x, A * B * C * 2, 23);
  double *const z = fft_widened(x, A * B * C * 2);
  for (int axis = 0; axis < 3; axis++)
    for (size_t i = 0; i < A * B * C; i++) {
      double line[2 * C];
      if (i / steps[axis] % n[axis]) continue;
      fft_reference(z + 2 * i, n[axis], steps[axis], 1, line);
      for (size_t k = 0; k < n[axis]; k++) memcpy(z + 2 * (i + k * steps[axis]), line + 2 * k, 2 * sizeof *z);
    }
  const cliv_fft_options o = {
      .provider = CLIV_FFT_PROVIDER_EXACT, .inverse = 1, .axis_count = 3, .axes = (const int[]){0, 1, -1}};
  for (size_t w = 0; w < c->count; w++) {
    float *const y = fft_transform(c->ctx[w], x, 4, shape, &o, w, w % 2);
    assert_true(fft_error(y, z, A * B * C, 1.0 / (A * B * C)) < 4e-7);
    if (first) ASSERT_SAME(CLIV_F32, y, first, A * B * C * 2);
    if (first) free(y);
    else first = y;
  }
  free(first);
  free(z);
}

/* A NaN or an infinity spoils its own line and no other; what is stored is the canonical NaN, the same in every way. */
static void not_finite(void **state) {
  const test_ways *const c = *state;
  enum { LINES = 10 };
  static const size_t lengths[] = {9, 11, 1, 2, 16, 40, 256};
  const uint32_t odd_nan = 0xffc12345u;
  for (size_t i = 0; i < (test_small() ? 2 : sizeof lengths / sizeof *lengths); i++) {
    const size_t n = lengths[i], shape[] = {LINES, n, 2}, floats = LINES * n * 2;
    float *const x = test_alloc(floats * sizeof *x), *first = NULL;
    test_fill_normal(x, floats, 5 + n);
    memcpy(x + 2 * (3 * n + n / 2), &odd_nan, sizeof odd_nan);
    x[2 * (7 * n + n - 1) + 1] = -INFINITY;
    for (size_t w = 0; w < c->count; w++) {
      float *const y = fft_transform(c->ctx[w], x, 3, shape, EXACT(), 1, false);
      for (size_t k = 0; k < floats; k++) {
        const size_t line = k / (2 * n);
        uint32_t bits;
        memcpy(&bits, y + k, sizeof bits);
        if (line != 3 && line != 7) assert_true(isfinite(y[k]));
        if (isnan(y[k])) assert_int_equal(bits, 0x7fc00000u);
      }
      assert_true(isnan(y[2 * 3 * n]) && !isfinite(y[2 * 7 * n + 1]));
      if (first) ASSERT_BITS(y, first, floats * sizeof *y);
      if (first) free(y);
      else first = y;
    }
    free(first);
    free(x);
  }
}

/* More lengths than plans are kept, each alone, then all while the first waits: what was dropped is still read. */
static void many_plans(void **state) {
  const test_ways *const c = *state;
  cliv_context *const ctx = c->ctx[0];
  if (test_small()) return;
  enum { LENGTHS = 45 };
  float *want[LENGTHS], x[2 * LENGTHS];
  cliv_tensor *all, *out[LENGTHS];
  test_fill_normal(x, 2 * LENGTHS, 3);
  for (size_t n = 1; n <= LENGTHS; n++) want[n - 1] = fft_transform(ctx, x, 2, (size_t[]){n, 2}, EXACT(), 0, false);
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){2 * LENGTHS}, &all));
  ASSERT_OK(ctx, cliv_tensor_write(all, x, sizeof x));
  cl_int code;
  const cl_event gate = clCreateUserEvent(cliv_context_cl_context(ctx), &code);
  ASSERT_CL(code);
  for (size_t n = 1; n <= LENGTHS; n++) {
    cliv_tensor *in;
    ASSERT_OK(ctx, cliv_tensor_view(all, 0, 2, (size_t[]){n, 2}, 0, &in));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){n, 2}, &out[n - 1]));
    ASSERT_OK(ctx, cliv_fft(ctx, in, out[n - 1], EXACT(), n == 1 ? &(cliv_sync){1, &gate, NULL} : NULL));
    cliv_tensor_free(in);
  }
  ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
  for (size_t n = 1; n <= LENGTHS; n++) {
    float *const y = test_read(out[n - 1]);
    ASSERT_BITS(y, want[n - 1], 2 * n * sizeof *y);
    cliv_tensor_free(out[n - 1]);
    free(y), free(want[n - 1]);
  }
  ASSERT_CL(clReleaseEvent(gate));
  cliv_tensor_free(all);
}

/* Of tables as large as those of long lengths only so many are kept, but always those of the last call. */
static void large_plans(void **state) {
  const test_ways *const c = *state;
  cliv_context *const ctx = c->ctx[0];
  float x[2 * 16];
  test_fill_normal(x, 2 * 16, 4);
  for (size_t n = 8; n <= 16; n += 4) free(fft_transform(ctx, x, 2, (size_t[]){n, 2}, EXACT(), 0, false));
  const size_t sizes[] = {(size_t)1 << 30, 200 << 20, 100 << 20}; /* of 16, 12 and 8, as if */
  cliv__fft_plan *p = ctx->fft_plans;
  for (size_t i = 0; i < 3; i++, p = p->next) {
    assert_int_equal(p->length, 16 - 4 * i);
    assert_true(p->bytes > 0);
    p->bytes = sizes[i];
  }
  cliv__fft_plans_trim(ctx); /* 16 was used last, 12 and 8 before */
  assert_int_equal(ctx->fft_plans->length, 16);
  assert_int_equal(ctx->fft_plans->next->length, 12);
  for (p = ctx->fft_plans; p; p = p->next)
    if (p->kind == CLIV__FFT_TRANSFORM && !p->wide) assert_int_not_equal(p->length, 8);
  cliv__fft_plans_trim(ctx); /* and now none was */
  assert_int_equal(ctx->fft_plans->length, 12);
  free(fft_transform(ctx, x, 2, (size_t[]){16, 2}, EXACT(), 0, false));
  assert_int_equal(ctx->fft_plans->length, 16);
}

/* One event for each call, complete when the result is there: of one launch, of several, of lots, of other lengths. */
static void events(void **state) {
  const test_ways *const c = *state;
  static const size_t lengths[] = {8, 17, 600, 8640};
  for (size_t w = 0; w < c->count; w++)
    for (size_t i = 0; i < (test_small() ? 2 : sizeof lengths / sizeof *lengths); i++) {
      cliv_context *const ctx = c->ctx[w];
      const size_t n = lengths[i], lines = n > 8000 ? 33 : 2;
      cliv_tensor *x, *y;
      cl_event forward, back;
      ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){lines, n}, &x));
      ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, (size_t[]){lines, n / 2 + 1, 2}, &y));
      ASSERT_OK(ctx, cliv_tensor_fill(x, 1, NULL));
      ASSERT_OK(ctx, cliv_rfft(ctx, x, y, EXACT(), &(cliv_sync){.done = &forward}));
      ASSERT_OK(ctx, cliv_irfft(ctx, y, x, EXACT(), &(cliv_sync){1, &forward, &back}));
      ASSERT_CL(clWaitForEvents(1, &back));
      ASSERT_CL(clReleaseEvent(forward));
      ASSERT_CL(clReleaseEvent(back));
      float *const still = test_read(x);
      for (size_t k = 0; k < lines * n; k++) ASSERT_NEAR(still[k], 1, 1e-5);
      free(still);
      cliv_tensor_free(x);
      cliv_tensor_free(y);
    }
}

static void refused(void **state) {
  const test_ways *const c = *state;
  cliv_context *const ctx = c->ctx[0];
  const size_t shape[] = {4, 6, 2}, long_shape[] = {9, 6, 2};
  float x[9 * 6 * 2];
  test_fill_normal(x, 9 * 6 * 2, 1);
  test_guarded a = test_guard(ctx, CLIV_F32, 3, shape, 0, x), b = test_guard(ctx, CLIV_F32, 3, shape, 0, NULL);
  test_guarded big = test_guard(ctx, CLIV_F32, 3, long_shape, 0, x);
  test_guarded half = test_guard(ctx, CLIV_F16, 3, shape, 0, NULL);
  cliv_tensor *empty, *none, *odd, *over, *under;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, (size_t[]){4, 0, 2}, &empty));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, (size_t[]){0, 4, 2}, &none));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){4, 3}, &odd));
  ASSERT_OK(ctx, cliv_tensor_view(big.tensor, 0, 3, shape, 0, &over));
  ASSERT_OK(ctx, cliv_tensor_view(big.tensor, 12, 3, shape, 0, &under));
  cliv_tensor *const t = a.tensor, *const y = b.tensor;
  ASSERT_FAILS(NULL, cliv_fft(NULL, t, y, NULL, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_fft(ctx, NULL, y, NULL, NULL), CLIV_NULL, "'x'");
  ASSERT_FAILS(ctx, cliv_fft(ctx, t, NULL, NULL, NULL), CLIV_NULL, "'out'");
  ASSERT_FAILS(ctx, cliv_fft(ctx, half.tensor, half.tensor, NULL, NULL), CLIV_DTYPE, "float16");
  ASSERT_FAILS(ctx, cliv_fft(ctx, odd, odd, NULL, NULL), CLIV_SHAPE, "[4, 3]");
  ASSERT_FAILS(ctx, cliv_fft(ctx, t, big.tensor, NULL, NULL), CLIV_SHAPE, "must be equal");
  ASSERT_FAILS(ctx, cliv_fft(ctx, empty, empty, NULL, NULL), CLIV_SHAPE, "length 0");
  ASSERT_FAILS(ctx, cliv_fft(ctx, over, under, NULL, NULL), CLIV_OVERLAP, "share");
#define REFUSES(status, part, ...) \
  ASSERT_FAILS(ctx, cliv_fft(ctx, t, y, &(cliv_fft_options){__VA_ARGS__}, NULL), status, part)
  REFUSES(CLIV_VALUE, "norm", .norm = (cliv_fft_norm)3);
  REFUSES(CLIV_VALUE, "3 axes", .axis_count = 3, .axes = (const int[]){0, 1, 2});
  REFUSES(CLIV_VALUE, "-1 axes", .axis_count = -1);
  REFUSES(CLIV_NULL, "axes is NULL", .axis_count = 1);
  REFUSES(CLIV_VALUE, "no axis 2", .axis_count = 1, .axes = (const int[]){2});
  REFUSES(CLIV_VALUE, "no axis -3", .axis_count = 1, .axes = (const int[]){-3});
  REFUSES(CLIV_VALUE, "twice", .axis_count = 2, .axes = (const int[]){1, -1});
  REFUSES(CLIV_VALUE, NULL, .size = 1000);
  if (c->count > 1) ASSERT_FAILS(c->ctx[1], cliv_fft(c->ctx[1], t, y, NULL, NULL), CLIV_VALUE, "another context");
  ASSERT_OK(ctx, cliv_fft(ctx, none, none, NULL, NULL));
  float *const still = test_read(t);
  ASSERT_BITS(still, x, sizeof(float) * 4 * 6 * 2);
  free(still);
  cliv_fft_norm norm;
  ASSERT_FAILS(NULL, cliv_fft_norm_parse("unitary", &norm), CLIV_NAME, "unitary");
  for (int i = 0; i < 3; i++) {
    ASSERT_OK(NULL, cliv_fft_norm_parse(cliv_fft_norm_name((cliv_fft_norm)i), &norm));
    assert_int_equal(norm, i);
  }
  assert_string_equal(cliv_fft_norm_name((cliv_fft_norm)3), "?");
  cliv_tensor *const views[] = {empty, none, odd, over, under};
  for (size_t i = 0; i < sizeof views / sizeof *views; i++) cliv_tensor_free(views[i]);
  test_guard_free(&a);
  test_guard_free(&b);
  test_guard_free(&big);
  test_guard_free(&half);
}

/* Devices with little local memory, of which a launch never asks for more than there is. */
static void little_local_memory(void **state) {
  const test_ways *const c = *state;
  static const cl_ulong sizes[] = {16 << 10, 32 << 10, 48 << 10, 64 << 10};
  static const size_t lengths[] = {960, 2048, 3072, 4096, 16384, 32768};
  for (size_t w = 0; w < c->count; w++) {
    if (c->ctx[w]->walk == CLIV_WALK_CPU) continue;
    const cl_ulong there = c->ctx[w]->facts.local_memory;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
      for (size_t n = 0; n < (test_small() ? 2 : sizeof lengths / sizeof *lengths); n++) {
        const test_ways one = {{c->ctx[w]}, 1};
        if (sizes[i] > there) continue;
        c->ctx[w]->facts.local_memory = sizes[i];
        fft_try_length(&one, 3, lengths[n], EXACT());
        c->ctx[w]->facts.local_memory = there;
      }
  }
}

/* Numbers [A, B] as they lie: by rows; in columns; parts in planes of their own; every other; with a pitch. */
static void any_strides(void **state) {
  const test_ways *const c = *state;
  enum { A = 5, B = 12, SPAN = 2 * A * B * 4 };
  static const size_t strides[][3] = {{2, 2 * A, 1}, {B, 1, A * B}, {4 * B, 4, 1}, {2 * B + 6, 2, 1}};
  const size_t shape[] = {A, B, 2}, span = SPAN;
  float x[A * B * 2];
  test_fill_normal(x, A * B * 2, 31);
  for (size_t w = 0; w < c->count; w++) {
    cliv_context *const ctx = c->ctx[w];
    float *const want = fft_transform(ctx, x, 3, shape, EXACT(), 0, false);
    for (size_t i = 0; i < sizeof strides / sizeof *strides; i++) {
      test_guarded room = test_guard(ctx, CLIV_F32, 1, &span, 1, NULL);
      test_guarded dense = test_guard(ctx, CLIV_F32, 3, shape, 1, x);
      cliv_tensor *view;
      cl_event done;
      ASSERT_OK(ctx, cliv_tensor_view_strided(room.tensor, 3, 3, shape, strides[i], &view));
      float *const before = test_read(room.tensor);
      ASSERT_OK(ctx, cliv_fft(ctx, dense.tensor, view, EXACT(), NULL)); /* out of these */
      float *const there = test_read(view);
      ASSERT_SAME(CLIV_F32, there, want, A * B * 2);
      ASSERT_OK(ctx, cliv_tensor_write(view, x, sizeof x));
      ASSERT_OK(ctx, cliv_fft(ctx, view, dense.tensor, EXACT(), &(cliv_sync){.done = &done}));
      ASSERT_CL(clWaitForEvents(1, &done));
      ASSERT_CL(clReleaseEvent(done));
      float *const from = test_read(dense.tensor);
      ASSERT_SAME(CLIV_F32, from, want, A * B * 2);
      ASSERT_OK(ctx, cliv_fft(ctx, view, view, EXACT(), NULL)); /* and in place */
      float *const within = test_read(view);
      ASSERT_SAME(CLIV_F32, within, want, A * B * 2);
      ASSERT_OK(ctx, cliv_tensor_write(view, x, sizeof x));
      float *const after = test_read(room.tensor); /* what lies between is as it was */
      size_t others = 0;
      for (size_t k = 0; k < SPAN; k++) others += memcmp(before + k, after + k, sizeof *after) == 0;
      assert_int_equal(others, SPAN - A * B * 2);
      cliv_tensor_free(view);
      test_guard_free(&room);
      test_guard_free(&dense);
      free(before), free(there), free(from), free(within), free(after);
    }
    free(want);
  }
}

/* Numbers by twos or one by one, as alignment, lengths and what lies side by side permit: the same bits. */
static void any_place(void **state) {
  const test_ways *const c = *state;
  static const size_t shapes[][4] = {
      {2, 3, 12, 2},  {1, 3, 15, 2}, {1, 12, 6, 2},  {1, 12, 5, 2},
      {2, 12, 10, 2}, {1, 6, 19, 2}, {2, 1, 8640, 2}}; /* the last: several launches in the GPU walk */
  static const size_t shifts[][2] = {{0, 1}, {2, 0}, {4, 8}, {1, 2}, {3, 3}}; /* of x and of the result */
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes - test_small(); i++)
    for (int axis = 1; axis < 3; axis++) {
      const size_t *const shape = shapes[i], count = shape[0] * shape[1] * shape[2] * 2;
      float *const x = test_alloc(count * sizeof *x), *want = NULL;
      test_fill_normal(x, count, 41 + i);
      for (size_t w = 0; w < c->count; w++) {
        float *const y = fft_transform(c->ctx[w], x, 4, shape, EXACT(.axis_count = 1, .axes = &axis), 0, false);
        if (!want) want = y;
        else ASSERT_SAME(CLIV_F32, y, want, count);
        for (size_t k = 0; k < sizeof shifts / sizeof *shifts; k++) {
          test_guarded in = test_guard(c->ctx[w], CLIV_F32, 4, shape, shifts[k][0], x);
          test_guarded out = test_guard(c->ctx[w], CLIV_F32, 4, shape, shifts[k][1], NULL);
          ASSERT_OK(c->ctx[w], cliv_fft(c->ctx[w], in.tensor, out.tensor, EXACT(.axis_count = 1, .axes = &axis), NULL));
          float *const there = test_read(out.tensor);
          ASSERT_SAME(CLIV_F32, there, want, count);
          free(there);
          test_guard_free(&in);
          test_guard_free(&out);
        }
        if (y != want) free(y);
      }
      free(want);
      free(x);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(powers_of_w),
      cmocka_unit_test(radices),
      cmocka_unit_test(shares),
      cmocka_unit_test(short_lengths),
      cmocka_unit_test(little_local_memory),
      cmocka_unit_test(long_lengths),
      cmocka_unit_test(normalised),
      cmocka_unit_test(alone_or_not),
      cmocka_unit_test(several_axes),
      cmocka_unit_test(not_finite),
      cmocka_unit_test(many_plans),
      cmocka_unit_test(large_plans),
      cmocka_unit_test(events),
      cmocka_unit_test(refused),
      cmocka_unit_test(any_strides),
      cmocka_unit_test(any_place),
  };
  return test_finish(cmocka_run_group_tests(tests, test_setup_all, test_teardown_all));
}
