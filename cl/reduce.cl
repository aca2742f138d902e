/* reduce.cl: rows of elements to one result a row, block by block, in the order that include/cliv/reduce.h defines.
 *
 *   -D X_T=f32 -D OUT_T=f32   storage of input and result
 *   -D PIVOT                  the kind makes two passes over a block
 *   -D SECOND -D SINGLE       a later stage: the input is the parts of the stage before
 *
 * A row has `columns` elements and blocks_per_row blocks. When that is 1, the result goes to out; else each block's part to parts.
 * CPU walk: a work-item does a run of `run` blocks, each in vectors of W lanes. GPU walk: a work-group of any size does a block.
 */
enum { LANES = 256, BLOCK = 4096 };

#define PUT_f32(x) canonical_f32((float)(x))
#define PUT_f16(x) (ushort)float_to_half((float)(x))
#define PUT_bf16(x) (ushort)float_to_bfloat((float)(x))
#define PUT_f64(x) ((x) != (x) ? as_double(CANONICAL_NAN_BITS) : (x))
#define PUT_i32(x) (int)(x)
#define PUT_i64(x) (x)
#define PUT_u8(x) (uchar)(x)
#define PUT CAT(PUT_, OUT_T)

/* What a block reads from: `first` is its first element. */
#ifdef SECOND
#define SOURCE __global const part * parts, ulong first
#define FROM parts, first
part at(SOURCE, uint i) { return parts[first + i]; }
#else
typedef CAT(X_T, _t) stored;
#define LOAD CAT(load_, X_T)
#define LOAD_PART CAT(CAT(load_, X_T), _part)
#if W == 1
#define LANE_IDS 0
#elif W == 8
#define LANE_IDS ((ireal)(0, 1, 2, 3, 4, 5, 6, 7))
#else
#define LANE_IDS ((ireal)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#endif
#ifdef INPUTS_2
#define SOURCE __global const stored * x, ulong first, __global const stored * y, ulong first_y
#define FROM x, first, y, first_y
#define MAPPED(x_, y_) element(x_, y_, LANE_IDS + (ireal)(int)i)
acc at(SOURCE, uint i) { return MAPPED(LOAD(x, first + i), LOAD(y, first_y + i)); }
#if W > 1
acc at_part(SOURCE, uint i, uint k) { return MAPPED(LOAD_PART(x, first + i, k), LOAD_PART(y, first_y + i, k)); }
#endif
#elif defined(PIVOT)
#define SOURCE __global const stored * x, ulong first, SCALAR pivot
#define FROM x, first, pivot
acc at(SOURCE, uint i) { return element(LOAD(x, first + i), pivot); }
pivot_acc pivot_at(SOURCE, uint i) { return pivot_element(LOAD(x, first + i)); }
#if W > 1
acc at_part(SOURCE, uint i, uint k) { return element(LOAD_PART(x, first + i, k), pivot); }
pivot_acc pivot_at_part(SOURCE, uint i, uint k) { return pivot_element(LOAD_PART(x, first + i, k)); }
#endif
#else
#define SOURCE __global const stored * x, ulong first
#define FROM x, first
acc at(SOURCE, uint i) { return element(LOAD(x, first + i), LANE_IDS + (ireal)(int)i); }
#if W > 1
acc at_part(SOURCE, uint i, uint k) { return element(LOAD_PART(x, first + i, k), LANE_IDS + (ireal)(int)i); }
#endif
#endif
#endif

/* ---- a block's lanes, joined: `name` for what is reduced, and once more for the pivot ---- */

#ifdef WALK_CPU
enum { VECTORS = LANES / W };

/* Lanes from k on hold the identity instead. */
#define KEEP(type, stored, name) m.name = choose(LANE_IDS < (ireal)(int)k, m.name, none.name);
#define DOWN_8(type, stored, name) b.name = b.name.s89abcdef89abcdef;
#if W == 16
#define DOWN_4(type, stored, name) b.name = b.name.s4567456745674567;
#define DOWN_2(type, stored, name) b.name = b.name.s2323232323232323;
#define DOWN_1(type, stored, name) b.name = b.name.s1111111111111111;
#else
#define DOWN_4(type, stored, name) b.name = b.name.s45674567;
#define DOWN_2(type, stored, name) b.name = b.name.s23232323;
#define DOWN_1(type, stored, name) b.name = b.name.s11111111;
#endif
#define HALVE(join, FIELDS, DOWN) b = a; FIELDS(DOWN) a = join(a, b);

#if W == 16
#define HALVES(join, FIELDS) HALVE(join, FIELDS, DOWN_8) HALVE(join, FIELDS, DOWN_4) HALVE(join, FIELDS, DOWN_2) HALVE(join, FIELDS, DOWN_1)
#elif W == 8
#define HALVES(join, FIELDS) HALVE(join, FIELDS, DOWN_4) HALVE(join, FIELDS, DOWN_2) HALVE(join, FIELDS, DOWN_1)
#else
#define HALVES(join, FIELDS)
#endif
#if W == 1
#define SHORT_LANES(acc, at, init, join, FIELDS)
#else
#define SHORT_LANES(acc, at, init, join, FIELDS)     \
  if (i < n) {                                       \
    const uint k = n - i;                            \
    const acc none = init();                         \
    acc m = CAT(at, _part)(FROM, i, k);              \
    FIELDS(KEEP)                                     \
    a = join(a, m);                                  \
  }
#endif

