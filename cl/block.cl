/* block.cl: a block of up to 4096 elements, joined in the order that include/cliv/reduce.h defines: 256 lanes of 16
 * rows.
 *
 * In front of it: kinds of reduce_ops.cl. DEFINE_BLOCK then makes a function of what a shell reads and how elements
 * are joined:
 *   acc             type of what a lane carries, with init() and join(a, b); FIELDS: its fields
 *   at(FROM, i)     elements i … i + W - 1 as an acc; at_some(FROM, i, k) the first k < W of them, then whatever
 *   SOURCE, FROM    the shell's parameters that these two need, and their names
 *
 *   -D COLUMNS -D ACROSS=4   a vector holds neighbouring rows instead: at(FROM, i) is element i / ACROSS of W rows, the
 *                            vector i % ACROSS of those side by side
 *
 * CPU walk, for one work-item:
 *   name(SOURCE, uint n, acc *a)         n elements, joined: the result is in the first lane; of COLUMNS there are
 *                                        ACROSS results, in all lanes. DEFINE_BLOCK_AGAIN: of a block in the cache
 * and by DEFINE_SHORT with -D SHORT=v, for rows of v vectors at most:
 *   name_short(SOURCE, uint n, acc *a)   n elements, joined to W lanes; those without elements hold init()
 *   name_beside(acc rows[W], acc *a)     W of these, each joined: the result of rows[r] is in lane r
 * GPU walk, for a group or a part of one, which all get the result:
 *   name(SOURCE, uint n, acc *a, __local acc *lanes, uint lane, uint step, uint share)
 * None returns a struct: what clang leaves behind when it inlines static functions that do, oclgrind cannot run, and
 * functions that are not static are not always inlined.
 */
enum { LANES = 256, BLOCK = 4096 };

#if W == 1
#define LANE_IDS 0
#elif W == 8
#define LANE_IDS ((ireal)(0, 1, 2, 3, 4, 5, 6, 7))
#else
#define LANE_IDS ((ireal)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#endif

#ifdef WALK_CPU
/* Elements of a row that a vector holds; vectors side by side, of other rows; vectors in all that hold a row of
 * lanes. */
#ifdef COLUMNS
#define ALONG 1
#else
#define ALONG W
#define ACROSS 1
#endif
enum { VECTORS = LANES / ALONG * ACROSS };

/* Lanes from k on hold the identity instead. */
#define KEEP(type, stored, name) m.name = choose(LANE_IDS < (ireal)(int)k, m.name, none.name);
#if W == 16
#define DOWN_8(type, stored, name) b.name = b.name.s89abcdef89abcdef;
#define DOWN_4(type, stored, name) b.name = b.name.s4567456745674567;
#define DOWN_2(type, stored, name) b.name = b.name.s2323232323232323;
#define DOWN_1(type, stored, name) b.name = b.name.s1111111111111111;
/* From lanes of row p and of row q: those that are joined with the lanes 8, 4, … further on, and these. */
#define LOW_8(type, stored, name) low.name = (type)(p.name.s01234567, q.name.s01234567);
#define HIGH_8(type, stored, name) high.name = (type)(p.name.s89abcdef, q.name.s89abcdef);
#define LOW_4(type, stored, name) low.name = (type)(p.name.s012389ab, q.name.s012389ab);
#define HIGH_4(type, stored, name) high.name = (type)(p.name.s4567cdef, q.name.s4567cdef);
#define LOW_2(type, stored, name) low.name = (type)(p.name.s014589cd, q.name.s014589cd);
#define HIGH_2(type, stored, name) high.name = (type)(p.name.s2367abef, q.name.s2367abef);
#define LOW_1(type, stored, name) low.name = (type)(p.name.s02468ace, q.name.s02468ace);
#define HIGH_1(type, stored, name) high.name = (type)(p.name.s13579bdf, q.name.s13579bdf);
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
#if ALONG == 16
#define HALVES(join, FIELDS) \
  HALVE(join, FIELDS, 8) HALVE(join, FIELDS, 4) HALVE(join, FIELDS, 2) HALVE(join, FIELDS, 1)
#elif ALONG == 8
#define HALVES(join, FIELDS) HALVE(join, FIELDS, 4) HALVE(join, FIELDS, 2) HALVE(join, FIELDS, 1)
#else
#define HALVES(join, FIELDS)
#endif
#if ALONG == 1
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

/* Rows of up to SHORT vectors, a power of two: each row's lanes, and what makes W of these one. */
#ifdef SHORT
#define UNROLL _Pragma("unroll")
#define PAIR(type, join, FIELDS, s)           \
  UNROLL for (uint i = 0; i < s; i++) {       \
    const type p = rows[2 * i], q = rows[2 * i + 1]; \
    FIELDS(LOW_##s)                           \
    FIELDS(HIGH_##s)                          \
    rows[i] = join(low, high);                \
  }
#define DEFINE_SHORT(name, type, at, init, join, FIELDS)                                                     \
  static void name##_full(SOURCE, type *result) {                                                            \
    type lanes[SHORT];                                                                                       \
    UNROLL for (uint v = 0; v < SHORT; v++) lanes[v] = at(FROM, v * W);                                      \
    UNROLL for (uint s = SHORT / 2; s; s >>= 1)                                                              \
      UNROLL for (uint v = 0; v < s; v++) lanes[v] = join(lanes[v], lanes[v + s]);                           \
    *result = lanes[0];                                                                                      \
  }                                                                                                          \
  static void name##_short(SOURCE, uint n, type *result) {                                                   \
    type lanes[SHORT];                                                                                       \
    const type none = init();                                                                                \
    for (uint v = 0; v < SHORT; v++) {                                                                       \
      const uint k = v * W < n ? n - v * W : 0;                                                              \
      type m = none;                                                                                         \
      if (k >= W) m = at(FROM, v * W);                                                                       \
      else if (k) {                                                                                          \
        m = CAT(at, _some)(FROM, v * W, k);                                                                  \
        FIELDS(KEEP)                                                                                         \
      }                                                                                                      \
      lanes[v] = m;                                                                                          \
    }                                                                                                        \
    UNROLL for (uint s = SHORT / 2; s; s >>= 1)                                                              \
      UNROLL for (uint v = 0; v < s; v++) lanes[v] = join(lanes[v], lanes[v + s]);                           \
    *result = lanes[0];                                                                                      \
  }                                                                                                          \
  static void name##_beside(type *rows, type *result) {                                                      \
    type low, high;                                                                                          \
    PAIRS(type, join, FIELDS)                                                                                \
    *result = rows[0];                                                                                       \
  }
