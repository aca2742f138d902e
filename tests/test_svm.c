/* Tensors in shared virtual memory: what steps them, and all else, gives the bits that it gives in buffers; many
 * allocations step in one launch. On devices without such memory: the refusal. */
#include "support.h"

#include <cliv/map.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "optim/optim.h"
#include "runtime/tensor.h"

enum { PARAMS = 10, MOST = 4097, GUARD = 64, PATTERN = 0xa5, STEPS = 2 };
static const int ndims[PARAMS] = {1, 2, 1, 0, 2, 2, 2, 1, 1, 3};
static const size_t shapes[] = {4097, 3, 7, 0, 16, 16, 1, 255, 257, 1, 4095, 4096, 2, 3, 5};
static const size_t counts[PARAMS] = {4097, 21, 0, 1, 256, 255, 257, 4095, 4096, 30};

/* BUFFERS: an arena each for parameters and gradients. MIXED: some in buffers of their own. */
typedef enum layout { BUFFERS, COARSE, FINE, MIXED } layout;

typedef struct allocation {
  unsigned char *svm;
  size_t before, bytes;
} allocation;

typedef struct training {
  cliv_context *ctx;
  cliv_optimizer *o;
  size_t count;
  cliv_tensor *p[PARAMS], *g[PARAMS];
  allocation p_in[PARAMS], g_in[PARAMS];
} training;

static cl_device_svm_capabilities abilities(const cliv_context *ctx) {
  cl_device_svm_capabilities has = 0;
  char version[128];
  ASSERT_CL(clGetDeviceInfo(ctx->device, CL_DEVICE_VERSION, sizeof version, version, NULL));
  if (strncmp(version, "OpenCL 1", 8) != 0)
    ASSERT_CL(clGetDeviceInfo(ctx->device, CL_DEVICE_SVM_CAPABILITIES, sizeof has, &has, NULL));
  return has;
}

/* NULL on a device without: then the refusal has been looked at. */
static cliv_context *open_svm(void) {
  cliv_context *ctx = test_open(CLIV_WALK_AUTO);
  if (abilities(ctx) & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER) return ctx;
  float memory[4] = {0};
  const size_t four = 4;
  cliv_tensor *t = (cliv_tensor *)memory;
  ASSERT_FAILS(ctx, cliv_tensor_wrap_svm(ctx, memory, 0, CLIV_F32, 1, &four, &t), CLIV_DEVICE_ABILITY, ctx->facts.name);
  assert_null(t);
  test_close(ctx);
  return NULL;
}

static void map(const training *t, const allocation *a) {
  ASSERT_CL(clEnqueueSVMMap(t->ctx->queue, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, a->svm, a->before + a->bytes + GUARD, 0,
                            NULL, NULL));
}
static void unmap(const training *t, const allocation *a) {
  ASSERT_CL(clEnqueueSVMUnmap(t->ctx->queue, a->svm, 0, NULL, NULL));
}

/* In the middle of an allocation of its own. */
static cliv_tensor *in_svm(const training *t, bool fine, size_t shift, cliv_dtype dtype, int ndim, const size_t *shape,
                           size_t count, allocation *a) {
  cliv_tensor *out;
  a->before = GUARD + shift * cliv_dtype_size(dtype);
  a->bytes = count * cliv_dtype_size(dtype);
  a->svm = clSVMAlloc(t->ctx->context, CL_MEM_READ_WRITE | (fine ? CL_MEM_SVM_FINE_GRAIN_BUFFER : 0),
                      a->before + a->bytes + GUARD, 0);
  assert_non_null(a->svm);
  map(t, a);
  memset(a->svm, PATTERN, a->before + a->bytes + GUARD);
  unmap(t, a);
  ASSERT_OK(t->ctx, cliv_tensor_wrap_svm(t->ctx, a->svm, a->before, dtype, ndim, shape, &out));
  return out;
}

