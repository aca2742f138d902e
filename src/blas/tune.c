/* The search for CLBlast's parameters: candidates one after another, written down before they are tried. */
#include <cliv/tune.h>

#include "base/options.h"
#include "blas/route.h"
#include "blas/tuning.h"
#include "runtime/measure.h"

#ifdef CLIV_HAVE_CLBLAST

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double SECONDS = 120, FASTER = 1.03;
enum { MEASURED_MS = 150, ROUNDS = 9, MIN_RUNS = 2, SHORTEST_SLICE = 4, LONGEST_SLICE = 45 };

/* One call of cliv_tune. */
typedef struct tuner {
  cliv_context *ctx;
  cliv_tune_options options;
  cliv_tune_result result;
  double begin, end;
  bool stopped; /* by the caller */
} tuner;

/* One kernel's search. */
typedef struct search {
  tuner *t;
  const cliv__tune_kernel *kernel;
  cliv__tune_trial trial;
  json_t *state, *tried;                  /* tried: in state */
  cliv__parameters defaults, best, rival; /* rival: what is kept, or the defaults */
  double default_seconds, best_seconds;   /* 0: not known */
  double end;                             /* of its share */
  size_t failed;
} search;

static bool wide(const search *s) { return s->t->options.dtype == CLIV_F64; }

static bool over(const search *s) { return s->t->stopped || cliv__now() >= s->end; }

static bool put(const search *s, const cliv__parameters *p) {
  return cliv__parameters_override(s->t->ctx->device, s->kernel->kernel, wide(s), p) == 0;
}

/* ---- reports ---- */

static void report(search *s, bool finished, bool kept) {
  tuner *const t = s->t;
  if (!t->options.progress) return;
  const double flops = 1e-9 * cliv__tune_flops(s->kernel), spent = cliv__now() - t->begin, whole = t->end - t->begin;
  char *text = finished ? cliv__parameters_text(&s->best) : NULL;
  const cliv_tune_progress progress = {.routine = s->kernel->routine,
                                       .kernel = s->kernel->kernel,
                                       .m = s->kernel->m,
                                       .n = s->kernel->n,
                                       .k = s->kernel->k,
                                       .done = spent < whole ? spent / whole : 1,
                                       .tried = json_object_size(s->tried),
                                       .failed = s->failed,
                                       .before = s->default_seconds > 0 ? flops / s->default_seconds : 0,
                                       .best = s->best_seconds > 0 ? flops / s->best_seconds : 0,
                                       .finished = finished,
                                       .kept = kept,
                                       .parameters = text};
  if (t->options.progress(t->options.user, &progress)) t->stopped = true;
  free(text);
}

/* ---- one candidate ---- */

static void remember(search *s) { (void)cliv__tune_remember(s->t->ctx, s->kernel, s->t->options.dtype, s->state); }

/* Checks what is in force, then times it: the least of several, fewer where it is far behind. 0: wrong or failed. */
static double judge(search *s) {
  bool right = false;
  const cliv__error held = cliv__error_hold(s->t->ctx);
  const bool ran = !cliv__tune_check(&s->trial, &right);
  cliv__error_restore(s->t->ctx, &held);
  if (!ran || !right) return 0;
  double least = 0;
  const double begin = cliv__now();
  for (int i = 0; i < MIN_RUNS || (i < 50 && cliv__now() - begin < 1e-3 * MEASURED_MS); i++) {
    const double seconds = cliv__tune_time(&s->trial);
    if (seconds < 0) return 0;
    if (least == 0 || seconds < least) least = seconds;
    if (s->best_seconds > 0 && seconds > 4 * s->best_seconds) break;
  }
  return least;
}

/* False: it was tried before. */
static bool try_candidate(search *s, const cliv__parameters *p) {
  char *text = cliv__parameters_text(p);
  if (!text || json_object_get(s->tried, text)) {
    free(text);
    return false;
  }
  json_object_set_new(s->state, "trying", json_string(text));
  remember(s);
  const double seconds = put(s, p) ? judge(s) : 0;
  json_object_del(s->state, "trying");
  json_object_set_new(s->tried, text, json_real(seconds));
  remember(s);
  free(text);
  s->t->result.tried++;
  if (seconds > 0 && (s->best_seconds == 0 || seconds < s->best_seconds)) {
    s->best = *p;
    s->best_seconds = seconds;
  }
  if (seconds <= 0) s->failed++, s->t->result.failed++;
  report(s, false, false);
  return true;
}