/* Rows k of n elements, `live` of W: what is done with full ones, with others, and for those that there are not. */
#define EACH_SHORT(n, full, some, none)        \
  if (live == W && n == SHORT * W) {           \
    for (uint k = 0; k < W; k++) { full }      \
  } else {                                     \
    for (uint k = 0; k < live; k++) { some }   \
    for (uint k = live; k < W; k++) { none }   \
  }
#define PAIRS(type, join, FIELDS) \
  PAIR(type, join, FIELDS, 8) PAIR(type, join, FIELDS, 4) PAIR(type, join, FIELDS, 2) PAIR(type, join, FIELDS, 1)
#endif

/* Full rows, in the order of memory; or column by column, which leaves the lanes in registers, where the block is in
 * the cache: meanwhile AHEAD(i), what lies BLOCK elements on from its i, is on its way. */
#define IN_ROWS(acc, at, join)                                                                               \
  if (rows)                                                                                                  \
    for (uint v = 0; v < VECTORS; v++) lanes[v] = at(FROM, v * ALONG);                                       \
  for (uint r = 1; r < rows; r++)                                                                            \
    for (uint v = 0; v < VECTORS; v++) lanes[v] = join(lanes[v], at(FROM, (r * VECTORS + v) * ALONG)); \
  for (uint v = 0; v < whole; v++) {                                                                         \
    const acc m = at(FROM, (rows * VECTORS + v) * ALONG);                                                    \
    lanes[v] = rows ? join(lanes[v], m) : m;                                                                 \
  }
#define IN_COLUMNS(acc, at, join)                                                                            \
  for (uint v = 0; v < (rows ? VECTORS : whole); v++) {                                                      \
    const uint tall = rows + (v < whole ? 1 : 0);                                                            \
    AHEAD(v * rows * ALONG)                                                                                  \
    acc m = at(FROM, v * ALONG);                                                                             \
    for (uint r = 1; r < tall; r++) {                                                                        \
      AHEAD((v * rows + r) * ALONG)                                                                          \
      m = join(m, at(FROM, (r * VECTORS + v) * ALONG));                                                      \
    }                                                                                                        \
    lanes[v] = m;                                                                                            \
  }

/* Then the vectors of the last row, of which `whole` are full and one may have k elements. Lanes that have none are
 * left out of the joins, as the identity may be. */
#define DEFINE_ORDERED_BLOCK(name, acc, at, init, join, FIELDS, IN_ORDER)                                    \
  static void name(SOURCE, uint n, acc *result) {                                                            \
    acc lanes[VECTORS];                                                                                      \
    const uint rows = n / LANES, whole = n % LANES / ALONG * ACROSS, k = n % ALONG;                          \
    const uint used = rows ? VECTORS : whole + (k ? 1 : 0);                                                  \
    IN_ORDER(acc, at, join)                                                                                  \
    LAST_LANES(acc, at, init, join, FIELDS)                                                                  \
    if (n == 0)                                                                                              \
      for (uint v = 0; v < ACROSS; v++) lanes[v] = init();                                                   \
    for (uint s = VECTORS / 2; s >= ACROSS; s >>= 1)                                                         \
      for (uint v = 0; v < s && v + s < used; v++) lanes[v] = join(lanes[v], lanes[v + s]);                  \
    for (uint v = 1; v < ACROSS; v++) result[v] = lanes[v];                                                  \
    acc a = lanes[0], b;                                                                                     \
    HALVES(join, FIELDS)                                                                                     \
    (void)b;                                                                                                 \
    *result = a;                                                                                             \
  }
#define DEFINE_BLOCK(name, acc, at, init, join, FIELDS) DEFINE_ORDERED_BLOCK(name, acc, at, init, join, FIELDS, IN_ROWS)
#define DEFINE_BLOCK_AGAIN(name, acc, at, init, join, FIELDS) \
  DEFINE_ORDERED_BLOCK(name, acc, at, init, join, FIELDS, IN_COLUMNS)
#else

/* Field by field: Intel's compiler keeps structs that are copied as a whole in memory. */
#define FROM_LANE_0(type, stored, name) result->name = lanes[0].name;
/* This work-item's lanes are `lane`, lane + step, … below `share`; none when lane == share. */
#define DEFINE_BLOCK(name, acc, at, init, join, FIELDS)                                                      \
  static void name(SOURCE, uint n, acc *result, __local acc *lanes, uint lane, uint step, uint share) {      \
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
    FIELDS(FROM_LANE_0)                                                                                      \
  }
#define DEFINE_BLOCK_AGAIN DEFINE_BLOCK
#endif
