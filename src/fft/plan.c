/* Radices, tables in double, plans kept by length. */
#include "fft/plan.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/scratch.h"
#include "runtime/stage.h"

enum { PLANS = 32, TABLES = 256 << 20, LINES_LEAST = 64, LINES_MOST = 65536 };

/* ---- powers of w ---- */

/* cos and sin of x·π/4, x in [0, 1]: the C library's may differ from machine to machine. */
static void eighth(double x, double *c, double *s) {
  static const double cosines[] = {-1.0 / 2,       1.0 / 24,        -1.0 / 720,         1.0 / 40320,
                                   -1.0 / 3628800, 1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000};
  static const double sines[] = {-1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
                                 -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000};
  const double r = x * 0.78539816339744830962, square = r * r;
  double c_sum = 0, s_sum = 0;
  for (int k = 7; k >= 0; k--) {
    c_sum = (c_sum + cosines[k]) * square;
    s_sum = (s_sum + sines[k]) * square;
  }
  *c = 1 + c_sum;
  *s = r + r * s_sum;
}

void cliv__fft_turn(uint64_t k, uint64_t n, double *re, double *im) {
  const uint64_t eighths = 8 * k / n, rest = 8 * k % n;
  const bool beyond = eighths & 1; /* measured back from the next quarter */
  const uint64_t quarters = (eighths + beyond) / 2;
  double c, s;
  eighth((double)(beyond ? n - rest : rest) / (double)n, &c, &s);
  if (beyond) s = -s;
  const double cosine[] = {c, -s, -c, s}, sine[] = {s, c, -s, -c};
  *re = cosine[quarters & 3];
  *im = -sine[quarters & 3];
}

/* ---- radices ---- */

int cliv__fft_radices(size_t n, uint8_t radix[CLIV__FFT_RADICES]) {
  int twos = 0, count = 0;
  for (; n % 2 == 0 && n; n /= 2) twos++;
  for (; twos > 4 || twos == 3; twos -= 3) radix[count++] = 8;
  for (; twos > 1; twos -= 2) radix[count++] = 4;
  if (twos) radix[count++] = 2;
  for (; n % 5 == 0 && n; n /= 5) radix[count++] = 5;
  for (; n % 3 == 0 && n; n /= 3) radix[count++] = 3;
  return n == 1 ? count : -1;
}

cliv_status cliv__fft_upload(cliv_context *ctx, cliv__fft_plan *plan, const void *host, size_t bytes, cl_mem *out) {
  TRY(cliv__upload(ctx, host, bytes, "allocating a transform's table", out));
  plan->bytes += bytes;
  return CLIV_OK;
}

static bool lines_take(const cliv__fft_plan *plan) {
  return plan->length >= LINES_LEAST && plan->length <= LINES_MOST && plan->count && plan->radix[0] == 8;
}

/* For lines of cl/fft_line.cl: the number of each block behind the first pass, its digits in reverse. */
static cliv_status make_places(cliv_context *ctx, cliv__fft_plan *plan) {
  const size_t n = plan->length;
  if (!lines_take(plan)) return CLIV_OK;
  cl_uint *const places = malloc(n / 8 * sizeof *places);
  REQUIRE(ctx, places != NULL, HOST_MEMORY, "no memory for the tables of a transform of %zu", n);
  for (size_t j = 0; j < n / 8; j++) {
    size_t rest = j, count = n / 8, step = 1, place = 0;
    for (int p = 1; p < plan->count; step *= plan->radix[p++]) {
      count /= plan->radix[p];
      place += rest / count * step;
      rest %= count;
    }
    places[j] = (cl_uint)place;
  }
  const cliv_status status = cliv__fft_upload(ctx, plan, places, n / 8 * sizeof *places, &plan->places);
  free(places);
  return status;
}