/* ---- where candidates come from ---- */

static void try_known(search *s) {
  const char *text;
  for (size_t i = 0; !over(s) && (text = cliv__tune_known(s->kernel, i)) != NULL; i++) {
    cliv__parameters p = s->defaults;
    if (cliv__parameters_parse(text, &p)) try_candidate(s, &p);
  }
}

/* A slice of CLBlast's own candidates, twice the last one; of kernels that have few of them: it lists those of its
 * products for many seconds before it tries one, and some of them do not end on Intel's runtime. It cannot be
 * interrupted: not begun when it would not end within the share, or be silent for so long that it looks like a driver
 * that hangs. */
static bool try_slice(search *s) {
  static const char marker[] = "a slice of CLBlast's tuner";
  const double last = json_real_value(json_object_get(s->state, "slice")),
               seconds = 2.5 * json_real_value(json_object_get(s->state, "slice_seconds"));
  const double slice = last > 0 ? 2 * last : s->kernel->slice;
  if (last <= 0 && cliv__now() + SHORTEST_SLICE >= s->end) return false;
  if (slice <= 0 || slice > 1 || json_object_get(s->tried, marker) || seconds > LONGEST_SLICE ||
      cliv__now() + seconds >= s->end)
    return false;
  json_object_set_new(s->state, "trying", json_string(marker));
  remember(s);
  cliv__parameters p = s->defaults;
  const double begin = cliv__now();
  const int code = cliv__parameters_search(s->t->ctx->queue, s->kernel->kernel, wide(s), slice, &p);
  json_object_set_new(s->state, "slice_seconds", json_real(cliv__now() - begin));
  json_object_del(s->state, "trying");
  json_object_set_new(s->state, "slice", json_real(slice));
  remember(s);
  if (code == 0) try_candidate(s, &p);
  else report(s, false, false);
  return true;
}

static void try_neighbours(search *s, uint64_t *number, int count) {
  while (!over(s) && count > 0) {
    cliv__parameters p;
    const uint64_t before = *number;
    while (*number < before + 64 && !(cliv__tune_neighbour(s->kernel, &s->best, ++*number, &p) && try_candidate(s, &p)))
      ;
    if (*number >= before + 64) return; /* all that lies beside it was tried */
    count--;
  }
}

static void explore(search *s) {
  uint64_t number = json_object_size(s->tried);
  bool slices = true, more = true;
  try_known(s);
  while (!over(s) && more) {
    const size_t before = json_object_size(s->tried);
    slices = slices && try_slice(s);
    try_neighbours(s, &number, 4);
    more = slices || json_object_size(s->tried) > before;
  }
}

/* ---- the verdict ---- */

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *x, size_t n) {
  qsort(x, n, sizeof *x, by_size);
  return x[n / 2];
}

/* What is kept, or the defaults, and the best in turn. Both are compiled by then, or are now. */
static bool faster(search *s, bool defaults) {
  double ratio[ROUNDS], before[ROUNDS], after[ROUNDS];
  const cliv__parameters *const sides[] = {&s->rival, &s->best};
  for (int round = -1; round < ROUNDS; round++) { /* the first is not counted */
    double seconds[2];
    for (int side = 0; side < 2; side++) {
      if (!put(s, sides[side])) return false;
      seconds[side] = cliv__tune_time(&s->trial);
      if (seconds[side] <= 0) return false;
    }
    if (round < 0) continue;
    ratio[round] = seconds[0] / seconds[1];
    before[round] = seconds[0];
    after[round] = seconds[1];
  }
  const double rival_seconds = median(before, ROUNDS);
  if (defaults) s->default_seconds = rival_seconds;
  s->best_seconds = median(after, ROUNDS);
  return median(ratio, ROUNDS) >= FASTER && s->best_seconds < rival_seconds; /* a busy machine may say one of these */
}

/* Whether the best is to be kept. Defaults that are wrong here are slower than anything that is right. */
static bool wins(search *s, bool defaults) {
  bool right = false;
  if (!put(s, &s->best) || cliv__tune_check(&s->trial, &right) || !right) return false;
  if (cliv__tune_check_odd(&s->trial, &right) || !right) return false;
  return defaults && s->default_seconds <= 0 ? s->best_seconds > 0 : faster(s, defaults);
}

