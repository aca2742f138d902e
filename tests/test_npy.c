/* .npy files: every type both ways, the versions, orders and byte orders, and files that lie. */
#include "base/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

/* A file made here: version, dictionary, data; the header's length is right unless given. */
typedef struct made {
  unsigned char bytes[4096];
  size_t n;
} made;

static made make(int version, const char *dictionary, const void *data, size_t bytes) {
  made m = {{0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)version, 0}, 8};
  const size_t length = strlen(dictionary);
  for (int i = 0; i < (version == 1 ? 2 : 4); i++) m.bytes[m.n++] = (unsigned char)(length >> 8 * i);
  memcpy(m.bytes + m.n, dictionary, length);
  memcpy(m.bytes + m.n + length, data, bytes);
  m.n += length + bytes;
  return m;
}

/* Parses from memory of exactly that length, so that a read beyond it is seen by the sanitizer. */
static cliv_status parse(const made *m, cliv_array *out) {
  unsigned char *exact = test_alloc(m->n);
  memcpy(exact, m->bytes, m->n);
  const cliv_status status = cliv__npy_parse(exact, m->n, "x.npy", out);
  free(exact);
  return status;
}

static void round_trips(void **state) {
  (void)state;
  static const struct {
    int ndim;
    size_t shape[CLIV_MAX_DIMS];
  } shapes[] = {{0, {0}},    {1, {0}},     {1, {1}},       {1, {1000}},
                {2, {3, 0}}, {2, {17, 5}}, {3, {2, 3, 4}}, {8, {1, 2, 1, 3, 1, 2, 1, 2}}};
  char *dir = test_temp_dir(), *path = test_join(dir, "x.npy");
  for (int t = 0; t < CLIV_DTYPE_COUNT; t++) {
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
      cliv_array a, b;
      ASSERT_OK(NULL, cliv_array_create((cliv_dtype)t, shapes[s].ndim, shapes[s].shape, &a));
      const size_t bytes = cliv_array_count(&a) * cliv_dtype_size(a.dtype);
      test_fill_bits(a.data, bytes, s);
      ASSERT_OK(NULL, cliv_npy_write(path, &a));
      ASSERT_OK(NULL, cliv_npy_read(path, &b));
      assert_int_equal(b.dtype, a.dtype);
      assert_int_equal(b.ndim, a.ndim);
      for (int d = 0; d < a.ndim; d++) assert_int_equal(b.shape[d], a.shape[d]);
      ASSERT_BITS(b.data, a.data, bytes);
      cliv_array_free(&a);
      cliv_array_free(&b);
    }
  }
  test_remove_tree(dir);
  free(path);
  free(dir);
}

/* The very bytes that NumPy 1.x and 2.x write for these arrays, up to padding; the data begin at a multiple of 64. */
static void written_header(void **state) {
  (void)state;
  static const struct {
    cliv_dtype dtype;
    int ndim;
    size_t shape[2];
    const char *want;
  } cases[] = {
      {CLIV_F32, 2, {2, 3}, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"},
      {CLIV_F64, 1, {5}, "{'descr': '<f8', 'fortran_order': False, 'shape': (5,), }"},
      {CLIV_I64, 0, {0}, "{'descr': '<i8', 'fortran_order': False, 'shape': (), }"},
      {CLIV_I32, 1, {1}, "{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }"},
      {CLIV_U8, 1, {9}, "{'descr': '|u1', 'fortran_order': False, 'shape': (9,), }"},
      {CLIV_F16, 1, {9}, "{'descr': '<f2', 'fortran_order': False, 'shape': (9,), }"},
      {CLIV_BF16, 1, {9}, "{'descr': '<V2', 'fortran_order': False, 'shape': (9,), }"},
  };
  char *dir = test_temp_dir(), *path = test_join(dir, "x.npy");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    cliv_array a;
    ASSERT_OK(NULL, cliv_array_create(cases[i].dtype, cases[i].ndim, cases[i].shape, &a));
    ASSERT_OK(NULL, cliv_npy_write(path, &a));
    size_t n;
    char *file = test_read_file(path, &n);
    const size_t length = (size_t)(unsigned char)file[8] + 256 * (size_t)(unsigned char)file[9];
    assert_memory_equal(file, "\x93NUMPY\x01\x00", 8);
    assert_int_equal((10 + length) % 64, 0);
    assert_int_equal(n, 10 + length + cliv_array_count(&a) * cliv_dtype_size(a.dtype));
    assert_memory_equal(file + 10, cases[i].want, strlen(cases[i].want));
    for (size_t k = 10 + strlen(cases[i].want); k < 9 + length; k++) assert_int_equal(file[k], ' ');
    assert_int_equal(file[9 + length], '\n');
    free(file);
    cliv_array_free(&a);
  }
  test_remove_tree(dir);
  free(path);
  free(dir);
}

