/* Element by element operations in double, written apart from the kernels: one line an operation. */
#ifndef CLIV_TESTS_MAP_REFERENCE_H
#define CLIV_TESTS_MAP_REFERENCE_H

#include <stdint.h>

typedef struct map_reference {
  const char *name;
  double (*unary)(double); /* one of the two is NULL */
  double (*binary)(double, double);
} map_reference;
/* Fails the test for an operation that has no line. */
const map_reference *reference_map_line(const char *op);

/* What the operation gives in exact arithmetic, rounded to double; y is ignored by unary ones. */
double reference_map(const char *op, double x, double y);
/* The same for integers of 64 bits, wrapping. */
int64_t reference_map_integer(const char *op, int64_t x, int64_t y);

#endif
