/* Averages of an optimizer's parameters. An average is an optimizer itself, of a rule of rules_average.c. See
 * cliv/average.h. */
#include "optim/average.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cliv/safetensors.h>

#include "base/file.h"
#include "base/options.h"
#include "base/text.h"
#include "runtime/bundle.h"
#include "runtime/launch.h"
#include "runtime/tensor.h"

#define FORMAT "cliv.average 1"

static bool in_state(const cliv__rule *kind) { return kind->info.state_count > 0; }

/* ---- making and freeing ---- */

/* Room for the averages of parameters [first, end), which the device allocates in one piece; *end is set. */
static cliv_status make_arena(cliv_average *a, const cliv_optimizer *of, size_t first, size_t *end) {
  const size_t room = a->ctx->facts.max_allocation / sizeof(float);
  size_t elements = 0, axes = 0, n = 0;
  while (first + n < a->count && (n == 0 || elements + of->params[first + n].p->count + 64 <= room))
    elements += cliv__round_up(of->params[first + n++].p->count, 64);
  *end = first + n;
  for (size_t i = first; i < *end; i++) axes += (size_t)of->params[i].p->ndim;
  int *ndims = malloc(n * sizeof *ndims);
  size_t *shapes = malloc((axes + 1) * sizeof *shapes), at = 0;
  cliv_tensor **made = calloc(n, sizeof *made);
  cliv_status status =
      ndims && shapes && made ? CLIV_OK : cliv__fail(a->ctx, CLIV_HOST_MEMORY, "no memory for averages");
  for (size_t i = 0; !status && i < n; i++) {
    const cliv_tensor *p = of->params[first + i].p;
    ndims[i] = p->ndim;
    memcpy(shapes + at, p->shape, (size_t)p->ndim * sizeof *shapes);
    at += (size_t)p->ndim;
  }
  if (!status) status = cliv_arena_create(a->ctx, CLIV_F32, n, ndims, shapes, made);
  for (size_t i = 0; !status && i < n; i++) a->loans[first + i].from = made[i];
  free(ndims);
  free(shapes);
  free(made);
  return status;
}

/* The parameter is the average and the gradient the weight; or they are as they were, and the average is a state. */
static cliv_status add_params(cliv_average *a, const cliv_optimizer *of) {
  const bool state = in_state(a->o->rule);
  for (size_t i = 0, end; !state && i < a->count; i = end) TRY(make_arena(a, of, i, &end));
  for (size_t i = 0; i < a->count; i++) {
    const cliv_tensor *p = of->params[i].p;
    cliv__loan *loan = &a->loans[i];
    TRY(cliv_tensor_view(p, 0, p->ndim, p->shape, 0, &loan->to));
    TRY(cliv_optimizer_add(a->o, state ? loan->to : loan->from, state ? of->params[i].g : loan->to, 0));
    loan->share = 1;
  }
  for (size_t i = 0; state && i < a->count; i++) TRY(cliv_optimizer_state(a->o, i, "slow", &a->loans[i].from));
  return CLIV_OK;
}

static cliv_status make(cliv_average *a, const cliv_optimizer *of, const cliv__rule *kind, const char *preset) {
  TRY(cliv__optimizer_make(a->ctx, kind, NULL, &(cliv_optimizer_options){.preset = preset}, &a->o));
  a->count = of->param_count;
  a->loans = calloc(a->count + 1, sizeof *a->loans);
  REQUIRE(a->ctx, a->loans != NULL, HOST_MEMORY, "no memory for %zu averages", a->count);
  TRY(add_params(a, of));
  return cliv_optimizer_step(a->o, NULL);
}

static cliv_status fail_kind(cliv_context *ctx, const char *kind) {
  cliv__text text = {0};
  for (size_t i = 0; i < cliv_average_kind_count(); i++)
    cliv__text_add(&text, i ? ", %s" : "%s", cliv_average_kind_get(i)->name);
  char *list = cliv__text_take(&text);
  const cliv_status status =
      cliv__fail(ctx, CLIV_NAME, "average '%s' is unknown; there are: %s", kind, list ? list : "?");
  free(list);
  return status;
}

