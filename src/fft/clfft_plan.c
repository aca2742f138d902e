/* clFFT under one lock: its global state, plans, and the proof of them. */
#include "fft/clfft_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cliv__clfft_knows(size_t length) {
  static const size_t factors[] = {2, 3, 5, 7, 11, 13};
  if (length == 0) return false;
  for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
    while (length % factors[i] == 0) length /= factors[i];
  return length == 1;
}

void cliv__clfft_shape_write(const cliv__clfft_shape *s, char to[static CLIV__CLFFT_SHAPE_TEXT]) {
  const uint64_t n[] = {s->kind,      s->inverse,   s->in_place, s->dims, s->length[0],
                        s->length[1], s->length[2], s->batch,    s->cured};
  int at = 0;
  for (size_t i = 0; i < sizeof n / sizeof *n; i++)
    at += snprintf(to + at, (size_t)(CLIV__CLFFT_SHAPE_TEXT - at), "%" PRIu64 ":", n[i]);
  snprintf(to + at, (size_t)(CLIV__CLFFT_SHAPE_TEXT - at), "%a", s->scale);
}

bool cliv__clfft_shape_read(const char *text, cliv__clfft_shape *s) {
  cl_ulong n[9];
  char *end = NULL;
  for (size_t i = 0; i < sizeof n / sizeof *n; i++, text = end + 1) {
    n[i] = strtoull(text, &end, 10);
    if (end == text || *end != ':') return false;
  }
  const double scale = strtod(text, &end);
  if (end == text || *end) return false;
  *s = (cliv__clfft_shape){n[0], n[1], n[2], n[3], {n[4], n[5], n[6]}, n[7], n[8], scale};
  bool known = s->kind <= 2 && s->dims >= 1 && s->dims <= 3 && s->batch >= 1;
  for (cl_ulong d = 0; known && d < s->dims; d++) known = cliv__clfft_knows((size_t)s->length[d]);
  return known;
}

#ifdef CLIV_HAVE_CLFFT

#include <clFFT.h>
#include <pthread.h>

#include "fft/proof.h"
#include "fft/provider.h"

/* ---- errors ---- */

