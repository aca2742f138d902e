/* Forward transforms of complex numbers, 4 Mi of them in lines of many lengths, one long line, and a plane, from call
 * to result, against FFTW. */
#include <cliv/fft.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "native.h"

#define TURN 6.28318530717958647692

typedef struct transforms {
  cliv_tensor *x, *y;
  const float *from; /* what both transform */
  float *native_from, *native_to, *got;
  size_t lines, n;
  bool plane; /* lines and columns of one array */
  native_fft *fftw;
} transforms;

static void ours(void *arg) {
  const transforms *t = arg;
  static const int axes[] = {-1, -2};
  const cliv_fft_options plane = {.axis_count = 2, .axes = axes};
  cliv_context *ctx = cliv_tensor_context(t->x);
  BENCH_OK(ctx, cliv_fft(ctx, t->x, t->y, t->plane ? &plane : NULL, NULL));
  BENCH_OK(ctx, cliv_context_finish(ctx));
}

static void native(void *arg) {
  const transforms *t = arg;
  native_fft_run(t->fftw);
}

/* Result k of a line, or of the plane, in double, as the sum says. */
static void define(const transforms *t, size_t line, size_t k, double *re, double *im) {
  *re = *im = 0;
  for (size_t i = t->plane ? 0 : line; i < (t->plane ? t->lines : line + 1); i++) {
    double a = 0, b = 0;
    for (size_t j = 0; j < t->n; j++) {
      const double angle = -TURN * (double)(j * k % t->n) / (double)t->n, c = cos(angle), s = sin(angle);
      const double x = t->from[2 * (i * t->n + j)], y = t->from[2 * (i * t->n + j) + 1];
      a += x * c - y * s, b += x * s + y * c;
    }
    const double angle = t->plane ? -TURN * (double)(i * line % t->lines) / (double)t->lines : 0;
    *re += a * cos(angle) - b * sin(angle), *im += a * sin(angle) + b * cos(angle);
  }
}

/* Some results by their definition, of the first line, the last and one between, each within what the whole line may be
 * off by: where the numbers have a mean, one result is as long as all others, and its roundings are the others' too. */
static bool defined(const transforms *t, const float *got, double bound, char *why, size_t room) {
  const size_t points = t->plane ? t->lines * t->n : t->n, every = t->plane ? 2 : t->lines > 3 ? 3 : t->lines;
  for (size_t i = 0; i < every * 4; i++) {
    const size_t line = every > 1 ? i / 4 * (t->lines - 1) / (every - 1) : 0,
                 k = (i % 4 * 37 + i % 3 * (t->n / 2)) % t->n;
    const float *const z = got + 2 * (line * t->n + k);
    double re, im, length = 0;
    define(t, line, k, &re, &im);
    for (size_t j = 0; j < 2 * points; j++) {
      const double x = t->from[2 * (t->plane ? 0 : line * t->n) + j];
      length += x * x;
    }
    const double off = hypot((double)z[0] - re, (double)z[1] - im);
    if (off <= bound * sqrt((double)points * length)) continue;
    snprintf(why, room, "result %zu of line %zu is %g%+gi, by its definition %g%+gi", k, line, (double)z[0],
             (double)z[1], re, im);
    return false;
  }
  return true;
}

/* The whole against FFTW, by the Euclidean distance. */
static bool close_to_native(const transforms *t, const float *got, double bound, char *why, size_t room) {
  double apart = 0, length = 0;
  for (size_t i = 0; t->fftw && i < 2 * t->lines * t->n; i++) {
    const double want = t->native_to[i], d = (double)got[i] - want;
    apart += d * d, length += want * want;
  }
  if (sqrt(apart) <= bound * sqrt(length)) return true;
  snprintf(why, room, "it is %.2g of the result's length away from FFTW's", sqrt(apart / length));
  return false;
}

static bool right(void *arg, char *why, size_t room) {
  const transforms *t = arg;
  const size_t bytes = 2 * t->lines * t->n * sizeof(float);
  BENCH_OK(cliv_tensor_context(t->y), cliv_tensor_read(t->y, t->got, bytes));
  return defined(t, t->got, 4e-7, why, room) && close_to_native(t, t->got, 8e-7, why, room);
}

static bool peer_right(void *arg, const float *result, char *why, size_t room) {
  return defined(arg, result, 1e-5, why, room) && close_to_native(arg, result, 1e-5, why, room);
}

static void prepare(bench *b, transforms *t) {
  cliv_context *ctx = bench_context(b);
  const size_t shape[] = {t->lines, t->n, 2}, floats = 2 * t->lines * t->n, bytes = floats * sizeof(float);
  const int lengths[] = {(int)(t->plane ? t->lines : t->n), (int)t->n};
  t->from = bench_input(b, 0);
  t->got = bench_alloc(bytes);
  t->native_from = bench_alloc(bytes);
  t->native_to = bench_alloc(bytes);
  t->fftw = native_fft_create(t->plane ? 2 : 1, lengths, (int)(t->plane ? 1 : t->lines), t->native_from, t->native_to);
  native_copy(t->from, t->native_from, floats);
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, shape, &t->x));
  BENCH_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 3, shape, &t->y));
  BENCH_OK(ctx, cliv_tensor_write(t->x, t->from, bytes));
}

static void end(transforms *t) {
  native_fft_free(t->fftw);
  cliv_tensor_free(t->x);
  cliv_tensor_free(t->y);
  free(t->got), free(t->native_from), free(t->native_to);
}

static void measure(bench *b, const char *size, size_t lines, size_t n, bool plane, double goal) {
  if (!bench_wants(b, "fft", size)) return;
  transforms t = {.lines = lines, .n = n, .plane = plane};
  if (2 * lines * n > bench_elements(b)) bench_die("fft, %s: too few elements", size);
  prepare(b, &t);
  const double points = (double)(plane ? lines * n : n);
  const bench_task task = {plane ? "fft2" : "fft", plane ? "all" : "last", lines, 2 * n, 2 * lines * n};
  bench_row row = {.operation = "fft",
                   .size = size,
                   .unit = "GFLOP/s",
                   .work = 5e-9 * (double)lines * (double)n * log2(points),
                   .goal = t.fftw ? goal : 0,
                   .peer_goals = {{"VkFFT", 3}, {"clFFT", 3}},
                   .check = right,
                   .check_peer = peer_right,
                   .check_arg = &t,
                   .task = &task,
                   .sides = {{"cliv", ours, &t, NULL}}};
  if (t.fftw) row.sides[1] = (bench_side){"FFTW", native, &t, NULL};
  bench_measure(b, &row);
  end(&t);
}

void bench_fft(bench *b) {
  static const size_t lengths[] = {16, 64, 256, 1000, 1009, 1024, 4096, 4097, 65536};
  const size_t points = bench_size(b, 1 << 22, 1 << 11);
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    char size[64];
    snprintf(size, sizeof size, "lines of %zu", lengths[i]);
    const size_t n = bench_size(b, lengths[i], lengths[i] > points ? points : lengths[i]);
    measure(b, size, points / n, n, false, n >= 64 ? 0.8 : 0);
  }
  measure(b, "one of 1Mi", 1, bench_size(b, 1 << 20, 2000), false, 0.8);
  const size_t side = bench_size(b, 1024, 40);
  measure(b, "plane of 1024 x 1024", side, side, true, 0.8);
}
