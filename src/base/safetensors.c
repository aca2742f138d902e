/* Named arrays in one file: a JSON header that is checked whole, then data without holes. */
#include "base/safetensors.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/dtype.h"
#include "base/file.h"
#include "base/json.h"
#include "base/status.h"

enum { MOST_HEADER = 100000000 }; /* as in the format's own implementation */
static const char metadata_key[] = "__metadata__";

/* The first row of a type is how it is written. */
static const struct {
  const char *code;
  cliv_dtype dtype;
} codes[] = {{"F32", CLIV_F32}, {"F16", CLIV_F16}, {"BF16", CLIV_BF16}, {"F64", CLIV_F64},
             {"I32", CLIV_I32}, {"I64", CLIV_I64}, {"U8", CLIV_U8},     {"BOOL", CLIV_U8}};
enum { CODES = sizeof codes / sizeof codes[0] };

typedef struct entry {
  const char *name;
  cliv_array info; /* no data */
  size_t begin, end;
} entry;

struct cliv_safetensors {
  cliv__source source;
  char *path;
  json_t *root; /* owns all names and texts */
  entry *entries;
  cliv_metadata *metadata;
  size_t count, metadata_count, data;
};

/* ---- reading ---- */

/* The beginning of every sentence about a malformed header. */
#define MALFORMED "%s: not a safetensors file that can be read: "

static cliv_status fail(const cliv_safetensors *f, const char *what) {
  return cliv__fail(NULL, CLIV_FORMAT, MALFORMED "%s", cliv__shown(f->path), what);
}

static cliv_status fail_entry(const cliv_safetensors *f, const char *name, const char *what) {
  return cliv__fail(NULL, CLIV_FORMAT, MALFORMED "array '%.80s': %s", cliv__shown(f->path), name, what);
}

static bool take_size(const json_t *value, size_t *out) {
  const json_int_t x = json_integer_value(value);
  *out = (size_t)x;
  return json_is_integer(value) && x >= 0 && (uintmax_t)x <= SIZE_MAX;
}

static cliv_status take_dtype(const cliv_safetensors *f, entry *e, const json_t *value) {
  const char *code = json_string_value(value);
  if (!code) return fail_entry(f, e->name, "its dtype is not a string");
  for (int i = 0; i < CODES; i++) {
    if (strcmp(codes[i].code, code) != 0) continue;
    e->info.dtype = codes[i].dtype;
    return CLIV_OK;
  }
  return cliv__fail(NULL, CLIV_DTYPE,
                    "%s: array '%.80s' is of type '%.20s'; F32 F16 BF16 F64 I32 I64 U8 BOOL can be read",
                    cliv__shown(f->path), e->name, code);
}

static cliv_status take_shape(const cliv_safetensors *f, entry *e, const json_t *value) {
  const size_t ndim = json_array_size(value);
  if (!json_is_array(value)) return fail_entry(f, e->name, "its shape is not a list");
  REQUIRE(NULL, ndim <= CLIV_MAX_DIMS, SHAPE, "%s: array '%.80s' has %zu dimensions; up to %d can be read",
          cliv__shown(f->path), e->name, ndim, CLIV_MAX_DIMS);
  e->info.ndim = (int)ndim;
  for (size_t i = 0; i < ndim; i++)
    if (!take_size(json_array_get(value, i), &e->info.shape[i]))
      return fail_entry(f, e->name, "its shape is not of whole numbers");
  return CLIV_OK;
}

static cliv_status take_entry(const cliv_safetensors *f, entry *e, const json_t *value) {
  if (!json_is_object(value)) return fail_entry(f, e->name, "its description is not an object");
  const json_t *offsets = json_object_get(value, "data_offsets");
  TRY(take_dtype(f, e, json_object_get(value, "dtype")));
  TRY(take_shape(f, e, json_object_get(value, "shape")));
  if (!json_is_array(offsets) || json_array_size(offsets) != 2 || !take_size(json_array_get(offsets, 0), &e->begin) ||
      !take_size(json_array_get(offsets, 1), &e->end))
    return fail_entry(f, e->name, "its data_offsets are not two whole numbers");
  const size_t there = f->source.size - f->data;
  size_t bytes;
  if (e->begin > e->end) return fail_entry(f, e->name, "its data_offsets end before they begin");
  if (e->end > there) return fail_entry(f, e->name, "its data_offsets go beyond the end of the file");
  if (!cliv__shape_size(e->info.dtype, e->info.ndim, e->info.shape, NULL, &bytes) || bytes != e->end - e->begin)
    return fail_entry(f, e->name, "its shape and type do not fit its data_offsets");
  return CLIV_OK;
}

