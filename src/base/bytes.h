/* Files hold little-endian numbers, and so does every host Cliv runs on: bytes go in and out as they lie. */
#ifndef CLIV_BASE_BYTES_H
#define CLIV_BASE_BYTES_H

#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Cliv's file formats assume a little-endian host"
#endif

static inline uint64_t cliv__little_endian(const unsigned char *p, int bytes) {
  uint64_t x = 0;
  for (int i = bytes; i-- > 0;) x = x << 8 | p[i];
  return x;
}

#endif
