/* activation.cl: what may follow a product, on registers. With -D ACTIVATION=, the whole name
 * of one of these: PoCL has macros of the names of functions. After math.cl for all but none and relu, which are all
 * that float64 has.
 */
static real activate_none(real x) { return x; }
static real activate_relu(real x) { return choose(x <= (real)0, (real)0, x); }

#ifdef WITH_MATH
/* 0.5 x (1 + t), as PyTorch forms it. */
static real half_times(real x, real t) { return (real)0.5f * x * ((real)1.0f + t); }
static real activate_gelu(real x) { return half_times(x, real_erf(x * (real)0x1.6a09e6p-1f)); }
static real activate_gelu_tanh(real x) {
  return half_times(x, real_tanh((real)0x1.988454p-1f * (x + (real)0x1.6e4e26p-5f * (x * x * x))));
}
static real activate_silu(real x) { return real_silu(x); }
static real activate_tanh(real x) { return real_tanh(x); }
static real activate_sigmoid(real x) { return real_sigmoid(x); }
#endif
