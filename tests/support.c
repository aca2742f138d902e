#define _XOPEN_SOURCE 700 /* nftw */

#include "support.h"

#include <cliv/blas.h>
#include <ftw.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/context.h"
#include "runtime/quirks.h"

/* cmocka's own fail functions are the only way out of a test; this one adds a sentence. */
static void fail_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn));
static void fail_at(const char *file, int line, const char *format, ...) {
  va_list args;
  char text[4096];
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  print_error("%s\n", text);
  _fail(file, line);
  abort(); /* _fail jumps away, but is not declared so */
}

/* What the sentences were before a call: of the context, of the thread. */
static _Thread_local uint64_t remembered[2];

static uint64_t hash_of(const char *text) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
  for (; *text; text++) hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
  return hash;
}

void test_remember(const cliv_context *ctx) {
  remembered[0] = hash_of(cliv_last_error(ctx));
  remembered[1] = hash_of(cliv_last_error(NULL));
}

void test_expect(const cliv_context *ctx, cliv_status got, cliv_status want, const char *part, const char *call,
                 const char *file, int line) {
  const char *sentence = got ? cliv_last_error(ctx) : "";
  if (got != want)
    fail_at(file, line, "%s\n  gave %s, not %s: %s", call, cliv_status_name(got), cliv_status_name(want), sentence);
  if (!want) {
    const bool same = remembered[0] == hash_of(cliv_last_error(ctx)) && remembered[1] == hash_of(cliv_last_error(NULL));
    if (!same) fail_at(file, line, "%s\n  succeeded, but lost the sentence of an earlier failure", call);
    return;
  }
  if (sentence[0] == 0) fail_at(file, line, "%s\n  gave %s without a sentence", call, cliv_status_name(got));
  if (part && !strstr(sentence, part))
    fail_at(file, line, "%s\n  says \"%s\", which lacks \"%s\"", call, sentence, part);
}

void test_expect_cl(cl_int code, const char *call, const char *file, int line) {
  if (code != CL_SUCCESS) fail_at(file, line, "%s gave OpenCL error %d", call, (int)code);
}

/* ---- devices and sizes ---- */

const cliv_walk test_walks[TEST_WALKS] = {CLIV_WALK_CPU, CLIV_WALK_GPU};

const char *test_walk_name(cliv_walk walk) {
  return walk == CLIV_WALK_CPU ? "cpu" : walk == CLIV_WALK_GPU ? "gpu" : "auto";
}

static bool set(const char *variable) {
  const char *value = getenv(variable);
  return value && value[0] && strcmp(value, "0") != 0;
}

/* Compiling is most of what a test costs: contexts are kept, with their programs, for the next test that opens one. */
typedef struct kept {
  struct kept *next;
  cliv_context *ctx;
  cliv_walk asked;
  size_t group_size;
  bool used;
} kept;

static kept *all_kept;

int test_finish(int failures) {
  for (kept *k = all_kept, *next; k; k = next) {
    next = k->next;
    cliv_context_free(k->ctx);
    free(k);
  }
  all_kept = NULL;
  return failures;
}

static cliv_context *create(cliv_walk walk, size_t group_size) {
  const bool no_cache = set("CLIV_TEST_NO_CACHE");
  const cliv_context_options options = {.size = sizeof options,
                                        .walk = walk,
                                        .group_size = group_size,
                                        .no_disk_cache = no_cache,
                                        .probe = no_cache ? CLIV_PROBE_NEVER : CLIV_PROBE_UNKNOWN};
  cliv_context *ctx = NULL;
  ASSERT_OK(NULL, cliv_context_create(&options, &ctx));
  return ctx;
}

cliv_context *test_open(cliv_walk walk) { return test_open_group(walk, 0); }

/* What AUTO is on this device; AUTO until it was asked for. */
static cliv_walk automatic = CLIV_WALK_AUTO;

