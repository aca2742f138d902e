/* Inverse roots by the coupled Newton iteration. See cliv/factor.h. */
#include <math.h>

#include "base/options.h"
#include "blas/factor.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum { MOST_P = 32, SQUARINGS = 7 };

static cliv_status check(cliv_context *ctx, const cliv_tensor *a, unsigned p, const cliv_tensor *out,
                         const cliv_inverse_root_options *o) {
  TRY(cliv__check_square(ctx, "inverse_root", a));
  TRY(cliv__check_matrices(ctx, "inverse_root", out));
  TRY(cliv__check_alike(ctx, "inverse_root", a, out));
  TRY(cliv__check_apart(ctx, "inverse_root", a, out));
  REQUIRE(ctx, p >= 1 && p <= MOST_P, VALUE, "inverse_root: p is %u; it must be from 1 to %d", p, MOST_P);
  REQUIRE(ctx, o->ridge == 0 || (o->ridge >= 1e-8 && o->ridge <= 1), VALUE,
          "inverse_root: the ridge is %g; it must be from 1e-8 to 1, or 0 for 1e-6", o->ridge);
  REQUIRE(ctx, o->floor >= 0 && o->floor <= 1e30, VALUE,
          "inverse_root: the floor is %g; it must be from 0 (for 1e-6) to 1e30", o->floor);
  return CLIV_OK;
}

/* Iterations that bring an eigenvalue of M from x to 1, to float32's last place. Only + − · /, so that every host
 * counts alike. */
static unsigned count_from(double x, unsigned p) {
  unsigned steps = 0;
  for (; fabs(1 - x) > 0x1p-23; steps++) {
    const double t = 1 + (1 - x) / p;
    for (unsigned k = 0; k < p; k++) x *= t;
  }
  return steps;
}

/* Eigenvalues of M lie from `most` · ridge/(1 + ridge) to `most`, or a little more: λ may be too small. Those above 1
 * come down at first, for a great p too far to come back with all digits: hence 2. */
static unsigned iterations(double ridge, unsigned p) {
  const double most = p > 3 ? 2 : (1 + (double)p) / 2;
  const unsigned low = count_from(most * ridge / (1 + ridge), p), high = count_from(most * 1.1, p);
  return (low > high ? low : high) + 1;
}

/* x = x / max |x|; where that is 0 it is left. */
static cliv_status normalize(cliv_context *ctx, const cliv__stack *from, const cliv__stack *x, cl_mem norms,
                             cl_mem terms) {
  cl_kernel kernel;
  TRY(cliv__kernel(ctx, "divide.cl stack.cl factor.cl", "-D SINGLE", "units", &kernel));
  TRY(cliv__stack_largest(ctx, from, norms));
  TRY(LAUNCH(ctx, kernel, cliv__stack_range(ctx, x), SYNC_NONE, ARG(norms), ARG(terms), ARG(x->count)));
  const cliv__combination unit = {.choices = "-D DIVIDES", .x = from, .terms = terms};
  return cliv__stack_combine(ctx, &unit, x, NULL);
}

/* The terms of cl/root.cl: of A, dense, with room for two more. */
static cliv_status find_terms(cliv_context *ctx, const cliv__stack *a, const cliv__stack *b, const cliv__stack *square,
                              cl_uint p, float ridge, float least, cl_mem terms) {
  cl_kernel kernel;
  cl_mem norms;
  TRY(cliv__kernel(ctx, "divide.cl math.cl stack.cl root.cl", "-D SINGLE", "root_terms", &kernel));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FACTOR_NORMS, a->count * sizeof(float), &norms));
  TRY(normalize(ctx, a, b, norms, terms));
  for (int i = 0; i < SQUARINGS; i++) {
    TRY(cliv__stack_product(ctx, false, false, 1, b, b, 0, square, NULL));
    TRY(normalize(ctx, square, b, norms, terms));
  }
  TRY(cliv__stack_dots(ctx, a, b, norms));
  return LAUNCH(ctx, kernel, cliv__stack_range(ctx, a), SYNC_NONE, ARG(norms), ARG(b->mem), ARG(terms), ARG(a->count),
                ARG(a->rows), ARG(p), ARG(ridge), ARG(least));
}

/* to = x y, and what was in `to` is room. */
static cliv_status multiply_into(cliv_context *ctx, const cliv__stack *x, const cliv__stack *y, cliv__stack *to,
                                 cliv__stack *room) {
  TRY(cliv__stack_product(ctx, false, false, 1, x, y, 0, room, NULL));
  const cliv__stack made = *room;
  *room = *to;
  *to = made;
  return CLIV_OK;
}

/* The iterations; s: M, H, T and room. H begins as T. */
static cliv_status iterate(cliv_context *ctx, unsigned count, unsigned p, cliv__stack s[4]) {
  cliv__stack *const m = &s[0], *const h = &s[1], *const t = &s[2], *const room = &s[3];
  const cliv__combination factor = {.choices = "-D SHIFTS", .x = m, .factor = -1.0 / p, .shift = 1 + 1.0 / p};
  for (unsigned i = 0; i < count; i++) {
    TRY(cliv__stack_combine(ctx, &factor, t, NULL));
    if (i == 0) TRY(cliv__stack_combine(ctx, &factor, h, NULL));
    else TRY(multiply_into(ctx, h, t, h, room));
    if (i + 1 == count) break; /* M is not wanted any more */
    unsigned odd = p;
    for (; odd % 2 == 0; odd /= 2) TRY(multiply_into(ctx, t, t, t, room));
    for (unsigned k = 0; k < odd; k++) TRY(multiply_into(ctx, t, m, m, room));
  }
  return CLIV_OK;
}

cliv_status cliv_inverse_root(cliv_context *ctx, const cliv_tensor *a, unsigned p, cliv_tensor *out,
                              const cliv_inverse_root_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, a);
  REQUIRE_NOT_NULL(ctx, out);
  cliv_inverse_root_options o;
  TRY(OPTIONS(ctx, options, &o));
  TRY(check(ctx, a, p, out, &o));
  if (a->count == 0) return cliv__nothing(ctx, sync);

  static const int slots[] = {CLIV__SCRATCH_FACTOR_A, CLIV__SCRATCH_FACTOR_B, CLIV__SCRATCH_FACTOR_C,
                              CLIV__SCRATCH_FACTOR_D};
  const double ridge = o.ridge > 0 ? o.ridge : 1e-6, least = o.floor > 0 ? o.floor : 1e-6;
  const cliv__stack from = cliv__stack_of(a), to = cliv__stack_of(out);
  cliv__stack s[4];
  cl_mem terms;
  for (int i = 0; i < 4; i++) TRY(cliv__stack_scratch(ctx, slots[i], from.count, from.rows, from.columns, &s[i]));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FACTOR_TERMS, from.count * CLIV__TERMS * sizeof(float), &terms));
  TRY(cliv__stack_combine(ctx, &(cliv__combination){.choices = "", .x = &from}, &s[0], SYNC_FIRST(sync)));
  TRY(find_terms(ctx, &s[0], &s[1], &s[2], p, (float)ridge, (float)least, terms));
  const cliv__combination start = {.choices = "-D SHIFTS_EACH", .x = &s[0], .terms = terms};
  TRY(cliv__stack_combine(ctx, &start, &s[0], NULL));
  TRY(iterate(ctx, iterations(ridge, p), p, s));
  const cliv__combination end = {.choices = "-D AVERAGES", .x = &s[1], .terms = terms};
  return cliv__stack_combine(ctx, &end, &to, SYNC_LAST(sync));
}
