/* The public side of cliv/blas.h: triangles and symmetric matrices. */
#include "base/options.h"
#include "blas/copies.h"
#include "blas/product.h"
#include "blas/triangle.h"
#include "runtime/stage.h"
#include "runtime/tensor.h"

/* ---- checks ---- */

/* One call: its routine by name, the flags it knows, and what it was given. b: NULL for syrk. */
typedef struct call {
  cliv_context *ctx;
  const char *name;
  unsigned how, known;
  double alpha, beta;
  const cliv_tensor *a, *b;
  cliv_tensor *c;
  bool in_place; /* C may be B */
} call;

static const char *const flag_names[] = {"CLIV_RIGHT", "CLIV_UPPER", "CLIV_TRANS", "CLIV_UNIT"};

static cliv_status check_flags(const call *o) {
  for (unsigned i = 0; i < sizeof flag_names / sizeof *flag_names; i++)
    REQUIRE(o->ctx, !(o->how & ~o->known & (1u << i)), VALUE, "%s knows no %s", o->name, flag_names[i]);
  REQUIRE(o->ctx, !(o->how & ~o->known), VALUE, "%s: %u is no sum of the flags that it knows", o->name, o->how);
  return CLIV_OK;
}

static cliv_status check_tensor(const call *o, const char *name, const cliv_tensor *t) {
  char text[160], other[160];
  REQUIRE(o->ctx, t->dtype == CLIV_F64 || cliv__computed(t->dtype) == CLIV_F32, DTYPE,
          "%s is of float32, float64, float16 and bfloat16, not of '%s', %s", o->name, name, cliv__describe(t, text));
  REQUIRE(o->ctx, t->dtype == o->c->dtype, DTYPE, "%s: '%s' is %s and the result %s: they differ in type", o->name,
          name, cliv__describe(t, text), cliv__describe(o->c, other));
  REQUIRE(o->ctx, t->ndim == 2 || t->ndim == 3, SHAPE,
          "%s: '%s' must be a matrix (two axes) or a batch of them (three), not %s", o->name, name,
          cliv__describe(t, text));
  REQUIRE(o->ctx, t->ndim == o->c->ndim && (t->ndim == 2 || t->shape[0] == o->c->shape[0]), SHAPE,
          "%s: '%s' is %s and the result %s: there are as many matrices of each", o->name, name,
          cliv__describe(t, text), cliv__describe(o->c, other));
  return CLIV_OK;
}

static const size_t *sides(const cliv_tensor *t) { return t->shape + t->ndim - 2; }

static cliv_status check_apart(const call *o, const char *name, const cliv_tensor *t) {
  char text[160], other[160];
  REQUIRE(o->ctx, !cliv__overlap(t, o->c), OVERLAP,
          "%s: the result %s shares memory with '%s', %s; it is written "
          "elsewhere",
          o->name, cliv__describe(o->c, text), name, cliv__describe(t, other));
  return CLIV_OK;
}

/* Whether A, `side` × `side`, and B suit C. */
static cliv_status check_sides(const call *o) {
  char a[160], b[160], c[160];
  TRY(check_tensor(o, "c", o->c));
  TRY(check_tensor(o, "a", o->a));
  TRY(check_tensor(o, "b", o->b));
  const size_t side = sides(o->c)[o->how & CLIV_RIGHT ? 1 : 0];
  REQUIRE(o->ctx, sides(o->a)[0] == sides(o->a)[1], SHAPE, "%s: A must be square, not %s", o->name,
          cliv__describe(o->a, a));
  REQUIRE(o->ctx, sides(o->b)[0] == sides(o->c)[0] && sides(o->b)[1] == sides(o->c)[1], SHAPE,
          "%s: B is %s and the result %s: their shapes must be equal", o->name, cliv__describe(o->b, b),
          cliv__describe(o->c, c));
  REQUIRE(o->ctx, sides(o->a)[0] == side, SHAPE, "%s: A is %s and B %s: with A on the %s it is %zu × %zu", o->name,
          cliv__describe(o->a, a), cliv__describe(o->b, b), o->how & CLIV_RIGHT ? "right" : "left", side, side);
  TRY(check_apart(o, "a", o->a));
  if (!o->in_place || !cliv__same_place(o->b, o->c)) TRY(check_apart(o, "b", o->b));
  return CLIV_OK;
}

/* ---- the choice ---- */

static cliv_status choose(const call *o, const cliv_blas_options *options, const cliv__blas_provider **out) {
  cliv_blas_options own;
  TRY(OPTIONS(o->ctx, options, &own));
  REQUIRE(o->ctx, !own.bias && !own.activation, VALUE,
          "bias and activation are of gemm and gemm_batched; syrk, symm, trmm and trsm have none");
  const bool clblast = own.provider == CLIV_PROVIDER_CLBLAST;
  REQUIRE(o->ctx, clblast || own.provider == CLIV_PROVIDER_AUTO || own.provider == CLIV_PROVIDER_EXACT, VALUE,
          "%d is no provider of matrix products", (int)own.provider);
  *out = &cliv__blas_exact;
#ifdef CLIV_HAVE_CLBLAST
  if (clblast) *out = &cliv__blas_clblast;
#else
  REQUIRE(o->ctx, !clblast, NO_CLBLAST,
          "this library was built without CLBlast; configure it with -DCLIV_CLBLAST=ON, or ask for the provider "
          "'exact'");
#endif
  return CLIV_OK;
}