cliv_context *test_open_group(cliv_walk walk, size_t group_size) {
  const cliv_walk actual = walk == CLIV_WALK_AUTO ? automatic : walk;
  for (kept *k = all_kept; k; k = k->next) {
    if (k->used || k->group_size != group_size || (k->asked != actual && cliv_context_walk(k->ctx) != actual)) continue;
    k->used = true;
    return k->ctx;
  }
  kept *k = test_alloc(sizeof *k);
  *k = (kept){.next = all_kept, .ctx = create(walk, group_size), .asked = walk, .group_size = group_size, .used = true};
  if (walk == CLIV_WALK_AUTO) automatic = cliv_context_walk(k->ctx);
  all_kept = k;
  return k->ctx;
}

void test_close(cliv_context *ctx) {
  for (kept *k = all_kept; k; k = k->next)
    if (k->ctx == ctx) k->used = false;
}

int test_forget_programs(void **state) {
  (void)state;
  return cliv_blas_forget() != CLIV_OK;
}

test_ways test_open_all(void) {
  static const size_t groups[] = {0, 16, 1024};
  test_ways c = {.count = 0};
  cliv_context *cpu = test_open(CLIV_WALK_CPU);
  const bool both = cliv_context_walk(cpu) == CLIV_WALK_CPU;
  if (both) c.ctx[c.count++] = cpu;
  else test_close(cpu);
  const bool large = both && (test_small() || !test_few());
  for (size_t g = 0; g < (large ? 3 : 2); g++) c.ctx[c.count++] = test_open_group(CLIV_WALK_GPU, groups[g]);
  return c;
}

void test_close_all(const test_ways *c) {
  for (size_t i = 0; i < c->count; i++) test_close(c->ctx[i]);
}

int test_setup_all(void **state) {
  test_ways *c = test_alloc(sizeof *c);
  *c = test_open_all();
  *state = c;
  return 0;
}

int test_teardown_all(void **state) {
  test_close_all(*state);
  free(*state);
  return 0;
}

bool test_flush_waits(const cliv_context *ctx) {
  cl_platform_id platform;
  char name[64] = "";
  ASSERT_CL(clGetDeviceInfo(cliv_context_cl_device(ctx), CL_DEVICE_PLATFORM, sizeof platform, &platform, NULL));
  ASSERT_CL(clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof name, name, NULL));
  return !strcmp(name, "Oclgrind");
}

size_t test_first_walk(void) {
  cliv_context *ctx = test_open(CLIV_WALK_CPU);
  const bool both = cliv_context_walk(ctx) == CLIV_WALK_CPU;
  test_close(ctx);
  return both ? 0 : 1;
}

bool test_slow(const cliv_context *ctx) { return (ctx->quirks & CLIV__QUIRK_SOFTWARE) != 0; }

bool test_small(void) { return set("CLIV_TEST_SMALL"); }

bool test_few(void) { return test_small() || set("CLIV_TEST_FEW"); }

const size_t *test_sizes(size_t *count) {
  static const size_t sizes[] = {0, 1, 2, 255, 256, 257, 4097, 4095, 4096, 4999, 1000003};
  *count = test_small() ? 7 : sizeof sizes / sizeof sizes[0];
  return sizes;
}

/* ---- data ---- */

