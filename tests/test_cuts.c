/* Where products are cut: what is chosen by facts, and what is taken once it has been measured. The candidates'
 * products are stood in for here, so that it is the test that says which is fastest. */
#include <cliv/blas.h>
#include <stdlib.h>
#include <string.h>

#include "blas/exact.h"
#include "runtime/measure.h"
#include "runtime/quirks.h"
#include "runtime/tensor.h"
#include "support.h"

static const char NOTE[] = "gemm cuts";

/* ---- candidates by the test's will ---- */

typedef enum deed { COMPUTES, FAILS, LEAVES } deed;
typedef struct will {
  bool at_work;     /* otherwise products are what they are */
  deed start, a, b; /* of the first candidate; of one that copies A, or has the other side; of one with B */
  size_t calls;
} will;
static will now_do;

/* Time is what the test says, too. */
static double seconds;
double __real_cliv__now(void);
double __wrap_cliv__now(void);
double __wrap_cliv__now(void) { return now_do.at_work ? seconds : __real_cliv__now(); }

cliv_status __real_cliv__exact_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *cuts,
                                    const cliv_sync *sync);
cliv_status __wrap_cliv__exact_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *cuts,
                                    const cliv_sync *sync);
/* Candidates compute by one program; copying A, or the other side, is fastest. */
cliv_status __wrap_cliv__exact_gemm(cliv_context *ctx, const cliv__gemm *g, const cliv__cuts *cuts,
                                    const cliv_sync *sync) {
  if (!now_do.at_work) return __real_cliv__exact_gemm(ctx, g, cuts, sync);
  now_do.calls++;
  const bool fast = cuts->pack_a || cuts->side;
  const deed what = fast ? now_do.a : cuts->pack_b ? now_do.b : now_do.start;
  seconds += fast ? 1 : 2;
  if (what == LEAVES) return CLIV_OK;
  return what == FAILS ? cliv__fail(ctx, CLIV_OPENCL, "as the test wants it")
                       : __real_cliv__exact_gemm(ctx, g, NULL, sync);
}

/* ---- products ---- */

enum { M = 12, N = 20, K = 300 }; /* too long for the walk of small products */

static char *dir; /* of programs and notes, for all tests */
static int make_dir(void **state) {
  (void)state;
  dir = test_temp_dir();
  return 0;
}
static int remove_dir(void **state) {
  (void)state;
  test_remove_tree(dir);
  free(dir);
  return 0;
}

static cliv_context *open_again(cliv_walk walk) {
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_create(&(cliv_context_options){.cache_dir = dir, .walk = walk}, &ctx));
  ctx->quirks &= ~(unsigned)(CLIV__QUIRK_SOFTWARE | CLIV__QUIRK_ONE_THREAD | CLIV__QUIRK_FEW_REGISTERS);
  return ctx;
}

/* One that knows of nothing that was measured. */
static cliv_context *open_new(cliv_walk walk) {
  cliv_context *ctx = open_again(walk);
  (void)cliv__notes_drop(ctx, NOTE);
  return ctx;
}

static cliv_tensor *make(cliv_context *ctx, size_t rows, size_t columns, uint64_t seed) {
  cliv_tensor *t;
  float *x = test_alloc(rows * columns * sizeof *x);
  test_fill_normal(x, rows * columns, seed);
  ASSERT_OK(ctx, cliv_tensor_create(ctx, CLIV_F32, 2, (size_t[]){rows, columns}, &t));
  ASSERT_OK(ctx, cliv_tensor_write(t, x, rows * columns * sizeof *x));
  free(x);
  return t;
}

/* A product by `exact`, in memory that is the caller's. */
static float *multiply(cliv_context *ctx) {
  cliv_tensor *a = make(ctx, M, K, 1), *b = make(ctx, K, N, 2), *c = make(ctx, M, N, 3);
  const cliv_blas_options exact = {.size = sizeof exact, .provider = CLIV_PROVIDER_EXACT};
  ASSERT_OK(ctx, cliv_gemm(ctx, 0, 0, 1, a, b, 0, c, &exact, NULL));
  float *out = test_read(c);
  cliv_tensor_free(a);
  cliv_tensor_free(b);
  cliv_tensor_free(c);
  return out;
}