static cliv_status take_metadata(cliv_safetensors *f, json_t *object) {
  const char *key;
  json_t *value;
  if (!json_is_object(object)) return fail(f, "its __metadata__ is not an object");
  f->metadata = malloc((json_object_size(object) + 1) * sizeof *f->metadata);
  REQUIRE(NULL, f->metadata != NULL, HOST_MEMORY, "%s: out of memory", cliv__shown(f->path));
  json_object_foreach(object, key, value) {
    if (!json_is_string(value)) return fail(f, "its __metadata__ has a value that is not a string");
    f->metadata[f->metadata_count++] = (cliv_metadata){key, json_string_value(value)};
  }
  return CLIV_OK;
}

static int by_place(const void *x, const void *y) {
  const entry *a = *(const entry *const *)x, *b = *(const entry *const *)y;
  if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
  return a->end < b->end ? -1 : a->end > b->end;
}

/* Sorted by place, each array begins where the one before ends, and the last ends with the file. */
static cliv_status check_places(const cliv_safetensors *f, const entry **sorted) {
  size_t at = 0;
  for (size_t i = 0; i < f->count; i++) sorted[i] = &f->entries[i];
  qsort(sorted, f->count, sizeof *sorted, by_place);
  for (size_t i = 0; i < f->count; i++) {
    if (sorted[i]->begin < at) return fail_entry(f, sorted[i]->name, "its data overlap those of another");
    if (sorted[i]->begin > at) return fail_entry(f, sorted[i]->name, "there is a hole before its data");
    at = sorted[i]->end;
  }
  return at == f->source.size - f->data ? CLIV_OK : fail(f, "there are bytes behind its last array");
}

static cliv_status take_root(cliv_safetensors *f) {
  const char *key;
  json_t *value;
  const size_t size = json_object_size(f->root) + 1;
  f->entries = calloc(size, sizeof *f->entries);
  REQUIRE(NULL, f->entries != NULL, HOST_MEMORY, "%s: out of memory", cliv__shown(f->path));
  json_object_foreach(f->root, key, value) {
    if (strcmp(key, metadata_key) == 0) {
      TRY(take_metadata(f, value));
      continue;
    }
    entry *e = &f->entries[f->count];
    e->name = key;
    TRY(take_entry(f, e, value));
    f->count++;
  }
  const entry **sorted = malloc(size * sizeof *sorted);
  REQUIRE(NULL, sorted != NULL, HOST_MEMORY, "%s: out of memory", cliv__shown(f->path));
  const cliv_status status = check_places(f, sorted);
  free(sorted);
  return status;
}

/* Lists within lists within lists cost the JSON reader many times their length in memory; no header has them. */
static bool is_shallow(const char *text, size_t n) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < n; i++) {
    if (quoted && text[i] == '\\') i++;
    else if (text[i] == '"') quoted = !quoted;
    else if (!quoted && (text[i] == '{' || text[i] == '[') && ++depth > 3) return false;
    else if (!quoted && (text[i] == '}' || text[i] == ']')) depth--;
  }
  return true;
}

static cliv_status parse_header(cliv_safetensors *f, const char *text, size_t n) {
  json_error_t error;
  if (n == 0 || text[0] != '{') return fail(f, "its header does not begin with '{'");
  if (!is_shallow(text, n)) return fail(f, "its header is nested too deeply");
  f->root = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
  if (f->root) return take_root(f);
  if (json_error_code(&error) == json_error_out_of_memory || !error.text[0]) /* Jansson seldom says which it was */
    return cliv__fail(NULL, CLIV_HOST_MEMORY, "%s: out of memory", cliv__shown(f->path));
  return cliv__fail(NULL, CLIV_FORMAT, MALFORMED "its header, byte %d: %.120s", cliv__shown(f->path), error.position,
                    error.text);
}

static cliv_status read_header(cliv_safetensors *f) {
  unsigned char start[8];
  if (f->source.size < sizeof start) return fail(f, "it is too short");
  TRY(cliv__source_read(&f->source, 0, start, sizeof start));
  const uint64_t n = cliv__little_endian(start, 8);
  if (n > f->source.size - sizeof start) return fail(f, "its header is longer than the file");
  if (n > MOST_HEADER) return fail(f, "its header is longer than 100 MB");
  f->data = sizeof start + (size_t)n;
  char *text = malloc((size_t)n + 1);
  REQUIRE(NULL, text != NULL, HOST_MEMORY, "%s: out of memory", cliv__shown(f->path));
  cliv_status status = cliv__source_read(&f->source, sizeof start, text, (size_t)n);
  if (!status) status = parse_header(f, text, (size_t)n);
  free(text);
  return status;
}

/* Takes the source over, whatever comes out. */
static cliv_status open_source(cliv__source source, cliv_safetensors **out) {
  cliv_safetensors *f = calloc(1, sizeof *f);
  if (f) f->path = strdup(source.name);
  if (!f || !f->path) {
    free(f);
    cliv__source_close(&source);
    return cliv__fail(NULL, CLIV_HOST_MEMORY, "out of memory");
  }
  f->source = source;
  f->source.name = f->path;
  const cliv_status status = read_header(f);
  if (status) cliv_safetensors_free(f);
  else *out = f;
  return status;
}

