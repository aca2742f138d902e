/* optim_8bit.cl: the walks of optim.cl where states are codes of dynamic_map.cl.
 *
 *   -D CODED -D S0_T=signed8   S0_T=unsigned8 for a state that is never negative; others are stored as they are
 *   -D GROUP=256               GPU walk: work-items a group, a power of two up to 256
 *
 * The states of 256 neighbouring elements of a tensor, a block, are codes of what they are divided by the greatest of
 * their magnitudes, which lies in a buffer of its own. Chunks begin with a block. A gradient that is not finite changes
 * no weight and makes the element's codes that of 0. A block with a state that is not finite has NaN for its greatest
 * magnitude, and so for all its states.
 */
enum { BLOCK = 256 };

/* By storage: a state that is not coded has no part in a block's magnitude. */
#define ABSMAX_ARGUMENT(buffer, name, T) CAT(ABSMAX_ARGUMENT_, T)(CAT(buffer, _absmax))
#define ABSMAX_ARGUMENT_signed8(absmax) , __global float *restrict absmax
#define ABSMAX_ARGUMENT_unsigned8(absmax) , __global float *restrict absmax
#define ABSMAX_ARGUMENT_f32(absmax)
#define ABSMAX_ARGUMENT_bf16(absmax)
#define ABSMAX_PASS(buffer, name, T) CAT(ABSMAX_PASS_, T)(CAT(buffer, _absmax))
#define ABSMAX_PASS_signed8(absmax) , absmax
#define ABSMAX_PASS_unsigned8(absmax) , absmax
#define ABSMAX_PASS_f32(absmax)
#define ABSMAX_PASS_bf16(absmax)

/* A state's codes and their scale, from a block's first to its last element. */
#define BLOCK_BEGIN(buffer, name, T) CAT(BLOCK_BEGIN_, T)(buffer, name)
#define BLOCK_BEGIN_signed8(buffer, name)                              \
  const float CAT(buffer, _old) = CAT(buffer, _absmax)[block];        \
  ureal CAT(buffer, _greatest) = 0;                                   \
  real CAT(buffer, _new)[PER_BLOCK];
#define BLOCK_BEGIN_unsigned8(buffer, name) BLOCK_BEGIN_signed8(buffer, name)
#define BLOCK_BEGIN_f32(buffer, name)
#define BLOCK_LOAD(buffer, name, T) CAT(BLOCK_LOAD_, T)(buffer, name)
#define BLOCK_LOAD_signed8(buffer, name) s.name = READ_CODES(signed8, buffer, 127) * CAT(buffer, _old);
#define BLOCK_LOAD_unsigned8(buffer, name) s.name = READ_CODES(unsigned8, buffer, 0) * CAT(buffer, _old);
#define BLOCK_LOAD_f32(buffer, name) s.name = READ(f32)(buffer, AT(c.s));
#define BLOCK_KEEP(buffer, name, T) CAT(BLOCK_KEEP_, T)(buffer, name)
#define BLOCK_KEEP_signed8(buffer, name)                                                   \
  s.name = choose(lives, s.name, (real)0.0f);                                             \
  CAT(buffer, _greatest) = max(CAT(buffer, _greatest), as_ureal(s.name) & (ureal)MAGNITUDE_BITS); \
  CAT(buffer, _new)[k] = s.name;
#define BLOCK_KEEP_unsigned8(buffer, name) BLOCK_KEEP_signed8(buffer, name)
#define BLOCK_KEEP_f32(buffer, name)                                           \
  {                                                                            \
    const real before = READ(f32)(buffer, AT(c.s));                            \
    WRITE(f32)(choose(lives, s.name, before), buffer, AT(c.s));                \
  }
#define BLOCK_STORE(buffer, name, T) CAT(BLOCK_STORE_, T)(buffer, name)
#define BLOCK_STORE_signed8(buffer, name) WRITE_CODES(signed8, buffer)
#define BLOCK_STORE_unsigned8(buffer, name) WRITE_CODES(unsigned8, buffer)
#define BLOCK_STORE_f32(buffer, name)

