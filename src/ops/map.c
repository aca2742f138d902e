/* Element by element operations: the table, the checks, one launch. Their arithmetic is in cl/map_ops.cl. See
 * cliv/map.h. */
#include <cliv/map.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/dtype.h"
#include "runtime/launch.h"
#include "runtime/program.h"
#include "runtime/tensor.h"

/* ---- the table ---- */

#define EXACT 0
#define ROUNDED 0.5
enum { F32_ONLY = 0, F64 = 1 }; /* cliv_map_info.float64 */
enum { NO_INT = 0, INT = 1 };   /* cliv_map_info.integers */

static const cliv_map_info table[] = {
    {"copy", 1, "x", "convert to out's dtype", CLIV_MAP_ANY, ROUNDED, F64, INT},
    {"neg", 1, "-x", "change the sign", CLIV_MAP_VALUE, EXACT, F64, INT},
    {"abs", 1, "|x|", "absolute value", CLIV_MAP_VALUE, EXACT, F64, INT},
    {"sign", 1, "-1, 0 or 1", "sign; of -0 it is 0", CLIV_MAP_VALUE, EXACT, F64, INT},
    {"square", 1, "x * x", "square", CLIV_MAP_VALUE, ROUNDED, F64, INT},
    {"reciprocal", 1, "1 / x", "reciprocal", CLIV_MAP_VALUE, ROUNDED, F64, NO_INT},
    {"sqrt", 1, "sqrt(x)", "square root", CLIV_MAP_VALUE, ROUNDED, F64, NO_INT},
    {"rsqrt", 1, "1 / sqrt(x)", "reciprocal square root", CLIV_MAP_VALUE, 1.5, F64, NO_INT},
    {"exp", 1, "e^x", "exponential", CLIV_MAP_VALUE, 1, F32_ONLY, NO_INT},
    {"exp2", 1, "2^x", "power of two", CLIV_MAP_VALUE, 1, F32_ONLY, NO_INT},
    {"expm1", 1, "e^x - 1", "exponential, exact near 0", CLIV_MAP_VALUE, 1, F32_ONLY, NO_INT},
    {"log", 1, "log(x)", "natural logarithm", CLIV_MAP_VALUE, 1, F32_ONLY, NO_INT},
    {"log2", 1, "log(x) / log(2)", "logarithm to base 2", CLIV_MAP_VALUE, 1, F32_ONLY, NO_INT},
    {"log10", 1, "log(x) / log(10)", "logarithm to base 10", CLIV_MAP_VALUE, 1.5, F32_ONLY, NO_INT},
    {"log1p", 1, "log(1 + x)", "logarithm, exact near 0", CLIV_MAP_VALUE, 1, F32_ONLY, NO_INT},
    {"sin", 1, "sin(x)", "sine, x in radians", CLIV_MAP_VALUE, 1, F32_ONLY, NO_INT},
    {"cos", 1, "cos(x)", "cosine, x in radians", CLIV_MAP_VALUE, 1, F32_ONLY, NO_INT},
    {"erf", 1, "erf(x)", "error function", CLIV_MAP_VALUE, 1.5, F32_ONLY, NO_INT},
    {"tanh", 1, "tanh(x)", "hyperbolic tangent", CLIV_MAP_VALUE, 2, F32_ONLY, NO_INT},
    {"sigmoid", 1, "1 / (1 + e^-x)", "logistic function", CLIV_MAP_VALUE, 2, F32_ONLY, NO_INT},
    {"softplus", 1, "log(1 + e^x)", "smooth relu", CLIV_MAP_VALUE, 2, F32_ONLY, NO_INT},
    {"silu", 1, "x / (1 + e^-x)", "x times sigmoid(x)", CLIV_MAP_VALUE, 2, F32_ONLY, NO_INT},
    {"relu", 1, "max(x, 0)", "rectifier", CLIV_MAP_VALUE, EXACT, F64, INT},
    {"floor", 1, "floor(x)", "largest integer below", CLIV_MAP_VALUE, EXACT, F64, NO_INT},
    {"ceil", 1, "ceil(x)", "smallest integer above", CLIV_MAP_VALUE, EXACT, F64, NO_INT},
    {"round", 1, "rint(x)", "nearest integer, the even one of two", CLIV_MAP_VALUE, EXACT, F64, NO_INT},
    {"trunc", 1, "trunc(x)", "integer part", CLIV_MAP_VALUE, EXACT, F64, NO_INT},
    {"isnan", 1, "x is NaN", "test for NaN", CLIV_MAP_TRUTH, EXACT, F64, INT},
    {"isinf", 1, "|x| is infinite", "test for infinities", CLIV_MAP_TRUTH, EXACT, F64, INT},
    {"isfinite", 1, "x is finite", "test for neither NaN nor infinity", CLIV_MAP_TRUTH, EXACT, F64, INT},
    {"logical_not", 1, "x == 0", "1 for zeros, 0 for all else", CLIV_MAP_TRUTH, EXACT, F64, INT},
    {"add", 2, "x + y", "sum", CLIV_MAP_VALUE, ROUNDED, F64, INT},
    {"sub", 2, "x - y", "difference", CLIV_MAP_VALUE, ROUNDED, F64, INT},
    {"mul", 2, "x * y", "product", CLIV_MAP_VALUE, ROUNDED, F64, INT},
    {"div", 2, "x / y", "quotient", CLIV_MAP_VALUE, ROUNDED, F64, NO_INT},
    {"pow", 2, "x^y", "power, in the special cases that of C99", CLIV_MAP_VALUE, 1, F32_ONLY, NO_INT},
    {"min", 2, "min(x, y)", "smaller of two", CLIV_MAP_VALUE, EXACT, F64, INT},
    {"max", 2, "max(x, y)", "larger of two", CLIV_MAP_VALUE, EXACT, F64, INT},
    {"eq", 2, "x == y", "equal", CLIV_MAP_TRUTH, EXACT, F64, INT},
    {"ne", 2, "x != y", "not equal", CLIV_MAP_TRUTH, EXACT, F64, INT},
    {"lt", 2, "x < y", "less than", CLIV_MAP_TRUTH, EXACT, F64, INT},
    {"le", 2, "x <= y", "less or equal", CLIV_MAP_TRUTH, EXACT, F64, INT},
    {"gt", 2, "x > y", "greater than", CLIV_MAP_TRUTH, EXACT, F64, INT},
    {"ge", 2, "x >= y", "greater or equal", CLIV_MAP_TRUTH, EXACT, F64, INT},
    {"logical_and", 2, "x != 0 and y != 0", "both are not 0", CLIV_MAP_TRUTH, EXACT, F64, INT},
    {"logical_or", 2, "x != 0 or y != 0", "one is not 0", CLIV_MAP_TRUTH, EXACT, F64, INT},
};