#define DEFINE_BLOCK(name, acc, at, init, join, FIELDS)                                                    \
  acc name(SOURCE, uint n) {                                                                               \
    acc lanes[VECTORS];                                                                                    \
    if (n == BLOCK) {                                                                                      \
      for (uint v = 0; v < VECTORS; v++) {                                                                 \
        acc a = at(FROM, v * W);                                                                           \
        for (uint r = 1; r < BLOCK / LANES; r++) a = join(a, at(FROM, r * LANES + v * W));                 \
        lanes[v] = a;                                                                                      \
      }                                                                                                    \
      for (uint s = VECTORS / 2; s; s >>= 1)                                                               \
        for (uint v = 0; v < s; v++) lanes[v] = join(lanes[v], lanes[v + s]);                              \
    } else {                                                                                               \
      const uint used = min((n + W - 1) / W, (uint)VECTORS);                                               \
      lanes[0] = init();                                                                                   \
      for (uint v = 0; v < used; v++) {                                                                    \
        acc a = init();                                                                                    \
        uint i = v * W;                                                                                    \
        for (; i + W <= n; i += LANES) a = join(a, at(FROM, i));                                           \
        SHORT_LANES(acc, at, init, join, FIELDS)                                                           \
        lanes[v] = a;                                                                                      \
      }                                                                                                    \
      for (uint s = VECTORS / 2; s; s >>= 1)                                                               \
        for (uint v = 0; v + s < used && v < s; v++) lanes[v] = join(lanes[v], lanes[v + s]);              \
    }                                                                                                      \
    acc a = lanes[0], b;                                                                                   \
    HALVES(join, FIELDS)                                                                                   \
    (void)b;                                                                                               \
    return a;                                                                                              \
  }
#else

#define DEFINE_BLOCK(name, acc, at, init, join, FIELDS)                                                    \
  acc name(SOURCE, uint n, __local acc *lanes) {                                                           \
    const uint id = (uint)get_local_id(0), size = (uint)get_local_size(0);                                 \
    for (uint lane = id; lane < LANES; lane += size) {                                                     \
      acc a = init();                                                                                      \
      for (uint i = lane; i < n; i += LANES) a = join(a, at(FROM, i));                                     \
      lanes[lane] = a;                                                                                     \
    }                                                                                                      \
    barrier(CLK_LOCAL_MEM_FENCE);                                                                          \
    for (uint s = LANES / 2; s; s >>= 1) {                                                                 \
      for (uint lane = id; lane < s; lane += size) lanes[lane] = join(lanes[lane], lanes[lane + s]);       \
      barrier(CLK_LOCAL_MEM_FENCE);                                                                        \
    }                                                                                                      \
    return lanes[0];                                                                                       \
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

/* Block b of its row: where it starts and how many elements it has. */
#define LOCATE                                                                            \
  const ulong row = block / per_row, b = block - row * per_row;                           \
  const ulong rest = length - b * BLOCK;                                                  \
  const uint n = length == 0 ? 0 : rest < BLOCK ? (uint)rest : BLOCK;                     \
  const ulong first = origin + row * pitch + b * BLOCK;

#ifdef WALK_CPU
#define LOCAL_LANES(acc, name)
#define IN_LANES(name)
#define EACH_BLOCK                                                                        \
  const ulong begin = get_global_id(0) * run;                                             \
  const ulong end = min(begin + run, blocks);                                             \
  for (ulong block = begin; block < end; block++)
#define STORES 1
#else
#define LOCAL_LANES(acc, name) __local acc name[LANES];
#define IN_LANES(name) , name
#define EACH_BLOCK const ulong block = get_group_id(0); /* there are as many groups as blocks */
#define STORES (get_local_id(0) == 0)
#endif

#ifdef SECOND
#define INPUT __global const part *restrict parts
#define COMPUTE const part p = reduce_block(parts, first, n IN_LANES(lanes));
#elif defined(INPUTS_2)
#define INPUT __global const stored *restrict x, __global const stored *restrict y, ulong origin_y
#define COMPUTE                                                                             \
  const acc a = reduce_block(x, first, y, origin_y + (first - origin), n IN_LANES(lanes));  \
  const part p = lift(a, b * BLOCK, n);
#elif defined(PIVOT)
#define INPUT __global const stored *restrict x
#define COMPUTE                                                                             \
  const pivot_acc q = pivot_block(x, first, 0, n IN_LANES(pivot_lanes));                    \
  const SCALAR pivot = pivot_of(q, n);                                                      \
  const acc a = reduce_block(x, first, pivot, n IN_LANES(lanes));                           \
  const part p = lift(a, pivot, n);
#else
#define INPUT __global const stored *restrict x
#define COMPUTE                                                                             \
  const acc a = reduce_block(x, first, n IN_LANES(lanes));                                  \
  const part p = lift(a, b * BLOCK, n);
#endif

/* origin: the first element of the input; pitch: elements from row to row; total: elements a row had in the first stage. */
__kernel void reduce(INPUT, ulong origin, ulong columns, ulong pitch, ulong blocks_per_row, ulong blocks, ulong run,
                     ulong total, __global part *restrict left, __global CAT(OUT_T, _t) *restrict out, ulong out_origin) {
  LOCAL_LANES(acc, lanes)
#if defined(PIVOT) && !defined(SECOND)
  LOCAL_LANES(pivot_acc, pivot_lanes)
#endif
  const ulong length = columns, per_row = blocks_per_row; /* some drivers read arguments wrongly under control flow */
  EACH_BLOCK {
    LOCATE
    COMPUTE
    if (STORES) {
      if (per_row == 1) out[out_origin + row] = PUT(finish(p, total));
      else left[block] = p;
    }
  }
}
