/* A call that fails has changed nothing. Every OpenCL call and every allocation within a call of the library (scene.c
 * has them) is made to fail, by itself or with all that follow. Then weights, states and counts have the bits of
 * before, the same call succeeds, and leaves what it leaves without a fault; nothing stays alive. What may be torn are
 * launches that go together, where the driver takes one and refuses another: then the library says so until it is told
 * that all is as it should be. Needs the fault layer: OPENCL_LAYERS=…/libfault_layer.so. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layer.h"
#include "memfault.h"
#include "scene.h"
#include "support.h"

static const fault_layer *layer;
static const char *only = ""; /* acts whose name contains this */
static char *dir, *files[SCENE_FILES];

typedef struct fault {
  bool memory; /* an allocation, else an OpenCL call */
  long n;
  int sticky;
  const char *among; /* of the calls whose name contains this; NULL: of all */
} fault;

static void arm(fault f) {
  if (f.memory) memfault_arm(f.n, f.sticky);
  else layer->arm(f.n, f.sticky, f.among);
}

static void disarm(void) {
  memfault_arm(0, 0);
  layer->arm(0, 0, NULL);
}

static const char *fired(fault f) { return !f.memory ? layer->fired() : memfault_fired() ? "malloc" : NULL; }

/* ---- contexts ---- */

/* A queue of the caller's, out of order. */
typedef struct guest {
  cl_context context;
  cl_command_queue queue;
} guest;

static cliv_context *open_context(cliv_walk walk, bool out_of_order, guest *g) {
  const cliv_context_options options = {.walk = walk};
  cliv_context *first, *ctx;
  cl_int code;
  *g = (guest){NULL, NULL};
  ASSERT_OK(NULL, cliv_context_create(&options, &first));
  if (!out_of_order) return first;
  cl_device_id device = cliv_context_cl_device(first);
  g->context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
  ASSERT_CL(code);
  g->queue = clCreateCommandQueue(g->context, device, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, &code);
  ASSERT_CL(code);
  ASSERT_OK(NULL, cliv_context_wrap(g->context, device, g->queue, &options, &ctx));
  cliv_context_free(first);
  return ctx;
}

static void close_context(cliv_context *ctx, guest *g) {
  cliv_context_free(ctx);
  if (g->queue) clReleaseCommandQueue(g->queue);
  if (g->context) clReleaseContext(g->context);
}

/* ---- one act ---- */

/* What an act is before its call, and after. */
typedef struct course {
  const act *a;
  const char *where;
  picture before, after;
  long calls, allocations; /* within the call */
  long torn;               /* calls that were */
} course;

static bool same(const picture *a, const picture *b) {
  return a->count == b->count && memcmp(a->bytes, b->bytes, a->count) == 0;
}

#define FAIL(c, f, call, ...)                                                                                  \
  do {                                                                                                         \
    char fail_text[1024];                                                                                      \
    snprintf(fail_text, sizeof fail_text, __VA_ARGS__);                                                        \
    fail_msg("%s, %s, %s %ld%s (%s): %s", (c)->a->name, (c)->where, (f).memory ? "allocation" : "call", (f).n, \
             (f).sticky ? " and all later" : "", (call), fail_text);                                           \
  } while (0)

/* Of launches that go together, the second or a later one: all else has been seen to before the first. */
static bool tears(const char *call) {
  return strcmp(call, "clSetKernelArg") == 0 || strncmp(call, "clEnqueueNDRangeKernel", 22) == 0 ||
         strcmp(call, "clEnqueueCopyBuffer") == 0 || strcmp(call, "clEnqueueMarkerWithWaitList") == 0;
}

static bool is(const scene *s, const picture *want) {
  picture now = {0};
  scene_look(s, &now);
  const bool yes = same(&now, want);
  free(now.bytes);
  return yes;
}

static void expect(const course *c, const scene *s, fault f, const char *call, const picture *want, const char *when) {
  picture now = {0};
  scene_look(s, &now);
  if (!same(&now, want)) {
    size_t at = 0;
    while (at < now.count && at < want->count && now.bytes[at] == want->bytes[at]) at++;
    FAIL(c, f, call, "%s: %zu bytes, and %zu are expected; byte %zu differs", when, now.count, want->count, at);
  }
  free(now.bytes);
}

