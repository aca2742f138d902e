/* spectral.c: self-test of what is made of Fourier transforms, and of transforms in double. */
#include <cliv/dct.h>
#include <cliv/spectral.h>
#include <stdio.h>

#include "runtime/context.h"
#include "selftest/bench.h"

typedef struct scene {
  cliv__bench bench;
  cliv_dtype dtype;
  size_t lines, length, beside;
} scene;

static const int across[] = {1};

static cliv_status add(scene *s, int ndim, const size_t *shape, int stream, cliv_tensor **out) {
  const cliv__values values = stream ? CLIV__MODEST : CLIV__GUARD;
  return cliv__bench_add(&s->bench, s->dtype, ndim, shape, stream ? 3 : 5, values, (uint64_t)stream, out);
}

static cliv_status add_pair(scene *s, int ndim, const size_t *shape, cliv_tensor **x, cliv_tensor **out) {
  TRY(add(s, ndim, shape, 1, x));
  return add(s, ndim, shape, 0, out);
}

static cliv_status fourier(scene *s, bool inverse, uint64_t *hash) {
  const cliv_fft_options o = {.inverse = inverse, .axis_count = 1, .axes = across, .provider = CLIV_FFT_PROVIDER_EXACT};
  cliv_tensor *x, *out;
  TRY(add_pair(s, 4, (size_t[]){s->lines, s->length, s->beside, 2}, &x, &out));
  TRY(cliv_fft(s->bench.ctx, x, out, &o, NULL));
  return cliv__bench_hash(&s->bench, out, hash);
}
static cliv_status forward(scene *s, uint64_t *hash) { return fourier(s, false, hash); }
static cliv_status inverse(scene *s, uint64_t *hash) { return fourier(s, true, hash); }

static cliv_status cosines(scene *s, int type, int sine, uint64_t *hash) {
  const cliv_dct_options o = {sizeof o, type, sine, 0, CLIV_FFT_ORTHO, 1, across};
  cliv_tensor *x, *out;
  TRY(add_pair(s, 3, (size_t[]){s->lines, s->length, s->beside}, &x, &out));
  TRY(cliv_dct(s->bench.ctx, x, out, &o, NULL));
  return cliv__bench_hash(&s->bench, out, hash);
}
static cliv_status dct2(scene *s, uint64_t *hash) { return cosines(s, 2, 0, hash); }
static cliv_status dct3(scene *s, uint64_t *hash) { return cosines(s, 3, 0, hash); }
static cliv_status dst2(scene *s, uint64_t *hash) { return cosines(s, 2, 1, hash); }
static cliv_status dst3(scene *s, uint64_t *hash) { return cosines(s, 3, 1, hash); }

/* With 5 elements, in the plane of the last axes. */
static cliv_status convolve(scene *s, uint64_t *hash) {
  const cliv_convolve_options o = {sizeof o, CLIV_CONVOLVE_SAME, 1, 2, (const int[]){1, 2}};
  const size_t shape[] = {s->lines, s->length, s->beside};
  cliv_tensor *x, *y, *out;
  TRY(add_pair(s, 3, shape, &x, &out));
  TRY(add(s, 3, (size_t[]){1, 5, 1}, 2, &y));
  TRY(cliv_fft_convolve(s->bench.ctx, x, y, out, &o, NULL));
  return cliv__bench_hash(&s->bench, out, hash);
}

static cliv_status smooth(scene *s, uint64_t *hash) {
  const cliv_smooth_options o = {sizeof o, 3, 2, (const int[]){1, 2}};
  cliv_tensor *x, *out;
  TRY(add_pair(s, 3, (size_t[]){s->lines, s->length, s->beside}, &x, &out));
  TRY(cliv_fft_smooth(s->bench.ctx, x, out, &o, NULL));
  return cliv__bench_hash(&s->bench, out, hash);
}

static const struct {
  const char *operation;
  cliv_status (*compute)(scene *s, uint64_t *hash);
  cliv_dtype dtype;
  size_t lines, length, beside;
} cases[] = {
    {"forward", forward, CLIV_F64, 3, 120, 2},  {"inverse", inverse, CLIV_F64, 5, 17, 1},
    {"dct2", dct2, CLIV_F32, 3, 60, 1},         {"dct2", dct2, CLIV_F64, 3, 31, 2},
    {"dct3", dct3, CLIV_F32, 2, 97, 3},         {"dst2", dst2, CLIV_F32, 2, 15, 1},
    {"dst3", dst3, CLIV_F32, 4, 64, 1},         {"convolve", convolve, CLIV_F32, 2, 20, 7},
    {"convolve", convolve, CLIV_F64, 1, 33, 2}, {"smooth", smooth, CLIV_F32, 2, 30, 9},
    {"smooth", smooth, CLIV_F64, 1, 11, 4},
};

void cliv__selftest_spectral(cliv__selftest *test) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    scene s = {.bench = {.ctx = test->ctx},
               .dtype = cases[i].dtype,
               .lines = cases[i].lines,
               .length = cases[i].length,
               .beside = cases[i].beside};
    if (!cliv__selftest_wants(test, 2 * s.lines * s.length * s.beside)) continue;
    uint64_t hash = 0;
    char name[96];
    test->operation = cases[i].operation;
    snprintf(name, sizeof name, "%s, %zu of %zu, %zu beside", cliv_dtype_name(s.dtype), s.lines, s.length, s.beside);
    const cliv_status status = cases[i].compute(&s, &hash);
    cliv__selftest_report(test, name, s.dtype, status, hash);
    cliv__bench_clear(&s.bench);
  }
}
