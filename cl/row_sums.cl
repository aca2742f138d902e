/* row_sums.cl: the gradients of a norm's weight and bias: for every column the sums over all rows of y times the normed
 * x, and of y.
 *
 *   -D OP=layer_norm_backward -D KIND_pair -D PARTS_ONLY -D GIVEN   as for cl/rows.cl
 *   -D X_T=f32        storage of x, y and of the gradients
 *   -D COLUMNS -D ACROSS=1   for cl/block.cl: what is joined lies one below the other
 *   (otherwise)       entry row_sums: parts[column * blocks_per_column + b] gets what block b of a column comes down to
 *   -D PUT -D SINGLE  entry put_sums: each column's part becomes elements of the gradients, those that are wanted
 *
 * A column's block is 4096 rows. CPU walk: a work-item does one block of W columns, a column a lane. GPU walk: a
 * work-group does a block of SLOTS columns, so that neighbouring work-items read neighbouring elements.
 */
typedef CAT(X_T, _t) stored;
#define OF(function) CAT(OP, function)

#ifdef PUT
enum { WEIGHT = 1, BIAS = 2 };
__kernel void put_sums(__global const part *parts, __global stored *weight, ulong weight_first, __global stored *bias,
                       ulong bias_first, ulong columns, uint wanted) {
  const ulong i = get_global_id(0);
  if (i < columns) {
    if (wanted & WEIGHT) CAT(store_, X_T)(parts[i].v, weight, weight_first + i);
#ifdef KIND_pair
    if (wanted & BIAS) CAT(store_, X_T)(parts[i].u, bias, bias_first + i);
#endif
  }
}
#else

enum { SLOTS = 8 };

/* The block's first row of the first column; how many columns there are. */
typedef struct {
  __global const stored *x, *y;
  __global const float *mean, *rstd;
  ulong x_pitch, y_pitch;
  uint live;
} source;
#define SOURCE source s
#define FROM s

static real some(__global const stored *p, ulong i, uint live) {
#if W > 1
  if (live < W) return CAT(CAT(load_, X_T), _part)(p, i, live);
#endif
  return CAT(load_, X_T)(p, i);
}

acc at(SOURCE, uint i) {
  const real x = some(s.x, i * s.x_pitch, s.live), y = some(s.y, i * s.y_pitch, s.live);
  row_scalars r;
  acc a;
  r.rstd = (real)s.rstd[i];
#ifdef KIND_pair
  r.mean = (real)s.mean[i];
  a.u = y;
#endif
  a.v = y * OF(_term)(x, r);
  return a;
}
DEFINE_BLOCK(sums, acc, at, init, join, FIELDS)

#define LANE_TO_PART(type, stored, name) p.name = name##_of[k];
#define TO_ARRAY(type, stored, name) \
  SCALAR name##_of[W];               \
  CAT(vstore, W)(a.name, 0, name##_of);

__kernel void row_sums(__global const stored *x, ulong x_first, ulong x_pitch, __global const stored *y, ulong y_first,
                       ulong y_pitch, __global const float *mean, ulong mean_first, __global const float *rstd,
                       ulong rstd_first, __global part *parts, ulong rows, ulong columns, ulong blocks_per_column) {
  /* Some drivers read arguments wrongly under control flow. */
  const ulong per_column = blocks_per_column, length = rows, width = columns;
#ifdef WALK_CPU
#define IN_LANES
  const uint at_once = W, slot = 0;
#else
#define IN_LANES , lanes + slot * LANES, lane, step, LANES
  __local acc lanes[SLOTS * LANES];
  const uint at_once = SLOTS, slot = (uint)get_local_id(0) % SLOTS, lane = (uint)get_local_id(0) / SLOTS;
  const uint step = (uint)get_local_size(0) / SLOTS;
#endif
  const ulong chunks = (width + at_once - 1) / at_once, group = get_group_id(0), b = group / chunks;
  const ulong wanted = (group - b * chunks) * at_once + slot, column = min(wanted, width - 1), row = b * BLOCK;
  const uint n = length - row < BLOCK ? (uint)(length - row) : BLOCK;
  const source s = {x + x_first + row * x_pitch + column,
                    y + y_first + row * y_pitch + column,
                    mean + mean_first + row,
                    rstd + rstd_first + row,
                    x_pitch,
                    y_pitch,
                    width - column < W ? (uint)(width - column) : W};
  acc a;
  sums(s, n, &a IN_LANES);
#ifdef WALK_CPU
  FIELDS(TO_ARRAY)
  for (uint k = 0; k < s.live; k++) {
    part p;
    FIELDS(LANE_TO_PART)
    parts[(column + k) * per_column + b] = p;
  }
#else
  if (lane == 0 && wanted < width) {
    part p;
    FIELDS(LIFT_FIELD)
    parts[column * per_column + b] = p;
  }
#endif
}
#endif
