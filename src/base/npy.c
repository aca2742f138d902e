/* NumPy's .npy files: a Python dictionary as header, then the bytes of the array. */
#include "base/npy.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/dtype.h"
#include "base/file.h"
#include "base/status.h"

static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
enum { MOST_HEADER = 1 << 20 }; /* what the types read here need is below 300 bytes */

/* Code in the file without its byte order, bytes there, type in memory, and how to get from the one to the other
 * where they differ. The first row of a type in memory is how it is written. */
typedef void widen(void *data, size_t count);
static widen widen_i8, widen_i16, widen_u16, widen_u32;

static const struct layout {
  const char *code;
  size_t bytes;
  cliv_dtype dtype;
  widen *widen;
} layouts[] = {
    {"f4", 4, CLIV_F32, NULL},      {"f2", 2, CLIV_F16, NULL},      {"V2", 2, CLIV_BF16, NULL},
    {"f8", 8, CLIV_F64, NULL},      {"i4", 4, CLIV_I32, NULL},      {"i8", 8, CLIV_I64, NULL},
    {"u1", 1, CLIV_U8, NULL},       {"b1", 1, CLIV_U8, NULL},       {"i1", 1, CLIV_I32, widen_i8},
    {"i2", 2, CLIV_I32, widen_i16}, {"u2", 2, CLIV_I32, widen_u16}, {"u4", 4, CLIV_I64, widen_u32},
};
enum { LAYOUTS = sizeof layouts / sizeof layouts[0] };

/* Complex numbers: pairs of what another row has. */
static const struct { const char *code, *part; } complexes[] = {{"c8", "f4"}, {"c16", "f8"}};
enum { COMPLEXES = sizeof complexes / sizeof complexes[0] };

/* In place: from the last element to the first, so that none is overwritten before it is read. */
#define DEFINE_WIDEN(name, from, to)                                 \
  static void name(void *data, size_t count) {                       \
    unsigned char *bytes = data;                                     \
    while (count-- > 0) {                                            \
      from narrow;                                                   \
      memcpy(&narrow, bytes + count * sizeof narrow, sizeof narrow); \
      const to wide = narrow;                                        \
      memcpy(bytes + count * sizeof wide, &wide, sizeof wide);       \
    }                                                                \
  }
DEFINE_WIDEN(widen_i8, int8_t, int32_t)
DEFINE_WIDEN(widen_i16, int16_t, int32_t)
DEFINE_WIDEN(widen_u16, uint16_t, int32_t)
DEFINE_WIDEN(widen_u32, uint32_t, int64_t)

/* ---- the header ---- */

typedef struct header {
  const struct layout *layout;
  bool swapped, fortran;
  bool takes_pairs, pairs; /* whether complex numbers are read, as pairs; whether they are that */
  int ndim;
  size_t shape[CLIV_MAX_DIMS];
  size_t data; /* where the data begin */
} header;

/* A reader of Python literals, as far as this header needs them. */
typedef struct cursor {
  const char *p, *end, *name;
} cursor;

static cliv_status fail(const cursor *c, const char *what) {
  return cliv__fail(NULL, CLIV_FORMAT, "%s: not a .npy file that can be read: %s", cliv__shown(c->name), what);
}

static void skip_blanks(cursor *c) {
  while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r')) c->p++;
}

static bool take(cursor *c, const char *word) {
  const size_t n = strlen(word);
  skip_blanks(c);
  if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0) return false;
  c->p += n;
  return true;
}

/* 'text' or "text", without escapes. */
static bool take_string(cursor *c, const char **text, size_t *n) {
  skip_blanks(c);
  if (c->p == c->end || (*c->p != '\'' && *c->p != '"')) return false;
  const char *begin = c->p + 1, *close = memchr(begin, *c->p, (size_t)(c->end - begin));
  if (!close || memchr(begin, '\\', (size_t)(close - begin))) return false;
  *text = begin;
  *n = (size_t)(close - begin);
  c->p = close + 1;
  return true;
}

static cliv_status take_size(cursor *c, size_t *out) {
  skip_blanks(c);
  if (c->p < c->end && *c->p == '-') return fail(c, "its shape has a negative number");
  if (c->p == c->end || *c->p < '0' || *c->p > '9') return fail(c, "its shape is not a tuple of whole numbers");
  for (*out = 0; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++) {
    const size_t digit = (size_t)(*c->p - '0');
    if (*out > (SIZE_MAX - digit) / 10) return fail(c, "its shape has a number that does not fit in 64 bits");
    *out = *out * 10 + digit;
  }
  if (c->p < c->end && *c->p == 'L') c->p++; /* Python 2's long integers */
  return CLIV_OK;
}

