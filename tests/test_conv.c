/* cliv/conv.h: bits against the definitions on the host, errors against double, both walks. */
#include <cliv/conv.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/tensor.h"
#include "support.h"

/* ---- one convolution ---- */

enum { FORWARD, BY_DATA, BY_WEIGHT, KINDS };

/* Sides: of the plane, or of the line with 1 first. */
typedef struct shape {
  size_t n, groups, c, o; /* channels of a group */
  size_t side[2], kernel[2];
  int64_t stride[2], padding[2], dilation[2];
  bool line;
} shape;

typedef struct part {
  size_t count;
  void *host;
  test_guarded on_device;
} part;

typedef struct scene {
  shape s;
  cliv_dtype dtype;
  int kind;
  size_t result[2];
  part x, w, bias, y;
} scene;

static part *written(scene *s) { return s->kind == FORWARD ? &s->y : s->kind == BY_DATA ? &s->x : &s->w; }

static part make(cliv_context *ctx, const scene *s, size_t d0, size_t d1, const size_t sides[2], uint64_t seed,
                 bool special) {
  const size_t lengths[] = {d0, d1, s->s.line ? sides[1] : sides[0], sides[1]};
  part p = {.count = d0 * d1 * sides[0] * sides[1]};
  p.host = test_alloc(p.count * cliv_dtype_size(s->dtype));
  for (size_t i = 0; i < p.count; i++) test_put(s->dtype, p.host, i, test_normal(seed, i));
  if (special && p.count > 20) {
    test_put(s->dtype, p.host, p.count / 3, (double)INFINITY);
    test_put(s->dtype, p.host, p.count / 2, (double)NAN);
    test_put(s->dtype, p.host, p.count - 1, -0.0);
  }
  p.on_device = test_guard(ctx, s->dtype, s->s.line ? 3 : 4, lengths, seed % 4, p.host);
  return p;
}

static void release(part *p) {
  test_guard_free(&p->on_device);
  free(p->host);
}

static scene make_scene(cliv_context *ctx, const shape *like, cliv_dtype dtype, int kind, uint64_t seed) {
  scene s = {.s = *like, .dtype = dtype, .kind = kind};
  for (int d = 0; d < 2; d++)
    s.result[d] = cliv_conv_length(s.s.side[d], s.s.kernel[d], s.s.stride[d], s.s.padding[d], s.s.dilation[d]);
  const bool special = seed % 3 == 2;
  const size_t c = s.s.groups * s.s.c, o = s.s.groups * s.s.o;
  s.x = make(ctx, &s, s.s.n, c, s.s.side, seed + 1, special);
  s.w = make(ctx, &s, o, s.s.c, s.s.kernel, seed + 2, special);
  s.y = make(ctx, &s, s.s.n, o, s.result, seed + 3, special);
  s.bias = (part){.count = o, .host = test_alloc(o * cliv_dtype_size(dtype))};
  for (size_t i = 0; i < o; i++) test_put(dtype, s.bias.host, i, test_normal(seed + 4, i));
  s.bias.on_device = test_guard1(ctx, dtype, o, 1, s.bias.host);
  return s;
}

static void clear_scene(scene *s) { release(&s->x), release(&s->w), release(&s->y), release(&s->bias); }

static bool has_bias(const scene *s) { return s->s.o % 2; }

static cliv_status call(cliv_context *ctx, const scene *s, cliv_provider provider, const cliv_sync *sync) {
  cliv_conv_options o = {.size = sizeof o, .provider = provider, .groups = (int64_t)s->s.groups};
  for (int d = 0; d < (s->s.line ? 1 : 2); d++) {
    const int from = s->s.line ? 1 : d;
    o.stride[d] = s->s.stride[from];
    o.padding[d] = s->s.padding[from];
    o.dilation[d] = s->s.dilation[from];
  }
  cliv_tensor *const x = s->x.on_device.tensor, *const w = s->w.on_device.tensor, *const y = s->y.on_device.tensor;
  if (s->kind == BY_DATA) return cliv_conv_data(ctx, y, w, x, &o, sync);
  if (s->kind == BY_WEIGHT) return cliv_conv_weight(ctx, x, y, w, &o, sync);
  return cliv_conv(ctx, x, w, has_bias(s) ? s->bias.on_device.tensor : NULL, y, &o, sync);
}

