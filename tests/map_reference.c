#include "map_reference.h"

#include <math.h>
#include <string.h>

#include "support.h"

static double ref_copy(double x) { return x; }
static double ref_neg(double x) { return -x; }
static double ref_sign(double x) { return isnan(x) ? x : (double)((x > 0) - (x < 0)); }
static double ref_square(double x) { return x * x; }
static double ref_reciprocal(double x) { return 1 / x; }
static double ref_rsqrt(double x) { return 1 / sqrt(x); }
static double ref_sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double ref_softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
static double ref_silu(double x) { return x < -700 ? -0.0 : x < 0 ? x * exp(x) / (1 + exp(x)) : x / (1 + exp(-x)); }
static double ref_relu(double x) { return x <= 0 ? 0 : x; }
static double ref_isnan(double x) { return x != x; }
static double ref_isinf(double x) { return fabs(x) == (double)INFINITY; }
static double ref_isfinite(double x) { return fabs(x) < (double)INFINITY; }
static double ref_logical_not(double x) { return x == 0; }

static double ref_add(double x, double y) { return x + y; }
static double ref_sub(double x, double y) { return x - y; }
static double ref_mul(double x, double y) { return x * y; }
static double ref_div(double x, double y) { return x / y; }
static double ref_min(double x, double y) {
  return isnan(x) || isnan(y) ? x + y : x < y || (x == y && signbit(x)) ? x : y;
}
static double ref_max(double x, double y) {
  return isnan(x) || isnan(y) ? x + y : x > y || (x == y && !signbit(x)) ? x : y;
}
static double ref_eq(double x, double y) { return x == y; }
static double ref_ne(double x, double y) { return x != y; }
static double ref_lt(double x, double y) { return x < y; }
static double ref_le(double x, double y) { return x <= y; }
static double ref_gt(double x, double y) { return x > y; }
static double ref_ge(double x, double y) { return x >= y; }
static double ref_logical_and(double x, double y) { return x != 0 && y != 0; }
static double ref_logical_or(double x, double y) { return x != 0 || y != 0; }

static const map_reference lines[] = {
    {"copy", ref_copy, NULL},
    {"neg", ref_neg, NULL},
    {"abs", fabs, NULL},
    {"sign", ref_sign, NULL},
    {"square", ref_square, NULL},
    {"reciprocal", ref_reciprocal, NULL},
    {"sqrt", sqrt, NULL},
    {"rsqrt", ref_rsqrt, NULL},
    {"exp", exp, NULL},
    {"exp2", exp2, NULL},
    {"expm1", expm1, NULL},
    {"log", log, NULL},
    {"log2", log2, NULL},
    {"log10", log10, NULL},
    {"log1p", log1p, NULL},
    {"sin", sin, NULL},
    {"cos", cos, NULL},
    {"erf", erf, NULL},
    {"tanh", tanh, NULL},
    {"sigmoid", ref_sigmoid, NULL},
    {"softplus", ref_softplus, NULL},
    {"silu", ref_silu, NULL},
    {"relu", ref_relu, NULL},
    {"floor", floor, NULL},
    {"ceil", ceil, NULL},
    {"round", rint, NULL},
    {"trunc", trunc, NULL},
    {"isnan", ref_isnan, NULL},
    {"isinf", ref_isinf, NULL},
    {"isfinite", ref_isfinite, NULL},
    {"logical_not", ref_logical_not, NULL},
    {"add", NULL, ref_add},
    {"sub", NULL, ref_sub},
    {"mul", NULL, ref_mul},
    {"div", NULL, ref_div},
    {"pow", NULL, pow},
    {"min", NULL, ref_min},
    {"max", NULL, ref_max},
    {"eq", NULL, ref_eq},
    {"ne", NULL, ref_ne},
    {"lt", NULL, ref_lt},
    {"le", NULL, ref_le},
    {"gt", NULL, ref_gt},
    {"ge", NULL, ref_ge},
    {"logical_and", NULL, ref_logical_and},
    {"logical_or", NULL, ref_logical_or},
};

const map_reference *reference_map_line(const char *op) {
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
    if (!strcmp(lines[i].name, op)) return &lines[i];
  fail_msg("map '%s' has no reference", op);
  return NULL;
}

double reference_map(const char *op, double x, double y) {
  const map_reference *line = reference_map_line(op);
  return line->unary ? line->unary(x) : line->binary(x, y);
}

int64_t reference_map_integer(const char *op, int64_t x, int64_t y) {
  const uint64_t a = (uint64_t)x, b = (uint64_t)y;
  if (!strcmp(op, "copy")) return x;
  if (!strcmp(op, "neg")) return (int64_t)(0 - a);
  if (!strcmp(op, "abs")) return x < 0 ? (int64_t)(0 - a) : x;
  if (!strcmp(op, "square")) return (int64_t)(a * a);
  if (!strcmp(op, "add")) return (int64_t)(a + b);
  if (!strcmp(op, "sub")) return (int64_t)(a - b);
  if (!strcmp(op, "mul")) return (int64_t)(a * b);
  if (!strcmp(op, "min")) return x < y ? x : y;
  if (!strcmp(op, "max")) return x > y ? x : y;
  if (!strcmp(op, "relu")) return x < 0 ? 0 : x;
  if (!strcmp(op, "eq")) return x == y;
  if (!strcmp(op, "ne")) return x != y;
  if (!strcmp(op, "lt")) return x < y;
  if (!strcmp(op, "le")) return x <= y;
  if (!strcmp(op, "gt")) return x > y;
  if (!strcmp(op, "ge")) return x >= y;
  return (int64_t)reference_map(op, (double)((x > 0) - (x < 0)), (double)((y > 0) - (y < 0)));
}
