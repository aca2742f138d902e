/* Programs of products compiled ahead, here and by a thread. */
#include <cliv/blas.h>
#include <cliv/cache.h>
#include <stdlib.h>
#include <string.h>

#include "blas/prepare.h"
#include "support.h"

static cliv_blas_options by(cliv_provider provider) {
  return (cliv_blas_options){.size = sizeof(cliv_blas_options), .provider = provider};
}

/* y += 3 x over a few elements. */
static void add(cliv_context *ctx, cliv_provider provider) {
  enum { N = 37 };
  cliv_tensor *x, *y;
  const cliv_blas_options options = by(provider);
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){N}, &x));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 1, (size_t[]){N}, &y));
  ASSERT_OK(ctx, cliv_tensor_fill(x, 2, NULL));
  ASSERT_OK(ctx, cliv_tensor_fill(y, 1, NULL));
  ASSERT_OK(ctx, cliv_axpy(ctx, 3, x, y, &options, NULL));
  float *got = test_read(y);
  for (size_t i = 0; i < N; i++) assert_true(got[i] == 7);
  free(got);
  cliv_tensor_free(x);
  cliv_tensor_free(y);
}

static void refusals(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const cliv_blas_options none = by((cliv_provider)7);
  ASSERT_FAILS(NULL, cliv_blas_prepare(NULL, NULL, CLIV_F32, 0, NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(NULL, cliv_blas_prepared(NULL), CLIV_NULL, "ctx");
  ASSERT_FAILS(ctx, cliv_blas_prepare(ctx, "gemm,trsv", CLIV_F32, 0, NULL), CLIV_NAME, "trsv");
  ASSERT_FAILS(ctx, cliv_blas_prepare(ctx, "", CLIV_F32, 1, NULL), CLIV_NAME, "''");
  ASSERT_FAILS(ctx, cliv_blas_prepare(ctx, "gemmm", CLIV_F32, 0, NULL), CLIV_NAME, "gemmm");
  ASSERT_FAILS(ctx, cliv_blas_prepare(ctx, "gemm", CLIV_I32, 0, NULL), CLIV_DTYPE, "int32");
  ASSERT_FAILS(ctx, cliv_blas_prepare(ctx, "gemm", CLIV_F32, 0, &none), CLIV_VALUE, "7");
#ifndef CLIV_HAVE_CLBLAST
  const cliv_blas_options clblast = by(CLIV_PROVIDER_CLBLAST);
  ASSERT_FAILS(ctx, cliv_blas_prepare(ctx, "gemm", CLIV_F32, 0, &clblast), CLIV_NO_CLBLAST, "CLBlast");
#endif
  ASSERT_OK(ctx, cliv_blas_prepared(ctx)); /* nothing is */
  test_close(ctx);
}

static void here_and_beside(void **state) {
  (void)state;
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  const cliv_blas_options exact = by(CLIV_PROVIDER_EXACT);
  const char *const some = test_few() || test_small() ? "axpy" : NULL;
  ASSERT_OK(ctx, cliv_blas_prepare(ctx, some, CLIV_F32, 0, &exact));
  assert_false(cliv__preparing(ctx));
  ASSERT_OK(ctx, cliv_blas_prepare(ctx, "axpy,axpy", CLIV_F32, 1, &exact));
  add(ctx, CLIV_PROVIDER_EXACT); /* while the thread is at work, or just after */
  add(ctx, CLIV_PROVIDER_AUTO);
  ASSERT_OK(ctx, cliv_blas_prepare(ctx, "axpy", CLIV_F32, 1, &exact)); /* joins the one before */
  ASSERT_OK(ctx, cliv_blas_prepared(ctx));
  assert_false(cliv__preparing(ctx));
  ASSERT_OK(ctx, cliv_blas_prepared(ctx));
  test_close(ctx);
}

static size_t cached(const char *dir) {
  cliv_cache_info info;
  ASSERT_OK(NULL, cliv_cache_inspect(dir, &info));
  return info.entries;
}

/* Large products in all transposes find what they need. */
static void transposes_are_prepared(void **state) {
  (void)state;
  enum { M = 720, N = 710, K = 300 };
  if (test_few() || test_small()) skip();
  for (size_t w = 0; w < TEST_WALKS; w++) {
    char *dir = test_temp_dir();
    cliv_context *ctx;
    ASSERT_OK(NULL, cliv_context_create(&(cliv_context_options){.cache_dir = dir, .walk = test_walks[w]}, &ctx));
    const cliv_blas_options exact = by(CLIV_PROVIDER_EXACT);
    ASSERT_OK(ctx, cliv_blas_prepare(ctx, "gemm", CLIV_F32, 0, &exact));
    const size_t compiled = cached(dir);
    for (int i = 0; i < 4; i++) {
      const int ta = i & 1, tb = i >> 1;
      const size_t shape[3][2] = {{ta ? K : M, ta ? M : K}, {tb ? N : K, tb ? K : N}, {M, N}};
      cliv_tensor *t[3];
      for (size_t j = 0; j < 3; j++) ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, shape[j], &t[j]));
      ASSERT_OK(ctx, cliv_gemm(ctx, ta, tb, 1, t[0], t[1], 0, t[2], &exact, NULL));
      assert_int_equal(cached(dir), compiled);
      for (size_t j = 0; j < 3; j++) cliv_tensor_free(t[j]);
    }
    cliv_context_free(ctx);
    test_remove_tree(dir);
    free(dir);
  }
}

