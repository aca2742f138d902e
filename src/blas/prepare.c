/* Programs compiled ahead: tiny calls of the routines that a process will use. CLBlast compiles by routine and type,
 * whatever the shape, and so are those of `exact` but for the walks of large and of small products. */
#include "blas/prepare.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "blas/copies.h"
#include "blas/tuning.h"
#include "runtime/measure.h"
#include "runtime/quirks.h"

/* ---- the calls ---- */

/* One each: rows, columns and the sum's length. */
typedef cliv_status call(cliv_context *ctx, cliv_tensor *const t[3], const cliv_blas_options *options);

static cliv_status call_gemm(cliv_context *ctx, cliv_tensor *const t[3], const cliv_blas_options *options) {
  return cliv_gemm(ctx, 0, 0, 1, t[0], t[1], 0, t[2], options, NULL);
}
static cliv_status call_gemm_nt(cliv_context *ctx, cliv_tensor *const t[3], const cliv_blas_options *options) {
  return cliv_gemm(ctx, 0, 1, 1, t[0], t[1], 0, t[2], options, NULL);
}
static cliv_status call_gemm_tn(cliv_context *ctx, cliv_tensor *const t[3], const cliv_blas_options *options) {
  return cliv_gemm(ctx, 1, 0, 1, t[0], t[1], 0, t[2], options, NULL);
}
static cliv_status call_gemm_tt(cliv_context *ctx, cliv_tensor *const t[3], const cliv_blas_options *options) {
  return cliv_gemm(ctx, 1, 1, 1, t[0], t[1], 0, t[2], options, NULL);
}
static cliv_status call_gemv(cliv_context *ctx, cliv_tensor *const t[3], const cliv_blas_options *options) {
  return cliv_gemv(ctx, 0, 1, t[0], t[1], 0, t[2], options, NULL);
}
static cliv_status call_ger(cliv_context *ctx, cliv_tensor *const t[3], const cliv_blas_options *options) {
  return cliv_ger(ctx, 1, t[0], t[1], t[2], options, NULL);
}
static cliv_status call_axpy(cliv_context *ctx, cliv_tensor *const t[3], const cliv_blas_options *options) {
  return cliv_axpy(ctx, 1, t[0], t[2], options, NULL);
}

static const struct {
  const char *routine;
  call *run;
  size_t shape[3][2]; /* of the operands and the result */
} calls[] = {
    {"gemm", call_gemm, {{8, 8}, {8, 8}, {8, 8}}},
    {"gemm", call_gemm, {{700, 260}, {260, 700}, {700, 700}}},    /* exact: where they lie, … */
    {"gemm", call_gemm, {{700, 260}, {260, 1024}, {700, 1024}}},  /* … with a copy of B, … */
    {"gemm", call_gemm_nt, {{700, 260}, {700, 260}, {700, 700}}}, /* … each transpose's own */
    {"gemm", call_gemm_tn, {{260, 700}, {260, 700}, {700, 700}}},
    {"gemm", call_gemm_tn, {{260, 700}, {260, 1024}, {700, 1024}}},
    {"gemm", call_gemm_tt, {{260, 700}, {700, 260}, {700, 700}}},
    {"gemv", call_gemv, {{8, 8}, {8, 1}, {8, 1}}},
    {"ger", call_ger, {{8, 1}, {8, 1}, {8, 8}}},
    {"axpy", call_axpy, {{8, 8}, {8, 8}, {8, 8}}},
};
enum { CALLS = sizeof calls / sizeof *calls };

static cliv_status run_call(cliv_context *ctx, size_t i, cliv_dtype dtype, cliv_provider provider) {
  cliv_tensor *t[3] = {NULL, NULL, NULL};
  const cliv_blas_options options = {.size = sizeof options, .provider = provider};
  cliv_status status = CLIV_OK;
  for (size_t j = 0; !status && j < 3; j++) {
    status = cliv_tensor_create(ctx, dtype, 2, calls[i].shape[j], &t[j]);
    if (!status) status = cliv_tensor_fill(t[j], 0, NULL);
  }
  if (!status) status = calls[i].run(ctx, t, &options);
  if (!status) status = cliv_context_finish(ctx);
  for (size_t j = 0; j < 3; j++) cliv_tensor_free(t[j]);
  return status;
}

/* ---- lists of names ---- */

static bool is_word(const char *at, const char *name) {
  const size_t length = strlen(name);
  return strcspn(at, ",") == length && !strncmp(at, name, length);
}

static const char *next_word(const char *at) {
  const char *comma = strchr(at, ',');
  return comma ? comma + 1 : NULL;
}

/* Which rows of `calls` the list asks for. */
static cliv_status choose_calls(cliv_context *ctx, const char *list, bool chosen[static CALLS]) {
  for (size_t i = 0; i < CALLS; i++) chosen[i] = !list;
  for (const char *at = list; at; at = next_word(at)) {
    bool known = false;
    for (size_t i = 0; i < CALLS; i++)
      if (is_word(at, calls[i].routine)) chosen[i] = known = true;
    REQUIRE(ctx, known, NAME, "there is no routine '%.*s' to prepare; there are gemm, gemv, ger, axpy",
            (int)strcspn(at, ","), at);
  }
  return CLIV_OK;
}