size_t cliv_map_count(void) { return sizeof table / sizeof *table; }

const cliv_map_info *cliv_map_get(size_t index) { return index < cliv_map_count() ? &table[index] : NULL; }

const cliv_map_info *cliv_map_find(const char *name) {
  for (size_t i = 0; name && i < cliv_map_count(); i++)
    if (!strcmp(table[i].name, name)) return &table[i];
  return NULL;
}

/* ---- types ---- */

static cliv_status check_dtype(cliv_context *ctx, const cliv_map_info *op, cliv_dtype t) {
  const bool allowed = cliv__is_integer(t) ? op->integers : t == CLIV_F64 ? op->float64 : true;
  REQUIRE(ctx, cliv_dtype_size(t) > 0 && allowed, DTYPE,
          "map '%s' is not defined for %s, only for float32, float16, bfloat16%s%s", op->name, cliv_dtype_name(t),
          op->float64 ? ", float64" : "", op->integers ? ", int32, int64, uint8" : "");
  return CLIV_OK;
}

static cliv_status find(cliv_context *ctx, const char *name, int arity, const cliv_map_info **out) {
  const cliv_map_info *op = cliv_map_find(name);
  REQUIRE(ctx, op != NULL, NAME, "there is no map '%s'; `cliv op list` names them all", name);
  REQUIRE(ctx, arity == 0 || op->arity == arity, NAME, "map '%s' takes %s, not %s", name,
          op->arity == 1 ? "one input" : "two inputs", op->arity == 1 ? "two" : "one");
  *out = op;
  return CLIV_OK;
}

cliv_status cliv_map_dtype(const char *name, cliv_dtype input, cliv_dtype *out) {
  const cliv_map_info *op = NULL;
  REQUIRE_NOT_NULL(NULL, name);
  REQUIRE_NOT_NULL(NULL, out);
  TRY(find(NULL, name, 0, &op));
  TRY(check_dtype(NULL, op, input));
  *out = op->result == CLIV_MAP_TRUTH ? CLIV_U8 : input;
  return CLIV_OK;
}

/* ---- one launch ---- */