/* What codes are multiplied with, from the greatest magnitude's bits, and what states are. */
static float scale_of(uint greatest) {
  return as_float(greatest >= INFINITY_BITS ? CANONICAL_NAN_BITS : greatest);
}
static real inverse_of(uint greatest) {
  const real d = as_real((ureal)max(greatest, 0x00800000u));
  return greatest >= INFINITY_BITS ? (real)0.0f : divide((real)1.0f, d);
}

/* The elements AT i. What is beyond a tensor's end does not live. */
#define UPDATE_CODED                                     \
  {                                                      \
    WEIGHT_LOAD                                          \
    const real held = w, x = READ(G_T)(GRADIENTS);      \
    const ireal lives = LIVES(x);                        \
    state s;                                             \
    EACH_STATE(BLOCK_LOAD)                               \
    apply_rule(&w, GRADIENT(x), &s, h.rule);             \
    AFTERWARDS(w, h)                                     \
    w = choose(lives, w, held);                          \
    WEIGHT_STORE                                         \
    EACH_STATE(BLOCK_KEEP)                               \
  }

#ifdef WALK_CPU
enum { PER_BLOCK = BLOCK / W };

/* Blocks begin on whole vectors. */
typedef WIDE(uchar) codes_;
static ureal load_codes(__global const uchar *p, size_t i) {
  return CONVERT_U32(*(__global const codes_ *)(p + i));
}
static void store_codes(ureal x, __global uchar *p, size_t i) {
  *(__global codes_ *)(p + i) = CAT(convert_, WIDE(uchar))(x);
}
static ureal load_codes_part(__global const uchar *p, size_t i, uint n, uint none) {
  uint lanes[W];
  for (uint k = 0; k < W; k++) lanes[k] = k < n ? p[i + k] : none;
  return CAT(vload, W)(0, lanes);
}
static void store_codes_part(ureal x, __global uchar *p, size_t i, uint n) {
  uint lanes[W];
  CAT(vstore, W)(x, 0, lanes);
  for (uint k = 0; k < n; k++) p[i + k] = (uchar)lanes[k];
}
static uint greatest_lane(ureal x) {
  const uint8 a = max(x.lo, x.hi);
  const uint4 b = max(a.lo, a.hi);
  const uint2 d = max(b.lo, b.hi);
  return max(d.x, d.y);
}
#define LANES (ireal)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
static uint least_lane(ureal x) { return ~greatest_lane(~x); }

/* What is stored of a block that has been stepped. Doubts are settled for all of it, which one in a hundred has, and so
 * is one of NaN. */
#define BLOCK_SCALE(buffer, name, T) CAT(BLOCK_SCALE_, T)(buffer)
#define BLOCK_SCALE_signed8(buffer)                                            \
  const uint CAT(buffer, _most) = greatest_lane(CAT(buffer, _greatest));       \
  const real CAT(buffer, _inverse) = inverse_of(CAT(buffer, _most));           \
  ureal CAT(buffer, _least) = ~(ureal)0;                                       \
  CAT(buffer, _absmax)[block] = scale_of(CAT(buffer, _most));
#define BLOCK_SCALE_unsigned8(buffer) BLOCK_SCALE_signed8(buffer)
#define BLOCK_SCALE_f32(buffer)
#define BLOCK_STORE_VECTOR(buffer, name, T) CAT(BLOCK_STORE_VECTOR_, T)(T, buffer)
#define BLOCK_STORE_VECTOR_signed8(T, buffer)                                                                      \
  store_codes(CAT(codes_of_, T)(CAT(buffer, _new)[k] * CAT(buffer, _inverse), &CAT(buffer, _least)), buffer, \
              (size_t)(c.s + i));