/* ---- the definitions: in the dtype's own arithmetic, or in double with the sum of the terms' magnitudes ---- */

typedef struct sum {
  double chain, exact, size;
} sum;

static void add(const scene *s, double a, double b, sum *r) {
  r->chain = s->dtype == CLIV_F64 ? fma(a, b, r->chain) : (double)fmaf((float)a, (float)b, (float)r->chain);
  r->exact += a * b;
  r->size += fabs(a * b);
}

static double data(const scene *s, size_t n, size_t c, int64_t i, int64_t j) {
  if (i < 0 || j < 0 || i >= (int64_t)s->s.side[0] || j >= (int64_t)s->s.side[1]) return 0;
  return test_get(s->dtype, s->x.host,
                  ((n * s->s.groups * s->s.c + c) * s->s.side[0] + (size_t)i) * s->s.side[1] + (size_t)j);
}
static double weight(const scene *s, size_t o, size_t c, size_t a, size_t b) {
  return test_get(s->dtype, s->w.host, ((o * s->s.c + c) * s->s.kernel[0] + a) * s->s.kernel[1] + b);
}
static double result(const scene *s, size_t n, size_t o, int64_t p, int64_t q) {
  if (p < 0 || q < 0 || p >= (int64_t)s->result[0] || q >= (int64_t)s->result[1]) return 0;
  return test_get(s->dtype, s->y.host,
                  ((n * s->s.groups * s->s.o + o) * s->result[0] + (size_t)p) * s->result[1] + (size_t)q);
}
static int64_t place(const scene *s, int d, size_t p, size_t tap) {
  return (int64_t)p * s->s.stride[d] + (int64_t)tap * s->s.dilation[d] - s->s.padding[d];
}

static sum of_result(const scene *s, size_t n, size_t o, size_t p, size_t q) {
  sum r = {0, 0, 0};
  for (size_t c = 0; c < s->s.c; c++)
    for (size_t a = 0; a < s->s.kernel[0]; a++)
      for (size_t b = 0; b < s->s.kernel[1]; b++)
        add(s, weight(s, o, c, a, b), data(s, n, o / s->s.o * s->s.c + c, place(s, 0, p, a), place(s, 1, q, b)), &r);
  return r;
}

static sum of_data(const scene *s, size_t n, size_t c, size_t i, size_t j) {
  sum r = {0, 0, 0};
  for (size_t o = c / s->s.c * s->s.o; o < (c / s->s.c + 1) * s->s.o; o++)
    for (size_t a = 0; a < s->s.kernel[0]; a++)
      for (size_t b = 0; b < s->s.kernel[1]; b++) {
        const int64_t y = (int64_t)i + s->s.padding[0] - (int64_t)a * s->s.dilation[0],
                      x = (int64_t)j + s->s.padding[1] - (int64_t)b * s->s.dilation[1];
        if (y % s->s.stride[0] || x % s->s.stride[1]) continue;
        add(s, weight(s, o, c % s->s.c, a, b), result(s, n, o, y / s->s.stride[0], x / s->s.stride[1]), &r);
      }
  return r;
}

static sum of_weight(const scene *s, size_t o, size_t c, size_t a, size_t b) {
  sum r = {0, 0, 0};
  for (size_t n = 0; n < s->s.n; n++)
    for (size_t p = 0; p < s->result[0]; p++)
      for (size_t q = 0; q < s->result[1]; q++)
        add(s, result(s, n, o, (int64_t)p, (int64_t)q),
            data(s, n, o / s->s.o * s->s.c + c, place(s, 0, p, a), place(s, 1, q, b)), &r);
  return r;
}

