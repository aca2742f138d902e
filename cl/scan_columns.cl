/* scan_columns.cl: every prefix along an axis behind which others lie; see prefix.cl.
 *
 *   -D COLUMNS -D ACROSS=8   vectors of neighbouring lines that a work-item takes
 *
 * CPU walk: a work-item takes ACROSS * W neighbouring lines; GPU walk: one, neighbours neighbouring ones.
 *
 * `inner` lines lie side by side; `middle` times such, outside of those the rest. A line is cut into blocks where there
 * would be too little to do at once otherwise. Then there are three launches: scan_totals leaves every full block's
 * total in parts, scan_carries turns a line's totals into the prefixes before and behind its blocks, scan_apply does
 * the blocks. A line of one block needs the last alone.
 */
enum {
  CHUNK = 16,
  LEVELS = 13 /* of chunks in the longest block: 65536 elements */
};

#ifdef WALK_CPU
#define EACH_UNIT(units) for (ulong u = get_global_id(0) * share, stop = min(u + share, units); u < stop; u++)
#else
/* `share` is 1; a loop would have compilers prepare for divisions by what does not change in it. */
#define EACH_UNIT(units)             \
  const ulong u = get_global_id(0); \
  if (u < (units))
#endif

/* A unit is ACROSS * W lines (fewer at an end), or one block of them; a work-item does `share` in a row. `count`: sets
 * of `inner` lines. Strides: from one set to the next outside, in the middle, and from an element to the next. */
#define PLACES                                                                                              \
  const ulong n_, const ulong block_, const ulong count_, const ulong inner_, const ulong middle_,          \
      const ulong4 x_strides_, const ulong4 out_strides_
