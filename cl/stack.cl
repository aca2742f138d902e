/* stack.cl: what the kernels of factorisations share: W elements of a stack of equal matrices at a time.
 *
 * Element (b,i,j) of a stack lies at first + b·each + i·pitch + j. terms: four floats a matrix.
 */
#if W == 16
#define LANE_IDS ((ireal)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#endif

typedef struct {
  float first, second, third, fourth;
} scalars;

real to_bfloat(real x) { return to_real(NARROW(bfloat_to_float)(NARROW(float_to_bfloat)(x))); }

/* W elements of row i from column j on, `live` of them in the matrix. */
real across(__global const float *x, ulong at, uint live) {
#if W > 1
  if (live < W) return load_f32_part(x, at, live);
#endif
  return load_f32(x, at);
}

/* The same of column i from row j on. */
real down(__global const float *x, ulong at, ulong pitch, uint live) {
#if W > 1
  float lanes[W];
  for (uint l = 0; l < W; l++) lanes[l] = x[at + min(l, live - 1) * pitch];
  return LOAD_W(lanes, 0);
#else
  return x[at];
#endif
}

/* The first `live` of W elements to where across() reads them. */
void put_across(real x, __global float *out, ulong at, uint live) {
#if W > 1
  if (live < W) {
    store_f32_part(x, out, at, live);
    return;
  }
#endif
  store_f32(x, out, at);
}

/* shift where the diagonal of row i crosses the W elements from column j on, else 0. */
real on_diagonal(float shift, ulong i, ulong j) {
#if W > 1
  if (i - j >= W) return (real)0.0f;
  float lanes[W];
  for (uint l = 0; l < W; l++) lanes[l] = l == i - j ? shift : 0.0f;
  return LOAD_W(lanes, 0);
#else
  return i == j ? shift : 0.0f;
#endif
}