cliv_status cliv_average_create(cliv_optimizer *of, const char *kind, const cliv_average_options *options,
                                cliv_average **out) {
  cliv_context *ctx = of ? of->ctx : NULL;
  REQUIRE_NOT_NULL(ctx, out);
  *out = NULL;
  REQUIRE(ctx, of != NULL, NULL, "the optimizer is NULL");
  REQUIRE_NOT_NULL(ctx, kind);
  cliv_average_options own;
  TRY(OPTIONS(ctx, options, &own));
  const cliv__rule *found = cliv__average_kind(kind);
  if (!found) return fail_kind(ctx, kind);
  REQUIRE(ctx, !in_state(found) || of->precision.weights != CLIV__WEIGHTS_MASTER, VALUE,
          "%s sets parameters back, and this optimizer takes them from their float32 masters", kind);
  cliv_average *a = calloc(1, sizeof *a);
  REQUIRE(ctx, a != NULL, HOST_MEMORY, "no memory for an average");
  a->ctx = ctx;
  const cliv_status status = make(a, of, found, own.preset);
  if (status) cliv_average_free(a);
  else *out = a;
  return status;
}

void cliv_average_free(cliv_average *a) {
  if (!a) return;
  cliv_optimizer_free(a->lent);
  cliv_optimizer_free(a->o);
  for (size_t i = 0; a->loans && i < a->count; i++) {
    cliv_tensor_free(a->loans[i].to);
    cliv_tensor_free(a->loans[i].from);
  }
  free(a->loans);
  free(a);
}

const cliv_rule_info *cliv_average_kind_of(const cliv_average *a) { return &a->o->rule->info; }

/* ---- hyper-parameters ---- */

cliv_status cliv_average_set(cliv_average *a, const char *hyper, double value) {
  REQUIRE_NOT_NULL(NULL, a);
  return cliv_optimizer_set(a->o, CLIV_DEFAULT_GROUP, hyper, value);
}

cliv_status cliv_average_get(const cliv_average *a, const char *hyper, double *value) {
  REQUIRE_NOT_NULL(NULL, a);
  return cliv_optimizer_get(a->o, CLIV_DEFAULT_GROUP, hyper, value);
}

static double interval(const cliv_average *a) {
  return cliv__hyper(a->o, CLIV_DEFAULT_GROUP)[cliv__rule_hyper(a->o->rule, "interval")];
}

/* ---- using it ---- */

/* STATE after a driver or a device that took some launches or writes and refused the next. */
static cliv_status check_whole(const cliv_average *a) {
  REQUIRE(a->ctx, !a->o->torn, STATE,
          "averages are of two updates, since the driver or the device failed within an update or a load: load them "
          "from where they were saved (cliv_average_load)%s, or make an average anew",
          in_state(a->o->rule) ? ", and the parameters that they set back too" : "");
  return CLIV_OK;
}

cliv_status cliv_average_update(cliv_average *a, const cliv_sync *sync) {
  TRY(cliv__check_sync(a ? a->ctx : NULL, sync));
  REQUIRE_NOT_NULL(NULL, a);
  REQUIRE(a->ctx, a->lent == NULL, STATE,
          "the parameters hold their average; swap them back (cliv_average_swap) before an update");
  TRY(check_whole(a));
  const double every = interval(a);
  REQUIRE(a->ctx, every == (double)(uint64_t)every, VALUE, "interval of %s is %g; it must be whole",
          a->o->rule->info.name, every);
  if ((a->updates + 1) % (uint64_t)every) TRY(cliv__nothing(a->ctx, sync));
  else TRY(cliv_optimizer_step(a->o, sync));
  a->updates++;
  return CLIV_OK;
}

uint64_t cliv_average_updates(const cliv_average *a) { return a->updates; }

cliv_status cliv_average_swap(cliv_average *a, const cliv_sync *sync) {
  TRY(cliv__check_sync(a ? a->ctx : NULL, sync));
  REQUIRE_NOT_NULL(NULL, a);
  if (a->lent) return cliv__lend_back(&a->lent, sync);
  TRY(check_whole(a));
  return cliv__lend(a->ctx, a->loans, a->count, sync, &a->lent);
}

int cliv_average_swapped(const cliv_average *a) { return a->lent != NULL; }

cliv_status cliv_average_tensor(cliv_average *a, size_t param, cliv_tensor **view) {
  REQUIRE_NOT_NULL(NULL, a);
  REQUIRE_NOT_NULL(a->ctx, view);
  *view = NULL;
  REQUIRE(a->ctx, param < a->count, VALUE, "there is no parameter %zu; the average has %zu", param, a->count);
  const cliv_tensor *from = a->loans[param].from;
  return cliv_tensor_view(from, 0, from->ndim, from->shape, 0, view);
}

/* ---- in a file ---- */

