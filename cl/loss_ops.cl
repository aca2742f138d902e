/* loss_ops.cl: losses that are a sum over the outputs, one output at a time: the loss, and its slope with respect to
 * z. Static: compilers have to inline them, or the slope goes through memory. */

static real mse(real z, real t, real *slope) {
  const real e = z - t;
  *slope = e + e;
  return e * e;
}

/* With e = exp(-|z|): log(1 + e) loses nothing when e is small; the sigmoid is 1 / (1 + e) or e / (1 + e). */
static real binary_cross_entropy(real z, real t, real *slope) {
  const real e = real_exp(-fabs(z));
  const real positive = choose(z > (real)0.0f, z, choose(is_nan(z), z, (real)0.0f));
  *slope = divide(choose(z < (real)0.0f, e, (real)1.0f), (real)1.0f + e) - t;
  return (positive - z * t) + real_log1p(e);
}