static void versions_and_spellings(void **state) {
  (void)state;
  static const char *const dictionaries[] = {
      "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }   \n",
      "{\"shape\": (2, 3), \"descr\": \"<i4\", \"fortran_order\": False}",
      "{'shape':(2L,3L),'fortran_order':False,'descr':'i4',}",
      "  {  'descr' : '=i4' ,\n 'fortran_order' : False ,\t 'shape' : ( 2 , 3 , ) }\n",
  };
  const int32_t data[6] = {1, -2, 3, -4, 5, INT32_MIN};
  for (int version = 1; version <= 3; version++) {
    for (size_t i = 0; i < sizeof dictionaries / sizeof *dictionaries; i++) {
      const made m = make(version, dictionaries[i], data, sizeof data);
      cliv_array a;
      ASSERT_OK(NULL, parse(&m, &a));
      assert_int_equal(a.dtype, CLIV_I32);
      assert_int_equal(a.ndim, 2);
      assert_int_equal(a.shape[0], 2);
      assert_int_equal(a.shape[1], 3);
      ASSERT_BITS(a.data, data, sizeof data);
      cliv_array_free(&a);
    }
  }
}

static void other_integers_widen(void **state) {
  (void)state;
  cliv_array a;
#define CHECK(type, descr, dtype_wanted, wide, ...)                                                  \
  do {                                                                                               \
    const type in[] = {__VA_ARGS__};                                                                 \
    const wide want[] = {__VA_ARGS__};                                                               \
    char text[100];                                                                                  \
    snprintf(text, sizeof text, "{'descr': '" descr "', 'fortran_order': False, 'shape': (%zu,), }", \
             sizeof in / sizeof *in);                                                                \
    const made m = make(1, text, in, sizeof in);                                                     \
    ASSERT_OK(NULL, parse(&m, &a));                                                                  \
    assert_int_equal(a.dtype, dtype_wanted);                                                         \
    ASSERT_BITS(a.data, want, sizeof want);                                                          \
    cliv_array_free(&a);                                                                             \
  } while (0)
  CHECK(int8_t, "|i1", CLIV_I32, int32_t, 0, 1, -1, INT8_MAX, INT8_MIN);
  CHECK(int16_t, "<i2", CLIV_I32, int32_t, 0, 1, -1, INT16_MAX, INT16_MIN);
  CHECK(uint16_t, "<u2", CLIV_I32, int32_t, 0, 1, UINT16_MAX, 32768);
  CHECK(uint32_t, "<u4", CLIV_I64, int64_t, 0, 1, UINT32_MAX, 2147483648u);
  CHECK(uint8_t, "|b1", CLIV_U8, uint8_t, 0, 1, 1);
  CHECK(uint16_t, "<V2", CLIV_BF16, uint16_t, 0x3f80, 0xffff, 1);
  CHECK(uint16_t, "|V2", CLIV_BF16, uint16_t, 0x3f80, 0xffff, 1);
}

static void big_endian_is_swapped(void **state) {
  (void)state;
  static const unsigned char f8[] = {0x3f, 0xf8, 0, 0, 0, 0, 0, 0}, i2[] = {0xff, 0xfe, 0x01, 0x00},
                             bf[] = {0x3f, 0x80};
  cliv_array a;
  made m = make(1, "{'descr': '>f8', 'fortran_order': False, 'shape': (), }", f8, sizeof f8);
  ASSERT_OK(NULL, parse(&m, &a));
  assert_true(*(double *)a.data == 1.5);
  cliv_array_free(&a);
  m = make(1, "{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }", i2, sizeof i2);
  ASSERT_OK(NULL, parse(&m, &a));
  assert_int_equal(((int32_t *)a.data)[0], -2);
  assert_int_equal(((int32_t *)a.data)[1], 256);
  cliv_array_free(&a);
  m = make(1, "{'descr': '>V2', 'fortran_order': False, 'shape': (1,), }", bf, sizeof bf);
  ASSERT_OK(NULL, parse(&m, &a));
  assert_int_equal(*(uint16_t *)a.data, 0x3f80);
  cliv_array_free(&a);
}

