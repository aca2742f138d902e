/* Element by element operations in double, written apart from the kernels: one line an operation. */
#ifndef CLIV_TESTS_MAP_REFERENCE_H
#define CLIV_TESTS_MAP_REFERENCE_H

#include <stdint.h>

/* What the operation gives in exact arithmetic, rounded to double; y is ignored by unary ones. Fails the test for an operation that has
 * no line. */
double reference_map(const char *op, double x, double y);
/* The same for integers of 64 bits, wrapping. */
int64_t reference_map_integer(const char *op, int64_t x, int64_t y);

#endif
