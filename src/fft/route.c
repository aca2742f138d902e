/* Which provider transforms: as the options say, or as it was measured for such transforms on this device. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/text.h"
#include "fft/provider.h"
#include "runtime/measure.h"
#include "runtime/quirks.h"
#include "runtime/stage.h"
#include "runtime/tensor.h"

static const char *const names[] = {
    [CLIV_FFT_PROVIDER_AUTO] = "auto", [CLIV_FFT_PROVIDER_EXACT] = "exact", [CLIV_FFT_PROVIDER_CLFFT] = "clfft"};
enum { PROVIDERS = sizeof names / sizeof *names };

static const cliv__names provider_names = CLIV__NAMES("provider of transforms", names);
CLIV__NAMED(cliv_fft_provider, provider_names)

cliv_fft_provider cliv_fft_last_provider(const cliv_context *ctx) {
  return ctx ? (cliv_fft_provider)ctx->fft_provider : CLIV_FFT_PROVIDER_AUTO;
}

/* ---- classes of transforms that are measured as one ---- */

/* "complex inverse 64x128 batch 2^5 in place": kind, direction, lengths, how many of them. */
static char *class_of(const cliv__fft_request *q) {
  static const char *const kinds[] = {"complex", "real", "half-complex"};
  size_t points = 1, all = 1;
  cliv__text text = {0};
  cliv__text_add(&text, "%s%s", kinds[q->kind], q->kind == CLIV__FFT_COMPLEX && q->o.inverse ? " inverse" : "");
  for (int i = 0; i < q->count; i++) {
    cliv__text_add(&text, "%c%zu", i ? 'x' : ' ', q->shape[q->axes[i]]);
    points *= q->shape[q->axes[i]];
  }
  for (int d = 0; d < q->ndim; d++) all *= q->shape[d];
  bool beside = false; /* lines that do not lie densely are copied for clFFT */
  for (int i = 0; i < q->count; i++) beside = beside || q->axes[i] < q->ndim - q->count;
  cliv__text_add(&text, " batch 2^%u%s%s", cliv__log2(all / points), beside ? " beside" : "",
                 cliv__same_place(q->x, q->out) ? " in place" : "");
  return cliv__text_take(&text);
}

/* ---- the measurement ---- */

enum { CALLS = 20 };
static const double BUDGET = 0.3;  /* seconds for comparing, once both have been compiled */
static const double FASTER = 1.05; /* equal bits are worth something, and noise decides nothing */

typedef struct contest {
  cliv_context *ctx;
  cliv__fft_request request;
} contest;

/* The first is what the other is judged by. */
static cliv__fft_transform *const contestants[] = {cliv__fft_by_exact, cliv__fft_by_clfft};

/* Seconds of one call. */
static double take_turn(void *data, size_t contestant) {
  const contest *const t = data;
  const double begin = cliv__now();
  if (contestants[contestant](t->ctx, &t->request, NULL)) return -1;
  return cliv_context_finish(t->ctx) ? -1 : cliv__now() - begin;
}

/* The first call of each compiles. */
static cliv_status compile(const contest *t) {
  TRY(cliv__fft_by_clfft(t->ctx, &t->request, NULL));
  TRY(cliv__fft_by_exact(t->ctx, &t->request, NULL));
  return cliv_context_finish(t->ctx);
}

/* On tensors of its own, by turns. */
static cliv_status compare(cliv_context *ctx, const cliv__fft_request *asked, cliv__contestant found[static 2]) {
  contest t = {ctx, *asked};
  cliv_tensor *x = NULL, *out = NULL;
  const bool in_place = cliv__same_place(asked->x, asked->out);
  cliv_status status = cliv_tensor_create(ctx, asked->x->dtype, asked->x->ndim, asked->x->shape, &x);
  if (!status && !in_place)
    status = cliv_tensor_create(ctx, asked->out->dtype, asked->out->ndim, asked->out->shape, &out);
  if (!status) status = cliv_tensor_fill(x, 0, NULL);
  t.request.x = x;
  t.request.out = in_place ? x : out;
  if (!status) status = compile(&t);
  const cliv__contest both = {.count = 2, .run = take_turn, .data = &t, .rounds = CALLS, .seconds = BUDGET};
  if (!status && !(cliv__contest_run(&both, found) && found[1].ratio > 0)) status = CLIV_OPENCL; /* as ctx says */
  cliv_tensor_free(x);
  cliv_tensor_free(out);
  return status;
}

