/* reduce.cl: rows of elements to one result a row, block by block, in the order that include/cliv/reduce.h defines.
 *
 *   -D X_T=f32 -D OUT_T=f32   storage of input and result
 *   -D PIVOT                  the kind makes two passes over a block
 *   -D PARTS_ONLY             a row's part goes to left too, and nothing to out
 *   -D SECOND -D SINGLE       a later stage: the input is the parts of the stage before
 *   -D COLUMNS -D SLOTS=8 -D ACROSS=4
 *                             what is reduced is not neighbours: element j of a row lies j * jump elements on
 *   -D SHORT=v                CPU walk: rows of at most v vectors, v a power of two, of which W are done at once
 *   -D SEGMENTS               rows of different lengths: a table says where each block is, and whose
 *
 * A row has `columns` elements and blocks_per_row blocks. When that is 1, the result goes to out; else each block's
 * part to parts. CPU walk: a work-item does a run of `share` blocks, row by row in vectors of W lanes, so that memory
 * is read in order; of COLUMNS, W neighbouring rows at once, one in each lane of a vector. GPU walk: a work-group of
 * any size does a block, or several blocks of no more than `share` lanes, a power of two: short rows. Of COLUMNS it
 * does SLOTS neighbouring rows, and neighbouring work-items read neighbouring elements.
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

/* first: the block's first element; room: how many elements there are to be read from it on, also past its row. Of
 * COLUMNS, live: how many of W rows there are; end: where the input ends. */
#ifdef SECOND
#define SOURCE __global const part *parts, ulong first
#define FROM parts, first
static part at(SOURCE, uint i) { return parts[first + i]; }
#else
typedef CAT(X_T, _t) stored;
#define LOAD CAT(load_, X_T)
#define LOAD_PART CAT(CAT(load_, X_T), _part)
#ifdef COLUMNS
/* Element i / ACROSS of the rows that vector i % ACROSS holds. */
#define POSITION ulong first, ulong jump, ulong end, uint live
#define HERE first, jump, end, live
#ifndef WALK_CPU
#define ACROSS 1
#endif
#define INDEX(i) (first + (ulong)((i) / ACROSS) * jump + (i) % ACROSS * W)
#define PLACES(i) ((ireal)(int)((i) / ACROSS))
#if W == 1
#define READ(p, away, i) LOAD(p, INDEX(i) + away)
#else
#define LIVE(i) (live > (i) % ACROSS * W ? min(live - (i) % ACROSS * W, (uint)W) : 0)
#define READ(p, away, i) \
  (INDEX(i) + W <= end ? LOAD(p, INDEX(i) + away) : LOAD_PART(p, INDEX(i) + away, LIVE(i)))
#endif
#else
#define POSITION ulong first, uint room
#define HERE first, room
#define PLACES(i) (LANE_IDS + (ireal)(int)(i))
#define READ(p, away, i) LOAD(p, first + away + (i))
/* The first k < W elements from i on, then whatever. */
#define READ_SOME(p, away, i) \
  (room - (i) >= W ? LOAD(p, first + away + (i)) : LOAD_PART(p, first + away + (i), k))
#endif

#ifdef INPUTS_2
#define SOURCE __global const stored *x, __global const stored *y, ulong apart, POSITION
#define FROM x, y, apart, HERE
#define ELEMENT(READ, i) element(READ(x, 0, i), READ(y, apart, i), PLACES(i))
#elif defined(PIVOT)
#define SOURCE __global const stored *x, real pivot, POSITION
#define FROM x, pivot, HERE
#define ELEMENT(READ, i) element(READ(x, 0, i), pivot)
static pivot_acc pivot_at(SOURCE, uint i) { return pivot_element(READ(x, 0, i)); }
#if defined(READ_SOME) && W > 1
static pivot_acc pivot_at_some(SOURCE, uint i, uint k) { return pivot_element(READ_SOME(x, 0, i)); }
#endif
#else
#define SOURCE __global const stored *x, POSITION
#define FROM x, HERE
#define ELEMENT(READ, i) element(READ(x, 0, i), PLACES(i))
#endif
static acc at(SOURCE, uint i) { return ELEMENT(READ, i); }
#if defined(READ_SOME) && W > 1
static acc at_some(SOURCE, uint i, uint k) { return ELEMENT(READ_SOME, i); }
#endif
#endif