static void fortran_order_becomes_c_order(void **state) {
  (void)state;
  unsigned char data[24];
  for (size_t i = 0; i < 2; i++)
    for (size_t j = 0; j < 3; j++)
      for (size_t k = 0; k < 4; k++) data[i + 2 * (j + 3 * k)] = (unsigned char)(100 * i + 10 * j + k);
  const made m = make(2, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4), }", data, sizeof data);
  cliv_array a;
  ASSERT_OK(NULL, parse(&m, &a));
  const unsigned char *p = a.data;
  for (size_t i = 0; i < 2; i++)
    for (size_t j = 0; j < 3; j++)
      for (size_t k = 0; k < 4; k++) assert_int_equal(*p++, 100 * i + 10 * j + k);
  cliv_array_free(&a);

  /* All at once: narrow, big-endian, Fortran order. */
  static const unsigned char both[] = {0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6};
  const made n = make(1, "{'descr': '>u2', 'fortran_order': True, 'shape': (2, 3), }", both, sizeof both);
  static const int32_t want[] = {1, 2, 3, 4, 5, 6};
  ASSERT_OK(NULL, parse(&n, &a));
  ASSERT_BITS(a.data, want, sizeof want);
  cliv_array_free(&a);
}

/* Files that are wrong, and a part of what is said. */
static void malformed(void **state) {
  (void)state;
  static const struct {
    const char *dictionary;
    size_t bytes; /* of data */
    cliv_status status;
    const char *part;
  } cases[] = {
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 11, CLIV_FORMAT, "3 elements of 4 bytes, but 11"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 13, CLIV_FORMAT, "3 elements of 4 bytes, but 13"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }", 4, CLIV_FORMAT, "0 elements of 4 bytes, but 4"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 0, CLIV_FORMAT, "1 elements of 4 bytes, but 0"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976,), }", 16, CLIV_FORMAT,
       "1152921504606846976 elements"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 16, CLIV_FORMAT,
       "more elements than"},
      {"{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693953,), }", 8, CLIV_FORMAT,
       "more elements than"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (18446744073709551616,), }", 0, CLIV_FORMAT,
       "does not fit in 64"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }", 12, CLIV_FORMAT, "negative"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3), }", 12, CLIV_FORMAT, "not a tuple"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': 3, }", 12, CLIV_FORMAT, "not a tuple"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 3), }", 12, CLIV_FORMAT, "comma"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (,), }", 4, CLIV_FORMAT, "whole numbers"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3.0,), }", 12, CLIV_FORMAT, "comma"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,", 12, CLIV_FORMAT, "shape"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), ", 0, CLIV_FORMAT, "lacks a key or its end"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,)", 0, CLIV_FORMAT, "lacks a comma or its end"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), } x", 12, CLIV_FORMAT, "goes on behind"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'descr': '<f4'}", 12, CLIV_FORMAT, "a key twice"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'junk': 1}", 12, CLIV_FORMAT, "a key besides"},
      {"{'descr': '<f4', 'fortran_order': False}", 4, CLIV_FORMAT, "lacks 'descr'"},
      {"{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}", 12, CLIV_FORMAT, "neither True nor False"},
      {"{'descr': '<f4' 'fortran_order': False, 'shape': (3,)}", 12, CLIV_FORMAT, "comma"},
      {"{'descr'; '<f4', 'fortran_order': False, 'shape': (3,)}", 12, CLIV_FORMAT, "colon"},
      {"{'descr': <f4, 'fortran_order': False, 'shape': (3,)}", 12, CLIV_FORMAT, "not a string"},
      {"{'descr': '', 'fortran_order': False, 'shape': (3,)}", 12, CLIV_FORMAT, "not a string"},
      {"{'descr': '<f4, 'fortran_order': False, 'shape': (3,)}", 12, CLIV_DTYPE, "'<f4, '"},
      {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", 8, CLIV_DTYPE, "'<c8'"},
      {"{'descr': '<u8', 'fortran_order': False, 'shape': (1,)}", 8, CLIV_DTYPE, "'<u8'"},
      {"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", 8, CLIV_DTYPE, "'|O'"},
      {"{'descr': '<', 'fortran_order': False, 'shape': (1,)}", 8, CLIV_DTYPE, "'<'"},
      {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4, CLIV_DTYPE, "structures"},
      {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", 1, CLIV_SHAPE, "8 dimensions"},
      {"", 0, CLIV_FORMAT, "not a dictionary"},
      {"[]", 0, CLIV_FORMAT, "not a dictionary"},
      {"{}", 0, CLIV_FORMAT, "lacks 'descr'"},
  };
  static const unsigned char zeros[64];
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const made m = make(1, cases[i].dictionary, zeros, cases[i].bytes);
    cliv_array a = {.data = &a};
    ASSERT_FAILS(NULL, parse(&m, &a), cases[i].status, cases[i].part);
    ASSERT_FAILS(NULL, parse(&m, &a), cases[i].status, "x.npy");
    assert_null(a.data);
  }
}

