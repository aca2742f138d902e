/* safetensors: what is written comes back, byte by byte the same; and headers that lie. */
#include "base/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

/* A file made here: the header's length is right unless `claimed` is given. */
static cliv_status parse(const char *header, size_t data, uint64_t claimed, cliv_safetensors **out,
                         unsigned char **bytes) {
  const size_t length = strlen(header), n = 8 + length + data;
  const uint64_t stated = claimed ? claimed : length;
  *bytes = test_alloc(n);
  for (int i = 0; i < 8; i++) (*bytes)[i] = (unsigned char)(stated >> 8 * i);
  memcpy(*bytes + 8, header, length);
  for (size_t i = 0; i < data; i++) (*bytes)[8 + length + i] = (unsigned char)i;
  return cliv__safetensors_parse(*bytes, n, "x.safetensors", out);
}

static void round_trip(void **state) {
  (void)state;
  char *dir = test_temp_dir(), *path = test_join(dir, "x.safetensors"), *again = test_join(dir, "y.safetensors");
  static const size_t shapes[][3] = {{2, 3, 4}, {5, 0, 7}, {1, 1, 1}, {3, 1, 11}};
  enum { COUNT = 2 * CLIV_DTYPE_COUNT };
  cliv_named_array arrays[COUNT];
  char names[COUNT][40];
  for (int i = 0; i < COUNT; i++) {
    snprintf(names[i], sizeof names[i],
             i % 3 ? "layer.%d/weight" : "\"quoted\" \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\t%d", COUNT - i);
    arrays[i].name = names[i];
    ASSERT_OK(NULL, cliv_array_create((cliv_dtype)(i % CLIV_DTYPE_COUNT), i % 4, shapes[i % 4], &arrays[i].array));
    test_fill_bits(arrays[i].array.data, cliv_array_count(&arrays[i].array) * cliv_dtype_size(arrays[i].array.dtype),
                   (uint64_t)i);
  }
  static const cliv_metadata metadata[] = {{"zebra", "1"}, {"format", "cliv"}, {"", "empty \n key"}, {"a", ""}};
  ASSERT_OK(NULL, cliv_safetensors_write(path, arrays, COUNT, metadata, 4));
  ASSERT_OK(NULL, cliv_safetensors_write(again, arrays, COUNT, metadata, 4));
  size_t n, m;
  char *a = test_read_file(path, &n), *b = test_read_file(again, &m);
  assert_int_equal(n, m);
  ASSERT_BITS(a, b, n);
  assert_int_equal(*(uint64_t *)(void *)a % 8, 0);
  free(a);
  free(b);

  cliv_safetensors *f;
  ASSERT_OK(NULL, cliv_safetensors_open(path, &f));
  assert_int_equal(cliv_safetensors_count(f), COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    const cliv_array *want = &arrays[i].array, *info = cliv_safetensors_info(f, i);
    cliv_array got;
    assert_string_equal(cliv_safetensors_name(f, i), names[i]); /* in the order given */
    assert_null(info->data);
    ASSERT_OK(NULL, cliv_safetensors_read(f, names[i], &got));
    assert_int_equal(got.dtype, want->dtype);
    assert_int_equal(got.ndim, want->ndim);
    assert_int_equal(info->ndim, want->ndim);
    for (int d = 0; d < want->ndim; d++) assert_int_equal(got.shape[d], want->shape[d]);
    for (int d = 0; d < want->ndim; d++) assert_int_equal(info->shape[d], want->shape[d]);
    ASSERT_BITS(got.data, want->data, cliv_array_count(want) * cliv_dtype_size(want->dtype));
    cliv_array_free(&got);
  }
  const cliv_metadata *list = cliv_safetensors_metadata_list(f, &n);
  assert_int_equal(n, 4);
  for (size_t i = 0; i < 4; i++) {
    assert_string_equal(list[i].key, metadata[i].key);
    assert_string_equal(list[i].value, metadata[i].value);
    assert_string_equal(cliv_safetensors_metadata(f, metadata[i].key), metadata[i].value);
  }
  cliv_array none;
  assert_null(cliv_safetensors_metadata(f, "absent"));
  assert_null(cliv_safetensors_name(f, COUNT));
  assert_null(cliv_safetensors_info(f, COUNT));
  assert_true(cliv_safetensors_has(f, names[3]));
  assert_false(cliv_safetensors_has(f, "absent"));
  ASSERT_FAILS(NULL, cliv_safetensors_read(f, "absent", &none), CLIV_NAME, "no array 'absent'");
  assert_null(none.data);
  cliv_safetensors_free(f);
  for (int i = 0; i < COUNT; i++) cliv_array_free(&arrays[i].array);
  test_remove_tree(dir);
  free(again);
  free(path);
  free(dir);
}