static cliv_status take_shape(cursor *c, header *h) {
  if (!take(c, "(")) return fail(c, "its shape is not a tuple");
  bool comma = true;
  while (!take(c, ")")) {
    size_t size = 0;
    if (!comma) return fail(c, "its shape lacks a comma");
    TRY(take_size(c, &size));
    REQUIRE(NULL, h->ndim < CLIV_MAX_DIMS, SHAPE, "%s: has more than the %d dimensions that an array may have",
            cliv__shown(c->name), CLIV_MAX_DIMS);
    h->shape[h->ndim++] = size;
    comma = take(c, ",");
  }
  return h->ndim == 1 && !comma ? fail(c, "its shape is a number, not a tuple") : CLIV_OK;
}

static bool is(const char *code, const char *text, size_t n) { return strlen(code) == n && memcmp(code, text, n) == 0; }

static const struct layout *find_layout(const char *code, size_t n) {
  for (int i = 0; i < LAYOUTS; i++)
    if (is(layouts[i].code, code, n)) return &layouts[i];
  return NULL;
}

static cliv_status take_type(cursor *c, header *h) {
  const char *text, *code;
  size_t n;
  skip_blanks(c);
  REQUIRE(NULL, c->p == c->end || *c->p != '[', DTYPE, "%s: holds structures; arrays of plain numbers can be read",
          cliv__shown(c->name));
  if (!take_string(c, &text, &n) || n == 0) return fail(c, "its element type is not a string");
  const bool marked = strchr("<>=|", text[0]) != NULL && text[0] != 0;
  code = text + marked;
  h->layout = find_layout(code, n - marked);
  for (int i = 0; i < COMPLEXES && h->takes_pairs && !h->pairs; i++) {
    h->pairs = is(complexes[i].code, code, n - marked);
    if (h->pairs) h->layout = find_layout(complexes[i].part, 2);
  }
  REQUIRE(NULL, h->layout != NULL, DTYPE,
          "%s: holds elements of type '%.*s'; f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 b1 and bfloat16 (V2) can be read",
          cliv__shown(c->name), n < 20 ? (int)n : 20, text);
  h->swapped = text[0] == '>';
  return CLIV_OK;
}

static cliv_status take_order(cursor *c, header *h) {
  h->fortran = take(c, "True");
  return h->fortran || take(c, "False") ? CLIV_OK : fail(c, "'fortran_order' is neither True nor False");
}

/* {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } : each of the three keys once, in any order. */
static cliv_status parse_dictionary(cursor *c, header *h) {
  static const struct {
    const char *key;
    cliv_status (*take)(cursor *, header *);
  } keys[] = {{"descr", take_type}, {"fortran_order", take_order}, {"shape", take_shape}};
  bool seen[3] = {false, false, false};
  if (!take(c, "{")) return fail(c, "its header is not a dictionary");
  for (bool comma = true; !take(c, "}"); comma = take(c, ",")) {
    const char *text;
    size_t n;
    int k = 0;
    if (!comma) return fail(c, "its header lacks a comma or its end");
    if (!take_string(c, &text, &n)) return fail(c, "its header lacks a key or its end");
    while (k < 3 && (n != strlen(keys[k].key) || memcmp(text, keys[k].key, n) != 0)) k++;
    if (k == 3) return fail(c, "its header has a key besides 'descr', 'fortran_order' and 'shape'");
    if (seen[k]) return fail(c, "its header has a key twice");
    if (!take(c, ":")) return fail(c, "its header lacks a colon");
    seen[k] = true;
    TRY(keys[k].take(c, h));
  }
  skip_blanks(c);
  if (c->p != c->end) return fail(c, "its header goes on behind the dictionary");
  if (!seen[0] || !seen[1] || !seen[2]) return fail(c, "its header lacks 'descr', 'fortran_order' or 'shape'");
  return CLIV_OK;
}

