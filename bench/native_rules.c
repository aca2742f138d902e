#include "native_rules.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* What cl/prelude.cl, divide.cl and fused.cl give the rules, for one element at a time; the compiler makes vectors. */
typedef float real;
typedef int32_t ireal;
typedef uint32_t ureal;
static inline ureal as_ureal(float x) {
  ureal u;
  memcpy(&u, &x, sizeof u);
  return u;
}
#define as_real(x) as_float((ureal)(x))
static inline float as_float(ureal u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}
#define as_ireal(x) ((ireal)as_ureal(x))
#define to_real(x) ((float)(x))
#define to_ireal(x) ((ireal)(x))
#define choose(c, a, b) ((c) ? (a) : (b))
#define is_nan(x) ((as_ureal(x) & 0x7fffffffu) > 0x7f800000u)
#define is_finite(x) ((as_ureal(x) & 0x7fffffffu) < 0x7f800000u)
#define fused(a, b, c) __builtin_fmaf((a), (b), (c))
#define divide(a, b) ((a) / (b))
#define square_root(x) __builtin_sqrtf(x)
#undef fabs
#define fabs(x) __builtin_fabsf(x)
#undef copysign
#define copysign(x, y) __builtin_copysignf((x), (y))

/* States that only some hyper-parameters keep, and these rows keep them. */
#define WITH_momentum_buffer
#define WITH_x0
#include <optim_math.cl>
#include <optim_ops.cl>

/* Functions of one pass, and the states that their rows keep. */
#define RULES(X)          \
  X(sgd, 1)               \
  X(adagrad, 1)           \
  X(rmsprop, 5)           \
  X(adam, 3)              \
  X(lion, 1)              \
  X(adadelta, 3)          \
  X(adamax, 3)            \
  X(nadam, 3)             \
  X(radam, 3)             \
  X(rprop, 3)             \
  X(asgd, 1)              \
  X(signum, 1)            \
  X(yogi, 3)              \
  X(adabelief, 3)         \
  X(adan, 15)             \
  X(madgrad, 7)           \
  X(laprop, 3)            \
  X(adopt, 3)             \
  X(ademamix, 7)          \
  X(qhm, 1)               \
  X(qhadam, 3)            \
  X(ftrl, 3)              \
  X(sophia, 3)            \
  X(adabound, 3)          \
  X(schedule_free_sgd, 1) \
  X(schedule_free_adamw, 3)

#define LOAD(k) \
  if (kept >> k & 1) state[k] = n->states[k][i];
#define STORE(k) \
  if (kept >> k & 1) n->states[k][i] = state[k];
#define EACH_STATE(X) X(0) X(1) X(2) X(3) X(4)

/* One element in a function of its own: variables of the loop's body whose address is taken would keep it from
 * becoming vectors. */
#define DEFINE(name, kept_states)                                                                                  \
  static inline __attribute__((always_inline)) void one_##name(const native_step *n, name##_scalars h, size_t i) { \
    enum { kept = kept_states };                                                                                   \
    name##_state s;                                                                                                \
    float w = n->p[i], *state = (float *)&s;                                                                       \
    EACH_STATE(LOAD)                                                                                               \
    name(&w, n->g[i], &s, h);                                                                                      \
    n->p[i] = w;                                                                                                   \
    EACH_STATE(STORE)                                                                                              \
  }                                                                                                                \
  static void step_##name(const native_step *step) {                                                               \
    const native_step n = *step;                                                                                   \
    name##_scalars h;                                                                                              \
    memcpy(&h, n.scalars, sizeof h);                                                                               \
    _Pragma("omp parallel for simd schedule(static)") for (size_t i = 0; i < n.n; i++) one_##name(&n, h, i);       \
  }
RULES(DEFINE)

const native_rule *native_rule_find(const char *function) {
#define ROW(name, kept_states) {#name, kept_states, step_##name},
  static const native_rule rules[] = {RULES(ROW)};
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (!strcmp(rules[i].function, function)) return &rules[i];
  return NULL;
}
