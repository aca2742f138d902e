/* optim_smooth.cl: gradients smoothed: (1 + 2 s) x[i] - s (x[i - 1] + x[i + 1]) = g[i] round each tensor, for x.
 *
 *   -D SINGLE   `real` is one float
 *   -D G_T=f32  storage of the gradients; results are float
 *
 * The operator is a product of two recursions with one root r below 1: y[i] = g[i] + r y[i - 1], and with it
 * x[i] = gain y[i] + r x[i + 1]. Tensors are cut into pieces of PIECE elements from their beginnings. Each piece begins
 * `lead` elements before itself, round the tensor as often as that takes, with 0: by then r^lead of what that misses is
 * below rounding. So pieces are independent, and every element has one value, whoever takes which.
 */
enum { PIECE = 512 };

typedef struct {
  ulong g, x;      /* the tensor's first element in the gradients and in the results */
  ulong count, at; /* its elements; the piece's first one */
} piece;

/* y, from the gradients. */
__kernel void optim_smooth_up(__global const CAT(G_T, _t) *restrict g, __global const piece *restrict pieces,
                              uint first, uint count, float r, uint lead, __global float *restrict y) {
  if (get_global_id(0) >= count) return;
  const piece p = pieces[first + get_global_id(0)];
  const ulong end = min(p.at + PIECE, p.count);
  ulong c = (p.at + p.count - lead % p.count) % p.count;
  float value = 0.0f;
  for (uint k = 0; k < lead; k++) {
    value = fused(r, value, CAT(load_, G_T)(g, (size_t)(p.g + c)));
    c = c + 1 == p.count ? 0 : c + 1;
  }
  for (ulong i = p.at; i < end; i++) {
    value = fused(r, value, CAT(load_, G_T)(g, (size_t)(p.g + i)));
    y[p.x + i] = value;
  }
}

/* x, from y: the same from the other end. */
__kernel void optim_smooth_down(__global const float *restrict y, __global const piece *restrict pieces, uint count,
                                float r, uint lead, float gain, __global float *restrict x) {
  if (get_global_id(0) >= count) return;
  const piece p = pieces[get_global_id(0)];
  const ulong end = min(p.at + PIECE, p.count);
  ulong c = (end + lead - 1) % p.count;
  float value = 0.0f;
  for (uint k = 0; k < lead; k++) {
    value = fused(r, value, y[p.x + c]);
    c = c == 0 ? p.count - 1 : c - 1;
  }
  for (ulong i = end; i-- > p.at;) {
    value = fused(r, value, y[p.x + i]);
    x[p.x + i] = gain * value;
  }
}
