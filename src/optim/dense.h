/* Symmetric systems of modest size, in double on the host: the same bits everywhere. */
#ifndef CLIV_OPTIM_DENSE_H
#define CLIV_OPTIM_DENSE_H

#include <stdbool.h>
#include <stddef.h>

enum { CLIV__MOST_DENSE = 1024 }; /* unknowns: 8 MiB, and a third of a second */

/* Upper triangle of a, n × n by rows, to U with U'U = a, in place. False when a is not positive definite, or not
 * finite. */
bool cliv__cholesky(double *a, size_t n);
/* b = a⁻¹ b. */
void cliv__cholesky_solve(const double *u, size_t n, double *b);

#endif
