/* optim_decide.cl: between the two launches of a rule: from the sums of optim_prepare.cl to its numbers;
 * after optim_row.cl and optim_sum.cl.
 *
 *   -D SINGLE -D RULE=lamb -D MEASURES=2   as there; -D CONTROLLED: as in optim.cl
 *   -D SINGLE -D CAUTIOUS -D MEASURES=1    for any rule, from the count of elements whose step agrees with the gradient
 *
 * A scope is the tensors that share numbers: each alone, or all. members: the tensors that have elements, scope by
 * scope, each scope's in the order of the parameters; from scopes[s] to scopes[s + 1] those of scope s. Sums over
 * several tensors are taken in that order. What a scope's first tensor has of scalars and numbers holds for all of it.
 */
#ifdef CAUTIOUS
typedef struct {
  float scale;
} numbers;
typedef float row; /* not looked at */
#define DECIDE(first) n.scale = divide(1.0f, at_least(divide(m[0], (float)elements), 1e-3f));
static float at_least(float x, float least) { return x < least ? least : x; }
#else
typedef CAT(RULE, _numbers) numbers;
#define DECIDE(first) CAT(RULE, _decide)(m, (float)elements, &n, rows[first].rule);
#endif
typedef struct {
  ulong count;
  uint param, segment;
} member;
#ifdef CONTROLLED
#define CONTROL_ARGUMENT __global const control *restrict all,
#define STOP if (all->stop > 0.0f) return;
#else
#define CONTROL_ARGUMENT
#define STOP
#endif

/* sums: of measure m over segment k at m * segments + k. */
__kernel void optim_decide(CONTROL_ARGUMENT __global const float *restrict sums, uint segments_,
                           __global const member *restrict members, __global const uint *restrict scopes, uint count,
                           __global const row *restrict rows, __global numbers *restrict known) {
  const uint segments = segments_, scope_count = count;
  STOP
  for (uint s = (uint)get_global_id(0); s < scope_count; s += (uint)get_global_size(0)) {
    const uint begin = scopes[s], end = scopes[s + 1];
    float m[MEASURES];
    ulong elements = 0;
    for (uint k = begin; k < end; k++) elements += members[k].count;
    for (uint j = 0; j < MEASURES; j++) {
      long_sum total = {0.0f, 0.0f};
      for (uint k = begin; k < end; k++) add_to(&total, sums[(size_t)j * segments + members[k].segment]);
      m[j] = value_of(total);
    }
    const uint first = members[begin].param;
    numbers n = known[first];
    DECIDE(first)
    for (uint k = begin; k < end; k++) known[members[k].param] = n;
  }
}
