/* See power.h: multiplications, divisions and the exponents' bits, in one order. */
#include "optim/power.h"

#include <math.h>

double cliv__power(double base, uint64_t n) {
  double result = 1;
  for (; n; n >>= 1, base *= base)
    if (n & 1) result *= base;
  return result;
}

#define LN2_HIGH 0x1.62e42feep-1 /* 21 zeros at its end, so that its product with an exponent is exact */
#define LN2_LOW 0x1.a39ef35793c76p-33

/* Σ s^(2k+1)·2/(2k+1) with s = (m - 1)/(m + 1) is ln m; for m in [√½, √2) the 12th term is below 2^-60. */
static double split_logarithm(double x, double *exponent) {
  int e;
  double m = frexp(x, &e);
  if (m < 0x1.6a09e667f3bcdp-1) m *= 2, e--;
  const double s = (m - 1) / (m + 1), square = s * s;
  double sum = 0;
  for (int k = 12; k > 0; k--) sum = (sum + 2 / (double)(2 * k + 1)) * square;
  *exponent = (double)e;
  return s * 2 + s * sum;
}

double cliv__real_power(double base, double exponent) {
  double e;
  const double fraction = split_logarithm(base, &e);
  const double whole = e * LN2_HIGH * exponent, rest = e * LN2_LOW * exponent + fraction * exponent;
  const double total = whole + rest;
  if (!(total > -746 && total < 710)) return total > 0 ? HUGE_VAL : 0;
  const double n = floor(total / (LN2_HIGH + LN2_LOW) + 0.5);
  const double r = (whole - n * LN2_HIGH) + (rest - n * LN2_LOW);
  double sum = 0;
  for (int k = 16; k > 0; k--) sum = (sum + 1) * r / (double)k;
  return ldexp(1 + sum, (int)n);
}

double cliv__raised(double base, double exponent) {
  if (exponent == floor(exponent) && fabs(exponent) <= 0x1p53) {
    const double whole = cliv__power(base, (uint64_t)fabs(exponent));
    return exponent < 0 ? 1 / whole : whole;
  }
  if (base == 0 && isfinite(exponent)) return exponent > 0 ? 0 : HUGE_VAL;
  return base > 0 && isfinite(base) && isfinite(exponent) ? cliv__real_power(base, exponent) : NAN;
}

double cliv__logarithm(double x) {
  double e;
  const double fraction = split_logarithm(x, &e);
  return e * LN2_HIGH + (e * LN2_LOW + fraction);
}
