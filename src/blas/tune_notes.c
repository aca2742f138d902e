/* What searches found: notes of the device, put in force, exported and imported. */
#include "blas/tuning.h"

#ifdef CLIV_HAVE_CLBLAST

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "runtime/notes.h"

static const char KEPT[] = "clblast " CLIV_CLBLAST_VERSION " tuned";
static const char FORMAT[] = "cliv tuning";
enum { FORMAT_VERSION = 1, MAX_FILE = 1 << 20, MAX_VALUE = 1 << 16 };

/* ---- rows and JSON ---- */

static json_t *parameters_json(const cliv__parameters *p) {
  json_t *object = json_object();
  for (size_t i = 0; i < p->count; i++)
    json_object_set_new(object, p->list[i].name, json_integer((json_int_t)p->list[i].value));
  return object;
}

static json_t *row_json(const cliv__tune_row *row) {
  return json_pack("{s:s, s:s, s:s, s:o, s:o, s:f, s:f}", "routine", row->kernel->routine, "kernel",
                   row->kernel->kernel, "dtype", cliv_dtype_name(row->dtype), "parameters",
                   parameters_json(&row->parameters), "defaults", parameters_json(&row->defaults), "before",
                   row->before, "after", row->after);
}

static const cliv__tune_kernel *find_kernel(const char *name) {
  for (const cliv__tune_kernel *k = cliv__tune_kernels; name && k->kernel; k++)
    if (!strcmp(k->kernel, name)) return k;
  return NULL;
}

/* Exactly the names that `out` has, each with a value that could be one. NULL, or what is wrong, malloc'd. */
static char *read_parameters(const json_t *object, cliv__parameters *out) {
  if (!json_is_object(object)) return cliv__format("has no object of parameters");
  if (json_object_size(object) != out->count)
    return cliv__format("has %zu parameters; this CLBlast's kernel has %zu", json_object_size(object), out->count);
  for (size_t i = 0; i < out->count; i++) {
    const json_t *number = json_object_get(object, out->list[i].name);
    if (!number) return cliv__format("lacks the parameter %s of this CLBlast's kernel", out->list[i].name);
    const json_int_t x = json_integer_value(number);
    if (!json_is_integer(number) || x < 0 || x > MAX_VALUE)
      return cliv__format("has a parameter %s that is no number from 0 to %d", out->list[i].name, MAX_VALUE);
    out->list[i].value = (size_t)x;
  }
  return NULL;
}

/* NULL, or what is wrong with the row, malloc'd. */
static char *read_row(cliv_context *ctx, const json_t *json, cliv__tune_row *row) {
  const char *kernel = json_string_value(json_object_get(json, "kernel")),
             *dtype = json_string_value(json_object_get(json, "dtype"));
  *row = (cliv__tune_row){.kernel = find_kernel(kernel)};
  if (!row->kernel) return cliv__format("names no kernel that is tuned: '%s'", kernel ? kernel : "");
  const cliv__error held = cliv__error_hold(NULL);
  const bool known = dtype && !cliv_dtype_parse(dtype, &row->dtype);
  cliv__error_restore(NULL, &held);
  if (!known || (row->dtype != CLIV_F32 && row->dtype != CLIV_F64))
    return cliv__format("is of '%s'; float32 and float64 are tuned", dtype ? dtype : "");
  if (cliv__parameters_read(ctx->device, row->kernel->kernel, row->dtype == CLIV_F64, &row->parameters))
    return cliv__format("names the kernel %s, which this CLBlast does not have", kernel);
  row->defaults = row->parameters;
  char *wrong = read_parameters(json_object_get(json, "parameters"), &row->parameters);
  if (!wrong) wrong = read_parameters(json_object_get(json, "defaults"), &row->defaults);
  row->before = json_number_value(json_object_get(json, "before"));
  row->after = json_number_value(json_object_get(json, "after"));
  return wrong;
}

/* ---- kept ---- */

static bool is_row_of(const json_t *json, const cliv__tune_kernel *kernel, cliv_dtype dtype) {
  const char *name = json_string_value(json_object_get(json, "kernel")),
             *type = json_string_value(json_object_get(json, "dtype"));
  return name && type && !strcmp(name, kernel->kernel) && !strcmp(type, cliv_dtype_name(dtype));
}