static cliv__gemm shape(size_t m, size_t n, size_t k) {
  return (cliv__gemm){.dtype = CLIV_F32,
                      .m = m,
                      .n = n,
                      .k = k,
                      .alpha = 1,
                      .a = {.pitch = k},
                      .b = {.pitch = n},
                      .c = {.pitch = n},
                      .batch = 1};
}
static cliv__gemm plain(void) { return shape(M, N, K); }

static json_t *row_of(cliv_context *ctx) {
  const char *const name = ctx->walk == CLIV_WALK_CPU ? "cpu float32 nn 3 4 8 0" : "gpu 256 float32 nn 3 4 8 0";
  json_t *const note = cliv__notes_get(ctx, NOTE), *const row = json_incref(json_object_get(note, name));
  json_decref(note);
  return row;
}

static bool takes_groups_of_256(const cliv_context *ctx) {
  return ctx->walk == CLIV_WALK_CPU || cliv__cuts_group(ctx) == 256;
}

static bool same(const cliv__cuts *a, const cliv__cuts *b) {
  return a->block_k == b->block_k && a->launch_work == b->launch_work && a->room == b->room && a->pack_a == b->pack_a &&
         a->pack_b == b->pack_b && a->side == b->side && a->no_gemv == b->no_gemv && a->small == b->small;
}

/* ---- by facts ---- */

static void all_members_are_chosen(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = test_open(test_walks[w]);
    const bool cpu = ctx->walk == CLIV_WALK_CPU;
    const cl_ulong cache = ctx->facts.cache_bytes, caches[] = {0, 1 << 10, 1 << 20, (cl_ulong)1 << 40};
    for (size_t i = 0; i < 4; i++) {
      ctx->facts.cache_bytes = caches[i];
      const cliv__gemm large = shape(4000, 4000, 5000);
      const cliv__cuts c = cliv__cuts_full(ctx, &large, NULL);
      assert_true(c.block_k >= (cpu ? 512 : 1 << 10) && c.block_k <= large.k && c.launch_work && c.room);
      assert_true(cpu ? c.small == -1 && c.pack_a && c.pack_b == 1 : c.side == 4 || c.side == 8);
    }
    ctx->facts.cache_bytes = cache;
    const cliv__cuts asked = {
        .block_k = 17, .launch_work = 18, .room = 19, .pack_a = 1, .pack_b = 1, .side = 8, .no_gemv = 1, .small = -1};
    const cliv__gemm some = shape(40, 50, 60);
    const cliv__cuts all = cliv__cuts_full(ctx, &some, &asked);
    assert_true(same(&all, &asked));
    assert_int_equal(cliv__cuts_full(ctx, &some, &(cliv__cuts){.block_k = 70}).block_k, 60);
    cliv__gemm turned = shape(40, 50, 1000);
    turned.trans_b = true;
    if (cpu) assert_int_equal(cliv__cuts_full(ctx, &turned, &(cliv__cuts){.pack_b = -1}).pack_b, 1);
    if (cpu) assert_int_equal(cliv__cuts_full(ctx, &some, NULL).small, 1);
    test_close(ctx);
  }
}

/* ---- measured ---- */

