/* optim_control.cl: what a step does with all gradients alike, worked out on the device from their sums of squares;
 * after optim_row.cl and optim_sum.cl.
 *
 *   -D SINGLE   `real` is one float
 *
 * which: the sums that count, in the order of the parameters; they are added in that order. inverse: 1 / the loss's
 * scale. most, bound: the norm and the size of an element that are let pass, infinite for all. watch: whether gradients
 * that are not finite stop the step.
 */
__kernel void optim_control(__global const float *restrict sums, __global const uint *restrict which, uint count,
                            float inverse, float most, float bound, uint watch, __global control *restrict out) {
  if (get_global_id(0) > 0) return;
  long_sum total = {0.0f, 0.0f};
  for (uint i = 0; i < count; i++) add_to(&total, sums[which[i]]);
  const float norm = square_root(value_of(total)) * inverse;
  const float part = divide(most, norm + 1e-6f);
  control c;
  c.factor = inverse * (most < INFINITY && !(part > 1.0f) ? part : 1.0f); /* a NaN stays one */
  c.stop = watch && !is_finite(norm) ? 1.0f : 0.0f;
  c.bound = bound;
  c.norm = norm;
  *out = c;
}
