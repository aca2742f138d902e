/* optim_prepare.cl: the first launch of a rule whose step depends on sums over tensors, after optim.cl with -D PREPARE.
 *
 *   -D MEASURES=2   what RULE_prepare gives of each element, at most 4; their sums over a tensor go to RULE_decide
 *   -D CAUTIOUS     of a rule of one launch: whether its step, which is not taken, agrees with the gradient
 *
 * A chunk is a block of block.cl: 4096 elements of its tensor, or what is left of them. Its sums go to parts: those of
 * measure m and chunk k to parts[m * total + k]. From there on they are joined as those of reduce.cl are.
 */
#define EACH_0(X) X(real, float, m0)
#if MEASURES > 1
#define EACH_1(X) X(real, float, m1)
#else
#define EACH_1(X)
#endif
#if MEASURES > 2
#define EACH_2(X) X(real, float, m2)
#else
#define EACH_2(X)
#endif
#if MEASURES > 3
#define EACH_3(X) X(real, float, m3)
#else
#define EACH_3(X)
#endif
#define EACH_MEASURE(X) EACH_0(X) EACH_1(X) EACH_2(X) EACH_3(X)
#define MEASURE_FIELD(type, stored, name) type name;
typedef struct {
  EACH_MEASURE(MEASURE_FIELD)
} sums;

#define MEASURE_NONE(type, stored, name) a.name = (real)-0.0f;
static sums no_sums(void) {
  sums a;
  EACH_MEASURE(MEASURE_NONE)
  return a;
}
#define MEASURE_ADD(type, stored, name) a.name += b.name;
static sums add_sums(sums a, sums b) {
  EACH_MEASURE(MEASURE_ADD)
  return a;
}

/* The numbers of the units that the elements from i on are in; `left` of them. */
#ifdef UNITS
typedef struct {
  real shift, factor;
} own_units;
#if W == 1
static void find_units(__global const unit *units, pieces u, uint i, uint left, own_units *found) {
  const unit one = units[unit_at(u, i)];
  found->shift = one.shift;
  found->factor = one.factor;
}
#else
static void find_units(__global const unit *units, pieces u, uint i, uint left, own_units *found) {
  const uint first = unit_at(u, i), last = unit_at(u, i + min(left, (uint)W) - 1);
  found->shift = units[first].shift;
  found->factor = units[first].factor;
  if (first == last) return;
  float shift[W], factor[W];
  for (uint k = 0; k < W; k++) {
    const unit one = units[min(unit_at(u, i + k), last)];
    shift[k] = one.shift;
    factor[k] = one.factor;
  }
  found->shift = CAT(vload, W)(0, shift);
  found->factor = CAT(vload, W)(0, factor);
}
#endif
#define UNIT_SOURCE , __global const unit *restrict units, const pieces *parts_here
#define UNIT_FROM , units, parts_here
#define FIND_UNITS \
  own_units own;   \
  find_units(units, *parts_here, i, c.count - i, &own);
#define UNIT_PASS(k)              \
  const pieces parts_now = pieces_of[k]; \
  const pieces *parts_here = &parts_now;
#else
#define UNIT_SOURCE
#define UNIT_FROM
#define FIND_UNITS
#define UNIT_PASS(k)
#endif
#ifdef FACTORED
#define FACTOR_PASS(k)              \
  const lattice grid_now = lattices[k]; \
  const lattice *grid = &grid_now;
#else
#define FACTOR_PASS(k)
#endif

/* Without `restrict`: what clang leaves of it when it inlines, oclgrind cannot run. */
#define STATE_SOURCE(buffer, name, T) , __global CAT(T, _t) *buffer
#define SOURCE \
  const chunk *here, const row *line, const numbers *known, float bound, \
      __global const stored_parameter *p, \
      __global const stored_gradient *g EACH_STATE(STATE_SOURCE) WEIGHT_ARGUMENT UNIT_SOURCE FACTOR_SOURCE
#define FROM here, line, known, bound, p, g EACH_STATE(STATE_PASS) WEIGHT_PASS UNIT_FROM FACTOR_FROM

#ifdef CAUTIOUS
#define PREPARE_ELEMENT m[0] = count_agreeing(w, GRADIENT(x), &s, h.rule);
#else
#define PREPARE_ELEMENT CAT(RULE, _prepare)(w, GRADIENT(x), &s, h.rule, *known, m);
#endif