/* Some launches of several were taken. Optimizers remember that, and so does what goes by earlier gradients, for which
 * there is no way back; what can be called again by itself is. */
static bool mend(course *c, scene *s, fault f, const char *call) {
  c->torn++;
  const bool lost = c->a->restores && f.sticky;
  if (!lost && (!tears(call) || f.memory || c->a->restores)) expect(c, s, f, call, &c->before, "after the failure");
  if (!c->a->forgets) {
    const cliv_status again = c->a->call(s);
    if (!again) {
      expect(c, s, f, call, &c->after, "torn, and called again");
      return false;
    }
    if (again != CLIV_STATE || !*cliv_last_error(s->ctx))
      FAIL(c, f, call, "it was torn, and the next call says %d: %s", (int)again, cliv_last_error(s->ctx));
    if (s->variance) return false;
  }
  scene_put_back(s, &c->before);
  if (c->a->recover) c->a->recover(s, &c->before);
  else if (s->opt) ASSERT_OK(s->ctx, cliv_optimizer_load(s->opt, files[0]));
  expect(c, s, f, call, &c->before, "put back");
  return true;
}

/* After a failure: all is as it was, or torn and said to be; and the call goes through. To look means to lay states
 * out: every other time that is left to the call. */
static void go_on(course *c, scene *s, fault f, const char *call) {
  if ((!f.sticky || c->a->forgets) && !is(s, &c->before) && !mend(c, s, f, call)) return;
  cliv_status again = c->a->call(s);
  if (again == CLIV_STATE) { /* what the launches changed may not show */
    if (!mend(c, s, f, call)) return;
    again = c->a->call(s);
  }
  if (again) FAIL(c, f, call, "the next call fails: %d, %s", (int)again, cliv_last_error(s->ctx));
  expect(c, s, f, call, &c->after, "after the next call");
}

/* False when no call failed. */
static bool try_fault(course *c, cliv_context *ctx, fault f) {
  scene s;
  scene_open(&s, ctx, c->a, files);
  arm(f);
  const cliv_status status = c->a->call(&s);
  const char *call = fired(f);
  disarm();
  if (!status) expect(c, &s, f, call ? call : "none", &c->after, "without a failure");
  else if (!call) FAIL(c, f, "none", "it fails: %d, %s", (int)status, cliv_last_error(ctx));
  else if (status / 100 == 2 || status == CLIV_INTERNAL || !*cliv_last_error(ctx))
    FAIL(c, f, call, "it fails with %d: %s", (int)status, cliv_last_error(ctx));
  else go_on(c, &s, f, call);
  scene_close(&s);
  return call != NULL;
}

/* What there is without a fault, and how many calls and allocations could fail: in a new context, or in one that has
 * what the call needs. To look means to lay states out, and so waits until they are counted. */
static void draw(course *c, cliv_context *ctx, bool is_new) {
  for (int round = is_new; round < 3; round++) {
    scene s;
    scene_open(&s, ctx, c->a, files);
    if (round == 2) scene_look(&s, &c->before);
    arm((fault){.n = LONG_MAX});
    arm((fault){.n = LONG_MAX, .memory = true});
    const cliv_status status = c->a->call(&s);
    if (round < 2) c->calls = layer->calls(), c->allocations = memfault_calls();
    disarm();
    if (status) fail_msg("%s, no fault: %s", c->a->name, cliv_last_error(ctx));
    scene_look(&s, &c->after);
    if (round == 2 && same(&c->before, &c->after)) fail_msg("%s changes nothing that is looked at", c->a->name);
    scene_close(&s);
  }
}

static void forget(course *c) {
  free(c->before.bytes);
  free(c->after.bytes);
}

/* From one call that fails to the next: all of a few, some of many. */
static long stride(long count, long most) {
  const long tries = test_small() ? most / 4 : most;
  return *only || count <= tries ? 1 : (count + tries - 1) / tries;
}

