/* optim_bind.cl: scalars of a step whose lr a tensor on the device has a part in.
 *
 *   -D SINGLE   `real` is one float
 *
 * sent: what the host worked out for lr itself, `count` floats, then as many words on how each depends on it: 4 times
 * the number of its binding, 0 for none, plus
 */
enum { FREE, PROPORTIONAL, KEEPS, SHRINKS }; /* lr·a; 1 − lr·a; 1 / (1 + lr·a) */

/* Binding by binding; the first one hands on what belongs to none. */
__kernel void optim_bind(__global const float *restrict sent, uint count, uint binding, uint first,
                         __global const float *restrict factor, ulong at, __global float *restrict scalars) {
  const uint k = (uint)get_global_id(0);
  if (k >= count) return;
  const float x = sent[k], f = factor[at];
  const uint word = (uint)sent[count + k], how = word & 3, of = word >> 2;
  if (of == 0 && first) scalars[k] = x;
  if (of != binding) return;
  const float kept = fused(f, x - 1.0f, 1.0f), shrunk = divide(1.0f, fused(f, divide(1.0f, x) - 1.0f, 1.0f));
  float y = choose(how == PROPORTIONAL, x * f, x);
  y = choose(how == KEEPS, kept, y);
  y = choose(how == SHRINKS, shrunk, y);
  scalars[k] = y;
}
