/* optim_scales.cl: from the parts of optim_factor.cl to means by rows and columns, which are states, and to what the
 * gradient of an element is multiplied with, its row's scale times its column's; after optim_row.cl and optim_sum.cl.
 *
 *   -D SINGLE -D RULE=adafactor   a rule whose scalars have factor_keep, factor_gain, factor_added and factor_least;
 *   -D CONTROLLED                 as in optim.cl
 *
 * The product of a row's mean and a column's, over the mean of all, estimates the mean of an element's square. So the
 * scales are 1 / √(row's mean / mean of rows) and 1 / √(column's mean).
 */
#ifdef CONTROLLED
#define CONTROL_ARGUMENT __global const control *restrict all,
#define STOP if (all->stop > 0.0f) return;
#else
#define CONTROL_ARGUMENT
#define STOP
#endif

/* A state by rows or columns: `count` parts of each of its numbers, `length` apart, of blocks of `length` numbers. */
typedef struct {
  ulong first, parts, state; /* its first number, counted over all lists; its first part; where it is stored */
  uint length, count;
  uint line, column; /* the tensor's row of scalars; 1: of columns */
  float elements;    /* that a number is the mean of */
  uint unused;
} list;

/* Numbers' parts in order, with what each addition loses kept apart. Each takes its step towards the new mean. */
__kernel void optim_means(CONTROL_ARGUMENT __global const float *restrict parts, __global const list *restrict lists,
                          uint list_count, ulong numbers, __global const row *restrict rows,
                          __global float *restrict states, __global float *restrict scales) {
  const ulong i = get_global_id(0);
  if (i >= numbers) return;
  STOP
  uint low = 0, high = list_count;
  while (high - low > 1) {
    const uint middle = low + (high - low) / 2;
    if (lists[middle].first <= i) low = middle;
    else high = middle;
  }
  const list l = lists[low];
  const ulong at = i - l.first, from = l.parts + at / l.length * l.length * l.count + at % l.length;
  const CAT(RULE, _scalars) h = rows[l.line].rule;
  long_sum sum = {0.0f, 0.0f};
  for (uint k = 0; k < l.count; k++) add_to(&sum, parts[from + (ulong)k * l.length]);
  const float mean = divide(value_of(sum), l.elements) + h.factor_added;
  const float now = fused(h.factor_gain, mean, h.factor_keep * states[l.state + at]);
  states[l.state + at] = now;
  if (l.column) scales[l.state + at] = divide(1.0f, square_root(now));
}

/* The matrices of one tensor: `rows` numbers each, which lie `apart`. */
typedef struct {
  ulong state;
  uint first; /* matrix, counted over all tensors */
  uint rows, apart, line;
} stack;

static uint find_stack(__global const stack *stacks, uint count, uint k) {
  uint low = 0, high = count;
  while (high - low > 1) {
    const uint middle = low + (high - low) / 2;
    if (stacks[middle].first <= k) low = middle;
    else high = middle;
  }
  return low;
}

/* The mean of a matrix's rows: lane l of 256 takes rows l, l + 256, … in order, then lanes join by halves. */
enum { MEAN_LANES = 256 };

/* CPU walk: a work-item a matrix. GPU walk: a group. */
__kernel void optim_scales(CONTROL_ARGUMENT __global const float *restrict states,
                           __global const stack *restrict stacks, uint stack_count, uint matrices,
                           __global const row *restrict rows, __global float *restrict scales) {
#ifdef WALK_CPU
  float lanes[MEAN_LANES];
  const uint me = 0, step = 1, m = (uint)get_global_id(0);
#define WAIT
#else
  __local float lanes[MEAN_LANES];
  const uint me = (uint)get_local_id(0), step = (uint)get_local_size(0), m = (uint)get_group_id(0);
#define WAIT barrier(CLK_LOCAL_MEM_FENCE);
#endif
  if (m >= matrices) return;
  STOP
  const stack t = stacks[find_stack(stacks, stack_count, m)];
  const uint local_ = m - t.first, used = min(t.rows, (uint)MEAN_LANES);
  const ulong base = t.state + (ulong)(local_ / t.apart) * t.rows * t.apart + local_ % t.apart;
  for (uint l = me; l < used; l += step) {
    float sum = states[base + (ulong)l * t.apart];
    for (uint k = l + MEAN_LANES; k < t.rows; k += MEAN_LANES) sum += states[base + (ulong)k * t.apart];
    lanes[l] = sum;
  }
  WAIT
  for (uint s = MEAN_LANES / 2; s; s >>= 1) {
    for (uint k = me; k < s && k + s < used; k += step) lanes[k] += lanes[k + s];
    WAIT
  }
  const float found = divide(lanes[0], (float)t.rows), least = rows[t.line].rule.factor_least;
  const float mean = found < least ? least : found;
  for (uint k = me; k < t.rows; k += step) {
    const ulong at = base + (ulong)k * t.apart;
    scales[at] = square_root(divide(mean, states[at]));
  }
}
