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
  cliv__route_forget(ctx, CLIV_F64);
  assert_true(cliv__route_open(ctx));
  cliv__route_forget(ctx, CLIV_F32);
  assert_false(cliv__route_open(ctx));
  note = cliv__notes_get(ctx, NOTE);
  assert_null(json_object_get(note, "float32 nn 4 4 4 0"));
  json_decref(note);
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

/* What a kernel of one type makes void is of that type; who comes later sees that it is to be measured anew. */
static void types_are_forgotten_apart(void **state) {
  (void)state;
  char *dir = test_temp_dir();
  cliv_context *ctx = open_in(dir);
  json_t *rows = json_pack("{s:s,s:s}", "float32 nn 4 4 4 0", "clblast", "float64 nn 4 4 4 0", "clblast");
  assert_true(cliv__notes_put(ctx, NOTE, rows));
  json_decref(rows);
  assert_false(cliv__route_stale(ctx, CLIV_F32));
  assert_int_equal(choice(ctx, 16, 16, 16), CLIV_PROVIDER_CLBLAST);
  cliv__route_forget(ctx, CLIV_F32);
  for (int i = 0; i < 2; i++) { /* in this context and in a new one */
    assert_true(cliv__route_stale(ctx, CLIV_F32));
    assert_false(cliv__route_stale(ctx, CLIV_F64));
    assert_int_equal(choice(ctx, 16, 16, 16), cliv_blas_auto(ctx));
    assert_int_equal(cliv_blas_auto_for(ctx, CLIV_F64, 0, 0, 16, 16, 16), CLIV_PROVIDER_CLBLAST);
    cliv_context_free(ctx);
    ctx = open_in(dir);
  }
  cliv__route_renew(ctx, CLIV_F32, 0);
  assert_false(cliv__route_stale(ctx, CLIV_F32));
  cliv_context_free(ctx);
  test_remove_tree(dir);
  free(dir);
}

static void narrow_types_go_as_float32(void **state) {
  (void)state;
  char *dir = test_temp_dir();
  cliv_context *ctx = open_in(dir);
  keep(ctx, "float32 nn 4 4 4 0", "clblast");
  assert_int_equal(cliv_blas_auto_for(ctx, CLIV_F16, 0, 0, 16, 16, 16), CLIV_PROVIDER_CLBLAST);
  assert_int_equal(cliv_blas_auto_for(ctx, CLIV_BF16, 0, 0, 16, 16, 16), CLIV_PROVIDER_CLBLAST);
  cliv_context_free(ctx);
  ctx = open_in(dir); /* one column or row is read where it is stored, which exact alone does */
  keep(ctx, "float32 nn 4 0 4 0", "clblast");
  assert_int_equal(cliv_blas_auto_for(ctx, CLIV_F32, 0, 0, 16, 1, 16), CLIV_PROVIDER_CLBLAST);
  assert_int_equal(cliv_blas_auto_for(ctx, CLIV_F16, 0, 0, 16, 1, 16), CLIV_PROVIDER_EXACT);
  assert_int_equal(cliv_blas_auto_for(ctx, CLIV_BF16, 0, 0, 1, 16, 16), CLIV_PROVIDER_EXACT);
  cliv_context_free(ctx);
  test_remove_tree(dir);
  free(dir);
}

/* When there are too many classes. */
static void what_is_not_measured_is_exact(void **state) {
  (void)state;
  char *dir = test_temp_dir();
  cliv_context *ctx = open_in(dir);
  json_t *rows = json_object();
  for (int i = 0; i < 256; i++) {
    char name[64];
    snprintf(name, sizeof name, "float32 nn %d 9 9 9", i);
    json_object_set_new(rows, name, json_string("clblast"));
  }
  assert_true(cliv__notes_put(ctx, NOTE, rows));
  json_decref(rows);
  ctx->facts.type = CL_DEVICE_TYPE_GPU;
  assert_int_equal(choice(ctx, 20, 40, 80), CLIV_PROVIDER_EXACT);
  multiply(ctx, 20, 40, 80);
  cliv_context_free(ctx);
  test_remove_tree(dir);
  free(dir);
}

/* What neither computes is not tried again, nor kept for others. */
static void what_fails_is_exact_in_this_context(void **state) {
  (void)state;
  char *dir = test_temp_dir();
  cliv_context *ctx = open_in(dir);
  const cliv__gemm none = {.dtype = CLIV_I32, .m = 8, .n = 8, .k = 8};
  assert_int_equal(cliv__route_known(ctx, &none), CLIV_PROVIDER_AUTO);
  assert_int_equal(cliv__route_measure(ctx, &none), CLIV_PROVIDER_EXACT);
  assert_int_equal(cliv__route_known(ctx, &none), CLIV_PROVIDER_EXACT);
  assert_null(cliv__notes_get(ctx, NOTE));
  cliv_context_free(ctx);
  test_remove_tree(dir);
  free(dir);
}

