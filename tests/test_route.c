/* Which provider AUTO takes: measured once for a class of shapes, kept, and void when parameters change. */
#include <cliv/blas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blas/route.h"
#include "runtime/notes.h"
#include "support.h"

#ifdef CLIV_HAVE_CLBLAST

static const char NOTE[] = "clblast " CLIV_CLBLAST_VERSION " route";

static cliv_context *open_in(const char *dir) {
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_create(&(cliv_context_options){.cache_dir = dir}, &ctx));
  return ctx;
}

static bool is_cpu(const cliv_context *ctx) { return (ctx->facts.type & CL_DEVICE_TYPE_CPU) != 0; }

static void keep(cliv_context *ctx, const char *name, const char *provider) {
  json_t *note = json_pack("{s:s}", name, provider);
  assert_true(cliv__notes_put(ctx, NOTE, note));
  json_decref(note);
}

static cliv_provider choice(cliv_context *ctx, size_t m, size_t n, size_t k) {
  return cliv_blas_auto_for(ctx, CLIV_F32, 0, 0, m, n, k);
}

/* A product of ones by AUTO. */
static void multiply(cliv_context *ctx, size_t m, size_t n, size_t k) {
  cliv_tensor *a, *b, *c;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){m, k}, &a));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){k, n}, &b));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){m, n}, &c));
  ASSERT_OK(ctx, cliv_tensor_fill(a, 1, NULL));
  ASSERT_OK(ctx, cliv_tensor_fill(b, 2, NULL));
  ASSERT_OK(ctx, cliv_gemm(ctx, 0, 0, 1, a, b, 0, c, NULL, NULL));
  float *got = test_read(c);
  for (size_t i = 0; i < m * n; i++) assert_true(got[i] == (float)(2 * k));
  free(got);
  cliv_tensor_free(a);
  cliv_tensor_free(b);
  cliv_tensor_free(c);
}

static void a_cpu_has_no_choice_until_tuned(void **state) {
  (void)state;
  char *dir = test_temp_dir();
  cliv_context *ctx = open_in(dir);
  if (!is_cpu(ctx)) skip();
  assert_false(cliv__route_open(ctx));
  multiply(ctx, 20, 20, 20);
  assert_null(cliv__notes_get(ctx, NOTE)); /* nothing was measured */
  keep(ctx, "float32 nn 4 4 4 0", "exact");
  cliv_context_free(ctx);
  ctx = open_in(dir);
  assert_false(cliv__route_open(ctx));
  keep(ctx, "float32 nn 4 4 4 0", "clblast");
  cliv_context_free(ctx);

  ctx = open_in(dir);
  assert_true(cliv__route_open(ctx));
  assert_int_equal(choice(ctx, 16, 16, 16), CLIV_PROVIDER_CLBLAST);
  assert_int_equal(choice(ctx, 31, 31, 31), CLIV_PROVIDER_CLBLAST);
  assert_int_equal(choice(ctx, 32, 31, 31), CLIV_PROVIDER_EXACT);
  assert_int_equal(choice(ctx, 15, 16, 16), CLIV_PROVIDER_EXACT);
  assert_int_equal(cliv_blas_auto_for(ctx, CLIV_F64, 0, 0, 16, 16, 16), CLIV_PROVIDER_EXACT);
  assert_int_equal(cliv_blas_auto_for(ctx, CLIV_F32, 1, 0, 16, 16, 16), CLIV_PROVIDER_EXACT);
  assert_int_equal(cliv_blas_auto(ctx), CLIV_PROVIDER_EXACT);
  multiply(ctx, 40, 40, 40); /* of a class that nothing is known of: exact, and nothing is measured */
  json_t *note = cliv__notes_get(ctx, NOTE);
  assert_int_equal(json_object_size(note), 1);
  json_decref(note);
  cliv__route_forget(ctx);
  assert_false(cliv__route_open(ctx));
  assert_null(cliv__notes_get(ctx, NOTE));
  cliv_context_free(ctx);
  test_remove_tree(dir);
  free(dir);
}

static void damaged_notes_are_no_routes(void **state) {
  (void)state;
  char *dir = test_temp_dir();
  cliv_context *ctx = open_in(dir);
  json_t *wrong[] = {json_pack("[s]", "clblast"), json_pack("{s:i}", "float32 nn 4 4 4 0", 7)};
  for (size_t i = 0; i < 2; i++) {
    assert_true(cliv__notes_put(ctx, NOTE, wrong[i]));
    json_decref(wrong[i]);
    cliv_context *later = open_in(dir);
    assert_int_equal(choice(later, 16, 16, 16), cliv_blas_auto(later));
    cliv_context_free(later);
  }
  cliv_context_free(ctx);
  test_remove_tree(dir);
  free(dir);
}

/* The same device, said to be no CPU. */
static void others_measure_a_class_once(void **state) {
  (void)state;
  if (test_few() || test_small()) skip(); /* CLBlast compiles */
  char *dir = test_temp_dir();
  cliv_context *ctx = open_in(dir);
  ctx->facts.type = CL_DEVICE_TYPE_GPU;
  assert_true(cliv__route_open(ctx));
  assert_int_equal(choice(ctx, 20, 40, 80), CLIV_PROVIDER_CLBLAST);
  multiply(ctx, 20, 40, 80);
  json_t *note = cliv__notes_get(ctx, NOTE);
  assert_int_equal(json_object_size(note), 1);
  const char *name = json_string_value(json_object_get(note, "float32 nn 4 5 6 0"));
  assert_non_null(name);
  const cliv_provider found = !strcmp(name, "exact") ? CLIV_PROVIDER_EXACT : CLIV_PROVIDER_CLBLAST;
  assert_string_equal(name, cliv_provider_name(found));
  assert_int_equal(choice(ctx, 31, 63, 127), found);
  multiply(ctx, 31, 63, 127);
  json_t *again = cliv__notes_get(ctx, NOTE);
  assert_true(json_equal(note, again));
  json_decref(again);
  json_decref(note);
  cliv_context_free(ctx);
  ctx = open_in(dir); /* in another context, from the note */
  ctx->facts.type = CL_DEVICE_TYPE_GPU;
  assert_int_equal(choice(ctx, 20, 40, 80), found);
  cliv_context_free(ctx);
  test_remove_tree(dir);
  free(dir);
}

#else

static void there_is_no_choice(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  assert_false(cliv__route_open(ctx));
  assert_int_equal(cliv_blas_auto_for(ctx, CLIV_F32, 0, 0, 16, 16, 16), CLIV_PROVIDER_EXACT);
  test_close(ctx);
}

#endif

int main(void) {
  const struct CMUnitTest tests[] = {
#ifdef CLIV_HAVE_CLBLAST
      cmocka_unit_test(a_cpu_has_no_choice_until_tuned),
      cmocka_unit_test(damaged_notes_are_no_routes),
      cmocka_unit_test(others_measure_a_class_once),
#else
      cmocka_unit_test(there_is_no_choice),
#endif
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
