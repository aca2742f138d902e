/* optim.cl: one step of an update rule over many tensors in one launch; after optim_row.cl.
 *
 *   -D RULE=adam             the rule, a function of optim_ops.cl
 *   -D P_T=f32 -D G_T=bf16   storage of parameters and of gradients
 *   -D CONTROLLED            gradients are scaled and clipped by what optim_control.cl left, or the step is not taken
 *   -D UNITS                 and each unit, a row or a tensor, by what optim_units.cl left
 *   -D PROX                  the rule's step is followed by the proximal step of an elastic net
 *   -D STATES=2 -D S0=exp_avg -D S1=exp_avg_sq -D WITH_exp_avg -D WITH_exp_avg_sq
 *                            the states that are kept, each in a buffer of its own at the same indices
 *   -D S0_T=bf16             storage of a state; otherwise f32
 *   -D CODED                 some states are 8-bit codes: optim_8bit.cl has the walks
 *   -D WEIGHTS_master        narrow parameters: the float32 that they are the rounding of is kept as well
 *   -D WEIGHTS_kahan         narrow parameters: what their rounding lost is kept as well, as narrow
 *   -D WEIGHTS_stochastic    narrow parameters: rounded up or down by chance, after philox.cl
 *   -D READS=m -D WRITES=m   bit k: state S<k> is read, written; bit 31: the gradient is read, the weight written;
 *                            without: all are
 *   -D FACTORED              the state's `factor` is an element's row's scale times its column's, from optim_scales.cl
 *   -D NUMBERED              the rule has a last argument, its tensor's RULE_numbers, which optim_decide.cl left
 *   -D PREPARE               no step: what optim_prepare.cl needs, which follows
 *   -D CAUTIOUS              with NUMBERED: elements of the step that disagree with the gradient are left out, others
 *                            multiplied by what optim_decide.cl left; with PREPARE: those that agree are counted
 *   -D P_ANYWHERE            parameters lie in shared virtual memory, each in its own: chunks have their addresses
 *   -D G_ANYWHERE            gradients do
 *
 * The tensors lie anywhere in the buffers p and g, or in many. They are cut into chunks of a few thousand elements; a
 * row holds the scalars of the chunk's parameter group for this step. Chunks are independent, so nothing depends on who
 * takes which.
 *
 * CPU walk: work-item r takes the chunks from runs[r] to runs[r + 1], which the host has made equally heavy, W elements
 * at a time. GPU walk: work-group k takes chunk first + k, its work-items neighbouring elements.
 */
typedef CAT(P_T, _t) stored_parameter;
typedef CAT(G_T, _t) stored_gradient;
typedef CAT(RULE, _state) state;

typedef struct {
  ulong p, g, s; /* first element in the parameters', the gradients' and the states' buffers; of p and g, or address */
  uint count, row;
} chunk;

/* An index from an argument's pointer would not do for memory that is another's: compilers may take it for 32 bits. */
#ifdef P_ANYWHERE
#define P_STEP sizeof(stored_parameter)
#define PARAMETER (__global stored_parameter *)(size_t)c.p, AT(0)
#else
#define P_STEP 1
#define PARAMETER p, AT(c.p)
#endif
#ifdef G_ANYWHERE
#define G_STEP sizeof(stored_gradient)
#define GRADIENTS (__global const stored_gradient *)(size_t)c.g, AT(0)
#else
#define G_STEP 1
#define GRADIENTS g, AT(c.g)
#endif

#ifdef CAUTIOUS
typedef struct {
  float scale;
} numbers;
#elif defined(NUMBERED) || defined(PREPARE)
typedef CAT(RULE, _numbers) numbers;
#endif
#ifdef NUMBERED
#define NUMBERS_ARGUMENT , __global const numbers *restrict known
#define NUMBERS_OF_TENSOR , numbers numbers_
#define NUMBERS_AT(row) , known[row]
#define NUMBERS , numbers_
#else
#define NUMBERS_ARGUMENT
#define NUMBERS_OF_TENSOR
#define NUMBERS_AT(row)
#define NUMBERS
#endif

