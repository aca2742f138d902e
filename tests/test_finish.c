/* Products whose last kernel, that of bias, activation and narrow results (cl/finish.cl), cannot be compiled or is
 * refused when it is launched: what is told, what is left of the result, and that the context stays usable. Launches go
 * through the wrapper below (the linker's --wrap). */
#include <cliv/blas.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

enum { M = 3, N = 5, K = 4 };

static struct {
  bool refuses; /* launches of finish_all */
  int refused;
} watch;

cl_int __real_clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset,
                                     const size_t *global, const size_t *local, cl_uint waits, const cl_event *wait,
                                     cl_event *done);
cl_int __wrap_clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset,
                                     const size_t *global, const size_t *local, cl_uint waits, const cl_event *wait,
                                     cl_event *done);
cl_int __wrap_clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset,
                                     const size_t *global, const size_t *local, cl_uint waits, const cl_event *wait,
                                     cl_event *done) {
  char name[64] = "";
  if (watch.refuses) ASSERT_CL(clGetKernelInfo(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL));
  if (strcmp(name, "finish_all") == 0) return watch.refused++, CL_INVALID_OPERATION;
  return __real_clEnqueueNDRangeKernel(queue, kernel, dims, offset, global, local, waits, wait, done);
}

/* Products that end with that kernel. */
typedef struct example {
  cliv_walk walk;
  cliv_dtype dtype;
  size_t rows;
  cliv_activation activation;
} example;

static const example examples[] = {
    {CLIV_WALK_GPU, CLIV_F32, M, CLIV_ACTIVATION_GELU}, /* whose own store has no room for it */
    {CLIV_WALK_CPU, CLIV_F32, 1, CLIV_ACTIVATION_RELU}, /* by a vector */
    {CLIV_WALK_CPU, CLIV_BF16, M, CLIV_ACTIVATION_NONE},
};
enum { EXAMPLES = sizeof examples / sizeof *examples };

typedef struct operands {
  test_guarded a, b, c;
  unsigned char before[M * N * sizeof(float)];
  size_t bytes;
} operands;

static operands make(cliv_context *ctx, const example *e) {
  operands o;
  unsigned char a[M * K * sizeof(float)], b[K * N * sizeof(float)];
  for (size_t i = 0; i < M * K; i++) test_put(e->dtype, a, i, test_normal(1, i));
  for (size_t i = 0; i < K * N; i++) test_put(e->dtype, b, i, test_normal(2, i));
  for (size_t i = 0; i < M * N; i++) test_put(e->dtype, o.before, i, test_normal(3, i));
  o.a = test_guard(ctx, e->dtype, 2, (size_t[]){e->rows, K}, 0, a);
  o.b = test_guard(ctx, e->dtype, 2, (size_t[]){K, N}, 0, b);
  o.c = test_guard(ctx, e->dtype, 2, (size_t[]){e->rows, N}, 0, o.before);
  o.bytes = e->rows * N * cliv_dtype_size(e->dtype);
  return o;
}

static void release(operands *o) { test_guard_free(&o->a), test_guard_free(&o->b), test_guard_free(&o->c); }

static cliv_status multiply(cliv_context *ctx, const example *e, const operands *o) {
  const cliv_blas_options options = {.provider = CLIV_PROVIDER_EXACT, .activation = e->activation};
  return cliv_gemm(ctx, 0, 0, 1, o->a.tensor, o->b.tensor, 0, o->c.tensor, &options, NULL);
}

static void *result(cliv_context *ctx, const example *e) {
  operands o = make(ctx, e);
  ASSERT_OK(ctx, multiply(ctx, e, &o));
  void *const c = test_read(o.c.tensor);
  release(&o);
  return c;
}

/* The context computes what another has. */
static void expect_right(cliv_context *ctx, const example *e) {
  cliv_context *const other = test_open(e->walk);
  void *const got = result(ctx, e), *const want = result(other, e);
  ASSERT_BITS(got, want, e->rows * N * cliv_dtype_size(e->dtype));
  free(got), free(want);
  test_close(other);
}

static cliv_context *open_without_cache(const example *e) {
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_create(&(cliv_context_options){.walk = e->walk, .no_disk_cache = 1}, &ctx));
  return ctx;
}

/* Nothing is launched before all kernels are there: the result is as it was. */
static void not_compiled(void **state) {
  (void)state;
  char *const dir = test_temp_dir(), *const file = test_join(dir, "finish.cl");
  const char *const kernels = getenv("CLIV_KERNEL_DIR");
  char *const before = kernels ? strdup(kernels) : NULL;
  static const char planted[] = "#error planted\n";
  test_write_file(file, planted, sizeof planted - 1);
  for (size_t i = 0; i < EXAMPLES; i++) {
    const example *const e = &examples[i];
    cliv_context *const ctx = open_without_cache(e);
    operands o = make(ctx, e);
    setenv("CLIV_KERNEL_DIR", dir, 1);
    ASSERT_FAILS(ctx, multiply(ctx, e, &o), CLIV_BUILD, "planted");
    if (before) setenv("CLIV_KERNEL_DIR", before, 1);
    else unsetenv("CLIV_KERNEL_DIR");
    void *const c = test_read(o.c.tensor);
    ASSERT_BITS(c, o.before, o.bytes);
    free(c);
    release(&o);
    expect_right(ctx, e);
    cliv_context_free(ctx);
  }
  free(before), free(file);
  test_remove_tree(dir);
  free(dir);
}

/* Each call says so, with nothing left on the queue that waits, and the next one is right. */
static void not_launched(void **state) {
  (void)state;
  for (size_t i = 0; i < EXAMPLES; i++) {
    const example *const e = &examples[i];
    cliv_context *const ctx = test_open(e->walk);
    operands o = make(ctx, e);
    watch.refuses = true;
    watch.refused = 0;
    ASSERT_FAILS(ctx, multiply(ctx, e, &o), CLIV_OPENCL, "clEnqueueNDRangeKernel failed");
    watch.refuses = false;
    assert_int_equal(watch.refused, 1);
    ASSERT_OK(ctx, cliv_context_finish(ctx));
    release(&o); /* with what lies around it as it was */
    expect_right(ctx, e);
    test_close(ctx);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(not_compiled), cmocka_unit_test(not_launched)};
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