/* Bits; and the distance from the sum in double, by the bound that random signs give. */
static void expect(scene s) {
  const cliv_dtype dtype = s.dtype;
  const int kind = s.kind;
  part *const to = written(&s);
  void *const got = test_read(to->on_device.tensor), *const want = test_alloc(to->count * cliv_dtype_size(dtype));
  const size_t first = kind == BY_WEIGHT ? s.s.groups * s.s.o : s.s.n;
  const size_t second = kind == FORWARD ? s.s.groups * s.s.o : kind == BY_DATA ? s.s.groups * s.s.c : s.s.c;
  const size_t *const sides = kind == FORWARD ? s.result : kind == BY_DATA ? s.s.side : s.s.kernel;
  size_t e = 0;
  for (size_t d0 = 0; d0 < first; d0++)
    for (size_t d1 = 0; d1 < second; d1++)
      for (size_t i = 0; i < sides[0]; i++)
        for (size_t j = 0; j < sides[1]; j++, e++) {
          sum r = (kind == FORWARD ? of_result : kind == BY_DATA ? of_data : of_weight)(&s, d0, d1, i, j);
          const double bias = kind == FORWARD && has_bias(&s) ? test_get(dtype, s.bias.host, d1) : 0;
          if (kind == FORWARD && has_bias(&s)) r.chain += bias; /* test_put rounds; the sum of two is exact or nearly */
          test_put(dtype, want, e, isnan(r.chain) ? (double)NAN : r.chain);
          const double terms = (double)(s.s.n * s.result[0] * s.result[1] + s.s.c * s.s.o * 99);
          if (isfinite(r.size))
            ASSERT_NEAR(test_get(dtype, got, e), r.exact + bias,
                        4 * sqrt(terms) * (dtype == CLIV_F64 ? 0x1p-53 : 0x1p-24) * (r.size + fabs(bias)));
        }
  ASSERT_SAME(dtype, got, want, to->count);
  free(got), free(want);
  clear_scene(&s);
}

static void check(cliv_context *ctx, const shape *like, cliv_dtype dtype, int kind, uint64_t seed) {
  const scene s = make_scene(ctx, like, dtype, kind, seed);
  ASSERT_OK(ctx, call(ctx, &s, CLIV_PROVIDER_EXACT, NULL));
  expect(s);
}

/* ---- tests ---- */

static const shape shapes[] = {
    {2, 1, 3, 4, {9, 11}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, false},
    {1, 1, 2, 3, {12, 40}, {3, 5}, {1, 1}, {0, 2}, {1, 1}, false},
    {3, 1, 4, 5, {7, 20}, {1, 1}, {1, 1}, {0, 0}, {1, 1}, false},
    {2, 1, 3, 2, {9, 19}, {3, 3}, {2, 2}, {1, 1}, {1, 1}, false},
    {1, 1, 2, 3, {13, 17}, {2, 3}, {3, 2}, {2, 4}, {2, 3}, false},
    {2, 1, 2, 2, {11, 12}, {1, 2}, {4, 3}, {0, 1}, {1, 3}, false}, /* some data reach nothing */
    {2, 3, 2, 3, {8, 9}, {3, 2}, {1, 2}, {1, 0}, {1, 2}, false},
    {2, 5, 1, 1, {10, 35}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, false}, /* depthwise */
    {1, 3, 1, 2, {9, 21}, {3, 4}, {2, 3}, {2, 1}, {1, 2}, false},
    {2, 2, 3, 1, {6, 7}, {6, 7}, {1, 1}, {0, 0}, {1, 1}, false}, /* one place */
    {1, 1, 1, 1, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {1, 1}, false},
    {2, 1, 3, 4, {1, 257}, {1, 5}, {1, 1}, {0, 2}, {1, 1}, true},
    {3, 2, 2, 3, {1, 100}, {1, 4}, {1, 3}, {0, 5}, {1, 2}, true},
    {2, 4, 1, 3, {1, 65}, {1, 7}, {1, 2}, {0, 3}, {1, 1}, true},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static void bits(int kind) {
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t i = 0; i < SHAPES; i++) {
      if ((test_small() || test_slow(ctx)) && i % 3 != (size_t)kind) continue;
      check(ctx, &shapes[i], CLIV_F32, kind, 40 * i + (size_t)kind);
      if (cliv_context_has(ctx, CLIV_F64) && i % 5 == (size_t)kind) check(ctx, &shapes[i], CLIV_F64, kind, 40 * i);
    }
    test_close(ctx);
  }
}

static void forward(void **state) {
  (void)state;
  bits(FORWARD);
}
static void by_data(void **state) {
  (void)state;
  bits(BY_DATA);
}
static void by_weight(void **state) {
  (void)state;
  bits(BY_WEIGHT);
}

/* More than is unfolded at a time: cut along places, and images. */
static void cuts(void **state) {
  (void)state;
  static const shape large[] = {
      {2, 1, 40, 3, {60, 70}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, false},
      {5, 1, 24, 2, {40, 41}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, false},
      {21, 1, 9, 2, {12, 13}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, false},
  };
  cliv_context *ctx = test_open(CLIV_WALK_CPU);
  for (size_t i = 0; i < (test_small() || test_slow(ctx) ? 0 : 3); i++)
    for (int kind = 0; kind < KINDS; kind++) check(ctx, &large[i], CLIV_F32, kind, 10 * i);
  test_close(ctx);
}

