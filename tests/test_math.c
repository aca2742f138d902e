/* cl/divide.cl and cl/math.cl: division and square root exactly rounded, also by the way that devices without correct
 * rounding take; the elementary functions within their errors on arguments of every size, with bits that are pinned. */
#include <cliv/map.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "map_reference.h"
#include "runtime/context.h"
#include "support.h"

static float of_bits(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

/* A context, to be freed, that takes its division for rounded (as the device may claim) or for an approximation. */
static cliv_context *open_rounding(cliv_walk walk, bool rounds) {
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_create(&(cliv_context_options){.walk = walk}, &ctx));
  ctx->rounds_divide = ctx->rounds_divide && rounds;
  return ctx;
}

/* One call of a map on host arrays; y NULL for unary ones. */
static void apply(cliv_context *ctx, const char *op, const float *x, const float *y, float *out, size_t n) {
  cliv_tensor *a, *b, *c;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &a));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &b));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &c));
  ASSERT_OK(ctx, cliv_tensor_write(a, x, n * sizeof *x));
  if (y) ASSERT_OK(ctx, cliv_tensor_write(b, y, n * sizeof *y));
  ASSERT_OK(ctx, y ? cliv_map2(ctx, op, a, b, c, NULL) : cliv_map(ctx, op, a, c, NULL));
  ASSERT_OK(ctx, cliv_tensor_read(c, out, n * sizeof *out));
  cliv_tensor_free(a), cliv_tensor_free(b), cliv_tensor_free(c);
}

static float canonical(float x) { return isnan(x) ? of_bits(0x7fc00000) : x; }

/* Operands where something can go wrong: few or nearly all bits set, exponents at the ends and where the ways part, or
 * any bits. */
static float operand(uint64_t seed, size_t i) {
  static const uint32_t exponents[] = {0,   0,   1,   2,   3,   25,  26,  47,  48,  49,  50,  51, 100,
                                       126, 127, 128, 150, 230, 249, 250, 251, 252, 253, 254, 255};
  const uint64_t r = test_bits(seed, i);
  if (i % 5 == 0) return of_bits((uint32_t)r);
  if (i % 5 == 1) return (float)test_normal(seed, i);
  uint32_t fraction = (uint32_t)(r >> 40) & 0x7fffff;
  if (i % 5 == 2) fraction &= 7;
  if (i % 5 == 3) fraction |= 0x7ffff0;
  const uint32_t exponent = exponents[(r >> 8) % (sizeof exponents / sizeof *exponents)];
  return of_bits((uint32_t)(r & 1) << 31 | exponent << 23 | fraction);
}

static void rounded(void **state) {
  (void)state;
  const size_t n = test_small() ? 5000 : 1000000;
  float *x = test_alloc(n * sizeof *x), *y = test_alloc(n * sizeof *y), *got = test_alloc(n * sizeof *got);
  float *quotient = test_alloc(n * sizeof *x), *root = test_alloc(n * sizeof *x);
  for (size_t i = 0; i < n; i++) {
    x[i] = operand(1, i), y[i] = operand(2, i / 5 * 5 + test_bits(3, i) % 5);
    quotient[i] = canonical(x[i] / y[i]), root[i] = canonical(sqrtf(x[i]));
  }
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++)
    for (int rounds = 0; rounds < 2; rounds++) {
      cliv_context *ctx = open_rounding(test_walks[w], rounds);
      apply(ctx, "div", x, y, got, n);
      ASSERT_SAME(CLIV_F32, got, quotient, n);
      apply(ctx, "sqrt", x, NULL, got, n);
      ASSERT_SAME(CLIV_F32, got, root, n);
      cliv_context_free(ctx);
    }
  free(x), free(y), free(got), free(quotient), free(root);
}