static json_t *kept_rows(cliv_context *ctx) {
  json_t *rows = cliv__notes_get(ctx, KEPT);
  if (json_is_array(rows)) return rows;
  json_decref(rows);
  return json_array();
}

bool cliv__tune_keep(cliv_context *ctx, const cliv__tune_row *row) {
  json_t *rows = kept_rows(ctx);
  for (size_t i = json_array_size(rows); i-- > 0;)
    if (is_row_of(json_array_get(rows, i), row->kernel, row->dtype)) json_array_remove(rows, i);
  const bool kept = !json_array_append_new(rows, row_json(row)) && cliv__notes_put(ctx, KEPT, rows);
  json_decref(rows);
  return kept;
}

bool cliv__tune_kept(cliv_context *ctx, const cliv__tune_kernel *kernel, cliv_dtype dtype, cliv__tune_row *out) {
  json_t *rows = kept_rows(ctx);
  bool found = false;
  for (size_t i = 0; !found && i < json_array_size(rows); i++) {
    if (!is_row_of(json_array_get(rows, i), kernel, dtype)) continue;
    char *wrong = read_row(ctx, json_array_get(rows, i), out);
    found = !wrong;
    free(wrong);
  }
  json_decref(rows);
  return found;
}

bool cliv__tuning_kept(cliv_context *ctx) {
  json_t *rows = cliv__notes_get(ctx, KEPT);
  const bool any = json_array_size(rows) > 0;
  json_decref(rows);
  return any;
}

int cliv__tune_defaults(cliv_context *ctx, const cliv__tune_kernel *kernel, cliv_dtype dtype, cliv__parameters *out) {
  cliv__tune_row row;
  if (cliv__tune_kept(ctx, kernel, dtype, &row)) {
    *out = row.defaults;
    return 0;
  }
  return cliv__parameters_read(ctx->device, kernel->kernel, dtype == CLIV_F64, out);
}

void cliv__tuning_apply(cliv_context *ctx) {
  if (ctx->tuning_applied) return;
  ctx->tuning_applied = true;
  json_t *rows = cliv__notes_get(ctx, KEPT);
  for (size_t i = 0; i < json_array_size(rows); i++) {
    cliv__tune_row row;
    char *wrong = read_row(ctx, json_array_get(rows, i), &row);
    if (!wrong)
      (void)cliv__parameters_override(ctx->device, row.kernel->kernel, row.dtype == CLIV_F64, &row.parameters);
    free(wrong);
  }
  json_decref(rows);
}

/* ---- what was tried ---- */

static char *state_name(const cliv__tune_kernel *kernel, cliv_dtype dtype) {
  return cliv__format("clblast " CLIV_CLBLAST_VERSION " search %s %zu %s", kernel->kernel, kernel->m,
                      cliv_dtype_name(dtype));
}

json_t *cliv__tune_state(cliv_context *ctx, const cliv__tune_kernel *kernel, cliv_dtype dtype) {
  char *name = state_name(kernel, dtype);
  json_t *state = name ? cliv__notes_get(ctx, name) : NULL;
  free(name);
  if (json_is_object(json_object_get(state, "tried"))) return state;
  json_decref(state);
  return json_pack("{s:{}}", "tried");
}

bool cliv__tune_remember(cliv_context *ctx, const cliv__tune_kernel *kernel, cliv_dtype dtype, json_t *state) {
  char *name = state_name(kernel, dtype);
  const bool kept = name && cliv__notes_put(ctx, name, state);
  free(name);
  return kept;
}

/* ---- files ---- */

static json_t *document(cliv_context *ctx) {
  const cliv_device_info *d = &ctx->facts;
  return json_pack("{s:s, s:i, s:s, s:{s:o, s:o, s:o, s:o, s:i}, s:o}", "format", FORMAT, "version", FORMAT_VERSION,
                   "clblast", CLIV_CLBLAST_VERSION, "device", "name", cliv__json_text(d->name), "vendor",
                   cliv__json_text(d->vendor), "platform", cliv__json_text(d->platform_name), "driver",
                   cliv__json_text(d->driver), "compute_units", (int)d->compute_units, "rows", kept_rows(ctx));
}