static void measurements_are_small(void **state) {
  (void)state;
  static const cl_ulong sizes[][4] = {
      {32768, 1, 32768, 1}, {1, 1u << 30, 1, 1}, {4096, 4096, 4096, 1}, {64, 64, 64, 100000}, {100, 200, 300, 1}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int d = 0; d < 2; d++) {
      cl_ulong s[4];
      memcpy(s, sizes[i], sizeof s);
      const cliv_dtype dtype = d ? CLIV_F64 : CLIV_F32;
      cliv__route_cut(s, dtype);
      const cl_ulong bytes = (s[0] * s[2] + s[2] * s[1] + s[0] * s[1]) * s[3] * cliv_dtype_size(dtype);
      assert_true(bytes > 0 && bytes <= 1u << 26 && s[0] * s[1] * s[2] * s[3] <= 1u << 30);
      if (i == 4) assert_memory_equal(s, sizes[i], sizeof s);
    }
}

/* Two contexts that measure add to one note. */
static void contexts_share_a_note(void **state) {
  (void)state;
  if (test_few() || test_small()) skip(); /* CLBlast compiles */
  char *dir = test_temp_dir();
  cliv_context *one = open_in(dir), *two = open_in(dir);
  assert_int_equal(choice(one, 16, 16, 16), cliv_blas_auto(one)); /* both have read it */
  assert_int_equal(choice(two, 16, 16, 16), cliv_blas_auto(two));
  const cliv__gemm first = {.dtype = CLIV_F32, .m = 16, .n = 16, .k = 16},
                   second = {.dtype = CLIV_F32, .m = 32, .n = 16, .k = 16};
  const cliv_provider found[] = {cliv__route_measure(one, &first), cliv__route_measure(two, &second)};
  json_t *note = cliv__notes_get(one, NOTE);
  assert_int_equal(json_object_size(note), 2);
  json_decref(note);
  assert_int_equal(cliv__route_known(two, &first), found[0]);
  assert_int_equal(cliv__route_known(two, &second), found[1]);
  cliv_context_free(one);
  cliv_context_free(two);
  test_remove_tree(dir);
  free(dir);
}

/* CLBlast counts in int: what lies behind is refused before anything is touched. */
static void far_elements_are_refused(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const cl_ulong far = (cl_ulong)1 << 31;
  const cl_ulong places[] = {0, 0, 0, 0, far, 0};
  cliv__gemm g[4];
  for (size_t i = 0; i < 4; i++)
    g[i] = (cliv__gemm){.dtype = CLIV_F32,
                        .m = 4,
                        .n = 4,
                        .k = 4,
                        .alpha = 1,
                        .a = {.pitch = 4},
                        .b = {.pitch = 4},
                        .c = {.pitch = 4},
                        .batch = 2};
  g[0].c.first = far - 15; /* its last element alone is too far */
  g[0].batch = 1;
  g[1].a.pitch = far / 2;
  g[2].b.each = far;
  g[3].places = places;
  for (size_t i = 0; i < 4; i++)
    ASSERT_FAILS(ctx, cliv__blas_clblast.gemm(ctx, &g[i], NULL), CLIV_NOT_IN_BUILD, "32 bits");
  const cliv__vector v = {.first = 0, .count = 3, .step = far / 2}, w = {.count = 3, .step = 1};
  const cliv__matrix m = {.rows = 3, .columns = 3, .pitch = 3},
                     behind = {.first = far, .rows = 3, .columns = 3, .pitch = 3};
  const cliv__gemv y = {.m = 3, .k = 3, .alpha = 1, .a = m, .x = v, .y = w};
  ASSERT_FAILS(ctx, cliv__blas_clblast.gemv(ctx, &y, NULL), CLIV_NOT_IN_BUILD, "exact");
  ASSERT_FAILS(ctx, cliv__blas_clblast.ger(ctx, CLIV_F32, 1, &w, &v, &m, NULL), CLIV_NOT_IN_BUILD, "exact");
  ASSERT_FAILS(ctx, cliv__blas_clblast.axpy(ctx, CLIV_F32, 1, &m, &behind, NULL), CLIV_NOT_IN_BUILD, "exact");
  test_close(ctx);
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
      cmocka_unit_test(types_are_forgotten_apart),
      cmocka_unit_test(narrow_types_go_as_float32),
      cmocka_unit_test(what_is_not_measured_is_exact),
      cmocka_unit_test(what_fails_is_exact_in_this_context),
      cmocka_unit_test(measurements_are_small),
      cmocka_unit_test(contexts_share_a_note),
      cmocka_unit_test(far_elements_are_refused),
#else
      cmocka_unit_test(there_is_no_choice),
#endif
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