/* In the CPU walk more rows of taps than a work-item takes, and more columns; channels, images and places of which more
 * than one command is made: places end within a row. */
static void depthwise_weights(void **state) {
  (void)state;
  static const shape many[] = {
      {2, 2, 1, 1, {15, 40}, {6, 19}, {1, 1}, {2, 3}, {1, 1}, false},
      {2, 3, 1, 2, {20, 37}, {9, 1}, {1, 1}, {1, 0}, {2, 1}, false},
      {1, 2, 1, 1, {18, 70}, {5, 17}, {2, 1}, {1, 4}, {1, 2}, false},
      {40, 1, 1, 1, {200, 200}, {2, 2}, {1, 1}, {0, 1}, {1, 1}, false},
      {1, 1, 1, 1, {1050, 1001}, {2, 1}, {1, 1}, {1, 0}, {1, 1}, false},
  };
  const size_t count = sizeof many / sizeof *many;
  cliv_context *ctx = test_open(CLIV_WALK_CPU);
  for (size_t i = 0; i < (test_small() || test_few() || test_slow(ctx) ? 3 : count); i++)
    check(ctx, &many[i], CLIV_F32, BY_WEIGHT, 10 * i);
  test_close(ctx);
}

/* More rows of work-items than the second or the third axis of a range has room for on every driver. */
static void many_rows(void **state) {
  (void)state;
  static const shape many[] = {
      {1, 1, 1, 1, {66000, 1}, {2, 1}, {1, 1}, {0, 0}, {1, 1}, false},
      {1, 1, 2, 66001, {1, 1}, {1, 1}, {1, 1}, {0, 1}, {1, 1}, false},
      {66000, 1, 2, 1, {1, 1}, {1, 1}, {1, 1}, {0, 1}, {1, 1}, false},
      {66000, 1, 2, 2, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {1, 1}, false},
  };
  cliv_context *ctx = test_open(CLIV_WALK_GPU);
  for (size_t i = 0; i < (test_small() || test_slow(ctx) ? 0 : 4); i++)
    for (int kind = 0; kind < KINDS; kind++) check(ctx, &many[i], CLIV_F32, kind, 10 * i);
  test_close(ctx);
}

/* Chains longer than a launch takes: cut between rows of taps, within a row, and between channels. */
static void long_chains(void **state) {
  (void)state;
  static const shape all_at_once[] = {
      {1, 1, 1, 1, {401, 402}, {400, 401}, {1, 1}, {0, 0}, {1, 1}, false},
      {1, 1, 1, 1, {1, 131100}, {1, 131080}, {1, 2}, {0, 0}, {1, 1}, true},
      {1, 1, 1, 140000, {1, 2}, {1, 1}, {1, 1}, {0, 0}, {1, 1}, false},
  };
  cliv_context *ctx = test_open(CLIV_WALK_GPU);
  for (size_t i = 0; i < (test_small() || test_slow(ctx) ? 0 : 3); i++)
    check(ctx, &all_at_once[i], CLIV_F32, i == 2 ? BY_DATA : FORWARD, 10 * i);
  test_close(ctx);
  ctx = test_open(CLIV_WALK_CPU); /* which takes more at once */
  const shape longer = {1, 1, 1, 1, {1030, 1046}, {1030, 1030}, {1, 1}, {0, 0}, {1, 1}, false};
  if (!test_small() && !test_slow(ctx)) check(ctx, &longer, CLIV_F32, FORWARD, 30);
  test_close(ctx);
}

/* No images: of the weights' gradient zeros. No channels of data: the bias, or zeros. */
static void nothing(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    const shape empty[] = {{0, 1, 3, 3, {5, 6}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, false},
                           {2, 1, 0, 3, {5, 6}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, false},
                           {2, 1, 0, 2, {5, 6}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, false},
                           {2, 1, 3, 0, {5, 6}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, false}};
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++)
      for (int kind = 0; kind < KINDS; kind++) check(ctx, &empty[i], CLIV_F32, kind, 3 * i);
    test_close(ctx);
  }
}