#define BLOCK_STORE_VECTOR_unsigned8(T, buffer) BLOCK_STORE_VECTOR_signed8(T, buffer)
#define BLOCK_STORE_VECTOR_f32(T, buffer)
#define WRITE_CODES(T, buffer)                                                                                   \
  {                                                                                                              \
    const bool again = least_lane(CAT(buffer, _least)) == 0 || CAT(buffer, _most) >= INFINITY_BITS;              \
    for (k = again ? 0 : whole, i = start + k * W; i < start + n; k++, i += W)                                   \
      store_codes_part(CAT(encode_, T)(CAT(buffer, _new)[k] * CAT(buffer, _inverse)), buffer, (size_t)(c.s + i), \
                       min(start + n - i, (uint)W));                                                             \
  }

/* Elements `start` to `start` + n of a chunk. */
void step_block(chunk c, uint start, uint n, row h, float bound DICE_OF_CHUNK, __global stored_parameter *restrict p,
                __global const stored_gradient *restrict g EACH_STATE(STATE_ARGUMENT) WEIGHT_ARGUMENT
                EACH_STATE(ABSMAX_ARGUMENT)) {
  const size_t block = (size_t)(c.s + start) / BLOCK;
  const uint whole = n / W, rest = n % W;
  EACH_STATE(BLOCK_BEGIN)
#define READ(T) CAT(load_, T)
#define WRITE(T) CAT(store_, T)
#define AT(first) (size_t)((first) + i)
#define READ_CODES(T, buffer, none) \
  CAT(numbers_of_, T)(load_codes(buffer, (size_t)(c.s + i)))
#define LIVES(x) is_finite(x)
  uint k = 0, i = start;
  for (; k < whole; k++, i += W) UPDATE_CODED
#undef READ
#undef WRITE
#undef AT
#undef READ_CODES
#undef LIVES
#define READ(T) CAT(CAT(load_, T), _part)
#define WRITE(T) CAT(CAT(store_, T), _part)
#define AT(first) (size_t)((first) + i), rest
#define READ_CODES(T, buffer, none) \
  CAT(numbers_of_, T)(load_codes_part(buffer, (size_t)(c.s + i), rest, none))
#define LIVES(x) (is_finite(x) & (LANES < (ireal)(int)rest))
  if (rest) UPDATE_CODED
  EACH_STATE(BLOCK_SCALE)
  for (k = 0, i = start; k < whole; k++, i += W) {
    EACH_STATE(BLOCK_STORE_VECTOR)
  }
  EACH_STATE(BLOCK_STORE)
}

__kernel void optim_step(__global stored_parameter *restrict p, __global const stored_gradient *restrict g
                         EACH_STATE(STATE_ARGUMENT) WEIGHT_ARGUMENT EACH_STATE(ABSMAX_ARGUMENT) CONTROL_ARGUMENT,
                         __global const chunk *restrict chunks, __global const row *restrict rows,
                         __global const uint *restrict runs, uint first, uint count) {
  const size_t r = get_global_id(0);
  if (r >= count) return;
  STOP_OR_CONTROL
  const uint end = runs[first + r + 1];
  for (uint k = runs[first + r]; k < end; k++) {
    const chunk c = chunks[k];
    row h = rows[c.row];
    SCALE(h)
    DICE_BEGIN(k)
    for (uint i = 0; i < c.count; i += BLOCK)
      step_block(c, i, min(c.count - i, (uint)BLOCK), h, bound DICE_PASS, p,
                 g EACH_STATE(STATE_PASS) WEIGHT_PASS EACH_STATE(ABSMAX_PASS));
  }
}
#else
enum { PER_BLOCK = BLOCK / GROUP, PARTS = 16 };

#define READ(T) CAT(load_, T)
#define WRITE(T) CAT(store_, T)
#define AT(first) (size_t)((first) + i)
#define READ_CODES(T, buffer, none) CAT(map_, T)[buffer[(size_t)(c.s + i)]]
#define LIVES(x) is_finite(x)

