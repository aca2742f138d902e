/* loss.cl: logits (rows, columns) -> the loss of each row and the gradient. See cliv/loss.h for the order of sums.
 *
 *   -D POINT=f              entry loss_points: sums f of loss_ops.cl over the row
 *   -D POINT=f -D SINGLE    entry loss_single: the same for one dense column, where a row's sum is its only element
 *   (otherwise)             entry loss_softmax
 *
 * Offsets and pitches are in elements. A row has 16 lanes. CPU walk: the lanes of a float16; a work-item does
 * `rows_each` rows. GPU walk: 16 neighbouring work-items; a group does as many rows as it has sixteens. `wanted` says
 * which outputs are there.
 */
enum { LANES = 16, LOSSES = 1, GRADIENT = 2 };

#ifndef SINGLE

/* ---- a row by its 16 lanes: columns c … c + 15 of a row of `width`, c a multiple of 16 ---- */

float larger(float a, float b) { return b > a || (as_uint(b) & MAGNITUDE_BITS) > INFINITY_BITS ? b : a; }

#ifdef WALK_CPU
#define LANE ((ireal)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#define FIRST_LANE true
#define SCALAR_OF(x) (x).s0
#define SCRATCH_PARAMETER
#define SCRATCH

real get(__global const float *row, ulong c, ulong width) {
  return width - c >= LANES ? load_f32(row, c) : load_f32_part(row, c, (uint)(width - c));
}
void put(real x, __global float *row, ulong c, ulong width) {
  if (width - c >= LANES) store_f32(x, row, c);
  else store_f32_part(x, row, c, (uint)(width - c));
}
real row_sum(real x) {
  const float8 a = x.lo + x.hi;
  const float4 b = a.lo + a.hi;
  const float2 c = b.lo + b.hi;
  return (real)(c.x + c.y);
}
real row_max(real x) {
  float lanes[LANES];
  vstore16(x, 0, lanes);
  for (uint s = LANES / 2; s > 0; s /= 2)
    for (uint l = 0; l < s; l++) lanes[l] = larger(lanes[l], lanes[l + s]);
  return (real)lanes[0];
}
#else
#define LANE ((int)(get_local_id(0) % LANES))
#define FIRST_LANE (LANE == 0)
#define SCALAR_OF(x) (x)
#define SCRATCH_PARAMETER , __local float *scratch
#define SCRATCH , scratch

real get(__global const float *row, ulong c, ulong width) {
  return c + (ulong)LANE < width ? row[c + (ulong)LANE] : 0.0f;
}
void put(real x, __global float *row, ulong c, ulong width) {
  if (c + (ulong)LANE < width) store_f32(x, row, c + (ulong)LANE);
}
/* Called by the whole group. What lanes read of the row in global memory before it, others may overwrite after. */
#define DEFINE_ROW(name, JOIN)                                                      \
  real name(real x SCRATCH_PARAMETER) {                                             \
    const uint i = (uint)get_local_id(0);                                           \
    scratch[i] = x;                                                                 \
    barrier(CLK_LOCAL_MEM_FENCE);                                                   \
    for (uint s = LANES / 2; s > 0; s /= 2) {                                       \
      if (i % LANES < s) scratch[i] = JOIN(scratch[i], scratch[i + s]);             \
      barrier(CLK_LOCAL_MEM_FENCE);                                                 \
    }                                                                               \
    const real joined = scratch[i - i % LANES];                                     \
    barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);                            \
    return joined;                                                                  \
  }
#define PLUS(a, b) ((a) + (b))
DEFINE_ROW(row_sum, PLUS)
DEFINE_ROW(row_max, larger)
#endif

#define INSIDE(c, width) (LANE < (ireal)(int)min((width) - (c), (ulong)LANES))
#define IS_COLUMN(c, column) (LANE == (ireal)(int)min((column) - (c), (ulong)LANES)) /* beyond the 16: no lane */

/* In front of a block that does row r. In the GPU walk work-items without a row go along with width 0, for the
 * barriers' sake. */
#ifdef WALK_CPU
#define EACH_ROW                                                                       \
  const ulong width = columns, end = min((get_global_id(0) + 1) * rows_each, rows);    \
  for (ulong r = get_global_id(0) * rows_each; r < end; r++)
#else
#define EACH_ROW                                                                       \
  const ulong own_row = get_global_id(0) / LANES;                                      \
  const ulong r = own_row < rows ? own_row : 0, width = own_row < rows ? columns : 0;
#endif
#define KEEP_LOSS(x) \
  if ((wanted & LOSSES) && width && FIRST_LANE) losses[losses_first + r] = canonical_f32(SCALAR_OF(x))