/* ---- a block, joined: once for what is reduced, and once more for the pivot ---- */

#ifndef PARTS
#define PARTS FIELDS
#endif
#ifdef SECOND
DEFINE_BLOCK(reduce_block, acc, at, init, join, PARTS)
#else
#ifdef PIVOT
#ifdef COLUMNS
#define AHEAD(i)
#else
#define AHEAD(i) fetch_ahead(x + first + BLOCK + (i));
#endif
DEFINE_BLOCK_AGAIN(reduce_block, acc, at, init, join, FIELDS)
DEFINE_BLOCK(pivot_block, pivot_acc, pivot_at, pivot_init, pivot_join, PIVOT_FIELDS)
#else
DEFINE_BLOCK(reduce_block, acc, at, init, join, FIELDS)
#endif
#ifdef SHORT
DEFINE_SHORT(reduce_block, acc, at, init, join, FIELDS)
#ifdef PIVOT
DEFINE_SHORT(pivot_block, pivot_acc, pivot_at, pivot_init, pivot_join, PIVOT_FIELDS)
#endif
#endif
#endif

/* ---- the kernel ---- */

#ifdef SECOND
#define INPUT __global const part *restrict parts
#define BLOCK_OF parts, first
#elif defined(INPUTS_2)
#define INPUT __global const stored *restrict x, __global const stored *restrict y, ulong origin_y, ulong pitch_y
#define BLOCK_OF x, y, origin_y - origin + OUTER * (pitch_y - pitch), HERE
#elif defined(PIVOT)
#define INPUT __global const stored *restrict x
#define BLOCK_OF x, THE_PIVOT, HERE
#define PIVOT_BLOCK_OF x, (real)0, HERE
#else
#define INPUT __global const stored *restrict x
#define BLOCK_OF x, HERE
#endif
#ifdef WALK_CPU
#define IN_LANES(name)
#else
#define IN_LANES(name) , name + slot * spread, lane, step, spread
#endif

/* The result of a row goes to out; kinds with several results have their own way. */
#ifndef FINISH
#define RESULTS_ARGUMENTS
#define RESULTS_START
#define FINISH(row) out[out_origin + (row)] = PUT(finish(p, total));
#endif

/* Where a block is: its row; first; base, its place in the row; n, its elements; room. ALONE: whether it is its row's
 * only block. */
#define READABLE const uint room = end - first < 2 * BLOCK ? (uint)(end - first) : 2 * BLOCK;
#if defined(SEGMENTS)
typedef struct {
  ulong first;
  uint n, segment;
} entry;
#define GEOMETRY , __global const entry *restrict table, __global const ulong *restrict offsets
#define START const ulong reach = total_;
#define FIRST
#define LOCATE                                                                        \
  const entry e = table[block];                                                       \
  const ulong row = e.segment, first = origin + e.first, base = e.first - offsets[row]; \
  const ulong total = offsets[row + 1] - offsets[row];                                \
  const uint n = e.n;                                                                 \
  READABLE
#define ALONE (total <= reach)
#define PART(row) block
#define OUTER 0
#define NEXT
#elif defined(COLUMNS)
#define GEOMETRY , ulong jump_, ulong inner_, ulong width_
#define START \
  const ulong total = total_, jump = jump_, inner = inner_, width = width_, chunks = (inner + width - 1) / width;
#define FIRST
#define LOCATE                                                                                   \
  const ulong over = block / chunks, outer = over / per_row, base = (over - outer * per_row) * BLOCK; \
  const ulong column = (block - over * chunks) * width + slot, row = outer * inner + column;     \
  const ulong first = origin + outer * pitch + base * jump + column, rest = length - base;       \
  const uint live = column < inner ? (uint)min(inner - column, (ulong)(W * ACROSS)) : 0;         \
  const uint n = live == 0 || length == 0 ? 0 : rest < BLOCK ? (uint)rest : BLOCK;
