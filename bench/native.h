/* What this machine can do without OpenCL: the same work in plain loops over all its threads. The references that rows
 * are judged by. */
#ifndef CLIV_BENCH_NATIVE_H
#define CLIV_BENCH_NATIVE_H

#include <stdbool.h>
#include <stddef.h>

int native_threads(void);

/* y[i] = x[i] */
void native_copy(const float *x, float *y, size_t n);
/* z[i] = x[i] + a y[i] */
void native_triad(const float *x, const float *y, float *z, float a, size_t n);
/* A float sum in as many lanes and threads as the compiler likes. */
float native_sum(const float *x, size_t n);
float native_dot(const float *x, const float *y, size_t n);
/* Philox4x32-10's words as multiples of 2^-24: cliv_random_uniform of stream 0 from element 0 on. n: a multiple
 * of 4. */
void native_uniform(float *x, size_t n, unsigned seed);
/* Fused multiply-adds in registers over all threads, about `count` on each. Gives how many floating-point operations it
 * were. */
double native_fma(size_t count);

typedef struct native_adamw {
  float *p, *m, *v;
  const float *g;
  size_t n;
  float lr, beta1, beta2, eps, weight_decay;
  long step; /* of the next update; counts from 1 */
} native_adamw;
/* One update; step goes up by one. */
void native_adamw_step(native_adamw *a);

/* Row-major C = A B of floats, (m, k) and (k, n), by OpenBLAS over all threads. False where the benchmark was built
 * without it. */
int native_has_gemm(void);
void native_gemm(size_t m, size_t n, size_t k, const float *a, const float *b, float *c);

/* Forward transforms of `lines` dense complex arrays of these lengths, from x to y, by FFTW over all threads, as its
 * measurements plan it; making the plan overwrites both. NULL where there is none, and where the benchmark was built
 * without FFTW. */
typedef struct native_fft native_fft;
native_fft *native_fft_create(int ndim, const int *lengths, int lines, float *x, float *y);
void native_fft_run(const native_fft *f);
void native_fft_free(native_fft *f);

#endif
