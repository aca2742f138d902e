/* Any text as the header of a safetensors file whose length field is right, so that the checks behind it are reached.
 * The first byte says how many bytes of data follow. */
#include "safetensors_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  if (n == 0) return 0;
  const size_t length = n - 1, total = 8 + length + data[0];
  uint8_t *file = calloc(total, 1);
  EXPECT(file != NULL);
  for (int i = 0; i < 8; i++) file[i] = (uint8_t)((uint64_t)length >> 8 * i);
  memcpy(file + 8, data + 1, length);
  read_file(file, total);
  free(file);
  return 0;
}
