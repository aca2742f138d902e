/* random.cl: elements first, first + 1, … of a stream of random numbers, by Philox4x32-10. See cliv/random.h.
 *
 *   -D DRAW=draw_normal -D DRAWS_normal -D OUT_T=f32   distribution, a function of random_ops.cl, and storage
 *
 * A block of the generator is four elements. CPU walk: a work-item takes n_each elements, a multiple of GROUP, of those
 * from the last multiple of GROUP up to `first` on; a vector has one word of W blocks. GPU walk: a work-item takes a
 * block.
 */
enum { GROUP = 4 * W };

#define TO_f32(x) F32_STORE(x)
#define TO_f16(x) F16_STORE(x)
#define TO_bf16(x) BF16_STORE(x)
#define TO_u8(x) U8_STORE(x)
#define TO_i32(x) as_ireal(x) /* of "bits" alone */
#define TO CAT(TO_, OUT_T)
typedef CAT(OUT_T, _t) stored;

#ifdef WALK_CPU
#define FOUR(i) w[0].s##i, w[1].s##i, w[2].s##i, w[3].s##i
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void random_fill(
    __global stored *out, const ulong out_first, const ulong first_, const ulong n, const ulong n_each_,
    const uint4 key_, const scalars s_) {
  const ulong first = first_, n_each = n_each_, end = first + n;
  const uint4 key = key_;
  const scalars s = s_;
  const ulong begin = first - first % GROUP + get_global_id(0) * n_each, stop = min(begin + n_each, end);
  for (ulong e = begin; e < stop; e += GROUP) {
    ureal w[4];
    stored lanes[GROUP];
    philox(e / 4, key, w);
    const ureal a = (ureal)(FOUR(0), FOUR(1), FOUR(2), FOUR(3)), b = (ureal)(FOUR(4), FOUR(5), FOUR(6), FOUR(7));
    const ureal c = (ureal)(FOUR(8), FOUR(9), FOUR(a), FOUR(b)), d = (ureal)(FOUR(c), FOUR(d), FOUR(e), FOUR(f));
    w[0] = a, w[1] = b, w[2] = c, w[3] = d;
    const bool whole = e >= first && end - e >= GROUP;
    for (uint k = 0; k < 4; k++) CAT(vstore, W)(TO(DRAW(w[k], s)), k, lanes);
    for (uint k = 0; whole && k < 4; k++)
      CAT(vstore, W)(CAT(vload, W)(k, lanes), k, out + (out_first + (e - first)));
    for (uint k = 0; !whole && k < GROUP; k++)
      if (e + k >= first && e + k < end) out[out_first + (e + k - first)] = lanes[k];
  }
}
#else
__kernel void random_fill(__global stored *out, const ulong out_first, const ulong first_, const ulong n_,
                          const ulong n_each, const uint4 key_, const scalars s_) {
  const ulong first = first_, n = n_;
  const uint4 key = key_;
  const scalars s = s_;
  const ulong block = first / 4 + get_global_id(0);
  ureal w[4];
  philox(block, key, w);
  for (uint k = 0; k < 4; k++) {
    const ulong i = block * 4 + k - first; /* before the first: huge */
    if (i < n) out[out_first + i] = (stored)TO(DRAW(w[k], s));
  }
}
#endif