static cliv_status conclude(search *s) {
  const cliv__error held = cliv__error_hold(s->t->ctx);
  const bool differs = memcmp(&s->best, &s->rival, sizeof s->best) != 0,
             first = memcmp(&s->rival, &s->defaults, sizeof s->rival) == 0;
  const bool good = differs && wins(s, first);
  cliv__error_restore(s->t->ctx, &held);
  const double flops = 1e-9 * cliv__tune_flops(s->kernel);
  const cliv__tune_row row = {.kernel = s->kernel,
                              .dtype = s->t->options.dtype,
                              .defaults = s->defaults,
                              .parameters = s->best,
                              .before = good && s->default_seconds > 0 ? flops / s->default_seconds : 0,
                              .after = good ? flops / s->best_seconds : 0};
  if (good)
    REQUIRE(s->t->ctx, cliv__tune_keep(s->t->ctx, &row), FILE,
            "what was found for CLBlast's %s cannot be kept: the cache folder cannot be written", s->kernel->kernel);
  if (good && !strcmp(s->kernel->routine, "gemm")) cliv__route_forget(s->t->ctx, s->t->options.dtype);
  s->t->result.kept += good;
  if (!good) {
    s->best = s->rival;
    s->best_seconds = first ? s->default_seconds : put(s, &s->rival) ? judge(s) : 0;
  }
  report(s, true, good || !first);
  return CLIV_OK;
}

/* ---- the other kernels of the routine ---- */

/* A routine's program has all of its kernels. While one is searched, the large ones that its call does not run are
 * small, so that a candidate is compiled in half the time; and products are made to go the way that is judged. */
static const struct {
  const char *kernel, *parameters;
} aside[] = {
    {"Xgemm",
     "GEMMK=0 KREG=1 KWG=16 KWI=2 MDIMA=8 MDIMC=8 MWG=8 NDIMB=8 NDIMC=8 NWG=8 SA=0 SB=0 STRM=0 STRN=0 VWM=1 VWN=1"},
    {"XgemmDirect", "KWID=2 MDIMAD=8 MDIMCD=8 NDIMBD=8 NDIMCD=8 PADA=0 PADB=0 VWMD=1 VWND=1 WGD=8"},
    {"GemmRoutine", "XGEMM_MIN_INDIRECT_SIZE=1"},
};
enum { ASIDE = sizeof aside / sizeof *aside };

/* `saved`: those of before, count 0 where nothing was changed. */
static void set_aside(const search *s, cliv__parameters saved[static ASIDE]) {
  const bool direct = !strcmp(s->kernel->kernel, "XgemmDirect"),
             gemm = !strcmp(s->kernel->routine, "gemm") && strcmp(s->kernel->kernel, "GemmRoutine") != 0;
  for (size_t i = 0; i < ASIDE; i++) {
    saved[i].count = 0;
    if (!gemm || !strcmp(aside[i].kernel, s->kernel->kernel) || (i == 0 && !direct)) continue;
    cliv__parameters p;
    if (cliv__parameters_read(s->t->ctx->device, aside[i].kernel, wide(s), &p)) continue;
    saved[i] = p;
    const char *const text = i == 2 && direct ? "XGEMM_MIN_INDIRECT_SIZE=100000" : aside[i].parameters;
    if (!cliv__parameters_parse(text, &p) || cliv__parameters_override(s->t->ctx->device, aside[i].kernel, wide(s), &p))
      saved[i].count = 0;
  }
}

static void put_back(const search *s, const cliv__parameters saved[static ASIDE]) {
  for (size_t i = 0; i < ASIDE; i++)
    if (saved[i].count) (void)cliv__parameters_override(s->t->ctx->device, aside[i].kernel, wide(s), &saved[i]);
}

/* ---- a kernel ---- */

/* What an earlier search died of has failed. */
static void bury(search *s) {
  const char *trying = json_string_value(json_object_get(s->state, "trying"));
  if (!trying) return;
  json_object_set_new(s->tried, trying, json_real(0));
  json_object_del(s->state, "trying");
  remember(s);
}

/* What earlier searches found. */
static void recall(search *s) {
  const char *text;
  json_t *seconds;
  const char *best = NULL;
  double least = 0;
  json_object_foreach(s->tried, text, seconds) {
    const double x = json_real_value(seconds);
    s->failed += x <= 0;
    if (x > 0 && (!best || x < least)) best = text, least = x;
  }
  cliv__parameters p = s->defaults;
  if (best && cliv__parameters_parse(best, &p) && put(s, &p) && (least = judge(s)) > 0) {
    s->best = p; /* timed anew: the machine may have been busier then */
    s->best_seconds = least;
  }
}