#ifdef POINT
/* slope × by_slope is the gradient; the sum over the row × by_sum the loss. */
__kernel void loss_points(__global const float *logits, const ulong logits_first, const ulong logits_pitch,
                          __global const float *targets, const ulong targets_first, const ulong targets_pitch,
                          __global float *losses, const ulong losses_first, __global float *gradient,
                          const ulong gradient_first, const ulong gradient_pitch, const ulong rows, const ulong columns,
                          const ulong rows_each, const float by_sum, const float by_slope,
                          const uint wanted SCRATCH_PARAMETER) {
  EACH_ROW {
    __global const float *z = logits + logits_first + r * logits_pitch;
    __global const float *t = targets + targets_first + r * targets_pitch;
    __global float *g = gradient + gradient_first + r * gradient_pitch;
    real sum = (real)(-0.0f);
    for (ulong c = 0; c < width; c += LANES) {
      real slope;
      const real loss = POINT(get(z, c, width), get(t, c, width), &slope);
      sum += choose(INSIDE(c, width), loss, (real)(-0.0f));
      if (wanted & GRADIENT) put(slope * by_slope, g, c, width);
    }
    sum = row_sum(sum SCRATCH) * by_sum;
    KEEP_LOSS(sum);
  }
}
#else
__kernel void loss_softmax(__global const float *logits, const ulong logits_first, const ulong logits_pitch,
                           __global const int *targets, const ulong targets_first, const ulong targets_pitch,
                           __global float *losses, const ulong losses_first, __global float *gradient,
                           const ulong gradient_first, const ulong gradient_pitch, const ulong rows,
                           const ulong columns, const ulong rows_each, const float by_sum, const float by_slope,
                           const uint wanted SCRATCH_PARAMETER) {
  EACH_ROW {
    __global const float *z = logits + logits_first + r * logits_pitch;
    __global float *g = gradient + gradient_first + r * gradient_pitch;
    /* A negative one becomes huge. Compared unsigned: Mesa 22.3 takes -1 for >= 0 in 64 bits. */
    const ulong target = width ? (ulong)targets[targets_first + r * targets_pitch] : 0;
    const bool known = target < width;
    const float nan = as_float(CANONICAL_NAN_BITS), by = known ? by_slope : nan;
    const real own = (real)(known ? z[target] : nan); /* read now: the gradient may replace the logits */

    real most = (real)(-INFINITY);
    for (ulong c = 0; c < width; c += LANES) {
      const real x = choose(INSIDE(c, width), get(z, c, width), (real)(-INFINITY));
      most = choose(x > most, x, choose(is_nan(x), x, most));
    }
    most = row_max(most SCRATCH);

    real sum = (real)(-0.0f);
    for (ulong c = 0; c < width; c += LANES) {
      const real e = real_exp(get(z, c, width) - most);
      sum += choose(INSIDE(c, width), e, (real)(-0.0f));
      if (wanted & GRADIENT) put(e, g, c, width);
    }
    sum = row_sum(sum SCRATCH);
    KEEP_LOSS(real_log(sum) + (most - own));

    for (ulong c = 0; (wanted & GRADIENT) && c < width; c += LANES) {
      const real p = divide(get(g, c, width), sum);
      put((p - choose(IS_COLUMN(c, target), (real)1.0f, (real)0.0f)) * by, g, c, width);
    }
  }
}
#endif

#else
/* Every column is a row's only one: element i is row i. */
__kernel void loss_single(__global const float *logits, const ulong logits_first, __global const float *targets,
                          const ulong targets_first, __global float *losses, const ulong losses_first,
                          __global float *gradient, const ulong gradient_first, const ulong rows, const ulong rows_each,
                          const float by_slope, const uint wanted) {
  const ulong end = min((get_global_id(0) + 1) * rows_each, rows);
  for (ulong i = get_global_id(0) * rows_each; i < end; i += W) {
    real slope;
#if W > 1
    if (end - i < W) {
      const uint n = (uint)(end - i);
      const real z = load_f32_part(logits, logits_first + i, n), t = load_f32_part(targets, targets_first + i, n);
      const real loss = POINT(z, t, &slope);
      if (wanted & LOSSES) store_f32_part(loss, losses, losses_first + i, n);
      if (wanted & GRADIENT) store_f32_part(slope * by_slope, gradient, gradient_first + i, n);
      return;
    }
#endif
    const real loss = POINT(load_f32(logits, logits_first + i), load_f32(targets, targets_first + i), &slope);
    if (wanted & LOSSES) store_f32(loss, losses, losses_first + i);
    if (wanted & GRADIENT) store_f32(slope * by_slope, gradient, gradient_first + i);
  }
}
#endif
