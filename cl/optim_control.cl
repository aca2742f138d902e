/* optim_control.cl: what a step does with all gradients alike, worked out on the device from their sums of squares.
 *
 *   -D SINGLE   `real` is one float
 *
 * which: the sums that count, in the order of the parameters; they are added in that order, with what each addition
 * loses kept apart. inverse: 1 / the loss's scale. most, bound: the norm and the size of an element that are let pass,
 * infinite for all. watch: whether gradients that are not finite stop the step.
 */
typedef struct {
  float factor, stop, bound, norm;
} control;

__kernel void optim_control(__global const float *restrict sums, __global const uint *restrict which, uint count,
                            float inverse, float most, float bound, uint watch, __global control *restrict out) {
  if (get_global_id(0) > 0) return;
  float total = 0.0f, lost = 0.0f;
  for (uint i = 0; i < count; i++) {
    const float x = sums[which[i]], sum = total + x, moved = sum - total;
    lost += (total - (sum - moved)) + (x - moved);
    total = sum;
  }
  const float norm = square_root(is_finite(total) ? total + lost : total) * inverse;
  const float part = divide(most, norm + 1e-6f);
  control c;
  c.factor = inverse * (most < INFINITY && !(part > 1.0f) ? part : 1.0f); /* a NaN stays one */
  c.stop = watch && !is_finite(norm) ? 1.0f : 0.0f;
  c.bound = bound;
  c.norm = norm;
  *out = c;
}
