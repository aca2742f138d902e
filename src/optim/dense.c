/* Cholesky by rows, each row taken from those below it: the inner loop walks memory and reorders no sum. */
#include "optim/dense.h"

#include <math.h>

bool cliv__cholesky(double *a, size_t n) {
  for (size_t k = 0; k < n; k++) {
    double *row = a + k * n;
    if (!(row[k] > 0) || !isfinite(row[k])) return false;
    const double root = sqrt(row[k]);
    for (size_t j = k; j < n; j++) row[j] /= root;
    for (size_t i = k + 1; i < n; i++) {
      double *to = a + i * n;
      const double factor = row[i];
      for (size_t j = i; j < n; j++) to[j] -= factor * row[j];
    }
  }
  return true;
}

void cliv__cholesky_solve(const double *u, size_t n, double *b) {
  for (size_t i = 0; i < n; i++) {
    b[i] /= u[i * n + i];
    for (size_t j = i + 1; j < n; j++) b[j] -= u[i * n + j] * b[i];
  }
  for (size_t i = n; i-- > 0;) {
    double sum = b[i];
    for (size_t j = i + 1; j < n; j++) sum -= u[i * n + j] * b[j];
    b[i] = sum / u[i * n + i];
  }
}