/* Here nothing has a name that a user's rule might have. */
#ifdef CAUTIOUS
static ireal agrees_with(real step_, real gradient_) {
  return ((step_ < 0.0f) & (gradient_ > 0.0f)) | ((step_ > 0.0f) & (gradient_ < 0.0f));
}
#define PARTS_OF(weight) {weight, (real)0.0f, (real)0.0f} /* kept, step, gradient */
#ifdef PREPARE
static real count_agreeing(real weight_, real gradient_, state *state_, CAT(RULE, _scalars) scalars_) {
  real parts_[3] = PARTS_OF(weight_);
  RULE(parts_, gradient_, state_, scalars_);
  return choose(agrees_with(parts_[1], parts_[2]), (real)1.0f, (real)0.0f);
}
#else
/* A step that is not finite is so if it is left out, too. */
static void apply_rule(real *weight_, real gradient_, state *state_, CAT(RULE, _scalars) scalars_ NUMBERS_OF_TENSOR) {
  real parts_[3] = PARTS_OF(*weight_);
  RULE(parts_, gradient_, state_, scalars_);
  const real scale_ = choose(agrees_with(parts_[1], parts_[2]), (real)numbers_.scale, (real)0.0f);
  *weight_ = parts_[0] + parts_[1] * scale_;
}
#endif
#elif !defined(PREPARE)
static void apply_rule(real *weight_, real gradient_, state *state_, CAT(RULE, _scalars) scalars_ NUMBERS_OF_TENSOR) {
  RULE(weight_, gradient_, state_, scalars_ NUMBERS);
}
#endif

