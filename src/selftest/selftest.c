/* selftest.c: known answers, see cliv/selftest.h. The table is made by `cliv selftest --answers`. */
#include <cliv/selftest.h>
#include <string.h>

#include "base/options.h"
#include "runtime/context.h"
#include "selftest/bench.h"

static const struct {
  const char *kind, *operation, *name;
  uint64_t hash;
} answers[] = {
#include "selftest/answers.inc"
    {NULL, NULL, NULL, 0}};

static const struct {
  const char *name;
  void (*run)(cliv__selftest *test);
} kinds[] = {{"map", cliv__selftest_maps},          {"reduce", cliv__selftest_reductions},
             {"scan", cliv__selftest_scans},        {"sort", cliv__selftest_sorts},
             {"rows", cliv__selftest_rows},         {"random", cliv__selftest_random},
             {"step", cliv__selftest_steps},        {"average", cliv__selftest_averages},
             {"gemm", cliv__selftest_products},     {"triangle", cliv__selftest_triangles},
             {"conv", cliv__selftest_convolutions}, {"minimize", cliv__selftest_minimizers},
             {"fft", cliv__selftest_transforms},    {"factor", cliv__selftest_factors}};
enum { KINDS = sizeof kinds / sizeof *kinds };

const char *cliv_selftest_kind(size_t index) { return index < KINDS ? kinds[index].name : NULL; }

static uint64_t answer(const char *kind, const char *operation, const char *name) {
  size_t i = 0;
  while (answers[i].kind &&
         (strcmp(answers[i].operation, operation) || strcmp(answers[i].name, name) || strcmp(answers[i].kind, kind)))
    i++;
  return answers[i].hash;
}

bool cliv__selftest_wants(const cliv__selftest *test, size_t elements) {
  return !test->options->max_elements || elements <= test->options->max_elements;
}

void cliv__selftest_report(cliv__selftest *test, const char *name, cliv_dtype dtype, cliv_status status,
                           uint64_t hash) {
  const uint64_t expected = answer(test->kind, test->operation, name);
  cliv_selftest_case result = {.kind = test->kind,
                               .operation = test->operation,
                               .name = name,
                               .expected = expected,
                               .got = status ? 0 : hash,
                               .status = status,
                               .message = status ? cliv_last_error(test->ctx) : ""};
  result.skipped = !cliv_context_has(test->ctx, dtype) || (test->svm && status == CLIV_DEVICE_ABILITY);
  result.passed = !result.skipped && !status && expected && hash == expected;
  *(result.skipped ? &test->result->skipped : result.passed ? &test->result->passed : &test->result->failed) += 1;
  if (test->options->report) test->options->report(test->options->user, &result);
}

cliv_status cliv_selftest(cliv_context *ctx, const cliv_selftest_options *options, cliv_selftest_result *out) {
  REQUIRE_NOT_NULL(NULL, ctx);
  REQUIRE_NOT_NULL(ctx, out);
  cliv_selftest_options o;
  TRY(OPTIONS(ctx, options, &o));
  size_t only = 0;
  while (o.kind && only < KINDS && strcmp(o.kind, kinds[only].name)) only++;
  REQUIRE(ctx, only < KINDS, NAME,
          "the self-test has no kind '%s'; there are map, reduce, scan, sort, rows, random, step, average, gemm, "
          "triangle, conv, minimize, fft and factor",
          o.kind);
  memset(out, 0, sizeof *out);
  const cliv__error held = cliv__error_hold(ctx); /* a case that fails is no failure of the call */
  cliv__selftest test = {.ctx = ctx, .options = &o, .result = out};
  for (size_t i = o.kind ? only : 0; i < (o.kind ? only + 1 : KINDS); i++) {
    test.kind = kinds[i].name;
    kinds[i].run(&test);
  }
  cliv__error_restore(ctx, &held);
  return CLIV_OK;
}