/* ---- what is known ---- */

static const char NOTE[] = "fft routes";

static void know(cliv_context *ctx, const char *class, json_t *row) {
  json_t *const fresh = cliv__rows_put(ctx, NOTE, class, row); /* another process may have added to it */
  if (!fresh) return;
  json_object_update_missing(fresh, ctx->fft_routes); /* of a context that keeps nothing on disk */
  json_decref(ctx->fft_routes);
  ctx->fft_routes = fresh;
}

/* For this context alone: another may have the memory, and a plan that is bad now is tried again in an hour. */
static void avoid(cliv_context *ctx, const char *class, const char *because) {
  json_t *const row = json_pack("{s:s,s:s}", "provider", "exact", "because", because);
  if (!ctx->fft_routes) ctx->fft_routes = json_object();
  if (ctx->fft_routes && row) json_object_set(ctx->fft_routes, class, row);
  json_decref(row);
}

void cliv__fft_avoid_clfft(cliv_context *ctx, const cliv__fft_request *q) {
  char *const class = class_of(q);
  if (class) avoid(ctx, class, cliv_last_error(ctx));
  free(class);
}

static cliv_fft_provider measure(cliv_context *ctx, const cliv__fft_request *q, const char *class) {
  cliv__contestant found[2];
  cliv_context *const own = cliv__context_beside(ctx);
  if (!own) return CLIV_FFT_PROVIDER_EXACT;
  own->trials = ctx->trials;
  own->quirks = ctx->quirks;
  cliv__fft_clfft_hold(ctx); /* the plans are made here anew, of programs that are compiled by then */
  const cliv_status status = compare(own, q, found);
  const bool faster = !status && found[1].ratio >= FASTER;
  if (status) {
    avoid(ctx, class, cliv_last_error(own));
  } else {
    json_t *const row = json_pack("{s:s,s:f,s:f}", "provider", faster ? "clfft" : "exact", "exact_seconds",
                                  found[0].least, "clfft_seconds", found[1].least);
    know(ctx, class, row);
    json_decref(row);
  }
  cliv_context_free(own);
  return faster ? CLIV_FFT_PROVIDER_CLFFT : CLIV_FFT_PROVIDER_EXACT;
}

cliv_fft_provider cliv__fft_measured(cliv_context *ctx, const cliv__fft_request *q) {
  char *const class = class_of(q);
  if (!class) return CLIV_FFT_PROVIDER_EXACT;
  if (!ctx->fft_routes) ctx->fft_routes = cliv__notes_get(ctx, NOTE);
  const char *const known = json_string_value(json_object_get(json_object_get(ctx->fft_routes, class), "provider"));
  cliv_fft_provider provider = known && !strcmp(known, "clfft") ? CLIV_FFT_PROVIDER_CLFFT : CLIV_FFT_PROVIDER_EXACT;
  if (!known) {
    const cliv__error held = cliv__error_hold(ctx);
    provider = measure(ctx, q, class);
    cliv__error_restore(ctx, &held);
  }
  free(class);
  return provider;
}

/* ---- the choice ---- */

static bool could_be_faster(cliv_context *ctx, const cliv__fft_request *q) {
  if (ctx->facts.type & CL_DEVICE_TYPE_CPU || ctx->quirks & CLIV__QUIRK_SOFTWARE || !ctx->trials || cliv__staging(ctx))
    return false;
  const cliv__error held = cliv__error_hold(ctx);
  const bool taken = !cliv__fft_clfft_takes(ctx, q);
  cliv__error_restore(ctx, &held);
  return taken;
}

cliv_status cliv__fft_choose(cliv_context *ctx, const cliv__fft_request *q, cliv_fft_provider *out) {
  const cliv_fft_provider asked = q->o.provider;
  REQUIRE(ctx, (unsigned)asked < PROVIDERS, VALUE, "%s: %d is no provider: 0 auto, 1 exact, 2 clfft", q->name,
          (int)asked);
  *out = asked;
  if (asked == CLIV_FFT_PROVIDER_CLFFT) TRY(cliv__fft_clfft_takes(ctx, q));
  if (asked == CLIV_FFT_PROVIDER_AUTO)
    *out = could_be_faster(ctx, q) ? cliv__fft_measured(ctx, q) : CLIV_FFT_PROVIDER_EXACT;
  return CLIV_OK;
}
