/* Any bytes as a safetensors file. */
#include "safetensors_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  read_file(data, n);
  return 0;
}
