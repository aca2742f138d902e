/* Any bytes as a .npy file. */
#include "base/npy.h"

#include "fuzz.h"

const char *const fuzz_words[] = {"\x93NUMPY\x01",
                                  "'descr'",
                                  "'fortran_order'",
                                  "'shape'",
                                  "True",
                                  "False",
                                  "'<f4'",
                                  "'>i2'",
                                  "'|u1'",
                                  "'<V2'",
                                  "(3,)",
                                  "(2, 3, 4)",
                                  "()",
                                  "(0,)",
                                  "-1",
                                  "18446744073709551615",
                                  "4294967296",
                                  "{",
                                  "}",
                                  NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  cliv_array a;
  const cliv_status status = cliv__npy_parse(data, n, "input", &a);
  if (status) {
    EXPECT_REFUSED(status);
    EXPECT(a.data == NULL);
    return 0;
  }
  const size_t bytes = cliv_array_count(&a) * cliv_dtype_size(a.dtype);
  EXPECT(a.ndim >= 0 && a.ndim <= CLIV_MAX_DIMS && bytes <= 4 * n);
  volatile unsigned char sum = 0;
  for (size_t i = 0; i < bytes; i++) sum = (unsigned char)(sum + ((const unsigned char *)a.data)[i]);
  cliv_array_free(&a);
  return 0;
}
