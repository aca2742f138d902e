/* op.c: .npy files -> tensors -> one operation -> .npy files. */
#include "cli/op.h"

#include <cliv/npy.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

bool op_require(cli *c, const char *value, const char *option, const char *hint) {
  return value || cli_refuse(c, "option '%s' is missing; %s", option, hint);
}

static bool room_for_one_more(op_run *run) {
  if (run->count < OP_MAX_TENSORS) return true;
  cli_report(run->c, CLIV_INTERNAL, "more than %d tensors in one operation", OP_MAX_TENSORS);
  return false;
}

/* The input that was just read from a file. */
static bool take(op_run *run, const char *path, cliv_status status) {
  if (status) cli_report_with(run->c, NULL, status);
  else run->path[run->count++] = path;
  return !status;
}

bool op_read(op_run *run, const char *path) {
  return room_for_one_more(run) && take(run, path, cliv_npy_read(path, &run->array[run->count]));
}

bool op_read_pairs(op_run *run, const char *path, bool *pairs) {
  int found = 0;
  if (!room_for_one_more(run)) return false;
  const bool done = take(run, path, cliv_npy_read_pairs(path, &run->array[run->count], &found));
  *pairs = found != 0;
  return done;
}

bool op_has_axes(op_run *run, int input, int least, int most, const char *wanted) {
  const int ndim = run->array[input].ndim;
  if (ndim >= least && ndim <= most) return true;
  cli_report(run->c, CLIV_SHAPE, "'%s' has %d ax%cs; %s", run->path[input], ndim, ndim == 1 ? 'i' : 'e', wanted);
  return false;
}

bool op_same_types(op_run *run) {
  const cliv_array *const first = run->array;
  for (int i = 1; i < run->count; i++) {
    if (run->array[i].dtype == first->dtype) continue;
    cli_report(run->c, CLIV_DTYPE,
               "'%s' holds %s and '%s' %s; all have to be of one type (`cliv op map --op copy "
               "--dtype TYPE` converts)",
               run->path[0], cliv_dtype_name(first->dtype), run->path[i], cliv_dtype_name(run->array[i].dtype));
    return false;
  }
  return true;
}

bool op_read_text(cli *c, const char *path, char **text) {
  unsigned char *bytes = NULL;
  size_t length = 0;
  const cliv_status status = cliv__file_read(path, (size_t)1 << 20, &bytes, &length);
  if (status) cli_report_with(c, NULL, status);
  *text = (char *)bytes; /* ends with a 0 */
  return !status;
}

bool op_check(op_run *run, cliv_status status) {
  if (status) cli_report_with(run->c, run->ctx, status);
  return !status;
}

bool op_open(op_run *run) {
  if (!cli_open(run->c, &run->ctx)) return false;
  for (int i = 0; i < run->count; i++) {
    if (!op_check(run, cliv_tensor_from_array(run->ctx, &run->array[i], &run->tensor[i]))) return false;
    cliv_array_free(&run->array[i]);
  }
  return true;
}

bool op_make(op_run *run, cliv_dtype dtype, int ndim, const size_t *shape, cliv_tensor **out) {
  if (!room_for_one_more(run)) return false;
  if (!op_check(run, cliv_tensor_create(run->ctx, dtype, ndim, shape, out))) return false;
  run->tensor[run->count++] = *out;
  return true;
}

/* A pair is one number. */
static json_t *shape_json(const cliv_array *array, bool pairs) {
  json_t *const shape = json_array();
  for (int i = 0; i < array->ndim - pairs; i++) json_array_append_new(shape, json_integer((json_int_t)array->shape[i]));
  return shape;
}

/* The first element as JSON; integers stay integers. */
static json_t *value_json(const cliv_array *array) {
  const void *const data = array->data;
  switch (array->dtype) {
    case CLIV_F32: return cli_json_real((double)*(const float *)data);
    case CLIV_F64: return cli_json_real(*(const double *)data);
    case CLIV_F16: return cli_json_real((double)cliv_half_to_float(*(const uint16_t *)data));
    case CLIV_BF16: return cli_json_real((double)cliv_bfloat_to_float(*(const uint16_t *)data));
    case CLIV_I32: return json_integer(*(const int32_t *)data);
    case CLIV_I64: return json_integer(*(const int64_t *)data);
    case CLIV_U8: return json_integer(*(const uint8_t *)data);
    default: return json_null();
  }
}

