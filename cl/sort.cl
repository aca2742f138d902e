/* sort.cl: stable radix sort of rows, a digit at a time from the lowest.
 *
 *   -D KEY=uint -D KIND_float -D NAN_BITS=0x7fc00000 -D INFINITE=0x7f800000   unsigned type of the element's size;
 * what its
 *                            bits mean: KIND_float, KIND_signed, or neither: unsigned
 *   -D DIGIT=8               bits of a digit
 *
 * A row is cut into runs. sort_count leaves how often each digit occurs in each run, ordered by row, digit, run; what
 * those before it add up to (a scan) is where the run's first element of that digit goes; sort_place puts it there.
 * Both walks have this one form: a work-item takes a run, long in the CPU walk and short in the GPU walk.
 */
enum { DIGITS = 1 << DIGIT };
#define ONES ((KEY)~(KEY)0)
#define SIGN ((KEY)((KEY)1 << (sizeof(KEY) * 8 - 1)))

/* Bits to an unsigned number of the wanted order, NaN last; and back, where NaN is the canonical one. */
static KEY key_of(KEY u, uint descending) {
#ifdef KIND_float
  if ((KEY)(u & (KEY)~SIGN) > (KEY)INFINITE) return ONES;
  u = u & SIGN ? (KEY)~u : (KEY)(u | SIGN);
#elif defined(KIND_signed)
  u ^= SIGN;
#endif
  return descending ? (KEY)~u : u;
}
static KEY bits_of(KEY u, uint descending) {
#ifdef KIND_float
  if (u == ONES) return (KEY)NAN_BITS;
#endif
  u = descending ? (KEY)~u : u;
#ifdef KIND_float
  return u & SIGN ? (KEY)(u & (KEY)~SIGN) : (KEY)~u;
#elif defined(KIND_signed)
  return u ^ SIGN;
#else
  return u;
#endif
}

/* Adds 1 to one of the counts and gives what it was. An array with an index that the data tell would lie in memory on a
 * GPU, which looks through all of a short one instead. */
static uint count_up(uint *counts, uint digit) {
#ifdef WALK_CPU
  return counts[digit]++;
#else
  uint was = 0;
#pragma unroll
  for (uint d = 0; d < DIGITS; d++) {
    was = d == digit ? counts[d] : was;
    counts[d] += d == digit ? 1 : 0;
  }
  return was;
#endif
}

#define DIGIT_OF(key) ((uint)((key) >> shift) & (DIGITS - 1))
#define LOCATE                                                                        \
  const ulong id = get_global_id(0);                                                  \
  if (id >= rows * runs) return;                                                      \
  const ulong row = id / runs, run = id - row * runs;                                 \
  const ulong begin = run * each, end = min(begin + each, columns);                   \
  __global const KEY *from = keys + keys_first + row * pitch;

/* first: the keys are elements still. */
__kernel void sort_count(__global const KEY *keys, const ulong keys_first_, const ulong pitch_, const ulong rows_,
                         const ulong columns_, const ulong runs_, const ulong each_, const uint shift_,
                         const uint first_, const uint descending_, __global int *counts) {
  const ulong keys_first = keys_first_, pitch = pitch_, rows = rows_;
  const ulong columns = columns_, runs = runs_, each = each_;
  const uint shift = shift_, first = first_, descending = descending_;
  LOCATE
  uint seen[DIGITS];
#pragma unroll 16
  for (uint d = 0; d < DIGITS; d++) seen[d] = 0;
  if (first)
    for (ulong i = begin; i < end; i++) count_up(seen, DIGIT_OF(key_of(from[i], descending)));
  else
    for (ulong i = begin; i < end; i++) count_up(seen, DIGIT_OF(from[i]));
#pragma unroll 16
  for (uint d = 0; d < DIGITS; d++) counts[(row * DIGITS + d) * runs + run] = (int)seen[d];
}

/* last: elements go to out and their places to out_places, the first `keep` of each row, where there is such a buffer
 * (wants: 1, 2); otherwise keys go to to_keys and, where `wants` has 2, places to to_places. */
__kernel void sort_place(__global const KEY *keys, const ulong keys_first_, const ulong pitch_, const ulong rows_,
                         const ulong columns_, const ulong runs_, const ulong each_, const uint shift_,
                         const uint first_, const uint descending_, __global const int *counts,
                         __global const uint *places, __global KEY *to_keys, __global uint *to_places,
                         const uint last_, const uint wants_, const ulong keep_, __global KEY *out,
                         const ulong out_first_, __global long *out_places, const ulong out_places_first_) {
  const ulong keys_first = keys_first_, pitch = pitch_, rows = rows_;
  const ulong columns = columns_, runs = runs_, each = each_;
  const uint shift = shift_, first = first_, descending = descending_, last = last_, wants = wants_;
  const ulong keep = keep_, out_first = out_first_, out_places_first = out_places_first_;
  LOCATE
  uint next[DIGITS];
#pragma unroll 16
  for (uint d = 0; d < DIGITS; d++) next[d] = (uint)counts[(row * DIGITS + d) * runs + run];
  __global const uint *from_places = places + row * columns;
  for (ulong i = begin; i < end; i++) {
    const KEY key = first ? key_of(from[i], descending) : from[i];
    const uint place = !(wants & 2) ? 0 : first ? (uint)i : from_places[i];
    const uint to = count_up(next, DIGIT_OF(key));
    if (last) {
      const ulong rank = to - row * columns;
      if (rank >= keep) continue;
      if (wants & 1) out[out_first + row * keep + rank] = bits_of(key, descending);
      if (wants & 2) out_places[out_places_first + row * keep + rank] = place;
    } else {
      to_keys[to] = key;
      if (wants & 2) to_places[to] = place;
    }
  }
}