static cliv_status add_all(const cliv_average *a, cliv__bundle *b) {
  TRY(cliv__bundle_text(b, "format", strdup(FORMAT)));
  TRY(cliv__bundle_text(b, "kind", strdup(a->o->rule->info.name)));
  TRY(cliv__bundle_text(b, "updates", cliv__format("%" PRIu64, a->updates)));
  for (size_t i = 0; i < a->count; i++) TRY(cliv__bundle_tensor(b, cliv__format("average.%zu", i), a->loans[i].from));
  return CLIV_OK;
}

cliv_status cliv_average_save(cliv_average *a, const char *path) {
  REQUIRE_NOT_NULL(NULL, a);
  REQUIRE_NOT_NULL(a->ctx, path);
  TRY(check_whole(a));
  cliv__bundle b = {.ctx = a->ctx};
  cliv_status status = add_all(a, &b);
  if (!status) status = cliv__bundle_write(&b, path);
  cliv__bundle_free(&b);
  return status;
}

#define REFUSE(STATUS, format, ...) cliv__fail(a->ctx, CLIV_##STATUS, "%s: " format, shown, __VA_ARGS__)

static cliv_status read_array(const cliv_average *a, const cliv_safetensors *file, size_t i, const char *shown,
                              cliv_array *out) {
  const cliv_tensor *p = a->loans[i].from;
  char name[40];
  snprintf(name, sizeof name, "average.%zu", i);
  if (!cliv_safetensors_has(file, name)) return REFUSE(DATA, "it has no '%s'", name);
  TRY(cliv__relay(a->ctx, cliv_safetensors_read(file, name, out)));
  if (out->dtype != CLIV_F32 || out->ndim != p->ndim ||
      memcmp(out->shape, p->shape, (size_t)p->ndim * sizeof *p->shape) != 0)
    return REFUSE(SHAPE, "'%s' has not the shape of the parameter, or is not float32", name);
  return CLIV_OK;
}

/* All is read and checked before anything changes. */
static cliv_status read_file(const cliv_average *a, const cliv_safetensors *file, const char *shown, cliv_array *arrays,
                             uint64_t *updates) {
  const char *kind = cliv_safetensors_metadata(file, "kind"), *format = cliv_safetensors_metadata(file, "format");
  const char *text = cliv_safetensors_metadata(file, "updates");
  if (!format || strcmp(format, FORMAT))
    return REFUSE(FORMAT, "its format is '%.40s', not '" FORMAT "'", format ? format : "");
  if (!kind || strcmp(kind, a->o->rule->info.name))
    return REFUSE(DATA, "it has the averages of '%.40s', these are of %s", kind ? kind : "", a->o->rule->info.name);
  char *end = NULL;
  *updates = text && *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
  if (!end || *end || *updates >= CLIV__MOST_STEPS) return REFUSE(FORMAT, "its '%s' are no count", "updates");
  if (cliv_safetensors_count(file) != a->count)
    return REFUSE(DATA, "it has %zu averages, these are %zu", cliv_safetensors_count(file), a->count);
  for (size_t i = 0; i < a->count; i++) TRY(read_array(a, file, i, shown, &arrays[i]));
  return CLIV_OK;
}

static cliv_status take_over(cliv_average *a, const cliv_array *arrays, uint64_t updates) {
  TRY(cliv_optimizer_set_steps(a->o, 1 + updates / (uint64_t)interval(a)));
  a->o->torn = true; /* until all are there */
  for (size_t i = 0; i < a->count; i++)
    TRY(cliv_tensor_write(a->loans[i].from, arrays[i].data, cliv_array_count(&arrays[i]) * sizeof(float)));
  a->o->torn = false;
  a->updates = updates;
  return CLIV_OK;
}

cliv_status cliv_average_load(cliv_average *a, const char *path) {
  REQUIRE_NOT_NULL(NULL, a);
  REQUIRE_NOT_NULL(a->ctx, path);
  cliv_safetensors *file;
  uint64_t updates = 0;
  TRY(cliv__relay(a->ctx, cliv_safetensors_open(path, &file)));
  cliv_array *arrays = calloc(a->count + 1, sizeof *arrays);
  cliv_status status = arrays ? CLIV_OK : cliv__fail(a->ctx, CLIV_HOST_MEMORY, "no memory for %zu averages", a->count);
  if (!status) status = read_file(a, file, cliv__shown(path), arrays, &updates);
  cliv_safetensors_free(file);
  if (!status) status = take_over(a, arrays, updates);
  for (size_t i = 0; arrays && i < a->count; i++) cliv_array_free(&arrays[i]);
  free(arrays);
  return status;
}