/* Whether CLBlast's defaults are right here; without them there is nothing to compare with, but a candidate may be
 * right all the same. */
static void judge_defaults(search *s) {
  s->default_seconds = put(s, &s->defaults) ? judge(s) : 0;
  s->best = s->defaults;
  s->best_seconds = s->default_seconds;
  report(s, false, false);
}

static cliv_status open_search(tuner *t, const cliv__tune_kernel *kernel, double end, search *s) {
  *s = (search){.t = t, .kernel = kernel, .end = end};
  const int code = cliv__tune_defaults(t->ctx, kernel, t->options.dtype, &s->defaults);
  cliv__tune_row kept;
  s->rival = cliv__tune_kept(t->ctx, kernel, t->options.dtype, &kept) ? kept.parameters : s->defaults;
  REQUIRE(t->ctx, code == 0, CLBLAST, "CLBlast does not tell the parameters of its kernel %s: code %d", kernel->kernel,
          code);
  s->state = t->options.again ? NULL : cliv__tune_state(t->ctx, kernel, t->options.dtype);
  if (!s->state) s->state = json_pack("{s:{}}", "tried");
  s->tried = json_object_get(s->state, "tried");
  REQUIRE(t->ctx, s->tried, HOST_MEMORY, "no memory for a search");
  REQUIRE(t->ctx, cliv__tune_remember(t->ctx, kernel, t->options.dtype, s->state), FILE,
          "there is no folder to keep tuned parameters in%s; give one by $XDG_CACHE_HOME or cache_dir",
          t->ctx->cache_dir ? " that can be written" : "");
  return cliv__tune_open(t->ctx, kernel, t->options.dtype, &s->trial);
}

/* A row of a file, like a candidate of a search; one that has failed here before is not tried again. */
static void try_row(search *s, const cliv__tune_row *row) {
  char *text = cliv__parameters_text(&row->parameters);
  const json_t *before = text ? json_object_get(s->tried, text) : NULL;
  const bool failed = !text || (before && json_real_value(before) <= 0);
  if (!failed) {
    json_object_del(s->tried, text);
    s->best_seconds = 0; /* whether it is faster is seen at the end */
    if (try_candidate(s, &row->parameters) && s->best_seconds > 0) {
      free(text);
      return;
    }
    s->best_seconds = s->default_seconds;
  } else {
    s->failed++;
    s->t->result.tried++;
    s->t->result.failed++;
  }
  free(text);
}

/* `row`: NULL, or the only candidate. Afterwards what is best is in force. */
static cliv_status search_kernel(tuner *t, const cliv__tune_kernel *kernel, double end, const cliv__tune_row *row) {
  search s;
  cliv__parameters saved[ASIDE];
  cliv_status status = open_search(t, kernel, end, &s);
  if (!status) {
    set_aside(&s, saved);
    judge_defaults(&s);
    bury(&s);
    if (row) {
      try_row(&s, row);
    } else {
      recall(&s);
      explore(&s);
    }
    status = conclude(&s);
    (void)put(&s, status ? &s.rival : &s.best);
    put_back(&s, saved);
    cliv__tune_close(&s.trial);
  }
  json_decref(s.state);
  return status;
}

/* ---- the call ---- */

static const char *const routines[] = {"gemm", "gemv", "ger", "axpy"};

/* Whether `name` is one of the words of the list; NULL: it is. */
static bool listed(const char *list, const char *name) {
  const size_t length = strlen(name);
  for (const char *at = list; at && *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
    if (strcspn(at, ",") == length && !strncmp(at, name, length)) return true;
  return !list;
}

static cliv_status check_routines(cliv_context *ctx, const char *list) {
  for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
    const int length = (int)strcspn(at, ",");
    size_t i = 0;
    while (i < 4 && !(strlen(routines[i]) == (size_t)length && !strncmp(at, routines[i], (size_t)length))) i++;
    REQUIRE(ctx, i < 4, NAME, "there is no routine '%.*s' to tune; there are gemm, gemv, ger, axpy", length, at);
  }
  return CLIV_OK;
}

/* Which products it makes the faster provider, also where a search before this one had no time for it; for a tenth of
 * the budget, and what compiling takes. */