static void events(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  for (int kind = 0; kind < KINDS; kind++) {
    const scene s = make_scene(ctx, &shapes[0], CLIV_F32, kind, 3);
    cl_int code;
    const cl_event gate = clCreateUserEvent(cliv_context_cl_context(ctx), &code);
    ASSERT_CL(code);
    cl_event done = NULL;
    ASSERT_OK(ctx, call(ctx, &s, CLIV_PROVIDER_EXACT, &(cliv_sync){1, &gate, &done}));
    cl_int execution = CL_COMPLETE;
    ASSERT_CL(clGetEventInfo(done, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof execution, &execution, NULL));
    assert_int_not_equal(execution, CL_COMPLETE);
    ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
    ASSERT_CL(clWaitForEvents(1, &done));
    clReleaseEvent(done), clReleaseEvent(gate);
    expect(s);
  }
  test_close(ctx);
}

static cliv_tensor *tensor(cliv_context *ctx, cliv_dtype dtype, int ndim, size_t s0, size_t s1, size_t s2, size_t s3) {
  cliv_tensor *t;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, dtype, ndim, (size_t[]){s0, s1, s2, s3}, &t));
  return t;
}

static void refusals(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO), *other = test_open(CLIV_WALK_AUTO);
  cliv_tensor *x = tensor(ctx, CLIV_F32, 4, 2, 4, 6, 7), *w = tensor(ctx, CLIV_F32, 4, 3, 4, 3, 3),
              *y = tensor(ctx, CLIV_F32, 4, 2, 3, 4, 5), *line = tensor(ctx, CLIV_F32, 3, 2, 4, 6, 0),
              *bias = tensor(ctx, CLIV_F32, 1, 4, 0, 0, 0), *flat = tensor(ctx, CLIV_F32, 2, 4, 4, 0, 0),
              *half = tensor(ctx, CLIV_F16, 4, 2, 3, 4, 5), *whole = tensor(ctx, CLIV_I32, 4, 2, 3, 4, 5),
              *foreign = tensor(other, CLIV_F32, 4, 3, 4, 3, 3), *big = tensor(ctx, CLIV_F32, 1, 1000, 0, 0, 0),
              *pitched, *inside;
  ASSERT_OK(ctx, cliv_tensor_view(big, 0, 4, (size_t[]){2, 3, 4, 5}, 8, &pitched));
  ASSERT_OK(ctx, cliv_tensor_view(x, 0, 4, (size_t[]){2, 3, 4, 5}, 0, &inside));
  cl_event done = (cl_event)&done;
  ASSERT_FAILS(ctx, cliv_conv(ctx, NULL, w, NULL, y, NULL, &(cliv_sync){0, NULL, &done}), CLIV_NULL, "'x'");
  assert_null(done);