static cliv_status make_table(cliv_context *ctx, cliv__fft_plan *plan) {
  size_t floats = 0, l = 1, at = 0;
  for (int p = 0; p < plan->count; l *= plan->radix[p++]) floats += cliv__fft_pass_floats(l, plan->radix[p]);
  const size_t bytes = (floats + 8) * sizeof(float); /* never none */
  float *const table = calloc(1, bytes);
  REQUIRE(ctx, table != NULL, HOST_MEMORY, "no memory for the %zu bytes of tables of a transform of %zu", bytes,
          plan->length);
  l = 1;
  for (int p = 0; p < plan->count; l *= plan->radix[p++]) {
    const size_t r = plan->radix[p], plane = (r - 1) * l;
    for (size_t t = 1; l > 1 && t < r; t++)
      for (size_t q = 0; q < l; q++) {
        double re, im;
        cliv__fft_turn(q * t, r * l, &re, &im);
        table[at + (t - 1) * l + q] = (float)re;
        table[at + plane + (t - 1) * l + q] = (float)im;
      }
    at += cliv__fft_pass_floats(l, r);
  }
  const cliv_status status = cliv__fft_upload(ctx, plan, table, bytes, &plan->table);
  free(table);
  return status ? status : make_places(ctx, plan);
}

/* ---- other lengths ---- */

/* The length of the convolution: the least 2^k·{1, 3, 5, 9, 15} from 2n - 1 on. */
size_t cliv__fft_whole_length(size_t n) {
  static const size_t odd[] = {1, 3, 5, 9, 15};
  size_t best = SIZE_MAX;
  for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
    size_t m = odd[i];
    while (m < 2 * n - 1) m *= 2;
    if (m < best) best = m;
  }
  return best;
}

/* One butterfly of a pass in double: w holds the powers of w for m. */
static void join(const double *x, double *y, const double *w, size_t m, size_t r, size_t l, size_t j) {
  const size_t q = j % l, step = m / (r * l);
  double v[16];
  for (size_t t = 0; t < r; t++) {
    const double *const z = x + 2 * (j + t * (m / r)), *const turn = w + 2 * (q * t * step);
    v[2 * t] = z[0] * turn[0] - z[1] * turn[1];
    v[2 * t + 1] = z[0] * turn[1] + z[1] * turn[0];
  }
  for (size_t u = 0; u < r; u++) {
    double re = 0, im = 0;
    for (size_t t = 0; t < r; t++) {
      const double *const turn = w + 2 * (u * t % r * (m / r));
      re += v[2 * t] * turn[0] - v[2 * t + 1] * turn[1];
      im += v[2 * t] * turn[1] + v[2 * t + 1] * turn[0];
    }
    y[2 * ((j - q) * r + q + u * l)] = re;
    y[2 * ((j - q) * r + q + u * l) + 1] = im;
  }
}

/* The forward transform of m complex numbers in double, by the same list of radices: from z, by way of room for as
 * many; gives where the result is. */
static double *transform_double(double *z, double *room, double *w, size_t m) {
  uint8_t radix[CLIV__FFT_RADICES];
  const int count = cliv__fft_radices(m, radix);
  for (size_t k = 0; k < m; k++) cliv__fft_turn(k, m, w + 2 * k, w + 2 * k + 1);
  size_t l = 1;
  for (int p = 0; p < count; l *= radix[p++]) {
    for (size_t j = 0; j < m / radix[p]; j++) join(z, room, w, m, radix[p], l, j);
    double *const other = z;
    z = room, room = other;
  }
  return z;
}

const double *cliv__fft_chirp(const cliv__fft_plan *plan, double *z, double *chirp) {
  const size_t n = plan->length, m = plan->whole;
  for (size_t k = 0; k < n; k++) {
    double re, im;
    cliv__fft_turn((uint64_t)k * k % (2 * n), 2 * n, &re, &im);
    chirp[2 * k] = re, chirp[2 * k + 1] = im;
    const size_t mirror = k ? m - k : 0;
    z[2 * k] = z[2 * mirror] = re;
    z[2 * k + 1] = z[2 * mirror + 1] = -im;
  }
  double *const h = transform_double(z, z + 2 * m, z + 4 * m, m);
  for (size_t k = 0; k < 2 * m; k++) h[k] = h[k] / (double)m;
  return h;
}

