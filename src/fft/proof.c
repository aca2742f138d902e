/* Transforms judged by the sum of their numbers times a chirp's. */
#include "fft/proof.h"

#include <math.h>
#include <stdlib.h>

#include "fft/provider.h"

#define PI 3.14159265358979323846

enum { LOOKED_AT = 1 << 21 /* elements of each end, or one array */, AT_ONCE = 512 };

typedef cliv__proof_number number;

static number plus(number a, number b) { return (number){a.re + b.re, a.im + b.im}; }
static number times(number a, number b) { return (number){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }
static number conjugate(number a) { return (number){a.re, -a.im}; }

/* ---- the chirp ----
 *
 * r[k] = exp(πi·k·(k + bend)/n), bend odd or even as n is, so that r repeats after n. Its transform is R[j] = Σr ·
 * exp(-πi·j·(j ∓ bend)/n), forward and back, since (k - j)·(k - j + bend) is k·(k + bend) - 2jk + j·(j - bend). */

static number turn_of(size_t k, size_t n) {
  const double angle = PI * (double)k / (double)n;
  return (number){cos(angle), sin(angle)};
}

static bool make_axis(size_t n, cliv__proof_axis *a) {
  *a = (cliv__proof_axis){.length = n, .bend = n % 2 ? 1 : 2};
  while ((size_t)1 << 2 * a->split < 2 * n) a->split++;
  const size_t low = (size_t)1 << a->split, high = 2 * n / low + 1;
  a->turns = malloc((low + high) * sizeof *a->turns);
  for (size_t k = 0; a->turns && k < low; k++) a->turns[k] = turn_of(k, n);
  for (size_t k = 0; a->turns && k < high; k++) a->turns[low + k] = turn_of(k << a->split, n);
  return a->turns != NULL;
}

static number plain(const cliv__proof_axis *a, size_t k) {
  const size_t low = (size_t)1 << a->split, m = (size_t)((uint64_t)k * (k + a->bend) % (2 * a->length));
  return times(a->turns[m & (low - 1)], a->turns[low + (m >> a->split)]);
}

/* Without the sum of r. */
static number transformed(const cliv__proof_axis *a, size_t j, bool back) {
  const uint64_t beside = back ? a->bend : 2 * a->length - a->bend;
  const size_t low = (size_t)1 << a->split, m = (size_t)((uint64_t)j * (j + beside) % (2 * a->length));
  return conjugate(times(a->turns[m & (low - 1)], a->turns[low + (m >> a->split)]));
}

/* ---- sums of an array: rows along its last axis, perhaps the first half of each, one after another ---- */

typedef struct side {
  const cliv__proof *p;
  bool input, halved, back;
  size_t row;     /* elements */
  unsigned parts; /* floats of an element */
} side;

static side side_of(const cliv__proof *p, bool input) {
  const cliv__clfft_shape *const s = &p->shape;
  const bool halved = s->kind == (input ? CLIV__FFT_TO_REAL : CLIV__FFT_FROM_REAL);
  const size_t last = (size_t)s->length[s->dims - 1];
  return (side){p,
                input,
                halved,
                s->kind == CLIV__FFT_TO_REAL || (s->kind == CLIV__FFT_COMPLEX && s->inverse),
                halved ? last / 2 + 1 : last,
                input ? p->in_parts : p->out_parts};
}

static number weight(const side *s, cl_ulong d, size_t k) {
  const cliv__proof_axis *const a = &s->p->axis[d];
  return s->input ? transformed(a, k, s->back) : plain(a, k);
}

/* What a row is multiplied with; mirrored: the row of the negative frequencies. */
static number row_weight(const side *s, size_t row, bool mirrored) {
  number w = {1, 0};
  for (cl_ulong d = s->p->shape.dims - 1; d-- > 0;) {
    const size_t n = s->p->axis[d].length, k = row % n;
    row /= n;
    w = times(w, weight(s, d, mirrored && k ? n - k : k));
  }
  return w;
}

/* Whether an element of half a row stands for its conjugate too. */
static bool twofold(const side *s, size_t k) {
  const size_t n = (size_t)s->p->shape.length[s->p->shape.dims - 1];
  return s->halved && k > 0 && 2 * k != n;
}

/* Adds elements of an array, from `first` on; *energy: their squares. */
static void add(const side *s, size_t first, size_t count, const float *x, number *sum, double *energy) {
  const cl_ulong last = s->p->shape.dims - 1;
  const size_t n = s->p->axis[last].length;
  for (size_t done = 0; done < count;) {
    const size_t row = (first + done) / s->row, from = (first + done) % s->row, left = count - done;
    const size_t to = s->row - from < left ? s->row : from + left;
    number there = {0, 0}, mirrored = {0, 0};
    for (size_t k = from; k < to; k++, x += s->parts) {
      const number v = {x[0], s->parts > 1 ? x[1] : 0};
      const bool twice = twofold(s, k);
      there = plus(there, times(v, weight(s, last, k)));
      if (twice) mirrored = plus(mirrored, times(conjugate(v), weight(s, last, n - k)));
      *energy += (twice ? 2 : 1) * (v.re * v.re + v.im * v.im);
    }
    *sum = plus(*sum, times(there, row_weight(s, row, false)));
    if (s->halved) *sum = plus(*sum, times(mirrored, row_weight(s, row, true)));
    done += to - from;
  }
}

/* ---- the numbers ---- */

/* In [-1, 1), of 23 bits, which a float keeps, and half the sum of two as well. */
static float random_part(uint64_t i) {
  uint64_t h = (i + 1) * UINT64_C(0x9E3779B97F4A7C15);
  h = (h ^ h >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  h = (h ^ h >> 27) * UINT64_C(0x94D049BB133111EB);
  return (float)((int32_t)(h >> 41) - (1 << 22)) / (1 << 22);
}

/* The row of the negative frequencies. */
static size_t mirrored_row(const cliv__proof *p, size_t row) {
  size_t mirrored = 0, step = 1;
  for (cl_ulong d = p->shape.dims - 1; d-- > 0; step *= p->axis[d].length) {
    const size_t n = p->axis[d].length, k = row % n;
    row /= n;
    mirrored += (k ? n - k : 0) * step;
  }
  return mirrored;
}

void cliv__proof_input(const cliv__proof *p, cl_ulong first, size_t count, float *to) {
  const side s = side_of(p, true);
  for (cl_ulong i = first; i < first + count; i++, to += s.parts) {
    for (unsigned part = 0; part < s.parts; part++) to[part] = random_part(s.parts * i + part);
    const size_t k = (size_t)(i % p->in_each) % s.row;
    if (!s.halved || twofold(&s, k)) continue;
    /* Of what is real in the end, one frequency is another's conjugate here. */
    const cl_ulong row = i % p->in_each / s.row, other = i + (mirrored_row(p, (size_t)row) - row) * s.row;
    to[0] = (to[0] + random_part(2 * other)) / 2;
    to[1] = (to[1] - random_part(2 * other + 1)) / 2;
  }
}

/* ---- the judgement ---- */

static double error_of(const cliv__proof *p, cl_ulong array) {
  const side s = side_of(p, true);
  float x[2 * AT_ONCE];
  number sum = {0, 0};
  double energy = 0, points = 1;
  for (size_t i = 0; i < p->in_each; i += AT_ONCE) {
    const size_t count = p->in_each - i < AT_ONCE ? p->in_each - i : AT_ONCE;
    cliv__proof_input(p, array * p->in_each + i, count, x);
    add(&s, i, count, x, &sum, &energy);
  }
  for (cl_ulong d = 0; d < p->shape.dims; d++) points *= (double)p->axis[d].length;
  const number want = times(sum, p->whole);
  const double re = p->got.re / p->shape.scale - want.re, im = p->got.im / p->shape.scale - want.im;
  return sqrt((re * re + im * im) / (points * energy));
}

void cliv__proof_take(cliv__proof *p, cl_ulong first, size_t count, const float *numbers) {
  const side s = side_of(p, false);
  double energy = 0;
  while (count > 0) {
    const size_t at = (size_t)(first % p->out_each), left = p->out_each - at, now = left < count ? left : count;
    if (at == 0) p->got = (number){0, 0};
    add(&s, at, now, numbers, &p->got, &energy);
    const double error = now == left ? error_of(p, first / p->out_each) : 0;
    p->error = error <= p->error ? p->error : error >= 0 ? error : INFINITY;
    first += now, count -= now, numbers += now * s.parts;
  }
}

/* ---- making one ---- */

void cliv__proof_arrays(const cliv__proof *p, int run, cl_ulong *begin, cl_ulong *end) {
  const cl_ulong batch = p->shape.batch, ends = p->ends < batch ? p->ends : batch;
  *begin = run == 0 ? 0 : batch - ends > ends ? batch - ends : ends;
  *end = run == 0 ? ends : batch;
}

bool cliv__proof_make(const cliv__clfft_shape *s, cliv__proof *p) {
  *p = (cliv__proof){.shape = *s, .whole = {1, 0}};
  size_t points = 1;
  bool ok = true;
  for (cl_ulong d = 0; ok && d < s->dims; d++) {
    const size_t n = (size_t)s->length[d];
    number sum = {0, 0};
    points *= n;
    ok = make_axis(n, &p->axis[d]);
    for (size_t k = 0; ok && k < n; k++) sum = plus(sum, plain(&p->axis[d], k));
    p->whole = times(p->whole, sum);
  }
  const size_t last = (size_t)s->length[s->dims - 1], half = points / last * (last / 2 + 1);
  p->in_each = s->kind == CLIV__FFT_TO_REAL ? half : points;
  p->out_each = s->kind == CLIV__FFT_FROM_REAL ? half : points;
  p->in_parts = s->kind == CLIV__FFT_FROM_REAL ? 1 : 2;
  p->out_parts = s->kind == CLIV__FFT_TO_REAL ? 1 : 2;
  p->ends = points < LOOKED_AT ? LOOKED_AT / points : 1;
  if (!ok) cliv__proof_free(p);
  return ok;
}

void cliv__proof_free(cliv__proof *p) {
  for (int d = 0; d < 3; d++) {
    free(p->axis[d].turns);
    p->axis[d].turns = NULL;
  }
}

/* ---- sizes ---- */

static size_t numbers(const cliv__clfft_shape *s, bool real, bool halved) {
  size_t n = 1;
  for (cl_ulong d = 0; d < s->dims; d++)
    n *= halved && d + 1 == s->dims ? (size_t)s->length[d] / 2 + 1 : (size_t)s->length[d];
  return (size_t)s->batch * n * (real ? 1 : 2);
}

size_t cliv__clfft_inputs(const cliv__clfft_shape *s) {
  return numbers(s, s->kind == CLIV__FFT_FROM_REAL, s->kind == CLIV__FFT_TO_REAL);
}

size_t cliv__clfft_outputs(const cliv__clfft_shape *s) {
  return numbers(s, s->kind == CLIV__FFT_TO_REAL, s->kind == CLIV__FFT_FROM_REAL);
}
