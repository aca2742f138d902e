/* Powers of w in the order in which tiles of the CPU walk read them, where several launches do the passes.
 *
 * Eight columns side by side with successive q's read, in the order of fft_radix.cl's table, eight floats here and
 * eight there, a large power of two apart, and of each only once. So a launch behind the first has for each eight q's
 * all that its passes read together: by pass, for each butterfly k and each t, eight real parts and eight imaginary
 * ones. The first launch, where all q's are 0, has them as the table of the transform does.
 */
#include <stdlib.h>

#include "fft/plan.h"

enum {
  LANES = 8,         /* as in cl/fft_radix.cl */
  CPU_COLUMN = 2048, /* elements of a column, whose rooms stay in a core's cache */
  CPU_SINGLE = 256   /* shorter transforms are not shared out to fill the lanes */
};

int cliv__fft_cut(const cliv__fft_plan *plan, bool few, cliv__fft_launch launch[CLIV__FFT_LAUNCHES]) {
  return cliv__fft_share(plan, CPU_COLUMN, few && plan->length >= CPU_SINGLE ? 2 : 1, launch);
}

cl_ulong cliv__fft_together(const cliv__fft_launch *l) {
  if (l->before == 1 || l->before % LANES) return 0;
  cl_ulong floats = 0, of = 1;
  for (cl_ulong rest = l->radices; rest; of *= rest & 255, rest >>= 8) floats += 2 * LANES * ((rest & 255) - 1) * of;
  return floats;
}

/* One power of w: of element t, real part and imaginary part at `re` and `im`. */
static void put(float *re, float *im, size_t q, size_t t, size_t n) {
  double c, s;
  cliv__fft_turn(q * t, n, &c, &s);
  *re = (float)c, *im = (float)s;
}

/* A pass of a launch; l: the product of the radices before it. */
static void fill_pass(float *table, size_t together, size_t before, size_t l, size_t r) {
  const size_t plane = (r - 1) * l;
  for (size_t q = 0; q < l; q++)
    for (size_t t = 1; t < r; t++) {
      const size_t own = q % before, k = q / before;
      float *const tile = table + own / LANES * together + 2 * LANES * (k * (r - 1) + t - 1) + own % LANES;
      float *const plain = table + (t - 1) * l + q;
      if (together) put(tile, tile + LANES, q, t, r * l);
      else put(plain, plain + plane, q, t, r * l);
    }
}

static void fill_launch(const cliv__fft_launch *launch, float *table) {
  const size_t together = (size_t)cliv__fft_together(launch);
  size_t l = launch->before;
  table += launch->table;
  for (cl_ulong rest = launch->radices; rest; rest >>= 8) {
    const size_t r = rest & 255;
    if (l > 1) fill_pass(table, together, launch->before, l, r);
    table += together ? 2 * LANES * (r - 1) * (l / launch->before) : cliv__fft_pass_floats(l, r);
    l *= r;
  }
}

cliv_status cliv__fft_tiles(cliv_context *ctx, cliv__fft_plan *plan) {
  cliv__fft_launch launch[CLIV__FFT_LAUNCHES];
  plan->count = cliv__fft_radices(plan->length, plan->radix);
  const int count = cliv__fft_cut(plan, true, launch);
  size_t floats = 8, l = 1; /* never none */
  for (int p = 0; p < plan->count; l *= plan->radix[p++]) floats += cliv__fft_pass_floats(l, plan->radix[p]);
  float *const table = calloc(floats, sizeof *table);
  REQUIRE(ctx, table != NULL, HOST_MEMORY, "no memory for the %zu bytes of tables of a transform of %zu",
          floats * sizeof *table, plan->length);
  for (int i = 0; i < count; i++) fill_launch(&launch[i], table);
  const cliv_status status = cliv__fft_upload(ctx, plan, table, floats * sizeof *table, &plan->table);
  free(table);
  return status;
}
