/* exhaust OP…: maps of one input over all 2^32 floats, and pow over 2^30 pairs, against the references in double: the
 * largest error of each, in units of the last place. Not a test, since it runs for minutes; it is where the errors come
 * from that cliv/map.h states. The device is $CLIV_DEVICE's. */
#include <cliv/map.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "map_reference.h"
#include "support.h"

enum { CHUNK = 1 << 22, PAIR_CHUNKS = 1 << 8 };

typedef struct worst {
  double error;
  float at, with, got; /* with: the second operand */
  uint64_t wrong;      /* NaN, infinity or a zero's sign where it must not be, or missing */
} worst;

static bool same(float a, float b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

static void compare(const char *op, const float *x, const float *y, const float *got, size_t n, worst *w) {
  const map_reference *exact = reference_map_line(op);
  for (size_t i = 0; i < n; i++) {
    const double want = exact->unary ? exact->unary(x[i]) : exact->binary(x[i], y[i]);
    if (same(got[i], (float)want)) continue;
    const double error = test_ulp_error(got[i], want);
    if (!isfinite(error) || (got[i] == 0 && signbit(got[i]) != signbit(want))) w->wrong++;
    else if (error > w->error) *w = (worst){error, x[i], y[i], got[i], w->wrong};
  }
}

/* All floats in turn. For pairs: any positive x, half of them near 1, and a y that puts the power between 2^-151 and
 * 2^129. */
static void fill(float *x, float *y, uint64_t first, bool pairs) {
  for (uint32_t i = 0; i < CHUNK; i++) {
    uint32_t u = (uint32_t)first + i;
    if (pairs) {
      const uint32_t random = (uint32_t)test_bits(1, first + i);
      u = random & 1 ? (random >> 1) % 0x7f800000 : 0x3f000000 + (random >> 7);
    }
    memcpy(&x[i], &u, sizeof u);
    y[i] = pairs ? (float)(test_uniform(2, first + i, -151, 129) / log2(x[i])) : 0;
  }
}

static void exhaust(void **state) {
  const char *op = *state;
  const bool pairs = cliv_map_find(op)->arity == 2;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_tensor *x, *y, *z;
  float *in = test_alloc(CHUNK * sizeof *in), *in2 = test_alloc(CHUNK * sizeof *in),
        *out = test_alloc(CHUNK * sizeof *in);
  worst w = {0};
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){CHUNK}, &x));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){CHUNK}, &y));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){CHUNK}, &z));
  const uint64_t end = pairs ? (uint64_t)CHUNK * PAIR_CHUNKS : UINT64_C(1) << 32;
  for (uint64_t first = 0; first < end; first += CHUNK) {
    fill(in, in2, first, pairs);
    ASSERT_OK(ctx, cliv_tensor_write(x, in, CHUNK * sizeof *in));
    ASSERT_OK(ctx, cliv_tensor_write(y, in2, CHUNK * sizeof *in));
    ASSERT_OK(ctx, pairs ? cliv_map2(ctx, op, x, y, z, NULL) : cliv_map(ctx, op, x, z, NULL));
    ASSERT_OK(ctx, cliv_tensor_read(z, out, CHUNK * sizeof *out));
    compare(op, in, in2, out, CHUNK, &w);
  }
  printf("%-12s %.3f ulp at %.9g (%a), %a, which gives %.9g; %" PRIu64 " wrong\n", op, w.error, (double)w.at,
         (double)w.at, (double)w.with, (double)w.got, w.wrong);
  assert_true(w.error <= cliv_map_find(op)->ulp && w.wrong == 0);
  cliv_tensor_free(x), cliv_tensor_free(y), cliv_tensor_free(z), free(in), free(in2), free(out);
  test_close(ctx);
}

int main(int argc, char **argv) {
  int failed = argc < 2;
  for (int i = 1; i < argc; i++) {
    const cliv_map_info *op = cliv_map_find(argv[i]);
    if (!op || (op->arity != 1 && strcmp(op->name, "pow") != 0) || op->result != CLIV_MAP_VALUE) {
      fprintf(stderr, "exhaust: '%s' is neither a map of one input to floats nor pow\n", argv[i]);
      return 2;
    }
    const struct CMUnitTest test = {argv[i], exhaust, NULL, NULL, argv[i]};
    const struct CMUnitTest tests[] = {test};
    failed |= cmocka_run_group_tests(tests, NULL, NULL);
  }
  return test_finish(failed);
}
