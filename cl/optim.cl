/* optim.cl: one step of an update rule over many tensors in one launch.
 *
 *   -D RULE=adam             the rule, a function of optim_ops.cl
 *   -D P_T=f32 -D G_T=bf16   storage of parameters and of gradients; states are float
 *   -D CONTROLLED            gradients are scaled and clipped by what optim_control.cl left, or the step is not taken
 *   -D PROX                  the rule's step is followed by the proximal step of an elastic net
 *   -D STATES=2 -D S0=exp_avg -D S1=exp_avg_sq -D WITH_exp_avg -D WITH_exp_avg_sq
 *                            the states that are kept, each in a buffer of its own at the same indices
 *
 * The tensors lie anywhere in the buffers p and g. They are cut into chunks of a few thousand elements; a row holds the
 * scalars of the chunk's parameter group for this step. Chunks are independent, so nothing depends on who takes which.
 *
 * CPU walk: work-item r takes the chunks from runs[r] to runs[r + 1], which the host has made equally heavy, W elements
 * at a time. GPU walk: work-group k takes chunk first + k, its work-items neighbouring elements.
 */
typedef CAT(P_T, _t) stored_parameter;
typedef CAT(G_T, _t) stored_gradient;
typedef CAT(RULE, _state) state;

typedef struct {
  float gradient;          /* what gradients are multiplied with */
  float threshold, shrink; /* of the proximal step */
  CAT(RULE, _scalars) rule;
} row;

typedef struct {
  ulong p, g, s; /* first element in the parameters', the gradients' and the states' buffers */
  uint count, row;
} chunk;

/* Here nothing has a name that a user's rule might have. */
static void apply_rule(real *weight_, real gradient_, state *state_, CAT(RULE, _scalars) scalars_) {
  RULE(weight_, gradient_, state_, scalars_);
}

#if STATES > 0
#define STATE_0(X) X(s0, S0)
#else
#define STATE_0(X)
#endif
#if STATES > 1
#define STATE_1(X) X(s1, S1)
#else
#define STATE_1(X)
#endif
#if STATES > 2
#define STATE_2(X) X(s2, S2)
#else
#define STATE_2(X)
#endif
#if STATES > 3
#define STATE_3(X) X(s3, S3)
#else
#define STATE_3(X)
#endif
#if STATES > 4
#define STATE_4(X) X(s4, S4)
#else
#define STATE_4(X)
#endif
#define EACH_STATE(X) STATE_0(X) STATE_1(X) STATE_2(X) STATE_3(X) STATE_4(X)
#define STATE_ARGUMENT(buffer, name) , __global float *restrict buffer
#define STATE_LOAD(buffer, name) s.name = READ(f32)(buffer, AT(c.s));
#define STATE_STORE(buffer, name) WRITE(f32)(s.name, buffer, AT(c.s));

/* What optim_control.cl made of all gradients. */
#ifdef CONTROLLED
typedef struct {
  float factor, stop, bound, norm;
} control;
/* Within ±bound; a NaN stays one. */
static real within(real g, float bound) {
  const real low = choose(g < (real)(-bound), (real)(-bound), g);
  return choose(low > (real)bound, (real)bound, low);
}
#define CONTROL_ARGUMENT , __global const control *restrict all
#define STOP_OR_CONTROL          \
  const float bound = all->bound; \
  if (all->stop > 0.0f) return;
#define SCALE(h) h.gradient *= all->factor;
#define GRADIENT(x) within(h.gradient * x, bound)
#else
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

/* The elements AT the chunk's index i: read, step, write. */
#define UPDATE                                                          \
  {                                                                     \
    real w = READ(P_T)(p, AT(c.p));                                     \
    const real x = READ(G_T)(g, AT(c.g));                               \
    state s;                                                            \
    EACH_STATE(STATE_LOAD)                                              \
    apply_rule(&w, GRADIENT(x), &s, h.rule);                            \
    AFTERWARDS(w, h)                                                    \
    WRITE(P_T)(w, p, AT(c.p));                                          \
    EACH_STATE(STATE_STORE)                                             \
  }

#ifdef WALK_CPU
void step_chunk(chunk c, row h, float bound, __global stored_parameter *restrict p,
                __global const stored_gradient *restrict g EACH_STATE(STATE_ARGUMENT)) {
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

#define STATE_PASS(buffer, name) , buffer
__kernel void optim_step(__global stored_parameter *restrict p, __global const stored_gradient *restrict g
                         EACH_STATE(STATE_ARGUMENT) CONTROL_ARGUMENT, __global const chunk *restrict chunks,
                         __global const row *restrict rows, __global const uint *restrict runs, uint first,
                         uint count) {
  const size_t r = get_global_id(0);
  if (r >= count) return;
  STOP_OR_CONTROL
  const uint end = runs[first + r + 1];
  for (uint k = runs[first + r]; k < end; k++) {
    row h = rows[chunks[k].row];
    SCALE(h)
    step_chunk(chunks[k], h, bound, p, g EACH_STATE(STATE_PASS));
  }
}
#else
#define READ(T) CAT(load_, T)
#define WRITE(T) CAT(store_, T)
#define AT(first) (size_t)((first) + i)
__kernel void optim_step(__global stored_parameter *restrict p, __global const stored_gradient *restrict g
                         EACH_STATE(STATE_ARGUMENT) CONTROL_ARGUMENT, __global const chunk *restrict chunks,
                         __global const row *restrict rows, uint first, uint count) {
  if (get_group_id(0) >= count) return;
  STOP_OR_CONTROL
  const chunk c = chunks[first + get_group_id(0)];
  row h = rows[c.row];
  SCALE(h)
  for (uint i = (uint)get_local_id(0); i < c.count; i += (uint)get_local_size(0)) UPDATE
}
#endif