/* The exponential of sums and shares, e^x * 2^65 for x <= 0: within (2 + |x| / 16) ulp. */
static void raised_exponentials(void **state) {
  (void)state;
  static const char text[] = "real raised(real x) { return real_exp_raised(x); }\n";
  const size_t n = test_small() ? 5000 : 1000000;
  float *x = test_alloc(n * sizeof *x);
  for (size_t i = 0; i < n; i++)
    x[i] = i == 0 ? 0 : (float)(i % 2 ? test_uniform(4, i, -120, 0) : -fabs(test_normal(5, i)));
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    test_guarded in = test_guard1(ctx, CLIV_F32, n, 1, x), out = test_guard1(ctx, CLIV_F32, n, 2, NULL);
    ASSERT_OK(ctx, cliv_map_user(ctx, text, "raised", in.tensor, NULL, out.tensor, NULL));
    float *got = test_read(out.tensor);
    for (size_t i = 0; i < n; i++) {
      const double want = ldexp(exp((double)x[i]), 65), ulp = ldexp(1, ilogb(want) - 23);
      if (!(fabs((double)got[i] - want) <= (2 + fabs((double)x[i]) / 16) * ulp))
        fail_msg("%a: %a is %g ulp off", (double)x[i], (double)got[i], fabs((double)got[i] - want) / ulp);
    }
    assert_true(got[0] == 0x1p65f);
    free(got);
    test_guard_free(&out);
    test_guard_free(&in);
    test_close(ctx);
  }
  free(x);
}

/* FNV-1a over the stored words. */
static uint64_t digest(const float *x, size_t n) {
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < n; i++) {
    uint32_t u;
    memcpy(&u, &x[i], sizeof u);
    h = (h ^ u) * UINT64_C(0x100000001b3);
  }
  return h;
}

/* All floats in steps of a number prime to 2^32: every sign, exponent and pattern of fraction comes by. */
static float spread(size_t i) { return of_bits((uint32_t)i * UINT32_C(2654435769)); }

/* For pow: two positive numbers of three near 1 so that there are powers between, and exponents that are integers. */
static void spread_pair(size_t i, float *x, float *y) {
  *x = i % 3 ? of_bits(0x3f000000 + (uint32_t)(test_bits(5, i) >> 40)) : spread(i);
  *y = (float)test_uniform(6, i, -160, 160);
  if (i % 4 == 0) *y = rintf(*y / 8);
  if (i % 64 == 0) *y = spread(i / 64 * 7);
}

enum { PINNED = 4096 };
static const struct {
  const char *op;
  uint64_t digest; /* of the first PINNED results */
} pinned[] = {
    {"rsqrt", UINT64_C(0x8378be81c951f468)},    {"exp", UINT64_C(0x09ca3e6b0af8a555)},
    {"exp2", UINT64_C(0x309bd32537264fec)},     {"expm1", UINT64_C(0x7e888f1ab79ecb82)},
    {"log", UINT64_C(0x7b6b296a7d0a3d2f)},      {"log2", UINT64_C(0x119499db7c3979f3)},
    {"log10", UINT64_C(0xca152475f3b3ff8d)},    {"log1p", UINT64_C(0x0ed28ea3e352a27a)},
    {"tanh", UINT64_C(0xd41c01daf4ce8f83)},     {"sigmoid", UINT64_C(0xa10059be61f2e8fb)},
    {"softplus", UINT64_C(0x6881ef5b97d1f065)}, {"silu", UINT64_C(0x04568f8a28dc5018)},
    {"sin", UINT64_C(0x01fea322c1feac63)},      {"cos", UINT64_C(0x6401fcbb477b34bc)},
    {"erf", UINT64_C(0xe4d176151f7ea72c)},      {"pow", UINT64_C(0xcd97bd8e54b54d94)},
};

static void elementary(void **state) {
  (void)state;
  const size_t n = test_small() ? PINNED : 1 << 18;
  float *x = test_alloc(n * sizeof *x), *got = test_alloc(n * sizeof *got), *first = test_alloc(n * sizeof *first);
  float *y = test_alloc(n * sizeof *y);
  double *want = test_alloc(n * sizeof *want);
  for (size_t k = 0; k < sizeof pinned / sizeof *pinned; k++) {
    const cliv_map_info *op = cliv_map_find(pinned[k].op);
    for (size_t i = 0; i < n; i++) {
      x[i] = spread(i);
      if (op->arity == 2) spread_pair(i, &x[i], &y[i]);
      want[i] = reference_map(op->name, x[i], y[i]);
    }
    for (size_t w = 0; w < TEST_WALKS; w++) {
      cliv_context *ctx = test_open(test_walks[w]);
      apply(ctx, op->name, x, op->arity == 2 ? y : NULL, w ? got : first, n);
      test_close(ctx);
    }
    ASSERT_SAME(CLIV_F32, got, first, n);
    ASSERT_ULP(first, want, n, op->ulp);
    if (digest(first, PINNED) != pinned[k].digest)
      fail_msg("%s: the digest of %d results is 0x%016" PRIx64 ", not 0x%016" PRIx64, op->name, PINNED,
               digest(first, PINNED), pinned[k].digest);
  }
  free(x), free(y), free(got), free(first), free(want);
}

