/* Convolutions and their gradients by the exact provider, from call to result. A row beside each counts the
 * multiply-adds of the definition; the limit is the product of matrices of the same work and shape, without what a
 * convolution does to get there. */
#include "bench.h"

#include <cliv/conv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "native.h"

typedef struct plane {
  const char *size;
  size_t n, c, o, side, kernel, groups;
  int64_t stride, padding;
} plane;

static const plane planes[] = {
    {"8 of 64 x 56 x 56, 3 x 3", 8, 64, 64, 56, 3, 1, 1, 1},
    {"8 of 128 x 28 x 28, 3 x 3, stride 2", 8, 128, 256, 28, 3, 1, 2, 1},
    {"8 of 64 x 56 x 56, 1 x 1", 8, 64, 256, 56, 1, 1, 1, 0},
    {"8 of 128 x 56 x 56, 3 x 3 by channel", 8, 128, 128, 56, 3, 128, 1, 1},
};

enum { FORWARD, BY_DATA, BY_WEIGHT, KINDS };
static const char *const names[] = {"conv", "conv by data", "conv by weight"};

typedef struct work {
  plane p;
  int kind;
  size_t result;
  cliv_tensor *x, *w, *y;
  float *hx, *hw, *hy, *a, *b, *product, *got;
} work;

static size_t count_x(const work *v) { return v->p.n * v->p.c * v->p.side * v->p.side; }
static size_t count_w(const work *v) { return v->p.o * (v->p.c / v->p.groups) * v->p.kernel * v->p.kernel; }
static size_t count_y(const work *v) { return v->p.n * v->p.o * v->result * v->result; }

static void convolve(void *arg) {
  const work *const v = arg;
  cliv_context *const ctx = cliv_tensor_context(v->x);
  const cliv_conv_options o = {.provider = CLIV_PROVIDER_EXACT,
                               .stride = {v->p.stride, v->p.stride},
                               .padding = {v->p.padding, v->p.padding},
                               .groups = (int64_t)v->p.groups};
  if (v->kind == FORWARD) BENCH_OK(ctx, cliv_conv(ctx, v->x, v->w, NULL, v->y, &o, NULL));
  if (v->kind == BY_DATA) BENCH_OK(ctx, cliv_conv_data(ctx, v->y, v->w, v->x, &o, NULL));
  if (v->kind == BY_WEIGHT) BENCH_OK(ctx, cliv_conv_weight(ctx, v->x, v->y, v->w, &o, NULL));
  BENCH_OK(ctx, cliv_context_finish(ctx));
}

/* O × (C KH KW) times (C KH KW) × places, image by image, by OpenBLAS. */
static void native(void *arg) {
  const work *const v = arg;
  const size_t k = v->p.c * v->p.kernel * v->p.kernel, places = v->result * v->result;
  for (size_t n = 0; n < v->p.n; n++) native_gemm(v->p.o, places, k, v->a, v->b, v->product);
}

static float at(const float *numbers, long side, long i, long j) {
  return i < 0 || j < 0 || i >= side || j >= side ? 0 : numbers[i * side + j];
}

/* Element e of the result by its definition. */
static float result_of(const work *v, size_t e) {
  const size_t r = v->result, channels = v->p.c / v->p.groups, each = v->p.o / v->p.groups, taps = v->p.kernel;
  const size_t q = e % r, p = e / r % r, o = e / r / r % v->p.o, n = e / r / r / v->p.o;
  float s = 0;
  for (size_t c = 0; c < channels; c++) {
    const float *const image = v->hx + (n * v->p.c + o / each * channels + c) * v->p.side * v->p.side;
    for (size_t t = 0; t < taps * taps; t++)
      s = fmaf(v->hw[(o * channels + c) * taps * taps + t],
               at(image, (long)v->p.side, (long)(p * (size_t)v->p.stride + t / taps) - (long)v->p.padding,
                  (long)(q * (size_t)v->p.stride + t % taps) - (long)v->p.padding),
               s);
  }
  return s;
}

static float data_of(const work *v, size_t e) {
  const size_t side = v->p.side, channels = v->p.c / v->p.groups, each = v->p.o / v->p.groups, taps = v->p.kernel;
  const long j = (long)(e % side), i = (long)(e / side % side), stride = (long)v->p.stride;
  const size_t c = e / side / side % v->p.c, n = e / side / side / v->p.c;
  float s = 0;
  for (size_t o = c / channels * each; o < (c / channels + 1) * each; o++)
    for (size_t t = 0; t < taps * taps; t++) {
      const long y = i + (long)v->p.padding - (long)(t / taps), x = j + (long)v->p.padding - (long)(t % taps);
      if (y % stride || x % stride) continue;
      s = fmaf(v->hw[(o * channels + c % channels) * taps * taps + t],
               at(v->hy + (n * v->p.o + o) * v->result * v->result, (long)v->result, y / stride, x / stride), s);
    }
  return s;
}

