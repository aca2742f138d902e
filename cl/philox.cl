/* philox.cl: random words by Philox4x32-10, W blocks of four at once. See cliv/random.h. */
#define ROUND(k0, k1)                                               \
  {                                                                 \
    const ureal h0 = mul_hi((ureal)0xD2511F53u, w[0]);              \
    const ureal h1 = mul_hi((ureal)0xCD9E8D57u, w[2]);              \
    w[2] *= 0xCD9E8D57u, w[0] *= 0xD2511F53u;                       \
    const ureal c0 = h1 ^ w[1] ^ (k0), c2 = h0 ^ w[3] ^ (k1);       \
    w[1] = w[2], w[3] = w[0], w[0] = c0, w[2] = c2;                 \
  }

/* The four words of W blocks from `block` on, a multiple of W. */
static void philox(ulong block, uint4 key, ureal *w) {
#if W == 1
  w[0] = (uint)block;
#else
  w[0] = (ureal)(uint)block + (ureal)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
  w[1] = (ureal)(uint)(block >> 32), w[2] = (ureal)key.z, w[3] = (ureal)key.w;
  uint k0 = key.x, k1 = key.y;
  for (uint round = 0; round < 10; round++) {
    ROUND(k0, k1)
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
}