/* Where y comes from. */
typedef enum source { NO_Y, Y_EACH, Y_ROW, Y_ONE, Y_VALUE } source;
static const char *const source_option[] = {"", " -D Y_EACH", " -D Y_ROW", " -D Y_ONE", " -D Y_VALUE"};

typedef struct call {
  const cliv_map_info *op;
  const char *text; /* of a user's function; NULL: the library's */
  const cliv_tensor *x, *y;
  cliv_tensor *out;
  source source;
  double value;
} call;

/* The type that is computed in: double where float64 comes or goes, 64-bit integers where nothing else does, else
 * float. */
typedef enum compute { IN_F32, IN_F64, IN_I64 } compute;
static const char *const compute_option[] = {"", " -D REAL_F64", " -D REAL_I64"};

static compute compute_of(const call *c) {
  const cliv_dtype x = c->x->dtype, out = c->op->result == CLIV_MAP_ANY ? c->out->dtype : x;
  if (x == CLIV_F64 || out == CLIV_F64) return IN_F64;
  return cliv__is_integer(x) && cliv__is_integer(out) ? IN_I64 : IN_F32;
}

static cliv_status check_x(cliv_context *ctx, const call *c) {
  char a[160], b[160];
  const cliv_tensor *x = c->x, *out = c->out;
  TRY(check_dtype(ctx, c->op, x->dtype));
  const cliv_dtype want = c->op->result == CLIV_MAP_TRUTH ? CLIV_U8 : x->dtype;
  REQUIRE(ctx, c->op->result == CLIV_MAP_ANY || out->dtype == want, DTYPE, "map '%s' of %s gives %s, but out is %s",
          c->op->name, cliv__describe(x, a), cliv_dtype_name(want), cliv__describe(out, b));
  REQUIRE(ctx, cliv__same_shape(x, out), SHAPE, "map '%s' of %s needs an out of the same shape, not %s", c->op->name,
          cliv__describe(x, a), cliv__describe(out, b));
  REQUIRE(ctx, cliv__dense(x) && cliv__dense(out), LAYOUT,
          "map '%s' needs dense tensors; x is %s with pitch %zu, out has pitch %zu", c->op->name, cliv__describe(x, a),
          x->pitch, out->pitch);
  REQUIRE(ctx, !cliv__overlap(x, out) || cliv__same_place(x, out), OVERLAP,
          "map '%s': x and out share part of their memory; they must be the same or apart", c->op->name);
  return CLIV_OK;
}

static cliv_status check_y(cliv_context *ctx, call *c) {
  char a[160], b[160];
  const cliv_tensor *x = c->x, *y = c->y;
  REQUIRE_TENSORS(ctx, y);
  REQUIRE(ctx, y->dtype == x->dtype, DTYPE, "map '%s' needs two inputs of one dtype, not %s and %s", c->op->name,
          cliv__describe(x, a), cliv__describe(y, b));
  if (cliv__same_shape(x, y)) c->source = Y_EACH;
  else if (y->count == 1) c->source = Y_ONE;
  else if (y->ndim == 1 && x->ndim >= 1 && y->shape[0] == x->columns) c->source = Y_ROW;
  else
    return cliv__fail(ctx, CLIV_SHAPE,
                      "map '%s': a y of %s does not fit an x of %s; it may have x's shape, one element, or [%zu]",
                      c->op->name, cliv__describe(y, b), cliv__describe(x, a), x->columns);
  REQUIRE(ctx, cliv__dense(y), LAYOUT, "map '%s' needs dense tensors; y is %s with pitch %zu", c->op->name,
          cliv__describe(y, b), y->pitch);
  REQUIRE(ctx, !cliv__overlap(y, c->out) || (c->source == Y_EACH && cliv__same_place(y, c->out)), OVERLAP,
          "map '%s': y and out share memory, but not element by element", c->op->name);
  return CLIV_OK;
}

