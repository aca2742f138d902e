/* root.cl: the scalars of an inverse root, one work-item a matrix; see stack.cl.
 *
 *   -D SINGLE   `real` is one float
 *
 * dots: tr(A B); the trace of B, a dense n × n matrix, is summed from the first element of the diagonal to the last.
 */
/* z^(1/p): by pow, and one step of Newton's, since 1/p is rounded. */
static float root(float z, uint p) {
  const float t = real_pow(z, divide(1.0f, (float)p));
  float power = t;
  for (uint k = 1; k < p; k++) power *= t;
  return fma(t, divide(divide(z, power) - 1.0f, (float)p), t);
}

__kernel void root_terms(__global const float *dots, __global const float *b, __global scalars *terms, ulong count,
                         ulong n_, uint p_, float ridge_, float floor_) {
  const ulong i = get_global_id(0), n = n_;
  const uint p = p_;
  const float ridge = ridge_, least = floor_;
  if (i >= count) return;
  float trace = 0.0f;
  for (ulong k = 0; k < n; k++) trace += b[i * n * n + k * (n + 1)];
  const float largest = trace == 0.0f ? 0.0f : divide(dots[i], trace);
  const float r = ridge * (largest < least ? least : largest);
  const float z = divide(p > 3 ? 2.0f : 0.5f * (float)(1 + p), largest + r);
  terms[i].first = z;
  terms[i].second = z * r;
  terms[i].third = 0.5f * root(z, p);
}
