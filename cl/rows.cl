/* rows.cl: rows of elements to rows of as many: a row is folded to a few numbers, block by block as cl/block.cl
 * defines, then its elements are worked out from these.
 *
 *   -D OP=softmax -D KIND_exponent -D PARTS_ONLY   operation of rows_ops.cl, kind of reduce_ops.cl; -D PIVOT for kinds
 *   that have one
 *   -D X_T=f32               storage of all rows; mean and rstd, one number a row, are float
 *   -D INPUTS_2 -D WEIGHT -D BIAS   there is a second input; there are weights, a bias
 *   -D GIVEN                 mean and rstd are read, as far as the operation has them
 *   -D MEAN -D RSTD          they are written
 *   -D KEEPS                 what the fold makes of an element is its term too, and is kept (CPU walk)
 *   -D FOLD                  half the work: each block's part goes to `parts`
 *   -D APPLY                 the other half: parts has each row's
 *   -D SHORT=4               (CPU walk) rows of at most 4 vectors, or 1: W rows are joined at once
 *   (otherwise)              both halves, of rows of one block each
 *
 * CPU walk: a work-item does `share` blocks, or of SHORT rows. GPU walk: a work-group does a block, or several blocks
 * of no more than `share` lanes, a power of two.
 */
typedef CAT(X_T, _t) stored;
#define LOAD CAT(load_, X_T)
#define STORE CAT(store_, X_T)
#define OF(function) CAT(OP, function)
#if defined(KEEPS) && defined(WALK_CPU) && !defined(FOLD) && !defined(APPLY)
#define KEEPING
#endif
#ifdef GIVEN
#define STATISTIC __global const float
#else
#define STATISTIC __global float
#endif

/* ---- what a block reads ---- */

/* All that there is. Pitches are in elements; within: out is x or y, so that others write what is beside a row while it
 * is read. */
typedef struct {
  __global const stored *x, *y, *weight, *bias;
  STATISTIC *mean, *rstd;
  __global stored *out;
  ulong x_pitch, y_pitch, out_pitch, rows, columns;
  uint within;
  float eps;
} call;

/* A block of n elements; how many can be read from its first ones on, also past its row; what is known of the row. */
typedef struct {
  __global const stored *x, *y, *weight, *bias;
  __global stored *out;
  ulong room, room_weight;
  uint n;
  real pivot;
  row_scalars r;
  real *kept;
} source;
#define SOURCE source s
#define FROM s

static void locate(const call *c, ulong row, ulong base, source *s) {
  const ulong rest = c->columns - base;
  s->x = c->x + row * c->x_pitch + base;
  s->y = c->y + row * c->y_pitch + base;
  s->weight = c->weight + base;
  s->bias = c->bias + base;
  s->out = c->out + row * c->out_pitch + base;
  s->room = c->within ? rest : (c->rows - 1 - row) * min(c->x_pitch, c->y_pitch) + rest;
  s->room_weight = rest;
  s->n = rest < BLOCK ? (uint)rest : BLOCK;
#ifdef GIVEN
  s->r.rstd = (real)c->rstd[row];
#ifdef KIND_pair
  s->r.mean = (real)c->mean[row];
#endif
#endif
}

/* The first k elements from p[i] on, then whatever. */
static real some(__global const stored *p, ulong room, uint i, uint k) {
#if W > 1
  if (room - i < W) return CAT(LOAD, _part)(p, i, k < W ? k : W);
#endif
  return LOAD(p, i);
}
#define READ_X(i, k) some(s.x, s.room, i, k)
#ifdef INPUTS_2
#define LOAD_Y(i) LOAD(s.y, i)
#define READ_Y(i, k) some(s.y, s.room, i, k)
#else
#define LOAD_Y(i) (real)0.0f
#define READ_Y(i, k) LOAD_Y(i)
#endif
#ifdef WEIGHT
#define LOAD_WEIGHT(i) LOAD(s.weight, i)
#define READ_WEIGHT(i, k) some(s.weight, s.room_weight, i, k)
#else
#define LOAD_WEIGHT(i) (real)1.0f
#define READ_WEIGHT(i, k) LOAD_WEIGHT(i)
#endif
#ifdef BIAS
#define READ_BIAS(i, k) some(s.bias, s.room_weight, i, k)
#else
#define READ_BIAS(i, k) (real)(-0.0f)
#endif

/* ---- the first half: the row's part ---- */