/* ---- operands ---- */

/* A tensor as the routines have stacks: as it lies, its rows being columns where it is turned; or by a copy. */
typedef struct side {
  const cliv_tensor *t;
  bool turned, copied;
  cliv_tensor copy;
  cliv__stack stack; /* of the one or the other */
} side;

static side side_of(const cliv_tensor *t) {
  side s = {.t = t, .copied = cliv__needs_copy(t, false)};
  cliv__matrix m;
  if (!s.copied) s.stack = cliv__stack_of(t);
  if (cliv__is_narrow(t->dtype) || !t->strided || !cliv__as_rows(t, &m, &s.turned)) return s;
  s.copied = false;
  s.stack = (cliv__stack){m.mem, m.first, t->ndim == 3 ? t->shape[0] : 1, m.rows, m.columns, m.pitch, m.each, t->dtype};
  return s;
}

static void turn_back(side *s) {
  s->copied = s->copied || s->turned;
  s->turned = false;
}

static cliv_status load(cliv_context *ctx, side *s, cliv__operand which, cliv__chain *order) {
  if (!s->copied) return CLIV_OK;
  TRY(cliv__copy_in(ctx, s->t, which, false, order, &s->copy));
  s->stack = cliv__stack_of(&s->copy);
  return CLIV_OK;
}

/* What a call is of matrices some of which are transposed: an equation of transposed ones. */
static unsigned turn(const call *o, bool a, bool c) {
  const bool square = o->known == (CLIV_UPPER | CLIV_TRANS), symmetric = !(o->known & CLIV_TRANS);
  const unsigned by_a = square ? CLIV_TRANS : symmetric ? CLIV_UPPER : CLIV_UPPER | CLIV_TRANS;
  const unsigned by_c = square ? CLIV_UPPER : symmetric ? CLIV_RIGHT : CLIV_RIGHT | CLIV_TRANS;
  return o->how ^ (a ? by_a : 0) ^ (c ? by_c : 0);
}

/* Where the result is made: what C holds is needed there, and what a triangle leaves alone goes back with it. */
static cliv_status prepare(const call *o, side *c, cliv__chain *order) {
  if (!c->copied) return CLIV_OK;
  if (o->beta != 0 || (!o->b && c->t->strided)) return load(o->ctx, c, CLIV__OPERAND_C, order);
  TRY(cliv__copy_room(o->ctx, c->t, CLIV__OPERAND_C, false, &c->copy));
  c->stack = cliv__stack_of(&c->copy);
  return CLIV_OK;
}

/* What is written of C, or of it turned by `how`. */
static int part_of(const call *o, unsigned how) {
  if (o->b) return CLIV__PART_ALL;
  return how & CLIV_UPPER ? CLIV__PART_UPPER : CLIV__PART_LOWER;
}

/* beta C alone, of which no provider is asked. */
static cliv_status scale(cliv_context *ctx, int part, double beta, const cliv__stack *c, const cliv_sync *sync) {
  TRY(cliv__nothing(ctx, SYNC_FIRST(sync)));
  TRY(cliv__stack_finish(ctx, part, 0, NULL, beta, c));
  return cliv__nothing(ctx, SYNC_LAST(sync));
}

/* routine: NULL where nothing is summed. */
static cliv_status enqueue(const call *o, cliv__level3_function *routine, const cliv_sync *sync) {
  cliv__chain order = {.sync = sync};
  side a = side_of(o->a), b = side_of(o->b ? o->b : o->a), c = side_of(o->c);
  if (o->b && b.turned != c.turned) turn_back(b.turned ? &b : &c);
  const bool joined = routine && o->in_place && b.copied && c.copied; /* X is made of B's copy, in its place */
  if (routine) TRY(load(o->ctx, &a, CLIV__OPERAND_A, &order));
  if (routine && o->b) TRY(load(o->ctx, &b, joined ? CLIV__OPERAND_C : CLIV__OPERAND_B, &order));
  if (joined) c.stack = b.stack, c.copy = b.copy;
  else TRY(prepare(o, &c, &order));
  const unsigned how = turn(o, a.turned, c.turned);
  const cliv__level3 op = {.right = how & CLIV_RIGHT,
                           .upper = how & CLIV_UPPER,
                           .trans = how & CLIV_TRANS,
                           .unit = how & CLIV_UNIT,
                           .alpha = o->alpha,
                           .beta = o->beta,
                           .a = &a.stack,
                           .b = &b.stack,
                           .c = &c.stack};
  const cliv_sync part = cliv__chain_next(&order, !c.copied);
  if (routine) TRY(routine(o->ctx, &op, &part));
  else TRY(scale(o->ctx, part_of(o, how), o->beta, &c.stack, &part));
  if (!c.copied) return CLIV_OK;
  return cliv__copy_back(o->ctx, &c.copy, c.t, CLIV__OPERAND_C, part_of(o, o->how), NULL, &order);
}