static cliv_status read_header(const cliv__source *source, header *h) {
  const cursor at = {.name = source->name};
  unsigned char start[12];
  if (source->size < 10) return fail(&at, "it is too short");
  TRY(cliv__source_read(source, 0, start, 10));
  if (memcmp(start, "PK\3\4", 4) == 0) return fail(&at, "it is an .npz archive; save its arrays one by one");
  if (memcmp(start, magic, sizeof magic) != 0) return fail(&at, "it does not begin with '\\x93NUMPY'");
  if (start[6] < 1 || start[6] > 3 || start[7] != 0)
    return cliv__fail(NULL, CLIV_FORMAT, "%s: version %d.%d of the .npy format; 1.0, 2.0 and 3.0 can be read",
                      cliv__shown(source->name), start[6], start[7]);
  const int width = start[6] == 1 ? 2 : 4;
  const size_t begin = 8 + (size_t)width;
  TRY(cliv__source_read(source, 8, start, (size_t)width));
  const size_t length = (size_t)cliv__little_endian(start, width);
  if (length > source->size - begin) return fail(&at, "its header is longer than the file");
  if (length > MOST_HEADER) return fail(&at, "its header is longer than 1 MiB");
  char *text = malloc(length + 1);
  REQUIRE(NULL, text != NULL, HOST_MEMORY, "%s: out of memory", cliv__shown(source->name));
  cursor c = {.p = text, .end = text + length, .name = source->name};
  *h = (header){.data = begin + length, .takes_pairs = h->takes_pairs};
  cliv_status status = cliv__source_read(source, begin, text, length);
  if (!status) status = parse_dictionary(&c, h);
  free(text);
  return status;
}

/* ---- the data ---- */

static void swap_bytes(unsigned char *data, size_t count, size_t bytes) {
  for (; count > 0; count--, data += bytes) {
    for (size_t i = 0, j = bytes - 1; i < j; i++, j--) {
      const unsigned char t = data[i];
      data[i] = data[j];
      data[j] = t;
    }
  }
}

/* Column-major data of `array` into row-major: the target is walked in order, the source by its strides. pairs: the
 * last axis is within an element. */
static cliv_status transpose(cliv_array *array, bool pairs, const char *name) {
  const int ndim = array->ndim - pairs;
  const size_t size = cliv_dtype_size(array->dtype) << pairs, count = cliv_array_count(array) >> pairs;
  size_t stride[CLIV_MAX_DIMS], index[CLIV_MAX_DIMS] = {0}, from = 0;
  if (ndim < 2 || count == 0) return CLIV_OK;
  unsigned char *target = malloc(count * size);
  REQUIRE(NULL, target != NULL, HOST_MEMORY, "%s: out of memory for %zu bytes", cliv__shown(name), count * size);
  for (int d = 0; d < ndim; d++) stride[d] = d == 0 ? 1 : stride[d - 1] * array->shape[d - 1];
  for (size_t i = 0; i < count; i++) {
    memcpy(target + i * size, (const unsigned char *)array->data + from * size, size);
    for (int d = ndim - 1; d >= 0; d--) {
      from += stride[d];
      if (++index[d] < array->shape[d]) break;
      from -= stride[d] * index[d];
      index[d] = 0;
    }
  }
  free(array->data);
  array->data = target;
  return CLIV_OK;
}

/* pairs: NULL where complex numbers are refused. */
static cliv_status read_array(const cliv__source *source, cliv_array *out, int *pairs) {
  header h = {.takes_pairs = pairs != NULL};
  TRY(read_header(source, &h));
  if (pairs) *pairs = h.pairs;
  if (h.pairs) {
    REQUIRE(NULL, h.ndim < CLIV_MAX_DIMS, SHAPE, "%s: has %d dimensions; complex numbers can be read in %d at most",
            cliv__shown(source->name), h.ndim, CLIV_MAX_DIMS - 1);
    h.shape[h.ndim++] = 2;
  }
  const size_t there = source->size - h.data;
  size_t count;
  REQUIRE(NULL, cliv__shape_size(h.layout->dtype, h.ndim, h.shape, &count, NULL), FORMAT,
          "%s: its header says more elements than memory can hold, but %zu bytes of data are there",
          cliv__shown(source->name), there);
  REQUIRE(NULL, count * h.layout->bytes == there, FORMAT, /* fits: the type in memory is not narrower */
          "%s: its header says %zu elements of %zu bytes, but %zu bytes of data are there", cliv__shown(source->name),
          count, h.layout->bytes, there);
  TRY(cliv_array_create(h.layout->dtype, h.ndim, h.shape, out));
  cliv_status status = cliv__source_read(source, h.data, out->data, there);
  if (!status && h.swapped) swap_bytes(out->data, count, h.layout->bytes);
  if (!status && h.layout->widen) h.layout->widen(out->data, count);
  if (!status && h.fortran) status = transpose(out, h.pairs, source->name);
  if (status) cliv_array_free(out);
  return status;
}

