/* The kernels' dynamic map against its definition: every code's number, and the codes of numbers about every place
 * where these change. */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optim/optim.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/tensor.h"

/* A code in doubt has 256 added. */
static const char kernel_text[] =
    "#ifdef WALK_CPU\n"
    "static real number(ureal codes) { return CAT(numbers_of_, MAP)(codes); }\n"
    "static ureal code(real x) {\n"
    "  ureal least = ~(ureal)0;\n"
    "  const ureal codes = CAT(codes_of_, MAP)(x, &least);\n"
    "  return choose(least == (ureal)0, CAT(encode_, MAP)(x) | 256u, codes);\n"
    "}\n"
    "#else\n"
    "static real number(ureal codes) { return CAT(decode_, MAP)(codes); }\n"
    "static ureal code(real x) { return CAT(encode_, MAP)(x); }\n"
    "#endif\n"
    "__kernel void numbers(__global const uint *codes, __global float *r, const ulong n) {\n"
    "  const ulong i = get_global_id(0) * W;\n"
    "  if (i < n) store_f32(number(LOAD_W(codes, i)), r, i);\n"
    "}\n"
    "__kernel void codes(__global const float *x, __global uint *r, const ulong n) {\n"
    "  const ulong i = get_global_id(0) * W;\n"
    "  if (i < n) STORE_W(code(load_f32(x, i)), r, i);\n"
    "}\n";
static const char files[] = "dynamic_map.cl dynamic_map_lines.cl user";

static const struct map {
  const char *name;
  cliv_state_kind kind;
} maps[] = {{"signed8", CLIV_STATE_SIGNED}, {"unsigned8", CLIV_STATE_NONNEGATIVE}};

/* One launch of a kernel of n elements of four bytes each. */
static void *run(cliv_context *ctx, const char *options, const char *name, const void *in, size_t n) {
  cl_kernel kernel;
  cliv_tensor *from, *to;
  const cl_ulong count = n;
  ASSERT_OK(ctx, cliv__kernel_with(ctx, files, kernel_text, options, name, &kernel));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 1, &n, &from));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_I32, 1, &n, &to));
  ASSERT_OK(ctx, cliv_tensor_write(from, in, n * sizeof(cl_int)));
  ASSERT_OK(ctx, LAUNCH(ctx, kernel, RANGE1(n, 1), NULL, ARG(from->mem), ARG(to->mem), ARG(count)));
  void *out = test_read(to);
  cliv_tensor_free(from);
  cliv_tensor_free(to);
  return out;
}

static void check_numbers(cliv_context *ctx, const char *options, const float map[256]) {
  cl_uint codes[256];
  for (cl_uint c = 0; c < 256; c++) codes[c] = c;
  float *got = run(ctx, options, "numbers", codes, 256);
  ASSERT_SAME(CLIV_F32, got, map, 256);
  free(got);
}

/* By looking at all middles between neighbours, which are floats; on one the code of the number nearer to 0. */
static cl_uint nearest(const float map[256], float x) {
  cl_uint code = 0;
  for (int c = 1; c < 256; c++) {
    const float middle = (map[c - 1] + map[c]) / 2;
    code += middle < 0 ? x >= middle : x > middle;
  }
  return code;
}

enum { ABOUT = 4 /* floats on either side of a place */, PLACES = 255 + 256 + 4, RANDOM = 1 << 14 };

/* Numbers about every middle and every number of the map, about ±0 and ±1, and any. */
static size_t numbers_to_code(const float map[256], float *x) {
  size_t n = 0;
  for (int p = 0; p < PLACES; p++) {
    const float corners[] = {0, -0.0f, 1, -1};
    const float place = p < 255 ? (map[p] + map[p + 1]) / 2 : p < 511 ? map[p - 255] : corners[p - 511];
    float at = place;
    for (int k = 0; k < ABOUT; k++) at = nextafterf(at, -2);
    for (int k = -ABOUT; k <= ABOUT; k++, at = nextafterf(at, 2)) x[n++] = fmaxf(-1, fminf(at, 1));
  }
  for (uint64_t i = 0; i < RANDOM || n % 16; i++)
    x[n++] = (float)((test_bits(2, i) & 1 ? 1 : -1) * pow(10, test_uniform(1, i, -9, 0)));
  return n;
}

static void check_codes(cliv_context *ctx, const char *options, const float map[256], bool negative) {
  float *x = test_alloc((PLACES * (2 * ABOUT + 1) + RANDOM + 16) * sizeof *x);
  const size_t n = numbers_to_code(map, x);
  cl_uint *got = run(ctx, options, "codes", x, n);
  size_t doubts = 0;
  for (size_t i = 0; i < n; i++) {
    const cl_uint want = nearest(map, negative || x[i] > 0 ? x[i] : 0);
    if ((got[i] & 255) != want)
      fail_msg("%s: the code of %.9g is %u, not %u", options, (double)x[i], got[i] & 255, want);
    doubts += i >= n - RANDOM && got[i] >= 256;
  }
  if (doubts > 8) fail_msg("%s: %zu of %d random numbers are in doubt", options, doubts, RANDOM);
  free(got);
  free(x);
}

static void follows_the_definition(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    for (size_t m = 0; m < sizeof maps / sizeof *maps; m++)
      for (int picks = 8; picks <= (ctx->walk == CLIV_WALK_CPU ? 16 : 8); picks += 8) {
        char options[64];
        float map[256];
        snprintf(options, sizeof options, "-D MAP=%s -D PICKS=%d", maps[m].name, picks);
        cliv__dynamic_map(maps[m].kind, map);
        check_numbers(ctx, options, map);
        check_codes(ctx, options, map, maps[m].kind == CLIV_STATE_SIGNED);
      }
    test_close(ctx);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(follows_the_definition)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