cliv_status cliv__safetensors_parse(const void *bytes, size_t n, const char *name, cliv_safetensors **out) {
  *out = NULL;
  return open_source(cliv__source_memory(bytes, n, name), out);
}

cliv_status cliv_safetensors_open(const char *path, cliv_safetensors **out) {
  REQUIRE_NOT_NULL(NULL, out);
  *out = NULL;
  REQUIRE_NOT_NULL(NULL, path);
  cliv__source source;
  TRY(cliv__source_open(path, &source));
  return open_source(source, out);
}

void cliv_safetensors_free(cliv_safetensors *f) {
  if (!f) return;
  cliv__source_close(&f->source);
  json_decref(f->root);
  free(f->entries);
  free(f->metadata);
  free(f->path);
  free(f);
}

size_t cliv_safetensors_count(const cliv_safetensors *f) { return f->count; }
const char *cliv_safetensors_name(const cliv_safetensors *f, size_t i) {
  return i < f->count ? f->entries[i].name : NULL;
}
const cliv_array *cliv_safetensors_info(const cliv_safetensors *f, size_t i) {
  return i < f->count ? &f->entries[i].info : NULL;
}

static const entry *find(const cliv_safetensors *f, const char *name) {
  for (size_t i = 0; i < f->count; i++)
    if (strcmp(f->entries[i].name, name) == 0) return &f->entries[i];
  return NULL;
}

int cliv_safetensors_has(const cliv_safetensors *f, const char *name) { return find(f, name) != NULL; }

cliv_status cliv_safetensors_read(const cliv_safetensors *f, const char *name, cliv_array *out) {
  REQUIRE_NOT_NULL(NULL, out);
  *out = (cliv_array){0};
  REQUIRE_NOT_NULL(NULL, f);
  REQUIRE_NOT_NULL(NULL, name);
  const entry *e = find(f, name);
  REQUIRE(NULL, e != NULL, NAME, "%s: has no array '%.80s'", cliv__shown(f->path), name);
  TRY(cliv_array_create(e->info.dtype, e->info.ndim, e->info.shape, out));
  const cliv_status status = cliv__source_read(&f->source, f->data + e->begin, out->data, e->end - e->begin);
  if (status) cliv_array_free(out);
  return status;
}

const char *cliv_safetensors_metadata(const cliv_safetensors *f, const char *key) {
  for (size_t i = 0; i < f->metadata_count; i++)
    if (strcmp(f->metadata[i].key, key) == 0) return f->metadata[i].value;
  return NULL;
}

const cliv_metadata *cliv_safetensors_metadata_list(const cliv_safetensors *f, size_t *count) {
  *count = f->metadata_count;
  return f->metadata;
}

/* ---- writing ---- */

/* Well-formed UTF-8: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
static bool is_utf8(const char *text) {
  static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  for (const unsigned char *p = (const unsigned char *)text; *p;) {
    const int more = *p < 0x80                 ? 0
                     : *p >= 0xf0 && *p < 0xf8 ? 3
                     : *p >= 0xe0 && *p < 0xf0 ? 2
                     : *p >= 0xc0 && *p < 0xe0 ? 1
                                               : -1;
    if (more < 0) return false;
    uint32_t code = more == 0 ? *p : *p & (0x3fu >> more);
    p++;
    for (int i = 0; i < more; i++, p++) {
      if ((*p & 0xc0) != 0x80) return false;
      code = code << 6 | (*p & 0x3fu);
    }
    if (code < least[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
  }
  return true;
}

static cliv_status check_text(const char *path, const char *text) {
  REQUIRE(NULL, text != NULL, NULL, "%s: a name or text to write is NULL", cliv__shown(path));
  REQUIRE(NULL, is_utf8(text), VALUE, "%s: cannot write '%.80s': it is not UTF-8", cliv__shown(path), text);
  return CLIV_OK;
}

static cliv_status check_array(const char *path, const cliv_named_array *named, size_t *bytes) {
  const cliv_array *a = &named->array;
  TRY(check_text(path, named->name));
  REQUIRE(NULL, strcmp(named->name, metadata_key) != 0, VALUE, "%s: an array cannot be named '%s'", cliv__shown(path),
          metadata_key);
  REQUIRE(NULL, cliv_dtype_size(a->dtype) > 0, DTYPE, "%s: array '%.80s' has no element type", cliv__shown(path),
          named->name);
  REQUIRE(NULL, cliv__shape_size(a->dtype, a->ndim, a->shape, NULL, bytes), SHAPE,
          "%s: array '%.80s' has an impossible shape", cliv__shown(path), named->name);
  for (int d = 0; d < a->ndim; d++)
    REQUIRE(NULL, a->shape[d] <= INT64_MAX, SHAPE, "%s: array '%.80s' has an impossible shape", cliv__shown(path),
            named->name);
  REQUIRE(NULL, a->data != NULL || *bytes == 0, NULL, "%s: array '%.80s' has no data", cliv__shown(path), named->name);
  return CLIV_OK;
}

/* Puts `value` (taken over, NULL when memory ran out) into `object`. */
static cliv_status put(json_t *object, const char *path, const char *key, json_t *value) {
  if (json_object_get(object, key)) {
    json_decref(value);
    return cliv__fail(NULL, CLIV_VALUE, "%s: cannot write '%.80s': the name is there already", cliv__shown(path), key);
  }
  REQUIRE(NULL, value && json_object_set_new(object, key, value) == 0, HOST_MEMORY, "%s: out of memory",
          cliv__shown(path));
  return CLIV_OK;
}

