/* reduce.cl: rows of elements to one result a row, block by block, in the order that include/cliv/reduce.h defines.
 *
 *   -D X_T=f32 -D OUT_T=f32   storage of input and result
 *   -D PIVOT                  the kind makes two passes over a block
 *   -D SECOND -D SINGLE       a later stage: the input is the parts of the stage before
 *
 * A row has `columns` elements and blocks_per_row blocks. When that is 1, the result goes to out; else each block's part to parts.
 * CPU walk: a work-item does a run of `share` blocks, row by row in vectors of W lanes, so that memory is read in order.
 * GPU walk: a work-group of any size does a block, or several blocks of no more than `share` lanes, a power of two: short rows.
 */
enum { LANES = 256, BLOCK = 4096 };

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
#if W == 1
#define LANE_IDS 0
#elif W == 8
#define LANE_IDS ((ireal)(0, 1, 2, 3, 4, 5, 6, 7))
#else
#define LANE_IDS ((ireal)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#endif
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
static acc at(SOURCE, uint i) { return element(LOAD(x, first + i), pivot); }
static pivot_acc pivot_at(SOURCE, uint i) { return pivot_element(LOAD(x, first + i)); }
#if W > 1
static acc at_some(SOURCE, uint i, uint k) { return element(LOAD_SOME(x, i), pivot); }
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

/* ---- a block's lanes, joined: once for what is reduced, and once more for the pivot ----
 * These functions are not static: what clang leaves behind when it inlines static ones that return structs, oclgrind cannot run. */

#ifdef WALK_CPU
enum { VECTORS = LANES / W };

