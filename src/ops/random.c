/* Philox4x32-10 on the host, and distributions on the device: their table, their scalars, one launch. Their arithmetic
 * is in cl/random_ops.cl. See cliv/random.h. */
#include <cliv/random.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/tensor.h"

/* ---- on the host ---- */

void cliv_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u; /* Weyl sequence: golden ratio, √3 − 1 */
    k1 += 0xBB67AE85u;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

static void block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4]) {
  const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
  const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  cliv_philox(counter, key, out);
}

uint32_t cliv_random_bits(uint64_t seed, uint64_t stream, uint64_t element) {
  uint32_t words[4];
  block(seed, stream, element / 4, words);
  return words[element % 4];
}

float cliv_random_uniform(uint64_t seed, uint64_t stream, uint64_t element) {
  return (float)(cliv_random_bits(seed, stream, element) >> 8) * 0x1p-24f;
}

/* The upper 64 bits of a × b, for b below 2^32. */
static uint64_t scale(uint64_t a, uint64_t b) { return ((a >> 32) * b + (((a & 0xffffffffu) * b) >> 32)) >> 32; }

cliv_status cliv_random_permutation(uint64_t seed, uint64_t stream, size_t count, int32_t *out) {
  REQUIRE(NULL, count <= INT32_MAX, VALUE, "a permutation of %zu elements was asked for; the most is 2147483647",
          count);
  REQUIRE(NULL, out != NULL || count == 0, NULL, "cliv_random_permutation: argument 'out' is NULL");
  for (size_t i = 0; i < count; i++) out[i] = (int32_t)i;
  for (size_t i = count; i-- > 1;) {
    uint32_t words[4];
    block(seed, stream, i / 2, words); /* elements 2i, 2i + 1 lie in block i / 2 */
    const uint32_t *pair = words + 2 * (i % 2);
    const size_t j = (size_t)scale((uint64_t)pair[1] << 32 | pair[0], (uint64_t)i + 1);
    const int32_t t = out[i];
    out[i] = out[j];
    out[j] = t;
  }
  return CLIV_OK;
}

/* ---- the table ---- */

/* As in cl/random_ops.cl. */
typedef struct scalars {
  cl_float scale, shift, lowest, highest, below, above, between;
  cl_uint limit;
} scalars;

typedef struct row {
  cliv_random_info info;
  /* From parameters to scalars; refuses what is out of bounds. NULL: there are none. */
  cliv_status (*prepare)(cliv_context *ctx, const double *params, cliv_dtype dtype, scalars *s);
} row;

/* The number next to x, up or down, among those of a float type. */
static float next(cliv_dtype dtype, float x, bool up) {
  if (dtype == CLIV_F32) return nextafterf(x, up ? INFINITY : -INFINITY);
  const int bits = dtype == CLIV_F16 ? cliv_float_to_half(x) : cliv_float_to_bfloat(x);
  const int place = (bits & 0x8000 ? -(bits & 0x7fff) : bits) + (up ? 1 : -1);
  const uint16_t stored = (uint16_t)(place < 0 ? 0x8000 | -place : place);
  return dtype == CLIV_F16 ? cliv_half_to_float(stored) : cliv_bfloat_to_float(stored);
}

static float stored(cliv_dtype dtype, double x) {
  const float f = (float)x;
  return dtype == CLIV_F16    ? cliv_half_to_float(cliv_float_to_half(f))
         : dtype == CLIV_BF16 ? cliv_bfloat_to_float(cliv_float_to_bfloat(f))
                              : f;
}

/* The first and last numbers of the type in [low, high], or in [low, high). */
static cliv_status keep_within(cliv_context *ctx, cliv_dtype dtype, double low, double high, bool half_open,
                               scalars *s) {
  s->lowest = stored(dtype, low), s->highest = stored(dtype, high);
  while ((double)s->lowest < low) s->lowest = next(dtype, s->lowest, true);
  while ((double)s->highest > high || (half_open && (double)s->highest >= high))
    s->highest = next(dtype, s->highest, false);
  REQUIRE(ctx, s->lowest <= s->highest, VALUE, "there is no %s in the interval from %.17g to %.17g%s",
          cliv_dtype_name(dtype), low, high, half_open ? ", which it does not hold itself" : "");
  return CLIV_OK;
}

