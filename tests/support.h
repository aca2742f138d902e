/* What the tests share: opening a device, guard zones around tensors, comparing numbers, reproducible random data.
 *
 * A test program includes this file alone (cmocka comes with it), opens its contexts with test_open for each of
 * test_walks, and takes its sizes from test_sizes. Everything here fails the running test with a sentence; nothing
 * returns an error.
 */
#ifndef CLIV_TESTS_SUPPORT_H
#define CLIV_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cliv/context.h>
#include <cliv/optim.h>
#include <cliv/status.h>
#include <cliv/tensor.h>

/* The call succeeds, or the test fails with the library's sentence. ctx: where the sentence is; NULL for the
 * thread's. The sentences of earlier failures must outlive it, the context's and the thread's. */
#define ASSERT_OK(ctx, call) test_remember((ctx)), test_expect((ctx), (call), CLIV_OK, NULL, #call, __FILE__, __LINE__)
/* The call fails with this status and a sentence that contains `part` (NULL: any sentence, but not an empty one). */
#define ASSERT_FAILS(ctx, call, status, part) test_expect((ctx), (call), (status), (part), #call, __FILE__, __LINE__)
void test_remember(const cliv_context *ctx);
void test_expect(const cliv_context *ctx, cliv_status got, cliv_status want, const char *part, const char *call,
                 const char *file, int line);

/* An OpenCL call of the test's own. */
#define ASSERT_CL(code) test_expect_cl((code), #code, __FILE__, __LINE__)
void test_expect_cl(cl_int code, const char *call, const char *file, int line);

/* ---- devices and sizes ---- */

/* Both walks, or the last where the device has one only:
 * for (size_t w = test_first_walk(); w < TEST_WALKS; w++) { cliv_context *ctx = test_open(test_walks[w]); … } */
enum { TEST_WALKS = 2 };
extern const cliv_walk test_walks[TEST_WALKS];
size_t test_first_walk(void);
const char *test_walk_name(cliv_walk walk);

/* A context on the device of $CLIV_DEVICE, or "auto", that nobody else has open: a new one, or one that was closed,
 * with the programs it has. test_close gives it back. $CLIV_TEST_NO_CACHE: compiled programs are left to the driver's
 * own cache. */
cliv_context *test_open(cliv_walk walk);
/* The same with a group size for the GPU walk (0: chosen by kernel): results must not depend on it. */
cliv_context *test_open_group(cliv_walk walk, size_t group_size);
void test_close(cliv_context *ctx);
/* Frees what was closed; gives `failures`. At the end of main, return test_finish(cmocka_run_group_tests(…)): oclgrind
 * is gone when exit handlers run. */
int test_finish(int failures);
/* A group's teardown after products by CLBlast, which keeps its programs until the process ends: oclgrind's own objects
 * are gone by then, and its heap is damaged. */
int test_forget_programs(void **state);
/* Every way to go about things: the CPU walk, then the GPU walk with several group sizes; on a device that is always
 * given the GPU walk, and where test_few() by another stack's leave, two of these alone. Each is one more program to
 * compile. */
enum { TEST_WAYS = 4 };
typedef struct test_ways {
  cliv_context *ctx[TEST_WAYS];
  size_t count;
} test_ways;
test_ways test_open_all(void);
void test_close_all(const test_ways *c);
/* The same around a whole group of tests, whose state it is. */
int test_setup_all(void **state);
int test_teardown_all(void **state);

/* True on oclgrind, which runs everything in the calling thread: its clFlush waits for all that is in the queue. */
bool test_flush_waits(const cliv_context *ctx);

/* True on software renderers, which take seconds for a million elements. */
bool test_slow(const cliv_context *ctx);

/* True when $CLIV_TEST_SMALL asks for sizes of at most about 5000 elements (checked devices, sanitizers). */
bool test_small(void);
/* True where operations that differ in a line of arithmetic may be tried by one of each kind ($CLIV_TEST_FEW: another
 * stack of the same run tries all, and the self-test this one's arithmetic; or test_small()). Each is a program to
 * compile. */
bool test_few(void);
/* The sizes every operation is tested on: 0, 1, 2, 255 … 4097, a prime, a million; fewer, the greatest 4097, when
 * test_small(). */
const size_t *test_sizes(size_t *count);

/* ---- data ---- */