/* splitmix64's finalizer over (seed, i). */
uint64_t test_bits(uint64_t seed, uint64_t i) {
  uint64_t z = seed * UINT64_C(0xd1342543de82ef95) + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

double test_uniform(uint64_t seed, uint64_t i, double low, double high) {
  return low + (high - low) * ((double)(test_bits(seed, i) >> 11) * 0x1p-53);
}

double test_normal(uint64_t seed, uint64_t i) {
  const double u = 1.0 - test_uniform(seed, 2 * i, 0, 1), v = test_uniform(seed, 2 * i + 1, 0, 1);
  return sqrt(-2 * log(u)) * cos(2 * 3.14159265358979323846 * v);
}

void test_fill_uniform(float *x, size_t n, uint64_t seed, double low, double high) {
  for (size_t i = 0; i < n; i++) x[i] = (float)test_uniform(seed, i, low, high);
}

void test_fill_normal(float *x, size_t n, uint64_t seed) {
  for (size_t i = 0; i < n; i++) x[i] = (float)test_normal(seed, i);
}

void test_fill_bits(void *x, size_t bytes, uint64_t seed) {
  unsigned char *out = x;
  for (size_t i = 0; i < bytes; i++) out[i] = (unsigned char)(test_bits(seed, i / 8) >> (i % 8 * 8));
}

void *test_alloc(size_t bytes) {
  void *p = malloc(bytes ? bytes : 1);
  if (!p) fail_msg("no %zu bytes of host memory", bytes);
  return p;
}

double test_get(cliv_dtype dtype, const void *x, size_t i) {
  switch (dtype) {
    case CLIV_F32: return ((const float *)x)[i];
    case CLIV_F16: return cliv_half_to_float(((const uint16_t *)x)[i]);
    case CLIV_BF16: return cliv_bfloat_to_float(((const uint16_t *)x)[i]);
    case CLIV_F64: return ((const double *)x)[i];
    case CLIV_I32: return ((const int32_t *)x)[i];
    case CLIV_I64: return (double)((const int64_t *)x)[i];
    case CLIV_U8: return ((const uint8_t *)x)[i];
    default: fail_msg("dtype %d", (int)dtype); return 0;
  }
}

/* Rounds to `bits` of significand with least exponent `low` (that of the smallest normal), to nearest even. */
static double round_to(double value, int bits, int low) {
  int exponent;
  if (value == 0 || !isfinite(value)) return value;
  frexp(value, &exponent);
  exponent = exponent - 1 < low ? low : exponent - 1;
  const double unit = ldexp(1.0, exponent - (bits - 1));
  return nearbyint(value / unit) * unit;
}

void test_put(cliv_dtype dtype, void *x, size_t i, double value) {
  switch (dtype) {
    case CLIV_F32: ((float *)x)[i] = (float)value; break;
    /* Rounded in double first, so that the second step, which is the library's, has nothing left to round. */
    case CLIV_F16: ((uint16_t *)x)[i] = cliv_float_to_half((float)round_to(value, 11, -14)); break;
    case CLIV_BF16: ((uint16_t *)x)[i] = cliv_float_to_bfloat((float)round_to(value, 8, -126)); break;
    case CLIV_F64: ((double *)x)[i] = value; break;
    case CLIV_I32: ((int32_t *)x)[i] = (int32_t)nearbyint(value); break;
    case CLIV_I64: ((int64_t *)x)[i] = (int64_t)nearbyint(value); break;
    case CLIV_U8: ((uint8_t *)x)[i] = (uint8_t)nearbyint(value); break;
    default: fail_msg("dtype %d", (int)dtype);
  }
}

/* ---- tensors with guard zones ---- */

enum { GUARD_BYTES = 4096, GUARD_SEED = 0x6a7d };

test_guarded test_guard(cliv_context *ctx, cliv_dtype dtype, int ndim, const size_t *shape, size_t shift,
                        const void *data) {
  test_guarded g = {0};
  size_t count = 1;
  for (int d = 0; d < ndim; d++) count *= shape[d];
  g.before = GUARD_BYTES + shift * cliv_dtype_size(dtype);
  g.bytes = count * cliv_dtype_size(dtype);
  g.total = g.before + g.bytes + GUARD_BYTES;
  unsigned char *image = test_alloc(g.total);
  test_fill_bits(image, g.total, GUARD_SEED);
  if (data && g.bytes) memcpy(image + g.before, data, g.bytes);
  cl_int code;
  g.mem = clCreateBuffer(cliv_context_cl_context(ctx), CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, g.total, image, &code);
  free(image);
  ASSERT_CL(code);
  ASSERT_OK(ctx, cliv_tensor_wrap(ctx, g.mem, g.before, dtype, ndim, shape, &g.tensor));
  return g;
}

test_guarded test_guard1(cliv_context *ctx, cliv_dtype dtype, size_t n, size_t shift, const void *data) {
  return test_guard(ctx, dtype, 1, &n, shift, data);
}

bool test_guard_intact(const test_guarded *g, char *why, size_t room) {
  cliv_context *ctx = cliv_tensor_context(g->tensor);
  unsigned char *image = test_alloc(g->total), *want = test_alloc(g->total);
  bool intact = true;
  ASSERT_OK(ctx, cliv_context_finish(ctx));
  ASSERT_CL(clEnqueueReadBuffer(cliv_context_cl_queue(ctx), g->mem, CL_TRUE, 0, g->total, image, 0, NULL, NULL));
  test_fill_bits(want, g->total, GUARD_SEED);
  memcpy(want + g->before, image + g->before, g->bytes);
  for (size_t i = 0; intact && i < g->total; i++)
    if (image[i] != want[i]) {
      intact = false;
      if (i < g->before)
        snprintf(why, room, "%zu bytes before the tensor of %zu bytes were overwritten", g->before - i, g->bytes);
      else
        snprintf(why, room, "byte %zu after the tensor of %zu bytes was overwritten", i - g->before - g->bytes,
                 g->bytes);
    }
  free(image);
  free(want);
  return intact;
}

void test_guard_check(const test_guarded *g) {
  char why[200];
  if (!test_guard_intact(g, why, sizeof why)) fail_msg("%s", why);
}

void test_guard_free(test_guarded *g) {
  test_guard_check(g);
  cliv_tensor_free(g->tensor);
  ASSERT_CL(clReleaseMemObject(g->mem));
  *g = (test_guarded){0};
}

void *test_read(const cliv_tensor *tensor) {
  const size_t bytes = cliv_tensor_count(tensor) * cliv_dtype_size(cliv_tensor_dtype(tensor));
  void *host = test_alloc(bytes);
  ASSERT_OK(cliv_tensor_context(tensor), cliv_tensor_read(tensor, host, bytes));
  return host;
}

void test_set_options(const cliv_context *ctx, cliv_optimizer *o, const char *options) {
  char copy[256];
  snprintf(copy, sizeof copy, "%s", options);
  for (char *pair = strtok(copy, " "); pair; pair = strtok(NULL, " ")) {
    char *value = strchr(pair, '=');
    *value++ = 0;
    ASSERT_OK(ctx, cliv_optimizer_set(o, CLIV_ALL_GROUPS, pair, strtod(value, NULL)));
  }
}

cliv_optimizer *test_optimizer(cliv_context *ctx, const char *rule, const char *preset, const char *options) {
  cliv_optimizer *o;
  const cliv_optimizer_options with = {.size = sizeof with, .preset = preset};
  ASSERT_OK(ctx, cliv_optimizer_create(ctx, rule, &with, &o));
  test_set_options(ctx, o, options);
  return o;
}

/* ---- comparing ---- */

/* Floats as integers that keep their order: the distance of two is their distance in ulp. */
static int64_t ordered(float x) {
  int32_t i;
  memcpy(&i, &x, sizeof i);
  return i < 0 ? (int64_t)INT32_MIN - i : i;
}

uint64_t test_ulp_f32(float a, float b) {
  if (isnan(a) || isnan(b)) return isnan(a) && isnan(b) ? 0 : UINT64_MAX;
  const int64_t distance = ordered(a) - ordered(b);
  return (uint64_t)(distance < 0 ? -distance : distance);
}

double test_ulp_error(float got, double want) {
  int exponent;
  if (isnan(want) || isinf((float)want)) return test_ulp_f32(got, (float)want) ? (double)INFINITY : 0;
  frexp(want, &exponent);
  const int unit = want == 0 || exponent < -125 ? -149 : exponent - 24;
  return fabs(got - want) / ldexp(1.0, unit);
}

void test_same_bits(const void *got, const void *want, size_t bytes, const char *file, int line) {
  const unsigned char *a = got, *b = want;
  for (size_t i = 0; i < bytes; i++)
    if (a[i] != b[i]) fail_at(file, line, "byte %zu of %zu is %02x, not %02x", i, bytes, a[i], b[i]);
}

void test_same(cliv_dtype dtype, const void *got, const void *want, size_t n, const char *file, int line) {
  const size_t size = cliv_dtype_size(dtype);
  for (size_t i = 0; i < n; i++) {
    const unsigned char *a = (const unsigned char *)got + i * size, *b = (const unsigned char *)want + i * size;
    if (memcmp(a, b, size))
      fail_at(file, line, "%s element %zu of %zu is %.17g (%a), not %.17g (%a)", cliv_dtype_name(dtype), i, n,
              test_get(dtype, got, i), test_get(dtype, got, i), test_get(dtype, want, i), test_get(dtype, want, i));
  }
}

void test_same_tensors(const cliv_tensor *got, const cliv_tensor *want, const char *file, int line) {
  const cliv_dtype dtype = cliv_tensor_dtype(want);
  const size_t n = cliv_tensor_count(want);
  if (cliv_tensor_dtype(got) != dtype || cliv_tensor_count(got) != n)
    fail_at(file, line, "%zu elements of %s, not %zu of %s", cliv_tensor_count(got),
            cliv_dtype_name(cliv_tensor_dtype(got)), n, cliv_dtype_name(dtype));
  void *a = test_read(got), *b = test_read(want);
  test_same(dtype, a, b, n, file, line);
  free(a);
  free(b);
}

void test_within_ulp(const float *got, const double *want, size_t n, double ulp, const char *file, int line) {
  for (size_t i = 0; i < n; i++) {
    const double error = test_ulp_error(got[i], want[i]);
    if (!(error <= ulp))
      fail_at(file, line, "element %zu of %zu is %.9g (%a), not %.17g: %.3g ulp, allowed %.3g", i, n, (double)got[i],
              (double)got[i], want[i], error, ulp);
  }
}

void test_near(double got, double want, double bound, const char *file, int line) {
  if (!(fabs(got - want) <= bound))
    fail_at(file, line, "%.17g is not %.17g: differs by %.3g, allowed %.3g", got, want, fabs(got - want), bound);
}

/* ---- places ---- */

char *test_join(const char *dir, const char *name) {
  const size_t room = strlen(dir) + strlen(name) + 2;
  char *path = test_alloc(room);
  snprintf(path, room, "%s/%s", dir, name);
  return path;
}

char *test_source_path(const char *relative) {
  const char *root = getenv("CLIV_TEST_SOURCE");
  if (!root) fail_msg("CLIV_TEST_SOURCE is not set: run the test by ctest, or set it to the source folder");
  return test_join(root ? root : "", relative);
}

char *test_temp_dir(void) {
  const char *root = getenv("TMPDIR");
  char *path = test_join(root ? root : "/tmp", "cliv-test-XXXXXX");
  if (!mkdtemp(path)) fail_msg("no temporary folder %s", path);
  return path;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
  (void)info, (void)kind, (void)where;
  return remove(path);
}

void test_remove_tree(const char *dir) {
  if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS)) fail_msg("cannot remove %s", dir);
}

void test_write_file(const char *path, const void *bytes, size_t count) {
  FILE *f = fopen(path, "wb");
  if (!f) fail_msg("cannot write %s", path);
  const bool written = fwrite(bytes, 1, count, f) == count;
  if (fclose(f) || !written) fail_msg("cannot write %s", path);
}

char *test_read_file(const char *path, size_t *count) {
  FILE *f = fopen(path, "rb");
  if (!f) fail_msg("cannot read %s", path);
  struct stat info;
  if (fstat(fileno(f), &info)) fail_msg("cannot read %s", path);
  char *text = test_alloc((size_t)info.st_size + 1);
  const size_t got = fread(text, 1, (size_t)info.st_size, f);
  fclose(f);
  if (got != (size_t)info.st_size) fail_msg("%s: short read", path);
  text[got] = 0;
  if (count) *count = got;
  return text;
}
