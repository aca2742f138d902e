/* reduce.cl: rows of elements to one result a row, block by block, in the order that include/cliv/reduce.h defines.
 *
 *   -D X_T=f32 -D OUT_T=f32   storage of input and result
 *   -D PIVOT                  the kind makes two passes over a block
 *   -D PARTS_ONLY             a row's part goes to left too, and nothing to out
 *   -D SECOND -D SINGLE       a later stage: the input is the parts of the stage before
 *
 * A row has `columns` elements and blocks_per_row blocks. When that is 1, the result goes to out; else each block's part to parts.
 * CPU walk: a work-item does a run of `share` blocks, row by row in vectors of W lanes, so that memory is read in order.
 * GPU walk: a work-group of any size does a block, or several blocks of no more than `share` lanes, a power of two: short rows.
 */
#define PUT_f32(x) canonical_f32((float)(x))
#define PUT_f16(x) (ushort)float_to_half((float)(x))
#define PUT_bf16(x) (ushort)float_to_bfloat((float)(x))
#define PUT_f64(x) canonical_f64(x)
#define PUT_i32(x) (int)(x)
#define PUT_i64(x) (x)
#define PUT_u8(x) (uchar)(x)
#define PUT CAT(PUT_, OUT_T)
#ifdef REAL_F64
double canonical_f64(double x) {
  return (as_ulong(x) & MAGNITUDE_BITS) > INFINITY_BITS ? as_double(CANONICAL_NAN_BITS) : x;
}
#endif

/* ---- what a block reads ---- */

/* first: the block's first element; room: how many elements there are to be read from it on, also past its row. */
#ifdef SECOND
#define SOURCE __global const part *parts, ulong first
#define FROM parts, first
static part at(SOURCE, uint i) { return parts[first + i]; }
#else
typedef CAT(X_T, _t) stored;
#define LOAD CAT(load_, X_T)
/* The first k < W elements from i on, then whatever. */
#define LOAD_SOME(p, i) (room - (i) >= W ? LOAD(p, first + (i)) : CAT(CAT(load_, X_T), _part)(p, first + (i), k))
#define PLACES(i) (LANE_IDS + (ireal)(int)(i))
#ifdef INPUTS_2
#define SOURCE __global const stored *x, __global const stored *y, ulong first, ulong apart, uint room
#define FROM x, y, first, apart, room
static acc at(SOURCE, uint i) { return element(LOAD(x, first + i), LOAD(y, first + apart + i), PLACES(i)); }
#if W > 1
static acc at_some(SOURCE, uint i, uint k) {
  const real a = LOAD_SOME(x, i);
  first += apart;
  return element(a, LOAD_SOME(y, i), PLACES(i));
}
#endif
#elif defined(PIVOT)
#define SOURCE __global const stored *x, ulong first, SCALAR pivot, uint room
#define FROM x, first, pivot, room
static acc at(SOURCE, uint i) { return element(LOAD(x, first + i), (real)pivot); }
static pivot_acc pivot_at(SOURCE, uint i) { return pivot_element(LOAD(x, first + i)); }
#if W > 1
static acc at_some(SOURCE, uint i, uint k) { return element(LOAD_SOME(x, i), (real)pivot); }
static pivot_acc pivot_at_some(SOURCE, uint i, uint k) { return pivot_element(LOAD_SOME(x, i)); }
#endif
#else
#define SOURCE __global const stored *x, ulong first, uint room
#define FROM x, first, room
static acc at(SOURCE, uint i) { return element(LOAD(x, first + i), PLACES(i)); }
#if W > 1
static acc at_some(SOURCE, uint i, uint k) { return element(LOAD_SOME(x, i), PLACES(i)); }
#endif
#endif
#endif

/* ---- a block, joined: once for what is reduced, and once more for the pivot ---- */

#ifndef PARTS
#define PARTS FIELDS
#endif
#ifdef SECOND
DEFINE_BLOCK(reduce_block, acc, at, init, join, PARTS)
#else
DEFINE_BLOCK(reduce_block, acc, at, init, join, FIELDS)
#ifdef PIVOT
DEFINE_BLOCK(pivot_block, pivot_acc, pivot_at, pivot_init, pivot_join, PIVOT_FIELDS)
#endif
#endif