/* Lanes from k on hold the identity instead. */
#define KEEP(type, stored, name) m.name = choose(LANE_IDS < (ireal)(int)k, m.name, none.name);
#if W == 16
#define DOWN_8(type, stored, name) b.name = b.name.s89abcdef89abcdef;
#define DOWN_4(type, stored, name) b.name = b.name.s4567456745674567;
#define DOWN_2(type, stored, name) b.name = b.name.s2323232323232323;
#define DOWN_1(type, stored, name) b.name = b.name.s1111111111111111;
#else
#define DOWN_4(type, stored, name) b.name = b.name.s45674567;
#define DOWN_2(type, stored, name) b.name = b.name.s23232323;
#define DOWN_1(type, stored, name) b.name = b.name.s11111111;
#endif
/* Lanes above n are identities, which need no joining. */
#define HALVE(join, FIELDS, s)  \
  if (n > s) {                  \
    b = a;                      \
    FIELDS(DOWN_##s)            \
    a = join(a, b);             \
  }
#if W == 16
#define HALVES(join, FIELDS) \
  HALVE(join, FIELDS, 8) HALVE(join, FIELDS, 4) HALVE(join, FIELDS, 2) HALVE(join, FIELDS, 1)
#elif W == 8
#define HALVES(join, FIELDS) HALVE(join, FIELDS, 4) HALVE(join, FIELDS, 2) HALVE(join, FIELDS, 1)
#else
#define HALVES(join, FIELDS)
#endif
#if W == 1
#define LAST_LANES(acc, at, init, join, FIELDS)
#else
#define LAST_LANES(acc, at, init, join, FIELDS)                \
  if (k) {                                                     \
    const acc none = init();                                   \
    acc m = CAT(at, _some)(FROM, n - k, k);                    \
    FIELDS(KEEP)                                               \
    lanes[whole] = rows ? join(lanes[whole], m) : m;           \
  }
#endif

/* Full rows, then the vectors of the last one, of which `whole` are full and one may have k elements. Lanes that have none are left
 * out of the joins, as the identity may be. */
#define DEFINE_BLOCK(name, acc, at, init, join, FIELDS)                                                      \
  acc name(SOURCE, uint n) {                                                                          \
    acc lanes[VECTORS];                                                                                      \
    const uint rows = n / LANES, whole = n % LANES / W, k = n % W;                                           \
    const uint used = rows ? VECTORS : whole + (k ? 1 : 0);                                                  \
    if (rows)                                                                                                \
      for (uint v = 0; v < VECTORS; v++) lanes[v] = at(FROM, v * W);                                         \
    for (uint r = 1; r < rows; r++)                                                                          \
      for (uint v = 0; v < VECTORS; v++) lanes[v] = join(lanes[v], at(FROM, r * LANES + v * W));             \
    for (uint v = 0; v < whole; v++) {                                                                       \
      const acc m = at(FROM, rows * LANES + v * W);                                                          \
      lanes[v] = rows ? join(lanes[v], m) : m;                                                               \
    }                                                                                                        \
    LAST_LANES(acc, at, init, join, FIELDS)                                                                  \
    if (n == 0) lanes[0] = init();                                                                           \
    for (uint s = VECTORS / 2; s; s >>= 1)                                                                   \
      for (uint v = 0; v < s && v + s < used; v++) lanes[v] = join(lanes[v], lanes[v + s]);                  \
    acc a = lanes[0], b;                                                                                     \
    HALVES(join, FIELDS)                                                                                     \
    (void)b;                                                                                                 \
    return a;                                                                                                \
  }
#else

/* This work-item's lanes are `lane`, lane + step, … below `share`; none when lane == share. */
#define DEFINE_BLOCK(name, acc, at, init, join, FIELDS)                                                      \
  acc name(SOURCE, uint n, __local acc *lanes, uint lane, uint step, uint share) {                    \
    for (uint l = lane; l < share; l += step) {                                                              \
      acc a = init();                                                                                        \
      if (n == BLOCK)                                                                                        \
        for (uint r = 0; r < BLOCK / LANES; r++) a = join(a, at(FROM, r * LANES + l));                       \
      else                                                                                                   \
        for (uint i = l; i < n; i += LANES) a = join(a, at(FROM, i));                                        \
      lanes[l] = a;                                                                                          \
    }                                                                                                        \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                            \
    for (uint s = share / 2; s; s >>= 1) {                                                                   \
      for (uint l = lane; l < s; l += step) lanes[l] = join(lanes[l], lanes[l + s]);                         \
      barrier(CLK_LOCAL_MEM_FENCE);                                                                          \
    }                                                                                                        \
    return lanes[0];                                                                                         \
  }
#endif

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
#define COMPUTE const part p = reduce_block(parts, first, n IN_LANES(lanes));
#elif defined(INPUTS_2)
#define INPUT __global const stored *restrict x, __global const stored *restrict y, ulong origin_y
#define COMPUTE                                                                                   \
  const acc a = reduce_block(x, y, first, origin_y - origin, room, n IN_LANES(lanes));            \
  const part p = lift(a, b * BLOCK, n);
#elif defined(PIVOT)
#define INPUT __global const stored *restrict x
#define COMPUTE                                                                                   \
  const SCALAR pivot = pivot_of(pivot_block(x, first, 0, room, n IN_LANES(pivot_lanes)), n);      \
  const part p = lift(reduce_block(x, first, pivot, room, n IN_LANES(lanes)), pivot, n);
#else
#define INPUT __global const stored *restrict x
#define COMPUTE const part p = lift(reduce_block(x, first, room, n IN_LANES(lanes)), b * BLOCK, n);
#endif

/* Block b of its row: where it starts, how many elements it has, and how many can be read. */
#define LOCATE                                                                    \
  const ulong rest = length - b * BLOCK, first = origin + row * pitch + b * BLOCK; \
  const uint n = length == 0 ? 0 : rest < BLOCK ? (uint)rest : BLOCK;             \
  const uint room = end - first < 2 * BLOCK ? (uint)(end - first) : 2 * BLOCK;
#define STORE                                                                     \
  if (per_row == 1) out[out_origin + row] = PUT(finish(p, total));                \
  else left[block] = p;

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