#define ALONE (per_row == 1)
#define PART(row) (row) * per_row + base / BLOCK
#define OUTER outer
#define NEXT
#elif defined(SHORT)
/* W rows at once; k: which of them. */
#define GEOMETRY
#define START const ulong total = total_;
#define FIRST
#define LOCATE                                                     \
  const ulong row = block, base = 0;                               \
  const uint live = (uint)min(stop - block, (ulong)W), n = (uint)length;
#define LOCATE_ROW                               \
  const ulong first = origin + (row + k) * pitch; \
  READABLE
#define ALONE 1
#define PART(row) row
#define OUTER (row + k)
#define NEXT block += W - 1;
#else
#define GEOMETRY
#define START const ulong total = total_;
#ifdef WALK_CPU
#define FIRST ulong row = begin / per_row, b = begin - row * per_row;
#else
#define FIRST const ulong row = per_row == 1 ? block : block / per_row, b = block - row * per_row;
#endif
#define LOCATE                                                                      \
  const ulong base = b * BLOCK, rest = length - base, first = origin + row * pitch + base; \
  const uint n = length == 0 ? 0 : rest < BLOCK ? (uint)rest : BLOCK;               \
  READABLE
#define ALONE (per_row == 1)
#define PART(row) block
#define OUTER row
#define NEXT \
  b++;       \
  if (b == per_row) row++, b = 0;
#endif
#ifdef PARTS_ONLY
#define STORE left[PART(row + k)] = p;
#else
#define STORE           \
  if (ALONE) {          \
    FINISH(row + k)     \
  } else                \
    left[PART(row + k)] = p;
#endif

/* A block's result; or in COLUMNS of the CPU walk those of the rows in ACROSS vectors, or of SHORT rows those in one: a
 * body with k, which of them, brought down to the first lane. */
#if (defined(COLUMNS) && W > 1) || defined(SHORT)
#ifdef SHORT
#define ACROSS_ 1
#else
#define ACROSS_ ACROSS
#endif
#define RESULTS W
#if W == 16
#define ROTATE(type, stored, name) a.name = a.name.s123456789abcdef0;
#else
#define ROTATE(type, stored, name) a.name = a.name.s12345670;
#endif
#define EACH_RESULT(acc, joined, FIELDS, body)     \
  for (uint q = 0, k = 0; q < ACROSS_; q++) {      \
    acc a = joined[q];                             \
    for (uint lane = 0; lane < W && k < live; lane++, k++) { \
      body                                         \
      FIELDS(ROTATE)                               \
    }                                              \
  }
#else
#define ACROSS_ 1
#define RESULTS 1
#define EACH_RESULT(acc, joined, FIELDS, body) \
  {                                            \
    const acc a = joined[0];                   \
    const uint k = 0;                          \
    body                                       \
  }
#endif

