/* What both safetensors targets do with a file: parse it, and read whole what is accepted. */
#ifndef CLIV_TESTS_FUZZ_SAFETENSORS_H
#define CLIV_TESTS_FUZZ_SAFETENSORS_H

#include "base/safetensors.h"
#include "fuzz.h"

const char *const fuzz_words[] = {"{",
                                  "}",
                                  "[]",
                                  "\"dtype\"",
                                  "\"shape\"",
                                  "\"data_offsets\"",
                                  "\"__metadata__\"",
                                  "\"F32\"",
                                  "\"BF16\"",
                                  "\"U8\"",
                                  "\"BOOL\"",
                                  "[0,4]",
                                  "[4,8]",
                                  "[1]",
                                  "[0]",
                                  "-1",
                                  "null",
                                  "\\u0000",
                                  "9223372036854775807",
                                  "4294967296",
                                  ",",
                                  "\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}",
                                  NULL};

static size_t read_array(const cliv_safetensors *f, const char *name) {
  cliv_array a;
  EXPECT(cliv_safetensors_has(f, name));
  EXPECT(cliv_safetensors_read(f, name, &a) == CLIV_OK);
  const size_t bytes = cliv_array_count(&a) * cliv_dtype_size(a.dtype);
  volatile unsigned char sum = 0;
  for (size_t i = 0; i < bytes; i++) sum = (unsigned char)(sum + ((const unsigned char *)a.data)[i]);
  cliv_array_free(&a);
  return bytes;
}

static void read_file(const uint8_t *data, size_t n) {
  cliv_safetensors *f;
  const cliv_status status = cliv__safetensors_parse(data, n, "input", &f);
  if (status) {
    EXPECT_REFUSED(status);
    EXPECT(f == NULL);
    return;
  }
  size_t total = 0, pairs;
  for (size_t i = 0; i < cliv_safetensors_count(f); i++) total += read_array(f, cliv_safetensors_name(f, i));
  EXPECT(total <= n);
  const cliv_metadata *list = cliv_safetensors_metadata_list(f, &pairs);
  for (size_t i = 0; i < pairs; i++) EXPECT(strcmp(cliv_safetensors_metadata(f, list[i].key), list[i].value) == 0);
  cliv_safetensors_free(f);
}

#endif