cliv_status cliv_tune_export(cliv_context *ctx, const char *path) {
  REQUIRE_NOT_NULL(ctx, ctx);
  REQUIRE_NOT_NULL(ctx, path);
  json_t *json = document(ctx);
  char *text = cliv__json_dump(json, JSON_INDENT(2)), *lines = text ? cliv__format("%s\n", text) : NULL;
  json_decref(json);
  free(text);
  REQUIRE(ctx, lines, HOST_MEMORY, "no memory for a file of tuned parameters");
  const cliv_status status = cliv__relay(ctx, cliv__file_write(path, lines, strlen(lines)));
  free(lines);
  return status;
}

static cliv_status check_device(cliv_context *ctx, const char *path, const json_t *json) {
  const json_t *device = json_object_get(json, "device");
  const char *name = json_string_value(json_object_get(device, "name")),
             *platform = json_string_value(json_object_get(device, "platform"));
  REQUIRE(ctx, name && platform, FORMAT, "'%s' does not tell the device that it is of", cliv__shown(path));
  REQUIRE(
      ctx, !strcmp(name, ctx->facts.name) && !strcmp(platform, ctx->facts.platform_name), DATA,
      "'%s' is of device '%s' on platform '%s', and this is '%s' on '%s'; what is fast there need not be right here: "
      "run 'cliv tune' on this device",
      cliv__shown(path), name, platform, ctx->facts.name, ctx->facts.platform_name);
  return CLIV_OK;
}

static cliv_status read_rows(cliv_context *ctx, const char *path, const json_t *json, cliv__tune_row **rows,
                             size_t *count) {
  const json_t *list = json_object_get(json, "rows"), *version = json_object_get(json, "version");
  const char *format = json_string_value(json_object_get(json, "format"));
  REQUIRE(ctx, format && !strcmp(format, FORMAT), FORMAT,
          "'%s' is no file of tuned parameters: its \"format\" is not \"%s\"", cliv__shown(path), FORMAT);
  REQUIRE(ctx, json_integer_value(version) == FORMAT_VERSION, FORMAT,
          "'%s' is of version %lld of its format, and this library reads version %d", cliv__shown(path),
          (long long)json_integer_value(version), FORMAT_VERSION);
  TRY(check_device(ctx, path, json));
  REQUIRE(ctx, json_is_array(list), FORMAT, "'%s' has no list of \"rows\"", cliv__shown(path));
  *count = json_array_size(list);
  *rows = calloc(*count ? *count : 1, sizeof **rows);
  REQUIRE(ctx, *rows, HOST_MEMORY, "no memory for %zu rows of '%s'", *count, cliv__shown(path));
  for (size_t i = 0; i < *count; i++) {
    char *wrong = read_row(ctx, json_array_get(list, i), &(*rows)[i]);
    if (!wrong) continue;
    const cliv_status status =
        cliv__fail(ctx, CLIV_FORMAT, "row %zu of '%s' %s; nothing of it was taken", i + 1, cliv__shown(path), wrong);
    free(wrong);
    free(*rows);
    *rows = NULL;
    return status;
  }
  return CLIV_OK;
}

cliv_status cliv__tune_read(cliv_context *ctx, const char *path, cliv__tune_row **rows, size_t *count) {
  unsigned char *data = NULL;
  size_t bytes = 0;
  *rows = NULL;
  *count = 0;
  TRY(cliv__relay(ctx, cliv__file_read(path, MAX_FILE, &data, &bytes)));
  json_error_t error;
  json_t *json = json_loadb((const char *)data, bytes, JSON_REJECT_DUPLICATES, &error);
  free(data);
  REQUIRE(ctx, json, FORMAT, "'%s' is no JSON: line %d, column %d: %s", cliv__shown(path), error.line, error.column,
          error.text);
  const cliv_status status = read_rows(ctx, path, json, rows, count);
  json_decref(json);
  return status;
}

#else

void cliv__tuning_apply(cliv_context *ctx) { (void)ctx; }

#endif