/* The greatest of a group's magnitudes, in two steps of at most 16 each. */
#define BLOCK_LOCAL(buffer, name, T) CAT(BLOCK_LOCAL_, T)(CAT(buffer, _items), CAT(buffer, _parts))
#define BLOCK_LOCAL_signed8(items, parts) __local uint items[GROUP], parts[PARTS];
#define BLOCK_LOCAL_unsigned8(items, parts) BLOCK_LOCAL_signed8(items, parts)
#define BLOCK_LOCAL_f32(items, parts)
#define BLOCK_SHOW(buffer, name, T) CAT(BLOCK_SHOW_, T)(CAT(buffer, _items), CAT(buffer, _greatest))
#define BLOCK_SHOW_signed8(items, greatest) items[item] = greatest;
#define BLOCK_SHOW_unsigned8(items, greatest) BLOCK_SHOW_signed8(items, greatest)
#define BLOCK_SHOW_f32(items, greatest)
#define BLOCK_JOIN(buffer, name, T) CAT(BLOCK_JOIN_, T)(CAT(buffer, _items), CAT(buffer, _parts))
#define BLOCK_JOIN_signed8(items, parts)                              \
  for (uint j = item; j < PARTS; j += GROUP) {                        \
    uint most = 0;                                                    \
    for (uint q = j; q < GROUP; q += PARTS) most = max(most, items[q]); \
    parts[j] = most;                                                  \
  }
#define BLOCK_JOIN_unsigned8(items, parts) BLOCK_JOIN_signed8(items, parts)
#define BLOCK_JOIN_f32(items, parts)
#define WRITE_CODES(T, buffer)                                                                             \
  {                                                                                                        \
    uint greatest = 0;                                                                                     \
    UNROLL for (uint j = 0; j < PARTS; j++) greatest = max(greatest, CAT(buffer, _parts)[j]);              \
    const real inverse = inverse_of(greatest);                                                             \
    if (item == 0) CAT(buffer, _absmax)[block] = scale_of(greatest);                                       \
    UNROLL for (uint k = 0; k < PER_BLOCK; k++) {                                                          \
      const uint i = start + k * GROUP + item;                                                             \
      if (i < c.count) buffer[(size_t)(c.s + i)] = (uchar)CAT(encode_, T)(CAT(buffer, _new)[k] * inverse); \
    }                                                                                                      \
  }
#define UNROLL _Pragma("unroll")

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void optim_step(
    __global stored_parameter *restrict p,
    __global const stored_gradient *restrict g EACH_STATE(STATE_ARGUMENT) WEIGHT_ARGUMENT EACH_STATE(ABSMAX_ARGUMENT)
        CONTROL_ARGUMENT,
    __global const chunk *restrict chunks, __global const row *restrict rows, uint first, uint count) {
  EACH_STATE(BLOCK_LOCAL)
  __local float map_signed8[256], map_unsigned8[256]; /* worked out once, and few registers */
  if (get_group_id(0) >= count) return;
  STOP_OR_CONTROL
  const chunk c = chunks[first + get_group_id(0)];
  const uint item = (uint)get_local_id(0);
  row h = rows[c.row];
  SCALE(h)
  DICE_BEGIN(first + get_group_id(0))
  for (uint code = item; code < 256; code += GROUP) {
    map_signed8[code] = decode_signed8(code);
    map_unsigned8[code] = decode_unsigned8(code);
  }
  barrier(CLK_LOCAL_MEM_FENCE);
  for (uint start = 0; start < c.count; start += BLOCK) {
    const size_t block = (size_t)(c.s + start) / BLOCK;
    EACH_STATE(BLOCK_BEGIN)
    UNROLL for (uint k = 0; k < PER_BLOCK; k++) {
      const uint i = start + k * GROUP + item;
      if (i < c.count) UPDATE_CODED
    }
    EACH_STATE(BLOCK_SHOW)
    barrier(CLK_LOCAL_MEM_FENCE);
    EACH_STATE(BLOCK_JOIN)
    barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE); /* absmax is read above and written below */
    EACH_STATE(BLOCK_STORE)
  }
}
#endif