#define FOR_UNITS(blocks)                                                                                   \
  const ulong4 x_strides = x_strides_, out_strides = out_strides_;                                          \
  const ulong n = n_, block = block_, count = count_, inner = inner_, middle = middle_, share = share_;     \
  const ulong width = (inner + ACROSS * W - 1) / (ACROSS * W), full = n / block, per_line = blocks;         \
  EACH_UNIT(count * width * per_line) {                                                                     \
    const ulong b = u / width % per_line, set = u / width / per_line, i_across = u % width, c = i_across * ACROSS * W;
#define END_UNITS }
/* A unit's first element; where its parts are: before and behind each full block, and before one that is not. */
#define AT(first, strides) \
  ((first) + set / middle * (strides).s0 + set % middle * (strides).s1 + c + b * block * (strides).s2)
#define SLOT(b) (((set * (full + 1) + (b)) * width + i_across) * ACROSS)
/* Lines of the unit's v-th vector. */
#define LANES(v) ((uint)min(inner - min(inner, c + (v)*W), (ulong)W))

static acc get(__global const stored_x *x, ulong at, uint lanes) {
#if W > 1
  if (lanes < W) return enter(CAT(CAT(load_, X_T), _part)(x, at, lanes));
#endif
  return enter(LOAD(x, at));
}

static void put(real a, __global stored_out *out, ulong at, uint lanes) {
#if W > 1
  if (lanes < W) {
    CAT(CAT(store_, OUT_T), _part)(a, out, at, lanes);
    return;
  }
#endif
  STORE(a, out, at);
}

/* The first m of sixteen elements of a vector's lines, `jump` apart, as sums on the way up. Behind them it is the last
 * one again, on which nothing in front of it depends. */
static void chunk_up(__global const stored_x *x, ulong at, ulong jump, uint m, uint lanes, acc *a) {
  const ulong last = at + (m - 1) * jump;
#pragma unroll
  for (uint k = 0; k < CHUNK; k++) {
    a[k] = get(x, at, lanes);
    at = min(at + jump, last);
  }
  up16(a);
}

/* The way down, from the prefixes before and behind them. The prefix at an element is the one before the next. */
static void chunk_down(__global stored_out *out, ulong at, ulong jump, uint m, uint lanes, uint exclusive, acc before,
                       acc behind, acc *a) {
  down16(a, before);
#pragma unroll
  for (uint k = 0; k < CHUNK; k++) {
    if (k < m) put(leave(exclusive ? a[k] : k + 1 < CHUNK ? a[(k + 1) % CHUNK] : behind), out, at, lanes);
    at += jump;
  }
}

/* The GPU walk's have as many levels as the host has found to be needed. */
#ifdef WALK_CPU
#define GROUP __attribute__((reqd_work_group_size(1, 1, 1)))
#define LOCAL_TREES
#define TREES(across, levels) acc trees[across][levels];
#define TREES_OF(v) trees[v]
#else
#define GROUP
#define LOCAL_TREES , __local acc *trees
#define TREES(across, levels)
#define TREES_OF(v) (trees + get_local_id(0))
#endif
#if defined(REAL_F64) || defined(REAL_I64)
#define APPLY_GROUP GROUP SIXTEEN_A_THREAD
#else
#define APPLY_GROUP GROUP
#endif

__kernel GROUP void scan_totals(__global const stored_x *x, const ulong x_first, PLACES, const ulong share_,
                                __global acc *restrict parts LOCAL_TREES) {
  const ulong jump = x_strides_.s2;
  FOR_UNITS(full)
    TREES(ACROSS, LEVELS)
    acc a[CHUNK];
    const ulong from = AT(x_first, x_strides);
    for (ulong i = 0; i < block; i += CHUNK)
      for (uint v = 0; v < ACROSS && LANES(v); v++) {
        chunk_up(x, from + i * jump + v * W, jump, CHUNK, LANES(v), a);
        merge(TREES_OF(v), 0, i / CHUNK, &a[CHUNK - 1]);
        if (i + CHUNK == block) parts[SLOT(b) + v] = a[CHUNK - 1];
      }
  END_UNITS
}

__kernel GROUP void scan_carries(PLACES, const ulong share_, __global acc *restrict parts LOCAL_TREES) {
  FOR_UNITS(1)
    TREES(1, 64)
    for (uint v = 0; v < ACROSS && LANES(v); v++) {
      acc carry = (acc)nothing();
      for (ulong i = 0; i < full; i++) {
        const acc total = parts[SLOT(i) + v];
        parts[SLOT(i) + v] = carry;
        carry = push(TREES_OF(0), 0, i, total, (acc)nothing());
      }
      parts[SLOT(full) + v] = carry;
    }
  END_UNITS
}

__kernel APPLY_GROUP void scan_apply(__global const stored_x *x, const ulong x_first, PLACES, const ulong share_,
                                     __global const acc *restrict parts, __global stored_out *out,
                                     const ulong out_first, const uint exclusive_, const SCALAR empty_ LOCAL_TREES) {
  const ulong jump = x_strides_.s2, out_jump = out_strides_.s2;
  const uint exclusive = exclusive_;
  const SCALAR empty = EMPTY(empty_);
  FOR_UNITS((n + block - 1) / block)
    TREES(ACROSS, LEVELS)
    acc first[ACROSS], before[ACROSS], a[CHUNK];
    const ulong from = AT(x_first, x_strides), to = AT(out_first, out_strides);
    const uint length = (uint)min(n - b * block, block);
    const uint alone = per_line == 1;
    for (uint v = 0; v < ACROSS && LANES(v); v++) first[v] = before[v] = alone ? (acc)nothing() : parts[SLOT(b) + v];
    for (uint i = 0; i < length; i += CHUNK)
      for (uint v = 0; v < ACROSS && LANES(v); v++) {
        const uint m = min(length - i, (uint)CHUNK);
        chunk_up(x, from + i * jump + v * W, jump, m, LANES(v), a);
        acc behind = push(TREES_OF(v), 0, i / CHUNK, a[CHUNK - 1], first[v]);
        if (!alone && m == CHUNK && i + CHUNK == block) behind = parts[SLOT(b + 1) + v];
        chunk_down(out, to + i * out_jump + v * W, out_jump, m, LANES(v), exclusive, before[v], behind, a);
        before[v] = behind;
      }
    for (uint v = 0; v < ACROSS && LANES(v) && exclusive && b == 0; v++) put((real)empty, out, to + v * W, LANES(v));
  END_UNITS
}