/* The elements AT the chunk's index i: read, prepare, write what the rule says it writes. */
#define FIRST_MEASURE(type, stored, name) a.name = m[at_##name];
enum { at_m0, at_m1, at_m2, at_m3 };
#define MEASURE                                                                     \
  {                                                                                 \
    const chunk c = *here;                                                          \
    const row h = *line;                                                            \
    WEIGHT_LOAD                                                                     \
    const real x = READ(G_T)(GRADIENTS);                                           \
    FIND_UNITS                                                                      \
    state s;                                                                        \
    EACH_STATE(STATE_LOAD)                                                          \
    FACTOR_LOAD(*grid, c.count - i)                                                 \
    real m[MEASURES];                                                               \
    PREPARE_ELEMENT                                                                 \
    EACH_STATE(STATE_STORE)                                                         \
    sums a;                                                                         \
    EACH_MEASURE(FIRST_MEASURE)                                                     \
    return a;                                                                       \
  }
#define READ(T) CAT(load_, T)
#define WRITE(T) CAT(store_, T)
#define AT(first) (size_t)((first) + i)
static sums measured(SOURCE, uint i) MEASURE
#undef READ
#undef WRITE
#undef AT
#if W > 1
#define READ(T) CAT(CAT(load_, T), _part)
#define WRITE(T) CAT(CAT(store_, T), _part)
#define AT(first) (size_t)((first) + i), k
static sums measured_some(SOURCE, uint i, uint k) MEASURE
#endif

DEFINE_BLOCK(prepare_block, sums, measured, no_sums, add_sums, EACH_MEASURE)

#ifdef WALK_CPU
#if W == 1
#define FIRST_LANE(v) (v)
#else
#define FIRST_LANE(v) (v).s0
#endif
#define MEASURE_STORE(type, stored, name) parts[at_##name * (size_t)total + k] = FIRST_LANE(a.name);
__kernel void optim_prepare(__global const stored_parameter *restrict p, __global const stored_gradient *restrict g
                            EACH_STATE(STATE_ARGUMENT) WEIGHT_ARGUMENT CONTROL_ARGUMENT FACTOR_ARGUMENT,
                            __global const numbers *restrict all_known, __global const chunk *restrict chunks,
                            __global const row *restrict rows, __global const uint *restrict runs, uint first,
                            uint count, __global float *restrict parts, uint total) {
  const size_t r = get_global_id(0);
  if (r >= count) return;
  STOP_OR_CONTROL
  const uint end = runs[first + r + 1];
  for (uint k = runs[first + r]; k < end; k++) {
    const chunk c = chunks[k];
    row h = rows[c.row];
    SCALE(h)
    const numbers n = all_known[c.row];
    UNIT_PASS(k)
    FACTOR_PASS(k)
    sums a;
    prepare_block(&c, &h, &n, bound, p, g EACH_STATE(STATE_PASS) WEIGHT_PASS UNIT_FROM FACTOR_FROM, c.count, &a);
    EACH_MEASURE(MEASURE_STORE)
  }
}
#else
/* Whole groups stop, or none of a group. */
#define MEASURE_STORE(type, stored, name) parts[at_##name * (size_t)total + k] = a.name;
__kernel void optim_prepare(__global const stored_parameter *restrict p, __global const stored_gradient *restrict g
                            EACH_STATE(STATE_ARGUMENT) WEIGHT_ARGUMENT CONTROL_ARGUMENT FACTOR_ARGUMENT,
                            __global const numbers *restrict all_known, __global const chunk *restrict chunks,
                            __global const row *restrict rows, uint first, uint count, __global float *restrict parts,
                            uint total) {
  __local sums lanes[LANES];
  if (get_group_id(0) >= count) return;
  STOP_OR_CONTROL
  const uint k = first + (uint)get_group_id(0), lane = (uint)get_local_id(0);
  const chunk c = chunks[k];
  row h = rows[c.row];
  SCALE(h)
  const numbers n = all_known[c.row];
  UNIT_PASS(k)
  FACTOR_PASS(k)
  sums a;
  prepare_block(&c, &h, &n, bound, p, g EACH_STATE(STATE_PASS) WEIGHT_PASS UNIT_FROM FACTOR_FROM, c.count, &a, lanes,
                lane, (uint)get_local_size(0), (uint)LANES);
  if (lane == 0) {
    EACH_MEASURE(MEASURE_STORE)
  }
}
#endif