/* Leaves a block's lanes, joined, in `to`. */
#ifdef SHORT
#define REDUCE_LANES(block_of_one, init, type, ARGUMENTS, to)                                                 \
  {                                                                                                          \
    type rows[W];                                                                                            \
    EACH_SHORT(n, LOCATE_ROW block_of_one##_full(ARGUMENTS, &rows[k]);,                                      \
               LOCATE_ROW block_of_one##_short(ARGUMENTS, n, &rows[k]);, rows[k] = init();)                  \
    block_of_one##_beside(rows, to);                                                                         \
  }
#define THE_PIVOT (real)pivots[k]
#else
#define REDUCE_LANES(block_of_one, init, type, ARGUMENTS, to) block_of_one(ARGUMENTS, n, to IN_LANES(init##_lanes));
#if defined(COLUMNS) && W > 1
#define THE_PIVOT CAT(vload, W)(0, pivots)
#else
#define THE_PIVOT (real)pivots[0]
#endif
#endif

#ifdef SECOND
#define REDUCE  \
  part sums[1]; \
  REDUCE_LANES(reduce_block, init, part, BLOCK_OF, sums)
#define PUT_AWAY EACH_RESULT(part, sums, FIELDS, const part p = a; STORE)
#elif defined(PIVOT)
#define REDUCE                                                                         \
  SCALAR pivots[RESULTS], pivot_sums[RESULTS];                                         \
  {                                                                                    \
    pivot_acc sums[ACROSS_];                                                           \
    REDUCE_LANES(pivot_block, pivot_init, pivot_acc, PIVOT_BLOCK_OF, sums)             \
    EACH_PIVOT                                                                         \
  }                                                                                    \
  acc sums[ACROSS_];                                                                   \
  REDUCE_LANES(reduce_block, init, acc, BLOCK_OF, sums)
#if defined(SHORT) && defined(FINISH_LANES)
/* All rows' at once, where a result costs more than its store. */
#define EACH_PIVOT CAT(vstore, W)(pivot_value(sums[0], n), 0, pivots);
#define PUT_AWAY \
  CAT(CAT(store_, OUT_T), _part)(FINISH_LANES(sums[0], CAT(vload, W)(0, pivots), n), out, out_origin + row, live);
#else
#define EACH_PIVOT \
  EACH_RESULT(pivot_acc, sums, PIVOT_FIELDS, pivots[k] = pivot_of(a, n); pivot_sums[k] = LANE0(a.v);)
#define PUT_AWAY EACH_RESULT(acc, sums, FIELDS, const part p = lift(a, pivots[k], pivot_sums[k], n); STORE)
#endif
#else
#define REDUCE         \
  acc sums[ACROSS_];   \
  REDUCE_LANES(reduce_block, init, acc, BLOCK_OF, sums)
#define PUT_AWAY EACH_RESULT(acc, sums, FIELDS, const part p = lift(a, base, n); STORE)
#endif

#if defined(KIND_stats) && !(defined(SECOND) && defined(REAL_F64))
#define AT_ONCE SIXTEEN_A_THREAD
#else
#define AT_ONCE
#endif

/* origin, end: the first element of the input, and where it ends; pitch: elements from row to row; total: elements a
 * row had in the first stage, or of SEGMENTS how many one may have had to be done in this one. pitch_y goes with
 * pitch. */
__kernel AT_ONCE void reduce(INPUT, ulong origin_, ulong end_, ulong columns, ulong pitch_, ulong blocks_per_row,
                             ulong blocks_, ulong share_, ulong total_, __global part *restrict left,
                             __global CAT(OUT_T, _t) *restrict out, ulong out_origin_ RESULTS_ARGUMENTS GEOMETRY) {
  /* Some drivers read arguments wrongly under control flow. */
  const ulong origin = origin_, end = end_, length = columns, pitch = pitch_, per_row = blocks_per_row;
  const ulong blocks = blocks_, share = share_, out_origin = out_origin_;
  START
  RESULTS_START
#ifdef WALK_CPU
  const uint slot = 0;
  const ulong begin = get_global_id(0) * share, stop = min(begin + share, blocks);
  FIRST
  for (ulong block = begin; block < stop; block++) {
    LOCATE
    REDUCE
    PUT_AWAY
    NEXT
  }
#else
  const uint spread = (uint)share, size = (uint)get_local_size(0), id = (uint)get_local_id(0);
#ifdef COLUMNS
  __local acc init_lanes[LANES * SLOTS];
#ifdef PIVOT
  __local pivot_acc pivot_init_lanes[LANES * SLOTS];
#endif
  /* A row of each of `width` slots, all lanes of a row together in local memory. */
  const uint at_once = (uint)width, slot = id % at_once, lane = id / at_once, step = size / at_once;
  const ulong block = get_group_id(0);
  LOCATE
  REDUCE
  if (lane == 0 && live) {
    PUT_AWAY
  }
#else
  __local acc init_lanes[LANES];
#if defined(PIVOT) && !defined(SECOND)
  __local pivot_acc pivot_init_lanes[LANES];
#endif
  const uint step = min(spread, size), at_once = min(size, (uint)LANES) / step;
  const uint busy = id < at_once * step, slot = busy ? id / step : 0, lane = busy ? id - slot * step : spread;
  const ulong wanted = get_group_id(0) * at_once + slot, block = min(wanted, blocks - 1);
  FIRST
  LOCATE
  REDUCE
  if (lane == 0 && wanted < blocks) {
    PUT_AWAY
  }
#endif
#endif
}