#ifndef APPLY
#ifdef PIVOT
pivot_acc pivot_at_some(SOURCE, uint i, uint k) { return pivot_element(READ_X(i, k)); }
pivot_acc pivot_at(SOURCE, uint i) { return pivot_element(LOAD(s.x, i)); }
acc fold_element(SOURCE, real x, real y, real w) { return element(x, s.pivot); }
#else
typedef acc lifted;
lifted lift_lanes(acc a, real pivot, uint n) { return a; }
acc fold_element(SOURCE, real x, real y, real w) {
  acc a;
#ifdef KIND_pair
  a.u = OF(_first)(x, y, w, s.r);
#endif
  a.v = OF(_fold)(x, y, w, s.r);
  return a;
}
#endif
#ifdef KEEPING
#define KEEP_TERM(i, a) s.kept[(i) / W] = a.s;
#else
#define KEEP_TERM(i, a)
#endif
acc at_some(SOURCE, uint i, uint k) {
  const acc a = fold_element(s, READ_X(i, k), READ_Y(i, k), READ_WEIGHT(i, k));
  KEEP_TERM(i, a)
  return a;
}
acc at(SOURCE, uint i) {
  const acc a = fold_element(s, LOAD(s.x, i), LOAD_Y(i), LOAD_WEIGHT(i));
  KEEP_TERM(i, a)
  return a;
}

#ifdef SHORT
DEFINE_SHORT(fold, acc, at, init, join, FIELDS)
#ifdef PIVOT
DEFINE_SHORT(pivot, pivot_acc, pivot_at, pivot_init, pivot_join, PIVOT_FIELDS)
#endif
#elif defined(PIVOT)
#define AHEAD(i) fetch_ahead(s.x + BLOCK + (i));
DEFINE_BLOCK_AGAIN(fold, acc, at, init, join, FIELDS)
DEFINE_BLOCK(pivot, pivot_acc, pivot_at, pivot_init, pivot_join, PIVOT_FIELDS)
#else
DEFINE_BLOCK(fold, acc, at, init, join, FIELDS)
#endif
#endif

/* ---- the second half: the elements ---- */

#ifndef PARTS
#define PARTS FIELDS
#endif
#define PASS(type, stored, name) , a.name
/* What a row comes down to, from its part a and from what is given of it. */
#define SCALARS_OF(r) OF(_scalars)(&(r), (real)(SCALAR)c.columns, (real)c.eps PARTS(PASS))

/* One row's, or in lanes several rows': put(p, value). */
#ifdef MEAN
#define TELL_MEAN(put) put(c.mean, r.mean + r.low)
#else
#define TELL_MEAN(put)
#endif
#ifdef RSTD
#define TELL_RSTD(put) put(c.rstd, r.rstd)
#else
#define TELL_RSTD(put)
#endif

#ifdef KEEPING
#define TERM(i, k) s.kept[(i) / W]
#else
#define TERM(i, k) OF(_term)(READ_X(i, k), s.r)
#endif
#define RESULT_AT(i, k) OF(_apply)(TERM(i, k), READ_Y(i, k), READ_WEIGHT(i, k), READ_BIAS(i, k), s.r)

#ifdef WALK_CPU
static void work_out(SOURCE) {
  for (uint i = 0; i < s.n; i += W) {
    const uint k = s.n - i;
    const real result = RESULT_AT(i, k);
    if (k < W) CAT(STORE, _part)(result, s.out, i, k);
    else STORE(result, s.out, i);
  }
}
#else
static void work_out(SOURCE, uint lane, uint step) {
  for (uint i = lane; i < s.n; i += step) STORE(RESULT_AT(i, 1), s.out, i);
}
#endif

/* ---- both, of W short rows ---- */

#ifdef SHORT
#define EACH_ROW for (uint k = 0; k < live; k++)
#define ROW_K                   \
  source s;                     \
  locate(&c, first + k, 0, &s); \
  s.kept = kept + k * SHORT;    \
  s.pivot = (real)pivot_of[k];