/* The exact bytes, so that another implementation would agree on them. */
static void written_bytes(void **state) {
  (void)state;
  char *dir = test_temp_dir(), *path = test_join(dir, "x.safetensors");
  float w[2] = {1, -2};
  unsigned char u[3] = {7, 8, 9};
  const cliv_named_array arrays[] = {{"w", {CLIV_F32, 2, {1, 2}, w}}, {"b", {CLIV_U8, 1, {3}, u}}};
  const cliv_metadata metadata = {"k", "v"};
  static const char header[] =
      "{\"__metadata__\":{\"k\":\"v\"},\"w\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
      "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]}}";
  const size_t padded = (sizeof header - 1 + 7) / 8 * 8;
  size_t n;
  ASSERT_OK(NULL, cliv_safetensors_write(path, arrays, 2, &metadata, 1));
  char *got = test_read_file(path, &n);
  assert_int_equal(n, 8 + padded + 11);
  assert_int_equal((unsigned char)got[0], padded);
  assert_memory_equal(got + 1, "\0\0\0\0\0\0\0", 7);
  assert_memory_equal(got + 8, header, sizeof header - 1);
  for (size_t i = sizeof header - 1; i < padded; i++) assert_int_equal(got[8 + i], ' ');
  ASSERT_BITS(got + 8 + padded, w, sizeof w);
  ASSERT_BITS(got + 16 + padded, u, sizeof u);
  free(got);

  cliv_safetensors *f;
  ASSERT_OK(NULL, cliv_safetensors_write(path, NULL, 0, NULL, 0));
  got = test_read_file(path, &n);
  assert_int_equal(n, 16);
  assert_memory_equal(got + 8, "{}      ", 8);
  free(got);
  ASSERT_OK(NULL, cliv_safetensors_open(path, &f));
  assert_int_equal(cliv_safetensors_count(f), 0);
  cliv_safetensors_free(f);
  cliv_safetensors_free(NULL);
  test_remove_tree(dir);
  free(path);
  free(dir);
}

static void headers_of_others(void **state) {
  (void)state;
  static const struct {
    const char *header;
    size_t data, count;
  } cases[] = {
      {"{}", 0, 0},
      {"{\"__metadata__\":{}}   ", 0, 0},
      {"{ \"a\" : {\"shape\":[],\"data_offsets\":[0,8],\"dtype\":\"F64\"}\n}", 8, 1},
      {"{\"a\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[4,6]},"
       "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
       6, 2},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0,9223372036854775807],\"data_offsets\":[4,4]},"
       "\"b\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]},"
       "\"c\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}",
       4, 3},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"later\":{\"x\":1}}}", 1, 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cliv_safetensors *f;
    unsigned char *bytes;
    ASSERT_OK(NULL, parse(cases[i].header, cases[i].data, 0, &f, &bytes));
    assert_int_equal(cliv_safetensors_count(f), cases[i].count);
    for (size_t k = 0; k < cases[i].count; k++) {
      cliv_array a;
      ASSERT_OK(NULL, cliv_safetensors_read(f, cliv_safetensors_name(f, k), &a));
      cliv_array_free(&a);
    }
    cliv_safetensors_free(f);
    free(bytes);
  }
}

#define A(dtype, shape, offsets) "{\"a\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define B(a, b)                                                \
  "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" a \
  "},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" b "}}"