static void fill_chirp(const cliv__fft_plan *plan, double *room, double *c, float *chirp, float *filter) {
  const double *const h = cliv__fft_chirp(plan, room, c);
  for (size_t k = 0; k < 2 * plan->length; k++) chirp[k] = (float)c[k];
  for (size_t k = 0; k < 2 * plan->whole; k++) filter[k] = (float)h[k];
}

static cliv_status make_chirp(cliv_context *ctx, cliv__fft_plan *plan) {
  const size_t n = plan->length, m = plan->whole;
  double *const z = calloc(6 * m, sizeof *z), *const c = malloc(2 * n * sizeof *c);
  float *const chirp = calloc(n + 8, 2 * sizeof *chirp), *const filter = malloc(2 * m * sizeof *filter);
  cliv_status status = CLIV_OK;
  if (!z || !c || !chirp || !filter)
    status = cliv__fail(ctx, CLIV_HOST_MEMORY, "no memory for the tables of a transform of %zu", n);
  if (!status) fill_chirp(plan, z, c, chirp, filter);
  if (!status) status = cliv__fft_upload(ctx, plan, chirp, 2 * (n + 8) * sizeof *chirp, &plan->chirp);
  if (!status) status = cliv__fft_upload(ctx, plan, filter, 2 * m * sizeof *filter, &plan->filter);
  free(z);
  free(c);
  free(chirp);
  free(filter);
  return status;
}

/* ---- plans ---- */

static void plan_free(cliv__fft_plan *plan) {
  if (plan->table) clReleaseMemObject(plan->table);
  if (plan->places) clReleaseMemObject(plan->places);
  if (plan->chirp) clReleaseMemObject(plan->chirp);
  if (plan->filter) clReleaseMemObject(plan->filter);
  free(plan);
}

/* Entry k of a table alone; gives how many numbers it is. */
static size_t entry(const cliv__fft_plan *plan, size_t k, double v[2]) {
  const bool bends = plan->kind == CLIV__FFT_BENDS;
  cliv__fft_turn(k, plan->length * (bends ? 2 : plan->kind == CLIV__FFT_QUARTERS ? 4 : 1), v, v + 1);
  if (bends) v[0] = 4 * (v[1] * v[1]);
  return bends ? 1 : 2;
}

static cliv_status make_entries(cliv_context *ctx, cliv__fft_plan *plan) {
  double v[2];
  const size_t each = entry(plan, 0, v), numbers = (plan->length / 2 + 1) * each;
  const size_t bytes = numbers * (plan->wide ? sizeof(double) : sizeof(float));
  void *const table = malloc(bytes);
  REQUIRE(ctx, table != NULL, HOST_MEMORY, "no memory for the %zu bytes of tables of a transform of %zu", bytes,
          plan->length);
  for (size_t i = 0; i < numbers; i++) {
    if (i % each == 0) entry(plan, i / each, v);
    if (plan->wide) ((double *)table)[i] = v[i % each];
    else ((float *)table)[i] = (float)v[i % each];
  }
  const cliv_status status = cliv__fft_upload(ctx, plan, table, bytes, &plan->table);
  free(table);
  return status;
}

static cliv_status make_tables(cliv_context *ctx, cliv__fft_plan *plan) {
  if (plan->kind == CLIV__FFT_TILES) return cliv__fft_tiles(ctx, plan);
  if (plan->kind != CLIV__FFT_TRANSFORM) return make_entries(ctx, plan);
  plan->count = cliv__fft_radices(plan->length, plan->radix);
  if (plan->count < 0) plan->count = 0, plan->whole = cliv__fft_whole_length(plan->length);
  if (plan->wide) return cliv__fft_wide_tables(ctx, plan);
  cliv__fft_launch launch[CLIV__FFT_LAUNCHES];
  /* TILES has all that is needed where no walk does the whole length at once. */
  if (!plan->whole && ctx->walk == CLIV_WALK_CPU && cliv__fft_cut(plan, false, launch) > 1 && !lines_take(plan))
    return CLIV_OK;
  return (plan->whole ? make_chirp : make_table)(ctx, plan);
}