static void the_fastest_is_taken_and_kept(void **state) {
  (void)state;
  for (size_t w = test_first_walk(); w < TEST_WALKS; w++) {
    cliv_context *ctx = open_new(test_walks[w]);
    const bool cpu = ctx->walk == CLIV_WALK_CPU;
    const cliv__gemm g = plain();
    float *const before = multiply(ctx);
    assert_null(cliv__cuts_known(ctx, &g)); /* one product does not pay */
    assert_int_equal(cliv__cuts_measured(ctx), 0);
    cliv__cuts_set_worth(ctx, 1);
    now_do = (will){.at_work = true, .b = FAILS};
    free(multiply(ctx));
    assert_null(cliv__cuts_known(ctx, &g));
    assert_int_equal(now_do.calls, 0); /* a product does not wait, … */
    ASSERT_OK(ctx, cliv_context_finish(ctx));
    assert_int_equal(cliv__cuts_measured(ctx), 1); /* … what waits for all of them measures */
    assert_true(now_do.calls > 0);
    float *const after = multiply(ctx);
    const size_t calls = now_do.calls;
    const cliv__cuts *const taken = cliv__cuts_known(ctx, &g);
    assert_non_null(taken);
    assert_true(cpu ? taken->pack_a == 1 && !taken->pack_b : taken->side == 8);
    ASSERT_OK(ctx, cliv_context_finish(ctx));
    assert_int_equal(now_do.calls, calls); /* once */
    now_do.at_work = false;
    assert_memory_equal(before, after, M * N * sizeof *before);
    json_t *const row = row_of(ctx);
    if (takes_groups_of_256(ctx)) {
      assert_non_null(row);
      assert_true(json_real_value(json_object_get(row, "gain")) == 2);
      assert_int_equal(json_integer_value(json_object_get(row, cpu ? "pack_a" : "side")), cpu ? 1 : 8);
      assert_int_equal(json_object_size(row), 2);
    }
    json_decref(row);
    cliv_context *const later = open_again(test_walks[w]); /* which finds it, and computes by it */
    float *const again = multiply(later);
    assert_memory_equal(before, again, M * N * sizeof *before);
    assert_non_null(cliv__cuts_known(later, &g));
    assert_true(same(cliv__cuts_known(later, &g), taken));
    assert_int_equal(cliv__cuts_measured(later), 0);
    free(before);
    free(after);
    free(again);
    cliv_context_free(later);
    cliv_context_free(ctx);
  }
}

/* A candidate whose result differs is none; where the first has none, nothing is kept, and nothing tried again. */
static void wrong_and_failing_candidates(void **state) {
  (void)state;
  const cliv__gemm g = plain();
  for (int first_fails = 0; first_fails < 2; first_fails++) {
    cliv_context *ctx = open_new(CLIV_WALK_AUTO);
    now_do = (will){.at_work = true, .start = first_fails ? FAILS : COMPUTES, .a = LEAVES, .b = LEAVES};
    assert_int_equal(cliv__cuts_measure(ctx, &g), !first_fails);
    const size_t calls = now_do.calls;
    assert_int_equal(cliv__cuts_measured(ctx), !first_fails);
    const cliv__cuts *const taken = cliv__cuts_known(ctx, &g), none = {0};
    assert_non_null(taken);
    assert_true(same(taken, &none));
    assert_true(cliv__cuts_measure(ctx, &g));
    assert_int_equal(now_do.calls, calls);
    now_do.at_work = false;
    json_t *const row = row_of(ctx);
    if (takes_groups_of_256(ctx)) assert_int_equal(row != NULL, !first_fails);
    json_decref(row);
    cliv_context_free(ctx);
  }
}

static void who_may_not_measure_does_not(void **state) {
  (void)state;
  const cliv__gemm g = plain();
  now_do = (will){.at_work = true};
  const cliv_context_options never = {.cache_dir = dir, .probe = CLIV_PROBE_NEVER};
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_create(&never, &ctx));
  cliv__cuts_set_worth(ctx, 1);
  assert_null(cliv__cuts_known(ctx, &g));
  ASSERT_OK(ctx, cliv_context_finish(ctx));
  cliv_context_free(ctx);
  ctx = open_new(CLIV_WALK_AUTO);
  cliv__cuts_set_worth(ctx, 1);
  ctx->quirks |= CLIV__QUIRK_SOFTWARE;
  assert_null(cliv__cuts_known(ctx, &g));
  ASSERT_OK(ctx, cliv_context_finish(ctx));
  assert_int_equal(now_do.calls, 0);
  cliv_context_free(ctx);

  /* Without a cache on disk it is known in this context alone. */
  ASSERT_OK(NULL, cliv_context_create(&(cliv_context_options){.no_disk_cache = 1}, &ctx));
  ctx->quirks &= ~(unsigned)(CLIV__QUIRK_SOFTWARE | CLIV__QUIRK_ONE_THREAD);
  assert_true(cliv__cuts_measure(ctx, &g));
  assert_int_equal(cliv__cuts_measured(ctx), 1);
  assert_non_null(cliv__cuts_known(ctx, &g));
  cliv_context_free(ctx);
  now_do.at_work = false;
}