/* ---- here or beside ---- */

struct cliv__prepare {
  pthread_t thread;
  bool running; /* a thread to be joined */
  pthread_mutex_t mutex;
  bool done; /* under the mutex */
  cliv_context *own;
  bool chosen[CALLS];
  cliv_dtype dtype;
  cliv_provider provider;
  cliv_status status;
};

static cliv_status run_all(cliv_context *ctx, const bool chosen[static CALLS], cliv_dtype dtype,
                           cliv_provider provider) {
  for (size_t i = 0; i < CALLS; i++)
    if (chosen[i]) TRY(run_call(ctx, i, dtype, provider));
  return CLIV_OK;
}

static void *work(void *user) {
  struct cliv__prepare *p = user;
  p->status = run_all(p->own, p->chosen, p->dtype, p->provider);
  pthread_mutex_lock(&p->mutex);
  p->done = true;
  pthread_mutex_unlock(&p->mutex);
  return NULL;
}

bool cliv__preparing(cliv_context *ctx) {
  struct cliv__prepare *p = ctx->prepare;
  if (!p || !p->running) return false;
  pthread_mutex_lock(&p->mutex);
  const bool done = p->done;
  pthread_mutex_unlock(&p->mutex);
  return !done;
}

void cliv__prepare_wait(cliv_context *ctx) {
  struct cliv__prepare *p = ctx->prepare;
  if (!p || !p->running) return;
  pthread_join(p->thread, NULL);
  p->running = false;
}

void cliv__clblast_begin(cliv_context *ctx) {
  cliv__prepare_wait(ctx);
  cliv__tuning_apply(ctx);
}

static void prepare_free(cliv_context *ctx) {
  struct cliv__prepare *p = ctx->prepare;
  cliv__prepare_wait(ctx);
  ctx->prepare = NULL;
  cliv_context_free(p->own);
  pthread_mutex_destroy(&p->mutex);
  free(p);
}

/* The thread takes no signals: they are the guest's. */
static int start(struct cliv__prepare *p) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int code = pthread_create(&p->thread, NULL, work, p);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return code;
}

static cliv_status begin(cliv_context *ctx, const bool chosen[static CALLS], cliv_dtype dtype, cliv_provider provider) {
  struct cliv__prepare *p = calloc(1, sizeof *p);
  REQUIRE(ctx, p, HOST_MEMORY, "no memory to prepare products");
  if (pthread_mutex_init(&p->mutex, NULL)) {
    free(p);
    return cliv__fail(ctx, CLIV_HOST_MEMORY, "no mutex to prepare products with");
  }
  p->own = cliv__context_beside(ctx);
  memcpy(p->chosen, chosen, sizeof p->chosen);
  p->dtype = dtype;
  p->provider = provider;
  ctx->prepare = p;
  ctx->prepare_free = prepare_free;
  if (p->own && start(p) == 0) {
    p->running = true;
    return CLIV_OK;
  }
  prepare_free(ctx);
  return cliv__fail(ctx, CLIV_HOST_MEMORY, "no thread or queue to prepare products with; prepare them here instead");
}

/* ---- the calls ---- */

cliv_status cliv_blas_prepare(cliv_context *ctx, const char *routines, cliv_dtype dtype, int background,
                              const cliv_blas_options *options) {
  REQUIRE_NOT_NULL(ctx, ctx);
  bool chosen[CALLS];
  cliv_blas_options own;
  TRY(OPTIONS(ctx, options, &own));
  TRY(choose_calls(ctx, routines, chosen));
  REQUIRE(ctx, dtype == CLIV_F64 || cliv__computed(dtype) == CLIV_F32, DTYPE,
          "products are prepared of float32, float64, float16 and bfloat16, not of %s", cliv_dtype_name(dtype));
  REQUIRE(ctx, cliv_context_has(ctx, dtype), DEVICE_DTYPE, "device '%s' has no %s", ctx->facts.name,
          cliv_dtype_name(dtype));
  REQUIRE(ctx, own.provider >= CLIV_PROVIDER_AUTO && own.provider <= CLIV_PROVIDER_CLBLAST, VALUE,
          "%d is no provider of matrix products", (int)own.provider);
#ifndef CLIV_HAVE_CLBLAST
  REQUIRE(ctx, own.provider != CLIV_PROVIDER_CLBLAST, NO_CLBLAST, "this library was built without CLBlast");
#endif
  TRY(cliv_blas_prepared(ctx));
  if (!background) return run_all(ctx, chosen, dtype, own.provider);
  TRY(begin(ctx, chosen, dtype, own.provider));
  if (ctx->quirks & CLIV__QUIRK_ONE_THREAD) cliv__prepare_wait(ctx); /* one after the other */
  return CLIV_OK;
}

cliv_status cliv_blas_prepared(cliv_context *ctx) {
  REQUIRE_NOT_NULL(ctx, ctx);
  struct cliv__prepare *p = ctx->prepare;
  if (!p) return CLIV_OK;
  cliv__prepare_wait(ctx);
  const cliv_status status = p->status;
  if (status) cliv__fail(ctx, status, "preparing products: %s", cliv_last_error(p->own));
  prepare_free(ctx);
  return status;
}