static void every_truncation_is_refused(void **state) {
  (void)state;
  static const float data[6] = {1, 2, 3, 4, 5, 6};
  made m = make(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }  \n", data, sizeof data);
  const size_t whole = m.n;
  for (m.n = 0; m.n < whole; m.n++) {
    cliv_array a;
    ASSERT_FAILS(NULL, parse(&m, &a), CLIV_FORMAT, "x.npy");
    assert_null(a.data);
  }
}

static void wrong_beginnings(void **state) {
  (void)state;
  const float x = 1;
  cliv_array a;
  made m = make(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", &x, sizeof x);
  m.bytes[5] = 'Z';
  ASSERT_FAILS(NULL, parse(&m, &a), CLIV_FORMAT, "does not begin with");
  m.bytes[5] = 'Y';
  m.bytes[6] = 4;
  ASSERT_FAILS(NULL, parse(&m, &a), CLIV_FORMAT, "version 4.0");
  m.bytes[6] = 1;
  m.bytes[7] = 1;
  ASSERT_FAILS(NULL, parse(&m, &a), CLIV_FORMAT, "version 1.1");
  m.bytes[7] = 0;
  m.bytes[9] = 0xff;
  ASSERT_FAILS(NULL, parse(&m, &a), CLIV_FORMAT, "longer than the file");
  m = make(2, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", &x, sizeof x);
  memset(m.bytes + 8, 0xff, 4);
  ASSERT_FAILS(NULL, parse(&m, &a), CLIV_FORMAT, "longer than the file");

  const size_t n = 12 + (2u << 20);
  unsigned char *large = test_alloc(n);
  memset(large, ' ', n);
  memcpy(large, m.bytes, 8);
  memcpy(large + 8, "\x00\x00\x20\x00", 4);
  ASSERT_FAILS(NULL, cliv__npy_parse(large, n, "x.npy", &a), CLIV_FORMAT, "longer than 1 MiB");
  free(large);
}

static void refused_calls(void **state) {
  (void)state;
  char *dir = test_temp_dir(), *path = test_join(dir, "x.npy");
  float x = 1;
  cliv_array a = {CLIV_F32, 1, {1}, &x};
  ASSERT_FAILS(NULL, cliv_npy_write(NULL, &a), CLIV_NULL, "path");
  ASSERT_FAILS(NULL, cliv_npy_write(path, NULL), CLIV_NULL, "array");
  a.data = NULL;
  ASSERT_FAILS(NULL, cliv_npy_write(path, &a), CLIV_NULL, "no data");
  a.data = &x;
  a.ndim = 9;
  ASSERT_FAILS(NULL, cliv_npy_write(path, &a), CLIV_SHAPE, NULL);
  a.ndim = 1;
  a.shape[0] = SIZE_MAX / 2;
  ASSERT_FAILS(NULL, cliv_npy_write(path, &a), CLIV_SHAPE, NULL);
  a.shape[0] = 1;
  a.dtype = CLIV_DTYPE_COUNT;
  ASSERT_FAILS(NULL, cliv_npy_write(path, &a), CLIV_DTYPE, NULL);
  ASSERT_FAILS(NULL, cliv_npy_read(path, &a), CLIV_FILE, "x.npy': No such file");
  assert_null(a.data);
  ASSERT_FAILS(NULL, cliv_npy_read(NULL, &a), CLIV_NULL, NULL);
  ASSERT_FAILS(NULL, cliv_npy_read(path, NULL), CLIV_NULL, NULL);
  test_remove_tree(dir);
  free(path);
  free(dir);
}

/* The k-th number of float32 or float64. */
static double number(const cliv_array *a, size_t k) {
  return a->dtype == CLIV_F64 ? ((const double *)a->data)[k] : (double)((const float *)a->data)[k];
}

/* Whether an array of shape (2, 3) as pairs has the numbers 0 … 11. */
static void check_pairs(const cliv_array *a, int pairs, cliv_dtype dtype) {
  assert_int_equal(pairs, 1);
  assert_int_equal(a->dtype, dtype);
  assert_int_equal(a->ndim, 3);
  for (int d = 0; d < 3; d++) assert_int_equal(a->shape[d], ((const size_t[]){2, 3, 2})[d]);
  for (size_t k = 0; k < 12; k++) assert_true(number(a, k) == (double)k);
}

/* complex64 and complex128 as pairs, as NumPy writes them: in C order, in Fortran order, big-endian, and what is no
 * such file. */
static void complex_numbers(void **state) {
  (void)state;
  static const float single[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
                     columns[] = {0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11};
  static const double twice[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
                      twice_columns[] = {0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11};
  unsigned char swapped[sizeof twice];
  for (size_t i = 0; i < sizeof twice; i++) swapped[i] = ((const unsigned char *)twice)[i ^ 7];
  const struct {
    const char *header;
    const void *data;
    size_t bytes;
    cliv_dtype dtype;
  } rows[] = {
      {"{'descr': '<c8', 'fortran_order': False, 'shape': (2, 3), }", single, sizeof single, CLIV_F32},
      {"{'descr': '<c8', 'fortran_order': True, 'shape': (2, 3), }", columns, sizeof columns, CLIV_F32},
      {"{'descr': '<c16', 'fortran_order': False, 'shape': (2, 3), }", twice, sizeof twice, CLIV_F64},
      {"{'descr': '<c16', 'fortran_order': True, 'shape': (2, 3), }", twice_columns, sizeof twice_columns, CLIV_F64},
      {"{'descr': '>c16', 'fortran_order': False, 'shape': (2, 3), }", swapped, sizeof swapped, CLIV_F64},
  };
  char *dir = test_temp_dir(), *path = test_join(dir, "x.npy");
  cliv_array a;
  int pairs = -1;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const made m = make(1, rows[i].header, rows[i].data, rows[i].bytes);
    test_write_file(path, m.bytes, m.n);
    ASSERT_FAILS(NULL, cliv_npy_read(path, &a), CLIV_DTYPE, rows[i].dtype == CLIV_F64 ? "c16" : "c8");
    ASSERT_OK(NULL, cliv_npy_read_pairs(path, &a, &pairs));
    check_pairs(&a, pairs, rows[i].dtype);
    ASSERT_OK(NULL, cliv_npy_write_pairs(path, &a));
    cliv_array_free(&a);
    ASSERT_OK(NULL, cliv_npy_read_pairs(path, &a, &pairs));
    check_pairs(&a, pairs, rows[i].dtype);
    ASSERT_OK(NULL, cliv_npy_write(path, &a)); /* as they are: [2, 3, 2] */
    cliv_array_free(&a);
    ASSERT_OK(NULL, cliv_npy_read_pairs(path, &a, &pairs));
    assert_int_equal(pairs, 0);
    assert_int_equal(a.ndim, 3);
    cliv_array_free(&a);
  }
  const made deep = make(1, "{'descr': '<c8', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1), }", single, 8);
  test_write_file(path, deep.bytes, deep.n);
  ASSERT_FAILS(NULL, cliv_npy_read_pairs(path, &a, &pairs), CLIV_SHAPE, "7 at most");
  ASSERT_FAILS(NULL, cliv_npy_read_pairs(path, &a, NULL), CLIV_NULL, "pairs");
  ASSERT_FAILS(NULL, cliv_npy_read_pairs(NULL, &a, &pairs), CLIV_NULL, "path");
  float x[3] = {0};
  cliv_array odd = {CLIV_F32, 1, {3}, x};
  ASSERT_FAILS(NULL, cliv_npy_write_pairs(path, &odd), CLIV_SHAPE, "axis of 2");
  odd.dtype = CLIV_I32;
  ASSERT_FAILS(NULL, cliv_npy_write_pairs(path, &odd), CLIV_DTYPE, "int32");
  test_remove_tree(dir);
  free(path);
  free(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(round_trips),
      cmocka_unit_test(complex_numbers),
      cmocka_unit_test(written_header),
      cmocka_unit_test(versions_and_spellings),
      cmocka_unit_test(other_integers_widen),
      cmocka_unit_test(big_endian_is_swapped),
      cmocka_unit_test(fortran_order_becomes_c_order),
      cmocka_unit_test(malformed),
      cmocka_unit_test(every_truncation_is_refused),
      cmocka_unit_test(wrong_beginnings),
      cmocka_unit_test(refused_calls),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