static cliv_status launch(cliv_context *ctx, const call *c, const cliv_sync *sync) {
  const compute in = compute_of(c);
  char options[160];
  snprintf(options, sizeof options, "-D OP=%s%s -D X_T=%s -D OUT_T=%s%s%s", c->text ? "" : "map_", c->op->name,
           cliv__dtype_storage(c->x->dtype), cliv__dtype_storage(c->out->dtype), compute_option[in],
           source_option[c->source]);
  cl_kernel kernel;
  /* What double cannot do is what math.cl has: the others are compiled without it. */
  const char *files = c->text          ? "divide.cl math.cl user map.cl"
                      : c->op->float64 ? "divide.cl order.cl map_ops.cl map.cl"
                                       : "divide.cl math.cl order.cl map_ops.cl map.cl";
  TRY(cliv__kernel_with(ctx, files, c->text, options, "map", &kernel));

  const cl_ulong n = c->x->count, each = cliv__share(ctx, n), x_first = cliv__first(c->x),
                 out_first = cliv__first(c->out);
  const size_t group = ctx->walk == CLIV_WALK_CPU ? 1 : cliv__group(ctx, 64);
  const cliv__range range = RANGE1(cliv__div_up(n, each), group);
#define COMMON ARG(c->x->mem), ARG(x_first), ARG(c->out->mem), ARG(out_first), ARG(n), ARG(each)
  if (c->source == NO_Y) return LAUNCH(ctx, kernel, range, sync, COMMON);
  if (c->source == Y_VALUE) {
    const float f32 = (float)c->value;
    const cl_long i64 = in == IN_I64 ? (cl_long)c->value : 0;
    const cliv__arg value = in == IN_F32 ? ARG(f32) : in == IN_F64 ? ARG(c->value) : ARG(i64);
    return LAUNCH(ctx, kernel, range, sync, COMMON, value);
  }
  const cl_ulong y_first = cliv__first(c->y), columns = c->y->count;
  return LAUNCH(ctx, kernel, range, sync, COMMON, ARG(c->y->mem), ARG(y_first), ARG(columns));
#undef COMMON
}

/* ---- the public calls ---- */

/* op: NULL for the table's one of that name. */
static cliv_status begin(cliv_context *ctx, const char *name, const cliv_map_info *op, int arity, const cliv_tensor *x,
                         cliv_tensor *out, const cliv_sync *sync, call *c) {
  TRY(cliv__check_sync(ctx, sync));
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE(ctx, name != NULL, NULL, "the name of the map is NULL");
  REQUIRE(ctx, x != NULL, NULL, "map '%s': x is NULL", name);
  REQUIRE(ctx, out != NULL, NULL, "map '%s': out is NULL", name);
  *c = (call){.op = op, .x = x, .out = out};
  if (!op) TRY(find(ctx, name, arity, &c->op));
  REQUIRE_TENSORS(ctx, x, out);
  return check_x(ctx, c);
}

static cliv_status run(cliv_context *ctx, const call *c, const cliv_sync *sync) {
  return c->x->count ? launch(ctx, c, sync) : cliv__nothing(ctx, sync);
}

cliv_status cliv_map(cliv_context *ctx, const char *op, const cliv_tensor *x, cliv_tensor *out, const cliv_sync *sync) {
  call c;
  TRY(begin(ctx, op, NULL, 1, x, out, sync, &c));
  return run(ctx, &c, sync);
}

cliv_status cliv_map2(cliv_context *ctx, const char *op, const cliv_tensor *x, const cliv_tensor *y, cliv_tensor *out,
                      const cliv_sync *sync) {
  call c;
  TRY(begin(ctx, op, NULL, 2, x, out, sync, &c));
  REQUIRE(ctx, y != NULL, NULL, "map '%s': y is NULL", op);
  c.y = y;
  TRY(check_y(ctx, &c));
  return run(ctx, &c, sync);
}

cliv_status cliv_map_user(cliv_context *ctx, const char *text, const char *name, const cliv_tensor *x,
                          const cliv_tensor *y, cliv_tensor *out, const cliv_sync *sync) {
  static const char *const functions[] = {"", NULL};
  const cliv_map_info info = {name, y ? 2 : 1, "", "", CLIV_MAP_VALUE, ROUNDED, F64, NO_INT};
  call c;
  TRY(begin(ctx, name, &info, info.arity, x, out, sync, &c));
  TRY(cliv__check_user(ctx, text, name, functions));
  c.text = text;
  c.y = y;
  if (y) TRY(check_y(ctx, &c));
  return run(ctx, &c, sync);
}

cliv_status cliv_map_scalar(cliv_context *ctx, const char *op, const cliv_tensor *x, double y, cliv_tensor *out,
                            const cliv_sync *sync) {
  call c;
  TRY(begin(ctx, op, NULL, 2, x, out, sync, &c));
  REQUIRE(ctx, !cliv__is_integer(x->dtype) || (y == floor(y) && fabs(y) < 0x1p63), VALUE,
          "map '%s' of %s needs an integer of 64 bits, not %.17g", op, cliv_dtype_name(x->dtype), y);
  c.source = Y_VALUE;
  c.value = y;
  return run(ctx, &c, sync);
}