/* Nothing beside the tensor was written, and what the host sees there is what it reads by the tensor's cl_mem. */
static void check_and_free(const training *t, cliv_tensor *x, const allocation *a) {
  if (a->svm) {
    map(t, a);
    for (size_t i = 0; i < a->before; i++) assert_int_equal(a->svm[i], PATTERN);
    for (size_t i = 0; i < GUARD; i++) assert_int_equal(a->svm[a->before + a->bytes + i], PATTERN);
    void *read = test_read(x);
    ASSERT_BITS(a->svm + a->before, read, a->bytes);
    free(read);
    unmap(t, a);
    ASSERT_OK(t->ctx, cliv_context_finish(t->ctx));
  }
  cliv_tensor_free(x);
  if (a->svm) clSVMFree(t->ctx->context, a->svm);
}

static void fill(cliv_tensor *x, uint64_t seed, double scale) {
  const cliv_dtype dtype = cliv_tensor_dtype(x);
  const size_t count = cliv_tensor_count(x);
  void *host = test_alloc(count * cliv_dtype_size(dtype));
  for (size_t i = 0; i < count; i++) test_put(dtype, host, i, scale * test_normal(seed, i));
  ASSERT_OK(cliv_tensor_context(x), cliv_tensor_write(x, host, count * cliv_dtype_size(dtype)));
  free(host);
}

/* ---- what is tried ---- */

typedef struct feature {
  const char *rule, *hypers;
  cliv_optimizer_options options;
  cliv_gradient_options gradients;
  cliv_dtype p, g;                           /* 0: float32 */
  bool matrices, accumulates, perturbs, few; /* few: where few are tried, too */
} feature;
static const feature features[] = {
    {.rule = "adamw", .hypers = "lr=0.1 weight_decay=0.1", .few = true},
    {.rule = "adamw",
     .hypers = "prox_l1=0.01 lr=0.1",
     .gradients = {.clip_norm = 3, .nonfinite = CLIV_NONFINITE_SKIP},
     .g = CLIV_BF16},
    {.rule = "sgd", .hypers = "lr=0.1 momentum=0.9", .gradients = {.clip_each = 1, .agc = 0.1, .centralize = 1}},
    {.rule = "sgd", .hypers = "lr=0.1", .gradients = {.smooth = 1}, .g = CLIV_F16},
    {.rule = "lamb", .hypers = "lr=0.1", .gradients = {.clip_each = 1, .centralize = 1}, .few = true},
    {.rule = "muon", .hypers = "lr=0.1", .matrices = true},
    {.rule = "adafactor", .hypers = "lr=0.1 beta1=0.5", .matrices = true},
    {.rule = "adamw", .hypers = "lr=0.1 cautious=1", .gradients = {.clip_value = 1}},
    {.rule = "adamw",
     .hypers = "lr=0.1",
     .options = {.state = "8bit", .min_8bit = 1, .weights = "master"},
     .p = CLIV_BF16,
     .g = CLIV_BF16},
    {.rule = "adamw", .hypers = "lr=0.1", .options = {.state = "bfloat16", .weights = "kahan"}, .p = CLIV_F16},
    {.rule = "adamw",
     .hypers = "lr=0.1",
     .options = {.weights = "stochastic", .seed = 5},
     .p = CLIV_BF16,
     .g = CLIV_F16},
    {.rule = "adamw", .hypers = "lr=0.1", .g = CLIV_F16, .accumulates = true},
    {.rule = "adamw", .hypers = "lr=0.1", .perturbs = true},
};

static void make_tensors(training *t, const feature *f, layout l) {
  if (l == BUFFERS) {
    ASSERT_OK(t->ctx, cliv_arena_create(t->ctx, f->p, PARAMS, ndims, shapes, t->p));
    ASSERT_OK(t->ctx, cliv_arena_create(t->ctx, f->g, PARAMS, ndims, shapes, t->g));
    return;
  }
  const size_t *shape = shapes;
  for (size_t i = 0; i < PARAMS; shape += ndims[i++]) {
    if (l == MIXED && i & 1) ASSERT_OK(t->ctx, cliv_tensor_create(t->ctx, f->p, ndims[i], shape, &t->p[i]));
    else t->p[i] = in_svm(t, l == FINE, i % 5, f->p, ndims[i], shape, counts[i], &t->p_in[i]);
    if (l == MIXED && i & 2) ASSERT_OK(t->ctx, cliv_tensor_create(t->ctx, f->g, ndims[i], shape, &t->g[i]));
    else t->g[i] = in_svm(t, l == FINE, i % 3, f->g, ndims[i], shape, counts[i], &t->g_in[i]);
  }
}