#if STATES > 0
#ifndef S0_T
#define S0_T f32
#endif
#define STATE_0(X) X(s0, S0, S0_T)
#else
#define STATE_0(X)
#endif
#if STATES > 1
#ifndef S1_T
#define S1_T f32
#endif
#define STATE_1(X) X(s1, S1, S1_T)
#else
#define STATE_1(X)
#endif
#if STATES > 2
#ifndef S2_T
#define S2_T f32
#endif
#define STATE_2(X) X(s2, S2, S2_T)
#else
#define STATE_2(X)
#endif
#if STATES > 3
#ifndef S3_T
#define S3_T f32
#endif
#define STATE_3(X) X(s3, S3, S3_T)
#else
#define STATE_3(X)
#endif
#if STATES > 4
#ifndef S4_T
#define S4_T f32
#endif
#define STATE_4(X) X(s4, S4, S4_T)
#else
#define STATE_4(X)
#endif
#define EACH_STATE(X) STATE_0(X) STATE_1(X) STATE_2(X) STATE_3(X) STATE_4(X)
#ifndef READS
#define READS 0xffffffffu
#define WRITES 0xffffffffu
#endif
enum { s0_bit = 1, s1_bit = 2, s2_bit = 4, s3_bit = 8, s4_bit = 16 };
#define STATE_ARGUMENT(buffer, name, T) , __global CAT(T, _t) *restrict buffer
#define STATE_PASS(buffer, name, T) , buffer
#define STATE_LOAD(buffer, name, T) \
  s.name = (real)0.0f;              \
  if (READS & buffer##_bit) s.name = READ(T)(buffer, AT(c.s));
#define STATE_STORE(buffer, name, T) \
  if (WRITES & buffer##_bit) WRITE(T)(s.name, buffer, AT(c.s));

/* How a narrow parameter goes from step to step: in itself, in a float32 of which it is the rounding, or with what its
 * rounding lost. */
#if defined(WEIGHTS_master)
#define WEIGHT_ARGUMENT , __global float *restrict master
#define WEIGHT_PASS , master
#define WEIGHT_LOAD real w = READ(f32)(master, AT(c.s));
#define WEIGHT_STORE                \
  WRITE(f32)(w, master, AT(c.s)); \
  WRITE(P_T)(w, PARAMETER);
#elif defined(WEIGHTS_kahan)
#define WEIGHT_ARGUMENT , __global stored_parameter *restrict compensation
#define WEIGHT_PASS , compensation
#define WEIGHT_LOAD               \
  real w = READ(P_T)(PARAMETER);  \
  const real before = w;
#define WEIGHT_STORE                                                                          \
  const real kept = choose(w == 0.0f, (real)0.0f, READ(P_T)(compensation, AT(c.s)));          \
  const real due = kept + (w - before);                         \
  w = AS_STORED(before + AS_STORED(due));                                                     \
  const real lost = due - (w - before);                                                       \
  WRITE(P_T)(w, PARAMETER);                                                                  \
  WRITE(P_T)(choose(is_finite(lost), lost, (real)0.0f), compensation, AT(c.s));
#define ROUND_f16(x) F16_LOAD(F16_STORE(x))
#define ROUND_bf16(x) BF16_LOAD(BF16_STORE(x))
#define AS_STORED(x) CAT(ROUND_, P_T)(x)
#elif defined(WEIGHTS_stochastic)
/* Where a chunk begins in its tensor, the steps before the tensor's first, and its number. */
typedef struct {
  ulong start, born;
  uint param, unused;
} origin;
#define WEIGHT_ARGUMENT , __global const origin *restrict origins, ulong seed, ulong steps
#define WEIGHT_PASS , origins, seed, steps
#define WEIGHT_LOAD real w = READ(P_T)(PARAMETER);
#define WEIGHT_STORE                                                     \
  w = CAT(round_randomly_, P_T)(w, dice_throw(&thrown, thrown.start + i)); \
  WRITE(P_T)(w, PARAMETER);

/* Sixteen random bits for each element of a tensor in each step. 128 elements have 16 blocks of philox.cl: element e
 * has half a word of block e % 16, the (e / 16 % 8)th. */
typedef struct {
  uint4 key;
  ulong start, later, group; /* group: of 128 elements, whose words these are */
  ureal words[4];
} dice;
static dice dice_of(origin from, ulong seed, ulong steps) {
  const ulong t = steps + 1 - from.born;
  dice d;
  d.key = (uint4)((uint)seed, (uint)(seed >> 32), from.param, (uint)t);
  d.start = from.start;
  d.later = (t >> 32) << 43;
  d.group = ~(ulong)0;
  return d;
}
static ureal dice_throw(dice *d, ulong e) {
  const uint half_word = (uint)(e >> 4) & 7;
#if W == 1
  philox(((e >> 7) * 16 + (e & 15)) | d->later, d->key, d->words);
  const uint low = half_word & 2 ? d->words[1] : d->words[0], high = half_word & 2 ? d->words[3] : d->words[2];
  return ((half_word & 4 ? high : low) >> (half_word & 1) * 16) & 0xffffu;
#else
  if (d->group != e >> 7) philox((e >> 7) * 16 | d->later, d->key, d->words);
  d->group = e >> 7;
  return (d->words[half_word >> 1] >> (half_word & 1) * 16) & 0xffffu;
#endif
}
/* To a neighbour, up as often as x lies nearer to it. Of float16's subnormals what is below a 65536th of a unit is
 * lost. */
static real round_randomly_bf16(real x, ureal bits) {
  const ureal r = (as_ureal(x) + bits) & 0xffff0000u;
  return choose(is_finite(x), as_real(r), x);
}
static real round_randomly_f16(real x, ureal bits) {
  const ureal r = (as_ureal(x) + (bits >> 3)) & 0xffffe000u;
  const real units = fabs(x) * 0x1p24f, below = to_real(to_ireal(choose(units < 1024.0f, units, (real)0.0f)));
  const real share = to_real(to_ireal((units - below) * 0x1p16f));
  const real up = choose(to_real(bits) < share, (real)1.0f, (real)0.0f);
  const real small = copysign((below + up) * 0x1p-24f, x);
  return choose(is_finite(x), choose(units < 1024.0f, small, as_real(r)), x);
}
#define DICE_OF_CHUNK , dice thrown
#define DICE_AT(k) , dice_of(origins[k], seed, steps)
#define DICE_BEGIN(k) dice thrown = dice_of(origins[k], seed, steps);
#define DICE_PASS , thrown
#else
#define WEIGHT_ARGUMENT
#define WEIGHT_PASS
#define WEIGHT_LOAD real w = READ(P_T)(PARAMETER);
#define WEIGHT_STORE WRITE(P_T)(w, PARAMETER);
#endif
#ifndef WEIGHTS_stochastic
#define DICE_OF_CHUNK
#define DICE_AT(k)
#define DICE_BEGIN(k)
#define DICE_PASS
#endif

#ifdef CONTROLLED
/* Within ±bound; a NaN stays one. */
static real within(real g, float bound) {
  const real low = choose(g < (real)(-bound), (real)(-bound), g);
  return choose(low > (real)bound, (real)bound, low);
}
#ifdef UNITS
/* A unit's numbers; the units of a chunk: `rest` elements of the first, then the next ones of `length` each. */
typedef struct {
  float shift, factor;
} unit;
typedef struct {
  uint unit, rest, length;
} pieces;
static uint unit_at(pieces c, uint i) { return c.unit + (i < c.rest ? 0 : 1 + (i - c.rest) / c.length); }
#define UNIT_ARGUMENTS , __global const unit *restrict units, __global const pieces *restrict pieces_of
#define GRADIENT(x) within(h.gradient * own.factor * (x - own.shift), bound)
#define OWN_UNIT , unit own
#else
#define UNIT_ARGUMENTS
#define GRADIENT(x) within(h.gradient * x, bound)
#define OWN_UNIT
#endif
#define CONTROL_ARGUMENT , __global const control *restrict all UNIT_ARGUMENTS
#define STOP_OR_CONTROL          \
  const float bound = all->bound; \
  if (all->stop > 0.0f) return;
#define SCALE(h) h.gradient *= all->factor;
#else
#define OWN_UNIT
#define CONTROL_ARGUMENT
#define STOP_OR_CONTROL const float bound = INFINITY;
#define SCALE(h)
#define GRADIENT(x) h.gradient * x
#endif

/* Towards 0 by the threshold, and +0 within it; then shrunk. A NaN stays one. */
#ifdef PROX
static real proximal(real w, float threshold, float shrink) {
  const real left = fabs(w) - threshold;
  return choose(left > 0.0f, copysign(left, w) * shrink, choose(is_nan(w), w, (real)0.0f));
}
#define AFTERWARDS(w, h) w = proximal(w, h.threshold, h.shrink);
#else
#define AFTERWARDS(w, h)
#endif

#ifdef FACTORED
/* The scales of a tensor's rows and columns, and of a chunk its first element's line and place in that. Lines are
 * `length` elements, of which `inner` belong to one column each; those of a matrix lie `between` apart, and every `per`
 * lines new matrices begin (0: there is one alone). */
typedef struct {
  ulong rows, columns;
  uint line, at, length, inner, per, between;
} lattice;
static ulong matrix_of(lattice t, uint line) {
  return t.per ? (ulong)(line / t.per) * t.between + line % t.between : 0;
}
/* Of the elements from a chunk's i on; `left` of them. */
#if W == 1
static real scale_at(__global const float *scales, lattice t, uint i, uint left) {
  const uint line = t.line + (t.at + i) / t.length, at = (t.at + i) % t.length;
  return scales[t.rows + (ulong)line * t.inner + at % t.inner] *
         scales[t.columns + matrix_of(t, line) * t.length + at];
}
#else
static real scale_at(__global const float *scales, lattice t, uint i, uint left) {
  uint line = t.line + (t.at + i) / t.length, at = (t.at + i) % t.length;
  ulong column = t.columns + matrix_of(t, line) * t.length;
  if (t.inner == 1 && at + W <= t.length) return scales[t.rows + line] * load_f32(scales, column + at);
  float lanes[W];
  for (uint k = 0; k < W; k++) {
    lanes[k] = k < left ? scales[t.rows + (ulong)line * t.inner + at % t.inner] * scales[column + at] : 0.0f;
    if (++at < t.length) continue;
    at = 0;
    if (k + 1 < left) column = t.columns + matrix_of(t, ++line) * t.length;
  }
  return CAT(vload, W)(0, lanes);
}
#endif
#define FACTOR_ARGUMENT , __global const float *restrict scales, __global const lattice *restrict lattices
#define FACTOR_SOURCE , __global const float *scales, const lattice *grid
#define FACTOR_FROM , scales, grid
#define FACTOR_OF_CHUNK , __global const float *restrict scales, __global const lattice *restrict lattices, uint beyond
#define FACTOR_AT(k, beyond) , scales, lattices + k, beyond
#define FACTOR_BEGIN                 \
  lattice grid_ = lattices[0]; \
  grid_.at += beyond;
#define FACTOR_LOAD(grid, left) s.factor = scale_at(scales, grid, i, left);
#else
#define FACTOR_ARGUMENT
#define FACTOR_SOURCE
#define FACTOR_FROM
#define FACTOR_OF_CHUNK
#define FACTOR_AT(k, beyond)
#define FACTOR_BEGIN
#define FACTOR_LOAD(grid, left)
#endif

#ifndef PREPARE
/* The elements AT the chunk's index i: read, step, write. */
#define UPDATE                                                          \
  {                                                                     \
    WEIGHT_LOAD                                                         \
    real x = (real)0.0f;                                                \
    if (READS >> 31) x = READ(G_T)(GRADIENTS);                         \
    state s;                                                            \
    EACH_STATE(STATE_LOAD)                                              \
    FACTOR_LOAD(grid_, c.count - i)                                     \
    apply_rule(&w, GRADIENT(x), &s, h.rule NUMBERS);                    \
    AFTERWARDS(w, h)                                                    \
    if (WRITES >> 31) {                                                 \
      WEIGHT_STORE                                                      \
    }                                                                   \
    EACH_STATE(STATE_STORE)                                             \
  }

/* States that are codes are stepped by optim_8bit.cl. */
#ifdef CODED
#elif defined(WALK_CPU)
void step_chunk(chunk c, row h NUMBERS_OF_TENSOR, float bound OWN_UNIT DICE_OF_CHUNK FACTOR_OF_CHUNK,
                __global stored_parameter *restrict p,
                __global const stored_gradient *restrict g EACH_STATE(STATE_ARGUMENT) WEIGHT_ARGUMENT) {
  FACTOR_BEGIN
  uint i = 0;
#define READ(T) CAT(load_, T)
#define WRITE(T) CAT(store_, T)
#define AT(first) (size_t)((first) + i)
  for (; i + W <= c.count; i += W) UPDATE
#undef READ
#undef WRITE
#undef AT
  const uint rest = c.count - i;
#define READ(T) CAT(CAT(load_, T), _part)
#define WRITE(T) CAT(CAT(store_, T), _part)
#define AT(first) (size_t)((first) + i), rest
  if (rest) UPDATE
}

__kernel void optim_step(__global stored_parameter *restrict p, __global const stored_gradient *restrict g
                         EACH_STATE(STATE_ARGUMENT) WEIGHT_ARGUMENT CONTROL_ARGUMENT FACTOR_ARGUMENT NUMBERS_ARGUMENT,
                         __global const chunk *restrict chunks, __global const row *restrict rows,
                         __global const uint *restrict runs, uint first, uint count) {
  const size_t r = get_global_id(0);
  if (r >= count) return;
  STOP_OR_CONTROL
  const uint end = runs[first + r + 1];
  for (uint k = runs[first + r]; k < end; k++) {
    row h = rows[chunks[k].row];
    SCALE(h)
#ifdef UNITS
    const chunk c = chunks[k];
    const pieces u = pieces_of[k];
    uint n = u.unit, at = 0;
    for (uint end = min(u.rest, c.count); at < c.count; end = min(end + u.length, c.count), n++) {
      const chunk part = {c.p + at * P_STEP, c.g + at * G_STEP, c.s + at, end - at, c.row};
      step_chunk(part, h NUMBERS_AT(c.row), bound, units[n] DICE_AT(k) FACTOR_AT(k, at), p,
                 g EACH_STATE(STATE_PASS) WEIGHT_PASS);
      at = end;
    }
#else
    step_chunk(chunks[k], h NUMBERS_AT(chunks[k].row), bound DICE_AT(k) FACTOR_AT(k, 0), p,
               g EACH_STATE(STATE_PASS) WEIGHT_PASS);
#endif
  }
}
#else
#define READ(T) CAT(load_, T)
#define WRITE(T) CAT(store_, T)
#define AT(first) (size_t)((first) + i)
__kernel void optim_step(__global stored_parameter *restrict p, __global const stored_gradient *restrict g
                         EACH_STATE(STATE_ARGUMENT) WEIGHT_ARGUMENT CONTROL_ARGUMENT FACTOR_ARGUMENT NUMBERS_ARGUMENT,
                         __global const chunk *restrict chunks, __global const row *restrict rows, uint first,
                         uint count) {
  if (get_group_id(0) >= count) return;
  STOP_OR_CONTROL
  const chunk c = chunks[first + get_group_id(0)];
  row h = rows[c.row];
  SCALE(h)
#ifdef NUMBERED
  const numbers numbers_ = known[c.row];
#endif
#ifdef FACTORED
  const lattice grid_ = lattices[first + get_group_id(0)];
#endif
#ifdef UNITS
  const pieces u = pieces_of[first + get_group_id(0)];
#define FIND_UNIT const unit own = units[unit_at(u, i)];
#else
#define FIND_UNIT
#endif
  DICE_BEGIN(first + get_group_id(0))
  for (uint i = (uint)get_local_id(0); i < c.count; i += (uint)get_local_size(0)) {
    FIND_UNIT
    UPDATE
  }
}
#endif
#endif