static void other_notes_are_none(void **state) {
  (void)state;
  static const char *const wrong[] = {
      "[\"cpu float32 nn 3 4 8 0\"]",   "{\"%s\": 7}",
      "{\"%s\": {\"block_k\": -5}}",    "{\"%s\": {\"block_k\": 1e3}}",
      "{\"%s\": {\"side\": 5}}",        "{\"%s\": {\"pack_a\": 2, \"gain\": 1.5}}",
      "{\"%s\": {\"small\": \"yes\"}}", "{\"%s\": {\"block_k\": 4611686018427387904}}",
  };
  const cliv__gemm g = plain();
  for (size_t i = 0; i <= sizeof wrong / sizeof *wrong; i++) {
    const bool other = i == sizeof wrong / sizeof *wrong; /* a good row, but of another device */
    cliv_context *ctx = open_new(CLIV_WALK_AUTO);
    char text[200];
    const char *const name = ctx->walk == CLIV_WALK_CPU ? "cpu float32 nn 3 4 8 0" : "gpu 256 float32 nn 3 4 8 0";
    snprintf(text, sizeof text, other ? "{\"%s\": {\"block_k\": 64}}" : wrong[i], name);
    json_t *const note = json_loads(text, 0, NULL);
    assert_non_null(note);
    if (other) ctx->facts.compute_units++;
    assert_true(cliv__notes_put(ctx, NOTE, note));
    cliv_context *const later = open_again(CLIV_WALK_AUTO);
    assert_null(cliv__cuts_known(later, &g));
    cliv_context_free(later);
    if (other) ctx->facts.compute_units--;
    if (other) assert_true(cliv__notes_put(ctx, NOTE, note)); /* the same of this one is taken */
    if (other && takes_groups_of_256(ctx)) {
      const cliv__cuts *const taken = cliv__cuts_known(ctx, &g);
      assert_true(taken && taken->block_k == 64 && taken->side == 0);
    }
    json_decref(note);
    cliv_context_free(ctx);
  }
}

static void classes(void **state) {
  (void)state;
  cliv_context *ctx;
  ASSERT_OK(NULL, cliv_context_create(&(cliv_context_options){.no_disk_cache = 1}, &ctx));
  now_do = (will){.at_work = true, .a = FAILS, .b = FAILS};
  ctx->quirks &= ~(unsigned)(CLIV__QUIRK_SOFTWARE | CLIV__QUIRK_ONE_THREAD);
  cliv__gemm g = plain();
  assert_true(cliv__cuts_measure(ctx, &g));
  g = shape(15, 31, 511);
  assert_non_null(cliv__cuts_known(ctx, &g)); /* one class */
  g.b.pitch = 512;
  assert_null(cliv__cuts_known(ctx, &g)); /* rows of B that collide are another, … */
  g = plain();
  g.dtype = CLIV_F64;
  assert_null(cliv__cuts_known(ctx, &g)); /* … and so is another type. */
  size_t settled = 0;
  cliv__cuts_set_worth(ctx, 1e30);
  for (unsigned i = 0; i < 300; i++) { /* more than there is room for */
    g = shape((size_t)1 << i % 20, (size_t)1 << i / 20, 3);
    settled += cliv__cuts_known(ctx, &g) != NULL;
  }
  assert_int_equal(settled, 0);
  g = plain();
  assert_non_null(cliv__cuts_known(ctx, &g));
  g = shape((size_t)1 << 19, (size_t)1 << 14, 3);
  assert_false(cliv__cuts_measure(ctx, &g));
  now_do.at_work = false;
  cliv_context_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_members_are_chosen),       cmocka_unit_test(the_fastest_is_taken_and_kept),
      cmocka_unit_test(wrong_and_failing_candidates), cmocka_unit_test(who_may_not_measure_does_not),
      cmocka_unit_test(other_notes_are_none),         cmocka_unit_test(classes),
  };
  return test_finish(cmocka_run_group_tests(tests, make_dir, remove_dir));
}
