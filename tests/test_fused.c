/* fused(): a * b + c rounded once, with the device's own fma and with the integers that stand in where that one fails.
 * */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/quirks.h"
#include "runtime/tensor.h"

static const char kernel_text[] =
    "real fused(real a, real b, real c);\n"
    "__kernel void test(__global const float *a, __global const float *b, __global const float *c, __global float *r,\n"
    "                   const ulong n) {\n"
    "  const ulong i = get_global_id(0) * W;\n"
    "  if (i < n) store_f32(fused(load_f32(a, i), load_f32(b, i), load_f32(c, i)), r, i);\n"
    "}\n";

static float from_bits(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

static uint32_t to_bits(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}

/* A float of random sign and fraction, and of an exponent from `low` to below `low + span`. */
static float with_exponent(uint64_t bits, int low, int span) {
  const int e = low + (int)((bits >> 33) % (uint64_t)span);
  return from_bits(((uint32_t)bits & 0x807fffffu) | (uint32_t)(e < 0 ? 0 : e > 254 ? 254 : e) << 23);
}

enum { KINDS = 5 };

/* Operands where a sum of exponents, a cancellation or a special value makes fma hard. */
static void operands(int kind, uint64_t i, float *a, float *b, float *c) {
  static const uint32_t corners[] = {0,          1,          0x007fffff, 0x00800000, 0x00400000, 0x3f800000, 0x3f000000,
                                     0x33800000, 0x7f7fffff, 0x7f800000, 0x7fc00000, 0x0d000000, 0x7f000000};
  const uint64_t count = 2 * sizeof corners / sizeof *corners;
  const uint64_t x = test_bits(1, 3 * i), y = test_bits(1, 3 * i + 1), z = test_bits(1, 3 * i + 2);
  switch (kind) {
    case 0: /* any bits */
      *a = from_bits((uint32_t)x);
      *b = from_bits((uint32_t)y);
      *c = from_bits((uint32_t)z);
      return;
    case 1: /* all pairs of corners, with a third that goes round */
      *a = from_bits(corners[i % count / 2] | (uint32_t)(i % 2) << 31);
      *b = from_bits(corners[i / count % count / 2] | (uint32_t)(i / count % 2) << 31);
      *c = from_bits(corners[z % count / 2] | (uint32_t)(z % 2) << 31);
      return;
    case 2: /* a product about as large as c, both near the subnormal range */
      *a = with_exponent(x, 20, 200);
      *b = with_exponent(y, 127 - (int)(to_bits(*a) >> 23 & 255), 40);
      *c = with_exponent(z, 0, 30);
      return;
    case 3: /* the same with few bits, so that ties occur */
      operands(2, i, a, b, c);
      *a = from_bits(to_bits(*a) & 0xfff00000u);
      *b = from_bits(to_bits(*b) & 0xfff00000u);
      *c = from_bits(to_bits(*c) & 0xfffffff0u);
      return;
    default: /* c cancels the product but for a unit or two */
      *a = with_exponent(x, 20, 80);
      *b = with_exponent(y, 90 - (int)(to_bits(*a) >> 23 & 255), 60);
      *c = from_bits(to_bits(-(*a * *b)) + (uint32_t)(z % 5) - 2u);
  }
}

static void same_as_host(cliv_context *ctx, const char *options) {
  const size_t n = test_small() ? 1024 : 1 << 15;
  float *host[4];
  cliv_tensor *t[4];
  cl_kernel kernel;
  ASSERT_OK(ctx, cliv__kernel_with(ctx, "user fused.cl", kernel_text, options, "test", &kernel));
  for (int k = 0; k < 4; k++) {
    host[k] = test_alloc(n * sizeof(float));
    ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, &n, &t[k]));
  }
  for (int kind = 0; kind < KINDS; kind++) {
    for (size_t i = 0; i < n; i++) {
      operands(kind, i, &host[0][i], &host[1][i], &host[2][i]);
      const float r = fmaf(host[0][i], host[1][i], host[2][i]);
      host[3][i] = isnan(r) ? from_bits(0x7fc00000u) : r;
    }
    for (int k = 0; k < 3; k++) ASSERT_OK(ctx, cliv_tensor_write(t[k], host[k], n * sizeof(float)));
    const cl_ulong count = n;
    ASSERT_OK(ctx, LAUNCH(ctx, kernel, RANGE1(n, 1), NULL, ARG(t[0]->mem), ARG(t[1]->mem), ARG(t[2]->mem),
                          ARG(t[3]->mem), ARG(count)));
    float *got = test_read(t[3]);
    ASSERT_SAME(CLIV_F32, got, host[3], n);
    free(got);
  }
  for (int k = 0; k < 4; k++) {
    free(host[k]);
    cliv_tensor_free(t[k]);
  }
}

static void rounds_once(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    same_as_host(ctx, "");
    if (!(ctx->quirks & CLIV__QUIRK_FMA_FLUSHES)) same_as_host(ctx, "-D FMA_FLUSHES");
    test_close(ctx);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(rounds_once)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