static training begin(cliv_context *ctx, const feature *f, layout l) {
  training t = {.ctx = ctx};
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, f->rule, &f->options, &t.o));
  test_set_options(ctx, t.o, f->hypers);
  ASSERT_OK(ctx, cliv_optimizer_gradients(t.o, &f->gradients));
  make_tensors(&t, f, l);
  for (size_t i = 0; i < PARAMS; i++) {
    fill(t.p[i], 10 + i, 1);
    if (!f->matrices || ndims[i] >= 2) ASSERT_OK(ctx, cliv_optimizer_add(t.o, t.p[i], t.g[i], CLIV_DEFAULT_GROUP));
  }
  return t;
}

static void end(training *t) {
  cliv_optimizer_free(t->o);
  for (size_t i = 0; i < PARAMS; i++) {
    check_and_free(t, t->p[i], &t->p_in[i]);
    check_and_free(t, t->g[i], &t->g_in[i]);
  }
}

/* New gradients, an element that is not finite among them where the step takes them as they are. */
static void step(training *t, const feature *f, uint64_t number) {
  for (size_t i = 0; i < PARAMS; i++) fill(t->g[i], 100 * number + i, i == 6 ? 0 : 1);
  if (!f->gradients.nonfinite && number == 2 && f == &features[0])
    ASSERT_OK(t->ctx, cliv_tensor_fill(t->g[6], NAN, NULL));
  if (f->accumulates) {
    ASSERT_OK(t->ctx, cliv_optimizer_accumulate(t->o, NULL));
    for (size_t i = 0; i < PARAMS; i++) fill(t->g[i], 100 * number + 50 + i, 1);
    ASSERT_OK(t->ctx, cliv_optimizer_accumulate(t->o, NULL));
  }
  if (f->perturbs) {
    ASSERT_OK(t->ctx, cliv_optimizer_perturb(t->o, 0.05, 1, NULL));
    for (size_t i = 0; i < PARAMS; i++) fill(t->g[i], 100 * number + 50 + i, 1);
    ASSERT_OK(t->ctx, cliv_optimizer_restore(t->o, NULL));
  }
  ASSERT_OK(t->ctx, cliv_optimizer_step(t->o, NULL));
}

static void compare(const training *a, const training *b) {
  for (size_t i = 0; i < PARAMS; i++) ASSERT_SAME_TENSORS(a->p[i], b->p[i]);
  for (size_t i = 0; i < a->o->param_count; i++)
    for (size_t k = 0; cliv_optimizer_state_name(a->o, i, k); k++) {
      cliv_tensor *x, *y;
      ASSERT_OK(a->ctx, cliv_optimizer_state(a->o, i, cliv_optimizer_state_name(a->o, i, k), &x));
      ASSERT_OK(b->ctx, cliv_optimizer_state(b->o, i, cliv_optimizer_state_name(b->o, i, k), &y));
      ASSERT_SAME_TENSORS(x, y);
      cliv_tensor_free(x), cliv_tensor_free(y);
    }
}

/* ---- tests ---- */

/* Two steps of every kind, in both walks, in coarse-grained memory; in all layouts of the first. */
static void same_bits_as_in_buffers(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof features / sizeof *features; k++) {
    const feature *f = &features[k];
    if (test_few() && !f->few) continue;
    cliv_context *ctx = open_svm();
    if (!ctx) return;
    const bool fine = abilities(ctx) & CL_DEVICE_SVM_FINE_GRAIN_BUFFER;
    training want = begin(ctx, f, BUFFERS);
    for (uint64_t n = 1; n <= STEPS; n++) step(&want, f, n);
    for (size_t w = test_first_walk(); w < TEST_WALKS; w++)
      for (layout l = COARSE; l <= (k == 0 ? MIXED : COARSE); l++) {
        if (l == FINE && !fine) continue;
        cliv_context *other = test_open(test_walks[w]);
        training got = begin(other, f, l);
        if (w == 0 && l == COARSE) got.o->launch = 4000; /* in pieces, which share their kernels */
        for (uint64_t n = 1; n <= STEPS; n++) step(&got, f, n);
        if (l != MIXED && !(w == 0 && l == COARSE)) assert_int_equal(got.o->plan.batch_count, 1);
        compare(&got, &want);
        end(&got);
        test_close(other);
      }
    end(&want);
    test_close(ctx);
  }
}