enum { TRIES = 16, FEW_TRIES = 6 };

/* In a context that has all programs and memory. */
static void sweep_warm(course *c, cliv_context *ctx, long most) {
  char alive[256];
  draw(c, ctx, false);
  for (int memory = 0; memory < 2; memory++) {
    const long step = stride(memory ? c->allocations : c->calls, most);
    fault f = {.memory = memory};
    for (f.n = 1;; f.n += step) {
      f.sticky = (int)(f.n / step) % 2;
      snprintf(alive, sizeof alive, "%s", layer->leaks());
      if (!try_fault(c, ctx, f)) break;
      if (strcmp(alive, layer->leaks()) != 0 && f.n > 1)
        FAIL(c, f, "?", "alive before: %s, and after: %s", alive, layer->leaks());
    }
    print_message("%s, %s: %ld %s, one in %ld, torn %ld\n", c->a->name, c->where, memory ? c->allocations : c->calls,
                  memory ? "allocations" : "calls", step, c->torn);
    c->torn = 0;
  }
}

static void warm(void **state) {
  (void)state;
  for (size_t w = 0; w < TEST_WALKS; w++) {
    guest g;
    cliv_context *ctx = open_context(test_walks[w], w == 1, &g);
    for (size_t i = 0; i < act_count; i++) {
      course c = {.a = &acts[i], .where = w ? "GPU walk, out of order" : "CPU walk"};
      if (!strstr(acts[i].name, only)) continue;
      sweep_warm(&c, ctx, w ? FEW_TRIES : TRIES);
      forget(&c);
    }
    close_context(ctx, &g);
    assert_string_equal(layer->leaks(), "none");
  }
}

/* In contexts of their own: what is made once. */
static void sweep_cold(course *c, fault f) {
  const long step = f.memory ? stride(c->allocations, FEW_TRIES) : *only ? 1 : 3;
  for (f.n = 1;; f.n += step) {
    guest g;
    cliv_context *ctx = open_context(CLIV_WALK_CPU, false, &g);
    f.sticky = (int)(f.n / step) % 2;
    const bool more = try_fault(c, ctx, f);
    close_context(ctx, &g);
    if (strcmp(layer->leaks(), "none") != 0) FAIL(c, f, "?", "alive: %s", layer->leaks());
    if (!more) break;
  }
  print_message("%s, %s: %ld %s, one in %ld\n", c->a->name, c->where, f.n - 1, f.memory ? "allocations" : f.among,
                step);
}

static void cold(void **state) {
  (void)state;
  static const fault faults[] = {{.among = "Create"}, {.among = "Build"}, {.memory = true}};
  for (size_t i = 0; i < act_count; i++) {
    course c = {.a = &acts[i], .where = "nothing compiled"};
    guest g;
    if (!acts[i].cold || !strstr(acts[i].name, only)) continue;
    cliv_context *ctx = open_context(CLIV_WALK_CPU, false, &g);
    draw(&c, ctx, true);
    close_context(ctx, &g);
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) sweep_cold(&c, faults[k]);
    forget(&c);
  }
}

static int prepare(void **state) {
  (void)state;
  static const char *const names[SCENE_FILES] = {"states.safetensors", "averages.safetensors"};
  layer = fault_layer_find();
  if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 0); /* a file is written for every fault */
  dir = test_temp_dir();
  for (size_t i = 0; i < SCENE_FILES; i++) files[i] = test_join(dir, names[i]);
  return 0;
}

static int clean(void **state) {
  (void)state;
  test_remove_tree(dir);
  for (size_t i = 0; i < SCENE_FILES; i++) free(files[i]);
  free(dir);
  return 0;
}

/* fault_steps [TEXT [TEST]]: all acts, or those with the text in their name, whole; all tests, or those of this
 * pattern. */
int main(int argc, char **argv) {
  if (argc > 1) only = argv[1];
  if (argc > 2) cmocka_set_test_filter(argv[2]);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(warm),
      cmocka_unit_test(cold),
  };
  return cmocka_run_group_tests(tests, prepare, clean);
}