/* ---- the kernel ---- */

#ifdef SECOND
#define INPUT __global const part *restrict parts
#define COMPUTE \
  part p;       \
  reduce_block(parts, first, n, &p IN_LANES(lanes));
#elif defined(INPUTS_2)
#define INPUT __global const stored *restrict x, __global const stored *restrict y, ulong origin_y
#define COMPUTE                                                                                   \
  acc a;                                                                                          \
  reduce_block(x, y, first, origin_y - origin, room, n, &a IN_LANES(lanes));                      \
  const part p = lift(a, b * BLOCK, n);
#elif defined(PIVOT)
#define INPUT __global const stored *restrict x
#define COMPUTE                                                                                   \
  pivot_acc q;                                                                                    \
  pivot_block(x, first, 0, room, n, &q IN_LANES(pivot_lanes));                                    \
  const SCALAR pivot = pivot_of(q, n);                                                            \
  acc a;                                                                                          \
  reduce_block(x, first, pivot, room, n, &a IN_LANES(lanes));                                     \
  const part p = lift(a, pivot, n);
#else
#define INPUT __global const stored *restrict x
#define COMPUTE                                                                                   \
  acc a;                                                                                          \
  reduce_block(x, first, room, n, &a IN_LANES(lanes));                                            \
  const part p = lift(a, b * BLOCK, n);
#endif

/* Block b of its row: where it starts, how many elements it has, and how many can be read. */
#define LOCATE                                                                    \
  const ulong rest = length - b * BLOCK, first = origin + row * pitch + b * BLOCK; \
  const uint n = length == 0 ? 0 : rest < BLOCK ? (uint)rest : BLOCK;             \
  const uint room = end - first < 2 * BLOCK ? (uint)(end - first) : 2 * BLOCK;
#ifdef PARTS_ONLY
#define STORE left[block] = p;
#else
#define STORE                                                                     \
  if (per_row == 1) out[out_origin + row] = PUT(finish(p, total));                        \
  else left[block] = p;
#endif

/* origin, end: the first element of the input, and where it ends; pitch: elements from row to row; total: elements a row had in the
 * first stage. */
__kernel void reduce(INPUT, ulong origin_, ulong end_, ulong columns, ulong pitch_, ulong blocks_per_row, ulong blocks_,
                     ulong share_, ulong total_, __global part *restrict left, __global CAT(OUT_T, _t) *restrict out,
                     ulong out_origin_) {
  /* Some drivers read arguments wrongly under control flow. */
  const ulong origin = origin_, end = end_, length = columns, pitch = pitch_, per_row = blocks_per_row;
  const ulong blocks = blocks_, share = share_, total = total_, out_origin = out_origin_;
#ifdef WALK_CPU
#define IN_LANES(name)
  const ulong begin = get_global_id(0) * share, stop = min(begin + share, blocks);
  ulong row = begin / per_row, b = begin - row * per_row;
  for (ulong block = begin; block < stop; block++) {
    LOCATE
    COMPUTE
    STORE
    b++;
    if (b == per_row) row++, b = 0;
  }
#else
#define IN_LANES(name) , name + slot * spread, lane, step, spread
  __local acc lanes[LANES];
#if defined(PIVOT) && !defined(SECOND)
  __local pivot_acc pivot_lanes[LANES];
#endif
  const uint spread = (uint)share, step = min(spread, (uint)get_local_size(0));
  const uint at_once = min((uint)get_local_size(0), (uint)LANES) / step, id = (uint)get_local_id(0);
  const uint busy = id < at_once * step, slot = busy ? id / step : 0, lane = busy ? id - slot * step : spread;
  const ulong wanted = get_group_id(0) * at_once + slot, block = min(wanted, blocks - 1);
  const ulong row = per_row == 1 ? block : block / per_row, b = block - row * per_row;
  LOCATE
  COMPUTE
  if (lane == 0 && wanted < blocks) {
    STORE
  }
#endif
}