/* All launches, or none, where they are of the provider that can. */
static cliv_status run(const call *o, const cliv__blas_provider *provider, cliv__level3_function *routine,
                       const cliv_sync *sync) {
  if (!routine && o->beta == 1) return cliv__nothing(o->ctx, sync);
  if (routine && provider != &cliv__blas_exact) return enqueue(o, routine, sync);
  TRY(cliv__stage_begin(o->ctx));
  return cliv__stage_end(o->ctx, enqueue(o, routine, sync), NULL);
}

/* ---- operations ---- */

cliv_status cliv_syrk(cliv_context *ctx, unsigned how, double alpha, const cliv_tensor *a, double beta, cliv_tensor *c,
                      const cliv_blas_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, a);
  REQUIRE_NOT_NULL(ctx, c);
  REQUIRE_CONTEXT(ctx, a, c);
  const call o = {ctx,
                  "syrk",
                  how,
                  CLIV_UPPER | CLIV_TRANS,
                  cliv__blas_rounded(c->dtype, alpha),
                  cliv__blas_rounded(c->dtype, beta),
                  a,
                  NULL,
                  c,
                  false};
  char first[160], second[160];
  TRY(check_flags(&o));
  TRY(check_tensor(&o, "c", c));
  TRY(check_tensor(&o, "a", a));
  const size_t n = sides(a)[how & CLIV_TRANS ? 1 : 0], k = sides(a)[how & CLIV_TRANS ? 0 : 1];
  REQUIRE(ctx, sides(c)[0] == n && sides(c)[1] == n, SHAPE,
          "syrk: A is %s, so that the product is %zu × %zu, but C is %s", cliv__describe(a, first), n, n,
          cliv__describe(c, second));
  TRY(check_apart(&o, "a", a));
  const cliv__blas_provider *provider = NULL;
  TRY(choose(&o, options, &provider));
  if (c->count == 0) return cliv__nothing(ctx, sync);
  return run(&o, provider, k == 0 || o.alpha == 0 ? NULL : provider->syrk, sync);
}

cliv_status cliv_symm(cliv_context *ctx, unsigned how, double alpha, const cliv_tensor *a, const cliv_tensor *b,
                      double beta, cliv_tensor *c, const cliv_blas_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, a);
  REQUIRE_NOT_NULL(ctx, b);
  REQUIRE_NOT_NULL(ctx, c);
  REQUIRE_CONTEXT(ctx, a, b, c);
  const call o = {ctx,
                  "symm",
                  how,
                  CLIV_RIGHT | CLIV_UPPER,
                  cliv__blas_rounded(c->dtype, alpha),
                  cliv__blas_rounded(c->dtype, beta),
                  a,
                  b,
                  c,
                  false};
  TRY(check_flags(&o));
  TRY(check_sides(&o));
  const cliv__blas_provider *provider = NULL;
  TRY(choose(&o, options, &provider));
  if (c->count == 0) return cliv__nothing(ctx, sync);
  return run(&o, provider, o.alpha == 0 ? NULL : provider->symm, sync);
}

enum { TRIANGULAR = CLIV_RIGHT | CLIV_UPPER | CLIV_TRANS | CLIV_UNIT };

/* What trmm and trsm share after their checks for NULL. */
static cliv_status triangular(const call *o, bool solves, const cliv_blas_options *options, const cliv_sync *sync) {
  TRY(check_flags(o));
  TRY(check_sides(o));
  const cliv__blas_provider *provider = NULL;
  TRY(choose(o, options, &provider));
  if (o->c->count == 0) return cliv__nothing(o->ctx, sync);
  return run(o, provider, o->alpha == 0 ? NULL : solves ? provider->trsm : provider->trmm, sync);
}

cliv_status cliv_trmm(cliv_context *ctx, unsigned how, double alpha, const cliv_tensor *a, const cliv_tensor *b,
                      cliv_tensor *x, const cliv_blas_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, a);
  REQUIRE_NOT_NULL(ctx, b);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_CONTEXT(ctx, a, b, x);
  const call o = {ctx, "trmm", how, TRIANGULAR, cliv__blas_rounded(x->dtype, alpha), 0, a, b, x, true};
  return triangular(&o, false, options, sync);
}

cliv_status cliv_trsm(cliv_context *ctx, unsigned how, double alpha, const cliv_tensor *a, const cliv_tensor *b,
                      cliv_tensor *x, const cliv_blas_options *options, const cliv_sync *sync) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, a);
  REQUIRE_NOT_NULL(ctx, b);
  REQUIRE_NOT_NULL(ctx, x);
  REQUIRE_CONTEXT(ctx, a, b, x);
  const call o = {ctx, "trsm", how, TRIANGULAR, cliv__blas_rounded(x->dtype, alpha), 0, a, b, x, true};
  return triangular(&o, true, options, sync);
}
