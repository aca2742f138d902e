/* scan.cl: every prefix of rows or segments; see prefix.cl.
 *
 *   -D SEGMENTS               pieces between an array's offsets; otherwise rows of one length
 *   -D BLOCK=4096             elements that are done at once, a power of two: in the CPU walk 4096, in the GPU walk
 * what local memory holds
 *
 * A row is cut into blocks. Three launches: scan_totals leaves every full block's total in parts, scan_carries turns
 * a row's totals into the prefixes before and after its blocks, scan_apply does the blocks. A row of no more than one
 * block needs the last alone.
 *
 * CPU walk: a work-item does a run of blocks, 256 elements at a time as a network of vectors, what is left in 16s.
 * GPU walk: a work-group does a block in lanes of 16 neighbouring elements, by way of local memory; or several short
 * rows.
 */

/* ---- where blocks are ---- */

#ifdef SEGMENTS
#define PLACES __global const ulong *restrict offsets, const ulong segments_
#define KEEP_PLACES const ulong segments = segments_;
/* The last segment that begins at or before `place`; the first, if none does. */
static ulong segment_at(__global const ulong *offsets, ulong segments, ulong place) {
  ulong low = 0, high = segments;
  while (high - low > 1) {
    const ulong middle = (low + high) / 2;
    if (offsets[middle] <= place) low = middle;
    else high = middle;
  }
  return low;
}
/* The blocks that begin from `low` to before `high`: b-th of segment s, n elements from `first` on; parts at `slot`. */
#define FOR_BLOCKS(low, high)                                                                  \
  for (ulong s = segment_at(offsets, segments, low); s < segments && offsets[s] < high; s++)   \
    for (ulong start = offsets[s], end = offsets[s + 1],                                       \
               b = start < low ? (low - start + BLOCK - 1) / BLOCK : 0;                        \
         start + b * BLOCK < min(end, high); b++) {                                            \
      const ulong first = start + b * BLOCK, to = first, slot = start / BLOCK + 2 * s + b;     \
      const uint n = (uint)min(end - first, (ulong)BLOCK), alone = end - start <= BLOCK;
#define END_BLOCKS }
/* The segments of more than one block, from `low` to before `high`. */
#define FOR_ROWS(low, high, by)                                                  \
  for (ulong s = low, stop = min(high, segments); s < stop; s += by) {           \
    const ulong start = offsets[s], end = offsets[s + 1];                        \
    const ulong slot = start / BLOCK + 2 * s;                                    \
    const ulong blocks = (end - start + BLOCK - 1) / BLOCK;                      \
    if (blocks <= 1) continue;
#define END_ROWS }
#else
#define PLACES const ulong rows_, const ulong columns_, const ulong pitch_, const ulong out_pitch_, const ulong per_row_
#define KEEP_PLACES \
  const ulong rows = rows_, columns = columns_, pitch = pitch_, out_pitch = out_pitch_, per_row = per_row_;
#define LOCATE(block)                                                                                   \
  const ulong row = per_row == 1 ? (block) : (block) / per_row, b = (block)-row * per_row;              \
  const ulong first = row * pitch + b * BLOCK, to = row * out_pitch + b * BLOCK;                        \
  const ulong slot = row * (per_row + 1) + b;                                                           \
  const uint n = (uint)min(columns - b * BLOCK, (ulong)BLOCK), alone = per_row == 1;
#define FOR_BLOCKS(low, high)                                                                           \
  for (ulong block = low / BLOCK, stop = min(high / BLOCK, rows * per_row); block < stop; block++) {    \
    LOCATE(block)
#define END_BLOCKS }
#define FOR_ROWS(low, high, by)                                                  \
  for (ulong row = low, stop = min(high, rows); row < stop; row += by) {         \
    const ulong slot = row * (per_row + 1), blocks = per_row;
#define END_ROWS }
#endif

#ifdef WALK_CPU
/* ---- networks of vectors ---- */

enum { LANE_LEVELS = W == 16 ? 4 : 3, ROW = 256, CHUNK = 16 };

static acc evens(acc x, acc y) { acc r; r.lo = x.even; r.hi = y.even; return r; }
static acc odds(acc x, acc y) { acc r; r.lo = x.odd; r.hi = y.odd; return r; }
/* The inverse: evens and odds in turn, of their first halves and of their second. */
static acc zip_low(acc even, acc odd) { acc r; r.even = even.lo; r.odd = odd.lo; return r; }
static acc zip_high(acc even, acc odd) { acc r; r.even = even.hi; r.odd = odd.hi; return r; }
/* x without its first lane, y's first behind it. */
#if W == 16
static acc shifted(acc x, acc y) { acc r = x.s123456789abcdeff; r.sf = y.s0; return r; }
#else
static acc shifted(acc x, acc y) { acc r = x.s12345677; r.s7 = y.s0; return r; }
#endif

/* What is kept on the way up: the first of each pair, level by level; those of v vectors from v / 2 on. */
typedef struct {
  acc even[ROW / W], lane_even[LANE_LEVELS];
} halves;

/* v vectors (x and y the j-th two) to half as many, of pairs. */
#define UP_ONE(v, x, y)                            \
  h->even[(v) / 2 + j] = evens(x, y);              \
  a[j] = join(h->even[(v) / 2 + j], odds(x, y));
#define UP(v) \
  for (uint j = 0; j < (v) / 2; j++) { UP_ONE(v, a[2 * j], a[2 * j + 1]) }
/* Prefixes before pairs, v / 2 vectors, to prefixes before elements, v vectors. */
#define DOWN(v)                                       \
  for (uint j = (v) / 2; j-- > 0;) {                  \
    const acc odd = join(a[j], h->even[(v) / 2 + j]); \
    a[2 * j + 1] = zip_high(a[j], odd);               \
    a[2 * j] = zip_low(a[j], odd);                    \
  }
static acc1 up_lanes(acc a, halves *h) {
  for (uint k = 0; k < LANE_LEVELS; k++) {
    h->lane_even[k] = evens(a, a);
    a = join(h->lane_even[k], odds(a, a));
  }
  return a.s0;
}
static acc down_lanes(acc1 carry, const halves *h) {
  acc a = (acc)carry;
  for (uint k = LANE_LEVELS; k-- > 0;) a = zip_low(a, join(a, h->lane_even[k]));
  return a;
}

#if W == 16
#define ROW_UP UP(8) UP(4) UP(2)
#define ROW_DOWN DOWN(2) DOWN(4) DOWN(8)
#else
#define ROW_UP UP(16) UP(8) UP(4) UP(2)
#define ROW_DOWN DOWN(2) DOWN(4) DOWN(8) DOWN(16)
#endif

/* v vectors: name_up gives their total; name_down writes prefixes from the one before all and the one behind all. GET
 * and PUT: the j-th vector, of m elements in all. The prefix at an element is the one before the next. */
#define DEFINE_SPAN(name, v, UPS, DOWNS, GET, PUT)                                                                    \
  static acc1 CAT(name, _up)(__global const stored_x *x, ulong first, uint m, halves *h) {                           \
    acc a[(v) / 2];                                                                                                   \
    for (uint j = 0; j < (v) / 2; j++) {                                                                              \
      const acc p = GET(2 * j), q = GET(2 * j + 1);                                                                   \
      UP_ONE(v, p, q)                                                                                                 \
    }                                                                                                                 \
    UPS                                                                                                               \
    return up_lanes(a[0], h);                                                                                         \
  }                                                                                                                   \
  static void CAT(name, _down)(__global stored_out *out, ulong to, uint m, const halves *h, uint exclusive,          \
                               acc1 carry, acc1 next) {                                                               \
    acc a[(v) / 2 + 1];                                                                                               \
    a[0] = down_lanes(carry, h);                                                                                      \
    DOWNS                                                                                                             \
    a[(v) / 2] = (acc)next;                                                                                           \
    for (uint j = 0; j < (v) / 2; j++) {                                                                              \
      const acc odd = join(a[j], h->even[(v) / 2 + j]), even = exclusive ? a[j] : odd;                                \
      const acc then = exclusive ? odd : shifted(a[j], a[j + 1]);                                                     \
      PUT(2 * j, zip_low(even, then));                                                                                \
      PUT(2 * j + 1, zip_high(even, then));                                                                           \
    }                                                                                                                 \
  }

#define GET_FULL(j) enter(LOAD(x, first + (j)*W))
#define PUT_FULL(j, a) STORE(leave(a), out, to + (j)*W)
DEFINE_SPAN(row, ROW / W, ROW_UP, ROW_DOWN, GET_FULL, PUT_FULL)

/* The j-th W of m elements, of which any may be missing; what stands for those does not reach the others. */
static acc get_some(__global const stored_x *x, ulong first, uint j, uint m) {
  const uint at = j * W;
  if (m >= at + W) return enter(LOAD(x, first + at));
  return enter(CAT(CAT(load_, X_T), _part)(x, first + at, max(m, at) - at));
}
static void put_some(acc a, __global stored_out *out, ulong to, uint j, uint m) {
  const uint at = j * W;
  if (m >= at + W) STORE(leave(a), out, to + at);
  else if (m > at) CAT(CAT(store_, OUT_T), _part)(leave(a), out, to + at, m - at);
}
#define GET_SOME(j) get_some(x, first, j, m)
#define PUT_SOME(j, a) put_some(a, out, to, j, m)
#if W == 16
static acc1 chunk_up(__global const stored_x *x, ulong first, uint m, halves *h) { return up_lanes(GET_SOME(0), h); }
static void chunk_down(__global stored_out *out, ulong to, uint m, const halves *h, uint exclusive, acc1 carry,
                       acc1 next) {
  const acc a = down_lanes(carry, h);
  PUT_SOME(0, exclusive ? a : shifted(a, (acc)next));
}
#else
DEFINE_SPAN(chunk, CHUNK / W, , , GET_SOME, PUT_SOME)
#endif

/* ---- blocks ---- */

/* A full block's total: a tree over its rows, 256 / W vectors each, then over the 16 vectors that they leave. */
static acc1 block_total(__global const stored_x *x, ulong first) {
  acc rows[BLOCK / ROW], a[ROW / W / 2];
  halves unused, *h = &unused;
  for (uint r = 0; r < BLOCK / ROW; r++, first += ROW) {
    for (uint j = 0; j < ROW / W / 2; j++) {
      const acc p = GET_FULL(2 * j), q = GET_FULL(2 * j + 1);
      UP_ONE(ROW / W, p, q)
    }
    ROW_UP
    rows[r] = a[0];
  }
  for (uint j = 0; j < BLOCK / ROW / 2; j++) { UP_ONE(BLOCK / ROW, rows[2 * j], rows[2 * j + 1]) }
  UP(8) UP(4) UP(2)
  return up_lanes(a[0], h);
}

/* before_it, behind_it: prefixes before and behind the block; a block that is its row's only one finds the latter
 * itself. */
static void scan_block(__global const stored_x *x, ulong first, uint n, __global stored_out *out, ulong to,
                       uint exclusive, uint alone, acc1 before_it, acc1 behind_it) {
  enum { ROW_LEVEL = 4, LEVELS = 8 };
  acc1 trees[LEVELS + 1], carry = before_it;
  halves h;
  uint i = 0;
  for (; i + ROW <= n; i += ROW) {
    const acc1 total = row_up(x, first + i, ROW, &h);
    const acc1 sum = push(trees, ROW_LEVEL, i / CHUNK, total, before_it);
    const acc1 next = alone || i + ROW < BLOCK ? sum : behind_it;
    row_down(out, to + i, ROW, &h, exclusive, carry, next);
    carry = next;
  }
  for (; i < n; i += CHUNK) {
    const uint m = min(n - i, (uint)CHUNK);
    const acc1 total = chunk_up(x, first + i, m, &h), next = push(trees, 0, i / CHUNK, total, before_it);
    chunk_down(out, to + i, m, &h, exclusive, carry, next);
    carry = next;
  }
}

#define CPU_GROUP __attribute__((reqd_work_group_size(1, 1, 1)))

__kernel CPU_GROUP void scan_totals(__global const stored_x *x, const ulong x_first_, PLACES, const ulong share,
                                    __global acc1 *restrict parts) {
  const ulong x_first = x_first_, low = get_global_id(0) * share, high = low + share;
  KEEP_PLACES
  FOR_BLOCKS(low, high)
    if (!alone && n == BLOCK) parts[slot] = block_total(x, x_first + first);
  END_BLOCKS
}

__kernel CPU_GROUP void scan_carries(PLACES, const ulong share, __global acc1 *restrict parts) {
  KEEP_PLACES
  FOR_ROWS(get_global_id(0) * share, (get_global_id(0) + 1) * share, 1)
    acc1 trees[64], carry = nothing();
    for (ulong i = 0; i < blocks; i++) {
      const acc1 total = parts[slot + i];
      parts[slot + i] = carry;
      carry = push(trees, 0, i, total, nothing());
    }
    parts[slot + blocks] = carry;
  END_ROWS
}

__kernel CPU_GROUP void scan_apply(__global const stored_x *x, const ulong x_first_, PLACES, const ulong share,
                                   __global const acc1 *restrict parts, __global stored_out *out,
                                   const ulong out_first_, const uint exclusive_, const SCALAR empty_) {
  const ulong x_first = x_first_, out_first = out_first_, low = get_global_id(0) * share, high = low + share;
  const uint exclusive = exclusive_;
  const SCALAR empty = EMPTY(empty_);
  KEEP_PLACES
  FOR_BLOCKS(low, high)
    const acc1 before_it = alone ? nothing() : parts[slot], behind_it = alone ? before_it : parts[slot + 1];
    scan_block(x, x_first + first, n, out, out_first + to, exclusive, alone, before_it, behind_it);
    if (exclusive && b == 0) CAT(CAT(store_, OUT_T), _part)((real)empty, out, out_first + to, 1);
  END_BLOCKS
}
#else
/* ---- lanes of 16 neighbours, by way of local memory ---- */

enum {
  LANE = 16,
  LANES = BLOCK / LANE,
  PITCH = LANE + 1 /* so that neighbouring lanes are in different banks */
};
#define PLACE_OF(i) ((i) / LANE * PITCH + (i) % LANE)

/* Totals of `lanes` lanes, a power of two, to the prefixes before them, from the one before all; gives the total of
 * all. For every work-item of the group; this one's lanes are lane, lane + step, … below lanes. */
static acc1 prefixes(__local acc1 *t, uint lanes, uint lane, uint step, acc1 carry) {
  for (uint d = 1; d < lanes; d *= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint i = (lane + 1) * 2 * d - 1; i < lanes; i += step * 2 * d) t[i] = join(t[i - d], t[i]);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  const acc1 total = t[lanes - 1];
  barrier(CLK_LOCAL_MEM_FENCE);
  if (lane == 0) t[lanes - 1] = carry;
  for (uint d = lanes / 2; d; d /= 2) {
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint i = (lane + 1) * 2 * d - 1; i < lanes; i += step * 2 * d) {
      const acc1 left = t[i - d];
      t[i - d] = t[i];
      t[i] = join(t[i], left);
    }
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  return total;
}

/* A block of n elements into the tile, lane by lane as sums on the way up, and the lanes' totals into t. */
static void go_up(__global const stored_x *x, ulong first, uint n, __local acc1 *tile, __local acc1 *t, uint lanes,
                  uint lane, uint step) {
  for (uint k = lane; k < lanes * LANE; k += step) tile[PLACE_OF(k)] = k < n ? enter(LOAD(x, first + k)) : nothing();
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint l = lane; l < lanes; l += step) {
    acc1 a[LANE];
#pragma unroll
    for (uint k = 0; k < LANE; k++) a[k] = tile[l * PITCH + k];
    up16(a);
#pragma unroll
    for (uint k = 1; k < LANE; k += 2) tile[l * PITCH + k] = a[k];
    t[l] = a[LANE - 1];
  }
}

/* The way down, from t's prefixes before the lanes, and to out. The prefix at an element is the one before the next. */
static void go_down(__local acc1 *tile, __local const acc1 *t, uint n, __global stored_out *out, ulong to,
                    uint exclusive, uint head, SCALAR empty, uint lanes, uint lane, uint step) {
  for (uint l = lane; l < lanes; l += step) {
    acc1 a[LANE];
#pragma unroll
    for (uint k = 0; k < LANE; k++) a[k] = tile[l * PITCH + k];
    down16(a, t[l]);
    if (exclusive) tile[l * PITCH] = a[0];
    else tile[l * PITCH + LANE - 1] = t[l + 1];
#pragma unroll
    for (uint k = 1; k < LANE; k++) tile[l * PITCH + k - 1 + exclusive] = a[k];
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint k = lane; k < n; k += step) STORE(head && k == 0 ? empty : leave(tile[PLACE_OF(k)]), out, to + k);
  barrier(CLK_LOCAL_MEM_FENCE);
}

/* Segments: a group takes the blocks that begin within `share` elements, one after another. Rows: a block a group, or
 * several blocks of no more than `share` lanes. */
#ifdef SEGMENTS
#define DIVIDE                                                                                      \
  const uint lane = (uint)get_local_id(0), step = (uint)get_local_size(0), place = 0, wanted = 1;   \
  const ulong low = get_group_id(0) * share, high = low + share;                                    \
  FOR_BLOCKS(low, high)                                                                             \
    uint lanes = 1;                                                                                 \
    while (lanes * LANE < n) lanes *= 2;
#define END_DIVIDE END_BLOCKS
#else
#define DIVIDE                                                                                                \
  const uint lanes = (uint)share, step = min(lanes, (uint)get_local_size(0)), id = (uint)get_local_id(0);     \
  const uint at_once = max(min((uint)get_local_size(0) / step, LANES / lanes), 1u), busy = id < at_once * step; \
  const uint place = busy ? id / step : 0, lane = busy ? id - place * step : BLOCK; /* none */               \
  const ulong count = rows * per_row, number = get_group_id(0) * at_once + place;                             \
  const uint wanted = number < count;                                                                         \
  {                                                                                                           \
    LOCATE(min(number, count - 1))
#define END_DIVIDE }
#endif

__kernel void scan_totals(__global const stored_x *x, const ulong x_first_, PLACES, const ulong share_,
                          __global acc1 *restrict parts) {
  __local acc1 tile[LANES * PITCH], t[2 * LANES];
  const ulong x_first = x_first_, share = share_;
  KEEP_PLACES
  DIVIDE
    const uint used = wanted && !alone && n == BLOCK ? BLOCK : 0;
    go_up(x, x_first + first, used, tile + place * lanes * PITCH, t + place * (lanes + 1), lanes, lane, step);
    const acc1 total = prefixes(t + place * (lanes + 1), lanes, lane, step, nothing());
    if (lane == 0 && used) parts[slot] = total;
  END_DIVIDE
}

__kernel void scan_carries(PLACES, const ulong share_, __global acc1 *restrict parts) {
  __local acc1 t[LANES], trees[64], next;
  const uint lane = (uint)get_local_id(0), step = (uint)get_local_size(0);
  const ulong share = share_;
  KEEP_PLACES
  FOR_ROWS(get_group_id(0), share, get_num_groups(0))
    acc1 carry = nothing(), a[LANE];
    for (ulong i = 0; i <= blocks; i += BLOCK) {
      __global acc1 *const here = parts + slot + i;
      const uint rest = (uint)min(blocks - i, (ulong)BLOCK);
      for (uint l = lane; l < LANES; l += step) {
#pragma unroll
        for (uint k = 0; k < LANE; k++) a[k] = l * LANE + k < rest ? here[l * LANE + k] : nothing();
        up16(a);
        t[l] = a[LANE - 1];
      }
      const acc1 total = prefixes(t, LANES, lane, step, carry);
      for (uint l = lane; l < LANES; l += step) {
#pragma unroll
        for (uint k = 0; k < LANE; k++) a[k] = l * LANE + k < rest ? here[l * LANE + k] : nothing();
        up16(a);
        down16(a, t[l]);
#pragma unroll
        for (uint k = 0; k < LANE; k++)
          if (l * LANE + k <= rest) here[l * LANE + k] = a[k];
      }
      if (lane == 0) next = push(trees, 0, i / BLOCK, total, nothing());
      barrier(CLK_LOCAL_MEM_FENCE);
      carry = next;
    }
  END_ROWS
}

__kernel void scan_apply(__global const stored_x *x, const ulong x_first_, PLACES, const ulong share_,
                         __global const acc1 *restrict parts, __global stored_out *out, const ulong out_first_,
                         const uint exclusive_, const SCALAR empty_) {
  __local acc1 tile[LANES * PITCH], t[2 * LANES];
  const ulong x_first = x_first_, share = share_, out_first = out_first_;
  const uint exclusive = exclusive_;
  const SCALAR empty = EMPTY(empty_);
  KEEP_PLACES
  DIVIDE
    __local acc1 *const own = tile + place * lanes * PITCH, *const own_t = t + place * (lanes + 1);
    /* The prefixes behind a block and before it wait in local memory: they would be in the way of the way up. Blocks
     * that have them are as long as can be, so that there is room. */
    if (lane == 0 && !alone) own_t[lanes] = parts[slot + 1], own_t[lanes + 1] = parts[slot];
    go_up(x, x_first + first, wanted ? n : 0, own, own_t, lanes, lane, step);
    const acc1 total = prefixes(own_t, lanes, lane, step, alone ? nothing() : own_t[lanes + 1]);
    if (lane == 0 && alone) own_t[lanes] = total;
    barrier(CLK_LOCAL_MEM_FENCE);
    go_down(own, own_t, wanted ? n : 0, out, out_first + to, exclusive, exclusive && b == 0, empty, lanes, lane, step);
  END_DIVIDE
}
#endif