/* Kernels are told of allocations, so two optimizers of one rule in one context must not take each other's; and plans
 * that are made anew tell them anew. Each step waits for an event and gives one. */
static void optimizers_side_by_side(void **state) {
  (void)state;
  const feature *f = &features[0];
  cliv_context *ctx = open_svm();
  if (!ctx) return;
  training t[] = {begin(ctx, f, COARSE), begin(ctx, f, COARSE), begin(ctx, f, BUFFERS)};
  for (uint64_t n = 1; n <= 3; n++)
    for (size_t i = 0; i < 3; i++) {
      cl_int code;
      cl_event gate = clCreateUserEvent(ctx->context, &code), done;
      ASSERT_CL(code);
      ASSERT_OK(ctx, cliv_optimizer_freeze(t[i].o, 8, n == 2));
      for (size_t k = 0; k < PARAMS; k++) fill(t[i].g[k], 100 * n + k, 1);
      if (test_flush_waits(ctx)) ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
      ASSERT_OK(ctx, cliv_optimizer_step(t[i].o, &(cliv_sync){1, &gate, &done}));
      if (!test_flush_waits(ctx)) ASSERT_CL(clSetUserEventStatus(gate, CL_COMPLETE));
      ASSERT_CL(clWaitForEvents(1, &done));
      clReleaseEvent(gate), clReleaseEvent(done);
    }
  compare(&t[0], &t[2]);
  compare(&t[1], &t[2]);
  for (size_t i = 0; i < 3; i++) end(&t[i]);
  test_close(ctx);
}

/* Two tensors over one allocation each have a cl_mem; that they share bytes is seen by addresses. */
static void overlaps_are_seen(void **state) {
  (void)state;
  cliv_context *ctx = open_svm();
  if (!ctx) return;
  training t = {.ctx = ctx};
  const size_t ten = 10, four = 4, block[] = {2, 2};
  allocation a;
  cliv_tensor *x = in_svm(&t, false, 0, CLIV_F32, 1, &ten, ten, &a), *same, *later, *behind, *view, *plain, *left,
              *right;
  ASSERT_OK(ctx, cliv_tensor_wrap_svm(ctx, a.svm, a.before, CLIV_F32, 1, &ten, &same));
  ASSERT_OK(ctx, cliv_tensor_wrap_svm(ctx, a.svm, a.before + 12, CLIV_F32, 1, &four, &later));
  ASSERT_OK(ctx, cliv_tensor_wrap_svm(ctx, a.svm, a.before + 28, CLIV_F32, 1, &four, &behind));
  ASSERT_OK(ctx, cliv_tensor_wrap(ctx, cliv_tensor_mem(x), a.before, CLIV_F32, 1, &ten, &plain));
  ASSERT_OK(ctx, cliv_tensor_view(x, 6, 1, &four, 0, &view));
  ASSERT_OK(ctx, cliv_tensor_view(x, 0, 2, block, 4, &left));
  ASSERT_OK(ctx, cliv_tensor_view(same, 2, 2, block, 4, &right));
  assert_ptr_not_equal(cliv_tensor_mem(x), cliv_tensor_mem(same));
  assert_true(cliv__overlap(x, same) && cliv__same_place(x, same) && cliv__overlap(x, later));
  assert_false(cliv__same_place(x, later) || cliv__overlap(later, behind) || cliv__overlap(behind, later));
  assert_true(cliv__overlap(behind, view) && cliv__overlap(later, view));
  assert_true(cliv__overlap(plain, x) && cliv__same_place(x, plain) && !cliv__overlap(left, right));
  ASSERT_FAILS(ctx, cliv_tensor_copy(later, view, NULL), CLIV_OVERLAP, "overlap");
  fill(x, 1, 1);
  float *before = test_read(x);
  ASSERT_OK(ctx, cliv_map(ctx, "neg", x, same, NULL)); /* in place */
  float *after = test_read(same);
  for (size_t i = 0; i < ten; i++) assert_true(after[i] == -before[i]);
  cliv_optimizer *o;
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, "sgd", NULL, &o));
  ASSERT_FAILS(ctx, cliv_optimizer_add(o, later, view, CLIV_DEFAULT_GROUP), CLIV_OVERLAP, "shares memory");
  ASSERT_OK(ctx, cliv_optimizer_add(o, later, behind, CLIV_DEFAULT_GROUP));
  ASSERT_FAILS(ctx, cliv_optimizer_add(o, view, behind, CLIV_DEFAULT_GROUP), CLIV_OVERLAP, "shares memory");
  cliv_optimizer_free(o);
  free(before), free(after);
  cliv_tensor *const made[] = {same, later, behind, view, plain, left, right};
  for (size_t i = 0; i < sizeof made / sizeof *made; i++) cliv_tensor_free(made[i]);
  check_and_free(&t, x, &a);
  test_close(ctx);
}