static cliv_status prepare_uniform(cliv_context *ctx, const double *p, cliv_dtype dtype, scalars *s) {
  s->scale = (float)(p[1] - p[0]), s->shift = (float)p[0];
  REQUIRE(ctx, p[0] < p[1] && isfinite((float)p[1]) && isfinite(s->shift) && isfinite(s->scale), VALUE,
          "uniform needs low below high, both and their distance finite in float32, not %g and %g", p[0], p[1]);
  return keep_within(ctx, dtype, p[0], p[1], true, s);
}

static cliv_status prepare_normal(cliv_context *ctx, const double *p, cliv_dtype dtype, scalars *s) {
  (void)dtype;
  s->shift = (float)p[0], s->scale = (float)p[1], s->lowest = -INFINITY, s->highest = INFINITY;
  REQUIRE(ctx, isfinite(s->shift) && isfinite(s->scale) && p[1] >= 0, VALUE,
          "a normal distribution needs a finite mean and a std from 0 on, not %g and %g", p[0], p[1]);
  return CLIV_OK;
}

/* Probability below x standard deviations. */
static double normal_below(double x) { return 0.5 * erfc(-0.70710678118654752440 * x); }

static cliv_status prepare_truncated(cliv_context *ctx, const double *p, cliv_dtype dtype, scalars *s) {
  static const double reach = 9, negligible = 0x1p-100;
  TRY(prepare_normal(ctx, p, dtype, s));
  const double mean = p[0], std = p[1], lower = p[2], upper = p[3];
  REQUIRE(ctx, lower < upper && lower <= reach && upper >= -reach, VALUE,
          "truncated_normal needs lower below upper, in standard deviations, and an interval that reaches within %g of "
          "the mean, not %g and %g",
          reach, lower, upper);
  const double below = normal_below(lower), above = normal_below(-upper);
  const double between = lower > 0 ? normal_below(-lower) - above : normal_below(upper) - below;
  REQUIRE(ctx, between > negligible, VALUE, "the interval from %.17g to %.17g standard deviations is too narrow", lower,
          upper);
  s->below = below > negligible ? (float)below : 0;
  s->above = above > negligible ? (float)above : 0;
  s->between = (float)between;
  if (std == 0) return CLIV_OK; /* the mean, whatever is drawn */
  return keep_within(ctx, dtype, mean + lower * std, mean + upper * std, false, s);
}

static cliv_status prepare_bernoulli(cliv_context *ctx, const double *p, cliv_dtype dtype, scalars *s) {
  (void)dtype;
  REQUIRE(ctx, p[0] >= 0 && p[0] <= 1, VALUE, "bernoulli needs a probability from 0 to 1, not %g", p[0]);
  s->limit = (cl_uint)rint(p[0] * 0x1p31);
  return CLIV_OK;
}

static const cliv_random_param uniform_params[] = {{"low", 0, "least value"}, {"high", 1, "above all values"}};
static const cliv_random_param normal_params[] = {{"mean", 0, "mean"}, {"std", 1, "standard deviation"}};
static const cliv_random_param truncated_params[] = {{"mean", 0, "mean of the normal distribution"},
                                                     {"std", 1, "its standard deviation"},
                                                     {"lower", -2, "nothing below mean + lower std"},
                                                     {"upper", 2, "nothing above mean + upper std"}};
static const cliv_random_param bernoulli_params[] = {{"p", 0.5, "probability of a 1"}};