static json_t *describe(const cliv_array *a, size_t begin, size_t end) {
  int code = 0;
  while (codes[code].dtype != a->dtype) code++;
  json_t *shape = json_array();
  for (int d = 0; d < a->ndim; d++) {
    if (json_array_append_new(shape, json_integer((json_int_t)a->shape[d])) == 0) continue;
    json_decref(shape);
    return NULL;
  }
  return json_pack("{s:s, s:o, s:[I, I]}", "dtype", codes[code].code, "shape", shape, "data_offsets", (json_int_t)begin,
                   (json_int_t)end);
}

static cliv_status describe_all(json_t *root, const char *path, const cliv_named_array *arrays, size_t count,
                                const cliv_metadata *metadata, size_t metadata_count) {
  size_t at = 0;
  if (metadata_count > 0) {
    json_t *object = json_object();
    TRY(put(root, path, metadata_key, object));
    for (size_t i = 0; i < metadata_count; i++) {
      TRY(check_text(path, metadata[i].key));
      TRY(check_text(path, metadata[i].value));
      TRY(put(object, path, metadata[i].key, json_string(metadata[i].value)));
    }
  }
  for (size_t i = 0; i < count; i++) {
    size_t bytes;
    TRY(check_array(path, &arrays[i], &bytes));
    REQUIRE(NULL, bytes <= INT64_MAX - at, SHAPE, "%s: the arrays are too large for one file", cliv__shown(path));
    TRY(put(root, path, arrays[i].name, describe(&arrays[i].array, at, at + bytes)));
    at += bytes;
  }
  return CLIV_OK;
}

static cliv_status write_parts(const char *path, const char *header, const cliv_named_array *arrays, size_t count) {
  const size_t n = strlen(header), padded = (n + 7) / 8 * 8;
  unsigned char start[8];
  REQUIRE(NULL, padded <= MOST_HEADER, VALUE, "%s: names and metadata of more than 100 MB", cliv__shown(path));
  for (int i = 0; i < 8; i++) start[i] = (unsigned char)((uint64_t)padded >> 8 * i);
  cliv__writer *writer;
  TRY(cliv__writer_open(path, &writer));
  cliv_status status = cliv__writer_append(writer, start, sizeof start);
  if (!status) status = cliv__writer_append(writer, header, n);
  if (!status) status = cliv__writer_append(writer, "       ", padded - n);
  for (size_t i = 0; !status && i < count; i++) {
    const cliv_array *a = &arrays[i].array;
    status = cliv__writer_append(writer, a->data, cliv_array_count(a) * cliv_dtype_size(a->dtype));
  }
  if (!status) return cliv__writer_commit(writer);
  cliv__writer_abandon(writer);
  return status;
}

cliv_status cliv_safetensors_write(const char *path, const cliv_named_array *arrays, size_t count,
                                   const cliv_metadata *metadata, size_t metadata_count) {
  REQUIRE_NOT_NULL(NULL, path);
  REQUIRE(NULL, arrays != NULL || count == 0, NULL, "%s: argument 'arrays' is NULL", __func__);
  REQUIRE(NULL, metadata != NULL || metadata_count == 0, NULL, "%s: argument 'metadata' is NULL", __func__);
  json_t *root = json_object();
  REQUIRE(NULL, root != NULL, HOST_MEMORY, "%s: out of memory", cliv__shown(path));
  cliv_status status = describe_all(root, path, arrays, count, metadata, metadata_count);
  char *header = status ? NULL : cliv__json_dump(root, JSON_COMPACT);
  json_decref(root);
  if (!status && !header) status = cliv__fail(NULL, CLIV_HOST_MEMORY, "%s: out of memory", cliv__shown(path));
  if (!status) status = write_parts(path, header, arrays, count);
  free(header);
  return status;
}
