/* The discrete Fourier transform in double, by the smallest factors of a length. */
#include "fft/proof.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fft/provider.h"

#define PI 3.14159265358979323846

enum { LARGEST_FACTOR = 13 };

typedef struct complex_number {
  double re, im;
} complex_number;

static complex_number product(complex_number a, complex_number b) {
  return (complex_number){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

static size_t least_factor(size_t n) {
  for (size_t p = 2; p * p <= n; p++)
    if (n % p == 0) return p;
  return n;
}

/* A line of n numbers, `step` apart, to out. turns: the `whole` powers of w for the line that this one is a part of. */
static void transform(const complex_number *x, size_t n, size_t step, const complex_number *turns, size_t whole,
                      complex_number *out) {
  if (n == 1) {
    *out = *x;
    return;
  }
  const size_t p = least_factor(n), m = n / p;
  for (size_t t = 0; t < p; t++) transform(x + t * step, m, step * p, turns, whole, out + t * m);
  for (size_t k = 0; k < m; k++) {
    complex_number v[LARGEST_FACTOR];
    for (size_t t = 0; t < p; t++) v[t] = product(out[t * m + k], turns[t * k * (whole / n)]);
    for (size_t u = 0; u < p; u++) {
      complex_number sum = v[0];
      for (size_t t = 1; t < p; t++) {
        const complex_number part = product(v[t], turns[t * u % p * (whole / p)]);
        sum.re += part.re, sum.im += part.im;
      }
      out[u * m + k] = sum;
    }
  }
}

/* All lines along one axis: `count` numbers in all, those of a line `step` apart. room: for three lines. */
static void transform_axis(complex_number *z, size_t count, size_t n, size_t step, double sign, complex_number *room) {
  complex_number *const turns = room, *const line = room + n, *const out = room + 2 * n;
  for (size_t k = 0; k < n; k++) {
    const double angle = 2 * PI * (double)k / (double)n;
    turns[k] = (complex_number){cos(angle), sign * sin(angle)};
  }
  for (size_t i = 0; i < count; i++) {
    if (i / step % n != 0) continue;
    for (size_t k = 0; k < n; k++) line[k] = z[i + k * step];
    transform(line, n, 1, turns, n, out);
    for (size_t k = 0; k < n; k++) z[i + k * step] = out[k];
  }
}

static size_t points(const cliv__clfft_shape *s) {
  size_t n = 1;
  for (cl_ulong d = 0; d < s->dims; d++) n *= s->length[d];
  return n;
}

static size_t halves(const cliv__clfft_shape *s) {
  const size_t last = s->length[s->dims - 1];
  return points(s) / last * (last / 2 + 1);
}

size_t cliv__clfft_inputs(const cliv__clfft_shape *s) {
  return s->batch *
         (s->kind == CLIV__FFT_FROM_REAL ? points(s) : 2 * (s->kind == CLIV__FFT_TO_REAL ? halves : points)(s));
}

size_t cliv__clfft_outputs(const cliv__clfft_shape *s) {
  return s->batch *
         (s->kind == CLIV__FFT_TO_REAL ? points(s) : 2 * (s->kind == CLIV__FFT_FROM_REAL ? halves : points)(s));
}

/* In [-1, 1), of 23 bits, which a float keeps. */
static double number(size_t i) {
  uint64_t h = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
  h = (h ^ h >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  h = (h ^ h >> 27) * UINT64_C(0x94D049BB133111EB);
  return (double)(int32_t)(h >> 41) / 4194304 - 1;
}

/* Pairs of the lines' first halves, or of whole lines, times scale; to one of the two. */
static void pick(const cliv__clfft_shape *s, const complex_number *z, bool half, double scale, float *narrow,
                 double *wide) {
  const size_t n = s->length[s->dims - 1], taken = half ? n / 2 + 1 : n, lines = points(s) / n * s->batch;
  for (size_t i = 0; i < lines * taken; i++) {
    const complex_number v = z[i / taken * n + i % taken];
    if (narrow) narrow[2 * i] = (float)v.re, narrow[2 * i + 1] = (float)v.im;
    else wide[2 * i] = v.re * scale, wide[2 * i + 1] = v.im * scale;
  }
}

/* z: the numbers before the transform, in; room: three lines of the longest axis. */
static void fill(const cliv__clfft_shape *s, complex_number *z, complex_number *room, cliv__proof *p) {
  const size_t count = points(s) * s->batch;
  for (size_t i = 0; i < count; i++) {
    z[i] = (complex_number){number(2 * i), s->kind == CLIV__FFT_COMPLEX ? number(2 * i + 1) : 0};
    if (s->kind == CLIV__FFT_FROM_REAL) p->input[i] = (float)z[i].re;
    if (s->kind == CLIV__FFT_TO_REAL) p->wanted[i] = z[i].re * s->scale * (double)points(s); /* and back again */
  }
  if (s->kind == CLIV__FFT_COMPLEX) pick(s, z, false, 1, p->input, NULL);
  const double sign = s->kind == CLIV__FFT_COMPLEX && s->inverse ? 1 : -1;
  size_t step = 1;
  for (size_t d = s->dims; d-- > 0; step *= s->length[d]) transform_axis(z, count, s->length[d], step, sign, room);
  if (s->kind == CLIV__FFT_TO_REAL) pick(s, z, true, 1, p->input, NULL);
  else pick(s, z, s->kind == CLIV__FFT_FROM_REAL, s->scale, NULL, p->wanted);
}

bool cliv__proof_make(const cliv__clfft_shape *s, cliv__proof *out) {
  size_t longest = 1;
  for (cl_ulong d = 0; d < s->dims; d++) longest = s->length[d] > longest ? s->length[d] : longest;
  *out = (cliv__proof){cliv__clfft_inputs(s), cliv__clfft_outputs(s), NULL, NULL};
  complex_number *const z = malloc(points(s) * s->batch * sizeof *z), *const room = malloc(3 * longest * sizeof *room);
  out->input = malloc(out->inputs * sizeof *out->input);
  out->wanted = malloc(out->outputs * sizeof *out->wanted);
  const bool ok = z && room && out->input && out->wanted;
  if (ok) fill(s, z, room, out);
  else cliv__proof_free(out);
  free(z);
  free(room);
  return ok;
}

void cliv__proof_free(cliv__proof *proof) {
  free(proof->input);
  free(proof->wanted);
  proof->input = NULL;
  proof->wanted = NULL;
}

double cliv__proof_error(const cliv__proof *proof, const float *got) {
  double apart = 0, length = 0;
  for (size_t i = 0; i < proof->outputs; i++) {
    const double difference = (double)got[i] - proof->wanted[i];
    apart += difference * difference;
    length += proof->wanted[i] * proof->wanted[i];
  }
  const double error = sqrt(apart / length);
  return error >= 0 ? error : INFINITY;
}
