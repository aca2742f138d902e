/* optim_smooth.cl: gradients smoothed: (1 + 2 s) x[i] - s (x[i - 1] + x[i + 1]) = g[i] round each tensor, for x.
 *
 *   -D SINGLE   `real` is one float
 *   -D G_T=f32  storage of the gradients; results are float
 *
 * The operator is a product of two recursions with one root r below 1: y[i] = g[i] + r y[i - 1], and with it
 * x[i] = gain y[i] + r x[i + 1]. Tensors are cut into pieces of PIECE elements from their beginnings. Each piece begins
 * `lead` elements before itself, round the tensor as often as that takes, with 0: by then r^lead of what that misses is
 * below rounding. So pieces are independent, and every element has one value, whoever takes which.
 *
 * GPU walk: a work-item takes a piece. CPU walk: GANG pieces, whose recursions it takes in turns, since each by itself
 * is a chain of operations that wait for each other. A piece is no power of two of cache lines, so that the pieces of a
 * gang do not compete for the same ones of the cache.
 */
enum { PIECE = 496 };
#ifdef WALK_CPU
enum { GANG = 8 };
#else
enum { GANG = 1 };
#endif

typedef struct {
  ulong g, x;      /* the tensor's first element in the gradients and in the results */
  ulong count, at; /* its elements; the piece's first one */
} piece;

#define LOAD(i) CAT(load_, G_T)(g, (size_t)(i))

/* None of these says restrict: what clang leaves of that when it inlines them, oclgrind cannot run. */

/* y, from the gradients. */
static void up(__global const CAT(G_T, _t) *g, piece p, float r, uint lead, __global float *y) {
  const ulong end = min(p.at + PIECE, p.count);
  ulong c = (p.at + p.count - lead % p.count) % p.count;
  float value = 0.0f;
  for (uint k = 0; k < lead; k++) {
    value = fused(r, value, LOAD(p.g + c));
    c = c + 1 == p.count ? 0 : c + 1;
  }
  for (ulong i = p.at; i < end; i++) {
    value = fused(r, value, LOAD(p.g + i));
    y[p.x + i] = value;
  }
}

/* x, from y: the same from the other end. */
static void down(__global const float *y, piece p, float r, uint lead, float gain,
                 __global float *x) {
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

#ifdef WALK_CPU
#define UNROLL _Pragma("unroll")

/* Whether the pieces from k on are a whole gang of whole pieces, which do not go round their tensors. */
static int is_gang(__global const piece *pieces, uint k, uint end, uint lead) {
  if (end - k < GANG) return 0;
  for (uint j = 0; j < GANG; j++) {
    const ulong at = pieces[k + j].at, count = pieces[k + j].count;
    if (at < lead || at + PIECE + lead > count) return 0;
  }
  return 1;
}

static void gang_up(__global const CAT(G_T, _t) *g, __global const piece *pieces, float r, uint lead,
                    __global float *y) {
  float value[GANG];
  ulong from[GANG], to[GANG];
  UNROLL for (uint j = 0; j < GANG; j++) {
    value[j] = 0.0f;
    from[j] = pieces[j].g + pieces[j].at;
    to[j] = pieces[j].x + pieces[j].at;
  }
  for (uint k = lead; k > 0; k--)
    UNROLL for (uint j = 0; j < GANG; j++) value[j] = fused(r, value[j], LOAD(from[j] - k));
  for (uint i = 0; i < PIECE; i++)
    UNROLL for (uint j = 0; j < GANG; j++) {
      value[j] = fused(r, value[j], LOAD(from[j] + i));
      y[to[j] + i] = value[j];
    }
}

static void gang_down(__global const float *y, __global const piece *pieces, float r, uint lead,
                      float gain, __global float *x) {
  float value[GANG];
  ulong at[GANG];
  UNROLL for (uint j = 0; j < GANG; j++) {
    value[j] = 0.0f;
    at[j] = pieces[j].x + pieces[j].at;
  }
  for (uint k = lead; k-- > 0;)
    UNROLL for (uint j = 0; j < GANG; j++) value[j] = fused(r, value[j], y[at[j] + PIECE + k]);
  for (uint i = PIECE; i-- > 0;)
    UNROLL for (uint j = 0; j < GANG; j++) {
      value[j] = fused(r, value[j], y[at[j] + i]);
      x[at[j] + i] = gain * value[j];
    }
}
#endif

__kernel void optim_smooth_up(__global const CAT(G_T, _t) *restrict g, __global const piece *restrict pieces,
                              uint first, uint count, float r, uint lead, __global float *restrict y) {
  if (get_global_id(0) * GANG >= count) return;
  const uint begin = first + (uint)get_global_id(0) * GANG, end = min(begin + GANG, first + count);
#ifdef WALK_CPU
  if (is_gang(pieces, begin, end, lead)) {
    gang_up(g, pieces + begin, r, lead, y);
    return;
  }
#endif
  for (uint k = begin; k < end; k++) up(g, pieces[k], r, lead, y);
}

__kernel void optim_smooth_down(__global const float *restrict y, __global const piece *restrict pieces, uint first,
                                uint count, float r, uint lead, float gain, __global float *restrict x) {
  if (get_global_id(0) * GANG >= count) return;
  const uint begin = first + (uint)get_global_id(0) * GANG, end = min(begin + GANG, first + count);
#ifdef WALK_CPU
  if (is_gang(pieces, begin, end, lead)) {
    gang_down(y, pieces + begin, r, lead, gain, x);
    return;
  }
#endif
  for (uint k = begin; k < end; k++) down(y, pieces[k], r, lead, gain, x);
}
