/* variance.cl: one step of cliv/variance.h over x, what the method remembers, and the penalties, in one launch.
 *
 *   -D METHOD=sag | saga | svrg | sarah
 *   -D LINEAR     the gradient of a term is a number times its row: g is the row, t the table of numbers, in which the
 *                 term's is at t_first, and w has the number at x. t is left as it is: all work-items read it
 *
 *   g   gradient of the step's term at x
 *   t   sag, saga: the term's row of the table; svrg, sarah: its gradient at the other point
 *   s   sag, saga: the table's sum; svrg: the mean of all gradients; sarah: the direction
 *   w   sarah: gets x as it is before the step
 *
 * n elements; x, g and t from *_first on, the others from 0. An element is read before it is written; no two
 * share memory, but g and t may be the same where t is only read.
 *
 * CPU walk: a work-item takes n_each consecutive elements, W at a time. GPU walk: a work-group takes n_each times its
 * size, its work-items neighbouring elements.
 */
#define IS_sag 1
#define IS_saga 2
#define IS_svrg 3
#define IS_sarah 4
#define KIND CAT(IS_, METHOD)

typedef struct {
  real x, t, s;
} element;

/* lr is negative; `shrink` is lr·l1, `part` 1 / seen. There is no factor 1 − lr·l2 for x: rounded, it would be that of
 * another l2. */
element step_of(element e, real g, real change, float lr, float l2, float shrink, float part) {
  const real old = e.x;
#if KIND == IS_sag
  e.s += change;
  e.t = g;
  const real d = e.s * part;
#elif KIND == IS_saga
  const real d = fused(e.s, (real)part, change);
  e.s += change;
  e.t = g;
#elif KIND == IS_svrg
  const real d = change + e.s;
#else
  e.s += change;
  const real d = e.s;
#endif
  const real next = fused((real)lr, fused((real)l2, old, d), old);
  const real magnitude = fabs(next) - shrink;
  e.x = shrink > 0.0f ? choose(magnitude <= (real)0.0f, (real)0.0f, copysign(magnitude, next)) : next;
  return e;
}

#define ARGUMENTS                                                                                                   \
  __global float *x, const ulong x_first, __global const float *g, const ulong g_first, __global float *t,          \
      const ulong t_first,                                                                                          \
      __global float *s, __global float *w, const ulong n, const ulong n_each, const float lr, const float l2,    \
      const float shrink, const float part

#ifdef LINEAR
#define FORMER READ(g, g_first + i)
#define CHANGE(g) g * by
#define PREPARE const real by = (real)(w[0] - t[t_first]);
#else
#define FORMER READ(t, t_first + i)
#define CHANGE(g) g - e.t
#define PREPARE
#endif
#ifdef LINEAR
#define REMEMBER(old) WRITE(e.s, s, i);
#elif KIND == IS_sag || KIND == IS_saga
#define REMEMBER(old) WRITE(e.t, t, t_first + i); WRITE(e.s, s, i);
#elif KIND == IS_svrg
#define REMEMBER(old)
#else
#define REMEMBER(old) WRITE(e.s, s, i); WRITE(old, w, i);
#endif
#define STEP                                                                             \
  {                                                                                      \
    element e = {READ(x, x_first + i), FORMER, READ(s, i)};                              \
    const real old = e.x, now = READ(g, g_first + i);                                    \
    e = step_of(e, now, CHANGE(now), lr, l2, shrink, part);                              \
    WRITE(e.x, x, x_first + i);                                                          \
    REMEMBER(old)                                                                        \
  }

#ifdef WALK_CPU
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void variance_step(ARGUMENTS) {
  const ulong begin = get_global_id(0) * n_each, end = min(begin + n_each, n);
  ulong i = begin;
  PREPARE
#define READ(p, at) load_f32(p, at)
#define WRITE(v, p, at) store_f32(v, p, at)
  for (; i + W <= end; i += W) STEP
#undef READ
#undef WRITE
  const uint rest = i < end ? (uint)(end - i) : 0;
#define READ(p, at) load_f32_part(p, at, rest)
#define WRITE(v, p, at) store_f32_part(v, p, at, rest)
  if (rest) STEP
}
#else
#define READ(p, at) load_f32(p, at)
#define WRITE(v, p, at) store_f32(v, p, at)
__kernel void variance_step(ARGUMENTS) {
  const ulong begin = get_group_id(0) * get_local_size(0) * n_each + get_local_id(0);
  PREPARE
  for (uint k = 0; k < n_each; k++) {
    const ulong i = begin + k * get_local_size(0);
    if (i < n) STEP
  }
}
#endif
