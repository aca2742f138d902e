/* exhaust OP…: maps of one input over all 2^32 floats, against the references in double: the largest error of each, in
 * units of the last place. Not a test, since it runs for minutes; it is where the errors come from that cliv/map.h
 * states. The device is $CLIV_DEVICE's. */
#include <cliv/map.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "map_reference.h"
#include "support.h"

enum { CHUNK = 1 << 22 };

typedef struct worst {
  double error;
  float at, got;
  uint64_t wrong; /* NaN, infinity or a zero's sign where it must not be, or missing */
} worst;

static bool same(float a, float b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

static void compare(const char *op, const float *x, const float *got, size_t n, worst *w) {
  double (*const exact)(double) = reference_map_line(op)->unary;
  for (size_t i = 0; i < n; i++) {
    const double want = exact(x[i]);
    if (same(got[i], (float)want)) continue;
    const double error = test_ulp_error(got[i], want);
    if (!isfinite(error) || (got[i] == 0 && signbit(got[i]) != signbit(want))) w->wrong++;
    else if (error > w->error) *w = (worst){error, x[i], got[i], w->wrong};
  }
}

static void exhaust(void **state) {
  const char *op = *state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  cliv_tensor *x, *y;
  float *in = test_alloc(CHUNK * sizeof *in), *out = test_alloc(CHUNK * sizeof *out);
  worst w = {0};
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){CHUNK}, &x));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){CHUNK}, &y));
  for (uint64_t first = 0; first < UINT64_C(1) << 32; first += CHUNK) {
    for (uint32_t i = 0; i < CHUNK; i++) memcpy(&in[i], &(uint32_t){(uint32_t)first + i}, sizeof *in);
    ASSERT_OK(ctx, cliv_tensor_write(x, in, CHUNK * sizeof *in));
    ASSERT_OK(ctx, cliv_map(ctx, op, x, y, NULL));
    ASSERT_OK(ctx, cliv_tensor_read(y, out, CHUNK * sizeof *out));
    compare(op, in, out, CHUNK, &w);
  }
  printf("%-12s %.3f ulp at %.9g (%a), which gives %.9g; %" PRIu64 " wrong\n", op, w.error, (double)w.at, (double)w.at,
         (double)w.got, w.wrong);
  assert_true(w.error <= cliv_map_find(op)->ulp && w.wrong == 0);
  cliv_tensor_free(x), cliv_tensor_free(y), free(in), free(out);
  cliv_context_free(ctx);
}

int main(int argc, char **argv) {
  int failed = argc < 2;
  for (int i = 1; i < argc; i++) {
    const cliv_map_info *op = cliv_map_find(argv[i]);
    if (!op || op->arity != 1 || op->result != CLIV_MAP_VALUE) {
      fprintf(stderr, "exhaust: '%s' is no map of one input to floats\n", argv[i]);
      return 2;
    }
    const struct CMUnitTest test = {argv[i], exhaust, NULL, NULL, argv[i]};
    const struct CMUnitTest tests[] = {test};
    failed |= cmocka_run_group_tests(tests, NULL, NULL);
  }
  return failed;
}
