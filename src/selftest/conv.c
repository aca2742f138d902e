/* conv.c: self-test of convolutions, and of products and equations with triangles. */
#include <cliv/conv.h>
#include <stdio.h>
#include <string.h>

#include "runtime/context.h"
#include "selftest/bench.h"

/* ---- convolutions ---- */

typedef struct convolution {
  const char *name;
  cliv_dtype dtype;
  size_t x[4], w[4]; /* [N, C, H, W], [O, C / groups, KH, KW] */
  int64_t stride[2], padding[2], dilation[2], groups;
} convolution;

static const convolution convolutions[] = {
    {"3x3", CLIV_F32, {2, 5, 9, 21}, {7, 5, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 1},
    {"2x3, stride 3,2, dilation 2,3, 2 groups", CLIV_F32, {2, 4, 13, 17}, {6, 2, 2, 3}, {3, 2}, {2, 4}, {2, 3}, 2},
    {"3x3 by channel", CLIV_F32, {1, 6, 10, 35}, {6, 1, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 6},
    {"1x1", CLIV_F32, {2, 9, 6, 7}, {5, 9, 1, 1}, {1, 1}, {0, 0}, {1, 1}, 1},
    {"3x2, stride 1,2", CLIV_F64, {1, 3, 8, 12}, {4, 3, 3, 2}, {1, 2}, {1, 0}, {1, 1}, 1},
    {"3x3", CLIV_BF16, {2, 5, 9, 21}, {7, 5, 3, 3}, {1, 1}, {1, 1}, {1, 1}, 1},
};
static const char *const parts[] = {"forward", "data", "weight"};

static cliv_status convolve(cliv__bench *bench, const convolution *c, int part, uint64_t *hash) {
  cliv_conv_options o = {.size = sizeof o, .provider = CLIV_PROVIDER_EXACT, .groups = c->groups};
  size_t y[4] = {c->x[0], c->w[0]};
  cliv_tensor *tx, *tw, *ty, *bias;
  for (int d = 0; d < 2; d++) {
    o.stride[d] = c->stride[d];
    o.padding[d] = c->padding[d];
    o.dilation[d] = c->dilation[d];
    y[2 + d] = cliv_conv_length(c->x[2 + d], c->w[2 + d], c->stride[d], c->padding[d], c->dilation[d]);
  }
  TRY(cliv__bench_add(bench, c->dtype, 4, c->x, 3, part == 1 ? CLIV__GUARD : CLIV__MODEST, 1, &tx));
  TRY(cliv__bench_add(bench, c->dtype, 4, c->w, 1, part == 2 ? CLIV__GUARD : CLIV__MODEST, 2, &tw));
  TRY(cliv__bench_add(bench, c->dtype, 4, y, 2, part == 0 ? CLIV__GUARD : CLIV__MODEST, 3, &ty));
  TRY(cliv__bench_add(bench, c->dtype, 1, c->w, 1, CLIV__MODEST, 4, &bias));
  if (part == 0) TRY(cliv_conv(bench->ctx, tx, tw, bias, ty, &o, NULL));
  if (part == 1) TRY(cliv_conv_data(bench->ctx, ty, tw, tx, &o, NULL));
  if (part == 2) TRY(cliv_conv_weight(bench->ctx, tx, ty, tw, &o, NULL));
  return cliv__bench_hash(bench, part == 0 ? ty : part == 1 ? tx : tw, hash);
}

void cliv__selftest_convolutions(cliv__selftest *test) {
  for (size_t i = 0; i < 3 * sizeof convolutions / sizeof *convolutions; i++) {
    const convolution *const c = &convolutions[i / 3];
    if (!cliv__selftest_wants(test, c->x[0] * c->x[1] * c->x[2] * c->x[3])) continue;
    cliv__bench bench = {.ctx = test->ctx};
    uint64_t hash = 0;
    test->operation = parts[i % 3];
    const cliv_status status = convolve(&bench, c, (int)(i % 3), &hash);
    char name[96];
    snprintf(name, sizeof name, "%s %s", cliv_dtype_name(c->dtype), c->name);
    cliv__selftest_report(test, name, c->dtype, status, hash);
    cliv__bench_clear(&bench);
  }
}

/* ---- triangles ---- */

typedef struct triangular {
  const char *operation;
  cliv_dtype dtype;
  unsigned how;
  size_t m, n; /* of the result; syrk: n × n, by sums over m */
} triangular;

static const triangular triangles[] = {
    {"syrk", CLIV_F32, 0, 19, 141},
    {"syrk", CLIV_F32, CLIV_UPPER | CLIV_TRANS, 40, 33},
    {"symm", CLIV_F32, 0, 70, 21},
    {"symm", CLIV_F32, CLIV_RIGHT | CLIV_UPPER, 13, 37},
    {"trmm", CLIV_F32, 0, 270, 18},
    {"trmm", CLIV_F32, CLIV_UPPER | CLIV_UNIT, 270, 18},
    {"trmm", CLIV_F32, CLIV_RIGHT | CLIV_TRANS, 17, 45},
    {"trmm", CLIV_F64, CLIV_UPPER, 40, 9},
    {"trsm", CLIV_F32, CLIV_UNIT, 270, 18},
    {"trsm", CLIV_F32, CLIV_UPPER | CLIV_UNIT, 70, 18},
    {"trsm", CLIV_F32, CLIV_RIGHT | CLIV_TRANS | CLIV_UNIT, 17, 45},
    {"trsm", CLIV_F32, CLIV_RIGHT, 17, 9},
    {"trsm", CLIV_F64, 0, 40, 9},
    {"syrk", CLIV_BF16, CLIV_UPPER, 19, 33},
    {"trsm", CLIV_F16, CLIV_UNIT, 40, 9},
};

/* t = t / 4096: equations with a diagonal of 1 then stay in the range of numbers. */
static cliv_status make_small(cliv__bench *bench, const triangular *t, const size_t *shape, cliv_tensor **a) {
  const cliv_blas_options exact = {.size = sizeof exact, .provider = CLIV_PROVIDER_EXACT};
  cliv_tensor *small;
  TRY(cliv__bench_add(bench, t->dtype, 2, shape, 2, CLIV__GUARD, 4, &small));
  TRY(cliv_tensor_fill(small, 0, NULL));
  TRY(cliv_axpy(bench->ctx, 0x1p-12, *a, small, &exact, NULL));
  *a = small;
  return CLIV_OK;
}

static cliv_status triangle(cliv__bench *bench, const triangular *t, uint64_t *hash) {
  const cliv_blas_options exact = {.size = sizeof exact, .provider = CLIV_PROVIDER_EXACT};
  const bool square = !strcmp(t->operation, "syrk");
  const size_t side = t->how & CLIV_RIGHT || square ? t->n : t->m;
  const size_t tall[] = {t->m, t->n}, wide[] = {t->n, t->m}, sides[] = {side, side};
  cliv_tensor *a, *b, *c;
  TRY(cliv__bench_add(bench, t->dtype, 2, !square ? sides : t->how & CLIV_TRANS ? tall : wide, 3, CLIV__MODEST, 1, &a));
  TRY(cliv__bench_add(bench, t->dtype, 2, tall, 5, CLIV__MODEST, 2, &b));
  TRY(cliv__bench_add(bench, t->dtype, 2, square ? sides : tall, 1, CLIV__MODEST, 3, &c));
  if (!strcmp(t->operation, "trsm") && t->how & CLIV_UNIT) TRY(make_small(bench, t, sides, &a));
  if (square) TRY(cliv_syrk(bench->ctx, t->how, -0.75, a, 1.5, c, &exact, NULL));
  else if (!strcmp(t->operation, "symm")) TRY(cliv_symm(bench->ctx, t->how, 0.5, a, b, -1.25, c, &exact, NULL));
  else if (!strcmp(t->operation, "trmm")) TRY(cliv_trmm(bench->ctx, t->how, 1.5, a, b, c, &exact, NULL));
  else TRY(cliv_trsm(bench->ctx, t->how, 1.5, a, b, c, &exact, NULL));
  return cliv__bench_hash(bench, c, hash);
}

void cliv__selftest_triangles(cliv__selftest *test) {
  for (size_t i = 0; i < sizeof triangles / sizeof *triangles; i++) {
    const triangular *const t = &triangles[i];
    if (!cliv__selftest_wants(test, t->m * t->m + t->n * t->n)) continue;
    cliv__bench bench = {.ctx = test->ctx};
    uint64_t hash = 0;
    test->operation = t->operation;
    const cliv_status status = triangle(&bench, t, &hash);
    char name[96];
    snprintf(name, sizeof name, "%s %zux%zu%s%s%s%s", cliv_dtype_name(t->dtype), t->m, t->n,
             t->how & CLIV_RIGHT ? " right" : "", t->how & CLIV_UPPER ? " upper" : "",
             t->how & CLIV_TRANS ? " trans" : "", t->how & CLIV_UNIT ? " unit" : "");
    cliv__selftest_report(test, name, t->dtype, status, hash);
    cliv__bench_clear(&bench);
  }
}