#define PUT_LANES(p, value) store_f32_part(value, p, first, live);
#define TO_ARRAY(name) \
  SCALAR name##_of[W]; \
  CAT(vstore, W)(r.name, 0, name##_of);
#define FROM_ARRAY(name) s.r.name = (real)name##_of[k];

/* Rows first … first + live - 1. Lanes of rows that there are not are joined too, and left. */
static void do_rows(call c, ulong first, uint live) {
  real kept[W * SHORT], pivots = (real)0.0f;
  acc folds[W], joined;
  SCALAR pivot_of[W] = {0};
#ifdef PIVOT
  pivot_acc pivot_folds[W], pivot_joined;
  EACH_SHORT(c.columns, ROW_K pivot_full(s, &pivot_folds[k]);, ROW_K pivot_short(s, s.n, &pivot_folds[k]);,
             pivot_folds[k] = pivot_init();)
  pivot_beside(pivot_folds, &pivot_joined);
  pivots = pivot_value(pivot_joined, (uint)c.columns);
#endif
  CAT(vstore, W)(pivots, 0, pivot_of);
  EACH_SHORT(c.columns, ROW_K fold_full(s, &folds[k]);, ROW_K fold_short(s, s.n, &folds[k]);, folds[k] = init();)
  fold_beside(folds, &joined);

  const lifted a = lift_lanes(joined, pivots, (uint)c.columns);
  row_scalars r;
#ifdef GIVEN
  r.rstd = load_f32_part(c.rstd, first, live);
#ifdef KIND_pair
  r.mean = load_f32_part(c.mean, first, live);
#endif
#endif
  SCALARS_OF(r);
  TELL_MEAN(PUT_LANES)
  TELL_RSTD(PUT_LANES)
  SCALARS(TO_ARRAY)
  EACH_ROW {
    ROW_K
    SCALARS(FROM_ARRAY)
    work_out(s);
  }
}
#endif

/* ---- the kernel ---- */

#define TO_ALL_LANES(name) s.r.name = (real)LANE0(r.name);
#define PUT_ONE(p, value) (p)[row] = canonical_f32(LANE0(value));
#define FROM_PART(type, stored, name) a.name = (type)p.name;

__kernel void rows(__global const stored *x, ulong x_first, ulong x_pitch, __global const stored *y, ulong y_first,
                   ulong y_pitch, __global const stored *weight, ulong weight_first, __global const stored *bias,
                   ulong bias_first, STATISTIC *mean, ulong mean_first, STATISTIC *rstd, ulong rstd_first,
                   __global stored *out, ulong out_first, ulong out_pitch, __global part *parts, ulong count,
                   ulong columns, ulong blocks_per_row, ulong share_, uint within, float eps) {
  /* Some drivers read arguments wrongly under control flow. */
  const call c = {x + x_first,       y + y_first, weight + weight_first, bias + bias_first, mean + mean_first,
                  rstd + rstd_first, out + out_first, x_pitch,           y_pitch,           out_pitch,
                  count,             columns,     within,                eps};
  const ulong per_row = blocks_per_row, share = share_, blocks = count * per_row;
#ifdef SHORT
  const ulong begin = get_global_id(0) * share, stop = min(begin + share, blocks);
  for (ulong first = begin; first < stop; first += W) do_rows(c, first, (uint)min(stop - first, (ulong)W));
#else

#ifdef WALK_CPU
#define IN_LANES(name)
  const bool tells = true;
#ifdef KEEPING
  real kept[BLOCK / W];
#endif
  const ulong begin = get_global_id(0) * share, stop = min(begin + share, blocks);
  for (ulong block = begin; block < stop; block++) {
#else
#define IN_LANES(name) , name + slot * spread, lane, step, spread
#ifndef APPLY
  __local acc lanes[LANES];
#ifdef PIVOT
  __local pivot_acc pivot_lanes[LANES];
#endif
#endif
  {
    const uint spread = (uint)share, step = min(spread, (uint)get_local_size(0)), id = (uint)get_local_id(0);
    const uint at_once = min((uint)get_local_size(0), (uint)LANES) / step, busy = id < at_once * step;
    const uint slot = busy ? id / step : 0, lane = busy ? id - slot * step : spread;
    const ulong wanted = get_group_id(0) * at_once + slot, block = min(wanted, blocks - 1);
    const bool works = busy && wanted < blocks, tells = works && lane == 0;
#endif
    const ulong row = block / per_row, base = (block - row * per_row) * BLOCK;
    source s;
    locate(&c, row, base, &s);
#ifdef KEEPING
    s.kept = kept;
#endif

#ifdef APPLY
    const part p = parts[row];
    struct { PARTS(IN_LANE) } a;
    PARTS(FROM_PART)
#else
    s.pivot = (real)0.0f;
#ifdef PIVOT
    pivot_acc q;
    pivot(s, s.n, &q IN_LANES(pivot_lanes));
    s.pivot = (real)LANE0(pivot_value(q, s.n));
#endif
    acc joined;
    fold(s, s.n, &joined IN_LANES(lanes));
    const lifted a = lift_lanes(joined, s.pivot, s.n);
#endif

#ifdef FOLD
    part p;
    PARTS(LIFT_FIELD)
    if (tells) parts[block] = p;
#else
    row_scalars r = s.r;
    SCALARS_OF(r);
    SCALARS(TO_ALL_LANES)
    if (tells && base == 0) {
      TELL_MEAN(PUT_ONE)
      TELL_RSTD(PUT_ONE)
    }
#ifdef WALK_CPU
    work_out(s);
#else
    barrier(CLK_GLOBAL_MEM_FENCE);
    if (works) work_out(s, lane, step);
#endif
#endif
  }
#endif
}