#define CONV(...) cliv_conv(ctx, x, w, NULL, y, &(cliv_conv_options){__VA_ARGS__}, NULL)
  ASSERT_OK(ctx, cliv_conv(ctx, x, w, NULL, y, NULL, NULL));
  ASSERT_FAILS(NULL, cliv_conv(NULL, x, w, NULL, y, NULL, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, CONV(.stride = {-1, 1}), CLIV_VALUE, "stride is -1");
  ASSERT_FAILS(ctx, CONV(.padding = {0, -2}), CLIV_VALUE, "padding is -2");
  ASSERT_FAILS(ctx, CONV(.dilation = {-1}), CLIV_VALUE, "dilation is -1");
  ASSERT_FAILS(ctx, CONV(.groups = -1), CLIV_VALUE, "-1 groups");
  ASSERT_FAILS(ctx, CONV(.groups = 3), CLIV_SHAPE, "3 groups do not divide");
  ASSERT_FAILS(ctx, CONV(.padding = {1}), CLIV_SHAPE, "is 6");
  ASSERT_FAILS(ctx, CONV(.dilation = {3}), CLIV_SHAPE, "no length");
  ASSERT_FAILS(ctx, CONV(.provider = (cliv_provider)9), CLIV_VALUE, "9");
  ASSERT_FAILS(ctx, cliv_conv(ctx, flat, w, NULL, y, NULL, NULL), CLIV_SHAPE, "[N, C, L]");
  ASSERT_FAILS(ctx, cliv_conv(ctx, line, w, NULL, y, NULL, NULL), CLIV_SHAPE, "it has 3");
  ASSERT_FAILS(ctx, cliv_conv(ctx, x, w, bias, y, NULL, NULL), CLIV_SHAPE, "3 channels");
  ASSERT_FAILS(ctx, cliv_conv(ctx, x, w, NULL, half, NULL, NULL), CLIV_DTYPE, "float16");
  ASSERT_FAILS(ctx, cliv_conv(ctx, x, foreign, NULL, y, NULL, NULL), CLIV_VALUE, "another context");
  ASSERT_OK(ctx, cliv_conv(ctx, x, w, NULL, pitched, NULL, NULL));
  ASSERT_FAILS(ctx, cliv_conv(ctx, x, w, NULL, whole, NULL, NULL), CLIV_DTYPE, "int32");
  ASSERT_FAILS(ctx, cliv_conv(ctx, x, w, NULL, inside, NULL, NULL), CLIV_OVERLAP, "shares memory");
  ASSERT_FAILS(ctx, cliv_conv(ctx, x, w, NULL, x, NULL, NULL), CLIV_SHAPE, "[2, 3");
  ASSERT_FAILS(ctx, cliv_conv_data(ctx, y, NULL, x, NULL, NULL), CLIV_NULL, "'w'");
  ASSERT_FAILS(ctx, cliv_conv_data(ctx, inside, w, x, NULL, NULL), CLIV_OVERLAP, "shares memory");
  ASSERT_FAILS(ctx, cliv_conv_weight(ctx, x, y, foreign, NULL, NULL), CLIV_VALUE, "another context");
  ASSERT_FAILS(ctx, cliv_conv_weight(ctx, x, x, w, NULL, NULL), CLIV_SHAPE, "[2, 3");
#ifdef CLIV_HAVE_CLBLAST
  ASSERT_FAILS(ctx, cliv_conv_weight(ctx, x, y, w, &(cliv_conv_options){.provider = CLIV_PROVIDER_CLBLAST}, NULL),
               CLIV_NOT_IN_BUILD, "exact");
#else
  ASSERT_FAILS(ctx, CONV(.provider = CLIV_PROVIDER_CLBLAST), CLIV_NO_CLBLAST, "exact");
#endif
  assert_int_equal(cliv_conv_length(10, 3, 2, 1, 2), 4);
  assert_int_equal(cliv_conv_length(10, 12, 1, 0, 1), 0);
  assert_int_equal(cliv_conv_length(10, 3, -1, 0, 1), 0);
  cliv_tensor *all[] = {x, w, y, line, bias, flat, half, whole, foreign, big, pitched, inside};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) cliv_tensor_free(all[i]);
  test_close(ctx);
  test_close(other);
}

/* Not on oclgrind, see test_blas.c. */
static void clblast(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
#ifdef CLIV_HAVE_CLBLAST
  const size_t some[] = {0, 3, 4};
  for (size_t i = 0; i < (strstr(ctx->facts.platform_name, "Oclgrind") ? 0 : test_few() ? 1 : 3); i++) {
    shape like = shapes[some[i]];
    like.o = 2; /* without bias */
    scene s = make_scene(ctx, &like, CLIV_F32, FORWARD, 3 * i);
    ASSERT_OK(ctx, call(ctx, &s, CLIV_PROVIDER_CLBLAST, NULL));
    assert_true(ctx->tuning_applied);
    float *const got = test_read(s.y.on_device.tensor);
    size_t e = 0;
    for (size_t n = 0; n < s.s.n; n++)
      for (size_t o = 0; o < s.s.o; o++)
        for (size_t p = 0; p < s.result[0]; p++)
          for (size_t q = 0; q < s.result[1]; q++, e++) {
            const sum r = of_result(&s, n, o, p, q);
            ASSERT_NEAR((double)got[e], r.exact, 64 * 0x1p-24 * r.size);
          }
    free(got);
    clear_scene(&s);
  }
#endif
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(forward),     cmocka_unit_test(by_data),           cmocka_unit_test(by_weight),
      cmocka_unit_test(cuts),        cmocka_unit_test(depthwise_weights), cmocka_unit_test(many_rows),
      cmocka_unit_test(long_chains), cmocka_unit_test(nothing),           cmocka_unit_test(events),
      cmocka_unit_test(refusals),    cmocka_unit_test(clblast),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, test_forget_programs));
}