static cliv_status plan_make(cliv_context *ctx, size_t length, cliv__fft_kind kind, bool wide, cliv__fft_plan **out) {
  cliv__fft_plan *const plan = calloc(1, sizeof *plan);
  REQUIRE(ctx, plan != NULL, HOST_MEMORY, "no memory for the plan of a transform of %zu", length);
  plan->length = length;
  plan->kind = kind;
  plan->wide = wide;
  const cliv_status status = make_tables(ctx, plan);
  if (!status) *out = plan;
  else plan_free(plan);
  return status;
}

static void plans_free(cliv_context *ctx) {
  while (ctx->fft_plans) {
    cliv__fft_plan *const old = ctx->fft_plans;
    ctx->fft_plans = old->next;
    plan_free(old);
  }
}

void cliv__fft_plans_trim(cliv_context *ctx) {
  size_t kept = 0, bytes = 0;
  if (cliv__staging(ctx)) return;
  for (cliv__fft_plan **at = &ctx->fft_plans; *at;) {
    cliv__fft_plan *const plan = *at;
    const bool fits = plan->used || plan->bytes <= TABLES - bytes;
    if (fits && kept < PLANS) {
      if (!plan->used) bytes += plan->bytes;
      plan->used = false;
      kept++;
      at = &plan->next;
    } else {
      *at = plan->next;
      plan_free(plan);
    }
  }
}

cliv_status cliv__fft_find(cliv_context *ctx, size_t length, cliv__fft_kind kind, bool wide,
                           const cliv__fft_plan **out) {
  cliv__fft_plan **at = &ctx->fft_plans, *plan = NULL;
  while (*at && ((*at)->length != length || (*at)->kind != kind || (*at)->wide != wide)) at = &(*at)->next;
  if (*at) {
    plan = *at;
    *at = plan->next;
  } else {
    TRY(plan_make(ctx, length, kind, wide, &plan));
  }
  plan->used = true;
  plan->next = ctx->fft_plans;
  ctx->fft_plans = plan;
  ctx->fft_plans_free = plans_free;
  *out = plan;
  return CLIV_OK;
}

cliv_status cliv__fft_plan_of(cliv_context *ctx, size_t length, const cliv__fft_plan **out) {
  return cliv__fft_find(ctx, length, CLIV__FFT_TRANSFORM, false, out);
}

/* ---- launches ---- */

/* In order, each as many as fit in `most`. */
static int fill(const cliv__fft_plan *plan, size_t most, cliv__fft_launch launch[CLIV__FFT_LAUNCHES]) {
  int count = 0;
  size_t l = 1;
  cl_ulong table = 0;
  launch[0] = (cliv__fft_launch){1, 1, 0, 0};
  for (int p = 0, passes = 0; p < plan->count; p++, passes++) {
    const size_t r = plan->radix[p];
    if (launch[count].length * r > most && passes) {
      if (++count == CLIV__FFT_LAUNCHES) return CLIV__FFT_LAUNCHES + 1;
      launch[count] = (cliv__fft_launch){1, l, 0, table};
      passes = 0;
    }
    launch[count].length *= r;
    launch[count].radices |= (cl_ulong)r << (8 * passes);
    table += cliv__fft_pass_floats(l, r);
    l *= r;
  }
  return count + 1;
}

int cliv__fft_share(const cliv__fft_plan *plan, size_t most, int least, cliv__fft_launch launch[CLIV__FFT_LAUNCHES]) {
  int wanted = fill(plan, most, launch);
  if (wanted < least && least <= plan->count) wanted = least;
  size_t even = 8;
  while (even < most && fill(plan, even, launch) > wanted) even += even / 4;
  return fill(plan, even < most ? even : most, launch);
}
