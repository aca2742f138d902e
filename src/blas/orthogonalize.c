/* Orthogonalisation by Newton–Schulz iterations. See cliv/factor.h. */
#include "base/options.h"
#include "blas/factor.h"
#include "runtime/program.h"
#include "runtime/scratch.h"
#include "runtime/tensor.h"

enum { MOST_STEPS = 100 };
static const double usual[] = {3.4445, -4.7750, 2.0315};

static cliv_status check(cliv_context *ctx, const cliv_tensor *a, const cliv_tensor *out,
                         const cliv_orthogonalize_options *o) {
  TRY(cliv__check_matrices(ctx, "orthogonalize", a));
  TRY(cliv__check_matrices(ctx, "orthogonalize", out));
  TRY(cliv__check_alike(ctx, "orthogonalize", a, out));
  TRY(cliv__check_apart(ctx, "orthogonalize", a, out));
  REQUIRE(ctx, o->steps <= MOST_STEPS, VALUE, "orthogonalize: %zu steps are more than %d", o->steps, MOST_STEPS);
  REQUIRE(ctx, !o->coefficients == !o->triples, VALUE,
          "orthogonalize: %zu triples of coefficients, but the list is %s; give both or neither", o->triples,
          o->coefficients ? "not NULL" : "NULL");
  REQUIRE(ctx, o->triples <= MOST_STEPS, VALUE, "orthogonalize: %zu triples of coefficients are more than %d",
          o->triples, MOST_STEPS);
  REQUIRE(ctx, o->eps >= 0 && o->eps <= 1, VALUE, "orthogonalize: eps is %g; it must be from 0 to 1", o->eps);
  for (size_t i = 0; i < 3 * o->triples; i++)
    REQUIRE(ctx, o->coefficients[i] >= -1e6 && o->coefficients[i] <= 1e6, VALUE,
            "orthogonalize: coefficient %zu is %g; they are numbers of magnitude up to 1e6", i, o->coefficients[i]);
  return CLIV_OK;
}

/* What every matrix is divided by, to the terms' first number. */
static cliv_status divisors(cliv_context *ctx, const cliv__stack *x, double eps_, bool narrow, cl_mem *terms) {
  cl_mem norms;
  cl_kernel kernel;
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FACTOR_NORMS, x->count * sizeof(float), &norms));
  TRY(cliv__scratch(ctx, CLIV__SCRATCH_FACTOR_TERMS, x->count * CLIV__TERMS * sizeof(float), terms));
  TRY(cliv__kernel(ctx, "divide.cl stack.cl factor.cl", narrow ? "-D SINGLE -D ROUNDS" : "-D SINGLE", "divisors",
                   &kernel));
  TRY(cliv__stack_norms(ctx, x, norms));
  const float eps = (float)eps_;
  return LAUNCH(ctx, kernel, cliv__stack_range(ctx, x), SYNC_NONE, ARG(norms), ARG(*terms), ARG(x->count), ARG(eps));
}

/* X = fma(1, B X, a X), B = fma(c, S S, b S), S = X Xᵀ; in bfloat16 all of them rounded. */
static cliv_status step(cliv_context *ctx, const double *abc, bool narrow, const cliv__stack *x, const cliv__stack *s,
                        const cliv__stack *square, const cliv__stack *moved) {
  const char *const adds = narrow ? "-D ADDS -D ROUNDS" : "-D ADDS";
  TRY(cliv__stack_product(ctx, false, true, 1, x, x, 0, s, NULL));
  if (narrow) TRY(cliv__stack_combine(ctx, &(cliv__combination){.choices = "-D ROUNDS", .x = s}, s, NULL));
  TRY(cliv__stack_product(ctx, false, false, 1, s, s, 0, square, NULL));
  const cliv__combination polynomial = {.choices = adds, .x = square, .factor = abc[2], .old_factor = abc[1]};
  TRY(cliv__stack_combine(ctx, &polynomial, s, NULL));
  TRY(cliv__stack_product(ctx, false, false, 1, s, x, 0, moved, NULL));
  const cliv__combination next = {.choices = adds, .x = moved, .factor = 1, .old_factor = abc[0]};
  return cliv__stack_combine(ctx, &next, x, NULL);
}

cliv_status cliv_orthogonalize(cliv_context *ctx, const cliv_tensor *a, cliv_tensor *out,
                               const cliv_orthogonalize_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, a);
  REQUIRE_NOT_NULL(ctx, out);
  cliv_orthogonalize_options o;
  TRY(OPTIONS(ctx, options, &o));
  TRY(check(ctx, a, out, &o));
  if (a->count == 0) return cliv__nothing(ctx, sync);

  const size_t triples = o.coefficients ? o.triples : 1, steps = o.steps ? o.steps : triples > 1 ? triples : 5;
  const double *const coefficients = o.coefficients ? o.coefficients : usual;
  const double eps = o.eps > 0 ? o.eps : 1e-7;
  const cliv__stack from = cliv__stack_of(a), to = cliv__stack_of(out);
  const bool tall = from.rows > from.columns, narrow = o.bfloat16 != 0;
  const cl_ulong m = tall ? from.columns : from.rows, n = tall ? from.rows : from.columns;
  cliv__stack x, s, moved, square;
  cl_mem terms;
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_A, from.count, m, n, &x));
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_B, from.count, m, m, &s));
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_C, from.count, m, n, &moved));
  TRY(cliv__stack_scratch(ctx, CLIV__SCRATCH_FACTOR_C, from.count, m, m, &square)); /* not more: m <= n */

  static const char *const take[2][2] = {{"", "-D ROUNDS"}, {"-D TRANSPOSED", "-D TRANSPOSED -D ROUNDS"}};
  TRY(cliv__stack_combine(ctx, &(cliv__combination){.choices = take[tall][narrow], .x = &from}, &x, SYNC_FIRST(sync)));
  TRY(divisors(ctx, &x, eps, narrow, &terms));
  const cliv__combination unit = {.choices = narrow ? "-D DIVIDES -D ROUNDS" : "-D DIVIDES", .x = &x, .terms = terms};
  TRY(cliv__stack_combine(ctx, &unit, &x, NULL));
  for (size_t i = 0; i < steps; i++)
    TRY(step(ctx, coefficients + 3 * (i < triples ? i : triples - 1), narrow, &x, &s, &square, &moved));
  return cliv__stack_combine(ctx, &(cliv__combination){.choices = take[tall][0], .x = &x}, &to, SYNC_LAST(sync));
}