static float weight_of(const work *v, size_t e) {
  const size_t r = v->result, channels = v->p.c / v->p.groups, each = v->p.o / v->p.groups, taps = v->p.kernel;
  const size_t t = e % (taps * taps), c = e / taps / taps % channels, o = e / taps / taps / channels;
  float s = 0;
  for (size_t n = 0; n < v->p.n; n++)
    for (size_t p = 0; p < r * r; p++)
      s = fmaf(v->hy[(n * v->p.o + o) * r * r + p],
               at(v->hx + (n * v->p.c + o / each * channels + c) * v->p.side * v->p.side, (long)v->p.side,
                  (long)(p / r * (size_t)v->p.stride + t / taps) - (long)v->p.padding,
                  (long)(p % r * (size_t)v->p.stride + t % taps) - (long)v->p.padding),
               s);
  return s;
}

/* A hundred elements to the bit. */
static bool right(void *arg, char *why, size_t room) {
  const work *const v = arg;
  const size_t count = v->kind == FORWARD ? count_y(v) : v->kind == BY_DATA ? count_x(v) : count_w(v);
  const cliv_tensor *const t = v->kind == FORWARD ? v->y : v->kind == BY_DATA ? v->x : v->w;
  BENCH_OK(cliv_tensor_context(t), cliv_tensor_read(t, v->got, count * sizeof(float)));
  for (size_t e = 0; e < count; e += count / 100 + 1) {
    const float want = (v->kind == FORWARD ? result_of : v->kind == BY_DATA ? data_of : weight_of)(v, e);
    if (!memcmp(&want, &v->got[e], sizeof want)) continue;
    snprintf(why, room, "element %zu is %a, by its definition %a", e, (double)v->got[e], (double)want);
    return false;
  }
  return true;
}

static cliv_tensor *tensor(cliv_context *ctx, const size_t shape[4], const float *host) {
  cliv_tensor *t;
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 4, shape, &t));
  BENCH_OK(ctx, cliv_tensor_write(t, host, shape[0] * shape[1] * shape[2] * shape[3] * sizeof(float)));
  return t;
}

static float *filled(size_t count, unsigned seed) {
  float *const x = bench_alloc(count * sizeof *x);
  bench_fill(x, count, seed, -1, 1);
  return x;
}

static void measure(bench *b, const plane *like, int kind) {
  if (!bench_wants(b, names[kind], like->size)) return;
  cliv_context *const ctx = bench_context(b);
  work v = {.p = *like, .kind = kind};
  v.p.side = bench_size(b, like->side, 9);
  v.p.n = bench_size(b, like->n, 2);
  if (like->groups == 1) v.p.c = bench_size(b, like->c, 8), v.p.o = bench_size(b, like->o, 16);
  v.result = cliv_conv_length(v.p.side, v.p.kernel, v.p.stride, v.p.padding, 1);
  v.hx = filled(count_x(&v), 1), v.hw = filled(count_w(&v), 2), v.hy = filled(count_y(&v), 3);
  const size_t k = v.p.c * v.p.kernel * v.p.kernel, most = count_x(&v) + count_y(&v) + count_w(&v);
  v.got = bench_alloc(most * sizeof *v.got);
  v.a = filled(v.p.o * k, 4), v.b = filled(k * v.result * v.result, 5);
  v.product = bench_alloc(v.p.o * v.result * v.result * sizeof *v.product);
  v.x = tensor(ctx, (const size_t[]){v.p.n, v.p.c, v.p.side, v.p.side}, v.hx);
  v.w = tensor(ctx, (const size_t[]){v.p.o, v.p.c / v.p.groups, v.p.kernel, v.p.kernel}, v.hw);
  v.y = tensor(ctx, (const size_t[]){v.p.n, v.p.o, v.result, v.result}, v.hy);
  bench_row row = {.operation = names[kind],
                   .size = like->size,
                   .unit = "GFLOP/s",
                   .work = 2e-9 * (double)count_y(&v) * (double)(k / v.p.groups),
                   .check = right,
                   .check_arg = &v,
                   .sides = {{"cliv exact", convolve, &v, NULL}}};
  if (native_has_gemm() && v.p.groups == 1)
    row.sides[1] = (bench_side){"OpenBLAS, the product alone", native, &v, NULL};
  bench_measure(b, &row);
  float *host[] = {v.hx, v.hw, v.hy, v.got, v.a, v.b, v.product};
  for (size_t i = 0; i < sizeof host / sizeof *host; i++) free(host[i]);
  cliv_tensor_free(v.x), cliv_tensor_free(v.w), cliv_tensor_free(v.y);
}

void bench_conv(bench *b) {
  for (size_t i = 0; i < (bench_quick(b) ? 1 : sizeof planes / sizeof *planes); i++)
    for (int kind = 0; kind < KINDS; kind++) measure(b, &planes[i], kind);
}