static void route_anew(tuner *t) {
  static const cliv_dtype dtypes[] = {CLIV_F32, CLIV_F64};
  for (size_t i = 0; i < 2 && listed(t->options.routines, "gemm"); i++)
    if (cliv_context_has(t->ctx, dtypes[i]) && cliv__route_stale(t->ctx, dtypes[i]))
      cliv__route_renew(t->ctx, dtypes[i], (t->end - t->begin) / 10);
}

static cliv_status begin(cliv_context *ctx, const cliv_tune_options *options, tuner *t) {
  *t = (tuner){.ctx = ctx};
  TRY(OPTIONS(ctx, options, &t->options));
  const cliv_tune_options *const o = &t->options;
  REQUIRE(ctx, o->seconds >= 0 && o->seconds <= 1e6, VALUE, "seconds is %g; it is above 0, or 0 for %g", o->seconds,
          SECONDS);
  REQUIRE(ctx, o->dtype == CLIV_F32 || o->dtype == CLIV_F64, DTYPE, "CLBlast is tuned for float32 and float64, not %s",
          cliv_dtype_name(o->dtype));
  REQUIRE(ctx, cliv_context_has(ctx, o->dtype), DEVICE_DTYPE, "device '%s' has no %s", ctx->facts.name,
          cliv_dtype_name(o->dtype));
  TRY(check_routines(ctx, o->routines));
  t->begin = cliv__now();
  t->end = t->begin + (o->seconds > 0 ? o->seconds : SECONDS);
  cliv__tuning_apply(ctx);
  return CLIV_OK;
}

cliv_status cliv_tune(cliv_context *ctx, const cliv_tune_options *options, cliv_tune_result *out) {
  REQUIRE_NOT_NULL(ctx, ctx);
  if (out) *out = (cliv_tune_result){0};
  tuner t;
  TRY(begin(ctx, options, &t));
  double weight = 0;
  for (const cliv__tune_kernel *k = cliv__tune_kernels; k->kernel; k++)
    if (listed(t.options.routines, k->routine)) weight += k->weight;
  cliv_status status = CLIV_OK;
  for (const cliv__tune_kernel *k = cliv__tune_kernels; !status && !t.stopped && k->kernel; k++) {
    if (!listed(t.options.routines, k->routine)) continue;
    const double left = t.end - cliv__now();
    if (left <= 0) break;
    status = search_kernel(&t, k, cliv__now() + left * k->weight / weight, NULL);
    weight -= k->weight;
  }
  if (!status) route_anew(&t);
  if (out) *out = t.result;
  return status;
}

cliv_status cliv_tune_import(cliv_context *ctx, const char *path, const cliv_tune_options *options,
                             cliv_tune_result *out) {
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, path);
  if (out) *out = (cliv_tune_result){0};
  tuner t;
  TRY(begin(ctx, options, &t));
  cliv__tune_row *rows;
  size_t count;
  TRY(cliv__tune_read(ctx, path, &rows, &count));
  cliv_status status = CLIV_OK;
  for (size_t i = 0; !status && !t.stopped && i < count; i++) {
    if (!cliv_context_has(ctx, rows[i].dtype)) continue;
    t.options.dtype = rows[i].dtype;
    t.end = cliv__now() + 1; /* a row has no budget */
    status = search_kernel(&t, rows[i].kernel, t.end, &rows[i]);
  }
  free(rows);
  t.begin = t.end - SECONDS; /* of which route_anew takes its part */
  if (!status) route_anew(&t);
  if (out) *out = t.result;
  return status;
}

#else

static cliv_status absent(cliv_context *ctx) {
  return cliv__fail(ctx, CLIV_NO_CLBLAST,
                    "this library was built without CLBlast, so there is nothing to tune; configure it with "
                    "-DCLIV_CLBLAST=ON");
}

cliv_status cliv_tune(cliv_context *ctx, const cliv_tune_options *options, cliv_tune_result *out) {
  (void)options;
  (void)out;
  return absent(ctx);
}
cliv_status cliv_tune_export(cliv_context *ctx, const char *path) {
  (void)path;
  return absent(ctx);
}
cliv_status cliv_tune_import(cliv_context *ctx, const char *path, const cliv_tune_options *options,
                             cliv_tune_result *out) {
  (void)path;
  return cliv_tune(ctx, options, out);
}

#endif