static void narrow_types_are_prepared(void **state) {
  (void)state;
  if (test_few() || test_small()) skip();
  char *dir = test_temp_dir();
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_create(&(cliv_context_options){.cache_dir = dir}, &ctx));
  const cliv_blas_options exact = by(CLIV_PROVIDER_EXACT);
  ASSERT_OK(ctx, cliv_blas_prepare(ctx, "gemv,axpy", CLIV_BF16, 0, &exact));
  const size_t compiled = cached(dir), shape[] = {30, 30};
  cliv_tensor *a, *x, *y;
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_BF16, 2, shape, &a));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_BF16, 1, shape, &x));
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_BF16, 1, shape, &y));
  ASSERT_OK(ctx, cliv_gemv(ctx, 0, 1, a, x, 0.5, y, &exact, NULL));
  ASSERT_OK(ctx, cliv_axpy(ctx, 1, x, y, &exact, NULL));
  assert_int_equal(cached(dir), compiled);
  cliv_tensor_free(a), cliv_tensor_free(x), cliv_tensor_free(y);
  cliv_context_free(ctx);
  test_remove_tree(dir);
  free(dir);
}

static void a_context_is_freed_meanwhile(void **state) {
  (void)state;
  const cliv_blas_options exact = by(CLIV_PROVIDER_EXACT);
  for (int i = 0; i < 3; i++) {
    cliv_context *ctx;
    ASSERT_OK(NULL, cliv_context_create(NULL, &ctx));
    ASSERT_OK(ctx, cliv_blas_prepare(ctx, "axpy", CLIV_F32, 1, &exact));
    cliv_context_free(ctx);
  }
}

static void what_fails_beside_is_told(void **state) {
  (void)state;
  char *dir = test_temp_dir(), *prelude = test_join(dir, "prelude.cl"), before[4096] = "";
  test_write_file(prelude, "#error planted\n", 15); /* in every program */
  const char *kernels = getenv("CLIV_KERNEL_DIR");
  if (kernels) strncpy(before, kernels, sizeof before - 1);
  const cliv_blas_options exact = by(CLIV_PROVIDER_EXACT);
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_create(&(cliv_context_options){.no_disk_cache = 1}, &ctx));
  setenv("CLIV_KERNEL_DIR", dir, 1);
  ASSERT_OK(ctx, cliv_blas_prepare(ctx, "axpy", CLIV_F32, 1, &exact));
  ASSERT_FAILS(ctx, cliv_blas_prepared(ctx), CLIV_BUILD, "preparing products: ");
  if (kernels) setenv("CLIV_KERNEL_DIR", before, 1);
  else unsetenv("CLIV_KERNEL_DIR");
  add(ctx, CLIV_PROVIDER_EXACT);
  ASSERT_OK(ctx, cliv_blas_prepared(ctx));
  cliv_context_free(ctx);
  free(prelude);
  test_remove_tree(dir);
  free(dir);
}

#ifdef CLIV_HAVE_CLBLAST
static void clblast_is_waited_for(void **state) {
  (void)state;
  if (test_few() || test_small()) skip(); /* CLBlast compiles */
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_create(NULL, &ctx));
  const cliv_blas_options clblast = by(CLIV_PROVIDER_CLBLAST);
  ASSERT_OK(ctx, cliv_blas_prepare(ctx, "axpy", CLIV_F32, 1, &clblast));
  add(ctx, CLIV_PROVIDER_CLBLAST);
  assert_false(cliv__preparing(ctx));
  ASSERT_OK(ctx, cliv_blas_prepared(ctx));
  cliv_context_free(ctx);
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(refusals),
      cmocka_unit_test(here_and_beside),
      cmocka_unit_test(transposes_are_prepared),
      cmocka_unit_test(narrow_types_are_prepared),
      cmocka_unit_test(a_context_is_freed_meanwhile),
      cmocka_unit_test(what_fails_beside_is_told),
#ifdef CLIV_HAVE_CLBLAST
      cmocka_unit_test(clblast_is_waited_for),
#endif
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
