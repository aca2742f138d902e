/* optim_units.cl: what a step does with each unit of the gradients, which is a row or a whole tensor, worked out on the
 * device from the units' means and sums of squares.
 *
 *   -D SINGLE   `real` is one float
 *
 * what: bits, see below; of the inputs, only those that belong to its bits are read. inverse: 1 / the loss's scale. In
 * `means`, `squares` and `weights` tensor t's units are the ones from g, or w, on; with CENTRE `squares` are variances.
 */
enum { CENTRE = 1, MEASURE = 2, ADAPT = 4 };

typedef struct {
  uint first; /* unit */
  uint g, w, centred;
  float size; /* elements of a unit */
} tensor;

typedef struct {
  float shift, factor;
} unit;

/* The factor that shortens what is longer than `most`; a NaN stays one. */
static float adaptive(float norm, float most) {
  return norm < most ? 1.0f : divide(most, norm < 1e-6f ? 1e-6f : norm);
}

/* left: the sum of squares of what the unit makes of its elements. */
__kernel void optim_units(__global const float *restrict means, __global const float *restrict squares,
                          __global const float *restrict weights, __global const tensor *restrict tensors,
                          __global const uint *restrict owner, uint count, uint what, float inverse, float clip,
                          __global unit *restrict units, __global float *restrict left) {
  const uint u = (uint)get_global_id(0);
  if (u >= count) return;
  const tensor t = tensors[owner[u]];
  const uint k = u - t.first;
  const float mean = what & CENTRE ? means[t.g + k] : 0.0f;
  unit r;
  r.shift = t.centred ? mean : 0.0f;
  r.factor = 1.0f;
  float sum = 0.0f;
  if (what & MEASURE) {
    sum = squares[t.g + k];
    if (what & CENTRE) sum = t.size * (t.centred ? sum : sum + mean * mean);
  }
  if (what & ADAPT) {
    const float size = square_root(weights[t.w + k]);
    r.factor = adaptive(square_root(sum) * inverse, clip * (size < 1e-3f ? 1e-3f : size));
    sum = r.factor * r.factor * sum;
  }
  units[u] = r;
  left[u] = sum;
}

/* Tensors one by one: totals are their sums of squares so far, `clipped` what is left of these. */
__kernel void optim_each(__global const float *restrict totals, __global const tensor *restrict tensors,
                         __global const uint *restrict owner, uint count, float inverse, float most,
                         __global unit *restrict units, __global float *restrict clipped) {
  const uint u = (uint)get_global_id(0);
  if (u >= count) return;
  const uint t = owner[u];
  const float total = totals[t], part = divide(most, square_root(total) * inverse + 1e-6f);
  const float factor = part > 1.0f ? 1.0f : part; /* a NaN stays one */
  units[u].factor *= factor;
  if (u == tensors[t].first) clipped[t] = factor * factor * total;
}