cliv_status cliv__npy_parse(const void *bytes, size_t n, const char *name, cliv_array *out) {
  const cliv__source source = cliv__source_memory(bytes, n, name);
  *out = (cliv_array){0};
  return read_array(&source, out, NULL);
}

static cliv_status read_file(const char *path, cliv_array *out, int *pairs) {
  cliv__source source;
  TRY(cliv__source_open(path, &source));
  const cliv_status status = read_array(&source, out, pairs);
  cliv__source_close(&source);
  return status;
}

cliv_status cliv_npy_read(const char *path, cliv_array *out) {
  REQUIRE_NOT_NULL(NULL, out);
  *out = (cliv_array){0};
  REQUIRE_NOT_NULL(NULL, path);
  return read_file(path, out, NULL);
}

cliv_status cliv_npy_read_pairs(const char *path, cliv_array *out, int *pairs) {
  REQUIRE_NOT_NULL(NULL, out);
  *out = (cliv_array){0};
  REQUIRE_NOT_NULL(NULL, path);
  REQUIRE_NOT_NULL(NULL, pairs);
  *pairs = 0;
  return read_file(path, out, pairs);
}

/* ---- writing ---- */

/* Magic, version, length and dictionary, padded with blanks to a multiple of 64 bytes as NumPy does, so that the data
 * are aligned. */
static size_t format_header(const cliv_array *array, bool pairs, char room[512]) {
  const struct layout *layout = layouts;
  while (layout->dtype != array->dtype) layout++;
  const char *const code = !pairs ? layout->code : array->dtype == CLIV_F64 ? "c16" : "c8";
  size_t n = 10;
  n += (size_t)snprintf(room + n, 512 - n, "{'descr': '%s%s', 'fortran_order': False, 'shape': (",
                        layout->bytes == 1 ? "|" : "<", code);
  const int ndim = array->ndim - pairs;
  for (int i = 0; i < ndim; i++) n += (size_t)snprintf(room + n, 512 - n, "%s%zu", i ? ", " : "", array->shape[i]);
  n += (size_t)snprintf(room + n, 512 - n, "%s), }", ndim == 1 ? "," : "");
  while (n % 64 != 63) room[n++] = ' ';
  room[n++] = '\n';
  memcpy(room, magic, sizeof magic);
  room[6] = 1;
  room[7] = 0;
  room[8] = (char)((n - 10) & 255);
  room[9] = (char)((n - 10) >> 8);
  return n;
}

static cliv_status write_file(const char *path, const cliv_array *array, bool pairs) {
  REQUIRE_NOT_NULL(NULL, path);
  REQUIRE_NOT_NULL(NULL, array);
  size_t bytes;
  REQUIRE(NULL, cliv_dtype_size(array->dtype) > 0, DTYPE, "%s: %d is no element type", cliv__shown(path),
          (int)array->dtype);
  REQUIRE(NULL, cliv__shape_size(array->dtype, array->ndim, array->shape, NULL, &bytes), SHAPE,
          "%s: the array's shape is not possible: from 0 to %d dimensions, whose product must fit in memory",
          cliv__shown(path), CLIV_MAX_DIMS);
  REQUIRE(NULL, array->data != NULL || bytes == 0, NULL, "%s: the array has no data", cliv__shown(path));
  char head[512];
  const size_t length = format_header(array, pairs, head);
  cliv__writer *writer;
  TRY(cliv__writer_open(path, &writer));
  cliv_status status = cliv__writer_append(writer, head, length);
  if (!status) status = cliv__writer_append(writer, array->data, bytes);
  if (!status) return cliv__writer_commit(writer);
  cliv__writer_abandon(writer);
  return status;
}

cliv_status cliv_npy_write(const char *path, const cliv_array *array) { return write_file(path, array, false); }

cliv_status cliv_npy_write_pairs(const char *path, const cliv_array *array) {
  REQUIRE_NOT_NULL(NULL, path);
  REQUIRE_NOT_NULL(NULL, array);
  REQUIRE(NULL, array->dtype == CLIV_F32 || array->dtype == CLIV_F64, DTYPE,
          "%s: complex numbers are pairs of float32 or float64, not of %s", cliv__shown(path),
          cliv_dtype_name(array->dtype));
  REQUIRE(NULL, array->ndim > 0 && array->ndim <= CLIV_MAX_DIMS && array->shape[array->ndim - 1] == 2, SHAPE,
          "%s: complex numbers are pairs, but the array does not end with an axis of 2", cliv__shown(path));
  return write_file(path, array, true);
}