static void what_is_refused(void **state) {
  (void)state;
  cliv_context *ctx = open_svm();
  if (!ctx) return;
  const size_t four = 4, none = 0, huge[] = {SIZE_MAX / 4, 2};
  unsigned char *svm = clSVMAlloc(ctx->context, CL_MEM_READ_WRITE, 64, 0);
  assert_non_null(svm);
  cliv_tensor *t;
  ASSERT_FAILS(ctx, cliv_tensor_wrap_svm(ctx, NULL, 0, CLIV_F32, 1, &four, &t), CLIV_NULL, "'svm'");
  ASSERT_FAILS(ctx, cliv_tensor_wrap_svm(ctx, svm, 0, CLIV_F32, 1, &four, NULL), CLIV_NULL, "'out'");
  ASSERT_FAILS(NULL, cliv_tensor_wrap_svm(NULL, svm, 0, CLIV_F32, 1, &four, &t), CLIV_NULL, "'ctx'");
  ASSERT_FAILS(ctx, cliv_tensor_wrap_svm(ctx, svm, 2, CLIV_F32, 1, &four, &t), CLIV_VALUE, "multiples of 4");
  ASSERT_FAILS(ctx, cliv_tensor_wrap_svm(ctx, svm + 1, 0, CLIV_BF16, 1, &four, &t), CLIV_VALUE, "multiples of 2");
  ASSERT_FAILS(ctx, cliv_tensor_wrap_svm(ctx, svm, 0, (cliv_dtype)99, 1, &four, &t), CLIV_DTYPE, "99");
  ASSERT_FAILS(ctx, cliv_tensor_wrap_svm(ctx, svm, SIZE_MAX - 7, CLIV_F32, 1, &four, &t), CLIV_SHAPE, "address");
  ASSERT_FAILS(ctx, cliv_tensor_wrap_svm(ctx, svm, 0, CLIV_F32, 2, huge, &t), CLIV_SHAPE, NULL);
  void *other = test_alloc(4096);
  ASSERT_FAILS(ctx, cliv_tensor_wrap_svm(ctx, other, 0, CLIV_F32, 1, &four, &t), CLIV_VALUE, "clSVMAlloc");
  assert_null(t);
  free(other);
  ASSERT_OK(ctx, cliv_tensor_wrap_svm(ctx, NULL, 0, CLIV_F32, 1, &none, &t));
  assert_null(cliv_tensor_mem(t));
  cliv_tensor_free(t);
  clSVMFree(ctx->context, svm);
  /* What a device of OpenCL 1.2 is told. */
  const int version = ctx->facts.opencl;
  ctx->facts.opencl = 120;
  ASSERT_FAILS(ctx, cliv_tensor_wrap_svm(ctx, NULL, 0, CLIV_F32, 1, &none, &t), CLIV_DEVICE_ABILITY,
               "shared virtual memory");
  ctx->facts.opencl = version;
  test_close(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(same_bits_as_in_buffers),
      cmocka_unit_test(optimizers_side_by_side),
      cmocka_unit_test(overlaps_are_seen),
      cmocka_unit_test(what_is_refused),
  };
  return test_finish(cmocka_run_group_tests(tests, NULL, NULL));
}
