/* Philox4x32-10 on the host. See cliv/random.h. */
#include <cliv/random.h>

#include "base/status.h"

void cliv_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)p1;
    c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u; /* Weyl sequence: golden ratio, √3 − 1 */
    k1 += 0xBB67AE85u;
  }
  out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

static void block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4]) {
  const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream, (uint32_t)(stream >> 32)};
  const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
  cliv_philox(counter, key, out);
}

uint32_t cliv_random_bits(uint64_t seed, uint64_t stream, uint64_t element) {
  uint32_t words[4];
  block(seed, stream, element / 4, words);
  return words[element % 4];
}

float cliv_random_uniform(uint64_t seed, uint64_t stream, uint64_t element) {
  return (float)(cliv_random_bits(seed, stream, element) >> 8) * 0x1p-24f;
}

/* The upper 64 bits of a × b, for b below 2^32. */
static uint64_t scale(uint64_t a, uint64_t b) { return ((a >> 32) * b + (((a & 0xffffffffu) * b) >> 32)) >> 32; }

cliv_status cliv_random_permutation(uint64_t seed, uint64_t stream, size_t count, int32_t *out) {
  REQUIRE(NULL, count <= INT32_MAX, VALUE, "a permutation of %zu elements was asked for; the most is 2147483647",
          count);
  REQUIRE(NULL, out != NULL || count == 0, NULL, "cliv_random_permutation: argument 'out' is NULL");
  for (size_t i = 0; i < count; i++) out[i] = (int32_t)i;
  for (size_t i = count; i-- > 1;) {
    uint32_t words[4];
    block(seed, stream, i / 2, words); /* elements 2i, 2i + 1 lie in block i / 2 */
    const uint32_t *pair = words + 2 * (i % 2);
    const size_t j = (size_t)scale((uint64_t)pair[1] << 32 | pair[0], (uint64_t)i + 1);
    const int32_t t = out[i];
    out[i] = out[j];
    out[j] = t;
  }
  return CLIV_OK;
}
