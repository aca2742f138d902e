/* Powers in double with the same bits whatever the C library: scalars of a step are worked out with them. */
#ifndef CLIV_OPTIM_POWER_H
#define CLIV_OPTIM_POWER_H

#include <stdint.h>

/* base^n, by squaring. */
double cliv__power(double base, uint64_t n);
/* base^exponent for a positive, normal base, within a relative 1e-15·(1 + |ln of the result|); 0 or infinity beyond the
 * range of doubles. */
double cliv__real_power(double base, double exponent);
/* base^exponent as one would expect it: by squaring where the exponent is whole, also of 0 and below, else as above;
 * NaN where there is no such number. */
double cliv__raised(double base, double exponent);
/* ln x of a positive, normal x, within a relative 1e-15. */
double cliv__logarithm(double x);

#endif