/* Next to multiples of pi/2, the nearest of all floats to one among them (2^-30 of it away), and where the way of
 * reducing changes. */
static void angles(void **state) {
  (void)state;
  enum { MULTIPLES = 2000, EXTRA = 7, N = 3 * MULTIPLES + EXTRA };
  static const float extra[EXTRA] = {0x1.f37c8ap+95f, 0x1.fffffep+127f, 0x1p15f,   0x1.fffffep+14f,
                                     -0x1p15f,        0x1p-12f,         -0x1p-149f};
  float x[N], got[N];
  double sines[N], cosines[N];
  for (int k = 0; k < MULTIPLES; k++) {
    const float at = (float)(1.57079632679489661923 * (k < 1000 ? k : k * 40));
    x[3 * k] = nextafterf(at, 0), x[3 * k + 1] = at, x[3 * k + 2] = -nextafterf(at, INFINITY);
  }
  memcpy(x + 3 * MULTIPLES, extra, sizeof extra);
  for (int i = 0; i < N; i++) sines[i] = sin(x[i]), cosines[i] = cos(x[i]);
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    apply(ctx, "sin", x, NULL, got, N);
    ASSERT_ULP(got, sines, N, 1);
    apply(ctx, "cos", x, NULL, got, N);
    ASSERT_ULP(got, cosines, N, 1);
    test_close(ctx);
  }
}

/* Zeros, infinities, NaN, integers odd and even, with every other: as C99 has them (F.9.4.4), signs of zeros too. */
static void powers(void **state) {
  (void)state;
  static const float values[] = {0,
                                 -0.0f,
                                 1,
                                 -1,
                                 2,
                                 -2,
                                 3,
                                 -3,
                                 0.5f,
                                 -0.5f,
                                 1.5f,
                                 -1.5f,
                                 16777215,
                                 -16777215,
                                 16777216,
                                 8388607.5f,
                                 0x1p-149f,
                                 -0x1p-149f,
                                 0x1p-126f,
                                 0x1.8p100f,
                                 -0x1.8p100f,
                                 0x1.fffffep-1f,
                                 0x1.000002p0f,
                                 -0x1.fffffep-1f,
                                 0x1.fffffep127f,
                                 INFINITY,
                                 -INFINITY,
                                 NAN};
  enum { VALUES = sizeof values / sizeof *values, N = VALUES * VALUES };
  float x[N], y[N], got[N];
  for (int i = 0; i < N; i++) x[i] = values[i / VALUES], y[i] = values[i % VALUES];
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    apply(ctx, "pow", x, y, got, N);
    for (int i = 0; i < N; i++) {
      const double want = pow(x[i], y[i]);
      const float nearest = (float)want;
      if (isnan(want) ? isnan(got[i]) : got[i] == nearest && !signbit(got[i]) == !signbit(nearest)) continue;
      if (!(test_ulp_error(got[i], want) <= 1 && !signbit(got[i]) == !signbit(want) && nearest != 0))
        fail_msg("pow(%a, %a) is %a, not %a", (double)x[i], (double)y[i], (double)got[i], want);
    }
    test_close(ctx);
  }
}

/* Every elementary function of the table has its digest pinned. */
static void all_pinned(void **state) {
  (void)state;
  for (size_t i = 0; i < cliv_map_count(); i++) {
    const cliv_map_info *op = cliv_map_get(i);
    bool found = op->ulp <= 0.5;
    for (size_t k = 0; k < sizeof pinned / sizeof *pinned; k++) found |= !strcmp(pinned[k].op, op->name);
    if (!found) fail_msg("map '%s' has no pinned digest", op->name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(rounded),    cmocka_unit_test(elementary),
                                     cmocka_unit_test(angles),     cmocka_unit_test(powers),
                                     cmocka_unit_test(all_pinned), cmocka_unit_test(raised_exponentials)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