/* Counter-based: element i of seed s is the same number on every machine and in any order. */
uint64_t test_bits(uint64_t seed, uint64_t i);
/* Uniform in [low, high). */
double test_uniform(uint64_t seed, uint64_t i, double low, double high);
/* Standard normal. */
double test_normal(uint64_t seed, uint64_t i);
void test_fill_uniform(float *x, size_t n, uint64_t seed, double low, double high);
void test_fill_normal(float *x, size_t n, uint64_t seed);
/* Any bit pattern: subnormals, infinities and NaNs included. */
void test_fill_bits(void *x, size_t bytes, uint64_t seed);

/* malloc that fails the test; 0 bytes give a pointer to free as well. */
void *test_alloc(size_t bytes);

/* Stored element i of a host array as a double, and a double rounded once to the dtype (integers: rounded to nearest
 * even). */
double test_get(cliv_dtype dtype, const void *x, size_t i);
void test_put(cliv_dtype dtype, void *x, size_t i, double value);

/* ---- tensors with guard zones ---- */

/* A tensor in the middle of a larger buffer whose other bytes hold a pattern. `shift` elements move the first one off
 * its natural alignment. The tensor belongs to the test_guarded. */
typedef struct test_guarded {
  cliv_tensor *tensor;
  cl_mem mem;
  size_t before, bytes, total; /* bytes of the first guard, of the tensor, of all */
} test_guarded;
/* data: dense host elements, or NULL: the pattern everywhere. */
test_guarded test_guard(cliv_context *ctx, cliv_dtype dtype, int ndim, const size_t *shape, size_t shift,
                        const void *data);
/* One dimension of n elements. */
test_guarded test_guard1(cliv_context *ctx, cliv_dtype dtype, size_t n, size_t shift, const void *data);
/* Whether every byte around the tensor still holds the pattern; if not, a sentence in why. Blocks. */
bool test_guard_intact(const test_guarded *guarded, char *why, size_t room);
/* Fails the test when one does not. */
void test_guard_check(const test_guarded *guarded);
/* The check, then frees. */
void test_guard_free(test_guarded *guarded);

/* The tensor's elements as a host array; free() it. */
void *test_read(const cliv_tensor *tensor);

/* The rule with a preset (NULL: the default), and "name=value name=value" set in all groups. */
cliv_optimizer *test_optimizer(cliv_context *ctx, const char *rule, const char *preset, const char *options);
void test_set_options(const cliv_context *ctx, cliv_optimizer *o, const char *options);

/* ---- comparing ---- */

/* Units in the last place between two floats: 0 for equal bits and for -0 against +0, the largest value when one alone
 * is NaN. */
uint64_t test_ulp_f32(float a, float b);
/* |got - want| in units of the last place of a float32 of want's size (at least the smallest subnormal). */
double test_ulp_error(float got, double want);

/* Fails the test naming the first byte that differs. */
#define ASSERT_BITS(got, want, bytes) test_same_bits((got), (want), (bytes), __FILE__, __LINE__)
void test_same_bits(const void *got, const void *want, size_t bytes, const char *file, int line);
/* Elements of a dtype, so that the sentence has index and values. */
/* Two tensors of one dtype and count, perhaps of different contexts. */
#define ASSERT_SAME_TENSORS(got, want) test_same_tensors((got), (want), __FILE__, __LINE__)
void test_same_tensors(const cliv_tensor *got, const cliv_tensor *want, const char *file, int line);
#define ASSERT_SAME(dtype, got, want, n) test_same((dtype), (got), (want), (n), __FILE__, __LINE__)
void test_same(cliv_dtype dtype, const void *got, const void *want, size_t n, const char *file, int line);
/* Every got[i] within `ulp` of want[i]; NaN and infinity must meet their like. */
#define ASSERT_ULP(got, want, n, ulp) test_within_ulp((got), (want), (n), (ulp), __FILE__, __LINE__)
void test_within_ulp(const float *got, const double *want, size_t n, double ulp, const char *file, int line);
/* |got - want| <= bound. */
#define ASSERT_NEAR(got, want, bound) test_near((got), (want), (bound), __FILE__, __LINE__)
void test_near(double got, double want, double bound, const char *file, int line);

/* ---- places ---- */

/* Path below the source tree; malloc'd. Needs $CLIV_TEST_SOURCE, which ctest sets. */
char *test_source_path(const char *relative);
/* A new empty folder below the build tree (or $TMPDIR); malloc'd. Remove it with test_remove_tree. */
char *test_temp_dir(void);
void test_remove_tree(const char *dir);
/* dir/name, malloc'd. */
char *test_join(const char *dir, const char *name);
void test_write_file(const char *path, const void *bytes, size_t count);
/* Whole file, malloc'd, with a 0 after the last byte. */
char *test_read_file(const char *path, size_t *count);

#endif