static const struct {
  int code;
  const char *text;
} codes[] = {
    {CLFFT_BUGCHECK, "a check of its own failed"},
    {CLFFT_NOTIMPLEMENTED, "not implemented"},
    {CLFFT_TRANSPOSED_NOTIMPLEMENTED, "not implemented for this transposition"},
    {CLFFT_FILE_NOT_FOUND, "a file or program was not found"},
    {CLFFT_FILE_CREATE_FAILURE, "a file could not be made"},
    {CLFFT_VERSION_MISMATCH, "the version is another than its header's"},
    {CLFFT_INVALID_PLAN, "there is no such plan: has somebody called clfftTeardown?"},
    {CLFFT_DEVICE_NO_DOUBLE, "the device has no float64"},
    {CLFFT_DEVICE_MISMATCH, "the plan is another device's"},
    {CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES"},
    {CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY"},
    {CL_MEM_OBJECT_ALLOCATION_FAILURE, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
    {CL_INVALID_PROGRAM, "its generated program does not compile"},
    {CL_INVALID_PROGRAM_EXECUTABLE, "its generated program does not compile"},
    {CL_BUILD_PROGRAM_FAILURE, "its generated program does not compile"},
    {CL_INVALID_BUFFER_SIZE, "CL_INVALID_BUFFER_SIZE"},
    {CL_INVALID_WORK_GROUP_SIZE, "CL_INVALID_WORK_GROUP_SIZE"},
};

static cliv__clfft_verdict failed(int code, const char *what, char why[static CLIV__CLFFT_WHY]) {
  const char *text = "see the OpenCL codes";
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (codes[i].code == code) text = codes[i].text;
  snprintf(why, CLIV__CLFFT_WHY, "%s failed: %s (%d)", what, text, code);
  return code == CL_OUT_OF_RESOURCES || code == CL_OUT_OF_HOST_MEMORY || code == CL_MEM_OBJECT_ALLOCATION_FAILURE
             ? CLIV__CLFFT_PASSING
             : CLIV__CLFFT_BAD;
}

/* ---- the state that a process has one of ---- */

static struct {
  pthread_mutex_t lock;
  bool up;
  bool shared;   /* somebody else makes plans too: to them clFFT is left */
  size_t users;  /* see cliv__clfft_hold */
  size_t plans;  /* of ours that live */
  size_t expect; /* the handle of the next plan, where nobody else has made one: clFFT counts them from 1 */
} clfft = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The handle that a plan made now gets; clFFT does nothing but count for it. 0: it failed. */
static size_t next_handle(cl_context context) {
  static const size_t one = 1;
  clfftPlanHandle handle = 0;
  if (clfftCreateDefaultPlan(&handle, context, CLFFT_1D, &one) != CLFFT_SUCCESS) return 0;
  const size_t next = handle;
  clfftDestroyPlan(&handle);
  return next;
}

/* True when the next plan has another handle than it would have if all were ours. */
static void look_for_others(cl_context context) {
  const size_t next = next_handle(context);
  if (next != 0 && next != clfft.expect) clfft.shared = true;
  if (next != 0) clfft.expect = next + 1;
}

static int enter(cl_context context) {
  if (!clfft.up) {
    const clfftSetupData data = {clfftVersionMajor, clfftVersionMinor, clfftVersionPatch, 0};
    const clfftStatus code = clfftSetup(&data);
    if (code != CLFFT_SUCCESS) return code;
    clfft.up = true;
    clfft.expect = 1;
  }
  look_for_others(context);
  return CLFFT_SUCCESS;
}

/* baked: a plan has made plans within it. */
static void leave(cl_context context, bool baked) {
  if (baked) {
    const size_t next = next_handle(context);
    if (next != 0) clfft.expect = next + 1;
  } else {
    look_for_others(context);
  }
  if (clfft.plans > 0 || clfft.users > 0 || clfft.shared) return;
  clfftTeardown();
  clfft.up = false;
}

void cliv__clfft_hold(void) {
  pthread_mutex_lock(&clfft.lock);
  clfft.users++;
  pthread_mutex_unlock(&clfft.lock);
}

void cliv__clfft_release(cl_context context) {
  pthread_mutex_lock(&clfft.lock);
  clfft.users--;
  if (clfft.up) leave(context, false);
  pthread_mutex_unlock(&clfft.lock);
}

const char *cliv__clfft_version(char room[static 32]) {
  cl_uint major = 0, minor = 0, patch = 0;
  clfftGetVersion(&major, &minor, &patch);
  snprintf(room, 32, "%u.%u.%u", major, minor, patch);
  return room;
}

/* ---- plans ---- */

/* Identities. The text of a callback stands at the head of the generated program, which newer compilers refuse for
 * want of a cast (`__global float4 *buff4g = bufOut;`) unless the first line switches that off. The name and the text
 * are compared by address: they are the same two for all plans of a kind, and live as long as the process. */
#define LOAD(TYPE)                                                           \
  "#pragma clang diagnostic ignored \"-Wincompatible-pointer-types\"\n" TYPE \
  " cliv_load(__global void *x, uint i, __global void *none) {\n"            \
  "  return ((__global " TYPE                                                \
  " *)x)[i];\n"                                                              \
  "}\n"

static int cure(const cliv__clfft_shape *s, clfftPlanHandle handle) {
  static const char *const texts[] = {LOAD("float2"), LOAD("float")};
  const char *const text = texts[s->kind == CLIV__FFT_FROM_REAL];
  return s->cured ? (int)clfftSetPlanCallback(handle, "cliv_load", text, 0, PRECALLBACK, NULL, 0) : 0;
}

/* clFFT's first axis is the innermost. */
static void strides(const cliv__clfft_shape *s, bool halved, size_t step[3], size_t *whole) {
  size_t at = 1;
  for (size_t d = 0; d < s->dims; d++) {
    const size_t n = s->length[s->dims - 1 - d];
    step[d] = at;
    at *= halved && d == 0 ? n / 2 + 1 : n;
  }
  *whole = at;
}

static int describe(const cliv__clfft_shape *s, clfftPlanHandle handle) {
  static const clfftLayout layouts[][2] = {[CLIV__FFT_COMPLEX] = {CLFFT_COMPLEX_INTERLEAVED, CLFFT_COMPLEX_INTERLEAVED},
                                           [CLIV__FFT_FROM_REAL] = {CLFFT_REAL, CLFFT_HERMITIAN_INTERLEAVED},
                                           [CLIV__FFT_TO_REAL] = {CLFFT_HERMITIAN_INTERLEAVED, CLFFT_REAL}};
  const bool back = s->kind == CLIV__FFT_TO_REAL || (s->kind == CLIV__FFT_COMPLEX && s->inverse);
  const clfftDim dims = (clfftDim)s->dims;
  size_t in[3], out[3], in_whole, out_whole, points = 1;
  strides(s, s->kind == CLIV__FFT_TO_REAL, in, &in_whole);
  strides(s, s->kind == CLIV__FFT_FROM_REAL, out, &out_whole);
  for (size_t d = 0; d < s->dims; d++) points *= s->length[d];
  int code = clfftSetPlanPrecision(handle, CLFFT_SINGLE);
  if (!code) code = clfftSetLayout(handle, layouts[s->kind][0], layouts[s->kind][1]);
  if (!code) code = clfftSetResultLocation(handle, s->in_place ? CLFFT_INPLACE : CLFFT_OUTOFPLACE);
  if (!code) code = clfftSetPlanInStride(handle, dims, in);
  if (!code) code = clfftSetPlanOutStride(handle, dims, out);
  if (!code) code = clfftSetPlanDistance(handle, in_whole, out_whole);
  if (!code) code = clfftSetPlanBatchSize(handle, (size_t)s->batch);
  /* Of both directions, so that a pair of transforms there and back with the usual factors is one program. */
  if (!code) code = clfftSetPlanScale(handle, CLFFT_FORWARD, back ? 1.0f : (cl_float)s->scale);
  if (!code) code = clfftSetPlanScale(handle, CLFFT_BACKWARD, (cl_float)(back ? s->scale : 1 / (double)points));
  return code ? code : cure(s, handle);
}

cliv__clfft_verdict cliv__clfft_make(cl_context context, cl_command_queue queue, const cliv__clfft_shape *shape,
                                     cliv__clfft_plan *out, char why[static CLIV__CLFFT_WHY]) {
  size_t lengths[3];
  const char *what = "clfftSetup";
  *out = (cliv__clfft_plan){.shape = *shape, .context = context};
  for (size_t d = 0; d < shape->dims; d++) lengths[d] = shape->length[shape->dims - 1 - d];
  pthread_mutex_lock(&clfft.lock);
  int code = enter(context);
  if (!code) what = "clfftCreateDefaultPlan";
  if (!code) code = clfftCreateDefaultPlan(&out->handle, context, (clfftDim)shape->dims, lengths);
  const bool made = !code;
  clfft.plans += made;
  if (!code) what = "clfftSetPlan…", code = describe(shape, out->handle);
  if (!code) what = "clfftBakePlan", code = clfftBakePlan(out->handle, 1, &queue, NULL, NULL);
  if (!code) what = "clfftGetTmpBufSize", code = clfftGetTmpBufSize(out->handle, &out->room);
  if (code && made) clfftDestroyPlan(&out->handle), clfft.plans--;
  if (clfft.up) leave(context, true);
  pthread_mutex_unlock(&clfft.lock);
  if (!code) return CLIV__CLFFT_GOOD;
  out->handle = 0;
  return failed(code, what, why);
}

void cliv__clfft_drop(cliv__clfft_plan *plan) {
  if (!plan->handle) return;
  pthread_mutex_lock(&clfft.lock);
  clfftPlanHandle handle = plan->handle;
  clfftDestroyPlan(&handle);
  clfft.plans--;
  leave(plan->context, false);
  pthread_mutex_unlock(&clfft.lock);
  plan->handle = 0;
}

cliv__clfft_verdict cliv__clfft_run(const cliv__clfft_plan *plan, cl_command_queue queue, cl_uint wait_count,
                                    const cl_event *wait, cl_event *event, cl_mem x, cl_mem y, cl_mem room,
                                    char why[static CLIV__CLFFT_WHY]) {
  const cliv__clfft_shape *const s = &plan->shape;
  const bool back = s->kind == CLIV__FFT_TO_REAL || (s->kind == CLIV__FFT_COMPLEX && s->inverse);
  pthread_mutex_lock(&clfft.lock);
  const int code = clfftEnqueueTransform(plan->handle, back ? CLFFT_BACKWARD : CLFFT_FORWARD, 1, &queue, wait_count,
                                         wait, event, &x, s->in_place ? NULL : &y, room);
  pthread_mutex_unlock(&clfft.lock);
  return code ? failed(code, "clfftEnqueueTransform", why) : CLIV__CLFFT_GOOD;
}

/* ---- the proof ---- */

enum { GUARD = 64 /* bytes behind a result that stay as they are */, CHUNK = 1 << 18 /* floats on the host at once */ };
static const cl_uint UNTOUCHED = 0x5A5A5A5A;

typedef struct trial {
  cliv__proof proof;
  cl_command_queue queue;
  cl_mem x, y, room; /* y: NULL in place */
  size_t in, out;    /* bytes */
  float *host;       /* room for a chunk */
} trial;

static int make_memory(trial *t, cl_context context, size_t room) {
  cl_int code = CL_SUCCESS;
  t->x = clCreateBuffer(context, CL_MEM_READ_WRITE, t->in + GUARD, NULL, &code);
  if (!code && !t->proof.shape.in_place) t->y = clCreateBuffer(context, CL_MEM_READ_WRITE, t->out + GUARD, NULL, &code);
  if (!code && room) t->room = clCreateBuffer(context, CL_MEM_READ_WRITE, room, NULL, &code);
  if (!code) code = clEnqueueFillBuffer(t->queue, t->x, &UNTOUCHED, sizeof UNTOUCHED, 0, t->in + GUARD, 0, NULL, NULL);
  if (!code && t->y)
    code = clEnqueueFillBuffer(t->queue, t->y, &UNTOUCHED, sizeof UNTOUCHED, 0, t->out + GUARD, 0, NULL, NULL);
  return code;
}

/* Elements of arrays that are looked at, by the chunk: the input is written, or the result taken. */
static int pass(trial *t, bool back) {
  const size_t each = back ? t->proof.out_each : t->proof.in_each;
  const size_t parts = back ? t->proof.out_parts : t->proof.in_parts, most = CHUNK / parts;
  for (int run = 0; run < 2; run++) {
    cl_ulong at, end;
    cliv__proof_arrays(&t->proof, run, &at, &end);
    for (at *= each, end *= each; at < end;) {
      const size_t count = end - at < most ? (size_t)(end - at) : most, element = parts * sizeof(float);
      if (!back) cliv__proof_input(&t->proof, at, count, t->host);
      const int code = (back ? clEnqueueReadBuffer(t->queue, t->y ? t->y : t->x, CL_TRUE, (size_t)at * element,
                                                   count * element, t->host, 0, NULL, NULL)
                             : clEnqueueWriteBuffer(t->queue, t->x, CL_TRUE, (size_t)at * element, count * element,
                                                    t->host, 0, NULL, NULL));
      if (code) return code;
      if (back) cliv__proof_take(&t->proof, at, count, t->host);
      at += count;
    }
  }
  return CL_SUCCESS;
}

static cliv__clfft_verdict judge(trial *t, char why[static CLIV__CLFFT_WHY]) {
  static const double bound = 1e-6; /* what is wrong is farther off by orders of magnitude */
  cl_uint guard[GUARD / sizeof(cl_uint)] = {0};
  int code = clEnqueueReadBuffer(t->queue, t->y ? t->y : t->x, CL_TRUE, t->out, GUARD, guard, 0, NULL, NULL);
  if (!code) code = pass(t, true);
  if (code) return failed(code, "reading a proof's result", why);
  for (size_t i = 0; i < GUARD / sizeof(cl_uint); i++)
    if (guard[i] != UNTOUCHED) return snprintf(why, CLIV__CLFFT_WHY, "it writes beyond its result"), CLIV__CLFFT_BAD;
  if (t->proof.error <= bound) return CLIV__CLFFT_GOOD;
  snprintf(why, CLIV__CLFFT_WHY, "it computes a wrong result: a known transform is off by %.3g of its length",
           t->proof.error);
  return CLIV__CLFFT_BAD;
}

static cliv__clfft_verdict compute(trial *t, const cliv__clfft_plan *plan, char why[static CLIV__CLFFT_WHY]) {
  int code = make_memory(t, plan->context, plan->room);
  if (!code) code = pass(t, false);
  if (code) return failed(code, "memory for a proof", why);
  const cliv__clfft_verdict verdict = cliv__clfft_run(plan, t->queue, 0, NULL, NULL, t->x, t->y, t->room, why);
  if (verdict) return verdict;
  code = clFinish(t->queue);
  return code ? failed(code, "a proof's transform", why) : judge(t, why);
}

static cliv__clfft_verdict try_plan(const cliv__clfft_plan *plan, cl_command_queue queue,
                                    char why[static CLIV__CLFFT_WHY]) {
  const cliv__clfft_shape *const s = &plan->shape;
  cliv__clfft_verdict verdict = CLIV__CLFFT_PASSING;
  trial t = {.queue = queue,
             .in = cliv__clfft_inputs(s) * sizeof(float),
             .out = cliv__clfft_outputs(s) * sizeof(float),
             .host = malloc(CHUNK * sizeof(float))};
  if (cliv__proof_make(s, &t.proof) && t.host) verdict = compute(&t, plan, why);
  else snprintf(why, CLIV__CLFFT_WHY, "no memory for a proof");
  clFinish(queue);
  cl_mem const all[] = {t.x, t.y, t.room};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (all[i]) clReleaseMemObject(all[i]);
  free(t.host);
  cliv__proof_free(&t.proof);
  return verdict;
}

static cliv__clfft_verdict prove_as_it_is(cl_context context, cl_command_queue queue, const cliv__clfft_shape *shape,
                                          cliv__clfft_plan *out, char why[static CLIV__CLFFT_WHY]) {
  cliv__clfft_plan plan;
  cliv__clfft_verdict verdict = cliv__clfft_make(context, queue, shape, &plan, why);
  if (!verdict) verdict = try_plan(&plan, queue, why);
  if (verdict || !out) cliv__clfft_drop(&plan);
  else *out = plan;
  return verdict;
}

cliv__clfft_verdict cliv__clfft_prove(cl_context context, cl_command_queue queue, cliv__clfft_shape *shape,
                                      cliv__clfft_plan *out, char why[static CLIV__CLFFT_WHY]) {
  char other[CLIV__CLFFT_WHY];
  const cliv__clfft_verdict verdict = prove_as_it_is(context, queue, shape, out, why);
  cliv__clfft_shape turned = *shape;
  turned.cured = !shape->cured;
  if (verdict != CLIV__CLFFT_BAD || prove_as_it_is(context, queue, &turned, out, other)) return verdict;
  *shape = turned;
  return CLIV__CLFFT_GOOD;
}

#else

const char *cliv__clfft_version(char room[static 32]) {
  snprintf(room, 32, "?");
  return room;
}

#endif