static void malformed(void **state) {
  (void)state;
  static const struct {
    const char *header;
    size_t data;
    cliv_status status;
    const char *part;
  } cases[] = {
      {"", 0, CLIV_FORMAT, "begin with '{'"},
      {" {}", 0, CLIV_FORMAT, "begin with '{'"},
      {"[]", 0, CLIV_FORMAT, "begin with '{'"},
      {"{", 0, CLIV_FORMAT, "header, byte"},
      {"{} x", 0, CLIV_FORMAT, "header, byte"},
      {"{\"a\":1}", 0, CLIV_FORMAT, "array 'a': its description is not an object"},
      {"{\"a\":{}}", 0, CLIV_FORMAT, "dtype is not a string"},
      {"{}", 3, CLIV_FORMAT, "bytes behind its last array"},
      {A("F32", "[1]", "[0,4]"), 3, CLIV_FORMAT, "beyond the end of the file"},
      {A("F32", "[1]", "[0,4]"), 5, CLIV_FORMAT, "bytes behind"},
      {A("F32", "[1]", "[1,5]"), 5, CLIV_FORMAT, "array 'a': there is a hole before"},
      {A("F32", "[1]", "[4,0]"), 4, CLIV_FORMAT, "end before they begin"},
      {A("F32", "[2]", "[0,4]"), 4, CLIV_FORMAT, "do not fit its data_offsets"},
      {A("F32", "[4611686018427387905]", "[0,4]"), 4, CLIV_FORMAT, "do not fit its data_offsets"},
      {A("F32", "[4294967296,4294967296]", "[0,0]"), 0, CLIV_FORMAT, "do not fit its data_offsets"},
      {A("F32", "[-1]", "[0,4]"), 4, CLIV_FORMAT, "shape is not of whole numbers"},
      {A("F32", "[1.0]", "[0,4]"), 4, CLIV_FORMAT, "shape is not of whole numbers"},
      {A("F32", "[\"1\"]", "[0,4]"), 4, CLIV_FORMAT, "shape is not of whole numbers"},
      {A("F32", "1", "[0,4]"), 4, CLIV_FORMAT, "shape is not a list"},
      {A("F32", "[99999999999999999999]", "[0,4]"), 4, CLIV_FORMAT, "header, byte"},
      {A("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, CLIV_SHAPE, "9 dimensions"},
      {A("F32", "[1]", "[0,4,8]"), 4, CLIV_FORMAT, "data_offsets are not two"},
      {A("F32", "[1]", "[0,-4]"), 4, CLIV_FORMAT, "data_offsets are not two"},
      {A("F32", "[1]", "[0,\"4\"]"), 4, CLIV_FORMAT, "data_offsets are not two"},
      {A("F32", "[1]", "null"), 4, CLIV_FORMAT, "data_offsets are not two"},
      {A("F32", "[1]", "[9223372036854775807,9223372036854775807]"), 4, CLIV_FORMAT, "beyond the end"},
      {A("F8_E4M3", "[1]", "[0,1]"), 1, CLIV_DTYPE, "array 'a' is of type 'F8_E4M3'"},
      {A("U64", "[1]", "[0,8]"), 8, CLIV_DTYPE, "'U64'"},
      {A("f32", "[1]", "[0,4]"), 4, CLIV_DTYPE, "'f32'"},
      {B("[0,4]", "[2,6]"), 6, CLIV_FORMAT, "array 'b': its data overlap"},
      {B("[0,4]", "[0,4]"), 4, CLIV_FORMAT, "its data overlap"},
      {B("[0,4]", "[5,9]"), 9, CLIV_FORMAT, "array 'b': there is a hole"},
      {"{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},"
       "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
       0, CLIV_FORMAT, "duplicate"},
      {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, CLIV_FORMAT, "duplicate"},
      {"{\"__metadata__\":{\"k\":\"v\",\"k\":\"v\"}}", 0, CLIV_FORMAT, "duplicate"},
      {"{\"__metadata__\":{\"k\":1}}", 0, CLIV_FORMAT, "a value that is not a string"},
      {"{\"__metadata__\":[]}", 0, CLIV_FORMAT, "__metadata__ is not an object"},
      {"{\"a\":[[[[]]]]}", 0, CLIV_FORMAT, "nested too deeply"},
      {"{\"\\u0000\":1}", 0, CLIV_FORMAT, "header, byte"},
      {"{\"\xff\":1}", 0, CLIV_FORMAT, "header, byte"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cliv_safetensors *f = (cliv_safetensors *)(void *)&f;
    unsigned char *bytes;
    ASSERT_FAILS(NULL, parse(cases[i].header, cases[i].data, 0, &f, &bytes), cases[i].status, cases[i].part);
    assert_null(f);
    assert_non_null(strstr(cliv_last_error(NULL), "x.safetensors: "));
    free(bytes);
  }
}

static void lengths_that_lie(void **state) {
  (void)state;
  static const struct {
    uint64_t claimed;
    const char *part;
  } cases[] = {{3, "longer than the file"},
               {1000, "longer than the file"},
               {UINT64_MAX, "longer than the file"},
               {UINT64_MAX - 7, "longer than"},
               {1, "header, byte"}};
  cliv_safetensors *f;
  unsigned char *bytes;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ASSERT_FAILS(NULL, parse("{}", 0, cases[i].claimed, &f, &bytes), CLIV_FORMAT, cases[i].part);
    free(bytes);
  }
  for (size_t n = 0; n < 8; n++) {
    bytes = test_alloc(n);
    memset(bytes, 0, n);
    ASSERT_FAILS(NULL, cliv__safetensors_parse(bytes, n, "x.safetensors", &f), CLIV_FORMAT, "too short");
    free(bytes);
  }
  /* A sparse file that does have the length: refused for the cap, not read. */
  char *dir = test_temp_dir(), *path = test_join(dir, "x.safetensors");
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  fwrite("\x01\xe1\xf5\x05\0\0\0\0{}", 1, 10, file);
  fseek(file, 100000100, SEEK_SET);
  fputc(0, file);
  assert_int_equal(fclose(file), 0);
  ASSERT_FAILS(NULL, cliv_safetensors_open(path, &f), CLIV_FORMAT, "longer than 100 MB");
  test_remove_tree(dir);
  free(path);
  free(dir);
}

static void every_truncation_is_refused(void **state) {
  (void)state;
  static const char header[] = B("[0,4]", "[4,8]");
  cliv_safetensors *f;
  unsigned char *bytes;
  ASSERT_OK(NULL, parse(header, 8, 0, &f, &bytes));
  cliv_safetensors_free(f);
  for (size_t n = 0; n < 8 + sizeof header - 1 + 8; n++) {
    unsigned char *exact = test_alloc(n);
    memcpy(exact, bytes, n);
    ASSERT_FAILS(NULL, cliv__safetensors_parse(exact, n, "x.safetensors", &f), CLIV_FORMAT, "x.safetensors");
    free(exact);
  }
  free(bytes);
}

static void refused_writes(void **state) {
  (void)state;
  char *dir = test_temp_dir(), *path = test_join(dir, "x.safetensors");
  float x = 1;
  const cliv_array one = {CLIV_F32, 1, {1}, &x};
  static const cliv_metadata bad_value = {"k", "\xff"}, no_value = {"k", NULL}, twice[2] = {{"k", "1"}, {"k", "2"}};
  cliv_named_array a[2] = {{"a", one}, {"a", one}};
  test_write_file(path, "old", 3);
  ASSERT_FAILS(NULL, cliv_safetensors_write(path, a, 2, NULL, 0), CLIV_VALUE, "'a': the name is there already");
  ASSERT_FAILS(NULL, cliv_safetensors_write(path, a, 1, twice, 2), CLIV_VALUE, "'k': the name is there already");
  ASSERT_FAILS(NULL, cliv_safetensors_write(path, a, 1, &bad_value, 1), CLIV_VALUE, "not UTF-8");
  ASSERT_FAILS(NULL, cliv_safetensors_write(path, a, 1, &no_value, 1), CLIV_NULL, "is NULL");
  ASSERT_FAILS(NULL, cliv_safetensors_write(NULL, a, 1, NULL, 0), CLIV_NULL, "path");
  ASSERT_FAILS(NULL, cliv_safetensors_write(path, NULL, 1, NULL, 0), CLIV_NULL, "arrays");
  ASSERT_FAILS(NULL, cliv_safetensors_write(path, a, 1, NULL, 1), CLIV_NULL, "metadata");
  a[0].name = "__metadata__";
  ASSERT_FAILS(NULL, cliv_safetensors_write(path, a, 1, NULL, 0), CLIV_VALUE, "cannot be named");
  static const char *const no_utf8[] = {"\xff",
                                        "\x80",
                                        "a\xc3",
                                        "\xc0\x80",
                                        "\xe0\x80\x80",
                                        "\xed\xa0\x80",
                                        "\xf0\x80\x80\x80",
                                        "\xf4\x90\x80\x80",
                                        "\xf8\x80\x80\x80\x80",
                                        "\xe2\x82"};
  for (size_t i = 0; i < sizeof no_utf8 / sizeof *no_utf8; i++) {
    a[0].name = no_utf8[i];
    ASSERT_FAILS(NULL, cliv_safetensors_write(path, a, 1, NULL, 0), CLIV_VALUE, "not UTF-8");
  }
  a[0].name = NULL;
  ASSERT_FAILS(NULL, cliv_safetensors_write(path, a, 1, NULL, 0), CLIV_NULL, "is NULL");
  a[0].name = "a";
  a[0].array.data = NULL;
  ASSERT_FAILS(NULL, cliv_safetensors_write(path, a, 1, NULL, 0), CLIV_NULL, "no data");
  a[0].array = one;
  a[0].array.ndim = -1;
  ASSERT_FAILS(NULL, cliv_safetensors_write(path, a, 1, NULL, 0), CLIV_SHAPE, "'a'");
  a[0].array = one;
  a[0].array.dtype = CLIV_DTYPE_COUNT;
  ASSERT_FAILS(NULL, cliv_safetensors_write(path, a, 1, NULL, 0), CLIV_DTYPE, "'a'");
  size_t n;
  char *old = test_read_file(path, &n);
  assert_string_equal(old, "old");
  free(old);
  cliv_safetensors *f;
  ASSERT_FAILS(NULL, cliv_safetensors_open(dir, &f), CLIV_FILE, "Is a directory");
  ASSERT_FAILS(NULL, cliv_safetensors_open(NULL, &f), CLIV_NULL, NULL);
  assert_null(f);
  test_remove_tree(dir);
  free(path);
  free(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(round_trip),        cmocka_unit_test(written_bytes),
      cmocka_unit_test(headers_of_others), cmocka_unit_test(malformed),
      cmocka_unit_test(lengths_that_lie),  cmocka_unit_test(every_truncation_is_refused),
      cmocka_unit_test(refused_writes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