static void print_value(const cliv_array *array) {
  const void *const data = array->data;
  switch (array->dtype) {
    case CLIV_F32: printf(" = %.9g", (double)*(const float *)data); break;
    case CLIV_F64: printf(" = %.17g", *(const double *)data); break;
    case CLIV_F16: printf(" = %.5g", (double)cliv_half_to_float(*(const uint16_t *)data)); break;
    case CLIV_BF16: printf(" = %.4g", (double)cliv_bfloat_to_float(*(const uint16_t *)data)); break;
    case CLIV_I32: printf(" = %" PRId32, *(const int32_t *)data); break;
    case CLIV_I64: printf(" = %" PRId64, *(const int64_t *)data); break;
    case CLIV_U8: printf(" = %u", *(const uint8_t *)data); break;
    default: break;
  }
}

static void print_result(op_run *run, const cliv_array *array, const char *kind, const char *operation) {
  const char *const type = !run->pairs                ? cliv_dtype_name(array->dtype)
                           : array->dtype == CLIV_F64 ? "complex128"
                                                      : "complex64";
  if (run->c->json) {
    json_t *const document =
        json_pack("{s:s, s:s, s:o, s:s, s:o, s:s, s:o}", "kind", kind, "op", operation, "device",
                  cli_json_text(cliv_context_device_name(run->ctx)), "walk", cli_walk_name(run->ctx), "output",
                  cli_json_text(run->output), "dtype", type, "shape", shape_json(array, run->pairs));
    if (run->provider) json_object_set_new(document, "provider", json_string(run->provider));
    if (array->ndim == 0) json_object_set_new(document, "value", value_json(array));
    cli_print_json(run->c, document);
    return;
  }
  printf("%s: %s [", run->output, type);
  for (int i = 0; i < array->ndim - run->pairs; i++) printf("%s%zu", i ? ", " : "", array->shape[i]);
  putchar(']');
  if (array->ndim == 0) print_value(array);
  putchar('\n');
}

static bool write_array(op_run *run, const cliv_array *array, const char *path) {
  const cliv_status status = run->pairs ? cliv_npy_write_pairs(path, array) : cliv_npy_write(path, array);
  if (status) cli_report_with(run->c, NULL, status);
  return !status;
}

bool op_write(op_run *run, const cliv_tensor *tensor, const char *path) {
  cliv_array array = {0};
  const bool good = op_check(run, cliv_tensor_to_array(tensor, &array)) && write_array(run, &array, path);
  cliv_array_free(&array);
  return good;
}

void op_waiting(const char *path, char waiting[OP_PATH_ROOM]) {
  snprintf(waiting, OP_PATH_ROOM, "%s.cliv-waiting", path);
}

bool op_name(op_run *run, const char *waiting, const char *path) {
  if (rename(waiting, path) == 0) return true;
  cli_report(run->c, CLIV_FILE, "'%s' cannot be written: %s", path, strerror(errno));
  return false;
}

bool op_deliver(op_run *run, const cliv_tensor *tensor, const char *kind, const char *operation) {
  cliv_array array = {0};
  const bool good = op_check(run, cliv_tensor_to_array(tensor, &array)) && write_array(run, &array, run->output) &&
                    (!run->settle || run->settle(run, run->with));
  if (good) print_result(run, &array, kind, operation);
  cliv_array_free(&array);
  return good;
}

int op_finish(op_run *run) {
  for (int i = 0; i < OP_MAX_TENSORS; i++) {
    cliv_tensor_free(run->tensor[i]);
    cliv_array_free(&run->array[i]);
  }
  cliv_context_free(run->ctx);
  return cli_done(run->c);
}
