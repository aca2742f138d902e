#include "native.h"

#include <math.h>
#include <omp.h>
#include <stdint.h>
#ifdef BENCH_OPENBLAS
#include <cblas.h>
#endif

int native_threads(void) { return omp_get_max_threads(); }

void native_copy(const float *x, float *y, size_t n) {
#pragma omp parallel for simd schedule(static)
  for (size_t i = 0; i < n; i++) y[i] = x[i];
}

void native_triad(const float *x, const float *y, float *z, float a, size_t n) {
#pragma omp parallel for simd schedule(static)
  for (size_t i = 0; i < n; i++) z[i] = x[i] + a * y[i];
}

float native_sum(const float *x, size_t n) {
  float sum = 0;
#pragma omp parallel for simd schedule(static) reduction(+ : sum)
  for (size_t i = 0; i < n; i++) sum += x[i];
  return sum;
}

void native_uniform(float *x, size_t n, unsigned seed) {
#pragma omp parallel for simd schedule(static)
  for (size_t b = 0; b < n / 4; b++) {
    uint32_t c0 = (uint32_t)b, c1 = (uint32_t)(b >> 32), c2 = 0, c3 = 0, k0 = seed, k1 = 0;
    for (int round = 0; round < 10; round++) {
      const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
      c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, c1 = (uint32_t)p1;
      c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1, c3 = (uint32_t)p0;
      k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    x[4 * b] = (float)(int32_t)(c0 >> 8) * 0x1p-24f, x[4 * b + 1] = (float)(int32_t)(c1 >> 8) * 0x1p-24f;
    x[4 * b + 2] = (float)(int32_t)(c2 >> 8) * 0x1p-24f, x[4 * b + 3] = (float)(int32_t)(c3 >> 8) * 0x1p-24f;
  }
}

float native_dot(const float *x, const float *y, size_t n) {
  float sum = 0;
#pragma omp parallel for simd schedule(static) reduction(+ : sum)
  for (size_t i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

/* As wide as the machine's registers, and enough of them to hide an addition's latency on two units. */
#if defined __AVX512F__
enum { WIDTH = 16 };
#elif defined __AVX__
enum { WIDTH = 8 };
#else
enum { WIDTH = 4 };
#endif
enum { CHAINS = 10 };
typedef float vector __attribute__((vector_size(WIDTH * sizeof(float))));

double native_fma(size_t count) {
  const size_t rounds = count / (WIDTH * CHAINS) + 1;
  float kept = 0;
#pragma omp parallel reduction(+ : kept)
  {
    vector a[CHAINS], scale, shift;
    for (int l = 0; l < WIDTH; l++) scale[l] = 0.999f + 1e-6f * (float)l, shift[l] = 1e-3f;
    for (int c = 0; c < CHAINS; c++) a[c] = shift * (float)c;
    for (size_t i = 0; i < rounds; i++)
#pragma GCC unroll 10
      for (int c = 0; c < CHAINS; c++) a[c] = a[c] * scale + shift;
    for (int c = 0; c < CHAINS; c++)
      for (int l = 0; l < WIDTH; l++) kept += a[c][l];
  }
  volatile float sink = kept; /* so that the work is not left out */
  (void)sink;
  return 2.0 * (double)rounds * WIDTH * CHAINS * native_threads();
}

void native_adamw_step(native_adamw *a) {
  float *restrict p = a->p, *restrict m = a->m, *restrict v = a->v;
  const float *restrict g = a->g;
  const double t = (double)a->step++;
  const float b1 = a->beta1, b2 = a->beta2, eps = a->eps, keep = 1 - a->lr * a->weight_decay;
  const float rate = (float)(a->lr / (1 - pow(b1, t))), root = (float)(1 / sqrt(1 - pow(b2, t)));
#pragma omp parallel for simd schedule(static)
  for (size_t i = 0; i < a->n; i++) {
    const float mi = b1 * m[i] + (1 - b1) * g[i];
    const float vi = b2 * v[i] + (1 - b2) * g[i] * g[i];
    m[i] = mi;
    v[i] = vi;
    p[i] = p[i] * keep - rate * mi / (sqrtf(vi) * root + eps);
  }
}

#ifdef BENCH_OPENBLAS
int native_has_gemm(void) { return 1; }
void native_gemm(size_t m, size_t n, size_t k, const float *a, const float *b, float *c) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, 1, a, (int)k, b, (int)n, 0, c, (int)n);
}
#else
int native_has_gemm(void) { return 0; }
void native_gemm(size_t m, size_t n, size_t k, const float *a, const float *b, float *c) {
  (void)m, (void)n, (void)k, (void)a, (void)b, (void)c;
}
#endif