#define PARAMS(p) sizeof(p) / sizeof *(p), (p)
static const row table[] = {
    {{"bits", "32 random bits", 0, NULL, CLIV_I32}, NULL},
    {{"uniform", "uniform on [low, high)", PARAMS(uniform_params), CLIV_F32}, prepare_uniform},
    {{"normal", "normal, from six standard deviations below the mean to six above", PARAMS(normal_params), CLIV_F32},
     prepare_normal},
    {{"truncated_normal", "normal, of which only an interval is kept", PARAMS(truncated_params), CLIV_F32},
     prepare_truncated},
    {{"bernoulli", "1 with probability p, else 0", PARAMS(bernoulli_params), CLIV_U8}, prepare_bernoulli},
};
enum { ROWS = sizeof table / sizeof *table, MOST_PARAMS = 4 };

size_t cliv_random_count(void) { return ROWS; }
const cliv_random_info *cliv_random_get(size_t index) { return index < ROWS ? &table[index].info : NULL; }

static const row *find(const char *name) {
  for (size_t i = 0; name && i < ROWS; i++)
    if (!strcmp(table[i].info.name, name)) return &table[i];
  return NULL;
}

const cliv_random_info *cliv_random_find(const char *name) {
  const row *r = find(name);
  return r ? &r->info : NULL;
}

int cliv_random_takes(const cliv_random_info *info, cliv_dtype dtype) {
  if (!info || info->dtype == CLIV_I32) return info && dtype == CLIV_I32;
  return dtype == CLIV_F32 || dtype == CLIV_F16 || dtype == CLIV_BF16 || (dtype == CLIV_U8 && info->dtype == CLIV_U8);
}

/* ---- the call ---- */

static cliv_status launch(cliv_context *ctx, const row *r, const scalars *s, uint64_t seed, uint64_t stream,
                          cl_ulong first, const cliv_tensor *out, const cliv_sync *sync) {
  char options[128];
  snprintf(options, sizeof options, "-D DRAW=draw_%s -D DRAWS_%s -D OUT_T=%s", r->info.name, r->info.name,
           cliv__dtype_storage(out->dtype));
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "divide.cl random_ops.cl philox.cl random.cl", options, "random_fill", &kernel));

  const bool cpu = ctx->walk == CLIV_WALK_CPU;
  const cl_ulong n = out->count, out_first = cliv__first(out), each = cliv__share(ctx, n);
  const cl_ulong items = cliv__div_up(first % (cpu ? CLIV__SHARE_STEP : each) + n, each);
  const cl_uint4 key = {{(cl_uint)seed, (cl_uint)(seed >> 32), (cl_uint)stream, (cl_uint)(stream >> 32)}};
  const cliv__range range = RANGE1(items, cpu ? 1 : cliv__group(ctx, 64));
  return LAUNCH(ctx, kernel, range, sync, ARG(out->mem), ARG(out_first), ARG(first), ARG(n), ARG(each), ARG(key),
                ARG(*s));
}

cliv_status cliv_random_fill(cliv_context *ctx, const char *distribution, const double *params, uint64_t seed,
                             uint64_t stream, uint64_t first, cliv_tensor *out, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, distribution);
  REQUIRE_NOT_NULL(ctx, out);
  const row *r = find(distribution);
  char text[160];
  REQUIRE(ctx, r != NULL, NAME, "there is no distribution '%s'; `cliv op list random` names them all", distribution);
  REQUIRE_TENSORS(ctx, out);
  REQUIRE(ctx, cliv_random_takes(&r->info, out->dtype), DTYPE, "'%s' does not fill %s", distribution,
          cliv__describe(out, text));
  REQUIRE(ctx, cliv__dense(out), LAYOUT,
          "random numbers go to a dense tensor; this one has rows of %zu with a pitch of %zu", out->columns,
          out->pitch);
  REQUIRE(ctx, first <= INT64_MAX && out->count <= INT64_MAX - first, VALUE, "%zu elements from %llu on pass 2^63",
          out->count, (unsigned long long)first);
  double values[MOST_PARAMS];
  for (size_t i = 0; i < r->info.param_count; i++) values[i] = params ? params[i] : r->info.params[i].initial;
  scalars s = {.scale = 1};
  if (r->prepare) TRY(r->prepare(ctx, values, out->dtype, &s));
  if (out->count == 0) return cliv__nothing(ctx, sync);
  return launch(ctx, r, &s, seed, stream, first, out, sync);
}
